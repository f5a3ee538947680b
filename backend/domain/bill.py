"""What adjudication needs to know of a bill: amounts, codes, dates, place of care; no names.

Kept apart from :class:`backend.domain.invoice.Invoice` so that a policy pack can be tried on
anything that has lines, and so that nothing else of the bill can influence an amount.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from backend.domain.errors import DomainError
from backend.domain.invoice import MAX_LINES, Invoice, VisitKind
from backend.domain.money import FEN_MAX

LOCAL_CARE = "local"
"""Remote status of care inside the insured area; every other value is named by the pack."""


CHRONIC_MEDICAL_TYPE: Final = "14"
"""门诊慢特病 in the national code list, with local codes below it (140104, 140201)."""


class BillError(DomainError):
    """A bill that no benefit can be worked out for; the message says which rule it breaks."""

    code = "not-adjudicable"


@dataclass(frozen=True, slots=True)
class BenefitLine:
    """One expense line. ``index`` starts at 0 and is its place in the invoice record."""

    index: int
    catalogue_code: str
    name: str
    level: str
    """收费项目等级 as the hospital printed it: 01 甲, 02 乙, 03 丙, or empty."""
    quantity_e4: int
    price_e6: int
    amount_e4: int
    approval_flag: str = ""
    """hosp_appr_flag: on a restricted item 0 or 2 self-paid, 1 payable; elsewhere 2 self-paid."""
    occurred_on: dt.date | None = None


@dataclass(frozen=True, slots=True)
class BillForBenefit:
    """A claimable bill. ``total_fen`` is its face, ``borne_fen`` what other payers bore of it.

    ``visit_date`` dates policy and year: the day of discharge of a stay (a stay over New Year
    belongs to the year in which it ends), else the day of the visit.
    """

    invoice_key: bytes
    total_fen: int
    visit_date: dt.date
    visit_kind: VisitKind
    hospital_code: str
    hospital_level: int
    lines: tuple[BenefitLine, ...]
    remote_status: str = LOCAL_CARE
    borne_fen: int = 0
    admitted_on: dt.date | None = None
    discharged_on: dt.date | None = None
    stay_number: str = ""
    diagnosis_code: str = ""
    """ICD code of the main diagnosis, empty where the bill names none."""
    medical_type: str = ""
    """医疗类别 as the bill gives it, empty where it gives none."""

    @property
    def says_chronic(self) -> bool | None:
        """Whether the bill is one for a chronic disease; None where it does not say."""
        if self.visit_kind is VisitKind.OUTPATIENT_CHRONIC:
            return True
        if not self.medical_type:
            return None
        return self.medical_type.startswith(CHRONIC_MEDICAL_TYPE)

    def __post_init__(self) -> None:
        if not 0 <= self.total_fen <= FEN_MAX or not 0 <= self.borne_fen <= self.total_fen:
            raise BillError(
                "票据总额或其他方已支付金额超出范围，红票不能报销。",
                "The total, or what others bore, is out of range; a red bill is not claimable.",
            )
        if self.hospital_level not in (1, 2, 3):
            raise BillError("医院等级应为 1、2 或 3。", "The hospital level is 1, 2 or 3.")
        if len(self.lines) > MAX_LINES:
            raise BillError(f"明细超过 {MAX_LINES} 行。", f"There are more than {MAX_LINES} lines.")
        if self.total_fen > 0 and not self.lines:
            raise BillError("票据没有明细。", "The bill has no expense lines.")
        if self.admitted_on and self.discharged_on and self.discharged_on < self.admitted_on:
            raise BillError("出院日期早于入院日期。", "The discharge is before the admission.")


def occurred_on(text: str) -> dt.date | None:
    """The day of a line's time stamp; hospitals send several spellings, some none at all."""
    try:
        return dt.date.fromisoformat(text[:10] if "-" in text else text[:8])
    except ValueError:
        return None


def bill_from_invoice(
    invoice: Invoice,
    *,
    invoice_key: bytes,
    hospital_level: int,
    remote_status: str = LOCAL_CARE,
    visit_kind: VisitKind | None = None,
) -> BillForBenefit:
    """The benefit view of an invoice. Raises :class:`BillError` on a red or settled bill.

    ``hospital_level`` comes from the register of institutions, never from the bill: vendors
    fill that field with other things (domain reference, section 7).
    """
    if invoice.is_red:
        raise BillError("红票不能报销。", "A red bill is not claimable.")
    if invoice.is_settled_online:
        raise BillError(
            "这张票据已由基本医保联网结算，不能再报。",
            "Basic insurance has already settled this bill online.",
        )
    return BillForBenefit(
        invoice_key=invoice_key,
        total_fen=invoice.total_fen,
        visit_date=invoice.service_on,
        visit_kind=visit_kind or invoice.visit_kind,
        hospital_code=invoice.hospital_code,
        hospital_level=hospital_level,
        lines=tuple(
            BenefitLine(
                index=index,
                catalogue_code=line.catalogue_code,
                name=line.name,
                level=line.level,
                quantity_e4=line.quantity_e4,
                price_e6=line.price_e6,
                amount_e4=line.amount_e4,
                approval_flag=line.approval_flag,
                occurred_on=occurred_on(line.occurred_at),
            )
            for index, line in enumerate(invoice.lines)
        ),
        remote_status=remote_status,
        borne_fen=invoice.borne_fen,
        admitted_on=invoice.admitted_on,
        discharged_on=invoice.discharged_on,
        stay_number=invoice.hospitalization_number,
        diagnosis_code=invoice.diagnosis_code,
        medical_type=invoice.medical_type,
    )
