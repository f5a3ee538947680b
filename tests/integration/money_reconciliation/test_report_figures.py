"""What a signed report says of the money: the three tables, and each account beside its bank."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.domain.journal import Fund, Layer
from backend.service_layer.journal.deposits import deposit
from backend.service_layer.money_reconciliation.report import verify_report
from tests.integration.money_reconciliation.test_cases_and_reports import SIGNER
from tests.integration.money_reconciliation.test_statements import DEPOSITED, Office
from tests.integration.payout.office import FIRST_FEN

pytestmark = pytest.mark.slow


def test_a_signed_report_has_the_three_tables_and_the_balance_of_each_account(
    tmp_path: Path,
) -> None:
    office = Office(tmp_path)
    office.pay()
    deposit(office.world.services, Fund("330800", "310", "330800", "test"), Layer.POOL, 7_000,
            reference="TYPED-ONLY", by="会计", reason="拨款")  # fmt: skip
    office.reconcile()
    report = verify_report(office.world.services, SIGNER, 1)
    said = json.loads(report.text)
    assert said["format"] == "yichu-money-report-2"
    before, today = said["tables"]
    # Added up by hand: two deposits and a typed one less the payment; one payment.
    assert before["ends_on"] < today["starts_on"] == today["ends_on"]
    assert sum(row["closing_fen"] for row in today["have"]) == DEPOSITED + 7_000 - FIRST_FEN
    assert [(row["paid_count"], row["paid_fen"]) for row in today["paid"]] == [(1, FIRST_FEN)]
    assert (today["ties"], today["simulated"], today["faults"]) == (1, 1, [])
    (account,) = said["balance_statements"]
    assert (account["region"], account["bank_fen"]) == ("330800", DEPOSITED - FIRST_FEN)
    assert account["book_fen"] == DEPOSITED + 7_000 - FIRST_FEN
    assert (account["we_received_count"], account["we_received_fen"]) == (1, 7_000)
    assert [one["reference"] for one in account["we_received"]] == ["TYPED-ONLY"]
    assert account["agrees"] == 1 and account["bank_paid_count"] == 0
