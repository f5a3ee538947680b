"""A fact changed: the claims whose days it concerns are worked out again.

An open claim gets another calculation. A decided one whose amount changes gets another decision
version or a case for a person (``claims.versions.revise`` says which). One that was refused for
want of cover, or decided at nothing by the machine, comes back under its number.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backend.domain.bill import occurred_on
from backend.domain.claim import ClaimState, StageOutcome
from backend.domain.errors import DomainError
from backend.domain.invoice import Invoice
from backend.domain.policy import PolicyError
from backend.domain.register import FactKind, RegisterFact
from backend.domain.revision import Cause
from backend.service_layer.claims.benefits import DAMAGE, adjudicate_again, read_invoice
from backend.service_layer.claims.causes import write_cause
from backend.service_layer.claims.records import MACHINE, Claim
from backend.service_layer.claims.stages import no_rule_reason, raise_pends
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.handling.year_totals import revise

WITHOUT_RULE: Final = "rework-without-rule"
"""The alarm of a decided claim for which the policy has no rule since a fact changed."""

_DROPPED: Final = (ClaimState.RELEASING, ClaimState.WITHDRAWING, ClaimState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Effect:
    """What became of one claim, amounts in fen; ``what`` is one of the words below."""

    claim_number: str
    what: str
    before_fen: int
    after_fen: int


RECALCULATED: Final = "recalculated"
NEW_VERSION: Final = "new-version"
FOR_A_PERSON: Final = "for-a-person"
CAME_BACK: Final = "came-back"
WAITS_FOR_BILL: Final = "waits-for-bill"
NO_RULE: Final = "no-rule"
FAILED: Final = "failed"
UNCHANGED: Final = "unchanged"


def rework_claims(
    deps: HandlingServices,
    work: HandlingWork,
    person_id: str,
    changed: Sequence[RegisterFact],
    reason: str,
) -> tuple[Effect, ...]:
    """Work out again the claims whose days of care ``changed`` touches, in the order of the
    year's totals. The caller holds the person's lock and commits."""
    cause = Cause.ENTITLEMENT
    if all(fact.kind is FactKind.FILING for fact in changed):
        cause = Cause.LATE_FILING
    effects = []
    for claim_id in _claims_of(work, person_id):
        claim = work.claims.get(claim_id, lock=True)
        try:
            if _is_concerned(work, claim, changed):
                effects.append(_rework(deps, work, claim, cause, reason))
                write_cause(deps, work, claim.id)
        except (DomainError, *DAMAGE) as error:
            # Damage of one claim must not keep the fact from being recorded.
            what = getattr(error, "code", type(error).__name__)
            work.alarms.raise_alarm("claim-step-failed", claim.id, f"register: {what}")
            effects.append(Effect(claim.number, FAILED, 0, 0))
    return tuple(effects)


def _claims_of(work: HandlingWork, person_id: str) -> list[str]:
    """Live claims in the order of their year, then refused ones, oldest service first."""
    live = [
        claim.id
        for year in work.register.claim_years(person_id)
        for claim in work.claims.live_of_year(person_id, year)
    ]
    return [*live, *work.register.refused_claims(person_id)]


def _is_concerned(work: HandlingWork, claim: Claim, changed: Sequence[RegisterFact]) -> bool:
    if claim.state in _DROPPED or (
        claim.state is ClaimState.REFUSED and not _is_refused_on_facts(work, claim)
    ):
        return False
    first, last = _days_of_care(read_invoice(work, work.claims.bill_of_version(claim.version_id)))
    return any(fact.meets(first, last) for fact in changed)


def _days_of_care(invoice: Invoice) -> tuple[dt.date, dt.date]:
    days = [occurred_on(line.occurred_at) for line in invoice.lines]
    known = [day for day in days if day is not None]
    last = invoice.service_on
    return min([invoice.admitted_on or last, last, *known]), max([last, *known])


def _is_refused_on_facts(work: HandlingWork, claim: Claim) -> bool:
    """Refused by a decision, or in matching for want of cover: facts about the person. A void
    bill, or one that another payer holds, stays refused whatever the register learns."""
    if claim.decision_version > 0:
        return True
    rows = [row for row in work.claims.stages_of(claim.id) if row.outcome is StageOutcome.REFUSED]
    return bool(rows) and any(reason.code == "not-covered" for reason in rows[-1].reasons)


def _shown_fen(work: HandlingWork, claim: Claim) -> int:
    decision = work.decisions.latest(claim.id)
    if decision is not None and not claim.is_undecided:
        return decision.paid_fen
    calculation = work.decisions.latest_calculation(claim.id)
    return 0 if calculation is None else calculation.paid_fen


def _rework(
    deps: HandlingServices, work: HandlingWork, claim: Claim, cause: Cause, reason: str
) -> Effect:
    before = _shown_fen(work, claim)
    try:
        adjudicated = adjudicate_again(deps, work, claim)
    except PolicyError as error:
        if claim.is_undecided:
            raise_pends(deps, work, claim, (no_rule_reason(error),))
        else:
            work.alarms.raise_alarm(WITHOUT_RULE, claim.id, f"{claim.number}: {error.en}")
        return Effect(claim.number, NO_RULE, before, before)
    decision = revise(
        deps, work, claim, adjudicated, cause=cause, decided_by=MACHINE, reason=reason
    )
    after = adjudicated[0].paid_fen
    now = work.claims.get(claim.id)
    if decision is not None:
        return Effect(claim.number, NEW_VERSION, before, after)
    if claim.state is ClaimState.REFUSED:
        what = UNCHANGED
        if now.state is ClaimState.SUBMITTED:
            what = CAME_BACK
        elif now.waiting_for:
            what = WAITS_FOR_BILL
        return Effect(claim.number, what, before, before if what == UNCHANGED else after)
    if before == after:
        return Effect(claim.number, UNCHANGED, before, after)
    what = RECALCULATED if claim.is_undecided else FOR_A_PERSON
    return Effect(claim.number, what, before, after)
