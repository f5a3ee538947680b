"""The numbered checks of SPEC.md C5: every decision version that the ledger holds of a claim."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from verifier import chain, ledger_checks
from verifier.bundle import Bundle, Recovery, Supplement
from verifier.chain import Detail, Log, Slot
from verifier.checks import (
    Case,
    Version,
    batch_leaf,
    closing_version,
    verify_balance,
    verify_decision,
    verify_fingerprint,
    verify_policy,
)
from verifier.disclosure import DisclosedRecord, read_record
from verifier.errors import RefutedError, UndecidedError, VerificationError

_NO_VERSION: Final = 2**16
"""Above every decision version."""


def shown_versions(bundle: Bundle) -> list[Version]:
    """Every version that the bundle shows, in the order in which it says they happened."""
    found = [
        Version(one.decided, one.decision_version, one.counter, 0, True) for one in bundle.earlier
    ]
    closing = closing_version(bundle)
    found.append(closing)
    paid = closing.paid_fen
    for one in bundle.later:
        paid += one.amount_fen
        found.append(Version(one.decided, one.decision_version, closing.counter, paid, False))
    return found


# 19 ------------------------------------------------------------------------------------------


def check_versions(case: Case) -> None:
    """19. Each version is a whole decision, they rise, and each pays the difference."""
    bundle = case.bundle
    shown = shown_versions(bundle)
    _in_order(bundle, shown)
    for version in shown:
        if version.decided is not bundle.decided:
            _whole(case, version)
    _one_claim_number(shown)
    _recoveries_add_up(bundle, shown[-1])


def _in_order(bundle: Bundle, shown: list[Version]) -> None:
    if bundle.claim.closing.kind == "release" and (bundle.later or bundle.recoveries):
        raise RefutedError("nothing is paid or taken back on a claim that was not settled")
    for before, after in pairwise(shown):
        if before.number >= after.number:
            raise RefutedError(
                "decision versions do not rise", expected=before.number + 1, actual=after.number
            )
    counters = [version.counter for version in shown[: len(bundle.earlier) + 1]]
    if any(before >= after for before, after in pairwise(counters)):
        raise RefutedError("lodge counters of the versions do not rise")
    if any(one.amount_fen < 1 for one in bundle.later):
        raise RefutedError("a supplement of nothing")


def _whole(case: Case, version: Version) -> None:
    """Checks 8 to 11 of one more version; what they find names it."""
    try:
        verify_fingerprint(version.decided)
        verify_decision(case, version, "sum paid by the events up to this version in fen")
        verify_policy(version.decided)
        verify_balance(case, version.decided)
    except VerificationError as error:
        message = f"version {version.number}: {error}"
        raise type(error)(message, expected=error.expected, actual=error.actual) from error


def _one_claim_number(shown: list[Version]) -> None:
    if len(shown) == 1:
        return
    try:
        numbers = {_claim_number(read_record(one.decided.leaves)) for one in shown}
    except RefutedError as error:
        raise UndecidedError("cannot be made since check 8 fails") from error
    if len(numbers) != 1:
        raise RefutedError("the decisions are of different claims")


def _claim_number(record: DisclosedRecord) -> str:
    return record.optional_text("claim_number")


def _recoveries_add_up(bundle: Bundle, newest: Version) -> None:
    recoveries = bundle.recoveries
    if len({one.number for one in recoveries}) != len(recoveries):
        raise RefutedError("a recovery is listed twice")
    if any(one.amount_fen < 1 for one in recoveries):
        raise RefutedError("a recovery of nothing")
    taken = sum(one.amount_fen for one in recoveries)
    if taken > newest.paid_fen:
        raise RefutedError(
            "more was taken back than was paid", expected=newest.paid_fen, actual=taken
        )


# 20 ------------------------------------------------------------------------------------------


def check_version_events(case: Case) -> None:
    """20. Each version has its event, under a published policy, one after the other."""
    ledger_checks.believed_ledger(case)
    bundle = case.bundle
    if not bundle.earlier and not bundle.later:
        return
    logs: list[Log] = []
    for one in bundle.earlier:
        version = (one.decision_version, one.decided)
        logs.append(ledger_checks.lodge_event(case, one.lodge, one.counter))
        logs.append(ledger_checks.refusal_event(case, one.release, one.counter, version)[1])
        ledger_checks.require_published(case, one.decided.policy_hash, one.release, "release")
    try:
        logs.append(ledger_checks.lodge_event(case, bundle.claim.lodge, bundle.claim.counter))
        detail, log = ledger_checks.closing_event(case)
    except RefutedError as error:
        raise UndecidedError("cannot be made since check 15 or 16 fails") from error
    logs.append(log)
    paid = [(detail.value, detail.paid_fen)]
    for supplement in bundle.later:
        detail, log = _supplement_event(case, supplement)
        ledger_checks.require_published(
            case, supplement.decided.policy_hash, supplement.place, "supplement"
        )
        logs.append(log)
        paid.append((detail.value, detail.paid_fen))
    places = [(log.block_number, log.log_index) for log in logs]
    if any(before >= after for before, after in pairwise(places)):
        raise RefutedError("the events of the versions are in another order on the ledger")
    if bundle.claim.closing.kind == "settle":
        _paid_sums_rise(bundle.leaf_fields.borne_fen, paid)


def _supplement_event(case: Case, supplement: Supplement) -> tuple[Detail, Log]:
    receipt = ledger_checks.named_receipt(case, supplement.place, "supplement")
    for detail, log in ledger_checks.claim_events(case, receipt, chain.SUPPLEMENTED):
        if (
            ledger_checks.concerns(case, detail, chain.CALL_SUPPLEMENT, counter=0)
            and detail.value == supplement.amount_fen
            and ledger_checks.carries(detail, log, supplement.decision_version, supplement.decided)
        ):
            ledger_checks.require_final(case, supplement.place)
            return detail, log
    raise RefutedError("the named transaction did not pay this supplement by this decision")


def _paid_sums_rise(borne_fen: int, paid: list[tuple[int, int]]) -> None:
    """``paid``: amount and paid sum after it. Others may have paid in between, nobody less."""
    least = borne_fen
    for amount, after in paid:
        if after - amount < least:
            raise RefutedError(
                "the paid sums of the events do not follow one another",
                expected=least + amount,
                actual=after,
            )
        least = after


# 21 ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Room:
    """Lodge counters that the bundle does not show, between two shown versions."""

    counters: range
    above: int
    below: int

    def fits(self, detail: Detail) -> bool:
        return detail.counter in self.counters and self.above < detail.decision_version < self.below


def check_completeness(case: Case) -> None:
    """21. The ledger holds no version of this claim that the bundle does not show."""
    slot = ledger_checks.believed_ledger(case).slot(case.bundle.leaf_fields.invoice_key)
    try:
        ledger_checks.check_slot(case)
    except RefutedError as error:
        raise UndecidedError("cannot be made since check 18 fails") from error
    if case.bundle.claim.closing.kind == "settle":
        _payments_are_all(case, slot)
    _refusals_are_all(case, slot)


def _payments_are_all(case: Case, slot: Slot) -> None:
    ledger, key = ledger_checks.believed_ledger(case), case.bundle.leaf_fields.invoice_key
    shown = batch_leaf(case).borne_fen + shown_versions(case.bundle)[-1].paid_fen
    if slot.paid_fen < shown:
        raise RefutedError(
            "the ledger has paid less than the bundle shows", expected=shown, actual=slot.paid_fen
        )
    if slot.paid_fen == shown:
        return
    newest_final = ledger.latest().number - case.trust.confirmations + 1
    if newest_final < ledger.latest().number:
        settled = ledger.slot(key, max(newest_final, 0))
        if settled.paid_fen <= shown:
            raise UndecidedError("a further payment is on the ledger and not final yet")
    if slot.settled_payers == 1 << (case.bundle.claim.payer_number - 1):
        raise RefutedError(
            "the ledger holds a further payment of this payer that the bundle does not show",
            expected=slot.paid_fen,
            actual=shown,
        )
    _payments_of_all(case, slot)


def _payments_of_all(case: Case, slot: Slot) -> None:
    """Others have paid as well: every payment is asked for, and must give the paid sum."""
    bundle = case.bundle
    payments = [
        detail
        for detail, _ in _events_of_key(case, chain.SETTLED, chain.SUPPLEMENTED)
        if detail.call in (chain.CALL_SETTLE, chain.CALL_SUPPLEMENT)
    ]
    own = [
        (one.decision_version, one.value)
        for one in payments
        if one.payer == bundle.claim.payer_number
    ]
    closing = bundle.claim.closing
    listed = {(closing.decision_version, closing.amount_fen)}
    listed |= {(one.decision_version, one.amount_fen) for one in bundle.later}
    if any(one not in listed for one in own):
        raise RefutedError(
            "the ledger holds a further payment of this payer that the bundle does not show"
        )
    total = bundle.leaf_fields.borne_fen + sum(one.value for one in payments)
    if total != slot.paid_fen:
        raise UndecidedError(
            "the node does not give every payment of this bill",
            expected=slot.paid_fen,
            actual=total,
        )


def _refusals_are_all(case: Case, slot: Slot) -> None:
    rooms = list(_rooms(case.bundle, slot.counter))
    if not rooms:
        return
    signatures = (chain.LODGED, chain.RELEASED, chain.SETTLED)
    events = [detail for detail, _ in _events_of_key(case, *signatures)]
    lodged = {one.counter for one in events if one.call == chain.CALL_LODGE}
    for room in rooms:
        if not lodged.issuperset(room.counters):
            raise UndecidedError("the node does not give every lodge of this bill")
    for one in events:
        if one.payer != case.bundle.claim.payer_number or not _decides(one):
            continue
        if any(room.fits(one) for room in rooms):
            raise UndecidedError(
                f"the payer decided under lodge counter {one.counter}, by version "
                f"{one.decision_version}, what the bundle does not show: this claim or another"
            )


def _decides(detail: Detail) -> bool:
    is_refusal = detail.call == chain.CALL_RELEASE and detail.value == chain.RELEASE_REASON_REFUSED
    return is_refusal or detail.call == chain.CALL_SETTLE


def _rooms(bundle: Bundle, last_counter: int) -> Iterator[_Room]:
    """Where a version could be that the bundle leaves out. After a settlement nothing can be
    lodged by the same payer, and between two neighbouring versions there is no number free."""
    shown = shown_versions(bundle)[: len(bundle.earlier) + 1]
    counter = number = 0
    for version in shown:
        if version.counter > counter + 1 and version.number > number + 1:
            yield _Room(range(counter + 1, version.counter), number, version.number)
        counter, number = version.counter, version.number
    if bundle.claim.closing.kind == "release" and last_counter > counter:
        yield _Room(range(counter + 1, last_counter + 1), number, _NO_VERSION)


def _events_of_key(case: Case, *signatures: str) -> list[tuple[Detail, Log]]:
    """Events of the key that had an effect, with their detail word."""
    key = case.bundle.leaf_fields.invoice_key
    found = []
    for log in ledger_checks.believed_ledger(case).claim_logs(signatures, key):
        words = log.words()
        if not words:
            raise UndecidedError("an event of the claim has another layout")
        found.append((Detail.decode(words[0]), log))
    return [(detail, log) for detail, log in found if detail.outcome == chain.OUTCOME_DONE]


# 22 ------------------------------------------------------------------------------------------


def check_recoveries(case: Case) -> None:
    """22. Each recovery that is listed has its event."""
    ledger_checks.believed_ledger(case)
    for recovery in case.bundle.recoveries:
        _recovery_event(case, recovery)


def _recovery_event(case: Case, recovery: Recovery) -> None:
    receipt = ledger_checks.named_receipt(case, recovery.place, "recovery")
    topics = (case.bundle.leaf_fields.invoice_key, recovery.number)
    for log in ledger_checks.events(case, receipt, chain.RECOVERED):
        if log.topics[1:] != topics or len(log.data) != 32:
            continue
        detail = Detail.decode(log.words()[0])
        if (
            detail.call == chain.CALL_RECOVER
            and detail.outcome == chain.OUTCOME_DONE
            and detail.payer == case.bundle.claim.payer_number
            and detail.counter == 0
            and detail.value == recovery.amount_fen
        ):
            ledger_checks.require_final(case, recovery.place)
            return
    raise RefutedError("the named transaction did not record this recovery")
