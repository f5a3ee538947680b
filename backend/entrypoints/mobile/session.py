"""The citizen's login: a signed cookie, rotated at login, gone after 30 idle minutes."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
import time
from typing import TYPE_CHECKING, Any, cast

from flask import current_app, g, redirect, request, session, url_for

from backend.adapters.one_time_code import OneTimeCodeFile
from backend.adapters.passwords import is_password
from backend.domain.errors import DomainError
from backend.entrypoints.public.rate_limit import RateLimit

if TYPE_CHECKING:
    from backend.bootstrap import Services

IDLE_SECONDS = 30 * 60
LIFE_SECONDS = 12 * 60 * 60
#: A page under /m with its query; no control character reaches a header.
_OWN_PAGE = re.compile(r"/m(?:[/?][^\x00-\x20\x7f-\x9f\\]*)?")
_LOGINS = RateLimit(count=20, seconds=60)


class LoginRefusedError(DomainError):
    """Name and password (or code) do not belong together."""

    code = "login-refused"


def services() -> Services:
    return cast("Services", current_app.extensions["yichu"])


def authenticate() -> Any:
    """The check behind AccessRule.CITIZEN: sets ``g.person_id`` or leads to the login."""
    person_id = session.get("person")
    seen = session.get("seen", 0)
    now = time.time()
    is_old = now - seen > IDLE_SECONDS or now - session.get("began", 0) > LIFE_SECONDS
    if not person_id or is_old or _is_ended():
        session.clear()
        target = request.full_path.rstrip("?") if request.method == "GET" else url_for("m.home")
        return redirect(url_for("m.login", next=target))
    session["seen"] = int(now)
    g.person_id = person_id
    return None


def log_in(username: str, password: str, code: str) -> None:
    """Start a session for a citizen. On the LAN the one-time code stands for the password of a
    sample login. Raises :class:`LoginRefusedError` without saying which part was wrong."""
    if not _LOGINS.allows(request.remote_addr or ""):
        raise LoginRefusedError("尝试太多，请一分钟后再试", "too many tries; wait a minute")
    deps = services()
    with deps.work(write=False) as work:
        login = None if "\x00" in username else work.people.find_login(username[:60])
    known = login is not None and login.role == "citizen" and login.person_id is not None
    is_right = is_password(login.password_hash if login is not None and known else None, password)
    if deps.settings.lan:
        may_enter = known and login is not None and login.is_sample
        is_right = may_enter and OneTimeCodeFile(deps.settings.lan_code_path).take(code)
    if login is None or not known or not is_right:
        raise LoginRefusedError(
            "姓名、密码或验证码不对，请再试一次", "the name, password or code is not right"
        )
    session.clear()
    session.permanent = True
    session["person"] = login.person_id
    session["seen"] = int(time.time())
    session["began"] = session["seen"]
    session["nonce"] = secrets.token_hex(16)


def log_out() -> None:
    """End this login for good: a copy of its cookie is refused from now on."""
    with services().work() as work:
        kept = dt.timedelta(seconds=2 * LIFE_SECONDS)
        work.people.end_login(_nonce_hash(), services().clock.now(), kept)
        work.commit()
    session.clear()


def _is_ended() -> bool:
    with services().work(write=False) as work:
        return work.people.is_ended(_nonce_hash())


def _nonce_hash() -> bytes:
    return hashlib.sha256(str(session.get("nonce", "")).encode()).digest()


def safe_target(target: str | None) -> str:
    """A page of ours to go to after login; anything else becomes the home page."""
    if target and _OWN_PAGE.fullmatch(target):
        return target
    return url_for("m.home")
