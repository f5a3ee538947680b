"""The simulated bank's statements of the agency's accounts.

A real bank leaves one each night. This one gives one when it is asked, up to that moment, so that
a system that runs for an hour has something to compare. Money comes to its accounts when it is
told so: nobody else can pay in.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Final

from backend.adapters.bank.simulated_book import Answer, Closed, Page
from backend.adapters.iso20022.camt053 import write_camt053
from backend.domain.local_time import local_day
from backend.service_layer.payout.records import (
    BankStatement,
    EntrySide,
    StatementEntry,
)

OPENED: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
"""Since when the accounts are there, empty."""


def add_statement(page: Page, account: str, now: dt.datetime) -> bool:
    """Write the next statement of an account, up to a whole second, to be delivered at once.
    False when its time has not moved on since the last one, or nothing was ever moved on it."""
    before = page.last_statement(account) or Closed(0, OPENED, 0)
    to_at = now.astimezone(dt.UTC).replace(microsecond=0)
    if to_at <= before.to_at:
        return False
    # A movement within the last second belongs to the next statement.
    moved = page.moved(account, before.to_at, to_at)
    entries = tuple(
        StatementEntry(
            EntrySide(one.side), one.amount_fen, one.reference, one.end_to_end_id, local_day(one.at)
        )
        for one in moved
    )
    number = before.number + 1
    name = hashlib.sha256(f"{account}|{number}".encode()).hexdigest()[:20].upper()
    moved_fen = sum(one.amount_fen if one.side == "credit" else -one.amount_fen for one in moved)
    closing = before.closing_fen + moved_fen
    statement = BankStatement(
        message_id=f"SIMST-{name}",
        created_at=now,
        statement_id=f"{number}-{name}",
        account=account,
        from_at=before.to_at,
        to_at=to_at,
        opening_fen=before.closing_fen,
        closing_fen=closing,
        entries=entries,
        simulated=True,
    )
    page.close_statement(account, Closed(number, to_at, closing))
    name = f"{statement.message_id}.camt.053.xml"
    page.add_answer(Answer(name, write_camt053(statement), now))
    return True
