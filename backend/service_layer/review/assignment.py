"""Who gets a step: drawn at random from a recorded seed among those who may have it.

Nobody chooses a case. A step is drawn for a person (:func:`assign`), or a person who asks for work
gets a case that is drawn among the most urgent ones (:func:`next_for`). Seed and candidates are
kept, so that anybody can repeat the draw. A step that is not finished in time, is declined, or
whose holder goes away is drawn anew.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.domain.errors import ConflictError, ForbiddenError
from backend.domain.local_time import SHANGHAI
from backend.domain.pend_reasons import REVIEWER, SUPERVISOR
from backend.domain.review import STEP_ROLES, Candidate, CaseKind, CaseState, Risk, covers, draw
from backend.service_layer.review.cases import UNASSIGNED, open_pends
from backend.service_layer.review.clocks import today
from backend.service_layer.review.ports import (
    CaseChangedError,
    ReviewServices,
    ReviewWork,
    TwoStepsError,
)
from backend.service_layer.review.records import Case, Draw, OpenStep, Release, Staff, Step

REASON_MAX = 500
AWAY_DAYS_MAX = 365
DRAWN_FROM_MAX = 100
"""Equally urgent steps that one is drawn from for who asks for work."""


class NotYoursError(ForbiddenError):
    """The step is held by somebody else, or by nobody."""

    code = "not-your-step"

    def __init__(self) -> None:
        super().__init__(
            "这个环节不在您手上，请先领取或等分派",
            "you do not hold this step; ask for the next case",
        )


class NotEligibleError(ForbiddenError):
    """The person may not have this step: role, skill, own hospital, absence or another part."""

    code = "not-eligible"


def current_step(work: ReviewWork, case: Case) -> Step:
    """The step that is not finished. Raises :class:`ConflictError` for a closed case."""
    open_now = [step for step in work.reviews.steps_of(case.id) if step.finished_at is None]
    if case.is_closed or not open_now:
        raise ConflictError(
            "案件已办结，不能再改", "the case is closed, nothing more can be done in it"
        )
    return open_now[0]


@dataclass(frozen=True, slots=True)
class Demand:
    """What an open step asks of a person: read once, asked of everybody. ``roles`` are its own
    and those of every open reason of a claim, as who lacks one could finish nothing."""

    case: Case
    step: Step
    roles: frozenset[str]
    parts: Mapping[str, str]


def demand_of(work: ReviewWork, case: Case, step: Step) -> Demand:
    """Read what the open step of a case asks for."""
    roles = {STEP_ROLES.get(step.step, REVIEWER)}
    if case.kind is CaseKind.CLAIM:
        roles |= {pend.role for pend in open_pends(work, case.claim_id)}
    return Demand(case, step, frozenset(roles), work.reviews.parts_of(case.id))


def ineligible_because(demand: Demand, person: Staff, at: dt.datetime) -> tuple[str, str] | None:
    """Why the person may not have the step (zh, en), or None."""
    case, step = demand.case, demand.step
    if not person.is_here(at):
        return "不在岗", "not at work"
    if case.queue not in person.queues:
        return f"没有“{case.queue}”队列的技能", f"not skilled in the queue {case.queue}"
    if person.hospital_code is not None and person.hospital_code == case.hospital_code:
        return "票据来自本人所在医院，应当回避", "the bill is of the person's own hospital"
    if demand.parts.get(person.id, step.step) != step.step:
        return "在这个案件里已有别的环节，同一人不能办两个环节", "has another part in this case"
    missing = sorted(role for role in demand.roles if not covers(person.role, role))
    if missing:
        return f"需要 {missing[0]} 角色", f"needs the role {missing[0]}"
    return None


def candidates(
    deps: ReviewServices, work: ReviewWork, case: Case, step: Step, *, but: Sequence[str] = ()
) -> tuple[Candidate, ...]:
    """Everybody who may have the step, with the number of steps that each holds."""
    now, loads = deps.clock.now(), work.reviews.loads()
    demand = demand_of(work, case, step)
    fit = [
        person
        for person in work.staff.all()
        if person.id not in but and ineligible_because(demand, person, now) is None
    ]
    free = [person for person in fit if not is_kept_for_the_panel(demand, person)]
    return tuple(Candidate(person.id, loads.get(person.id, 0)) for person in free or fit)


def is_kept_for_the_panel(demand: Demand, person: Staff) -> bool:
    """Whether a reviewer's step of a high-risk case would use up who is needed for its panel:
    such people are drawn for it only when there is nobody else."""
    is_reviewers_step = demand.case.risk is Risk.HIGH and demand.roles == {REVIEWER}
    return is_reviewers_step and covers(person.role, SUPERVISOR)


def assign(deps: ReviewServices, work: ReviewWork, case: Case, cause: str) -> Draw | None:
    """Draw a person for the open step of a locked case; None, and an alarm, when nobody may.

    Who gave the step back is drawn again only when there is nobody else.
    """
    step = current_step(work, case)
    gave_back = [r.staff_id for r in work.reviews.releases_of(case.id) if r.step is step.step]
    everybody = candidates(deps, work, case, step, but=gave_back)
    if not everybody and cause != "declined":
        everybody = candidates(deps, work, case, step)
    if not everybody:
        work.alarms.raise_alarm(
            UNASSIGNED, case.id, f"nobody may have step {step.step} of queue {case.queue}"
        )
        return None
    seed = deps.ids.new_secret()
    chosen = draw(seed, everybody)
    pairs = tuple((candidate.staff_id, candidate.load) for candidate in sorted(everybody))
    return _give(deps, work, step, chosen, cause=cause, seed=seed, drawn_from=pairs)


def _give(
    deps: ReviewServices,
    work: ReviewWork,
    step: Step,
    person_id: str,
    *,
    cause: str,
    seed: bytes,
    drawn_from: tuple[tuple[str, int], ...],
    request_key: str | None = None,
) -> Draw:
    now = deps.clock.now()
    work.reviews.add_part(step.case_id, person_id, step.step, now)
    drawn = Draw(
        id=deps.ids.new_id("drw"),
        case_id=step.case_id,
        step=step.step,
        cause=cause,
        seed=seed,
        candidates=drawn_from,
        chosen_id=person_id,
        request_key=request_key,
        drawn_at=now,
    )
    work.reviews.add_draw(drawn)
    until = now + dt.timedelta(hours=deps.settings.review.hold_hours)
    work.reviews.update_step(step.case_id, step.step, holder_id=person_id, held_until=until)
    work.alarms.clear(UNASSIGNED, step.case_id)
    return drawn


def next_for(deps: ReviewServices, person: Staff, request_key: str) -> OpenStep | None:
    """The next step of a person who asks for work; the same for the same ``request_key``.

    A step that the person holds already comes first, unless it waits for the citizen. Otherwise
    one is drawn among the equally urgent unheld steps that the person may have. None: there is
    nothing to do.
    """
    with deps.work() as work:
        known = work.reviews.draw_of_request(person.id, request_key)
        held = work.reviews.open_steps(holder_id=person.id)
        if known is not None:
            return next((one for one in held if one.case.id == known.case_id), None)
        to_do = [one for one in held if one.case.state is CaseState.OPEN]
        if to_do:
            return to_do[0]
        urgent = _most_urgent(work, person, deps.clock.now())
        if not urgent:
            return None
        seed = deps.ids.new_secret()
        pairs = tuple(sorted((one.case.id, 0) for one in urgent))
        case_id = draw(seed, [Candidate(*pair) for pair in pairs])
        chosen = next(one for one in urgent if one.case.id == case_id)
        case = work.reviews.get_case(case_id, lock=True)
        step = current_step(work, case)
        if step.holder_id is not None or step.step is not chosen.step.step:
            raise CaseChangedError
        _give(
            deps, work, step, person.id,
            cause="asked", seed=seed, drawn_from=pairs, request_key=request_key,
        )  # fmt: skip
        work.commit()
    with deps.work(write=False) as work:
        held = work.reviews.open_steps(holder_id=person.id)
    return next((one for one in held if one.case.id == case_id), None)


def _most_urgent(work: ReviewWork, person: Staff, at: dt.datetime) -> list[OpenStep]:
    """The unheld steps that the person may have and that are as urgent as the first of them."""
    found: list[OpenStep] = []
    for one in work.reviews.open_steps(unheld=True):
        rank = (one.case.due_on, one.case.priority)
        if found and rank != (found[0].case.due_on, found[0].case.priority):
            break
        if one.case.queue not in person.queues or len(found) == DRAWN_FROM_MAX:
            continue
        demand = demand_of(work, one.case, one.step)
        is_kept = is_kept_for_the_panel(demand, person)
        if not is_kept and ineligible_because(demand, person, at) is None:
            found.append(one)
    return found


def person_id_of(work: ReviewWork, name: str) -> str:
    """Who is meant by a name at the command line: the one member of staff of that username or
    name, else the name itself."""
    known = work.staff.find(name)
    return known[0].id if len(known) == 1 else f"name:{name}"[:60]


def take_named(deps: ReviewServices, work: ReviewWork, case: Case, name: str) -> str:
    """The step of a locked case for a person who is named at the command line.

    Where staff are registered, the name is that of one of them who may have the step; on an
    installation without any, the name itself stands for the person. Raises
    :class:`NotEligibleError`, :class:`NotYoursError` and :class:`TwoStepsError`.
    """
    step = current_step(work, case)
    known, person_id = work.staff.find(name), person_id_of(work, name)
    if work.staff.all():
        if len(known) != 1:
            raise NotEligibleError(
                f"工作人员里没有唯一的“{name}”，请写用户名",
                f"there is no one member of staff called {name}: give the username",
            )
        why = ineligible_because(demand_of(work, case, step), known[0], deps.clock.now())
        if why is not None and step.holder_id != person_id:
            raise NotEligibleError(f"{name} 不能办这个环节：{why[0]}", f"{name} may not: {why[1]}")
    elif work.reviews.part_of(case.id, person_id) not in (None, step.step):
        raise TwoStepsError
    if step.holder_id is None:
        _give(
            deps, work, step, person_id,
            cause="named", seed=bytes(32), drawn_from=((person_id, 0),),
        )  # fmt: skip
    elif step.holder_id != person_id:
        raise NotYoursError
    return person_id


def require_holder(work: ReviewWork, case: Case, staff_id: str) -> Step:
    """The open step of a locked case, if this person holds it."""
    step = current_step(work, case)
    if step.holder_id != staff_id:
        if work.reviews.part_of(case.id, staff_id) not in (None, step.step):
            raise TwoStepsError
        raise NotYoursError
    return step


def release(
    deps: ReviewServices, work: ReviewWork, step: Step, cause: str, reason: str = ""
) -> None:
    """Take a step back from its holder, with the cause."""
    assert step.holder_id is not None, "only a held step can be given back"
    work.reviews.add_release(
        Release(
            id=deps.ids.new_id("rls"),
            case_id=step.case_id,
            step=step.step,
            staff_id=step.holder_id,
            cause=cause,
            reason=reason,
            released_at=deps.clock.now(),
        )
    )
    work.reviews.update_step(step.case_id, step.step, holder_id=None, held_until=None)


def decline(deps: ReviewServices, case_id: str, staff_id: str, reason: str) -> Draw | None:
    """Give a step back with a reason; somebody else is drawn at once. None: nobody is left."""
    if not reason.strip() or len(reason) > REASON_MAX:
        raise ConflictError(
            f"请写明退回的理由（{REASON_MAX} 字内）",
            f"give a reason (up to {REASON_MAX} characters)",
        )
    with deps.work() as work:
        case = work.reviews.get_case(case_id, lock=True)
        step = require_holder(work, case, staff_id)
        release(deps, work, step, "declined", reason.strip())
        drawn = assign(deps, work, case, "declined")
        work.commit()
    return drawn


def set_away(deps: ReviewServices, staff_id: str, until: dt.datetime | None) -> int:
    """Say until when a person is away (None: back); returns how many steps are drawn anew."""
    moved = 0
    with deps.work() as work:
        work.staff.set_away(staff_id, until)
        if until is not None and until > deps.clock.now():
            moved = draw_anew(deps, work, staff_id, "away")
        work.commit()
    return moved


def be_away(deps: ReviewServices, person: Staff, back_on: dt.date | None) -> int:
    """A person says from which day on they work again (None: from now); returns how many of their
    steps are drawn anew. The day begins in Asia/Shanghai. Raises :class:`ConflictError`."""
    if back_on is None:
        return set_away(deps, person.id, None)
    day = today(deps)
    if not day < back_on <= day + dt.timedelta(days=AWAY_DAYS_MAX):
        raise ConflictError(
            f"返岗日期应在 {day.isoformat()} 之后，最多 {AWAY_DAYS_MAX} 天",
            f"the day of coming back is after {day.isoformat()}, at most {AWAY_DAYS_MAX} days on",
        )
    return set_away(deps, person.id, dt.datetime.combine(back_on, dt.time(), SHANGHAI))


def draw_anew(deps: ReviewServices, work: ReviewWork, staff_id: str, cause: str) -> int:
    """Take every step from a person who cannot do it, and draw others; returns how many."""
    held = work.reviews.open_steps(holder_id=staff_id)
    for one in held:
        case = work.reviews.get_case(one.case.id, lock=True)
        release(deps, work, one.step, cause)
        assign(deps, work, case, cause)
    return len(held)
