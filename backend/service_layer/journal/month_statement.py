"""What a month ends with: its trial balance and everything that is still open."""

from __future__ import annotations

import calendar
import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from backend.domain.journal import Account, AccountKind
from backend.service_layer.journal.ports import JournalWork
from verifier.commitment.canonical import canonical_bytes

STATEMENT_FORMAT: Final = "yichu-month-1"
_MONTH: Final = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
_OPEN_KINDS: Final = (
    AccountKind.PAYABLE,
    AccountKind.TRANSIT,
    AccountKind.RECEIVABLE,
    AccountKind.CLEARING,
)


@dataclass(frozen=True, slots=True)
class OpenItem:
    """A balance that is not zero at the end of the month: of a claim, or of no claim (empty)."""

    account: str
    insurance_type: str
    claim_number: str
    agency_code: str
    balance_fen: int
    since: dt.date | None


@dataclass(frozen=True, slots=True)
class MonthStatement:
    """What a month ends with. ``text`` is canonical JSON and ``digest`` its SHA-256; each
    statement names the digest of the one before, so that none can be left out."""

    items: tuple[OpenItem, ...]
    text: str
    digest: bytes

    @property
    def open_fen(self) -> int:
        return sum(one.balance_fen for one in self.items)


def month_end(month: str) -> dt.date:
    """The last day of a month such as ``2026-11``; raises ValueError when it is none."""
    if not _MONTH.fullmatch(month):
        raise ValueError(month)
    year, number = int(month[:4]), int(month[5:])
    return dt.date(year, number, calendar.monthrange(year, number)[1])


def open_items(work: JournalWork, region: str, until: dt.date) -> tuple[OpenItem, ...]:
    """Everything approved and not paid, with the bank and not answered, owed back, or in
    suspense."""
    found: list[OpenItem] = []
    for kind in _OPEN_KINDS:
        account = Account(kind, region).code
        rest: dict[str, int] = {
            one.insurance_type: one.balance_fen
            for one in work.journal.balances(until, region)
            if one.account == account
        }
        for one in work.journal.claim_balances(account, until):
            rest[one.insurance_type] = rest.get(one.insurance_type, 0) - one.balance_fen
            found.append(
                OpenItem(
                    account,
                    one.insurance_type,
                    one.claim_number,
                    one.agency_code,
                    one.balance_fen,
                    one.since,
                )
            )
        found += [
            OpenItem(account, insurance, "", "", amount, None)
            for insurance, amount in sorted(rest.items())
            if amount
        ]
    return tuple(found)


def month_statement(
    work: JournalWork, region: str, until: dt.date, previous: bytes
) -> MonthStatement:
    """The trial balance and the open items of a region after the day ``until``."""
    items = open_items(work, region, until)
    text = canonical_bytes(
        {
            "format": STATEMENT_FORMAT,
            "region": region,
            "until": until.isoformat(),
            "previous": previous.hex(),
            "trial_balance": [
                {
                    "account": one.account,
                    "insurance_type": one.insurance_type,
                    "debit_fen": one.debit_fen,
                    "credit_fen": one.credit_fen,
                }
                for one in work.journal.balances(until, region)
            ],
            "open_items": [
                {
                    "account": one.account,
                    "insurance_type": one.insurance_type,
                    "claim": one.claim_number,
                    "balance_fen": one.balance_fen,
                }
                for one in items
            ],
        }
    )
    return MonthStatement(items, text.decode(), hashlib.sha256(text).digest())
