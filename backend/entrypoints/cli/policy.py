"""``yichu policy``: check and hash packs, run one adjudication with no database or ledger."""

from __future__ import annotations

import json
from pathlib import Path

import click

from backend.adapters.json_file import read_json
from backend.adapters.policy_packs import load_pack, pack_document
from backend.domain.adjudication import adjudicate as adjudicate_bill
from backend.domain.bill import LOCAL_CARE, BillError, bill_from_invoice
from backend.domain.invoice import Invoice, VisitKind
from backend.domain.person import History, parse_history, parse_person
from backend.domain.record_reader import MalformedDataError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """政策包 / policy packs: check, hash, and adjudicate one bill offline."""


@command.command()
@click.argument("pack", type=_FILE)
def check(pack: Path) -> None:
    """Check PACK and the catalogue that it names; every fault is listed with its JSON path."""
    loaded = load_pack(pack)
    click.echo(f"{loaded.pack_id} {loaded.name_zh} / {loaded.name_en}")
    click.echo(f"{loaded.effective_from} .. {loaded.effective_to}  {loaded.policy_hash.hex()}")
    for source in loaded.sources:
        click.echo(f"[{source.confidence}] {source.title}: {source.zh} / {source.en}")


@command.command("hash")
@click.argument("pack", type=_FILE)
def hash_pack(pack: Path) -> None:
    """Print the policy hash of PACK: SHA-256 of its canonical JSON bytes."""
    click.echo(load_pack(pack).policy_hash.hex())


@command.command()
@click.argument("pack", type=_FILE)
def canonical(pack: Path) -> None:
    """Print the canonical JSON bytes of PACK, the text that its hash is taken of."""
    click.echo(pack_document(pack), nl=False)


@command.command()
@click.option("--policy", required=True, type=_FILE, help="Policy pack (JSON).")
@click.option("--invoice", required=True, type=_FILE, help="Canonical invoice record (JSON).")
@click.option("--person", required=True, type=_FILE, help="Person snapshot (JSON).")
@click.option("--history", type=_FILE, help="Earlier decisions of the year (JSON).")
@click.option("--hospital-level", type=click.IntRange(1, 3), help="Overrides PERSON's visit.")
@click.option("--remote-status", help="Overrides PERSON's visit; 'local' when neither says.")
@click.option(
    "--visit-kind",
    type=click.Choice([str(kind) for kind in VisitKind]),
    help="Overrides what the invoice says.",
)
def adjudicate(
    *,
    policy: Path,
    invoice: Path,
    person: Path,
    history: Path | None,
    hospital_level: int | None,
    remote_status: str | None,
    visit_kind: str | None,
) -> None:
    """Print the explanation of benefits of one bill as JSON; no database, no ledger.

    The bill says neither the hospital's level nor the remote filing. They come from the options,
    or from an object "visit" in PERSON: {"hospital_level": 3, "remote_status": "local"}.
    """
    pack = load_pack(policy)
    person_value = read_json(person, "PERSON")
    visit: object = {}
    if isinstance(person_value, dict):
        # "visit" is about this bill, not about the person: it is not part of the snapshot.
        visit = person_value.pop("visit", {})
    snapshot = parse_person(person_value)
    past = History() if history is None else parse_history(read_json(history, "HISTORY"))
    record = read_json(invoice, "INVOICE")
    if not isinstance(record, dict):
        raise MalformedDataError("INVOICE", (("", "不是对象", "is not an object"),))
    level, remote = _visit(visit)
    level = hospital_level or level
    if level is None:
        raise BillError(
            "缺少医院等级：请用 --hospital-level，或写在 PERSON 的 visit 里。",
            "The hospital level is missing: use --hospital-level, or PERSON's visit.",
        )
    bill = bill_from_invoice(
        Invoice.from_record(record),
        invoice_key=bytes(32),
        hospital_level=level,
        remote_status=remote_status or remote,
        visit_kind=VisitKind(visit_kind) if visit_kind else None,
    )
    explanation = adjudicate_bill(pack, bill, snapshot, past).to_estimate()
    click.echo(json.dumps(explanation, ensure_ascii=False, indent=2))


def _visit(value: object) -> tuple[int | None, str]:
    if not isinstance(value, dict) or set(value) - {"hospital_level", "remote_status"}:
        raise MalformedDataError("PERSON", (("/visit", "内容不对", "is not a visit"),))
    level = value.get("hospital_level")
    remote = value.get("remote_status", LOCAL_CARE)
    if (level is not None and level not in (1, 2, 3)) or not isinstance(remote, str):
        raise MalformedDataError("PERSON", (("/visit", "内容不对", "is not a visit"),))
    return level, remote
