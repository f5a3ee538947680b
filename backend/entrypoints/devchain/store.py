"""One SQLite file that holds the whole ledger.

py-evm sees a key-value store (:class:`SqliteStore` is a py-evm ``BaseDB``); beside it stand small
tables for what a chain of trie nodes does not answer quickly: settings, accounts (addresses only,
never keys), waiting transactions, snapshots, senders and the bloom of every block that logged
something.

Everything that one request writes is one SQLite transaction (:meth:`SqliteStore.transaction`), so
after a SIGKILL the file holds either the whole block or nothing of it. The journal is WAL with
``synchronous=NORMAL``: a committed block survives the death of the process; after a power cut the
last blocks may be missing, but the file is never torn.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from eth.db.backends.base import BaseDB

from backend.entrypoints.devchain.errors import LedgerStartError

FILE_NAME = "ledger.sqlite3"
LOCK_NAME = "ledger.lock"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kv (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS account (position INTEGER PRIMARY KEY, address BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS waiting (
    hash BLOB PRIMARY KEY, sender BLOB NOT NULL, nonce INTEGER NOT NULL, raw BLOB NOT NULL,
    UNIQUE (sender, nonce));
CREATE TABLE IF NOT EXISTS snapshot (
    id INTEGER PRIMARY KEY, block_hash BLOB NOT NULL, time_offset INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sender (hash BLOB PRIMARY KEY, address BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bloom (number INTEGER PRIMARY KEY, value BLOB NOT NULL);
"""


