"""``findings``, ``answer`` and ``appeal``: what the agency asks this hospital, and what it says."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Final

import click

from scripts.hospital_agent.agent import HospitalAgent

_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)
_FILE_BYTES_MAX: Final = 4 * 2**20
_FINDING = click.argument("finding_id")
_TEXT_FILE = click.option(
    "--text-file", type=_FILE, required=True, help="文字（UTF-8）/ what is said, UTF-8"
)
_ATTACH = click.option(
    "--attach", type=_FILE, multiple=True, help="附件，最多 5 个 / JPEG, PNG or PDF, at most 5"
)
_DIGEST = click.option(
    "--digest", type=_FILE, multiple=True, help="只交摘要，原件留存 / send the SHA-256 alone"
)


@click.command()
@click.argument("finding_id", required=False)
@click.pass_obj
def findings(agent: HospitalAgent, finding_id: str | None) -> None:
    """List what concerns this hospital, each with its last day; with an id, all of one."""
    if finding_id is not None:
        click.echo(json.dumps(agent.finding(finding_id), ensure_ascii=False, indent=1))
        return
    is_empty = True
    for one in agent.findings():
        is_empty = False
        words = ",".join(name for name in ("answer", "appeal") if name in one["links"])
        click.echo(f"{one['id']}\t{one['state']}\t{one['due_on'] or '-'}\t{words or '-'}")
    if is_empty:
        click.echo("没有问询或认定 / no findings")


@click.command()
@_FINDING
@_TEXT_FILE
@_ATTACH
@_DIGEST
@click.pass_obj
def answer(
    agent: HospitalAgent,
    finding_id: str,
    text_file: Path,
    attach: tuple[Path, ...],
    digest: tuple[Path, ...],
) -> None:
    """Answer what was asked, once and in time; safe to repeat."""
    _state(agent, (finding_id, "answer"), text_file, attach, digest)


@click.command()
@_FINDING
@_TEXT_FILE
@_ATTACH
@_DIGEST
@click.pass_obj
def appeal(
    agent: HospitalAgent,
    finding_id: str,
    text_file: Path,
    attach: tuple[Path, ...],
    digest: tuple[Path, ...],
) -> None:
    """Appeal against a finding, once and in time; safe to repeat."""
    _state(agent, (finding_id, "appeal"), text_file, attach, digest)


def _state(
    agent: HospitalAgent,
    what: tuple[str, str],
    text_file: Path,
    attach: tuple[Path, ...],
    digest: tuple[Path, ...],
) -> None:
    rows = [_row(path, is_sent=True) for path in attach]
    rows += [_row(path, is_sent=False) for path in digest]
    one = agent.state(*what, text_file.read_text("utf-8"), rows)
    click.echo(f"{one['id']}\t{one['state']}\t已送达 / taken")


def _row(path: Path, *, is_sent: bool) -> dict[str, str]:
    if is_sent and path.stat().st_size > _FILE_BYTES_MAX:
        raise click.UsageError(f"{path}：超过 4 MB / larger than 4 MB")
    data = path.read_bytes()
    row = {"name": path.name, "sha256": hashlib.sha256(data).hexdigest()}
    return row | {"content": base64.b64encode(data).decode()} if is_sent else row
