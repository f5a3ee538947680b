"""``yichu policy validate``, ``list`` and ``show``: what a pack says, from where, how surely."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click

from backend.adapters.catalogue import load_catalogue
from backend.adapters.json_file import read_json
from backend.adapters.policy_packs import catalogue_path, load_pack, load_packs
from backend.domain.catalogue import Catalogue, parse_catalogue
from backend.domain.invoice import Invoice, MalformedRecordError
from backend.domain.person import parse_history, parse_person
from backend.domain.policy import PolicyPack
from backend.domain.policy_reader import CONFIDENCES, parse_policy_pack
from backend.domain.record_reader import FAULTS_MAX, MalformedDataError
from backend.entrypoints.cli.policy_argument import PACK

Fault = tuple[str, str, str]
_SECTIONS: Final = ("class_b", "deductibles", "ratios", "caps", "layer2", "layer3", "supplement")
_SELECTORS: Final = (
    "insurance_types", "visit_kinds", "person_types", "hospital_levels", "hardship", "ranks",
)  # fmt: skip


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def validate(file: Path) -> None:
    """Check FILE: a policy pack, catalogue, invoice, person or history, told by its "format".

    Every fault is listed with its JSON path, all at once; exit status 1 when there is one.
    """
    value = read_json(file, "FILE")
    kind = value.get("format") if isinstance(value, dict) else None
    check = _CHECKS.get(str(kind))
    if check is None:
        known = ", ".join(_CHECKS)
        raise MalformedDataError(
            "FILE", (("/format", f"不认识，应为 {known} 之一", f"is not one of {known}"),)
        )
    faults, said = check(value, file)
    for path, zh, en in faults:
        click.echo(f"{path or '/'}: {zh} / {en}", err=True)
    if len(faults) >= FAULTS_MAX:
        click.echo(f"只列出前 {FAULTS_MAX} 处 / only the first {FAULTS_MAX} are listed", err=True)
    if faults:
        click.echo(f"有误 / wrong: {file}", err=True)
        raise SystemExit(1)
    click.echo(f"{kind}: {said}")


def _check_pack(value: object, file: Path) -> tuple[list[Fault], str]:
    faults: list[Fault] = []
    reference = value.get("catalogue") if isinstance(value, dict) else None
    name = reference.get("file") if isinstance(reference, dict) else None
    catalogue: Catalogue | None = None
    if isinstance(name, str) and name and Path(name).name == name:
        try:
            catalogue = load_catalogue(catalogue_path(file.parent, name))
        except MalformedDataError as error:
            faults += [(f"{name}:{path}", zh, en) for path, zh, en in error.faults]
    try:
        pack = parse_policy_pack(value, catalogue)
    except MalformedDataError as error:
        return [*error.faults, *faults], ""
    return faults, f"{pack.pack_id} {pack.policy_hash.hex()}"


def _parsed(
    parse: Callable[[object], Any], say: Callable[[Any], str]
) -> Callable[[object, Path], tuple[list[Fault], str]]:
    def check(value: object, file: Path) -> tuple[list[Fault], str]:
        if isinstance(value, dict) and value.get("format") == "yichu-person-1":
            # About the bill, for the command line only; "adjudicate" looks at it.
            value = {name: member for name, member in value.items() if name != "visit"}
        try:
            return [], say(parse(value))
        except MalformedDataError as error:
            return list(error.faults), ""
        except MalformedRecordError as error:
            return [("/", error.zh, error.en)], ""

    return check


_CHECKS: Final[dict[str, Callable[[object, Path], tuple[list[Fault], str]]]] = {
    "yichu-policy-1": _check_pack,
    "yichu-catalogue-1": _parsed(
        parse_catalogue, lambda found: f"{found.catalogue_id} {found.digest.hex()}"
    ),
    "yichu-invoice-1": _parsed(
        Invoice.from_record,  # type: ignore[arg-type]
        lambda found: f"{found.invoice_code} {found.invoice_number}",
    ),
    "yichu-person-1": _parsed(parse_person, lambda found: found.digest().hex()),
    "yichu-history-1": _parsed(parse_history, lambda found: found.digest().hex()),
}


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a pack.")
def list_packs(*, as_json: bool) -> None:
    """List the installed packs: days, name, hash, how sure the sources are, open points."""
    for pack in load_packs():
        record = _head(pack)
        if as_json:
            click.echo(json.dumps(record, ensure_ascii=False))
            continue
        click.echo(f"{pack.pack_id}  {pack.region}  {pack.effective_from} .. {pack.effective_to}")
        click.echo(f"    {pack.name_zh} / {pack.name_en}")
        click.echo(f"    {record['sha256']}")
        click.echo(f"    来源 / sources: {record['least_sure']}  未定 / open: {record['open']}")


def _head(pack: PolicyPack) -> dict[str, Any]:
    least = max((source.confidence for source in pack.sources), key=CONFIDENCES.index, default="")
    return {
        "pack_id": pack.pack_id,
        "region": pack.region,
        "name_zh": pack.name_zh,
        "name_en": pack.name_en,
        "effective_from": pack.effective_from.isoformat(),
        "effective_to": pack.effective_to.isoformat(),
        "sha256": pack.policy_hash.hex(),
        "least_sure": least,
        "open": len(pack.open_points),
    }


@click.command()
@click.argument("pack", type=PACK)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def show(pack: Path, *, as_json: bool) -> None:
    """Show PACK: its hash, every figure with its source, and what the sources leave open."""
    loaded = load_pack(pack)
    document = read_json(pack, "POLICY PACK")
    assert isinstance(document, dict), "a pack that loads is an object"
    confidences = {source.source_id: source.confidence for source in loaded.sources}
    if as_json:
        record = _head(loaded) | {
            "sources": document["sources"],
            "figures": list(_figures(document, confidences)),
            "open_points": document.get("open", []),
        }
        click.echo(json.dumps(record, ensure_ascii=False, indent=2))
        return
    click.echo(f"{loaded.pack_id} {loaded.name_zh} / {loaded.name_en}")
    click.echo(f"{loaded.effective_from} .. {loaded.effective_to}  {loaded.policy_hash.hex()}")
    click.echo("来源 / sources")
    for source in loaded.sources:
        click.echo(f"  {source.source_id} [{source.confidence}] {source.title}")
        click.echo(f"    {source.zh}")
        click.echo(f"    {source.en}")
    click.echo("数字 / figures")
    for row in _figures(document, confidences):
        whom = json.dumps(row["selector"], ensure_ascii=False) if row["selector"] else "-"
        figure = json.dumps(row["figure"], ensure_ascii=False)
        click.echo(f"  {row['section']} {row['rule_id']} [{row['confidence']}, {row['source']}]")
        click.echo(f"    {whom}: {figure}")
        if row["note"]:
            click.echo(f"    {row['note']}")
    click.echo("来源没有写明的 / left open by the sources")
    for point in loaded.open_points:
        click.echo(f"  {point.open_id} [{point.effect}, {point.source_id}]")
        click.echo(f"    {point.zh}")
        click.echo(f"    {point.en}")
    if not loaded.open_points:
        click.echo("  无 / none")


def _figures(document: dict[str, Any], confidences: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Every rule with its figures, apart from whom it is for and where it comes from."""
    rules: list[tuple[str, dict[str, Any]]] = []
    for section in _SECTIONS:
        found = document.get(section, [])
        rules += [(section, rule) for rule in (found if isinstance(found, list) else [found])]
    rules += [("remote", rule) for rule in document["remote"]["statuses"]]
    if "claim_deadline" in document["clocks"]:
        rules.append(("clocks", document["clocks"]["claim_deadline"]))
    for section, rule in rules:
        apart = {"rule_id", "source", "note", *_SELECTORS}
        yield {
            "section": section,
            "rule_id": rule["rule_id"],
            "source": rule["source"],
            "confidence": confidences[rule["source"]],
            "selector": {name: rule[name] for name in _SELECTORS if name in rule},
            "figure": {name: value for name, value in rule.items() if name not in apart},
            "note": rule.get("note", ""),
        }
