"""What the worker asks in every pass reads what is open, never all that ever was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database.engine import make_engine
from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.service_layer.anchoring.model import TransactionState
from tests.migrated import migrate_fresh

OPEN = (TransactionState.SIGNED, TransactionState.SENT)
QUESTIONS: dict[str, tuple[Callable[[Any], object], str]] = {
    "queued of an account": (
        lambda work: work.outbox.queued(held=True, account="0x1"), "ix_ledger_intent_state"),
    "accounts with work": (
        lambda work: work.outbox.queued_accounts(held=True), "ix_ledger_intent_state"),
    "backlog": (lambda work: work.outbox.backlog(), "ix_ledger_intent_state"),
    "newest intent": (lambda work: work.outbox.newest(), "COVERING INDEX"),
    "newest claim": (lambda work: work.claims.newest(), "COVERING INDEX"),
    "claims since": (lambda work: work.claims.newer_than("clm_1"), "COVERING INDEX"),
    "open": (lambda work: work.transactions.in_states(*OPEN), "ix_ledger_transaction_state"),
    "open of an account": (
        lambda work: work.transactions.in_states(*OPEN, account="0x1"),
        "ix_ledger_transaction_state"),
    "how many are open": (
        lambda work: work.transactions.pending_count("0x1"), "ix_ledger_transaction_state"),
    "audited next": (
        lambda work: work.transactions.final_after("tx_1", 50), "autoindex_ledger_transaction_1"),
    "bills in no batch": (
        lambda work: work.batches.unbatched("H1"), "autoindex_unbatched_version_1"),
    "institutions with such bills": (
        lambda work: work.institutions.with_unbatched(), "autoindex_unbatched_version_1"),
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_question_of_every_pass_is_answered_by_an_index(tmp_path: Path, name: str) -> None:
    ask, index = QUESTIONS[name]
    engine = make_engine(f"sqlite:///{tmp_path}/test.db")
    migrate_fresh(engine)
    asked: list[tuple[str, Any]] = []

    def note(_1: Any, _2: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    with SqlUnitOfWork(engine, write=False) as work:
        ask(work)
        statements = list(asked)
        for statement, parameters in statements:
            rows = work.connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
            plan = [row[3] for row in rows]
            assert any(index in step for step in plan), plan
            assert not any(step.startswith("SCAN") and "ledger_" in step for step in plan), plan
    assert statements
    engine.dispose()
