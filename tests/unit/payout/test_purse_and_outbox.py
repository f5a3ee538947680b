"""What a fund can still pay, which bytes leave for the bank, and when a run begins or is over."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.errors import DomainError
from backend.domain.journal import ClaimFund, Fund
from backend.domain.payout import InstantLimits, PayoutRules
from backend.service_layer.payout.booking import Purse
from backend.service_layer.payout.hand_over import hand_over_files
from backend.service_layer.payout.instruct import Page
from backend.service_layer.payout.ports import BankConflictError, BankUnavailableError
from backend.service_layer.payout.records import Lane
from backend.service_layer.payout.run import is_due, run_lane, watch_silence
from backend.service_layer.payout.stored import StoredFile
from backend.service_layer.ports import LedgerUnavailableError
from tests.unit.payout.bank_files import FILE
from tests.unit.payout.payables import CLAIM, NOW

CITY = Fund("330800", "310", "330802", "柯城测试")


class Alarms:
    def __init__(self, *codes: str) -> None:
        self.open: dict[tuple[str, str], str] = {(code, "x"): "" for code in codes}

    def open_counts(self) -> dict[str, int]:
        return {code: 1 for code, _ in self.open}

    def raise_alarm(self, code: str, subject: str, detail: str) -> None:
        self.open[code, subject] = detail

    def clear(self, code: str, subject: str) -> None:
        self.open.pop((code, subject), None)


class Office:
    """Services of one office, whose transactions are over when they are committed."""

    def __init__(self, *alarms: str) -> None:
        self.alarms = Alarms(*alarms)
        self.payments: Any = SimpleNamespace()
        self.bank: Any = SimpleNamespace()
        self.rules = PayoutRules()
        self.is_working_day = True
        self.now = NOW
        self.commits = 0

    @property
    def deps(self) -> Any:
        return SimpleNamespace(
            clock=SimpleNamespace(now=lambda: self.now),
            settings=SimpleNamespace(payout=self.rules),
            calendar=SimpleNamespace(is_working_day=lambda day: self.is_working_day),
            bank=self.bank,
            secret_box=SimpleNamespace(unwrap=self._unwrap),
            work=lambda write=True: self,
        )

    @staticmethod
    def _unwrap(wrapped: bytes, name: str) -> bytes:
        if wrapped == b"damaged":
            raise DomainError("打不开", "it does not open")
        assert name.startswith("pfl_")
        return wrapped

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def commit(self) -> None:
        self.commits += 1


# --- the purse ------------------------------------------------------------------------------------


def purse(
    bank: int, transit: int, alarms: Alarms, suspense: int = 0, **of_layers: Any
) -> tuple[Purse, list[tuple[str, str]]]:
    asked: list[tuple[str, str]] = []

    def balance(account: str, *, insurance_type: str) -> int:
        asked.append((account, insurance_type))
        held = {"bank:330800": bank, "transit:330800": transit, "clearing:330800": suspense}
        return int((held | of_layers.get("layers", {}))[account])

    funds = {"clm_1": CITY, "clm_2": CITY, "clm_3": replace(CITY, insurance_type="390")}
    work: Any = SimpleNamespace(
        alarms=alarms,
        journal=SimpleNamespace(
            balance=balance,
            open_draws=lambda region, kind: of_layers.get("open", {}),
            lock_months=lambda region: "",
            claim_fund=lambda claim: ClaimFund(claim, funds[claim], "register", NOW),
        ),
    )
    return Purse(SimpleNamespace(), work), asked


def test_what_is_at_the_bank_less_what_it_was_told_to_pay_can_be_spent_once() -> None:
    alarms = Alarms()
    made, asked = purse(10_000, 4_000, alarms)
    second = replace(CLAIM, id="clm_2")
    assert made.take(CLAIM, 5_000) is True
    assert made.take(second, 1_001) is False
    assert alarms.open == {("fund-short", "330800/310"): "1001 fen are asked, 1000 left"}
    assert made.take(second, 1_000) is True, "the last fen"
    assert made.take(second, 1) is False
    names = ("bank:330800", "transit:330800", "clearing:330800")
    assert asked == [(name, "310") for name in names], "asked once"


def test_money_in_suspense_pays_no_claim() -> None:
    """It came in by mistake and may have to go back."""
    made, _ = purse(10_000, 1_000, Alarms(), suspense=6_000)
    assert made.take(CLAIM, 3_001) is False
    assert made.take(CLAIM, 3_000) is True
    made, _ = purse(10_000, 1_000, Alarms(), suspense=-6_000)
    assert made.take(CLAIM, 9_001) is False, "what left for nobody known is gone already"
    assert made.take(CLAIM, 9_000) is True


POOL, AID = "fund:330800:pool", "fund:330800:medical-aid"


def test_an_overdrawn_layer_pays_as_much_as_it_has_without_its_open_payables() -> None:
    """专款专用: other layers' money at the bank pays nothing for it."""
    alarms = Alarms()
    made, _ = purse(10_000, 0, alarms, layers={POOL: -700, AID: 50}, open={POOL: 1_500, AID: 9_000})
    assert made.take(CLAIM, 801, ((POOL, 801),)) is False
    detail = "801 fen are asked, the layer has 800 fen for its payables"
    assert alarms.open == {("fund-short", "330800/310/pool"): detail}
    second = replace(CLAIM, id="clm_2")
    assert made.take(second, 4_000, ((POOL, -100), (AID, 4_100))) is True, "what comes back counts"
    assert made.take(second, 900, ((POOL, 900),)) is True
    assert made.take(CLAIM, 2, ((AID, 1), (POOL, 1))) is False, "spent once"
    assert made.take(CLAIM, 1, ((AID, 1),)) is True
    assert list(alarms.open) == [("fund-short", "330800/310/pool")], "open until a run finds enough"


