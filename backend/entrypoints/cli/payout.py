"""``yichu payout``: what is owed, what left in which file, what the bank said."""

from __future__ import annotations

from typing import Any

import click

from backend.bootstrap import Services, build_services
from backend.domain.money import format_yuan
from backend.entrypoints.cli.statements import command as statements
from backend.service_layer.payout.stored import Tried

_LIMIT = click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="最多几行 / at most so many.",
)
_BY = click.option("--by", required=True, help="经办人 / who does it.")
_UNFINISHED = "账本连不上，没有做完，请再运行 / the ledger does not answer: not finished, run again"
_REASON = click.option("--reason", required=True, help="理由 / why.")


@click.group(
    name="payout", help="打款：清单、批次、回执、暂停 / payments: list, runs, files, holds."
)
def command() -> None:
    pass


command.add_command(statements)


@command.command("list")
@_LIMIT
def list_command(limit: int) -> None:
    """What is owed and not with the bank: id, yuan, since when, what it waits for."""
    services = build_services()
    with services.work(write=False) as work:
        rows = [
            (payable, work.claims.get(payable.claim_id))
            for payable in work.payments.payables(after=None, limit=limit)
        ]
    for payable, claim in rows:
        waiting = claim.waiting_for or "-"
        amount = format_yuan(payable.amount_fen)
        click.echo(f"{payable.id}\t{amount}\t{payable.instructed_at:%F %T}Z\t{waiting}")
    click.echo(f"共 {len(rows)} 笔 / {len(rows)} in all")


@command.command("show")
@click.argument("claim_number")
def show_command(claim_number: str) -> None:
    """A claim's payables with every attempt and what the bank said of it."""
    services = build_services()
    with services.work(write=False) as work:
        claim = work.claims.by_number(claim_number)
        payables = work.payments.payables_of(claim.id)
        tried = {payable.id: work.payments.tried(payable.id) for payable in payables}
        hold = work.payments.last_hold(claim.id)
    click.echo(f"{claim.number}\t{claim.state}\t{claim.waiting_for or '-'}")
    for payable in payables:
        click.echo(f"{payable.id}\t{format_yuan(payable.amount_fen)}")
        for one in tried[payable.id]:
            click.echo(f"  {_attempt(one)}")
    if hold is not None:
        click.echo(f"{hold.action}\t{hold.by}\t{hold.at:%F %T}Z\t{hold.reason}")


def _attempt(one: Tried) -> str:
    attempt, answer = one.attempt, one.answer
    said = "等回执 / no answer yet"
    if answer is not None:
        marked = " 模拟 simulated" if answer.simulated else ""
        said = f"{answer.status} {answer.reason_code} {answer.bank_reference}{marked}"
    where = f"{attempt.bank_name} {attempt.account_tail}"
    return f"{attempt.end_to_end_id}\t{attempt.lane}\t{where}\t{said}"


@command.command("run")
def run_command() -> None:
    """Do the daily run now, whatever the hour: write files, hand them over, book answers.

    A worker may be at work meanwhile: nothing is instructed twice. Exit status 1 when the ledger
    could not be read, so that something is left to do.
    """
    from backend.service_layer.payout.answers import take_in_answers
    from backend.service_layer.payout.hand_over import hand_over_files
    from backend.service_layer.payout.records import Lane
    from backend.service_layer.payout.run import run_lane

    services = build_services()
    services.settings.secret("wrapping_key")
    booked = take_in_answers(services)
    done = run_lane(services, Lane.DAILY)
    handed = hand_over_files(services)
    booked += take_in_answers(services)
    click.echo(
        f"付款文件 {done.files} 个，指令 {done.instructed} 笔，暂缓 {done.held} 笔，"
        f"交银行 {handed} 个，回执 {booked} 个 / {done.files} files, {done.instructed} "
        f"instructions, {done.held} held, {handed} handed over, {booked} bank files"
    )
    if not done.is_whole:
        click.echo(_UNFINISHED, err=True)
        raise click.exceptions.Exit(1)


@command.command("files")
@_LIMIT
def files_command(limit: int) -> None:
    """Payment files, newest first."""
    services = build_services()
    with services.work(write=False) as work:
        files = work.payments.files(limit)
    for file in files:
        left = "未交 not handed over"
        if file.handed_over_at is not None:
            left = f"{file.handed_over_at:%F %T}Z"
        total = format_yuan(file.control_sum_fen)
        click.echo(f"{file.name}\t{file.lane}\t{file.item_count}\t{total}\t{left}")


