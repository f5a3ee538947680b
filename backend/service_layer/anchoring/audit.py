"""Final is believed, and still looked at again (reference T15).

Every transaction that counts as final is compared with the chain, a part at a time, for ever. A
difference is an incident for people: money may have moved, so nothing is sent anew in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.service_layer.anchoring.dependencies import Anchoring

CHECKED_A_PASS: Final = 100


@dataclass
class AuditPlace:
    """How far the present round has come: the id of the last transaction that was compared."""

    after: str = ""


def audit_final(deps: Anchoring, place: AuditPlace) -> int:
    """Compare the next final transactions with their blocks; returns how many differ."""
    with deps.work(write=False) as work:
        records = work.transactions.final_after(place.after, CHECKED_A_PASS)
        cursor = work.chain.cursor()
    if not records:
        place.after = ""
        return 0
    numbers = sorted({r.block_number for r in records if r.block_number is not None})
    if cursor is None or deps.node.head().number < max(numbers, default=0):
        return 0  # a node that lags says nothing about blocks that it does not have
    stamps = dict(zip(numbers, deps.node.blocks(numbers), strict=True))
    differing = []
    for record in records:
        stamp = stamps.get(record.block_number or -1)
        if stamp is None or stamp.hash != record.block_hash:
            differing.append(record)
    if differing:
        with deps.work() as work:
            for record in differing:
                work.alarms.raise_alarm(
                    "final-block-changed",
                    record.id,
                    f"block {record.block_number} is not the one that counted as final",
                )
            work.commit()
    place.after = records[-1].id
    return len(differing)
