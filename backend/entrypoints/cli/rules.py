"""``yichu rules``: the audit rules, their hits, trial runs, and switches by two people."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from backend.service_layer.audit_rules.overview import RuleOverview
    from backend.service_layer.audit_rules.records import RuleCount, TrialRun

_STATES: Final = {"trial": "试用", "live": "启用", "retired": "停用"}
_NATURES: Final = {"exact": "可直接不予报销", "judgement": "转人工"}
_ORIGINS: Final = {"shipped": "随程序", "decided": "本机构决定"}
_EFFECTS: Final = {"refused": "不予报销", "pended": "转人工", "trial": "仅记录"}
_DAY: Final = click.DateTime(formats=["%Y-%m-%d"])
_BY = click.option("--by", required=True, help="姓名 / your name")
_REASON = click.option("--reason", required=True, help="理由 / reason")


@click.group(name="rules", help="智能审核规则：查看、试运行、两人启停 / audit rules.")
def command() -> None:
    pass


@command.command("list")
@click.option("--state", type=click.Choice(list(_STATES)), help="只看这种状态 / only this state")
def list_command(state: str | None) -> None:
    """List the rules: state, version and origin, what a hit does, hits and share upheld."""
    from backend.bootstrap import build_services
    from backend.service_layer.audit_rules.overview import rule_overviews

    rows = [one for one in rule_overviews(build_services()) if state in (None, one.rule.state)]
    for one in rows:
        rule, version = one.rule, one.version
        click.echo(
            f"{rule.code}  {_STATES[rule.state]} {rule.state}  第 {version.version} 版 "
            f"{_ORIGINS[version.origin]} {version.origin}  "
            f"{_NATURES[rule.nature]} {rule.nature}"
        )
        click.echo(f"    {rule.title.zh} / {rule.title.en}  {_counted(one.statistics.count)}")
    click.echo(f"共 {len(rows)} 条 / {len(rows)} rules")


def _counted(count: RuleCount) -> str:
    return (
        f"命中 {count.pended + count.refused}（试用 {count.trial}），"
        f"属实 {_percent(count.upheld_bp)} / "
        f"{count.pended + count.refused} hits, {count.trial} on trial"
    )


def _percent(share_bp: int | None) -> str:
    return "—" if share_bp is None else f"{share_bp // 100}.{share_bp % 100:02d}%"


@command.command("show")
@click.argument("code")
def show_command(code: str) -> None:
    """Show one rule: text, basis, parameters, versions, proposals, trial runs, newest hits."""
    from backend.bootstrap import build_services
    from backend.service_layer.audit_rules.overview import rule_detail

    services = build_services()
    detail = rule_detail(services, code)
    rule = detail.overview.rule
    click.echo(f"{rule.code}  {rule.title.zh} / {rule.title.en}")
    click.echo(
        f"状态 {_STATES[rule.state]} / {rule.state}；{_NATURES[rule.nature]} / {rule.nature}"
    )
    click.echo(f"就医日期 {rule.valid_from} 至 {rule.valid_to} / by date of service")
    click.echo(
        f"严重程度 {rule.severity}，优先级 {rule.priority}，队列 {rule.queue}，角色 {rule.role}"
    )
    click.echo(f"文字：{rule.text.zh} / {rule.text.en}")
    click.echo(f"依据：{rule.basis.zh} / {rule.basis.en}")
    click.echo(f"来源 {rule.source}；负责人 {rule.owner} / source, owner")
    from backend.service_layer.audit_rules.switch import resulting_parameters

    given = resulting_parameters(None, list(reversed(detail.versions)))
    entry = services.rule_book.entry(code)["parameters"] if given is None else given
    click.echo(f"参数 / parameters: {json.dumps(entry, ensure_ascii=False)}")
    click.echo(_counted(detail.overview.statistics.count))
    for version in detail.versions:
        since = f"，参数自 {version.valid_from} 就医" if version.valid_from else ""
        click.echo(
            f"  第 {version.version} 版 {_STATES[version.state]}{since}，"
            f"{_ORIGINS[version.origin]}，{version.recorded_at.isoformat()}"
        )
    for proposal, answer in detail.proposals:
        ended = (
            f"{answer.answer} {answer.answered_by}：{answer.reason}" if answer else "待确认 open"
        )
        click.echo(
            f"  提案 {proposal.id} -> {proposal.state}，{proposal.proposed_by}："
            f"{proposal.reason}；{ended}"
        )
    for run in detail.trials:
        _show_run(run)
    for hit in detail.hits:
        line = "" if hit.line_index < 0 else f" 第 {hit.line_index + 1} 行"
        click.echo(f"  命中 {hit.found_at.isoformat()} {_EFFECTS[hit.effect]}{line}：{hit.zh}")


def _show_run(run: TrialRun) -> None:
    click.echo(
        f"  试运行 {run.id} {run.from_on} 至 {run.to_on}：{run.bills} 张，命中 {run.bills_hit} 张"
        f"（{_percent(run.hit_bp)}），无法判断 {run.not_judged}，读不出 {run.unreadable}"
        f"{'' if run.is_complete else '，未跑完（到上限）'} / {run.bills_hit} of {run.bills} bills"
    )


@command.command("stats")
def stats_command() -> None:
    """Show hits and upheld shares, the median share, and the rules that people nearly always
    clear."""
    from backend.bootstrap import build_services
    from backend.service_layer.audit_rules.outcomes import median_upheld_bp
    from backend.service_layer.audit_rules.overview import rule_overviews

    rows = rule_overviews(build_services())
    for one in sorted(rows, key=_by_hits):
        count = one.statistics.count
        if count.pended or count.refused or count.trial:
            click.echo(
                f"{one.rule.code}  申请 {count.claims}，转人工 {count.pended}，"
                f"不予报销 {count.refused}，试用 {count.trial}，属实 {count.upheld}，"
                f"排除 {count.cleared}，属实率 {_percent(count.upheld_bp)}"
            )
    median = median_upheld_bp(one.statistics for one in rows)
    click.echo(f"各规则属实率的中位数 / median share upheld: {_percent(median)}")
    cleared = [one.rule.code for one in rows if one.statistics.is_nearly_always_cleared]
    click.echo(
        "几乎总被排除，建议停用或修改 / nearly always cleared, retire or change: "
        + ("、".join(cleared) or "无 none")
    )


def _by_hits(one: RuleOverview) -> tuple[int, str]:
    count = one.statistics.count
    return (-(count.pended + count.refused + count.trial), one.rule.code)


@command.command("trial")
@click.argument("code")
@click.option("--from", "from_on", type=_DAY, help="就医日期起（默认一年前）/ first day of service")
@click.option("--to", "to_on", type=_DAY, help="就医日期止（默认今天）/ last day of service")
@click.option("--proposal", help="按提案的参数试运行 / with the parameters of this proposal")
@click.option("--limit", type=click.IntRange(1, 50_000), default=50_000, show_default=True)
@_BY
def trial_command(
    *,
    code: str,
    from_on: dt.datetime | None,
    to_on: dt.datetime | None,
    proposal: str | None,
    limit: int,
    by: str,
) -> None:
    """Run a rule over stored bills, without effect, and keep the result."""
    from backend.bootstrap import build_services
    from backend.service_layer.audit_rules.trial import TrialOrder, run_trial

    order = TrialOrder(
        code,
        from_on.date() if from_on else None,
        to_on.date() if to_on else None,
        proposal,
        limit,
    )
    run = run_trial(build_services(), order, by)
    _show_run(run)
    for example in json.loads(run.examples):
        click.echo(f"    {example['claim'] or example['bill']}：{example['zh']}")


@command.command("propose")
@click.argument("code")
@click.option("--state", type=click.Choice(list(_STATES)), help="改成的状态 / the new state")
@click.option(
    "--parameters",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="新参数（JSON 文件）/ a JSON file of all parameters",
)
@click.option("--valid-from", type=_DAY, help="新参数从哪天的就医起 / first day of service")
@_BY
@_REASON
def propose_command(
    *,
    code: str,
    state: str | None,
    parameters: Path | None,
    valid_from: dt.datetime | None,
    by: str,
    reason: str,
) -> None:
    """Propose a state or parameters; another person confirms."""
    from backend.adapters.json_file import read_json
    from backend.bootstrap import build_services
    from backend.domain.audit.rule import RuleState
    from backend.domain.record_reader import MalformedDataError
    from backend.service_layer.audit_rules.overview import rule_detail
    from backend.service_layer.audit_rules.switch import Change, propose

    services = build_services()
    now = rule_detail(services, code).overview.rule.state
    values: dict[str, Any] | None = None
    if parameters is not None:
        found = read_json(parameters, "PARAMETERS")
        if not isinstance(found, dict):
            raise MalformedDataError("PARAMETERS", (("", "不是对象", "is not an object"),))
        values = found
    change = Change(
        code, RuleState(state or now), values, valid_from.date() if valid_from else None
    )
    proposal = propose(services, change, by, reason)
    click.echo(f"已提出 {proposal.id}，等另一人确认 / proposed, another person confirms")
    if change.state is RuleState.LIVE:
        click.echo(f"先试运行：yichu rules trial {code} --proposal {proposal.id} --by 姓名")
    click.echo(f"确认：yichu rules confirm {proposal.id} --by 另一人 --reason 理由")


@command.command("confirm")
@click.argument("proposal")
@_BY
@_REASON
def confirm_command(proposal: str, by: str, reason: str) -> None:
    """Confirm a proposal of somebody else: it takes effect at once."""
    from backend.bootstrap import build_services
    from backend.service_layer.audit_rules.switch import confirm

    version = confirm(build_services(), proposal, by, reason)
    click.echo(
        f"{version.rule_code} 第 {version.version} 版生效：{_STATES[version.state]} / "
        f"version {version.version} is {version.state}"
    )


@command.command("withdraw")
@click.argument("proposal")
@_BY
@_REASON
def withdraw_command(proposal: str, by: str, reason: str) -> None:
    """Close a proposal without effect."""
    from backend.bootstrap import build_services
    from backend.service_layer.audit_rules.switch import withdraw

    withdraw(build_services(), proposal, by, reason)
    click.echo(f"已撤回 {proposal} / withdrawn")
