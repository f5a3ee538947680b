"""Lodge, settle, release, renew, expire: every transition allowed and refused, one item at a time.

`refused` demands the custom error with outcome, key and holder.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contracts.bills import (
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
from tests.contracts.chain import (
    BASIC,
    CLINIC_CODE,
    COMMERCIAL,
    DAY,
    MUTUAL,
    POLICY,
    SECOND_BASIC,
    expect_revert,
)

BILL = Bill("bill")
NOBODY = (0, 0)


@contextlib.contextmanager
def refused(
    desk: Desk, outcome: Outcome, bill: Bill = BILL, holder: tuple[int, int] = NOBODY
) -> Iterator[None]:
    """The body's call must revert so; a revert leaves everything as it was."""
    desk.chain.trying = True
    try:
        with expect_revert(desk.chain.ledger, "LedgerRefused", outcome, bill.key, *holder):
            yield
    finally:
        desk.chain.trying = False


@pytest.fixture
def batch(desk: Desk) -> Batch:
    return desk.anchor(Bill("other"), BILL, Bill("third"))


@pytest.fixture
def lodged(desk: Desk, batch: Batch) -> Batch:
    desk.lodge(batch, 1)
    return batch


def _pay_and_lodge_again(desk: Desk, batch: Batch) -> None:
    """The basic insurer has settled; the commercial one holds claim 2."""
    desk.settle(BILL, 1, 4_000)
    desk.lodge(batch, 1, counter=2, role="commercial")


# ------------------------------------------------------------------------------------------ lodge


def test_lodge_binds_the_leaf_and_locks_it_for_the_payer(desk: Desk, batch: Batch) -> None:
    deadline = desk.deadline()
    report = desk.lodge(batch, 1, deadline=deadline)
    assert (report.name, report.key, report.outcome) == ("Lodged", BILL.key, Outcome.DONE)
    assert (report.call, report.payer, report.counter) == (Call.LODGE, BASIC, 1)
    assert (report.reference, report.value) == (batch.reference(1), deadline)
    assert (report.paid, report.total) == (0, 10_000)
    assert desk.state(BILL) == {
        "total": 10_000,
        "paid": 0,
        "reference": batch.reference(1),
        "deadline": deadline,
        "open": BASIC,
        "counter": 1,
        "flags": 0,
        "settled": 0,
        "primary": ZERO,
    }


def test_the_raw_slot_has_the_published_layout(desk: Desk, lodged: Batch) -> None:
    desk.settle(BILL, 1, 4_000)
    deadline = desk.deadline()
    desk.lodge(lodged, 1, counter=2, role="commercial", deadline=deadline)
    desk.void(lodged, 1)
    expected = (
        10_000
        | 4_000 << 40
        | (1 << 32 | 1 << 10 | 1) << 80
        | deadline << 128
        | COMMERCIAL << 160
        | 2 << 168
        | (PINNED | VOID) << 184
        | 1 << (BASIC - 1) << 192
    )
    assert desk.raw(BILL) == expected


def test_lodging_the_open_claim_again_is_a_no_op(desk: Desk, lodged: Batch) -> None:
    before = desk.raw(BILL)
    report = desk.lodge(lodged, 1, deadline=desk.deadline(60))
    assert (report.name, report.outcome) == ("Unchanged", Outcome.REPEATED)
    assert desk.raw(BILL) == before


def test_lodge_is_refused_for_who_is_no_payer(desk: Desk, batch: Batch) -> None:
    for caller in ("stranger", "hospital", "registrar"):
        with expect_revert(desk.chain.ledger, "LedgerNotPayer", desk.chain.accounts[caller]):
            desk.lodge(batch, 1, role=caller)


def test_every_claim_call_of_a_suspended_payer_is_refused(desk: Desk, lodged: Batch) -> None:
    desk.chain.send(desk.chain.registry.functions.suspendPayer(BASIC, True), "registrar")
    for action in (
        lambda: desk.lodge(lodged, 1),
        lambda: desk.settle(BILL),
        lambda: desk.release(BILL),
        lambda: desk.renew(BILL, desk.deadline(60)),
    ):
        with refused(desk, Outcome.SUSPENDED):
            action()


