"""The staff API's routes of payments: what is owed, stopping it, the bank's files."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, jsonify, request

from backend.domain.errors import NotFoundError
from backend.domain.review import covers
from backend.entrypoints.access import AccessRule
from backend.entrypoints.staff.agency_desk import agency, do_once, reason_of
from backend.entrypoints.staff.requests import (
    MalformedStaffRequestError,
    query_number,
    read_object,
)
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.payout import manual
from backend.service_layer.payout.desk import PAGE_MAX, Owed, Standing, is_proposed, owed_page
from backend.service_layer.payout.stored import BankMessage, Hold, Tried

_PAGE: Final = 50
_MESSAGES_MAX: Final = 100
_HERE: Final = "/staff/v1/payments"
_STATES: Final = frozenset(map(str, Standing))


@blueprint.get("/payments")
@agency(AccessRule.CLERK)
def owed_payments() -> Answer:
    """One page of what is owed and not with the bank; ``?state=`` waiting, held or failed."""
    state, limit = request.args.get("state", ""), query_number("limit", _PAGE, PAGE_MAX)
    if state and state not in _STATES:
        raise MalformedStaffRequestError(
            "state 应为 waiting、held 或 failed", "state is waiting, held or failed"
        )
    wanted = Standing(state) if state else None
    with services().work(write=False) as work:
        found, following = owed_page(work, wanted, request.args.get("after", "")[:100], limit)
    return jsonify({"payments": [_owed(one) for one in found], "next": following})


@blueprint.get("/payments/claims/<number>")
@agency(AccessRule.CLERK)
def claim_payments(number: str) -> Answer:
    """A claim's payables with every attempt, and who stopped them or let them go."""
    return _answer(number)


@blueprint.post("/payments/claims/<number>/hold")
@agency(AccessRule.CLERK)
def hold_payments(number: str) -> Answer:
    """Stop what is not in a file yet."""
    reason = reason_of(read_object("reason"))
    do_once(lambda deps, by: manual.hold(deps, number, by, reason), "payment-hold", number, reason)
    return _answer(number)


@blueprint.post("/payments/claims/<number>/release-proposals")
@agency(AccessRule.CLERK)
def propose_payments(number: str) -> Answer:
    """One person says that what is stopped may go on; it stays stopped."""
    reason = reason_of(read_object("reason"))
    do_once(
        lambda deps, by: manual.propose_release(deps, number, by, reason),
        "payment-propose", number, reason,
    )  # fmt: skip
    return _answer(number)


@blueprint.post("/payments/claims/<number>/release")
@agency(AccessRule.SUPERVISOR)
def release_payments(number: str) -> Answer:
    """Another person than the one who proposed it lets it go on."""
    reason = reason_of(read_object("reason"))
    do_once(
        lambda deps, by: manual.release_proposed(deps, number, by, reason),
        "payment-release", number, reason,
    )  # fmt: skip
    return _answer(number)


@blueprint.get("/payments/messages")
@agency(AccessRule.CLERK)
def bank_messages() -> Answer:
    """What the bank has left, the newest first, whatever became of it; never its content."""
    limit = query_number("limit", _PAGE, _MESSAGES_MAX)
    with services().work(write=False) as work:
        found = work.payments.messages(limit)
    return jsonify({"messages": [_message(one) for one in found]})


@blueprint.get("/payments/messages/<message_id>")
@agency(AccessRule.CLERK)
def one_bank_message(message_id: str) -> Answer:
    """Why nothing of it was booked, who has dealt with it, and who has read it."""
    return _message_answer(message_id)


@blueprint.post("/payments/messages/<message_id>/acknowledge")
@agency(AccessRule.CLERK)
def acknowledge_bank_message(message_id: str) -> Answer:
    """A person has dealt with a file of which nothing was booked."""
    reason = reason_of(read_object("reason"))
    do_once(
        lambda deps, by: manual.acknowledge(deps, message_id, by, reason),
        "message-acknowledge", message_id, reason,
    )  # fmt: skip
    return _message_answer(message_id)


@blueprint.post("/payments/messages/<message_id>/confirm")
@agency(AccessRule.SUPERVISOR)
def confirm_bank_message(message_id: str) -> Answer:
    """Another person confirms it: the alarm is closed."""
    reason = reason_of(read_object("reason"))
    _found(message_id)
    do_once(
        lambda deps, by: manual.confirm_acknowledged(deps, message_id, by, reason),
        "message-confirm", message_id, reason,
    )  # fmt: skip
    return _message_answer(message_id)


