"""``yichu lead``: leads of supervision from their opening to a closed case, and points.

Who may run it is trusted with the name given; where staff are registered it is that of one of
them. A provider's answer and appeal are taken down by a clerk.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.domain.money import format_yuan
from backend.domain.points import Responsibility
from backend.domain.supervision import (
    FindingOutcome,
    ReviewOutcome,
    Source,
    StepKind,
    SubjectKind,
)
from backend.entrypoints.cli.yuan import Yuan

if TYPE_CHECKING:
    from backend.domain.points import Consequence
    from backend.service_layer.supervision.cases import Act
    from backend.service_layer.supervision.lead_reading import LeadView

_FILE_BYTES_MAX = 8 * 2**20
_BY = click.option("--by", required=True, help="经办人 / who acts")
_REASON = click.option("--reason", required=True, help="理由 / why")
_AMOUNT = click.option("--amount", "amount_fen", type=Yuan(0), help="金额（元）/ in yuan")
_MONEY_NOTE = (
    "追款由系统立账，请看 yichu recovery list / "
    "the recovery is opened by itself: yichu recovery list"
)


@click.group(
    name="lead", help="稽核线索：登记、查证、认定、申诉、了结、记分 / leads of supervision."
)
def command() -> None:
    pass


def _services() -> Any:
    from backend.bootstrap import build_services

    return build_services()


@command.command("open")
@click.option("--source", type=click.Choice([str(one) for one in Source]), required=True)
@click.option("--claim", help="申请编号 / the claim's number")
@click.option("--invoice", help="票据 / the bill's id")
@click.option("--institution", help="机构编码 / the institution's code")
@click.option("--reference", default="", help="规则命中、抽样、举报的编号 / hit, draw or report")
@_BY
@_REASON
def open_command(source: str, reference: str, by: str, reason: str, **named: str | None) -> None:
    """Open a lead about one claim, bill or institution; who opens it cannot find or decide."""
    from backend.service_layer.supervision.lead_records import Subject
    from backend.service_layer.supervision.leads import open_lead

    given = [(name, value) for name, value in named.items() if value is not None]
    if len(given) != 1:
        raise click.UsageError("name one of --claim, --invoice, --institution")
    kind, value = given[0]
    services = _services()
    with services.work() as work:
        if kind == "claim":
            value = work.claims.by_number(value).id
        lead = open_lead(
            services,
            work,
            Source(source),
            Subject(SubjectKind(kind), value),
            reason,
            by=by,
            source_reference=reference,
        )
        work.commit()
    click.echo(lead.id)


@command.command("list")
@click.option("--all", "show_all", is_flag=True, help="已结的也列 / the closed ones too")
def list_command(show_all: bool) -> None:
    """List the open leads, newest first, with the day each waits for."""
    from backend.service_layer.supervision.lead_reading import list_leads

    _echo_rows(list_leads(_services(), show_closed=show_all))


@command.command("overdue")
def overdue_command() -> None:
    """List cases whose day has passed: no answer came, or the review of an appeal is late."""
    from backend.service_layer.supervision.lead_reading import overdue

    services = _services()
    with services.work(write=False) as work:
        rows = overdue(services, work)
    _echo_rows(rows)


def _echo_rows(rows: list[LeadView]) -> None:
    if not rows:
        click.echo("没有线索 / no leads")
    for one in rows:
        click.echo(
            f"{one.lead.id}  {one.state}  {one.lead.source}  {one.lead.institution_code}  "
            f"{_due(one)}"
        )


def _due(one: LeadView) -> str:
    if one.due is None:
        return "-"
    mark = "（预计 / provisional）" if one.is_provisional else ""
    return f"{one.due.isoformat()}{mark}"


@command.command("show")
@click.argument("lead_id")
def show_command(lead_id: str) -> None:
    """Show a case: its state, every step with its person and reason, its evidence."""
    from backend.service_layer.supervision.lead_reading import view

    one = view(_services(), lead_id)
    lead = one.lead
    click.echo(f"{lead.id}  {one.state}  {'生效 / final' if one.is_final else ''}".rstrip())
    click.echo(f"{lead.source}  {lead.source_reference}  {lead.subject_kind} {lead.subject_id}")
    click.echo(f"机构 / institution {lead.institution_code}  期限 / due {_due(one)}")
    if one.amount_fen is not None:
        click.echo(f"金额 / amount {format_yuan(one.amount_fen)}")
    for step in one.steps:
        amount = "" if step.amount_fen is None else f"  {format_yuan(step.amount_fen)}"
        due = "" if step.due_on is None else f"  → {step.due_on.isoformat()}"
        click.echo(
            f"{step.ordinal:2}  {step.on.isoformat()}  {step.kind} {step.outcome}{amount}{due}  "
            f"{step.by}  {step.reason}"
        )
    for item in one.evidence:
        click.echo(
            f"证据 / evidence {item.ordinal}  {item.kind} {item.reference}  "
            f"{item.digest.hex()}  {item.added_by}  {item.description}"
        )


@command.command("evidence")
@click.argument("lead_id")
@click.option("--row", nargs=2, metavar="KIND ID", help="audit_hit | decision | invoice_version")
@click.option("--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--description", required=True, help="说明什么 / what it shows")
@_BY
def evidence_command(
    lead_id: str, row: tuple[str, str] | None, path: Path | None, description: str, by: str
) -> None:
    """Add a stored row or a file (picture, PDF) with its SHA-256; nothing is taken out again."""
    from backend.service_layer.supervision.leads import add_file, add_row

    if (row is None) == (path is None):
        raise click.UsageError("give --row KIND ID, or --file PATH")
    if row is not None:
        added = add_row(_services(), lead_id, row[0], row[1], description, by=by)
    else:
        assert path is not None, "checked above"
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise click.UsageError(f"a file has at most {_FILE_BYTES_MAX} bytes")
        added = add_file(_services(), lead_id, path.read_bytes(), description, by=by)
    click.echo(f"{added.ordinal}  {added.digest.hex()}")


def _take(lead_id: str, act: Act) -> None:
    from backend.service_layer.supervision.cases import take_step
    from backend.service_layer.supervision.lead_reading import view

    services = _services()
    take_step(services, lead_id, act)
    one = view(services, lead_id)
    click.echo(f"{one.state}  {_due(one)}")
    if act.kind is StepKind.ORDERED:
        click.echo(f"{format_yuan(one.amount_fen or 0)}  {_MONEY_NOTE}")


def _plain_step(name: str, kind: StepKind, help_text: str) -> None:
    @command.command(name, help=help_text)
    @click.argument("lead_id")
    @_BY
    @_REASON
    def step(lead_id: str, by: str, reason: str) -> None:
        from backend.service_layer.supervision.cases import Act

        _take(lead_id, Act(kind, by, reason))


_plain_step(
    "dismiss", StepKind.DISMISSED, "Close a lead that nothing speaks for, before anybody is asked."
)
_plain_step(
    "ask", StepKind.ASKED, "Ask the provider; the reason is the question, the day is shown."
)
_plain_step("answer", StepKind.ANSWERED, "Take down the provider's answer.")
_plain_step("appeal", StepKind.APPEALED, "Take down the provider's appeal, up to its last day.")
_plain_step(
    "expert-ask", StepKind.EXPERT_ASKED, "Ask experts; the clock of the review stands still."
)
_plain_step(
    "expert-answer", StepKind.EXPERT_ANSWERED, "Take down the experts' opinion; the clock goes on."
)
_plain_step("order", StepKind.ORDERED, "Order recovery of what the final finding stands at.")
_plain_step("refer", StepKind.REFERRED, "Refer the final finding to another authority.")
_plain_step(
    "set-aside",
    StepKind.SET_ASIDE,
    "Record that the department or a court set a final finding aside; its points go.",
)


@command.command("find")
@click.argument("lead_id")
@click.option("--outcome", type=click.Choice([str(one) for one in FindingOutcome]), required=True)
@_AMOUNT
@_BY
@_REASON
def find_command(lead_id: str, outcome: str, amount_fen: int | None, by: str, reason: str) -> None:
    """Make the finding, after the provider answered or its time has passed."""
    from backend.service_layer.supervision.cases import Act

    _take(lead_id, Act(StepKind.FOUND, by, reason, outcome, amount_fen))


@command.command("review")
@click.argument("lead_id")
@click.option("--outcome", type=click.Choice([str(one) for one in ReviewOutcome]), required=True)
@_AMOUNT
@_BY
@_REASON
def review_command(
    lead_id: str, outcome: str, amount_fen: int | None, by: str, reason: str
) -> None:
    """Decide the provider's appeal; another person than who reported or found."""
    from backend.service_layer.supervision.cases import Act

    _take(lead_id, Act(StepKind.REVIEWED, by, reason, outcome, amount_fen))