def test_a_layer_that_has_enough_again_ends_its_alarm() -> None:
    alarms = Alarms()
    alarms.open = {
        ("fund-short", "330800/310/pool"): "",
        ("fund-short", "330800/310/medical-aid"): "",
    }
    made, _ = purse(10_000, 0, alarms, layers={POOL: 0})
    assert made.take(CLAIM, 10_000, ((POOL, 10_000),)) is True, "approved already, and not below"
    assert list(alarms.open) == [("fund-short", "330800/310/medical-aid")]


def test_a_smaller_amount_that_fits_is_no_end_of_a_shortage() -> None:
    alarms = Alarms()
    made, _ = purse(1_000, 0, alarms)
    assert made.take(CLAIM, 1_001) is False
    assert made.take(CLAIM, 999) is True
    assert ("fund-short", "330800/310") in alarms.open


def test_what_fits_again_ends_the_alarm_of_its_own_fund_alone() -> None:
    alarms = Alarms()
    alarms.open = {("fund-short", "330800/310"): "", ("fund-short", "330800/390"): ""}
    made, _ = purse(1_000, 0, alarms)
    assert made.take(CLAIM, 1_000) is True
    assert list(alarms.open) == [("fund-short", "330800/390")]
    assert made.take(replace(CLAIM, id="clm_3"), 1_000) is True, "a fund of its own"
    assert alarms.open == {}


# --- the outbox -----------------------------------------------------------------------------------


def stored(number: int, content: bytes, wrapped: bytes | None = None) -> StoredFile:
    return replace(
        FILE,
        id=f"pfl_{number}",
        message_id=f"YC{number}",
        digest=hashlib.sha256(content).digest(),
        wrapped_content=content if wrapped is None else wrapped,
    )


def outbox(office: Office, *files: StoredFile, fails: dict[str, DomainError] | None = None) -> Any:
    given: dict[str, bytes] = {}
    marked: list[tuple[str, dt.datetime]] = []

    def hand_over(name: str, content: bytes) -> None:
        if name in (fails or {}):
            raise (fails or {})[name]
        given[name] = content

    def mark(file_id: str, at: dt.datetime) -> bool:
        marked.append((file_id, at))
        return True

    office.bank = SimpleNamespace(hand_over=hand_over)
    office.payments = SimpleNamespace(files_to_hand_over=lambda: list(files), mark_handed_over=mark)
    return given, marked


def test_committed_files_leave_as_they_were_written_and_are_noted() -> None:
    office = Office("bank-unreachable")
    office.alarms.open = {("bank-unreachable", "bank"): ""}
    given, marked = outbox(office, stored(1, b"one"), stored(2, b"two"))
    assert hand_over_files(office.deps) == 2
    assert given == {"YC1.xml": b"one", "YC2.xml": b"two"}
    assert marked == [("pfl_1", NOW), ("pfl_2", NOW)]
    assert office.alarms.open == {} and office.commits == 2


@pytest.mark.parametrize("alarm", ["database-behind-chain", "bank-ahead", "final-reorganisation"])
def test_nothing_leaves_while_payouts_are_held(alarm: str) -> None:
    office = Office(alarm)
    given, marked = outbox(office, stored(1, b"one"))
    assert hand_over_files(office.deps) == 0
    assert (given, marked) == ({}, [])


@pytest.mark.parametrize("wrapped", [b"other", b"damaged"])
def test_bytes_that_are_not_those_that_were_written_never_leave(wrapped: bytes) -> None:
    office = Office()
    given, _ = outbox(office, stored(1, b"one", wrapped), stored(2, b"two"))
    assert hand_over_files(office.deps) == 1
    assert given == {"YC2.xml": b"two"}
    assert office.alarms.open == {
        ("payout-file-damaged", "YC1"): "its bytes are not those that were written"
    }


def test_other_bytes_at_the_bank_are_an_alarm_and_the_rest_leaves() -> None:
    office = Office()
    conflict = BankConflictError("同名", "another file of this name was handed over")
    given, marked = outbox(
        office, stored(1, b"one"), stored(2, b"two"), fails={"YC1.xml": conflict}
    )
    assert hand_over_files(office.deps) == 1
    assert (list(given), [name for name, _ in marked]) == (["YC2.xml"], ["pfl_2"])
    assert office.alarms.open == {
        ("bank-conflict", "YC1"): "another file of this name was handed over"
    }


