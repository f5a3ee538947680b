"""Reads, straight from py-evm's chain database.

eth-tester's own reads scan the chain (133 s for the logs of 900 blocks, measured); the database
has an index of transactions, and blocks that logged nothing are skipped by their bloom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import rlp
from eth.abc import BlockHeaderAPI, ReceiptAPI, SignedTransactionAPI
from eth.constants import EMPTY_SHA3
from eth.exceptions import HeaderNotFound, TransactionNotFound
from eth.rlp.accounts import Account
from eth_bloom import BloomFilter
from eth_hash.auto import keccak
from trie import HexaryTrie
from trie.constants import BLANK_NODE_HASH

from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.errors import LIMIT_EXCEEDED, RpcError

MAX_LOGS = 100_000
Topics = tuple[frozenset[bytes] | None, ...]


@dataclass(frozen=True, slots=True)
class MinedTransaction:
    """A transaction with its place and receipt; ``gas_used`` is its own, not cumulative."""

    header: BlockHeaderAPI
    index: int
    transaction: SignedTransactionAPI
    sender: bytes
    receipt: ReceiptAPI
    gas_used: int
    first_log: int


@dataclass(frozen=True, slots=True)
class FoundLog:
    """A log with its place."""

    header: BlockHeaderAPI
    transaction_hash: bytes
    transaction_index: int
    log_index: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class AccountProof:
    """EIP-1186: an account, its trie path and the paths of the asked slots."""

    account: Account
    nodes: tuple[bytes, ...]
    slots: tuple[tuple[int, int, tuple[bytes, ...]], ...]


def header_by_number(engine: Engine, number: int) -> BlockHeaderAPI | None:
    """The block's header, or ``None`` above the head."""
    try:
        header: BlockHeaderAPI = engine.chain.get_canonical_block_header_by_number(number)
    except HeaderNotFound:
        return None
    return header


def header_by_hash(engine: Engine, block_hash: bytes) -> BlockHeaderAPI | None:
    """The header of a block of the chain; ``None`` for unknown and for reverted blocks."""
    try:
        header: BlockHeaderAPI = engine.chain.get_block_header_by_hash(block_hash)
    except HeaderNotFound:
        return None
    at_height = header_by_number(engine, header.block_number)
    return header if at_height is not None and at_height.hash == block_hash else None


def total_difficulty(engine: Engine, header: BlockHeaderAPI) -> int:
    """The sum of difficulties up to this block."""
    return int(engine.chain.get_score(header.hash))


def transactions_of(engine: Engine, header: BlockHeaderAPI) -> tuple[SignedTransactionAPI, ...]:
    """The block's transactions in order."""
    builder = engine.chain.get_vm_class(header).get_transaction_builder()
    found: tuple[SignedTransactionAPI, ...] = engine.chain.chaindb.get_block_transactions(
        header, builder
    )
    return found


def receipts_of(engine: Engine, header: BlockHeaderAPI) -> tuple[ReceiptAPI, ...]:
    """The block's receipts in order."""
    builder = engine.chain.get_vm_class(header).get_receipt_builder()
    found: tuple[ReceiptAPI, ...] = engine.chain.chaindb.get_receipts(header, builder)
    return found


def sender_of(engine: Engine, transaction: SignedTransactionAPI) -> bytes:
    """Who signed; remembered when it was mined."""
    return engine.store.sender(transaction.hash) or bytes(transaction.sender)


def mined_transaction(engine: Engine, transaction_hash: bytes) -> MinedTransaction | None:
    """A mined transaction by hash, or ``None``: one look at the index, no scan."""
    try:
        number, index = engine.chain.chaindb.get_transaction_index(transaction_hash)
    except TransactionNotFound:
        return None
    header = header_by_number(engine, number)
    if header is None:
        return None
    transaction = transactions_of(engine, header)[index]
    receipts = receipts_of(engine, header)
    before = receipts[index - 1].gas_used if index else 0
    return MinedTransaction(
        header=header,
        index=index,
        transaction=transaction,
        sender=sender_of(engine, transaction),
        receipt=receipts[index],
        gas_used=receipts[index].gas_used - before,
        first_log=sum(len(receipt.logs) for receipt in receipts[:index]),
    )


def find_logs(
    engine: Engine, first: int, last: int, addresses: frozenset[bytes], topics: Topics
) -> list[FoundLog]:
    """The logs of ``first..last`` of these addresses (all if empty) with these topics."""
    found: list[FoundLog] = []
    for number, bloom in engine.store.blooms(first, last):
        if not _bloom_may_hold(bloom, addresses, topics):
            continue
        header = header_by_number(engine, number)
        if header is not None:
            found.extend(logs_of_block(engine, header, addresses, topics))
        if len(found) > MAX_LOGS:
            raise RpcError(LIMIT_EXCEEDED, f"query returned more than {MAX_LOGS} results")
    return found


def logs_of_block(
    engine: Engine, header: BlockHeaderAPI, addresses: frozenset[bytes], topics: Topics
) -> Iterator[FoundLog]:
    """The matching logs of one block in order."""
    hashes = engine.chain.chaindb.get_block_transaction_hashes(header)
    log_index = 0
    for index, receipt in enumerate(receipts_of(engine, header)):
        for log in receipt.logs:
            words = tuple(topic.to_bytes(32, "big") for topic in log.topics)
            if _matches(log.address, words, addresses, topics):
                yield FoundLog(
                    header, hashes[index], index, log_index, log.address, words, log.data
                )
            log_index += 1


def account_proof(
    engine: Engine, header: BlockHeaderAPI, address: bytes, slots: list[int]
) -> AccountProof:
    """The state proof of an account and of some of its slots at a block (EIP-1186)."""
    db = engine.chain.chaindb.db
    state_trie = HexaryTrie(db, root_hash=header.state_root)
    key = keccak(address)
    encoded = state_trie[key]
    account = (
        rlp.decode(encoded, sedes=Account)
        if encoded
        else Account(0, 0, BLANK_NODE_HASH, EMPTY_SHA3)
    )
    storage_trie = HexaryTrie(db, root_hash=account.storage_root)
    proofs = []
    for slot in slots:
        slot_key = keccak(slot.to_bytes(32, "big"))
        stored = storage_trie[slot_key]
        value = int.from_bytes(rlp.decode(stored), "big") if stored else 0
        proofs.append((slot, value, _nodes(storage_trie, slot_key)))
    return AccountProof(account, _nodes(state_trie, key), tuple(proofs))


def _nodes(trie: Any, key: bytes) -> tuple[bytes, ...]:
    """The RLP of the nodes on the path; the empty trie has none."""
    if trie.root_hash == BLANK_NODE_HASH:
        return ()
    encoded = (rlp.encode(node) for node in trie.get_proof(key))
    # A node under 32 bytes stands inside its parent and is no element of a proof (geth);
    # an empty node marks absence and is none either.
    return tuple(node for i, node in enumerate(encoded) if i == 0 or len(node) >= 32)


def _bloom_may_hold(bloom: bytes, addresses: frozenset[bytes], topics: Topics) -> bool:
    bits = BloomFilter(int.from_bytes(bloom, "big"))
    if addresses and not any(address in bits for address in addresses):
        return False
    return all(wanted is None or any(topic in bits for topic in wanted) for wanted in topics)


def _matches(
    address: bytes, words: tuple[bytes, ...], addresses: frozenset[bytes], topics: Topics
) -> bool:
    if addresses and address not in addresses:
        return False
    if len(topics) > len(words):
        return False
    return all(
        wanted is None or word in wanted for wanted, word in zip(topics, words, strict=False)
    )
