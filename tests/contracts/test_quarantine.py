"""Quarantined batches: nothing is claimed or paid on them, locks end, corrections lead out."""

from __future__ import annotations

from typing import Any

import pytest
from web3.logs import DISCARD

from tests.contracts.bills import PINNED, Batch, Bill, Desk, Outcome, digest
from tests.contracts.chain import DAY, Chain, expect_revert
from tests.contracts.test_claims import BILL, refused

REASON = digest("reason")


@pytest.fixture
def batch(desk: Desk) -> Batch:
    return desk.anchor(BILL, Bill("other"))


def _ranges(chain: Chain, institution: int = 1) -> list[tuple[int, int]]:
    return list(chain.view(chain.registry.functions.quarantines(institution)))


def _events(chain: Chain, function: Any) -> list[dict[str, Any]]:
    receipt = chain.send(function, "registrar")
    events = chain.registry.events
    return [
        dict(event["args"])
        for kind in (events.BatchesQuarantined, events.QuarantineLifted)
        for event in kind().process_receipt(receipt, DISCARD)
    ]


# ------------------------------------------------------------------------------------- registry


def test_a_quarantine_is_set_and_lifted_by_exact_range(chain: Chain) -> None:
    functions = chain.registry.functions
    assert _events(chain, functions.quarantine(1, 2, 4, REASON)) == [
        {"institution": 1, "from": 2, "to": 4, "reason": REASON}
    ]
    chain.send(functions.quarantine(1, 4, 2**32 - 1, REASON), "registrar")
    chain.send(functions.quarantine(1, 7, 7, REASON), "registrar")
    assert chain.view(functions.institution(1))[-1] == 3
    code = chain.view(functions.institutionCode(1))
    for sequence, expected in ((1, False), (2, True), (3, True), (4, True), (2**32 - 1, True)):
        assert chain.view(functions.batchContext(1, sequence)) == [code, expected]
    assert chain.view(functions.batchContext(2, 3))[1] is False
    assert _events(chain, functions.lift(1, 4, 2**32 - 1)) == [
        {"institution": 1, "from": 4, "to": 2**32 - 1}
    ]
    assert sorted(_ranges(chain)) == [(2, 4), (7, 7)]
    assert [chain.view(functions.batchContext(1, n))[1] for n in (4, 5, 7)] == [True, False, True]
    chain.send(functions.lift(1, 7, 7), "registrar")
    chain.send(functions.lift(1, 2, 4), "registrar")
    assert _ranges(chain) == []
    assert chain.view(functions.callerContext(chain.accounts["basic"]))[4] is False


@pytest.mark.parametrize(("start", "end"), [(0, 1), (2, 1), (3, 4)])
def test_an_empty_or_repeated_range_is_refused(chain: Chain, start: int, end: int) -> None:
    functions = chain.registry.functions
    chain.send(functions.quarantine(1, 3, 4, REASON), "registrar")
    with expect_revert(chain.registry, "RegistryRangeInvalid", 1, start, end):
        chain.view(functions.quarantine(1, start, end, REASON), "registrar")


@pytest.mark.parametrize(("start", "end"), [(3, 5), (2, 4), (4, 4), (0, 0)])
def test_lifting_part_of_a_range_is_refused(chain: Chain, start: int, end: int) -> None:
    functions = chain.registry.functions
    chain.send(functions.quarantine(1, 3, 4, REASON), "registrar")
    with expect_revert(chain.registry, "RegistryRangeInvalid", 1, start, end):
        chain.view(functions.lift(1, start, end), "registrar")
    with expect_revert(chain.registry, "RegistryRangeInvalid", 2, 3, 4):
        chain.view(functions.lift(2, 3, 4), "registrar")


def test_the_33rd_range_of_an_institution_is_refused(chain: Chain) -> None:
    functions = chain.registry.functions
    for sequence in range(1, 33):
        chain.send(functions.quarantine(1, sequence, sequence, REASON), "registrar")
    with expect_revert(chain.registry, "RegistryFull"):
        chain.view(functions.quarantine(1, 33, 33, REASON), "registrar")
    chain.send(functions.lift(1, 5, 5), "registrar")
    chain.send(functions.quarantine(1, 33, 33, REASON), "registrar")
    assert [chain.view(functions.batchContext(1, n))[1] for n in (4, 5, 32, 33)] == [
        True,
        False,
        True,
        True,
    ]


