"""A claim on its way to being paid, and the questions that the tests of payouts ask."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.claim import ClaimState
from backend.domain.payout import InstantLimits
from backend.service_layer.claims.records import Claim, Person
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.payout.records import PaymentFile, StatusItem, StatusReport
from tests.integration.claims.revising import claim_on
from tests.integration.claims.world import World
from tests.memory_bank import file_of

DAY = dt.date(2026, 11, 3)
#: 400.00 takes the yearly 300.00 first; 60 % of the rest (domain reference 3.4).
FIRST_FEN = 6_000
#: 500.00 x 60 %, the deductible being used up.
SECOND_FEN = 30_000


def account_of(person: Person) -> str:
    """The number that everybody has by default."""
    return f"TEST-{person.id[-12:]}-{person.payee_account_tail}"


def claim_of(world: World, person: Person, yuan: int = 400, day: dt.date = DAY) -> Claim:
    bill = world.bill(person, yuan, day)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    return claim


def with_rules(world: World, **changes: Any) -> None:
    settings = world.services.settings
    payout = dataclasses.replace(settings.payout, **changes)
    world.services.settings = dataclasses.replace(settings, payout=payout)


def instant(
    world: World, bill: int = 300_000, person: int = 600_000, pool: int = 50_000_000
) -> None:
    """The instant lane on, and the daily run never due in the test."""
    with_rules(world, instant=InstantLimits(bill, person, pool), every_seconds=86_400)
    with world.services.work() as work:
        from backend.service_layer.payout.records import Lane

        work.payments.take_turn(Lane.DAILY)
        work.payments.finish_run(Lane.DAILY, world.services.clock.now())
        work.commit()


def state(world: World, claim: Claim) -> tuple[str, str | None]:
    found = world.claim(claim.id)
    return str(found.state), found.waiting_for


def settled(world: World, claim: Claim) -> Claim:
    """Bring a claim to the moment before its money is looked at."""
    for _ in range(40):
        if world.claim(claim.id).state is ClaimState.SETTLED:
            return world.claim(claim.id)
        advance_claims(world.services, with_payouts=False)
        world.mine()
    raise AssertionError(state(world, claim))


def rows(world: World, table: sa.Table) -> list[Any]:
    with world.services.engine.connect() as connection:
        return list(connection.execute(sa.select(table)))


def attempts(world: World) -> list[tuple[str, int, str]]:
    """(EndToEndId, fen, lane) of every instruction."""
    return sorted(
        (r.end_to_end_id, r.amount_fen, r.lane) for r in rows(world, tables.payment_attempt)
    )


def answers(world: World) -> list[tuple[str, str]]:
    """(attempt, status) of everything booked."""
    return sorted((r.attempt_id, r.status) for r in rows(world, tables.payment_answer))


def verdicts(world: World) -> list[str]:
    return [r.verdict for r in rows(world, tables.bank_message)]


def alarms(world: World) -> set[str]:
    with world.services.work(write=False) as work:
        return set(work.alarms.open_counts())


def balance(world: World, kind: str) -> int:
    with world.services.work(write=False) as work:
        return work.journal.balance(f"{kind}:330800")


def files(world: World) -> list[PaymentFile]:
    """What the bank was given, in the order in which it was."""
    return [file_of(content) for content in world.bank.files.values()]


def say(world: World, item: StatusItem, **fields: Any) -> StatusReport:
    """Leave a report on the newest file."""
    report = world.bank.report_on(files(world)[-1], item, **fields)
    world.bank.leave(report)
    return report
