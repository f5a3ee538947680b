"""``yichu policy shadow``: a pack over past decided claims, without any effect."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import click

from backend.adapters.policy_packs import load_pack
from backend.domain.money import format_yuan
from backend.entrypoints.cli.policy_argument import PACK
from backend.service_layer.policies.comparison import ClaimComparison, ReasonAmount, ShadowTotals

_HISTORY = "stored-with-recomputed-entries"
_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command()
@click.argument("pack", type=PACK)
@click.option("--from", "first", type=_DAY, help="First day of service; by default PACK's first.")
@click.option("--to", "last", type=_DAY, help="Last day of service; by default PACK's last.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines: head, each difference, totals.")
def shadow(
    pack: Path, *, first: dt.datetime | None, last: dt.datetime | None, as_json: bool
) -> None:
    """Run PACK over past decided claims: every difference, by bill and by line.

    Nothing is written, lodged or paid. Each claim is worked out from its stored person snapshot;
    its history is the stored one, with the entries of claims that this run works out anew replaced
    by what PACK gives. Exit status: 0 no difference, 1 at least one (or the run failed, with a
    message), 2 wrong usage.
    """
    from backend.bootstrap import build_services
    from backend.service_layer.policies.shadow import shadow_run

    loaded = load_pack(pack)
    days = (
        first.date() if first else loaded.effective_from,
        last.date() if last else loaded.effective_to,
    )
    if days[1] < days[0]:
        raise click.UsageError("--to 早于 --from / --to is before --from")
    head = {
        "format": "yichu-shadow-1",
        "pack_id": loaded.pack_id,
        "policy_hash": loaded.policy_hash.hex(),
        "from": days[0].isoformat(),
        "to": days[1].isoformat(),
        "history": _HISTORY,
    }
    if as_json:
        _line(head)
    else:
        click.echo(f"影子运行 / shadow run: {loaded.pack_id} {loaded.policy_hash.hex()}")
        click.echo(f"就诊日期 / days of service: {days[0]} .. {days[1]}")
        click.echo(
            "人员快照：决定时保存的；年度累计：决定时保存的，本次重算的申请换成新结果 / "
            "person: as stored with the decision; history: as stored, entries of claims that are "
            "worked out here replaced by the new result"
        )
    totals = shadow_run(
        build_services(), loaded, *days, lambda found: _report(found, as_json=as_json)
    )
    if as_json:
        _line({"totals": totals.to_record()})
    else:
        _print_totals(totals)
    raise SystemExit(1 if totals.has_differences else 0)


def _line(record: dict[str, Any]) -> None:
    click.echo(json.dumps(record, ensure_ascii=False))


def _report(found: ClaimComparison, *, as_json: bool) -> None:
    if as_json:
        _line(found.to_record())
        return
    new = "-" if found.new_paid_fen is None else format_yuan(found.new_paid_fen)
    click.echo(
        f"{found.claim_number} v{found.decision_version}  {found.service_on}  {found.finding}  "
        f"{format_yuan(found.old_paid_fen)} -> {new}"
    )
    if found.reason[0]:
        click.echo(f"    {found.reason[0]} / {found.reason[1]}")
    if found.pends:
        click.echo(f"    转人工 / to a person: {', '.join(found.pends)}")
    for line in found.lines:
        click.echo(
            f"    第 {line.index + 1} 行 {line.name}  "
            f"{format_yuan(line.old_paid_fen)} -> {format_yuan(line.new_paid_fen)}"
        )
        _print_reasons("原 / old", line.old)
        _print_reasons("新 / new", line.new)


def _print_reasons(label: str, reasons: tuple[ReasonAmount, ...]) -> None:
    for reason in reasons:
        amount = format_yuan(reason.amount_fen)
        click.echo(f"        {label} [{reason.code}] {amount}  {reason.zh} / {reason.en}")


def _print_totals(totals: ShadowTotals) -> None:
    click.echo("合计 / totals")
    for finding, number in totals.claims.items():
        click.echo(f"    {finding}: {number}")
    click.echo(f"    付得多 / new pays more: {format_yuan(totals.higher_fen)}")
    click.echo(f"    付得少 / new pays less: {format_yuan(totals.lower_fen)}")
    click.echo(
        f"    原付 / old: {format_yuan(totals.old_paid_fen)}  "
        f"新付 / new: {format_yuan(totals.new_paid_fen)}"
    )
    click.echo(f"    转人工 / to a person: {totals.to_a_person}")
