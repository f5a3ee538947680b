"""``yichu money bank-statement``: 银行存款余额调节表, the bank's balance beside the books'."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import click

from backend.domain.local_time import SHANGHAI
from backend.domain.money import format_yuan
from backend.entrypoints.cli.fund import REGION, services_and_region
from backend.entrypoints.cli.register import Day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backend.service_layer.money_reconciliation.balance_statement import (
        BalanceStatement,
        OpenItem,
    )


@click.command("bank-statement")
@REGION
@click.option("--day", type=Day(), help="到某天为止的对账单 / the newest statement by that day")
@click.option("--json", "as_json", is_flag=True)
def command(*, region: str | None, day: dt.date | None, as_json: bool) -> None:
    """Show 银行存款余额调节表: the bank's closing balance, the books', and the open items.

    By the newest statement of the bank that is kept. Exit status 1 when the adjusted balances do
    not agree, or there is no statement.
    """
    from backend.service_layer.money_reconciliation.balance_statement import (
        read_balance_statement,
    )

    services, code = services_and_region(region)
    with services.work(write=False) as work:
        found = read_balance_statement(work, code, day)
    if found is None:
        raise click.ClickException(
            f"{code} 没有银行对账单：请向银行索取 camt.053 / there is no statement of the bank: "
            "ask the file desk for camt.053"
        )
    if as_json:
        click.echo(json.dumps(found.to_record(), ensure_ascii=False, indent=2))
    else:
        _tell(found)
    if not found.agrees:
        raise click.exceptions.Exit(1)


def _tell(found: BalanceStatement) -> None:
    from backend.service_layer.money_reconciliation.words import line_in_words

    at = found.as_of.astimezone(SHANGHAI)
    click.echo(
        f"银行存款余额调节表 / bank reconciliation statement\n{found.region}  "
        f"对账单 statement {found.statement_id}  截至 as of {at:%F %T} (Asia/Shanghai)"
    )
    if found.simulated:
        click.echo("模拟银行：没有真的钱 / simulated bank: no real money")
    click.echo("")
    _line(found.bank_fen, "银行对账单余额 / balance at the bank")
    _items(found.we_received, "加：企业已收、银行未收 / plus: received here, not at the bank")
    _items(found.we_paid, "减：企业已付、银行未付 / less: paid here, not at the bank")
    _line(found.adjusted_bank_fen, "调节后余额（银行）/ adjusted balance, bank")
    click.echo("")
    _line(found.book_fen, "账面银行存款余额 / balance in the books")
    _items(found.bank_received, "加：银行已收、企业未收 / plus: received at the bank, not here")
    _items(found.bank_paid, "减：银行已付、企业未付 / less: paid at the bank, not here")
    _line(found.adjusted_book_fen, "调节后余额（账面）/ adjusted balance, books")
    click.echo("")
    for gap in found.gaps:
        zh, en = line_in_words(gap)
        click.echo(f"对账单接不上：{zh} / a statement does not follow: {en}")
    if found.agrees:
        click.echo("调节后余额相符 / the adjusted balances agree")
    else:
        differs = format_yuan(found.adjusted_bank_fen - found.adjusted_book_fen)
        click.echo(f"调节后余额不符 / the adjusted balances differ by {differs}")


def _line(amount_fen: int, words: str) -> None:
    click.echo(f"{format_yuan(amount_fen):>20}  {words}")


def _items(items: Sequence[OpenItem], words: str) -> None:
    _line(sum(one.amount_fen for one in items), f"{words} ({len(items)} 笔 / items)")
    for one in items:
        click.echo(f"{'':>20}    {one.on}  {format_yuan(one.amount_fen):>16}  {one.reference}")
