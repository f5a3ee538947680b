"""Cases open and close by figures, alarms by the clock, and a day's reconciliation step by step."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.service_layer.anchoring.model import Case, KeyUnavailableError
from backend.service_layer.money_reconciliation import ahead, daily, timeliness
from backend.service_layer.money_reconciliation.ahead import BankComparison
from backend.service_layer.money_reconciliation.cases import (
    Standing,
    close_agreeing,
    open_cases_of,
    watch_deadlines,
)
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.payout.ports import BankUnavailableError

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
ROW = Mismatch("R5", "C1", "6500 fen", "slot 6499 fen", "clm_1")
OTHER = Mismatch("R11", "YC1#2", "unknown here", "the bank has it")
NAME = f"money:R5:C1:{ROW.key}"
DETAIL = {
    "rule": "R5", "name": "slot", "subject": "C1", "here": "6500 fen", "there": "slot 6499 fen",
    "claim_id": "clm_1", "holds_payout_of": "clm_1",
}  # fmt: skip


class Database:
    """Cases, reports and alarms; services and transaction in one."""

    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}
        self.alarms_open: dict[tuple[str, str], str] = {}
        self.events: list[tuple[str, str, str, str, int]] = []
        self.corrected: set[str] = set()
        self.waiting: list[Case] = []
        self.report: Any = None
        self.first_payable: dt.datetime | None = None
        self.account: str | None = "0xA1"
        self.commits = 0
        self.asked_to_write: list[bool] = []
        self.bank = SimpleNamespace(ask_for_statements=lambda: False, is_simulated=False)

    def add(self, name: str, **fields: Any) -> Case:
        values: dict[str, Any] = {
            "kind": "money-mismatch", "detail": {}, "found_at": NOW, "resolved_at": None,
            "resolved_by": None, "resolution": None, "due_at": NOW + HOUR,
        }  # fmt: skip
        self.cases[name] = Case(id=name, **(values | fields))
        return self.cases[name]

    @property
    def deps(self) -> Any:
        def work(*, write: bool = True) -> Database:
            self.asked_to_write.append(write)
            return self

        return SimpleNamespace(
            clock=SimpleNamespace(now=lambda: NOW),
            settings=SimpleNamespace(
                case_hours=72, reconcile_overdue_hours=26, reconcile_hold_hours=50,
                reconcile_at=dt.time(6), payer_number=1,
            ),
            bank=self.bank,
            work=work,
        )  # fmt: skip

    def __enter__(self) -> Any:
        def put(name: str, kind: str, detail: Any, due_at: Any = None) -> None:
            self.add(name, kind=kind, detail=detail, due_at=due_at)

        def add_event(name: str, kind: str, *, by: str, text: str, report_number: int) -> None:
            self.events.append((name, kind, by, text, report_number))

        def end(name: str, by: str, resolution: str) -> None:
            self.cases[name] = replace(
                self.cases[name], resolved_at=NOW, resolved_by=by, resolution=resolution
            )

        def raise_alarm(code: str, subject: str, detail: str) -> None:
            self.alarms_open[code, subject] = detail

        return SimpleNamespace(
            commit=self._commit,
            reconciliation=SimpleNamespace(
                cases_of=lambda kind: [c for c in self.cases.values() if c.kind == kind],
                case=self.cases.get,
                lock_open=lambda case_id: self.cases[case_id].resolved_at is None,
                open_cases=lambda: [c for c in self.cases.values() if c.resolved_at is None],
                corrected=lambda: self.corrected,
                awaiting_agreement=lambda: self.waiting,
                put_case=put,
                add_event=add_event,
                end_case=end,
                holding_alarms=lambda codes: [key for key in self.alarms_open if key[0] in codes],
            ),
            alarms=SimpleNamespace(
                raise_alarm=raise_alarm,
                clear=lambda code, subject: self.alarms_open.pop((code, subject), None),
                open_counts=lambda: {code: 1 for code, _ in self.alarms_open},
            ),
            money_reports=SimpleNamespace(
                last=lambda: self.report, first_payable_at=lambda: self.first_payable
            ),
            claims=SimpleNamespace(
                payer_account=lambda number: self.account if number == 1 else None
            ),
        )  # fmt: skip

    def __exit__(self, *_: object) -> None:
        return None

    def _commit(self) -> None:
        self.commits += 1


# --- opening --------------------------------------------------------------------------------------


def opened(database: Database, *rows: Mismatch) -> list[str]:
    return [one.case.id for one in open_cases_of(database.deps, rows)]


def test_a_new_mismatch_is_a_case_of_72_hours_that_holds_its_claim() -> None:
    database = Database()
    (found,) = open_cases_of(database.deps, [ROW])
    assert found == Standing(ROW, database.cases[f"{NAME}#1"])
    assert found.is_accepted is False
    assert found.case.detail == DETAIL
    assert found.case.due_at == dt.datetime(2026, 11, 23, 2, 0, tzinfo=dt.UTC)
    assert database.alarms_open == {("reconcile-case", f"{NAME}#1"): "money-mismatch"}
    assert database.commits == 1


def test_one_of_no_claim_holds_none() -> None:
    database = Database()
    opened(database, OTHER)
    (case,) = database.cases.values()
    assert "holds_payout_of" not in case.detail


def test_the_same_figures_again_are_the_same_case_and_its_deadline_stays() -> None:
    database = Database()
    case = database.add(f"{NAME}#1")
    assert opened(database, ROW) == [f"{NAME}#1"]
    assert database.cases == {f"{NAME}#1": case}


def test_figures_that_people_accepted_open_nothing() -> None:
    database = Database()
    database.add(f"{NAME}#1", resolved_at=NOW, resolved_by="会计甲")
    (found,) = open_cases_of(database.deps, [ROW])
    assert (found.is_accepted, len(database.cases)) == (True, 1)


@pytest.mark.parametrize("by", ["reconcile", "会计甲"])
def test_what_agreed_since_or_was_said_to_be_corrected_is_another_case(by: str) -> None:
    database = Database()
    for number in range(1, 11):
        database.add(f"{NAME}#{number}", resolved_at=NOW, resolved_by=by)
    database.corrected = set(database.cases) if by != "reconcile" else set()
    assert opened(database, ROW) == [f"{NAME}#11"]
    assert database.cases[f"{NAME}#11"].resolved_at is None


def test_a_name_with_a_hash_in_it_counts_its_own_cases() -> None:
    database = Database()
    first = opened(database, OTHER)
    assert first == [f"money:R11:YC1#2:{OTHER.key}#1"]
    assert opened(database, OTHER) == first


# --- the journal itself ---------------------------------------------------------------------------

BOOK_ROW = Mismatch("R18", "jnl_1", "not-whole", "the entry is not whole")
BOOK_NAME = f"money:R18:jnl_1:{BOOK_ROW.key}"


@pytest.mark.parametrize("rule", ["R16", "R18"])
def test_a_journal_that_is_wrong_holds_all_money_until_a_report_agrees(rule: str) -> None:
    database = Database()
    row = replace(BOOK_ROW, rule=rule)
    figures = f"money:{rule}:jnl_1:{row.key}"
    opened(database, row)
    wrong = {("books-disagree", figures): f"{rule} jnl_1: the entry is not whole"}
    assert wrong.items() <= database.alarms_open.items()
    assert closed(database, row) == 0 and wrong.items() <= database.alarms_open.items()
    assert closed(database) == 1 and database.alarms_open == {}


def test_what_was_said_to_be_corrected_holds_all_money_until_a_report_agrees() -> None:
    database = Database()
    opened(database, BOOK_ROW)
    with database as work:
        work.reconciliation.end_case(f"{BOOK_NAME}#1", "会计甲", "")
    database.corrected = {f"{BOOK_NAME}#1"}
    assert opened(database, BOOK_ROW) == [f"{BOOK_NAME}#2"]
    assert [key for key in database.alarms_open if key[0] == "books-disagree"] == [
        ("books-disagree", BOOK_NAME)
    ]
    closed(database)
    assert not any(code == "books-disagree" for code, _ in database.alarms_open)


@pytest.mark.parametrize(
    "row",
    [
        ROW, OTHER, replace(BOOK_ROW, claim_id="clm_1"),
        Mismatch("R19", "FEE-1", "not booked", "the bank has 100 fen debit"),
    ],
    ids=["another rule", "a file", "of one claim", "a fee"],
)  # fmt: skip
def test_nothing_else_holds_all_money(row: Mismatch) -> None:
    database = Database()
    opened(database, row)
    assert [code for code, _ in database.alarms_open] == ["reconcile-case"]


def test_a_wrong_journal_that_two_people_accepted_holds_nothing() -> None:
    database = Database()
    database.add(f"{BOOK_NAME}#1", resolved_at=NOW, resolved_by="会计甲")
    opened(database, BOOK_ROW)
    assert database.alarms_open == {}


# --- closing --------------------------------------------------------------------------------------


def closed(database: Database, *rows: Mismatch) -> int:
    with database as work:
        return close_agreeing(work, rows, 7)


def test_a_report_closes_the_cases_whose_mismatch_it_no_longer_has() -> None:
    database = Database()
    database.add(f"{NAME}#2")
    database.add(f"money:R11:YC1#2:{OTHER.key}#1")
    database.add("bank-payment:C9", kind="bank-payment")
    for code in ("reconcile-case", "money-case-overdue", "other"):
        database.alarms_open[code, f"{NAME}#2"] = ""
    assert closed(database, OTHER) == 1
    said = "report 7: all sides say the same"
    ended = database.cases[f"{NAME}#2"]
    assert (ended.resolved_at, ended.resolved_by, ended.resolution) == (NOW, "reconcile", said)
    assert database.events == [(f"{NAME}#2", "agrees", "reconcile", said, 7)]
    assert list(database.alarms_open) == [("other", f"{NAME}#2")]
    assert [c.id for c in database.cases.values() if c.resolved_at is None] == [
        f"money:R11:YC1#2:{OTHER.key}#1", "bank-payment:C9",
    ]  # fmt: skip


def test_what_people_said_was_corrected_is_noted_as_agreeing_once_it_does() -> None:
    database = Database()
    corrected = database.add(f"{NAME}#1", resolved_at=NOW, resolved_by="会计甲")
    database.waiting = [corrected]
    assert closed(database, ROW) == 0 and database.events == [], "it does not agree yet"
    assert closed(database) == 0
    said = "report 7: all sides say the same"
    assert database.events == [(f"{NAME}#1", "agrees", "reconcile", said, 7)]


def test_a_case_past_its_deadline_is_an_alarm_with_its_date() -> None:
    database = Database()
    database.add("late", due_at=NOW - HOUR)
    database.add("open", due_at=NOW + HOUR)
    assert watch_deadlines(database.deps) == 1
    assert database.alarms_open == {("money-case-overdue", "late"): "was due at 2026-11-20 01:00Z"}
    assert (database.commits, database.asked_to_write) == (1, [False, True])


def test_without_a_late_case_nothing_is_written() -> None:
    database = Database()
    database.add("open", due_at=NOW + HOUR)
    assert watch_deadlines(database.deps) == 0
    assert database.asked_to_write == [False]


# --- ahead and late -------------------------------------------------------------------------------


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that claims are told whether their money is held."""
    told: list[str] = []
    for module in (ahead, timeliness):
        monkeypatch.setattr(module, "show_held_payouts", lambda deps: told.append("told"))
    return told


