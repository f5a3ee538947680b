"""Which account a person's money goes to at an instant.

Every account that somebody names is a version; versions are only added. A first account takes
effect when the bank has confirmed its holder; a later one only after a delay, during which the old
contact was told and the person can take it back. Meanwhile money goes on to the account before.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from backend.domain.errors import DomainError

ADULT_AT: Final = 18  # Civil Code of the PRC, article 17
NUMBER_MIN: Final = 8
NUMBER_MAX: Final = 30
_SPACING: Final = re.compile(r"[ \u3000-]")
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)


class AccountRefusedError(DomainError):
    """An account that was not stored; the message says what to correct."""

    code = "account-refused"


class Standing(StrEnum):
    """What there is of an account at an instant."""

    IN_EFFECT = "in-effect"
    MISSING = "account-missing"  # none was ever named
    UNVERIFIED = "account-unverified"  # the bank did not confirm the holder
    UNPROVEN = "account-unproven"  # no bank can be asked, and its proof was not seen yet
    CLOSED = "account-closed"  # the bank says that it is closed
    DELAY = "account-delay"  # the one that takes its place is not in effect yet
    DOUBTED = "account-doubted"  # a restored backup may lack the word that replaced it


@dataclass(frozen=True, slots=True)
class DeclaredAccount:
    """One version as far as the choice depends on it. ``effective_at`` is None for an account
    whose holder the bank did not confirm."""

    version: int
    effective_at: dt.datetime | None
    cancelled_at: dt.datetime | None = None
    closed_at: dt.datetime | None = None
    is_unchecked: bool = False  # no bank was asked
    doubted_from: dt.datetime | None = None  # after a restored backup, until somebody confirms it

    def is_cancelled(self) -> bool:
        return self.cancelled_at is not None

    def is_waiting(self, at: dt.datetime) -> bool:
        """Whether it will take effect later."""
        return self.effective_at is not None and not self.is_cancelled() and self.effective_at > at

    def has_taken_effect(self, at: dt.datetime) -> bool:
        return self.effective_at is not None and not self.is_cancelled() and self.effective_at <= at


@dataclass(frozen=True, slots=True)
class Choice:
    """``version`` is set where ``standing`` is IN_EFFECT."""

    standing: Standing
    version: int | None = None


def account_at(declared: Sequence[DeclaredAccount], at: dt.datetime) -> Choice:
    """The newest account in effect. One that its bank has closed, or that is in doubt, is not
    replaced by an older one: the person has moved away from that."""
    in_effect = [one for one in declared if one.has_taken_effect(at)]
    newest = max(in_effect, key=lambda one: one.version, default=None)
    if newest is not None and (newest.closed_at is None or newest.closed_at > at):
        if newest.doubted_from is not None and newest.doubted_from <= at:
            return Choice(Standing.DOUBTED)
        return Choice(Standing.IN_EFFECT, newest.version)
    if any(one.is_waiting(at) for one in declared):
        return Choice(Standing.DELAY)
    if newest is not None:
        return Choice(Standing.CLOSED)
    if not declared:
        return Choice(Standing.MISSING)
    last = max(declared, key=lambda one: one.version)
    return Choice(Standing.UNPROVEN if last.is_unchecked else Standing.UNVERIFIED)


def effective_from(
    declared: Sequence[DeclaredAccount], now: dt.datetime, delay: dt.timedelta
) -> dt.datetime:
    """When an account that the bank has just confirmed takes effect: at once when it is the first
    that was ever confirmed, else after the delay."""
    is_first = not any(one.effective_at is not None and not one.is_cancelled() for one in declared)
    return now if is_first else now + delay


def account_number(text: str) -> str:
    """The digits of an account number as people write it, with spaces or hyphens in groups.

    Raises :class:`AccountRefusedError`.
    """
    digits = _SPACING.sub("", text[:80].strip())
    if not _DIGITS.fullmatch(digits):
        raise AccountRefusedError(
            "账号只能有数字，请照银行卡上的写", "an account number has digits only, as on the card"
        )
    if not NUMBER_MIN <= len(digits) <= NUMBER_MAX:
        raise AccountRefusedError(
            f"账号应有 {NUMBER_MIN} 到 {NUMBER_MAX} 位数字，现在是 {len(digits)} 位，请再核对一遍",
            f"an account number has {NUMBER_MIN} to {NUMBER_MAX} digits, this one {len(digits)}",
        )
    return digits


def is_adult(birth_on: dt.date, day: dt.date) -> bool:
    """Whether somebody is of age on a day; one born on 29 February is from 1 March on."""
    return (day.year - birth_on.year) - ((day.month, day.day) < (birth_on.month, birth_on.day)) >= (
        ADULT_AT
    )
