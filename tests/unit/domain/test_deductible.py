"""The six deductible modes, the yearly ceiling and merged stays (domain reference 3.2)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backend.domain.adjudication import adjudicate
from backend.domain.invoice import VisitKind
from backend.domain.person import History
from tests.unit.domain import benefit_cases as case

OTHER = "H33080200002"
IN = {"visit_kind": VisitKind.INPATIENT}


def taken(mode: str, past: list[Any], now: Any, standard: int = 80_000, **rule: Any) -> int:
    pack = case.pack(deductibles=[case.deductible(standard, mode, **rule)])
    return adjudicate(pack, now, case.person(), History(tuple(past))).deductible_fen


@pytest.mark.parametrize(
    ("mode", "past", "in_scope", "expected"),
    [
        # min(S, x), whatever came before
        ("per-visit", [{"in_scope_fen": 500_000, "deductible_fen": 80_000}], 100_000, 80_000),
        ("per-visit", [], 30_000, 30_000),
        # clamp(S - P, 0, x): P is in-scope cost, not the deductible taken
        ("per-year", [{"in_scope_fen": 50_000}], 100_000, 30_000),
        ("per-year", [{"in_scope_fen": 90_000}], 100_000, 0),
        # an entry that took too little counts with what it took (docs/adr/0005)
        ("per-year", [{"in_scope_fen": 90_000, "deductible_base_fen": 0}], 100_000, 80_000),
        ("per-year", [{"in_scope_fen": 90_000, "deductible_base_fen": 30_000}], 100_000, 50_000),
        ("once-per-hospital-year", [{"deductible_base_fen": 0}], 100_000, 80_000),
        ("per-year", [{"in_scope_fen": 10_000}], 40_000, 40_000),
        ("per-year", [{"in_scope_fen": 50_000, **IN}], 100_000, 80_000),
        ("per-year", [{"in_scope_fen": 50_000, "insurance_type": "390"}], 100_000, 80_000),
        (
            "per-year",
            [{"in_scope_fen": 50_000, "service_on": dt.date(2025, 12, 31)}],
            100_000,
            80_000,
        ),
        # 15 January is this quarter, not this month, for a visit on 2 March
        ("per-quarter", [{"in_scope_fen": 50_000}], 100_000, 30_000),
        (
            "per-quarter",
            [{"in_scope_fen": 50_000, "service_on": dt.date(2025, 12, 31)}],
            100_000,
            80_000,
        ),
        ("per-month", [{"in_scope_fen": 50_000}], 100_000, 80_000),
        (
            "per-month",
            [{"in_scope_fen": 50_000, "service_on": dt.date(2026, 3, 1)}],
            100_000,
            30_000,
        ),
        # first visit to that hospital in the year
        ("once-per-hospital-year", [{"hospital_code": OTHER}], 100_000, 80_000),
        ("once-per-hospital-year", [{"deductible_fen": 10_000}], 100_000, 0),
        # clamp(S - deductible taken, 0, x): only the missing difference
        (
            "once-per-year-topped-up",
            [{"deductible_fen": 40_000, "in_scope_fen": 900_000}],
            100_000,
            40_000,
        ),
        ("once-per-year-topped-up", [{"deductible_fen": 80_000}], 100_000, 0),
        ("once-per-year-topped-up", [{"deductible_fen": 10_000}], 30_000, 30_000),
    ],
)
def test_mode_takes_what_the_table_says(
    mode: str, past: list[dict[str, Any]], in_scope: int, expected: int
) -> None:
    entries = [case.entry(i, **changes) for i, changes in enumerate(past)]
    assert taken(mode, entries, case.bill(case.line(0, in_scope))) == expected


def test_topped_up_variant_stops_once_the_standard_is_used_up() -> None:
    now = case.bill(case.line(0, 100_000))
    within = [case.entry(deductible_fen=40_000, in_scope_fen=80_000)]
    beyond = [case.entry(deductible_fen=40_000, in_scope_fen=80_001)]
    mode = "once-per-year-topped-up"
    assert taken(mode, within, now, stops_above_standard=1) == 40_000
    assert taken(mode, beyond, now, stops_above_standard=1) == 0
    assert taken(mode, beyond, now) == 40_000


@pytest.mark.parametrize(
    ("before", "expected"), [(0, 80_000), (80_000, 60_000), (120_000, 20_000), (140_000, 0)]
)
def test_yearly_ceiling_bounds_per_visit_deductibles(before: int, expected: int) -> None:
    past = [case.entry(deductible_fen=before, in_scope_fen=1_000_000, **IN)]
    now = case.stay(case.line(0, 500_000))
    assert taken("per-visit", past, now, year_ceiling_fen=140_000) == expected


@pytest.mark.parametrize(
    ("merging", "mid_stay", "transfer"),
    [
        ("none", 80_000, 80_000),
        ("mid-stay", 30_000, 80_000),
        ("transfer", 80_000, 30_000),
        ("both", 30_000, 30_000),
    ],
)
def test_merging_counts_stays_as_one(merging: str, mid_stay: int, transfer: int) -> None:
    day = dt.date(2026, 2, 20)
    first = {"deductible_fen": 50_000, "in_scope_fen": 50_000, "discharged_on": day, **IN}
    now = case.stay(case.line(0, 100_000), admitted_on=day, stay_number="ZY1")
    same = [case.entry(stay_number="ZY1", **first)]
    moved = [case.entry(hospital_code=OTHER, stay_number="ZY9", **first)]
    assert taken("per-visit", same, now, merging=merging) == mid_stay
    assert taken("per-visit", moved, now, merging=merging) == transfer


def test_merging_follows_the_chain_of_transfers_and_no_further() -> None:
    day = dt.date(2026, 2, 20)
    gone = dt.timedelta(days=10)
    third = case.entry(
        3,
        hospital_code=OTHER,
        deductible_fen=10_000,
        admitted_on=day - gone,
        discharged_on=day,
        **IN,
    )
    second = case.entry(2, deductible_fen=20_000, discharged_on=day - gone, **IN)
    stranger = case.entry(
        1, hospital_code=OTHER, deductible_fen=5_000, discharged_on=day - gone - gone, **IN
    )
    now = case.stay(case.line(0, 100_000), admitted_on=day + dt.timedelta(days=1))
    assert taken("per-visit", [stranger, second, third], now, merging="both") == 50_000


@pytest.mark.parametrize(
    ("mode", "merging", "mid_stay", "transfer"),
    [
        # March is another quarter and month than April: only what is one stay counts (S - P)
        ("per-quarter", "none", 80_000, 80_000),
        ("per-quarter", "mid-stay", 20_000, 80_000),
        ("per-quarter", "both", 20_000, 20_000),
        ("per-month", "transfer", 80_000, 20_000),
        ("per-month", "both", 20_000, 20_000),
        # of the year it is all the same: March and April are one
        ("per-year", "none", 20_000, 20_000),
        ("per-year", "both", 20_000, 20_000),
        # the first hospital again takes nothing; another one takes what is missing of one stay
        ("once-per-hospital-year", "none", 0, 80_000),
        ("once-per-hospital-year", "mid-stay", 0, 80_000),
        ("once-per-hospital-year", "transfer", 0, 30_000),
        ("once-per-year-topped-up", "none", 30_000, 30_000),
        ("once-per-year-topped-up", "both", 30_000, 30_000),
    ],
)
def test_one_stay_counts_in_every_mode(
    mode: str, merging: str, mid_stay: int, transfer: int
) -> None:
    day = dt.date(2026, 3, 31)
    first = {"deductible_fen": 50_000, "in_scope_fen": 60_000, "service_on": day, **IN}
    first["discharged_on"] = day
    next_day = dt.date(2026, 4, 1)
    now = case.stay(
        case.line(0, 100_000), visit_date=next_day, admitted_on=next_day, stay_number="ZY1"
    )
    same = [case.entry(stay_number="ZY1", **first)]
    moved = [case.entry(hospital_code=OTHER, stay_number="ZY9", **first)]
    assert taken(mode, same, now, merging=merging) == mid_stay
    assert taken(mode, moved, now, merging=merging) == transfer


@pytest.mark.parametrize(
    ("mode", "before", "now", "expected"),
    [
        ("per-quarter", dt.date(2026, 3, 31), dt.date(2026, 4, 1), 80_000),
        ("per-quarter", dt.date(2026, 4, 1), dt.date(2026, 6, 30), 30_000),
        ("per-quarter", dt.date(2026, 6, 30), dt.date(2026, 7, 1), 80_000),
        ("per-quarter", dt.date(2026, 9, 30), dt.date(2026, 10, 1), 80_000),
        ("per-quarter", dt.date(2026, 10, 1), dt.date(2026, 12, 31), 30_000),
        ("per-month", dt.date(2026, 11, 30), dt.date(2026, 12, 1), 80_000),
        ("per-month", dt.date(2026, 12, 1), dt.date(2026, 12, 31), 30_000),
        ("per-year", dt.date(2026, 1, 1), dt.date(2026, 12, 31), 30_000),
    ],
)
def test_period_begins_anew_on_its_first_day(
    mode: str, before: dt.date, now: dt.date, expected: int
) -> None:
    past = [case.entry(in_scope_fen=50_000, service_on=before)]
    assert taken(mode, past, case.bill(case.line(0, 100_000), visit_date=now)) == expected


def test_outpatient_visits_are_never_merged_into_a_stay() -> None:
    past = [case.entry(deductible_fen=50_000, in_scope_fen=50_000, stay_number="ZY1")]
    now = case.bill(case.line(0, 100_000), stay_number="ZY1")
    assert taken("per-visit", past, now, merging="both") == 80_000


@pytest.mark.parametrize(
    ("past", "merging", "expected"),
    [
        ([], "none", 130_000),
        ([{"stay_number": "ZY9", **IN}], "none", 65_000),
        # an outpatient visit is no stay
        ([{}], "none", 130_000),
        # the second settlement of the first stay is still the first stay: 1,300 less 500 taken
        ([{"stay_number": "ZY1", "deductible_fen": 50_000, **IN}], "mid-stay", 80_000),
        ([{"stay_number": "ZY1", "deductible_fen": 50_000, **IN}], "none", 65_000),
        (
            [
                {"stay_number": "ZY8", "deductible_fen": 130_000, **IN},
                {"stay_number": "ZY1", "deductible_fen": 50_000, **IN},
            ],
            "mid-stay",
            15_000,
        ),
    ],
)
def test_later_stays_of_the_year_have_their_own_standard(
    past: list[dict[str, Any]], merging: str, expected: int
) -> None:
    entries = [case.entry(i, **changes) for i, changes in enumerate(past)]
    now = case.stay(case.line(0, 500_000), stay_number="ZY1")
    rule = {"later_standard_fen": 65_000, "merging": merging}
    assert taken("per-visit", entries, now, 130_000, **rule) == expected


def waiver(number: int, from_stay: int, *prefixes: str) -> dict[str, Any]:
    return {
        "rule_id": f"w-{number}",
        "source": "s",
        "diagnosis_prefixes": list(prefixes),
        "from_stay": from_stay,
    }


WAIVERS = [waiver(1, 1, "F"), waiver(2, 2, "Z51.0", "Z51.1")]


@pytest.mark.parametrize(
    ("diagnosis", "past", "expected"),
    [
        ("F20.0", [], 0),
        ("I10", [], 80_000),
        ("", [], 80_000),
        ("Z51.1", [], 80_000),
        ("Z51.1", [{"waiver_id": "w-2", **IN}], 0),
        ("Z51.0", [{"waiver_id": "w-2", **IN}], 0),
        # another kind of stay before is not the first of these
        ("Z51.1", [{"waiver_id": "w-1", **IN}, {**IN}], 80_000),
        ("Z51.1", [{"waiver_id": "w-2", "service_on": dt.date(2025, 12, 31), **IN}], 80_000),
    ],
)
def test_stays_that_a_pack_names_have_no_deductible(
    diagnosis: str, past: list[dict[str, Any]], expected: int
) -> None:
    entries = [case.entry(i, **changes) for i, changes in enumerate(past)]
    now = case.stay(case.line(0, 500_000), diagnosis_code=diagnosis)
    assert taken("per-visit", entries, now, waivers=WAIVERS) == expected


def test_first_stay_of_a_waiver_is_remembered_for_the_second() -> None:
    pack = case.pack(deductibles=[case.deductible(80_000, waivers=WAIVERS)])
    history, found = History(), []
    for number in range(3):
        now = case.stay(case.line(0, 500_000), key=number, diagnosis_code="Z51.1")
        eob = adjudicate(pack, now, case.person(), history)
        history = history.with_entries([eob.history_entry(f"C-{number}")])
        found.append(eob.deductible_fen)
    assert found == [80_000, 0, 0]


def test_deductible_says_which_stay_of_the_year_it_is() -> None:
    pack = case.pack(deductibles=[case.deductible(80_000, year_ceiling_fen=140_000)])
    past = History((case.entry(deductible_fen=80_000, in_scope_fen=90_000, **IN),))
    eob = adjudicate(pack, case.stay(case.line(0, 100_000), level=2), case.person(), past)
    row = next(row for row in eob.summary if row.code == "deductible")
    assert row.zh == (
        "起付线：今年第二次住院，二级医院，先自付 600.00 元"
        "（全年最多 1,400.00 元，前面已付 800.00 元）"
    )
    assert row.en.startswith("Deductible: stay number 2 this year, level 2 hospital")


def waived(number: int, **changes: Any) -> Any:
    """A stay for cancer after ``number`` earlier ones, waived from the third stay on."""
    waiver = {"rule_id": "w", "source": "s", "diagnosis_prefixes": ["C"], "from_stay": 3}
    pack = case.pack(deductibles=[case.deductible(1_000, waivers=[waiver])])
    past = [case.entry(n, waiver_id="w", **IN) for n in range(number)]
    bill = case.stay(case.line(0, 5_000), **({"diagnosis_code": "C50.9"} | changes))
    return adjudicate(pack, bill, case.person(), History(tuple(past)))


def test_a_waived_stay_goes_on_counting_for_the_next() -> None:
    """The id stays in the decision whether or not the waiver took effect."""
    assert [(waived(n).deductible_fen, waived(n).waiver_id) for n in range(4)] == [
        (1_000, "w"), (1_000, "w"), (0, "w"), (0, "w"),
    ]  # fmt: skip
    assert waived(3).history_entry("C-9").waiver_id == "w"


@pytest.mark.parametrize("diagnosis", ["", "D50.9", "I10"])
def test_a_stay_for_another_disease_is_not_waived(diagnosis: str) -> None:
    eob = waived(5, diagnosis_code=diagnosis)
    assert (eob.deductible_fen, eob.waiver_id) == (1_000, "")


@pytest.mark.parametrize(("took", "expected"), [(0, 80_000), (1, 0), (80_000, 0)])
def test_a_hospital_is_known_this_year_once_anything_was_deducted(took: int, expected: int) -> None:
    """An entry that was counted anew and took nothing has not used the hospital's deductible."""
    past = [case.entry(deductible_base_fen=took, deductible_fen=took)]
    now = case.bill(case.line(0, 100_000))
    assert taken("once-per-hospital-year", past, now) == expected


