"""Why a file of the bank was not booked: Chinese and English, in yuan."""

from __future__ import annotations

import pytest

from backend.service_layer.payout.difference_words import difference_in_words


@pytest.mark.parametrize(
    ("line", "zh", "en"),
    [
        ("C1-V1-A1: 6000 fen were reported, 6500 instructed",
         "C1-V1-A1: 报告 60.00 元，指令 65.00 元",
         "C1-V1-A1: 60.00 yuan were reported, 65.00 yuan instructed"),
        ("speaks of 80000000 fen, the file has 1",
         "报告合计 800,000.00 元，文件合计 0.01 元",
         "speaks of 800,000.00 yuan, the file has 0.01 yuan"),
        ("speaks of 2 items, the file has 3", "报告说 2 笔，文件有 3 笔",
         "speaks of 2 items, the file has 3"),
        ("C9-V1-A1 is not in YC1", "C9-V1-A1 不在文件 YC1 里", "C9-V1-A1 is not in YC1"),
        ("C1-V1-A1 is named 2 times", "C1-V1-A1 出现 2 次", "C1-V1-A1 is named 2 times"),
        ("and 4 more", "还有 4 条", "and 4 more"),
        ("no words for this", "no words for this", "no words for this"),
    ],
)  # fmt: skip
def test_each_line_of_a_difference(line: str, zh: str, en: str) -> None:
    assert difference_in_words(line) == (zh, en)
