"""Problems: one mapping from errors to HTTP status, one JSON shape (RFC 9457), one HTML page.

``/v1`` answers ``application/problem+json``; pages answer HTML that says what happened, what was
kept and what to do. Each blueprint registers the codes that it raises with :func:`register`.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response, g, json, render_template, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from backend.domain.errors import (
    ConflictError,
    DomainError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
    UnstorableError,
)

DATABASE_OUT: Final = "database-unavailable"
OUTAGE_RETRY_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """What ``/problems/<code>`` explains."""

    code: str
    status: int
    zh: str
    en: str


_REGISTRY: dict[str, Problem] = {}

_BY_CLASS: tuple[tuple[type[DomainError], int], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ForbiddenError, HTTPStatus.FORBIDDEN),
    (ConflictError, HTTPStatus.CONFLICT),
    (UnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
    (UnstorableError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (DomainError, HTTPStatus.UNPROCESSABLE_ENTITY),
)


def register(code: str, status: int, zh: str, en: str) -> None:
    """Declare a problem code; the same code may not mean two things."""
    problem = Problem(code, int(status), zh, en)
    if _REGISTRY.setdefault(code, problem) != problem:
        raise RuntimeError(f"problem code {code} is declared twice with different meanings")


def registered() -> list[Problem]:
    return sorted(_REGISTRY.values(), key=lambda problem: problem.code)


def status_of(error: DomainError) -> int:
    """The declared status of the error's code, else that of its class."""
    problem = _REGISTRY.get(error.code)
    if problem is not None:
        return problem.status
    return next(int(status) for kind, status in _BY_CLASS if isinstance(error, kind))


def problem_response(
    code: str, status: int, zh: str, en: str, errors: list[dict[str, Any]] | None = None
) -> Response:
    """One RFC 9457 body; ``errors`` holds a pointer, code, zh and en for each fault."""
    title = _REGISTRY.get(code)
    body: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": title.zh if title else zh,
        "title_en": title.en if title else en,
        "status": status,
        "detail": zh,
        "detail_en": en,
        "instance": g.get("request_id", ""),
        "code": code,
        "retryable": status in (429, 503),
    }
    if errors:
        body["errors"] = errors
    return Response(
        json.dumps(body, ensure_ascii=False), status, mimetype="application/problem+json"
    )


def wants_json() -> bool:
    return request.path.startswith(("/v1", "/staff/v1")) or request.path in (
        "/readyz",
        "/healthz",
        "/metrics",
    )


def answer(code: str, status: int, zh: str, en: str, errors: Any = None) -> Response:
    """The problem in the form that the caller reads."""
    if wants_json():
        return problem_response(code, status, zh, en, errors)
    page = render_template("problem.html", code=code, status=status, zh=zh, en=en)
    return Response(page, status)


_HTTP_TEXTS = {
    400: ("请求看不懂，请返回重试", "the request could not be read; go back and try again"),
    401: ("需要先登录或提供密钥", "log in, or send an API key, first"),
    403: ("没有权限，或页面已过期；请返回重试", "not allowed, or the page has expired; go back"),
    404: ("没有找到这个页面", "there is no such page"),
    405: ("不支持这种请求方法", "this method is not offered here"),
    413: ("内容太大，没有收下；请压缩或分开上传", "the body is too large and was not taken"),
    415: ("不支持这种内容类型", "this content type is not accepted"),
    429: ("请求太频繁，请稍后再试", "too many requests; try again later"),
}


def install_error_handlers(app: Flask) -> None:
    """Map every error to an answer; the last handler logs the traceback and shows none."""
    register(DATABASE_OUT, 503, "数据库没有应答，请原样重试", "The database did not answer")

    def on_domain_error(error: DomainError) -> Response:
        return answer(
            error.code, status_of(error), error.zh, error.en, getattr(error, "errors", None)
        )

    def on_http_error(error: HTTPException) -> Response:
        status = error.code or 500
        zh, en = _HTTP_TEXTS.get(status, ("请求没有完成", error.name))
        response = answer(f"http-{status}", status, zh, en)
        for name, value in error.get_headers(None):
            if name.lower() in ("allow", "retry-after", "www-authenticate", "location"):
                response.headers[name] = value
        return response

    def on_database_outage(error: Exception) -> Response:
        """Stopped, restarted, locked, full: nothing of the request may count as acknowledged. Where
        only the answer to a commit was lost, the same request again is answered as it was."""
        cause = getattr(error, "orig", None) or error
        app.logger.error(
            "the database did not answer in request %s: %s: %s",
            g.get("request_id", ""),
            type(cause).__name__,
            str(cause).partition("\n")[0][:200],
        )
        response = answer(
            DATABASE_OUT,
            503,
            "数据库暂时连不上，这次请求没有确认；请一分钟后原样再发一次，不会重复",
            "the database does not answer and nothing was acknowledged: send the same request "
            "again in a minute, it will not count twice",
        )
        response.headers["Retry-After"] = str(OUTAGE_RETRY_SECONDS)
        return response

    def on_any_error(error: Exception) -> Response:
        app.logger.exception("unhandled error in request %s", g.get("request_id", ""))
        return answer(
            "internal-error",
            500,
            "系统出了问题，已提交的内容都已保存；请稍后再试",
            "something broke here; what was acknowledged is kept; try again later",
        )

    app.register_error_handler(DomainError, on_domain_error)
    app.register_error_handler(HTTPException, on_http_error)
    for kind in (OperationalError, InterfaceError, PoolTimeoutError):
        app.register_error_handler(kind, on_database_outage)
    app.register_error_handler(Exception, on_any_error)
