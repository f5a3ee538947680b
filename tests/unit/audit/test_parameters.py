"""What a check's parameters may be: each fault with its path and its words, each limit exactly."""

from __future__ import annotations

from typing import Any

import pytest

from backend.domain.audit.check import ITEMS, Kind, Param, texts, whole
from backend.domain.audit.items import (
    DiagnosisLimit,
    ItemLimit,
    ItemPair,
    ItemSelector,
    SelectorTable,
    selectors_in,
)
from backend.domain.audit.parameters import read_parameters
from backend.domain.audit.text import Text
from backend.domain.record_reader import Faults, Reader

Value = dict[str, Any]

LIMITS = Param("limits", Kind.ITEM_LIMITS)
DIAGNOSES = Param("limits", Kind.DIAGNOSIS_LIMITS)
PAIRS = Param("pairs", Kind.ITEM_PAIRS)
MEANT: Value = {"words": ["甲"]}
LIMIT: Value = {"zh": "限", "en": "limit", "items": MEANT, "maximum": 1}


def read(value: object, *params: Param) -> tuple[Any, list[tuple[str, str, str]]]:
    faults = Faults("PARAMETERS")
    values = read_parameters(Reader(value, "/p", faults), params)
    return values, faults.found


def sound(value: object, *params: Param) -> Any:
    values, faults = read(value, *params)
    assert faults == []
    return values


def faults_of(value: object, *params: Param) -> list[tuple[str, str, str]]:
    return read(value, *params)[1]


MISSING = ("缺少", "is missing")
UNKNOWN = ("未知字段", "is an unknown field")
NO_LIST = ("不是非空列表", "is not a list with entries")
TOO_LONG = ("空文本或超过 500 项", "is empty or longer than 500")


def not_whole(low: int, high: int) -> tuple[str, str]:
    return (f"不是 {low} 到 {high} 的整数", f"is not a whole number from {low} to {high}")


def no_text_up_to(length: int) -> tuple[str, str]:
    return (f"不是 {length} 字以内的文本", f"is not a text up to {length}")


@pytest.mark.parametrize("value", [2, 3, 9])
def test_a_whole_number_within_its_bounds(value: int) -> None:
    assert sound({"days": value}, whole("days", 2, 9)) == {"days": value}


@pytest.mark.parametrize("value", [1, 10, "3", 3.0, True, None])
def test_any_other_number_is_refused(value: object) -> None:
    assert faults_of({"days": value}, whole("days", 2, 9)) == [("/p/days", *not_whole(2, 9))]


def test_every_parameter_is_required_and_no_other_known() -> None:
    asked = (whole("days", 2, 9), texts("words"), ITEMS, LIMITS, PAIRS)
    assert faults_of({"day": 3}, *asked) == [
        ("/p/days", *MISSING),
        ("/p/words", *MISSING),
        ("/p/items", *MISSING),
        ("/p/items", "没有指明任何项目", "names no item"),
        ("/p/limits", *MISSING),
        ("/p/pairs", *MISSING),
        ("/p/day", *UNKNOWN),
    ]


def test_texts_are_sorted_and_kept_once() -> None:
    assert sound({"words": ["b", "a", "b"]}, texts("words")) == {"words": ("a", "b")}


def test_texts_are_out_of_the_choices() -> None:
    assert faults_of({"words": ["a", "c"]}, texts("words", "a", "b")) == [
        ("/p/words/1", "应为 ('a', 'b') 之一", "is not one of ('a', 'b')")
    ]


@pytest.mark.parametrize("value", [[], "a", None, {}])
def test_texts_are_a_list_with_entries(value: object) -> None:
    assert faults_of({"words": value}, texts("words")) == [("/p/words", *NO_LIST)]


def test_no_text_is_empty_and_there_are_at_most_five_hundred() -> None:
    five_hundred = [f"w{n}" for n in range(500)]
    assert len(sound({"words": five_hundred}, texts("words"))["words"]) == 500
    assert faults_of({"words": [*five_hundred, "w"]}, texts("words")) == [("/p/words", *TOO_LONG)]
    assert faults_of({"words": ["a", ""]}, texts("words")) == [("/p/words", *TOO_LONG)]


