"""An insurer's programmer with docs/second-payers.md alone: each refusal says what to do next."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from backend.entrypoints.api.payer_authentication import CALLS_A_MINUTE
from backend.service_layer.recovery.run import recovery_pass
from backend.service_layer.second_payers.consent import revoke_consent
from tests.integration.recovery.debts import orders
from tests.integration.second_payers.desk import (
    INSURER,
    KEYS,
    LEFT_FEN,
    OTHER,
    RULING,
    Desk,
    code_of,
)

pytestmark = pytest.mark.slow

#: Words of which a refusal has one in each language: what the programmer does now.
TO_DO_ZH = ("请", "等", "不用")
TO_DO_EN = ("try again", "go on with", "lodge", "wait", "ask the person", "do not pay", "once")


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("payer"))


@pytest.fixture
def desk(shared_desk: Desk) -> Desk:
    return shared_desk.fresh()


@pytest.fixture
def own_desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def held(desk: Desk) -> tuple[str, str]:
    """A bill that was settled at the counter, and the insurer's lock on it."""
    bill = desk.settled_bill()
    desk.consent(bill)
    return bill, desk.lodged(bill)


def refused(answer: Any, code: str) -> str:
    """The English words of a 409 of that code, which say what to do."""
    assert code_of(answer) == (409, code)
    body = answer.get_json()
    assert any(word in body["detail"] for word in TO_DO_ZH), body["detail"]
    assert any(word in body["detail_en"] for word in TO_DO_EN), body["detail_en"]
    return str(body["detail_en"])


def test_each_refusal_says_what_to_do(desk: Desk) -> None:
    unfinished = desk.bill()
    desk.consent(unfinished)
    refused(desk.post(f"/bills/{unfinished}/lodge"), "payer-basic-first")
    bill, claim = held(desk)
    assert claim in refused(desk.post(f"/bills/{bill}/lodge"), "payer-claim-open")
    desk.post(f"/claims/{claim}/settle", {"amount_fen": 1} | RULING)  # not mined yet
    words = refused(desk.post(f"/claims/{claim}/renew"), "payer-wrong-state")
    assert "settling" in words and "wait for the ledger" in words
    desk.go()
    for call, body in (("settle", {"amount_fen": 1} | RULING), ("renew", {}),
                       ("release", {"reason": "given-up"})):  # fmt: skip
        words = refused(desk.post(f"/claims/{claim}/{call}", body), "payer-wrong-state")
        assert "settled" in words and "lodge again" in words
    assert claim in refused(desk.post(f"/bills/{bill}/lodge"), "payer-settled-before")


def test_a_settlement_of_nothing_is_one_and_leaves_the_rest_to_others(desk: Desk) -> None:
    bill, claim = held(desk)
    left = desk.left_fen(bill)
    desk.settle(claim, 0)
    found = desk.state(claim)
    assert (found["state"], found["settled_fen"], found["is_over"]) == ("settled", 0, True)
    assert desk.left_fen(bill) == left
    desk.consent(bill, payer=OTHER)
    other = desk.lodged(bill, OTHER)
    desk.settle(other, left, OTHER)
    assert desk.state(other, OTHER)["settled_fen"] == left
    refused(desk.post(f"/bills/{bill}/lodge"), "payer-settled-before")


def test_a_consent_that_runs_out_while_the_lodge_is_on_its_way_settles_nothing(
    desk: Desk,
) -> None:
    bill = desk.settled_bill()
    desk.consent(bill, days="30")
    claim = desk.post(f"/bills/{bill}/lodge").get_json()["id"]
    desk.pass_time(dt.timedelta(days=30, seconds=1))
    assert desk.state(claim)["state"] == "lodging"
    desk.world.mine()
    body = {"amount_fen": 1} | RULING
    words = refused(desk.post(f"/claims/{claim}/settle", body), "payer-consent-ended")
    assert "ask the person for another consent" in words
    refused(desk.post(f"/claims/{claim}/renew"), "payer-consent-ended")
    desk.go()
    desk.go()
    found = desk.state(claim)
    assert found["is_over"] and found["settled_fen"] is None
    assert desk.slot(bill).open_payer == 0
    desk.consent(bill)  # the person opens it again: the insurer begins anew
    assert desk.state(desk.lodged(bill))["state"] == "lodged"


def test_a_consent_taken_back_between_lodge_and_settle_settles_nothing(desk: Desk) -> None:
    bill, claim = held(desk)
    before = desk.left_fen(bill)
    with desk.services.work(write=False) as work:
        open_now = work.second_payers.live_consents(INSURER, desk.services.clock.now(), "", 200)
    (consent,) = [one for one in open_now if one.invoice_id == bill]
    revoke_consent(desk.services, desk.person.id, consent.id)
    body = {"amount_fen": 1} | RULING
    refused(desk.post(f"/claims/{claim}/settle", body), "payer-consent-ended")
    desk.go()
    desk.go()
    assert desk.state(claim)["state"] == "released"
    assert (desk.left_fen(bill), desk.slot(bill).open_payer) == (before, 0)