def held(
    database: Database, monkeypatch: pytest.MonkeyPatch, found: BankComparison
) -> BankComparison:
    monkeypatch.setattr(ahead, "compare_bank", lambda deps: found)
    return ahead.hold_if_ahead(database.deps)


def test_a_bank_that_is_ahead_holds_every_payout_until_it_is_not(
    monkeypatch: pytest.MonkeyPatch, shown: list[str]
) -> None:
    database, more = Database(), BankComparison(("YC9.xml",), ())
    assert held(database, monkeypatch, more) == more
    assert database.alarms_open == {("bank-ahead", "bank"): "unknown here: YC9.xml"}
    assert shown == ["told"]
    held(database, monkeypatch, BankComparison((), ()))
    assert (database.alarms_open, shown) == ({}, ["told", "told"])
    held(database, monkeypatch, BankComparison((), ()))
    assert shown == ["told", "told"], "nothing has changed"
    assert database.commits == 3


def test_a_report_too_old_is_an_alarm_and_then_holds_payouts_until_one_is_made(
    shown: list[str],
) -> None:
    database = Database()
    database.report = SimpleNamespace(made_at=NOW - 27 * HOUR, number=7)
    timeliness.watch_timeliness(database.deps)
    words = "no report for 27 hours; run yichu reconcile"
    assert database.alarms_open == {("reconcile-overdue", "reconcile"): words}
    assert shown == []
    timeliness.watch_timeliness(database.deps)
    assert database.asked_to_write == [False, True, False], "known already"
    database.report = SimpleNamespace(made_at=NOW - 51 * HOUR, number=7)
    timeliness.watch_timeliness(database.deps)
    words = "no report for 51 hours; run yichu reconcile"
    assert database.alarms_open == {
        ("reconcile-overdue", "reconcile"): words, ("reconcile-lapsed", "reconcile"): words,
    }  # fmt: skip
    assert shown == ["told"]
    database.report = SimpleNamespace(made_at=NOW, number=8)
    found = timeliness.watch_timeliness(database.deps)
    assert (database.alarms_open, shown, found.is_lapsed) == ({}, ["told", "told"], False)


