"""The development ledger's answers, over HTTP and with web3."""

from __future__ import annotations

import http.client
import time
from typing import Any

import pytest
import requests
import rlp
from eth_account import Account
from eth_hash.auto import keccak
from trie import HexaryTrie
from web3 import Web3
from web3.exceptions import ContractCustomError, ContractLogicError

from .conftest import ADDRESS0, ADDRESS1, KEY0, Ledger, OpenLedger

UNKNOWN = "0x" + "ab" * 32


def test_defaults_are_those_of_ganache_7(ledger: Ledger) -> None:
    assert ledger.ask("eth_chainId") == hex(1337)
    accounts = ledger.ask("eth_accounts")
    assert len(accounts) == 10
    assert accounts[:2] == [ADDRESS0, ADDRESS1]
    assert int(ledger.ask("eth_getBalance", ADDRESS0, "latest"), 16) == 1000 * 10**18
    assert ledger.ask("eth_gasPrice") == "0x0"
    assert ledger.ask("eth_syncing") is False
    assert "eth-tester" in ledger.ask("web3_clientVersion")
    assert "berlin" in ledger.ask("web3_clientVersion")
    assert ledger.ask("net_version").isdigit()


def test_web3_reads_and_sends(ledger: Ledger) -> None:
    w3 = ledger.web3
    sent = w3.eth.send_raw_transaction(bytes.fromhex(ledger.sign(0)[2:]))
    receipt = w3.eth.wait_for_transaction_receipt(sent, timeout=5)
    assert (receipt["status"], receipt["gasUsed"], receipt["blockNumber"]) == (1, 21000, 1)
    assert receipt["from"].lower() == ADDRESS0
    block = w3.eth.get_block("latest", full_transactions=True)
    assert block["transactions"][0]["hash"] == sent  # type: ignore[index]
    assert w3.eth.get_balance(Web3.to_checksum_address(ADDRESS1)) == 1000 * 10**18 + 1
    assert abs(block["timestamp"] - time.time()) < 30


def test_block_hash_is_the_hash_of_the_fields(ledger: Ledger) -> None:
    """A verifier that recomputes the header from JSON gets the same hash."""
    ledger.ask("eth_sendRawTransaction", ledger.sign(0))
    block = ledger.ask("eth_getBlockByNumber", "latest", False)
    numbers = ("difficulty", "number", "gasLimit", "gasUsed", "timestamp")
    names = (
        "parentHash",
        "sha3Uncles",
        "miner",
        "stateRoot",
        "transactionsRoot",
        "receiptsRoot",
        "logsBloom",
        *numbers,
        "extraData",
        "mixHash",
        "nonce",
    )
    fields = [
        int(block[name], 16) if name in numbers else bytes.fromhex(block[name][2:])
        for name in names
    ]
    assert "0x" + keccak(rlp.encode(fields)).hex() == block["hash"]
    assert ledger.ask("eth_getBlockByHash", block["hash"], False) == block


@pytest.mark.parametrize("tag", ["latest", "pending", "safe", "finalized", "0x1", "earliest"])
def test_block_tags(ledger: Ledger, tag: str) -> None:
    ledger.ask("evm_mine")
    expected = "0x0" if tag == "earliest" else "0x1"
    assert ledger.ask("eth_getBlockByNumber", tag, False)["number"] == expected


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_getBlockByNumber", ["0xc9", False]),
        ("eth_getBlockByHash", [UNKNOWN, False]),
        ("eth_getTransactionByHash", [UNKNOWN]),
        ("eth_getTransactionReceipt", [UNKNOWN]),
        ("eth_getTransactionByBlockNumberAndIndex", ["0x0", "0x0"]),
    ],
)
def test_unknown_is_null_at_once(ledger: Ledger, method: str, params: list[Any]) -> None:
    ledger.ask("evm_mine", {"blocks": 200})
    taken = []
    for _ in range(5):  # of which one is not held up by what else the machine does
        start = time.monotonic()
        assert ledger.ask(method, *params) is None
        taken.append(time.monotonic() - start)
    assert min(taken) < 0.2


def test_custom_error_reaches_web3_with_its_data(ledger: Ledger) -> None:
    address = ledger.deploy_probe()
    data = "0x" + keccak(b"Locked(uint256)")[:4].hex() + f"{7:064x}"
    error = ledger.refusal("eth_call", {"to": address, "data": data}, "latest")
    assert error == {"code": 3, "message": "execution reverted", "data": data}
    with pytest.raises(ContractCustomError) as caught:
        ledger.web3.eth.call({"to": Web3.to_checksum_address(address), "data": data})  # type: ignore[typeddict-item]
    assert caught.value.data == data
    assert ledger.refusal("eth_estimateGas", {"to": address, "data": data})["data"] == data


