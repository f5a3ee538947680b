"""``yichu payer``: commercial insurers on the ledger, their API keys, their published terms."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from pathlib import Path

import click

from backend.bootstrap import Services, build_services
from backend.domain.errors import NotFoundError
from backend.domain.second_payer import NON_BASIC

_DATE = click.DateTime(["%Y-%m-%d"])
_KEY_BYTES = 32
TERMS_BYTES_MAX = 16 * 1024 * 1024


@click.group()
def command() -> None:
    """Second payers: register insurers, issue API keys, publish their terms."""


@command.command()
@click.argument("name")
@click.option(
    "--class",
    "payer_class",
    type=click.Choice(["commercial", "other"]),
    default="commercial",
    show_default=True,
)
@click.option("--number", type=click.IntRange(1, 64), help="Complete an interrupted registration.")
def add(name: str, payer_class: str, number: int | None) -> None:
    """Register a payer that is no basic insurer, on the ledger and here.

    Its ledger key is made here and held by the operator; its calls come over the API.
    """
    from backend.adapters.database.payer_repository import Payer
    from backend.adapters.ledger.network import Network

    services = build_services()
    done = Network(services).register_payer(payer_class, number=number)
    with services.work() as work:
        is_new = work.payers.add(Payer(done.number, name.strip(), NON_BASIC, done.account))
        work.commit()
    word = "已登记 / registered" if is_new else "本已登记 / was registered before"
    click.echo(f"{done.number} {name}: {done.account} {word}")


@command.command("list")
def list_payers() -> None:
    """List the payers of the ledger, with their classes and how many API keys are live."""
    services = build_services()
    with services.work(write=False) as work:
        for row in work.payers.all():
            keys = work.second_payers.live_keys(row.number)
            click.echo(
                f"{row.number}\t{row.payer_class}\t{row.name}\t{row.ledger_account}\t"
                f"{keys} 个密钥 / key(s)"
            )


@command.command()
@click.argument("number", type=click.IntRange(1, 64))
@click.option("--revoke-others", is_flag=True, help="Revoke the keys issued before.")
def key(number: int, revoke_others: bool) -> None:
    """Issue an API key for an insurer. It is printed once and only its SHA-256 is kept."""
    services = build_services()
    _require_insurer(services, number)
    click.echo(issue_key(services, number, revoke_others=revoke_others))


def issue_key(services: Services, number: int, *, revoke_others: bool = False) -> str:
    """A new key of a payer, which is kept as its SHA-256 alone."""
    issued = f"yi_{secrets.token_urlsafe(_KEY_BYTES)}"
    with services.work() as work:
        if revoke_others:
            work.second_payers.revoke_keys(number, services.clock.now())
        work.second_payers.add_key(services.ids.new_id("key"), number, issued)
        work.commit()
    return issued


@command.command()
@click.argument("number", type=click.IntRange(1, 64))
def revoke(number: int) -> None:
    """Revoke every API key of an insurer. Its locks stay until they are given back or expire."""
    services = build_services()
    _require_insurer(services, number)
    with services.work() as work:
        count = work.second_payers.revoke_keys(number, services.clock.now())
        work.commit()
    click.echo(f"{number}: 已吊销 {count} 个密钥 / {count} key(s) revoked")


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "effective_from", type=_DATE, required=True, help="First day.")
def terms(file: Path, effective_from: dt.datetime) -> None:
    """Publish the SHA-256 of an insurer's terms on the ledger; settlements name it.

    The file itself is not stored: the insurer keeps it, and anybody can compare it with the hash.
    """
    from backend.adapters.ledger.network import Network

    if file.stat().st_size > TERMS_BYTES_MAX:
        raise click.UsageError("文件太大 / the file is too large")
    digest = hashlib.sha256(file.read_bytes()).digest()
    is_new = Network(build_services()).publish_policy(digest, effective_from.date())
    word = "已公布 / published" if is_new else "以前已公布 / was published before"
    click.echo(f"{digest.hex()} {word}")


def _require_insurer(services: Services, number: int) -> None:
    with services.work(write=False) as work:
        known = [row.number for row in work.second_payers.payers()]
    if number not in known:
        raise NotFoundError(
            f"没有 {number} 号商业付款方；基本医保不用密钥",
            f"payer {number} is no second payer; basic insurers have no such keys",
        )
