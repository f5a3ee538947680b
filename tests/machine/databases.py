"""A clean database for every walk, on SQLite and on PostgreSQL: hundreds are made."""

from __future__ import annotations

import atexit
import secrets
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any, Protocol

from tests.integration.claims.world import HOSPITAL, World
from tests.postgresql import statement, url_of

API_KEY = "the-key-of-the-hospital-in-the-machine"
IN_MEMORY = Path("/dev/shm")
"""Where there is such a place, walks do not wait for a disk."""


def new_folder() -> Path:
    return Path(
        tempfile.mkdtemp(prefix="yichu-town-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
    )


def furnish(folder: Path, url: str | None = None) -> None:
    """Migrate a new database and register who is in it: a hospital with its key, and a payer."""
    world = World.make(folder, url)
    with world.services.work() as work:
        work.institutions.add_key("key_hospital", HOSPITAL, API_KEY)
        work.commit()
    world.services.engine.dispose()


class Databases(Protocol):
    """Where the databases of walks come from: copies of one, which nobody has open."""

    beginning: Any
    """What a walk has to know of the database that it finds; None: it is only furnished."""

    def begin(self, folder: Path) -> str:
        """The URL of a copy; ``folder`` is the walk's own."""
        ...

    def keep(self, url: str) -> None:
        """From now on copies are made of this one, as it is now."""
        ...

    def back_up(self, url: str) -> str:
        """Copy a walk's database, which nobody has open, as it is now; names the copy."""
        ...

    def put_back(self, url: str, copy: str) -> None:
        """The walk's database is the copy from now on; nobody has it open."""
        ...

    def end(self, url: str) -> None: ...


class SqliteFiles:
    """Copies of one file."""

    def __init__(self) -> None:
        self.beginning: Any = None
        self._folder: Path | None = None

    def begin(self, folder: Path) -> str:
        if self._folder is None:
            self._folder = new_folder()
            atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
            furnish(self._folder)
        shutil.copy(self._folder / "yichu.db", folder / "yichu.db")
        return f"sqlite:///{folder}/yichu.db"

    def keep(self, url: str) -> None:
        assert self._folder is not None, "a walk has begun"
        shutil.copy(url.removeprefix("sqlite:///"), self._folder / "yichu.db")

    def back_up(self, url: str) -> str:
        here = url.removeprefix("sqlite:///")
        _copy_file(here, f"{here}.copy")
        return f"{here}.copy"

    def put_back(self, url: str, copy: str) -> None:
        here = url.removeprefix("sqlite:///")
        for suffix in ("", "-wal", "-shm"):
            Path(f"{here}{suffix}").unlink(missing_ok=True)
        _copy_file(copy, here)

    def end(self, url: str) -> None:
        """The file goes with the walk's folder."""


def _copy_file(source: str, target: str) -> None:
    one, other = sqlite3.connect(source), sqlite3.connect(target)
    one.backup(other)
    one.close()
    other.close()


class PostgresqlDatabases:
    """Copies of one database of a server, a tenth of a second each. To truncate one instead is
    refused by its insert-only tables."""

    def __init__(self, server: str, folder: Path) -> None:
        self.beginning: Any = None
        self._server = server
        self._name = f"machine_{secrets.token_hex(4)}"
        self._template = f"{self._name}_furnished"
        self._made = 0
        statement(server, f"CREATE DATABASE {self._template}")
        furnish(folder, url_of(server, self._template))

    def begin(self, folder: Path) -> str:
        self._made += 1
        name = f"{self._name}_{self._made}"
        self._copy(self._template, name)
        # Nothing here is about power cuts, and waiting for the disk takes most of the time.
        statement(self._server, f"ALTER DATABASE {name} SET synchronous_commit = off")
        return url_of(self._server, name)

    def keep(self, url: str) -> None:
        self._template = f"{self._name}_begun"
        self._copy(_name_in(url), self._template)

    def _copy(self, source: str, name: str) -> None:
        statement(self._server, f"CREATE DATABASE {name} TEMPLATE {source}")

    def back_up(self, url: str) -> str:
        copy = f"{_name_in(url)}_copy"
        statement(self._server, f"DROP DATABASE IF EXISTS {copy}")
        self._copy(_name_in(url), copy)
        return copy

    def put_back(self, url: str, copy: str) -> None:
        self.end(url)
        self._copy(copy, _name_in(url))
        statement(self._server, f"ALTER DATABASE {_name_in(url)} SET synchronous_commit = off")

    def end(self, url: str) -> None:
        statement(self._server, f"DROP DATABASE {_name_in(url)} WITH (FORCE)")


def _name_in(url: str) -> str:
    return url.rpartition("/")[2].partition("?")[0]
