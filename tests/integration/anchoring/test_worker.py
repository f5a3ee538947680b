"""The worker process itself: standby, take-over, SIGTERM; set-up commands; keystores."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.adapters.ledger.deployment import Deployer, ForeignContractsError
from backend.adapters.ledger.keystores import SCRYPT_CHEAP, KeystoreError, Keystores
from backend.adapters.ledger.network import Network, RegistrationError
from backend.adapters.ledger.rpc import JSONRPC
from backend.domain.errors import ConflictError
from backend.entrypoints.anchor_worker import Worker
from backend.service_layer.anchoring.model import Fees, UnsignedTransaction
from tests.integration.anchoring.network import CUSTODIAL, PASSWORD, TestNetwork, leaf

ROOT = Path(__file__).parents[3]


def test_second_worker_is_a_standby_and_takes_over(network: TestNetwork) -> None:
    anchor, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    first, second = Worker(network.services), Worker(network.services)
    second.stop.wait = lambda *_: False  # type: ignore[method-assign]
    assert first.run_once() > 0
    assert second.run_once() == 0
    with network.services.work() as work:
        work.accounts.release_all(first.deps.owner)
        work.commit()
    second.run_once()
    second.run_once()
    assert network.intent(anchor).is_final


def test_worker_command_anchors_and_stops_on_sigterm(network: TestNetwork) -> None:
    for name in ("network_key", "wrapping_key", "session_key"):
        path = network.folder / "secrets" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("ab" * 32)
    anchor, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    environment = {
        "PATH": os.environ["PATH"],
        "YICHU_VAR": str(network.folder),
        "YICHU_RPC_URLS": network.url,
        "YICHU_KEYSTORE_PASSWORD": PASSWORD,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.entrypoints.cli.main", "worker"],
        env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not network.intent(anchor).is_final and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert network.intent(anchor).is_final, errors
    assert "Traceback" not in errors


def test_set_up_can_be_repeated_and_refuses_contradictions(network: TestNetwork) -> None:
    admin = Network(network.services)
    terms = {
        "agreement_from": dt.date(2020, 1, 1),
        "agreement_until": dt.date(2037, 12, 31),
        "grace_days": 30,
    }
    account = network.account_of(CUSTODIAL)
    again = admin.register_institution(CUSTODIAL, custody="custodial", **terms)
    assert (again.number, again.account) == (1, account)
    with pytest.raises(ConflictError, match="registered on the ledger with another account"):
        admin.register_institution(CUSTODIAL, custody="self", account="0x" + "12" * 20, **terms)
    with pytest.raises(RegistrationError, match="account is missing"):
        admin.register_institution("H9", custody="self", **terms)
    assert admin.register_payer("basic", number=1).number == 1
    with pytest.raises(RegistrationError, match="next payer on the ledger is number 3"):
        admin.register_payer("basic", number=9)
    with pytest.raises(RegistrationError, match="basic, commercial or other"):
        admin.register_payer("public")
    assert admin.publish_policy(b"\x07" * 32, dt.date(2026, 1, 1))
    assert not admin.publish_policy(b"\x07" * 32, dt.date(2026, 1, 1))


def test_intake_waits_while_paused(network: TestNetwork) -> None:
    admin = Network(network.services)
    assert admin.set_paused(True) and not admin.set_paused(True)
    anchor, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    network.run(passes=2)
    assert network.intent(anchor).tx_hash is None
    assert admin.set_paused(False)
    network.run()
    assert network.intent(anchor).outcome == "done"


def test_foreign_and_older_contracts_are_recognised(network: TestNetwork, tmp_path: Path) -> None:
    rpc = JSONRPC([network.url])
    deployer = Deployer(rpc, network.services.keystores, lambda: Fees(gas_price=0))
    known = network.services.ledger.deployment()
    deployer.check(known)
    with pytest.raises(ForeignContractsError, match="another ledger network"):
        deployer.check(dataclasses.replace(known, genesis_hash=b"\x01" * 32))
    with pytest.raises(ForeignContractsError, match="does not hold the contract Registry"):
        deployer.check(dataclasses.replace(known, registry=known.invoice_ledger))
    with pytest.raises(ForeignContractsError, match="used with another database"):
        deployer.deploy()
    rpc.close()


def test_keystore_refuses_wrong_password_missing_key_and_changed_file(tmp_path: Path) -> None:
    keystores = Keystores(tmp_path, PASSWORD, SCRYPT_CHEAP)
    account = keystores.create("payer-1")
    assert keystores.create("payer-1") == account
    assert (tmp_path / "payer-1.json").stat().st_mode & 0o777 == 0o600
    unsigned = UnsignedTransaction(1337, 0, account, b"", 21_000, gas_price=0)
    assert keystores.sign(account, unsigned).sender == account
    with pytest.raises(KeystoreError, match="wrong password or changed file"):
        Keystores(tmp_path, "another", SCRYPT_CHEAP).sign(account, unsigned)
    with pytest.raises(KeystoreError, match="there is no keystore for account"):
        keystores.sign("0x" + "11" * 20, unsigned)
    with pytest.raises(KeystoreError, match="impossible form"):
        keystores.create("../payer")
    other = keystores.create("payer-2")
    document = json.loads((tmp_path / "payer-1.json").read_text()) | {"address": other}
    (tmp_path / "payer-2.json").write_text(json.dumps(document))
    fresh = Keystores(tmp_path, PASSWORD, SCRYPT_CHEAP)
    with pytest.raises(KeystoreError, match="another key than its address says"):
        fresh.sign(other, unsigned)
