"""Snapshots of what is known of an insured person and of the year's earlier decisions.

Both are dated facts handed to adjudication; their digests go into the decision, so that an
auditor can replay it from the same inputs. Neither holds a name or an identity number.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.invoice import VisitKind
from backend.domain.record_reader import Faults, Reader
from verifier.commitment.canonical import canonical_bytes

EMPLOYEE: Final = "310"
RESIDENT: Final = "390"
INSURANCE_TYPES: Final = (EMPLOYEE, RESIDENT)

IN_SERVICE: Final = "1101"
RETIRED: Final = "1102"
RESIDENT_PERSON: Final = "resident"
PERSON_TYPES: Final = (IN_SERVICE, RETIRED, RESIDENT_PERSON)

PERSON_FORMAT: Final = "yichu-person-1"
HISTORY_FORMAT: Final = "yichu-history-1"
HISTORY_ENTRIES_MAX: Final = 5_000
ENTRY_STATES: Final = ("settled", "reserved")


@dataclass(frozen=True, slots=True)
class CoverPeriod:
    """Days, both included, on which the person is insured (psn_insu_stas = 1)."""

    insurance_type: str
    starts_on: dt.date
    ends_on: dt.date


@dataclass(frozen=True, slots=True)
class PersonSnapshot:
    """One person as the insurance register knew them on ``as_of``.

    ``person_ref`` is this system's own opaque reference, never an identity number.
    """

    person_ref: str
    region: str
    insurance_type: str
    person_type: str
    as_of: dt.date
    cover: tuple[CoverPeriod, ...]

    def is_covered_on(self, day: dt.date) -> bool:
        return any(
            period.insurance_type == self.insurance_type
            and period.starts_on <= day <= period.ends_on
            for period in self.cover
        )

    def to_record(self) -> dict[str, Any]:
        return {
            "format": PERSON_FORMAT,
            "person_ref": self.person_ref,
            "region": self.region,
            "insurance_type": self.insurance_type,
            "person_type": self.person_type,
            "as_of": self.as_of.isoformat(),
            "cover": [
                {
                    "insurance_type": period.insurance_type,
                    "from": period.starts_on.isoformat(),
                    "to": period.ends_on.isoformat(),
                }
                for period in self.cover
            ],
        }

    def digest(self) -> bytes:
        """SHA-256 of the canonical record. Goes into the salted decision, never on a ledger."""
        return hashlib.sha256(canonical_bytes(self.to_record())).digest()


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What one earlier decision of the person did to the year's totals (all in fen).

    ``state`` is ``settled`` or ``reserved`` (a calculated open claim); both count, so that two
    open claims never both take the same deductible or the same rest of a cap.
    ``deductible_base_fen`` is set where a decision counted an earlier claim that was refused
    afterwards: what the decision then really took, and not its whole in-scope cost, counts
    towards the deductible (docs/adr/0005).
    """

    claim_number: str
    service_on: dt.date
    visit_kind: VisitKind
    hospital_code: str
    insurance_type: str
    in_scope_fen: int
    deductible_fen: int
    pool_paid_fen: int
    layer2_base_fen: int = 0
    layer2_paid_fen: int = 0
    state: str = "settled"
    admitted_on: dt.date | None = None
    discharged_on: dt.date | None = None
    stay_number: str = ""
    deductible_base_fen: int | None = None

    @property
    def counted_fen(self) -> int:
        """In-scope cost that counts towards a yearly, quarterly or monthly deductible."""
        base = self.deductible_base_fen
        return self.in_scope_fen if base is None else base

    def to_record(self) -> dict[str, Any]:
        record: dict[str, Any] = {
            "claim_number": self.claim_number,
            "service_on": self.service_on.isoformat(),
            "visit_kind": str(self.visit_kind),
            "hospital_code": self.hospital_code,
            "insurance_type": self.insurance_type,
            "in_scope_fen": self.in_scope_fen,
            "deductible_fen": self.deductible_fen,
            "pool_paid_fen": self.pool_paid_fen,
            "layer2_base_fen": self.layer2_base_fen,
            "layer2_paid_fen": self.layer2_paid_fen,
            "state": self.state,
        }
        if self.admitted_on:
            record["admitted_on"] = self.admitted_on.isoformat()
        if self.discharged_on:
            record["discharged_on"] = self.discharged_on.isoformat()
        if self.stay_number:
            record["stay_number"] = self.stay_number
        if self.deductible_base_fen is not None:
            record["deductible_base_fen"] = self.deductible_base_fen
        return record


