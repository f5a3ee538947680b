"""A decision record, member by member: what it holds is read, what is wrong is named."""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from backend.domain.decision_record import parse_decision_record, refusal_reason, refuse
from backend.domain.explanation import (
    DecisionContext,
    ExplanationError,
    ExplanationOfBenefits,
    Group,
    LineExplanation,
    Outcome,
    PendReason,
    Reason,
    verify_balance,
)
from backend.domain.invoice import VisitKind
from backend.domain.person import HistoryEntry
from tests.unit.domain.changed_file import (
    FEN_MAX,
    MISSING,
    NO_DAY,
    NO_DIGEST,
    NO_OBJECT,
    changed,
    faults_of,
    no_list,
    no_text,
    no_whole,
    none_of,
)
from tests.unit.domain.test_decision_record import CONTEXT, explain_in_full

FULL = replace(
    explain_in_full(),
    admitted_on=dt.date(2026, 2, 20),
    discharged_on=dt.date(2026, 3, 2),
    stay_number="ZY1",
)
RECORD: dict[str, Any] = FULL.to_record(CONTEXT)


def faults(path: str, value: Any) -> list[tuple[str, str, str]]:
    return faults_of(parse_decision_record, changed(RECORD, path, value), "DECISION RECORD")


def test_the_full_record_is_read_back() -> None:
    assert parse_decision_record(copy.deepcopy(RECORD)) == (FULL, CONTEXT)


LENGTHS = {
    "/claim_number": 64,
    "/policy_id": 64,
    "/hospital_code": 32,
    "/remote_status": 40,
    "/insurance_type": 6,
    "/person_type": 16,
    "/pool_prop_selfpay": 200,
    "/stay_number": 100,
    "/waiver_id": 64,
    "/lines/0/catalogue_code": 200,
    "/lines/0/name": 500,
    "/lines/0/adjustments/0/code": 64,
    "/lines/0/adjustments/0/rule_id": 64,
    "/lines/0/adjustments/0/basis_zh": 500,
    "/lines/0/adjustments/0/basis_en": 500,
    "/summary/0/code": 64,
    "/summary/0/label_zh": 500,
    "/summary/0/label_en": 500,
    "/summary/0/basis_zh": 4_000,
    "/summary/0/basis_en": 4_000,
}


@pytest.mark.parametrize(("path", "length"), LENGTHS.items())
def test_texts_have_a_longest(path: str, length: int) -> None:
    longest = changed(RECORD, path, "x" * length)
    eob, context = parse_decision_record(longest)
    assert eob.to_record(context) == longest
    assert faults(path, "x" * (length + 1)) == [(path, *no_text(length))]
    assert faults(path, None) == [(path, *no_text(length))]


NUMBERS = {
    "/payer_number": (1, 64),
    "/lodge_counter": (0, 65_535),
    "/decision_version": (1, 65_535),
    "/hospital_level": (1, 3),
}


@pytest.mark.parametrize(("path", "bounds"), NUMBERS.items())
def test_numbers_have_bounds(path: str, bounds: tuple[int, int]) -> None:
    for value in bounds:
        made = changed(RECORD, path, value)
        eob, context = parse_decision_record(made)
        assert eob.to_record(context) == made
    for wrong in (bounds[0] - 1, bounds[1] + 1, str(bounds[0])):
        assert faults(path, wrong) == [(path, *no_whole(*bounds))]


