"""The filters that clients poll, as kept for one run."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from backend.entrypoints.devchain.errors import refused

MAX_FILTERS = 1024
#: geth forgets a filter that was not polled for five minutes.
IDLE_SECONDS = 300


@dataclass(slots=True)
class Filter:
    """What is watched (``logs``, ``blocks``, ``transactions``) and how far it was told: a block
    number, for transactions a count."""

    kind: str
    told: int
    query: dict[str, Any] = field(default_factory=dict)
    polled: float = field(default_factory=time.monotonic)


class FilterBook:
    """The filters of one engine; used under its lock."""

    def __init__(self) -> None:
        self._filters: OrderedDict[str, Filter] = OrderedDict()

    def add(self, found: Filter) -> str:
        """Keep a filter and name it; the name cannot be guessed by another client."""
        now = time.monotonic()
        for name in [n for n, f in self._filters.items() if now - f.polled > IDLE_SECONDS]:
            del self._filters[name]
        if len(self._filters) >= MAX_FILTERS:
            raise refused(f"more than {MAX_FILTERS} filters")
        name = f"0x{secrets.token_hex(16)}"
        self._filters[name] = found
        return name

    def get(self, name: Any) -> Filter:
        """The filter of a name; refused when there is none (any more)."""
        found = self._filters.get(name) if isinstance(name, str) else None
        if found is None:
            raise refused("filter not found")
        found.polled = time.monotonic()
        return found

    def watches(self, kind: str) -> bool:
        """Whether any filter is of this kind."""
        return any(found.kind == kind for found in self._filters.values())

    def remove(self, name: Any) -> bool:
        """Forget a filter; whether there was one."""
        return isinstance(name, str) and self._filters.pop(name, None) is not None
