"""The sample is deterministic, adds up, and is obviously invented."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import re

import pytest

from backend.adapters.catalogue import load_catalogue
from backend.adapters.einvoice.writers import invoice_to_fiscal_xml, invoice_to_json
from backend.adapters.policy_packs import load_packs
from backend.domain.adjudication import estimate_submission
from backend.domain.bill import bill_from_invoice
from backend.domain.person import CoverPeriod, History, PersonSnapshot
from scripts.sample_data.bills import LONG_BILL_LINES, SampleBill, line_counts
from scripts.sample_data.citizens import CITIZENS
from scripts.sample_data.demo import DEMO_PAID_FEN, DEMO_TOTAL_FEN
from scripts.sample_data.hospitals import population_hospitals, sample_hospitals
from scripts.sample_data.planted import Action, ClaimOutcome, LedgerOutcome
from scripts.sample_data.population import (
    DEFAULT_SEED,
    QUZHOU_BILLS,
    QUZHOU_LINES,
    Population,
    quzhou_population,
    sample_population,
)

AS_OF = dt.date(2026, 11, 22)


@pytest.fixture(scope="module")
def population() -> Population:
    return sample_population(DEFAULT_SEED, AS_OF, load_catalogue())


@pytest.fixture(scope="module")
def bulk(population: Population) -> list[SampleBill]:
    return list(population.bills())


def _digest(bills: list[SampleBill]) -> str:
    whole = hashlib.sha256()
    for bill in bills:
        write = invoice_to_json if bill.wire == "json" else invoice_to_fiscal_xml
        whole.update(write(bill.invoice))
    return whole.hexdigest()


def test_bills_are_the_same_bytes_when_made_again(
    population: Population, bulk: list[SampleBill]
) -> None:
    again = sample_population(DEFAULT_SEED, AS_OF, load_catalogue())
    assert _digest(list(again.bills())[:60]) == _digest(bulk[:60])
    assert again.demo() == population.demo()
    assert again.planted() == population.planted()


@pytest.mark.parametrize(
    ("seed", "as_of"), [(DEFAULT_SEED + 1, AS_OF), (DEFAULT_SEED, AS_OF + dt.timedelta(days=1))]
)
def test_bills_differ_when_seed_or_day_differ(
    bulk: list[SampleBill], seed: int, as_of: dt.date
) -> None:
    other = sample_population(seed, as_of, load_catalogue())
    assert _digest(list(itertools.islice(other.bills(), 20))) != _digest(bulk[:20])


def test_sample_has_the_promised_size(population: Population, bulk: list[SampleBill]) -> None:
    lines = [len(bill.invoice.lines) for bill in bulk]
    assert len(bulk) >= 300
    assert sum(lines) == 85 * len(bulk)
    assert max(lines) == LONG_BILL_LINES > 1_000
    longest = bulk[lines.index(LONG_BILL_LINES)].invoice
    assert longest.visit_kind == "inpatient"
    assert {bill.invoice.visit_kind for bill in bulk} == {"inpatient", "outpatient"}
    wires = [bill.wire for bill in bulk]
    assert wires.count("xml") == wires.count("json") == len(bulk) // 2
    assert len(population.citizens) == CITIZENS == 30


def test_line_amounts_have_four_decimals_and_add_up(bulk: list[SampleBill]) -> None:
    odd = 0
    for bill in bulk:
        invoice = bill.invoice
        odd += sum(line.amount_e4 % 100 != 0 for line in invoice.lines)
        assert sum(line.amount_e4 for line in invoice.lines) == invoice.total_fen * 100
        assert sum(item.amount_fen for item in invoice.items) == invoice.total_fen
        assert invoice.own_pay_fen == invoice.total_fen
        for line in invoice.lines:
            exact = line.quantity_e4 * line.price_e6
            assert abs(exact - line.amount_e4 * 1_000_000) <= 500_000
    assert odd > 1_000


def test_numbers_are_unique_and_people_obviously_invented(
    population: Population, bulk: list[SampleBill]
) -> None:
    known = [step.bill for case in population.planted() for step in case.steps]
    bills = [*bulk, *population.demo()]
    assert len({bill.invoice.identity for bill in bills}) == len(bills)
    assert not {b.invoice.identity for b in bills} & {b.invoice.identity for b in known}
    for citizen in population.citizens:
        assert re.fullmatch(r"TEST-ID-\d{4}", citizen.identity_number)
        assert citizen.name.startswith("测试")
    assert len({citizen.name for citizen in population.citizens}) == CITIZENS
    assert {c.insurance_type for c in population.citizens} == {"310", "390"}
    assert {c.person_type for c in population.citizens} >= {"1101", "1102"}


def test_hospitals_cover_levels_custody_and_an_ended_agreement() -> None:
    hospitals = sample_hospitals(AS_OF)
    assert sorted(hospital.level for hospital in hospitals) == [1, 2, 3]
    assert sorted(hospital.custody for hospital in hospitals) == ["custodial", "self", "self"]
    ended = [hospital for hospital in hospitals if hospital.is_expired(AS_OF)]
    assert len(ended) == 1
    assert ended[0].agreement_until + dt.timedelta(days=ended[0].grace_days) >= AS_OF


def test_bulk_bills_are_issued_within_their_hospitals_agreement(bulk: list[SampleBill]) -> None:
    for bill in bulk:
        first = bill.invoice.admitted_on or bill.invoice.issued_on
        assert bill.hospital.agreement_from <= first
        assert bill.invoice.issued_on <= min(AS_OF, bill.hospital.agreement_until)


@pytest.mark.parametrize("as_of", [AS_OF, dt.date(2027, 1, 3), dt.date(2027, 3, 31)])
def test_demo_bills_are_those_worked_by_hand(as_of: dt.date) -> None:
    bills = sample_population(DEFAULT_SEED, as_of, load_catalogue()).demo()
    assert tuple(bill.invoice.total_fen for bill in bills) == DEMO_TOTAL_FEN
    assert (sum(DEMO_TOTAL_FEN), sum(DEMO_PAID_FEN)) == (1_320_040, 860_225)
    days = [bill.invoice.service_on for bill in bills]
    assert days == sorted(days)
    assert len({day.year for day in days}) == 1
    assert [bill.hospital.level for bill in bills] == [3, 1, 2, 3]
    # The tablets at 3.333333 of the second bill: 12 of them are 39.999996, kept as 40.0000.
    assert bills[1].invoice.lines[0].amount_e4 == 400_000


def test_demo_amounts_worked_by_hand_are_those_of_the_policy() -> None:
    population = sample_population(DEFAULT_SEED, AS_OF, load_catalogue())
    citizen = population.citizens[0]
    person = PersonSnapshot(
        person_ref="per_test",
        region="330800",
        insurance_type=citizen.insurance_type,
        person_type=citizen.person_type,
        as_of=AS_OF,
        cover=(CoverPeriod("310", dt.date(2020, 1, 1), dt.date(2099, 12, 31)),),
    )
    bills = [
        bill_from_invoice(
            bill.invoice, invoice_key=bytes([index]) * 32, hospital_level=bill.hospital.level
        )
        for index, bill in enumerate(population.demo())
    ]
    pack = next(pack for pack in load_packs() if pack.region == "330800")
    explained = estimate_submission(pack, bills, person, History())
    paid = tuple(explained[bill.invoice_key].paid_fen for bill in bills)
    assert paid == (24_000, 7_000, 14_425, 814_800) == DEMO_PAID_FEN
    assert not any(explained[bill.invoice_key].pend_reasons for bill in bills)


def test_planted_table_names_every_required_case(population: Population) -> None:
    cases = {case.name: case for case in population.planted()}
    assert set(cases) >= {
        "sent-twice", "other-content", "corrected", "voided", "reversed", "partial-refund",
        "settled-online", "other-name", "unknown-code", "same-number", "part-borne",
        "agreement-expired",
    }  # fmt: skip
    outcomes = {e.claim for case in cases.values() for e in case.expected}
    assert outcomes == set(ClaimOutcome)
    assert {e.ledger for c in cases.values() for e in c.expected} == set(LedgerOutcome)
    assert {step.action for case in cases.values() for step in case.steps} == set(Action)
    refused = [step for case in cases.values() for step in case.steps if step.status >= 400]
    assert all(step.problem for step in refused)


def test_red_bills_cancel_their_originals(population: Population) -> None:
    case = next(case for case in population.planted() if case.name == "partial-refund")
    blue, red, rest = (step.bill.invoice for step in case.steps)
    assert blue.total_fen + red.total_fen == 0
    assert (red.related_invoice_code, red.related_invoice_number) == blue.identity[1:]
    assert 0 < rest.total_fen < blue.total_fen


def test_full_population_has_quzhous_figures() -> None:
    full = quzhou_population(DEFAULT_SEED, AS_OF, load_catalogue())
    assert len(full.hospitals) == len(population_hospitals(AS_OF)) == 132
    counts = line_counts(DEFAULT_SEED, QUZHOU_BILLS, QUZHOU_LINES)
    assert (len(counts), sum(counts)) == (15_605, 1_332_000)
    assert min(counts) >= 1
    assert max(counts) < 5_000
    first = list(itertools.islice(full.bills(), 3))  # lazily: the rest is never made
    assert [len(bill.invoice.lines) for bill in first] == counts[:3]
