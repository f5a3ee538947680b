"""``yichu review``: pended claims; a person approves or refuses one."""

from __future__ import annotations

import click

from backend.domain.money import format_yuan


@click.group(name="review", help="列出待核对的申请，批准或不批准 / pended claims.")
def command() -> None:
    pass


@command.command("list")
def list_command() -> None:
    """List the claims that wait for a person, with every reason."""
    from backend.bootstrap import build_services
    from backend.service_layer.claims.review import list_pended

    rows = list_pended(build_services())
    if not rows:
        click.echo("没有待核对的申请 / nothing waits for a person")
    for claim, reasons in rows:
        click.echo(f"{claim.number}  {claim.state}  {claim.service_on.isoformat()}")
        for reason in reasons:
            click.echo(f"    [{reason.code}] {reason.zh} / {reason.en}")


@command.command("show")
@click.argument("number")
def show_command(number: str) -> None:
    """Show one claim: state, stages, reasons, amounts."""
    from backend.bootstrap import build_services

    services = build_services()
    with services.work(write=False) as work:
        claim = work.claims.by_number(number)
        stages = work.claims.stages_of(claim.id)
        pends = work.claims.pends_of(claim.id)
        calculation = work.decisions.latest_calculation(claim.id)
    click.echo(f"{claim.number}  状态 {claim.state}  付款方 {claim.payer_number}")
    for row in stages:
        click.echo(f"  {row.finished_at.isoformat()} {row.stage} #{row.attempt} {row.outcome}")
        for reason in row.reasons:
            click.echo(f"    [{reason.code}] {reason.zh} / {reason.en}")
    for pend in pends:
        done = f"{pend.resolved_by}：{pend.resolution}" if pend.resolved_at else "待核对"
        click.echo(f"  [{pend.code}] {pend.zh} -> {done}")
    if calculation is not None:
        click.echo(f"  测算 {format_yuan(calculation.paid_fen)} 元（第 {calculation.version} 版）")


@command.command("approve")
@click.argument("number")
@click.option("--reviewer", required=True, help="复核人姓名 / reviewer's name")
@click.option("--reason", required=True, help="理由 / reason")
def approve_command(number: str, reviewer: str, reason: str) -> None:
    """Approve: the claim goes on by the policy."""
    from backend.bootstrap import build_services
    from backend.service_layer.claims.review import approve_pended

    approve_pended(build_services(), number, reviewer, reason)
    click.echo(f"已批准 {number}，将按政策核定 / approved, decided by the policy next")


@command.command("refuse")
@click.argument("number")
@click.option("--reviewer", required=True, help="复核人姓名 / reviewer's name")
@click.option("--reason", required=True, help="理由，会告诉申请人 / reason, told to the citizen")
def refuse_command(number: str, reviewer: str, reason: str) -> None:
    """Refuse: nothing is paid, the refusal is stamped on the ledger."""
    from backend.bootstrap import build_services
    from backend.service_layer.claims.review import refuse_pended

    refuse_pended(build_services(), number, reviewer, reason)
    click.echo(f"已不批准 {number} / refused")
