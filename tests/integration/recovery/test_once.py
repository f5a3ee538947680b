"""Once, whatever happens: killed at every commit, two receipts at one instant, a restored backup,
and a walk over everything that can be done."""

from __future__ import annotations

import datetime as dt
import os
import random
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.domain.errors import DomainError
from backend.domain.journal import Account, AccountKind
from backend.domain.ledger import IntentKind
from backend.domain.recovery import (
    Recovery,
    RecoveryConflictError,
    State,
    ledger_number,
)
from backend.service_layer import failpoints
from backend.service_layer.adoption.claims import adopt_claim_event
from backend.service_layer.anchoring.model import LedgerEvent
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.recovery.adopt import retry_recoveries
from backend.service_layer.recovery.people import (
    approve,
    approve_waiver,
    ask_waiver,
    dismiss,
    plan,
)
from backend.service_layer.recovery.run import recovery_pass
from tests.integration.claims.world import World
from tests.integration.payout.office import alarms, balance
from tests.integration.recovery.debts import (
    PAID_FEN,
    TODAY,
    WHY,
    again,
    assert_books_agree,
    kinds_of,
    notices_of,
    orders,
    owing,
    paid_claim,
    pay_back,
    recovered_on_ledger,
    withdraw_bill,
)
from tests.integration.recovery.test_causes import lowered, ordered

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """After each test every side says the same: bill, claim, ledger, journal, file and bank."""
    made = World.make(tmp_path)
    yield made
    assert find_mismatches(made.services) == []
    made.services.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    made = World.make(tmp_path, url)
    yield made
    made.services.engine.dispose()


# --- killed --------------------------------------------------------------------------------------


def killed(world: World, point: str, act: Callable[[], object]) -> bool:
    """Do something in a process of its own with the point armed; True when it was killed."""
    world.services.engine.dispose()
    child = os.fork()
    if child == 0:
        failpoints._armed = point
        act()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    world.services.engine.dispose()
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def test_killed_after_a_withdrawn_bill_was_settled(world: World) -> None:
    claim = paid_claim(world)
    withdraw_bill(world, claim)
    assert killed(world, "recovery.withdrawn", lambda: recovery_pass(world.services))
    recovery_pass(world.services)
    assert kinds_of(world, claim.id).count("recovery-opened") == 1
    assert len(orders(world, claim)) == len(notices_of(world, claim.person_id)) == 1


def test_killed_after_a_finding_was_ordered_and_after_its_lead_was_closed(world: World) -> None:
    from backend.domain.supervision import SubjectKind

    claim = paid_claim(world)
    ordered(world, SubjectKind.CLAIM, claim.id, 4_000)
    assert killed(world, "recovery.ordered", lambda: recovery_pass(world.services))
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    pay_back(world, found, 4_000, "H-1")
    assert killed(world, "recovery.lead-closed", lambda: recovery_pass(world.services))
    assert recovery_pass(world.services) == 0
    assert kinds_of(world, claim.id).count("recovery-opened") == 1


def test_killed_between_the_words_of_two_people_and_after_money_came_in(world: World) -> None:
    claim = lowered(world)
    services = world.services
    assert killed(world, "recovery.proposed", lambda: recovery_pass(services))
    assert recovery_pass(services) == 0
    (found,) = orders(world, claim)
    name = found.order.id
    for person in ("经办甲", "主任乙"):
        assert killed(world, "recovery.approved", lambda p=person: approve(services, name, p, WHY))
    assert again(world, found).state is State.OPEN
    assert killed(world, "recovery.received", lambda: pay_back(world, found, 40, "B-1"))
    assert pay_back(world, found, 40, "B-1") is False, "it was stored before the process ended"
    ask_waiver(services, name, "经办甲", WHY)
    assert killed(world, "recovery.waived", lambda: approve_waiver(services, name, "主任乙"))
    with pytest.raises(RecoveryConflictError, match="nothing to waive"):
        approve_waiver(services, name, "主任乙")
    world.run()
    assert recovered_on_ledger(world) == [40] and balance(world, "receivable") == 0


