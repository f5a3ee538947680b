"""What a hospital, citizens, reviewers, the worker, the ledger and a tamperer can do."""

from __future__ import annotations

import datetime as dt
import secrets
from collections import Counter
from typing import Any

import sqlalchemy as sa

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.adapters.identifiers import RandomIds
from backend.bootstrap import Services
from backend.domain.register import FactKind
from backend.domain.review import CaseKind, Outcome
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.advance import advance_claims, advance_one
from backend.service_layer.handling.appeals import file_appeal
from backend.service_layer.handling.review import approve_pended, refuse_pended
from backend.service_layer.handling.withdraw import withdraw
from backend.service_layer.intake.form_batches import form_batches
from backend.service_layer.register.entries import Entry
from backend.service_layer.register.record_fact import record_fact
from tests.integration.claims.revising import WORDS, conclude, matched
from tests.machine import promises
from tests.machine.hospital import Sent, dearer
from tests.machine.tampering import set_last_line, swap_last_line
from tests.machine.walk import Walk

TROUBLES = ("the ledger is down", "the bank is slow", "the backend restarts", "all is well")
_UNSETTLED = frozenset(
    {"submitted", "screened", "calculated", "lodging", "lodged", "pended", "decided"}
)


class Town(Walk):
    """Each act may be refused; what it did is counted."""

    def claims_in(self, states: frozenset[str], is_wild: bool) -> list[str]:
        """Claims in these states; all of them where there is none, or when anything goes."""
        found = [claim for claim, state in self.states.items() if state in states]
        return list(self.accepted) if is_wild or not found else found

    def free_bills(self, who: int | None, is_wild: bool) -> list[str]:
        """Bills that no claim holds, of one person or of both; all where there is none."""
        gone = ("refused", "withdrawn")
        held = {self.accepted[c] for c, state in self.states.items() if state not in gone}
        owners = {person.identity_number for person in self.people}
        if who is not None:
            owners = {self.people[who].identity_number}
        free = [
            bill
            for bill in self.taken_in
            if bill not in held and self.newest(bill).invoice.payer_id in owners
        ]
        return self.taken_in if is_wild or not free else free

    # --- hospital -------------------------------------------------------------------------

    def upload(self, who: int, yuan: int, back: int, kind: str, form: str) -> None:
        self.take_in(who, yuan, back, kind, form)

    def upload_again(self, place: int, form: str) -> None:
        """Any request that was ever acknowledged comes once more, perhaps in the other format."""
        one = self.sent[place % len(self.sent)]
        before = promises.footprint(self.world)
        again = self.hospital.upload(one.invoice, form)
        assert (again.invoice_id, again.created) == (one.invoice_id, False)
        assert promises.footprint(self.world) == before
        self.note("a bill uploaded again" if form == one.form else "a bill in the other format")

    def other_content(self, place: int, yuan: int) -> None:
        """The same number with other content is no second bill, nor is the same row."""
        one = self.sent[place % len(self.sent)]
        invoice = dearer(one.invoice, 10_000 + yuan)
        before = promises.footprint(self.world)
        assert self.tried(lambda: self.hospital.upload(invoice, "json")) == "different-content"
        assert promises.footprint(self.world) == before
        self._same_row_again(one.invoice_id)
        self.note("a number with other content refused")

    def _same_row_again(self, bill: str) -> None:
        (stored,) = promises.rows(self.world, tables.invoice, tables.invoice.c.id == bill)
        with self.world.services.engine.connect() as connection, connection.begin() as change:
            again = dict(stored._mapping) | {"id": "inv_again", "public_token": "again"}
            try:
                connection.execute(tables.invoice.insert().values(again))
            except sa.exc.IntegrityError:
                change.rollback()
                return
            change.rollback()
        raise AssertionError("a number was taken in twice")

    def correct(self, place: int, yuan: int, form: str, is_wild: bool) -> None:
        """The hospital sends a bill anew with another amount, while nobody holds it."""
        pool = self.free_bills(None, is_wild)
        bill = pool[place % len(pool)]
        newest = self.newest(bill)
        invoice = dearer(newest.invoice, yuan)
        answer = self.once(lambda: self.hospital.correct(bill, invoice, form))
        if isinstance(answer, str):
            self.note(f"a correction refused: {answer}")
            return
        assert answer.created
        self.sent.append(Sent(bill, newest.version + 1, invoice, form))
        self.note("a bill corrected")

    def correct_again(self, place: int, form: str) -> None:
        """The last correction comes once more, whatever has happened to the bill since."""
        pool = [one for one in self.sent if one.version > 1]
        if not pool:
            return
        bill = pool[place % len(pool)].invoice_id
        before = promises.footprint(self.world)
        again = self.hospital.correct(bill, self.newest(bill).invoice, form)
        assert (again.invoice_id, again.created) == (bill, False)
        assert promises.footprint(self.world) == before
        self.note("a correction sent again")

    # --- citizens -------------------------------------------------------------------------

    def touch(self, who: int, places: list[int], is_wild: bool) -> None:
        pool = self.free_bills(who, is_wild)
        picked = list(dict.fromkeys(pool[place % len(pool)] for place in places))
        self.hand_in(self.people[who].id, picked, secrets.token_urlsafe(32))

    def the_same_form_again(self, place: int, is_reordered: bool) -> None:
        several = [form for form in self.submitted if len(form[1]) > 1]
        pool = several if is_reordered and several else self.submitted
        person_id, bills, token, found = pool[-1 - place % len(pool)]
        before = promises.footprint(self.world)
        order = bills[::-1] if is_reordered else bills
        again = submit(self.world.services, person_id, order, token, has_consent=True)
        assert not again.is_new and [claim.id for claim in again.claims] == found
        assert promises.footprint(self.world) == before
        is_other = is_reordered and len(bills) > 1
        self.note("a form in another order" if is_other else "a form sent again")

    def take_back(self, place: int, is_wild: bool) -> None:
        pool = self.claims_in(_UNSETTLED, is_wild)
        self.withdraw(pool[place % len(pool)])

    def withdraw(self, claim: str) -> None:
        owner = self.world.claim(claim).person_id
        answer = self.once(lambda: withdraw(self.world.services, owner, claim))
        if not isinstance(answer, str):
            self.note("a claim withdrawn")

    def object(self, place: int, is_upheld: bool, is_ended: bool, is_wild: bool) -> None:
        pool = self.claims_in(frozenset({"paid", "refused"}), is_wild)
        self.appeal(pool[place % len(pool)], is_upheld, is_ended)

    def appeal(self, claim: str, is_upheld: bool, is_ended: bool) -> None:
        stored = self.world.claim(claim)
        answer = self.once(
            lambda: file_appeal(self.world.services, stored.person_id, claim, "item", WORDS)
        )
        if not isinstance(answer, str):
            self.note("an appeal filed")
        if is_ended:
            self.end_appeal(claim, is_upheld)

    # --- people of the agency -------------------------------------------------------------

    def answer_appeals(self, is_upheld: bool) -> None:
        for claim in self.accepted:
            self.end_appeal(claim, is_upheld)

    def end_appeal(self, claim: str, is_upheld: bool) -> None:
        stored = self.world.claim(claim)
        with self.world.services.work(write=False) as work:
            if work.reviews.live_case(claim, CaseKind.APPEAL) is None:
                return
            lines = work.claims.bill_of_version(stored.version_id).line_count
            is_ruled = bool(work.claims.rulings_of(claim))
        rulings = [] if not is_upheld or is_ruled else [matched(lines - 1)]
        outcome = Outcome.APPROVE if is_upheld else Outcome.REFUSE
        self.reviewers += 1
        answer = self.tried(
            lambda: conclude(
                self.world, stored, "appeal", outcome, *rulings, by=f"复核员{self.reviewers}"
            )
        )
        if answer is None:
            self.note("an appeal upheld" if is_upheld else "an appeal rejected")

    def look_at(self, place: int, is_approved: bool, is_wild: bool) -> None:
        pool = self.claims_in(frozenset({"pended"}), is_wild)
        self.review(pool[place % len(pool)], is_approved)

    def review(self, claim: str, is_approved: bool) -> None:
        number = self.world.claim(claim).number
        self.reviewers += 1
        act = approve_pended if is_approved else refuse_pended
        answer = self.once(
            lambda: act(self.world.services, number, f"复核员{self.reviewers}", "看过材料")
        )
        if not isinstance(answer, str):
            self.note("a claim approved by people" if is_approved else "a claim refused by people")

    def late_fact(self, who: int, fact: str) -> None:
        today = self.world.services.clock.now().date()
        entry = {
            "retired": Entry(FactKind.COVER, "310", dt.date(2026, 1, 1), None, detail="1102"),
            "hardship": Entry(FactKind.HARDSHIP, "low-income", dt.date(2026, 1, 1), None),
            "filing": Entry(
                FactKind.FILING, "referred-filed", dt.date(2026, 10, 1), dt.date(2026, 12, 31),
                detail="3301", filed_on=today,
            ),
        }[fact]  # fmt: skip
        services, person = self.world.services, self.people[who]
        answer: Any = self.once(
            lambda: record_fact(services, person.id, entry, by="李登记", reason="补办")
        )
        if isinstance(answer, str) or not answer.is_new:
            return
        self.note("a late filing recorded" if fact == "filing" else "an entitlement changed")
        for effect in answer.effects:
            self.note(f"a late fact: {effect.what}")

    # --- worker, ledger, bank, time -------------------------------------------------------

    def work(self, at_once: bool, count: int) -> None:
        """A pass of the worker, and some of what then waits is mined; none of it is final."""
        form_batches(self.world.services)
        advance_claims(self.world.services, at_once=at_once)
        self.ledger.mine(self.world, count)

    def one_step(self, place: int) -> None:
        advance_one(self.world.services, list(self.accepted)[place % len(self.accepted)])

    def run_on(self, rounds: int) -> None:
        self.go_on(rounds)

    def mine(self, count: int) -> None:
        self.ledger.mine(self.world, count)

    def finalise(self) -> None:
        self.ledger.finalise(self.world)

    def reorganise(self, depth: int) -> Counter[str]:
        """Blocks are lost that were not final yet; returns how many calls of each kind."""
        if not self.ledger.mined:
            self.work(True, depth)
        lost = self.ledger.reorganise(self.world, depth)
        for kind, count in lost.items():
            self.note(f"a reorganisation took back: {kind}", count)
        return lost

    def trouble(self, what: str) -> None:
        self.ledger.is_down = what == "the ledger is down"
        self.bank.is_slow = what == "the bank is slow"
        if what == "the backend restarts":
            self.restart()
        self.note(what)

    def restart(self) -> None:
        before = self.world.services
        services = Services(before.settings, SetClock(before.clock.now()), RandomIds())
        services.__dict__["engine"] = before.engine
        self._wire(services)
        self.world.services = services
        self.hospital.reach(services)

    def other_payer(self, place: int, act: str, yuan: int) -> None:
        bill = self.taken_in[place % len(self.taken_in)]
        (row,) = promises.rows(self.world, tables.invoice, tables.invoice.c.id == bill)
        total_fen = self.newest(bill).invoice.total_fen
        if self.ledger.rival(row.invoice_key, total_fen, act, yuan * 100):
            self.note(f"another payer: {act}")

    def time_passes(self, seconds: int) -> None:
        self.world.services.clock.advance(seconds)
        self.note("time passed" if seconds < 86_400 else "the clock jumped")

    # --- the tamperer ---------------------------------------------------------------------

    def tamper(self, place: int) -> None:
        self.change_line(self.taken_in[-1 - place % len(self.taken_in)])

    def change_line(self, bill: str) -> None:
        """A line becomes a covered item, behind the application's back, until it is mended."""
        version_id = self.version_of(bill)
        if version_id in self.damaged:
            set_last_line(self.world, version_id, self.damaged.pop(version_id))
            self.note("a line mended")
            return
        self.damaged[version_id] = swap_last_line(self.world, version_id)
        self.note("a line changed")
