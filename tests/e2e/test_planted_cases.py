"""Every planted case has the state, the claim and the ledger outcome that its table says."""

from __future__ import annotations

from typing import Any

import pytest

from backend.adapters.database.tables import alarm, invoice
from backend.domain.ledger import SlotState
from scripts.sample_data.planted import (
    Action,
    ClaimOutcome,
    Expected,
    LedgerOutcome,
    PlantedCase,
    Step,
)
from tests.e2e.system import System
from verifier.commitment.invoice_key import compute_invoice_key

CASES = (
    "sent-twice", "other-content", "corrected", "voided", "reversed", "partial-refund",
    "settled-online", "other-name", "unknown-code", "same-number", "part-borne",
    "agreement-expired", "within-grace", "rounded-once", "with-attachments",
)  # fmt: skip


@pytest.fixture(scope="module")
def cases(touched: System) -> dict[str, PlantedCase]:
    return {case.name: case for case in touched.population.planted()}


def test_table_and_test_name_the_same_cases(cases: dict[str, PlantedCase]) -> None:
    assert tuple(cases) == CASES


@pytest.mark.parametrize("name", CASES)
def test_each_step_sent_again_is_answered_as_the_table_says(
    touched: System, cases: dict[str, PlantedCase], name: str
) -> None:
    """The loader has played the steps; a repetition changes nothing and gives the repeat's
    answer: 200 with the same resource where the first was created, the same refusal else."""
    for step in cases[name].steps:
        status, body = touched.play(step)
        if step.status < 400:
            assert status in (200, 201), body
            assert status == 200 or step.action is not Action.SEND, body
        else:
            assert status == step.status, body
            assert step.problem in _codes(body), body
            if step.problem == "different-content":
                route = f"/v1/invoices/{touched.invoice_id(step.bill.invoice)}/corrections"
                assert route in body["detail"]
                assert route in body["detail_en"]


def _codes(body: dict[str, Any]) -> set[str]:
    return {body["code"], *(error["code"] for error in body.get("errors", ()))}


@pytest.mark.parametrize("name", CASES)
def test_case_ends_as_the_table_says(
    touched: System, cases: dict[str, PlantedCase], name: str
) -> None:
    for expected in cases[name].expected:
        _assert_stored(touched, expected)
        if expected.invoice_state:
            _assert_claim(touched, expected)
        _assert_ledger(touched, expected)


def _assert_stored(system: System, expected: Expected) -> None:
    bill = expected.bill.invoice
    row = system.row(invoice, institution_code=bill.institution_code,
                     invoice_code=bill.invoice_code, invoice_number=bill.invoice_number)  # fmt: skip
    if not expected.invoice_state:
        assert row is None
        return
    assert row is not None
    state = system.hospital_state(expected.bill)
    assert state["state"] == expected.invoice_state, state
    assert bool(state.get("disputes")) == expected.disputed, state
    assert bool(state.get("marks")) == expected.marked, state


def _assert_claim(system: System, expected: Expected) -> None:
    claims = system.claims_of(expected.bill.invoice)
    if expected.claim is ClaimOutcome.NOT_OFFERED:
        assert claims == []
        return
    assert len(claims) == 1
    assert claims[0].state == str(expected.claim)
    if expected.reason:
        assert expected.reason in system.pend_codes(claims[0].id)


def _assert_ledger(system: System, expected: Expected) -> None:
    bill = expected.bill.invoice
    key = compute_invoice_key(system.services.network_key, bill.invoice_code, bill.invoice_number)
    slot = system.slot(key)
    basic = system.settings.payer_number
    outcome = expected.ledger
    assert bool(slot.flags & SlotState.VOID) == (outcome is LedgerOutcome.VOID)
    assert bool(slot.flags & SlotState.REVERSED) == (outcome is LedgerOutcome.REVERSED)
    if outcome is LedgerOutcome.NOTHING:
        assert slot.leaf_reference == slot.lodge_counter == slot.settled_payers == 0
    elif outcome in (LedgerOutcome.SETTLED, LedgerOutcome.SETTLED_ON_CORRECTION):
        decided = system.decision_of(bill).paid_fen
        assert slot.settled_payers == 1 << (basic - 1)
        assert (slot.total_fen, slot.paid_fen) == (bill.total_fen, bill.borne_fen + decided)
        assert slot.open_payer == 0
        pinned = bool(slot.flags & SlotState.PINNED)
        assert pinned == (outcome is LedgerOutcome.SETTLED_ON_CORRECTION)
    elif outcome is LedgerOutcome.LODGED:
        assert slot.open_payer == basic
        assert slot.settled_payers == 0


def test_same_number_from_two_institutions_raised_an_alarm(touched: System) -> None:
    codes = [row.code for row in touched.rows(alarm)]
    assert codes.count("number-disputed") == 1


def test_corrected_bill_was_superseded_once_on_the_ledger(
    touched: System, cases: dict[str, PlantedCase]
) -> None:
    bill = cases["corrected"].expected[0].bill.invoice
    key = compute_invoice_key(touched.services.network_key, bill.invoice_code, bill.invoice_number)
    found = [event for event in touched.events("Superseded") if event["invoiceKey"] == key]
    assert len(found) == 1


def test_resending_gives_the_same_resource(touched: System, cases: dict[str, PlantedCase]) -> None:
    step: Step = cases["sent-twice"].steps[1]
    first, again = touched.play(step), touched.play(step)
    assert first == again
    assert first[0] == 200
