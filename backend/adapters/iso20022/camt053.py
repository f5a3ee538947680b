"""camt.053.001.08, BankToCustomerStatement: what the bank has booked on our account.

One statement of one account a message, in yuan. A movement of ours is known by its
``EndToEndId``, any other by the bank's own reference. A batch that is booked as one sum must give
its transfers one by one: an amount that cannot be told apart cannot be compared.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from backend.adapters.iso20022.document import (
    CAMT053,
    CURRENCY,
    Branch,
    MessageError,
    amount_text,
    fen_of,
    instant_of,
    instant_text,
    namespace_of,
    parse_message,
    serialise,
)
from backend.adapters.iso20022.pain002 import SIMULATED
from backend.domain.local_time import SHANGHAI
from backend.service_layer.payout.records import (
    INCOMING_BYTES_MAX,
    STATEMENT_ENTRIES_MAX,
    BankStatement,
    EntrySide,
    StatementEntry,
)

_OPENING: Final = ("OPBD", "PRCD")  # opening booked, previously closed booked
_CLOSING: Final = "CLBD"
_BOOKED: Final = "BOOK"
_NOT_PROVIDED: Final = "NOTPROVIDED"
_SIDE: Final = {"CRDT": EntrySide.CREDIT, "DBIT": EntrySide.DEBIT}
_CODE: Final = {side: code for code, side in _SIDE.items()}
_LOOK_FOR_BYTES: Final = 4_096
_DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T.*|Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII)


def is_camt053(content: bytes) -> bool:
    """Whether bytes say that they are a statement; whether they are a whole one is asked later."""
    return namespace_of("camt.053").encode() in content[:_LOOK_FOR_BYTES]


def read_camt053(content: bytes) -> BankStatement:
    """A whole, valid statement; raises :class:`MessageError` for anything else.

    Refused beside what the schema refuses: more than one statement, a page of several, another
    currency, no opening or closing balance, a batch without its transfers, entries that do not add
    up to the closing balance, too many of them.
    """
    root = Branch(parse_message(content, CAMT053, INCOMING_BYTES_MAX))
    message = root.one("BkToCstmrStmt")
    assert message is not None, "the schema requires it"
    statements = message.all("Stmt")
    if len(statements) != 1:
        raise MessageError("one statement a message is expected")
    one = statements[0]
    _require_one_page(message.one("GrpHdr/MsgPgntn"), one.one("StmtPgntn"))
    entries = tuple(part for entry in one.all("Ntry") for part in _entry(entry))
    if len(entries) > STATEMENT_ENTRIES_MAX:
        raise MessageError(f"has more than {STATEMENT_ENTRIES_MAX} movements")
    from_at, to_at = _period(one)
    statement = BankStatement(
        message_id=message.text("GrpHdr/MsgId"),
        created_at=instant_of(message.text("GrpHdr/CreDtTm")),
        statement_id=one.text("Id"),
        account=one.text("Acct/Id/Othr/Id") or one.text("Acct/Id/IBAN"),
        from_at=from_at,
        to_at=to_at,
        opening_fen=_balance(one, *_OPENING),
        closing_fen=_balance(one, _CLOSING),
        entries=entries,
        simulated=SIMULATED in message.text("GrpHdr/AddtlInf"),
    )
    if from_at > to_at:
        raise MessageError("its period ends before it begins")
    if statement.opening_fen + statement.moved_fen != statement.closing_fen:
        raise MessageError("its movements do not lead from the opening to the closing balance")
    return statement


def _require_one_page(*pages: Branch | None) -> None:
    for page in pages:
        if page is None:
            continue
        if int(page.text("PgNb")) != 1 or page.text("LastPgInd") not in ("true", "1"):
            raise MessageError(
                f"is page {page.text('PgNb')} of several: the bank must give a statement in one"
            )


def _balance(statement: Branch, *codes: str) -> int:
    for code in codes:
        for balance in statement.all("Bal"):
            if balance.text("Tp/CdOrPrtry/Cd") == code:
                fen = _amount(balance, f"balance {code}")
                return fen if balance.text("CdtDbtInd") == "CRDT" else -fen
    raise MessageError(f"has no balance {codes[0]}")


def _amount(branch: Branch, what: str) -> int:
    amount = branch.one("Amt")
    if amount is None or amount.element.get("Ccy") != CURRENCY:
        raise MessageError(f"{what}: not an amount in {CURRENCY}")
    return fen_of(branch.text("Amt"))


def _period(statement: Branch) -> tuple[dt.datetime, dt.datetime]:
    """What the statement covers; without a period of its own the local days of its balances."""
    if statement.one("FrToDt") is not None:
        return (
            instant_of(statement.text("FrToDt/FrDtTm")),
            instant_of(statement.text("FrToDt/ToDtTm")),
        )
    days = []
    for balance in statement.all("Bal"):
        text = balance.text("Dt/Dt") or balance.text("Dt/DtTm")
        if balance.text("Tp/CdOrPrtry/Cd") in (_OPENING[0], _CLOSING):
            days.append(_day(text))
    if not days:
        raise MessageError("does not say which days it covers")
    try:
        ends = (min(days), max(days) + dt.timedelta(days=1))
        first, last = (dt.datetime.combine(day, dt.time(), SHANGHAI) for day in ends)
        return first.astimezone(dt.UTC), last.astimezone(dt.UTC)
    except OverflowError as error:
        raise MessageError("its days are outside the calendar") from error


def _day(text: str) -> dt.date:
    """The day that a date or an instant names; the schema allows years that no calendar has."""
    found = _DAY.fullmatch(text)
    if found is None:
        raise MessageError(f"{text[:40]!r} is no day")
    try:
        return dt.date.fromisoformat(found[1])
    except ValueError as error:
        raise MessageError(f"{text[:40]!r} is no day") from error


def _entry(entry: Branch) -> list[StatementEntry]:
    """The movements of one entry; none for one that is not booked yet."""
    if entry.text("Sts/Cd") != _BOOKED:
        return []
    total = _amount(entry, "an entry")
    day = entry.text("BookgDt/Dt") or entry.text("BookgDt/DtTm")
    if not day:
        raise MessageError("an entry without its booking day")
    booked_on = _day(day)
    side = _SIDE[entry.text("CdtDbtInd")]
    parts = entry.all("NtryDtls/TxDtls")
    many = entry.text("NtryDtls/Btch/NbOfTxs")
    if many and int(many) > 1 and len(parts) != int(many):
        raise MessageError("a batch without its transfers one by one")
    found = []
    for part in parts:
        fen = _amount(part, "a transfer") if part.one("Amt") is not None else total
        name = part.text("Refs/EndToEndId")
        found.append(
            StatementEntry(
                side=_SIDE.get(part.text("CdtDbtInd"), side),
                amount_fen=fen,
                reference=part.text("Refs/AcctSvcrRef") or entry.text("AcctSvcrRef"),
                end_to_end_id="" if name == _NOT_PROVIDED else name,
                booked_on=booked_on,
            )
        )
    if not found:
        found = [StatementEntry(side, total, entry.text("AcctSvcrRef"), "", booked_on)]
    if sum(one.amount_fen if one.side is side else -one.amount_fen for one in found) != total:
        raise MessageError("the transfers of an entry do not add up to it")
    return [one for one in found if one.amount_fen]


def write_camt053(statement: BankStatement) -> bytes:
    """A statement as a bank writes it, schema-valid, the same bytes for the same statement."""
    document = Branch.document(CAMT053)
    message = document.add("BkToCstmrStmt")
    header = message.add("GrpHdr")
    header.add("MsgId", statement.message_id)
    header.add("CreDtTm", instant_text(statement.created_at))
    if statement.simulated:
        header.add("AddtlInf", SIMULATED)
    one = message.add("Stmt")
    one.add("Id", statement.statement_id)
    period = one.add("FrToDt")
    period.add("FrDtTm", instant_text(statement.from_at))
    period.add("ToDtTm", instant_text(statement.to_at))
    one.add("Acct/Id/Othr/Id", statement.account)
    for code, fen, at in (
        (_OPENING[0], statement.opening_fen, statement.from_at),
        (_CLOSING, statement.closing_fen, statement.to_at),
    ):
        balance = one.add("Bal")
        balance.add("Tp/CdOrPrtry/Cd", code)
        balance.add("Amt", amount_text(abs(fen)), Ccy=CURRENCY)
        balance.add("CdtDbtInd", "DBIT" if fen < 0 else "CRDT")
        balance.add("Dt/DtTm", instant_text(at))
    for entry in statement.entries:
        _write_entry(one, entry)
    return serialise(document.element, CAMT053)


def _write_entry(statement: Branch, entry: StatementEntry) -> None:
    row = statement.add("Ntry")
    row.add("Amt", amount_text(entry.amount_fen), Ccy=CURRENCY)
    row.add("CdtDbtInd", _CODE[entry.side])
    row.add("Sts/Cd", _BOOKED)
    row.add("BookgDt/Dt", entry.booked_on.isoformat())
    if entry.reference:
        row.add("AcctSvcrRef", entry.reference[:35])
    row.add("BkTxCd/Prtry/Cd", "TRF")
    references = row.add("NtryDtls/TxDtls/Refs")
    if entry.reference:
        references.add("AcctSvcrRef", entry.reference[:35])
    references.add("EndToEndId", entry.end_to_end_id or _NOT_PROVIDED)
