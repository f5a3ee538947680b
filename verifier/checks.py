"""The numbered checks of SPEC.md C2, one function a number: each returns None or raises.

RefutedError and MalformedError mean *FAIL*, UndecidedError *UNDECIDED*, NotCheckedError *NOT
CHECKED*. A check reads only the bundle, the trust file and, in ``ledger_checks``, the ledger.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from verifier.bundle import Bundle, Decided, DisclosedLeaf
from verifier.chain import LedgerReader
from verifier.commitment import invoice_key, merkle
from verifier.commitment.batch import MAX_FEN, BatchLeaf, RecordKind, batch_head
from verifier.commitment.canonical import ParsedValue, parse_canonical
from verifier.disclosure import (
    DisclosedRecord,
    as_integer,
    as_text,
    disclosed_root,
    read_record,
)
from verifier.errors import MalformedError, RefutedError, UndecidedError
from verifier.trust import TrustedRoot

INVOICE_FORMAT: Final = "yichu-invoice-1"
EXPLANATION_FORMAT: Final = "yichu-eob-1"
MAX_LINES: Final = 5_000

_LINE_AMOUNT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,12})\.[0-9]{4}")


class NotCheckedError(UndecidedError):
    """What this check needs was not given, and the verdict does not depend on it."""


@dataclass(frozen=True, slots=True)
class Case:
    """What one verification looks at. ``ledger`` is None when no node is believed."""

    bundle: Bundle
    trust: TrustedRoot
    ledger: LedgerReader | None


@dataclass(frozen=True, slots=True)
class Version:
    """A decision version as the bundle states it.

    ``number`` is the decision version, ``counter`` that of its lodge, ``paid_fen`` what the
    decision comes to when its event and those before it paid what is stated.
    """

    decided: Decided
    number: int
    counter: int
    paid_fen: int
    is_refusal: bool


def closing_version(bundle: Bundle) -> Version:
    """The version with which the claim was closed."""
    claim, closing = bundle.claim, bundle.claim.closing
    is_refusal = closing.kind == "release"
    return Version(
        bundle.decided, closing.decision_version, claim.counter, closing.amount_fen, is_refusal
    )


def batch_leaf(case: Case) -> BatchLeaf:
    """The batch leaf of the bundle. Raises MalformedError when its fields are none."""
    fields = case.bundle.leaf_fields
    try:
        kind = RecordKind(fields.kind)
    except ValueError as error:
        raise MalformedError("the batch leaf's kind is not one of 1 to 4") from error
    return BatchLeaf(
        institution_code=fields.institution_code,
        kind=kind,
        key_version=fields.key_version,
        invoice_key=fields.invoice_key,
        second_key=fields.second_key,
        fingerprint=fields.fingerprint,
        total_fen=fields.total_fen,
        borne_fen=fields.borne_fen,
    )


def _readable(leaves: Sequence[DisclosedLeaf], check: int) -> DisclosedRecord:
    """The record for a later check: unreadable is that other check's failure, not a second one."""
    try:
        return read_record(leaves)
    except RefutedError as error:
        raise UndecidedError(f"cannot be made since check {check} fails") from error


def _invoice(case: Case) -> DisclosedRecord:
    return _readable(case.bundle.invoice_leaves, 2)


def _decision(decided: Decided) -> DisclosedRecord:
    return _readable(decided.leaves, 8)


def check_bundle(case: Case) -> None:
    """1. That there is a case at all shows that the bundle was parsed."""


def check_bill_fingerprint(case: Case) -> None:
    """2. The leaves are those of a record and lead to the stated fingerprint."""
    read_record(case.bundle.invoice_leaves)
    _compare_root(case.bundle.invoice_leaves, case.bundle.leaf_fields.fingerprint)


def _compare_root(leaves: Sequence[DisclosedLeaf], expected: bytes) -> None:
    computed = disclosed_root(leaves)
    if computed != expected:
        raise RefutedError(
            "the leaves lead to another fingerprint",
            expected=expected.hex(),
            actual=computed.hex(),
        )


