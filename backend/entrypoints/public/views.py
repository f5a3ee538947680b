"""``/v/<token>``: is the bill with this QR code genuine, and was it claimed? No personal data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from flask import Blueprint, Response, current_app, render_template, request

from backend.entrypoints import problems
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.public.rate_limit import RateLimit
from backend.service_layer.claims.authenticity import Verdict, check_bill

if TYPE_CHECKING:
    from backend.bootstrap import Services

blueprint = Blueprint("public", __name__)
_CHECKS = RateLimit(count=60, seconds=60)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,43}")


@blueprint.get("/v/<token>")
@access(AccessRule.PUBLIC)
def check(token: str) -> Response:
    if not _CHECKS.allows(request.remote_addr or ""):
        answer = problems.answer(
            "http-429", 429, "查得太频繁，请一分钟后再试", "too many checks; wait a minute"
        )
        answer.headers["Retry-After"] = "60"
        return answer
    services = cast("Services", current_app.extensions["yichu"])
    report = check_bill(services, token if _TOKEN.fullmatch(token) else "")
    status = {Verdict.UNKNOWN: 404, Verdict.CANNOT_TELL: 503}.get(report.verdict, 200)
    page = render_template("public/check.html", report=report, verdict=str(report.verdict))
    return Response(page, status)
