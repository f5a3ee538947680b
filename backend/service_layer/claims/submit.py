"""One touch: several bills become one submission with a claim a bill, exactly once."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.errors import DomainError, NotFoundError
from backend.domain.local_time import SHANGHAI, local_day
from backend.service_layer.claims.accident import kind_of_bill, store_filed
from backend.service_layer.claims.benefits import estimate_bills, store_calculation
from backend.service_layer.claims.claimable import (
    bills_of,
    reason_not_offered,
    reason_not_payable,
    refused_for_good,
)
from backend.service_layer.claims.declaration_records import BY_CITIZEN, FiledWith
from backend.service_layer.claims.ports import BillHeldError, ClaimServices, ClaimWork
from backend.service_layer.claims.records import (
    FROM_LEDGER,
    FROM_OUTSIDE,
    Claim,
    Person,
    StoredBill,
    Submission,
)

MAX_BILLS: Final = 50
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")
_TRIES: Final = 4


class SubmissionRefusedError(DomainError):
    """The form cannot be accepted as it is; nothing was stored."""

    code = "submission-refused"


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """``is_new`` is False when this form had been accepted before (double click, back button)."""

    submission: Submission
    claims: tuple[Claim, ...]
    is_new: bool


def submit(
    deps: ClaimServices,
    person_id: str,
    invoice_ids: Sequence[str],
    form_token: str,
    *,
    has_consent: bool,
    clock_from: dt.datetime | None = None,
    filed_with: Mapping[str, FiledWith] | None = None,
    declared_by: str = BY_CITIZEN,
) -> SubmitResult:
    """Accept a submission (受理): one database commit; the ledger is not asked.

    Idempotent by ``form_token``. The promised days count from ``clock_from``, when what was handed
    in had to be checked before it could be claimed; else from now. ``filed_with`` holds, by
    invoice, the declaration of an accident and the excuse of a late filing; ``declared_by`` names
    who acted for the person. An accident claim without a declaration is accepted and waits for it.

    Raises :class:`BillHeldError` naming the earlier claims when another submission holds a bill,
    :class:`SubmissionRefusedError` for a form that is not one.
    """
    wanted = list(dict.fromkeys(invoice_ids))
    if not _TOKEN.fullmatch(form_token):
        raise SubmissionRefusedError("页面已过期，请返回首页重试", "the form has no valid token")
    if not 1 <= len(wanted) <= MAX_BILLS:
        raise SubmissionRefusedError(
            f"请选择 1 到 {MAX_BILLS} 张票据", f"tick between 1 and {MAX_BILLS} bills"
        )
    for attempt in range(_TRIES):
        with deps.work() as work:
            work.people.lock(person_id)
            before = work.claims.submission_by_token(form_token)
            if before is not None:
                return _repeated(work, before, person_id)
            if not has_consent:
                raise SubmissionRefusedError(
                    "请先勾选同意，再提交。没有提交任何内容。",
                    "tick the consent first; nothing was submitted",
                )
            try:
                result = _accept(
                    deps, work, person_id, wanted,
                    form_token=form_token, attempt=attempt, clock_from=clock_from,
                )  # fmt: skip
            except BillHeldError as error:
                # With holders: a committed earlier claim, said to the citizen. Without: another
                # transaction won the same row; what it committed is read in the next round.
                if error.holders or attempt == _TRIES - 1:
                    raise
                work.rollback()
                continue
            for claim in result.claims:
                filed = (filed_with or {}).get(claim.invoice_id)
                if filed is not None:
                    store_filed(deps, work, claim, filed, declared_by)
            work.commit()
            return result
    raise AssertionError("the loop returns or raises")


def _repeated(work: ClaimWork, before: Submission, person_id: str) -> SubmitResult:
    if before.person_id != person_id:
        raise NotFoundError("没有这次申请", "there is no such submission")
    return SubmitResult(before, tuple(work.claims.of_submission(before.id)), is_new=False)


def _accept(
    deps: ClaimServices,
    work: ClaimWork,
    person_id: str,
    wanted: list[str],
    *,
    form_token: str,
    attempt: int,
    clock_from: dt.datetime | None,
) -> SubmitResult:
    person = work.people.get(person_id)
    bills = _chosen_bills(deps, work, person, wanted)
    now = deps.clock.now()
    submission = _new_submission(
        deps, person_id, form_token, now, attempt=attempt, clock_from=clock_from or now
    )
    ordered = sorted(bills, key=lambda bill: (bill.service_on, bill.invoice_key))
    claims = tuple(
        _new_claim(deps, submission, bill, index, now) for index, bill in enumerate(ordered, 1)
    )
    # Worked out before the claims exist, so that they are not among their own year's totals.
    estimates = estimate_bills(deps, work, person, ordered)
    work.claims.add_submission(submission, claims)
    for claim in claims:
        if claim.invoice_id in estimates:  # else the policy has no rule: a person works it out
            store_calculation(deps, work, claim.id, estimates[claim.invoice_id])
    return SubmitResult(submission, claims, is_new=True)


def _chosen_bills(
    deps: ClaimServices, work: ClaimWork, person: Person, wanted: Sequence[str]
) -> list[StoredBill]:
    """The ticked bills of this person; raises when one is not theirs, held or not claimable."""
    own = {bill.invoice_id: bill for bill in bills_of(deps, work, person)}
    if not set(wanted) <= own.keys():
        raise NotFoundError("没有找到选中的票据", "a ticked bill was not found")
    holders: dict[str, Claim] = {}
    refused: list[str] = []
    for invoice_id in wanted:
        live = work.claims.live_on(invoice_id)
        if live is not None:
            holders[invoice_id] = live
            continue
        bill = own[invoice_id]
        bar = refused_for_good(work, bill, work.claims.latest_on(invoice_id))
        reason = reason_not_offered(bill, None, bar) or reason_not_payable(deps, work, person, bill)
        if reason is not None:
            refused.append(f"{bill.institution_name} {bill.service_on.isoformat()}：{reason.zh}")
    if holders:
        raise BillHeldError(holders)
    if refused:
        raise SubmissionRefusedError(
            "有票据不能报销，没有提交：" + "；".join(refused),
            "some bills cannot be claimed; nothing was submitted",
        )
    return [own[invoice_id] for invoice_id in wanted]


def working_days_after(deps: ClaimServices, at: dt.datetime, days: int) -> dt.date:
    """The date by which ``days`` working days have passed; a filing on a day off counts from
    the next working day (product reference, decision 5). Dates are those of Shanghai."""
    found: dt.date = deps.calendar.due_date(local_day(at), days)
    return found


def _new_submission(
    deps: ClaimServices,
    person_id: str,
    form_token: str,
    now: dt.datetime,
    *,
    attempt: int,
    clock_from: dt.datetime,
) -> Submission:
    submission_id = deps.ids.new_id("sub")
    digest = hashlib.sha256(f"{submission_id}/{attempt}".encode()).digest()
    running = int.from_bytes(digest[:8], "big") % 10**8
    return Submission(
        id=submission_id,
        number=f"{now.astimezone(SHANGHAI):%Y%m%d}{running:08d}",
        person_id=person_id,
        form_token=form_token,
        accepted_at=now,
        promised_on=working_days_after(deps, clock_from, deps.settings.promise_working_days),
        legal_limit_on=working_days_after(deps, clock_from, deps.settings.legal_working_days),
        consent_at=now,
    )


def _new_claim(
    deps: ClaimServices, submission: Submission, bill: StoredBill, index: int, now: dt.datetime
) -> Claim:
    return Claim(
        id=deps.ids.new_id("clm"),
        number=f"{submission.number}-{index:02d}",
        submission_id=submission.id,
        person_id=submission.person_id,
        invoice_id=bill.invoice_id,
        version_id=bill.version_id,
        live_invoice_id=bill.invoice_id,
        payer_number=deps.settings.payer_number,
        lodge_counter=None,
        state=ClaimState.SUBMITTED,
        waiting_for=None,
        decision_version=0,
        benefit_year=bill.service_on.year,
        service_on=bill.service_on,
        created_at=now,
        updated_at=now,
        kind=kind_of_bill(bill),
        origin=FROM_OUTSIDE if bill.is_outside else FROM_LEDGER,
    )
