"""What others bore is never paid again: the layer that pays last gives way first, line by line."""

from __future__ import annotations

from typing import Any

import pytest

from backend.domain.adjudication import adjudicate
from backend.domain.explanation import ExplanationOfBenefits, Group
from backend.domain.person import History
from tests.unit.domain import benefit_cases as case

BORNE_ZH = "（其他方已支付一部分，各方合计不超过票据总额）"
BORNE_EN = " (others bore part; all together never exceed the bill)"

EVERY_LAYER = case.pack(
    ratios=[case.ratio((0, 3_000))],
    layer2=[case.layer2(10_000_000, (0, 1_000))],
    layer3=[case.aid((0, 5_000))],
    supplement=[case.supplement((0, 5_000))],
)
AIDED = case.person(hardship=(case.status("low-income"),), civil_servant=(case.status("section"),))


def pays(borne_fen: int) -> tuple[int, int, int, int]:
    """The layers of a bill of 100 yuan: 30, 7 of 70, 31.50 of 63 and 15.75 of 31.50."""
    bill = case.stay(case.line(0, 10_000), borne_fen=borne_fen)
    eob = adjudicate(EVERY_LAYER, bill, AIDED, History())
    assert eob.paid_fen + borne_fen <= 10_000
    return eob.pool_paid_fen, eob.layer2_paid_fen, eob.layer3_paid_fen, eob.supplement_paid_fen


@pytest.mark.parametrize(
    ("borne_fen", "paid"),
    [
        (0, (3_000, 700, 3_150, 1_575)),
        (1_575, (3_000, 700, 3_150, 1_575)),
        (1_576, (3_000, 700, 3_150, 1_574)),
        (3_150, (3_000, 700, 3_150, 0)),
        (3_151, (3_000, 700, 3_149, 0)),
        (6_300, (3_000, 700, 0, 0)),
        (6_301, (3_000, 699, 0, 0)),
        (7_000, (3_000, 0, 0, 0)),
        (7_001, (2_999, 0, 0, 0)),
        (10_000, (0, 0, 0, 0)),
    ],
)
def test_the_last_layer_gives_way_first(borne_fen: int, paid: tuple[int, int, int, int]) -> None:
    assert pays(borne_fen) == paid


def explain(borne_fen: int, *amounts: int, **parts: Any) -> ExplanationOfBenefits:
    lines = [case.line(index, amount) for index, amount in enumerate(amounts)]
    return adjudicate(case.pack(**parts), case.stay(*lines, borne_fen=borne_fen), AIDED, History())


def cuts_of(eob: ExplanationOfBenefits) -> list[dict[str, int]]:
    return [{cut.code: cut.amount_fen for cut in line.adjustments} for line in eob.lines]


def test_what_the_pool_does_not_pay_again_is_on_the_lines_beside_the_ratio() -> None:
    """80 % of 100 are 80; others bore 30, so 70 are paid, 10 are borne by others and 20 are the
    person's by ratio. Both lines carry their half."""
    eob = explain(3_000, 5_000, 5_000, ratios=[case.ratio((0, 8_000))])
    assert (eob.pool_paid_fen, eob.person_fen) == (7_000, 3_000)
    assert cuts_of(eob) == [{"personal-ratio": 1_000, "borne-by-others": 500}] * 2
    assert [line.pool_fen for line in eob.lines] == [3_500, 3_500]
    (borne,) = [cut for cut in eob.lines[0].adjustments if cut.code == "borne-by-others"]
    assert (borne.group, borne.rule_id) == (Group.OTHER, "not-beyond-total")
    assert borne.basis_zh == "其他方已经支付了一部分，各方合计不超过票据总额"
    assert borne.basis_en == (
        "Others already bore part of this bill; all together never exceed its total"
    )
    row = next(row for row in eob.summary if row.code == "borne-by-others")
    assert (row.label_zh, row.label_en, row.amount_fen) == (
        "其他方已支付", "Already borne by others", -1_000,
    )  # fmt: skip


def test_deductible_cap_and_what_others_bore_are_apart() -> None:
    """100 less 10 deductible; 90 to pay, capped at 60; others bore 50, so 50 are paid and 10 not
    paid again; 30 are beyond the cap."""
    eob = explain(5_000, 6_000, 4_000, deductibles=[case.deductible(1_000)], caps=[case.cap(6_000)])
    assert (eob.pool_paid_fen, eob.deductible_fen) == (5_000, 1_000)
    assert cuts_of(eob) == [
        {"deductible": 600, "yearly-cap": 1_800, "borne-by-others": 600},
        {"deductible": 400, "yearly-cap": 1_200, "borne-by-others": 400},
    ]


def reasons(eob: ExplanationOfBenefits) -> dict[str, tuple[str, str]]:
    return {cut.code: (cut.basis_zh, cut.basis_en) for cut in eob.adjustments}


@pytest.mark.parametrize(("borne_fen", "is_cut"), [(6_300, False), (6_301, True)])
def test_a_layer_says_that_others_bore_part_only_where_it_gives_way(
    borne_fen: int, is_cut: bool
) -> None:
    parts: dict[str, Any] = {
        "ratios": [case.ratio((0, 3_000))],
        "layer2": [case.layer2(10_000_000, (0, 1_000))],
    }
    zh, en = reasons(explain(borne_fen, 10_000, **parts))["layer-2-paid"]
    assert (zh.endswith(BORNE_ZH), en.endswith(BORNE_EN)) == (is_cut, is_cut)
    assert zh.removesuffix(BORNE_ZH) == "大病保险：今年您自己负担的合规费用再报 10%"
    assert en.removesuffix(BORNE_EN) == "Serious-illness layer: 10% of this year's own share"


def test_a_layer_that_gives_way_altogether_is_not_named() -> None:
    bill = case.stay(case.line(0, 10_000), borne_fen=7_000)
    eob = adjudicate(EVERY_LAYER, bill, AIDED, History())
    assert set(reasons(eob)) == {"personal-ratio"}
    assert eob.layer2_fund == ""


@pytest.mark.parametrize(("amount", "paid"), [(4_999, 0), (5_000, 1), (14_999, 1), (15_000, 2)])
def test_every_layer_is_rounded_half_up_exactly(amount: int, paid: int) -> None:
    """One ten-thousandth of 49.99 yuan is just below half a fen, of 50.00 yuan just half."""
    none = {"ratios": [case.ratio((0, 0))]}
    for name, part in (
        ("layer2", case.layer2(10_000_000, (0, 1))),
        ("layer3", case.aid((0, 1))),
        ("supplement", case.supplement((0, 1))),
    ):
        assert explain(0, amount, **none, **{name: [part]}).paid_fen == paid
    assert explain(0, amount, ratios=[case.ratio((0, 1))]).paid_fen == paid
