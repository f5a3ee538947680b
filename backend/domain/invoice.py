"""A medical e-invoice (医疗收费电子票据) with its expense lines, and its canonical record.

One bill has one record, whatever format it arrived in: the readers in
``backend.adapters.einvoice`` parse fiscal XML and JSON into :class:`Invoice`, and
:meth:`Invoice.to_record` gives the object that ``verifier.commitment`` fingerprints
(verifier/SPEC.md, "Record"). Absent and empty optional fields are left out of the record, so
that a format which cannot express a field commits to the same bytes as one that sent it empty.

Units: money of the bill in integer fen; line quantities scaled by 10^4, unit prices by 10^6,
line amounts by 10^4 yuan (DA/T 95-2022 table B.10; 医保 interface fields cnt N16,4, pric N16,6).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

from backend.domain.errors import DomainError

RECORD_FORMAT: Final = "yichu-invoice-1"
MAX_LINES: Final = 5_000
MAX_FEN: Final = 2**40 - 1
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class MalformedRecordError(DomainError):
    """A stored or handed-in record is not a canonical invoice record."""

    code = "malformed-record"


class VisitKind(StrEnum):
    """By what kind of rules a visit is paid. ``outpatient-chronic`` (门诊慢特病) takes the person's
    entitlement, whatever the bill says."""

    OUTPATIENT = "outpatient"
    OUTPATIENT_CHRONIC = "outpatient-chronic"
    INPATIENT = "inpatient"


class AttachmentType(StrEnum):
    """Typed digests that may ride with a bill (design: ledger protocol, section 1)."""

    DIAGNOSIS = "diagnosis"
    DISCHARGE_NOTE = "discharge-note"
    PRESCRIPTION = "prescription"
    UNDERTAKING = "undertaking"
    ORIGINAL = "original"
    """The very file of a bill from outside; only the agency states it, no hospital does."""


def scaled_text(value: int, places: int) -> str:
    """``value`` / 10^places as a decimal string with exactly ``places`` places."""
    sign = "-" if value < 0 else ""
    whole, part = divmod(abs(value), 10**places)
    return f"{sign}{whole}.{part:0{places}d}"


def parse_scaled(text: object, places: int, where: str) -> int:
    """The inverse of :func:`scaled_text`; refuses every other spelling."""
    if isinstance(text, str):
        whole, dot, part = text.partition(".")
        digits = whole.removeprefix("-")
        if dot and len(part) == places and digits.isascii() and (digits + part).isdecimal():
            value = int(digits + part) * (-1 if whole.startswith("-") else 1)
            if scaled_text(value, places) == text:
                return value
    raise MalformedRecordError(
        f"{where} 不是 {places} 位小数的金额文本", f"{where} is not a {places}-place decimal text"
    )


@dataclass(frozen=True, slots=True)
class FeeItem:
    """One fee category of the bill's face (收费项目, ``Items`` / ``Details``)."""

    code: str
    name: str
    amount_fen: int
    quantity: str = ""
    unit: str = ""
    price: str = ""
    remark: str = ""

    def to_record(self) -> dict[str, Any]:
        return _without_empty(
            {
                "amount_fen": self.amount_fen,
                "code": self.code,
                "name": self.name,
                "price": self.price,
                "quantity": self.quantity,
                "remark": self.remark,
                "unit": self.unit,
            }
        )


@dataclass(frozen=True, slots=True)
class ExpenseLine:
    """One line of the expense list (费用明细, ``AuxItems`` / ``AuxDetails``)."""

    name: str
    quantity_e4: int
    price_e6: int
    amount_e4: int
    catalogue_code: str = ""
    category_code: str = ""
    category_name: str = ""
    level: str = ""
    unit: str = ""
    spec: str = ""
    occurred_at: str = ""
    approval_flag: str = ""
    remark: str = ""
    doctor_code: str = ""

    def to_record(self) -> dict[str, Any]:
        return _without_empty(
            {
                "amount": scaled_text(self.amount_e4, 4),
                "approval_flag": self.approval_flag,
                "catalogue_code": self.catalogue_code,
                "category_code": self.category_code,
                "category_name": self.category_name,
                "doctor_code": self.doctor_code,
                "level": self.level,
                "name": self.name,
                "occurred_at": self.occurred_at,
                "price": scaled_text(self.price_e6, 6),
                "quantity": scaled_text(self.quantity_e4, 4),
                "remark": self.remark,
                "spec": self.spec,
                "unit": self.unit,
            }
        )

    @classmethod
    def from_record(cls, record: dict[str, Any], where: str = "line") -> ExpenseLine:
        texts = {f.name for f in fields(cls)} - {"quantity_e4", "price_e6", "amount_e4"}
        _refuse_unknown(record, texts | {"quantity", "price", "amount"}, where)
        return cls(
            quantity_e4=parse_scaled(record.get("quantity"), 4, f"{where}/quantity"),
            price_e6=parse_scaled(record.get("price"), 6, f"{where}/price"),
            amount_e4=parse_scaled(record.get("amount"), 4, f"{where}/amount"),
            **{name: _text(record, name, where) for name in texts},
        )


