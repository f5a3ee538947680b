"""Facts of the insurance register: what held from when to when, and since when it is known.

Two times are kept apart. ``valid_from`` and ``valid_to`` say on which days something was so;
``recorded_at`` says when the register learned it. A fact is never changed: a correction is a new
fact that supersedes it, so that what was known on any earlier day can still be told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from backend.domain.person import (
    RESIDENT,
    RESIDENT_PERSON,
    CoverPeriod,
    DatedStatus,
    PersonSnapshot,
    RemoteFiling,
)

OPEN_END: Final = dt.date(2099, 12, 31)
"""Written for a fact whose end is not known."""

NOT_INSURED: Final = "none"
"""Insurance and person type of somebody of whom the register knows no cover at all."""

SIMULATED: Final = "simulated"
"""The source of every fact of the embedded register, which stands in for the insurance system."""


class FactKind(StrEnum):
    """What a fact is about, with the meaning of its ``code`` and ``detail``."""

    COVER = "cover"  # code: insutype; detail: psn_type
    HARDSHIP = "hardship"  # code: one of HARDSHIP_CODES
    CIVIL_SERVANT = "civil-servant"  # code: one of CIVIL_SERVANT_RANKS
    CHRONIC = "chronic"  # code: disease code
    FILING = "filing"  # code: remote status of the policy; detail: area prefix
    AREA = "area"  # 参保地; code: six digits of the county; detail: its agency's name


@dataclass(frozen=True, slots=True)
class RegisterFact:
    """One fact of one person. ``supersedes`` names the fact that it corrects; ``is_withdrawn``
    says that the corrected one never held."""

    id: str
    person_id: str
    kind: FactKind
    code: str
    detail: str
    valid_from: dt.date
    valid_to: dt.date | None
    filed_on: dt.date | None
    supersedes: str | None
    is_withdrawn: bool
    source: str
    recorded_by: str
    reason: str
    recorded_at: dt.datetime

    @property
    def ends_on(self) -> dt.date:
        return self.valid_to or OPEN_END

    def says(self) -> tuple[object, ...]:
        """What the fact claims, without who recorded it and when, or when it was filed."""
        return (
            self.kind, self.code, self.detail, self.valid_from, self.valid_to, self.is_withdrawn,
        )  # fmt: skip

    def meets(self, starts_on: dt.date, ends_on: dt.date) -> bool:
        """Whether the fact holds on any day of the period."""
        return self.valid_from <= ends_on and starts_on <= self.ends_on


def known_facts(
    facts: Sequence[RegisterFact], known_at: dt.datetime | None = None
) -> tuple[RegisterFact, ...]:
    """The facts that stood at ``known_at`` (None: now): recorded by then, neither superseded by
    one recorded by then nor a withdrawal; in the order of kind, first day and record."""
    seen = [one for one in facts if known_at is None or one.recorded_at <= known_at]
    gone = {one.supersedes for one in seen}
    standing = [one for one in seen if one.id not in gone and not one.is_withdrawn]
    return tuple(
        sorted(standing, key=lambda one: (one.kind, one.valid_from, one.code, one.recorded_at))
    )


def cover_on(facts: Sequence[RegisterFact], day: dt.date) -> RegisterFact | None:
    """The cover of that day; outside every period the last one before it, else the next one."""
    covers = [one for one in facts if one.kind is FactKind.COVER]
    holding = [one for one in covers if one.meets(day, day)]
    before = [one for one in covers if one.ends_on < day]
    if holding:
        return max(holding, key=lambda one: (one.valid_from, one.recorded_at))
    if before:
        return max(before, key=lambda one: (one.ends_on, one.recorded_at))
    return min(covers, key=lambda one: (one.valid_from, one.recorded_at), default=None)


def area_on(facts: Sequence[RegisterFact], day: dt.date) -> RegisterFact | None:
    """The insured area (参保地) of that day, None where none is recorded for it."""
    areas = [one for one in facts if one.kind is FactKind.AREA and one.meets(day, day)]
    return max(areas, key=lambda one: (one.valid_from, one.recorded_at), default=None)


def snapshot_from(
    facts: Sequence[RegisterFact],
    *,
    person_ref: str,
    region: str,
    as_of: dt.date,
    service_on: dt.date,
    source: str,
) -> PersonSnapshot:
    """The snapshot that adjudication is given: every standing fact, without name or number.

    ``facts`` are those that stand (:func:`known_facts`); insurance and person type are those of
    the cover on the day of service.
    """
    cover = cover_on(facts, service_on)
    insurance = NOT_INSURED if cover is None else cover.code
    person_type = NOT_INSURED if cover is None else cover.detail
    return PersonSnapshot(
        person_ref=person_ref,
        region=region,
        insurance_type=insurance,
        person_type=RESIDENT_PERSON if insurance == RESIDENT else person_type,
        as_of=as_of,
        cover=tuple(
            CoverPeriod(one.code, one.valid_from, one.ends_on)
            for one in facts
            if one.kind is FactKind.COVER
        ),
        hardship=_statuses(facts, FactKind.HARDSHIP),
        civil_servant=_statuses(facts, FactKind.CIVIL_SERVANT),
        chronic=_statuses(facts, FactKind.CHRONIC),
        filings=tuple(
            RemoteFiling(
                status=one.code,
                area_prefix=one.detail,
                starts_on=one.valid_from,
                ends_on=one.ends_on,
                filed_on=one.filed_on or one.valid_from,
            )
            for one in facts
            if one.kind is FactKind.FILING
        ),
        source=source,
    )


def _statuses(facts: Sequence[RegisterFact], kind: FactKind) -> tuple[DatedStatus, ...]:
    return tuple(
        DatedStatus(one.code, one.valid_from, one.ends_on) for one in facts if one.kind is kind
    )
