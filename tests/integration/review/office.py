"""A small agency: people at work, pended claims, and the staff API as they call it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash

from backend.domain.pend_reasons import QUEUE_TITLES
from backend.domain.review import ReviewLimits
from backend.entrypoints.web import create_app
from backend.service_layer.claims.records import Claim, Login
from backend.service_layer.claims.submit import submit
from backend.service_layer.review.records import Case, Staff
from backend.service_layer.review.sweep import review_pass
from tests.integration.claims.world import World

DAY = dt.date(2026, 11, 3)
PASSWORD = "staff-sample-1"
HASH = generate_password_hash(PASSWORD, method="pbkdf2:sha256:1")
BASE = "https://localhost"
ALL_QUEUES = tuple(QUEUE_TITLES)
UNKNOWN = ("X-NEW", "新药", 1)
PATIENT = "测试甲子"
HOSPITAL_NAME = "示例市第一医院"


@dataclass
class Office:
    world: World
    people: list[Staff] = field(default_factory=list)

    def limits(self, **values: int) -> None:
        """Other parameters of review than the usual ones."""
        settings = self.world.services.settings
        self.world.services.settings = dataclasses.replace(
            settings, review=dataclasses.replace(ReviewLimits(), **values)
        )

    def staff(self, name: str, **values: Any) -> Staff:
        """One member of staff, by default a reviewer with every skill and no hospital."""
        services = self.world.services
        person = Staff(
            id=services.ids.new_id("log"),
            username=values.pop("username", f"staff{len(self.people):02d}"),
            name=name,
            role=values.pop("role", "reviewer"),
            queues=values.pop("queues", ALL_QUEUES),
            hospital_code=values.pop("hospital_code", None),
            away_until=None,
            is_active=values.pop("is_active", True),
            is_sample=True,
        )
        assert not values, values
        with services.work() as work:
            work.people.add_login(
                Login(person.id, person.username, HASH, person.role, None, is_sample=True)
            )
            work.staff.add(person)
            work.commit()
        self.people.append(person)
        return person

    def pended(self, yuan: int = 400, **change: Any) -> Claim:
        """A claim that waits for a person: an unknown code, unless something else is said."""
        world = self.world
        if not change:
            change = {"item": UNKNOWN}
        person = world.people[0] if world.people else world.person(PATIENT)
        bill = world.bill(person, yuan, DAY, **change)
        world.anchor()
        token = secrets.token_urlsafe(32)
        (claim,) = submit(world.services, person.id, [bill], token, has_consent=True).claims
        world.run()
        return world.claim(claim.id)

    def sweep(self) -> int:
        return review_pass(self.world.services)

    def case_of(self, claim: Claim) -> Case:
        with self.world.services.work(write=False) as work:
            return work.reviews.cases_of(claim.id)[-1]

    def holder_of(self, claim: Claim) -> Staff:
        """Who holds the open step of the claim's case."""
        case = self.case_of(claim)
        with self.world.services.work(write=False) as work:
            step = work.reviews.steps_of(case.id)[-1]
        return next(person for person in self.people if person.id == step.holder_id)

    def draw(self, claim: Claim) -> Staff:
        """Open the claim's case, draw a person for its open step, and say who it is."""
        self.sweep()
        return self.holder_of(claim)

    def at_desk(self) -> Desk:
        return Desk(create_app(self.world.services).test_client())


@dataclass
class Desk:
    """One person's calls of the staff API."""

    client: FlaskClient
    token: str = ""

    def sign_in(self, person: Staff) -> Desk:
        answer = self.call(
            "POST", "/staff/v1/session", {"username": person.username, "password": PASSWORD}
        )
        assert answer.status_code == 201, answer.get_data(as_text=True)
        self.token = answer.get_json()["token"]
        return self

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return self.client.open(path, method=method, json=body, headers=headers, base_url=BASE)

    def next(self, key: str = "") -> Any:
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        return self.call("POST", "/staff/v1/cases/next", None, **headers)
