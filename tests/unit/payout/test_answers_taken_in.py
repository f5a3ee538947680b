"""A bank's answer is booked as a whole or kept with what does not agree, and once."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError
from backend.domain.journal import ClaimFund, Entry, Fund
from backend.domain.payout import PayoutRules
from backend.service_layer.claims.records import Claim
from backend.service_layer.payout.answers import (
    book_late,
    still_waits,
    take_in,
    take_in_answers,
)
from backend.service_layer.payout.ports import BadStatusFileError, BankUnavailableError
from backend.service_layer.payout.records import (
    AnswerStatus,
    IncomingFile,
    Lane,
    LeftAlone,
    StatusItem,
    StatusReport,
    Verdict,
)
from backend.service_layer.payout.stored import (
    Attempt,
    BankMessage,
    Hold,
    PaymentAnswer,
    StoredFile,
    Tried,
)
from tests.unit.payout.bank_files import ATTEMPT, FILE, MADE_AT, Payments, ended, report, said
from tests.unit.payout.payables import CLAIM

PAID, REJECTED = AnswerStatus.PAID, AnswerStatus.REJECTED
RETURNED, ACCEPTED = AnswerStatus.RETURNED, AnswerStatus.ACCEPTED
NOW = MADE_AT + dt.timedelta(hours=1)
SECOND = replace(
    ATTEMPT, id="pay_2_a1", payout_id="pay_2", claim_id="clm_2", person_id="per_2",
    end_to_end_id="C2-V1-A1", amount_fen=700,
)  # fmt: skip


class Stored(Payments):
    """One payment file, and what is written about its answers."""

    def __init__(self, *attempts: Attempt, file: StoredFile = FILE) -> None:
        attempts = attempts or (ATTEMPT,)
        total = sum(one.amount_fen for one in attempts)
        file = replace(file, item_count=len(attempts), control_sum_fen=total)
        super().__init__(attempts, file=file)
        self.turns: list[Lane] = []
        self.kept: list[BankMessage] = []
        self.handed: list[tuple[str, dt.datetime]] = []
        self.owed: set[str] = set()
        self.holds: list[Hold] = []
        self.later: list[Attempt] = []  # in another file

    def take_turn(self, lane: Lane) -> None:
        self.turns.append(lane)

    def message(self, name: str, digest: bytes) -> BankMessage | None:
        found = [one for one in self.kept if (one.name, one.digest) == (name, digest)]
        return found[0] if found else None

    def message_of_report(self, report_id: str) -> Any:
        return None

    def messages_on(self, original_id: str) -> list[BankMessage]:
        return self.kept if original_id == "YC1" else []

    def refused_on(self, original_id: str) -> list[BankMessage]:
        return [
            one
            for one in self.kept
            if one.original_id == original_id and one.verdict is Verdict.REFUSED
        ]

    def add_hold(self, hold: Hold) -> None:
        self.holds.append(hold)

    def last_hold(self, claim_id: str) -> Hold | None:
        found = [one for one in self.holds if one.claim_id == claim_id]
        return found[-1] if found else None

    def payables_of(self, claim_id: str) -> list[Any]:
        ids = {one.payout_id for one in self.attempts if one.claim_id == claim_id}
        return [SimpleNamespace(id=one) for one in sorted(ids)]

    def tried(self, payout_id: str) -> list[Tried]:
        own = [one for one in [*self.attempts, *self.later] if one.payout_id == payout_id]
        return [Tried(one, self.answers.get(one.end_to_end_id)) for one in own]

    def add_message(self, message: BankMessage) -> None:
        self.kept.append(message)

    def add_answer(self, answer: PaymentAnswer) -> None:
        (name,) = [one.end_to_end_id for one in self.attempts if one.id == answer.attempt_id]
        self.answers[name] = answer

    def mark_handed_over(self, file_id: str, at: dt.datetime) -> None:
        self.handed.append((file_id, at))

    def is_owed(self, claim_id: str) -> bool:
        return claim_id in self.owed


class Office:
    """Transactions count when they are committed; reports are found by a file's content."""

    def __init__(self, payments: Stored | None = None) -> None:
        self.payments = payments or Stored()
        self.reports: dict[bytes, StatusReport | Exception] = {}
        self.offered: list[IncomingFile] = []
        self.left: list[LeftAlone] = []
        self.away: list[str] = []
        self.bank_error: Exception | None = None
        self.put_away_error: Exception | None = None
        self.open: dict[tuple[str, str], str] = {}
        self.booked: list[Entry] = []
        self.locked: list[str] = []
        self.moves: list[tuple[Any, ...]] = []
        self.closed: list[tuple[Any, ...]] = []
        self.lost: list[Any] = []
        self.cases: dict[str, Any] = {}
        self.fault_of: dict[str, Exception] = {}
        self.commits = 0
        self.now = NOW
        self.held = {"clm_1": CLAIM, "clm_2": replace(CLAIM, id="clm_2", number="C2")}

    def leave(self, name: str, found: StatusReport | Exception) -> IncomingFile:
        file = IncomingFile(name, name.encode())
        self.reports[file.content] = found
        self.offered.append(file)
        return file

    def read(self, content: bytes) -> StatusReport:
        found = self.reports[content]
        if isinstance(found, Exception):
            raise found
        return found

    def incoming(self) -> list[IncomingFile]:
        if self.bank_error is not None:
            raise self.bank_error
        return self.offered

    def put_away(self, name: str) -> None:
        if self.put_away_error is not None:
            raise self.put_away_error
        self.away.append(name)

    def mark_closed(self, work: Any, *account: Any, **said: Any) -> None:
        assert work is self
        self.closed.append((*account, said))

    @property
    def deps(self) -> Any:
        return SimpleNamespace(
            work=lambda write=True: self,
            clock=SimpleNamespace(now=lambda: self.now),
            ids=SimpleNamespace(new_id=lambda prefix: f"{prefix}_{len(self.payments.kept) + 1}"),
            settings=SimpleNamespace(payout=PayoutRules()),
            bank=SimpleNamespace(
                is_simulated=True, incoming=self.incoming, put_away=self.put_away,
                left_alone=lambda: self.left,
            ),
            payees=SimpleNamespace(mark_closed=self.mark_closed),
            payment_format=SimpleNamespace(
                is_statement=lambda content: False, read=self.read,
                is_whole=lambda content: not isinstance(self.reports[content], BadStatusFileError),
            ),
            secret_box=SimpleNamespace(
                wrap=lambda content, name: content + b"|" + name.encode(),
                unwrap=lambda wrapped, name: wrapped.removesuffix(b"|" + name.encode()),
            ),
        )  # fmt: skip

    @property
    def alarms(self) -> Any:
        return SimpleNamespace(
            open_counts=lambda: {code: 1 for code, _ in self.open},
            open_subjects=lambda asked: [one for code, one in self.open if code == asked],
            raise_alarm=lambda code, subject, detail: self.open.update({(code, subject): detail}),
            clear=lambda code, subject: self.open.pop((code, subject), None),
        )

    @property
    def claims(self) -> Any:
        def get(claim_id: str, lock: bool = False) -> Claim:
            if claim_id in self.fault_of:
                raise self.fault_of[claim_id]
            if lock:
                self.locked.append(claim_id)
            return self.held[claim_id]

        def update(claim_id: str, before: ClaimState, at: dt.datetime, **after: Any) -> None:
            state = after.get("state", before)
            self.moves.append((claim_id, before, at, state, after["waiting_for"]))

        return SimpleNamespace(get=get, update=update)

    @property
    def journal(self) -> Any:
        fund = Fund("330800", "310", "330802", "柯城测试")

        def add(entries: Sequence[Entry]) -> list[str]:
            self.booked += entries
            return [one.id for one in entries]

        return SimpleNamespace(
            claim_fund=lambda claim: ClaimFund(claim, fund, "register", NOW),
            find=lambda ids: {},
            lock_months=lambda region: None,
            add=add,
        )

    @property
    def reconciliation(self) -> Any:
        return SimpleNamespace(
            cases_of=lambda kind: self.lost if kind == "bank-payment" else [],
            case=self.cases.get,
        )

    outbox = SimpleNamespace(look_ahead=lambda *asked: None, of_subject=lambda *asked: [])
    decisions = SimpleNamespace(latest=lambda claim_id: None)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def commit(self) -> None:
        self.commits += 1

    def verdict(self) -> str:
        return str(self.payments.kept[-1].verdict)


