"""A database restored from a backup that is older than the chain: nothing is signed or paid until
what the chain knows was adopted, and then everything goes on and nothing happens twice."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from backend.adapters.database import tables
from backend.adapters.ledger.network import Network
from backend.adapters.ledger.transactions import decode_signed, sign
from backend.entrypoints import anchor_worker
from backend.entrypoints.cli.main import cli
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.options import ChainOptions, RunOptions
from backend.entrypoints.devchain.server import LedgerServer
from backend.entrypoints.mobile.status_texts import status_of
from backend.service_layer.anchoring.adopt import Adopters, Line, adopt_chain
from backend.service_layer.anchoring.behind import DatabaseBehindChainError, compare
from backend.service_layer.anchoring.model import LedgerEvent, Parties
from backend.service_layer.anchoring.signing_offers import accept_signed, offer_next
from backend.service_layer.claims.records import Claim
from backend.service_layer.handling import advance
from backend.service_layer.handling.read import view_claim
from backend.service_layer.intake.adopt import adopt_bill_event
from tests.integration.anchoring.network import CUSTODIAL, PASSWORD, SELF, SELF_KEY
from tests.kill.town import Town, back_up, build_town, restore

STATES = ("submitted", "calculated", "lodging", "lodged", "decided", "settling", "settled")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    engine = Engine(None, ChainOptions(deterministic=True), RunOptions())
    server = LedgerServer(engine, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    folder = tmp_path_factory.mktemp("town")
    town = build_town(f"http://127.0.0.1:{server.server_address[1]}", folder)
    town.close()
    yield town
    town.close()
    server.stop()
    thread.join()
    engine.close()


@pytest.fixture
def town(built: Town, tmp_path: Path) -> Iterator[Town]:
    """The town as it was built, on the ledger and in a folder of the test's own."""
    snapshot = built.services.ledger.rpc.call("evm_snapshot")
    shutil.copytree(built.folder, tmp_path, dirs_exist_ok=True)
    town = Town(built.url, tmp_path)
    yield town
    town.close()
    built.services.ledger.rpc.call("evm_revert", snapshot)


def reopened(town: Town, copy: Path) -> Town:
    """The town on the restored backup, as its processes would find it."""
    town.close()
    restore(copy, town.folder)
    return Town(town.url, town.folder)


def reconcile(town: Town, *arguments: str) -> Result:
    environment = {
        "YICHU_VAR": str(town.folder),
        "YICHU_RPC_URLS": town.url,
        "YICHU_KEYSTORE_PASSWORD": PASSWORD,
    }
    return CliRunner().invoke(cli, ["reconcile", *arguments], env=environment)


def close_by_two(town: Town, case: str, reason: str) -> str:
    """One person proposes, another one confirms; what the second was told."""
    for wish, by in (("--close", "测试员"), ("--confirm", "测试主管")):
        done = reconcile(town, wish, case, "--by", by, "--reason", reason)
        assert done.exit_code == 0, done.output
    return done.output


def say_go(town: Town) -> None:
    """Two people have asked desks and citizens: nothing that was said is missing."""
    (period,) = town.rows(tables.lost_period)
    for case in (f"alarm:records-lost:{period.id}", f"words:{period.id}"):
        close_by_two(town, case, "已问过各岗和参保人，没有遗漏")


def adopt_and_say_go(town: Town) -> Result:
    """`yichu reconcile` until nothing is to be done: what only people can know is asked for."""
    done = reconcile(town)
    assert done.exit_code == 1, done.output
    assert "every payment is held until two people have looked" in done.output
    assert "待处理 2 项" in done.output, done.output
    say_go(town)
    return reconcile(town)


def run_until(town: Town, claim: Claim, state: str) -> None:
    """A claim is stopped between any two of its steps, as a kill would: one step a pass."""
    step = advance.advance_claims
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anchor_worker, "advance_claims", lambda deps, **_: step(deps))
        patch.setattr(advance.NewClaims, "advance", lambda _: 0)
        worker = town.worker()
        for _ in range(200):
            if town.claim(claim.id).state == state:
                break
            worker.run_once()
    assert town.claim(claim.id).state == state
    worker._release()


def finish(town: Town) -> None:
    worker = town.worker()
    town.run_until_quiet(worker)
    worker._release()


def go_back(town: Town, snapshot: str) -> None:
    """The chain leaves its newest blocks and grows past them; a shorter one may be a slow node."""
    rpc = town.services.ledger.rpc
    height = int(rpc.call("eth_blockNumber"), 16)
    rpc.call("evm_revert", snapshot)
    while int(rpc.call("eth_blockNumber"), 16) <= height:
        rpc.call("evm_mine")


