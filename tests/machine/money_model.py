"""What every account must hold, worked out without the journal, and what must hold besides.

Everything is read from the tables and from the bank's own book, never from the services.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from backend.adapters.database import tables
from tests.funding import POOL_FEN, TYPES
from tests.machine.money_bank import MoneyBank
from tests.machine.money_recovery import add_recoveries
from tests.machine.promises import Books

LAYERS = {
    "pool": ("hifp_pay_fen",),
    "serious-illness": ("hifmi_pay_fen", "hifob_pay_fen"),
    "medical-aid": ("maf_pay_fen",),
    "civil-servant": ("cvlserv_pay_fen",),
}


@dataclass(frozen=True)
class StandingMoney:
    """The bank as far as we were told: money that came back counts until it is booked. What fell
    away with its bill counts as paid: nobody may be paid it besides."""

    paid: dict[str, tuple[str, int]]


def told(books: Books, bank: MoneyBank) -> StandingMoney:
    names = {row.id: row.end_to_end_id for row in books.all(tables.payment_attempt)}
    back = {
        names[row.attempt_id]
        for row in books.all(tables.payment_answer)
        if row.status == "returned"
    }
    numbers = {row.id: row.number for row in books.all(tables.claim)}
    payables = {row.id: row for row in books.all(tables.payout)}
    fell = [payables[row.payout_id] for row in books.all(tables.payable_reversal)]
    return StandingMoney(
        {n: (k.account, k.amount_fen) for n, k in bank.book.items() if n not in back}
        | {f"{numbers[p.claim_id]}-V{p.decision_version}-fell": ("", p.amount_fen) for p in fell}
    )


def model_balances(books: Books) -> dict[str, int]:
    """Account (without its region) to fen on its normal side."""
    money = len(TYPES) * POOL_FEN
    sums: Counter[str] = Counter({"bank": money, "fund:pool": money})
    for layer in LAYERS:  # tests.funding: a tenth for each layer above the pool
        if f"fund:{layer}" != "fund:pool":
            sums[f"fund:{layer}"] += money // 10
            sums["fund:pool"] -= money // 10
    explained = {
        (row.claim_id, row.version): json.loads(row.explanation)
        for row in books.all(tables.decision)
    }
    before: dict[str, Counter[str]] = defaultdict(Counter)
    for row in sorted(books.all(tables.payout), key=lambda one: one.decision_version):
        record = explained[(row.claim_id, row.decision_version)]
        for layer, names in LAYERS.items():
            amount = sum(record[name] for name in names)
            sums[f"fund:{layer}"] -= amount - before[row.claim_id][layer]
            before[row.claim_id][layer] = amount
        sums["payable"] += row.amount_fen
    fen = {row.id: row.amount_fen for row in books.all(tables.payment_attempt)}
    for amount in fen.values():
        sums["payable"] -= amount
        sums["transit"] += amount
    for row in books.all(tables.payment_answer):
        amount = fen[row.attempt_id]
        if row.status == "paid":
            sums["transit"] -= amount
            sums["bank"] -= amount
        elif row.status == "rejected":
            sums["transit"] -= amount
            sums["payable"] += amount
        else:
            sums["bank"] += amount
            sums["payable"] += amount
    add_recoveries(books, sums)
    return {name: fen for name, fen in sums.items() if fen}


def booked_balances(books: Books) -> dict[str, int]:
    """The same, from the rows of the journal."""
    sums: Counter[str] = Counter()
    for row in books.all(tables.journal_transfer):
        for code, fen in (
            (row.debit_account, row.amount_fen),
            (row.credit_account, -row.amount_fen),
        ):
            kind, _, layer = code.split(":")[0], code, code.split(":")[2:]
            grows = 1 if kind in ("bank", "receivable") else -1
            sums[":".join([kind, *layer])] += grows * fen
    return {name: fen for name, fen in sums.items() if fen}


def books_balance(books: Books) -> None:
    """P4: every entry is whole, and every account holds what payables, instructions and answers
    come to."""
    parts: dict[str, list[int]] = defaultdict(list)
    for row in books.all(tables.journal_transfer):
        assert row.amount_fen > 0 and row.debit_account != row.credit_account, row
        parts[row.entry_id].append(row.amount_fen)
    for entry in books.all(tables.journal_entry):
        got = parts.pop(entry.id, [])
        assert (len(got), sum(got)) == (entry.transfer_count, entry.total_fen), entry
    assert not parts, f"transfers of no entry: {parts}"
    booked, modelled = booked_balances(books), model_balances(books)
    if books.all(tables.recovery_waiver) or books.all(tables.payable_reversal):
        booked, modelled = _over_layers(booked), _over_layers(modelled)
    assert booked == modelled


def _over_layers(balances: dict[str, int]) -> dict[str, int]:
    """What is given up or falls away is divided over the layers that bear it, by rounding: it is
    compared in all."""
    sums: Counter[str] = Counter()
    for name, fen in balances.items():
        sums[name.split(":")[0]] += fen
    return {name: fen for name, fen in sums.items() if fen}


def bank_has_each_once(books: Books, bank: MoneyBank) -> None:
    """P1 at the bank: an instruction comes in one file, is one that we have stored, and of a
    claim's version at most one payment stands."""
    assert not bank.twice, f"in two files: {bank.twice}"
    known = {row.end_to_end_id: row for row in books.all(tables.payment_attempt)}
    standing: Counter[str] = Counter()
    for name, kept in bank.book.items():
        row = known.get(name)
        assert row is not None, f"{name} was paid and is not stored"
        assert row.amount_fen == kept.amount_fen, f"{name}: {kept} and {row.amount_fen}"
        standing[row.payout_id] += kept.stands
    assert all(count <= 1 for count in standing.values()), f"paid twice: {standing}"


