"""``yichu recovery``: what is owed back, who decided, plans, money that came in, what was waived.

Who may run it is trusted with the name given; where staff are registered it is that of one of
them. Two people are two names.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.domain.money import format_yuan
from backend.entrypoints.cli.yuan import Yuan

if TYPE_CHECKING:
    from backend.domain.recovery import Recovery

_BY = click.option("--by", required=True, help="经办人 / who acts")
_REASON = click.option("--reason", required=True, help="理由 / why")
_AMOUNT = click.option(
    "--amount", "amount_fen", type=Yuan(1), required=True, help="金额（元）/ in yuan"
)
_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group(
    name="recovery", help="追款：清单、批准、分期、到账、豁免 / money owed back: decide, receive."
)
def command() -> None:
    pass


def _services() -> Any:
    from backend.bootstrap import build_services

    return build_services()


@command.command("list")
@click.option("--all", "show_all", is_flag=True, help="已结清的也列 / those that are over too")
@click.option("--limit", type=click.IntRange(1, 1000), default=200, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON")
def list_command(show_all: bool, limit: int, as_json: bool) -> None:
    """Orders, the newest first: state, amount, what is left, when the next part is due."""
    with _services().work(write=False) as work:
        found = work.recoveries.all(limit=limit)
    rows = [one for one in found if show_all or not one.state.is_over]
    if as_json:
        click.echo(json.dumps([row_of(one) for one in rows], ensure_ascii=False, indent=1))
        return
    for one in rows:
        due = one.due()
        when = "-" if due is None else f"{due[0].isoformat()} {format_yuan(due[1])}"
        click.echo(
            f"{one.order.id}\t{one.state}\t{one.order.cause}\t{one.order.debtor}\t"
            f"{format_yuan(one.order.amount_fen)}\t{format_yuan(one.left_fen)}\t{when}"
        )
    left = sum(one.left_fen for one in rows)
    click.echo(
        f"共 {len(rows)} 笔，未追回 {format_yuan(left)} 元 / {len(rows)} orders, "
        f"{format_yuan(left)} yuan left"
    )


def row_of(one: Recovery) -> dict[str, Any]:
    """An order for another program: no name, no account, no reason in free text."""
    due = one.due()
    return {
        "id": one.order.id,
        "state": str(one.state),
        "cause": str(one.order.cause),
        "debtor": str(one.order.debtor),
        "institution": one.order.institution_code,
        "amount_fen": one.order.amount_fen,
        "received_fen": one.received_fen,
        "left_fen": one.left_fen,
        "due_on": None if due is None else due[0].isoformat(),
        "due_fen": None if due is None else due[1],
    }


@command.command("show")
@click.argument("order_id")
def show_command(order_id: str) -> None:
    """One order: by layer, who decided, its plan, every receipt, the waiver, the ledger."""
    from backend.service_layer.recovery.closing import dedupe_key

    with _services().work(write=False) as work:
        one = work.recoveries.get(order_id)
        asked = work.recoveries.waiver_requests(order_id)
        intent = work.outbox.find(dedupe_key(order_id))
    order = one.order
    click.echo(f"{order.id}  {one.state}  {order.cause}  {order.source_id}")
    who = order.institution_code or "本人 / the person"
    click.echo(f"欠款人 / owed by {who}  {order.reason}")
    owed, left = format_yuan(order.amount_fen), format_yuan(one.left_fen)
    click.echo(f"应追 / owed {owed}  未追回 / left {left}")
    for layer, amount in order.layers.items():
        if amount:
            click.echo(f"  {layer}  {format_yuan(amount)}")
    for said in one.approvals:
        click.echo(
            f"批准 / approved {said.ordinal}  {said.at:%F %T}Z  {said.person}  {said.reason}"
        )
    for part in one.plan:
        click.echo(f"第 {part.ordinal} 期 / part  {part.due_on}  {format_yuan(part.amount_fen)}")
    for money in one.receipts:
        mark = "（模拟 / simulated）" if money.is_simulated else ""
        click.echo(
            f"到账 / received {money.received_on}  {format_yuan(money.amount_fen)}  "
            f"{money.reference}  {money.source}  {money.recorded_by}{mark}"
        )
    for money in one.taken_back:
        click.echo(
            f"已撤回 / taken back {money.received_on}  {format_yuan(money.amount_fen)}  "
            f"{money.reference}"
        )
    for request in asked:
        click.echo(f"申请豁免 / waiver asked {request.at:%F %T}Z  {request.by}  {request.reason}")
    if one.waiver is not None:
        click.echo(
            f"豁免 / waived {format_yuan(one.waiver.amount_fen)}  "
            f"{one.waiver.proposed_by} + {one.waiver.approved_by}"
        )
    if intent is not None:
        click.echo(f"账本 / ledger {intent.state} {intent.outcome or ''}  {order.number.hex()}")


@command.command("approve")
@click.argument("order_id")
@_BY
@_REASON
def approve_command(order_id: str, by: str, reason: str) -> None:
    """Say that a proposed order stands; with the second person's word it is owed."""
    from backend.service_layer.recovery.people import approve

    click.echo(str(approve(_services(), order_id, by, reason).state))