def refuse_to_start(town: Town) -> str:
    worker = town.worker()
    with pytest.raises(DatabaseBehindChainError, match="Run `yichu reconcile`") as refusal:
        worker.run()
    return refusal.value.en


def assert_once(town: Town, *bills: str) -> None:
    """One anchor a batch, one lodge, settlement and payment a bill, and no nonce open."""
    anchored = town.event_keys("Anchored")
    assert len(anchored) == len(set(anchored)) == len(town.rows(tables.batch))
    keys = sorted("0x" + town.key_of(bill).hex() for bill in bills)
    assert sorted(town.event_keys("Lodged")) == keys
    assert sorted(town.event_keys("Settled")) == keys
    assert town.event_keys("Unchanged") == town.event_keys("AnchorUnchanged") == []


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
def test_claim_goes_on_from_where_the_chain_is(town: Town, tmp_path: Path, state: str) -> None:
    person = town.person()
    bill = town.upload(town.bill(person, 1))
    (claim,) = town.submit(person, bill)
    run_until(town, claim, state)
    back_up(town.folder, tmp_path / "backup.db")
    finish(town)
    paid = town.rows(tables.payout)
    decided = town.rows(tables.decision)
    assert town.claim(claim.id).state == "paid"

    town = reopened(town, tmp_path / "backup.db")
    ahead = state != "settled"  # what remains then is the bank's alone
    if ahead:
        sentence = refuse_to_start(town)
        assert "Nothing was signed and nothing is paid" in sentence
        assert town.alarms() == {"database-behind-chain"}
        assert reconcile(town, "--check").exit_code == 1
        assert town.payouts() == []
    done = adopt_and_say_go(town)
    assert done.exit_code == 0, done.output
    assert reconcile(town).exit_code == 0 and reconcile(town, "--check").exit_code == 0
    assert town.alarms() == set()
    finish(town)
    assert town.claim(claim.id).state == "paid"
    assert_once(town, bill)
    (payout,) = town.rows(tables.payout)
    assert (payout.id, payout.amount_fen) == (paid[0].id, paid[0].amount_fen)
    (decision,) = town.rows(tables.decision)
    assert decision.fingerprint == decided[0].fingerprint
    town.close()


@pytest.mark.slow
def test_lost_bills_are_listed_and_found_again_when_uploaded_again(
    town: Town, tmp_path: Path
) -> None:
    person = town.person()
    early = town.upload(town.bill(person, 1))
    finish(town)
    back_up(town.folder, tmp_path / "backup.db")
    documents = [town.bill(person, number) for number in (2, 3, 4)]
    late = [town.upload(bill) for bill in documents]
    finish(town)
    keys = [town.key_of(bill) for bill in late]
    secrets_of = wrapped_secrets(town, late)

    town = reopened(town, tmp_path / "backup.db")
    refuse_to_start(town)
    done = reconcile(town)
    assert done.exit_code == 1
    assert f"leaves:{CUSTODIAL}:2\tbills 0 to 2 are not here" in done.output
    assert town.alarms() == {"reconcile-case", "records-lost"}
    say_go(town)
    # The agent sends the same documents with the same secrets.
    again = [
        upload_with_secret(town, bill, secret)
        for bill, secret in zip(documents, secrets_of, strict=True)
    ]
    done = reconcile(town)
    assert done.exit_code == 0, done.output
    assert town.alarms() == set()
    (claim,) = town.submit(person, again[0])
    finish(town)
    assert town.claim(claim.id).state == "paid"
    assert [town.key_of(bill) for bill in again] == keys
    assert len(town.event_keys("Anchored")) == 2  # none of them was anchored a second time
    assert town.key_of(early)
    town.close()


