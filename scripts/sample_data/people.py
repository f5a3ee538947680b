"""Citizens and their sample logins, written where the insurance register would have them."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

from backend.adapters.passwords import hash_password
from backend.bootstrap import Services
from backend.domain.register import SIMULATED, RegisterFact
from backend.service_layer.claims.records import Login, Person
from scripts.sample_data.citizens import Citizen
from scripts.sample_data.register_facts import SampleFact, sample_facts


def register_citizens(
    services: Services, citizens: Sequence[Citizen], as_of: dt.date
) -> list[dict[str, Any]]:
    """Add the citizens that are not there yet; the logins of all, for ``logins.json``."""
    logins = []
    with services.work() as work:
        for citizen in citizens:
            password = password_of(services, citizen.username)
            if work.people.find_login(citizen.username) is None:
                person = _person(services, citizen)
                work.people.add(person)
                for fact in sample_facts(citizen, as_of):
                    work.register.add(_recorded(services, person.id, fact))
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


def _recorded(services: Services, person_id: str, fact: SampleFact) -> RegisterFact:
    return RegisterFact(
        id=services.ids.new_id("fct"),
        person_id=person_id,
        kind=fact.kind,
        code=fact.code,
        detail=fact.detail,
        valid_from=fact.valid_from,
        valid_to=fact.valid_to,
        filed_on=fact.filed_on,
        supersedes=None,
        is_withdrawn=False,
        source=SIMULATED,
        recorded_by="sample data",
        reason="invented for the sample",
        recorded_at=services.clock.now(),
    )


def _person(services: Services, citizen: Citizen) -> Person:
    return Person(
        id=services.ids.new_id("per"),
        name=citizen.name,
        identity_number=citizen.identity_number,
        birth_on=citizen.birth_on,
        gender=citizen.gender,
        payee_bank=citizen.payee_bank,
        payee_account_tail=citizen.payee_account_tail,
    )
