"""Accident claims over the staff API: declarations at the window, the kind, coded exclusions."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from backend.service_layer.claims.records import Claim
from backend.service_layer.claims.submit import submit
from tests.integration.review.office import ALL_QUEUES, DAY, Desk, Office

DECLARED = {
    "happened_on": "2026-11-02", "place": "home", "manner": "fall", "story": "下楼踩空摔倒",
    "third_party": "no", "at_work": "no", "traffic": "no", "signed": "yes",
}  # fmt: skip
WHY = {"reason": "有第三人责任认定书"}
CODED = {"code": "third-party-liable", **WHY}


def claim_of(office: Office, diagnosis: str = "S72.001", **change: Any) -> Claim:
    world = office.world
    person = world.person("测试甲子")
    bill = world.bill(person, 1_000, DAY, diagnosis_code=diagnosis, **change)
    world.anchor()
    token = secrets.token_urlsafe(32)
    (claim,) = submit(world.services, person.id, [bill], token, has_consent=True).claims
    world.run()
    return world.claim(claim.id)


def desks_of(office: Office) -> dict[str, Desk]:
    at = office.at_desk()
    skills = {"reviewer": ALL_QUEUES, "clerk": (), "supervisor": ("policy",)}
    roles = {"one": "reviewer", "two": "reviewer", "clerk": "clerk", "boss": "supervisor"}
    return {
        name: Desk(at.client).sign_in(
            office.staff(f"姓名{name}", username=name, role=role, queues=skills[role])
        )
        for name, role in roles.items()
    }


def post(desk: Desk, path: str, body: Any) -> Any:
    return desk.call("POST", f"/staff/v1{path}", body)


def code_of(answer: Any) -> tuple[int, str]:
    body = answer.get_json()
    assert body["detail"] and body["detail_en"]
    return answer.status_code, body["code"]


def declared_and_held(office: Office) -> tuple[dict[str, Desk], Claim, str, str]:
    """An accident claim with its declaration, in the hands of one of the two reviewers."""
    desks = desks_of(office)
    claim = claim_of(office)
    answer = post(desks["clerk"], f"/claims/{claim.number}/accident/declarations", DECLARED)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    office.world.run()
    holder = office.draw(claim).username
    return desks, claim, office.case_of(claim).id, holder


def test_the_window_declares_and_the_holder_excludes_by_a_code(office: Office) -> None:
    desks, claim, case, holder = declared_and_held(office)
    shown = desks["clerk"].call("GET", f"/staff/v1/claims/{claim.number}/accident").get_json()
    (declared,) = shown["declared"]["accident"]
    assert (declared["declared_by"], declared["undertaking_version"]) == ("clerk", 1)
    done = [post(desks[holder], f"/cases/{case}/exclude", CODED) for _ in range(2)]
    assert [one.get_json()["state"] for one in done] == ["closed"] * 2
    office.world.run()
    assert office.world.claim(claim.id).state == "refused"
    (finding,) = done[0].get_json()["findings"]
    assert finding["reason"].startswith("third-party-liable 应当由造成伤害的第三人负担")
    assert "申请人工复核" in finding["reason"]  # the way to appeal


@pytest.mark.slow
def test_lines_are_excluded_by_a_code_and_the_rest_is_paid(office: Office) -> None:
    desks = desks_of(office)
    claim = claim_of(office, lines=2)  # 500.00 each
    post(desks["clerk"], f"/claims/{claim.number}/accident/declarations", DECLARED)
    office.world.run()
    holder, case = office.draw(claim).username, office.case_of(claim).id
    refused = [
        post(desks[holder], f"/cases/{case}/exclude", CODED | {"lines": lines})
        for lines in ([0, 0], [7])
    ]
    assert [answer.status_code for answer in refused] == [422, 422]
    for lines in ("0", [-1], ["0"], [True], [0.0]):
        answer = post(desks[holder], f"/cases/{case}/exclude", CODED | {"lines": lines})
        assert code_of(answer) == (400, "malformed-staff-request"), lines
    done = post(desks[holder], f"/cases/{case}/exclude", CODED | {"lines": [1]})
    assert done.status_code == 200, done.get_data(as_text=True)
    office.world.run()
    with office.world.services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
    assert decision is not None and decision.paid_fen == 12_000  # (500.00 - 300.00) x 60 %


def test_who_holds_no_step_changes_nothing(office: Office) -> None:
    desks, claim, case, holder = declared_and_held(office)
    other = "two" if holder == "one" else "one"
    kind = {"kind": "ordinary", **WHY}
    for name, path, body, expected in (
        (other, f"/cases/{case}/exclude", CODED, "not-your-step"),
        (other, f"/cases/{case}/kind", kind, "not-your-step"),
        (other, f"/cases/{case}/declaration-requests", WHY, "not-your-step"),
        ("boss", f"/cases/{case}/exclude", CODED, "not-your-step"),
        ("clerk", f"/cases/{case}/exclude", CODED, "forbidden"),
        ("clerk", f"/cases/{case}/kind", kind, "forbidden"),
        ("clerk", f"/claims/{claim.number}/kind", kind, "forbidden"),
        (holder, f"/claims/{claim.number}/kind", kind, "forbidden"),
        (holder, f"/claims/{claim.number}/accident/declarations", DECLARED, "forbidden"),
    ):
        assert code_of(post(desks[name], path, body)) == (403, expected), (name, path)
    read = desks[holder].call("GET", f"/staff/v1/claims/{claim.number}/accident")
    assert code_of(read) == (403, "forbidden")
    assert office.world.claim(claim.id).kind == "accident"


@pytest.mark.slow
def test_bad_codes_kinds_and_declarations_are_refused(office: Office) -> None:
    desks, claim, case, holder = declared_and_held(office)
    for path, body, expected in (
        (f"/cases/{case}/exclude", CODED | {"code": "weather"}, (422, "accident-code-unknown")),
        (f"/cases/{case}/exclude", CODED | {"reason": ""}, (422, "review-refused")),
        (f"/cases/{case}/kind", {"kind": "war", **WHY}, (422, "accident-code-unknown")),
        (f"/cases/{case}/kind", {"kind": "ordinary", "reason": ""}, (422, "review-refused")),
        (f"/cases/{case}/kind", {"kind": "ordinary"}, (400, "malformed-staff-request")),
        (f"/cases/{case}/declaration-requests", WHY, (409, "conflict")),  # signed already
        ("/cases/cas_none/exclude", CODED, (404, "not-found")),
    ):
        assert code_of(post(desks[holder], path, body)) == expected, path
    place = f"/claims/{claim.number}/accident/declarations"
    for change in ({"signed": ""}, {"story": ""}, {"place": "moon"}, {"happened_on": "2099-01-01"}):
        answer = post(desks["clerk"], place, DECLARED | change)
        assert code_of(answer) == (422, "declaration-incomplete"), change
    assert code_of(post(desks["clerk"], place, DECLARED | {"by": "x"}))[0] == 400
    late = f"/claims/{claim.number}/excuses"
    for body, expected in (
        ({"code": ""}, (400, "malformed-staff-request")),
        ({"code": "weather"}, (422, "declaration-incomplete")),
        ({"code": "illness"}, (409, "declaration-closed")),  # it was in time
    ):
        assert code_of(post(desks["clerk"], late, body)) == expected, body
    assert code_of(post(desks[holder], late, {"code": "illness"})) == (403, "forbidden")


@pytest.mark.slow
def test_the_holder_makes_it_an_accident_and_asks_for_the_undertaking(office: Office) -> None:
    desks = desks_of(office)
    claim = office.pended()  # an unknown code, no injury
    holder, case = office.draw(claim).username, office.case_of(claim).id
    ask = f"/cases/{case}/declaration-requests"
    refused = post(desks[holder], ask, WHY)
    assert code_of(refused) == (409, "declaration-closed")
    assert "correct its kind first" in refused.get_json()["detail_en"]
    kinds = [
        post(desks[holder], f"/cases/{case}/kind", {"kind": "accident", **WHY}) for _ in range(2)
    ]
    assert [one.get_json()["kind"] for one in kinds] == ["accident"] * 2
    asked = [post(desks[holder], ask, WHY) for _ in range(2)]
    assert [one.status_code for one in asked] == [201, 201]
    assert asked[0].get_json()["waits_for"] == "declaration"
    assert post(desks["clerk"], f"/claims/{claim.number}/accident/declarations",
                DECLARED).status_code == 201  # fmt: skip
    assert code_of(post(desks[holder], ask, WHY)) == (409, "conflict")
    refusal = post(desks[holder], f"/cases/{case}/exclude", CODED)
    assert refusal.status_code == 200, refusal.get_data(as_text=True)
    office.world.run()
    late = post(desks["boss"], f"/claims/{claim.number}/kind", {"kind": "ordinary", **WHY})
    assert code_of(late) == (409, "declaration-closed")
