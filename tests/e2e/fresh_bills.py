"""Bills that no other test knows: sent, anchored, touched, and counted on the ledger."""

from __future__ import annotations

from typing import Any

from backend.adapters.database import tables
from scripts.sample_data.bills import BillShape, SampleBill, bill_of
from scripts.sample_data.expense_lines import Goods, charge
from scripts.sample_data.hospitals import last_day_of_one_year
from scripts.sample_data.payment_cases import CASES
from scripts.sample_data.planted import Action, Step
from tests.e2e.processes import wait_for
from tests.e2e.system import System


def fresh_bill(
    system: System, citizen: int, serial: int, hospital: int = 2, days_before: int = 45
) -> SampleBill:
    """A claimable bill that nothing else knows; by default of the custodial hospital."""
    assert citizen not in CASES, "the bank does something seldom with this citizen's account"
    population = system.population
    where, who = population.hospitals[hospital], population.citizens[citizen - 1]
    day = last_day_of_one_year(population.as_of)
    day = day.fromordinal(day.toordinal() - days_before)
    # Far above every yearly deductible, so that something is paid whoever claims it.
    goods = (Goods("01", "03", 2, 200_000_000 + serial * 10_000), Goods("02", "09", 60, 10_000_000))
    lines = tuple(charge(population.catalogue, day, entry) for entry in goods)
    return SampleBill(where, who, "json", bill_of(where, who, BillShape(day, serial), lines))


def send(system: System, bill: SampleBill) -> dict[str, Any]:
    status, body = system.play(Step(Action.SEND, bill, 201))
    assert status == 201, body
    return body


def until_anchored(system: System, bill: SampleBill, state: str = "final") -> None:
    agent = system.agents[bill.hospital.code]
    invoice_id = system.invoice_id(bill.invoice)
    wait_for(f"the anchor to be {state}",
             lambda: agent.status(invoice_id)["anchor"]["state"] == state, 40)  # fmt: skip


def touch(system: System, bill: SampleBill) -> None:
    citizen = system.citizen(bill.citizen.username)
    receipt = citizen.touch([system.invoice_id(bill.invoice)])
    assert receipt.status == 200, receipt.text[:400]


def claim_state(system: System, bill: SampleBill) -> tuple[str, str | None]:
    (claim,) = system.claims_of(bill.invoice)
    return str(claim.state), claim.waiting_for


def assert_each_fact_once(system: System, bills: list[SampleBill]) -> None:
    """Counted from chain events: no anchor, lodge or settlement is lost, none is doubled."""
    anchored = [(e["institution"], e["sequence"]) for e in system.events("Anchored")]
    assert len(anchored) == len(set(anchored)) == len(system.rows(tables.batch))
    for name in ("Lodged", "Settled"):
        keys = [event["invoiceKey"] for event in system.events(name)]
        for bill in bills:
            assert keys.count(system.stored(bill.invoice).invoice_key) == 1, name
