"""Anchoring: the chain of heads of an institution."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest

from tests.contracts.bills import ZERO, Bill, Desk, digest
from tests.contracts.chain import DAY, Chain, expect_revert


class Anchor(IntEnum):
    """The contract's anchor outcomes, written down again from the interface."""

    REPEATED = 1
    CONFLICT = 2
    NOT_NEXT = 3
    SUSPENDED = 4
    BEFORE_AGREEMENT = 5
    AFTER_GRACE = 6
    PAUSED = 7
    RETIRED = 8


ROOT = digest("a root")


def _unchanged(
    desk: Desk, sequence: int, root: bytes, size: int, previous: bytes
) -> dict[str, Any]:
    anchor = desk.functions.anchor(sequence, root, size, previous)
    ((name, arguments),) = desk.events(desk.chain.send(anchor, "hospital"))
    assert name == "AnchorUnchanged"
    assert arguments["account"] == desk.chain.accounts["hospital"]
    return arguments


def test_batches_chain_and_the_heads_are_the_verifiers(chain: Chain, desk: Desk) -> None:
    first = desk.anchor(Bill("a"), Bill("b"))
    second = desk.anchor(Bill("c"))
    other = desk.anchor(Bill("d", code="H330800002"), role="clinic")
    assert second.previous_head == first.head
    for batch in (first, second, other):
        head = chain.view(desk.functions.head(batch.institution, batch.sequence))
        assert head == batch.head == chain.view(desk.functions.computeHead(batch.ref))
    assert chain.view(desk.functions.head(1, 3)) == ZERO


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 8])
def test_the_last_sequence_is_found(chain: Chain, desk: Desk, count: int) -> None:
    for number in range(count):
        desk.anchor(Bill(str(number)))
    assert chain.view(desk.functions.lastSequence(1)) == count


def test_the_event_carries_all_that_the_head_holds(desk: Desk) -> None:
    anchor = desk.functions.anchor(1, ROOT, 1024, ZERO)
    ((name, arguments),) = desk.events(desk.chain.send(anchor, "hospital"))
    assert name == "Anchored"
    assert arguments == {
        "institution": 1,
        "sequence": 1,
        "account": desk.chain.accounts["hospital"],
        "root": ROOT,
        "previousHead": ZERO,
        "head": desk.chain.view(desk.functions.head(1, 1)),
        "size": 1024,
    }


def test_the_same_anchor_again_is_a_no_op(desk: Desk) -> None:
    batch = desk.anchor(Bill("a"))
    answer = _unchanged(desk, 1, batch.root, 1, ZERO)
    assert (answer["outcome"], answer["head"]) == (Anchor.REPEATED, batch.head)


@pytest.mark.parametrize("change", ["root", "size", "previous"])
def test_another_anchor_under_a_used_sequence_is_evidence(desk: Desk, change: str) -> None:
    desk.anchor(Bill("a"))
    batch = desk.anchor(Bill("b"))
    values = {"root": batch.root, "size": 1, "previous": batch.previous_head}
    values |= {"root": {"root": ROOT}, "size": {"size": 2}, "previous": {"previous": ZERO}}[change]
    answer = _unchanged(desk, 2, values["root"], values["size"], values["previous"])
    assert answer["outcome"] == Anchor.CONFLICT
    assert (answer["head"], answer["root"]) == (batch.head, values["root"])
    assert desk.chain.view(desk.functions.head(1, 2)) == batch.head


@pytest.mark.parametrize(
    ("sequence", "previous"),
    [(1, "wrong"), (2, "zero"), (2, "wrong"), (3, "zero"), (3, "first"), (4, "zero")],
)
def test_a_gap_or_wrong_previous_head_is_not_next(desk: Desk, sequence: int, previous: str) -> None:
    heads = {"wrong": digest("wrong"), "zero": ZERO, "first": ZERO}
    if sequence > 1:
        heads["first"] = desk.anchor(Bill("a")).head
    answer = _unchanged(desk, sequence, ROOT, 1, heads[previous])
    assert (answer["outcome"], answer["head"]) == (Anchor.NOT_NEXT, ZERO)
    assert desk.chain.view(desk.functions.head(1, sequence)) == ZERO


@pytest.mark.parametrize(
    ("sequence", "root", "size"),
    [(0, ROOT, 1), (2**22, ROOT, 1), (1, ROOT, 0), (1, ROOT, 1025), (1, ZERO, 1)],
)
def test_an_anchor_out_of_range_reverts(
    chain: Chain, desk: Desk, sequence: int, root: bytes, size: int
) -> None:
    with expect_revert(chain.ledger, "LedgerAnchorInvalid", sequence, size):
        chain.view(desk.functions.anchor(sequence, root, size, ZERO), "hospital")


@pytest.mark.parametrize("caller", ["stranger", "admin", "registrar", "basic"])
def test_only_institutions_anchor(chain: Chain, desk: Desk, caller: str) -> None:
    with expect_revert(chain.ledger, "LedgerNotInstitution", chain.accounts[caller]):
        chain.view(desk.functions.anchor(1, ROOT, 1, ZERO), caller)


def test_a_suspended_institution_cannot_anchor(chain: Chain, desk: Desk) -> None:
    chain.send(chain.registry.functions.suspendInstitution(1, True), "registrar")
    assert _unchanged(desk, 1, ROOT, 1, ZERO)["outcome"] == Anchor.SUSPENDED
    chain.send(chain.registry.functions.suspendInstitution(1, False), "registrar")
    desk.anchor(Bill("a"))


def test_nothing_is_anchored_before_the_agreement(chain: Chain, desk: Desk) -> None:
    start = chain.now() + DAY
    terms = (1, start, start + DAY, 0, 1)
    chain.send(chain.registry.functions.changeInstitutionTerms(*terms), "registrar")
    assert _unchanged(desk, 1, ROOT, 1, ZERO)["outcome"] == Anchor.BEFORE_AGREEMENT


def test_anchoring_stays_open_in_the_grace_period_and_ends_with_it(
    chain: Chain, desk: Desk
) -> None:
    end = chain.view(chain.registry.functions.institution(1))[2]
    chain.travel(end + 20 * DAY)
    desk.anchor(Bill("a"))
    chain.travel(end + 30 * DAY + 1)
    answer = _unchanged(desk, 2, ROOT, 1, digest("head"))
    assert answer["outcome"] == Anchor.AFTER_GRACE


def test_pause_stops_anchoring_and_a_repetition_is_still_told(chain: Chain, desk: Desk) -> None:
    batch = desk.anchor(Bill("a"))
    chain.send(chain.registry.functions.pause(), "pauser")
    assert _unchanged(desk, 2, ROOT, 1, batch.head)["outcome"] == Anchor.PAUSED
    assert _unchanged(desk, 1, batch.root, 1, ZERO)["outcome"] == Anchor.REPEATED
    chain.send(chain.registry.functions.unpause(), "pauser")
    desk.anchor(Bill("b"))
