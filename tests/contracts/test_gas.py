"""Gas stays below its bars and as published, and code below the size that can be deployed."""

from __future__ import annotations

import re

import pytest

from backend.contracts import ContractName, load_contract
from scripts.bench import gas
from scripts.compile_contracts import ROOT

PAGE = (ROOT / "docs" / "ledger.md").read_text("utf-8")


@pytest.mark.slow
def test_no_call_costs_more_than_its_bar_and_all_cost_what_the_page_says() -> None:
    rows, level = gas.measure()
    assert [row.name for row in rows if row.is_over] == []
    for row in rows:
        line = re.search(rf"^\| {re.escape(row.name)} \| ([\d,.]+) \|", PAGE, re.MULTILINE)
        assert line is not None, row.name
        # The time of day is in the calldata: a zero byte more or less.
        assert float(line[1].replace(",", "")) == pytest.approx(row.measured, rel=0.005)
    assert f"{gas.our_figure('level', rows, level)} |" in PAGE


@pytest.mark.parametrize("name", ["Registry", "InvoiceLedger"])
def test_a_contract_keeps_300_bytes_of_its_limit_free(name: ContractName) -> None:
    assert len(load_contract(name).deployed_bytecode) <= 24_576 - 300
