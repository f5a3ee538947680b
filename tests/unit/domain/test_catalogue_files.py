"""A catalogue file: every member is read, and every fault is named with its place and words."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import pytest

from backend.domain.catalogue import (
    Alias,
    CatalogueItem,
    EquivalenceRule,
    NegativeEntry,
    parse_catalogue,
)
from tests.unit.domain.changed_file import (
    FEN_MAX,
    MISSING,
    NO_DAY,
    NO_OBJECT,
    UNKNOWN,
    changed,
    faults_of,
    no_list,
    no_text,
    no_whole,
    none_of,
)

FIRST, LAST = dt.date(2026, 1, 1), dt.date(2026, 12, 31)
DAYS = {"valid_from": "2026-01-01", "valid_to": "2026-12-31"}

ITEM: dict[str, Any] = {
    "code": "A1",
    "name": "甲药",
    "name_en": "drug A",
    "unit": "盒",
    "price_fen": 100,
    "level": "02",
    "category_code": "09",
    "selfpay_bp": 1_000,
    "price_limit_fen": 900,
    "restricted": 1,
    "spec": "10mg",
    **DAYS,
}
NEGATIVE: dict[str, Any] = {
    "code": "N1",
    "name": "陪护床",
    "name_en": "companion's bed",
    "unit": "日",
    "price_fen": 1_500,
    "category_code": "01",
    "zh": "不能报销",
    "en": "not payable",
    "rule_id": "neg",
    **DAYS,
}
ALIAS: dict[str, Any] = {"alias": "OLD", "code": "A1", **DAYS}
RULE: dict[str, Any] = {
    "rule_id": "eq",
    "first_letter": "X",
    "characters": 14,
    "zh": "西药",
    "en": "western",
    **DAYS,
}
FILE: dict[str, Any] = {
    "format": "yichu-catalogue-1",
    "catalogue_id": "c",
    "sample": 1,
    "note_zh": "注",
    "note_en": "note",
    "items": [ITEM],
    "negative_list": [NEGATIVE],
    "aliases": [ALIAS],
    "equivalence": [RULE],
}


def faults(path: str, value: Any) -> list[tuple[str, str, str]]:
    return faults_of(parse_catalogue, changed(FILE, path, value), "CATALOGUE")


def test_every_member_of_a_catalogue_is_read() -> None:
    read = parse_catalogue(FILE)
    assert (read.catalogue_id, read.is_sample) == ("c", True)
    assert read.items == (
        CatalogueItem(
            code="A1", name="甲药", name_en="drug A", unit="盒", price_fen=100, level="02",
            category_code="09", valid_from=FIRST, valid_to=LAST, selfpay_bp=1_000,
            price_limit_fen=900, restricted=True, spec="10mg",
        ),
    )  # fmt: skip
    assert read.negative_list == (
        NegativeEntry(
            code="N1", name="陪护床", name_en="companion's bed", unit="日", price_fen=1_500,
            category_code="01", valid_from=FIRST, valid_to=LAST, zh="不能报销", en="not payable",
            rule_id="neg",
        ),
    )  # fmt: skip
    assert read.aliases == (Alias("OLD", "A1", FIRST, LAST),)
    assert read.equivalence == (EquivalenceRule("eq", "X", 14, FIRST, LAST, "西药", "western"),)
    text = json.dumps(FILE, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert read.digest == hashlib.sha256(text.encode()).digest()


def test_what_may_be_left_out_is_nothing() -> None:
    optional = ("name_en", "selfpay_bp", "price_limit_fen", "restricted", "spec")
    item = {name: value for name, value in ITEM.items() if name not in optional}
    plain = {"format": "yichu-catalogue-1", "catalogue_id": "c", "items": [item]}
    read = parse_catalogue(plain)
    (found,) = read.items
    assert (found.name_en, found.selfpay_bp, found.price_limit_fen) == ("", None, None)
    assert (found.restricted, found.spec, read.is_sample) == (False, "", False)
    assert (read.negative_list, read.aliases, read.equivalence) == ((), (), ())


def test_an_alias_without_days_holds_always() -> None:
    (alias,) = parse_catalogue(changed(FILE, "/aliases/0", {"alias": "O", "code": "N1"})).aliases
    assert alias == Alias("O", "N1", dt.date.min, dt.date.max)
    noted = {"alias": "O", "code": "A1", "note_zh": "旧码", "note_en": "old"}
    assert parse_catalogue(changed(FILE, "/aliases/0", noted)).aliases[0].alias == "O"


LENGTHS = {
    "/catalogue_id": 64,
    "/note_zh": 2_000,
    "/note_en": 2_000,
    "/items/0/name": 200,
    "/items/0/name_en": 200,
    "/items/0/unit": 20,
    "/items/0/category_code": 2,
    "/items/0/spec": 500,
    "/negative_list/0/code": 50,
    "/negative_list/0/name": 200,
    "/negative_list/0/name_en": 200,
    "/negative_list/0/unit": 20,
    "/negative_list/0/category_code": 2,
    "/negative_list/0/zh": 500,
    "/negative_list/0/en": 500,
    "/negative_list/0/rule_id": 64,
    "/aliases/0/alias": 50,
    "/equivalence/0/rule_id": 64,
    "/equivalence/0/zh": 500,
    "/equivalence/0/en": 500,
}


@pytest.mark.parametrize(("path", "length"), LENGTHS.items())
def test_texts_have_a_longest(path: str, length: int) -> None:
    assert parse_catalogue(changed(FILE, path, "x" * length))
    assert faults(path, "x" * (length + 1)) == [(path, *no_text(length))]
    assert faults(path, 1) == [(path, *no_text(length))]


@pytest.mark.parametrize("path", ["/items/0/code", "/aliases/0/code"])
def test_codes_have_fifty_characters_at_most(path: str) -> None:
    long = changed(changed(FILE, "/items/0/code", "x" * 50), "/aliases/0/code", "x" * 50)
    assert parse_catalogue(long).items[0].code == "x" * 50
    assert (path, *no_text(50)) in faults(path, "x" * 51)


NUMBERS = {
    "/sample": (0, 1),
    "/items/0/price_fen": (0, FEN_MAX),
    "/items/0/selfpay_bp": (0, 10_000),
    "/items/0/price_limit_fen": (0, FEN_MAX),
    "/items/0/restricted": (0, 1),
    "/negative_list/0/price_fen": (0, FEN_MAX),
    "/equivalence/0/characters": (2, 50),
}


@pytest.mark.parametrize(("path", "bounds"), NUMBERS.items())
def test_numbers_have_bounds(path: str, bounds: tuple[int, int]) -> None:
    for value in bounds:
        assert parse_catalogue(changed(FILE, path, value))
    for wrong in (bounds[0] - 1, bounds[1] + 1, "1", None):
        assert faults(path, wrong) == [(path, *no_whole(*bounds))]


def test_a_share_and_a_limit_of_nothing_are_not_none() -> None:
    file = changed(changed(FILE, "/items/0/selfpay_bp", 0), "/items/0/price_limit_fen", 0)
    (item,) = parse_catalogue(file).items
    assert (item.selfpay_bp, item.price_limit_fen) == (0, 0)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("/format", "yichu-catalogue-2", none_of("yichu-catalogue-1")),
        ("/items/0/level", "04", none_of("01", "02", "03")),
        ("/equivalence/0/first_letter", "C", none_of("X", "Z")),
        *(
            (f"/{section}/0/{name}", "soon", NO_DAY)
            for section in ("items", "negative_list", "aliases", "equivalence")
            for name in ("valid_from", "valid_to")
        ),
        ("/items", "none", no_list(500_000)),
        ("/negative_list", {}, no_list(10_000)),
        ("/aliases", None, no_list(500_000)),
        ("/equivalence", [RULE] * 51, no_list(50)),
    ],
)
def test_what_is_none_of_what_it_should_be_is_named(
    path: str, value: Any, words: tuple[str, str]
) -> None:
    assert (path, *words) in faults(path, value)


REQUIRED = [
    *(f"/{name}" for name in ("format", "catalogue_id", "items")),
    *(
        f"/items/0/{name}"
        for name in ITEM
        if name not in ("name_en", "selfpay_bp", "price_limit_fen", "restricted", "spec")
    ),
    *(f"/negative_list/0/{name}" for name in NEGATIVE if name != "name_en"),
    *(f"/aliases/0/{name}" for name in ("alias", "code")),
    *(f"/equivalence/0/{name}" for name in RULE),
]


@pytest.mark.parametrize("path", REQUIRED)
def test_what_must_not_be_left_out(path: str) -> None:
    assert (path, *MISSING) in faults(path, ...)


@pytest.mark.parametrize(
    "path",
    ["/more", "/items/0/more", "/negative_list/0/more", "/aliases/0/more", "/equivalence/0/more"],
)
def test_a_member_that_nobody_knows_is_refused(path: str) -> None:
    assert faults(path, "x") == [(path, *UNKNOWN)]


@pytest.mark.parametrize("value", [None, [], "catalogue"])
def test_what_is_no_object_is_refused(value: object) -> None:
    assert faults_of(parse_catalogue, value, "CATALOGUE")[0] == ("", *NO_OBJECT)
    assert ("/items/0", *NO_OBJECT) in faults("/items/0", value)


OVERLAP = ("同一编码的有效期重叠", "overlaps the code's validity")
BACKWARDS = ("失效早于生效", "ends before it begins")
SECTIONS = {"items": ITEM, "negative_list": NEGATIVE, "aliases": ALIAS, "equivalence": RULE}


def twice(section: str, begins: str, ends: str, **more: Any) -> dict[str, Any]:
    """A second entry of the same key with these days, put before the first in the file."""
    second = SECTIONS[section] | {"valid_from": begins, "valid_to": ends} | more
    if section == "equivalence":
        second["rule_id"] = "eq-2"
    file: dict[str, Any] = changed(FILE, f"/{section}", [second, SECTIONS[section]])
    return file


@pytest.mark.parametrize("section", SECTIONS)
def test_two_entries_of_one_key_share_no_day(section: str) -> None:
    assert parse_catalogue(twice(section, "2025-01-01", "2025-12-31"))
    assert parse_catalogue(twice(section, "2027-01-01", "2027-01-01"))
    # the entry that begins later is the one that overlaps
    assert faults_of(parse_catalogue, twice(section, "2025-01-01", "2026-01-01"), "CATALOGUE") == [
        (f"/{section}/1", *OVERLAP)
    ]
    assert faults_of(parse_catalogue, twice(section, "2026-12-31", "2027-12-31"), "CATALOGUE") == [
        (f"/{section}/0", *OVERLAP)
    ]


def test_a_long_validity_overlaps_even_what_begins_after_a_short_one() -> None:
    long = ITEM | {"valid_from": "2020-01-01", "valid_to": "2030-12-31"}
    short = ITEM | {"valid_from": "2021-01-01", "valid_to": "2021-12-31"}
    assert faults("/items", [long, short, ITEM]) == [
        ("/items/1", *OVERLAP),
        ("/items/2", *OVERLAP),
    ]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_validity_does_not_end_before_it_begins(section: str) -> None:
    path = f"/{section}/0/valid_to"
    assert faults(path, "2025-12-31") == [(f"/{section}/0", *BACKWARDS)]
    assert parse_catalogue(changed(FILE, path, "2026-01-01"))


def test_equivalence_rules_have_their_own_numbers() -> None:
    other = RULE | {"first_letter": "Z"}
    assert faults("/equivalence", [RULE, other]) == [
        ("/equivalence", "规则编号重复", "uses a rule_id twice")
    ]
    assert parse_catalogue(changed(FILE, "/equivalence", [RULE, other | {"rule_id": "eq-2"}]))


@pytest.mark.parametrize(
    ("alias", "code"), [("OLD", "NONE"), ("A1", "N1"), ("N1", "A1"), ("OLD", "OLD")]
)
def test_an_alias_leads_from_a_new_spelling_to_a_known_code(alias: str, code: str) -> None:
    second = {"alias": alias, "code": code}
    more = [{"alias": "FINE", "code": "N1"}, second]
    assert faults("/aliases", more) == [
        ("/aliases/1", f"{alias} 指向错误", f"{alias} does not lead to an item")
    ]


def test_faults_of_all_sections_are_listed_at_once() -> None:
    file = changed(changed(FILE, "/items/0/valid_to", "2025-01-01"), "/aliases/0/code", "NONE")
    file = changed(changed(file, "/negative_list/0/valid_to", "2025-01-01"), "/sample", 2)
    assert [path for path, *_ in faults_of(parse_catalogue, file, "CATALOGUE")] == [
        "/sample",
        "/items/0",
        "/negative_list/0",
        "/aliases/0",
    ]
