"""Batch entry points: an event an item, never a revert for one, the same outcomes as singly."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.bills import ZERO, Bill, Call, Desk, Outcome, digest
from tests.contracts.chain import BASIC, POLICY, expect_revert


def _send(desk: Desk, function: Any, sender: str = "basic") -> list[Any]:
    return desk.reports(desk.chain.send(function, sender))


def test_one_bad_item_of_each_sort_leaves_the_others_standing(desk: Desk) -> None:
    bills = [Bill(str(number)) for number in range(6)]
    first = desk.anchor(*bills[:3])
    second = desk.anchor(*bills[3:])
    desk.lodge(first, 0, role="commercial")
    items = [
        desk.lodge_item(first, 0),
        desk.lodge_item(first, 1),
        desk.lodge_item(first, 1),
        desk.lodge_item(second, 0, batch_index=1, proof=[]),
        desk.lodge_item(second, 1, batch_index=1),
        desk.lodge_item(second, 2, batch_index=7),
        desk.lodge_item(second, 2, counter=5, batch_index=1),
        desk.lodge_item(first, 2, batch_index=2),
    ]
    wrong = (*first.ref[:4], first.ref[4] + 1)
    reports = _send(desk, desk.functions.lodgeBatch([first.ref, second.ref, wrong], items))
    assert [report.index for report in reports] == list(range(8))
    assert [report.outcome for report in reports] == [
        Outcome.LOCKED,
        Outcome.DONE,
        Outcome.REPEATED,
        Outcome.BAD_PROOF,
        Outcome.DONE,
        Outcome.BAD_BATCH,
        Outcome.STALE,
        Outcome.BAD_BATCH,
    ]
    assert [report.name for report in reports].count("Lodged") == 2
    assert reports[0].holder == (3, 1)
    assert reports[0].reference == first.reference(0)
    assert reports[4].reference == second.reference(1)
    assert [report.key for report in reports] == [item[0][3] for item in items]
    assert {report.payer for report in reports} == {BASIC}
    assert [report.counter for report in reports] == [1, 1, 1, 1, 1, 1, 5, 1]


def test_settle_release_renew_and_expire_report_each_item(desk: Desk) -> None:
    bills = [Bill(str(number)) for number in range(4)]
    batch = desk.anchor(*bills)
    lodges = [desk.lodge_item(batch, index) for index in range(4)]
    _send(desk, desk.functions.lodgeBatch([batch.ref], lodges))
    settles = [
        desk.settle_item(bills[0]),
        desk.settle_item(bills[0]),
        desk.settle_item(bills[1], amount=10_001),
        desk.settle_item(bills[1], counter=9),
        desk.settle_item(bills[1], policy=digest("unpublished")),
    ]
    reports = _send(desk, desk.functions.settleBatch(settles))
    assert [(report.index, report.outcome) for report in reports] == [
        (0, Outcome.DONE),
        (1, Outcome.ALREADY_SETTLED),
        (2, Outcome.OVER_TOTAL),
        (3, Outcome.STALE),
        (4, Outcome.POLICY_UNKNOWN),
    ]
    assert (reports[3].holder, reports[3].paid, reports[3].total) == ((BASIC, 1), 0, 10_000)
    releases = [
        desk.release_item(bills[2]),
        desk.release_item(bills[2]),
        (bills[3].key, 1, 1, ZERO, 1, ZERO),
    ]
    reports = _send(desk, desk.functions.releaseBatch(releases))
    assert [report.outcome for report in reports] == [
        Outcome.DONE,
        Outcome.REPEATED,
        Outcome.POLICY_UNKNOWN,
    ]
    renewals = [(bills[3].key, 1, desk.deadline(60)), (bills[2].key, 1, desk.deadline(60))]
    reports = _send(desk, desk.functions.renewBatch(renewals))
    assert [report.outcome for report in reports] == [Outcome.DONE, Outcome.STALE]
    expiries = [(bills[3].key, 1), (bills[2].key, 1), (bills[0].key, 7)]
    reports = _send(desk, desk.functions.expireBatch(expiries), "stranger")
    assert [(report.call, report.outcome) for report in reports] == [
        (Call.EXPIRE, Outcome.NOT_DUE),
        (Call.EXPIRE, Outcome.REPEATED),
        (Call.EXPIRE, Outcome.STALE),
    ]


def test_the_policy_of_each_item_is_asked_for(desk: Desk) -> None:
    bills = [Bill(str(number)) for number in range(3)]
    batch = desk.anchor(*bills)
    lodges = [desk.lodge_item(batch, index) for index in range(3)]
    _send(desk, desk.functions.lodgeBatch([batch.ref], lodges))
    policies = (POLICY, digest("unpublished"), POLICY)
    items = [
        desk.settle_item(bill, policy=policy) for bill, policy in zip(bills, policies, strict=True)
    ]
    reports = _send(desk, desk.functions.settleBatch(items))
    assert [report.outcome for report in reports] == [
        Outcome.DONE,
        Outcome.POLICY_UNKNOWN,
        Outcome.DONE,
    ]


def test_issuers_calls_report_each_item(desk: Desk) -> None:
    bills = [Bill(str(number)) for number in range(3)]
    old = desk.anchor(*bills)
    new = desk.anchor(bills[2].corrected())
    refs = [old.ref, new.ref]
    items = [
        old.leaf_proof(0),
        old.leaf_proof(0),
        old.leaf_proof(1, 9),
        (*old.leaf_proof(1)[:3], []),
    ]
    reports = _send(desk, desk.functions.voidBatch(refs, items), "hospital")
    assert [(report.call, report.outcome) for report in reports] == [
        (Call.VOID, Outcome.DONE),
        (Call.VOID, Outcome.REPEATED),
        (Call.VOID, Outcome.BAD_BATCH),
        (Call.VOID, Outcome.BAD_PROOF),
    ]
    reports = _send(desk, desk.functions.reverseBatch(refs, [old.leaf_proof(1)]), "hospital")
    assert [(report.call, report.name) for report in reports] == [(Call.REVERSE, "Reversed")]
    pairs = [
        (old.leaf_proof(2), new.leaf_proof(0, 1)),
        (old.leaf_proof(2), new.leaf_proof(0, 1)),
        (old.leaf_proof(0), new.leaf_proof(0, 1)),
    ]
    reports = _send(desk, desk.functions.supersedeBatch(refs, pairs), "hospital")
    assert [report.outcome for report in reports] == [
        Outcome.DONE,
        Outcome.REPEATED,
        Outcome.BAD_LEAF,
    ]


@pytest.mark.parametrize(
    "call",
    ["lodgeBatch", "settleBatch", "releaseBatch", "renewBatch", "expireBatch", "voidBatch"],
)
def test_more_than_a_hundred_items_revert(desk: Desk, call: str) -> None:
    batch = desk.anchor(Bill("a"))
    items: dict[str, Any] = {
        "lodgeBatch": desk.lodge_item(batch, 0),
        "settleBatch": desk.settle_item(Bill("a")),
        "releaseBatch": desk.release_item(Bill("a")),
        "renewBatch": (ZERO, 1, 1),
        "expireBatch": (ZERO, 1),
        "voidBatch": batch.leaf_proof(0),
    }
    with_batches = call in ("lodgeBatch", "voidBatch")
    arguments = ([batch.ref], [items[call]] * 101) if with_batches else ([items[call]] * 101,)
    function = desk.functions[call](*arguments)
    size = len(bytes.fromhex(function._encode_transaction_data()[2:]))
    with expect_revert(desk.chain.ledger, "LedgerCallTooLarge", 101, int(with_batches), size):
        desk.chain.view(function, "hospital" if call == "voidBatch" else "basic")


def test_more_than_128_kilobytes_revert(desk: Desk) -> None:
    batch = desk.anchor(Bill("a"))
    item = desk.lodge_item(batch, 0, proof=[ZERO] * 64)
    function = desk.functions.lodgeBatch([batch.ref], [item] * 60)
    size = len(bytes.fromhex(function._encode_transaction_data()[2:]))
    assert size > 131_072
    with expect_revert(desk.chain.ledger, "LedgerCallTooLarge", 60, 1, size):
        desk.chain.view(function, "basic")


def test_an_empty_batch_is_nothing(desk: Desk) -> None:
    assert _send(desk, desk.functions.lodgeBatch([], [])) == []
    assert _send(desk, desk.functions.expireBatch([]), "stranger") == []


@pytest.mark.parametrize("call", ["settleBatch", "releaseBatch", "renewBatch"])
def test_a_batch_of_who_is_no_payer_reverts(desk: Desk, call: str) -> None:
    with expect_revert(desk.chain.ledger, "LedgerNotPayer", desk.chain.accounts["hospital"]):
        desk.chain.view(desk.functions[call]([]), "hospital")


@pytest.mark.parametrize("call", ["supersedeBatch", "voidBatch", "reverseBatch"])
def test_a_batch_of_who_is_no_institution_reverts(desk: Desk, call: str) -> None:
    account = desk.chain.accounts["basic"]
    with expect_revert(desk.chain.ledger, "LedgerNotInstitution", account):
        desk.chain.view(desk.functions[call]([], []), "basic")


def test_a_paused_ledger_answers_each_item(desk: Desk) -> None:
    batch = desk.anchor(Bill("a"), Bill("b"))
    desk.chain.send(desk.chain.registry.functions.pause(), "pauser")
    items = [desk.lodge_item(batch, 0), desk.lodge_item(batch, 1)]
    reports = _send(desk, desk.functions.lodgeBatch([batch.ref], items))
    assert [report.outcome for report in reports] == [Outcome.PAUSED] * 2
