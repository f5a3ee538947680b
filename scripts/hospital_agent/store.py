"""What the agent keeps: its own documents' secrets and fingerprints, and (number, key) pairs.

A secret is stored before it is sent, so that a crash between the two cannot lose it.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS document (
  code TEXT NOT NULL, number TEXT NOT NULL, content_digest BLOB NOT NULL,
  secret BLOB NOT NULL, fingerprint BLOB NOT NULL, kind INTEGER NOT NULL,
  total_fen INTEGER NOT NULL, borne_fen INTEGER NOT NULL,
  second_code TEXT NOT NULL, second_number TEXT NOT NULL,
  original_code TEXT NOT NULL, original_number TEXT NOT NULL,
  invoice_id TEXT, version INTEGER,
  PRIMARY KEY (code, number, content_digest)
);
CREATE INDEX IF NOT EXISTS document_fingerprint ON document (fingerprint);
CREATE TABLE IF NOT EXISTS pair (
  code TEXT NOT NULL, number TEXT NOT NULL, invoice_key BLOB NOT NULL,
  PRIMARY KEY (code, number)
);
CREATE TABLE IF NOT EXISTS wish (
  kind TEXT NOT NULL, code TEXT NOT NULL, number TEXT NOT NULL,
  PRIMARY KEY (kind, code, number)
);
CREATE TABLE IF NOT EXISTS anchored (
  sequence INTEGER PRIMARY KEY, head BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS signed (offer_id TEXT PRIMARY KEY, raw BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class OwnDocument:
    """One content of one of the hospital's bills, as the agent committed to it."""

    code: str
    number: str
    content_digest: bytes
    secret: bytes
    fingerprint: bytes
    kind: int
    total_fen: int
    borne_fen: int
    second_code: str = ""
    second_number: str = ""
    original_code: str = ""
    original_number: str = ""
    invoice_id: str | None = None
    version: int | None = None


_NAMES: Final = tuple(OwnDocument.__slots__)


class AgentStore:
    """A small SQLite file (or ``:memory:``). Safe to use from several threads."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(str(path), check_same_thread=False, timeout=10)
        self._connection.executescript(_SCHEMA)
        if str(path) != ":memory:":
            Path(path).chmod(0o600)

    def close(self) -> None:
        self._connection.close()

    def find(self, code: str, number: str, content_digest: bytes) -> OwnDocument | None:
        """The document with this very content, whose secret is used again."""
        rows = self._select("code = ? AND number = ? AND content_digest = ?",
                            (code, number, content_digest))  # fmt: skip
        return rows[0] if rows else None

    def of_number(self, code: str, number: str) -> list[OwnDocument]:
        return self._select("code = ? AND number = ?", (code, number))

    def of_fingerprint(self, fingerprint: bytes) -> OwnDocument | None:
        rows = self._select("fingerprint = ?", (fingerprint,))
        return rows[0] if rows else None

    def of_version(self, invoice_id: str, version: int) -> OwnDocument | None:
        rows = self._select("invoice_id = ? AND version = ?", (invoice_id, version))
        return rows[0] if rows else None

    def add(self, document: OwnDocument) -> None:
        marks = ", ".join("?" * len(_NAMES))
        values = [getattr(document, name) for name in _NAMES]
        self._write(
            f"INSERT OR IGNORE INTO document ({', '.join(_NAMES)}) VALUES ({marks})",  # noqa: S608
            values,
        )

    def acknowledge(self, document: OwnDocument, invoice_id: str, version: int) -> None:
        self._write(
            "UPDATE document SET invoice_id = ?, version = ? "
            "WHERE code = ? AND number = ? AND content_digest = ?",
            [invoice_id, version, document.code, document.number, document.content_digest],
        )

    def keep_pair(self, code: str, number: str, invoice_key: bytes) -> bytes:
        """Keep the key of a number at first sight; returns the one kept."""
        self._write("INSERT OR IGNORE INTO pair VALUES (?, ?, ?)", [code, number, invoice_key])
        kept = self.key_of(code, number)
        assert kept is not None, "it has just been written"
        return kept

    def key_of(self, code: str, number: str) -> bytes | None:
        rows = self._read(
            "SELECT invoice_key FROM pair WHERE code = ? AND number = ?", (code, number)
        )
        return bytes(rows[0][0]) if rows else None

    def wish(self, kind: str, code: str, number: str) -> None:
        """Remember that the hospital itself asked for a void."""
        self._write("INSERT OR IGNORE INTO wish VALUES (?, ?, ?)", [kind, code, number])

    def wished(self, kind: str, code: str, number: str) -> bool:
        where = "SELECT 1 FROM wish WHERE kind = ? AND code = ? AND number = ?"
        return bool(self._read(where, (kind, code, number)))

    def set_head(self, sequence: int, head: bytes) -> None:
        self._write("INSERT OR IGNORE INTO anchored VALUES (?, ?)", [sequence, head])

    def head_of(self, sequence: int) -> bytes | None:
        rows = self._read("SELECT head FROM anchored WHERE sequence = ?", (sequence,))
        return bytes(rows[0][0]) if rows else None

    def _select(self, where: str, values: tuple[object, ...]) -> list[OwnDocument]:
        names = ", ".join(_NAMES)
        statement = f"SELECT {names} FROM document WHERE {where} ORDER BY rowid"  # noqa: S608
        return [OwnDocument(*row) for row in self._read(statement, values)]

    def _read(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def _write(self, statement: str, values: list[object]) -> None:
        with self._lock:
            self._connection.execute(statement, values)
            self._connection.commit()
