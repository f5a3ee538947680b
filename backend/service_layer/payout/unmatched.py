"""Payments that the bank was asked for and this database cannot tell whose they are.

They are left by a restored backup: the claim, or its settlement, is not here. Each is a case; none
is ever paid by it or again, and the rest of its file is booked without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

KIND: Final = "bank-payment"


@dataclass(frozen=True, slots=True)
class LostItem:
    """One instruction of a file of ours that has no attempt here."""

    end_to_end_id: str
    file: str  # message id
    amount_fen: int


def case_id(end_to_end_id: str) -> str:
    return f"{KIND}:{end_to_end_id}"


def lost_items(work: Any) -> dict[str, LostItem]:
    """By name at the bank; closed cases too, since the payment stays what it was. An instruction
    that was matched later is not among them."""
    found = {}
    for case in work.reconciliation.cases_of(KIND):
        if not case.detail.get("matched"):
            item = LostItem(
                case.detail["end_to_end_id"], case.detail["file"], case.detail["amount_fen"]
            )
            found[item.end_to_end_id] = item
    return found
