"""Outages, alterations behind our back and a ledger that goes back in time.

Slow: each of these stops, kills or alters a system, so none can share the one of the main job.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator

import pytest

from backend.adapters.database import tables
from scripts.sample_data.bills import SampleBill
from scripts.sample_data.planted import Action
from tests.e2e.auditor import REFUTED, VERIFIED, Auditor, failed_checks
from tests.e2e.fresh_bills import (
    assert_each_fact_once,
    claim_state,
    fresh_bill,
    send,
    touch,
    until_anchored,
)
from tests.e2e.processes import wait_for
from tests.e2e.system import System

pytestmark = pytest.mark.slow
INSERT_ONLY = r"insert-only|append-only|不可|may not"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The small sample, whose loading was killed in the middle and started again."""
    system = System(tmp_path_factory.mktemp("scratch"))
    try:
        system.up()
        loader = system.loader()
        loader.start()
        wait_for("some uploads", lambda: len(system.rows(tables.invoice)) >= 5, 60)
        loader.kill()
        assert not system.var.sample_loaded()
        system.load_sample()
        assert system.var.sample_loaded()
        yield system
    finally:
        system.down()


def test_interrupted_load_is_finished_by_the_next_one(scratch: System) -> None:
    population = scratch.population
    steps = [step for case in population.planted() for step in case.steps if step.status < 400]
    known = [*population.demo(), *population.payments(), *(step.bill for step in steps)]
    bills = [*known, *population.bills()]
    corrections = sum(step.action is Action.CORRECT for step in steps)
    wanted = {bill.invoice.identity for bill in bills}
    from_outside = {row.invoice_id for row in scratch.rows(tables.outside_bill)} - {None}
    assert len(from_outside) == 1
    found = [
        (row.institution_code, row.invoice_code, row.invoice_number)
        for row in scratch.rows(tables.invoice)
        if row.id not in from_outside
    ]
    assert len(found) == len(wanted)
    assert set(found) == wanted
    versions = len(wanted) + corrections + len(from_outside)
    assert len(scratch.rows(tables.invoice_version)) == versions
    citizens = [entry for entry in scratch.logins() if entry["username"].startswith("citizen")]
    assert len(citizens) == len(population.citizens)
    assert len(scratch.rows(tables.staff)) == len(scratch.logins()) - len(citizens) >= 6
    assert len(scratch.rows(tables.person)) == len(population.citizens)


def test_stored_line_edited_in_sql_before_deciding_stops_the_claim(scratch: System) -> None:
    bill = fresh_bill(scratch, citizen=11, serial=301)
    send(scratch, bill)
    until_anchored(scratch, bill)
    scratch.worker.stop()
    touch(scratch, bill)
    alter_second_line(scratch, bill)
    scratch.worker.start()
    wait_for("the claim to stop", lambda: claim_state(scratch, bill)[0] == "refused", 40)
    codes = [row.code for row in scratch.rows(tables.alarm)]
    assert "fingerprint-mismatch" in codes
    (claim,) = scratch.claims_of(bill.invoice)
    assert not [row for row in scratch.rows(tables.payout) if row.claim_id == claim.id]
    slot = scratch.slot(scratch.stored(bill.invoice).invoice_key)
    assert (slot.lodge_counter, slot.settled_payers) == (0, 0)


def test_stored_line_edited_after_lodging_stops_the_claim_before_it_is_decided(
    scratch: System,
) -> None:
    """The comparison is made again in the step that decides (ledger protocol 5.5)."""
    bill = fresh_bill(scratch, citizen=12, serial=302)
    send(scratch, bill)
    until_anchored(scratch, bill)
    scratch.worker.stop()
    touch(scratch, bill)
    scratch.worker.start(YICHU_FAILPOINT="claims.lodged")
    scratch.worker.wait(60)
    assert claim_state(scratch, bill)[0] in ("lodging", "lodged")
    alter_second_line(scratch, bill)
    scratch.worker.start()
    # An alarm, a person's affair: the claim neither pays nor settles.
    wait_for(
        "the alarm",
        lambda: [row.code for row in scratch.rows(tables.alarm)].count("fingerprint-mismatch") == 2,
        60,
    )
    (claim,) = scratch.claims_of(bill.invoice)
    assert claim.state not in ("settling", "settled", "paying", "paid")
    assert scratch.slot(scratch.stored(bill.invoice).invoice_key).settled_payers == 0


