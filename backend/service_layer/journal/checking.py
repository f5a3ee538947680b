"""Whether the stored journal is one that can be signed: every rule yields what breaks it.

The database refuses most of this by itself. The check is for what came in past its rules, and for
what no rule of a single row can see: an account that stands on its wrong side, a claim of which
more was paid than approved, a closed month that is not what it was when it was closed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from backend.domain.journal import Account, AccountKind, Side
from backend.service_layer.journal.month_statement import month_end, month_statement
from backend.service_layer.journal.ports import JournalWork
from backend.service_layer.journal.records import Balance

NEVER_NEGATIVE: Final = (
    AccountKind.BANK,
    AccountKind.RECEIVABLE,
    AccountKind.PAYABLE,
    AccountKind.TRANSIT,
)
_OF_CLAIMS: Final = (AccountKind.RECEIVABLE, AccountKind.PAYABLE, AccountKind.TRANSIT)


@dataclass(frozen=True, slots=True)
class Fault:
    """One row that breaks a rule, in words without names of people."""

    rule: str
    subject: str
    zh: str
    en: str


def check_journal(work: JournalWork) -> list[Fault]:
    """Every fault of the stored journal; empty when it can be signed."""
    return [
        *_not_whole(work),
        *_not_balanced(work.journal.balances()),
        *_on_the_wrong_side(work.journal.balances()),
        *_claims_on_the_wrong_side(work),
        *_closed_months(work),
    ]


def _not_whole(work: JournalWork) -> Iterable[Fault]:
    for entry_id in work.journal.unbalanced():
        yield Fault(
            "not-whole",
            entry_id,
            "凭证不完整，或分录没有凭证",
            "the entry is not whole, or its transfers have no entry",
        )


def _not_balanced(balances: list[Balance]) -> Iterable[Fault]:
    books = {(Account.parse(one.account).region, one.insurance_type) for one in balances}
    for region, insurance_type in sorted(books):
        book = [
            one
            for one in balances
            if Account.parse(one.account).region == region and one.insurance_type == insurance_type
        ]
        debits, credits = (
            sum(one.debit_fen for one in book),
            sum(one.credit_fen for one in book),
        )
        if debits != credits:
            yield Fault(
                "not-balanced",
                f"{region} {insurance_type}",
                f"借方 {debits} 分，贷方 {credits} 分",
                f"debits are {debits} fen, credits {credits} fen",
            )


def _on_the_wrong_side(balances: list[Balance]) -> Iterable[Fault]:
    for one in balances:
        account = Account.parse(one.account)
        if account.kind in NEVER_NEGATIVE and one.balance_fen < 0:
            side = "credit" if account.normal_side is Side.DEBIT else "debit"
            yield Fault(
                "wrong-side",
                f"{one.account} {one.insurance_type}",
                f"余额方向相反：{-one.balance_fen} 分",
                f"stands {-one.balance_fen} fen on the {side} side",
            )


def _claims_on_the_wrong_side(work: JournalWork) -> Iterable[Fault]:
    for region in work.journal.regions():
        for kind in _OF_CLAIMS:
            for one in work.journal.claim_balances(Account(kind, region).code):
                if one.balance_fen < 0:
                    yield Fault(
                        "claim-wrong-side",
                        f"{one.claim_number} {one.account}",
                        f"这笔申请的余额方向相反：{-one.balance_fen} 分",
                        f"the claim stands {-one.balance_fen} fen on the other side",
                    )


def _closed_months(work: JournalWork) -> Iterable[Fault]:
    previous: dict[str, bytes] = {}
    for close in work.journal.closes():
        try:
            last = month_end(close.month)
        except ValueError:
            last = dt.date.min
        now = month_statement(work, close.region, last, previous.get(close.region, bytes(32)))
        if now.digest != close.digest or now.text != close.statement:
            yield Fault(
                "closed-month-changed",
                f"{close.region} {close.month}",
                "结账后的账与结账时不同",
                "the month is not what it was when it was closed",
            )
        previous[close.region] = close.digest
