"""An older copy of the database comes back while the bank and the ledger have gone on.

The bank's part is adopted by the code of ``yichu reconcile``. The fake ledger keeps no chain of
blocks to read: what it carried out for good is told to the same code event by event, and calls
that the copy holds get their outcome as from the follower.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.database.engine import make_engine
from backend.domain.errors import NotFoundError
from backend.domain.ledger import IntentKind, IntentState, LeafPosition, LedgerIntent
from backend.service_layer.anchoring.model import LedgerEvent
from backend.service_layer.claims.adopt import adopt_claim_event, retry_cases
from backend.service_layer.claims.holds import show_held_payouts
from backend.service_layer.money_reconciliation.adopt import adopt_bank
from backend.service_layer.money_reconciliation.ahead import hold_if_ahead
from tests.integration.claims.world import NOW

_BYTES = ("decision_fingerprint", "policy_hash", "recovery_number")
FILE = "sqlite:///"


def copy_database(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as one, sqlite3.connect(target) as other:
        one.backup(other)
    one.close()
    other.close()


def put_back(services: Any, copy: Path) -> None:
    """Every connection of the old database is closed; the file is the copy's."""
    services.engine.dispose()
    url = services.settings.database_url
    here = Path(url.removeprefix(FILE))
    for suffix in ("", "-wal", "-shm"):
        Path(f"{here}{suffix}").unlink(missing_ok=True)
    copy_database(copy, here)
    services.__dict__["engine"] = make_engine(url)


def event_of(intent: LedgerIntent, values: dict[str, Any]) -> LedgerEvent:
    """What the contract would have emitted for a call that was carried out."""
    payload = dict(intent.payload)
    figures: dict[str, Any] = {
        name: bytes.fromhex(found) if name in _BYTES else found
        for name, found in payload.items()
        if name not in ("position", "invoice_key")
    }
    if intent.kind is IntentKind.LODGE:
        position = LeafPosition.from_payload(payload["position"])
        figures |= {"leaf_reference": position.reference, "value": payload["deadline"]}
        key = position.leaf[20:52]
    else:
        key = bytes.fromhex(payload["invoice_key"])
        figures["value"] = payload.get("amount", payload.get("reason", 0))
    if intent.kind is IntentKind.SUPPLEMENT:
        figures["paid"] = payload["paid_before"] + payload["amount"]
    return LedgerEvent(
        call=str(intent.kind),
        outcome=values["outcome"],
        item_index=0,
        key=key,
        values={"counter": 0} | figures,
        tx_hash=values["tx_hash"],
        block_number=values["block_number"],
        block_hash=values["block_hash"],
        log_index=values["log_index"],
    )


def _is_adopted(services: Any, intent: LedgerIntent) -> bool:
    """An earlier restore lost it: it stands here under another name."""
    with services.work(write=False) as work:
        try:
            work.outbox.get(intent.id)
        except NotFoundError:
            return True
    return False


def adopt_ledger(services: Any, carried_out: list[tuple[LedgerIntent, dict[str, Any]]]) -> int:
    """Calls that are final on the ledger, in its order; returns how many were lost with the
    database and adopted."""
    adopted = 0
    with services.engine.connect() as connection:
        known = set(connection.scalars(sa.select(tables.ledger_intent.c.tx_hash)))
    for intent, values in carried_out:
        if values["tx_hash"] in known and _is_adopted(services, intent):
            continue
        with services.work() as work:
            try:
                here = work.outbox.get(intent.id)
            except NotFoundError:
                here = None
            if here is not None:
                if here.state is not IntentState.FINAL:
                    work.outbox.record_outcomes([(intent.id, values)])
                    work.outbox.set_state([intent.id], IntentState.FINAL)
            elif values["outcome"] in ("done", "repeated"):
                line = adopt_claim_event(services, work, event_of(intent, values), NOW)
                assert line.verdict == "adopted", line
                adopted += 1
            work.commit()
    retry_cases(services)
    return adopted


def adopt_all(services: Any, bank: Any) -> None:
    """The bank's part, after the ledger's: nothing is handed over by it, and nothing is left."""
    handed = dict(bank.files)
    lines = adopt_bank(services, lambda: None)
    assert all(line.verdict == "adopted" for line in lines), lines
    assert not hold_if_ahead(services).is_ahead, "the bank is still ahead"
    assert bank.files == handed, "the adoption paid"
    assert adopt_bank(services, lambda: None) == [], "adopted again"
    show_held_payouts(services)
