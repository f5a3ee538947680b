"""The staff API's routes of the yearly clearing: try it, run it, decide on what it asks back.

A run is begun here and carried on by the worker; ``yichu clearing run`` does the same at once.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Response, jsonify, request

from backend.domain.clearing import YEAR_MAX, YEAR_MIN, HospitalYear
from backend.domain.review import covers
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.staff.requests import (
    MalformedStaffRequestError,
    query_number,
    read_object,
    request_key,
    text_of,
    whole_of,
)
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.clearing import confirm as deciding
from backend.service_layer.clearing.desk import (
    PAGE_MAX,
    PEOPLE_MAX,
    Progress,
    Shown,
    difference_of,
    differences_page,
    progress_of,
    run_of,
    try_page,
    waiting_page,
)
from backend.service_layer.clearing.run import Found, begin_run
from backend.service_layer.clearing.statement import yearly_statement
from backend.service_layer.supervision.once import Once

_PAGE: Final = 50
_HERE: Final = "/staff/v1/clearing"


def _year() -> int:
    return query_number("year", 0, YEAR_MAX, low=YEAR_MIN)


@blueprint.get("/clearing/trial")
@access(AccessRule.SUPERVISOR)
def try_clearing() -> Answer:
    """What a clearing of the year would find of the next people; nothing is written."""
    limit = query_number("people", PEOPLE_MAX, PEOPLE_MAX)
    page = try_page(services(), _year(), request.args.get("after", "")[:40], limit)
    return jsonify(
        {
            "differences": [_found(one) for one in page.found],
            "figures": page.figures.to_record(),
            "next": page.after,
        }
    )


@blueprint.get("/clearing/runs")
@access(AccessRule.SUPERVISOR)
def clearing_runs() -> Answer:
    """The runs, the newest first; with ``year`` those of one year."""
    year = _year() if "year" in request.args else None
    with services().work(write=False) as work:
        found = [progress_of(work, run) for run in work.clearings.runs(year, _PAGE)]
    return jsonify({"runs": [_run(one) for one in found]})


@blueprint.post("/clearing/runs")
@access(AccessRule.SUPERVISOR)
def begin_clearing() -> Answer:
    """Begin the clearing of a year, or go on with the one that is not at its end."""
    body = read_object("year", "year_open")
    year, is_open = whole_of(body, "year") or 0, body.get("year_open", False)
    if not isinstance(is_open, bool):
        raise MalformedStaffRequestError("year_open 应为 true 或 false", "year_open is a boolean")
    once = Once(request_key(), ("clearing", str(year), str(is_open)))
    run = begin_run(services(), year, caller().id, may_be_open=is_open, once=once)
    return _run_answer(run.id), 202


@blueprint.get("/clearing/runs/<run_id>")
@access(AccessRule.SUPERVISOR)
def clearing_run(run_id: str) -> Answer:
    """How far a run is and what it found."""
    return _run_answer(run_id)


def _run_answer(run_id: str) -> Response:
    with services().work(write=False) as work:
        return jsonify(_run(progress_of(work, run_of(work, run_id))))


@blueprint.get("/clearing/runs/<run_id>/differences")
@access(AccessRule.SUPERVISOR)
def clearing_differences(run_id: str) -> Answer:
    """One page of what a run found first."""
    after, limit = request.args.get("after", ""), query_number("limit", _PAGE, PAGE_MAX)
    with services().work(write=False) as work:
        run = run_of(work, run_id)
        found, next_one = differences_page(work, run.id, after, limit, caller().hospital_code)
    return jsonify({"differences": [_shown(one) for one in found], "next": next_one})


@blueprint.get("/clearing/differences")
@access(AccessRule.SUPERVISOR)
def waiting_differences() -> Answer:
    """One page of what two people have to decide on, the newest first."""
    after, limit = request.args.get("after", ""), query_number("limit", _PAGE, PAGE_MAX)
    with services().work(write=False) as work:
        found, next_one = waiting_page(work, after, limit, caller().hospital_code)
    return jsonify({"differences": [_shown(one) for one in found], "next": next_one})


@blueprint.get("/clearing/differences/<item_id>")
@access(AccessRule.SUPERVISOR)
def one_difference(item_id: str) -> Answer:
    """One difference; what the caller may do now stands in ``links``."""
    return _difference(item_id)


@blueprint.post("/clearing/differences/<item_id>/confirm")
@access(AccessRule.SUPERVISOR)
def confirm_difference(item_id: str) -> Answer:
    """One of two people says that the lower amount stands; with the second it is owed."""
    reason = text_of(read_object("reason"), "reason")
    deciding.confirm(services(), _own(item_id), caller().id, reason)
    return _difference(item_id)


@blueprint.post("/clearing/differences/<item_id>/decline")
@access(AccessRule.SUPERVISOR)
def decline_difference(item_id: str) -> Answer:
    """Decide against it: nothing is owed, and this amount is not proposed again."""
    reason = text_of(read_object("reason"), "reason")
    deciding.decline(services(), _own(item_id), caller().id, reason)
    return _difference(item_id)


def _own(item_id: str) -> str:
    with services().work(write=False) as work:
        return difference_of(work, item_id, caller().hospital_code).item.id


def _difference(item_id: str) -> Answer:
    with services().work(write=False) as work:
        return jsonify(_shown(difference_of(work, item_id, caller().hospital_code)))


@blueprint.get("/clearing/statements/<hospital>")
@access(AccessRule.CLERK)
def hospital_statement(hospital: str) -> Answer:
    """What a year was for one hospital. ``ties`` is false when a claim's journal is not what its
    decision and orders say."""
    (found,) = yearly_statement(services(), _year(), hospital[:40])
    return jsonify(_statement(found))


def _statement(one: HospitalYear) -> dict[str, Any]:
    return one.to_record() | {"year": _year(), "ties": not one.untied}


def _found(one: Found) -> dict[str, Any]:
    return {
        "claim_number": one.claim_number,
        "finding": str(one.finding),
        "order": str(one.basis),
        "before_fen": one.before_fen,
        "after_fen": one.after_fen,
    }


def _run(one: Progress) -> dict[str, Any]:
    run = one.run
    return {
        "id": run.id,
        "year": run.year,
        "ordinal": run.ordinal,
        "year_open": run.is_year_open,
        "state": "running" if run.ended_at is None else "ended",
        "started_at": run.started_at.isoformat(),
        "ended_at": None if run.ended_at is None else run.ended_at.isoformat(),
        "people": {what: count for what, (count, _) in sorted(one.people.items())},
        "claims": sum(claims for _, claims in one.people.values()),
        "differences": {what: count for what, (count, _) in sorted(one.sums.items())},
        "more_fen": max(0, one.sums.get("more", (0, 0))[1]),
        "less_fen": max(0, -one.sums.get("less", (0, 0))[1]),
        "left_for_later": one.left,
        "links": {
            "self": {"method": "GET", "href": f"{_HERE}/runs/{run.id}"},
            "differences": {"method": "GET", "href": f"{_HERE}/runs/{run.id}/differences"},
        },
    }


def _shown(one: Shown) -> dict[str, Any]:
    item, order, me = one.item, one.order, caller()
    said = [] if order is None else [approval.person for approval in order.approvals]
    can = {"confirm", "decline"} if one.waits and covers(me.role, "supervisor") else set()
    if me.id in said:
        can.discard("confirm")
    return {
        "id": item.id,
        "run_id": item.run_id,
        "claim_number": item.claim_number,
        "year": item.year,
        "finding": str(item.finding),
        "outcome": item.outcome,
        "order": str(item.basis),
        "decision_version": item.decision_version,
        "before_fen": item.before_fen,
        "after_fen": item.after_fen,
        "layers": {str(layer): amount for layer, amount in item.layers.items()},
        "recovery": None if order is None else order.order.id,
        "recovery_state": None if order is None else str(order.state),
        "confirmed": len(said),
        "links": {
            name: {"method": "POST", "href": f"{_HERE}/differences/{item.id}/{name}"}
            for name in sorted(can)
        },
    }
