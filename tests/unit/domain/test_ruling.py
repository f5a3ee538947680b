"""Line rulings: what a reviewer decides about a line, as an input of adjudication."""

from __future__ import annotations

from typing import Any

import pytest

from backend.domain.adjudication import adjudicate
from backend.domain.explanation import Group, Outcome
from backend.domain.person import History
from backend.domain.record_reader import MalformedDataError
from backend.domain.ruling import (
    LineRuling,
    RulingError,
    RulingKind,
    in_order,
    parse_rulings,
)
from tests.unit.domain import benefit_cases as case
from tests.unit.domain.changed_file import (
    FEN_MAX,
    MISSING,
    faults_of,
    no_list,
    no_text,
    no_whole,
)


def explain(*rulings: Any, lines: Any = None) -> Any:
    pack = case.pack(case.catalogue(), ratios=[case.ratio((0, 5_000))])
    made = lines or (
        case.line(0, 10_000, code="FIX-RESTRICTED"),
        case.line(1, 8_000, code="NO-SUCH"),
        case.line(2, 6_000, code="FIX-02"),
    )
    return adjudicate(pack, case.bill(*made), case.person(), History(), rulings)


def test_without_rulings_doubtful_lines_wait() -> None:
    eob = explain()
    assert (eob.paid_fen, [p.line_index for p in eob.pend_reasons]) == (2_700, [0, 1])
    assert "rulings" not in eob.body()


def test_confirmed_restricted_item_is_payable() -> None:
    eob = explain(case.ruling(0, "confirm"))
    # (100 + 54) x 50 %
    assert (eob.paid_fen, [p.line_index for p in eob.pend_reasons]) == (7_700, [1])


def test_matched_line_is_judged_under_the_other_code() -> None:
    eob = explain(case.ruling(1, "match", catalogue_code="FIX-02"))
    # (80 - 8 + 54) x 50 %; the line goes on showing the code that the bill prints
    assert (eob.paid_fen, [p.line_index for p in eob.pend_reasons]) == (6_300, [0])
    assert eob.lines[1].catalogue_code == "NO-SUCH"


def test_match_to_an_item_that_needs_confirming_takes_both() -> None:
    match = case.ruling(1, "match", catalogue_code="FIX-RESTRICTED")
    assert explain(match).lines[1].paid_fen == 0
    assert explain(match, case.ruling(1, "confirm")).lines[1].paid_fen == 4_000


def test_match_to_a_code_that_is_unknown_too_still_waits() -> None:
    eob = explain(case.ruling(1, "match", catalogue_code="NOR-THIS"))
    assert [p.code for p in eob.pend_reasons] == ["restricted-unconfirmed", "unknown-code"]


def test_match_to_the_negative_list_is_excluded() -> None:
    eob = explain(case.ruling(1, "match", catalogue_code="FIX-NEG"))
    assert eob.lines[1].adjustments[0].code == "negative-list"


def test_excluded_line_pays_nothing_and_says_whose_rule() -> None:
    eob = explain(case.ruling(2, "exclude", rule_id="R-9", basis_zh="与诊断不符"))
    (cut,) = eob.lines[2].adjustments
    assert (eob.paid_fen, cut.group, cut.code, cut.rule_id, cut.basis_zh) == (
        0, Group.NONCOVERED, "reviewer-excluded", "R-9", "与诊断不符",
    )  # fmt: skip
    row = next(row for row in eob.summary if row.code == "reviewed-out")
    assert (row.label_zh, row.amount_fen, row.zh) == ("审核扣除", -6_000, "与诊断不符")
    assert eob.outcome is Outcome.REFUSED


def test_exclusion_wins_over_every_other_ruling_on_the_line() -> None:
    eob = explain(case.ruling(0, "confirm"), case.ruling(0, "exclude"))
    assert eob.lines[0].paid_fen == 0


