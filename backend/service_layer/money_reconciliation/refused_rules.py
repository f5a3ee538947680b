"""R13: what the bank said in reports that were not believed, against what is booked.

Of such a report nothing is booked, and it may be true all the same. It is named until two people
have dealt with its file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from backend.domain.errors import DomainError
from backend.service_layer.claims.case_closing import BANK_FILE
from backend.service_layer.money_reconciliation.ports import BookedAnswer, MoneyServices
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.payout.contradicted import has_left
from backend.service_layer.payout.examine import items_said
from backend.service_layer.payout.ports import BadStatusFileError
from backend.service_layer.payout.records import AnswerStatus, StatusItem, Verdict
from backend.service_layer.payout.unmatched import LostItem


def refused_answers(
    deps: MoneyServices, work: Any, lost: Mapping[str, LostItem]
) -> Iterator[Mismatch]:
    """One row for each instruction and contradiction, however many files say so."""
    refused = [row for row in work.money_rules.messages() if row.verdict == Verdict.REFUSED]
    if not refused:
        return
    cases = work.reconciliation.cases_of(BANK_FILE)
    dealt_with = {case.id for case in cases if case.resolved_at is not None}
    by_file: dict[str, dict[str, list[BookedAnswer]]] = {}
    for answer in work.money_rules.answers():
        by_file.setdefault(answer.file, {}).setdefault(answer.end_to_end_id, []).append(answer)
    found: dict[Mismatch, None] = {}
    for row in refused:
        booked = by_file.get(row.original_id or "", {})
        if not booked or f"{BANK_FILE}:{row.id}" in dealt_with:
            continue
        try:
            items = _said(deps, work, row.id, booked)
        except DomainError as error:
            yield Mismatch("R13", row.name[:80], row.verdict, f"cannot be read: {error.code}")
            continue
        for item in items:
            answers = booked.get(item.end_to_end_id, ())
            words = _contradiction(item, {one.status for one in answers})
            if words and item.end_to_end_id not in lost:
                here = ", ".join(sorted(one.status for one in answers))
                claim_id = next(one.claim_id for one in answers)
                there = f"{words} in a refused report"
                found[Mismatch("R13", item.end_to_end_id, here, there, claim_id)] = None
    yield from found


def _said(
    deps: MoneyServices, work: Any, message_id: str, booked: Mapping[str, list[BookedAnswer]]
) -> list[StatusItem]:
    message = work.payments.message_by_id(message_id)
    content = deps.secret_box.unwrap(message.wrapped_content, message_id)
    try:
        report = deps.payment_format.read(content)
    except BadStatusFileError:
        return []
    items = items_said(report, booked)
    return list(report.items if items is None else items)


def _contradiction(item: StatusItem, booked: set[str]) -> str:
    """What the bank said otherwise than it is booked, empty for nothing. Accepted is no end, and
    often comes late."""
    has_ended = bool(booked) and AnswerStatus.RETURNED not in booked
    if has_left(item) and AnswerStatus.REJECTED in booked:
        return f"the bank said {item.status} {item.reason_code}".strip()
    if item.status is AnswerStatus.RETURNED and has_ended:
        return "the bank said returned"
    is_paid = has_ended and AnswerStatus.PAID in booked
    if item.status is AnswerStatus.REJECTED and not has_left(item) and is_paid:
        return "the bank said rejected"
    return ""
