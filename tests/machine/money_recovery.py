"""Money that is asked back: what people and worker do, and what the books must say of it.

What is owed is worked out from the rows of orders, approvals, receipts and waivers alone.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from typing import Any

from backend.adapters.database import tables
from backend.domain.journal import LayerAmounts
from backend.domain.local_time import local_day
from backend.domain.recovery import Cause
from backend.service_layer.recovery import people
from backend.service_layer.recovery.opening import Ground, order_recovery
from tests.machine.promises import Books

WHY = "已与当事人核对"
BY_TWO = frozenset({"lower", "clearing"})
ORDER_LAYERS = {
    "pool": "pool_fen",
    "serious-illness": "serious_illness_fen",
    "medical-aid": "medical_aid_fen",
    "civil-servant": "civil_servant_fen",
}


def orders_in_effect(books: Books) -> dict[str, Any]:
    """Orders that are owed or were: those that need two people once two have approved."""
    approved: dict[str, set[str]] = defaultdict(set)
    for row in books.all(tables.recovery_approval):
        approved[row.order_id].add(row.person)
    return {
        row.id: row
        for row in books.all(tables.recovery_order)
        if row.cause not in BY_TWO or len(approved[row.id]) > 1
    }


def left_of_orders(books: Books) -> dict[str, int]:
    """Order to the fen of it that neither came back nor were given up."""
    left = {name: row.amount_fen for name, row in orders_in_effect(books).items()}
    for table in (tables.recovery_receipt, tables.recovery_waiver):
        for row in books.all(table):
            left[row.order_id] -= row.amount_fen
    return left


def add_recoveries(books: Books, sums: Counter[str]) -> None:
    """Lay upon each account what recoveries move; a layer gets back what was asked of it."""
    orders = orders_in_effect(books)
    for row in orders.values():
        sums["receivable"] += row.amount_fen
        for layer, name in ORDER_LAYERS.items():
            sums[f"fund:{layer}"] += getattr(row, name)
    for row in books.all(tables.recovery_receipt):
        sums["receivable"] -= row.amount_fen
        sums["payable" if row.source == "returned" else "bank"] += (
            -row.amount_fen if row.source == "returned" else row.amount_fen
        )
    for row in books.all(tables.recovery_waiver):
        sums["receivable"] -= row.amount_fen
        sums["fund:pool"] -= row.amount_fen
    fen = {row.id: row.amount_fen for row in books.all(tables.payout)}
    for row in books.all(tables.payable_reversal):
        rest = fen[row.payout_id] - row.offset_fen
        sums["payable"] -= rest
        sums["fund:pool"] += rest


def what_is_owed_adds_up(books: Books, came_in: dict[str, tuple[str, int]]) -> None:
    """P4 and P2 of recoveries: nothing is below zero, the journal's receivable is what is left,
    and every sum that was acknowledged is there, once."""
    left = left_of_orders(books)
    assert all(fen >= 0 for fen in left.values()), f"more came back than was owed: {left}"
    receivable = 0
    for row in books.all(tables.journal_transfer):
        receivable += row.amount_fen * (
            row.debit_account.startswith("receivable:")
            - row.credit_account.startswith("receivable:")
        )
    assert receivable == sum(left.values()), f"receivable {receivable}, left of orders {left}"
    by_clerk = {
        row.reference: (row.order_id, row.amount_fen)
        for row in books.all(tables.recovery_receipt)
        if row.source != "returned"
    }
    assert by_clerk == came_in
    for row in books.all(tables.recovery_waiver):
        assert row.proposed_by != row.approved_by, f"{row.order_id}: one person gave it up"
    asked = Counter(row.claim_id for row in books.all(tables.recovery_order))
    for claim_id in asked:
        owed = sum(r.amount_fen for r in orders_in_effect(books).values() if r.claim_id == claim_id)
        given_up = sum(
            row.amount_fen
            for row in books.all(tables.recovery_waiver)
            if orders_in_effect(books)[row.order_id].claim_id == claim_id
        )
        paid = sum(r.amount_fen for r in books.all(tables.payout) if r.claim_id == claim_id)
        assert owed - given_up <= paid, f"{claim_id}: {owed} fen asked back of {paid}"


def is_on_ledger_once(books: Books, recovered: dict[str, tuple[str, int]]) -> None:
    """What the ledger says came back of an order is what did; nothing that still stands open."""
    orders = {row.number.hex(): row for row in books.all(tables.recovery_order)}
    left = left_of_orders(books)
    got: Counter[str] = Counter()
    for row in books.all(tables.recovery_receipt):
        got[row.order_id] += row.amount_fen
    for number, (_, fen) in recovered.items():
        order = orders[number]
        assert (fen, left[order.id]) == (got[order.id], 0), f"{order.id}: {fen} on the ledger"


def is_asked_back(books: Books, claim: Any, at_bank: int) -> None:
    """In the end: what the bank paid of a withdrawn bill, and was not given back, is an order."""
    if any(
        r.code == "recovery-overpaid" and r.subject == claim.id for r in books.all(tables.alarm)
    ):
        return
    orders = {n: r for n, r in orders_in_effect(books).items() if r.claim_id == claim.id}
    back = sum(
        row.amount_fen
        for row in books.all(tables.recovery_receipt)
        if row.source == "returned" and row.order_id in orders
    )
    asked = sum(row.amount_fen for row in orders.values()) - back
    # What two people gave up, and the bank gave back after all, was not asked for again.
    given_up = sum(r.amount_fen for r in books.all(tables.recovery_waiver) if r.order_id in orders)
    is_right = at_bank <= asked <= at_bank + given_up
    assert is_right, f"{claim.number} {claim.state}: {at_bank} fen out, {asked} asked back"


class Clerks:
    """Who deals with money that is owed back. ``came_in`` keeps what was acknowledged."""

    def __init__(self) -> None:
        self.came_in: dict[str, tuple[str, int]] = {}

    def propose(self, services: Any, claim: Any, half: bool) -> str:
        """As the yearly clearing does: less should have been paid of a claim; the order's name."""
        with services.work() as work:
            if claim.state != "paid" or work.recoveries.of_claim(claim.id):
                return ""
            fen = work.decisions.latest(claim.id).paid_fen // (2 if half else 1)
            if not fen:
                return ""
            ground = Ground(Cause.CLEARING, f"clearing-{claim.number}", "年度清算差额", "清算员")
            made = order_recovery(services, work, claim, LayerAmounts(pool_fen=fen), ground)
            work.commit()
        return made.order.id

    def decide(self, services: Any, name: str, how: str) -> None:
        if how == "dismissed":
            people.dismiss(services, name, "复核甲", WHY)
            return
        people.approve(services, name, "复核甲" if how == "first" else "复核乙", WHY)

    def receive(self, services: Any, name: str, fen: int, reference: str) -> bool:
        today: dt.date = local_day(services.clock.now())
        known = self.came_in.get(reference)
        is_new = people.receive(services, people.Incoming(reference, name, fen, today), by="出纳甲")
        assert is_new == (known is None), f"{reference} counts {known}"
        self.came_in[reference] = (name, fen)
        return is_new

    def give_up(self, services: Any, name: str, who: str) -> None:
        people.ask_waiver(services, name, "复核甲", WHY)
        people.approve_waiver(services, name, who)
