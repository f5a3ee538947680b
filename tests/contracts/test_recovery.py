"""Recover: money taken back is counted once, and not freed for others."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.contracts.bills import ZERO, Batch, Bill, Call, Desk, Outcome, digest
from tests.contracts.chain import BASIC
from tests.contracts.test_claims import BILL, refused

OTHER = Bill("other")


@pytest.fixture
def settled(desk: Desk) -> Batch:
    batch = desk.anchor(BILL, OTHER)
    desk.lodge(batch, 0)
    desk.lodge(batch, 1)
    desk.settle(BILL, 1, 4_000)
    desk.settle(OTHER, 1, 4_000)
    return batch


def test_a_recovery_is_recorded_and_the_paid_sum_stays(desk: Desk, settled: Batch) -> None:
    before = desk.raw(BILL)
    report = desk.recover(BILL, 700, "number 1")
    assert (report.name, report.call, report.value) == ("Recovered", Call.RECOVER, 700)
    assert (report.payer, report.paid, report.total) == (BASIC, 4_000, 10_000)
    assert report.rest == {"recoveryNumber": digest("number 1")}
    assert desk.raw(BILL) == before
    with refused(desk, Outcome.SETTLED_BY_BASIC, holder=(BASIC, 0)):
        desk.lodge(settled, 0, counter=2, role="second_basic")


def test_the_digest_of_a_recovery_is_the_published_one(desk: Desk, settled: Batch) -> None:
    number = digest("number 1")
    assert desk.chain.view(desk.functions.recoveryDigest(number)) == ZERO
    desk.recover(BILL, 700, "number 1")
    expected = keccak(encode(["uint8", "bytes32", "uint64"], [BASIC, BILL.key, 700]))
    assert desk.chain.view(desk.functions.recoveryDigest(number)) == expected


def test_a_recovery_sent_twice_is_counted_once(desk: Desk, settled: Batch) -> None:
    desk.recover(BILL, 700, "number 1")
    again = desk.recover(BILL, 700, "number 1")
    assert (again.name, again.outcome) == ("Unchanged", Outcome.REPEATED)
    assert desk.recover(BILL, 700, "number 2").name == "Recovered"


def test_a_number_stands_for_one_recovery(desk: Desk, settled: Batch) -> None:
    desk.recover(BILL, 700, "number 1")
    with refused(desk, Outcome.NUMBER_USED):
        desk.recover(BILL, 701, "number 1")
    with refused(desk, Outcome.NUMBER_USED, OTHER):
        desk.recover(OTHER, 700, "number 1")
    desk.lodge(settled, 0, counter=2, role="commercial")
    desk.settle(BILL, 2, 1_000, role="commercial")
    with refused(desk, Outcome.NUMBER_USED):
        desk.recover(BILL, 700, "number 1", role="commercial")


@pytest.mark.parametrize("amount", [0, 4_001, 2**40, 2**64 - 1])
def test_nothing_or_more_than_was_paid_is_not_recovered(
    desk: Desk, settled: Batch, amount: int
) -> None:
    with refused(desk, Outcome.BAD_AMOUNT):
        desk.recover(BILL, amount, "number")
    assert desk.recover(BILL, 4_000, "number").value == 4_000


def test_who_has_paid_nothing_recovers_nothing(desk: Desk, settled: Batch) -> None:
    for role in ("second_basic", "commercial"):
        with refused(desk, Outcome.NOT_SETTLED):
            desk.recover(BILL, 1, "number", role=role)


@pytest.mark.parametrize("call", ["void", "reverse"])
def test_a_withdrawn_settled_bill_is_recovered_and_not_supplemented(
    desk: Desk, settled: Batch, call: str
) -> None:
    getattr(desk, call)(settled, 0)
    with refused(desk, Outcome.IS_VOID if call == "void" else Outcome.IS_REVERSED):
        desk.supplement(BILL, 4_000, 1)
    assert desk.recover(BILL, 4_000, "number").name == "Recovered"


def test_recoveries_go_on_while_intake_is_paused_or_the_batch_quarantined(
    desk: Desk, settled: Batch
) -> None:
    desk.chain.send(desk.chain.registry.functions.pause(), "pauser")
    desk.quarantine(settled)
    assert desk.recover(BILL, 4_000, "number").name == "Recovered"
