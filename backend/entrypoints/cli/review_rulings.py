"""``yichu review preview`` and ``resolve``: rulings on lines at the command line.

A rulings file is the list that the staff API takes (docs/review.md): objects with line_index,
kind, basis_zh and what belongs to the kind.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from backend.domain.ruling import LineRuling
    from backend.service_layer.review.records import Case

RULINGS_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_FILE_BYTES_MAX: Final = 1_000_000
_REVIEWER = click.option("--reviewer", required=True, help="环节的持有人 / who holds the step")


def read_rulings_file(path: Path) -> tuple[LineRuling, ...]:
    """The rulings in the file. Raises :class:`MalformedDataError` for what is no list of objects
    and :class:`ReviewRefusedError` for an entry that is no ruling."""
    from backend.adapters.json_file import read_json
    from backend.domain.record_reader import MalformedDataError
    from backend.service_layer.review.decide import ruling_of

    if path.stat().st_size > _FILE_BYTES_MAX:
        raise MalformedDataError("RULINGS", (("", "文件过大", "the file is too long"),))
    value = read_json(path, "RULINGS")
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise MalformedDataError("RULINGS", (("", "不是对象的列表", "is no list of objects"),))
    return tuple(ruling_of(entry) for entry in value)


def _held(services: Any, number: str, reviewer: str) -> tuple[Case, str]:
    """The live case of the claim, and the id of the person who is named."""
    from backend.domain.errors import NotFoundError
    from backend.service_layer.review.assignment import person_id_of

    with services.work(write=False) as work:
        claim = work.claims.by_number(number.replace(" ", ""))
        cases: list[Case] = work.reviews.live_cases_of(claim.id)
        if not cases:
            raise NotFoundError(f"{number} 没有审核案件", f"{number} has no open review case")
        return cases[-1], person_id_of(work, reviewer.strip())


@click.command("preview")
@click.argument("number")
@_REVIEWER
@click.option("--rulings", required=True, type=RULINGS_FILE, help="逐行裁定 / rulings on lines")
def preview_command(number: str, reviewer: str, rulings: Path) -> None:
    """Print what the claim comes to under rulings, as JSON; nothing is changed."""
    from backend.bootstrap import build_services
    from backend.service_layer.review.decide import preview
    from backend.service_layer.review.read import preview_view

    services = build_services()
    case, staff_id = _held(services, number, reviewer)
    found = preview(services, case.id, staff_id, read_rulings_file(rulings))
    shown = preview_view(services, case.id, found)
    click.echo(json.dumps(shown, ensure_ascii=False, indent=1))


@click.command("resolve")
@click.argument("number")
@_REVIEWER
@click.option("--reason", required=True, help="理由 / reason")
@click.option("--code", "codes", multiple=True, required=True, help="事项代码，可多次 / repeatable")
@click.option("--line", type=click.IntRange(0), help="只处理这一行的（从 0 起）/ of this line only")
@click.option("--rulings", type=RULINGS_FILE, help="逐行裁定 / rulings on lines")
def resolve_command(  # noqa: PLR0917 - the parts of one resolution
    number: str,
    reviewer: str,
    reason: str,
    codes: tuple[str, ...],
    line: int | None,
    rulings: Path | None,
) -> None:
    """Resolve some reasons of the step that this person holds; the case stays open."""
    from backend.bootstrap import build_services
    from backend.service_layer.review.cases import open_pends
    from backend.service_layer.review.decide import Partial, resolve

    services = build_services()
    case, staff_id = _held(services, number, reviewer)
    with services.work(write=False) as work:
        chosen = tuple(
            pend.id
            for pend in open_pends(work, case.claim_id)
            if pend.code in codes and line in (None, pend.line_index)
        )
    ruled = () if rulings is None else read_rulings_file(rulings)
    left = resolve(services, case.id, staff_id, Partial(chosen, reason, ruled))
    click.echo(f"已处理 {len(chosen)} 项，还有 {len(left)} 项 / {len(left)} reasons are left")
    for pend in left:
        where = "" if pend.line_index is None else f" 第 {pend.line_index} 行 / line"
        click.echo(f"    [{pend.code}]{where}")
