"""The four stages (requirement R17) as functions of what is stored and what the ledger says.

Nothing here writes. Screening recomputes the fingerprint from the stored header, lines and
secret, rebuilds the batch leaf, the proof and the root from the stored leaves, and compares with
the batch head that the ledger gave in this very step (design: ledger protocol 5.2).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from backend.domain.bill import occurred_on
from backend.domain.claim import Stage, StageOutcome
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.invoice import Invoice
from backend.domain.ledger import SlotState
from backend.domain.person import PersonSnapshot
from backend.service_layer.claims.claimable import DISPUTED, reason_not_offered
from backend.service_layer.claims.records import (
    MISMATCH,
    Person,
    Reason,
    StageResult,
    StoredBill,
    StoredLeaf,
)
from verifier.commitment import merkle
from verifier.commitment.batch import BatchLeaf, RecordKind, batch_head
from verifier.commitment.fingerprint import compute_fingerprint
from verifier.commitment.invoice_key import compute_invoice_key
from verifier.errors import VerificationError


@dataclass(frozen=True, slots=True)
class LedgerReading:
    """What the ledger said in this step."""

    batch_head: bytes
    slot: SlotState
    block_number: int


@dataclass(frozen=True, slots=True)
class OwnLock:
    """The claim that we have lodged; before lodging there is none."""

    payer_number: int
    counter: int | None


def data_flow(bill: StoredBill, is_batched: bool, is_final: bool) -> StageResult:
    """数据流转: the bill is here, and its batch is final on the ledger."""
    inputs: dict[str, Any] = {
        "version": bill.version,
        "lines": bill.line_count,
        "uploaded_at": bill.uploaded_at.isoformat(),
        "anchored": "final" if is_final else "sent" if is_batched else "no",
    }
    if is_final:
        return StageResult(Stage.DATA_FLOW, StageOutcome.PASSED, inputs)
    by_whom = "经办机构已审核" if bill.is_outside else "医院已上传"
    reason = Reason(
        "not-anchored-yet",
        f"{by_whom}，正在上链盖戳；盖戳后自动继续",
        "uploaded and being anchored; goes on by itself afterwards",
    )
    return StageResult(
        Stage.DATA_FLOW, StageOutcome.WAITING, inputs, (reason,), waiting_for="anchor"
    )


def ledger_silent(stage: Stage) -> StageResult:
    reason = Reason(
        "ledger-unavailable",
        "账本暂时连不上；申请已受理，恢复后自动继续",
        "the ledger does not answer; the claim is kept and goes on by itself",
    )
    return StageResult(stage, StageOutcome.WAITING, {}, (reason,), waiting_for="ledger")


def recompute_leaf(
    bill: StoredBill, record: dict[str, Any], secret: bytes, network_key: bytes
) -> bytes:
    """The batch leaf that the stored bill gives now. Raises :class:`VerificationError`, or
    ``DomainError`` when the stored record is no invoice record."""
    invoice = Invoice.from_record(record)
    second = bytes(32)
    if invoice.second_number:
        second = compute_invoice_key(network_key, invoice.second_number_code, invoice.second_number)
    kind = RecordKind.CLAIMABLE
    if invoice.is_red:
        kind = RecordKind.RED
    elif invoice.is_settled_online:
        kind = RecordKind.SETTLED
    return BatchLeaf(
        institution_code=invoice.institution_code,
        kind=kind,
        key_version=bill.key_version,
        invoice_key=compute_invoice_key(network_key, invoice.invoice_code, invoice.invoice_number),
        second_key=second,
        fingerprint=compute_fingerprint(record, secret),
        total_fen=0 if invoice.is_red else invoice.total_fen,
        borne_fen=invoice.borne_fen,
    ).encode()


def commitment_faults(
    bill: StoredBill,
    leaf_now: bytes,
    stored: StoredLeaf,
    head_on_ledger: bytes,
) -> list[str]:
    """Where the chain from stored bill to ledger breaks; empty when it holds."""
    faults = []
    decoded = BatchLeaf.decode(leaf_now)
    if decoded.fingerprint != bill.fingerprint:
        faults.append("fingerprint")
    # A red bill's leaf says 0: its signed amounts are inside the fingerprint.
    total_fen = 0 if decoded.kind is RecordKind.RED else bill.total_fen
    if (decoded.total_fen, decoded.borne_fen) != (total_fen, bill.borne_fen):
        faults.append("amount")
    if decoded.invoice_key != bill.invoice_key:
        faults.append("invoice-key")
    if len(stored.leaves) != stored.size or leaf_now != stored.leaves[stored.leaf_index]:
        faults.append("leaf")
        return faults
    hashes = [merkle.leaf_hash(leaf) for leaf in stored.leaves]
    root = merkle.root_hash(hashes)
    proof = merkle.inclusion_proof(hashes, stored.leaf_index)
    try:
        merkle.verify_inclusion(
            merkle.leaf_hash(leaf_now), stored.leaf_index, stored.size, proof, root
        )
        head = batch_head(
            stored.institution_number, stored.sequence, stored.previous_head, root, stored.size
        )
    except VerificationError:
        return [*faults, "proof"]
    if head != head_on_ledger:
        faults.append("batch-head")
    return faults


def slot_reason(  # noqa: PLR0911 - one return a rule, in the order of the contract
    reading: LedgerReading, reference: int, own: OwnLock, holder_text: str
) -> Reason | None:
    """Why the invoice's slot forbids going on, or None. ``holder_text`` names the holder."""
    slot = reading.slot
    holds_own = (
        own.counter is not None
        and slot.open_payer == own.payer_number
        and slot.lodge_counter == own.counter
    )
    if slot.flags & SlotState.VOID:
        return Reason("void", "账本显示这张票据已作废", "the ledger says that the bill is void")
    if slot.flags & SlotState.REVERSED:
        return Reason("reversed", "账本显示这张票据已冲红", "the ledger says it is reversed")
    if slot.flags & (SlotState.ON_PAPER | SlotState.ALIAS):
        return Reason(
            "on-paper",
            "这张票据已换开纸质票或有另一个号码",
            "it is on paper or under another number",
        )
    if slot.has_settled(own.payer_number):
        return Reason(
            "already-settled",
            f"账本显示这张票据已经报销过{holder_text}",
            f"the ledger says that this bill was reimbursed before{holder_text}",
            holder=holder_text,
        )
    if slot.open_payer and not holds_own:
        return Reason(
            "locked",
            f"这张票据正由另一笔申请办理{holder_text}，同一张票只能报一次",
            f"another claim holds this bill{holder_text}; a bill is paid once",
            holder=holder_text,
        )
    if slot.leaf_reference and slot.leaf_reference != reference:
        return Reason(
            "bound-elsewhere",
            "账本上这个号码对应另一份票据",
            "on the ledger this number belongs to another document",
        )
    return None


