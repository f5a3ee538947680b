"""Registering and ending members of staff."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from backend.domain.errors import ConflictError, DomainError
from backend.domain.pend_reasons import QUEUE_TITLES
from backend.domain.two_people import is_machine
from backend.service_layer.claims.records import Login
from backend.service_layer.review.assignment import draw_anew
from backend.service_layer.review.ports import ReviewServices
from backend.service_layer.review.records import Staff

_USERNAME: Final = re.compile(r"[a-z][a-z0-9._-]{1,59}")
_QUEUE: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
NAME_MAX: Final = 40
PASSWORD_MIN: Final = 8


class BadStaffError(DomainError):
    """A member of staff that cannot be registered as given."""

    code = "bad-staff"


@dataclass(frozen=True, slots=True)
class NewStaff:
    """Who is to be registered; without ``queues``, with every skill that the system knows."""

    username: str
    name: str
    role: str
    queues: tuple[str, ...] = ()
    hospital_code: str | None = None


def add_staff(deps: ReviewServices, entry: NewStaff, password_hash: str) -> Staff:
    """Register a member of staff with a login. Raises :class:`BadStaffError`, and
    :class:`ConflictError` for a username that is taken."""
    if not _USERNAME.fullmatch(entry.username):
        raise BadStaffError(
            "用户名用小写字母、数字和 . _ -，2 到 60 位",
            "a username has lower-case letters, digits and . _ -, 2 to 60 of them",
        )
    if is_machine(entry.username) or is_machine(entry.name):
        raise BadStaffError(
            "这是系统自己用的名字，请换一个", "this is a name of the program itself: choose another"
        )
    if not entry.name.strip() or len(entry.name) > NAME_MAX:
        raise BadStaffError(f"姓名 {NAME_MAX} 字内", f"a name of up to {NAME_MAX} characters")
    if any(not _QUEUE.fullmatch(queue) for queue in entry.queues):
        raise BadStaffError("队列名不对", "a queue is written in lower-case words with hyphens")
    login = Login(
        id=deps.ids.new_id("log"),
        username=entry.username,
        password_hash=password_hash,
        role=entry.role,
        person_id=None,
        is_sample=False,
    )
    person = Staff(
        id=login.id,
        username=entry.username,
        name=entry.name.strip(),
        role=entry.role,
        queues=entry.queues or tuple(QUEUE_TITLES),
        hospital_code=entry.hospital_code,
        away_until=None,
        is_active=True,
        is_sample=False,
    )
    with deps.work() as work:
        if work.people.find_login(entry.username) is not None:
            raise ConflictError("这个用户名已有人用", "the username is taken")
        work.people.add_login(login)
        work.staff.add(person)
        work.commit()
    return person


def remove_staff(deps: ReviewServices, staff_id: str) -> int:
    """End a member's access at once; their steps are drawn anew, and how many is returned."""
    with deps.work() as work:
        work.staff.end(staff_id)
        moved = draw_anew(deps, work, staff_id, "left")
        work.commit()
    return moved
