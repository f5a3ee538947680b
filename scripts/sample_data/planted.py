"""The planted cases: what is sent, what the API answers, and what must become of it.

One table serves the loader, which plays the steps, and the end-to-end test, which asserts the
expectations over HTTP and on the ledger. All claimable bills here belong to one citizen, so that
one touch covers them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from backend.domain.catalogue import Catalogue
from backend.domain.invoice import Attachment, AttachmentType, ExpenseLine
from scripts.sample_data.bills import BillShape, SampleBill, bill_of
from scripts.sample_data.citizens import Citizen
from scripts.sample_data.expense_lines import Goods, charge
from scripts.sample_data.hospitals import Hospital, last_day_of_one_year

PLANTED_CITIZEN: Final = 2
"""The retired employee whose bills are the planted ones."""

UNKNOWN_CODE: Final = "TESTUNKNOWN0001"


class Action(StrEnum):
    SEND = "send"
    CORRECT = "correct"
    VOID = "void"


class ClaimOutcome(StrEnum):
    """What becomes of the bill when its citizen touches everything that is offered."""

    PAID = "paid"
    PENDED = "pended"
    NOT_OFFERED = "not-offered"


class LedgerOutcome(StrEnum):
    """What the ledger says of the bill's key in the end."""

    NOTHING = "nothing"  # no slot; the bill was refused or only anchored
    SETTLED = "settled"
    SETTLED_ON_CORRECTION = "settled-on-correction"  # superseded before: pinned
    LODGED = "lodged"  # waits for a person, locked by our payer
    VOID = "void"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class Step:
    """One request. ``late`` steps are played once everything before is final on the ledger."""

    action: Action
    bill: SampleBill
    status: int
    problem: str = ""
    late: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """What must become of one bill of a case (by its identity; a correction keeps it).

    ``invoice_state`` is empty where nothing may be stored. ``reason`` is the pend reason's code.
    """

    bill: SampleBill
    invoice_state: str
    claim: ClaimOutcome
    ledger: LedgerOutcome
    reason: str = ""
    disputed: bool = False
    marked: bool = False


@dataclass(frozen=True, slots=True)
class PlantedCase:
    name: str
    story: str
    steps: tuple[Step, ...]
    expected: tuple[Expected, ...]


class Scene:
    """Who takes part: the three hospitals, the citizens and the goods they are charged for."""

    def __init__(
        self,
        hospitals: Sequence[Hospital],
        citizens: Sequence[Citizen],
        catalogue: Catalogue,
        as_of: dt.date,
    ) -> None:
        self.large, self.middle, self.small = hospitals[:3]
        self.citizen = citizens[PLANTED_CITIZEN - 1]
        self.other = citizens[PLANTED_CITIZEN]
        self.catalogue = catalogue
        self.last = last_day_of_one_year(as_of)

    def lines(self, day: dt.date, serial: int) -> tuple[ExpenseLine, ...]:
        """Four lines, two of class 甲, one 乙, one 丙; in scope 275.00 and a little more."""
        goods = (
            Goods("01", "03", 2, 100_000_000),
            Goods("01", "02", 1, 30_000_000 + serial * 10_000),
            Goods("02", "09", 5, 10_000_000),
            Goods("03", "08", 1, 12_340_000),
        )
        return tuple(charge(self.catalogue, day, entry) for entry in goods)

    def bill(self, serial: int, wire: str, *, hospital: Hospital | None = None) -> SampleBill:
        """A plain claimable outpatient bill with the given serial number."""
        where = hospital or self.large
        day = self.last - dt.timedelta(days=40 + serial)
        invoice = bill_of(where, self.citizen, BillShape(day, serial), self.lines(day, serial))
        return SampleBill(where, self.citizen, wire, invoice)


def changed(bill: SampleBill, **values: object) -> SampleBill:
    """The same bill with other values in its invoice."""
    return replace(bill, invoice=replace(bill.invoice, **values))  # type: ignore[arg-type]


def red_of(original: SampleBill, serial: int) -> SampleBill:
    """The red bill that reverses ``original`` as a whole, with a number of its own."""
    blue = original.invoice
    return changed(
        original,
        invoice_number=f"{original.hospital.index:03d}{serial:07d}",
        business_number=f"HC{serial:09d}",
        issued_on=blue.issued_on + dt.timedelta(days=2),
        total_fen=-blue.total_fen,
        own_pay_fen=-blue.own_pay_fen,
        related_invoice_code=blue.invoice_code,
        related_invoice_number=blue.invoice_number,
        items=tuple(replace(item, amount_fen=-item.amount_fen) for item in blue.items),
        lines=tuple(
            replace(line, quantity_e4=-line.quantity_e4, amount_e4=-line.amount_e4)
            for line in blue.lines
        ),
    )


