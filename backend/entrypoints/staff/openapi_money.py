"""The part of the staff API's description about reconciliation, payments and proofs of accounts."""

from __future__ import annotations

from typing import Any, Final

from backend.domain.journal import AMOUNT_FEN_MAX, Layer
from backend.domain.person import INSURANCE_TYPES
from backend.entrypoints.staff.openapi_parts import (
    KEY,
    TEXT,
    WHOLE,
    body,
    in_path,
    in_query,
    operation,
)
from backend.service_layer.journal.adjustments import KINDS

_WORDS: Final = {"type": "string", "minLength": 1, "maxLength": 500}
_REASON: Final = body(("reason",), reason=_WORDS)
_SEEN: Final = body(
    ("document", "reason"),
    document={"type": "string", "pattern": "^[0-9a-f]{64}$"},
    reason=_WORDS,
)


def _limit(most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most}


def _post(name: str, zh: str, en: str, **more: Any) -> dict[str, Any]:
    return {"post": operation(name, zh, en, 200, parameters=KEY, **more)}


def money_paths() -> dict[str, Any]:
    """What the desks of the agency do with its own money and the accounts that it pays to."""
    return {
        **_reconciliation(),
        **_payments(),
        **_messages(),
        **_statements(),
        **_proofs(),
        **_adjustments(),
    }


def _reconciliation() -> dict[str, Any]:
    here = "/staff/v1/reconciliation"
    one = f"{here}/cases/{{case_id}}"
    case_id = {"parameters": in_path("case_id")}
    ending = body(
        ("reason",), reason=_WORDS, outcome={"type": "string", "enum": ["accepted", "corrected"]}
    )
    flag = {"type": "string", "enum": ["1"]}
    page = in_query(overdue=flag, after=TEXT, limit=_limit(200))
    return {
        here: {"get": operation("reconciliation", "对账情况", "Last report, open cases", 200)},
        f"{here}/cases": {
            "get": operation("moneyCases", "对账待办", "Open cases, oldest first", 200,
                             parameters=page)
        },
        one: {"get": operation("moneyCase", "一件待办", "A case with its history", 200)} | case_id,
        f"{one}/notes": _post(
            "noteMoneyCase", "记录", "Keep what was found out", **body(("text",), text=_WORDS)
        ) | case_id,
        f"{one}/assign": _post(
            "assignMoneyCase", "指派", "Who looks into it", **body(("to",), to=TEXT)
        ) | case_id,
        f"{one}/propose": _post(
            "proposeMoneyCase", "提出结案", "One person says how it ends", **ending
        ) | case_id,
        f"{one}/confirm": _post(
            "confirmMoneyCase", "确认结案", "Another person confirms", **_REASON
        ) | case_id,
        f"{here}/reports": {
            "get": operation("moneyReports", "对账报告", "The signed reports", 200,
                             parameters=in_query(limit=_limit(200)))
        },
    }  # fmt: skip


def _payments() -> dict[str, Any]:
    here = "/staff/v1/payments"
    one = f"{here}/claims/{{number}}"
    number = {"parameters": in_path("number")}
    state = {"type": "string", "enum": ["waiting", "held", "failed"]}
    return {
        here: {
            "get": operation(
                "owedPayments", "待付款", "What is owed and not with the bank", 200,
                parameters=in_query(state=state, after=TEXT, limit=_limit(200)),
            )
        },
        one: {"get": operation("claimPayments", "一件的付款", "Attempts and stops", 200)} | number,
        f"{one}/hold": _post(
            "holdPayments", "暂停打款", "Stop what is not in a file yet", **_REASON
        ) | number,
        f"{one}/release-proposals": _post(
            "proposeRelease", "提出恢复", "One person says it may go on", **_REASON
        ) | number,
        f"{one}/release": _post(
            "releasePayments", "确认恢复", "Another person lets it go on", **_REASON
        ) | number,
    }  # fmt: skip


