"""``yichu up`` as a person uses it: start, use, Ctrl-C, start again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.processes import ROOT, free_port

READY = re.compile(r"ready \(([0-9.]+) s\)")


class Up:
    """One ``yichu up`` process on free ports."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.web, self.ledger = free_port(), free_port()
        self.log = folder / "up.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("YICHU_")}
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "backend.entrypoints.cli.main",
                    "up",
                    *("--port", str(self.web), "--ledger-port", str(self.ledger)),
                    *options,
                ],
                cwd=ROOT,
                env=kept | {"YICHU_VAR": str(folder / "var")},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.log.read_text("utf-8")

    def wait_ready(self, seconds: float = 90) -> float:
        """Wait until it says that it is ready; the seconds it says it took."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = READY.search(self.text)
            if found:
                return float(found[1])
            assert self.process.poll() is None, self.text
            time.sleep(0.1)
        raise AssertionError(f"not ready in {seconds} s:\n{self.text}")

    def block_hash(self, number: str) -> str:
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber"}
        answer = requests.post(
            f"http://127.0.0.1:{self.ledger}", json=body | {"params": [number, False]}, timeout=5
        )
        block_hash: str = answer.json()["result"]["hash"]
        return block_hash

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(40)

    def children(self) -> list[int]:
        pid = self.process.pid
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]


@pytest.fixture
def starts(tmp_path: Path) -> Iterator[list[Up]]:
    started: list[Up] = []
    yield started
    for up in started:
        if up.process.poll() is None:
            up.stop()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_stop_and_start_again_keeps_all_state(tmp_path: Path, starts: list[Up]) -> None:
    first = Up(tmp_path, "--no-sample")
    starts.append(first)
    first.wait_ready()
    assert requests.get(f"http://127.0.0.1:{first.web}/healthz", timeout=5).ok
    ready = requests.get(f"http://127.0.0.1:{first.web}/readyz", timeout=5)
    assert ready.json()["ready"] is True
    assert "head" in ready.json()["ledger"]
    genesis, block = first.block_hash("0x0"), first.block_hash("0x2")
    secret = (tmp_path / "var/secrets/network_key").read_text()
    children = first.children()
    assert len(children) == 3
    assert first.stop() == 0
    assert "stopped" in first.text
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    assert not is_listening(first.web)
    assert not is_listening(first.ledger)

    second = Up(tmp_path, "--no-sample")
    starts.append(second)
    second.wait_ready()
    assert (second.block_hash("0x0"), second.block_hash("0x2")) == (genesis, block)
    assert (tmp_path / "var/secrets/network_key").read_text() == secret
    assert not list((tmp_path / "var").glob("set-aside-*"))

    # A second system on the same folder is refused, and the first goes on.
    third = Up(tmp_path, "--no-sample")
    assert third.process.wait(30) == 1
    assert "already running" in third.text
    assert is_listening(second.web)

    # One process killed: the others stop, and the message names it.
    os.kill(second.children()[0], signal.SIGKILL)
    assert second.process.wait(40) == 1
    assert re.search(r"devchain ended \(signal 9\)", second.text)
    assert not is_listening(second.web)


@pytest.mark.slow
def test_lan_mode_shows_how_a_phone_comes_in(tmp_path: Path, starts: list[Up]) -> None:
    up = Up(tmp_path, "--no-sample", "--lan")
    starts.append(up)
    while not READY.search(up.text) and up.process.poll() is None:
        time.sleep(0.1)
    if up.process.poll() is not None:
        assert "This machine has no network" in up.text, up.text
        pytest.skip("this machine has no network, so there is no address for a phone")
    address = re.search(r"scan: http://([0-9.]+):(\d+)/m", up.text)
    assert address is not None
    assert int(address[2]) == up.web
    deadline, code = time.monotonic() + 20, None
    while code is None and time.monotonic() < deadline:  # it is printed some lines later
        code = re.search(r"one-time code for a sample login: (\d{8})\n", up.text)
        time.sleep(0.1)
    assert code is not None, up.text
    page = requests.get(f"http://127.0.0.1:{up.web}/m/login", timeout=5)
    assert "banner" in page.text
    assert code[1] not in page.text
    assert "__Host-" not in page.headers.get("Set-Cookie", "")
    assert up.stop(signal.SIGTERM) == 0


@pytest.mark.slow
def test_the_first_start_loads_the_sample_and_the_next_is_quick(
    tmp_path: Path, starts: list[Up]
) -> None:
    first = Up(tmp_path)
    starts.append(first)
    first.wait_ready(600)
    assert "sample logins" in first.text
    assert first.stop() == 0
    assert (tmp_path / "var/sample.done").exists()
    second = Up(tmp_path)
    starts.append(second)
    assert second.wait_ready() < 10
    assert "sample logins" in second.text
    assert "first start" not in second.text
