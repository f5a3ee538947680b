"""The bank contradicts a rejection that is booked: the money may have left, and nothing follows it.

A rejected instruction may be followed by another one. Where a report, believed or not, says that
the bank has carried it out, takes it over or knows it, the claim is stopped until two people know
which of the two is true, and an alarm names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.payout import KNOWN_AT_THE_BANK
from backend.domain.two_people import is_machine
from backend.service_layer.claims.case_closing import BANK_FILE, CONTRADICTED
from backend.service_layer.payout.examine import items_said
from backend.service_layer.payout.holding import STOPPED
from backend.service_layer.payout.ports import PayoutServices, PayoutWork
from backend.service_layer.payout.records import AnswerStatus, StatusItem, StatusReport
from backend.service_layer.payout.stored import Attempt, BankMessage, Hold, Tried

BY: Final = "worker"
SHOWN_MAX: Final = 20
"""Payments that one alarm names; all of them are stopped."""


def stop_contradicted(
    deps: PayoutServices, work: PayoutWork, message: BankMessage, report: StatusReport
) -> None:
    """Stop the claims whose rejections a report contradicts of which nothing was booked."""
    tried = _tried(work, report.original_message_id)
    said = {}
    for item in _items(report, tried):
        one = tried.get(item.end_to_end_id)
        if one is not None and _is_contradicted(work, one, item, report):
            said[one.attempt.id] = (one.attempt, _words(item))
    _stop(deps, work, message, list(said.values()))


def stop_contradicting_earlier(
    deps: PayoutServices,
    work: PayoutWork,
    original_id: str,
    rejected: Sequence[Attempt],
    read: Callable[[BankMessage], StatusReport | None],
) -> None:
    """Stop the claims of instructions that are being booked as rejected, where an earlier report
    that was refused says otherwise and no two people have dealt with it. ``read``: the report of a
    stored file, None where it is none."""
    if not rejected:
        return
    by_name = {one.end_to_end_id: one for one in rejected}
    tried = _tried(work, original_id)
    for message in work.payments.refused_on(original_id):
        case = work.reconciliation.case(f"{BANK_FILE}:{message.id}")
        report = read(message) if case is None or case.resolved_at is None else None
        if report is not None:
            found = [
                (by_name[item.end_to_end_id], _words(item))
                for item in _items(report, tried)
                if item.end_to_end_id in by_name and has_left(item)
            ]
            _stop(deps, work, message, found)


def has_left(item: StatusItem) -> bool:
    """Whether a bank that says so has carried the instruction out, or is about to."""
    is_known = item.reason_code in KNOWN_AT_THE_BANK
    return item.status is AnswerStatus.PAID or (item.status is AnswerStatus.REJECTED and is_known)


def _tried(work: PayoutWork, original_id: str) -> dict[str, Tried]:
    file = work.payments.file_by_message(original_id)
    if file is None:
        return {}
    return {one.attempt.end_to_end_id: one for one in work.payments.of_file(file.id)}


def _items(report: StatusReport, tried: Mapping[str, Tried]) -> Sequence[StatusItem]:
    found = items_said(report, tried)
    return report.items if found is None else found


def _is_contradicted(work: PayoutWork, one: Tried, item: StatusItem, report: StatusReport) -> bool:
    if one.answer is None or one.answer.status is not AnswerStatus.REJECTED:
        return False
    if item.status is not AnswerStatus.ACCEPTED:
        return has_left(item)
    # Taken over before it was rejected is what a bank says of each: it may only come late.
    booked = work.payments.reported_at([one.attempt.id])
    return booked is None or report.created_at >= booked


def _words(item: StatusItem) -> str:
    return f"{item.status} {item.reason_code}".strip()


def _stop(
    deps: PayoutServices,
    work: PayoutWork,
    message: BankMessage,
    said: Sequence[tuple[Attempt, str]],
) -> None:
    if not said:
        return
    details = []
    for attempt, words in sorted(said, key=lambda one: (one[0].claim_id, one[0].id)):
        later = _stop_one(deps, work, message, attempt, words)
        sent = f", AND {later} IS AT THE BANK" if later else ""
        details.append(
            f"{attempt.end_to_end_id} is booked as rejected, the bank said {words}{sent}"
        )
    if len(details) > SHOWN_MAX:
        details[SHOWN_MAX:] = [f"and {len(details) - SHOWN_MAX} more"]
    work.alarms.raise_alarm(CONTRADICTED, message.id, "; ".join(details))


def _stop_one(
    deps: PayoutServices, work: PayoutWork, message: BankMessage, attempt: Attempt, words: str
) -> str:
    """Returns the name of a later instruction for the same payable that the bank has or had and
    did not give back, empty where there is none."""
    claim = work.claims.get(attempt.claim_id, lock=True)
    now = deps.clock.now()
    last = work.payments.last_hold(claim.id)
    reason = f"{attempt.end_to_end_id}: 银行先说没有付、又说付了 / {words} ({message.id})"
    is_stopped = last is not None and last.action == "hold" and is_machine(last.by)
    if last is None or not (is_stopped and last.reason == reason):
        # Above a stop or a proposal of people too: they have not known of this.
        ordinal = 1 if last is None else last.ordinal + 1
        work.payments.add_hold(Hold(claim.id, ordinal, "hold", BY, reason, now))
    tried = [
        one for payable in work.payments.payables_of(claim.id)
        for one in work.payments.tried(payable.id)
    ]  # fmt: skip
    if claim.state is ClaimState.PAYING and not any(
        one.is_open and one.attempt.id != attempt.id for one in tried
    ):
        work.claims.update(claim.id, claim.state, now, waiting_for=STOPPED)
    sent = [
        one.attempt.end_to_end_id
        for one in tried
        if one.attempt.payout_id == attempt.payout_id
        and one.attempt.attempt > attempt.attempt
        and not one.has_failed
    ]
    return sent[-1] if sent else ""
