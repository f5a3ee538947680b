"""Where a reason to pend leads: how urgent it is, who is asked, and whether it may come again.

The table holds the reasons that the code itself raises (matching, adjudication). A reason of an
audit rule brings its own routing along with the rule; a reason that nobody routed goes to the
general queue, so that none is ever lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PRIORITY_USUAL: Final = 3
"""Priorities go from 1, the most urgent, to 5."""

GENERAL: Final = "general"
IDENTITY: Final = "identity"
CATALOGUE: Final = "catalogue"
MEDICAL: Final = "medical"
ENTITLEMENT: Final = "entitlement"
OUTSIDE: Final = "outside"
POLICY: Final = "policy"
CHARGING: Final = "charging"
DOCUMENTS: Final = "documents"
DUPLICATES: Final = "duplicates"
ACCIDENT: Final = "accident"
REMOTE: Final = "remote"

QUEUE_TITLES: Final = {
    GENERAL: ("综合", "general"),
    IDENTITY: ("身份核对", "identity"),
    CATALOGUE: ("目录编码", "catalogue codes"),
    MEDICAL: ("诊疗合理性", "medical"),
    ENTITLEMENT: ("待遇资格", "entitlement"),
    OUTSIDE: ("外来票据", "bills from outside"),
    POLICY: ("政策适用", "policy"),
    CHARGING: ("收费", "charging"),
    DOCUMENTS: ("票据材料", "documents"),
    DUPLICATES: ("重复票据", "duplicates"),
    ACCIDENT: ("意外伤害", "accidents"),
    REMOTE: ("异地就医", "care elsewhere"),
}
"""The queues of the table below and of the audit rules that are shipped. A queue is also the skill
that a reviewer needs for it; one that is not here shows under its own name."""

REVIEWER: Final = "reviewer"
SUPERVISOR: Final = "supervisor"
CLERK: Final = "clerk"
INSPECTOR: Final = "inspector"
"""Works on leads of supervision; sees names, so a reviewer of blind steps is none."""


@dataclass(frozen=True, slots=True)
class Routing:
    """Who looks at a reason. ``priority`` goes from 1 (most urgent) to 5; ``role`` is the least
    role that may resolve it; ``reattach``: whether it may be raised again after a person
    resolved it; ``step``: the stage of the machine that raises it."""

    priority: int
    queue: str
    role: str = REVIEWER
    reattach: bool = False
    step: str = "audit"


USUAL: Final = Routing(PRIORITY_USUAL, GENERAL)
"""What a reason gets that the table does not know."""

PEND_ROUTING: Final = {
    "name-mismatch": Routing(2, IDENTITY, step="matching"),
    "accident-check": Routing(2, ACCIDENT, step="screening"),
    "late-excuse": Routing(2, ENTITLEMENT, step="matching"),
    "outside-bill": Routing(2, OUTSIDE, reattach=True, step="screening"),
    "partly-reversed": Routing(2, DOCUMENTS, reattach=True, step="screening"),
    "red-bill-differs": Routing(2, DOCUMENTS, reattach=True, step="screening"),
    "unknown-code": Routing(PRIORITY_USUAL, CATALOGUE, step="matching"),
    "restricted-unconfirmed": Routing(PRIORITY_USUAL, MEDICAL),
    "policy-open": Routing(PRIORITY_USUAL, POLICY),
    "no-rule": Routing(2, POLICY, reattach=True),
    "cover-unclear": Routing(2, ENTITLEMENT, step="matching"),
    "chronic-without-rules": Routing(PRIORITY_USUAL, ENTITLEMENT),
    "chronic-not-entitled": Routing(PRIORITY_USUAL, ENTITLEMENT),
}


def routing_of(code: str) -> Routing:
    """The routing of a reason's code; the usual one for a code that is not in the table."""
    return PEND_ROUTING.get(code, USUAL)
