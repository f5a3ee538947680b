"""Random lives of money on a real database, beside a model that knows nothing of the journal.

The model is a dictionary of balances and a few numbers a claim; it says what each event must do to
which account in its own words.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backend.adapters.clock import SetClock
from backend.adapters.database.engine import make_engine
from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.adapters.identifiers import RandomIds
from backend.domain import journal
from backend.domain.journal import (
    ClaimFund,
    Entry,
    Fund,
    JournalConflictError,
    LayerAmounts,
    Occasion,
    PeriodClosedError,
    Transfer,
)
from backend.domain.local_time import local_day
from backend.service_layer.journal.booking import book
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.journal.money_tables import read_tables
from backend.service_layer.money_reconciliation.closing import OpenItemsError
from tests.integration.journal import raw
from tests.integration.journal.claim_rows import add_claims
from tests.integration.journal.month_world import close_month
from tests.integration.journal.test_raw_sql import BROKEN
from tests.migrated import migrate_fresh

CLAIMS = 4
LAYERS = ("pool", "serious-illness", "medical-aid", "civil-servant")
FUNDS = (
    Fund("330800", "310", "330802", "柯城测试"),
    Fund("330800", "390", "330803", "衢江测试"),
    Fund("330800", "310", "330881", "江山测试"),
    Fund("110000", "310", "110000", "北京测试"),
)
ODD = [name for name in BROKEN if "claim that" not in name and "twice" not in name]
amounts = st.integers(1, 500_000)
parts = st.tuples(*(st.integers(0, 90_000) for _ in LAYERS))
which = st.integers(0, CLAIMS - 1)


@dataclass
class Claimed:
    """What the model knows of one claim, in fen."""

    fund: Fund
    approved: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    payable: int = 0
    transit: int = 0
    paid: list[int] = field(default_factory=list)
    receivable: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    attempts: int = 0
    version: int = 0


@dataclass
class Services:
    """The few services that closing a month asks for."""

    engine: sa.Engine
    clock: SetClock
    ids: RandomIds
    settings: Any = None

    def work(self, *, write: bool = True) -> SqlUnitOfWork:
        return SqlUnitOfWork(self.engine, write=write)


class MoneyMachine(RuleBasedStateMachine):
    """Every rule is one event, or something that must be refused and change nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        self.engine = self.resources.enter_context(self.open_engine())
        self.clock = SetClock(dt.datetime(2026, 1, 30, 12, tzinfo=dt.UTC))
        self.services = Services(self.engine, self.clock, RandomIds())
        self.balances: dict[tuple[str, str], int] = defaultdict(int)
        self.claims: list[Claimed] = []
        self.entries: list[Entry] = []
        self.number = 0
        self.seen = 0
        self.closed: dict[str, str] = {}

    def open_engine(self) -> AbstractContextManager[sa.Engine]:
        """A migrated database of this life's own."""
        return _sqlite()

    def teardown(self) -> None:
        self.resources.close()

    @initialize()
    def begin(self) -> None:
        add_claims(self.engine, *(str(index) for index in range(CLAIMS)))
        raw.run(self.engine, *raw.ACCOUNTS)
        for index in range(CLAIMS):
            fund = FUNDS[index % len(FUNDS)]
            self.claims.append(Claimed(fund))
            with SqlUnitOfWork(self.engine) as work:
                work.journal.fix_claim_fund(
                    ClaimFund(f"clm_{index}", fund, "register", self.clock.now())
                )
                work.commit()
        for fund in FUNDS:
            sums = (300_000, 200_000, 100_000, 50_000)
            entry = journal.funded(self.occasion("begin", fund=fund), LayerAmounts(*sums))
            self.book(entry, bank=sum(sums), **_by_layer(sums))

    # --- the world's own bookkeeping ---------------------------------------------------------

    def occasion(self, source: str, index: int | None = None, fund: Fund | None = None) -> Occasion:
        self.number += 1
        claim = None if index is None else f"clm_{index}"
        whose = fund or self.claims[index or 0].fund
        return Occasion("model", f"{source}-{self.number}", whose, claim, self.clock.now())

    def book(self, entry: Entry, **changes: int) -> None:
        """Book and change the model: account kind (``_`` before a layer) to signed fen."""
        with SqlUnitOfWork(self.engine) as work:
            assert book(work, entry)
            work.commit()
        self.entries.append(entry)
        fund = entry.occasion.fund
        for name, amount in changes.items():
            kind, *layer = name.split("_", 1)
            code = f"{kind}:{fund.region}" + "".join(f":{one.replace('_', '-')}" for one in layer)
            self.balances[code, fund.insurance_type] += amount
        self.books_balance()

    def at_bank(self, fund: Fund) -> int:
        book_of = (f"bank:{fund.region}", fund.insurance_type)
        outgoing = (f"transit:{fund.region}", fund.insurance_type)
        return self.balances[book_of] - self.balances[outgoing]

    # --- events ------------------------------------------------------------------------------

    @rule(fund=st.sampled_from(FUNDS), sums=parts.filter(any))
    def deposit(self, fund: Fund, sums: tuple[int, ...]) -> None:
        entry = journal.funded(self.occasion("deposit", fund=fund), LayerAmounts(*sums))
        self.book(entry, bank=sum(sums), **_by_layer(sums))

    def some(self, data: st.DataObject, name: str) -> int:
        """A claim that has something of that name."""
        return data.draw(st.sampled_from(self.having(name)))

    def having(self, name: str) -> list[int]:
        def of(claim: Claimed) -> int:
            known = getattr(claim, name)
            return sum(known) if isinstance(known, list) else known

        return [index for index, claim in enumerate(self.claims) if of(claim)]

    @rule(index=which, more=parts, scale=st.sampled_from((100, 100, 100, 60)))
    def approve(self, index: int, more: tuple[int, ...], scale: int) -> None:
        self.approve_more(index, more, scale)

    def approve_more(self, index: int, more: tuple[int, ...], scale: int) -> None:
        claim = self.claims[index]
        # One layer may bear less than before; when all together do, nothing may be booked.
        first, *others = claim.approved
        kept = [first * scale // 100, *others]
        sums = tuple(old + plus for old, plus in zip(kept, more, strict=True))
        difference = [new - old for new, old in zip(sums, claim.approved, strict=True)]
        before = LayerAmounts(*claim.approved)
        occasion = self.occasion("approve", index)
        if sum(difference) <= 0:
            with pytest.raises(journal.JournalError, match="pays no more"):
                journal.approved(occasion, before, LayerAmounts(*sums))
            return
        entry = journal.approved(occasion, before, LayerAmounts(*sums))
        self.book(entry, payable=sum(difference), **_by_layer([-one for one in difference]))
        claim.approved, claim.payable = list(sums), claim.payable + sum(difference)

    @precondition(lambda self: self.having("payable"))
    @rule(data=st.data(), keep=st.tuples(*(st.integers(50, 100) for _ in LAYERS)))
    def fall_away(self, data: st.DataObject, keep: tuple[int, ...]) -> None:
        index = self.some(data, "payable")
        claim = self.claims[index]
        after = [old * part // 100 for old, part in zip(claim.approved, keep, strict=True)]
        less = [old - new for old, new in zip(claim.approved, after, strict=True)]
        if not 0 < sum(less) <= claim.payable:
            return
        entry = journal.approval_reversed(
            self.occasion("reverse", index), LayerAmounts(*claim.approved), LayerAmounts(*after)
        )
        self.book(entry, payable=-sum(less), **_by_layer(less))
        claim.approved, claim.payable = after, claim.payable - sum(less)

    @rule(
        index=which,
        more=parts.filter(any),
        answers=st.lists(st.booleans(), min_size=1, max_size=3),
        then=st.sampled_from(("nothing", "returned", "recovery")),
    )
    def live_through(
        self, index: int, more: tuple[int, ...], answers: list[bool], then: str
    ) -> None:
        """What most claims go through: approved, instructed until paid, sometimes corrected."""
        self.approve_more(index, more, 100)
        for is_paid in answers:
            self.instruct_claim(index)
            if self.claims[index].transit:
                self.answer_claim(index, is_paid)
        if then == "returned" and self.claims[index].paid:
            self.return_to(index)
        if then == "recovery" and self.claims[index].paid:
            self.recover_of(index, more)

    @precondition(lambda self: self.having("payable"))
    @rule(data=st.data())
    def instruct(self, data: st.DataObject) -> None:
        self.instruct_claim(self.some(data, "payable"))

    def instruct_claim(self, index: int) -> None:
        claim = self.claims[index]
        amount = claim.payable
        if not amount or claim.transit or amount > self.at_bank(claim.fund):
            return
        entry = journal.instructed(self.occasion("instruct", index), amount)
        self.book(entry, payable=-amount, transit=amount)
        claim.payable, claim.transit = 0, amount

    @precondition(lambda self: self.having("transit"))
    @rule(data=st.data(), is_paid=st.sampled_from((True, True, False)))
    def answer(self, data: st.DataObject, is_paid: bool) -> None:
        self.answer_claim(self.some(data, "transit"), is_paid)

    def answer_claim(self, index: int, is_paid: bool) -> None:
        claim = self.claims[index]
        amount = claim.transit
        occasion = self.occasion("answer", index)
        if is_paid:
            self.book(journal.paid(occasion, amount), transit=-amount, bank=-amount)
            claim.paid.append(amount)
        else:
            self.book(journal.rejected(occasion, amount), transit=-amount, payable=amount)
            claim.payable += amount
        claim.transit = 0

    @precondition(lambda self: self.having("paid"))
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        self.return_to(self.some(data, "paid"))

    def return_to(self, index: int) -> None:
        claim = self.claims[index]
        amount = claim.paid.pop()
        entry = journal.returned(self.occasion("return", index), amount)
        self.book(entry, bank=amount, payable=amount)
        claim.payable += amount

    @precondition(lambda self: self.having("paid"))
    @rule(data=st.data(), sums=parts.filter(any))
    def open_recovery(self, data: st.DataObject, sums: tuple[int, ...]) -> None:
        self.recover_of(self.some(data, "paid"), sums)

    def recover_of(self, index: int, sums: tuple[int, ...]) -> None:
        entry = journal.recovery_opened(self.occasion("recovery", index), LayerAmounts(*sums))
        self.book(entry, receivable=sum(sums), **_by_layer(sums))
        claim = self.claims[index]
        claim.receivable = [a + b for a, b in zip(claim.receivable, sums, strict=True)]

    @precondition(lambda self: self.having("receivable"))
    @rule(
        data=st.data(),
        percent=st.integers(1, 100),
        how=st.sampled_from(("cash", "offset", "no")),
    )
    def settle_recovery(self, data: st.DataObject, percent: int, how: str) -> None:
        index = self.some(data, "receivable")
        claim = self.claims[index]
        sums = [one * percent // 100 for one in claim.receivable]
        amount = sum(sums)
        if not amount or (how == "offset" and amount > claim.payable):
            return
        occasion = self.occasion("settle", index)
        if how == "cash":
            self.book(journal.recovered(occasion, amount), bank=amount, receivable=-amount)
        elif how == "offset":
            entry = journal.recovery_offset(occasion, amount)
            self.book(entry, payable=-amount, receivable=-amount)
            claim.payable -= amount
        else:
            entry = journal.recovery_waived(occasion, LayerAmounts(*sums))
            self.book(entry, receivable=-amount, **_by_layer([-one for one in sums]))
        claim.receivable = [a - b for a, b in zip(claim.receivable, sums, strict=True)]

    # --- what must change nothing --------------------------------------------------------------

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), later=st.booleans())
    def book_again(self, data: st.DataObject, later: bool) -> None:
        entry = data.draw(st.sampled_from(self.entries))
        if later:
            occasion = dataclasses.replace(entry.occasion, booked_at=self.clock.now(), text="again")
            entry = dataclasses.replace(entry, occasion=occasion)
        with SqlUnitOfWork(self.engine) as work:
            assert not book(work, entry)
            work.commit()

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def book_another_content(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.entries))
        first, *rest = entry.transfers
        other = Transfer(first.debit, first.credit, first.amount_fen + 1)
        changed = dataclasses.replace(entry, transfers=(other, *rest))
        with (
            pytest.raises(JournalConflictError, match="booked already, with another content"),
            SqlUnitOfWork(self.engine) as work,
        ):
            book(work, changed)

    @rule(fund=st.sampled_from(FUNDS), amount=amounts, name=st.sampled_from(ODD))
    def stop_before_the_commit_and_write_past_the_application(
        self, fund: Fund, amount: int, name: str
    ) -> None:
        occasion = self.occasion("lost", fund=fund)
        with SqlUnitOfWork(self.engine) as work:
            assert book(work, journal.funded(occasion, LayerAmounts(amount)))
        with pytest.raises(sa.exc.DBAPIError):
            raw.run(self.engine, *BROKEN[name][0])

    # --- months ----------------------------------------------------------------------------

    @rule(days=st.integers(1, 40))
    def days_pass(self, days: int) -> None:
        self.clock.advance(days * 86_400)

    @rule(region=st.sampled_from(("330800", "110000")), carry=st.booleans())
    def close(self, region: str, carry: bool) -> None:
        last = self.clock.now().replace(day=1) - dt.timedelta(days=1)
        month = last.strftime("%Y-%m")
        if self.closed.get(region, "") >= month:
            return
        try:
            close_month(
                self.services, region, month, by="model", reason="model", carry_forward=carry
            )
        except OpenItemsError:
            assert not carry
            return
        self.closed[region] = month
        late = Occasion("model", f"late-{month}-{region}", _fund_of(region), None, last)
        with (
            pytest.raises(PeriodClosedError, match="are closed and take no entry"),
            SqlUnitOfWork(self.engine) as work,
        ):
            book(work, journal.funded(late, LayerAmounts(1)))

    # --- what holds after every step -----------------------------------------------------------

    def books_balance(self) -> None:
        """Asked after every commit."""
        with SqlUnitOfWork(self.engine, write=False) as work:
            balances = work.journal.balances()
            found = {(one.account, one.insurance_type): one.balance_fen for one in balances}
            assert check_journal(work) == []
            today = local_day(self.clock.now())
            starts_on = (dt.date(2026, 1, 1), today.replace(day=1), today)[self.number % 3]
            assert read_tables(work, starts_on, today).faults == ()
        keys = {*found, *self.balances}
        assert {key: found.get(key, 0) for key in keys} == {
            key: self.balances.get(key, 0) for key in keys
        }
        debits = sum(one.debit_fen for one in balances)
        assert debits == sum(one.credit_fen for one in balances)

    @invariant()
    def claims_are_as_the_model_says(self) -> None:
        if self.seen == self.number:
            return
        self.seen = self.number
        with SqlUnitOfWork(self.engine, write=False) as work:
            for kind in ("payable", "transit", "receivable"):
                found = {
                    one.claim_id: one.balance_fen
                    for region in ("330800", "110000")
                    for one in work.journal.claim_balances(f"{kind}:{region}")
                }
                for index, claim in enumerate(self.claims):
                    known = getattr(claim, kind)
                    wanted = sum(known) if isinstance(known, list) else known
                    assert found.get(f"clm_{index}", 0) == wanted


@contextmanager
def _sqlite() -> Iterator[sa.Engine]:
    with tempfile.TemporaryDirectory(prefix="yichu-money-") as folder:
        engine = make_engine(f"sqlite:///{folder}/m.db")
        # Nothing here loses its power; what each commit costs on a disk is not the question.
        sa.event.listen(engine, "connect", _without_waiting_for_the_disk)
        migrate_fresh(engine)
        yield engine
        engine.dispose()


def _without_waiting_for_the_disk(connection: Any, _entry: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def _by_layer(sums: Any) -> dict[str, int]:
    return {f"fund_{name}": amount for name, amount in zip(LAYERS, sums, strict=True)}


def _fund_of(region: str) -> Fund:
    return next(fund for fund in FUNDS if fund.region == region)
