"""One walk of the money's state machine: how it begins, its acts, and what must always hold.

Claims, ledger and database are those of the other machine; the bank is one that does and says
anything (``money_bank``). Workers die at the named failpoints, between two commits, or another
worker does all of its work there.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest import mock

import sqlalchemy as sa
from hypothesis import currently_in_test_context, event
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.bootstrap import Services
from backend.domain.errors import DomainError
from backend.domain.ledger import SlotState
from backend.domain.payout import BANK_SIDE, InstantLimits
from backend.domain.review import CaseKind, Outcome
from backend.service_layer import failpoints
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.appeals import file_appeal
from backend.service_layer.handling.review import approve_pended
from backend.service_layer.money_reconciliation.daily import reconcile_money
from backend.service_layer.payees.effective import VerifiedAccounts
from backend.service_layer.payout import manual
from backend.service_layer.payout.answers import take_in_answers
from backend.service_layer.payout.ports import BankUnavailableError
from backend.service_layer.payout.records import Lane
from backend.service_layer.payout.run import payout_pass, run_lane
from backend.service_layer.ports import LedgerUnavailableError
from tests.integration.claims.revising import WORDS, conclude, matched, mixed_bill
from tests.machine import money_model, money_recovery, promises
from tests.machine.databases import Databases, SqliteFiles, new_folder
from tests.machine.money_bank import MoneyBank
from tests.machine.money_ledger import MoneyLedger, ReportSeal
from tests.machine.money_recovery import Clerks
from tests.machine.walk import CountedIds, fresh_world
from tests.memory_bank import equip

DAY = dt.date(2026, 11, 3)
PEOPLE = 3
LIMITS = InstantLimits(bill_fen=40_000, person_day_fen=60_000, pool_day_fen=100_000)
POINTS = tuple(n for n in failpoints.NAMES if n.startswith("payout.") or n == "claims.supplemented")
COMMITS = failpoints.BOUNDARIES
_KEPT = ("ids", "people", "others", "ledger", "bank", "book", "accepted", "sums")
_PAYOUT_TABLES = (
    tables.claim, tables.payout, tables.payout_file, tables.payment_attempt,
    tables.payment_answer, tables.journal_entry, tables.journal_transfer,
)  # fmt: skip
_SHOWN = ("waiting_for", "updated_at")
"""What may say on a claim that a contradiction of the bank has stopped it; nothing is booked."""


class WorkerDiedError(BaseException):
    """Nothing of ours may catch it: a process that is killed runs no handler."""


class MoneyWalk(RuleBasedStateMachine):
    """Three people with claims that are settled, about to be paid."""

    databases: ClassVar[Databases] = SqliteFiles()
    happened: ClassVar[Counter[str]] = Counter()

    @initialize()
    def begin(self) -> None:
        self.folder = new_folder()
        self.url = self.databases.begin(self.folder)
        self.world = fresh_world(self.folder, self.url)
        self.clerks = Clerks()
        self._begin_parts()
        self.stopped: set[str] = set()
        self.reversed: set[str] = set()
        self.withdrawn: set[str] = set()
        self.seen: set[str] = set()
        self.states: dict[str, str] = {}
        self.waits: dict[str, str] = {}
        self.reviewers = 0
        if self.databases.beginning is not None:
            kept, numbers = copy.deepcopy(self.databases.beginning)
            vars(self).update(kept)
            self.world.numbers, self.world.sequence = numbers
            self.world.services.clock.advance(self.ledger.skew.total_seconds())
            self._wire(self.world.services)
            return
        self.ids = CountedIds()
        self.ledger, self.bank = MoneyLedger(), MoneyBank()
        self.people: list[Any] = []
        self.accepted: dict[str, str] = {}
        self.sums: dict[str, int] = {}
        self._wire(self.world.services)
        self._live_a_little()

    def _live_a_little(self) -> None:
        for number in range(PEOPLE):
            self.people.append(self.world.person(f"测试{'甲乙丙'[number]}", f"citizen{number}"))
        self._furnish()
        for number in range(PEOPLE):
            self.claim(number, 900)
            self.claim(number, 400 + 300 * number)
        for _ in range(12):
            advance_claims(self.world.services, at_once=True, with_payouts=False)
            self.ledger.mine(self.world, 100)
            self.ledger.finalise(self.world)
        self.world.services.engine.dispose()
        self.databases.keep(self.url)
        self.bank.reads_clock_of(None)
        kept = copy.deepcopy({name: getattr(self, name) for name in _KEPT})
        self.databases.beginning = (kept, (self.world.numbers, self.world.sequence))
        self.bank.reads_clock_of(self.world.services)

    def _wire(self, services: Services) -> None:
        payout = dataclasses.replace(services.settings.payout, instant=LIMITS)
        services.settings = dataclasses.replace(services.settings, payout=payout)
        services.ids = self.ids
        self.world.ledger = self.ledger
        services.__dict__["ledger"] = self.ledger
        self._equip(services)
        self.bank.reads_clock_of(services)

    def _equip(self, services: Services) -> None:
        equip(services, self.bank)
        services.__dict__["payees"] = VerifiedAccounts(services.secret_box)
        services.__dict__["report_signer"] = ReportSeal()

    # --- what other parts of a walk add -----------------------------------------------------

    def _begin_parts(self) -> None:
        """To what every walk remembers of itself."""

    def _furnish(self) -> None:
        """To the beginning, when there are people and no claims."""

    def _pass_besides(self) -> int:
        """To a pass of the worker; returns how much moved."""
        return 0

    def _check(self, books: promises.Books, new: list[Any]) -> None:
        """To what must hold after each act; ``new`` are the instructions made since the last."""

    def _mend(self) -> None:
        """To what is mended in the end."""

    def _check_end(self, books: promises.Books) -> None:
        """To what must hold in the end."""

    # --- asking -----------------------------------------------------------------------------

    def note(self, what: str, count: int = 1) -> None:
        """Count what has really happened; an act alone may have been refused."""
        self.happened[what] += count
        if currently_in_test_context():
            event(what)

    def tried(self, act: Callable[[], Any]) -> str | None:
        try:
            act()
        except DomainError as error:
            return error.code
        return None

    def once(self, act: Callable[[], Any]) -> Any:
        """P7: the answer or the refusal; the same request again stores nothing."""
        first = self._answer(act)
        before = promises.everything(self.world)
        again = self._answer(act)
        after = promises.everything(self.world)
        more = {name: n for name, n in after.items() if n != before[name]}
        assert not more, f"repeated, it did more: {more} after {first}, {again}"
        return first

    def _answer(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except DomainError as error:
            return error

    # --- claims ---------------------------------------------------------------------------

    def claim(self, who: int, yuan: int) -> None:
        person = self.people[who]
        number = self.world.numbers + 1
        bill = mixed_bill(
            self.world, person, yuan + number, 100, DAY - dt.timedelta(days=number % 50)
        )
        self.world.anchor()
        self.ledger.anchored.add(self.world.sequence)
        token = secrets.token_urlsafe(32)
        result = submit(self.world.services, person.id, [bill], token, has_consent=True)
        self.accepted.update({claim.id: claim.invoice_id for claim in result.claims})
        self.note("a claim")

    def appeal(self, place: int, is_upheld: bool) -> None:
        """Another version: with it comes a supplement and a payment of its own."""
        paid = [c for c, state in self.states.items() if state == "paid"] or list(self.accepted)
        claim = self.world.claim(paid[place % len(paid)])
        services = self.world.services
        self.tried(lambda: file_appeal(services, claim.person_id, claim.id, "item", WORDS))
        with services.work(write=False) as work:
            if work.reviews.live_case(claim.id, CaseKind.APPEAL) is None:
                return
            is_ruled = bool(work.claims.rulings_of(claim.id))
        self.reviewers += 1
        rulings = [matched(1)] if is_upheld and not is_ruled else []
        outcome = Outcome.APPROVE if is_upheld else Outcome.REFUSE
        by = f"复核员{self.reviewers}"
        answer = self.tried(lambda: conclude(self.world, claim, "appeal", outcome, *rulings, by=by))
        if answer is None:
            self.note("an appeal upheld" if is_upheld else "an appeal rejected")

    def review(self) -> None:
        """People approve what waits for them, so that the policy decides."""
        for row in self.rows(tables.claim):
            if row.state == "pended":
                self.reviewers += 1
                by = f"复核员{self.reviewers}"
                act = partial(approve_pended, self.world.services, row.number, by, "已核对")
                self.note("a claim approved by people", self.tried(act) is None)

    # --- workers --------------------------------------------------------------------------

    def work(self) -> None:
        advance_claims(self.world.services, at_once=True)
        self.ledger.mine(self.world, 3)

    def go_on(self, rounds: int) -> int:
        moved = 0
        for _ in range(rounds):
            moved += advance_claims(self.world.services, at_once=True)
            moved += self._pass_besides()
            moved += self.ledger.mine(self.world, 100) + self.ledger.finalise(self.world)
        return moved

    def pay(self) -> None:
        payout_pass(self.world.services)

    def run_by_hand(self) -> None:
        run_lane(self.world.services, Lane.DAILY)

    def die_at(self, point: str, count: int) -> None:
        """A worker dies there, and another one starts."""

        def die(*_: object) -> None:
            raise WorkerDiedError

        try:
            with at(point, count, die):
                self.go_on(2)
        except WorkerDiedError:
            self.note("a worker killed")
            self.note(f"killed at {point}")
            self.restart()

    def database_fails(self, what: str, count: int) -> None:
        """P6: from some transaction on the database cannot be reached for a pass or two, or it is
        gone at a commit."""
        engine, left = self.world.services.engine, [count]

        def fail(*_: object) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise sa.exc.OperationalError(what, {}, ConnectionError("the database is gone"))

        if what == "begin":
            sa.event.listen(engine, what, fail, insert=True)
        try:
            with at("commit.before", count + 1 if what == "commit" else 10**6, fail):
                left[0] *= what == "begin"
                self.go_on(2)
        except sa.exc.OperationalError:
            self.note(f"the database was gone at {what}")
        if what == "begin":
            sa.event.remove(engine, what, fail)

    def pay_day(self, rounds: int) -> None:
        """A day on which the bank does what it is told."""
        for _ in range(rounds):
            self.go_on(2)
            self.bank_works(["paid"])
        self.go_on(2)

    def interleave(self, point: str, count: int) -> None:
        """A second worker does all it can while the first one is there."""

        def other(*_: object) -> None:
            self.note("two workers at once")
            advance_claims(self.other_worker(), at_once=True)

        with at(point, count, other):
            self.go_on(2)

    def interleave_reading(self) -> None:
        """The same between reading the ledger and acting upon it."""

        def other() -> None:
            self.note("two workers at a slot")
            payout_pass(self.other_worker())

        self.ledger.meanwhile = other
        self.go_on(1)
        self.ledger.meanwhile = None

    def other_worker(self) -> Services:
        before = self.world.services
        services = Services(before.settings, SetClock(before.clock.now()), self.ids)
        services.__dict__["engine"] = before.engine
        services.__dict__["ledger"] = self.ledger
        self._equip(services)
        return services

    def restart(self) -> None:
        services = self.other_worker()
        self.world.services = services
        self.bank.reads_clock_of(services)

    # --- bank -----------------------------------------------------------------------------

    def bank_works(self, fates: list[str]) -> None:
        for fate in self.bank.carry_out(fates):
            self.note(f"the bank: {fate}")

    def money_comes_back(self, place: int) -> None:
        if self.bank.give_back(place) is not None:
            self.note("the bank: returned")

    def noise(self, kinds: Sequence[str], place: int) -> None:
        """P7: what the bank says falsely or again is kept, and changes nothing."""
        self.pay()
        self.promises_hold()
        for kind in kinds:
            self._one_noise(kind, place)

    def _one_noise(self, kind: str, place: int) -> None:
        names = {row.id: row.end_to_end_id for row in self.rows(tables.payment_attempt)}
        order = ("paid", "rejected", "returned")
        answers = sorted(self.rows(tables.payment_answer), key=lambda r: order.index(r.status))
        booked = {names[row.attempt_id]: row.status for row in answers}
        if self.bank.is_down or not self.bank.make_noise(kind, place, booked):
            return
        before = self._payout_rows()
        messages = len(self.rows(tables.bank_message))
        take_in_answers(self.world.services)
        assert self._payout_rows() == before, f"{kind}: it was booked"
        kept = len(self.rows(tables.bank_message)) - messages
        assert kept == (kind != "the same bytes"), f"{kind}: {kept} files kept"
        self.note(f"noise: {kind}")

    def _payout_rows(self) -> list[str]:
        """Whatever order the database gives them in: an update moves a row on PostgreSQL."""
        return sorted(
            repr({name: value for name, value in row._mapping.items() if name not in _SHOWN})
            for table in _PAYOUT_TABLES
            for row in self.rows(table)
        )

    def rows(self, table: Any) -> list[Any]:
        return promises.rows(self.world, table)

    # --- people, ledger, time ---------------------------------------------------------------

    def stop(self, place: int, is_stopped: bool) -> None:
        pool = [c for c in self.accepted if self.states.get(c) != "paid" and is_stopped]
        pool = pool or sorted(self.stopped) or list(self.accepted)
        claim_id = pool[place % len(pool)]
        number = self.world.claim(claim_id).number
        act, by = (manual.hold, "出纳员") if is_stopped else (manual.release, "出纳主管")
        if self.tried(lambda: act(self.world.services, number, by, "核对中")) is None:
            (self.stopped.add if is_stopped else self.stopped.discard)(claim_id)
            self.note("a claim stopped" if is_stopped else "a claim released")
            self.go_on(2)

    def reverse(self, place: int) -> None:
        """The hospital reverses or voids a bill, in a block that is final at once."""
        owed = [c for c, state in self.states.items() if state in ("settled", "paying")]
        pool = owed or list(self.accepted)
        claim_id = pool[place % len(pool)]
        self.ledger.finalise(self.world)
        (row,) = promises.rows(
            self.world, tables.invoice, tables.invoice.c.id == self.accepted[claim_id]
        )
        slot = self.ledger.slots.get(row.invoice_key)
        if slot is None or self.ledger.mined or not slot.settled_payers:
            return
        flags = slot.flags | SlotState.REVERSED
        self.ledger.slots[row.invoice_key] = dataclasses.replace(slot, flags=flags)
        self.reversed.add(claim_id)
        self.note(f"reversed when {self.world.claim(claim_id).state}")
        self.go_on(1)

    def reorganise(self, depth: int) -> None:
        self.work()
        self.note("a reorganisation", sum(self.ledger.reorganise(self.world, depth).values()))

    def trouble(self, what: str) -> None:
        self.ledger.is_down = what == "the ledger is down"
        self.bank.is_down = what == "the bank is down"
        self.note(what)

    def pass_time(self, seconds: float) -> None:
        """The system's clock and the ledger's go on together."""
        self.world.services.clock.advance(seconds)
        self.ledger.skew += dt.timedelta(seconds=seconds)

    def time_passes(self, seconds: int) -> None:
        self.pass_time(seconds)
        self.go_on(1)

    def reconcile_day(self) -> None:
        """As the worker does once a day; a mismatch becomes a case and holds its payment."""
        try:
            standing = reconcile_money(self.world.services, ReportSeal())
        except (BankUnavailableError, LedgerUnavailableError):
            self.note("nothing could be compared")
            return
        for one in standing:
            self.note(f"a mismatch by {one.mismatch.rule}")

    # --- what must hold -------------------------------------------------------------------

    @invariant()
    def promises_hold(self) -> None:
        books = promises.Books(self.world)
        money_model.books_balance(books)
        money_model.bank_has_each_once(books, self.bank)
        money_model.answers_are_true(books, self.bank)
        money_model.paid_means_paid(books)
        money_model.limits_are_kept(books, LIMITS)
        rows = books.all(tables.payment_attempt)
        self._check(books, [row for row in rows if row.id not in self.seen])
        self._instructions_were_allowed(books)
        self._nothing_is_lost(books)
        money_recovery.what_is_owed_adds_up(books, self.clerks.came_in)
        money_recovery.is_on_ledger_once(books, self.ledger.recovered)
        view: Any = money_model.told(books, self.bank)
        promises.no_bill_is_paid_twice(books, view)
        promises.money_follows_the_ledger(books, view)
        self.states = {row.id: row.state for row in books.all(tables.claim)}
        waits = {row.id: row.waiting_for for row in books.all(tables.claim) if row.waiting_for}
        for claim_id, why in waits.items():
            self.note(f"held: {why}", self.waits.get(claim_id) != why)
        self.waits = waits

    def _instructions_were_allowed(self, books: promises.Books) -> None:
        """Of what is new: nothing that the ledger, a person or the account spoke against."""
        failed: dict[str, Any] = {}
        for row in books.all(tables.payment_answer):
            if row.status != "paid":
                failed[row.attempt_id] = row
        rows = {row.id: row for row in books.all(tables.payment_attempt)}
        for row in rows.values():
            if row.id in self.seen:
                continue
            self.note(f"instructed, {row.lane}")
            assert row.claim_id not in self.reversed, f"{row.id}: its bill was reversed"
            assert row.claim_id not in self.stopped, f"{row.id}: it was stopped"
            if row.attempt > 1:
                before = rows[f"{row.payout_id}_a{row.attempt - 1}"]
                ended = failed[before.id]  # else it is open or paid
                is_other = before.account_version != row.account_version
                holds = books.all(tables.payout_hold)
                is_released = any(h.claim_id == row.claim_id for h in holds)
                is_bank = ended.reason_code in BANK_SIDE
                assert is_other or is_bank or is_released, f"{row.id}: the same account again"
                self.note("tried again")
        self.seen |= set(rows)

    def _nothing_is_lost(self, books: promises.Books) -> None:
        """P2: every claim, instruction and bank file that there ever was is still there."""
        assert {row.id: row.invoice_id for row in books.all(tables.claim)} == self.accepted
        assert self.seen <= {row.id for row in books.all(tables.payment_attempt)}
        kept = {row.name for row in books.all(tables.bank_message)}
        lost = set(self.bank.left) - set(self.bank.inbox) - kept
        assert not lost, f"files of the bank that are nowhere: {lost}"


@contextmanager
def at(point: str, count: int, act: Callable[..., object]) -> Iterator[None]:
    """Do something at the ``count``-th pass of a failpoint, once."""

    def once(*_: object) -> None:
        failpoints._armed = ""
        act()

    there = SimpleNamespace(kill=once, getpid=os.getpid)
    with (
        mock.patch.object(failpoints, "os", there),
        mock.patch.object(failpoints, "_armed", f"{point}:{count}"),
        mock.patch.object(failpoints, "_passes", 0),
    ):
        yield