def test_a_bank_out_of_reach_is_asked_again_later() -> None:
    office = Office()
    away = BankUnavailableError("连不上", "the folder is not there")
    given, _ = outbox(office, stored(1, b"one"), stored(2, b"two"), stored(3, b"three"),
                      fails={"YC2.xml": away})  # fmt: skip
    assert hand_over_files(office.deps) == 1
    assert list(given) == ["YC1.xml"]
    assert office.alarms.open == {("bank-unreachable", "bank"): "the folder is not there"}


# --- a run ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "last", "working", "due"),
    [
        # 16:00 in Shanghai is 08:00 UTC.
        ("2026-11-20T08:00", None, True, True),
        ("2026-11-20T07:59", None, True, False),
        ("2026-11-20T08:00", None, False, False),
        ("2026-11-20T09:00", "2026-11-20T08:00", True, False),
        ("2026-11-20T09:00", "2026-11-20T07:59", True, True),
    ],
)
def test_the_daily_run_is_due_at_four_of_a_working_day(
    now: str, last: str | None, working: bool, due: bool
) -> None:
    office = Office()
    office.now = dt.datetime.fromisoformat(f"{now}:00+00:00")
    office.is_working_day = working
    before = None if last is None else dt.datetime.fromisoformat(f"{last}:00+00:00")
    office.payments = SimpleNamespace(last_run=lambda lane: before if lane is Lane.DAILY else 1 / 0)
    assert is_due(office.deps) is due


def pages(monkeypatch: pytest.MonkeyPatch, *made: Page | Exception) -> list[Any]:
    """What each look at the payables comes to; the cursors with which they were asked."""
    cursors: list[Any] = []
    waiting = list(made)

    def write_files(deps: Any, lane: Lane, after: Any) -> Page:
        cursors.append((lane, after))
        page = waiting.pop(0)
        if isinstance(page, Exception):
            raise page
        return page

    monkeypatch.setattr("backend.service_layer.payout.run.write_files", write_files)
    return cursors


FIRST = Page([FILE], instructed=3, held=2, moved=4, last=(NOW, "pay_3"))
SECOND = Page([FILE, FILE], instructed=5, held=1, moved=5, last=(NOW, "pay_8"))
AWAY = LedgerUnavailableError("连不上", "no node answers")


def finishing(office: Office) -> list[Any]:
    done: list[Any] = []
    office.payments = SimpleNamespace(
        take_turn=lambda lane: done.append(("turn", lane)),
        finish_run=lambda lane, at: done.append((lane, at)),
    )
    return done


def test_a_daily_run_goes_through_every_page_and_is_finished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office()
    done, cursors = finishing(office), pages(monkeypatch, FIRST, SECOND, Page())
    result = run_lane(office.deps, Lane.DAILY)
    assert (result.files, result.instructed, result.held, result.moved) == (3, 8, 3, 9)
    assert result.is_whole is True
    assert cursors == [
        (Lane.DAILY, None), (Lane.DAILY, (NOW, "pay_3")), (Lane.DAILY, (NOW, "pay_8")),
    ]  # fmt: skip
    assert done == [("turn", Lane.DAILY), (Lane.DAILY, NOW)] and office.commits == 1


def test_a_run_that_the_ledger_cuts_short_says_so_and_is_still_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office()
    done = finishing(office)
    pages(monkeypatch, FIRST, AWAY)
    result = run_lane(office.deps, Lane.DAILY)
    assert (result.files, result.instructed, result.held, result.moved) == (1, 3, 2, 4)
    assert result.is_whole is False and done == []


def test_a_run_while_payouts_are_held_is_still_due(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office("bank-ahead")
    done = finishing(office)
    pages(monkeypatch, Page())
    assert run_lane(office.deps, Lane.DAILY).is_whole is True
    assert done == [] and office.commits == 0


def test_the_instant_lane_is_off_by_default_and_finishes_no_daily_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office()
    done, cursors = finishing(office), pages(monkeypatch, FIRST, Page())
    off = run_lane(office.deps, Lane.INSTANT)
    assert (off.files, off.instructed, off.held, off.moved, off.is_whole) == (0, 0, 0, 0, True)
    assert cursors == []
    office.rules = PayoutRules(instant=InstantLimits(1, 1, 1))
    assert run_lane(office.deps, Lane.INSTANT).instructed == 3
    assert cursors[0] == (Lane.INSTANT, None) and done == []


@pytest.mark.parametrize("silent", [[], ["YC1", "YC2"]])
def test_silence_of_a_day_is_an_alarm_for_each_file(silent: list[str]) -> None:
    office = Office()
    asked: list[dt.datetime] = []

    def unanswered(before: dt.datetime) -> list[str]:
        asked.append(before)
        return silent

    office.payments = SimpleNamespace(unanswered_files=unanswered)
    watch_silence(office.deps)
    assert asked == [dt.datetime(2026, 11, 19, 2, 0, tzinfo=dt.UTC)]
    assert office.alarms.open == {
        ("payment-unanswered", name): "the bank has not answered" for name in silent
    }
    assert office.commits == bool(silent)
