"""What each problem code of the hospital API means, and its HTTP status."""

from __future__ import annotations

from typing import Final

from backend.entrypoints import problems

#: code -> (status, Chinese title, English title)
PROBLEMS: Final[dict[str, tuple[int, str, str]]] = {
    "unauthorized": (401, "API 密钥无效", "The API key is missing or not valid"),
    "malformed-document": (400, "文件无法读取", "The document cannot be read"),
    "malformed-request": (400, "请求格式不对", "The request cannot be read"),
    "invalid-invoice": (422, "票据有错误", "The bill has faults"),
    "bad-invoice-secret": (422, "票据密钥或指纹缺失或不合要求", "Secret or fingerprint is wrong"),
    "fingerprint-mismatch": (422, "指纹不符", "The fingerprint does not match"),
    "different-content": (409, "同一号码已有不同内容", "The number holds other content"),
    "corrected-since": (409, "票据已有更新的更正", "The bill was corrected since"),
    "invoice-locked": (409, "票据正在报销", "A claim holds the bill"),
    "invoice-settled": (409, "票据已报销", "The bill was reimbursed"),
    "invoice-ended": (409, "票据已作废或冲红", "The bill is void or reversed"),
    "red-bill-refused": (409, "红字票据与原票不符", "The red bill contradicts its original"),
    "not-anchored-yet": (409, "尚未上链", "Not on the ledger yet"),
    "already-stored": (409, "已有同一票据", "The bill has just been stored"),
    "malformed-transaction": (400, "交易无法读取", "The raw transaction cannot be read"),
    "transaction-refused": (422, "交易被拒", "The raw transaction is refused"),
    "wrong-chain": (422, "链编号不符", "The transaction is for another chain"),
    "wrong-account": (422, "签名账户不符", "Another account signed the transaction"),
    "wrong-nonce": (422, "交易序号不符", "The nonce differs from the offer"),
    "wrong-contract": (422, "合约地址不符", "The contract differs from the offer"),
    "wrong-value": (422, "转账金额不符", "The value differs from the offer"),
    "wrong-data": (422, "调用内容不符", "The call data differ from the offer"),
    "wrong-gas": (422, "燃料上限不符", "The gas limit differs from the offer"),
    "lead-wrong-step": (409, "现在不能做这一步", "This step is not possible now"),
    "lead-too-late": (409, "期限已过，没有收下", "The time for this has passed"),
    "lead-bad-step": (422, "内容不合要求，没有收下", "What was sent is not as it must be"),
    "finding-answered": (409, "已经收到过另一份", "Another statement is here already"),
    "material-refused": (422, "补充材料不能接受", "The material cannot be accepted"),
    "payer-basic-first": (409, "基本医保还没有办完", "Basic insurance has not finished"),
    "payer-claim-open": (409, "已有一笔登记", "A claim of yours is open"),
    "payer-settled-before": (409, "您已核销过", "You have settled this bill"),
    "payer-bill-stopped": (409, "票据现在不能登记", "The bill cannot be lodged now"),
    "payer-bill-altered": (409, "票据与指纹不符", "The bill differs from its fingerprint"),
    "payer-consent-ended": (409, "本人的同意已结束", "The person's consent has ended"),
    "payer-wrong-state": (409, "现在不能做这一步", "The call is not possible in this state"),
    "policy-not-published": (422, "条款没有公布过", "The policy was not published"),
    "idempotency-key-reused": (422, "这个键已用于别的请求", "The key stands for another request"),
    "request-in-flight": (409, "同一请求正在处理", "The same request is being worked on"),
    "wrong-fee": (422, "费用不符", "The fee differs from the offer"),
}


def declare() -> None:
    """Register the codes (again with the same meaning is harmless)."""
    for code, (status, zh, en) in PROBLEMS.items():
        problems.register(code, status, zh, en)
