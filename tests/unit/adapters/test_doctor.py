"""The doctor's findings about nodes that are right, and about each thing that can be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from backend.adapters.ledger import doctor
from backend.adapters.ledger.diagnosis import Finding, Verdict
from backend.adapters.ledger.rpc import RPCError
from backend.contracts import load_contract
from backend.domain.finality import FinalityRule
from backend.service_layer.anchoring.model import Deployment
from backend.service_layer.ports import LedgerUnavailableError
from tests.unit.adapters.test_finality import CLIQUE

HEAD = CLIQUE[-1]
NOW = int(HEAD["timestamp"], 16) + 1
WORD = "0x" + "00" * 31 + "01"
REFUSED = RPCError(-32000, "not here")


class Node:
    """A good node of the recorded Clique chain; tests spoil one answer of it."""

    def __init__(self, url: str) -> None:
        self.url = self.label = url
        self.blocks: dict[int, Any] = dict(enumerate(CLIQUE))
        self.answers: dict[str, Any] = {
            "eth_chainId": hex(20_250), "eth_syncing": False, "eth_gasPrice": "0x0",
            "eth_getProof": {"accountProof": ["0x"]}, "eth_getLogs": [], "eth_getCode": "0x",
        }  # fmt: skip
        self.push0: Any = REFUSED
        self.wide_logs: Any = []
        self.is_down = False
        self.max_call_bytes = 10**9

    def post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        found = self.post_each(calls)
        for answer in found:
            if isinstance(answer, RPCError):
                raise answer
        return found

    def post_each(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        if self.is_down:
            raise LedgerUnavailableError("没有应答", f"the ledger node {self.url} did not answer")
        return [self._answer(method, params) for method, params in calls]

    def _answer(self, method: str, params: Sequence[Any]) -> Any:
        if method == "eth_getBlockByNumber":
            number = max(self.blocks) if params[0] == "latest" else int(params[0], 16)
            return self.blocks.get(number)
        if method == "eth_getLogs" and params[0]["fromBlock"] != params[0]["toBlock"]:
            return self.wide_logs
        if method == "eth_call":
            return self._call(params[0])
        return self.answers[method]

    def _call(self, fields: dict[str, Any]) -> Any:
        if len(fields["data"]) // 2 > self.max_call_bytes:
            return RPCError(-32000, "request too large")
        if fields["data"].startswith("0x46"):
            return WORD
        if fields["data"].startswith("0x5f"):
            return self.push0
        if "to" in fields:
            return "0x"
        for name in ("Registry", "InvoiceLedger"):
            contract = load_contract(name)  # type: ignore[arg-type]
            if fields["data"].startswith("0x" + contract.bytecode.hex()):
                return self.answers.get(name, "0x" + contract.deployed_bytecode.hex())
        raise AssertionError("no such call is expected")

    def close(self) -> None:
        pass


class Rpc:
    """The same nodes behind one connection, as finality is read."""

    def __init__(self, nodes: dict[str, Node], urls: Sequence[str]) -> None:
        self._node = nodes[urls[0]]

    def call(self, method: str, *params: Any) -> Any:
        if method == "eth_blockNumber":
            return hex(max(self._node.blocks))
        return self._node.post([(method, params)])[0]

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return self._node.post(calls)

    def close(self) -> None:
        pass


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Node]:
    found = {url: Node(url) for url in ("http://one", "http://two")}
    monkeypatch.setattr(doctor, "Endpoint", lambda url, _seconds: found[url])
    monkeypatch.setattr(doctor, "JSONRPC", lambda urls: Rpc(found, urls))
    return found


def examine(
    nodes: dict[str, Node],
    *,
    finality: str = "clique:30",
    fee_mode: str = "legacy-zero",
    deployment: Deployment | None = None,
    now: int = NOW,
) -> list[Finding]:
    expected = doctor.Expectation(fee_mode, FinalityRule.parse(finality), deployment)
    return list(doctor.examine(list(nodes), expected, lambda: now))


def wrong(findings: list[Finding], verdict: Verdict = Verdict.BAD) -> list[Finding]:
    return [finding for finding in findings if finding.verdict is verdict]


def the_one(findings: list[Finding], verdict: Verdict, check: str) -> Finding:
    """The only finding of that verdict; it says what to do in both languages."""
    (found,) = wrong(findings, verdict)
    assert found.check == check
    assert found.to_do_en
    assert found.to_do_zh
    return found


def test_a_good_network_has_no_problem_before_the_contracts(nodes: dict[str, Node]) -> None:
    findings = examine(nodes)
    assert wrong(findings) == wrong(findings, Verdict.WARN) == []
    said = {finding.check: finding.en for finding in findings}
    assert said["finality"] == "clique:30: block 43 of 46 is final"
    assert "clique" in said["extra data"]
    assert said["one chain"] == "2 nodes agree"
    assert "could be" in said["Registry"]
    assert "could be" in said["InvoiceLedger"]


def test_a_node_that_does_not_answer_is_named_and_the_other_is_examined(
    nodes: dict[str, Node],
) -> None:
    nodes["http://one"].is_down = True
    findings = examine(nodes)
    found = the_one(findings, Verdict.BAD, "answers")
    assert "http://one did not answer" in found.en
    assert any(finding.place == "http://two" for finding in findings)


DEPLOYED = Deployment(
    chain_id=20_250,
    genesis_hash=bytes.fromhex(CLIQUE[0]["hash"][2:]),
    registry="0x" + "aa" * 20,
    registry_code_hash=b"",
    invoice_ledger="0x" + "bb" * 20,
    invoice_ledger_code_hash=b"",
    block_number=1,
)


def test_another_chain_than_the_databases_is_bad(nodes: dict[str, Node]) -> None:
    del nodes["http://two"]
    nodes["http://one"].answers["eth_chainId"] = "0x1"
    checks = [f.check for f in wrong(examine(nodes, deployment=DEPLOYED))]
    assert checks == ["identity", "Registry", "InvoiceLedger"]
    findings = examine(nodes, deployment=DEPLOYED)
    assert "chain 1 " in wrong(findings)[0].en
    assert "is not this database's chain 20250" in wrong(findings)[0].en


@pytest.mark.parametrize(
    ("code", "message"),
    [("0x", "there is no contract at 0xaa"), ("0x6000", "holds other code than this version's")],
)
def test_missing_or_other_contract_code_is_bad(
    nodes: dict[str, Node], code: str, message: str
) -> None:
    del nodes["http://two"]
    nodes["http://one"].answers["eth_getCode"] = code
    found = wrong(examine(nodes, deployment=DEPLOYED))
    assert [finding.check for finding in found] == ["Registry", "InvoiceLedger"]
    assert message in found[0].en


def test_a_node_that_is_still_catching_up_is_bad(nodes: dict[str, Node]) -> None:
    nodes["http://two"].answers["eth_syncing"] = {"currentBlock": "0x1"}
    assert "still catching up" in the_one(examine(nodes), Verdict.BAD, "synced").en


def test_a_head_in_the_future_is_bad_and_an_old_one_a_note(nodes: dict[str, Node]) -> None:
    del nodes["http://two"]
    assert "101 s in the future" in the_one(examine(nodes, now=NOW - 102), Verdict.BAD, "clock").en
    assert "100 s old" in the_one(examine(nodes, now=NOW + 99), Verdict.WARN, "clock").en


def test_a_base_fee_with_a_zero_fee_mode_is_bad(nodes: dict[str, Node]) -> None:
    del nodes["http://two"]
    node = nodes["http://one"]
    node.blocks[46] = {**HEAD, "baseFeePerGas": "0x7"}
    found = wrong(examine(nodes, finality="blocks:1"))
    assert [finding.check for finding in found] == ["fees"]
    assert "base fee of 7 wei, and YICHU_FEE_MODE=legacy-zero" in found[0].en


def test_eip1559_zero_before_london_is_bad(nodes: dict[str, Node]) -> None:
    del nodes["http://two"]
    found = the_one(examine(nodes, fee_mode="eip1559-zero"), Verdict.BAD, "fees")
    assert "before London" in found.en
    assert "legacy-zero" in found.to_do_en


def test_a_suggested_price_is_a_note(nodes: dict[str, Node]) -> None:
    del nodes["http://two"]
    nodes["http://one"].answers["eth_gasPrice"] = "0x3e8"
    assert "min-gas-price=0" in the_one(examine(nodes), Verdict.WARN, "fees").to_do_en
    assert wrong(examine(nodes, fee_mode="market"), Verdict.WARN) == []


def test_a_small_block_is_bad(nodes: dict[str, Node]) -> None:
    del nodes["http://two"]
    nodes["http://one"].blocks[46] = {**HEAD, "gasLimit": hex(8_000_000)}
    found = wrong(examine(nodes, finality="blocks:1"))
    assert found[0].check == "block gas"
    assert "8000000 has no room for a batch of 100 lodges" in found[0].en


def test_a_node_or_proxy_that_refuses_large_requests_is_bad(nodes: dict[str, Node]) -> None:
    nodes["http://two"].max_call_bytes = 100_000
    assert "130048 bytes" in the_one(examine(nodes), Verdict.BAD, "128 KB").en


def test_contracts_that_could_not_be_deployed_are_bad(nodes: dict[str, Node]) -> None:
    del nodes["http://two"]
    nodes["http://one"].answers["Registry"] = RPCError(-32000, "max code size exceeded")
    assert "max code size exceeded" in the_one(examine(nodes), Verdict.BAD, "Registry").en
    nodes["http://one"].answers["Registry"] = "0x6000"
    assert "other code came out" in the_one(examine(nodes), Verdict.BAD, "Registry").en


def test_missing_proofs_and_short_log_ranges_are_notes_and_no_logs_are_bad(
    nodes: dict[str, Node],
) -> None:
    del nodes["http://two"]
    node = nodes["http://one"]
    node.wide_logs = RPCError(-32005, "range too large")
    assert "smaller ranges" in the_one(examine(nodes), Verdict.WARN, "logs").to_do_en
    node.answers["eth_getLogs"] = REFUSED
    the_one(examine(nodes), Verdict.BAD, "logs")
    node.answers["eth_getLogs"], node.wide_logs = [], []
    node.answers["eth_getProof"] = REFUSED
    the_one(examine(nodes), Verdict.WARN, "proofs")


def test_nodes_with_different_blocks_are_bad(nodes: dict[str, Node]) -> None:
    nodes["http://two"].blocks = {**dict(enumerate(CLIQUE)), 46: {**HEAD, "hash": "0x" + "77" * 32}}
    found = wrong(examine(nodes, finality="blocks:1"))
    assert [finding.check for finding in found] == ["one chain"]
    assert "block 46 differs" in found[0].en


def test_a_node_that_is_one_block_behind_agrees(nodes: dict[str, Node]) -> None:
    del nodes["http://two"].blocks[46]
    assert wrong(examine(nodes)) == []


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("qbft", "YICHU_FINALITY=qbft, and blocks are clique"),
        ("clique:1000000", None),
        ("blocks:1", None),
    ],
)
def test_a_rule_that_does_not_fit_the_seals_is_bad(
    nodes: dict[str, Node], rule: str, message: str | None
) -> None:
    findings = examine(nodes, finality=rule)
    if message is not None:
        assert the_one(findings, Verdict.BAD, "finality").en == message
    else:
        assert wrong(findings) == []


def test_counting_blocks_on_clique_is_a_note(nodes: dict[str, Node]) -> None:
    found = the_one(examine(nodes, finality="blocks:1"), Verdict.WARN, "finality")
    assert "looks at no clique seals" in found.en
    assert found.to_do_en == "set YICHU_FINALITY=clique:EPOCH"
