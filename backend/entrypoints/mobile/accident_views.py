"""The page on which the citizen declares an accident after the claim was sent."""

from __future__ import annotations

from dataclasses import replace

from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from backend.domain.accident import DeclarationError, read_accident
from backend.domain.local_time import local_day
from backend.entrypoints import problems
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.mobile.declaration_forms import Ask, typed
from backend.entrypoints.mobile.session import services
from backend.entrypoints.mobile.views import blueprint
from backend.service_layer.claims.accident import Needs, accident_of, may_declare
from backend.service_layer.handling.accident_answers import DeclarationClosedError, declare
from backend.service_layer.handling.read import view_claim

problems.register("declaration-incomplete", 422, "还没有填完", "the declaration is not complete")
problems.register("declaration-closed", 409, "现在不用填", "no declaration is taken now")
problems.register("declaration-race", 409, "刚才已经收到一份", "another one was stored just now")
problems.register("accident-code-unknown", 422, "没有这个代码", "there is no such code")

Page = str | tuple[str, int] | WerkzeugResponse


@blueprint.get("/claims/<claim_id>/accident")
@access(AccessRule.CITIZEN)
def accident_page(claim_id: str) -> Page:
    return _page(claim_id, {})


@blueprint.post("/claims/<claim_id>/accident")
@access(AccessRule.CITIZEN)
def declare_now(claim_id: str) -> Page:
    answers = typed(request.form, claim_id)
    try:
        accident = read_accident(answers, local_day(services().clock.now()))
    except DeclarationError as error:
        return _page(claim_id, error.faults), 422
    try:
        declare(services(), g.person_id, claim_id, accident)
    except DeclarationClosedError:
        return _page(claim_id, {}), 409
    return redirect(url_for("m.claim", claim_id=claim_id), 303)


def _page(claim_id: str, faults: dict[str, str]) -> str:
    deps = services()
    with deps.work(write=False) as work:
        view = view_claim(deps, work, g.person_id, claim_id)
        stored = accident_of(work, claim_id)
    ask = None
    if may_declare(view.claim):
        ask = Ask(
            claim_id,
            Needs(is_accident=True),
            typed(request.form, claim_id),
            local_day(deps.clock.now()),
            faults,
        )
        if stored is not None and request.method == "GET":
            ask = replace(ask, typed=_as_typed(stored.content))
    return render_template("m/accident.html", claim=view.claim, bill=view.bill, ask=ask)


def _as_typed(content: dict[str, object]) -> dict[str, str]:
    """A stored declaration as its fields, for a change; the undertaking is signed anew."""
    names = {"third_party": "has_third_party", "at_work": "is_at_work", "traffic": "is_traffic"}
    texts = ("happened_on", "place", "manner", "story", "other_party")
    return {name: str(content[name]) for name in texts} | {
        name: str(content[stored]) for name, stored in names.items()
    }
