"""What may be recorded in the register: checked as a whole, with every fault named."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backend.domain.errors import DomainError
from backend.domain.person import (
    AREA_PREFIX,
    CIVIL_SERVANT_RANKS,
    HARDSHIP_CODES,
    IN_SERVICE,
    INSURANCE_TYPES,
    RESIDENT,
    RESIDENT_PERSON,
    RETIRED,
)
from backend.domain.register import OPEN_END, FactKind, RegisterFact
from backend.domain.remote_care import UNFILED, is_in_area

FIRST_DAY: Final = dt.date(1900, 1, 1)
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,39}")
_AREA: Final = re.compile(r"[0-9]{6}")
_OVERLAPPING: Final = {FactKind.COVER: "参保时段", FactKind.AREA: "参保地时段"}
_EMPLOYEE_TYPES: Final = (IN_SERVICE, RETIRED)


class RegisterRefusedError(DomainError):
    """An entry that is not recorded; the message lists everything that is wrong with it."""

    code = "register-refused"


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody asks to be recorded. ``corrects`` names the fact that it supersedes;
    ``is_withdrawn``: that one never held."""

    kind: FactKind
    code: str
    valid_from: dt.date
    valid_to: dt.date | None = None
    detail: str = ""
    filed_on: dt.date | None = None
    corrects: str | None = None
    is_withdrawn: bool = False

    def says(self) -> tuple[object, ...]:
        """What the entry claims, comparable with :meth:`RegisterFact.says`."""
        return (
            self.kind, self.code, self.detail, self.valid_from, self.valid_to, self.is_withdrawn,
        )  # fmt: skip


def check_entry(
    entry: Entry, standing: Sequence[RegisterFact], *, region: str, today: dt.date
) -> None:
    """Raises :class:`RegisterRefusedError`. ``standing`` are the person's facts that stand."""
    faults = [*_dates(entry, today), *_codes(entry, region)]
    others = [one for one in standing if one.id != entry.corrects]
    corrected = [one for one in standing if one.id == entry.corrects]
    if entry.corrects is not None and not corrected:
        faults.append(
            (f"没有现行的参保信息 {entry.corrects}", f"no standing fact {entry.corrects}")
        )
    if corrected and corrected[0].kind is not entry.kind:
        faults.append(("更正不能改变信息的种类", "a correction keeps the kind of the fact"))
    if entry.kind in (FactKind.COVER, FactKind.AREA) and not entry.is_withdrawn:
        end = entry.valid_to or OPEN_END
        for other in others:
            if other.kind is entry.kind and other.meets(entry.valid_from, end):
                faults.append(
                    (
                        f"与{_OVERLAPPING[entry.kind]} {other.id} 重叠，请先更正那一条",
                        f"overlaps the {entry.kind} {other.id}; correct that one first",
                    )
                )
    if faults:
        raise RegisterRefusedError(
            "没有登记：" + "；".join(zh for zh, _ in faults),
            "not recorded: " + "; ".join(en for _, en in faults),
        )


def check_signature(by: str, reason: str) -> None:
    """Raises :class:`RegisterRefusedError` for an entry that nobody signs or explains."""
    if not by.strip() or len(by) > 60 or not reason.strip() or len(reason) > 500:
        raise RegisterRefusedError(
            "请写明登记人（60 字内）和理由（500 字内）",
            "give who records it (up to 60) and a reason (up to 500 characters)",
        )


def _dates(entry: Entry, today: dt.date) -> list[tuple[str, str]]:
    faults = []
    last = entry.valid_to or OPEN_END
    if not FIRST_DAY <= entry.valid_from <= OPEN_END or last > OPEN_END:
        faults.append(("日期超出范围", "a day is out of range"))
    if last < entry.valid_from:
        faults.append(("结束日期早于开始日期", "the last day is before the first"))
    if entry.filed_on is not None and entry.filed_on > today:
        faults.append(("备案日期在将来", "the day of filing is in the future"))
    return faults


def _codes(entry: Entry, region: str) -> list[tuple[str, str]]:
    if entry.kind is FactKind.COVER:
        return _cover(entry)
    if entry.kind is FactKind.FILING:
        return _filing(entry, region)
    if entry.kind is FactKind.AREA:
        return _insured_area(entry)
    choices = {
        FactKind.HARDSHIP: HARDSHIP_CODES,
        FactKind.CIVIL_SERVANT: CIVIL_SERVANT_RANKS,
    }.get(entry.kind)
    if choices is not None and entry.code not in choices:
        return [(f"代码应为 {choices} 之一", f"code: one of {choices}")]
    if not _CODE.fullmatch(entry.code):
        return [("病种代码应为 40 位以内的字母和数字", "a disease code has up to 40 characters")]
    return []


def _cover(entry: Entry) -> list[tuple[str, str]]:
    if entry.code not in INSURANCE_TYPES:
        return [(f"险种应为 {INSURANCE_TYPES} 之一", f"insurance: one of {INSURANCE_TYPES}")]
    types = (RESIDENT_PERSON,) if entry.code == RESIDENT else _EMPLOYEE_TYPES
    if entry.detail not in types:
        return [(f"人员类别应为 {types} 之一", f"person type: one of {types}")]
    return []


def _insured_area(entry: Entry) -> list[tuple[str, str]]:
    faults = []
    if not _AREA.fullmatch(entry.code):
        faults.append(("参保地应为六位区划代码", "the insured area has six digits"))
    if not 1 <= len(entry.detail.strip()) <= 16:
        faults.append(
            ("请写明经办机构名称（16 字内）", "name the area's agency (up to 16 characters)")
        )
    return faults


def _filing(entry: Entry, region: str) -> list[tuple[str, str]]:
    faults = []
    if not _CODE.fullmatch(entry.code) or entry.code in UNFILED:
        faults.append((f"{entry.code} 不是可以备案的状态", f"{entry.code} cannot be filed"))
    if not AREA_PREFIX.fullmatch(entry.detail):
        faults.append(("就医地应为 2、4 或 6 位区划代码", "the area has 2, 4 or 6 digits"))
    elif is_in_area(region, entry.detail):
        faults.append(("参保地内就医不用备案", "care in the insured area needs no filing"))
    return faults
