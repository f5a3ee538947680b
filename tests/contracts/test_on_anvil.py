"""What is asked of two ledgers at once: the dev ledger and anvil, both under Berlin rules."""

from __future__ import annotations

import pytest

from scripts.bench import gas
from tests.contracts.anvil_chain import anvil_chain
from tests.contracts.chain import Chain, open_chain

pytestmark = pytest.mark.slow


def _gas_by_call(monkeypatch: pytest.MonkeyPatch, chain: Chain) -> dict[str, float]:
    """Gas an item of the benchmark's batch calls, none over its bar."""
    monkeypatch.setattr(gas, "open_chain", lambda: chain)
    rows, _level = gas.measure()
    assert [row.name for row in rows if row.is_over] == []
    return {row.name: row.measured for row in rows}


def test_anvil_charges_what_the_dev_ledger_charges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 1,000 anchored, 100 lodged, settled, refused and more: within one in a hundred."""
    there = _gas_by_call(monkeypatch, open_chain())
    with anvil_chain() as chain:
        here = _gas_by_call(monkeypatch, chain)
    assert len(there) >= 16
    assert here == pytest.approx(there, rel=0.01)