@pytest.mark.parametrize(
    ("limit", "full", "first", "scope"),
    [(0, 6_000, 0, 0), (4_000, 2_000, 400, 3_600), (6_000, 0, 600, 5_400), (9_999, 0, 600, 5_400)],
)
def test_limited_line_is_considered_up_to_the_amount(
    limit: int, full: int, first: int, scope: int
) -> None:
    explained = explain(case.ruling(2, "limit", limit_fen=limit)).lines[2]
    assert (explained.fulamt_ownpay_fen, explained.preselfpay_fen, explained.inscp_fen) == (
        full, first, scope,
    )  # fmt: skip
    codes = {cut.code: cut.amount_fen for cut in explained.adjustments}
    assert codes.get("reviewer-limited", 0) == full


def test_limit_comes_after_the_price_limit() -> None:
    dear = case.line(0, 120_000, "02", "FIX-LIMIT", quantity_e4=100_000, price_e6=120_000_000)
    explained = explain(case.ruling(0, "limit", limit_fen=50_000), lines=(dear,)).lines[0]
    # 1,200 less 200 above the price limit = 1,000, of which 500 are considered, less 10 %.
    assert (explained.overlmt_fen, explained.fulamt_ownpay_fen) == (20_000, 50_000)
    assert (explained.preselfpay_fen, explained.inscp_fen) == (5_000, 45_000)


def test_rulings_are_in_the_record_by_line_and_kind_whatever_their_order() -> None:
    given = [case.ruling(2, "exclude"), case.ruling(0, "confirm")]
    one, other = explain(*given), explain(*reversed(given))
    assert one == other
    assert [(r["line_index"], r["kind"]) for r in one.body()["rulings"]] == [
        (0, "confirm"),
        (2, "exclude"),
    ]


@pytest.mark.parametrize(
    ("rulings", "message"),
    [
        ([case.ruling(3, "exclude")], "line that is not there"),
        ([case.ruling(-1, "exclude")], "line that is not there"),
        ([case.ruling(0, "exclude"), case.ruling(0, "exclude")], "two rulings of one kind"),
    ],
)
def test_rulings_that_do_not_fit_the_bill_are_refused(rulings: Any, message: str) -> None:
    with pytest.raises(RulingError, match=message):
        explain(*rulings)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("match", {}, "names a catalogue code"),
        ("exclude", {"catalogue_code": "FIX-01"}, "names a catalogue code"),
        ("limit", {}, "has an amount"),
        ("confirm", {"limit_fen": 1}, "has an amount"),
        ("limit", {"limit_fen": -1}, "is not negative"),
        ("exclude", {"basis_zh": ""}, "states its rule and its basis"),
        ("exclude", {"rule_id": ""}, "states its rule and its basis"),
    ],
)
def test_ruling_that_is_none_is_refused(kind: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RulingError, match=message):
        case.ruling(0, kind, **changes)


def test_rulings_are_read_back_as_written() -> None:
    rulings = (
        case.ruling(0, "match", catalogue_code="FIX-01"),
        case.ruling(1, "limit", limit_fen=5),
        LineRuling(2, RulingKind.EXCLUDE, "R", "因", "why"),
    )
    assert parse_rulings([ruling.to_record() for ruling in rulings]) == rulings


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("none", "/rulings: is not a list"),
        ([{}], "RULINGS is wrong: /rulings/0/kind: is missing"),
        ([case.ruling(0, "exclude").to_record() | {"line_index": 5_000}], "/rulings/0/line_index"),
        ([case.ruling(0, "exclude").to_record() | {"rule_id": "x" * 65}], "/rulings/0/rule_id"),
        (
            [
                case.ruling(0, "match", catalogue_code="x" * 50).to_record()
                | {"catalogue_code": "x" * 51}
            ],
            "/rulings/0/catalogue_code",
        ),
        ([case.ruling(0, "exclude").to_record() | {"kind": "forgive"}], "/rulings/0/kind"),
        ([case.ruling(0, "exclude").to_record() | {"line_index": -1}], "/rulings/0/line_index"),
        ([case.ruling(0, "exclude").to_record() | {"limit_fen": 1}], "has an amount"),
        ([case.ruling(0, "exclude").to_record() | {"by": "x"}], "/rulings/0/by: is an unknown"),
    ],
)
def test_wrong_rulings_are_refused_with_their_path(value: object, message: str) -> None:
    with pytest.raises(MalformedDataError, match=message):
        parse_rulings(value)


