"""Care inside or outside the insured area: which of the pack's remote statuses a bill has.

Domain reference 3.1 step 2 and 3.4: care elsewhere is paid by a factor on the ratio, or after an
amount paid first, according to what the person had filed (异地备案). The pack names its statuses;
a filing names one of them. What was filed late counts as well, since only the days that the filing
covers matter here.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from backend.domain.bill import LOCAL_CARE
from backend.domain.invoice import Invoice
from backend.domain.person import PersonSnapshot
from backend.domain.policy import PolicyPack, RemoteModel

LONG_TERM: Final = "long-term-filed"
REFERRED: Final = "referred-filed"
EMERGENCY: Final = "emergency-not-filed"
OWN_CHOICE: Final = "own-choice"
UNFILED: Final = (LOCAL_CARE, EMERGENCY, OWN_CHOICE)
"""Statuses that follow from the bill alone; nobody files them."""

EMERGENCY_TYPES: Final = ("13", "24")
_EMERGENCY_WORDS: Final = ("急诊", "急救", "抢救")


def is_in_area(region: str, hospital_area: str) -> bool:
    """Whether a hospital lies in the insured area: ``region`` 330800 is the whole city 3308,
    110000 the whole of Beijing, 330802 one district."""
    prefix = region
    while len(prefix) > 2 and prefix.endswith("00"):
        prefix = prefix[:-2]
    return bool(prefix) and hospital_area.startswith(prefix)


def is_emergency(invoice: Invoice) -> bool:
    """Whether the bill says that it was an emergency, by its med_type (13 急诊, 24 急诊转住院) or
    its department, where hospitals and the people who check outside bills write it; an unmarked
    bill is none."""
    return invoice.medical_type in EMERGENCY_TYPES or any(
        word in invoice.department for word in _EMERGENCY_WORDS
    )


def derive_remote_status(
    pack: PolicyPack,
    person: PersonSnapshot,
    hospital_area: str,
    day: dt.date,
    is_emergency: bool,
) -> str:
    """The remote status of care on ``day`` in ``hospital_area`` (six-digit area code).

    Local inside the insured area; outside it the filing that covers area and day (of several the
    one that is best for the person), else emergency, else the person's own choice. Raises
    :class:`PolicyError` when the pack has no rule of that status.
    """
    if is_in_area(person.region, hospital_area):
        return pack.remote_rule(LOCAL_CARE).status
    filed = {one.status for one in person.filings if one.holds_for(hospital_area, day)}
    if not filed:
        return pack.remote_rule(EMERGENCY if is_emergency else OWN_CHOICE).status
    rules = [pack.remote_rule(status) for status in sorted(filed)]
    is_factor = pack.remote_model is RemoteModel.FACTOR
    best = max(rules, key=lambda rule: rule.value_bp if is_factor else -rule.value_bp)
    return best.status
