"""The last amount and the last transfer that are still booked, and what each refusal says."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from backend.domain.journal import (
    Entry,
    Fund,
    JournalError,
    Layer,
    LayerAmounts,
    Occasion,
    Transfer,
    approval_reversed,
    approved,
)
from backend.domain.payee import AccountRefusedError, DeclaredAccount, account_number
from backend.domain.payout import PayoutError, end_to_end_id, parse_end_to_end_id

FUND = Fund("330800", "310", "330802", "测试中心")
SAID = Occasion("attempt", "pay_1_a1", FUND, "clm_1", dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC))
ONE = Transfer("bank:330800", "payable:330800", 1)
BEFORE_ZH, BEFORE_EN = "凭证无法记账：", "the entry cannot be booked: "


def refused(act: Any) -> tuple[str, str]:
    with pytest.raises(JournalError) as caught:
        act()
    zh, en = caught.value.zh, caught.value.en
    assert zh.startswith(BEFORE_ZH) and en.startswith(BEFORE_EN)
    return zh.removeprefix(BEFORE_ZH), en.removeprefix(BEFORE_EN)


def test_the_largest_amount_moves_and_a_fen_more_does_not() -> None:
    largest = 1_125_899_906_842_624  # 2 to the 50
    assert Transfer(ONE.debit, ONE.credit, largest).amount_fen == largest
    assert refused(lambda: Transfer(ONE.debit, ONE.credit, largest + 1)) == (
        "分录金额必须为正",
        "the amount of a transfer must be positive whole fen",
    )


def test_sixty_four_transfers_are_an_entry_and_sixty_five_are_not() -> None:
    assert Entry("paid", SAID, (ONE,) * 64).total_fen == 64
    assert refused(lambda: Entry("paid", SAID, (ONE,) * 65)) == (
        "凭证没有分录，或分录过多",
        "an entry has 1 to 64 transfers",
    )


@pytest.mark.parametrize(
    ("changed", "zh", "en"),
    [
        ({"source_type": "Attempt"}, "来源种类不成立",
         "the source type of an entry is a short word"),
        ({"source_id": ""}, "来源编号不成立",
         "the source of an entry is an id of 1 to 80 characters"),
        ({"source_id": "x" * 81}, "来源编号不成立",
         "the source of an entry is an id of 1 to 80 characters"),
        ({"booked_at": dt.datetime(2026, 11, 20)}, "记账时间没有时区",
         "the time of an entry must be aware"),
        ({"text": "x" * 401}, "摘要或制单人过长", "the text or the name of an entry is too long"),
        ({"recorded_by": ""}, "摘要或制单人过长", "the text or the name of an entry is too long"),
        ({"recorded_by": "x" * 61}, "摘要或制单人过长",
         "the text or the name of an entry is too long"),
    ],
)  # fmt: skip
def test_refusal_of_an_occasion_names_what_is_wrong(
    changed: dict[str, Any], zh: str, en: str
) -> None:
    said = dataclasses.replace(SAID, **changed)
    assert refused(lambda: Entry("paid", said, (ONE,))) == (zh, en)


@pytest.mark.parametrize(
    "changed",
    [
        {"source_id": "x" * 80},
        {"source_type": "a" * 24},
        {"text": "x" * 400},
        {"recorded_by": "x" * 60},
        {"recorded_by": "x"},
    ],
)
def test_the_longest_and_shortest_words_of_an_occasion_are_booked(changed: dict[str, str]) -> None:
    assert Entry("paid", dataclasses.replace(SAID, **changed), (ONE,)).total_fen == 1


def test_refusals_of_kind_account_and_region() -> None:
    assert refused(lambda: Entry("Paid", SAID, (ONE,))) == (
        "业务种类不成立",
        "the kind of an entry is a short word",
    )
    assert refused(lambda: Transfer(ONE.debit, ONE.debit, 1)) == (
        "借贷科目不能相同",
        "a transfer needs two different accounts",
    )
    other = Transfer("bank:330700", "payable:330700", 1)
    assert refused(lambda: Entry("paid", SAID, (ONE, other))) == (
        "一张凭证只能记一个统筹区",
        "an entry stays within one region's books",
    )


def test_name_at_the_bank_is_read_back() -> None:
    name = end_to_end_id("2026112027000002-01", 12, 3)
    assert name == "2026112027000002-01-V12-A3"
    assert parse_end_to_end_id(name) == ("2026112027000002-01", 12, 3)


@pytest.mark.parametrize(
    ("changed", "zh", "en"),
    [
        ({"region": "33080"}, "行政区划代码应为六位数字", "an area code has six digits"),
        ({"agency_code": "33080x"}, "行政区划代码应为六位数字", "an area code has six digits"),
        ({"insurance_type": "31"}, "险种代码应为三位数字", "an insurance type has three digits"),
        ({"agency_name": ""}, "经办机构名称不成立", "the agency's name has 1 to 80 characters"),
        ({"agency_name": "县" * 81}, "经办机构名称不成立",
         "the agency's name has 1 to 80 characters"),
    ],
)  # fmt: skip
def test_refusal_of_a_fund_names_what_is_wrong(changed: dict[str, str], zh: str, en: str) -> None:
    assert refused(lambda: dataclasses.replace(FUND, **changed)) == (zh, en)


@pytest.mark.parametrize("name", ["县", "县" * 80])
def test_shortest_and_longest_name_of_an_agency(name: str) -> None:
    assert dataclasses.replace(FUND, agency_name=name).agency_name == name


def test_a_layer_alone_has_the_amount_and_the_others_nothing() -> None:
    assert LayerAmounts.of(Layer.POOL, 7) == LayerAmounts(7, 0, 0, 0)
    assert LayerAmounts.of(Layer.SERIOUS_ILLNESS, 7) == LayerAmounts(0, 7, 0, 0)
    assert LayerAmounts.of(Layer.MEDICAL_AID, 7) == LayerAmounts(0, 0, 7, 0)
    assert LayerAmounts.of(Layer.CIVIL_SERVANT, 7) == LayerAmounts(0, 0, 0, 7)


def test_refusals_of_an_approval_and_a_reversal() -> None:
    assert refused(lambda: approved(SAID, LayerAmounts(5), LayerAmounts(5))) == (
        "新结论没有增加应付金额",
        "a version that pays no more owes nothing",
    )
    assert refused(lambda: approval_reversed(SAID, LayerAmounts(5), LayerAmounts(5))) == (
        "没有减少应付金额",
        "a reversal lowers what is owed",
    )
    assert refused(lambda: LayerAmounts(0, -1)) == (
        "金额不成立",
        "no amount of a layer: serious_illness_fen",
    )


def test_refusal_of_a_name_for_the_bank() -> None:
    longest = "9" * 29
    assert end_to_end_id(longest, 1, 1) == f"{longest}-V1-A1"  # 35 characters
    with pytest.raises(PayoutError) as caught:
        end_to_end_id(longest + "9", 1, 1)
    assert (caught.value.zh, caught.value.en) == (
        "付款编号过长或含有不能用的字符",
        f"'{longest}9-V1-A1' is no payment identifier",
    )


def test_the_largest_amount_of_a_layer_and_a_fen_more() -> None:
    largest = 1_125_899_906_842_624  # 2 to the 50
    assert LayerAmounts(largest).total_fen == largest
    assert refused(lambda: LayerAmounts(largest + 1))[1] == "no amount of a layer: pool_fen"


def test_at_its_very_instant_a_changed_account_waits_no_longer() -> None:
    at = dt.datetime(2026, 11, 25, 8, tzinfo=dt.UTC)
    changed = DeclaredAccount(2, at)
    assert (changed.is_waiting(at), changed.has_taken_effect(at)) == (False, True)
    before = at - dt.timedelta(microseconds=1)
    assert (changed.is_waiting(before), changed.has_taken_effect(before)) == (True, False)


@pytest.mark.parametrize(
    ("typed", "zh", "en"),
    [
        ("6217x", "账号只能有数字，请照银行卡上的写",
         "an account number has digits only, as on the card"),
        ("6" * 31, "账号应有 8 到 30 位数字，现在是 31 位，请再核对一遍",
         "an account number has 8 to 30 digits, this one 31"),
    ],
)  # fmt: skip
def test_refusal_of_an_account_number_says_what_to_correct(typed: str, zh: str, en: str) -> None:
    assert account_number("6" * 30) == "6" * 30 and account_number("6" * 8) == "6" * 8
    with pytest.raises(AccountRefusedError) as caught:
        account_number(typed)
    assert (caught.value.zh, caught.value.en) == (zh, en)
