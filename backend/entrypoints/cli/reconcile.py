"""``yichu reconcile``: adopt what the chain knows into a database restored from a backup."""

from __future__ import annotations

from collections.abc import Sequence

import click

from backend.bootstrap import Services, build_services
from backend.service_layer.anchoring.adopt import Line

LEASE_SECONDS = 60
_WORDS = {
    "agrees": "一致 agrees",
    "adopted": "已采纳 adopted",
    "ahead": "账本较新 ahead",
    "case": "待处理 case",
}


@click.command()
@click.option("--check", is_flag=True, help="Only look; nothing is changed.")
@click.option("--close", "case_id", metavar="CASE", help="A person has dealt with this case.")
@click.option("--by", help="Who closes the case.")
@click.option("--reason", help="What was found and done.")
def command(check: bool, case_id: str | None, by: str | None, reason: str | None) -> None:
    """Compare chain and database, and adopt what only the chain knows.

    For a database that was restored from a backup older than the chain. Stop the worker first.
    Repeating it changes nothing. Exit status: 0 when nothing disagrees or all was adopted, 1 when
    cases remain, 2 for a wrong call.
    """
    if case_id is None and (by or reason):
        raise click.UsageError("--by and --reason go with --close CASE")
    if case_id is not None and (check or not by or not reason):
        raise click.UsageError("--close CASE needs --by and --reason, and not --check")
    services = build_services()
    for name in ("network_key", "wrapping_key"):
        services.settings.secret(name)
    if case_id is not None:
        from backend.service_layer.claims.adopt import close_case

        click.echo(f"{case_id}: {close_case(services, case_id, by or '', reason or '')}")
        return
    lines = _look(services) if check else _adopt(services)
    _print(lines)
    if any(line.verdict in ("case", "ahead") for line in lines):
        raise click.exceptions.Exit(1)


def _look(services: Services) -> list[Line]:
    from backend.adapters.ledger.network import anchoring_of
    from backend.entrypoints.anchor_worker import owner_name
    from backend.service_layer.reconciliation import look

    return look(anchoring_of(services, owner_name(services)), services)


def _adopt(services: Services) -> list[Line]:
    """Under the worker's lease, so that no worker signs meanwhile."""
    from backend.adapters.ledger.network import anchoring_of
    from backend.entrypoints.anchor_worker import acquire_worker_lease, owner_name
    from backend.service_layer.anchoring.model import LeaseHeldError
    from backend.service_layer.reconciliation import reconcile

    owner = owner_name(services)

    def keep() -> None:
        acquire_worker_lease(services, owner, LEASE_SECONDS)

    try:
        keep()
    except LeaseHeldError as error:
        raise click.ClickException(
            "有 worker 正在运行，请先停止它 / a worker is at work: stop it first"
        ) from error
    try:
        return reconcile(anchoring_of(services, owner), services, keep)
    finally:
        with services.work() as work:
            work.accounts.release_all(owner)
            work.commit()


def _print(lines: Sequence[Line]) -> None:
    for line in lines:
        click.echo(f"{_WORDS[line.verdict]:<16}\t{line.what}\t{line.detail}")
    cases = sum(line.verdict in ("case", "ahead") for line in lines)
    adopted = sum(line.verdict == "adopted" for line in lines)
    click.echo(
        f"已采纳 {adopted} 项，待处理 {cases} 项 / adopted {adopted}, to be dealt with {cases}"
    )
