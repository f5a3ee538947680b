"""Payables, instructions, files, answers and the journal: rules R7, R9, R10, R12, R14 to R17."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Set
from typing import Final

import sqlalchemy as sa

from backend.adapters.database.money_rules.claim_rules import (
    PAYABLE_FELL,
    PAYABLE_PAID,
    PAYABLE_WITH_BANK,
)
from backend.adapters.database.tables import payment_answer, payment_attempt, payout_file
from backend.service_layer.money_reconciliation.records import Mismatch

_KINDS: Final = ("payable", "transit", "bank", "receivable")
_ADJUSTED: Final = {
    "deposit-reversed": {("fund", "bank")},
    "bank-charge": {("fund", "bank")},
    "bank-interest": {("bank", "fund")},
    "suspense": {("clearing", "bank"), ("bank", "clearing")},
    "suspense-cleared": {("fund", "clearing"), ("clearing", "fund")},
}
"""What each correcting entry debits and credits."""


def payable_journal(connection: sa.Connection) -> Iterator[Mismatch]:
    """R7: each payable stands in the journal with its amount. What a release without a journal
    paid has no fund and no entry."""
    rows = connection.execute(
        sa.text(
            "SELECT p.id, p.claim_id, p.amount_fen, e.id AS entry_id, COALESCE((SELECT SUM("
            "CASE WHEN t.credit_account LIKE 'payable:%' THEN t.amount_fen "
            "WHEN t.debit_account LIKE 'payable:%' THEN -t.amount_fen ELSE 0 END) "
            "FROM journal_transfer t WHERE t.entry_id = e.id), 0) AS booked "
            "FROM payout p JOIN claim_fund f ON f.claim_id = p.claim_id "
            "LEFT JOIN journal_entry e ON e.source_type = 'payout' AND e.source_id = p.id "
            "AND e.kind = 'approved'"
        )
    )
    for row in rows:
        if row.booked != row.amount_fen and not (row.entry_id is None and row.amount_fen == 0):
            there = "no entry" if row.entry_id is None else f"booked {row.booked} fen"
            yield Mismatch("R7", row.id, f"{row.amount_fen} fen", there, row.claim_id)
    loose = connection.execute(
        sa.text(
            "SELECT source_id, claim_id, total_fen FROM journal_entry e "
            "WHERE source_type = 'payout' AND kind = 'approved' "
            "AND NOT EXISTS (SELECT 1 FROM payout p WHERE p.id = e.source_id)"
        )
    )
    for row in loose:
        yield Mismatch(
            "R7", row.source_id, "no payable", f"booked {row.total_fen} fen", row.claim_id
        )


def payable_attempt(connection: sa.Connection) -> Iterator[Mismatch]:
    """R9: an instruction is its payable's, by name, amount, claim and turn; no payable is paid
    twice."""
    rows = connection.execute(
        sa.text(
            "SELECT a.id, a.claim_id, a.end_to_end_id, a.amount_fen, a.attempt, p.id AS payout_id, "
            "p.amount_fen AS owed, p.decision_version, c.number, c.person_id AS whose, a.person_id "
            "FROM payment_attempt a JOIN payout p ON p.id = a.payout_id "
            "JOIN claim c ON c.id = p.claim_id WHERE a.claim_id <> p.claim_id "
            "OR a.person_id <> c.person_id OR a.amount_fen <> p.amount_fen "
            "OR a.end_to_end_id <> c.number || '-V' || p.decision_version || '-A' || a.attempt "
            "OR a.id <> p.id || '_a' || a.attempt"
        )
    )
    for row in rows:
        derived = f"{row.number}-V{row.decision_version}-A{row.attempt}"
        if row.end_to_end_id != derived:
            here, there = row.end_to_end_id, derived
        elif row.amount_fen != row.owed:
            here, there = f"{row.amount_fen} fen", f"owed {row.owed} fen"
        else:
            here, there = f"person {row.person_id}", f"person {row.whose} of {row.payout_id}"
        yield Mismatch("R9", row.id, here, there, row.claim_id)
    twice = connection.execute(
        sa.text(
            "SELECT a.payout_id, a.claim_id, COUNT(*) AS many FROM payment_attempt a "
            "WHERE NOT EXISTS (SELECT 1 FROM payment_answer w WHERE w.attempt_id = a.id "
            "AND w.status IN ('rejected', 'returned')) "
            "GROUP BY a.payout_id, a.claim_id HAVING COUNT(*) > 1"
        )
    )
    for row in twice:
        there = f"{row.many} instructions open or paid"
        yield Mismatch("R9", row.payout_id, "owed once", there, row.claim_id)


def file_sums(connection: sa.Connection, lost: Set[str]) -> Iterator[Mismatch]:
    """R10, as far as columns tell: a file's count and control sum are its instructions'. Files
    with instructions that were ``lost`` with a backup are judged by their bytes alone."""
    rows = connection.execute(
        sa.select(
            payout_file.c.message_id,
            payout_file.c.item_count,
            payout_file.c.control_sum_fen,
            sa.func.count(payment_attempt.c.id).label("many"),
            sa.func.coalesce(sa.func.sum(payment_attempt.c.amount_fen), 0).label("total"),
        )
        .outerjoin(payment_attempt, payment_attempt.c.file_id == payout_file.c.id)
        .group_by(payout_file.c.message_id, payout_file.c.item_count, payout_file.c.control_sum_fen)
    )
    for row in rows:
        here = f"{row.item_count} items, {row.control_sum_fen} fen"
        there = f"{row.many} items, {row.total} fen"
        if here != there and row.message_id not in lost:
            yield Mismatch("R10", row.message_id, here, there)


def bank_silent(connection: sa.Connection, before: dt.datetime) -> Iterator[Mismatch]:
    """R12: instructions of files that the bank has had since before an instant, unanswered."""
    rows = connection.execute(
        sa.select(payment_attempt.c.end_to_end_id, payment_attempt.c.claim_id,
                  payment_attempt.c.amount_fen, payout_file.c.handed_over_at)
        .join(payout_file, payout_file.c.id == payment_attempt.c.file_id)
        .where(
            payout_file.c.handed_over_at < before,
            ~sa.exists().where(payment_answer.c.attempt_id == payment_attempt.c.id),
        )
    )  # fmt: skip
    for row in rows:
        here = f"{row.amount_fen} fen since {row.handed_over_at:%F %H:%MZ}"
        yield Mismatch("R12", row.end_to_end_id, here, "no answer", row.claim_id)


def answer_journal(connection: sa.Connection) -> Iterator[Mismatch]:
    """R14: each instruction and each answer stands in the journal with its amount, nothing else
    does in their names."""
    rows = connection.execute(
        sa.text(
            "SELECT x.id, x.kind, x.claim_id, x.amount_fen, e.total_fen AS booked FROM ("
            "SELECT id, 'instructed' AS kind, claim_id, amount_fen FROM payment_attempt "
            "UNION ALL SELECT a.id, w.status, a.claim_id, a.amount_fen FROM payment_answer w "
            "JOIN payment_attempt a ON a.id = w.attempt_id) x "
            "LEFT JOIN journal_entry e ON e.source_type = 'attempt' AND e.source_id = x.id "
            "AND e.kind = x.kind AND e.claim_id = x.claim_id "
            "WHERE e.id IS NULL OR e.total_fen <> x.amount_fen"
        )
    )
    for row in rows:
        there = "no entry" if row.booked is None else f"booked {row.booked} fen"
        subject = f"{row.id} {row.kind}"
        yield Mismatch("R14", subject, f"{row.amount_fen} fen", there, row.claim_id)
    loose = connection.execute(
        sa.text(
            "SELECT e.source_id, e.kind, e.claim_id, e.total_fen FROM journal_entry e "
            "WHERE e.source_type = 'attempt' AND e.kind IN "
            "('instructed', 'paid', 'rejected', 'returned') AND NOT EXISTS ("
            "SELECT 1 FROM payment_attempt a WHERE a.id = e.source_id AND (e.kind = 'instructed' "
            "OR EXISTS (SELECT 1 FROM payment_answer w WHERE w.attempt_id = a.id "
            "AND w.status = e.kind)))"
        )
    )
    for row in loose:
        subject = f"{row.source_id} {row.kind}"
        booked = f"booked {row.total_fen} fen"
        yield Mismatch("R14", subject, "never happened", booked, row.claim_id or "")


def claim_balance(connection: sa.Connection, without: Set[str]) -> Iterator[Mismatch]:
    """R15: payable, transit, bank and receivable of each claim in the journal are what payables,
    instructions, answers and recoveries leave. Claims that another rule has named are not
    named again."""
    booked: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_KINDS, 0))
    for row in connection.execute(sa.text(_BOOKED)):
        for account, sign in ((row.debit_account, 1), (row.credit_account, -1)):
            kind = account.partition(":")[0]
            if kind in _KINDS:
                side = 1 if kind in ("bank", "receivable") else -1
                booked[row.claim_id][kind] += sign * side * int(row.amount)
    expected: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_KINDS, 0))
    for row in connection.execute(sa.text(_EXPECTED)):
        expected[row.claim_id][row.kind] += int(row.amount)
    numbers = {row.id: row.number for row in connection.execute(sa.text(_NUMBERS))}
    for claim_id in sorted({*booked, *expected} & set(numbers)):
        if claim_id in without:
            continue
        for kind in _KINDS:
            here, there = expected[claim_id][kind], booked[claim_id][kind]
            if here != there:
                subject = f"{numbers[claim_id]} {kind}"
                yield Mismatch("R15", subject, f"{here} fen", f"booked {there} fen", claim_id)


_NUMBERS: Final = "SELECT c.id, c.number FROM claim c JOIN claim_fund f ON f.claim_id = c.id"
_BOOKED: Final = (
    "SELECT e.claim_id, t.debit_account, t.credit_account, SUM(t.amount_fen) AS amount "
    "FROM journal_transfer t JOIN journal_entry e ON e.id = t.entry_id "
    "WHERE e.claim_id IS NOT NULL GROUP BY e.claim_id, t.debit_account, t.credit_account"
)
_OPENED: Final = (
    "(o.cause NOT IN ('lower', 'clearing') OR (SELECT COUNT(*) FROM recovery_approval v "
    "WHERE v.order_id = o.id) >= 2)"
)
_EXPECTED: Final = (
    "SELECT p.claim_id, 'payable' AS kind, p.amount_fen AS amount FROM payout p "  # noqa: S608
    f"WHERE NOT {PAYABLE_PAID} AND NOT {PAYABLE_FELL} AND NOT {PAYABLE_WITH_BANK} "
    "UNION ALL SELECT a.claim_id, 'transit', a.amount_fen FROM payment_attempt a "
    "WHERE NOT EXISTS (SELECT 1 FROM payment_answer w WHERE w.attempt_id = a.id) "
    "UNION ALL SELECT a.claim_id, 'bank', "
    "CASE WHEN w.status = 'paid' THEN -a.amount_fen ELSE a.amount_fen END "
    "FROM payment_answer w JOIN payment_attempt a ON a.id = w.attempt_id "
    "WHERE w.status IN ('paid', 'returned') "
    "UNION ALL SELECT o.claim_id, 'receivable', o.amount_fen FROM recovery_order o "
    f"WHERE {_OPENED} "
    "UNION ALL SELECT o.claim_id, 'receivable', -r.amount_fen FROM recovery_receipt r "
    "JOIN recovery_order o ON o.id = r.order_id "
    "UNION ALL SELECT o.claim_id, 'bank', r.amount_fen FROM recovery_receipt r "
    "JOIN recovery_order o ON o.id = r.order_id WHERE r.source <> 'returned' "
    "UNION ALL SELECT o.claim_id, k.kind, CASE WHEN k.kind = 'bank' THEN -r.amount_fen "
    "ELSE r.amount_fen END FROM recovery_receipt_reversal b "
    "JOIN recovery_receipt r ON r.reference = b.reference AND r.order_id = b.order_id "
    "AND r.ordinal = b.ordinal JOIN recovery_order o ON o.id = r.order_id "
    "CROSS JOIN (SELECT 'bank' AS kind UNION ALL SELECT 'receivable') k "
    "UNION ALL SELECT o.claim_id, 'receivable', -w.amount_fen FROM recovery_waiver w "
    "JOIN recovery_order o ON o.id = w.order_id"
)


def fund_balance(connection: sa.Connection) -> Iterator[Mismatch]:
    """R16: for no claim, money only comes in as a deposit, from a layer to the bank, or moves as
    two people have confirmed it."""
    rows = connection.execute(
        sa.text(
            "SELECT e.id, e.kind, t.debit_account, t.credit_account, t.amount_fen, "
            "p.kind AS confirmed FROM journal_entry e "
            "JOIN journal_transfer t ON t.entry_id = e.id "
            "LEFT JOIN journal_adjustment_answer a ON a.entry_id = e.id "
            "LEFT JOIN journal_adjustment p ON p.number = a.number "
            "WHERE e.claim_id IS NULL AND NOT (e.kind = 'funded' "
            "AND t.debit_account LIKE 'bank:%' AND t.credit_account LIKE 'fund:%')"
        )
    )
    for row in rows:
        accounts = tuple(code.partition(":")[0] for code in (row.debit_account, row.credit_account))
        if row.kind in _ADJUSTED:
            if row.confirmed == row.kind and accounts in _ADJUSTED[row.kind]:
                continue
        elif not set(accounts) & set(_KINDS):
            continue
        there = f"{row.kind}: {row.amount_fen} fen to {row.debit_account} from {row.credit_account}"
        yield Mismatch("R16", row.id, "no claim", there)


def claim_fund(connection: sa.Connection) -> Iterator[Mismatch]:
    """R17: a claim with instructions has a fund, of the region that is debited and the insurance
    type of its decision."""
    rows = connection.execute(
        sa.text(
            "SELECT DISTINCT c.number, c.id, a.region, COALESCE(f.region, 'none') AS fund, "
            'f.insurance_type, CASE WHEN d.explanation LIKE \'%"insurance_type":"\' || '
            "f.insurance_type || '\"%' THEN 1 ELSE 0 END AS is_type "
            "FROM payment_attempt a JOIN claim c ON c.id = a.claim_id "
            "LEFT JOIN claim_fund f ON f.claim_id = c.id "
            "LEFT JOIN decision d ON d.claim_id = c.id AND d.version = "
            "(SELECT MAX(version) FROM decision WHERE claim_id = c.id)"
        )
    )
    for row in rows:
        if row.fund != row.region:
            there = f"fund {row.fund}"
            yield Mismatch("R17", row.number, f"debited {row.region}", there, row.id)
        elif not row.is_type:
            there = f"fund of {row.insurance_type}"
            yield Mismatch("R17", row.number, "another type was decided", there, row.id)
