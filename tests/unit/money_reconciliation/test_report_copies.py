"""The copies of signed reports in a folder: whole, once, and nothing else is taken for one."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from backend.adapters.report_copies import ReportCopies
from backend.service_layer.money_reconciliation.report import MoneyReport

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)


def report(number: int, text: str = '{"甲":1}') -> MoneyReport:
    digest = hashlib.sha256(text.encode()).digest()
    return MoneyReport(number, NOW, 2, text, digest, bytes(32), "0xA1", b"\x01\x02")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def test_a_copy_is_the_report_and_is_kept_once(folder: Path) -> None:
    copies = ReportCopies(folder)
    assert copies.above(0) == [] and copies.find(1) == [], "before there is a folder"
    for one in (report(1), report(2), report(1)):
        copies.keep(one)
    assert copies.above(0) == [report(2), report(1)]
    assert (copies.above(1), copies.above(2)) == ([report(2)], [])
    assert copies.find(1) == [report(1)]
    assert len(list(folder.iterdir())) == 2 and folder.stat().st_mode & 0o777 == 0o700


def test_reports_that_have_parted_lie_beside_each_other(folder: Path) -> None:
    copies = ReportCopies(folder)
    copies.keep(report(4))
    copies.keep(report(4, "{}"))
    assert {one.text for one in copies.find(4)} == {'{"甲":1}', "{}"}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"number":1}', b"\xff", b"null",
     b'{"number":1,"made_at":"x","mismatch_count":0,"text":"","digest":"zz","previous_digest":"",'
     b'"account":"","signature":""}'],
)  # fmt: skip
def test_a_file_that_is_no_copy_is_no_report(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / f"report-000001-{'0' * 16}.json").write_bytes(content)
    assert ReportCopies(folder).above(0) == []


def test_a_file_of_another_name_or_number_is_no_report(folder: Path, tmp_path: Path) -> None:
    copies = ReportCopies(folder)
    copies.keep(report(1))
    (kept,) = folder.iterdir()
    for name in ("report-000009.json", "report-000008-xyz.json", kept.name.replace("1-", "7-", 1)):
        (folder / name).write_bytes(kept.read_bytes())
    (folder / kept.name.replace("1-", "6-", 1)).symlink_to(kept)
    assert copies.above(0) == [report(1)]


def test_a_folder_that_cannot_be_written_says_so(folder: Path) -> None:
    folder.write_bytes(b"a file")
    with pytest.raises(OSError, match=r"exists|directory"):
        ReportCopies(folder).keep(replace(report(1), number=3))