class SqliteStore(BaseDB):
    """A py-evm key-value store and the side tables, over one SQLite connection.

    The connection is shared by the server's threads under the engine's one lock; it is never used
    by two threads at once.
    """

    def __init__(self, folder: Path | None) -> None:
        """Open the ledger in ``folder`` (made if missing, mode 0700), or in memory if ``None``.

        Raises :class:`LedgerStartError` if another process has this folder open.
        """
        self._lock_file: IO[str] | None = None
        if folder is None:
            target = ":memory:"
        else:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock_file = _lock_folder(folder)
            target = str(folder / FILE_NAME)
        # cached_statements: the hot path uses a dozen statements over and over.
        self._db = sqlite3.connect(target, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA cache_size=-65536")
        # What is deleted is overwritten: a key that a file of format 1 held must not stay in it.
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.executescript(_SCHEMA)
        self._depth = 0

    def close(self) -> None:
        """Close the file; the folder's lock is given back."""
        self._db.close()
        if self._lock_file is not None:
            self._lock_file.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything that the block of code writes at once, or nothing if it raises."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        else:
            self._db.execute("COMMIT")
        finally:
            self._depth = 0

    # -- py-evm's BaseDB ---------------------------------------------------------------------

    def __getitem__(self, key: bytes) -> bytes:
        row = self._db.execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        value: bytes = row[0]
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO kv VALUES (?, ?)", (key, value))

    def __delitem__(self, key: bytes) -> None:
        if self._db.execute("DELETE FROM kv WHERE key = ?", (key,)).rowcount == 0:
            raise KeyError(key)

    def _exists(self, key: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM kv WHERE key = ?", (key,)).fetchone() is not None

    # -- settings ----------------------------------------------------------------------------

    def setting(self, name: str) -> str | None:
        """The stored setting, or ``None``."""
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_setting(self, name: str, value: str) -> None:
        """Store a setting."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    # -- accounts ----------------------------------------------------------------------------

    def addresses(self) -> list[bytes]:
        """The address of each account, in order."""
        rows = self._db.execute("SELECT address FROM account ORDER BY position")
        return [bytes(address) for (address,) in rows]

    def set_addresses(self, addresses: list[bytes]) -> None:
        """Store the accounts of a new chain."""
        self._db.executemany(
            "INSERT INTO account (address) VALUES (?)", [(address,) for address in addresses]
        )

    def keys_of_format_1(self) -> list[bytes]:
        """The private keys that a file of format 1 holds, in order of the accounts."""
        rows = self._db.execute("SELECT private_key FROM account ORDER BY position")
        return [bytes(key) for (key,) in rows]

    def forget_keys_of_format_1(self) -> None:
        """Take the private keys and the phrase out of the file, free pages and journal too."""
        with self.transaction():
            self._db.execute("ALTER TABLE account DROP COLUMN private_key")
            self._db.execute("DELETE FROM setting WHERE name = 'mnemonic'")
            self.set_setting("format", "2")
        self._db.execute("VACUUM")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # -- waiting transactions ----------------------------------------------------------------

    def waiting(self) -> list[tuple[bytes, bytes, int, bytes]]:
        """(hash, sender, nonce, raw bytes) of each waiting transaction, in order of arrival."""
        return list(self._db.execute("SELECT hash, sender, nonce, raw FROM waiting ORDER BY rowid"))

    def waiting_at(self, sender: bytes, nonce: int) -> tuple[bytes, bytes] | None:
        """(hash, raw bytes) of the transaction waiting with this nonce, or ``None``."""
        row: tuple[bytes, bytes] | None = self._db.execute(
            "SELECT hash, raw FROM waiting WHERE sender = ? AND nonce = ?", (sender, nonce)
        ).fetchone()
        return row

    def waiting_raw(self, transaction_hash: bytes) -> bytes | None:
        """The raw bytes of a waiting transaction, or ``None``."""
        row = self._db.execute(
            "SELECT raw FROM waiting WHERE hash = ?", (transaction_hash,)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def waiting_count(self) -> int:
        """How many transactions wait."""
        return int(self._db.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def add_waiting(self, transaction_hash: bytes, sender: bytes, nonce: int, raw: bytes) -> None:
        """Queue a transaction; one with the same sender and nonce is replaced."""
        self._db.execute(
            "INSERT OR REPLACE INTO waiting (hash, sender, nonce, raw) VALUES (?, ?, ?, ?)",
            (transaction_hash, sender, nonce, raw),
        )

    def remove_waiting(self, transaction_hash: bytes) -> None:
        """Take a transaction out of the queue."""
        self._db.execute("DELETE FROM waiting WHERE hash = ?", (transaction_hash,))

    # -- snapshots ---------------------------------------------------------------------------

    def add_snapshot(self, block_hash: bytes, time_offset: int) -> int:
        """Store a snapshot and return its number; the first is 1, as with ganache."""
        cursor = self._db.execute(
            "INSERT INTO snapshot (block_hash, time_offset) VALUES (?, ?)",
            (block_hash, time_offset),
        )
        return int(cursor.lastrowid or 0)

    def snapshot(self, number: int) -> tuple[bytes, int] | None:
        """(block hash, time offset) of a snapshot, or ``None``."""
        row: tuple[bytes, int] | None = self._db.execute(
            "SELECT block_hash, time_offset FROM snapshot WHERE id = ?", (number,)
        ).fetchone()
        return row

    def drop_snapshots_from(self, number: int) -> None:
        """Forget this snapshot and every later one: their blocks are gone."""
        self._db.execute("DELETE FROM snapshot WHERE id >= ?", (number,))

    # -- senders and blooms ------------------------------------------------------------------

    def add_sender(self, transaction_hash: bytes, address: bytes) -> None:
        """Remember the sender of a mined transaction (recovering it costs milliseconds)."""
        self._db.execute("INSERT OR REPLACE INTO sender VALUES (?, ?)", (transaction_hash, address))

    def sender(self, transaction_hash: bytes) -> bytes | None:
        """The remembered sender, or ``None``."""
        row = self._db.execute(
            "SELECT address FROM sender WHERE hash = ?", (transaction_hash,)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def add_bloom(self, number: int, bloom: bytes) -> None:
        """Remember the bloom of a block that logged something."""
        self._db.execute("INSERT OR REPLACE INTO bloom VALUES (?, ?)", (number, bloom))

    def blooms(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """(number, bloom) of the blocks in ``first..last`` that logged something."""
        return iter(
            self._db.execute(
                "SELECT number, value FROM bloom WHERE number BETWEEN ? AND ? ORDER BY number",
                (first, last),
            ).fetchall()
        )

    def drop_blooms_above(self, number: int) -> None:
        """Forget the blooms of blocks that a revert took off the chain."""
        self._db.execute("DELETE FROM bloom WHERE number > ?", (number,))


def _lock_folder(folder: Path) -> IO[str]:
    """Hold an exclusive lock on the folder, so that two ledgers never write one file."""
    lock = (folder / LOCK_NAME).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise LedgerStartError(
            f"文件夹 {folder} 已被另一个开发链进程使用。请先停止它,或用 --db 另选文件夹。",
            f"Folder {folder} is in use by another development ledger. "
            "Stop that one first, or choose another folder with --db.",
        ) from None
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock
