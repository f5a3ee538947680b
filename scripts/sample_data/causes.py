"""Why the drawn bills were not settled at the counter, and which of them the audit asks about.

Shares are Quzhou's (requirements R32). It publishes nothing below its four groups: accidents stand
for accident and newborn, home sickbeds and special drugs, half each, for process. The rest of 0.2 %
is not drawn: the bills from outside are it. The first bills are plain, so that one can be claimed
and paid by machine in any sample.

A few bills carry a flaw that a live judgement rule asks about. About a third of the flaws are real
(a reviewer would uphold them), the others are false alarms (requirements 3.3).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from backend.domain.cause import PUBLISHED_PER_MILLE, CauseGroup
from backend.domain.invoice import Invoice
from scripts.sample_data.citizens import Citizen
from scripts.sample_data.draw import Draw

PLAIN_BILLS: Final = 4
HARDSHIP_CITIZENS: Final = frozenset((6, 7, 9))
"""Those with a hardship status in ``register_facts``: a special group of the policy."""

_PER_MILLE: Final = 1_000
FLAWED_PER_MILLE: Final = 70
_UPHELD_PER_MILLE: Final = 320
_HOME_BED: Final = "家庭病床"
_SPECIAL_DRUG: Final = "15"
_INJURY_VISIT: Final = "81"
_INJURY_STAY: Final = "22"
_INJURIES: Final = (
    ("S93.400", "踝关节扭伤"),
    ("S80.000", "膝挫伤"),
    ("S60.200", "手挫伤"),
    ("S20.200", "胸壁挫伤"),
)
_OFF_BY_YEARS: Final = 7
_OUTSIDE_DAYS: Final = 20


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong, or looks wrong: the rule that asks, and whether a reviewer upholds it."""

    rule_code: str
    is_upheld: bool


LINE_OUTSIDE: Final = Flaw("fmt-line-outside-visit", is_upheld=True)
ONE_PERSON: Final = Flaw("ins-one-person", is_upheld=False)
OTHER_AGE: Final = Flaw("id-age", is_upheld=False)


class CausePlan:
    """Draws the group of each bill in turn.

    A stay's patient is fixed by the calendar of stays. Where the drawn group asks for a patient
    with (or without) a hardship status and the stay has the other, the next visit that has drawn
    the other group takes this one instead, so that the shares hold.
    """

    def __init__(self, seed: int, citizens: Sequence[Citizen]) -> None:
        self._seed = seed
        self._special = [one for one in citizens if one.index in HARDSHIP_CITIZENS]
        self._usual = [one for one in citizens if one.index not in HARDSHIP_CITIZENS]
        self._owed: list[CauseGroup] = []

    def of_stay(self, index: int, citizen: Citizen) -> CauseGroup:
        """The group of a stay of that citizen."""
        group = self._draw(index)
        if group not in (CauseGroup.POLICY, CauseGroup.NOT_SWIPED):
            return group
        natural = CauseGroup.POLICY if citizen.index in HARDSHIP_CITIZENS else CauseGroup.NOT_SWIPED
        if natural is not group:
            self._owe(group, natural)
        return natural

    def of_visit(self, index: int) -> CauseGroup:
        """The group of an outpatient visit."""
        group = self._draw(index)
        for place, owed in enumerate(self._owed):
            if {group, owed} == {CauseGroup.POLICY, CauseGroup.NOT_SWIPED}:
                return self._owed.pop(place)
        return group

    def may_have(self, citizen: Citizen, group: CauseGroup) -> bool:
        """Whether that citizen's visit can have the group."""
        is_special = citizen.index in HARDSHIP_CITIZENS and bool(self._usual)
        if group is CauseGroup.POLICY:
            return is_special or not self._special
        return group is not CauseGroup.NOT_SWIPED or not is_special

    def _owe(self, wanted: CauseGroup, instead: CauseGroup) -> None:
        if instead in self._owed:
            self._owed.remove(instead)
        else:
            self._owed.append(wanted)

    def _draw(self, index: int) -> CauseGroup:
        if index < PLAIN_BILLS:
            return CauseGroup.NOT_SWIPED
        place = Draw(self._seed, f"cause/{index}").below(_PER_MILLE)
        for group, share in PUBLISHED_PER_MILLE.items():
            if place < share:
                return CauseGroup.NOT_SWIPED if group is CauseGroup.OTHER else group
            place -= share
        return CauseGroup.NOT_SWIPED


def with_cause(draw: Draw, invoice: Invoice, group: CauseGroup) -> Invoice:
    """The bill with what makes it one of the group; lines and amounts stay."""
    is_stay = invoice.admitted_on is not None
    if group is CauseGroup.ACCIDENT_NEWBORN:
        code, name = draw.one_of(_INJURIES)
        kind = _INJURY_STAY if is_stay else _INJURY_VISIT
        return replace(
            invoice,
            department="骨科",
            medical_type=kind,
            diagnosis_code=code,
            diagnosis_name=name,
        )
    if group is CauseGroup.PROCESS:
        if is_stay or draw.chance(0.5):
            return replace(invoice, department=_HOME_BED)
        return replace(invoice, medical_type=_SPECIAL_DRUG)
    return invoice


def drawn_flaw(seed: int, index: int) -> Flaw | None:
    """The flaw of the ``index``-th bill; most have none."""
    draw = Draw(seed, f"flaw/{index}")
    if index < PLAIN_BILLS or draw.below(_PER_MILLE) >= FLAWED_PER_MILLE:
        return None
    if draw.below(_PER_MILLE) < _UPHELD_PER_MILLE:
        return LINE_OUTSIDE
    return draw.one_of((ONE_PERSON, OTHER_AGE))


def with_flaw(invoice: Invoice, flaw: Flaw | None) -> Invoice:
    """The bill with the flaw; what was charged does not change."""
    if flaw is None:
        return invoice
    if flaw is ONE_PERSON:
        return replace(invoice, checker=invoice.cashier)
    if flaw is OTHER_AGE:
        return replace(invoice, age=str(int(invoice.age) + _OFF_BY_YEARS))
    begins = invoice.admitted_on or invoice.service_on
    day = begins - dt.timedelta(days=_OUTSIDE_DAYS)
    first, *rest = invoice.lines
    return replace(invoice, lines=(replace(first, occurred_at=day.isoformat()), *rest))
