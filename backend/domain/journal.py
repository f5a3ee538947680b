"""The journal of money: accounts, transfers, entries, and what each event moves.

A **transfer** takes one amount from the account that it credits to the account that it debits, so
debit equals credit in every single row. An **entry** (凭证) is the transfers of one event. The
accounts of one region and one insurance type (职工, 居民) are a set of books of their own
(分账核算): an entry never reaches over two, so each set balances alone.

Accounts and events are described in docs/money.md. Amounts are integer fen, instants aware UTC.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from backend.domain.errors import ConflictError, DomainError
from backend.domain.local_time import local_day

AMOUNT_FEN_MAX: Final = 2**50
"""The largest single transfer (about 11 trillion yuan); sums of 8,000 of them fit 64 bits."""

TRANSFERS_MAX: Final = 64
"""Transfers of one entry: an event moves a few layers of one fund."""

TEXT_MAX: Final = 400
_REGION: Final = re.compile(r"[0-9]{6}")
_INSURANCE: Final = re.compile(r"[0-9]{3}")
_SOURCE_TYPE: Final = re.compile(r"[a-z][a-z-]{0,23}")
_SOURCE_ID: Final = re.compile(r"[0-9A-Za-z_.:/-]{1,80}")


class JournalError(DomainError):
    """An entry that could never be booked: no money moves, or it would not balance."""

    code = "bad-journal-entry"


class JournalConflictError(ConflictError):
    """The same source is booked already, with another content. Nothing was booked now."""

    code = "journal-conflict"


class PeriodClosedError(ConflictError):
    """The day belongs to a month that is closed. Nothing was booked."""

    code = "month-closed"


class Side(StrEnum):
    """On which side an account grows."""

    DEBIT = "debit"
    CREDIT = "credit"


class AccountClass(StrEnum):
    """What an account is in the balance sheet."""

    ASSET = "asset"
    LIABILITY = "liability"
    NET = "net"
    CLEARING = "clearing"


class AccountKind(StrEnum):
    """The first word of an account's code."""

    BANK = "bank"  # the fund's money at the bank
    RECEIVABLE = "receivable"  # 追款: what was paid wrongly and is owed back
    PAYABLE = "payable"  # approved and not yet handed to the bank
    TRANSIT = "transit"  # handed to the bank, not yet answered
    FUND = "fund"  # the fund's own position, by layer
    CLEARING = "clearing"  # differences of the yearly clearing until they are settled

    @property
    def account_class(self) -> AccountClass:
        return _CLASSES[self]

    @property
    def normal_side(self) -> Side:
        return Side.DEBIT if self in (AccountKind.BANK, AccountKind.RECEIVABLE) else Side.CREDIT


_CLASSES: Final = {
    AccountKind.BANK: AccountClass.ASSET,
    AccountKind.RECEIVABLE: AccountClass.ASSET,
    AccountKind.PAYABLE: AccountClass.LIABILITY,
    AccountKind.TRANSIT: AccountClass.LIABILITY,
    AccountKind.FUND: AccountClass.NET,
    AccountKind.CLEARING: AccountClass.CLEARING,
}


class Layer(StrEnum):
    """Which fund bears the money, in the order in which the layers pay."""

    POOL = "pool"  # 基本医保统筹基金
    SERIOUS_ILLNESS = "serious-illness"  # 大病保险, 职工大额
    MEDICAL_AID = "medical-aid"  # 医疗救助
    CIVIL_SERVANT = "civil-servant"  # 公务员补助


class EventKind(StrEnum):
    """What happened. With its source it is booked once."""

    FUNDED = "funded"
    APPROVED = "approved"
    APPROVAL_REVERSED = "approval-reversed"
    INSTRUCTED = "instructed"
    PAID = "paid"
    REJECTED = "rejected"
    RETURNED = "returned"
    RECOVERY_OPENED = "recovery-opened"
    RECOVERED = "recovered"
    RECEIPT_REVERSED = "receipt-reversed"
    RECOVERY_WAIVED = "recovery-waived"
    RECOVERY_OFFSET = "recovery-offset"
    DEPOSIT_REVERSED = "deposit-reversed"
    BANK_CHARGE = "bank-charge"
    BANK_INTEREST = "bank-interest"
    SUSPENSE = "suspense"
    SUSPENSE_CLEARED = "suspense-cleared"


