"""What a row of the reconciliation says, for people: Chinese and English, amounts in yuan.

What is stored, signed and compared stays as the rules write it: the figures of a row name its case
(:attr:`Mismatch.key`). Only what is printed is put into words, by one table.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from backend.domain.local_time import SHANGHAI
from backend.domain.money import format_yuan
from backend.service_layer.money_reconciliation.records import BY_CODE

_FEN: Final = re.compile(r"(-?[0-9]+) fen\b")
_STATES: Final = {
    "paid": "已支付", "rejected": "已拒付", "returned": "已退回", "pending": "在处理",
    "accepted": "已接收", "credit": "收入", "debit": "付出", "booked": "已入账", "filed": "已归档",
    "none": "没有",
}  # fmt: skip

# A whole side of a row, as the rules write it; F is an amount. First match counts.
_SIDES: Final = tuple(
    (re.compile(pattern.replace("F", r"(-?[0-9]+ fen)")), zh)
    for pattern, zh in (
        (r"F", "{0}"),
        (r"booked F", "账上记了 {0}"),
        (r"booked F (credit|debit)", "账上有一笔{1} {0}"),
        (r"not booked", "账上没有"),
        (r"the bank has F (credit|debit)", "银行有一笔{1} {0}"),
        (r"the bank has F (credit|debit), ([0-9]+) times", "银行有 {2} 笔{1}，共 {0}"),
        (r"not on the bank's statement", "银行对账单上没有"),
        (r"statement (.+) opens with F", "对账单 {0} 期初 {1}"),
        (r"(.+) closes with F", "{0} 期末 {1}"),
        (r"opens with F", "期初 {0}"),
        (r"handed over", "已交银行"),
        (r"the bank has no such file", "银行那边没有这个文件"),
        (r"unknown here", "本系统没有"),
        (r"the bank has it", "银行那边有"),
        (r"the bank left it", "是银行留下的文件"),
        (r"bytes ([0-9a-f]+)", "本系统的文件摘要 {0}"),
        (r"the bank has ([0-9a-f]+)", "银行那边的摘要 {0}"),
        (r"digest as written", "写出时的摘要"),
        (r"other bytes are stored", "存着的内容已不同"),
        (r"stored file", "存着的文件"),
        (r"stored decision", "存着的审核结论"),
        (r"cannot be read(?:: (.*))?", "读不出来 {0}"),
        (r"([0-9]+) items, F", "{0} 笔，{1}"),
        (r"its bytes say ([0-9]+) items, F", "文件内容是 {0} 笔，{1}"),
        (r"F to ([0-9A-Za-z]*)", "{0}，账号尾号 {1}"),
        (r"not in the file", "文件里没有"),
        (r"file: F to ([0-9A-Za-z]*)", "文件里 {0}，账号尾号 {1}"),
        (r"account and holder of the instruction, …(.*)", "指令的账号和户名，尾号 {0}"),
        (r"file: another account or holder, …(.*)", "文件里是另一个账号或户名，尾号 {0}"),
        (r"its statement is stored no more", "它的对账单已不在库里"),
        (r"the stored movements change it by F", "存着的逐笔合计 {0}"),
        (r"the stored balances by F", "存着的期末减期初 {0}"),
        (r"no instruction", "没有这条付款指令"),
        (r"file (\S+): F", "文件 {0} 里有 {1}"),
        (r"the bank's file cannot be read: (.*)", "银行的文件读不出来：{0}"),
        (r"the bank left no such file", "银行没有留下这个文件"),
        (r"from a file that was not booked", "来自没有入账的文件"),
        (r"no answer", "没有答复"),
        (r"the bank said F", "银行答复 {0}"),
        (r"the bank said (\w+)", "银行答复{0}"),
        (r"the bank said (\w+) of the whole file", "银行答复整个文件{0}"),
        (r"the bank said (\w+) in a refused report", "银行在一份没有入账的答复里说{0}"),
        (r"the bank said rejected (\w+) in a refused report", "银行另说已办过（{0}），没有入账"),
        (r"the bank did not say so", "银行没有这样答复"),
        (r"booked (\w+)", "账上记为{0}"),
        (r"explained F", "结论说明里是 {0}"),
        (r"fingerprint ([0-9a-f]+)", "指纹 {0}"),
        (r"computed ([0-9a-f]+)", "重新计算是 {0}"),
        (r"policy ([0-9a-f]+)", "政策 {0}"),
        (r"no settlement of ours", "账本上没有本机构的结算"),
        (r"slot F", "账本上已付 {0}"),
        (r"bill (\S+)", "票据 {0}"),
        (r"its version is of bill (\S+)", "它的版本属于票据 {0}"),
        (r"holds bill (\S+)", "占用票据 {0}"),
        (r"state (\S+)", "申请状态 {0}"),
        (r"lodge (\S+)", "第 {0} 次占用"),
        (r"on the ledger (.+)", "账本上 {0}"),
        (r"version (\S+)", "版本 {0}"),
        (r"newest decision (\S+)", "最新结论 {0}"),
        (r"decision refused", "结论是不予报销"),
        (r"no decision", "没有结论"),
        (r"no settlement is final", "没有终局的结算"),
        (r"no final settlement", "没有终局的结算"),
        (r"settled F", "账本结算 {0}"),
        (r"no payable", "没有应付"),
        (r"paid", "已支付"),
        (r"F not paid", "还有 {0} 没有支付"),
        (r"paying", "支付中"),
        (r"F paid, nothing open", "已支付 {0}，没有在途"),
        (r"no entry", "没有凭证"),
        (r"owed F", "应付 {0}"),
        (r"person (\S+)", "参保人 {0}"),
        (r"person (\S+) of (\S+)", "{1} 的参保人 {0}"),
        (r"([0-9]+) instructions open or paid", "有 {0} 条指令在途或已付"),
        (r"owed once", "只应付一次"),
        (r"F since (.+)", "{0}，{1} 交给银行"),
        (r"never happened", "没有发生过"),
        (r"no claim", "不属于任何申请"),
        (r"([a-z-]+): F to (\S+) from (\S+)", "凭证 {0}：{1}，借 {2}，贷 {3}"),
        (r"debited (\S+)", "从 {0} 支付"),
        (r"another type was decided", "审核用的是另一个险种"),
        (r"fund of (\S+)", "险种 {0} 的基金"),
        (r"fund (\S+)", "基金 {0}"),
        (r"(\w+), F", "{0}，{1}"),
        (r"debits are F, credits F", "借方 {0}，贷方 {1}"),
        (r"stands F on the (credit|debit) side", "余额方向相反：{0}"),
        (r"the claim stands F on the other side", "这笔申请的余额方向相反：{0}"),
        (r"the entry is not whole, or its transfers have no entry",
         "凭证不完整，或分录没有凭证"),
        (r"the month is not what it was when it was closed", "结账后的账与结账时不同"),
        (r"not-whole", "凭证完整"),
        (r"not-balanced", "借贷相等"),
        (r"wrong-side|claim-wrong-side", "余额方向"),
        (r"closed-month-changed", "已结账的月份"),
    )
)  # fmt: skip

# A whole detail of a line of ``yichu reconcile``; first match counts.
_LINES: Final = tuple(
    (re.compile(pattern.replace("F", r"(-?[0-9]+ fen)")), zh)
    for pattern, zh in (
        (r"claim (\S+)", "申请 {0}"),
        (r"claim (\S+): F", "申请 {0}：{1}"),
        (r"claim (\S+): the ledger settled F", "申请 {0}：账本结算 {1}，与本库不同"),
        (r"claim (\S+) was released", "申请 {0} 已在账本上释放"),
        (r"claim (\S+) was withdrawn", "申请 {0} 已撤回"),
        (r"F, unknown here", "{0}，本库没有"),
        (r"(\S+): F came back", "追款 {0}：已追回 {1}"),
        (r"its claim was found", "找到了它的申请"),
        (r"its lock has ended; nothing was paid on it", "占用已结束，没有付过款"),
        (r"\S+: no claim here can be shown to be it", "本库找不到它的申请"),
        (r"\S+: settled with F; look for it in the bank's statement",
         "账本结算 {0}，本库找不到它的申请：请到银行对账单上找"),
        (r"\S+: our lock is open and no claim here holds it",
         "账本上有本机构的占用，本库没有它的申请"),
        (r"\S+: the lock has ended", "占用已结束"),
        (r"waits for the report of the payment", "等银行先答复这笔支付"),
        (r"unknown here: (.+)", "银行那边有、本库没有：{0}"),
        (r"database (.+), chain (.+)", "本库 {0}，账本 {1}"),
        (r"payouts are held", "付款暂停"),
        (r"paid, and its settlement is not on the chain now", "已支付，而它的结算现在不在账本上"),
        (r"nothing is unknown here", "没有本库不知道的"),
        (r"it changed nothing", "没有改变什么"),
        (r"the same batch", "同一个批次"),
        (r"another batch of this sequence is stored here", "本库存着同一序号的另一个批次"),
        (r"head kept; ([0-9]+) leaves to be found", "批次已记下，还要找回 {0} 张票据"),
        (r"([0-9]+) bills stand at their old leaves", "{0} 张票据回到原位"),
        (r"(\S+) opens with F, the books with F", "对账单 {0} 期初 {1}，账上 {2}"),
        (r"(\S+) opens with F, (\S+) closes with F", "对账单 {0} 期初 {1}，前一份 {2} 期末 {3}"),
        (r"(\S+) (\S+) ([a-z ]+): F against F", "{0} {1} {2}：{3} 对 {4}"),
        (r"the bill is not here", "本库没有这张票据"),
    )
)  # fmt: skip


def english(text: str) -> str:
    """The text of a rule with its amounts in yuan."""
    return _FEN.sub(lambda found: f"{format_yuan(int(found[1]))} yuan", text)


def chinese(text: str) -> str:
    """The same in Chinese; a text that the table does not have keeps its own words."""
    said = _by_table(_SIDES, text)
    if said is not None:
        return said
    parts = text.split(", ")
    if all(part in _STATES for part in parts):
        return "、".join(_STATES[part] for part in parts)
    return _FEN.sub(lambda found: f"{format_yuan(int(found[1]))} 元", text)


def _by_table(table: Sequence[tuple[re.Pattern[str], str]], text: str) -> str | None:
    for pattern, zh in table:
        found = pattern.fullmatch(text)
        if found is not None:
            return zh.format(*(_word(part or "") for part in found.groups())).strip()
    return None


def line_in_words(detail: str) -> tuple[str, str]:
    """What a line of ``yichu reconcile`` says: Chinese, English; the same twice where the text has
    no words of its own (a number) or has both already."""
    en = english(detail)
    return _by_table(_LINES, detail) or en, en


def _word(part: str) -> str:
    if found := _FEN.fullmatch(part):
        return f"{format_yuan(int(found[1]))} 元"
    return _STATES.get(part, part)


def row_in_words(here: str, there: str) -> tuple[str, str]:
    """Both sides of a row: Chinese, English."""
    return f"{chinese(here)} / {chinese(there)}", f"{english(here)} / {english(there)}"


def case_in_words(kind: str, detail: Mapping[str, Any]) -> tuple[str, str]:
    """What a case is about: Chinese, English. One of a kind without words is named by its kind."""
    say = _CASES.get(kind)
    if say is None:
        return kind, kind
    return say(detail)


def _mismatch(said: Mapping[str, Any]) -> tuple[str, str]:
    zh, en = row_in_words(said["here"], said["there"])
    rule = BY_CODE[said["rule"]]
    return f"{rule.code} {rule.zh}：{zh}", f"{rule.code} {rule.en}: {en}"


_CALLS: Final = {
    "lodge": ("占用", "lodged"),
    "settle": ("结算", "settled"),
    "release": ("释放", "released"),
    "renew": ("续期", "renewed"),
    "supplement": ("补付", "supplemented"),
    "recover": ("追回", "recovered"),
}
_PAYS: Final = frozenset({"settle", "supplement", "recover"})


def _event(said: Mapping[str, Any]) -> tuple[str, str]:
    zh, en = _CALLS.get(said["call"], (said["call"], said["call"]))
    if said["call"] not in _PAYS:
        return zh, en
    amount = format_yuan(int(said["values"]["value"]))
    return f"{zh} {amount} 元", f"{en} {amount} yuan"


def _ledger_claim(said: Mapping[str, Any]) -> tuple[str, str]:
    events = [_event(one) for one in said["events"]]
    place = f"{said['key'][:16]}/{said['counter']}"
    zh, en = "、".join(one for one, _ in events), ", ".join(one for _, one in events)
    return f"账本上本机构的 {place}：{zh}；", f"ours on the ledger, {place}: {en}; "


def _claim_lost(said: Mapping[str, Any]) -> tuple[str, str]:
    zh, en = _ledger_claim(said)
    return (
        f"{zh}本库找不到它的申请。结算过的请到银行对账单上找",
        f"{en}no claim here can be shown to be it. What was settled is on the bank's statement",
    )


def _settlement_differs(said: Mapping[str, Any]) -> tuple[str, str]:
    zh, en = _ledger_claim(said)
    return (
        f"{zh}与本库的审核不同，这笔申请不付款",
        f"{en}not what is decided here: the claim is not paid",
    )


def _payment_unknown(said: Mapping[str, Any]) -> tuple[str, str]:
    zh, en = _event(said)
    place = f"{said['key'][:16]}"
    return (
        f"账本上本机构对 {place} {zh}，本库没有对应的申请",
        f"ours on the ledger for {place}: {en}; no claim here can be shown to be it",
    )


_NOT_MATCHED: Final = (
    ("its name is not one of ours", "不是本机构的指令名称"),
    ("its claim is not here", "本库没有它的申请"),
    ("no settlement of that version is final here", "本库没有这一版的终局结算"),
    ("the same instruction stands in another file", "同一条指令在另一个文件里"),
    ("the attempt before it is not over here", "它之前的一次支付在本库还没有结果"),
)


def _bank_payment(said: Mapping[str, Any]) -> tuple[str, str]:
    why = said["why"]
    zh = dict(_NOT_MATCHED).get(why, "")
    if not zh and (found := re.fullmatch(r"settled were (-?[0-9]+) fen", why)):
        zh = f"本库结算的是 {format_yuan(int(found[1]))} 元"
    if not zh and (state := re.fullmatch(r"the claim is (\w+)", why)):
        zh = f"申请的状态是 {state[1]}"
    amount = format_yuan(said["amount_fen"])
    name, file = said["end_to_end_id"], said["file"]
    return (
        f"已交银行的付款 {amount} 元（指令 {name}，文件 {file}）：{zh or why}",
        f"the bank was told to pay {amount} yuan (instruction {name}, file {file}): {english(why)}",
    )


def _bank_copy(said: Mapping[str, Any]) -> tuple[str, str]:
    return (
        f"银行那边的付款文件 {said['name']} 读不出来：{said['why']}",
        f"the payment file {said['name']} at the bank cannot be read: {said['why']}",
    )


def _leaves(said: Mapping[str, Any]) -> tuple[str, str]:
    place = f"{said['institution']}/{said['sequence']}"
    return (
        f"医疗机构批次 {place} 已在账本上，本库缺它的票据：请让医疗机构重传",
        f"batch {place} is on the ledger and its bills are not here: the institution uploads again",
    )


def _batch(said: Mapping[str, Any]) -> tuple[str, str]:
    place = f"{said['institution']}/{said['sequence']}"
    return (
        f"医疗机构批次 {place} 与账本上的不同",
        f"batch {place} is another one on the ledger",
    )


def _words_lost(said: Mapping[str, Any]) -> tuple[str, str]:
    since, until = (
        f"{dt.datetime.fromisoformat(said[name]).astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
        for name in ("since", "until")
    )
    return (
        f"数据库是从备份恢复的：北京时间 {since} 至 {until} 之间在本系统里说过、办过的事可能遗失",
        f"the database was restored: what was said and done here between {since} and {until} "
        "(Beijing) may be missing",
    )


def _alarm(said: Mapping[str, Any]) -> tuple[str, str]:
    named = f"{said['code']} {said['subject']}"
    return f"报警 {named}：付款暂停", f"alarm {named}: payouts are held"


def _bank_file(said: Mapping[str, Any]) -> tuple[str, str]:
    return (
        f"银行文件 {said['name']} 没有入账",
        f"nothing was booked from the bank's file {said['name']}",
    )


_CASES: Final[dict[str, Callable[[Mapping[str, Any]], tuple[str, str]]]] = {
    "money-mismatch": _mismatch,
    "claim-lost": _claim_lost,
    "settlement-differs": _settlement_differs,
    "payment-unknown": _payment_unknown,
    "bank-payment": _bank_payment,
    "bank-copy": _bank_copy,
    "leaves-lost": _leaves,
    "batch-differs": _batch,
    "words-lost": _words_lost,
    "alarm": _alarm,
    "bank-file": _bank_file,
}
