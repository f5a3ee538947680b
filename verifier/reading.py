"""Members of a strict JSON object: exact set of names, exact types, exact hex (SPEC.md B)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from verifier.commitment.canonical import MAX_INTEGER, ParsedValue
from verifier.errors import MalformedError

_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")


class ObjectReader:
    """One JSON object and the place where it stands.

    Every accessor raises MalformedError that names the place. Construction refuses members that
    are neither required nor optional, and missing required ones.
    """

    def __init__(
        self,
        value: ParsedValue,
        where: str,
        required: tuple[str, ...],
        optional: tuple[str, ...] = (),
    ) -> None:
        if not isinstance(value, dict):
            raise MalformedError(f"{where} is not an object")
        self.where = where
        self._members: Mapping[str, ParsedValue] = value
        for name in value:
            if name not in required and name not in optional:
                raise MalformedError(f"{where} has an unknown member", actual=name[:40])
        for name in required:
            if name not in value:
                raise MalformedError(f"{where} lacks the member {name}")

    def has(self, name: str) -> bool:
        return name in self._members

    def value(self, name: str) -> ParsedValue:
        return self._members[name]

    def place(self, name: str) -> str:
        return f"{self.where}.{name}"

    def text(self, name: str) -> str:
        value = self._members[name]
        if not isinstance(value, str):
            raise MalformedError(f"{self.place(name)} is not a text")
        return value

    def integer(self, name: str, low: int = 0, high: int = MAX_INTEGER) -> int:
        value = self._members[name]
        if not isinstance(value, int) or not low <= value <= high:
            raise MalformedError(f"{self.place(name)} is not an integer from {low} to {high}")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in choices:
            raise MalformedError(f"{self.place(name)} is not one of: {', '.join(choices)}")
        return value

    def array(self, name: str, limit: int) -> list[ParsedValue]:
        value = self._members[name]
        if not isinstance(value, list):
            raise MalformedError(f"{self.place(name)} is not an array")
        if len(value) > limit:
            raise MalformedError(f"{self.place(name)} has more than {limit} entries")
        return value

    def hexadecimal(self, name: str, size: int) -> bytes:
        return parse_hex(self._members[name], size, self.place(name))


def parse_hex(value: ParsedValue, size: int, where: str) -> bytes:
    """Return ``size`` bytes from lower-case hex without prefix; MalformedError for all else."""
    if not isinstance(value, str) or len(value) != 2 * size or not _HEX.fullmatch(value):
        raise MalformedError(f"{where} is not {size} bytes of lower-case hex")
    return bytes.fromhex(value)
