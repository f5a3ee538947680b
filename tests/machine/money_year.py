"""What is worked out again: a cleared year, a lower revision, a finding of supervision.

Facts that the register learns change what is right. Nothing is booked twice, and nothing is owed
back before as many people as it takes have said so.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from backend.adapters.database import tables
from backend.domain.errors import DomainError
from backend.domain.register import FactKind, RegisterFact
from backend.domain.review import CaseKind, Outcome
from backend.domain.revision import Cause
from backend.domain.supervision import Source, StepKind, SubjectKind
from backend.service_layer.claims.benefits import adjudicate_again
from backend.service_layer.clearing.confirm import confirm, decline
from backend.service_layer.clearing.run import run_year, try_year
from backend.service_layer.handling.year_totals import revise
from backend.service_layer.supervision.cases import Act, take_step
from backend.service_layer.supervision.lead_records import Subject
from backend.service_layer.supervision.leads import open_lead
from tests.integration.claims.revising import conclude
from tests.machine import promises
from tests.machine.money_insurers import InsurersWalk
from tests.machine.money_recovery import WHY, orders_in_effect

YEAR: Final = 2026
LEARNT: Final = ("a pensioner", "of low income", "neither")
_BOOKED: Final = (
    tables.decision, tables.revision_request, tables.recovery_order, tables.journal_entry,
    tables.ledger_intent, tables.payout, tables.clearing_item, tables.payment_attempt,
)  # fmt: skip


class YearWalk(InsurersWalk):
    """Two clerks of the clearing, and a supervisor."""

    def _begin_parts(self) -> None:
        super()._begin_parts()
        self.has_learnt = False

    # --- facts and the clearing -----------------------------------------------------------------

    def learn(self, who: int, what: str) -> None:
        """The register of another office says it, and no claim is worked out again for that."""
        services, person = self.world.services, self.people[who]
        with services.work() as work:
            known = work.register.facts_of(person.id)
            gone = {fact.supersedes for fact in known}
            standing = [fact for fact in known if fact.id not in gone and not fact.is_withdrawn]
            facts = self._facts(standing, person.id, what)
            for fact in facts:
                work.register.add(fact)
            work.commit()
        self.has_learnt |= bool(facts)
        self.note(f"learnt: {what}", bool(facts))

    def _facts(self, standing: list[Any], person_id: str, what: str) -> list[RegisterFact]:
        cover = next(fact for fact in standing if fact.kind is FactKind.COVER)
        poor = [fact for fact in standing if fact.kind is FactKind.HARDSHIP]
        wanted = "1102" if what == "a pensioner" else "1101"
        services = self.world.services
        fresh: dict[str, Any] = {
            "source": "simulated", "recorded_by": "test", "reason": "test",
            "recorded_at": services.clock.now(), "person_id": person_id, "filed_on": None,
        }  # fmt: skip
        found = []
        if cover.detail != wanted:
            found.append(
                dataclasses.replace(
                    cover,
                    id=services.ids.new_id("fct"),
                    detail=wanted,
                    supersedes=cover.id,
                    **fresh,
                )
            )
        if what == "of low income" and not poor:
            found.append(
                RegisterFact(
                    id=services.ids.new_id("fct"),
                    kind=FactKind.HARDSHIP,
                    code="low-income",
                    detail="",
                    valid_from=dt.date(YEAR, 1, 1),
                    valid_to=None,
                    supersedes=None,
                    is_withdrawn=False,
                    **fresh,
                )
            )
        if what == "neither":
            found += [
                dataclasses.replace(
                    fact, id=services.ids.new_id("fct"), supersedes=fact.id, is_withdrawn=True,
                    **fresh,
                )
                for fact in poor
            ]  # fmt: skip
        return found

    def try_clearing(self) -> None:
        """A trial names differences and stores nothing."""
        before = promises.everything(self.world)
        figures = try_year(self.world.services, YEAR)
        assert promises.everything(self.world) == before, "a trial stored something"
        self.note("a trial of the year found a difference", bool(figures.found))

    def clear(self, who: int, what: str) -> None:
        """The register learns something, the year is cleared, and once more: the second run books
        nothing."""
        if what:
            self.learn(who, what)
            self.try_clearing()
        services = self.world.services
        _, figures = run_year(services, YEAR, by="清算员", may_be_open=True)
        for finding, count in figures.found.items():
            self.note(f"cleared: {finding}", count)
        for outcome, count in figures.people.items():
            self.note(f"a person's year: {outcome}", count)
        before = [self.rows(table) for table in _BOOKED]
        _, again = run_year(services, YEAR, by="清算员", may_be_open=True)
        assert [self.rows(table) for table in _BOOKED] == before, "cleared again, it booked"
        assert not again.found, f"found again: {again.found}"
        self.note("a clearing")
        self.go_on(1)

    def confirm_clearing(self, place: int, people: Sequence[str]) -> None:
        """People say that a lower amount stands, each twice; or decide against it."""
        items = [row for row in self.rows(tables.clearing_item) if row.outcome == "proposed"]
        if not items:
            return
        item = sorted(items, key=lambda row: row.id)[-1 - place % len(items)]
        for by in people:
            act = decline if by == "驳回" else confirm
            said = self.tried(partial(act, self.world.services, item.id, by, WHY))
            what = "declined" if by == "驳回" else "confirmed"
            self.note(f"a lower amount {what}" if said is None else f"not {what}: {said}")
            self.promises_hold()

    # --- other grounds --------------------------------------------------------------------------

    def lower(self, place: int, fen: int, is_upheld: bool) -> None:
        """A claim that is paid comes to less, and people confirm it or do not."""
        paid = [c for c, state in self.states.items() if state == "paid"]
        if not paid:
            return
        services, claim = self.world.services, self.world.claim(paid[place % len(paid)])
        with services.work() as work:
            if work.reviews.live_case(claim.id, CaseKind("revision")) is not None:
                return
            work.people.lock(claim.person_id)
            eob, *rest = adjudicate_again(services, work, claim)
            less = dataclasses.replace(eob, pool_paid_fen=max(0, eob.pool_paid_fen - fen))
            grounds = {"cause": Cause.ENTITLEMENT, "decided_by": "machine", "reason": "待遇变更"}
            try:
                revise(services, work, claim, (less, *rest), **grounds)
            except DomainError as error:
                self.note(f"no lower revision: {error.code}")
                return
            asked = work.reviews.live_case(claim.id, CaseKind("revision"))
            if asked is None:
                return
            work.commit()
        outcome = Outcome.APPROVE if is_upheld else Outcome.REFUSE
        self.reviewers += 1
        by = f"复核员{self.reviewers}"
        said = self.tried(lambda: conclude(self.world, claim, "revision", outcome, by=by))
        self.note(f"a lower revision {outcome}" if said is None else f"no lower revision: {said}")
        self.go_on(1)

    def find(self, place: int, fen: int, with_what: str) -> None:
        """Supervision finds a fault of the institution, and when that is final orders the money
        back: of one claim, or of its bill."""
        paid = [c for c, state in self.states.items() if state == "paid"]
        if not paid:
            return
        services, claim = self.world.services, self.world.claim(paid[place % len(paid)])
        is_claim = with_what == "claim"
        subject = Subject(
            SubjectKind.CLAIM if is_claim else SubjectKind.INVOICE,
            claim.id if is_claim else claim.invoice_id,
        )
        with services.work() as work:
            lead = open_lead(
                services, work, Source.REPORT, subject, "同一项目反复收费", by=f"报告人{place}"
            )
            work.commit()
        steps: list[Act] = [
            Act(StepKind.ASKED, "文员", "理由一二三四"),
            Act(StepKind.ANSWERED, "文员", "理由一二三四"),
            Act(StepKind.FOUND, "认定人", "理由一二三四", "substantiated", fen),
        ]
        for step in steps:
            said = self.tried(partial(take_step, services, lead.id, step))
            if said is not None:
                self.note(f"no finding: {said}")
                return
        self.pass_time(dt.timedelta(days=40).total_seconds())
        order = Act(StepKind.ORDERED, "复核人", "认定已生效，责令追回")
        said = self.tried(partial(take_step, services, lead.id, order))
        self.note("a finding ordered" if said is None else f"no order: {said}")
        self.go_on(1)

    # --- what must hold -------------------------------------------------------------------------

    def _check(self, books: promises.Books, new: list[Any]) -> None:
        super()._check(books, new)
        self._each_difference_once(books)

    def _each_difference_once(self, books: promises.Books) -> None:
        """A difference is one row. More is one further version of just that amount, less is one
        order of just that amount, and of one claim at most one such order is undecided."""
        items: Counter[Any] = Counter()
        orders: dict[str, list[Any]] = defaultdict(list)
        for row in books.all(tables.recovery_order):
            orders[row.source_id].append(row)
        decided = {(row.claim_id, row.version): row for row in books.all(tables.decision)}
        for item in books.all(tables.clearing_item):
            key = (item.claim_id, item.decision_version, item.before_fen, item.after_fen)
            items[(*key, item.finding)] += 1
            if item.outcome == "version":
                after = decided[(item.claim_id, item.decision_version + 1)]
                assert after.paid_fen == item.after_fen, item
            if item.outcome == "proposed":
                (order,) = orders[item.id]
                assert order.amount_fen == item.before_fen - item.after_fen, item
        assert all(count == 1 for count in items.values()), f"found twice: {items}"
        dismissed = {row.order_id for row in books.all(tables.recovery_dismissal)}
        opened = orders_in_effect(books)
        open_ones = Counter(
            row.claim_id
            for row in books.all(tables.recovery_order)
            if row.cause == "clearing" and row.id not in dismissed | set(opened)
            and row.source_id in {item.id for item in books.all(tables.clearing_item)}
        )  # fmt: skip
        assert all(count == 1 for count in open_ones.values()), f"proposed twice: {open_ones}"

    def _check_end(self, books: promises.Books) -> None:
        """The year is cleared and every lower amount confirmed: then nothing differs any more but
        what people have to look at."""
        super()._check_end(books)
        if not self.has_learnt:
            return
        for _ in range(2):
            self.clear(0, "")
            for number in range(len(self.rows(tables.clearing_item))):
                self.confirm_clearing(number, ("复核丙", "复核丁"))
            self.pay_day(3)
        told: list[Any] = []
        try_year(self.world.services, YEAR, told.append)
        books = promises.Books(self.world)
        asked = {row.claim_id for row in books.all(tables.revision_request)}
        asked |= {row.claim_id for row in books.all(tables.recovery_order)}
        for one in told:
            self.note(f"in the end, of the year: {one.finding}")
            known = self.world.services
            with known.work(write=False) as work:
                claim_id = work.claims.by_number(one.claim_number).id
            is_known = claim_id in asked or one.finding not in ("more", "less")
            assert is_known, f"after a clearing the year still differs: {one}"
