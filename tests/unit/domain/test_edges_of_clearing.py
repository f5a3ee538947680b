"""A year worked out again: the example of docs/clearing.md and figures worked by hand."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from backend.domain.clearing import (
    ClearingError,
    Difference,
    Finding,
    HospitalYear,
    Inputs,
    ManualClaim,
    Order,
    YearClaim,
    YearOpenError,
    clear_year,
    require_year,
)
from backend.domain.journal import LayerAmounts
from tests.unit.domain import benefit_cases as case

OWN, REFERRED, LOCAL = "own-choice", "referred-filed", "local"
PACK = case.pack(
    deductibles=[case.deductible(30_000, "per-year")],
    ratios=[case.ratio((0, 6_000))],
    remote={
        "model": "factor",
        "statuses": [
            case.remote(LOCAL, 10_000),
            case.remote(OWN, 7_000),
            case.remote(REFERRED, 9_000),
        ],
    },
)
"""docs/clearing.md: 300.00 of the year first, then 60 %; of that 70 % or, referred, 90 %."""


def inputs(fen: int, on: dt.date, status: str = LOCAL) -> Inputs:
    bill = case.bill(case.line(0, fen), level=2, visit_date=on, remote_status=status)
    return Inputs(PACK, bill, case.person())


def claim(
    number: str, day: int, decided: LayerAmounts | int, known: Any, taken: LayerAmounts | int = 0
) -> YearClaim:
    on = dt.date(2026, 11, day)
    return YearClaim(
        number=number,
        service_on=on,
        invoice_key=number.encode(),
        decided=decided if isinstance(decided, LayerAmounts) else LayerAmounts(decided),
        entry=case.entry(claim_number=number, service_on=on),
        inputs=inputs(known[0], on, known[1]) if isinstance(known, tuple) else known,
        taken=taken if isinstance(taken, LayerAmounts) else LayerAmounts(taken),
    )


def rows(claims: list[YearClaim], *, by_day: bool = False) -> list[tuple[Any, ...]]:
    year = clear_year(claims, by_day=by_day)
    return [(one.claim.number, one.finding, one.after_fen, one.difference_fen)
            for one in year.claims]  # fmt: skip


def test_a_referral_that_came_late_is_paid_to_person_a() -> None:
    claims = [claim("A1", 3, 29_400, (100_000, REFERRED)),
              claim("A2", 10, 21_000, (50_000, REFERRED))]  # fmt: skip
    assert rows(claims) == [
        ("A1", Finding.MORE, 37_800, 8_400),
        ("A2", Finding.MORE, 27_000, 6_000),
    ]
    year = clear_year(claims, by_day=False)
    assert (year.order, year.waits_for_less) == (Order.BY_DAY, False)
    assert all(one.too_much == LayerAmounts() for one in year.claims)


def test_each_claim_stands_on_those_before_it_as_they_come_out_here() -> None:
    first, second = clear_year(
        [claim("A1", 3, 29_400, (100_000, REFERRED)), claim("A2", 10, 21_000, (50_000, REFERRED))],
        by_day=False,
    ).claims
    assert first.history is not None and second.history is not None
    assert first.history.entries == ()
    (before,) = second.history.entries
    assert (before.claim_number, before.state, before.service_on) == (
        "A1", "settled", dt.date(2026, 11, 3),
    )  # fmt: skip
    assert (before.in_scope_fen, before.deductible_fen, before.pool_paid_fen) == (
        100_000, 30_000, 37_800,
    )  # fmt: skip


def test_a_referral_that_was_withdrawn_is_owed_by_person_b() -> None:
    claims = [claim("B1", 3, 37_800, (100_000, OWN))]
    assert rows(claims) == [("B1", Finding.LESS, 29_400, -8_400)]
    year = clear_year(claims, by_day=False)
    assert year.claims[0].too_much == LayerAmounts(pool_fen=8_400)
    assert year.differences == year.claims and year.waits_for_less


@pytest.mark.parametrize(
    ("decided", "taken", "finding", "difference"),
    [
        (LayerAmounts(29_400), LayerAmounts(), Finding.SAME, 0),
        (LayerAmounts(37_800), LayerAmounts(8_400), Finding.SAME, 0),
        (LayerAmounts(29_400, 0, 8_400), LayerAmounts(0, 0, 8_400), Finding.SAME, 0),
        (LayerAmounts(29_399), LayerAmounts(), Finding.MORE, 1),
        (LayerAmounts(29_401), LayerAmounts(), Finding.LESS, -1),
        (LayerAmounts(37_800), LayerAmounts(8_399), Finding.LESS, -1),
        (LayerAmounts(37_800), LayerAmounts(8_401), Finding.MORE, 1),
        (LayerAmounts(20_000, 0, 9_400), LayerAmounts(), Finding.LAYERS, 0),
        (LayerAmounts(29_400, 0, 8_400), LayerAmounts(8_400), Finding.LAYERS, 0),
        (LayerAmounts(29_399, 0, 1), LayerAmounts(0, 0, 0), Finding.LAYERS, 0),
        # More was asked back of medical aid than it gave.
        (LayerAmounts(29_401, 0, 1), LayerAmounts(0, 0, 2), Finding.LAYERS, 0),
    ],
)
def test_what_is_found_of_a_claim_that_is_294_yuan(
    decided: LayerAmounts, taken: LayerAmounts, finding: Finding, difference: int
) -> None:
    claims = [claim("B1", 3, decided, (100_000, OWN), taken)]
    assert rows(claims) == [("B1", finding, 29_400, difference)]
    (one,) = clear_year(claims, by_day=False).claims
    assert one.too_much.total_fen == max(0, -difference)
    assert clear_year(claims, by_day=False).differences == (
        () if finding is Finding.SAME else (one,)
    )


def test_every_layer_is_worked_out_again() -> None:
    pack = case.pack(
        caps=[case.cap(3_000_000)],
        layer2=[case.layer2(10_000_000, (500_000, 5_000))],
        layer3=[case.aid((0, 6_000))],
        supplement=[case.supplement((0, 5_000))],
    )
    person = case.person(
        hardship=(case.status("low-income"),), civil_servant=(case.status("section"),)
    )
    on = dt.date(2026, 11, 3)
    stay = case.stay(case.line(0, 4_500_000), visit_date=on)
    (one,) = clear_year(
        [claim("A1", 3, 0, Inputs(pack=pack, bill=stay, person=person))], by_day=False
    ).claims
    # 45,000: pool 30,000; layer 2 (15,000 - 5,000) x 50 % = 5,000; aid 10,000 x 60 % = 6,000;
    # civil servants 4,000 x 50 % = 2,000.
    assert one.after == LayerAmounts(3_000_000, 500_000, 600_000, 200_000)


def test_what_people_ruled_on_lines_counts_again() -> None:
    on = dt.date(2026, 11, 3)
    bill = case.bill(case.line(0, 60_000), case.line(1, 40_000), level=2, visit_date=on)
    known = Inputs(PACK, bill, case.person(), (case.ruling(1, "exclude"),))
    # 600.00 - 300.00 at 60 %; the line of 400.00 is excluded.
    assert rows([claim("A1", 3, 0, known)]) == [("A1", Finding.MORE, 18_000, 18_000)]


def test_a_day_without_a_pack_keeps_its_amount_and_counts_as_it_was_decided() -> None:
    stale = inputs(100_000, dt.date(2027, 1, 5))
    first = dataclasses.replace(
        claim("A1", 3, 12_345, stale),
        entry=case.entry(claim_number="A1", in_scope_fen=30_000, deductible_fen=30_000),
    )
    claims = [first, claim("A2", 10, 0, (100_000, LOCAL))]
    assert rows(claims) == [
        ("A1", Finding.NO_RULE, 12_345, 0),
        ("A2", Finding.MORE, 60_000, 60_000),  # the 300.00 are borne already
    ]
    kept = clear_year(claims, by_day=False).claims[0]
    assert (kept.after, kept.eob, kept.history) == (LayerAmounts(12_345), None, None)


# Decided: 500.00 of the 10th first, (500 - 300) x 60 % = 120, then 1,000.00 of the 5th, 600.
SWAPPED = [claim("L", 10, 12_000, (50_000, LOCAL)), claim("E", 5, 60_000, (100_000, LOCAL))]


def test_amounts_stay_in_the_order_of_decisions_where_the_fund_bears_the_same() -> None:
    # By day it would be (1,000 - 300) x 60 % = 420 and 500 x 60 % = 300: 720 all the same.
    year = clear_year(SWAPPED, by_day=False)
    assert year.order is Order.DECIDED and year.differences == () and not year.waits_for_less
    assert rows(SWAPPED) == [("L", Finding.SAME, 12_000, 0), ("E", Finding.SAME, 60_000, 0)]


def test_the_order_of_days_is_kept_once_it_took_effect() -> None:
    assert rows(SWAPPED, by_day=True) == [
        ("E", Finding.LESS, 42_000, -18_000),
        ("L", Finding.MORE, 30_000, 18_000),
    ]
    assert clear_year(SWAPPED, by_day=True).waits_for_less


def test_the_order_of_days_counts_where_the_sums_differ() -> None:
    # Decided: (500 - 300) x 60 % x 70 % = 84 and 600; by day 420 and 500 x 60 % x 70 % = 210.
    claims = [claim("L", 10, 8_400, (50_000, OWN)), claim("E", 5, 60_000, (100_000, LOCAL))]
    year = clear_year(claims, by_day=False)
    assert (year.order, year.waits_for_less) == (Order.BY_DAY, True)
    assert rows(claims) == [
        ("E", Finding.LESS, 42_000, -18_000),
        ("L", Finding.MORE, 21_000, 12_600),
    ]


def test_a_claim_without_a_rule_among_others_does_not_change_the_order() -> None:
    kept = claim("N", 1, LayerAmounts(500, 0, 100), None, LayerAmounts(600))
    year = clear_year([*SWAPPED, kept], by_day=False)
    assert year.order is Order.DECIDED
    assert [(one.claim.number, one.finding) for one in year.differences] == [("N", Finding.NO_RULE)]


def test_of_one_day_the_invoice_key_says_which_came_first() -> None:
    claims = [claim("K2", 3, 0, (50_000, LOCAL)), claim("K1", 3, 0, (50_000, LOCAL))]
    assert [row[:3] for row in rows(claims, by_day=True)] == [
        ("K1", Finding.MORE, 12_000),
        ("K2", Finding.MORE, 30_000),
    ]


@pytest.mark.parametrize(
    ("decided", "taken", "after", "back"),
    [
        # The pool's part is owed back beyond what it gave: 20 of the 40 of aid are the difference.
        (LayerAmounts(100, 0, 50), LayerAmounts(120), LayerAmounts(0, 0, 10),
         LayerAmounts(0, 0, 20)),
        (LayerAmounts(100, 20), LayerAmounts(40, 10), LayerAmounts(30, 5), LayerAmounts(30, 5)),
        (LayerAmounts(10, 20, 30, 40), LayerAmounts(), LayerAmounts(9, 18, 27, 36),
         LayerAmounts(1, 2, 3, 4)),
        (LayerAmounts(100), LayerAmounts(), LayerAmounts(99), LayerAmounts(1)),
    ],
)  # fmt: skip
def test_what_comes_back_is_never_more_than_the_difference(
    decided: LayerAmounts, taken: LayerAmounts, after: LayerAmounts, back: LayerAmounts
) -> None:
    eob: Any = object()
    owed = Difference(claim("A", 3, decided, None, taken), Finding.LESS, after, eob, None)
    assert owed.too_much == back


@pytest.mark.parametrize(
    ("year", "now", "error", "zh", "en"),
    [
        (1999, 2026, ClearingError, "1999 不是可以清算的年度",
         "1999 is no year that could be cleared"),
        (2201, 2300, ClearingError, "2201 不是可以清算的年度",
         "2201 is no year that could be cleared"),
        (2026, 2026, YearOpenError,
         "2026 年还没有过完：先用 --trial 试算；确实要现在清算，请加 --year-open",
         "2026 is not over: try it with --trial, or say --year-open to clear it now"),
    ],
)  # fmt: skip
def test_what_the_refusal_of_a_year_says(
    year: int, now: int, error: type[ClearingError | YearOpenError], zh: str, en: str
) -> None:
    with pytest.raises(error) as caught:
        require_year(year, dt.datetime(now, 7, 1, tzinfo=dt.UTC), may_be_open=False)
    assert (caught.value.zh, caught.value.en) == (zh, en)


@pytest.mark.parametrize("year", [2000, 2025, 2200])
def test_the_first_and_the_last_year_can_be_cleared(year: int) -> None:
    require_year(year, dt.datetime(2300 if year == 2200 else 2026, 7, 1, tzinfo=dt.UTC),
                 may_be_open=False)  # fmt: skip


def manual(number: str, total: int, paid: int, **changes: Any) -> ManualClaim:
    values: dict[str, Any] = {
        "number": number, "hospital_code": "H33080200001", "total_fen": total,
        "in_scope_fen": total, "decided": LayerAmounts(paid), "taken": LayerAmounts(),
        "waived_fen": 0, "borne": {"pool": paid}, "is_booked": True,
    }  # fmt: skip
    return ManualClaim(**(values | changes))


def test_the_statement_of_the_example() -> None:
    year = HospitalYear("H33080200001")
    year.add(manual("A1", 100_000, 37_800))
    year.add(manual("A2", 50_000, 27_000))
    year.add(manual("B1", 100_000, 37_800, taken=LayerAmounts(8_400), borne={"pool": 29_400}))
    assert year.is_known and year.untied == [] and year.on_the_way_fen == 0
    assert not HospitalYear("H33080200001").is_known
    assert (year.claims, year.total_fen, year.in_scope_fen) == (3, 250_000, 250_000)
    assert (year.layers, year.paid_fen) == ({"pool": 94_200}, 94_200)


def test_each_layer_of_a_statement_has_its_column() -> None:
    layers = LayerAmounts(4, 3, 2, 1)
    year = HospitalYear("H1")
    for number in ("N1", "N2"):
        year.add(manual(number, 100, 0, decided=layers,
                        borne={str(layer): fen for layer, fen in layers.items()}))  # fmt: skip
    record = year.to_record()
    assert [record[f"manual_{name}_fen"] for name in
            ("pool", "serious_illness", "medical_aid", "civil_servant", "paid")
            ] == [8, 6, 4, 2, 20]  # fmt: skip
    assert year.untied == []


def test_a_bill_at_the_counter_alone_makes_a_hospital_known() -> None:
    year = HospitalYear("H1")
    year.add_settled(7_000, 4_000)
    assert year.is_known and (year.claims, year.paid_fen) == (0, 0)
    assert HospitalYear("H1", untied=["N1"]).is_known


def test_what_is_not_booked_is_on_the_way_and_adds_up() -> None:
    year = HospitalYear("H1")
    year.add(manual("N1", 1_000, 600, borne={"pool": 100}, is_booked=False))
    year.add(manual("N2", 1_000, 600, borne={}, taken=LayerAmounts(50), waived_fen=20,
                    is_booked=False))  # fmt: skip
    # 600 - 100 and 600 - 50 + 20
    assert (year.on_the_way_fen, year.paid_fen, year.untied) == (500 + 570, 100, [])


@pytest.mark.parametrize(
    ("changes", "ties"),
    [
        ({"borne": {"pool": 600, "medical-aid": 0}}, True),
        ({"taken": LayerAmounts(100), "waived_fen": 40, "borne": {"pool": 540}}, True),
        # A waiver names no layers, so only the sum is compared.
        ({"taken": LayerAmounts(100), "waived_fen": 40, "borne": {"medical-aid": 540}}, True),
        ({"taken": LayerAmounts(100), "waived_fen": 40, "borne": {"pool": 500}}, False),
        ({"taken": LayerAmounts(100), "waived_fen": 40, "borne": {"pool": 541}}, False),
        ({"taken": LayerAmounts(600), "borne": {}}, True),
        ({"taken": LayerAmounts(601), "borne": {}}, False),
        ({"taken": LayerAmounts(0, 1), "borne": {"pool": 600}}, False),
    ],
)
def test_whether_the_journal_says_what_decision_and_orders_say(
    changes: dict[str, Any], ties: bool
) -> None:
    assert manual("N1", 1_000, 600, **changes).ties is ties
