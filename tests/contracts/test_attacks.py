"""The attacks on paper that the protocol was written against, each refused by name."""

from __future__ import annotations

from tests.contracts.bills import PINNED, VOID, Batch, Bill, Desk, Outcome
from tests.contracts.chain import BASIC, CLINIC_CODE, COMMERCIAL, DAY
from tests.contracts.test_claims import BILL, refused


def _rotate_basic(desk: Desk) -> None:
    accounts = desk.chain.accounts
    rotate = desk.chain.registry.functions.rotatePayerAccount(
        BASIC, accounts["basic"], accounts["basic_spare"]
    )
    desk.chain.send(rotate, "registrar")


def test_a_late_settle_of_an_earlier_lodge_does_not_pay_the_later_one(desk: Desk) -> None:
    batch = desk.anchor(BILL)
    desk.lodge(batch)
    desk.release(BILL)
    desk.lodge(batch, counter=2)
    with refused(desk, Outcome.STALE, holder=(BASIC, 2)):
        desk.settle(BILL, 1)
    with refused(desk, Outcome.STALE, holder=(BASIC, 2)):
        desk.release(BILL, 1)
    with refused(desk, Outcome.STALE, holder=(BASIC, 2)):
        desk.renew(BILL, desk.deadline(60), 1)
    assert desk.settle(BILL, 2).name == "Settled"


def test_expiry_under_a_payment_in_flight_leaves_the_bill_unpaid_on_the_ledger(
    desk: Desk,
) -> None:
    batch = desk.anchor(BILL)
    desk.lodge(batch)
    desk.chain.travel(desk.chain.now() + 31 * DAY)
    desk.expire(BILL)
    desk.lodge(batch, counter=2, role="second_basic")
    with refused(desk, Outcome.STALE, holder=(2, 2)):
        desk.settle(BILL, 1)


def test_a_second_record_with_the_same_total_is_not_the_bound_leaf(desk: Desk) -> None:
    batch = desk.anchor(BILL, BILL.corrected())
    desk.lodge(batch, 0)
    desk.settle(BILL)
    with refused(desk, Outcome.BOUND_ELSEWHERE, holder=(BASIC, 0)):
        desk.lodge(batch, 1, counter=2, role="commercial")


def test_one_record_anchored_twice_is_claimed_under_one_leaf(desk: Desk) -> None:
    first, again = desk.anchor(BILL), desk.anchor(BILL)
    desk.lodge(first)
    desk.settle(BILL)
    with refused(desk, Outcome.BOUND_ELSEWHERE, holder=(BASIC, 0)):
        desk.lodge(again, counter=2, role="commercial")


def test_another_institution_cannot_void_a_bill(desk: Desk) -> None:
    batch = desk.anchor(BILL)
    for call in (desk.void, desk.reverse):
        with refused(desk, Outcome.FOREIGN_LEAF):
            call(batch, 0, role="clinic")
    # Not even with a leaf of the same invoice key in its own batch, once the bill is bound.
    desk.lodge(batch)
    squat = desk.anchor(Bill("bill", code=CLINIC_CODE), role="clinic")
    with refused(desk, Outcome.BOUND_ELSEWHERE, holder=(BASIC, 1)):
        desk.void(squat, role="clinic")


def test_an_institution_cannot_anchor_anothers_code_and_void_with_it(desk: Desk) -> None:
    forged = desk.anchor(BILL, role="clinic")  # the leaf carries the hospital's code
    with refused(desk, Outcome.FOREIGN_LEAF):
        desk.void(forged, role="clinic")
    with refused(desk, Outcome.FOREIGN_LEAF):
        desk.lodge(forged)


def test_the_same_payer_under_a_new_key_is_the_same_payer(desk: Desk) -> None:
    batch = desk.anchor(BILL)
    desk.lodge(batch)
    _rotate_basic(desk)
    assert desk.lodge(batch, role="basic_spare").outcome == Outcome.REPEATED
    desk.settle(BILL, role="basic_spare")
    with refused(desk, Outcome.SETTLED_BY_PAYER, holder=(BASIC, 0)):
        desk.lodge(batch, counter=2, role="basic_spare")


