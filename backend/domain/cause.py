"""Why a claim had to be filed by hand at all: one derived code, from stored facts alone.

Most visits are settled at the hospital's counter. A manual claim (零星报销) has a cause, and Quzhou
publishes its causes in four groups (requirements R32). The codes are this system's own;
``NATIONAL_CODES`` maps them to the list 手工报销原因 (manl_reim_rea, domain reference 2.4) where
that list has the cause. Nobody enters a cause, and no amount depends on it.

Order of precedence, the first that holds counts: accident; newborn inpatient; home sickbed;
serious-illness drug; dual-channel drug; care elsewhere (referred, emergency, other); bill from
outside; special group; unclear scope; should have been swiped; process; other. What says most about
the visit itself stands before what says something about the person, and that before what is only
left over.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from backend.domain.catalogue import Catalogue
from backend.domain.invoice import Invoice, VisitKind
from backend.domain.person import PersonSnapshot
from backend.domain.remote_care import EMERGENCY, REFERRED, is_emergency, is_in_area


class CauseGroup(StrEnum):
    """The groups of Quzhou's published figures."""

    POLICY = "policy"
    PROCESS = "process"
    NOT_SWIPED = "not-swiped"
    ACCIDENT_NEWBORN = "accident-newborn"
    OTHER = "other"


class CauseCode(StrEnum):
    """In the order of precedence."""

    ACCIDENT = "accident"
    NEWBORN = "newborn"
    HOME_SICKBED = "home-sickbed"
    SERIOUS_ILLNESS_DRUG = "serious-illness-drug"
    DUAL_CHANNEL = "dual-channel"
    REMOTE_REFERRED = "remote-referred"
    REMOTE_EMERGENCY = "remote-emergency"
    REMOTE = "remote"
    OUTSIDE_BILL = "outside-bill"
    SPECIAL_GROUP = "special-group"
    UNCLEAR_SCOPE = "unclear-scope"
    NOT_SWIPED = "not-swiped"
    PROCESS = "process"
    OTHER = "other"


GROUP_OF: Final = {
    CauseCode.ACCIDENT: CauseGroup.ACCIDENT_NEWBORN,
    CauseCode.NEWBORN: CauseGroup.ACCIDENT_NEWBORN,
    CauseCode.HOME_SICKBED: CauseGroup.PROCESS,
    CauseCode.SERIOUS_ILLNESS_DRUG: CauseGroup.PROCESS,
    CauseCode.DUAL_CHANNEL: CauseGroup.PROCESS,
    CauseCode.REMOTE_REFERRED: CauseGroup.OTHER,
    CauseCode.REMOTE_EMERGENCY: CauseGroup.OTHER,
    CauseCode.REMOTE: CauseGroup.OTHER,
    CauseCode.OUTSIDE_BILL: CauseGroup.OTHER,
    CauseCode.SPECIAL_GROUP: CauseGroup.POLICY,
    CauseCode.UNCLEAR_SCOPE: CauseGroup.POLICY,
    CauseCode.NOT_SWIPED: CauseGroup.NOT_SWIPED,
    CauseCode.PROCESS: CauseGroup.PROCESS,
    CauseCode.OTHER: CauseGroup.OTHER,
}
"""Quzhou counts care elsewhere on an axis of its own (61 % of claims), not among the causes: here
it is in the rest."""

PUBLISHED_PER_MILLE: Final = {
    CauseGroup.POLICY: 110,
    CauseGroup.PROCESS: 220,
    CauseGroup.NOT_SWIPED: 332,
    CauseGroup.ACCIDENT_NEWBORN: 336,
    CauseGroup.OTHER: 2,
}
"""Quzhou's shares in thousandths (requirements R32); the rest is what they leave of the whole."""

NATIONAL_CODES: Final = {
    CauseCode.REMOTE_REFERRED: "05",  # 异地转诊转院
    CauseCode.REMOTE_EMERGENCY: "04",  # 急救抢救
    CauseCode.REMOTE: "03",  # 异地就诊
    CauseCode.NOT_SWIPED: "02",  # 定点无卡就医
    CauseCode.OTHER: "99",  # 其他
}
"""manl_reim_rea, where the list has the cause. The supplementary reasons (06, 08, 09, 10) are never
derived: they excuse a bill that basic insurance has settled, and only a person may say so."""

TITLES: Final = {
    CauseCode.ACCIDENT: ("意外伤害", "accidental injury"),
    CauseCode.NEWBORN: ("新生儿住院", "newborn inpatient"),
    CauseCode.HOME_SICKBED: ("家庭病床", "home sickbed"),
    CauseCode.SERIOUS_ILLNESS_DRUG: ("大病特药", "serious-illness drug"),
    CauseCode.DUAL_CHANNEL: ("双通道药品", "dual-channel drug"),
    CauseCode.REMOTE_REFERRED: ("异地转诊转院", "referred elsewhere"),
    CauseCode.REMOTE_EMERGENCY: ("异地急诊抢救", "emergency elsewhere"),
    CauseCode.REMOTE: ("异地就医", "care elsewhere"),
    CauseCode.OUTSIDE_BILL: ("票据未联网", "bill from outside the network"),
    CauseCode.SPECIAL_GROUP: ("特殊人群", "special group"),
    CauseCode.UNCLEAR_SCOPE: ("范围待明确", "unclear scope"),
    CauseCode.NOT_SWIPED: ("应刷未刷", "should have been swiped"),
    CauseCode.PROCESS: ("经办流程", "process"),
    CauseCode.OTHER: ("其他", "other"),
}

