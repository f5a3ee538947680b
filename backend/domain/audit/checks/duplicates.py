"""Duplicates and near-duplicates: the same visit under another number, at any hospital.

Domain reference 7: a changed idempotency key issues a second, perfectly valid bill for the same
visit, so visit, date, amount and lines are compared, not numbers only. The ledger stops the same
number; these rules look for what it cannot see. Requirements T1, T4, T9, A9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex
from backend.domain.audit.check import (
    EXAMPLES_MAX,
    NO_OTHERS,
    NO_TWINS,
    Answer,
    CheckSpec,
    Finding,
    Unjudged,
    Values,
    claim_check,
    whole,
)
from backend.domain.audit.facts import AuditFacts, OtherBill
from backend.domain.money import format_yuan


def references(bills: Iterable[OtherBill]) -> list[str]:
    """The references of other bills for the evidence, at most as many as it keeps."""
    return [bill.reference for bill in bills][:EXAMPLES_MAX]


def _matching(
    bills: tuple[OtherBill, ...] | None,
    missing: Unjudged,
    is_alike: Callable[[OtherBill], bool],
    facts: AuditFacts,
) -> Answer:
    if bills is None:
        return missing
    alike = [bill for bill in bills if is_alike(bill)]
    if not alike:
        return ()
    hospitals = sorted({bill.institution_code for bill in alike})
    values: Values = {
        "count": len(alike),
        "day": facts.service_on.isoformat(),
        "amount": format_yuan(facts.invoice.total_fen),
    }
    evidence = {"bills": references(alike), "hospitals": hospitals[:EXAMPLES_MAX]}
    return (Finding(values, evidence=evidence),)


def _same_key(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """(code, number) of this bill on a bill of another institution (T4)."""
    invoice = facts.invoice
    key = (invoice.invoice_code, invoice.invoice_number)
    return _matching(
        facts.twins,
        NO_TWINS,
        lambda other: (
            (other.invoice_code, other.invoice_number) == key
            and other.institution_code != invoice.institution_code
        ),
        facts,
    )


def _is_other_number(facts: AuditFacts, other: OtherBill) -> bool:
    return (other.invoice_code, other.invoice_number) != (
        facts.invoice.invoice_code,
        facts.invoice.invoice_number,
    )


def _has_same_lines(facts: AuditFacts, bill: BillIndex, other: OtherBill) -> bool:
    """Asked last: the digest of this bill is worked out only when all else is alike."""
    return other.lines_digest == (facts.lines_digest or bill.digest)


def _same_content(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Same person, day, amount and lines under another number, at whatever hospital."""
    return _matching(
        facts.others,
        NO_OTHERS,
        lambda other: (
            _is_other_number(facts, other)
            and other.service_on == facts.service_on
            and other.total_fen == facts.invoice.total_fen
            and _has_same_lines(facts, bill, other)
        ),
        facts,
    )


def _same_amount(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Same person and amount within some days at another hospital, though the lines differ."""
    days, least = params["days"], params["least_fen"]
    if facts.invoice.total_fen < least:
        return ()
    return _matching(
        facts.others,
        NO_OTHERS,
        lambda other: (
            other.institution_code != facts.invoice.institution_code
            and other.total_fen == facts.invoice.total_fen
            and abs((other.service_on - facts.service_on).days) <= days
            and not _has_same_lines(facts, bill, other)
        ),
        facts,
    )


def _other_person(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """The same lines and amount on the same day for another person; short bills are alike by
    chance, so they are not asked."""
    if len(bill.lines) < params["lines_min"]:
        return ()
    return _matching(
        facts.twins,
        NO_TWINS,
        lambda other: (
            not other.is_same_person
            and _is_other_number(facts, other)
            and other.service_on == facts.service_on
            and other.total_fen == facts.invoice.total_fen
            and _has_same_lines(facts, bill, other)
        ),
        facts,
    )


_VALUES: Final = ("count", "day", "amount")

CHECKS: Final[tuple[CheckSpec, ...]] = (
    claim_check("same-key", _same_key, values=_VALUES),
    claim_check("same-content", _same_content, values=_VALUES),
    claim_check(
        "same-amount",
        _same_amount,
        (whole("days", 0, 30), whole("least_fen")),
        _VALUES,
    ),
    claim_check("other-person", _other_person, (whole("lines_min", 1, 100),), _VALUES),
)
