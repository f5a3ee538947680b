"""``yichu accident``: declarations of accidents at the window, and what reviewers do about them."""

from __future__ import annotations

import click

_BY = click.option("--by", required=True, help="谁来办 / who does it")
_REASON = click.option("--reason", required=True, help="理由 / reason")
_YES_NO = click.Choice(["yes", "no"])


@click.group(name="accident", help="意外伤害：经过、承诺书、类型、责任 / accident claims.")
def command() -> None:
    pass


@command.command("show")
@click.argument("number")
def show_command(number: str) -> None:
    """Show the kind of a claim, every declaration and every correction of the kind."""
    from backend.bootstrap import build_services
    from backend.service_layer.claims.declaration_records import Subject

    with build_services().work(write=False) as work:
        claim = work.claims.by_number(number)
        click.echo(f"{claim.number}  {claim.kind}  {claim.state}  {claim.waiting_for or ''}")
        for subject in Subject:
            for one in work.declarations.of_claim(claim.id, subject):
                content = ", ".join(f"{name}={value}" for name, value in one.content.items())
                signed = f" 承诺书 {one.undertaking_version}" if one.undertaking_version else ""
                click.echo(
                    f"  {subject} #{one.version} {one.declared_at.isoformat()} "
                    f"{one.declared_by}{signed}：{content}"
                )


@command.command("declare")
@click.argument("number")
@_BY
@click.option("--on", "happened_on", required=True, help="受伤日期 / day, YYYY-MM-DD")
@click.option("--place", required=True, help="home road work public other")
@click.option("--manner", required=True, help="fall hit cut burn bite swallowed other")
@click.option("--story", required=True, help="经过 / what happened")
@click.option("--third-party", type=_YES_NO, required=True, help="别人造成 / by somebody else")
@click.option("--at-work", type=_YES_NO, required=True, help="上班受伤 / at work")
@click.option("--traffic", type=_YES_NO, required=True, help="交通事故 / traffic accident")
@click.option("--other-party", default="", help="对方 / the other party")
@click.option("--signed", is_flag=True, help="本人已在纸上签承诺书 / signed on paper")
def declare_command(number: str, by: str, *, signed: bool, **answers: str) -> None:
    """Enter the declaration for a citizen who stands at the window and has signed on paper."""
    from backend.bootstrap import build_services
    from backend.domain.accident import read_accident
    from backend.domain.local_time import local_day
    from backend.service_layer.handling.accident_answers import declare
    from backend.service_layer.review.decide import require_signed

    services = build_services()
    require_signed(by, "declared at the window")
    answers["signed"] = "yes" if signed else ""
    accident = read_accident(answers, local_day(services.clock.now()))
    with services.work(write=False) as work:
        claim = work.claims.by_number(number)
    stored = declare(services, claim.person_id, claim.id, accident, by=by.strip())
    click.echo(f"{number} 已收下，第 {stored.version} 份 / stored, version {stored.version}")


@command.command("excuse")
@click.argument("number")
@_BY
@click.option("--code", required=True, help="理由的代码 / code of the excuse")
@click.option("--text", default="", help="说明 / in words")
def excuse_command(number: str, by: str, code: str, text: str) -> None:
    """Enter why a claim was filed late, after it was sent; the rules are asked again."""
    from backend.bootstrap import build_services
    from backend.domain.accident import EXCUSES, read_excuse
    from backend.service_layer.handling.accident_answers import UnknownCodeError, excuse_later
    from backend.service_layer.review.decide import require_signed

    services = build_services()
    require_signed(by, "excused at the window")
    excuse = read_excuse(code, text)
    if excuse is None:
        raise UnknownCodeError(
            f"请选理由：{'、'.join(EXCUSES)}", f"name an excuse: {', '.join(EXCUSES)}"
        )
    with services.work(write=False) as work:
        claim = work.claims.by_number(number)
    stored = excuse_later(services, claim.person_id, claim.id, excuse, by=by.strip())
    click.echo(f"{number} 已收下，第 {stored.version} 份 / stored, version {stored.version}")


@command.command("kind")
@click.argument("number")
@click.argument("kind", type=click.Choice(["ordinary", "accident"]))
@_BY
@_REASON
def kind_command(number: str, kind: str, by: str, reason: str) -> None:
    """Correct whether a claim is an accident claim; who, when and why are kept."""
    from backend.bootstrap import build_services
    from backend.service_layer.handling.accident_answers import correct_kind

    claim = correct_kind(build_services(), number, kind, by, reason)
    click.echo(f"{claim.number}  {claim.kind}  {claim.waiting_for or ''}".rstrip())


@command.command("exclude")
@click.argument("number")
@click.option("--code", required=True, help="third-party-liable work-injury traffic-liable")
@_BY
@_REASON
def exclude_command(number: str, code: str, by: str, reason: str) -> None:
    """Refuse in the open step of review for a coded reason; the way to appeal is said."""
    from backend.bootstrap import build_services
    from backend.service_layer.handling.accident_answers import exclude

    case = exclude(build_services(), number, code, by, reason)
    said = "已不予支付 / refused" if case.is_closed else "本环节已记录 / recorded; next person"
    click.echo(f"{number} {said}")