def alter_second_line(system: System, bill: SampleBill) -> None:
    """What a person with the database's password can do: drop the trigger, then the edit."""
    invoice_id = system.invoice_id(bill.invoice)
    (version,) = [r.id for r in system.rows(tables.invoice_version) if r.invoice_id == invoice_id]
    path = system.settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path, timeout=30) as database:
        triggers = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'expense_line'"
        ).fetchall()
        assert triggers, "expense lines are insert-only by trigger"
        with pytest.raises(sqlite3.DatabaseError, match=INSERT_ONLY):
            database.execute("UPDATE expense_line SET record = record || ' '")
        for (name,) in triggers:
            kept = database.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,))
            (statement,) = kept.fetchone()
            database.execute(f'DROP TRIGGER "{name}"')
            changed = database.execute(
                "UPDATE expense_line SET record = replace(record, '600.0000', '900.0000') "
                "WHERE version_id = ? AND line_index = 1", (version,),
            ) if "UPDATE" in statement.upper() else None  # fmt: skip
            database.execute(statement)
            if changed is not None:
                assert changed.rowcount == 1


def test_ledger_outage_delays_and_loses_nothing(scratch: System) -> None:
    before = fresh_bill(scratch, citizen=13, serial=303)
    send(scratch, before)
    until_anchored(scratch, before)
    scratch.ledger.kill()
    during = fresh_bill(scratch, citizen=14, serial=304)
    body = send(scratch, during)
    assert body["anchor"]["state"] in ("waiting", "batched")
    assert "等待" in body["anchor"]["zh"]
    for bill in (before, during):
        touch(scratch, bill)
    wait_for("the citizen to be told", lambda: claim_state(scratch, before)[1] == "ledger", 30)
    citizen = scratch.citizen(before.citizen.username)
    assert "正在排队" in citizen.visitor.get("/m/claims").text
    scratch.start_ledger()
    for bill in (before, during):
        wait_for("the claim to be paid", lambda b=bill: claim_state(scratch, b)[0] == "paid", 90)  # type: ignore[misc]
        key = scratch.stored(bill.invoice).invoice_key
        assert [e["invoiceKey"] for e in scratch.events("Settled")].count(key) == 1


def test_bundle_is_refuted_when_the_chain_went_back_before_the_anchor(
    scratch: System, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = scratch.rpc("evm_snapshot")
    bill = fresh_bill(scratch, citizen=15, serial=305)
    send(scratch, bill)
    until_anchored(scratch, bill)
    touch(scratch, bill)
    wait_for("the claim to be paid", lambda: claim_state(scratch, bill)[0] == "paid", 60)
    kept = scratch.export(bill.invoice)
    auditor = Auditor(tmp_path_factory.mktemp("audit"), scratch.rpc_url, scratch.trust_file())
    assert auditor.judge(kept) == VERIFIED
    scratch.worker.stop()
    assert scratch.rpc("evm_revert", snapshot) is True
    capsys.readouterr()
    assert auditor.judge(kept, "--json") == REFUTED
    assert 13 in failed_checks(capsys.readouterr().out)


class Miner:
    """Empty blocks, as a network that seals on its own makes them."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="miner", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self._system.rpc("evm_mine")

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=15)


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Miner]]:
    """A network on which three blocks make a fact final; it stands still between the tests."""
    system = System(tmp_path_factory.mktemp("deep"), finality_blocks=3)
    miner = Miner(system)
    try:
        system.up()
        miner.start()
        system.load_sample()
        miner.stop()
        yield system, miner
    finally:
        miner.stop()
        system.down()


def test_reorganisation_of_an_anchor_is_repaired_and_alarmed(deep: tuple[System, Miner]) -> None:
    system, miner = deep
    snapshot = system.rpc("evm_snapshot")
    bill = fresh_bill(system, citizen=11, serial=301)
    send(system, bill)
    until_anchored(system, bill, "mined")
    touch(system, bill)
    assert claim_state(system, bill)[0] == "submitted"  # nothing is lodged before it is final
    assert system.rpc("evm_revert", snapshot) is True
    system.rpc("evm_mine")  # another history: the block that held the anchor is another one now
    miner.start()
    try:
        wait_for("the claim to be paid", lambda: claim_state(system, bill)[0] == "paid", 90)
    finally:
        miner.stop()
    assert_each_fact_once(system, [bill])
    assert "reorganisation" in [row.code for row in system.rows(tables.alarm)]


def test_reorganisation_of_a_lodge_is_repaired(deep: tuple[System, Miner]) -> None:
    system, miner = deep
    bill = fresh_bill(system, citizen=12, serial=302)
    send(system, bill)
    until_anchored(system, bill, "mined")
    for _ in range(3):
        system.rpc("evm_mine")
    until_anchored(system, bill)
    snapshot = system.rpc("evm_snapshot")
    touch(system, bill)
    key = system.stored(bill.invoice).invoice_key
    wait_for("the lodge", lambda: system.slot(key).open_payer == 1, 40)
    assert claim_state(system, bill)[0] == "lodging"  # decided only when the lodge is final
    assert system.rpc("evm_revert", snapshot) is True
    system.rpc("evm_mine")
    assert system.slot(key).open_payer == 0
    miner.start()
    try:
        wait_for("the claim to be paid", lambda: claim_state(system, bill)[0] == "paid", 90)
    finally:
        miner.stop()
    assert_each_fact_once(system, [bill])
