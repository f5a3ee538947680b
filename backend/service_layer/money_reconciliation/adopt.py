"""Payments after a restored backup: what the bank was told and answered becomes true here.

The names of instructions derive from claim number, decision version and attempt, and our copy of
each file lies on the bank's side. So an instruction that is unknown here is matched to its claim
and version, stored as the attempt that it is, and never paid again. What cannot be matched is a
case; the rest of its file is booked without it. Each file is one transaction, in the order in
which it was made; doing all of it again changes nothing. Nothing is handed to the bank.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.domain.claim import ClaimState
from backend.domain.errors import DomainError, NotFoundError
from backend.domain.local_time import local_day
from backend.domain.payout import parse_end_to_end_id
from backend.service_layer.anchoring.adopt import (
    Line,
    case_deadline,
    open_case,
    resolve_case,
)
from backend.service_layer.claims.records import Claim, Payout
from backend.service_layer.claims.supplement import payments_in_effect, payout_id
from backend.service_layer.failpoints import reach
from backend.service_layer.money_reconciliation.words import case_in_words
from backend.service_layer.payout.answers import NAME_MAX, book_late, take_in
from backend.service_layer.payout.approve import add_payable
from backend.service_layer.payout.booking import book_instructed, fund_region
from backend.service_layer.payout.holding import CASE_KEY
from backend.service_layer.payout.ports import BadPaymentFileError, BadStatusFileError
from backend.service_layer.payout.records import IncomingFile, Lane, PaymentFile, PaymentItem
from backend.service_layer.payout.stored import Attempt, StoredFile
from backend.service_layer.payout.unmatched import KIND, case_id

FILE_KIND: Final = "bank-copy"
_PAYABLE_FROM: Final = (
    ClaimState.SETTLING,
    ClaimState.SETTLED,
    ClaimState.SUPPLEMENTING,
    ClaimState.PAYING,
)


@dataclass(frozen=True, slots=True)
class _Event:
    """A file that is unknown here, to be taken in its turn."""

    at: dt.datetime
    turn: int  # our files before the bank's answers of the same instant
    file: IncomingFile
    payment: PaymentFile | None = None


@dataclass(frozen=True, slots=True)
class _Match:
    claim: Claim
    payout: Payout
    attempt: int


def adopt_bank(deps: Any, keep_lease: Callable[[], object]) -> list[Line]:
    """Adopt every file on the bank's side that is unknown here; one line a payment and a report.

    Raises BankUnavailableError; what was adopted until then stays so.
    """
    lines: list[Line] = []
    waiting = _unknown_files(deps, lines)
    while waiting:
        # A file that names a second attempt waits for the report that ended the first one.
        at = next((i for i, e in enumerate(waiting) if _is_in_turn(deps, e)), 0)
        event = waiting.pop(at)
        keep_lease()
        if event.payment is None:
            lines += _adopt_report(deps, event.file)
        else:
            lines += _adopt_file(deps, event.file, event.payment)
    keep_lease()
    late = _match_late(deps)
    # What could not be matched above was tried again: one line a payment.
    tried_again = {line.what for line in late}
    return [line for line in lines if line.what not in tried_again] + late


def _unknown_files(deps: Any, lines: list[Line]) -> list[_Event]:
    with deps.work(write=False) as work:
        known, _ = work.money_rules.known_names()
        messages = {(row.name, row.digest) for row in work.money_rules.messages()}
    found = []
    for file in deps.bank.handed_over():
        if file.name.removesuffix(".xml") in known:
            continue
        try:
            payment = deps.payment_format.read_payment(file.content)
        except BadPaymentFileError as error:
            lines.append(_keep_unreadable(deps, file, error.en))
            continue
        found.append(_Event(payment.created_at, 0, file, payment))
    for file in deps.bank.received():
        names = {file.name[:NAME_MAX], file.name.partition("-")[2][:NAME_MAX]}
        digest = hashlib.sha256(file.content).digest()
        if any((name, digest) in messages for name in names):
            continue
        try:
            at = deps.payment_format.read(file.content).created_at
        except BadStatusFileError:
            at = deps.clock.now()  # it will be refused, and kept
        found.append(_Event(at, 1, file))
    return sorted(found, key=lambda one: (one.at, one.turn, one.file.name))


def _keep_unreadable(deps: Any, file: IncomingFile, why: str) -> Line:
    with deps.work() as work:
        said = {"name": file.name, "why": why}
        open_case(work, f"{FILE_KIND}:{file.name[:80]}", FILE_KIND, said, case_deadline(deps))
        work.commit()
    return Line("case", f"{FILE_KIND}:{file.name[:80]}", f"our copy at the bank: {why}")


def _is_in_turn(deps: Any, event: _Event) -> bool:
    if event.payment is None:
        return True
    with deps.work(write=False) as work:
        for item in event.payment.items:
            named = parse_end_to_end_id(item.end_to_end_id)
            if named is None or named[2] == 1:
                continue
            tried = work.payments.tried(f"pay_{named[0]}_v{named[1]}")
            if len(tried) < named[2] - 1 or not tried[named[2] - 2].has_failed:
                return False
    return True


def _adopt_file(deps: Any, file: IncomingFile, payment: PaymentFile) -> list[Line]:
    """Store one of our files again, with an attempt for each instruction that can be matched."""
    lines = []
    with deps.work() as work:
        work.payments.take_turn(Lane.DAILY)
        if work.payments.file_by_message(payment.message_id) is not None:
            return []
        stored = _stored(deps, file, payment)
        attempts: list[Attempt] = []
        for item in payment.items:
            found = _match(deps, work, item)
            if isinstance(found, _Match):
                stored = _in_region(deps, work, stored, found.claim, is_first=not attempts)
                attempts.append(_attempt(deps, work, found, item, stored))
                lines.append(_adopted(item, found.claim))
            else:
                lines.append(_keep_lost(deps, work, item, payment.message_id, found))
        work.payments.add_file(stored, attempts)
        book_instructed(deps, work, attempts)
        _show_under_way(deps, work, attempts)
        work.commit()
    reach("reconcile.file-adopted")
    return lines


def _stored(deps: Any, file: IncomingFile, payment: PaymentFile) -> StoredFile:
    file_id = deps.ids.new_id("pfl")
    return StoredFile(
        id=file_id,
        message_id=payment.message_id,
        lane=payment.lane,
        region=deps.settings.region,
        created_at=payment.created_at,
        item_count=len(payment.items),
        control_sum_fen=payment.control_sum_fen,
        digest=hashlib.sha256(file.content).digest(),
        wrapped_content=deps.secret_box.wrap(file.content, file_id),
        handed_over_at=deps.clock.now(),
    )


def _in_region(
    deps: Any, work: Any, stored: StoredFile, claim: Claim, *, is_first: bool
) -> StoredFile:
    """A file is of one region: that of its first claim's fund."""
    if not is_first:
        return stored
    return replace(stored, region=fund_region(deps, work, claim))


