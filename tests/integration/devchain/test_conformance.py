"""Our answers beside anvil's: equal, or listed in docs/dev-ledger.md with the choice made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rlp
import web3._utils.rpc_abi
from eth_hash.auto import keccak
from trie import HexaryTrie

from tests.anvil import running_anvil

from .conformance import Difference, Endpoint, Step, differences
from .conftest import ADDRESS0, ROOT, OpenLedger
from .steps import BODIES, PROBE, SLOT_0, SLOT_5, STEPS, STRANGER

pytestmark = [pytest.mark.slow, pytest.mark.node]
PAGE = (ROOT / "docs" / "dev-ledger.md").read_text("utf-8")
PHRASE = "myth like bonus scare over problem client lizard pioneer submit female collect"
_METHOD = re.compile(r"(eth|net|web3|txpool)_(?!fen\b)[a-zA-Z0-9_]+")  # net_fen is an amount


def table(heading: str) -> list[list[str]]:
    """The rows of the table under a heading of the page, without code marks."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("`", "") for cell in row[1:-1].split("|")] for row in rows[2:]]


@pytest.fixture
def pair(open_ledger: OpenLedger) -> Iterator[tuple[Endpoint, Endpoint]]:
    """anvil and the development ledger with the same accounts, chain id and rules."""
    options = ("--hardfork", "berlin", "--chain-id", "1337", "--mnemonic", PHRASE)
    money = ("--balance", "1000", "--gas-price", "0", "--gas-limit", "30000000")
    with running_anvil(*options, *money) as url:
        yield Endpoint(url), Endpoint(open_ledger(network_id=1337).url)


def compare(reference: Endpoint, ours: Endpoint) -> list[Difference]:
    found: list[Difference] = []
    for step in STEPS:
        found += differences(step, reference.ask(step), ours.ask(step))
    for case, body in BODIES.items():
        left, right = reference.post(body), ours.post(body)
        step = Step(case, "JSON-RPC")
        named = [{"status": status, "body": content} for status, content in (left, right)]
        found += differences(step, *named)
    return found


def test_differences_from_anvil_are_those_of_the_page(pair: tuple[Endpoint, Endpoint]) -> None:
    """Every difference is listed with its choice, and no listed one has gone."""
    found = compare(*pair)
    listed = {(row[0], row[1], row[2]) for row in table("Differences from anvil")}
    unlisted = [item for item in found if not any(_covers(row, item) for row in listed)]
    assert unlisted == [], "\n".join(map(str, unlisted))
    gone = [row for row in listed if not any(_covers(row, item) for item in found)]
    assert gone == []


def _covers(row: tuple[str, str, str], item: Difference) -> bool:
    """``*`` in the page stands for every method, case or place."""
    return all(
        wanted in ("*", actual) or (wanted.endswith("*") and actual.startswith(wanted[:-1]))
        for wanted, actual in zip(row, item.key, strict=True)
    )


def called_methods() -> set[str]:
    """Methods that web3.py knows, and that the backend's, the verifier's and the agent's code
    names."""
    known = Path(web3._utils.rpc_abi.__file__).read_text("utf-8")
    methods = set(re.findall(r'RPCEndpoint\("(\w+)"\)', known))
    for folder in ("backend/adapters", "backend/service_layer", "verifier", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and _METHOD.fullmatch(node.value)
                ):
                    methods.add(node.value)
    return methods


def test_every_method_that_is_called_is_compared_or_said_to_be_missing() -> None:
    compared = {step.method for step in STEPS}
    missing = {row[0] for row in table("Methods that are not offered")}
    assert {name for name in called_methods() - compared - missing if not _is_evm(name)} == set()
    assert missing & compared == set()


def _is_evm(name: str) -> bool:
    """Compared with ganache instead (test_ganache.py)."""
    return name.startswith("evm_")


def test_methods_that_are_not_offered_are_refused(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    for method, *_ in table("Methods that are not offered"):
        assert ledger.refusal(method)["code"] == -32601, method


def follow(root: str, key: bytes, nodes: list[str]) -> bytes:
    """The value that a proof gives for a key, by the trie library; empty when absent."""
    decoded = [rlp.decode(bytes.fromhex(node[2:])) for node in nodes]
    value: bytes = HexaryTrie.get_from_proof(bytes.fromhex(root[2:]), keccak(key), decoded)
    return value


def _proof(endpoint: Endpoint, address: str, slots: list[str]) -> tuple[str, dict[str, Any]]:
    block = endpoint.ask(Step("", "eth_getBlockByNumber", ("latest", False)))["result"]
    proof = endpoint.ask(Step("", "eth_getProof", (address, slots, block["number"])))["result"]
    return block["stateRoot"], proof


def test_proofs_of_both_are_accepted_by_the_trie_library(pair: tuple[Endpoint, Endpoint]) -> None:
    """Account and storage, present and absent, against each ledger's own state root."""
    for step in STEPS:
        if step.method == "eth_sendRawTransaction" and step.case in ("creation", "call"):
            for endpoint in pair:
                endpoint.ask(step)
    for endpoint in pair:
        root, proof = _proof(endpoint, PROBE, [SLOT_0, SLOT_5])
        account = rlp.decode(follow(root, bytes.fromhex(PROBE[2:]), proof["accountProof"]))
        assert "0x" + account[2].hex() == proof["storageHash"]
        assert "0x" + account[3].hex() == proof["codeHash"]
        written, empty = proof["storageProof"]
        stored = follow(proof["storageHash"], bytes.fromhex(SLOT_0[2:]), written["proof"])
        assert int.from_bytes(rlp.decode(stored), "big") == int(written["value"], 16) == 2
        assert follow(proof["storageHash"], bytes.fromhex(SLOT_5[2:]), empty["proof"]) == b""
        assert empty["value"] == "0x0"
        root, absent = _proof(endpoint, STRANGER, [SLOT_0])
        assert follow(root, bytes.fromhex(STRANGER[2:]), absent["accountProof"]) == b""
        root, plain = _proof(endpoint, ADDRESS0, [])
        account = rlp.decode(follow(root, bytes.fromhex(ADDRESS0[2:]), plain["accountProof"]))
        assert int.from_bytes(account[0], "big") == int(plain["nonce"], 16) == 2
