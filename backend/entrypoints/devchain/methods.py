"""The JSON-RPC methods. Each takes the engine and the list of parameters, under the lock."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from eth_hash.auto import keccak

from backend.entrypoints.devchain import encoding, execution, fees, filters, reads, signing
from backend.entrypoints.devchain.encoding import data, quantity
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.errors import invalid_params
from backend.entrypoints.devchain.parameters import (
    find_header,
    take,
    to_bytes,
    to_header,
    to_int,
    to_log_query,
    to_message,
)

Method = Callable[[Engine, list[Any]], Any]
_MAX_PROOF_SLOTS = 1024
_VERSION = "1.0.0"


def client_version(engine: Engine, _params: list[Any]) -> str:
    """Name, version and fork."""
    return (
        f"YichuDevchain/v{_VERSION}/eth-tester-{version('eth-tester')}"
        f"/py-evm-{version('py-evm')}/{engine.settings.hardfork}"
    )


def sha3(_engine: Engine, params: list[Any]) -> str:
    """Keccak-256 of the data."""
    return data(keccak(to_bytes(take(params, 0), "data")))


def get_block_by_number(engine: Engine, params: list[Any]) -> Any:
    """A block, or null above the head."""
    header = find_header(engine, take(params, 0, "latest"))
    return None if header is None else encoding.block(engine, header, take(params, 1) is True)


def get_block_by_hash(engine: Engine, params: list[Any]) -> Any:
    """A block of the chain, or null."""
    header = reads.header_by_hash(engine, to_bytes(take(params, 0), "blockHash", 32))
    return None if header is None else encoding.block(engine, header, take(params, 1) is True)


def block_transaction_count(engine: Engine, params: list[Any]) -> Any:
    """How many transactions a block has, by number, tag or hash."""
    value = take(params, 0, "latest")
    is_hash = isinstance(value, str) and len(value) == 66
    header = find_header(engine, {"blockHash": value} if is_hash else value)
    return None if header is None else quantity(len(reads.transactions_of(engine, header)))


def get_balance(engine: Engine, params: list[Any]) -> str:
    """Wei of an account."""
    address = to_bytes(take(params, 0), "address", 20)
    return quantity(_state(engine, take(params, 1)).get_balance(address))


def get_transaction_count(engine: Engine, params: list[Any]) -> str:
    """The next nonce; with ``pending`` after the transactions that wait in turn."""
    address = to_bytes(take(params, 0), "address", 20)
    if take(params, 1) == "pending":
        return quantity(engine.pending_nonce(address))
    return quantity(_state(engine, take(params, 1)).get_nonce(address))


def get_code(engine: Engine, params: list[Any]) -> str:
    """The code of a contract."""
    address = to_bytes(take(params, 0), "address", 20)
    return data(_state(engine, take(params, 1)).get_code(address))


def get_storage_at(engine: Engine, params: list[Any]) -> str:
    """One slot of a contract, as 32 bytes."""
    address = to_bytes(take(params, 0), "address", 20)
    slot = to_int(take(params, 1), "slot")
    return encoding.word(_state(engine, take(params, 2)).get_storage(address, slot))


def eth_call(engine: Engine, params: list[Any]) -> str:
    """Run a message and keep nothing."""
    message = to_message(take(params, 0))
    return data(execution.call(engine, message, to_header(engine, take(params, 1))))


def estimate_gas(engine: Engine, params: list[Any]) -> str:
    """The gas that a message needs."""
    message = to_message(take(params, 0))
    return quantity(execution.estimate_gas(engine, message, to_header(engine, take(params, 1))))


def create_access_list(engine: Engine, params: list[Any]) -> dict[str, Any]:
    """What a message touches, and the gas that it uses when it declares that (EIP-2930)."""
    message = to_message(take(params, 0))
    declared, gas = execution.access_list(engine, message, to_header(engine, take(params, 1)))
    return {
        "accessList": [
            {"address": data(address), "storageKeys": [encoding.word(slot) for slot in slots]}
            for address, slots in declared
        ],
        "gasUsed": quantity(gas),
    }


def gas_price(engine: Engine, _params: list[Any]) -> str:
    """The price that the ledger proposes: the option's, 0 by default."""
    return quantity(engine.run.gas_price + (engine.base_fee() or 0))


def send_raw_transaction(engine: Engine, params: list[Any]) -> str:
    """Take a signed transaction."""
    return data(engine.send_raw(to_bytes(take(params, 0), "transaction")))


def accounts(engine: Engine, _params: list[Any]) -> list[str]:
    """The unlocked accounts."""
    return [data(address) for address in engine.wallet.addresses]


def get_transaction_by_hash(engine: Engine, params: list[Any]) -> Any:
    """A mined or waiting transaction, or null."""
    wanted = to_bytes(take(params, 0), "hash", 32)
    mined = reads.mined_transaction(engine, wanted)
    if mined is not None:
        return encoding.transaction(engine, mined.header, mined.index, mined.transaction)
    raw = engine.store.waiting_raw(wanted)
    if raw is None:
        return None
    return encoding.transaction(engine, None, None, engine.pool.decode(engine.chain, raw))


