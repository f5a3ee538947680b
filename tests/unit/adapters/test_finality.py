"""The newest final block by each rule, asked of a node that serves recorded headers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.ledger import finality
from backend.adapters.ledger.finality import build_finality, confirmations
from backend.adapters.ledger.rpc import RPCError
from backend.domain.errors import DomainError
from backend.domain.finality import FinalityKind, FinalityRule, FinalityRuleError
from backend.service_layer.ports import LedgerUnavailableError
from tests.unit.adapters.test_qbft import KEYS, block_of

CLIQUE = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "clique_headers.json").read_text("utf-8")
)["blocks"]
RULE = FinalityRule(FinalityKind.CLIQUE, 30)


class Chain:
    """A node with these blocks by number."""

    def __init__(self, blocks: Sequence[dict[str, Any]] | dict[int, dict[str, Any]]) -> None:
        self.blocks = dict(blocks) if isinstance(blocks, dict) else dict(enumerate(blocks))
        self.asked = 0

    @property
    def head(self) -> int:
        return max(self.blocks)

    def call(self, method: str, *params: Any) -> Any:
        return self.batch([(method, params)])[0]

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self.asked += len(calls)
        return [self._answer(method, params) for method, params in calls]

    def _answer(self, method: str, params: Sequence[Any]) -> Any:
        if method == "eth_blockNumber":
            return hex(self.head)
        assert method == "eth_getBlockByNumber"
        number = self.head if params[0] == "latest" else int(params[0], 16)
        return self.blocks.get(number)


def final(chain: Chain, rule: FinalityRule) -> int:
    return build_finality(rule, chain).final_number()  # type: ignore[arg-type]


# --- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        ("blocks:1", "blocks", 1), ("blocks:10000", "blocks", 10_000), ("qbft", "qbft", 1),
        ("clique", "clique", 30_000), ("clique:3600", "clique", 3_600),
    ],
)  # fmt: skip
def test_rule_is_read(text: str, kind: str, number: int) -> None:
    rule = FinalityRule.parse(text)
    assert (rule.kind, rule.number) == (kind, number)
    assert FinalityRule.parse(str(rule)) == rule


@pytest.mark.parametrize(
    "text",
    ["", "1", "blocks", "blocks:0", "blocks:01", "blocks:-1", "blocks:10001", "blocks:1 ", "qbft:3",
     "clique:0", "clique:1000001", "CLIQUE", "ibft", "blocks:１", "blocks:1\n", "clique:"],
)  # fmt: skip
def test_text_that_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(FinalityRuleError, match="a finality rule is blocks:N"):
        FinalityRule.parse(text)
    assert issubclass(FinalityRuleError, DomainError)


# --- blocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("confirmations", "expected"), [(1, 46), (2, 45), (47, 0), (100, 0)])
def test_confirmations_count_the_including_block(confirmations: int, expected: int) -> None:
    assert final(Chain(CLIQUE), FinalityRule(FinalityKind.BLOCKS, confirmations)) == expected


# --- clique ---------------------------------------------------------------------------------------


def test_clique_chain_is_final_three_blocks_below_its_head() -> None:
    assert final(Chain(CLIQUE), RULE) == 43
    assert final(Chain(CLIQUE[:21]), RULE) == 18  # two of three signers


@pytest.mark.parametrize("height", [0, 1, 2])
def test_young_clique_chain_has_nothing_final(height: int) -> None:
    assert final(Chain(CLIQUE[: height + 1]), RULE) == 0


def test_clique_chain_is_followed_as_it_grows() -> None:
    chain = Chain(CLIQUE[:10])
    reader = build_finality(RULE, chain)  # type: ignore[arg-type]
    found = []
    for block in CLIQUE[10:]:
        chain.blocks[len(chain.blocks)] = block
        found.append(reader.final_number())
    assert found == sorted(found)
    assert found[-1] == 43


def test_unchanged_head_is_asked_for_once_more_and_nothing_else() -> None:
    chain = Chain(CLIQUE)
    reader = build_finality(RULE, chain)  # type: ignore[arg-type]
    reader.final_number()
    before = chain.asked
    assert reader.final_number() == 43
    assert chain.asked == before + 1


def test_node_that_fell_back_is_followed_back_and_forth() -> None:
    chain = Chain(CLIQUE)
    reader = build_finality(RULE, chain)  # type: ignore[arg-type]
    assert reader.final_number() == 43
    chain.blocks = dict(enumerate(CLIQUE[:41]))
    assert reader.final_number() == 37
    chain.blocks = dict(enumerate(CLIQUE))
    assert reader.final_number() == 43


def test_far_behind_reader_catches_up_in_bounded_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finality, "HEADERS_A_CALL", 10)
    reader = build_finality(RULE, Chain(CLIQUE))  # type: ignore[arg-type]
    found = [reader.final_number() for _ in range(6)]
    assert found[0] < 10  # what it has read, and no guess about the rest
    assert found == sorted(found)
    assert found[-1] == 43


def test_reader_begins_at_the_newest_checkpoint_below_its_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finality, "WINDOW", 10)
    chain = Chain({number: CLIQUE[number] for number in range(30, 47)})
    assert final(chain, RULE) == 43


def test_wrong_epoch_is_named() -> None:
    chain = Chain(CLIQUE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finality, "WINDOW", 10)
        with pytest.raises(LedgerUnavailableError, match="must name the epoch of the network"):
            final(chain, FinalityRule(FinalityKind.CLIQUE, 7))


def test_header_that_does_not_hash_to_its_name_is_not_believed() -> None:
    altered = [dict(block) for block in CLIQUE]
    altered[40]["gasUsed"] = "0x1"
    with pytest.raises(LedgerUnavailableError, match="block 40 does not hash to what it is called"):
        final(Chain(altered), RULE)


def test_block_of_another_number_is_not_believed() -> None:
    altered = list(CLIQUE)
    altered[40] = CLIQUE[39]
    with pytest.raises(LedgerUnavailableError, match="another block than was asked for"):
        final(Chain(altered), RULE)


def test_missing_header_is_an_outage() -> None:
    chain = Chain(CLIQUE)
    del chain.blocks[40]
    with pytest.raises(LedgerUnavailableError, match="there is no such block"):
        final(chain, RULE)


# --- qbft -----------------------------------------------------------------------------------------


def genesis() -> dict[str, Any]:
    """As Besu has it: no seals, and called by its plain hash."""
    from backend.adapters.ledger.headers import Header

    block = block_of(KEYS[:4], [], number=0)
    return {**block, "hash": "0x" + Header.parse(block).digest().hex()}


QBFT = FinalityRule(FinalityKind.QBFT)


def test_sealed_head_is_final_at_once() -> None:
    chain = Chain({0: genesis(), 9: block_of(KEYS[:4], KEYS[:3])})
    assert final(chain, QBFT) == 9


def test_genesis_alone_is_final() -> None:
    assert final(Chain({0: genesis()}), QBFT) == 0


def test_head_with_too_few_seals_is_not_final() -> None:
    blocks = {n: block_of(KEYS[:4], KEYS[:3], number=n) for n in range(1, 9)}
    chain = Chain({0: genesis(), **blocks, 9: block_of(KEYS[:4], KEYS[:2])})
    with pytest.raises(LedgerUnavailableError, match="block 9 lacks the commit seals"):
        final(chain, QBFT)


def test_validators_that_replaced_each_other_one_by_one_are_followed() -> None:
    """From keys 1-4 to keys 4-7: the newest alone would not be believed."""
    sets = [KEYS[:4], KEYS[:4], KEYS[1:5], KEYS[1:5], KEYS[2:6], KEYS[2:6], KEYS[3:7], KEYS[3:7]]
    blocks = {n: block_of(group, group[1:], number=n) for n, group in enumerate(sets, 1)}
    assert final(Chain({0: genesis(), **blocks}), QBFT) == 8


def test_chain_of_strangers_is_not_believed() -> None:
    strangers = {n: block_of(KEYS[4:7], KEYS[4:7], number=n) for n in range(1, 9)}
    with pytest.raises(LedgerUnavailableError, match="lacks the commit seals"):
        final(Chain({0: genesis(), **strangers}), QBFT)


def test_validators_in_a_contract_are_named() -> None:
    from backend.adapters.ledger.headers import Header

    block = block_of([], [], number=0)
    empty = {**block, "hash": "0x" + Header.parse(block).digest().hex()}
    chain = Chain({0: empty, 9: block_of([], KEYS[:3])})
    with pytest.raises(LedgerUnavailableError, match="kept in a contract"):
        final(chain, QBFT)


def test_node_that_is_behind_takes_no_finality_back() -> None:
    chain = Chain({0: genesis(), 8: block_of(KEYS[:4], KEYS[:3], number=8)})
    chain.blocks[9] = block_of(KEYS[:4], KEYS[:3])
    reader = build_finality(QBFT, chain)  # type: ignore[arg-type]
    assert reader.final_number() == 9
    del chain.blocks[9]
    assert reader.final_number() == 9


class Refusing(Chain):
    """A node that answers each question with an error."""

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        raise RPCError(-32005, "limit exceeded")


@pytest.mark.parametrize("rule", ["blocks:1", "clique:30", "qbft"])
def test_node_that_refuses_is_an_outage(rule: str) -> None:
    with pytest.raises(LedgerUnavailableError, match="finality cannot be judged"):
        final(Refusing(CLIQUE), FinalityRule.parse(rule))


# --- for readers that count -----------------------------------------------------------------------


@pytest.mark.parametrize(("text", "expected"), [("blocks:3", 3), ("qbft", 1), ("clique:30", 4)])
def test_a_reader_that_only_counts_blocks_is_told_how_many(text: str, expected: int) -> None:
    """Of four Clique signers three must build on a block: with itself, four blocks."""
    chain = Chain(CLIQUE)
    assert confirmations(FinalityRule.parse(text), chain) == expected  # type: ignore[arg-type]
