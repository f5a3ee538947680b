"""pain.002.001.12, CustomerPaymentStatusReport: what the bank says of our payments.

Status codes are those of the external code sets ExternalPaymentTransactionStatus1Code and
ExternalPaymentGroupStatus1Code. pain.002 has no status for a payment that was credited and came
back (a bank reports that in camt.054): here it is ``RJCT`` with an additional information that
begins with ``RETURNED``, which the file desk agrees with its bank.
"""

from __future__ import annotations

from typing import Final

from backend.adapters.iso20022.document import (
    CURRENCY,
    PAIN001,
    PAIN002,
    Branch,
    MessageError,
    amount_text,
    fen_of,
    instant_of,
    instant_text,
    parse_message,
    serialise,
)
from backend.domain.payout import KNOWN_AT_THE_BANK
from backend.service_layer.payout.records import (
    ITEMS_MAX,
    AnswerStatus,
    StatusCount,
    StatusItem,
    StatusReport,
)

SIMULATED: Final = "SIMULATED 模拟银行，没有真实资金"
RETURNED: Final = "RETURNED"
_STATUS: Final = {
    **dict.fromkeys(
        (
            "RCVD", "PATC", "ACTC", "ACCP", "ACFC", "ACSP", "ACPD", "ACWC", "ACWP", "BLCK", "PDNG",
        ),
        AnswerStatus.ACCEPTED,
    ),
    **dict.fromkeys(("ACSC", "ACCC"), AnswerStatus.PAID),
    **dict.fromkeys(("RJCT", "CANC"), AnswerStatus.REJECTED),
}  # fmt: skip
_CANCELLED: Final = "CANC"
_NO_NAME: Final = "NOTPROVIDED"
_GROUP_ONLY: Final = {"PART": AnswerStatus.ACCEPTED}
_CODE: Final = {
    AnswerStatus.ACCEPTED: "ACSP",
    AnswerStatus.PAID: "ACCC",
    AnswerStatus.REJECTED: "RJCT",
    AnswerStatus.RETURNED: "RJCT",
}


def read_pain002(content: bytes) -> StatusReport:
    """A whole, valid report; raises :class:`MessageError` for anything else.

    Refused beside what the schema refuses: a report on another message than pain.001.001.11, a
    status that is not known here, an amount in another currency, an instruction named twice or not
    named, more than one payment order, control sums that do not fit whole fen.
    """
    root = Branch(parse_message(content, PAIN002))
    message = root.one("CstmrPmtStsRpt")
    assert message is not None, "the schema requires it"
    group = message.one("OrgnlGrpInfAndSts")
    assert group is not None, "the schema requires it"
    if group.text("OrgnlMsgNmId") != PAIN001:
        raise MessageError(f"reports on {group.text('OrgnlMsgNmId')!r}, not on {PAIN001}")
    orders = message.all("OrgnlPmtInfAndSts")
    if len(orders) > 1:
        raise MessageError("reports on more than one payment order")
    items = tuple(_item(entry) for order in orders for entry in order.all("TxInfAndSts"))
    if len(items) > ITEMS_MAX:
        raise MessageError(f"speaks of more than {ITEMS_MAX} instructions")
    if len({item.end_to_end_id for item in items}) != len(items):
        raise MessageError("names an instruction twice")
    status, reason = _group_status(group, orders)
    count, total = _original(group)
    order_count, order_total = _original(orders[0]) if orders else (None, None)
    return StatusReport(
        message_id=message.text("GrpHdr/MsgId"),
        created_at=instant_of(message.text("GrpHdr/CreDtTm")),
        original_message_id=group.text("OrgnlMsgId"),
        items=items,
        simulated=SIMULATED in _informations(group),
        group_status=status,
        group_reason_code=reason,
        original_item_count=count,
        original_control_sum_fen=total,
        other_order=_other_order(group.text("OrgnlMsgId"), orders),
        order_item_count=order_count,
        order_control_sum_fen=order_total,
        counts=tuple(counts for one in (group, *orders) if (counts := _counts(one))),
    )


def _other_order(original_id: str, orders: list[Branch]) -> str:
    """The order that is answered, where it is none of ours: ours has its file's name. A bank that
    keeps no names of orders says so."""
    said = orders[0].text("OrgnlPmtInfId") if orders else original_id
    return "" if said in (original_id, _NO_NAME) else said


def _original(branch: Branch) -> tuple[int | None, int | None]:
    """Number and sum in fen of the instructions that are answered, None where left out."""
    count, total = branch.text("OrgnlNbOfTxs"), branch.text("OrgnlCtrlSum")
    return int(count) if count else None, fen_of(total) if total else None


def _counts(branch: Branch) -> tuple[StatusCount, ...]:
    found = []
    for entry in branch.all("NbOfTxsPerSts"):
        code, total = entry.text("DtldSts"), entry.text("DtldCtrlSum")
        if code not in _STATUS:
            raise MessageError(f"the status {code!r} is not known here")
        count = int(entry.text("DtldNbOfTxs"))
        found.append(StatusCount(_STATUS[code], count, fen_of(total) if total else None))
    return tuple(found)


def _informations(branch: Branch) -> list[str]:
    return [found.element.text or "" for found in branch.all("StsRsnInf/AddtlInf")]


