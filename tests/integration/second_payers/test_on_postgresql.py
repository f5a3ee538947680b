"""Insurers on PostgreSQL: one lock at a time where requests really run at once, rows that stay."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.service_layer.second_payers.consent import revoke_consent
from tests.integration.second_payers.desk import INSURER, KEYS, RULING, Desk, code_of

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(tmp_path: Path, postgresql_url: str) -> Iterator[Desk]:
    desk = Desk(tmp_path, postgresql_url)
    yield desk
    desk.services.engine.dispose()


def test_sixteen_lodges_at_once_are_one_claim_whatever_their_keys(desk: Desk) -> None:
    for shared in (True, False):
        bill = desk.settled_bill()
        desk.consent(bill)

        def lodge(number: int, bill: str = bill, shared: bool = shared) -> tuple[int, str]:
            key = f"{bill}-0" if shared else f"{bill}-{number}"
            headers = {"Authorization": f"Bearer {KEYS[INSURER]}", "Idempotency-Key": key}
            path = f"/v1/payer/bills/{bill}/lodge"
            answer = desk.app.test_client().post(path, json={}, headers=headers)
            return answer.status_code, answer.get_json().get("code") or answer.get_json()["id"]

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lodge, range(16)))
        (claim_id,) = desk.claims_on(bill)
        assert (202, claim_id) in answers
        told = {(202, claim_id), (409, "request-in-flight"), (409, "payer-claim-open")}
        assert set(answers) <= told, answers


def test_a_consent_taken_back_while_a_settlement_is_sent_ends_in_one_of_both(desk: Desk) -> None:
    bill = desk.settled_bill()
    consent = desk.consent(bill)
    claim_id = desk.lodged(bill)
    path = f"/claims/{claim_id}/settle"
    with ThreadPoolExecutor(2) as pool:
        settle = pool.submit(desk.post, path, {"amount_fen": 5} | RULING)
        pool.submit(revoke_consent, desk.services, desk.person.id, consent.id).result()
        answer = settle.result()
    for _ in range(3):
        desk.go()
    if answer.status_code == 202:
        assert desk.state(claim_id)["settled_fen"] == 5
    else:
        assert code_of(answer) == (409, "payer-consent-ended")
        assert desk.state(claim_id)["state"] == "released"


def test_rows_cannot_be_changed_deleted_or_truncated(desk: Desk) -> None:
    bill = desk.settled_bill()
    desk.consent(bill)
    desk.lodged(bill)
    for statement in (
        "UPDATE payer_consent SET parts = 'header'",
        "DELETE FROM payer_claim",
        "TRUNCATE payer_answer",
        "TRUNCATE payer_consent CASCADE",
    ):
        with (
            pytest.raises(sa.exc.DatabaseError, match="insert-only"),
            desk.services.engine.begin() as connection,
        ):
            connection.execute(sa.text(statement))
