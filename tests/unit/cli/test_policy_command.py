"""``yichu policy``: the samples of docs/schemas, and what a wrong file gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.domain.bill import BillError
from backend.domain.errors import DomainError
from backend.domain.invoice import MalformedRecordError
from backend.domain.policy import PolicyError
from backend.domain.record_reader import MalformedDataError
from backend.entrypoints.cli.policy import command

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "docs" / "schemas"
PACK = ROOT / "backend" / "policies" / "quzhou-2026.json"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.sample.json").read_text(encoding="utf-8"))


def run(*arguments: object) -> str:
    found = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def adjudicate(folder: Path, *options: object, **files: Any) -> Any:
    paths = []
    for name, value in files.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
        paths += [f"--{name}", path]
    return json.loads(run("adjudicate", "--policy", PACK, *paths, *options))


def test_sample_pays_what_the_page_works_out_by_hand(tmp_path: Path) -> None:
    output = adjudicate(
        tmp_path,
        invoice=sample("invoice"),
        person=sample("person"),
        history=sample("history"),
    )
    assert output == sample("output")
    assert {row["code"]: row["amount_fen"] for row in output["summary"]} == {
        "total": 517_800,
        "excluded": -6_000,
        "over-price-limit": -25_500,
        "class-b-share": -14_100,
        "deductible": -60_000,
        "personal-ratio": -65_952,
        "paid": 346_248,
    }


def test_options_override_the_persons_visit(tmp_path: Path) -> None:
    output = adjudicate(
        tmp_path, "--hospital-level", 2, "--remote-status", "referred-filed",
        invoice=sample("invoice"), person=sample("person"),
    )  # fmt: skip
    # (4,722.00 - 400.00) x 87 % x 0.9 = 3,384.126
    assert output["paid_fen"] == 338_413


def test_pack_sample_is_the_shipped_pack() -> None:
    assert sample("pack") == json.loads(PACK.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["pack", "invoice", "person", "history", "output"])
def test_sample_has_only_members_of_its_schema(name: str) -> None:
    schema = json.loads((SAMPLES / f"{name}.schema.json").read_text(encoding="utf-8"))
    _conforms(sample(name), schema, "")


def _conforms(value: Any, schema: Any, path: str) -> None:
    """The part of JSON Schema that the files use, so that no package is needed for it."""
    if "oneOf" in schema:
        for choice in schema["oneOf"]:
            try:
                _conforms(value, choice, path)
            except AssertionError:
                continue
            return
        raise AssertionError(path)
    if "enum" in schema:
        assert value in schema["enum"], path
    if "const" in schema:
        assert value == schema["const"], path
    if schema.get("type") == "object":
        assert set(schema["required"]) <= set(value) <= set(schema["properties"]), path
        for key, member in value.items():
            _conforms(member, schema["properties"][key], f"{path}/{key}")
    if schema.get("type") == "array":
        for index, member in enumerate(value):
            _conforms(member, schema["items"], f"{path}/{index}")
    if schema.get("type") == "integer":
        assert type(value) is int, path
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), path
    if schema.get("type") == "string":
        assert type(value) is str, path


def test_check_hash_and_canonical_agree() -> None:
    printed = run("hash", PACK).strip()
    assert printed in run("check", PACK)
    assert len(printed) == 64
    assert run("canonical", PACK).startswith('{"caps":[')


@pytest.mark.parametrize(
    ("name", "change", "kind", "message"),
    [
        ("person", {"visit": {}}, BillError, "hospital level is missing"),
        ("person", {"visit": {"hospital_level": 4}}, MalformedDataError, "/visit: is not a visit"),
        ("person", {"visit": {"luck": 1}}, MalformedDataError, "/visit: is not a visit"),
        ("person", {"visit": {"hospital_level": 3, "remote_status": "x"}}, PolicyError, "status x"),
        ("person", {"insurance_type": "340"}, PolicyError, "exactly one rule"),
        ("person", {"cover": 1}, MalformedDataError, "/cover: is not a list"),
        ("history", {"entries": [1]}, MalformedDataError, "/entries/0: is not an object"),
        ("invoice", {"total_fen": -1}, BillError, "red bill"),
        ("invoice", {"fund_pay_fen": 1}, BillError, "already settled"),
        ("invoice", {"format": "yichu-invoice-9"}, MalformedRecordError, "record/format"),
        ("invoice", {"total_fen": 1.5}, MalformedDataError, "INVOICE"),
        ("invoice", {"total_fen": 517_801}, DomainError, "do not add up"),
        ("invoice", {"discharged_on": "2023-12-31", "admitted_on": "2023-12-30"}, PolicyError,
         "not in force"),
    ],
)  # fmt: skip
def test_wrong_file_is_refused(
    *, tmp_path: Path, name: str, change: Any, kind: type[Exception], message: str
) -> None:
    files = {part: sample(part) for part in ("invoice", "person", "history")}
    files[name] |= change
    with pytest.raises(kind, match=message):
        adjudicate(tmp_path, **files)
