"""Which money goes at once (秒到账) and which with the daily run."""

from __future__ import annotations

from backend.service_layer.claims.records import FROM_LEDGER, MACHINE, ORDINARY, Claim, Payout
from backend.service_layer.payout.ports import PayoutServices, PayoutWork


def is_machine_clean(deps: PayoutServices, work: PayoutWork, claim: Claim, payout: Payout) -> bool:
    """Whether the payable may go at once as far as the claim says: an ordinary claim on a bill
    that its hospital anchored, decided by the machine, on which no person ever had to look, within
    the limit of one bill, tried for the first time. The limits of the day are asked later."""
    if claim.kind != ORDINARY or claim.origin != FROM_LEDGER:
        return False
    if not deps.settings.payout.instant.allow_bill(payout.amount_fen):
        return False
    if work.claims.pends_of(claim.id) or work.payments.tried(payout.id):
        return False
    made = [d for d in work.decisions.all_of(claim.id) if d.version == payout.decision_version]
    return len(made) == 1 and made[0].decided_by == MACHINE
