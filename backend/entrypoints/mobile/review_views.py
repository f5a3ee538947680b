"""The citizen withdraws a claim or appeals against its outcome, from the status page."""

from __future__ import annotations

from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from backend.domain.errors import ConflictError
from backend.domain.revision import APPEAL_REASONS, TEXT_MAX, TEXT_MIN, RequestKind
from backend.entrypoints import problems
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.mobile.language import said
from backend.entrypoints.mobile.session import services
from backend.entrypoints.mobile.views import blueprint
from backend.service_layer.claims.submit import working_days_after
from backend.service_layer.handling.appeals import file_appeal
from backend.service_layer.handling.read import ClaimView, view_claim
from backend.service_layer.handling.withdraw import withdraw

problems.register("withdraw-refused", 409, "不能撤回", "the claim cannot be withdrawn")
problems.register("appeal-refused", 409, "不能申请复核", "the appeal cannot be taken")

Page = str | tuple[str, int] | WerkzeugResponse


def _view(claim_id: str) -> ClaimView:
    with services().work(write=False) as work:
        return view_claim(services(), work, g.person_id, claim_id)


def _to_claim(claim_id: str) -> WerkzeugResponse:
    return redirect(url_for("m.claim", claim_id=claim_id), 303)


@blueprint.get("/claims/<claim_id>/withdraw")
@access(AccessRule.CITIZEN)
def withdraw_page(claim_id: str) -> Page:
    view = _view(claim_id)
    return render_template("m/withdraw.html", view=view, error="")


@blueprint.post("/claims/<claim_id>/withdraw")
@access(AccessRule.CITIZEN)
def withdraw_now(claim_id: str) -> Page:
    try:
        withdraw(services(), g.person_id, claim_id, request.form.get("text", ""))
    except ConflictError as error:
        return render_template("m/withdraw.html", view=_view(claim_id), error=said(error)), 409
    return _to_claim(claim_id)


@blueprint.get("/claims/<claim_id>/appeal")
@access(AccessRule.CITIZEN)
def appeal_page(claim_id: str) -> Page:
    return _appeal_page(claim_id, "")


@blueprint.post("/claims/<claim_id>/appeal")
@access(AccessRule.CITIZEN)
def appeal_now(claim_id: str) -> Page:
    code, text = request.form.get("code", ""), request.form.get("text", "")
    try:
        file_appeal(services(), g.person_id, claim_id, code, text)
    except ConflictError as error:
        if _has_open_appeal(claim_id):  # sent twice: the first one stands
            return _to_claim(claim_id)
        return _appeal_page(claim_id, said(error)), 422
    return _to_claim(claim_id)


def _has_open_appeal(claim_id: str) -> bool:
    return any(
        one.is_open and one.request.kind is RequestKind.APPEAL for one in _view(claim_id).asked
    )


def _appeal_page(claim_id: str, error: str) -> str:
    deps, settings = services(), services().settings
    now = deps.clock.now()
    return render_template(
        "m/appeal.html",
        view=_view(claim_id),
        error=error,
        reasons=APPEAL_REASONS,
        chosen=request.form.get("code", ""),
        text=request.form.get("text", "")[:TEXT_MAX],
        text_min=TEXT_MIN,
        text_max=TEXT_MAX,
        promised_on=working_days_after(deps, now, settings.appeal_promise_working_days),
        legal_limit_on=working_days_after(deps, now, settings.appeal_legal_working_days),
        days=settings.appeal_promise_working_days,
        legal_days=settings.appeal_legal_working_days,
    )
