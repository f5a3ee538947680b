"""The forms in which a private key could stand somewhere, and a search for them in bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Needle:
    """A secret under a name, and the byte strings that would give it away. ``folded`` ones are
    looked for in any case of letters."""

    name: str
    exact: tuple[bytes, ...]
    folded: tuple[bytes, ...] = ()

    def is_in(self, content: bytes, lower: bytes) -> bool:
        return any(form in content for form in self.exact) or any(
            form in lower for form in self.folded
        )


def of_key(name: str, key: bytes) -> Needle:
    """Raw, hexadecimal (any case, with 0x or without), base64 (both alphabets, wherever it starts
    in a longer text), decimal, and as a list of byte values."""
    plain = tuple(
        coded
        for shift in range(3)
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
        # The characters that depend on the key alone, whatever stands before and after it.
        for coded in [encode(bytes(shift) + key + bytes(2))[(0, 2, 3)[shift] :][:40]]
    )
    numbers = b", ".join(str(byte).encode() for byte in key)
    decimal = str(int.from_bytes(key, "big")).encode()
    exact = (key, key[::-1], *plain, decimal, numbers, numbers.replace(b" ", b""))
    return Needle(name, exact, (key.hex().encode(),))


def of_text(name: str, text: str) -> Needle:
    """A password or phrase as it is."""
    return Needle(name, (text.encode(),))


def found_in(content: bytes, needles: list[Needle]) -> list[str]:
    """The names of the needles that stand in the content."""
    lower = content.lower()
    return [needle.name for needle in needles if needle.is_in(content, lower)]


def files_under(folder: Path) -> Iterator[Path]:
    """Every regular file, hidden ones too."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
