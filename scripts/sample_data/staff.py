"""Sample staff: invented people with roles, skills and hospitals, for the review of sample claims.

Enough of them for a case of four steps: four reviewers with every skill, one with some, one who
belongs to the first hospital and gets none of its cases, two supervisors for the panel, a clerk,
and two inspectors, so that a lead has its three pairs of hands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backend.adapters.passwords import hash_password
from backend.bootstrap import Services
from backend.domain.pend_reasons import (
    CATALOGUE,
    CHARGING,
    CLERK,
    INSPECTOR,
    MEDICAL,
    QUEUE_TITLES,
    REVIEWER,
    SUPERVISOR,
)
from backend.service_layer.claims.records import Login
from backend.service_layer.review.records import Staff
from scripts.sample_data.citizens import invented_name
from scripts.sample_data.people import password_of

_FIRST_NAME: Final = 30  # the sample's citizens have the names before it
_ALL: Final = tuple(QUEUE_TITLES)
_TITLES: Final = {REVIEWER: "审核员", SUPERVISOR: "审核主管", CLERK: "经办员", INSPECTOR: "稽核员"}


@dataclass(frozen=True, slots=True)
class SampleStaff:
    """One invented member of staff."""

    username: str
    role: str
    queues: tuple[str, ...] = _ALL
    hospital_code: str | None = None


def sample_staff(first_hospital: str) -> tuple[SampleStaff, ...]:
    """Everybody, in the order of their usernames within a role."""
    return (
        *(SampleStaff(f"reviewer{index:02d}", REVIEWER) for index in range(1, 5)),
        SampleStaff("reviewer05", REVIEWER, (CATALOGUE, CHARGING, MEDICAL)),
        SampleStaff("reviewer06", REVIEWER, hospital_code=first_hospital),
        SampleStaff("supervisor01", SUPERVISOR),
        SampleStaff("supervisor02", SUPERVISOR),
        SampleStaff("clerk01", CLERK),
        *(SampleStaff(f"inspector{index:02d}", INSPECTOR) for index in range(1, 3)),
    )


def register_staff(services: Services, first_hospital: str) -> list[dict[str, Any]]:
    """Add the staff that are not there yet; the logins of all, for ``logins.json``."""
    logins = []
    with services.work() as work:
        for index, entry in enumerate(sample_staff(first_hospital)):
            password = password_of(services, entry.username)
            name = invented_name(_FIRST_NAME + index)
            known = work.people.find_login(entry.username)
            if known is None:
                known = Login(
                    id=services.ids.new_id("log"),
                    username=entry.username,
                    password_hash=hash_password(password),
                    role=entry.role,
                    person_id=None,
                    is_sample=True,
                )
                work.people.add_login(known)
            if work.staff.get(known.id) is None:
                work.staff.add(_staff(known, entry, name))
            logins.append(
                {
                    "username": entry.username,
                    "password": password,
                    "name": f"{name}（{_TITLES[entry.role]}）",
                }
            )
        work.commit()
    return logins


def _staff(login: Login, entry: SampleStaff, name: str) -> Staff:
    return Staff(
        id=login.id,
        username=entry.username,
        name=name,
        role=entry.role,
        queues=entry.queues,
        hospital_code=entry.hospital_code,
        away_until=None,
        is_active=True,
        is_sample=True,
    )
