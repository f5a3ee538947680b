"""The only socket, against a local HTTP server that misbehaves in every way it can."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.reference import evidence
from verifier import cli, rpc
from verifier.errors import MalformedError, UndecidedError
from verifier.rpc import HTTPTransport, RPCMethodError


class _Server(HTTPServer):
    answer: Any = b""
    status = 200
    seen: list[Any]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        question = json.loads(body)
        self.server.seen.append(question)
        answer = self.server.answer
        if callable(answer):
            answer = answer(question)
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[_Server]:
    found = _Server(("127.0.0.1", 0), _Handler)
    found.seen = []
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def transport(server: _Server) -> HTTPTransport:
    return HTTPTransport(f"http://127.0.0.1:{server.server_address[1]}/", timeout_seconds=5)


def echo(**members: Any) -> Any:
    return lambda question: json.dumps({"id": question["id"], **members}).encode()


def test_result_is_returned_and_ids_count_up(server: _Server) -> None:
    server.answer = echo(jsonrpc="2.0", result="0x1")
    node = transport(server)
    assert node.call("eth_chainId", []) == "0x1"
    assert node.call("eth_call", [{"to": "0x"}, "latest"]) == "0x1"
    assert [question["id"] for question in server.seen] == [1, 2]
    assert server.seen[1]["params"] == [{"to": "0x"}, "latest"]


def test_null_result_is_a_result(server: _Server) -> None:
    server.answer = echo(result=None)
    assert transport(server).call("eth_getTransactionReceipt", []) is None


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no JSON-RPC answer"),
        (b'{"id":99,"result":1}', "no JSON-RPC answer"),
        (echo(), "holds no result"),
        (echo(error={"code": -32601, "message": "no"}), "refused the question"),
    ],
)
def test_answer_that_is_none_is_undecided(server: _Server, answer: Any, message: str) -> None:
    server.answer = answer
    with pytest.raises(UndecidedError, match=message):
        transport(server).call("eth_chainId", [])


def test_error_object_has_its_own_class(server: _Server) -> None:
    server.answer = echo(error={"code": 1})
    with pytest.raises(RPCMethodError, match="refused the question"):
        transport(server).call("eth_getLogs", [])


@pytest.mark.parametrize("status", [302, 404, 500])
def test_http_errors_and_redirects_are_undecided(server: _Server, status: int) -> None:
    server.status, server.answer = status, echo(result=1)
    with pytest.raises(UndecidedError, match="did not answer: HTTPError"):
        transport(server).call("eth_chainId", [])
    assert len(server.seen) == 1


def test_huge_answer_is_undecided(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "MAX_RESPONSE_BYTES", 10)
    server.answer = echo(result="0x" + "0" * 100)
    with pytest.raises(UndecidedError, match="too large"):
        transport(server).call("eth_chainId", [])


def test_nobody_listening_is_undecided(server: _Server) -> None:
    node = HTTPTransport("http://127.0.0.1:1/", timeout_seconds=5)
    with pytest.raises(UndecidedError, match="did not answer: URLError"):
        node.call("eth_chainId", [])


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://node/", "node:8545", "http://", "http://[::1"]
)
def test_address_that_is_no_http_url_is_malformed(url: str) -> None:
    with pytest.raises(MalformedError, match="not an http or https URL"):
        HTTPTransport(url)


def test_proxy_of_the_environment_is_not_used(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    server.answer = echo(result="0x1")
    assert transport(server).call("eth_chainId", []) == "0x1"


def test_whole_command_over_the_wire(
    server: _Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the two files on disk, through the socket, to the exit status."""
    story = evidence.Story()
    node = story.node()

    def answer(question: dict[str, Any]) -> bytes:
        result = node.call(question["method"], question["params"])
        return json.dumps({"jsonrpc": "2.0", "id": question["id"], "result": result}).encode()

    server.answer = answer
    bundle, trust = tmp_path / "bundle.json", tmp_path / "trust.json"
    bundle.write_bytes(evidence.text(story.bundle()))
    trust.write_bytes(evidence.text(story.trust()))
    url = f"http://127.0.0.1:{server.server_address[1]}"
    command = [str(bundle), "--trust", str(trust), "--rpc", url, "--believe-node"]
    assert cli.main(command) == 0
    assert "VERIFIED" in capsys.readouterr().out
    node.chain_id = 9
    assert cli.main(command) == 3
