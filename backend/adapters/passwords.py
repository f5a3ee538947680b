"""Hashing of login passwords: one cost for all, so that an answer's time tells nothing."""

from __future__ import annotations

import secrets
from typing import Final

from werkzeug.security import check_password_hash, generate_password_hash

#: PBKDF2 rounds of a local login. Production logs in by OpenID Connect; these are sample logins.
_METHOD: Final = "pbkdf2:sha256:50000"
_LENGTH_MAX: Final = 200


def hash_password(password: str) -> str:
    """What the ``login`` table keeps of a password."""
    return generate_password_hash(password, method=_METHOD)


# Compared with when the name is unknown, at the same cost as for a known one.
_NOBODY: Final = hash_password(secrets.token_hex(16))


def is_password(stored: str | None, password: str) -> bool:
    """Whether the password belongs to the stored hash; never for an unknown name (None)."""
    return check_password_hash(stored or _NOBODY, password[:_LENGTH_MAX]) and stored is not None