def test_every_part_of_a_selector_is_read() -> None:
    value = {
        "items": {
            "codes": ["c2", "c1"],
            "prefixes": ["p2", "p1"],
            "categories": ["k"],
            "words": ["w2", "w1"],
            "except_words": ["x2", "x1"],
        }
    }
    assert sound(value, ITEMS)["items"] == ItemSelector(
        codes=frozenset(("c1", "c2")),
        prefixes=("p1", "p2"),
        categories=frozenset(("k",)),
        words=("w1", "w2"),
        except_words=("x1", "x2"),
    )


@pytest.mark.parametrize("name", ["codes", "prefixes", "categories", "words"])
def test_one_way_of_naming_items_is_enough(name: str) -> None:
    assert sound({"items": {name: ["a"]}}, ITEMS)
    assert faults_of({"items": {name: [""]}}, ITEMS) == [(f"/p/items/{name}", *TOO_LONG)]


@pytest.mark.parametrize("value", [{}, {"except_words": ["a"]}])
def test_a_selector_names_an_item(value: Value) -> None:
    assert faults_of({"items": value}, ITEMS) == [("/p/items", "没有指明任何项目", "names no item")]


def test_a_misspelt_part_of_a_selector_is_refused() -> None:
    assert faults_of({"items": {"words": ["a"], "except": ["b"]}}, ITEMS) == [
        ("/p/items/except", *UNKNOWN)
    ]


def test_a_limit_is_read_with_and_without_days_and_unit() -> None:
    full = LIMIT | {"maximum": 100_000, "days": 3_660, "unit": "盒" * 20}
    plain, whole_limit = sound({"limits": [LIMIT, full]}, LIMITS)["limits"]
    meant = ItemSelector(words=("甲",))
    assert plain == ItemLimit(Text("限", "limit"), meant, 1, days=0, unit="")
    assert whole_limit == ItemLimit(Text("限", "limit"), meant, 100_000, days=3_660, unit="盒" * 20)


BAD_LIMITS: list[tuple[Value, str, tuple[str, str]]] = [
    ({"maximum": 0}, "maximum", not_whole(1, 100_000)),
    ({"maximum": 100_001}, "maximum", not_whole(1, 100_000)),
    ({"days": -1}, "days", not_whole(0, 3_660)),
    ({"days": 3_661}, "days", not_whole(0, 3_660)),
    ({"unit": "盒" * 21}, "unit", no_text_up_to(20)),
    ({"unit": 1}, "unit", no_text_up_to(20)),
    ({"zh": "限" * 101}, "zh", no_text_up_to(100)),
    ({"en": "l" * 101}, "en", no_text_up_to(100)),
    ({"month": 1}, "month", UNKNOWN),
    ({"items": {"words": []}}, "items/words", NO_LIST),
]


@pytest.mark.parametrize(("changed", "name", "words"), BAD_LIMITS)
def test_a_wrong_limit_is_refused_with_its_place(
    changed: Value, name: str, words: tuple[str, str]
) -> None:
    found = faults_of({"limits": [LIMIT, LIMIT | changed]}, LIMITS)
    assert (f"/p/limits/1/{name}", *words) in found
    assert all(path.startswith("/p/limits/1/") for path, _, _ in found)


@pytest.mark.parametrize("name", ["zh", "en", "items", "maximum"])
def test_a_limit_leaves_nothing_out(name: str) -> None:
    left = {key: value for key, value in LIMIT.items() if key != name}
    assert (f"/p/limits/0/{name}", *MISSING) in faults_of({"limits": [left]}, LIMITS)


def test_labels_of_a_hundred_characters_are_read() -> None:
    long = {"zh": "限" * 100, "en": "l" * 100}
    (read_limit,) = sound({"limits": [LIMIT | long]}, LIMITS)["limits"]
    assert read_limit.label == Text("限" * 100, "l" * 100)


