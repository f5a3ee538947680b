"""Money leaves only when the newest final block and the newest one both allow it, and a run goes on
where it was cut short."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from backend.adapters.database import tables
from backend.domain.ledger import SlotState
from backend.domain.review import Outcome
from backend.service_layer.handling import advance
from backend.service_layer.handling.advance import Turns, advance_claims
from backend.service_layer.handling.appeals import file_appeal
from backend.service_layer.payout import instruct
from backend.service_layer.payout.records import ACCOUNT_DELAY, Lane
from backend.service_layer.payout.run import is_due, payout_pass, run_lane
from backend.service_layer.ports import BlockStamp, FinalSlot, LedgerUnavailableError
from tests.integration.claims.revising import WORDS, claim_on, conclude, matched, mixed_bill
from tests.integration.claims.world import World
from tests.integration.payout.office import (
    DAY,
    alarms,
    attempts,
    claim_of,
    rows,
    settled,
    state,
)

VOID = SlotState.VOID


class TwoBlocks:
    """Says of every bill in the final block what a test wants, in the newest one what is so."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.final: dict[str, int] | None = {}
        self.newest: dict[str, int] = {}
        self.number = world.ledger.block
        self.asked: list[int] = []

    def __call__(
        self, invoice_keys: Sequence[bytes], followed: BlockStamp | None
    ) -> dict[bytes, FinalSlot]:
        if invoice_keys:
            self.asked.append(len(invoice_keys))
        if self.final is None and invoice_keys:
            raise LedgerUnavailableError("节点落后", "the node is behind")
        return {
            key: FinalSlot(
                self.number,
                dataclasses.replace(self.world.ledger.slot(key), **(self.final or {})),
                dataclasses.replace(self.world.ledger.slot(key), **self.newest),
            )
            for key in invoice_keys
        }


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.make(tmp_path)
    yield made
    made.services.engine.dispose()


def watched(world: World, monkeypatch: pytest.MonkeyPatch) -> TwoBlocks:
    blocks = TwoBlocks(world)
    monkeypatch.setattr(world.ledger, "final_slots", blocks)
    return blocks


@pytest.mark.parametrize(
    ("final", "newest", "said"),
    [
        ({"flags": VOID}, {}, "final block: flags 2"),
        ({}, {"flags": VOID}, "newest block: flags 2"),
        ({"settled_payers": 0}, {}, "final block: the ledger knows no settlement of ours"),
        ({}, {"settled_payers": 0}, "newest block: the ledger knows no settlement of ours"),
        ({"paid_fen": 5_999}, {}, "final block: the ledger has 5999 fen as paid, 6000 are to be"),
        ({}, {"paid_fen": 5_999}, "newest block: the ledger has 5999 fen as paid, 6000 are to be"),
    ],
)
@pytest.mark.slow
def test_the_stricter_of_two_blocks_holds_approval_and_instruction(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    final: dict[str, int],
    newest: dict[str, int],
    said: str,
) -> None:
    person = world.person()
    world.accounts.withhold(person.id, ACCOUNT_DELAY)
    claim = settled(world, claim_of(world, person))
    blocks = watched(world, monkeypatch)
    blocks.final, blocks.newest = final, newest
    for before in ("settled", "paying"):
        world.run()
        assert state(world, claim) == (before, "payout-held")
        (alarm,) = [one for one in rows(world, tables.alarm) if one.cleared_at is None]
        assert (alarm.code, alarm.detail) == ("payout-held", said)
        blocks.final, blocks.newest = {}, {}
        if before == "settled":
            world.run()
            assert state(world, claim) == ("paying", "account-delay")
            world.accounts.answers.clear()
            blocks.final, blocks.newest = final, newest
    assert attempts(world) == []
    world.run()
    assert state(world, claim) == ("paid", None) and alarms(world) == set()


def test_a_final_block_older_than_the_settlement_proves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = settled(world, claim_of(world, world.person()))
    world.sql("UPDATE ledger_intent SET block_number = 500 WHERE kind = 'settle'")
    blocks = watched(world, monkeypatch)
    blocks.number = 499
    world.run()
    assert state(world, claim) == ("settled", "payout-ledger") and alarms(world) == set()
    blocks.number = 500
    world.run()
    assert state(world, claim) == ("paid", None)


