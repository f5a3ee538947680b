"""The life of a case over the real database: who gets it, who decides, what is refused."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError
from backend.domain.review import Candidate, CaseKind, Concern, Outcome, draw
from backend.domain.ruling import LineRuling, RulingError, RulingKind
from backend.service_layer.handling.review import approve_pended, refuse_pended
from backend.service_layer.review import assignment, decide, material
from backend.service_layer.review.assignment import NotEligibleError, NotYoursError
from backend.service_layer.review.cases import Opening, close_cases_of, open_case
from backend.service_layer.review.decide import (
    Partial,
    ReviewRefusedError,
    RightMissingError,
    Verdict,
)
from backend.service_layer.review.ports import TwoStepsError
from backend.service_layer.review.sweep import open_missing_cases
from tests.integration.claims.world import CLASS_A, HOSPITAL
from tests.integration.review.office import Office

pytestmark = pytest.mark.slow

APPROVE = Verdict(Outcome.APPROVE, "符合政策")
REFUSE = Verdict(Outcome.REFUSE, "不符合政策")


def matched(index: int = 0, code: str = CLASS_A[0]) -> LineRuling:
    return LineRuling(index, RulingKind.MATCH, "review-match", "说明书核对", "checked", code)


def clock_of(office: Office) -> SetClock:
    clock = office.world.services.clock
    assert isinstance(clock, SetClock)
    return clock


def days(office: Office, count: float) -> None:
    clock_of(office).advance(count * 86_400)


# --- who gets it -------------------------------------------------------------------------------


def test_a_pended_claim_becomes_a_case_with_the_promise_and_the_limit(office: Office) -> None:
    claim = office.pended()
    assert office.sweep() >= 1
    case = office.case_of(claim)
    assert (case.kind, case.risk, case.queue, case.priority) == ("claim", "low", "catalogue", 3)
    assert case.hospital_code == HOSPITAL
    # Friday 2026-11-20 and five working days; 30 of them with 1 January off.
    assert case.due_on == dt.date(2026, 11, 27)
    assert case.legal_limit_on == dt.date(2027, 1, 4)
    assert office.sweep() == 0


def test_the_draw_is_stored_so_that_it_can_be_repeated(office: Office) -> None:
    for name in ("甲", "乙", "丙", "丁"):
        office.staff(name)
    claim = office.pended()
    holder = office.draw(claim)
    with office.world.services.work(write=False) as work:
        (drawn,) = work.reviews.draws_of(office.case_of(claim).id)
    assert {pair[0] for pair in drawn.candidates} == {person.id for person in office.people}
    assert draw(drawn.seed, [Candidate(*pair) for pair in drawn.candidates]) == holder.id


def test_cases_are_spread_over_those_who_hold_the_fewest(office: Office) -> None:
    for name in ("甲", "乙", "丙"):
        office.staff(name)
    claims = [office.pended() for _ in range(6)]
    office.sweep()
    held = sorted(office.holder_of(claim).id for claim in claims)
    assert held == sorted([person.id for person in office.people] * 2)


@pytest.mark.parametrize(
    "values",
    [
        {"queues": ("identity",)},
        {"hospital_code": HOSPITAL},
        {"is_active": False},
        {"role": "clerk"},
    ],
    ids=["other skill", "own hospital", "left", "other role"],
)
def test_who_is_not_fit_is_never_drawn(office: Office, values: dict[str, object]) -> None:
    office.staff("不合适", **values)
    claim = office.pended()
    office.sweep()
    with office.world.services.work(write=False) as work:
        (step,) = work.reviews.steps_of(office.case_of(claim).id)
        assert work.alarms.open_counts() == {"review-unassigned": 1}
    assert step.holder_id is None
    fit = office.staff("合适")
    office.sweep()
    assert office.holder_of(claim) == fit
    with office.world.services.work(write=False) as work:
        assert work.alarms.open_counts() == {}


def test_a_reason_that_needs_a_supervisor_is_drawn_for_one(office: Office) -> None:
    for name in ("甲", "乙", "丙"):
        office.staff(name)
    chief = office.staff("主任", role="supervisor")
    claim = office.pended()
    office.world.sql("UPDATE pend_reason SET role = 'supervisor' WHERE claim_id = :id", id=claim.id)
    assert office.draw(claim) == chief


def test_a_step_that_is_not_finished_in_time_is_drawn_anew(office: Office) -> None:
    first = office.staff("甲")
    claim = office.pended()
    assert office.draw(claim) == first
    second = office.staff("乙")
    days(office, 1.01)
    office.sweep()
    assert office.holder_of(claim) == second
    case = office.case_of(claim)
    with office.world.services.work(write=False) as work:
        (released,) = work.reviews.releases_of(case.id)
    assert (released.staff_id, released.cause) == (first.id, "lapsed")
    with pytest.raises(NotYoursError, match="you do not hold this step"):
        decide.find(office.world.services, case.id, first.id, APPROVE)


def test_a_declined_step_goes_to_somebody_else_with_the_reason_kept(office: Office) -> None:
    office.staff("甲")
    office.staff("乙")
    claim = office.pended()
    first = office.draw(claim)
    case = office.case_of(claim)
    with pytest.raises(ConflictError, match="give a reason"):
        assignment.decline(office.world.services, case.id, first.id, "  ")
    assignment.decline(office.world.services, case.id, first.id, "认识患者")
    second = office.holder_of(claim)
    assert second != first
    assert assignment.decline(office.world.services, case.id, second.id, "没有时间") is None
    with office.world.services.work(write=False) as work:
        assert [r.reason for r in work.reviews.releases_of(case.id)] == ["认识患者", "没有时间"]


def test_the_steps_of_who_goes_away_are_drawn_anew(office: Office) -> None:
    first = office.staff("甲")
    claim = office.pended()
    office.draw(claim)
    second = office.staff("乙")
    until = clock_of(office).now() + dt.timedelta(days=3)
    assert assignment.set_away(office.world.services, first.id, until) == 1
    assert office.holder_of(claim) == second


# --- low risk ----------------------------------------------------------------------------------


def test_one_reviewer_decides_a_low_risk_case_and_is_named(office: Office) -> None:
    office.staff("复核员甲", username="reviewer01")
    claim = office.pended(payer_name="测试丁卯")
    holder = office.draw(claim)
    decide.find(office.world.services, office.case_of(claim).id, holder.id, APPROVE)
    office.world.run()
    assert office.world.claim(claim.id).state is ClaimState.PAID
    with office.world.services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
    assert decision is not None
    # (400.00 - 300.00) x 60 %
    assert (decision.paid_fen, decision.decided_by) == (6_000, "复核员甲（reviewer01）")
    assert decision.reason == "符合政策"


def test_an_unknown_code_that_is_matched_is_paid(office: Office) -> None:
    office.staff("甲")
    claim = office.pended()
    holder = office.draw(claim)
    services, case = office.world.services, office.case_of(claim)
    before = decide.preview(services, case.id, holder.id, ())
    under = decide.preview(services, case.id, holder.id, (matched(),))
    assert (before.paid_fen, under.paid_fen) == (0, 6_000)
    assert office.world.claim(claim.id).state is ClaimState.PENDED  # a preview changes nothing
    decide.find(services, case.id, holder.id, Verdict(Outcome.APPROVE, "编码已核对", (matched(),)))
    office.world.run()
    assert office.world.claim(claim.id).state is ClaimState.PAID
    with services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
        assert work.claims.rulings_of(claim.id) == (matched(),)
    assert decision is not None and decision.paid_fen == 6_000
    assert '"kind":"match"' in decision.explanation  # so that the decision replays


@pytest.mark.parametrize(
    ("rulings", "error", "said"),
    [
        ((matched(code="NO-SUCH-CODE"),), ReviewRefusedError, "the catalogue had no code"),
        ((matched(index=1),), RulingError, "a line that is not there"),
        ((matched(), matched()), RulingError, "two rulings of one kind"),
    ],
)
def test_rulings_that_cannot_be_are_refused_and_nothing_is_changed(
    office: Office, rulings: tuple[LineRuling, ...], error: type[Exception], said: str
) -> None:
    office.staff("甲")
    claim = office.pended()
    holder = office.draw(claim)
    services, case = office.world.services, office.case_of(claim)
    with pytest.raises(error, match=said):
        decide.find(services, case.id, holder.id, Verdict(Outcome.APPROVE, "好", rulings))
    with pytest.raises(error, match=said):
        decide.preview(services, case.id, holder.id, rulings)
    with services.work(write=False) as work:
        assert work.reviews.findings_of(case.id) == []
    assert office.case_of(claim) == case


def test_a_refusal_pays_nothing_and_keeps_no_ruling(office: Office) -> None:
    office.staff("甲")
    claim = office.pended()
    holder = office.draw(claim)
    services, case = office.world.services, office.case_of(claim)
    verdict = Verdict(Outcome.REFUSE, "不是医疗费用", (matched(),))
    decide.find(services, case.id, holder.id, verdict)
    office.world.run()
    assert office.world.claim(claim.id).state is ClaimState.REFUSED
    with services.work(write=False) as work:
        assert work.claims.rulings_of(claim.id) == ()


def test_reasons_are_resolved_one_by_one_and_the_case_is_decided_as_proposed(
    office: Office,
) -> None:
    office.staff("甲")
    claim = office.pended(item=("X-NEW", "新药", 1), lines=2)
    holder = office.draw(claim)
    services, case = office.world.services, office.case_of(claim)
    with services.work(write=False) as work:
        pends = work.claims.pends_of(claim.id)
    assert [pend.line_index for pend in pends] == [0, 1]
    one = Partial((pends[0].id,), "第一行已核对", (matched(0),))
    assert decide.resolve(services, case.id, holder.id, one) == [pends[1]]
    assert decide.resolve(services, case.id, holder.id, one) == [pends[1]]  # sent twice
    with pytest.raises(ConflictError, match="resolved in this step already"):
        decide.resolve(services, case.id, holder.id, Partial((pends[0].id,), "另一个说法"))
    with pytest.raises(ReviewRefusedError, match="not one of the open reasons"):
        decide.resolve(services, case.id, holder.id, Partial(("pnd_other",), "好"))
    two = Partial((pends[1].id,), "第二行已核对", (matched(1),))
    assert decide.resolve(services, case.id, holder.id, two) == []
    decide.find(services, case.id, holder.id, APPROVE)
    with services.work(write=False) as work:
        assert work.claims.rulings_of(claim.id) == (matched(0), matched(1))


def test_nothing_is_changed_when_one_right_is_missing(office: Office) -> None:
    office.staff("甲")
    claim = office.pended(item=("X-NEW", "新药", 1), lines=2)
    holder = office.draw(claim)
    office.world.sql(
        "UPDATE pend_reason SET role = 'supervisor' WHERE claim_id = :id AND line_index = 1",
        id=claim.id,
    )
    services, case = office.world.services, office.case_of(claim)
    with services.work(write=False) as work:
        ids = tuple(pend.id for pend in work.claims.pends_of(claim.id))
    with pytest.raises(RightMissingError, match="Nothing was changed"):
        decide.resolve(services, case.id, holder.id, Partial(ids, "都看过了"))
    with pytest.raises(RightMissingError, match="Nothing was changed"):
        decide.find(services, case.id, holder.id, APPROVE)
    with services.work(write=False) as work:
        assert work.reviews.resolutions_of(case.id) == []
        assert work.reviews.findings_of(case.id) == []
        assert all(pend.resolved_at is None for pend in work.claims.pends_of(claim.id))


# --- second approver ---------------------------------------------------------------------------


def test_above_the_amount_a_second_person_approves(office: Office) -> None:
    office.limits(second_approver_above_fen=5_999)
    office.staff("甲")
    office.staff("乙")
    claim = office.pended(payer_name="测试丁卯")
    first = office.draw(claim)
    services, case = office.world.services, office.case_of(claim)
    decide.find(services, case.id, first.id, APPROVE)
    assert office.world.claim(claim.id).state is ClaimState.PENDED
    with pytest.raises(TwoStepsError, match="nobody holds two steps"):
        decide.find(services, case.id, first.id, Verdict(Outcome.APPROVE, "再批一次"))
    second = office.draw(claim)
    assert second != first
    decide.find(services, case.id, second.id, APPROVE)
    office.world.run()
    assert office.world.claim(claim.id).state is ClaimState.PAID


def test_at_the_amount_one_person_is_enough(office: Office) -> None:
    office.limits(second_approver_above_fen=6_000)
    claim = office.pended(payer_name="测试丁卯")
    assert approve_pended(office.world.services, claim.number, "甲", "同一人").is_closed


def test_an_amount_that_only_the_ruling_makes_large_needs_a_second_person(office: Office) -> None:
    office.limits(second_approver_above_fen=5_999)
    office.staff("甲")
    claim = office.pended()  # calculated at 0.00, 60.00 under the match
    holder = office.draw(claim)
    case = office.case_of(claim)
    verdict = Verdict(Outcome.APPROVE, "编码已核对", (matched(),))
    assert not decide.find(office.world.services, case.id, holder.id, verdict).is_closed


def test_what_one_person_approved_is_not_decided_above_what_one_may_approve(
    office: Office,
) -> None:
    """Between approval and decision the amount may rise over the limit; here the limit falls."""
    office.limits(second_approver_above_fen=6_000)
    claim = office.pended(payer_name="测试丁卯")
    services = office.world.services
    assert approve_pended(services, claim.number, "甲", "同一人").is_closed
    office.limits(second_approver_above_fen=5_999)
    office.world.run()
    assert office.world.claim(claim.id).state is ClaimState.PENDED
    with services.work(write=False) as work:
        (left,) = [p for p in work.claims.pends_of(claim.id) if p.resolved_at is None]
        assert work.decisions.latest(claim.id) is None
    assert (left.code, left.queue, left.priority) == ("amount-above-approval", "policy", 2)
    with pytest.raises(TwoStepsError, match="nobody holds two steps"):
        approve_pended(services, claim.number, "甲", "金额已核对")
    assert not approve_pended(services, claim.number, "乙", "金额已核对").is_closed
    assert approve_pended(services, claim.number, "丙", "金额已核对").is_closed
    office.world.run()
    assert office.world.claim(claim.id).state is ClaimState.PAID


def test_where_two_differ_a_third_person_decides(office: Office) -> None:
    office.limits(second_approver_above_fen=0)
    for name in ("甲", "乙", "丙"):
        office.staff(name)
    claim = office.pended(payer_name="测试丁卯")
    seen = []
    for verdict in (APPROVE, REFUSE, REFUSE):
        holder = office.draw(claim)
        seen.append(holder.id)
        decide.find(office.world.services, office.case_of(claim).id, holder.id, verdict)
    assert len(set(seen)) == 3
    assert office.case_of(claim).outcome == "refuse"


def test_names_at_the_command_line_are_two_people_too(office: Office) -> None:
    office.limits(second_approver_above_fen=0)
    claim = office.pended(payer_name="测试丁卯")
    services = office.world.services
    assert not approve_pended(services, claim.number, "甲", "同一人").is_closed
    with pytest.raises(TwoStepsError, match="nobody holds two steps"):
        approve_pended(services, claim.number, "甲", "同一人")
    assert approve_pended(services, claim.number, "乙", "同一人").is_closed


def test_where_staff_are_registered_the_name_is_one_of_theirs_and_fit(office: Office) -> None:
    office.staff("院内", username="inside", hospital_code=HOSPITAL)
    claim = office.pended(payer_name="测试别名")
    with pytest.raises(NotEligibleError, match="no one member of staff called 路人"):
        approve_pended(office.world.services, claim.number, "路人", "好")
    with pytest.raises(NotEligibleError, match="the bill is of the person's own hospital"):
        approve_pended(office.world.services, claim.number, "inside", "好")
    office.staff("甲", username="reviewer01")
    assert approve_pended(office.world.services, claim.number, "reviewer01", "好").is_closed


# --- high risk ---------------------------------------------------------------------------------


def test_four_steps_of_four_people_decide_a_high_risk_case(office: Office) -> None:
    office.limits(high_risk_priority=5)
    for name in ("甲", "乙", "丙"):
        office.staff(name)
    office.staff("主任", role="supervisor")
    office.staff("副主任", role="supervisor")
    claim = office.pended()
    services = office.world.services
    seen = []
    for turn in range(4):
        holder = office.draw(claim)
        case = office.case_of(claim)
        for person in office.people:
            if person.id in seen:
                with pytest.raises(TwoStepsError, match="nobody holds two steps"):
                    decide.find(services, case.id, person.id, Verdict(Outcome.REFUSE, "插手"))
        seen.append(holder.id)
        rulings = (matched(),) if turn == 0 else None
        decide.find(services, case.id, holder.id, Verdict(Outcome.APPROVE, f"第 {turn}", rulings))
        assert office.case_of(claim).is_closed == (turn == 3)
    assert len(set(seen)) == 4
    with services.work(write=False) as work:
        found = [(str(f.step), f.staff_id) for f in work.reviews.findings_of(case.id)]
    assert found == list(zip(["first", "second", "final", "panel"], seen, strict=True))
    assert next(p for p in office.people if p.id == seen[3]).role == "supervisor"
    office.world.run()
    assert office.world.claim(claim.id).state is ClaimState.PAID


def test_supervisors_are_kept_for_the_panel_while_there_are_reviewers(office: Office) -> None:
    office.limits(high_risk_priority=5)
    chief = office.staff("主任", role="supervisor")
    reviewers = [office.staff(name) for name in "甲乙丙"]
    claim = office.pended(payer_name="测试别名")
    services = office.world.services
    open_missing_cases(services)
    assert assignment.next_for(services, chief, "k" * 8) is None
    for _ in range(3):
        holder = office.draw(claim)
        assert holder in reviewers
        decide.find(services, office.case_of(claim).id, holder.id, APPROVE)
    assert office.draw(claim) == chief


def test_with_three_people_the_fourth_step_waits_and_says_so(office: Office) -> None:
    office.limits(high_risk_priority=5)
    for name in ("甲", "乙", "丙"):
        office.staff(name, role="supervisor")
    claim = office.pended(payer_name="测试别名")
    for _ in range(3):
        holder = office.draw(claim)
        decide.find(office.world.services, office.case_of(claim).id, holder.id, APPROVE)
    office.sweep()
    with office.world.services.work(write=False) as work:
        assert work.alarms.open_counts() == {"review-unassigned": 1}
    assert office.world.claim(claim.id).state is ClaimState.PENDED


# --- what the database itself refuses ----------------------------------------------------------


def test_the_database_refuses_a_second_part_a_foreign_finding_and_changes(
    any_office: Office,
) -> None:
    office = any_office
    person = office.staff("甲")
    other = office.staff("乙", queues=("identity",))
    claim = office.pended()
    office.draw(claim)
    case = office.case_of(claim)
    at = clock_of(office).now()
    part = {"case_id": case.id, "staff_id": person.id, "since": at}
    finding = {
        "case_id": case.id, "outcome": "approve", "reason": "x", "rulings": "[]", "paid_fen": 0,
        "found_at": at,
    }  # fmt: skip
    engine = office.world.services.engine
    for statement in (
        sa.insert(tables.review_participant).values(part | {"part": "second-approver"}),
        sa.insert(tables.review_finding).values(finding | {"step": "panel", "staff_id": person.id}),
        sa.insert(tables.review_finding).values(finding | {"step": "single", "staff_id": other.id}),
        sa.update(tables.review_step).values(holder_id=other.id),
        sa.update(tables.review_participant).values(part="panel"),
        sa.delete(tables.review_draw),
    ):
        with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
            connection.execute(statement)


# --- other cases and ends ----------------------------------------------------------------------


def test_who_raised_a_case_or_decided_the_claim_before_gets_no_step_of_it(office: Office) -> None:
    raised = office.staff("提出人")
    before = office.staff("前审")
    claim = office.pended(payer_name="测试丁卯")
    services = office.world.services
    approve_pended(services, claim.number, before.username, "同一人")
    fresh = office.staff("新人")
    with services.work() as work:
        opening = Opening(CaseKind.APPEAL, concerns=(Concern(2),), raised_by=(raised.id,))
        case = open_case(services, work, work.claims.get(claim.id), opening)
        again = open_case(services, work, work.claims.get(claim.id), opening)
        work.commit()
    assert again.id == case.id  # one live case of a kind
    office.people.sort(key=lambda person: person.name)
    with services.work() as work:
        step = assignment.current_step(work, case)
        assert [c.staff_id for c in assignment.candidates(services, work, case, step)] == [fresh.id]
    for person in (raised, before):
        with pytest.raises(TwoStepsError, match="nobody holds two steps"):
            decide.find(services, case.id, person.id, APPROVE)


def test_a_closed_case_takes_nothing_more(office: Office) -> None:
    office.staff("甲")
    claim = office.pended()
    holder = office.draw(claim)
    services, case = office.world.services, office.case_of(claim)
    assert decide.find(services, case.id, holder.id, REFUSE).is_closed
    assert decide.find(services, case.id, holder.id, REFUSE).is_closed  # sent twice
    for act in (
        lambda: decide.find(services, case.id, holder.id, APPROVE),
        lambda: decide.preview(services, case.id, holder.id, ()),
        lambda: decide.resolve(services, case.id, holder.id, Partial(("x",), "好")),
        lambda: assignment.decline(services, case.id, holder.id, "好"),
    ):
        with pytest.raises(ConflictError, match="the case is closed"):
            act()


def test_a_claim_that_ends_without_review_closes_its_cases(office: Office) -> None:
    office.staff("甲")
    claim = office.pended()
    holder = office.draw(claim)
    services = office.world.services
    with services.work() as work:
        assert close_cases_of(services, work, claim.id) == 1
        work.commit()
    assert office.case_of(claim).outcome == "withdrawn"
    with pytest.raises(ConflictError, match="the case is closed"):
        decide.find(services, office.case_of(claim).id, holder.id, APPROVE)


def test_a_claim_that_was_decided_elsewhere_ends_its_case(office: Office) -> None:
    claim = office.pended()
    office.sweep()
    office.world.sql("UPDATE claim SET state = 'settled' WHERE id = :id", id=claim.id)
    office.sweep()
    assert office.case_of(claim).outcome == "overtaken"


def test_a_person_whose_case_waits_for_the_citizen_gets_other_work(office: Office) -> None:
    person = office.staff("甲")
    first = office.pended()
    office.draw(first)
    services, case = office.world.services, office.case_of(first)
    material.ask(services, case.id, person.id, "请交病历", "record, please")
    second = office.pended(yuan=401)
    open_missing_cases(services)
    found = assignment.next_for(services, person, "k" * 8)
    assert found is not None and found.case.claim_id == second.id


def test_a_refusal_by_name_before_the_claim_is_lodged_is_refused(office: Office) -> None:
    claim = office.pended()
    refuse_pended(office.world.services, claim.number, "甲", "不符合")
    with pytest.raises(ConflictError, match="cannot be decided by a person now"):
        refuse_pended(office.world.services, claim.number, "甲", "不符合")


@pytest.mark.parametrize("reason", ["", "  ", "长" * 501, "零\x00"])
def test_a_finding_without_a_reason_is_refused(office: Office, reason: str) -> None:
    office.staff("甲")
    claim = office.pended()
    holder = office.draw(claim)
    with pytest.raises(ReviewRefusedError, match="a reason"):
        decide.find(
            office.world.services, office.case_of(claim).id, holder.id,
            Verdict(Outcome.APPROVE, reason),
        )  # fmt: skip


def test_a_case_past_its_promise_raises_one_alarm_that_ends_with_it(office: Office) -> None:
    claim = office.pended(payer_name="测试别名")
    office.sweep()
    days(office, 7)  # Friday 27 November: the promised day itself is not late
    office.sweep()
    with office.world.services.work(write=False) as work:
        assert work.alarms.open_counts() == {}
    days(office, 1)
    office.sweep()
    office.sweep()
    with office.world.services.work(write=False) as work:
        assert work.alarms.open_counts() == {"review-late": 1}
    approve_pended(office.world.services, claim.number, "甲", "好")
    with office.world.services.work(write=False) as work:
        assert work.alarms.open_counts() == {}
