"""What every step of the anchoring service is given."""

from __future__ import annotations

from dataclasses import dataclass, field

from backend.service_layer.anchoring.ports import LedgerNode, Signer, WorkFactory
from backend.service_layer.ports import Clock, IdSource

TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Anchoring:
    """``owner`` names this process in leases. Times are in seconds.

    A lease outlives a step comfortably and a crashed worker's is soon free; whoever outlives
    its lease is stopped by the fencing token, not by the clock.
    """

    work: WorkFactory
    node: LedgerNode
    signer: Signer
    clock: Clock
    ids: IdSource
    owner: str
    lease_seconds: float = 5
    resend_seconds: float = 2
    sends_before_fill: int = 30
    pending_max: int = 64
    #: At a market price: how long a transaction waits before its fee is compared with today's.
    replace_seconds: float = 30
    #: The most that a replacement may offer, in wei a gas.
    fee_wei_max: int = 200 * 10**9
    #: Earliest next try of intents that were refused before sending, by intent id.
    retry_at: dict[str, float] = field(default_factory=dict)

    def lease_name(self, account: str) -> str:
        return f"account:{account}"
