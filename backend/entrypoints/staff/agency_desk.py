"""What the routes about the agency's own money and accounts share.

Nobody of an institution uses them, whatever their role. A clerk begins, a supervisor ends: what
lets money go, makes an account payable or closes an alarm takes two sign-ins.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from backend.domain.errors import DomainError, ForbiddenError
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.staff.requests import MalformedStaffRequestError, request_key, text_of
from backend.entrypoints.staff.session import caller, services
from backend.service_layer.supervision.once import Once, OnceServices, result_of

REASON_MAX: Final = 500
View = TypeVar("View", bound=Callable[..., Any])


def agency(rule: AccessRule) -> Callable[[View], View]:
    """Declare who may call a view; people of an institution may not."""

    def declare(view: View) -> View:
        @functools.wraps(view)
        def checked(*values: Any, **named: Any) -> Any:
            if caller().hospital_code is not None:
                raise ForbiddenError(
                    "医疗机构的人员不能办理经办机构的款项",
                    "nobody of an institution handles the agency's money",
                )
            return view(*values, **named)

        return access(rule)(cast(View, checked))

    return declare


def reason_of(body: dict[str, Any], name: str = "reason") -> str:
    """A text of 1 to 500 characters, blanks around it not counted."""
    text = text_of(body, name).strip()
    if not 1 <= len(text) <= REASON_MAX:
        raise MalformedStaffRequestError(
            f"{name} 要写 1 到 {REASON_MAX} 个字", f"{name} has 1 to {REASON_MAX} characters"
        )
    return text


def do_once(
    act: Callable[[Any, str], object], *asked: str, result: Callable[[Any], str] | None = None
) -> str | None:
    """Do an act with the services and the caller's username, once under the request's
    Idempotency-Key; ``asked`` says what it is. The same request at the same moment is answered as
    the one that came first. Returns what ``result`` read when that one was done, None when it is
    done now. Raises KeyUsedError where the key stands for another one."""
    me = caller()
    digest = hashlib.sha256("\n".join(asked[1:]).encode()).hexdigest()
    once = Once(request_key(), (asked[0], digest))

    def kept() -> str | None:
        with services().work(write=False) as work:
            return result_of(work, me.id, once)

    found = kept()
    if found is not None:
        return found
    try:
        act(OnceServices(services(), me.id, once, result), me.username)
    except DomainError:
        # The same request may have been done while this one waited for it.
        found = kept()
        if found is None:
            raise
    return found