def planted_cases(
    hospitals: Sequence[Hospital],
    citizens: Sequence[Citizen],
    catalogue: Catalogue,
    as_of: dt.date,
) -> tuple[PlantedCase, ...]:
    """The whole table, in the order in which the loader plays it."""
    scene = Scene(hospitals, citizens, catalogue, as_of)
    return (
        _sent_twice(scene),
        _other_content(scene),
        _corrected(scene),
        _voided(scene),
        _reversed(scene),
        _partial_refund(scene),
        _settled_online(scene),
        _other_name(scene),
        _unknown_code(scene),
        _same_number(scene),
        _part_borne(scene),
        _expired_agreement(scene),
        _within_grace(scene),
        _rounded_once(scene),
        _with_attachments(scene),
    )


def _plain(bill: SampleBill, ledger: LedgerOutcome = LedgerOutcome.SETTLED) -> Expected:
    return Expected(bill, "active", ClaimOutcome.PAID, ledger)


def _sent_twice(scene: Scene) -> PlantedCase:
    bill = scene.bill(1, "xml")
    return PlantedCase(
        "sent-twice",
        "the same bill is sent again: the same resource",
        (Step(Action.SEND, bill, 201), Step(Action.SEND, bill, 200)),
        (_plain(bill),),
    )


def _other_content(scene: Scene) -> PlantedCase:
    bill = scene.bill(2, "json")
    other = changed(bill, department="外科", remark="换了内容")
    return PlantedCase(
        "other-content",
        "other content under the same number: refused, and the route to correct it is named",
        (
            Step(Action.SEND, bill, 201),
            Step(Action.SEND, other, 409, "different-content"),
        ),
        (_plain(bill),),
    )


def _corrected(scene: Scene) -> PlantedCase:
    bill = scene.bill(3, "json")
    better = changed(bill, department="骨科", remark="更正科室")
    return PlantedCase(
        "corrected",
        "corrected before a claim: a new version, superseded on the ledger",
        (Step(Action.SEND, bill, 201), Step(Action.CORRECT, better, 201, late=True)),
        (_plain(better, LedgerOutcome.SETTLED_ON_CORRECTION),),
    )


def _voided(scene: Scene) -> PlantedCase:
    bill = scene.bill(4, "xml")
    return PlantedCase(
        "voided",
        "declared void by its hospital: never offered",
        (Step(Action.SEND, bill, 201), Step(Action.VOID, bill, 200, late=True)),
        (Expected(bill, "void", ClaimOutcome.NOT_OFFERED, LedgerOutcome.VOID),),
    )


def _reversed(scene: Scene) -> PlantedCase:
    bill = scene.bill(5, "xml")
    red = red_of(bill, 6)
    return PlantedCase(
        "reversed",
        "reversed by a red bill of its own number: never offered, nor is the red bill",
        (Step(Action.SEND, bill, 201), Step(Action.SEND, red, 201, late=True)),
        (
            Expected(bill, "reversed", ClaimOutcome.NOT_OFFERED, LedgerOutcome.REVERSED),
            Expected(red, "active", ClaimOutcome.NOT_OFFERED, LedgerOutcome.NOTHING),
        ),
    )


def _partial_refund(scene: Scene) -> PlantedCase:
    bill = scene.bill(7, "json")
    red = red_of(bill, 8)
    kept = bill.invoice.lines[:3]
    shape = BillShape(bill.invoice.issued_on + dt.timedelta(days=2), 9)
    blue = replace(bill, invoice=bill_of(bill.hospital, bill.citizen, shape, kept))
    return PlantedCase(
        "partial-refund",
        "one line is refunded: a red bill for the whole and a new bill for the rest",
        (
            Step(Action.SEND, bill, 201),
            Step(Action.SEND, red, 201),
            Step(Action.SEND, blue, 201),
        ),
        (
            Expected(bill, "reversed", ClaimOutcome.NOT_OFFERED, LedgerOutcome.REVERSED),
            Expected(red, "active", ClaimOutcome.NOT_OFFERED, LedgerOutcome.NOTHING),
            _plain(blue),
        ),
    )


def _settled_online(scene: Scene) -> PlantedCase:
    plain = scene.bill(10, "xml")
    fund = plain.invoice.total_fen // 2
    bill = changed(
        plain,
        fund_pay_fen=fund,
        own_pay_fen=plain.invoice.total_fen - fund,
        insurance_type="职工基本医疗保险",
    )
    return PlantedCase(
        "settled-online",
        "the basic insurer has paid at the counter: never offered",
        (Step(Action.SEND, bill, 201),),
        (Expected(bill, "active", ClaimOutcome.NOT_OFFERED, LedgerOutcome.NOTHING),),
    )