def check_disclosure(case: Case) -> None:
    """3. What every check after this one reads is open and of its type."""
    record = _invoice(case)
    if record.text("format") != INVOICE_FORMAT:
        raise RefutedError("the record is not an invoice of format 1")
    record.text("institution_code")
    record.text("invoice_number")
    record.optional_text("invoice_code")
    record.optional_text("settlement_number")
    for name in ("total_fen", "fund_pay_fen", "other_pay_fen"):
        if abs(record.integer(name)) > MAX_FEN:
            raise RefutedError(f"{name} is beyond 2^40 - 1")
    lines = record.array("lines")
    if len(lines) > MAX_LINES:
        raise RefutedError("the bill has too many lines", expected=MAX_LINES, actual=len(lines))


def check_batch_leaf(case: Case) -> None:
    """4. Institution, amounts and kind of the batch leaf are those of the committed header."""
    leaf, record = batch_leaf(case), _invoice(case)
    _equal("institution code", record.text("institution_code"), leaf.institution_code)
    total = record.integer("total_fen")
    if total < 0:
        _equal("kind of a red bill", RecordKind.RED, leaf.kind)
        raise RefutedError("a red bill cannot be claimed")
    _equal("total in fen", total, leaf.total_fen)
    funds = record.integer("fund_pay_fen")
    _equal("already borne in fen", funds + record.integer("other_pay_fen"), leaf.borne_fen)
    settled = funds > 0 or record.optional_text("settlement_number") != ""
    kind = RecordKind.SETTLED if settled else RecordKind.CLAIMABLE
    _equal("kind", kind, leaf.kind)
    if kind is RecordKind.CLAIMABLE and record.hidden:
        raise UndecidedError("a member is hidden, so that no settlement number is not shown")


def check_invoice_key(case: Case) -> None:
    """5. The invoice key is that of the bill's own number under the network key."""
    key = case.trust.network_key
    if key is None:
        raise NotCheckedError("the trust file holds no network key")
    if case.bundle.leaf_fields.key_version != case.trust.network_key_version:
        raise NotCheckedError("the trust file holds the network key of another version")
    record = _invoice(case)
    code, number = record.optional_text("invoice_code"), record.text("invoice_number")
    computed = invoice_key.compute_invoice_key(key, code, number)
    if computed != case.bundle.leaf_fields.invoice_key:
        raise RefutedError("the invoice key is not that of the bill's number")


def check_inclusion(case: Case) -> None:
    """6. The batch leaf is in the batch, at its index."""
    batch = case.bundle.batch
    merkle.verify_inclusion(
        batch_leaf(case).hash(), batch.leaf_index, batch.size, batch.proof, batch.root
    )


def computed_head(case: Case) -> bytes:
    """The head that the stated batch has. Raises MalformedError for numbers out of range."""
    batch = case.bundle.batch
    return batch_head(
        batch.institution_number, batch.sequence, batch.previous_head, batch.root, batch.size
    )


def check_batch_head(case: Case) -> None:
    """7. The batch's numbers are in range and give a head."""
    computed_head(case)


def check_decision_fingerprint(case: Case) -> None:
    """8. The decision's leaves, all open, are those of a record and lead to its fingerprint."""
    verify_fingerprint(case.bundle.decided)


def verify_fingerprint(decided: Decided) -> None:
    record = read_record(decided.leaves)
    if any(leaf.is_hidden for leaf in decided.leaves):
        raise RefutedError("a leaf of the decision is hidden", actual=record.size)
    _compare_root(decided.leaves, decided.fingerprint)


def check_decision_and_bill(case: Case) -> None:
    """9. The decision speaks of this bill, this claim and this policy, and of what was paid."""
    version = closing_version(case.bundle)
    verify_decision(case, version, "amount of the closing in fen")
    outcome = _decision(version.decided).text("outcome")
    if outcome == "refused" and version.paid_fen != 0:
        raise RefutedError("a refusal pays nothing", expected=0, actual=version.paid_fen)


def verify_decision(case: Case, version: Version, amount_name: str) -> None:
    """Whether the decision is of this bill and claim, and comes to what its event says."""
    record = _decision(version.decided)
    _equal("format of the decision", EXPLANATION_FORMAT, record.text("format"))
    fingerprint = case.bundle.leaf_fields.fingerprint.hex()
    _equal("bill of the decision", fingerprint, record.text("invoice_fingerprint"))
    payer = case.bundle.claim.payer_number
    _equal("payer of the decision", payer, record.integer("payer_number"))
    _equal("lodge counter of the decision", version.counter, record.integer("lodge_counter"))
    _equal("decision version", version.number, record.integer("decision_version"))
    policy_hash = version.decided.policy_hash.hex()
    _equal("policy of the decision", policy_hash, record.text("policy_hash"))
    _equal(amount_name, record.integer("paid_fen"), version.paid_fen)
    outcome = record.text("outcome")
    if outcome not in ("approved", "partial", "refused"):
        raise RefutedError("the decision has an unknown outcome")
    if (outcome == "refused") != version.is_refusal:
        raise RefutedError("a refusal is released and everything else is settled")


