"""A real system whose database is put back to an older copy while the chain went on.

The hospital holds its own key: its agent knows its documents, secrets and signed batches, and
sends again what the operator lost.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from backend.adapters.bank.simulated_book import Credit, SimulatedBook
from backend.adapters.database import tables
from scripts.sample_data.bills import SampleBill
from tests.e2e.fresh_bills import claim_state, fresh_bill, send, touch
from tests.e2e.processes import wait_for
from tests.e2e.system import System

pytestmark = pytest.mark.slow
BEHIND = 5
SELF_CUSTODY = 0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("restored"))
    try:
        system.up()
        system.load_sample()
        yield system
    finally:
        system.down()


def test_restored_system_refuses_adopts_and_goes_on(system: System, tmp_path: Path) -> None:
    known = fresh_bill(system, citizen=26, serial=700)
    send(system, known)
    until_final(system, known)
    system.worker.stop()
    touch(system, known)
    back_up(system, tmp_path / "backup.db")

    # What the copy does not have: the claim's life, a self-custody bill with its claim.
    system.worker.start()
    lost = fresh_bill(system, citizen=27, serial=701, hospital=SELF_CUSTODY)
    send(system, lost)
    until_final(system, lost)
    touch(system, lost)
    for bill in (known, lost):
        wait_for("the claim to be paid", lambda b=bill: claim_state(system, b)[0] == "paid", 60)  # type: ignore[misc]
    before = payouts(system)
    (lost_claim,) = system.claims_of(lost.invoice)
    credits_before = credits(system)
    key = system.stored(lost.invoice).invoice_key
    system.worker.stop()

    restore(system, tmp_path / "backup.db")
    system.worker.start()
    assert system.worker.wait(60) == BEHIND
    assert "Run `yichu reconcile`" in system.worker.log
    report = requests.get(f"{system.base_url}/readyz", timeout=10).json()["anchoring"]
    assert report["alarms"]["database-behind-chain"] == 1
    assert "run `yichu reconcile`" in report["refuses_to_start"]
    assert payouts(system).keys() < before.keys()

    found = system.command("reconcile", status=1)
    assert f"claim:{key.hex()}:1" in found and "look for it in the bank's statement" in found
    # The hospital sends its document again: the agent still has the secret, the leaf is the same.
    send(system, lost)
    assert system.stored(lost.invoice).invoice_key == key
    found = system.command("reconcile", status=1)
    assert "bills stand at their old leaves" in found
    case = f"claim:{key.hex()}:1"
    for wish, by in (("--close", "测试员"), ("--confirm", "测试主管")):
        system.command("reconcile", wish, case, "--by", by, "--reason", "银行流水已核对")
    # The known claim's payment was adopted; the lost claim's is a case until a person has looked.
    (claim,) = system.claims_of(known.invoice)
    assert payouts(system) == {claim.id: before[claim.id]}
    payment = f"bank-payment:{lost_claim.number}-V1-A1"
    assert payment in system.command("reconcile", status=1)
    for wish, by in (("--close", "测试员"), ("--confirm", "测试主管")):
        system.command("reconcile", wish, payment, "--by", by, "--reason", "银行流水已核对")
    assert credits(system) == credits_before
    # What only people know: everybody was asked. Until then no payment leaves.
    (period,) = system.rows(tables.lost_period)
    report = requests.get(f"{system.base_url}/readyz", timeout=10).json()["anchoring"]
    assert report["alarms"]["records-lost"] == 1
    for case in (f"alarm:records-lost:{period.id}", f"words:{period.id}"):
        for wish, by in (("--close", "测试员"), ("--confirm", "测试主管")):
            system.command("reconcile", wish, case, "--by", by, "--reason", "都问过了")
    system.command("reconcile")
    system.command("reconcile", "--check")

    system.worker.start()
    wait_for("the known claim to be paid", lambda: claim_state(system, known)[0] == "paid", 60)
    # Paid once: the bank knows the instruction by its id, and nothing pays the lost claim again.
    assert payouts(system)[claim.id] == before[claim.id]
    touch(system, lost)
    wait_for("the repetition to be refused", lambda: claim_state(system, lost)[0] == "refused", 60)
    # The self-custody hospital goes on with the sequence that only its agent and the chain knew.
    later = fresh_bill(system, citizen=28, serial=702, hospital=SELF_CUSTODY)
    send(system, later)
    until_final(system, later)
    touch(system, later)
    wait_for("the later claim to be paid", lambda: claim_state(system, later)[0] == "paid", 60)
    system.worker.stop()
    system.command("reconcile", "--check")
    names = [credit.end_to_end_id for credit in credits(system)]
    assert len(names) == len(set(names)) == len(credits_before) + 1
    anchored = [(e["institution"], e["sequence"]) for e in system.events("Anchored")]
    assert len(anchored) == len(set(anchored)) == len(system.rows(tables.batch))
    for name in ("Lodged", "Settled"):
        keys = [event["invoiceKey"] for event in system.events(name)]
        assert len(keys) == len(set(keys))
        for bill in (known, lost, later):
            assert keys.count(system.stored(bill.invoice).invoice_key) == 1


def credits(system: System) -> list[Credit]:
    """What the simulated bank has carried out, from its own book."""
    with SimulatedBook(system.settings.var_dir / "bank" / "simulated.db").open() as page:
        return page.credits()


def until_final(system: System, bill: SampleBill) -> None:
    """Until the bill's anchor is final; its agent signs what it is offered."""
    agent = system.agents[bill.hospital.code]
    invoice_id = system.invoice_id(bill.invoice)

    def is_final() -> bool:
        if agent.can_sign:
            agent.sign_next()
        return bool(agent.status(invoice_id)["anchor"]["state"] == "final")

    wait_for("the anchor to be final", is_final, 60)


def payouts(system: System) -> dict[str, tuple[str, int]]:
    """Claim id to (payout id, fen) of every answered instruction; one answer each."""
    owners = {row.id: row.payout_id for row in system.rows(tables.payment_attempt)}
    answered = [owners[row.attempt_id] for row in system.rows(tables.payment_answer)]
    assert len(answered) == len(set(answered))
    rows = [row for row in system.rows(tables.payout) if row.id in answered]
    return {row.claim_id: (row.id, row.amount_fen) for row in rows}


def back_up(system: System, copy: Path) -> None:
    with sqlite3.connect(database(system)) as source, sqlite3.connect(copy) as target:
        source.backup(target)


def restore(system: System, copy: Path) -> None:
    """The web is stopped too, as for any restore, and comes back on the older copy."""
    system.web.stop()
    system.services.engine.dispose()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database(system)}{suffix}").unlink(missing_ok=True)
    shutil.copy(copy, database(system))
    system.start_web()


def database(system: System) -> str:
    return system.settings.database_url.removeprefix("sqlite:///")
