"""The agency as an issuer of the ledger: it anchors bills from outside after its review.

It has a number and an account of its own, apart from its payer accounts; the account's key is
held here, so that the ledger says *custodial*.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from backend.adapters.ledger.network import Network
from backend.domain.errors import ConflictError
from backend.service_layer.intake.records import CUSTODIAL, Institution
from backend.service_layer.outside.records import AGENCY

if TYPE_CHECKING:
    from backend.bootstrap import Services

#: Bills from outside are taken by their own rules; no agreement of a hospital limits them.
_FIRST_DAY: Final = dt.date(2000, 1, 1)
_LAST_DAY: Final = dt.date(2099, 12, 31)
_GRACE_DAYS: Final = 365


def default_code(region: str) -> str:
    """The code under which a region's agency is registered as issuer."""
    return f"A{region}"


def register_agency(services: Services, network: Network, code: str, name: str) -> Institution:
    """Register the agency on the ledger and here; what is there already is left as it is.

    Raises ConflictError where the agency has another code, or the code is a hospital's.
    """
    with services.work(write=False) as work:
        there = work.outside.agency_code()
        found = work.institutions.find(code)
    if there not in (None, code) or (found is not None and found.role != AGENCY):
        raise ConflictError(
            f"经办机构已登记为 {there}，或 {code} 是一家医院",
            f"the agency is {there} already, or {code} is a hospital",
        )
    done = network.register_institution(
        code,
        agreement_from=_FIRST_DAY,
        agreement_until=_LAST_DAY,
        grace_days=_GRACE_DAYS,
        custody=CUSTODIAL,
    )
    if found is not None:
        return found
    record = Institution(
        code=code,
        name=name,
        level=1,
        area_code=services.settings.region,
        custody=CUSTODIAL,
        agreement_from=_FIRST_DAY,
        agreement_until=_LAST_DAY,
        grace_days=_GRACE_DAYS,
        ledger_number=done.number,
        ledger_account=done.account,
        created_at=services.clock.now(),
        role=AGENCY,
    )
    with services.work() as work:
        work.institutions.add(record)
        work.commit()
    return record