@dataclass(frozen=True, slots=True)
class Account:
    """One account; ``code`` is its name everywhere, for example ``fund:330800:pool``."""

    kind: AccountKind
    region: str
    layer: Layer | None = None

    def __post_init__(self) -> None:
        if not _REGION.fullmatch(self.region) or (self.kind is AccountKind.FUND) != bool(
            self.layer
        ):
            raise _wrong("科目不成立", f"no such account: {self.kind} {self.region} {self.layer}")

    @property
    def code(self) -> str:
        layer = "" if self.layer is None else f":{self.layer}"
        return f"{self.kind}:{self.region}{layer}"

    @property
    def normal_side(self) -> Side:
        return self.kind.normal_side

    @classmethod
    def parse(cls, code: str) -> Account:
        """The account of a code; raises :class:`JournalError` when it is none."""
        parts = code.split(":")
        try:
            if not 2 <= len(parts) <= 3:
                raise ValueError(code)
            layer = Layer(parts[2]) if len(parts) == 3 else None
            return cls(AccountKind(parts[0]), parts[1], layer)
        except ValueError as error:
            raise _wrong("没有这个科目", "there is no such account") from error


@dataclass(frozen=True, slots=True)
class LayerAmounts:
    """What one decision pays out of each layer, in fen, never negative."""

    pool_fen: int = 0
    serious_illness_fen: int = 0
    medical_aid_fen: int = 0
    civil_servant_fen: int = 0

    def __post_init__(self) -> None:
        for each in fields(self):
            amount = getattr(self, each.name)
            if type(amount) is not int or not 0 <= amount <= AMOUNT_FEN_MAX:
                raise _wrong("金额不成立", f"no amount of a layer: {each.name}")

    @property
    def total_fen(self) -> int:
        return sum(amount for _, amount in self.items())

    def items(self) -> tuple[tuple[Layer, int], ...]:
        """Every layer with its amount, also those of nothing."""
        return (
            (Layer.POOL, self.pool_fen),
            (Layer.SERIOUS_ILLNESS, self.serious_illness_fen),
            (Layer.MEDICAL_AID, self.medical_aid_fen),
            (Layer.CIVIL_SERVANT, self.civil_servant_fen),
        )

    @classmethod
    def of(cls, layer: Layer, amount_fen: int) -> LayerAmounts:
        """An amount of one layer alone."""
        return cls(**{f"{layer.replace('-', '_')}_fen": amount_fen})


@dataclass(frozen=True, slots=True)
class Fund:
    """Who pays and who handles: the fund's region and insurance type (310 职工, 390 居民), and
    the agency that handles the claim (经办机构), which may be a county's while the city pays."""

    region: str
    insurance_type: str
    agency_code: str
    agency_name: str

    def __post_init__(self) -> None:
        if not _REGION.fullmatch(self.region) or not _REGION.fullmatch(self.agency_code):
            raise _wrong("行政区划代码应为六位数字", "an area code has six digits")
        if not _INSURANCE.fullmatch(self.insurance_type):
            raise _wrong("险种代码应为三位数字", "an insurance type has three digits")
        if not 1 <= len(self.agency_name) <= 80:
            raise _wrong("经办机构名称不成立", "the agency's name has 1 to 80 characters")

    def account(self, kind: AccountKind, layer: Layer | None = None) -> str:
        """The code of an account of this fund's region."""
        return Account(kind, self.region, layer).code


@dataclass(frozen=True, slots=True)
class ClaimFund:
    """The fund and agency of one claim, fixed once. ``basis`` says what they were derived from:
    ``register`` (the insured area on the day of service) or ``settings`` (none is recorded)."""

    claim_id: str
    fund: Fund
    basis: str
    recorded_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Transfer:
    """``amount_fen`` (positive) goes from the account ``credit`` to the account ``debit``."""

    debit: str
    credit: str
    amount_fen: int

    def __post_init__(self) -> None:
        if type(self.amount_fen) is not int or not 0 < self.amount_fen <= AMOUNT_FEN_MAX:
            raise _wrong("分录金额必须为正", "the amount of a transfer must be positive whole fen")
        if Account.parse(self.debit) == Account.parse(self.credit):
            raise _wrong("借贷科目不能相同", "a transfer needs two different accounts")


