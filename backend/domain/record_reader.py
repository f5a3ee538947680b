"""Reading JSON objects into frozen types, collecting every fault with its JSON path.

A policy pack, a history or a person file that is wrong is refused as a whole, with everything
that is wrong with it, so that its author repairs it once.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from backend.domain.errors import DomainError

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
FAULTS_MAX: Final = 50
"""Faults kept; a file with more of them is hardly the right file."""


class MalformedDataError(DomainError):
    """A JSON document that is not what it should be; ``faults`` are (path, zh, en)."""

    code = "malformed-data"

    def __init__(self, what: str, faults: tuple[tuple[str, str, str], ...]) -> None:
        zh = "；".join(f"{path or '/'}: {text}" for path, text, _ in faults)
        en = "; ".join(f"{path or '/'}: {text}" for path, _, text in faults)
        super().__init__(f"{what} 有误：{zh}", f"{what} is wrong: {en}")
        self.faults = faults


@dataclass(slots=True)
class Faults:
    """The faults found so far in one document named ``what``."""

    what: str
    found: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, path: str, zh: str, en: str) -> None:
        if len(self.found) < FAULTS_MAX:
            self.found.append((path, zh, en))

    def raise_if_any(self) -> None:
        if self.found:
            raise MalformedDataError(self.what, tuple(self.found))


@dataclass(slots=True)
class Reader:
    """One JSON object at ``path``. Each ``get`` notes a fault and returns a stand-in value."""

    value: Any
    path: str
    faults: Faults
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not isinstance(self.value, dict):
            self.faults.add(self.path, "不是对象", "is not an object")
            self.value = {}

    def has(self, name: str) -> bool:
        return name in self.value

    def _take(self, name: str, optional: bool) -> Any:
        self.seen.add(name)
        if name not in self.value:
            if not optional:
                self.fault(name, "缺少", "is missing")
            return None
        return self.value[name]

    def fault(self, name: str, zh: str, en: str) -> None:
        self.faults.add(f"{self.path}/{name}", zh, en)

    def text(
        self,
        name: str,
        default: str | None = None,
        *,
        choices: tuple[str, ...] = (),
        length_max: int = 500,
    ) -> str:
        found = self._take(name, default is not None)
        if found is None and default is not None and name not in self.value:
            return default
        if found is None and name not in self.value:
            return ""
        if not isinstance(found, str) or len(found) > length_max:
            self.fault(name, f"不是 {length_max} 字以内的文本", f"is not a text up to {length_max}")
            return default or ""
        if choices and found not in choices:
            self.fault(name, f"应为 {choices} 之一", f"is not one of {choices}")
        return found

    def integer(
        self, name: str, default: int | None = None, *, low: int = 0, high: int = 2**40 - 1
    ) -> int:
        found = self._take(name, default is not None)
        if name not in self.value:
            return default if default is not None else low
        if type(found) is not int or not low <= found <= high:
            self.fault(
                name,
                f"不是 {low} 到 {high} 的整数",
                f"is not a whole number from {low} to {high}",
            )
            return default if default is not None else low
        return found

    def optional_integer(self, name: str, *, low: int = 0, high: int = 2**40 - 1) -> int | None:
        return self.integer(name, low=low, high=high) if self.has(name) else None

    def day(self, name: str) -> dt.date:
        text = self.text(name)
        if name in self.value and _DAY.fullmatch(text):
            try:
                return dt.date.fromisoformat(text)
            except ValueError:
                pass
        if name in self.value:
            self.fault(name, "不是 YYYY-MM-DD 日期", "is not a YYYY-MM-DD date")
        return dt.date(1970, 1, 1)

    def optional_day(self, name: str) -> dt.date | None:
        self.seen.add(name)
        return self.day(name) if self.has(name) else None

    def sha256(self, name: str) -> bytes:
        text = self.text(name)
        if not _HASH.fullmatch(text):
            if name in self.value:
                self.fault(name, "不是 64 位小写十六进制", "is not 64 lower-case hex digits")
            return bytes(32)
        return bytes.fromhex(text)

    def child(self, name: str) -> Reader:
        found = self._take(name, False)
        return Reader({} if found is None else found, f"{self.path}/{name}", self.faults)

    def children(
        self, name: str, *, optional: bool = False, size_max: int = 10_000
    ) -> Iterator[Reader]:
        found = self._take(name, optional)
        if name not in self.value:
            return
        if not isinstance(found, list) or len(found) > size_max:
            self.fault(name, f"不是 {size_max} 项以内的列表", f"is not a list up to {size_max}")
            return
        for index, entry in enumerate(found):
            reader = Reader(entry, f"{self.path}/{name}/{index}", self.faults)
            yield reader

    def texts(self, name: str, choices: tuple[str, ...] = ()) -> frozenset[str]:
        """An optional list of texts; absent means "any" and gives the empty set."""
        return frozenset(str(v) for v in self._scalars(name, str, choices))

    def integers(self, name: str, choices: tuple[int, ...]) -> frozenset[int]:
        """An optional list of integers out of ``choices``; absent means "any"."""
        return frozenset(int(v) for v in self._scalars(name, int, choices))

    def _scalars(self, name: str, kind: type, choices: tuple[Any, ...]) -> list[Any]:
        found = self._take(name, True)
        if name not in self.value:
            return []
        if not isinstance(found, list) or not found:
            self.fault(name, "不是非空列表", "is not a list with entries")
            return []
        good = []
        for index, entry in enumerate(found):
            if type(entry) is not kind or (choices and entry not in choices):
                self.fault(f"{name}/{index}", f"应为 {choices} 之一", f"is not one of {choices}")
            else:
                good.append(entry)
        return good

    def finish(self) -> None:
        """Note every member that nobody asked for: a misspelt rule must not be ignored."""
        for name in sorted(set(self.value) - self.seen):
            self.fault(name, "未知字段", "is an unknown field")
