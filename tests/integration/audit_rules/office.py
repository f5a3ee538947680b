"""What the tests of the running audit rules do again and again."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from dataclasses import dataclass
from typing import Any

from backend.domain.audit.rule import RuleState
from backend.domain.claim import Stage
from backend.service_layer.audit_rules.records import Proposal, RuleVersion, StoredHit, TrialRun
from backend.service_layer.audit_rules.rule_book import RuleBook
from backend.service_layer.audit_rules.switch import Change, confirm, propose
from backend.service_layer.audit_rules.trial import TrialOrder, run_trial
from backend.service_layer.claims.records import Claim, PendReason, StageRow
from backend.service_layer.claims.submit import submit
from tests.integration.claims.world import World

DAY = dt.date(2026, 11, 3)
WORDS = {"zh": "文字", "en": "words"}


def rule(code: str, check: str, **changes: Any) -> dict[str, Any]:
    """A rule as its file writes it: live, a judgement about the claim, valid for ever."""
    return {
        "code": code,
        "check": check,
        "class": "outlier",
        "nature": "judgement",
        "level": "claim",
        "severity": 3,
        "priority": 2,
        "queue": "general",
        "role": "reviewer",
        "state": "live",
        "valid_from": "2020-01-01",
        "valid_to": "2099-12-31",
        "parameters": {},
        "title": WORDS,
        "text": WORDS,
        "basis": {"zh": "某办法第一条", "en": "article 1 of some rules"},
        "source": "test",
        "owner": "test",
        **changes,
    }


def rule_file(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"format": "yichu-rules-1", "set_id": "test", "rules": list(rules)}


@dataclass
class RuleOffice:
    """The world with its rules, and what people do to them."""

    world: World

    def use(self, *rules: dict[str, Any]) -> None:
        """Ship these rules instead of the program's."""
        self.world.services.__dict__["rule_book"] = RuleBook(rule_file(*rules))

    def claim(self, yuan: int = 400, day: dt.date = DAY, **bill: Any) -> Claim:
        """One touch on a new bill of the one person, driven until it stops."""
        world = self.world
        person = world.people[0] if world.people else world.person()
        return self.touch(world.bill(person, yuan, day, **bill))

    def touch(self, invoice_id: str, *, is_anchored: bool = False) -> Claim:
        world = self.world
        if not is_anchored:
            world.anchor()
        token = secrets.token_urlsafe(32)
        person = world.people[0]
        (claim,) = submit(world.services, person.id, [invoice_id], token, has_consent=True).claims
        world.run()
        return world.claim(claim.id)

    def hits(self, claim: Claim) -> list[StoredHit]:
        with self.world.services.work(write=False) as work:
            return work.audit_rules.hits_of(claim.id)

    def pends(self, claim: Claim) -> list[PendReason]:
        with self.world.services.work(write=False) as work:
            return work.claims.pends_of(claim.id)

    def audit_stage(self, claim: Claim) -> StageRow:
        with self.world.services.work(write=False) as work:
            rows = [row for row in work.claims.stages_of(claim.id) if row.stage is Stage.AUDIT]
        return rows[-1]

    def outcomes(self, claim: Claim) -> dict[str, str]:
        """Rule code to what people found of its hit."""
        with self.world.services.work(write=False) as work:
            found = work.audit_rules.outcomes_of(claim.id)
            hits = work.audit_rules.hits_of(claim.id)
        return {hit.rule_code: found[hit.id] for hit in hits if hit.id in found}

    def propose(self, code: str, state: str, by: str = "甲", **values: Any) -> Proposal:
        change = Change(code, RuleState(state), **values)
        return propose(self.world.services, change, by, "试一试")

    def trial(self, code: str, proposal: Proposal | None = None, **values: Any) -> TrialRun:
        order = TrialOrder(code, proposal_id=proposal.id if proposal else None, **values)
        return run_trial(self.world.services, order, "丙")

    def switch(self, code: str, state: str, **values: Any) -> RuleVersion:
        """The whole way: proposal, trial run where one is needed, confirmation by another."""
        proposal = self.propose(code, state, **values)
        if state == "live":
            self.trial(code, proposal)
        return confirm(self.world.services, proposal.id, "乙", "同意")


def high_amount(code: str = "high", *, fen: int = 30_000, **changes: Any) -> dict[str, Any]:
    """A rule that is hit by bills of more than ``fen``."""
    return rule(code, "high-amount", parameters={"total_fen": fen}, **changes)


def evidence(hit: StoredHit) -> Any:
    return json.loads(hit.evidence)
