"""The staff API's routes of leads: opened by staff, worked on by inspectors, ended by supervisors.

Whoever is signed in is the person of the step; nobody can be named instead. Inspectors see the
institution's name, so a reviewer of blind steps gets none of this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flask import Response, jsonify, request

from backend.domain.errors import ConflictError, ForbiddenError, NotFoundError
from backend.domain.review import covers
from backend.domain.supervision import Source, StepKind, SubjectKind
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.staff.requests import (
    TEXT_MAX,
    MalformedStaffRequestError,
    query_number,
    read_object,
    text_of,
    whole_of,
)
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.supervision.cases import Act, take_step
from backend.service_layer.supervision.lead_reading import (
    LeadView,
    export_findings,
    list_leads,
    overdue,
    possible_steps,
    view,
)
from backend.service_layer.supervision.lead_records import Evidence, Subject
from backend.service_layer.supervision.leads import FILE, add_file, add_row, open_lead
from backend.service_layer.supervision.statement_records import Statement

_PAGE: Final = 50
_PAGE_MAX: Final = 200
_FILE_BYTES_MAX: Final = 4 * 2**20
_SUBJECTS: Final = ("claim", "invoice", "institution")
_BY_PEOPLE: Final = (Source.AUDIT_HIT, Source.REPORT)
_ENDINGS: Final = {"image/jpeg": "jpg", "image/png": "png", "application/pdf": "pdf"}
#: step of the path -> what it is and who may take it
STEPS: Final = {
    "dismiss": (StepKind.DISMISSED, AccessRule.INSPECTOR),
    "ask": (StepKind.ASKED, AccessRule.INSPECTOR),
    "answer": (StepKind.ANSWERED, AccessRule.STAFF),
    "find": (StepKind.FOUND, AccessRule.INSPECTOR),
    "appeal": (StepKind.APPEALED, AccessRule.STAFF),
    "expert-ask": (StepKind.EXPERT_ASKED, AccessRule.INSPECTOR),
    "expert-answer": (StepKind.EXPERT_ANSWERED, AccessRule.INSPECTOR),
    "review": (StepKind.REVIEWED, AccessRule.SUPERVISOR),
    "order": (StepKind.ORDERED, AccessRule.SUPERVISOR),
    "refer": (StepKind.REFERRED, AccessRule.SUPERVISOR),
    "set-aside": (StepKind.SET_ASIDE, AccessRule.SUPERVISOR),
}


@blueprint.get("/leads")
@access(AccessRule.INSPECTOR)
def leads() -> Answer:
    """One page, the newest first; ``?closed=1`` with the closed ones. Not of one's own hospital."""
    found = list_leads(services(), show_closed=request.args.get("closed") == "1")
    own = caller().hospital_code
    rows = [one for one in found if own is None or one.lead.institution_code != own]
    after, limit = request.args.get("after", ""), query_number("limit", _PAGE, _PAGE_MAX)
    if after:
        place = next((n for n, one in enumerate(rows) if one.lead.id == after), len(rows))
        rows = rows[place + 1 :]
    has_more = len(rows) > limit
    page = [_row(one) for one in rows[:limit]]
    return jsonify({"leads": page, "next": page[-1]["id"] if has_more else None})


@blueprint.get("/leads/overdue")
@access(AccessRule.INSPECTOR)
def leads_overdue() -> Answer:
    """Cases whose day has passed and that wait for the agency."""
    own = caller().hospital_code
    with services().work(write=False) as work:
        rows = overdue(services(), work)
    return jsonify(
        {"leads": [_row(one) for one in rows if own is None or one.lead.institution_code != own]}
    )