@dataclass(frozen=True, slots=True)
class History:
    """Earlier decisions, in the order in which they were calculated."""

    entries: tuple[HistoryEntry, ...] = ()

    def of_year(self, year: int, insurance_type: str) -> tuple[HistoryEntry, ...]:
        """Entries of one benefit year under one insurance; totals start anew on 1 January."""
        return tuple(
            entry
            for entry in self.entries
            if entry.service_on.year == year and entry.insurance_type == insurance_type
        )

    def with_entries(self, more: Iterable[HistoryEntry]) -> History:
        return History((*self.entries, *more))

    def to_record(self) -> dict[str, Any]:
        return {
            "format": HISTORY_FORMAT,
            "entries": [entry.to_record() for entry in self.entries],
        }

    def digest(self) -> bytes:
        """SHA-256 of the canonical record; part of the salted decision, for replay."""
        return hashlib.sha256(canonical_bytes(self.to_record())).digest()


def parse_person(value: object) -> PersonSnapshot:
    """A person file. Raises :class:`MalformedDataError` naming every fault's JSON path."""
    faults = Faults("PERSON")
    reader = Reader(value, "", faults)
    reader.text("format", choices=(PERSON_FORMAT,))
    cover = []
    for period in reader.children("cover", size_max=200):
        cover.append(
            CoverPeriod(period.text("insurance_type"), period.day("from"), period.day("to"))
        )
        period.finish()
    person = PersonSnapshot(
        person_ref=reader.text("person_ref", length_max=64),
        region=reader.text("region", length_max=6),
        insurance_type=reader.text("insurance_type", length_max=6),
        person_type=reader.text("person_type", length_max=16),
        as_of=reader.day("as_of"),
        cover=tuple(cover),
    )
    reader.finish()
    faults.raise_if_any()
    return person


def parse_history(value: object) -> History:
    """A history file. Raises :class:`MalformedDataError` naming every fault's JSON path."""
    faults = Faults("HISTORY")
    reader = Reader(value, "", faults)
    reader.text("format", choices=(HISTORY_FORMAT,))
    entries = []
    for entry in reader.children("entries", size_max=HISTORY_ENTRIES_MAX):
        kinds = tuple(str(kind) for kind in VisitKind)
        kind = entry.text("visit_kind", choices=kinds)
        entries.append(
            HistoryEntry(
                claim_number=entry.text("claim_number", length_max=64),
                service_on=entry.day("service_on"),
                visit_kind=VisitKind(kind) if kind in kinds else VisitKind.OUTPATIENT,
                hospital_code=entry.text("hospital_code", length_max=20),
                insurance_type=entry.text("insurance_type", length_max=6),
                in_scope_fen=entry.integer("in_scope_fen"),
                deductible_fen=entry.integer("deductible_fen"),
                pool_paid_fen=entry.integer("pool_paid_fen"),
                layer2_base_fen=entry.integer("layer2_base_fen", 0),
                layer2_paid_fen=entry.integer("layer2_paid_fen", 0),
                state=entry.text("state", "settled", choices=ENTRY_STATES),
                admitted_on=entry.optional_day("admitted_on"),
                discharged_on=entry.optional_day("discharged_on"),
                stay_number=entry.text("stay_number", ""),
                deductible_base_fen=entry.optional_integer("deductible_base_fen"),
            )
        )
        entry.finish()
    reader.finish()
    faults.raise_if_any()
    return History(tuple(entries))
