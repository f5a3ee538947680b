"""The life of a claim (报销申请): one bill, one payer, one lodge counter.

Status, decision and review are three axes. The order is that of the ledger protocol, section 5:
accepted -> screened -> calculated -> lodged -> decided -> settled -> paid; a claim is lodged
before any decision takes effect, settled only when its lodge is final, and paid only when its
settlement is final. A later decision that gives more leads from paid through supplementing back
to settled and paid; a refused claim whose refusal was overturned begins again at submitted.
"""

from __future__ import annotations

from enum import StrEnum


class ClaimState(StrEnum):
    SUBMITTED = "submitted"
    SCREENED = "screened"
    CALCULATED = "calculated"
    LODGING = "lodging"
    LODGED = "lodged"
    PENDED = "pended"
    DECIDED = "decided"
    SETTLING = "settling"
    SETTLED = "settled"
    PAYING = "paying"
    PAID = "paid"
    RELEASING = "releasing"
    REFUSED = "refused"
    WITHDRAWING = "withdrawing"
    WITHDRAWN = "withdrawn"
    SUPPLEMENTING = "supplementing"
    REVERSED = "reversed"  # settled, and its bill became void before any money left


CLOSED_STATES = frozenset(
    {ClaimState.PAID, ClaimState.REFUSED, ClaimState.WITHDRAWN, ClaimState.REVERSED}
)
UNDECIDED_STATES = frozenset(
    {
        ClaimState.SUBMITTED,
        ClaimState.SCREENED,
        ClaimState.CALCULATED,
        ClaimState.LODGING,
        ClaimState.LODGED,
        ClaimState.PENDED,
    }
)
"""A decision is still to come: the first, or the next of a claim that came back."""

UNLODGED_STATES = frozenset(
    {ClaimState.SUBMITTED, ClaimState.SCREENED, ClaimState.CALCULATED, ClaimState.LODGING}
)
IN_EFFECT_STATES = frozenset(
    {
        ClaimState.SETTLING,
        ClaimState.SETTLED,
        ClaimState.PAYING,
        ClaimState.PAID,
        ClaimState.SUPPLEMENTING,
    }
)
"""A decision is on the ledger or on its way there: it is only ever added to."""

WITHDRAWABLE_STATES = UNDECIDED_STATES | {ClaimState.DECIDED}


class Stage(StrEnum):
    """The four steps as Quzhou names them (requirement R17)."""

    DATA_FLOW = "data-flow"  # 数据流转
    SCREENING = "screening"  # 精准筛查
    MATCHING = "matching"  # 自动匹配
    AUDIT = "audit"  # 智能审核


class StageOutcome(StrEnum):
    PASSED = "passed"
    WAITING = "waiting"
    PENDED = "pended"
    REFUSED = "refused"
