"""What we know of the chain: its identity (deployment row) and how far it was followed."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from backend.adapters.database.tables import chain_cursor, deployment, institution
from backend.service_layer.anchoring.model import Deployment
from backend.service_layer.ports import BlockStamp, Clock


class ChainRepository:
    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def deployment(self) -> Deployment | None:
        """The network that this database belongs to, None before the contracts are deployed."""
        row = self._connection.execute(sa.select(deployment)).first()
        return None if row is None else Deployment(**row._mapping)

    def set_deployment(self, value: Deployment) -> None:
        """Record the network once; a second, different one is a programming error."""
        self._connection.execute(
            sa.insert(deployment).values(
                chain_id=value.chain_id,
                genesis_hash=value.genesis_hash,
                registry=value.registry,
                registry_code_hash=value.registry_code_hash,
                invoice_ledger=value.invoice_ledger,
                invoice_ledger_code_hash=value.invoice_ledger_code_hash,
                block_number=value.block_number,
            )
        )

    def cursor(self) -> BlockStamp | None:
        """The newest block that was followed."""
        found = self._stamps(sa.select(chain_cursor), 1)
        return found[0] if found else None

    def add_cursor(self, stamp: BlockStamp) -> None:
        self._connection.execute(
            sa.delete(chain_cursor).where(chain_cursor.c.block_number == stamp.number)
        )
        self._connection.execute(
            sa.insert(chain_cursor).values(
                block_number=stamp.number, block_hash=stamp.hash, block_at=stamp.at
            )
        )

    def stamps_below(self, block_number: int, limit: int) -> Sequence[BlockStamp]:
        """Followed blocks below a height, newest first."""
        return self._stamps(
            sa.select(chain_cursor).where(chain_cursor.c.block_number < block_number), limit
        )

    def forget_above(self, block_number: int) -> None:
        """Blocks above a height have left the chain."""
        self._connection.execute(
            sa.delete(chain_cursor).where(chain_cursor.c.block_number > block_number)
        )

    def accounts_of_institution(self, institution_code: str) -> Sequence[str]:
        rows = self._connection.execute(
            sa.select(institution.c.ledger_account).where(
                institution.c.code == institution_code, institution.c.ledger_account.is_not(None)
            )
        )
        return [account for (account,) in rows]

    def _stamps(
        self, statement: sa.Select[tuple[int, bytes, object]], limit: int
    ) -> list[BlockStamp]:
        rows = self._connection.execute(
            statement.order_by(chain_cursor.c.block_number.desc()).limit(limit)
        )
        return [BlockStamp(row.block_number, row.block_hash, row.block_at) for row in rows]
