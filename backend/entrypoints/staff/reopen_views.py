"""The staff API's routes of reopenings: one member of staff proposes, another one confirms.

Whoever is signed in is the person of the step; nobody can be named instead.
"""

from __future__ import annotations

from typing import Any

from flask import jsonify

from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.staff.requests import read_object, text_of
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.handling.appeals import Reopening
from backend.service_layer.handling.reopening import (
    confirm_reopening,
    propose_reopening,
    shown_name,
    withdraw_reopening,
)
from backend.service_layer.handling.reopening_records import ReopenAnswer, ReopenProposal
from backend.service_layer.review.read import names_hidden_now, strike_out


@blueprint.post("/claims/<number>/reopen-proposals")
@access(AccessRule.REVIEWER)
def propose_to_reopen(number: str) -> Answer:
    """A proposal without effect; the same one again by the same person is the one there."""
    body = read_object("code", "text", "source")
    why = Reopening(text_of(body, "code"), text_of(body, "text"), text_of(body, "source"))
    proposal = propose_reopening(services(), number, why, caller().id)
    with services().work(write=False) as work:
        return jsonify(_proposal(work, proposal, None)), 201


@blueprint.get("/claims/<number>/reopen-proposals")
@access(AccessRule.REVIEWER)
def reopenings_of_claim(number: str) -> Answer:
    """Every proposal of a claim with how it ended; without the names that a blind step hides."""
    with services().work(write=False) as work:
        claim = work.claims.by_number(number)
        rows = [_proposal(work, one, answer) for one, answer in work.reopenings.of_claim(claim.id)]
    hidden = names_hidden_now(services(), claim.id)
    return jsonify(strike_out({"number": claim.number, "proposals": rows}, hidden))


@blueprint.get("/reopen-proposals")
@access(AccessRule.REVIEWER)
def open_reopenings() -> Answer:
    """What waits for a second person, the soonest to run out first; not of one's own hospital."""
    own = caller().hospital_code
    with services().work(write=False) as work:
        rows = [
            _proposal(work, one, None)
            for one in work.reopenings.open_at(services().clock.now())
            if own is None or _hospital_of(work, one) != own
        ]
    return jsonify({"proposals": rows})


@blueprint.post("/reopen-proposals/<proposal_id>/confirm")
@access(AccessRule.REVIEWER)
def confirm_to_reopen(proposal_id: str) -> Answer:
    """Confirm what somebody else proposed: the claim is reopened."""
    reason = text_of(read_object("reason"), "reason")
    return _ended(confirm_reopening(services(), proposal_id, caller().id, reason))


@blueprint.post("/reopen-proposals/<proposal_id>/withdraw")
@access(AccessRule.REVIEWER)
def withdraw_proposal(proposal_id: str) -> Answer:
    """Close a proposal without effect."""
    reason = text_of(read_object("reason"), "reason")
    return _ended(withdraw_reopening(services(), proposal_id, caller().id, reason))


def _ended(answer: ReopenAnswer) -> Answer:
    with services().work(write=False) as work:
        proposal = work.reopenings.get(answer.proposal_id)
        assert proposal is not None, "an answer belongs to a proposal"
        return jsonify(_proposal(work, proposal, answer))


def _hospital_of(work: Any, proposal: ReopenProposal) -> str:
    claim = work.claims.get(proposal.claim_id)
    return str(work.claims.bill_of_version(claim.version_id).institution_code)


def _proposal(work: Any, one: ReopenProposal, answer: ReopenAnswer | None) -> dict[str, Any]:
    here = f"/staff/v1/reopen-proposals/{one.id}"
    is_open = answer is None and services().clock.now() <= one.expires_at
    actions: tuple[str, ...] = ("confirm", "withdraw") if is_open else ()
    if one.proposed_by == caller().id:
        actions = tuple(action for action in actions if action != "confirm")
    ended = None
    if answer is not None:
        ended = {
            "answer": answer.answer,
            "by": shown_name(work, answer.answered_by),
            "at": answer.answered_at.isoformat(),
            "reason": answer.reason,
        }
    return {
        "id": one.id,
        "number": work.claims.get(one.claim_id).number,
        "code": one.code,
        "text": one.text,
        "source": one.source_reference,
        "proposed_by": shown_name(work, one.proposed_by),
        "proposed_at": one.proposed_at.isoformat(),
        "expires_at": one.expires_at.isoformat(),
        "is_open": is_open,
        "ended": ended,
        "links": {action: {"method": "POST", "href": f"{here}/{action}"} for action in actions},
    }
