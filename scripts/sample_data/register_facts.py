"""What the simulated register knows of the invented citizens: cover, and a few statuses.

Everybody has an insured county, so that counties handle what the city's fund pays. Nobody but the
citizens listed here has a status or a filing; the demo citizen and the one of the
planted cases have cover alone, so that their hand-worked amounts rest on nothing else.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from backend.domain.person import RESIDENT, RESIDENT_PERSON
from backend.domain.register import FactKind
from scripts.sample_data.citizens import EMPLOYEE, Citizen

_COVER_YEARS: Final = 5
_AREAS: Final = (
    ("330802", "柯城区医保经办（测试）"),
    ("330803", "衢江区医保经办（测试）"),
    ("330881", "江山市医保经办（测试）"),
)
"""Counties below the city whose fund pays, each with the agency that handles its claims."""
_COVER_ALONE: Final = (1, 2)
"""The demo citizen and the one of the planted cases."""


@dataclass(frozen=True, slots=True)
class SampleFact:
    """One fact with its first and last day; None is an open end."""

    kind: FactKind
    code: str
    valid_from: dt.date
    valid_to: dt.date | None = None
    detail: str = ""
    filed_on: dt.date | None = None


def sample_facts(citizen: Citizen, as_of: dt.date) -> tuple[SampleFact, ...]:
    """The facts of one citizen, the same for the same citizen and day."""
    start = dt.date(as_of.year - _COVER_YEARS, 1, 1)
    is_resident = citizen.insurance_type == RESIDENT
    cover = SampleFact(
        FactKind.COVER,
        citizen.insurance_type,
        max(citizen.birth_on, start),
        detail=RESIDENT_PERSON if is_resident else citizen.person_type,
    )
    found = (cover, *_statuses(citizen, dt.date(as_of.year - 1, 1, 1)))
    if citizen.index in _COVER_ALONE:
        return found
    code, agency = _AREAS[citizen.index % len(_AREAS)]
    return (*found, SampleFact(FactKind.AREA, code, cover.valid_from, detail=agency))


def _statuses(citizen: Citizen, since: dt.date) -> tuple[SampleFact, ...]:
    """A status for a few citizens by their number; ``since`` is its first day."""
    by_number = {
        6: (SampleFact(FactKind.HARDSHIP, "low-income", since),),
        7: (SampleFact(FactKind.HARDSHIP, "low-income-edge", since),),
        8: (SampleFact(FactKind.FILING, "long-term-filed", since, detail="3301", filed_on=since),),
        9: (SampleFact(FactKind.HARDSHIP, "extreme-poor", since),),
        30: (SampleFact(FactKind.CHRONIC, "M03900", since),),
    }
    if citizen.index == 10 and citizen.insurance_type == EMPLOYEE:
        return (SampleFact(FactKind.CIVIL_SERVANT, "section", since),)
    return by_number.get(citizen.index, ())
