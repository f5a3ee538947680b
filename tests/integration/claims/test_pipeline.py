"""The order of a claim (design: ledger protocol, section 5), on a real database."""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.claim import ClaimState, Stage, StageOutcome
from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.ledger import IntentKind, SlotState
from backend.service_layer.claims.claimable import estimate, list_claimable
from backend.service_layer.claims.ports import BillHeldError
from backend.service_layer.claims.submit import SubmissionRefusedError, SubmitResult, submit
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.read import view_claim
from backend.service_layer.handling.review import (
    ReviewRefusedError,
    approve_pended,
    list_pended,
    refuse_pended,
)
from tests.integration.claims.world import OUTSIDE, World

DAY = dt.date(2026, 11, 3)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def touch(world: World, person_id: str, *invoice_ids: str, token: str = "") -> SubmitResult:
    return submit(
        world.services,
        person_id,
        invoice_ids,
        token or secrets.token_urlsafe(32),
        has_consent=True,
    )


def states(world: World, result: SubmitResult) -> list[ClaimState]:
    return [world.claim(claim.id).state for claim in result.claims]


def intents(world: World, kind: IntentKind, claim_id: str) -> int:
    with world.services.work(write=False) as work:
        return len(work.outbox.of_subject(claim_id, kind))


def alarms(world: World) -> list[str]:
    with world.services.engine.begin() as connection:
        return list(connection.execute(sa.select(tables.alarm.c.code)).scalars())


def test_one_touch_is_paid_with_the_yearly_deductible_shared_by_visit_date(world: World) -> None:
    # Employee in service, level 2: 300.00 a year first, then 60 % (domain reference 3.4).
    # By visit date 200.00 leaves 100.00 of the deductible for the bill of 500.00:
    # (500.00 - 100.00) x 60 % = 240.00. The order of ticking must not matter.
    person = world.person()
    later = world.bill(person, 500, dt.date(2026, 11, 10))
    earlier = world.bill(person, 200, dt.date(2026, 11, 3))
    world.anchor()
    with world.services.work(write=False) as work:
        found = list_claimable(world.services, work, person)
        bills = [entry.bill for entry in found.offered]
        amounts = estimate(world.services, work, person, bills)
    assert {key: eob.paid_fen for key, eob in amounts.items()} == {earlier: 0, later: 24_000}
    result = touch(world, person.id, later, earlier)
    world.run()
    assert states(world, result) == [ClaimState.PAID, ClaimState.PAID]
    with world.services.work(write=False) as work:
        views = [view_claim(world.services, work, person.id, c.id) for c in result.claims]
    assert [view.bill.invoice_id for view in views] == [earlier, later]
    assert [view.paid_fen for view in views] == [0, 24_000]
    assert views[0].payout is None
    assert views[1].payout is not None and views[1].payout.amount_fen == 24_000
    assert views[1].answer is not None and views[1].answer.simulated
    assert [step.kind for step in views[1].steps] == [
        "stamped", "done", "stamped", "stamped", "done",
    ]  # fmt: skip


def test_promised_and_legal_dates_skip_weekends(world: World) -> None:
    # Friday 20 November 2026 + 5 working days = Friday 27; + 30 = 4 January 2027,
    # as 1 January is a holiday: 20 working days to 18 December, 9 more to 31 December.
    person = world.person()
    bill = world.bill(person, 400, DAY)
    result = touch(world, person.id, bill)
    assert result.submission.promised_on == dt.date(2026, 11, 27)
    assert result.submission.legal_limit_on == dt.date(2027, 1, 4)


