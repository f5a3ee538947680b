"""Adjudication at its edges: refusals word for word, caps used up, ties, tiers, the summary."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from backend.domain.adjudication import BILLS_MAX, adjudicate, estimate_submission
from backend.domain.bill import BillError
from backend.domain.errors import DomainError
from backend.domain.explanation import Adjustment, ExplanationOfBenefits, Group, Reason
from backend.domain.invoice import VisitKind
from backend.domain.person import CoverPeriod, History
from backend.domain.policy import PolicyError
from backend.domain.summary import build_summary
from tests.unit.domain import benefit_cases as case

SERVANT = case.person(
    hardship=(case.status("low-income"),), civil_servant=(case.status("section"),)
)


def explain(*lines: Any, **parts: Any) -> ExplanationOfBenefits:
    return adjudicate(case.pack(**parts), case.stay(*lines), SERVANT, History())


def said(error: type[DomainError], call: Any) -> tuple[str, str]:
    with pytest.raises(error) as caught:
        call()
    return caught.value.zh, caught.value.en


@pytest.mark.parametrize(
    ("day", "is_refused"),
    [
        (dt.date(2025, 12, 31), True),
        (dt.date(2026, 1, 1), False),
        (dt.date(2026, 12, 31), False),
        (dt.date(2027, 1, 1), True),
    ],
)
def test_both_days_belong_to_a_policy(day: dt.date, is_refused: bool) -> None:
    bill = case.bill(case.line(0, 100), visit_date=day)

    def call() -> object:
        return adjudicate(case.pack(), bill, case.person(), History())

    if is_refused:
        assert said(PolicyError, call) == (
            "政策包 fixture 在就诊当日不生效。",
            "Policy pack fixture is not in force on the day of the bill.",
        )
    else:
        assert call()


NOT_ONE_RULE = (
    "政策包对这类参保人和就诊没有唯一的规则，请转人工办理。",
    "The pack has not exactly one rule for this insurance, person, visit and hospital level; "
    "a person has to look at it.",
)


WHOLE = case.pack(
    layer2=[case.layer2(100, (0, 1))], layer3=[case.aid((0, 1))],
    supplement=[case.supplement((0, 1))],
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("deductibles", 0), ("deductibles", 2), ("ratios", 0), ("ratios", 2), ("layer2", 2),
        ("layer3", 2), ("supplement", 2),
    ],
)  # fmt: skip
def test_two_rules_for_one_case_or_none_are_never_chosen_from(name: str, times: int) -> None:
    """The reader of packs refuses them as well; nothing is worked out should one get past it."""
    pack = dataclasses.replace(WHOLE, **{name: getattr(WHOLE, name) * times})
    bill = case.stay(case.line(0, 100))
    assert said(PolicyError, lambda: adjudicate(pack, bill, SERVANT, History())) == NOT_ONE_RULE
    assert adjudicate(WHOLE, bill, SERVANT, History())


@pytest.mark.parametrize("used", [3_000, 3_001, 9_000])
def test_a_cap_that_is_used_up_leaves_nothing(used: int) -> None:
    past = History((case.entry(pool_paid_fen=used, visit_kind=VisitKind.INPATIENT),))
    pack = case.pack(caps=[case.cap(3_000)])
    eob = adjudicate(pack, case.stay(case.line(0, 500)), case.person(), past)
    assert (eob.pool_paid_fen, eob.person_fen) == (0, 500)
    (cut,) = eob.adjustments
    assert (cut.group, cut.code, cut.amount_fen, cut.rule_id) == (
        Group.LIMIT, "yearly-cap", 500, "cap",
    )  # fmt: skip
    before = f"{used // 100}.{used % 100:02d}"
    assert cut.basis_zh == f"年度封顶：全年最多支付 30.00 元，今年前面已支付 {before} 元"
    assert cut.basis_en == f"Yearly cap: at most 30.00 yuan a year, {before} paid before"


@pytest.mark.parametrize(("used", "paid"), [(2_500, 500), (2_501, 499), (0, 500), (2_999, 1)])
def test_a_cap_leaves_what_it_has_to_the_fen(used: int, paid: int) -> None:
    past = History((case.entry(pool_paid_fen=used, visit_kind=VisitKind.INPATIENT),))
    pack = case.pack(caps=[case.cap(3_000)])
    eob = adjudicate(pack, case.stay(case.line(0, 500)), case.person(), past)
    assert eob.pool_paid_fen == paid


def test_of_two_caps_the_tighter_one_is_named() -> None:
    caps = [case.cap(400), case.cap(300, rule_id="tight"), case.cap(350, rule_id="wide")]
    eob = explain(case.line(0, 500), caps=caps)
    assert (eob.pool_paid_fen, [cut.rule_id for cut in eob.adjustments]) == (300, ["tight"])


def ratio_of(eob: ExplanationOfBenefits) -> tuple[str, str, str]:
    cut = next(cut for cut in eob.adjustments if cut.code == "personal-ratio")
    return eob.pool_ratio, cut.basis_zh, cut.basis_en


@pytest.mark.parametrize(
    ("amount", "ratio", "percents"),
    [
        (1_000, "0.5000", ["50%"]),
        (1_001, "0.5000,0.5555", ["50%", "55.55%"]),
        (2_000, "0.5000,0.5555", ["50%", "55.55%"]),
        (2_001, "0.5000,0.5555,0.6000", ["50%", "55.55%", "60%"]),
    ],
)
def test_the_bands_that_were_reached_are_named(
    amount: int, ratio: str, percents: list[str]
) -> None:
    bands = case.ratio((0, 5_000), (1_000, 5_555), (2_000, 6_000))
    assert ratio_of(explain(case.line(0, amount), ratios=[bands])) == (
        ratio,
        f"个人比例：统筹支付 {'、'.join(percents)}，其余自付",
        f"Your share by ratio: the fund pays {', '.join(percents)}, the rest is yours",
    )


def test_a_band_below_the_deductible_is_not_named() -> None:
    parts = {
        "deductibles": [case.deductible(1_000)],
        "ratios": [case.ratio((0, 5_000), (1_000, 6_000))],
    }
    assert ratio_of(explain(case.line(0, 2_000), **parts))[0] == "0.6000"
    wholly_deducted = explain(case.line(0, 900), **parts)
    assert (wholly_deducted.pool_ratio, wholly_deducted.paid_fen) == ("0.5000", 0)


def test_a_factor_of_care_elsewhere_is_said_beside_the_ratio() -> None:
    pack = case.pack(ratios=[case.ratio((0, 8_700))])
    bill = case.stay(case.line(0, 10_000), remote_status="emergency-not-filed")
    eob = adjudicate(pack, bill, case.person(), History())
    # 100 x 0.87 x 0.85 = 73.95
    assert eob.paid_fen == 7_395
    assert ratio_of(eob) == (
        "0.7395",
        "个人比例：统筹支付 87%，emergency-not-filed再乘 85%，其余自付",
        "Your share by ratio: the fund pays 87% times 85% (emergency-not-filed), the rest is yours",
    )


@pytest.mark.parametrize(
    ("hardship", "zh", "en"),
    [
        ("extreme-poor", "特困人员", "people in extreme poverty"),
        ("low-income", "低保对象", "people on the minimum living allowance"),
        (
            "low-income-edge",
            "低保边缘家庭",
            "households just above the minimum living allowance",
        ),
        ("poverty-risk", "易返贫人员", "people at risk of falling back into poverty"),
    ],
)
def test_medical_assistance_names_whom_it_is_for(hardship: str, zh: str, en: str) -> None:
    pack = case.pack(
        ratios=[case.ratio((0, 0))], layer3=[case.aid((0, 5_000), hardship=[hardship])]
    )
    poor = case.person(hardship=(case.status(hardship),))
    eob = adjudicate(pack, case.stay(case.line(0, 1_000)), poor, History())
    cut = next(cut for cut in eob.adjustments if cut.code == "layer-3-paid")
    assert (cut.amount_fen, cut.group) == (-500, Group.FUND)
    assert cut.basis_zh == (
        f"医疗救助：您是{zh}，医保和大病保险报过以后，今年您自己负担的目录内费用再救助 50%"
    )
    assert cut.basis_en == (
        f"Medical assistance for {en}: 50% of your own share of in-scope cost this year after "
        "basic insurance and the serious-illness layer"
    )


def test_a_supplement_says_its_threshold_bands_and_cap_in_both_languages() -> None:
    rule = case.supplement((100, 5_000), (300, 6_000), cap_fen=150, base="year")
    eob = explain(case.line(0, 500), ratios=[case.ratio((0, 0))], supplement=[rule])
    # 2.00 x 50 % + 2.00 x 60 % = 2.20, capped at 1.50
    cut = next(cut for cut in eob.adjustments if cut.code == "supplement-paid")
    assert (cut.amount_fen, cut.rule_id, cut.group) == (-150, "sup", Group.FUND)
    assert cut.basis_zh == (
        "公务员补助：前面各项报过以后，今年您自己负担的目录内费用超过 1.00 元的部分再补助 50%、60%"
        "（全年最多 1.50 元，今年前面已付 0.00 元）"
    )
    assert cut.basis_en == (
        "Civil-servant supplement: 50%, 60% of your own share of in-scope cost this year above "
        "1.00 yuan after all that was paid before (at most 1.50 yuan a year, 0.00 paid before)"
    )


def test_layer_2_says_its_threshold_and_cap_in_english() -> None:
    rule = case.layer2(150, (100, 5_000), (300, 6_000))
    past = History((case.entry(layer2_paid_fen=20, visit_kind=VisitKind.INPATIENT),))
    pack = case.pack(ratios=[case.ratio((0, 0))], layer2=[rule])
    eob = adjudicate(pack, case.stay(case.line(0, 500)), case.person(), past)
    cut = next(cut for cut in eob.adjustments if cut.code == "layer-2-paid")
    assert (cut.amount_fen, cut.rule_id, cut.group) == (-130, "l2", Group.FUND)
    assert cut.basis_en == (
        "Serious-illness layer: 50%, 60% of this year's own share above 1.00 yuan "
        "(at most 1.50 yuan a year, 0.20 paid before)"
    )


@pytest.mark.parametrize(("used", "paid"), [(0, 100), (1, 99), (100, 0), (101, 0)])
def test_the_cap_of_a_later_layer_leaves_what_it_has_to_the_fen(used: int, paid: int) -> None:
    parts: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"layer2": [case.layer2(100, (0, 5_000))]}, {"layer2_paid_fen": used}),
        ({"layer3": [case.aid((0, 5_000), cap_fen=100)]}, {"layer3_paid_fen": used}),
        ({"supplement": [case.supplement((0, 5_000), cap_fen=100)]}, {"supplement_paid_fen": used}),
    ]
    for rules, spent in parts:
        past = History((case.entry(visit_kind=VisitKind.INPATIENT, **spent),))
        pack = case.pack(ratios=[case.ratio((0, 0))], **rules)
        eob = adjudicate(pack, case.stay(case.line(0, 500)), SERVANT, past)
        assert eob.paid_fen == paid


# Class B by tiers


def first_share(amount: int, quantity_e4: int, base: str, *bands: tuple[int, int]) -> int:
    line = case.line(0, amount, "02", quantity_e4=quantity_e4)
    return explain(line, class_b=case.tiers(base, *bands)).preselfpay_fen


@pytest.mark.parametrize(
    ("amount", "share"),
    [(10_000, 1_000), (10_001, 1_000), (10_003, 1_001), (20_000, 3_000), (5, 1), (4, 0)],
)
def test_tiers_are_marginal_and_rounded_once(amount: int, share: int) -> None:
    """10 % up to 100 yuan and 20 % above (the edge itself belongs below)."""
    assert first_share(amount, 10_000, "line-amount", (0, 1_000), (10_000, 2_000)) == share


@pytest.mark.parametrize(
    ("quantity_e4", "share"), [(20_000, 2_000), (10_000, 3_000), (40_000, 2_000), (15_000, 2_500)]
)
def test_tiers_on_the_price_of_a_unit(quantity_e4: int, share: int) -> None:
    """200 yuan for two are 100 each, for one and a half 133.33: 150 at 10 % and 50 at 20 %."""
    assert first_share(20_000, quantity_e4, "unit-price", (0, 1_000), (10_000, 2_000)) == share


@pytest.mark.parametrize(("amount", "share"), [(4_999, 0), (5_000, 1), (14_999, 1)])
def test_a_tier_is_rounded_half_up_exactly(amount: int, share: int) -> None:
    assert first_share(amount, 10_000, "line-amount", (0, 1), (900_000, 2)) == share


# Lines that wait, or that nobody covers


def test_a_line_of_nothing_does_not_wait_for_a_person() -> None:
    pack = case.pack(case.catalogue())
    bill = case.stay(case.line(0, 0, code="NO-SUCH"), case.line(1, 1, code="NO-SUCH"))
    eob = adjudicate(pack, bill, case.person(), History())
    assert [(one.code, one.line_index, one.level) for one in eob.pend_reasons] == [
        ("unknown-code", 1, "line")
    ]
    (reason,) = eob.pend_reasons
    assert reason.zh == ("目录里找不到这个编码，先按不报销估算，由工作人员核对，不会直接拒绝")
    assert reason.en == (
        "This code is not in the catalogue: counted as not paid until a person has looked"
    )


def test_a_restricted_line_waits_with_its_words() -> None:
    pack = case.pack(case.catalogue())
    bill = case.stay(case.line(0, 100, code="FIX-RESTRICTED"))
    (reason,) = adjudicate(pack, bill, case.person(), History()).pend_reasons
    assert (reason.code, reason.zh, reason.en) == (
        "restricted-unconfirmed",
        "限制使用的项目，还没有医院确认，先按不报销估算，由工作人员核对",
        "A restricted item not yet confirmed: counted as not paid until a person has looked",
    )


def test_each_line_is_covered_or_not_on_its_own_day() -> None:
    ends = case.DAY - dt.timedelta(days=1)
    person = case.person(cover=(CoverPeriod("310", case.LONG_AGO, ends),))
    lines = [
        case.line(0, 100, occurred_on=ends),
        case.line(1, 100, occurred_on=case.DAY),
        case.line(2, 100),
        case.line(3, 100, occurred_on=ends),
    ]
    eob = adjudicate(case.pack(), case.stay(*lines), person, History())
    assert [line.paid_fen for line in eob.lines] == [100, 0, 0, 100]
    assert [[cut.code for cut in line.adjustments] for line in eob.lines] == [
        [], ["outside-cover"], ["outside-cover"], [],
    ]  # fmt: skip


def test_the_memory_of_terms_does_not_change_a_line() -> None:
    pack = case.pack(case.catalogue())
    bill = case.stay(*(case.line(index, 100, code="FIX-02") for index in range(3)))
    first = adjudicate(pack, bill, case.person(), History())
    assert len(pack.terms_memo) == 1
    assert adjudicate(pack, bill, case.person(), History()) == first
    assert all(terms is not None for terms in pack.terms_memo.values())


# Submissions


def test_a_submission_holds_each_bill_once_and_not_too_many() -> None:
    words = (
        f"一次最多提交 {BILLS_MAX} 张票据，同一张票据只能选一次。",
        f"A submission holds at most {BILLS_MAX} bills, each of them once.",
    )
    many = [case.bill(case.line(0, 1), key=number + 1) for number in range(BILLS_MAX + 1)]
    person, pack = case.person(), case.pack()

    def submit(bills: list[Any]) -> Any:
        return estimate_submission(pack, bills, person, History())

    assert said(BillError, lambda: submit(many)) == words
    assert said(BillError, lambda: submit([many[0], many[0]])) == words
    assert len(submit(many[:BILLS_MAX])) == BILLS_MAX
    assert submit([]) == {}


def test_bills_of_a_submission_are_worked_out_by_day_and_then_by_key() -> None:
    """A yearly deductible of 1 yuan falls on the first of them."""
    pack = case.pack(deductibles=[case.deductible(100, "per-year")])
    later = case.bill(case.line(0, 150), key=1, visit_date=case.DAY + dt.timedelta(days=1))
    second, first = (case.bill(case.line(0, 150), key=key) for key in (3, 2))
    found = estimate_submission(pack, [later, second, first], case.person(), History())
    assert [key[-1] for key in found] == [2, 3, 1]
    assert [eob.deductible_fen for eob in found.values()] == [100, 0, 0]
    assert [eob.paid_fen for eob in found.values()] == [50, 150, 150]


# The summary


def reason(code: str, words: str = "") -> Reason:
    return Reason(Group.PATIENT, code, "r", f"因{words}", f"why{words}")


def test_rows_stand_in_the_order_of_the_calculation_with_their_labels() -> None:
    codes = [
        "refused", "borne-by-others", "supplement-paid", "layer-3-paid", "layer-2-paid",
        "yearly-cap", "personal-ratio", "deductible", "remote-share", "class-b-share",
        "over-price-limit", "reviewer-limited", "unknown-code", "class-c",
    ]  # fmt: skip
    rows = build_summary(1_000, 7, [Adjustment(reason(code), 1) for code in codes])
    assert [(row.code, row.label_zh, row.label_en, row.amount_fen) for row in rows] == [
        ("total", "票据总额", "Bill total", 1_000),
        ("excluded", "目录外", "Outside the catalogue", -1),
        ("to-be-checked", "待人工核对", "To be checked by a person", -1),
        ("reviewed-out", "审核扣除", "Taken out by a reviewer", -1),
        ("over-price-limit", "超限价", "Above the price limit", -1),
        ("class-b-share", "乙类先自付", "Class B, paid first", -1),
        ("remote-share", "异地先自付", "Care elsewhere, paid first", -1),
        ("deductible", "起付线", "Deductible", -1),
        ("personal-ratio", "个人比例", "Your share by ratio", -1),
        ("yearly-cap", "年度封顶", "Yearly cap", -1),
        ("layer-2-paid", "大病保险", "Serious-illness layer", -1),
        ("layer-3-paid", "医疗救助", "Medical assistance", -1),
        ("supplement-paid", "公务员补助", "Civil-servant supplement", -1),
        ("borne-by-others", "其他方已支付", "Already borne by others", -1),
        ("refused", "不予报销", "Refused", -1),
        ("paid", "报销", "Reimbursed", 7),
    ]
    assert (rows[0].zh, rows[0].en) == ("整张票据的金额", "The bill")
    assert (rows[-1].zh, rows[-1].en) == ("打到您账户的金额", "Paid to your account")
    assert (rows[1].zh, rows[1].en) == ("因", "why")


@pytest.mark.parametrize(
    ("code", "row"),
    [
        ("class-c", "excluded"),
        ("negative-list", "excluded"),
        ("not-approved", "excluded"),
        ("outside-cover", "excluded"),
        ("reviewer-excluded", "reviewed-out"),
        ("reviewer-limited", "reviewed-out"),
        ("unknown-code", "to-be-checked"),
        ("restricted-unconfirmed", "to-be-checked"),
    ],
)
def test_reasons_of_one_kind_are_one_row(code: str, row: str) -> None:
    rows = build_summary(9, 4, [Adjustment(reason(code), 2), Adjustment(reason(code), 3)])
    assert [(one.code, one.amount_fen) for one in rows] == [
        ("total", 9), (row, -5), ("paid", 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("size", "zh", "en"),
    [
        (1, "因0", "why0"),
        (3, "因0；因1；因2", "why0; why1; why2"),
        (4, "因0；因1；因2；另有 1 种原因", "why0; why1; why2; and 1 more"),
        (6, "因0；因1；因2；另有 3 种原因", "why0; why1; why2; and 3 more"),
    ],
)
def test_a_row_names_up_to_three_reasons(size: int, zh: str, en: str) -> None:
    cuts = [Adjustment(reason("deductible", str(number)), 1) for number in range(size)]
    row = build_summary(9, 0, [*cuts, cuts[0], Adjustment(reason("deductible", "0"), 1)])[1]
    assert (row.amount_fen, row.zh, row.en) == (-size - 2, zh, en)


def test_rows_that_come_to_nothing_are_left_out() -> None:
    shared = reason("deductible")
    cuts = [Adjustment(shared, 5), Adjustment(shared, -5), Adjustment(reason("yearly-cap"), 0)]
    assert [row.code for row in build_summary(9, 9, cuts)] == ["total", "paid"]
    assert dataclasses.astuple(build_summary(0, 0, [])[0])[:4] == (
        "total", "票据总额", "Bill total", 0,
    )  # fmt: skip