@dataclass(frozen=True, slots=True)
class Occasion:
    """What every entry says apart from its money: where it comes from, whose it is, and when.

    ``source_type`` and ``source_id`` name the row that caused it, such as ``attempt`` and the id
    of a payment attempt. ``is_simulated``: the money itself was simulated.
    """

    source_type: str
    source_id: str
    fund: Fund
    claim_id: str | None
    booked_at: dt.datetime
    recorded_by: str = "worker"
    is_simulated: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event with its transfers: complete, balanced, and of one set of books.

    Raises :class:`JournalError` when it is not.
    """

    kind: str
    occasion: Occasion
    transfers: tuple[Transfer, ...]

    def __post_init__(self) -> None:
        occasion = self.occasion
        if not 1 <= len(self.transfers) <= TRANSFERS_MAX:
            raise _wrong("凭证没有分录，或分录过多", "an entry has 1 to 64 transfers")
        if not _SOURCE_TYPE.fullmatch(self.kind):
            raise _wrong("业务种类不成立", "the kind of an entry is a short word")
        if not _SOURCE_TYPE.fullmatch(occasion.source_type):
            raise _wrong("来源种类不成立", "the source type of an entry is a short word")
        if not _SOURCE_ID.fullmatch(occasion.source_id):
            raise _wrong("来源编号不成立", "the source of an entry is an id of 1 to 80 characters")
        if occasion.booked_at.tzinfo is None:
            raise _wrong("记账时间没有时区", "the time of an entry must be aware")
        if len(occasion.text) > TEXT_MAX or not 1 <= len(occasion.recorded_by) <= 60:
            raise _wrong("摘要或制单人过长", "the text or the name of an entry is too long")
        regions = {
            Account.parse(code).region for one in self.transfers for code in (one.debit, one.credit)
        }
        if regions != {occasion.fund.region}:
            raise _wrong("一张凭证只能记一个统筹区", "an entry stays within one region's books")

    @property
    def id(self) -> str:
        """Derived from the source, so that an event that is booked again is the same row."""
        named = f"yichu-journal-1|{self.occasion.source_type}|{self.occasion.source_id}|{self.kind}"
        return f"jrn_{hashlib.sha256(named.encode()).hexdigest()[:36]}"

    @property
    def booked_on(self) -> dt.date:
        """The day in China, which decides the month."""
        return local_day(self.occasion.booked_at)

    @property
    def total_fen(self) -> int:
        """The sum of its debits, which is the sum of its credits."""
        return sum(one.amount_fen for one in self.transfers)

    def content(self) -> tuple[object, ...]:
        """What two bookings of one source must agree on; time, name and text may differ."""
        fund = self.occasion.fund
        return (
            self.kind,
            self.occasion.source_type,
            self.occasion.source_id,
            fund.region,
            fund.insurance_type,
            fund.agency_code,
            self.occasion.claim_id,
            self.occasion.is_simulated,
            self.transfers,
        )


def funded(occasion: Occasion, amounts: LayerAmounts) -> Entry:
    """Money comes into the fund's account at the bank, for these layers."""
    bank = occasion.fund.account(AccountKind.BANK)
    return _entry(
        EventKind.FUNDED,
        occasion,
        [_move(bank, _fund(occasion, layer), amount) for layer, amount in amounts.items()],
    )


def approved(occasion: Occasion, before: LayerAmounts, after: LayerAmounts) -> Entry:
    """A decision version is in effect: the difference to the version before is owed.

    A layer that bears less than before gives its part back to the fund in the same entry. Raises
    :class:`JournalError` when the claim as a whole gets no more: that is a recovery.
    """
    if after.total_fen <= before.total_fen:
        raise _wrong("新结论没有增加应付金额", "a version that pays no more owes nothing")
    return _entry(EventKind.APPROVED, occasion, _difference(occasion, before, after))


def approval_reversed(occasion: Occasion, before: LayerAmounts, after: LayerAmounts) -> Entry:
    """What was approved and is not yet with the bank falls away again: ``before`` to ``after``."""
    if after.total_fen >= before.total_fen:
        raise _wrong("没有减少应付金额", "a reversal lowers what is owed")
    return _entry(EventKind.APPROVAL_REVERSED, occasion, _difference(occasion, before, after))


def instructed(occasion: Occasion, amount_fen: int) -> Entry:
    """An instruction stands in a payment file."""
    return _simple(
        EventKind.INSTRUCTED, occasion, AccountKind.PAYABLE, AccountKind.TRANSIT, amount_fen
    )


def paid(occasion: Occasion, amount_fen: int) -> Entry:
    """The bank says that it has carried the instruction out."""
    return _simple(EventKind.PAID, occasion, AccountKind.TRANSIT, AccountKind.BANK, amount_fen)


def rejected(occasion: Occasion, amount_fen: int) -> Entry:
    """The bank has not carried it out: owed as before."""
    return _simple(
        EventKind.REJECTED, occasion, AccountKind.TRANSIT, AccountKind.PAYABLE, amount_fen
    )


def returned(occasion: Occasion, amount_fen: int) -> Entry:
    """Money that was paid has come back: at the bank again, and owed again."""
    return _simple(EventKind.RETURNED, occasion, AccountKind.BANK, AccountKind.PAYABLE, amount_fen)


