"""Payment files and the bank's answers against what the bank's side of the exchange still has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.domain.errors import DomainError
from backend.service_layer.money_reconciliation.ports import (
    BookedAnswer,
    FileRow,
    ItemRow,
    MoneyServices,
)
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.payout.answers import still_waits
from backend.service_layer.payout.ports import BadStatusFileError
from backend.service_layer.payout.records import AnswerStatus, PaymentItem, StatusReport, Verdict
from backend.service_layer.payout.unmatched import LostItem

NAME_MAX: Final = 200  # of a bank's file, as it is stored
_ENDINGS: Final = frozenset({AnswerStatus.PAID, AnswerStatus.REJECTED, AnswerStatus.RETURNED})


def file_rules(deps: MoneyServices, work: Any, lost: Mapping[str, LostItem]) -> Iterator[Mismatch]:
    """R10: a stored file's bytes are those that were written and say its instructions. R11: the
    bank has the same bytes of what was handed over, and no file that is unknown here."""
    at_bank = {file.name: hashlib.sha256(file.content).digest() for file in deps.bank.handed_over()}
    items = work.money_rules.items()
    for row in work.money_rules.files():
        yield from _content(deps, row, items.get(row.id, []), lost)
        theirs = at_bank.pop(row.name, None)
        if theirs is not None and theirs != row.digest:
            here, there = row.digest.hex()[:16], theirs.hex()[:16]
            yield Mismatch("R11", row.message_id, f"bytes {here}", f"the bank has {there}")
        elif theirs is None and row.handed_over_at is not None:
            yield Mismatch("R11", row.message_id, "handed over", "the bank has no such file")
    for name in sorted(at_bank):
        yield Mismatch("R11", name[:80], "unknown here", "the bank has it")


def _content(
    deps: MoneyServices, row: FileRow, items: list[ItemRow], lost: Mapping[str, LostItem]
) -> Iterator[Mismatch]:
    try:
        content = deps.secret_box.unwrap(row.wrapped_content, row.id)
        if hashlib.sha256(content).digest() != row.digest:
            yield Mismatch("R10", row.message_id, "digest as written", "other bytes are stored")
            return
        file = deps.payment_format.read_payment(content)
    except DomainError as error:
        yield Mismatch("R10", row.message_id, "stored file", f"cannot be read: {error.code}")
        return
    if (len(file.items), file.control_sum_fen) != (row.item_count, row.control_sum_fen):
        here = f"{row.item_count} items, {row.control_sum_fen} fen"
        there = f"its bytes say {len(file.items)} items, {file.control_sum_fen} fen"
        yield Mismatch("R10", row.message_id, here, there)
    written = {item.end_to_end_id: item for item in file.items if item.end_to_end_id not in lost}
    for item in items:
        said = written.pop(item.end_to_end_id, None)
        tail = "" if said is None else said.account_number[-4:]
        if said is None or (said.amount_fen, tail) != (item.amount_fen, item.account_tail):
            here = f"{item.amount_fen} fen to {item.account_tail}"
            there = "not in the file" if said is None else f"file: {said.amount_fen} fen to {tail}"
            yield Mismatch("R10", item.end_to_end_id, here, there, item.claim_id)
        elif not _is_same_payee(deps, item, said):
            yield Mismatch(
                "R10", item.end_to_end_id, f"account and holder of the instruction, …{tail}",
                f"file: another account or holder, …{tail}", item.claim_id,
            )  # fmt: skip
    for name, left in sorted(written.items()):
        there = f"file {row.message_id}: {left.amount_fen} fen"
        yield Mismatch("R10", name, "no instruction", there)


def _is_same_payee(deps: MoneyServices, stored: ItemRow, said: PaymentItem) -> bool:
    """Whether the file names account and holder of the instruction; the last four digits say
    little."""
    try:
        mine = (
            deps.secret_box.unwrap(stored.wrapped_account, f"{stored.id}:account"),
            deps.secret_box.unwrap(stored.wrapped_holder, f"{stored.id}:holder"),
        )
    except DomainError:
        return False
    return bool(mine == (said.account_number.encode(), said.holder.encode()))


def bank_answers(
    deps: MoneyServices, work: Any, lost: Mapping[str, LostItem]
) -> Iterator[Mismatch]:
    """R13: every ending in a report that was believed is booked, and nothing else is; every report
    that the bank left was dealt with but those that rightly wait in its folder, and what was booked
    or filed is still there."""
    messages = {(row.name, row.digest): row for row in work.money_rules.messages()}
    booked: dict[str, dict[tuple[str, str], BookedAnswer]] = {}
    by_file: dict[str, dict[str, list[BookedAnswer]]] = {}
    for answer in work.money_rules.answers():
        key = (answer.end_to_end_id, answer.status)
        booked.setdefault(answer.message_id, {})[key] = answer
        by_file.setdefault(answer.file, {}).setdefault(answer.end_to_end_id, []).append(answer)
    seen, dealt_with = set(), deps.bank.dealt_with_names()
    services: Any = deps  # of the whole system, of which the payments' are a part
    for file in deps.bank.received():
        digest = hashlib.sha256(file.content).digest()
        row = messages.get((file.name[:NAME_MAX], digest)) or messages.get(
            (_first_name(file.name)[:NAME_MAX], digest)
        )
        if row is None:
            if file.name not in dealt_with and still_waits(services, work, file):
                continue
            yield Mismatch("R13", file.name[:80], "unknown here", "the bank left it")
            continue
        seen.add(row.id)
        if row.verdict == Verdict.BOOKED:
            known = by_file.get(row.original_id or "", {})
            mine = booked.pop(row.id, {})
            try:
                report: StatusReport = deps.payment_format.read(file.content)
            except BadStatusFileError as error:
                there = f"the bank's file cannot be read: {error.code}"
                yield Mismatch("R13", file.name[:80], "booked", there)
                continue
            yield from _of_report(report, mine, known, lost)
            yield from _of_the_rest(work, report, known, lost)
    for row in messages.values():
        if row.verdict == Verdict.FILED and not row.has_statement:
            yield Mismatch("R13", row.name[:80], row.verdict, "its statement is stored no more")
        if row.verdict in (Verdict.BOOKED, Verdict.FILED) and row.id not in seen:
            booked.pop(row.id, None)
            yield Mismatch("R13", row.name[:80], row.verdict, "the bank left no such file")
    for rest in booked.values():
        for answer in rest.values():
            here = f"{answer.status}, {answer.amount_fen} fen"
            yield Mismatch(
                "R13", answer.end_to_end_id, here, "from a file that was not booked",
                answer.claim_id,
            )  # fmt: skip


def _first_name(name: str) -> str:
    """The name under which a file came that was put away under a number."""
    number, _, rest = name.partition("-")
    return rest if number.isdecimal() else name


def _of_report(
    report: StatusReport,
    booked: dict[tuple[str, str], BookedAnswer],
    known: Mapping[str, list[BookedAnswer]],
    lost: Mapping[str, LostItem],
) -> Iterator[Mismatch]:
    for item in report.items:
        if item.status not in _ENDINGS or item.end_to_end_id in lost:
            continue
        booked.pop((item.end_to_end_id, str(item.status)), None)
        said = {one.status: one for one in known.get(item.end_to_end_id, ())}
        if str(item.status) not in said:
            here = ", ".join(sorted(said)) or "no answer"
            # Without an answer the instruction is open, and nothing follows it anyway.
            claim_id = next((one.claim_id for one in said.values()), "")
            there = f"the bank said {item.status}"
            yield Mismatch("R13", item.end_to_end_id, here, there, claim_id)
        elif item.amount_fen not in (None, said[str(item.status)].amount_fen):
            answer = said[str(item.status)]
            yield Mismatch(
                "R13", item.end_to_end_id, f"{answer.amount_fen} fen",
                f"the bank said {item.amount_fen} fen", answer.claim_id,
            )  # fmt: skip
    whole = None if report.group_status is None else str(report.group_status)
    for answer in booked.values():
        if answer.status == whole:
            continue  # said of the whole file
        here = f"booked {answer.status}"
        yield Mismatch(
            "R13", answer.end_to_end_id, here, "the bank did not say so", answer.claim_id
        )


def _of_the_rest(
    work: Any,
    report: StatusReport,
    known: Mapping[str, list[BookedAnswer]],
    lost: Mapping[str, LostItem],
) -> Iterator[Mismatch]:
    """The end of a whole file is that of every instruction that its report does not name."""
    if report.group_status not in _ENDINGS:
        return
    named = {item.end_to_end_id for item in report.items}
    ids = {
        row.id for row in work.money_rules.files() if row.message_id == report.original_message_id
    }
    items = work.money_rules.items()
    for item in (one for file_id in ids for one in items.get(file_id, ())):
        name, said = item.end_to_end_id, {one.status for one in known.get(item.end_to_end_id, ())}
        if name not in named and name not in lost and str(report.group_status) not in said:
            here = ", ".join(sorted(said)) or "no answer"
            there = f"the bank said {report.group_status} of the whole file"
            yield Mismatch("R13", name, here, there, item.claim_id)