# --- one file -------------------------------------------------------------------------------------


def test_a_payment_is_booked_with_its_answer_its_entry_and_its_claim() -> None:
    office = Office()
    office.open = {
        ("bank-return-early", "R1"): "", ("bank-file-stuck", "R1"): "",
        ("payment-returned", "clm_1"): "", ("payment-unanswered", "YC1"): "", ("other", "x"): "",
    }  # fmt: skip
    told = report(said(PAID, bank_reference="B" * 61, answered_at=MADE_AT, amount_fen=6_000))
    assert take_in(office.deps, office.leave("R1", told)) is True
    assert office.payments.answers == {
        "C1-V1-A1": PaymentAnswer(
            "pay_1_a1", PAID, "", "", "B" * 60, True, MADE_AT, NOW, "bmg_1"
        )
    }  # fmt: skip
    (entry,) = office.booked
    assert (str(entry.kind), entry.occasion.source_type, entry.occasion.source_id) == (
        "paid", "attempt", "pay_1_a1",
    )  # fmt: skip
    assert (entry.occasion.claim_id, entry.occasion.booked_at, entry.occasion.is_simulated) == (
        "clm_1", NOW, True,
    )  # fmt: skip
    assert [one.amount_fen for one in entry.transfers] == [6_000]
    assert office.moves == [("clm_1", ClaimState.PAYING, NOW, ClaimState.PAID, None)]
    assert office.payments.kept == [
        BankMessage(
            "bmg_1", "R1", hashlib.sha256(b"R1").digest(), b"R1|bmg_1", NOW, "REP-1", "YC1",
            told.created_at, True, Verdict.BOOKED, "",
        )
    ]  # fmt: skip
    assert office.payments.handed == [("pfl_1", NOW)], "what was answered was handed over"
    assert office.open == {("other", "x"): ""} and office.locked == ["clm_1"]
    assert office.payments.turns == [Lane.DAILY] and office.commits == 1