def recovery_opened(occasion: Occasion, amounts: LayerAmounts) -> Entry:
    """What was paid wrongly is owed back to the layers that bore it."""
    receivable = occasion.fund.account(AccountKind.RECEIVABLE)
    return _entry(
        EventKind.RECOVERY_OPENED,
        occasion,
        [_move(receivable, _fund(occasion, layer), amount) for layer, amount in amounts.items()],
    )


def recovered(occasion: Occasion, amount_fen: int) -> Entry:
    """An instalment has come in at the bank."""
    return _simple(
        EventKind.RECOVERED, occasion, AccountKind.BANK, AccountKind.RECEIVABLE, amount_fen
    )


def receipt_reversed(occasion: Occasion, amount_fen: int) -> Entry:
    """红字冲销: an instalment was taken down wrongly, and is owed again."""
    return _simple(
        EventKind.RECEIPT_REVERSED, occasion, AccountKind.RECEIVABLE, AccountKind.BANK, amount_fen
    )


def recovery_waived(occasion: Occasion, amounts: LayerAmounts) -> Entry:
    """What is owed back is given up: the layers bear it after all."""
    receivable = occasion.fund.account(AccountKind.RECEIVABLE)
    return _entry(
        EventKind.RECOVERY_WAIVED,
        occasion,
        [_move(_fund(occasion, layer), receivable, amount) for layer, amount in amounts.items()],
    )


def recovery_offset(occasion: Occasion, amount_fen: int) -> Entry:
    """With the person's consent a payment is kept back against what the person owes."""
    return _simple(
        EventKind.RECOVERY_OFFSET,
        occasion,
        AccountKind.PAYABLE,
        AccountKind.RECEIVABLE,
        amount_fen,
    )


def deposit_reversed(occasion: Occasion, deposit: Entry) -> Entry:
    """红字冲销: every transfer of a deposit the other way round."""
    mirrored = tuple(Transfer(t.credit, t.debit, t.amount_fen) for t in deposit.transfers)
    return Entry(EventKind.DEPOSIT_REVERSED, occasion, mirrored)


def bank_moved(kind: EventKind, occasion: Occasion, amount_fen: int, *, came: bool) -> Entry:
    """Money came to the bank account, or left it, for no claim: against the pool for a charge or
    interest, against the clearing account for what nobody can tell (挂账)."""
    bank, other = occasion.fund.account(AccountKind.BANK), _fund(occasion, Layer.POOL)
    if kind is EventKind.SUSPENSE:
        other = occasion.fund.account(AccountKind.CLEARING)
    debit, credit = (bank, other) if came else (other, bank)
    return Entry(kind, occasion, (Transfer(debit, credit, amount_fen),))


def suspense_cleared(occasion: Occasion, suspense: Entry, layer: Layer) -> Entry:
    """Whose it was is known: what is in suspense becomes the layer's."""
    bank, fund = occasion.fund.account(AccountKind.BANK), _fund(occasion, layer)
    (held,) = suspense.transfers
    other = fund if held.debit == bank else held.debit
    moved = Transfer(held.credit if held.debit == bank else fund, other, held.amount_fen)
    return Entry(EventKind.SUSPENSE_CLEARED, occasion, (moved,))


def _simple(
    kind: EventKind, occasion: Occasion, debit: AccountKind, credit: AccountKind, amount_fen: int
) -> Entry:
    fund = occasion.fund
    return Entry(kind, occasion, (Transfer(fund.account(debit), fund.account(credit), amount_fen),))


def _difference(
    occasion: Occasion, before: LayerAmounts, after: LayerAmounts
) -> list[Transfer | None]:
    payable = occasion.fund.account(AccountKind.PAYABLE)
    return [
        _move(_fund(occasion, layer), payable, amount - earlier)
        for (layer, amount), (_, earlier) in zip(after.items(), before.items(), strict=True)
    ]


def _move(debit: str, credit: str, amount_fen: int) -> Transfer | None:
    """A transfer of a difference: a negative one goes the other way, nothing is no row."""
    if amount_fen == 0:
        return None
    if amount_fen < 0:
        return Transfer(credit, debit, -amount_fen)
    return Transfer(debit, credit, amount_fen)


def _entry(kind: EventKind, occasion: Occasion, moves: list[Transfer | None]) -> Entry:
    return Entry(kind, occasion, tuple(one for one in moves if one is not None))


def _fund(occasion: Occasion, layer: Layer) -> str:
    return occasion.fund.account(AccountKind.FUND, layer)


def _wrong(zh: str, en: str) -> JournalError:
    return JournalError(f"凭证无法记账：{zh}", f"the entry cannot be booked: {en}")
