"""SIGKILL after an insurer's call was stored and before it was answered: sent again under the same
key it has one effect, and the stored answer is handed back."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from backend.domain.ledger import IntentKind
from backend.service_layer import failpoints
from tests.integration.second_payers.desk import LEFT_FEN, RULING, Desk

pytestmark = pytest.mark.slow
SETTLE = {"amount_fen": LEFT_FEN} | RULING
KEY = "sent-again-1"


def is_killed(desk: Desk, point: str, path: str, body: dict[str, Any]) -> bool:
    """The call in a process of its own, which dies at the point."""
    desk.services.engine.dispose()
    child = os.fork()
    if child == 0:
        failpoints._armed = point
        desk.post(path, body, key=KEY)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize(
    ("kind", "body", "phase"),
    [
        (IntentKind.LODGE, {}, "lodged"),
        (IntentKind.SETTLE, SETTLE, "settled"),
        (IntentKind.RELEASE, {"reason": "given-up"}, "released"),
    ],
)
def test_a_call_killed_before_its_answer_and_sent_again_is_done_once(
    tmp_path: Path, kind: IntentKind, body: dict[str, Any], phase: str
) -> None:
    desk = Desk(tmp_path)
    bill = desk.paid_bill()
    desk.consent(bill)
    if kind is IntentKind.LODGE:
        path = f"/bills/{bill}/lodge"
    else:
        path = f"/claims/{desk.lodged(bill)}/{kind}"
    assert is_killed(desk, f"second-payers.{kind}-enqueued", path, body)
    again = desk.post(path, body, key=KEY)
    assert again.status_code == 202, again.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    desk.go()
    (claim_id,) = desk.claims_on(bill)
    assert desk.state(claim_id)["state"] == phase
    with desk.services.work(write=False) as work:
        assert len(work.outbox.of_subject(claim_id, kind)) == 1
    assert desk.left_fen(bill) == (0 if kind is IntentKind.SETTLE else LEFT_FEN)
