"""The page of the account to which the citizen's money goes (收款账户)."""

from __future__ import annotations

import re
import secrets
from typing import Final

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from backend.domain.payee import AccountRefusedError, account_number
from backend.entrypoints import problems
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.mobile.language import said, say
from backend.entrypoints.mobile.session import services
from backend.entrypoints.mobile.views import blueprint
from backend.service_layer.payees.confirm import confirm_account
from backend.service_layer.payees.declare import NamedAccount, cancel, declare
from backend.service_layer.payees.ports import AccountRaceError
from backend.service_layer.payees.read import view_account
from backend.service_layer.payout.ports import BankUnavailableError

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

problems.register("account-refused", 422, "账户没有保存", "the account was not stored")
problems.register("account-race", 409, "账户没有保存", "the account was not stored")


@blueprint.get("/account")
@access(AccessRule.CITIZEN)
def account() -> str:
    return _page("")


def _page(error: str) -> str:
    deps = services()
    with deps.work(write=False) as work:
        view = view_account(deps, work, g.person_id)
        person = work.people.get(g.person_id)
    return render_template(
        "m/account.html",
        view=view,
        person=person,
        banks=deps.banks,
        is_simulated=deps.bank.is_simulated,
        error=error,
        field=_field_at_fault(),
        chosen_bank=request.form.get("bank", ""),
        form_token=secrets.token_urlsafe(32),
    )


def _field_at_fault() -> str:
    """The field to which an error leads: the number, unless it is one and no bank was chosen."""
    try:
        account_number(request.form.get("number", ""))
    except AccountRefusedError:
        return "number"
    return "number" if request.form.get("bank") else "bank"


@blueprint.post("/account")
@access(AccessRule.CITIZEN)
def name_account() -> tuple[str, int] | WerkzeugResponse:
    """Name another account; sent twice it is one. The number typed is never shown again."""
    try:
        row = declare(
            services(),
            NamedAccount(
                person_id=g.person_id,
                bank_code=request.form.get("bank", "")[:12],
                number=request.form.get("number", ""),
                form_token=_form_token(),
                by="citizen",
            ),
        )
    except (AccountRefusedError, AccountRaceError) as error:
        return _page(said(error)), 422
    except BankUnavailableError:
        return _page(
            say(
                "现在连不上银行，没有保存任何内容。请过几分钟再试；报销的钱会等着，不会丢",
                "The bank cannot be reached now, and nothing was stored. Try again in a few "
                "minutes; what you are paid waits and is not lost",
            )
        ), 503
    flash("saved" if row.effective_at is not None else "unproven")
    return redirect(url_for("m.account"), 303)


def _form_token() -> str:
    """The form's own name; a new one for text that is none."""
    given = request.form.get("form_token", "")
    return given if _TOKEN.fullmatch(given) else secrets.token_urlsafe(32)


@blueprint.post("/account/confirm")
@access(AccessRule.CITIZEN)
def still_right() -> tuple[str, int] | WerkzeugResponse:
    """After a restored backup: the account that is shown is still right. Sent twice it is one."""
    version = request.form.get("version", "")
    try:
        shown = int(version) if version.isascii() and version.isdecimal() else 0
        reason = "by the citizen on the page"
        if confirm_account(services(), g.person_id, shown, "citizen", reason):
            flash("confirmed")
    except AccountRefusedError as error:
        return _page(said(error)), 422
    return redirect(url_for("m.account"), 303)


@blueprint.post("/account/cancel")
@access(AccessRule.CITIZEN)
def cancel_change() -> WerkzeugResponse:
    if cancel(services(), g.person_id, "citizen", "by the citizen on the page"):
        flash("cancelled")
    return redirect(url_for("m.account"), 303)
