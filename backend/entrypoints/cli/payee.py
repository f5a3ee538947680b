"""``yichu payee``: accounts, guardians and contacts of people, and the notices to them.

For the window: the clerk has seen the card and the identity document.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from pathlib import Path
from typing import Any

import click

from backend.entrypoints.cli.words import NAME, REASON, acting_name

_PERSON = click.option("--person", required=True, help="身份证号 / the person's identity number")
_BY = click.option("--by", required=True, type=NAME, help="经办人 / who acts")


@click.group(name="payee", help="收款账户：查看、填写、撤销；监护人、手机、通知 / payee accounts.")
def command() -> None:
    pass


def _services() -> Any:
    from backend.bootstrap import build_services

    return build_services()


def _person(work: Any, identity_number: str) -> Any:
    person = work.people.find_by_identity(identity_number)
    if person is None:
        raise click.ClickException("没有这个人，请核对身份证号 / nobody has this identity number")
    return person


@command.command("show")
@_PERSON
def show(person: str) -> None:
    """Every version of the account with what happened to it; the numbers by their last digits."""
    from backend.domain.local_time import SHANGHAI
    from backend.service_layer.payees.effective import chosen

    services = _services()
    with services.work(write=False) as work:
        found = _person(work, person)
        in_effect, standing = chosen(work, found.id, services.clock.now())
        for account in work.payees.accounts_of(found.id):
            row = account.row
            mark = "*" if in_effect is not None and in_effect.row.id == row.id else " "
            since = row.effective_at.astimezone(SHANGHAI) if row.effective_at else None
            click.echo(
                f"{mark} {row.version}  {row.bank_name} 尾号 {row.tail}  {row.holder}"
                f"  {row.verdict}"
                f"  {f'{since:%Y-%m-%d %H:%M} 起 from' if since else '未确认 not confirmed'}"
                + "".join(f"  {event.kind} {event.by}" for event in account.events)
            )
    click.echo(f"现在 / now: {standing}")


@command.command("banks")
def banks() -> None:
    """List the banks that can be named, with their clearing numbers."""
    for bank in _services().banks:
        click.echo(f"{bank.code}  {bank.name}")


@command.command("name")
@_PERSON
@click.option("--bank", required=True, help="开户银行行号 / the bank's clearing number")
@click.option("--number", prompt="账号 / account number", hide_input=True)
@_BY
def name(person: str, bank: str, number: str, by: str) -> None:
    """Name an account at the window; the bank is asked for the holder. The number is typed at a
    prompt, so that it stays out of the shell's history."""
    from backend.service_layer.payees.declare import NamedAccount, declare

    services = _services()
    by = acting_name(services, by)
    with services.work(write=False) as work:
        found = _person(work, person)
    row = declare(services, NamedAccount(found.id, bank, number, secrets.token_urlsafe(32), by))
    if row.effective_at is None:
        click.echo(
            f"{row.bank_name} 尾号 {row.tail}  第 {row.version} 版，等核对证明："
            "yichu payee verify / waits for its proof"
        )
        return
    click.echo(f"{row.bank_name} 尾号 {row.tail}  {row.effective_at:%Y-%m-%dT%H:%MZ}")


@command.command("still-right")
@_PERSON
@click.option("--tail", required=True, help="账户尾号四位 / the account's last four digits")
@_BY
@click.option("--reason", required=True, type=REASON, help="谁说的、怎么核对 / who said so")
def still_right(person: str, tail: str, by: str, reason: str) -> None:
    """After a restored backup: the person says at the window that the account is still right."""
    from backend.service_layer.payees.confirm import confirm_account, doubted

    services = _services()
    by = acting_name(services, by)
    with services.work(write=False) as work:
        found = _person(work, person)
        known = doubted(services, work, found.id)
    if known is not None and known[0].row.tail != tail:
        raise click.ClickException(
            f"记录上是尾号 {known[0].row.tail}，没有确认 / "
            "another account is on record: not confirmed"
        )
    is_new = known is not None and confirm_account(
        services, found.id, known[0].row.version, by, reason
    )
    click.echo("已确认 / confirmed" if is_new else "没有要确认的账户 / no account is in doubt")


_VERSION = click.option(
    "--version", type=click.IntRange(1), required=True, help="账户第几版 / its version"
)
_DOCUMENT = click.option(
    "--document",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="证明材料的扫描件 / a copy of the proof; its digest is kept",
)
_SEEN = click.option("--reason", required=True, type=REASON, help="看了什么 / what was seen")
_DOCUMENT_BYTES_MAX = 20 * 2**20


def _seen(by: str, reason: str, document: Path) -> Any:
    from backend.service_layer.payees.proof import Seen

    content = document.read_bytes()
    if not 0 < len(content) <= _DOCUMENT_BYTES_MAX:
        raise click.UsageError("材料应为 1 字节到 20 MiB / a document of 1 byte to 20 MiB")
    return Seen(by, reason, hashlib.sha256(content).digest())


