"""The regular pass over review: open cases, draw people, take back what lapsed, see what is late.

Every part may run twice and in any order; the worker calls it every few seconds.
"""

from __future__ import annotations

from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.review import CaseState
from backend.service_layer.claims.clocks import is_stopped
from backend.service_layer.review.assignment import assign, candidates, current_step, release
from backend.service_layer.review.cases import (
    CASE_LATE,
    UNASSIGNED,
    close_case,
    open_claim_case,
)
from backend.service_layer.review.clocks import is_late, today
from backend.service_layer.review.decide import lock_case
from backend.service_layer.review.material import expire_requests
from backend.service_layer.review.ports import ReviewServices
from backend.service_layer.review.records import OpenStep

DRAWS_A_PASS: Final = 50
OVERTAKEN: Final = "overtaken"


def review_pass(deps: ReviewServices) -> int:
    """One pass; returns how much changed."""
    changed = open_missing_cases(deps)
    changed += close_overtaken_cases(deps)
    changed += expire_requests(deps)
    with deps.work(write=False) as work:
        steps = work.reviews.open_steps()
        waiting = [one for one in steps if _is_unheld(one)] if work.staff.all() else []
        if len(waiting) > DRAWS_A_PASS:  # another part of them at each pass
            begin = int(deps.clock.now().timestamp()) % len(waiting)
            waiting = [*waiting[begin:], *waiting[:begin]][:DRAWS_A_PASS]
        fit = [one for one in waiting if candidates(deps, work, one.case, one.step)]
        alarms = work.alarms.open_counts()
    changed += sum(_take_back(deps, one) for one in steps if _has_lapsed(deps, one))
    changed += sum(_draw(deps, one) for one in fit)
    if len(waiting) - len(fit) != alarms.get(UNASSIGNED, 0):
        for one in waiting:
            if one not in fit:
                _draw(deps, one)  # nobody may: this raises the alarm
    late = {one.case.id: one for one in steps if _is_overdue(deps, one)}
    if len(late) != alarms.get(CASE_LATE, 0):
        changed += sum(_say_late(deps, one) for one in late.values())
    return changed


def open_missing_cases(deps: ReviewServices) -> int:
    """Open the case of every pended claim that has none."""
    with deps.work(write=False) as work:
        claim_ids = work.reviews.claims_without_case()
    for claim_id in claim_ids:
        with deps.work() as work:
            claim = work.claims.get(claim_id)
            work.people.lock(claim.person_id)
            claim = work.claims.get(claim_id, lock=True)
            if claim.state is ClaimState.PENDED:
                open_claim_case(deps, work, claim)
                work.commit()
    return len(claim_ids)


def close_overtaken_cases(deps: ReviewServices) -> int:
    """End the cases of claims that were decided without them (adopted from the ledger after a
    restored backup)."""
    with deps.work(write=False) as work:
        case_ids = work.reviews.overtaken_cases()
    for case_id in case_ids:
        with deps.work() as work:
            case, claim = lock_case(work, case_id)
            if not case.is_closed and not claim.is_undecided:
                close_case(deps, work, case, OVERTAKEN)
                work.commit()
    return len(case_ids)


def _is_overdue(deps: ReviewServices, one: OpenStep) -> bool:
    """Past its promise, and not because its person is asked: then the promise stands still."""
    if one.case.state is CaseState.WAITING or not is_late(one.case, today(deps)):
        return False
    with deps.work(write=False) as work:
        return not is_stopped(deps, work, work.claims.get(one.case.claim_id))


def _is_unheld(one: OpenStep) -> bool:
    return one.step.holder_id is None and one.case.state is CaseState.OPEN


def _has_lapsed(deps: ReviewServices, one: OpenStep) -> bool:
    until = one.step.held_until
    return one.case.state is CaseState.OPEN and until is not None and until <= deps.clock.now()


def _take_back(deps: ReviewServices, one: OpenStep) -> bool:
    with deps.work() as work:
        case, _ = lock_case(work, one.case.id)
        if case.state is not CaseState.OPEN:
            return False
        step = current_step(work, case)
        until = step.held_until
        if step.holder_id is None or until is None or until > deps.clock.now():
            return False
        release(deps, work, step, "lapsed")
        if work.staff.all():
            assign(deps, work, case, "lapsed")
        work.commit()
    return True


def _draw(deps: ReviewServices, one: OpenStep) -> bool:
    with deps.work() as work:
        case, _ = lock_case(work, one.case.id)
        if case.state is not CaseState.OPEN or current_step(work, case).holder_id is not None:
            return False
        drawn = assign(deps, work, case, "opened")
        work.commit()
    return drawn is not None


def _say_late(deps: ReviewServices, one: OpenStep) -> bool:
    with deps.work() as work:
        work.alarms.raise_alarm(
            CASE_LATE,
            one.case.id,
            f"claim {one.claim_number}: step {one.step.step}, due {one.case.due_on.isoformat()}",
        )
        work.commit()
    return True
