"""The main job on a network of several nodes: whatever answers at YICHU_RPC_URLS, or four geth
validators. Written to the first node; the web reads from others, and the auditor from the last."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.auditor import VERIFIED, Auditor
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


def test_a_bill_is_anchored_lodged_settled_paid_and_verified_through_another_node(
    on_network: System, tmp_path: Path
) -> None:
    system = on_network
    bill = fresh_bill(system, citizen=11, serial=401)
    send(system, bill)
    until_anchored(system, bill)
    touch(system, bill)
    wait_for("the claim to be paid", lambda: claim_state(system, bill)[0] == "paid", 60)
    assert_each_fact_once(system, [bill])
    auditor = Auditor(tmp_path, system.rpc_url, system.trust_file())
    assert auditor.judge(system.export(bill.invoice)) == VERIFIED


def test_the_doctor_finds_nothing_wrong_with_this_network(on_network: System) -> None:
    report = on_network.command("contracts", "doctor", "--probe")
    assert "0 problems" in report
