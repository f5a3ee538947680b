"""Supersede, void, reverse and the registrar's rulings."""

from __future__ import annotations

import pytest

from tests.contracts.bills import (
    ALIAS,
    IS_PAPER,
    ON_PAPER,
    PINNED,
    REVERSED,
    VOID,
    ZERO,
    Batch,
    Bill,
    Call,
    Desk,
    Outcome,
    digest,
)
from tests.contracts.chain import BASIC, CLINIC_CODE, DAY, HOSPITAL, expect_revert
from tests.contracts.test_claims import BILL, refused


@pytest.fixture
def batch(desk: Desk) -> Batch:
    return desk.anchor(Bill("other"), BILL, Bill("third"))


@pytest.fixture
def corrected(desk: Desk, batch: Batch) -> Batch:
    return desk.anchor(BILL.corrected(total=9_000, borne=100))


# --------------------------------------------------------------------------------- void and reverse


@pytest.mark.parametrize(
    ("call", "event", "flag"), [("void", "Voided", VOID), ("reverse", "Reversed", REVERSED)]
)
def test_a_withdrawn_bill_is_bound_pinned_and_never_lodged(
    desk: Desk, batch: Batch, call: str, event: str, flag: int
) -> None:
    report = getattr(desk, call)(batch, 1)
    assert (report.name, report.key, report.reference) == (event, BILL.key, batch.reference(1))
    assert desk.state(BILL)["flags"] == PINNED | flag
    outcome = Outcome.IS_VOID if flag == VOID else Outcome.IS_REVERSED
    with refused(desk, outcome):
        desk.lodge(batch, 1)
    again = getattr(desk, call)(batch, 1)
    assert (again.name, again.outcome) == ("Unchanged", Outcome.REPEATED)


def test_void_and_reverse_are_two_facts(desk: Desk, batch: Batch) -> None:
    desk.void(batch, 1)
    assert desk.reverse(batch, 1).name == "Reversed"
    assert desk.state(BILL)["flags"] == PINNED | VOID | REVERSED


@pytest.mark.parametrize("call", ["void", "reverse"])
def test_withdrawing_a_settled_bill_keeps_the_settlement(
    desk: Desk, batch: Batch, call: str
) -> None:
    desk.lodge(batch, 1)
    desk.settle(BILL, 1, 4_000)
    getattr(desk, call)(batch, 1)
    state = desk.state(BILL)
    assert (state["paid"], state["settled"]) == (4_000, 1)
    with refused(desk, Outcome.IS_VOID if call == "void" else Outcome.IS_REVERSED):
        desk.lodge(batch, 1, counter=2, role="commercial")


@pytest.mark.parametrize("call", ["void", "reverse"])
def test_withdrawal_goes_on_while_paused_and_after_the_agreement(
    desk: Desk, batch: Batch, call: str
) -> None:
    desk.chain.send(desk.chain.registry.functions.pause(), "pauser")
    desk.chain.travel(desk.chain.now() + 500 * DAY)
    assert getattr(desk, call)(batch, 1).outcome == Outcome.DONE


@pytest.mark.parametrize("call", ["void", "reverse"])
def test_withdrawal_without_right_or_proof_is_refused(desk: Desk, batch: Batch, call: str) -> None:
    function = desk.functions[call]
    accounts = desk.chain.accounts
    for caller in ("stranger", "basic", "registrar", "admin"):
        with expect_revert(desk.chain.ledger, "LedgerNotInstitution", accounts[caller]):
            getattr(desk, call)(batch, 1, role=caller)
    leaf, _, _, proof = batch.leaf_proof(1)
    for item, outcome in (
        ((leaf, 1, 1, proof), Outcome.BAD_BATCH),
        ((leaf, 0, 0, proof), Outcome.BAD_PROOF),
        ((leaf, 0, 1, proof[:-1]), Outcome.BAD_PROOF),
        ((BILL.corrected().leaf, 0, 1, proof), Outcome.BAD_PROOF),
    ):
        with refused(desk, outcome):
            desk.run(function(batch.ref, item), "hospital")
    wrong = (*batch.ref[:3], digest("root"), batch.ref[4])
    with refused(desk, Outcome.BAD_BATCH):
        desk.run(function(wrong, batch.leaf_proof(1)), "hospital")


@pytest.mark.parametrize("kind", [0, 3, 4, 9])
def test_only_claimable_and_settled_leaves_are_withdrawn(desk: Desk, kind: int) -> None:
    bill = Bill("x", kind=kind)
    batch = desk.anchor(bill)
    with refused(desk, Outcome.KIND_REFUSED, bill):
        desk.void(batch)


