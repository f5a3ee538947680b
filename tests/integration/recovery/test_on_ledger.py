"""Recoveries on the development ledger: the contract counts them once, a bundle lists them, and a
restored backup adopts them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from backend.domain.local_time import local_day
from backend.domain.recovery import Recovery
from backend.entrypoints.cli.export import policy_text
from backend.service_layer.claims.records import Claim
from backend.service_layer.evidence.collect import export_claim
from backend.service_layer.intake.change_invoice import VoidReason, void_invoice
from backend.service_layer.recovery.people import Incoming, receive
from backend.service_layer.recovery.run import recovery_pass
from tests.integration.anchoring.test_restored_backup import (
    finish,
    reconcile,
    refuse_to_start,
    reopened,
    say_go,
)
from tests.integration.claims.test_versions_on_ledger import claimed, judged, town
from tests.kill.town import CUSTODIAL, Town, back_up
from verifier.verifier import Verdict

__all__ = ["town"]
pytestmark = pytest.mark.slow
#: At level 3: (500.00 - 300.00) x 50 %.
PAID_FEN = 10_000


def paid_back(town: Town) -> Claim:
    """A paid claim whose hospital voids its bill, and whose money came back in two parts."""
    _, claim = claimed(town, 500, 100)
    finish(town)
    withdraw(town, claim)
    return claim


def withdraw(town: Town, claim: Claim) -> None:
    deps: Any = town.services
    with deps.work(write=False) as work:
        institution = work.institutions.get(CUSTODIAL)
    void_invoice(deps, institution, claim.invoice_id, VoidReason.WRONG_CONTENT)
    recovery_pass(deps)
    (found,) = orders(town, claim)
    today = local_day(deps.clock.now())
    for reference, fen in (("B-1", 4_000), ("B-2", 6_000)):
        receive(deps, Incoming(reference, found.order.id, fen, today), by="出纳甲")
    finish(town)


def orders(town: Town, claim: Claim) -> list[Recovery]:
    with town.services.work(write=False) as work:
        return work.recoveries.of_claim(claim.id)


def test_what_came_back_is_on_the_ledger_once_and_in_the_bundle(town: Town) -> None:
    claim = paid_back(town)
    assert len(town.event_keys("Recovered")) == len(town.event_keys("Voided")) == 1
    bundle = export_claim(town.services, claim.number, policy_text)
    (taken,) = bundle["recoveries"]
    (found,) = orders(town, claim)
    assert (taken["number"], taken["amount_fen"]) == (found.order.number.hex(), PAID_FEN)
    assert judged(town, bundle) == (Verdict.VERIFIED, [])
    assert town.services.ledger.slot(town.key_of(claim.invoice_id)).paid_fen == PAID_FEN
    recovery_pass(town.services)
    finish(town)
    assert len(town.event_keys("Recovered")) == 1 and town.alarms() == set()


def test_a_restored_backup_adopts_the_recovery_and_asks_for_nothing_more(
    town: Town, tmp_path: Path
) -> None:
    _, claim = claimed(town, 500, 100)
    finish(town)
    back_up(town.folder, tmp_path / "backup.db")
    withdraw(town, claim)
    time.sleep(1)  # A statement of the bank reaches to the last whole second.
    town = reopened(town, tmp_path / "backup.db")
    refuse_to_start(town)
    done = reconcile(town)
    # The ledger knows the sum that came back; that it came as these two, only the bank's statement.
    wrong = [line.split("\t")[1] for line in done.output.splitlines() if "mismatch" in line]
    assert (done.exit_code, wrong) == (1, ["R19 B-1", "R19 B-2"]), done.output
    say_go(town)
    finish(town)
    recovery_pass(town.services)
    (found,) = orders(town, claim)
    assert (found.state, found.received_fen, found.order.cause) == ("recovered", PAID_FEN, "ledger")
    assert len(town.event_keys("Recovered")) == 1 and town.alarms() == {"reconcile-case"}
    with town.services.work(write=False) as work:
        assert work.journal.balance("receivable:330800") == 0
    town.close()
