"""``yichu review reopen``: one person proposes, another one confirms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from backend.domain.revision import REOPEN_REASONS

if TYPE_CHECKING:
    from backend.service_layer.handling.reopening_records import ReopenProposal

_BY = click.option("--by", required=True, help="经办人用户名或姓名 / who does it")
_REASON = click.option("--reason", required=True, help="理由 / why")


class _TwoSteps(click.Group):
    """Says which steps there are to who names the claim at once."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            raise click.UsageError(
                "重开要两个人分两步：一人 propose，另一人 confirm，例如 / it takes two people "
                "and two steps, propose and confirm, for example:\n"
                f"  yichu review reopen propose {args[0]} --code calculation-error "
                "--reason .. --source .. --by .."
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=_TwoSteps,
    name="reopen",
    help="""重开已办结的申请：一人提出，另一人确认。Reopen a closed claim: one proposes, another
    confirms within 7 days; neither of them reviews it.

    \b
    yichu review reopen propose 33080020261100001 --code calculation-error \\
        --reason 漏算一行 --source 衢医保函〔2026〕1号 --by reviewer01
    yichu review reopen confirm rop_... --by reviewer02 --reason 已核对
    """,
)
def reopen_command() -> None:
    pass


@reopen_command.command("propose")
@click.argument("number")
@click.option(
    "--code",
    required=True,
    type=click.Choice(sorted(REOPEN_REASONS)),
    help="理由代码 / coded reason",
)
@click.option("--reason", required=True, help="说明，4 到 500 字 / in words")
@click.option("--source", required=True, help="依据的文号或来源 / what it is based on")
@_BY
def propose_command(number: str, code: str, reason: str, source: str, by: str) -> None:
    """Propose to reopen a claim; nothing happens before another person confirms."""
    from backend.bootstrap import build_services
    from backend.service_layer.handling.appeals import Reopening
    from backend.service_layer.handling.reopening import propose_reopening

    why = Reopening(code, reason, source)
    proposal = propose_reopening(build_services(), number.replace(" ", ""), why, by)
    click.echo(
        f"已提出 {proposal.id}，{proposal.expires_at.isoformat()} 前由另一人确认 / "
        f"proposed, another person confirms by then"
    )
    click.echo(f"确认：yichu review reopen confirm {proposal.id} --by 另一人 --reason 理由")


@reopen_command.command("confirm")
@click.argument("proposal")
@_BY
@_REASON
def confirm_command(proposal: str, by: str, reason: str) -> None:
    """Confirm what somebody else proposed: a case is opened for people who are neither."""
    from backend.bootstrap import build_services
    from backend.service_layer.handling.reopening import confirm_reopening

    services = build_services()
    answer = confirm_reopening(services, proposal, by, reason)
    with services.work(write=False) as work:
        request = work.revisions.get(str(answer.request_id))
    assert request is not None, "a confirmation makes the request"
    due = request.request.promised_on.isoformat()
    click.echo(f"已开复核，{due} 前办结 / a case is open, due {due}")


@reopen_command.command("withdraw")
@click.argument("proposal")
@_BY
@_REASON
def withdraw_command(proposal: str, by: str, reason: str) -> None:
    """Close a proposal without effect."""
    from backend.bootstrap import build_services
    from backend.service_layer.handling.reopening import withdraw_reopening

    withdraw_reopening(build_services(), proposal, by, reason)
    click.echo(f"已撤回 {proposal}，申请没有变化 / withdrawn, the claim is as it was")


@reopen_command.command("list")
def list_command() -> None:
    """List the proposals that wait for a second person."""
    from backend.bootstrap import build_services

    services = build_services()
    with services.work(write=False) as work:
        waiting = work.reopenings.open_at(services.clock.now())
        lines = [_line(work, one) for one in waiting]
    for line in lines:
        click.echo(line)
    if not lines:
        click.echo("没有待确认的提案 / no proposal waits for a second person")


def _line(work: Any, one: ReopenProposal) -> str:
    from backend.service_layer.handling.reopening import shown_name

    number = work.claims.get(one.claim_id).number
    return (
        f"{one.id}  {number}  [{one.code}] {one.text}  {one.source_reference}  "
        f"{shown_name(work, one.proposed_by)}  至 {one.expires_at.isoformat()}"
    )
