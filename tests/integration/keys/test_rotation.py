"""Ledger accounts of institutions change hands; what they anchored and what waits does not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from eth_account import Account

from backend.adapters.database.tables import ledger_transaction
from backend.adapters.ledger.network import Network, RegistrationError
from backend.adapters.ledger.transactions import decode_signed, sign
from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.ledger import IntentState
from backend.entrypoints.cli import hospital
from backend.service_layer.anchoring import send
from backend.service_layer.anchoring.model import CallRefusedError
from backend.service_layer.anchoring.send import send_queued
from backend.service_layer.anchoring.signing_offers import accept_signed, offer_next
from tests.integration.anchoring.network import (
    CUSTODIAL,
    SELF,
    SELF_ACCOUNT,
    SELF_KEY,
    TestNetwork,
    leaf,
)

NEW_KEY = bytes.fromhex("29" * 32)
NEW_ACCOUNT = Account.from_key(NEW_KEY).address


@pytest.fixture(autouse=True)
def _operators_services(network: TestNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hospital, "build_services", lambda: network.services)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(hospital.command, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def account_here(network: TestNetwork, code: str) -> str:
    with network.services.work(write=False) as work:
        account = work.institutions.get(code).ledger_account
    assert account is not None
    return account


def anchored(network: TestNetwork) -> list[tuple[int, int]]:
    """(institution, sequence) of every anchor on the ledger, in order."""
    found = []
    for log in network.events("Anchored"):
        found.append((int(log["topics"][1], 16), int(log["topics"][2], 16)))
    return found


def senders(network: TestNetwork) -> list[str]:
    logs = network.events("Anchored")
    return [network.rpc("eth_getTransactionByHash", log["transactionHash"])["from"] for log in logs]


def test_new_custodial_account_anchors_under_the_same_number(network: TestNetwork) -> None:
    old = account_here(network, CUSTODIAL)
    first, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    network.run(passes=2)
    assert network.intent(first).is_final
    said = run("rotate-account", CUSTODIAL)
    new = account_here(network, CUSTODIAL)
    assert new != old and f"{old} -> {new}" in said
    assert network.services.keystores.account_of(f"institution-{CUSTODIAL}-2") == new
    assert network.services.ledger.anchor_bar(old) == "not-an-institution"
    assert network.services.ledger.anchor_bar(new) == ""
    run("rotate-account", CUSTODIAL)
    assert account_here(network, CUSTODIAL) not in (old, new)
    assert network.services.ledger.anchor_bar(new) == "not-an-institution"


def test_old_anchor_stays_and_new_one_of_the_old_account_is_refused(network: TestNetwork) -> None:
    old = account_here(network, CUSTODIAL)
    network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    network.run(passes=2)
    head = network.services.ledger.batch_head(1, 1)
    run("rotate-account", CUSTODIAL)
    assert network.services.ledger.batch_head(1, 1) == head != bytes(32)
    second, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 2)])
    call = network.services.ledger.encode(
        network.intent(second).kind, [network.intent(second).payload]
    )
    with pytest.raises(CallRefusedError, match="LedgerNotInstitution"):
        network.services.ledger.check(old, call)


def test_what_was_queued_is_sent_by_the_new_account(network: TestNetwork) -> None:
    intent, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    run("rotate-account", CUSTODIAL)
    network.run(passes=2)
    assert network.intent(intent).is_final
    assert senders(network) == [account_here(network, CUSTODIAL).lower()]


def test_signed_and_unsent_of_the_removed_account_is_signed_anew(
    network: TestNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes were committed and never left; the ledger refuses them, the new account's stand."""
    old = account_here(network, CUSTODIAL)
    intent, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    with monkeypatch.context() as context:
        context.setattr(send, "forward", lambda deps, record: "")
        send_queued(network.deps)
    assert network.intent(intent).state is IntentState.SIGNED
    run("rotate-account", CUSTODIAL)
    network.run(passes=4)
    assert network.intent(intent).is_final
    assert network.intent(intent).took_effect
    assert senders(network) == [account_here(network, CUSTODIAL).lower()]
    assert anchored(network) == [(1, 1)]
    # The old account's nonce is used, by the refused transaction, and nothing of it waits.
    assert network.nonce(old) == 1
    assert open_transactions(network) == []


