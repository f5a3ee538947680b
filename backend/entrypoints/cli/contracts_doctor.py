"""``yichu contracts doctor``: say what is wrong with a network, and what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from backend.adapters.ledger.diagnosis import Finding, Verdict
from backend.bootstrap import Services, build_services
from backend.service_layer.anchoring.model import Deployment
from backend.service_layer.ports import LedgerUnavailableError

_MARKS = {Verdict.GOOD: "  ok  ", Verdict.WARN: " note ", Verdict.BAD: " BAD  "}


@click.command()
@click.option("--rpc", multiple=True, help="A node's address, instead of YICHU_RPC_URLS.")
@click.option(
    "--probe", is_flag=True, help="Also send two transactions to see that they are mined."
)
def command(rpc: tuple[str, ...], probe: bool) -> None:
    """Check every assumption about the network, on each node. Exit status 1: something is wrong.

    Before the contracts are deployed it tells whether they could be; afterwards also whether they
    and the accounts' roles are right. Without --probe nothing is sent.
    """
    services = build_services()
    urls = rpc or services.settings.rpc_urls
    counts = dict.fromkeys(Verdict, 0)
    for finding in _examine(services, urls, probe):
        counts[finding.verdict] += 1
        _show(finding)
    problems, notes = counts[Verdict.BAD], counts[Verdict.WARN]
    click.echo(f"{problems} 个问题，{notes} 个提示 / {problems} problems, {notes} notes")
    sys.exit(1 if problems else 0)


def _show(finding: Finding) -> None:
    place = f" {finding.place}" if finding.place else ""
    click.echo(f"[{_MARKS[finding.verdict]}] {finding.check}{place}: {finding.zh} / {finding.en}")
    if finding.to_do_en:
        click.echo(f"          → {finding.to_do_zh}\n          → {finding.to_do_en}")


def _examine(services: Services, urls: tuple[str, ...], probe: bool) -> Iterator[Finding]:
    from backend.adapters.ledger.doctor import Expectation, examine
    from backend.adapters.ledger.inclusion import examine_keystores, examine_roles, try_inclusion
    from backend.adapters.ledger.keystores import KeystoreError
    from backend.adapters.ledger.rpc import JSONRPC, RPCError

    settings = services.settings
    known = _deployment(services)
    is_sound = True
    for finding in examine(urls, Expectation(settings.fee_mode, settings.finality, known)):
        is_sound &= finding.verdict is not Verdict.BAD
        yield finding
    try:
        keystores = services.keystores
    except KeystoreError as error:
        click.echo(f"[ note ] keystore: {error.zh} / {error.en}")
        return
    yield from examine_keystores(keystores)
    connection = JSONRPC(urls)
    if known is not None and is_sound:
        try:
            yield from examine_roles(connection, keystores, known)
        except (LedgerUnavailableError, RPCError) as error:
            click.echo(f"[ note ] roles: {error.zh} / {error.en}")
    connection.close()
    if probe and is_sound:
        yield from try_inclusion(urls, keystores, lambda rpc: services.ledger.fees_of(rpc)())


def _deployment(services: Services) -> Deployment | None:
    """What the database knows; None before there is one."""
    import sqlalchemy as sa

    try:
        with services.work(write=False) as work:
            return work.chain.deployment()
    except sa.exc.SQLAlchemyError:
        return None
