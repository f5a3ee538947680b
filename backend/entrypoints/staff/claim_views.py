"""The staff API's routes of a claim as a whole: its versions, and withdrawing it for a citizen."""

from __future__ import annotations

from flask import jsonify

from backend.domain.claim import ClaimState
from backend.domain.revision import CAUSE_ZH, Cause
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.staff.requests import read_object, text_of
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.handling.withdraw import withdraw_on_request


@blueprint.get("/claims/<number>/history")
@access(AccessRule.SUPERVISOR)
def claim_history(number: str) -> Answer:
    """Every decision version with its cause, every request with its outcome, every event."""
    with services().work(write=False) as work:
        claim = work.claims.by_number(number)
        causes = work.revisions.causes_of(claim.id)
        versions = []
        for one in work.decisions.all_of(claim.id):
            cause = causes.get(one.version, Cause.FIRST)
            versions.append(
                {
                    "version": one.version,
                    "decided_at": one.decided_at.isoformat(),
                    "cause": str(cause),
                    "cause_zh": CAUSE_ZH[cause],
                    "outcome": str(one.outcome),
                    "paid_fen": one.paid_fen,
                    "decided_by": one.decided_by,
                    "reason": one.reason,
                }
            )
        requests = [
            {
                "kind": str(entry.request.kind),
                "version": entry.request.decision_version,
                "code": entry.request.code,
                "text": entry.request.text,
                "promised_on": entry.request.promised_on.isoformat(),
                "outcome": None if entry.outcome is None else str(entry.outcome.outcome),
                "effect": None if entry.outcome is None else str(entry.outcome.effect),
            }
            for entry in work.revisions.of_claim(claim.id)
        ]
        events = [
            {"kind": event.kind, "at": event.at.isoformat(), "by": event.by, "text": event.text}
            for event in work.revisions.events_of(claim.id)
        ]
    return jsonify(
        {
            "number": claim.number,
            "state": str(claim.state),
            "versions": versions,
            "requests": requests,
            "events": events,
        }
    )


@blueprint.post("/claims/<number>/withdraw")
@access(AccessRule.STAFF)
def withdraw_claim(number: str) -> Answer:
    """Withdraw a claim for a citizen who asked at the window or by telephone."""
    text = text_of(read_object("text"), "text")
    claim = withdraw_on_request(services(), number, caller().username, text)
    is_done = claim.state is ClaimState.WITHDRAWN
    return jsonify({"number": claim.number, "state": str(claim.state), "is_done": is_done})
