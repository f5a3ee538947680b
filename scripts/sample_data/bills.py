"""Bills of one seed and day: outpatient and inpatient, half XML and half JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from backend.domain.catalogue import Catalogue
from backend.domain.cause import CauseGroup
from backend.domain.invoice import ExpenseLine, Invoice
from scripts.sample_data.causes import CausePlan, Flaw, drawn_flaw, with_cause, with_flaw
from scripts.sample_data.citizens import Citizen
from scripts.sample_data.draw import Draw
from scripts.sample_data.expense_lines import PriceList, draw_lines, fee_items, price_list
from scripts.sample_data.hospitals import Hospital
from scripts.sample_data.plausible import suits

LONG_BILL_LINES: Final = 1_050
DAYS_BACK: Final = 120
_SLOTS: Final = 3
_SLOT_DAYS: Final = DAYS_BACK // _SLOTS
_SLOT_PLAY: Final = 10
_STAY_MAX: Final = 14
_OUTPATIENT_LINES: Final = (20, 30)
_DIAGNOSES: Final = {
    "内科": (
        ("I10.x00", "原发性高血压"),
        ("E11.900", "2型糖尿病"),
        ("J06.900", "急性上呼吸道感染"),
    ),
    "外科": (("K29.500", "慢性胃炎"), ("L02.900", "皮肤脓肿")),
    "骨科": (("M54.500", "下背痛"), ("M17.900", "膝骨关节炎")),
    "中医科": (("J06.900", "急性上呼吸道感染"), ("M54.500", "下背痛")),
    "眼科": (("H10.900", "结膜炎"), ("H04.100", "干眼症")),
    "康复科": (("M54.500", "下背痛"), ("I69.300", "脑梗死后遗症")),
}
"""Main diagnoses by department; none is an injury, and none belongs to one sex or age."""
_DEPARTMENTS: Final = tuple(_DIAGNOSES)


@dataclass(frozen=True, slots=True)
class SampleBill:
    """A bill and how its hospital sends it. ``wire`` is ``xml`` or ``json``. ``group`` says why it
    was not settled at the counter, ``flaw`` what the audit asks about it; both of drawn bills."""

    hospital: Hospital
    citizen: Citizen
    wire: str
    invoice: Invoice
    group: CauseGroup = CauseGroup.NOT_SWIPED
    flaw: Flaw | None = None


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
    diagnosis: tuple[str, str] = ("", "")
    """Code and name of the main diagnosis, empty for a hospital that does not send it yet."""


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
        diagnosis_code=shape.diagnosis[0],
        diagnosis_name=shape.diagnosis[1],
        medical_type=("21" if shape.inpatient else "11") if shape.diagnosis[0] else "",
        cashier="收费员01",
        checker="复核员01",
        items=items,
        lines=lines,
    )


def line_counts(seed: int, bills: int, lines: int) -> list[int]:
    """Lines of each bill: outpatient 20 to 30, every fifth an inpatient stay, one over 1,000.

    The sum is ``lines`` exactly; the stays take the difference.
    """
    draw = Draw(seed, "line-counts")
    counts = [0] * bills
    stays = [index for index in range(bills) if _is_stay(index)]
    for index in range(bills):
        counts[index] = 0 if _is_stay(index) else draw.between(*_OUTPATIENT_LINES)
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
    calendar = StayCalendar(seed, as_of, hospitals, citizens)
    plan = CausePlan(seed, citizens)
    for index, count in enumerate(line_counts(seed, bills, lines)):
        draw = Draw(seed, f"bill/{index}")
        bill = _bulk_bill(draw, calendar, prices, plan, index=index, count=count)
        flaw = drawn_flaw(seed, index)
        invoice = with_flaw(with_cause(draw, bill.invoice, bill.group), flaw)
        yield replace(bill, invoice=invoice, flaw=flaw)


@dataclass(frozen=True, slots=True)
class Stay:
    """Who is in which hospital from when to when."""

    hospital: Hospital
    citizen: Citizen
    admitted_on: dt.date
    discharged_on: dt.date


class StayCalendar:
    """Stays that do not overlap, and are far enough apart to be no readmission.

    The days before the population's day are cut into slots, and a citizen has one stay in each;
    only when all slots are full (a full population has few citizens) do stays fall together.
    """

    def __init__(
        self,
        seed: int,
        as_of: dt.date,
        hospitals: Sequence[Hospital],
        citizens: Sequence[Citizen],
    ) -> None:
        self._seed = seed
        self.as_of = as_of
        self.hospitals = hospitals
        self.citizens = citizens

    def stay(self, number: int) -> Stay:
        """The ``number``-th stay of the population, from 0."""
        draw = Draw(self._seed, f"stay/{number}")
        people = len(self.citizens)
        slot = number // people % _SLOTS
        ends = self.as_of - dt.timedelta(days=slot * _SLOT_DAYS + draw.between(1, _SLOT_PLAY))
        begins = ends - dt.timedelta(days=draw.between(2, _STAY_MAX))
        open_then = [one for one in self.hospitals if one.agreement_until >= ends]
        return Stay(draw.one_of(open_then), self.citizens[number % people], begins, ends)

    def outpatient_day(self, draw: Draw, place: int, latest: dt.date) -> dt.date:
        """A day on which the citizen at ``place`` is in no hospital."""
        people = len(self.citizens)
        stays = [self.stay(place + slot * people) for slot in range(_SLOTS)]
        while True:
            day = latest - dt.timedelta(days=draw.between(1, DAYS_BACK))
            if not any(one.admitted_on <= day <= one.discharged_on for one in stays):
                return day


def _bulk_bill(
    draw: Draw,
    calendar: StayCalendar,
    prices: PriceList,
    plan: CausePlan,
    *,
    index: int,
    count: int,
) -> SampleBill:
    inpatient = _is_stay(index)
    if inpatient:
        stay = calendar.stay(index // 5)
        hospital, citizen, day = stay.hospital, stay.citizen, stay.discharged_on
        nights = (day - stay.admitted_on).days
        days = _stay_days(day, nights)
        group = plan.of_stay(index, citizen)
    else:
        group = plan.of_visit(index)
        place = draw.below(len(calendar.citizens))
        while not plan.may_have(calendar.citizens[place], group):
            place = draw.below(len(calendar.citizens))
        hospital, citizen = draw.one_of(calendar.hospitals), calendar.citizens[place]
        day = calendar.outpatient_day(draw, place, min(calendar.as_of, hospital.agreement_until))
        nights, days = 0, ()
    department = draw.one_of(_DEPARTMENTS)
    shape = BillShape(
        issued_on=day,
        serial=1_000 + index,
        inpatient=inpatient,
        stay_days=nights,
        department=department,
        time=f"{draw.between(8, 17):02d}:{draw.below(60):02d}:{draw.below(60):02d}",
        check_code=f"{draw.below(1_000_000):06d}",
        diagnosis=draw.one_of(_DIAGNOSES[department]),
    )
    chosen = prices.inpatient if inpatient else prices.outpatient
    lines = draw_lines(draw, chosen, count, days, suits(citizen.age_on(day)))
    wire = "json" if index % 2 else "xml"
    return SampleBill(hospital, citizen, wire, bill_of(hospital, citizen, shape, lines), group)


def _stay_days(discharged: dt.date, stay: int) -> tuple[str, ...]:
    first = discharged - dt.timedelta(days=stay)
    return tuple((first + dt.timedelta(days=n)).isoformat() for n in range(stay + 1))