@blueprint.post("/leads")
@access(AccessRule.STAFF)
def post_lead() -> Answer:
    """Open a lead about one claim, bill or institution; the same source, subject and reference
    open one only."""
    body = read_object("source", "reason", "reference", *_SUBJECTS)
    named = [name for name in _SUBJECTS if name in body]
    source = text_of(body, "source")
    if len(named) != 1 or source not in _BY_PEOPLE:
        raise MalformedStaffRequestError(
            "请写 claim、invoice、institution 中的一个；source 为 audit-hit 或 report",
            "name one of claim, invoice, institution; source is audit-hit or report",
        )
    value = text_of(body, named[0])
    deps = services()
    with deps.work() as work:
        if named[0] == "claim":
            value = work.claims.by_number(value).id
        lead = open_lead(
            deps,
            work,
            Source(source),
            Subject(SubjectKind(named[0]), value),
            text_of(body, "reason"),
            by=caller().id,
            source_reference=text_of(body, "reference", optional=True),
        )
        work.commit()
    return jsonify({"id": lead.id}), 201


@blueprint.get("/leads/<lead_id>")
@access(AccessRule.INSPECTOR)
def get_lead(lead_id: str) -> Answer:
    """The whole case; what the caller may do now stands in ``links``."""
    one = _own_view(lead_id)
    deps, me = services(), caller()
    with deps.work(write=False) as work:
        statements = work.statements.of_lead(one.lead.id)
        bookings = [booking.id for booking in work.leads.bookings_of(one.lead.id)]
        possible = possible_steps(deps, work, one.lead.id, me.id)
        names = {staff.id: staff.username for staff in work.staff.all()}
    return jsonify(
        _row(one)
        | {
            "steps": [
                {
                    "ordinal": step.ordinal,
                    "step": str(step.kind),
                    "by": names.get(step.by, step.by),
                    "part": None if step.part is None else str(step.part),
                    "at": step.at.isoformat(),
                    "on": step.on.isoformat(),
                    "reason": step.reason,
                    "outcome": step.outcome,
                    "amount_fen": step.amount_fen,
                    "due_on": None if step.due_on is None else step.due_on.isoformat(),
                }
                for step in one.steps
            ],
            "evidence": [_evidence(item, names) for item in one.evidence],
            "provider": [_statement(sent) for sent in statements],
            "points": bookings,
            "links": {
                name: {"method": "POST", "href": f"/staff/v1/leads/{one.lead.id}/{name}"}
                for name, (kind, rule) in STEPS.items()
                if kind in possible
                and (rule is not AccessRule.SUPERVISOR or covers(me.role, str(rule)))
            },
        }
    )


def _own_view(lead_id: str) -> LeadView:
    one = view(services(), lead_id[:40])
    if caller().hospital_code == one.lead.institution_code:
        raise ForbiddenError(
            "不能看自己所属机构的案件", "nobody looks at a case of their own institution"
        )
    return one


def _row(one: LeadView) -> dict[str, Any]:
    lead = one.lead
    return {
        "id": lead.id,
        "state": str(one.state),
        "is_final": one.is_final,
        "source": str(lead.source),
        "reference": lead.source_reference,
        "subject": {"kind": str(lead.subject_kind), "id": lead.subject_id},
        "institution": lead.institution_code,
        "opened_at": lead.opened_at.isoformat(),
        "amount_fen": one.amount_fen,
        "due_on": None if one.due is None else one.due.isoformat(),
        "due_is_provisional": one.is_provisional,
    }


def _evidence(item: Evidence, names: dict[str, str]) -> dict[str, Any]:
    return {
        "ordinal": item.ordinal,
        "kind": item.kind,
        "reference": item.reference,
        "sha256": item.digest.hex(),
        "description": item.description,
        "added_by": names.get(item.added_by, item.added_by),
        "added_at": item.added_at.isoformat(),
    }


def _statement(sent: Statement) -> dict[str, Any]:
    return {
        "step": str(sent.kind),
        "text": sent.text,
        "received_at": sent.received_at.isoformat(),
        "attachments": [
            {
                "name": one.name,
                "sha256": one.digest.hex(),
                "media_type": one.media_type or None,
                "bytes": one.byte_count,
            }
            for one in sent.files
        ],
    }


# --- steps -----------------------------------------------------------------------------------