@pytest.mark.slow
def test_bill_uploaded_again_with_another_secret_is_anchored_anew_and_paid_once(
    town: Town, tmp_path: Path
) -> None:
    person = town.person()
    town.upload(town.bill(person, 1))
    finish(town)
    back_up(town.folder, tmp_path / "backup.db")
    document = town.bill(person, 2)
    lost = town.upload(document)
    (claim,) = town.submit(person, lost)
    finish(town)
    assert town.claim(claim.id).state == "paid"
    key = "0x" + town.key_of(lost).hex()

    town = reopened(town, tmp_path / "backup.db")
    refuse_to_start(town)
    done = reconcile(town)
    assert done.exit_code == 1
    assert "look for it in the bank's statement" in done.output
    say_go(town)
    bill = town.upload(document)
    (second,) = town.submit(person, bill)
    finish(town)
    # The ledger knows that it was paid: the second claim is refused, naming that.
    assert town.claim(second.id).state == "refused"
    assert town.event_keys("Settled") == [key]
    assert town.payouts() == []
    case = f"claim:{key[2:]}:1"
    assert reconcile(town, "--close", case).exit_code == 2
    close_by_two(town, case, "银行流水已核对")
    close_by_two(town, f"leaves:{CUSTODIAL}:2", "重传")
    # The bank paid a claim that is not here: it says so until a person has looked.
    payment = f"bank-payment:{claim.number}-V1-A1"
    found = reconcile(town, "--json")
    assert found.exit_code == 1
    (row,) = [one for one in json.loads(found.output) if one["what"] == payment]
    assert row["verdict"] == "case" and "its claim is not here" in row["detail"]
    close_by_two(town, payment, "流水")
    last = reconcile(town)
    assert last.exit_code == 0, last.output
    assert town.alarms() == set()
    assert reconcile(town, "--close", case, "--by", "x", "--reason", "y").exit_code == 1
    town.close()


@pytest.mark.slow
def test_lock_of_a_lost_claim_is_listed_and_given_back_by_a_person(
    town: Town, tmp_path: Path
) -> None:
    person = town.person()
    bill = town.upload(town.bill(person, 1))
    finish(town)
    back_up(town.folder, tmp_path / "backup.db")
    (claim,) = town.submit(person, bill)
    run_until(town, claim, "lodged")

    town = reopened(town, tmp_path / "backup.db")
    refuse_to_start(town)
    done = reconcile(town)
    assert done.exit_code == 1
    assert "our lock is open and no claim here holds it" in done.output
    say_go(town)
    case = f"claim:{town.key_of(bill).hex()}:1"
    assert "the lock is given back" in close_by_two(town, case, "申请已丢失")
    worker = town.worker()
    town.run_until_quiet(worker)
    assert reconcile_is_refused_while_a_worker_runs(town)
    worker._release()
    assert reconcile(town).exit_code == 0
    (again,) = town.submit(person, bill)
    finish(town)
    assert town.claim(again.id).state == "paid"
    assert len(town.event_keys("Released")) == 1
    assert len(town.event_keys("Settled")) == 1
    town.close()


def reconcile_is_refused_while_a_worker_runs(town: Town) -> bool:
    done = reconcile(town)
    return done.exit_code == 1 and "a worker is at work" in done.output


@pytest.mark.slow
def test_new_claim_on_a_locked_bill_takes_over_the_lock(town: Town, tmp_path: Path) -> None:
    """The submission was lost, the citizen touches again before anybody looks."""
    person = town.person()
    bill = town.upload(town.bill(person, 1))
    finish(town)
    back_up(town.folder, tmp_path / "backup.db")
    (claim,) = town.submit(person, bill)
    run_until(town, claim, "lodged")

    town = reopened(town, tmp_path / "backup.db")
    (again,) = town.submit(person, bill)
    refuse_to_start(town)
    done = adopt_and_say_go(town)
    assert done.exit_code == 0, done.output
    finish(town)
    assert town.claim(again.id).state == "paid"
    assert_once(town, bill)
    town.close()


@pytest.mark.slow
def test_offer_that_was_signed_after_the_backup_is_not_signed_again(
    town: Town, tmp_path: Path
) -> None:
    """The batch is known here, that its hospital has anchored it is not."""
    bill = replace(town.bill(town.person(), 1), institution_code=SELF)
    town.upload(bill, bytes(range(32)), SELF)
    worker = town.worker()
    while not open_offers(town):
        worker.run_once()
    worker._release()
    back_up(town.folder, tmp_path / "backup.db")
    with town.services.work() as work:
        offer = offer_next(work, SELF)
        assert offer is not None
        raw = sign(offer.unsigned, SELF_KEY).raw
        accept_signed(work, SELF, offer.id, raw, decode_signed)
        work.commit()
    finish(town)

    town = reopened(town, tmp_path / "backup.db")
    assert open_offers(town) == ["offered"]
    refuse_to_start(town)
    done = adopt_and_say_go(town)
    assert done.exit_code == 0, done.output
    assert open_offers(town) == []
    finish(town)
    assert {row.state for row in town.rows(tables.ledger_intent)} == {"final"}
    assert len(town.event_keys("Anchored")) == 1
    assert town.event_keys("AnchorUnchanged") == []
    town.close()


def open_offers(town: Town) -> list[str]:
    rows = town.rows(tables.ledger_transaction)
    return [row.state for row in rows if row.state == "offered"]


