"""anvil as a test ledger: the binary pinned in contracts/package.json, on a port of its own."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

BINARY = Path(__file__).parents[1] / "contracts" / "node_modules" / ".bin" / "anvil"
MNEMONIC = "test test test test test test test test test test test junk"
_START_SECONDS = 20.0
_STOP_SECONDS = 5.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")


@contextlib.contextmanager
def running_anvil(*options: str) -> Iterator[str]:
    """Run anvil with these command-line options; yield the URL at which it answers.

    It listens on loopback, on a free port unless the options name one, and is ended on the way
    out, whatever happened. Without the npm packages of contracts/ the test is skipped. An anvil
    that does not start raises RuntimeError with what it printed.
    """
    if not BINARY.exists():
        pytest.skip("anvil is not installed: run npm ci in contracts/")
    # The system chooses the port, so that two anvils never want the same one.
    port = () if "--port" in options else ("--port", "0")
    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder) / "printed"
        with printed.open("wb") as output:
            process = subprocess.Popen(
                [str(BINARY), "--host", "127.0.0.1", *port, *options],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield _wait(process, printed)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], printed: Path) -> str:
    """The URL, as soon as a request is answered there."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        match = _LISTENING.search(printed.read_text("utf-8"))
        if match:
            url = f"http://127.0.0.1:{match[1]}"
            with contextlib.suppress(OSError):
                request(url, "eth_chainId")
                return url
        time.sleep(0.02)
    raise RuntimeError(f"anvil did not start ({process.poll()}):\n{printed.read_text('utf-8')}")


def request(url: str, method: str, *parameters: object) -> object:
    """The result of one JSON-RPC request; RuntimeError with the node's error object."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
    headers = {"Content-Type": "application/json"}
    question = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with _DIRECT.open(question, timeout=30) as answer:
        content = json.loads(answer.read())
    if "error" in content:
        raise RuntimeError(f"{method}: {content['error']}")
    return content["result"]
