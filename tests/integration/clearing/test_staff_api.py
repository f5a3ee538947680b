"""The yearly clearing over the staff API: who may, what is refused, and that the worker goes on."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backend.adapters.clock import SetClock
from backend.domain.recovery import State
from backend.entrypoints.staff.openapi import document
from backend.service_layer.clearing.carry_on import IDLE, PASS, ClearingInWorker
from backend.service_layer.clearing.run import begin_run, run_year
from tests.integration.claims.world import HOSPITAL, World
from tests.integration.clearing.cleared_world import (
    booked,
    learn_filing,
    new_year,
    paid_with_filing,
    recoveries,
)
from tests.integration.clearing.test_together import two_people
from tests.integration.supervision.desks import Desks, code_of

pytestmark = pytest.mark.slow

WHY = {"reason": "已核对备案"}
RUNS = "/clearing/runs"


def pass_time(world: World, span: dt.timedelta) -> None:
    clock = world.services.clock
    assert isinstance(clock, SetClock)
    clock.advance(span.total_seconds())


def begun(desks: Desks, by: str = "supervisor01", key: str = "clear-2026") -> dict[str, Any]:
    answer = desks.post(by, RUNS, {"year": 2026}, key)
    assert answer.status_code == 202, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def test_what_is_refused(world: World) -> None:
    desks, before = Desks.open(world), booked(world)
    for who in ("clerk01", "reviewer01", "inspector01"):
        for path in (RUNS, "/clearing/trial?year=2026", "/clearing/differences"):
            assert code_of(desks.get(who, path)) == (403, "forbidden"), (who, path)
        assert code_of(desks.post(who, RUNS, {"year": 2026}, "clear-2026")) == (403, "forbidden")
    assert code_of(desks.get("reviewer01", f"/clearing/statements/{HOSPITAL}?year=2026")) == (
        403, "forbidden",
    )  # fmt: skip
    bad = (400, "malformed-staff-request")
    boss = "supervisor01"
    assert code_of(desks.post(boss, RUNS, {"year": 2026})) == bad  # no key
    assert code_of(desks.post(boss, RUNS, {"year": "2026"}, "clear-2026")) == bad
    assert code_of(desks.post(boss, RUNS, {"year": 2026, "by": "x"}, "clear-2026")) == bad
    assert code_of(desks.post(boss, RUNS, {"year": 2026, "year_open": 1}, "clear-2026")) == bad
    for query in ("", "?year=x", "?year=1999", "?year=2026&people=51", "?year=2026&people=0"):
        assert code_of(desks.get(boss, f"/clearing/trial{query}")) == bad, query
    assert code_of(desks.post(boss, RUNS, {"year": 2027}, "clear-2027")) == (422, "bad-clearing")
    assert code_of(desks.post(boss, RUNS, {"year": 2026}, "clear-2026")) == (
        409, "clearing-year-open",
    )  # fmt: skip
    for path in (f"{RUNS}/clr_x", f"{RUNS}/clr_x/differences", "/clearing/differences/cli_x",
                 "/clearing/statements/H9?year=2026"):  # fmt: skip
        assert code_of(desks.get(boss, path)) == (404, "not-found"), path
    for step in ("confirm", "decline"):
        path = f"/clearing/differences/cli_x/{step}"
        assert code_of(desks.post(boss, path, WHY)) == (404, "not-found")
        assert code_of(desks.post("clerk01", path, WHY)) == (403, "forbidden")
    assert booked(world) == before


def test_two_supervisors_clear_a_year_and_decide(world: World) -> None:
    *_, third = two_people(world)
    new_year(world)
    desks, worker = Desks.open(world), ClearingInWorker(world.services)
    trial = desks.get("supervisor01", "/clearing/trial?year=2026&people=1").get_json()
    rest = desks.get("supervisor01", f"/clearing/trial?year=2026&after={trial['next']}").get_json()
    assert rest["next"] is None
    found = sorted(
        (d["before_fen"], d["after_fen"]) for d in trial["differences"] + rest["differences"]
    )
    assert found == [(21_000, 27_000), (29_400, 37_800), (37_800, 29_400)]
    assert booked(world)["clearing_item"] == 0

    run = begun(desks)
    assert (run["state"], run["people"]) == ("running", {})
    assert begun(desks) == run  # the same request again
    assert code_of(desks.post("supervisor01", RUNS, {"year": 2025}, "clear-2026")) == (
        409, "idempotency-key-used",
    )  # fmt: skip
    assert begun(desks, "supervisor02", "another-key")["id"] == run["id"]  # it is not at its end
    assert worker.advance() == 0  # somebody may be at it
    pass_time(world, IDLE)
    while worker.advance():
        pass_time(world, PASS)
    world.run()
    done = desks.get("supervisor01", f"{RUNS}/{run['id']}").get_json()
    assert (done["state"], done["people"], done["claims"]) == ("ended", {"cleared": 2}, 3)
    assert (done["differences"], done["more_fen"], done["less_fen"]) == (
        {"less": 1, "more": 2}, 14_400, 8_400,
    )  # fmt: skip
    assert begun(desks)["id"] == run["id"]  # the key stands for the run that it began
    (of_year,) = desks.get("supervisor01", f"{RUNS}?year=2026").get_json()["runs"]
    assert of_year["id"] == run["id"]
    assert desks.get("supervisor01", f"{RUNS}?year=2025").get_json() == {"runs": []}

    (waiting,) = desks.get("supervisor01", "/clearing/differences").get_json()["differences"]
    here = f"/clearing/differences/{waiting['id']}"
    assert (waiting["claim_number"], waiting["confirmed"], sorted(waiting["links"])) == (
        third.number, 0, ["confirm", "decline"],
    )  # fmt: skip
    # Somebody of the bill's hospital sees it nowhere and decides nothing.
    hidden = desks.get("ofhospital", "/clearing/differences").get_json()["differences"]
    listed = desks.get("ofhospital", f"{RUNS}/{run['id']}/differences").get_json()["differences"]
    assert hidden == listed == []
    assert code_of(desks.post("ofhospital", f"{here}/confirm", WHY)) == (404, "not-found")

    first = desks.post("supervisor01", f"{here}/confirm", WHY).get_json()
    assert (first["confirmed"], sorted(first["links"])) == (1, ["decline"])
    assert code_of(desks.post("supervisor01", f"{here}/confirm", WHY)) == (
        403, "recovery-same-person",
    )  # fmt: skip
    assert code_of(desks.post("supervisor02", f"{here}/confirm", {"reason": " "}))[0] == 422
    second = desks.post("supervisor02", f"{here}/confirm", WHY).get_json()
    assert (second["recovery_state"], second["links"]) == ("open", {})
    assert desks.get("supervisor01", "/clearing/differences").get_json()["differences"] == []
    assert code_of(desks.post("supervisor02", f"{here}/decline", WHY))[0] == 409
    (order,) = recoveries(world, third)
    assert (order.state, order.order.amount_fen) == (State.OPEN, 8_400)

    statement = desks.get("clerk01", f"/clearing/statements/{HOSPITAL}?year=2026").get_json()
    assert (statement["manual_claims"], statement["manual_paid_fen"], statement["ties"]) == (
        3, 94_200, True,
    )  # fmt: skip


def test_differences_come_in_pages_and_what_is_decided_is_not_waiting(world: World) -> None:
    claims = []
    for number in range(3):
        person = world.person("测试甲子", f"person{number}")
        claims.append(paid_with_filing(world, person))
        learn_filing(world, person, withdrawn=True)
    new_year(world)
    run, _ = run_year(world.services, 2026, by="清算员甲")
    desks = Desks.open(world)
    seen, after = [], ""
    for _ in range(4):
        page = desks.get("supervisor01", f"/clearing/differences?limit=1&after={after}").get_json()
        seen += page["differences"]
        after = page["next"]
        if after is None:
            break
    assert sorted(one["claim_number"] for one in seen) == sorted(c.number for c in claims)
    item = seen[1]["id"]
    answer = desks.post("supervisor02", f"/clearing/differences/{item}/decline", WHY)
    assert answer.get_json()["recovery_state"] == "dismissed"
    left = desks.get("supervisor01", "/clearing/differences").get_json()["differences"]
    assert item not in [one["id"] for one in left] and len(left) == 2
    all_of_run = desks.get("supervisor01", f"{RUNS}/{run.id}/differences").get_json()
    assert len(all_of_run["differences"]) == 3 and all_of_run["next"] is None


def test_the_worker_takes_over_a_run_that_nobody_is_at_and_no_other(world: World) -> None:
    two_people(world)
    new_year(world)
    begin_run(world.services, 2026, "清算员甲", may_be_open=False)
    one, other = ClearingInWorker(world.services), ClearingInWorker(world.services)
    pass_time(world, IDLE - dt.timedelta(seconds=1))
    assert one.advance() == 0
    pass_time(world, dt.timedelta(seconds=1))
    assert one.advance() == 2
    assert (one.advance(), other.advance()) == (0, 0)
    with world.services.work(write=False) as work:
        (run,) = work.clearings.runs(2026)
    assert run.ended_at is not None
    after = booked(world)
    run_year(world.services, 2026, by="清算员乙")
    assert booked(world) == after  # nothing has changed since: nothing is booked


def test_every_route_is_described(world: World) -> None:
    paths = document()["paths"]
    described = {
        (path.replace("{", "<").replace("}", ">"), method.upper())
        for path, operations in paths.items()
        for method in operations
        if "/clearing/" in path and method in ("get", "post")
    }
    from backend.entrypoints.web import create_app

    app = create_app(world.services)
    served = {
        (str(rule), method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if "/clearing/" in str(rule) and method in ("GET", "POST")
    }
    assert described == served and len(served) == 10
