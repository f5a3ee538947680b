"""The facts that the rules judge by, out of the database: the bill, the person, other bills."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.audit.bill_index import lines_digest
from backend.domain.audit.facts import (
    AuditFacts,
    AuditPerson,
    ClaimFacts,
    Gender,
    GroupExample,
    GroupStatistics,
    OtherBill,
    Purchase,
)
from backend.domain.audit.rule import RuleSet, RuleState
from backend.domain.bill_trait import diagnosis_category
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.invoice import Invoice, VisitKind
from backend.domain.person import PersonSnapshot
from backend.domain.policy import PolicyPack
from backend.domain.remote_care import derive_remote_status, is_emergency
from backend.service_layer.audit_rules.ports import AuditServices, AuditWork, ComparedBill
from backend.service_layer.claims.records import Person, StoredBill

OTHERS_DAYS: Final = dt.timedelta(days=190)
"""How far other bills of the person are looked at: over half a year, either way."""
OTHERS_MAX: Final = 100
TWIN_DAYS: Final = dt.timedelta(days=7)
TWINS_MAX: Final = 20
DAMAGE: Final = (ValueError, LookupError, TypeError, AttributeError)
"""What reading a stored bill raises that was changed behind the application's back."""
_GENDERS: Final = {"男": Gender.MALE, "女": Gender.FEMALE}


@dataclass(frozen=True, slots=True)
class BillInQuestion:
    """One bill with what is known around it. ``submitted_on`` is the local day of filing; pack
    and explanation are None where the policy has no rule for the bill."""

    bill: StoredBill
    invoice: Invoice
    person: Person
    snapshot: PersonSnapshot
    pack: PolicyPack | None
    eob: ExplanationOfBenefits | None
    submitted_on: dt.date
    claim: ClaimFacts


@dataclass(frozen=True, slots=True)
class GatheredFacts:
    """``figures_at`` is when the group figures that were used were counted, None without any.
    ``unreadable`` are the references of other bills that were damaged and left out: another
    bill's damage must not stop this claim."""

    facts: AuditFacts
    figures_at: dt.datetime | None
    unreadable: tuple[str, ...] = ()


def gather_facts(
    deps: AuditServices, work: AuditWork, asked: BillInQuestion, rules: RuleSet
) -> GatheredFacts:
    """Everything that is stored and that one of the rules may want to know of the bill."""
    bill, invoice = asked.bill, asked.invoice
    institution, area = work.bill_comparison.institution_facts(bill.institution_code)
    area = bill.hospital_area or area  # of a bill from outside, its place of care
    group, figures_at = _group(work, bill, invoice)
    digest = lines_digest(invoice.lines)
    unreadable: list[str] = []
    facts = AuditFacts(
        invoice=invoice,
        service_on=bill.service_on,
        submitted_on=asked.submitted_on,
        hospital_level=bill.hospital_level,
        hospital_area=area,
        institution=institution,
        person=_person(asked, area),
        claim=asked.claim,
        catalogue=(asked.pack and asked.pack.catalogue) or deps.catalogue,
        eob=asked.eob,
        others=_others(work, bill, purchase_days(rules), unreadable),
        twins=_twins(work, bill, bytes.fromhex(digest), unreadable),
        group=group,
        is_rest_day=not deps.calendar.is_working_day(bill.service_on),
    )
    return GatheredFacts(facts, figures_at, tuple(sorted(set(unreadable))))


def _person(asked: BillInQuestion, hospital_area: str) -> AuditPerson:
    person, snapshot, day = asked.person, asked.snapshot, asked.bill.service_on
    remote_status = None
    if asked.pack is not None and hospital_area:
        emergency = is_emergency(asked.invoice)
        remote_status = derive_remote_status(asked.pack, snapshot, hospital_area, day, emergency)
    return AuditPerson(
        name=person.name,
        gender=_GENDERS.get(person.gender),
        birth_on=person.birth_on,
        region=snapshot.region,
        remote_status=remote_status,
        hardship=frozenset(
            status.code for status in snapshot.hardship if status.starts_on <= day <= status.ends_on
        ),
    )


def purchase_days(rules: RuleSet) -> int:
    """How many days back a rule adds up what was bought: lines of older bills are not read."""
    return max(
        (
            limit.days
            for rule in rules.rules
            if rule.check == "over-hospitals" and rule.state is not RuleState.RETIRED
            for limit in rule.parameters["limits"]
        ),
        default=0,
    )


