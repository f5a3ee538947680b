"""What the reconciliation asks the database: its rules, and rows to compare with the outside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.database.money_rules import claim_rules, payment_rules
from backend.adapters.database.tables import (
    bank_message,
    bank_statement,
    claim,
    decision,
    invoice,
    invoice_version,
    payment_answer,
    payment_attempt,
    payout_file,
)
from backend.domain.claim import IN_EFFECT_STATES, ClaimState
from backend.service_layer.money_reconciliation.ports import (
    BookedAnswer,
    FileRow,
    ItemRow,
    MessageRow,
    Settled,
    StoredDecision,
)
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.payout.records import Verdict
from backend.service_layer.ports import Clock

_SETTLED: Final = [str(s) for s in IN_EFFECT_STATES if s is not ClaimState.SETTLING]
_PAGE: Final = 500
_HAS_STATEMENT: Final = sa.exists().where(bank_statement.c.message_id == bank_message.c.id)
_VERDICT: Final = sa.case(
    # A statement that was refused while a wrong one stood there was filed afterwards.
    (_HAS_STATEMENT, str(Verdict.FILED)),
    else_=bank_message.c.verdict,
)


class MoneyRuleRepository:
    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def freeze(self) -> None:
        """Let every question of this transaction see one instant; call it before any other."""
        if self._connection.dialect.name == "postgresql":
            self._connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    def claim_rules(self) -> Iterator[Mismatch]:
        """R1, R2, R3 (columns), R4, R6, R8."""
        for rule in (
            claim_rules.bill_claim,
            claim_rules.claim_lock,
            claim_rules.claim_decision,
            claim_rules.decision_ledger,
            claim_rules.claim_payable,
            claim_rules.claim_state,
        ):
            yield from rule(self._connection)

    def payment_rules(self, silent_before: dt.datetime, lost_files: Set[str]) -> Iterator[Mismatch]:
        """R7, R9, R10 (columns), R12, R14, R16, R17."""
        for rule in (
            payment_rules.payable_journal,
            payment_rules.payable_attempt,
            payment_rules.answer_journal,
            payment_rules.fund_balance,
            payment_rules.claim_fund,
        ):
            yield from rule(self._connection)
        yield from payment_rules.file_sums(self._connection, lost_files)
        yield from payment_rules.bank_silent(self._connection, silent_before)

    def claim_balances(self, without: Set[str]) -> Iterator[Mismatch]:
        """R15, for claims that no other rule has named."""
        return payment_rules.claim_balance(self._connection, without)

    # --- rows that are compared with what lies outside ------------------------------------------

    def settled(self) -> list[Settled]:
        """Claims whose settlement is in effect, with what the ledger must have as paid."""
        paid = claim_rules.effects(self._connection)
        under_way = set(
            self._connection.execute(
                sa.text(
                    "SELECT subject_id FROM ledger_intent "
                    "WHERE kind = 'supplement' AND state NOT IN ('final', 'quarantined')"
                )
            ).scalars()
        )
        rows = self._connection.execute(
            sa.select(
                claim.c.id, claim.c.number, claim.c.payer_number, invoice.c.invoice_key,
                invoice_version.c.borne_fen,
            )
            .join(invoice_version, invoice_version.c.id == claim.c.version_id)
            .join(invoice, invoice.c.id == invoice_version.c.invoice_id)
            .where(claim.c.state.in_(_SETTLED))
        )  # fmt: skip
        return [
            Settled(
                row.id,
                row.number,
                row.payer_number,
                row.invoice_key,
                row.borne_fen + sum(one.amount_fen for one in paid.get(row.id, ())),
                max((one.block_number for one in paid.get(row.id, ())), default=0),
                is_changing=row.id in under_way,
            )
            for row in rows
        ]

    def decisions(self) -> Iterator[StoredDecision]:
        """Newest decisions of claims in effect, a page at a time."""
        rows = self._connection.execute(
            sa.select(
                decision.c.id, decision.c.claim_id, claim.c.number, decision.c.version,
                decision.c.paid_fen, decision.c.explanation, decision.c.fingerprint,
                decision.c.wrapped_secret,
            )
            .join(claim, sa.and_(claim.c.id == decision.c.claim_id,
                                 claim.c.decision_version == decision.c.version))
            .where(claim.c.state.in_([str(s) for s in IN_EFFECT_STATES]))
            .execution_options(yield_per=_PAGE)
        )  # fmt: skip
        for row in rows:
            yield StoredDecision(**row._mapping)

    def files(self) -> Iterator[FileRow]:
        rows = self._connection.execute(
            sa.select(
                payout_file.c.id, payout_file.c.message_id, payout_file.c.digest,
                payout_file.c.wrapped_content, payout_file.c.handed_over_at,
                payout_file.c.item_count, payout_file.c.control_sum_fen,
            )
            .order_by(payout_file.c.created_at, payout_file.c.id)
            .execution_options(yield_per=20)
        )  # fmt: skip
        for row in rows:
            yield FileRow(**row._mapping)

    def items(self) -> dict[str, list[ItemRow]]:
        """Instructions by the id of their file."""
        found: dict[str, list[ItemRow]] = {}
        for row in self._connection.execute(
            sa.select(
                payment_attempt.c.file_id, payment_attempt.c.id, payment_attempt.c.claim_id,
                payment_attempt.c.end_to_end_id, payment_attempt.c.amount_fen,
                payment_attempt.c.account_tail, payment_attempt.c.wrapped_account,
                payment_attempt.c.wrapped_holder,
            )
        ):  # fmt: skip
            file_id, *rest = row
            found.setdefault(file_id, []).append(ItemRow(*rest))
        return found

    def messages(self) -> list[MessageRow]:
        rows = self._connection.execute(
            sa.select(
                bank_message.c.id, bank_message.c.name, bank_message.c.digest,
                _VERDICT.label("verdict"), bank_message.c.original_id,
                _HAS_STATEMENT.label("has_statement"),
            )
        )  # fmt: skip
        return [MessageRow(**row._mapping) for row in rows]

    def answers(self) -> list[BookedAnswer]:
        rows = self._connection.execute(
            sa.select(
                payment_answer.c.attempt_id, payment_answer.c.status, payment_answer.c.message_id,
                payment_attempt.c.end_to_end_id, payment_attempt.c.claim_id,
                payment_attempt.c.amount_fen, payout_file.c.message_id.label("file"),
            )
            .join(payment_attempt, payment_attempt.c.id == payment_answer.c.attempt_id)
            .join(payout_file, payout_file.c.id == payment_attempt.c.file_id)
        )  # fmt: skip
        return [BookedAnswer(**row._mapping) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many rows of each kind there are, for the report."""
        names = ("claim", "decision", "payout", "payment_attempt", "payout_file",
                 "bank_message", "payment_answer", "journal_entry", "bank_statement")  # fmt: skip
        return {
            name: int(
                self._connection.execute(
                    sa.select(sa.func.count()).select_from(sa.table(name))
                ).scalar_one()
            )
            for name in names
        }

    def known_names(self) -> tuple[set[str], set[str]]:
        """Message ids of payment files, and names of bank messages, that are known here."""
        files = self._connection.execute(sa.select(payout_file.c.message_id)).scalars()
        messages = self._connection.execute(sa.select(bank_message.c.name)).scalars()
        return set(files), set(messages)

    def numbers_of(self, claim_ids: Sequence[str]) -> dict[str, str]:
        """Claim id to number."""
        found: dict[str, str] = {}
        for start in range(0, len(claim_ids), _PAGE):
            some: Iterable[Any] = self._connection.execute(
                sa.select(claim.c.id, claim.c.number).where(
                    claim.c.id.in_(claim_ids[start : start + _PAGE])
                )
            )
            found |= {row.id: row.number for row in some}
        return found

    def claim_of(self, number: str) -> str:
        """The id of the claim with a number, empty for none."""
        found = self._connection.execute(sa.select(claim.c.id).where(claim.c.number == number))
        return found.scalar_one_or_none() or ""