def test_sent_and_mined_before_the_removal_stands(network: TestNetwork) -> None:
    """Both wait in the pool, and the anchor comes first in the block."""
    old = account_here(network, CUSTODIAL)
    intent, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    network.rpc("miner_stop")
    try:
        send_queued(network.deps)
        assert network.intent(intent).state is IntentState.SENT
        with ThreadPoolExecutor(1) as pool:
            rotation = pool.submit(run, "rotate-account", CUSTODIAL)
            registrar = network.services.keystores.account_of("registrar").lower()
            for _ in range(200):
                if registrar in network.rpc("txpool_content")["pending"]:
                    break
                time.sleep(0.05)
            network.rpc("evm_mine")
            rotation.result(30)
    finally:
        network.rpc("miner_start")
    network.run(passes=2)
    assert network.intent(intent).is_final and network.intent(intent).took_effect
    assert senders(network) == [old.lower()]
    assert account_here(network, CUSTODIAL) != old


def open_transactions(network: TestNetwork) -> list[Any]:
    with network.services.engine.connect() as connection:
        return list(
            connection.execute(
                sa.select(ledger_transaction.c.account, ledger_transaction.c.state).where(
                    ledger_transaction.c.state.in_(("offered", "signed", "sent"))
                )
            )
        )


def sign_offer(network: TestNetwork, key: bytes) -> None:
    with network.services.work() as work:
        offer = offer_next(work, SELF)
        assert offer is not None
        raw = sign(offer.unsigned, key).raw
        accept_signed(work, SELF, offer.id, raw, decode_signed)
        work.commit()


def test_self_custody_offer_is_made_to_the_new_account(network: TestNetwork) -> None:
    intent, _ = network.want_anchor(SELF, [leaf(SELF, 1)])
    network.run()
    with network.services.work(write=False) as work:
        old_offer = offer_next(work, SELF)
    assert old_offer is not None and old_offer.account == SELF_ACCOUNT
    run("rotate-account", SELF, "--account", NEW_ACCOUNT.lower())
    network.run()
    with network.services.work(write=False) as work:
        offer = offer_next(work, SELF)
        assert offer is not None and offer.account == NEW_ACCOUNT
        with pytest.raises(NotFoundError, match="no ledger transaction"):
            accept_signed(
                work, SELF, old_offer.id, sign(old_offer.unsigned, SELF_KEY).raw, decode_signed
            )
    sign_offer(network, NEW_KEY)
    network.run(passes=2)
    assert network.intent(intent).is_final
    assert senders(network) == [NEW_ACCOUNT.lower()]


def test_self_custody_signature_of_the_removed_account_has_no_effect(network: TestNetwork) -> None:
    """The agent signed with the old key, then the account was changed, then the bytes left."""
    intent, _ = network.want_anchor(SELF, [leaf(SELF, 1)])
    network.run()
    sign_offer(network, SELF_KEY)
    run("rotate-account", SELF, "--account", NEW_ACCOUNT)
    network.run(passes=3)
    assert anchored(network) == []
    sign_offer(network, NEW_KEY)
    network.run(passes=2)
    assert network.intent(intent).is_final
    assert senders(network) == [NEW_ACCOUNT.lower()]
    assert open_transactions(network) == []


