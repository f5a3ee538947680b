"""What the conformance test asks of both ledgers, in order: reads, calls, sends, refusals."""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_hash.auto import keccak
from eth_utils import to_checksum_address

from .conformance import Step
from .conftest import ADDRESS0, ADDRESS1, KEY0, PROBE_INIT

UNKNOWN = "0x" + "ab" * 32
STRANGER = "0x" + "77" * 20
CREATE = "0x" + PROBE_INIT.hex()
#: The address that account 0 creates a contract at with nonce 0, as ganache has always given it.
PROBE = "0xe78a0f7e598cc8b0bb87894b0f60dd2a88d6a8ab"
CUSTOM_ERROR = "0x" + keccak(b"Locked(uint256)")[:4].hex() + f"{7:064x}"
REASON = "0x08c379a0" + f"{32:064x}{7:064x}" + b"not yet".hex().ljust(64, "0")
PANIC = "0x4e487b71" + f"{0x11:064x}"
TOPIC = f"0x{0x77:064x}"
SLOT_0, SLOT_5 = f"0x{0:064x}", f"0x{5:064x}"
TOO_MUCH = hex(10**24)
_BLOCK_OWN = frozenset({"hash"})
TYPED_DATA = {
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "chainId", "type": "uint256"},
        ],
        "Bill": [{"name": "number", "type": "string"}, {"name": "fen", "type": "uint256"}],
    },
    "primaryType": "Bill",
    "domain": {"name": "test", "chainId": 1337},
    "message": {"number": "0001", "fen": 1200},
}


def sign(nonce: int, **fields: Any) -> str:
    """A raw transaction of account 0 at gas price zero; a field that is None is left out."""
    transaction = {
        "nonce": nonce,
        "to": ADDRESS1,
        "value": 1,
        "gas": 21000,
        "gasPrice": 0,
        "chainId": 1337,
    } | fields
    given = {name: value for name, value in transaction.items() if value is not None}
    if "to" in given:
        given["to"] = to_checksum_address(given["to"])
    return "0x" + bytes(Account.from_key(KEY0).sign_transaction(given).raw_transaction).hex()


def step(case: str, method: str, *params: Any, **more: Any) -> Step:
    """A step with its parameters in line."""
    if method.startswith("eth_getBlockBy"):
        more["own"] = _BLOCK_OWN
    return Step(case, method, params, **more)


def call(case: str, fields: Any, *block: Any) -> tuple[Step, Step]:
    """The same message as a call and as an estimate."""
    return (
        step(case, "eth_call", fields, *(block or ("latest",))),
        step(case, "eth_estimateGas", fields, *(block or ("latest",))),
    )


