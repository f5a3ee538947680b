"""A code on a bill is found exactly, as an alias, or as an equivalent; near misses are not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backend.adapters.catalogue import load_catalogue
from backend.domain.adjudication import adjudicate
from backend.domain.catalogue import (
    Alias,
    Catalogue,
    CatalogueItem,
    CodeMatch,
    EquivalenceRule,
    NegativeEntry,
    parse_catalogue,
)
from backend.domain.decision_record import parse_decision_record
from backend.domain.explanation import DecisionContext
from backend.domain.person import History
from backend.domain.record_reader import MalformedDataError
from tests.unit.domain import benefit_cases as case

DAY = dt.date(2026, 6, 1)
FIRST, LAST = dt.date(2026, 1, 1), dt.date(2026, 12, 31)

# Two packs of one western drug: 23 characters, the first 14 are the same.
WESTERN = "XA02BCA206A010010153448"
WESTERN_OTHER_MAKER = "XA02BCA206A010020288888"
# A Chinese patent medicine: 20 characters, the first 11 are what counts.
PATENT = "ZA12HAF9313010186602"
PATENT_OTHER_MAKER = "ZA12HAF9313990199999"

BY_14 = EquivalenceRule("eq-x", "X", 14, FIRST, LAST, "西药", "western drugs")
BY_11 = EquivalenceRule("eq-z", "Z", 11, FIRST, LAST, "中成药", "patent medicines")


def catalogue(*items: CatalogueItem, **parts: Any) -> Catalogue:
    parts.setdefault("equivalence", (BY_14, BY_11))
    return Catalogue("fixture", items, **parts)


def match(found: CodeMatch | None) -> tuple[str, str] | None:
    return None if found is None else (found.how, found.code)


def test_a_code_is_taken_exactly_before_it_is_taken_as_anything_else() -> None:
    stock = catalogue(
        case.item(WESTERN, "01"),
        case.item(WESTERN_OTHER_MAKER, "02"),
        aliases=(Alias("8690", WESTERN),),
    )
    assert match(stock.match(WESTERN_OTHER_MAKER, DAY)) == ("exact", WESTERN_OTHER_MAKER)
    assert match(stock.match("8690", DAY)) == ("alias", WESTERN)


@pytest.mark.parametrize(
    ("known", "asked", "rule"),
    [(WESTERN, WESTERN_OTHER_MAKER, "eq-x"), (PATENT, PATENT_OTHER_MAKER, "eq-z")],
)
def test_drugs_are_equivalent_by_14_and_by_11_characters(known: str, asked: str, rule: str) -> None:
    found = catalogue(case.item(known, "01")).match(asked, DAY)
    assert found is not None
    assert (found.how, found.code, found.rule_id, found.item.level) == (
        "equivalent", known, rule, "01",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        (WESTERN, WESTERN[:13] + "9" + WESTERN[14:]),  # 13 characters in common
        (WESTERN, WESTERN[:13]),  # too short to compare
        (WESTERN, WESTERN.lower()),
        (WESTERN, " " + WESTERN_OTHER_MAKER),
        (PATENT, PATENT[:10] + "9" + PATENT[11:]),  # 10 in common
        (PATENT, "X" + PATENT[1:]),
        ("003310030220000", "003310030220001"),  # services have no rule
        ("C09028046508978266508339793", "C09028046508978266508339794"),  # nor has material
        (WESTERN, ""),
    ],
)
def test_a_near_miss_is_not_matched(known: str, asked: str) -> None:
    assert catalogue(case.item(known, "01")).match(asked, DAY) is None


@pytest.mark.parametrize(
    "difference",
    [{"level": "02"}, {"selfpay_bp": 500}, {"price_limit_fen": 900}, {"restricted": True}],
)
def test_where_terms_differ_under_one_prefix_nothing_is_matched(difference: Any) -> None:
    other = case.item(**({"code": WESTERN[:14] + "020200000", "level": "01"} | difference))
    stock = catalogue(case.item(WESTERN, "01"), other)
    assert stock.match(WESTERN_OTHER_MAKER, DAY) is None
    alone = catalogue(case.item(WESTERN, "01"), case.item(other.code, "01"))
    assert match(alone.match(WESTERN_OTHER_MAKER, DAY)) == ("equivalent", WESTERN)


def test_names_and_prices_may_differ_under_one_prefix() -> None:
    other = case.item(WESTERN[:14] + "020200000", "01", price_fen=7, name="another maker")
    stock = catalogue(other, case.item(WESTERN, "01"))
    assert match(stock.match(WESTERN_OTHER_MAKER, DAY)) == ("equivalent", WESTERN)


def test_an_item_of_another_time_neither_matches_nor_disturbs() -> None:
    old = case.item(WESTERN[:14] + "020200000", "03", valid_to=dt.date(2025, 12, 31))
    stock = catalogue(case.item(WESTERN, "01"), old)
    assert match(stock.match(WESTERN_OTHER_MAKER, DAY)) == ("equivalent", WESTERN)
    assert catalogue(old).match(WESTERN_OTHER_MAKER, DAY) is None


def test_a_code_that_has_run_out_has_no_equivalent() -> None:
    gone = case.item(WESTERN_OTHER_MAKER, "01", valid_to=dt.date(2026, 5, 31))
    stock = catalogue(case.item(WESTERN, "01"), gone)
    assert stock.match(WESTERN_OTHER_MAKER, DAY) is None
    assert match(stock.match(WESTERN_OTHER_MAKER, dt.date(2026, 5, 31))) is not None


def test_a_negative_entry_under_the_prefix_stops_the_equivalence() -> None:
    entry = NegativeEntry(
        WESTERN[:14] + "020200000", "n", "n", "x", 1, "09", FIRST, LAST, "不报", "out", "neg"
    )
    stock = catalogue(case.item(WESTERN, "01"), negative_list=(entry,))
    assert stock.match(WESTERN_OTHER_MAKER, DAY) is None
    assert stock.find_negative(WESTERN_OTHER_MAKER, DAY) is None
    assert stock.find_negative(entry.code, DAY) is entry


def test_rules_and_aliases_have_days() -> None:
    first_half, second_half = dt.date(2026, 6, 30), dt.date(2026, 7, 1)
    stock = catalogue(
        case.item(WESTERN, "01"),
        case.item(PATENT, "01"),
        aliases=(Alias("A", WESTERN, FIRST, first_half), Alias("A", PATENT, second_half, LAST)),
    )
    assert match(stock.match("A", first_half)) == ("alias", WESTERN)
    assert match(stock.match("A", second_half)) == ("alias", PATENT)
    assert stock.match("A", dt.date(2027, 1, 1)) is None
    assert stock.match(WESTERN_OTHER_MAKER, dt.date(2027, 1, 1)) is None
    assert catalogue(case.item(WESTERN, "01"), equivalence=()).match(
        WESTERN_OTHER_MAKER, DAY
    ) is None  # fmt: skip


def test_an_alias_of_an_excluded_code_is_excluded() -> None:
    entry = NegativeEntry("N", "n", "n", "x", 1, "09", FIRST, LAST, "不报", "out", "neg")
    stock = catalogue(negative_list=(entry,), aliases=(Alias("OLD", "N"),))
    assert stock.find_negative("OLD", DAY) is entry
    assert stock.match("OLD", DAY) is None


def test_an_equivalent_line_is_paid_and_a_near_miss_waits_for_a_person() -> None:
    stock = case.catalogue(case.item(WESTERN, "01"), equivalence=(BY_14,))
    pack = case.pack(stock)
    lines = (
        case.line(0, 5_000, code=WESTERN_OTHER_MAKER),
        case.line(1, 3_000, code=WESTERN[:13] + "9" + WESTERN[14:]),
    )
    eob = adjudicate(pack, case.bill(*lines), case.person(), History())
    assert eob.paid_fen == 5_000
    assert [(pend.code, pend.line_index) for pend in eob.pend_reasons] == [("unknown-code", 1)]


def test_a_line_says_under_which_code_it_was_judged_and_is_read_back() -> None:
    stock = case.catalogue(case.item(WESTERN, "01"), equivalence=(BY_14,))
    lines = (
        case.line(0, 100, code="FIX-01"),
        case.line(1, 100, code="OLD-01"),
        case.line(2, 100, code=WESTERN_OTHER_MAKER),
        case.line(3, 100, code="NO-SUCH"),
    )
    eob = adjudicate(case.pack(stock), case.bill(*lines), case.person(), History())
    record = eob.to_record(DecisionContext(bytes(32), "C-1", 1, 1, 1))
    assert [(one.get("matched_how"), one.get("matched_code")) for one in record["lines"]] == [
        (None, None), ("alias", "FIX-01"), ("equivalent", WESTERN), (None, None),
    ]  # fmt: skip
    assert [one["catalogue_code"] for one in record["lines"]] == [
        "FIX-01", "OLD-01", WESTERN_OTHER_MAKER, "NO-SUCH",
    ]  # fmt: skip
    again, _ = parse_decision_record(record)
    assert again.lines == eob.lines
    record["lines"][1]["matched_how"] = "guess"
    with pytest.raises(MalformedDataError, match="/lines/1/matched_how: is not one of"):
        parse_decision_record(record)


def test_the_sample_catalogue_carries_both_rules() -> None:
    rules = {(r.first_letter, r.characters) for r in load_catalogue().equivalence}
    assert rules == {("X", 14), ("Z", 11)}


def _file(**parts: Any) -> dict[str, Any]:
    item = {
        "code": "A", "name": "a", "unit": "x", "price_fen": 1, "level": "01",
        "category_code": "09", "valid_from": "2026-01-01", "valid_to": "2026-06-30",
    }  # fmt: skip
    return {"format": "yichu-catalogue-1", "catalogue_id": "c", "items": [item]} | parts


def _rule(**changes: Any) -> dict[str, Any]:
    return {
        "rule_id": "r", "first_letter": "X", "characters": 14, "valid_from": "2026-01-01",
        "valid_to": "2026-12-31", "zh": "西药", "en": "western",
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"equivalence": [_rule(first_letter="C")]}, "/equivalence/0/first_letter: is not one of"),
        ({"equivalence": [_rule(characters=1)]}, "/equivalence/0/characters: is not a whole"),
        ({"equivalence": [_rule(length=14)]}, "/equivalence/0/length: is an unknown field"),
        ({"equivalence": [_rule(), _rule(rule_id="s")]}, "/equivalence/1: overlaps"),
        ({"equivalence": [_rule(), _rule(first_letter="Z")]}, "/equivalence: uses a rule_id twice"),
        ({"equivalence": [_rule(valid_to="2025-12-31")]}, "/equivalence/0: ends before it begins"),
        ({"aliases": [{"alias": "B", "code": "A"}, {"alias": "B", "code": "A"}]},
         "/aliases/1: overlaps"),
        ({"aliases": [{"alias": "B", "code": "A", "valid_from": "soon"}]}, "/aliases/0/valid_from"),
        ({"aliases": [{"alias": "B", "code": "Z"}]}, "/aliases/0: B does not lead to an item"),
    ],
)  # fmt: skip
def test_a_wrong_rule_or_alias_is_refused_with_its_path(
    parts: dict[str, Any], message: str
) -> None:
    with pytest.raises(MalformedDataError, match=message):
        parse_catalogue(_file(**parts))