def _match(  # noqa: PLR0911 - a reason each
    deps: Any, work: Any, item: PaymentItem
) -> _Match | tuple[str, str]:
    """The claim, payable and attempt of an instruction; else the claim's id, if any, and why."""
    named = parse_end_to_end_id(item.end_to_end_id)
    if named is None:
        return "", "its name is not one of ours"
    number, version, attempt = named
    try:
        claim = work.claims.get(work.claims.by_number(number).id, lock=True)
    except NotFoundError:
        return "", "its claim is not here"
    effect = next(
        (
            intent
            for intent in payments_in_effect(work, claim.id)
            if intent.payload["decision_version"] == version
        ),
        None,
    )
    if effect is None:
        return claim.id, "no settlement of that version is final here"
    if effect.payload["amount"] != item.amount_fen:
        return claim.id, f"settled were {effect.payload['amount']} fen"
    payout = work.payouts.get(payout_id(claim, version))
    if payout is None:
        if claim.state not in _PAYABLE_FROM:
            return claim.id, f"the claim is {claim.state}"
        add_payable(deps, work, claim, effect.payload)
        payout = work.payouts.get(payout_id(claim, version))
    tried = work.payments.tried(payout.id)
    if len(tried) >= attempt:
        return claim.id, "the same instruction stands in another file"
    if len(tried) != attempt - 1 or (tried and not tried[-1].has_failed):
        return claim.id, "the attempt before it is not over here"
    return _Match(work.claims.get(claim.id), payout, attempt)


def _attempt(deps: Any, work: Any, found: _Match, item: PaymentItem, stored: StoredFile) -> Attempt:
    attempt_id = f"{found.payout.id}_a{found.attempt}"
    wrap = deps.secret_box.wrap
    return Attempt(
        id=attempt_id,
        payout_id=found.payout.id,
        claim_id=found.claim.id,
        person_id=found.claim.person_id,
        attempt=found.attempt,
        end_to_end_id=item.end_to_end_id,
        account_version=_account_version(deps, work, found.claim.person_id, item),
        wrapped_holder=wrap(item.holder.encode(), f"{attempt_id}:holder"),
        wrapped_account=wrap(item.account_number.encode(), f"{attempt_id}:account"),
        account_tail=item.account_number[-4:],
        bank_name=item.bank_name[:60],
        amount_fen=item.amount_fen,
        lane=stored.lane,
        region=fund_region(deps, work, found.claim),
        instructed_on=local_day(stored.created_at),
        file_id=stored.id,
        created_at=stored.created_at,
    )