def standing(bill: StoredBill) -> Reason | None:
    """Why the bill as it is stored now must not go on to the ledger, or None."""
    reason = reason_not_offered(bill)
    if reason is None and not bill.is_current:
        reason = Reason(
            "corrected",
            "医院更正了这张票据，请按更正后的票据重新申请",
            "the hospital has corrected this bill; claim the corrected one",
        )
    return reason


def stopped(reason: Reason, inputs: dict[str, Any]) -> StageResult:
    """Refused for the reason; a dispute only waits, else whoever squats a number kills the
    genuine claim (design: ledger protocol 2)."""
    if reason.code == DISPUTED:
        return StageResult(
            Stage.SCREENING, StageOutcome.WAITING, inputs, (reason,), waiting_for="dispute"
        )
    return StageResult(Stage.SCREENING, StageOutcome.REFUSED, inputs, (reason,))


def screening(
    bill: StoredBill,
    faults: list[str],
    reading: LedgerReading,
    *,
    reference: int,
    own: OwnLock,
    holder_text: str,
) -> StageResult:
    """精准筛查: claimable, not void, not claimed, and equal to what the ledger holds."""
    inputs: dict[str, Any] = {
        "block": reading.block_number,
        "batch_head": reading.batch_head.hex(),
        "fingerprint": bill.fingerprint.hex(),
        "slot_counter": reading.slot.lodge_counter,
        "slot_open_payer": reading.slot.open_payer,
        "slot_flags": reading.slot.flags,
    }
    if faults:
        inputs["faults"] = faults
        reason = Reason(
            MISMATCH,
            "存储的票据与账本上的指纹对不上，已停止办理并报警；请拨打电话，不会影响您的其他票据",
            "the stored bill does not match its fingerprint on the ledger; stopped, alarm raised",
        )
        return StageResult(Stage.SCREENING, StageOutcome.REFUSED, inputs, (reason,))
    # A dispute comes first: whatever the slot says meanwhile may be the squatter's doing.
    reason_now = standing(bill) or slot_reason(reading, reference, own, holder_text)
    if reason_now is not None:
        return stopped(reason_now, inputs)
    return StageResult(Stage.SCREENING, StageOutcome.PASSED, inputs)


class CoverOfCare(StrEnum):
    """Whether the person was insured while the care of a bill was given."""

    ALL = "all"
    PART = "part"  # a stay over the edge of a period: the lines outside are not paid
    UNCLEAR = "unclear"  # such a stay with lines that do not say their day
    NONE = "none"


