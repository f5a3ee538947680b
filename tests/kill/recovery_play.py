"""Money that is owed back: of withdrawn bills, of findings, of decisions that were lowered."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any
from unittest import mock

from backend.adapters.database import tables
from backend.domain.ledger import SlotState
from backend.domain.review import Outcome
from backend.domain.revision import Cause as VersionCause
from backend.domain.supervision import SubjectKind
from backend.service_layer.claims.benefits import adjudicate_again
from backend.service_layer.handling.year_totals import revise
from backend.service_layer.recovery import people
from backend.service_layer.recovery.causes import assign
from backend.service_layer.recovery.files import take_in_receipts
from backend.service_layer.recovery.people import Incoming
from backend.service_layer.recovery.run import follow_withdrawals, recovery_pass
from backend.service_layer.recovery.take_back import approve_take_back, ask_take_back
from tests.integration.claims.revising import conclude
from tests.integration.claims.world import HOSPITAL, OUTSIDE
from tests.integration.payout.office import settled
from tests.integration.recovery.test_causes import Node, event_of, ordered
from tests.integration.recovery.test_once import adopt, event
from tests.kill.money_stage import MoneyStage
from tests.kill.stage import Scene

ONE, OTHER, WHY = "经办甲", "主任乙", "已与当事人核对"
PAID = ("void", "waive", "lower", "dismiss", "finding", "plain", "chain")


def stage(folder: Path, url: str | None = None) -> MoneyStage:
    """Seven claims of which 360.00 were paid each, and two that are to be paid."""
    made = MoneyStage(folder, url)
    for name in (*PAID, "before", "early"):
        made.person(name)
        made.bill(name, 900)
    made.person("refused")
    made.bill("refused", 900, item=OUTSIDE)
    made.world.anchor()
    made.touch(*PAID, "refused")
    made.works()
    made.touch("before")
    made.works(with_payouts=False)
    made.touch("early")
    settled(made.world, made.claim("early"))
    for name in ("lower", "dismiss"):
        lower(made, name)
    made.notes["leads"] = [
        ordered(made.world, SubjectKind.CLAIM, made.claim("finding").id, 4_000),
        ordered(made.world, SubjectKind.INSTITUTION, HOSPITAL, 5_000),
        ordered(made.world, SubjectKind.CLAIM, made.claim("refused").id, 1_000),
    ]
    claim = made.claim("early")
    said = event(made.world, f"{claim.number}-R1", 2_000, made.key("early"))
    assert adopt(made.world, said) == "case"
    return made


def lower(stage: MoneyStage, name: str) -> None:
    """Two people have found that 1.00 less should have been paid."""
    claim = stage.claim(name)
    with stage.services.work() as work:
        work.people.lock(claim.person_id)
        first, *rest = adjudicate_again(stage.services, work, claim)
        less = dataclasses.replace(first, pool_paid_fen=first.pool_paid_fen - 100)
        by = {"cause": VersionCause.ENTITLEMENT, "decided_by": "machine", "reason": "待遇变更"}
        assert revise(stage.services, work, claim, (less, *rest), **by) is None
        work.commit()
    conclude(stage.world, claim, "revision", Outcome.APPROVE)


def withdraw(stage: MoneyStage, name: str, state: str = "void") -> None:
    """Its institution says that the bill is void, or reversed, here and on the ledger."""
    stage.set_bill(name, state)
    stage.set_slot(name, flags=SlotState.VOID if state == "void" else SlotState.REVERSED)


def order_of(stage: MoneyStage, name: str) -> Any:
    claim = stage.claim(name)
    (found,) = [r.id for r in stage.rows(tables.recovery_order) if r.claim_id == claim.id]
    return found


def comes_in(stage: MoneyStage, name: str, fen: int, reference: str) -> None:
    money = Incoming(reference, order_of(stage, name), fen, dt.date(2026, 11, 20))
    people.receive(stage.services, money, by=ONE)


def file_comes_in(stage: MoneyStage) -> None:
    line = f"F-1,{order_of(stage, 'void')},120.00,2026-11-20\n"
    take_in_receipts(stage.services, f"reference,order,yuan,received_on\n{line}".encode(), by=ONE)


def step_fails(stage: MoneyStage) -> None:
    """A claim whose money cannot be looked at keeps no other back."""
    with mock.patch(
        "backend.service_layer.recovery.run.settle_withdrawn", side_effect=AssertionError
    ):
        recovery_pass(stage.services)


def ledger_says(stage: MoneyStage) -> None:
    """The institution has voided a bill on the ledger by itself."""
    follow_withdrawals(stage.services, Node(event_of(stage.world, stage.claim("chain"), "void", 7)))


def plans(stage: MoneyStage) -> None:
    first = stage.services.clock.now().date() + dt.timedelta(days=2)
    people.plan(stage.services, order_of(stage, "void"), 3, first, by=ONE, reason=WHY)


def approves(name: str, by: str) -> Scene:
    return Scene(f"{by} approves", lambda s: people.approve(s.services, order_of(s, name), by, WHY))


SCENES = [
    Scene("a bill is void", lambda s: withdraw(s, "void")),
    Scene("a step fails", step_fails),
    Scene("one that is not paid yet", lambda s: withdraw(s, "before")),
    Scene("a red bill", lambda s: withdraw(s, "waive", "reversed")),
    Scene("the ledger", ledger_says),
    Scene("worker", lambda s: s.works()),
    Scene("an institution's order is divided", lambda s: assign(
        s.services, s.notes["leads"][1], s.claim("plain").number, 5_000, by=ONE)),
    Scene("it is paid", lambda s: comes_in(s, "plain", 5_000, "H-2")),
    Scene("a finding is paid", lambda s: comes_in(s, "finding", 4_000, "H-1")),
    approves("lower", ONE),
    approves("lower", OTHER),
    Scene("1.00 comes back", lambda s: comes_in(s, "lower", 100, "B-1")),
    Scene("no", lambda s: people.dismiss(s.services, order_of(s, "dismiss"), ONE, WHY)),
    Scene("in three parts", plans),
    Scene("a first part", lambda s: comes_in(s, "void", 12_000, "B-2")),
    Scene("some of the other", lambda s: comes_in(s, "waive", 6_000, "B-3")),
    Scene("it was another amount", lambda s: ask_take_back(
        s.services, order_of(s, "waive"), "B-3", by=ONE, reason=WHY)),
    Scene("so it was", lambda s: approve_take_back(
        s.services, order_of(s, "waive"), "B-3", by=OTHER)),
    Scene("the right one", lambda s: comes_in(s, "waive", 6_500, "B-3")),
    Scene("let it be", lambda s: people.ask_waiver(s.services, order_of(s, "waive"), ONE, WHY)),
    Scene("yes", lambda s: people.approve_waiver(s.services, order_of(s, "waive"), OTHER)),
    Scene("worker again", lambda s: s.works()),
    Scene("two months", lambda s: s.passes(days=62)),
    Scene("a part is late", lambda s: s.works()),
    Scene("a bank's file", file_comes_in),
    Scene("the last part", lambda s: comes_in(s, "void", 12_000, "B-4")),
    Scene("what the ledger asked back", lambda s: comes_in(s, "chain", 36_000, "B-5")),
    Scene("all is over", lambda s: s.works()),
]  # fmt: skip

CREDITS = {f"{name} 1111": [36_000] for name in sorted((*PAID, "early"))}