def test_revert_reason_text(ledger: Ledger) -> None:
    address = ledger.deploy_probe()
    reason = b"not yet"
    data = "0x08c379a0" + f"{32:064x}{len(reason):064x}" + reason.hex().ljust(64, "0")
    error = ledger.refusal("eth_call", {"to": address, "data": data}, "latest")
    assert error == {"code": 3, "message": "execution reverted: not yet", "data": data}
    with pytest.raises(ContractLogicError, match="execution reverted: not yet"):
        ledger.web3.eth.call({"to": Web3.to_checksum_address(address), "data": data})  # type: ignore[typeddict-item]


def test_failed_transaction_is_mined_with_status_0(ledger: Ledger) -> None:
    address = ledger.deploy_probe()
    reverting = ledger.sign(1, to=address, value=0, gas=100_000, data="0xdeadbeef")
    starving = ledger.sign(2, to=address, value=0, gas=22_000)
    for raw in (reverting, starving):
        receipt = ledger.ask("eth_getTransactionReceipt", ledger.ask("eth_sendRawTransaction", raw))
        assert receipt["status"] == "0x0"
        assert receipt["logs"] == []
    assert ledger.nonce() == 3


def test_estimate_is_enough_and_near(ledger: Ledger) -> None:
    address = ledger.deploy_probe()
    estimate = int(ledger.ask("eth_estimateGas", {"from": ADDRESS0, "to": address}), 16)
    raw = ledger.sign(1, to=address, value=0, gas=estimate)
    receipt = ledger.ask("eth_getTransactionReceipt", ledger.ask("eth_sendRawTransaction", raw))
    assert receipt["status"] == "0x1"
    assert int(receipt["gasUsed"], 16) <= estimate <= int(receipt["gasUsed"], 16) * 1.1
    plain = ledger.ask("eth_estimateGas", {"from": ADDRESS0, "to": ADDRESS1, "value": "0x1"})
    assert int(plain, 16) == 21000


def test_storage_code_and_history(ledger: Ledger) -> None:
    address = ledger.deploy_probe()
    for nonce in (1, 2):
        ledger.ask("eth_sendRawTransaction", ledger.sign(nonce, to=address, value=0, gas=90_000))
    assert ledger.ask("eth_getCode", address, "latest").startswith("0x3660")
    assert ledger.ask("eth_getStorageAt", address, "0x0", "latest") == f"0x{3:064x}"
    assert ledger.ask("eth_getStorageAt", address, "0x0", "0x2") == f"0x{2:064x}"
    assert ledger.ask("eth_getCode", address, "0x0") == "0x"
    assert ledger.refusal("eth_getCode", address, "0x63")["message"] == "header not found"


def test_send_transaction_from_an_unlocked_account(ledger: Ledger) -> None:
    sent = ledger.ask("eth_sendTransaction", {"from": ADDRESS1, "to": ADDRESS0, "value": "0x5"})
    transaction = ledger.ask("eth_getTransactionByHash", sent)
    assert transaction["from"] == ADDRESS1
    assert int(transaction["gas"], 16) == 90_000
    assert int(transaction["chainId"], 16) == 1337
    stranger = {"from": "0x" + "11" * 20, "to": ADDRESS0}
    assert "not recognized" in ledger.refusal("eth_sendTransaction", stranger)["message"]


def test_locked_accounts_do_not_sign(open_ledger: OpenLedger) -> None:
    from backend.entrypoints.devchain.options import RunOptions

    ledger = open_ledger(run=RunOptions(locked=True))
    error = ledger.refusal("eth_sendTransaction", {"from": ADDRESS0, "to": ADDRESS1})
    assert "locked" in error["message"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"chainId": 1338}, "invalid chain id for signer: have 1338 want 1337"),
        ({"chainId": None}, "only replay-protected"),
        ({"gas": 20_999}, "intrinsic gas too low"),
        ({"gas": 40_000_000}, "exceeds block gas limit"),
        ({"value": 10**24}, "insufficient funds"),
        ({"data": "0x" + "00" * 140_000, "gas": 5_000_000}, "oversized data"),
    ],
)
def test_refused_transactions(ledger: Ledger, fields: dict[str, Any], message: str) -> None:
    error = ledger.refusal("eth_sendRawTransaction", ledger.sign(0, **fields))
    assert error["code"] == (
        -32000 if "gas" in message.split("insufficient", maxsplit=1)[0] else -32003
    )
    assert message in error["message"]
    assert ledger.ask("eth_blockNumber") == "0x0"
    assert ledger.ask("txpool_status") == {"pending": "0x0", "queued": "0x0"}


