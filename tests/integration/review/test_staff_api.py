"""The staff API over HTTP: who gets in, what a blind step shows, what bad input gets."""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
from typing import Any

import pytest

from backend.adapters.one_time_code import OneTimeCodeFile
from backend.entrypoints.access import AccessRule, rule_of
from backend.entrypoints.staff import session
from backend.entrypoints.staff.openapi import document
from backend.entrypoints.web import create_app
from backend.service_layer.audit_rules.records import StoredHit
from backend.service_layer.review import read
from tests.integration.claims.world import CLASS_A, HOSPITAL
from tests.integration.review.office import BASE, HOSPITAL_NAME, PASSWORD, PATIENT, Desk, Office

MATCH = {
    "line_index": 0, "kind": "match", "catalogue_code": CLASS_A[0], "basis_zh": "说明书核对"
}  # fmt: skip
IDENTITY = "TEST-0000"
NAMES = (PATIENT, HOSPITAL_NAME, HOSPITAL, IDENTITY)


def body_of(answer: Any) -> str:
    """The whole answer as text, with what JSON escapes undone."""
    text: str = answer.get_data(as_text=True)
    return text + json.dumps(answer.get_json(), ensure_ascii=False)


def opened(office: Office, **change: Any) -> tuple[Desk, dict[str, Any]]:
    """A reviewer at the desk with one case in hand."""
    person = office.staff("甲")
    office.pended(**change)
    office.sweep()
    desk = office.at_desk().sign_in(person)
    answer = desk.next()
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return desk, answer.get_json()


def test_a_blind_case_goes_from_the_desk_to_paid_and_shows_no_name(office: Office) -> None:
    desk, case = opened(office)
    answers = [desk.call("GET", "/staff/v1/cases"), desk.call("GET", case["links"]["self"]["href"])]
    assert set(case["links"]) == {
        "self", "decline", "preview", "resolve", "approve", "refuse", "material-requests"
    }  # fmt: skip
    preview = desk.call("POST", case["links"]["preview"]["href"], {"rulings": [MATCH]})
    assert preview.get_json()["paid_fen"] == 6_000  # (400.00 - 300.00) x 60 %
    verdict = {"reason": f"{PATIENT}在{HOSPITAL_NAME}的编码已核对", "rulings": [MATCH]}
    done = desk.call("POST", case["links"]["approve"]["href"], verdict)
    again = desk.call("POST", case["links"]["approve"]["href"], verdict)
    assert done.get_json()["state"] == again.get_json()["state"] == "closed"
    assert set(done.get_json()["links"]) == {"self"}
    lists = [desk.call("GET", f"/staff/v1/{name}") for name in ("overdue", "statistics", "me")]
    for answer in [*answers, preview, done, again, *lists]:
        assert answer.status_code == 200
        assert [name for name in NAMES if name in body_of(answer)] == []
    office.world.run()
    with office.world.services.work(write=False) as work:
        (claim_id,) = [c.id for c in work.claims.live_of_year(office.world.people[0].id, 2026)]
        assert work.claims.get(claim_id).state == "paid"


