"""SIGKILL to the worker at every named failpoint: nothing is lost and nothing is doubled.

For each point: the worker is started with the point armed, a new bill is sent and touched, and the
worker must die there; the next worker finishes. Anchors, lodges, settlements and releases are
counted from the ledger's own events, and after each point every rule of the reconciliation agrees.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from backend.adapters.bank.simulated_bank import SimulatedBank
from backend.adapters.database import tables
from backend.adapters.ledger.network import anchoring_of
from backend.service_layer.failpoints import AFTERWARDS, NAMES
from backend.service_layer.reconciliation import look
from scripts.sample_data.bills import SampleBill
from scripts.sample_data.payment_cases import CASES
from scripts.sample_data.planted import UNKNOWN_CODE, changed
from tests.e2e.fresh_bills import claim_state, fresh_bill, send, touch
from tests.e2e.processes import wait_for
from tests.e2e.system import System

pytestmark = pytest.mark.slow
RELEASING = "claims.released"
MONEY = ("payout.", "claims.settle")
LIMIT_SECONDS = 90

# The first transaction of a run is the anchor, the second the lodge, the third the settlement.
LATER_SENDS = tuple(
    f"{name}:{count}" for name in NAMES if name.startswith("send.") for count in (2, 3)
)
# What only a withdrawal or a further decision passes is killed in the small world.
POINTS = tuple(name for name in NAMES if name not in AFTERWARDS) + LATER_SENDS
#: Citizens of whom nothing special is known: the policy leaves open what the others get, and some
#: have an account at which the bank does something seldom.
PLAIN = tuple(number for number in (4, 5, *range(11, 30)) if number not in CASES)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("failpoints"))
    try:
        system.up()
        system.load_sample()
        system.worker.stop()
        yield system
    finally:
        system.down()


def test_there_are_at_least_twenty_failpoints() -> None:
    assert len(NAMES) == len(set(NAMES)) >= 20


@pytest.mark.parametrize("name", POINTS)
def test_worker_killed_at_a_failpoint_loses_and_doubles_nothing(system: System, name: str) -> None:
    index = POINTS.index(name)
    round_, place = divmod(index, len(PLAIN))
    # Three visits of one day would be for a person to look at.
    bill = fresh_bill(
        system, citizen=PLAIN[place], serial=400 + index, days_before=45 + 20 * round_
    )
    if name == RELEASING:
        bill = pended(bill)
    system.worker.start(YICHU_FAILPOINT=name)
    try:
        send(system, bill)
        touch(system, bill)
        if name == RELEASING:
            refuse(system, bill)
        assert system.worker.wait(LIMIT_SECONDS) == -signal.SIGKILL, "the point was not reached"
        system.worker.start()
        end = "refused" if name == RELEASING else "paid"
        wait_for(f"the claim to be {end}", lambda: claim_state(system, bill)[0] == end,
                 LIMIT_SECONDS)  # fmt: skip
        if name != RELEASING:
            assert_paid_once(system, bill)
            assert_bank_paid_once(system, bill)
        assert_ledger_counts(system, bill, is_released=name == RELEASING)
        # Bills, claims, journal, payment files, bank and ledger: every row says the same.
        lines = look(anchoring_of(system.services, "test"), system.services)
        assert [line.verdict for line in lines] == ["agrees"], lines
        if name.startswith(MONEY):
            system.command("reconcile", "--check")
    finally:
        system.worker.stop()


def pended(bill: SampleBill) -> SampleBill:
    """The same bill with a line that no catalogue knows: a person decides."""
    first, *rest = bill.invoice.lines
    line = type(first).from_record({**first.to_record(), "catalogue_code": UNKNOWN_CODE})
    return changed(bill, lines=(line, *rest))


def refuse(system: System, bill: SampleBill) -> None:
    wait_for("the claim to be pended", lambda: claim_state(system, bill)[0] == "pended", 60)
    claim = system.claims_of(bill.invoice)[0]
    wait_for("a reviewer to be drawn", lambda: drawn_reviewer(system, claim.id) is not None, 60)
    reviewer = drawn_reviewer(system, claim.id)
    assert reviewer is not None
    system.command(
        "review", "refuse", claim.number, "--reviewer", reviewer, "--reason", "不符合规定"
    )


def drawn_reviewer(system: System, claim_id: str) -> str | None:
    """The username of who holds the open step of the claim's case."""
    cases = {row.id for row in system.rows(tables.review_case) if row.claim_id == claim_id}
    held = [row.holder_id for row in system.rows(tables.review_step) if row.case_id in cases]
    names = {row.id: row.username for row in system.rows(tables.login)}
    return names.get(held[-1]) if held else None


def assert_paid_once(system: System, bill: SampleBill) -> None:
    (claim,) = system.claims_of(bill.invoice)
    payouts = [row for row in system.rows(tables.payout) if row.claim_id == claim.id]
    assert len(payouts) == 1
    attempts = [r.id for r in system.rows(tables.payment_attempt) if r.payout_id == payouts[0].id]
    assert len(attempts) == 1
    answers = [r for r in system.rows(tables.payment_answer) if r.attempt_id in attempts]
    assert [answer.status for answer in answers] == ["paid"]


def assert_bank_paid_once(system: System, bill: SampleBill) -> None:
    """In the bank's own book, which no part of ours writes, stands one credit of what is owed."""
    (claim,) = system.claims_of(bill.invoice)
    owed = [row.amount_fen for row in system.rows(tables.payout) if row.claim_id == claim.id]
    with SimulatedBank(system.var.path / "bank", system.services.clock.now).book.open() as page:
        credits = [c for c in page.credits() if c.end_to_end_id.startswith(f"{claim.number}-V")]
    assert [credit.amount_fen for credit in credits] == owed


def assert_ledger_counts(system: System, bill: SampleBill, *, is_released: bool) -> None:
    anchored = [(e["institution"], e["sequence"]) for e in system.events("Anchored")]
    assert len(anchored) == len(set(anchored)) == len(system.rows(tables.batch))
    key = system.stored(bill.invoice).invoice_key
    counts = {
        name: [event["invoiceKey"] for event in system.events(name)].count(key)
        for name in ("Lodged", "Settled", "Released")
    }
    assert counts == {"Lodged": 1, "Settled": not is_released, "Released": is_released}
    system.wait_for_claims()

    def quiet() -> bool:
        report = system.services.readiness()["anchoring"]
        assert report["pending_nonces"] == 0, report
        assert not report["backlog"], report
        return True

    wait_for("every nonce to end mined", quiet, LIMIT_SECONDS)
