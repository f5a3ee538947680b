"""The invented institutions: the sample's three, and the 132 of the full population."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

GRACE_DAYS: Final = 365
"""How long after the agreement's end the ledger still takes anchors of earlier bills."""

EXPIRED_SINCE_DAYS: Final = 30
POPULATION_HOSPITALS: Final = 132
YEAR_START_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class Hospital:
    """An institution as the agency registers it. ``custody`` is ``self`` or ``custodial``."""

    index: int
    code: str
    name: str
    level: int
    custody: str
    kind: str
    agreement_from: dt.date
    agreement_until: dt.date
    area_code: str = "330800"
    grace_days: int = GRACE_DAYS

    def is_expired(self, on: dt.date) -> bool:
        return on > self.agreement_until


def sample_hospitals(as_of: dt.date) -> tuple[Hospital, Hospital, Hospital]:
    """Levels 3, 2 and 1; the first two sign for themselves; the last one's agreement has ended."""
    from_day = dt.date(as_of.year - 2, 1, 1)
    until = dt.date(as_of.year + 2, 12, 31)
    return (
        Hospital(
            1, "H33080200001", "示例市第一医院（测试）", 3, "self", "综合医院", from_day, until
        ),
        Hospital(
            2, "H33080300002", "示例市中医医院（测试）", 2, "self", "中医医院", from_day, until
        ),
        Hospital(
            3,
            "H33080400003",
            "示例街道社区卫生服务中心（测试）",
            1,
            "custodial",
            "社区卫生服务中心",
            from_day,
            as_of - dt.timedelta(days=EXPIRED_SINCE_DAYS),
        ),
    )


def population_hospitals(as_of: dt.date) -> tuple[Hospital, ...]:
    """132 institutions: the sample's three, then invented ones of all levels, all custodial.

    They hold no ledger key of their own, so that one machine can stand for all of them.
    """
    first = sample_hospitals(as_of)
    more = (
        Hospital(
            index=index,
            code=f"H330802{index:05d}",
            name=f"示例医疗机构{index:03d}（测试）",
            level=3 if index <= 12 else 2 if index <= 40 else 1,
            custody="custodial",
            kind="综合医院" if index <= 40 else "社区卫生服务中心",
            agreement_from=dt.date(as_of.year - 2, 1, 1),
            agreement_until=dt.date(as_of.year + 2, 12, 31),
        )
        for index in range(4, POPULATION_HOSPITALS + 1)
    )
    return (*first, *more)


def last_day_of_one_year(as_of: dt.date) -> dt.date:
    """The day from which the known bills count back, so that all lie in one benefit year:
    ``as_of``, or in the first months of a year the last day of the year before."""
    if as_of.timetuple().tm_yday <= YEAR_START_DAYS:
        return dt.date(as_of.year - 1, 12, 31)
    return as_of
