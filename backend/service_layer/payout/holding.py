"""Why money does not leave now. Each reason is a code on the claim, with words on its page.

Nothing is lost by it: a held payable is looked at again in every run, and goes on by itself when
its reason has ended.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from backend.domain.ledger import SlotState
from backend.domain.payout import BANK_SIDE, PAYEE_SIDE, may_try_again
from backend.service_layer.claims.final_slots import is_behind
from backend.service_layer.claims.holds import NEXT_RUN, are_payouts_held
from backend.service_layer.claims.holds import WAITING as LEDGER_DIFFERS
from backend.service_layer.claims.records import Claim, Payout, StoredBill
from backend.service_layer.claims.supplement import payments_in_effect
from backend.service_layer.payout.ports import PayoutServices, PayoutWork
from backend.service_layer.payout.records import HELD_BY_ACCOUNT, PayeeAccount
from backend.service_layer.payout.stored import Tried
from backend.service_layer.ports import FinalSlot

SLOT: Final = "payout-held"  # the ledger does not show it as payable
UNREAD: Final = "payout-ledger"  # no node can tell now
STOPPED: Final = "payout-stopped"  # a person has stopped it
CASE: Final = "payout-case"  # a mismatch of the reconciliation is open
PAYEE: Final = "payee"  # rejected or returned: the account must be corrected
BANK_RETRY: Final = "bank-retry"  # the bank's own fault: tried again
DESK: Final = "payout-desk"  # rejected for a reason that only the agency can mend
FUND_SHORT: Final = "fund-short"
NO_DEBIT_ACCOUNT: Final = "debit-account-missing"  # the fund's region has no account to pay from
HELD_CODES: Final = (
    LEDGER_DIFFERS, NEXT_RUN, SLOT, UNREAD, STOPPED, CASE, PAYEE, BANK_RETRY, FUND_SHORT,
    DESK, NO_DEBIT_ACCOUNT, *HELD_BY_ACCOUNT,
)  # fmt: skip
"""Every ``waiting_for`` that this package sets on a claim."""

CASE_KEY: Final = "holds_payout_of"
"""The key of an open case's detail under which it names the claim whose money it holds."""

_WITHDRAWN: Final = ("void", "reversed")  # known here before the ledger shows it as final
_STOPPED_FLAGS: Final = SlotState.VOID | SlotState.REVERSED | SlotState.ON_PAPER


@dataclass(frozen=True, slots=True)
class Ready:
    """A payable that may be instructed, with the account and the number of the attempt."""

    payout: Payout
    claim: Claim
    account: PayeeAccount
    attempt: int


@dataclass(frozen=True, slots=True)
class Held:
    payout: Payout
    claim: Claim
    reason: str


@dataclass(frozen=True, slots=True)
class Stops:
    """What holds payments in one transaction, asked once for all of them: whether every one, and
    the ids of claims whose payment an open case of the reconciliation holds."""

    is_everything: bool
    with_case: frozenset[str]


def read_stops(work: PayoutWork) -> Stops:
    """The stops that stand in this transaction."""
    cases = work.reconciliation.holding_cases()
    with_case = frozenset(case.detail[CASE_KEY] for case in cases if CASE_KEY in case.detail)
    return Stops(are_payouts_held(work), with_case)


def judge(
    deps: PayoutServices, work: PayoutWork, payout: Payout, now: dt.datetime, stops: Stops
) -> Ready | Held | None:
    """Whether a payable may be instructed now, as far as the database knows; None when it is
    under way or paid, or fell away."""
    tried = work.payments.tried(payout.id)
    last = tried[-1] if tried else None
    if (last is not None and not last.has_failed) or work.payments.fell_away(payout.id):
        return None
    claim = work.claims.get(payout.claim_id)
    reason = _stop(work, claim, stops)
    if reason is not None:
        return Held(payout, claim, reason)
    found = deps.payees.account_for(work, claim.person_id, now)
    if found.account is None:
        return Held(payout, claim, found.reason)
    if last is not None and not _may_follow(work, last, found.account):
        assert last.answer is not None, "an attempt that failed was answered"
        is_desks = waiting_after_failure(last.answer.reason_code) == DESK
        return Held(payout, claim, DESK if is_desks else PAYEE)
    return Ready(payout, claim, found.account, len(tried) + 1)


def _stop(work: PayoutWork, claim: Claim, stops: Stops) -> str | None:
    if stops.is_everything:
        return LEDGER_DIFFERS
    hold = work.payments.last_hold(claim.id)
    if hold is not None and hold.action == "hold":
        return STOPPED
    return CASE if claim.id in stops.with_case else None


def _may_follow(work: PayoutWork, last: Tried, account: PayeeAccount) -> bool:
    answer = last.answer
    assert answer is not None, "an attempt that failed was answered"
    hold = work.payments.last_hold(last.attempt.claim_id)
    return may_try_again(
        last.attempt.attempt,
        answer.reason_code,
        is_other_account=account.version != last.attempt.account_version,
        is_released=hold is not None and hold.action == "release" and hold.at > answer.booked_at,
    )


def waiting_after_failure(reason_code: str) -> str:
    """What a claim waits for whose payment was rejected or returned."""
    if reason_code in BANK_SIDE:
        return BANK_RETRY
    return PAYEE if reason_code in PAYEE_SIDE else DESK


@dataclass(frozen=True, slots=True)
class Bar:
    """Why the ledger lets nothing be paid now: the code of the claim, and words for an operator."""

    code: str
    detail: str


def slot_bars(work: PayoutWork, claim: Claim, bill: StoredBill, slot: FinalSlot) -> Bar | None:
    """What the bill and the ledger have against paying the claim now; None when final and newest
    block both show our settlement in effect with all that is to be paid."""
    if bill.state in _WITHDRAWN:
        return Bar(SLOT, f"the bill is {bill.state}")
    in_effect = payments_in_effect(work, claim.id)
    if is_behind(slot, in_effect):
        return Bar(UNREAD, f"the node knows no more than block {slot.number} as final")
    expected = bill.borne_fen + sum(intent.payload["amount"] for intent in in_effect)
    for block, seen in (("final", slot.final), ("newest", slot.newest)):
        detail = _differs(seen, claim, expected)
        if detail is not None:
            return Bar(SLOT, f"{block} block: {detail}")
    return None


def _differs(slot: SlotState, claim: Claim, expected_fen: int) -> str | None:
    if slot.flags & _STOPPED_FLAGS:
        return f"flags {slot.flags}"
    if not slot.has_settled(claim.payer_number):
        return "the ledger knows no settlement of ours"
    if slot.paid_fen < expected_fen:
        return f"the ledger has {slot.paid_fen} fen as paid, {expected_fen} are to be"
    return None