def _add_step_route(name: str, kind: StepKind, rule: AccessRule) -> None:
    is_judged = kind in (StepKind.FOUND, StepKind.REVIEWED)

    def step(lead_id: str) -> Answer:
        members = ("reason", "outcome", "amount_fen") if is_judged else ("reason",)
        body = read_object(*members)
        outcome = text_of(body, "outcome") if is_judged else ""
        amount = whole_of(body, "amount_fen", optional=True) if is_judged else None
        act = Act(kind, caller().id, text_of(body, "reason"), outcome, amount)
        take_step(services(), lead_id[:40], act)
        return jsonify(_row(view(services(), lead_id[:40])))

    declared: Callable[[str], Answer] = access(rule)(step)
    endpoint = f"lead_{name.replace('-', '_')}"
    blueprint.add_url_rule(f"/leads/<lead_id>/{name}", endpoint, declared, methods=["POST"])


def add_step_routes() -> None:
    """One route a step, each with its own access rule."""
    for name, (kind, rule) in STEPS.items():
        _add_step_route(name, kind, rule)


# --- evidence --------------------------------------------------------------------------------


@blueprint.post("/leads/<lead_id>/evidence")
@access(AccessRule.INSPECTOR)
def post_evidence(lead_id: str) -> Answer:
    """A stored row with its digest as it is now; nothing is taken out again."""
    body = read_object("kind", "id", "description")
    kind, row_id = text_of(body, "kind"), text_of(body, "id")
    text = text_of(body, "description")
    try:
        added = add_row(services(), lead_id[:40], kind, row_id, text, by=caller().id)
    except ConflictError:
        added = _added_before(lead_id, (kind, row_id), text)
    return jsonify(_evidence(added, {caller().id: caller().username})), 201


@blueprint.post("/leads/<lead_id>/evidence/files")
@access(AccessRule.INSPECTOR)
def post_evidence_file(lead_id: str) -> Answer:
    """The body is a picture or PDF; what it is, its bytes say."""
    content = request.get_data(cache=False)
    if not 0 < len(content) <= _FILE_BYTES_MAX:
        raise MalformedStaffRequestError(
            "文件为 1 字节到 4 MB，没有收下", "a file has 1 byte to 4 MB; nothing was taken"
        )
    text = request.args.get("description", "")[: TEXT_MAX + 1]
    try:
        added = add_file(services(), lead_id[:40], content, text, by=caller().id)
    except ConflictError:
        media_type = services().material_check.media_type(content)
        added = _added_before(lead_id, (FILE, media_type), text)
    return jsonify(_evidence(added, {caller().id: caller().username})), 201


def _added_before(lead_id: str, what: tuple[str, str], text: str) -> Evidence:
    """The very same evidence of the same person, sent again; else what was refused is refused."""
    for one in view(services(), lead_id[:40]).evidence:
        said = ((one.kind, one.reference), one.description, one.added_by)
        if said == (what, text.strip(), caller().id):
            return one
    raise ConflictError(
        "没有收下：案件已结，或这份证据已在案中，或证据太多",
        "not taken: the case is closed, has this evidence already, or has too much of it",
    )


@blueprint.get("/leads/<lead_id>/files/<digest>")
@access(AccessRule.INSPECTOR)
def lead_file(lead_id: str, digest: str) -> Answer:
    """A file of the evidence or of the provider, as a download."""
    one, deps = _own_view(lead_id), services()
    with deps.work(write=False) as work:
        kinds = {
            file.digest.hex(): file.media_type
            for sent in work.statements.of_lead(one.lead.id)
            for file in sent.files
            if file.media_type
        }
    kinds |= {item.digest.hex(): item.reference for item in one.evidence if item.kind == FILE}
    if digest not in kinds:
        raise NotFoundError("案中没有这个文件", "the case has no such file")
    media_type = kinds[digest]
    response = Response(deps.material_store.get(bytes.fromhex(digest)), mimetype=media_type)
    name = f"evidence-{digest[:16]}.{_ENDINGS[media_type]}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


@blueprint.get("/findings")
@access(AccessRule.SUPERVISOR)
def findings() -> Answer:
    """Final findings for another system: no claim, no bill, no person, no free text."""
    return jsonify({"findings": export_findings(services())})
