"""A claim that goes all the way, from the touch to the money: what the journal says of it."""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path

import pytest

from backend.domain.claim import ClaimState
from backend.service_layer.claims.submit import submit
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.journal.money_tables import read_tables
from tests.integration.claims.world import World

DAY = dt.date(2026, 11, 3)


@pytest.mark.slow
def test_paid_claims_stand_in_the_journal_and_the_tables_tie(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    person = world.person()
    bills = [world.bill(person, yuan, DAY + dt.timedelta(days=yuan % 5)) for yuan in (500, 800)]
    world.anchor()
    token = secrets.token_urlsafe(32)
    claims = submit(world.services, person.id, bills, token, has_consent=True).claims
    world.run()
    with world.services.work(write=False) as work:
        paid = 0
        for claim in claims:
            assert work.claims.get(claim.id).state is ClaimState.PAID
            decision = work.decisions.latest(claim.id)
            assert decision is not None
            entries = work.journal.entries_of(claim.id)
            assert [one.kind for one in entries] == ["approved", "instructed", "paid"]
            assert {one.total_fen for one in entries} == {decision.paid_fen}
            fund = work.journal.claim_fund(claim.id)
            assert fund is not None
            assert (fund.fund.region, fund.fund.insurance_type) == ("330800", "310")
            paid += decision.paid_fen
        today = dt.date(2026, 11, 20)
        tables = read_tables(work, today, today)
        assert check_journal(work) == []
    assert tables.faults == ()
    assert [row.closing_fen for row in tables.owed] == [0]
    assert [(row.paid_count, row.paid_fen) for row in tables.paid] == [(2, paid)]
    assert paid > 0
    world.services.engine.dispose()
