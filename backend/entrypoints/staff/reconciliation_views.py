"""The staff API's routes of the reconciliation of money: its cases, its state, its reports."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from flask import jsonify, request

from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.review import covers
from backend.entrypoints.access import AccessRule
from backend.entrypoints.staff.agency_desk import agency, do_once, reason_of
from backend.entrypoints.staff.requests import (
    MalformedStaffRequestError,
    query_number,
    read_object,
    text_of,
)
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.anchoring.model import Case, CaseEvent
from backend.service_layer.claims.case_closing import (
    CaseOutcome,
    add_note,
    assign,
    confirm_closing,
    propose_closing,
)
from backend.service_layer.money_reconciliation.cases import overdue
from backend.service_layer.money_reconciliation.status import reconciliation_figures
from backend.service_layer.money_reconciliation.words import case_in_words
from backend.service_layer.payout.manual import CASE_KIND

_PAGE: Final = 50
_PAGE_MAX: Final = 200
_HERE: Final = "/staff/v1/reconciliation"
_OUTCOMES: Final = frozenset(map(str, CaseOutcome))


@blueprint.get("/reconciliation")
@agency(AccessRule.CLERK)
def reconciliation_state() -> Answer:
    """When the last report was made, whether that is too long ago, how many cases wait."""
    with services().work(write=False) as work:
        return jsonify(reconciliation_figures(services(), work))


@blueprint.get("/reconciliation/cases")
@agency(AccessRule.CLERK)
def reconciliation_cases() -> Answer:
    """One page of the open cases, the oldest first; ``?overdue=1`` those past their deadline."""
    after, limit = request.args.get("after", ""), query_number("limit", _PAGE, _PAGE_MAX)
    now = services().clock.now()
    with services().work(write=False) as work:
        late = overdue(work, now)
        is_late_only = request.args.get("overdue") == "1"
        found = late if is_late_only else list(work.reconciliation.open_cases())
        place = work.reconciliation.case(after[:120]) if after else None
    if after and place is None:
        raise MalformedStaffRequestError("after 应为上一页的 next", "after is the next of a page")
    if place is not None:
        since = (place.found_at, place.id)
        found = [one for one in found if (one.found_at, one.id) > since]
    late_ids = {one.id for one in late}
    shown = [_row(one, is_late=one.id in late_ids) for one in found[:limit]]
    following = found[limit - 1].id if len(found) > limit else None
    return jsonify({"cases": shown, "next": following})


@blueprint.get("/reconciliation/cases/<path:case_id>")
@agency(AccessRule.CLERK)
def reconciliation_case(case_id: str) -> Answer:
    """One case with everything that happened to it; what the caller may do stands in ``links``."""
    return _answer(case_id)


@blueprint.post("/reconciliation/cases/<path:case_id>/notes")
@agency(AccessRule.CLERK)
def note_case(case_id: str) -> Answer:
    """Keep what was found out about a case, open or closed."""
    text = reason_of(read_object("text"), "text")
    do_once(lambda deps, by: add_note(deps, case_id, by, text), "case-note", case_id, text)
    return _answer(case_id)


@blueprint.post("/reconciliation/cases/<path:case_id>/assign")
@agency(AccessRule.SUPERVISOR)
def assign_case(case_id: str) -> Answer:
    """Say which member of staff looks into a case."""
    to = text_of(read_object("to"), "to")[:60]
    with services().work(write=False) as work:
        known = [one for one in work.staff.find(to) if one.username == to and one.is_active]
    if not known or known[0].hospital_code is not None:
        raise NotFoundError("没有这个在岗的经办人员", "there is no such member of staff at work")
    do_once(lambda deps, by: assign(deps, case_id, to, by), "case-assign", case_id, to)
    return _answer(case_id)


@blueprint.post("/reconciliation/cases/<path:case_id>/propose")
@agency(AccessRule.CLERK)
def propose_case(case_id: str) -> Answer:
    """One person says what was found and how the case ends: accepted, or corrected."""
    body = read_object("reason", "outcome")
    reason, said = reason_of(body), text_of(body, "outcome", optional=True)
    if said and said not in _OUTCOMES:
        raise MalformedStaffRequestError(
            "outcome 应为 accepted 或 corrected", "outcome is accepted or corrected"
        )
    _require_ours(case_id)
    outcome = CaseOutcome(said) if said else None
    do_once(
        lambda deps, by: propose_closing(deps, case_id, by, reason, outcome),
        "case-propose", case_id, said, reason,
    )  # fmt: skip
    return _answer(case_id)


@blueprint.post("/reconciliation/cases/<path:case_id>/confirm")
@agency(AccessRule.SUPERVISOR)
def confirm_case(case_id: str) -> Answer:
    """Another person confirms the newest proposal: the case is closed."""
    reason = reason_of(read_object("reason"))
    _require_ours(case_id)
    do_once(
        lambda deps, by: confirm_closing(deps, case_id, by, reason),
        "case-confirm", case_id, reason,
    )  # fmt: skip
    return _answer(case_id)


@blueprint.get("/reconciliation/reports")
@agency(AccessRule.CLERK)
def reconciliation_reports() -> Answer:
    """The signed reports, the newest first; ``yichu reconcile verify`` checks one."""
    limit = query_number("limit", _PAGE, _PAGE_MAX)
    with services().work(write=False) as work:
        reports = work.money_reports.all(limit)
    return jsonify(
        {
            "reports": [
                {
                    "number": one.number,
                    "made_at": one.made_at.isoformat(),
                    "mismatches": one.mismatch_count,
                    "digest": one.digest.hex(),
                    "previous_digest": one.previous_digest.hex(),
                    "account": one.account,
                    "signature": one.signature.hex(),
                }
                for one in reports
            ]
        }
    )


def _require_ours(case_id: str) -> None:
    if case_id.startswith(f"{CASE_KIND}:"):
        raise ConflictError(
            "银行文件请在 /staff/v1/payments/messages 里处理",
            "a bank file is dealt with under /staff/v1/payments/messages",
        )


def _answer(case_id: str) -> Answer:
    with services().work(write=False) as work:
        case = work.reconciliation.case(case_id)
        if case is None and case_id.startswith("alarm:"):
            # The case of an alarm bears the instant at which it was opened.
            of_alarm = [
                one
                for one in work.reconciliation.cases_of("alarm")
                if one.id.rpartition(":")[0] == case_id
            ]
            case = of_alarm[-1] if of_alarm else None
        if case is None:
            raise NotFoundError("没有这条待办", "there is no such case")
        happened = work.reconciliation.events_of(case.id)
        late = case.id in {one.id for one in overdue(work, services().clock.now())}
    return jsonify(
        _row(case, is_late=late)
        | {
            "resolved_at": None if case.resolved_at is None else case.resolved_at.isoformat(),
            "resolved_by": case.resolved_by,
            "events": [_event(one) for one in happened],
            "links": _links(case, happened),
        }
    )


def _links(case: Case, happened: Any) -> dict[str, Any]:
    me = caller()
    can = {"notes"}
    if case.resolved_at is None:
        is_boss = covers(me.role, "supervisor")
        can |= {"assign"} if is_boss else set()
        if case.kind != CASE_KIND:
            can.add("propose")
            proposed = [one.by for one in happened if one.kind == "proposed"]
            if is_boss and proposed and proposed[-1] != me.username:
                can.add("confirm")
    here = f"{_HERE}/cases/{quote(case.id, safe='')}"
    return {name: {"method": "POST", "href": f"{here}/{name}"} for name in sorted(can)}


def _row(case: Case, *, is_late: bool) -> dict[str, Any]:
    zh, en = case_in_words(case.kind, case.detail)
    return {
        "id": case.id,
        "kind": case.kind,
        "zh": zh,
        "en": en,
        "found_at": case.found_at.isoformat(),
        "due_at": None if case.due_at is None else case.due_at.isoformat(),
        "is_overdue": is_late,
        "detail": case.detail,
        "href": f"{_HERE}/cases/{quote(case.id, safe='')}",
    }


def _event(one: CaseEvent) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "by": one.by,
        "at": one.at.isoformat(),
        "text": one.text,
        "outcome": one.outcome,
        "report_number": one.report_number,
    }