def test_a_file_that_was_taken_in_books_nothing_again() -> None:
    office = Office()
    file = office.leave("R1", report(said(PAID)))
    assert take_in(office.deps, file) and take_in(office.deps, file)
    assert len(office.payments.kept) == len(office.booked) == office.commits == 1


def test_when_a_file_was_handed_over_stays_as_it_was() -> None:
    office = Office(Stored(file=replace(FILE, handed_over_at=MADE_AT)))
    take_in(office.deps, office.leave("R1", report(said(PAID))))
    assert office.payments.handed == [] and office.verdict() == "booked"


def test_one_answer_of_two_leaves_the_file_unanswered() -> None:
    office = Office(Stored(ATTEMPT, SECOND))
    office.open = {("payment-unanswered", "YC1"): ""}
    take_in(office.deps, office.leave("R1", report(said(PAID, "C2-V1-A1"))))
    assert ("payment-unanswered", "YC1") in office.open
    assert [one[0] for one in office.moves] == ["clm_2"]
    again = report(said(PAID), message_id="REP-2")
    take_in(office.deps, office.leave("R2", again))
    assert office.open == {} and [one[0] for one in office.moves] == ["clm_2", "clm_1"]


def test_claims_are_locked_in_one_order_whatever_the_banks_is() -> None:
    office = Office(Stored(ATTEMPT, SECOND))
    take_in(office.deps, office.leave("R1", report(said(PAID, "C2-V1-A1"), said(PAID))))
    assert office.locked == ["clm_1", "clm_2"]
    assert [[row.amount_fen for row in one.transfers] for one in office.booked] == [[6_000], [700]]


def test_without_a_time_of_its_own_an_answer_is_of_the_reports() -> None:
    office = Office()
    take_in(office.deps, office.leave("R1", report(said(PAID))))
    assert office.payments.answers["C1-V1-A1"].answered_at == MADE_AT + dt.timedelta(minutes=5)


@pytest.mark.parametrize(
    ("reason", "waiting"), [("AC06", "payee"), ("AM04", "bank-retry"), ("MD07", "payout-desk")]
)
def test_a_rejection_is_owed_again_and_says_who_has_to_act(reason: str, waiting: str) -> None:
    office = Office()
    item = said(REJECTED, reason_code=reason, reason_text="不能入账 6222020202020202020")
    take_in(office.deps, office.leave("R1", report(item)))
    assert [str(one.kind) for one in office.booked] == ["rejected"]
    assert office.moves == [("clm_1", ClaimState.PAYING, NOW, ClaimState.PAYING, waiting)]
    assert office.open == {("payment-returned", "clm_1"): f"pay_1_a1: rejected {reason}"}
    answer = office.payments.answers["C1-V1-A1"]
    assert answer.reason_code == reason and "6222020202020202020" not in answer.reason_text
    assert office.closed == []


