"""Validators that die, and a network that is cut: delays, never losses or doubles."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from backend.adapters.database import tables
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
from tests.network.four import Four

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def anchor_state(system: System, bill: Any) -> dict[str, Any]:
    agent = system.agents[bill.hospital.code]
    found: dict[str, Any] = agent.status(system.invoice_id(bill.invoice))["anchor"]
    return found


def is_paid(system: System, bill: Any) -> bool:
    return claim_state(system, bill)[0] == "paid"


def readiness(system: System) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{system.base_url}/readyz", timeout=10).json()
    return found


def sent_by(system: System) -> set[str]:
    """Hashes of the two transactions that are sent and not mined; empty until there are two."""
    rows = [row for row in system.rows(tables.ledger_transaction) if row.state == "sent"]
    hashes = {"0x" + row.tx_hash.hex() for row in rows}
    return hashes if len(hashes) == 2 else set()


def knows(four: Four, number: int, tx_hash: str) -> bool:
    return four.rpc(number, "eth_getTransactionByHash", tx_hash) is not None


def alarms(system: System) -> list[str]:
    return [row.code for row in system.rows(tables.alarm)]


def test_with_one_validator_dead_the_network_goes_on(four: Four, on_four: System) -> None:
    bill = fresh_bill(on_four, citizen=12, serial=402)
    four.command("kill", "3")
    try:
        send(on_four, bill)
        until_anchored(on_four, bill)
        touch(on_four, bill)
        wait_for("the claim to be paid", lambda: is_paid(on_four, bill), 90)
    finally:
        four.command("restart", "3")
    assert_each_fact_once(on_four, [bill])


def test_with_two_validators_dead_work_waits_and_is_done_when_they_are_back(
    four: Four, on_four: System
) -> None:
    system = on_four
    before = fresh_bill(system, citizen=13, serial=403)
    send(system, before)
    until_anchored(system, before)
    four.command("kill", "3")
    four.command("kill", "2")
    system.rpc_url = four.url(4)
    wait_for("the chain to stall", lambda: not four.is_moving(), 30)
    try:
        during = fresh_bill(system, citizen=14, serial=404)
        body = send(system, during)  # accepted all the same
        assert "等待" in body["anchor"]["zh"]
        touch(system, before)  # and so is the claim
        assert claim_state(system, before)[0] not in ("decided", "settling", "paid", "refused")
        why = wait_for("the reason", lambda: readiness(system).get("late_because"), 30)
        assert "chain-stalled: no block after" in why[0]
        assert readiness(system)["ready"] is True
        assert anchor_state(system, during)["state"] not in ("mined", "final")
        assert "等待" in anchor_state(system, during)["zh"]
        assert claim_state(system, before)[0] in ("submitted", "calculated", "lodging")
        phone = system.citizen(before.citizen.username).visitor.get("/m/claims")
        assert "已受理，正在" in phone.text
    finally:
        four.command("restart", "2")
        four.command("restart", "3")
    until_anchored(system, during)
    touch(system, during)
    for bill in (before, during):
        wait_for("the claim to be paid", lambda b=bill: is_paid(system, b), 90)  # type: ignore[misc]
    wait_for("the alarm to end", lambda: "late_because" not in readiness(system), 20)
    assert_each_fact_once(system, [before, during])


def test_what_the_losing_half_of_a_cut_network_held_ends_on_the_chain_once(
    four: Four, on_four: System
) -> None:
    system = on_four
    claimed = fresh_bill(system, citizen=15, serial=405)
    send(system, claimed)
    until_anchored(system, claimed)
    system.worker.stop()
    try:
        head = four.hold()
        losing, winning = four.losing_halves(head)
        four.command("cut", ",".join(map(str, losing)), ",".join(map(str, winning)))
        urls = ",".join(map(four.url, losing))
        system.worker.start(YICHU_RPC_URLS=urls, YICHU_PROBE_BLOCKS="0")
        fresh = fresh_bill(system, citizen=19, serial=406)
        send(system, fresh)
        touch(system, claimed)
        sent = wait_for("anchor and lodge to be sent", lambda: sent_by(system))
        assert all(knows(four, number, tx_hash) for number in losing for tx_hash in sent)
        assert not any(knows(four, number, tx_hash) for number in winning for tx_hash in sent)
        four.command("release")
        wait_for("both halves to seal", lambda: all(
            four.head(half[0]).number > head.number for half in (losing, winning)
        ))  # fmt: skip
        wait_for("the anchor", lambda: anchor_state(system, fresh)["state"] == "mined")
        key = system.stored(claimed.invoice).invoice_key
        lost = four.block(losing[0], head.number + 1)
        held = four.rpc(losing[0], "eth_getBlockByNumber", hex(lost.number), False)
        assert set(held["transactions"]) == sent
        wait_for("both halves to wait", lambda: not four.is_moving(3), 30)
        # Two seals are no majority: nothing was believed.
        assert anchor_state(system, fresh)["state"] == "mined"
        assert claim_state(system, claimed)[0] == "lodging"
    finally:
        four.command("release")
        four.command("heal")
    wait_for("one chain", lambda: len({four.head(n).hash for n in (1, 2, 3, 4)}) == 1, 60)
    assert four.block(1, lost.number).hash != lost.hash
    until_anchored(system, fresh)
    touch(system, fresh)
    for bill in (claimed, fresh):
        wait_for("the claim to be paid", lambda b=bill: is_paid(system, b), 90)  # type: ignore[misc]
    assert "reorganisation" in alarms(system)
    assert "final-reorganisation" not in alarms(system)
    assert_each_fact_once(system, [claimed, fresh])
    assert system.slot(key).settled_payers == 1