def test_two_basic_insurers_do_not_both_settle(desk: Desk) -> None:
    batch = desk.anchor(BILL)
    desk.lodge(batch)
    desk.settle(BILL, 1, 100)
    with refused(desk, Outcome.SETTLED_BY_BASIC, holder=(BASIC, 0)):
        desk.lodge(batch, counter=2, role="second_basic")


def test_two_basic_insurers_with_a_commercial_one_between(desk: Desk) -> None:
    batch = desk.anchor(BILL)
    desk.lodge(batch)
    desk.settle(BILL, 1, 100)
    desk.lodge(batch, counter=2, role="commercial")
    desk.settle(BILL, 2, 100, role="commercial")
    with refused(desk, Outcome.SETTLED_BY_BASIC, holder=(BASIC, 0)):
        desk.lodge(batch, counter=3, role="second_basic")


def test_a_red_bill_cannot_be_lodged(desk: Desk) -> None:
    red = Bill("red", kind=3, total=0)
    batch = desk.anchor(red)
    with refused(desk, Outcome.KIND_REFUSED, red):
        desk.lodge(batch)


def test_a_bill_settled_at_the_counter_is_only_for_others_than_basic_insurers(
    desk: Desk,
) -> None:
    bill = Bill("settled", kind=2, borne=6_000)
    batch = desk.anchor(bill)
    for role in ("basic", "second_basic"):
        with refused(desk, Outcome.KIND_NOT_FOR_BASIC, bill):
            desk.lodge(batch, role=role)
    desk.lodge(batch, role="commercial")
    with refused(desk, Outcome.OVER_TOTAL, bill):
        desk.settle(bill, 1, 4_001, role="commercial")


def test_what_others_bore_at_the_counter_is_not_paid_again(desk: Desk) -> None:
    bill = Bill("borne", borne=7_000)
    desk.lodge(desk.anchor(bill))
    with refused(desk, Outcome.OVER_TOTAL, bill):
        desk.settle(bill, 1, 3_001)
    assert desk.settle(bill, 1, 3_000).paid == 10_000


def test_two_numbers_on_one_bill_are_one_bill(desk: Desk) -> None:
    bill = Bill("electronic", second="printed")
    other = Bill("printed")
    both = desk.anchor(bill, other)
    desk.lodge(both, 0)
    alias = desk.state(other)
    assert (alias["flags"], alias["primary"]) == (32, bill.key)
    assert alias["reference"] == both.reference(0)
    with refused(desk, Outcome.BOUND_ELSEWHERE, other, holder=(BASIC, 1)):
        desk.lodge(both, 1, role="commercial")
    desk.settle(bill)
    with refused(desk, Outcome.BOUND_ELSEWHERE, other, holder=(BASIC, 0)):
        desk.lodge(both, 1, role="commercial")
    with refused(desk, Outcome.BOUND_ELSEWHERE, other, holder=(BASIC, 0)):
        desk.void(both, 1)
    with refused(desk, Outcome.SETTLED, other, holder=(BASIC, 0)):
        desk.rule(other)


def test_two_numbers_the_other_way_round_are_one_bill_too(desk: Desk) -> None:
    bill = Bill("electronic", second="printed")
    other = Bill("printed")
    both = desk.anchor(bill, other)
    desk.lodge(both, 1)
    with refused(desk, Outcome.SECOND_KEY_BOUND, bill):
        desk.lodge(both, 0, role="commercial")
    with refused(desk, Outcome.SECOND_KEY_BOUND, bill):
        desk.void(both, 0)
    desk.release(other)
    assert desk.lodge(both, 0, role="commercial").outcome == Outcome.DONE


def test_a_released_bill_frees_its_second_number(desk: Desk) -> None:
    bill, other = Bill("electronic", second="printed"), Bill("printed")
    both = desk.anchor(bill, other)
    desk.lodge(both, 0)
    desk.release(bill)
    desk.lodge(both, 1)
    assert desk.state(other)["flags"] == 0
    with refused(desk, Outcome.SECOND_KEY_BOUND, bill):
        desk.lodge(both, 0, counter=2)


