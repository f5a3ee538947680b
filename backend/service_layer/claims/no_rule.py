"""A claim for which the policy has no rule goes to a person; it is neither refused nor stuck."""

from __future__ import annotations

from typing import Final

from backend.domain.bill import bill_from_invoice
from backend.domain.claim import ClaimState
from backend.domain.policy import PolicyError
from backend.domain.unruled import explain_without_rules
from backend.service_layer.claims.benefits import (
    history_before,
    pick_pack,
    read_invoice,
    snapshot_of,
)
from backend.service_layer.claims.decide import Adjudicated
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import Claim, Reason, StoredBill
from backend.service_layer.claims.stages import no_rule_reason, raise_pends

UNKNOWN_STATUS: Final = "unknown"
"""The remote status of a decision made without a rule: the policy has no such status."""


def pend_without_rule(
    deps: ClaimServices, work: ClaimWork, claim: Claim, error: PolicyError
) -> None:
    """lodged -> pended, again after every approval, until the policy has a rule or a person
    refuses."""
    pend_for(deps, work, claim, no_rule_reason(error))


def pend_for(deps: ClaimServices, work: ClaimWork, claim: Claim, reason: Reason) -> None:
    """lodged -> pended for one reason that is found when the claim would be decided."""
    raise_pends(deps, work, claim, (reason,))
    work.claims.update(
        claim.id,
        claim.state,
        deps.clock.now(),
        state=ClaimState.PENDED,
        waiting_for="reviewer",
    )


def adjudicated_without_rules(
    deps: ClaimServices, work: ClaimWork, claim: Claim, bill: StoredBill
) -> Adjudicated:
    """What a person's refusal is written on where the policy gives no amount: the bill with
    nothing in scope. Raises :class:`PolicyError` when no policy was in force on the day."""
    snapshot = snapshot_of(deps, work, claim.person_id, claim.service_on)
    pack = pick_pack(deps.packs, deps.settings.region, claim.service_on)
    history = history_before(work, claim.person_id, claim.benefit_year, claim.id)
    view = bill_from_invoice(
        read_invoice(work, bill),
        invoice_key=bill.invoice_key,
        hospital_level=bill.hospital_level,
        remote_status=UNKNOWN_STATUS,
    )
    return explain_without_rules(pack, view, snapshot, history), snapshot, history, pack
