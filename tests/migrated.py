"""Fresh databases at the newest revision, without running every migration for every test."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from backend.adapters.database.engine import make_engine
from backend.adapters.database.schema import migrate


def migrate_fresh(engine: sa.Engine) -> None:
    """Bring a database that nothing has opened yet to the newest revision.

    A SQLite file is a copy of one that the migrations made, once a process; any other database
    runs them.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or path is None or Path(path).exists():
        migrate(engine)
        return
    shutil.copyfile(_template(), path)


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="yichu-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "template.db"
    engine = make_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()  # the last connection to close writes the log into the file
    return path