@pytest.mark.parametrize(("before", "expected"), [(0, 500), (1, 499), (499, 1), (500, 0), (501, 0)])
def test_a_ceiling_of_the_year_leaves_what_it_has_to_the_fen(before: int, expected: int) -> None:
    past = [case.entry(deductible_fen=before)]
    now = case.bill(case.line(0, 100_000))
    assert taken("per-visit", past, now, 600, year_ceiling_fen=500) == expected


@pytest.mark.parametrize(
    ("mode", "stays", "words"),
    [
        ("per-visit", 0, "起付线：今年第一次住院，三级医院，先自付 6.00 元"),
        ("per-visit", 9, "起付线：今年第十次住院，三级医院，先自付 6.00 元"),
        ("per-visit", 10, "起付线：今年第11次住院，三级医院，先自付 6.00 元"),
        ("per-year", 0, "起付线：全年 6.00 元，今年前面已付 0.00 元，这次 6.00 元"),
        ("per-month", 0, "起付线：标准 6.00 元，这次先自付 6.00 元"),
    ],
)
def test_the_deductible_says_why_it_is_that_much(mode: str, stays: int, words: str) -> None:
    past = History(tuple(case.entry(n, **IN) for n in range(stays)))
    pack = case.pack(deductibles=[case.deductible(600, mode)])
    eob = adjudicate(pack, case.stay(case.line(0, 5_000)), case.person(), past)
    (cut,) = [cut for cut in eob.adjustments if cut.code == "deductible"]
    assert (cut.basis_zh, cut.amount_fen, cut.rule_id) == (words, 600, "d")


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (
            "per-visit",
            "Deductible: stay number 2 this year, level 2 hospital; the first 4.00 yuan are yours "
            "(at most 5.00 a year, 1.00 taken before)",
        ),
        (
            "per-year",
            "Deductible: 6.00 yuan a year, 1.00 taken before, 4.00 this time "
            "(at most 5.00 a year, 1.00 taken before)",
        ),
        (
            "per-month",
            "Deductible: the standard is 6.00 yuan; 4.00 this time "
            "(at most 5.00 a year, 1.00 taken before)",
        ),
    ],
)
def test_the_deductible_says_why_in_english(mode: str, words: str) -> None:
    past = History((case.entry(deductible_fen=100, **IN),))
    pack = case.pack(deductibles=[case.deductible(600, mode, year_ceiling_fen=500)])
    eob = adjudicate(pack, case.stay(case.line(0, 5_000), level=2), case.person(), past)
    (cut,) = [cut for cut in eob.adjustments if cut.code == "deductible"]
    assert (cut.basis_en, cut.amount_fen) == (words, 400)