@pytest.mark.parametrize("status", [REJECTED, RETURNED])
def test_an_account_that_the_bank_calls_closed_gets_no_other_money(status: AnswerStatus) -> None:
    office = Office()
    if status is RETURNED:
        office.payments.answers["C1-V1-A1"] = ended(PAID)
    take_in(office.deps, office.leave("R1", report(said(status, reason_code="AC04"))))
    assert office.closed == [
        ("per_1", 1, {"by": "bank", "reason": "AC04: C1-V1-A1", "at": NOW})
    ]  # fmt: skip
    assert [str(one.kind) for one in office.booked] == [str(status)]


def test_a_return_makes_a_paid_claim_one_that_is_being_paid() -> None:
    office = Office()
    office.payments.answers["C1-V1-A1"] = ended(PAID)
    office.held["clm_1"] = replace(CLAIM, state=ClaimState.PAID)
    take_in(office.deps, office.leave("R1", report(said(RETURNED, reason_code="AC06"))))
    assert office.moves == [("clm_1", ClaimState.PAID, NOW, ClaimState.PAYING, "payee")]


def test_a_claim_whose_next_version_is_under_way_is_left_where_it_is() -> None:
    office = Office()
    office.held["clm_1"] = replace(CLAIM, state=ClaimState.SUPPLEMENTING)
    take_in(office.deps, office.leave("R1", report(said(PAID))))
    assert office.moves == [] and len(office.booked) == 1


def test_of_two_payables_of_a_claim_the_second_still_waits_for_what_it_waited_for() -> None:
    office = Office()
    office.payments.owed = {"clm_1"}
    office.held["clm_1"] = replace(CLAIM, waiting_for="payout-run")
    take_in(office.deps, office.leave("R1", report(said(PAID))))
    assert office.moves == [("clm_1", ClaimState.PAYING, NOW, ClaimState.PAYING, "payout-run")]


def test_the_alarm_of_a_payable_that_failed_ends_in_the_booking_that_pays_its_claim() -> None:
    failed = ("payout-failed", "clm_1")
    office = Office()
    office.open = {failed: "pay_1: bad-payout", ("payout-failed", "clm_2"): ""}
    take_in(office.deps, office.leave("R1", report(said(PAID))))
    assert list(office.open) == [("payout-failed", "clm_2")] and office.commits == 1


@pytest.mark.parametrize("status", [PAID, REJECTED])
def test_the_alarm_of_a_payable_that_failed_stays_while_money_is_owed(
    status: AnswerStatus,
) -> None:
    office = Office()
    office.open = {("payout-failed", "clm_1"): "pay_2: bad-payout"}
    office.payments.owed = {"clm_1"}
    take_in(office.deps, office.leave("R1", report(said(status))))
    assert ("payout-failed", "clm_1") in office.open


def test_what_the_bank_has_only_accepted_is_booked_without_an_entry() -> None:
    office = Office()
    office.open = {("payment-unanswered", "YC1"): ""}
    take_in(office.deps, office.leave("R1", report(said(ACCEPTED))))
    assert office.verdict() == "booked" and office.booked == [] and office.moves == []
    assert ("payment-unanswered", "YC1") in office.open, "it is still at the bank"


def test_what_was_booked_before_is_repeated_in_another_file() -> None:
    office = Office()
    take_in(office.deps, office.leave("R1", report(said(PAID))))
    take_in(office.deps, office.leave("R2", report(said(PAID), message_id="REP-2")))
    assert office.verdict() == "repeated" and len(office.booked) == 1
    assert office.open == {("bank-file-repeated", "bmg_2"): "R2: nothing new"}


def test_nothing_is_booked_of_a_file_of_which_one_answer_does_not_agree() -> None:
    office = Office(Stored(ATTEMPT, SECOND))
    told = report(said(PAID), said(PAID, "C2-V1-A1", amount_fen=701), said(PAID, "C3-V1-A1"))
    take_in(office.deps, office.leave("R1", told))
    kept = office.payments.kept[0]
    assert kept.verdict is Verdict.REFUSED and len(kept.difference.split("\n")) == 2
    assert office.booked == [] and office.payments.answers == {} and office.moves == []
    first = kept.difference.split("\n")[0]
    assert office.open == {("bank-file-refused", "bmg_1"): f"R1: {first}"}


