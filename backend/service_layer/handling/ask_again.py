"""The audit rules are asked again when a declaration arrives after they were asked.

Only what the declaration changes is touched. Rules are asked twice over the same facts, without and
with it: what only the first answer has is closed as answered, what only the second has is a
reason for a person. Rows are added, none is changed; what people ruled stays. Nothing is refused
here: a person has the claim, or will have it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.domain.audit.engine import Hit, evaluate
from backend.domain.audit.facts import ClaimFacts
from backend.domain.audit.rule import RuleState
from backend.domain.claim import ClaimState, Stage, StageOutcome
from backend.domain.errors import DomainError
from backend.domain.review import CaseKind, Concern, Risk, classify
from backend.service_layer.audit_rules.audit_claim import (
    evidence_of,
    pend_of,
    rules_in_force,
)
from backend.service_layer.audit_rules.facts import GatheredFacts, gather_facts
from backend.service_layer.audit_rules.records import (
    ANSWERED,
    ON_TRIAL,
    PENDED,
    RESTATED,
    WHOLE_BILL,
    HitEvent,
    HitPlace,
    StoredHit,
    place_of,
)
from backend.service_layer.audit_rules.rule_book import RulesInForce
from backend.service_layer.claims.accident import check_reason, excuse_of, late_reason
from backend.service_layer.claims.benefits import DAMAGE
from backend.service_layer.claims.causes import write_cause
from backend.service_layer.claims.declaration_records import (
    BY_DECLARATION,
    Declaration,
    Subject,
)
from backend.service_layer.claims.records import (
    ACCIDENT,
    Claim,
    PendReason,
    Reason,
    StageResult,
)
from backend.service_layer.claims.stages import raise_pends, store_stage
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.handling.screen_step import question_of, too_late_reason

ASKED_BEFORE: Final = frozenset(
    {
        ClaimState.SCREENED,
        ClaimState.CALCULATED,
        ClaimState.LODGING,
        ClaimState.LODGED,
        ClaimState.PENDED,
    }
)
"""Undecided, and the rules were asked. Of a claim before that, screening asks them anyway."""

_SUBJECTS: Final = {
    Subject.ACCIDENT: ("受伤经过的说明", "declaration of the accident"),
    Subject.LATE: ("逾期的理由", "excuse of the late filing"),
    Subject.KIND: ("申请类型的更正", "correction of the kind"),
}


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the rules say: ``gone`` is answered by the declaration, ``fresh`` is new or has other
    figures since."""

    in_force: RulesInForce
    gathered: GatheredFacts
    gone: dict[HitPlace, Hit]
    fresh: dict[HitPlace, Hit]
    own: tuple[Reason, ...]


def ask_again(
    deps: HandlingServices,
    work: HandlingWork,
    claim: Claim,
    before: ClaimFacts,
    declaration: Declaration,
) -> bool:
    """Ask the rules anew about an undecided claim, ``before`` being its facts without the
    declaration that has just been stored. False where screening is still to come, nothing can be
    asked any more, or what is stored of the bill is damaged (an alarm says so).

    The caller holds the person's lock and the claim, and commits.
    """
    if claim.state not in ASKED_BEFORE:
        return False
    began = deps.clock.now()
    try:
        found = _ask(deps, work, claim, before)
    except (DomainError, *DAMAGE) as error:
        # Damage of the bill must not lose what its person declares.
        what = getattr(error, "code", type(error).__name__)
        work.alarms.raise_alarm("claim-step-failed", claim.id, f"declaration: {what}")
        return False
    _close_answered(deps, work, claim, found, declaration)
    reasons = [*_keep_fresh(deps, work, claim, found, declaration), *found.own]
    raised = tuple(one for one in reasons if _restate(deps, work, claim, one, declaration))
    is_open = any(pend.resolved_at is None for pend in work.claims.pends_of(claim.id))
    outcome = StageOutcome.PENDED if is_open else StageOutcome.PASSED
    inputs: dict[str, Any] = {
        "asked_again_for": declaration.id,
        "rule_set": found.in_force.digest.hex(),
        "answered": sorted({code for code, _ in found.gone}),
        "raised": sorted({reason.code for reason in raised}),
    }
    store_stage(deps, work, claim, StageResult(Stage.AUDIT, outcome, inputs, raised), began)
    _tell_the_case(deps, work, claim, raised, is_open=is_open)
    write_cause(deps, work, claim.id)
    return True


def _ask(deps: HandlingServices, work: HandlingWork, claim: Claim, before: ClaimFacts) -> _Answers:
    bill = work.claims.bill_of_version(claim.version_id)
    _, asked = question_of(deps, work, claim, bill)
    in_force = rules_in_force(deps, work, bill.service_on)
    gathered = gather_facts(deps, work, asked, in_force.rules)
    # The derived cause follows the kind; what it says of the counter is not what was declared.
    earlier = replace(before, manual_reason=gathered.facts.claim.manual_reason)
    was = _by_place(evaluate(in_force.rules, replace(gathered.facts, claim=earlier)).hits)
    now = _by_place(evaluate(in_force.rules, gathered.facts).hits)
    own = []
    if claim.kind == ACCIDENT:
        own.append(check_reason(work, claim))
    excuse = excuse_of(work, claim.id)
    too_late = None if asked.pack is None else too_late_reason(asked.pack, claim)
    if excuse is not None and too_late is not None:
        own.append(late_reason(excuse, too_late))
    return _Answers(
        in_force,
        gathered,
        gone={place: hit for place, hit in was.items() if place not in now},
        fresh={place: hit for place, hit in now.items() if was.get(place) != hit},
        own=tuple(own),
    )


