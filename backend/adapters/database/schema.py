"""Creates and migrates the database."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

_MIGRATIONS = Path(__file__).resolve().parents[3] / "migrations"


def alembic_config(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration; the project needs no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def migrate(engine: sa.Engine, revision: str = "head") -> str:
    """Bring the database to ``revision`` (upwards) and return the revision that it is at."""
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), revision)
        return _revision(connection)


def migrate_down(engine: sa.Engine, revision: str) -> None:
    """Undo migrations down to ``revision`` (``base``: all of them, and their data with them)."""
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), revision)


def current_revision(engine: sa.Engine) -> str:
    """The revision of the database, empty when it has no tables of ours."""
    with engine.begin() as connection:
        return _revision(connection)


def newest_revision() -> str:
    """The revision that this version of the application needs."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head() or ""


def _revision(connection: sa.Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""
