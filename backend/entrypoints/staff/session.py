"""Sign-in of staff: a signed bearer token, never a cookie.

The browser sends nothing by itself, so that no other site can act for a member of staff (CSRF).
A token lives for one working day, names the login, and is refused from then on when it was ended.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any, Final, cast

from flask import current_app, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from backend.adapters.one_time_code import OneTimeCodeFile
from backend.adapters.passwords import is_password
from backend.domain.errors import DomainError, ForbiddenError
from backend.domain.review import covers
from backend.entrypoints.public.rate_limit import RateLimit
from backend.service_layer.review.records import Staff

if TYPE_CHECKING:
    from backend.bootstrap import Services

LIFE_SECONDS: Final = 8 * 60 * 60
_SALT: Final = "yichu-staff-1"
_BEARER: Final = re.compile(r"Bearer ([!-~]{16,1000})")
_LOGINS: Final = RateLimit(count=20, seconds=60)
_REQUESTS: Final = RateLimit(count=600, seconds=60)


class StaffLoginRefusedError(DomainError):
    """Name and password (or code) do not belong together, or it is no member of staff."""

    code = "staff-login-refused"


class StaffUnauthorizedError(DomainError):
    """No token, or one that is unknown, ended or too old; the answer does not say which."""

    code = "staff-unauthorized"

    def __init__(self) -> None:
        super().__init__(
            "请先登录：POST /staff/v1/session，再在 Authorization: Bearer 中提供令牌",
            "sign in first: POST /staff/v1/session, then send Authorization: Bearer <token>",
        )


class TooManyRequestsError(DomainError):
    """The caller's share of requests is used up for the moment."""

    code = "too-many-requests"

    def __init__(self) -> None:
        super().__init__("请求太频繁，请一分钟后再试", "too many requests; try again in a minute")


def services() -> Services:
    return cast("Services", current_app.extensions["yichu"])


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(services().settings.secret("session_key"), salt=_SALT)


def sign_in(username: str, password: str, code: str) -> tuple[str, Staff]:
    """A token for a member of staff. On the LAN the one-time code stands for the password of a
    sample login. Raises :class:`StaffLoginRefusedError` without saying which part was wrong."""
    if not _LOGINS.allows(request.remote_addr or "") or not _LOGINS.allows(f"name {username}"):
        raise TooManyRequestsError
    deps = services()
    with deps.work(write=False) as work:
        login = None if "\x00" in username else work.people.find_login(username[:60])
        person = None if login is None else work.staff.get(login.id)
    is_known = login is not None and person is not None and person.is_active
    is_right = is_password(login.password_hash if login and is_known else None, password)
    if deps.settings.lan:
        may_enter = is_known and login is not None and login.is_sample
        is_right = may_enter and OneTimeCodeFile(deps.settings.lan_code_path).take(code)
    if person is None or not is_known or not is_right:
        raise StaffLoginRefusedError(
            "用户名、密码或验证码不对，或不是工作人员",
            "the name, password or code is not right, or it is no member of staff",
        )
    token = _serializer().dumps({"login": person.id, "nonce": secrets.token_hex(16)})
    return token, person


def authenticate(role: str | None = None) -> Any:
    """The check behind the staff access rules: sets ``g.staff`` and ``g.staff_nonce``."""
    match = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    if match is None:
        raise StaffUnauthorizedError
    try:
        content = _serializer().loads(match.group(1), max_age=LIFE_SECONDS)
        login_id, nonce = str(content["login"]), str(content["nonce"])
    except (BadSignature, KeyError, TypeError) as error:
        raise StaffUnauthorizedError from error
    if not _REQUESTS.allows(login_id):
        raise TooManyRequestsError
    with services().work(write=False) as work:
        person = work.staff.get(login_id)
        is_ended = work.people.is_ended(_nonce_hash(nonce))
    if person is None or not person.is_active or is_ended:
        raise StaffUnauthorizedError
    if role is not None and not covers(person.role, role):
        raise ForbiddenError("您的角色不能用这个接口", "your role may not use this")
    g.staff, g.staff_nonce = person, nonce
    return None


def sign_out() -> None:
    """End the token of this request for good."""
    with services().work() as work:
        kept = dt.timedelta(seconds=2 * LIFE_SECONDS)
        work.people.end_login(_nonce_hash(g.staff_nonce), services().clock.now(), kept)
        work.commit()


def caller() -> Staff:
    """The member of staff whose token the request carries."""
    return cast(Staff, g.staff)


def _nonce_hash(nonce: str) -> bytes:
    return hashlib.sha256(b"staff/" + nonce.encode()).digest()