def get_raw_transaction(engine: Engine, params: list[Any]) -> Any:
    """The bytes of a mined or waiting transaction, or null."""
    wanted = to_bytes(take(params, 0), "hash", 32)
    mined = reads.mined_transaction(engine, wanted)
    raw = engine.store.waiting_raw(wanted) if mined is None else mined.transaction.encode()
    return None if raw is None else data(raw)


def get_block_receipts(engine: Engine, params: list[Any]) -> Any:
    """The receipts of a block in order, or null."""
    value = take(params, 0, "latest")
    is_hash = isinstance(value, str) and len(value) == 66
    header = find_header(engine, {"blockHash": value} if is_hash else value)
    if header is None:
        return None
    found = (
        reads.mined_transaction(engine, item.hash) for item in reads.transactions_of(engine, header)
    )
    return [encoding.receipt(mined) for mined in found if mined is not None]


def get_transaction_by_place(engine: Engine, params: list[Any]) -> Any:
    """A transaction by block (number, tag or hash) and index, or null."""
    value = take(params, 0, "latest")
    is_hash = isinstance(value, str) and len(value) == 66
    header = find_header(engine, {"blockHash": value} if is_hash else value)
    index = to_int(take(params, 1), "index")
    listed = () if header is None else reads.transactions_of(engine, header)
    if index >= len(listed):
        return None
    return encoding.transaction(engine, header, index, listed[index])


def get_transaction_receipt(engine: Engine, params: list[Any]) -> Any:
    """The receipt of a mined transaction, or null at once."""
    mined = reads.mined_transaction(engine, to_bytes(take(params, 0), "hash", 32))
    return None if mined is None else encoding.receipt(mined)


def get_logs(engine: Engine, params: list[Any]) -> list[Any]:
    """Logs by block range or hash, address and topics."""
    query = to_log_query(engine, take(params, 0))
    if query.block is not None:
        found = list(reads.logs_of_block(engine, query.block, query.addresses, query.topics))
    else:
        found = reads.find_logs(engine, query.first, query.last, query.addresses, query.topics)
    return [encoding.log(item) for item in found]


def get_proof(engine: Engine, params: list[Any]) -> Any:
    """Account and slot proofs (EIP-1186)."""
    address = to_bytes(take(params, 0), "address", 20)
    listed = take(params, 1, [])
    if not isinstance(listed, list) or len(listed) > _MAX_PROOF_SLOTS:
        raise invalid_params(f"slots: expected a list of at most {_MAX_PROOF_SLOTS}")
    slots = [to_int(item, "slot") for item in listed]
    header = to_header(engine, take(params, 2))
    return encoding.proof(address, reads.account_proof(engine, header, address, slots))


def evm_snapshot(engine: Engine, _params: list[Any]) -> str:
    """Remember the head; the answer names the snapshot."""
    return quantity(engine.snapshot())


def evm_revert(engine: Engine, params: list[Any]) -> bool:
    """Back to a snapshot; false if there is none of this name."""
    return engine.revert(to_int(take(params, 0), "snapshot"))


def evm_mine(engine: Engine, params: list[Any]) -> str:
    """Mine: nothing, a timestamp, or {"blocks": n, "timestamp": t}."""
    option = take(params, 0, {})
    if not isinstance(option, dict):
        option = {"timestamp": option}
    unknown = sorted(set(option) - {"blocks", "timestamp"})
    if unknown:
        raise invalid_params(f"evm_mine: unknown option {unknown[0]}")
    stamp = option.get("timestamp")
    engine.mine(
        to_int(option.get("blocks", 1), "blocks"),
        None if stamp is None else to_int(stamp, "timestamp"),
    )
    return "0x0"


def evm_increase_time(engine: Engine, params: list[Any]) -> int:
    """Move the clock on by whole seconds; the answer is the whole offset in seconds.

    As with ganache, a fraction is cut off and a negative number moves nothing.
    """
    value = take(params, 0)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return engine.increase_time(max(0, int(value)))
    return engine.increase_time(to_int(value, "seconds"))


