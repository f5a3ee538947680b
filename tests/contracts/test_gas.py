"""Gas stays below its bars, and code below the size that can be deployed."""

from __future__ import annotations

import pytest

from backend.contracts import ContractName, load_contract
from scripts.bench import gas


@pytest.mark.slow
def test_no_call_costs_more_than_its_bar(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = gas.main()
    assert verdict == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", ["Registry", "InvoiceLedger"])
def test_a_contract_keeps_300_bytes_of_its_limit_free(name: ContractName) -> None:
    assert len(load_contract(name).deployed_bytecode) <= 24_576 - 300
