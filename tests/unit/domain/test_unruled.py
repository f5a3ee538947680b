"""A bill without a rule is laid out as it is: all of it with the person, nothing of it lost."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from backend.domain.explanation import Outcome
from backend.domain.money import MoneyError
from backend.domain.person import History
from backend.domain.policy_reader import parse_policy_pack
from backend.domain.unruled import explain_without_rules
from tests.unit.domain import benefit_cases as cases

PACK = parse_policy_pack(cases.pack_json())


def test_every_fen_of_a_bill_without_a_rule_is_submitted_and_none_is_in_scope() -> None:
    lines = [cases.line(0, 10_050), cases.line(1, 0, "03")]
    bill = replace(
        cases.stay(*lines),
        total_fen=10_050,
        borne_fen=50,
        admitted_on=dt.date(2026, 3, 1),
        discharged_on=dt.date(2026, 3, 9),
        stay_number="ZY7",
        remote_status="referred-filed",
    )
    person, history = cases.person(), History()
    found = explain_without_rules(PACK, bill, person, history)
    assert (found.policy_id, found.policy_hash) == (PACK.pack_id, PACK.policy_hash)
    assert (found.person_digest, found.history_digest) == (person.digest(), history.digest())
    assert (found.service_on, found.visit_kind) == (bill.visit_date, bill.visit_kind)
    assert (found.hospital_code, found.hospital_level) == (bill.hospital_code, bill.hospital_level)
    assert (found.insurance_type, found.person_type) == ("310", "1101")
    assert found.remote_status == "referred-filed"
    assert (found.submitted_fen, found.borne_fen, found.fulamt_ownpay_fen) == (10_050, 50, 10_050)
    nothing = (
        found.overlmt_fen, found.preselfpay_fen, found.inscp_fen, found.deductible_fen,
        found.pool_paid_fen, found.layer2_base_fen, found.layer2_paid_fen, found.paid_fen,
    )  # fmt: skip
    assert nothing == (0,) * 8
    assert (found.pool_ratio, found.layer2_fund, found.outcome) == ("", "", Outcome.PARTIAL)
    assert (found.admitted_on, found.discharged_on) == (bill.admitted_on, bill.discharged_on)
    assert found.stay_number == "ZY7"
    first, second = found.lines
    assert (first.index, first.name, first.catalogue_code) == (
        0, lines[0].name, lines[0].catalogue_code,
    )  # fmt: skip
    assert (first.submitted_fen, first.fulamt_ownpay_fen) == (10_050, 10_050)
    for line in found.lines:
        parts = (line.overlmt_fen, line.preselfpay_fen, line.inscp_fen, line.pool_fen,
                 line.layer2_fen)  # fmt: skip
        assert parts == (0,) * 5
    assert [(cut.reason.rule_id, cut.amount_fen) for cut in first.adjustments] == [
        ("no-rule", 10_050)
    ]
    assert second.adjustments == ()
    assert sum(row.amount_fen for row in found.summary[:-1]) == 0


def test_lines_that_are_not_the_total_are_refused() -> None:
    bill = replace(cases.bill(cases.line(0, 500)), total_fen=600)
    with pytest.raises(MoneyError, match="total"):
        explain_without_rules(PACK, bill, cases.person(), History())
