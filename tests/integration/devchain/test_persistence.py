"""What the folder keeps: everything, through restarts, SIGKILL, snapshots and reverts."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from backend.entrypoints.cli.devchain import command
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.errors import LedgerStartError
from backend.entrypoints.devchain.options import ChainOptions

from .conftest import ADDRESS0, ADDRESS1, ROOT, Command, Ledger, OpenLedger


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_restart_keeps_everything(tmp_path: Path) -> None:
    engine = Engine(tmp_path, ChainOptions(chain_id=4242, accounts=3, balance_ether=7))
    address = engine.wallet.addresses[0]
    key = engine.wallet.key(address)
    assert len(engine.mnemonic.split()) == 12
    engine.mine(3)
    number = engine.snapshot()
    engine.increase_time(100)
    head = engine.chain.get_canonical_head().hash
    engine.close()

    again = Engine(tmp_path, ChainOptions())
    assert not again.created
    assert again.settings.chain_id == 4242
    assert again.wallet.addresses[0] == address
    assert again.wallet.key(address) == key
    assert again.chain.get_canonical_head().hash == head
    assert again.head_state().get_balance(address) == 7 * 10**18
    assert again.time_offset == 100
    again.mine(2)
    assert again.revert(number)
    assert again.chain.get_canonical_head().hash == head
    assert again.time_offset == 0
    again.close()


def test_random_mnemonic_differs_and_seed_repeats(tmp_path: Path) -> None:
    def phrase(name: str, **options: Any) -> str:
        engine = Engine(tmp_path / name, ChainOptions(accounts=1, **options))
        engine.close()
        return engine.mnemonic

    assert phrase("a") != phrase("b")
    assert phrase("c", seed="x") == phrase("d", seed="x") != phrase("e", seed="y")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"chain_id": 2}, "--chain-id"),
        ({"network_id": 2}, "--network-id"),
        ({"hardfork": "london"}, "--hardfork"),
        ({"gas_limit": 10_000_000}, "--gas-limit"),
        ({"accounts": 2}, "--accounts"),
        ({"balance_ether": 5}, "--default-balance-ether"),
        ({"deterministic": True}, "mnemonic"),
    ],
)
def test_contradicting_options_are_refused(
    tmp_path: Path, options: dict[str, Any], name: str
) -> None:
    Engine(tmp_path, ChainOptions(accounts=1)).close()
    with pytest.raises(LedgerStartError, match=name):
        Engine(tmp_path, ChainOptions(**options))
    Engine(tmp_path, ChainOptions(chain_id=1337, hardfork="Berlin", accounts=1)).close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hardfork": "frontier"}, "--hardfork frontier is not offered"),
        ({"accounts": 0}, "--accounts must be between"),
        ({"accounts": 101}, "--accounts must be between"),
        ({"chain_id": 0}, "--chain-id must be between"),
        ({"gas_limit": 1}, "--gas-limit must be between"),
        ({"mnemonic": "one two three"}, "not a valid BIP-39 phrase"),
    ],
)
def test_impossible_options_leave_no_ledger(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(LedgerStartError, match=message):
        Engine(tmp_path, ChainOptions(**options))
    engine = Engine(tmp_path, ChainOptions(accounts=1))
    assert engine.created
    engine.close()


def test_a_folder_serves_one_process(tmp_path: Path) -> None:
    engine = Engine(tmp_path, ChainOptions(accounts=1))
    with pytest.raises(LedgerStartError, match="in use by another development ledger"):
        Engine(tmp_path, ChainOptions())
    engine.close()


def test_revert_is_a_reorganisation(ledger: Ledger) -> None:
    address = ledger.deploy_probe()
    snapshot = ledger.ask("evm_snapshot")
    assert snapshot == "0x1"
    raw = ledger.sign(1, to=address, value=0, gas=90_000)
    sent = ledger.ask("eth_sendRawTransaction", raw)
    before = ledger.ask("eth_getBlockByNumber", "0x2", False)
    later = ledger.ask("evm_snapshot")
    ledger.ask("evm_mine", {"blocks": 2})

    assert ledger.ask("evm_revert", snapshot) is True
    assert ledger.ask("eth_blockNumber") == "0x1"
    assert ledger.ask("eth_getTransactionReceipt", sent) is None
    assert ledger.ask("eth_getTransactionByHash", sent) is None
    assert ledger.ask("eth_getBlockByNumber", "0x2", False) is None
    assert ledger.ask("eth_getBlockByHash", before["hash"], False) is None
    assert ledger.ask("eth_getLogs", {"fromBlock": "0x0", "address": address}) == []
    assert ledger.ask("eth_getStorageAt", address, "0x0", "latest") == f"0x{0:064x}"
    # A snapshot is used up, and those after it are gone.
    assert ledger.ask("evm_revert", snapshot) is False
    assert ledger.ask("evm_revert", later) is False

    assert ledger.ask("eth_sendRawTransaction", raw) == sent
    after = ledger.ask("eth_getBlockByNumber", "0x2", False)
    assert after["hash"] != before["hash"]
    assert after["parentHash"] == before["parentHash"]
    assert ledger.ask("eth_getTransactionReceipt", sent)["blockHash"] == after["hash"]


def test_revert_to_genesis(ledger: Ledger) -> None:
    snapshot = ledger.ask("evm_snapshot")
    ledger.ask("eth_sendRawTransaction", ledger.sign(0))
    ledger.ask("evm_revert", snapshot)
    assert ledger.nonce() == 0
    ledger.ask("eth_sendRawTransaction", ledger.sign(0))
    assert ledger.ask("eth_blockNumber") == "0x1"


StartCommand = Callable[..., Command]


@pytest.fixture
def start_command() -> Iterator[StartCommand]:
    """Start ``yichu devchain`` on one free port; what still runs at the end is killed."""
    port = free_port()
    started: list[Command] = []

    def start(folder: Path, *arguments: str) -> Command:
        started.append(Command(folder, port, *arguments))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait(10)


@pytest.mark.slow
def test_command_goes_on_after_a_stop(tmp_path: Path, start_command: StartCommand) -> None:
    first = start_command(tmp_path / "ledger", "-d", "-i", "5", "-e", "3")
    ledger = first.ledger
    sent = ledger.ask("eth_sendRawTransaction", ledger.sign(0))
    head = ledger.ask("eth_getBlockByNumber", "latest", False)["hash"]
    waiting = ledger.ask("eth_sendRawTransaction", ledger.sign(5))
    first.process.terminate()
    assert first.process.wait(20) == 0
    assert ADDRESS0 in first.log.read_text().lower()

    second = start_command(tmp_path / "ledger")
    assert ledger.ask("eth_getBlockByNumber", "latest", False)["hash"] == head
    assert ledger.ask("eth_getTransactionReceipt", sent)["status"] == "0x1"
    assert ledger.ask("eth_getTransactionByHash", waiting)["blockHash"] is None
    assert ledger.ask("net_version") == "5"
    second.process.send_signal(signal.SIGINT)
    assert second.process.wait(20) == 0


@pytest.mark.slow
def test_sigkill_loses_no_answered_block(tmp_path: Path, start_command: StartCommand) -> None:
    """Kill the ledger while it mines; every transaction that was answered is on the chain."""
    answered: list[str] = []
    for round_number in range(3):
        running = start_command(tmp_path / "ledger", "-q", "-d")
        ledger = running.ledger
        for sent in answered:
            assert ledger.ask("eth_getTransactionReceipt", sent)["status"] == "0x1"
        nonce = ledger.nonce()
        # The one that was cut off is there whole, with its block, or not at all.
        assert len(answered) <= nonce <= len(answered) + round_number
        assert int(ledger.ask("eth_blockNumber"), 16) == nonce
        timer = threading.Timer(0.5, running.process.kill)
        timer.start()
        try:
            while True:
                raw = ledger.sign(nonce)
                answered.append(ledger.ask("eth_sendRawTransaction", raw))
                nonce += 1
        except requests.RequestException:
            running.process.wait(10)
        timer.join()
    assert len(answered) > 3


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backend.entrypoints.cli.main", "devchain", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--forkk", "x"], "No such option"),
        (["--fork", "http://127.0.0.1:1"], "cannot go on from a live network"),
        (["-u", ADDRESS1], "without their keys"),
        (["--allowUnlimitedContractSize"], "EIP-170"),
        (["-d", "-m", "a b"], "choose one"),
        (["--account", "0x12,1"], "expected 0x<64 hex digits>"),
        (["-k", "frontier"], "not offered"),
    ],
)
def test_command_refuses(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code != 0
    assert message in done.output + str(done.exception)


def test_busy_port_is_named(ledger: Ledger, tmp_path: Path) -> None:
    port = re.findall(r":(\d+)$", ledger.url)[0]
    done = run_command("-p", port, "--db", str(tmp_path))
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


def test_named_accounts(open_ledger: OpenLedger) -> None:
    key = bytes(31) + b"\x01"
    ledger = open_ledger(private_keys=((key, 5),))
    # The address of private key 1, as every curve table has it.
    address = "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    assert ledger.ask("eth_accounts") == [address]
    assert ledger.ask("eth_getBalance", address) == "0x5"


def test_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    Engine(folder, ChainOptions(accounts=1)).close()
    assert folder.stat().st_mode & 0o777 == 0o700


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5)); other load on the machine does not count."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
def test_speed(tmp_path: Path, start_command: StartCommand) -> None:
    """eth-tester alone takes 22 ms a transaction; the HTTP and the disk must not add to it."""
    running = start_command(tmp_path / "ledger", "-q", "-d")
    raws = [running.ledger.sign(nonce) for nonce in range(100)]
    before = cpu_seconds(running.process.pid)
    for raw in raws:
        running.ledger.ask("eth_sendRawTransaction", raw)
    assert (cpu_seconds(running.process.pid) - before) / 100 < 0.030
    running.process.terminate()
    running.process.wait(20)
    again = start_command(tmp_path / "ledger", "-q")
    assert cpu_seconds(again.process.pid) < 3
