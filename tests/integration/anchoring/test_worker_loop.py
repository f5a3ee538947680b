"""The worker's loop between two passes: what wakes it, and how often it renews its lease."""

from __future__ import annotations

import threading
import time

import pytest
import sqlalchemy as sa

from backend.adapters.database.tables import lease
from backend.domain.ledger import IntentKind
from backend.entrypoints import anchor_worker
from backend.entrypoints.anchor_worker import Step, Worker
from tests.integration.anchoring.network import CUSTODIAL, TestNetwork, leaf

LONG = 30.0


def test_an_idle_worker_wakes_when_an_intent_is_enqueued(
    network: TestNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchor_worker, "PAUSE_SECONDS", LONG)
    worker = Worker(network.services)
    other = threading.Timer(0.3, lambda: network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)]))
    before = worker._newest()
    began = time.monotonic()
    other.start()
    worker._pause(before)
    waited = time.monotonic() - began
    other.join()
    assert 0.25 < waited < LONG / 2


def test_what_was_enqueued_during_the_pass_is_not_slept_over(
    network: TestNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchor_worker, "PAUSE_SECONDS", LONG)
    worker = Worker(network.services)
    before = worker._newest()
    network.want(IntentKind.EXPIRE, {}, network.payer_account(1), "expire:1")
    began = time.monotonic()
    worker._pause(before)
    assert time.monotonic() - began < LONG / 2


def test_an_idle_worker_sleeps_for_its_pause_and_ends_at_once_when_told(
    network: TestNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchor_worker, "PAUSE_SECONDS", 0.2)
    worker = Worker(network.services)
    began = time.monotonic()
    worker._pause(worker._newest())
    assert time.monotonic() - began >= 0.2
    monkeypatch.setattr(anchor_worker, "PAUSE_SECONDS", LONG)
    worker.stop.set()
    worker._pause(worker._newest())
    assert time.monotonic() - began < LONG / 2


def test_the_lease_is_renewed_when_a_quarter_has_passed_and_not_each_time(
    network: TestNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expires() -> object:
        with network.services.engine.connect() as connection:
            chosen = sa.select(lease.c.expires_at).where(lease.c.name == "worker")
            return connection.execute(chosen).scalar_one()

    worker = Worker(network.services)
    started = time.monotonic()
    worker.run_once()
    first = expires()
    quarter = anchor_worker.LEASE_SECONDS / 4
    assert started + quarter <= worker._renew_at <= time.monotonic() + quarter
    monkeypatch.setattr(worker, "_renew_at", time.monotonic() + 60)
    worker.run_once()
    assert expires() == first
    monkeypatch.setattr(worker, "_renew_at", time.monotonic())
    worker.run_once()
    assert expires() != first


def test_a_worker_whose_lease_was_taken_meanwhile_becomes_a_standby_at_its_renewal(
    network: TestNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchor_worker, "STANDBY_SECONDS", 0)
    first, second = Worker(network.services), Worker(network.services)
    first.run_once()
    with network.services.work() as work:
        work.accounts.release_all(first.deps.owner)
        work.commit()
    second.run_once()
    first._renew_at = 0.0
    network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    assert first.run_once() == 0
    assert first._lease is None


def test_a_step_that_left_something_undone_is_due_at_once(network: TestNetwork) -> None:
    worker = Worker(network.services)
    full, part = Step("full", lambda: 3, LONG, 3), Step("part", lambda: 2, LONG, 3)
    assert (worker._run(full), worker._run(part)) == (3, 2)
    assert (full.is_due(), part.is_due()) == (True, False)


def test_new_claims_come_before_every_other_step_and_within_long_ones(
    network: TestNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    worker = Worker(network.services)
    monkeypatch.setattr(worker, "_new_claims", Step("new-claims", lambda: done.append("new") or 1))

    def long_step() -> int:
        done.append("first part")
        worker._take_new_claims()
        done.append("second part")
        return 0

    short = Step("short", lambda: done.append("short") or 0)
    monkeypatch.setattr(worker, "_steps", [short, Step("long", long_step)])
    assert worker.run_once() == 2
    assert done == ["new", "short", "new", "first part", "new", "second part"]


def test_a_failure_among_new_claims_stops_no_step_and_backs_off(
    network: TestNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def fails() -> int:
        calls.append("new")
        raise RuntimeError("a defect")

    worker = Worker(network.services)
    monkeypatch.setattr(worker, "_new_claims", Step("new-claims", fails))
    steps = [Step(name, lambda name=name: calls.append(name) or 1) for name in ("a", "b")]  # type: ignore[misc]
    monkeypatch.setattr(worker, "_steps", steps)
    assert worker.run_once() == 2
    assert calls == ["new", "a", "b"]


def test_a_worker_that_is_told_to_end_begins_no_new_claim(network: TestNetwork) -> None:
    worker = Worker(network.services)
    worker._new_claims = Step("new-claims", lambda: 1)
    worker.stop.set()
    assert worker._take_new_claims() == 0


def test_the_steps_that_may_take_long_let_new_claims_in(
    network: TestNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payer's transactions are signed one after the other: after each account somebody looks."""
    looked: list[int] = []
    steps = {
        step.name: step
        for step in anchor_worker.build_steps(
            network.services, network.deps, lambda: looked.append(1) or 0
        )
    }
    network.want(IntentKind.EXPIRE, {}, network.payer_account(1), "expire:1")
    for _ in range(200):
        steps["probe"].run()
        if steps["send"].run():
            break
        time.sleep(0.02)
    assert looked
