"""All rules over one instant of the database, the ledger and the bank's copies.

Nothing is written. A row that is named because something moved between two questions is not there
when all is asked again, so only what is named twice is a mismatch.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any, Final

from backend.domain.errors import DomainError
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.money_reconciliation.bank_rules import bank_answers, file_rules
from backend.service_layer.money_reconciliation.ports import MoneyServices
from backend.service_layer.money_reconciliation.records import BY_CODE, Mismatch
from backend.service_layer.money_reconciliation.unmatched import lost_items
from verifier.commitment.canonical import parse_canonical
from verifier.commitment.fingerprint import compute_fingerprint
from verifier.errors import VerificationError

_ORDER: Final = {code: place for place, code in enumerate(BY_CODE)}


def find_mismatches(deps: MoneyServices) -> list[Mismatch]:
    """Every row that disagrees, by rule and subject; empty when all sides say the same.

    Raises LedgerUnavailableError or BankUnavailableError when a side cannot be asked: then
    nothing is known.
    """
    first = _ask_all(deps)
    again = set(_ask_all(deps)) if first else set()
    return sorted(set(first) & again, key=lambda one: (_ORDER[one.rule], one))


def _ask_all(deps: MoneyServices) -> list[Mismatch]:
    silent_before = deps.clock.now() - dt.timedelta(hours=deps.settings.payout.answer_hours)
    with deps.work(write=False) as work:
        work.money_rules.freeze()
        lost = lost_items(work)
        found = list(work.money_rules.claim_rules())
        found += _fingerprints(deps, work)
        found += work.money_rules.payment_rules(silent_before, {one.file for one in lost.values()})
        found += file_rules(deps, work, lost)
        found += bank_answers(deps, work, lost)
        settled = work.money_rules.settled()
        named = {one.claim_id for one in found}
        found += work.money_rules.claim_balances(named)
        found += _journal(work, {one.claim_id for one in found})
    return found + list(_slots(deps, settled))


def _fingerprints(deps: MoneyServices, work: Any) -> Iterator[Mismatch]:
    """R3: the decision that is stored is the one that was fingerprinted. Of one whose secret was
    erased or lost, only the amount can be compared."""
    for row in work.money_rules.decisions():
        subject = f"{row.number} v{row.version}"
        try:
            said = json.loads(row.explanation)["paid_fen"]
            if said != row.paid_fen:
                here, there = f"{row.paid_fen} fen", f"explained {said} fen"
                yield Mismatch("R3", subject, here, there, row.claim_id)
            if row.wrapped_secret is None:
                continue
            record: Any = parse_canonical(row.explanation.encode())
            secret = deps.secret_box.unwrap(row.wrapped_secret, row.id)
            computed = compute_fingerprint(record, secret)
        except (DomainError, VerificationError, ValueError, KeyError, TypeError):
            yield Mismatch("R3", subject, "stored decision", "cannot be read", row.claim_id)
            continue
        if computed != row.fingerprint:
            here, there = row.fingerprint.hex()[:16], computed.hex()[:16]
            yield Mismatch("R3", subject, f"fingerprint {here}", f"computed {there}", row.claim_id)


def _slots(deps: MoneyServices, settled: list[Any]) -> Iterator[Mismatch]:
    """R5: the slot shows our settlement, and as paid what we know of. Where another payer has
    settled too, it shows no less."""
    slots = deps.ledger.read_slots([one.invoice_key for one in settled])
    for one in settled:
        slot = slots[one.invoice_key]
        here = f"{one.paid_fen} fen"
        if not slot.has_settled(one.payer_number):
            yield Mismatch("R5", one.number, here, "no settlement of ours", one.claim_id)
            continue
        is_ours_alone = slot.settled_payers == 1 << (one.payer_number - 1)
        is_more = is_ours_alone and not one.is_changing and slot.paid_fen > one.paid_fen
        if slot.paid_fen < one.paid_fen or is_more:
            yield Mismatch("R5", one.number, here, f"slot {slot.paid_fen} fen", one.claim_id)


def _journal(work: Any, named: set[str]) -> Iterator[Mismatch]:
    """R18: what ``yichu journal check`` finds. A claim that another rule has named is not named
    again for standing on its wrong side."""
    numbers = set(work.money_rules.numbers_of(sorted(named - {""})).values())
    for fault in check_journal(work):
        if fault.rule == "claim-wrong-side" and fault.subject.partition(" ")[0] in numbers:
            continue
        yield Mismatch("R18", fault.subject[:80], fault.rule, fault.en)