def _reason(*branches: Branch) -> str:
    """The first reason; of more than one, that the bank knows the payment weighs most, whichever
    part of the report says so."""
    found = [
        (reason.element.text or "").strip()
        for branch in branches
        for kind in ("Cd", "Prtry")
        for reason in branch.all(f"StsRsnInf/Rsn/{kind}")
    ]
    known = [reason.upper() for reason in found if reason.upper() in KNOWN_AT_THE_BANK]
    return [*known, *found, ""][0]


def _group_status(group: Branch, orders: list[Branch]) -> tuple[AnswerStatus | None, str]:
    """What is said of the file and its one order together, with the reason that weighs most."""
    codes = []
    known = _STATUS | _GROUP_ONLY
    for branch, name in ((group, "GrpSts"), *((order, "PmtInfSts") for order in orders)):
        code = branch.text(name)
        if code and code not in known:
            raise MessageError(f"the status {code!r} is not known here")
        codes += [code] if code else []
    statuses = {known[code] for code in codes}
    if len(statuses) > 1:
        raise MessageError("the file's and the order's status contradict each other")
    reason = _reason(group, *orders) or (_why_not(codes[0]) if codes else "")
    return (statuses.pop() if statuses else None), reason


def _why_not(code: str) -> str:
    """What is cancelled before it was carried out has that as its reason where the bank gives
    none: nobody here has asked for it."""
    return code if code == _CANCELLED else ""


def _item(entry: Branch) -> StatusItem:
    name = entry.text("OrgnlEndToEndId")
    code = entry.text("TxSts")
    if not name or code not in _STATUS:
        raise MessageError(f"{name!r}: the status {code!r} is not known here")
    status = _STATUS[code]
    informations = _informations(entry)
    if status is AnswerStatus.REJECTED and any(i.startswith(RETURNED) for i in informations):
        status = AnswerStatus.RETURNED
    if entry.one("OrgnlTxRef/Amt/EqvtAmt") is not None:
        raise MessageError(f"{name}: an amount in yuan was instructed, an equivalent is reported")
    account = entry.text("OrgnlTxRef/CdtrAcct/Id/Othr/Id")
    at = entry.text("AccptncDtTm")
    return StatusItem(
        end_to_end_id=name,
        status=status,
        reason_code=_reason(entry) or _why_not(code),
        reason_text="；".join(i for i in informations if not i.startswith(RETURNED)),
        amount_fen=_amount(entry, "OrgnlTxRef/Amt/InstdAmt", name),
        bank_reference=entry.text("AcctSvcrRef"),
        answered_at=instant_of(at) if at else None,
        settled_fen=_amount(entry, "OrgnlTxRef/IntrBkSttlmAmt", name),
        account=account or entry.text("OrgnlTxRef/CdtrAcct/Id/IBAN"),
    )


def _amount(entry: Branch, path: str, name: str) -> int | None:
    found = entry.one(path)
    if found is None:
        return None
    if found.element.get("Ccy") != CURRENCY:
        raise MessageError(f"{name}: not an amount in {CURRENCY}")
    return fen_of(entry.text(path))


def write_pain002(report: StatusReport) -> bytes:
    """A report as a bank writes it, schema-valid, the same bytes for the same report."""
    document = Branch.document(PAIN002)
    message = document.add("CstmrPmtStsRpt")
    header = message.add("GrpHdr")
    header.add("MsgId", report.message_id)
    header.add("CreDtTm", instant_text(report.created_at))
    group = message.add("OrgnlGrpInfAndSts")
    group.add("OrgnlMsgId", report.original_message_id)
    group.add("OrgnlMsgNmId", PAIN001)
    if report.original_item_count is not None:
        group.add("OrgnlNbOfTxs", str(report.original_item_count))
    if report.original_control_sum_fen is not None:
        group.add("OrgnlCtrlSum", amount_text(report.original_control_sum_fen))
    if report.group_status is not None:
        group.add("GrpSts", _CODE[report.group_status])
    if report.group_reason_code or report.simulated:
        why = group.add("StsRsnInf")
        if report.group_reason_code:
            why.add("Rsn/Cd", report.group_reason_code)
        if report.simulated:
            why.add("AddtlInf", SIMULATED)
    if report.items:
        order = message.add("OrgnlPmtInfAndSts")
        order.add("OrgnlPmtInfId", report.original_message_id)
        for item in report.items:
            _write_item(order, item)
    return serialise(document.element, PAIN002)


def _write_item(order: Branch, item: StatusItem) -> None:
    entry = order.add("TxInfAndSts")
    entry.add("OrgnlEndToEndId", item.end_to_end_id)
    entry.add("TxSts", _CODE[item.status])
    is_returned = item.status is AnswerStatus.RETURNED
    if item.reason_code or item.reason_text or is_returned:
        why = entry.add("StsRsnInf")
        if item.reason_code:
            why.add("Rsn/Cd", item.reason_code)
        if is_returned:
            why.add("AddtlInf", RETURNED)
        if item.reason_text:
            why.add("AddtlInf", item.reason_text)
    if item.answered_at is not None:
        entry.add("AccptncDtTm", instant_text(item.answered_at))
    if item.bank_reference:
        entry.add("AcctSvcrRef", item.bank_reference)
    if item.amount_fen is not None:
        entry.add("OrgnlTxRef/Amt/InstdAmt", amount_text(item.amount_fen), Ccy=CURRENCY)
