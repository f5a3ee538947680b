"""What people read of a row that disagrees and of a case: Chinese and English, in yuan."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.entrypoints.cli.reconcile import _print, _stop_first
from backend.service_layer import reconciliation
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.money_reconciliation.words import (
    case_in_words,
    chinese,
    english,
    line_in_words,
    row_in_words,
)

EVENT = {"call": "settle", "outcome": "done", "key": "ab" * 32, "values": {"value": 123_456}}
LODGED = {"call": "lodge", "outcome": "done", "key": "ab" * 32, "values": {"value": 1}}


def test_a_row_says_the_amount_in_yuan_and_which_side_has_it() -> None:
    zh, en = row_in_words("not booked", "the bank has 80000000 fen credit")
    assert zh == "账上没有 / 银行有一笔收入 800,000.00 元"
    assert en == "not booked / the bank has 800,000.00 yuan credit"


@pytest.mark.parametrize(
    ("said", "zh"),
    [
        ("booked 6500 fen", "账上记了 65.00 元"),
        ("booked 6500 fen debit", "账上有一笔付出 65.00 元"),
        ("the bank has 13000 fen debit, 2 times", "银行有 2 笔付出，共 130.00 元"),
        ("statement S1 opens with -1 fen", "对账单 S1 期初 -0.01 元"),
        ("S1 closes with 100 fen", "S1 期末 1.00 元"),
        ("2 items, 300 fen", "2 笔，3.00 元"),
        ("6000 fen to 1234", "60.00 元，账号尾号 1234"),
        ("paid, 6000 fen", "已支付，60.00 元"),
        ("paid, returned", "已支付、已退回"),
        ("the bank said paid of the whole file", "银行答复整个文件已支付"),
        ("the bank said rejected in a refused report", "银行在一份没有入账的答复里说已拒付"),
        ("6000 fen since 2026-11-22 02:00Z", "60.00 元，2026-11-22 02:00Z 交给银行"),
        ("funded: 5 fen to bank:1 from fund:1", "凭证 funded：0.05 元，借 bank:1，贷 fund:1"),
        ("slot 6499 fen", "账本上已付 64.99 元"),
        ("pay_C1_v1", "pay_C1_v1"),
        ("a new text of 5 fen", "a new text of 0.05 元"),
    ],
)
def test_each_side_in_chinese(said: str, zh: str) -> None:
    assert chinese(said) == zh


def test_no_side_that_a_rule_writes_is_left_without_chinese() -> None:
    """The literal sides of the rules' own source, a number or a name in each place."""
    root = Path(__file__).resolve().parents[3] / "backend"
    named = [root / "service_layer/money_reconciliation" / f"{name}_rules.py" for name in (
        "bank", "statement")]  # fmt: skip
    paths = [*named, *(root / "adapters/database/money_rules").glob("*_rules.py")]
    sides = set()
    for path in paths:
        for found in re.finditer(r"(?:here|there)(?:, there)? = (.+)", path.read_text("utf-8")):
            sides |= set(re.findall(r'f?"([^"]+)"', found[1]))
    assert len(sides) > 25
    for side in sides:
        filled = re.sub(
            r"\{[^}]*fen[^}]*\}|\{(said\[0\]|total|amount|_total\([a-z]+\))\}", "7", side
        )
        filled = re.sub(r"\{[^}]+\}", "1", filled)
        if side.startswith("{row.fingerprint") or not re.search("[a-z]", filled):
            continue
        assert re.search("[一-鿿]", chinese(filled)), side
        assert "fen" not in english(filled).split(), side


