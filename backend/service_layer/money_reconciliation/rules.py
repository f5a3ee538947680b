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
from backend.domain.ledger import SlotState
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.money_reconciliation.bank_rules import bank_answers, file_rules
from backend.service_layer.money_reconciliation.ports import MoneyServices, Settled
from backend.service_layer.money_reconciliation.records import BY_CODE, Mismatch
from backend.service_layer.money_reconciliation.refused_rules import refused_answers
from backend.service_layer.money_reconciliation.statement_rules import statements
from backend.service_layer.payout.unmatched import lost_items
from backend.service_layer.ports import BlockStamp, FinalSlot, LedgerUnavailableError
from verifier.commitment.canonical import parse_canonical
from verifier.commitment.fingerprint import compute_fingerprint
from verifier.errors import VerificationError

SLOTS_AT_ONCE: Final = 5_000
"""Slots that are held in memory."""

_ORDER: Final = {code: place for place, code in enumerate(BY_CODE)}


def find_mismatches(deps: MoneyServices) -> list[Mismatch]:
    """Every row that disagrees, by rule and subject; empty when all sides say the same.

    Raises LedgerUnavailableError or BankUnavailableError when a side cannot be asked: then
    nothing is known.
    """
    first = _ask_all(deps)
    # A fingerprint that was right is not computed again: only what is named twice counts.
    doubted = frozenset(one.subject for one in first if one.rule == "R3")
    again = set(_ask_all(deps, doubted)) if first else set()
    return sorted(set(first) & again, key=lambda one: (_ORDER[one.rule], one))


def _ask_all(deps: MoneyServices, doubted: frozenset[str] | None = None) -> list[Mismatch]:
    silent_before = deps.clock.now() - dt.timedelta(hours=deps.settings.payout.answer_hours)
    with deps.work(write=False) as work:
        work.money_rules.freeze()
        lost = lost_items(work)
        found = list(work.money_rules.claim_rules())
        found += _fingerprints(deps, work, doubted)
        found += work.money_rules.payment_rules(silent_before, {one.file for one in lost.values()})
        found += file_rules(deps, work, lost)
        found += bank_answers(deps, work, lost)
        found += refused_answers(deps, work, lost)
        found += statements(deps, work, lost, silent_before)
        settled = work.money_rules.settled()
        followed = work.chain.cursor()
        named = {one.claim_id for one in found}
        found += work.money_rules.claim_balances(named)
        found += _journal(work, {one.claim_id for one in found})
    return found + list(_slots(deps, settled, followed))


def _fingerprints(
    deps: MoneyServices, work: Any, doubted: frozenset[str] | None = None
) -> Iterator[Mismatch]:
    """R3: the decision that is stored is the one that was fingerprinted. Of one whose secret was
    erased or lost, only the amount can be compared. With ``doubted``, of these subjects alone."""
    for row in work.money_rules.decisions():
        subject = f"{row.number} v{row.version}"
        if doubted is not None and subject not in doubted:
            continue
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


def _slots(
    deps: MoneyServices, settled: list[Settled], followed: BlockStamp | None
) -> Iterator[Mismatch]:
    """R5: in the newest final block and in the newest one the slot shows our settlement, and as
    paid what we know of. Where another payer has settled too, it shows no less."""
    for start in range(0, len(settled), SLOTS_AT_ONCE):
        some = settled[start : start + SLOTS_AT_ONCE]
        slots = deps.ledger.final_slots([one.invoice_key for one in some], followed)
        for one in some:
            slot = slots[one.invoice_key]
            _require_as_far(one, slot, followed)
            there = _differs(one, slot.newest) or _differs(one, slot.final)
            if there is not None:
                yield Mismatch("R5", one.number, f"{one.paid_fen} fen", there, one.claim_id)


def _require_as_far(one: Settled, slot: FinalSlot, followed: BlockStamp | None) -> None:
    """A node that does not know as final what was final here proves nothing."""
    if followed is not None and slot.number < one.since_block <= followed.number:
        raise LedgerUnavailableError(
            f"账本节点落后：区块 {one.since_block} 在它那里还不是终局",
            f"the ledger node is behind: block {one.since_block} is not final for it",
        )


def _differs(one: Settled, slot: SlotState) -> str | None:
    if not slot.has_settled(one.payer_number):
        return "no settlement of ours"
    is_ours_alone = slot.settled_payers == 1 << (one.payer_number - 1)
    is_more = is_ours_alone and not one.is_changing and slot.paid_fen > one.paid_fen
    return f"slot {slot.paid_fen} fen" if slot.paid_fen < one.paid_fen or is_more else None


def _journal(work: Any, named: set[str]) -> Iterator[Mismatch]:
    """R18: what ``yichu journal check`` finds. A claim that stands on its wrong side is named with
    its id, once: not where another rule has named it."""
    numbers = set(work.money_rules.numbers_of(sorted(named - {""})).values())
    for fault in check_journal(work):
        if fault.rule == "claim-wrong-side" and fault.subject.partition(" ")[0] in numbers:
            continue
        claim_id = ""
        if fault.rule == "claim-wrong-side":
            claim_id = work.money_rules.claim_of(fault.subject.partition(" ")[0])
        yield Mismatch("R18", fault.subject[:80], fault.rule, fault.en, claim_id)
