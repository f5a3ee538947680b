"""The ledger's calls stay below their gas bars, and its code leaves room for the later calls."""

from __future__ import annotations

import pytest

from backend.contracts import load_contract
from scripts.bench import gas


@pytest.mark.slow
def test_no_call_costs_more_than_its_bar(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = gas.main()
    assert verdict == 0, capsys.readouterr().out


def test_the_ledger_leaves_room_for_the_calls_not_offered_yet() -> None:
    assert len(load_contract("InvoiceLedger").deployed_bytecode) <= 24_576 - 2_560
