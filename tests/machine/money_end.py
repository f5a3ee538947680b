"""How a walk ends: all is mended, then everybody is paid once and all sides agree (P6)."""

from __future__ import annotations

import shutil
from collections import Counter
from types import SimpleNamespace
from typing import Any

from backend.adapters.database import tables
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.payout import manual
from backend.service_layer.recovery.run import recovery_pass
from tests.machine import money_recovery, promises
from tests.machine.money_walk import MoneyWalk

NEVER = frozenset(
    {
        "claim-step-failed",
        "recovery-step-failed",
        "bank-file-stuck",
        "bank-conflict",
        "payout-file-damaged",
        "payout-unwritable",
        "recovery-unbooked",
    }
)
"""Alarms of things that none of the acts brings about."""


class EndingWalk(MoneyWalk):
    """Bank, ledger and people do what is right from now on."""

    def _is_stopped_by_the_worker(self, claim_id: str) -> bool:
        with self.world.services.work(write=False) as work:
            stopped = work.payments.last_hold(claim_id)
        return stopped is not None and (stopped.action, stopped.by) == ("hold", "worker")

    def _deal_with_refused_files(self) -> None:
        """Two people have asked the bank about each file of which nothing was booked."""
        services = self.world.services
        for row in promises.rows(self.world, tables.bank_message):
            if row.verdict == "refused" and row.id not in self._dealt_with:
                manual.acknowledge(services, row.id, "出纳员", "银行说是误发")
                manual.confirm_acknowledged(services, row.id, "出纳主管", "已核对")
                self._dealt_with.add(row.id)

    def teardown(self) -> None:
        """In the end, with everything mended, everybody is paid once (P6)."""
        if not hasattr(self, "states"):
            return
        self.ledger.is_down = self.bank.is_down = False
        self._mend()
        for claim_id in self.accepted:
            number = self.world.claim(claim_id).number
            # A release takes a stop by another person before it; the worker may have stopped it.
            self.tried(lambda n=number: manual.hold(self.world.services, n, "出纳员", "收尾"))
            if self._is_stopped_by_the_worker(claim_id):
                manual.propose_release(self.world.services, number, "出纳员", "可以付")
            manual.release(self.world.services, number, "出纳主管", "已核对")
        self.stopped.clear()
        self._dealt_with: set[str] = set()
        idle = 0
        while idle < 3:
            self._deal_with_refused_files()
            self.pass_time(60)
            self.review()
            moved = self.go_on(1) + len(self.bank.carry_out(["paid"]))
            moved += recovery_pass(self.world.services)
            if not moved:
                self.reconcile_day()  # cases close whose mismatch has gone
            idle = 0 if moved else idle + 1
        self.promises_hold()
        self._all_is_paid()
        self._all_sides_agree()
        raised = {row.code for row in promises.Books(self.world).all(tables.alarm)}
        assert not raised & NEVER, f"alarms that nothing here explains: {raised & NEVER}"
        self._check_end(promises.Books(self.world))
        self.world.services.engine.dispose()
        self.databases.end(self.url)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _all_is_paid(self) -> None:
        """Paid per claim at the bank is what the ledger has settled of it."""
        books = promises.Books(self.world)
        keys = {row.id: row.invoice_key for row in books.all(tables.invoice)}
        got: Counter[str] = Counter()
        for claim_id, fen in promises.paid_by(books, self.standing()):
            got[claim_id] += fen
        for row in books.all(tables.claim):
            self.happened[f"in the end: {row.state} {row.waiting_for or ''}".strip()] += 1
            if row.id in self.reversed:
                if row.id in self.withdrawn:
                    money_recovery.is_asked_back(books, row, got[row.id])
                continue
            assert row.state == "paid", f"{row.number}: {row.state} {row.waiting_for}"
            on_ledger = self.ledger.slots[keys[row.invoice_id]].paid_fen
            on_ledger -= promises.settled_by_others(books).get(row.invoice_id, 0)
            assert got[row.id] == on_ledger, f"{row.number}: {got[row.id]} of {on_ledger} fen"

    def _all_sides_agree(self) -> None:
        """Reconciliation names nothing but bills that were withdrawn on the ledger alone."""
        known = {self.world.claim(claim_id).number for claim_id in self.reversed}
        found = find_mismatches(self.world.services)
        strange = [one for one in found if not any(n in one.subject for n in known)]
        assert not strange, strange

    def standing(self) -> Any:
        return SimpleNamespace(paid=self.bank.standing())