# --- at one instant ------------------------------------------------------------------------------


def at_once(*acts: Callable[[], object]) -> list[str]:
    """What each of some acts came to that were begun together."""
    barrier, told = threading.Barrier(len(acts)), [""] * len(acts)

    def one(place: int) -> None:
        barrier.wait()
        try:
            told[place] = f"{acts[place]()}"
        except DomainError as error:
            told[place] = error.code

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return sorted(told)


def test_of_receipts_at_one_instant_no_more_than_is_left_is_stored(any_world: World) -> None:
    world, found = any_world, owing(any_world)
    told = at_once(*(lambda n=n: pay_back(world, found, 4_000, f"B-{n}") for n in range(6)))
    assert told == ["True", *["recovery-conflict"] * 5]
    assert again(world, found).received_fen == 4_000
    assert_books_agree(world)


def test_one_receipt_sent_by_many_at_one_instant_is_one(any_world: World) -> None:
    world, found = any_world, owing(any_world)
    told = at_once(*(lambda: pay_back(world, found, 1_000, "B-1") for _ in range(6)))
    assert told == [*["False"] * 5, "True"]
    assert again(world, found).received_fen == 1_000


def test_one_reference_for_two_orders_at_one_instant_is_money_of_each(any_world: World) -> None:
    """One transfer may pay two orders; that their sum is the bank's is compared by R19."""
    world = any_world
    first, second = owing(world), owing(world, yuan=500)
    told = at_once(
        lambda: pay_back(world, first, 1_000, "B-1"), lambda: pay_back(world, second, 1_000, "B-1")
    )
    assert told == ["True", "True"]
    assert again(world, first).received_fen == again(world, second).received_fen == 1_000
    with world.services.work(write=False) as work:
        moved = [one for one in work.bank_statements.movements("330800") if one.key == "B-1"]
    assert sum(one.amount_fen for one in moved) == 2_000


def test_a_waiver_and_a_receipt_at_one_instant_never_exceed_the_order(any_world: World) -> None:
    world, found = any_world, owing(any_world)
    ask_waiver(world.services, found.order.id, "经办甲", WHY)
    at_once(
        lambda: approve_waiver(world.services, found.order.id, "主任乙"),
        lambda: pay_back(world, found, 1_000, "B-1"),
    )
    now = again(world, found)
    assert now.state is State.WAIVED and now.left_fen == 0
    assert_books_agree(world)


# --- after a restored backup ---------------------------------------------------------------------


def event(world: World, order_id: str, fen: int, key: bytes, payer: int = 1) -> LedgerEvent:
    number = ledger_number(world.services.network_key, order_id)
    values = {"payer": payer, "counter": 0, "value": fen, "recovery_number": number}
    return LedgerEvent(
        "recover", "done", 0, key, values, secrets.token_bytes(32), 200, secrets.token_bytes(32), 0
    )


def adopt(world: World, said: LedgerEvent) -> str:
    with world.services.work() as work:
        line = adopt_claim_event(world.services, work, said, world.services.clock.now())
        work.commit()
    return line.verdict


def key_of(world: World, claim_id: str) -> bytes:
    with world.services.work(write=False) as work:
        claim = work.claims.get(claim_id)
        return work.claims.bill_of_version(claim.version_id).invoice_key


def test_what_the_ledger_says_came_back_fills_the_order_that_is_here(world: World) -> None:
    found = owing(world)
    pay_back(world, found, 1_000, "B-1")
    said = event(world, found.order.id, PAID_FEN, key_of(world, found.order.claim_id))
    assert adopt(world, said) == "adopted"
    assert again(world, found).state is State.RECOVERED
    with pytest.raises(RecoveryConflictError, match="no money is owed"):
        pay_back(world, found, 5_000, "B-2")  # the receipt that the backup had lost
    world.run()
    with world.services.work(write=False) as work:
        (intent,) = work.outbox.of_subject(found.order.claim_id, IntentKind.RECOVER)
    assert intent.is_final and recovered_on_ledger(world) == [], "nothing is sent again"
    assert_books_agree(world)


