"""What a person can claim now, what they cannot and why, and what it would come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.claim import ClaimState, StageOutcome
from backend.domain.errors import DomainError
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.policy import PolicyError
from backend.service_layer.claims.benefits import estimate_alone, estimate_bills, pick_pack
from backend.service_layer.claims.ports import IDENTITY_PURPOSE, ClaimServices, ClaimWork
from backend.service_layer.claims.records import MISMATCH, Claim, Person, Reason, StoredBill

CLAIMABLE_KIND = 1
SETTLED_KIND = 2
RED_KIND = 3
INVOICE_ACTIVE = "active"
DISPUTED = "disputed"
RULED_AGAINST = "ruled-against"
UNREADABLE = "bill-unreadable"


@dataclass(frozen=True, slots=True)
class OfferedBill:
    """A bill that can be ticked. ``is_stamped``: its batch is final on the ledger."""

    bill: StoredBill
    is_stamped: bool


@dataclass(frozen=True, slots=True)
class WithheldBill:
    """A bill of the person that cannot be claimed now, with the reason and the claim if any."""

    bill: StoredBill
    reason: Reason
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Claimable:
    offered: tuple[OfferedBill, ...]
    withheld: tuple[WithheldBill, ...]


_REASONS = {
    "void": Reason("void", "医院已作废这张票据", "the hospital has voided this bill"),
    "reversed": Reason(
        "reversed", "医院已对这张票据开具红票", "the hospital has reversed this bill"
    ),
    "red": Reason("red", "这是红票（退费），不能报销", "a red bill (refund) is not claimable"),
    "settled-online": Reason(
        "settled-online",
        "看病时医保已经联网结算，不用再报",
        "basic insurance settled this bill online already",
    ),
    RULED_AGAINST: Reason(
        RULED_AGAINST,
        "两家医院上传了相同号码的票据，核实后这一张没有被认定",
        "two hospitals sent this number; the ruling went against this bill",
    ),
    DISPUTED: Reason(
        DISPUTED,
        "两家医院上传了相同号码的票据，正在核实，请等待或拨打电话",
        "two hospitals sent this number; it is being looked into",
    ),
    "claimed": Reason("claimed", "已经申请报销", "claimed already"),
    "refused": Reason(
        "refused", "上次申请经核定不予报销", "a decision refused the last claim of this bill"
    ),
    MISMATCH: Reason(
        MISMATCH,
        "存储的票据与账本上的指纹对不上，工作人员正在处理",
        "the stored bill is not what the ledger holds of it; staff look into it",
    ),
    UNREADABLE: Reason(
        UNREADABLE,
        "系统里这张票据的内容有损坏，算不出金额，已报警，工作人员正在处理",
        "the stored bill is damaged and gives no amount; an alarm was raised",
    ),
}


def reason_not_offered(
    bill: StoredBill, live: Claim | None = None, bar: Reason | None = None
) -> Reason | None:
    """Why a bill cannot be ticked, or None when it can. Exact facts only; ``bar`` is what
    :func:`refused_for_good` says of its latest claim."""
    code = None
    if bill.kind == RED_KIND:
        code = "red"
    elif bill.state in ("void", "reversed"):
        code = bill.state
    elif bill.kind == SETTLED_KIND:
        code = "settled-online"
    elif bill.is_ruled_against:
        code = RULED_AGAINST
    elif bill.is_disputed:
        code = DISPUTED
    elif live is not None:
        code = "claimed"
    elif bar is not None:
        return bar
    elif bill.kind != CLAIMABLE_KIND or bill.state != INVOICE_ACTIVE:
        code = "void"
    return None if code is None else _REASONS[code]


def refused_for_good(work: ClaimWork, bill: StoredBill, latest: Claim | None) -> Reason | None:
    """Why the same version cannot be claimed again: a decision refused it, or it is not what the
    ledger holds. Any other refusal (another payer held it, no cover then) may have passed."""
    if (
        latest is None
        or latest.state is not ClaimState.REFUSED
        or latest.version_id != bill.version_id
    ):
        return None
    decision = work.decisions.latest(latest.id)
    if decision is not None and decision.outcome == "refused":
        return _REASONS["refused"]
    refused = [
        row for row in work.claims.stages_of(latest.id) if row.outcome is StageOutcome.REFUSED
    ]
    if refused and any(reason.code == MISMATCH for reason in refused[-1].reasons):
        return _REASONS[MISMATCH]
    return None


def bills_of(deps: ClaimServices, work: ClaimWork, person: Person) -> list[StoredBill]:
    lookup = deps.secret_box.lookup(IDENTITY_PURPOSE, person.identity_number)
    return work.claims.bills_of(lookup)


def list_claimable(deps: ClaimServices, work: ClaimWork, person: Person) -> Claimable:
    """The person's bills, in (visit date, invoice key) order newest first."""
    offered, withheld = [], []
    for bill in bills_of(deps, work, person):
        live = work.claims.live_on(bill.invoice_id)
        latest = live or work.claims.latest_on(bill.invoice_id)
        reason = reason_not_offered(
            bill, live, refused_for_good(work, bill, latest)
        ) or reason_not_payable(deps, work, person, bill)
        if reason is not None:
            withheld.append(WithheldBill(bill, reason, latest))
            continue
        anchor = work.batches.anchor_of(bill.version_id)
        offered.append(OfferedBill(bill, anchor is not None and anchor.is_final))
    return Claimable(tuple(offered), tuple(withheld))


def reason_not_payable(
    deps: ClaimServices, work: ClaimWork, person: Person, bill: StoredBill
) -> Reason | None:
    """Why no amount can be worked out for the bill alone. Such a bill must not keep the others
    from being estimated and claimed. Where a policy is in force that has no rule for the case,
    the bill is offered without an amount: a person works it out."""
    try:
        pick_pack(deps.packs, deps.settings.region, bill.service_on)
    except PolicyError as error:
        return Reason("no-policy", error.zh, error.en)
    try:
        estimate_alone(deps, work, person, bill)
    except PolicyError:
        return None
    except DomainError:
        return _REASONS[UNREADABLE]
    return None


def report_unreadable(deps: ClaimServices, found: Claimable) -> None:
    """Raise an alarm for each bill whose stored record gives no amount."""
    damaged = [entry.bill for entry in found.withheld if entry.reason.code == UNREADABLE]
    if not damaged:
        return
    with deps.work() as work:
        for bill in damaged:
            work.alarms.raise_alarm(UNREADABLE, bill.version_id, "no amount can be worked out")
        work.commit()


def estimate(
    deps: ClaimServices, work: ClaimWork, person: Person, bills: Sequence[StoredBill]
) -> dict[str, ExplanationOfBenefits]:
    """Explanations by invoice id of the ticked bills together; they share the yearly totals."""
    return estimate_bills(deps, work, person, bills)
