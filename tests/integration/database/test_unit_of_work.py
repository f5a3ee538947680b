"""Units of work, outbox, leases and nonces on both databases."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
import sqlalchemy as sa

from backend.adapters.clock import SetClock
from backend.adapters.database.engine import DatabaseURLError, make_engine
from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.domain.errors import NotFoundError
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.service_layer.anchoring.model import LeaseHeldError, LeaseLostError
from tests.migrated import migrate_fresh

AT = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)


@pytest.fixture
def migrated(engine: sa.Engine) -> sa.Engine:
    migrate_fresh(engine)
    return engine


def intent(number: int, key: str | None = None) -> LedgerIntent:
    return LedgerIntent(
        id=f"int_{number}",
        kind=IntentKind.LODGE,
        account="0x" + "1" * 40,
        held=True,
        dedupe_key=key or f"key:{number}",
        subject_id="clm_1",
        payload={"counter": number, "position": {"root": "00"}},
    )


def test_nothing_is_stored_without_commit(migrated: sa.Engine) -> None:
    with SqlUnitOfWork(migrated) as work:
        work.outbox.add(intent(1))
    with pytest.raises(ZeroDivisionError), SqlUnitOfWork(migrated) as work:
        work.outbox.add(intent(1))
        raise ZeroDivisionError
    with SqlUnitOfWork(migrated, write=False) as work:
        assert work.outbox.queued(held=True) == []
        with pytest.raises(NotFoundError, match="no ledger intent int_1"):
            work.outbox.get("int_1")


def test_outbox_keeps_order_payload_and_one_row_a_dedupe_key(migrated: sa.Engine) -> None:
    clock = SetClock(AT)
    for number in (3, 1, 2):
        clock.advance(1)
        with SqlUnitOfWork(migrated, clock=clock) as work:
            assert work.outbox.add(intent(number))
            assert not work.outbox.add(intent(number + 10, f"key:{number}"))
            work.commit()
    with SqlUnitOfWork(migrated, write=False) as work:
        found = work.outbox.of_subject("clm_1", IntentKind.LODGE)
        assert [i.id for i in found] == ["int_3", "int_1", "int_2"]
        assert work.outbox.find("key:1") == intent(1)
        assert work.outbox.find("key:11") is None
        assert work.outbox.backlog() == {"queued": (3, AT + dt.timedelta(seconds=1))}


def test_state_changes_carry_their_values(migrated: sa.Engine) -> None:
    with SqlUnitOfWork(migrated) as work:
        work.outbox.add(intent(1))
        work.outbox.set_state(
            ["int_1"], IntentState.MINED, outcome="locked", outcome_detail={"holder_payer": 2},
            block_number=7, block_hash=b"\x07" * 32, block_at=AT,
        )  # fmt: skip
        work.commit()
    with SqlUnitOfWork(migrated, write=False) as work:
        found = work.outbox.get("int_1")
        assert (found.outcome, found.outcome_detail) == ("locked", {"holder_payer": 2})
        assert (found.block_hash, found.block_at) == (b"\x07" * 32, AT)
        assert not found.took_effect and not found.is_final
        assert [i.id for i in work.outbox.mined_above(6)] == ["int_1"]
        assert work.outbox.mined_above(7) == []


def test_alarm_is_recorded_once_while_open(migrated: sa.Engine) -> None:
    with SqlUnitOfWork(migrated) as work:
        for _ in range(2):
            work.alarms.raise_alarm("reorganisation", "block:1", "x")
        assert work.alarms.open_counts() == {"reorganisation": 1}
        work.alarms.clear("reorganisation", "block:1")
        assert work.alarms.open_alarms() == []
        work.alarms.raise_alarm("reorganisation", "block:1", "again")
        assert len(work.alarms.open_alarms()) == 1


def test_lease_is_refused_renewed_taken_over_and_lost(migrated: sa.Engine) -> None:
    clock = SetClock(AT)

    def unit() -> SqlUnitOfWork:
        return SqlUnitOfWork(migrated, clock=clock)

    with unit() as work:
        first = work.accounts.acquire("account:a", "one", 5)
        work.commit()
    clock.advance(4)
    with unit() as work, pytest.raises(LeaseHeldError, match="held by another worker"):
        work.accounts.acquire("account:a", "two", 5)
    with unit() as work:
        assert work.accounts.acquire("account:a", "one", 5).fencing_token == first.fencing_token
        work.commit()
    clock.advance(6)
    with unit() as work:
        second = work.accounts.acquire("account:a", "two", 5)
        work.commit()
    assert second.fencing_token == first.fencing_token + 1
    with unit() as work, pytest.raises(LeaseLostError, match="taken by another holder"):
        work.accounts.confirm(first, 5)
    with unit() as work:
        work.accounts.release(first)  # not ours any more: no effect
        work.commit()
    with unit() as work, pytest.raises(LeaseHeldError):
        work.accounts.acquire("account:a", "three", 5)
    with unit() as work:
        work.accounts.release(second)
        third = work.accounts.acquire("account:a", "three", 5)
        work.commit()
    assert third.fencing_token == second.fencing_token + 1


def test_nonce_moves_only_from_what_was_read_and_never_for_an_older_token(
    migrated: sa.Engine,
) -> None:
    with SqlUnitOfWork(migrated) as work:
        assert work.accounts.next_nonce("a") is None
        work.accounts.set_nonce("a", None, 1, 2)
        work.accounts.set_nonce("a", 1, 2, 2)
        with pytest.raises(LeaseLostError, match="was moved by another"):
            work.accounts.set_nonce("a", None, 1, 2)
        with pytest.raises(LeaseLostError, match="was moved by another"):
            work.accounts.set_nonce("a", 1, 2, 2)
        with pytest.raises(LeaseLostError, match="was moved by another"):
            work.accounts.set_nonce("a", 2, 3, 1)
        assert work.accounts.next_nonce("a") == 2


def test_one_of_sixteen_threads_gets_the_lease(migrated: sa.Engine) -> None:
    won, barrier = [], threading.Barrier(16)

    def compete(name: str) -> None:
        barrier.wait()
        try:
            with SqlUnitOfWork(migrated) as work:
                work.accounts.acquire("account:a", name, 30)
                work.commit()
            won.append(name)
        except LeaseHeldError:
            pass

    threads = [threading.Thread(target=compete, args=(f"t{n}",)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_reader_does_not_wait_for_a_writer(migrated: sa.Engine) -> None:
    with SqlUnitOfWork(migrated) as writer:
        writer.outbox.add(intent(1))
        with SqlUnitOfWork(migrated, write=False) as reader:
            assert reader.outbox.queued(held=True) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://localhost/x", "unsupported database mysql"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("not a url", "cannot be read"),
    ],
)
def test_other_databases_are_refused(url: str, message: str) -> None:
    with pytest.raises(DatabaseURLError, match=message):
        make_engine(url)


def test_an_error_names_no_value_of_the_statement(engine: sa.Engine) -> None:
    """Values are personal data, and errors end in logs."""
    with engine.connect() as connection, pytest.raises(sa.exc.SQLAlchemyError) as caught:
        connection.execute(sa.text("SELECT * FROM nowhere WHERE name = :name"), {"name": "测试甲"})
    assert "nowhere" in str(caught.value)
    assert "测试甲" not in str(caught.value)
