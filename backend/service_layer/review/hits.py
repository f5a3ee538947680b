"""What the audit rules found of a case's claim, as a reviewer reads it."""

from __future__ import annotations

import json
from typing import Any

from backend.service_layer.audit_rules.records import ON_TRIAL
from backend.service_layer.review.ports import ReviewWork
from backend.service_layer.review.records import Case


def hits_of_case(work: ReviewWork, case: Case) -> list[dict[str, Any]]:
    """What live audit rules found, with the figures that they rest on: of an outlier the group
    that it was compared with; and what a later declaration made of it."""
    events = work.audit_rules.hit_events_of(case.claim_id)
    found = []
    for hit in work.audit_rules.hits_of(case.claim_id):
        if hit.effect == ON_TRIAL:
            continue
        row: dict[str, Any] = {
            "rule_code": hit.rule_code,
            "line_index": None if hit.line_index < 0 else hit.line_index,
            "effect": hit.effect,
            "zh": hit.zh,
            "en": hit.en,
            "evidence": json.loads(hit.evidence),
        }
        if hit.id in events:
            row["since_declared"] = [
                {
                    "effect": event.effect,
                    "zh": event.zh,
                    "en": event.en,
                    "evidence": json.loads(event.evidence),
                    "at": event.at.isoformat(),
                }
                for event in events[hit.id]
            ]
        found.append(row)
    return found
