"""A small per-process limit on requests of one caller: enough against guessing, not a shield."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

_CALLERS_MAX = 4_096


class RateLimit:
    """At most ``count`` calls in ``seconds`` for each caller (token bucket)."""

    def __init__(self, count: int, seconds: float) -> None:
        self._count = count
        self._rate = count / seconds
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, caller: str) -> bool:
        now = time.monotonic()
        with self._lock:
            tokens, at = self._buckets.pop(caller, (float(self._count), now))
            tokens = min(float(self._count), tokens + (now - at) * self._rate)
            allowed = tokens >= 1
            self._buckets[caller] = (tokens - 1 if allowed else tokens, now)
            if len(self._buckets) > _CALLERS_MAX:
                self._buckets.popitem(last=False)
        return allowed
