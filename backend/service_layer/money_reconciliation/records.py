"""What the reconciliation speaks of: numbered rules, and rows that disagree."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """One comparison. ``code`` is its number (R1), ``name`` its short name; docs/reconciliation.md
    has the same table."""

    code: str
    name: str
    zh: str
    en: str


RULES: Final = (
    Rule("R1", "bill-claim", "票据与申请：版本、占用", "bill and claim: version, live lock"),
    Rule("R2", "claim-lock", "申请与账本占用", "claim and its lock on the ledger"),
    Rule("R3", "claim-decision", "申请与结论：版本、金额、指纹",
         "claim and decision: version, amount, fingerprint"),
    Rule("R4", "decision-ledger", "结论与账本事件：指纹、政策、金额",
         "decision and ledger events: fingerprint, policy, amount"),
    Rule("R5", "slot", "账本现在的已付合计", "the ledger's paid sum as it is now"),
    Rule("R6", "claim-payable", "申请与应付：终局的核定才有应付",
         "claim and payable: one for each final settlement, none without"),
    Rule("R7", "payable-journal", "应付与凭证", "payable and its journal entry"),
    Rule("R8", "claim-state", "申请状态与付款", "claim's state and its payments"),
    Rule("R9", "payable-attempt", "应付与付款指令", "payable and instruction"),
    Rule("R10", "file-content", "付款文件：字节、笔数、合计、每笔指令",
         "payment file: bytes, count, control sum, each instruction"),
    Rule("R11", "file-bank", "付款文件与银行留存", "payment file and the bank's copy"),
    Rule("R12", "bank-silent", "银行超时未答复", "instruction without an answer in time"),
    Rule("R13", "bank-answer", "银行答复与入账", "what the bank said and what was booked"),
    Rule("R14", "answer-journal", "指令、答复与凭证", "instruction, answer and journal entry"),
    Rule("R15", "claim-balance", "每笔申请的账户余额", "the balances of each claim"),
    Rule("R16", "fund-balance", "不属于申请的资金变动", "money that moved for no claim"),
    Rule("R17", "claim-fund", "申请的基金和经办", "fund and agency of a claim"),
    Rule("R18", "journal", "账本自身：完整、平衡、方向、结账",
         "the journal itself: whole, balanced, right side, closed months"),
    Rule("R19", "bank-statement", "银行对账单与银行存款账：逐笔、期初、余额",
         "the bank's statement and the account in the journal: each movement, opening, balance"),
)  # fmt: skip
BY_CODE: Final = {rule.code: rule for rule in RULES}
SUBJECT_MAX: Final = 80
OF_THE_BOOKS: Final = frozenset({"R16", "R18"})


@dataclass(frozen=True, slots=True, order=True)
class Mismatch:
    """One row that disagrees: ``here`` is what the first side of the rule has, ``there`` the other.

    ``claim_id`` is the claim whose money it holds, empty for none. No names of people.
    """

    rule: str
    subject: str
    here: str
    there: str
    claim_id: str = ""

    @property
    def key(self) -> str:
        """Names the row, figures and all: other figures are another mismatch."""
        said = "\n".join((self.rule, self.subject, self.here, self.there))
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    @property
    def is_of_the_books(self) -> bool:
        """Whether the journal itself is wrong and no claim is named: nothing is paid then."""
        return self.rule in OF_THE_BOOKS and not self.claim_id

    def to_record(self) -> dict[str, str]:
        return {
            "rule": self.rule,
            "name": BY_CODE[self.rule].name,
            "subject": self.subject,
            "here": self.here,
            "there": self.there,
            "claim_id": self.claim_id,
        }
