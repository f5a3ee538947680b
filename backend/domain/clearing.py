"""Yearly clearing (年度清算): a person's year worked out again, and what a year was for a hospital.

Each decision saw the year as it stood then. The clearing sees it whole: every settled claim is
adjudicated again in the order of the days of service, on the claims before it as they come out
here. What differs from what was decided, less what is owed back already, is the difference.

Where the order in which the claims were decided gives each fund the same sum, the amounts stay in
that order: money would only be moved to and fro between the bills of one person. Once a clearing
has taken effect in the order of days, the later ones of that year keep it.

Amounts are integer fen.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from backend.domain.adjudication import adjudicate
from backend.domain.bill import BillForBenefit
from backend.domain.errors import ConflictError, DomainError
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.journal import LayerAmounts
from backend.domain.local_time import local_day
from backend.domain.person import History, HistoryEntry, PersonSnapshot
from backend.domain.policy import PolicyError, PolicyPack
from backend.domain.recovery import share, too_much
from backend.domain.ruling import LineRuling

YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2200


class ClearingError(DomainError):
    """Something of a clearing that cannot be; nothing was stored."""

    code = "bad-clearing"


class YearOpenError(ConflictError):
    """The year is not over, and nobody said that it is cleared all the same."""

    code = "clearing-year-open"


class ClearingConflictError(ConflictError):
    """A difference is not where this can be done. Nothing was stored."""

    code = "clearing-conflict"


class Order(StrEnum):
    """In which order the claims of the year took the deductible and the caps."""

    DECIDED = "decided"  # as they were decided: submission, day of service, key
    BY_DAY = "by-day"


class Finding(StrEnum):
    """What the clearing found of one claim."""

    SAME = "same"
    MORE = "more"
    LESS = "less"
    LAYERS = "layers"  # the same amount, borne by other layers: nothing is booked
    NO_RULE = "no-rule"  # today's pack works out nothing: it stays as it was decided


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a claim's amount depends on, but the claims before it."""

    pack: PolicyPack
    bill: BillForBenefit
    person: PersonSnapshot
    rulings: Sequence[LineRuling] = ()


@dataclass(frozen=True, slots=True)
class YearClaim:
    """One settled claim of a year. ``decided`` is what its newest decision pays by layer,
    ``taken`` what is owed back of it already. ``entry`` is what the decision did to the year's
    totals; it counts where ``inputs`` is None, or today's pack has no rule."""

    number: str
    service_on: dt.date
    invoice_key: bytes
    decided: LayerAmounts
    entry: HistoryEntry
    inputs: Inputs | None
    taken: LayerAmounts = field(default_factory=LayerAmounts)

    @property
    def before_fen(self) -> int:
        """What the person has of it, or will have."""
        return self.decided.total_fen - self.taken.total_fen


@dataclass(frozen=True, slots=True)
class Difference:
    """One claim as the clearing sees it; ``eob`` and ``history`` are None without a rule."""

    claim: YearClaim
    finding: Finding
    after: LayerAmounts
    eob: ExplanationOfBenefits | None
    history: History | None

    @property
    def before_fen(self) -> int:
        return self.claim.before_fen

    @property
    def after_fen(self) -> int:
        return self.before_fen if self.eob is None else self.after.total_fen

    @property
    def difference_fen(self) -> int:
        """Positive where the person gets more."""
        return self.after_fen - self.before_fen

    @property
    def too_much(self) -> LayerAmounts:
        """By layer, what is to come back; nothing unless the person gets less."""
        claim = self.claim
        if self.eob is None or self.difference_fen >= 0:
            return LayerAmounts()
        amounts = {str(layer): amount for layer, amount in claim.decided.items()}
        for layer, amount in claim.taken.items():
            amounts[str(layer)] = max(0, amounts[str(layer)] - amount)
        had = LayerAmounts(**{f"{k.replace('-', '_')}_fen": v for k, v in amounts.items()})
        found = too_much(had, self.after)
        return share(found, min(found.total_fen, -self.difference_fen))


