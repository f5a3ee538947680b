"""What the journal is read as. Money is integer fen, days are those in China."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backend.domain.journal import Account, Side


@dataclass(frozen=True, slots=True)
class Balance:
    """What was ever debited and credited to one account in the books of one insurance type."""

    account: str
    insurance_type: str
    debit_fen: int
    credit_fen: int

    @property
    def balance_fen(self) -> int:
        """On the account's normal side; negative when it stands on the other one."""
        difference = self.debit_fen - self.credit_fen
        is_debit = Account.parse(self.account).normal_side is Side.DEBIT
        return difference if is_debit else -difference


@dataclass(frozen=True, slots=True)
class Turnover:
    """What events of one kind moved between two accounts, of one agency, over some days."""

    region: str
    insurance_type: str
    agency_code: str
    agency_name: str
    kind: str
    debit_account: str
    credit_account: str
    is_simulated: bool
    amount_fen: int
    count: int


@dataclass(frozen=True, slots=True)
class ClaimBalance:
    """What one claim has open on one account, on the account's normal side."""

    claim_id: str
    claim_number: str
    account: str
    insurance_type: str
    agency_code: str
    balance_fen: int
    since: dt.date


@dataclass(frozen=True, slots=True)
class JournalClose:
    """A closed month of one region. ``statement`` is the canonical JSON that was shown."""

    id: str
    region: str
    month: str
    open_count: int
    open_fen: int
    statement: str
    digest: bytes
    closed_by: str
    reason: str
    closed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class CloseProposal:
    """A month that one person proposes to close. ``digest`` is that of the statement that was
    shown; ``carried`` names, a line each, what bank and reconciliation leave open of it."""

    region: str
    month: str
    ordinal: int  # from 1; the newest one is confirmed
    by: str
    reason: str
    digest: bytes
    carried: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A correcting entry that one person has proposed. ``subject`` is what is corrected, which
    happens once: an entry's id, or a movement of a statement (``statement_id:ordinal``)."""

    number: int
    kind: str  # backend.domain.journal.EventKind
    region: str
    insurance_type: str
    layer: str | None  # of what was in suspense
    amount_fen: int
    reference: str  # by what the bank names it
    side: str | None  # on the statement: credit, it came; debit, it left
    statement_id: str | None
    statement_ordinal: int | None
    corrects: str | None  # id of the entry
    subject: str
    reason: str
    proposed_by: str
    proposed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class AdjustmentAnswer:
    """How a proposal ended: ``confirmed`` with the entry that was booked, or ``refused``."""

    number: int
    action: str
    by: str
    reason: str
    at: dt.datetime
    subject: str | None = None
    entry_id: str | None = None
