"""``yichu claim``: replay decisions from what is stored of their inputs."""

from __future__ import annotations

import sys

import click

from backend.domain.money import format_yuan
from backend.entrypoints.cli.claim_versions import history_command


@click.group(name="claim", help="申请的决定：用存储的依据重算 / replay decisions of claims.")
def command() -> None:
    pass


@command.command("replay")
@click.argument("number", required=False)
@click.option(
    "--version", "version", type=click.IntRange(1), help="第几版，默认最新 / newest if none"
)
@click.option("--all", "replay_every", is_flag=True, help="所有申请的所有版本 / every decision")
def replay_command(number: str | None, version: int | None, replay_every: bool) -> None:
    """Work a stored decision out again from its stored inputs; exit 1 when it is not the same.

    NUMBER is the claim number (受理号), with or without blanks.
    """
    from backend.bootstrap import build_services
    from backend.service_layer.claims.replay import replay_all, replay_decision

    if (number is None) != replay_every or (replay_every and version is not None):
        raise click.UsageError("name a claim NUMBER (and --version), or --all")
    services = build_services()
    replays = (
        replay_all(services)
        if number is None
        else [replay_decision(services, number.replace(" ", ""), version)]
    )
    same = different = 0
    for replay in replays:
        mark = "OK  " if replay.is_same else "FAIL"
        name = f"{replay.claim_number} v{replay.version}"
        click.echo(f"{mark} {name}  {format_yuan(replay.paid_fen)}", err=not replay.is_same)
        for one in replay.differences:
            click.echo(f"     {one.where}: {one.stored} -> {one.recomputed}", err=True)
        for note in replay.notes:
            click.echo(
                f"     说明 / note: {note.where} {note.stored}，现在 / now {note.recomputed}",
                err=True,
            )
        same, different = same + replay.is_same, different + (not replay.is_same)
    click.echo(f"一致 {same}，不一致 {different} / {same} the same, {different} not")
    if different:
        sys.exit(1)


command.add_command(history_command)
