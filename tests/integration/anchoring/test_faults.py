"""Bad networks: lost answers, repeated receipts, lost leases, reorganisations, foreign chains."""

from __future__ import annotations

import dataclasses
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from backend.adapters.ledger.client import LedgerClient
from backend.domain.ledger import IntentState
from backend.service_layer.anchoring.model import (
    LeaseHeldError,
    LeaseLostError,
    TransactionState,
    UnsignedTransaction,
)
from backend.service_layer.anchoring.outcomes import record_mined
from backend.service_layer.anchoring.reconcile import advance_finality, settle_nonces
from backend.service_layer.anchoring.send import commit_signed, send_queued, take_lease
from backend.service_layer.ports import LedgerUnavailableError
from tests.integration.anchoring.network import CUSTODIAL, TestNetwork, leaf


class FaultyProxy:
    """Forwards JSON-RPC; after forwarding a named method it can drop the connection instead of
    answering."""

    def __init__(self, target: str) -> None:
        self.drops: dict[str, int] = {}
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {"Content-Type": "application/json"}
                answer = requests.post(target, data=body, headers=headers, timeout=20).content
                for method, left in proxy.drops.items():
                    if left and method.encode() in body:
                        proxy.drops[method] = left - 1
                        self.connection.close()
                        return
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_answer_lost_after_the_node_took_the_transaction_gives_one_anchor(
    network: TestNetwork, tmp_path: Path
) -> None:
    proxy = FaultyProxy(network.url)
    behind = TestNetwork(proxy.url, network.folder)
    try:
        anchor, _ = behind.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
        proxy.drops["eth_sendRawTransaction"] = 1
        send_queued(behind.deps)
        assert behind.intent(anchor).state is IntentState.SENT  # unknown, neither lost nor done
        behind.run(passes=2)
        assert behind.intent(anchor).outcome == "done"
        proxy.drops["eth_getTransactionReceipt"] = 1
        second, _ = behind.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 2)])
        with pytest.raises(LedgerUnavailableError, match="did not answer"):
            behind.run()
        behind.run(passes=2)
        assert behind.intent(second).outcome == "done"
        assert len(network.events("Anchored")) == 2
        assert network.nonce(network.account_of(CUSTODIAL)) == 2
    finally:
        behind.close()
        proxy.close()


def test_a_second_endpoint_answers_when_the_first_does_not(network: TestNetwork) -> None:
    deployment = network.services.ledger.deployment()
    client = LedgerClient(["http://127.0.0.1:9", network.url], lambda: deployment, 1)
    assert client.head().number >= deployment.block_number
    client.close()


def test_seeing_a_receipt_twice_changes_nothing(network: TestNetwork) -> None:
    anchor, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    network.run()
    before = network.intent(anchor)
    with network.services.work(write=False) as work:
        record = work.transactions.find_by_hash(before.tx_hash or b"")
    assert record is not None and record.tx_hash is not None
    receipt = network.services.ledger.receipt(record.tx_hash)
    assert receipt is not None
    for _ in range(2):
        record_mined(network.deps, record, receipt)
        advance_finality(network.deps)
    assert network.intent(anchor) == before
    assert network.alarms() == []


def test_second_worker_on_one_key_is_refused_by_the_lease(network: TestNetwork) -> None:
    account = network.account_of(CUSTODIAL)
    take_lease(network.deps, account)
    other = network.anchoring()
    with pytest.raises(LeaseHeldError, match="held by another worker"):
        take_lease(other, account)
    anchor, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    assert send_queued(other) == 0
    assert network.intent(anchor).state is IntentState.QUEUED
    assert send_queued(network.deps) == 1


def test_worker_that_outlived_its_lease_cannot_sign(network: TestNetwork) -> None:
    account = network.account_of(CUSTODIAL)
    anchor, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    slow = network.anchoring(lease_seconds=0)
    stale = take_lease(slow, account)
    assert take_lease(network.deps, account).fencing_token == stale.fencing_token + 1
    intent = network.intent(anchor)
    call = network.services.ledger.encode(intent.kind, [intent.payload])
    with pytest.raises(LeaseLostError, match="taken by another holder"):
        commit_signed(slow, stale, account, call, [intent])
    with network.services.work(write=False) as work:
        assert work.transactions.in_states(*TransactionState, account=account) == []
    assert network.next_nonce(account) is None
    network.run()
    assert network.intent(anchor).outcome == "done"
    assert len(network.events("Anchored")) == 1


