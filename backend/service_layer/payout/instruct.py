"""Writing payment files: what is owed, still payable on the ledger, and may go to its account.

A file, its instructions and their journal entries are one transaction, and its bytes are part of
it: what was not committed never leaves, and what leaves is always the same.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.errors import DomainError
from backend.domain.local_time import local_day
from backend.domain.payout import end_to_end_id, message_id
from backend.service_layer.claims.benefits import DAMAGE
from backend.service_layer.claims.final_slots import read_final_slots
from backend.service_layer.claims.holds import NEXT_RUN
from backend.service_layer.claims.records import Claim, Payout
from backend.service_layer.claims.supplement import PAYING_KINDS
from backend.service_layer.failpoints import reach
from backend.service_layer.payout.booking import (
    Purse,
    book_instructed,
    fund_region,
    require_approved,
)
from backend.service_layer.payout.holding import (
    FUND_SHORT,
    NO_DEBIT_ACCOUNT,
    SLOT,
    UNREAD,
    Held,
    Ready,
    Stops,
    judge,
    read_stops,
    slot_bars,
)
from backend.service_layer.payout.lanes import is_machine_clean
from backend.service_layer.payout.layer_purse import draws_of
from backend.service_layer.payout.ports import BadPaymentFileError, PayoutServices, PayoutWork
from backend.service_layer.payout.records import Lane, PaymentFile, PaymentItem
from backend.service_layer.payout.stored import Attempt, Hold, StoredFile
from backend.service_layer.ports import FinalSlot, LedgerUnavailableError

FILE_ITEMS: Final = 500
"""Instructions in one file: as many as one transaction may hold the database's write lock for."""

PURPOSE: Final = "医保报销款"
WORKER: Final = "worker"
Cursor = tuple[dt.datetime, str]


@dataclass
class Page:
    """What one look at the payables came to."""

    files: list[StoredFile] = field(default_factory=list)
    instructed: int = 0
    held: int = 0
    moved: int = 0
    last: Cursor | None = None  # None: there was nothing left to look at


def write_files(deps: PayoutServices, lane: Lane, after: Cursor | None) -> Page:
    """Instruct the next payables of a lane after a cursor; raises LedgerUnavailableError when
    their slots cannot be read: then nothing is written, and the claims say so.

    In the instant lane only what is clean and within the limits goes; the rest is left to the
    daily run.
    """
    now = deps.clock.now()
    keys: dict[str, bytes] = {}
    with deps.work(write=False) as work:
        payables = _payables(work, lane, after)
        if not payables:
            return Page()
        stops = read_stops(work)
        _quietly(lambda: work.payments.look_ahead(payables))
        for payable in payables:
            key = _first_look(deps, work, lane, payable, now=now, stops=stops)
            if key is not None:
                keys[payable.id] = key
    try:
        slots = _ask_ledger(deps, keys)
    except LedgerUnavailableError as error:
        if lane is Lane.DAILY:
            _say_unread(deps, [one for one in payables if one.id in keys], error)
        raise
    page = _store(deps, lane, payables, slots)
    page.last = (payables[-1].instructed_at, payables[-1].id)
    if page.files:
        reach("payout.file-written")
    return page


def _first_look(
    deps: PayoutServices,
    work: PayoutWork,
    lane: Lane,
    payable: Payout,
    *,
    now: dt.datetime,
    stops: Stops,
) -> bytes | None:
    """The invoice key of what is worth asking the ledger for; why the rest waits is told under the
    lock. One whose stored values cannot be read must not keep the others from being paid."""
    try:
        one = judge(deps, work, payable, now, stops)
        if not isinstance(one, Ready):
            return None
        if lane is Lane.INSTANT and not is_machine_clean(deps, work, one.claim, one.payout):
            return None
        return work.claims.bill_of_version(one.claim.version_id).invoice_key
    except (DomainError, AssertionError, *DAMAGE):
        return None


def _payables(work: PayoutWork, lane: Lane, after: Cursor | None) -> list[Payout]:
    """In the instant lane what was approved just now: a claim that waits for anything is left to
    the daily run."""
    if lane is Lane.DAILY:
        return work.payments.payables(after=after, limit=FILE_ITEMS)
    return work.payments.payables(after=after, limit=FILE_ITEMS, only_fresh=True)


