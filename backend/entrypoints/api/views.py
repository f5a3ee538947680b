"""The routes of the hospital API. They do not catch: errors become problems in one place."""

from __future__ import annotations

import re
from typing import Any, Final

from flask import Blueprint, Response, jsonify, render_template_string, request

from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.api import answers
from backend.entrypoints.api.authentication import caller, services
from backend.entrypoints.api.documents import (
    MalformedRequestError,
    read_small_json,
    read_upload,
)
from backend.entrypoints.api.openapi import DOCS_PAGE, document
from backend.entrypoints.problems import problem_response
from backend.service_layer.anchoring import signing_offers
from backend.service_layer.intake import (
    change_invoice,
    invoice_status,
    upload_invoice,
    validation,
)
from backend.service_layer.intake.change_invoice import VoidReason
from backend.service_layer.intake.faults import InvalidInvoiceError
from backend.service_layer.intake.upload_invoice import UploadResult

blueprint: Final = Blueprint("api", __name__)

Answer = tuple[Response, int] | Response
_VOID_REASONS: Final = {reason.name.lower().replace("_", "-"): reason for reason in VoidReason}
_PAGE: Final = 50
_VERSION: Final = re.compile("[1-9][0-9]{0,8}")


@blueprint.after_request
def name_the_scheme(response: Response) -> Response:
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


@blueprint.get("/v1/institution")
@access(AccessRule.HOSPITAL)
def own_institution() -> Answer:
    return jsonify(answers.institution_answer(caller()))


@blueprint.post("/v1/invoices")
@access(AccessRule.HOSPITAL)
def post_invoice() -> Answer:
    upload = read_upload()
    return _uploaded(upload_invoice.upload_invoice(services(), caller(), upload))


@blueprint.post("/v1/invoices/check")
@access(AccessRule.HOSPITAL)
def check_invoice() -> Answer:
    """The very same rules, and nothing is stored."""
    upload = read_upload()
    faults = validation.find_faults(upload.parsed, caller(), services().clock.now())
    if faults:
        raise InvalidInvoiceError(faults)
    return jsonify({"faults": []})


@blueprint.get("/v1/invoices")
@access(AccessRule.HOSPITAL)
def list_invoices() -> Answer:
    """One page in the order of upload, or the one bill with a given number."""
    number = request.args.get("EinvoiceNumber")
    if number is not None:
        code = request.args.get("EinvoiceCode", "")
        found = invoice_status.find_invoice(services(), caller(), code, number)
        return jsonify(
            {"invoices": [answers.invoice_row(found.invoice)], "has_more": False, "next": None}
        )
    text = request.args.get("limit", str(_PAGE))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= invoice_status.PAGE_MAX):
        raise MalformedRequestError("limit 应为 1 到 200", "limit is a number from 1 to 200")
    after = request.args.get("after", "")[:40]
    page, has_more = invoice_status.list_invoices(services(), caller(), after, int(text))
    last = page[-1].id if page and has_more else None
    response = jsonify(
        {
            "invoices": [answers.invoice_row(bill) for bill in page],
            "has_more": has_more,
            "next": last,
        }
    )
    if last is not None:
        response.headers["Link"] = f'</v1/invoices?after={last}&limit={text}>; rel="next"'
    return response


@blueprint.get("/v1/invoices/<invoice_id>")
@access(AccessRule.HOSPITAL)
def get_invoice(invoice_id: str) -> Answer:
    return jsonify(_status(invoice_id))


@blueprint.get("/v1/invoices/<invoice_id>/proof")
@access(AccessRule.HOSPITAL)
def get_proof(invoice_id: str) -> Answer:
    status, position = invoice_status.inclusion_proof(services(), caller(), invoice_id)
    return jsonify(answers.proof_answer(status, position))


@blueprint.post("/v1/invoices/<invoice_id>/corrections")
@access(AccessRule.HOSPITAL)
def post_correction(invoice_id: str) -> Answer:
    upload = read_upload()
    replaces = _replaces()
    result = change_invoice.correct_invoice(services(), caller(), invoice_id, upload, replaces)
    return _uploaded(result)


