"""The ledger as its callers see it: send, mine, snapshot, revert, travel in time.

One lock around everything: py-evm's chain object is not thread-safe, and 12 of 16 threads failed
on eth-tester without one (measured). Everything that one call changes is one SQLite transaction;
if it fails, the chain object is opened anew on the unchanged store.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from eth.abc import BlockHeaderAPI, SignedTransactionAPI
from eth_utils import ValidationError

from backend.entrypoints.devchain.accounts import Wallet, choose_mnemonic
from backend.entrypoints.devchain.chain import create_genesis, open_backend, rewind
from backend.entrypoints.devchain.errors import LedgerStartError, RpcError, refused
from backend.entrypoints.devchain.filter_book import FilterBook
from backend.entrypoints.devchain.options import (
    FORMAT_WITH_KEYS,
    ChainOptions,
    ChainSettings,
    RunOptions,
    check_against,
    load_settings,
    new_settings,
    save_settings,
)
from backend.entrypoints.devchain.pool import Pool
from backend.entrypoints.devchain.rules import has_base_fee
from backend.entrypoints.devchain.store import SqliteStore

_log = logging.getLogger("yichu.devchain")

MAX_BLOCKS_A_CALL = 10_000
#: A block mined after a revert must differ from the one it replaces, also in the same second.
_EXTRA_DATA_MARK = b"yichu-devchain/"


class Engine:
    """A development ledger; every public method takes the lock itself."""

    def __init__(
        self,
        folder: Path | None,
        options: ChainOptions,
        run: RunOptions | None = None,
    ) -> None:
        """Open the ledger in ``folder`` (``None``: in memory), or make it.

        Raises :class:`LedgerStartError` where the options contradict what is stored.
        """
        self.run = run or RunOptions()
        self.lock = threading.RLock()
        self.mining = True
        self.store = SqliteStore(folder)
        try:
            stored = load_settings(self.store)
            if stored is None:
                stored = self._create(folder, options)
            else:
                self._reopen(folder, stored, options)
        except LedgerStartError:
            self.store.close()
            raise
        self.settings: ChainSettings = stored
        self.backend: Any = None
        self._open()
        self.pool = Pool(self.store, stored.chain_id, self.run.price_bump)
        #: Hashes of the transactions that were taken while a filter watched them.
        self.received: list[bytes] = []
        self.filters = FilterBook()
        self.epoch = int(self.store.setting("epoch") or "0")
        self.time_offset = int(self.store.setting("time_offset") or "0")

    def _create(self, folder: Path | None, options: ChainOptions) -> ChainSettings:
        """A new ledger: keystores first, then everything else in one transaction."""
        settings = new_settings(options)
        #: The phrase of a ledger that was made in this run, to be shown once; it is not kept.
        self.mnemonic = choose_mnemonic(options.mnemonic, options.deterministic, options.seed)
        with self.store.transaction():
            pairs = create_genesis(self.store, settings, options, self.mnemonic)
            save_settings(self.store, settings)
            if options.genesis_time is not None:
                # As with ganache, the clock goes on from there.
                offset = options.genesis_time - int(time.time())
                self.store.set_setting("time_offset", str(offset))
            self.wallet = Wallet.create(folder, pairs)
        self.created = True
        return settings

    def _reopen(self, folder: Path | None, stored: ChainSettings, options: ChainOptions) -> None:
        assert folder is not None, "what is in memory is always new"
        addresses = self.store.addresses()
        if self.store.setting("format") == FORMAT_WITH_KEYS:
            keys = self.store.keys_of_format_1()
            Wallet.create(folder, list(zip(addresses, keys, strict=True)))
            self.store.forget_keys_of_format_1()
        check_against(stored, addresses[0] if addresses else None, options, folder)
        self.wallet = Wallet.open(folder, addresses)
        self.mnemonic = ""
        self.created = False

    def unlock(self, named: Sequence[str]) -> None:
        """Unlock accounts by index or address (ganache's ``--unlock``) though the run is locked.

        Raises :class:`LedgerStartError` for an account whose key is not here.
        """
        found: set[bytes] = set()
        for text in named:
            if text.isascii() and text.isdigit() and int(text) < len(self.wallet.addresses):
                found.add(self.wallet.addresses[int(text)])
                continue
            matching = [a for a in self.wallet.addresses if "0x" + a.hex() == text.lower()]
            if not matching:
                raise LedgerStartError(
                    f"--unlock {text}:账本没有这个账户的密钥,不能代其签名。",
                    f"--unlock {text}: unlocking addresses without their keys is not offered here.",
                )
            found.add(matching[0])
        self.run = replace(self.run, unlocked=frozenset(found))

    def close(self) -> None:
        """Close the store; nothing is pending, since every call commits before it returns."""
        with self.lock:
            self.store.close()

    @property
    def chain(self) -> Any:
        """py-evm's chain; use it under :attr:`lock`."""
        return self.backend.chain

    def _open(self) -> None:
        self.backend = open_backend(self.store, self.settings)

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Lock and write atomically; on failure forget what the chain object believed."""
        with self.lock:
            try:
                with self.store.transaction():
                    yield
            except RpcError:
                raise  # refused before the chain was touched
            except BaseException:
                self._open()
                self.epoch = int(self.store.setting("epoch") or "0")
                self.time_offset = int(self.store.setting("time_offset") or "0")
                raise

    # -- sending -----------------------------------------------------------------------------

    def send_raw(self, raw: bytes) -> bytes:
        """Take a signed transaction; mine it now unless it must wait. Returns its hash.

        It waits behind a nonce gap, while mining is stopped, and with interval mining. Refusals
        are :class:`RpcError` with geth's texts; nothing of a refused transaction is kept.
        """
        with self._change():
            transaction = self.pool.decode(self.chain, raw)
            self.pool.admit(self, transaction, raw)
            if self.filters.watches("transactions"):
                self.received.append(bytes(transaction.hash))
            if self.mining and not self.run.block_seconds:
                self._mine_ready_of(transaction.sender)
            return bytes(transaction.hash)

    def _mine_ready_of(self, sender: bytes) -> None:
        """Mine what is next in turn of one sender, a block a transaction."""
        while True:
            nonce = self.nonce_at_head(sender)
            waiting = self.store.waiting_at(sender, nonce)
            if waiting is None:
                return
            transaction_hash, raw = waiting
            self.store.remove_waiting(transaction_hash)
            self._mine_block([self.pool.admitted(self.chain, raw)], even_if_empty=False)

    def _mine_waiting(self) -> None:
        """Mine one block of everything that can be mined now; it may be empty."""
        ready: list[SignedTransactionAPI] = []
        gas = 0
        nonces: dict[bytes, int] = {}
        queue = sorted(self.store.waiting(), key=lambda item: item[2])
        for transaction_hash, sender, nonce, raw in queue:
            expected = nonces.get(sender, self.nonce_at_head(sender))
            transaction = self.pool.admitted(self.chain, raw)
            if nonce != expected or gas + transaction.gas > self.settings.gas_limit:
                continue
            nonces[sender] = nonce + 1
            gas += transaction.gas
            ready.append(transaction)
            self.store.remove_waiting(transaction_hash)
        self._mine_block(ready)

    def _mine_block(
        self, transactions: list[SignedTransactionAPI], *, even_if_empty: bool = True
    ) -> None:
        """One block at the head, through eth-tester's backend."""
        chain = self.chain
        head = chain.get_canonical_head()
        moment = max(self.now(), head.timestamp)
        chain.header = chain.create_header_from_parent(
            head, timestamp=moment, extra_data=_EXTRA_DATA_MARK + str(self.epoch).encode()
        )
        applied = 0
        for transaction in transactions:
            try:
                chain.apply_transaction(transaction)
            except ValidationError as error:
                # It was fit when it was admitted; while it waited its sender spent the money.
                _log.warning("transaction %s dropped: %s", transaction.hash.hex(), error)
                continue
            self.store.add_sender(transaction.hash, transaction.sender)
            applied += 1
        if not applied and not even_if_empty:
            return
        self.backend.mine_blocks(1)
        header: BlockHeaderAPI = chain.get_canonical_head()
        if header.bloom:
            self.store.add_bloom(header.block_number, header.bloom.to_bytes(256, "big"))

    # -- mining ------------------------------------------------------------------------------

    def mine(self, blocks: int = 1, timestamp: int | None = None) -> None:
        """Mine ``blocks`` blocks now, the first of them with everything that waits in turn."""
        if not 0 <= blocks <= MAX_BLOCKS_A_CALL:
            raise refused(f"blocks must be between 0 and {MAX_BLOCKS_A_CALL}, got {blocks}")
        with self._change():
            if timestamp is not None:
                if timestamp < self.chain.get_canonical_head().timestamp:
                    raise refused("timestamp is before that of the latest block")
                self._set_offset(timestamp - int(time.time()))
            if blocks:
                self._mine_waiting()
            for _ in range(blocks - 1):
                self._mine_block([])

    def set_mining(self, on: bool) -> None:
        """Stop or start mining (``miner_stop`` / ``miner_start``); starting mines what waits."""
        with self._change():
            self.mining = on
            if on and not self.run.block_seconds:
                for sender in {item[1] for item in self.store.waiting()}:
                    self._mine_ready_of(sender)

    # -- snapshots ---------------------------------------------------------------------------

    def snapshot(self) -> int:
        """Remember the head; survives a restart."""
        with self._change():
            return self.store.add_snapshot(self.chain.get_canonical_head().hash, self.time_offset)

    def revert(self, number: int) -> bool:
        """Go back to a snapshot, as a reorganisation does. False if there is no such snapshot.

        The blocks above it and their transactions are gone, the snapshot and later ones too.
        """
        with self._change():
            found = self.store.snapshot(number)
            if found is None:
                return False
            block_hash, offset = found
            target = self.chain.get_block_header_by_hash(block_hash)
            rewind(self.chain, target)
            self.store.drop_snapshots_from(number)
            self.store.drop_blooms_above(target.block_number)
            self._set_offset(offset)
            self.epoch += 1
            self.store.set_setting("epoch", str(self.epoch))
            return True

    # -- time --------------------------------------------------------------------------------

    def now(self) -> int:
        """The ledger's clock: real time plus what callers added, in whole seconds."""
        return int(time.time()) + self.time_offset

    def increase_time(self, seconds: int) -> int:
        """Move the clock on; returns the whole offset in seconds."""
        if seconds > 10**10:
            raise refused("seconds must be at most 10000000000")
        with self._change():
            # As with ganache, a negative step is no step: the clock of a chain only goes on.
            self._set_offset(self.time_offset + max(0, seconds))
            return self.time_offset

    def set_time(self, timestamp: int) -> int:
        """Set the clock to ``timestamp`` (seconds); returns the offset in seconds."""
        with self._change():
            self._set_offset(timestamp - int(time.time()))
            return self.time_offset

    def _set_offset(self, offset: int) -> None:
        self.time_offset = offset
        self.store.set_setting("time_offset", str(offset))

    # -- what sending needs to know ------------------------------------------------------------

    def head_state(self) -> Any:
        """py-evm's state after the latest block."""
        return self.chain.get_vm(at_header=self.chain.get_canonical_head()).state

    def nonce_at_head(self, address: bytes) -> int:
        """The next nonce of an account, waiting transactions not counted."""
        return int(self.head_state().get_nonce(address))

    def pending_nonce(self, address: bytes) -> int:
        """The next nonce of an account after the waiting transactions in turn."""
        nonce = self.nonce_at_head(address)
        while self.store.waiting_at(address, nonce) is not None:
            nonce += 1
        return nonce

    def base_fee(self) -> int | None:
        """The base fee of the next block in wei; ``None`` before London."""
        if not has_base_fee(self.settings.hardfork):
            return None
        head = self.chain.get_canonical_head()
        return int(self.chain.create_header_from_parent(head).base_fee_per_gas)

    def private_key_of(self, address: bytes) -> bytes | None:
        """The key of an unlocked account, or ``None``."""
        return self.wallet.key(address) if self.is_unlocked(address) else None

    def is_unlocked(self, address: bytes) -> bool:
        """Whether this run signs for the account, if its key is here."""
        return not self.run.locked or address in self.run.unlocked
