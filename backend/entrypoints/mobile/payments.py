"""The payments of a claim as its page lists them: each try, how it ended, and what has arrived."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from backend.domain.claim import ClaimState
from backend.domain.payout import REASON_ZH
from backend.entrypoints.mobile.language import say, translated
from backend.entrypoints.mobile.status_texts import status_of
from backend.entrypoints.mobile.texts import moment
from backend.entrypoints.mobile.waiting_texts import RETURNED, SILENT, Status
from backend.service_layer.claims.holds import NEXT_RUN
from backend.service_layer.claims.records import Claim, Payout
from backend.service_layer.handling.read import ClaimView
from backend.service_layer.payout.holding import BANK_RETRY, PAYEE
from backend.service_layer.payout.records import ACCOUNT_CLOSED, HELD_BY_ACCOUNT
from backend.service_layer.payout.stored import Tried


class Ending(StrEnum):
    """How a payment stands."""

    WAITING = "waiting"  # not with the bank yet
    SENT = "sent"  # with the bank, not answered
    PAID = "paid"
    REJECTED = "rejected"
    RETURNED = "returned"
    DROPPED = "dropped"  # its bill became void before it left


@dataclass(frozen=True, slots=True)
class Payment:
    """One try to pay an amount, or an amount for which there was none yet. ``at`` is when the
    bank answered, else when it was told."""

    amount_fen: int
    is_supplement: bool
    ending: Ending
    bank_name: str = ""
    tail: str = ""
    at: dt.datetime | None = None
    reason_code: str = ""

    @property
    def has_failed(self) -> bool:
        return self.ending in (Ending.REJECTED, Ending.RETURNED)

    @property
    def reason(self) -> str:
        """Why the bank did not pay, in words; a code that has none is shown as it is."""
        if self.reason_code in REASON_ZH:
            return translated(REASON_ZH[self.reason_code])
        return say(f"银行原因代码 {self.reason_code}", f"the bank's code is {self.reason_code}")

    @property
    def told(self) -> str:
        """What happened to a payment that failed, in a sentence."""
        at = "" if self.at is None else moment(self.at)
        zh_to, en_to = f"{self.bank_name}尾号 {self.tail}", f"{self.bank_name} ending {self.tail}"
        if self.ending is Ending.RETURNED:
            return say(
                f"钱打到{zh_to}以后，银行 {at} 退了回来：{self.reason}。",
                f"The money went to {en_to}; on {at} the bank sent it back: {self.reason}.",
            )
        return say(
            f"银行 {at} 没有付成：{self.reason}。要打到的是{zh_to}，钱没有到账。",
            f"The bank could not pay on {at}: {self.reason}. It was to go to {en_to}; no money "
            "arrived.",
        )

    def is_silent(self, now: dt.datetime, after: dt.timedelta) -> bool:
        """Whether the bank should have answered by now."""
        return self.ending is Ending.SENT and self.at is not None and now - self.at > after


def payments_of(work: Any, claim: Claim) -> list[Payment]:
    """Every payment of a claim, the first one first."""
    found: list[Payment] = []
    for index, payout in enumerate(work.payments.payables_of(claim.id)):
        found += _of_payable(work, payout, is_supplement=index > 0)
    return found


def _of_payable(work: Any, payout: Payout, *, is_supplement: bool) -> list[Payment]:
    tried = _tries(work, payout)
    found = [_of_try(one, is_supplement=is_supplement) for one in tried]
    old = None if tried else work.payouts.answer_of(payout.id)
    if old is not None:  # of a release that kept no tries
        return [
            Payment(
                payout.amount_fen,
                is_supplement,
                Ending(old.outcome),
                payout.payee_bank,
                payout.payee_account_tail,
                old.answered_at,
            )
        ]
    if work.payments.fell_away(payout.id):
        return [*found, Payment(payout.amount_fen, is_supplement, Ending.DROPPED)]
    if all(one.has_failed for one in tried):
        found.append(Payment(payout.amount_fen, is_supplement, Ending.WAITING))
    return found


def _of_try(one: Tried, *, is_supplement: bool) -> Payment:
    attempt, answer = one.attempt, one.answer
    return Payment(
        attempt.amount_fen,
        is_supplement,
        Ending.SENT if answer is None else Ending(str(answer.status)),
        attempt.bank_name,
        attempt.account_tail,
        attempt.created_at if answer is None else answer.answered_at,
        "" if answer is None else answer.reason_code,
    )


def as_it_stands(deps: Any, work: Any, view: ClaimView) -> ClaimView:
    """The view of a claim that waits for an account, with what it waits for now: the account may
    have been named since the last run looked."""
    claim = view.claim
    if claim.is_closed or claim.waiting_for not in (*HELD_BY_ACCOUNT, PAYEE):
        return view
    found = deps.payees.account_for(work, claim.person_id, deps.clock.now())
    tried = [one for payout in work.payments.payables_of(claim.id) for one in _tries(work, payout)]
    code = found.reason or NEXT_RUN
    if found.account is not None and claim.waiting_for == PAYEE and tried:
        is_other = found.account.version != tried[-1].attempt.account_version
        code = NEXT_RUN if is_other else PAYEE
    return replace(view, claim=replace(claim, waiting_for=code))


def _tries(work: Any, payout: Payout) -> list[Tried]:
    found: list[Tried] = work.payments.tried(payout.id)
    return found


def arrived_fen(payments: list[Payment]) -> int:
    """What the bank has paid, and not sent back."""
    return sum(one.amount_fen for one in payments if one.ending is Ending.PAID)


def is_about_failure(view: ClaimView, payments: list[Payment]) -> bool:
    """Whether the bank's answer is why the claim waits, and nothing that came after it."""
    codes = (PAYEE, BANK_RETRY, ACCOUNT_CLOSED)
    return view.claim.waiting_for in codes and _waits_after_failure(payments)


def _waits_after_failure(payments: list[Payment]) -> bool:
    """Whether the last thing that happened is that the bank did not pay, or paid and returned."""
    return len(payments) > 1 and payments[-1].ending is Ending.WAITING and payments[-2].has_failed


def status_now(deps: Any, view: ClaimView, payments: list[Payment]) -> Status:
    """The state of a claim in words, with what its newest payment adds to it."""
    found = status_of(view, deps.settings.case_hours)
    answer_within = dt.timedelta(hours=deps.settings.payout.answer_hours)
    if view.claim.state is ClaimState.PAYING and payments:
        if payments[-1].is_silent(deps.clock.now(), answer_within):
            return replace(SILENT, seal=found.seal)
        is_returned = _waits_after_failure(payments) and payments[-2].ending is Ending.RETURNED
        if is_returned and view.claim.waiting_for in (PAYEE, ACCOUNT_CLOSED):
            return replace(RETURNED, seal=found.seal)
    return found
