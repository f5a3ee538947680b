"""``yichu payout statements``: the bank's statements that are filed; a wrong one is withdrawn."""

from __future__ import annotations

import json
from typing import Any

import click

from backend.bootstrap import build_services
from backend.domain.money import format_yuan
from backend.entrypoints.cli.words import NAME, REASON

_BY = click.option("--by", required=True, type=NAME, help="经办人 / who acts")
_REASON = click.option("--reason", required=True, type=REASON, help="理由 / why, which document")


@click.group(
    name="statements",
    invoke_without_command=True,
    help="银行对账单：清单、撤下错的（两个人）/ the bank's statements; withdraw a wrong one.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def command(context: click.Context, limit: int, as_json: bool) -> None:
    if context.invoked_subcommand is None:
        _list(limit, as_json=as_json)


def _list(limit: int, *, as_json: bool) -> None:
    from backend.service_layer.payout.statement_withdrawal import is_withdrawn

    with build_services().work(write=False) as work:
        found = [
            (one, work.bank_statements.steps_of(one.id))
            for one in work.bank_statements.newest_filed(limit)
        ]
    if as_json:
        rows = [_row(one, steps) for one, steps in found]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not found:
        click.echo("没有对账单 / no statements")
    for one, steps in found:
        state = "已撤下 / withdrawn" if is_withdrawn(steps) else "有效 / counts"
        click.echo(
            f"{one.id}\t{one.statement_id}#{one.filing}\t{one.region}\t{one.to_at:%F %T}Z\t"
            f"{format_yuan(one.opening_fen)} → {format_yuan(one.closing_fen)}\t{state}"
        )
        for step in steps:
            click.echo(f"\t{step.action}\t{step.at:%F %T}Z\t{step.by}：{step.reason}")


def _row(one: Any, steps: list[Any]) -> dict[str, Any]:
    return {
        "id": one.id,
        "statement_id": one.statement_id,
        "filing": one.filing,
        "region": one.region,
        "from": one.from_at.isoformat(),
        "to": one.to_at.isoformat(),
        "opening_fen": one.opening_fen,
        "closing_fen": one.closing_fen,
        "entries": one.entry_count,
        "simulated": one.simulated,
        "message_id": one.message_id,
        "steps": [
            {"action": s.action, "by": s.by, "at": s.at.isoformat(), "reason": s.reason}
            for s in steps
        ],
    }


@command.command("withdraw")
@click.argument("stored_id")
@_BY
@_REASON
def withdraw_command(stored_id: str, by: str, reason: str) -> None:
    """Propose to withdraw a statement that the bank has got wrong; it counts until another person
    confirms it."""
    from backend.service_layer.payout.statement_withdrawal import propose_withdrawal

    propose_withdrawal(build_services(), stored_id, by, reason)
    click.echo("已提出，等另一个人 confirm / proposed: another person confirms it")


@command.command("confirm")
@click.argument("stored_id")
@_BY
@_REASON
def confirm_command(stored_id: str, by: str, reason: str) -> None:
    """Confirm a withdrawal, as another person: nothing is compared with the statement any more. A
    corrected one that was refused because of it is filed."""
    from backend.service_layer.payout.statement_withdrawal import confirm_withdrawal

    filed = confirm_withdrawal(build_services(), stored_id, by, reason)
    click.echo("已撤下 / withdrawn")
    for name in filed:
        click.echo(f"已收下更正的对账单 / the corrected statement is filed: {name}")
    if not filed:
        click.echo(
            "还没有更正的对账单：请银行重发 camt.053 / "
            "no corrected statement is here: ask the bank to send it"
        )


@command.command("refuse")
@click.argument("stored_id")
@_BY
@_REASON
def refuse_command(stored_id: str, by: str, reason: str) -> None:
    """Refuse a withdrawal, or take one's own back: the statement stands."""
    from backend.service_layer.payout.statement_withdrawal import refuse_withdrawal

    refuse_withdrawal(build_services(), stored_id, by, reason)
    click.echo("不撤下，对账单有效 / refused: the statement stands")
