"""Bad input at the start: the worker and the commands stop with a sentence that says what to do,
and nothing is sent."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.adapters.database.payer_repository import Payer
from backend.adapters.ledger.keystores import SCRYPT_CHEAP, KeystoreError, Keystores
from backend.adapters.ledger.network import Network, RoleMissingError
from backend.adapters.ledger.preflight import StartRefusedError, require_ready
from backend.adapters.ledger.rpc import WrongNetworkError
from backend.domain.ledger import IntentState
from backend.service_layer.anchoring.send import send_queued
from backend.service_layer.ports import LedgerUnavailableError
from tests.integration.anchoring.faulty_node import FaultyNode, faulty_node
from tests.integration.anchoring.network import CUSTODIAL, PASSWORD, TestNetwork
from tests.integration.anchoring.traps.checks import assert_anchored_once, want_one_anchor

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
TODAY = dt.date(2026, 1, 1)


@pytest.fixture
def ready(network: TestNetwork) -> TestNetwork:
    """A network whose payer is in the database: a worker may start."""
    with network.services.work() as work:
        work.payers.add(Payer(1, "agency", "basic", network.payer_account(1)))
        work.commit()
    return network


@pytest.fixture
def node(ready: TestNetwork) -> Iterator[FaultyNode]:
    with faulty_node(ready.url) as node:
        yield node


def run_worker_command(network: TestNetwork, **environment: str) -> tuple[int, str]:
    """``yichu worker --once --wait 0`` with this configuration: exit status, what it said."""
    return run_command(network, "worker", "--once", "--wait", "0", **environment)


def run_command(network: TestNetwork, *arguments: str, **environment: str) -> tuple[int, str]:
    secrets = network.folder / "secrets"
    secrets.mkdir(exist_ok=True)
    for name in ("network_key", "wrapping_key"):
        (secrets / name).write_text("ab" * 32)
    done = subprocess.run(
        [sys.executable, "-m", "backend.entrypoints.cli.main", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "YICHU_VAR": str(network.folder),
            "YICHU_RPC_URLS": network.url,
            "YICHU_KEYSTORE_PASSWORD": PASSWORD,
            "YICHU_KEYSTORE_SCRYPT": "cheap",
        }
        | environment,
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def assert_nothing_sent(network: TestNetwork, anchor: str) -> None:
    assert network.intent(anchor).state is IntentState.QUEUED
    assert network.nonce(network.account_of(CUSTODIAL)) == 0
    assert network.events("Anchored") == []


@pytest.mark.slow  # the command itself; test_worker.py starts it in the fast suite
def test_worker_with_everything_right_starts(ready: TestNetwork) -> None:
    require_ready(ready.services)
    want_one_anchor(ready)
    status, said = run_worker_command(ready)
    assert status == 0, said


def test_worker_before_a_payer_is_registered_starts_and_lets_claims_wait(
    network: TestNetwork,
) -> None:
    require_ready(network.services)


def test_wrong_rpc_address_stops_the_worker(ready: TestNetwork) -> None:
    anchor = want_one_anchor(ready)
    urls = "http://127.0.0.1:9,http://127.0.0.1:7"
    status, said = run_worker_command(ready, YICHU_RPC_URLS=urls)
    assert status == 1
    assert "没有一个账本节点应答，请检查 YICHU_RPC_URLS" in said
    assert "no ledger node answers; check YICHU_RPC_URLS" in said
    assert_nothing_sent(ready, anchor)


def test_set_up_command_with_a_wrong_address_says_what_to_check(ready: TestNetwork) -> None:
    url = "http://127.0.0.1:9"
    status, said = run_command(ready, "contracts", "pause", YICHU_RPC_URLS=url)
    assert status == 1
    assert "账本节点没有应答，请检查 YICHU_RPC_URLS" in said
    assert "http://127.0.0.1:9 did not answer" in said and "check YICHU_RPC_URLS" in said
    assert ready.nonce(ready.services.keystores.account_of("pauser")) == 0


def test_one_wrong_address_of_two_does_not_stop_the_worker(ready: TestNetwork) -> None:
    services = ready.services
    services.ledger.close()
    services.settings = dataclasses.replace(
        services.settings, rpc_urls=("http://127.0.0.1:9", ready.url)
    )
    del services.ledger
    require_ready(services)


def test_secret_parts_of_an_address_are_not_printed(ready: TestNetwork) -> None:
    behind = TestNetwork("http://user:hunter2@127.0.0.1:9/key/abc", ready.folder)
    with pytest.raises(
        LedgerUnavailableError, match=r"http://127\.0\.0\.1:9 did not answer"
    ) as said:
        require_ready(behind.services)
    assert "hunter2" not in str(said.value) and "key/abc" not in str(said.value)
    behind.close()


def refuse_start(network: TestNetwork, url: str) -> WrongNetworkError:
    """What a worker with this node says, after it was refused."""
    behind = TestNetwork(url, network.folder)
    anchor = want_one_anchor(behind)
    with pytest.raises(WrongNetworkError) as refusal:
        require_ready(behind.services)
    assert_nothing_sent(network, anchor)
    behind.close()
    return refusal.value


def test_wrong_chain_stops_the_worker(ready: TestNetwork, node: FaultyNode) -> None:
    node.say("eth_chainId", "0x1")
    error = refuse_start(ready, node.url)
    assert "another network (chain id differs); check YICHU_RPC_URLS" in error.en
    assert "另一个网络，请检查 YICHU_RPC_URLS" in error.zh


def test_wrong_chain_stops_the_worker_also_beside_a_right_one(
    ready: TestNetwork, node: FaultyNode
) -> None:
    node.say("eth_getBlockByNumber", {"hash": "0x" + "12" * 32})
    services = ready.services
    services.ledger.close()
    services.settings = dataclasses.replace(services.settings, rpc_urls=(ready.url, node.url))
    del services.ledger
    with pytest.raises(WrongNetworkError, match="another network \\(genesis differs\\)"):
        require_ready(services)


@pytest.mark.parametrize(("code", "how"), [("0x", "is missing"), ("0x6001600155", "differs")])
def test_missing_or_other_contract_code_stops_the_worker(
    ready: TestNetwork, node: FaultyNode, code: str, how: str
) -> None:
    node.say("eth_getCode", code)
    assert f"registry code {how}" in refuse_start(ready, node.url).en


def test_database_without_contracts_stops_the_worker(
    ready: TestNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.adapters.database.chain_repository import ChainRepository

    monkeypatch.setattr(ChainRepository, "deployment", lambda *_: None)
    with pytest.raises(StartRefusedError, match="run yichu contracts deploy"):
        require_ready(ready.services)


def test_locked_keystore_stops_the_worker(ready: TestNetwork) -> None:
    anchor = want_one_anchor(ready)
    status, said = run_worker_command(ready, YICHU_KEYSTORE_PASSWORD="not the password")
    assert status == 1
    assert "keystore payer-1 does not open: wrong password or changed file" in said
    assert "请检查 YICHU_KEYSTORE_PASSWORD" in said
    assert_nothing_sent(ready, anchor)
    assert not (ready.folder / "keystores" / "probe.json").exists()


def test_missing_password_stops_the_worker(ready: TestNetwork) -> None:
    status, said = run_worker_command(ready, YICHU_KEYSTORE_PASSWORD="")
    assert status == 1
    assert "set YICHU_KEYSTORE_PASSWORD or" in said


def test_missing_keystore_stops_the_worker(ready: TestNetwork) -> None:
    (ready.folder / "keystores" / "payer-1.json").unlink()
    with pytest.raises(StartRefusedError, match="of payer 1 is missing: restore it into"):
        require_ready(ready.services)


def test_account_without_its_role_stops_the_worker(ready: TestNetwork) -> None:
    stranger = ready.services.keystores.create("payer-1-2")
    with ready.services.work() as work:
        work.payers.add_account(1, stranger)
        work.commit()
    anchor = want_one_anchor(ready)
    with pytest.raises(StartRefusedError, match="does not act for payer 1") as refusal:
        require_ready(ready.services)
    assert "yichu contracts add-payer-account" in refusal.value.en
    assert_nothing_sent(ready, anchor)


def test_registrar_without_its_role_is_refused_before_anything_is_sent(
    ready: TestNetwork, tmp_path: Path
) -> None:
    """A set-up command with keystores of another system."""
    keystores = ready.services.keystores = Keystores(tmp_path / "other", PASSWORD, SCRYPT_CHEAP)
    accounts = [keystores.create(role) for role in ("registrar", "pauser", "policy-publisher")]
    network = Network(ready.services)
    for command, role in (
        (lambda: network.register_payer("basic", account="0x" + "15" * 20), "REGISTRAR_ROLE"),
        (lambda: network.fresh_custodial_account("H33080300077"), "REGISTRAR_ROLE"),
        (lambda: network.set_paused(True), "PAUSER_ROLE"),
        (lambda: network.publish_policy(b"\x15" * 32, TODAY), "POLICY_PUBLISHER_ROLE"),
    ):
        with pytest.raises(RoleMissingError, match=f"lacks the role {role}") as refusal:
            command()
        assert "let the contracts' admin grant it" in refusal.value.en
        assert f"没有角色 {role}" in refusal.value.zh and "请合约管理员授予" in refusal.value.zh
    assert [ready.nonce(account) for account in accounts] == [0, 0, 0]
    assert keystores.roles() == ["pauser", "policy-publisher", "registrar"]


def test_wrong_password_makes_no_keystore_that_would_lock_up_what_is_registered(
    ready: TestNetwork,
) -> None:
    services, right = ready.services, ready.services.keystores
    services.keystores = Keystores(ready.folder / "keystores", "not this", SCRYPT_CHEAP)
    before, terms = right.roles(), {"agreement_from": TODAY, "agreement_until": TODAY}
    network, code = Network(services), "H33080300077"
    for command in (
        lambda: network.register_institution(code, **terms, grace_days=1, custody="custodial"),
        lambda: network.fresh_custodial_account(CUSTODIAL),
        lambda: network.register_payer("commercial"),
        lambda: network.add_payer_account(1, [ready.payer_account(1)]),
    ):
        with pytest.raises(KeystoreError, match="keystore registrar does not open"):
            command()
    assert right.roles() == before
    services.keystores = right
    made = Network(services).register_institution(code, **terms, grace_days=1, custody="custodial")
    right.require_open(made.account)


def test_keystore_of_another_password_is_not_registered(ready: TestNetwork) -> None:
    """It lies there from elsewhere: whoever registered it could never sign."""
    code, registrar = "H33080300078", ready.services.keystores.account_of("registrar")
    nonce = ready.nonce(registrar)
    Keystores(ready.folder / "keystores", "not this", SCRYPT_CHEAP).create(f"institution-{code}")
    with pytest.raises(KeystoreError, match=f"keystore institution-{code} does not open"):
        Network(ready.services).register_institution(
            code, agreement_from=TODAY, agreement_until=TODAY, grace_days=1, custody="custodial"
        )
    assert ready.nonce(registrar) == nonce


def test_command_without_its_keystore_says_which(ready: TestNetwork, tmp_path: Path) -> None:
    ready.services.keystores = Keystores(tmp_path / "other", PASSWORD, SCRYPT_CHEAP)
    with pytest.raises(KeystoreError, match="keystore pauser is missing or unreadable"):
        Network(ready.services).set_paused(True)


def test_key_that_does_not_open_later_alarms_and_the_others_go_on(ready: TestNetwork) -> None:
    """The hospital's keystore has another password: its batches wait, a lodge goes out."""
    anchor = want_one_anchor(ready)
    path = ready.folder / "keystores"
    (path / f"institution-{CUSTODIAL}.json").unlink()
    from eth_account import Account

    key = b"\x31" * 32
    other = Keystores(path, "another password", SCRYPT_CHEAP)
    other.create(f"institution-{CUSTODIAL}", key)
    account = Account.from_key(key).address
    with ready.services.work() as work:
        from sqlalchemy import update

        from backend.adapters.database.tables import ledger_intent

        work.connection.execute(
            update(ledger_intent).where(ledger_intent.c.id == anchor).values(account=account)
        )
        work.commit()
    assert send_queued(ready.deps) == 0
    assert set(ready.alarms()) <= {"no-keystore", "anchor-barred"} and ready.alarms()
    assert ready.intent(anchor).state is IntentState.QUEUED


def test_ledger_that_comes_up_late_is_waited_for(ready: TestNetwork, node: FaultyNode) -> None:
    behind = TestNetwork(node.url, ready.folder)
    node.drop_before(times=2)
    with pytest.raises(LedgerUnavailableError, match="no ledger node answers"):
        require_ready(behind.services)
    require_ready(behind.services, wait_seconds=10)
    anchor = want_one_anchor(behind)
    behind.run(passes=2)
    assert_anchored_once(ready, anchor)
    behind.close()