def test_filing_before_anchoring_waits_and_lodges_nothing(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    (claim,) = touch(world, person.id, bill).claims
    for _ in range(3):
        advance_claims(world.services)
    assert world.claim(claim.id).state is ClaimState.SUBMITTED
    assert world.claim(claim.id).waiting_for == "anchor"
    assert intents(world, IntentKind.LODGE, claim.id) == 0
    with world.services.work(write=False) as work:
        rows = work.claims.stages_of(claim.id)
    assert [(row.stage, row.outcome) for row in rows] == [(Stage.DATA_FLOW, StageOutcome.WAITING)]
    world.anchor()
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID


def test_ledger_down_is_accepted_and_waits(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    world.ledger.is_down = True
    (claim,) = touch(world, person.id, bill).claims
    for _ in range(3):
        advance_claims(world.services)
    assert world.claim(claim.id).waiting_for == "ledger"
    assert intents(world, IntentKind.LODGE, claim.id) == 0
    world.ledger.is_down = False
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID


def test_each_ledger_step_waits_for_the_one_before_to_be_final(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    (claim,) = touch(world, person.id, bill).claims
    for _ in range(8):
        advance_claims(world.services)
    assert world.claim(claim.id).state is ClaimState.LODGING
    with world.services.work(write=False) as work:
        assert work.decisions.latest(claim.id) is None
    assert intents(world, IntentKind.SETTLE, claim.id) == 0
    world.mine()
    for _ in range(8):
        advance_claims(world.services)
    assert world.claim(claim.id).state is ClaimState.SETTLING
    with world.services.work(write=False) as work:
        assert work.payouts.of_claim(claim.id) is None
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    assert [call for call, _ in world.ledger.calls] == ["lodge", "settle"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE expense_line SET record = replace(record, '400.0000', '900.0000')",
        "UPDATE invoice_version SET header = replace(header, '测试甲子', '测试乙丑')",
        "UPDATE invoice_version SET total_fen = 90000",
        "UPDATE invoice_version SET fingerprint = zeroblob(32)",
        "DELETE FROM expense_line",
        "UPDATE batch_leaf SET leaf = zeroblob(132)",
        "UPDATE batch SET previous_head = x'" + "11" * 32 + "'",
    ],
)
def test_anything_edited_before_screening_stops_the_claim(world: World, statement: str) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    (claim,) = touch(world, person.id, bill).claims
    world.sql(statement)
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    assert world.ledger.calls == []
    assert "fingerprint-mismatch" in alarms(world)


def test_a_line_edited_between_lodge_and_decision_stops_the_claim(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    (claim,) = touch(world, person.id, bill).claims
    for _ in range(4):
        advance_claims(world.services)
    world.mine()
    world.sql("UPDATE expense_line SET record = replace(record, '400.0000', '900.0000')")
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    assert [call for call, _ in world.ledger.calls] == ["lodge", "release"]
    assert "fingerprint-mismatch" in alarms(world)
    with world.services.work(write=False) as work:
        assert work.decisions.latest(claim.id) is None
        assert work.payouts.of_claim(claim.id) is None


def test_a_batch_head_that_the_ledger_does_not_hold_stops_the_claim(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    world.ledger.heads[(1, 1)] = b"\x07" * 32
    (claim,) = touch(world, person.id, bill).claims
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    assert "fingerprint-mismatch" in alarms(world)


def test_the_same_form_twice_is_one_submission(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    token = secrets.token_urlsafe(32)
    first = touch(world, person.id, bill, token=token)
    second = touch(world, person.id, bill, token=token)
    assert (first.is_new, second.is_new) == (True, False)
    assert first.submission == second.submission


def test_another_form_for_a_held_bill_names_the_earlier_claim(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    (claim,) = touch(world, person.id, bill).claims
    with pytest.raises(BillHeldError, match=claim.number):
        touch(world, person.id, bill)


def test_a_form_of_somebody_else_and_a_foreign_bill_are_not_found(world: World) -> None:
    owner, other = world.person(), world.person("测试乙丑", "citizen02")
    bill = world.bill(owner, 400, DAY)
    with pytest.raises(NotFoundError, match="没有找到选中的票据"):
        touch(world, other.id, bill)
    token = secrets.token_urlsafe(32)
    (claim,) = touch(world, owner.id, bill, token=token).claims
    with pytest.raises(NotFoundError, match="没有这次申请"):
        touch(world, other.id, bill, token=token)
    with (
        world.services.work(write=False) as work,
        pytest.raises(NotFoundError, match="没有这笔申请"),
    ):
        view_claim(world.services, work, other.id, claim.id)


@pytest.mark.parametrize(
    ("invoice_ids", "token", "consent", "message"),
    [
        ([], "t" * 43, True, "请选择 1 到 50 张票据"),
        ([f"inv_{i}" for i in range(51)], "t" * 43, True, "请选择 1 到 50 张票据"),
        (["inv_1"], "short", True, "页面已过期"),
        (["inv_1"], "有" * 30, True, "页面已过期"),
        (["inv_1"], "t" * 43, False, "请先勾选同意"),
    ],
)
def test_a_form_that_is_none_is_refused(
    world: World, invoice_ids: list[str], token: str, consent: bool, message: str
) -> None:
    person = world.person()
    with pytest.raises(SubmissionRefusedError, match=message):
        submit(world.services, person.id, invoice_ids, token, has_consent=consent)


def test_a_lock_of_another_payer_refuses_and_names_the_holder(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    with world.services.work(write=False) as work:
        key = work.claims.bills_of(
            world.services.secret_box.lookup("payer-id", person.identity_number)
        )[0].invoice_key
    world.ledger.slots[key] = SlotState(40_000, 0, 1 << 32 | 1 << 10, 9, 2, 5, 0, 0)
    (claim,) = touch(world, person.id, bill).claims
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    with world.services.work(write=False) as work:
        view = view_claim(world.services, work, person.id, claim.id)
    assert "第 2 号付款方，第 5 次登记" in view.refusals[0].zh
    assert world.ledger.calls == []


def test_losing_the_race_on_the_ledger_refuses_and_names_the_holder(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    (claim,) = touch(world, person.id, bill).claims
    for _ in range(4):
        advance_claims(world.services)
    with world.services.work(write=False) as work:
        key = work.claims.bill_of_version(claim.version_id).invoice_key
    world.ledger.slots[key] = SlotState(40_000, 0, 1 << 32 | 1 << 10, 9, 2, 1, 0, 0)
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    assert world.claim(claim.id).live_invoice_id is None
    with world.services.work(write=False) as work:
        view = view_claim(world.services, work, person.id, claim.id)
    assert "正由另一笔申请办理（第 2 号付款方，第 1 次登记）" in view.refusals[0].zh


def test_a_bill_voided_after_the_decision_is_released_and_never_paid(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    (claim,) = touch(world, person.id, bill).claims
    for _ in range(4):
        advance_claims(world.services)
    world.mine()
    for _ in range(3):
        advance_claims(world.services)
    key = next(iter(world.ledger.slots))
    slot = world.ledger.slots[key]
    world.ledger.slots[key] = SlotState(
        slot.total_fen, slot.paid_fen, slot.leaf_reference, slot.deadline, slot.open_payer,
        slot.lodge_counter, slot.flags | SlotState.VOID, slot.settled_payers,
    )  # fmt: skip
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    with world.services.work(write=False) as work:
        assert work.payouts.of_claim(claim.id) is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"payer_name": "测试丁卯"}, "name-mismatch"),
        ({"item": ("X-NEW", "新药", 1)}, "unknown-code"),
    ],
)
def test_a_doubt_is_lodged_and_waits_for_a_person(
    world: World, change: dict[str, object], code: str
) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY, **change)
    world.anchor()
    (claim,) = touch(world, person.id, bill).claims
    world.run()
    assert world.claim(claim.id).state is ClaimState.PENDED
    assert [call for call, _ in world.ledger.calls] == ["lodge"]
    ((listed, reasons),) = list_pended(world.services)
    assert listed.id == claim.id
    assert code in {reason.code for reason in reasons}
    with pytest.raises(ReviewRefusedError, match="请写明复核人"):
        approve_pended(world.services, claim.number, "", "好")
    refuse_pended(world.services, claim.number, "复核员甲", "姓名不符")
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    with world.services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
    assert decision is not None
    assert (decision.outcome, decision.paid_fen, decision.decided_by) == (
        "refused", 0, "复核员甲",
    )  # fmt: skip
    assert [call for call, _ in world.ledger.calls] == ["lodge", "release"]
    with pytest.raises(ConflictError, match="不能由人决定"):
        refuse_pended(world.services, claim.number, "复核员甲", "再来一次")


def test_a_pended_claim_that_a_person_approves_is_paid(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY, payer_name="测试丁卯")
    world.anchor()
    (claim,) = touch(world, person.id, bill).claims
    world.run()
    approve_pended(world.services, claim.number, "复核员甲", "同一人，曾用名")
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    with world.services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
    assert decision is not None
    # (400.00 - 300.00) x 60 %
    assert (decision.paid_fen, decision.decided_by) == (6_000, "复核员甲")


def test_a_refusal_gives_the_deductible_back_to_later_claims(world: World) -> None:
    # 400.00 on the 3rd takes the 300.00; 500.00 on the 10th is then 300.00. When the first is
    # refused before the second is decided, the second pays the deductible: 200.00 x 60 %.
    person = world.person()
    first = world.bill(person, 400, DAY, payer_name="测试丁卯")
    second = world.bill(person, 500, dt.date(2026, 11, 10), payer_name="测试丁卯")
    world.anchor()
    result = touch(world, person.id, first, second)
    world.run()
    refuse_pended(world.services, result.claims[0].number, "复核员甲", "不是本人")
    world.run()
    with world.services.work(write=False) as work:
        calculation = work.decisions.latest_calculation(result.claims[1].id)
    assert calculation is not None and calculation.paid_fen == 12_000


def test_nothing_payable_is_refused_with_its_reason(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY, item=OUTSIDE)
    world.anchor()
    (claim,) = touch(world, person.id, bill).claims
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    assert [call for call, _ in world.ledger.calls] == ["lodge", "release"]


def test_not_insured_on_the_day_is_refused_before_the_ledger(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    (claim,) = touch(world, person.id, bill).claims
    world.sql("UPDATE register_fact SET valid_to = '2026-10-31'")
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    assert world.ledger.calls == []


def test_a_settled_bill_is_never_offered(world: World) -> None:
    person = world.person()
    world.bill(person, 400, DAY, settlement_number="S1")
    with world.services.work(write=False) as work:
        found = list_claimable(world.services, work, person)
    assert found.offered == ()
    assert [entry.reason.code for entry in found.withheld] == ["settled-online"]


def test_part_borne_by_another_payer_caps_the_benefit(world: World) -> None:
    # 1,000.00: (1,000 - 300) x 60 % = 420.00, but others bore 700.00: at most 300.00.
    person = world.person()
    bill = world.bill(person, 1000, DAY, other_pay_fen=70_000)
    world.anchor()
    (claim,) = touch(world, person.id, bill).claims
    world.run()
    with world.services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
    assert decision is not None and decision.paid_fen == 30_000


def test_stages_are_stored_and_screening_is_made_again_before_deciding(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    (claim,) = touch(world, person.id, bill).claims
    world.run()
    with world.services.work(write=False) as work:
        rows = work.claims.stages_of(claim.id)
    assert [(row.stage, row.attempt) for row in rows if row.stage is Stage.SCREENING] == [
        (Stage.SCREENING, 1),
        (Stage.SCREENING, 2),
    ]
    assert {row.stage for row in rows} == set(Stage)
    assert all(row.outcome is StageOutcome.PASSED for row in rows)
    assert all(row.inputs for row in rows)


def test_a_claim_that_cannot_be_read_stops_no_other(world: World) -> None:
    person = world.person()
    broken = world.bill(person, 400, DAY)
    world.anchor()
    sound = world.bill(person, 500, dt.date(2026, 11, 5))
    world.anchor()
    (bad,) = touch(world, person.id, broken).claims
    (good,) = touch(world, person.id, sound).claims
    world.sql("UPDATE batch SET previous_head = 'text' WHERE sequence = 1")
    world.run()
    assert world.claim(good.id).state is ClaimState.PAID
    assert world.claim(bad.id).state is ClaimState.SUBMITTED
    assert "claim-step-failed" in alarms(world)
