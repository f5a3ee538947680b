"""Snapshots of what is known of an insured person and of the year's earlier decisions.

Both are dated facts handed to adjudication; their digests go into the decision, so that an
auditor can replay it from the same inputs. Neither holds a name or an identity number.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Sequence
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
_TYPES_OF_INSURANCE: Final = {EMPLOYEE: (IN_SERVICE, RETIRED), RESIDENT: (RESIDENT_PERSON,)}

PERSON_FORMAT: Final = "yichu-person-1"
HISTORY_FORMAT: Final = "yichu-history-1"
HISTORY_ENTRIES_MAX: Final = 5_000
ENTRY_STATES: Final = ("settled", "reserved")
CODE_LENGTH_MAX: Final = 40
AREA_PREFIX: Final = re.compile(r"\d{2}(\d{2}){0,2}")
STATUSES_MAX: Final = 200
"""Dated facts of one kind in one snapshot."""

HARDSHIP_CODES: Final = ("extreme-poor", "low-income", "low-income-edge", "poverty-risk")
"""特困, 低保, 低保边缘, 易返贫, in the order in which aid goes: of two that hold on one day, the
first counts."""

CIVIL_SERVANT_RANKS: Final = ("above", "county", "section")
"""县级以上, 县级, 科级及以下; of two that hold on one day, the first counts."""


@dataclass(frozen=True, slots=True)
class CoverPeriod:
    """Days, both included, on which the person is insured (psn_insu_stas = 1)."""

    insurance_type: str
    starts_on: dt.date
    ends_on: dt.date


@dataclass(frozen=True, slots=True)
class DatedStatus:
    """A status that the person holds on the days from ``starts_on`` to ``ends_on``, both included.

    ``code`` is one of HARDSHIP_CODES, of CIVIL_SERVANT_RANKS, or the code of a chronic disease.
    """

    code: str
    starts_on: dt.date
    ends_on: dt.date

    def holds_on(self, day: dt.date) -> bool:
        return self.starts_on <= day <= self.ends_on


@dataclass(frozen=True, slots=True)
class RemoteFiling:
    """An 异地备案: care in the area whose code begins with ``area_prefix`` has this status.

    ``status`` names a remote status of the policy pack (long-term, referral, ...);
    ``filed_on`` is the day on which it was filed, which may be after the care.
    """

    status: str
    area_prefix: str
    starts_on: dt.date
    ends_on: dt.date
    filed_on: dt.date

    def holds_for(self, area_code: str, day: dt.date) -> bool:
        return area_code.startswith(self.area_prefix) and self.starts_on <= day <= self.ends_on


@dataclass(frozen=True, slots=True)
class PersonSnapshot:
    """One person as the insurance register knew them on ``as_of``.

    ``person_ref`` is this system's own opaque reference, never an identity number. ``source``
    says where the facts come from; ``simulated`` is this system's own simulated register.
    Insurance and person type are those of the day of service.
    """

    person_ref: str
    region: str
    insurance_type: str
    person_type: str
    as_of: dt.date
    cover: tuple[CoverPeriod, ...]
    hardship: tuple[DatedStatus, ...] = ()
    civil_servant: tuple[DatedStatus, ...] = ()
    chronic: tuple[DatedStatus, ...] = ()
    filings: tuple[RemoteFiling, ...] = ()
    source: str = ""

    def is_covered_on(self, day: dt.date) -> bool:
        return any(
            period.insurance_type == self.insurance_type
            and period.starts_on <= day <= period.ends_on
            for period in self.cover
        )

    def hardship_on(self, day: dt.date) -> str | None:
        """The hardship status of that day, None when there is none."""
        return status_on(self.hardship, day, HARDSHIP_CODES)

    def civil_servant_on(self, day: dt.date) -> str | None:
        """The rank of a civil servant on that day, None when the person is none."""
        return status_on(self.civil_servant, day, CIVIL_SERVANT_RANKS)

    def chronic_on(self, day: dt.date) -> frozenset[str]:
        """Codes of the chronic diseases (慢特病) with an entitlement on that day."""
        return frozenset(one.code for one in self.chronic if one.holds_on(day))

    def to_record(self) -> dict[str, Any]:
        """The record of the snapshot; what there is none of is not written."""
        record: dict[str, Any] = {
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
        for name in _STATUS_MEMBERS:
            statuses: tuple[DatedStatus, ...] = getattr(self, name)
            if statuses:
                record[name] = [_status_record(one) for one in statuses]
        if self.filings:
            record["filings"] = [_filing_record(one) for one in self.filings]
        if self.source:
            record["source"] = self.source
        return record

    def digest(self) -> bytes:
        """SHA-256 of the canonical record. Goes into the salted decision, never on a ledger."""
        return hashlib.sha256(canonical_bytes(self.to_record())).digest()


def status_on(
    statuses: Iterable[DatedStatus], day: dt.date, order: Sequence[str] = ()
) -> str | None:
    """The status that holds on ``day``, None when none does.

    Of several, the one that comes first in ``order``, then the one that began last.
    """
    held = [one for one in statuses if one.holds_on(day)]
    if not held:
        return None

    def place(one: DatedStatus) -> tuple[int, int, str]:
        known = order.index(one.code) if one.code in order else len(order)
        return known, -one.starts_on.toordinal(), one.code

    return min(held, key=place).code


_STATUS_MEMBERS: Final = ("hardship", "civil_servant", "chronic")


def _status_record(status: DatedStatus) -> dict[str, Any]:
    return {
        "code": status.code,
        "from": status.starts_on.isoformat(),
        "to": status.ends_on.isoformat(),
    }


def _filing_record(filing: RemoteFiling) -> dict[str, Any]:
    return {
        "status": filing.status,
        "area_prefix": filing.area_prefix,
        "from": filing.starts_on.isoformat(),
        "to": filing.ends_on.isoformat(),
        "filed_on": filing.filed_on.isoformat(),
    }


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What one earlier decision of the person did to the year's totals (all in fen).

    ``state`` is ``settled`` or ``reserved`` (a calculated open claim); both count, so that two
    open claims never both take the same deductible or the same rest of a cap.
    ``deductible_base_fen`` is set where a decision counted an earlier claim that was refused
    afterwards: what the decision then really took, and not its whole in-scope cost, counts
    towards the deductible (docs/adr/0005). ``waiver_id`` is the pack's deductible waiver whose
    diagnoses the stay had, so that a later stay knows that it is not the first of them.
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
    layer3_paid_fen: int = 0
    supplement_paid_fen: int = 0
    waiver_id: str = ""

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
        if self.layer3_paid_fen:
            record["layer3_paid_fen"] = self.layer3_paid_fen
        if self.supplement_paid_fen:
            record["supplement_paid_fen"] = self.supplement_paid_fen
        if self.waiver_id:
            record["waiver_id"] = self.waiver_id
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
    for period in reader.children("cover", size_max=STATUSES_MAX):
        starts_on, ends_on = _days(period)
        cover.append(CoverPeriod(period.text("insurance_type"), starts_on, ends_on))
        period.finish()
    hardship = _read_statuses(reader, "hardship", HARDSHIP_CODES)
    civil_servant = _read_statuses(reader, "civil_servant", CIVIL_SERVANT_RANKS)
    chronic = _read_statuses(reader, "chronic", ())
    person = PersonSnapshot(
        person_ref=reader.text("person_ref", length_max=64),
        region=reader.text("region", length_max=6),
        insurance_type=reader.text("insurance_type", length_max=6),
        person_type=reader.text("person_type", length_max=16),
        as_of=reader.day("as_of"),
        cover=tuple(cover),
        hardship=hardship,
        civil_servant=civil_servant,
        chronic=chronic,
        filings=_read_filings(reader),
        source=reader.text("source", "", length_max=40),
    )
    known = _TYPES_OF_INSURANCE.get(person.insurance_type)
    if known and person.person_type and person.person_type not in known:
        # No selector names it, so that rules for everybody would pay it as if it were known.
        reader.fault("person_type", "不是这个险种的人员类别", "is no type of this insurance")
    reader.finish()
    faults.raise_if_any()
    return person


def _days(reader: Reader) -> tuple[dt.date, dt.date]:
    starts_on, ends_on = reader.day("from"), reader.day("to")
    if ends_on < starts_on:
        reader.fault("to", "早于起始日期", "is before the first day")
    return starts_on, ends_on


def _read_statuses(reader: Reader, name: str, choices: tuple[str, ...]) -> tuple[DatedStatus, ...]:
    found = []
    for entry in reader.children(name, optional=True, size_max=STATUSES_MAX):
        starts_on, ends_on = _days(entry)
        code = entry.text("code", choices=choices, length_max=CODE_LENGTH_MAX)
        if entry.value.get("code") == "":
            entry.fault("code", "不能为空", "must not be empty")
        found.append(DatedStatus(code, starts_on, ends_on))
        entry.finish()
    return tuple(found)


def _read_filings(reader: Reader) -> tuple[RemoteFiling, ...]:
    found = []
    for entry in reader.children("filings", optional=True, size_max=STATUSES_MAX):
        starts_on, ends_on = _days(entry)
        prefix = entry.text("area_prefix", length_max=6)
        if not AREA_PREFIX.fullmatch(prefix) and "area_prefix" in entry.value:
            entry.fault("area_prefix", "应为 2、4 或 6 位数字", "is not 2, 4 or 6 digits")
        found.append(
            RemoteFiling(
                status=entry.text("status", length_max=CODE_LENGTH_MAX),
                area_prefix=prefix,
                starts_on=starts_on,
                ends_on=ends_on,
                filed_on=entry.day("filed_on"),
            )
        )
        entry.finish()
    return tuple(found)


def parse_history(value: object) -> History:
    """A history file. Raises :class:`MalformedDataError` naming every fault's JSON path."""
    faults = Faults("HISTORY")
    reader = Reader(value, "", faults)
    reader.text("format", choices=(HISTORY_FORMAT,))
    entries: list[HistoryEntry] = []
    numbers: set[str] = set()
    for entry in reader.children("entries", size_max=HISTORY_ENTRIES_MAX):
        before = len(faults.found)
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
                layer3_paid_fen=entry.integer("layer3_paid_fen", 0),
                supplement_paid_fen=entry.integer("supplement_paid_fen", 0),
                waiver_id=entry.text("waiver_id", "", length_max=64),
            )
        )
        entry.finish()
        if len(faults.found) == before:
            _check_entry(entry, entries[-1], numbers)
    reader.finish()
    faults.raise_if_any()
    return History(tuple(entries))


def _check_entry(reader: Reader, entry: HistoryEntry, numbers: set[str]) -> None:
    """What no decision can have done: each claim counts once, and nothing beyond its cost."""
    if entry.claim_number in numbers:
        reader.fault("claim_number", "重复", "is used twice")
    numbers.add(entry.claim_number)
    if entry.deductible_fen > entry.in_scope_fen:
        reader.fault("deductible_fen", "大于政策范围内费用", "is more than the in-scope cost")
    elif entry.deductible_fen + entry.pool_paid_fen > entry.in_scope_fen:
        reader.fault(
            "pool_paid_fen", "与起付线合计大于政策范围内费用",
            "and the deductible are more than the in-scope cost",
        )  # fmt: skip
