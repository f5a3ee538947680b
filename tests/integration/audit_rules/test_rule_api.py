"""Rules over the staff API: two supervisors switch one, by name or username one person is one."""

from __future__ import annotations

from typing import Any

import pytest

from backend.entrypoints.public.rate_limit import RateLimit
from backend.entrypoints.staff import session
from backend.service_layer.audit_rules.switch import Change, SwitchRefusedError, confirm, propose
from tests.integration.audit_rules.office import RuleOffice, high_amount
from tests.integration.supervision.desks import Desks, code_of

OFF = {"state": "retired", "reason": "误报太多"}
WHY = {"reason": "同意"}


@pytest.fixture(autouse=True)
def fresh_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_LOGINS", RateLimit(count=50, seconds=60))
    monkeypatch.setattr(session, "_REQUESTS", RateLimit(count=900, seconds=60))


def desks_of(office: RuleOffice, **changes: Any) -> Desks:
    office.use(high_amount(**changes))
    return Desks.open(office.world)


def test_one_supervisor_proposes_and_another_confirms(office: RuleOffice) -> None:
    desks = desks_of(office)
    place = "/rules/high/proposals"
    first, again = (desks.post("supervisor01", place, OFF) for _ in range(2))
    proposal = first.get_json()
    assert (first.status_code, again.get_json()["id"]) == (201, proposal["id"])
    assert set(proposal["links"]) == {"withdraw"}
    here = f"/rule-proposals/{proposal['id']}"
    assert code_of(desks.post("supervisor01", f"{here}/confirm", WHY)) == (
        422, "rule-switch-refused",
    )  # fmt: skip
    done, repeated = (desks.post("supervisor02", f"{here}/confirm", WHY) for _ in range(2))
    assert done.get_json() == repeated.get_json()
    assert (done.get_json()["state"], done.get_json()["version"]) == ("retired", 2)
    shown = desks.get("supervisor01", "/rules/high").get_json()
    assert shown["proposals"][0]["ended"]["by"] == "supervisor02"
    (row,) = desks.get("supervisor01", "/rules").get_json()["rules"]
    assert row["state"] == "retired"
    late = desks.post("supervisor01", f"{here}/withdraw", WHY)
    assert code_of(late) == (409, "conflict")


def test_a_name_and_a_username_of_one_person_are_one(office: RuleOffice) -> None:
    desks = desks_of(office)
    person = desks.people["supervisor01"]
    proposal = propose(office.world.services, Change("high", "retired"), person.name, "误报")  # type: ignore[arg-type]
    assert proposal.proposed_by == "supervisor01"
    with pytest.raises(SwitchRefusedError, match="takes two people"):
        confirm(office.world.services, proposal.id, person.name, "同意")
    refused = desks.post("supervisor01", f"/rule-proposals/{proposal.id}/confirm", WHY)
    assert code_of(refused) == (422, "rule-switch-refused")


@pytest.mark.slow
def test_a_rule_goes_live_on_a_trial_run_only(office: RuleOffice) -> None:
    desks = desks_of(office, state="trial")
    office.claim()
    live = {"state": "live", "reason": "试运行通过"}
    proposal = desks.post("supervisor01", "/rules/high/proposals", live).get_json()["id"]
    confirming = f"/rule-proposals/{proposal}/confirm"
    refused = desks.post("supervisor02", confirming, WHY)
    assert code_of(refused) == (422, "rule-switch-refused")
    assert "must have been run over past bills" in refused.get_json()["detail_en"]
    run = desks.post("supervisor01", "/rules/high/trials", {"proposal": proposal, "limit": 10})
    assert (run.status_code, run.get_json()["bills"]) == (201, 1)
    assert desks.post("supervisor02", confirming, WHY).get_json()["state"] == "live"


@pytest.mark.slow
def test_what_is_no_switch_is_refused(office: RuleOffice) -> None:
    desks = desks_of(office)
    bad = (400, "malformed-staff-request")
    for path, body, expected in (
        ("/rules/high/proposals", {"state": "on", "reason": "x"}, bad),
        ("/rules/high/proposals", {"parameters": [], "reason": "x"}, bad),
        ("/rules/high/proposals", OFF | {"valid_from": "soon"}, bad),
        ("/rules/high/proposals", OFF | {"by": "x"}, bad),
        ("/rules/high/proposals", {"state": "live", "reason": "x"}, (422, "rule-switch-refused")),
        ("/rules/high/proposals", OFF | {"reason": ""}, (422, "rule-switch-refused")),
        ("/rules/high/trials", {"limit": 1_001}, bad),
        ("/rules/high/trials", {"limit": 0}, bad),
        ("/rules/high/trials", {"from": "2026-13-01"}, bad),
        ("/rules/high/trials", {"from": "2026-11-03", "to": "2026-11-02"},
         (422, "rule-switch-refused")),
        ("/rules/high/trials", {"proposal": "rpr_none"}, (404, "not-found")),
        ("/rule-proposals/rpr_none/confirm", WHY, (404, "not-found")),
    ):  # fmt: skip
        assert code_of(desks.post("supervisor01", path, body)) == expected, (path, body)
    assert desks.get("supervisor01", "/rules/nope").status_code in (404, 422)