def check_policy_pack(case: Case) -> None:
    """10. The policy pack is canonical and has the stated hash."""
    verify_policy(case.bundle.decided)


def verify_policy(decided: Decided) -> None:
    data = decided.policy_text.encode("utf-8")
    parse_canonical(data, require_canonical=True)
    computed = hashlib.sha256(data).digest()
    if computed != decided.policy_hash:
        raise RefutedError(
            "the policy pack has another hash",
            expected=decided.policy_hash.hex(),
            actual=computed.hex(),
        )


def check_line_balance(case: Case) -> None:
    """11. Every fen of every line is paid or explained, and the lines are those of the bill."""
    verify_balance(case, case.bundle.decided)


def verify_balance(case: Case, decided: Decided) -> None:
    record, decision = _invoice(case), _decision(decided)
    bill_lines, lines = record.array("lines"), decision.array("lines")
    _equal("number of lines", len(bill_lines), len(lines))
    submitted = paid = 0
    for index, line in enumerate(lines):
        line_submitted, line_paid = _balanced_line(line, index)
        submitted += line_submitted
        paid += line_paid
    _equal("sum of the lines' submitted fen", decision.integer("submitted_fen"), submitted)
    _equal("submitted fen of the decision", record.integer("total_fen"), submitted)
    _equal("sum of the lines' paid fen", decision.integer("paid_fen"), paid)
    borne = record.integer("fund_pay_fen") + record.integer("other_pay_fen")
    if paid + borne > submitted:
        raise RefutedError("more is paid than was left of the bill", expected=submitted - borne)
    for index, bill_line in enumerate(bill_lines):
        if bill_line is None:
            raise UndecidedError(f"line {index} of the bill is hidden")
        _compare_amount(bill_line, lines[index], index)


def _member(value: ParsedValue | None, name: str, where: str) -> ParsedValue:
    if not isinstance(value, dict) or name not in value:
        raise RefutedError(f"{where} lacks {name}")
    return value[name]


def _balanced_line(line: ParsedValue | None, index: int) -> tuple[int, int]:
    where = f"line {index} of the decision"

    def fen(name: str) -> int:
        return as_integer(_member(line, name, where), f"{where}: {name}")

    _equal(f"{where}: index", index, fen("index"))
    submitted, paid = fen("submitted_fen"), fen("paid_fen")
    if submitted < 0 or paid < 0:
        raise RefutedError(f"{where} has a negative amount")
    adjustments = _member(line, "adjustments", where)
    if not isinstance(adjustments, list):
        raise RefutedError(f"{where}: adjustments is not an array")
    explained = 0
    for adjustment in adjustments:
        for name in ("group", "code", "rule_id", "basis_zh", "basis_en"):
            if as_text(_member(adjustment, name, where), f"{where}: {name}").strip() == "":
                raise RefutedError(f"{where} has an adjustment without {name}")
        explained += as_integer(_member(adjustment, "amount_fen", where), f"{where}: amount_fen")
    if submitted != paid + explained:
        raise RefutedError(f"{where} does not balance", expected=submitted, actual=paid + explained)
    return submitted, paid


def _compare_amount(bill_line: ParsedValue, line: ParsedValue | None, index: int) -> None:
    where = f"line {index} of the bill"
    text = as_text(_member(bill_line, "amount", where), f"{where}: amount")
    if not _LINE_AMOUNT.fullmatch(text):
        raise RefutedError(f"{where}: amount is no decimal with four places")
    # Yuan with four places are hundredths of a fen.
    exact = int(text.replace(".", ""))
    submitted = as_integer(_member(line, "submitted_fen", where), f"{where}: submitted_fen")
    if abs(100 * submitted - exact) >= 100:
        raise RefutedError(f"{where} differs from the decision by a fen or more")


def _equal(what: str, expected: str | int, actual: str | int) -> None:
    if expected != actual:
        raise RefutedError(f"{what} differs", expected=expected, actual=actual)
