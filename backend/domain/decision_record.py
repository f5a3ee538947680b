"""Refusing a claim as a whole, and reading a decision record back (``yichu-eob-1``)."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Final

from backend.domain.catalogue import ALIAS, EQUIVALENT
from backend.domain.explanation import (
    RECORD_FORMAT,
    Adjustment,
    DecisionContext,
    ExplanationError,
    ExplanationOfBenefits,
    Group,
    LineExplanation,
    Outcome,
    Reason,
    SummaryRow,
    verify_balance,
)
from backend.domain.invoice import MAX_LINES, VisitKind
from backend.domain.policy import Fund
from backend.domain.record_reader import Faults, Reader
from backend.domain.ruling import read_rulings
from backend.domain.summary import build_summary
from verifier.commitment.canonical import canonical_bytes
from verifier.errors import VerificationError

_SIGNED: Final = -(2**40)


def refuse(eob: ExplanationOfBenefits, reason: Reason) -> ExplanationOfBenefits:
    """The same bill refused as a whole: nothing is paid and nothing counts in the year's
    totals; ``reason`` is given on every line."""
    lines = tuple(
        LineExplanation(
            index=line.index,
            catalogue_code=line.catalogue_code,
            name=line.name,
            submitted_fen=line.submitted_fen,
            fulamt_ownpay_fen=line.submitted_fen,
            overlmt_fen=0,
            preselfpay_fen=0,
            inscp_fen=0,
            pool_fen=0,
            layer2_fen=0,
            adjustments=(Adjustment(reason, line.submitted_fen),) if line.submitted_fen else (),
        )
        for line in eob.lines
    )
    refused = dataclasses.replace(
        eob,
        fulamt_ownpay_fen=eob.submitted_fen,
        overlmt_fen=0,
        preselfpay_fen=0,
        inscp_fen=0,
        deductible_fen=0,
        pool_paid_fen=0,
        layer2_fund="",
        layer2_base_fen=0,
        layer2_paid_fen=0,
        layer3_paid_fen=0,
        supplement_paid_fen=0,
        outcome=Outcome.REFUSED,
        lines=lines,
        summary=build_summary(
            eob.submitted_fen, 0, [cut for line in lines for cut in line.adjustments]
        ),
        pend_reasons=(),
    )
    verify_balance(refused)
    return refused


def refusal_reason(code: str, zh: str, en: str) -> Reason:
    """The reason of a refusal as a whole: ``code`` is the screening rule that found the fact."""
    return Reason(Group.OTHER, "refused", code, zh, en)


def parse_decision_record(value: object) -> tuple[ExplanationOfBenefits, DecisionContext]:
    """Read a record that :meth:`ExplanationOfBenefits.to_record` made.

    Raises :class:`MalformedDataError` with every fault's path, or :class:`ExplanationError`
    when its amounts do not balance or when it says anything that this version would not write.
    """
    faults = Faults("DECISION RECORD")
    reader = Reader(value, "", faults)
    reader.text("format", choices=(RECORD_FORMAT,))
    context = DecisionContext(
        invoice_fingerprint=reader.sha256("invoice_fingerprint"),
        claim_number=reader.text("claim_number", length_max=64),
        payer_number=reader.integer("payer_number", low=1, high=64),
        lodge_counter=reader.integer("lodge_counter", high=2**16 - 1),
        decision_version=reader.integer("decision_version", low=1, high=2**16 - 1),
    )
    lines = tuple(_line(entry) for entry in reader.children("lines", size_max=MAX_LINES))
    summary = tuple(_row(entry) for entry in reader.children("summary", size_max=50))
    eob = _explanation(reader, lines, summary)
    faults.raise_if_any()
    verify_balance(eob)
    try:
        is_same = canonical_bytes(eob.to_record(context)) == canonical_bytes(value)  # type: ignore[arg-type]
    except VerificationError:
        is_same = False
    if not is_same:
        raise ExplanationError(
            "决定记录含有多余或不一致的内容。", "The decision record says more than its amounts do."
        )
    return eob, context


def _explanation(
    reader: Reader, lines: tuple[LineExplanation, ...], summary: tuple[SummaryRow, ...]
) -> ExplanationOfBenefits:
    kinds = tuple(str(kind) for kind in VisitKind)
    kind = reader.text("visit_kind", choices=kinds)
    outcomes = tuple(str(outcome) for outcome in Outcome)
    outcome = reader.text("outcome", choices=outcomes)
    serious = reader.integer("hifmi_pay_fen")
    large = reader.integer("hifob_pay_fen")
    fund = Fund.EMPLOYEE_LARGE if large else Fund.RESIDENT_SERIOUS if serious else None
    empty: tuple[dt.date | None, dt.date | None] = (
        reader.optional_day("admitted_on"),
        reader.optional_day("discharged_on"),
    )
    return ExplanationOfBenefits(
        policy_id=reader.text("policy_id", length_max=64),
        policy_hash=reader.sha256("policy_hash"),
        person_digest=reader.sha256("person_snapshot"),
        history_digest=reader.sha256("history_snapshot"),
        service_on=reader.day("service_on"),
        visit_kind=VisitKind(kind) if kind in kinds else VisitKind.OUTPATIENT,
        hospital_code=reader.text("hospital_code", length_max=32),
        hospital_level=reader.integer("hospital_level", low=1, high=3),
        remote_status=reader.text("remote_status", length_max=40),
        insurance_type=reader.text("insurance_type", length_max=6),
        person_type=reader.text("person_type", length_max=16),
        submitted_fen=reader.integer("submitted_fen"),
        borne_fen=reader.integer("borne_fen"),
        fulamt_ownpay_fen=reader.integer("fulamt_ownpay_amt_fen"),
        overlmt_fen=reader.integer("overlmt_selfpay_fen"),
        preselfpay_fen=reader.integer("preselfpay_amt_fen"),
        inscp_fen=reader.integer("inscp_scp_amt_fen"),
        deductible_fen=reader.integer("act_pay_dedc_fen"),
        pool_ratio=reader.text("pool_prop_selfpay", length_max=200),
        pool_paid_fen=reader.integer("hifp_pay_fen"),
        layer2_fund="" if fund is None else str(fund),
        layer2_base_fen=reader.integer("layer2_base_fen"),
        layer2_paid_fen=serious + large,
        outcome=Outcome(outcome) if outcome in outcomes else Outcome.REFUSED,
        lines=lines,
        summary=summary,
        admitted_on=empty[0],
        discharged_on=empty[1],
        stay_number=reader.text("stay_number", "", length_max=100),
        layer3_paid_fen=reader.integer("maf_pay_fen"),
        supplement_paid_fen=reader.integer("cvlserv_pay_fen"),
        rulings=read_rulings(reader),
        waiver_id=reader.text("waiver_id", "", length_max=64),
    )


def _line(entry: Reader) -> LineExplanation:
    adjustments = []
    groups = tuple(str(group) for group in Group)
    for cut in entry.children("adjustments", size_max=20):
        group = cut.text("group", choices=groups)
        reason = Reason(
            Group(group) if group in groups else Group.OTHER,
            cut.text("code", length_max=64),
            cut.text("rule_id", length_max=64),
            cut.text("basis_zh"),
            cut.text("basis_en"),
        )
        adjustments.append(Adjustment(reason, cut.integer("amount_fen", low=_SIGNED)))
    return LineExplanation(
        index=entry.integer("index", high=MAX_LINES),
        catalogue_code=entry.text("catalogue_code", length_max=200),
        name=entry.text("name"),
        submitted_fen=entry.integer("submitted_fen"),
        fulamt_ownpay_fen=entry.integer("fulamt_ownpay_fen"),
        overlmt_fen=entry.integer("overlmt_fen"),
        preselfpay_fen=entry.integer("preselfpay_fen"),
        inscp_fen=entry.integer("inscp_fen"),
        pool_fen=entry.integer("pool_fen"),
        layer2_fen=entry.integer("layer2_fen"),
        adjustments=tuple(adjustments),
        layer3_fen=entry.integer("layer3_fen", 0),
        supplement_fen=entry.integer("supplement_fen", 0),
        matched_how=entry.text("matched_how", "", choices=("", ALIAS, EQUIVALENT)),
        matched_code=entry.text("matched_code", "", length_max=50),
    )


def _row(entry: Reader) -> SummaryRow:
    return SummaryRow(
        code=entry.text("code", length_max=64),
        label_zh=entry.text("label_zh"),
        label_en=entry.text("label_en"),
        amount_fen=entry.integer("amount_fen", low=_SIGNED),
        zh=entry.text("basis_zh", length_max=4_000),
        en=entry.text("basis_en", length_max=4_000),
    )
