"""``yichu outside``: bills from outside the network, from the window to the confirmation."""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.domain.errors import DomainError, NotFoundError

if TYPE_CHECKING:
    from backend.bootstrap import Services
    from backend.service_layer.outside.view import OutsideView

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_BY = click.option("--by", required=True, help="经办人姓名或用户名 / who does this step")
_REASON = click.option("--reason", required=True, help="理由 / reason")


@click.group(
    name="outside", help="外来票据：收件、录入、就医地审核、参保地确认 / bills from outside."
)
def command() -> None:
    pass


def _services() -> Services:
    from backend.bootstrap import build_services

    return build_services()


def _find(services: Services, number: str) -> OutsideView:
    from backend.service_layer.outside.view import find_bill

    return find_bill(services, number)


def _read(path: Path) -> bytes:
    from backend.adapters.outside_documents import FILE_BYTES_MAX

    with path.open("rb") as file:  # one byte more than is taken, so that a longer file is refused
        return file.read(FILE_BYTES_MAX + 1)


@command.command("set-up-agency")
@click.option("--code", help="Institution code; default A and the region.")
@click.option("--name", default="医疗保障经办机构", show_default=True)
def set_up_agency(code: str | None, name: str) -> None:
    """Register the agency as issuer, with a number and an account of its own on the ledger.

    Running it again changes nothing. The account's key is held here: the ledger says custodial.
    """
    from backend.adapters.ledger.agency import default_code, register_agency
    from backend.adapters.ledger.network import Network

    services = _services()
    code = code or default_code(services.settings.region)
    done = register_agency(services, Network(services), code, name)
    click.echo(f"{done.code} {done.name}: {done.ledger_number} {done.ledger_account} (custodial)")


@command.command("upload")
@click.argument("bill", type=_FILE)
@click.option("--list", "lists", type=_FILE, multiple=True, help="费用清单 / page of the cost list")
@click.option("--person", required=True, help="参保人用户名 / the citizen's username")
@click.option("--consent", is_flag=True, help="本人已书面同意 / consent in writing")
@_BY
def upload(bill: Path, lists: tuple[Path, ...], person: str, consent: bool, by: str) -> None:
    """Take a bill in at the window for a person."""
    from backend.service_layer.outside.records import FileRole, HandedIn
    from backend.service_layer.outside.upload import hand_in

    services = _services()
    with services.work(write=False) as work:
        login = work.people.find_login(person)
    if login is None or login.person_id is None:
        raise NotFoundError(f"没有参保人 {person}", f"there is no citizen {person}")
    files = [HandedIn(FileRole.BILL, _read(bill))]
    files += [HandedIn(FileRole.LIST, _read(path)) for path in lists]
    taken = hand_in(
        services, login.person_id, files, secrets.token_urlsafe(32), by=by, has_consent=consent
    )
    _print_line(_find(services, taken.number))


@command.command("list")
@click.option("--all", "is_all", is_flag=True, help="Also those that have ended.")
def list_command(is_all: bool) -> None:
    """List the bills that wait for a step, oldest first."""
    from backend.service_layer.outside.records import OPEN_STATES, OutsideState
    from backend.service_layer.outside.view import waiting_bills

    states = tuple(OutsideState) if is_all else (*OPEN_STATES, OutsideState.ACCEPTED)
    views = waiting_bills(_services(), states)
    shown = [view for view in views if is_all or _is_waiting(view)]
    for view in shown:
        _print_line(view)
    if not shown:
        click.echo("没有待办的外来票据 / no bill from outside waits")


def _is_waiting(view: OutsideView) -> bool:
    return view.bill.is_open or (view.claim is not None and view.claim.state == "pended")


def _print_line(view: OutsideView) -> None:
    from backend.service_layer.outside.hands import STATE_TITLES

    bill = view.bill
    zh, en = STATE_TITLES[bill.state]
    if view.claim is not None:
        zh, en = f"申请 {view.claim.number} {view.claim.state}", ""
        if view.claim.state == "pended":
            zh, en = f"申请 {view.claim.number} 等待参保地确认", "waits for the insured place"
    click.echo(f"{bill.number}  {bill.source:<10} {zh} {('/ ' + en) if en else ''}  未经医院上链")


@command.command("show")
@click.argument("number")
def show(number: str) -> None:
    """Show one bill: files, what it says, steps, differences, what is left to do."""
    from backend.service_layer.outside.hands import STEP_TITLES

    view = _find(_services(), number)
    bill = view.bill
    _print_line(view)
    if bill.reason_zh:
        click.echo(f"  {bill.reason_zh} / {bill.reason_en} [{bill.reason_code}]")
    if bill.hospital_level is not None:
        click.echo(
            f"  就医机构 {bill.hospital_code} {bill.hospital_name}，"
            f"{bill.hospital_level} 级，{bill.area_code}{'，急诊' if bill.is_emergency else ''}"
        )
    for file in view.files:
        click.echo(f"  {file.role:<5} {file.kind:<5} {file.size:>9} B  {file.digest.hex()}")
    for step in view.steps:
        zh, en = STEP_TITLES[step.step]
        when = step.at.isoformat(timespec="seconds")
        click.echo(f"  {when} {zh} / {en}: {step.outcome}  {step.by}  {step.reason}".rstrip())
        _print_found(step.content)
    if bill.record is not None:
        click.echo(json.dumps(json.loads(bill.record), ensure_ascii=False, indent=1))


