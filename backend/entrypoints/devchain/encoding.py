"""From py-evm's objects to the JSON of Ethereum's execution API (quantities and data in hex)."""

from __future__ import annotations

from typing import Any

import rlp
from eth._utils.address import generate_contract_address
from eth.abc import BlockHeaderAPI, SignedTransactionAPI
from eth_typing import Address

from backend.entrypoints.devchain import reads
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.pool import chain_id_of

Json = dict[str, Any]


def quantity(value: int) -> str:
    """A number: hex without leading zeros."""
    return hex(value)


def data(value: bytes) -> str:
    """Bytes: hex, two digits a byte."""
    return "0x" + value.hex()


def word(value: int) -> str:
    """A number as 32 bytes."""
    return f"0x{value:064x}"


def block(engine: Engine, header: BlockHeaderAPI, full: bool) -> Json:
    """A block with transaction hashes, or with whole transactions if ``full``."""
    transactions = reads.transactions_of(engine, header)
    listed: list[Any] = [
        transaction(engine, header, index, item) if full else data(item.hash)
        for index, item in enumerate(transactions)
    ]
    size = len(rlp.encode(engine.chain.get_block_by_header(header)))
    answer: Json = {
        "number": quantity(header.block_number),
        "hash": data(header.hash),
        "parentHash": data(header.parent_hash),
        "mixHash": data(header.mix_hash),
        "nonce": data(header.nonce),
        "sha3Uncles": data(header.uncles_hash),
        "logsBloom": data(header.bloom.to_bytes(256, "big")),
        "transactionsRoot": data(header.transaction_root),
        "stateRoot": data(header.state_root),
        "receiptsRoot": data(header.receipt_root),
        "miner": data(header.coinbase),
        "difficulty": quantity(header.difficulty),
        "totalDifficulty": quantity(reads.total_difficulty(engine, header)),
        "extraData": data(header.extra_data),
        "size": quantity(size),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "transactions": listed,
        "uncles": [],
    }
    base_fee = getattr(header, "base_fee_per_gas", None)
    if base_fee is not None:
        answer["baseFeePerGas"] = quantity(base_fee)
    withdrawals_root = getattr(header, "withdrawals_root", None)
    if withdrawals_root is not None:
        answer |= {"withdrawalsRoot": data(withdrawals_root), "withdrawals": []}
    return answer


def transaction(
    engine: Engine,
    header: BlockHeaderAPI | None,
    index: int | None,
    item: SignedTransactionAPI,
) -> Json:
    """A transaction; header and index are ``None`` while it waits."""
    kind = getattr(item, "type_id", None) or 0
    chain_id = chain_id_of(item)
    answer: Json = {
        "type": quantity(kind),
        "hash": data(item.hash),
        "nonce": quantity(item.nonce),
        "blockHash": None if header is None else data(header.hash),
        "blockNumber": None if header is None else quantity(header.block_number),
        "transactionIndex": None if index is None else quantity(index),
        "from": data(reads.sender_of(engine, item)),
        "to": data(item.to) if item.to else None,
        "value": quantity(item.value),
        "gas": quantity(item.gas),
        "gasPrice": quantity(_effective_price(item, header)),
        "input": data(item.data),
        "v": quantity(item.y_parity if kind else item.v),  # type: ignore[attr-defined]
        "r": quantity(item.r),
        "s": quantity(item.s),
    }
    if header is not None:
        answer["blockTimestamp"] = quantity(header.timestamp)
    if chain_id is not None:
        answer["chainId"] = quantity(chain_id)
    if kind:
        answer["yParity"] = answer["v"]
        answer["accessList"] = [
            {"address": data(who), "storageKeys": [word(key) for key in keys]}
            for who, keys in item.access_list
        ]
    if kind == 2:
        answer["maxFeePerGas"] = quantity(item.max_fee_per_gas)
        answer["maxPriorityFeePerGas"] = quantity(item.max_priority_fee_per_gas)
    return answer


def receipt(mined: reads.MinedTransaction) -> Json:
    """A receipt with its logs."""
    item = mined.transaction
    created = mined.sender, item.nonce
    logs = [
        log(
            reads.FoundLog(
                mined.header,
                item.hash,
                mined.index,
                mined.first_log + offset,
                entry.address,
                tuple(topic.to_bytes(32, "big") for topic in entry.topics),
                entry.data,
            )
        )
        for offset, entry in enumerate(mined.receipt.logs)
    ]
    return {
        "type": quantity(getattr(item, "type_id", None) or 0),
        "transactionHash": data(item.hash),
        "transactionIndex": quantity(mined.index),
        "blockHash": data(mined.header.hash),
        "blockNumber": quantity(mined.header.block_number),
        "from": data(mined.sender),
        "to": data(item.to) if item.to else None,
        "cumulativeGasUsed": quantity(mined.receipt.gas_used),
        "gasUsed": quantity(mined.gas_used),
        "effectiveGasPrice": quantity(_effective_price(item, mined.header)),
        "contractAddress": None if item.to else _contract_address(*created),
        "logs": logs,
        "logsBloom": data(mined.receipt.bloom.to_bytes(256, "big")),
        # EIP-658: the status stands where the state root was.
        "status": "0x1" if mined.receipt.state_root == b"\x01" else "0x0",
    }


def log(found: reads.FoundLog) -> Json:
    """A log."""
    return {
        "address": data(found.address),
        "topics": [data(topic) for topic in found.topics],
        "data": data(found.data),
        "blockHash": data(found.header.hash),
        "blockNumber": quantity(found.header.block_number),
        "blockTimestamp": quantity(found.header.timestamp),
        "transactionHash": data(found.transaction_hash),
        "transactionIndex": quantity(found.transaction_index),
        "logIndex": quantity(found.log_index),
        "removed": False,
    }


def proof(address: bytes, found: reads.AccountProof) -> Json:
    """EIP-1186."""
    return {
        "address": data(address),
        "accountProof": [data(node) for node in found.nodes],
        "balance": quantity(found.account.balance),
        "codeHash": data(found.account.code_hash),
        "nonce": quantity(found.account.nonce),
        "storageHash": data(found.account.storage_root),
        "storageProof": [
            {"key": word(slot), "value": quantity(value), "proof": [data(n) for n in nodes]}
            for slot, value, nodes in found.slots
        ],
    }


def _contract_address(sender: bytes, nonce: int) -> str:
    return data(generate_contract_address(Address(sender), nonce))


def _effective_price(item: SignedTransactionAPI, header: BlockHeaderAPI | None) -> int:
    """What was paid for one gas (EIP-1559), in wei."""
    base_fee = getattr(header, "base_fee_per_gas", None)
    if base_fee is None:
        return int(item.max_fee_per_gas)
    return int(min(item.max_fee_per_gas, base_fee + item.max_priority_fee_per_gas))
