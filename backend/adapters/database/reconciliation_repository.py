"""What adopting the chain into a restored database needs: who we are on it, batches whose leaves
were lost, and the cases that a person has to deal with."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.account_choice import AccountChoice
from backend.adapters.database.tables import (
    account_nonce,
    alarm,
    batch,
    batch_leaf,
    claim,
    institution,
    invoice,
    invoice_version,
    ledger_intent,
    payment_answer,
    payment_attempt,
    payout,
    payout_answer,
)
from backend.adapters.database.tables import reconciliation_case as table
from backend.domain.ledger import IntentKind, IntentState
from backend.service_layer.anchoring.model import Case, KnownBatch, Parties
from backend.service_layer.ports import Clock


class ReconciliationRepository:
    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def parties(self, payer_number: int) -> Parties:
        """The accounts, payers and institutions of this database."""
        used = self._connection.execute(sa.select(account_nonce.c.account)).scalars()
        paying = AccountChoice(self._connection, self._clock.now()).accounts(payer_number)
        rows = self._connection.execute(
            sa.select(
                institution.c.ledger_number,
                institution.c.code,
                sa.func.coalesce(sa.func.max(batch.c.sequence), 0),
            )
            .outerjoin(batch, batch.c.institution_code == institution.c.code)
            .where(institution.c.ledger_number.is_not(None))
            .group_by(institution.c.ledger_number, institution.c.code)
        )
        return Parties(
            accounts=tuple(sorted({*used, *paying})),
            payer_number=payer_number,
            institutions={number: (code, last) for number, code, last in rows},
        )

    # --- batches ------------------------------------------------------------------------------

    def batch_at(self, institution_code: str, sequence: int) -> KnownBatch | None:
        found = self._batches(
            batch.c.institution_code == institution_code, batch.c.sequence == sequence
        )
        return found[0] if found else None

    def add_batch(self, known: KnownBatch) -> None:
        """A batch of which only what the ledger says is known: no leaves."""
        self._connection.execute(
            sa.insert(batch).values(
                id=known.id,
                institution_code=known.institution_code,
                sequence=known.sequence,
                previous_head=known.previous_head,
                root=known.root,
                size=known.size,
                head=known.head,
                created_at=self._clock.now(),
            )
        )

    def batches_without_leaves(self) -> Sequence[KnownBatch]:
        return self._batches(
            ~sa.exists().where(batch_leaf.c.batch_id == batch.c.id),
        )

    def add_leaves(self, batch_id: str, leaves: Sequence[tuple[bytes, str]]) -> None:
        """The (leaf, invoice version id) of such a batch, in tree order."""
        self._connection.execute(
            sa.insert(batch_leaf),
            [
                {"batch_id": batch_id, "leaf_index": i, "leaf": leaf, "version_id": version_id}
                for i, (leaf, version_id) in enumerate(leaves)
            ],
        )

    def unbatched(self, institution_code: str, limit: int) -> Sequence[str]:
        """Ids of versions that are in no batch, voided and replaced ones too, in the order in
        which batches take them: they may have been anchored before they were voided or replaced."""
        rows = self._connection.execute(
            sa.select(invoice_version.c.id)
            .join(invoice, invoice.c.id == invoice_version.c.invoice_id)
            .outerjoin(batch_leaf, batch_leaf.c.version_id == invoice_version.c.id)
            .where(
                invoice.c.institution_code == institution_code,
                batch_leaf.c.version_id.is_(None),
            )
            .order_by(invoice_version.c.id)
            .limit(limit)
        )
        return list(rows.scalars())

    def custody_of(self, institution_code: str) -> str:
        found: str = self._connection.execute(
            sa.select(institution.c.custody).where(institution.c.code == institution_code)
        ).scalar_one()
        return found

    def _batches(self, *conditions: sa.ColumnElement[bool]) -> list[KnownBatch]:
        rows = self._connection.execute(
            sa.select(
                batch.c.id,
                batch.c.institution_code,
                batch.c.sequence,
                batch.c.previous_head,
                batch.c.root,
                batch.c.size,
                batch.c.head,
            )
            .where(*conditions)
            .order_by(batch.c.institution_code, batch.c.sequence)
        )
        return [KnownBatch(**row._mapping) for row in rows]

    # --- claims -------------------------------------------------------------------------------

    def live_claims_on_key(self, invoice_key: bytes) -> Sequence[str]:
        """Ids of claims that hold a bill of this key."""
        rows = self._connection.execute(
            sa.select(claim.c.id)
            .join(invoice, invoice.c.id == claim.c.live_invoice_id)
            .where(invoice.c.invoice_key == invoice_key)
            .order_by(claim.c.created_at, claim.c.id)
        )
        return list(rows.scalars())

    def paid_without_settlement(self) -> Sequence[str]:
        """Numbers of claims that the bank has paid though their settlement is not on the chain
        now: a reorganisation took it away."""
        paid_before = sa.select(payout.c.claim_id).join(
            payout_answer, payout_answer.c.payout_id == payout.c.id
        )
        paid = (
            sa.select(payment_attempt.c.claim_id)
            .join(payment_answer, payment_answer.c.attempt_id == payment_attempt.c.id)
            .where(payment_answer.c.status == "paid")
        )
        rows = self._connection.execute(
            sa.select(claim.c.number)
            .join(ledger_intent, ledger_intent.c.subject_id == claim.c.id)
            .where(
                sa.or_(
                    claim.c.id.in_(paid),
                    claim.c.id.in_(paid_before.where(payout_answer.c.outcome == "paid")),
                ),
                ledger_intent.c.kind == str(IntentKind.SETTLE),
                ledger_intent.c.state != str(IntentState.FINAL),
            )
            .order_by(claim.c.number)
        )
        return list(rows.scalars())

    def holding_alarms(self, codes: Sequence[str]) -> Sequence[tuple[str, str]]:
        """(code, subject) of the open alarms with one of these codes."""
        rows = self._connection.execute(
            sa.select(alarm.c.code, alarm.c.subject)
            .where(alarm.c.code.in_(codes), alarm.c.cleared_at.is_(None))
            .order_by(alarm.c.code, alarm.c.subject)
        )
        return [(row.code, row.subject) for row in rows]

    # --- cases --------------------------------------------------------------------------------

    def put_case(
        self, case_id: str, kind: str, detail: dict[str, Any], due_at: dt.datetime | None = None
    ) -> None:
        """Open a case, or renew what an open one says; a resolved one stays resolved."""
        text = json.dumps(detail, sort_keys=True)
        known = self.case(case_id)
        if known is None:
            self._connection.execute(
                sa.insert(table).values(
                    id=case_id, kind=kind, detail=text, found_at=self._clock.now(), due_at=due_at
                )
            )
        elif known.resolved_at is None:
            self._connection.execute(
                sa.update(table).where(table.c.id == case_id).values(kind=kind, detail=text)
            )

    def case(self, case_id: str) -> Case | None:
        found = self._cases(table.c.id == case_id)
        return found[0] if found else None

    def open_cases(self) -> Sequence[Case]:
        return self._cases(table.c.resolved_at.is_(None))

    def cases_of(self, kind: str) -> Sequence[Case]:
        """Every case of a kind, resolved ones too."""
        return self._cases(table.c.kind == kind)

    def resolve_case(self, case_id: str, by: str, resolution: str) -> bool:
        done = self._connection.execute(
            sa.update(table)
            .where(table.c.id == case_id, table.c.resolved_at.is_(None))
            .values(resolved_at=self._clock.now(), resolved_by=by, resolution=resolution)
        )
        return done.rowcount == 1

    def _cases(self, *conditions: sa.ColumnElement[bool]) -> list[Case]:
        rows = self._connection.execute(
            sa.select(table).where(*conditions).order_by(table.c.found_at, table.c.id)
        )
        return [Case(**{**row._mapping, "detail": json.loads(row.detail)}) for row in rows]
