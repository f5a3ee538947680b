"""The benefit view of a bill: everything that counts is carried over, nothing else gets in."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from backend.domain.bill import (
    BenefitLine,
    BillError,
    BillForBenefit,
    bill_from_invoice,
    occurred_on,
)
from backend.domain.invoice import ExpenseLine, Invoice, VisitKind

KEY = b"\x07" * 32
DAY = dt.date(2026, 5, 13)

LINE = ExpenseLine(
    name="阿莫西林",
    quantity_e4=20_000,
    price_e6=5_000_000,
    amount_e4=100_000,
    catalogue_code="A1",
    level="02",
    occurred_at="2026-05-07 08:00",
    approval_flag="1",
)
INVOICE = Invoice(
    institution_code="H33080200001",
    institution_name="示例市第一医院",
    invoice_code="33060126",
    invoice_number="0010000001",
    total_fen=2_000,
    other_pay_fen=300,
    issued_on=DAY,
    admitted_on=dt.date(2026, 5, 6),
    discharged_on=dt.date(2026, 5, 12),
    hospitalization_number="ZY1",
    diagnosis_code="I10.x00",
    medical_type="21",
    payer_name="测试甲",
    lines=(LINE, replace(LINE, name="床位费", occurred_at="", level="", approval_flag="")),
)
LINES = (
    BenefitLine(
        index=0, catalogue_code="A1", name="阿莫西林", level="02", quantity_e4=20_000,
        price_e6=5_000_000, amount_e4=100_000, approval_flag="1",
        occurred_on=dt.date(2026, 5, 7),
    ),
    BenefitLine(
        index=1, catalogue_code="A1", name="床位费", level="", quantity_e4=20_000,
        price_e6=5_000_000, amount_e4=100_000,
    ),
)  # fmt: skip
VIEW = BillForBenefit(
    invoice_key=KEY,
    total_fen=2_000,
    visit_date=dt.date(2026, 5, 12),
    visit_kind=VisitKind.INPATIENT,
    hospital_code=INVOICE.hospital_code,
    hospital_level=3,
    lines=LINES,
    remote_status="referred-filed",
    borne_fen=300,
    admitted_on=dt.date(2026, 5, 6),
    discharged_on=dt.date(2026, 5, 12),
    stay_number="ZY1",
    diagnosis_code="I10.x00",
    medical_type="21",
)


def view(invoice: Invoice = INVOICE, **more: Any) -> BillForBenefit:
    return bill_from_invoice(invoice, **({"invoice_key": KEY, "hospital_level": 3} | more))


def test_everything_that_counts_is_carried_over() -> None:
    assert view(remote_status="referred-filed") == VIEW


def test_care_is_local_and_of_the_bills_kind_unless_said_otherwise() -> None:
    assert (view().remote_status, view().visit_kind) == ("local", VisitKind.INPATIENT)
    chronic = view(visit_kind=VisitKind.OUTPATIENT_CHRONIC)
    assert chronic.visit_kind is VisitKind.OUTPATIENT_CHRONIC


def test_a_visit_is_dated_by_its_day_and_a_bill_without_one_by_its_issue() -> None:
    visit = replace(INVOICE, admitted_on=None, discharged_on=None, hospitalization_number="")
    assert view(replace(visit, visit_on=dt.date(2026, 5, 11))).visit_date == dt.date(2026, 5, 11)
    assert view(visit).visit_date == DAY
    assert view(visit).visit_kind is VisitKind.OUTPATIENT


def refused(make: Any) -> tuple[str, str, str]:
    with pytest.raises(BillError) as caught:
        make()
    return caught.value.code, caught.value.zh, caught.value.en


def test_a_red_bill_is_refused() -> None:
    red = replace(INVOICE, total_fen=-1, other_pay_fen=0)
    said = ("not-adjudicable", "红票不能报销。", "A red bill is not claimable.")
    assert refused(lambda: view(red)) == said


@pytest.mark.parametrize("settled", [{"settlement_number": "S1"}, {"fund_pay_fen": 1}])
def test_a_bill_settled_at_the_counter_is_refused(settled: dict[str, Any]) -> None:
    assert refused(lambda: view(replace(INVOICE, **settled))) == (
        "not-adjudicable",
        "这张票据已由基本医保联网结算，不能再报。",
        "Basic insurance has already settled this bill online.",
    )


OUT_OF_RANGE = (
    "票据总额或其他方已支付金额超出范围，红票不能报销。",
    "The total, or what others bore, is out of range; a red bill is not claimable.",
)
NO_LEVEL = ("医院等级应为 1、2 或 3。", "The hospital level is 1, 2 or 3.")
BAD_VIEWS: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"total_fen": -1, "borne_fen": 0}, OUT_OF_RANGE),
    ({"total_fen": 2**40}, OUT_OF_RANGE),
    ({"borne_fen": -1}, OUT_OF_RANGE),
    ({"borne_fen": 2_001}, OUT_OF_RANGE),
    ({"hospital_level": 0}, NO_LEVEL),
    ({"hospital_level": 4}, NO_LEVEL),
    ({"lines": (LINES[0],) * 5_001}, ("明细超过 5000 行。", "There are more than 5000 lines.")),
    ({"lines": ()}, ("票据没有明细。", "The bill has no expense lines.")),
    (
        {"lines": (), "total_fen": 1, "borne_fen": 0},
        ("票据没有明细。", "The bill has no expense lines."),
    ),
    (
        {"discharged_on": dt.date(2026, 5, 5)},
        ("出院日期早于入院日期。", "The discharge is before the admission."),
    ),
]


@pytest.mark.parametrize(("values", "said"), BAD_VIEWS)
def test_a_bill_that_no_benefit_can_be_worked_out_for(
    values: dict[str, Any], said: tuple[str, str]
) -> None:
    assert refused(lambda: replace(VIEW, **values)) == ("not-adjudicable", *said)


@pytest.mark.parametrize(
    "values",
    [
        {"total_fen": 2**40 - 1},
        {"borne_fen": 2_000},
        {"borne_fen": 0},
        {"total_fen": 0, "borne_fen": 0, "lines": ()},
        {"hospital_level": 1},
        {"hospital_level": 2},
        {"lines": (LINES[0],) * 5_000},
        {"discharged_on": dt.date(2026, 5, 6)},
        {"discharged_on": None},
        {"admitted_on": None},
    ],
)
def test_the_edges_of_a_bill_are_within(values: dict[str, Any]) -> None:
    made = replace(VIEW, **values)
    assert all(getattr(made, name) == value for name, value in values.items())


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("2026-05-07", dt.date(2026, 5, 7)),
        ("2026-05-07T23:59:59", dt.date(2026, 5, 7)),
        ("20260507", dt.date(2026, 5, 7)),
        ("20260507080000", dt.date(2026, 5, 7)),
        ("2026/05/07", None),
        ("2026-02-30", None),
        ("20261301", None),
        ("", None),
    ],
)
def test_the_day_of_a_line(text: str, on: dt.date | None) -> None:
    assert occurred_on(text) == on


@pytest.mark.parametrize(
    ("kind", "medical_type", "chronic"),
    [
        (VisitKind.OUTPATIENT_CHRONIC, "", True),
        (VisitKind.OUTPATIENT_CHRONIC, "11", True),
        (VisitKind.OUTPATIENT, "14", True),
        (VisitKind.OUTPATIENT, "140104", True),
        (VisitKind.OUTPATIENT, "11", False),
        (VisitKind.OUTPATIENT, "", None),
        (VisitKind.INPATIENT, "214", False),
    ],
)
def test_whether_a_bill_is_one_for_a_chronic_disease(
    kind: VisitKind, medical_type: str, chronic: bool | None
) -> None:
    assert replace(VIEW, visit_kind=kind, medical_type=medical_type).says_chronic is chronic