def test_lodge_is_refused_while_paused_and_the_rest_goes_on(desk: Desk, lodged: Batch) -> None:
    desk.chain.send(desk.chain.registry.functions.pause(), "pauser")
    other = Bill("other")
    with refused(desk, Outcome.PAUSED, other):
        desk.lodge(lodged, 0)
    assert desk.lodge(lodged, 1).outcome == Outcome.REPEATED
    assert desk.renew(BILL, desk.deadline(60)).name == "Renewed"
    assert desk.settle(BILL).name == "Settled"


@pytest.mark.parametrize("counter", [0, 1, 2, 7])
@pytest.mark.parametrize("role", ["second_basic", "commercial"])
def test_a_locked_bill_names_its_holder_to_any_other_payer(
    desk: Desk, lodged: Batch, role: str, counter: int
) -> None:
    with refused(desk, Outcome.LOCKED, holder=(BASIC, 1)):
        desk.lodge(lodged, 1, counter=counter, role=role)


def test_the_holder_itself_cannot_lodge_a_second_claim(desk: Desk, lodged: Batch) -> None:
    with refused(desk, Outcome.LOCKED, holder=(BASIC, 1)):
        desk.lodge(lodged, 1, counter=2)


def test_the_holder_cannot_lodge_the_same_claim_on_another_leaf(desk: Desk, lodged: Batch) -> None:
    again = desk.anchor(BILL.corrected())
    with refused(desk, Outcome.LOCKED, holder=(BASIC, 1)):
        desk.lodge(again, 0)


@pytest.mark.parametrize("counter", [0, 2, 3, 65_535])
def test_a_counter_that_is_not_the_next_is_stale(desk: Desk, batch: Batch, counter: int) -> None:
    with refused(desk, Outcome.STALE):
        desk.lodge(batch, 1, counter=counter)


def test_a_payer_that_has_settled_cannot_lodge_again(desk: Desk, lodged: Batch) -> None:
    desk.settle(BILL)
    for counter in (1, 2):
        with refused(desk, Outcome.SETTLED_BY_PAYER, holder=(BASIC, 0)):
            desk.lodge(lodged, 1, counter=counter)


def test_a_third_payer_follows_after_settlement_up_to_the_total(desk: Desk, lodged: Batch) -> None:
    _pay_and_lodge_again(desk, lodged)
    desk.settle(BILL, 2, 5_999, role="commercial")
    desk.lodge(lodged, 1, counter=3, role="mutual")
    report = desk.settle(BILL, 3, 1, role="mutual")
    assert (report.paid, report.total) == (10_000, 10_000)
    assert desk.state(BILL)["settled"] == 0b1101


def test_nothing_left_names_a_payer_that_settled(desk: Desk, lodged: Batch) -> None:
    desk.settle(BILL, 1, 10_000)
    with refused(desk, Outcome.NOTHING_LEFT, holder=(BASIC, 0)):
        desk.lodge(lodged, 1, counter=2, role="commercial")


@pytest.mark.parametrize(
    ("bill", "outcome"),
    [
        (Bill("x", kind=3, total=0), Outcome.KIND_REFUSED),
        (Bill("x", kind=4, total=0), Outcome.KIND_REFUSED),
        (Bill("x", kind=0), Outcome.KIND_REFUSED),
        (Bill("x", kind=5), Outcome.KIND_REFUSED),
        (Bill("x", kind=2), Outcome.KIND_NOT_FOR_BASIC),
        (Bill("x", total=2**40), Outcome.BAD_LEAF),
        (Bill("x", borne=10_001), Outcome.BAD_LEAF),
        (Bill("x", borne=2**63), Outcome.BAD_LEAF),
        (Bill("x", second="x"), Outcome.BAD_LEAF),
        (Bill("x", total=0), Outcome.NOTHING_LEFT),
        (Bill("x", borne=10_000), Outcome.NOTHING_LEFT),
        (Bill("x", code=CLINIC_CODE), Outcome.FOREIGN_LEAF),
    ],
)
def test_a_leaf_that_cannot_be_claimed_is_refused_though_anchored(
    desk: Desk, bill: Bill, outcome: Outcome
) -> None:
    batch = desk.anchor(bill)
    with refused(desk, outcome, bill):
        desk.lodge(batch, 0)


