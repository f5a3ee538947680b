"""What a person can claim now, what they cannot and why, and what it would come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.claim import ClaimState
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.policy import PolicyError
from backend.service_layer.claims.benefits import estimate_bills, pick_pack
from backend.service_layer.claims.ports import IDENTITY_PURPOSE, ClaimServices, ClaimWork
from backend.service_layer.claims.records import Claim, Person, Reason, StoredBill

CLAIMABLE_KIND = 1
SETTLED_KIND = 2
RED_KIND = 3
INVOICE_ACTIVE = "active"


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
    "disputed": Reason(
        "disputed",
        "两家医院上传了相同号码的票据，正在核实，请等待或拨打电话",
        "two hospitals sent this number; it is being looked into",
    ),
    "claimed": Reason("claimed", "已经申请报销", "claimed already"),
    "refused": Reason("refused", "上次申请未通过", "the last claim was refused"),
}


def reason_not_offered(bill: StoredBill, live: Claim | None, latest: Claim | None) -> Reason | None:
    """Why a bill cannot be ticked, or None when it can. Exact facts only."""
    code = None
    if bill.kind == RED_KIND:
        code = "red"
    elif bill.state in ("void", "reversed"):
        code = bill.state
    elif bill.kind == SETTLED_KIND:
        code = "settled-online"
    elif bill.is_disputed:
        code = "disputed"
    elif live is not None:
        code = "claimed"
    elif (
        latest is not None
        and latest.state is ClaimState.REFUSED
        and latest.version_id == bill.version_id
    ):
        code = "refused"
    elif bill.kind != CLAIMABLE_KIND or bill.state != INVOICE_ACTIVE:
        code = "void"
    return None if code is None else _REASONS[code]


def bills_of(deps: ClaimServices, work: ClaimWork, person: Person) -> list[StoredBill]:
    lookup = deps.secret_box.lookup(IDENTITY_PURPOSE, person.identity_number)
    return work.claims.bills_of(lookup)


def list_claimable(deps: ClaimServices, work: ClaimWork, person: Person) -> Claimable:
    """The person's bills, in (visit date, invoice key) order newest first."""
    offered, withheld = [], []
    for bill in bills_of(deps, work, person):
        live = work.claims.live_on(bill.invoice_id)
        latest = live or work.claims.latest_on(bill.invoice_id)
        reason = reason_not_offered(bill, live, latest) or _policy_gap(deps, bill)
        if reason is not None:
            withheld.append(WithheldBill(bill, reason, latest))
            continue
        anchor = work.batches.anchor_of(bill.version_id)
        offered.append(OfferedBill(bill, anchor is not None and anchor.is_final))
    return Claimable(tuple(offered), tuple(withheld))


def _policy_gap(deps: ClaimServices, bill: StoredBill) -> Reason | None:
    """A bill of a day without a policy in force must not keep the others from being estimated."""
    try:
        pick_pack(deps.packs, deps.settings.region, bill.service_on)
    except PolicyError as error:
        return Reason("no-policy", error.zh, error.en)
    return None


def estimate(
    deps: ClaimServices, work: ClaimWork, person: Person, bills: Sequence[StoredBill]
) -> dict[str, ExplanationOfBenefits]:
    """Explanations by invoice id of the ticked bills together; they share the yearly totals."""
    return estimate_bills(deps, work, person, bills)
