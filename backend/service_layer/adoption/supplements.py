"""A supplement that the ledger knows and a restored database does not.

It is adopted when its decision is stored here, or when working the claim out again gives exactly
the sum that the ledger has now paid. Else it stays a case for a person, and no further supplement
of that bill is asked for: the paid sum is not the one that is known here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from backend.domain.claim import IN_EFFECT_STATES, ClaimState
from backend.domain.errors import DomainError
from backend.domain.explanation import Outcome
from backend.domain.ledger import IntentKind, LedgerIntent
from backend.service_layer.adoption.decisions import add_decision_of_ledger
from backend.service_layer.anchoring.adopt import Line, add_adopted, describe
from backend.service_layer.anchoring.model import LedgerEvent
from backend.service_layer.claims.benefits import DAMAGE, adjudicate_again, adjudicate_claim
from backend.service_layer.claims.decide import Adjudicated
from backend.service_layer.claims.records import Claim, Decision
from backend.service_layer.claims.supplement import payments_in_effect
from backend.service_layer.recovery.ports import RecoveryServices
from verifier.errors import VerificationError


def adopt_supplement(
    deps: RecoveryServices, work: Any, event: LedgerEvent, at: dt.datetime
) -> Line | None:
    """The line of an adopted supplement; None when no decision here can be shown to be its."""
    claim = _claim_of(work, event)
    if claim is None:
        return None
    work.people.lock(claim.person_id)
    version = event.values["decision_version"]
    stored = {one.version: one for one in work.decisions.all_of(claim.id)}
    paid = sum(intent.payload["amount"] for intent in payments_in_effect(work, claim.id))
    decision = stored.get(version)
    if decision is None and version == len(stored) + 1:
        decision = _decide_again(deps, work, claim, event, paid)
    if decision is None or not _is_its(decision, event, paid):
        return None
    intent = LedgerIntent(
        id=deps.ids.new_id("int"),
        kind=IntentKind.SUPPLEMENT,
        account=work.claims.payer_account(claim.payer_number) or "",
        held=True,
        dedupe_key=f"supplement:{claim.id}:{version}:adopted",
        subject_id=claim.id,
        payload={
            "invoice_key": event.key.hex(),
            "payer": claim.payer_number,
            "paid_before": event.values["paid"] - event.values["value"],
            "amount": event.values["value"],
            "decision_fingerprint": decision.fingerprint.hex(),
            "decision_version": version,
            "policy_hash": decision.policy_hash.hex(),
        },
    )
    add_adopted(work, intent, event, at)
    is_paid = claim.state is ClaimState.PAID
    work.claims.update(
        claim.id,
        claim.state,
        deps.clock.now(),
        decision_version=max(version, claim.decision_version),
        state=ClaimState.SUPPLEMENTING if is_paid else claim.state,
        waiting_for=None,
    )
    detail = f"claim {claim.number}: {event.values['value']} fen more"
    return Line("adopted", describe(event), detail)


def _claim_of(work: Any, event: LedgerEvent) -> Claim | None:
    for claim_id in work.reconciliation.live_claims_on_key(event.key):
        claim: Claim = work.claims.get(claim_id, lock=True)
        if claim.state in IN_EFFECT_STATES and claim.payer_number == event.values["payer"]:
            return claim
    return None


def _is_its(decision: Decision, event: LedgerEvent, paid: int) -> bool:
    values = event.values
    said = (decision.fingerprint, decision.policy_hash, decision.paid_fen - paid)
    return said == (values["decision_fingerprint"], values["policy_hash"], values["value"])


def _decide_again(
    deps: RecoveryServices, work: Any, claim: Claim, event: LedgerEvent, paid: int
) -> Decision | None:
    """The decision that was lost, worked out again; None unless the amount is the ledger's.

    It keeps the ledger's fingerprint; the secret behind that is lost, as after an erasure.
    """
    values = event.values
    found = next(
        (
            one
            for one in _worked_out(deps, work, claim)
            if one[0].outcome is not Outcome.REFUSED
            and one[0].paid_fen - paid == values["value"]
            and one[0].policy_hash == values["policy_hash"]
        ),
        None,
    )
    if found is None:
        return None
    return add_decision_of_ledger(deps, work, claim, found, values)


def _worked_out(deps: RecoveryServices, work: Any, claim: Claim) -> Iterator[Adjudicated]:
    """On the totals of its last decision, as an appeal does, and on the year's present ones."""
    bill = work.claims.bill_of_version(claim.version_id)
    ways: tuple[Callable[[], Adjudicated], ...] = (
        lambda: adjudicate_again(deps, work, claim),
        lambda: adjudicate_claim(deps, work, claim, bill),
    )
    for way in ways:
        try:
            yield way()
        except (DomainError, VerificationError, *DAMAGE):
            continue
