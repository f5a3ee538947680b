"""Rows of what was declared of a claim, as frozen values."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from backend.domain.accident import Accident, Excuse
from backend.domain.errors import ConflictError

BY_CITIZEN: Final = "citizen"
BY_DECLARATION: Final = "machine:declaration"
BY_RED_BILL: Final = "machine:red-bill"
"""Who has resolved a reason that a declaration answered, or that a further red bill worded anew:
nobody, so that it says nothing of the claim."""
BY_NOBODY: Final = frozenset({BY_DECLARATION, BY_RED_BILL})


class Subject(StrEnum):
    ACCIDENT = "accident"
    LATE = "late"
    KIND = "kind"


@dataclass(frozen=True, slots=True)
class Declaration:
    """One version of a declaration. ``declared_by`` is ``citizen`` or names who acted for them."""

    id: str
    claim_id: str
    subject: Subject
    version: int
    content: dict[str, Any]
    declared_by: str
    declared_at: dt.datetime
    undertaking_version: int | None = None
    undertaking_digest: bytes | None = None

    @property
    def accident(self) -> Accident:
        """What was declared of an accident; only of that subject."""
        return Accident.from_record(self.content)


@dataclass(frozen=True, slots=True)
class FiledWith:
    """What a person files together with one bill."""

    accident: Accident | None = None
    excuse: Excuse | None = None


class DeclarationRaceError(ConflictError):
    """Two declarations at once; the other one was stored."""

    code = "declaration-race"

    def __init__(self) -> None:
        super().__init__(
            "刚才已经收到一份说明，请看一下再改",
            "another declaration was stored just now; look at it first",
        )


class Declarations(Protocol):
    def add(self, entry: Declaration) -> None: ...
    def of_claim(self, claim_id: str, subject: Subject) -> list[Declaration]: ...
