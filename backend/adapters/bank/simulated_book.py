"""The simulated bank's own book: accounts, credits carried out once, answers to be delivered.

An SQLite file beside the exchange folder, outside the agency's database and its backups, so that
the bank still knows what it did after the agency was restored.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS account (
  number TEXT PRIMARY KEY, holder TEXT NOT NULL, bank_code TEXT NOT NULL, is_closed INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS file (
  name TEXT PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, digest BLOB NOT NULL, at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS credit (
  end_to_end_id TEXT PRIMARY KEY, message_id TEXT NOT NULL, account TEXT NOT NULL,
  amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), reference TEXT NOT NULL UNIQUE,
  at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS answer (
  name TEXT PRIMARY KEY, content BLOB NOT NULL, due_at TEXT NOT NULL, delivered INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS movement (
  account TEXT NOT NULL, side TEXT NOT NULL, name TEXT NOT NULL, amount_fen INTEGER NOT NULL,
  reference TEXT NOT NULL, end_to_end_id TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (account, side, name)
);
CREATE TABLE IF NOT EXISTS statement (
  account TEXT NOT NULL, number INTEGER NOT NULL, to_at TEXT NOT NULL, closing_fen INTEGER NOT NULL,
  PRIMARY KEY (account, number)
);
CREATE INDEX IF NOT EXISTS answer_waiting ON answer (delivered, due_at);
"""


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """An account that the bank keeps; all of it is invented."""

    number: str
    holder: str
    bank_code: str
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Credit:
    end_to_end_id: str
    message_id: str
    account: str
    amount_fen: int
    reference: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that came to (credit) or left (debit) an account of the agency."""

    account: str
    side: str
    amount_fen: int
    reference: str
    end_to_end_id: str  # of an instruction; else empty
    at: dt.datetime
    part: str = ""  # of what came under one reference


@dataclass(frozen=True, slots=True)
class Closed:
    """The last statement of an account."""

    number: int  # from 1; 0: none was given
    to_at: dt.datetime
    closing_fen: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A report file that is delivered when ``due_at`` has come."""

    name: str
    content: bytes
    due_at: dt.datetime


class SimulatedBook:
    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def open(self) -> Iterator[Page]:
        """One transaction: committed whole at the end, or not at all."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            yield Page(connection)
            connection.execute("COMMIT")
        finally:
            connection.close()  # what was not committed is rolled back


class Page:
    """The book within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def enrol(self, accounts: Sequence[KnownAccount]) -> None:
        """Keep accounts; one that is known already is replaced."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)",
            [(a.number, a.holder, a.bank_code, int(a.is_closed)) for a in accounts],
        )

    def account(self, number: str) -> KnownAccount | None:
        row = self._connection.execute(
            "SELECT number, holder, bank_code, is_closed FROM account WHERE number = ?", (number,)
        ).fetchone()
        return None if row is None else KnownAccount(row[0], row[1], row[2], bool(row[3]))

    def add_file(self, name: str, message_id: str, digest: bytes, at: dt.datetime) -> bool:
        """False when the message id is known: a file is carried out once."""
        done = self._connection.execute(
            "INSERT OR IGNORE INTO file VALUES (?, ?, ?, ?)",
            (name, message_id, digest, at.isoformat()),
        )
        return done.rowcount == 1

    def has_file(self, name: str, digest: bytes) -> bool:
        found = self._connection.execute(
            "SELECT 1 FROM file WHERE name = ? AND digest = ?", (name, digest)
        )
        return found.fetchone() is not None

    def credit(self, entry: Credit) -> bool:
        """False when the identifier was credited before: nobody is paid twice."""
        done = self._connection.execute(
            "INSERT OR IGNORE INTO credit VALUES (?, ?, ?, ?, ?, ?)",
            (
                entry.end_to_end_id,
                entry.message_id,
                entry.account,
                entry.amount_fen,
                entry.reference,
                entry.at.isoformat(),
            ),
        )
        return done.rowcount == 1

    def credit_of(self, end_to_end_id: str) -> Credit | None:
        """What was credited under an identifier."""
        return next((one for one in self.credits() if one.end_to_end_id == end_to_end_id), None)

    def credits(self) -> list[Credit]:
        """Everything that was ever credited."""
        rows = self._connection.execute(
            "SELECT end_to_end_id, message_id, account, amount_fen, reference, at FROM credit "
            "ORDER BY end_to_end_id"
        )
        return [
            Credit(row[0], row[1], row[2], row[3], row[4], dt.datetime.fromisoformat(row[5]))
            for row in rows
        ]

    def move(self, entry: Movement) -> None:
        """Book a movement on an account of the agency, once."""
        self._connection.execute(
            "INSERT OR IGNORE INTO movement VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                entry.account,
                entry.side,
                (entry.end_to_end_id or entry.reference) + (f"#{entry.part}" if entry.part else ""),
                entry.amount_fen,
                entry.reference,
                entry.end_to_end_id,
                entry.at.astimezone(dt.UTC).isoformat(),
            ),
        )

    def moved_accounts(self) -> list[str]:
        rows = self._connection.execute("SELECT DISTINCT account FROM movement ORDER BY account")
        return [row[0] for row in rows]

    def moved(self, account: str, after: dt.datetime, until: dt.datetime) -> list[Movement]:
        """The movements of an account after one instant up to another, in their order."""
        rows = self._connection.execute(
            "SELECT account, side, amount_fen, reference, end_to_end_id, at FROM movement "
            "WHERE account = ? AND at > ? AND at <= ? ORDER BY at, name",
            (account, after.astimezone(dt.UTC).isoformat(), until.astimezone(dt.UTC).isoformat()),
        )
        return [
            Movement(row[0], row[1], row[2], row[3], row[4], dt.datetime.fromisoformat(row[5]))
            for row in rows
        ]

    def without_movement(self) -> list[Credit]:
        """What an earlier release has credited without booking it on the agency's account."""
        known = {row[0] for row in self._connection.execute("SELECT name FROM movement")}
        return [one for one in self.credits() if one.end_to_end_id not in known]

    def last_statement(self, account: str) -> Closed | None:
        row = self._connection.execute(
            "SELECT number, to_at, closing_fen FROM statement WHERE account = ? "
            "ORDER BY number DESC LIMIT 1",
            (account,),
        ).fetchone()
        return None if row is None else Closed(row[0], dt.datetime.fromisoformat(row[1]), row[2])

    def close_statement(self, account: str, entry: Closed) -> None:
        self._connection.execute(
            "INSERT INTO statement VALUES (?, ?, ?, ?)",
            (account, entry.number, entry.to_at.isoformat(), entry.closing_fen),
        )

    def add_answer(self, entry: Answer) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO answer VALUES (?, ?, ?, 0)",
            (entry.name, entry.content, entry.due_at.astimezone(dt.UTC).isoformat()),
        )

    def answers_due(self, now: dt.datetime, limit: int = 500) -> list[Answer]:
        rows = self._connection.execute(
            "SELECT name, content, due_at FROM answer WHERE delivered = 0 AND due_at <= ? "
            "ORDER BY due_at, rowid LIMIT ?",
            (now.astimezone(dt.UTC).isoformat(), limit),
        )
        return [Answer(row[0], row[1], dt.datetime.fromisoformat(row[2])) for row in rows]

    def delivered(self, names: Sequence[str]) -> None:
        self._connection.executemany(
            "UPDATE answer SET delivered = 1 WHERE name = ?", [(name,) for name in names]
        )
