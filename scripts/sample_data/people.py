"""Citizens and their sample logins, written where the insurance register would have them."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final

from backend.adapters.passwords import hash_password
from backend.bootstrap import Services
from backend.service_layer.claims.records import Login, Person
from scripts.sample_data.citizens import Citizen

_COVER_YEARS: Final = 5


def register_citizens(
    services: Services, citizens: Sequence[Citizen], as_of: dt.date
) -> list[dict[str, Any]]:
    """Add the citizens that are not there yet; the logins of all, for ``logins.json``."""
    logins = []
    with services.work() as work:
        for citizen in citizens:
            password = password_of(services, citizen.username)
            if work.people.find_login(citizen.username) is None:
                person = _person(services, citizen, as_of)
                work.people.add(person)
                work.people.add_login(
                    Login(
                        id=services.ids.new_id("log"),
                        username=citizen.username,
                        password_hash=hash_password(password),
                        role="citizen",
                        person_id=person.id,
                        is_sample=True,
                    )
                )
            logins.append(
                {"username": citizen.username, "password": password, "name": citizen.name}
            )
        work.commit()
    return logins


def password_of(services: Services, username: str) -> str:
    """Eight digits that differ on every installation: made from its session key, so that an
    interrupted load ends with the same ones."""
    key = services.settings.secret("session_key")
    digest = hmac.digest(key, b"yichu-sample-login/" + username.encode(), hashlib.sha256)
    return f"{int.from_bytes(digest[:8], 'big') % 10**8:08d}"


def _person(services: Services, citizen: Citizen, as_of: dt.date) -> Person:
    return Person(
        id=services.ids.new_id("per"),
        name=citizen.name,
        identity_number=citizen.identity_number,
        birth_on=citizen.birth_on,
        gender=citizen.gender,
        insurance_type=citizen.insurance_type,
        person_type=citizen.person_type,
        cover_from=max(citizen.birth_on, dt.date(as_of.year - _COVER_YEARS, 1, 1)),
        cover_until=None,
        payee_bank=citizen.payee_bank,
        payee_account_tail=citizen.payee_account_tail,
    )
