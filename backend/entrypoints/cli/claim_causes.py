"""``yichu claim causes``: why claims had to be filed by hand, beside Quzhou's published shares."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import click

from backend.domain.cause import CauseCode

NOT_DERIVED = "not-derived"
_GROUPS = {
    "policy": "政策",
    "process": "流程",
    "not-swiped": "应刷未刷",
    "accident-newborn": "意外伤害和新生儿",
    "other": "其他",
}
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("causes")
@click.option("--from", "first", type=_DAY, help="就诊日不早于 / service not before")
@click.option("--to", "last", type=_DAY, help="就诊日不晚于 / service not after")
@click.option(
    "--list", "code", type=click.Choice([*map(str, CauseCode), NOT_DERIVED]),
    help="列出这个原因的申请 / the claims of one cause",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="JSON")
@click.option("--derive", is_flag=True, help="先补算没有原因的申请 / derive missing causes first")
def causes_command(
    first: dt.datetime | None,
    last: dt.datetime | None,
    code: str | None,
    as_json: bool,
    derive: bool,
) -> None:
    """Show why claims had to be filed by hand: counts, shares, and the claims behind each count."""
    from backend.bootstrap import build_services
    from backend.service_layer.claims.causes import LIST_MAX, derive_missing, figures

    days = (first.date() if first else None, last.date() if last else None)
    if days[0] and days[1] and days[0] > days[1]:
        raise click.BadParameter(f"{days[0]} > {days[1]}", param_hint="--from")
    services = build_services()
    if derive:
        count = derive_missing(services)
        click.echo(f"补算 {count} 笔 / {count} derived", err=True)
    with services.work(write=False) as work:
        if code is not None:
            found = work.causes.of_code(None if code == NOT_DERIVED else code, *days, LIST_MAX)
        else:
            shown = figures(work, *days)
    if code is not None:
        _echo_list(found, as_json)
    elif as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=1))
    else:
        _echo_figures(shown)


def _echo_list(claims: list[Any], as_json: bool) -> None:
    from backend.service_layer.claims.causes import cause_view

    rows = [
        {
            "number": claim.number,
            "service_on": claim.service_on.isoformat(),
            "state": str(claim.state),
            "kind": claim.kind,
            "origin": claim.origin,
            "cause": cause_view(claim),
        }
        for claim in claims
    ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for row in rows:
        why = "" if row["cause"] is None else row["cause"]["basis"]["zh"]
        click.echo(f"{row['number']}  {row['service_on']}  {row['state']}  {why}")
    click.echo(f"共 {len(rows)} 笔 / claims")


def _echo_figures(shown: dict[str, Any]) -> None:
    click.echo(f"有原因的申请 {shown['claims']} 笔 / claims with a cause")
    if shown["not_derived"]:
        click.echo(f"还没有原因 {shown['not_derived']} 笔 / none yet  --list {NOT_DERIVED}")
    for group in shown["groups"]:
        click.echo(
            f"{_GROUPS[group['group']]} {group['group']}: {group['claims']}  "
            f"{group['per_mille'] / 10:.1f} %  衢州 / Quzhou "
            f"{group['published_per_mille'] / 10:.1f} %"
        )
        for row in group["codes"]:
            national = f"  manl_reim_rea {row['national_code']}" if row["national_code"] else ""
            click.echo(
                f"  {row['zh']} {row['claims']}  {row['per_mille'] / 10:.1f} %  "
                f"--list {row['code']}{national}"
            )
    origins = "，".join(f"{name} {count}" for name, count in sorted(shown["origins"].items()))
    click.echo(f"票据来源 / origin: {origins or '-'}")
