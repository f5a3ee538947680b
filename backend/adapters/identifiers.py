"""Identifiers and secrets from the operating system's random source."""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U


class RandomIds:
    def new_id(self, prefix: str) -> str:
        """``prefix_`` and 26 characters: 48 bits of milliseconds, 80 random bits (ULID)."""
        number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
        digits = []
        for _ in range(26):
            number, digit = divmod(number, 32)
            digits.append(_ALPHABET[digit])
        return f"{prefix}_{''.join(reversed(digits))}"

    def new_secret(self) -> bytes:
        return secrets.token_bytes(32)