@dataclass(frozen=True, slots=True, order=True)
class Attachment:
    """The SHA-256 of a document that the hospital keeps (hex, 64 digits)."""

    type: AttachmentType
    digest: str

    def to_record(self) -> dict[str, Any]:
        return {"digest": self.digest, "type": str(self.type)}


@dataclass(frozen=True, slots=True)
class Invoice:
    """A parsed bill. Field names are ours; docs/api.md maps each to the archive standard's.

    ``fund_pay_fen`` and ``other_pay_fen`` are what other payers bore at the counter, and
    ``account_pay_fen`` and ``own_pay_fen`` the patient's own account and cash:
    total = fund + other + account + own (domain reference 1.4).
    """

    institution_code: str
    institution_name: str
    invoice_code: str
    invoice_number: str
    total_fen: int
    issued_on: dt.date
    payer_name: str
    lines: tuple[ExpenseLine, ...]
    fund_pay_fen: int = 0
    other_pay_fen: int = 0
    account_pay_fen: int = 0
    own_pay_fen: int = 0
    items: tuple[FeeItem, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    visit_on: dt.date | None = None
    admitted_on: dt.date | None = None
    discharged_on: dt.date | None = None
    check_code: str = ""
    invoice_name: str = ""
    issued_time: str = ""
    area_code: str = ""
    payer_id: str = ""
    payer_type: str = ""
    business_number: str = ""
    remark: str = ""
    cashier: str = ""
    checker: str = ""
    supervisor_remark: str = ""
    related_invoice_code: str = ""
    related_invoice_number: str = ""
    second_number_code: str = ""
    second_number: str = ""
    institution_type: str = ""
    insurance_type: str = ""
    insurance_id: str = ""
    gender: str = ""
    age: str = ""
    patient_number: str = ""
    hospitalization_number: str = ""
    case_number: str = ""
    department: str = ""
    hospital_days: str = ""
    settlement_number: str = ""
    care_institution_code: str = ""
    diagnosis_code: str = ""
    diagnosis_name: str = ""
    medical_type: str = ""
    self_payment_fen: int | None = field(default=None)
    self_expense_fen: int | None = field(default=None)
    prepaid_fen: int | None = field(default=None)
    recharge_fen: int | None = field(default=None)
    refund_fen: int | None = field(default=None)

    @property
    def hospital_code(self) -> str:
        """The place of care. ``institution_code`` is who anchors the bill: of a bill from outside
        the agency, which then names the place of care apart."""
        return self.care_institution_code or self.institution_code

    @property
    def identity(self) -> tuple[str, str, str]:
        """(institution, 票据代码, 票据号码): the upload identity; never the check code."""
        return (self.institution_code, self.invoice_code, self.invoice_number)

    @property
    def is_red(self) -> bool:
        return self.total_fen < 0

    @property
    def borne_fen(self) -> int:
        """What other payers bore at the counter; the ledger's running sum starts here."""
        return 0 if self.is_red else self.fund_pay_fen + self.other_pay_fen

    @property
    def is_settled_online(self) -> bool:
        """A basic insurer has already paid: only non-basic payers can lodge it."""
        return not self.is_red and (self.fund_pay_fen > 0 or self.settlement_number != "")

    @property
    def visit_kind(self) -> VisitKind:
        inpatient = self.hospitalization_number or self.admitted_on or self.discharged_on
        return VisitKind.INPATIENT if inpatient else VisitKind.OUTPATIENT

    @property
    def service_on(self) -> dt.date:
        """The date that selects policy and order: discharge, else visit, else issue."""
        return self.discharged_on or self.visit_on or self.issued_on

    def to_record(self) -> dict[str, Any]:
        """The canonical record (strings and integers only), fingerprint input."""
        record: dict[str, Any] = {"format": RECORD_FORMAT}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, dt.date):
                record[f.name] = value.isoformat()
            elif f.name in _ARRAYS:
                record[f.name] = [entry.to_record() for entry in value]
            elif value not in ("", None):
                record[f.name] = value
        return record

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Invoice:
        """Parse a canonical record; raises :class:`MalformedRecordError` naming the field."""
        names = {f.name for f in fields(cls)}
        _refuse_unknown(record, names | {"format"}, "record")
        if record.get("format") != RECORD_FORMAT:
            raise MalformedRecordError("记录格式不是本系统的版本", "record/format is not ours")
        values: dict[str, Any] = {}
        for name in names:
            values[name] = _FIELD_READERS.get(name, _text)(record, name, "record")
        return cls(**{name: v for name, v in values.items() if v is not None or name in _NULLABLE})


