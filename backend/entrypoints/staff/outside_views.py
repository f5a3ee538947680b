"""The staff API's routes of bills from outside: type, compare, check, confirm; files as downloads.

Whoever is signed in is the person of the step; nobody can be named instead.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Response, jsonify, request

from backend.domain.errors import DomainError
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.staff.requests import (
    MalformedStaffRequestError,
    read_object,
    text_of,
)
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.handling.confirm_outside import confirm_claim
from backend.service_layer.outside.check import Findings, accept_document, refuse_document
from backend.service_layer.outside.records import HospitalFacts
from backend.service_layer.outside.transcript import compare_bill, type_bill
from backend.service_layer.outside.view import (
    OutsideView,
    find_bill,
    open_file,
    waiting_bills,
)
from backend.service_layer.review.read import names_hidden_now, strike_out

LABEL = "未经医院上链"
_DIGEST_HEX = 64
_NAMED = (
    "payer_name", "payer_id", "insurance_id", "institution_name", "institution_code", "cashier",
    "checker",
)  # fmt: skip


@blueprint.get("/outside")
@access(AccessRule.STAFF)
def outside_bills() -> Answer:
    """The bills that wait for a step, oldest first."""
    return jsonify({"bills": [_summary(view) for view in waiting_bills(services())]})


@blueprint.get("/outside/<number>")
@access(AccessRule.STAFF)
def outside_one(number: str) -> Answer:
    """The bill; while its claim is in a blind step of review without the names that are hidden
    there. Its files are shown as they came."""
    view = find_bill(services(), number)
    shown = _whole(view)
    hidden = [] if view.claim is None else names_hidden_now(services(), view.claim.id)
    if hidden:
        # What the document states may be written otherwise than what was stored.
        hidden += [shown["hospital"]["name"] or "", shown["hospital"]["code"] or ""]
        for record in (shown["record"] or {}, shown["stated"] or {}):
            hidden += [str(record.get(name, "")) for name in _NAMED]
        shown = strike_out(shown, hidden)
    return jsonify(shown)


@blueprint.get("/outside/<number>/files/<digest>")
@access(AccessRule.STAFF)
def outside_file(number: str, digest: str) -> Answer:
    """A file as a download, a picture as its re-encoded copy; ``?original=1`` as it came."""
    if len(digest) != _DIGEST_HEX or not set(digest) <= set("0123456789abcdef"):
        raise MalformedStaffRequestError("摘要应为 64 位十六进制", "a digest has 64 hex digits")
    deps = services()
    bill_id = find_bill(deps, number).bill.id
    wants_original = request.args.get("original") == "1"
    found = open_file(
        deps, bill_id, bytes.fromhex(digest), caller().username, is_original=wants_original
    )
    response = Response(found.data, mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{found.name}"'
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@blueprint.post("/outside/<number>/type")
@access(AccessRule.STAFF)
def outside_type(number: str) -> Answer:
    """The body is the bill in the JSON form of docs/api.md."""
    deps = services()
    bill_id = find_bill(deps, number).bill.id
    type_bill(deps, bill_id, request.get_data(cache=False), caller().username)
    return jsonify(_whole(find_bill(deps, number)))


@blueprint.post("/outside/<number>/compare")
@access(AccessRule.STAFF)
def outside_compare(number: str) -> Answer:
    """An empty body: what was typed is the picture's; else a second typing."""
    deps = services()
    bill_id = find_bill(deps, number).bill.id
    typed = request.get_data(cache=False) or None
    compared = compare_bill(deps, bill_id, caller().username, typed)
    found = [one.to_json() for one in compared.differences]
    return jsonify(_whole(find_bill(deps, number)) | {"differences": found})


@blueprint.post("/outside/<number>/check")
@access(AccessRule.REVIEWER)
def outside_check(number: str) -> Answer:
    """就医地审核: accept the document."""
    body = read_object(
        "hospital_code", "hospital_name", "level", "area_code", "is_emergency",
        "is_authentic", "lines_agree", "reason",
    )  # fmt: skip
    level = body.get("level")
    deps = services()
    accept_document(
        deps,
        find_bill(deps, number).bill.id,
        by=caller().username,
        hospital=HospitalFacts(
            code=text_of(body, "hospital_code"),
            name=text_of(body, "hospital_name"),
            level=level if type(level) is int else 0,
            area_code=text_of(body, "area_code"),
            is_emergency=body.get("is_emergency") is True,
        ),
        findings=Findings(
            is_authentic=body.get("is_authentic") is True,
            lines_agree=body.get("lines_agree") is True,
        ),
        reason=text_of(body, "reason"),
    )
    return jsonify(_whole(find_bill(deps, number)))


@blueprint.post("/outside/<number>/reject")
@access(AccessRule.REVIEWER)
def outside_reject(number: str) -> Answer:
    """就医地审核: the document is not accepted."""
    reason = text_of(read_object("reason"), "reason")
    deps = services()
    refuse_document(deps, find_bill(deps, number).bill.id, caller().username, reason)
    return jsonify(_whole(find_bill(deps, number)))


@blueprint.post("/outside/<number>/confirm")
@access(AccessRule.REVIEWER)
def outside_confirm(number: str) -> Answer:
    """参保地确认: ``approves`` true or false."""
    body = read_object("approves", "reason")
    if type(body.get("approves")) is not bool:
        raise MalformedStaffRequestError("approves 应为 true 或 false", "approves is a boolean")
    deps = services()
    confirm_claim(
        deps,
        find_bill(deps, number).bill.id,
        caller().username,
        text_of(body, "reason"),
        approves=body["approves"],
    )
    return jsonify(_whole(find_bill(deps, number)))


def _summary(view: OutsideView) -> dict[str, Any]:
    bill = view.bill
    return {
        "number": bill.number,
        "state": str(bill.state),
        "source": bill.source,
        "label": LABEL,
        "created_at": bill.created_at.isoformat(),
        "claim": None if view.claim is None else view.claim.number,
        "href": f"/staff/v1/outside/{bill.number}",
    }


def _whole(view: OutsideView) -> dict[str, Any]:
    bill = view.bill
    base = f"/staff/v1/outside/{bill.number}"
    return _summary(view) | {
        "claim_state": None if view.claim is None else str(view.claim.state),
        "reason": bill.reason_zh,
        "hospital": {
            "code": bill.hospital_code,
            "name": bill.hospital_name,
            "level": bill.hospital_level,
            "area_code": bill.area_code,
            "is_emergency": bill.is_emergency,
        },
        "files": [
            {
                "role": str(file.role),
                "kind": str(file.kind),
                "size": file.size,
                "sha256": file.digest.hex(),
                "href": f"{base}/files/{file.digest.hex()}",
            }
            for file in view.files
        ],
        "steps": [
            {
                "step": str(step.step),
                "outcome": step.outcome,
                "by": step.by,
                "reason": step.reason,
                "at": step.at.isoformat(),
            }
            for step in view.steps
        ],
        "record": _read(bill.record),
        "stated": _read(bill.stated),
    }


def _read(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise DomainError("存储的票据内容已无法读取", "the stored bill cannot be read") from error
