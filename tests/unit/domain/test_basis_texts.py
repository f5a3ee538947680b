"""What the citizen reads for each cut, in both languages, with its group and rule, word by word."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from backend.domain.adjudication import adjudicate
from backend.domain.claim_deadline import past_limit
from backend.domain.person import CoverPeriod, History
from backend.domain.policy import ClaimDeadline
from backend.domain.ruling import RulingError
from tests.unit.domain import benefit_cases as case

TIERS = ((0, 1_000), (10_000, 2_000), (50_000, 3_000))


def reason(code: str, eob: Any) -> tuple[str, str, str, str]:
    """(group, rule, zh, en) of the one reason with this code."""
    found = {cut.reason for cut in eob.adjustments if cut.code == code}
    (one,) = found
    return str(one.group), one.rule_id, one.zh, one.en


def one_line(code: str = "FIX-01", **changes: Any) -> Any:
    person = changes.pop("person", case.person())
    flag = changes.pop("approval_flag", "")
    pack = case.pack(case.catalogue(), **changes)
    line = case.line(0, 20_000, code=code, approval_flag=flag)
    return adjudicate(pack, case.bill(line), person, History())


@pytest.mark.parametrize(
    ("code", "changes", "expected"),
    [
        (
            "class-c",
            {"code": "FIX-03"},
            (
                "NONCOVERED",
                "catalogue-class",
                "目录外：这一项是丙类，全部自费",
                "Outside the catalogue: a class C item, paid by you in full",
            ),
        ),
        (
            "class-c",
            {"code": "FIX-02", "class_b": {"rule_id": "b", "source": "s", "selfpay_bp": 10_000}},
            (
                "NONCOVERED",
                "catalogue-class",
                "目录外：目录规定这一项全部自费",
                "Outside the catalogue: it says that you pay this in full",
            ),
        ),
        (
            "not-approved",
            {"code": "FIX-RESTRICTED", "approval_flag": "0"},
            (
                "NONCOVERED",
                "hosp-appr-flag",
                "医院没有确认符合限制使用条件，这一项自费",
                "The hospital did not approve this restricted item for payment",
            ),
        ),
        (
            "outside-cover",
            {"person": case.person(cover=(CoverPeriod("310", case.FAR, case.FAR),))},
            (
                "NONCOVERED",
                "cover-period",
                "费用发生时不在参保期内，这一项不能报销",
                "You were not insured on that day",
            ),
        ),
        (
            "class-b-share",
            {"code": "FIX-LIMIT"},
            ("PATIENT", "catalogue-share", "乙类先自付 10%", "Class B: the first 10% is yours"),
        ),
        (
            "class-b-share",
            {"code": "FIX-02"},
            ("PATIENT", "b", "乙类先自付 10%", "Class B: the first 10% is yours"),
        ),
        (
            "class-b-share",
            {"code": "FIX-02", "class_b": case.tiers("unit-price", *TIERS)},
            (
                "PATIENT",
                "b",
                "乙类分段先自付（按单价）：100.00 元以内 10%，500.00 元以内的部分 20%，"
                "超过的部分 30%",
                "Class B, paid first by tiers of the unit price: 10% up to 100.00 yuan, "
                "20% up to 500.00 yuan, 30% above",
            ),
        ),
        (
            "class-b-share",
            {"code": "FIX-02", "class_b": case.tiers("line-amount", *TIERS[:2])},
            (
                "PATIENT",
                "b",
                "乙类分段先自付（按每行金额）：100.00 元以内 10%，超过的部分 20%",
                "Class B, paid first by tiers of the line's amount: 10% up to 100.00 yuan, "
                "20% above",
            ),
        ),
        (
            "over-price-limit",
            {"code": "FIX-LIMIT"},
            (
                "NONCOVERED",
                "catalogue-limit",
                "超限价：每单位最高按 100.00 元计算，超出部分自费",
                "Above the price limit of 100.00 yuan a unit",
            ),
        ),
        (
            "yearly-cap",
            {"caps": [case.cap(5_000)]},
            (
                "LIMIT",
                "cap",
                "年度封顶：全年最多支付 50.00 元，今年前面已支付 0.00 元",
                "Yearly cap: at most 50.00 yuan a year, 0.00 paid before",
            ),
        ),
        (
            "deductible",
            {"deductibles": [case.deductible(3_000, "per-year")]},
            (
                "LIMIT",
                "d",
                "起付线：全年 30.00 元，今年前面已付 0.00 元，这次 30.00 元",
                "Deductible: 30.00 yuan a year, 0.00 taken before, 30.00 this time",
            ),
        ),
        (
            "deductible",
            {"deductibles": [case.deductible(3_000)]},
            (
                "LIMIT",
                "d",
                "起付线：标准 30.00 元，这次先自付 30.00 元",
                "Deductible: the standard is 30.00 yuan; 30.00 this time",
            ),
        ),
        (
            "layer-2-paid",
            {
                "ratios": [case.ratio((0, 0))],
                "layer2": [case.layer2(900, (0, 5_000), (10_000, 6_000))],
            },
            (
                "FUND",
                "l2",
                "大病保险：今年您自己负担的合规费用再报 50%、60%"
                "（全年最多 9.00 元，今年前面已付 0.00 元）",
                "Serious-illness layer: 50%, 60% of this year's own share (at most 9.00 yuan a "
                "year, 0.00 paid before)",
            ),
        ),
        (
            "layer-3-paid",
            {
                "person": case.person(hardship=(case.status("extreme-poor"),)),
                "ratios": [case.ratio((0, 0))],
                "layer3": [case.aid((3_000, 5_000), hardship=["extreme-poor"], base="visit")],
            },
            (
                "FUND",
                "aid",
                "医疗救助：您是特困人员，医保和大病保险报过以后，"
                "这次您自己负担的目录内费用超过 30.00 元的部分再救助 50%",
                "Medical assistance for people in extreme poverty: 50% of your own share of "
                "in-scope cost this time above 30.00 yuan after basic insurance and the "
                "serious-illness layer",
            ),
        ),
        (
            "supplement-paid",
            {
                "person": case.person(civil_servant=(case.status("section"),)),
                "ratios": [case.ratio((0, 0))],
                "supplement": [case.supplement((0, 5_000), base="year", cap_fen=1_000)],
            },
            (
                "FUND",
                "sup",
                "公务员补助：前面各项报过以后，今年您自己负担的目录内费用再补助 50%"
                "（全年最多 10.00 元，今年前面已付 0.00 元）",
                "Civil-servant supplement: 50% of your own share of in-scope cost this year "
                "after all that was paid before (at most 10.00 yuan a year, 0.00 paid before)",
            ),
        ),
    ],
)
def test_reason_says_in_plain_words(
    code: str, changes: dict[str, Any], expected: tuple[str, str, str, str]
) -> None:
    assert reason(code, one_line(**changes)) == expected


def test_care_elsewhere_says_its_share_and_its_factor() -> None:
    first = {
        "model": "paid-first",
        "statuses": [case.remote("local", 0), case.remote("other", 1_500)],
    }
    away = case.bill(case.line(0, 10_000), remote_status="other")
    eob = adjudicate(case.pack(remote=first), away, case.person(), History())
    assert reason("remote-share", eob) == (
        "PATIENT",
        "remote-other",
        "异地就医先自付 15%（other）",
        "Care elsewhere: the first 15% is yours (other)",
    )
    pack = case.pack(ratios=[case.ratio((0, 8_000))])
    away = case.bill(case.line(0, 10_000), remote_status="emergency-not-filed")
    assert reason("personal-ratio", adjudicate(pack, away, case.person(), History())) == (
        "PATIENT",
        "r",
        "个人比例：统筹支付 80%，emergency-not-filed再乘 85%，其余自付",
        "Your share by ratio: the fund pays 80% times 85% (emergency-not-filed), the rest is yours",
    )


@pytest.mark.parametrize(
    ("code", "zh", "en"),
    [
        ("low-income", "低保对象", "people on the minimum living allowance"),
        ("low-income-edge", "低保边缘家庭", "households just above the minimum living allowance"),
        ("poverty-risk", "易返贫人员", "people at risk of falling back into poverty"),
    ],
)
def test_medical_assistance_names_the_status(code: str, zh: str, en: str) -> None:
    eob = one_line(
        person=case.person(hardship=(case.status(code),)),
        ratios=[case.ratio((0, 0))],
        layer3=[case.aid((0, 5_000), hardship=[code])],
    )
    _, _, said_zh, said_en = reason("layer-3-paid", eob)
    assert said_zh.startswith(f"医疗救助：您是{zh}，")
    assert said_en.startswith(f"Medical assistance for {en}: 50% of")


def test_rows_of_the_citizens_table_have_labels_in_both_languages() -> None:
    person = case.person(
        hardship=(case.status("low-income"),), civil_servant=(case.status("section"),)
    )
    pack = case.pack(
        case.catalogue(),
        deductibles=[case.deductible(1_000)],
        ratios=[case.ratio((0, 5_000))],
        caps=[case.cap(20_000)],
        layer2=[case.layer2(10_000, (0, 1_000))],
        layer3=[case.aid((0, 1_000))],
        supplement=[case.supplement((0, 1_000))],
        remote={
            "model": "paid-first",
            "statuses": [case.remote("local", 0), case.remote("other", 1_000)],
        },
    )
    codes = ("FIX-01", "FIX-02", "FIX-03", "FIX-LIMIT", "NONE")
    lines = [case.line(i, 20_000, code=code) for i, code in enumerate(codes)]
    bill = case.bill(*lines, remote_status="other")
    eob = adjudicate(pack, bill, person, History(), [case.ruling(0, "limit", limit_fen=15_000)])
    assert [(row.code, row.label_zh, row.label_en) for row in eob.summary] == [
        ("total", "票据总额", "Bill total"),
        ("excluded", "目录外", "Outside the catalogue"),
        ("to-be-checked", "待人工核对", "To be checked by a person"),
        ("reviewed-out", "审核扣除", "Taken out by a reviewer"),
        ("over-price-limit", "超限价", "Above the price limit"),
        ("class-b-share", "乙类先自付", "Class B, paid first"),
        ("remote-share", "异地先自付", "Care elsewhere, paid first"),
        ("deductible", "起付线", "Deductible"),
        ("personal-ratio", "个人比例", "Your share by ratio"),
        ("layer-2-paid", "大病保险", "Serious-illness layer"),
        ("layer-3-paid", "医疗救助", "Medical assistance"),
        ("supplement-paid", "公务员补助", "Civil-servant supplement"),
        ("paid", "报销", "Reimbursed"),
    ]


def test_what_others_bore_and_the_cap_are_rows_too() -> None:
    pack = case.pack(caps=[case.cap(8_000)])
    bill = case.bill(case.line(0, 10_000), borne_fen=5_000)
    eob = adjudicate(pack, bill, case.person(), History())
    assert [(row.code, row.label_zh, row.label_en, row.amount_fen) for row in eob.summary] == [
        ("total", "票据总额", "Bill total", 10_000),
        ("yearly-cap", "年度封顶", "Yearly cap", -2_000),
        ("borne-by-others", "其他方已支付", "Already borne by others", -3_000),
        ("paid", "报销", "Reimbursed", 5_000),
    ]
    assert reason("borne-by-others", eob) == (
        "OTHER",
        "not-beyond-total",
        "其他方已经支付了一部分，各方合计不超过票据总额",
        "Others already bore part of this bill; all together never exceed its total",
    )


def test_row_with_many_reasons_names_three_and_counts_the_rest() -> None:
    rulings = [case.ruling(i, "exclude", basis_zh=f"因{i}", basis_en=f"why {i}") for i in range(5)]
    lines = [case.line(i, 100) for i in range(5)]
    eob = adjudicate(case.pack(), case.bill(*lines), case.person(), History(), rulings)
    row = next(row for row in eob.summary if row.code == "reviewed-out")
    assert (row.zh, row.en) == ("因0；因1；因2；另有 2 种原因", "why 0; why 1; why 2; and 2 more")


def test_late_claim_reads_word_by_word() -> None:
    pack = dataclasses.replace(case.pack(), claim_deadline=ClaimDeadline("dl", months=12))
    late = past_limit(pack, case.DAY, dt.date(2027, 3, 3))
    assert late is not None
    assert (str(late.group), late.zh, late.en) == (
        "OTHER",
        "已过报销期限：2026-03-02 的费用最晚 2027-03-02 申请。有正当理由（如住院、在国外）的，"
        "可以在这笔申请的页面申请复核，写明理由",
        "Past the limit: costs of 2026-03-02 had to be claimed by 2027-03-02. With a good reason, "
        "such as a stay in hospital or abroad, appeal on the page of this claim and say it",
    )


@pytest.mark.parametrize(
    ("kind", "zh"),
    [("match", "改配编码的裁定"), ("limit", "限额的裁定"), ("exclude", "裁定要写明依据")],
)
def test_refused_ruling_says_why_in_both_languages(kind: str, zh: str) -> None:
    changes = {"basis_zh": ""} if kind == "exclude" else {}
    with pytest.raises(RulingError, match=zh) as caught:
        case.ruling(0, kind, **changes)
    assert str(caught.value) == f"{caught.value.zh} / {caught.value.en}"