def test_the_largest_amount_is_held(desk: Desk) -> None:
    bill = Bill("large", total=2**40 - 1, borne=2**40 - 2)
    desk.lodge(desk.anchor(bill), 0)
    assert desk.settle(bill, 1, 1).paid == 2**40 - 1


@pytest.mark.parametrize("offset", ["past", "now", "far"])
def test_a_deadline_out_of_range_is_refused(desk: Desk, batch: Batch, offset: str) -> None:
    now = desk.chain.now()
    deadline = {"past": now - 100, "now": 0, "far": now + 180 * DAY + 1_000}[offset]
    with refused(desk, Outcome.BAD_DEADLINE):
        desk.lodge(batch, 1, deadline=deadline)


@pytest.mark.parametrize("field", range(5))
def test_a_batch_reference_that_opens_no_head_is_refused(
    desk: Desk, batch: Batch, field: int
) -> None:
    changed = list(batch.ref)
    changed[field] = {
        0: 2,
        1: 2,
        2: digest("previous"),
        3: digest("root"),
        4: len(batch.bills) + 1,
    }[field]
    with refused(desk, Outcome.BAD_BATCH):
        desk.run(desk.functions.lodge(changed, desk.lodge_item(batch, 1)), "basic")


def test_a_single_lodge_names_its_only_batch(desk: Desk, batch: Batch) -> None:
    with refused(desk, Outcome.BAD_BATCH):
        desk.lodge(batch, 1, batch_index=1)


@pytest.mark.parametrize(
    "change",
    [
        {"leaf_index": 0},
        {"leaf_index": 2},
        {"leaf_index": 3},
        {"leaf_index": 1025},
        {"leaf_index": 65_535},
        {"proof": []},
        {"proof": [ZERO]},
        {"leaf": BILL.corrected().leaf},
        {"leaf": Bill("bill", total=10_001).leaf},
        {"leaf": Bill("bill", borne=1).leaf},
        {"leaf": Bill("bill", kind=2).leaf},
        {"leaf": Bill("bill", second="stranger").leaf},
    ],
    ids=str,
)
def test_a_lodge_without_proof_is_refused(desk: Desk, batch: Batch, change: dict[str, Any]) -> None:
    with refused(desk, Outcome.BAD_PROOF):
        desk.lodge(batch, 1, role="commercial", **change)


# ----------------------------------------------------------------------------------------- settle


def test_settle_pays_and_closes_the_claim(desk: Desk, lodged: Batch) -> None:
    report = desk.settle(BILL, 1, 4_000)
    assert (report.name, report.call, report.value) == ("Settled", Call.SETTLE, 4_000)
    assert (report.payer, report.counter, report.version) == (BASIC, 1, 1)
    assert (report.reference, report.paid, report.total) == (lodged.reference(1), 4_000, 10_000)
    assert report.rest == {"decisionFingerprint": digest("decision"), "policyHash": POLICY}
    state = desk.state(BILL)
    assert (state["open"], state["deadline"], state["counter"]) == (0, 0, 1)
    assert (state["paid"], state["settled"]) == (4_000, 1)


def test_settle_may_pay_nothing(desk: Desk, lodged: Batch) -> None:
    assert desk.settle(BILL, 1, 0).name == "Settled"
    assert desk.state(BILL)["settled"] == 1


@pytest.mark.parametrize("amount", [10_001, 2**40, 2**63, 2**64 - 1])
def test_settle_beyond_the_total_is_refused(desk: Desk, lodged: Batch, amount: int) -> None:
    with refused(desk, Outcome.OVER_TOTAL):
        desk.settle(BILL, 1, amount)


