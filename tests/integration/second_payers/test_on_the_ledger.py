"""Insurers' claims on the real contracts: after the basic settlement, never beyond the total, one
lock at a time. The worker is real; calls come over the API."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.clock import SetClock
from backend.adapters.database.payer_repository import Payer
from backend.adapters.ledger.network import Network
from backend.domain.invoice import Invoice
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.options import ChainOptions, RunOptions
from backend.entrypoints.devchain.server import LedgerServer
from backend.entrypoints.web import create_app
from backend.service_layer.claims.records import Person
from backend.service_layer.second_payers.consent import Asked, give_consent
from backend.service_layer.second_payers.sweep import second_payer_pass
from tests.kill.town import Town, build_town

pytestmark = pytest.mark.slow

FIRST, SECOND = 3, 4
#: deploy_network publishes it.
POLICY = hashlib.sha256(b"policy").hexdigest()


class Insurers:
    """Two insurers of a town with their keys."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.keys = {FIRST: "yi_" + "1" * 40, SECOND: "yi_" + "2" * 40}
        admin = Network(town.services)
        for number, key in self.keys.items():
            done = admin.register_payer("commercial", number=number)
            with town.services.work() as work:
                work.payers.add(Payer(number, f"保险{number}", "non-basic", done.account))
                work.second_payers.add_key(f"key_{number}", number, key)
                work.commit()
        self.app = create_app(town.services)
        self.worker = town.worker()

    def go(self) -> None:
        """Until nothing is under way and the worker has looked at what ended."""
        self.town.run_until_quiet(self.worker)
        second_payer_pass(self.town.services)
        self.town.run_until_quiet(self.worker)

    def consent(self, person: Person, bill_id: str) -> None:
        for number in self.keys:
            asked = Asked(str(number), ("decision",), "90", True, secrets.token_urlsafe(24))
            give_consent(self.town.services, person.id, bill_id, asked)

    def call(self, number: int, method: str, path: str, body: Any = None) -> Any:
        headers = {
            "Authorization": f"Bearer {self.keys[number]}",
            "Idempotency-Key": secrets.token_hex(8),
        }
        client = self.app.test_client()
        return client.open(f"/v1/payer{path}", method=method, json=body, headers=headers)

    def lodge(self, number: int, bill_id: str) -> str:
        answer = self.call(number, "POST", f"/bills/{bill_id}/lodge", {})
        assert answer.status_code == 202, answer.get_json()
        return str(answer.get_json()["id"])

    def settle(self, number: int, claim_id: str, amount_fen: int) -> None:
        body = {"amount_fen": amount_fen, "policy_hash": POLICY, "decision_fingerprint": "ab" * 32}
        answer = self.call(number, "POST", f"/claims/{claim_id}/settle", body)
        assert answer.status_code == 202, answer.get_json()
        self.go()

    def state(self, number: int, claim_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call(number, "GET", f"/claims/{claim_id}").get_json()
        return found

    def sums(self, bill_id: str) -> tuple[int, int, int]:
        """(total, paid, open payer) as the contract has them."""
        slot = self.town.services.ledger.slot(self.town.key_of(bill_id))
        return slot.total_fen, slot.paid_fen, slot.open_payer


@pytest.fixture
def insurers(tmp_path: Path) -> Iterator[Insurers]:
    engine = Engine(None, ChainOptions(deterministic=True), RunOptions())
    server = LedgerServer(engine, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    town = build_town(f"http://127.0.0.1:{server.server_address[1]}", tmp_path)
    try:
        yield Insurers(town)
    finally:
        town.close()
        server.stop()
        thread.join()
        engine.close()


def at_the_counter(bill: Invoice, paid_fen: int) -> Invoice:
    """The same bill, of which basic insurance has paid a part already."""
    return dataclasses.replace(
        bill,
        fund_pay_fen=paid_fen,
        own_pay_fen=bill.total_fen - paid_fen,
        settlement_number="S1",
    )


def test_after_the_basic_settlement_the_remainder_is_settled_and_not_a_fen_more(
    insurers: Insurers,
) -> None:
    town = insurers.town
    person = town.person()
    bill_id = town.upload(town.bill(person, 1))
    insurers.consent(person, bill_id)
    (claim,) = town.submit(person, bill_id)
    early = insurers.call(FIRST, "POST", f"/bills/{bill_id}/lodge", {})
    assert (early.status_code, early.get_json()["code"]) == (409, "not-anchored-yet")
    insurers.go()
    with town.services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
    assert decision is not None
    total, paid, _ = insurers.sums(bill_id)
    left = total - paid
    assert paid == decision.paid_fen > 0 < left

    claim_id = insurers.lodge(FIRST, bill_id)
    insurers.go()
    assert insurers.sums(bill_id) == (total, paid, FIRST)
    insurers.settle(FIRST, claim_id, left + 1)
    found = insurers.state(FIRST, claim_id)
    assert (found["state"], found["calls"][-1]["outcome"]) == ("lodged", "over-total")
    assert insurers.sums(bill_id) == (total, paid, FIRST)
    insurers.settle(FIRST, claim_id, left)
    assert insurers.state(FIRST, claim_id)["settled_fen"] == left
    assert insurers.sums(bill_id) == (total, total, 0)
    assert len(town.event_keys("Settled")) == 2
    assert len(town.payouts()) == 1  # our fund pays its own part alone

    other = insurers.lodge(SECOND, bill_id)
    insurers.go()
    refused = insurers.state(SECOND, other)
    assert (refused["state"], refused["calls"][0]["outcome"]) == ("refused", "nothing-left")
    assert refused["calls"][0]["holder"]["payer"] == 1
    assert town.alarms() == set()


def test_of_two_insurers_at_once_one_holds_the_bill_and_the_other_is_told_who(
    insurers: Insurers,
) -> None:
    town = insurers.town
    person = town.person()
    bill = at_the_counter(town.bill(person, 2), 500_000)
    bill_id = town.upload(bill)
    insurers.consent(person, bill_id)
    insurers.go()
    with ThreadPoolExecutor(2) as pool:
        claims = dict(
            zip(
                (FIRST, SECOND),
                pool.map(lambda number: insurers.lodge(number, bill_id), (FIRST, SECOND)),
                strict=True,
            )
        )
    insurers.go()
    states = {number: insurers.state(number, claims[number]) for number in claims}
    assert sorted(state["state"] for state in states.values()) == ["lodged", "refused"]
    winner = next(number for number in states if states[number]["state"] == "lodged")
    loser = FIRST + SECOND - winner
    call = states[loser]["calls"][0]
    assert call["outcome"] == "locked"
    assert call["holder"] == {"payer": winner, "counter": 1, "name": f"保险{winner}"}
    assert insurers.sums(bill_id) == (bill.total_fen, 500_000, winner)

    # Each settles a part; together and with the counter's never beyond the total.
    insurers.settle(winner, claims[winner], 1_000_000)
    again = insurers.lodge(loser, bill_id)
    insurers.go()
    insurers.settle(loser, again, bill.total_fen - 1_500_000 + 1)
    assert insurers.state(loser, again)["calls"][-1]["outcome"] == "over-total"
    insurers.settle(loser, again, bill.total_fen - 1_500_000)
    assert insurers.sums(bill_id) == (bill.total_fen, bill.total_fen, 0)
    assert len(town.event_keys("Settled")) == 2


def test_a_lock_that_ran_out_is_ended_on_the_ledger_and_another_insurer_takes_the_bill(
    insurers: Insurers,
) -> None:
    town = insurers.town
    person = town.person()
    bill_id = town.upload(at_the_counter(town.bill(person, 3), 500_000))
    insurers.consent(person, bill_id)
    insurers.go()
    claim_id = insurers.lodge(FIRST, bill_id)
    insurers.go()
    renewed = insurers.call(FIRST, "POST", f"/claims/{claim_id}/renew", {})
    assert renewed.status_code == 202
    insurers.go()
    assert insurers.state(FIRST, claim_id)["calls"][-1]["outcome"] in ("done", "repeated")
    days = dt.timedelta(days=40)
    town.services.ledger.rpc.call("evm_increaseTime", int(days.total_seconds()))
    town.services.ledger.rpc.call("evm_mine")
    town.services.clock = SetClock(town.services.clock.now() + days)
    second_payer_pass(town.services)
    insurers.go()
    assert insurers.state(FIRST, claim_id)["state"] == "expired"
    other = insurers.lodge(SECOND, bill_id)
    insurers.go()
    assert insurers.state(SECOND, other)["state"] == "lodged"
