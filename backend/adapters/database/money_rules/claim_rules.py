"""Bill, claim, decision, ledger events and payables: rules R1 to R8."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from backend.domain.claim import IN_EFFECT_STATES, ClaimState
from backend.service_layer.money_reconciliation.records import Mismatch

_IN_EFFECT: Final = frozenset(str(state) for state in IN_EFFECT_STATES)
_UNSETTLED: Final = frozenset({str(ClaimState.SETTLING)})


@dataclass(frozen=True, slots=True)
class Effect:
    """A settlement or supplement that the ledger carried out for good."""

    claim_id: str
    version: int
    amount_fen: int
    fingerprint: str
    policy_hash: str
    block_number: int


def bill_claim(connection: sa.Connection) -> Iterator[Mismatch]:
    """R1: a claim's version is one of its bill, and it holds the bill exactly while it lives."""
    rows = connection.execute(
        sa.text(
            "SELECT c.number, c.id, c.state, COALESCE(c.live_invoice_id, 'none') AS live, "
            "c.invoice_id, COALESCE(v.invoice_id, 'none') AS of_bill "
            "FROM claim c LEFT JOIN invoice_version v ON v.id = c.version_id "
            "WHERE v.invoice_id IS NULL OR v.invoice_id <> c.invoice_id "
            "OR (c.state IN ('refused', 'withdrawn') AND c.live_invoice_id IS NOT NULL) "
            "OR (c.state NOT IN ('refused', 'withdrawn') AND "
            "(c.live_invoice_id IS NULL OR c.live_invoice_id <> c.invoice_id))"
        )
    )
    for row in rows:
        if row.of_bill != row.invoice_id:
            here, there = f"bill {row.invoice_id}", f"its version is of bill {row.of_bill}"
        else:
            here, there = f"state {row.state}", f"holds bill {row.live}"
        yield Mismatch("R1", row.number, here, there, row.id)


def claim_lock(connection: sa.Connection) -> Iterator[Mismatch]:
    """R2: a claim in effect holds a lodge that the ledger carried out, with its counter."""
    lodged: dict[str, set[int]] = defaultdict(set)
    for row in _intents(connection, "lodge"):
        lodged[row.subject_id].add(json.loads(row.payload)["counter"])
    rows = connection.execute(sa.text("SELECT id, number, state, lodge_counter FROM claim"))
    for row in rows:
        if row.state in _IN_EFFECT and row.lodge_counter not in lodged[row.id]:
            known = ", ".join(str(one) for one in sorted(lodged[row.id])) or "none"
            yield Mismatch(
                "R2", row.number, f"lodge {row.lodge_counter}", f"on the ledger {known}", row.id
            )


def claim_decision(connection: sa.Connection) -> Iterator[Mismatch]:
    """R3, as far as columns tell: a claim in effect names its newest decision, which pays."""
    rows = connection.execute(
        sa.text(
            "SELECT c.id, c.number, c.state, c.decision_version, d.version, d.outcome "
            "FROM claim c LEFT JOIN decision d ON d.claim_id = c.id AND d.version = "
            "(SELECT MAX(version) FROM decision WHERE claim_id = c.id)"
        )
    )
    for row in rows:
        if row.state not in _IN_EFFECT:
            continue
        if row.version != row.decision_version:
            here, there = f"version {row.decision_version}", f"newest decision {row.version}"
            yield Mismatch("R3", row.number, here, there, row.id)
        elif row.outcome == "refused":
            yield Mismatch("R3", row.number, f"state {row.state}", "decision refused", row.id)


def effects(connection: sa.Connection) -> dict[str, list[Effect]]:
    """What the ledger carried out for good, by claim, lower versions first."""
    found: dict[str, list[Effect]] = defaultdict(list)
    for row in _intents(connection, "settle", "supplement"):
        payload = json.loads(row.payload)
        found[row.subject_id].append(
            Effect(
                row.subject_id,
                payload["decision_version"],
                payload["amount"],
                payload["decision_fingerprint"],
                payload["policy_hash"],
                row.block_number or 0,
            )
        )
    for some in found.values():
        some.sort(key=lambda one: one.version)
    return found


def decision_ledger(connection: sa.Connection) -> Iterator[Mismatch]:
    """R4: each event carries fingerprint and policy of its decision, and the sum of the events up
    to it is what the decision pays."""
    by_claim = effects(connection)
    stored: dict[tuple[str, int], Any] = {
        (row.claim_id, row.version): row
        for row in connection.execute(
            sa.text(
                "SELECT claim_id, version, outcome, paid_fen, fingerprint, policy_hash "
                "FROM decision"
            )
        )
    }
    claims = connection.execute(sa.text("SELECT id, number, state FROM claim")).all()
    for claim in claims:
        total = 0
        for effect in by_claim.get(claim.id, []):
            total += effect.amount_fen
            row = stored.get((claim.id, effect.version))
            subject = f"{claim.number} v{effect.version}"
            if row is None:
                yield Mismatch("R4", subject, "no decision", f"{effect.amount_fen} fen", claim.id)
                continue
            yield from _compare(subject, claim.id, row, effect, total)
        if claim.state in _IN_EFFECT - _UNSETTLED and claim.id not in by_claim:
            yield Mismatch(
                "R4", claim.number, f"state {claim.state}", "no settlement is final", claim.id
            )


