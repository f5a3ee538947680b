"""A node that misbehaves on purpose: it stands before a real one and follows a script.

Faults are named by the method that they strike and end after a number of requests, so that a test
says exactly what goes wrong and when it stops.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

FOREVER = 10**9
#: What nodes say of a transaction that they have (reference T2, T3).
DIALECTS = {
    "besu": (-32000, "Known transaction"),
    "geth": (-32000, "already known"),
    "anvil": (-32003, "transaction already imported"),
}

Change = Callable[[dict[str, Any], Any], Any]


@dataclass
class Fault:
    """Strikes the next ``left`` requests of ``method`` ("" is every one, "batch" every batch).

    ``change`` gets the call and the node's true answer (result or error object) and returns what
    is said instead; ``before`` faults do not reach the node at all.
    """

    method: str
    left: int
    change: Change | None = None
    drop: bool = False
    status: int = 0
    body: bytes | None = None
    forwards: bool = True


class SilentError(Exception):
    """Raised by a change: the call of a batch gets no answer."""


class FaultyNode:
    """A JSON-RPC proxy in front of ``target``; ``seen`` lists the calls that came in."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, list[Any]]] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._live: set[Any] = set()
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                with node._lock:
                    node.connections += 1
                    node._live.add(self.connection)

            def finish(self) -> None:
                with node._lock:
                    node._live.discard(self.connection)
                super().finish()

            def do_POST(self) -> None:
                node._answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    # --- the script ---------------------------------------------------------------------------

    def strike(self, method: str, times: int = FOREVER, **what: Any) -> Fault:
        fault = Fault(method, times, **what)
        with self._lock:
            self.faults.append(fault)
        return fault

    def drop_after(self, method: str, times: int = 1) -> Fault:
        """The node gets it, the caller no answer."""
        return self.strike(method, times, drop=True)

    def drop_before(self, method: str = "", times: int = FOREVER) -> Fault:
        """The node does not even get it."""
        return self.strike(method, times, drop=True, forwards=False)

    def fail_with_500(self, method: str = "", times: int = FOREVER) -> Fault:
        return self.strike(method, times, status=500, body=b"<html>Bad Gateway</html>")

    def say(self, method: str, result: Any, times: int = FOREVER) -> Fault:
        """Answer with this result, without asking the node."""
        return self.strike(method, times, change=lambda *_: {"result": result}, forwards=False)

    def refuse(self, method: str, code: int, message: str, times: int = FOREVER) -> Fault:
        """Answer with this error; the node does not get the call."""
        error = {"error": {"code": code, "message": message}}
        return self.strike(method, times, change=lambda *_: error, forwards=False)

    def swallow_transactions(self) -> Fault:
        """Take every transaction with thanks, and lose it (T11, T13)."""

        def thank(call: dict[str, Any], _: Any) -> Any:
            from eth_utils.crypto import keccak

            raw = bytes.fromhex(call["params"][0][2:])
            return {"result": "0x" + keccak(raw).hex()}

        return self.strike("eth_sendRawTransaction", change=thank, forwards=False)

    def limit_log_range(self, blocks: int) -> Fault:
        """Refuse eth_getLogs over more blocks than these, as Besu does."""

        def limited(call: dict[str, Any], answer: Any) -> Any:
            query = call["params"][0]
            if int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1 > blocks:
                message = "Requested range exceeds maximum RPC range limit"
                return {"error": {"code": -32000, "message": message}}
            return answer

        return self.strike("eth_getLogs", change=limited)

    def double_logs(self) -> list[Fault]:
        """Every log comes twice, in ranges and in receipts (T19)."""

        def logs(_: dict[str, Any], answer: Any) -> Any:
            return {"result": answer["result"] * 2}

        def receipt(_: dict[str, Any], answer: Any) -> Any:
            found = answer["result"]
            return {"result": found and found | {"logs": found["logs"] * 2}}

        return [
            self.strike("eth_getLogs", change=logs),
            self.strike("eth_getTransactionReceipt", change=receipt),
        ]

    def stop_at(self, height: int) -> list[Fault]:
        """A node that lags: it knows nothing above this height."""

        def number(_: dict[str, Any], answer: Any) -> Any:
            return {"result": hex(min(height, int(answer["result"], 16)))}

        def block(call: dict[str, Any], answer: Any) -> Any:
            wanted = call["params"][0]
            if wanted == "latest":
                return node_answer("eth_getBlockByNumber", hex(height), False)
            return answer if int(wanted, 16) <= height else {"result": None}

        def receipt(_: dict[str, Any], answer: Any) -> Any:
            found = answer["result"]
            above = found is not None and int(found["blockNumber"], 16) > height
            return {"result": None} if above else answer

        def count(call: dict[str, Any], answer: Any) -> Any:
            if call["params"][1] != "latest":
                return answer
            return node_answer("eth_getTransactionCount", call["params"][0], hex(height))

        def node_answer(method: str, *params: Any) -> Any:
            return {"result": self.ask(method, *params)}

        def logs(call: dict[str, Any], answer: Any) -> Any:
            found = [log for log in answer["result"] if int(log["blockNumber"], 16) <= height]
            return {"result": found}

        return [
            self.strike("eth_blockNumber", change=number),
            self.strike("eth_getBlockByNumber", change=block),
            self.strike("eth_getTransactionReceipt", change=receipt),
            self.strike("eth_getTransactionCount", change=count),
            self.strike("eth_getLogs", change=logs),
        ]

    def heal(self) -> None:
        """No fault is left."""
        with self._lock:
            self.faults.clear()

    def sent(self) -> list[str]:
        """The raw transactions that were handed in, in order."""
        return [params[0] for method, params in self.seen if method == "eth_sendRawTransaction"]

    def cut_connections(self) -> None:
        """Close every open connection, as a node that restarts does."""
        with self._lock:
            live = list(self._live)
        for connection in live:
            connection.shutdown(socket.SHUT_RDWR)

    def ask(self, method: str, *params: Any) -> Any:
        """The real node's result."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = requests.post(self.target, json=body, timeout=20).json()
        assert "error" not in answer, answer
        return answer["result"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # --- the traffic --------------------------------------------------------------------------

    def _take(self, method: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.left > 0 and fault.method in ("", method):
                    fault.left -= 1
                    return fault
        return None

    def _answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        request = json.loads(body)
        calls = request if isinstance(request, list) else [request]
        with self._lock:
            self.seen += [(call["method"], call["params"]) for call in calls]
        answers: list[Any] = []
        whole = self._take("batch") if isinstance(request, list) else None
        if whole is not None:
            self._forward(request)
            self._reply(handler, whole, [])
            return
        for call in calls:
            fault = self._take(call["method"])
            if fault is None:
                answers.append(self._forward(call))
                continue
            true = self._forward(call) if fault.forwards else None
            if fault.change is None:
                self._reply(handler, fault, [])
                return
            frame = {"jsonrpc": "2.0", "id": call["id"]}
            with suppress(SilentError):
                answers.append(frame | fault.change(call, true))
        content = answers if isinstance(request, list) else answers[0]
        self._write(handler, 200, json.dumps(content).encode())

    def _forward(self, call: Any) -> Any:
        return requests.post(self.target, json=call, timeout=20).json()

    def _reply(self, handler: BaseHTTPRequestHandler, fault: Fault, empty: Any) -> None:
        if fault.drop:
            handler.close_connection = True
            handler.connection.close()
            return
        body = json.dumps(empty).encode() if fault.body is None else fault.body
        self._write(handler, fault.status or 200, body)

    @staticmethod
    def _write(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def faulty_node(target: str) -> Iterator[FaultyNode]:
    """A faulty node in front of a real one, closed on the way out."""
    node = FaultyNode(target)
    try:
        yield node
    finally:
        node.close()
