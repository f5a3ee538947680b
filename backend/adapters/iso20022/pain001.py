"""pain.001.001.11, CustomerCreditTransferInitiation: payments that the agency asks its bank for.

One ``PmtInf`` a file, in yuan, charges borne by the agency's side. The creditor's name and account
are in clear: the file is personal data and lives in a folder that only the file desk reads.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from backend.adapters.iso20022.document import (
    CURRENCY,
    PAIN001,
    Branch,
    MessageError,
    amount_text,
    fen_of,
    instant_of,
    instant_text,
    parse_message,
    serialise,
)
from backend.service_layer.payout.records import ITEMS_MAX, Lane, PaymentFile, PaymentItem

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9-]{1,35}", re.ASCII)
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9-]{4,34}", re.ASCII)
_BANK_CODE: Final = re.compile(r"[0-9]{12}", re.ASCII)
_CNAPS: Final = "CNAPS"  # China National Advanced Payment System, external code list
_URGENT: Final = "URGP"
_NORMAL: Final = "NURG"


def write_pain001(file: PaymentFile) -> bytes:
    """The file as schema-valid bytes, the same for the same file.

    Raises :class:`MessageError` naming the item: no items or too many, an identifier that is used
    twice or has other characters than A-Z a-z 0-9 and "-", an amount that is not above 0, a text
    that does not fit.
    """
    _check(file)
    document = Branch.document(PAIN001)
    message = document.add("CstmrCdtTrfInitn")
    total = amount_text(file.control_sum_fen)
    header = message.add("GrpHdr")
    header.add("MsgId", file.message_id)
    header.add("CreDtTm", instant_text(file.created_at))
    header.add("NbOfTxs", str(len(file.items)))
    header.add("CtrlSum", total)
    header.add("InitgPty/Nm", file.debtor_name)
    order = message.add("PmtInf")
    order.add("PmtInfId", file.message_id)
    order.add("PmtMtd", "TRF")
    order.add("NbOfTxs", str(len(file.items)))
    order.add("CtrlSum", total)
    order.add("PmtTpInf/SvcLvl/Cd", _URGENT if file.lane is Lane.INSTANT else _NORMAL)
    order.add("ReqdExctnDt/Dt", file.execute_on.isoformat())
    order.add("Dbtr/Nm", file.debtor_name)
    order.add("DbtrAcct/Id/Othr/Id", file.debtor_account)
    _agent(order.add("DbtrAgt/FinInstnId"), file.debtor_bank_code, "")
    order.add("ChrgBr", "DEBT")
    for item in file.items:
        _transfer(order, item)
    return serialise(document.element, PAIN001)


def _check(file: PaymentFile) -> None:
    if not 1 <= len(file.items) <= ITEMS_MAX:
        raise MessageError(f"{len(file.items)} items; 1 to {ITEMS_MAX} fit a file")
    if not _IDENTIFIER.fullmatch(file.message_id):
        raise MessageError(f"the message id {file.message_id[:60]!r} does not fit")
    seen: set[str] = set()
    for item in file.items:
        where = f"item {item.end_to_end_id[:60]!r}"
        if not _IDENTIFIER.fullmatch(item.end_to_end_id):
            raise MessageError(f"{where}: the identifier does not fit")
        if item.end_to_end_id in seen:
            raise MessageError(f"{where} stands in the file twice")
        seen.add(item.end_to_end_id)
        if item.amount_fen <= 0:
            raise MessageError(f"{where}: {item.amount_fen} fen cannot be paid")
        if not _ACCOUNT.fullmatch(item.account_number):
            raise MessageError(f"{where}: the account number does not fit")


def _agent(branch: Branch, bank_code: str, bank_name: str) -> None:
    if bank_code:
        if not _BANK_CODE.fullmatch(bank_code):
            raise MessageError(f"{bank_code[:40]!r} is no clearing number of 12 digits")
        member = branch.add("ClrSysMmbId")
        member.add("ClrSysId/Cd", _CNAPS)
        member.add("MmbId", bank_code)
    if bank_name:
        branch.add("Nm", bank_name)
    if not bank_code and not bank_name:
        branch.add("Othr/Id", "NOTPROVIDED")


def _transfer(order: Branch, item: PaymentItem) -> None:
    transfer = order.add("CdtTrfTxInf")
    names = transfer.add("PmtId")
    names.add("InstrId", item.end_to_end_id)
    names.add("EndToEndId", item.end_to_end_id)
    transfer.add("Amt/InstdAmt", amount_text(item.amount_fen), Ccy=CURRENCY)
    _agent(transfer.add("CdtrAgt/FinInstnId"), item.bank_code, item.bank_name)
    transfer.add("Cdtr/Nm", item.holder)
    transfer.add("CdtrAcct/Id/Othr/Id", item.account_number)
    if item.purpose:
        transfer.add("RmtInf/Ustrd", item.purpose)


def read_pain001(content: bytes) -> PaymentFile:
    """A payment file as a bank reads it; raises :class:`MessageError`.

    Counts and control sums must be those of the items.
    """
    root = Branch(parse_message(content, PAIN001))
    message = root.one("CstmrCdtTrfInitn")
    assert message is not None, "the schema requires it"
    orders = message.all("PmtInf")
    if len(orders) != 1:
        raise MessageError("one payment order a file is expected")
    order = orders[0]
    items = tuple(_item(entry) for entry in order.all("CdtTrfTxInf"))
    level = order.text("PmtTpInf/SvcLvl/Cd")
    file = PaymentFile(
        message_id=message.text("GrpHdr/MsgId"),
        created_at=instant_of(message.text("GrpHdr/CreDtTm")),
        execute_on=_day(order.text("ReqdExctnDt/Dt")),
        lane=Lane.INSTANT if level == _URGENT else Lane.DAILY,
        debtor_name=order.text("Dbtr/Nm"),
        debtor_account=order.text("DbtrAcct/Id/Othr/Id"),
        debtor_bank_code=order.text("DbtrAgt/FinInstnId/ClrSysMmbId/MmbId"),
        items=items,
    )
    for branch in (message.one("GrpHdr"), order):
        assert branch is not None, "the schema requires it"
        if branch.text("NbOfTxs") != str(len(items)):
            raise MessageError("the number of transfers is not that of the items")
        if fen_of(branch.text("CtrlSum")) != file.control_sum_fen:
            raise MessageError("the control sum is not that of the items")
    _check(file)
    return file


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise MessageError(f"{text[:40]!r} is no day") from error


def _item(entry: Branch) -> PaymentItem:
    amount = entry.one("Amt/InstdAmt")
    if amount is None or amount.element.get("Ccy") != CURRENCY:
        raise MessageError(f"{entry.text('PmtId/EndToEndId')}: not an amount in {CURRENCY}")
    return PaymentItem(
        end_to_end_id=entry.text("PmtId/EndToEndId"),
        amount_fen=fen_of(entry.text("Amt/InstdAmt")),
        holder=entry.text("Cdtr/Nm"),
        account_number=entry.text("CdtrAcct/Id/Othr/Id"),
        bank_name=entry.text("CdtrAgt/FinInstnId/Nm"),
        bank_code=entry.text("CdtrAgt/FinInstnId/ClrSysMmbId/MmbId"),
        purpose=entry.text("RmtInf/Ustrd"),
    )