def test_settle_beyond_what_another_left_is_refused(desk: Desk, lodged: Batch) -> None:
    _pay_and_lodge_again(desk, lodged)
    with refused(desk, Outcome.OVER_TOTAL):
        desk.settle(BILL, 2, 6_001, role="commercial")
    desk.settle(BILL, 2, 6_000, role="commercial")


@pytest.mark.parametrize("policy", [ZERO, digest("unpublished")])
def test_settle_under_an_unpublished_policy_is_refused(
    desk: Desk, lodged: Batch, policy: bytes
) -> None:
    item = desk.settle_item(BILL, policy=policy)
    with refused(desk, Outcome.POLICY_UNKNOWN):
        desk.run(desk.functions.settle(item), "basic")


@pytest.mark.parametrize("role", ["second_basic", "commercial", "mutual"])
def test_settle_by_a_payer_without_the_claim_is_stale(desk: Desk, lodged: Batch, role: str) -> None:
    with refused(desk, Outcome.STALE, holder=(BASIC, 1)):
        desk.settle(BILL, role=role)


@pytest.mark.parametrize("counter", [0, 2, 65_535])
def test_settle_of_another_counter_is_stale(desk: Desk, lodged: Batch, counter: int) -> None:
    with refused(desk, Outcome.STALE, holder=(BASIC, 1)):
        desk.settle(BILL, counter)


@pytest.mark.parametrize("counter", [0, 1])
def test_settle_of_a_bill_never_lodged_is_stale(desk: Desk, batch: Batch, counter: int) -> None:
    with refused(desk, Outcome.STALE):
        desk.settle(BILL, counter)


def test_settle_is_valid_after_the_deadline_until_expired(desk: Desk, lodged: Batch) -> None:
    desk.chain.travel(desk.chain.now() + 31 * DAY)
    assert desk.settle(BILL).name == "Settled"


def test_settle_after_expiry_is_stale(desk: Desk, lodged: Batch) -> None:
    desk.chain.travel(desk.chain.now() + 31 * DAY)
    desk.expire(BILL)
    with refused(desk, Outcome.STALE):
        desk.settle(BILL)


# ---------------------------------------------------------------------------------------- release


def test_release_with_nothing_settled_clears_the_binding(desk: Desk, lodged: Batch) -> None:
    report = desk.release(BILL, reason=1)
    assert (report.name, report.call, report.value) == ("Released", Call.RELEASE, 1)
    assert (report.reference, report.total) == (lodged.reference(1), 10_000)
    assert report.rest == {"decisionFingerprint": digest("refusal"), "policyHash": POLICY}
    assert desk.raw(BILL) == 1 << 168
    assert desk.lodge(lodged, 1, counter=2, role="commercial").outcome == Outcome.DONE


def test_release_after_a_settlement_keeps_the_binding(desk: Desk, lodged: Batch) -> None:
    _pay_and_lodge_again(desk, lodged)
    desk.release(BILL, 2, role="commercial")
    state = desk.state(BILL)
    assert (state["reference"], state["paid"]) == (lodged.reference(1), 4_000)
    assert (state["total"], state["open"], state["settled"]) == (10_000, 0, 1)


@pytest.mark.parametrize("policy", [ZERO, digest("unpublished")])
def test_a_refusal_without_a_published_policy_is_refused(
    desk: Desk, lodged: Batch, policy: bytes
) -> None:
    item = (BILL.key, 1, 1, digest("refusal"), 1, policy)
    with refused(desk, Outcome.POLICY_UNKNOWN):
        desk.run(desk.functions.release(item), "basic")


def test_release_again_is_a_no_op(desk: Desk, lodged: Batch) -> None:
    desk.release(BILL)
    report = desk.release(BILL)
    assert (report.name, report.outcome) == ("Unchanged", Outcome.REPEATED)


@pytest.mark.parametrize(
    ("role", "counter"), [("commercial", 1), ("second_basic", 1), ("basic", 0), ("basic", 2)]
)
def test_release_of_a_claim_that_is_not_open_is_stale(
    desk: Desk, lodged: Batch, role: str, counter: int
) -> None:
    with refused(desk, Outcome.STALE, holder=(BASIC, 1)):
        desk.release(BILL, counter, role=role)


