"""智能审核 of one claim: every rule asked, hits stored, exact ones refuse, the others pend."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.domain.audit.engine import AuditResult, Hit, evaluate
from backend.domain.audit.facts import AccidentDeclaration, ClaimFacts, ClaimKind, ClaimOrigin
from backend.domain.audit.rule import Rule, RuleClass, RuleState
from backend.domain.cause import national_code
from backend.domain.claim import StageOutcome
from backend.domain.local_time import local_day
from backend.domain.pend_reasons import Routing
from backend.service_layer.audit_rules.facts import BillInQuestion, GatheredFacts, gather_facts
from backend.service_layer.audit_rules.ports import AuditServices, AuditWork
from backend.service_layer.audit_rules.records import (
    CLEARED,
    KNOWN,
    ON_TRIAL,
    PENDED,
    REFUSED,
    WHOLE_BILL,
    HitPlace,
    StoredHit,
    place_of,
)
from backend.service_layer.audit_rules.rule_book import RulesInForce
from backend.service_layer.claims.accident import accident_of, excuse_of
from backend.service_layer.claims.records import Claim, Reason, StageResult
from verifier.commitment.canonical import canonical_bytes

REASONS_MAX: Final = 60
"""Reasons raised on one claim; a bill with more of them is looked at as a whole anyway."""

_WAY_OUT_ZH: Final = "对结果有不同意见，可以申请复核，或拨打电话"
_WAY_OUT_EN: Final = "You may ask for a review of this, or call"


@dataclass(frozen=True, slots=True)
class AuditFindings:
    """What the rules say of a claim. ``inputs`` goes into the stage's row: which rules were asked,
    by the digest of their set, and which could not judge."""

    refusals: tuple[Reason, ...]
    pends: tuple[Reason, ...]
    inputs: dict[str, Any]


def rules_in_force(deps: AuditServices, work: AuditWork, service_on: dt.date) -> RulesInForce:
    """The rules for services of that day, as switched so far; stores the first version of rules
    that this installation has not seen. The caller commits."""
    versions = work.audit_rules.versions()
    first = deps.rule_book.first_versions({v.rule_code for v in versions}, deps.clock.now())
    if first and work.audit_rules.add_shipped(first):
        versions = work.audit_rules.versions()
    return deps.rule_book.in_force(versions, service_on)


def audit_claim(
    deps: AuditServices, work: AuditWork, claim: Claim, asked: BillInQuestion
) -> AuditFindings:
    """Ask every rule about the claim and keep what it said; the caller commits.

    Nothing is refused or raised here: the stage does that with what is returned.
    """
    in_force = rules_in_force(deps, work, asked.bill.service_on)
    gathered = gather_facts(deps, work, asked, in_force.rules)
    result = evaluate(in_force.rules, gathered.facts)
    work.audit_rules.keep_rule_set(in_force.digest, in_force.document, deps.clock.now())
    by_code = in_force.rules.by_code
    cleared = cleared_places(work, claim.id)
    asked_about = [(by_code[hit.rule_code], hit) for hit in result.hits]
    judged = [(rule, hit, effect_of(rule, hit, cleared)) for rule, hit in asked_about]
    work.audit_rules.add_hits(
        [
            StoredHit(
                id=deps.ids.new_id("hit"),
                claim_id=claim.id,
                rule_code=rule.code,
                rule_set_digest=in_force.digest,
                line_index=WHOLE_BILL if hit.line_index is None else hit.line_index,
                effect=effect,
                zh=hit.zh,
                en=hit.en,
                evidence=evidence_of(rule, hit, gathered),
                found_at=deps.clock.now(),
            )
            for rule, hit, effect in judged
        ]
    )
    refusals = [_refusal(work, claim, rule, hit) for rule, hit, what in judged if what == REFUSED]
    pends = [pend_of(rule, hit) for rule, hit, what in judged if what == PENDED]
    return AuditFindings(
        tuple(refusals[:REASONS_MAX]),
        tuple(pends[:REASONS_MAX]),
        _inputs(in_force, result, gathered),
    )


def cleared_places(work: AuditWork, claim_id: str) -> set[HitPlace]:
    """What people have looked at on this claim and found to be in order."""
    outcomes = work.audit_rules.outcomes_of(claim_id)
    if CLEARED not in outcomes.values():
        return set()
    return {
        place_of(hit)
        for hit in work.audit_rules.hits_of(claim_id)
        if outcomes.get(hit.id) == CLEARED
    }


def joined(stage: StageResult, found: AuditFindings) -> StageResult:
    """The stage with what the rules found: an exact fact refuses, whatever else was to be asked;
    every other hit is one more reason for a person to look."""
    inputs = {**stage.inputs, "rules": found.inputs}
    if found.refusals:
        return replace(stage, outcome=StageOutcome.REFUSED, inputs=inputs, reasons=found.refusals)
    reasons = (*stage.reasons, *found.pends)
    outcome = StageOutcome.PENDED if reasons else stage.outcome
    return replace(stage, outcome=outcome, inputs=inputs, reasons=reasons)


def claim_facts(work: AuditWork, claim: Claim) -> ClaimFacts:
    """How the claim was filed, as its row and its person's declarations say."""
    declared = accident_of(work, claim.id)
    excuse = excuse_of(work, claim.id)
    accident = None
    if declared is not None:
        accident = AccidentDeclaration(
            declared.accident.liability,
            is_signed=declared.undertaking_digest is not None,
            happened_on=declared.accident.happened_on,
        )
    return ClaimFacts(
        kind=ClaimKind(claim.kind),
        origin=ClaimOrigin(claim.origin),
        accident=accident,
        excuse_code="" if excuse is None else excuse.code,
        manual_reason=national_code(claim.cause),
    )


