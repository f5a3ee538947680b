"""API keys: ``Authorization: Bearer <key>``, looked up by SHA-256."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from flask import current_app, g, request

from backend.domain.errors import DomainError
from backend.service_layer.intake.records import Institution

if TYPE_CHECKING:
    from backend.bootstrap import Services

BEARER: Final = re.compile(r"Bearer ([!-~]{16,200})")


class UnauthorizedError(DomainError):
    """No API key, or one that is unknown or revoked; the answer does not say which."""

    code = "unauthorized"

    def __init__(self) -> None:
        super().__init__(
            "缺少有效的 API 密钥，请在 Authorization: Bearer 中提供",
            "no valid API key: send it as Authorization: Bearer <key>",
        )


def authenticate() -> Any:
    """Find the institution of the request's key; called before every hospital view."""
    match = BEARER.fullmatch(request.headers.get("Authorization", ""))
    if match is None:
        raise UnauthorizedError
    with services().work(write=False) as work:
        institution = work.institutions.institution_of_key(match.group(1))
    if institution is None:
        raise UnauthorizedError
    g.institution = institution
    return None


def caller() -> Institution:
    """The institution whose key the request carries."""
    return cast(Institution, g.institution)


def services() -> Services:
    return cast("Services", current_app.extensions["yichu"])
