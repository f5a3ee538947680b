"""Later layers, retired persons and persons' statuses. Expected numbers are worked by hand or
printed in the domain reference (3.4, 3.5), none by the code under test."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backend.domain.adjudication import adjudicate
from backend.domain.invoice import VisitKind
from backend.domain.person import History
from tests.unit.domain import benefit_cases as case

POOR = (case.status("low-income"),)
SECTION = (case.status("section"),)
NONE_PAID = {"ratios": [case.ratio((0, 0))]}


def by_code(eob: Any) -> dict[str, int]:
    return {row.code: row.amount_fen for row in eob.summary}


def words(eob: Any) -> dict[str, str]:
    return {row.code: row.zh for row in eob.summary}


def test_civil_servant_supplement_pays_g2() -> None:
    pack = case.pack(
        ratios=[case.ratio((0, 8_500))],
        layer2=[case.layer2(50_000_000, (10_000_000, 9_000))],
        supplement=[case.supplement((0, 9_600))],
    )
    servant = case.person(civil_servant=SECTION)
    eob = adjudicate(pack, case.stay(case.line(0, 20_000_000)), servant, History())
    # 200,000 x 85 % = 170,000; 30,000 is below layer 2; 96 % of it is 28,800; 1,200 remain.
    assert (eob.pool_paid_fen, eob.layer2_paid_fen) == (17_000_000, 0)
    assert (eob.supplement_paid_fen, eob.person_fen) == (2_880_000, 120_000)
    assert words(eob)["supplement-paid"] == (
        "公务员补助：前面各项报过以后，这次您自己负担的目录内费用再补助 96%"
    )


def test_medical_assistance_is_laid_on_the_base_of_d10() -> None:
    pack = case.pack(
        caps=[case.cap(3_000_000)],
        layer2=[case.layer2(10_000_000, (500_000, 5_000))],
        layer3=[case.aid((0, 10_000))],
    )
    eob = adjudicate(
        pack, case.stay(case.line(0, 4_500_000)), case.person(hardship=POOR), History()
    )
    # 45,000 - 30,000 from the pool - (15,000 - 5,000) x 50 % from layer 2 = 10,000.
    assert (eob.pool_paid_fen, eob.layer2_paid_fen) == (3_000_000, 500_000)
    assert (eob.layer3_paid_fen, eob.person_fen) == (1_000_000, 0)
    assert by_code(eob) == {
        "total": 4_500_000,
        "yearly-cap": -1_500_000,
        "layer-2-paid": 500_000,
        "layer-3-paid": 1_000_000,
        "paid": 4_500_000,
    }


@pytest.mark.parametrize(
    ("scope", "pays"),
    [(0, 0), (300_000, 0), (300_001, 1), (300_002, 1), (1_000_000, 490_000)],
)
def test_medical_assistance_pays_above_its_threshold(scope: int, pays: int) -> None:
    pack = case.pack(**NONE_PAID, layer3=[case.aid((300_000, 7_000))])
    poor = case.person(hardship=POOR)
    lines = (case.line(0, scope),) if scope else ()
    assert adjudicate(pack, case.bill(*lines), poor, History()).paid_fen == pays


def test_medical_assistance_goes_on_where_the_year_stands() -> None:
    past = History((case.entry(layer2_base_fen=200_000, layer2_paid_fen=50_000),))
    now = case.bill(case.line(0, 250_000))
    poor = case.person(hardship=POOR)
    yearly = case.pack(**NONE_PAID, layer3=[case.aid((300_000, 7_000))])
    # 1,500 -> 4,000 with the threshold at 3,000: 1,000 x 70 %.
    eob = adjudicate(yearly, now, poor, past)
    assert eob.layer3_paid_fen == 70_000
    assert words(eob)["layer-3-paid"] == (
        "医疗救助：您是低保对象，医保和大病保险报过以后，"
        "今年您自己负担的目录内费用超过 3,000.00 元的部分再救助 70%"
    )
    by_visit = case.pack(**NONE_PAID, layer3=[case.aid((300_000, 7_000), base="visit")])
    assert adjudicate(by_visit, now, poor, past).layer3_paid_fen == 0


def test_layer_2_says_its_threshold_and_ratios_in_plain_words() -> None:
    pack = case.pack(**NONE_PAID, layer2=[case.layer2(9_000, (100_000, 6_000), (110_000, 7_000))])
    eob = adjudicate(pack, case.stay(case.line(0, 120_000)), case.person(), History())
    # 100 x 60 % + 100 x 70 % = 130, but the cap is 90.
    assert eob.layer2_paid_fen == 9_000
    assert words(eob)["layer-2-paid"] == (
        "大病保险：今年您自己负担的合规费用超过 1,000.00 元的部分再报 60%、70%"
        "（全年最多 90.00 元，今年前面已付 0.00 元）"
    )


def test_bands_of_medical_assistance_are_absolute() -> None:
    pack = case.pack(**NONE_PAID, layer3=[case.aid((100_000, 6_000), (300_000, 8_000))])
    eob = adjudicate(pack, case.bill(case.line(0, 500_000)), case.person(hardship=POOR), History())
    # (3,000 - 1,000) x 60 % + (5,000 - 3,000) x 80 % = 1,200 + 1,600
    assert eob.layer3_paid_fen == 280_000


@pytest.mark.parametrize(
    ("used", "kind", "pays"),
    [
        (550_000, VisitKind.OUTPATIENT, 50_000),
        (600_000, VisitKind.OUTPATIENT, 0),
        (700_000, VisitKind.OUTPATIENT, 0),
        (550_000, VisitKind.INPATIENT, 70_000),
    ],
)
def test_yearly_cap_of_medical_assistance_counts_its_visit_kinds(
    used: int, kind: VisitKind, pays: int
) -> None:
    rule = case.aid((0, 7_000), cap_fen=600_000, visit_kinds=["outpatient"])
    pack = case.pack(**NONE_PAID, layer3=[rule])
    past = History((case.entry(layer3_paid_fen=used, layer2_base_fen=used, visit_kind=kind),))
    eob = adjudicate(pack, case.bill(case.line(0, 100_000)), case.person(hardship=POOR), past)
    assert eob.layer3_paid_fen == pays
    if 0 < pays < 70_000:
        assert words(eob)["layer-3-paid"].endswith(
            "（全年最多 6,000.00 元，今年前面已付 5,500.00 元）"
        )


@pytest.mark.parametrize(
    ("left", "scope", "pays", "says"), [(50, 100, 50, False), (49, 100, 49, True), (0, 2, 0, False)]
)
def test_cap_is_named_only_where_it_cuts(left: int, scope: int, pays: int, says: bool) -> None:
    pack = case.pack(**NONE_PAID, layer3=[case.aid((0, 5_000), cap_fen=1_000)])
    past = History((case.entry(layer3_paid_fen=1_000 - left),))
    eob = adjudicate(pack, case.bill(case.line(0, scope)), case.person(hardship=POOR), past)
    assert eob.layer3_paid_fen == pays
    assert ("全年最多" in words(eob).get("layer-3-paid", "")) == says


@pytest.mark.parametrize(
    "statuses",
    [
        (),
        (case.status("low-income", ends_on=case.DAY - dt.timedelta(days=1)),),
        (case.status("low-income", starts_on=case.DAY + dt.timedelta(days=1)),),
        (case.status("low-income-edge"),),
        # of two on one day the first in the order of aid counts, and the pack has none for it
        (case.status("low-income"), case.status("extreme-poor")),
    ],
)
def test_medical_assistance_is_for_those_whom_the_rule_names(statuses: Any) -> None:
    pack = case.pack(**NONE_PAID, layer3=[case.aid((0, 7_000))])
    person = case.person(hardship=statuses)
    assert adjudicate(pack, case.bill(case.line(0, 100_000)), person, History()).paid_fen == 0


def test_status_that_ends_on_the_day_of_the_bill_still_holds() -> None:
    pack = case.pack(**NONE_PAID, layer3=[case.aid((0, 7_000))])
    person = case.person(hardship=(case.status("low-income", case.DAY, case.DAY),))
    assert adjudicate(pack, case.bill(case.line(0, 100)), person, History()).paid_fen == 70


@pytest.mark.parametrize(
    ("rank", "kind", "ratio_bp"),
    [
        ("section", "1101", 9_600),
        ("section", "1102", 9_800),
        ("county", "1101", 9_800),
        ("county", "1102", 10_000),
        ("above", "1101", 10_000),
        ("above", "1102", 10_000),
    ],
)
def test_supplement_by_rank_and_service_pays_the_nanchang_table(
    rank: str, kind: str, ratio_bp: int
) -> None:
    def row(number: int, ranks: list[str], kinds: list[str], bp: int) -> dict[str, Any]:
        return case.supplement((0, bp), rule_id=f"sup-{number}", ranks=ranks, person_types=kinds)

    pack = case.pack(
        ratios=[case.ratio((0, 8_500))],
        supplement=[
            row(1, ["section"], ["1101"], 9_600),
            row(2, ["section"], ["1102"], 9_800),
            row(3, ["county"], ["1101"], 9_800),
            row(4, ["county"], ["1102"], 10_000),
            row(5, ["above"], ["1101", "1102"], 10_000),
        ],
    )
    servant = case.person("310", kind, civil_servant=(case.status(rank),))
    eob = adjudicate(pack, case.stay(case.line(0, 1_000_000)), servant, History())
    # 10,000 x 15 % = 1,500 left; fen of it = ratio in bp x 15
    assert eob.supplement_paid_fen == ratio_bp * 15


def test_supplement_leaves_out_what_is_not_in_scope() -> None:
    pack = case.pack(supplement=[case.supplement((0, 10_000))], ratios=[case.ratio((0, 5_000))])
    lines = (case.line(0, 10_000), case.line(1, 10_000, "02"), case.line(2, 10_000, "03"))
    eob = adjudicate(pack, case.bill(*lines), case.person(civil_servant=SECTION), History())
    # In scope 100 + 90; class B's 10 and class C's 100 stay with the person.
    assert (eob.paid_fen, eob.person_fen) == (19_000, 11_000)


def test_supplement_has_threshold_cap_and_a_yearly_base() -> None:
    rule = case.supplement((100_000, 5_000), base="year", cap_fen=60_000)
    pack = case.pack(**NONE_PAID, supplement=[rule])
    servant = case.person(civil_servant=SECTION)
    past = (
        case.entry(
            layer2_base_fen=160_000,
            layer2_paid_fen=50_000,
            layer3_paid_fen=20_000,
            supplement_paid_fen=0,
        ),
    )
    first = adjudicate(pack, case.bill(case.line(0, 50_000)), servant, History(past))
    # position 1,600 - 500 - 200 = 900 -> 1,400: 400 above the threshold, half of it.
    assert first.supplement_paid_fen == 20_000
    more = (*past, case.entry(2, layer2_base_fen=50_000, supplement_paid_fen=20_000))
    second = adjudicate(pack, case.bill(case.line(0, 200_000)), servant, History(more))
    # 2,000 x 50 % = 1,000, but 600 - 200 = 400 is left.
    assert second.supplement_paid_fen == 40_000


def test_layer_that_pays_last_gives_way_first_to_what_others_bore() -> None:
    pack = case.pack(
        ratios=[case.ratio((0, 5_000))],
        layer3=[case.aid((0, 6_000))],
        supplement=[case.supplement((0, 10_000))],
    )
    person = case.person(hardship=POOR, civil_servant=SECTION)

    def layers(borne: int) -> tuple[int, int, int]:
        eob = adjudicate(pack, case.bill(case.line(0, 10_000), borne_fen=borne), person, History())
        assert eob.paid_fen <= 10_000 - borne
        return eob.pool_paid_fen, eob.layer3_paid_fen, eob.supplement_paid_fen

    cut = adjudicate(pack, case.bill(case.line(0, 10_000), borne_fen=1_500), person, History())
    assert words(cut)["supplement-paid"].endswith("（其他方已支付一部分，各方合计不超过票据总额）")
    # 50 pool; 60 % of 50 = 30; the rest 20.
    assert layers(0) == (5_000, 3_000, 2_000)
    assert layers(1_500) == (5_000, 3_000, 500)
    assert layers(3_000) == (5_000, 2_000, 0)
    assert layers(6_000) == (4_000, 0, 0)


def test_each_later_layer_is_rounded_once_and_allotted_by_largest_remainder() -> None:
    pack = case.pack(
        **NONE_PAID,
        layer3=[case.aid((0, 5_000))],
        supplement=[case.supplement((0, 5_000))],
    )
    person = case.person(hardship=POOR, civil_servant=SECTION)
    lines = tuple(case.line(i, 1) for i in range(3))
    eob = adjudicate(pack, case.bill(*lines), person, History())
    # 3 x 50 % = 1.5 -> 2 on the lower lines; 1 left x 50 % = 0.5 -> 1 on the line that has it.
    assert [(e.layer3_fen, e.supplement_fen) for e in eob.lines] == [(1, 0), (1, 0), (0, 1)]
    assert all(e.submitted_fen == e.paid_fen for e in eob.lines)


@pytest.mark.parametrize(
    ("statuses", "scope", "pays"),
    [
        ((), 2_000_000, 180_000),
        (POOR, 2_000_000, 747_500),
        ((), 100_000_000, 30_000_000),
        (POOR, 100_000_000, 64_447_500),
    ],
)
def test_layer_2_of_the_poor_has_half_the_threshold_and_no_cap(
    statuses: Any, scope: int, pays: int
) -> None:
    poor = ["extreme-poor", "low-income", "low-income-edge", "poverty-risk"]
    others = case.layer2(30_000_000, (1_700_000, 6_000), fund="hifmi", hardship=["none"])
    for_poor = case.layer2(0, (850_000, 6_500), fund="hifmi", hardship=poor, rule_id="l2-poor")
    del for_poor["cap_fen"]
    pack = case.pack(**NONE_PAID, layer2=[others, for_poor])
    person = case.person("390", hardship=statuses)
    # 3,000 x 60 %; 11,500 x 65 %; the cap of 300,000; (1,000,000 - 8,500) x 65 %
    eob = adjudicate(pack, case.stay(case.line(0, scope)), person, History())
    assert eob.layer2_paid_fen == pays


def beijing(**changes: Any) -> Any:
    bands = [
        {"over_fen": 0, "ratio_bp": 8_500, "retired_ratio_bp": 9_550},
        {"over_fen": 3_000_000, "ratio_bp": 9_000},
        {"over_fen": 4_000_000, "ratio_bp": 9_500},
    ]
    rule = case.ratio() | {"bands": bands, "retired_share_bp": 6_000}
    return case.pack(
        deductibles=[case.deductible(130_000, later_standard_fen=65_000)], ratios=[rule], **changes
    )


@pytest.mark.parametrize(("kind", "pays"), [("1101", 4_289_500), ("1102", 4_650_850)])
def test_explicit_ratio_of_the_retired_wins_over_the_personal_share_factor(
    kind: str, pays: int
) -> None:
    eob = adjudicate(
        beijing(), case.stay(case.line(0, 5_000_000)), case.person("310", kind), History()
    )
    # in service 28,700 x 85 % + 10,000 x 90 % + 10,000 x 95 % = 24,395 + 9,000 + 9,500;
    # retired 28,700 x 95.5 % + 10,000 x (100 - 10 x 0.6) % + 10,000 x (100 - 5 x 0.6) %
    # = 27,408.50 + 9,400 + 9,700
    assert eob.paid_fen == pays


def test_factor_on_the_personal_share_is_exact_and_says_its_ratio() -> None:
    pack = case.pack(ratios=[case.ratio((0, 9_233), retired_share_bp=3_333)])
    eob = adjudicate(
        pack, case.stay(case.line(0, 100_000_000)), case.person("310", "1102"), History()
    )
    # 1 - 0.0767 x 0.3333 = 0.97443589
    assert (eob.pool_ratio, eob.paid_fen) == ("0.97443589", 97_443_589)
    assert words(eob)["personal-ratio"] == "个人比例：统筹支付 97.443589%，其余自付"


@pytest.mark.parametrize("changes", [{"retired_share_bp": 6_000}, {"retired_bonus_bp": 500}])
def test_neither_factor_nor_bonus_revives_a_ratio_of_zero(changes: dict[str, int]) -> None:
    pack = case.pack(ratios=[case.ratio((0, 0), **changes)])
    retired = case.person("310", "1102")
    assert adjudicate(pack, case.bill(case.line(0, 10_000)), retired, History()).paid_fen == 0


def test_factor_says_nothing_to_a_person_in_service() -> None:
    pack = case.pack(ratios=[case.ratio((0, 8_000), retired_share_bp=0)])
    one = case.bill(case.line(0, 10_000))
    assert adjudicate(pack, one, case.person(), History()).paid_fen == 8_000
    assert adjudicate(pack, one, case.person("310", "1102"), History()).paid_fen == 10_000


CHRONIC = (case.status("M01600"),)


def chronic_pack() -> Any:
    return case.pack(
        deductibles=[case.deductible(0)],
        ratios=[
            case.ratio((0, 5_000), visit_kinds=["outpatient", "inpatient"]),
            case.ratio((0, 8_000), visit_kinds=["outpatient-chronic"], rule_id="r-chronic"),
        ],
        caps=[case.cap(10_000, visit_kinds=["outpatient-chronic"])],
    )


def test_chronic_entitlement_selects_the_rules_written_for_it() -> None:
    patient = case.person(chronic=CHRONIC)
    past = History((case.entry(pool_paid_fen=9_000, in_scope_fen=9_000),))
    eob = adjudicate(chronic_pack(), case.bill(case.line(0, 10_000)), patient, past)
    # 80 %; what ordinary visits were paid does not use up the cap of the chronic ones.
    assert (eob.visit_kind, eob.paid_fen, eob.pend_reasons) == (
        VisitKind.OUTPATIENT_CHRONIC, 8_000, (),
    )  # fmt: skip
    assert eob.history_entry("C-1").visit_kind is VisitKind.OUTPATIENT_CHRONIC
    after = past.with_entries([eob.history_entry("C-1")])
    again = adjudicate(chronic_pack(), case.bill(case.line(0, 10_000)), patient, after)
    assert again.paid_fen == 2_000


def test_stay_leaves_its_days_and_number_in_the_history() -> None:
    first, last = case.DAY - dt.timedelta(days=4), case.DAY
    made = case.stay(case.line(0, 10_000), admitted_on=first, discharged_on=last, stay_number="ZY1")
    entry = adjudicate(case.pack(), made, case.person(), History()).history_entry("C-1")
    assert (entry.admitted_on, entry.discharged_on, entry.stay_number) == (first, last, "ZY1")


def test_what_takes_nothing_from_a_line_is_not_named() -> None:
    pack = case.pack(
        case.catalogue(case.item("FREE", "02", selfpay_bp=0, price_limit_fen=10_000)),
        deductibles=[case.deductible(10_000)],
    )
    lines = (case.line(0, 10_000, code="FREE"), case.line(1, 0, code="FIX-03"))
    eob = adjudicate(pack, case.bill(*lines), case.person(), History())
    assert [(cut.code, cut.amount_fen) for cut in eob.adjustments] == [("deductible", 10_000)]


def test_stay_of_a_chronic_patient_is_a_stay() -> None:
    eob = adjudicate(
        chronic_pack(), case.stay(case.line(0, 10_000)), case.person(chronic=CHRONIC), History()
    )
    assert (eob.visit_kind, eob.paid_fen) == (VisitKind.INPATIENT, 5_000)


def test_pack_without_chronic_rules_pays_as_ordinary_and_a_person_looks() -> None:
    patient = case.person(chronic=CHRONIC)
    eob = adjudicate(case.pack(), case.bill(case.line(0, 10_000)), patient, History())
    assert eob.visit_kind is VisitKind.OUTPATIENT
    assert [(p.code, p.level) for p in eob.pend_reasons] == [("chronic-without-rules", "claim")]
    assert "先按普通门诊计算" in eob.pend_reasons[0].zh


@pytest.mark.parametrize(
    ("medical_type", "kind", "paid"),
    [
        ("", VisitKind.OUTPATIENT_CHRONIC, 8_000),
        ("14", VisitKind.OUTPATIENT_CHRONIC, 8_000),
        ("140104", VisitKind.OUTPATIENT_CHRONIC, 8_000),
        ("11", VisitKind.OUTPATIENT, 5_000),
    ],
)
def test_bill_that_says_it_is_an_ordinary_visit_is_one(
    medical_type: str, kind: VisitKind, paid: int
) -> None:
    now = case.bill(case.line(0, 10_000), medical_type=medical_type)
    eob = adjudicate(chronic_pack(), now, case.person(chronic=CHRONIC), History())
    assert (eob.visit_kind, eob.paid_fen, eob.pend_reasons) == (kind, paid, ())


def test_bill_that_says_chronic_without_entitlement_is_looked_at() -> None:
    now = case.bill(case.line(0, 10_000), medical_type="140201")
    eob = adjudicate(chronic_pack(), now, case.person(), History())
    assert (eob.paid_fen, [p.code for p in eob.pend_reasons]) == (5_000, ["chronic-not-entitled"])


@pytest.mark.parametrize(
    "statuses", [(), (case.status("M01600", ends_on=case.DAY - dt.timedelta(days=1)),)]
)
def test_chronic_visit_without_entitlement_is_ordinary_and_a_person_looks(statuses: Any) -> None:
    asked = case.bill(case.line(0, 10_000), kind=VisitKind.OUTPATIENT_CHRONIC)
    eob = adjudicate(chronic_pack(), asked, case.person(chronic=statuses), History())
    assert (eob.visit_kind, eob.paid_fen) == (VisitKind.OUTPATIENT, 5_000)
    assert [p.code for p in eob.pend_reasons] == ["chronic-not-entitled"]