SAID = [
    (
        lambda: case.ruling(0, "match"),
        "改配编码的裁定（且只有它）要写明目录编码。",
        "A match ruling, and no other, names a catalogue code.",
    ),
    (
        lambda: case.ruling(0, "limit"),
        "限额的裁定（且只有它）要写明金额。",
        "A limit ruling, and no other, has an amount.",
    ),
    (
        lambda: case.ruling(0, "limit", limit_fen=-1),
        "限额不能是负数。",
        "A limit is not negative.",
    ),
    (
        lambda: case.ruling(0, "exclude", basis_en=""),
        "裁定要写明依据。",
        "A ruling states its rule and its basis.",
    ),
    (
        lambda: in_order([case.ruling(2, "exclude")], 2),
        "裁定所指的明细不存在。",
        "A ruling is about a line that is not there.",
    ),
    (
        lambda: in_order([case.ruling(0, "confirm"), case.ruling(0, "confirm")], 1),
        "同一行有两个同类裁定。",
        "A line has two rulings of one kind.",
    ),
]


@pytest.mark.parametrize(("make", "zh", "en"), SAID)
def test_what_is_wrong_with_a_ruling_is_said_in_both_languages(make: Any, zh: str, en: str) -> None:
    with pytest.raises(RulingError) as caught:
        make()
    assert (caught.value.code, caught.value.zh, caught.value.en) == ("bad-ruling", zh, en)


RECORD = case.ruling(0, "match", catalogue_code="FIX-01").to_record()


@pytest.mark.parametrize(
    ("name", "length"),
    [("rule_id", 64), ("basis_zh", 500), ("basis_en", 500), ("catalogue_code", 50)],
)
def test_texts_of_a_ruling_have_a_longest(name: str, length: int) -> None:
    longest = RECORD | {name: "x" * length}
    (read,) = parse_rulings([longest])
    assert read.to_record() == longest
    found = faults_of(parse_rulings, [RECORD | {name: "x" * (length + 1)}], "RULINGS")
    assert found[0] == (f"/rulings/0/{name}", *no_text(length))


def test_numbers_of_a_ruling_have_bounds() -> None:
    limit = case.ruling(4_999, "limit", limit_fen=FEN_MAX)
    assert parse_rulings([limit.to_record()]) == (limit,)
    for name, value, high in (("line_index", 5_000, 4_999), ("limit_fen", FEN_MAX + 1, FEN_MAX)):
        found = faults_of(parse_rulings, [limit.to_record() | {name: value}], "RULINGS")
        assert found[0] == (f"/rulings/0/{name}", *no_whole(0, high))


def test_the_record_of_a_ruling_holds_what_it_has() -> None:
    assert case.ruling(3, "limit", limit_fen=0).to_record() == {
        "line_index": 3,
        "kind": "limit",
        "rule_id": "R-1",
        "basis_zh": "依据",
        "basis_en": "basis",
        "limit_fen": 0,
    }
    assert RECORD["catalogue_code"] == "FIX-01"
    assert "limit_fen" not in RECORD


def test_a_bill_has_at_most_four_rulings_a_line() -> None:
    found = faults_of(parse_rulings, [RECORD] * 20_001, "RULINGS")
    assert found == [("/rulings", *no_list(20_000))]


@pytest.mark.parametrize("name", ["line_index", "kind", "rule_id", "basis_zh", "basis_en"])
def test_a_ruling_leaves_nothing_out(name: str) -> None:
    left = {key: value for key, value in RECORD.items() if key != name}
    found = faults_of(parse_rulings, [left], "RULINGS")
    assert found[0] == (f"/rulings/0/{name}", *MISSING)


def test_a_ruling_that_contradicts_itself_is_refused_at_its_place() -> None:
    wrong = RECORD | {"kind": "confirm"}
    assert faults_of(parse_rulings, [RECORD, wrong], "RULINGS") == [
        (
            "/rulings/1",
            "改配编码的裁定（且只有它）要写明目录编码。",
            "A match ruling, and no other, names a catalogue code.",
        )
    ]
