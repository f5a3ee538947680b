"""``yichu journal adjust``: correcting entries, proposed by one person, confirmed by another."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import click

from backend.domain.journal import AMOUNT_FEN_MAX, EventKind, Layer
from backend.domain.money import format_yuan, parse_yuan
from backend.domain.person import INSURANCE_TYPES
from backend.entrypoints.cli.fund import REGION, services_and_region
from backend.entrypoints.cli.words import NAME, REASON

KIND_NAMES = {
    EventKind.DEPOSIT_REVERSED: "冲销拨款",
    EventKind.BANK_CHARGE: "银行收费",
    EventKind.BANK_INTEREST: "利息",
    EventKind.SUSPENSE: "挂账",
    EventKind.SUSPENSE_CLEARED: "挂账转出",
}
_BY = click.option("--by", required=True, type=NAME, help="经办人 / who acts")
_REASON = click.option("--reason", required=True, type=REASON, help="依据 / why, which document")
_NUMBER = click.argument("number", type=click.IntRange(1, 2**31 - 1))


@click.group(name="adjust", help="凭证更正（两个人）/ correcting entries, by two people.")
def command() -> None:
    pass


@command.command("propose")
@REGION
@click.option("--kind", type=click.Choice([str(one) for one in KIND_NAMES]), required=True)
@click.option("--fund", "insurance_type", type=click.Choice(INSURANCE_TYPES), required=True)
@click.option("--amount", required=True, help="元 / yuan")
@click.option("--reference", default="", help="银行的编号 / by what the bank names it")
@click.option("--side", type=click.Choice(["credit", "debit"]), help="挂账：收或付 / of suspense")
@click.option(
    "--layer",
    type=click.Choice([str(one) for one in Layer]),
    help="层次 / of suspense-cleared, deposit-reversed",
)
@click.option("--suspense", type=int, help="挂账的更正号 / number of the suspense")
@_BY
@_REASON
def propose_command(
    *, region: str | None, kind: str, insurance_type: str, amount: str, reference: str,
    side: str | None, layer: str | None, suspense: int | None, by: str, reason: str,
) -> None:  # fmt: skip
    """Propose a correcting entry; nothing is booked until another person confirms it."""
    from backend.service_layer.journal.adjustments import Wanted, propose

    fen = parse_yuan(amount.replace(",", ""))
    if not 0 < fen <= AMOUNT_FEN_MAX:
        raise click.UsageError("the amount must be positive / 金额必须为正")
    services, code = services_and_region(region)
    wanted = Wanted(
        EventKind(kind), code, insurance_type, fen, reference, side,
        Layer(layer) if layer else None, suspense,
    )  # fmt: skip
    made = propose(services, wanted, by=by, reason=reason)
    click.echo(
        f"更正 {made.number} 已提出，还没有记账：请另一个人确认 / adjustment {made.number} is "
        "proposed and not booked: another person confirms it"
    )


@command.command("confirm")
@_NUMBER
@_BY
@_REASON
def confirm_command(number: int, by: str, reason: str) -> None:
    """Confirm a proposal, as another person: the entry is booked."""
    from backend.service_layer.journal.adjustments import confirm

    services, _ = services_and_region(None)
    entry = confirm(services, number, by=by, reason=reason)
    click.echo(
        f"更正 {number} 已记账 / booked: {entry.id} {format_yuan(entry.total_fen)} 元 / yuan"
    )


@command.command("refuse")
@_NUMBER
@_BY
@_REASON
def refuse_command(number: int, by: str, reason: str) -> None:
    """Refuse a proposal, or take one's own back: nothing is booked."""
    from backend.service_layer.journal.adjustments import refuse

    services, _ = services_and_region(None)
    refuse(services, number, by=by, reason=reason)
    click.echo(f"更正 {number} 已退回，没有记账 / refused, nothing is booked")


@command.command("list")
@click.option("--open", "open_only", is_flag=True, help="只看待确认的 / only what waits")
@click.option("--json", "as_json", is_flag=True)
def list_command(open_only: bool, as_json: bool) -> None:
    """List the correcting entries with both people, oldest first."""
    services, _ = services_and_region(None)
    with services.work(write=False) as work:
        found = work.adjustments.all(open_only=open_only)
    if as_json:
        rows = [_row(one) | {"answer": None if said is None else _row(said)} for one, said in found]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not found:
        click.echo("没有更正 / no adjustments")
    for one, said in found:
        ended = "待确认 / waits" if said is None else f"{said.action} {said.by} {said.reason}"
        click.echo(
            f"{one.number}  {KIND_NAMES[EventKind(one.kind)]} {one.kind}  {one.region} "
            f"{one.insurance_type}  {format_yuan(one.amount_fen)}  {one.reference}  "
            f"{one.proposed_by}：{one.reason}  →  {ended}"
        )


def _row(one: Any) -> dict[str, Any]:
    values = {each.name: getattr(one, each.name) for each in fields(one)}
    return {name: v.isoformat() if hasattr(v, "isoformat") else v for name, v in values.items()}
