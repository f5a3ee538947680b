"""Any order of acts by citizens, reviewers, the worker, the ledger and a tamperer."""

from __future__ import annotations

import datetime as dt
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.adapters.database.engine import make_engine
from backend.adapters.identifiers import RandomIds
from backend.bootstrap import Services
from backend.domain.claim import CLOSED_STATES, ClaimState
from backend.domain.errors import DomainError
from backend.domain.register import FactKind
from backend.domain.review import CaseKind, Outcome
from backend.service_layer.claims.advance import advance_claims, advance_one
from backend.service_layer.claims.appeals import file_appeal
from backend.service_layer.claims.review import approve_pended, refuse_pended
from backend.service_layer.claims.submit import submit
from backend.service_layer.claims.withdraw import withdraw
from backend.service_layer.register.entries import Entry
from backend.service_layer.register.record_fact import record_fact
from tests.integration.claims.revising import WORDS, conclude, matched, mixed_bill
from tests.integration.claims.world import CLASS_A, NOW, OUTSIDE, World, settings_for
from tests.machine import promises
from tests.machine.promises import CountingBank
from tests.machine.reorganising_ledger import ReorganisingLedger

DAY = dt.date(2026, 11, 3)
_template: list[Path] = []


def fresh_world(folder: Path) -> World:
    """A world on a copy of a migrated database: hundreds are made."""
    if not _template:
        made = Path(tempfile.mkdtemp(prefix="yichu-machine-"))
        World.make(made).services.engine.dispose()
        _template.append(made / "yichu.db")
    shutil.copy(_template[0], folder / "yichu.db")
    services = Services(settings_for(folder), SetClock(NOW), RandomIds())
    services.__dict__["engine"] = make_engine(services.settings.database_url)
    return World(services, ReorganisingLedger())