def test_typed_transaction_for_another_chain_is_refused(ledger: Ledger) -> None:
    def raw(chain: int) -> str:
        fields = {
            "type": 1,
            "chainId": chain,
            "nonce": 0,
            "to": Web3.to_checksum_address(ADDRESS1),
            "value": 0,
            "gas": 21000,
            "gasPrice": 0,
            "accessList": [],
        }
        return "0x" + bytes(Account.from_key(KEY0).sign_transaction(fields).raw_transaction).hex()

    assert "invalid chain id" in ledger.refusal("eth_sendRawTransaction", raw(1))["message"]
    sent = ledger.ask("eth_sendRawTransaction", raw(1337))
    assert ledger.ask("eth_getTransactionReceipt", sent)["type"] == "0x1"


@pytest.mark.parametrize("raw", ["0x", "0xc0", "0xdeadbeef", "0x02f8", "0x" + "00" * 40])
def test_bytes_that_are_no_transaction(ledger: Ledger, raw: str) -> None:
    assert ledger.refusal("eth_sendRawTransaction", raw)["code"] == -32602


def test_nonces(ledger: Ledger) -> None:
    first = ledger.sign(0)
    ledger.ask("eth_sendRawTransaction", first)
    assert ledger.refusal("eth_sendRawTransaction", first)["message"] == (
        "nonce too low: next nonce 1, tx nonce 0"
    )
    # Behind a gap they wait, and are all mined when the gap is filled.
    waiting = [ledger.ask("eth_sendRawTransaction", ledger.sign(nonce)) for nonce in (3, 2)]
    assert ledger.ask("eth_getTransactionReceipt", waiting[0]) is None
    assert ledger.ask("eth_getTransactionByHash", waiting[0])["blockHash"] is None
    assert ledger.ask("txpool_status") == {"pending": "0x0", "queued": "0x2"}
    again = ledger.refusal("eth_sendRawTransaction", ledger.sign(3))
    assert again["message"] == "already known"
    other = ledger.refusal("eth_sendRawTransaction", ledger.sign(3, value=2))
    assert other["message"] == "replacement transaction underpriced"
    ledger.ask("eth_sendRawTransaction", ledger.sign(1))
    assert ledger.nonce() == 4
    assert ledger.ask("eth_getTransactionReceipt", waiting[0])["status"] == "0x1"


def test_a_waiting_transaction_that_became_unpayable_does_not_block(ledger: Ledger) -> None:
    half = 600 * 10**18
    lost = ledger.ask("eth_sendRawTransaction", ledger.sign(1, value=half))
    ledger.ask("eth_sendRawTransaction", ledger.sign(0, value=half))
    assert ledger.nonce() == 1
    assert ledger.ask("eth_getTransactionByHash", lost) is None
    ledger.ask("eth_sendRawTransaction", ledger.sign(1))
    assert ledger.nonce() == 2


def test_stopped_mining_keeps_transactions_pending(ledger: Ledger) -> None:
    ledger.ask("miner_stop")
    sent = ledger.ask("eth_sendRawTransaction", ledger.sign(0))
    assert ledger.ask("eth_getTransactionReceipt", sent) is None
    assert ledger.ask("eth_getTransactionCount", ADDRESS0, "pending") == "0x1"
    assert ledger.ask("eth_getTransactionCount", ADDRESS0, "latest") == "0x0"
    ledger.ask("eth_sendRawTransaction", ledger.sign(1))
    ledger.ask("evm_mine")
    block = ledger.ask("eth_getBlockByNumber", "latest", False)
    assert (block["number"], len(block["transactions"])) == ("0x1", 2)
    second = ledger.ask("eth_getTransactionReceipt", block["transactions"][1])
    assert (second["gasUsed"], second["cumulativeGasUsed"]) == (hex(21000), hex(42000))
    ledger.ask("eth_sendRawTransaction", ledger.sign(2))
    ledger.ask("miner_start")
    assert ledger.nonce() == 3


def test_interval_mining(open_ledger: OpenLedger) -> None:
    from backend.entrypoints.devchain.options import RunOptions

    ledger = open_ledger(run=RunOptions(block_seconds=0.2))
    sent = ledger.ask("eth_sendRawTransaction", ledger.sign(0))
    receipt = ledger.web3.eth.wait_for_transaction_receipt(sent, timeout=5)
    assert receipt["status"] == 1


