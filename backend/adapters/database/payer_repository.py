"""Payers: numbers on the ledger with a class and the account that acts for them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from backend.adapters.database.account_choice import AccountChoice
from backend.adapters.database.tables import payer, payer_account
from backend.service_layer.ports import Clock


@dataclass(frozen=True, slots=True)
class Payer:
    """``payer_class`` is ``basic`` or ``non-basic``."""

    number: int
    name: str
    payer_class: str
    ledger_account: str


class PayerRepository:
    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def add(self, record: Payer) -> bool:
        """Store a payer; False when its number is there already."""
        if self.find(record.number) is not None:
            return False
        self._connection.execute(
            sa.insert(payer).values(
                number=record.number,
                name=record.name,
                payer_class=record.payer_class,
                ledger_account=record.ledger_account,
            )
        )
        return True

    def find(self, number: int) -> Payer | None:
        row = self._connection.execute(sa.select(payer).where(payer.c.number == number)).first()
        return None if row is None else Payer(**row._mapping)

    def accounts(self, number: int) -> list[str]:
        """The accounts that act for a payer, the first one first."""
        return AccountChoice(self._connection, self._clock.now()).accounts(number)

    def add_account(self, number: int, account: str) -> bool:
        """Store a further account of a payer; False when it is there already."""
        if account in self.accounts(number):
            return False
        self._connection.execute(
            sa.insert(payer_account).values(
                account=account, payer_number=number, added_at=self._clock.now()
            )
        )
        return True

    def relieve_slow_accounts(self) -> int:
        """Move what is queued at a slow account to another one of the payer; returns how many
        intents moved."""
        return AccountChoice(self._connection, self._clock.now()).relieve()

    def all(self) -> list[Payer]:
        rows = self._connection.execute(sa.select(payer).order_by(payer.c.number))
        return [Payer(**row._mapping) for row in rows]
