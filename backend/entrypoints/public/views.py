"""What anybody may ask, without personal data.

``/v/<token>``: is the bill with this QR code genuine, and was it claimed? ``/v/draws``: the
samples for post-audit, announced and drawn, so that anybody can repeat the draw.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Blueprint, Response, current_app, json, render_template, request

from backend.entrypoints import problems
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.public.rate_limit import RateLimit
from backend.service_layer.claims.authenticity import Verdict, check_bill
from backend.service_layer.supervision.sampling import published, published_list

if TYPE_CHECKING:
    from backend.bootstrap import Services

blueprint = Blueprint("public", __name__)
_CHECKS = RateLimit(count=60, seconds=60)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,43}")
_SEQUENCE_MAX: Final = 2**31 - 1


@blueprint.get("/v/<token>")
@access(AccessRule.PUBLIC)
def check(token: str) -> Response:
    refusal = _too_many()
    if refusal is not None:
        return refusal
    services = cast("Services", current_app.extensions["yichu"])
    report = check_bill(services, token if _TOKEN.fullmatch(token) else "")
    status = {Verdict.UNKNOWN: 404, Verdict.CANNOT_TELL: 503}.get(report.verdict, 200)
    page = render_template("public/check.html", report=report, verdict=str(report.verdict))
    return Response(page, status)


@blueprint.get("/v/draws")
@access(AccessRule.PUBLIC)
def draws() -> Response:
    services = cast("Services", current_app.extensions["yichu"])
    return _too_many() or _json({"draws": published_list(services)})


@blueprint.get("/v/draws/<int:sequence>")
@access(AccessRule.PUBLIC)
def draw(sequence: int) -> Response:
    services = cast("Services", current_app.extensions["yichu"])
    return _too_many() or _json(published(services, min(sequence, _SEQUENCE_MAX)))


def _json(found: Any) -> Response:
    return Response(json.dumps(found, ensure_ascii=False), mimetype="application/json")


def _too_many() -> Response | None:
    if _CHECKS.allows(request.remote_addr or ""):
        return None
    answer = problems.answer(
        "http-429", 429, "查得太频繁，请一分钟后再试", "too many checks; wait a minute"
    )
    answer.headers["Retry-After"] = "60"
    return answer
