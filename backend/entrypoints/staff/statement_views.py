"""The staff API's routes of the bank's filed statements: a wrong one is withdrawn by two people."""

from __future__ import annotations

from typing import Any, Final

from flask import jsonify

from backend.domain.errors import NotFoundError
from backend.domain.review import covers
from backend.entrypoints.access import AccessRule
from backend.entrypoints.staff.agency_desk import agency, do_once, reason_of
from backend.entrypoints.staff.requests import query_number, read_object
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.payout.statement_withdrawal import (
    PROPOSE,
    confirm_withdrawal,
    is_withdrawn,
    propose_withdrawal,
    refuse_withdrawal,
)
from backend.service_layer.payout.statements import StoredStatement, WithdrawalStep

_PAGE: Final = 50
_PAGE_MAX: Final = 100
_HERE: Final = "/staff/v1/payments/statements"


@blueprint.get("/payments/statements")
@agency(AccessRule.CLERK)
def bank_statements() -> Answer:
    """The filed statements, those that reach furthest first, withdrawn ones included."""
    limit = query_number("limit", _PAGE, _PAGE_MAX)
    with services().work(write=False) as work:
        found = work.bank_statements.newest_filed(limit)
        shown = [_shown(one, work.bank_statements.steps_of(one.id)) for one in found]
    return jsonify({"statements": shown})


@blueprint.get("/payments/statements/<stored_id>")
@agency(AccessRule.CLERK)
def bank_statement(stored_id: str) -> Answer:
    """One statement with who withdrew it; what the caller may do stands in ``links``."""
    return _answer(stored_id)


@blueprint.post("/payments/statements/<stored_id>/withdrawal-proposals")
@agency(AccessRule.CLERK)
def propose_statement_withdrawal(stored_id: str) -> Answer:
    """One person says that the bank has got it wrong; it counts until another one confirms."""
    reason = reason_of(read_object("reason"))
    do_once(
        lambda deps, by: propose_withdrawal(deps, stored_id, by, reason),
        "statement-propose", stored_id, reason,
    )  # fmt: skip
    return _answer(stored_id)


@blueprint.post("/payments/statements/<stored_id>/withdrawal")
@agency(AccessRule.SUPERVISOR)
def withdraw_statement(stored_id: str) -> Answer:
    """Another person confirms it: nothing is compared with it any more, and a corrected statement
    that was refused because of it is filed."""
    reason = reason_of(read_object("reason"))
    do_once(
        lambda deps, by: confirm_withdrawal(deps, stored_id, by, reason),
        "statement-withdraw", stored_id, reason,
    )  # fmt: skip
    return _answer(stored_id)


@blueprint.post("/payments/statements/<stored_id>/withdrawal-refusals")
@agency(AccessRule.CLERK)
def refuse_statement_withdrawal(stored_id: str) -> Answer:
    """The proposal falls away and the statement stands; its proposer may say so too."""
    reason = reason_of(read_object("reason"))
    do_once(
        lambda deps, by: refuse_withdrawal(deps, stored_id, by, reason),
        "statement-refuse", stored_id, reason,
    )  # fmt: skip
    return _answer(stored_id)


def _answer(stored_id: str) -> Answer:
    with services().work(write=False) as work:
        found = work.bank_statements.filed(stored_id)
        if found is None:
            raise NotFoundError("没有这张对账单", "there is no such statement")
        return jsonify(_shown(found, work.bank_statements.steps_of(stored_id)))


def _shown(one: StoredStatement, steps: list[WithdrawalStep]) -> dict[str, Any]:
    return {
        "id": one.id,
        "statement_id": one.statement_id,
        "filing": one.filing,
        "region": one.region,
        "account_tail": one.account[-4:],
        "from": one.from_at.isoformat(),
        "to": one.to_at.isoformat(),
        "opening_fen": one.opening_fen,
        "closing_fen": one.closing_fen,
        "entries": one.entry_count,
        "simulated": one.simulated,
        "message_id": one.message_id,
        "is_withdrawn": is_withdrawn(steps),
        "steps": [
            {"action": step.action, "by": step.by, "at": step.at.isoformat(), "reason": step.reason}
            for step in steps
        ],
        "href": f"{_HERE}/{one.id}",
        "links": _links(one, steps),
    }


def _links(one: StoredStatement, steps: list[WithdrawalStep]) -> dict[str, Any]:
    me, can = caller(), {"withdrawal-proposals"}
    if is_withdrawn(steps):
        can = set()
    elif steps and steps[-1].action == PROPOSE:
        can = {"withdrawal-proposals", "withdrawal-refusals"}
        if steps[-1].by != me.username and covers(me.role, "supervisor"):
            can.add("withdrawal")
    return {name: {"method": "POST", "href": f"{_HERE}/{one.id}/{name}"} for name in sorted(can)}
