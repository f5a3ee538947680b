"""Taking in what the bank has left: a file is booked as a whole, or nothing of it.

A file's answers, the claims' states and the journal are one transaction. A file that was booked
is known by its name and digest, and its answers by their attempts: however often it comes, it is
booked once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import replace

from backend.domain.claim import ClaimState
from backend.domain.errors import DomainError
from backend.domain.payout import ACCOUNT_GONE, without_numbers
from backend.service_layer.claims.benefits import DAMAGE
from backend.service_layer.claims.holds import BANK_AHEAD
from backend.service_layer.claims.supplement import state_after_payment
from backend.service_layer.failpoints import reach
from backend.service_layer.journal.booking import book_all
from backend.service_layer.payout.booking import answer_entry
from backend.service_layer.payout.contradicted import (
    stop_contradicted,
    stop_contradicting_earlier,
)
from backend.service_layer.payout.examine import News, examine, is_early
from backend.service_layer.payout.hand_over import UNREACHABLE
from backend.service_layer.payout.holding import waiting_after_failure
from backend.service_layer.payout.left_alone import STUCK, say_left_alone
from backend.service_layer.payout.ports import (
    BadStatusFileError,
    BankUnavailableError,
    PayoutServices,
    PayoutWork,
)
from backend.service_layer.payout.records import (
    INCOMING_BYTES_MAX,
    REPORT_BYTES_MAX,
    AnswerStatus,
    IncomingFile,
    Lane,
    StatusReport,
    Verdict,
)
from backend.service_layer.payout.statements import take_in_statement
from backend.service_layer.payout.stored import (
    Attempt,
    BankMessage,
    PaymentAnswer,
    kept_instant,
)
from backend.service_layer.payout.unmatched import lost_items

REFUSED = "bank-file-refused"
REPEATED = "bank-file-repeated"
EARLY_RETURN = "bank-return-early"
DIFFERENCE_MAX = 4_000
NAME_MAX = 200
NO_TIME = dt.datetime.min.replace(tzinfo=dt.UTC)


def take_in_answers(deps: PayoutServices) -> int:
    """Book what the bank has left; returns how many files were dealt with.

    While files are missing here that the bank knows, nothing is: it could not be matched.
    """
    with deps.work(write=False) as work:
        open_alarms = work.alarms.open_counts()
    if BANK_AHEAD in open_alarms:
        return 0
    try:
        files, left = deps.bank.incoming(), deps.bank.left_alone()
    except BankUnavailableError as error:
        with deps.work() as work:
            work.alarms.raise_alarm(UNREACHABLE, "incoming", error.en)
            work.commit()
        return 0
    if UNREACHABLE in open_alarms:
        with deps.work() as work:
            work.alarms.clear(UNREACHABLE, "incoming")
            work.commit()
    say_left_alone(deps, left, open_alarms)
    dealt = 0
    for file in _in_order(deps, files):
        try:
            if not take_in(deps, file):
                continue  # looked at again in the next pass
        except (DomainError, AssertionError, *DAMAGE) as error:
            # It stays where it is, and the others are booked.
            what = type(error).__name__
            if isinstance(error, DomainError):
                what = f"{error.code}: {error.en}"
            with deps.work() as work:
                work.alarms.raise_alarm(STUCK, file.name[:NAME_MAX], what)
                work.commit()
            continue
        try:
            deps.bank.put_away(file.name)
        except BankUnavailableError:
            return dealt  # known by its digest when it is offered again
        dealt += 1
        reach("payout.put-away")
    return dealt


def _in_order(deps: PayoutServices, files: Sequence[IncomingFile]) -> list[IncomingFile]:
    """As the bank made them, what came back after what was paid: a folder's times may be those of
    a copy, in whole seconds. What cannot be read comes last."""
    if len(files) < 2:
        return list(files)
    reports: dict[str, StatusReport | None] = {}
    for file in files:
        reports[file.name] = None
        if deps.payment_format.is_statement(file.content):
            continue
        try:
            reports[file.name], _ = _read(deps, file)
        except DAMAGE:
            reports[file.name] = None  # said when it is its turn

    def made(file: IncomingFile) -> tuple[bool, dt.datetime, bool]:
        report = reports[file.name]
        if report is None:
            return True, NO_TIME, False
        has_returned = any(item.status is AnswerStatus.RETURNED for item in report.items)
        return False, report.created_at, has_returned

    return sorted(files, key=made)


def take_in(deps: PayoutServices, file: IncomingFile) -> bool:
    """Book one file of the bank, or keep it with what does not agree.

    False for a file that stays where it is. One that is not whole and was changed a moment ago may
    still be on its way. One that tells of a return before its payment was reported stays, with an
    alarm, until the payment is reported or a bank's time to answer is over: what was never paid is
    never booked as returned.
    """
    digest = hashlib.sha256(file.content).digest()
    with deps.work(write=False) as work:
        if work.payments.message(file.name[:NAME_MAX], digest) is not None:
            return True  # it was dealt with, and the process ended before it was put away
    if _is_on_its_way(deps, file):
        return False
    reach("payout.message-read")
    if deps.payment_format.is_statement(file.content):
        take_in_statement(deps, file)
        return True
    report, fault = _read(deps, file)
    with deps.work() as work:
        work.payments.take_turn(Lane.DAILY)
        if work.payments.message(file.name[:NAME_MAX], digest) is not None:
            return True
        news: list[News] = []
        differences = [fault] if fault else []
        if report is not None:
            report = _without_lost(work, report)
            news, differences = _examine(deps, work, report)
        if report is not None and is_early(differences) and _may_wait(deps, report):
            work.alarms.raise_alarm(EARLY_RETURN, file.name[:NAME_MAX], differences[0])
            work.commit()
            return False
        for code in (EARLY_RETURN, STUCK):
            work.alarms.clear(code, file.name[:NAME_MAX])
        verdict = _verdict(report, news, differences)
        message = _message(deps, file, report, verdict, differences)
        work.payments.add_message(message)
        if verdict is Verdict.BOOKED and report is not None:
            _book(deps, work, message, report, news)
        elif verdict is Verdict.REPEATED:
            work.alarms.raise_alarm(REPEATED, message.id, f"{file.name}: nothing new")
        else:
            work.alarms.raise_alarm(REFUSED, message.id, f"{file.name}: {differences[0]}")
            if report is not None:
                stop_contradicted(deps, work, message, report)
        work.commit()
    reach("payout.answer-booked")
    return True


def still_waits(deps: PayoutServices, work: PayoutWork, file: IncomingFile) -> bool:
    """Whether a file that nobody has dealt with rightly stays where it is for now."""
    if _is_on_its_way(deps, file):
        return True
    if deps.payment_format.is_statement(file.content):
        return False
    report, _ = _read(deps, file)
    if report is None:
        return False
    _, differences = _examine(deps, work, _without_lost(work, report))
    return is_early(differences) and _may_wait(deps, report)


def _examine(
    deps: PayoutServices, work: PayoutWork, report: StatusReport
) -> tuple[list[News], list[str]]:
    def number_of(attempt: Attempt) -> str:
        return deps.secret_box.unwrap(attempt.wrapped_account, f"{attempt.id}:account").decode()

    return examine(
        work,
        report,
        is_simulated=deps.bank.is_simulated,
        now=deps.clock.now(),
        number_of=number_of,
    )


def _is_on_its_way(deps: PayoutServices, file: IncomingFile) -> bool:
    return file.may_grow and not deps.payment_format.is_whole(file.content)


def _may_wait(deps: PayoutServices, report: StatusReport) -> bool:
    """As long as a bank may take to answer, counted from when it made the report."""
    hours = dt.timedelta(hours=deps.settings.payout.answer_hours)
    return deps.clock.now() < report.created_at + hours


def book_late(
    deps: PayoutServices, work: PayoutWork, original_id: str, names: frozenset[str]
) -> None:
    """Book what stored reports on a file have said of instructions that were unknown until now."""
    for message in work.payments.messages_on(original_id):
        content = deps.secret_box.unwrap(message.wrapped_content, message.id)
        report = deps.payment_format.read(content)
        items = tuple(item for item in report.items if item.end_to_end_id in names)
        if not items:
            continue
        report = replace(report, items=items)
        news, differences = examine(work, report, is_simulated=deps.bank.is_simulated)
        if news and not differences:
            _book(deps, work, message, report, news)


def _without_lost(work: PayoutWork, report: StatusReport) -> StatusReport:
    """What a restored backup has lost is a case of its own, and keeps nothing else from being
    booked."""
    if not report.items:
        return report
    lost = lost_items(work)
    items = tuple(item for item in report.items if item.end_to_end_id not in lost)
    return replace(report, items=items)


def _read(deps: PayoutServices, file: IncomingFile) -> tuple[StatusReport | None, str]:
    if len(file.content) > REPORT_BYTES_MAX:
        return None, f"it is larger than {REPORT_BYTES_MAX} bytes"
    try:
        return deps.payment_format.read(file.content), ""
    except BadStatusFileError as error:
        return None, error.en


def _read_stored(deps: PayoutServices, message: BankMessage) -> StatusReport | None:
    try:
        return deps.payment_format.read(deps.secret_box.unwrap(message.wrapped_content, message.id))
    except BadStatusFileError:
        return None


def _verdict(
    report: StatusReport | None, news: Sequence[News], differences: Sequence[str]
) -> Verdict:
    if report is None or differences:
        return Verdict.REFUSED
    says_only_accepted = all(item.status is AnswerStatus.ACCEPTED for item in report.items)
    return Verdict.BOOKED if news or says_only_accepted else Verdict.REPEATED


def _message(
    deps: PayoutServices,
    file: IncomingFile,
    report: StatusReport | None,
    verdict: Verdict,
    differences: Sequence[str],
) -> BankMessage:
    message_id = deps.ids.new_id("bmg")
    now = deps.clock.now()
    kept = file.content[:INCOMING_BYTES_MAX]
    return BankMessage(
        id=message_id,
        name=file.name[:NAME_MAX],
        digest=hashlib.sha256(file.content).digest(),
        wrapped_content=deps.secret_box.wrap(kept, message_id),
        received_at=now,
        report_id=None if report is None else report.message_id,
        original_id=None if report is None else report.original_message_id,
        reported_at=None if report is None else kept_instant(report.created_at, now),
        simulated=None if report is None else report.simulated,
        verdict=verdict,
        difference="\n".join(differences)[:DIFFERENCE_MAX],
    )


def _book(
    deps: PayoutServices,
    work: PayoutWork,
    message: BankMessage,
    report: StatusReport,
    news: Sequence[News],
) -> None:
    now = deps.clock.now()
    entries = []
    for one in sorted(news, key=lambda item: item.attempt.claim_id):
        claim = work.claims.get(one.attempt.claim_id, lock=True)
        answer = _answer(one, report, message, now)
        work.payments.add_answer(answer)
        _close_account(deps, work, answer, one.attempt)
        entries.append(answer_entry(deps, work, claim, one.attempt, answer))
    book_all(work, entries)
    for one in news:
        _move_claim(work, one, now)
    file = work.payments.file_by_message(report.original_message_id)
    assert file is not None, "a report that was examined names a file"
    if file.handed_over_at is None:
        work.payments.mark_handed_over(file.id, now)
    if not any(tried.is_open for tried in work.payments.of_file(file.id)):
        work.alarms.clear("payment-unanswered", file.message_id)
    rejected = [one.attempt for one in news if one.item.status is AnswerStatus.REJECTED]
    stop_contradicting_earlier(
        deps, work, file.message_id, rejected, lambda earlier: _read_stored(deps, earlier)
    )


def _close_account(
    deps: PayoutServices, work: PayoutWork, answer: PaymentAnswer, attempt: Attempt
) -> None:
    """What the bank says of the account holds for everything else that would go to it."""
    if answer.status is not AnswerStatus.PAID and answer.reason_code in ACCOUNT_GONE:
        deps.payees.mark_closed(
            work,
            attempt.person_id,
            attempt.account_version,
            by="bank",
            reason=f"{answer.reason_code}: {attempt.end_to_end_id}",
            at=answer.booked_at,
        )


def _answer(
    one: News, report: StatusReport, message: BankMessage, now: dt.datetime
) -> PaymentAnswer:
    return PaymentAnswer(
        attempt_id=one.attempt.id,
        status=one.item.status,
        reason_code=one.item.reason_code[:40],
        reason_text=without_numbers(one.item.reason_text)[:200],
        bank_reference=one.item.bank_reference[:60],
        simulated=report.simulated,
        answered_at=one.item.answered_at or report.created_at,
        booked_at=now,
        message_id=message.id,
    )


def _move_claim(work: PayoutWork, one: News, now: dt.datetime) -> None:
    """The claim's state after an answer. Where a further version is under way already, that goes
    on first, and what is owed is found again when it is done."""
    claim = work.claims.get(one.attempt.claim_id)
    if one.item.status is not AnswerStatus.PAID:
        detail = f"{one.attempt.id}: {one.item.status} {one.item.reason_code}"
        work.alarms.raise_alarm("payment-returned", claim.id, detail)
    else:
        work.alarms.clear("payment-returned", claim.id)
    if claim.state not in (ClaimState.PAYING, ClaimState.PAID):
        return
    if one.item.status is AnswerStatus.PAID:
        after, waiting = state_after_payment(work, claim), None
        if after is ClaimState.PAYING:
            waiting = claim.waiting_for
        else:
            work.alarms.clear("payout-failed", claim.id)
    else:
        after, waiting = ClaimState.PAYING, waiting_after_failure(one.item.reason_code)
    work.claims.update(claim.id, claim.state, now, state=after, waiting_for=waiting)