@command.command("dismiss")
@click.argument("order_id")
@_BY
@_REASON
def dismiss_command(order_id: str, by: str, reason: str) -> None:
    """Decide against a proposed order: nothing is owed."""
    from backend.service_layer.recovery.people import dismiss

    click.echo(str(dismiss(_services(), order_id, by, reason).state))


@command.command("plan")
@click.argument("order_id")
@click.option("--parts", type=click.IntRange(1, 60), required=True, help="期数 / monthly parts")
@click.option("--first", type=_DAY, required=True, help="首期 / when the first is due")
@_BY
@_REASON
def plan_command(order_id: str, parts: int, first: dt.datetime, by: str, reason: str) -> None:
    """Divide what is left into monthly parts; it takes the place of the plan before."""
    from backend.service_layer.recovery.people import plan

    found = plan(_services(), order_id, parts, first.date(), by=by, reason=reason)
    for part in found.plan:
        click.echo(f"{part.ordinal}\t{part.due_on}\t{format_yuan(part.amount_fen)}")


@command.command("receive")
@click.argument("order_id")
@_AMOUNT
@click.option("--reference", required=True, help="银行流水号 / the bank's reference")
@click.option("--on", type=_DAY, required=True, help="到账日 / the day it came in")
@_BY
def receive_command(
    order_id: str, amount_fen: int, reference: str, on: dt.datetime, by: str
) -> None:
    """Take down money that came back; the same reference twice is one receipt."""
    from backend.service_layer.recovery.people import Incoming, receive

    services = _services()
    is_new = receive(services, Incoming(reference, order_id, amount_fen, on.date()), by=by)
    with services.work(write=False) as work:
        one = work.recoveries.get(order_id)
    said = "已登记 / stored" if is_new else "先前已登记 / stored before"
    click.echo(f"{said}  {one.state}  {format_yuan(one.left_fen)}")


@command.command("receipts")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_BY
def receipts_command(path: Path, by: str) -> None:
    """Take in a bank's file (reference,order,yuan,received_on): as a whole, or nothing of it."""
    from backend.service_layer.recovery.files import BYTES_MAX, take_in_receipts

    if path.stat().st_size > BYTES_MAX:
        raise click.UsageError(f"a file has at most {BYTES_MAX} bytes")
    new, known = take_in_receipts(_services(), path.read_bytes(), by=by)
    click.echo(f"新 {new} 笔，已有 {known} 笔 / {new} new, {known} stored before")


@command.group(help="豁免：一人提出，另一人批准 / waive: one asks, another approves.")
def waive() -> None:
    pass


@waive.command("ask")
@click.argument("order_id")
@_BY
@_REASON
def ask_command(order_id: str, by: str, reason: str) -> None:
    """Ask that what is left be given up."""
    from backend.service_layer.recovery.people import ask_waiver

    ask_waiver(_services(), order_id, by, reason)
    click.echo("已提出，等另一人批准 / asked: another person approves")


@waive.command("approve")
@click.argument("order_id")
@_BY
def approve_waiver_command(order_id: str, by: str) -> None:
    """Give up what is left, as another person has asked."""
    from backend.service_layer.recovery.people import approve_waiver

    found = approve_waiver(_services(), order_id, by)
    waived = 0 if found.waiver is None else found.waiver.amount_fen
    click.echo(f"{found.state}  {format_yuan(waived)}")


_OF_RECEIPT = click.option("--reference", required=True, help="银行流水号 / the bank's reference")


@command.group(
    name="take-back",
    help="撤回登记错的到账，两个人 / take back a receipt that was stored wrongly: two people.",
)
def take_back() -> None:
    pass


@take_back.command("ask")
@click.argument("order_id")
@_OF_RECEIPT
@_BY
@_REASON
def ask_take_back_command(order_id: str, reference: str, by: str, reason: str) -> None:
    """Ask that a receipt be taken back; nothing changes until another person approves."""
    from backend.service_layer.recovery.take_back import ask_take_back

    ask_take_back(_services(), order_id, reference, by=by, reason=reason)
    click.echo("已提出，等另一人批准 / asked: another person approves")


@take_back.command("approve")
@click.argument("order_id")
@_OF_RECEIPT
@_BY
def approve_take_back_command(order_id: str, reference: str, by: str) -> None:
    """Take the receipt back, as another person has asked: it is owed again."""
    from backend.service_layer.recovery.take_back import approve_take_back

    found = approve_take_back(_services(), order_id, reference, by=by)
    click.echo(f"{found.state}  未追回 / left {format_yuan(found.left_fen)}")


@command.command("assign")
@click.argument("lead_id")
@click.option("--claim", "claim_number", required=True, help="申请编号 / the claim's number")
@_AMOUNT
@_BY
def assign_command(lead_id: str, claim_number: str, amount_fen: int, by: str) -> None:
    """Lay a part of what a finding orders on one claim of that institution."""
    from backend.service_layer.recovery.causes import assign

    made = assign(_services(), lead_id, claim_number, amount_fen, by=by)
    click.echo(f"{made.order.id}  {format_yuan(made.order.amount_fen)}")