def _messages() -> dict[str, Any]:
    here = "/staff/v1/payments/messages"
    one = f"{here}/{{message_id}}"
    message = {"parameters": in_path("message_id")}
    return {
        here: {
            "get": operation("bankMessages", "银行文件", "What the bank has left", 200,
                             parameters=in_query(limit=_limit(100)))
        },
        one: {
            "get": operation("bankMessage", "一个银行文件", "Its verdict and steps", 200)
        } | message,
        f"{one}/acknowledge": _post(
            "acknowledgeMessage", "登记处理", "A person has dealt with it", **_REASON
        ) | message,
        f"{one}/confirm": _post(
            "confirmMessage", "确认处理", "Another person confirms", **_REASON
        ) | message,
        f"{one}/readings": {
            "post": operation("readMessage", "查看原文", "The file itself; kept who reads it", 200,
                              **_REASON)
        } | message,
    }  # fmt: skip


def _statements() -> dict[str, Any]:
    here = "/staff/v1/payments/statements"
    one = f"{here}/{{stored_id}}"
    stored = {"parameters": in_path("stored_id")}
    return {
        here: {
            "get": operation("bankStatements", "银行对账单", "Filed statements, newest first", 200,
                             parameters=in_query(limit=_limit(100)))
        },
        one: {
            "get": operation("bankStatement", "一张对账单", "Its balances and who withdrew it", 200)
        } | stored,
        f"{one}/withdrawal-proposals": _post(
            "proposeWithdrawal", "提出撤下", "One person says that it is wrong", **_REASON
        ) | stored,
        f"{one}/withdrawal": _post(
            "withdrawStatement", "确认撤下", "Another person: nothing is compared with it",
            **_REASON
        ) | stored,
        f"{one}/withdrawal-refusals": _post(
            "refuseWithdrawal", "不撤下", "The proposal falls away", **_REASON
        ) | stored,
    }  # fmt: skip


def _proofs() -> dict[str, Any]:
    here = "/staff/v1/payee-proofs"
    one = f"{here}/{{account_id}}"
    account = {"parameters": in_path("account_id")}
    return {
        here: {
            "get": operation("unprovenAccounts", "待核证明的账户", "Accounts without proof", 200,
                             parameters=in_query(after=TEXT, limit=_limit(200)))
        },
        one: {"get": operation("unprovenAccount", "一个账户", "Its proof's steps", 200)} | account,
        f"{one}/verify": _post(
            "verifyProof", "核对证明", "The first person has seen it", **_SEEN
        ) | account,
        f"{one}/confirm": _post(
            "confirmProof", "确认证明", "Another person, the same copy", **_SEEN
        ) | account,
        f"{one}/refuse": _post("refuseProof", "证明不符", "Never paid to", **_SEEN) | account,
    }  # fmt: skip


def _adjustments() -> dict[str, Any]:
    here = "/staff/v1/adjustments"
    one = f"{here}/{{number}}"
    number = {"parameters": in_path("number")}
    flag = {"type": "string", "enum": ["1"]}
    page = in_query(open=flag, after=WHOLE, limit=_limit(200))
    wanted = body(
        ("kind", "insurance_type", "amount_fen", "reason"),
        kind={"type": "string", "enum": sorted(map(str, KINDS))},
        region={"type": "string", "pattern": "^[0-9]{6}$"},
        insurance_type={"type": "string", "enum": sorted(INSURANCE_TYPES)},
        amount_fen={"type": "integer", "minimum": 1, "maximum": AMOUNT_FEN_MAX},
        reference={"type": "string", "maxLength": 80},
        side={"type": "string", "enum": ["credit", "debit"]},
        layer={"type": "string", "enum": sorted(map(str, Layer))},
        suspense={"type": "integer", "minimum": 1},
        reason=_WORDS,
    )
    return {
        here: {
            "get": operation("adjustments", "凭证更正", "Correcting entries, oldest first", 200,
                             parameters=page)
        } | _post("proposeAdjustment", "提出更正", "One person proposes; nothing is booked",
                  **wanted),
        one: {"get": operation("adjustment", "一张更正凭证", "With both people", 200)} | number,
        f"{one}/confirm": _post(
            "confirmAdjustment", "确认更正", "Another person confirms: it is booked", **_REASON
        ) | number,
        f"{one}/refuse": _post(
            "refuseAdjustment", "退回更正", "It falls away, nothing is booked", **_REASON
        ) | number,
    }  # fmt: skip
