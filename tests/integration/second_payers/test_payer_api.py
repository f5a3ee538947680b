"""Insurers over their API: what they may see, and what becomes of their claims."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.errors import NotFoundError
from backend.domain.ledger import IntentKind
from backend.domain.local_time import local_day
from backend.domain.second_payer import ConsentRefusedError
from backend.entrypoints.mobile import texts
from backend.service_layer.second_payers.consent import Asked, give_consent, revoke_consent
from backend.service_layer.second_payers.sweep import second_payer_pass
from tests.integration.claims.test_pages import BASE, log_in, token_of
from tests.integration.second_payers.desk import (
    ALL,
    BASIC_FEN,
    HOSPITAL_KEY,
    INSURER,
    KEYS,
    LEFT_FEN,
    OTHER,
    RULING,
    TERMS,
    Desk,
    code_of,
)

NOT_FOUND = (404, "not-found")


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("payer"))


@pytest.fixture
def desk(shared_desk: Desk) -> Desk:
    """One small world for all tests; each has a person and bills of its own."""
    return shared_desk.fresh()


@pytest.fixture
def own_desk(tmp_path: Path) -> Desk:
    """A world that a test may break."""
    return Desk(tmp_path)


# --- what an insurer may see -------------------------------------------------------------------


def test_of_a_bill_an_insurer_sees_what_was_opened_and_no_member_more(desk: Desk) -> None:
    bill = desk.paid_bill()
    first = {"id", "invoice_key", "consent_id", "opened", "until", "claim_id", "links"}
    assert code_of(desk.get(f"/bills/{bill}")) == NOT_FOUND
    for parts in (("header",), ("lines",), ("decision",), ALL):
        desk.consent(bill, parts)
        shown = desk.get(f"/bills/{bill}").get_json()
        assert set(shown) == first | set(parts)
        assert shown["opened"] == [part for part in ALL if part in parts]
        text = json.dumps(shown, ensure_ascii=False)
        assert desk.person.identity_number not in text
        assert (desk.person.name in text) == ("header" in parts)
        assert ("布洛芬" in text) == ("lines" in parts)
        assert (str(BASIC_FEN) in text) == ("decision" in parts)
    assert shown["header"] == {
        "institution_code": "H33080200001",
        "institution_name": "示例市第一医院",
        "invoice_code": "33060126",
        "invoice_number": f"{desk.world.numbers:010d}",
        "payer_name": "测试甲子",
        "issued_on": desk.day.isoformat(),
        "visit_on": desk.day.isoformat(),
        "total_fen": 300_000,
        "fund_pay_fen": 0,
        "other_pay_fen": 0,
        "account_pay_fen": 0,
        "own_pay_fen": 300_000,
    }
    assert shown["lines"] == [
        {
            "name": "布洛芬缓释胶囊",
            "catalogue_code": "XM01AEE156A010010180277",
            "level": "01",
            "quantity": "1.0000",
            "price": "3000.000000",
            "amount": "3000.0000",
        }
    ]
    decision = shown["decision"]
    assert len(decision.pop("policy_hash")) == 64
    assert decision == {
        "payer_number": 1,
        "outcome": "approved",
        "decision_version": 1,
        "submitted_fen": 300_000,
        "paid_fen": BASIC_FEN,
        "fulamt_ownpay_amt_fen": 0,
        "overlmt_selfpay_fen": 0,
        "preselfpay_amt_fen": 0,
        "inscp_scp_amt_fen": 300_000,
        "act_pay_dedc_fen": 30_000,
        "hifp_pay_fen": BASIC_FEN,
        "hifmi_pay_fen": 0,
        "hifob_pay_fen": 0,
        "maf_pay_fen": 0,
        "cvlserv_pay_fen": 0,
    }


def test_what_a_hospital_says_about_a_patient_beyond_the_bill_stays_closed(desk: Desk) -> None:
    """Every field that a bill can have, the closed ones with words that must not appear."""
    closed = {
        name: f"closed-{name}"
        for name in (
            "check_code", "remark", "cashier", "checker", "supervisor_remark", "insurance_id",
            "patient_number", "case_number", "age", "gender", "business_number", "payer_type",
        )
    }  # fmt: skip
    bill = desk.bill(diagnosis_name="腰痛", department="骨科", **closed)
    desk.consent(bill)
    shown = desk.get(f"/bills/{bill}").get_json()
    assert "closed-" not in json.dumps(shown)
    assert (shown["header"]["diagnosis_name"], shown["header"]["department"]) == ("腰痛", "骨科")
    assert shown["decision"] == {}  # opened, but nothing is decided yet


def test_without_a_live_consent_a_bill_is_not_there(desk: Desk) -> None:
    bill = desk.settled_bill()
    consent = desk.consent(bill)
    assert desk.get(f"/bills/{bill}").status_code == 200
    assert code_of(desk.get(f"/bills/{bill}", OTHER)) == NOT_FOUND
    assert desk.get("/consents", OTHER).get_json()["consents"] == []
    assert code_of(desk.post(f"/bills/{bill}/lodge", payer=OTHER)) == NOT_FOUND
    assert code_of(desk.get("/bills/inv_unknown")) == NOT_FOUND
    assert revoke_consent(desk.services, desk.person.id, consent.id)
    for answer in (desk.get(f"/bills/{bill}"), desk.post(f"/bills/{bill}/lodge")):
        assert code_of(answer) == NOT_FOUND
    desk.consent(bill, days="30")
    desk.pass_time(dt.timedelta(days=30))
    assert code_of(desk.get(f"/bills/{bill}")) == NOT_FOUND
    assert desk.get("/consents").get_json()["consents"] == []


def test_a_later_consent_with_fewer_parts_closes_what_an_earlier_one_opened(desk: Desk) -> None:
    bill = desk.settled_bill()
    desk.consent(bill, ALL)
    desk.consent(bill, ("decision",))
    shown = desk.get(f"/bills/{bill}").get_json()
    assert "header" not in shown and "lines" not in shown
    (row,) = desk.get("/consents").get_json()["consents"]
    assert row["opened"] == ["decision"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"payer": "1"}, "choose an insurer"),  # the basic insurer is none
        ({"payer": "9"}, "choose an insurer"),
        ({"parts": ()}, "tick at least one part"),
        ({"parts": ("header", "diagnoses")}, "tick at least one part"),
        ({"days": "3650"}, "choose for how many days"),
        ({"is_agreed": False}, "tick the consent first"),
        ({"form_token": "short"}, "the page has expired"),
    ],
)
def test_a_consent_that_is_none_is_refused(desk: Desk, change: dict[str, Any], match: str) -> None:
    bill = desk.bill()
    form = {"payer": "3", "parts": ALL, "days": "30", "is_agreed": True, "form_token": "t" * 32}
    with pytest.raises(ConsentRefusedError, match=match):
        give_consent(desk.services, desk.person.id, bill, Asked(**(form | change)))
    assert code_of(desk.get(f"/bills/{bill}")) == NOT_FOUND


def test_nobody_opens_or_closes_the_bills_of_somebody_else(desk: Desk) -> None:
    bill = desk.bill()
    stranger = desk.world.person("测试乙丑", "citizen02")
    asked = Asked("3", ALL, "30", True, "t" * 32)
    with pytest.raises(NotFoundError, match="no such bill"):
        give_consent(desk.services, stranger.id, bill, asked)
    consent = desk.consent(bill)
    with pytest.raises(NotFoundError, match="no such consent"):
        revoke_consent(desk.services, stranger.id, consent.id)


def test_a_key_opens_its_own_routes_alone(own_desk: Desk) -> None:
    desk = own_desk

    def ask(path: str, key: str) -> Any:
        return desk.client.get(path, headers={"Authorization": f"Bearer {key}"})

    assert ask("/v1/payer", KEYS[INSURER]).get_json() == {
        "number": 3, "name": "付款方3", "class": "non-basic"
    }  # fmt: skip
    assert ask("/v1/institution", HOSPITAL_KEY).status_code == 200
    for path in ("/v1/payer", "/v1/payer/consents", "/v1/payer/claims", "/v1/payer/bills/x"):
        assert code_of(ask(path, HOSPITAL_KEY)) == (401, "unauthorized")
    for path in ("/v1/institution", "/v1/invoices", "/v1/findings", "/staff/v1/cases"):
        assert ask(path, KEYS[INSURER]).status_code == 401
    with desk.services.work() as work:
        assert work.second_payers.revoke_keys(INSURER, desk.services.clock.now()) == 1
        work.commit()
    assert code_of(ask("/v1/payer", KEYS[INSURER])) == (401, "unauthorized")
    assert ask("/v1/payer", KEYS[OTHER]).status_code == 200


def test_guessing_keys_is_slowed_down(own_desk: Desk) -> None:
    desk = own_desk
    wrong = {"Authorization": "Bearer " + "x" * 40}
    statuses = [desk.client.get("/v1/payer", headers=wrong).status_code for _ in range(32)]
    assert (statuses[:30], statuses[31]) == ([401] * 30, 429)
    last = desk.client.get("/v1/payer", headers=wrong)
    assert (last.headers["Retry-After"], last.get_json()["retryable"]) == ("5", True)


# --- lodge, settle, release --------------------------------------------------------------------


def test_an_insurer_settles_the_remainder_after_its_own_lodge_is_final(desk: Desk) -> None:
    bill = desk.paid_bill()
    desk.consent(bill)
    assert desk.left_fen(bill) == LEFT_FEN
    taken = desk.post(f"/bills/{bill}/lodge")
    claim_id = taken.get_json()["id"]
    assert (taken.status_code, taken.get_json()["state"]) == (202, "lodging")
    assert taken.headers["Location"] == f"/v1/payer/claims/{claim_id}"
    early = desk.post(f"/claims/{claim_id}/settle", {"amount_fen": 1} | RULING)
    assert code_of(early) == (409, "payer-wrong-state")
    desk.go()
    assert desk.state(claim_id)["state"] == "lodged"
    assert desk.slot(bill).open_payer == INSURER
    assert desk.settle(claim_id, LEFT_FEN).status_code == 202
    found = desk.state(claim_id)
    assert (found["state"], found["settled_fen"], found["is_over"]) == ("settled", LEFT_FEN, True)
    assert set(found["links"]) == {"self"}
    assert desk.left_fen(bill) == 0
    again = desk.post(f"/bills/{bill}/lodge")
    assert code_of(again) == (409, "payer-settled-before")
    with desk.services.engine.connect() as connection:
        booked = connection.execute(
            sa.select(sa.func.count())
            .select_from(tables.journal_entry)
            .where(tables.journal_entry.c.source_id.like("pcl%"))
        ).scalar_one()
    assert booked == 0  # nothing is payable from our fund for it


def test_beyond_the_total_the_ledger_refuses_and_the_lock_stays(desk: Desk) -> None:
    bill = desk.settled_bill()
    desk.consent(bill)
    claim_id = desk.lodged(bill)
    desk.settle(claim_id, LEFT_FEN + 1)
    found = desk.state(claim_id)
    call = found["calls"][-1]
    assert (found["state"], found["settled_fen"]) == ("lodged", None)
    assert (call["call"], call["outcome"]) == ("settle", "over-total")
    assert (call["paid_fen"], call["total_fen"]) == (BASIC_FEN, 300_000)
    desk.settle(claim_id, LEFT_FEN)
    assert desk.state(claim_id)["state"] == "settled"


def test_the_outcome_names_who_holds_the_bill_and_that_nothing_is_left(desk: Desk) -> None:
    bill = desk.settled_bill()
    for payer in (INSURER, OTHER):
        desk.consent(bill, payer=payer)
    first = desk.post(f"/bills/{bill}/lodge").get_json()["id"]
    second = desk.post(f"/bills/{bill}/lodge", payer=OTHER).get_json()["id"]
    desk.go()
    assert desk.state(first)["state"] == "lodged"
    lost = desk.state(second, OTHER)
    assert (lost["state"], lost["calls"][0]["outcome"]) == ("refused", "locked")
    assert lost["calls"][0]["holder"] == {"payer": 3, "counter": 1, "name": "付款方3"}
    desk.settle(first, LEFT_FEN)
    third = desk.lodged(bill, OTHER)
    call = desk.state(third, OTHER)["calls"][0]
    assert (call["outcome"], call["holder"]["payer"]) == ("nothing-left", 1)


def test_another_insurers_claim_is_not_there(desk: Desk) -> None:
    bill = desk.settled_bill()
    desk.consent(bill)
    desk.consent(bill, payer=OTHER)
    claim_id = desk.lodged(bill)
    path = f"/claims/{claim_id}"
    assert code_of(desk.get(path, OTHER)) == NOT_FOUND
    assert code_of(desk.post(f"{path}/settle", {"amount_fen": 1} | RULING, OTHER)) == NOT_FOUND
    assert code_of(desk.post(f"{path}/release", {"reason": "given-up"}, OTHER)) == NOT_FOUND
    assert code_of(desk.post(f"{path}/renew", payer=OTHER)) == NOT_FOUND
    assert desk.claims_on(bill, OTHER) == []
    assert desk.state(claim_id)["state"] == "lodged"


def test_basic_insurance_comes_first(desk: Desk) -> None:
    bill = desk.bill()
    desk.consent(bill)
    refused = (409, "payer-basic-first")
    assert code_of(desk.post(f"/bills/{bill}/lodge")) == refused  # nobody has claimed it
    desk.claim(bill)
    assert code_of(desk.post(f"/bills/{bill}/lodge")) == refused  # under way
    desk.world.run()
    assert desk.state(desk.lodged(bill))["state"] == "lodged"


def test_a_bill_that_was_settled_at_the_counter_is_lodged_at_once(desk: Desk) -> None:
    bill = desk.bill(fund_pay_fen=100_000, settlement_number="S1")
    desk.consent(bill, ("header",))
    claim_id = desk.lodged(bill)
    assert desk.slot(bill).paid_fen == 100_000
    desk.settle(claim_id, 200_001)
    assert desk.state(claim_id)["calls"][-1]["outcome"] == "over-total"
    desk.settle(claim_id, 200_000)
    assert desk.state(claim_id)["state"] == "settled"


def test_a_void_or_disputed_bill_is_not_lodged(own_desk: Desk) -> None:
    desk = own_desk
    bill, other = desk.settled_bill(), desk.settled_bill()
    desk.consent(bill)
    desk.consent(other)
    desk.world.sql("UPDATE invoice SET state = 'void' WHERE id = :id", id=bill)
    assert code_of(desk.post(f"/bills/{bill}/lodge")) == (409, "payer-bill-stopped")
    desk.world.sql(
        "UPDATE expense_line SET record = replace(record, '布洛芬', '别的') WHERE version_id IN "
        "(SELECT id FROM invoice_version WHERE invoice_id = :id)",
        id=other,
    )
    assert code_of(desk.post(f"/bills/{other}/lodge")) == (409, "payer-bill-altered")


def held_by_insurer(desk: Desk, bill_id: str) -> bool:
    """What keeps a hospital from correcting a bill that an insurer has lodged."""
    with desk.services.work(write=False) as work:
        return work.invoices.is_held_by_insurer(bill_id)


def test_release_frees_the_bill_and_a_refusal_carries_its_decision(desk: Desk) -> None:
    bill = desk.settled_bill()
    desk.consent(bill)
    assert not held_by_insurer(desk, bill)
    first = desk.lodged(bill)
    assert held_by_insurer(desk, bill)
    assert desk.post(f"/claims/{first}/release", {"reason": "given-up"}).status_code == 202
    desk.go()
    assert (desk.state(first)["state"], desk.slot(bill).open_payer) == ("released", 0)
    assert not held_by_insurer(desk, bill)
    second = desk.lodged(bill)
    document = b"%PDF refused by clause 7"
    body = {"reason": "refused", "policy_hash": TERMS}
    body["decision_document"] = base64.b64encode(document).decode()
    assert desk.post(f"/claims/{second}/release", body).status_code == 202
    with desk.services.work(write=False) as work:
        (intent,) = work.outbox.of_subject(second, IntentKind.RELEASE)
    assert intent.payload["decision_fingerprint"] == hashlib.sha256(document).hexdigest()
    assert (intent.payload["reason"], intent.payload["decision_version"]) == (1, 1)


def test_a_lock_is_renewed_and_expires_by_the_ledgers_time(desk: Desk) -> None:
    bill = desk.settled_bill()
    desk.consent(bill, days="180")
    claim_id = desk.lodged(bill)
    before = dt.datetime.fromisoformat(desk.state(claim_id)["deadline"])
    desk.pass_time(dt.timedelta(days=20))
    assert desk.post(f"/claims/{claim_id}/renew").status_code == 202
    desk.go()
    after = dt.datetime.fromisoformat(desk.state(claim_id)["deadline"])
    assert after - before == dt.timedelta(days=20)
    desk.pass_time(dt.timedelta(days=31))
    assert desk.state(claim_id)["state"] == "lapsed"
    desk.go()  # the worker asks for the end of the lock
    desk.go()
    assert [call["call"] for call in desk.state(claim_id)["calls"]] == ["lodge", "renew", "expire"]
    assert (desk.state(claim_id)["state"], desk.slot(bill).open_payer) == ("expired", 0)
    late = desk.post(f"/claims/{claim_id}/settle", {"amount_fen": 1} | RULING)
    assert code_of(late) == (409, "payer-wrong-state")


def test_a_lock_whose_consent_was_taken_back_is_given_back(desk: Desk) -> None:
    bill = desk.settled_bill()
    consent = desk.consent(bill)
    claim_id = desk.lodged(bill)
    revoke_consent(desk.services, desk.person.id, consent.id)
    settle = desk.post(f"/claims/{claim_id}/settle", {"amount_fen": 1} | RULING)
    assert code_of(settle) == (409, "payer-consent-ended")
    assert code_of(desk.post(f"/claims/{claim_id}/renew")) == (409, "payer-consent-ended")
    desk.go()
    desk.go()
    assert (desk.state(claim_id)["state"], desk.slot(bill).open_payer) == ("released", 0)
    second_payer_pass(desk.services)  # everything of others that ended, and nothing twice
    assert second_payer_pass(desk.services) == 0


def test_what_was_settled_stays_settled_when_the_consent_is_taken_back(desk: Desk) -> None:
    bill = desk.settled_bill()
    consent = desk.consent(bill)
    claim_id = desk.lodged(bill)
    desk.post(f"/claims/{claim_id}/settle", {"amount_fen": 7} | RULING)
    revoke_consent(desk.services, desk.person.id, consent.id)
    second_payer_pass(desk.services)
    desk.go()
    assert [call["call"] for call in desk.state(claim_id)["calls"]] == ["lodge", "settle"]
    assert desk.state(claim_id)["settled_fen"] == 7


# --- requests ----------------------------------------------------------------------------------


def test_the_same_key_is_one_call_and_another_request_under_it_is_refused(desk: Desk) -> None:
    bill = desk.settled_bill()
    desk.consent(bill)
    first = desk.post(f"/bills/{bill}/lodge", key="the-same-key")
    desk.go()
    again = desk.post(f"/bills/{bill}/lodge", key="the-same-key")
    assert (again.status_code, again.get_data()) == (202, first.get_data())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    claim_id = first.get_json()["id"]
    body = {"amount_fen": 5} | RULING
    other = desk.post(f"/claims/{claim_id}/settle", body, key="the-same-key")
    assert code_of(other) == (422, "idempotency-key-reused")
    desk.post(f"/claims/{claim_id}/settle", body, key="settle-key-1")
    changed = desk.post(f"/claims/{claim_id}/settle", body | {"amount_fen": 6}, key="settle-key-1")
    assert code_of(changed) == (422, "idempotency-key-reused")
    desk.consent(bill, payer=OTHER)
    foreign = desk.post(f"/bills/{bill}/lodge", payer=OTHER, key="the-same-key")
    assert foreign.status_code == 202  # keys are each insurer's own


def test_a_second_lodge_under_another_key_names_the_first(desk: Desk) -> None:
    bill = desk.settled_bill()
    desk.consent(bill)
    claim_id = desk.post(f"/bills/{bill}/lodge").get_json()["id"]
    again = desk.post(f"/bills/{bill}/lodge")
    assert code_of(again) == (409, "payer-claim-open")
    assert claim_id in again.get_json()["detail_en"]
    assert desk.claims_on(bill) == [claim_id]


HASHES = {"policy_hash": TERMS, "decision_fingerprint": "d1" * 32}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "malformed-request")),
        (HASHES, (400, "malformed-request")),
        (HASHES | {"amount_fen": -1}, (400, "malformed-request")),
        (HASHES | {"amount_fen": True}, (400, "malformed-request")),
        (HASHES | {"amount_fen": 1.5}, (400, "malformed-request")),
        (HASHES | {"amount_fen": "100"}, (400, "malformed-request")),
        (HASHES | {"amount_fen": 2**40}, (400, "malformed-request")),
        (HASHES | {"amount_fen": 1, "payer": 1}, (400, "malformed-request")),
        ({"amount_fen": 1, "policy_hash": TERMS}, (400, "malformed-request")),
        ({"amount_fen": 1, "decision_fingerprint": "d1" * 32}, (400, "malformed-request")),
        (HASHES | {"amount_fen": 1, "decision_document": "AA=="}, (400, "malformed-request")),
        (HASHES | {"amount_fen": 1, "policy_hash": "5E" * 32}, (400, "malformed-request")),
        (HASHES | {"amount_fen": 1, "policy_hash": "00" * 32}, (400, "malformed-request")),
        (
            {"amount_fen": 1, "policy_hash": TERMS, "decision_document": "no base64"},
            (400, "malformed-request"),
        ),
        (HASHES | {"amount_fen": 1, "policy_hash": "77" * 32}, (422, "policy-not-published")),
    ],
)
def test_a_settlement_that_cannot_be_one_never_reaches_the_ledger(
    settled_desk: tuple[Desk, str], body: dict[str, Any], expected: tuple[int, str]
) -> None:
    desk, claim_id = settled_desk
    assert code_of(desk.post(f"/claims/{claim_id}/settle", body)) == expected
    assert [call["call"] for call in desk.state(claim_id)["calls"]] == ["lodge"]


@pytest.fixture(scope="module")
def settled_desk(shared_desk: Desk) -> tuple[Desk, str]:
    """A claim whose lock is final; the tests that share it change nothing."""
    desk = shared_desk.fresh()
    bill = desk.settled_bill()
    desk.consent(bill)
    return desk, desk.lodged(bill)


def test_requests_without_form_are_refused(settled_desk: tuple[Desk, str]) -> None:
    desk, claim_id = settled_desk
    headers = {"Authorization": f"Bearer {KEYS[INSURER]}"}
    path = f"/v1/payer/claims/{claim_id}/settle"
    bare = desk.client.post(path, json={"amount_fen": 1} | RULING, headers=headers)
    assert code_of(bare) == (400, "malformed-request")
    assert "Idempotency-Key" in bare.get_json()["detail_en"]
    keyed = headers | {"Idempotency-Key": "a-key-of-mine"}
    plain = desk.client.post(path, data="x=1", headers=keyed)
    assert plain.status_code == 415
    twice = b'{"amount_fen": 1, "amount_fen": 2}'
    for data in (b"[]", b"{", twice, b'{"amount_fen": [[[1]]]}', b"\xff"):
        answer = desk.client.post(path, data=data, headers=keyed, content_type="application/json")
        assert code_of(answer) == (400, "malformed-request"), data
    large = b'{"decision_document": "' + b"A" * (600 * 1024) + b'"}'
    answer = desk.client.post(path, data=large, headers=keyed, content_type="application/json")
    assert answer.status_code == 413
    for query in ("limit=0", "limit=201", "limit=x"):
        assert code_of(desk.get(f"/consents?{query}")) == (400, "malformed-request")
    for body in ({}, {"reason": "bored"}, {"reason": "refused"}, {"reason": "given-up"} | HASHES):
        answer = desk.post(f"/claims/{claim_id}/release", body)
        assert code_of(answer) == (400, "malformed-request"), body
    assert code_of(desk.post("/claims/pcl_unknown/renew")) == NOT_FOUND


def test_a_silent_ledger_is_said_and_nothing_is_stored(desk: Desk) -> None:
    bill = desk.settled_bill()
    desk.consent(bill)
    desk.ledger.is_down = True
    answer = desk.post(f"/bills/{bill}/lodge")
    assert code_of(answer) == (503, "ledger-unavailable")
    assert desk.claims_on(bill) == []
    desk.ledger.is_down = False
    assert desk.state(desk.lodged(bill))["state"] == "lodged"


# --- the citizen's pages -----------------------------------------------------------------------


def test_the_citizen_opens_sees_and_takes_back_on_the_pages(desk: Desk) -> None:
    bill = desk.settled_bill()
    client = desk.client
    log_in(client, f"citizen-{len(desk.world.people) - 1}")
    form = client.get(f"/m/bills/{bill}/share", base_url=BASE).get_data(as_text=True)
    assert "付款方3" in form and "付款方2" not in form  # a basic insurer is not offered
    query = {"next": "1", "payer": "3", "part": "decision", "days": "90"}
    page = client.get(f"/m/bills/{bill}/share", query_string=query, base_url=BASE)
    text = page.get_data(as_text=True)
    assert "90 天内有效" in text and "医保的核定结果" in text and "费用明细" not in text
    data = query | {"csrf_token": token_of(text), "form_token": token_of(text, "form_token")}
    headers = {"Referer": f"{BASE}/m/bills/{bill}/share"}

    def send(**more: str) -> Any:
        path = f"/m/bills/{bill}/share"
        return client.post(path, base_url=BASE, headers=headers, data=data | more)

    assert send().status_code == 422  # not ticked
    assert code_of(desk.get(f"/bills/{bill}")) == NOT_FOUND
    assert [send(consent="yes").status_code for _ in range(2)] == [303, 303]
    with desk.services.work(write=False) as work:
        (kept,) = work.second_payers.consents_of_person(desk.person.id)
    said = text.split("<span>我同意", 1)[1].split("</span>", 1)[0]
    assert kept.text_digest == hashlib.sha256(f"我同意{said}".encode()).digest()
    assert desk.get(f"/bills/{bill}").status_code == 200
    today = texts.day(local_day(desk.services.clock.now()))
    listed = client.get("/m/shared", base_url=BASE).get_data(as_text=True)
    assert "开放中" in listed and f"看过的日子：{today}" in listed
    revoke = f"/m/shared/{kept.id}/revoke"
    answer = client.post(
        revoke, base_url=BASE, headers=headers, data={"csrf_token": token_of(listed)}
    )
    assert answer.status_code == 303
    assert "已撤回" in client.get("/m/shared", base_url=BASE).get_data(as_text=True)
    assert code_of(desk.get(f"/bills/{bill}")) == NOT_FOUND


def test_consents_and_claims_are_insert_only(own_desk: Desk) -> None:
    desk = own_desk
    bill = desk.settled_bill()
    consent = desk.consent(bill)
    desk.lodged(bill)
    for statement in (
        "UPDATE payer_consent SET parts = 'header'",
        "DELETE FROM payer_consent",
        "UPDATE payer_claim SET payer_number = 4",
        "DELETE FROM payer_answer",
    ):
        with (
            pytest.raises(sa.exc.DatabaseError, match="insert-only"),
            desk.services.engine.begin() as connection,
        ):
            connection.execute(sa.text(statement))
    with desk.services.work(write=False) as work:
        assert work.second_payers.consent(consent.id) == consent


@pytest.mark.parametrize("keys", [["one-same-key"] * 6, [f"key-number-{n}" for n in range(6)]])
def test_six_lodges_at_once_are_one_claim_and_one_call(desk: Desk, keys: list[str]) -> None:
    bill = desk.settled_bill()
    desk.consent(bill)

    def lodge(key: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {KEYS[INSURER]}", "Idempotency-Key": f"{key}-{bill}"}
        path = f"/v1/payer/bills/{bill}/lodge"
        answer = desk.app.test_client().post(path, json={}, headers=headers)
        return answer.status_code, answer.get_json().get("code") or answer.get_json()["id"]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lodge, keys))
    (claim_id,) = desk.claims_on(bill)
    assert (202, claim_id) in answers
    others = {(202, claim_id), (409, "request-in-flight"), (409, "payer-claim-open")}
    assert set(answers) <= others, answers
    assert [call["call"] for call in desk.state(claim_id)["calls"]] == ["lodge"]
