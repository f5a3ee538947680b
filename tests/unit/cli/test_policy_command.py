"""``yichu policy``: the samples of docs/schemas, and what a wrong file gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.domain.invoice import MalformedRecordError
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


def test_check_hash_and_canonical_agree() -> None:
    printed = run("hash", PACK).strip()
    assert printed in run("show", PACK)
    assert len(printed) == 64
    assert run("canonical", PACK).startswith('{"caps":[')


@pytest.mark.parametrize(
    ("name", "change", "kind", "message"),
    [
        ("person", {"visit": {"hospital_level": 4}}, MalformedDataError, "/visit: is not a visit"),
        ("person", {"visit": {"luck": 1}}, MalformedDataError, "/visit: is not a visit"),
        ("person", {"cover": 1}, MalformedDataError, "/cover: is not a list"),
        ("history", {"entries": [1]}, MalformedDataError, "/entries/0: is not an object"),
        ("invoice", {"format": "yichu-invoice-9"}, MalformedRecordError, "record/format"),
        ("invoice", {"total_fen": 1.5}, MalformedDataError, "INVOICE"),
        ("rulings", [{"kind": "match"}], MalformedDataError, "/rulings/0/rule_id: is missing"),
    ],
)
def test_wrong_file_is_refused(
    *, tmp_path: Path, name: str, change: Any, kind: type[Exception], message: str
) -> None:
    files = {part: sample(part) for part in ("invoice", "person", "history")}
    files[name] = change if name == "rulings" else files[name] | change
    with pytest.raises(kind, match=message):
        adjudicate(tmp_path, **files)


@pytest.mark.parametrize(
    ("name", "change", "status", "message"),
    [
        ("person", {"visit": {}}, 2, "hospital level is missing"),
        ("person", {"visit": {"hospital_level": 3, "remote_status": "x"}}, 3, "[no-rule]"),
        ("person", {"insurance_type": "340"}, 3, "exactly one rule"),
        ("person", {"region": "110000"}, 3,
         "Pack quzhou-2026 is of 330800, the person is insured in 110000."),
        ("invoice", {"total_fen": -1}, 3, "red bill"),
        ("invoice", {"fund_pay_fen": 1}, 3, "already settled"),
        ("invoice", {"total_fen": 517_801}, 3, "do not add up"),
        ("invoice", {"discharged_on": "2023-12-31", "admitted_on": "2023-12-30"}, 3,
         "not in force"),
        ("rulings", [{"line_index": 99, "kind": "confirm", "rule_id": "r", "basis_zh": "据",
          "basis_en": "basis"}], 3, "a line that is not there"),
    ],
)  # fmt: skip
def test_what_gives_no_amount_has_its_own_exit_status(
    *, tmp_path: Path, name: str, change: Any, status: int, message: str
) -> None:
    files = {part: sample(part) for part in ("invoice", "person", "history")}
    files[name] = change if name == "rulings" else files[name] | change
    paths: list[str] = []
    for part, value in files.items():
        path = tmp_path / f"{part}.json"
        path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
        paths += [f"--{part}", str(path)]
    found = CliRunner().invoke(command, ["adjudicate", "--policy", str(PACK), *paths])
    assert (found.exit_code, found.stdout) == (status, "")
    assert message in found.stderr


def test_a_reviewers_ruling_changes_one_line_and_stands_in_the_output(tmp_path: Path) -> None:
    ruling = {
        "line_index": 0, "kind": "exclude", "rule_id": "r", "basis_zh": "重复收费",
        "basis_en": "charged twice",
    }  # fmt: skip
    output = adjudicate(
        tmp_path, invoice=sample("invoice"), person=sample("person"),
        history=sample("history"), rulings=[ruling],
    )  # fmt: skip
    # (4,722.00 - 2,150.00 - 600.00) x 84 % = 1,656.48
    assert output["paid_fen"] == 165_648
    assert output["rulings"] == [ruling]
    assert output["lines"][0]["adjustments"][0]["basis_zh"] == "重复收费"


def test_the_rulings_sample_pays_what_the_page_works_out_by_hand(tmp_path: Path) -> None:
    output = adjudicate(
        tmp_path, invoice=sample("invoice"), person=sample("person"),
        history=sample("history"), rulings=sample("rulings"),
    )  # fmt: skip
    assert (output["inscp_scp_amt_fen"], output["paid_fen"]) == (459_620, 335_681)


def test_an_installed_pack_is_named_by_its_id() -> None:
    assert run("hash", "quzhou-2026") == run("hash", PACK)
    found = CliRunner().invoke(command, ["hash", "quzhou-1999"])
    assert found.exit_code == 2
    assert "no such pack: quzhou-1999" in found.stderr


@pytest.mark.parametrize("name", ["pack", "invoice", "person", "history"])
def test_validate_tells_a_file_by_its_format(name: str) -> None:
    assert run("validate", SAMPLES / f"{name}.sample.json").startswith("yichu-")


def test_validate_lists_every_fault_on_its_own_line(tmp_path: Path) -> None:
    pack = sample("pack")
    pack["deductibles"][0]["mode"] = "weekly"
    pack["caps"][0]["limit_fen"] = -1
    del pack["region"]
    path = tmp_path / "pack.json"
    path.write_text(json.dumps(pack), encoding="utf-8")
    found = CliRunner().invoke(command, ["validate", str(path)])
    assert (found.exit_code, found.stdout) == (1, "")
    lines = found.stderr.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == [
        "/region", "/deductibles/0/mode", "/caps/0/limit_fen",
    ]  # fmt: skip
    assert len(lines) == 4


@pytest.mark.parametrize("value", [{}, [], {"format": "yichu-eob-1"}])
def test_validate_refuses_a_file_of_another_kind(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(MalformedDataError, match="/format: is not one of"):
        run("validate", path)
