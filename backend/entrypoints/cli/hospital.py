"""``yichu hospital``: register institutions; their ledger accounts and API keys."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Any

import click

from backend.bootstrap import build_services
from backend.domain.errors import ConflictError
from backend.service_layer.intake.records import CUSTODIAL, SELF_CUSTODY, Institution

_DATE = click.DateTime(["%Y-%m-%d"])
_KEY_BYTES = 32


@click.group()
def command() -> None:
    """Register institutions; change their ledger accounts and API keys."""


@command.command()
@click.argument("code")
@click.option("--name", required=True)
@click.option("--level", type=click.IntRange(1, 3), required=True, help="Hospital level.")
@click.option("--area", "area_code", default="330800", show_default=True, help="Six digits.")
@click.option("--from", "agreement_from", type=_DATE, required=True, help="First day.")
@click.option("--until", "agreement_until", type=_DATE, required=True, help="Last day.")
@click.option("--grace-days", type=click.IntRange(0, 3650), default=30, show_default=True)
@click.option(
    "--custody",
    type=click.Choice([SELF_CUSTODY, CUSTODIAL]),
    default=SELF_CUSTODY,
    show_default=True,
    help="custodial: we hold its ledger key, and every verdict says so.",
)
@click.option("--account", help="The institution's own ledger account (self-custody).")
def register(  # noqa: PLR0917 - click passes options by name
    code: str,
    name: str,
    level: int,
    area_code: str,
    agreement_from: dt.datetime,
    agreement_until: dt.datetime,
    grace_days: int,
    custody: str,
    account: str | None,
) -> None:
    """Register an institution on the ledger and here. Running it again changes nothing."""
    from backend.adapters.ledger.network import Network

    services = build_services()
    done = Network(services).register_institution(
        code,
        agreement_from=agreement_from.date(),
        agreement_until=agreement_until.date(),
        grace_days=grace_days,
        custody=custody,
        account=account,
    )
    record = Institution(
        code=code,
        name=name,
        level=level,
        area_code=area_code,
        custody=custody,
        agreement_from=agreement_from.date(),
        agreement_until=agreement_until.date(),
        grace_days=grace_days,
        ledger_number=done.number,
        ledger_account=done.account,
        created_at=services.clock.now(),
    )
    store_institution(services, record)
    click.echo(f"{code} {name}: {done.number} {done.account} ({custody})")


def store_institution(services: Any, record: Institution) -> None:
    """Store a registered institution; raises ConflictError when it is here with other terms."""
    with services.work() as work:
        found = work.institutions.find(record.code)
        if found is None:
            work.institutions.add(record)
            work.commit()
            return
    fixed = ("custody", "ledger_number", "ledger_account", "agreement_from", "agreement_until")
    if any(getattr(found, name) != getattr(record, name) for name in fixed):
        raise ConflictError(
            f"机构 {record.code} 已按其他条款登记",
            f"institution {record.code} is registered here with other terms",
        )


@command.command("rotate-account")
@click.argument("code")
@click.option("--account", help="The new account of a self-custody institution.")
def rotate_account(code: str, account: str | None) -> None:
    """Give an institution a new ledger account in place of the present one.

    A custodial institution gets a new keystore. What waits is sent by the new account; what the
    old one has anchored stays valid and verifies. Run it again when it was interrupted.
    """
    from backend.adapters.ledger.network import Network

    services = build_services()
    network = Network(services)
    with services.work(write=False) as work:
        record = work.institutions.get(code)
    if record.is_self_custody != (account is not None):
        raise ConflictError(
            "自管机构须用 --account 给出新账户；托管机构不能给出账户",
            "name the new account of a self-custody institution with --account; a custodial one "
            "gets a keystore made here",
        )
    if account is None:
        held = network.custodial_accounts(code)
        # The last one acts already where an earlier run ended between the ledger and this record.
        interrupted = held[-1] != record.ledger_account and network.acts_for(code, held[-1])
        account = held[-1] if interrupted else network.fresh_custodial_account(code)
    account = to_account(account)
    network.change_account(code, record.ledger_account, account)
    with services.work() as work:
        former = [
            other
            for other in work.institutions.unfinished_accounts()
            if other != account and network.was_ever(code, other)
        ]
        changed = work.institutions.change_account(code, former, account)
        work.commit()
    click.echo(f"{code}: {record.ledger_account} -> {account}")
    click.echo(
        f"  {changed} 项待办改由新账户发送 / {changed} waiting item(s) go to the new account"
    )


@command.command("revoke-account")
@click.argument("code")
def revoke_account(code: str) -> None:
    """Take the right to act from an institution's ledger account, now.

    What it has anchored stays valid and verifies. Its bills wait, with the alarm anchor-barred,
    until rotate-account gives it another account.
    """
    from backend.adapters.ledger.network import Network

    services = build_services()
    with services.work(write=False) as work:
        record = work.institutions.get(code)
    done = Network(services).change_account(code, record.ledger_account, None)
    word = "已吊销 / revoked" if done else "本已吊销 / was revoked before"
    click.echo(f"{code}: {record.ledger_account} {word}")


def to_account(text: str) -> str:
    """A checksummed account; raises ConflictError for what is none."""
    from eth_utils.address import is_address, to_checksum_address

    if not is_address(text):
        raise ConflictError(f"{text} 不是账本账户", f"{text} is no ledger account")
    return str(to_checksum_address(text))


@command.command()
@click.argument("code")
@click.option("--revoke-others", is_flag=True, help="Revoke the keys issued before.")
def key(code: str, revoke_others: bool) -> None:
    """Issue an API key. It is printed once and only its SHA-256 is kept."""
    services = build_services()
    issued = f"yk_{secrets.token_urlsafe(_KEY_BYTES)}"
    with services.work() as work:
        work.institutions.get(code)
        if revoke_others:
            work.institutions.revoke_keys(code, services.clock.now())
        work.institutions.add_key(services.ids.new_id("key"), code, issued)
        work.commit()
    click.echo(issued)


@command.command()
@click.argument("code")
def revoke(code: str) -> None:
    """Revoke every API key of an institution."""
    services = build_services()
    with services.work() as work:
        work.institutions.get(code)
        count = work.institutions.revoke_keys(code, services.clock.now())
        work.commit()
    click.echo(f"{code}: 已吊销 {count} 个密钥 / {count} key(s) revoked")


@command.command("list")
def list_institutions() -> None:
    """List the registered institutions."""
    services = build_services()
    with services.work(write=False) as work:
        for row in work.institutions.all():
            click.echo(
                f"{row.code}\t{row.name}\t{row.custody}\t{row.agreement_from} - "
                f"{row.agreement_until}\t{row.ledger_number or '-'}\t{row.ledger_account or '-'}"
            )
