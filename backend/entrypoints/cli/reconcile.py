"""``yichu reconcile``: chain, bank and database say the same, or which rows do not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import click

from backend.bootstrap import Services, build_services
from backend.entrypoints.cli.words import NAME, REASON
from backend.service_layer.anchoring.adopt import Line

LEASE_SECONDS = 60
_WORDS = {
    "agrees": "一致 agrees",
    "adopted": "已采纳 adopted",
    "ahead": "账本较新 ahead",
    "case": "待处理 case",
    "mismatch": "不符 mismatch",
    "accepted": "已核实 accepted",
    "lost": "可能遗失 may be lost",
}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_OPEN = frozenset({"case", "ahead", "mismatch"})


@click.group(invoke_without_command=True)
@click.option("--check", is_flag=True, help="只看，不改任何东西 / only look.")
@click.option("--json", "as_json", is_flag=True, help="JSON / the rows as JSON.")
@click.option("--close", "close_id", metavar="CASE", help="提出结案 / propose to close a case.")
@click.option(
    "--confirm", "confirm_id", metavar="CASE", help="另一人确认结案 / another person confirms."
)
@click.option(
    "--outcome",
    type=click.Choice(["accepted", "corrected"]),
    help="对账差异的结果 / how a mismatch ends.",
)
@click.option("--by", type=NAME, help="经办人 / who acts.")
@click.option("--reason", type=REASON, help="查明了什么 / what was found and done.")
@click.pass_context
def command(  # noqa: PLR0917 - one option each
    context: click.Context,
    check: bool,
    as_json: bool,
    close_id: str | None,
    confirm_id: str | None,
    outcome: str | None,
    by: str | None,
    reason: str | None,
) -> None:
    """Compare bills, claims, decisions, ledger, journal, payment files and bank, row by row.

    Before that what only chain and bank know is adopted, for a database that was restored from an
    older backup. Stop the worker first; --check needs no stop. Repeating it changes nothing.
    Exit status: 0 when nothing disagrees or all was adopted, 1 with the rows that disagree or
    cases that remain, 2 for a wrong call.
    """
    if context.invoked_subcommand is not None:
        return
    case_id = close_id or confirm_id
    if case_id is None and (by or reason or outcome):
        raise click.UsageError("--by, --reason and --outcome go with --close or --confirm CASE")
    if close_id is not None and confirm_id is not None:
        raise click.UsageError("--close proposes, --confirm is another person's: one at a time")
    if case_id is not None and (check or not by or not reason):
        raise click.UsageError("--close and --confirm need --by and --reason, and not --check")
    if confirm_id is not None and outcome is not None:
        raise click.UsageError("--outcome is said with --close")
    services = build_services()
    for name in ("network_key", "wrapping_key"):
        services.settings.secret(name)
    if case_id is not None:
        is_closing = close_id is not None
        _end(services, case_id, by or "", reason or "", outcome, is_closing=is_closing)
        return
    lines = _look(services) if check else _adopt(services)
    _print(lines, as_json=as_json)
    if not as_json:
        _tell_figures(services)
    if any(line.verdict in _OPEN for line in lines):
        raise click.exceptions.Exit(1)


def _end(
    services: Services, case_id: str, by: str, reason: str, outcome: str | None, *, is_closing: bool
) -> None:
    from backend.service_layer.claims.case_closing import (
        CaseOutcome,
        confirm_closing,
        propose_closing,
    )

    if not is_closing:
        click.echo(f"{case_id}: {confirm_closing(services, case_id, by, reason)}")
        return
    how = None if outcome is None else CaseOutcome(outcome)
    event = propose_closing(services, case_id, by, reason, how)
    click.echo(
        f"{event.case_id}: 已提出，等另一人用 --confirm 确认 / proposed; another person confirms it"
    )


def _tell_figures(services: Services) -> None:
    """The three tables of this day, and each account of which there is a statement."""
    from backend.domain.local_time import local_day
    from backend.domain.money import format_yuan
    from backend.entrypoints.cli.money import tell_tables
    from backend.service_layer.journal.money_tables import read_tables
    from backend.service_layer.money_reconciliation.balance_statement import (
        read_balance_statement,
    )

    today = local_day(services.clock.now())
    with services.work(write=False) as work:
        tables = read_tables(work, today, today)
        regions = work.bank_statements.regions()
        balances = [read_balance_statement(work, region) for region in regions]
    click.echo("")
    tell_tables(tables)
    for one in filter(None, balances):
        said = "相符 agrees" if one.agrees else "不符 differs"
        click.echo(
            f"银行存款余额调节表 / balance statement {one.region} {one.statement_id}: "
            f"银行 bank {format_yuan(one.bank_fen)}, 账面 books {format_yuan(one.book_fen)}, "
            f"调节后 adjusted {format_yuan(one.adjusted_bank_fen)} / "
            f"{format_yuan(one.adjusted_book_fen)}: {said}"
        )


@command.command("status")
@click.option("--json", "as_json", is_flag=True)
def status_command(as_json: bool) -> None:
    """Show when the last reconciliation succeeded, whether that is too long ago, what is open.

    Exit status 1 when it is too long ago or a case is overdue.
    """
    from backend.service_layer.money_reconciliation.status import reconciliation_figures

    services = build_services()
    with services.work(write=False) as work:
        found = reconciliation_figures(services, work)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        limits = services.settings
        click.echo(
            f"最近报告 last report {found['last_report'] or '-'}  {found['last_report_at'] or '-'}"
            f"  {found['age_hours']} 小时前 hours ago"
        )
        if found["is_overdue"]:
            click.echo(
                f"超过 {limits.reconcile_overdue_hours} 小时没有对账 / overdue: run yichu reconcile"
            )
        if found["holds_payouts"]:
            click.echo(
                f"超过 {limits.reconcile_hold_hours} 小时没有对账，打款已暂停 / payouts are held"
            )
        click.echo(
            f"待处理 {found['open_cases']} 件，逾期 {found['overdue_cases']} 件 / "
            f"open {found['open_cases']}, overdue {found['overdue_cases']}"
        )
    if found["is_overdue"] or found["overdue_cases"]:
        raise click.exceptions.Exit(1)


@command.command("note")
@click.argument("case_id")
@click.option("--by", type=NAME, required=True, help="谁 / who.")
@click.option("--text", type=REASON, required=True, help="查到什么 / what was found.")
def note_command(case_id: str, by: str, text: str) -> None:
    """Keep a note about a case."""
    from backend.service_layer.claims.case_closing import add_note

    add_note(build_services(), case_id, by, text)
    click.echo("已记录 / noted")


@command.command("assign")
@click.argument("case_id")
@click.option("--to", type=NAME, required=True, help="交给谁 / who looks into it.")
@click.option("--by", type=NAME, required=True, help="谁安排 / who says so.")
def assign_command(case_id: str, to: str, by: str) -> None:
    """Say who looks into a case."""
    from backend.service_layer.claims.case_closing import assign

    assign(build_services(), case_id, to, by)
    click.echo("已记录 / noted")


@command.command("case")
@click.argument("case_id")
def case_command(case_id: str) -> None:
    """Show one case: what was found, everything that happened to it, how it ended."""
    from backend.service_layer.money_reconciliation.words import case_in_words

    services = build_services()
    with services.work(write=False) as work:
        case = work.reconciliation.case(case_id)
        events = work.reconciliation.events_of(case_id)
    if case is None:
        raise click.ClickException("没有这条待办 / there is no such case")
    click.echo(f"{case.id}\t{case.kind}\t{case.found_at:%F %T}Z")
    for line in case_in_words(case.kind, case.detail):
        click.echo(f"  {line}")
    if case.due_at is not None:
        click.echo(f"  期限 / due {case.due_at:%F %T}Z")
    for name, value in sorted(case.detail.items()):
        # What lies deeper is for programs: --json of `reconcile cases` has it.
        if not isinstance(value, dict | list):
            click.echo(f"  {name}: {value}")
    for event in events:
        more = " ".join(str(x) for x in (event.outcome, event.report_number) if x is not None)
        click.echo(f"{event.at:%F %T}Z\t{event.kind} {more}\t{event.by}\t{event.text}")
    if case.resolved_at is None:
        click.echo("待处理 / open")
    else:
        click.echo(f"已结 closed {case.resolved_at:%F %T}Z {case.resolved_by}")


@command.command("cases")
@click.option(
    "--overdue", "only_overdue", is_flag=True, help="只列逾期的 / only those past their deadline."
)
@click.option("--json", "as_json", is_flag=True)
def cases_command(only_overdue: bool, as_json: bool) -> None:
    """List the open cases with their deadlines, oldest first.

    Exit status 1 when one is overdue.
    """
    from backend.service_layer.money_reconciliation.words import case_in_words

    services = build_services()
    now = services.clock.now()
    with services.work(write=False) as work:
        cases = work.reconciliation.open_cases()
    rows: list[dict[str, Any]] = [
        {
            "case": case.id,
            "kind": case.kind,
            "found_at": case.found_at.isoformat(timespec="seconds"),
            "due_at": case.due_at.isoformat(timespec="seconds") if case.due_at else None,
            "is_overdue": case.due_at is not None and case.due_at < now,
            "detail": case.detail,
        }
        for case in cases
    ]
    if only_overdue:
        rows = [row for row in rows if row["is_overdue"]]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        for row in rows:
            mark = "逾期 overdue" if row["is_overdue"] else "待处理 open"
            zh, en = case_in_words(row["kind"], row["detail"])
            click.echo(f"{mark:<12}\t{row['due_at'] or '-':<26}\t{row['case']}\t{zh}\t{en}")
        if not rows:
            click.echo("没有 / none")
    if any(row["is_overdue"] for row in rows):
        raise click.exceptions.Exit(1)


@command.command("reports")
@click.option("--json", "as_json", is_flag=True)
def reports_command(as_json: bool) -> None:
    """List the signed reports, newest first."""
    services = build_services()
    with services.work(write=False) as work:
        reports = work.money_reports.all()
    rows = [
        {
            "number": one.number,
            "made_at": one.made_at.isoformat(timespec="seconds"),
            "mismatches": one.mismatch_count,
            "digest": one.digest.hex(),
            "account": one.account,
        }
        for one in reports
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(
            f"{row['number']:>6}  {row['made_at']}  不符 mismatches {row['mismatches']:>5}  "
            f"{row['digest']}"
        )
    if not rows:
        click.echo("还没有报告 / no report yet")


@command.command("verify")
@click.argument("number", type=click.IntRange(1))
@click.option("--show", is_flag=True, help="打印所签的报告 / print the report that was signed.")
def verify_command(number: int, show: bool) -> None:
    """Check digest, place in the chain of reports and signature of report NUMBER."""
    from backend.service_layer.money_reconciliation.report import verify_report

    services = build_services()
    report = verify_report(services, services.signature_reader, number)
    if show:
        click.echo(report.text)
        return
    click.echo(
        f"报告 {number} 可信：由 {report.account} 签名，摘要 {report.digest.hex()} / "
        f"report {number} is genuine: signed by {report.account}"
    )


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
        raise click.ClickException(_stop_first(services)) from error
    try:
        return reconcile(anchoring_of(services, owner), services, keep)
    finally:
        with services.work() as work:
            work.accounts.release_all(owner)
            work.commit()


def _stop_first(services: Services) -> str:
    """How to stop the worker. ``yichu up`` ends as a whole, and its ledger is asked."""
    told = "有 worker 正在运行，请先停止它 / a worker is at work: stop it first"
    at = urlsplit(services.settings.rpc_urls[0])
    if at.hostname not in _LOOPBACK:
        return told
    ledger = f"yichu devchain --quiet --port {at.port} --db {services.settings.var_dir / 'ledger'}"
    return (
        f"{told}\n用 yichu up 时：Ctrl-C 会连账本一起停，另开一个终端让账本单独运行："
        f"\nWith `yichu up` Ctrl-C stops the ledger too; run it alone in a second terminal:\n"
        f"  {ledger}"
    )


def _print(lines: Sequence[Line], *, as_json: bool) -> None:
    from backend.service_layer.money_reconciliation.words import line_in_words

    said = [x.words or line_in_words(x.detail) for x in lines]
    if as_json:
        rows = [
            {"verdict": x.verdict, "what": x.what, "detail": x.detail, "zh": zh, "en": en}
            for x, (zh, en) in zip(lines, said, strict=True)
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for line, (zh, en) in zip(lines, said, strict=True):
        words = zh if zh == en else f"{zh} / {en}"
        click.echo(f"{_WORDS[line.verdict]:<16}\t{line.what}\t{words}")
    open_count = sum(line.verdict in _OPEN for line in lines)
    adopted = sum(line.verdict == "adopted" for line in lines)
    click.echo(
        f"已采纳 {adopted} 项，待处理 {open_count} 项 / "
        f"adopted {adopted}, to be dealt with {open_count}"
    )
