"""The work list of the payments desk: what is owed and not with the bank, and how it stands."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from backend.domain.errors import DomainError
from backend.domain.two_people import is_machine
from backend.service_layer.claims.holds import NEXT_RUN
from backend.service_layer.claims.records import Claim, Payout
from backend.service_layer.payout.holding import BANK_RETRY, DESK, HELD_CODES, PAYEE
from backend.service_layer.payout.stored import Hold

PAGE_MAX: Final = 200
SCANNED_MAX: Final = 1_000
"""Payables that are looked at for one page of one state."""
_FAILED: Final = frozenset({PAYEE, BANK_RETRY, DESK})
_HELD: Final = frozenset(HELD_CODES) - _FAILED - {NEXT_RUN}


class BadPageError(DomainError):
    """A cursor that no page has given."""

    code = "bad-page"


class Standing(StrEnum):
    """``WAITING``: for the next run or an earlier step; ``HELD``: by a person, a case, the ledger,
    the account or the fund; ``FAILED``: rejected or returned by the bank."""

    WAITING = "waiting"
    HELD = "held"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Owed:
    payable: Payout
    claim: Claim
    standing: Standing
    hold: Hold | None  # the newest step of a person who stopped it or let it go


def owed_page(
    work: Any, wanted: Standing | None, after: str, limit: int
) -> tuple[list[Owed], str | None]:
    """One page, the oldest first, and the cursor of the next one; a page of one state may have
    fewer than ``limit`` rows and still have a next one. Raises :class:`BadPageError`."""
    place, found = _place(after), []
    for _ in range(SCANNED_MAX // PAGE_MAX):
        page = work.payments.payables(after=place, limit=PAGE_MAX)
        for payable in page:
            place = (payable.instructed_at, payable.id)
            one = _owed(work, payable)
            if wanted is None or one.standing is wanted:
                found.append(one)
            if len(found) == limit:
                return found, _cursor(place)
        if len(page) < PAGE_MAX:
            return found, None
    return found, None if place is None else _cursor(place)


def is_proposed(work: Any, claim_id: str) -> bool:
    """Whether somebody has proposed to release what is stopped: the newest *hold* then follows
    another one that nobody has released, and is a person's."""
    last = work.payments.holds_of(claim_id)[-2:]
    return [one.action for one in last] == ["hold", "hold"] and not is_machine(last[-1].by)


def _owed(work: Any, payable: Payout) -> Owed:
    claim, hold = work.claims.get(payable.claim_id), work.payments.last_hold(payable.claim_id)
    waits = claim.waiting_for or ""
    standing = Standing.WAITING
    if waits in _FAILED:
        standing = Standing.FAILED
    if waits in _HELD or (hold is not None and hold.action == "hold"):
        standing = Standing.HELD
    return Owed(payable, claim, standing, hold)


def _cursor(place: tuple[dt.datetime, str]) -> str:
    return f"{place[0].astimezone(dt.UTC):%Y%m%dT%H%M%S.%fZ}~{place[1]}"


def _place(cursor: str) -> tuple[dt.datetime, str] | None:
    if not cursor:
        return None
    at, _, payable_id = cursor.partition("~")
    try:
        found = dt.datetime.strptime(at, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=dt.UTC)
    except ValueError as error:
        raise BadPageError("after 应为上一页的 next", "after is the next of a page") from error
    return found, payable_id
