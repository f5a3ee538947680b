"""``yichu clearing``: a year worked out again, its differences, the statement per hospital."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import click

from backend.domain.clearing import HospitalYear, ManualClaim
from backend.domain.journal import LayerAmounts
from backend.domain.money import format_yuan

if TYPE_CHECKING:
    from backend.service_layer.clearing.desk import Shown
    from backend.service_layer.clearing.records import Item
    from backend.service_layer.clearing.run import Figures, Found

_YEAR = click.option("--year", type=int, required=True, help="年度 / the benefit year")
_BY = click.option("--by", required=True, help="经办人 / who acts")
_JSON = click.option("--json", "as_json", is_flag=True)


@click.group(name="clearing", help="年度清算：运行、确认、对账单 / yearly clearing.")
def command() -> None:
    pass


def _services() -> Any:
    from backend.bootstrap import build_services

    return build_services()


@command.command("run")
@_YEAR
@click.option("--by", default="", help="清算人（--trial 不需要）/ who clears; not for --trial")
@click.option("--trial", is_flag=True, help="只试算，不写任何东西 / only print what differs")
@click.option("--year-open", is_flag=True, help="年度还没有过完也清算 / though the year goes on")
@_JSON
def run(*, year: int, by: str, trial: bool, year_open: bool, as_json: bool) -> None:
    """Work out the year of everybody and book what differs; cut off, it goes on when called again.

    More is paid by a further decision (above the limit as soon as its people approve); less is
    proposed, and two people confirm it. Nothing else is booked.
    """
    from backend.service_layer.clearing.run import run_year, try_year

    if not trial and not by.strip():
        raise click.UsageError("请写明 --by，或只试算 --trial / give --by, or --trial")
    services = _services()

    def tell(found: Found) -> None:
        _tell(found, as_json=as_json)

    if trial:
        figures = try_year(services, year, tell)
        _total({"trial": True, "year": year}, figures, as_json=as_json)
        return
    done, figures = run_year(services, year, by=by, may_be_open=year_open, report=tell)
    _total({"run": done.id, "year": year, "ordinal": done.ordinal}, figures, as_json=as_json)


def _tell(found: Found, *, as_json: bool) -> None:
    if as_json:
        _line(
            {
                "claim_number": found.claim_number,
                "finding": str(found.finding),
                "order": str(found.basis),
                "before_fen": found.before_fen,
                "after_fen": found.after_fen,
                "outcome": found.outcome,
                "is_new": found.is_new,
            }
        )
        return
    what = found.outcome if found.is_new else "上次已有 / known"
    click.echo(
        f"{found.claim_number}  {found.finding}  {format_yuan(found.before_fen)} -> "
        f"{format_yuan(found.after_fen)}  {what}"
    )


def _total(head: dict[str, Any], figures: Figures, *, as_json: bool) -> None:
    record = {**head, **figures.to_record()}
    if as_json:
        _line(record)
        return
    people = "、".join(f"{what} {count}" for what, count in sorted(figures.people.items()))
    click.echo(
        f"{head.get('run', '试算 / trial')}  {head['year']}\n"
        f"人 / people: {people or 0}  申请 / claims: {figures.claims}\n"
        f"应补付 / to be paid in addition: {format_yuan(figures.more_fen)}  "
        f"应追回 / to be asked back: {format_yuan(figures.less_fen)}  "
        f"上次已有 / known: {figures.known}  "
        f"等待 / waiting: {figures.waiting}"
    )


@command.command("list")
@click.option("--year", type=int)
@click.option("--open", "is_open", is_flag=True, help="待确认的追回 / proposals that wait")
def list_runs(year: int | None, *, is_open: bool) -> None:
    """The runs, the newest first; or what two people have still to confirm."""
    from backend.service_layer.clearing.desk import each_waiting

    services = _services()
    with services.work(write=False) as work:
        if is_open:
            each_waiting(work, lambda one: _tell_waiting(one, year))
            return
        for one in work.clearings.runs(year):
            ended = f"{one.ended_at:%Y-%m-%d %H:%M}" if one.ended_at else "未完成 / not finished"
            people = work.clearings.people_of(one.id)
            counts = "  ".join(f"{what} {many}" for what, (many, _) in sorted(people.items()))
            mark = "（年度未完 / year open）" if one.is_year_open else ""
            click.echo(f"{one.id}  {one.year} #{one.ordinal}{mark}  {ended}  {counts}")


def _tell_waiting(one: Shown, year: int | None) -> None:
    if one.order is None or year not in (None, one.item.year):
        return
    click.echo(
        f"{one.item.id}  {_amounts(one.item)}  {one.order.order.id}  "
        f"确认 / confirmed: {len(one.order.approvals)}/2"
    )


def _amounts(item: Item) -> str:
    return (
        f"{item.claim_number} v{item.decision_version}  {item.finding}  "
        f"{format_yuan(item.before_fen)} -> {format_yuan(item.after_fen)}"
    )


@command.command("show")
@click.argument("run_id")
def show(run_id: str) -> None:
    """The differences that a run found first, and the people that it left for a later one."""
    from backend.service_layer.clearing.desk import order_of

    services = _services()
    with services.work(write=False) as work:
        found = work.clearings.get_run(run_id)
        if found is None:
            raise click.ClickException("没有这次清算 / there is no such run")
        click.echo(f"{found.id}  {found.year} #{found.ordinal}  {found.started_by}")
        for item in work.clearings.items_of(run_id):
            state = item.outcome
            if item.outcome == "proposed":
                order = order_of(work, item)
                state = f"{order.state}  {order.order.id}"
            click.echo(f"{item.id}  {_amounts(item)}  [{item.basis}]  {state}")
        for one in work.clearings.left(run_id):
            click.echo(f"{one.person_id}  {one.outcome}  {one.detail}")


@command.command("confirm")
@click.argument("item_id")
@_BY
@click.option("--reason", required=True, help="理由 / what was checked")
@click.option("--decline", is_flag=True, help="不追回 / do not ask it back")
def confirm_item(item_id: str, by: str, reason: str, *, decline: bool) -> None:
    """One of two people confirms that money is asked back; with the second it is owed."""
    from backend.service_layer.clearing import confirm

    act = confirm.decline if decline else confirm.confirm
    found = act(_services(), item_id, by, reason)
    click.echo(
        f"{found.order.id}  {found.state}  {format_yuan(found.order.amount_fen)}  "
        f"确认 / confirmed: {len(found.approvals)}/2"
    )


@command.command("statement")
@_YEAR
@click.option("--hospital", help="机构编码，默认全部 / the institution's code; default: all")
@click.option("--claims", "with_claims", is_flag=True, help="逐笔列出 / a row a claim")
@click.option("--csv", "as_csv", is_flag=True)
@_JSON
def statement(
    *, year: int, hospital: str | None, with_claims: bool, as_csv: bool, as_json: bool
) -> None:
    """What a year was for each hospital: its manual claims, and apart what it settled itself.

    Exit status 1 when a claim's journal is not what its decision and orders say.
    """
    from backend.service_layer.clearing.statement import yearly_statement

    if as_csv and as_json:
        raise click.UsageError("--csv 或 --json / one of --csv and --json")
    claims: list[ManualClaim] = []
    keep = claims.append if with_claims else _ignore
    found = yearly_statement(_services(), year, hospital, keep)
    if as_json:
        record = {"format": "yichu-clearing-1", "year": year}
        hospitals = [one.to_record() for one in found]
        listed = {"claims": [_claim_record(one) for one in claims]} if with_claims else {}
        _line({**record, "hospitals": hospitals, **listed})
    elif as_csv:
        records = [_claim_record(one) for one in claims] if with_claims else _flat(found)
        click.echo(_csv(records), nl=False)
    else:
        for one in found:
            _print_hospital(one, year)
        for claim in claims:
            click.echo(
                f"  {claim.number}  {format_yuan(claim.total_fen)}  {format_yuan(claim.borne_fen)}"
            )
    raise SystemExit(1 if any(one.untied for one in found) else 0)


def _ignore(claim: ManualClaim) -> None:
    """Memory holds no claim unless they are asked for."""


def _claim_record(claim: ManualClaim) -> dict[str, Any]:
    layers = LayerAmounts().items()
    return {
        "hospital_code": claim.hospital_code,
        "claim_number": claim.number,
        "total_fen": claim.total_fen,
        "in_scope_fen": claim.in_scope_fen,
        **{
            f"{str(layer).replace('-', '_')}_fen": claim.borne.get(str(layer), 0)
            for layer, _ in layers
        },
        "paid_fen": claim.borne_fen,
        "is_booked": claim.is_booked,
    }


def _flat(found: list[HospitalYear]) -> list[dict[str, Any]]:
    return [{**one.to_record(), "untied_claims": " ".join(one.untied)} for one in found]


def _csv(records: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    if records:
        writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    return out.getvalue()


def _print_hospital(one: HospitalYear, year: int) -> None:
    click.echo(f"{one.hospital_code}  {year}")
    click.echo(
        f"  手工报销 / manual claims: {one.claims}  总额 / total: {format_yuan(one.total_fen)}  "
        f"范围内 / in scope: {format_yuan(one.in_scope_fen)}"
    )
    for layer, amount in sorted(one.layers.items()):
        click.echo(f"    {layer}: {format_yuan(amount)}")
    click.echo(
        f"    合计 / paid: {format_yuan(one.paid_fen)}  "
        f"在途 / on the way: {format_yuan(one.on_the_way_fen)}"
    )
    click.echo(
        f"  直接结算 / settled at the counter: {one.settled_bills}  "
        f"总额 / total: {format_yuan(one.settled_total_fen)}  "
        f"基金 / fund: {format_yuan(one.settled_fund_fen)}"
    )
    for number in one.untied:
        click.echo(f"  账不符 / does not tie: {number}")


def _line(record: dict[str, Any]) -> None:
    click.echo(json.dumps(record, ensure_ascii=False))
