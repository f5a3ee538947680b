"""What the rules may know of one claim. Whoever evaluates fills it; nothing here is looked up.

``None`` (and, where it says so, an empty text) means *not known*: a check that needs such a fact
ends as *not judged* with the reason, never as passed. An empty tuple of other bills means that
somebody looked and found none.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum

from backend.domain.catalogue import Catalogue
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.invoice import Invoice, VisitKind


class Gender(StrEnum):
    MALE = "male"
    FEMALE = "female"


class ClaimKind(StrEnum):
    ORDINARY = "ordinary"
    ACCIDENT = "accident"


class ClaimOrigin(StrEnum):
    """Where the bill came from: uploaded by its hospital, or brought from outside."""

    LEDGER = "ledger"
    OUTSIDE = "outside"


class Liability(StrEnum):
    """Who answers for an accident, as the person declared."""

    NONE = "none"
    THIRD_PARTY = "third-party"
    TRAFFIC = "traffic"
    WORK = "work"


@dataclass(frozen=True, slots=True)
class AuditPerson:
    """The claimant as the insurance register knows them on the day of care.

    ``name``, ``region`` (six digits) and ``gender`` may be empty or None: not known.
    ``remote_status`` is what ``remote_care.derive_remote_status`` gave.
    """

    name: str = ""
    gender: Gender | None = None
    birth_on: dt.date | None = None
    region: str = ""
    remote_status: str | None = None
    hardship: frozenset[str] = frozenset()

    def age_on(self, day: dt.date) -> int | None:
        """Completed years, or None when the day of birth is not known; never below 0."""
        born = self.birth_on
        if born is None:
            return None
        before = (day.month, day.day) < (born.month, born.day)
        return max(0, day.year - born.year - before)


@dataclass(frozen=True, slots=True)
class AccidentDeclaration:
    """What the person declared of an accident (意外伤害承诺书)."""

    liability: Liability
    is_signed: bool
    happened_on: dt.date | None = None


@dataclass(frozen=True, slots=True)
class ClaimFacts:
    """How the claim was filed. ``excuse_code`` is the reason of a late filing, or empty;
    ``manual_reason`` a code of the list 手工报销原因 (domain reference 2.4), or empty."""

    kind: ClaimKind = ClaimKind.ORDINARY
    origin: ClaimOrigin = ClaimOrigin.LEDGER
    accident: AccidentDeclaration | None = None
    excuse_code: str = ""
    manual_reason: str = ""


@dataclass(frozen=True, slots=True)
class InstitutionFacts:
    """What the register of institutions says of the issuer; ``is_known`` False: it has none."""

    is_known: bool
    agreement_from: dt.date | None = None
    agreement_until: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Purchase:
    """How much of one item another bill charges. Quantities are scaled by 10^4, as on bills."""

    code: str
    name: str
    quantity_e4: int
    unit: str = ""


@dataclass(frozen=True, slots=True)
class OtherBill:
    """Another bill: of the same person (``others``) or of anybody (``twins``).

    ``reference`` is this system's own id of it and goes into the evidence. ``lines_digest`` is made
    as that of :class:`AuditFacts`. Void and reversed bills are left out by whoever fills this, and
    so is the bill in question itself.
    """

    reference: str
    institution_code: str
    invoice_code: str
    invoice_number: str
    service_on: dt.date
    issued_on: dt.date
    visit_kind: VisitKind
    total_fen: int
    lines_digest: str = ""
    is_same_person: bool = True
    admitted_on: dt.date | None = None
    discharged_on: dt.date | None = None
    visit_number: str = ""
    """Number of the stay or of the outpatient visit at that hospital, or empty."""
    diagnosis_code: str = ""
    purchases: tuple[Purchase, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupExample:
    """One bill of a comparison group, without a name."""

    reference: str
    service_on: dt.date
    total_fen: int


@dataclass(frozen=True, slots=True)
class GroupStatistics:
    """Bills alike: same hospital level, visit kind and main diagnosis (first three characters).

    ``size`` counts the bills that the median was taken of, without the bill in question.
    """

    hospital_level: int
    visit_kind: VisitKind
    diagnosis: str
    size: int
    median_fen: int
    examples: tuple[GroupExample, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """Everything that is known of one claim when the rules look at it.

    ``service_on`` selects the rules by their validity. ``submitted_on`` is the local day on which
    the claim was handed in. ``is_rest_day`` says whether the day of service was a weekend or a
    public holiday (None: the calendar does not know). ``hospital_level`` is 1 to 3 from the
    register of institutions, ``hospital_area`` its six-digit area code or empty. ``lines_digest``
    is any text that is equal for bills that charge the same things; empty: it is worked out by
    :func:`backend.domain.audit.bill_index.lines_digest`.
    """

    invoice: Invoice
    service_on: dt.date
    submitted_on: dt.date
    hospital_level: int | None = None
    hospital_area: str = ""
    institution: InstitutionFacts | None = None
    person: AuditPerson = field(default_factory=AuditPerson)
    claim: ClaimFacts = field(default_factory=ClaimFacts)
    catalogue: Catalogue | None = None
    eob: ExplanationOfBenefits | None = None
    others: tuple[OtherBill, ...] | None = None
    twins: tuple[OtherBill, ...] | None = None
    group: GroupStatistics | None = None
    is_rest_day: bool | None = None
    lines_digest: str = ""