def filed_on(at: dt.datetime) -> dt.date:
    """The local day of an instant: deadlines run by the calendar of the place."""
    return local_day(at)


def effect_of(rule: Rule, hit: Hit, cleared: set[HitPlace]) -> str:
    """What a hit of the rule does to a claim. What a person has cleared is not asked again, and
    refuses nothing, unless the rule says so."""
    if rule.state is not RuleState.LIVE:
        return ON_TRIAL
    if (rule.code, hit.line_index) in cleared and not rule.is_reattached:
        return KNOWN
    return REFUSED if rule.may_refuse else PENDED


def evidence_of(rule: Rule, hit: Hit, gathered: GatheredFacts) -> str:
    """The figures behind a hit as canonical JSON; an outlier names when the figures were counted
    that it was compared with, so that they can be looked up."""
    evidence = dict(hit.evidence)
    if rule.rule_class is RuleClass.OUTLIER and gathered.figures_at is not None:
        evidence["figures_at"] = gathered.figures_at.isoformat()
    return canonical_bytes(evidence).decode()


def pend_of(rule: Rule, hit: Hit) -> Reason:
    """The reason for a person that a hit of a live rule is."""
    return Reason(
        code=rule.code,
        zh=hit.zh,
        en=hit.en,
        line_index=hit.line_index,
        rule_code=rule.code,
        routing=Routing(rule.priority, rule.queue, rule.role, rule.is_reattached),
        severity=rule.severity,
    )


def _refusal(work: AuditWork, claim: Claim, rule: Rule, hit: Hit) -> Reason:
    """The fact, what it rests on, who holds the bill where somebody does, and what can be done."""
    holder = _holder(work, claim, hit)
    return Reason(
        code=rule.code,
        zh=f"{hit.zh.rstrip('。')}{holder}。依据：{rule.basis.zh.rstrip('。')}。{_WAY_OUT_ZH}",
        en=f"{hit.en.rstrip('.')}{holder}. Basis: {rule.basis.en.rstrip('.')}. {_WAY_OUT_EN}",
        line_index=hit.line_index,
        holder=holder,
        rule_code=rule.code,
        severity=rule.severity,
    )


def _holder(work: AuditWork, claim: Claim, hit: Hit) -> str:
    """The person's own claims that hold the other bills of a hit; nobody else's is named."""
    numbers = []
    for reference in hit.evidence.get("bills", []):
        other = work.claims.live_on(work.claims.bill_of_version(reference).invoice_id)
        if other is not None and other.person_id == claim.person_id and other.id != claim.id:
            numbers.append(other.number)
    return f"（受理号 {'、'.join(numbers)}）" if numbers else ""


def _inputs(in_force: RulesInForce, result: AuditResult, gathered: GatheredFacts) -> dict[str, Any]:
    """What the stage's row keeps: the rules asked, by their digest, and what came of it."""
    inputs: dict[str, Any] = {
        "rule_set": in_force.digest.hex(),
        "rules_asked": len(result.evaluated),
        "hits": len(result.effective),
        "trial_hits": len(result.hits) - len(result.effective),
        "not_judged": {one.rule_code: one.reason for one in result.not_judged},
    }
    if result.omitted:
        inputs["omitted_hits"] = dict(result.omitted)
    if gathered.unreadable:
        inputs["unreadable_others"] = list(gathered.unreadable)
    if gathered.figures_at is not None:
        inputs["figures_at"] = gathered.figures_at.isoformat()
    return inputs