@dataclass(frozen=True, slots=True)
class ClearedYear:
    """A person's year: every claim in the order in which it counted."""

    order: Order
    claims: tuple[Difference, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        return tuple(one for one in self.claims if one.finding is not Finding.SAME)

    @property
    def waits_for_less(self) -> bool:
        """Whether what the order of days gives one claim more, it takes from another: the first is
        paid only when the second is decided, or the fund would pay the deductible itself."""
        return self.order is Order.BY_DAY and any(
            one.finding is Finding.LESS for one in self.claims
        )


def require_year(year: int, now: dt.datetime, *, may_be_open: bool) -> None:
    """Refuse a year that is none, has not begun, or is not over yet in China unless that is meant.

    Raises :class:`ClearingError`, :class:`YearOpenError`.
    """
    today = local_day(now)
    if not YEAR_MIN <= year <= YEAR_MAX or year > today.year:
        raise ClearingError(
            f"{year} 不是可以清算的年度", f"{year} is no year that could be cleared"
        )
    if year == today.year and not may_be_open:
        raise YearOpenError(
            f"{year} 年还没有过完：先用 --trial 试算；确实要现在清算，请加 --year-open",
            f"{year} is not over: try it with --trial, or say --year-open to clear it now",
        )


def layers_of(eob: ExplanationOfBenefits) -> LayerAmounts:
    """What an explanation pays out of each layer."""
    return LayerAmounts(
        pool_fen=eob.pool_paid_fen,
        serious_illness_fen=eob.layer2_paid_fen,
        medical_aid_fen=eob.layer3_paid_fen,
        civil_servant_fen=eob.supplement_paid_fen,
    )


def clear_year(claims: Sequence[YearClaim], *, by_day: bool) -> ClearedYear:
    """Work out a person's year. ``claims`` come in the order in which they were decided;
    ``by_day``: a clearing of the year has taken effect in the order of days before."""
    in_days = sorted(claims, key=lambda one: (one.service_on, one.invoice_key))
    cleared = ClearedYear(Order.BY_DAY, _adjudicate(in_days))
    if by_day or [one.number for one in in_days] == [one.number for one in claims]:
        return cleared
    as_decided = ClearedYear(Order.DECIDED, _adjudicate(claims))
    return as_decided if _sums(as_decided) == _sums(cleared) else cleared


def _adjudicate(claims: Iterable[YearClaim]) -> tuple[Difference, ...]:
    history = History()
    found = []
    for claim in claims:
        eob = _explain(claim, history)
        found.append(_difference(claim, eob, history))
        entry = claim.entry if eob is None else eob.history_entry(claim.number, "settled")
        history = history.with_entries((entry,))
    return tuple(found)


def _explain(claim: YearClaim, history: History) -> ExplanationOfBenefits | None:
    known = claim.inputs
    if known is None:
        return None
    try:
        return adjudicate(known.pack, known.bill, known.person, history, known.rulings)
    except PolicyError:
        return None


def _difference(
    claim: YearClaim, eob: ExplanationOfBenefits | None, history: History
) -> Difference:
    if eob is None:
        return Difference(claim, Finding.NO_RULE, claim.decided, None, None)
    after = layers_of(eob)
    return Difference(claim, _finding(claim, after), after, eob, history)


def _finding(claim: YearClaim, after: LayerAmounts) -> Finding:
    if after.total_fen != claim.before_fen:
        return Finding.MORE if after.total_fen > claim.before_fen else Finding.LESS
    is_same = _left(after, LayerAmounts()) == _left(claim.decided, claim.taken)
    return Finding.SAME if is_same else Finding.LAYERS


def _left(layers: LayerAmounts, taken: LayerAmounts) -> dict[str, int] | None:
    """What is left of each layer that has something left; None where one gave more than it had."""
    given = dict(taken.items())
    left = {str(layer): amount - given[layer] for layer, amount in layers.items()}
    if min(left.values()) < 0:
        return None
    return {layer: amount for layer, amount in left.items() if amount}


def _sums(year: ClearedYear) -> Counter[tuple[str, str]]:
    """What each fund's layers bear over the year, by insurance type and layer."""
    sums: Counter[tuple[str, str]] = Counter()
    for one in year.claims:
        insurance = one.claim.entry.insurance_type if one.eob is None else one.eob.insurance_type
        after = _left(one.claim.decided, one.claim.taken) if one.eob is None else None
        for layer, amount in (after or _left(one.after, LayerAmounts()) or {}).items():
            sums[(insurance, layer)] += amount
    return sums


# --- what a year was for a hospital ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ManualClaim:
    """One manual claim as the statement counts it. ``decided`` is the newest decision, ``taken``
    what orders ask back, ``waived_fen`` what was given up of that, ``borne`` what the journal says
    that the funds bear."""

    number: str
    hospital_code: str
    total_fen: int
    in_scope_fen: int
    decided: LayerAmounts
    taken: LayerAmounts
    waived_fen: int
    borne: Mapping[str, int]
    is_booked: bool
    """Whether the last decision's money stands in the journal; else it is on its way."""

    @property
    def borne_fen(self) -> int:
        return sum(self.borne.values())

    @property
    def expected_fen(self) -> int:
        """What decision and orders leave to the funds."""
        return self.decided.total_fen - self.taken.total_fen + self.waived_fen

    @property
    def ties(self) -> bool:
        """Whether the journal says what decision and orders say, layer by layer; of a claim with a
        waiver in all, since a waiver names no layers."""
        if self.waived_fen:
            return self.borne_fen == self.expected_fen
        expected = _left(self.decided, self.taken)
        return expected is not None and expected == {k: v for k, v in self.borne.items() if v}


@dataclass(slots=True)
class HospitalYear:
    """One hospital's year. ``layers`` are the fen that the journal has for its manual claims, by
    layer; ``on_the_way_fen`` is decided and not booked yet; ``untied`` names claims whose journal
    differs. Bills settled at the counter stand apart: the hospital was paid for them there."""

    hospital_code: str
    claims: int = 0
    total_fen: int = 0
    in_scope_fen: int = 0
    layers: dict[str, int] = field(default_factory=dict)
    on_the_way_fen: int = 0
    untied: list[str] = field(default_factory=list)
    settled_bills: int = 0
    settled_total_fen: int = 0
    settled_fund_fen: int = 0

    @property
    def paid_fen(self) -> int:
        return sum(self.layers.values())

    @property
    def is_known(self) -> bool:
        """Whether anything of the year is the hospital's."""
        return bool(self.claims or self.settled_bills or self.untied)

    def add(self, claim: ManualClaim) -> None:
        """Count one claim of this hospital."""
        self.claims += 1
        self.total_fen += claim.total_fen
        self.in_scope_fen += claim.in_scope_fen
        for layer, amount in claim.borne.items():
            self.layers[layer] = self.layers.get(layer, 0) + amount
        if claim.is_booked:
            if not claim.ties:
                self.untied.append(claim.number)
            return
        self.on_the_way_fen += claim.expected_fen - claim.borne_fen

    def add_settled(self, total_fen: int, fund_fen: int) -> None:
        """Count one bill that was settled at the counter."""
        self.settled_bills += 1
        self.settled_total_fen += total_fen
        self.settled_fund_fen += fund_fen

    def to_record(self) -> dict[str, Any]:
        """Strings and integers, for JSON and CSV; every layer is there."""
        layers = LayerAmounts().items()
        return {
            "hospital_code": self.hospital_code,
            "manual_claims": self.claims,
            "manual_total_fen": self.total_fen,
            "manual_in_scope_fen": self.in_scope_fen,
            **{
                f"manual_{str(layer).replace('-', '_')}_fen": self.layers.get(str(layer), 0)
                for layer, _ in layers
            },
            "manual_paid_fen": self.paid_fen,
            "manual_on_the_way_fen": self.on_the_way_fen,
            "settled_bills": self.settled_bills,
            "settled_total_fen": self.settled_total_fen,
            "settled_fund_fen": self.settled_fund_fen,
            "untied_claims": list(self.untied),
        }