@command.group("messages")
def messages() -> None:
    """Files that the bank has left, whatever became of them."""


@messages.command("list")
@_LIMIT
def list_messages(limit: int) -> None:
    """Newest first: id, name, verdict."""
    services = build_services()
    with services.work(write=False) as work:
        found = work.payments.messages(limit)
    for one in found:
        click.echo(f"{one.id}\t{one.name}\t{one.received_at:%F %T}Z\t{one.verdict}")


@messages.command("show")
@click.argument("message_id")
@click.option(
    "--content",
    is_flag=True,
    help="打印文件原文，含个人信息，要留名 / the file itself: it holds personal data.",
)
@click.option("--by", help="谁看原文 / who reads it.")
@click.option("--reason", help="为什么看 / why.")
def show_message(message_id: str, content: bool, by: str | None, reason: str | None) -> None:
    """Why nothing of a bank file was booked, line by line.

    --content needs --by and --reason: who has read account numbers, and why, is kept.
    """
    services = build_services()
    one = _message(services, message_id)
    if content:
        from backend.service_layer.payout.manual import read_content

        raw = read_content(services, message_id, by or "", reason or "")
        click.echo(raw.decode("utf-8", errors="replace"))
        return
    click.echo(f"{one.name}\t{one.verdict}\t{one.received_at:%F %T}Z")
    click.echo(f"SHA-256 {one.digest.hex()}")
    click.echo(f"报告 report {one.report_id or '-'} -> {one.original_id or '-'}")
    click.echo(one.difference or "没有差异 / no difference")


def _message(services: Services, message_id: str) -> Any:
    with services.work(write=False) as work:
        found = work.payments.message_by_id(message_id)
    if found is None:
        raise click.ClickException("没有这个银行文件 / there is no such bank file")
    return found


@messages.command("readings")
@click.argument("message_id")
def readings_command(message_id: str) -> None:
    """Who has read a bank file, when and why."""
    services = build_services()
    _message(services, message_id)
    with services.work(write=False) as work:
        readings = work.payments.readings_of(message_id)
    for one in readings:
        click.echo(f"{one.at:%F %T}Z\t{one.by}\t{one.reason}")
    if not readings:
        click.echo("没有人看过原文 / nobody has read it")


@messages.command("acknowledge")
@click.argument("message_id")
@_BY
@_REASON
def acknowledge_message(message_id: str, by: str, reason: str) -> None:
    """A person has dealt with a file of which nothing was booked; another one confirms it."""
    from backend.service_layer.payout.manual import acknowledge

    acknowledge(build_services(), message_id, by, reason)
    click.echo("已登记，等另一人用 confirm 确认 / noted; another person confirms it")


@messages.command("confirm")
@click.argument("message_id")
@_BY
@_REASON
def confirm_message(message_id: str, by: str, reason: str) -> None:
    """Another person confirms that a file was dealt with: its alarm is closed."""
    from backend.service_layer.payout.manual import confirm_acknowledged

    confirm_acknowledged(build_services(), message_id, by, reason)
    click.echo("已确认 / confirmed")


@command.command("hold")
@click.argument("claim_number")
@_BY
@_REASON
def hold_command(claim_number: str, by: str, reason: str) -> None:
    """Stop a claim's payments that are not in a file yet."""
    from backend.service_layer.payout.manual import hold

    hold(build_services(), claim_number, by, reason)
    click.echo(
        "已暂停还没有发给银行的打款，已发出的不受影响 / "
        "stopped what is not with the bank yet; what is there goes on"
    )


@command.command("propose-release")
@click.argument("claim_number")
@_BY
@_REASON
def propose_release_command(claim_number: str, by: str, reason: str) -> None:
    """Say that a stopped claim's payments may go on; another person releases them. What the worker
    itself has stopped needs it."""
    from backend.service_layer.payout.manual import propose_release

    propose_release(build_services(), claim_number, by, reason)
    click.echo("已登记，等另一人 release / noted; another person releases it")


@command.command("release")
@click.argument("claim_number")
@_BY
@_REASON
def release_command(claim_number: str, by: str, reason: str) -> None:
    """Let a stopped claim's payments go on: another person than the one who stopped them. After a
    rejection the same account is tried once more."""
    from backend.service_layer.payout.manual import release

    release(build_services(), claim_number, by, reason)
    click.echo("已恢复 / released")
