"""``yichu money``: the three tables, and the monthly close."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import click

from backend.domain.journal import EventKind
from backend.domain.money import format_yuan
from backend.entrypoints.cli.bank_balance import command as bank_statement
from backend.entrypoints.cli.fund import FUND_NAMES, REGION, services_and_region, tell_fund
from backend.entrypoints.cli.register import Day

if TYPE_CHECKING:
    from backend.service_layer.journal.money_tables import MoneyTables
    from backend.service_layer.journal.month_statement import MonthStatement

_EVENTS = {
    str(EventKind.FUNDED): "拨入 / deposited",
    str(EventKind.APPROVED): "审定应付 / approved",
    str(EventKind.APPROVAL_REVERSED): "撤销应付 / approval reversed",
    str(EventKind.PAID): "支付 / paid",
    str(EventKind.RETURNED): "退回 / returned",
    str(EventKind.RECOVERED): "追回 / recovered",
    str(EventKind.RECEIPT_REVERSED): "更正：撤回到账 / corrected: receipts taken back",
    str(EventKind.RECOVERY_OFFSET): "抵扣 / offset",
    str(EventKind.DEPOSIT_REVERSED): "更正：冲销拨入 / corrected: deposits reversed",
    str(EventKind.BANK_CHARGE): "更正：银行收费 / corrected: bank charges",
    str(EventKind.BANK_INTEREST): "更正：利息 / corrected: interest",
    str(EventKind.SUSPENSE): "更正：挂账 / corrected: in suspense",
}


@click.group(name="money", help="资金三表与月结 / the three tables of money, the monthly close.")
def command() -> None:
    pass


command.add_command(bank_statement)


@command.command("tables")
@REGION
@click.option("--day", type=Day(), help="某一天 / one day")
@click.option("--month", help="某个月，例如 2026-11；默认本月 / a month; default: this one")
@click.option("--all-regions", is_flag=True, help="所有统筹区 / every region")
@click.option("--json", "as_json", is_flag=True)
def tables_command(
    *, region: str | None, day: dt.date | None, month: str | None, all_regions: bool, as_json: bool
) -> None:
    """Show 我有多少钱、要付多少钱、付了多少钱; exit status 1 when they do not tie."""
    from backend.domain.local_time import local_day
    from backend.service_layer.journal.money_tables import read_tables, to_json

    services, code = services_and_region(region)
    starts_on, ends_on = _period(day, month, local_day(services.clock.now()))
    with services.work(write=False) as work:
        tables = read_tables(work, starts_on, ends_on, None if all_regions else code)
    if as_json:
        click.echo(json.dumps(to_json(tables), ensure_ascii=False, indent=2))
    else:
        tell_tables(tables)
    if tables.faults:
        raise click.exceptions.Exit(1)


def _period(day: dt.date | None, month: str | None, today: dt.date) -> tuple[dt.date, dt.date]:
    from backend.service_layer.journal.month_statement import month_end

    if day and month:
        raise click.UsageError("name --day or --month")
    if day:
        return day, day
    try:
        last = month_end(month or today.strftime("%Y-%m"))
    except ValueError as error:
        raise click.UsageError("write --month like 2026-11") from error
    return last.replace(day=1), last


def tell_tables(tables: MoneyTables) -> None:
    """Print the three tables and whether they tie."""
    from backend.service_layer.money_reconciliation.words import line_in_words

    click.echo(f"{tables.starts_on} — {tables.ends_on}")
    if tables.has_simulated:
        click.echo("含模拟的钱 / some of this money is simulated")
    click.echo("\n一、我有多少钱 / what we have")
    _tell_none(tables.have)
    for row in tables.have:
        tell_fund(row)
        _tell_moves(row.opening_fen, row.moves, row.closing_fen)
    click.echo("\n二、要付多少钱 / what we owe")
    _tell_none(tables.owed)
    for owed in tables.owed:
        click.echo(
            f"{owed.region} {_fund(owed.insurance_type)}  {owed.agency_code} {owed.agency_name}"
        )
        _tell_moves(owed.opening_fen, owed.moves, owed.closing_fen)
        click.echo(f"  {format_yuan(owed.payable_fen):>20}  未交银行 / not with the bank yet")
        click.echo(f"  {format_yuan(owed.transit_fen):>20}  已交银行 / with the bank")
    click.echo("\n三、付了多少钱 / what we paid")
    _tell_none(tables.paid)
    for paid in tables.paid:
        click.echo(
            f"{paid.region} {_fund(paid.insurance_type)}  {paid.agency_code} {paid.agency_name}"
        )
        click.echo(
            f"  {format_yuan(paid.paid_fen):>20}  支付 / paid ({paid.paid_count} 笔)\n"
            f"  {format_yuan(-paid.returned_fen):>20}  退回 / returned ({paid.returned_count} 笔)\n"
            f"  {format_yuan(paid.net_fen):>20}  净付 / net"
        )
    click.echo("")
    for fault in tables.faults:
        zh, en = line_in_words(fault)
        click.echo(f"不符：{zh} / disagrees: {en}")
    if not tables.faults:
        click.echo("三表相符 / the three tables tie")


def _tell_none(rows: tuple[object, ...]) -> None:
    if not rows:
        click.echo("  无 / none")


def _fund(insurance_type: str) -> str:
    return FUND_NAMES.get(insurance_type, insurance_type)


def _tell_moves(opening: int, moves: tuple[tuple[str, int], ...], closing: int) -> None:
    click.echo(f"  {format_yuan(opening):>20}  期初 / opening")
    for kind, amount in moves:
        click.echo(f"  {format_yuan(amount):>20}  {_EVENTS.get(kind, kind)}")
    click.echo(f"  {format_yuan(closing):>20}  期末 / closing")


@command.command("close")
@REGION
@click.option("--month", required=True, help="例如 2026-11 / the month")
@click.option("--list", "list_only", is_flag=True, help="只看未清项 / only show what is open")
@click.option("--carry-forward", is_flag=True, help="未清项结转 / close with open items")
@click.option("--confirm", is_flag=True, help="另一人确认 / another person confirms")
@click.option("--by", default="", help="谁 / who proposes or confirms")
@click.option("--reason", default="", help="理由 / why")
def close_command(
    *,
    region: str | None,
    month: str,
    list_only: bool,
    carry_forward: bool,
    confirm: bool,
    by: str,
    reason: str,
) -> None:
    """Close a month that is over (数据清零): it takes no entry any more.

    Lists what is open, or says that nothing is. One person proposes; another one closes it with
    --confirm. With open items, without a statement of the bank that reaches its end and agrees, or
    with open mismatches of the books it closes only when they are carried forward by name.
    """
    from backend.service_layer.journal.month_statement import month_end, month_statement
    from backend.service_layer.money_reconciliation.closing import (
        OpenItemsError,
        confirm_close,
        open_points,
        propose_close,
    )

    services, code = services_and_region(region)
    try:
        last = month_end(month)
    except ValueError as error:
        raise click.UsageError("write --month like 2026-11") from error
    with services.work(write=False) as work:
        seen = month_statement(work, code, last, bytes(32))
        points = open_points(work, code, last)
    _tell_open(seen, month)
    for one in points:
        click.echo(f"{one.zh} / {one.en}")
    if list_only:
        if seen.items or points:
            raise click.exceptions.Exit(1)
        return
    if confirm:
        close, statement = confirm_close(services, code, month, by=by, reason=reason)
        click.echo(
            f"{code} {month} 已结账 / closed: {len(statement.items)} 项结转 / carried forward, "
            f"{close.digest.hex()}"
        )
        return
    try:
        propose_close(services, code, month, by=by, reason=reason, carry_forward=carry_forward)
    except OpenItemsError as error:
        click.echo(f"{error.zh}\n{error.en}")
        raise click.exceptions.Exit(1) from error
    click.echo(
        f"{code} {month} 已提出结账，等另一人用 --confirm 确认 / proposed: another person closes "
        "it with --confirm"
    )


def _tell_open(statement: MonthStatement, month: str) -> None:
    if not statement.items:
        click.echo(f"{month} 没有未清项：清零 / nothing is open: zero")
    for one in statement.items:
        since = one.since.isoformat() if one.since else "-"
        click.echo(
            f"{one.account:<18} {one.insurance_type} {one.agency_code or '-':<6} "
            f"{one.claim_number or '-':<24} {format_yuan(one.balance_fen):>16}  {since}"
        )
    if statement.items:
        click.echo(
            f"{len(statement.items)} 项未清 / open items, "
            f"{format_yuan(statement.open_fen)} 元 / yuan"
        )