def _other_name(scene: Scene) -> PlantedCase:
    bill = changed(scene.bill(11, "json"), payer_name=scene.other.name)
    return PlantedCase(
        "other-name",
        "the identity number is the claimant's, the printed name is not: a person looks at it",
        (Step(Action.SEND, bill, 201),),
        (Expected(bill, "active", ClaimOutcome.PENDED, LedgerOutcome.LODGED, "name-mismatch"),),
    )


def _unknown_code(scene: Scene) -> PlantedCase:
    plain = scene.bill(12, "xml")
    first, *rest = plain.invoice.lines
    bill = changed(
        plain,
        lines=(replace(first, catalogue_code=UNKNOWN_CODE, name="目录外测试项目"), *rest),
    )
    return PlantedCase(
        "unknown-code",
        "a line's code is in no catalogue: accepted, marked, a person looks at it",
        (Step(Action.SEND, bill, 201),),
        (
            Expected(
                bill,
                "active",
                ClaimOutcome.PENDED,
                LedgerOutcome.LODGED,
                "unknown-code",
                marked=True,
            ),
        ),
    )


def _same_number(scene: Scene) -> PlantedCase:
    bill = scene.bill(13, "json")
    squatter = changed(
        scene.bill(14, "xml", hospital=scene.middle),
        invoice_code=bill.invoice.invoice_code,
        invoice_number=bill.invoice.invoice_number,
    )
    waiting = (ClaimOutcome.NOT_OFFERED, LedgerOutcome.NOTHING)
    return PlantedCase(
        "same-number",
        "two institutions send one number: both kept, both disputed, an alarm, neither lodged",
        (Step(Action.SEND, bill, 201), Step(Action.SEND, squatter, 201)),
        (
            Expected(bill, "active", *waiting, disputed=True),
            Expected(squatter, "active", *waiting, disputed=True),
        ),
    )


def _part_borne(scene: Scene) -> PlantedCase:
    plain = scene.bill(15, "json")
    borne = plain.invoice.total_fen // 4
    bill = changed(plain, other_pay_fen=borne, own_pay_fen=plain.invoice.total_fen - borne)
    return PlantedCase(
        "part-borne",
        "a non-basic payer bore a part at the counter: the sum on the ledger starts there",
        (Step(Action.SEND, bill, 201),),
        (_plain(bill),),
    )


def _expired_agreement(scene: Scene) -> PlantedCase:
    late = scene.small.agreement_until + dt.timedelta(days=1)
    plain = scene.bill(16, "json", hospital=scene.small)
    bill = changed(plain, issued_on=late, visit_on=late)
    return PlantedCase(
        "agreement-expired",
        "issued after the agreement's end: refused",
        (Step(Action.SEND, bill, 422, "agreement-expired"),),
        (Expected(bill, "", ClaimOutcome.NOT_OFFERED, LedgerOutcome.NOTHING),),
    )


def _within_grace(scene: Scene) -> PlantedCase:
    last = scene.small.agreement_until
    plain = scene.bill(17, "xml", hospital=scene.small)
    bill = changed(plain, issued_on=last, visit_on=last)
    return PlantedCase(
        "within-grace",
        "issued on the agreement's last day, sent later: accepted and anchored",
        (Step(Action.SEND, bill, 201),),
        (_plain(bill),),
    )


def _rounded_once(scene: Scene) -> PlantedCase:
    plain = scene.bill(18, "json")
    line = charge(scene.catalogue, plain.invoice.issued_on, Goods("01", "05", 1, 10_005_000))
    face = replace(plain.invoice.items[0], code=line.category_code, name=line.category_name)
    bill = changed(
        plain,
        total_fen=3_002,
        own_pay_fen=3_002,
        items=(replace(face, amount_fen=3_002),),
        lines=(line, line, line),
    )
    return PlantedCase(
        "rounded-once",
        "three lines of 10.0050 are summed first and rounded once: 30.02, not 30.03",
        (Step(Action.SEND, bill, 201),),
        (_plain(bill),),
    )


def _with_attachments(scene: Scene) -> PlantedCase:
    bill = changed(
        scene.bill(19, "json", hospital=scene.middle),
        attachments=(
            Attachment(AttachmentType.DIAGNOSIS, "d1" * 32),
            Attachment(AttachmentType.PRESCRIPTION, "5a" * 32),
        ),
    )
    return PlantedCase(
        "with-attachments",
        "typed attachment digests ride with the bill and are leaves of its fingerprint",
        (Step(Action.SEND, bill, 201),),
        (_plain(bill),),
    )
