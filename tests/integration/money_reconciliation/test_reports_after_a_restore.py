"""Signed reports after a restored backup: one chain, whatever the database has lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.adapters.database import tables
from backend.service_layer.money_reconciliation.report import MoneyReport, store_report
from backend.service_layer.money_reconciliation.report import verify_report as verified
from tests.integration.claims.world import World
from tests.integration.money_reconciliation.test_cases_and_reports import AGENCY, SIGNER
from tests.integration.money_reconciliation.test_restore import back_up, restore

pytestmark = pytest.mark.slow


def test_no_number_is_given_out_twice_and_the_lost_reports_are_named(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    with world.services.engine.begin() as connection:
        connection.execute(tables.payer.update().values(ledger_account=AGENCY.address))

    def made() -> MoneyReport:
        return store_report(world.services, SIGNER, [])

    made()
    back_up(world, tmp_path / "copy.db")
    lost = [made(), made()]
    restore(world, tmp_path / "copy.db")
    after = made()
    assert (after.number, after.previous_digest) == (4, lost[-1].digest)
    assert json.loads(after.text)["lost_reports"] == 2
    reader = world.services.signature_reader
    assert [verified(world.services, reader, number) for number in (2, 3, 4)] == [*lost, after]
    # Without the folder nobody knows of them: what the manual says of it.
    for copy in (world.services.settings.var_dir / "reports").iterdir():
        copy.unlink()
    restore(world, tmp_path / "copy.db")
    assert made().number == 2
