"""The Flask application factory: nothing happens on import.

``create_app(services)`` registers the blueprints, enforces each route's declared access rule
before its view runs, and puts the security headers on every answer.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from apiflask import APIFlask
from flask import Flask, Response, g, redirect, request
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response as WerkzeugResponse

from backend.domain.errors import NotFoundError
from backend.entrypoints import problems
from backend.entrypoints.access import AccessRule, access, require_declared_rules, rule_of

if TYPE_CHECKING:
    from backend.bootstrap import Services

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SESSION_MINUTES = 30


def create_app(services: Services) -> Flask:
    """Build the web application on the given services."""
    app = APIFlask(
        "backend.entrypoints.pages",
        title="Yichu 一触 hospital API",
        version="1.0.0",
        docs_path=None,
        spec_path=None,
        json_errors=False,
        static_folder="static",
        static_url_path="/static",
        template_folder="templates",
    )
    app.extensions["yichu"] = services
    settings = services.settings
    app.config.update(
        SECRET_KEY=settings.secret("session_key"),
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        SESSION_COOKIE_NAME="yichu-lan" if settings.lan else "__Host-yichu",
        SESSION_COOKIE_SECURE=not settings.lan,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        PERMANENT_SESSION_LIFETIME=SESSION_MINUTES * 60,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    _register_blueprints(app)
    _register_operator_views(app, services)
    problems.install_error_handlers(app)
    app.before_request(lambda: _enforce(app))
    app.after_request(_finish)
    _declare_static(app)
    require_declared_rules(app)
    return app


def _register_blueprints(app: Flask) -> None:
    from backend.entrypoints import api, mobile, public, staff

    csrf = CSRFProtect(app)
    app.register_blueprint(api.blueprint)
    csrf.exempt(api.blueprint)  # bearer keys, no cookie
    app.register_blueprint(staff.blueprint)
    csrf.exempt(staff.blueprint)  # bearer tokens, no cookie
    app.register_blueprint(mobile.blueprint)
    app.register_blueprint(public.blueprint)
    app.extensions["yichu-authenticators"] = {
        AccessRule.HOSPITAL: api.authenticate,
        AccessRule.PAYER: api.authenticate_payer,
        AccessRule.CITIZEN: mobile.authenticate,
        AccessRule.STAFF: staff.authenticate,
        AccessRule.REVIEWER: lambda: staff.authenticate("reviewer"),
        AccessRule.CLERK: lambda: staff.authenticate("clerk"),
        AccessRule.INSPECTOR: lambda: staff.authenticate("inspector"),
        AccessRule.SUPERVISOR: lambda: staff.authenticate("supervisor"),
    }


def _declare_static(app: Flask) -> None:
    for endpoint, view in app.view_functions.items():
        if endpoint == "static" or endpoint.endswith(".static"):
            app.view_functions[endpoint] = access(AccessRule.PUBLIC)(_as_function(view))


def _as_function(view: Any) -> Any:
    def static_file(**values: Any) -> Any:
        return view(**values)

    return static_file


def _enforce(app: Flask) -> Any:
    g.request_id = secrets.token_hex(8)
    if "\x00" in request.path or any("\x00" in text for text in request.args.values()):
        raise NotFoundError("没有找到这个页面", "there is no such page")  # no text of ours has one
    if request.endpoint is None:
        return None  # the router answers 404 or 405
    rule = rule_of(app, request.endpoint)
    if rule is AccessRule.PUBLIC:
        return None
    authenticate = app.extensions["yichu-authenticators"].get(rule)
    if authenticate is None:
        raise NotFoundError("没有找到这个页面", "there is no such page")
    return authenticate()


def _finish(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Request-Id"] = g.get("request_id", "")
    if request.endpoint == "static" and response.status_code < 400:
        response.headers["Cache-Control"] = "public, max-age=3600"
    else:
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _register_operator_views(app: Flask, services: Services) -> None:
    @app.get("/")
    @access(AccessRule.PUBLIC)
    def index() -> WerkzeugResponse:
        return redirect("/m")

    @app.get("/healthz")
    @access(AccessRule.PUBLIC)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    @access(AccessRule.PUBLIC)
    def readyz() -> tuple[dict[str, Any], int]:
        report = services.readiness()
        return report, 200 if report["ready"] else 503

    @app.get("/metrics")
    @access(AccessRule.PUBLIC)
    def metrics() -> Response:
        if request.remote_addr not in ("127.0.0.1", "::1"):
            raise NotFoundError("没有找到这个页面", "there is no such page")
        return Response(services.metrics(), mimetype="text/plain; version=0.0.4")

    @app.get("/problems/<code>")
    @access(AccessRule.PUBLIC)
    def explain_problem(code: str) -> Response:
        for problem in problems.registered():
            if problem.code == code:
                return problems.answer(problem.code, 200, problem.zh, problem.en)
        raise NotFoundError("没有这个错误代码", "there is no such problem code")
