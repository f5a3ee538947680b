"""Transitions that the comparison of model and contract brought to light, each by name."""

from __future__ import annotations

from tests.contracts.bills import ALIAS, Bill, Desk, Outcome
from tests.contracts.test_claims import refused

BILL = Bill("electronic", second="printed")
CORRECTED = BILL.corrected()
PRINTED = Bill("printed")


def _freed(desk: Desk, *others: Bill) -> tuple[object, ...]:
    """A pinned bill with two numbers, of which a ruling has freed the second."""
    first = desk.anchor(BILL, *others)
    second = desk.anchor(CORRECTED)
    desk.supersede((first, 0), (second, 0))
    desk.rule(PRINTED)
    assert desk.state(PRINTED)["reference"] == 0
    return first, second


def test_a_second_number_ruled_free_is_held_again_under_a_claim(desk: Desk) -> None:
    """Else both numbers of one bill could be claimed, each up to the bill's total."""
    first, second = _freed(desk, PRINTED)
    desk.lodge(second)
    state = desk.state(PRINTED)
    assert (state["flags"], state["primary"]) == (ALIAS, BILL.key)
    assert state["reference"] == second.reference(0)
    with refused(desk, Outcome.BOUND_ELSEWHERE, PRINTED, holder=(1, 1)):
        desk.lodge(first, 1, role="commercial")


def test_a_second_number_bound_meanwhile_bars_the_pinned_bill(desk: Desk) -> None:
    first, second = _freed(desk, PRINTED)
    desk.lodge(first, 1, role="commercial")
    desk.settle(PRINTED, role="commercial")
    with refused(desk, Outcome.SECOND_KEY_BOUND, BILL):
        desk.lodge(second)


def test_a_ruling_for_a_place_where_no_leaf_can_be_is_no_repetition(desk: Desk) -> None:
    batch = desk.anchor(BILL)
    leaf, place, _index, proof = batch.leaf_proof(0)
    item = (leaf, place, 1024, proof)
    with refused(desk, Outcome.BAD_PROOF, BILL):
        desk.run(desk.functions.ruleFor(batch.ref, item, 0, bytes(32)), "registrar")


def test_a_returned_paper_pins_a_bill_that_was_bound_anew(desk: Desk) -> None:
    batch, paper = desk.anchor(BILL), Bill("paper")
    item = (batch.leaf_proof(0), paper.key)
    desk.run(desk.functions.exchangeToPaper(batch.ref, item), "hospital")
    desk.rule(BILL)
    desk.lodge(batch)
    desk.run(desk.functions.returnPaper(batch.ref, item), "hospital")
    desk.release(BILL)
    assert desk.state(BILL)["reference"] == batch.reference(0)
