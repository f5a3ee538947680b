"""Staff of every role at their desks, over a case file's world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.service_layer.review.records import Staff
from tests.integration.claims.world import HOSPITAL, World
from tests.integration.review.office import Desk, Office

ROLES = {
    "inspector01": "inspector",
    "inspector02": "inspector",
    "supervisor01": "supervisor",
    "supervisor02": "supervisor",
    "reviewer01": "reviewer",
    "reviewer02": "reviewer",
    "clerk01": "clerk",
}


@dataclass
class Desks:
    """Everybody signed in once; ``of_hospital`` belongs to the hospital of the sample bills."""

    office: Office
    desks: dict[str, Desk]
    people: dict[str, Staff]

    @classmethod
    def open(cls, world: World) -> Desks:
        office = Office(world)
        people = {
            username: office.staff(f"姓名{index}", username=username, role=role)
            for index, (username, role) in enumerate(ROLES.items())
        }
        for username, role in (("ofhospital", "supervisor"), ("gone", "inspector")):
            people[username] = office.staff(
                f"姓名{username}", username=username, role=role, hospital_code=HOSPITAL
            )
        at = office.at_desk()
        desks = {name: Desk(at.client).sign_in(person) for name, person in people.items()}
        with world.services.work() as work:
            work.staff.end(people["gone"].id)
            work.commit()
        return cls(office, desks, people)

    def get(self, name: str, path: str) -> Any:
        return self.desks[name].call("GET", f"/staff/v1{path}")

    def post(self, name: str, path: str, body: Any = None, key: str = "") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        body = {} if body is None else body
        return self.desks[name].call("POST", f"/staff/v1{path}", body, **headers)


def code_of(answer: Any) -> tuple[int, str]:
    assert answer.mimetype == "application/problem+json", answer.get_data(as_text=True)
    body = answer.get_json()
    assert body["detail"] and body["detail_en"], body
    return answer.status_code, body["code"]
