"""The rows of bills from outside as frozen values, and the kinds of files that carry them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from backend.service_layer.intake.document import ParsedInvoice

CITIZEN: Final = "citizen"
"""``uploaded_by`` of what the person handed in themselves."""

AGENCY: Final = "agency"
"""The role of the institution row that anchors bills from outside."""


class OutsideState(StrEnum):
    """Where a bill from outside is, until it is a claim like any other."""

    TYPING = "typing"  # has no data yet: a clerk types it from the picture
    COMPARING = "comparing"  # typed: another clerk compares it with the picture
    CHECKING = "checking"  # 就医地审核: the document and its lines are checked
    ANCHORING = "anchoring"  # checked: the agency stores it as issuer and the claim is made
    ACCEPTED = "accepted"  # an invoice of the agency, claimed; the claim says the rest
    MATCHED = "matched"  # the hospital's own record was here
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


OPEN_STATES: Final = frozenset(
    {OutsideState.TYPING, OutsideState.COMPARING, OutsideState.CHECKING, OutsideState.ANCHORING}
)


class StepKind(StrEnum):
    """What somebody did. Nobody does two of them on one bill (see ``people``)."""

    UPLOAD = "upload"
    TYPE = "type"
    COMPARE = "compare"
    CARE_PLACE = "care-place"  # 就医地审核
    INSURED_PLACE = "insured-place"  # 参保地确认
    SYSTEM = "system"  # what followed by itself, from an exact fact
    WITHDRAW = "withdraw"
    LOOK = "look"  # a file was taken; anybody may, at any time


class FileKind(StrEnum):
    XML = "xml"
    OFD = "ofd"
    JPEG = "jpeg"
    PNG = "png"
    PDF = "pdf"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]


_MEDIA_TYPES: Final = {
    FileKind.XML: "application/xml",
    FileKind.OFD: "application/ofd",
    FileKind.JPEG: "image/jpeg",
    FileKind.PNG: "image/png",
    FileKind.PDF: "application/pdf",
}


class FileRole(StrEnum):
    BILL = "bill"
    LIST = "list"  # the cost list (费用清单) that goes with it


@dataclass(frozen=True, slots=True)
class HandedIn:
    """One file as it came in, before anything is known of it."""

    role: FileRole
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a file is by its bytes. ``parsed`` for one that carries data, with ``seller_code`` as
    its issuer names itself; ``viewing`` is a picture re-encoded without its metadata; ``notes``
    are names of elements that no field of ours takes."""

    kind: FileKind
    source: str
    parsed: ParsedInvoice | None = None
    seller_code: str = ""
    viewing: bytes | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HospitalFacts:
    """The place of care as a person found it; never taken from the bill.

    ``code`` is its national or tax number, ``level`` 1 to 3, ``area_code`` six digits.
    """

    code: str
    name: str
    level: int
    area_code: str
    is_emergency: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "area_code": self.area_code,
            "code": self.code,
            "is_emergency": self.is_emergency,
            "level": self.level,
            "name": self.name,
        }


@dataclass(frozen=True, slots=True)
class OutsideBill:
    """``stated`` is the canonical record that the document itself gives (None for a picture),
    ``record`` the one that is checked and anchored; ``live_key`` holds the number against others
    while the bill is open or accepted."""

    id: str
    number: str
    form_token: str
    person_id: str
    uploaded_by: str
    state: OutsideState
    source: str
    created_at: dt.datetime
    updated_at: dt.datetime
    live_key: bytes | None = None
    live_second_key: bytes | None = None
    stated: str | None = None
    record: str | None = None
    hospital_code: str | None = None
    hospital_name: str | None = None
    hospital_level: int | None = None
    area_code: str | None = None
    is_emergency: bool = False
    invoice_id: str | None = None
    reason_code: str | None = None
    reason_zh: str | None = None
    reason_en: str | None = None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


@dataclass(frozen=True, slots=True)
class OutsideFile:
    """A stored file. ``digest`` is the SHA-256 of what came in, ``viewing_digest`` of the copy
    that a browser may be shown."""

    id: str
    bill_id: str
    person_id: str
    role: FileRole
    digest: bytes
    viewing_digest: bytes | None
    kind: FileKind
    size: int
    uploaded_by: str
    uploaded_at: dt.datetime


@dataclass(frozen=True, slots=True)
class OutsideStep:
    """What one person did, and found; insert-only."""

    id: str
    bill_id: str
    step: StepKind
    outcome: str
    by: str
    reason: str
    content: dict[str, Any]
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class MemberGap:
    """A member hospital's bill that a person holds and the hospital has not uploaded."""

    institution_code: str
    institution_name: str
    bill_number: str
    noticed_at: dt.datetime
    is_closed: bool  # the hospital has uploaded it since
