"""A bank that pays nobody: it answers every instruction and says that it is simulated.

The answer is a pure function of the instruction, so that handing the same instruction in again,
after a crash for example, gives the same bank reference: carried out once.
"""

from __future__ import annotations

import datetime as dt
import hashlib

from backend.service_layer.claims.records import Payout, PayoutAnswer


class SimulatedBank:
    def pay(self, payout: Payout, at: dt.datetime) -> PayoutAnswer | None:
        digest = hashlib.sha256(f"simulated-bank/1|{payout.id}".encode()).hexdigest()
        return PayoutAnswer(
            payout_id=payout.id,
            outcome="paid",
            bank_reference=f"SIM{digest[:16].upper()}",
            simulated=True,
            answered_at=at,
        )