def _account_version(deps: Any, work: Any, person_id: str, item: PaymentItem) -> int:
    """The version that the bank was told to pay: the one in effect now, else any other one on
    record, the newest first; 0 when it was lost with the backup."""
    account = deps.payees.account_for(work, person_id, deps.clock.now()).account
    if account is not None and account.number == item.account_number:
        return int(account.version)
    name = f"{item.bank_code}/{item.account_number}"
    lookup = deps.secret_box.lookup("payee-account", name)
    known = [one.row for one in work.payees.accounts_of(person_id)]
    return max((row.version for row in known if row.number_lookup == lookup), default=0)


def _adopted(item: PaymentItem, claim: Claim) -> Line:
    return Line(
        "adopted", f"payment {item.end_to_end_id}", f"claim {claim.number}: {item.amount_fen} fen"
    )


def _keep_lost(
    deps: Any, work: Any, item: PaymentItem, message_id: str, found: tuple[str, str]
) -> Line:
    """A payment without a claim that it could be shown to be: a person looks. The claim that it
    names, if there is one, is not paid meanwhile. ``found``: that claim's id, and why."""
    claim_id, why = found
    detail = _lost(item, message_id, why)
    if claim_id:
        detail[CASE_KEY] = claim_id
    open_case(work, case_id(item.end_to_end_id), KIND, detail, case_deadline(deps))
    return _lost_line(detail)


def _lost(item: PaymentItem, message_id: str, why: str) -> dict[str, Any]:
    """What a case says of such a payment."""
    return {
        "end_to_end_id": item.end_to_end_id,
        "file": message_id,
        "amount_fen": item.amount_fen,
        "why": why,
    }


def _lost_line(detail: dict[str, Any]) -> Line:
    said = f"{detail['amount_fen']} fen; {detail['why']}"
    return Line("case", case_id(detail["end_to_end_id"]), said, case_in_words(KIND, detail))


def _show_under_way(deps: Any, work: Any, attempts: list[Attempt]) -> None:
    for attempt in attempts:
        claim = work.claims.get(attempt.claim_id)
        work.alarms.clear("payment-returned", claim.id)
        if claim.state is ClaimState.PAYING and claim.waiting_for is not None:
            work.claims.update(claim.id, claim.state, deps.clock.now(), waiting_for=None)


def _adopt_report(deps: Any, file: IncomingFile) -> list[Line]:
    """Book what the bank has answered, as when it came."""
    try:
        if not take_in(deps, file):
            return [Line("case", f"bank file {file.name}", "waits for the report of the payment")]
    except DomainError as error:
        return [Line("case", f"bank file {file.name}", f"{error.code}: {error.en}")]
    with deps.work(write=False) as work:
        digest = hashlib.sha256(file.content).digest()
        message = work.payments.message(file.name[:NAME_MAX], digest)
    return [Line("adopted", f"bank file {file.name}", str(message.verdict))]


def _match_late(deps: Any) -> list[Line]:
    """Payments that were lost until now, whose claim has come back since."""
    with deps.work(write=False) as work:
        cases = [case for case in work.reconciliation.open_cases() if case.kind == KIND]
    lines = []
    for case in cases:
        with deps.work() as work:
            work.payments.take_turn(Lane.DAILY)
            stored = work.payments.file_by_message(case.detail["file"])
            content = deps.secret_box.unwrap(stored.wrapped_content, stored.id)
            name = case.detail["end_to_end_id"]
            items = deps.payment_format.read_payment(content).items
            item = next(one for one in items if one.end_to_end_id == name)
            found = _match(deps, work, item)
            if not isinstance(found, _Match):
                lines.append(_lost_line(_lost(item, stored.message_id, found[1])))
                continue  # rolled back
            attempt = _attempt(deps, work, found, item, stored)
            work.payments.add_attempts([attempt])
            book_instructed(deps, work, [attempt])
            _show_under_way(deps, work, [attempt])
            work.reconciliation.put_case(case.id, KIND, {**case.detail, "matched": True})
            resolve_case(work, case.id, "reconcile", "its claim was found")
            book_late(deps, work, stored.message_id, frozenset({name}))
            work.commit()
        lines.append(_adopted(item, found.claim))
    return lines
