"""The ledger's own accounts: keystores, locks, and what is printed of them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.errors import LedgerStartError, RpcError
from backend.entrypoints.devchain.ganache_options import normal_arguments
from backend.entrypoints.devchain.options import ChainOptions, RunOptions

from .conftest import ADDRESS0, ADDRESS1, KEY0, Command, Ledger, OpenLedger
from .test_persistence import StartCommand, start_command

__all__ = ["Command", "start_command"]
KEY = bytes.fromhex(KEY0[2:])
WHO = bytes.fromhex(ADDRESS0[2:])
PHRASE = "myth like bonus scare over problem client lizard pioneer submit female collect"


@pytest.fixture(autouse=True)
def _no_password_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("YICHU_KEYSTORE_PASSWORD", raising=False)


def make(folder: Path) -> None:
    Engine(folder, ChainOptions(deterministic=True, accounts=2)).close()


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_keys_are_in_encrypted_keystores_only(tmp_path: Path) -> None:
    make(tmp_path / "ledger")
    content = bytes_of(tmp_path / "ledger")
    assert KEY not in content
    assert KEY.hex().encode() not in content.lower()
    assert PHRASE.encode() not in content
    first = json.loads((tmp_path / "ledger" / "keystores" / "account-0.json").read_text())
    assert (first["version"], first["crypto"]["kdf"]) == (3, "scrypt")
    assert first["address"].removeprefix("0x").lower() == ADDRESS0[2:]


def test_password_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YICHU_KEYSTORE_PASSWORD", "one")
    make(tmp_path)
    assert not (tmp_path / "keystore_password").exists()
    engine = Engine(tmp_path, ChainOptions())
    assert engine.private_key_of(WHO) == KEY
    engine.close()
    monkeypatch.setenv("YICHU_KEYSTORE_PASSWORD", "another")
    engine = Engine(tmp_path, ChainOptions())
    with pytest.raises(RpcError, match="keystore account-0 does not open: wrong password"):
        engine.private_key_of(WHO)
    engine.close()


def test_missing_keystore_refuses_to_sign_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "keystores" / "account-0.json").unlink()
    engine = Engine(tmp_path, ChainOptions())
    with pytest.raises(RpcError, match="keystore account-0 is missing or unreadable"):
        engine.private_key_of(WHO)
    assert engine.private_key_of(bytes.fromhex(ADDRESS1[2:])) is not None
    assert engine.head_state().get_balance(WHO) == 1000 * 10**18
    engine.close()


def test_keystores_of_a_start_that_was_cut_off_are_not_used(tmp_path: Path) -> None:
    """Killed after the keystores and before the ledger: the next start has other keys."""
    Engine(tmp_path, ChainOptions(accounts=1)).close()
    (tmp_path / "ledger.sqlite3").unlink()
    make(tmp_path)
    engine = Engine(tmp_path, ChainOptions())
    assert engine.private_key_of(WHO) == KEY
    engine.close()


def test_a_ledger_with_keys_in_its_database_is_rewritten(tmp_path: Path) -> None:
    """Format 1 kept keys and phrase in SQLite; opening takes them out, free pages included."""
    make(tmp_path)
    engine = Engine(tmp_path, ChainOptions())
    keys = [engine.wallet.key(address) for address in engine.wallet.addresses]
    engine.mine(3)
    head = engine.chain.get_canonical_head().hash
    engine.close()
    for path in (tmp_path / "keystores").iterdir():
        path.unlink()
    database = sqlite3.connect(tmp_path / "ledger.sqlite3")
    database.execute("ALTER TABLE account ADD COLUMN private_key BLOB NOT NULL DEFAULT x''")
    for position, key in enumerate(keys, start=1):
        database.execute("UPDATE account SET private_key = ? WHERE position = ?", (key, position))
    database.execute("INSERT INTO setting VALUES ('mnemonic', ?)", (PHRASE,))
    database.execute("UPDATE setting SET value = '1' WHERE name = 'format'")
    database.commit()
    database.close()
    assert KEY in bytes_of(tmp_path)

    again = Engine(tmp_path, ChainOptions(deterministic=True))
    assert KEY not in bytes_of(tmp_path)
    assert PHRASE.encode() not in bytes_of(tmp_path)
    assert again.private_key_of(WHO) == KEY
    assert again.chain.get_canonical_head().hash == head
    again.close()
    engine = Engine(tmp_path, ChainOptions(deterministic=True))
    assert engine.private_key_of(WHO) == KEY
    engine.close()


def test_a_ledger_of_an_unknown_format_is_left_alone(tmp_path: Path) -> None:
    make(tmp_path)
    database = sqlite3.connect(tmp_path / "ledger.sqlite3")
    database.execute("UPDATE setting SET value = '3' WHERE name = 'format'")
    database.commit()
    database.close()
    with pytest.raises(LedgerStartError, match="written in format 3; this program reads format 2"):
        Engine(tmp_path, ChainOptions())


def test_locked_run_signs_for_the_unlocked_only(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(run=RunOptions(locked=True))
    assert ledger.engine is not None
    ledger.engine.unlock(["1", ADDRESS0.upper().replace("0X", "0x")])
    accounts = ledger.ask("eth_accounts")
    for who in accounts[:2]:
        ledger.ask("eth_sendTransaction", {"from": who, "to": ADDRESS1, "value": "0x1"})
        ledger.ask("eth_sign", who, "0x00")
    for method, params in (
        ("eth_sendTransaction", [{"from": accounts[2], "to": ADDRESS1}]),
        ("eth_signTransaction", [{"from": accounts[2], "to": ADDRESS1}]),
        ("eth_sign", [accounts[2], "0x00"]),
    ):
        error = ledger.refusal(method, *params)
        assert error == {"code": -32602, "message": "sender account not recognized or locked"}


@pytest.mark.parametrize("named", ["10", "-1", "x", "0x" + "11" * 20])
def test_accounts_without_a_key_cannot_be_unlocked(ledger: Ledger, named: str) -> None:
    assert ledger.engine is not None
    with pytest.raises(LedgerStartError, match="addresses without their keys is not offered"):
        ledger.engine.unlock([named])


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["-d", "true", "-p", "1"], ["-d", "-p", "1"]),
        (["-d", "false"], []),
        (["--lock=false", "--quiet=TRUE"], ["--quiet"]),
        (["--no-quiet", "--noon"], ["--noon"]),
        (["-u", "0", "1", "-n"], ["-u", "0", "-u", "1", "-n"]),
        (["--account=0x1,2", "-d"], ["--account", "0x1,2", "-d"]),
        (["-u"], ["-u"]),
        (["--server.ws", "false"], ["--server.ws", "false"]),
        (["--detach"], ["--detach", "true"]),
        (["-m", "true"], ["-m", "true"]),
    ],
)
def test_arguments_are_read_as_ganache_reads_them(given: list[str], read: list[str]) -> None:
    assert normal_arguments(given) == read


@pytest.mark.slow
def test_requests_are_printed_into_the_named_file(
    tmp_path: Path, start_command: StartCommand
) -> None:
    log, keys = tmp_path / "requests.log", tmp_path / "keys.json"
    running = start_command(
        tmp_path / "ledger", "-d", "-v", "--logging.file", str(log), "--acctKeys", str(keys)
    )
    running.ledger.ask("eth_getBalance", ADDRESS0, "latest")
    running.process.terminate()
    assert running.process.wait(20) == 0
    printed = log.read_text()
    assert f'   >  eth_getBalance: ["{ADDRESS0}", "latest"]' in printed
    assert f"(0) {KEY0}" in printed
    assert running.log.read_text() == ""
    assert keys.stat().st_mode & 0o777 == log.stat().st_mode & 0o777 == 0o600
    assert json.loads(keys.read_text())["private_keys"][ADDRESS0] == KEY0
    again = start_command(tmp_path / "ledger", "-v")
    again.process.terminate()
    again.process.wait(20)
    # Of a stored ledger neither keys nor phrase are shown.
    assert KEY0 not in again.log.read_text()
    assert PHRASE not in again.log.read_text()


def test_quiet_prints_nothing(tmp_path: Path, start_command: StartCommand) -> None:
    running = start_command(tmp_path / "ledger", "-d", "-q", "-v")
    running.ledger.ask("eth_chainId")
    running.process.terminate()
    assert running.process.wait(20) == 0
    assert running.log.read_text() == ""