def test_a_suspended_institution_neither_withdraws_nor_supersedes(
    desk: Desk, batch: Batch, corrected: Batch
) -> None:
    desk.chain.send(desk.chain.registry.functions.suspendInstitution(HOSPITAL, True), "registrar")
    with refused(desk, Outcome.SUSPENDED):
        desk.void(batch, 1)
    with refused(desk, Outcome.SUSPENDED):
        desk.supersede((batch, 1), (corrected, 0))


def test_a_bound_bill_is_withdrawn_by_exactly_that_leaf(
    desk: Desk, batch: Batch, corrected: Batch
) -> None:
    desk.lodge(batch, 1)
    with refused(desk, Outcome.BOUND_ELSEWHERE, holder=(BASIC, 1)):
        desk.void(corrected, 0)
    assert desk.void(batch, 1).outcome == Outcome.DONE


# ---------------------------------------------------------------------------------------- supersede


def test_supersede_binds_and_pins_the_new_leaf(desk: Desk, batch: Batch, corrected: Batch) -> None:
    report = desk.supersede((batch, 1), (corrected, 0))
    assert (report.name, report.call) == ("Superseded", Call.SUPERSEDE)
    assert (report.reference, report.rest) == (
        corrected.reference(0),
        {"fromReference": batch.reference(1)},
    )
    state = desk.state(BILL)
    assert (state["total"], state["paid"], state["flags"]) == (9_000, 100, PINNED)
    assert desk.supersede((batch, 1), (corrected, 0)).outcome == Outcome.REPEATED
    with refused(desk, Outcome.BOUND_ELSEWHERE):
        desk.lodge(batch, 1)
    assert desk.lodge(corrected, 0).total == 9_000


def test_supersede_goes_on_from_the_superseding_leaf(
    desk: Desk, batch: Batch, corrected: Batch
) -> None:
    desk.supersede((batch, 1), (corrected, 0))
    third = desk.anchor(BILL.corrected(total=8_000))
    with refused(desk, Outcome.BOUND_ELSEWHERE):
        desk.supersede((batch, 1), (third, 0))
    assert desk.supersede((corrected, 0), (third, 0)).total == 8_000


def test_supersede_is_open_again_after_a_release_with_nothing_settled(
    desk: Desk, batch: Batch, corrected: Batch
) -> None:
    desk.lodge(batch, 1)
    desk.release(BILL)
    assert desk.supersede((batch, 1), (corrected, 0)).outcome == Outcome.DONE


def test_supersede_is_refused_while_locked_settled_void_or_reversed(
    desk: Desk, batch: Batch, corrected: Batch
) -> None:
    pair = ((batch, 1), (corrected, 0))
    desk.lodge(batch, 1)
    with refused(desk, Outcome.LOCKED, holder=(BASIC, 1)):
        desk.supersede(*pair)
    desk.settle(BILL)
    with refused(desk, Outcome.SETTLED, holder=(BASIC, 0)):
        desk.supersede(*pair)
    for name, call, outcome in (
        ("other", desk.void, Outcome.IS_VOID),
        ("third", desk.reverse, Outcome.IS_REVERSED),
    ):
        index = 0 if name == "other" else 2
        later = desk.anchor(Bill(name, version="corrected"))
        call(batch, index)
        with refused(desk, outcome, Bill(name)):
            desk.supersede((batch, index), (later, 0))


def test_supersede_is_refused_while_paused(desk: Desk, batch: Batch, corrected: Batch) -> None:
    desk.chain.send(desk.chain.registry.functions.pause(), "pauser")
    with refused(desk, Outcome.PAUSED):
        desk.supersede((batch, 1), (corrected, 0))


def test_supersede_to_an_earlier_leaf_or_the_same_is_refused(
    desk: Desk, batch: Batch, corrected: Batch
) -> None:
    with refused(desk, Outcome.NOT_LATER):
        desk.supersede((corrected, 0), (batch, 1))
    with refused(desk, Outcome.NOT_LATER):
        desk.supersede((batch, 1), (batch, 1))


def test_supersede_of_another_bill_or_kind_or_without_proof_is_refused(
    desk: Desk, batch: Batch, corrected: Batch
) -> None:
    with refused(desk, Outcome.BAD_LEAF):
        desk.supersede((batch, 0), (corrected, 0))
    red = desk.anchor(BILL.corrected(kind=3))
    with refused(desk, Outcome.KIND_REFUSED):
        desk.supersede((batch, 1), (red, 0))
    refs = [batch.ref, corrected.ref]
    good_old, good_new = batch.leaf_proof(1), corrected.leaf_proof(0, 1)
    for old, new, outcome in (
        ((*good_old[:3], []), good_new, Outcome.BAD_PROOF),
        (good_old, (*good_new[:3], [ZERO]), Outcome.BAD_PROOF),
        ((good_old[0], 2, 1, good_old[3]), good_new, Outcome.BAD_BATCH),
        (good_old, (good_new[0], 2, 0, []), Outcome.BAD_BATCH),
    ):
        with refused(desk, outcome):
            desk.run(desk.functions.supersede(refs, (old, new)), "hospital")


