"""The decision record: what is committed, read back, and refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from backend.adapters.catalogue import POLICY_DIRECTORY
from backend.adapters.policy_packs import load_pack
from backend.domain.adjudication import adjudicate
from backend.domain.decision_record import parse_decision_record, refusal_reason, refuse
from backend.domain.errors import DomainError
from backend.domain.explanation import DecisionContext, ExplanationError, Outcome
from backend.domain.person import History
from backend.domain.record_reader import MalformedDataError
from tests.unit.domain import benefit_cases as case
from verifier.commitment.canonical import canonical_bytes
from verifier.commitment.fingerprint import compute_fingerprint

CONTEXT = DecisionContext(
    invoice_fingerprint=b"\x01" * 32,
    claim_number="C202611220001",
    payer_number=1,
    lodge_counter=1,
    decision_version=1,
)


def explain() -> Any:
    pack = case.pack(
        case.catalogue(),
        deductibles=[case.deductible(1_000)],
        ratios=[case.ratio((0, 5_000))],
        layer2=[case.layer2(10_000, (1_000, 5_000))],
    )
    made = case.stay(
        case.line(0, 10_000), case.line(1, 2_000, "03"), stay_number="ZY1", admitted_on=case.DAY
    )
    return adjudicate(pack, made, case.person(), History())


def test_record_is_read_back_as_the_same_explanation() -> None:
    eob = explain()
    record = eob.to_record(CONTEXT)
    assert parse_decision_record(record) == (eob, CONTEXT)
    assert len(compute_fingerprint(record, b"\x02" * 32)) == 32


def test_record_names_what_the_specification_reads() -> None:
    record = explain().to_record(CONTEXT)
    assert record["format"] == "yichu-eob-1"
    assert record["invoice_fingerprint"] == "01" * 32
    assert record["outcome"] == "partial"
    # (100 - 10) x 50 % = 45 from the pool; base 55, above 10: 45 x 50 % = 22.50 from layer 2.
    assert (record["submitted_fen"], record["paid_fen"]) == (12_000, 4_500 + 2_250)
    assert (record["hifp_pay_fen"], record["hifob_pay_fen"]) == (4_500, 2_250)
    assert (record["psn_part_amt_fen"], record["act_pay_dedc_fen"]) == (5_250, 1_000)
    assert set(record["lines"][0]["adjustments"][0]) == {
        "group", "code", "amount_fen", "rule_id", "basis_zh", "basis_en",
    }  # fmt: skip


def explain_in_full() -> Any:
    """Every layer pays, the deductible's waiver is named, and a reviewer ruled on two lines."""
    waiver = {"rule_id": "w", "source": "s", "diagnosis_prefixes": ["C"], "from_stay": 2}
    pack = case.pack(
        case.catalogue(),
        deductibles=[case.deductible(1_000, waivers=[waiver])],
        ratios=[case.ratio((0, 5_000))],
        layer2=[case.layer2(10_000, (1_000, 5_000))],
        layer3=[case.aid((0, 5_000))],
        supplement=[case.supplement((0, 5_000))],
    )
    made = case.stay(
        case.line(0, 10_000), case.line(1, 2_000), case.line(2, 700), diagnosis_code="C50.9"
    )
    person = case.person(
        hardship=(case.status("low-income"),), civil_servant=(case.status("section"),)
    )
    rulings = (case.ruling(1, "exclude"), case.ruling(2, "limit", limit_fen=0))
    return adjudicate(pack, made, person, History(), rulings)


def test_record_with_every_layer_is_read_back_as_the_same_explanation() -> None:
    eob = explain_in_full()
    record = eob.to_record(CONTEXT)
    # 45 pool; base 55, above 10: 22.50; half of 32.50 = 16.25; half of 16.25 = 8.125 -> 8.13
    assert (record["hifp_pay_fen"], record["hifob_pay_fen"]) == (4_500, 2_250)
    assert (record["maf_pay_fen"], record["cvlserv_pay_fen"]) == (1_625, 813)
    assert record["fund_pay_sumamt_fen"] == record["paid_fen"] == 9_188
    assert (record["waiver_id"], len(record["rulings"])) == ("w", 2)
    assert record["lines"][0]["paid_fen"] == 9_188
    assert parse_decision_record(record) == (eob, CONTEXT)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("maf_pay_fen", 1_626, r"do not balance \(lines paid by layer 3\)"),
        ("cvlserv_pay_fen", 812, r"do not balance \(lines paid by the supplement\)"),
        ("rulings", [], "says more than its amounts do"),
    ],
)
def test_record_with_a_changed_layer_is_refused(name: str, value: object, message: str) -> None:
    record = explain_in_full().to_record(CONTEXT)
    with pytest.raises(ExplanationError, match=message):
        parse_decision_record(record | {name: value})


