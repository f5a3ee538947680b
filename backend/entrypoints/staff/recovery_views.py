"""The staff API's routes of recoveries: what is owed back, and what people do with it.

Whoever is signed in is the person of the step; two people are two sign-ins. Nobody sees or touches
what their own institution owes.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from flask import jsonify, request

from backend.domain.errors import NotFoundError
from backend.domain.recovery import Recovery, State
from backend.domain.review import covers
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.staff.requests import (
    MalformedStaffRequestError,
    day_of,
    query_number,
    read_object,
    text_of,
    whole_of,
)
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.recovery.causes import assign
from backend.service_layer.recovery.people import (
    Incoming,
    approve,
    approve_waiver,
    ask_waiver,
    dismiss,
    plan,
    receive,
)

_PAGE: Final = 50
_PAGE_MAX: Final = 200
#: step -> (states in which it can be taken, who may take it)
_STEPS: Final = {
    "approve": ((State.PROPOSED,), AccessRule.SUPERVISOR),
    "dismiss": ((State.PROPOSED,), AccessRule.SUPERVISOR),
    "plan": ((State.OPEN, State.PARTLY), AccessRule.CLERK),
    "receipts": ((State.OPEN, State.PARTLY), AccessRule.CLERK),
    "waiver-requests": ((State.OPEN, State.PARTLY), AccessRule.CLERK),
    "waiver": ((State.OPEN, State.PARTLY), AccessRule.SUPERVISOR),
}


@blueprint.get("/recoveries")
@access(AccessRule.CLERK)
def recoveries() -> Answer:
    """One page, the newest first; ``?closed=1`` with those that are over."""
    after, limit = request.args.get("after", "")[:40], query_number("limit", _PAGE, _PAGE_MAX)
    with services().work(write=False) as work:
        found = work.recoveries.all(after=after, limit=limit + 1)
    shown = [
        _row(one)
        for one in found[:limit]
        if _may_see(one) and (request.args.get("closed") == "1" or not one.state.is_over)
    ]
    has_more = len(found) > limit
    return jsonify({"recoveries": shown, "next": found[limit - 1].order.id if has_more else None})


def _may_see(one: Recovery) -> bool:
    own = caller().hospital_code
    return own is None or one.order.institution_code != own


@blueprint.get("/recoveries/<order_id>")
@access(AccessRule.CLERK)
def recovery(order_id: str) -> Answer:
    """The whole order; what the caller may do now stands in ``links``."""
    return _answer(order_id)


def _own(order_id: str) -> Recovery:
    with services().work(write=False) as work:
        one: Recovery = work.recoveries.get(order_id[:40])
    if not _may_see(one):
        raise NotFoundError("没有这笔追款", "there is no such recovery")
    return one


def _answer(order_id: str) -> Answer:
    one, me = _own(order_id), caller()
    with services().work(write=False) as work:
        asked = work.recoveries.waiver_requests(one.order.id)
        names = {staff.id: staff.username for staff in work.staff.all()}
    held = {said.person for said in one.approvals} if one.state is State.PROPOSED else set()
    can = {
        name
        for name, (states, rule) in _STEPS.items()
        if one.state in states and covers(me.role, str(rule))
    }
    if me.id in held:
        can.discard("approve")
    if not asked or asked[-1].by == me.id:
        can.discard("waiver")
    return jsonify(
        _row(one)
        | {
            "reason": one.order.reason,
            "source": one.order.source_id,
            "layers": {str(layer): amount for layer, amount in one.order.layers.items()},
            "approvals": [
                {
                    "by": names.get(said.person, said.person),
                    "at": said.at.isoformat(),
                    "reason": said.reason,
                }
                for said in one.approvals
            ],
            "plan": [
                {"due_on": part.due_on.isoformat(), "amount_fen": part.amount_fen}
                for part in one.plan
            ],
            "receipts": [
                {
                    "reference": money.reference,
                    "amount_fen": money.amount_fen,
                    "received_on": money.received_on.isoformat(),
                    "source": money.source,
                    "simulated": money.is_simulated,
                }
                for money in one.receipts
            ],
            "waiver_requests": [
                {"by": names.get(entry.by, entry.by), "reason": entry.reason} for entry in asked
            ],
            "waived_fen": 0 if one.waiver is None else one.waiver.amount_fen,
            "links": {
                name: {"method": "POST", "href": f"/staff/v1/recoveries/{one.order.id}/{name}"}
                for name in sorted(can)
            },
        }
    )


def _row(one: Recovery) -> dict[str, Any]:
    due = one.due()
    return {
        "id": one.order.id,
        "state": str(one.state),
        "cause": str(one.order.cause),
        "debtor": str(one.order.debtor),
        "institution": one.order.institution_code,
        "amount_fen": one.order.amount_fen,
        "received_fen": one.received_fen,
        "left_fen": one.left_fen,
        "created_at": one.order.created_at.isoformat(),
        "due_on": None if due is None else due[0].isoformat(),
        "due_fen": None if due is None else due[1],
    }


@blueprint.post("/recoveries/<order_id>/approve")
@access(AccessRule.SUPERVISOR)
def approve_recovery(order_id: str) -> Answer:
    """One of two people says that a proposed order stands."""
    reason = text_of(read_object("reason"), "reason")
    approve(services(), _own(order_id).order.id, caller().id, reason)
    return _answer(order_id)


@blueprint.post("/recoveries/<order_id>/dismiss")
@access(AccessRule.SUPERVISOR)
def dismiss_recovery(order_id: str) -> Answer:
    """Decide against a proposed order."""
    reason = text_of(read_object("reason"), "reason")
    dismiss(services(), _own(order_id).order.id, caller().id, reason)
    return _answer(order_id)


@blueprint.post("/recoveries/<order_id>/plan")
@access(AccessRule.CLERK)
def plan_recovery(order_id: str) -> Answer:
    """Divide what is left into monthly parts."""
    body = read_object("parts", "first_due_on", "reason")
    parts, reason = whole_of(body, "parts") or 0, text_of(body, "reason")
    first = _needed_day(body, "first_due_on")
    plan(services(), _own(order_id).order.id, parts, first, by=caller().id, reason=reason)
    return _answer(order_id)


@blueprint.post("/recoveries/<order_id>/receipts")
@access(AccessRule.CLERK)
def receive_money(order_id: str) -> Answer:
    """Take down money that came back; the same reference again is the receipt that is there."""
    body = read_object("reference", "amount_fen", "received_on")
    money = Incoming(
        text_of(body, "reference"),
        _own(order_id).order.id,
        whole_of(body, "amount_fen") or 0,
        _needed_day(body, "received_on"),
    )
    receive(services(), money, by=caller().id)
    return _answer(order_id)


@blueprint.post("/recoveries/<order_id>/waiver-requests")
@access(AccessRule.CLERK)
def ask_for_waiver(order_id: str) -> Answer:
    """Ask that what is left be given up."""
    reason = text_of(read_object("reason"), "reason")
    ask_waiver(services(), _own(order_id).order.id, caller().id, reason)
    return _answer(order_id)


@blueprint.post("/recoveries/<order_id>/waiver")
@access(AccessRule.SUPERVISOR)
def waive_recovery(order_id: str) -> Answer:
    """Give up what is left, as another person has asked."""
    read_object()
    approve_waiver(services(), _own(order_id).order.id, caller().id)
    return _answer(order_id)


@blueprint.post("/leads/<lead_id>/recoveries")
@access(AccessRule.SUPERVISOR)
def assign_recovery(lead_id: str) -> Answer:
    """Lay a part of what a finding orders on one claim of that institution."""
    body = read_object("claim", "amount_fen")
    number, amount = text_of(body, "claim"), whole_of(body, "amount_fen") or 0
    made = assign(services(), lead_id[:40], number, amount, by=caller().id)
    return jsonify(_row(made)), 201


def _needed_day(body: dict[str, Any], name: str) -> dt.date:
    found = day_of(body, name)
    if found is None:
        raise MalformedStaffRequestError(f"{name} 应为日期", f"{name} is a day, YYYY-MM-DD")
    return found
