"""What ``scripts/network.py`` writes and refuses, without starting a node."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from scripts import geth_binary, network
from scripts.network import Network, Validator

VALIDATORS = [Validator(n, f"0x{n:040x}", 9_000 + n, 9_100 + n, 9_200 + n) for n in (1, 2, 3, 4)]


def written(folder: Path) -> Network:
    made = Network(folder, 20_250, VALIDATORS, [[1, 2, 3, 4]])
    made.save()
    return made


def test_genesis_has_berlin_no_base_fee_and_the_signers_in_order(tmp_path: Path) -> None:
    genesis = written(tmp_path).genesis()
    assert genesis["config"]["berlinBlock"] == 0
    assert "londonBlock" not in genesis["config"]
    assert genesis["config"]["clique"]["period"] == 1
    extra = bytes.fromhex(genesis["extradata"][2:])
    assert len(extra) == 32 + 4 * 20 + 65
    assert [extra[32 + 20 * n + 19] for n in range(4)] == [1, 2, 3, 4]
    assert not any(extra[:32] + extra[-65:])


def test_network_is_kept(tmp_path: Path) -> None:
    written(tmp_path)
    assert Network.load(tmp_path).validators == VALIDATORS


def test_nothing_listens_beyond_loopback(tmp_path: Path) -> None:
    made = written(tmp_path)
    flags = made._flags(VALIDATORS[0])
    for name in ("--http.addr", "--authrpc.addr"):
        assert flags[flags.index(name) + 1] == "127.0.0.1"
    assert flags[flags.index("--netrestrict") + 1] == "127.0.0.0/8"
    assert "--nodiscover" in flags
    assert "--port" not in flags  # it would open every address; config.toml names loopback


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status"], "there is no network in"),
        (["kill", "1"], "run up first"),
        (["cut"], "run up first"),
        (["down"], "run up first"),
    ],
)
def test_command_without_a_network_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert network.main(["--folder", str(tmp_path), *arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kill", "5"], "there is no validator 5; they are 1 to 4"),
        (["restart", "0"], "there is no validator 0"),
        (["cut", "1,2", "3"], "each validator belongs to exactly one half"),
        (["cut", "1,2", "2,3,4"], "each validator belongs to exactly one half"),
        (["up", "--validators", "3"], "has 4 validators"),
    ],
)
def test_impossible_command_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    written(tmp_path)
    assert network.main(["--folder", str(tmp_path), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_port_in_use_is_named() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        port = busy.getsockname()[1]
        with pytest.raises(geth_binary.NetworkError, match=f"port {port} is in use"):
            network._ports(3, port)


def test_process_number_of_another_program_is_not_taken_for_a_validator(tmp_path: Path) -> None:
    made = written(tmp_path)
    made.home(VALIDATORS[0]).mkdir()
    (made.home(VALIDATORS[0]) / "pid").write_text("1")
    assert made.pid(VALIDATORS[0]) is None
    assert made.running() == []


def test_another_geth_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "geth"
    other.write_text("#!/bin/sh\necho Version: 1.14.0-stable\n")
    other.chmod(other.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("YICHU_GETH", str(other))
    assert geth_binary.find_geth() is None
    other.write_text("#!/bin/sh\necho Version: 1.13.15-stable\n")
    assert geth_binary.find_geth() == other