def _compare(
    subject: str, claim_id: str, row: Any, effect: Effect, total: int
) -> Iterator[Mismatch]:
    pairs = (
        (f"{row.paid_fen} fen", f"{total} fen"),
        (f"fingerprint {row.fingerprint.hex()[:16]}", f"fingerprint {effect.fingerprint[:16]}"),
        (f"policy {row.policy_hash.hex()[:16]}", f"policy {effect.policy_hash[:16]}"),
    )
    for here, there in pairs:
        if here != there:
            yield Mismatch("R4", subject, here, there, claim_id)


def claim_payable(connection: sa.Connection) -> Iterator[Mismatch]:
    """R6: a payable for each settlement that is final and pays, of its amount, and no other."""
    wanted = {
        (effect.claim_id, effect.version): effect.amount_fen
        for some in effects(connection).values()
        for effect in some
    }
    rows = connection.execute(
        sa.text(
            "SELECT p.id, p.claim_id, p.decision_version, p.amount_fen, c.number "
            "FROM payout p JOIN claim c ON c.id = p.claim_id"
        )
    )
    payables: set[tuple[str, int]] = set()
    for row in rows:
        key = (row.claim_id, row.decision_version)
        payables.add(key)
        derived = f"pay_{row.number}_v{row.decision_version}"
        if row.id != derived:
            yield Mismatch("R6", row.id, row.id, derived, row.claim_id)
        elif key not in wanted:
            here = f"{row.amount_fen} fen"
            yield Mismatch("R6", row.id, here, "no final settlement", row.claim_id)
        elif wanted[key] != row.amount_fen:
            yield Mismatch(
                "R6", row.id, f"{row.amount_fen} fen", f"settled {wanted[key]} fen", row.claim_id
            )
    paid = connection.execute(sa.text("SELECT id, number FROM claim WHERE state = 'paid'"))
    numbers = {row.id: row.number for row in paid}
    for (claim_id, version), amount in wanted.items():
        if amount and claim_id in numbers and (claim_id, version) not in payables:
            subject = f"pay_{numbers[claim_id]}_v{version}"
            yield Mismatch("R6", subject, "no payable", f"settled {amount} fen", claim_id)


def claim_state(connection: sa.Connection) -> Iterator[Mismatch]:
    """R8: a paid claim has been paid whole, and one that is being paid has something open."""
    rows = connection.execute(sa.text(_STATES))
    for row in rows:
        if row.state == "paid" and row.unpaid:
            yield Mismatch("R8", row.number, "paid", f"{row.unpaid} fen not paid", row.id)
        if row.state == "paying" and not row.unpaid and not row.fallen:
            yield Mismatch(
                "R8", row.number, "paying", f"{row.whole} fen paid, nothing open", row.id
            )


PAYABLE_PAID: Final = (
    "(EXISTS (SELECT 1 FROM payout_answer o WHERE o.payout_id = p.id AND o.outcome = 'paid') "
    "OR EXISTS (SELECT 1 FROM payment_attempt a JOIN payment_answer w ON w.attempt_id = a.id "
    "WHERE a.payout_id = p.id AND w.status = 'paid' AND NOT EXISTS (SELECT 1 FROM payment_answer b "
    "WHERE b.attempt_id = a.id AND b.status = 'returned')))"
)
"""Whether the bank has carried a payable ``p`` out and kept it so."""

PAYABLE_FELL: Final = "EXISTS (SELECT 1 FROM payable_reversal r WHERE r.payout_id = p.id)"
PAYABLE_WITH_BANK: Final = (
    "EXISTS (SELECT 1 FROM payment_attempt a WHERE a.payout_id = p.id AND NOT EXISTS "
    "(SELECT 1 FROM payment_answer w WHERE w.attempt_id = a.id))"
)
"""Whether an instruction for a payable ``p`` waits for the bank's answer."""
_STATES: Final = (
    "SELECT c.id, c.number, c.state, "  # noqa: S608 - of constants
    f"COALESCE(SUM(CASE WHEN {PAYABLE_PAID} OR {PAYABLE_FELL} THEN 0 ELSE p.amount_fen END), 0) "
    f"AS unpaid, COALESCE(SUM(CASE WHEN {PAYABLE_FELL} THEN 1 ELSE 0 END), 0) AS fallen, "
    "COALESCE(SUM(p.amount_fen), 0) AS whole "
    "FROM claim c LEFT JOIN payout p ON p.claim_id = c.id "
    "WHERE c.state IN ('paid', 'paying') GROUP BY c.id, c.number, c.state"
)


def _intents(connection: sa.Connection, *kinds: str) -> Iterator[Any]:
    """Intents of these kinds that are final and took effect."""
    statement = sa.text(
        "SELECT subject_id, payload, block_number FROM ledger_intent WHERE kind IN :kinds "
        "AND state = 'final' AND outcome IN ('done', 'repeated')"
    ).bindparams(sa.bindparam("kinds", kinds, expanding=True))
    yield from connection.execute(statement)