def _print_found(content: dict[str, Any]) -> None:
    for entry in content.get("differences", []):
        click.echo(f"      {entry['path']}: {entry['first']!r} != {entry['second']!r}")
    for note in content.get("notes", []):
        click.echo(f"      未录入的元素 / element not taken: {note}")


@command.command("file")
@click.argument("number")
@click.argument("digest")
@click.option("--to", "target", type=click.Path(path_type=Path), required=True)
@click.option("--original", is_flag=True, help="The file as it came, instead of the viewing copy.")
@_BY
def file_command(number: str, digest: str, target: Path, original: bool, by: str) -> None:
    """Write one file of a bill to disk; a picture as its copy without metadata."""
    from backend.service_layer.outside.view import open_file

    services = _services()
    view = _find(services, number)
    try:
        wanted = bytes.fromhex(digest)
    except ValueError as error:
        raise click.BadParameter("摘要应为十六进制 / hex digits", param_hint="DIGEST") from error
    found = open_file(services, view.bill.id, wanted, by, is_original=original)
    target.write_bytes(found.data)
    click.echo(f"{found.name} {found.media_type} {hashlib.sha256(found.data).hexdigest()}")


@command.command("type")
@click.argument("number")
@click.argument("document", type=_FILE)
@_BY
def type_command(number: str, document: Path, by: str) -> None:
    """Store what was typed from the picture (JSON of docs/api.md)."""
    from backend.service_layer.outside.transcript import type_bill

    services = _services()
    try:
        type_bill(services, _find(services, number).bill.id, _read(document), by)
    except DomainError as error:
        _print_faults(error)
        raise
    _print_line(_find(services, number))


@command.command("compare")
@click.argument("number")
@click.option("--typed", type=_FILE, help="A second typing; without it: the first is right.")
@_BY
def compare(number: str, typed: Path | None, by: str) -> None:
    """Compare the typed bill with the picture; another person than the typist."""
    from backend.service_layer.outside.transcript import compare_bill

    services = _services()
    document = None if typed is None else _read(typed)
    try:
        compared = compare_bill(services, _find(services, number).bill.id, by, document)
    except DomainError as error:
        _print_faults(error)
        raise
    for one in compared.differences:
        click.echo(f"  {one.path}: {one.first!r} != {one.second!r}")
    _print_line(_find(services, number))


def _print_faults(error: DomainError) -> None:
    for fault in getattr(error, "errors", None) or []:
        click.echo(f"  {fault['pointer']}: {fault['zh']} / {fault['en']}", err=True)


@command.command("check")
@click.argument("number")
@click.option("--hospital-code", required=True, help="国家编码或税号 / its national or tax number")
@click.option("--hospital-name", required=True)
@click.option("--level", type=click.IntRange(1, 3), required=True)
@click.option("--area", required=True, help="六位行政区划 / six digits")
@click.option("--emergency", is_flag=True)
@click.option("--authentic", is_flag=True, help="已查验真伪 / the document is genuine")
@click.option("--lines-agree", is_flag=True, help="明细与清单一致 / lines are those of the list")
@_REASON
@_BY
def check(number: str, by: str, reason: str, **given: Any) -> None:
    """就医地审核: the document is genuine and its lines are right."""
    from backend.service_layer.outside.check import Findings, accept_document
    from backend.service_layer.outside.records import HospitalFacts

    services = _services()
    accept_document(
        services,
        _find(services, number).bill.id,
        by=by,
        hospital=HospitalFacts(
            code=given["hospital_code"],
            name=given["hospital_name"],
            level=given["level"],
            area_code=given["area"],
            is_emergency=given["emergency"],
        ),
        findings=Findings(is_authentic=given["authentic"], lines_agree=given["lines_agree"]),
        reason=reason,
    )
    _print_line(_find(services, number))


@command.command("reject")
@click.argument("number")
@_REASON
@_BY
def reject(number: str, reason: str, by: str) -> None:
    """就医地审核: the document is not accepted; the person is told the reason."""
    from backend.service_layer.outside.check import refuse_document

    services = _services()
    refuse_document(services, _find(services, number).bill.id, by, reason)
    _print_line(_find(services, number))


@command.command("confirm")
@click.argument("number")
@click.option("--refuse", is_flag=True, help="不予报销 / refuse the claim")
@_REASON
@_BY
def confirm(number: str, refuse: bool, reason: str, by: str) -> None:
    """参保地确认: decide on the claim; another person than the one who checked."""
    from backend.service_layer.handling.confirm_outside import confirm_claim

    services = _services()
    claim = confirm_claim(
        services, _find(services, number).bill.id, by, reason, approves=not refuse
    )
    left = " 仍有其他事项待核对 / other reasons are left" if claim.state == "pended" else ""
    click.echo(f"{claim.number} {'不予报销 / refused' if refuse else '已确认 / confirmed'}{left}")


@command.command("gaps")
def gaps() -> None:
    """List bills of member hospitals that a person holds and the hospital has not uploaded."""
    from backend.service_layer.outside.view import member_gaps

    rows = member_gaps(_services())
    for row in rows:
        state = "已补传 / uploaded since" if row.is_closed else "未上传 / not uploaded"
        when = row.noticed_at.isoformat(timespec="minutes")
        click.echo(
            f"{when} {row.institution_code} {row.institution_name} {row.bill_number} {state}"
        )
    if not rows:
        click.echo("没有缺口 / no gap")