def _by_place(hits: Iterable[Hit]) -> dict[HitPlace, Hit]:
    found: dict[HitPlace, Hit] = {}
    for hit in hits:
        found.setdefault((hit.rule_code, hit.line_index), hit)
    return found


def _close_answered(
    deps: HandlingServices, work: HandlingWork, claim: Claim, found: _Answers, declared: Declaration
) -> None:
    """Hits that the declaration answers are closed with that reason, their open reasons too. What
    a person has judged already stays as judged."""
    zh, en = _answered_words(declared)
    judged = work.audit_rules.outcomes_of(claim.id)
    events = work.audit_rules.hit_events_of(claim.id)
    for stored in work.audit_rules.hits_of(claim.id):
        earlier = events.get(stored.id, [])
        is_closed = bool(earlier) and earlier[-1].effect == ANSWERED
        if place_of(stored) in found.gone and stored.id not in judged and not is_closed:
            work.audit_rules.add_hit_event(
                HitEvent(stored.id, ANSWERED, declared.id, zh, en, "{}", deps.clock.now())
            )
    for pend in work.claims.pends_of(claim.id):
        if (pend.rule_code, pend.line_index) in found.gone:
            work.claims.resolve_pend(pend.id, BY_DECLARATION, zh, deps.clock.now())


def _answered_words(declared: Declaration) -> tuple[str, str]:
    zh, en = _SUBJECTS[declared.subject]
    return (
        f"收到{zh}（第 {declared.version} 份）后重新核对，这一项不再提出",
        f"answered by the {en}, version {declared.version}: asked again, no longer found",
    )


def _keep_fresh(
    deps: HandlingServices, work: HandlingWork, claim: Claim, found: _Answers, declared: Declaration
) -> list[Reason]:
    """Store the hits that the declaration brings; returns the reasons of the live rules."""
    if not found.fresh:
        return []
    rules, digest = found.in_force.rules.by_code, found.in_force.digest
    now = deps.clock.now()
    work.audit_rules.keep_rule_set(digest, found.in_force.document, now)
    known = {
        place_of(hit): hit
        for hit in work.audit_rules.hits_of(claim.id)
        if hit.rule_set_digest == digest
    }
    reasons = []
    for place, hit in found.fresh.items():
        rule = rules[hit.rule_code]
        evidence = evidence_of(rule, hit, found.gathered)
        stored = known.get(place)
        if stored is not None:
            work.audit_rules.add_hit_event(
                HitEvent(stored.id, RESTATED, declared.id, hit.zh, hit.en, evidence, now)
            )
        else:
            work.audit_rules.add_hits(
                [
                    StoredHit(
                        id=deps.ids.new_id("hit"),
                        claim_id=claim.id,
                        rule_code=rule.code,
                        rule_set_digest=digest,
                        line_index=WHOLE_BILL if hit.line_index is None else hit.line_index,
                        effect=PENDED if rule.state is RuleState.LIVE else ON_TRIAL,
                        zh=hit.zh,
                        en=hit.en,
                        evidence=evidence,
                        found_at=now,
                    )
                ]
            )
        if rule.state is RuleState.LIVE:
            reasons.append(pend_of(rule, hit))
    return reasons


def _restate(
    deps: HandlingServices, work: HandlingWork, claim: Claim, reason: Reason, declared: Declaration
) -> bool:
    """Raise a reason, also where a person resolved it under other words: what they looked at was
    not this. An open one with other words is closed and raised anew. True: raised."""
    place = (reason.code, reason.rule_code, reason.line_index)
    earlier = [
        pend
        for pend in work.claims.pends_of(claim.id)
        if (pend.code, pend.rule_code, pend.line_index) == place
    ]
    last = max(earlier, key=lambda pend: pend.occurrence, default=None)
    if last is not None and _stands(last, reason):
        return False
    if last is not None and last.resolved_at is None:
        zh, _ = _SUBJECTS[declared.subject]
        text = f"收到{zh}（第 {declared.version} 份）后重新核对，内容有变化，另行提出"
        work.claims.resolve_pend(last.id, BY_DECLARATION, text, deps.clock.now())
    raise_pends(deps, work, claim, (reason,), again=True)
    return True


def _stands(last: PendReason, reason: Reason) -> bool:
    """Whether the last occurrence says the same and was not closed by a declaration."""
    return last.zh == reason.zh and last.resolved_by != BY_DECLARATION


def _tell_the_case(
    deps: Any, work: Any, claim: Claim, raised: tuple[Reason, ...], *, is_open: bool
) -> None:
    """The open case takes the new reasons: where they make it high-risk, its four steps follow
    the one that is open. A pended claim that nothing is open of, and nobody was asked about yet,
    goes on."""
    case = work.reviews.live_case(claim.id, CaseKind.CLAIM)
    if case is None:
        if claim.state is ClaimState.PENDED and not is_open:
            now = deps.clock.now()
            work.claims.update(
                claim.id, claim.state, now, state=ClaimState.LODGED, waiting_for=None
            )
        return
    concerns = [Concern(reason.priority, reason.severity) for reason in raised]
    if not concerns:
        return
    risk = classify(concerns, case.amount_fen, deps.settings.review)
    work.reviews.update_case(
        case.id,
        risk=Risk.HIGH if risk is Risk.HIGH else case.risk,
        priority=min(case.priority, *(concern.priority for concern in concerns)),
    )
