"""Two people of the money's desks at one instant, on PostgreSQL: one act, and no way around two.

Whoever acts is made to wait for the row that the act takes, so that both are past what they read
before it, and then let go on together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.service_layer.money_reconciliation.cases import open_cases_of
from backend.service_layer.money_reconciliation.records import Mismatch
from tests.funding import POOL_FEN
from tests.integration.claims.world import World
from tests.integration.money_reconciliation.standing_server import at_one_instant
from tests.integration.money_reconciliation.test_statement_withdrawal import filed_by_hand
from tests.integration.payees.test_proofs import BOOK, FIRST
from tests.integration.payees.test_proofs import Desk as Window
from tests.integration.payout.office import alarms, claim_of, rows, settled
from tests.integration.supervision.desks import Desks, code_of

pytestmark = pytest.mark.slow

WHY = {"reason": "已核对"}
CLERK, BOSS, SECOND = "clerk01", "supervisor01", "supervisor02"
ROW = Mismatch("R11", "YC20260101D-X", "handed over", "the bank has no such file")
SEEN = {"document": hashlib.sha256(BOOK).hexdigest(), "reason": "存折与身份证一致"}
KEYS = ("confirm-a", "confirm-b")
CLAIM_ROW = "SELECT id FROM claim FOR UPDATE"
MONTHS = "SELECT pg_advisory_xact_lock(hashtextextended('yichu-journal|330800', 0))"
CASE_ROW = "SELECT id FROM reconciliation_case FOR UPDATE"


@pytest.fixture
def world(world_on_postgresql: World) -> World:
    return world_on_postgresql


@pytest.fixture
def desks(world: World) -> Desks:
    return Desks.open(world)


def posts(desks: Desks, who: str, path: str, body: Any, key: str) -> Callable[[], Any]:
    """A request of somebody with a client of its own, as it is sent from a thread."""
    token = desks.desks[who].token
    client = desks.desks[who].client.application.test_client()
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}

    def send() -> Any:
        return client.post(
            f"/staff/v1{path}", json=body, headers=headers, base_url="https://localhost"
        )

    return send


def statuses(answers: list[Any]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def stopped(world: World, desks: Desks, *, proposed: bool) -> str:
    """The path of a claim whose payments a clerk has stopped."""
    claim = settled(world, claim_of(world, world.person()))
    here = f"/payments/claims/{claim.number}"
    assert desks.post(CLERK, f"{here}/hold", WHY, "hold-0001").status_code == 200
    if proposed:
        assert desks.post(CLERK, f"{here}/release-proposals", WHY, "prop-0001").status_code == 200
    return here


def steps(world: World) -> list[tuple[str, str]]:
    found = sorted(rows(world, tables.payout_hold), key=lambda row: row.ordinal)
    return [(row.action, row.by) for row in found]


def test_a_stop_of_this_very_moment_is_not_released_by_an_older_proposal(
    world: World, desks: Desks
) -> None:
    """Somebody releases it and somebody stops it again while a third one confirms."""
    here = stopped(world, desks, proposed=True)
    meanwhile = (
        "INSERT INTO payout_hold SELECT id, 3, 'release', 'other01', 'x', now() FROM claim;"
        "INSERT INTO payout_hold SELECT id, 4, 'hold', 'other02', 'new doubt', now() FROM claim"
    )
    (answer,) = at_one_instant(
        world.services.engine, CLAIM_ROW, posts(desks, BOSS, f"{here}/release", WHY, "release-1"),
        then=meanwhile,
    )  # fmt: skip
    assert code_of(answer) == (409, "conflict")
    assert "nobody has proposed" in answer.get_json()["detail_en"]
    assert steps(world)[-1] == ("hold", "other02")


def test_two_who_release_at_once_release_once(world: World, desks: Desks) -> None:
    here = stopped(world, desks, proposed=True)
    answers = at_one_instant(
        world.services.engine, CLAIM_ROW,
        posts(desks, BOSS, f"{here}/release", WHY, "release-1"),
        posts(desks, SECOND, f"{here}/release", WHY, "release-2"),
    )  # fmt: skip
    assert statuses(answers) == [200, 409]
    assert [action for action, _ in steps(world)] == ["hold", "hold", "release"]
    assert len(rows(world, tables.staff_act)) == 3


def test_who_proposes_and_releases_at_once_is_one_person(world: World, desks: Desks) -> None:
    here = stopped(world, desks, proposed=False)
    answers = at_one_instant(
        world.services.engine, CLAIM_ROW,
        posts(desks, BOSS, f"{here}/release-proposals", WHY, "propose-1"),
        posts(desks, BOSS, f"{here}/release", WHY, "release-1"),
    )  # fmt: skip
    # The release finds no proposal, or its own.
    assert statuses(answers) in ([200, 403], [200, 409])
    assert steps(world) == [("hold", CLERK), ("hold", BOSS)]


def test_one_key_at_one_instant_is_one_act_and_both_are_told_so(world: World, desks: Desks) -> None:
    here = stopped(world, desks, proposed=True)
    release = posts(desks, BOSS, f"{here}/release", WHY, "release-1")
    again = posts(desks, BOSS, f"{here}/release", WHY, "release-1")
    answers = at_one_instant(world.services.engine, CLAIM_ROW, release, again)
    assert statuses(answers) == [200, 200]
    assert answers[0].get_json() == answers[1].get_json()
    assert [action for action, _ in steps(world)] == ["hold", "hold", "release"]
    # The same key for something else at the same instant: one of both is done.
    for name in ("hold", "release-proposals"):
        desks.post(CLERK, f"{here}/{name}", WHY, f"again-{name}")
    answers = at_one_instant(
        world.services.engine, CLAIM_ROW,
        posts(desks, SECOND, f"{here}/release", WHY, "release-2"),
        posts(desks, SECOND, f"{here}/release", {"reason": "别的"}, "release-2"),
    )  # fmt: skip
    assert statuses(answers) == [200, 409]
    assert {answer.get_json().get("code") for answer in answers} == {None, "idempotency-key-used"}


def of_case(case: str, step: str) -> str:
    return f"/reconciliation/cases/{quote(case, safe='')}/{step}"


def case_with_proposal(world: World, desks: Desks) -> str:
    (standing,) = open_cases_of(world.services, [ROW])
    said = WHY | {"outcome": "accepted"}
    path = of_case(standing.case.id, "propose")
    assert desks.post(CLERK, path, said, "propose-0").status_code == 200
    return standing.case.id


def told(world: World) -> list[tuple[str, str]]:
    found = sorted(rows(world, tables.reconciliation_case_event), key=lambda row: row.ordinal)
    return [(row.kind, row.by) for row in found]


def test_two_who_close_a_case_at_once_close_it_once(world: World, desks: Desks) -> None:
    case = case_with_proposal(world, desks)
    first, other = (
        posts(desks, who, of_case(case, "confirm"), WHY, f"confirm-{who}") for who in (BOSS, SECOND)
    )
    answers = at_one_instant(world.services.engine, CASE_ROW, first, other)
    assert sorted(str(code_of(one)[1]) for one in answers if one.status_code != 200) == [
        "no-such-case"
    ]
    assert [kind for kind, _ in told(world)] == ["proposed", "confirmed"]


def test_a_case_is_closed_once_under_one_key_and_never_by_who_proposes_now(
    world: World, desks: Desks
) -> None:
    case = case_with_proposal(world, desks)
    said = WHY | {"outcome": "accepted"}
    answers = at_one_instant(
        world.services.engine, CASE_ROW,
        posts(desks, BOSS, of_case(case, "propose"), said, "propose-1"),
        posts(desks, BOSS, of_case(case, "confirm"), WHY, "confirm-1"),
    )  # fmt: skip
    assert 500 not in statuses(answers) and 200 in statuses(answers)
    if ("confirmed", BOSS) in told(world):  # before the proposal: the clerk's is answered
        assert told(world) == [("proposed", CLERK), ("confirmed", BOSS)]
        return
    assert told(world) == [("proposed", CLERK), ("proposed", BOSS)]
    one, same = (posts(desks, SECOND, of_case(case, "confirm"), WHY, "confirm-2") for _ in "ab")
    answers = at_one_instant(world.services.engine, CASE_ROW, one, same)
    assert statuses(answers) == [200, 200]
    assert told(world)[-1] == ("confirmed", SECOND) and len(told(world)) == 3


def test_two_who_find_an_alarm_at_once_open_one_case(world: World, desks: Desks) -> None:
    with world.services.work() as work:
        work.alarms.raise_alarm("final-reorganisation", "31337", "a block")
        work.commit()
    case = "alarm:final-reorganisation:31337"
    answers = at_one_instant(
        world.services.engine, "SELECT id FROM alarm FOR UPDATE",
        *(posts(desks, who, of_case(case, "propose"), WHY, "propose-1") for who in (CLERK, BOSS)),
    )  # fmt: skip
    assert statuses(answers) == [200, 200]
    assert len(rows(world, tables.reconciliation_case)) == 1
    assert sorted(told(world)) == [("proposed", CLERK), ("proposed", BOSS)]
    answers = at_one_instant(
        world.services.engine, CASE_ROW,
        *(posts(desks, SECOND, of_case(case, "confirm"), WHY, key) for key in KEYS),
    )  # fmt: skip
    assert statuses(answers) == [200, 404] and "final-reorganisation" not in alarms(world)


def refused_file(world: World) -> str:
    world.bank.inbox["odd.xml"] = world.bank.left["odd.xml"] = b"no report at all"
    world.run()
    ((message_id,),) = [(row.id,) for row in rows(world, tables.bank_message)]
    return f"/payments/messages/{message_id}"


def test_a_bank_file_is_noted_by_two_at_once_and_closed_once(world: World, desks: Desks) -> None:
    here = refused_file(world)
    taken = "SELECT id FROM reconciliation_case"
    notes = [posts(desks, who, f"{here}/acknowledge", WHY, "noted-001") for who in (CLERK, BOSS)]
    held = (
        "INSERT INTO reconciliation_case (id, kind, detail, found_at) "
        "SELECT 'bank-file:' || id, 'bank-file', '{}', now() FROM bank_message"
    )
    answers = at_one_instant(world.services.engine, held, *notes)
    assert statuses(answers) == [200, 200]
    with world.services.engine.connect() as db:
        assert len(db.execute(sa.text(taken)).all()) == 1
    assert sorted(one for one in told(world) if one[0] == "proposed") == [
        ("proposed", CLERK), ("proposed", BOSS),
    ]  # fmt: skip
    before = told(world)
    answers = at_one_instant(
        world.services.engine, CASE_ROW,
        *(posts(desks, SECOND, f"{here}/confirm", WHY, key) for key in KEYS),
        posts(desks, CLERK, f"{here}/acknowledge", WHY, "noted-002"),
    )  # fmt: skip
    assert 500 not in statuses(answers) and statuses(answers).count(409) >= 1
    closed = told(world)[len(before) :]
    assert [kind for kind, _ in closed if kind == "confirmed"] == ["confirmed"]
    assert "bank-file-refused" not in alarms(world)


def test_a_proof_is_confirmed_once_and_never_by_who_sees_it_now(
    world: World, desks: Desks, tmp_path: Path
) -> None:
    Window(world, tmp_path).name(FIRST, "one")
    (listed,) = desks.get(CLERK, "/payee-proofs").get_json()["accounts"]
    here = f"/payee-proofs/{listed['id']}"
    person = "SELECT id FROM person FOR UPDATE"
    answers = at_one_instant(
        world.services.engine, person,
        posts(desks, BOSS, f"{here}/verify", SEEN, "verify-01"),
        posts(desks, BOSS, f"{here}/confirm", SEEN, "confirm-1"),
    )  # fmt: skip
    assert statuses(answers) in ([200, 403], [200, 409])
    answers = at_one_instant(
        world.services.engine, person,
        *(posts(desks, SECOND, f"{here}/confirm", SEEN, key) for key in KEYS),
    )  # fmt: skip
    assert statuses(answers) == [200, 409]
    proofs = sorted(rows(world, tables.payee_proof), key=lambda row: row.ordinal)
    assert [(row.action, row.by) for row in proofs] == [("proposed", BOSS), ("confirmed", SECOND)]
    assert len(rows(world, tables.payee_account)) == 2


def test_a_correcting_entry_is_proposed_once_and_booked_once(world: World, desks: Desks) -> None:
    """A deposit of the sample funds is reversed."""
    wanted = WHY | {
        "kind": "deposit-reversed", "insurance_type": "310", "amount_fen": POOL_FEN,
        "reference": "test-330800-310",
    }  # fmt: skip
    before = len(rows(world, tables.journal_entry))
    send = [posts(desks, BOSS, "/adjustments", wanted, "propose-1") for _ in range(2)]
    answers = at_one_instant(world.services.engine, MONTHS, *send)
    assert statuses(answers) == [200, 200]
    assert [answer.get_json()["number"] for answer in answers] == [1, 1]
    assert len(rows(world, tables.journal_adjustment)) == 1
    answers = at_one_instant(
        world.services.engine, MONTHS,
        *(posts(desks, SECOND, "/adjustments/1/confirm", WHY, key) for key in KEYS),
        posts(desks, BOSS, "/adjustments/1/confirm", WHY, "confirm-0"),
        posts(desks, CLERK, "/adjustments/1/refuse", WHY, "refuse-01"),
    )  # fmt: skip
    # Who proposed is refused as such, or finds that it is over.
    assert statuses(answers) in ([200, 409, 409, 409], [200, 403, 409, 409])
    (ended,) = rows(world, tables.journal_adjustment_answer)
    is_booked = ended.action == "confirmed"
    assert len(rows(world, tables.journal_entry)) == before + is_booked


def test_a_statement_is_withdrawn_once_and_never_by_who_proposes_now(
    world: World, desks: Desks
) -> None:
    filed_by_hand(world)
    here = "/payments/statements/bst_1"
    assert desks.post(BOSS, f"{here}/withdrawal-proposals", WHY, "propose-1").status_code == 200
    answers = at_one_instant(
        world.services.engine, MONTHS,
        *(posts(desks, who, f"{here}/withdrawal", WHY, key)
          for who, key in ((BOSS, KEYS[0]), (SECOND, KEYS[0]), (SECOND, KEYS[1]))),
    )  # fmt: skip
    assert statuses(answers) in ([200, 403, 409], [200, 409, 409])
    steps = rows(world, tables.bank_statement_withdrawal)
    assert sorted((row.action, row.by) for row in steps) == [
        ("confirmed", SECOND), ("proposed", BOSS),
    ]  # fmt: skip