def test_quarantine_of_an_unknown_institution_is_refused(chain: Chain) -> None:
    functions = chain.registry.functions
    for function in (functions.quarantine(3, 1, 1, REASON), functions.lift(3, 1, 1)):
        with expect_revert(chain.registry, "RegistryInstitutionUnknown", 3):
            chain.view(function, "registrar")


# --------------------------------------------------------------------------------------- ledger


def test_nothing_of_a_quarantined_batch_is_lodged_until_it_is_lifted(
    desk: Desk, batch: Batch
) -> None:
    desk.quarantine(batch)
    for role in ("basic", "commercial"):
        with refused(desk, Outcome.QUARANTINED):
            desk.lodge(batch, role=role)
    desk.quarantine(batch, lifted=True)
    assert desk.lodge(batch).name == "Lodged"


def test_an_open_claim_in_a_quarantined_batch_is_only_released(desk: Desk, batch: Batch) -> None:
    desk.lodge(batch)
    desk.quarantine(batch)
    with refused(desk, Outcome.QUARANTINED):
        desk.settle(BILL)
    with refused(desk, Outcome.QUARANTINED):
        desk.settle(BILL, amount=0)
    with refused(desk, Outcome.QUARANTINED):
        desk.renew(BILL, desk.deadline(60))
    assert desk.lodge(batch).outcome == Outcome.REPEATED
    assert desk.release(BILL, reason=3).name == "Released"


def test_an_open_claim_in_a_quarantined_batch_expires(desk: Desk, batch: Batch) -> None:
    desk.lodge(batch)
    desk.quarantine(batch)
    desk.chain.travel(desk.chain.now() + 31 * DAY)
    assert desk.expire(BILL).name == "Expired"


def test_a_settled_bill_in_a_quarantined_batch_says_so_first(desk: Desk, batch: Batch) -> None:
    desk.lodge(batch)
    desk.settle(BILL)
    desk.quarantine(batch)
    with refused(desk, Outcome.ALREADY_SETTLED, holder=(1, 0)):
        desk.settle(BILL)
    with refused(desk, Outcome.QUARANTINED):
        desk.supplement(BILL, 1_000, 1)


def test_corrections_lead_out_of_a_quarantined_batch_and_not_into_it(
    desk: Desk, batch: Batch
) -> None:
    later = desk.anchor(BILL.corrected(), Bill("other", version="corrected"))
    desk.quarantine(later)
    with refused(desk, Outcome.QUARANTINED):
        desk.supersede((batch, 0), (later, 0))
    desk.quarantine(later, lifted=True)
    desk.quarantine(batch)
    assert desk.supersede((batch, 0), (later, 0)).name == "Superseded"
    assert desk.lodge(later).name == "Lodged"


def test_an_issuer_may_withdraw_from_a_quarantined_batch_but_not_exchange(
    desk: Desk, batch: Batch
) -> None:
    desk.exchange(batch, 1, digest("paper"))
    desk.quarantine(batch)
    with refused(desk, Outcome.QUARANTINED):
        desk.exchange(batch, 0, digest("another paper"))
    assert desk.void(batch, 0).name == "Voided"
    assert desk.reverse(batch, 0).name == "Reversed"
    assert desk.give_back(batch, 1, digest("paper")).name == "Returned"
    with refused(desk, Outcome.QUARANTINED, Bill("other")):
        desk.lodge(batch, 1)


def test_the_registrar_may_rule_for_a_leaf_in_a_quarantined_batch(desk: Desk, batch: Batch) -> None:
    desk.quarantine(batch)
    assert desk.rule_for(batch).name == "Ruled"
    assert desk.state(BILL)["flags"] == PINNED
    with refused(desk, Outcome.QUARANTINED):
        desk.lodge(batch)


def test_a_quarantine_bars_its_own_batches_alone(desk: Desk, batch: Batch) -> None:
    clean = desk.anchor(Bill("clean"), Bill("clean too"))
    desk.lodge(batch, 0)
    desk.lodge(clean, 0)
    desk.quarantine(batch)
    items = [desk.settle_item(BILL), desk.settle_item(Bill("clean"))]
    receipt = desk.chain.send(desk.functions.settleBatch(items), "basic")
    assert [report.outcome for report in desk.reports(receipt)] == [
        Outcome.QUARANTINED,
        Outcome.DONE,
    ]
    lodges = [desk.lodge_item(batch, 1), desk.lodge_item(clean, 1, batch_index=1)]
    receipt = desk.chain.send(desk.functions.lodgeBatch([batch.ref, clean.ref], lodges), "basic")
    assert [report.outcome for report in desk.reports(receipt)] == [
        Outcome.QUARANTINED,
        Outcome.DONE,
    ]
