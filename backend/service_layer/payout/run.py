"""One pass over the payouts: answers, instant money, the daily run, the outbox, silence."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backend.domain.local_time import local_day
from backend.domain.payout import is_run_due
from backend.service_layer.claims.holds import are_payouts_held
from backend.service_layer.failpoints import reach
from backend.service_layer.payout.answers import take_in_answers
from backend.service_layer.payout.hand_over import hand_over_files
from backend.service_layer.payout.holding import UNREAD
from backend.service_layer.payout.instruct import write_files
from backend.service_layer.payout.ports import PayoutServices
from backend.service_layer.payout.records import Lane
from backend.service_layer.ports import LedgerUnavailableError

PAGES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did. ``is_whole`` is False when the ledger could not be read: what is left is
    still due."""

    files: int
    instructed: int
    held: int
    moved: int
    is_whole: bool


def payout_pass(deps: PayoutServices) -> int:
    """Everything about payouts that is due now; returns how much moved. Each part is in
    transactions of its own, and may run twice."""
    moved = take_in_answers(deps)
    moved += run_lane(deps, Lane.INSTANT).moved
    if is_due(deps):
        moved += run_lane(deps, Lane.DAILY).moved
    handed = hand_over_files(deps)
    if handed:
        moved += handed + take_in_answers(deps)
    watch_silence(deps)
    return moved


def is_due(deps: PayoutServices) -> bool:
    """Whether the daily run is to begin."""
    with deps.work(write=False) as work:
        last = work.payments.last_run(Lane.DAILY)
    now = deps.clock.now()
    is_working_day = deps.calendar.is_working_day(local_day(now))
    return is_run_due(deps.settings.payout, now, last, is_working_day=is_working_day)


def run_lane(deps: PayoutServices, lane: Lane) -> RunResult:
    """Go through the payables of a lane, oldest first, and write files for what may be paid.

    A daily run that ends early is due again; what it has instructed is not instructed twice.
    """
    if lane is Lane.INSTANT and not deps.settings.payout.instant.is_on:
        return RunResult(0, 0, 0, 0, is_whole=True)
    files = instructed = held = moved = 0
    after = None
    for _ in range(PAGES_MAX):
        try:
            page = write_files(deps, lane, after)
        except LedgerUnavailableError:
            # Nothing is paid on an unread slot.
            return RunResult(files, instructed, held, moved, is_whole=False)
        files, instructed = files + len(page.files), instructed + page.instructed
        held, moved = held + page.held, moved + page.moved
        if page.last is None:
            break
        after = page.last
    if lane is Lane.DAILY:
        _finish(deps)
    return RunResult(files, instructed, held, moved, is_whole=True)


def _finish(deps: PayoutServices) -> None:
    with deps.work() as work:
        if are_payouts_held(work):
            return  # nothing was paid for that reason: still due
        work.payments.take_turn(Lane.DAILY)
        work.payments.finish_run(Lane.DAILY, deps.clock.now())
        work.alarms.clear(UNREAD, Lane.DAILY)
        work.commit()
    reach("payout.run-finished")


def watch_silence(deps: PayoutServices) -> None:
    """An alarm for each file that the bank has not answered in time. It is never paid again for
    that: silence is no answer."""
    before = deps.clock.now() - dt.timedelta(hours=deps.settings.payout.answer_hours)
    with deps.work(write=False) as work:
        silent = work.payments.unanswered_files(before)
    if not silent:
        return
    with deps.work() as work:
        for name in silent:
            work.alarms.raise_alarm("payment-unanswered", name, "the bank has not answered")
        work.commit()
