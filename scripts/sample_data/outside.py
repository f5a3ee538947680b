"""A few bills from outside in the states of their flow: handed in, typed, checked, refused.

Nothing here writes into the database: the bills go through the use cases that the phone pages and
``yichu outside`` call. A load that is repeated meets the same forms and changes nothing.
"""

from __future__ import annotations

import datetime as dt
import io
from typing import Final

from PIL import Image, ImageDraw

from backend.adapters.einvoice.writers import invoice_to_fiscal_xml, invoice_to_json
from backend.bootstrap import Services
from backend.domain.errors import DomainError
from backend.domain.invoice import Invoice
from backend.service_layer.outside.check import Findings, accept_document, refuse_document
from backend.service_layer.outside.records import (
    FileRole,
    HandedIn,
    HospitalFacts,
    OutsideBill,
    OutsideState,
)
from backend.service_layer.outside.transcript import type_bill
from backend.service_layer.outside.upload import hand_in
from scripts.sample_data.bills import BillShape, bill_of
from scripts.sample_data.citizens import Citizen
from scripts.sample_data.expense_lines import Goods, charge
from scripts.sample_data.hospitals import Hospital, last_day_of_one_year
from scripts.sample_data.population import Population

ELSEWHERE: Final = HospitalFacts("SAMPLE310104001", "示例沪上医院（测试）", 3, "310104")
FIRST_CITIZEN: Final = 20
"""The citizen of the first of these bills, counted from 1; the next ones follow."""
_DAYS_BEFORE: Final = 20
_YUAN: Final = 1_000_000
_GOODS: Final = (Goods("01", "03", 1, 260 * _YUAN), Goods("02", "09", 3, 40 * _YUAN))
_PAGE: Final = (900, 1_200)


def load_outside(services: Services, population: Population) -> int:
    """Hand the sample's bills from outside in; returns how many there are."""
    citizens = population.citizens[FIRST_CITIZEN - 1 :]
    steps = (_checking, _typing, _comparing, _accepted, _refused)
    for number, (step, citizen) in enumerate(zip(steps, citizens, strict=False), 1):
        step(services, citizen, sample_invoice(population, citizen, number), number)
    return len(steps)


def _checking(services: Services, citizen: Citizen, invoice: Invoice, number: int) -> None:
    _give(services, citizen, invoice_to_fiscal_xml(invoice, "31"), number)


def _typing(services: Services, citizen: Citizen, invoice: Invoice, number: int) -> None:
    _give(services, citizen, page_of(invoice), number)


def _comparing(services: Services, citizen: Citizen, invoice: Invoice, number: int) -> None:
    bill = _give(services, citizen, page_of(invoice), number)
    if bill.state is OutsideState.TYPING:
        type_bill(services, bill.id, invoice_to_json(invoice), "clerk01")


def _accepted(services: Services, citizen: Citizen, invoice: Invoice, number: int) -> None:
    bill = _give(services, citizen, invoice_to_fiscal_xml(invoice, "31"), number)
    if bill.state is OutsideState.CHECKING:
        accept_document(
            services,
            bill.id,
            by="reviewer01",
            hospital=ELSEWHERE,
            findings=Findings(is_authentic=True, lines_agree=True),
            reason="示例：查验平台一致，明细与清单相符",
        )


def _refused(services: Services, citizen: Citizen, invoice: Invoice, number: int) -> None:
    bill = _give(services, citizen, page_of(invoice), number)
    if bill.state is OutsideState.TYPING:
        refuse_document(services, bill.id, "reviewer02", "示例：照片缺了盖章的一页，请补齐后重交")


def _give(services: Services, citizen: Citizen, data: bytes, number: int) -> OutsideBill:
    with services.work(write=False) as work:
        login = work.people.find_login(citizen.username)
    if login is None or login.person_id is None:
        raise DomainError("示例参保人还没有登记", f"{citizen.username} is not registered")
    form = f"sample-outside-bill-{number:04d}"
    handed = [HandedIn(FileRole.BILL, data)]
    return hand_in(services, login.person_id, handed, form, has_consent=True)


def sample_invoice(population: Population, citizen: Citizen, number: int) -> Invoice:
    day = last_day_of_one_year(population.as_of) - dt.timedelta(days=_DAYS_BEFORE + number)
    hospital = Hospital(
        900, ELSEWHERE.code, ELSEWHERE.name, ELSEWHERE.level, "none", "综合医院", day, day,
        ELSEWHERE.area_code,
    )  # fmt: skip
    lines = tuple(charge(population.catalogue, day, goods) for goods in _GOODS)
    return bill_of(hospital, citizen, BillShape(issued_on=day, serial=number), lines)


def page_of(invoice: Invoice) -> bytes:
    """A page that stands for a photo: the font that comes with Pillow writes no Chinese."""
    page = Image.new("RGB", _PAGE, "#fbfaf5")
    draw = ImageDraw.Draw(page)
    rows = [
        "SAMPLE BILL (invented)",
        f"code {invoice.invoice_code}  number {invoice.invoice_number}",
        f"date {invoice.issued_on.isoformat()}  check {invoice.check_code}",
        f"total {invoice.total_fen / 100:.2f}",
        *(f"{line.catalogue_code}  {line.amount_e4 / 10_000:.2f}" for line in invoice.lines),
    ]
    for index, row in enumerate(rows):
        draw.text((60, 80 + 60 * index), row, fill="#1a2421", font_size=32)
    target = io.BytesIO()
    page.save(target, "JPEG", quality=85)
    return target.getvalue()
