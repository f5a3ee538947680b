"""What of a movement on the bank's kept statements nobody has booked yet."""

from __future__ import annotations

from typing import Any


def left_of_credit(work: Any, region: str, reference: str) -> int | None:
    """Fen of what came in under a reference that the journal does not have; None while no kept
    statement has it. What is typed before the bank's statement is compared with it later (R19)."""
    there: list[int] = [
        one.amount_fen
        for one in work.bank_statements.entries(region)
        if (one.key, one.side) == (reference, "credit")
    ]
    if not there:
        return None
    booked: list[int] = [
        one.amount_fen
        for one in work.bank_statements.movements(region)
        if (one.key, one.side) == (reference, "credit")
    ]
    return sum(there) - sum(booked)
