"""The page of what a citizen has to pay back: how much, why, by when, how, and how to object."""

from __future__ import annotations

from flask import g, render_template

from backend.domain.errors import NotFoundError
from backend.domain.recovery import CAUSE_ZH, Recovery, State
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.mobile.session import services
from backend.entrypoints.mobile.views import blueprint
from backend.service_layer.claims.read import view_claim
from backend.service_layer.recovery.read import owed_by_citizen

STATES_ZH = {
    State.OPEN: "请退回",
    State.PARTLY: "已退一部分",
    State.RECOVERED: "已退清",
    State.WAIVED: "余款不再要求退回",
}


@blueprint.get("/claims/<claim_id>/recovery")
@access(AccessRule.CITIZEN)
def recovery_page(claim_id: str) -> str:
    """Everything that is owed back of one claim of this person; nobody else's is found."""
    deps = services()
    with deps.work(write=False) as work:
        view = view_claim(deps, work, g.person_id, claim_id)
        found = owed_by_citizen(work, view.claim)
    if not found:
        raise NotFoundError("这笔申请没有要退回的钱", "nothing is to be paid back of this claim")
    return render_template(
        "m/recovery.html",
        view=view,
        recoveries=[(one, STATES_ZH[one.state], _why(one)) for one in found],
        account=deps.settings.payout.account,
        is_simulated=deps.bank.is_simulated,
    )


def _why(one: Recovery) -> str:
    return CAUSE_ZH[one.order.cause]
