"""The three ways in which a verification can end without success, kept apart on purpose.

Data that contradict each other are evidence of wrongdoing; data that cannot be read, and facts that
nobody could be asked about, are not. Undecided is never success. Texts never contain a person's
name, an identity number, a diagnosis or an expense line.
"""

from __future__ import annotations


class VerificationError(Exception):
    """Root of every error that ``verifier`` raises on purpose.

    ``expected`` and ``actual`` carry the compared values where there are two (hashes as lower-case
    hex, sizes as integers), so that a caller need not take the text apart.
    """

    def __init__(
        self,
        message: str,
        *,
        expected: str | int | None = None,
        actual: str | int | None = None,
    ) -> None:
        super().__init__(message)
        self.expected = expected
        self.actual = actual


class MalformedError(VerificationError):
    """The input cannot be read as what it claims to be (exit status 2)."""


class RefutedError(VerificationError):
    """The input was read and is shown to be false (exit status 1)."""


class UndecidedError(VerificationError):
    """The evidence that would decide is missing or could not be asked for (exit status 3)."""
