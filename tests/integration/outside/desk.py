"""The small world with the agency as issuer, and people who hand in and check bills."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import secrets
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from backend.adapters.database import tables
from backend.adapters.einvoice.writers import invoice_to_fiscal_xml, invoice_to_json
from backend.domain.invoice import ExpenseLine, Invoice
from backend.domain.ledger import IntentKind
from backend.service_layer.claims.records import Claim, Person
from backend.service_layer.intake.form_batches import form_batches
from backend.service_layer.outside.check import Findings, accept_document
from backend.service_layer.outside.records import (
    CITIZEN,
    FileRole,
    HandedIn,
    HospitalFacts,
    OutsideBill,
)
from backend.service_layer.outside.transcript import compare_bill, type_bill
from backend.service_layer.outside.upload import hand_in
from tests.integration.claims.world import CLASS_A, NOW, World

AGENCY = "A330800"
DAY = dt.date(2026, 11, 3)
CHECKED = Findings(is_authentic=True, lines_agree=True)
ELSEWHERE = HospitalFacts("91310000TEST000001", "示例上海医院", 3, "310104")


def desk(tmp_path: Path, url: str | None = None) -> World:
    """A small world in which the agency is registered as issuer number 9."""
    world = World.make(tmp_path, url)
    with world.services.engine.begin() as connection:
        connection.execute(
            tables.institution.insert().values(
                code=AGENCY,
                name="衢州市医保中心",
                level=1,
                area_code="330800",
                custody="custodial",
                agreement_from=dt.date(2000, 1, 1),
                agreement_until=dt.date(2099, 12, 31),
                grace_days=365,
                ledger_number=9,
                ledger_account="0x00000000000000000000000000000000000000C9",
                created_at=NOW,
                role="agency",
            )
        )
    return world


def invoice_of(person: Person, number: str = "0000000001", **changes: Any) -> Invoice:
    """A self-paid outpatient bill of 400 yuan from a hospital elsewhere."""
    base = Invoice(
        institution_code="SH0000000001",
        institution_name="示例上海医院",
        invoice_code="31060126",
        invoice_number=number,
        check_code="a1b2c3",
        total_fen=40_000,
        issued_on=DAY,
        visit_on=DAY,
        payer_name=person.name,
        payer_id=person.identity_number,
        own_pay_fen=40_000,
        lines=(ExpenseLine(CLASS_A[1], 10_000, 400_000_000, 4_000_000, CLASS_A[0], level="01"),),
    )
    return dataclasses.replace(base, **changes)


def xml_of(invoice: Invoice) -> bytes:
    return invoice_to_fiscal_xml(invoice, "31")


def ofd_of(xml: bytes, **more: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("OFD.xml", b'<ofd:OFD xmlns:ofd="http://www.ofdspec.org/2016"/>')
        archive.writestr("Doc_0/Attachs/original_invoice.xml", xml)
        for name, data in more.items():
            archive.writestr(name, data)
    return target.getvalue()


def picture_of(text: str = "bill", size: tuple[int, int] = (600, 800)) -> bytes:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).text((40, 40), text, fill="black")
    target = io.BytesIO()
    image.save(target, "JPEG")
    return target.getvalue()


def token() -> str:
    return secrets.token_urlsafe(32)


def give(
    world: World, person: Person, data: bytes, *, lists: tuple[bytes, ...] = (), by: str = CITIZEN,
    form: str | None = None,
) -> OutsideBill:  # fmt: skip
    files = [HandedIn(FileRole.BILL, data)] + [HandedIn(FileRole.LIST, one) for one in lists]
    return hand_in(world.services, person.id, files, form or token(), by=by, has_consent=True)


def transcribe(world: World, bill: OutsideBill, invoice: Invoice) -> OutsideBill:
    """Type and compare a picture's bill by two clerks."""
    type_bill(world.services, bill.id, invoice_to_json(invoice), "录入员甲")
    return compare_bill(world.services, bill.id, "录入员乙").bill


def accept(
    world: World, bill: OutsideBill, by: str = "审核员丙", hospital: HospitalFacts = ELSEWHERE
) -> OutsideBill:
    return accept_document(
        world.services, bill.id, by=by, hospital=hospital, findings=CHECKED, reason="平台查验一致"
    )


def anchor_all(world: World) -> None:
    """Form the waiting batches of every institution, and make their anchors final."""
    form_batches(world.services)
    with world.services.work() as work:
        for intent in work.outbox.queued(held=True):
            if intent.kind is not IntentKind.ANCHOR:
                continue
            code = AGENCY
            last = work.batches.last(code)
            number = work.institutions.get(code).ledger_number
            world.ledger.block += 1
            world.ledger.heads[number, last.sequence] = last.head
            world._final(work, intent, "done", {})
        work.commit()


def claim_on(world: World, bill: OutsideBill) -> Claim:
    with world.services.work(write=False) as work:
        invoice_id = work.outside.get(bill.id).invoice_id
        found = work.claims.live_on(invoice_id) or work.claims.latest_on(invoice_id)
    assert found is not None
    return found
