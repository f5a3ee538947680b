"""What a database that was restored from an older backup cannot know, and which accounts that puts
in doubt.

Between the copy's last own entry and the restore people may have said things that neither chain nor
bank has heard of. An account that was in effect in the copy may have been replaced meanwhile: a
change takes effect only after its delay, so that nobody can be paid wrongly before the delay has
passed since the copy. From then on the account is in doubt, until its person says that it is still
right or names another, or two people find that nothing was said.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LostPeriod:
    """Words said after ``since`` and up to ``until`` may be missing; aware UTC.

    ``first_unknown_at`` is the time of the oldest fact of chain or bank that the copy lacked, None
    where none has a time. From ``accounts_from`` on a lost change of account could be in effect.
    ``is_open``: two people have not yet found what became of the words.
    """

    id: str
    since: dt.datetime
    until: dt.datetime
    first_unknown_at: dt.datetime | None
    accounts_from: dt.datetime
    found_at: dt.datetime
    is_open: bool = True

    def covers(self, first_unknown_at: dt.datetime | None) -> bool:
        """Whether a restore that shows itself by such a fact is the one of this period: its
        adoption was not finished. A fact without a time (a file that cannot be read any more)
        tells nothing of another one."""
        return first_unknown_at is None or self.since <= first_unknown_at <= self.until


@dataclass(frozen=True, slots=True)
class Named:
    """An account version as far as doubts depend on it. ``is_guardians``: it is in the name of a
    minor's guardian. ``confirmed_at``: when its person said that it is still right."""

    declared_at: dt.datetime
    effective_at: dt.datetime | None
    is_guardians: bool = False
    confirmed_at: Sequence[dt.datetime] = ()


@dataclass(frozen=True, slots=True)
class Doubt:
    """From ``at`` on nothing is paid to the account. ``may_confirm``: a word of the person is
    enough; else the account is named again, announced and waits, as any change."""

    at: dt.datetime
    since: dt.datetime
    until: dt.datetime
    may_confirm: bool


def period_since(
    newest_own: dt.datetime | None,
    followed_at: dt.datetime | None,
    first_unknown_at: dt.datetime | None,
    until: dt.datetime,
) -> dt.datetime:
    """Since when words may be missing: the newest entry of the copy's own that is no newer than the
    first fact which it lacks; without one, the newest block that it has followed, or that fact."""
    return min(newest_own or followed_at or first_unknown_at or until, until)


def doubt_of(
    named: Named, periods: Sequence[LostPeriod], paid_elsewhere: Sequence[dt.datetime]
) -> Doubt | None:
    """The earliest doubt about an account, None without one.

    ``paid_elsewhere``: when the bank was told to pay the person on an account that is not on
    record. That contradicts the record, and only the person can end it.
    """
    found = [
        doubt
        for period in periods
        if (doubt := _doubt_by(named, period, paid_elsewhere)) is not None
    ]
    return min(found, key=lambda one: one.at, default=None)


def _doubt_by(
    named: Named, period: LostPeriod, paid_elsewhere: Sequence[dt.datetime]
) -> Doubt | None:
    if named.effective_at is None or named.declared_at > period.until:
        return None
    if any(at >= period.until for at in named.confirmed_at):
        return None
    # A change that waited in the copy may have been cancelled since. What was named after the
    # restore and before it was found is in doubt too: times do not tell it from the copy's own.
    has_waited = named.declared_at <= period.since < named.effective_at
    begins = None
    if any(period.since <= at <= period.until for at in paid_elsewhere):
        begins = period.until
    elif period.is_open:
        # Another guardian counts at once, without a delay.
        is_at_once = has_waited or named.is_guardians
        begins = period.until if is_at_once else max(period.accounts_from, period.until)
    if begins is None:
        return None
    return Doubt(begins, period.since, period.until, may_confirm=not has_waited)