@pytest.mark.slow
def test_logs_over_300_blocks(ledger: Ledger) -> None:
    address = ledger.deploy_probe()
    for nonce in range(1, 301):
        ledger.ask("eth_sendRawTransaction", ledger.sign(nonce, to=address, value=0, gas=90_000))
    topic = f"0x{0x77:064x}"
    start = time.process_time()  # the ledger is a thread of this process
    logs = ledger.ask("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "address": address})
    assert time.process_time() - start < 1
    assert [int(log["blockNumber"], 16) for log in logs] == list(range(2, 302))
    one = ledger.ask("eth_getLogs", {"fromBlock": "earliest", "topics": [topic, f"0x{9:064x}"]})
    assert [log["blockNumber"] for log in one] == ["0x9"]
    by_hash = ledger.ask("eth_getLogs", {"blockHash": one[0]["blockHash"]})
    assert by_hash == one
    receipt = ledger.ask("eth_getTransactionReceipt", one[0]["transactionHash"])
    assert receipt["logs"] == one
    either = [[f"0x{9:064x}", f"0x{10:064x}"]]
    query = {"fromBlock": "0x0", "address": [address, ADDRESS1], "topics": [None, *either]}
    assert len(ledger.ask("eth_getLogs", query)) == 2
    nobody = {"fromBlock": "0x0", "address": ADDRESS1}
    assert ledger.ask("eth_getLogs", nobody) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"fromBlock": "0x2", "toBlock": "0x1"}, "fromBlock is after toBlock"),
        ({"address": "0x12"}, "expected 20 bytes"),
        ({"topics": ["0x12"]}, "expected 32 bytes"),
        ({"topics": [None] * 5}, "at most 4"),
        ({"blockHash": UNKNOWN}, "unknown block"),
        ({"blockHash": UNKNOWN, "fromBlock": "0x0"}, "excludes"),
        ([], "expected an object"),
    ],
)
def test_refused_log_queries(ledger: Ledger, query: Any, message: str) -> None:
    assert message in ledger.refusal("eth_getLogs", query)["message"]


def test_proofs_are_accepted_by_the_trie_library(ledger: Ledger) -> None:
    address = ledger.deploy_probe()
    ledger.ask("eth_sendRawTransaction", ledger.sign(1, to=address, value=0, gas=90_000))
    block = ledger.ask("eth_getBlockByNumber", "latest", False)
    proof = ledger.ask("eth_getProof", address, ["0x0", "0x5"], "latest")

    def follow(root: str, key: bytes, nodes: list[str]) -> bytes:
        decoded = [rlp.decode(bytes.fromhex(node[2:])) for node in nodes]
        value: bytes = HexaryTrie.get_from_proof(bytes.fromhex(root[2:]), keccak(key), decoded)
        return value

    account = rlp.decode(
        follow(block["stateRoot"], bytes.fromhex(address[2:]), proof["accountProof"])
    )
    assert "0x" + account[2].hex() == proof["storageHash"]
    assert "0x" + account[3].hex() == proof["codeHash"]
    written, empty = proof["storageProof"]
    assert written["value"] == "0x2"
    stored = follow(proof["storageHash"], bytes(32), written["proof"])
    assert int.from_bytes(rlp.decode(stored), "big") == 2
    assert empty["value"] == "0x0"
    absent = "0x" + "42" * 20
    nothing = ledger.ask("eth_getProof", absent, [], "latest")
    assert follow(block["stateRoot"], bytes.fromhex(absent[2:]), nothing["accountProof"]) == b""