@blueprint.post("/payments/messages/<message_id>/readings")
@agency(AccessRule.SUPERVISOR)
def read_bank_message(message_id: str) -> Answer:
    """The bytes of the file, with names and account numbers, as a download. Each reading is kept
    with its reason before anything is shown, so that this is no request to send twice."""
    reason = reason_of(read_object("reason"))
    content = manual.read_content(services(), message_id, caller().username, reason)
    answer = Response(content, mimetype="application/octet-stream")
    answer.headers["Content-Disposition"] = f'attachment; filename="{message_id}.xml"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _answer(number: str) -> Answer:
    with services().work(write=False) as work:
        claim = work.claims.by_number(number)
        payables = work.payments.payables_of(claim.id)
        tried = {one.id: work.payments.tried(one.id) for one in payables}
        holds = work.payments.holds_of(claim.id)
        may_confirm = is_proposed(work, claim.id)
    return jsonify(
        {
            "claim_number": claim.number,
            "claim_state": str(claim.state),
            "waiting_for": claim.waiting_for,
            "payables": [
                {
                    "id": one.id,
                    "amount_fen": one.amount_fen,
                    "attempts": [_attempt(attempt) for attempt in tried[one.id]],
                }
                for one in payables
            ],
            "holds": [_hold(one) for one in holds],
            "links": _links(claim.number, holds, may_confirm=may_confirm),
        }
    )


def _links(number: str, holds: list[Hold], *, may_confirm: bool) -> dict[str, Any]:
    me, can = caller(), {"hold"}
    if holds and holds[-1].action == "hold":
        can = {"release-proposals"}
        is_another = holds[-1].by != me.username
        if may_confirm and is_another and covers(me.role, "supervisor"):
            can.add("release")
    return {
        name: {"method": "POST", "href": f"{_HERE}/claims/{number}/{name}"} for name in sorted(can)
    }


def _owed(one: Owed) -> dict[str, Any]:
    return {
        "id": one.payable.id,
        "claim_number": one.claim.number,
        "amount_fen": one.payable.amount_fen,
        "since": one.payable.instructed_at.isoformat(),
        "state": str(one.standing),
        "waiting_for": one.claim.waiting_for,
        "hold": None if one.hold is None else _hold(one.hold),
        "href": f"{_HERE}/claims/{one.claim.number}",
    }


def _hold(one: Hold) -> dict[str, Any]:
    return {
        "action": one.action,
        "by": one.by,
        "at": one.at.isoformat(),
        "reason": one.reason,
    }


def _attempt(one: Tried) -> dict[str, Any]:
    attempt, answer = one.attempt, one.answer
    return {
        "end_to_end_id": attempt.end_to_end_id,
        "lane": str(attempt.lane),
        "bank": attempt.bank_name,
        "account_tail": attempt.account_tail,
        "status": None if answer is None else str(answer.status),
        "reason_code": None if answer is None else answer.reason_code,
        "bank_reference": None if answer is None else answer.bank_reference,
        "simulated": None if answer is None else answer.simulated,
    }


def _found(message_id: str) -> BankMessage:
    with services().work(write=False) as work:
        found: BankMessage | None = work.payments.message_by_id(message_id)
    if found is None:
        raise NotFoundError("没有这个银行文件", "there is no such bank file")
    return found


def _message(one: BankMessage) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "received_at": one.received_at.isoformat(),
        "verdict": str(one.verdict),
        "digest": one.digest.hex(),
        "report_id": one.report_id,
        "original_id": one.original_id,
        "href": f"{_HERE}/messages/{one.id}",
    }


def _message_answer(message_id: str) -> Answer:
    one = _found(message_id)
    with services().work(write=False) as work:
        readings = work.payments.readings_of(message_id)
        case = work.reconciliation.case(f"{manual.CASE_KIND}:{message_id}")
        steps = [] if case is None else work.reconciliation.events_of(case.id)
    return jsonify(
        _message(one)
        | {
            "difference": one.difference,
            "is_dealt_with": case is not None and case.resolved_at is not None,
            "steps": [
                {"kind": step.kind, "by": step.by, "at": step.at.isoformat(), "text": step.text}
                for step in steps
            ],
            "readings": [
                {"by": read.by, "at": read.at.isoformat(), "reason": read.reason}
                for read in readings
            ],
        }
    )