@command.command("export")
def export_command() -> None:
    """Print the final findings as JSON, without patients, claims and free text."""
    from backend.service_layer.supervision.lead_reading import export_findings

    click.echo(json.dumps(export_findings(_services()), ensure_ascii=False, indent=1))


@command.group(help="记分：入账、修复、查询、导出 / the 12-point record.")
def points() -> None:
    pass


def _scale(services: Any) -> Any:
    from backend.domain.errors import NotFoundError
    from backend.service_layer.review.clocks import today

    found = services.point_scale(today(services))
    if found is None:
        raise NotFoundError("今天没有有效的记分标准", "no scale of points is valid today")
    return found


@points.command("book")
@click.argument("lead_id")
@click.option("--person", required=True, help="人员医保编码，不写姓名 / the person's code, no name")
@click.option("--act", required=True, help="细则中的行为 / the published act")
@click.option("--band", required=True, help="1-3 | 4-6 | 7-9 | 10-12")
@click.option(
    "--responsibility", type=click.Choice([str(one) for one in Responsibility]), required=True
)
@click.option("--points", "count", type=int, required=True)
@_BY
@_REASON
def book_command(lead_id: str, count: int, responsibility: str, by: str, **entry: str) -> None:
    """Book points of a responsible person from a final finding."""
    from backend.service_layer.supervision.points import NewPoints, book_points

    services = _services()
    new = NewPoints(
        entry["person"],
        entry["act"],
        entry["band"],
        Responsibility(responsibility),
        count,
        entry["reason"],
    )
    click.echo(book_points(services, lead_id, new, _scale(services), by=by).id)