def test_batch(ledger: Ledger) -> None:
    answers = ledger.post(
        [
            {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"},
            {"jsonrpc": "2.0", "id": 2, "method": "eth_getBalance", "params": ["0x12"]},
            {"jsonrpc": "2.0", "method": "eth_chainId"},
            {"jsonrpc": "2.0", "id": "x", "method": "eth_nothing"},
            7,
        ]
    )
    assert [answer["id"] for answer in answers] == [1, 2, "x", None]
    assert answers[0]["result"] == hex(1337)
    assert [answer["error"]["code"] for answer in answers[1:]] == [-32602, -32601, -32600]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ([], -32600),
        ([{"method": "eth_chainId", "id": 1}] * 1001, -32600),
        ("text", -32600),
        ({"id": 1}, -32600),
        ({"id": {}, "method": "eth_chainId"}, -32600),
        ({"id": 1, "method": "eth_chainId", "params": {"a": 1}}, -32602),
        ({"id": 1, "method": "eth_getBlockByNumber", "params": [True]}, -32602),
        ({"id": 1, "method": "eth_getBlockByNumber", "params": ["newest"]}, -32602),
        ({"id": 1, "method": "eth_getBlockByNumber", "params": ["-0x1"]}, -32602),
        ({"id": 1, "method": "eth_getBalance", "params": []}, -32602),
        ({"id": 1, "method": "eth_call", "params": [{"tooo": "0x"}]}, -32602),
        ({"id": 1, "method": "eth_call", "params": ["0x"]}, -32602),
        ({"id": 1, "method": "evm_mine", "params": [{"block": 3}]}, -32602),
        ({"id": 1, "method": "evm_mine", "params": [{"blocks": 10_001}]}, -32000),
        ({"id": 1, "method": "evm_mine", "params": [1]}, -32000),
    ],
)
def test_bad_requests(ledger: Ledger, content: Any, code: int) -> None:
    assert ledger.post(content)["error"]["code"] == code
    assert ledger.ask("eth_blockNumber") == "0x0"


def test_http_border(ledger: Ledger) -> None:
    assert requests.get(ledger.url, timeout=5).status_code == 405
    form = requests.post(ledger.url, data="{}", headers={"Content-Type": "text/plain"}, timeout=5)
    assert form.status_code == 415
    json_type = {"Content-Type": "application/json"}
    broken = requests.post(ledger.url, data="{", headers=json_type, timeout=5)
    assert broken.json()["error"]["code"] == -32700
    too_long = str(9 * 1024 * 1024)
    connection = http.client.HTTPConnection(ledger.url.removeprefix("http://"), timeout=5)
    connection.request("POST", "/", b"1", json_type | {"Content-Length": too_long})
    assert connection.getresponse().status == 413
    connection.close()
    deep = requests.post(ledger.url, data="[" * 100_000, headers=json_type, timeout=5)
    assert deep.json()["error"]["code"] == -32700


def test_time(ledger: Ledger) -> None:
    assert ledger.ask("evm_increaseTime", 3600) == 3600
    assert ledger.ask("evm_increaseTime", "0x10") == 3616
    ledger.ask("evm_mine")
    stamp = int(ledger.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    assert abs(stamp - time.time() - 3616) < 30
    ledger.ask("evm_setTime", (stamp + 1000) * 1000)
    ledger.ask("evm_mine", {"blocks": 3})
    stamps = [
        int(ledger.ask("eth_getBlockByNumber", hex(number), False)["timestamp"], 16)
        for number in range(1, 5)
    ]
    assert stamps == sorted(stamps)
    assert 1000 <= stamps[1] - stamp <= 1030
    # Going back does not make a block before its parent.
    ledger.ask("evm_setTime", 1000)
    ledger.ask("evm_mine")
    latest = int(ledger.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    assert latest == stamps[-1]


def test_threads_do_not_disturb_each_other(ledger: Ledger) -> None:
    from concurrent.futures import ThreadPoolExecutor

    raws = [ledger.sign(nonce) for nonce in range(32)]
    with ThreadPoolExecutor(16) as pool:
        hashes = list(pool.map(lambda raw: ledger.ask("eth_sendRawTransaction", raw), raws))
    assert ledger.nonce() == 32
    receipts = [ledger.ask("eth_getTransactionReceipt", item) for item in hashes]
    assert [int(receipt["blockNumber"], 16) for receipt in receipts] == list(range(1, 33))


def test_london_has_a_base_fee(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(hardfork="london")
    assert "baseFeePerGas" in ledger.ask("eth_getBlockByNumber", "latest", False)
    assert "base fee" in ledger.refusal("eth_sendRawTransaction", ledger.sign(0))["message"]
    sent = ledger.ask("eth_sendTransaction", {"from": ADDRESS0, "to": ADDRESS1, "value": "0x1"})
    assert ledger.ask("eth_getTransactionReceipt", sent)["status"] == "0x1"


def test_a_text_of_brackets_ends_no_process(ledger: Ledger) -> None:
    """py-evm raises the recursion limit, and the standard parser recurses on the stack."""
    body = b"[" * 200_000
    answer = requests.post(
        ledger.url, data=body, headers={"Content-Type": "application/json"}, timeout=10
    )
    assert answer.json()["error"]["code"] == -32700
    assert ledger.ask("eth_chainId") == hex(1337)
