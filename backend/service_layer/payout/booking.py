"""The journal entries of a payout, and what is left in a fund's purse."""

from __future__ import annotations

from collections.abc import Sequence

from backend.domain.journal import Account, AccountKind, Entry, Fund, Occasion
from backend.domain.journal import approved as approved_entry
from backend.domain.journal import instructed as instructed_entry
from backend.domain.journal import paid as paid_entry
from backend.domain.journal import rejected as rejected_entry
from backend.domain.journal import returned as returned_entry
from backend.service_layer.claims.records import Claim, Payout
from backend.service_layer.claims.supplement import payments_in_effect
from backend.service_layer.journal.booking import book, book_all
from backend.service_layer.journal.funds import fund_of_claim, layer_amounts
from backend.service_layer.payout.layer_purse import Draws, LayerPurse
from backend.service_layer.payout.ports import PayoutServices, PayoutWork
from backend.service_layer.payout.records import AnswerStatus
from backend.service_layer.payout.stored import Attempt, PaymentAnswer

FUND_SHORT = "fund-short"
PAYABLE = "payout"
ATTEMPT = "attempt"
_ANSWERS = {
    AnswerStatus.PAID: paid_entry,
    AnswerStatus.REJECTED: rejected_entry,
    AnswerStatus.RETURNED: returned_entry,
}


def fund_region(deps: PayoutServices, work: PayoutWork, claim: Claim) -> str:
    """The region whose account is debited for a claim."""
    return fund_of_claim(deps, work, claim).region


def book_approved(deps: PayoutServices, work: PayoutWork, claim: Claim, payout: Payout) -> None:
    """Owed from now on: by layer, what this version pays more than the one in effect before."""
    by_version = {decision.version: decision for decision in work.decisions.all_of(claim.id)}
    earlier = [
        version
        for version in (i.payload["decision_version"] for i in payments_in_effect(work, claim.id))
        if version < payout.decision_version
    ]
    before = layer_amounts(by_version[max(earlier)] if earlier else None)
    after = layer_amounts(by_version[payout.decision_version])
    occasion = _occasion(deps, work, claim, PAYABLE, payout.id)
    book(work, approved_entry(occasion, before, after))


def require_approved(deps: PayoutServices, work: PayoutWork, claim: Claim, payout: Payout) -> None:
    """Book what is owed where a release that kept no journal has written the payable."""
    booked = {entry.occasion.source_id for entry in work.journal.entries_of(claim.id)}
    if payout.id not in booked:
        book_approved(deps, work, claim, payout)


def book_instructed(deps: PayoutServices, work: PayoutWork, attempts: Sequence[Attempt]) -> None:
    """Handed to the bank's file."""
    entries = []
    for attempt in attempts:
        claim = work.claims.get(attempt.claim_id)
        occasion = _occasion(deps, work, claim, ATTEMPT, attempt.id)
        entries.append(instructed_entry(occasion, attempt.amount_fen))
    book_all(work, entries)


def answer_entry(
    deps: PayoutServices, work: PayoutWork, claim: Claim, attempt: Attempt, answer: PaymentAnswer
) -> Entry:
    """What an answer of the bank moves."""
    occasion = _occasion(deps, work, claim, ATTEMPT, attempt.id)
    return _ANSWERS[answer.status](occasion, attempt.amount_fen)


def _occasion(
    deps: PayoutServices, work: PayoutWork, claim: Claim, source_type: str, source_id: str
) -> Occasion:
    return Occasion(
        source_type=source_type,
        source_id=source_id,
        fund=fund_of_claim(deps, work, claim),
        claim_id=claim.id,
        booked_at=deps.clock.now(),
        is_simulated=deps.bank.is_simulated,
    )


class Purse:
    """What each fund still has at the bank, apart from what the bank was already told to pay and
    from what is in suspense.

    Asked under the lock of the lanes, so that two workers do not spend the same money.
    """

    def __init__(self, deps: PayoutServices, work: PayoutWork) -> None:
        self._deps, self._work = deps, work
        self._left: dict[tuple[str, str], int] = {}
        self._layers = LayerPurse(work)
        self._short: set[str] = set()

    def take(self, claim: Claim, amount_fen: int, draws: Draws = ()) -> bool:
        """Set the amount aside; False when the fund, or a layer that bears a part of it
        (``draws``), has less, which raises an alarm."""
        fund = fund_of_claim(self._deps, self._work, claim)
        key = (fund.region, fund.insurance_type)
        if key not in self._left:
            self._left[key] = self._available(fund)
        name = "/".join(key)
        if amount_fen > self._left[key]:
            return self._say_short(name, f"{amount_fen} fen are asked, {self._left[key]} left")
        lacks = self._layers.lacks(fund, draws)
        if lacks is not None:
            layer, left = lacks
            detail = f"{amount_fen} fen are asked, the layer has {left} fen for its payables"
            return self._say_short(f"{name}/{layer}", detail)
        self._left[key] -= amount_fen
        self._layers.take(fund, draws)
        for subject in (name, *(f"{name}/{Account.parse(code).layer}" for code, _ in draws)):
            if subject not in self._short:  # a smaller amount that fits is no end of the shortage
                self._work.alarms.clear(FUND_SHORT, subject)
        return True

    def _say_short(self, subject: str, detail: str) -> bool:
        self._short.add(subject)
        self._work.alarms.raise_alarm(FUND_SHORT, subject, detail)
        return False

    def _available(self, fund: Fund) -> int:
        # Whoever corrects this region's books waits until this money is booked, or we for them.
        self._work.journal.lock_months(fund.region)
        bank, transit, suspense = (
            self._work.journal.balance(fund.account(kind), insurance_type=fund.insurance_type)
            for kind in (AccountKind.BANK, AccountKind.TRANSIT, AccountKind.CLEARING)
        )
        # What came in and belongs to nobody known may have to go back: it pays no claim. What has
        # left for nobody known is missing at the bank already.
        return bank - transit - max(0, suspense)
