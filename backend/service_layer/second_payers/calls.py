"""An insurer's calls: lodge, settle, release, renew (design: ledger protocol 4).

Each becomes an intent of the insurer's own payer account in the outbox, which the worker sends.
What the ledger makes of it is handed back as it is: who holds the bill, that nothing is left, that
an amount goes beyond the total. Before it is asked, only what must never reach it is refused here:
a bill that its person has not opened, one that is not genuine, and one that basic insurance has
not finished with, since a lock would stand in its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backend.domain.claim import ClaimState
from backend.domain.ledger import IntentKind, LedgerIntent
from backend.domain.second_payer import LOCK, Phase, Standing, standing_of
from backend.service_layer.claims.authenticity import Verdict, check_bill
from backend.service_layer.claims.claimable import SETTLED_KIND, reason_not_offered
from backend.service_layer.claims.records import StoredBill
from backend.service_layer.failpoints import reach
from backend.service_layer.payees.notices import announce
from backend.service_layer.second_payers.consent import live_consent
from backend.service_layer.second_payers.once import Answered, Once, answered_before, keep
from backend.service_layer.second_payers.opening import (
    consented_bill,
    decision_in_effect,
    own_claim,
)
from backend.service_layer.second_payers.ports import (
    NotOpenedError,
    PayerCallRefusedError,
    PayerPolicyError,
    PayerServices,
    PayerWork,
    calls_of,
)
from backend.service_layer.second_payers.records import Consent, PayerClaim, SecondPayer

REASON_REFUSED: Final = 1
REASON_LAPSED: Final = 2
_FINISHED: Final = (ClaimState.SETTLED, ClaimState.PAYING, ClaimState.PAID)
_NO_DECISION: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an insurer decided: the fingerprint of its document, by which published policy."""

    fingerprint: bytes
    policy_hash: bytes


def lodge(deps: PayerServices, payer: SecondPayer, invoice_id: str, once: Once) -> Answered:
    """Ask the ledger to lock an opened bill for the payer.

    Raises NotOpenedError without a live consent, PayerCallRefusedError with its reason for a bill
    that cannot be lodged now, LedgerUnavailableError.
    """
    before = answered_before(deps, payer, once)
    if before is not None:
        return before
    with deps.work(write=False) as work:
        consent = _live(deps, work, payer, invoice_id)
        bill = consented_bill(deps, work, consent)
    found = deps.ledger.bill(bill.invoice_key)
    _require_genuine(deps, bill)
    slot = found.slot
    is_ours = slot.open_payer == payer.number
    counter = slot.lodge_counter + (0 if is_ours else 1)  # our own lock again changes nothing
    deadline = slot.deadline if is_ours else int((found.head.at + LOCK).timestamp())
    with deps.work() as work:
        work.people.lock(consent.person_id)
        consent = _live(deps, work, payer, invoice_id)
        now_bill = consented_bill(deps, work, consent)
        earlier = work.second_payers.claims_on(payer.number, invoice_id)
        _require_free(deps, work, earlier)
        _require_lodgeable(work, now_bill, bill)
        position = work.batches.position_of(bill.version_id)
        account = work.claims.payer_account(payer.number)
        if position is None or account is None:
            raise _refused(
                "not-anchored-yet",
                "票据还没有上链；请过几分钟再试",
                "the bill is not on the ledger yet: try again in a few minutes",
            )
        claim = PayerClaim(
            id=deps.ids.new_id("pcl"),
            payer_number=payer.number,
            person_id=consent.person_id,
            invoice_id=invoice_id,
            version_id=bill.version_id,
            invoice_key=bill.invoice_key,
            consent_id=consent.id,
            lodge_counter=counter,
            attempt=len(earlier) + 1,
            created_at=deps.clock.now(),
        )
        work.second_payers.add_claim(claim)
        payload = {"position": position.to_payload(), "payer": payer.number}
        payload |= {"counter": counter, "deadline": deadline}
        _enqueue(deps, work, claim, IntentKind.LODGE, payload)
        _tell(
            deps,
            work,
            payer,
            claim.person_id,
            zh="登记了您的一张票据，准备理赔",
            en="has locked one of your bills and prepares to pay",
        )
        done = keep(deps, work, payer, once, claim)
        work.commit()
    reach("second-payers.lodge-enqueued")
    return done


def _live(deps: PayerServices, work: PayerWork, payer: SecondPayer, invoice_id: str) -> Consent:
    consent = live_consent(work, payer.number, invoice_id, deps.clock.now())
    if consent is None:
        raise NotOpenedError
    return consent


def _require_genuine(deps: PayerServices, bill: StoredBill) -> None:
    """The stored bill is what its batch on the ledger holds, compared in this very call."""
    verdict = check_bill(deps, bill.public_token).verdict
    if verdict is Verdict.ALTERED:
        raise _refused(
            "payer-bill-altered",
            "票据与账本上的指纹对不上，平台已收到报警；请不要赔付，等平台答复",
            "the stored bill differs from its fingerprint on the ledger: do not pay, the operator "
            "looks into it",
        )
    if verdict is Verdict.CANNOT_TELL:
        raise _refused(
            "not-anchored-yet",
            "票据还没有上链，或账本暂时连不上；请过几分钟再试",
            "not on the ledger yet, or it is silent: try again in a few minutes",
        )