@points.command("repair")
@click.argument("booking_id")
@click.option("--points", "count", type=int, required=True)
@_BY
@_REASON
def repair_command(booking_id: str, count: int, by: str, reason: str) -> None:
    """Take points off for repair, by another person than the one who booked them."""
    from backend.service_layer.supervision.points import repair_points

    repair_points(_services(), booking_id, count, reason, by=by)
    click.echo("已减分 / taken off")


@points.command("show")
@click.argument("person")
@click.option("--year", type=click.IntRange(2000, 2100), help="默认今年 / default this year")
def show_points_command(person: str, year: int | None) -> None:
    """Show a person's points of a calendar year and what they propose."""
    from backend.service_layer.review.clocks import today
    from backend.service_layer.supervision.points import standing

    services = _services()
    rows, proposal = standing(services, person, _scale(services)[0], year or today(services).year)
    for one in rows:
        click.echo(
            f"{one.id}  {one.booked_on.isoformat()}  {one.band} {one.responsibility}  "
            f"{one.points} → {one.left}  {one.lead_id}"
        )
    click.echo(f"{proposal.year}: {proposal.total}")
    click.echo(f"累计 / accumulated: {_consequence(proposal.accumulated)}")
    click.echo(f"一次 / at once: {_consequence(proposal.at_once)}")
    click.echo("仅为建议，由人决定 / proposed only; a person decides")


def _consequence(one: Consequence | None) -> str:
    if one is None:
        return "无 / none"
    names = {"talk": "约谈、通报 / talk", "suspend": "暂停 / suspend", "end": "终止 / end"}
    return f"{names[one.code]}" + (f" {one.months} 个月 / months" if one.months else "")


@points.command("export")
@click.option("--year", type=click.IntRange(2000, 2100), required=True)
def export_points_command(year: int) -> None:
    """Print a year's bookings as JSON: persons by code, nothing about patients."""
    from backend.service_layer.supervision.points import export_points

    click.echo(json.dumps(export_points(_services(), year), ensure_ascii=False, indent=1))
