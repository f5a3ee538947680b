"""Paid claims whose money is asked back, and the questions that the tests of recoveries ask."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from backend.domain.recovery import Recovery
from backend.service_layer.claims.records import Claim
from backend.service_layer.recovery.people import Incoming, receive
from backend.service_layer.recovery.run import recovery_pass
from tests.integration.claims.world import World
from tests.integration.payout.office import balance, claim_of

TODAY = dt.date(2026, 11, 20)
#: 400.00 takes the yearly 300.00 first; 60 % of the rest (domain reference 3.4).
PAID_FEN = 6_000
WHY = "已与当事人核对"


def paid_claim(world: World, yuan: int = 400) -> Claim:
    """A claim that the bank has paid."""
    claim = claim_of(world, world.person(username=f"citizen{len(world.people):02d}"), yuan)
    world.run()
    assert world.claim(claim.id).state == "paid"
    return world.claim(claim.id)


def withdraw_bill(world: World, claim: Claim, state: str = "void") -> None:
    """The institution declares the bill void, or a red bill has reversed it."""
    with world.services.work() as work:
        work.invoices.set_state(claim.invoice_id, state)
        work.commit()


def owing(world: World, yuan: int = 400, state: str = "void") -> Recovery:
    """A paid claim whose bill was withdrawn: its order."""
    claim = paid_claim(world, yuan)
    withdraw_bill(world, claim, state)
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    return found


def orders(world: World, claim: Claim) -> list[Recovery]:
    with world.services.work(write=False) as work:
        return work.recoveries.of_claim(claim.id)


def again(world: World, found: Recovery) -> Recovery:
    with world.services.work(write=False) as work:
        return work.recoveries.get(found.order.id)


def pay_back(world: World, found: Recovery, fen: int, reference: str, by: str = "出纳甲") -> bool:
    return receive(world.services, Incoming(reference, found.order.id, fen, TODAY), by=by)


def kinds_of(world: World, claim_id: str) -> list[str]:
    with world.services.work(write=False) as work:
        return [entry.kind for entry in work.journal.entries_of(claim_id)]


def notices_of(world: World, person_id: str) -> list[str]:
    with world.services.work(write=False) as work:
        return [one.zh for one in work.payees.notices_of(person_id)]


def count(world: World, table: sa.Table) -> int:
    with world.services.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def recovered_on_ledger(world: World) -> list[int]:
    """The amounts of the ledger's recoveries."""
    return sorted(fen for _, fen in world.ledger.recovered.values())


def assert_books_agree(world: World) -> None:
    """What is owed back by the journal is what is left of all orders."""
    with world.services.work(write=False) as work:
        found: list[Any] = work.recoveries.all(limit=1_000)
    assert balance(world, "receivable") == sum(one.left_fen for one in found)
