"""Recovery (追款): what was paid wrongly, who owes it back, in which parts, and what is left.

An order is never changed. Who approved it, its plan, the money that came back and what was waived
are rows of their own, and its state is worked out from them. Amounts are integer fen.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from backend.domain.errors import ConflictError, DomainError, ForbiddenError
from backend.domain.journal import LayerAmounts
from backend.domain.two_people import signature

DUE_DAYS: Final = 30
"""Calendar days within which an order without a plan is to be paid back. Ours."""

INSTALMENTS_MAX: Final = 60
"""Monthly instalments of one plan: five years."""

ORDINALS_MAX: Final = 99
"""Orders of one claim."""

APPROVALS_NEEDED: Final = 2
REASON_MIN: Final = 4
REASON_MAX: Final = 500
REFERENCE_MAX: Final = 60


class RecoveryError(DomainError):
    """Something of a recovery that cannot be; nothing was stored."""

    code = "bad-recovery"


class RecoveryConflictError(ConflictError):
    """The order is not where this can be done. Nothing was stored."""

    code = "recovery-conflict"


class SamePersonError(ForbiddenError):
    """Two different people are needed, and this is one twice."""

    code = "recovery-same-person"


class Cause(StrEnum):
    """Why money is owed back."""

    VOID = "void"
    REVERSED = "reversed"
    FINDING = "finding"  # supervision ordered it of a final finding
    LOWER = "lower"  # a confirmed revision gives less
    CLEARING = "clearing"  # the yearly clearing gives less
    LEDGER = "ledger"  # found on the ledger after a restored backup

    @property
    def needs_two(self) -> bool:
        """Whether two people decide before anything is owed: no rule alone says that it is."""
        return self in (Cause.LOWER, Cause.CLEARING)


CAUSE_ZH: Final = {
    Cause.VOID: "票据已作废",
    Cause.REVERSED: "票据已冲红",
    Cause.FINDING: "稽核认定",
    Cause.LOWER: "复核改定，应报金额减少",
    Cause.CLEARING: "年度清算，应报金额减少",
    Cause.LEDGER: "按账本恢复",
}


class Debtor(StrEnum):
    """Who owes: the person who was paid, or the institution that a finding is about."""

    PERSON = "person"
    INSTITUTION = "institution"


class State(StrEnum):
    PROPOSED = "proposed"  # two people have not decided yet; nothing is owed
    DISMISSED = "dismissed"  # a person decided against it; nothing is owed
    OPEN = "open"
    PARTLY = "partly-recovered"
    RECOVERED = "recovered"
    WAIVED = "waived"  # what was left is given up; a part may have come back before

    @property
    def is_owed(self) -> bool:
        """Whether money is still to come."""
        return self in (State.OPEN, State.PARTLY)

    @property
    def is_over(self) -> bool:
        return self in (State.DISMISSED, State.RECOVERED, State.WAIVED)


@dataclass(frozen=True, slots=True)
class Order:
    """One amount owed back of one claim. ``id`` is the claim's number, ``-R`` and the ordinal:
    what the debtor writes on the transfer. ``source_id`` names the row that caused it."""

    id: str
    claim_id: str
    person_id: str
    ordinal: int
    number: bytes  # 32 bytes: its name on the ledger
    cause: Cause
    source_id: str
    debtor: Debtor
    institution_code: str | None
    layers: LayerAmounts
    reason: str
    proposed_by: str
    created_at: dt.datetime
    due_on: dt.date

    @property
    def amount_fen(self) -> int:
        return self.layers.total_fen


@dataclass(frozen=True, slots=True)
class Approval:
    """One of two people says that the order stands."""

    order_id: str
    ordinal: int
    person: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that came back. ``source`` is clerk, file, returned (the bank gave a payment back) or
    ledger (known from the chain alone); ``reference`` is the bank's, which may be that of several
    orders' money. ``ordinal`` counts those of a reference and order from 1: all but the last one
    were taken back."""

    reference: str
    order_id: str
    amount_fen: int
    received_on: dt.date
    source: str
    is_simulated: bool
    recorded_by: str
    recorded_at: dt.datetime
    ordinal: int = 1

    @property
    def key(self) -> tuple[str, str, int]:
        return self.reference, self.order_id, self.ordinal


