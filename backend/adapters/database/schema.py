"""Creates and migrates the database."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from backend.domain.errors import DomainError

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


class DatabaseVersionError(DomainError):
    """The database has tables of another version of the application."""

    code = "database-version"


def version_fault(engine: sa.Engine) -> DatabaseVersionError | None:
    """What is to be done about a database of another version; None for the right one and for one
    without tables of ours. Raises what the database raises that does not answer."""
    have, need = current_revision(engine), newest_revision()
    if have in ("", need):
        return None
    scripts = ScriptDirectory.from_config(alembic_config())
    if have in {one.revision for one in scripts.walk_revisions()}:
        return DatabaseVersionError(
            f"数据库是旧版本的（{have}，程序要 {need}），不是坏了。请停下网页和工作进程，"
            "备份数据库，运行 yichu db migrate 升级，再启动"
            "（示例系统重新运行 yichu up 会自动升级）。"
            "票据、申请、核定、审核、账目、盖戳记录和密钥都保留，升级只增加表和列",
            f"the database is of an older version ({have}, needed {need}) and not damaged: stop "
            "web and worker, back the database up, run `yichu db migrate` and start again (the "
            "sample system is upgraded by running `yichu up` again). Bills, claims, decisions, "
            "reviews, money, ledger records and secrets are kept; upgrading only adds tables and "
            "columns",
        )
    return DatabaseVersionError(
        f"数据库是更新的版本的（{have}，程序只到 {need}）。请安装与它相配的程序；"
        "不要用这个程序改数据库",
        f"the database is of a newer version ({have}, this program knows {need}): install the "
        "program that belongs to it, and do not change the database with this one",
    )


def require_version(engine: sa.Engine) -> None:
    """Raises :class:`DatabaseVersionError` for a database of another version. One that does not
    answer now may do so later: that is not said here."""
    try:
        fault = version_fault(engine)
    except sa.exc.DBAPIError:
        return
    if fault is not None:
        raise fault


def _revision(connection: sa.Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""