def test_states_return_to_the_truth_after_a_reorganisation(network: TestNetwork) -> None:
    """Snapshot and revert of the dev ledger, with finality at 3 blocks."""
    slow = TestNetwork(network.url, network.folder, finality_blocks=3)
    try:
        first, _ = slow.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
        slow.run()
        assert slow.intent(first).state is IntentState.MINED
        slow.rpc("evm_mine")
        slow.rpc("evm_mine")
        slow.run()
        assert slow.intent(first).state is IntentState.FINAL
        snapshot = slow.rpc("evm_snapshot")
        second, _ = slow.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 2)])
        slow.run()
        mined = slow.intent(second)
        assert (mined.state, mined.outcome) == (IntentState.MINED, "done")
        slow.rpc("evm_revert", snapshot)
        slow.rpc("evm_increaseTime", 60)
        slow.rpc("evm_mine")
        slow.run(passes=2)
        again = slow.intent(second)
        assert (again.state, again.tx_hash) == (IntentState.MINED, mined.tx_hash)
        assert again.block_hash != mined.block_hash
        assert slow.intent(first).state is IntentState.FINAL
        assert slow.alarms() == ["reorganisation"]
        slow.rpc("evm_mine")
        slow.rpc("evm_mine")
        slow.run()
        assert slow.intent(second).state is IntentState.FINAL
        assert len(slow.events("Anchored")) == 2
    finally:
        slow.close()


def test_reorganisation_of_final_blocks_is_an_incident(network: TestNetwork) -> None:
    snapshot = network.rpc("evm_snapshot")
    anchor, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    network.run()
    assert network.intent(anchor).is_final
    network.rpc("evm_revert", snapshot)
    network.rpc("evm_increaseTime", 60)
    network.rpc("evm_mine")
    network.run(passes=2)
    assert network.alarms() == ["final-reorganisation", "reorganisation"]
    assert network.intent(anchor).is_final
    assert len(network.events("Anchored")) == 1


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"chain_id": 5}, "chain id"),
        ({"genesis_hash": b"\x01" * 32}, "genesis"),
        ({"registry_code_hash": b"\x01" * 32}, "registry code"),
        ({"invoice_ledger_code_hash": b"\x01" * 32}, "ledger code"),
    ],
)
def test_node_of_another_network_is_not_believed(
    network: TestNetwork, change: dict[str, Any], name: str
) -> None:
    other = dataclasses.replace(network.services.ledger.deployment(), **change)
    client = LedgerClient([network.url], lambda: other, 1)
    with pytest.raises(LedgerUnavailableError, match=f"another network \\({name} differs\\)"):
        client.slot(b"\x01" * 32)
    with pytest.raises(LedgerUnavailableError, match="another network"):
        client.send(b"\x01")
    client.close()


def test_nothing_is_read_before_the_contracts_are_deployed(network: TestNetwork) -> None:
    client = LedgerClient([network.url], lambda: None, 1)
    with pytest.raises(LedgerUnavailableError, match="not deployed yet"):
        client.head()
    client.close()


def test_nonce_taken_by_a_foreign_transaction_is_noticed_and_the_anchor_sent_anew(
    network: TestNetwork,
) -> None:
    account = network.account_of(CUSTODIAL)
    anchor, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    intent = network.intent(anchor)
    lease = take_lease(network.deps, account)
    call = network.services.ledger.encode(intent.kind, [intent.payload])
    commit_signed(network.deps, lease, account, call, [intent])  # committed, and then killed
    foreign = UnsignedTransaction(
        chain_id=1337, nonce=0, to=account, data=b"", gas=21_000, gas_price=0
    )
    network.services.ledger.send(network.services.keystores.sign(account, foreign).raw)
    settle_nonces(network.deps)
    assert network.alarms() == ["nonce-taken"]
    network.run(passes=2)
    assert network.intent(anchor).outcome == "done"
    assert len(network.events("Anchored")) == 1


def test_bytes_that_no_node_takes_end_in_a_filled_nonce(network: TestNetwork) -> None:
    """A gas limit above the block's: refused for good, so the nonce is filled and the item is
    sent again under the next one."""
    account = network.account_of(CUSTODIAL)
    anchor, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    intent = network.intent(anchor)
    deps = network.anchoring(sends_before_fill=2)
    call = network.services.ledger.encode(intent.kind, [intent.payload])
    lease = take_lease(deps, account)
    too_much = dataclasses.replace(call, gas=10**9)
    commit_signed(deps, lease, account, too_much, [intent])
    network.run(deps, passes=4)
    assert "nonce-filled" in network.alarms()
    assert network.intent(anchor).outcome == "done"
    assert network.nonce(account) == network.next_nonce(account) == 2
    with network.services.work(write=False) as work:
        records = work.transactions.in_states(*TransactionState, account=account)
    assert sorted((r.nonce, str(r.state)) for r in records) == [
        (0, "final"),
        (0, "replaced"),
        (1, "final"),
    ]
