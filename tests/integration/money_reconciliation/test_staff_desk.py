"""The agency's own money over the staff API: cases, payments, bank files and proofs of accounts.

Refusals first: nobody without a sign-in, nobody of a wrong role or of an institution, no second
half by who did the first, however that was signed, and a key that is sent again does nothing more.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from backend.adapters.database import tables
from backend.domain.journal import AMOUNT_FEN_MAX, EventKind
from backend.domain.two_people import SamePersonError
from backend.entrypoints.cli import payout as payout_commands
from backend.entrypoints.public.rate_limit import RateLimit
from backend.entrypoints.staff import session
from backend.service_layer.claims.acting import NotAtWorkError
from backend.service_layer.claims.case_closing import (
    CaseOutcome,
    confirm_closing,
    propose_closing,
)
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.journal.adjustments import Wanted
from backend.service_layer.journal.adjustments import confirm as confirm_adjustment
from backend.service_layer.journal.adjustments import propose as propose_adjustment
from backend.service_layer.money_reconciliation.cases import open_cases_of
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.money_reconciliation.report import store_report
from backend.service_layer.payout.manual import hold, propose_release, release
from backend.service_layer.payout.statement_withdrawal import confirm_withdrawal
from backend.service_layer.review.staff_register import BadStaffError, NewStaff, add_staff
from tests.funding import POOL_FEN
from tests.integration.claims.world import World
from tests.integration.money_reconciliation.test_cases_and_reports import AGENCY, SIGNER
from tests.integration.money_reconciliation.test_two_people import prepared
from tests.integration.payees.test_proofs import BOOK, FIRST
from tests.integration.payees.test_proofs import Desk as Window
from tests.integration.payout.office import claim_of, files, settled, state, with_rules
from tests.integration.supervision.desks import Desks, code_of

pytestmark = pytest.mark.slow

ROW = Mismatch("R11", "YC20260101D-X", "handed over", "the bank has no such file")
OTHER = Mismatch("R11", "YC20260101D-Y", "handed over", "the bank has no such file")
WHY = {"reason": "已核对"}
CLERK, BOSS, SECOND = "clerk01", "supervisor01", "supervisor02"
DIGEST = hashlib.sha256(BOOK).hexdigest()
SEEN = {"document": DIGEST, "reason": "存折与身份证一致"}
STATEMENT = "/payments/statements/bst_1"
REVERSED = WHY | {
    "kind": "deposit-reversed", "insurance_type": "310", "amount_fen": POOL_FEN,
    "reference": "test-330800-310",
}  # fmt: skip
WATCHED = (
    tables.reconciliation_case_event, tables.payout_hold, tables.bank_reading, tables.payee_proof,
    tables.payee_account, tables.staff_act, tables.journal_adjustment,
    tables.journal_adjustment_answer, tables.bank_statement_withdrawal,
)  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(session, "_LOGINS", RateLimit(count=50, seconds=60))
    return prepared(tmp_path)


def counted(world: World) -> dict[str, int]:
    with world.services.engine.connect() as db:
        return {
            table.name: db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in WATCHED
        }


def case_of(world: World, row: Mismatch = ROW) -> str:
    (standing,) = open_cases_of(world.services, [row])
    return standing.case.id


def of_case(case: str, step: str = "") -> str:
    return f"/reconciliation/cases/{quote(case, safe='')}{step}"


def twice(desks: Desks, who: str, path: str, body: Any, key: str) -> Any:
    """The same request sent again answers the same and changes nothing."""
    first = desks.post(who, path, body, key)
    assert first.status_code == 200, first.get_json()
    before = counted(desks.office.world)
    again = desks.post(who, path, body, key)
    assert (again.status_code, again.get_json()) == (200, first.get_json())
    assert counted(desks.office.world) == before
    assert code_of(desks.post(who, path, {**body, "reason": "别的"}, key)) == (
        409, "idempotency-key-used",
    ) or "reason" not in body  # fmt: skip
    return first.get_json()


def test_who_is_refused_and_what_cannot_be_read(world: World) -> None:
    desks, case = Desks.open(world), case_of(world)
    claim = settled(world, claim_of(world, world.person()))
    of_claim = f"/payments/claims/{claim.number}"
    reads = (
        "/reconciliation", "/reconciliation/cases", of_case(case), "/reconciliation/reports",
        "/payments", of_claim, "/payments/messages", "/payments/messages/bmg_x", "/payee-proofs",
        "/payee-proofs/acc_x", "/adjustments", "/adjustments/1",
        "/payments/statements", "/payments/statements/bst_x",
    )  # fmt: skip
    clerks = (
        (of_case(case, "/notes"), {"text": "查到"}), (of_case(case, "/propose"), WHY),
        (f"{of_claim}/hold", WHY), (f"{of_claim}/release-proposals", WHY),
        ("/payments/messages/bmg_x/acknowledge", WHY), ("/payee-proofs/acc_x/verify", SEEN),
        ("/payee-proofs/acc_x/refuse", SEEN), ("/adjustments", REVERSED),
        ("/adjustments/1/refuse", WHY), (f"{STATEMENT}/withdrawal-proposals", WHY),
        (f"{STATEMENT}/withdrawal-refusals", WHY),
    )  # fmt: skip
    bosses = (
        (of_case(case, "/assign"), {"to": CLERK}), (of_case(case, "/confirm"), WHY),
        (f"{of_claim}/release", WHY), ("/payments/messages/bmg_x/confirm", WHY),
        ("/payments/messages/bmg_x/readings", WHY), ("/payee-proofs/acc_x/confirm", SEEN),
        ("/adjustments/1/confirm", WHY), (f"{STATEMENT}/withdrawal", WHY),
    )  # fmt: skip
    before = counted(world)
    stranger = desks.office.at_desk()
    unsigned = [("GET", path, None) for path in reads]
    for method, path, body in unsigned + [("POST", p, b) for p, b in clerks + bosses]:
        answer = stranger.call(method, f"/staff/v1{path}", body)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert code_of(answer) == (401, "staff-unauthorized"), path
    for who in ("reviewer01", "inspector01", "ofhospital"):
        for path in reads:
            assert code_of(desks.get(who, path)) == (403, "forbidden"), (who, path)
        for path, body in clerks + bosses:
            found = code_of(desks.post(who, path, body, "some-key-1"))
            assert found == (403, "forbidden"), (who, path)
    for path, body in bosses:
        assert code_of(desks.post(CLERK, path, body, "some-key-1")) == (403, "forbidden"), path
    bad = (400, "malformed-staff-request")
    for path, body in clerks:
        assert path.startswith("/payee-proofs") or code_of(desks.post(CLERK, path, body)) == bad
        assert code_of(desks.post(CLERK, path, {**body, "by": "别人"}, "some-key-1")) == bad
        name = "text" if "text" in body else "reason"
        for words in (" ", "x" * 501):
            sent = {**body, name: words}
            assert code_of(desks.post(CLERK, path, sent, "some-key-1")) == bad, path
    for path in (
        "/payments?state=x", "/payments?limit=201", "/payments/messages?limit=101",
        "/reconciliation/cases?limit=0", "/reconciliation/cases?after=x", "/payee-proofs?after=x",
        "/adjustments?limit=201", "/adjustments?after=x", "/payments/statements?limit=101",
    ):  # fmt: skip
        assert code_of(desks.get(CLERK, path)) == bad, path
    assert code_of(desks.get(CLERK, "/payments?after=x")) == (422, "bad-page")
    wrong = {"document": "x", "reason": "看过"}
    assert code_of(desks.post(CLERK, "/payee-proofs/acc_x/verify", wrong, "some-key-1")) == bad
    assert counted(world) == before


def test_what_is_not_there_is_not_found(world: World) -> None:
    desks = Desks.open(world)
    for path in (of_case("money:x"), of_case("alarm:x:y"), "/payments/claims/C1",
                 "/payments/messages/bmg_x", "/payee-proofs/acc_x", "/adjustments/1",
                 "/adjustments/99999999999", STATEMENT):  # fmt: skip
        assert code_of(desks.get(BOSS, path))[0] == 404, path
    for path, body in (
        (of_case("money:x", "/notes"), {"text": "查到"}), (of_case("money:x", "/propose"), WHY),
        (of_case("money:x", "/confirm"), WHY), (of_case("money:x", "/assign"), {"to": CLERK}),
        ("/payments/claims/C1/hold", WHY), ("/payments/claims/C1/release", WHY),
        ("/payments/messages/bmg_x/acknowledge", WHY), ("/payments/messages/bmg_x/confirm", WHY),
        ("/payments/messages/bmg_x/readings", WHY), ("/payee-proofs/acc_x/confirm", SEEN),
        ("/adjustments/1/confirm", WHY), ("/adjustments/1/refuse", WHY),
        (f"{STATEMENT}/withdrawal-proposals", WHY), (f"{STATEMENT}/withdrawal", WHY),
        (f"{STATEMENT}/withdrawal-refusals", WHY),
        ("/adjustments", REVERSED | {"reference": "unknown"}),
    ):  # fmt: skip
        assert code_of(desks.post(BOSS, path, body, "some-key-1"))[0] == 404, path
    case = case_of(world)
    for to in ("nobody", "gone", "ofhospital"):
        found = code_of(desks.post(BOSS, of_case(case, "/assign"), {"to": to}, "some-key-1"))
        assert found == (404, "not-found"), to
    assert code_of(desks.post(CLERK, of_case("bank-file:x", "/propose"), WHY, "some-key-1")) == (
        409, "conflict",
    )  # fmt: skip
    assert sum(counted(world).values()) == 0


def test_a_case_is_closed_by_two_sign_ins(world: World) -> None:
    desks, case = Desks.open(world), case_of(world)
    path = of_case(case)
    assert code_of(desks.post(BOSS, f"{path}/confirm", WHY, "confirm-1")) == (409, "conflict")
    assert code_of(desks.post(CLERK, f"{path}/propose", WHY, "propose-0")) == (
        422, "outcome-missing",
    )  # fmt: skip
    twice(desks, CLERK, f"{path}/notes", {"text": "银行说没有收到"}, "a-note-01")
    twice(desks, BOSS, f"{path}/assign", {"to": CLERK}, "assign-01")
    said = WHY | {"outcome": "accepted"}
    shown = twice(desks, BOSS, f"{path}/propose", said, "propose-1")
    assert sorted(shown["links"]) == ["assign", "notes", "propose"]
    assert code_of(desks.post(BOSS, f"{path}/confirm", WHY, "confirm-1")) == (403, "same-person")
    # The same person under the name that the command line knows.
    name = desks.people[BOSS].name
    for typed in (name, BOSS.upper(), desks.people[BOSS].id):
        with pytest.raises(SamePersonError, match="another person does this"):
            confirm_closing(world.services, case, typed, "同意")
    with pytest.raises(NotAtWorkError, match="the login of gone has ended"):
        confirm_closing(world.services, case, "gone", "同意")
    assert "confirm" in desks.get(SECOND, path).get_json()["links"]
    closed = twice(desks, SECOND, f"{path}/confirm", WHY, "confirm-2")
    assert (closed["resolved_by"], [one["by"] for one in closed["events"]]) == (
        SECOND, [CLERK, BOSS, BOSS, SECOND],
    )  # fmt: skip
    assert code_of(desks.post(SECOND, f"{path}/confirm", WHY, "confirm-3"))[0] == 404


def test_who_typed_a_name_cannot_confirm_it_signed_in(world: World) -> None:
    desks, case = Desks.open(world), case_of(world)
    propose_closing(world.services, case, desks.people[BOSS].name, "有据", CaseOutcome.ACCEPTED)
    path = of_case(case, "/confirm")
    assert code_of(desks.post(BOSS, path, WHY, "confirm-1")) == (403, "same-person")
    assert desks.post(SECOND, path, WHY, "confirm-1").get_json()["resolved_by"] == SECOND


def test_cases_come_in_pages_with_what_is_late_and_the_signed_reports(world: World) -> None:
    desks = Desks.open(world)
    standing = open_cases_of(world.services, [ROW, OTHER])
    seen, after = [], ""
    while after is not None:
        found = f"/reconciliation/cases?limit=1&after={quote(after, safe='')}"
        page = desks.get(CLERK, found).get_json()
        seen += [one["id"] for one in page["cases"]]
        after = page["next"]
    assert sorted(seen) == sorted(one.case.id for one in standing) and len(seen) == 2
    assert desks.get(CLERK, "/reconciliation/cases?overdue=1").get_json()["cases"] == []
    store_report(world.services, SIGNER, standing)
    (report,) = desks.get(CLERK, "/reconciliation/reports").get_json()["reports"]
    assert (report["number"], report["mismatches"], report["account"]) == (1, 2, AGENCY.address)
    world.services.clock.advance(3600)
    figures = desks.get(CLERK, "/reconciliation").get_json()
    assert (figures["last_report"], figures["open_cases"], figures["age_hours"]) == (1, 2, 1.0)


def test_a_payment_is_stopped_proposed_and_released_by_two(world: World) -> None:
    desks, claim = Desks.open(world), settled(world, claim_of(world, world.person()))
    here = f"/payments/claims/{claim.number}"
    for step in ("release-proposals", "release"):
        assert code_of(desks.post(BOSS, f"{here}/{step}", WHY, "some-key-1")) == (409, "conflict")
    twice(desks, CLERK, f"{here}/hold", WHY, "hold-0001")
    assert code_of(desks.post(BOSS, f"{here}/hold", WHY, "hold-0002")) == (409, "conflict")
    world.run()
    assert state(world, claim) == ("paying", "payout-stopped")
    listed = {
        name: [one["claim_number"] for one in desks.get(
            CLERK, f"/payments?state={name}").get_json()["payments"]]
        for name in ("waiting", "held", "failed")
    }  # fmt: skip
    assert listed == {"waiting": [], "held": [claim.number], "failed": []}
    # Who stopped it has not said that it may go on.
    assert code_of(desks.post(BOSS, f"{here}/release", WHY, "release-1")) == (409, "conflict")
    shown = twice(desks, BOSS, f"{here}/release-proposals", WHY, "propose-1")
    assert sorted(shown["links"]) == ["release-proposals"]
    assert code_of(desks.post(BOSS, f"{here}/release", WHY, "release-1")) == (403, "same-person")
    twice(desks, SECOND, f"{here}/release", WHY, "release-2")
    world.run()
    with_rules(world, every_seconds=1)
    world.run()
    assert state(world, claim) == ("paid", None)
    tried = desks.get(CLERK, here).get_json()
    assert [(one["action"], one["by"]) for one in tried["holds"]] == [
        ("hold", CLERK), ("hold", BOSS), ("release", SECOND),
    ]  # fmt: skip
    assert [one["status"] for one in tried["payables"][0]["attempts"]] == ["paid"]


def test_a_machine_is_none_of_two_people(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = settled(world, claim_of(world, world.person()))
    monkeypatch.setattr(payout_commands, "build_services", lambda: world.services)
    for name in ("worker", "Worker ", "ＷＯＲＫＥＲ", "reconcile", "system:recovery"):
        words = ["hold", claim.number, "--by", name, "--reason", "核对"]
        refused = CliRunner().invoke(payout_commands.command, words)
        assert "is a name of the program itself" in str(refused.exception), name
    for login, name in (("worker", "王某"), ("wang01", "系统")):
        with pytest.raises(BadStaffError, match="name of the program itself"):
            add_staff(world.services, NewStaff(login, name, "clerk"), "x")
    assert counted(world)["payout_hold"] == 0
    # What stands in the books under such a name already.
    with world.services.engine.begin() as db:
        stopped = {"claim_id": claim.id, "ordinal": 1, "action": "hold", "by": "worker"}
        now = world.services.clock.now()
        db.execute(tables.payout_hold.insert(), stopped | {"reason": "x", "at": now})
    with pytest.raises(SamePersonError, match="the program's own, which is nobody"):
        release(world.services, claim.number, "出纳甲", "已核对")
    propose_release(world.services, claim.number, "出纳甲", "已核对")
    with pytest.raises(SamePersonError, match="another person does this"):
        release(world.services, claim.number, "出纳甲", "已核对")
    release(world.services, claim.number, "会计乙", "已核对")


def test_somebody_who_left_acts_by_no_name(world: World) -> None:
    desks, claim = Desks.open(world), settled(world, claim_of(world, world.person()))
    for typed in ("gone", "GONE", desks.people["gone"].name, desks.people["gone"].id):
        with pytest.raises(NotAtWorkError, match="has ended: nobody acts by it"):
            hold(world.services, claim.number, typed, "核对")
    desks.office.staff("同名", username="same01", role="clerk")
    desks.office.staff("同名", username="same02", role="clerk")
    with pytest.raises(NotAtWorkError, match="give the username"):
        hold(world.services, claim.number, "同名", "核对")
    hold(world.services, claim.number, "same02", "核对")
    with pytest.raises(SamePersonError, match="another person does this"):
        release(world.services, claim.number, "same02", "已核对")


def test_a_bank_file_is_dealt_with_by_two_and_read_by_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payout_commands, "build_services", lambda: world.services)
    with_rules(world, every_seconds=None)
    desks, _ = Desks.open(world), claim_of(world, world.person())
    world.run()
    world.bank.is_slow = True
    CliRunner().invoke(payout_commands.command, ["run"])
    report = world.bank.report_on(files(world)[0], original_item_count=7)
    world.bank.leave(report, "wrong.xml")
    advance_claims(world.services)
    found = desks.get(CLERK, "/payments/messages")
    (listed,) = found.get_json()["messages"]
    here = f"/payments/messages/{listed['id']}"
    one = desks.get(CLERK, here)
    assert "speaks of 7 items" in one.get_json()["difference"]
    for answer in (found, one):
        assert report.message_id in answer.get_data(as_text=True)  # named, but no content
        assert "TEST-" not in answer.get_data(as_text=True)
    assert code_of(desks.post(SECOND, f"{here}/confirm", WHY, "confirm-1")) == (409, "conflict")
    twice(desks, BOSS, f"{here}/acknowledge", WHY, "noted-001")
    assert code_of(desks.post(BOSS, f"{here}/confirm", WHY, "confirm-1")) == (403, "same-person")
    done = twice(desks, SECOND, f"{here}/confirm", WHY, "confirm-2")
    assert done["is_dealt_with"] and [step["by"] for step in done["steps"]] == [BOSS, SECOND]
    assert code_of(desks.post(BOSS, f"{here}/readings", {"reason": " "})) == (
        400, "malformed-staff-request",
    )  # fmt: skip
    assert done["readings"] == [] == desks.get(CLERK, here).get_json()["readings"]
    content = desks.post(BOSS, f"{here}/readings", {"reason": "核对账号"})
    assert content.status_code == 200 and content.headers["Cache-Control"] == "no-store"
    assert content.headers["Content-Disposition"].startswith("attachment")
    (reading,) = desks.get(CLERK, here).get_json()["readings"]
    assert (reading["by"], reading["reason"]) == (BOSS, "核对账号")


def test_a_proof_is_seen_by_two_sign_ins_on_one_copy(world: World, tmp_path: Path) -> None:
    desks, window = Desks.open(world), Window(world, tmp_path)
    window.name(FIRST, "one")
    (listed,) = desks.get(CLERK, "/payee-proofs").get_json()["accounts"]
    assert FIRST not in str(listed) and listed["account_tail"] == FIRST[-4:]
    here = f"/payee-proofs/{listed['id']}"
    assert code_of(desks.post(BOSS, f"{here}/confirm", SEEN, "confirm-1")) == (409, "conflict")
    shown = twice(desks, BOSS, f"{here}/verify", SEEN, "verify-01")
    assert sorted(shown["links"]) == ["refuse", "verify"]
    assert code_of(desks.post(BOSS, f"{here}/confirm", SEEN, "confirm-1")) == (403, "same-person")
    copy = SEEN | {"document": hashlib.sha256(b"another copy").hexdigest()}
    assert code_of(desks.post(SECOND, f"{here}/confirm", copy, "confirm-1")) == (409, "conflict")
    assert window.standing() == "account-unproven"
    proved = twice(desks, SECOND, f"{here}/confirm", SEEN, "confirm-2")
    assert window.standing() == FIRST[-4:] and proved["links"] == {}
    assert [(step["action"], step["by"]) for step in proved["steps"]] == [
        ("proposed", BOSS), ("confirmed", SECOND),
    ]  # fmt: skip
    assert desks.get(CLERK, "/payee-proofs").get_json() == {"accounts": [], "next": None}
    assert code_of(desks.post(CLERK, f"{here}/refuse", SEEN, "refuse-01")) == (409, "conflict")


def test_a_refused_proof_is_over(world: World, tmp_path: Path) -> None:
    desks, window = Desks.open(world), Window(world, tmp_path)
    window.name(FIRST, "one")
    (listed,) = desks.get(CLERK, "/payee-proofs").get_json()["accounts"]
    here = f"/payee-proofs/{listed['id']}"
    refused = twice(desks, CLERK, f"{here}/refuse", SEEN, "refuse-01")
    assert (refused["steps"][0]["action"], refused["links"]) == ("refused", {})
    assert code_of(desks.post(BOSS, f"{here}/verify", SEEN, "verify-01")) == (409, "conflict")
    assert window.standing() == "account-unproven"


def balance_of_bank(world: World) -> int:
    with world.services.work(write=False) as work:
        return int(work.journal.balance("bank:330800"))


def test_a_correcting_entry_is_booked_by_two_sign_ins(world: World) -> None:
    desks, before = Desks.open(world), balance_of_bank(world)
    shown = twice(desks, BOSS, "/adjustments", REVERSED, "propose-1")
    assert (shown["number"], shown["answer"], sorted(shown["links"])) == (1, None, ["refuse"])
    here = "/adjustments/1"
    assert code_of(desks.post(SECOND, "/adjustments", REVERSED, "propose-2")) == (409, "conflict")
    assert code_of(desks.post(BOSS, f"{here}/confirm", WHY, "confirm-1")) == (403, "same-person")
    # The same person under the name that the command line knows.
    for typed in (desks.people[BOSS].name, BOSS.upper(), desks.people[BOSS].id):
        with pytest.raises(SamePersonError, match="another person does this"):
            confirm_adjustment(world.services, 1, by=typed, reason="同意")
    for typed, words in (("gone", "the login of gone has ended"), ("worker", "the program itself")):
        with pytest.raises(NotAtWorkError, match=words):
            confirm_adjustment(world.services, 1, by=typed, reason="同意")
    assert balance_of_bank(world) == before
    assert sorted(desks.get(SECOND, here).get_json()["links"]) == ["confirm", "refuse"]
    booked = twice(desks, SECOND, f"{here}/confirm", WHY, "confirm-2")
    assert (booked["proposed_by"], booked["answer"]["by"], booked["links"]) == (BOSS, SECOND, {})
    assert balance_of_bank(world) == before - POOL_FEN
    for step in ("confirm", "refuse"):
        assert code_of(desks.post(SECOND, f"{here}/{step}", WHY, "again-001")) == (409, "conflict")
    # The request that proposed it, sent once more, is that one still.
    again = desks.post(BOSS, "/adjustments", REVERSED, "propose-1")
    assert (again.status_code, again.get_json()) == (200, booked)
    assert code_of(desks.post(BOSS, "/adjustments", REVERSED, "propose-3"))[0] == 409


def test_who_typed_a_correction_cannot_confirm_it_signed_in(world: World) -> None:
    desks = Desks.open(world)
    wanted = Wanted(EventKind.DEPOSIT_REVERSED, "330800", "310", POOL_FEN, "test-330800-310")
    made = propose_adjustment(world.services, wanted, by=desks.people[BOSS].name, reason="重复")
    assert made.proposed_by == BOSS
    path = "/adjustments/1/confirm"
    assert code_of(desks.post(BOSS, path, WHY, "confirm-1")) == (403, "same-person")
    assert desks.post(SECOND, path, WHY, "confirm-1").get_json()["answer"]["by"] == SECOND


def test_corrections_that_cannot_be_are_refused_and_come_in_pages(world: World) -> None:
    desks, bad = Desks.open(world), (400, "malformed-staff-request")
    for change in (
        {"kind": "funded"}, {"kind": None}, {"insurance_type": "311"}, {"amount_fen": 0},
        {"amount_fen": "1"}, {"amount_fen": AMOUNT_FEN_MAX + 1}, {"region": "33080"},
        {"region": "33080012"}, {"reference": "x" * 81}, {"side": "both"}, {"layer": "other"},
        {"suspense": 0}, {"suspense": 2**31}, {"corrects": "jrn_1"},
    ):  # fmt: skip
        sent = REVERSED | change
        assert code_of(desks.post(CLERK, "/adjustments", sent, "some-key-1")) == bad, change
    for change, told in (
        ({"amount_fen": 1}, (422, "bad-journal-entry")),
        ({"insurance_type": "390"}, (422, "bad-journal-entry")),
        ({"kind": "bank-charge", "reference": "FEE-1"}, (404, "not-found")),
        ({"kind": "suspense-cleared", "suspense": 7, "layer": "pool"}, (404, "not-found")),
    ):
        sent = REVERSED | change
        assert code_of(desks.post(CLERK, "/adjustments", sent, "some-key-1")) == told, change
    assert sum(counted(world).values()) == 0
    twice(desks, CLERK, "/adjustments", REVERSED, "propose-1")
    ended = twice(desks, CLERK, "/adjustments/1/refuse", WHY, "refuse-01")
    assert ended["answer"]["action"] == "refused" and ended["links"] == {}
    desks.post(CLERK, "/adjustments", REVERSED, "propose-2")
    page = desks.get(CLERK, "/adjustments?limit=1").get_json()
    assert ([one["number"] for one in page["adjustments"]], page["next"]) == ([1], 1)
    rest = desks.get(CLERK, "/adjustments?limit=1&after=1").get_json()
    assert ([one["number"] for one in rest["adjustments"]], rest["next"]) == ([2], None)
    waits = desks.get(CLERK, "/adjustments?open=1").get_json()["adjustments"]
    assert [one["number"] for one in waits] == [2]


def test_a_wrong_statement_is_withdrawn_by_two_sign_ins(world: World) -> None:
    from tests.integration.money_reconciliation.test_statement_withdrawal import filed_by_hand

    desks = Desks.open(world)
    filed_by_hand(world)
    (listed,) = desks.get(CLERK, "/payments/statements").get_json()["statements"]
    assert (listed["id"], listed["filing"], listed["is_withdrawn"]) == ("bst_1", 1, False)
    assert sorted(listed["links"]) == ["withdrawal-proposals"]
    for step in ("withdrawal", "withdrawal-refusals"):
        assert code_of(desks.post(BOSS, f"{STATEMENT}/{step}", WHY, "step-0001")) == (
            409, "conflict",
        )  # fmt: skip
    twice(desks, CLERK, f"{STATEMENT}/withdrawal-proposals", WHY, "propose-1")
    refused = twice(desks, CLERK, f"{STATEMENT}/withdrawal-refusals", WHY, "refuse-01")
    assert [step["action"] for step in refused["steps"]] == ["proposed", "refused"]
    shown = twice(desks, BOSS, f"{STATEMENT}/withdrawal-proposals", WHY, "propose-2")
    assert sorted(shown["links"]) == ["withdrawal-proposals", "withdrawal-refusals"]
    path = f"{STATEMENT}/withdrawal"
    assert code_of(desks.post(BOSS, path, WHY, "withdraw1")) == (403, "same-person")
    with pytest.raises(SamePersonError, match="another person does this"):
        confirm_withdrawal(world.services, "bst_1", desks.people[BOSS].name, "同意")
    assert "withdrawal" in desks.get(SECOND, STATEMENT).get_json()["links"]
    done = twice(desks, SECOND, path, WHY, "withdraw2")
    assert (done["is_withdrawn"], done["links"]) == (True, {})
    assert [step["by"] for step in done["steps"]] == [CLERK, CLERK, BOSS, SECOND]
    assert code_of(desks.post(BOSS, path, WHY, "withdraw3")) == (409, "conflict")
    (listed,) = desks.get(CLERK, "/payments/statements").get_json()["statements"]
    assert listed["is_withdrawn"]
