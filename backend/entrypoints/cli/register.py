"""``yichu register``: what the (simulated) insurance register knows of a person."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click

from backend.domain.money import format_yuan

SIMULATED_NOTE = (
    "模拟的参保登记，不是医保经办系统的数据 / "
    "a simulated register, not the insurance core system's data"
)
_EFFECTS = {
    "recalculated": "重新测算 / worked out again",
    "new-version": "新的决定版本 / a new decision version",
    "for-a-person": "应减少，由人处理 / less: a case for a person",
    "came-back": "原申请号重新办理 / comes back under its number",
    "waits-for-bill": "票据在另一笔申请中，等其放开 / waits for its bill",
    "no-rule": "政策没有规则，转人工 / no rule in the policy, a person looks",
    "failed": "存储内容无法读取，已报警 / stored content unreadable, alarm raised",
    "unchanged": "金额不变 / same amount",
}


class Day(click.ParamType[dt.date]):
    """A day written YYYY-MM-DD."""

    name = "day"

    def convert(self, value: Any, param: Any, ctx: Any) -> dt.date:
        if isinstance(value, dt.date):
            return value
        try:
            return dt.date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value} 不是 YYYY-MM-DD / is no day", param, ctx)


_DAY = Day()


def _signed(command_function: Any) -> Any:
    """The options of every command that records something."""
    for option in (
        click.option("--reason", required=True, help="理由 / why"),
        click.option("--by", required=True, help="登记人 / who records it"),
        click.option("--to", "ends_on", type=_DAY, help="最后一天 / last day; none: open"),
        click.option("--from", "starts_on", type=_DAY, required=True, help="第一天 / first day"),
    ):
        command_function = option(command_function)
    return command_function


@click.group(name="register", help="参保登记（模拟）/ the simulated insurance register.")
def command() -> None:
    pass


@command.command("show")
@click.argument("person")
@click.option("--known-at", help="当时已知的（ISO 时间）/ as known at that instant (ISO 8601)")
@click.option("--history", "all_facts", is_flag=True, help="包括已更正的 / corrected ones too")
def show_command(person: str, known_at: str | None, all_facts: bool) -> None:
    """Show the facts of PERSON (a login name such as citizen01, or a person id)."""
    from backend.bootstrap import build_services
    from backend.domain.register import known_facts

    services = build_services()
    instant = _instant(known_at)
    with services.work(write=False) as work:
        person_id = find_person(work, person)
        recorded = work.register.facts_of(person_id)
    standing = known_facts(recorded, instant)
    click.echo(f"{person_id}  {SIMULATED_NOTE}")
    for fact in recorded if all_facts else standing:
        mark = "" if fact in standing else "  （已更正 / corrected）"
        filed = f" 备案于 {fact.filed_on}" if fact.filed_on else ""
        last = fact.valid_to or "…"
        click.echo(
            f"{fact.id}  {fact.kind} {fact.code} {fact.detail}  {fact.valid_from}..{last}{filed}"
            f"  [{fact.recorded_at:%Y-%m-%d %H:%M}Z {fact.recorded_by}: {fact.reason}]{mark}"
        )


@command.command("file-remote")
@click.argument("person")
@click.option(
    "--status", required=True, help="政策里的异地就医状态 / a remote status of the policy"
)
@click.option("--area", required=True, help="就医地区划代码 2、4、6 位 / area code")
@click.option("--filed-on", type=_DAY, help="备案日期，默认今天 / day of filing, today if none")
@_signed
def file_remote_command(
    person: str, *, status: str, area: str, filed_on: dt.date | None, **signed: Any
) -> None:
    """File care elsewhere (异地备案) for PERSON, late or in time; claims are worked out again."""
    from backend.bootstrap import build_services
    from backend.domain.local_time import local_day

    day = filed_on or local_day(build_services().clock.now())
    _record(person, "filing", status, signed, detail=area, filed_on=day)


@command.command("set-cover")
@click.argument("person")
@click.option("--insurance", required=True, help="险种 / insutype: 310, 390")
@click.option("--person-type", required=True, help="人员类别 / 1101, 1102, resident")
@_signed
def set_cover_command(person: str, *, insurance: str, person_type: str, **signed: Any) -> None:
    """Add a period in which PERSON is insured (to change one: correct)."""
    _record(person, "cover", insurance, signed, detail=person_type)


@command.command("set-area")
@click.argument("person")
@click.option("--area", required=True, help="参保地六位区划代码 / six-digit area code")
@click.option("--agency", required=True, help="当地经办机构（16 字内）/ name of its agency")
@_signed
def set_area_command(person: str, *, area: str, agency: str, **signed: Any) -> None:
    """Record the insured area (参保地) of PERSON: whose agency handles the claims."""
    _record(person, "area", area, signed, detail=agency)


@command.command("set-hardship")
@click.argument("person")
@click.option(
    "--code", required=True, help="extreme-poor, low-income, low-income-edge, poverty-risk"
)
@_signed
def set_hardship_command(person: str, *, code: str, **signed: Any) -> None:
    """Record a hardship status (困难身份) of PERSON."""
    _record(person, "hardship", code, signed)


@command.command("set-civil-servant")
@click.argument("person")
@click.option("--rank", required=True, help="section, county, above")
@_signed
def set_civil_servant_command(person: str, *, rank: str, **signed: Any) -> None:
    """Record the rank of PERSON as a civil servant (公务员补助)."""
    _record(person, "civil-servant", rank, signed)


@command.command("set-chronic")
@click.argument("person")
@click.option("--disease", required=True, help="病种代码 / code of the disease")
@_signed
def set_chronic_command(person: str, *, disease: str, **signed: Any) -> None:
    """Record an entitlement for a chronic disease (慢特病) of PERSON."""
    _record(person, "chronic", disease, signed)


@command.command("correct")
@click.argument("person")
@click.argument("fact")
@click.option("--from", "starts_on", type=_DAY, help="新的第一天 / new first day")
@click.option("--to", "ends_on", type=_DAY, help="新的最后一天 / new last day")
@click.option("--open", "is_open", is_flag=True, help="没有最后一天 / no last day")
@click.option("--withdraw", is_flag=True, help="从来没有成立 / it never held")
@click.option("--by", required=True, help="登记人 / who records it")
@click.option("--reason", required=True, help="理由 / why")
def correct_command(
    *,
    person: str,
    fact: str,
    starts_on: dt.date | None,
    ends_on: dt.date | None,
    is_open: bool,
    withdraw: bool,
    by: str,
    reason: str,
) -> None:
    """Correct the days of FACT, or withdraw it: a new row that supersedes it (end cover so)."""
    from backend.bootstrap import build_services
    from backend.domain.errors import NotFoundError
    from backend.service_layer.register.entries import Entry
    from backend.service_layer.register.record_fact import record_fact

    if not (starts_on or ends_on or is_open or withdraw):
        raise click.UsageError("name --from, --to, --open or --withdraw")
    services = build_services()
    with services.work(write=False) as work:
        person_id = find_person(work, person)
        found = [one for one in work.register.facts_of(person_id) if one.id == fact]
    if not found:
        raise NotFoundError(f"没有参保信息 {fact}", f"there is no fact {fact} of this person")
    old = found[0]
    entry = Entry(
        kind=old.kind,
        code=old.code,
        detail=old.detail,
        valid_from=starts_on or old.valid_from,
        valid_to=None if is_open else ends_on or old.valid_to,
        filed_on=old.filed_on,
        corrects=old.id,
        is_withdrawn=withdraw,
    )
    _tell(record_fact(services, person_id, entry, by=by, reason=reason))


def _record(
    person: str,
    kind: str,
    code: str,
    signed: dict[str, Any],
    *,
    detail: str = "",
    filed_on: dt.date | None = None,
) -> None:
    from backend.bootstrap import build_services
    from backend.domain.register import FactKind
    from backend.service_layer.register.entries import Entry
    from backend.service_layer.register.record_fact import record_fact

    services = build_services()
    with services.work(write=False) as work:
        person_id = find_person(work, person)
    entry = Entry(
        kind=FactKind(kind),
        code=code,
        detail=detail,
        valid_from=signed["starts_on"],
        valid_to=signed["ends_on"],
        filed_on=filed_on,
    )
    done = record_fact(services, person_id, entry, by=signed["by"], reason=signed["reason"])
    _tell(done)


def find_person(work: Any, person: str) -> str:
    """The id of the person with this login name or id; raises NotFoundError."""
    login = work.people.find_login(person)
    if login is not None and login.person_id is not None:
        return str(login.person_id)
    return str(work.people.get(person).id)


def _instant(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"{text} is no instant such as 2026-11-20T08:00+08:00") from error
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _tell(done: Any) -> None:
    new = "已登记 / recorded" if done.is_new else "已有这条，没有变化 / known already"
    click.echo(f"{done.fact.id}  {new}  {SIMULATED_NOTE}")
    for effect in done.effects:
        click.echo(
            f"  {effect.claim_number}  {_EFFECTS[effect.what]}  "
            f"{format_yuan(effect.before_fen)} -> {format_yuan(effect.after_fen)}"
        )