def test_a_second_number_shared_by_two_bills_belongs_to_the_first_claimed(desk: Desk) -> None:
    first, second = Bill("first", second="shared"), Bill("second", second="shared")
    batch = desk.anchor(first, second)
    desk.lodge(batch, 0)
    with refused(desk, Outcome.SECOND_KEY_BOUND, second):
        desk.lodge(batch, 1)
    desk.release(first)
    desk.lodge(batch, 1)
    with refused(desk, Outcome.SECOND_KEY_BOUND, first):
        desk.lodge(batch, 0, counter=2)


def test_a_correction_moves_the_second_number_along(desk: Desk) -> None:
    bill, other = Bill("electronic", second="printed"), Bill("printed")
    old = desk.anchor(bill, other)
    new = desk.anchor(bill.corrected())
    desk.rule_for(old, 0)
    desk.supersede((old, 0), (new, 0))
    assert desk.state(other)["reference"] == new.reference(0)
    with refused(desk, Outcome.BOUND_ELSEWHERE, other):
        desk.lodge(old, 1)


def test_lodge_and_settle_sent_twice_have_one_effect(desk: Desk) -> None:
    batch = desk.anchor(BILL)
    desk.lodge(batch)
    assert desk.lodge(batch).outcome == Outcome.REPEATED
    first = desk.settle(BILL, 1, 4_000)
    with refused(desk, Outcome.ALREADY_SETTLED, holder=(BASIC, 0)):
        desk.settle(BILL, 1, 4_000)
    with refused(desk, Outcome.ALREADY_SETTLED, holder=(BASIC, 0)):
        desk.settle(BILL, 2, 1)
    assert desk.state(BILL)["paid"] == first.paid == 4_000


def test_p1_no_payer_settles_twice_and_the_sum_never_passes_the_total(desk: Desk) -> None:
    bill = Bill("p1", total=1_000, borne=100)
    batch = desk.anchor(bill)
    roles = ("basic", "commercial", "mutual", "second_basic")
    settled: list[tuple[str, int]] = []
    counter = 0
    for role in (*roles, *roles):
        item = desk.lodge_item(batch, 0, counter + 1)
        receipt = desk.chain.send(desk.functions.lodgeBatch([batch.ref], [item]), role)
        (lodged,) = desk.reports(receipt)
        if lodged.outcome != Outcome.DONE:
            continue
        counter += 1
        for amount in (901, 300):
            receipt = desk.chain.send(
                desk.functions.settleBatch([desk.settle_item(bill, counter, amount)]), role
            )
            (report,) = desk.reports(receipt)
            if report.name == "Settled":
                settled.append((role, report.value))
    assert settled == [("basic", 300), ("commercial", 300), ("mutual", 300)]
    state = desk.state(bill)
    assert (state["paid"], state["total"], state["settled"]) == (1_000, 1_000, 0b1101)


def test_a_superseded_leaf_is_not_claimed_after_a_release(desk: Desk) -> None:
    old = desk.anchor(BILL)
    new = desk.anchor(BILL.corrected(total=9_000))
    desk.supersede((old, 0), (new, 0))
    desk.lodge(new)
    desk.release(BILL)
    assert desk.state(BILL)["flags"] == PINNED
    with refused(desk, Outcome.BOUND_ELSEWHERE):
        desk.lodge(old, counter=2)
    assert desk.lodge(new, counter=2).outcome == Outcome.DONE


def test_void_while_locked_stops_the_payment_and_leaves_release(desk: Desk) -> None:
    batch = desk.anchor(BILL)
    desk.lodge(batch)
    desk.void(batch)
    assert desk.state(BILL)["open"] == BASIC
    with refused(desk, Outcome.IS_VOID):
        desk.settle(BILL)
    with refused(desk, Outcome.IS_VOID):
        desk.renew(BILL, desk.deadline(60))
    assert desk.release(BILL, reason=3).name == "Released"
    state = desk.state(BILL)
    assert (state["open"], state["flags"]) == (0, PINNED | VOID)
    with refused(desk, Outcome.IS_VOID):
        desk.lodge(batch, counter=2)