def test_every_staff_route_has_a_rule_and_is_described(office: Office) -> None:
    app = create_app(office.world.services)
    rules = {
        (method, re.sub(r"<(?:[^<>]+:)?(\w+)>", r"{\1}", rule.rule)): rule_of(app, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/staff") and "unknown" not in rule.rule
    }
    assert None not in rules.values()
    assert {route for route, rule in rules.items() if rule is AccessRule.PUBLIC} == {
        ("POST", "/staff/v1/session"), ("GET", "/staff/v1/openapi.json")
    }  # fmt: skip
    described = {
        (method.upper(), path)
        for path, item in document()["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert described == set(rules)


@pytest.mark.slow
def test_nothing_is_answered_without_a_token_of_staff(office: Office) -> None:
    desk, case = opened(office)
    for method, path in (
        ("GET", "/staff/v1/me"), ("GET", "/staff/v1/cases"), ("POST", "/staff/v1/cases/next"),
        ("GET", case["links"]["self"]["href"]), ("POST", case["links"]["approve"]["href"]),
        ("GET", f"/staff/v1/cases/{case['id']}/files/1/1"), ("GET", "/staff/v1/overdue"),
        ("POST", f"/staff/v1/cases/{case['id']}/assign"), ("DELETE", "/staff/v1/session"),
    ):  # fmt: skip
        for token in ("", "x" * 40, desk.token[:-3] + "xyz"):
            answer = Desk(desk.client, token).call(method, path, {})
            assert answer.status_code == 401, (method, path)
            assert answer.get_json()["code"] == "staff-unauthorized"
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.slow
def test_a_citizen_a_wrong_password_and_an_unknown_name_get_one_answer(office: Office) -> None:
    office.staff("甲", username="known")
    office.staff("乙", username="gone", is_active=False)
    office.pended()
    desk = office.at_desk()
    told = set()
    for username, password in (
        ("citizen01", "12345678"), ("known", "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD),
        ("known", ""), ("known\x00", PASSWORD),
    ):  # fmt: skip
        answer = desk.call(
            "POST", "/staff/v1/session", {"username": username, "password": password}
        )
        problem = answer.get_json()
        told.add((answer.status_code, problem["code"]))
    assert told == {(401, "staff-login-refused"), (400, "malformed-staff-request")}


@pytest.mark.slow
def test_no_cookie_is_set_and_a_citizens_cookie_opens_nothing(office: Office) -> None:
    from tests.integration.claims.test_pages import client_of, log_in

    person = office.staff("甲")
    office.pended()
    app = create_app(office.world.services)
    client = client_of(app)
    assert log_in(client, "citizen01").status_code == 303
    assert client.get("/staff/v1/me", base_url=BASE).status_code == 401
    answer = app.test_client().post(
        "/staff/v1/session", base_url=BASE,
        json={"username": person.username, "password": PASSWORD},
    )  # fmt: skip
    assert answer.status_code == 201
    assert "Set-Cookie" not in answer.headers


@pytest.mark.slow
def test_a_token_ends_with_the_sign_out_with_its_day_and_with_the_person(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = office.staff("甲")
    desk = office.at_desk().sign_in(person)
    second = Desk(desk.client).sign_in(person)
    assert desk.call("DELETE", "/staff/v1/session").status_code == 204
    assert desk.call("GET", "/staff/v1/me").status_code == 401
    assert second.call("GET", "/staff/v1/me").status_code == 200
    monkeypatch.setattr(session, "LIFE_SECONDS", -1)
    assert second.call("GET", "/staff/v1/me").status_code == 401
    monkeypatch.undo()
    office.world.sql("UPDATE staff SET is_active = 0")
    assert second.call("GET", "/staff/v1/me").status_code == 401


@pytest.mark.slow
def test_on_the_lan_a_sample_password_alone_opens_nothing(office: Office) -> None:
    person = office.staff("甲")
    services = office.world.services
    services.settings = dataclasses.replace(services.settings, lan=True)
    code = OneTimeCodeFile(services.settings.lan_code_path).issue()
    desk = office.at_desk()
    told = []
    for given in (
        {"password": PASSWORD}, {"password": PASSWORD, "code": "1"}, {"code": code}, {"code": code}
    ):  # fmt: skip
        body = {"username": person.username, **given}
        told.append(desk.call("POST", "/staff/v1/session", body).status_code)
    assert told == [401, 401, 201, 401]


@pytest.mark.slow
def test_tries_and_requests_are_limited(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.entrypoints.public.rate_limit import RateLimit

    desk = office.at_desk().sign_in(office.staff("甲"))
    monkeypatch.setattr(session, "_REQUESTS", RateLimit(count=2, seconds=600))
    told = [desk.call("GET", "/staff/v1/me") for _ in range(3)]
    assert [answer.status_code for answer in told] == [200, 200, 429]
    assert told[2].get_json()["retryable"] is True
    monkeypatch.setattr(session, "_LOGINS", RateLimit(count=1, seconds=600))
    body = {"username": "x", "password": "y"}
    told = [Desk(desk.client).call("POST", "/staff/v1/session", body) for _ in range(2)]
    assert [answer.status_code for answer in told] == [401, 429]


@pytest.mark.slow
def test_who_has_no_step_sees_nothing_of_the_case(office: Office) -> None:
    _, case = opened(office)
    other = office.at_desk().sign_in(office.staff("乙"))
    inside = office.at_desk().sign_in(office.staff("丙", role="supervisor", hospital_code=HOSPITAL))
    clerk = office.at_desk().sign_in(office.staff("丁", role="clerk"))
    chief = office.at_desk().sign_in(office.staff("戊", role="supervisor"))
    here = case["links"]["self"]["href"]
    for desk, status in ((other, 403), (inside, 403), (clerk, 403), (chief, 200)):
        answer = desk.call("GET", here)
        assert answer.status_code == status
        assert [name for name in NAMES if name in body_of(answer)] == []
    assert set(chief.call("GET", here).get_json()["links"]) == {"self"}
    answer = other.call("POST", f"{here}/approve", {"reason": "好"})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "not-your-step")
    answer = other.call("POST", f"{here}/assign")
    assert answer.status_code == 403
    assert chief.call("POST", f"{here}/assign").get_json() == {"is_given": True}
    assert chief.call("POST", f"{here}/assign", {"to": "乙"}).status_code == 400
    assert other.call("GET", "/staff/v1/cases/rev_other").status_code == 404
    assert other.call("GET", "/staff/v1/nothing").status_code == 404


@pytest.mark.slow
def test_the_same_key_gives_the_same_case_and_none_is_204(office: Office) -> None:
    person = office.staff("甲")
    desk = office.at_desk().sign_in(person)
    assert desk.next().status_code == 204
    first, second = office.pended(), office.pended(yuan=401)
    with office.world.services.work(write=False) as work:
        assert work.reviews.cases_of(first.id) == []
    from backend.service_layer.review.sweep import open_missing_cases

    open_missing_cases(office.world.services)
    key = secrets.token_hex(16)
    told = [desk.next(key).get_json()["id"] for _ in range(3)]
    assert len(set(told)) == 1
    with office.world.services.work(write=False) as work:
        draws = [
            one for claim in (first, second)
            for case in work.reviews.cases_of(claim.id) for one in work.reviews.draws_of(case.id)
        ]  # fmt: skip
    assert [(one.cause, one.request_key) for one in draws] == [("asked", key)]
    answer = desk.call("POST", "/staff/v1/cases/next")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "malformed-staff-request")


@pytest.mark.slow
def test_names_that_are_the_question_are_shown_and_the_hospital_is_not(office: Office) -> None:
    _, case = opened(office, payer_name="测试丁卯")
    assert case["names_to_compare"] == {"on_bill": "测试丁卯", "insured": PATIENT}
    rest = json.dumps({k: v for k, v in case.items() if k != "names_to_compare"})
    assert [name for name in (*NAMES, "测试丁卯") if name in json.loads(json.dumps(rest))] == []
    assert HOSPITAL_NAME not in json.dumps(case, ensure_ascii=False)


@pytest.mark.slow
def test_the_panel_sees_the_names(office: Office) -> None:
    office.limits(high_risk_priority=5)
    people = [office.staff(name, role="supervisor") for name in "甲乙丙丁"]
    claim = office.pended(payer_name="测试别名")
    for turn in range(4):
        holder = office.draw(claim)
        desk = office.at_desk().sign_in(holder)
        case = desk.next().get_json()
        assert ("names" in case) == (turn == 3)
        for finding in case["findings"]:
            assert "found_by" not in finding
        answer = desk.call("POST", case["links"]["approve"]["href"], {"reason": "好"})
        assert answer.status_code in (200, 403)
    closed = answer.get_json()
    assert [f["found_by"][0] in "甲乙丙丁" for f in closed["findings"]] == [True] * 4
    assert len(people) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "body", "status", "code"),
    [
        ("approve", {}, 400, "malformed-staff-request"),
        ("approve", {"reason": ""}, 422, "review-refused"),
        ("approve", {"reason": "好", "amount_fen": 1}, 400, "malformed-staff-request"),
        ("approve", {"reason": "好", "rulings": {}}, 400, "malformed-staff-request"),
        ("approve", {"reason": "好", "rulings": [{}]}, 422, "review-refused"),
        ("approve", {"reason": "好", "rulings": [MATCH | {"paid_fen": 1}]}, 422, "review-refused"),
        ("approve", {"reason": "好", "rulings": [MATCH | {"line_index": True}]}, 422,
         "review-refused"),
        ("approve", {"reason": "好", "rulings": [MATCH | {"limit_fen": 1}]}, 422, "bad-ruling"),
        ("approve", {"reason": "好", "rulings": [MATCH | {"line_index": 9}]}, 422, "bad-ruling"),
        ("approve", {"reason": "好", "rulings": [MATCH | {"catalogue_code": "X"}]}, 422,
         "review-refused"),
        ("resolve", {"reasons": [], "reason": "好"}, 422, "review-refused"),
        ("resolve", {"reasons": ["pnd_x"], "reason": "好"}, 422, "review-refused"),
        ("resolve", {"reasons": "pnd_x", "reason": "好"}, 400, "malformed-staff-request"),
        ("decline", {"reason": " "}, 409, "conflict"),
        ("material-requests", {"needed_zh": "病历", "needed_en": ""}, 422, "material-refused"),
        ("preview", {"rulings": [1]}, 400, "malformed-staff-request"),
    ],
)  # fmt: skip
def test_bad_bodies_are_refused_and_change_nothing(
    office: Office, action: str, body: dict[str, Any], status: int, code: str
) -> None:
    desk, case = opened(office)
    answer = desk.call("POST", f"/staff/v1/cases/{case['id']}/{action}", body)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    after = desk.call("GET", case["links"]["self"]["href"]).get_json()
    assert after == case


@pytest.mark.slow
def test_bodies_that_are_no_json_object_are_refused(office: Office) -> None:
    desk, case = opened(office)
    path, token = case["links"]["approve"]["href"], {"Authorization": f"Bearer {desk.token}"}
    for data, kind in (
        (b"{", "application/json"), (b"[]", "application/json"),
        (b"x" * 300_000, "application/json"),
        (b'{"reason":"a","reason":"b"}', "application/json"), (b"[" * 100_000, "application/json"),
        (b'{"reason":"ok"}', "text/plain"), (b"reason=ok", "application/x-www-form-urlencoded"),
        (b'{"reason":"\\u0000"}', "application/json"),
    ):  # fmt: skip
        answer = desk.client.post(path, data=data, content_type=kind, headers=token, base_url=BASE)
        assert answer.status_code == 400, (data[:40], kind)
        assert answer.get_json()["code"] == "malformed-staff-request"


@pytest.mark.slow
def test_every_look_is_recorded_with_its_case(office: Office) -> None:
    desk, case = opened(office)
    desk.call("GET", case["links"]["self"]["href"])
    import sqlalchemy as sa

    from backend.adapters.database import tables

    with office.world.services.engine.connect() as connection:
        rows = connection.execute(sa.select(tables.review_look)).all()
    assert [(r.case_id, r.staff_id, r.what) for r in rows] == [
        (case["id"], office.people[0].id, "case")
    ] * 2


def test_half_a_surrogate_pair_and_nul_are_refused_and_break_nothing(office: Office) -> None:
    """Such JSON was answered with 500, at sign-in too: it cannot be encoded, hashed or stored."""
    desk, case = opened(office)
    ruling = {"line_index": 0, "kind": "confirm", "basis_zh": "x\x00"}
    href = case["links"]["preview"]["href"]
    assert desk.call("POST", href, {"rulings": [ruling]}).get_json()["code"] == "review-refused"
    for path, body in (
        ("/staff/v1/session", {"username": "\ud800", "password": "x"}),
        ("/staff/v1/session", {"username": office.people[0].username, "password": "\udfff"}),
        (case["links"]["approve"]["href"], {"reason": "\ud800"}),
        (href, {"rulings": [ruling | {"basis_zh": "\ud800"}]}),
    ):
        answer = desk.client.post(
            path, data=json.dumps(body), content_type="application/json", base_url=BASE,
            headers={"Authorization": f"Bearer {desk.token}"},
        )  # fmt: skip
        assert (answer.status_code, answer.get_json()["code"]) == (400, "malformed-staff-request")


@pytest.mark.slow
def test_what_a_rule_found_is_shown_with_its_figures_and_without_names(office: Office) -> None:
    desk, case = opened(office)
    services = office.world.services
    with services.work() as work:
        claim_id = work.reviews.get_case(case["id"]).claim_id
        digest = b"d" * 32
        work.audit_rules.keep_rule_set(digest, "[]", services.clock.now())
        evidence = json.dumps(
            {"median_fen": 12_345, "where": HOSPITAL_NAME, "hospitals": ["H33080200999"]}
        )
        work.audit_rules.add_hits(
            [
                StoredHit(
                    f"hit_{effect}", claim_id, f"outlier-{effect}", digest, -1, effect,
                    f"{PATIENT}的费用偏高", "high", evidence, services.clock.now(),
                )
                for effect in ("pended", "trial")
            ]
        )  # fmt: skip
        work.commit()
    view = desk.call("GET", case["links"]["self"]["href"]).get_json()
    (hit,) = view["rule_hits"]
    assert (hit["rule_code"], hit["line_index"], hit["zh"]) == (
        "outlier-pended", None, "▇▇的费用偏高",
    )  # fmt: skip
    assert hit["evidence"] == {"median_fen": 12_345, "where": "▇▇", "hospitals": ["▇▇"]}


def test_names_are_struck_out_wherever_they_stand() -> None:
    value = {"a": ["张三丰在甲医院", {"b": "张三"}], "c": 1, "d": None, "e": "李"}
    assert read.strike_out(value, ["张三", "张三丰", "甲医院", "李", ""]) == {
        "a": ["▇▇在▇▇", {"b": "▇▇"}], "c": 1, "d": None, "e": "李",
    }  # fmt: skip


@pytest.mark.slow
def test_a_clerk_withdraws_for_a_citizen_and_a_supervisor_sees_it(office: Office) -> None:
    claim = office.pended()
    clerk = office.at_desk().sign_in(office.staff("柜", role="clerk"))
    chief = office.at_desk().sign_in(office.staff("主", role="supervisor"))
    one = f"/staff/v1/claims/{claim.number}"
    assert clerk.call("GET", f"{one}/history").status_code == 403
    for body in ({}, {"text": " "}, {"text": "撤", "by": "主"}):
        assert clerk.call("POST", f"{one}/withdraw", body).status_code in {400, 422}
    assert office.world.claim(claim.id).state == "pended"
    words = {"text": "本人到窗口申请撤回"}
    asked = clerk.call("POST", f"{one}/withdraw", words).get_json()
    assert (asked["state"], asked["is_done"]) == ("withdrawing", False)
    office.world.run()
    done = clerk.call("POST", f"{one}/withdraw", words).get_json()
    assert (done["state"], done["is_done"]) == ("withdrawn", True)
    shown = chief.call("GET", f"{one}/history").get_json()
    assert shown["versions"] == shown["requests"] == []
    (event,) = shown["events"]
    assert (event["kind"], event["by"], event["text"]) == (
        "withdrawn", "柜（staff00）", "本人到窗口申请撤回"
    )  # fmt: skip
    assert [name for name in NAMES if name in body_of(chief.call("GET", f"{one}/history"))] == []
    unknown = chief.call("GET", "/staff/v1/claims/0000/history")
    assert unknown.status_code == 404


def test_a_supervisor_sees_what_waits_without_names_and_nobody_else_does(office: Office) -> None:
    desk, _ = opened(office)
    office.pended(yuan=401)
    office.sweep()
    chief = office.at_desk().sign_in(office.staff("戊", role="supervisor"))
    inside = office.at_desk().sign_in(office.staff("己", role="supervisor", hospital_code=HOSPITAL))
    answer = chief.call("GET", "/staff/v1/cases/open")
    found = answer.get_json()
    assert (answer.status_code, found["total"], len(found["cases"])) == (200, 2, 2)
    assert [name for name in NAMES if name in body_of(answer)] == []
    for row in found["cases"]:
        (reason,) = row["reasons"]
        assert (reason["code"], reason["level"], reason["line_index"]) == (
            "unknown-code",
            "line",
            0,
        )
        assert set(reason) >= {"priority", "queue", "role", "may_be_raised_again"}
        assert (row["is_held"], row["is_mine"]) == (True, False)
    page = chief.call("GET", "/staff/v1/cases/open?after=1&limit=1").get_json()
    assert page == {"total": 2, "cases": found["cases"][1:]}
    queue = found["cases"][0]["queue"]["code"]
    assert chief.call("GET", f"/staff/v1/cases/open?queue={queue}").get_json()["total"] == 2
    assert chief.call("GET", "/staff/v1/cases/open?queue=none").get_json()["total"] == 0
    assert inside.call("GET", "/staff/v1/cases/open").get_json() == {"total": 0, "cases": []}
    for wrong in ("limit=0", "limit=501", "limit=x", "after=-1", "after=10001"):
        refused = chief.call("GET", f"/staff/v1/cases/open?{wrong}")
        assert (refused.status_code, refused.get_json()["code"]) == (400, "malformed-staff-request")
    assert desk.call("GET", "/staff/v1/cases/open").status_code == 403


def test_who_is_away_has_no_steps_until_they_are_back(office: Office) -> None:
    desk, case = opened(office)
    other = office.at_desk().sign_in(office.staff("乙"))
    for wrong, status in (
        ("2026-11-20", 409), ("2020-01-01", 409), ("2027-11-21", 409), ("monday", 400),
    ):  # fmt: skip
        refused = desk.call("POST", "/staff/v1/me/away", {"back_on": wrong})
        assert refused.status_code == status, wrong
    assert len(desk.call("GET", "/staff/v1/cases").get_json()["cases"]) == 1
    told = [desk.call("POST", "/staff/v1/me/away", {"back_on": "2026-11-23"}) for _ in range(2)]
    assert [one.get_json() for one in told] == [{"steps_drawn_anew": 1}, {"steps_drawn_anew": 0}]
    assert desk.call("GET", "/staff/v1/me").get_json()["away_until"].startswith("2026-11-22T16:00")
    assert desk.call("GET", "/staff/v1/cases").get_json() == {"cases": []}
    (row,) = other.call("GET", "/staff/v1/cases").get_json()["cases"]
    assert row["id"] == case["id"] and desk.next().status_code != 200
    assert desk.call("POST", "/staff/v1/me/away", {}).get_json() == {"steps_drawn_anew": 0}
    assert desk.call("GET", "/staff/v1/me").get_json()["away_until"] is None
