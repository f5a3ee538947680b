"""Bills of one seed and day: outpatient and inpatient, half XML and half JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backend.domain.catalogue import Catalogue
from backend.domain.invoice import ExpenseLine, Invoice
from scripts.sample_data.citizens import Citizen
from scripts.sample_data.draw import Draw
from scripts.sample_data.expense_lines import PriceList, draw_lines, fee_items, price_list
from scripts.sample_data.hospitals import Hospital

LONG_BILL_LINES: Final = 1_050
DAYS_BACK: Final = 120
_DEPARTMENTS: Final = ("内科", "外科", "骨科", "儿科", "妇科", "中医科", "眼科", "康复科")


@dataclass(frozen=True, slots=True)
class SampleBill:
    """A bill and how its hospital sends it. ``wire`` is ``xml`` or ``json``."""

    hospital: Hospital
    citizen: Citizen
    wire: str
    invoice: Invoice


@dataclass(frozen=True, slots=True)
class BillShape:
    """The variable part of a bill's face."""

    issued_on: dt.date
    serial: int
    inpatient: bool = False
    stay_days: int = 0
    department: str = "内科"
    time: str = "10:30:00"
    check_code: str = "135790"


def bill_of(
    hospital: Hospital, citizen: Citizen, shape: BillShape, lines: tuple[ExpenseLine, ...]
) -> Invoice:
    """A self-paid bill: everything in cash, nothing borne by anyone else."""
    items = fee_items(lines)
    total = sum(item.amount_fen for item in items)
    day = shape.issued_on
    admitted = day - dt.timedelta(days=shape.stay_days)
    kind = "02" if shape.inpatient else "01"
    word = "住院" if shape.inpatient else "门诊"
    return Invoice(
        institution_code=hospital.code,
        institution_name=hospital.name,
        invoice_code=f"3306{kind}{day.year % 100:02d}",
        invoice_number=f"{hospital.index:03d}{shape.serial:07d}",
        invoice_name=f"浙江省医疗{word}收费票据（电子）",
        total_fen=total,
        own_pay_fen=total,
        issued_on=day,
        issued_time=shape.time,
        check_code=shape.check_code,
        area_code=hospital.area_code,
        payer_type="1",
        payer_id=citizen.identity_number,
        payer_name=citizen.name,
        insurance_type="自费",
        institution_type=hospital.kind,
        gender=citizen.gender,
        age=str(citizen.age_on(day)),
        department=shape.department,
        business_number=f"{'ZY' if shape.inpatient else 'MZ'}{day:%Y%m%d}{shape.serial:07d}",
        patient_number="" if shape.inpatient else f"MZ{shape.serial:07d}",
        hospitalization_number=f"ZY{shape.serial:07d}" if shape.inpatient else "",
        hospital_days=str(shape.stay_days) if shape.inpatient else "",
        visit_on=None if shape.inpatient else day,
        admitted_on=admitted if shape.inpatient else None,
        discharged_on=day if shape.inpatient else None,
        cashier="收费员01",
        checker="复核员01",
        items=items,
        lines=lines,
    )


def line_counts(seed: int, bills: int, lines: int) -> list[int]:
    """Lines of each bill: outpatient 8 to 42, every fifth an inpatient stay, one over 1,000.

    The sum is ``lines`` exactly; the stays take the difference.
    """
    draw = Draw(seed, "line-counts")
    counts = [0] * bills
    stays = [index for index in range(bills) if _is_stay(index)]
    for index in range(bills):
        counts[index] = 0 if _is_stay(index) else draw.between(8, 42)
    left = lines - sum(counts)
    if len(stays) > 1 and left > 2 * LONG_BILL_LINES:
        counts[stays[0]] = LONG_BILL_LINES
        left -= LONG_BILL_LINES
        stays = stays[1:]
    weights = [draw.between(40, 160) for _ in stays]
    whole = sum(weights)
    for index, weight in zip(stays, weights, strict=True):
        counts[index] = left * weight // whole
    if stays:
        counts[stays[-1]] += left - sum(counts[index] for index in stays)
    return counts


def _is_stay(index: int) -> bool:
    return index % 5 == 4


def bulk_bills(
    *,
    seed: int,
    as_of: dt.date,
    hospitals: Sequence[Hospital],
    citizens: Sequence[Citizen],
    catalogue: Catalogue,
    bills: int,
    lines: int,
) -> Iterator[SampleBill]:
    """The bills that nothing is planted in, one after the other, in constant memory.

    Serial numbers start at 1,000 so that planted bills keep the low ones.
    """
    prices = price_list(catalogue, as_of)
    for index, count in enumerate(line_counts(seed, bills, lines)):
        draw = Draw(seed, f"bill/{index}")
        hospital, citizen = draw.one_of(hospitals), draw.one_of(citizens)
        latest = min(as_of, hospital.agreement_until)
        yield _bulk_bill(draw, hospital, citizen, prices, latest=latest, index=index, count=count)


def _bulk_bill(
    draw: Draw,
    hospital: Hospital,
    citizen: Citizen,
    prices: PriceList,
    *,
    latest: dt.date,
    index: int,
    count: int,
) -> SampleBill:
    inpatient = _is_stay(index)
    day = latest - dt.timedelta(days=draw.between(1, DAYS_BACK))
    stay = draw.between(2, 14) if inpatient else 0
    days = _stay_days(day, stay) if inpatient else ()
    shape = BillShape(
        issued_on=day,
        serial=1_000 + index,
        inpatient=inpatient,
        stay_days=stay,
        department=draw.one_of(_DEPARTMENTS),
        time=f"{draw.between(8, 17):02d}:{draw.below(60):02d}:{draw.below(60):02d}",
        check_code=f"{draw.below(1_000_000):06d}",
    )
    lines = draw_lines(draw, prices.inpatient if inpatient else prices.outpatient, count, days)
    invoice = bill_of(hospital, citizen, shape, lines)
    wire = "json" if index % 2 else "xml"
    return SampleBill(hospital, citizen, wire, invoice)


def _stay_days(discharged: dt.date, stay: int) -> tuple[str, ...]:
    first = discharged - dt.timedelta(days=stay)
    return tuple((first + dt.timedelta(days=n)).isoformat() for n in range(stay + 1))
