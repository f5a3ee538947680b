"""Why nothing was booked from a file of the bank, for people: Chinese and English, in yuan.

What is stored stays as it was examined, in fen; a line without words of its own is shown as it is.
"""

from __future__ import annotations

import re
from typing import Final

from backend.domain.money import format_yuan

# A whole line; N is a number, {0}, {1} ... are the groups in order.
_LINES: Final = tuple(
    (re.compile(pattern.replace("N", r"([0-9]+)")), zh)
    for pattern, zh in (
        (r"no payment file (\S+) was ever written here", "本系统没有写过付款文件 {0}"),
        (r"made at (\S+), which has not come yet", "制作时间 {0} 还没有到"),
        (r"made at (\S+), before the file that it answers", "制作时间 {0} 早于它所答复的文件"),
        (r"made at (\S+), older than a report that was booked", "制作时间 {0} 早于已入账的报告"),
        (r"(\S+) is named N times", "{0} 出现 {1} 次"),
        (r"(\S+) is not in (\S+)", "{0} 不在文件 {1} 里"),
        (r"and N more", "还有 {0} 条"),
        (r"speaks of N items, the file has N", "报告说 {0} 笔，文件有 {1} 笔"),
        (r"another report named (\S+) was booked already", "同名报告 {0} 已入账"),
        (r"(\S+) is (\w+), the whole file (\w+)", "{0} 是 {1}，而整个文件是 {2}"),
        (r"(\S+): reported as (\w+), and it is (.+)", "{0}：报告为 {1}，而本系统是 {2}"),
        (r"(\S+): reported again with another bank reference", "{0}：再次报告，银行流水号不同"),
        (r"counts N instructions, the file has N", "报告共 {0} 笔指令，文件有 {1} 笔"),
    )
)  # fmt: skip
# The same with amounts: first what is spoken of, then FEN.
_AMOUNTS: Final = tuple(
    (re.compile(pattern.replace("FEN", r"(-?[0-9]+)")), zh, en)
    for pattern, zh, en in (
        (r"()speaks of FEN fen, the file has FEN", "{0}报告合计 {1} 元，文件合计 {2} 元",
         "{0}speaks of {1} yuan, the file has {2} yuan"),
        (r"(\S+: )FEN fen were reported, FEN instructed", "{0}报告 {1} 元，指令 {2} 元",
         "{0}{1} yuan were reported, {2} yuan instructed"),
        (r"(\S+: )FEN fen were moved, FEN instructed", "{0}银行动了 {1} 元，指令 {2} 元",
         "{0}{1} yuan were moved, {2} yuan instructed"),
        (r"(says \w+ of )FEN fen and counts FEN", "报告说 {1} 元，逐笔相加 {2} 元",
         "{0}{1} yuan and counts {2} yuan"),
    )
)  # fmt: skip


def difference_in_words(line: str) -> tuple[str, str]:
    """One line of a difference: Chinese, English; the same twice where the table has none."""
    for pattern, zh, en in _AMOUNTS:
        if found := pattern.fullmatch(line):
            what, *fen = found.groups()
            yuan = [format_yuan(int(one)) for one in fen]
            return zh.format(what, *yuan), en.format(what, *yuan)
    for pattern, zh in _LINES:
        if found := pattern.fullmatch(line):
            return zh.format(*found.groups()), line
    return line, line
