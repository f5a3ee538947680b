"""A reopening takes two people: over the staff API, at the command line, and in the database."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.domain.errors import ConflictError, DomainError
from backend.entrypoints.cli.review import command
from backend.service_layer.claims.records import Claim
from backend.service_layer.handling.appeals import AppealRefusedError, Reopening
from backend.service_layer.handling.reopening import (
    ReopenExpiredError,
    SameReopenerError,
    confirm_reopening,
    propose_reopening,
    withdraw_reopening,
)
from tests.integration.claims.world import HOSPITAL
from tests.integration.review.office import Desk, Office

WHY = Reopening("calculation-error", "核定时漏算一行", "衢医保函〔2026〕1号")
BODY = {"code": WHY.code, "text": WHY.text, "source": WHY.source_reference}
OK = {"reason": "已核对原件"}


def closed_claim(office: Office) -> Claim:
    """A claim that a reviewer refused."""
    office.staff("审核员", username="judge")
    claim = office.pended()
    holder = office.draw(claim)
    desk = office.at_desk().sign_in(holder)
    answer = desk.call(
        "POST", f"/staff/v1/cases/{office.case_of(claim).id}/refuse", {"reason": "材料不全"}
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    office.world.run()
    found = office.world.claim(claim.id)
    assert found.state == "refused"
    return found


def desks_of(office: Office, **people: Any) -> dict[str, Desk]:
    at = office.at_desk()
    return {
        name: Desk(at.client).sign_in(office.staff(f"姓名{name}", username=name, **values))
        for name, values in people.items()
    }


def post(desk: Desk, path: str, body: Any = OK) -> Any:
    return desk.call("POST", f"/staff/v1{path}", body)


def code_of(answer: Any) -> tuple[int, str]:
    body = answer.get_json()
    assert body["detail"] and body["detail_en"]
    return answer.status_code, body["code"]


def days(office: Office, count: float) -> None:
    clock = office.world.services.clock
    assert isinstance(clock, SetClock)
    clock.advance(dt.timedelta(days=count).total_seconds())


def requests(office: Office) -> list[Any]:
    with office.world.services.engine.connect() as connection:
        return list(connection.execute(sa.select(tables.revision_request)))


def test_one_proposes_and_another_confirms(office: Office) -> None:
    claim = closed_claim(office)
    desks = desks_of(office, one={}, two={}, three={})
    place = f"/claims/{claim.number}/reopen-proposals"
    first, again = post(desks["one"], place, BODY), post(desks["one"], place, BODY)
    proposal = first.get_json()
    assert (first.status_code, again.get_json()) == (201, proposal)
    assert set(proposal["links"]) == {"withdraw"}  # who proposed cannot confirm
    (waiting,) = desks["two"].call("GET", "/staff/v1/reopen-proposals").get_json()["proposals"]
    assert set(waiting["links"]) == {"confirm", "withdraw"}
    assert requests(office) == []
    href = waiting["links"]["confirm"]["href"].removeprefix("/staff/v1")
    confirmed, repeated = post(desks["two"], href), post(desks["two"], href)
    assert confirmed.get_json()["ended"]["by"] == "two"
    assert repeated.get_json() == confirmed.get_json()
    (request,) = requests(office)
    assert (request.named_by, request.seconded_by) == ("one", "two")
    assert office.case_of(claim).kind == "reopen"
    assert office.draw(claim).username == "three"  # neither of the two, nor who refused before
    assert desks["two"].call("GET", "/staff/v1/reopen-proposals").get_json()["proposals"] == []


def test_the_same_person_twice_an_ended_and_an_expired_proposal_are_refused(
    office: Office,
) -> None:
    claim = closed_claim(office)
    desks = desks_of(office, one={}, two={})
    place = f"/claims/{claim.number}/reopen-proposals"
    proposal = post(desks["one"], place, BODY).get_json()["id"]
    here = f"/reopen-proposals/{proposal}"
    same = post(desks["one"], f"{here}/confirm")
    assert code_of(same) == (403, "reopen-same-person")
    assert "the proposal stands" in same.get_json()["detail_en"]
    assert code_of(post(desks["two"], place, BODY)) == (409, "conflict")  # one is open
    days(office, 7.001)
    late = post(desks["two"], f"{here}/confirm")
    assert code_of(late) == (409, "reopen-expired")
    assert "propose it anew" in late.get_json()["detail_en"]
    assert code_of(post(desks["one"], f"{here}/withdraw")) == (409, "reopen-expired")
    second = post(desks["two"], place, BODY).get_json()["id"]
    assert second != proposal
    assert post(desks["two"], f"/reopen-proposals/{second}/withdraw").status_code == 200
    assert code_of(post(desks["one"], f"/reopen-proposals/{second}/confirm")) == (409, "conflict")
    assert requests(office) == []
    shown = desks["one"].call("GET", f"/staff/v1{place}").get_json()["proposals"]
    assert [(one["is_open"], (one["ended"] or {}).get("answer")) for one in shown] == [
        (False, None), (False, "withdrawn"),
    ]  # fmt: skip


@pytest.mark.slow
def test_roles_own_hospital_and_bad_words_are_refused(office: Office) -> None:
    claim = closed_claim(office)
    desks = desks_of(
        office, one={}, clerk={"role": "clerk"}, inspector={"role": "inspector"},
        own={"hospital_code": HOSPITAL},
    )  # fmt: skip
    place = f"/claims/{claim.number}/reopen-proposals"
    for name in ("clerk", "inspector"):
        assert code_of(post(desks[name], place, BODY)) == (403, "forbidden")
        assert code_of(desks[name].call("GET", "/staff/v1/reopen-proposals")) == (403, "forbidden")
    assert code_of(post(desks["own"], place, BODY)) == (403, "forbidden")
    for change, expected in (
        ({"code": "amount"}, (409, "appeal-refused")), ({"text": "短"}, (409, "appeal-refused")),
        ({"text": "长" * 501}, (409, "appeal-refused")), ({"source": ""}, (409, "appeal-refused")),
        ({"source": "号" * 81}, (409, "appeal-refused")),
        ({"by": "two"}, (400, "malformed-staff-request")),
        ({"text": 5}, (400, "malformed-staff-request")),
    ):  # fmt: skip
        assert code_of(post(desks["one"], place, BODY | change)) == expected, change
    unknown = post(desks["one"], "/claims/0000/reopen-proposals", BODY)
    assert code_of(unknown) == (404, "not-found")
    proposal = post(desks["one"], place, BODY).get_json()["id"]
    assert code_of(post(desks["own"], f"/reopen-proposals/{proposal}/confirm")) == (
        403, "forbidden",
    )  # fmt: skip
    assert desks["own"].call("GET", "/staff/v1/reopen-proposals").get_json()["proposals"] == []
    for reason in ("", "长" * 501):
        answer = post(desks["one"], f"/reopen-proposals/{proposal}/withdraw", {"reason": reason})
        assert code_of(answer) == (409, "appeal-refused")
    assert code_of(post(desks["one"], "/reopen-proposals/rop_none/confirm")) == (404, "not-found")


@pytest.mark.slow
def test_a_claim_that_is_open_or_under_review_is_not_proposed(office: Office) -> None:
    claim = closed_claim(office)
    services = office.world.services
    for name in ("one", "two", "three"):
        office.staff(f"姓名{name}", username=name)
    proposal = propose_reopening(services, claim.number, WHY, "one")
    confirm_reopening(services, proposal.id, "two", "已核对")
    with pytest.raises(AppealRefusedError, match="under review already"):
        propose_reopening(services, claim.number, WHY, "three")
    waiting = office.pended(yuan=500)
    with pytest.raises(AppealRefusedError, match="is not closed"):
        propose_reopening(services, waiting.number, WHY, "one")


@pytest.mark.slow
def test_without_staff_one_name_in_two_spellings_is_one_person(office: Office) -> None:
    from backend.service_layer.handling.review import refuse_pended

    world, claim = office.world, office.pended()
    refuse_pended(world.services, claim.number, "审核员", "材料不全")
    world.run()
    proposal = propose_reopening(world.services, claim.number, WHY, "Wang  Wei")
    for name in ("wang wei", "ＷＡＮＧ ＷＥＩ", " Wang Wei "):
        with pytest.raises(SameReopenerError, match="takes two different people"):
            confirm_reopening(world.services, proposal.id, name, "已核对")
    for name in ("", " ", "名" * 60, "a\x00b"):
        with pytest.raises(AppealRefusedError, match="name who acts"):
            confirm_reopening(world.services, proposal.id, name, "已核对")
    assert confirm_reopening(world.services, proposal.id, "Li Na", "已核对").request_id


@pytest.mark.slow
def test_the_database_refuses_one_person_a_late_confirmation_and_a_change(
    any_office: Office,
) -> None:
    office = any_office
    claim = closed_claim(office)
    services = office.world.services
    for name in ("one", "two"):
        office.staff(f"姓名{name}", username=name)
    ids = {person.username: person.id for person in office.people}
    other = propose_reopening(services, claim.number, WHY, "one")
    withdraw_reopening(services, other.id, "two", "另提")
    proposal = propose_reopening(services, claim.number, WHY, "one")
    confirm_reopening(services, proposal.id, "two", "已核对")
    (request,) = requests(office)
    free = {
        "id": "rop_free", "claim_id": claim.id, "decision_version": 0, "code": WHY.code,
        "text": WHY.text, "source_reference": "x", "proposed_by": ids["one"],
        "proposed_at": proposal.proposed_at, "expires_at": proposal.expires_at,
    }  # fmt: skip
    with services.engine.begin() as connection:
        connection.execute(tables.reopen_proposal.insert().values(free))
    row = {
        "proposal_id": "rop_free", "proposed_by": ids["one"], "expires_at": proposal.expires_at,
        "answer": "confirmed", "answered_by": ids["two"], "reason": "x",
        "answered_at": proposal.expires_at, "request_id": request.id,
    }  # fmt: skip
    late = proposal.expires_at + dt.timedelta(microseconds=1)
    for change in (
        {"answered_by": ids["one"]}, {"answered_by": ids["one"].upper()}, {"answered_at": late},
        {"request_id": None}, {"answer": "withdrawn"}, {"answer": "other"},
        {"proposed_by": ids["two"], "answered_by": ids["one"]}, {"expires_at": late},
        {"proposal_id": proposal.id},
    ):  # fmt: skip
        with pytest.raises(sa.exc.IntegrityError), services.engine.begin() as connection:
            connection.execute(tables.reopen_answer.insert().values(row | change))
    for table in ("reopen_proposal", "reopen_answer"):
        for statement in (f"UPDATE {table} SET proposed_by = 'x'", f"DELETE FROM {table}"):
            with (
                pytest.raises(sa.exc.DBAPIError, match="is insert-only"),
                services.engine.begin() as connection,
            ):
                connection.exec_driver_sql(statement)


@pytest.mark.slow
def test_of_two_confirmations_at_once_one_reopens(any_office: Office) -> None:
    office = any_office
    claim = closed_claim(office)
    services = office.world.services
    for name in ("one", "two", "three"):
        office.staff(f"姓名{name}", username=name)
    proposal = propose_reopening(services, claim.number, WHY, "one")

    def confirm(name: str) -> DomainError | None:
        try:
            confirm_reopening(services, proposal.id, name, "已核对")
        except DomainError as error:
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(confirm, ("two", "three")))
    assert sorted(type(one) for one in ended if one is not None) == [ConflictError]
    assert len(requests(office)) == 1


# --- the command line --------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_line_proposes_lists_and_confirms(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    import backend.bootstrap

    claim = closed_claim(office)
    for name in ("one", "two"):
        office.staff(f"姓名{name}", username=name)
    monkeypatch.setattr(backend.bootstrap, "build_services", lambda: office.world.services)

    def run(*words: str) -> Any:
        return CliRunner().invoke(command, ["reopen", *words])

    words = ("propose", claim.number, "--code", WHY.code, "--reason", WHY.text, "--source", "函1")
    proposed = run(*words, "--by", "姓名one")
    assert proposed.exit_code == 0, proposed.output
    listed = run("list").output.split()
    assert listed[1] == claim.number and "one" in listed
    same = run("confirm", listed[0], "--by", "one", "--reason", "已核对")
    assert isinstance(same.exception, SameReopenerError)
    unknown = run("confirm", listed[0], "--by", "nobody", "--reason", "已核对")
    assert "yichu review staff" in str(unknown.exception)
    assert run("confirm", listed[0], "--by", "two", "--reason", "已核对").exit_code == 0
    assert "no proposal waits" in run("list").output
    assert "yichu review reopen confirm" in run("--help").output  # an example of both steps
    assert run(*words).exit_code == 2  # who proposes must be said
    at_once = run(claim.number, "--by", "one", "two")
    assert at_once.exit_code == 2
    assert f"yichu review reopen propose {claim.number} --code" in at_once.output


@pytest.mark.slow
def test_an_expired_proposal_is_not_confirmed_at_the_command_line(office: Office) -> None:
    claim = closed_claim(office)
    services = office.world.services
    for name in ("one", "two"):
        office.staff(f"姓名{name}", username=name)
    proposal = propose_reopening(services, claim.number, WHY, "one")
    days(office, 8)
    with pytest.raises(ReopenExpiredError, match="ran out"):
        confirm_reopening(services, proposal.id, "two", "已核对")
