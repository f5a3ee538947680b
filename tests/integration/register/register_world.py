"""What the register's tests do: move the hospital, touch, record facts, read amounts."""

from __future__ import annotations

import datetime as dt
import secrets

import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.claim import ClaimState
from backend.domain.register import FactKind
from backend.service_layer.claims.records import Claim, Decision
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.review import approve_pended
from backend.service_layer.register.entries import Entry
from backend.service_layer.register.record_fact import Recorded, record_fact
from tests.integration.claims.world import World

DAY = dt.date(2026, 11, 3)
HANGZHOU = "330106"


def move_hospital(world: World, area: str = HANGZHOU) -> None:
    """The one hospital is in another area from now on."""
    with world.services.engine.begin() as connection:
        connection.execute(sa.update(tables.institution).values(area_code=area))


def run_approved(world: World, *claims: Claim) -> None:
    """Run to the end; what the audit rules send to a person (care elsewhere without a filing, a
    near duplicate) is approved there, so that the policy decides."""
    world.run()
    for number, claim in enumerate(claims):
        if world.claim(claim.id).state is ClaimState.PENDED:
            approve_pended(world.services, claim.number, f"复核员{number}", "已核对")
    world.run()


def touch(world: World, person_id: str, *invoices: str) -> tuple[Claim, ...]:
    token = secrets.token_urlsafe(32)
    return submit(world.services, person_id, invoices, token, has_consent=True).claims


def file_remote(
    world: World,
    person_id: str,
    status: str = "referred-filed",
    *,
    area: str = "3301",
    starts_on: dt.date = dt.date(2026, 10, 1),
    ends_on: dt.date | None = dt.date(2026, 12, 31),
) -> Recorded:
    entry = Entry(
        FactKind.FILING, status, starts_on, ends_on, detail=area, filed_on=dt.date(2026, 11, 20)
    )
    return record_fact(world.services, person_id, entry, by="李登记", reason="补办备案")


def decisions(world: World, claim: Claim) -> list[Decision]:
    with world.services.work(write=False) as work:
        return work.decisions.versions_of(claim.id)


def payouts(world: World, claim: Claim) -> list[int]:
    """What was instructed for the claim, in the order of its decision versions."""
    rows = (
        sa.select(tables.payout.c.amount_fen)
        .where(tables.payout.c.claim_id == claim.id)
        .order_by(tables.payout.c.decision_version)
    )
    with world.services.engine.begin() as connection:
        return list(connection.execute(rows).scalars())


def alarms(world: World) -> list[str]:
    with world.services.engine.begin() as connection:
        return list(connection.execute(sa.select(tables.alarm.c.code)).scalars())


def shown_fen(world: World, claim: Claim) -> int:
    with world.services.work(write=False) as work:
        calculation = work.decisions.latest_calculation(claim.id)
    assert calculation is not None
    return calculation.paid_fen