def test_what_cannot_be_read_is_kept_and_refused_by_the_words_of_its_fault() -> None:
    office = Office()
    take_in(office.deps, office.leave("R" * 201, BadStatusFileError("读不出", "no GrpHdr")))
    kept = office.payments.kept[0]
    assert (kept.name, kept.difference) == ("R" * 200, "no GrpHdr")
    assert (kept.report_id, kept.original_id, kept.reported_at, kept.simulated) == (None,) * 4
    assert office.open == {("bank-file-refused", "bmg_1"): f"{'R' * 201}: no GrpHdr"}


def test_what_a_restored_backup_has_lost_keeps_nothing_else_from_being_booked() -> None:
    office = Office()
    detail = {"end_to_end_id": "C9-V1-A1", "file": "YC1", "amount_fen": 5}
    office.lost = [SimpleNamespace(detail=detail)]
    take_in(office.deps, office.leave("R1", report(said(PAID), said(PAID, "C9-V1-A1"))))
    assert office.verdict() == "booked" and len(office.booked) == 1


# --- a return before its payment ------------------------------------------------------------------


def test_a_return_waits_for_its_payment_as_long_as_a_bank_may_be_silent() -> None:
    office = Office()
    file = office.leave("R1", report(said(RETURNED)))
    made = MADE_AT + dt.timedelta(minutes=5)
    office.now = made + dt.timedelta(hours=24) - dt.timedelta(seconds=1)
    assert take_in(office.deps, file) is False
    assert office.payments.kept == [] and office.commits == 1
    assert list(office.open) == [("bank-return-early", "R1")]
    office.now = made + dt.timedelta(hours=24)
    assert take_in(office.deps, file) is True
    assert office.verdict() == "refused" and office.booked == []
    assert list(office.open) == [("bank-file-refused", "bmg_1")]


# --- what the bank has left -----------------------------------------------------------------------


def test_files_are_booked_as_the_bank_made_them_and_what_cannot_be_read_comes_last() -> None:
    office = Office()
    office.leave("A-broken", BadStatusFileError("读不出", "no GrpHdr"))
    office.leave("B-damaged", ValueError("not a file"))
    later = MADE_AT + dt.timedelta(minutes=30)
    office.leave("C-back", report(said(RETURNED), message_id="REP-3", created_at=later))
    office.leave("D-paid", report(said(PAID)))
    assert take_in_answers(office.deps) == 3
    assert office.away == ["D-paid", "C-back", "A-broken"]
    assert [str(one.kind) for one in office.booked] == ["paid", "returned"]
    assert office.open[("bank-file-stuck", "B-damaged")] == "ValueError"


def test_of_one_instant_the_payment_comes_before_the_return() -> None:
    office = Office()
    office.leave("A-back", report(said(RETURNED), message_id="REP-3"))
    office.leave("B-paid", report(said(PAID)))
    assert take_in_answers(office.deps) == 2
    assert office.away == ["B-paid", "A-back"]


def test_a_file_that_cannot_be_booked_stays_and_the_others_are_booked() -> None:
    office = Office(Stored(ATTEMPT, SECOND))
    office.leave("S" * 201, report(said(PAID, "C2-V1-A1")))
    office.leave("R1", report(said(PAID), message_id="REP-2"))
    office.held["clm_2"] = replace(CLAIM, id="clm_2", state=ClaimState.PAYING)
    office.fault_of = {"clm_2": ConflictError("冲突", "booked otherwise")}
    assert take_in_answers(office.deps) == 1
    assert office.away == ["R1"]
    assert office.open == {("bank-file-stuck", "S" * 200): "conflict: booked otherwise"}


def test_a_file_that_waits_is_not_put_away() -> None:
    office = Office()
    office.leave("R1", report(said(RETURNED)))
    assert take_in_answers(office.deps) == 0 and office.away == []


def test_what_is_cut_off_waits_while_the_rest_of_it_may_come() -> None:
    """The bank's upload stops for some seconds in the middle of a file."""
    office = Office()
    whole = office.leave("R1", report(said(PAID)))
    part = IncomingFile("R1", whole.content[:1], may_grow=True)
    office.reports[part.content] = BadStatusFileError("不完整", "it is cut off")
    office.offered = [part]
    assert take_in_answers(office.deps) == 0
    assert (office.away, office.payments.kept, office.open) == ([], [], {})
    assert still_waits(office.deps, cast("Any", office), part) is True
    office.offered = [replace(whole, may_grow=True)]
    assert take_in_answers(office.deps) == 1, "what is whole is booked at once"
    assert office.verdict() == "booked" and office.away == ["R1"]


