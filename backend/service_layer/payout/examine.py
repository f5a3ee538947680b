"""Comparing a status report with what was instructed: what is new, and what does not agree."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from backend.domain.payout import KNOWN_AT_THE_BANK, reason_of_the_whole
from backend.service_layer.payout.ports import PayoutWork
from backend.service_layer.payout.records import (
    AnswerStatus,
    StatusCount,
    StatusItem,
    StatusReport,
)
from backend.service_layer.payout.stored import Attempt, StoredFile, Tried

CLOCKS_APART: Final = dt.timedelta(minutes=10)
"""So far a bank's clock may be behind ours before its report counts as older than our file, or
ahead of ours before it counts as made in the future."""

ANSWERED_BEFORE: Final = dt.timedelta(days=366)
"""So long before our file an answer may lie: a file that a restored backup writes anew is told
what became of its instructions then."""

DIFFERENCES_MAX: Final = 50

_NEWS: Final = {
    (None, AnswerStatus.PAID),
    (None, AnswerStatus.REJECTED),
    (AnswerStatus.PAID, AnswerStatus.RETURNED),
}
_KNOWN: Final = {
    (None, AnswerStatus.ACCEPTED),
    (AnswerStatus.PAID, AnswerStatus.PAID),
    (AnswerStatus.REJECTED, AnswerStatus.REJECTED),
    (AnswerStatus.RETURNED, AnswerStatus.RETURNED),
    (AnswerStatus.RETURNED, AnswerStatus.PAID),
}
"""(how the instruction stands, what is said of it): no news and no contradiction."""


_GROUP_ENDS: Final = {
    AnswerStatus.PAID: {AnswerStatus.PAID},
    # What came back is told as a rejection, see the adapter of pain.002.
    AnswerStatus.REJECTED: {AnswerStatus.REJECTED, AnswerStatus.RETURNED},
}


EARLY: Final = "came back before it was reported as paid"
"""A return whose payment the bank has not reported yet: it is no contradiction, and waits."""


@dataclass(frozen=True, slots=True)
class News:
    """An ending that is not booked yet."""

    attempt: Attempt
    item: StatusItem


def is_early(differences: Sequence[str]) -> bool:
    """Whether nothing is against a report but that it tells of a return too early."""
    return bool(differences) and all(one.endswith(EARLY) for one in differences)


def examine(
    work: PayoutWork,
    report: StatusReport,
    *,
    is_simulated: bool,
    now: dt.datetime | None = None,
    number_of: Callable[[Attempt], str] | None = None,
) -> tuple[list[News], list[str]]:
    """(news, differences) of a report. With any difference nothing of it may be booked.

    ``is_simulated``: whether the bank of this installation is; a simulated answer must never be
    booked for real money, nor the other way round. ``now``: when it came, None where it has been
    examined before. ``number_of``: the account's number of an instruction; without it the last
    four characters are compared.
    """
    file = work.payments.file_by_message(report.original_message_id)
    if file is None:
        return [], [f"no payment file {report.original_message_id} was ever written here"]
    differences = _of_the_whole(work, report, file, is_simulated)
    differences += _against_the_group(report)
    if now is not None and report.created_at > now + CLOCKS_APART:
        # Booked, it would make everything older that the bank says until then.
        differences.append(f"made at {report.created_at:%FT%TZ}, which has not come yet")
    tried = {one.attempt.end_to_end_id: one for one in work.payments.of_file(file.id)}
    items = items_said(report, tried)
    if items is None:
        back = "it rejects the whole file and says that a payment came back: name each instruction"
        return [], [*differences, back]
    news: list[News] = []
    counts = Counter(item.end_to_end_id for item in items)
    differences += [f"{name} is named {n} times" for name, n in counts.items() if n > 1]
    for item in items:
        one = tried.get(item.end_to_end_id)
        if one is None:
            differences.append(f"{item.end_to_end_id} is not in {report.original_message_id}")
            continue
        fault = (
            _fault(one, item)
            or _of_its_time(item, file, now)
            or _of_its_account(one, item, number_of)
        )
        if fault:
            differences.append(f"{item.end_to_end_id}: {fault}")
        elif (_standing(one), item.status) in _NEWS:
            news.append(News(one.attempt, item))
    differences += _against_the_counts(report, items, tried, file)
    if news:
        differences += _older(work, report, [one.attempt for one in news])
    if len(differences) > DIFFERENCES_MAX:
        rest = len(differences) - DIFFERENCES_MAX
        differences = [*differences[:DIFFERENCES_MAX], f"and {rest} more"]
    return ([] if differences else news), differences


def _of_the_whole(
    work: PayoutWork, report: StatusReport, file: StoredFile, is_simulated: bool
) -> list[str]:
    found = []
    if report.simulated != is_simulated:
        words = {True: "simulated", False: "real"}
        found.append(f"it is {words[report.simulated]}, this bank is {words[is_simulated]}")
    if report.created_at < file.created_at - CLOCKS_APART:
        found.append(f"made at {report.created_at:%FT%TZ}, before the file that it answers")
    if report.other_order:
        found.append(f"speaks of the payment order {report.other_order}, the file has another")
    for count in dict.fromkeys((report.original_item_count, report.order_item_count)):
        if count not in (None, file.item_count):
            found.append(f"speaks of {count} items, the file has {file.item_count}")
    for fen in dict.fromkeys((report.original_control_sum_fen, report.order_control_sum_fen)):
        if fen not in (None, file.control_sum_fen):
            found.append(f"speaks of {fen} fen, the file has {file.control_sum_fen}")
    if work.payments.message_of_report(report.message_id) is not None and not _is_same(
        work, report
    ):
        found.append(f"another report named {report.message_id} was booked already")
    return found


def _against_the_group(report: StatusReport) -> list[str]:
    """A status of the whole file that is an end is the end of each instruction that is named."""
    if report.group_status not in _GROUP_ENDS:
        return []
    allowed = _GROUP_ENDS[report.group_status]
    return [
        f"{item.end_to_end_id} is {item.status}, the whole file {report.group_status}"
        for item in report.items
        if item.status not in allowed
    ]


def _is_same(work: PayoutWork, report: StatusReport) -> bool:
    """A report of a known name is a repetition only if it was made at the same instant about the
    same file; its items are then compared as any."""
    known = work.payments.message_of_report(report.message_id)
    assert known is not None, "asked only of a known report"
    return (known.original_id, known.reported_at) == (
        report.original_message_id,
        report.created_at,
    )


def items_said(report: StatusReport, tried: Collection[str]) -> Sequence[StatusItem] | None:
    """The report's items and, where the whole file has come to an end (pain.002 ``GrpSts``), the
    same of every instruction that it does not name (``tried``: all names). A file that is partly
    accepted says something of those that are named alone. A file that the bank knows is one of
    instructions that it knows.

    None for a rejection of the whole file that names some as returned and leaves others out: those
    may have been paid as well, and must not be paid again.
    """
    items = report.items
    if report.group_reason_code in KNOWN_AT_THE_BANK:
        items = tuple(replace(item, reason_code=report.group_reason_code) for item in items)
    if report.group_status is None or (items and report.group_status not in _GROUP_ENDS):
        return items
    named = {item.end_to_end_id for item in items}
    rest = [name for name in tried if name not in named]
    if rest and any(item.status is AnswerStatus.RETURNED for item in items):
        return None
    whole = StatusItem("", report.group_status, reason_of_the_whole(report.group_reason_code))
    return [*items, *(replace(whole, end_to_end_id=name) for name in rest)]


def _standing(one: Tried) -> AnswerStatus | None:
    return None if one.answer is None else one.answer.status


def _fault(one: Tried, item: StatusItem) -> str:
    if item.amount_fen not in (None, one.attempt.amount_fen):
        return f"{item.amount_fen} fen were reported, {one.attempt.amount_fen} instructed"
    if item.settled_fen not in (None, one.attempt.amount_fen):
        return f"{item.settled_fen} fen were moved, {one.attempt.amount_fen} instructed"
    standing = _standing(one)
    if item.status is AnswerStatus.REJECTED and item.reason_code in KNOWN_AT_THE_BANK:
        return f"{item.reason_code}: the bank knows this instruction; run yichu reconcile"
    if (standing, item.status) == (None, AnswerStatus.RETURNED):
        return EARLY
    if (standing, item.status) not in _NEWS | _KNOWN:
        return f"reported as {item.status}, and it is {standing or 'not answered yet'}"
    answer = one.answer
    is_other = (
        answer is not None
        and answer.status is item.status
        and item.bank_reference not in ("", answer.bank_reference)
        and answer.bank_reference != ""
    )
    return "reported again with another bank reference" if is_other else ""


def _of_its_time(item: StatusItem, file: StoredFile, now: dt.datetime | None) -> str:
    """What is said of when the bank took it over: pages and the reconciliation rest on it."""
    at = item.answered_at
    if at is None or now is None:
        return ""
    if at > now + CLOCKS_APART:
        return f"answered at {at:%FT%TZ}, which has not come yet"
    return f"answered at {at:%FT%TZ}, too early" if at < file.created_at - ANSWERED_BEFORE else ""


def _of_its_account(
    one: Tried, item: StatusItem, number_of: Callable[[Attempt], str] | None
) -> str:
    """A number that a bank has hidden a part of ("6217****1234") is compared by its end."""
    said = "".join(item.account.split())
    if not said:
        return ""
    is_whole = number_of is not None and said.replace("-", "").isalnum()
    mine = number_of(one.attempt) if is_whole and number_of else one.attempt.account_tail
    is_mine = said == mine if is_whole else said[-4:] == mine
    return "" if is_mine else f"account …{said[-4:]} is not the one that was instructed"


def _against_the_counts(
    report: StatusReport, items: Sequence[StatusItem], tried: Mapping[str, Tried], file: StoredFile
) -> list[str]:
    """Not every instruction need be named, but none beyond what is counted with its status."""
    named = Counter(_counted_as(item.status) for item in items)
    sums: Counter[AnswerStatus] = Counter()
    for item in items:
        if item.end_to_end_id in tried:
            sums[_counted_as(item.status)] += tried[item.end_to_end_id].attempt.amount_fen
    found = []
    for counts in report.counts:
        counted = _added(counts)
        total = sum(count for count, _ in counted.values())
        if total > file.item_count:
            found.append(f"counts {total} instructions, the file has {file.item_count}")
        for status, number in named.items():
            count, fen = counted.get(status, (0, None))
            if number > count:
                found.append(f"says {status} of {number} instructions and counts {count}")
            elif number == count and fen not in (None, sums[status]):
                found.append(f"says {status} of {sums[status]} fen and counts {fen}")
    return list(dict.fromkeys(found))


def _added(counts: Sequence[StatusCount]) -> dict[AnswerStatus, tuple[int, int | None]]:
    """Several codes of a bank are one status here; a sum counts where each of them has one."""
    found: dict[AnswerStatus, tuple[int, int | None]] = {}
    for one in counts:
        status = _counted_as(one.status)
        count, fen = found.get(status, (0, 0))
        is_known = fen is not None and one.sum_fen is not None
        found[status] = (count + one.count, (fen or 0) + (one.sum_fen or 0) if is_known else None)
    return found


def _counted_as(status: AnswerStatus) -> AnswerStatus:
    return AnswerStatus.REJECTED if status is AnswerStatus.RETURNED else status


def _older(work: PayoutWork, report: StatusReport, attempts: Sequence[Attempt]) -> list[str]:
    newest = work.payments.reported_at([attempt.id for attempt in attempts])
    if newest is None or report.created_at >= newest:
        return []
    return [f"made at {report.created_at:%FT%TZ}, older than a report that was booked"]
