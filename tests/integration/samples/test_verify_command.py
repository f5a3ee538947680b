"""``yichu sample verify`` needs a file and a node, and says what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.domain.sampling import Announcement, SamplingError, read_announcement
from backend.entrypoints.cli.sample import command, verify_blocks
from tests.unit.docs.test_draw_from_its_description import BLOCK_HASH, GENESIS, described_draw


class Node:
    """Answers as a node of the described network, with what a test changes."""

    def __init__(self) -> None:
        self.chain_id, self.head = "0x539", hex(130)
        self.hashes: dict[int, str] = {0: GENESIS, 100: "22" * 32, 120: BLOCK_HASH}

    def batch(self, calls: list[tuple[str, list[Any]]]) -> list[Any]:
        answers: list[Any] = []
        for method, parameters in calls:
            if method == "eth_getBlockByNumber":
                found = self.hashes.get(int(parameters[0], 16))
                answers.append(None if found is None else {"hash": "0x" + found})
            else:
                answers.append({"eth_chainId": self.chain_id, "eth_blockNumber": self.head}[method])
        return answers


def described() -> Announcement:
    return read_announcement(described_draw()["announcement"])


def test_the_blocks_of_a_draw_are_those_of_the_node() -> None:
    assert verify_blocks(Node(), described(), bytes.fromhex(BLOCK_HASH)) == 10  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "found", "why"),
    [
        (0, "33" * 32, "another network"),
        (100, "33" * 32, "known at the announcement is another"),
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
        verify_blocks(node, described(), bytes.fromhex(BLOCK_HASH))  # type: ignore[arg-type]


def test_another_chain_is_refused() -> None:
    node = Node()
    node.chain_id = "0x1"
    with pytest.raises(SamplingError, match="another network"):
        verify_blocks(node, described(), bytes.fromhex(BLOCK_HASH))  # type: ignore[arg-type]


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


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 5_000])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "draw.json"
    path.write_text(text)
    answer = run(path)
    assert isinstance(answer.exception, SamplingError)
    assert "no JSON text" in answer.exception.en