AMOUNTS = [
    *(
        f"/{name}"
        for name in (
            "submitted_fen", "borne_fen", "fulamt_ownpay_amt_fen", "overlmt_selfpay_fen",
            "preselfpay_amt_fen", "inscp_scp_amt_fen", "act_pay_dedc_fen", "hifp_pay_fen",
            "layer2_base_fen", "hifmi_pay_fen", "hifob_pay_fen", "maf_pay_fen", "cvlserv_pay_fen",
        )
    ),
    *(
        f"/lines/0/{name}"
        for name in (
            "submitted_fen", "fulamt_ownpay_fen", "overlmt_fen", "preselfpay_fen", "inscp_fen",
            "pool_fen", "layer2_fen", "layer3_fen", "supplement_fen",
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("path", AMOUNTS)
@pytest.mark.parametrize("wrong", [-1, FEN_MAX + 1, "1"])
def test_amounts_are_fen(path: str, wrong: object) -> None:
    assert faults(path, wrong) == [(path, *no_whole(0))]


@pytest.mark.parametrize("path", ["/lines/0/adjustments/0/amount_fen", "/summary/0/amount_fen"])
def test_signed_amounts_are_bounded_too(path: str) -> None:
    for wrong in (-(2**40) - 1, 2**40):
        assert faults(path, wrong) == [(path, *no_whole(-(2**40)))]
    with pytest.raises(ExplanationError):
        parse_decision_record(changed(RECORD, path, -(2**40)))


KINDS = ("outpatient", "outpatient-chronic", "inpatient")
GROUPS = ("FUND", "PATIENT", "NONCOVERED", "LIMIT", "OTHER")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("/format", "yichu-eob-2", none_of("yichu-eob-1")),
        ("/visit_kind", "remote", none_of(*KINDS)),
        ("/outcome", "maybe", none_of("approved", "partial", "refused")),
        ("/service_on", "2026-02-30", NO_DAY),
        ("/admitted_on", "x", NO_DAY),
        ("/discharged_on", "x", NO_DAY),
        ("/invoice_fingerprint", "AB" * 32, NO_DIGEST),
        ("/policy_hash", "ab" * 31, NO_DIGEST),
        ("/person_snapshot", "x", NO_DIGEST),
        ("/history_snapshot", "x", NO_DIGEST),
        ("/lines", {}, no_list(5_000)),
        ("/lines", [RECORD["lines"][0]] * 5_001, no_list(5_000)),
        ("/summary", [RECORD["summary"][0]] * 51, no_list(50)),
        (
            "/lines/0/adjustments",
            [RECORD["lines"][0]["adjustments"][0]] * 21,
            no_list(20),
        ),
        ("/lines/0/adjustments/0/group", "LUCK", none_of(*GROUPS)),
        ("/lines/0/index", 5_001, no_whole(0, 5_000)),
        ("/lines/0/index", -1, no_whole(0, 5_000)),
        ("/lines/0", None, NO_OBJECT),
        ("/summary/0", None, NO_OBJECT),
    ],
)
def test_what_is_none_of_what_it_should_be_is_named(
    path: str, value: Any, words: tuple[str, str]
) -> None:
    assert (path, *words) in faults(path, value)


OPTIONAL = {"admitted_on", "discharged_on", "stay_number", "waiver_id", "rulings"}
DERIVED = {
    "paid_fen", "medfee_sumamt_fen", "hifes_pay_fen", "oth_pay_fen", "fund_pay_sumamt_fen",
    "acct_pay_fen", "psn_cash_pay_fen", "psn_part_amt_fen", "hosp_part_amt_fen",
}  # fmt: skip
"""Worked out from the others: a record without one says less than this version would write."""


@pytest.mark.parametrize("name", sorted(set(RECORD) - OPTIONAL - DERIVED))
def test_what_must_not_be_left_out(name: str) -> None:
    assert faults(f"/{name}", ...) == [(f"/{name}", *MISSING)]


@pytest.mark.parametrize("name", sorted(DERIVED))
@pytest.mark.parametrize("value", [..., 77])
def test_what_follows_from_the_amounts_must_follow_from_them(name: str, value: Any) -> None:
    with pytest.raises(ExplanationError) as caught:
        parse_decision_record(changed(RECORD, f"/{name}", value))
    assert (caught.value.code, caught.value.zh, caught.value.en) == (
        "unbalanced-explanation",
        "决定记录含有多余或不一致的内容。",
        "The decision record says more than its amounts do.",
    )


@pytest.mark.parametrize("value", [None, [], "record"])
def test_what_is_no_object_is_refused(value: object) -> None:
    found = faults_of(parse_decision_record, value, "DECISION RECORD")
    assert found[0] == ("", *NO_OBJECT)


def test_what_canonical_json_cannot_say_is_refused() -> None:
    with pytest.raises(ExplanationError, match="says more"):
        parse_decision_record(RECORD | {"extra": 1.5})


@pytest.mark.parametrize("how", ["alias", "equivalent"])
def test_how_a_line_was_matched_is_read(how: str) -> None:
    made = changed(RECORD, "/lines/0/matched_how", how)
    made["lines"][0]["matched_code"] = "x" * 50
    line = parse_decision_record(made)[0].lines[0]
    assert (line.matched_how, line.matched_code) == (how, "x" * 50)
    made["lines"][0]["matched_code"] = "x" * 51
    assert faults_of(parse_decision_record, made, "DECISION RECORD") == [
        ("/lines/0/matched_code", *no_text(50))
    ]


def test_both_funds_of_layer_2_are_read() -> None:
    resident = replace(FULL, layer2_fund="hifmi", insurance_type="390")
    record = resident.to_record(CONTEXT)
    assert (record["hifmi_pay_fen"], record["hifob_pay_fen"]) == (2_250, 0)
    assert parse_decision_record(record) == (resident, CONTEXT)


def test_each_member_of_a_record_stands_in_its_place() -> None:
    context = DecisionContext(b"\x03" * 32, "C-9", 2, 3, 4)
    record = FULL.to_record(context)
    assert record["format"] == "yichu-eob-1"
    assert record["invoice_fingerprint"] == "03" * 32
    assert (record["claim_number"], record["payer_number"]) == ("C-9", 2)
    assert (record["lodge_counter"], record["decision_version"]) == (3, 4)
    assert (record["admitted_on"], record["discharged_on"]) == ("2026-02-20", "2026-03-02")
    assert (record["stay_number"], record["waiver_id"]) == ("ZY1", "w")
    assert (record["service_on"], record["visit_kind"]) == ("2026-03-02", "inpatient")
    assert (record["insurance_type"], record["person_type"]) == ("310", "1101")
    assert (record["hospital_code"], record["hospital_level"]) == ("H33080200001", 3)
    assert (record["policy_id"], record["policy_hash"]) == ("fixture", FULL.policy_hash.hex())
    assert record["person_snapshot"] == FULL.person_digest.hex()
    assert record["history_snapshot"] == FULL.history_digest.hex()
    assert (record["pool_prop_selfpay"], record["remote_status"]) == ("0.5000", "local")
    assert (record["layer2_base_fen"], record["borne_fen"]) == (5_500, 0)
    assert (record["medfee_sumamt_fen"], record["fulamt_ownpay_amt_fen"]) == (12_700, 2_700)
    assert (record["psn_cash_pay_fen"], record["psn_part_amt_fen"]) == (3_512, 3_512)
    zeros = ("hifes_pay_fen", "oth_pay_fen", "acct_pay_fen", "hosp_part_amt_fen", "hifmi_pay_fen")
    assert [record[name] for name in zeros] == [0] * 5
    assert [row["code"] for row in record["summary"]][:2] == ["total", "reviewed-out"]
    assert set(record["summary"][0]) == {
        "code", "label_zh", "label_en", "amount_fen", "basis_zh", "basis_en",
    }  # fmt: skip


def test_an_estimate_names_its_format_outcome_and_reasons_to_pend() -> None:
    reasons = (
        PendReason("unknown-code", 3, "看", "look"),
        PendReason("open-point", -1, "问", "ask"),
    )
    estimate = replace(FULL, pend_reasons=reasons).to_estimate()
    assert (estimate["format"], estimate["outcome"]) == ("yichu-estimate-1", "partial")
    assert estimate["pend_reasons"] == [
        {"code": "unknown-code", "level": "line", "line_index": 3, "zh": "看", "en": "look"},
        {"code": "open-point", "level": "claim", "line_index": -1, "zh": "问", "en": "ask"},
    ]
    first = PendReason("x", 0, "看", "look")
    assert first.level == "line"


def test_what_a_decision_does_to_the_year() -> None:
    assert FULL.history_entry("C-1") == HistoryEntry(
        claim_number="C-1",
        service_on=dt.date(2026, 3, 2),
        visit_kind=VisitKind.INPATIENT,
        hospital_code="H33080200001",
        insurance_type="310",
        in_scope_fen=10_000,
        deductible_fen=1_000,
        pool_paid_fen=4_500,
        layer2_base_fen=5_500,
        layer2_paid_fen=2_250,
        state="reserved",
        admitted_on=dt.date(2026, 2, 20),
        discharged_on=dt.date(2026, 3, 2),
        stay_number="ZY1",
        layer3_paid_fen=1_625,
        supplement_paid_fen=813,
        waiver_id="w",
    )
    assert FULL.history_entry("C-1", "settled").state == "settled"


def test_a_refusal_leaves_the_bill_as_it_was_and_pays_nothing() -> None:
    reason = refusal_reason("void", "票据已作废", "The bill is void")
    assert reason == Reason(Group.OTHER, "refused", "void", "票据已作废", "The bill is void")
    pending = replace(FULL, pend_reasons=(PendReason("x", 0, "看", "look"),))
    refused = refuse(pending, reason)
    nothing = {
        "overlmt_fen", "preselfpay_fen", "inscp_fen", "deductible_fen", "pool_paid_fen",
        "layer2_base_fen", "layer2_paid_fen", "layer3_paid_fen", "supplement_paid_fen",
    }  # fmt: skip
    assert all(getattr(refused, name) == 0 for name in nothing)
    assert (refused.fulamt_ownpay_fen, refused.layer2_fund) == (12_700, "")
    assert (refused.outcome, refused.pend_reasons) == (Outcome.REFUSED, ())
    kept = ("policy_hash", "service_on", "stay_number", "discharged_on", "rulings", "waiver_id",
            "submitted_fen", "person_digest")  # fmt: skip
    assert all(getattr(refused, name) == getattr(FULL, name) for name in kept)
    for before, line in zip(FULL.lines, refused.lines, strict=True):
        assert line == LineExplanation(
            before.index, before.catalogue_code, before.name, before.submitted_fen,
            before.submitted_fen, 0, 0, 0, 0, 0, ((reason, before.submitted_fen),),
        )  # fmt: skip
    assert [(row.code, row.amount_fen) for row in refused.summary] == [
        ("total", 12_700),
        ("refused", -12_700),
        ("paid", 0),
    ]


def broken(**values: Any) -> ExplanationOfBenefits:
    return replace(FULL, **values)


def with_line(**values: Any) -> ExplanationOfBenefits:
    first, *others = FULL.lines
    return replace(FULL, lines=(first._replace(**values), *others))


UNBALANCED: list[tuple[ExplanationOfBenefits, str]] = [
    (broken(overlmt_fen=1), "1"),
    (broken(layer2_fund=""), "2"),
    (broken(deductible_fen=-1), "sign"),
    (broken(borne_fen=3_513), "not beyond the total"),
    (with_line(fulamt_ownpay_fen=1), "line split"),
    (with_line(pool_fen=4_501), "line balance"),
    (with_line(pool_fen=-1, layer2_fen=2_250 + 4_501), "line sign"),
    (with_line(overlmt_fen=-1, preselfpay_fen=1), "line sign"),
    (broken(lines=FULL.lines[:2]), "lines submitted"),
    (with_line(pool_fen=4_499, layer2_fen=2_251), "lines paid"),
    (with_line(layer2_fen=2_249, layer3_fen=1_626), "lines paid"),
    (with_line(layer3_fen=1_624, supplement_fen=814), "lines paid by layer 3"),
    (with_line(inscp_fen=9_999, preselfpay_fen=1), "lines in scope"),
    (broken(summary=FULL.summary[1:]), "summary"),
    (
        broken(summary=(*FULL.summary[:-1], replace(FULL.summary[-1], amount_fen=1))),
        "summary total",
    ),
]


@pytest.mark.parametrize(("eob", "identity"), UNBALANCED, ids=lambda value: str(value)[:24])
def test_what_does_not_balance_is_refused_by_its_identity(
    eob: ExplanationOfBenefits, identity: str
) -> None:
    with pytest.raises(ExplanationError) as caught:
        verify_balance(eob)
    assert caught.value.zh == f"报销金额不平（{identity}），已停止计算，请联系经办机构。"
    assert caught.value.en == f"The amounts do not balance ({identity}); nothing was decided."


def test_what_others_bore_may_reach_the_person_s_part() -> None:
    verify_balance(broken(borne_fen=3_512))
