"""``yichu sample verify`` needs a file and a node, and says what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from eth_utils import keccak

from backend.domain.draw_proof import ProvedDraw, verify_draw
from backend.domain.sampling import SamplingError
from backend.entrypoints.cli.sample import command, verify_blocks
from tests.unit.docs.test_draw_from_its_description import (
    BLOCK_HASH,
    GENESIS,
    NUMBER,
    PREVIOUS_HEAD,
    SEQUENCE,
    described_draw,
    described_head,
)


def word(value: int) -> str:
    return f"{value:064x}"


class Node:
    """Answers as a node of the described network, with what a test changes."""

    def __init__(self) -> None:
        self.chain_id, self.head = "0x539", hex(130)
        self.hashes: dict[int, str] = {0: GENESIS, 100: "22" * 32, 101: "ee" * 32, 120: BLOCK_HASH}
        root = described_draw()["anchor"]["root"]
        head = described_head(bytes.fromhex(root)).hex()
        event = keccak(text="Anchored(uint16,uint32,address,bytes32,bytes32,bytes32,uint16)")
        self.log: dict[str, Any] = {
            "address": "0x" + "cc" * 20,
            "topics": ["0x" + event.hex(), *("0x" + word(n) for n in (NUMBER, SEQUENCE, 0xAA))],
            "data": "0x" + root + PREVIOUS_HEAD + head + word(1),
        }
        self.receipt: dict[str, Any] | None = {
            "status": "0x1",
            "blockNumber": hex(101),
            "blockHash": "0x" + "ee" * 32,
            "logs": [self.log],
        }

    def batch(self, calls: list[tuple[str, list[Any]]]) -> list[Any]:
        answers: list[Any] = []
        for method, parameters in calls:
            if method == "eth_getBlockByNumber":
                found = self.hashes.get(int(parameters[0], 16))
                answers.append(None if found is None else {"hash": "0x" + found})
            elif method == "eth_getTransactionReceipt":
                answers.append(self.receipt if parameters == ["0x" + "dd" * 32] else None)
            else:
                answers.append({"eth_chainId": self.chain_id, "eth_blockNumber": self.head}[method])
        return answers


def described() -> ProvedDraw:
    return verify_draw(described_draw())


def test_the_blocks_of_a_draw_are_those_of_the_node() -> None:
    assert verify_blocks(Node(), described()) == 10  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "found", "why"),
    [
        (0, "33" * 32, "another network"),
        (100, "33" * 32, "known at the announcement is another"),
        (101, "33" * 32, "did not put the announcement"),
        (101, None, "did not put the announcement"),
        (120, "33" * 32, "block hash of the draw is not the ledger's"),
        (120, None, "does not have the blocks"),
        (100, None, "does not have the blocks"),
    ],
)
def test_another_block_is_refused(number: int, found: str | None, why: str) -> None:
    node = Node()
    node.hashes.pop(number)
    if found is not None:
        node.hashes[number] = found
    with pytest.raises(SamplingError, match=why):
        verify_blocks(node, described())  # type: ignore[arg-type]


def no_receipt(node: Node) -> None:
    node.receipt = None


def reverted(node: Node) -> None:
    node.receipt["status"] = "0x0"  # type: ignore[index]


def anchored_later(node: Node) -> None:
    node.receipt["blockNumber"] = hex(121)  # type: ignore[index]


def no_event(node: Node) -> None:
    node.receipt["logs"] = []  # type: ignore[index]


def in_another_contract(node: Node) -> None:
    node.log["address"] = "0x" + "ab" * 20


def another_event(node: Node) -> None:
    node.log["topics"][0] = "0x" + "11" * 32


def another_institution(node: Node) -> None:
    node.log["topics"][1] = "0x" + word(NUMBER + 1)


def another_head(node: Node) -> None:
    node.log["data"] = node.log["data"].replace(PREVIOUS_HEAD, "00" * 32)


@pytest.mark.parametrize(
    "lie",
    [
        no_receipt, reverted, anchored_later, no_event, in_another_contract, another_event,
        another_institution, another_head,
    ],
)  # fmt: skip
def test_an_anchor_that_the_node_does_not_have_is_refused(lie: Any) -> None:
    node = Node()
    lie(node)
    with pytest.raises(SamplingError, match="did not put the announcement on the ledger"):
        verify_blocks(node, described())  # type: ignore[arg-type]


def test_another_chain_is_refused() -> None:
    node = Node()
    node.chain_id = "0x1"
    with pytest.raises(SamplingError, match="another network"):
        verify_blocks(node, described())  # type: ignore[arg-type]


def run(path: Path, *options: str) -> Any:
    return CliRunner().invoke(command, ["verify", str(path), *options])


def test_a_file_is_verified_without_database_and_says_that_no_block_was_asked(
    tmp_path: Path,
) -> None:
    record, path = described_draw(), tmp_path / "draw.json"
    path.write_text(json.dumps(record))
    answer = run(path, "--digest", record["announcement_digest"])
    assert answer.exit_code == 0, answer.output
    assert "the block hash was not checked" in answer.output
    assert record["announcement_digest"] in answer.output


def test_another_announcement_than_the_one_handed_out_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "draw.json"
    path.write_text(json.dumps(described_draw()))
    answer = run(path, "--digest", "00" * 32)
    assert isinstance(answer.exception, SamplingError)
    assert "not the one with that digest" in answer.exception.en


def test_an_anchor_in_a_contract_that_nobody_trusts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "draw.json"
    path.write_text(json.dumps(described_draw()))
    assert run(path, "--contract", "0x" + "CC" * 20).exit_code == 0
    answer = run(path, "--contract", "0x" + "ab" * 20)
    assert isinstance(answer.exception, SamplingError)
    assert "in another contract" in answer.exception.en


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 5_000])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "draw.json"
    path.write_text(text)
    answer = run(path)
    assert isinstance(answer.exception, SamplingError)
    assert "no JSON text" in answer.exception.en
