"""No rule crashes on a bill, however odd, and what it says is fit for the record."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.adapters.audit_rules import load_rule_book
from backend.domain.audit.engine import evaluate
from backend.domain.audit.facts import (
    AccidentDeclaration,
    AuditFacts,
    AuditPerson,
    ClaimFacts,
    ClaimKind,
    ClaimOrigin,
    Gender,
    GroupStatistics,
    InstitutionFacts,
    Liability,
    OtherBill,
    Purchase,
)
from backend.domain.audit.rule import RuleSet, RuleState
from backend.domain.invoice import ExpenseLine, FeeItem, Invoice, VisitKind
from tests.unit.audit.scenes import CATALOGUE
from verifier.commitment.canonical import canonical_bytes

RULES = load_rule_book().shipped
ALL = RULES.with_states({rule.code: RuleState.LIVE for rule in RULES.rules})

_WORDS = st.sampled_from(
    ["", "0", "?", "甲", "剖宫产术", "前列腺", "新生儿护理", "莫西沙星片", "氧气吸入", "人血白蛋白",
     "普通病房床位费(三人间)", "重症监护护理", "血常规", "全身麻醉", "阑尾切除术", "{line}", "%s"]
)  # fmt: skip
_TEXTS = _WORDS | st.text(max_size=8)
_DAYS = st.dates(dt.date(2025, 12, 1), dt.date(2026, 12, 31)) | st.dates()
_MAYBE_DAYS = st.none() | _DAYS
_FEN = st.integers(-(2**40) + 1, 2**40 - 1) | st.integers(-5, 5_000_000)
_CODES = st.sampled_from(["", "I10", "O80.9", "S06.0", "J96.0", "Z51.1", "高血压", "x"])

_LINES = st.builds(
    ExpenseLine,
    name=_TEXTS,
    quantity_e4=st.integers(-(10**9), 10**12) | st.sampled_from([0, 10_000]),
    price_e6=st.integers(0, 10**13),
    amount_e4=st.integers(-(10**12), 10**14),
    catalogue_code=st.sampled_from(["", "R1", "U1", "XC08CAD186A001010194258", "X"]),
    category_code=st.sampled_from(["", "01", "03", "04", "06", "09"]),
    unit=st.sampled_from(["", "盒"]),
    occurred_at=st.sampled_from(["", "2026-05-13", "20260513", "2026-13-99", "x", "2026-05-06T1"]),
    approval_flag=st.sampled_from(["", "0", "1", "2"]),
    doctor_code=st.sampled_from(["", "D1"]),
)
_INVOICES = st.builds(
    Invoice,
    institution_code=st.sampled_from(["H1", "H2"]),
    institution_name=_TEXTS,
    invoice_code=st.sampled_from(["", "33060126", "1"]),
    invoice_number=st.sampled_from(["", "0010000001", "2" * 20]),
    total_fen=_FEN,
    issued_on=_DAYS,
    payer_name=_TEXTS,
    lines=st.lists(_LINES, max_size=8).map(tuple),
    items=st.lists(st.builds(FeeItem, _TEXTS, _TEXTS, _FEN), max_size=2).map(tuple),
    fund_pay_fen=_FEN,
    other_pay_fen=_FEN,
    account_pay_fen=_FEN,
    own_pay_fen=_FEN,
    visit_on=_MAYBE_DAYS,
    admitted_on=_MAYBE_DAYS,
    discharged_on=_MAYBE_DAYS,
    check_code=_TEXTS,
    cashier=st.sampled_from(["", "D1"]),
    checker=st.sampled_from(["", "D1"]),
    gender=st.sampled_from(["", "男", "女", "?"]),
    age=st.sampled_from(["", "46", "46岁", "²", "-1", "9" * 30]),
    hospital_days=st.sampled_from(["", "7", "²", "7天", "9" * 30]),
    hospitalization_number=st.sampled_from(["", "ZY1"]),
    diagnosis_code=_CODES,
    diagnosis_name=_TEXTS,
    medical_type=st.sampled_from(["", "11", "21", "22", "51", "81"]),
    self_payment_fen=st.none() | _FEN,
    self_expense_fen=st.none() | _FEN,
)
_OTHERS = st.builds(
    OtherBill,
    reference=st.sampled_from(["a", "b", "c"]),
    institution_code=st.sampled_from(["H1", "H2"]),
    invoice_code=st.sampled_from(["", "33060126"]),
    invoice_number=st.sampled_from(["1", "0010000001"]),
    service_on=_DAYS,
    issued_on=_DAYS,
    visit_kind=st.sampled_from([VisitKind.OUTPATIENT, VisitKind.INPATIENT]),
    total_fen=_FEN,
    is_same_person=st.booleans(),
    admitted_on=_MAYBE_DAYS,
    discharged_on=_MAYBE_DAYS,
    visit_number=st.sampled_from(["", "ZY1"]),
    diagnosis_code=_CODES,
    purchases=st.lists(
        st.builds(Purchase, st.just("XC08CAD186A001010194258"), _TEXTS, _FEN, st.just("盒")),
        max_size=2,
    ).map(tuple),
)
_MAYBE_BILLS = st.none() | st.lists(_OTHERS, max_size=3).map(tuple)
_CLAIMS = st.builds(
    ClaimFacts,
    kind=st.sampled_from(ClaimKind),
    origin=st.sampled_from(ClaimOrigin),
    accident=st.none()
    | st.builds(AccidentDeclaration, st.sampled_from(Liability), st.booleans(), _MAYBE_DAYS),
    excuse_code=st.sampled_from(["", "illness", "x"]),
    manual_reason=st.sampled_from(["", "06"]),
)


@st.composite
def any_facts(draw: Any) -> AuditFacts:
    invoice = draw(_INVOICES)
    return AuditFacts(
        invoice=invoice,
        service_on=invoice.service_on,
        submitted_on=draw(_DAYS),
        hospital_level=draw(st.none() | st.integers(1, 3)),
        hospital_area=draw(st.sampled_from(["", "330802", "310101"])),
        institution=draw(
            st.none() | st.builds(InstitutionFacts, st.booleans(), _MAYBE_DAYS, _MAYBE_DAYS)
        ),
        person=draw(
            st.builds(
                AuditPerson,
                name=_TEXTS,
                gender=st.none() | st.sampled_from(Gender),
                birth_on=_MAYBE_DAYS,
                region=st.sampled_from(["", "330800"]),
                remote_status=st.sampled_from([None, "own-choice", "emergency-not-filed"]),
            )
        ),
        claim=draw(_CLAIMS),
        catalogue=draw(st.sampled_from([None, CATALOGUE])),
        others=draw(_MAYBE_BILLS),
        twins=draw(_MAYBE_BILLS),
        group=draw(
            st.none()
            | st.builds(
                GroupStatistics,
                st.integers(1, 3),
                st.just(VisitKind.OUTPATIENT),
                st.just("I10"),
                st.integers(0, 100),
                st.integers(-5, 10**6),
            )
        ),
        is_rest_day=draw(st.none() | st.booleans()),
    )


def _always(rules: RuleSet) -> RuleSet:
    """The same rules without an end, so that a bill of any year is judged."""
    rules_of_all_years = (
        replace(rule, valid_from=dt.date.min, valid_to=dt.date.max) for rule in rules.rules
    )
    return RuleSet(rules.set_id, tuple(rules_of_all_years))


ALWAYS = _always(ALL)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(any_facts())
def test_any_bill_is_judged(known: AuditFacts) -> None:
    _judge(known)


@pytest.mark.slow
@settings(max_examples=1_000, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(any_facts())
def test_any_bill_is_judged_many_times(known: AuditFacts) -> None:
    _judge(known)


def _judge(known: AuditFacts) -> None:
    result = evaluate(ALWAYS, known)
    assert result == evaluate(ALWAYS, known)
    said = {hit.rule_code for hit in result.hits} | {one.rule_code for one in result.not_judged}
    assert said <= set(result.evaluated)
    for hit in result.hits:
        canonical_bytes(hit.evidence)
        assert hit.zh.strip()
        assert hit.en.strip()
        assert hit.line_index is None or 0 <= hit.line_index < len(known.invoice.lines)
    for one in result.not_judged:
        canonical_bytes(one.evidence)
    assert not {hit.rule_code for hit in result.hits} & {one.rule_code for one in result.not_judged}


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(any_facts())
def test_a_fact_less_never_turns_a_pass_into_a_hit(known: AuditFacts) -> None:
    """Without facts around the bill there is less to say, and never more."""
    bare = AuditFacts(known.invoice, known.service_on, known.submitted_on, claim=known.claim)
    hits = {(hit.rule_code, hit.line_index) for hit in evaluate(ALWAYS, known).hits}
    assert {(hit.rule_code, hit.line_index) for hit in evaluate(ALWAYS, bare).hits} <= hits
