"""The rules and the adoption of payments on a real PostgreSQL server."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.database.engine import make_engine
from backend.service_layer.money_reconciliation.adopt import adopt_bank
from backend.service_layer.money_reconciliation.ahead import hold_if_ahead
from backend.service_layer.money_reconciliation.cases import open_cases_of
from backend.service_layer.money_reconciliation.rules import find_mismatches
from tests.integration.claims.world import World
from tests.integration.payout.office import attempts, claim_of, settled, state
from tests.postgresql import statement, url_of

pytestmark = pytest.mark.slow


def test_restored_postgresql_adopts_payments_and_every_rule_can_be_asked(
    postgresql_server: str, tmp_path: Path
) -> None:
    one, copy = (f"test_{secrets.token_hex(6)}" for _ in range(2))
    statement(postgresql_server, f"CREATE DATABASE {one}")
    try:
        world = World.make(tmp_path, url_of(postgresql_server, one))
        claim = settled(world, claim_of(world, world.person()))
        world.services.engine.dispose()
        statement(postgresql_server, f"CREATE DATABASE {copy} TEMPLATE {one}")
        world.run()
        assert state(world, claim) == ("paid", None)
        assert find_mismatches(world.services) == []
        paid, before = dict(world.bank.paid), attempts(world)
        world.services.engine.dispose()
        world.services.__dict__["engine"] = make_engine(url_of(postgresql_server, copy))
        assert hold_if_ahead(world.services).is_ahead
        world.run()
        assert attempts(world) == [] and len(world.bank.files) == 1
        assert {line.verdict for line in adopt_bank(world.services, lambda: None)} == {"adopted"}
        assert not hold_if_ahead(world.services).is_ahead
        world.run()
        assert (attempts(world), world.bank.paid) == (before, paid)
        assert find_mismatches(world.services) == []
        _break_and_name(world)
        world.services.engine.dispose()
    finally:
        for name in (one, copy):
            statement(postgresql_server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _break_and_name(world: World) -> None:
    """Two breaks past the triggers: each is named and has its case; reports are insert-only."""
    with world.services.engine.begin() as connection:
        connection.execute(sa.text("SET session_replication_role = replica"))
        connection.execute(sa.text("UPDATE claim SET live_invoice_id = NULL"))
        connection.execute(sa.text("UPDATE payment_attempt SET region = '330100'"))
    with world.services.engine.begin() as connection:
        connection.execute(sa.text("SET session_replication_role = DEFAULT"))
    found = find_mismatches(world.services)
    assert [one.rule for one in found] == ["R1", "R17"]
    standing = open_cases_of(world.services, found)
    assert len({one.case.id for one in standing}) == 2
    with (
        pytest.raises(sa.exc.IntegrityError, match="insert-only"),
        world.services.engine.begin() as connection,
    ):
        connection.execute(
            tables.money_report.insert().values(
                number=1, made_at=world.services.clock.now(), mismatch_count=0, text="{}",
                digest=bytes(32), previous_digest=bytes(32), account="0x", signature=b"",
            )
        )  # fmt: skip
        connection.execute(sa.text("DELETE FROM money_report"))
