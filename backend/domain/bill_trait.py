"""What bills are compared by: what was charged, in what kind of visit, for what.

Two bills of one visit carry different numbers (a changed idempotency key issues a second, perfectly
valid bill), so likeness is looked for in the date of service, the total and the lines.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.invoice import VisitKind

DIAGNOSIS_LENGTH: Final = 60
_SIGNS_OF_A_STAY: Final = ("hospitalization_number", "admitted_on", "discharged_on")


@dataclass(frozen=True, slots=True)
class BillTrait:
    """``content_digest`` is equal for bills that charge the same thing on the same day.

    ``diagnosis`` is the main diagnosis where the bill names one, else its department; empty when
    it names neither, and then the bill is in no group.
    """

    content_digest: bytes
    visit_kind: str
    diagnosis: str


def trait_of(service_on: dt.date, total_fen: int, header: str, lines: Sequence[str]) -> BillTrait:
    """The traits of a bill from its stored record (canonical JSON of header and lines).

    The order of lines has no influence. Raises ``ValueError``, ``AttributeError`` or ``TypeError``
    when the stored text is no record. Migration 0008 holds the same rule for older bills.
    """
    record: dict[str, Any] = json.loads(header)
    charges = []
    for text in lines:
        entry = json.loads(text)
        what = entry.get("catalogue_code") or entry.get("name", "")
        charges.append([what, entry.get("quantity", ""), entry.get("amount", "")])
    charges.sort()
    content = json.dumps(
        [service_on.isoformat(), total_fen, charges], ensure_ascii=False, separators=(",", ":")
    )
    is_stay = any(record.get(name) for name in _SIGNS_OF_A_STAY)
    diagnosis = record.get("main_diagnosis", "") or record.get("department", "")
    return BillTrait(
        content_digest=hashlib.sha256(content.encode()).digest(),
        visit_kind=str(VisitKind.INPATIENT if is_stay else VisitKind.OUTPATIENT),
        diagnosis=str(diagnosis)[:DIAGNOSIS_LENGTH],
    )