def test_of_a_bill_that_is_withdrawn_the_insurer_learns_whatever_it_has_done(
    own_desk: Desk,
) -> None:
    """Under its lock, which it then holds no more; and settled, though the consent has ended."""
    desk = own_desk
    (locked, under_lock), (void, settled), (red, settled_too) = (held(desk) for _ in range(3))
    for claim in (settled, settled_too):
        desk.settle(claim, 10_000)
    assert desk.state(under_lock)["bill_state"] == "active"
    for bill, state in ((locked, "void"), (void, "void"), (red, "reversed")):
        desk.world.sql("UPDATE invoice SET state = :state WHERE id = :id", state=state, id=bill)
    desk.go()
    desk.go()
    found = desk.state(under_lock)
    assert (found["bill_state"], found["state"]) == ("void", "released")
    body = {"amount_fen": 1} | RULING
    refused(desk.post(f"/claims/{under_lock}/settle", body), "payer-wrong-state")
    assert code_of(desk.post(f"/bills/{locked}/lodge")) == (409, "payer-bill-stopped")
    desk.pass_time(dt.timedelta(days=31))
    listed = {row["id"]: row for row in desk.get("/claims?limit=200").get_json()["claims"]}
    for claim, bill, state in ((settled, void, "void"), (settled_too, red, "reversed")):
        assert (listed[claim]["settled_fen"], listed[claim]["bill_state"]) == (10_000, state)
        assert desk.state(claim)["bill_state"] == state
        assert code_of(desk.get(f"/bills/{bill}"))[0] == 404  # of the bill itself nothing more


def test_of_a_bill_that_basic_insurance_paid_only_our_part_is_asked_back_when_it_is_void(
    own_desk: Desk,
) -> None:
    desk = own_desk
    bill = desk.paid_bill()
    desk.consent(bill)
    claim = desk.lodged(bill)
    desk.settle(claim, LEFT_FEN)
    with desk.services.work() as work:
        work.invoices.set_state(bill, "void")
        work.commit()
    recovery_pass(desk.services)
    with desk.services.work(write=False) as work:
        ours = work.claims.live_on(bill) or work.claims.latest_on(bill)
    assert ours is not None
    (order,) = orders(desk.world, ours)
    assert order.order.amount_fen == 162_000
    assert desk.state(claim)["bill_state"] == "void"


def test_a_revoked_key_does_nothing_more_and_what_it_asked_for_goes_on(own_desk: Desk) -> None:
    desk = own_desk
    bill = desk.settled_bill()
    desk.consent(bill)
    claim = desk.post(f"/bills/{bill}/lodge").get_json()["id"]
    with desk.services.work() as work:
        work.second_payers.revoke_keys(INSURER, desk.services.clock.now())
        work.commit()
    body = {"amount_fen": 1} | RULING
    for answer in (desk.get(f"/claims/{claim}"), desk.post(f"/claims/{claim}/settle", body)):
        assert code_of(answer) == (401, "unauthorized")
    desk.go()
    assert desk.slot(bill).open_payer == INSURER  # acknowledged before: not lost
    with desk.services.work() as work:
        work.second_payers.add_key("key_new", INSURER, KEYS[INSURER][:-1] + "z")
        work.commit()
    headers = {"Authorization": f"Bearer {KEYS[INSURER][:-1]}z"}
    answer = desk.client.get(f"/v1/payer/claims/{claim}", headers=headers)
    assert answer.get_json()["state"] == "lodged"


def test_beyond_its_rate_an_insurer_is_told_when_to_come_again_and_others_are_not(
    own_desk: Desk,
) -> None:
    desk = own_desk
    taken = 0
    while (last := desk.get("")).status_code == 200 and taken < 10 * CALLS_A_MINUTE:
        taken += 1
    assert taken >= CALLS_A_MINUTE
    assert (last.status_code, last.headers["Retry-After"]) == (429, "5")
    assert desk.get("", OTHER).status_code == 200


def test_pages_hold_each_consent_and_claim_once(own_desk: Desk) -> None:
    desk = own_desk
    bills = {desk.settled_bill() for _ in range(5)}
    for bill in bills:
        desk.consent(bill)
        desk.lodged(bill)
    for name in ("consents", "claims"):
        seen: list[str] = []
        path = f"/{name}?limit=2"
        for _ in range(4):
            page = desk.get(path).get_json()
            assert len(page[name]) <= 2
            seen += [row["bill_id"] for row in page[name]]
            if not page["has_more"]:
                break
            path = f"/{name}?limit=2&after={page['next']}"
        assert len(seen) == 5 and set(seen) == bills
    for query in ("limit=0", "limit=201", "limit=-1", "limit=2.0"):
        assert code_of(desk.get(f"/claims?{query}")) == (400, "malformed-request")
    assert desk.get("/claims?after=zzzz").get_json()["claims"] == []
