"""``yichu dispute``: list and rule disputes over a number that two institutions uploaded."""

from __future__ import annotations

import click

from backend.bootstrap import build_services
from backend.service_layer.intake.disputes import rule_dispute


@click.group()
def command() -> None:
    """List and rule invoice-number disputes."""


@command.command("list")
@click.option("--all", "show_all", is_flag=True, help="The ruled ones too.")
def list_disputes(show_all: bool) -> None:
    """List disputes with the bills that print the number."""
    services = build_services()
    with services.work(write=False) as work:
        rows = work.disputes.all() if show_all else work.disputes.unsettled()
        for row in rows:
            click.echo(f"{row.id}\t{row.state}\t{row.opened_at:%Y-%m-%d %H:%M}Z")
            for bill in work.invoices.with_keys([row.invoice_key]):
                mark = " *" if bill.id == row.upheld_invoice_id else ""
                click.echo(f"  {bill.id}\t{bill.institution_code}\t{bill.state}{mark}")


@command.command()
@click.argument("dispute_id")
@click.option("--uphold", "upheld", metavar="INVOICE", help="The genuine bill.")
@click.option("--uphold-none", is_flag=True, help="None of them is genuine.")
@click.option("--by", required=True, help="Who rules.")
@click.option("--reason", required=True, help="Why; its digest goes on the ledger if it is asked.")
def rule(dispute_id: str, upheld: str | None, uphold_none: bool, by: str, reason: str) -> None:
    """Uphold one bill or none; the others stay held for ever."""
    if (upheld is None) != uphold_none:
        raise click.UsageError("name --uphold INVOICE, or --uphold-none")
    services = build_services()
    ruled = rule_dispute(
        services,
        dispute_id,
        upheld_invoice_id=upheld,
        by=by,
        reason=reason,
        registrar=services.keystores.account_of("registrar"),
    )
    if ruled.state == "ruling":
        click.echo("已裁定，等待账本清除绑定 / ruled; waiting for the ledger to clear the binding")
    else:
        click.echo("已裁定 / ruled")
