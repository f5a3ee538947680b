"""JSON-RPC over HTTP to one or more nodes of one network.

Retries are ours, not a library's: an answer that did not arrive means *unknown* (reference T1),
so a read is asked of the next node and a sent transaction is looked up by its hash. Each endpoint
is believed only after an identity check, which is made again after each new connection (T14).
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from eth_utils.crypto import keccak
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from backend.domain.errors import DomainError
from backend.service_layer.ports import LedgerUnavailableError

ANSWER_BYTES_MAX: Final = 64 * 2**20
#: A node that failed is asked last for this long, so that not every read waits for its time-out.
REST_SECONDS: Final = 5.0
#: A node or proxy that closes each connection is not checked more often than this.
VERIFY_AGAIN_SECONDS: Final = 1.0
#: So many transactions in a row that only this node refused and does not know: a node at fault.
REFUSED_MAX: Final = 3
#: A node this far below another one is asked last.
LAG_BLOCKS: Final = 5
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


class WrongNetworkError(LedgerUnavailableError):
    """A node answers, but it is on another network or holds other contracts."""

    code = "wrong-network"


_connections = threading.local()


def _count_connection() -> None:
    _connections.opened = _connections_opened() + 1


def _connections_opened() -> int:
    """How many connections this thread has opened."""
    return int(getattr(_connections, "opened", 0))


class _Plain(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _count_connection()


class _Secure(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _count_connection()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _CountingAdapter(HTTPAdapter):
    """urllib3 connects again without a word when a node has closed a connection; who answers
    then may be another node (T14), so connections are counted."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