def evm_set_time(engine: Engine, params: list[Any]) -> int:
    """Set the clock, in milliseconds as with ganache; the answer is the offset in seconds."""
    return engine.set_time(to_int(take(params, 0), "time") // 1000)


def miner_start(engine: Engine, _params: list[Any]) -> bool:
    """Mine each transaction as it comes (the default); what waits is mined now."""
    engine.set_mining(True)
    return True


def miner_stop(engine: Engine, _params: list[Any]) -> bool:
    """Let transactions wait until ``evm_mine`` or ``miner_start``."""
    engine.set_mining(False)
    return True


def txpool_status(engine: Engine, _params: list[Any]) -> dict[str, str]:
    """How many transactions wait in turn, and how many behind a gap."""
    waiting = engine.store.waiting()
    in_turn = sum(nonce < engine.pending_nonce(sender) for _, sender, nonce, _ in waiting)
    return {"pending": quantity(in_turn), "queued": quantity(len(waiting) - in_turn)}


def txpool_content(engine: Engine, _params: list[Any]) -> dict[str, Any]:
    """The waiting transactions, by sender and nonce."""
    return _pool(engine, lambda item: encoding.transaction(engine, None, None, item))


def txpool_inspect(engine: Engine, _params: list[Any]) -> dict[str, Any]:
    """The waiting transactions in a line each."""

    def line(item: Any) -> str:
        to = data(item.to) if item.to else "contract creation"
        price = f"{item.gas} gas \u00d7 {item.max_fee_per_gas} wei"
        return f"{to}: {item.value} wei + {price}"

    return _pool(engine, line)


def _pool(engine: Engine, show: Callable[[Any], Any]) -> dict[str, Any]:
    parts: dict[str, dict[str, dict[str, Any]]] = {"pending": {}, "queued": {}}
    for _, sender, nonce, raw in engine.store.waiting():
        part = "pending" if nonce < engine.pending_nonce(sender) else "queued"
        shown = show(engine.pool.decode(engine.chain, raw))
        parts[part].setdefault(data(sender), {})[str(nonce)] = shown
    return parts


def _state(engine: Engine, value: Any) -> Any:
    return engine.chain.get_vm(at_header=to_header(engine, value)).state


METHODS: dict[str, Method] = {
    "web3_clientVersion": client_version,
    "web3_sha3": sha3,
    "net_version": lambda engine, _: str(engine.settings.network_id),
    "net_listening": lambda _engine, _: True,
    "net_peerCount": lambda _engine, _: "0x0",
    "eth_chainId": lambda engine, _: quantity(engine.settings.chain_id),
    "eth_syncing": lambda _engine, _: False,
    "eth_mining": lambda engine, _: engine.mining,
    # What ganache 7 says: the wire protocol has had no such number since eth/64.
    "eth_protocolVersion": lambda _engine, _: "0x3f",
    "eth_coinbase": lambda _engine, _: data(bytes(20)),
    "eth_hashrate": lambda _engine, _: "0x0",
    "eth_blockNumber": lambda engine, _: quantity(engine.chain.get_canonical_head().block_number),
    "eth_getBlockByNumber": get_block_by_number,
    "eth_getBlockByHash": get_block_by_hash,
    "eth_getBlockTransactionCountByNumber": block_transaction_count,
    "eth_getBlockTransactionCountByHash": block_transaction_count,
    "eth_getBalance": get_balance,
    "eth_getTransactionCount": get_transaction_count,
    "eth_getCode": get_code,
    "eth_getStorageAt": get_storage_at,
    "eth_call": eth_call,
    "eth_estimateGas": estimate_gas,
    "eth_createAccessList": create_access_list,
    "eth_gasPrice": gas_price,
    "eth_maxPriorityFeePerGas": lambda engine, _: quantity(engine.run.gas_price),
    "eth_sendRawTransaction": send_raw_transaction,
    "eth_feeHistory": fees.fee_history,
    "eth_sendTransaction": signing.send_transaction,
    "eth_signTransaction": signing.sign_transaction,
    "eth_sign": signing.sign,
    "eth_signTypedData": signing.sign_typed_data,
    "eth_signTypedData_v4": signing.sign_typed_data,
    "eth_accounts": accounts,
    "eth_getTransactionByHash": get_transaction_by_hash,
    "eth_getTransactionByBlockNumberAndIndex": get_transaction_by_place,
    "eth_getTransactionByBlockHashAndIndex": get_transaction_by_place,
    "eth_getTransactionReceipt": get_transaction_receipt,
    "eth_getRawTransactionByHash": get_raw_transaction,
    "eth_getBlockReceipts": get_block_receipts,
    "eth_getLogs": get_logs,
    "eth_newFilter": filters.new_filter,
    "eth_newBlockFilter": filters.new_block_filter,
    "eth_newPendingTransactionFilter": filters.new_transaction_filter,
    "eth_getFilterChanges": filters.filter_changes,
    "eth_getFilterLogs": filters.filter_logs,
    "eth_uninstallFilter": filters.uninstall,
    "eth_getProof": get_proof,
    "evm_snapshot": evm_snapshot,
    "evm_revert": evm_revert,
    "evm_mine": evm_mine,
    "evm_increaseTime": evm_increase_time,
    "evm_setTime": evm_set_time,
    "miner_start": miner_start,
    "miner_stop": miner_stop,
    "txpool_status": txpool_status,
    "txpool_content": txpool_content,
    "txpool_inspect": txpool_inspect,
}
