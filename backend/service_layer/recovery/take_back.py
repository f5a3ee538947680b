"""A receipt that was stored wrongly is taken back: one person asks, another one approves.

The receipt stays as it was stored, its entry in the journal is mirrored, and the order is owed
again. The right receipt may then come under the same reference.
"""

from __future__ import annotations

from typing import Final

from backend.domain.errors import NotFoundError
from backend.domain.journal import AccountKind, Fund, receipt_reversed
from backend.domain.money import format_yuan
from backend.domain.recovery import (
    Debtor,
    Receipt,
    Recovery,
    RecoveryConflictError,
    SamePersonError,
    check_reason,
)
from backend.domain.two_people import signature
from backend.service_layer.journal.booking import book
from backend.service_layer.recovery.notices import announce_reopening
from backend.service_layer.recovery.opening import RECEIPT, occasion, receipt_source
from backend.service_layer.recovery.people import BY_CLERK, person_at, taken
from backend.service_layer.recovery.ports import (
    ReceiptReversal,
    RecoveryServices,
    RecoveryWork,
    ReversalRequest,
)

ASKED: Final = "recovery-reversal-asked"
BY_FILE: Final = "file"


def ask_take_back(
    deps: RecoveryServices, order_id: str, reference: str, *, by: str, reason: str
) -> ReversalRequest:
    """Ask that a receipt be taken back; nothing changes yet. The same said again is one.

    Raises NotFoundError (no such order, or no such receipt stands), RecoveryError (no reason),
    RecoveryConflictError (the bank itself gave it back, or what was left is waived).
    """
    text = check_reason(reason)
    with deps.work() as work:
        _, found = taken(work, order_id)
        person = person_at(work, by, found)
        receipt = _standing(found, reference)
        before = work.recoveries.reversal_requests(receipt)
        if before and (before[-1].by, before[-1].reason) == (person, text):
            return before[-1]
        asked = ReversalRequest(*receipt.key, len(before) + 1, person, text, deps.clock.now())
        work.recoveries.add_reversal_request(asked)
        detail = f"{receipt.reference}: {receipt.amount_fen} fen"
        work.alarms.raise_alarm(ASKED, order_id, detail)
        work.commit()
    return asked


def approve_take_back(
    deps: RecoveryServices, order_id: str, reference: str, *, by: str
) -> Recovery:
    """Take the receipt back, as another person has asked: what it paid is owed again. Raises as
    :func:`ask_take_back`, and SamePersonError."""
    with deps.work() as work:
        claim, found = taken(work, order_id)
        person = person_at(work, by, found)
        receipt = _standing(found, reference)
        before = work.recoveries.reversal_requests(receipt)
        if not before:
            raise RecoveryConflictError(
                "还没有人提出撤回这笔到账", "nobody has asked that this receipt be taken back"
            )
        asked = before[-1]
        if signature(asked.by) == signature(person):
            raise SamePersonError("提出人不能批准", "who asked for it cannot approve it")
        said_by = occasion(
            deps, work, claim, (RECEIPT, receipt_source(order_id, reference, receipt.ordinal)),
            person,
        )  # fmt: skip
        _require_money(work, said_by.fund, receipt)
        work.recoveries.take_back(
            ReceiptReversal(
                *receipt.key, asked.place, asked.by, person, asked.reason, deps.clock.now()
            )
        )
        book(work, receipt_reversed(said_by, receipt.amount_fen))
        work.alarms.clear(ASKED, order_id)
        changed: Recovery = work.recoveries.get(order_id)
        if found.state.is_over and changed.order.debtor is Debtor.PERSON:
            announce_reopening(deps, work, changed)
        work.commit()
    return changed


def _standing(found: Recovery, reference: str) -> Receipt:
    receipt = next((one for one in found.receipts if one.reference == reference), None)
    if receipt is None:
        raise NotFoundError(
            f"{found.order.id} 没有这笔到账：{reference}",
            f"{found.order.id} has no receipt {reference} that stands",
        )
    if receipt.source not in (BY_CLERK, BY_FILE):
        raise RecoveryConflictError(
            "这笔到账不是人登记的（银行退回或按账本恢复），不能撤回",
            "no person has stored this receipt: the bank gave it back, or the ledger knows it",
        )
    if found.waiver is not None:
        raise RecoveryConflictError(
            "余款已经豁免，豁免的金额按这笔到账算出：不能再撤回",
            "what was left beside this receipt is waived: it can no longer be taken back",
        )
    return receipt


def _require_money(work: RecoveryWork, fund: Fund, receipt: Receipt) -> None:
    """The books never show less at the bank than it was told to pay."""
    work.journal.lock_months(fund.region, to_close=True)
    has, under_way = (
        work.journal.balance(fund.account(kind), insurance_type=fund.insurance_type)
        for kind in (AccountKind.BANK, AccountKind.TRANSIT)
    )
    if has - under_way < receipt.amount_fen:
        raise RecoveryConflictError(
            f"基金在银行只有 {format_yuan(has)} 元，其中 {format_yuan(under_way)} 元已交银行支付",
            f"the fund has {format_yuan(has)} yuan at the bank, of which {format_yuan(under_way)} "
            "are with the bank to be paid",
        )
