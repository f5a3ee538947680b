"""Exchange for paper and back, and the attacks on it."""

from __future__ import annotations

import pytest

from tests.contracts.bills import (
    IS_PAPER,
    ON_PAPER,
    PINNED,
    VOID,
    ZERO,
    Batch,
    Bill,
    Call,
    Desk,
    Outcome,
    digest,
)
from tests.contracts.chain import BASIC, CLINIC_CODE, expect_revert
from tests.contracts.test_claims import BILL, refused

PAPER = Bill("paper")


@pytest.fixture
def batch(desk: Desk) -> Batch:
    """The e-bill and, as an attacker wants it, the paper as a bill of its own."""
    return desk.anchor(BILL, PAPER)


def test_an_exchange_marks_the_bill_and_the_papers_number(desk: Desk, batch: Batch) -> None:
    report = desk.exchange(batch, 0, PAPER)
    assert (report.name, report.call, report.key) == ("Exchanged", Call.EXCHANGE, BILL.key)
    assert (report.reference, report.total) == (batch.reference(0), 10_000)
    assert report.rest == {"paperKey": PAPER.key}
    assert desk.state(BILL)["flags"] == PINNED | ON_PAPER
    paper = desk.state(PAPER)
    assert (paper["flags"], paper["reference"]) == (IS_PAPER, batch.reference(0))
    assert (paper["total"], paper["primary"]) == (0, ZERO)
    again = desk.exchange(batch, 0, PAPER)
    assert (again.name, again.outcome) == ("Unchanged", Outcome.REPEATED)


def test_an_e_bill_and_its_paper_are_not_both_claimed(desk: Desk, batch: Batch) -> None:
    desk.exchange(batch, 0, PAPER)
    with refused(desk, Outcome.IS_ON_PAPER):
        desk.lodge(batch, 0)
    with refused(desk, Outcome.IS_PAPER, PAPER):
        desk.lodge(batch, 1)
    desk.give_back(batch, 0, PAPER)
    with refused(desk, Outcome.IS_PAPER, PAPER):
        desk.lodge(batch, 1)
    desk.lodge(batch, 0)
    desk.settle(BILL)
    with refused(desk, Outcome.IS_PAPER, PAPER):
        desk.lodge(batch, 1, role="commercial")


def test_a_claimed_paper_number_is_no_paper_of_an_e_bill(desk: Desk, batch: Batch) -> None:
    desk.lodge(batch, 1)
    with refused(desk, Outcome.PAPER_KEY_BOUND):
        desk.exchange(batch, 0, PAPER)
    desk.settle(PAPER)
    with refused(desk, Outcome.PAPER_KEY_BOUND):
        desk.exchange(batch, 0, PAPER)


def test_a_number_that_was_lodged_and_released_can_become_paper(desk: Desk, batch: Batch) -> None:
    desk.lodge(batch, 1)
    desk.release(PAPER)
    desk.exchange(batch, 0, PAPER)
    state = desk.state(PAPER)
    assert (state["flags"], state["counter"]) == (IS_PAPER, 1)


def test_a_returned_bill_is_claimed_and_its_paper_used_up(desk: Desk, batch: Batch) -> None:
    desk.exchange(batch, 0, PAPER)
    report = desk.give_back(batch, 0, PAPER)
    assert (report.name, report.call, report.key) == ("Returned", Call.RETURN, BILL.key)
    assert report.rest == {"paperKey": PAPER.key}
    assert (desk.state(BILL)["flags"], desk.state(PAPER)["flags"]) == (PINNED, IS_PAPER | VOID)
    assert desk.give_back(batch, 0, PAPER).outcome == Outcome.REPEATED
    with refused(desk, Outcome.PAPER_KEY_BOUND):
        desk.exchange(batch, 0, PAPER)


def test_an_old_papers_return_does_not_undo_a_later_exchange(desk: Desk, batch: Batch) -> None:
    second = digest("second paper")
    desk.exchange(batch, 0, PAPER)
    desk.give_back(batch, 0, PAPER)
    desk.exchange(batch, 0, second)
    assert desk.give_back(batch, 0, PAPER).outcome == Outcome.REPEATED
    with refused(desk, Outcome.IS_ON_PAPER):
        desk.lodge(batch, 0)
    with refused(desk, Outcome.IS_ON_PAPER):
        desk.exchange(batch, 0, digest("third paper"))
    desk.give_back(batch, 0, second)
    assert desk.lodge(batch, 0).name == "Lodged"


def test_a_bill_is_not_exchanged_for_one_of_its_own_numbers(desk: Desk) -> None:
    bill = Bill("two numbers", second="printed")
    batch = desk.anchor(bill)
    for paper in (ZERO, bill.key, bill.second_key):
        with refused(desk, Outcome.PAPER_KEY_BOUND, bill):
            desk.exchange(batch, 0, paper)
    desk.exchange(batch, 0, PAPER)
    assert desk.state(bill.second_key)["reference"] == batch.reference(0)


def test_one_paper_does_not_stand_for_two_bills(desk: Desk, batch: Batch) -> None:
    other = desk.anchor(Bill("other"))
    desk.exchange(batch, 0, PAPER)
    with refused(desk, Outcome.PAPER_KEY_BOUND, Bill("other")):
        desk.exchange(other, 0, PAPER)
    with refused(desk, Outcome.BOUND_ELSEWHERE, Bill("other")):
        desk.give_back(other, 0, PAPER)


