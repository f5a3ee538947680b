"""The year of a claim that is decided again: later claims are worked out anew (docs/adr/0005).

Totals run through a year, so that one claim's change moves the deductible and the ceilings of those
that follow it.
"""

from __future__ import annotations

from typing import Final

from backend.domain.errors import DomainError
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.person import (
    History,
    PersonSnapshot,
)
from backend.domain.policy import PolicyError, PolicyPack
from backend.domain.revision import Cause
from backend.service_layer.claims.benefits import (
    DAMAGE,
    DROPPED,
    adjudicate_claim,
    store_calculation,
)
from backend.service_layer.claims.decide import Adjudicated
from backend.service_layer.claims.records import (
    MACHINE,
    Claim,
    Decision,
)
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.handling.versions import Grounds, revise_alone

YEAR_CHANGED: Final = "year-totals-changed"


CLEARING_AGAIN: Final = "clearing-again"
"""The alarm of a person's year that changed after a clearing took effect on it."""


def recalculate_year(
    deps: HandlingServices, work: HandlingWork, changed: Claim, *, after: str = "without claim"
) -> None:
    """Work out the later claims of the year again, now that ``changed`` counts no longer, or
    counts for another amount.

    A decision that would give more gets a new version by itself, or a case for people above the
    second approver's amount; one that would give less stays, and a revision and an alarm say by
    how much (docs/adr/0005). Once a clearing has put the year in the order of the days, only the
    next clearing changes what is decided: in the order of submission a deductible that moved would
    be taken by nobody. The caller holds the person's lock.
    """
    is_cleared = work.clearings.is_ordered_by_day(changed.person_id, changed.benefit_year)
    if is_cleared and not _is_of_clearing(work, changed):
        work.alarms.raise_alarm(
            CLEARING_AGAIN,
            f"{changed.person_id}:{changed.benefit_year}",
            f"{after} {changed.number}: the year was cleared before, clear {changed.benefit_year} "
            "again",
        )
    withdrawn = work.claims.withdrawn_of_year(changed.person_id, changed.benefit_year)
    for other in work.claims.live_of_year(changed.person_id, changed.benefit_year):
        if other.id in withdrawn | {changed.id} or other.state in DROPPED:
            continue
        decision = work.decisions.latest(other.id)
        is_refused = decision is not None and decision.outcome == "refused"
        if is_refused and not other.is_undecided:
            continue
        try:
            bill = work.claims.bill_of_version(other.version_id)
            adjudicated = adjudicate_claim(deps, work, other, bill)
        except PolicyError:
            continue  # it has no amount that could move: a person works it out
        except (DomainError, *DAMAGE) as error:
            # Damage of one claim must not keep another from being refused.
            what = getattr(error, "code", type(error).__name__)
            work.alarms.raise_alarm("claim-step-failed", other.id, f"year totals: {what}")
            continue
        if decision is None or other.is_undecided:
            store_calculation(deps, work, other.id, adjudicated[0])
            continue
        if is_cleared:
            continue
        new = _revise_for_year(deps, work, other, adjudicated)
        work.alarms.clear(YEAR_CHANGED, other.id)
        amount = adjudicated[0].paid_fen
        difference = decision.paid_fen - amount
        if new is None and difference > 0:
            work.alarms.raise_alarm(
                YEAR_CHANGED,
                other.id,
                f"claim {other.number} was decided at {decision.paid_fen} fen; {after} "
                f"{changed.number} it is {amount} fen: {difference:+d} fen too much",
            )


def _is_of_clearing(work: HandlingWork, claim: Claim) -> bool:
    causes = work.revisions.causes_of(claim.id)
    return bool(causes) and causes[max(causes)] is Cause.CLEARING


def _revise_for_year(
    deps: HandlingServices,
    work: HandlingWork,
    other: Claim,
    adjudicated: tuple[ExplanationOfBenefits, PersonSnapshot, History, PolicyPack],
) -> Decision | None:
    reason = "同一年里另一笔申请有变化，累计金额重新计算"
    grounds = Grounds(Cause.YEAR_TOTALS, MACHINE, reason)
    return revise_alone(deps, work, other, adjudicated, grounds)


def revise(
    deps: HandlingServices,
    work: HandlingWork,
    claim: Claim,
    adjudicated: Adjudicated,
    *,
    cause: Cause,
    decided_by: str,
    reason: str,
) -> Decision | None:
    """What ``adjudicated`` means for the claim; the new decision version when it made one.

    The caller holds the person's lock and commits. By the claim's state:

    - undecided: only the shown amount is worked out again;
    - decided, nothing on the ledger yet: the next version replaces what would have been sent;
    - settling to paid: more is a new version, which becomes a supplement on the ledger and a
      payment of the difference; less, or a refusal, is kept as a revision for a person;
    - decided or later, more by the machine than one person may approve: kept as a revision, which
      becomes a version when its people uphold it;
    - refused: the claim comes back under its number, if its bill is free. What a person refused
      comes back only by an appeal or a reopening;
    - withdrawn, or a lock on its way back: nothing.

    ``adjudicated`` comes from ``benefits.adjudicate_again``, or from ``adjudicate_claim`` where the
    year's totals are the cause.
    """
    grounds = Grounds(cause, decided_by, reason)
    decision = revise_alone(deps, work, claim, adjudicated, grounds)
    if decision is not None:
        recalculate_year(deps, work, claim, after="since claim")
    return decision