def test_what_is_still_cut_off_when_nothing_more_comes_is_refused() -> None:
    office = Office()
    part = office.leave("R1", BadStatusFileError("不完整", "it is cut off"))
    assert still_waits(office.deps, cast("Any", office), part) is False
    assert take_in_answers(office.deps) == 1
    assert office.verdict() == "refused" and office.away == ["R1"]


@pytest.mark.parametrize(
    ("item", "waits"), [(said(RETURNED), True), (said(PAID), False), (said(REJECTED), False)]
)
def test_of_whole_files_only_an_early_return_waits(item: StatusItem, waits: bool) -> None:
    office = Office()
    file = office.leave("R1", report(item))
    assert still_waits(office.deps, cast("Any", office), file) is waits
    office.now = MADE_AT + dt.timedelta(days=2)
    assert still_waits(office.deps, cast("Any", office), file) is False


def test_what_cannot_be_taken_in_is_an_alarm_until_it_is_renamed() -> None:
    office = Office()
    office.open = {("bank-file-stuck", "S"): "of a file that is read"}
    office.left = [LeftAlone("a", "its name"), LeftAlone("b", "a folder")]
    for _ in range(2):
        take_in_answers(office.deps)
        assert office.open == {
            ("bank-file-stuck", "S"): "of a file that is read",
            ("bank-file-stuck", "in/a"): "its name: rename it, or take it out of the folder",
            ("bank-file-stuck", "in/b"): "a folder: rename it, or take it out of the folder",
        }
        assert office.commits == 1, "said once"
    office.left = office.left[1:]
    take_in_answers(office.deps)
    assert [subject for _, subject in office.open] == ["S", "in/b"]
    office.left = []
    take_in_answers(office.deps)
    assert [subject for _, subject in office.open] == ["S"]


def test_nothing_is_taken_in_while_the_bank_knows_files_that_are_missing_here() -> None:
    office = Office()
    office.leave("R1", report(said(PAID)))
    office.open = {("bank-ahead", "bank"): ""}
    assert take_in_answers(office.deps) == 0
    assert office.payments.kept == [] and office.commits == 0


def test_a_bank_that_cannot_be_asked_is_an_alarm_until_it_can() -> None:
    office = Office()
    office.bank_error = BankUnavailableError("连不上", "the folder is not there")
    assert take_in_answers(office.deps) == 0
    assert office.open == {("bank-unreachable", "incoming"): "the folder is not there"}
    assert office.commits == 1
    office.bank_error = None
    assert take_in_answers(office.deps) == 0
    assert office.open == {} and office.commits == 2
    assert take_in_answers(office.deps) == 0 and office.commits == 2, "nothing to write"


def test_what_cannot_be_put_away_is_booked_and_offered_again() -> None:
    office = Office()
    office.leave("R1", report(said(PAID)))
    office.put_away_error = BankUnavailableError("连不上", "read-only")
    assert take_in_answers(office.deps) == 0 and len(office.booked) == 1
    office.put_away_error = None
    assert take_in_answers(office.deps) == 1
    assert office.away == ["R1"] and len(office.booked) == 1


# --- instructions that are known late -------------------------------------------------------------


def late(office: Office, names: frozenset[str]) -> None:
    content = b"late"
    office.reports[content] = report(said(PAID), said(PAID, "C2-V1-A1"))
    office.payments.kept = [
        BankMessage("bmg_0", "R0", b"", b"late|bmg_0", NOW, "REP-1", "YC1", None, True,
                    Verdict.BOOKED, "")
    ]  # fmt: skip
    work: Any = office
    book_late(office.deps, work, "YC1", names)


def test_what_a_kept_report_said_of_an_instruction_is_booked_when_it_is_known_again() -> None:
    office = Office(Stored(ATTEMPT, SECOND))
    late(office, frozenset({"C2-V1-A1"}))
    assert list(office.payments.answers) == ["C2-V1-A1"]
    assert office.payments.answers["C2-V1-A1"].message_id == "bmg_0"
    assert [one.occasion.source_id for one in office.booked] == ["pay_2_a1"]
    assert len(office.payments.kept) == 1


def test_what_nobody_has_asked_for_or_does_not_agree_is_not_booked_late() -> None:
    office = Office(Stored(ATTEMPT, SECOND))
    late(office, frozenset({"C9-V1-A1"}))
    assert office.booked == []
    unknown = Office(Stored(ATTEMPT))
    late(unknown, frozenset({"C1-V1-A1", "C2-V1-A1"}))
    assert unknown.booked == [] and unknown.payments.answers == {}