UNCLEAR_REASONS: Final = frozenset(
    ("policy-open", "no-rule", "cover-unclear", "chronic-without-rules", "chronic-not-entitled",
     "restricted-unconfirmed", "unknown-code")
)  # fmt: skip
"""Pend reasons that say that scope or entitlement is not clear."""
PROCESS_REASONS: Final = frozenset(("name-mismatch",))
"""Pend reasons that say that the counter could not have settled the bill as it is."""

INJURY_TYPES: Final = ("22", "81")
"""med_type 外伤住院, 意外伤害门诊."""
_INJURY: Final = re.compile(r"S\d|T[0-6]\d|T7[0-59]|V\d|W\d|X[0-5]\d|X8[5-9]|X9\d|Y[0-2]\d|Y3[0-4]")
"""ICD-10 injuries and external causes. T76-T78 and T80-T88 (allergy, complications of care) and
X60-X84 (self-harm) are no accidents; T90-T98 are late effects."""
SPECIAL_DRUG_TYPE: Final = "15"
PHARMACY_TYPE: Final = "41"
_PERINATAL: Final = ("P", "Z38")
NEWBORN_DAYS: Final = 28
_INFANT_DAYS: Final = 365
_HOME_BED: Final = "家庭病床"
_DRUGS: Final = frozenset(("09", "10", "11"))