class Town(RuleBasedStateMachine):
    """Two people, their bills and claims; everything may happen at any moment."""

    make: ClassVar[Callable[[Path], World]] = staticmethod(fresh_world)
    bills = Bundle("bills")
    claims = Bundle("claims")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="yichu-town-"))
        self.world = type(self).make(self.folder)
        self.ledger = ReorganisingLedger()
        self.bank = CountingBank()
        self.world.ledger = self.ledger
        self._wire(self.world.services)
        self.people = [self.world.person(), self.world.person("测试丙寅", "citizen02")]
        self.taken_in: list[str] = []
        self.accepted: dict[str, str] = {}
        self.submitted: list[tuple[str, list[str], str, list[str]]] = []
        self.damaged: dict[str, tuple[str, str]] = {}
        self.known: set[str] = set()
        self.reviewers = 0

    def _wire(self, services: Services) -> None:
        services.__dict__["ledger"] = self.ledger
        services.__dict__["bank"] = self.bank

    def tried(self, act: Callable[[], Any]) -> Any:
        """The answer, or the code of a refusal."""
        try:
            return act()
        except DomainError as error:
            return error.code

    def once(self, act: Callable[[], Any]) -> Any:
        """P7: the same request again changes nothing."""
        first = self.tried(act)
        before = promises.footprint(self.world)
        self.tried(act)
        assert promises.footprint(self.world) == before, f"repeated, it did more: {first}"
        return first

    # --- hospital and citizens ------------------------------------------------------------

    @rule(
        target=bills,
        who=st.integers(0, 1),
        yuan=st.sampled_from([100, 350, 900, 6_000]),
        back=st.integers(0, 40),
        kind=st.sampled_from(["plain", "mixed", "mixed", "loose", "another name"]),
    )
    def upload(self, who: int, yuan: int, back: int, kind: str) -> Any:
        person, day = self.people[who], DAY - dt.timedelta(days=back)
        yuan += len(self.taken_in)  # no two bills alike: those go to a person
        if kind == "mixed":
            made = mixed_bill(self.world, person, yuan, 100, day)
        else:
            name = {"payer_name": "测试丁卯"} if kind == "another name" else {}
            made = self.world.bill(person, yuan, day, **name)
        self.taken_in.append(made)
        if kind != "loose":
            self.world.anchor()
        return made

    @rule()
    def anchor(self) -> None:
        with self.world.services.work(write=False) as work:
            is_waiting = bool(work.batches.unbatched("H33080200001"))
        if is_waiting:
            self.world.anchor()

    @rule(bill=bills)
    def same_number_again(self, bill: str) -> None:
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

    @rule(target=claims, who=st.integers(0, 1), picked=st.lists(bills, min_size=1, max_size=3))
    def touch(self, who: int, picked: list[str]) -> Any:
        person, token = self.people[who], secrets.token_urlsafe(32)
        return multiple(*self._submit(person.id, list(dict.fromkeys(picked)), token))

    @rule(place=st.integers(0, 20), is_reordered=st.booleans())
    def the_same_form_again(self, place: int, is_reordered: bool) -> None:
        if not self.submitted:
            return
        person_id, bills, token, found = self.submitted[place % len(self.submitted)]
        before = promises.footprint(self.world)
        order = bills[::-1] if is_reordered else bills
        again = submit(self.world.services, person_id, order, token, has_consent=True)
        assert not again.is_new and [claim.id for claim in again.claims] == found
        assert promises.footprint(self.world) == before

    def _submit(self, person_id: str, bills: list[str], token: str) -> list[str]:
        services = self.world.services
        result = self.once(lambda: submit(services, person_id, bills, token, has_consent=True))
        if isinstance(result, str):
            return []
        found = [claim.id for claim in result.claims]
        self.accepted.update({claim.id: claim.invoice_id for claim in result.claims})
        self.submitted.append((person_id, bills, token, found))
        return found

    @rule(claim=claims)
    def take_back(self, claim: str) -> None:
        owner = self.world.claim(claim).person_id
        self.once(lambda: withdraw(self.world.services, owner, claim))

    @rule(claim=claims, is_upheld=st.booleans(), is_ended=st.booleans())
    def appeal(self, claim: str, is_upheld: bool, is_ended: bool) -> None:
        stored = self.world.claim(claim)
        self.once(lambda: file_appeal(self.world.services, stored.person_id, claim, "item", WORDS))
        if is_ended:
            self.end_appeal(claim, is_upheld)

    @rule(claim=claims, is_upheld=st.booleans())
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
        self.tried(
            lambda: conclude(
                self.world, stored, "appeal", outcome, *rulings, by=f"复核员{self.reviewers}"
            )
        )

    @rule(claim=claims, is_approved=st.sampled_from([True, True, False]))
    def review(self, claim: str, is_approved: bool) -> None:
        number = self.world.claim(claim).number
        self.reviewers += 1
        act = approve_pended if is_approved else refuse_pended
        self.once(lambda: act(self.world.services, number, f"复核员{self.reviewers}", "看过材料"))

    @rule(who=st.integers(0, 1), fact=st.sampled_from(["retired", "hardship", "filing"]))
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
        self.once(lambda: record_fact(services, person.id, entry, by="李登记", reason="补办"))

    # --- worker, ledger, bank, time -------------------------------------------------------

    @rule(at_once=st.booleans())
    def work(self, at_once: bool) -> None:
        advance_claims(self.world.services, at_once=at_once)

    @rule(claim=claims)
    def one_step(self, claim: str) -> None:
        advance_one(self.world.services, claim)

    @rule(rounds=st.integers(1, 6))
    def run_on(self, rounds: int) -> None:
        for _ in range(rounds):
            advance_claims(self.world.services, at_once=True)
            self.ledger.mine(self.world, 100)
            self.ledger.finalise(self.world)

    @rule(count=st.integers(1, 5))
    def mine(self, count: int) -> None:
        self.ledger.mine(self.world, count)

    @rule()
    def finalise(self) -> None:
        self.ledger.finalise(self.world)

    @rule(depth=st.integers(1, 5))
    def reorganise(self, depth: int) -> None:
        self.ledger.reorganise(self.world, depth)

    @rule(is_down=st.booleans())
    def outage(self, is_down: bool) -> None:
        self.ledger.is_down = is_down

    @rule(is_slow=st.booleans())
    def slow_bank(self, is_slow: bool) -> None:
        self.bank.is_slow = is_slow

    @rule(bill=bills, act=st.sampled_from(["lodge", "settle", "release"]), yuan=st.integers(1, 90))
    def other_payer(self, bill: str, act: str, yuan: int) -> None:
        (row,) = promises.rows(self.world, tables.invoice, tables.invoice.c.id == bill)
        (version,) = promises.rows(
            self.world, tables.invoice_version, tables.invoice_version.c.invoice_id == bill
        )
        self.ledger.rival(row.invoice_key, version.total_fen, act, yuan * 100)

    @rule(seconds=st.sampled_from([1, 60, 86_400, 10 * 86_400, 65 * 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.world.services.clock.advance(seconds)

    @rule()
    def restart(self) -> None:
        before = self.world.services
        services = Services(before.settings, SetClock(before.clock.now()), RandomIds())
        services.__dict__["engine"] = before.engine
        self._wire(services)
        self.world.services = services

    # --- the tamperer ---------------------------------------------------------------------

    @rule(bill=bills)
    def tamper(self, bill: str) -> None:
        """A line becomes a covered item, behind the application's back, until it is mended."""
        if bill in self.damaged:
            self._set_line(*self.damaged.pop(bill))
            return
        version = tables.invoice_version.c
        (stored,) = promises.rows(self.world, tables.invoice_version, version.invoice_id == bill)
        line = tables.expense_line.c
        kept = promises.rows(self.world, tables.expense_line, line.version_id == stored.id)
        last = max(kept, key=lambda row: row.line_index)
        pair = (OUTSIDE, CLASS_A) if OUTSIDE[0] in last.record else (CLASS_A, OUTSIDE)
        changed = last.record.replace(pair[0][0], pair[1][0])
        assert changed != last.record
        self.damaged[bill] = (stored.id, last.record)
        self._set_line(stored.id, changed)

    def _set_line(self, version_id: str, record: str) -> None:
        line = tables.expense_line
        with self.world.services.engine.begin() as connection:
            triggers = connection.execute(
                sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND"
                        " tbl_name = 'expense_line'")
            ).all()  # fmt: skip
            for trigger in triggers:
                connection.exec_driver_sql(f"DROP TRIGGER {trigger.name}")
            last = (
                sa.select(sa.func.max(line.c.line_index))
                .where(line.c.version_id == version_id)
                .scalar_subquery()
            )
            connection.execute(
                line.update()
                .where(line.c.version_id == version_id, line.c.line_index == last)
                .values(record=record)
            )
            for trigger in triggers:
                connection.exec_driver_sql(trigger.sql)

    # --- what must hold -------------------------------------------------------------------

    @invariant()
    def promises_hold(self) -> None:
        promises.no_bill_is_paid_twice(self.world, self.bank)
        promises.nothing_is_lost(self.world, self.taken_in, self.accepted)
        promises.decisions_explain_themselves(self.world, self.known, set(self.damaged))
        promises.one_appeal_a_version(self.world)
        promises.what_is_settled_stays(self.world)

    def teardown(self) -> None:
        """In the end, with everything mended, nothing hangs: closed, or with a person."""
        if not hasattr(self, "world"):
            return
        for change in self.damaged.values():
            self._set_line(*change)
        self.damaged.clear()
        self.ledger.is_down = self.bank.is_slow = False
        for _ in range(4):
            self.world.services.clock.advance(60)
            self.run_on(6)
        self.promises_hold()
        with self.world.services.work(write=False) as work:
            batched = {
                bill for bill in self.taken_in
                if work.batches.anchor_of(self._version_of(bill)) is not None
            }  # fmt: skip
        for claim_id, bill in self.accepted.items():
            claim = self.world.claim(claim_id)
            is_resting = claim.state in (*CLOSED_STATES, ClaimState.PENDED)
            assert is_resting or claim.waiting_for or bill not in batched, claim
        self.world.services.engine.dispose()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _version_of(self, bill: str) -> str:
        version = tables.invoice_version.c
        (row,) = promises.rows(self.world, tables.invoice_version, version.invoice_id == bill)
        return str(row.id)
