"""The routes of commercial insurers under ``/v1/payer``: what citizens opened, and own claims."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, jsonify, request

from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.api import payer_answers
from backend.entrypoints.api.authentication import services
from backend.entrypoints.api.documents import MalformedRequestError
from backend.entrypoints.api.payer_authentication import CALLS_A_MINUTE, payer
from backend.entrypoints.api.payer_requests import (
    ID_MAX,
    RULING,
    amount_of,
    page_of,
    read_object,
    request_key,
    ruling_of,
)
from backend.entrypoints.api.views import Answer, blueprint
from backend.service_layer.second_payers import calls, opening
from backend.service_layer.second_payers.once import Answered, Once

POLICY: Final = f'"calls";q={CALLS_A_MINUTE};w=60'


@blueprint.after_request
def name_the_limit(response: Response) -> Response:
    if request.path.startswith("/v1/payer"):
        response.headers["RateLimit-Policy"] = POLICY
    return response


@blueprint.get("/v1/payer")
@access(AccessRule.PAYER)
def own_payer() -> Answer:
    return jsonify(payer_answers.payer_answer(payer()))


@blueprint.get("/v1/payer/consents")
@access(AccessRule.PAYER)
def list_consents() -> Answer:
    """What is open to the payer now, in the order in which it was opened."""
    after, limit = page_of()
    rows, has_more = opening.live_consents(services(), payer(), after, limit)
    found = [payer_answers.consent_answer(consent, claim) for consent, claim in rows]
    return _page("consents", found, has_more=has_more, limit=limit)


@blueprint.get("/v1/payer/bills/<bill_id>")
@access(AccessRule.PAYER)
def get_bill(bill_id: str) -> Answer:
    return jsonify(
        payer_answers.bill_answer(opening.opened_bill(services(), payer(), bill_id[:ID_MAX]))
    )


@blueprint.post("/v1/payer/bills/<bill_id>/lodge")
@access(AccessRule.PAYER)
def lodge_bill(bill_id: str) -> Answer:
    read_object()
    once = _once("lodge", bill_id)
    return _answer(calls.lodge(services(), payer(), bill_id[:ID_MAX], once))


@blueprint.get("/v1/payer/claims")
@access(AccessRule.PAYER)
def list_claims() -> Answer:
    after, limit = page_of()
    views, has_more = opening.claim_views(services(), payer(), after, limit)
    found = [payer_answers.claim_answer(view) for view in views]
    return _page("claims", found, has_more=has_more, limit=limit)


@blueprint.get("/v1/payer/claims/<claim_id>")
@access(AccessRule.PAYER)
def get_claim(claim_id: str) -> Answer:
    return jsonify(
        payer_answers.claim_answer(opening.claim_view(services(), payer(), claim_id[:ID_MAX]))
    )


@blueprint.post("/v1/payer/claims/<claim_id>/settle")
@access(AccessRule.PAYER)
def settle_claim(claim_id: str) -> Answer:
    body = read_object("amount_fen", *RULING)
    amount_fen, ruling = amount_of(body), ruling_of(body)
    once = _once(
        "settle", claim_id, str(amount_fen), ruling.fingerprint.hex(), ruling.policy_hash.hex()
    )
    return _answer(
        calls.settle(
            services(), payer(), claim_id[:ID_MAX], once, amount_fen=amount_fen, ruling=ruling
        )
    )


@blueprint.post("/v1/payer/claims/<claim_id>/release")
@access(AccessRule.PAYER)
def release_claim(claim_id: str) -> Answer:
    """Given up, or refused: then with the decision and the policy that it rests on."""
    body = read_object("reason", *RULING)
    reason = body.get("reason")
    if reason not in ("given-up", "refused"):
        raise MalformedRequestError(
            "reason 应为 given-up 或 refused", "reason is given-up or refused"
        )
    ruling = ruling_of(body) if reason == "refused" else None
    if ruling is None and len(body) > 1:
        raise MalformedRequestError(
            "given-up 不带决定", "given-up takes no decision: leave the other members out"
        )
    said = () if ruling is None else (ruling.fingerprint.hex(), ruling.policy_hash.hex())
    once = _once("release", claim_id, *said)
    return _answer(calls.release(services(), payer(), claim_id[:ID_MAX], once, ruling))


@blueprint.post("/v1/payer/claims/<claim_id>/renew")
@access(AccessRule.PAYER)
def renew_claim(claim_id: str) -> Answer:
    read_object()
    return _answer(calls.renew(services(), payer(), claim_id[:ID_MAX], _once("renew", claim_id)))


def _once(*asked: str) -> Once:
    return Once(request_key(), asked, payer_answers.claim_text)


def _answer(done: Answered) -> Answer:
    response = Response(done.body, done.status, mimetype="application/json")
    if done.is_replayed:
        response.headers["Idempotency-Replayed"] = "true"
    claim_id = response.get_json()["id"]
    response.headers["Location"] = f"/v1/payer/claims/{claim_id}"
    return response


def _page(name: str, found: list[dict[str, Any]], *, has_more: bool, limit: int) -> Answer:
    last = found[-1]["id"] if found and has_more else None
    response = jsonify({name: found, "has_more": has_more, "next": last})
    if last is not None:
        href = f"/v1/payer/{name}?after={last}&limit={limit}"
        response.headers["Link"] = f'<{href}>; rel="next"'
    return response