def _ask_ledger(deps: PayoutServices, keys: Mapping[str, bytes]) -> dict[str, FinalSlot]:
    """Payout id to the slot of its bill, of many in one question; read before the transaction.
    One that cannot be asked for is left out, and must not keep the others from being paid."""
    try:
        slots = read_final_slots(deps, list(dict.fromkeys(keys.values())))
        return {payout_id: slots[key] for payout_id, key in keys.items()}
    except LedgerUnavailableError:
        raise
    except (DomainError, *DAMAGE):
        return _ask_one_by_one(deps, keys)


def _ask_one_by_one(deps: PayoutServices, keys: Mapping[str, bytes]) -> dict[str, FinalSlot]:
    found: dict[str, FinalSlot] = {}
    for payout_id, key in keys.items():
        try:
            found[payout_id] = read_final_slots(deps, [key])[key]
        except LedgerUnavailableError:
            raise
        except (DomainError, *DAMAGE) as error:
            what = getattr(error, "code", type(error).__name__)
            with deps.work() as work:
                payable = work.payouts.get(payout_id)
                assert payable is not None, "a payable is never removed"
                detail = f"{payout_id}: its slot cannot be read: {what}"
                work.alarms.raise_alarm("payout-failed", payable.claim_id, detail)
                work.commit()
    return found


def _say_unread(deps: PayoutServices, payables: Sequence[Payout], error: DomainError) -> None:
    """Their claims wait for a node that can tell, and an alarm says what is wrong with it."""
    now = deps.clock.now()
    with deps.work() as work:
        for payable in payables:
            _show(work, work.claims.get(payable.claim_id, lock=True), UNREAD, now)
        work.alarms.raise_alarm(UNREAD, Lane.DAILY, error.en)
        work.commit()


def _store(
    deps: PayoutServices,
    lane: Lane,
    payables: Sequence[Payout],
    slots: Mapping[str, FinalSlot],
) -> Page:
    try:
        return _try_to_store(deps, lane, payables, slots)
    except BadPaymentFileError:
        # One instruction cannot be written: it must not keep the others from being paid.
        return _try_to_store(deps, lane, payables, slots, one_by_one=True)


def _try_to_store(
    deps: PayoutServices,
    lane: Lane,
    payables: Sequence[Payout],
    slots: Mapping[str, FinalSlot],
    *,
    one_by_one: bool = False,
) -> Page:
    """Judge again, now under the lane's lock, and store. With ``one_by_one`` each instruction is
    first written alone, and what cannot be is stopped for a person."""
    page = Page()
    now = deps.clock.now()
    with deps.work() as work:
        # One lock for all lanes: the purse and the limits are counted under it.
        work.payments.take_turn(Lane.DAILY)
        stops = read_stops(work)
        chosen: dict[str, list[Ready]] = defaultdict(list)
        counter = _Counter(deps, work, lane, now)
        locked = [work.claims.get(payable.claim_id, lock=True) for payable in payables]
        _look_ahead(work, payables)
        for payable, claim in zip(payables, locked, strict=True):
            one = counter.judge(payable, stops, slots)
            if one is None:
                continue
            region = fund_region(deps, work, claim) if isinstance(one, Ready) else ""
            if isinstance(one, Ready) and one_by_one and not _can_write(deps, region, one, now):
                one = _stop(work, one, now)
            if isinstance(one, Held):
                page.held += 1
                page.moved += _show(work, claim, one.reason, now)
            else:
                chosen[region].append(one)
        for region, ready in sorted(chosen.items()):
            file = _file(deps, lane, region, ready, now)
            page.files.append(_add_file(deps, work, region, ready, file))
            page.instructed += len(ready)
        work.commit()
    page.moved += page.instructed
    return page


def _look_ahead(work: PayoutWork, payables: Sequence[Payout]) -> None:
    """What is asked for each payable is read for all of them; their claims are locked."""
    claim_ids = list(dict.fromkeys(payable.claim_id for payable in payables))
    _quietly(lambda: work.payments.look_ahead(payables))
    _quietly(lambda: work.outbox.look_ahead(claim_ids, *PAYING_KINDS))
    _quietly(lambda: work.journal.look_ahead(claim_ids))
    for code in ("payout-held", "payment-returned", "fund-short", NO_DEBIT_ACCOUNT):
        work.alarms.look_ahead(code)


