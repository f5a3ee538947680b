"""``yichu lead`` walks a case from its opening to the order, and books points."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend import bootstrap
from backend.domain.errors import DomainError
from backend.entrypoints.cli import lead
from tests.integration.claims.world import HOSPITAL
from tests.integration.supervision.case_file import CLERK, DECIDER, DOCTOR, FINDER, CaseFile

pytestmark = pytest.mark.slow
PDF = b"%PDF-1.4\n%%EOF\n"


@pytest.fixture
def shell(case_file: CaseFile, monkeypatch: pytest.MonkeyPatch) -> CaseFile:
    monkeypatch.setattr(bootstrap, "build_services", lambda: case_file.services)
    return case_file


def run(*arguments: str) -> Result:
    return CliRunner().invoke(lead.command, list(arguments))


def said(*arguments: str) -> str:
    found = run(*arguments)
    assert found.exit_code == 0, found.output + repr(found.exception)
    return found.output


def by(name: str) -> tuple[str, ...]:
    return ("--by", name, "--reason", "已核对")


def test_a_case_from_report_to_points_at_the_command_line(shell: CaseFile) -> None:
    opened = ("open", "--source", "report", "--institution", HOSPITAL, "--reference", "R1")
    lead_id = said(*opened, *by("报告人")).strip()
    assert f"{lead_id}  lead  report  {HOSPITAL}  -" in said("list")
    assert said("ask", lead_id, *by(CLERK)) == "asked  2026-12-04\n"
    assert said("overdue") == "没有线索 / no leads\n"
    assert said("answer", lead_id, *by(CLERK)) == "answered  -\n"
    found = ("find", lead_id, "--outcome", "substantiated", "--amount", "201,100.00")
    assert said(*found, *by(FINDER)) == "found  2026-12-04\n"
    shell.days()
    shown = said("show", lead_id)
    assert "生效 / final" in shown and "201,100.00" in shown.replace("201100.00", "201,100.00")
    assert "belongs" not in said("export")
    ordered = said("order", lead_id, *by(DECIDER))
    assert "recovery-ordered" in ordered
    assert "the recovery is opened by itself: yichu recovery list" in ordered
    booked = said(
        "points", "book", lead_id, "--person", DOCTOR, "--act", "重复收费", "--band", "10-12",
        "--responsibility", "main", "--points", "12", *by(CLERK),
    ).strip()  # fmt: skip
    told = said("points", "show", DOCTOR, "--year", "2026")
    assert "accumulated: 终止 / end 12 个月" in told
    assert "at once: 终止 / end 36 个月" in told
    assert "proposed only; a person decides" in told
    assert (
        said("points", "repair", booked, "--points", "4", *by("培训员")) == "已减分 / taken off\n"
    )
    (row,) = json.loads(said("points", "export", "--year", "2026"))
    assert (row["points"], row["points_left"]) == (12, 8)
    (finding,) = json.loads(said("export"))
    assert (finding["lead"], finding["amount_fen"]) == (lead_id, 20_110_000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("open", "--source", "report", *by("甲")), "name one of --claim"),
        (
            ("open", "--source", "report", "--claim", "C1", "--invoice", "i", *by("甲")),
            "name one of --claim",
        ),
        (("open", "--source", "rumour", "--claim", "C1", *by("甲")), "'rumour' is not one of"),
        (
            ("open", "--source", "report", "--claim", "C1", "--by", "甲"),
            "Missing option '--reason'",
        ),
        (("evidence", "led_1", "--description", "d", "--by", "甲"), "give --row KIND ID, or"),
        (("find", "led_1", "--outcome", "maybe", *by("甲")), "'maybe' is not one of"),
        (("points", "show", DOCTOR, "--year", "1999"), "1999 is not in the range"),
    ],
)
def test_what_is_not_understood_is_said(
    shell: CaseFile, arguments: tuple[str, ...], message: str
) -> None:
    found = run(*arguments)
    assert found.exit_code == 2
    assert message in found.output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "led_none"), "not-found"),
        (("ask", "led_none", *by("甲")), "not-found"),
        (("open", "--source", "report", "--institution", "H9", *by("甲")), "not-found"),
        (("points", "repair", "pnt_none", "--points", "1", *by("甲")), "not-found"),
    ],
)
def test_what_is_not_there_is_refused(
    shell: CaseFile, arguments: tuple[str, ...], code: str
) -> None:
    found = run(*arguments)
    assert isinstance(found.exception, DomainError), found.output
    assert found.exception.code == code


def test_a_file_of_another_kind_is_no_evidence(shell: CaseFile, tmp_path: Path) -> None:
    lead_id = shell.open()
    path = tmp_path / "x.txt"
    path.write_text("hello")
    found = run("evidence", lead_id, "--file", str(path), "--description", "d", "--by", "甲")
    assert isinstance(found.exception, DomainError), found.output
    path = tmp_path / "x.pdf"
    path.write_bytes(PDF)
    done = said("evidence", lead_id, "--file", str(path), "--description", "d", "--by", "甲")
    assert done.startswith("1  ")
