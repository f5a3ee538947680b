"""Ports, readiness and the LAN: what the supervisor asks of the network of this machine."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

import segno

from backend.entrypoints.supervisor.files import StartRefusedError

LOOPBACK = "127.0.0.1"
ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # only with --lan, which is what the user asked for
_TIMEOUT_SECONDS = 3.0


def require_free_port(host: str, port: int, *, option: str, zh: str, en: str) -> None:
    """Refuse to start where something listens already, naming the port and the option."""
    with socket.socket() as probe:
        # As the servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartRefusedError(
                f"{zh}的端口 {port} 已被占用。请关闭占用它的程序,"
                f'或用 {option} 另选端口 (make run ARGS="{option} {port + 1}")。',
                f"Port {port} for the {en} is in use ({error.strerror}). Stop what uses it, or "
                f'choose another with {option} (make run ARGS="{option} {port + 1}").',
            ) from error


def http_ready(url: str) -> bool:
    """Whether the URL answers 200 now."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError, ValueError):
        return False


def ask_ledger(url: str, method: str, *params: Any) -> Any:
    """The result of one JSON-RPC request, or ``None`` if there is none."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            return json.load(answer).get("result")
    except (urllib.error.URLError, OSError, ValueError):
        return None


def lan_address() -> str:
    """This machine's address on the local network.

    A datagram socket is connected to a documentation address (RFC 5737): no packet leaves, the
    kernel only chooses the interface.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            raise StartRefusedError(
                "本机没有局域网连接,无法使用 LAN=1。请先连接网络,或不带 LAN=1 启动。",
                "This machine has no network, so LAN=1 is of no use. Connect it first, or start "
                "without LAN=1.",
            ) from None
        return str(probe.getsockname()[0])


@dataclass(frozen=True, slots=True)
class LanAccess:
    """Where a phone on the LAN finds the citizen page."""

    url: str

    @classmethod
    def create(cls, address: str, port: int) -> LanAccess:
        return cls(f"http://{address}:{port}")

    def qr_lines(self) -> str:
        """The QR code of the citizen page for the terminal."""
        import io

        out = io.StringIO()
        segno.make(f"{self.url}/m", error="m").terminal(out, compact=True)
        return out.getvalue()
