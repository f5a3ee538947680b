"""``yichu db``: create and migrate the database."""

from __future__ import annotations

import click

from backend.adapters.database.schema import current_revision, migrate, newest_revision
from backend.bootstrap import build_services


@click.group()
def command() -> None:
    """Create and migrate the database named by YICHU_DATABASE_URL."""


@command.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest revision; safe to run again."""
    engine = build_services().engine
    before = current_revision(engine)
    after = migrate(engine)
    if before == after:
        click.echo(f"数据库已是最新 / the database is up to date: {after}")
    else:
        click.echo(f"数据库已升级 / the database was migrated: {before or 'empty'} -> {after}")


@command.command("status")
def status_command() -> None:
    """Print the database's revision and the needed one; exit status 1 if they differ."""
    have, need = current_revision(build_services().engine), newest_revision()
    click.echo(f"database {have or 'empty'}, needed {need}")
    if have != need:
        raise click.exceptions.Exit(1)


@command.command("grant")
@click.argument("role")
def grant_command(role: str) -> None:
    """Give ROLE (PostgreSQL) what the application needs and nothing more; run it as the owner,
    again after each migration."""
    from backend.adapters.database.grants import grant_application

    grant_application(build_services().engine, role)
    click.echo(
        f"{role}：可读写，不能改动只增的记录 / reads and writes, changes nothing insert-only"
    )
