"""Acts that would be others when sent again, done once under a key that their person chose."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

from backend.domain.errors import ConflictError
from verifier.commitment.canonical import canonical_bytes


class KeyUsedError(ConflictError):
    """The key stands for something else that was asked for before."""

    code = "idempotency-key-used"


@dataclass(frozen=True, slots=True)
class StaffAct:
    """What a person asked for under a key (``digest`` of it) and what came of it."""

    person: str
    request_key: str
    digest: bytes
    result: str
    done_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Once:
    """A request with its key; ``asked`` is what is asked for, in plain values."""

    key: str
    asked: tuple[str, ...]

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(canonical_bytes(list(self.asked))).digest()


class StaffActs(Protocol):
    def get(self, person: str, request_key: str) -> StaffAct | None: ...
    def add(self, entry: StaffAct) -> None: ...


def result_of(work: Any, person: str, once: Once) -> str | None:
    """What came of the request when it was made before; None when it was not.

    Raises :class:`KeyUsedError` where the key stands for something else.
    """
    acts: StaffActs = work.staff_acts
    found = acts.get(person, once.key)
    if found is None:
        return None
    if found.digest != once.digest:
        raise KeyUsedError(
            "这个 Idempotency-Key 已用于另一个请求，什么都没有改动；请换一个",
            "this Idempotency-Key was used for another request; nothing changed: choose another",
        )
    return found.result


def keep_result(work: Any, person: str, once: Once, result: str, at: dt.datetime) -> None:
    """Keep what came of the request, in the transaction that did it."""
    acts: StaffActs = work.staff_acts
    acts.add(StaffAct(person, once.key, once.digest, result, at))