def test_a_paper_is_neither_withdrawn_nor_corrected_nor_exchanged(desk: Desk, batch: Batch) -> None:
    later = desk.anchor(PAPER.corrected())
    desk.exchange(batch, 0, PAPER)
    for attempt in (
        lambda: desk.void(batch, 1),
        lambda: desk.reverse(batch, 1),
        lambda: desk.supersede((batch, 1), (later, 0)),
        lambda: desk.exchange(batch, 1, digest("paper of the paper")),
    ):
        with refused(desk, Outcome.IS_PAPER, PAPER):
            attempt()
    second = Bill("a bill with the paper as its second number", second="paper")
    batch = desk.anchor(second)
    with refused(desk, Outcome.SECOND_KEY_BOUND, second):
        desk.lodge(batch)


def test_exchange_is_refused_while_locked_or_settled(desk: Desk, batch: Batch) -> None:
    desk.lodge(batch, 0)
    with refused(desk, Outcome.LOCKED, holder=(BASIC, 1)):
        desk.exchange(batch, 0, PAPER)
    desk.settle(BILL)
    with refused(desk, Outcome.SETTLED, holder=(BASIC, 0)):
        desk.exchange(batch, 0, PAPER)


def test_exchange_and_return_go_on_while_intake_is_paused(desk: Desk, batch: Batch) -> None:
    desk.chain.send(desk.chain.registry.functions.pause(), "pauser")
    assert desk.exchange(batch, 0, PAPER).name == "Exchanged"
    assert desk.give_back(batch, 0, PAPER).name == "Returned"


def test_a_void_bill_on_paper_stays_void_after_its_return(desk: Desk, batch: Batch) -> None:
    desk.exchange(batch, 0, PAPER)
    desk.void(batch, 0)
    desk.give_back(batch, 0, PAPER)
    assert desk.state(BILL)["flags"] == PINNED | VOID
    with refused(desk, Outcome.IS_VOID):
        desk.lodge(batch, 0)


@pytest.mark.parametrize("call", ["exchangeToPaper", "returnPaper"])
def test_only_the_issuer_exchanges_and_takes_back(desk: Desk, batch: Batch, call: str) -> None:
    item = (batch.leaf_proof(0), PAPER.key)
    if call == "returnPaper":
        desk.exchange(batch, 0, PAPER)
    for caller in ("stranger", "basic", "registrar", "admin"):
        account = desk.chain.accounts[caller]
        with expect_revert(desk.chain.ledger, "LedgerNotInstitution", account):
            desk.chain.view(desk.functions[call](batch.ref, item), caller)
        with expect_revert(desk.chain.ledger, "LedgerNotInstitution", account):
            desk.chain.view(desk.functions[f"{call}Batch"]([batch.ref], [item]), caller)
    with refused(desk, Outcome.FOREIGN_LEAF):
        desk.run(desk.functions[call](batch.ref, item), "clinic")


# --------------------------------------------------------------------------------------- attacks


def test_a_strangers_bill_blocked_by_a_false_paper_key_is_freed_by_a_ruling(desk: Desk) -> None:
    genuine = desk.anchor(BILL)
    false = Bill("squatter's", code=CLINIC_CODE)
    squat = desk.anchor(false, role="clinic")
    desk.exchange(squat, 0, BILL, role="clinic")
    with refused(desk, Outcome.IS_PAPER):
        desk.lodge(genuine)
    report = desk.rule(BILL)
    assert report.name == "Ruled"
    assert desk.raw(BILL) == 0
    # The squatter's own bill stays on paper, and neither its return nor a second exchange under
    # the same number touches the genuine bill again.
    with refused(desk, Outcome.BOUND_ELSEWHERE, false):
        desk.give_back(squat, 0, BILL, role="clinic")
    with refused(desk, Outcome.IS_ON_PAPER, false):
        desk.exchange(squat, 0, BILL, role="clinic")
    assert desk.lodge(genuine).name == "Lodged"


def test_a_squatters_exchange_is_ruled_away(desk: Desk) -> None:
    """The squatter anchors a leaf with the genuine bill's key and puts that on paper."""
    genuine = desk.anchor(BILL)
    squat = desk.anchor(Bill("bill", total=5, code=CLINIC_CODE), role="clinic")
    desk.exchange(squat, 0, PAPER, role="clinic")
    with refused(desk, Outcome.IS_ON_PAPER):
        desk.lodge(genuine)
    desk.rule_for(genuine)
    with refused(desk, Outcome.BOUND_ELSEWHERE):
        desk.give_back(squat, 0, PAPER, role="clinic")
    with refused(desk, Outcome.BOUND_ELSEWHERE):
        desk.exchange(squat, 0, digest("another paper"), role="clinic")
    assert desk.lodge(genuine).total == 10_000


def test_a_ruling_takes_a_bill_off_paper(desk: Desk, batch: Batch) -> None:
    desk.exchange(batch, 0, PAPER)
    desk.rule(BILL)
    assert desk.state(BILL)["flags"] == 0
    assert desk.state(PAPER)["flags"] == IS_PAPER
    assert desk.lodge(batch, 0).name == "Lodged"