def test_nothing_is_instructed_while_no_node_can_tell_and_the_claims_say_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [world.person(), world.person("测试乙丑", "citizen02")]
    for person in people:
        world.accounts.withhold(person.id, ACCOUNT_DELAY)
    claims = [claim_of(world, person) for person in people]
    world.run()
    world.accounts.answers.clear()
    blocks = watched(world, monkeypatch)
    blocks.final = None
    payout_pass(world.services)
    assert {state(world, claim) for claim in claims} == {("paying", "payout-ledger")}
    assert alarms(world) == {"payout-ledger"} and attempts(world) == []
    assert is_due(world.services)
    blocks.final = {}
    payout_pass(world.services)
    assert len(attempts(world)) == 2 and alarms(world) == set()
    assert blocks.asked[-1] == 2  # one question for both


class DiedError(BaseException):
    """Nothing of ours catches it."""


@pytest.mark.slow
def test_a_run_that_died_between_two_files_goes_on_the_next_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five payables in files of two; the worker dies after the second file is committed."""
    monkeypatch.setattr(instruct, "FILE_ITEMS", 2)
    claims = []
    for number in range(5):
        person = world.person(f"测试{'甲乙丙丁戊'[number]}", f"citizen1{number}")
        world.accounts.withhold(person.id, ACCOUNT_DELAY)
        claims.append(claim_of(world, person))
    world.run()
    world.accounts.answers.clear()
    written = []

    def reach(name: str) -> None:
        written.append(name)
        if written.count("payout.file-written") == 2:
            raise DiedError

    monkeypatch.setattr(instruct, "reach", reach)
    with pytest.raises(DiedError):
        run_lane(world.services, Lane.DAILY)
    monkeypatch.setattr(instruct, "reach", lambda name: None)
    assert len(rows(world, tables.payout_file)) == 2 and len(attempts(world)) == 4
    assert is_due(world.services)
    world.services.clock.advance(86_400)
    done = run_lane(world.services, Lane.DAILY)
    assert (done.files, done.instructed, done.is_whole) == (1, 1, True)
    assert [name for name, _, _ in attempts(world)] == sorted(
        f"{claim.number}-V1-A1" for claim in claims
    )
    files = rows(world, tables.payout_file)
    assert len({one.message_id for one in files}) == 3
    assert [one.item_count for one in sorted(files, key=lambda one: one.created_at)] == [2, 2, 1]
    world.run()
    assert {state(world, claim) for claim in claims} == {("paid", None)}


@pytest.mark.slow
def test_claims_that_cannot_move_keep_nobody_from_a_step(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than one pass looks at, and all older."""
    monkeypatch.setattr(advance, "CLAIMS_A_PASS", 2)
    last = world.person("测试丙", "citizen22")
    anchored = world.bill(last, 500, DAY)
    world.anchor()
    for number in range(2):
        person = world.person(f"测试{'甲乙'[number]}", f"citizen2{number}")
        claim_on(world, person, world.bill(person, 400, DAY))  # not anchored: it waits
    while advance_claims(world.services, with_payouts=False):
        pass
    (free,) = claim_on(world, last, anchored)
    turns = Turns()
    moved = [advance_claims(world.services, with_payouts=False, turns=turns) for _ in range(2)]
    assert moved == [0, 1]
    assert str(world.claim(free.id).state) == "screened"


@pytest.mark.slow
def test_a_supplement_is_asked_for_only_when_both_blocks_show_what_was_paid(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = world.person()
    bill = mixed_bill(world, person, 500, 100, DAY)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    assert state(world, claim) == ("paid", None)  # 120.00; the upheld appeal gives 60.00 more
    file_appeal(world.services, person.id, claim.id, "item", WORDS)
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(1))
    blocks = watched(world, monkeypatch)
    less: dict[str, int] = {"paid_fen": 11_999}
    nothing: dict[str, int] = {}
    for final, newest in ((less, nothing), (nothing, less)):
        blocks.final, blocks.newest = final, newest
        advance_claims(world.services)
        assert state(world, claim) == ("supplementing", "operator")
        assert alarms(world) == {"supplement-differs"}
    blocks.final = None
    advance_claims(world.services)
    assert state(world, claim) == ("supplementing", "ledger")
    blocks.final, blocks.newest, blocks.number = {}, {}, 0
    world.sql("UPDATE ledger_intent SET block_number = 1 WHERE kind = 'settle'")
    advance_claims(world.services)
    assert state(world, claim) == ("supplementing", "ledger")
    assert [one for one in rows(world, tables.ledger_intent) if one.kind == "supplement"] == []
    blocks.number = 1
    advance_claims(world.services)
    (asked,) = [one for one in rows(world, tables.ledger_intent) if one.kind == "supplement"]
    assert '"paid_before":12000' in asked.payload and '"amount":6000' in asked.payload
