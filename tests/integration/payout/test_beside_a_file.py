"""PostgreSQL: what somebody else does at the instant at which a payment file is written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backend.domain.errors import DomainError
from backend.domain.journal import EventKind
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.journal.adjustments import Wanted, confirm, propose
from backend.service_layer.payout import instruct
from backend.service_layer.recovery.causes import locked_claim
from tests.funding import POOL_FEN
from tests.integration.claims.world import World
from tests.integration.payout.office import attempts, balance, claim_of, settled

pytestmark = pytest.mark.slow
#: How long the file waits for the other one, who may have to wait for the file.
PATIENCE_SECONDS = 1.5


@pytest.fixture
def world(tmp_path: Path, postgresql_url: str) -> Iterator[World]:
    made = World.make(tmp_path, postgresql_url)
    made.bank.is_slow = True
    yield made
    made.services.engine.dispose()


def beside_the_file(
    world: World, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]
) -> list[str]:
    """Another thread acts when the claims of the first file are held and nothing is booked yet;
    what became of it, by the names of errors."""
    said: list[str] = []
    threads: list[threading.Thread] = []
    write = instruct._file

    def other() -> None:
        try:
            act()
        except (DomainError, sa.exc.DBAPIError) as error:
            said.append(type(error).__name__)
        else:
            said.append("done")

    def slowly(*arguments: Any, **more: Any) -> Any:
        if not threads:
            threads.append(threading.Thread(target=other))
            threads[0].start()
            threads[0].join(PATIENCE_SECONDS)
        return write(*arguments, **more)

    monkeypatch.setattr(instruct, "_file", slowly)
    for _ in range(6):
        advance_claims(world.services)
        world.mine()
    for thread in threads:
        thread.join(20)
    return said


def test_money_that_is_being_paid_out_cannot_be_taken_from_the_books(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The purse's look and its booking are one; a reversal of the deposit waits and is refused."""
    settled(world, claim_of(world, world.person()))
    wanted = Wanted(
        EventKind.DEPOSIT_REVERSED, "330800", "310", POOL_FEN, reference="test-330800-310"
    )
    made = propose(world.services, wanted, by="甲", reason="记错了")
    said = beside_the_file(
        world,
        monkeypatch,
        lambda: confirm(world.services, made.number, by="乙", reason="核对过") and None,
    )
    assert said == ["FundShortError"] and len(attempts(world)) == 1
    assert balance(world, "bank") == 2 * POOL_FEN  # of employees and of residents


def test_a_clerk_who_takes_person_and_claim_does_not_deadlock_with_a_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker holds the claim and inserts rows that name the person."""
    claim = settled(world, claim_of(world, world.person()))

    def both() -> None:
        with world.services.work() as work:
            locked_claim(work, claim.id)
            work.commit()

    assert beside_the_file(world, monkeypatch, both) == ["done"]
    assert len(attempts(world)) == 1