@dataclass(frozen=True, slots=True)
class CauseFacts:
    """What is stored of a claim, as far as a cause is read off it.

    ``days_old`` is the patient's age in days when care began; ``restricted_drugs`` how many drug
    lines are of a restricted item of the catalogue; ``reasons`` the codes of every pend reason,
    resolved or not; ``remote_status`` the status that a filing gives, empty where there is none.
    """

    is_accident_claim: bool
    is_outside: bool
    is_inpatient: bool
    medical_type: str
    diagnosis_code: str
    says_home_bed: bool
    days_old: int
    is_pharmacy: bool
    restricted_drugs: int
    is_in_area: bool
    is_emergency: bool
    remote_status: str
    is_covered: bool
    is_designated: bool
    hardship: str
    borne_fen: int
    reasons: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause with its group and the facts that it was read off, in words."""

    code: CauseCode
    zh: str
    en: str

    @property
    def group(self) -> CauseGroup:
        return GROUP_OF[self.code]

    @property
    def national_code(self) -> str:
        return NATIONAL_CODES.get(self.code, "")


def national_code(code: str | None) -> str:
    """The manl_reim_rea code of a stored cause; empty where that list has none."""
    return NATIONAL_CODES.get(CauseCode(code), "") if code else ""


def derive_cause(facts: CauseFacts) -> Cause:
    """The one cause of a claim with these facts, by the order of precedence of the module."""
    for code, ask in _ORDER:
        basis = ask(facts)
        if basis is not None:
            return Cause(code, *basis)
    return Cause(CauseCode.OTHER, "没有其他事实可以说明原因", "no stored fact says why")


def facts_of(
    invoice: Invoice,
    snapshot: PersonSnapshot,
    birth_on: dt.date,
    catalogue: Catalogue,
    *,
    hospital_area: str,
    is_designated: bool,
    is_accident_claim: bool = False,
    is_outside: bool = False,
    reasons: Iterable[str] = (),
) -> CauseFacts:
    """The facts of a bill and its person. ``is_designated``: the place of care had an agreement
    on the day; ``hospital_area`` is the six-digit area code of the place of care."""
    day = invoice.service_on
    began = invoice.admitted_on or day
    filed = [one.status for one in snapshot.filings if one.holds_for(hospital_area, day)]
    return CauseFacts(
        is_accident_claim=is_accident_claim,
        is_outside=is_outside,
        is_inpatient=invoice.visit_kind is VisitKind.INPATIENT,
        medical_type=invoice.medical_type,
        diagnosis_code=invoice.diagnosis_code.upper(),
        says_home_bed=_HOME_BED in invoice.department
        or any(_HOME_BED in line.name for line in invoice.lines),
        days_old=(began - birth_on).days,
        is_pharmacy=invoice.hospital_code.startswith("P") or invoice.medical_type == PHARMACY_TYPE,
        restricted_drugs=_restricted_drugs(invoice, catalogue, day),
        is_in_area=not hospital_area or is_in_area(snapshot.region, hospital_area),
        is_emergency=is_emergency(invoice),
        remote_status=REFERRED if REFERRED in filed else min(filed, default=""),
        is_covered=snapshot.is_covered_on(day),
        is_designated=is_designated,
        hardship=snapshot.hardship_on(day) or "",
        borne_fen=invoice.borne_fen,
        reasons=frozenset(reasons),
    )


def _restricted_drugs(invoice: Invoice, catalogue: Catalogue, day: dt.date) -> int:
    found = 0
    for code in (one.catalogue_code for one in invoice.lines if one.category_code in _DRUGS):
        match = catalogue.match(code, day)
        found += match is not None and match.item.restricted
    return found


# --- one question a cause: its basis (zh, en), or None where it does not hold --------------------

Basis = tuple[str, str] | None


def _accident(facts: CauseFacts) -> Basis:
    if facts.is_accident_claim:
        return "按意外伤害申报", "it was filed as an accident claim"
    if facts.medical_type in INJURY_TYPES:
        kind = facts.medical_type
        return f"医疗类别 {kind} 是外伤或意外", f"the medical category {kind} is an injury"
    if _INJURY.match(facts.diagnosis_code):
        code = facts.diagnosis_code
        return f"主要诊断 {code} 是损伤或外因", f"the main diagnosis {code} is an injury"
    return None


def _newborn(facts: CauseFacts) -> Basis:
    if not facts.is_inpatient or facts.days_old < 0:
        return None
    days = facts.days_old
    if days <= NEWBORN_DAYS:
        return f"入院时出生 {days} 天", f"{days} days old on admission"
    if days < _INFANT_DAYS and facts.diagnosis_code.startswith(_PERINATAL):
        code = facts.diagnosis_code
        return f"婴儿住院，诊断 {code} 属围产期", f"an infant's stay with the diagnosis {code}"
    return None


def _home_sickbed(facts: CauseFacts) -> Basis:
    if facts.says_home_bed:
        return "科室或明细写明家庭病床", "department or a line names a home sickbed"
    return None


def _special_drug(facts: CauseFacts) -> Basis:
    if facts.medical_type == SPECIAL_DRUG_TYPE:
        return "医疗类别 15 是特药", "the medical category 15 is special drugs"
    return None


def _dual_channel(facts: CauseFacts) -> Basis:
    if facts.is_pharmacy and facts.restricted_drugs:
        count = facts.restricted_drugs
        return (
            f"药店购买 {count} 行限制使用药品",
            f"{count} restricted drugs of a pharmacy",
        )
    return None


def _referred(facts: CauseFacts) -> Basis:
    if not facts.is_in_area and facts.remote_status == REFERRED:
        return "参保地以外就医，已办转诊备案", "care outside the area with a filed referral"
    return None


def _emergency(facts: CauseFacts) -> Basis:
    if facts.is_in_area or facts.remote_status not in ("", EMERGENCY):
        return None
    if facts.is_emergency or facts.remote_status == EMERGENCY:
        return "参保地以外急诊", "emergency care outside the area"
    return None


def _remote(facts: CauseFacts) -> Basis:
    if facts.is_in_area:
        return None
    if facts.remote_status:
        return "参保地以外就医，已备案", "care outside the area, filed"
    return "参保地以外就医，没有备案", "care outside the area, not filed"


def _outside(facts: CauseFacts) -> Basis:
    if facts.is_outside:
        return "票据不是医院上链的", "the hospital has not anchored the bill"
    return None


def _special_group(facts: CauseFacts) -> Basis:
    if facts.hardship:
        return "就医当天有救助身份", "the person had a hardship status on the day"
    return None


def _unclear(facts: CauseFacts) -> Basis:
    found = sorted(facts.reasons & UNCLEAR_REASONS)
    if found:
        return f"待核原因 {'、'.join(found)}", f"pended for {', '.join(found)}"
    return None


def _process_basis(facts: CauseFacts) -> Basis:
    found = sorted(facts.reasons & PROCESS_REASONS)
    if found:
        return f"待核原因 {'、'.join(found)}", f"pended for {', '.join(found)}"
    if facts.borne_fen > 0:
        return "其他方已先付一部分", "another payer bore a part first"
    return None


def _not_swiped(facts: CauseFacts) -> Basis:
    if facts.is_covered and facts.is_designated and _process_basis(facts) is None:
        return (
            "参保有效，本地定点，没有别的原因",
            "covered, at a designated place in the area, and nothing else explains it",
        )
    return None


_ORDER: Final[tuple[tuple[CauseCode, Callable[[CauseFacts], Basis]], ...]] = (
    (CauseCode.ACCIDENT, _accident),
    (CauseCode.NEWBORN, _newborn),
    (CauseCode.HOME_SICKBED, _home_sickbed),
    (CauseCode.SERIOUS_ILLNESS_DRUG, _special_drug),
    (CauseCode.DUAL_CHANNEL, _dual_channel),
    (CauseCode.REMOTE_REFERRED, _referred),
    (CauseCode.REMOTE_EMERGENCY, _emergency),
    (CauseCode.REMOTE, _remote),
    (CauseCode.OUTSIDE_BILL, _outside),
    (CauseCode.SPECIAL_GROUP, _special_group),
    (CauseCode.UNCLEAR_SCOPE, _unclear),
    (CauseCode.NOT_SWIPED, _not_swiped),
    (CauseCode.PROCESS, _process_basis),
)
