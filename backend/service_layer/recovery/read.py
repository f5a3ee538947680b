"""What a citizen may see of their own debts."""

from __future__ import annotations

from backend.domain.recovery import Debtor, Recovery, State
from backend.service_layer.claims.records import Claim
from backend.service_layer.recovery.ports import RecoveryWork


def owed_by_citizen(work: RecoveryWork, claim: Claim) -> list[Recovery]:
    """What the person owes, or owed, of a claim: not what two people have not decided, and not
    what the institution owes."""
    hidden = (State.PROPOSED, State.DISMISSED)
    return [
        one
        for one in work.recoveries.of_claim(claim.id)
        if one.order.debtor is Debtor.PERSON and one.state not in hidden
    ]
