"""Acts that would be others when sent again, done once under a key that their person chose."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


class OnceServices:
    """The services, for one act under a key: what came of it is kept in the very transaction that
    does it first, so that the same request again, or at the same moment, is done once. ``result``
    reads in that transaction what came of it."""

    def __init__(
        self, deps: Any, person: str, once: Once, result: Callable[[Any], str] | None = None
    ) -> None:
        self._deps = deps
        self._person = person
        self._once = once
        self._result = result
        self._is_kept = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._deps, name)

    @contextmanager
    def work(self, *, write: bool = True) -> Iterator[Any]:
        with self._deps.work(write=write) as work:
            yield _KeepingWork(work, self) if write and not self._is_kept else work

    def keep(self, work: Any) -> None:
        came = "done" if self._result is None else self._result(work)
        keep_result(work, self._person, self._once, came, self._deps.clock.now())
        self._is_kept = True


class _KeepingWork:
    """A transaction that keeps the act as it commits."""

    def __init__(self, work: Any, services: OnceServices) -> None:
        self._work = work
        self._services = services

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)

    def commit(self) -> None:
        self._services.keep(self._work)
        self._work.commit()
