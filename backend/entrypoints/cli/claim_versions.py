"""``yichu claim history`` and ``withdraw``: the versions of decisions."""

from __future__ import annotations

from typing import Any

import click

from backend.domain.money import format_yuan
from backend.domain.revision import CAUSE_ZH, Cause


@click.command("history")
@click.argument("number")
def history_command(number: str) -> None:
    """Show every decision version of a claim with its cause, what was asked, and what happened."""
    from backend.bootstrap import build_services

    services = build_services()
    with services.work(write=False) as work:
        claim = work.claims.by_number(number.replace(" ", ""))
        click.echo(f"{claim.number}  状态 {claim.state}  版本 {claim.decision_version}")
        echo_history(work, claim.id)


@click.command("withdraw")
@click.argument("number")
@click.option("--by", required=True, help="经办人 / who does it for the citizen")
@click.option("--reason", required=True, help="申请人怎么说的 / what the citizen said")
def withdraw_command(number: str, by: str, reason: str) -> None:
    """Withdraw a claim for a citizen who asked at the window or by telephone."""
    from backend.bootstrap import build_services
    from backend.domain.claim import ClaimState
    from backend.service_layer.handling.withdraw import withdraw_on_request

    claim = withdraw_on_request(build_services(), number.replace(" ", ""), by, reason)
    if claim.state is ClaimState.WITHDRAWN:
        click.echo("已撤回，票据可以重新申请 / withdrawn, the bill can be claimed again")
    else:
        click.echo("正在撤回，账本上的占用解除后完成 / under way, done once the ledger lets go")


def echo_history(work: Any, claim_id: str) -> None:
    """Print versions, requests with their outcomes, and events of a claim."""
    causes = work.revisions.causes_of(claim_id)
    for one in work.decisions.all_of(claim_id):
        cause = causes.get(one.version, Cause.FIRST)
        click.echo(
            f"  第 {one.version} 版 {one.decided_at.isoformat()} [{cause}] {CAUSE_ZH[cause]} "
            f"{one.outcome} {format_yuan(one.paid_fen)} 元 {one.decided_by}：{one.reason}"
        )
    for entry in work.revisions.of_claim(claim_id):
        request, outcome = entry.request, entry.outcome
        names = "、".join(name for name in (request.named_by, request.seconded_by) if name)
        click.echo(
            f"  {request.kind} v{request.decision_version} [{request.code}] {names} "
            f"{request.source_reference} {request.text}"
        )
        if outcome is None:
            click.echo(f"    未办结，{request.promised_on.isoformat()} 前答复 / open")
        else:
            click.echo(
                f"    {outcome.outcome} ({outcome.effect}) {outcome.decided_by}：{outcome.reason}"
            )
    for event in work.revisions.events_of(claim_id):
        click.echo(f"  {event.at.isoformat()} {event.kind} {event.by} {event.text}")
