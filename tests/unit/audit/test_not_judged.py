"""A fact that the engine does not have ends as "not judged" with the reason, never as passed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.adapters.audit_rules import load_rule_book
from backend.domain.audit.engine import evaluate
from backend.domain.audit.facts import (
    AuditFacts,
    ClaimFacts,
    ClaimKind,
    InstitutionFacts,
    Liability,
)
from backend.domain.audit.rule import RuleState
from tests.unit.audit.cases import declared
from tests.unit.audit.scenes import (
    ADMITTED,
    DAY,
    WOMAN,
    day,
    facts,
    group,
    inpatient,
    line,
    outpatient,
    stay,
)

RULES = load_rule_book().shipped

NO_GENDER = replace(WOMAN, gender=None)
NO_BIRTH = replace(WOMAN, birth_on=None)
NO_DIAGNOSIS = outpatient(diagnosis_code="")
NO_MEDICAL_TYPE = facts(outpatient(medical_type=""))
NO_DATES = inpatient(admitted_on=None)
PREGNANCY = outpatient(line("产前检查", "03"))


def elsewhere(**person: object) -> AuditFacts:
    return facts(
        outpatient(medical_type=""),
        hospital_area="310101",
        person=replace(WOMAN, **person),  # type: ignore[arg-type]
    )


MISSING = [
    ("fmt-bad-diagnosis", facts(NO_DIAGNOSIS), "no-diagnosis"),
    ("fmt-line-outside-visit", facts(outpatient(visit_on=None)), "no-visit-date"),
    ("fmt-line-outside-visit", facts(), "no-line-days"),
    ("id-name", facts(person=replace(WOMAN, name="")), "no-name"),
    ("id-gender", facts(person=NO_GENDER), "no-gender"),
    ("id-gender", facts(outpatient(gender="")), "no-printed-gender"),
    ("id-gender", facts(outpatient(gender="未知")), "no-printed-gender"),
    ("id-age", facts(person=NO_BIRTH), "no-birth-date"),
    ("id-age", facts(outpatient(age="3月")), "no-printed-age"),
    ("sum-items", facts(outpatient(items=())), "no-items"),
    ("sum-payers", facts(outpatient(own_pay_fen=0)), "no-payers"),
    ("sum-person-parts", facts(outpatient(self_payment_fen=None)), "no-person-parts"),
    ("dup-key", facts(twins=None), "no-twins"),
    ("dup-content", facts(others=None), "no-other-bills"),
    ("dup-amount-elsewhere", facts(outpatient(line(fen=9_000)), others=None), "no-other-bills"),
    ("dup-other-person", facts(outpatient(*[line()] * 5), twins=None), "no-twins"),
    ("chg-bed-days", facts(inpatient(line("床位费", "01"), admitted_on=None)), "no-stay-dates"),
    (
        "chg-exclusive",
        facts(inpatient(line("Ⅰ级护理", "07"), line("Ⅲ级护理", "07"))),
        "no-line-days",
    ),
    ("chg-several-bills", facts(others=None), "no-other-bills"),
    ("chg-one-stay", facts(inpatient(), others=None), "no-other-bills"),
    ("chg-one-stay", facts(inpatient(hospitalization_number="")), "no-visit-number"),
    ("qty-day", facts(inpatient(line("氧气吸入"), admitted_on=None)), "no-stay-dates"),
    ("qty-hospitals", facts(others=None), "no-other-bills"),
    ("stay-split", facts(NO_DATES), "no-stay-dates"),
    ("stay-split", facts(inpatient(), others=None), "no-other-bills"),
    (
        "stay-split",
        facts(inpatient(diagnosis_code=""), others=(stay(day(5, 1), day(5, 5)),)),
        "no-diagnosis",
    ),
    (
        "stay-split",
        facts(inpatient(), others=(stay(day(5, 1), day(5, 5), diagnosis_code=""),)),
        "no-diagnosis",
    ),
    ("stay-readmission", facts(inpatient(), others=None), "no-other-bills"),
    ("stay-overlap", facts(NO_DATES), "no-stay-dates"),
    ("stay-overlap", facts(inpatient(), others=None), "no-other-bills"),
    ("stay-long", facts(NO_DATES), "no-stay-dates"),
    ("stay-idle", facts(NO_DATES), "no-stay-dates"),
    ("stay-idle", facts(inpatient()), "no-line-days"),
    ("stay-tests-only", facts(NO_DATES), "no-stay-dates"),
    ("stay-printed-days", facts(NO_DATES), "no-stay-dates"),
    ("stay-printed-days", facts(inpatient(hospital_days="")), "no-printed-days"),
    ("stay-printed-days", facts(inpatient(hospital_days="约7天")), "no-printed-days"),
    ("sex-pregnancy-item", facts(PREGNANCY, person=NO_GENDER), "no-gender"),
    ("sex-female-diagnosis", facts(NO_DIAGNOSIS), "no-diagnosis"),
    (
        "sex-female-diagnosis",
        facts(outpatient(diagnosis_code="O80.900"), person=NO_GENDER),
        "no-gender",
    ),
    ("age-pregnancy-item", facts(PREGNANCY, person=NO_BIRTH), "no-birth-date"),
    ("age-newborn-item", facts(outpatient(line("新生儿护理")), person=NO_BIRTH), "no-birth-date"),
    ("rst-unapproved", facts(catalogue=None), "no-catalogue"),
    ("rst-needless-approval", facts(catalogue=None), "no-catalogue"),
    (
        "rst-diagnosis",
        facts(outpatient(line("人血白蛋白"), diagnosis_code="")),
        "no-diagnosis",
    ),
    ("acc-diagnosis", facts(NO_DIAGNOSIS), "no-diagnosis"),
    ("acc-visit", NO_MEDICAL_TYPE, "no-medical-type"),
    ("fund-visit", NO_MEDICAL_TYPE, "no-medical-type"),
    ("rem-unfiled", facts(hospital_area=""), "no-area"),
    ("rem-unfiled", facts(person=replace(WOMAN, region="")), "no-area"),
    ("rem-unfiled", elsewhere(remote_status=None), "no-remote-status"),
    ("rem-emergency", elsewhere(remote_status="emergency-not-filed"), "no-medical-type"),
    ("out-above", facts(group=None), "no-group"),
    ("out-below", facts(group=None), "no-group"),
    ("out-above", facts(group=group(size=29)), "small-group"),
    ("out-below", facts(group=group(median_fen=0)), "no-median"),
    (
        "fund-rest-day-check-up",
        facts(outpatient(*(line(f"检验{n}", "04") for n in range(8))), is_rest_day=None),
        "no-calendar",
    ),
    ("ins-unknown", facts(institution=None), "no-institution"),
    ("ins-agreement", facts(institution=None), "no-institution"),
    ("ins-agreement", facts(institution=InstitutionFacts(False)), "no-institution"),
    ("ins-agreement", facts(institution=InstitutionFacts(True, ADMITTED)), "no-agreement"),
    ("ins-level", facts(outpatient(line("血液透析")), hospital_level=None), "no-hospital-level"),
    ("ins-one-person", facts(outpatient(checker=" ")), "no-staff"),
    ("ins-doctor-cashier", facts(outpatient(line(doctor_code=""))), "no-doctor"),
    ("cod-severe-short", facts(inpatient(diagnosis_code="")), "no-diagnosis"),
    ("cod-severe-short", facts(NO_DATES), "no-stay-dates"),
]


WORDS = {
    "no-agreement": (
        "没有查到机构的协议期限，无法判断",
        "the agreement's dates are not known",
    ),
    "no-area": (
        "不知道参保地或医院所在地，无法判断",
        "the insured area or the hospital's area is not known",
    ),
    "no-birth-date": ("登记信息没有出生日期，无法判断", "the register has no date of birth"),
    "no-calendar": ("日历没有这一天，无法判断", "the calendar does not know that day"),
    "no-catalogue": ("没有目录，无法判断", "no catalogue was given"),
    "no-diagnosis": ("票据没有诊断编码，无法判断", "the bill has no diagnosis code"),
    "no-doctor": ("明细没有开单医生编码，无法判断", "the lines do not name a doctor"),
    "no-gender": ("登记信息没有性别，无法判断", "the register does not say the person's sex"),
    "no-group": (
        "没有可比的同类票据（等级、就诊类型和诊断），无法判断",
        "there are no bills alike (level, kind of visit, diagnosis) to compare with",
    ),
    "no-hospital-level": ("不知道医院等级，无法判断", "the level of the hospital is not known"),
    "no-institution": (
        "没有机构登记信息，无法判断",
        "the register of institutions was not given",
    ),
    "no-items": ("票据没有收费项目，无法核对", "the bill has no fee categories"),
    "no-line-days": (
        "明细没有发生日期，无法判断",
        "the lines do not say on which day they arose",
    ),
    "no-median": (
        "同类票据的中位数不是正数，无法判断",
        "the median of the bills alike is not above zero",
    ),
    "no-medical-type": ("票据没有医疗类别，无法判断", "the bill has no medical category"),
    "no-name": ("登记信息没有姓名，无法核对", "the register has no name"),
    "no-other-bills": (
        "没有查到本人其他票据的信息，无法判断",
        "the person's other bills were not given",
    ),
    "no-payers": ("票据没有写明各方支付金额，无法核对", "the bill names no payments"),
    "no-person-parts": ("票据没有写自付、自费金额，无法核对", "no such amounts are printed"),
    "no-printed-age": ("票据没有以岁写明年龄，无法核对", "the bill prints no age in years"),
    "no-printed-days": ("票据没有写住院天数，无法核对", "the bill prints no number of days"),
    "no-printed-gender": ("票据没有写性别，无法核对", "the bill does not print the sex"),
    "no-remote-status": ("没有查到异地就医备案，无法判断", "the filing was not looked up"),
    "no-staff": ("票据没有写收费员或复核员，无法判断", "the bill does not name both"),
    "no-stay-dates": (
        "住院票据缺少入院或出院日期，无法判断",
        "the stay's day of admission or discharge is missing",
    ),
    "no-twins": (
        "没有跨机构比对信息，无法判断",
        "bills of other people and hospitals were not given",
    ),
    "no-visit-date": ("票据没有就诊或入院日期，无法判断", "the bill has no day of visit"),
    "no-visit-number": (
        "票据没有住院号或门诊号，无法判断",
        "the bill has no visit number",
    ),
}
"""What a reviewer reads of each missing fact; a group too small says its figures, see below."""


@pytest.mark.parametrize(("code", "known", "reason"), MISSING)
def test_a_missing_fact_is_said(code: str, known: AuditFacts, reason: str) -> None:
    result = evaluate(RULES.only(code), known)
    assert not result.hits
    (said,) = result.not_judged
    assert (said.rule_code, said.reason) == (code, reason)
    assert said.state is RuleState.TRIAL
    if reason == "small-group":
        return
    assert (said.zh, said.en) == WORDS[reason]
    assert set(said.evidence) == ({"group"} if reason == "no-median" else set())


def test_a_group_with_a_median_of_nothing_is_not_called_too_small() -> None:
    """Forty bills are enough: what is missing is something to compare with."""
    result = evaluate(RULES.only("out-above"), facts(group=group(size=40, median_fen=0)))
    assert [one.reason for one in result.not_judged] == ["no-median"]
    assert result.not_judged[0].evidence["group"]["size"] == 40
    few = evaluate(RULES.only("out-above"), facts(group=group(size=29, median_fen=0)))
    assert [one.reason for one in few.not_judged] == ["small-group"]
    one_fen = evaluate(RULES.only("out-above"), facts(group=group(size=40, median_fen=1)))
    assert len(one_fen.hits) == 1


@pytest.mark.parametrize(
    ("size", "median_fen", "zh", "en"),
    [
        (
            29,
            10_000,
            "同类票据只有 29 张，少于 30 张，无法判断",
            "only 29 bills alike, fewer than 30",
        ),
        (2, 1, "同类票据只有 2 张，少于 30 张，无法判断", "only 2 bills alike, fewer than 30"),
    ],
)
@pytest.mark.parametrize("code", ["out-above", "out-below"])
def test_a_group_too_small_says_its_size(
    code: str, size: int, median_fen: int, zh: str, en: str
) -> None:
    result = evaluate(RULES.only(code), facts(group=group(size, median_fen)))
    assert [(one.reason, one.zh, one.en) for one in result.not_judged] == [("small-group", zh, en)]


def test_a_declared_accident_without_a_day_is_not_judged() -> None:
    claim = declared(Liability.NONE)
    assert claim.accident is not None
    undated = ClaimFacts(ClaimKind.ACCIDENT, accident=replace(claim.accident, happened_on=None))
    result = evaluate(RULES.only("acc-date"), facts(claim=undated))
    assert [(one.reason, one.zh, one.en) for one in result.not_judged] == [
        ("no-accident-date", "声明没有写受伤日期，无法核对", "the declaration names no day")
    ]


def test_the_reviewer_sees_the_group_too_small_to_judge_by() -> None:
    result = evaluate(RULES.only("out-above"), facts(group=group(size=7)))
    assert result.not_judged[0].evidence == {
        "group": {
            "hospital_level": 3,
            "visit_kind": "outpatient",
            "diagnosis": "I10",
            "size": 7,
            "median_fen": 10_000,
            "examples": [
                {"reference": "inv-9", "service_on": "2026-04-02", "total_fen": 9_500},
            ],
        }
    }


def test_the_reviewer_sees_the_group_that_an_outlier_was_held_against() -> None:
    known = facts(outpatient(line(fen=100_000)), group=group(median_fen=10_000))
    (hit,) = evaluate(RULES.only("out-above"), known).hits
    assert hit.evidence["group"]["examples"] == [
        {"reference": "inv-9", "service_on": "2026-04-02", "total_fen": 9_500}
    ]
    assert "10.00 倍" in hit.zh
    assert "100.00" in hit.en


def test_a_line_on_the_day_of_service_is_dated() -> None:
    """Of an outpatient bill the visit's day stands for a line without one."""
    lines = (line("血常规", "04"), line("血常规", "04", on=DAY))
    result = evaluate(RULES.only("chg-repeated"), facts(outpatient(*lines)))
    assert [hit.line_index for hit in result.hits] == [1]


def test_a_stay_without_dates_is_not_said_to_be_charged_twice() -> None:
    """Two undated blood counts may be of two days: how many days the stay had is not known."""
    twice = (line("血常规", "04"), line("血常规", "04"))
    for missing in ("admitted_on", "discharged_on"):
        result = evaluate(RULES.only("chg-repeated"), facts(inpatient(*twice, **{missing: None})))
        assert not result.hits
        assert [one.reason for one in result.not_judged] == ["no-stay-dates"]


def test_one_undated_line_of_a_stay_without_dates_is_let_pass() -> None:
    known = facts(inpatient(line("血常规", "04"), line("尿常规", "04"), admitted_on=None))
    result = evaluate(RULES.only("chg-repeated"), known)
    assert (result.hits, result.not_judged) == ((), ())


def test_what_is_dated_is_judged_though_the_stay_has_no_dates() -> None:
    lines = [line("血常规", "04", on=on) for on in (None, DAY, None, DAY)]
    (hit,) = evaluate(RULES.only("chg-repeated"), facts(inpatient(*lines, admitted_on=None))).hits
    assert (hit.line_index, hit.evidence) == (3, {"day": "2026-05-13", "times": 2})
