"""``yichu journal``: accounts, entries, trial balance, and whether it can be signed."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import click

from backend.domain.journal import Account, Entry, Side
from backend.domain.money import format_yuan
from backend.entrypoints.cli.fund import REGION
from backend.entrypoints.cli.journal_adjust import command as adjust
from backend.entrypoints.cli.register import Day

_DAY = Day()
_JSON = click.option("--json", "as_json", is_flag=True)


@click.group(
    name="journal", help="账：科目、凭证、试算平衡、检查 / the journal: accounts, entries, checks."
)
def command() -> None:
    pass


command.add_command(adjust)


def _services() -> Any:
    from backend.bootstrap import build_services

    return build_services()


@command.command("accounts")
@REGION
@_JSON
def accounts_command(region: str | None, as_json: bool) -> None:
    """List the accounts with their class, normal side and balance now."""
    services = _services()
    with services.work(write=False) as work:
        balances = work.journal.balances(None, region)
    rows = [
        {
            "account": one.account,
            "insurance_type": one.insurance_type,
            "class": str(Account.parse(one.account).kind.account_class),
            "side": str(Account.parse(one.account).normal_side),
            "balance_fen": one.balance_fen,
        }
        for one in balances
    ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not rows:
        click.echo("还没有记过账 / nothing is booked yet")
    for row in rows:
        side = "借 / debit " if row["side"] == "debit" else "贷 / credit"
        click.echo(
            f"{row['account']:<30} {row['insurance_type']}  {row['class']:<10} {side} "
            f"{format_yuan(int(row['balance_fen'])):>20}"
        )


@command.command("entries")
@click.option("--claim", help="申请编号 / a claim's number")
@click.option("--account", help="科目 / an account's code")
@click.option("--from", "starts_on", type=_DAY, help="第一天 / first day")
@click.option("--to", "ends_on", type=_DAY, help="最后一天 / last day")
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True)
@_JSON
def entries_command(
    *,
    claim: str | None,
    account: str | None,
    starts_on: dt.date | None,
    ends_on: dt.date | None,
    limit: int,
    as_json: bool,
) -> None:
    """List entries (凭证) with their transfers: of a claim, of an account, or the newest."""
    if claim and (account or starts_on or ends_on):
        raise click.UsageError("name a claim, or an account and days")
    if account:
        Account.parse(account)
    services = _services()
    with services.work(write=False) as work:
        if claim:
            entries = work.journal.entries_of(work.claims.by_number(claim).id)
        else:
            entries = work.journal.entries(
                starts_on=starts_on, ends_on=ends_on, account=account, limit=limit
            )
    if as_json:
        rows = [_entry_json(one) for one in entries]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not entries:
        click.echo("没有凭证 / no entries")
    for one in entries:
        _tell(one)


def _tell(entry: Entry) -> None:
    said, fund = entry.occasion, entry.occasion.fund
    mark = "  模拟 / simulated" if said.is_simulated else ""
    click.echo(
        f"{entry.id}  {entry.booked_on}  {entry.kind}  {said.source_type} {said.source_id}  "
        f"{fund.region} {fund.insurance_type} {fund.agency_code} {fund.agency_name}  "
        f"{said.recorded_by}{mark}"
    )
    if said.text:
        click.echo(f"    {said.text}")
    for moved in entry.transfers:
        click.echo(
            f"    {format_yuan(moved.amount_fen):>18}  借 / Dr {moved.debit}  "
            f"贷 / Cr {moved.credit}"
        )


def _entry_json(entry: Entry) -> dict[str, Any]:
    said, fund = entry.occasion, entry.occasion.fund
    return {
        "id": entry.id,
        "kind": entry.kind,
        "source_type": said.source_type,
        "source_id": said.source_id,
        "claim_id": said.claim_id,
        "region": fund.region,
        "insurance_type": fund.insurance_type,
        "agency_code": fund.agency_code,
        "booked_at": said.booked_at.isoformat(),
        "booked_on": entry.booked_on.isoformat(),
        "recorded_by": said.recorded_by,
        "simulated": said.is_simulated,
        "text": said.text,
        "transfers": [
            {"debit": one.debit, "credit": one.credit, "amount_fen": one.amount_fen}
            for one in entry.transfers
        ],
    }


@command.command("trial-balance")
@REGION
@click.option("--until", type=_DAY, help="截至哪天 / after which day; default: now")
@_JSON
def trial_balance_command(region: str | None, until: dt.date | None, as_json: bool) -> None:
    """Show the trial balance (试算平衡表); exit status 1 when debits are not credits."""
    services = _services()
    with services.work(write=False) as work:
        balances = work.journal.balances(until, region)
    rows = []
    for one in balances:
        is_debit = (one.balance_fen >= 0) == (Account.parse(one.account).normal_side is Side.DEBIT)
        amount = abs(one.balance_fen)
        rows.append(
            {
                "account": one.account,
                "insurance_type": one.insurance_type,
                "debit_turnover_fen": one.debit_fen,
                "credit_turnover_fen": one.credit_fen,
                "debit_fen": amount if is_debit else 0,
                "credit_fen": 0 if is_debit else amount,
            }
        )
    total = {
        side: sum(int(row[side]) for row in rows)
        for side in ("debit_turnover_fen", "credit_turnover_fen", "debit_fen", "credit_fen")
    }
    is_balanced = total["debit_fen"] == total["credit_fen"]
    if as_json:
        answer = {"rows": rows, "total": total, "balanced": is_balanced}
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        click.echo(f"{'科目 / account':<34}{'借方余额 / debit':>20}{'贷方余额 / credit':>20}")
        for row in rows:
            name = f"{row['account']} {row['insurance_type']}"
            click.echo(
                f"{name:<36}{format_yuan(int(row['debit_fen'])):>20}"
                f"{format_yuan(int(row['credit_fen'])):>20}"
            )
        click.echo(
            f"{'合计 / total':<34}{format_yuan(total['debit_fen']):>20}"
            f"{format_yuan(total['credit_fen']):>20}"
        )
        click.echo("平衡 / balanced" if is_balanced else "不平衡 / NOT balanced")
    if not is_balanced:
        raise click.exceptions.Exit(1)


@command.command("check")
@_JSON
def check_command(as_json: bool) -> None:
    """Check the stored journal by every rule of docs/money.md; exit status 1 with the rows."""
    from backend.service_layer.journal.checking import check_journal

    services = _services()
    with services.work(write=False) as work:
        faults = check_journal(work)
    if as_json:
        rows = [
            {"rule": one.rule, "subject": one.subject, "zh": one.zh, "en": one.en} for one in faults
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        for one in faults:
            click.echo(f"{one.rule}  {one.subject}  {one.zh} / {one.en}")
        if not faults:
            click.echo("账是平的，没有不符 / the journal balances, nothing disagrees")
    if faults:
        raise click.exceptions.Exit(1)
