"""What opens an order beside the bill: supervision's order, a confirmed revision, the clearing."""

from __future__ import annotations

import json
from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.journal import LayerAmounts
from backend.domain.recovery import (
    Cause,
    Recovery,
    RecoveryConflictError,
    RecoveryError,
    share,
    too_much,
)
from backend.domain.supervision import SubjectKind
from backend.service_layer.claims.benefits import adjudicate_again
from backend.service_layer.claims.records import Claim
from backend.service_layer.failpoints import reach
from backend.service_layer.journal.funds import layers_of_record
from backend.service_layer.recovery.opening import Ground, borne_of, order_recovery
from backend.service_layer.recovery.ports import (
    LoweredRevision,
    OrderedLead,
    RecoveryServices,
    RecoveryWork,
)
from backend.service_layer.supervision.leads import person_of

UNASSIGNED: Final = "recovery-unassigned"
SHORT: Final = "recovery-short"


def locked_claim(work: RecoveryWork, claim_id: str) -> Claim:
    work.people.lock(work.claims.get(claim_id).person_id)
    claim: Claim = work.claims.get(claim_id, lock=True)
    return claim


# --- supervision -------------------------------------------------------------------------------


def open_of_lead(deps: RecoveryServices, lead: OrderedLead) -> bool:
    """Open what a final finding orders on the claim that it is about; the institution owes it.

    At most what the fund bore of that claim: the rest, and a finding about an institution as a
    whole, is divided by a person (:func:`assign`), and an alarm says so.
    """
    with deps.work() as work:
        claim_id = _claim_of(work, lead)
        if claim_id is None:
            work.alarms.raise_alarm(UNASSIGNED, lead.id, f"{lead.amount_fen} fen, no one claim")
            work.commit()
            return False
        claim = locked_claim(work, claim_id)
        borne = borne_of(work, claim.id)
        amount = min(lead.amount_fen, borne.total_fen)
        if not amount:
            detail = f"claim {claim.number}: the fund bears nothing of it now"
            work.alarms.raise_alarm(UNASSIGNED, lead.id, detail)
            work.commit()
            return False
        order_recovery(deps, work, claim, share(borne, amount), _ground(lead))
        work.alarms.clear(UNASSIGNED, lead.id)
        if amount < lead.amount_fen:
            detail = f"{lead.amount_fen} fen ordered, {amount} borne of claim {claim.number}"
            work.alarms.raise_alarm(SHORT, lead.id, detail)
        work.commit()
    reach("recovery.ordered")
    return True


def _claim_of(work: RecoveryWork, lead: OrderedLead) -> str | None:
    if lead.subject_kind == SubjectKind.CLAIM:
        return lead.subject_id
    if lead.subject_kind == SubjectKind.INVOICE:
        found: list[str] = work.recoveries.claims_of_invoice(lead.subject_id)
        return found[0] if found else None
    return None


def _ground(lead: OrderedLead) -> Ground:
    return Ground(Cause.FINDING, lead.id, lead.reason[:500], institution_code=lead.institution_code)


def assign(
    deps: RecoveryServices, lead_id: str, claim_number: str, amount_fen: int, *, by: str
) -> Recovery:
    """Lay a part of what a finding orders on one claim of that institution.

    Raises NotFoundError (no such order, claim, person), ForbiddenError (own institution),
    RecoveryError (another institution's bill, no amount), RecoveryConflictError (more than was
    ordered, or than the fund bears of the claim, or the claim has its part).
    """
    with deps.work() as work:
        work.leads.get(lead_id, lock=True)
        lead: OrderedLead = work.recoveries.ordered_lead(lead_id)
        person_of(work, by, lead.institution_code)
        claim = locked_claim(work, work.claims.by_number(claim_number).id)
        bill = work.claims.bill_of_version(claim.version_id)
        if bill.institution_code != lead.institution_code:
            raise RecoveryError("这张票据不是该机构的", "the bill is another institution's")
        before = work.recoveries.of_source(Cause.FINDING, lead_id)
        if any(one.order.claim_id == claim.id for one in before):
            raise RecoveryConflictError("这笔申请已分到一份", "the claim has its part already")
        left = lead.amount_fen - sum(one.order.amount_fen for one in before)
        borne = borne_of(work, claim.id)
        most = min(left, borne.total_fen)
        if not 0 < amount_fen <= most:
            raise RecoveryConflictError(
                f"这里最多可分 {most} 分", f"at most {most} fen can be laid on this claim"
            )
        made = order_recovery(deps, work, claim, share(borne, amount_fen), _ground(lead))
        if amount_fen == left:
            for code in (UNASSIGNED, SHORT):
                work.alarms.clear(code, lead_id)
        work.commit()
    reach("recovery.ordered")
    return made


# --- less than was decided ---------------------------------------------------------------------


def propose_of_revision(deps: RecoveryServices, revision: LoweredRevision) -> bool:
    """Propose what a confirmed revision gives less: two people decide whether it is owed."""
    with deps.work() as work:
        claim = locked_claim(work, revision.claim_id)
        rightful = _layers_of(deps, work, claim, revision.explanation)
        made = propose(
            deps, work, claim, rightful, Ground(Cause.LOWER, revision.id, revision.reason[:500])
        )
        if made is None:
            return False
        work.commit()
    reach("recovery.proposed")
    return True


def _layers_of(
    deps: RecoveryServices, work: RecoveryWork, claim: Claim, explanation: str
) -> LayerAmounts:
    """By layer, what people confirmed. A reopening keeps no amount: it is worked out again."""
    record = json.loads(explanation)
    if "hifp_pay_fen" not in record:
        record = adjudicate_again(deps, work, claim)[0].to_estimate()
    return layers_of_record(record)


def propose(
    deps: RecoveryServices, work: RecoveryWork, claim: Claim, rightful: LayerAmounts, ground: Ground
) -> Recovery | None:
    """Propose to recover what a paid claim got beyond ``rightful``; None when there is nothing.

    The cause is one that two people decide (a revision, the yearly clearing). The caller holds the
    claim's lock and commits. Asked again with the same ground it is the one that is there.
    """
    assert ground.cause.needs_two, "nothing is proposed that is owed at once"
    if claim.state is not ClaimState.PAID:
        return None
    layers = too_much(borne_of(work, claim.id), rightful)
    proposed: list[Recovery] = [
        one
        for one in work.recoveries.of_claim(claim.id)
        if (one.order.cause, one.order.source_id) == (ground.cause, ground.source_id)
    ]
    if proposed:
        return proposed[0]
    return order_recovery(deps, work, claim, layers, ground) if layers.total_fen else None
