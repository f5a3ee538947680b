"""Copies of a migrated PostgreSQL database, and acts that wait there for one another."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.engine import make_engine
from backend.adapters.database.schema import migrate
from tests.postgresql import statement, url_of

WAITING_SECONDS_MAX = 20
_WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def migrated_database(server: str) -> str:
    """The name of a migrated database that others are copied from."""
    name = f"desk_{secrets.token_hex(6)}"
    statement(server, f"CREATE DATABASE {name}")
    engine = make_engine(url_of(server, name))
    migrate(engine)
    engine.dispose()
    return name


@contextmanager
def copy_of(server: str, template: str) -> Iterator[str]:
    """The URL of a copy, dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    statement(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield url_of(server, name)
    statement(server, f"DROP DATABASE {name} WITH (FORCE)")


def at_one_instant(
    engine: sa.Engine, held: str, *acts: Callable[[], Any], values: Any = None, then: str = ""
) -> list[Any]:
    """What each act answers when all of them wait for the same thing and then go on together.

    ``held`` is a statement that takes the lock for which they wait; ``then`` are statements of
    whoever held it, committed as it is let go.
    """
    with ThreadPoolExecutor(len(acts)) as pool:
        with engine.begin() as holder:
            holder.execute(sa.text(held), values or {})
            running = [pool.submit(act) for act in acts]
            _until_waiting(engine, len(acts))
            for text in filter(None, then.split(";")):
                holder.execute(sa.text(text), values or {})
        return [one.result(timeout=WAITING_SECONDS_MAX) for one in running]


def _until_waiting(engine: sa.Engine, count: int) -> None:
    end = time.monotonic() + WAITING_SECONDS_MAX
    with engine.connect() as looking:
        while looking.execute(_WAITING).scalar_one() < count:
            looking.rollback()
            assert time.monotonic() < end, "they do not wait for what is held"
            time.sleep(0.02)
