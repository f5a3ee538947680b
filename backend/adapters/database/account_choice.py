"""Which of a payer's accounts sends the next call.

An account is *slow* while a transaction of it waits longer than transactions do; everything else
goes by the payer's other accounts then, so that one stuck account holds up nobody (reference T7).
Otherwise one account is filled to a whole call before the next is used: full calls cost least.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from backend.adapters.database.tables import (
    ledger_intent,
    ledger_transaction,
    payer,
    payer_account,
)
from backend.domain.ledger import IntentState
from backend.service_layer.anchoring.model import TransactionState

SLOW_AFTER: Final = dt.timedelta(seconds=15)
_CALL_ITEMS: Final = 100  # MAX_BATCH_ITEMS of the contract
_WAITING: Final = [str(TransactionState.SIGNED), str(TransactionState.SENT)]
_UNFINISHED: Final = [str(IntentState.QUEUED), str(IntentState.SIGNED), str(IntentState.SENT)]


class AccountChoice:
    """Answers for one database transaction at the instant ``now``."""

    def __init__(self, connection: sa.Connection, now: dt.datetime) -> None:
        self._connection = connection
        self._now = now

    def accounts(self, payer_number: int) -> list[str]:
        """A payer's accounts, the first one first."""
        first = self._connection.execute(
            sa.select(payer.c.ledger_account).where(payer.c.number == payer_number)
        ).scalars()
        further = self._connection.execute(
            sa.select(payer_account.c.account)
            .where(payer_account.c.payer_number == payer_number)
            .order_by(payer_account.c.added_at, payer_account.c.account)
        ).scalars()
        return list(dict.fromkeys([*first, *further]))

    def best(self, payer_number: int) -> str | None:
        """The account that should send the payer's next call; None for an unknown payer."""
        accounts = self.accounts(payer_number)
        if len(accounts) < 2:
            return accounts[0] if accounts else None
        slow, load = self._slow(accounts), self._load(accounts)
        return min(
            accounts,
            key=lambda a: (a in slow, load.get(a, 0) // _CALL_ITEMS, accounts.index(a)),
        )

    def relieve(self) -> int:
        """Move what is queued at a slow account to another account of the same payer; returns how
        many intents moved. What is signed stays: only its own bytes may carry it."""
        numbers = self._connection.execute(sa.select(payer_account.c.payer_number).distinct())
        return sum(self._relieve(number) for number in numbers.scalars().all())

    def _relieve(self, payer_number: int) -> int:
        accounts = self.accounts(payer_number)
        slow = self._slow(accounts)
        if not slow or slow >= set(accounts):
            return 0
        moved = self._connection.execute(
            sa.update(ledger_intent)
            .where(ledger_intent.c.account.in_(sorted(slow)))
            .where(ledger_intent.c.state == str(IntentState.QUEUED))
            .values(account=self.best(payer_number), updated_at=self._now)
        )
        return int(moved.rowcount)

    def _slow(self, accounts: Sequence[str]) -> set[str]:
        rows = self._connection.execute(
            sa.select(ledger_transaction.c.account)
            .where(
                ledger_transaction.c.account.in_(accounts),
                ledger_transaction.c.state.in_(_WAITING),
                ledger_transaction.c.created_at < self._now - SLOW_AFTER,
            )
            .distinct()
        )
        return set(rows.scalars())

    def _load(self, accounts: Sequence[str]) -> dict[str, int]:
        rows = self._connection.execute(
            sa.select(ledger_intent.c.account, sa.func.count())
            .where(ledger_intent.c.account.in_(accounts), ledger_intent.c.state.in_(_UNFINISHED))
            .group_by(ledger_intent.c.account)
        )
        return {row[0]: row[1] for row in rows}
