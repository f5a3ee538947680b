"""The staff API's routes of correcting entries: one person proposes, another one confirms."""

from __future__ import annotations

import re
from typing import Any, Final

from flask import jsonify, request

from backend.domain.errors import NotFoundError
from backend.domain.journal import AMOUNT_FEN_MAX, EventKind, Layer
from backend.domain.person import INSURANCE_TYPES
from backend.domain.review import covers
from backend.entrypoints.access import AccessRule
from backend.entrypoints.staff.agency_desk import agency, do_once, reason_of
from backend.entrypoints.staff.requests import (
    MalformedStaffRequestError,
    query_number,
    read_object,
    text_of,
    whole_of,
)
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.journal.adjustments import (
    CREDIT,
    DEBIT,
    KINDS,
    Wanted,
    confirm,
    propose,
    refuse,
)
from backend.service_layer.journal.records import Adjustment, AdjustmentAnswer

_PAGE: Final = 50
_PAGE_MAX: Final = 200
_NUMBER_MAX: Final = 2**31 - 1
_NUMBER: Final = f"<int(min=1, max={_NUMBER_MAX}):number>"
_REFERENCE_MAX: Final = 80
_HERE: Final = "/staff/v1/adjustments"
_REGION: Final = re.compile(r"[0-9]{6}")
_Row = tuple[Adjustment, AdjustmentAnswer | None]


@blueprint.get("/adjustments")
@agency(AccessRule.CLERK)
def adjustments() -> Answer:
    """One page of the correcting entries, the oldest first; ``?open=1`` those that wait."""
    after = query_number("after", 0, _NUMBER_MAX, low=0)
    limit, open_only = query_number("limit", _PAGE, _PAGE_MAX), request.args.get("open") == "1"
    with services().work(write=False) as work:
        found = work.adjustments.page(after, limit + 1, open_only=open_only)
    following = found[limit - 1][0].number if len(found) > limit else None
    return jsonify({"adjustments": [_shown(one) for one in found[:limit]], "next": following})


@blueprint.get(f"/adjustments/{_NUMBER}")
@agency(AccessRule.CLERK)
def adjustment(number: int) -> Answer:
    """One correcting entry with both people; what the caller may do stands in ``links``."""
    return _answer(number)


@blueprint.post("/adjustments")
@agency(AccessRule.CLERK)
def propose_adjustment() -> Answer:
    """One person says what an entry or a movement at the bank is corrected by; nothing is booked
    until another one confirms it."""
    body = read_object(
        "kind", "region", "insurance_type", "amount_fen", "reference", "side", "layer", "suspense",
        "reason",
    )  # fmt: skip
    wanted, reason, made = _wanted(body), reason_of(body), []
    known = do_once(
        lambda deps, by: made.append(propose(deps, wanted, by=by, reason=reason).number),
        "adjustment-propose", repr(wanted), reason,
        result=lambda work: str(work.adjustments.next_number() - 1),
    )  # fmt: skip
    return _answer(made[0] if known is None else int(known))


@blueprint.post(f"/adjustments/{_NUMBER}/confirm")
@agency(AccessRule.SUPERVISOR)
def confirm_adjustment(number: int) -> Answer:
    """Another person than the one who proposed it: everything is checked again and booked."""
    reason = reason_of(read_object("reason"))
    do_once(
        lambda deps, by: confirm(deps, number, by=by, reason=reason),
        "adjustment-confirm", str(number), reason,
    )  # fmt: skip
    return _answer(number)


@blueprint.post(f"/adjustments/{_NUMBER}/refuse")
@agency(AccessRule.CLERK)
def refuse_adjustment(number: int) -> Answer:
    """The proposal falls away; its own proposer may say so too."""
    reason = reason_of(read_object("reason"))
    do_once(
        lambda deps, by: refuse(deps, number, by=by, reason=reason),
        "adjustment-refuse", str(number), reason,
    )  # fmt: skip
    return _answer(number)


def _wanted(body: dict[str, Any]) -> Wanted:
    amount_fen = whole_of(body, "amount_fen") or 0
    suspense = whole_of(body, "suspense", optional=True)
    is_number = suspense is None or 0 < suspense <= _NUMBER_MAX
    if not 0 < amount_fen <= AMOUNT_FEN_MAX or not is_number:
        raise MalformedStaffRequestError(
            "amount_fen 应为大于 0 的分数，suspense 应为更正号",
            "amount_fen is more than 0 fen, suspense the number of an adjustment",
        )
    region = text_of(body, "region", optional=True) or services().settings.region
    reference = text_of(body, "reference", optional=True)
    if _REGION.fullmatch(region) is None or len(reference) > _REFERENCE_MAX:
        raise MalformedStaffRequestError(
            f"region 应为 6 位区划代码，reference 最多 {_REFERENCE_MAX} 字符",
            f"region is a code of 6 digits, reference has at most {_REFERENCE_MAX} characters",
        )
    layer = _one_of(body, "layer", tuple(map(str, Layer)), optional=True)
    return Wanted(
        EventKind(_one_of(body, "kind", tuple(map(str, KINDS)))),
        region,
        _one_of(body, "insurance_type", tuple(INSURANCE_TYPES)),
        amount_fen,
        reference,
        _one_of(body, "side", (CREDIT, DEBIT), optional=True) or None,
        Layer(layer) if layer else None,
        suspense,
    )


def _one_of(
    body: dict[str, Any], name: str, allowed: tuple[str, ...], *, optional: bool = False
) -> str:
    value = text_of(body, name, optional=optional)
    if value not in allowed and not (optional and not value):
        words = ", ".join(allowed)
        raise MalformedStaffRequestError(f"{name} 应为：{words}", f"{name} is one of: {words}")
    return value


def _found(number: int) -> _Row:
    with services().work(write=False) as work:
        found: list[_Row] = work.adjustments.page(number - 1, 1)
    if not found or found[0][0].number != number:
        raise NotFoundError(f"没有更正 {number}", f"there is no adjustment {number}")
    return found[0]


def _answer(number: int) -> Answer:
    return jsonify(_shown(_found(number)))


def _shown(row: _Row) -> dict[str, Any]:
    one, answer = row
    return {
        "number": one.number,
        "kind": one.kind,
        "region": one.region,
        "insurance_type": one.insurance_type,
        "layer": one.layer,
        "amount_fen": one.amount_fen,
        "reference": one.reference,
        "side": one.side,
        "subject": one.subject,
        "reason": one.reason,
        "proposed_by": one.proposed_by,
        "proposed_at": one.proposed_at.isoformat(),
        "answer": None if answer is None else _ended(answer),
        "href": f"{_HERE}/{one.number}",
        "links": _links(one, answer),
    }


def _ended(answer: AdjustmentAnswer) -> dict[str, Any]:
    return {
        "action": answer.action,
        "by": answer.by,
        "at": answer.at.isoformat(),
        "reason": answer.reason,
        "entry": answer.entry_id,
    }


def _links(one: Adjustment, answer: AdjustmentAnswer | None) -> dict[str, Any]:
    me, can = caller(), {"refuse"}
    if answer is not None:
        can = set()
    elif one.proposed_by != me.username and covers(me.role, "supervisor"):
        can.add("confirm")
    return {
        name: {"method": "POST", "href": f"{_HERE}/{one.number}/{name}"} for name in sorted(can)
    }
