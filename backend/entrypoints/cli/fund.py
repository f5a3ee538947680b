"""``yichu fund``: money that comes into the funds, and what they have."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import click

from backend.domain.journal import AMOUNT_FEN_MAX, Fund, Layer
from backend.domain.money import format_yuan, parse_yuan
from backend.domain.person import EMPLOYEE, INSURANCE_TYPES, RESIDENT
from backend.entrypoints.cli.register import Day

if TYPE_CHECKING:
    from backend.service_layer.journal.money_tables import HaveRow

FUND_NAMES = {EMPLOYEE: "职工医保 / employees", RESIDENT: "居民医保 / residents"}
LAYER_NAMES = {
    Layer.POOL: "统筹基金 / pool",
    Layer.SERIOUS_ILLNESS: "大病（职工大额）/ serious illness",
    Layer.MEDICAL_AID: "医疗救助 / medical aid",
    Layer.CIVIL_SERVANT: "公务员补助 / civil servants",
}
REGION = click.option("--region", help="统筹区，默认本机构的 / area code; default: this one's")


@click.group(name="fund", help="基金：拨入、余额 / the funds: deposits, balance.")
def command() -> None:
    pass


def services_and_region(region: str | None) -> tuple[Any, str]:
    """The services, and the region asked for or this installation's."""
    from backend.bootstrap import build_services

    services = build_services()
    return services, region or services.settings.region


@command.command("deposit")
@REGION
@click.option(
    "--fund",
    "insurance_type",
    type=click.Choice(INSURANCE_TYPES),
    required=True,
    help="310 职工 / employees, 390 居民 / residents",
)
@click.option("--layer", type=click.Choice([str(one) for one in Layer]), required=True)
@click.option("--amount", required=True, help="元，例如 1000000.00 / yuan")
@click.option("--reference", required=True, help="银行回单号，不重复 / the bank's own number")
@click.option("--by", required=True, help="登记人 / who records it")
@click.option("--reason", required=True, help="摘要 / what it is")
@click.option("--simulated", is_flag=True, help="模拟的钱 / no real money")
@click.option(
    "--on",
    type=Day(),
    help="期初建账：第一份对账单之前的一天 / a day before the bank's first statement",
)
def deposit_command(
    *, region: str | None, insurance_type: str, layer: str, amount: str, reference: str,
    by: str, reason: str, simulated: bool, on: dt.date | None,
) -> None:  # fmt: skip
    """Record money that came into a fund's account at the bank; once for each reference."""
    from backend.service_layer.journal.deposits import deposit

    fen = parse_yuan(amount.replace(",", ""))
    if not 0 < fen <= AMOUNT_FEN_MAX:
        raise click.UsageError("the amount must be positive / 金额必须为正")
    services, code = services_and_region(region)
    with services.work(write=False) as work:
        name = work.claims.payer_name(services.settings.payer_number)
    is_new = deposit(
        services,
        Fund(code, insurance_type, code, name),
        Layer(layer),
        fen,
        reference=reference,
        by=by,
        reason=reason,
        is_simulated=simulated,
        on=on,
    )
    done = "已记账 / booked" if is_new else "已有这一笔，没有变化 / known already"
    mark = "（模拟 / simulated）" if simulated else ""
    click.echo(f"{code} {FUND_NAMES[insurance_type]} {LAYER_NAMES[Layer(layer)]}{mark}")
    click.echo(f"{format_yuan(fen)} 元 / yuan  {reference}  {done}")


@command.command("balance")
@REGION
@click.option("--json", "as_json", is_flag=True)
def balance_command(region: str | None, as_json: bool) -> None:
    """Show what each fund has at the bank, owes, and has free; by layer."""
    from backend.domain.local_time import local_day
    from backend.service_layer.journal.money_tables import read_tables, to_json

    services, code = services_and_region(region)
    today = local_day(services.clock.now())
    with services.work(write=False) as work:
        tables = read_tables(work, today, today, code)
    if as_json:
        click.echo(json.dumps(to_json(tables)["have"], ensure_ascii=False, indent=2))
        return
    if not tables.have:
        click.echo(f"{code}：还没有记过账 / nothing is booked yet")
    for row in tables.have:
        tell_fund(row)


def tell_fund(row: HaveRow) -> None:
    """One fund in a few lines."""
    click.echo(f"{row.region} {FUND_NAMES.get(row.insurance_type, row.insurance_type)}")
    lines = [
        ("银行存款 / at the bank", row.closing_fen),
        ("应付未付 / owed", row.owed_fen),
        ("可用 / free", row.free_fen),
        ("应收追款 / owed back", row.receivable_fen),
    ]
    if row.clearing_fen:
        lines.append(("待查（挂账）/ in suspense", row.clearing_fen))
    lines += [
        (LAYER_NAMES[Layer(layer)] + ("  透支 / overdrawn" if amount < 0 else ""), amount)
        for layer, amount in row.net_fen
    ]
    for label, amount in lines:
        click.echo(f"  {format_yuan(amount):>20}  {label}")