# --- the day --------------------------------------------------------------------------------------


class Day:
    """What the worker's pass does, with each part replaced by what it came to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database = Database()
        self.done: list[str] = []
        self.found: Any = [ROW]
        self.fails: Exception | None = None
        standing = [Standing(ROW, self.database.add("late", due_at=NOW - HOUR))]

        def find(deps: Any) -> Any:
            if isinstance(self.found, Exception):
                raise self.found
            return self.found

        def open_all(deps: Any, rows: Any) -> Any:
            assert rows == [ROW]
            self.done.append("cases")
            return standing

        def store(deps: Any, signer: Any, rows: Any) -> None:
            assert (signer, rows) == ("signer", standing)
            if self.fails is not None:
                raise self.fails
            self.done.append("report")

        def watch(deps: Any) -> None:
            self.done.append("time")

        monkeypatch.setattr(daily, "find_mismatches", find)
        monkeypatch.setattr(daily, "open_cases_of", open_all)
        monkeypatch.setattr(daily, "store_report", store)

        def take_in(deps: Any) -> None:
            self.done.append("answers")

        monkeypatch.setattr(daily, "watch_timeliness", watch)
        monkeypatch.setattr(daily, "watch_statements", lambda deps: None)
        monkeypatch.setattr(daily, "take_in_answers", take_in)

    def run(self) -> int:
        signer: Any = "signer"
        self.done.clear()
        return daily.reconcile_pass(self.database.deps, signer)


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> Day:
    return Day(monkeypatch)


def test_a_due_reconciliation_keeps_cases_and_a_signed_report(day: Day) -> None:
    assert day.run() == 1
    assert day.done == ["cases", "report", "time", "time"]
    assert list(day.database.alarms_open) == [("money-case-overdue", "late")]


def test_a_bank_that_can_be_asked_for_statements_is_asked_before_anything_is_compared(
    day: Day,
) -> None:
    day.database.bank = SimpleNamespace(ask_for_statements=lambda: True, is_simulated=False)
    assert day.run() == 1
    assert day.done == ["answers", "cases", "report", "time", "time"]


def test_a_report_of_today_is_not_made_again_and_deadlines_are_watched_always(day: Day) -> None:
    day.database.report = SimpleNamespace(made_at=NOW - HOUR)
    assert day.run() == 0
    assert day.done == ["time"]
    assert ("money-case-overdue", "late") in day.database.alarms_open
    # Yesterday's, before 06:00 of today in Shanghai.
    day.database.report = SimpleNamespace(made_at=dt.datetime(2026, 11, 19, 21, 59, tzinfo=dt.UTC))
    assert day.run() == 1


@pytest.mark.parametrize(
    ("alarm", "compares"),
    [
        ("database-behind-chain", False), ("bank-ahead", False), ("final-reorganisation", False),
        ("reconcile-lapsed", True), ("books-disagree", True), ("payment-returned", True),
    ],
)  # fmt: skip
def test_while_sides_are_known_to_disagree_nothing_is_compared(
    day: Day, alarm: str, compares: bool
) -> None:
    day.database.alarms_open[alarm, "x"] = ""
    assert day.run() == int(compares)


def test_a_system_that_is_being_set_up_is_not_reconciled(day: Day) -> None:
    day.database.account = None
    assert day.run() == 0 and day.done == ["time"]


def test_a_bank_out_of_reach_is_asked_again_later(day: Day) -> None:
    day.found = BankUnavailableError("连不上", "the folder is not there")
    assert day.run() == 0
    assert day.done == ["time"]


def test_what_could_not_be_signed_is_an_alarm_and_its_cases_stay(day: Day) -> None:
    day.fails = KeyUnavailableError("没有密钥", "the agency's key is not here")
    assert day.run() == 0
    assert day.done == ["cases", "time"]
    assert day.database.alarms_open["report-unsigned", "reconcile"] == (
        "the agency's key is not here"
    )