_ARRAYS: Final = ("lines", "items", "attachments")
_DATES: Final = ("issued_on", "visit_on", "admitted_on", "discharged_on")
_REQUIRED_FEN: Final = (
    "total_fen", "fund_pay_fen", "other_pay_fen", "account_pay_fen", "own_pay_fen",
)  # fmt: skip
_OPTIONAL_FEN: Final = (
    "self_payment_fen", "self_expense_fen", "prepaid_fen", "recharge_fen", "refund_fen",
)  # fmt: skip
_NULLABLE: Final = frozenset((*_OPTIONAL_FEN, "visit_on", "admitted_on", "discharged_on"))


def _without_empty(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value != ""}


def _refuse_unknown(record: object, known: set[str], where: str) -> None:
    if not isinstance(record, dict):
        raise MalformedRecordError(f"{where} 不是对象", f"{where} is not an object")
    unknown = sorted(set(record) - known)
    if unknown:
        raise MalformedRecordError(f"{where} 有未知字段", f"{where} has unknown field {unknown[0]}")


def _text(record: dict[str, Any], name: str, where: str) -> str:
    value = record.get(name, "")
    if not isinstance(value, str):
        raise MalformedRecordError(f"{where}/{name} 不是文本", f"{where}/{name} is not a text")
    return value


def _fen(record: dict[str, Any], name: str, where: str) -> int | None:
    value = record.get(name)
    if value is None and name in _OPTIONAL_FEN:
        return None
    if type(value) is not int or abs(value) > MAX_FEN:
        raise MalformedRecordError(f"{where}/{name} 不是整数分", f"{where}/{name} is not whole fen")
    return value


def _date(record: dict[str, Any], name: str, where: str) -> dt.date | None:
    text = record.get(name)
    if text is None and name != "issued_on":
        return None
    try:
        parsed = dt.date.fromisoformat(text if isinstance(text, str) else "")
    except ValueError as error:
        raise MalformedRecordError(
            f"{where}/{name} 不是日期", f"{where}/{name} is not a date"
        ) from error
    if parsed.isoformat() != text:
        raise MalformedRecordError(f"{where}/{name} 不是日期", f"{where}/{name} is not YYYY-MM-DD")
    return parsed


def _entries(record: dict[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    value = record.get(name)
    if not isinstance(value, list) or len(value) > MAX_LINES:
        raise MalformedRecordError(f"{where}/{name} 不是列表", f"{where}/{name} is not a list")
    return value


def _lines(record: dict[str, Any], name: str, where: str) -> tuple[ExpenseLine, ...]:
    entries = _entries(record, name, where)
    return tuple(ExpenseLine.from_record(e, f"{where}/{name}/{i}") for i, e in enumerate(entries))


def _items(record: dict[str, Any], name: str, where: str) -> tuple[FeeItem, ...]:
    texts = {f.name for f in fields(FeeItem)} - {"amount_fen"}
    parsed = []
    for i, entry in enumerate(_entries(record, name, where)):
        place = f"{where}/{name}/{i}"
        _refuse_unknown(entry, texts | {"amount_fen"}, place)
        amount = _fen(entry, "amount_fen", place)
        if amount is None:
            raise MalformedRecordError(f"{place} 缺少金额", f"{place}/amount_fen is missing")
        parsed.append(FeeItem(amount_fen=amount, **{t: _text(entry, t, place) for t in texts}))
    return tuple(parsed)


def _attachments(record: dict[str, Any], name: str, where: str) -> tuple[Attachment, ...]:
    parsed = []
    for i, entry in enumerate(_entries(record, name, where)):
        place = f"{where}/{name}/{i}"
        _refuse_unknown(entry, {"type", "digest"}, place)
        try:
            kind = AttachmentType(_text(entry, "type", place))
        except ValueError as error:
            raise MalformedRecordError(
                f"{place}/type 不认识", f"{place}/type is unknown"
            ) from error
        digest = _text(entry, "digest", place)
        if not _DIGEST.fullmatch(digest):
            raise MalformedRecordError(
                f"{place}/digest 不是 64 位小写十六进制",
                f"{place}/digest is not 64 lower-case hex digits",
            )
        parsed.append(Attachment(kind, digest))
    return tuple(parsed)


_FIELD_READERS: Final[dict[str, Any]] = {
    **dict.fromkeys(_DATES, _date),
    **dict.fromkeys(_REQUIRED_FEN + _OPTIONAL_FEN, _fen),
    "lines": _lines,
    "items": _items,
    "attachments": _attachments,
}
