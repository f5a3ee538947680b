"""Until when a bill may be claimed (报销期限), as the policy pack says."""

from __future__ import annotations

import calendar
import datetime as dt

from backend.domain.bill import BillForBenefit
from backend.domain.explanation import Group, Reason
from backend.domain.policy import ClaimDeadline, PolicyPack


def last_day(deadline: ClaimDeadline, service_on: dt.date) -> dt.date:
    """The last day, included, on which a service of ``service_on`` may be claimed.

    Months end on the same day of the month, or on its last day where there is none such.
    """
    if deadline.next_year_until is not None:
        month, day = deadline.next_year_until
        return dt.date(service_on.year + 1, month, day)
    year, month = divmod(service_on.year * 12 + service_on.month - 1 + (deadline.months or 0), 12)
    month += 1
    return dt.date(year, month, min(service_on.day, calendar.monthrange(year, month)[1]))


def is_past_limit(pack: PolicyPack, bill: BillForBenefit, submitted_on: dt.date) -> bool:
    """Whether the claim came after the pack's deadline; a pack without one never says so."""
    return past_limit(pack, bill.visit_date, submitted_on) is not None


def past_limit(pack: PolicyPack, service_on: dt.date, submitted_on: dt.date) -> Reason | None:
    """Why a service of that day can no longer be claimed, with the way to appeal; else None.

    The day that counts is the one on which the claim was submitted, never the day on which
    somebody gets round to it.
    """
    deadline = pack.claim_deadline
    if deadline is None:
        return None
    until = last_day(deadline, service_on)
    if submitted_on <= until:
        return None
    return Reason(
        Group.OTHER,
        "past-limit",
        deadline.rule_id,
        f"已过报销期限：{service_on.isoformat()} 的费用最晚 {until.isoformat()} 申请。"
        "有正当理由（如住院、在国外）的，可以在这笔申请的页面申请复核，写明理由",
        f"Past the limit: costs of {service_on.isoformat()} had to be claimed by "
        f"{until.isoformat()}. With a good reason, such as a stay in hospital or abroad, appeal on "
        "the page of this claim and say it",
    )