def test_a_limit_on_diagnoses_is_read() -> None:
    limited = {"zh": "限", "en": "limit", "items": MEANT, "diagnoses": ["K74", "C"]}
    (found,) = sound({"limits": [limited]}, DIAGNOSES)["limits"]
    meant = ItemSelector(words=("甲",))
    assert found == DiagnosisLimit(Text("限", "limit"), meant, ("C", "K74"))
    left = {key: value for key, value in limited.items() if key != "diagnoses"}
    assert faults_of({"limits": [left]}, DIAGNOSES) == [("/p/limits/0/diagnoses", *MISSING)]
    assert faults_of({"limits": [limited | {"maximum": 1}]}, DIAGNOSES) == [
        ("/p/limits/0/maximum", *UNKNOWN)
    ]


def test_a_pair_is_read() -> None:
    pair = {"zh": "对", "en": "pair", "first": MEANT, "second": {"codes": ["B"]}}
    (found,) = sound({"pairs": [pair]}, PAIRS)["pairs"]
    assert found == ItemPair(
        Text("对", "pair"), ItemSelector(words=("甲",)), ItemSelector(codes=frozenset(("B",)))
    )
    assert faults_of({"pairs": [pair | {"third": MEANT}]}, PAIRS) == [
        ("/p/pairs/0/third", *UNKNOWN)
    ]
    for name in ("first", "second"):
        left = {key: value for key, value in pair.items() if key != name}
        assert faults_of({"pairs": [left]}, PAIRS) == [
            (f"/p/pairs/0/{name}", *MISSING),
            (f"/p/pairs/0/{name}", "没有指明任何项目", "names no item"),
        ]


@pytest.mark.parametrize("param", [LIMITS, DIAGNOSES, PAIRS])
def test_lists_of_parts_have_one_to_five_hundred(param: Param) -> None:
    assert faults_of({param.name: []}, param) == [(f"/p/{param.name}", *NO_LIST)]
    many = faults_of({param.name: [{}] * 501}, param)
    assert many[0] == (f"/p/{param.name}", "不是 500 项以内的列表", "is not a list up to 500")
    for value in ("a", {"0": LIMIT}, None):
        assert faults_of({param.name: value}, param)


def test_five_hundred_limits_are_read() -> None:
    assert len(sound({"limits": [LIMIT] * 500}, LIMITS)["limits"]) == 500


# Selectors


def test_every_selector_of_the_parameters_is_found_once_and_in_order() -> None:
    one, two, three, four, five = (ItemSelector(words=(word,)) for word in "甲乙丙丁戊")
    label = Text("限", "limit")
    values = [
        one,
        (ItemLimit(label, two, 1), DiagnosisLimit(label, one, ("C",))),
        (ItemPair(label, three, four),),
        3,
        ("text", "another"),
        (((five,),),),
    ]
    assert selectors_in(values) == (one, two, three, four, five)
    assert selectors_in([]) == ()


def test_the_answer_of_a_table_is_remembered_and_does_not_change() -> None:
    one, two = ItemSelector(words=("甲",)), ItemSelector(categories=frozenset(("09",)))
    table = SelectorTable((one, two))
    keys = [("", "甲药", "09"), ("", "甲药", "01"), ("", "乙药", "09"), ("", "乙药", "01")]
    answers = [(one, two), (one,), (two,), ()]
    assert [table.matching(key) for key in keys] == answers
    assert table.memo == dict(zip(keys, answers, strict=True))
    assert [table.matching(key) for key in reversed(keys)] == answers[::-1]


def test_a_remembered_answer_is_used_again() -> None:
    one = ItemSelector(words=("甲",))
    table = SelectorTable((one,), {("", "乙", ""): (one,)})
    assert table.matching(("", "乙", "")) == (one,)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of items come from hospitals: a million of them must not fill the memory."""
    monkeypatch.setattr("backend.domain.audit.items._MEMO_MAX", 2)
    one = ItemSelector(words=("甲",))
    table = SelectorTable((one,))
    assert [table.matching(("", f"甲{n}", "")) for n in range(4)] == [(one,)] * 4
    assert list(table.memo) == [("", "甲0", ""), ("", "甲1", "")]