def test_another_institution_cannot_supersede(desk: Desk, batch: Batch, corrected: Batch) -> None:
    with refused(desk, Outcome.FOREIGN_LEAF):
        desk.supersede((batch, 1), (corrected, 0), role="clinic")
    foreign = desk.anchor(BILL.corrected(code=CLINIC_CODE), role="clinic")
    with refused(desk, Outcome.NOT_LATER):
        desk.supersede((batch, 1), (foreign, 0))
    with refused(desk, Outcome.NOT_LATER):
        desk.supersede((batch, 1), (foreign, 0), role="clinic")


# -------------------------------------------------------------------------------------------- rule


def test_rule_clears_binding_and_flags_and_keeps_the_counter(desk: Desk, batch: Batch) -> None:
    desk.lodge(batch, 1)
    desk.void(batch, 1)
    desk.release(BILL)
    before = desk.raw(BILL)
    report = desk.rule(BILL)
    assert (report.name, report.call) == ("Ruled", Call.RULE)
    assert report.rest == {"before": before, "reason": digest("reason")}
    assert desk.raw(BILL) == 1 << 168
    assert desk.rule(BILL).outcome == Outcome.REPEATED
    assert desk.lodge(batch, 1, counter=2).outcome == Outcome.DONE


@pytest.mark.parametrize("flags", [0, PINNED, PINNED | VOID, REVERSED, PINNED | ON_PAPER])
def test_rule_for_binds_a_proved_leaf_with_flags(desk: Desk, batch: Batch, flags: int) -> None:
    report = desk.rule_for(batch, 1, flags)
    assert (report.name, report.value) == ("Ruled", flags)
    state = desk.state(BILL)
    assert (state["reference"], state["total"]) == (batch.reference(1), 10_000)
    assert (state["flags"], state["counter"]) == (flags, 0)
    assert desk.rule_for(batch, 1, flags).outcome == Outcome.REPEATED


def test_a_bill_ruled_to_be_on_paper_is_neither_lodged_nor_superseded(
    desk: Desk, batch: Batch, corrected: Batch
) -> None:
    desk.rule_for(batch, 1, PINNED | ON_PAPER)
    with refused(desk, Outcome.IS_ON_PAPER):
        desk.lodge(batch, 1)
    with refused(desk, Outcome.IS_ON_PAPER):
        desk.supersede((batch, 1), (corrected, 0))


@pytest.mark.parametrize("flags", [IS_PAPER, ALIAS, 64, 128, 255])
def test_rule_for_sets_no_other_flags(desk: Desk, batch: Batch, flags: int) -> None:
    with refused(desk, Outcome.BAD_FLAGS):
        desk.rule_for(batch, 1, flags)


def test_rulings_are_the_registrars(desk: Desk, batch: Batch) -> None:
    for caller in ("stranger", "admin", "hospital", "basic", "pauser", "publisher"):
        account = desk.chain.accounts[caller]
        with expect_revert(desk.chain.ledger, "LedgerNotRegistrar", account):
            desk.rule(BILL, caller)
        with expect_revert(desk.chain.ledger, "LedgerNotRegistrar", account):
            desk.rule_for(batch, 1, role=caller)


def test_rulings_are_refused_while_locked_or_settled(desk: Desk, batch: Batch) -> None:
    desk.lodge(batch, 1)
    with refused(desk, Outcome.LOCKED, holder=(BASIC, 1)):
        desk.rule(BILL)
    with refused(desk, Outcome.LOCKED, holder=(BASIC, 1)):
        desk.rule_for(batch, 1)
    desk.settle(BILL)
    with refused(desk, Outcome.SETTLED, holder=(BASIC, 0)):
        desk.rule(BILL)
    with refused(desk, Outcome.SETTLED, holder=(BASIC, 0)):
        desk.rule_for(batch, 1)


def test_rule_for_needs_a_claimable_proved_leaf(desk: Desk, batch: Batch) -> None:
    red = desk.anchor(Bill("red", kind=3, total=0))
    with refused(desk, Outcome.KIND_REFUSED, Bill("red")):
        desk.rule_for(red, 0)
    leaf, _, _, proof = batch.leaf_proof(1)
    for item, outcome in (
        ((leaf, 1, 1, proof), Outcome.BAD_BATCH),
        ((leaf, 0, 2, proof), Outcome.BAD_PROOF),
        ((Bill("bill", total=1).leaf, 0, 1, proof), Outcome.BAD_PROOF),
        ((Bill("bill", code=CLINIC_CODE).leaf, 0, 1, proof), Outcome.FOREIGN_LEAF),
    ):
        with refused(desk, outcome):
            desk.run(desk.functions.ruleFor(batch.ref, item, PINNED, ZERO), "registrar")
