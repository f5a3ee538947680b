"""When a reconciliation is due or too late, what the bank knows more, and who a case speaks for."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from backend.service_layer.anchoring.model import Case
from backend.service_layer.money_reconciliation.ahead import BankComparison, compare_bank
from backend.service_layer.money_reconciliation.cases import overdue, standing
from backend.service_layer.money_reconciliation.daily import is_due
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.money_reconciliation.timeliness import read_timeliness
from backend.service_layer.payout.unmatched import LostItem, case_id, lost_items

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
SECOND, HOUR = dt.timedelta(seconds=1), dt.timedelta(hours=1)
ROW = Mismatch("R5", "C1", "6500 fen", "slot 6499 fen", "clm_1")


def case(name: str = "", **fields: Any) -> Case:
    values: dict[str, Any] = {
        "kind": "money-mismatch", "detail": {}, "found_at": NOW, "resolved_at": None,
        "resolved_by": None, "resolution": None,
    }  # fmt: skip
    return Case(id=name or f"money:R5:C1:{ROW.key}#1", **(values | fields))


# --- a mismatch and its figures -------------------------------------------------------------------


def test_a_mismatch_is_another_one_with_other_figures() -> None:
    # The first 12 hex digits of SHA-256 over rule, subject and both sides, a line each.
    assert ROW.key == "2341ee2dcef8"
    others = (
        Mismatch("R4", "C1", "6500 fen", "slot 6499 fen", "clm_1"),
        Mismatch("R5", "C2", "6500 fen", "slot 6499 fen", "clm_1"),
        Mismatch("R5", "C1", "6501 fen", "slot 6499 fen", "clm_1"),
        Mismatch("R5", "C1", "6500 fen", "slot 6498 fen", "clm_1"),
    )
    assert len({one.key for one in (ROW, *others)}) == 5
    assert Mismatch("R5", "C1", "6500 fen", "slot 6499 fen", "").key == ROW.key
    assert ROW.to_record() == {
        "rule": "R5", "name": "slot", "subject": "C1", "here": "6500 fen",
        "there": "slot 6499 fen", "claim_id": "clm_1",
    }  # fmt: skip


def stands(*cases: Case, corrected: set[str] | None = None) -> bool:
    reconciliation = SimpleNamespace(
        cases_of=lambda kind: list(cases) if kind == "money-mismatch" else [],
        corrected=lambda: corrected or set(),
    )
    (found,) = standing(SimpleNamespace(reconciliation=reconciliation), [ROW])
    return found


NAME = f"money:R5:C1:{ROW.key}"


def test_only_a_case_that_people_closed_for_these_figures_accepts_them() -> None:
    accepted = case(resolved_at=NOW, resolved_by="会计甲")
    assert stands(accepted) is True
    assert stands() is False
    assert stands(case()) is False, "it is open"
    assert stands(case(resolved_at=NOW, resolved_by="reconcile")) is False, "it closed by itself"
    assert stands(accepted, corrected={accepted.id}) is False, "it was said to be corrected"
    assert stands(case("money:R5:C1:000000000000#1", resolved_at=NOW, resolved_by="甲")) is False


def test_the_last_case_of_the_same_figures_speaks_and_the_tenth_comes_after_the_ninth() -> None:
    ninth = case(f"{NAME}#9")
    tenth = case(f"{NAME}#10", resolved_at=NOW, resolved_by="会计甲")
    assert stands(tenth, ninth) is True
    assert stands(case(f"{NAME}#10"), case(f"{NAME}#9", resolved_at=NOW, resolved_by="甲")) is False


def test_a_case_is_overdue_after_its_deadline_and_never_without_one() -> None:
    cases = [
        case("late", due_at=NOW - SECOND), case("due", due_at=NOW), case("free", due_at=None),
    ]  # fmt: skip
    work = SimpleNamespace(reconciliation=SimpleNamespace(open_cases=lambda: cases))
    assert [one.id for one in overdue(work, NOW)] == ["late"]


# --- in time --------------------------------------------------------------------------------------

SIX = dt.time(6, 0)


@pytest.mark.parametrize(
    ("now", "last", "expected"),
    [
        # 06:00 in Shanghai is 22:00 UTC of the day before.
        ("2026-11-19T22:00", "2026-11-19T21:59", True),
        ("2026-11-19T22:00", "2026-11-19T22:00", False),
        ("2026-11-19T21:59", "2026-11-18T22:00", False),
        ("2026-11-19T21:59", "2026-11-18T21:59", True),
        ("2026-11-20T02:00", "2026-11-19T22:00", False),
    ],
)
def test_a_reconciliation_is_due_once_a_local_day(now: str, last: str, expected: bool) -> None:
    at = [dt.datetime.fromisoformat(f"{text}:00+00:00") for text in (now, last)]
    assert is_due(at[0], at[1], SIX) is expected
    assert is_due(at[0], None, SIX) is True, "the first is due at once"


SETTINGS = SimpleNamespace(reconcile_overdue_hours=26, reconcile_hold_hours=50)


def timeliness(report: Any, first_payable: dt.datetime | None = None) -> Any:
    reports = SimpleNamespace(last=lambda: report, first_payable_at=lambda: first_payable)
    return read_timeliness(SimpleNamespace(money_reports=reports), NOW, SETTINGS)


@pytest.mark.parametrize(
    ("age", "overdue_now", "lapsed"),
    [
        (26 * HOUR, False, False),
        (26 * HOUR + SECOND, True, False),
        (50 * HOUR, True, False),
        (50 * HOUR + SECOND, True, True),
    ],
)
def test_a_report_that_is_too_old_is_an_alarm_and_then_holds_money(
    age: dt.timedelta, overdue_now: bool, lapsed: bool
) -> None:
    report = SimpleNamespace(made_at=NOW - age, number=7)
    found = timeliness(report, first_payable=NOW - 1_000 * HOUR)
    assert (found.is_overdue, found.is_lapsed) == (overdue_now, lapsed)
    assert (found.last_report_at, found.last_report_number, found.age) == (NOW - age, 7, age)
    # Without any report time runs from the first payable.
    found = timeliness(None, first_payable=NOW - age)
    assert (found.is_overdue, found.is_lapsed) == (overdue_now, lapsed)
    assert (found.last_report_at, found.last_report_number, found.since) == (None, 0, NOW - age)


def test_before_any_money_nothing_is_late_nor_with_a_report_of_a_clock_that_went_back() -> None:
    found = timeliness(None)
    assert (found.since, found.age, found.is_overdue, found.is_lapsed) == (
        None, dt.timedelta(0), False, False,
    )  # fmt: skip
    assert timeliness(SimpleNamespace(made_at=NOW + HOUR, number=1)).age == dt.timedelta(0)


def test_what_monitoring_is_told() -> None:
    report = SimpleNamespace(made_at=NOW - 27 * HOUR - dt.timedelta(minutes=16), number=7)
    assert timeliness(report).to_record() == {
        "last_report": 7,
        "last_report_at": "2026-11-18T22:44:00+00:00",
        "age_hours": 27.3,
        "is_overdue": True,
        "holds_payouts": False,
    }
    assert timeliness(None).to_record() == {
        "last_report": 0, "last_report_at": None, "age_hours": 0.0, "is_overdue": False,
        "holds_payouts": False,
    }  # fmt: skip


# --- what the bank knows more -------------------------------------------------------------------


def compared(
    handed: set[str], dealt: set[str], files: set[str], messages: set[str]
) -> BankComparison:
    class Work:
        money_rules = SimpleNamespace(known_names=lambda: (files, messages))

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            return None

    deps: Any = SimpleNamespace(
        bank=SimpleNamespace(handed_names=lambda: handed, dealt_with_names=lambda: dealt),
        work=lambda write: Work(),
    )
    return compare_bank(deps)


def test_a_bank_that_knows_what_is_known_here_is_not_ahead() -> None:
    long = "n" * 230
    found = compared(
        {"YC1.xml"}, {"r1.json", "2-r1.json", long, "3-" + long}, {"YC1"}, {"r1.json", "n" * 200}
    )
    assert found == BankComparison((), ())
    assert not found.is_ahead


def test_names_that_are_unknown_here_are_told_in_order() -> None:
    found = compared(
        {"YC3.xml", "YC2.xml", "YC1.xml"}, {"x-r1.json", "r0.json"}, {"YC1"}, {"r1.json"}
    )
    assert found == BankComparison(("YC2.xml", "YC3.xml"), ("r0.json", "x-r1.json"))
    assert found.is_ahead and BankComparison((), ("r",)).is_ahead
    assert found.sentence() == "unknown here: YC2.xml; YC3.xml; r0.json; and 1 more"
    assert BankComparison(("a",), ("b", "c")).sentence() == "unknown here: a; b; c"


# --- what a restored backup has lost --------------------------------------------------------------


def test_a_payment_that_was_matched_later_is_lost_no_longer() -> None:
    def of(name: str, **fields: Any) -> Any:
        detail = {"end_to_end_id": name, "file": "YC1", "amount_fen": 6_000}
        return SimpleNamespace(detail=detail | fields)

    cases = [of("C1-V1-A1"), of("C2-V1-A1", matched=True), of("C3-V1-A1", matched=False)]
    work = SimpleNamespace(
        reconciliation=SimpleNamespace(
            cases_of=lambda kind: cases if kind == "bank-payment" else []
        )
    )
    assert lost_items(work) == {
        name: LostItem(name, "YC1", 6_000) for name in ("C1-V1-A1", "C3-V1-A1")
    }
    assert case_id("C1-V1-A1") == "bank-payment:C1-V1-A1"