def test_record_with_a_wrong_ruling_is_refused_with_its_path() -> None:
    record = explain_in_full().to_record(CONTEXT)
    record["rulings"][0]["kind"] = "forgive"
    with pytest.raises(MalformedDataError, match="/rulings/0/kind"):
        parse_decision_record(record)


def test_refusal_of_a_bill_that_every_layer_paid_pays_nothing() -> None:
    refused = refuse(explain_in_full(), refusal_reason("reversed", "已冲红", "reversed"))
    assert (refused.paid_fen, refused.layer3_paid_fen, refused.supplement_paid_fen) == (0, 0, 0)
    entry = refused.history_entry("C-1")
    assert (entry.layer3_paid_fen, entry.supplement_paid_fen, entry.in_scope_fen) == (0, 0, 0)
    assert parse_decision_record(refused.to_record(CONTEXT)) == (refused, CONTEXT)


def test_estimate_has_the_same_body_and_no_claim() -> None:
    eob = explain()
    estimate, record = eob.to_estimate(), eob.to_record(CONTEXT)
    assert "claim_number" not in estimate
    assert all(record[name] == value for name, value in eob.body().items())
    assert canonical_bytes(estimate)


def test_refusal_pays_nothing_and_leaves_the_year_alone() -> None:
    reason = refusal_reason("void", "票据已作废，不能报销", "The bill is void")
    eob = refuse(explain(), reason)
    assert (eob.paid_fen, eob.outcome, eob.person_fen) == (0, Outcome.REFUSED, 12_000)
    entry = eob.history_entry("C-1")
    assert (entry.in_scope_fen, entry.deductible_fen, entry.layer2_base_fen) == (0, 0, 0)
    assert [row.amount_fen for row in eob.summary] == [12_000, -12_000, 0]
    assert parse_decision_record(eob.to_record(CONTEXT))[0].paid_fen == 0


def _set(path: str, value: Any) -> Any:
    def change(record: dict[str, Any]) -> None:
        target: Any = record
        *parents, last = path.split("/")
        for token in parents:
            target = target[int(token) if token.isdigit() else token]
        target[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (_set("format", "yichu-eob-2"), MalformedDataError, "/format: is not one of"),
        (_set("paid_fen", 1), ExplanationError, "says more than its amounts do"),
        (_set("extra", "x"), ExplanationError, "says more"),
        (_set("payer_number", 65), MalformedDataError, "/payer_number: .* 1 to 64"),
        (_set("payer_number", "1"), MalformedDataError, "/payer_number"),
        (_set("policy_hash", "AB" * 32), MalformedDataError, "/policy_hash: is not 64"),
        (_set("outcome", "maybe"), MalformedDataError, "/outcome"),
        (_set("visit_kind", "remote"), MalformedDataError, "/visit_kind"),
        (_set("service_on", "2026-02-30"), MalformedDataError, "/service_on: is not a YYYY"),
        (_set("hifp_pay_fen", 4_501), ExplanationError, "do not balance"),
        (_set("lines/0/pool_fen", 4_501), ExplanationError, "line balance"),
        (_set("lines/0/paid_fen", 1), ExplanationError, "says more"),
        (_set("lines/1/adjustments/0/amount_fen", 1_999), ExplanationError, "line balance"),
        (_set("lines/1/adjustments/0/group", "LUCK"), MalformedDataError, "/lines/1/adj.*/group"),
        (_set("summary/0/amount_fen", 11_999), ExplanationError, "summary"),
        (_set("lines", "none"), MalformedDataError, "/lines: is not a list"),
    ],
)
def test_changed_record_is_refused(change: Any, kind: type[DomainError], message: str) -> None:
    record = copy.deepcopy(explain().to_record(CONTEXT))
    change(record)
    with pytest.raises(kind, match=message):
        parse_decision_record(record)


def test_record_of_a_thousand_lines_stays_within_the_limits() -> None:
    pack = load_pack(POLICY_DIRECTORY / "quzhou-2026.json")
    code = pack.catalogue.items[0].code if pack.catalogue else ""
    made = case.stay(*(case.line(i, 1_260, code=code) for i in range(1_000)))
    record = adjudicate(pack, made, case.person(), History()).to_record(CONTEXT)
    assert len(canonical_bytes(record)) < 4 * 1024 * 1024
