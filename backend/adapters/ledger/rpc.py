"""JSON-RPC over HTTP to one or more nodes of one network.

Retries are ours, not a library's: an answer that did not arrive means *unknown* (reference T1),
so a read is asked of the next node and a sent transaction is looked up by its hash. Each endpoint
is believed only after an identity check, which is made again whenever its connection has failed.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import requests

from backend.domain.errors import DomainError
from backend.service_layer.ports import LedgerUnavailableError

ANSWER_BYTES_MAX: Final = 64 * 2**20
_logger = logging.getLogger(__name__)
_HTTP_OK: Final = 200


class RPCError(DomainError):
    """A node answered with an error. ``data`` is revert data in hex where there is any."""

    code = "rpc-error"

    def __init__(self, number: int, message: str, data: str = "") -> None:
        super().__init__(f"节点返回错误：{message}", f"the node answered with an error: {message}")
        self.number = number
        self.message = message
        self.data = data

    @property
    def is_revert(self) -> bool:
        """Whether a contract refused, as far as the node says."""
        return "revert" in self.message.lower() or len(self.data) >= 10  # 0x and a selector


class Endpoint:
    """One node. Sessions are per thread, since requests does not promise to share them."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self.url = url
        self.is_verified = False
        self._timeout = timeout_seconds
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._numbers = itertools.count(1)

    def post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Results of a batch in its order; raises LedgerUnavailableError or the first RPCError."""
        body = [
            {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": list(params)}
            for method, params in calls
        ]
        answers = self._exchange(body if len(body) > 1 else body[0])
        by_id = {a.get("id"): a for a in answers if isinstance(a, dict)}
        results = []
        for call in body:
            answer = by_id.get(call["id"])
            if answer is None:
                raise self._unavailable("no answer to a call")
            if "error" in answer:
                raise _to_error(answer["error"])
            results.append(answer.get("result"))
        return results

    def _exchange(self, body: Any) -> list[Any]:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
            self._sessions.append(session)
        try:
            response = session.post(self.url, json=body, timeout=self._timeout)
            answers = response.json()
        except (requests.RequestException, ValueError) as error:
            raise self._unavailable(type(error).__name__) from error
        if len(response.content) > ANSWER_BYTES_MAX:
            raise self._unavailable("the answer is too large")
        if isinstance(answers, dict) and ("result" in answers or "error" in answers):
            return [answers]
        if response.status_code != _HTTP_OK or not isinstance(answers, list):
            raise self._unavailable(f"HTTP status {response.status_code}")
        return answers

    def _unavailable(self, why: str) -> LedgerUnavailableError:
        self.is_verified = False
        return LedgerUnavailableError(
            "账本节点没有应答，请稍后再试", f"the ledger node {self.url} did not answer: {why}"
        )

    def close(self) -> None:
        for session in self._sessions:
            session.close()


class JSONRPC:
    """Several endpoints of one network: reads go to the first that answers, bytes to all."""

    def __init__(self, urls: Sequence[str], timeout_seconds: float = 10) -> None:
        self._endpoints = [Endpoint(url, timeout_seconds) for url in urls]
        self.identify: Callable[[Endpoint], None] | None = None

    def call(self, method: str, *params: Any) -> Any:
        return self.batch([(method, params)])[0]

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """All results from one endpoint, so that they belong together."""
        if not calls:
            return []
        last: LedgerUnavailableError | None = None
        for endpoint in self._endpoints:
            try:
                self._verify(endpoint)
                return endpoint.post(calls)
            except LedgerUnavailableError as error:
                last = error
        raise last or LedgerUnavailableError("没有配置账本节点", "no ledger node is configured")

    def send_to_all(self, raw: bytes) -> tuple[int, list[str]]:
        """(how many nodes took the bytes, refusals of the others); raises when none answered."""
        taken, refusals, answered = 0, [], False
        last: LedgerUnavailableError | None = None
        for endpoint in self._endpoints:
            try:
                self._verify(endpoint)
                endpoint.post([("eth_sendRawTransaction", ["0x" + raw.hex()])])
                taken += 1
                answered = True
            except RPCError as error:
                refusals.append(error.message)
                answered = True
            except LedgerUnavailableError as error:
                last = error
        if not answered and last is not None:
            raise last
        return taken, refusals

    def _verify(self, endpoint: Endpoint) -> None:
        if self.identify is None or endpoint.is_verified:
            return
        self.identify(endpoint)
        endpoint.is_verified = True

    def close(self) -> None:
        for endpoint in self._endpoints:
            endpoint.close()


def _to_error(error: Any) -> RPCError:
    if not isinstance(error, dict):
        return RPCError(0, "malformed error")
    data = error.get("data")
    if isinstance(data, dict):  # ganache wraps it
        data = data.get("result") or data.get("data") or ""
    number = error.get("code")
    return RPCError(
        number if isinstance(number, int) else 0,
        str(error.get("message", ""))[:500],
        data if isinstance(data, str) and data.startswith("0x") else "",
    )
