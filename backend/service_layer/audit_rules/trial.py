"""A rule run over past bills without effect: how often would it speak up, and about what?"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from backend.domain.audit.engine import AuditResult, evaluate
from backend.domain.audit.facts import ClaimFacts
from backend.domain.audit.rule import RuleSet
from backend.domain.errors import DomainError, NotFoundError
from backend.domain.policy import PolicyError
from backend.service_layer.audit_rules.audit_claim import claim_facts, filed_on
from backend.service_layer.audit_rules.facts import BillInQuestion, gather_facts
from backend.service_layer.audit_rules.ports import AuditServices, AuditWork
from backend.service_layer.audit_rules.records import Proposal, TrialRun
from backend.service_layer.audit_rules.switch import (
    SwitchRefusedError,
    require_signed,
    resulting_parameters,
    versions_of,
)
from backend.service_layer.claims.benefits import (
    DAMAGE,
    estimate_alone,
    pick_pack,
    read_invoice,
    snapshot_of,
)
from backend.service_layer.claims.records import Claim, Person, StoredBill
from verifier.errors import VerificationError

DAYS_BACK: Final = 365
"""How far back a trial run looks when nobody says otherwise."""
BILLS_MAX: Final = 50_000
_PAGE: Final = 200
_EXAMPLES: Final = 20


class NobodyKnownError(NotFoundError):
    """The bill belongs to nobody in the register of insured people."""

    code = "nobody-known"


@dataclass(frozen=True, slots=True)
class TrialOrder:
    """What to run: a rule as it is, or as a proposal would make it, over days of service."""

    rule_code: str
    from_on: dt.date | None = None
    to_on: dt.date | None = None
    proposal_id: str | None = None
    bills_max: int = BILLS_MAX


@dataclass(slots=True)
class _Tally:
    bills: int = 0
    bills_hit: int = 0
    hits: int = 0
    not_judged: int = 0
    unreadable: int = 0
    is_complete: bool = True
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, version_id: str, claim: Claim | None, result: AuditResult) -> None:
        self.bills += 1
        self.not_judged += bool(result.not_judged)
        self.bills_hit += bool(result.hits)
        self.hits += len(result.hits)
        for hit in result.hits:
            if len(self.examples) < _EXAMPLES:
                self.examples.append(
                    {
                        "bill": version_id,
                        "claim": claim.number if claim else "",
                        "line": -1 if hit.line_index is None else hit.line_index,
                        "zh": hit.zh,
                        "en": hit.en,
                    }
                )


def run_trial(deps: AuditServices, order: TrialOrder, by: str) -> TrialRun:
    """Evaluate the rule over stored bills and keep what came of it; no claim is touched.

    The bills are read page by page, each page in a transaction of its own. Raises
    :class:`RuleError` for an unknown rule, :class:`SwitchRefusedError` for a period that ends
    before it begins.
    """
    name, _ = require_signed(by, "trial")
    started = deps.clock.now()
    to_on = order.to_on or filed_on(started)
    from_on = order.from_on or to_on - dt.timedelta(days=DAYS_BACK)
    if to_on < from_on or not 1 <= order.bills_max <= BILLS_MAX:
        raise SwitchRefusedError(
            f"试运行的起止日期或数量不对（最多 {BILLS_MAX} 张）",
            f"the period, or the number of bills (at most {BILLS_MAX}), is not possible",
        )
    rules, digest = _rule_as_ordered(deps, order)
    tally = _Tally()
    for page in _pages(deps, from_on, to_on):
        with deps.work(write=False) as work:
            for version_id in page:
                if tally.bills + tally.unreadable >= order.bills_max:
                    tally.is_complete = False
                    break
                _try_one(deps, work, rules, version_id, tally)
        if not tally.is_complete:
            break
    run = TrialRun(
        id=deps.ids.new_id("rtr"),
        rule_code=order.rule_code,
        rule_digest=digest,
        from_on=from_on,
        to_on=to_on,
        bills=tally.bills,
        bills_hit=tally.bills_hit,
        hits=tally.hits,
        not_judged=tally.not_judged,
        unreadable=tally.unreadable,
        is_complete=tally.is_complete,
        examples=json.dumps(tally.examples, ensure_ascii=False),
        run_by=name,
        started_at=started,
        finished_at=deps.clock.now(),
    )
    with deps.work() as work:
        work.audit_rules.add_trial(run)
        work.commit()
    return run


def _rule_as_ordered(deps: AuditServices, order: TrialOrder) -> tuple[RuleSet, bytes]:
    """The rule alone, on trial whatever its state, with the digest that a confirmation asks for."""
    with deps.work() as work:
        versions = versions_of(deps, work, order.rule_code)
        proposal: Proposal | None = None
        if order.proposal_id is not None:
            proposal = work.audit_rules.proposal(order.proposal_id)
            if proposal is None or proposal.rule_code != order.rule_code:
                raise NotFoundError(
                    f"规则 {order.rule_code} 没有提案 {order.proposal_id}",
                    f"rule {order.rule_code} has no proposal {order.proposal_id}",
                )
        work.commit()
    parameters = resulting_parameters(proposal, versions)
    rules = deps.rule_book.with_parameters(order.rule_code, parameters).only(order.rule_code)
    return rules, deps.rule_book.rule_digest(order.rule_code, parameters)


def _pages(deps: AuditServices, from_on: dt.date, to_on: dt.date) -> Iterator[list[str]]:
    after = (dt.date.min, "")
    while True:
        with deps.work(write=False) as work:
            rows = work.bill_comparison.versions_between(from_on, to_on, after, _PAGE)
        if not rows:
            return
        after = rows[-1]
        yield [version_id for _, version_id in rows]


def _try_one(
    deps: AuditServices, work: AuditWork, rules: RuleSet, version_id: str, tally: _Tally
) -> None:
    try:
        bill = work.claims.bill_of_version(version_id)
        claim = work.claims.latest_on(bill.invoice_id)
        asked = _question(deps, work, bill, claim)
        result = evaluate(rules, gather_facts(deps, work, asked, rules).facts)
    except (DomainError, VerificationError, *DAMAGE):
        # A damaged bill, or one of nobody insured here: counted, and the run goes on.
        tally.unreadable += 1
        return
    tally.add(version_id, claim, result)


def _question(
    deps: AuditServices, work: AuditWork, bill: StoredBill, claim: Claim | None
) -> BillInQuestion:
    """A past bill as it would be audited: on the day it was claimed, or on its day of upload."""
    invoice = read_invoice(work, bill)
    person = _person_of(work, invoice.payer_id, claim)
    snapshot = snapshot_of(deps, work, person.id, bill.service_on)
    pack = eob = None
    try:
        pack = pick_pack(deps.packs, deps.settings.region, bill.service_on)
        eob = estimate_alone(deps, work, person, bill)
    except PolicyError:
        pass  # the policy has no rule for it; the audit rules are asked all the same
    return BillInQuestion(
        bill=bill,
        invoice=invoice,
        person=person,
        snapshot=snapshot,
        pack=pack,
        eob=eob,
        submitted_on=filed_on(claim.created_at if claim else bill.uploaded_at),
        claim=claim_facts(work, claim) if claim else ClaimFacts(),
    )


def _person_of(work: AuditWork, identity_number: str, claim: Claim | None) -> Person:
    if claim is not None:
        return work.people.get(claim.person_id)
    person = work.people.find_by_identity(identity_number)
    if person is None:
        raise NobodyKnownError("票据上的人不在参保登记里", "the bill's person is not insured here")
    return person
