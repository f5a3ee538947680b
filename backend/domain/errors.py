"""The one root of every error that the backend raises on purpose.

An error carries its expected and actual values as attributes and speaks to its reader in two
languages. It never contains a name, an identity number, a diagnosis or an expense line.
"""

from __future__ import annotations


class DomainError(Exception):
    """Something that a caller did, or asked for, that the rules do not allow.

    ``code`` is stable and machine-readable; ``zh`` and ``en`` say what happened and what to do.
    """

    code = "domain-error"

    def __init__(self, zh: str, en: str, *, code: str | None = None) -> None:
        super().__init__(f"{zh} / {en}")
        self.zh = zh
        self.en = en
        if code is not None:
            self.code = code


class NotFoundError(DomainError):
    """The named thing is not known here (which does not mean that it does not exist)."""

    code = "not-found"


class ForbiddenError(DomainError):
    """The caller is known and may not do this."""

    code = "forbidden"


class ConflictError(DomainError):
    """The request contradicts what is already stored."""

    code = "conflict"


class UnavailableError(DomainError):
    """A service that is needed cannot be asked now; nothing was lost, try again."""

    code = "unavailable"


class UnstorableError(DomainError):
    """A value that the database cannot hold, or gives back as what nobody can read."""

    code = "unstorable"