def test_an_order_that_was_lost_is_made_again_once(world: World) -> None:
    claim = paid_claim(world)
    said = event(world, f"{claim.number}-R1", 2_000, key_of(world, claim.id))
    assert adopt(world, said) == "adopted"
    (found,) = orders(world, claim)
    assert (found.state, found.order.amount_fen) == (State.RECOVERED, 2_000)
    withdraw_bill(world, claim)
    recovery_pass(world.services)
    assert [one.order.amount_fen for one in orders(world, claim)] == [2_000, 4_000]
    assert_books_agree(world)


def test_what_cannot_be_shown_to_be_ours_is_a_case(world: World) -> None:
    claim = paid_claim(world)
    key, name = key_of(world, claim.id), f"{claim.number}-R1"
    for said in (
        event(world, name, PAID_FEN + 1, key),  # more than the fund bears
        event(world, f"{claim.number}-R2", 100, key),  # not the next in its place
        event(world, "ANOTHER-R1", 100, key),
        event(world, name, 100, bytes(32)),
        event(world, name, 100, key, payer=2),
    ):
        assert adopt(world, said) == "case"
    assert orders(world, claim) == [] and alarms(world) == {"reconcile-case"}


def test_a_case_is_adopted_by_itself_once_its_claim_is_paid_here(world: World) -> None:
    from tests.integration.payout.office import claim_of, settled

    claim = settled(world, claim_of(world, world.person()))
    said = event(world, f"{claim.number}-R1", 2_000, key_of(world, claim.id))
    assert adopt(world, said) == "case" and retry_recoveries(world.services) == []
    world.run()
    assert recovery_pass(world.services) == 1
    (found,) = orders(world, claim)
    assert found.state is State.RECOVERED and alarms(world) == set()


# --- a walk --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_done_the_receivable_is_what_is_left_of_all_orders(
    world: World, seed: int
) -> None:
    """200 acts in any order, most of them refused; after each the books agree with the orders."""
    chance = random.Random(seed)
    claims = [paid_claim(world), lowered(world), paid_claim(world, yuan=500), lowered(world, 250)]
    deps, done = world.services, 0
    for _ in range(200):
        claim = chance.choice(claims)
        found = orders(world, claim)
        name = chance.choice(found).order.id if found else "none"
        fen, person = chance.choice((1, 40, 1_000, 5_000)), chance.choice("甲乙丙")
        day = TODAY + dt.timedelta(days=chance.randrange(90))
        reference = f"B-{chance.randrange(30)}"

        def receipt(
            among: list[Recovery] = found, fen: int = fen, reference: str = reference
        ) -> object:
            return pay_back(world, chance.choice(among), fen, reference) if among else None

        acts: tuple[Callable[[], object], ...] = (
            lambda c=claim: withdraw_bill(world, c) if chance.random() < 0.2 else None,
            lambda: recovery_pass(deps),
            lambda: world.run(rounds=2),
            lambda n=name, p=person: approve(deps, n, p, WHY),
            lambda n=name, p=person: dismiss(deps, n, p, WHY) if chance.random() < 0.2 else None,
            lambda n=name, d=day: plan(deps, n, chance.randint(1, 5), d, by="甲", reason=WHY),
            lambda n=name, p=person: ask_waiver(deps, n, p, WHY),
            lambda n=name, p=person: approve_waiver(deps, n, p) if chance.random() < 0.2 else None,
            receipt,
            receipt,
            receipt,
        )
        try:
            chance.choice(acts)()
            done += 1
        except DomainError:
            continue
        assert_books_agree(world)
    world.run()
    recovery_pass(deps)
    assert_books_agree(world)
    with deps.work(write=False) as work:
        assert check_journal(work) == []
        found = work.recoveries.all()
        over = [one for one in found if one.state.is_over and one.received_fen]
        claims_books = work.journal.claim_balances(Account(AccountKind.RECEIVABLE, "330800").code)
    assert done > 40 and sum(one.balance_fen for one in claims_books) == balance(
        world, "receivable"
    )
    assert recovered_on_ledger(world) == sorted(one.received_fen for one in over)
