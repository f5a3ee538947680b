"""JSON-RPC 2.0 over HTTP: single and batch requests, an error an item.

The request must say ``Content-Type: application/json``, so that a page in the operator's browser
cannot send transactions from the unlocked accounts with a plain form.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from backend.adapters.einvoice.json_reader import is_deeper
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    LedgerStartError,
    RpcError,
)
from backend.entrypoints.devchain.methods import METHODS

MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 32
MAX_BATCH = 1000
_SHOWN = 2000
_IDLE_SECONDS = 120
# EVM calls nest up to 1,024 deep and py-evm nests Python calls with them.
_THREAD_STACK_BYTES = 64 * 1024 * 1024

_log = logging.getLogger("yichu.devchain")


def answer(engine: Engine, request: Any) -> Any:
    """Answer one JSON-RPC request or a batch (JSON-RPC 2.0, section 6). ``None``: nothing."""
    if isinstance(request, list):
        if not request:
            return _error(None, INVALID_REQUEST, "empty batch")
        if len(request) > MAX_BATCH:
            return _error(None, INVALID_REQUEST, f"batch of more than {MAX_BATCH} requests")
        answers = [_answer_one(engine, item) for item in request]
        return [item for item in answers if item is not None] or None
    return _answer_one(engine, request)


def _answer_one(engine: Engine, request: Any) -> dict[str, Any] | None:
    fault = _fault_of(request)
    identity = request.get("id") if isinstance(request, dict) else None
    if fault is not None:
        known = isinstance(identity, str | int | float) and not isinstance(identity, bool)
        return _error(identity if known else None, INVALID_REQUEST, f"invalid request: {fault}")
    params = request.get("params")
    if not isinstance(params, list | None):
        return _error(identity, INVALID_PARAMS, "params must be a list")
    if engine.run.verbose:
        # ganache's form; a raw transaction is cut, it may be 128 KB.
        print(f"   >  {request['method']}: {json.dumps(params or [])[:_SHOWN]}", flush=True)  # noqa: T201
    method = METHODS.get(request["method"])
    if method is None:
        return _error(
            identity, METHOD_NOT_FOUND, f"the method {request['method'][:80]} does not exist"
        )
    try:
        with engine.lock:
            result = method(engine, params or [])
    except RpcError as refusal:
        return _error(identity, refusal.rpc_code, refusal.message, refusal.data)
    # The last handler: one broken request must not stop the ledger.
    except Exception:  # noqa: BLE001
        _log.exception("method %s failed", request["method"])
        return _error(identity, INTERNAL_ERROR, "internal error; see the ledger's log")
    return {"jsonrpc": "2.0", "id": identity, "result": result} if "id" in request else None


def _fault_of(request: Any) -> str | None:
    """What is wrong with the form of one request (JSON-RPC 2.0, section 4), or ``None``."""
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return "an object with a method is needed"
    identity = request.get("id")
    if not isinstance(identity, str | int | float | None) or isinstance(identity, bool):
        return "id must be a string or a number"
    return None


def _error(identity: Any, code: int, message: str, extra: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if extra is not None:
        error["data"] = extra
    return {"jsonrpc": "2.0", "id": identity, "error": error}


class _Handler(BaseHTTPRequestHandler):
    """One connection; kept alive between requests."""

    protocol_version = "HTTP/1.1"
    server_version = "YichuDevchain"
    sys_version = ""
    # Header and body leave in one packet: else Nagle and delayed ACK cost 40 ms a request.
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    server: LedgerServer

    def do_POST(self) -> None:
        """Answer one HTTP request."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "Content-Length is needed")
            return
        if int(length) > MAX_BODY_BYTES:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body of more than {MAX_BODY_BYTES} bytes"
            )
            return
        body = self.rfile.read(int(length))
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json")
            return
        try:
            text = body.decode("utf-8")
            # py-evm raises the recursion limit: a deep text would end the process.
            if is_deeper(text, MAX_DEPTH):
                raise ValueError("too deep")
            request = json.loads(text)
        except ValueError:
            self._send(HTTPStatus.OK, _error(None, PARSE_ERROR, "parse error: not JSON"))
            return
        self._send(HTTPStatus.OK, answer(self.server.engine, request))

    def do_GET(self) -> None:
        """Say what this is."""
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "this is a JSON-RPC endpoint: use POST")

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self.close_connection = True
        self._send(status, _error(None, INVALID_REQUEST, message))

    def _send(self, status: HTTPStatus, content: Any) -> None:
        if content is None:  # a notification, or a batch of them: there is nothing to say
            status = HTTPStatus.NO_CONTENT
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        if content is not None:  # an answer without content has no length either (RFC 9110)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """HTTP lines are noise; failures are logged where they happen."""


class LedgerServer(ThreadingHTTPServer):
    """The HTTP server of one engine."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, engine: Engine, host: str, port: int) -> None:
        """Bind. Raises :class:`LedgerStartError` naming port and option if that fails."""
        self.engine = engine
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise LedgerStartError(
                f"无法监听 {host}:{port}({error.strerror})。请关闭占用该端口的程序,"
                "或用 --port 另选端口。",
                f"Cannot listen on {host}:{port} ({error.strerror}). Stop what uses that port, "
                "or choose another with --port.",
            ) from error
        self._stop = threading.Event()

    def serve(self) -> None:
        """Serve until :meth:`stop`; with interval mining, mine in the background."""
        threading.stack_size(_THREAD_STACK_BYTES)
        seconds = self.engine.run.block_seconds
        if seconds:
            threading.Thread(target=self._mine_regularly, args=(seconds,), daemon=True).start()
        self.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        """End :meth:`serve` and free the port; the engine is closed by its owner."""
        self._stop.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""
        _log.debug("connection of %s broke", client_address, exc_info=True)

    def _mine_regularly(self, seconds: float) -> None:
        while not self._stop.wait(seconds):
            if self.engine.mining:
                self.engine.mine()
