"""An insurer's call under an Idempotency-Key: done once, answered alike for as long as it is kept.

Only a call that had an effect is kept. A refusal has none: the same key may be sent again when
what stood in the way has passed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from backend.service_layer.second_payers.opening import ClaimView, view_of
from backend.service_layer.second_payers.ports import (
    PayerServices,
    PayerWork,
    RequestKeyReusedError,
)
from backend.service_layer.second_payers.records import KeptAnswer, PayerClaim, SecondPayer
from verifier.commitment.canonical import canonical_bytes

TAKEN = 202


@dataclass(frozen=True, slots=True)
class Once:
    """A request with its key; ``asked`` is what is asked for, ``write`` makes the answer's text."""

    key: str
    asked: tuple[str, ...]
    write: Callable[[ClaimView], str]

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(canonical_bytes(list(self.asked))).digest()


@dataclass(frozen=True, slots=True)
class Answered:
    """``body`` as it was first given; ``is_replayed`` when the call was made before."""

    status: int
    body: str
    is_replayed: bool


def answered_before(deps: PayerServices, payer: SecondPayer, once: Once) -> Answered | None:
    """The kept answer to the request. Raises RequestKeyReusedError for another request's key."""
    with deps.work(write=False) as work:
        return _kept(work, payer, once)


def _kept(work: PayerWork, payer: SecondPayer, once: Once) -> Answered | None:
    kept = work.second_payers.kept_answer(payer.number, once.key)
    if kept is None:
        return None
    if kept.digest != once.digest:
        raise RequestKeyReusedError(
            "这个 Idempotency-Key 已用于另一个请求，什么都没有改动；请换一个",
            "this Idempotency-Key was used for another request; nothing changed: choose another",
        )
    return Answered(kept.status, kept.body, is_replayed=True)


def keep(
    deps: PayerServices, work: PayerWork, payer: SecondPayer, once: Once, claim: PayerClaim
) -> Answered:
    """Keep the answer in the transaction that did the work. Raises RequestInFlightError when the
    same key did it at the same moment: then nothing of this transaction may be committed."""
    body = once.write(view_of(deps, work, claim))
    entry = KeptAnswer(payer.number, once.key, once.digest, TAKEN, body, deps.clock.now())
    work.second_payers.keep_answer(entry)
    return Answered(TAKEN, body, is_replayed=False)
