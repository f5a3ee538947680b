"""Worked cases of adjudication. Every expected number is worked by hand or printed in a source
(domain reference 3.3 and 3.5), none by the code under test."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from backend.adapters.catalogue import POLICY_DIRECTORY
from backend.adapters.policy_packs import load_pack
from backend.domain.adjudication import adjudicate, estimate_submission
from backend.domain.bill import BillError, bill_from_invoice
from backend.domain.explanation import ExplanationError, Group, Outcome, verify_balance
from backend.domain.invoice import ExpenseLine, Invoice, VisitKind
from backend.domain.money import MoneyError
from backend.domain.person import CoverPeriod, History
from backend.domain.policy import PolicyError
from tests.unit.domain import benefit_cases as case

QUZHOU = load_pack(POLICY_DIRECTORY / "quzhou-2026.json")


@pytest.fixture(scope="module")
def quzhou_d1() -> Any:
    """D1: 20,000.00 yuan in five lines, by codes of the fixture catalogue."""
    return dataclasses.replace(QUZHOU, catalogue=case.catalogue())


def d1_lines() -> tuple[Any, ...]:
    return (
        case.line(0, 600_000),
        case.line(1, 500_000, "02"),
        case.line(2, 120_000, "02", "FIX-LIMIT", quantity_e4=100_000, price_e6=120_000_000),
        case.line(3, 100_000, "03"),
        case.line(4, 680_000),
    )


def by_code(eob: Any) -> dict[str, int]:
    return {row.code: row.amount_fen for row in eob.summary}


def test_line_split_gives_table_d1(quzhou_d1: Any) -> None:
    eob = adjudicate(quzhou_d1, case.stay(*d1_lines()), case.person(), History())

    parts = [(e.fulamt_ownpay_fen, e.overlmt_fen, e.preselfpay_fen, e.inscp_fen) for e in eob.lines]
    assert parts == [
        (0, 0, 0, 600_000),
        (0, 0, 50_000, 450_000),
        (0, 20_000, 10_000, 90_000),
        (100_000, 0, 0, 0),
        (0, 0, 0, 680_000),
    ]
    assert (eob.fulamt_ownpay_fen, eob.overlmt_fen, eob.preselfpay_fen, eob.inscp_fen) == (
        100_000, 20_000, 60_000, 1_820_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("insurance", "kind", "level", "deductible", "pays", "bears"),
    [
        ("310", "1101", 3, 80_000, 1_461_600, 538_400),
        ("310", "1102", 3, 80_000, 1_548_600, 451_400),
        ("310", "1101", 2, 40_000, 1_548_600, 451_400),
        ("390", "resident", 3, 80_000, 1_131_000, 869_000),
        ("390", "resident", 2, 40_000, 1_335_000, 665_000),
        ("390", "resident", 1, 40_000, 1_513_000, 487_000),
    ],
)
def test_quzhou_inpatient_pays_table_d2(
    quzhou_d1: Any, *, insurance: str, kind: str, level: int, deductible: int, pays: int, bears: int
) -> None:
    eob = adjudicate(
        quzhou_d1, case.stay(*d1_lines(), level=level), case.person(insurance, kind), History()
    )

    assert (eob.deductible_fen, eob.pool_paid_fen, eob.person_fen) == (deductible, pays, bears)
    assert eob.layer2_paid_fen == 0


def test_citizens_table_adds_up_in_plain_words_on_d2(quzhou_d1: Any) -> None:
    eob = adjudicate(quzhou_d1, case.stay(*d1_lines()), case.person(), History())

    assert [(row.label_zh, row.amount_fen) for row in eob.summary] == [
        ("票据总额", 2_000_000),
        ("目录外", -100_000),
        ("超限价", -20_000),
        ("乙类先自付", -60_000),
        ("起付线", -80_000),
        ("个人比例", -278_400),
        ("报销", 1_461_600),
    ]
    words = {row.code: row.zh for row in eob.summary}
    assert words["deductible"] == "起付线：今年第一次住院，三级医院，先自付 800.00 元"
    assert words["class-b-share"] == "乙类先自付 10%"
    assert words["personal-ratio"] == "个人比例：统筹支付 84%，其余自付"
    assert eob.outcome is Outcome.PARTIAL


def test_quzhou_outpatient_year_pays_d6_and_the_cap_cuts_the_last() -> None:
    history = History()
    paid, taken = [], []
    pack = dataclasses.replace(QUZHOU, catalogue=None)
    for number, scope in enumerate((20_000, 50_000, 400_000, 300_000)):
        eob = adjudicate(pack, case.bill(case.line(0, scope)), case.person(), history)
        history = history.with_entries([eob.history_entry(f"C-{number}", "settled")])
        paid.append(eob.paid_fen)
        taken.append(eob.deductible_fen)

    assert taken == [20_000, 10_000, 0, 0]
    assert paid == [0, 20_000, 200_000, 80_000]
    assert by_code(eob)["yearly-cap"] == -70_000
    assert "全年最多支付 3,000.00 元，今年前面已支付 2,200.00 元" in eob.summary[-2].zh


@pytest.mark.parametrize(
    ("level", "cost", "deductible", "ratio_bp", "pays"),
    [(2, 15_000, 5_000, 5_000, 5_000), (3, 25_000, 10_000, 4_000, 6_000)],
)
def test_xian_resident_outpatient_pays_g3(
    level: int, cost: int, deductible: int, ratio_bp: int, pays: int
) -> None:
    pack = case.pack(deductibles=[case.deductible(deductible)], ratios=[case.ratio((0, ratio_bp))])
    eob = adjudicate(
        pack, case.bill(case.line(0, cost), level=level), case.person("390"), History()
    )
    assert eob.paid_fen == pays


@pytest.mark.parametrize("cost", [0, 1, 4_999, 5_000])
def test_cost_up_to_the_deductible_pays_nothing_and_is_no_refusal(cost: int) -> None:
    pack = case.pack(deductibles=[case.deductible(5_000)], ratios=[case.ratio((0, 5_000))])
    eob = adjudicate(pack, case.bill(case.line(0, cost)), case.person(), History())
    assert (eob.paid_fen, eob.deductible_fen) == (0, cost)
    assert eob.outcome is Outcome.APPROVED


def test_ratio_of_zero_stays_zero_with_the_retiree_bonus() -> None:
    pack = case.pack(ratios=[case.ratio((0, 0), retired_bonus_bp=500)])
    eob = adjudicate(pack, case.bill(case.line(0, 10_000)), case.person("310", "1102"), History())
    assert eob.paid_fen == 0


def test_ratio_never_exceeds_the_whole_with_the_retiree_bonus() -> None:
    pack = case.pack(ratios=[case.ratio((0, 9_800), retired_bonus_bp=500)])
    eob = adjudicate(pack, case.bill(case.line(0, 10_000)), case.person("310", "1102"), History())
    assert eob.paid_fen == 10_000


def test_class_a_in_full_b_less_ten_percent_c_out_pays_g4() -> None:
    pack = case.pack(deductibles=[case.deductible(65_000)], ratios=[case.ratio((0, 7_800))])
    lines = (case.line(0, 100_000), case.line(1, 50_000, "02"), case.line(2, 20_000, "03"))
    eob = adjudicate(pack, case.bill(*lines), case.person(), History())
    assert (eob.inscp_fen, eob.paid_fen, eob.person_fen) == (145_000, 62_400, 107_600)

    small = adjudicate(pack, case.bill(case.line(0, 65_000)), case.person(), History())
    assert small.paid_fen == 0


def test_bands_include_the_threshold_so_the_toy_case_pays_740() -> None:
    pack = case.pack(
        deductibles=[case.deductible(20_000)], ratios=[case.ratio((0, 4_000), (100_000, 7_000))]
    )
    eob = adjudicate(pack, case.bill(case.line(0, 160_000)), case.person(), History())
    # (1,000 - 200) x 40 % + (1,600 - 1,000) x 70 % = 320 + 420
    assert eob.paid_fen == 74_000
    assert eob.pool_ratio == "0.4000,0.7000"


def test_yearly_base_starts_the_bands_where_the_year_stands() -> None:
    pack = case.pack(ratios=[case.ratio((0, 4_000), (100_000, 7_000), base="year")])
    past = History((case.entry(in_scope_fen=90_000),))
    eob = adjudicate(pack, case.bill(case.line(0, 30_000)), case.person(), past)
    # 900 -> 1,200: 100 x 40 % + 200 x 70 % = 40 + 140
    assert eob.paid_fen == 18_000


def test_remote_factor_is_not_rounded_and_leaves_the_deductible() -> None:
    pack = case.pack(deductibles=[case.deductible(40_000)], ratios=[case.ratio((0, 8_700))])
    away = case.stay(case.line(0, 1_040_000), remote_status="emergency-not-filed")
    eob = adjudicate(pack, away, case.person(), History())
    # 10,000.00 x 0.87 x 0.85 = 7,395.00; a ratio rounded to 0.740 would give 7,400.00
    assert (eob.paid_fen, eob.deductible_fen) == (739_500, 40_000)
    assert eob.pool_ratio == "0.7395"


def test_remote_share_paid_first_comes_before_the_deductible() -> None:
    model = {
        "model": "paid-first",
        "statuses": [case.remote("local", 0), case.remote("other", 2_000)],
    }
    pack = case.pack(
        remote=model, deductibles=[case.deductible(10_000)], ratios=[case.ratio((0, 8_000))]
    )
    eob = adjudicate(
        pack, case.bill(case.line(0, 100_000), remote_status="other"), case.person(), History()
    )
    # 1,000 x 20 % = 200 first; (800 - 100) x 80 % = 560
    assert (eob.preselfpay_fen, eob.inscp_fen, eob.paid_fen) == (20_000, 80_000, 56_000)
    assert by_code(eob)["remote-share"] == -20_000


def test_pool_cap_moves_the_rest_to_layer_2_on_quzhou() -> None:
    pack = dataclasses.replace(QUZHOU, catalogue=None)
    past = History(
        (
            case.entry(
                insurance_type="390",
                visit_kind=VisitKind.INPATIENT,
                in_scope_fen=20_000_000,
                deductible_fen=140_000,
                pool_paid_fen=14_900_000,
                layer2_base_fen=5_100_000,
                layer2_paid_fen=1_990_000,
            ),
        )
    )
    eob = adjudicate(pack, case.stay(case.line(0, 6_000_000)), case.person("390"), past)
    # pool: 60,000 x 65 % = 39,000, but 150,000 - 149,000 = 1,000 is left.
    # layer 2: base 51,000 -> 110,000: 49,000 x 70 % + 10,000 x 80 % = 34,300 + 8,000 = 42,300.
    assert (eob.deductible_fen, eob.pool_paid_fen, eob.layer2_paid_fen) == (0, 100_000, 4_230_000)
    assert by_code(eob) == {
        "total": 6_000_000,
        "personal-ratio": -2_100_000,
        "yearly-cap": -3_800_000,
        "layer-2-paid": 4_230_000,
        "paid": 4_330_000,
    }


def test_layer_2_pays_nothing_at_its_threshold_and_its_share_above() -> None:
    pack = case.pack(
        ratios=[case.ratio((0, 0))], layer2=[case.layer2(10_000_000, (1_800_000, 6_000))]
    )
    at = adjudicate(pack, case.bill(case.line(0, 1_800_000)), case.person(), History())
    above = adjudicate(pack, case.bill(case.line(0, 1_900_000)), case.person(), History())
    assert (at.paid_fen, above.paid_fen) == (0, 60_000)


def test_layer_2_stops_at_its_yearly_cap() -> None:
    pack = case.pack(ratios=[case.ratio((0, 0))], layer2=[case.layer2(50_000, (0, 6_000))])
    past = History((case.entry(layer2_base_fen=50_000, layer2_paid_fen=30_000),))
    eob = adjudicate(pack, case.bill(case.line(0, 100_000)), case.person(), past)
    assert eob.paid_fen == 20_000


def test_each_layer_is_rounded_once_half_up_and_allotted_by_largest_remainder() -> None:
    pack = case.pack(ratios=[case.ratio((0, 5_000))])
    lines = tuple(case.line(i, 1) for i in range(3))
    eob = adjudicate(pack, case.bill(*lines), case.person(), History())
    # 3 fen x 50 % = 1.5 -> 2 fen; three equal remainders: the lower lines get them.
    assert eob.paid_fen == 2
    assert [e.paid_fen for e in eob.lines] == [1, 1, 0]


def test_four_decimal_lines_are_summed_first() -> None:
    lines = tuple(case.line(i, 1_000, amount_e4=100_050, price_e6=10_005_000) for i in range(3))
    eob = adjudicate(case.pack(), case.bill(*lines, total_fen=3_002), case.person(), History())
    assert eob.paid_fen == 3_002
    assert [e.submitted_fen for e in eob.lines] == [1_001, 1_001, 1_000]


def test_what_others_bore_is_never_paid_again() -> None:
    eob = adjudicate(
        case.pack(), case.bill(case.line(0, 10_000), borne_fen=4_000), case.person(), History()
    )
    assert (eob.paid_fen, by_code(eob)["borne-by-others"]) == (6_000, -4_000)


def test_unknown_code_is_pended_and_counted_as_unpaid() -> None:
    pack = case.pack(case.catalogue())
    eob = adjudicate(
        pack,
        case.bill(case.line(0, 10_000), case.line(1, 5_000, code="NO-SUCH")),
        case.person(),
        History(),
    )
    assert eob.paid_fen == 10_000
    assert [(p.code, p.line_index, p.level) for p in eob.pend_reasons] == [
        ("unknown-code", 1, "line")
    ]
    assert by_code(eob)["to-be-checked"] == -5_000
    assert "不会直接拒绝" in eob.lines[1].adjustments[0].basis_zh


def test_negative_list_excludes_with_the_entry_as_reason() -> None:
    pack = case.pack(case.catalogue())
    eob = adjudicate(pack, case.bill(case.line(0, 1_500, code="FIX-NEG")), case.person(), History())
    cut = eob.lines[0].adjustments[0]
    assert (eob.paid_fen, cut.group, cut.code, cut.rule_id) == (
        0, Group.NONCOVERED, "negative-list", "neg-bed",
    )  # fmt: skip
    assert cut.basis_zh == "负面清单：陪护床不能报销"
    assert eob.outcome is Outcome.REFUSED


def test_alias_finds_the_item_and_class_b_without_share_takes_the_packs() -> None:
    pack = case.pack(case.catalogue())
    eob = adjudicate(
        pack,
        case.bill(case.line(0, 10_000, code="OLD-01"), case.line(1, 10_000, "02")),
        case.person(),
        History(),
    )
    assert (eob.paid_fen, eob.preselfpay_fen, eob.pend_reasons) == (19_000, 1_000, ())


@pytest.mark.parametrize(
    ("code", "flag", "paid", "pends"),
    [
        ("FIX-RESTRICTED", "1", 10_000, []),
        ("FIX-RESTRICTED", "0", 0, []),
        ("FIX-RESTRICTED", "2", 0, []),
        ("FIX-RESTRICTED", "", 0, ["restricted-unconfirmed"]),
        ("FIX-01", "2", 0, []),
        ("FIX-01", "0", 10_000, []),
    ],
)
def test_approval_flag_of_restricted_and_plain_items(
    code: str, flag: str, paid: int, pends: list[str]
) -> None:
    pack = case.pack(case.catalogue())
    one = case.line(0, 10_000, code=code, approval_flag=flag)
    eob = adjudicate(pack, case.bill(one), case.person(), History())
    assert (eob.paid_fen, [p.code for p in eob.pend_reasons]) == (paid, pends)


def test_a_day_outside_the_cover_is_not_covered() -> None:
    gap = case.person(cover=(CoverPeriod("310", dt.date(2026, 3, 2), dt.date(2026, 3, 2)),))
    lines = (
        case.line(0, 10_000),
        case.line(1, 7_000, occurred_on=dt.date(2026, 3, 1)),
    )
    eob = adjudicate(case.pack(), case.bill(*lines), gap, History())
    assert eob.paid_fen == 10_000
    assert eob.lines[1].adjustments[0].code == "outside-cover"


def test_price_limit_of_a_quantity_and_price_with_decimals() -> None:
    pack = case.pack(case.catalogue(case.item("L", "01", price_limit_fen=333)))
    # 2.5 x (3.3333 - 3.33) = 0.00825 -> 0.01; the line is 8.33325 yuan, 8.33 on the bill.
    one = case.line(0, 833, code="L", quantity_e4=25_000, price_e6=3_333_300, amount_e4=83_333)
    eob = adjudicate(pack, case.bill(one), case.person(), History())
    assert (eob.overlmt_fen, eob.paid_fen) == (1, 832)


def test_submission_shares_the_deductible_in_visit_date_order() -> None:
    pack = case.pack(
        deductibles=[case.deductible(30_000, "per-year")], ratios=[case.ratio((0, 5_000))]
    )
    later = case.bill(case.line(0, 50_000), key=1, visit_date=dt.date(2026, 5, 2))
    earlier = case.bill(case.line(0, 20_000), key=2, visit_date=dt.date(2026, 5, 1))
    results = estimate_submission(pack, [later, earlier], case.person(), History())
    # 200 first takes 200 of the deductible; then 500 less the missing 100, half of it.
    assert results[earlier.invoice_key].paid_fen == 0
    assert results[later.invoice_key].paid_fen == 20_000
    assert list(results) == [earlier.invoice_key, later.invoice_key]


def test_same_bill_twice_in_a_submission_is_refused() -> None:
    one = case.bill(case.line(0, 100))
    with pytest.raises(BillError, match="each of them once"):
        estimate_submission(case.pack(), [one, one], case.person(), History())


def test_lines_that_are_not_the_total_are_refused() -> None:
    with pytest.raises(MoneyError, match="do not add up"):
        adjudicate(
            case.pack(), case.bill(case.line(0, 100), total_fen=101), case.person(), History()
        )


def test_a_day_before_the_pack_is_refused() -> None:
    old = case.bill(case.line(0, 100), visit_date=dt.date(2025, 12, 31))
    with pytest.raises(PolicyError, match="not in force"):
        adjudicate(case.pack(), old, case.person(), History())


def test_a_person_without_rule_is_refused() -> None:
    with pytest.raises(PolicyError, match="exactly one rule"):
        adjudicate(QUZHOU, case.bill(case.line(0, 100)), case.person("340", "1103"), History())


def test_unknown_remote_status_is_refused() -> None:
    away = case.bill(case.line(0, 100), remote_status="on-the-moon")
    with pytest.raises(PolicyError, match="no remote status on-the-moon"):
        adjudicate(case.pack(), away, case.person(), History())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"total_fen": -1}, "red bill"),
        ({"total_fen": 2**40}, "out of range"),
        ({"borne_fen": 101}, "what others bore"),
        ({"hospital_level": 4}, "hospital level"),
        ({"hospital_level": 0}, "hospital level"),
        ({"lines": ()}, "no expense lines"),
        ({"admitted_on": dt.date(2026, 3, 3), "discharged_on": case.DAY}, "before the admission"),
    ],
)
def test_bill_that_is_none_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BillError, match=message):
        case.bill(case.line(0, 100), **changes)


def test_settled_and_red_invoices_are_refused() -> None:
    invoice = Invoice(
        institution_code="H33080200001",
        institution_name="示例市第一医院",
        invoice_code="33060126",
        invoice_number="0012345678",
        total_fen=3_900,
        issued_on=case.DAY,
        payer_name="测试甲",
        lines=(ExpenseLine("item", 10_000, 39_000_000, 390_000, occurred_at="2026-02-27 08:00"),),
    )
    view = bill_from_invoice(invoice, invoice_key=bytes(32), hospital_level=2)
    assert (view.total_fen, view.visit_date, view.lines[0].occurred_on) == (
        3_900, case.DAY, dt.date(2026, 2, 27),
    )  # fmt: skip
    with pytest.raises(BillError, match="already settled"):
        bill_from_invoice(
            dataclasses.replace(invoice, fund_pay_fen=1), invoice_key=bytes(32), hospital_level=2
        )
    with pytest.raises(BillError, match="red bill"):
        bill_from_invoice(
            dataclasses.replace(invoice, total_fen=-3_900), invoice_key=bytes(32), hospital_level=2
        )


@pytest.mark.parametrize(
    ("field", "identity"),
    [
        ("fulamt_ownpay_fen", "1"),
        ("inscp_fen", "1"),
        ("pool_paid_fen", "lines paid"),
        ("submitted_fen", "1"),
    ],
)
def test_changed_amount_breaks_the_balance(field: str, identity: str) -> None:
    pack = case.pack(ratios=[case.ratio((0, 5_000))])
    eob = adjudicate(pack, case.bill(case.line(0, 10_000)), case.person(), History())
    broken = dataclasses.replace(eob, **{field: getattr(eob, field) + 1})
    with pytest.raises(ExplanationError, match=rf"do not balance \({identity}\)"):
        verify_balance(broken)
