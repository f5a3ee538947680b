"""Which lines of a bill a rule means: by code, prefix of the code, category or word in the name.

All selectors of a rule set are asked once for each distinct item and the answer is remembered, so
that a bill costs one look-up a line however many rules there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from backend.domain.audit.text import Text

_MEMO_MAX: Final = 100_000

ItemKey = tuple[str, str, str]
"""Catalogue code, name, category code."""


@dataclass(frozen=True, slots=True)
class ItemSelector:
    """Items with one of the codes, prefixes, categories or words, less those with an excepted
    word in the name. An empty selector means no item."""

    codes: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    categories: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    except_words: tuple[str, ...] = ()

    def matches(self, code: str, name: str, category: str) -> bool:
        wanted = (
            code in self.codes
            or category in self.categories
            or (bool(self.prefixes) and code.startswith(self.prefixes))
            or any(word in name for word in self.words)
        )
        return wanted and not any(word in name for word in self.except_words)


@dataclass(frozen=True, slots=True)
class ItemLimit:
    """At most ``maximum`` units; ``days`` is the window or the days that a unit lasts, as the
    check says. With ``unit`` only lines charged by that unit count: tablets are no boxes."""

    label: Text
    items: ItemSelector
    maximum: int
    days: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class DiagnosisLimit:
    """Items that are paid only with a diagnosis beginning with one of the prefixes."""

    label: Text
    items: ItemSelector
    diagnoses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ItemPair:
    """Two kinds of item that do not go together on one day."""

    label: Text
    first: ItemSelector
    second: ItemSelector


@dataclass(frozen=True, slots=True)
class SelectorTable:
    """All selectors of a rule set, with the answers already given (a memo: no effect)."""

    selectors: tuple[ItemSelector, ...]
    memo: dict[ItemKey, tuple[ItemSelector, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def matching(self, key: ItemKey) -> tuple[ItemSelector, ...]:
        """The selectors that mean this item."""
        found = self.memo.get(key)
        if found is None:
            found = tuple(one for one in self.selectors if one.matches(*key))
            if len(self.memo) < _MEMO_MAX:
                self.memo[key] = found
        return found


def selectors_in(values: Iterable[object]) -> tuple[ItemSelector, ...]:
    """Every selector in parsed parameters, each once, in the order of appearance."""
    found: dict[ItemSelector, None] = {}
    for value in values:
        for one in _selectors_of(value):
            found[one] = None
    return tuple(found)


def _selectors_of(value: object) -> tuple[ItemSelector, ...]:
    if isinstance(value, ItemSelector):
        return (value,)
    if isinstance(value, (ItemLimit, DiagnosisLimit)):
        return (value.items,)
    if isinstance(value, ItemPair):
        return (value.first, value.second)
    if isinstance(value, tuple):
        return tuple(one for entry in value for one in _selectors_of(entry))
    return ()