ABOUT = (
    step("", "web3_clientVersion"),
    step("", "net_version"),
    step("", "net_listening"),
    step("", "net_peerCount"),
    step("", "eth_chainId"),
    step("", "eth_syncing"),
    step("", "eth_accounts"),
    step("", "eth_gasPrice"),
    step("", "eth_maxPriorityFeePerGas"),
    step("", "eth_blockNumber"),
    step("", "eth_mining"),
    step("", "eth_coinbase"),
    step("", "eth_hashrate"),
    step("", "eth_protocolVersion"),
    step("", "web3_sha3", "0x68656c6c6f"),
    step("", "eth_nothing"),
)
CREATION = (
    step(
        "creation",
        "eth_sendRawTransaction",
        sign(0, to=None, value=0, gas=200_000, data=CREATE),
        keep="created",
    ),
    step("creation", "eth_getTransactionReceipt", "$created"),
    step("creation", "eth_getTransactionByHash", "$created"),
    step("mined", "eth_getRawTransactionByHash", "$created"),
    step("unknown", "eth_getRawTransactionByHash", UNKNOWN),
    step("number", "eth_getBlockByNumber", "0x1", False, keep="block1", pick=lambda r: r["hash"]),
    step("whole transactions", "eth_getBlockByNumber", "0x1", True),
    step("genesis", "eth_getBlockByNumber", "0x0", False),
    step("earliest", "eth_getBlockByNumber", "earliest", False),
    step("latest", "eth_getBlockByNumber", "latest", False),
    step("pending", "eth_getBlockByNumber", "pending", False),
    step("safe", "eth_getBlockByNumber", "safe", False),
    step("finalized", "eth_getBlockByNumber", "finalized", False),
    step("unknown", "eth_getBlockByNumber", "0x99", False),
    step("no such tag", "eth_getBlockByNumber", "newest", False),
    step("null", "eth_getBlockByNumber", None, False),
    step("known", "eth_getBlockByHash", "$block1", True),
    step("unknown", "eth_getBlockByHash", UNKNOWN, False),
    step("short", "eth_getBlockByHash", "0x12", False),
    step("known", "eth_getBlockReceipts", "0x1"),
    step("unknown", "eth_getBlockReceipts", "0x99"),
    step("known", "eth_getBlockTransactionCountByNumber", "0x1"),
    step("unknown", "eth_getBlockTransactionCountByNumber", "0x99"),
    step("known", "eth_getBlockTransactionCountByHash", "$block1"),
    step("unknown", "eth_getBlockTransactionCountByHash", UNKNOWN),
    step("known", "eth_getTransactionByBlockNumberAndIndex", "0x1", "0x0"),
    step("no such index", "eth_getTransactionByBlockNumberAndIndex", "0x1", "0x9"),
    step("known", "eth_getTransactionByBlockHashAndIndex", "$block1", "0x0"),
    step("unknown", "eth_getTransactionByHash", UNKNOWN),
    step("unknown", "eth_getTransactionReceipt", UNKNOWN),
)
CALLS = (
    *call("returns", {"data": "0x600160005260206000f3"}),
    *call("logs", {"to": PROBE, "from": ADDRESS0}),
    *call("input instead of data", {"to": PROBE, "input": CUSTOM_ERROR}),
    *call("custom error", {"to": PROBE, "data": CUSTOM_ERROR}),
    *call("reason", {"to": PROBE, "data": REASON}),
    *call("panic", {"to": PROBE, "data": PANIC}),
    *call("revert of one byte", {"to": PROBE, "data": "0x01"}),
    *call("invalid opcode", {"data": "0xfe"}),
    *call("value beyond balance", {"to": ADDRESS1, "from": ADDRESS0, "value": TOO_MUCH}),
    *call(
        "gas price of the poor", {"to": PROBE, "from": STRANGER, "gas": "0xffff", "gasPrice": "0x1"}
    ),
    *call(
        "gas price of the rich", {"to": PROBE, "from": ADDRESS0, "gas": "0xffff", "gasPrice": "0x1"}
    ),
    *call("odd hex", {"to": PROBE, "data": "0x123"}),
    *call("short address", {"to": "0x1234"}),
    *call("no object", "0x"),
    *call("unknown field", {"tooo": PROBE}),
    *call("unknown block", {"to": PROBE}, "0x99"),
    *call("block hash", {"to": PROBE, "from": ADDRESS0}, {"blockHash": "$block1"}),
    *call("unknown block hash", {"to": PROBE}, {"blockHash": UNKNOWN}),
    step("out of gas", "eth_call", {"to": PROBE, "gas": "0x5300"}, "latest"),
    step("below intrinsic gas", "eth_call", {"to": PROBE, "gas": "0x100"}, "latest"),
    step("slot", "eth_createAccessList", {"to": PROBE, "from": ADDRESS0}, "latest"),
    step("custom error", "eth_createAccessList", {"to": PROBE, "data": CUSTOM_ERROR}, "latest"),
    step("unknown block", "eth_createAccessList", {"to": PROBE}, "0x99"),
    step(
        "nothing touched",
        "eth_createAccessList",
        {"to": ADDRESS1, "from": ADDRESS0, "value": "0x1"},
        "latest",
    ),
    step("before the contract", "eth_call", {"to": PROBE}, "0x0"),
    step("transfer", "eth_estimateGas", {"to": ADDRESS1, "from": ADDRESS0, "value": "0x1"}),
    step("creation", "eth_estimateGas", {"from": ADDRESS0, "data": CREATE}),
)
SENDS = (
    step("call", "eth_sendRawTransaction", sign(1, to=PROBE, value=0, gas=90_000), keep="logged"),
    step("logs", "eth_getTransactionReceipt", "$logged"),
    step(
        "reverted",
        "eth_sendRawTransaction",
        sign(2, to=PROBE, value=0, gas=90_000, data=CUSTOM_ERROR),
        keep="reverted",
    ),
    step("reverted", "eth_getTransactionReceipt", "$reverted"),
    step("reverted", "eth_getTransactionByHash", "$reverted"),
    step("nonce too low", "eth_sendRawTransaction", sign(2)),
    step("behind a gap", "eth_sendRawTransaction", sign(5), keep="queued"),
    step("known", "eth_sendRawTransaction", sign(5)),
    step("replacement at the same price", "eth_sendRawTransaction", sign(5, value=2)),
    step("waiting", "eth_getTransactionByHash", "$queued"),
    step("waiting", "eth_getTransactionReceipt", "$queued"),
    step("waiting", "eth_getRawTransactionByHash", "$queued"),
    step("", "txpool_status"),
    step("", "txpool_content"),
    step("", "txpool_inspect"),
    step("pending, behind a gap", "eth_getTransactionCount", ADDRESS0, "pending"),
    step("below intrinsic gas", "eth_sendRawTransaction", sign(3, gas=20_000)),
    step("above the block's gas", "eth_sendRawTransaction", sign(3, gas=31_000_000)),
    step("beyond the balance", "eth_sendRawTransaction", sign(3, value=10**24)),
    step("no transaction", "eth_sendRawTransaction", "0xdead"),
    step("empty", "eth_sendRawTransaction", "0x"),
    step(
        "type 2 before London",
        "eth_sendRawTransaction",
        sign(3, gasPrice=None, type=2, maxFeePerGas=0, maxPriorityFeePerGas=0),
    ),
    step(
        "unlocked",
        "eth_sendTransaction",
        {"from": ADDRESS1, "to": ADDRESS0, "value": "0x5", "gas": "0x5208", "gasPrice": "0x0"},
        keep="unlocked",
    ),
    step("unlocked", "eth_getTransactionByHash", "$unlocked"),
    step(
        "stranger",
        "eth_sendTransaction",
        {"from": STRANGER, "to": ADDRESS0, "gas": "0x5208", "gasPrice": "0x0"},
    ),
    step(
        "fee of type 2 before London",
        "eth_sendTransaction",
        {"from": ADDRESS1, "to": ADDRESS0, "maxFeePerGas": "0x1"},
    ),
    step(
        "",
        "eth_signTransaction",
        {
            "from": ADDRESS1,
            "to": ADDRESS0,
            "value": "0x5",
            "gas": "0x5208",
            "gasPrice": "0x0",
            "nonce": "0x9",
        },
    ),
    step("", "eth_sign", ADDRESS0, "0xdead"),
    step("stranger", "eth_sign", STRANGER, "0xdead"),
    step("", "eth_signTypedData", ADDRESS0, TYPED_DATA),
)
LOGS = (
    step("all", "eth_getLogs", {"fromBlock": "0x0"}),
    step("no range", "eth_getLogs", {}),
    step("beyond the head", "eth_getLogs", {"fromBlock": "0x0", "toBlock": "0x63"}),
    step("range above the head", "eth_getLogs", {"fromBlock": "0x60", "toBlock": "0x63"}),
    step("range backwards", "eth_getLogs", {"fromBlock": "0x3", "toBlock": "0x1"}),
    step("addresses", "eth_getLogs", {"fromBlock": "0x0", "address": [PROBE, ADDRESS1]}),
    step("no address", "eth_getLogs", {"fromBlock": "0x0", "address": []}),
    step("another address", "eth_getLogs", {"fromBlock": "0x0", "address": ADDRESS1}),
    step("either topic", "eth_getLogs", {"fromBlock": "0x0", "topics": [[TOPIC, UNKNOWN]]}),
    step("second topic", "eth_getLogs", {"fromBlock": "0x0", "topics": [None, f"0x{2:064x}"]}),
    step("any topic", "eth_getLogs", {"fromBlock": "0x0", "topics": [[]]}),
    step("another topic", "eth_getLogs", {"fromBlock": "0x0", "topics": [UNKNOWN]}),
    step("block hash", "eth_getLogs", {"blockHash": "$block1"}),
    step("unknown block hash", "eth_getLogs", {"blockHash": UNKNOWN}),
    step("hash and range", "eth_getLogs", {"blockHash": "$block1", "fromBlock": "0x0"}),
    step("short address", "eth_getLogs", {"fromBlock": "0x0", "address": "0x12"}),
    step("five topics", "eth_getLogs", {"fromBlock": "0x0", "topics": [None] * 5}),
    step("no object", "eth_getLogs", []),
    step("", "eth_newFilter", {"fromBlock": "0x0"}, keep="filter", own=frozenset({"result"})),
    step("", "eth_newBlockFilter", keep="blocks", own=frozenset({"result"})),
    step("", "eth_newPendingTransactionFilter", keep="pool", own=frozenset({"result"})),
    step("sees a new one", "eth_sendRawTransaction", sign(3), keep="seen"),
    step("logs", "eth_getFilterChanges", "$filter"),
    step("logs again", "eth_getFilterChanges", "$filter"),
    step("blocks", "eth_getFilterChanges", "$blocks", own=frozenset({"result"})),
    step("transactions", "eth_getFilterChanges", "$pool"),
    step("", "eth_getFilterLogs", "$filter"),
    step("known", "eth_uninstallFilter", "$filter"),
    step("unknown", "eth_uninstallFilter", "0x99"),
    step("uninstalled", "eth_getFilterChanges", "$filter"),
)
STATE = (
    step("", "eth_getStorageAt", PROBE, "0x0", "latest"),
    step("history", "eth_getStorageAt", PROBE, "0x0", "0x1"),
    step("unknown block", "eth_getStorageAt", PROBE, "0x0", "0x99"),
    step("contract", "eth_getCode", PROBE, "latest"),
    step("account", "eth_getCode", ADDRESS0, "latest"),
    step("history", "eth_getCode", PROBE, "0x0"),
    step("unknown block", "eth_getCode", PROBE, "0x99"),
    step("", "eth_getBalance", ADDRESS1, "latest"),
    step("nobody", "eth_getBalance", STRANGER, "latest"),
    step("unknown block", "eth_getBalance", ADDRESS0, "0x99"),
    step("short address", "eth_getBalance", "0x12", "latest"),
    step("no block", "eth_getBalance", ADDRESS1),
    step("", "eth_getTransactionCount", ADDRESS0, "latest"),
    step("history", "eth_getTransactionCount", ADDRESS0, "0x1"),
    step("unknown block", "eth_getTransactionCount", ADDRESS0, "0x99"),
    step("slots", "eth_getProof", PROBE, [SLOT_0, SLOT_5], "latest"),
    step("history", "eth_getProof", PROBE, [SLOT_0], "0x1"),
    step("nobody", "eth_getProof", STRANGER, [SLOT_0], "latest"),
    step("account", "eth_getProof", ADDRESS0, [], "latest"),
    step("short slot", "eth_getProof", PROBE, ["0x5"], "latest"),
    step("unknown block", "eth_getProof", PROBE, [], "0x99"),
    step("percentiles", "eth_feeHistory", "0x3", "latest", [10, 50]),
    step("no percentiles", "eth_feeHistory", "0x2", "0x3", []),
    step("no blocks", "eth_feeHistory", "0x0", "latest", []),
    step("more than there are", "eth_feeHistory", "0x9", "0x2", []),
    step("unknown block", "eth_feeHistory", "0x2", "0x99", []),
)
#: Last, since each ledger goes its own way here.
LAST = (
    step("gap filled", "eth_sendRawTransaction", sign(4)),
    step("after the gap", "eth_getTransactionCount", ADDRESS0, "pending"),
    step("after the gap", "eth_getTransactionReceipt", "$queued", own=frozenset({"blockNumber"})),
    step(
        "over 128 KB", "eth_sendRawTransaction", sign(6, gas=5_000_000, data="0x" + "00" * 140_000)
    ),
)
STEPS = (*ABOUT, *CREATION, *CALLS, *SENDS, *LOGS, *STATE, *LAST)
#: Whole requests: the form of JSON-RPC itself.
_CALL = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}
BODIES: dict[str, Any] = {
    "batch": [_CALL, {**_CALL, "id": "x", "method": "eth_nothing"}],
    "empty batch": [],
    "batch with a notification": [_CALL, {"jsonrpc": "2.0", "method": "eth_chainId"}],
    "batch of notifications": [{"jsonrpc": "2.0", "method": "eth_chainId"}],
    "batch with an invalid entry": [_CALL, 7],
    "batch of 1,200": [_CALL] * 1200,
    "notification": {"jsonrpc": "2.0", "method": "eth_chainId"},
    "null id": {**_CALL, "id": None},
    "object as id": {**_CALL, "id": {}},
    "no version": {"id": 1, "method": "eth_chainId"},
    "no method": {"jsonrpc": "2.0", "id": 1},
    "null params": {**_CALL, "params": None},
    "object as params": {**_CALL, "method": "eth_getBalance", "params": {"a": 1}},
    "missing params": {**_CALL, "method": "eth_getCode", "params": []},
    "text": "text",
}