@pytest.mark.parametrize(
    ("kind", "detail", "zh", "en"),
    [
        ("claim-lost", {"key": "ab" * 32, "counter": 3, "events": [LODGED, EVENT]},
         "占用、结算 1,234.56 元；本库找不到它的申请", "lodged, settled 1,234.56 yuan"),
        ("settlement-differs", {"key": "ab" * 32, "counter": 3, "events": [EVENT]},
         "与本库的审核不同", "not what is decided here"),
        ("payment-unknown", EVENT, "结算 1,234.56 元", "settled 1,234.56 yuan"),
        ("bank-payment", {"end_to_end_id": "C1-V1-A1", "file": "YC1", "amount_fen": 650,
                          "why": "its claim is not here"},
         "6.50 元（指令 C1-V1-A1，文件 YC1）：本库没有它的申请", "pay 6.50 yuan"),
        ("bank-payment", {"end_to_end_id": "C1-V1-A1", "file": "YC1", "amount_fen": 650,
                          "why": "settled were 640 fen"},
         "本库结算的是 6.40 元", "settled were 6.40 yuan"),
        ("bank-payment", {"end_to_end_id": "C1-V1-A1", "file": "YC1", "amount_fen": 650,
                          "why": "the claim is refused"},
         "申请的状态是 refused", "the claim is refused"),
        ("bank-copy", {"name": "YC1.xml", "why": "no GrpHdr"},
         "YC1.xml 读不出来", "cannot be read"),
        ("leaves-lost", {"institution": "H1", "sequence": 4}, "H1/4", "uploads again"),
        ("batch-differs", {"institution": "H1", "sequence": 4, "head": ""}, "不同", "another one"),
        ("words-lost", {"since": "2026-11-22T01:00:00+00:00", "until": "2026-11-22T02:00:00+00:00"},
         "北京时间 2026-11-22 09:00 至 2026-11-22 10:00", "restored"),
        ("alarm", {"code": "records-lost", "subject": "r1"}, "付款暂停", "payouts are held"),
        ("bank-file", {"name": "a.xml"}, "银行文件 a.xml 没有入账", "nothing was booked"),
        ("money-mismatch",
         {"rule": "R19", "here": "not booked", "there": "the bank has 5 fen debit"},
         "账上没有 / 银行有一笔付出 0.05 元", "not booked / the bank has 0.05 yuan debit"),
        ("of-tomorrow", {}, "of-tomorrow", "of-tomorrow"),
    ],
)  # fmt: skip
def test_each_case_in_words(kind: str, detail: dict[str, Any], zh: str, en: str) -> None:
    said_zh, said_en = case_in_words(kind, detail)
    assert zh in said_zh and en in said_en


@pytest.mark.parametrize(
    ("detail", "zh", "en"),
    [
        ("claim C1: 6500 fen", "申请 C1：65.00 元", "claim C1: 65.00 yuan"),
        ("claim-lost: settled with 700 fen; look for it in the bank's statement",
         "账本结算 7.00 元，本库找不到它的申请：请到银行对账单上找",
         "claim-lost: settled with 7.00 yuan; look for it in the bank's statement"),
        ("database 3, chain 5", "本库 3，账本 5", "database 3, chain 5"),
        ("unknown here: YC1.xml", "银行那边有、本库没有：YC1.xml", "unknown here: YC1.xml"),
        ("3 -> 5", "3 -> 5", "3 -> 5"),
    ],
)  # fmt: skip
def test_each_line_in_words(detail: str, zh: str, en: str) -> None:
    assert line_in_words(detail) == (zh, en)


@pytest.mark.parametrize("is_accepted", [False, True])
def test_reconcile_prints_chinese_first_in_yuan_and_programs_read_what_they_read(
    capsys: pytest.CaptureFixture[str], is_accepted: bool
) -> None:
    row = Mismatch("R19", "DEP-1", "not booked", "the bank has 80000000 fen credit")
    line = reconciliation._row(row, is_accepted)
    _print([line], as_json=False)
    printed, total = capsys.readouterr().out.splitlines()
    verdict = "已核实 accepted" if is_accepted else "不符 mismatch"
    assert printed.split("\t")[:2] == [f"{verdict:<16}", "R19 DEP-1"]
    assert printed.index("账上没有 / 银行有一笔收入 800,000.00 元") < printed.index("not booked")
    assert "the bank has 800,000.00 yuan credit (the bank's statement" in printed
    assert "80000000" not in printed and f"待处理 {int(not is_accepted)} 项" in total
    _print([line], as_json=True)
    (said,) = json.loads(capsys.readouterr().out)
    assert said["detail"].startswith("not booked / the bank has 80000000 fen credit (")
    assert said["zh"].startswith("账上没有") and "800,000.00 yuan" in said["en"]


@pytest.mark.parametrize(
    ("url", "is_embedded"),
    [("http://127.0.0.1:8600", True), ("http://localhost:8600", True),
     ("https://rpc.chain.test:8600", False)],
)  # fmt: skip
def test_whoever_must_stop_the_embedded_system_is_told_how_its_ledger_goes_on(
    url: str, is_embedded: bool
) -> None:
    settings = SimpleNamespace(rpc_urls=(url,), var_dir=Path("/srv/var"))
    services: Any = SimpleNamespace(settings=settings)
    said = _stop_first(services)
    assert said.startswith("有 worker 正在运行") and "a worker is at work: stop it first" in said
    command = "yichu devchain --quiet --port 8600 --db /srv/var/ledger"
    assert (command in said) is is_embedded