@dataclass(frozen=True, slots=True)
class Instalment:
    """One part of a plan; the newest plan counts. ``plan`` and ``ordinal`` count from 1."""

    order_id: str
    plan: int
    ordinal: int
    due_on: dt.date
    amount_fen: int
    by: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Waiver:
    """What was left is given up. Two different people."""

    order_id: str
    amount_fen: int
    proposed_by: str
    approved_by: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Recovery:
    """An order with everything that happened to it; ``receipts`` are those that stand."""

    order: Order
    approvals: tuple[Approval, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    instalments: tuple[Instalment, ...] = ()
    waiver: Waiver | None = None
    is_dismissed: bool = False
    taken_back: tuple[Receipt, ...] = ()  # was stored wrongly and counts no more

    @property
    def is_opened(self) -> bool:
        """Whether it is, or was, owed."""
        return not self.order.cause.needs_two or len(self.approvals) >= APPROVALS_NEEDED

    @property
    def received_fen(self) -> int:
        return sum(one.amount_fen for one in self.receipts)

    @property
    def left_fen(self) -> int:
        """What is still owed; nothing before an order is opened."""
        if not self.is_opened:
            return 0
        waived = 0 if self.waiver is None else self.waiver.amount_fen
        return self.order.amount_fen - self.received_fen - waived

    @property
    def state(self) -> State:
        if self.is_dismissed:
            return State.DISMISSED
        if not self.is_opened:
            return State.PROPOSED
        if self.left_fen:
            return State.PARTLY if self.receipts else State.OPEN
        return State.RECOVERED if self.waiver is None else State.WAIVED

    @property
    def plan(self) -> tuple[Instalment, ...]:
        """The newest plan; empty where the whole is due at once."""
        newest = max((one.plan for one in self.instalments), default=0)
        return tuple(one for one in self.instalments if one.plan == newest)

    def due(self) -> tuple[dt.date, int] | None:
        """(day, fen) of what is to come next; None when nothing is owed. Money fills the parts
        of the plan in their order."""
        if not self.state.is_owed:
            return None
        if not self.plan:
            return self.order.due_on, self.left_fen
        covered = self._before_plan()
        for one in self.plan:
            covered -= one.amount_fen
            if covered < 0:
                return one.due_on, min(-covered, one.amount_fen)
        raise AssertionError("a plan covers what was left when it was made")

    def _before_plan(self) -> int:
        """What came in since the newest plan was made: it divides what was left then."""
        planned = sum(one.amount_fen for one in self.plan)
        return planned - self.left_fen

    def is_overdue(self, today: dt.date) -> bool:
        due = self.due()
        return due is not None and today > due[0]


def order_id(claim_number: str, ordinal: int) -> str:
    """The order's name for people and on a transfer: the claim's number, ``-R`` and its place."""
    if not 1 <= ordinal <= ORDINALS_MAX:
        raise RecoveryConflictError(
            f"一笔申请最多 {ORDINALS_MAX} 次追款", f"a claim has at most {ORDINALS_MAX} recoveries"
        )
    return f"{claim_number}-R{ordinal}"


def ledger_number(network_key: bytes, order: str) -> bytes:
    """The order's number on the ledger: HMAC-SHA-256 of its name under the network key, so that
    it is found again after a restored backup, and tells nobody which claim it is."""
    return hmac.new(network_key, b"yichu-recovery-1|" + order.encode(), hashlib.sha256).digest()


def share(layers: LayerAmounts, amount_fen: int) -> LayerAmounts:
    """``amount_fen`` divided over the layers in proportion, to the fen, none beyond its own.

    What rounding leaves goes to the largest remainders, the first layer first. Raises
    :class:`RecoveryError` for less than nothing or more than all layers together.
    """
    total = layers.total_fen
    if not 0 <= amount_fen <= total:
        raise RecoveryError(
            f"金额应在 0 到 {total} 分之间", f"the amount goes from 0 to {total} fen"
        )
    if amount_fen == 0:
        return LayerAmounts()
    names = [one.name for one in fields(layers)]
    exact = [divmod(getattr(layers, name) * amount_fen, total) for name in names]
    parts = [whole for whole, _ in exact]
    by_remainder = sorted(range(len(names)), key=lambda place: (-exact[place][1], place))
    for place in by_remainder[: amount_fen - sum(parts)]:
        parts[place] += 1
    return LayerAmounts(**dict(zip(names, parts, strict=True)))


def less(layers: LayerAmounts, taken: LayerAmounts) -> LayerAmounts:
    """What is left of each layer. Raises JournalError where more is taken than there is."""
    return LayerAmounts(
        **{one.name: getattr(layers, one.name) - getattr(taken, one.name) for one in fields(layers)}
    )


def too_much(borne: LayerAmounts, rightful: LayerAmounts) -> LayerAmounts:
    """By layer, what was borne beyond what is right; in all never more than the difference.

    Where one layer bore too little, the others give back that much less, in proportion.
    """
    difference = borne.total_fen - rightful.total_fen
    if difference <= 0:
        return LayerAmounts()
    above = LayerAmounts(
        **{
            one.name: max(0, getattr(borne, one.name) - getattr(rightful, one.name))
            for one in fields(borne)
        }
    )
    return share(above, difference)


def monthly(amount_fen: int, count: int, first_due: dt.date) -> list[tuple[dt.date, int]]:
    """``count`` monthly parts of an amount as (day, fen), differing by one fen at most, the larger
    ones first. A month that is too short is due on its last day.

    Raises :class:`RecoveryError` for no or too many parts, or parts of less than one fen.
    """
    if not 1 <= count <= INSTALMENTS_MAX:
        raise RecoveryError(
            f"期数应为 1 到 {INSTALMENTS_MAX}", f"a plan has 1 to {INSTALMENTS_MAX} parts"
        )
    if amount_fen < count:
        raise RecoveryError("每期至少一分钱", "each part is at least one fen")
    each, extra = divmod(amount_fen, count)
    return [(_month_later(first_due, n), each + (n < extra)) for n in range(count)]


def _month_later(day: dt.date, months: int) -> dt.date:
    index = day.year * 12 + day.month - 1 + months
    first_after = dt.date((index + 1) // 12, (index + 1) % 12 + 1, 1)
    last = first_after - dt.timedelta(days=1)
    return last.replace(day=min(day.day, last.day))


def check_reason(reason: str) -> str:
    """The reason without outer blanks. Raises :class:`RecoveryError` for a short or long one."""
    text = reason.strip()
    if not REASON_MIN <= len(text) <= REASON_MAX or "\x00" in text:
        raise RecoveryError(
            f"请写明理由，{REASON_MIN} 到 {REASON_MAX} 字",
            f"give a reason of {REASON_MIN} to {REASON_MAX} characters",
        )
    return text


def check_approval(recovery: Recovery, person: str) -> None:
    """Refuse a person who may not approve now. Raises :class:`RecoveryConflictError`,
    :class:`SamePersonError`."""
    if recovery.state is not State.PROPOSED:
        raise RecoveryConflictError(
            f"这笔追款现在是 {recovery.state}，不需要批准",
            f"the recovery is {recovery.state}: there is nothing to approve",
        )
    if any(signature(one.person) == signature(person) for one in recovery.approvals):
        raise SamePersonError(
            "您已批准过，需要另一个人", "you have approved it: another person must too"
        )


def check_receipt(
    recovery: Recovery, reference: str, amount_fen: int, on: dt.date, today: dt.date
) -> None:
    """Refuse money that cannot be that of the order. Raises :class:`RecoveryError`,
    :class:`RecoveryConflictError`."""
    if not 1 <= len(reference) <= REFERENCE_MAX or not reference.isprintable():
        raise RecoveryError(
            f"请写银行流水号，不超过 {REFERENCE_MAX} 字",
            f"give the bank's reference, up to {REFERENCE_MAX} characters",
        )
    if amount_fen <= 0:
        raise RecoveryError("到账金额必须大于 0", "what came in is more than nothing")
    if on > today:
        raise RecoveryError("到账日期不能在今天以后", "money does not come in after today")
    if not recovery.state.is_owed:
        raise RecoveryConflictError(
            f"这笔追款现在是 {recovery.state}，不收款",
            f"the recovery is {recovery.state}: no money is owed on it",
        )
    if amount_fen > recovery.left_fen:
        raise RecoveryConflictError(
            f"只欠 {recovery.left_fen} 分，不能收 {amount_fen} 分；多收的请退回",
            f"{recovery.left_fen} fen are left, not {amount_fen}: give back what is too much",
        )
