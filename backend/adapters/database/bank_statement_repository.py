"""Statements of the bank, and what the journal has on the same accounts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.database.tables import (
    bank_message,
    bank_statement,
    bank_statement_entry,
    bank_statement_withdrawal,
    claim,
    journal_adjustment,
    journal_entry,
    journal_transfer,
    payment_answer,
    payment_attempt,
    recovery_receipt,
)
from backend.domain.errors import ConflictError
from backend.domain.journal import EventKind
from backend.domain.payout import parse_end_to_end_id
from backend.service_layer.journal.adjustments import SOURCE
from backend.service_layer.money_reconciliation.statement_rules import (
    BankMovement,
    BookMovement,
    Period,
)
from backend.service_layer.payout.records import AnswerStatus, EntrySide, StatementEntry
from backend.service_layer.payout.statements import StoredStatement, WithdrawalStep
from backend.service_layer.recovery.opening import RECEIPT, receipt_source

_withdrawal = bank_statement_withdrawal.c
_is_withdrawn: Final = (
    sa.select(_withdrawal.statement_id)
    .where(_withdrawal.statement_id == bank_statement.c.id, _withdrawal.action == "confirmed")
    .exists()
)
_BANK: Final = "bank:"
_PAGE: Final = 500  # values in one question
_REFERENCE: Final = 35  # characters of a reference on a statement (ISO 20022 Max35Text)


class BankStatementRepository:
    """What is said of statements and their movements leaves out those that were withdrawn, unless
    the name of a method says otherwise."""

    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def add(self, entry: StoredStatement, entries: Sequence[StatementEntry]) -> None:
        values = {one.name: getattr(entry, one.name) for one in fields(entry)}
        self._connection.execute(bank_statement.insert().values(values))
        rows = [
            {
                "statement_id": entry.id,
                "ordinal": place,
                "side": str(one.side),
                "amount_fen": one.amount_fen,
                "reference": one.reference,
                "end_to_end_id": one.end_to_end_id,
                "booked_on": one.booked_on,
            }
            for place, one in enumerate(entries, start=1)
        ]
        if rows:
            self._connection.execute(bank_statement_entry.insert(), rows)

    def find(self, account: str, statement_id: str) -> StoredStatement | None:
        row = self._connection.execute(
            sa.select(bank_statement).where(
                bank_statement.c.account == account,
                bank_statement.c.statement_id == statement_id,
                ~_is_withdrawn,
            )
        ).first()
        return None if row is None else StoredStatement(**row._mapping)

    def entries_of(self, stored_id: str) -> list[StatementEntry]:
        """The movements of one statement as they stand on it."""
        entry = bank_statement_entry.c
        rows = self._connection.execute(
            sa.select(bank_statement_entry)
            .where(entry.statement_id == stored_id)
            .order_by(entry.ordinal)
        )
        return [
            StatementEntry(
                EntrySide(row.side), row.amount_fen, row.reference, row.end_to_end_id, row.booked_on
            )
            for row in rows
        ]

    # --- withdrawn ones ------------------------------------------------------------------------

    def filings(self, account: str, statement_id: str) -> int:
        """How often a statement of this name was filed, withdrawn ones included."""
        return int(
            self._connection.execute(
                sa.select(sa.func.count())
                .select_from(bank_statement)
                .where(
                    bank_statement.c.account == account,
                    bank_statement.c.statement_id == statement_id,
                )
            ).scalar_one()
        )

    def filed(self, stored_id: str) -> StoredStatement | None:
        """A statement by its id here, withdrawn or not."""
        found = self._filed(bank_statement.c.id == stored_id)
        return found[0] if found else None

    def filed_of(self, message_id: str) -> StoredStatement | None:
        """The statement that was filed from a bank file, withdrawn or not."""
        found = self._filed(bank_statement.c.message_id == message_id)
        return found[0] if found else None

    def newest_filed(self, limit: int) -> list[StoredStatement]:
        """Those that reach furthest first, withdrawn ones included."""
        return self._filed(sa.true(), limit)

    def _filed(
        self, where: sa.ColumnElement[bool], limit: int | None = None
    ) -> list[StoredStatement]:
        newest = bank_statement.c.to_at.desc(), bank_statement.c.filing.desc(), bank_statement.c.id
        rows = self._connection.execute(
            sa.select(bank_statement).where(where).order_by(*newest).limit(limit)
        )
        return [StoredStatement(**row._mapping) for row in rows]

    def was_withdrawn(self, digest: bytes) -> bool:
        """Whether a statement was filed from exactly these bytes and withdrawn."""
        return (
            self._connection.execute(
                sa.select(bank_statement.c.id)
                .join(bank_message, bank_message.c.id == bank_statement.c.message_id)
                .where(bank_message.c.digest == digest, _is_withdrawn)
            ).first()
            is not None
        )

    def steps_of(self, stored_id: str) -> list[WithdrawalStep]:
        """Who proposed to withdraw a statement and who answered, first to last."""
        rows = self._connection.execute(
            sa.select(bank_statement_withdrawal)
            .where(_withdrawal.statement_id == stored_id)
            .order_by(_withdrawal.ordinal)
        )
        return [WithdrawalStep(**row._mapping) for row in rows]

    def add_step(self, entry: WithdrawalStep) -> None:
        """Raises ConflictError where somebody else was first, or it is no other person's."""
        values = {one.name: getattr(entry, one.name) for one in fields(entry)}
        try:
            with self._connection.begin_nested():
                self._connection.execute(bank_statement_withdrawal.insert().values(values))
        except sa.exc.IntegrityError as error:
            raise ConflictError(
                "刚才有人处理了这张对账单，或不能由此人处理；请重新查看",
                "somebody else dealt with this statement, or this person cannot: look again",
            ) from error

    def overlapping(self, account: str, from_at: dt.datetime, to_at: dt.datetime) -> str:
        """The name of a statement that covers a part of a period; empty for none."""
        found: str | None = self._connection.execute(
            sa.select(bank_statement.c.statement_id)
            .where(
                bank_statement.c.account == account,
                bank_statement.c.from_at < to_at,
                bank_statement.c.to_at > from_at,
                ~_is_withdrawn,
            )
            .limit(1)
        ).scalar_one_or_none()
        return found or ""

    def regions(self) -> list[str]:
        """Regions of whose accounts there is a statement."""
        rows = self._connection.execute(
            sa.select(bank_statement.c.region).where(~_is_withdrawn).distinct()
        )
        return sorted(rows.scalars())

    def last_ends(self) -> dict[str, dt.datetime]:
        """Until when the newest statement of each region reaches."""
        rows = self._connection.execute(
            sa.select(bank_statement.c.region, sa.func.max(bank_statement.c.to_at).label("until"))
            .where(~_is_withdrawn)
            .group_by(bank_statement.c.region)
        )
        return {row.region: row.until for row in rows}

    def first_moves(self) -> dict[str, dt.datetime]:
        """When money first moved on each region's bank account, by the journal."""
        rows = self._connection.execute(
            sa.select(journal_entry.c.region, sa.func.min(journal_entry.c.booked_at).label("since"))
            .join(journal_transfer, journal_transfer.c.entry_id == journal_entry.c.id)
            .where(
                sa.or_(
                    journal_transfer.c.debit_account.startswith(_BANK),
                    journal_transfer.c.credit_account.startswith(_BANK),
                )
            )
            .group_by(journal_entry.c.region)
        )
        return {row.region: row.since for row in rows}

    def periods(self, region: str) -> list[Period]:
        """The statements of a region's account in their order."""
        rows = self._connection.execute(
            sa.select(*(bank_statement.c[one.name] for one in fields(Period)))
            .where(bank_statement.c.region == region, ~_is_withdrawn)
            .order_by(bank_statement.c.from_at, bank_statement.c.to_at)
        )
        return [Period(**row._mapping) for row in rows]

    def entries(self, region: str) -> list[BankMovement]:
        """Every movement on the statements of a region's account."""
        rows = self._connection.execute(
            sa.select(
                bank_statement_entry.c.side,
                bank_statement_entry.c.amount_fen,
                bank_statement_entry.c.reference,
                bank_statement_entry.c.end_to_end_id,
                bank_statement_entry.c.booked_on,
                bank_statement_entry.c.statement_id,
                bank_statement_entry.c.ordinal,
                bank_statement.c.to_at,
                bank_statement.c.simulated,
                payment_attempt.c.claim_id,
                payment_answer.c.attempt_id.label("rejected"),
            )
            .join(bank_statement, bank_statement.c.id == bank_statement_entry.c.statement_id)
            .outerjoin(
                payment_attempt,
                payment_attempt.c.end_to_end_id == bank_statement_entry.c.end_to_end_id,
            )
            .outerjoin(
                payment_answer,
                sa.and_(
                    payment_answer.c.attempt_id == payment_attempt.c.id,
                    payment_answer.c.status == str(AnswerStatus.REJECTED),
                ),
            )
            .where(bank_statement.c.region == region, ~_is_withdrawn)
            .order_by(bank_statement.c.from_at, bank_statement_entry.c.ordinal)
        ).all()
        named = self._claims_named([row.end_to_end_id for row in rows if row.claim_id is None])
        return [
            BankMovement(
                # A name that is none of ours is the other side's: the bank's reference counts.
                key=row.end_to_end_id
                if row.claim_id or parse_end_to_end_id(row.end_to_end_id)
                else row.reference or row.end_to_end_id,
                side=row.side,
                amount_fen=row.amount_fen,
                to_at=row.to_at,
                is_awaited=row.claim_id is not None and row.rejected is None,
                claim_id=row.claim_id or named.get(row.end_to_end_id, ""),
                booked_on=row.booked_on,
                subject=f"{row.statement_id}:{row.ordinal}",
                simulated=row.simulated,
            )
            for row in rows
        ]

    def _claims_named(self, names: Sequence[str]) -> dict[str, str]:
        """Of names that are ours by their form and no instruction here, the ids of their claims."""
        numbers = {one: parts[0] for one in names if (parts := parse_end_to_end_id(one))}
        found: dict[str, str] = {}
        wanted = sorted(set(numbers.values()))
        for start in range(0, len(wanted), _PAGE):
            some = self._connection.execute(
                sa.select(claim.c.number, claim.c.id).where(
                    claim.c.number.in_(wanted[start : start + _PAGE])
                )
            )
            found |= {row.number: row.id for row in some}
        return {name: found[number] for name, number in numbers.items() if number in found}

    def movements(self, region: str) -> list[BookMovement]:
        """Every movement of the journal on a region's bank account."""
        bank = f"{_BANK}{region}"
        signed = sa.case(
            (journal_transfer.c.debit_account == bank, journal_transfer.c.amount_fen),
            else_=-journal_transfer.c.amount_fen,
        )
        entry = journal_entry.c
        columns = (
            entry.source_type, entry.source_id, entry.kind, entry.claim_id, entry.booked_at,
        )  # fmt: skip
        rows = self._connection.execute(
            sa.select(*columns, sa.func.sum(signed).label("fen"))
            .join(journal_transfer, journal_transfer.c.entry_id == entry.id)
            .where(
                sa.or_(
                    journal_transfer.c.debit_account == bank,
                    journal_transfer.c.credit_account == bank,
                )
            )
            .group_by(*columns)
            .order_by(entry.booked_at)
        ).all()
        names, answered, receipts = self._names()
        adjusted = self._adjusted()
        came = {
            row.source_id: row.booked_at for row in reversed(rows) if row.kind == EventKind.FUNDED
        }
        came_back = {
            receipts.get(row.source_id, row.source_id): row.booked_at
            for row in reversed(rows)
            if row.source_type == RECEIPT
        }
        found = []
        for row in rows:
            key, at = row.source_id, row.booked_at
            if row.source_type == "attempt":
                key = names.get(row.source_id, row.source_id)
                at = answered.get((row.source_id, row.kind), at)
            elif row.source_type == RECEIPT:
                key = receipts.get(row.source_id, row.source_id)
            fen, side = abs(int(row.fen)), "credit" if row.fen > 0 else "debit"
            if row.source_type == SOURCE:
                key = adjusted.get(row.source_id, row.source_id)
            if row.kind in (EventKind.DEPOSIT_REVERSED, EventKind.RECEIPT_REVERSED):
                fen, side = -fen, "credit"
            if row.kind in (EventKind.FUNDED, EventKind.DEPOSIT_REVERSED):
                at = came.get(key, at)  # a deposit and its corrections are one movement
            elif row.source_type == RECEIPT:
                at = came_back.get(key, at)  # as a receipt and the one in its place are
            if row.source_type != "attempt":
                key = key[:_REFERENCE]
            found.append(BookMovement(key, side, fen, at, row.claim_id or "", row.booked_at))
        return found

    def _adjusted(self) -> dict[str, str]:
        """By what the bank names what an adjustment has booked, by the adjustment's number."""
        rows = self._connection.execute(
            sa.select(journal_adjustment.c.number, journal_adjustment.c.reference)
        )
        return {str(row.number): row.reference for row in rows}

    def simulated_arrivals(self) -> list[tuple[str, str, int]]:
        """(region, reference, fen) of deposits and receipts that are marked as simulated."""
        receipts = self._names()[2]
        rows = self._connection.execute(
            sa.select(
                journal_entry.c.region,
                journal_entry.c.source_type,
                journal_entry.c.source_id,
                sa.func.sum(journal_transfer.c.amount_fen).label("fen"),
            )
            .join(journal_transfer, journal_transfer.c.entry_id == journal_entry.c.id)
            .where(
                journal_entry.c.is_simulated,
                journal_entry.c.source_type.in_(("deposit", RECEIPT)),
                journal_transfer.c.debit_account.startswith(_BANK),
            )
            .group_by(
                journal_entry.c.region, journal_entry.c.source_type, journal_entry.c.source_id
            )
        )
        return [
            (row.region, receipts.get(row.source_id, row.source_id), int(row.fen)) for row in rows
        ]

    def _names(
        self,
    ) -> tuple[dict[str, str], dict[tuple[str, str], dt.datetime], dict[str, str]]:
        """Instruction names and times of answers by attempt, references by source of a receipt."""
        attempts = self._connection.execute(
            sa.select(payment_attempt.c.id, payment_attempt.c.end_to_end_id)
        )
        answers = self._connection.execute(
            sa.select(
                payment_answer.c.attempt_id, payment_answer.c.status, payment_answer.c.answered_at
            )
        )
        receipts = self._connection.execute(
            sa.select(
                recovery_receipt.c.order_id,
                recovery_receipt.c.reference,
                recovery_receipt.c.ordinal,
            )
        )
        return (
            {row.id: row.end_to_end_id for row in attempts},
            {(row.attempt_id, row.status): row.answered_at for row in answers},
            {receipt_source(*row): row.reference for row in receipts},
        )