@pytest.mark.slow
def test_released_claim_is_refused_here_too(town: Town, tmp_path: Path) -> None:
    person = town.person()
    bill = town.upload(town.bill(person, 1, yuan=1))
    (claim,) = town.submit(person, bill)
    run_until(town, claim, "lodged")
    back_up(town.folder, tmp_path / "backup.db")
    # A person of the hospital voids it after the lodge: the claim gives its lock back.
    with town.services.work() as work:
        work.invoices.set_state(bill, "void")
        work.commit()
    finish(town)
    assert town.claim(claim.id).state == "refused"

    town = reopened(town, tmp_path / "backup.db")
    refuse_to_start(town)
    done = adopt_and_say_go(town)
    assert done.exit_code == 0, done.output
    finish(town)
    assert town.claim(claim.id).state == "refused"
    assert len(town.event_keys("Released")) == 1
    assert town.payouts() == []
    town.close()


@pytest.mark.slow
def test_worker_takes_the_check_again_when_it_takes_the_lease_over(
    town: Town, tmp_path: Path
) -> None:
    person = town.person()
    finish(town)
    back_up(town.folder, tmp_path / "backup.db")
    town.upload(town.bill(person, 1))
    finish(town)
    town = reopened(town, tmp_path / "backup.db")
    holder, standby = town.worker(), town.worker()
    standby.stop.wait = lambda *_: False  # type: ignore[method-assign]
    with town.services.work() as work:
        work.accounts.acquire("worker", holder.deps.owner, 60)
        work.commit()
    assert standby.run_once() == 0
    holder._release()
    with pytest.raises(DatabaseBehindChainError):
        standby.run_once()
    town.close()