def _others(
    work: AuditWork, bill: StoredBill, days: int, unreadable: list[str]
) -> tuple[OtherBill, ...]:
    """Other bills of the person over all hospitals, the latest ones when they are too many, with
    what they charge where it is within ``days`` before the bill."""
    comparison = work.bill_comparison
    lookup = comparison.lookup_of(bill.version_id)
    day = bill.service_on
    found = comparison.own_bills(lookup, day - OTHERS_DAYS, day + OTHERS_DAYS, OTHERS_MAX)
    others = [other for other in found if not _is_same(other, bill)]
    since = day - dt.timedelta(days=days)
    recent = [other.version_id for other in others if since <= other.service_on <= day]
    charges = comparison.charges_of(recent)
    return _readable(others, lookup, charges, unreadable)


def _twins(
    work: AuditWork, bill: StoredBill, digest: bytes, unreadable: list[str]
) -> tuple[OtherBill, ...]:
    """Bills of anybody, at any hospital, that charge the same things about the same day or print
    the same number."""
    comparison = work.bill_comparison
    day = bill.service_on
    found = {twin.version_id: twin for twin in comparison.same_number(bill.invoice_key, TWINS_MAX)}
    for twin in comparison.twins(digest, day - TWIN_DAYS, day + TWIN_DAYS, TWINS_MAX):
        found[twin.version_id] = twin
    others = [twin for twin in found.values() if not _is_same(twin, bill)]
    return _readable(others, comparison.lookup_of(bill.version_id), {}, unreadable)


def _readable(
    bills: Sequence[ComparedBill],
    lookup: bytes,
    charges: Mapping[str, Sequence[str]],
    unreadable: list[str],
) -> tuple[OtherBill, ...]:
    read = []
    for bill in bills:
        is_same_person = bill.payer_id_lookup == lookup
        try:
            lines = charges.get(bill.version_id, ())
            read.append(other_bill(bill, is_same_person=is_same_person, lines=lines))
        except DAMAGE:
            unreadable.append(bill.version_id)
    return tuple(read)


def _is_same(other: ComparedBill, bill: StoredBill) -> bool:
    return (other.institution_code, other.invoice_code, other.invoice_number) == (
        bill.institution_code,
        bill.invoice_code,
        bill.invoice_number,
    )


def other_bill(bill: ComparedBill, *, is_same_person: bool, lines: Sequence[str] = ()) -> OtherBill:
    """A stored bill as the rules compare it. Raises one of ``DAMAGE`` when it was changed."""
    header = json.loads(bill.header)
    stay = header.get("hospitalization_number", "")
    admitted, discharged = _day(header, "admitted_on"), _day(header, "discharged_on")
    is_stay = bool(stay or admitted or discharged)
    return OtherBill(
        reference=bill.version_id,
        institution_code=bill.institution_code,
        invoice_code=bill.invoice_code,
        invoice_number=bill.invoice_number,
        service_on=bill.service_on,
        issued_on=_day(header, "issued_on") or bill.service_on,
        visit_kind=VisitKind.INPATIENT if is_stay else VisitKind.OUTPATIENT,
        total_fen=bill.total_fen,
        lines_digest=bill.lines_digest.hex() if bill.lines_digest else "",
        is_same_person=is_same_person,
        admitted_on=admitted,
        discharged_on=discharged,
        visit_number=stay or header.get("patient_number", ""),
        diagnosis_code=header.get("diagnosis_code", ""),
        purchases=_purchases(lines),
    )


def _day(header: dict[str, Any], name: str) -> dt.date | None:
    return dt.date.fromisoformat(header[name]) if header.get(name) else None


def _purchases(lines: Sequence[str]) -> tuple[Purchase, ...]:
    totals: dict[tuple[str, str, str], int] = defaultdict(int)
    for text in lines:
        line = json.loads(text)
        quantity_e4 = int(line.get("quantity", "0").replace(".", ""))
        what = (line.get("catalogue_code", ""), line.get("name", ""), line.get("unit", ""))
        totals[what] += quantity_e4
    return tuple(
        Purchase(code, name, total, unit) for (code, name, unit), total in sorted(totals.items())
    )


def _group(
    work: AuditWork, bill: StoredBill, invoice: Invoice
) -> tuple[GroupStatistics | None, dt.datetime | None]:
    """The figures of the bill's group as last counted; None where the bill is in no group.

    The bill itself is among those counted: one fewer is said, which only makes a group that is
    too small count as such.
    """
    diagnosis = diagnosis_category(invoice.diagnosis_code)
    counted_at = work.bill_comparison.figures_counted_at()
    if not diagnosis or counted_at is None:
        return None, counted_at
    kind = invoice.visit_kind
    figure = work.bill_comparison.figure(counted_at, bill.hospital_level, str(kind), diagnosis)
    if figure is None:
        return None, counted_at
    examples = tuple(
        GroupExample(str(place), dt.date.fromisoformat(one["service_on"]), one["total_fen"])
        for place, one in enumerate(json.loads(figure.examples), 1)
    )
    size = max(0, figure.size - 1)
    group = GroupStatistics(bill.hospital_level, kind, diagnosis, size, figure.median_fen, examples)
    return group, counted_at
