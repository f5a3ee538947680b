"""The routes of the staff API. They do not catch: errors become problems in one place.

Every POST may be sent again: asking for work carries a key, and the same finding, resolution or
request for material by the same person is the one that is there.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from backend.domain.review import Outcome
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.problems import problem_response
from backend.entrypoints.staff.openapi import document
from backend.entrypoints.staff.requests import (
    MalformedStaffRequestError,
    day_of,
    query_number,
    read_object,
    request_key,
    rulings_of,
    text_of,
    texts_of,
)
from backend.entrypoints.staff.session import LIFE_SECONDS, caller, services, sign_in, sign_out
from backend.service_layer.review import assignment, decide, material, read
from backend.service_layer.review import overdue as late
from backend.service_layer.review.records import OPEN_STEPS_MAX, Staff

blueprint: Final = Blueprint("staff", __name__, url_prefix="/staff/v1")

Answer = tuple[Response, int] | Response
_ENDINGS: Final = {"image/jpeg": "jpg", "image/png": "png", "application/pdf": "pdf"}


@blueprint.after_request
def name_the_scheme(response: Response) -> Response:
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


# --- session ---------------------------------------------------------------------------------


@blueprint.post("/session")
@access(AccessRule.PUBLIC)
def post_session() -> Answer:
    body = read_object("username", "password", "code")
    token, person = sign_in(
        text_of(body, "username"),
        text_of(body, "password", optional=True),
        text_of(body, "code", optional=True),
    )
    return jsonify({"token": token, "expires_in": LIFE_SECONDS, "staff": _staff(person)}), 201


@blueprint.delete("/session")
@access(AccessRule.STAFF)
def delete_session() -> Answer:
    sign_out()
    return Response(status=204)


@blueprint.get("/me")
@access(AccessRule.STAFF)
def me() -> Answer:
    return jsonify(_staff(caller()))


@blueprint.post("/me/away")
@access(AccessRule.REVIEWER)
def be_away() -> Answer:
    """The caller is away until ``back_on``, or back; what they hold is drawn for others."""
    body = read_object("back_on")
    moved = assignment.be_away(services(), caller(), day_of(body, "back_on"))
    return jsonify({"steps_drawn_anew": moved})


def _staff(person: Staff) -> dict[str, Any]:
    return {
        "username": person.username,
        "name": person.name,
        "role": person.role,
        "queues": list(person.queues),
        "away_until": None if person.away_until is None else person.away_until.isoformat(),
    }


# --- cases -----------------------------------------------------------------------------------


@blueprint.get("/cases")
@access(AccessRule.REVIEWER)
def my_cases() -> Answer:
    return jsonify({"cases": read.my_cases(services(), caller())})


@blueprint.post("/cases/next")
@access(AccessRule.REVIEWER)
def next_case() -> Answer:
    """The next case, drawn; 204 when there is none."""
    found = assignment.next_for(services(), caller(), request_key())
    if found is None:
        return Response(status=204)
    return jsonify(read.view_case(services(), found.case.id, caller()))


@blueprint.get("/cases/<case_id>")
@access(AccessRule.REVIEWER)
def get_case(case_id: str) -> Answer:
    return jsonify(read.view_case(services(), case_id, caller()))


@blueprint.post("/cases/<case_id>/preview")
@access(AccessRule.REVIEWER)
def preview(case_id: str) -> Answer:
    rulings = rulings_of(read_object("rulings")) or ()
    found = decide.preview(services(), case_id, caller().id, rulings)
    return jsonify(read.preview_view(services(), case_id, found))


@blueprint.post("/cases/<case_id>/resolve")
@access(AccessRule.REVIEWER)
def resolve(case_id: str) -> Answer:
    body = read_object("reasons", "reason", "rulings")
    partial = decide.Partial(
        texts_of(body, "reasons"), text_of(body, "reason"), rulings_of(body) or ()
    )
    left = decide.resolve(services(), case_id, caller().id, partial)
    return jsonify({"left": [pend.id for pend in left]})


@blueprint.post("/cases/<case_id>/approve")
@access(AccessRule.REVIEWER)
def approve(case_id: str) -> Answer:
    return _find(case_id, Outcome.APPROVE)


@blueprint.post("/cases/<case_id>/refuse")
@access(AccessRule.REVIEWER)
def refuse(case_id: str) -> Answer:
    return _find(case_id, Outcome.REFUSE)


def _find(case_id: str, outcome: Outcome) -> Answer:
    body = read_object("reason", "rulings")
    verdict = decide.Verdict(outcome, text_of(body, "reason"), rulings_of(body))
    decide.find(services(), case_id, caller().id, verdict)
    return jsonify(read.view_case(services(), case_id, caller()))


@blueprint.post("/cases/<case_id>/decline")
@access(AccessRule.REVIEWER)
def decline(case_id: str) -> Answer:
    reason = text_of(read_object("reason"), "reason")
    drawn = assignment.decline(services(), case_id, caller().id, reason)
    return jsonify({"given_on": drawn is not None})


@blueprint.post("/cases/<case_id>/material-requests")
@access(AccessRule.REVIEWER)
def ask_for_material(case_id: str) -> Answer:
    body = read_object("needed_zh", "needed_en")
    asked = material.ask(
        services(), case_id, caller().id, text_of(body, "needed_zh"), text_of(body, "needed_en")
    )
    return jsonify({"ordinal": asked.ordinal, "due_on": asked.due_on.isoformat()}), 201


@blueprint.get("/cases/<case_id>/files/<int:ordinal>/<int:position>")
@access(AccessRule.REVIEWER)
def attachment(case_id: str, ordinal: int, position: int) -> Answer:
    """An attachment as a download, to who has a step of the case; that they took it is noted."""
    deps = services()
    with deps.work() as work:
        case = work.reviews.get_case(case_id)
        read.require_reviewer(work, case, caller())
        entry = material.attachment(work, case_id, ordinal, position)
        what = f"file {ordinal}/{position}"
        work.reviews.add_look(deps.ids.new_id("look"), case_id, caller().id, what, deps.clock.now())
        work.commit()
    response = Response(deps.material_store.get(entry.digest), mimetype=entry.media_type)
    name = f"material-{ordinal}-{position}.{_ENDINGS[entry.media_type]}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


# --- lists -----------------------------------------------------------------------------------


@blueprint.get("/cases/open")
@access(AccessRule.SUPERVISOR)
def open_cases() -> Answer:
    """What waits for people, all of it, by ``queue``, page by page."""
    queue = request.args.get("queue", "")
    after = query_number("after", 0, OPEN_STEPS_MAX, low=0)
    limit = query_number("limit", 100, 500)
    return jsonify(late.open_cases(services(), caller(), queue, after, limit))


@blueprint.get("/overdue")
@access(AccessRule.REVIEWER)
def overdue() -> Answer:
    return jsonify(late.overdue(services(), caller()))


@blueprint.get("/statistics")
@access(AccessRule.REVIEWER)
def statistics() -> Answer:
    return jsonify(read.statistics(services(), caller()))


@blueprint.post("/cases/<case_id>/assign")
@access(AccessRule.SUPERVISOR)
def assign(case_id: str) -> Answer:
    """Draw a person for a step that nobody holds; who it is is not said."""
    if request.get_data(cache=False) not in (b"", b"{}"):
        raise MalformedStaffRequestError(
            "分派由系统抽取，不能指定人员", "the system draws: nobody can be named"
        )
    deps = services()
    with deps.work() as work:
        case, _ = decide.lock_case(work, case_id)
        step = assignment.current_step(work, case)
        is_given = step.holder_id is not None
        if not is_given:
            is_given = assignment.assign(deps, work, case, "opened") is not None
        work.commit()
    return jsonify({"is_given": is_given})


@blueprint.get("/openapi.json")
@access(AccessRule.PUBLIC)
def openapi() -> Answer:
    return jsonify(document())


@blueprint.route("/<path:unknown>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
@access(AccessRule.PUBLIC)
def unknown_resource(unknown: str) -> Response:
    return problem_response(
        "not-found", 404, "没有这个接口", "there is no such resource; see /staff/v1/openapi.json"
    )
