"""The staff API's routes of accident claims: declarations at the window, kind, exclusions."""

from __future__ import annotations

from typing import Any, Final

from flask import jsonify

from backend.domain.accident import EXCUSES, read_accident, read_excuse
from backend.domain.local_time import local_day
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.staff.requests import (
    MalformedStaffRequestError,
    read_object,
    text_of,
    wholes_of,
)
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.claims.declaration_records import Declaration, Subject
from backend.service_layer.claims.records import Claim
from backend.service_layer.handling.accident_answers import correct_kind, declare, excuse_later
from backend.service_layer.handling.accident_review import (
    ask_to_declare,
    exclude_in_case,
    set_kind,
)
from backend.service_layer.review.read import names_hidden_now, strike_out, view_case

_ANSWERS: Final = (
    "happened_on", "place", "manner", "story", "third_party", "at_work", "traffic", "other_party",
    "signed",
)  # fmt: skip


@blueprint.get("/claims/<number>/accident")
@access(AccessRule.CLERK)
def accident_of_claim(number: str) -> Answer:
    """The claim's kind and every declaration; without the names that a blind step hides."""
    with services().work(write=False) as work:
        claim = work.claims.by_number(number)
        declared = {
            str(subject): [
                _declaration(one) for one in work.declarations.of_claim(claim.id, subject)
            ]
            for subject in Subject
        }
    hidden = names_hidden_now(services(), claim.id)
    return jsonify(strike_out(_claim(claim) | {"declared": declared}, hidden))


@blueprint.post("/claims/<number>/accident/declarations")
@access(AccessRule.CLERK)
def declare_for_citizen(number: str) -> Answer:
    """Enter the declaration of a citizen who stands at the window and has signed on paper."""
    body = read_object(*_ANSWERS)
    answers = {name: text_of(body, name, optional=True) for name in _ANSWERS}
    accident = read_accident(answers, local_day(services().clock.now()))
    with services().work(write=False) as work:
        claim = work.claims.by_number(number)
    stored = declare(services(), claim.person_id, claim.id, accident, by=caller().username)
    return jsonify(_declaration(stored)), 201


@blueprint.post("/claims/<number>/excuses")
@access(AccessRule.CLERK)
def excuse_for_citizen(number: str) -> Answer:
    """Enter why a claim was filed late, for a citizen who says so at the window."""
    body = read_object("code", "text")
    excuse = read_excuse(text_of(body, "code"), text_of(body, "text", optional=True))
    if excuse is None:
        raise MalformedStaffRequestError(
            f"code 应为：{'、'.join(EXCUSES)}", f"code is one of: {', '.join(EXCUSES)}"
        )
    with services().work(write=False) as work:
        claim = work.claims.by_number(number)
    deps = services()
    stored = excuse_later(deps, claim.person_id, claim.id, excuse, by=caller().username)
    return jsonify(_declaration(stored)), 201


@blueprint.post("/claims/<number>/kind")
@access(AccessRule.SUPERVISOR)
def kind_of_claim(number: str) -> Answer:
    """Correct the kind of a claim that nobody reviews, or that its reviewer cannot."""
    body = read_object("kind", "reason")
    claim = correct_kind(
        services(), number, text_of(body, "kind"), caller().username, text_of(body, "reason")
    )
    return jsonify(_claim(claim))


@blueprint.post("/cases/<case_id>/kind")
@access(AccessRule.REVIEWER)
def kind_in_case(case_id: str) -> Answer:
    """Correct the kind of the claim whose step the caller holds."""
    body = read_object("kind", "reason")
    claim = set_kind(
        services(), case_id, caller().id, text_of(body, "kind"), text_of(body, "reason")
    )
    return jsonify(_claim(claim))


@blueprint.post("/cases/<case_id>/declaration-requests")
@access(AccessRule.REVIEWER)
def ask_for_declaration(case_id: str) -> Answer:
    """Ask the citizen for the declaration with the undertaking (承诺书)."""
    reason = text_of(read_object("reason"), "reason")
    return jsonify(_claim(ask_to_declare(services(), case_id, caller().id, reason))), 201


@blueprint.post("/cases/<case_id>/exclude")
@access(AccessRule.REVIEWER)
def exclude(case_id: str) -> Answer:
    """Finish the step for a coded reason: without ``lines`` nothing is paid, with them these
    lines are not and the rest is approved."""
    body = read_object("code", "reason", "lines")
    coded = (text_of(body, "code"), text_of(body, "reason"))
    exclude_in_case(services(), case_id, caller().id, coded, wholes_of(body, "lines"))
    return jsonify(view_case(services(), case_id, caller()))


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "number": claim.number,
        "kind": claim.kind,
        "state": str(claim.state),
        "waits_for": claim.waiting_for,
    }


def _declaration(one: Declaration) -> dict[str, Any]:
    return {
        "version": one.version,
        "content": one.content,
        "declared_by": one.declared_by,
        "declared_at": one.declared_at.isoformat(),
        "undertaking_version": one.undertaking_version,
    }
