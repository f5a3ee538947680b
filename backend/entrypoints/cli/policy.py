"""``yichu policy``: validate, show, publish and shadow-run packs; adjudicate one bill.

Exit status: 0 done; 1 a file is wrong, or a shadow run found differences; 2 wrong usage; 3 the
files are right, but no amount can be worked out from them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from backend.adapters.json_file import read_json
from backend.adapters.policy_packs import load_pack, pack_document
from backend.domain.adjudication import adjudicate as adjudicate_bill
from backend.domain.bill import LOCAL_CARE, BillError, BillForBenefit, bill_from_invoice
from backend.domain.errors import DomainError
from backend.domain.invoice import Invoice, VisitKind
from backend.domain.money import MoneyError
from backend.domain.person import History, parse_history, parse_person
from backend.domain.policy import PolicyError
from backend.domain.record_reader import MalformedDataError
from backend.domain.remote_care import is_in_area
from backend.domain.ruling import RulingError, parse_rulings
from backend.entrypoints.cli import policy_shadow, policy_show
from backend.entrypoints.cli.policy_argument import PACK

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NO_AMOUNT_STATUS = 3


class NoAmount(click.ClickException):
    """The files are right, and still no amount follows from them."""

    exit_code = NO_AMOUNT_STATUS

    def __init__(self, error: DomainError) -> None:
        super().__init__(f"{error.zh}\n{error.en}\n[{error.code}]")

    def show(self, file: Any = None) -> None:
        """Print the message as every other error of the command line is printed."""
        click.echo(self.message, err=True)


@click.group()
def command() -> None:
    """政策包 / policy packs: validate, show, publish, shadow-run, adjudicate one bill."""


@command.command("hash")
@click.argument("pack", type=PACK)
def hash_pack(pack: Path) -> None:
    """Print the policy hash of PACK: SHA-256 of its canonical JSON bytes."""
    click.echo(load_pack(pack).policy_hash.hex())


@command.command()
@click.argument("pack", type=PACK)
def canonical(pack: Path) -> None:
    """Print the canonical JSON bytes of PACK, the text that its hash is taken of."""
    click.echo(pack_document(pack), nl=False)


@command.command()
@click.option("--policy", required=True, type=PACK, help="Policy pack: a file or an id.")
@click.option("--invoice", required=True, type=_FILE, help="Canonical invoice record (JSON).")
@click.option("--person", required=True, type=_FILE, help="Person snapshot (JSON).")
@click.option("--history", type=_FILE, help="Earlier decisions of the year (JSON).")
@click.option("--rulings", type=_FILE, help="A reviewer's rulings on single lines (JSON).")
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
    rulings: Path | None,
    hospital_level: int | None,
    remote_status: str | None,
    visit_kind: str | None,
) -> None:
    """Print the explanation of benefits of one bill as JSON; no database, no ledger.

    The bill says neither the hospital's level nor the remote filing. They come from the options,
    or from an object "visit" in PERSON: {"hospital_level": 3, "remote_status": "local"}.
    Exit status 3: no amount can be worked out, with the reason.
    """
    pack = load_pack(policy)
    person_value = read_json(person, "PERSON")
    visit: object = {}
    if isinstance(person_value, dict):
        # "visit" is about this bill, not about the person: it is not part of the snapshot.
        visit = person_value.pop("visit", {})
    snapshot = parse_person(person_value)
    past = History() if history is None else parse_history(read_json(history, "HISTORY"))
    ruled = () if rulings is None else parse_rulings(read_json(rulings, "RULINGS"))
    level, remote = _visit(visit)
    level = hospital_level or level
    if level is None:
        raise click.UsageError(
            "缺少医院等级：请用 --hospital-level，或写在 PERSON 的 visit 里 / "
            "the hospital level is missing: use --hospital-level, or PERSON's visit"
        )
    try:
        if not is_in_area(pack.region, snapshot.region):
            raise PolicyError(
                f"政策包 {pack.pack_id} 是 {pack.region} 的，参保地是 {snapshot.region}。",
                f"Pack {pack.pack_id} is of {pack.region}, the person is insured in "
                f"{snapshot.region}.",
            )
        bill = _bill(invoice, level, remote_status or remote, visit_kind)
        explanation = adjudicate_bill(pack, bill, snapshot, past, ruled).to_estimate()
    except (PolicyError, BillError, MoneyError, RulingError) as error:
        raise NoAmount(error) from error
    click.echo(json.dumps(explanation, ensure_ascii=False, indent=2))


def _bill(invoice: Path, level: int, remote: str, visit_kind: str | None) -> BillForBenefit:
    record = read_json(invoice, "INVOICE")
    if not isinstance(record, dict):
        raise MalformedDataError("INVOICE", (("", "不是对象", "is not an object"),))
    return bill_from_invoice(
        Invoice.from_record(record),
        invoice_key=bytes(32),
        hospital_level=level,
        remote_status=remote,
        visit_kind=VisitKind(visit_kind) if visit_kind else None,
    )


def _visit(value: object) -> tuple[int | None, str]:
    if not isinstance(value, dict) or set(value) - {"hospital_level", "remote_status"}:
        raise MalformedDataError("PERSON", (("/visit", "内容不对", "is not a visit"),))
    level = value.get("hospital_level")
    remote = value.get("remote_status", LOCAL_CARE)
    is_level = level is None or (type(level) is int and level in (1, 2, 3))
    if not is_level or not isinstance(remote, str):
        raise MalformedDataError("PERSON", (("/visit", "内容不对", "is not a visit"),))
    return level, remote


@command.command()
@click.argument("packs", type=PACK, nargs=-1)
def publish(packs: tuple[Path, ...]) -> None:
    """Publish PACKS on the ledger: by default every installed pack of the region.

    A pack of the same pack_id with another content is refused: what was published is never edited.
    """
    from backend.bootstrap import build_services

    publish_paths(build_services(), packs)


def publish_paths(services: Any, paths: tuple[Path, ...] = ()) -> None:
    """Publish the packs in ``paths``, or every installed one of the settings' region."""
    from backend.adapters.ledger.network import Network
    from backend.adapters.policy_packs import read_documents
    from backend.service_layer.policies.publish import publish_packs

    documents = read_documents(paths or None, services.settings.region)
    for done in publish_packs(services, Network(services), documents):
        word = "published" if done.is_new else "was published before"
        click.echo(f"{done.pack_id} {done.policy_hash.hex()}: {word}")


command.add_command(policy_show.validate)
command.add_command(policy_show.validate, "check")
command.add_command(policy_show.list_packs, "list")
command.add_command(policy_show.show)
command.add_command(policy_shadow.shadow)
