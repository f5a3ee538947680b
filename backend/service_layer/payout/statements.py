"""Taking in a statement of an account: kept as it is, to be compared with the journal.

Nothing is booked from it: it says what the bank has done, and the reconciliation (R19) says where
the journal does not. A statement that overlaps another one would count movements twice and is
refused, unless two people have withdrawn that one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from backend.service_layer.payout.examine import CLOCKS_APART
from backend.service_layer.payout.ports import BadStatusFileError
from backend.service_layer.payout.records import (
    INCOMING_BYTES_MAX,
    BankStatement,
    IncomingFile,
    Lane,
    Verdict,
)
from backend.service_layer.payout.stored import BankMessage, kept_instant

REFUSED: Final = "bank-file-refused"
REPEATED: Final = "bank-file-repeated"
NAME_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class StoredStatement:
    """A statement as it is stored; its entries are rows of their own."""

    id: str
    region: str  # whose account it is
    account: str
    statement_id: str
    from_at: dt.datetime
    to_at: dt.datetime
    opening_fen: int
    closing_fen: int
    entry_count: int
    simulated: bool
    message_id: str
    filing: int = 1  # one of a name that was withdrawn is filed anew


@dataclass(frozen=True, slots=True)
class WithdrawalStep:
    """Who proposed to withdraw a statement (``proposed``), or how that ended (``confirmed``,
    ``refused``)."""

    statement_id: str
    ordinal: int
    action: str
    by: str
    reason: str
    at: dt.datetime


def take_in_statement(deps: Any, file: IncomingFile) -> None:
    """Keep one statement of the bank with its movements, or the file with what does not agree."""
    digest = hashlib.sha256(file.content).digest()
    name = file.name[:NAME_MAX]
    statement, fault = _read(deps, file)
    with deps.work() as work:
        work.payments.take_turn(Lane.DAILY)
        if work.payments.message(name, digest) is not None:
            return
        known = None
        if statement is not None:
            known = work.bank_statements.find(statement.account, statement.statement_id)
            fault = fault_of(deps, work, statement, digest)
        verdict = Verdict.REFUSED if fault else Verdict.FILED if known is None else Verdict.REPEATED
        message = _message(deps, file, statement, verdict, fault)
        work.payments.add_message(message)
        if verdict is Verdict.FILED:
            assert statement is not None, "only what was read is filed"
            file_statement(deps, work, statement, message.id)
        elif verdict is Verdict.REPEATED:
            work.alarms.raise_alarm(REPEATED, message.id, f"{file.name}: a known statement")
        else:
            work.alarms.raise_alarm(REFUSED, message.id, f"{file.name}: {fault}")
        work.commit()


def _read(deps: Any, file: IncomingFile) -> tuple[BankStatement | None, str]:
    if len(file.content) > INCOMING_BYTES_MAX:
        return None, f"it is larger than {INCOMING_BYTES_MAX} bytes"
    try:
        return deps.payment_format.read_statement(file.content), ""
    except BadStatusFileError as error:
        return None, error.en


def region_of(deps: Any, account: str) -> str | None:
    """The region whose fund pays from an account."""
    rules = deps.settings.payout
    regions = (rules.region, *(region for region, _ in rules.accounts))
    for region in regions:
        found = rules.account_of(region)
        if found is not None and found.number == account:
            return str(region)
    return None


def fault_of(deps: Any, work: Any, statement: BankStatement, digest: bytes) -> str:
    """What keeps a statement from being used, empty for nothing. ``digest``: of its file."""
    known = work.bank_statements.find(statement.account, statement.statement_id)
    now = deps.clock.now()
    if region_of(deps, statement.account) is None:
        return f"account …{statement.account[-4:]} is none of ours"
    if statement.simulated != deps.bank.is_simulated:
        words = {True: "simulated", False: "real"}
        return f"it is {words[statement.simulated]}, this bank is {words[deps.bank.is_simulated]}"
    latest = max(statement.created_at, statement.to_at)
    if latest > now + CLOCKS_APART:
        return f"it reaches to {latest:%FT%TZ}, which has not come yet"
    if known is not None:
        said = (
            statement.from_at, statement.to_at, statement.opening_fen, statement.closing_fen,
            len(statement.entries),
        )  # fmt: skip
        stored = (
            known.from_at, known.to_at, known.opening_fen, known.closing_fen, known.entry_count,
        )  # fmt: skip
        is_same = said == stored and Counter(statement.entries) == Counter(
            work.bank_statements.entries_of(known.id)
        )
        return "" if is_same else f"another statement {statement.statement_id} is known"
    if work.bank_statements.was_withdrawn(digest):
        return f"statement {statement.statement_id} was withdrawn, and these are its very bytes"
    over = work.bank_statements.overlapping(statement.account, statement.from_at, statement.to_at)
    return f"it overlaps statement {over}" if over else ""


def file_statement(deps: Any, work: Any, statement: BankStatement, message_id: str) -> str:
    """Keep a statement that has no fault, with its movements; returns its id here."""
    region = region_of(deps, statement.account)
    assert region is not None, "asked before"
    account, name = statement.account, statement.statement_id
    stored = StoredStatement(
        id=deps.ids.new_id("bst"),
        region=region,
        account=statement.account,
        statement_id=statement.statement_id,
        from_at=statement.from_at,
        to_at=statement.to_at,
        opening_fen=statement.opening_fen,
        closing_fen=statement.closing_fen,
        entry_count=len(statement.entries),
        simulated=statement.simulated,
        message_id=message_id,
        filing=work.bank_statements.filings(account, name) + 1,
    )
    work.bank_statements.add(stored, statement.entries)
    return stored.id


def _message(
    deps: Any, file: IncomingFile, statement: BankStatement | None, verdict: Verdict, fault: str
) -> BankMessage:
    message_id = deps.ids.new_id("bmg")
    kept = file.content[:INCOMING_BYTES_MAX]
    return BankMessage(
        id=message_id,
        name=file.name[:NAME_MAX],
        digest=hashlib.sha256(file.content).digest(),
        wrapped_content=deps.secret_box.wrap(kept, message_id),
        received_at=deps.clock.now(),
        report_id=None if statement is None else statement.message_id,
        original_id=None,
        reported_at=(
            None if statement is None else kept_instant(statement.created_at, deps.clock.now())
        ),
        simulated=None if statement is None else statement.simulated,
        verdict=verdict,
        difference=fault,
    )
