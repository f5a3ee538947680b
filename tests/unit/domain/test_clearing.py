"""The pure rules of yearly clearing: which year, what differs, sums per hospital."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backend.domain.clearing import (
    ClearedYear,
    ClearingError,
    Difference,
    Finding,
    HospitalYear,
    ManualClaim,
    Order,
    YearClaim,
    YearOpenError,
    clear_year,
    require_year,
)
from backend.domain.invoice import VisitKind
from backend.domain.journal import JournalError, LayerAmounts
from backend.domain.person import HistoryEntry

NEW_YEARS_EVE_CHINA = dt.datetime(2026, 12, 31, 15, 59, tzinfo=dt.UTC)
MIDNIGHT_CHINA = dt.datetime(2026, 12, 31, 16, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("year", "error", "words"),
    [
        (2026, YearOpenError, "2026 is not over"),
        (2027, ClearingError, "2027 is no year that could be cleared"),
        (1999, ClearingError, "1999 is no year"),
        (2201, ClearingError, "2201 is no year"),
        (0, ClearingError, "0 is no year"),
        (-2025, ClearingError, "-2025 is no year"),
    ],
)
def test_years_that_are_not_cleared(year: int, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        require_year(year, NEW_YEARS_EVE_CHINA, may_be_open=False)


def test_an_open_year_is_cleared_where_that_is_meant_and_no_later_one() -> None:
    require_year(2026, NEW_YEARS_EVE_CHINA, may_be_open=True)
    with pytest.raises(ClearingError, match="2027 is no year"):
        require_year(2027, NEW_YEARS_EVE_CHINA, may_be_open=True)


def test_the_year_ends_at_midnight_in_china() -> None:
    require_year(2026, MIDNIGHT_CHINA, may_be_open=False)
    with pytest.raises(YearOpenError, match="2027"):
        require_year(2027, MIDNIGHT_CHINA, may_be_open=False)


def entry(number: str, day: dt.date) -> HistoryEntry:
    return HistoryEntry(number, day, VisitKind.OUTPATIENT, "H1", "310", 0, 0, 0)


def without_rule(number: str, day: int, *, paid: int = 100, taken: int = 0) -> YearClaim:
    on = dt.date(2026, 3, day)
    return YearClaim(
        number,
        on,
        bytes([day]),
        LayerAmounts(pool_fen=paid),
        entry(number, on),
        None,
        LayerAmounts(pool_fen=taken),
    )


def test_a_claim_without_a_rule_stays_as_it_was_decided() -> None:
    year = clear_year([without_rule("A", 5, taken=30)], by_day=False)
    (one,) = year.claims
    assert (one.finding, one.before_fen, one.after_fen, one.difference_fen) == (
        Finding.NO_RULE, 70, 70, 0,
    )  # fmt: skip
    assert one.too_much == LayerAmounts()


def test_the_order_of_decisions_stays_while_each_fund_bears_the_same() -> None:
    claims = [without_rule("B", 9), without_rule("A", 5)]
    assert clear_year(claims, by_day=False).order is Order.DECIDED
    year = clear_year(claims, by_day=True)
    assert (year.order, [one.claim.number for one in year.claims]) == (Order.BY_DAY, ["A", "B"])


def difference(decided: dict[str, int], after: dict[str, int], **taken: int) -> Difference:
    on = dt.date(2026, 3, 5)
    claim = YearClaim(
        "A", on, b"k", LayerAmounts(**decided), entry("A", on), None, LayerAmounts(**taken)
    )
    eob: Any = object()
    return Difference(claim, Finding.LESS, LayerAmounts(**after), eob, None)


@pytest.mark.parametrize(
    ("decided", "taken", "after", "back"),
    [
        ({"pool_fen": 100}, {}, {"pool_fen": 60}, {"pool_fen": 40}),
        ({"pool_fen": 100}, {"pool_fen": 40}, {"pool_fen": 60}, {}),
        ({"pool_fen": 100}, {"pool_fen": 30}, {"pool_fen": 60}, {"pool_fen": 10}),
        ({"pool_fen": 100}, {}, {"pool_fen": 100}, {}),
        ({"pool_fen": 100}, {}, {"pool_fen": 120}, {}),
        # 100 + 50 to 110 + 20: the pool bears 10 more, so 20 of the 30 come back.
        (
            {"pool_fen": 100, "medical_aid_fen": 50},
            {},
            {"pool_fen": 110, "medical_aid_fen": 20},
            {"medical_aid_fen": 20},
        ),
    ],
)
def test_what_comes_back_is_the_difference_by_layer(
    decided: dict[str, int], taken: dict[str, int], after: dict[str, int], back: dict[str, int]
) -> None:
    assert difference(decided, after, **taken).too_much == LayerAmounts(**back)


@pytest.mark.parametrize(
    ("order", "findings", "waits"),
    [
        (Order.BY_DAY, (Finding.MORE, Finding.LESS), True),
        (Order.BY_DAY, (Finding.MORE, Finding.SAME), False),
        (Order.DECIDED, (Finding.MORE, Finding.LESS), False),
        (Order.BY_DAY, (), False),
    ],
)
def test_more_waits_for_less_where_the_order_moved_it(
    order: Order, findings: tuple[Finding, ...], *, waits: bool
) -> None:
    claims = tuple(Difference(without_rule("A", 5), one, LayerAmounts(), None, None)
                   for one in findings)  # fmt: skip
    assert ClearedYear(order, claims).waits_for_less is waits


def manual(**changes: Any) -> ManualClaim:
    values: dict[str, Any] = {
        "number": "N1", "hospital_code": "H1", "total_fen": 1_000, "in_scope_fen": 900,
        "decided": LayerAmounts(pool_fen=500, medical_aid_fen=100), "taken": LayerAmounts(),
        "waived_fen": 0, "borne": {"pool": 500, "medical-aid": 100}, "is_booked": True,
    }  # fmt: skip
    return ManualClaim(**{**values, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"borne": {}},
        {"borne": {"pool": 600}},
        {"borne": {"pool": 499, "medical-aid": 101}},
        {"borne": {"pool": 500, "medical-aid": 100, "civil-servant": 1}},
        {"taken": LayerAmounts(pool_fen=1)},
        {"taken": LayerAmounts(pool_fen=501)},
        {"waived_fen": 1},
    ],
)
def test_a_claim_that_the_journal_says_otherwise_is_named(changes: dict[str, Any]) -> None:
    year = HospitalYear("H1")
    year.add(manual(**changes))
    assert year.untied == ["N1"]


def test_sums_of_a_hospital_by_hand() -> None:
    year = HospitalYear("H1")
    year.add(manual())
    year.add(manual(number="N2", taken=LayerAmounts(pool_fen=200), waived_fen=50,
                    borne={"pool": 350, "medical-aid": 100}))  # fmt: skip
    year.add(manual(number="N3", borne={}, is_booked=False))
    year.add_settled(7_000, 4_000)
    year.add_settled(3_000, 1_500)
    assert year.to_record() == {
        "hospital_code": "H1",
        "manual_claims": 3,
        "manual_total_fen": 3_000,
        "manual_in_scope_fen": 2_700,
        "manual_pool_fen": 850,
        "manual_serious_illness_fen": 0,
        "manual_medical_aid_fen": 200,
        "manual_civil_servant_fen": 0,
        "manual_paid_fen": 1_050,
        "manual_on_the_way_fen": 600,
        "settled_bills": 2,
        "settled_total_fen": 10_000,
        "settled_fund_fen": 5_500,
        "untied_claims": [],
    }


def test_amounts_of_layers_are_never_negative() -> None:
    with pytest.raises(JournalError, match="no amount of a layer"):
        difference({"pool_fen": -1}, {})