def answers_are_true(books: Books, bank: MoneyBank) -> None:
    """Only what the bank really did is booked, and only from a report in which all is right."""
    names = {row.id: row.end_to_end_id for row in books.all(tables.payment_attempt)}
    for row in books.all(tables.payment_answer):
        kept = bank.book.get(names[row.attempt_id])
        if row.status == "rejected":
            assert kept is None, f"{names[row.attempt_id]} is booked as rejected, and was paid"
        else:
            assert kept is not None, f"{names[row.attempt_id]} was never paid"
            assert row.status == "paid" or not kept.stands, "it never came back"
    for row in books.all(tables.bank_message):
        if row.verdict == "booked":
            assert row.name in bank.true, f"{row.name} was booked"
        assert (row.verdict == "refused") == bool(row.difference), row


def paid_means_paid(books: Books) -> None:
    """A claim says that it is paid exactly when the last instruction of each version was."""
    answers: dict[str, set[str]] = defaultdict(set)
    for row in books.all(tables.payment_answer):
        answers[row.attempt_id].add(row.status)
    last: dict[str, Any] = {}
    for row in sorted(books.all(tables.payment_attempt), key=lambda one: one.attempt):
        last[row.payout_id] = row
    states = {row.id: (row.state, row.waiting_for, row.number) for row in books.all(tables.claim)}
    owed: set[str] = set()
    fell = {row.payout_id for row in books.all(tables.payable_reversal)}
    for row in books.all(tables.payout):
        if row.id in fell:
            continue
        attempt = last.get(row.id)
        if attempt is None or answers[attempt.id] != {"paid"}:
            owed.add(row.claim_id)
    for claim_id, (state, _, number) in states.items():
        if state == "paid":
            assert claim_id not in owed, f"{number} says it is paid, and it is not"
        if state == "paying":
            assert claim_id in owed, f"{number} is paid, and does not say so"


def limits_are_kept(books: Books, limits: Any) -> None:
    """At once goes at most so much of a bill, a person's day and a pool's day."""
    person: Counter[Any] = Counter()
    pool: Counter[Any] = Counter()
    for row in books.all(tables.payment_attempt):
        if row.lane == "instant":
            assert row.amount_fen <= limits.bill_fen, row.end_to_end_id
            person[(row.person_id, row.instructed_on)] += row.amount_fen
            pool[(row.region, row.instructed_on)] += row.amount_fen
    assert all(fen <= limits.person_day_fen for fen in person.values()), f"a person got {person}"
    assert all(fen <= limits.pool_day_fen for fen in pool.values()), f"a pool paid {pool}"