def _require_free(deps: PayerServices, work: PayerWork, earlier: list[PayerClaim]) -> None:
    if not earlier:
        return
    standing = standing_of(calls_of(work, earlier[-1]), deps.clock.now())
    if standing.phase is Phase.SETTLED:
        raise _refused(
            "payer-settled-before",
            f"您已核销过这张票据（{earlier[-1].id}），一方只能核销一次，不用再登记",
            f"you have settled this bill as {earlier[-1].id}: a payer settles once",
        )
    if not standing.is_over:
        raise _refused(
            "payer-claim-open",
            f"您已有一笔登记 {earlier[-1].id}，请在那一笔上继续",
            f"you hold claim {earlier[-1].id}: go on with that one",
        )


def _require_lodgeable(work: PayerWork, bill: StoredBill, seen: StoredBill) -> None:
    stop = reason_not_offered(bill)
    if stop is not None and not (bill.kind == SETTLED_KIND and stop.code == "settled-online"):
        raise _refused("payer-bill-stopped", stop.zh, stop.en)
    if bill.is_disputed or bill.is_ruled_against:
        raise _refused(
            "payer-bill-stopped",
            "票号有争议，工作人员正在核实；请过几天再试",
            "the number is disputed and being looked into: try again in some days",
        )
    if bill.version_id != seen.version_id:
        raise _refused(
            "payer-bill-stopped", "票据刚刚更正过，请重读", "just corrected: read it again"
        )
    if bill.kind == SETTLED_KIND:
        return
    live = work.claims.live_on(bill.invoice_id)
    is_finished = live is None or live.state in _FINISHED
    if not is_finished or decision_in_effect(work, bill.invoice_id) is None:
        raise _refused(
            "payer-basic-first",
            "基本医保还没有办完这张票据；请等办完以后再登记剩余部分",
            "basic insurance has not finished with this bill; lodge the remainder afterwards",
        )


def settle(
    deps: PayerServices,
    payer: SecondPayer,
    claim_id: str,
    once: Once,
    *,
    amount_fen: int,
    ruling: Ruling,
) -> Answered:
    """Ask the ledger to settle ``amount_fen`` under a lock that is final.

    The amount is not checked here: beyond the total the ledger refuses it, and the lock stays.
    Raises NotOpenedError, PayerCallRefusedError, PayerPolicyError, LedgerUnavailableError.
    """
    before = answered_before(deps, payer, once)
    if before is not None:
        return before
    _require_policy(deps, payer, claim_id, ruling)
    with deps.work() as work:
        claim, standing = _locked(deps, work, payer, claim_id)
        if live_consent(work, payer.number, claim.invoice_id, deps.clock.now()) is None:
            raise _consent_ended()
        _require(standing, Phase.LODGED, Phase.LAPSED)
        payload = _claim_payload(claim) | {"amount": amount_fen} | _ruling_payload(ruling)
        _enqueue(deps, work, claim, IntentKind.SETTLE, payload)
        _tell(
            deps,
            work,
            payer,
            claim.person_id,
            zh="正在核销您的一张票据",
            en="is settling one of your bills",
        )
        done = keep(deps, work, payer, once, claim)
        work.commit()
    reach("second-payers.settle-enqueued")
    return done


def release(
    deps: PayerServices, payer: SecondPayer, claim_id: str, once: Once, ruling: Ruling | None
) -> Answered:
    """Give the lock back: with a ``ruling`` as a refusal that can be proved, else as given up.

    Needs no consent any more. Raises like :func:`settle`.
    """
    before = answered_before(deps, payer, once)
    if before is not None:
        return before
    if ruling is not None:
        _require_policy(deps, payer, claim_id, ruling)
    with deps.work() as work:
        claim, standing = _locked(deps, work, payer, claim_id)
        _require(standing, Phase.LODGED, Phase.LAPSED)
        enqueue_release(deps, work, claim, ruling)
        done = keep(deps, work, payer, once, claim)
        work.commit()
    reach("second-payers.release-enqueued")
    return done


def renew(deps: PayerServices, payer: SecondPayer, claim_id: str, once: Once) -> Answered:
    """Ask for a later deadline, counted from the ledger's time. Raises like :func:`settle`."""
    before = answered_before(deps, payer, once)
    if before is not None:
        return before
    with deps.work(write=False) as work:
        own_claim(work, payer, claim_id)
    deadline = int((deps.ledger.head().at + LOCK).timestamp())
    with deps.work() as work:
        claim, standing = _locked(deps, work, payer, claim_id)
        if live_consent(work, payer.number, claim.invoice_id, deps.clock.now()) is None:
            raise _consent_ended()
        _require(standing, Phase.LODGED, Phase.LAPSED)
        _enqueue(
            deps, work, claim, IntentKind.RENEW, _claim_payload(claim) | {"deadline": deadline}
        )
        done = keep(deps, work, payer, once, claim)
        work.commit()
    return done


