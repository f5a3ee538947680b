"""Acts of a walk about money that is owed back, and about an older copy of the database."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
from collections.abc import Sequence
from functools import partial
from typing import Any

from backend.adapters.database import tables
from backend.domain.errors import DomainError
from backend.domain.ledger import SlotState
from backend.domain.local_time import local_day
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.recovery import people
from backend.service_layer.recovery.files import HEAD, ReceiptFileError, take_in_receipts
from backend.service_layer.recovery.run import recovery_pass
from tests.machine import money_recovery, money_restore, promises
from tests.machine.money_year import YearWalk


class LaterWalk(YearWalk):
    """What may happen after money was paid."""

    # --- money that is owed back ------------------------------------------------------------

    def withdraw(self, place: int, state: str) -> None:
        """The institution declares a bill void, or a red bill reverses it: mostly of paid ones."""
        paid = [c for c, found in self.states.items() if found == "paid"]
        pool = paid or [c for c, found in self.states.items() if found in ("settled", "paying")]
        if not pool or self.ledger.mined or self.ledger.is_down:
            return
        claim_id = pool[place % len(pool)]
        with self.world.services.work() as work:
            work.invoices.set_state(self.accepted[claim_id], state)
            work.commit()
        (row,) = promises.rows(
            self.world, tables.invoice, tables.invoice.c.id == self.accepted[claim_id]
        )
        slot = self.ledger.slots[row.invoice_key]
        flag = SlotState.VOID if state == "void" else SlotState.REVERSED
        self.ledger.slots[row.invoice_key] = dataclasses.replace(slot, flags=slot.flags | flag)
        self.reversed.add(claim_id)
        self.withdrawn.add(claim_id)
        self.note(f"withdrawn when {self.states[claim_id]}")
        self.ask_back()

    def ask_back(self) -> None:
        self.note("looked for what is owed back", bool(recovery_pass(self.world.services)))

    def propose(self, place: int, half: bool, hows: Sequence[str]) -> None:
        """Less should have been paid: nothing is owed until two people have said so."""
        paid = [c for c, found in self.states.items() if found == "paid"]
        if not paid:
            return
        claim = self.world.claim(paid[place % len(paid)])
        name = self.clerks.propose(self.world.services, claim, half)
        for how in hows if name else ():
            answer = self.tried(partial(self.clerks.decide, self.world.services, name, how))
            self.note(f"recovery {how}" if answer is None else f"recovery not {how}")
            self.promises_hold()

    def _order(self, place: int) -> Any:
        orders = sorted(self.rows(tables.recovery_order), key=lambda row: row.id)
        return orders[place % len(orders)] if orders else None

    def money_comes_in(self, place: int, parts: Sequence[int], is_again: bool) -> None:
        """Parts of an order in percent, too much, or what the clerk has taken down before."""
        order = self._order(place)
        for part in parts if order else ():
            reference = f"IN-{len(self.clerks.came_in) + 1}"
            self._receive(order.id, max(1, order.amount_fen * part // 100), reference, f"{part} %")
        if is_again and self.clerks.came_in:
            reference, (name, fen) = sorted(self.clerks.came_in.items())[-1]
            self._receive(name, fen, reference, "again")
            self._receive(name, fen + 1, reference, "again, another sum")

    def divide(self, place: int, count: int, days: int) -> None:
        """What is left of an order is to come in monthly parts: together they are what is left."""
        order = self._order(place)
        if order is None:
            return
        services, left = self.world.services, money_recovery.left_of_orders(self._books())
        first = local_day(services.clock.now()) + dt.timedelta(days=days)
        said = self._answer(
            lambda: people.plan(
                services, order.id, count, first, by="经办甲", reason=money_recovery.WHY
            )
        )
        if isinstance(said, DomainError):
            self.note(f"no instalments: {said.code}")
            return
        newest = max(row.plan for row in self._parts_of(order.id))
        parts = [row for row in self._parts_of(order.id) if row.plan == newest]
        assert sum(row.amount_fen for row in parts) == left[order.id], parts
        assert len(parts) == count and min(row.due_on for row in parts) == first, parts
        self.note("instalments agreed")

    def _parts_of(self, order_id: str) -> list[Any]:
        return [r for r in self.rows(tables.recovery_instalment) if r.order_id == order_id]

    def _books(self) -> promises.Books:
        return promises.Books(self.world)

    def receipt_file(self, place: int, part: int, fault: str) -> None:
        """The bank's file with money that came back: all of it is taken down, or nothing."""
        orders = sorted(self.rows(tables.recovery_order), key=lambda row: row.id)
        orders = [orders[(place + n) % len(orders)] for n in range(min(2, len(orders)))]
        today = local_day(self.world.services.clock.now())
        rows = {
            f"FILE-{len(self.clerks.came_in) + n}": (o.id, max(1, o.amount_fen * part // 100))
            for n, o in enumerate(orders)
        }
        lines = [f"{r},{o},{fen // 100}.{fen % 100:02d},{today}" for r, (o, fen) in rows.items()]
        lines += {"unknown": [f"X-1,R-NOBODY,1.00,{today}"], "cut off": ["FILE-X,R"]}.get(fault, [])
        if not lines:
            return
        content = "\n".join([",".join(HEAD), *lines]).encode()
        take = partial(take_in_receipts, self.world.services, content, by="出纳甲")
        before = self.rows(tables.recovery_receipt)
        said = self._answer(take)
        if isinstance(said, DomainError):
            assert self.rows(tables.recovery_receipt) == before, "a part of it was booked"
            assert isinstance(said, ReceiptFileError) and said.faults, said
            self.note(f"a file of receipts refused: {fault or 'not owed'}")
            return
        assert not fault and said == (len(rows), 0), said
        self.clerks.came_in |= rows
        after = promises.everything(self.world)
        assert take() == (0, len(rows)), "the same file counted again"
        assert promises.everything(self.world) == after, "the same file was booked again"
        self.note("a file of receipts")

    def _receive(self, name: str, fen: int, reference: str, what: str) -> None:
        take = partial(self.clerks.receive, self.world.services, name, fen, reference)
        answer = self.tried(take)
        self.note(f"money came in: {what}" if answer is None else f"money refused: {what}")

    def give_up(self, place: int, who: str) -> None:
        order = self._order(place)
        if order is not None:
            answer = self.tried(lambda: self.clerks.give_up(self.world.services, order.id, who))
            assert answer is not None or who != "复核甲", "who asked gave it up alone"
            self.note("given up" if answer is None else f"not given up by {who}")

    # --- an older copy comes back -----------------------------------------------------------

    def restore(
        self,
        who: int,
        fates: Sequence[str],
        rounds: int,
        *,
        hours: int,
        is_late: bool,
        is_owed: bool,
    ) -> None:
        """Bank, ledger and payouts go on after a copy was taken; then there is only the copy."""
        if self.ledger.is_down or self.bank.is_down:
            return
        services = self.world.services
        if is_owed:
            self._owe(who)
        services.engine.dispose()
        copied, copied_at = self.databases.back_up(self.url), self.ledger.block
        at_copy, kept = set(self.seen), copy.deepcopy(self.book)
        self.name_account(who, "own", 3)
        for _ in range(rounds):
            self.go_on(1)
            self.bank_works(list(fates))
            self.pay()
        self.go_on(1)
        self.promises_hold()
        names = {r.id: r.end_to_end_id for r in self.rows(tables.payment_attempt)}
        money_restore.put_back(self.databases, services, copied)
        self.book = kept
        self.pass_time(hours * 3_600)
        at_bank = {i.end_to_end_id for file in self.bank.known_files() for i in file.items}
        self.seen = at_copy | {one for one in self.seen if names[one] in at_bank}
        self._adopt(copied_at, at_bank, is_late=is_late)
        self.note("a restore")

    def _owe(self, who: int) -> None:
        """A claim is settled of which nothing is paid yet, and its person has an account."""
        self.name_account(who, "own", 3)
        self.claim(who, 900)
        for _ in range(8):
            advance_claims(self.world.services, at_once=True, with_payouts=False)
            self.ledger.mine(self.world, 100)
            self.ledger.finalise(self.world)

    def _adopt(self, copied_at: int, at_bank: set[str], *, is_late: bool) -> None:
        """Nothing moves before it; afterwards nothing is ahead. ``is_late``: the bank cannot be
        asked at first, so that only the chain is adopted and the worker begins without it."""
        services = self.world.services
        money_restore.follow_old_calls(services, self.ledger, copied_at)
        deps = money_restore.dependencies(services, self.ledger, copied_at)
        is_behind, is_ahead = money_restore.look(services, deps)
        self.note("the chain was ahead", is_behind)
        self.note("the bank was ahead", is_ahead)
        if is_late:
            self.bank.is_down = True
            money_restore.adopt_chain_alone(services, deps)
            self.bank.is_down = False
            is_behind, is_ahead = money_restore.look(services, deps)
            assert not is_behind, "the chain is still ahead"
        here = {row.end_to_end_id for row in self.rows(tables.payment_attempt)}
        if is_behind or is_ahead or at_bank - here:
            self._nothing_moves(is_behind=is_behind)
            self.note("the bank was ahead of an adopted chain", is_late and is_ahead)
        money_restore.adopt(services, deps, self.bank)
        assert money_restore.look(services, deps) == (False, False), "still ahead"

    def _nothing_moves(self, *, is_behind: bool) -> None:
        """A worker does all that it does now: none begins behind the chain, and a person may ask
        for a run."""
        handed, stored = dict(self.bank.files), len(self.rows(tables.payment_attempt))
        if not is_behind:
            advance_claims(self.world.services, at_once=True)
        self.run_by_hand()
        self.pay()
        assert self.bank.files == handed, "money moved before it was adopted"
        assert len(self.rows(tables.payment_attempt)) == stored, "instructed before adoption"