def test_release_of_a_bill_never_lodged_is_stale(desk: Desk, batch: Batch) -> None:
    with refused(desk, Outcome.STALE):
        desk.release(BILL, 0)


# ------------------------------------------------------------------------------------------ renew


def test_renew_moves_the_deadline_without_limit_of_times(desk: Desk, lodged: Batch) -> None:
    for days in (60, 90, 120):
        deadline = desk.deadline(days)
        assert desk.renew(BILL, deadline).value == deadline
        assert desk.state(BILL)["deadline"] == deadline


def test_renewing_to_the_same_deadline_is_a_no_op(desk: Desk, lodged: Batch) -> None:
    deadline = desk.state(BILL)["deadline"]
    assert desk.renew(BILL, deadline).outcome == Outcome.REPEATED


def test_a_renewal_out_of_range_is_refused(desk: Desk, lodged: Batch) -> None:
    far = desk.chain.now() + 180 * DAY + 1_000
    for deadline in (far, desk.state(BILL)["deadline"] - 1, 1, 2**32 - 1):
        with refused(desk, Outcome.BAD_DEADLINE):
            desk.renew(BILL, deadline)


def test_renew_of_a_claim_that_is_not_open_is_stale(desk: Desk, lodged: Batch) -> None:
    for counter, role in ((0, "basic"), (2, "basic"), (1, "commercial")):
        with refused(desk, Outcome.STALE, holder=(BASIC, 1)):
            desk.renew(BILL, desk.deadline(60), counter, role)


def test_renew_after_settlement_is_stale(desk: Desk, lodged: Batch) -> None:
    desk.settle(BILL)
    with refused(desk, Outcome.STALE):
        desk.renew(BILL, desk.deadline(60))


def test_a_renewal_to_the_past_is_refused_though_the_lock_has_run_out(
    desk: Desk, lodged: Batch
) -> None:
    deadline = desk.state(BILL)["deadline"]
    desk.chain.travel(deadline + DAY)
    with refused(desk, Outcome.BAD_DEADLINE):
        desk.renew(BILL, deadline + 10)
    assert desk.renew(BILL, desk.deadline(10)).name == "Renewed"


# ----------------------------------------------------------------------------------------- expire


def test_anyone_expires_a_lock_whose_deadline_has_passed(desk: Desk, lodged: Batch) -> None:
    desk.chain.travel(desk.chain.now() + 31 * DAY)
    report = desk.expire(BILL)
    assert (report.name, report.call, report.payer) == ("Expired", Call.EXPIRE, BASIC)
    assert desk.raw(BILL) == 1 << 168
    assert desk.expire(BILL).outcome == Outcome.REPEATED


def test_expire_before_the_deadline_is_refused(desk: Desk, lodged: Batch) -> None:
    with refused(desk, Outcome.NOT_DUE, holder=(BASIC, 1)):
        desk.expire(BILL)


def test_expire_of_another_counter_is_stale(desk: Desk, lodged: Batch) -> None:
    desk.chain.travel(desk.chain.now() + 31 * DAY)
    for counter in (0, 2):
        with refused(desk, Outcome.STALE, holder=(BASIC, 1)):
            desk.expire(BILL, counter)


def test_expire_is_refused_while_paused(desk: Desk, lodged: Batch) -> None:
    desk.chain.travel(desk.chain.now() + 31 * DAY)
    desk.chain.send(desk.chain.registry.functions.pause(), "pauser")
    with refused(desk, Outcome.PAUSED):
        desk.expire(BILL)


def test_expire_after_a_settlement_keeps_the_binding(desk: Desk, lodged: Batch) -> None:
    _pay_and_lodge_again(desk, lodged)
    desk.chain.travel(desk.chain.now() + 40 * DAY)
    desk.expire(BILL, 2)
    assert desk.state(BILL)["reference"] == lodged.reference(1)
    with refused(desk, Outcome.SETTLED_BY_BASIC, holder=(BASIC, 0)):
        desk.lodge(lodged, 1, counter=3, role="second_basic")
    assert (SECOND_BASIC, MUTUAL) == (2, 4)