def enqueue_release(
    deps: PayerServices, work: PayerWork, claim: PayerClaim, ruling: Ruling | None
) -> None:
    """The intent that gives a claim's lock back."""
    reason = REASON_LAPSED if ruling is None else REASON_REFUSED
    decision = _ruling_payload(ruling or Ruling(_NO_DECISION, _NO_DECISION))
    if ruling is None:
        decision["decision_version"] = 0
    _enqueue(
        deps,
        work,
        claim,
        IntentKind.RELEASE,
        _claim_payload(claim) | {"reason": reason} | decision,
    )


def enqueue_expiry(deps: PayerServices, work: PayerWork, claim: PayerClaim) -> bool:
    """The intent that ends a lock whose deadline has passed; anybody may send it. Asked for once a
    day: for seven days after a pause the ledger says *not due*."""
    account = work.claims.payer_account(claim.payer_number)
    assert account is not None, "a payer with a claim has an account"
    return work.outbox.add(
        LedgerIntent(
            id=deps.ids.new_id("int"),
            kind=IntentKind.EXPIRE,
            account=account,
            held=True,
            dedupe_key=f"expire:{claim.id}:{deps.clock.now().date().isoformat()}",
            subject_id=claim.id,
            payload={"invoice_key": claim.invoice_key.hex(), "counter": claim.lodge_counter},
        )
    )


def _locked(
    deps: PayerServices, work: PayerWork, payer: SecondPayer, claim_id: str
) -> tuple[PayerClaim, Standing]:
    """The payer's claim and how it stands, while nobody else may change it."""
    claim = own_claim(work, payer, claim_id)
    work.people.lock(claim.person_id)
    return claim, standing_of(calls_of(work, claim), deps.clock.now())


def _consent_ended() -> PayerCallRefusedError:
    return _refused(
        "payer-consent-ended",
        "本人的同意已到期或撤回，登记会自动放开；要继续，请本人重新同意后再登记",
        "the consent has ended and the lock is given back; ask the person for another consent and "
        "lodge again",
    )


def _require(standing: Standing, *phases: Phase) -> None:
    if standing.phase in phases:
        return
    zh, en = "请按申请里的 links 做下一步", "do what the claim's links offer"
    if standing.is_over:
        zh, en = "这笔已办结；要再办，请重新登记", "it is over; lodge again to go on"
    elif standing.phase is not Phase.HELD:
        zh, en = "请等账本的结果，再看这笔申请", "wait for the ledger and read the claim again"
    raise _refused(
        "payer-wrong-state",
        f"申请现在的状态是 {standing.phase}，不能做这一步：{zh}",
        f"the claim is {standing.phase}, so this call is not possible now: {en}",
    )


def _require_policy(deps: PayerServices, payer: SecondPayer, claim_id: str, ruling: Ruling) -> None:
    with deps.work(write=False) as work:
        own_claim(work, payer, claim_id)
    if not deps.ledger.policy_published_at(ruling.policy_hash):
        raise PayerPolicyError(
            "账本上没有公布过这个条款指纹，请先由平台公布",
            "no policy with this hash was published on the ledger: have it published first",
        )


def _refused(code: str, zh: str, en: str) -> PayerCallRefusedError:
    return PayerCallRefusedError(zh, en, code=code)


def _claim_payload(claim: PayerClaim) -> dict[str, Any]:
    return {
        "invoice_key": claim.invoice_key.hex(),
        "payer": claim.payer_number,
        "counter": claim.lodge_counter,
    }


def _ruling_payload(ruling: Ruling) -> dict[str, Any]:
    return {
        "decision_fingerprint": ruling.fingerprint.hex(),
        "decision_version": 1,
        "policy_hash": ruling.policy_hash.hex(),
    }


def _enqueue(
    deps: PayerServices,
    work: PayerWork,
    claim: PayerClaim,
    kind: IntentKind,
    payload: dict[str, Any],
) -> None:
    account = work.claims.payer_account(claim.payer_number)
    assert account is not None, "a payer with a claim has an account"
    tries = len(work.outbox.of_subject(claim.id, kind))
    work.outbox.add(
        LedgerIntent(
            id=deps.ids.new_id("int"),
            kind=kind,
            account=account,
            held=True,
            dedupe_key=f"{kind}:{claim.id}:{tries}",
            subject_id=claim.id,
            payload=payload,
        )
    )


def _tell(
    deps: PayerServices, work: PayerWork, payer: SecondPayer, person_id: str, *, zh: str, en: str
) -> None:
    announce(
        deps, work, person_id, "payer-call", zh=f"“{payer.name}”{zh}。", en=f"“{payer.name}” {en}."
    )  # fmt: skip
