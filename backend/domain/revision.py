"""Why a decision gets another version, and who asks for it: codes, limits and words.

A decision is never changed. An appeal (复核) comes from the citizen, a reopening from the agency's
staff, a revision from the system itself when facts that a decision rested on have changed.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Final


class Cause(StrEnum):
    """What made a decision version."""

    FIRST = "first"
    APPEAL = "appeal"
    REOPENED = "reopened"
    LATE_FILING = "late-filing"
    ENTITLEMENT = "entitlement"
    YEAR_TOTALS = "year-totals"
    CLEARING = "clearing"  # the yearly clearing
    LEDGER = "ledger"  # found on the ledger after a restored backup


class RequestKind(StrEnum):
    """``revision``: a difference that the system found and that only a person may act on."""

    APPEAL = "appeal"
    REOPEN = "reopen"
    REVISION = "revision"


class RequestOutcome(StrEnum):
    UPHELD = "upheld"
    REJECTED = "rejected"


CAUSE_ZH: Final = {
    Cause.FIRST: "首次核定",
    Cause.APPEAL: "您申请复核后改定",
    Cause.REOPENED: "经办机构重新核定",
    Cause.LATE_FILING: "备案补登后重算",
    Cause.ENTITLEMENT: "待遇信息变更后重算",
    Cause.YEAR_TOTALS: "全年累计变化后重算",
    Cause.CLEARING: "年度清算后重算",
    Cause.LEDGER: "按账本恢复",
}

APPEAL_REASONS: Final = {
    "amount": "金额算得不对",
    "item": "有项目应该报没有报",
    "person": "参保、身份或备案信息不对",
    "material": "我有新的材料",
    "refusal": "不应该不予报销",
    "other": "其他",
}
"""Coded reasons of an appeal, with the words on the citizen's page."""

REOPEN_REASONS: Final = {
    "calculation-error": "计算错误",
    "policy-error": "适用政策有误",
    "fact-corrected": "参保、身份或票据信息更正",
    "material-found": "补到材料",
    "post-audit": "抽查或稽核发现",
    "decision-of-others": "行政复议、诉讼或上级机构的决定",
}
"""Coded reasons for which staff may reopen a claim."""

TEXT_MIN: Final = 4
TEXT_MAX: Final = 500
SOURCE_MAX: Final = 80
NAME_MAX: Final = 60
MAX_REOPENINGS: Final = 3
"""How often one claim may be reopened by staff; after that only a decision of others helps, and
that is a new matter for the agency's management."""

REOPEN_PROPOSAL_DAYS: Final = 7
"""Calendar days within which a second person confirms a proposed reopening. Ours."""


def last_appeal_day(decided_on: dt.date, days: int) -> dt.date:
    """The last day on which a decision of that day can be appealed: ``days`` calendar days."""
    return decided_on + dt.timedelta(days=days)