def _quietly(read: Callable[[], None]) -> None:
    """Read ahead. Where a stored value cannot be read nothing is known ahead: each payable is asked
    for by itself then, and only the damaged one stays behind."""
    with suppress(DomainError, AssertionError, *DAMAGE):
        read()


class _Counter:
    """What the ledger, the purse and the lane's limits say, one payable after the other."""

    def __init__(
        self, deps: PayoutServices, work: PayoutWork, lane: Lane, now: dt.datetime
    ) -> None:
        self._deps, self._work, self._lane = deps, work, lane
        self._now = now
        self._day = local_day(now)
        self._purse = Purse(deps, work)
        self._by_person: dict[str, int] = {}
        self._by_pool: dict[str, int] = {}

    def judge(
        self, payable: Payout, stops: Stops, slots: Mapping[str, FinalSlot]
    ) -> Ready | Held | None:
        """Stored values that were changed can break any reader: one payable must not keep the
        others from being paid."""
        work = self._work
        try:
            one = judge(self._deps, work, payable, self._now, stops)
            if not isinstance(one, Ready):
                return one
            require_approved(self._deps, work, one.claim, one.payout)
            return self.admit(one, slots)
        except (DomainError, AssertionError, *DAMAGE) as error:
            what = getattr(error, "code", type(error).__name__)
            work.alarms.raise_alarm("payout-failed", payable.claim_id, f"{payable.id}: {what}")
            return Held(payable, work.claims.get(payable.claim_id), "operator")

    def admit(self, one: Ready, slots: Mapping[str, FinalSlot]) -> Ready | Held:
        work, claim = self._work, one.claim
        # Asked here, so that a number that no file can hold is this claim's trouble alone.
        end_to_end_id(claim.number, one.payout.decision_version, one.attempt)
        # The bill is read again: it may have become void since the ledger was asked.
        bill = work.claims.bill_of_version(claim.version_id)
        if one.payout.id not in slots:
            # Not asked of the ledger: it was held until now, or is not for this lane.
            return Held(one.payout, claim, NEXT_RUN)
        bar = slot_bars(work, claim, bill, slots[one.payout.id])
        if bar is not None:
            if bar.code == SLOT:
                work.alarms.raise_alarm("payout-held", claim.id, bar.detail)
            return Held(one.payout, claim, bar.code)
        work.alarms.clear("payout-held", claim.id)
        region = fund_region(self._deps, work, claim)
        if self._deps.settings.payout.account_of(region) is None:
            work.alarms.raise_alarm(NO_DEBIT_ACCOUNT, region, "its fund has no account to pay from")
            return Held(one.payout, claim, NO_DEBIT_ACCOUNT)
        work.alarms.clear(NO_DEBIT_ACCOUNT, region)
        if self._lane is Lane.INSTANT and not self._is_within_day(one, region):
            return Held(one.payout, claim, NEXT_RUN)
        if not self._purse.take(claim, one.payout.amount_fen, draws_of(work, one.payout)):
            return Held(one.payout, claim, FUND_SHORT)
        if self._lane is Lane.INSTANT:
            self._by_person[claim.person_id] += one.payout.amount_fen
            self._by_pool[region] += one.payout.amount_fen
        return one

    def _is_within_day(self, one: Ready, region: str) -> bool:
        person_id, payments = one.claim.person_id, self._work.payments
        if person_id not in self._by_person:
            self._by_person[person_id] = payments.instructed_fen(
                Lane.INSTANT, self._day, person_id=person_id
            )
        if region not in self._by_pool:
            self._by_pool[region] = payments.instructed_fen(Lane.INSTANT, self._day, region=region)
        return self._deps.settings.payout.instant.allow_day(
            one.payout.amount_fen, self._by_person[person_id], self._by_pool[region]
        )


