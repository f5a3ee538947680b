"""Clique's seals, votes and finality, against headers recorded from four geth validators; what is
expected is geth's own account of them (clique_getSigner, clique_getSigners)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.ledger.clique import (
    SealedBlock,
    Signers,
    checkpoint_signers,
    final_number,
    sealer_of,
)
from backend.adapters.ledger.headers import Header, HeaderError

RECORDED = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "clique_headers.json").read_text("utf-8")
)
HEADERS = [Header.parse(block) for block in RECORDED["blocks"]]
EPOCH = RECORDED["epoch"]
#: Blocks of the recording: the fourth signer is dropped in 8 and added again in 37.
DROPPED, CHECKPOINT, ADDED = 8, 30, 37


def accounts(listed: list[str]) -> frozenset[bytes]:
    return frozenset(bytes.fromhex(account[2:]) for account in listed)


def walk(first: int = 0) -> list[SealedBlock]:
    """Each block after a checkpoint with the signers that were in force for it."""
    signers = Signers(checkpoint_signers(HEADERS[first]))
    blocks = []
    for header in HEADERS[first + 1 :]:
        blocks.append(SealedBlock(header, signers))
        signers = signers.after(header, EPOCH)
    return blocks


def test_a_header_hashes_to_what_the_node_calls_it() -> None:
    assert [header.digest() for header in HEADERS] == [header.hash for header in HEADERS]


def test_the_sealer_is_the_one_that_geth_names() -> None:
    found = ["0x" + sealer_of(header).hex() for header in HEADERS[1:]]
    assert found == RECORDED["sealers"][1:]


def test_votes_change_the_signers_as_in_geth() -> None:
    signers = Signers(checkpoint_signers(HEADERS[0]))
    for header, listed in zip(HEADERS[1:], RECORDED["signers"][1:], strict=True):
        signers = signers.after(header, EPOCH)
        assert signers.accounts == accounts(listed), header.number
    sizes = [len(listed) for listed in RECORDED["signers"]]
    assert (sizes[DROPPED - 1], sizes[DROPPED], sizes[ADDED]) == (4, 3, 4)


def test_a_checkpoint_in_the_middle_lists_the_signers_of_that_time() -> None:
    assert checkpoint_signers(HEADERS[CHECKPOINT]) == accounts(RECORDED["signers"][CHECKPOINT])
    assert {len(block.signers.accounts) for block in walk(CHECKPOINT)} == {3, 4}


def test_open_votes_end_at_a_checkpoint() -> None:
    before = Signers(checkpoint_signers(HEADERS[0]))
    for header in HEADERS[1:6]:
        before = before.after(header, 30)
    assert before.votes  # the first vote against the fourth signer is open
    reset = before.after(HEADERS[7], 7)  # as if block 7 were a checkpoint
    assert reset.votes == ()


def by_hand(head: int) -> int:
    """The newest block with enough different sealers above it, counted from geth's answers."""
    for number in range(head - 1, -1, -1):
        above = set(RECORDED["sealers"][number + 1 : head + 1])
        most = max(len(RECORDED["signers"][n - 1]) for n in range(number + 1, head + 1))
        if len(above) >= most // 2 + 1:
            return number
    return -1


@pytest.mark.parametrize("head", [5, 9, 20, 33, 38, 46])
def test_a_block_is_final_once_a_majority_of_signers_has_built_on_it(head: int) -> None:
    blocks = [block for block in walk() if block.header.number <= head]
    assert final_number(blocks, {}) == by_hand(head)


def test_four_signers_need_three_blocks_above() -> None:
    blocks = [block for block in walk() if block.header.number <= 6]
    assert final_number(blocks, {}) == 3


def test_two_signers_of_four_make_nothing_final() -> None:
    """What one half of a cut network can seal by itself: one block each."""
    two = walk()[3:5]
    assert len({sealer_of(block.header) for block in two}) == 2
    assert final_number(two, {}) is None


def test_one_signer_sealing_many_blocks_makes_nothing_final() -> None:
    lone = RECORDED["sealers"][1]
    its = [block for block in walk() if "0x" + sealer_of(block.header).hex() == lone]
    assert len(its) > 5
    assert final_number(its, {}) is None


def test_a_block_that_no_signer_sealed_is_refused() -> None:
    blocks = walk()[:6]
    stranger = sealer_of(blocks[-1].header)
    others = replace(blocks[-1], signers=Signers(blocks[-1].signers.accounts - {stranger}))
    with pytest.raises(HeaderError, match="sealed by somebody who is no signer"):
        final_number([*blocks[:-1], others], {})


def altered(block: int, /, **changes: Any) -> Header:
    return Header.parse({**RECORDED["blocks"][block], **changes})


@pytest.mark.parametrize("name", ["gasUsed", "timestamp", "difficulty", "stateRoot"])
def test_a_header_that_was_altered_has_another_sealer_and_hash(name: str) -> None:
    value = "0x77" if name != "stateRoot" else "0x" + "77" * 32
    header = altered(9, **{name: value})
    assert header.digest() != header.hash
    assert "0x" + sealer_of(header).hex() != RECORDED["sealers"][9]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extraData": "0x" + "00" * 96}, "no room for a Clique seal"),
        ({"extraData": "0x" + "00" * 97}, "a seal is no signature"),
        ({"extraData": "0x" + "00" * 96 + "04"}, "a seal is no signature"),
    ],
)
def test_what_is_no_seal_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(HeaderError, match=message):
        sealer_of(altered(9, **change))


def test_a_vote_of_somebody_else_is_refused() -> None:
    signers = Signers(accounts(RECORDED["signers"][4]) - {sealer_of(HEADERS[5])})
    with pytest.raises(HeaderError, match="vote is not a signer's"):
        signers.after(HEADERS[5], EPOCH)


def test_a_vote_with_another_nonce_is_refused() -> None:
    header = altered(5, nonce="0x0000000000000001")
    with pytest.raises(HeaderError, match="nonce is no Clique vote"):
        Signers(accounts(RECORDED["signers"][4])).after(header, EPOCH)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": None}, "a field is missing or is not hex"),
        ({"stateRoot": "0xzz"}, "a field is missing or is not hex"),
        ({"gasUsed": 7}, "a field is missing or is not hex"),
    ],
)
def test_an_answer_that_is_no_header_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(HeaderError, match=message):
        altered(9, **change)
    with pytest.raises(HeaderError, match="there is no such block"):
        Header.parse(None)


def test_a_block_without_a_list_is_no_checkpoint() -> None:
    with pytest.raises(HeaderError, match="block 29 lists no Clique signers"):
        checkpoint_signers(HEADERS[29])
