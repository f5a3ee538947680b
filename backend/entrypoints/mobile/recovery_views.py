"""The page of what a citizen has to pay back: how much, why, by when, how, and how to object."""

from __future__ import annotations

from flask import g, render_template

from backend.domain.errors import NotFoundError
from backend.domain.recovery import CAUSE_ZH, Recovery, State
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.mobile.language import say, translated
from backend.entrypoints.mobile.session import services
from backend.entrypoints.mobile.views import blueprint
from backend.service_layer.handling.read import view_claim
from backend.service_layer.payout.booking import fund_region
from backend.service_layer.recovery.read import owed_by_citizen

_STATES = {
    State.OPEN: ("请退回", "Please pay it back"),
    State.PARTLY: ("已退一部分", "A part is paid back"),
    State.RECOVERED: ("已退清", "Paid back in full"),
    State.WAIVED: ("余款不再要求退回", "The rest is no longer asked for"),
}


@blueprint.get("/claims/<claim_id>/recovery")
@access(AccessRule.CITIZEN)
def recovery_page(claim_id: str) -> str:
    """Everything that is owed back of one claim of this person; nobody else's is found."""
    deps = services()
    with deps.work(write=False) as work:
        view = view_claim(deps, work, g.person_id, claim_id)
        found = owed_by_citizen(work, view.claim)
        region = fund_region(deps, work, view.claim) if found else ""
    if not found:
        raise NotFoundError("这笔申请没有要退回的钱", "nothing is to be paid back of this claim")
    return render_template(
        "m/recovery.html",
        view=view,
        recoveries=[(one, say(*_STATES[one.state]), _why(one)) for one in found],
        reason_parts=_reason_parts,
        account=deps.settings.payout.account_of(region) or deps.settings.payout.account,
        is_simulated=deps.bank.is_simulated,
    )


def _why(one: Recovery) -> str:
    return translated(CAUSE_ZH[one.order.cause])


def _reason_parts(reason: str) -> tuple[str, str]:
    """The reason in Chinese and in English; a person's has one language."""
    zh, _, en = reason.partition(" / ")
    return zh, en
