"""The same requests to two ledgers, and what differs between their answers.

Both ledgers have the same accounts, chain id and rules, and get the same signed bytes. What can be
equal must be: hashes of transactions, addresses of contracts, logs, gas, storage roots. What
depends on the clock and on each program's block headers is compared by its form.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_HEX = re.compile(r"0x[0-9a-f]*")
#: Values that the two cannot share: block hashes, times, roots over all accounts (anvil has more
#: accounts in its state than it lists).
_OWN = frozenset(
    {"blockHash", "parentHash", "timestamp", "blockTimestamp", "stateRoot", "size", "accountProof"}
)


@dataclass(frozen=True, slots=True)
class Step:
    """One request. ``$name`` in the parameters stands for what a step with ``keep`` kept, on the
    same ledger. ``own`` are further names whose values cannot be shared. ``case`` tells requests
    of one method apart."""

    case: str
    method: str
    params: tuple[Any, ...] = ()
    keep: str = ""
    pick: Callable[[Any], Any] = lambda result: result
    own: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two answers differ: the request, the place in the answer, and both values."""

    method: str
    case: str
    place: str
    reference: str
    ours: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.method, self.case, self.place


@dataclass(slots=True)
class Endpoint:
    """One ledger and what was kept of its answers."""

    url: str
    kept: dict[str, Any] = field(default_factory=dict)

    def ask(self, step: Step) -> dict[str, Any]:
        """The answer: ``{"result": ...}`` or ``{"error": ...}``."""
        status, content = self.post(
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": step.method,
                "params": [self._filled(item) for item in step.params],
            }
        )
        assert status == 200, (step, status, content)
        answer = {name: content[name] for name in ("result", "error") if name in content}
        if step.keep:
            assert "result" in answer, (self.url, step, answer)
            self.kept[step.keep] = step.pick(answer["result"])
        return answer

    def post(self, content: Any) -> tuple[int, Any]:
        """Status and parsed body (None for an empty one) of one POST."""
        request = urllib.request.Request(
            self.url, json.dumps(content).encode(), {"Content-Type": "application/json"}
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=30) as answer:
            body = answer.read()
            return answer.status, json.loads(body) if body else None

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("$"):
            return self.kept[value[1:]]
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        if isinstance(value, dict):
            return {name: self._filled(item) for name, item in value.items()}
        return value


def differences(step: Step, reference: Any, ours: Any) -> Iterator[Difference]:
    """Every place at which two answers to one step differ."""
    for place, left, right in _compare("", reference, ours, _OWN | step.own):
        yield Difference(step.method, step.case, place, _short(left), _short(right))


def _compare(
    place: str, left: Any, right: Any, own: frozenset[str]
) -> Iterator[tuple[str, Any, Any]]:
    name = re.sub(r"\[\]", "", place.rpartition(".")[2])
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            at = f"{place}.{key}".lstrip(".")
            if key not in left or key not in right:
                yield at, left.get(key, "absent"), right.get(key, "absent")
            elif at.endswith("error.message"):
                yield from _compare_messages(at, left[key], right[key])
            else:
                yield from _compare(at, left[key], right[key], own)
    elif isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right) and name not in own:
            yield place, f"{len(left)} items", f"{len(right)} items"
        for one, other in zip(left, right, strict=False):
            yield from _compare(f"{place}[]", one, other, own)
    elif name in own and _form(left) == _form(right):
        return
    elif left != right or type(left) is not type(right):
        yield place, left, right


def _compare_messages(place: str, left: str, right: str) -> Iterator[tuple[str, Any, Any]]:
    """Texts are each program's own (clients look at codes), but for a revert's reason."""
    reverted = "execution reverted"
    if left.startswith(reverted) or right.startswith(reverted):
        known = left.startswith(f"{reverted}: custom error") or left.startswith(
            f"{reverted}: panic"
        )
        if (left.rstrip(": ") if not known else reverted) != right:
            yield place, left, right


def _form(value: Any) -> str:
    """What a value is, apart from what it says: the length of bytes, the kind of a quantity."""
    if isinstance(value, str) and _HEX.fullmatch(value):
        return f"{len(value)} hex" if len(value) in (18, 42, 66) else "hex"
    return type(value).__name__


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 100 else text[:97] + "..."
