"""Pages on which a citizen opens one bill to a commercial insurer, and takes that back.

First is chosen what, to whom and for how long; then the very text is shown that is agreed to.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as WerkzeugResponse

from backend.domain.second_payer import (
    CONSENT_DAYS,
    PART_ZH,
    ConsentRefusedError,
    Part,
    read_days,
    read_parts,
)
from backend.entrypoints import problems
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.mobile.language import is_english, said, translated
from backend.entrypoints.mobile.session import services
from backend.entrypoints.mobile.views import blueprint
from backend.service_layer.second_payers.consent import (
    PHASE_ZH,
    Asked,
    chosen_payer,
    consent_text,
    give_consent,
    own_bill,
    revoke_consent,
    shared_by,
)

problems.register("consent-refused", 422, "没有保存同意", "the consent was not stored")


@blueprint.get("/bills/<bill_id>/share")
@access(AccessRule.CITIZEN)
def share_bill(bill_id: str) -> str | tuple[str, int]:
    """The choices; with ``next`` the text that they come to."""
    if "next" not in request.args:
        return _choices(bill_id, "")
    try:
        return _agreement(bill_id, request.args, "")
    except ConsentRefusedError as error:
        return _choices(bill_id, said(error)), 422


@blueprint.post("/bills/<bill_id>/share")
@access(AccessRule.CITIZEN)
def share_now(bill_id: str) -> tuple[str, int] | WerkzeugResponse:
    """Store the consent; the same form sent twice is one consent."""
    form = request.form
    asked = Asked(
        payer=form.get("payer", "")[:4],
        parts=form.getlist("part")[:4],
        days=form.get("days", "")[:4],
        is_agreed=form.get("consent") == "yes",
        form_token=form.get("form_token", "")[:80],
    )
    try:
        give_consent(services(), g.person_id, bill_id[:40], asked)
    except ConsentRefusedError as error:
        try:
            return _agreement(bill_id, form, said(error)), 422
        except ConsentRefusedError:
            return _choices(bill_id, said(error)), 422
    flash("shared")
    return redirect(url_for("m.shared"), 303)


def _choices(bill_id: str, error: str) -> str:
    deps = services()
    with deps.work(write=False) as work:
        bill = own_bill(deps, work, g.person_id, bill_id[:40])
        payers = work.second_payers.payers()
    return render_template(
        "m/share.html",
        bill=bill,
        payers=payers,
        parts=[(str(part), PART_ZH[part]) for part in Part],
        chosen=request.values.getlist("part"),
        chosen_payer=request.values.get("payer", ""),
        chosen_days=request.values.get("days", ""),
        all_days=CONSENT_DAYS,
        error=error,
    )


def _agreement(bill_id: str, values: MultiDict[str, str], error: str) -> str:
    deps = services()
    parts, days = read_parts(values.getlist("part")[:4]), read_days(values.get("days", ""))
    with deps.work(write=False) as work:
        bill = own_bill(deps, work, g.person_id, bill_id[:40])
        payer = chosen_payer(work, values.get("payer", ""))
    return render_template(
        "m/share_agree.html",
        bill=bill,
        payer=payer,
        parts=[str(part) for part in parts],
        days=days,
        text=consent_text(payer.name, parts, days),
        text_en=_in_english(payer.name, parts, days) if is_english() else "",
        form_token=secrets.token_urlsafe(32),
        error=error,
    )


def _in_english(payer_name: str, parts: Sequence[Part], days: int) -> str:
    """What the text of the consent says. The consent itself is the Chinese text."""
    opened = "; ".join(translated(PART_ZH[part]) for part in parts)
    return (
        f"I agree that “{payer_name}” may see this bill for {days} days, for a claim on private "
        f"insurance. It may see nothing but: {opened}. It may lock this bill on the ledger and "
        "settle what is left of it. On the ledger it and the other payers can see of each other "
        "who has locked the bill and how much was paid in all. I can take this back at any time: "
        "it then no longer sees the bill, and a lock that it has not settled is given back. What "
        "it has read or settled stays so."
    )


@blueprint.get("/shared")
@access(AccessRule.CITIZEN)
def shared() -> str:
    deps = services()
    with deps.work(write=False) as work:
        rows = shared_by(deps, work, g.person_id)
    return render_template("m/shared.html", rows=rows, phases=PHASE_ZH)


@blueprint.post("/shared/<consent_id>/revoke")
@access(AccessRule.CITIZEN)
def revoke_shared(consent_id: str) -> WerkzeugResponse:
    revoke_consent(services(), g.person_id, consent_id[:40])
    flash("revoked")
    return redirect(url_for("m.shared"), 303)
