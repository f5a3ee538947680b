"""``python -m scripts.sample_data``: a new bill as a file, and plain refusals."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backend.adapters.einvoice.json_reader import parse_json_invoice
from backend.adapters.einvoice.xml_reader import parse_fiscal_xml
from scripts.sample_data import __main__ as command


def run(patch: pytest.MonkeyPatch, *arguments: str) -> int:
    patch.setattr(sys, "argv", ["sample_data", *arguments])
    try:
        command.main()
    except SystemExit as stop:
        assert isinstance(stop.code, int)
        return stop.code
    return 0


def test_new_bill_is_another_one_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = set()
    for name, parse in (("a.xml", parse_fiscal_xml), ("b.json", parse_json_invoice)):
        assert run(monkeypatch, "bill", str(tmp_path / name)) == 0
        bill = parse((tmp_path / name).read_bytes()).sound_invoice()
        assert (bill.institution_code, bill.total_fen) == ("H33080200001", 76_000)
        assert bill.invoice_number in capsys.readouterr().out
        numbers.add(bill.invoice_number)
    assert len(numbers) == 2


@pytest.mark.parametrize(
    "arguments",
    [("a.pdf",), ("a.xml", "--hospital", "H0"), ("a.xml", "--citizen", "nobody")],
)
def test_unknown_name_is_a_plain_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    assert run(monkeypatch, "bill", str(tmp_path / arguments[0]), *arguments[1:]) == 2
    assert "no such hospital, citizen, or type" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