def test_a_void_lock_of_a_silent_payer_expires(desk: Desk) -> None:
    batch = desk.anchor(BILL)
    desk.lodge(batch)
    desk.void(batch)
    desk.chain.travel(desk.chain.now() + 31 * DAY)
    desk.expire(BILL)
    with refused(desk, Outcome.IS_VOID):
        desk.lodge(batch, counter=2)


def test_a_pause_does_not_end_in_a_mass_expiry(desk: Desk) -> None:
    desk.lodge(desk.anchor(BILL))
    registry = desk.chain.registry.functions
    desk.chain.send(registry.pause(), "pauser")
    desk.chain.travel(desk.chain.now() + 40 * DAY)
    with refused(desk, Outcome.PAUSED):
        desk.expire(BILL)
    desk.chain.send(registry.unpause(), "pauser")
    unpaused_at = desk.chain.now() - 1
    with refused(desk, Outcome.NOT_DUE, holder=(BASIC, 1)):
        desk.expire(BILL)
    desk.chain.travel(unpaused_at + 7 * DAY - 10)
    with refused(desk, Outcome.NOT_DUE, holder=(BASIC, 1)):
        desk.expire(BILL)
    desk.chain.travel(unpaused_at + 7 * DAY)
    assert desk.expire(BILL).name == "Expired"


def _squatted(desk: Desk) -> tuple[Batch, Batch, Bill]:
    genuine = desk.anchor(BILL)
    squatter = Bill("bill", total=5, code=CLINIC_CODE)
    return genuine, desk.anchor(squatter, role="clinic"), squatter


def test_a_squatters_void_is_ruled_away(desk: Desk) -> None:
    genuine, squat, _ = _squatted(desk)
    desk.void(squat, role="clinic")
    with refused(desk, Outcome.IS_VOID):
        desk.lodge(genuine)
    desk.rule_for(genuine)
    with refused(desk, Outcome.BOUND_ELSEWHERE):
        desk.void(squat, role="clinic")
    assert desk.lodge(genuine).total == 10_000


def test_a_squatters_supersede_is_ruled_away(desk: Desk) -> None:
    genuine, squat, squatter = _squatted(desk)
    later = desk.anchor(squatter.corrected(), role="clinic")
    desk.supersede((squat, 0), (later, 0), role="clinic")
    with refused(desk, Outcome.BOUND_ELSEWHERE):
        desk.lodge(genuine)
    desk.rule(BILL)
    assert desk.lodge(genuine).outcome == Outcome.DONE


def test_a_strangers_false_second_number_is_ruled_away(desk: Desk) -> None:
    genuine = desk.anchor(BILL)
    false = Bill("stranger's", second="bill", code=CLINIC_CODE)
    squat = desk.anchor(false, role="clinic")
    desk.lodge(squat, role="commercial")
    with refused(desk, Outcome.BOUND_ELSEWHERE, holder=(COMMERCIAL, 1)):
        desk.lodge(genuine)
    with refused(desk, Outcome.LOCKED, holder=(COMMERCIAL, 1)):
        desk.rule(BILL)
    desk.release(false, role="commercial")
    assert desk.lodge(genuine).outcome == Outcome.DONE
    with refused(desk, Outcome.SECOND_KEY_BOUND, false):
        desk.lodge(squat, counter=2, role="commercial")


def test_a_false_second_number_pinned_by_void_is_ruled_away(desk: Desk) -> None:
    genuine = desk.anchor(BILL)
    false = Bill("stranger's", second="bill", code=CLINIC_CODE)
    desk.void(desk.anchor(false, role="clinic"), role="clinic")
    with refused(desk, Outcome.BOUND_ELSEWHERE):
        desk.lodge(genuine)
    desk.rule(BILL)
    assert desk.raw(BILL) == 0
    assert desk.lodge(genuine).outcome == Outcome.DONE


def test_a_void_by_a_stolen_key_is_ruled_away(desk: Desk) -> None:
    batch = desk.anchor(BILL)
    desk.void(batch)
    desk.rule_for(batch, flags=0)
    assert desk.lodge(batch).outcome == Outcome.DONE
