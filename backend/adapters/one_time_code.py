"""A one-time code kept as a hash in a file: the supervisor issues it, the web takes it once.

Taking is a rename, which one of several web threads or processes wins.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

CODE_DIGITS = 8


class OneTimeCodeFile:
    """The code that opens one sample login on the LAN, at ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def issue(self) -> str:
        """Replace whatever code is waiting by a fresh one of eight digits and return it."""
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        fresh = self._path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(_digest(code))
        fresh.replace(self._path)
        return code

    def is_waiting(self) -> bool:
        """Whether a code was issued that nobody has taken yet."""
        return self._path.exists()

    def take(self, code: str) -> bool:
        """True for exactly one caller with the waiting code; the code is gone then."""
        try:
            waiting = self._path.read_text()
            if not hmac.compare_digest(waiting.encode(), _digest(code.strip()).encode()):
                return False
            self._path.rename(self._path.with_suffix(".used"))
        except FileNotFoundError:
            return False
        return True

    def withdraw(self) -> None:
        """Forget the waiting code, if there is one."""
        self._path.unlink(missing_ok=True)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
