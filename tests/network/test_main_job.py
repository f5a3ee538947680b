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
from tests.network.four import CUSTODIAL, SELF_CUSTODY

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def test_bills_are_anchored_lodged_settled_paid_and_verified_through_another_node(
    on_network: System, tmp_path: Path
) -> None:
    """One of a hospital whose key we hold, one of a hospital that signs for itself."""
    system = on_network
    held = fresh_bill(system, citizen=11, serial=401, hospital=CUSTODIAL)
    signed = fresh_bill(system, citizen=17, serial=407, hospital=SELF_CUSTODY)
    for bill in (held, signed):
        send(system, bill)
    wait_for("the hospital to sign", system.agents[signed.hospital.code].sign_next, 30)
    for bill in (held, signed):
        until_anchored(system, bill)
        touch(system, bill)
    auditor = Auditor(tmp_path, system.rpc_url, system.trust_file())
    for bill in (held, signed):
        wait_for("payment", lambda b=bill: claim_state(system, b)[0] == "paid", 60)  # type: ignore[misc]
        assert auditor.judge(system.export(bill.invoice)) == VERIFIED
    assert_each_fact_once(system, [held, signed])


def test_the_doctor_finds_nothing_wrong_with_this_network(on_network: System) -> None:
    report = on_network.command("contracts", "doctor", "--probe")
    assert "0 problems" in report
