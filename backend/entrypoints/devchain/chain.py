"""eth-tester's chain, opened on the stored state.

eth-tester's ``PyEVMBackend`` always builds a new genesis in memory. Its ``.chain`` is an ordinary
py-evm ``MiningChain``, so the same class is opened here on the SQLite store instead; mining goes
on through the backend.
"""

from __future__ import annotations

from typing import Any

import rlp
from eth.abc import BlockHeaderAPI
from eth.constants import GENESIS_PARENT_HASH
from eth.db.atomic import AtomicDB
from eth.db.schema import SchemaV1
from eth.rlp.sedes import chain_gaps
from eth_tester.backends.pyevm.main import (
    PyEVMBackend,
    get_default_genesis_params,
    setup_tester_chain,
)
from eth_typing import BlockNumber

from backend.entrypoints.devchain.accounts import account_from_private_key, derive_accounts
from backend.entrypoints.devchain.options import WEI_PER_ETHER, ChainOptions, ChainSettings
from backend.entrypoints.devchain.rules import after_merge, vm_class
from backend.entrypoints.devchain.store import SqliteStore


class StoredBackend(PyEVMBackend):  # type: ignore[misc]  # eth-tester is not typed
    """eth-tester's backend over a chain that somebody else opened."""

    def __init__(self, chain: Any) -> None:
        # Not calling super(): it would build a genesis of its own. It signs nothing: keys stay
        # in the wallet.
        self.chain = chain
        self.account_keys = ()


def chain_class(settings: ChainSettings) -> Any:
    """eth-tester's chain class with the fork and chain id of the settings."""
    _, throwaway = setup_tester_chain(
        genesis_state={}, vm_configuration=((0, vm_class(settings.hardfork)),)
    )
    # The chain id is a constant of eth-tester's class.
    return type("DevChain", (type(throwaway),), {"chain_id": settings.chain_id})


def create_genesis(
    store: SqliteStore, settings: ChainSettings, options: ChainOptions, mnemonic: str
) -> list[tuple[bytes, bytes]]:
    """Write block 0 and the addresses; return (address, private key) of each account."""
    accounts = derive_accounts(mnemonic, settings.accounts)
    balances = {address: settings.balance_ether * WEI_PER_ETHER for address, _ in accounts}
    if options.private_keys:
        named = [(*account_from_private_key(key), wei) for key, wei in options.private_keys]
        accounts = [(address, key) for address, key, _ in named]
        balances = {address: wei for address, _, wei in named}
    state = {
        address: {"balance": wei, "nonce": 0, "code": b"", "storage": {}}
        for address, wei in balances.items()
    }
    overrides: dict[str, Any] = {
        "gas_limit": settings.gas_limit,
        "timestamp": settings.genesis_time,
    }
    if not after_merge(settings.hardfork):
        overrides |= {"difficulty": 1, "nonce": bytes(8), "mix_hash": bytes(32)}
    params = get_default_genesis_params(overrides=overrides)
    chain_class(settings).from_genesis(AtomicDB(store), params, state)
    store.set_addresses([address for address, _ in accounts])
    return accounts


def open_backend(store: SqliteStore, settings: ChainSettings) -> StoredBackend:
    """eth-tester's backend on the stored chain."""
    return StoredBackend(chain_class(settings)(AtomicDB(store)))


def rewind(chain: Any, target: BlockHeaderAPI) -> None:
    """Make ``target``, a block of the chain, its head again and forget the blocks above it.

    py-evm only moves the head: numbers and transactions above it would still be found, so their
    look-ups are taken out here. Trie nodes stay; nothing points at them.
    """
    chaindb = chain.chaindb
    db = chaindb.db
    head = chain.get_canonical_head()
    for number in range(head.block_number, target.block_number, -1):
        header = chain.get_canonical_block_header_by_number(number)
        for transaction_hash in chaindb.get_block_transaction_hashes(header):
            db.delete(SchemaV1.make_transaction_hash_to_block_lookup_key(transaction_hash))
        db.delete(SchemaV1.make_block_number_to_hash_lookup_key(BlockNumber(number)))
    no_gaps = rlp.encode(((), target.block_number + 1), sedes=chain_gaps)
    db.set(SchemaV1.make_chain_gaps_lookup_key(), no_gaps)
    db.set(SchemaV1.make_header_chain_gaps_lookup_key(), no_gaps)
    chaindb._set_as_canonical_chain_head(db, target, GENESIS_PARENT_HASH)
    chain.header = chain.ensure_header()
