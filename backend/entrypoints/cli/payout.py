"""``yichu payout``: what is owed, what left in which file, what the bank said."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from backend.bootstrap import Services, build_services
from backend.domain.money import format_yuan
from backend.entrypoints.cli.statements import command as statements
from backend.service_layer.payout.records import Verdict
from backend.service_layer.payout.stored import BankMessage, Tried

if TYPE_CHECKING:
    from backend.service_layer.payout.whole_file import FileSteps

_LIMIT = click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="最多几行 / at most so many.",
)
_BY = click.option("--by", required=True, help="经办人 / who does it.")
_UNFINISHED = "账本连不上，没有做完，请再运行 / the ledger does not answer: not finished, run again"
_FILE = click.option(
    "--file",
    "file_name",
    help="整批被退的付款文件 / a payment file that was rejected as a whole.",
)
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
    """Payment files, newest first: name, lane, instructions, yuan, when handed over, and how many
    of them the bank has answered."""
    services = build_services()
    with services.work(write=False) as work:
        files = work.payments.files(limit)
        waiting = work.payment_lists.unanswered_counts([file.id for file in files])
    for file in files:
        total = format_yuan(file.control_sum_fen)
        answered = file.item_count - waiting.get(file.id, 0)
        click.echo(
            f"{file.name}\t{file.lane}\t{file.item_count}\t{total}\t"
            f"{_handed_over(file.handed_over_at)}\t"
            f"已回执 answered {answered}/{file.item_count}"
        )


def _handed_over(at: dt.datetime | None) -> str:
    return "未交 not handed over" if at is None else f"{at:%F %T}Z"


@command.command("file")
@click.argument("name")
def file_command(name: str) -> None:
    """One payment file: every instruction and what the bank said of it."""
    services = build_services()
    with services.work(write=False) as work:
        file = work.payments.file_by_message(name.removesuffix(".xml"))
        if file is None:
            raise click.ClickException("没有这个付款文件 / there is no such payment file")
        items = [
            (work.claims.get(one.attempt.claim_id), one) for one in work.payments.of_file(file.id)
        ]
    click.echo(
        f"{file.name}\t{file.region}\t{file.lane}\t{format_yuan(file.control_sum_fen)}\t"
        f"{_handed_over(file.handed_over_at)}"
    )
    for claim, one in items:
        amount = format_yuan(one.attempt.amount_fen)
        click.echo(f"{claim.number}\t{amount}\t{_attempt(one)}\t{claim.waiting_for or '-'}")
    answered = sum(not one.is_open for _, one in items)
    click.echo(
        f"共 {len(items)} 笔，已回执 {answered} 笔 / {len(items)} in all, {answered} answered"
    )


@command.command("at-bank")
@_LIMIT
def at_bank_command(limit: int) -> None:
    """Instructions that have no ending yet: name, claim, yuan, file, when handed over."""
    services = build_services()
    with services.work(write=False) as work:
        found = work.payment_lists.at_the_bank(limit)
    for one in found:
        click.echo(
            f"{one.end_to_end_id}\t{one.claim_number}\t{format_yuan(one.amount_fen)}\t"
            f"{one.file}.xml\t{_handed_over(one.handed_over_at)}"
        )
    click.echo(f"共 {len(found)} 笔没有回执 / {len(found)} without an answer")


@command.group("messages")
def messages() -> None:
    """Files that the bank has left, whatever became of them."""


@messages.command("list")
@_LIMIT
def list_messages(limit: int) -> None:
    """Newest first: id, name, verdict, and of a file of which nothing was booked whether people
    have dealt with it."""
    services = build_services()
    with services.work(write=False) as work:
        found = [(one, _dealt_with(work, one)) for one in work.payments.messages(limit)]
    for one, dealt_with in found:
        click.echo(f"{one.id}\t{one.name}\t{one.received_at:%F %T}Z\t{one.verdict}\t{dealt_with}")


def _dealt_with(work: Any, message: BankMessage) -> str:
    from backend.service_layer.claims.case_closing import BANK_FILE, newest_proposal

    if message.verdict in {Verdict.BOOKED, Verdict.FILED}:
        return "-"
    case_id = f"{BANK_FILE}:{message.id}"
    case = work.reconciliation.case(case_id)
    if case is not None and case.resolved_at is not None:
        return f"已处理 dealt with {case.resolved_at:%F}"
    asked = None if case is None else newest_proposal(work, case_id)
    if asked is None:
        return "未处理 to be dealt with"
    return f"{asked.by} 已登记，等另一人确认 waits for another person"


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
    from backend.service_layer.payout.difference_words import difference_in_words

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
    for line in one.difference.splitlines():
        zh, en = difference_in_words(line)
        click.echo(zh if zh == en else f"{zh} / {en}")
    if not one.difference:
        click.echo("没有差异 / no difference")


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
@click.argument("claim_number", required=False)
@_FILE
@_BY
@_REASON
def hold_command(claim_number: str | None, file_name: str | None, by: str, reason: str) -> None:
    """Stop a claim's payments that are not in a file yet.

    --file: those of every claim whose payment of that file was rejected and waits for the desk.
    """
    from backend.service_layer.payout.manual import hold
    from backend.service_layer.payout.whole_file import hold_file

    claim_number = _claim_or_file(claim_number, file_name)
    if file_name is not None:
        _tell_steps("已暂停 / stopped", hold_file(build_services(), file_name, by, reason))
        return
    hold(build_services(), claim_number, by, reason)
    click.echo(
        "已暂停还没有发给银行的打款，已发出的不受影响 / "
        "stopped what is not with the bank yet; what is there goes on"
    )


def _claim_or_file(claim_number: str | None, file_name: str | None) -> str:
    if (claim_number is None) == (file_name is None):
        raise click.UsageError("写受理号或 --file 其中一个 / name a claim or --file")
    return claim_number or ""


def _tell_steps(what: str, steps: FileSteps) -> None:
    for number in steps.left:
        click.echo(f"{number}\t另有处理，没有动 / in other hands, left as it is")
    click.echo(f"{what}: {len(steps.done)} 笔 / claims")


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
@click.argument("claim_number", required=False)
@_FILE
@_BY
@_REASON
def release_command(claim_number: str | None, file_name: str | None, by: str, reason: str) -> None:
    """Let a stopped claim's payments go on: another person than the one who stopped them. After a
    rejection the same account is tried once more.

    --file: every claim that was stopped by hold --file of that file.
    """
    from backend.service_layer.payout.manual import release
    from backend.service_layer.payout.whole_file import release_file

    claim_number = _claim_or_file(claim_number, file_name)
    if file_name is not None:
        _tell_steps("已恢复 / released", release_file(build_services(), file_name, by, reason))
        return
    release(build_services(), claim_number, by, reason)
    click.echo("已恢复 / released")
