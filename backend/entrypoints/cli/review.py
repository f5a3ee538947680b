"""``yichu review``: cases of review at the command line, by the same use cases as the staff API.

Whoever may run it is trusted with the name that they give; where staff are registered it is that
of one of them. Names of patients and hospitals stay hidden in blind steps here, too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from backend.domain.money import format_yuan
from backend.entrypoints.cli.claim_versions import echo_history
from backend.entrypoints.cli.review_reopen import reopen_command
from backend.entrypoints.cli.review_rulings import (
    RULINGS_FILE,
    preview_command,
    read_rulings_file,
    resolve_command,
)

if TYPE_CHECKING:
    from pathlib import Path

    from backend.service_layer.review.records import Case, Staff

_REVIEWER = click.option("--reviewer", required=True, help="复核人用户名或姓名 / who reviews")
_REASON = click.option("--reason", required=True, help="理由 / reason")


@click.group(name="review", help="审核案件：列出、查看、分派、批准、不批准 / review cases.")
def command() -> None:
    pass


def _operator() -> Staff:
    """Who looks at the command line: sees every case, holds no step."""
    from backend.domain.pend_reasons import SUPERVISOR
    from backend.service_layer.review.records import Staff

    return Staff("cli", "cli", "命令行", SUPERVISOR, (), None, None, True, False)


def _person(services: Any, name: str) -> Staff:
    from backend.domain.errors import NotFoundError

    with services.work(write=False) as work:
        known: list[Staff] = work.staff.find(name)
    if len(known) != 1:
        raise NotFoundError(
            f"没有唯一的工作人员“{name}”", f"there is no one member of staff called {name}"
        )
    return known[0]


def _case(work: Any, number: str) -> Case:
    """The live case of a claim, else its newest."""
    from backend.domain.errors import NotFoundError

    claim = work.claims.by_number(number)
    cases: list[Case] = work.reviews.live_cases_of(claim.id) or work.reviews.cases_of(claim.id)
    if not cases:
        raise NotFoundError(f"{number} 没有审核案件", f"{number} has no review case")
    return cases[-1]


@command.command("list")
def list_command() -> None:
    """List the claims that wait for a person, with every reason."""
    from backend.bootstrap import build_services
    from backend.service_layer.handling.review import list_pended

    rows = list_pended(build_services())
    if not rows:
        click.echo("没有待核对的申请 / nothing waits for a person")
    for claim, reasons in rows:
        click.echo(f"{claim.number}  {claim.state}  {claim.service_on.isoformat()}")
        for reason in reasons:
            where = "" if reason.line_index is None else f" 第 {reason.line_index} 行"
            again = "，可再提出" if reason.reattach else ""
            click.echo(
                f"    [{reason.code}]{where} 优先级 {reason.priority}，队列 {reason.queue}，"
                f"{reason.role}{again}：{reason.zh} / {reason.en}"
            )


@command.command("show")
@click.argument("number")
@click.option("--json", "as_json", is_flag=True, help="全部内容 / the whole view as JSON")
def show_command(number: str, as_json: bool) -> None:
    """Show the case of one claim: steps, reasons, findings, draws, what it comes to."""
    from backend.bootstrap import build_services
    from backend.service_layer.claims.causes import cause_view
    from backend.service_layer.review.read import case_view

    services = build_services()
    with services.work(write=False) as work:
        claim = work.claims.by_number(number)
        stages = work.claims.stages_of(claim.id)
        cases = work.reviews.cases_of(claim.id)
        view = case_view(services, work, _case(work, number), _operator()) if cases else None
        draws = work.reviews.draws_of(_case(work, number).id) if cases else []
        pends = [] if cases else work.claims.pends_of(claim.id)
        calculation = None if cases else work.decisions.latest_calculation(claim.id)
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=1))
        return
    click.echo(f"{claim.number}  状态 {claim.state}  付款方 {claim.payer_number}")
    why = cause_view(claim)
    if why is not None:
        click.echo(f"  手工原因 {why['zh']} / {why['en']} [{why['code']}]：{why['basis']['zh']}")
    for row in stages:
        click.echo(f"  {row.finished_at.isoformat()} {row.stage} #{row.attempt} {row.outcome}")
    for pend in pends:
        click.echo(f"    [{pend.code}] {pend.zh} / {pend.en}")
    if calculation is not None:
        click.echo(f"  测算 {format_yuan(calculation.paid_fen)} 元 / works out at")
    if view is not None:
        _echo_case(view)
        for drawn in draws:
            click.echo(
                f"  抽取 {drawn.step} {drawn.cause} seed {drawn.seed.hex()} "
                f"candidates {json.dumps(drawn.candidates)} -> {drawn.chosen_id}"
            )
    with services.work(write=False) as work:
        echo_history(work, claim.id)


def _echo_case(view: dict[str, Any]) -> None:
    step = view["step"]
    click.echo(
        f"  案件 {view['number']}  {view['kind']}  风险 {view['risk']}  {view['state']}  "
        f"队列 {view['queue']['zh']}  环节 {step['zh']}  承诺 {view['due_on']}"
    )
    for reason in view["reasons"]:
        click.echo(f"    [{reason['code']}] {reason['zh']} / {reason['en']}")
    for found in view["findings"]:
        click.echo(f"    {found['step']['zh']} {found['outcome']}：{found['reason']}")
    for asked in view["material"]:
        click.echo(f"    补充材料 {asked['ordinal']} {asked['needed_zh']} -> {asked['outcome']}")
    paid = view["explanation"].get("paid_fen")
    if paid is not None:
        click.echo(f"  测算 {format_yuan(paid)} 元 / works out at")


def _say(case: Case, number: str) -> None:
    from backend.domain.review import Outcome

    if not case.is_closed:
        click.echo(f"本环节已记录，还要下一个人办理 {number} / recorded; another person is next")
        return
    if case.outcome == Outcome.APPROVE:
        click.echo(f"已批准 {number}，将按政策核定 / approved, decided by the policy next")
    else:
        click.echo(f"已不批准 {number} / refused")


@command.command("approve")
@click.argument("number")
@_REVIEWER
@_REASON
@click.option("--rulings", type=RULINGS_FILE, help="逐行裁定；不写按已提出的 / rulings on lines")
def approve_command(number: str, reviewer: str, reason: str, rulings: Path | None) -> None:
    """Approve in the open step: the claim goes on by the policy, or the next person is asked."""
    from backend.bootstrap import build_services
    from backend.service_layer.handling.review import approve_pended

    ruled = None if rulings is None else read_rulings_file(rulings)
    _say(approve_pended(build_services(), number, reviewer, reason, ruled), number)


@command.command("refuse")
@click.argument("number")
@_REVIEWER
@_REASON
def refuse_command(number: str, reviewer: str, reason: str) -> None:
    """Refuse in the open step. Decided so, nothing is paid and the ledger has the refusal."""
    from backend.bootstrap import build_services
    from backend.service_layer.handling.review import refuse_pended

    _say(refuse_pended(build_services(), number, reviewer, reason), number)


@command.command("assign")
@click.argument("number")
def assign_command(number: str) -> None:
    """Draw a person for the open step; nobody chooses whom."""
    from backend.bootstrap import build_services
    from backend.service_layer.review.assignment import assign, current_step
    from backend.service_layer.review.decide import display_name, lock_case
    from backend.service_layer.review.sweep import open_missing_cases

    services = build_services()
    open_missing_cases(services)
    with services.work() as work:
        case, _ = lock_case(work, _case(work, number).id)
        step = current_step(work, case)
        drawn = None if step.holder_id else assign(services, work, case, "opened")
        holder = step.holder_id or (drawn.chosen_id if drawn else "")
        name = display_name(work, holder) if holder else ""
        work.commit()
    click.echo(f"{number} {step.step} -> {name or '没有合适的人 / nobody is fit'}")


@command.command("next")
@_REVIEWER
@click.option("--key", required=True, help="这次领取的标记，重发不会再领 / idempotency key")
def next_command(reviewer: str, key: str) -> None:
    """Get the next case, drawn by the system."""
    from backend.bootstrap import build_services
    from backend.service_layer.review.assignment import next_for

    services = build_services()
    found = next_for(services, _person(services, reviewer), key)
    click.echo("没有待办案件 / nothing to do" if found is None else found.claim_number)


@command.command("decline")
@click.argument("number")
@_REVIEWER
@_REASON
def decline_command(number: str, reviewer: str, reason: str) -> None:
    """Give a step back with a reason; somebody else is drawn."""
    from backend.bootstrap import build_services
    from backend.service_layer.review.assignment import decline

    services = build_services()
    with services.work(write=False) as work:
        case = _case(work, number)
    drawn = decline(services, case.id, _person(services, reviewer).id, reason)
    click.echo("已退回 / given back" if drawn is None else "已改派 / given to somebody else")


@command.command("ask")
@click.argument("number")
@_REVIEWER
@click.option("--zh", required=True, help="需要什么（中文）/ what is needed, in Chinese")
@click.option("--en", required=True, help="需要什么（英文）/ what is needed, in English")
def ask_command(number: str, reviewer: str, zh: str, en: str) -> None:
    """Ask the citizen for material, at most twice a case."""
    from backend.bootstrap import build_services
    from backend.service_layer.review.material import ask

    services = build_services()
    with services.work(write=False) as work:
        case = _case(work, number)
    asked = ask(services, case.id, _person(services, reviewer).id, zh, en)
    click.echo(f"第 {asked.ordinal} 次要求，最迟 {asked.due_on.isoformat()} / asked")


@command.command("away")
@_REVIEWER
@click.option("--days", type=click.IntRange(0, 365), required=True, help="天数，0 为返岗 / days")
def away_command(reviewer: str, days: int) -> None:
    """Say for how many days a person is away; their steps are drawn anew."""
    import datetime as dt

    from backend.bootstrap import build_services
    from backend.service_layer.review.assignment import set_away

    services = build_services()
    until = services.clock.now() + dt.timedelta(days=days) if days else None
    moved = set_away(services, _person(services, reviewer).id, until)
    click.echo(f"改派 {moved} 个环节 / {moved} steps drawn anew")


@command.command("overdue")
def overdue_command() -> None:
    """List what is late, by stage."""
    from backend.bootstrap import build_services
    from backend.service_layer.review.overdue import overdue

    found = overdue(build_services(), _operator())
    stages = {**found["steps"], "承诺/promise": found["promise"], "法定/legal": found["legal"]}
    if not any(stages.values()):
        click.echo("没有超期 / nothing is late")
    for stage, rows in stages.items():
        for row in rows:
            click.echo(
                f"{stage}  {row['number']}  {row['step']['zh']}  承诺/promise {row['due_on']}  "
                f"法定/legal {row['legal_limit_on']}"
            )
    for row in found["waiting"]:
        late = "  已过法定期限 / past the legal limit" if row["is_past_legal_limit"] else ""
        click.echo(
            f"等申请人/waiting  {row['claim_number']}  {row['waits_for']['zh']}  "
            f"停/stopped {row['waited_working_days']}  承诺/promise {row['due_on']}  "
            f"法定/legal {row['legal_limit_on']}{late}"
        )


@command.command("statistics")
def statistics_command() -> None:
    """Cases by state and outcome, steps by person."""
    from backend.bootstrap import build_services
    from backend.service_layer.review.read import statistics

    found = statistics(build_services(), _operator())
    click.echo(json.dumps(found, ensure_ascii=False, indent=1))


command.add_command(reopen_command)
command.add_command(preview_command)
command.add_command(resolve_command)


@command.command("staff")
def staff_command() -> None:
    """List the registered staff with role, skills and hospital."""
    from backend.bootstrap import build_services

    with build_services().work(write=False) as work:
        for person in work.staff.all():
            away = f"  休假至 {person.away_until.isoformat()}" if person.away_until else ""
            here = "" if person.is_active else "  已停用 / inactive"
            click.echo(
                f"{person.username}  {person.name}  {person.role}  {','.join(person.queues)}  "
                f"{person.hospital_code or '-'}{away}{here}"
            )


@command.command("add-staff")
@click.argument("username")
@click.option("--name", required=True, help="姓名 / name")
@click.option(
    "--role",
    type=click.Choice(["reviewer", "supervisor", "inspector", "clerk"]),
    default="reviewer",
)
@click.option("--queue", "queues", multiple=True, help="技能（队列），可多次 / skill, repeatable")
@click.option(
    "--hospital", help="所在医院代码，其票据回避 / own hospital, whose bills are kept away"
)
@click.password_option(help="登录密码，至少 8 位 / password, 8 characters or more")
def add_staff_command(  # noqa: PLR0917 - the columns of one member of staff
    username: str,
    name: str,
    role: str,
    queues: tuple[str, ...],
    hospital: str | None,
    password: str,
) -> None:
    """Register a member of staff with a login."""
    from backend.adapters.passwords import hash_password
    from backend.bootstrap import build_services
    from backend.service_layer.review.staff_register import (
        PASSWORD_MIN,
        BadStaffError,
        NewStaff,
        add_staff,
    )

    if len(password) < PASSWORD_MIN:
        raise BadStaffError("密码至少 8 位", "a password has 8 characters or more")
    entry = NewStaff(username, name, role, queues, hospital)
    person = add_staff(build_services(), entry, hash_password(password))
    click.echo(f"已登记 {person.username} / registered")


@command.command("remove-staff")
@_REVIEWER
def remove_staff_command(reviewer: str) -> None:
    """End a member's access; their steps are drawn anew. What they did stays."""
    from backend.bootstrap import build_services
    from backend.service_layer.review.staff_register import remove_staff

    services = build_services()
    moved = remove_staff(services, _person(services, reviewer).id)
    click.echo(f"已停用，改派 {moved} 个环节 / ended, {moved} steps drawn anew")
