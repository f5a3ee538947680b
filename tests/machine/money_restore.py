"""An older copy of the database comes back while the bank and the ledger have gone on.

What follows is done by the code of ``yichu worker``, which refuses to pay, and of ``yichu
reconcile``, which adopts what chain and bank know. The ledger's record is read as blocks. Its calls
that the copy already held are followed before, as by the worker of an unharmed system.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.database.engine import make_engine
from backend.domain.ledger import IntentState
from backend.service_layer.anchoring.adopt import Line
from backend.service_layer.anchoring.behind import DatabaseBehindChainError, refuse_if_behind
from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.claims.case_closing import confirm_closing, propose_closing
from backend.service_layer.claims.holds import RECORDS_LOST
from backend.service_layer.money_reconciliation.ahead import hold_if_ahead
from backend.service_layer.payout.ports import BankUnavailableError
from backend.service_layer.payout.run import payout_pass
from backend.service_layer.reconciliation import reconcile
from tests.machine.money_ledger import MoneyLedger, NoKeys, RecordNode


def put_back(databases: Any, services: Any, copy: str) -> None:
    """Every connection of the old database is closed; what is there now is the copy."""
    services.engine.dispose()
    url = services.settings.database_url
    databases.put_back(url, copy)
    services.__dict__["engine"] = make_engine(url)


def dependencies(services: Any, ledger: MoneyLedger, copied_at: int) -> Anchoring:
    """What a worker needs to compare chain and database."""
    node: Any = RecordNode(ledger, copied_at)
    return Anchoring(services.work, node, NoKeys(), services.clock, services.ids, "walk")  # type: ignore[arg-type]


def follow_old_calls(services: Any, ledger: MoneyLedger, copied_at: int) -> None:
    """Calls that were mined when the copy was taken, and are final by now."""
    with services.engine.connect() as connection:
        stored = sa.select(tables.ledger_intent.c.id, tables.ledger_intent.c.state)
        here = {row.id: row.state for row in connection.execute(stored)}
    with services.work() as work:
        for intent, values in ledger.record.values():
            is_old = values["block_number"] <= copied_at
            if is_old and here.get(intent.id, IntentState.FINAL) != IntentState.FINAL:
                work.outbox.record_outcomes([(intent.id, values)])
                work.outbox.set_state([intent.id], IntentState.FINAL)
        work.commit()


def look(services: Any, deps: Anchoring) -> tuple[bool, bool]:
    """(chain ahead, bank ahead) as a worker sees it that takes the lease."""
    is_behind = False
    try:
        refuse_if_behind(deps, services.settings.payer_number)
    except DatabaseBehindChainError:
        is_behind = True
    return is_behind, hold_if_ahead(services).is_ahead


def adopt_chain_alone(services: Any, deps: Anchoring) -> None:
    """``yichu reconcile`` while the bank cannot be asked: it ends there, and what it has adopted
    of the chain stays so."""
    try:
        reconcile(deps, services, lambda: None)
    except BankUnavailableError:
        return
    raise AssertionError("nobody missed the bank")


def _is_lost_words(line: Line) -> bool:
    """A case of what neither chain nor bank knows: people have to be asked."""
    names = (f"alarm:{RECORDS_LOST}:", "words:")
    return line.verdict == "case" and line.what.startswith(names)


def adopt(services: Any, deps: Anchoring, bank: Any) -> list[str]:
    """``yichu reconcile``, twice; returns what differs in the end. It hands nothing to the bank,
    and the second time it has nothing to adopt. In between people say that nothing is missing."""
    handed = dict(bank.files)
    found = [line for line in reconcile(deps, services, lambda: None) if line.verdict != "agrees"]
    assert bank.files == handed, "the adoption paid"
    expected = ("adopted", "mismatch", "accepted", "lost")
    strange = [one for one in found if one.verdict not in expected and not _is_lost_words(one)]
    assert not strange, strange
    if any(_is_lost_words(one) for one in found):
        payout_pass(services)
        assert bank.files == handed, "money moved before people had looked"
        for one in filter(_is_lost_words, found):
            propose_closing(services, one.what, "出纳员", "各岗都问过")
            confirm_closing(services, one.what, "出纳主管", "没有遗漏")
    again = [line for line in reconcile(deps, services, lambda: None) if line.verdict == "adopted"]
    assert again == [], f"adopted again: {again}"
    return [f"{line.what}: {line.detail}" for line in found if line.verdict == "mismatch"]
