"""Supplement: a payer that has settled pays more."""

from __future__ import annotations

import pytest

from tests.contracts.bills import Batch, Call, Desk, Outcome, digest
from tests.contracts.chain import BASIC, COMMERCIAL, POLICY, expect_revert
from tests.contracts.test_claims import BILL, refused


@pytest.fixture
def settled(desk: Desk) -> Batch:
    batch = desk.anchor(BILL)
    desk.lodge(batch)
    desk.settle(BILL, 1, 4_000)
    return batch


def test_a_supplement_adds_to_the_paid_sum_and_carries_its_decision(
    desk: Desk, settled: Batch
) -> None:
    before = desk.state(BILL)
    report = desk.supplement(BILL, 4_000, 500, version=3)
    assert (report.name, report.call, report.value) == ("Supplemented", Call.SUPPLEMENT, 500)
    assert (report.payer, report.counter, report.version) == (BASIC, 0, 3)
    assert (report.reference, report.paid, report.total) == (settled.reference(0), 4_500, 10_000)
    assert report.rest == {"decisionFingerprint": digest("appeal"), "policyHash": POLICY}
    assert desk.state(BILL) == before | {"paid": 4_500}


def test_a_supplement_sent_twice_has_one_effect(desk: Desk, settled: Batch) -> None:
    desk.supplement(BILL, 4_000, 500)
    with refused(desk, Outcome.STALE):
        desk.supplement(BILL, 4_000, 500)
    with refused(desk, Outcome.STALE):
        desk.supplement(BILL, 4_000, 500, version=3)
    item = desk.supplement_item(BILL, 4_500, 500)
    receipt = desk.chain.send(desk.functions.supplementBatch([item, item]), "basic")
    assert [report.outcome for report in desk.reports(receipt)] == [Outcome.DONE, Outcome.STALE]
    assert desk.state(BILL)["paid"] == 5_000


def test_supplements_of_two_payers_never_pass_the_total(desk: Desk, settled: Batch) -> None:
    desk.lodge(settled, counter=2, role="commercial")
    desk.settle(BILL, 2, 3_000, role="commercial")
    desk.supplement(BILL, 7_000, 2_000)
    for role in ("basic", "commercial"):
        with refused(desk, Outcome.OVER_TOTAL):
            desk.supplement(BILL, 9_000, 1_001, role=role)
    desk.supplement(BILL, 9_000, 1_000, role="commercial")
    state = desk.state(BILL)
    assert (state["paid"], state["settled"]) == (10_000, 0b101)
    with refused(desk, Outcome.OVER_TOTAL):
        desk.supplement(BILL, 10_000, 1)


@pytest.mark.parametrize("amount", [6_001, 2**40, 2**63, 2**64 - 1])
def test_a_supplement_beyond_the_total_is_refused(desk: Desk, settled: Batch, amount: int) -> None:
    with refused(desk, Outcome.OVER_TOTAL):
        desk.supplement(BILL, 4_000, amount)


@pytest.mark.parametrize("version", [0, 1])
def test_a_supplement_is_a_later_decision(desk: Desk, settled: Batch, version: int) -> None:
    with refused(desk, Outcome.BAD_VERSION):
        desk.supplement(BILL, 4_000, 1, version=version)
    assert desk.supplement(BILL, 4_000, 1, version=65_535).version == 65_535


def test_a_supplement_waits_for_another_payers_claim(desk: Desk, settled: Batch) -> None:
    desk.lodge(settled, counter=2, role="commercial")
    with refused(desk, Outcome.LOCKED, holder=(COMMERCIAL, 2)):
        desk.supplement(BILL, 4_000, 500)
    desk.release(BILL, 2, role="commercial")
    assert desk.supplement(BILL, 4_000, 500).name == "Supplemented"


@pytest.mark.parametrize("role", ["second_basic", "commercial", "mutual"])
def test_who_has_not_settled_cannot_supplement(desk: Desk, settled: Batch, role: str) -> None:
    with refused(desk, Outcome.NOT_SETTLED):
        desk.supplement(BILL, 4_000, 500, role=role)


def test_a_refused_claim_is_appealed_by_a_new_lodge_and_not_by_a_supplement(desk: Desk) -> None:
    batch = desk.anchor(BILL)
    desk.lodge(batch)
    with refused(desk, Outcome.NOT_SETTLED):
        desk.supplement(BILL, 0, 500)
    desk.release(BILL, reason=1)
    with refused(desk, Outcome.NOT_SETTLED):
        desk.supplement(BILL, 0, 500)
    assert desk.lodge(batch, counter=2).name == "Lodged"


def test_supplements_go_on_while_intake_is_paused(desk: Desk, settled: Batch) -> None:
    desk.chain.send(desk.chain.registry.functions.pause(), "pauser")
    assert desk.supplement(BILL, 4_000, 500).paid == 4_500


@pytest.mark.parametrize("call", ["supplement", "recover"])
def test_only_payers_pay_more_or_take_back(desk: Desk, settled: Batch, call: str) -> None:
    item = desk.supplement_item(BILL, 4_000, 1) if call == "supplement" else (BILL.key, 1, BILL.key)
    for caller in ("stranger", "hospital", "registrar", "admin"):
        account = desk.chain.accounts[caller]
        with expect_revert(desk.chain.ledger, "LedgerNotPayer", account):
            desk.chain.view(desk.functions[call](item), caller)
        with expect_revert(desk.chain.ledger, "LedgerNotPayer", account):
            desk.chain.view(desk.functions[f"{call}Batch"]([item]), caller)
