"""Who acts where two people are needed: one identity, whichever way it was said.

At a desk it is the login that signed in; at the command line a name that somebody typed. A typed
name that belongs to a member of staff is that member's, so that one person with a login and a
name is never two.
"""

from __future__ import annotations

from typing import Any

from backend.domain.errors import ForbiddenError
from backend.domain.two_people import is_machine, require_another, signature


class NotAtWorkError(ForbiddenError):
    """The name is the program's own, that of somebody who has left, or of several people."""

    code = "not-at-work"


def acting(work: Any, by: str) -> str:
    """The username of the member of staff whose id, username or name this is, else the name.

    Raises :class:`NotAtWorkError` for a name of the program, for a member of staff whose login has
    ended, and for a name that several have.
    """
    name = by.strip()
    if is_machine(name):
        raise NotAtWorkError(
            f"“{name}” 是系统自己用的名字，请写经办人",
            f"{name} is a name of the program itself: name a person",
        )
    known = _known(work, name)
    active = [one for one in known if one.is_active]
    if known and not active:
        raise NotAtWorkError(
            f"工作人员“{name}”已停用，不能经办", f"the login of {name} has ended: nobody acts by it"
        )
    if len(active) > 1:
        raise NotAtWorkError(
            f"有几个工作人员叫“{name}”，请写用户名（yichu review staff）",
            f"several members of staff are called {name}: give the username (yichu review staff)",
        )
    return str(active[0].username) if active else name


def require_other_person(work: Any, first: str, second: str) -> None:
    """``second``, as :func:`acting` gives it, is another person than ``first``, however that one
    was written down. Raises SamePersonError."""
    require_another(first, second)
    if any(signature(one.username) == signature(second) for one in _known(work, first)):
        require_another(second, second)


def _known(work: Any, name: str) -> list[Any]:
    """Members of staff of that id or username, else everybody of that name; also who has left."""
    wanted, everybody = signature(name), work.staff.all()
    by_login = [one for one in everybody if wanted in {signature(one.id), signature(one.username)}]
    return by_login or [one for one in everybody if signature(one.name) == wanted]
