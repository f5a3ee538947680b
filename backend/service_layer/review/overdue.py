"""Lists over all cases: what waits for people, what is late, what waits for its citizen."""

from __future__ import annotations

from typing import Any

from backend.domain.review import CaseKind, CaseState
from backend.service_layer.claims.accident import DECLARATION
from backend.service_layer.claims.clocks import clocks_of, is_stopped
from backend.service_layer.claims.records import Claim
from backend.service_layer.review.clocks import is_late, today
from backend.service_layer.review.ports import ReviewServices, ReviewWork
from backend.service_layer.review.read import reason_codes, summary_of
from backend.service_layer.review.records import OpenStep, Staff


def open_cases(
    deps: ReviewServices, person: Staff, queue: str, after: int, limit: int
) -> dict[str, Any]:
    """Every unfinished step, the most urgent first, with its claim's open reasons as codes.

    For supervisors: whether somebody holds the step is said, who it is not, and cases of the
    caller's own hospital are left out. ``queue`` "" means all; ``after`` rows are passed over and
    at most ``limit`` given, ``total`` counts all.
    """
    with deps.work(write=False) as work:
        found = [
            one
            for one in work.reviews.open_steps()
            if person.hospital_code != one.case.hospital_code and queue in ("", one.case.queue)
        ]
        rows = [
            summary_of(deps, one, person)
            | {
                "is_held": one.step.holder_id is not None,
                "reasons": [
                    reason_codes(pend)
                    for pend in work.claims.pends_of(one.case.claim_id)
                    if pend.resolved_at is None
                ],
            }
            for one in found[after : after + limit]
        ]
    return {"total": len(found), "cases": rows}


def overdue(deps: ReviewServices, person: Staff) -> dict[str, Any]:
    """What is late: the step's own day, the promise, the legal limit; under ``waiting`` the claims
    whose promise stands still, each with both clocks. The legal limit never stands still."""
    day = today(deps)
    with deps.work(write=False) as work:
        steps = [
            one
            for one in work.reviews.open_steps()
            if person.hospital_code != one.case.hospital_code
        ]
        found: dict[str, Any] = {
            "day": day.isoformat(), "steps": {}, "promise": [], "legal": [], "waiting": [],
        }  # fmt: skip
        for one in steps:
            row = summary_of(deps, one, person)
            is_due = one.step.due_on < day or is_late(one.case, day)
            if is_due and not _stands_still(deps, work, one):
                if one.step.due_on < day:
                    found["steps"].setdefault(str(one.step.step), []).append(row)
                if is_late(one.case, day):
                    found["promise"].append(row)
            if one.case.legal_limit_on < day:
                found["legal"].append(row)
        found["waiting"] = [
            _waiting(deps, work, claim)
            for claim in work.claims.awaiting_person()
            if work.claims.bill_of_version(claim.version_id).institution_code
            != person.hospital_code
        ]
    return found


def _stands_still(deps: ReviewServices, work: ReviewWork, one: OpenStep) -> bool:
    if one.case.state is CaseState.WAITING:
        return True
    return one.case.kind is CaseKind.CLAIM and is_stopped(
        deps, work, work.claims.get(one.case.claim_id)
    )


def _waiting(deps: ReviewServices, work: ReviewWork, claim: Claim) -> dict[str, Any]:
    submission = work.claims.submission(claim.submission_id)
    assert submission is not None, "a claim belongs to a submission"
    clocks = clocks_of(deps, work, claim, submission)
    what = ("说明受伤经过", "declaration") if claim.waiting_for == DECLARATION else (
        "补充材料", "material",
    )  # fmt: skip
    return {
        "claim_number": claim.number,
        "waits_for": {"zh": what[0], "en": what[1]},
        "waited_working_days": clocks.waited_days,
        "due_on": clocks.promised_on.isoformat(),
        "legal_limit_on": clocks.legal_limit_on.isoformat(),
        "is_past_legal_limit": clocks.legal_limit_on < today(deps),
    }
