"""What bills are compared by: the things charged, the kind of visit, the main diagnosis.

Two bills of one visit carry different numbers (a changed idempotency key issues a second, perfectly
valid bill), so likeness is looked for in the lines and the day.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.invoice import VisitKind

CATEGORY_LENGTH: Final = 3
"""An ICD-10 category: a letter and two digits, such as J06."""

_SIGNS_OF_A_STAY: Final = ("hospitalization_number", "admitted_on", "discharged_on")


@dataclass(frozen=True, slots=True)
class BillTrait:
    """``lines_digest`` is :func:`backend.domain.audit.bill_index.lines_digest` as bytes.

    ``diagnosis`` is the category of the main diagnosis, empty when the bill names none; then the
    bill is in no group.
    """

    lines_digest: bytes
    visit_kind: str
    diagnosis: str


def trait_of(header: str, lines: Sequence[str]) -> BillTrait:
    """The traits of a bill from its stored record (canonical JSON of header and lines).

    The order of lines has no influence. Raises ``ValueError``, ``AttributeError`` or ``TypeError``
    when the stored text is no record. Migration 0008 holds the same rule for older bills.
    """
    record: dict[str, Any] = json.loads(header)
    charges = sorted(_charge(json.loads(text)) for text in lines)
    is_stay = any(record.get(name) for name in _SIGNS_OF_A_STAY)
    return BillTrait(
        lines_digest=hashlib.sha256("\n".join(charges).encode()).digest(),
        visit_kind=str(VisitKind.INPATIENT if is_stay else VisitKind.OUTPATIENT),
        diagnosis=diagnosis_category(str(record.get("diagnosis_code", ""))),
    )


def diagnosis_category(code: str) -> str:
    """The category of an ICD-10 code: ``J06.900`` is of ``J06``."""
    return code[:CATEGORY_LENGTH].upper()


def _charge(line: dict[str, str]) -> str:
    """Code (or name), quantity and amount of a line; both figures have four decimals as stored."""
    quantity, amount = (
        int(line.get(name, "0").replace(".", "")) for name in ("quantity", "amount")
    )
    return f"{line.get('catalogue_code') or line.get('name', '')}|{quantity}|{amount}"