def test_revoked_account_waits_with_an_alarm_and_goes_on_with_the_next(
    network: TestNetwork,
) -> None:
    network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    network.run(passes=2)
    head = network.services.ledger.batch_head(1, 1)
    old = account_here(network, CUSTODIAL)
    assert "revoked" in run("revoke-account", CUSTODIAL)
    assert "was revoked before" in run("revoke-account", CUSTODIAL)
    assert network.services.ledger.batch_head(1, 1) == head
    waiting, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 2)])
    network.run(passes=2)
    assert network.intent(waiting).state is IntentState.QUEUED
    assert "anchor-barred" in network.alarms()
    run("rotate-account", CUSTODIAL)
    network.run(passes=2)
    assert network.intent(waiting).is_final
    assert senders(network) == [old.lower(), account_here(network, CUSTODIAL).lower()]
    assert anchored(network) == [(1, 1), (1, 2)]


def test_signed_and_unsent_of_a_revoked_account_ends_in_an_alarm(
    network: TestNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other account is there: nothing is anchored, the alarm says why, nothing is lost."""
    intent, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    with monkeypatch.context() as context:
        context.setattr(send, "forward", lambda deps, record: "")
        send_queued(network.deps)
    run("revoke-account", CUSTODIAL)
    network.run(passes=4)
    assert network.intent(intent).state is IntentState.QUEUED
    assert anchored(network) == []
    assert open_transactions(network) == []
    assert "anchor-barred" in network.alarms()
    run("rotate-account", CUSTODIAL)
    network.run(passes=2)
    assert network.intent(intent).is_final
    assert anchored(network) == [(1, 1)]


def test_rotation_that_was_cut_off_is_completed_by_the_next(
    network: TestNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the ledger and the database: no third key, and none is left behind."""
    from backend.adapters.database.institution_repository import InstitutionRepository

    old = account_here(network, CUSTODIAL)

    def killed(*_: object) -> int:
        raise RuntimeError("cut off")

    with monkeypatch.context() as context:
        context.setattr(InstitutionRepository, "change_account", killed)
        with pytest.raises(RuntimeError, match="cut off"):
            CliRunner().invoke(
                hospital.command, ["rotate-account", CUSTODIAL], catch_exceptions=False
            )
    assert account_here(network, CUSTODIAL) == old
    run("rotate-account", CUSTODIAL)
    held = Network(network.services).custodial_accounts(CUSTODIAL)
    assert held == [old, account_here(network, CUSTODIAL)]


def test_registering_again_after_a_rotation_changes_nothing(network: TestNetwork) -> None:
    import datetime as dt

    run("rotate-account", CUSTODIAL)
    done = Network(network.services).register_institution(
        CUSTODIAL,
        agreement_from=dt.date(2020, 1, 1),
        agreement_until=dt.date(2037, 12, 31),
        grace_days=30,
        custody="custodial",
    )
    assert (done.number, done.account) == (1, account_here(network, CUSTODIAL))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((SELF,), ConflictError, "name the new account of a self-custody institution"),
        ((CUSTODIAL, "--account", NEW_ACCOUNT), ConflictError, "a custodial one gets a keystore"),
        ((SELF, "--account", "0x12"), ConflictError, "0x12 is no ledger account"),
        (("NOBODY", "--account", NEW_ACCOUNT), NotFoundError, "NOBODY is not registered"),
    ],
)
def test_refused_rotations(
    network: TestNetwork, arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run("rotate-account", *arguments)
    assert account_here(network, SELF) == SELF_ACCOUNT


def test_an_account_is_never_given_out_twice(network: TestNetwork) -> None:
    """Neither another institution's nor a payer's, and not one's own former account."""
    for taken in (account_here(network, CUSTODIAL), network.payer_account(1)):
        with pytest.raises(RegistrationError, match="acts or acted on this ledger"):
            run("rotate-account", SELF, "--account", taken)
    run("rotate-account", SELF, "--account", NEW_ACCOUNT)
    with pytest.raises(RegistrationError, match="acts or acted on this ledger"):
        run("rotate-account", SELF, "--account", SELF_ACCOUNT)
    assert account_here(network, SELF) == NEW_ACCOUNT
