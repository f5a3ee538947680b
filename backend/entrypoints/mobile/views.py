"""Server-rendered pages of the citizen: home, check, receipt, status, explanation, help."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from flask import (
    Blueprint,
    Response,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as WerkzeugResponse

from backend.domain.accident import EXCUSES, MANNERS, PLACES, DeclarationError
from backend.domain.claim import ClaimState
from backend.domain.errors import DomainError
from backend.domain.local_time import SHANGHAI
from backend.entrypoints import problems
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.mobile import language, status_texts, texts
from backend.entrypoints.mobile.declaration_forms import Ask, asks_of, filed_with
from backend.entrypoints.mobile.language import said, say
from backend.entrypoints.mobile.payments import (
    Ending,
    arrived_fen,
    as_it_stands,
    is_about_failure,
    payments_of,
    status_now,
)
from backend.entrypoints.mobile.session import (
    LoginRefusedError,
    log_in,
    log_out,
    safe_target,
    services,
)
from backend.service_layer.claims.accident import DECLARATION, accident_of, lacks_declaration
from backend.service_layer.claims.claimable import (
    UNREADABLE,
    Claimable,
    bills_of,
    estimate,
    list_claimable,
    report_unreadable,
)
from backend.service_layer.claims.declaration_records import Subject
from backend.service_layer.claims.ports import BillHeldError
from backend.service_layer.claims.records import StoredBill
from backend.service_layer.claims.submit import MAX_BILLS, submit, working_days_after
from backend.service_layer.handling.read import ClaimView, view_all, view_claim, view_submission
from backend.service_layer.payees.read import with_payee
from backend.service_layer.payout.holding import PAYEE
from backend.service_layer.payout.records import HELD_BY_ACCOUNT
from backend.service_layer.recovery.read import owed_by_citizen

blueprint = Blueprint("m", __name__, url_prefix="/m")
PHONE = "12393"
REFRESH_SECONDS = 3
LINES_A_PAGE = 100

problems.register("login-refused", 401, "登录没有成功", "the login did not succeed")
problems.register("bill-held", 409, "票据已在另一笔申请中", "another claim holds the bill")
problems.register("submission-refused", 422, "没有提交", "nothing was submitted")


@blueprint.app_template_filter("yuan")
def _yuan(amount_fen: int) -> str:
    return texts.yuan(amount_fen)


@blueprint.app_template_filter("day")
def _day(value: Any) -> str:
    this_year = services().clock.now().astimezone(SHANGHAI).year
    return texts.day(value) if value.year == this_year else texts.full_day(value)


blueprint.app_template_global("t")(say)
blueprint.app_template_global("sentence")(language.sentence)
blueprint.app_template_global("is_english")(language.is_english)
blueprint.app_template_filter("translated")(language.translated)


@blueprint.app_template_filter("if_announced")
def _if_announced(value: Any) -> str:
    """What follows a due date: a mark while the holidays of its year are not announced."""
    return "" if services().calendar.is_announced(value.year) else say(*texts.PROVISIONAL)


@blueprint.app_template_filter("full_day")
def _full_day(value: Any) -> str:
    return texts.full_day(value)


@blueprint.app_template_filter("moment")
def _moment(value: Any) -> str:
    return texts.moment(value)


@blueprint.app_template_filter("fours")
def _fours(number: str) -> str:
    return texts.fours(number)


@blueprint.app_context_processor
def _page_facts() -> dict[str, Any]:
    return {
        "is_elder": request.cookies.get("elder") == "1",
        "is_lan": services().settings.lan,
        "phone": PHONE,
        "chip_of": status_texts.chip_of,
        "next_step": texts.next_step,
        "reason_of": texts.reason_of,
        "effect_of": texts.effect_of,
        "is_logged_in": "person_id" in g,
        "clocks": services().settings,
        "places": PLACES,
        "manners": MANNERS,
        "excuses": EXCUSES,
    }


# --- login --------------------------------------------------------------------------------------


@blueprint.get("/login")
@access(AccessRule.PUBLIC)
def login() -> str:
    return _login_page("")


def _login_page(error: str) -> str:
    with services().work(write=False) as work:
        samples = work.people.sample_logins()
    return render_template(
        "m/login.html", samples=samples, error=error, target=request.values.get("next", "")
    )


@blueprint.post("/login")
@access(AccessRule.PUBLIC)
def log_in_now() -> tuple[str, int] | WerkzeugResponse:
    try:
        log_in(
            request.form.get("username", ""),
            request.form.get("password", ""),
            request.form.get("code", ""),
        )
    except LoginRefusedError as error:
        return _login_page(said(error)), 401
    return redirect(safe_target(request.form.get("next")), 303)


@blueprint.post("/logout")
@access(AccessRule.CITIZEN)
def log_out_now() -> WerkzeugResponse:
    log_out()
    return redirect(url_for("m.login"), 303)


@blueprint.post("/mode")
@access(AccessRule.PUBLIC)
def switch_mode() -> WerkzeugResponse:
    """Elder or standard mode; a plain cookie that says nothing of the person."""
    answer = redirect(safe_target(request.form.get("back")), 303)
    wanted = "1" if request.form.get("mode") == "elder" else "0"
    answer.set_cookie("elder", wanted, max_age=365 * 86_400, samesite="Lax", httponly=True)
    return answer


@blueprint.post("/language")
@access(AccessRule.PUBLIC)
def switch_language() -> WerkzeugResponse:
    """Chinese or English, kept as the mode is."""
    answer = redirect(safe_target(request.form.get("back")), 303)
    wanted = language.ENGLISH_CODE if request.form.get("language") == "en" else "zh"
    answer.set_cookie(language.COOKIE, wanted, max_age=365 * 86_400, samesite="Lax", httponly=True)
    return answer


# --- home and check -----------------------------------------------------------------------------


@blueprint.get("", strict_slashes=False)
@access(AccessRule.CITIZEN)
def home() -> str:
    deps = services()
    with deps.work(write=False) as work:
        person = work.people.get(g.person_id)
        found = list_claimable(deps, work, person)
        chosen = [entry.bill for entry in found.offered[:MAX_BILLS]]
        amounts, problem = _estimate(work, person, chosen)
        shown = with_payee(deps, work, person)
        views = [as_it_stands(deps, work, one) for one in view_all(deps, work, g.person_id)]
        recent = [view for view in views if not view.claim.is_closed][:3]
        lost = [one for one in work.lost_periods.periods() if one.is_open]
    report_unreadable(deps, found)
    return render_template(
        "m/home.html",
        person=shown,
        found=found,
        chosen={bill.invoice_id for bill in chosen},
        amounts=amounts,
        total_fen=sum(eob.paid_fen for eob in amounts.values()),
        problem=problem,
        promised_on=_promised_on(),
        recent=recent,
        lost=lost,
        damaged=[entry for entry in found.withheld if entry.reason.code == UNREADABLE],
    )


def _promised_on() -> Any:
    deps = services()
    return working_days_after(deps, deps.clock.now(), deps.settings.promise_working_days)


def _estimate(work: Any, person: Any, bills: list[StoredBill]) -> tuple[dict[str, Any], str]:
    """Estimates by invoice id; a rule that cannot be applied is said, never a broken page."""
    try:
        return estimate(services(), work, person, bills), ""
    except DomainError as error:
        return {}, said(error)


def _ticked(found: Claimable) -> list[StoredBill]:
    wanted = set(request.args.getlist("bill")[: MAX_BILLS + 1])
    return [entry.bill for entry in found.offered if entry.bill.invoice_id in wanted]


@blueprint.get("/estimate")
@access(AccessRule.CITIZEN)
def estimate_ticked() -> Response:
    """The amounts of the ticked bills together, for the script of the home page."""
    deps = services()
    with deps.work(write=False) as work:
        person = work.people.get(g.person_id)
        bills = _ticked(list_claimable(deps, work, person))
        amounts, problem = _estimate(work, person, bills)
    if problem:  # the script keeps what it shows, and the next page says what is wrong
        return make_response(jsonify(problem=problem), 503)
    return jsonify(
        total=texts.yuan(sum(eob.paid_fen for eob in amounts.values())),
        bills={key: texts.yuan(eob.paid_fen) for key, eob in amounts.items()},
    )


@blueprint.get("/check")
@access(AccessRule.CITIZEN)
def check() -> str | tuple[str, int] | WerkzeugResponse:
    return _check_page("")


def _check_page(
    error: str, asked: dict[str, Ask] | None = None
) -> str | tuple[str, int] | WerkzeugResponse:
    deps = services()
    with deps.work(write=False) as work:
        person = work.people.get(g.person_id)
        found = list_claimable(deps, work, person)
        wanted = request.values.getlist("bill")[:MAX_BILLS]
        bills = [entry for entry in found.offered if entry.bill.invoice_id in wanted]
        held = [
            (entry.bill, entry.claim)
            for entry in found.withheld
            if entry.bill.invoice_id in wanted and entry.claim is not None
        ]
        amounts, problem = _estimate(work, person, [entry.bill for entry in bills])
        shown = with_payee(deps, work, person)
    if not bills and held:
        # The back button after sending: say where the bills are, not that there is nothing.
        return render_template("m/held.html", held=held, left=[])
    if not bills:
        return redirect(url_for("m.home"), 303)
    bills.sort(key=lambda entry: (entry.bill.service_on, entry.bill.invoice_key))
    page = render_template(
        "m/check.html",
        person=shown,
        bills=bills,
        amounts=amounts,
        total_fen=sum(eob.paid_fen for eob in amounts.values()),
        problem=problem,
        error=error,
        form_token=secrets.token_urlsafe(32),
        promised_on=_promised_on(),
        asks=asked or asks_of(deps, [entry.bill for entry in bills], request.form),
    )
    return (page, 422) if error else page


@blueprint.post("/submissions")
@access(AccessRule.CITIZEN)
def send() -> Any:
    invoice_ids = request.form.getlist("bill")
    asked = _asked(invoice_ids)
    filed, is_complete = {}, True
    for invoice_id, ask in asked.items():
        try:
            filed[invoice_id] = filed_with(ask)
        except DeclarationError as error:
            is_complete = False
            asked[invoice_id] = replace(ask, faults=error.faults)
    if not is_complete:
        return _check_page(
            say(
                "下面有几处要填，填好的都还在",
                "Some answers are missing below; what you filled in is kept",
            ),
            asked,
        )
    if request.form.get("consent") != "yes":
        return _check_page(
            say("请先勾选“我同意”，再点确认报销", "Tick “I agree” first, then confirm"), asked
        )
    try:
        result = submit(
            services(),
            g.person_id,
            invoice_ids,
            request.form.get("form_token", ""),
            has_consent=True,
            filed_with=filed,
        )
    except BillHeldError as error:
        return _held_page(error, invoice_ids), 409
    return redirect(url_for("m.submission", submission_id=result.submission.id), 303)


def _asked(invoice_ids: list[str]) -> dict[str, Ask]:
    """The questions of the ticked bills; none for a form that was accepted before."""
    deps = services()
    with deps.work(write=False) as work:
        if work.claims.submission_by_token(request.form.get("form_token", "")) is not None:
            return {}
        wanted = set(invoice_ids[:MAX_BILLS])
        own = bills_of(deps, work, work.people.get(g.person_id))
        bills = [bill for bill in own if bill.invoice_id in wanted]
        free = [bill for bill in bills if work.claims.live_on(bill.invoice_id) is None]
    return asks_of(deps, free, request.form)


def _held_page(error: BillHeldError, invoice_ids: list[str]) -> str:
    with services().work(write=False) as work:
        held = [
            (work.claims.bill_of_version(claim.version_id), claim)
            for claim in error.holders.values()
            if claim.person_id == g.person_id
        ]
    left = [invoice_id for invoice_id in invoice_ids if invoice_id not in error.holders]
    return render_template("m/held.html", held=held, left=left)


# --- status -------------------------------------------------------------------------------------


def _moving(page: str, is_moving: bool) -> Response:
    """A page that moves by itself: the script polls, else the Refresh header reloads it."""
    answer = make_response(page)
    if is_moving and request.cookies.get("js") != "1":
        answer.headers["Refresh"] = str(REFRESH_SECONDS)
    return answer


def _is_moving(view: ClaimView) -> bool:
    """Whether the next step comes by itself; a pended claim waits for a person, for hours."""
    if view.claim.waiting_for == DECLARATION:
        return False
    return not view.claim.is_closed and view.claim.state is not ClaimState.PENDED


@blueprint.get("/submissions/<submission_id>")
@access(AccessRule.CITIZEN)
def submission(submission_id: str) -> Response:
    with services().work(write=False) as work:
        found, views = view_submission(services(), work, g.person_id, submission_id)
        views = [as_it_stands(services(), work, one) for one in views]
        person = with_payee(services(), work, work.people.get(g.person_id))
    is_moving = any(_is_moving(view) for view in views)
    page = render_template(
        "m/submission.html",
        submission=found,
        views=views,
        person=person,
        heading=status_texts.submission_heading(is_moving, [view.claim.state for view in views]),
        is_moving=is_moving,
        has_total=all(view.explanation or view.is_refused for view in views),
        total_fen=sum(view.paid_fen for view in views if not view.is_refused),
        is_decided=all(view.is_decided or view.claim.is_closed for view in views),
    )
    return _moving(page, is_moving)


@blueprint.get("/claims/<claim_id>")
@access(AccessRule.CITIZEN)
def claim(claim_id: str) -> Response:
    with services().work(write=False) as work:
        view = as_it_stands(services(), work, view_claim(services(), work, g.person_id, claim_id))
        person = with_payee(services(), work, work.people.get(g.person_id))
        asked = work.material.open_request_of_claim(claim_id)
        asks_accident = lacks_declaration(work, view.claim)
        declared = accident_of(work, claim_id)
        excused = work.declarations.of_claim(claim_id, Subject.LATE)
        owed = owed_by_citizen(work, view.claim)
        payments = payments_of(work, view.claim)
    page = render_template(
        "m/claim.html",
        view=view,
        payments=payments,
        arrived_fen=arrived_fen(payments),
        arrived=[one for one in payments if one.ending is Ending.PAID],
        failed=payments[-2] if is_about_failure(view, payments) else None,
        material=asked,
        asks_accident=asks_accident,
        asks_account=view.claim.waiting_for in (*HELD_BY_ACCOUNT, PAYEE),
        declared=declared,
        excused=excused[-1] if excused else None,
        owed=owed,
        person=person,
        status=status_now(services(), view, payments),
        is_moving=_is_moving(view),
    )
    return _moving(page, _is_moving(view))


@blueprint.get("/claims/<claim_id>/lines")
@access(AccessRule.CITIZEN)
def lines(claim_id: str) -> str:
    with services().work(write=False) as work:
        view = view_claim(services(), work, g.person_id, claim_id)
    all_lines = view.explanation.get("lines", [])
    pages = max(1, -(-len(all_lines) // LINES_A_PAGE))
    asked = request.args.get("page", "1")
    page = min(pages, max(1, int(asked))) if asked.isascii() and asked.isdigit() else 1
    shown = all_lines[(page - 1) * LINES_A_PAGE : page * LINES_A_PAGE]
    return render_template("m/lines.html", view=view, lines=shown, page=page, pages=pages)


@blueprint.get("/claims")
@access(AccessRule.CITIZEN)
def claims() -> str:
    with services().work(write=False) as work:
        found = view_all(services(), work, g.person_id)
        views = [as_it_stands(services(), work, one) for one in found]
    return render_template("m/claims.html", views=views)


# --- further pages ------------------------------------------------------------------------------


@blueprint.get("/missing")
@access(AccessRule.CITIZEN)
def missing() -> str:
    deps = services()
    with deps.work(write=False) as work:
        found = list_claimable(deps, work, work.people.get(g.person_id))
    report_unreadable(deps, found)
    return render_template("m/missing.html", withheld=found.withheld)


@blueprint.get("/claims/<claim_id>/question")
@access(AccessRule.CITIZEN)
def question(claim_id: str) -> str:
    with services().work(write=False) as work:
        view = view_claim(services(), work, g.person_id, claim_id)
    return render_template("m/question.html", view=view)


@blueprint.get("/help")
@access(AccessRule.PUBLIC)
def help_page() -> str:
    return render_template("m/help.html")