def _show(work: PayoutWork, claim: Claim, reason: str, now: dt.datetime) -> bool:
    """Say on the claim why its money waits; while it is under way otherwise, that is said."""
    if claim.state is not ClaimState.PAYING or claim.waiting_for == reason:
        return False
    return work.claims.update(claim.id, claim.state, now, waiting_for=reason)


def _stop(work: PayoutWork, one: Ready, now: dt.datetime) -> Held:
    """An instruction that no file can hold: a person corrects it and releases it."""
    last = work.payments.last_hold(one.claim.id)
    ordinal = 1 if last is None else last.ordinal + 1
    reason = "付款文件写不出这笔：请核对户名和账号 / no payment file can hold it"
    work.payments.add_hold(Hold(one.claim.id, ordinal, "hold", WORKER, reason, now))
    work.alarms.raise_alarm("payout-unwritable", one.claim.id, one.payout.id)
    return Held(one.payout, one.claim, "payout-stopped")


def _can_write(deps: PayoutServices, region: str, one: Ready, now: dt.datetime) -> bool:
    try:
        deps.payment_format.write(_file(deps, Lane.DAILY, region, [one], now))
    except BadPaymentFileError:
        return False
    return True


def _item(one: Ready) -> PaymentItem:
    return PaymentItem(
        end_to_end_id=end_to_end_id(one.claim.number, one.payout.decision_version, one.attempt),
        amount_fen=one.payout.amount_fen,
        holder=one.account.holder,
        account_number=one.account.number,
        bank_name=one.account.bank_name,
        bank_code=one.account.bank_code,
        purpose=PURPOSE,
    )


def _file(
    deps: PayoutServices, lane: Lane, region: str, ready: Sequence[Ready], now: dt.datetime
) -> PaymentFile:
    """One file debits one account: that of the region whose fund pays."""
    day = local_day(now)
    items = tuple(_item(one) for one in ready)
    account = deps.settings.payout.account_of(region)
    assert account is not None, "a region without an account was held"
    return PaymentFile(
        message_id=message_id(now, lane, [item.end_to_end_id for item in items]),
        created_at=now,
        execute_on=day,
        lane=lane,
        debtor_name=account.holder,
        debtor_account=account.number,
        debtor_bank_code=account.bank_code,
        items=items,
    )


def _add_file(
    deps: PayoutServices, work: PayoutWork, region: str, ready: Sequence[Ready], file: PaymentFile
) -> StoredFile:
    now = file.created_at
    content = deps.payment_format.write(file)
    file_id = deps.ids.new_id("pfl")
    stored = StoredFile(
        id=file_id,
        message_id=file.message_id,
        lane=file.lane,
        region=region,
        created_at=now,
        item_count=len(file.items),
        control_sum_fen=file.control_sum_fen,
        digest=hashlib.sha256(content).digest(),
        wrapped_content=deps.secret_box.wrap(content, file_id),
    )
    attempts = [
        _attempt(deps, one, item, stored) for one, item in zip(ready, file.items, strict=True)
    ]
    work.payments.add_file(stored, attempts)
    book_instructed(deps, work, attempts)
    for one in ready:
        work.alarms.clear("payment-returned", one.claim.id)
        if one.claim.state is ClaimState.PAYING and one.claim.waiting_for is not None:
            work.claims.update(one.claim.id, one.claim.state, now, waiting_for=None)
    return stored


def _attempt(deps: PayoutServices, one: Ready, item: PaymentItem, stored: StoredFile) -> Attempt:
    attempt_id = f"{one.payout.id}_a{one.attempt}"
    return Attempt(
        id=attempt_id,
        payout_id=one.payout.id,
        claim_id=one.claim.id,
        person_id=one.claim.person_id,
        attempt=one.attempt,
        end_to_end_id=item.end_to_end_id,
        account_version=one.account.version,
        wrapped_holder=deps.secret_box.wrap(one.account.holder.encode(), f"{attempt_id}:holder"),
        wrapped_account=deps.secret_box.wrap(one.account.number.encode(), f"{attempt_id}:account"),
        account_tail=one.account.tail,
        bank_name=one.account.bank_name,
        amount_fen=item.amount_fen,
        lane=stored.lane,
        region=stored.region,
        instructed_on=local_day(stored.created_at),
        file_id=stored.id,
        created_at=stored.created_at,
    )
