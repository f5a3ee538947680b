"""JSON-RPC over HTTP: the only socket of the verifier.

Whatever goes wrong here, a dropped connection or an answer that is none, leaves the question open:
UndecidedError, never a verdict on the bundle.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import Final

from verifier.commitment.canonical import check_nesting
from verifier.errors import MalformedError, UndecidedError

TIMEOUT_SECONDS: Final = 15.0
MAX_RESPONSE_BYTES: Final = 32 * 1024 * 1024
MAX_RESPONSE_DEPTH: Final = 32


class RPCMethodError(UndecidedError):
    """The node answered with a JSON-RPC error object, or does not know the method."""


class HTTPTransport:
    """One JSON-RPC endpoint. Proxies from the environment are not used; redirects are refused."""

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        if not _is_http(url):
            raise MalformedError("the node's address is not an http or https URL")
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
        self._last_id = 0

    def call(self, method: str, params: list[object]) -> object:
        """Return the result of one call. Raises UndecidedError when there is none."""
        self._last_id += 1
        body = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        request = urllib.request.Request(  # noqa: S310 (the scheme was checked above)
            self._url,
            data=json.dumps(body).encode("ascii"),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=self._timeout_seconds) as response:
                data: bytes = response.read(MAX_RESPONSE_BYTES + 1)
        except (OSError, HTTPException) as error:
            raise UndecidedError(f"the node did not answer: {type(error).__name__}") from error
        if len(data) > MAX_RESPONSE_BYTES:
            raise UndecidedError("the node's answer is too large")
        return _result(data, self._last_id)


def _is_http(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: object, **_keywords: object) -> None:
        return None


def _result(data: bytes, expected_id: int) -> object:
    try:
        text = data.decode("utf-8")
        check_nesting(text, MAX_RESPONSE_DEPTH)
        answer = json.loads(text)
    except (ValueError, MalformedError) as error:
        raise UndecidedError("the node's answer is not JSON") from error
    if not isinstance(answer, dict) or answer.get("id") != expected_id:
        raise UndecidedError("the node's answer is no JSON-RPC answer to the question")
    if answer.get("error") is not None:
        raise RPCMethodError("the node refused the question")
    if "result" not in answer:
        raise UndecidedError("the node's answer holds no result")
    result: object = answer["result"]
    return result
