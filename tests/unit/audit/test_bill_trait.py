"""The traits that bills are found by agree with what the rules compare."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from backend.domain.audit.bill_index import lines_digest
from backend.domain.bill_trait import BillTrait, diagnosis_category, trait_of
from backend.domain.invoice import ExpenseLine, Invoice
from verifier.commitment.canonical import canonical_bytes

LINES = (
    ExpenseLine("布洛芬缓释胶囊", 20_000, 13_900_000, 278_000, "XM01AEE156A010010180277"),
    ExpenseLine("一般诊疗费", 10_000, 10_000_000, 100_000),
)


def trait(lines: tuple[ExpenseLine, ...] = LINES, **header: Any) -> BillTrait:
    invoice = Invoice(
        institution_code="H1",
        institution_name="医院",
        invoice_code="33060126",
        invoice_number="0000000001",
        total_fen=3_780,
        issued_on=dt.date(2026, 11, 3),
        payer_name="测试甲子",
        lines=lines,
        **header,
    )
    record = invoice.to_record()
    stored = [canonical_bytes(line).decode() for line in record.pop("lines")]
    return trait_of(canonical_bytes(record).decode(), stored)


def test_digest_is_the_one_that_the_rules_compare() -> None:
    assert trait().lines_digest.hex() == lines_digest(LINES)


def test_order_of_lines_has_no_influence_and_content_has() -> None:
    assert trait(LINES[::-1]).lines_digest == trait().lines_digest
    for change in ({"quantity_e4": 20_001}, {"amount_e4": 1}, {"catalogue_code": "X"}):
        assert trait((replace(LINES[0], **change), LINES[1])).lines_digest != trait().lines_digest


def test_kind_of_visit_and_diagnosis_are_read_from_the_face() -> None:
    assert (trait().visit_kind, trait().diagnosis) == ("outpatient", "")
    stay = trait(hospitalization_number="ZY1", diagnosis_code="j06.900")
    assert (stay.visit_kind, stay.diagnosis) == ("inpatient", "J06")
    assert diagnosis_category("I10") == "I10"


@pytest.mark.parametrize(
    ("header", "lines"), [("nonsense", []), ("[]", []), ("{}", ["{"]), ("{}", ['{"amount":"x"}'])]
)
def test_what_is_no_record_has_no_traits(header: str, lines: list[str]) -> None:
    with pytest.raises((ValueError, AttributeError)):
        trait_of(header, lines)
