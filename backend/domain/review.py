"""Review of a case by people: risk, steps that exclude each other, and the draw of who is asked.

Everything here is pure: the same case, findings and seed give the same answer to anybody who
repeats it. A case is *low* or *high* risk. A low one needs one reviewer and, above an amount, a
second approver; where the two differ a third person decides. A high one goes through four steps
that exclude each other (初审、复审、终审、集中审核): nobody holds two of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from backend.domain.errors import DomainError
from backend.domain.pend_reasons import CLERK, INSPECTOR, REVIEWER, SUPERVISOR

MATERIAL_REQUESTS_MAX: Final = 2
SEED_BYTES: Final = 32
_DRAW_TAG: Final = b"yichu-review-draw-1"


class DrawError(DomainError):
    """There is nobody to draw from, or the seed has another size."""

    code = "no-candidate"


class CaseKind(StrEnum):
    CLAIM = "claim"
    APPEAL = "appeal"
    REOPEN = "reopen"
    REVISION = "revision"
    POST_AUDIT = "post-audit"


class CaseState(StrEnum):
    OPEN = "open"
    WAITING = "waiting"  # for the citizen's material
    CLOSED = "closed"


class Risk(StrEnum):
    LOW = "low"
    HIGH = "high"


class StepName(StrEnum):
    SINGLE = "single"
    SECOND_APPROVER = "second-approver"
    FIRST = "first"
    SECOND = "second"
    FINAL = "final"
    PANEL = "panel"


STEP_TITLES: Final = {
    StepName.SINGLE: ("审核", "review"),
    StepName.SECOND_APPROVER: ("第二人批准", "second approval"),
    StepName.FIRST: ("初审", "first review"),
    StepName.SECOND: ("复审", "second review"),
    StepName.FINAL: ("终审", "final review"),
    StepName.PANEL: ("集中审核", "panel"),
}
HIGH_RISK_STEPS: Final = (StepName.FIRST, StepName.SECOND, StepName.FINAL, StepName.PANEL)
BLIND_STEPS: Final = frozenset(StepName) - {StepName.PANEL}
"""Steps in which the names of patient and hospital stay hidden."""

STEP_ROLES: Final = {StepName.PANEL: SUPERVISOR}
"""The least role of a step; a reviewer where nothing is said."""

RAISED: Final = "raised"
EARLIER: Final = "earlier"
"""Parts in a case that are no step and exclude from all of them: who raised it, and who gave a
finding in an earlier case of the same claim."""

_ROLE_COVERS: Final = {
    REVIEWER: frozenset({REVIEWER}),
    SUPERVISOR: frozenset({REVIEWER, INSPECTOR, CLERK, SUPERVISOR}),
}


class Outcome(StrEnum):
    APPROVE = "approve"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class ReviewLimits:
    """The parameters of review, settings of the installation. Amounts in fen, days worked."""

    high_risk_above_fen: int = 5_000_000
    high_risk_priority: int = 1
    high_risk_severity: int = 5
    second_approver_above_fen: int = 1_000_000
    hold_hours: int = 24
    material_days: int = 10
    step_days: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step found. ``paid_fen`` is what its rulings come to."""

    step: StepName
    outcome: Outcome
    paid_fen: int = 0

    def agrees_with(self, other: Finding) -> bool:
        """Whether both say the same: refuse, or approve the same amount. Other rulings that give
        another amount are another opinion, which nobody else has looked at."""
        is_same = self.outcome is other.outcome
        return is_same and (self.outcome is Outcome.REFUSE or self.paid_fen == other.paid_fen)


@dataclass(frozen=True, slots=True)
class Concern:
    """What the risk of a case is judged by: the priority and severity of one of its reasons
    (severity 0: not said)."""

    priority: int
    severity: int = 0


def covers(role: str, needed: str) -> bool:
    """Whether a person of ``role`` may do what ``needed`` may."""
    return needed in _ROLE_COVERS.get(role, frozenset({role}))


def classify(concerns: Iterable[Concern], amount_fen: int, limits: ReviewLimits) -> Risk:
    """High above the amount, or when one reason is urgent or severe enough."""
    is_high = amount_fen > limits.high_risk_above_fen or any(
        concern.priority <= limits.high_risk_priority
        or concern.severity >= limits.high_risk_severity
        for concern in concerns
    )
    return Risk.HIGH if is_high else Risk.LOW


def next_step(
    risk: Risk, findings: Sequence[Finding], amount_fen: int, limits: ReviewLimits
) -> StepName | None:
    """The step that follows the findings so far, in their order; None when the case is decided.

    ``amount_fen`` is the most that is at stake: what is paid as calculated or as ruled.
    """
    if risk is Risk.HIGH:
        done = {finding.step for finding in findings}
        return next((step for step in HIGH_RISK_STEPS if step not in done), None)
    if not findings:
        return StepName.SINGLE
    if len(findings) == 1:
        is_large = amount_fen > limits.second_approver_above_fen
        return StepName.SECOND_APPROVER if is_large else None
    if len(findings) == 2 and not findings[0].agrees_with(findings[1]):
        return StepName.FINAL
    return None


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A person who may be drawn, with the number of steps that they hold already."""

    staff_id: str
    load: int


def draw(seed: bytes, candidates: Iterable[Candidate]) -> str:
    """The candidate that the seed chooses among those who hold the fewest steps.

    The order in which the candidates are given has no effect. Raises :class:`DrawError`.
    """
    everybody = sorted(candidates)
    if len(seed) != SEED_BYTES or not everybody:
        raise DrawError("没有可以分派的人员", "there is nobody that the case can be given to")
    least = min(candidate.load for candidate in everybody)
    lightest = [candidate.staff_id for candidate in everybody if candidate.load == least]
    digest = hashlib.sha256(_DRAW_TAG + seed)
    for staff_id in lightest:
        encoded = staff_id.encode()
        digest.update(len(encoded).to_bytes(2, "big") + encoded)
    return lightest[int.from_bytes(digest.digest(), "big") % len(lightest)]
