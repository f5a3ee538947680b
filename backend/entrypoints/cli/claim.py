"""``yichu claim``: its decisions, replayed from stored inputs or a bundle; withdrawing it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backend.domain.money import format_yuan
from backend.entrypoints.cli.claim_causes import causes_command
from backend.entrypoints.cli.claim_versions import history_command, withdraw_command

if TYPE_CHECKING:
    from backend.service_layer.claims.replay import Replay

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(
    name="claim", help="申请：决定的各版本、重算、代为撤回 / claims: versions, replay, withdrawal."
)
def command() -> None:
    pass


command.add_command(causes_command)
command.add_command(history_command)
command.add_command(withdraw_command)


@command.command("replay")
@click.argument("number", required=False)
@click.option(
    "--version", "version", type=click.IntRange(1), help="第几版，默认最新 / newest if none"
)
@click.option("--all", "replay_every", is_flag=True, help="所有申请的所有版本 / every decision")
@click.option("--bundle", type=_FILE, help="证据包；不用数据库 / an evidence bundle; no database")
@click.option("--inputs", type=_FILE, help="证据包缺的依据 / what `yichu claim inputs` wrote")
def replay_command(
    *,
    number: str | None,
    version: int | None,
    replay_every: bool,
    bundle: Path | None,
    inputs: Path | None,
) -> None:
    """Work a decision out again from its inputs; exit status 1 when it is not the same.

    NUMBER is the claim number (受理号), with or without blanks; or --all; or --bundle and --inputs.
    """
    if sum((number is not None, replay_every, bundle is not None)) != 1:
        raise click.UsageError("name a claim NUMBER, or --all, or --bundle")
    if (bundle is None) != (inputs is None) or (version is not None and number is None):
        raise click.UsageError("--bundle goes with --inputs, --version with NUMBER")
    if bundle is not None and inputs is not None:
        from backend.adapters.json_file import read_json
        from backend.service_layer.evidence.replay_bundle import replay_bundle

        files = read_json(bundle, "BUNDLE"), read_json(inputs, "REPLAY INPUTS")
        sys.exit(_tell([replay_bundle(*files)]))
    from backend.bootstrap import build_services
    from backend.service_layer.claims.replay import replay_all, replay_decision

    services = build_services()
    if number is None:
        sys.exit(_tell(replay_all(services)))
    sys.exit(_tell([replay_decision(services, number.replace(" ", ""), version)]))


@command.command("inputs")
@click.argument("number")
@click.option(
    "--version", "version", type=click.IntRange(1), help="第几版，默认最新 / newest if none"
)
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="写到哪个文件 / file to write",
)  # fmt: skip
def inputs_command(number: str, version: int | None, output: Path) -> None:
    """Write what an evidence bundle does not hold: person, history and catalogue of a decision.

    The history names other claims of the person: give the file only to whom that concerns.
    """
    from backend.bootstrap import build_services
    from backend.service_layer.evidence.replay_bundle import replay_inputs

    found = replay_inputs(build_services(), number.replace(" ", ""), version)
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    with open(output, "w", encoding="utf-8", opener=_private) as file:
        file.write(text)
    click.echo(f"已写出 {found['claim_number']} v{found['decision_version']} -> {output} / written")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _tell(replays: Iterable[Replay]) -> int:
    """Print each replay; the exit status."""
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
    return 1 if different else 0