def cover_of_care(snapshot: PersonSnapshot, invoice: Invoice) -> CoverOfCare:
    """The cover on the days of the bill: those of its lines, and for lines without one every day
    from admission to discharge, or the day of the visit."""
    days = [occurred_on(line.occurred_at) for line in invoice.lines]
    known = {day for day in days if day is not None}
    covered = {day for day in known if snapshot.is_covered_on(day)}
    if None not in days:
        return CoverOfCare.ALL if covered == known else _part(bool(covered))
    last = invoice.service_on
    first = min(invoice.admitted_on or last, last)
    span = [first + dt.timedelta(days=count) for count in range((last - first).days + 1)]
    in_span = sum(snapshot.is_covered_on(day) for day in span)
    if in_span == len(span):
        return CoverOfCare.ALL if covered == known else CoverOfCare.PART
    return CoverOfCare.UNCLEAR if in_span else _part(bool(covered))


def _part(is_some_covered: bool) -> CoverOfCare:
    return CoverOfCare.PART if is_some_covered else CoverOfCare.NONE


def _not_covered(service_on: dt.date) -> Reason:
    day = service_on.isoformat()
    return Reason(
        "not-covered",
        f"{day} 您不在参保期内，这张票据不能报销。参保信息有误的，请先到参保地经办机构更正，"
        "更正后这笔申请按原受理号自动重新办理；有异议的，可以在这笔申请的页面申请复核",
        f"you were not insured on {day}. If the register is wrong, have it corrected at the "
        "agency: the claim then goes on by itself under its number; if you disagree, appeal on "
        "this claim's page",
    )


def matching(
    person: Person,
    invoice: Invoice,
    service_on: dt.date,
    *,
    insurance_type: str,
    cover: CoverOfCare,
    policy_id: str,
    unknown_lines: list[tuple[int, str, str]],
    too_late: Reason | None = None,
) -> StageResult:
    """自动匹配: person, cover, policy, catalogue codes. Doubts go to a person; only missing
    cover and a claim past its limit (``too_late``) refuse. ``unknown_lines`` are (index, code,
    name)."""
    inputs: dict[str, Any] = {
        "service_on": service_on.isoformat(),
        "policy": policy_id,
        "insurance_type": insurance_type,
        "unknown_codes": len(unknown_lines),
    }
    if cover is CoverOfCare.NONE:
        reason = _not_covered(service_on)
        return StageResult(Stage.MATCHING, StageOutcome.REFUSED, inputs, (reason,))
    if too_late is not None:
        return StageResult(Stage.MATCHING, StageOutcome.REFUSED, inputs, (too_late,))
    reasons = []
    if cover is CoverOfCare.UNCLEAR:
        reasons.append(
            Reason(
                "cover-unclear",
                "住院期间您的参保状态有变化，有的费用没有写明日期，需要人工核对",
                "your cover changed during the stay and some lines have no day; a person checks",
            )
        )
    if invoice.payer_name.strip() != person.name.strip():
        reasons.append(
            Reason(
                "name-mismatch",
                "票据上的姓名和您的姓名不一样，需要人工核对",
                "the name on the bill is not yours; a person will check",
            )
        )
    for index, code, name in unknown_lines:
        reasons.append(
            Reason(
                "unknown-code",
                f"第 {index + 1} 行“{name}”的编码 {code or '（空）'} 不在目录里，需要人工核对",
                f"line {index + 1}: code {code or '(none)'} is not in the catalogue",
                line_index=index,
            )
        )
    outcome = StageOutcome.PENDED if reasons else StageOutcome.PASSED
    return StageResult(Stage.MATCHING, outcome, inputs, tuple(reasons))


def audit(eob: ExplanationOfBenefits, already: set[tuple[str, int | None]]) -> StageResult:
    """智能审核: rules route, they do not refuse. ``already`` are reasons raised in matching."""
    inputs: dict[str, Any] = {
        "policy_hash": eob.policy_hash.hex(),
        "submitted_fen": eob.submitted_fen,
        "paid_fen": eob.paid_fen,
        "borne_fen": eob.borne_fen,
    }
    reasons = []
    for pend in eob.pend_reasons:
        index = pend.line_index if pend.line_index >= 0 else None
        if (pend.code, index) not in already:
            reasons.append(Reason(pend.code, pend.zh, pend.en, line_index=index))
    outcome = StageOutcome.PENDED if reasons else StageOutcome.PASSED
    return StageResult(Stage.AUDIT, outcome, inputs, tuple(reasons))
