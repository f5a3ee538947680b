"""What can be wrong with an uploaded document, and the error that carries all of it at once.

A fault names the place (an RFC 6901 pointer into JSON, an element path into XML), a stable code and
what to do, in two languages. It never repeats a value of the document, since values are personal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.domain.errors import DomainError

#: More faults than this in one document are not listed, only counted.
MAX_FAULTS: Final = 200

#: code -> (Chinese, English). The registry of /problems and docs/api.md print this table.
FAULT_TEXTS: Final[dict[str, tuple[str, str]]] = {
    # reading
    "bad-encoding": ("文件不是 UTF-8 编码，请转为 UTF-8 后重传", "the document is not UTF-8"),
    "not-json": ("内容不是合法的 JSON", "the body is not valid JSON"),
    "not-xml": ("内容不是合法的 XML", "the body is not well-formed XML"),
    "xml-dtd": ("XML 不得含有 DTD 或实体", "DTDs and entities are not allowed in the XML"),
    "too-deep": ("嵌套层数超过上限", "the document is nested too deeply"),
    "too-many-elements": ("元素数量超过上限", "the document has too many elements"),
    "too-large": ("文件超过大小上限", "the document is larger than the limit"),
    "duplicate-key": ("同一字段出现两次", "the same field appears twice"),
    "unknown-field": ("未知字段，请对照字段映射表", "unknown field; see docs/field-mapping.md"),
    "wrong-type": ("字段类型不对", "the field has the wrong type"),
    "number-not-text": (
        "金额与编号须以文本传送，不得用 JSON 数字",
        "send amounts and numbers as text, never as JSON numbers",
    ),
    "several-invoices": ("一个文件只能有一张票据", "one document holds exactly one invoice"),
    "unsupported-format": (
        "暂不接收这种票据格式（只接收 CZ-EI- 财政电子票据）",
        "this invoice format is not taken; only fiscal bills (CZ-EI-) are",
    ),
    "required": ("缺少必填字段", "a required field is missing or empty"),
    "too-long": ("文本超过长度上限", "the text is longer than the limit"),
    "bad-text": ("文本含有控制字符或无效字符", "the text has control or invalid characters"),
    "bad-amount": (
        "金额应为十进制元文本，最多两位小数",
        "an amount is a decimal yuan text with at most two places (whole fen)",
    ),
    "bad-line-amount": (
        "明细金额应为十进制元文本，最多四位小数",
        "a line amount is a decimal yuan text with at most four places",
    ),
    "bad-decimal": ("数量或单价不是允许位数的小数", "a quantity or price has a wrong form"),
    "bad-date": ("日期应为 yyyyMMdd 或 yyyy-MM-dd", "a date is yyyyMMdd or yyyy-MM-dd"),
    "bad-time": ("时间应为 HH:mm:ss", "a time is HH:mm:ss, an instant a date and a time"),
    "bad-digest": (
        "附件摘要应为 64 位十六进制 SHA-256",
        "an attachment digest is a SHA-256 of 64 hex digits",
    ),
    "unknown-value": ("代码不在允许的取值内", "the value is not one of those allowed"),
    "level-conflict": (
        "备注中的甲乙丙类与收费项目等级不一致",
        "the class in the remark contradicts the charge level",
    ),
    "duplicate-attachment": ("附件摘要重复", "the same attachment is listed twice"),
    # rules
    "bad-number-shape": (
        "票据代码与号码应为 8+10 位、12+8 位，或无代码的 20 位数字",
        "code and number have 8+10, 12+8, or no code and 20 digits",
    ),
    "bad-check-code": ("校验码形式不对", "the check code has a wrong form for this number"),
    "invoice-id-differs": (
        "EInvoiceID 与票据代码、号码不符",
        "EInvoiceID does not match code and number",
    ),
    "bad-institution-code": ("医疗机构编码形式不对", "the institution code has a wrong form"),
    "another-institution": (
        "这不是本机构开具的票据",
        "this bill was issued by another institution than the key's",
    ),
    "over-limit": ("金额超过账本上限", "the amount is larger than the ledger can hold"),
    "no-lines": ("票据没有费用明细", "the bill has no expense lines"),
    "too-many-lines": ("费用明细条数超过上限", "the bill has too many expense lines"),
    "too-many-items": ("收费项目条数超过上限", "the bill has too many fee items"),
    "line-amount-differs": (
        "明细金额不等于单价乘数量（只允许末位四舍五入）",
        "the line amount is not price times quantity, rounded at its last decimal",
    ),
    "line-sum-differs": (
        "明细金额合计（四舍五入到分一次）不等于票据总额",
        "the lines do not add up to the total (rounded once to the fen)",
    ),
    "item-sum-differs": (
        "收费项目合计不等于票据总额",
        "the fee items do not add up to the total",
    ),
    "payer-split-differs": (
        "统筹、其他、账户、现金支付之和不等于票据总额",
        "fund, other, account and own payment do not add up to the total",
    ),
    "negative-amount": (
        "只有注明原票的红字票据可以有负数",
        "only a red bill that names its original may have negative amounts",
    ),
    "mixed-signs": (
        "红字票据的金额不得为正",
        "a red bill has no positive amounts",
    ),
    "original-missing": (
        "红字票据须注明原票据代码和号码",
        "a red bill names the code and number of its original",
    ),
    "original-not-expected": (
        "只有红字票据可以注明原票",
        "only a red bill names an original",
    ),
    "original-is-itself": ("红字票据不能冲销自己", "a red bill cannot reverse itself"),
    "red-amount-differs": (
        "红字金额与原票不能相抵（财政票据只能全额冲红）",
        "the red amount does not cancel the original (fiscal bills are reversed in full)",
    ),
    "dates-out-of-order": ("日期先后次序不对", "the dates are out of order"),
    "issued-in-future": ("开票日期晚于今天", "the issue date is in the future"),
    "agreement-expired": (
        "开票日期晚于医保协议终止日",
        "the bill was issued after the agreement ended",
    ),
    "agreement-not-begun": (
        "开票日期早于医保协议起始日",
        "the bill was issued before the agreement began",
    ),
    "grace-ended": (
        "医保协议终止后的补传期已过",
        "the grace period for uploads after the agreement has ended",
    ),
    "identity-differs": (
        "更正件的机构、票据代码、号码须与原件一致",
        "a correction keeps institution, code and number",
    ),
    "kind-differs": (
        "更正不能把红字票据变为蓝字票据，反之亦然",
        "a correction cannot turn a red bill into a blue one or back",
    ),
    "second-number-repeats": (
        "第二号码与本号码相同",
        "the second number repeats the first",
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong at one place of a document."""

    pointer: str
    code: str

    @property
    def zh(self) -> str:
        return FAULT_TEXTS[self.code][0]

    @property
    def en(self) -> str:
        return FAULT_TEXTS[self.code][1]

    def to_json(self) -> dict[str, str]:
        return {"pointer": self.pointer, "code": self.code, "zh": self.zh, "en": self.en}


class InvalidInvoiceError(DomainError):
    """A document was read or refused; ``faults`` lists everything found, at most MAX_FAULTS."""

    code = "invalid-invoice"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        shown = faults[:MAX_FAULTS]
        first = f"{shown[0].pointer or '/'}：{shown[0].zh}" if shown else ""
        super().__init__(
            f"票据未被接收，共 {len(faults)} 处错误；第一处 {first}",
            f"the bill was not accepted: {len(faults)} fault(s); "
            f"first {shown[0].pointer or '/'}: {shown[0].en}",
        )
        self.faults = shown
        self.errors = [fault.to_json() for fault in shown]


class UnreadableDocumentError(InvalidInvoiceError):
    """The bytes are not a document of the stated type at all."""

    code = "malformed-document"