def test_transaction_sent_while_the_nonces_are_compared_is_no_sign_of_a_backup(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator's command signs with the registrar's key while a worker starts."""
    deps = town.worker().deps
    admin = Network(town.services)
    asked = town.services.ledger.transaction_count
    registrar = town.services.keystores.account_of("registrar")
    calls: list[str] = []

    def count(account: str, block_number: int | None = None) -> int:
        if account == registrar and not calls:
            calls.append(account)
            admin.register_payer("basic")
        return asked(account, block_number)

    monkeypatch.setattr(town.services.ledger, "transaction_count", count)
    assert compare(deps, 1).findings == ()
    assert calls == [registrar]


def test_nothing_is_batched_before_a_node_has_answered(town: Town) -> None:
    person = town.person()
    town.upload(town.bill(person, 1))
    elsewhere = Town("http://127.0.0.1:1", town.folder)
    worker = elsewhere.worker()
    worker.run_once()
    worker._release()
    assert town.rows(tables.batch) == []
    elsewhere.close()


@pytest.mark.slow
def test_payouts_are_held_and_said_to_wait_until_the_chain_is_adopted(
    town: Town, tmp_path: Path
) -> None:
    person = town.person()
    bill = town.upload(town.bill(person, 1))
    (claim,) = town.submit(person, bill)
    run_until(town, claim, "settled")
    back_up(town.folder, tmp_path / "backup.db")
    town.upload(town.bill(town.person(), 2))
    finish(town)

    town = reopened(town, tmp_path / "backup.db")
    refuse_to_start(town)
    assert town.claim(claim.id).waiting_for == "reconcile"
    with town.services.work(write=False) as work:
        view = view_claim(town.services, work, person.id, claim.id)
    assert status_of(view).title == "已核定，暂缓打款"
    why = town.services.readiness()["anchoring"]["refuses_to_start"]
    assert why.startswith("database-behind-chain: nonce 0x") and "batch H33080300001: 1 < 2" in why
    for _ in range(3):
        advance.advance_claims(town.services)
    assert town.payouts() == []
    assert reconcile(town).exit_code == 1  # the leaf of the second bill is lost
    assert town.claim(claim.id).waiting_for is None
    assert town.services.readiness()["anchoring"]["refuses_to_start"] == ""
    finish(town)
    assert town.payouts() == [(f"pay_{claim.number}_v1", 1)]
    town.close()


@pytest.mark.slow
def test_nothing_is_paid_after_a_final_block_left_the_chain_until_a_person_says_so(
    town: Town,
) -> None:
    person = town.person()
    bill = town.upload(town.bill(person, 1))
    (claim,) = town.submit(person, bill)
    run_until(town, claim, "lodged")
    snapshot = town.services.ledger.rpc.call("evm_snapshot")
    run_until(town, claim, "settled")
    go_back(town, snapshot)
    worker = town.worker()
    for _ in range(10):
        worker.run_once()
    worker._release()
    # The settlement went out again by itself; the money waits for a person.
    assert len(town.event_keys("Settled")) == 1
    assert town.claim(claim.id).waiting_for == "reconcile"
    assert town.payouts() == []
    done = reconcile(town)
    assert done.exit_code == 1
    (case,) = [word for word in done.output.split() if word.startswith("alarm:final-reorg")]
    close_by_two(town, case, "各节点已核对")
    assert reconcile(town, "--close", case, "--by", "x", "--reason", "y").exit_code == 1
    finish(town)
    assert town.payouts() == [(f"pay_{claim.number}_v1", 1)]
    assert_once(town, bill)
    assert reconcile(town).exit_code == 0


@pytest.mark.slow
def test_money_sent_on_a_final_block_that_left_the_chain_is_a_case(town: Town) -> None:
    person = town.person()
    bill = town.upload(town.bill(person, 1))
    (claim,) = town.submit(person, bill)
    run_until(town, claim, "lodged")
    snapshot = town.services.ledger.rpc.call("evm_snapshot")
    finish(town)
    assert town.claim(claim.id).state == "paid"
    go_back(town, snapshot)
    done = reconcile(town)
    assert done.exit_code == 1
    (line,) = [one for one in done.output.splitlines() if f"claim {claim.number}\t" in one]
    assert line.endswith("/ paid, and its settlement is not on the chain now")
    finish(town)  # the settlement is sent again; nothing is paid again
    done = reconcile(town)
    assert f"claim {claim.number}" not in done.output
    assert town.payouts() == [(f"pay_{claim.number}_v1", 1)]
    assert_once(town, bill)


@pytest.mark.slow
def test_reconcile_that_was_stopped_in_the_middle_is_finished_by_the_next(
    town: Town, tmp_path: Path
) -> None:
    person = town.person()
    bill = town.upload(town.bill(person, 1))
    (claim,) = town.submit(person, bill)
    back_up(town.folder, tmp_path / "backup.db")
    finish(town)

    town = reopened(town, tmp_path / "backup.db")
    deps = town.worker().deps
    parties = Parties((), 1, {1: (CUSTODIAL, 0)})
    seen: list[str] = []

    def stop_at_the_lodge(work: Any, event: LedgerEvent, at: dt.datetime) -> Line:
        seen.append(event.call)
        raise KeyboardInterrupt

    adopters = Adopters(stop_at_the_lodge, adopt_bill_event)
    with pytest.raises(KeyboardInterrupt):
        adopt_chain(deps, parties, adopters, 0, deps.node.head().number)
    assert seen == ["lodge"]
    assert len(town.rows(tables.batch)) == 1  # the batch was adopted before
    refuse_to_start(town)
    done = adopt_and_say_go(town)
    assert done.exit_code == 0, done.output
    finish(town)
    assert town.claim(claim.id).state == "paid"
    assert_once(town, bill)
    town.close()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--by", "x"),
        ("--close", "case"),
        ("--close", "case", "--by", "x"),
        ("--close", "case", "--by", "x", "--reason", "y", "--check"),
        ("--confirm", "case"),
        ("--confirm", "case", "--by", "x", "--reason", "y", "--check"),
        ("--confirm", "case", "--by", "x", "--reason", "y", "--outcome", "accepted"),
        ("--confirm", "case", "--close", "case", "--by", "x", "--reason", "y"),
        ("--outcome", "accepted"),
        ("extra",),
    ],
)
def test_wrong_calls_of_reconcile_are_usage_errors(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, ["reconcile", *arguments])
    assert done.exit_code == 2
    assert "Usage: " in done.output


def wrapped_secrets(town: Town, bills: list[str]) -> list[bytes]:
    """The invoice secrets, as the hospital that made them knows them."""
    found = {}
    for row in town.rows(tables.invoice_version):
        found[row.invoice_id] = town.services.secret_box.unwrap(row.wrapped_secret, row.id)
    return [found[bill] for bill in bills]


def upload_with_secret(town: Town, document: object, secret: bytes) -> str:
    """Upload as a self-custody agent would: the hospital's own secret comes with the bill."""
    with town.services.engine.begin() as connection:
        custody = sa.update(tables.institution).where(tables.institution.c.code == CUSTODIAL)
        connection.execute(custody.values(custody="self"))
    try:
        return town.upload(document, secret)  # type: ignore[arg-type]
    finally:
        with town.services.engine.begin() as connection:
            custody = sa.update(tables.institution).where(tables.institution.c.code == CUSTODIAL)
            connection.execute(custody.values(custody="custodial"))