class Endpoint:
    """One node. Sessions are per thread, since requests does not promise to share them.

    ``label`` is the URL without what may be secret in it. ``trouble`` says why the last exchange
    failed, empty when it did not.
    """

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self.url = url
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
        self.label = f"{parts.scheme}://{parts.hostname}{port}"
        self.is_verified = False
        self.verified_at = 0.0
        self.rests_until = 0.0
        self.trouble = ""
        self.refused = 0
        self.behind = False
        self._timeout = timeout_seconds
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._numbers = itertools.count(1)

    def post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Results of a batch in its order; raises LedgerUnavailableError or the first RPCError."""
        results = []
        for answer in self._answers(calls):
            if answer is None:
                raise self.failed("no answer to a call")
            if answer.get("error") is not None:
                raise _to_error(answer["error"])
            if "result" not in answer:
                raise self.failed("neither result nor error")
            results.append(answer["result"])
        return results

    def post_each(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """The same, but a call that was refused or not answered spoils no other (T18): its
        RPCError stands in its place."""
        results: list[Any] = []
        for answer in self._answers(calls):
            if answer is not None and answer.get("error") is not None:
                results.append(_to_error(answer["error"]))
            elif answer is None or "result" not in answer:
                results.append(RPCError(0, "no answer to a call"))
            else:
                results.append(answer["result"])
        return results

    def _answers(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[dict[str, Any] | None]:
        """The answer objects in the order of their calls, None where one is missing."""
        body = [
            {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": list(params)}
            for method, params in calls
        ]
        answers = self._exchange(body if len(body) > 1 else body[0])
        by_id = {
            answer["id"]: answer
            for answer in answers
            if isinstance(answer, dict) and isinstance(answer.get("id"), int)
        }
        return [by_id.get(call["id"]) for call in body]

    def _exchange(self, body: Any) -> list[Any]:
        opened = _connections_opened()
        try:
            response = self._session().post(self.url, json=body, timeout=self._timeout)
            answers = response.json()
        except (requests.RequestException, ValueError) as error:
            raise self.failed(type(error).__name__) from error
        if len(response.content) > ANSWER_BYTES_MAX:
            raise RPCError(0, "the answer is too large: ask for less")
        is_new = _connections_opened() != opened
        if is_new and time.monotonic() - self.verified_at > VERIFY_AGAIN_SECONDS:
            self.is_verified = False
        if isinstance(answers, dict) and ("result" in answers or "error" in answers):
            if isinstance(body, list):  # one answer to many calls: it takes no batches
                raise self.failed(f"it refuses a batch: {_to_error(answers.get('error')).message}")
            answers = [answers]
        elif response.status_code != _HTTP_OK or not isinstance(answers, list):
            raise self.failed(f"HTTP status {response.status_code}")
        self.trouble, self.rests_until = "", 0.0
        return answers

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
            adapter = _CountingAdapter()
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            self._sessions.append(session)
        return session

    def failed(self, why: str) -> LedgerUnavailableError:
        """Note a failure; the error to raise. Who answers next time must say again who it is."""
        self.is_verified = False
        self.trouble = why
        self.rests_until = time.monotonic() + REST_SECONDS
        return LedgerUnavailableError(
            "账本节点没有应答，请检查 YICHU_RPC_URLS 或稍后再试",
            f"the ledger node {self.label} did not answer: {why}; check YICHU_RPC_URLS, or wait",
        )

    def close(self) -> None:
        for session in self._sessions:
            session.close()


class JSONRPC:
    """Several endpoints of one network: reads go to the first that answers, bytes to all."""

    def __init__(self, urls: Sequence[str], timeout_seconds: float = 10) -> None:
        self.endpoints = [Endpoint(url, timeout_seconds) for url in urls]
        self.identify: Callable[[Endpoint], None] | None = None

    def call(self, method: str, *params: Any) -> Any:
        return self.batch([(method, params)])[0]

    def batch(
        self,
        calls: Sequence[tuple[str, Sequence[Any]]],
        *,
        each: bool = False,
        believe: Callable[[list[Any]], None] | None = None,
    ) -> list[Any]:
        """All results from one endpoint, so that they belong together.

        A refusal by a contract is an answer; any other error is first asked of the next node. With
        ``each`` the error of one call stands in the place of its result and spoils no other.
        Results for which ``believe`` raises LedgerUnavailableError are asked of the next node.
        """
        if not calls:
            return []
        refusal: RPCError | None = None
        last: LedgerUnavailableError | None = None
        for endpoint in self._in_order():
            try:
                results = self.ask(endpoint, calls, each=each)
                if believe is not None:
                    believe(results)
            except LedgerUnavailableError as error:
                last = error
            except RPCError as error:
                if error.is_revert:
                    raise
                refusal = refusal or error
            else:
                return results
        if refusal is not None:
            raise refusal
        raise last or LedgerUnavailableError("没有配置账本节点", "no ledger node is configured")

    def ask(
        self, endpoint: Endpoint, calls: Sequence[tuple[str, Sequence[Any]]], *, each: bool = False
    ) -> list[Any]:
        """Results from this endpoint, believed only while it is known who answers."""
        self._verify(endpoint)
        try:
            return endpoint.post_each(calls) if each else endpoint.post(calls)
        finally:
            # When the connection was made anew meanwhile, the answer counts only if it was ours.
            if endpoint.trouble == "":
                self._verify(endpoint)

    def is_known_anywhere(self, tx_hash: bytes) -> bool:
        """Whether one of the nodes that answer has the transaction; raises when none answers."""
        question = [("eth_getTransactionByHash", ["0x" + tx_hash.hex()])]
        answered, last = False, None
        for endpoint in self._in_order():
            try:
                if self.ask(endpoint, question)[0] is not None:
                    return True
                answered = True
            except (LedgerUnavailableError, RPCError) as error:
                last = error
        if not answered and last is not None:
            raise last
        return False

    def send_to_all(self, raw: bytes) -> tuple[int, list[str]]:
        """(how many nodes took the bytes, refusals of the others); raises when none answered."""
        taken, refusals = 0, []
        refusing: list[Endpoint] = []
        last: LedgerUnavailableError | None = None
        for endpoint in self.endpoints:
            try:
                self.ask(endpoint, [("eth_sendRawTransaction", ["0x" + raw.hex()])])
                taken += 1
                endpoint.refused = 0
            except RPCError as error:
                refusals.append(error.message)
                refusing.append(endpoint)
            except LedgerUnavailableError as error:
                last = error
        if not taken and not refusing and last is not None:
            raise last
        if taken:
            self._note_refusals(refusing, raw)
        return taken, refusals

    def _note_refusals(self, refusing: Sequence[Endpoint], raw: bytes) -> None:
        """Count against a node what it refused, does not know, and another node took (T12).

        Its text is no reason: nodes say "known" in many ways (T3).
        """
        question = [("eth_getTransactionByHash", ["0x" + keccak(raw).hex()])]
        for endpoint in refusing:
            try:
                is_known = self.ask(endpoint, question)[0] is not None
            except (LedgerUnavailableError, RPCError):
                continue
            endpoint.refused = 0 if is_known else endpoint.refused + 1

    def troubles(self) -> dict[str, str]:
        """What is wrong with which node, by label: no answer, or it refuses what others take."""
        found = {}
        for endpoint in self.endpoints:
            if endpoint.trouble:
                found[endpoint.label] = endpoint.trouble
            elif endpoint.refused >= REFUSED_MAX:
                found[endpoint.label] = "it refuses transactions that another node takes"
            elif endpoint.behind:
                found[endpoint.label] = f"it is more than {LAG_BLOCKS} blocks behind another node"
        return found

    def probe_all(self) -> None:
        """Ask every node for its height, so that a recovery is noticed, and reads go to a node that
        is not left behind, as one is that was cut off from the others."""
        heights: dict[str, int] = {}
        for endpoint in self.endpoints if len(self.endpoints) > 1 else self._in_trouble():
            try:
                height = self.ask(endpoint, [("eth_blockNumber", [])])[0]
                heights[endpoint.label] = int(height, 16)
            except (LedgerUnavailableError, RPCError, TypeError, ValueError) as error:
                _logger.info("the ledger node %s fails: %s", endpoint.label, error)
        best = max(heights.values(), default=0)
        for endpoint in self.endpoints:
            endpoint.behind = best - heights.get(endpoint.label, best) > LAG_BLOCKS

    def _in_trouble(self) -> list[Endpoint]:
        return [endpoint for endpoint in self.endpoints if endpoint.trouble]

    def _in_order(self) -> list[Endpoint]:
        now = time.monotonic()
        return sorted(
            self.endpoints,
            key=lambda endpoint: (endpoint.rests_until > now, endpoint.behind),
        )

    def _verify(self, endpoint: Endpoint) -> None:
        if self.identify is not None and not endpoint.is_verified:
            try:
                self.identify(endpoint)
            except WrongNetworkError:
                endpoint.trouble = "it is on another network"
                endpoint.rests_until = time.monotonic() + REST_SECONDS
                raise
            endpoint.is_verified = True
            endpoint.verified_at = time.monotonic()

    def close(self) -> None:
        for endpoint in self.endpoints:
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
