"""The yearly statement per hospital (requirement H16): its manual claims count in its year.

Amounts by layer are what the journal has the funds bear; each claim is compared with its decision
and orders, and one that differs is named. Bills settled at the counter stand apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from backend.domain.claim import ClaimState
from backend.domain.clearing import HospitalYear, ManualClaim, require_year
from backend.domain.errors import NotFoundError
from backend.service_layer.clearing.ports import ClearingServices, ClearingWork
from backend.service_layer.clearing.records import StatedClaim
from backend.service_layer.clearing.taken import opened, total
from backend.service_layer.journal.funds import layers_of_record

PAGE: Final = 500
"""Claims or bills in one transaction; memory holds that many and the sums."""


def _tell_nobody(claim: ManualClaim) -> None:
    """The default of ``report``."""


def yearly_statement(
    deps: ClearingServices,
    year: int,
    hospital: str | None = None,
    report: Callable[[ManualClaim], None] = _tell_nobody,
) -> list[HospitalYear]:
    """A year by hospital, in the order of their codes; one hospital's alone where it is named.

    ``report`` is called with each manual claim that counts. A claim on a bill that is void or
    reversed does not count, but what the funds still bear of it is named among ``untied``.
    Raises :class:`ClearingError` for a year that is none, NotFoundError for an unknown hospital.
    """
    require_year(year, deps.clock.now(), may_be_open=True)
    years: dict[str, HospitalYear] = {}
    if hospital is not None:
        years[hospital] = HospitalYear(hospital)
    _add_claims(deps, year, hospital, years, report)
    _add_settled(deps, year, hospital, years)
    if hospital is not None and not years[hospital].is_known:
        with deps.work(write=False) as work:
            if work.institutions.find(hospital) is None:
                raise NotFoundError(
                    f"没有编码为 {hospital} 的机构，也没有它的票据",
                    f"there is no institution {hospital}, and no bill of one",
                )
    return [years[code] for code in sorted(years)]


def _add_claims(
    deps: ClearingServices,
    year: int,
    hospital: str | None,
    years: dict[str, HospitalYear],
    report: Callable[[ManualClaim], None],
) -> None:
    after = ""
    while True:
        with deps.work(write=False) as work:
            page = work.clearings.stated_claims(year, hospital, after, PAGE)
            borne = work.clearings.borne_by([row.claim_id for row in page])
            for row in page:
                record = json.loads(row.explanation)
                code = str(record["hospital_code"])
                if hospital is not None and code != hospital:
                    continue
                of_hospital = years.setdefault(code, HospitalYear(code))
                if not row.is_bill_active:
                    if borne[row.claim_id]:
                        of_hospital.untied.append(row.number)
                    continue
                claim = _manual(work, row, record, dict(borne[row.claim_id]))
                of_hospital.add(claim)
                report(claim)
        if len(page) < PAGE:
            return
        after = page[-1].claim_id


def _manual(
    work: ClearingWork, row: StatedClaim, record: dict[str, Any], borne: dict[str, int]
) -> ManualClaim:
    orders = opened(work, row.claim_id)
    waived = [one.waiver.amount_fen for one in orders if one.waiver is not None]
    return ManualClaim(
        number=row.number,
        hospital_code=str(record["hospital_code"]),
        total_fen=record["medfee_sumamt_fen"],
        in_scope_fen=record["inscp_scp_amt_fen"],
        decided=layers_of_record(record),
        taken=total(orders),
        waived_fen=sum(waived),
        borne=borne,
        is_booked=row.state == ClaimState.PAID,
    )


def _add_settled(
    deps: ClearingServices, year: int, hospital: str | None, years: dict[str, HospitalYear]
) -> None:
    after = ""
    while True:
        with deps.work(write=False) as work:
            page = work.clearings.settled_bills(year, hospital, after, PAGE)
        for bill in page:
            fund = int(json.loads(bill.header).get("fund_pay_fen", 0))
            code = bill.institution_code
            years.setdefault(code, HospitalYear(code)).add_settled(bill.total_fen, fund)
        if len(page) < PAGE:
            return
        after = page[-1].version_id