def _replaces() -> int | None:
    """The version that the correction is meant for, where the request says so."""
    text = request.headers.get("Yichu-Replaces")
    if text is None:
        return None
    if _VERSION.fullmatch(text) is None:
        raise MalformedRequestError(
            "Yichu-Replaces 应为票据现在的版本号", "Yichu-Replaces is the bill's present version"
        )
    return int(text)


@blueprint.post("/v1/invoices/<invoice_id>/void")
@access(AccessRule.HOSPITAL)
def post_void(invoice_id: str) -> Answer:
    reason = _VOID_REASONS.get(read_small_json("reason").get("reason", ""))
    if reason is None:
        names = ", ".join(_VOID_REASONS)
        raise MalformedRequestError(f"reason 应为 {names} 之一", f"reason is one of {names}")
    change_invoice.void_invoice(services(), caller(), invoice_id, reason)
    return jsonify(_status(invoice_id))


@blueprint.get("/v1/invoices/<invoice_id>/disputes")
@access(AccessRule.HOSPITAL)
def get_disputes(invoice_id: str) -> Answer:
    status = invoice_status.invoice_status(services(), caller(), invoice_id)
    upheld = {d.id: d.upheld_invoice_id == status.invoice.id for d in status.disputes}
    rows = [answers.dispute_answer(dispute) for dispute in status.disputes]
    for row in rows:
        row["upheld"] = upheld[row["id"]] if row["state"] == "ruled" else None
    return jsonify({"disputes": rows})


@blueprint.get("/v1/signing-offers/next")
@access(AccessRule.HOSPITAL)
def next_offer() -> Answer:
    """The transaction to sign now, or 204 when there is none."""
    with services().work(write=False) as work:
        offer = signing_offers.offer_next(work, caller().code)
        if offer is None:
            return Response(status=204)
        batches: dict[str, list[dict[str, Any]]] = {}
        for item in offer.items:
            if item.kind != "anchor":
                continue
            rows = batches.setdefault(item.subject_id, [])
            for encoded, version_id in work.batches.leaves(item.subject_id):
                version = work.invoices.version_by_id(version_id)
                bill = work.invoices.get(version.invoice_id)
                rows.append(answers.leaf_answer(encoded, bill, version.version))
    return jsonify(answers.offer_answer(offer, batches))


@blueprint.post("/v1/signing-offers/<offer_id>/raw-transaction")
@access(AccessRule.HOSPITAL)
def post_raw_transaction(offer_id: str) -> Answer:
    from backend.adapters.ledger.transactions import decode_signed

    text = read_small_json("raw").get("raw", "")
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise MalformedRequestError("raw 不是十六进制", "raw is not hex") from error
    with services().work() as work:
        tx_hash = signing_offers.accept_signed(work, caller().code, offer_id, raw, decode_signed)
        work.commit()
    return jsonify({"id": offer_id, "tx_hash": tx_hash.hex(), "state": "signed"}), 202


@blueprint.get("/v1/openapi.json")
@access(AccessRule.PUBLIC)
def openapi() -> Answer:
    return jsonify(document())


@blueprint.get("/docs")
@access(AccessRule.PUBLIC)
def docs() -> str:
    return render_template_string(DOCS_PAGE, api=document())


@blueprint.get("/v1/<path:unknown>")
@access(AccessRule.PUBLIC)
def unknown_resource(unknown: str) -> Response:
    return problem_response(
        "not-found", 404, "没有这个接口", "there is no such resource; see /v1/openapi.json"
    )


def _uploaded(result: UploadResult) -> Answer:
    response = jsonify(_status(result.invoice_id))
    response.headers["Location"] = f"/v1/invoices/{result.invoice_id}"
    return response, 201 if result.created else 200


def _status(invoice_id: str) -> dict[str, Any]:
    status = invoice_status.invoice_status(services(), caller(), invoice_id)
    return answers.invoice_answer(status, services().settings.public_url)
