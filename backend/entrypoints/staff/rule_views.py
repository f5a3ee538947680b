"""The staff API's routes of audit rules: looked at, run on trial, switched by two supervisors."""

from __future__ import annotations

import json
from typing import Any, Final

from flask import jsonify

from backend.domain.audit.rule import RuleState
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.staff.requests import (
    MalformedStaffRequestError,
    day_of,
    read_object,
    text_of,
    whole_of,
)
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.audit_rules.overview import (
    RuleOverview,
    rule_detail,
    rule_overviews,
)
from backend.service_layer.audit_rules.records import Answer as Ending
from backend.service_layer.audit_rules.records import Proposal, RuleVersion, TrialRun
from backend.service_layer.audit_rules.switch import Change, confirm, propose, withdraw
from backend.service_layer.audit_rules.trial import TrialOrder, run_trial

TRIAL_BILLS_MAX: Final = 1_000
"""A request answers within seconds; ``yichu rules trial`` goes through more."""


@blueprint.get("/rules")
@access(AccessRule.SUPERVISOR)
def rules() -> Answer:
    return jsonify({"rules": [_rule(one) for one in rule_overviews(services())]})


@blueprint.get("/rules/<code>")
@access(AccessRule.SUPERVISOR)
def rule(code: str) -> Answer:
    """One rule with its versions, proposals and trial runs, the newest first."""
    detail = rule_detail(services(), code)
    return jsonify(
        _rule(detail.overview)
        | {
            "versions": [_version(one) for one in detail.versions],
            "proposals": [_proposal(one, ending) for one, ending in detail.proposals],
            "trials": [_trial(run) for run in detail.trials],
        }
    )


@blueprint.post("/rules/<code>/trials")
@access(AccessRule.SUPERVISOR)
def post_trial(code: str) -> Answer:
    """Run the rule over past bills, without effect, and keep what came of it."""
    body = read_object("from", "to", "proposal", "limit")
    limit = whole_of(body, "limit", optional=True)
    if limit is not None and not 1 <= limit <= TRIAL_BILLS_MAX:
        raise MalformedStaffRequestError(
            f"limit 应为 1 到 {TRIAL_BILLS_MAX}；更多请用 yichu rules trial",
            f"limit is from 1 to {TRIAL_BILLS_MAX}; use `yichu rules trial` for more",
        )
    proposal = text_of(body, "proposal", optional=True) or None
    order = TrialOrder(
        code, day_of(body, "from"), day_of(body, "to"), proposal, limit or TRIAL_BILLS_MAX
    )
    run = run_trial(services(), order, caller().username)
    return jsonify(_trial(run) | {"examples": json.loads(run.examples)}), 201


@blueprint.post("/rules/<code>/proposals")
@access(AccessRule.SUPERVISOR)
def post_rule_proposal(code: str) -> Answer:
    """Propose a state or parameters; without effect until another person confirms."""
    body = read_object("state", "parameters", "valid_from", "reason")
    now = rule_detail(services(), code).overview.rule.state
    state, values = text_of(body, "state", optional=True) or now, body.get("parameters")
    if state not in set(RuleState) or not (values is None or isinstance(values, dict)):
        raise MalformedStaffRequestError(
            f"state 应为 {'、'.join(RuleState)}，parameters 应为对象",
            f"state is one of {', '.join(RuleState)}, parameters an object",
        )
    change = Change(code, RuleState(state), values, day_of(body, "valid_from"))
    proposal = propose(services(), change, caller().username, text_of(body, "reason"))
    return jsonify(_proposal(proposal, None)), 201


@blueprint.post("/rule-proposals/<proposal_id>/confirm")
@access(AccessRule.SUPERVISOR)
def confirm_rule(proposal_id: str) -> Answer:
    """Confirm what somebody else proposed: it is in effect at once."""
    reason = text_of(read_object("reason"), "reason")
    return jsonify(_version(confirm(services(), proposal_id[:40], caller().username, reason)))


@blueprint.post("/rule-proposals/<proposal_id>/withdraw")
@access(AccessRule.SUPERVISOR)
def withdraw_rule(proposal_id: str) -> Answer:
    reason = text_of(read_object("reason"), "reason")
    return jsonify(_ending(withdraw(services(), proposal_id[:40], caller().username, reason)))


def _rule(one: RuleOverview) -> dict[str, Any]:
    found, count = one.rule, one.statistics.count
    return {
        "code": found.code,
        "title": {"zh": found.title.zh, "en": found.title.en},
        "state": str(found.state),
        "nature": str(found.nature),
        "version": one.version.version,
        "origin": one.version.origin,
        "hits": {
            "pended": count.pended,
            "refused": count.refused,
            "trial": count.trial,
            "upheld": count.upheld,
            "cleared": count.cleared,
            "upheld_bp": count.upheld_bp,
        },
    }


def _version(one: RuleVersion) -> dict[str, Any]:
    return {
        "code": one.rule_code,
        "version": one.version,
        "state": one.state,
        "parameters": None if one.parameters is None else json.loads(one.parameters),
        "valid_from": None if one.valid_from is None else one.valid_from.isoformat(),
        "origin": one.origin,
        "proposal": one.proposal_id,
        "recorded_at": one.recorded_at.isoformat(),
    }


def _proposal(one: Proposal, ending: Ending | None) -> dict[str, Any]:
    here = f"/staff/v1/rule-proposals/{one.id}"
    actions: tuple[str, ...] = () if ending is not None else ("confirm", "withdraw")
    if one.proposed_by == caller().username:
        actions = tuple(action for action in actions if action != "confirm")
    return {
        "id": one.id,
        "code": one.rule_code,
        "state": one.state,
        "parameters": None if one.parameters is None else json.loads(one.parameters),
        "valid_from": None if one.valid_from is None else one.valid_from.isoformat(),
        "reason": one.reason,
        "proposed_by": one.proposed_by,
        "proposed_at": one.proposed_at.isoformat(),
        "ended": None if ending is None else _ending(ending),
        "links": {action: {"method": "POST", "href": f"{here}/{action}"} for action in actions},
    }


def _ending(one: Ending) -> dict[str, Any]:
    return {
        "answer": one.answer,
        "by": one.answered_by,
        "reason": one.reason,
        "at": one.answered_at.isoformat(),
        "trial": one.trial_run_id,
    }


def _trial(run: TrialRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "from": run.from_on.isoformat(),
        "to": run.to_on.isoformat(),
        "bills": run.bills,
        "bills_hit": run.bills_hit,
        "hits": run.hits,
        "not_judged": run.not_judged,
        "unreadable": run.unreadable,
        "is_complete": run.is_complete,
        "run_by": run.run_by,
        "finished_at": run.finished_at.isoformat(),
    }