@command.command("unproven")
def unproven() -> None:
    """List the accounts that wait for their proof, where no bank can be asked."""
    services = _services()
    with services.work(write=False) as work:
        rows = work.payees.unproven()
        people = {row.id: work.people.get(row.person_id) for row in rows}
        steps = {row.id: work.payees.proofs_of(row.id) for row in rows}
    for row in rows:
        seen = "".join(f"  {one.action} {one.by}" for one in steps[row.id])
        click.echo(
            f"{people[row.id].name}  第 {row.version} 版  {row.bank_name} 尾号 {row.tail}"
            f"  户名 {row.holder}{seen}"
        )
    if not rows:
        click.echo("没有 / none")


@command.command("verify")
@_PERSON
@_VERSION
@_DOCUMENT
@_BY
@_SEEN
def verify(person: str, version: int, document: Path, by: str, reason: str) -> None:
    """One person has compared the proof of an account with the identity document."""
    from backend.service_layer.payees.proof import propose_proof

    services = _services()
    with services.work(write=False) as work:
        found = _person(work, person)
    propose_proof(services, found.id, version, _seen(by, reason, document))
    click.echo("已登记，等另一人 confirm / noted; another person confirms it")


@command.command("confirm")
@_PERSON
@_VERSION
@_DOCUMENT
@_BY
@_SEEN
def confirm(person: str, version: int, document: Path, by: str, reason: str) -> None:
    """Another person confirms the same proof: the account may be paid to, a changed one after its
    delay."""
    from backend.service_layer.payees.proof import confirm_proof

    services = _services()
    with services.work(write=False) as work:
        found = _person(work, person)
    row = confirm_proof(services, found.id, version, _seen(by, reason, document))
    click.echo(f"{row.bank_name} 尾号 {row.tail}  {row.effective_at:%Y-%m-%dT%H:%MZ} 起 from")


@command.command("refuse")
@_PERSON
@_VERSION
@_DOCUMENT
@_BY
@_SEEN
def refuse(person: str, version: int, document: Path, by: str, reason: str) -> None:
    """The proof does not show that the account is the holder's: it is never paid to."""
    from backend.service_layer.payees.proof import refuse_proof

    services = _services()
    with services.work(write=False) as work:
        found = _person(work, person)
    refuse_proof(services, found.id, version, _seen(by, reason, document))
    click.echo("已登记为不符 / noted as not the holder's")


@command.command("cancel")
@_PERSON
@_BY
@click.option("--reason", required=True, type=REASON, help="理由 / why")
def cancel_change(person: str, by: str, reason: str) -> None:
    """Take back a change that is not in effect yet."""
    from backend.service_layer.payees.declare import cancel

    services = _services()
    by = acting_name(services, by)
    with services.work(write=False) as work:
        found = _person(work, person)
    count = cancel(services, found.id, by, reason)
    click.echo("已撤销 / cancelled" if count else "没有等待生效的更改 / no change is waiting")


@command.command("contact")
@_PERSON
@click.option("--phone", required=True)
@_BY
def contact(person: str, phone: str, by: str) -> None:
    """Record another mobile number."""
    from backend.service_layer.payees.register import record_contact

    services = _services()
    by = acting_name(services, by)
    with services.work() as work:
        row = record_contact(
            services, work, _person(work, person).id, phone, by=by, source="window"
        )
        work.commit()
    click.echo(f"手机尾号 {row.tail} / phone ending {row.tail}")


@command.command("guardian")
@click.option("--minor", required=True, help="未成年人身份证号 / the minor")
@click.option("--guardian", required=True, help="监护人身份证号 / the guardian")
@click.option("--from", "valid_from", type=click.DateTime(["%Y-%m-%d"]), required=True)
@click.option("--until", "valid_to", type=click.DateTime(["%Y-%m-%d"]))
@_BY
@click.option("--reason", required=True, type=REASON, help="依据 / what was seen")
def guardian(
    *,
    minor: str,
    guardian: str,
    valid_from: dt.datetime,
    valid_to: dt.datetime | None,
    by: str,
    reason: str,
) -> None:
    """Register who acts for a minor; the minor's money goes to that person's account."""
    from backend.service_layer.payees.register import record_guardian

    services = _services()
    by = acting_name(services, by)
    with services.work() as work:
        record_guardian(
            services,
            work,
            _person(work, minor).id,
            _person(work, guardian).id,
            valid_from=valid_from.date(),
            valid_to=None if valid_to is None else valid_to.date(),
            by=by,
            reason=reason,
            source="window",
        )
        work.commit()
    click.echo("已登记 / registered")


@command.command("notices")
@_PERSON
def notices(person: str) -> None:
    """The newest notices to a person."""
    from backend.domain.local_time import SHANGHAI

    services = _services()
    with services.work(write=False) as work:
        for entry in work.payees.notices_of(_person(work, person).id):
            click.echo(f"{entry.created_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}  {entry.zh}")
