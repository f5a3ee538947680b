"""Which region's fund pays, and what a decision that cannot be booked is told."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.journal import JournalError, LayerAmounts
from backend.service_layer.journal.funds import fund_of_claim, fund_region, layer_amounts
from tests.unit.payout.payables import CLAIM


@pytest.mark.parametrize(
    ("area", "region", "pays"),
    [
        ("330802", "330800", "330800"),  # 衢州市柯城区
        ("330800", "330800", "330800"),
        ("330102", "330800", "330100"),  # 杭州市上城区: another city's fund
        ("331002", "331000", "331000"),  # 台州市椒江区: the city's own code ends in three zeros
        ("331102", "331000", "331100"),  # 丽水市莲都区
        ("110101", "110000", "110000"),  # 北京市东城区: the whole municipality
        ("120101", "110000", "120100"),
    ],
)
def test_the_city_pays_for_its_counties_and_for_no_other_city(
    area: str, region: str, pays: str
) -> None:
    assert fund_region(area, region) == pays


def decision(paid_fen: int, **amounts: int) -> Any:
    record = dict.fromkeys(
        ("hifp_pay_fen", "hifmi_pay_fen", "hifob_pay_fen", "maf_pay_fen", "cvlserv_pay_fen"), 0
    )
    return SimpleNamespace(paid_fen=paid_fen, explanation=json.dumps(record | amounts))


def test_a_decision_is_read_by_layer() -> None:
    made = decision(
        31, hifp_pay_fen=1, hifmi_pay_fen=2, hifob_pay_fen=4, maf_pay_fen=8, cvlserv_pay_fen=16
    )
    assert layer_amounts(made) == LayerAmounts(1, 6, 8, 16)
    assert layer_amounts(None) == LayerAmounts()


@pytest.mark.parametrize("paid", [0, 99, 101])
def test_layers_that_are_not_what_a_decision_pays_are_refused(paid: int) -> None:
    with pytest.raises(JournalError) as caught:
        layer_amounts(decision(paid, hifp_pay_fen=100))
    assert caught.value.zh == "结论中各层金额之和与支付金额不一致"
    assert caught.value.en == "the layers of the decision are not what it pays"


def test_a_claim_without_a_decision_has_no_fund() -> None:
    work: Any = SimpleNamespace(
        journal=SimpleNamespace(claim_fund=lambda claim: None),
        decisions=SimpleNamespace(latest=lambda claim: None),
    )
    deps: Any = SimpleNamespace()
    with pytest.raises(JournalError) as caught:
        fund_of_claim(deps, work, CLAIM)
    assert caught.value.zh == "申请还没有审核结论，不能确定由哪个基金支付"
    assert caught.value.en == "the claim has no decision yet, so no fund pays it"
