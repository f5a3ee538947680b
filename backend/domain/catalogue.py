"""The benefit catalogue: what an item's code says about paying for it, on a day.

Classes (chrgitm_lv): 01 甲 payable in full, 02 乙 the person first pays a share, 03 丙 outside.
Entries of the negative list (不可报销项目负面清单) are excluded with the entry as the reason.
Old and foreign spellings of a code are aliases; codes of one drug that differ only in what does
not touch its payment (pack size, maker) are equivalent by their first characters. Items,
aliases and equivalence rules have days. What matches nothing is unknown, and unknown is not
refused: a person looks at it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from backend.domain.record_reader import Faults, Reader
from verifier.commitment.canonical import canonical_bytes

CATALOGUE_FORMAT: Final = "yichu-catalogue-1"
CLASSES: Final = ("01", "02", "03")
ITEMS_MAX: Final = 500_000
EQUIVALENCE_MAX: Final = 50
EQUIVALENCE_LETTERS: Final = ("X", "Z")
"""First letters of national drug codes: X western drugs, Z Chinese patent medicines."""
BP: Final = 10_000
"""Basis points of a whole."""


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """One item during its validity. Prices are fen a unit; shares are basis points.

    ``selfpay_bp`` is the share paid first (selfpay_prop), None where the catalogue names none.
    ``price_limit_fen`` is pric_uplmt_amt, None where there is no limit.
    """

    code: str
    name: str
    name_en: str
    unit: str
    price_fen: int
    level: str
    category_code: str
    valid_from: dt.date
    valid_to: dt.date
    selfpay_bp: int | None = None
    price_limit_fen: int | None = None
    restricted: bool = False
    spec: str = ""


@dataclass(frozen=True, slots=True)
class NegativeEntry:
    """An item that the fund never pays, whatever class the bill prints."""

    code: str
    name: str
    name_en: str
    unit: str
    price_fen: int
    category_code: str
    valid_from: dt.date
    valid_to: dt.date
    zh: str
    en: str
    rule_id: str


@dataclass(frozen=True, slots=True)
class Alias:
    """Another spelling of a code during its days: an older code, a hospital's own."""

    alias: str
    code: str
    valid_from: dt.date = dt.date.min
    valid_to: dt.date = dt.date.max


@dataclass(frozen=True, slots=True)
class EquivalenceRule:
    """Codes that begin with ``first_letter`` and share their first ``characters`` characters
    are the same drug (requirement A10: 14 for western drugs, 11 for Chinese patent medicines)."""

    rule_id: str
    first_letter: str
    characters: int
    valid_from: dt.date
    valid_to: dt.date
    zh: str
    en: str

    def prefix_of(self, code: str) -> str:
        """What the rule compares of a code; empty for a code that it says nothing about."""
        if len(code) < self.characters or not code.startswith(self.first_letter):
            return ""
        return code[: self.characters]


EXACT: Final = "exact"
ALIAS: Final = "alias"
EQUIVALENT: Final = "equivalent"


@dataclass(frozen=True, slots=True)
class CodeMatch:
    """How a code on a bill was found: ``exact``, ``alias`` or ``equivalent``.

    ``code`` is the catalogue's code that it was matched to; ``rule_id`` names the equivalence
    rule, and is empty for the other two.
    """

    how: str
    code: str
    item: CatalogueItem
    rule_id: str = ""


class Catalogue:
    """Items, negative list and aliases, looked up by code and day. Immutable after loading."""

    __slots__ = (
        "_aliases", "_by_prefix", "_items", "_negative", "aliases", "catalogue_id", "digest",
        "equivalence", "is_sample", "negative_list",
    )  # fmt: skip

    def __init__(
        self,
        catalogue_id: str,
        items: tuple[CatalogueItem, ...],
        negative_list: tuple[NegativeEntry, ...] = (),
        aliases: Iterable[Alias] = (),
        equivalence: Iterable[EquivalenceRule] = (),
        *,
        digest: bytes = bytes(32),
        is_sample: bool = False,
    ) -> None:
        self.catalogue_id = catalogue_id
        self.negative_list = negative_list
        self.aliases = tuple(aliases)
        self.equivalence = tuple(equivalence)
        self.digest = digest
        self.is_sample = is_sample
        self._aliases: dict[str, list[Alias]] = {}
        for alias in self.aliases:
            self._aliases.setdefault(alias.alias, []).append(alias)
        self._items: dict[str, list[CatalogueItem]] = {}
        for item in items:
            self._items.setdefault(item.code, []).append(item)
        self._negative: dict[str, list[NegativeEntry]] = {}
        for entry in negative_list:
            self._negative.setdefault(entry.code, []).append(entry)
        self._by_prefix = _index(self.equivalence, (*items, *negative_list))

    @property
    def items(self) -> tuple[CatalogueItem, ...]:
        """Every item, in the order of the file."""
        return tuple(item for versions in self._items.values() for item in versions)

    def match(self, code: str, on_date: dt.date) -> CodeMatch | None:
        """The item that a code on a bill means that day: exact, then alias, then equivalent.

        A code that the catalogue or the negative list knows, only not for that day, has no
        equivalent: the catalogue has spoken of it. An equivalent is taken only where every code
        under the shared prefix is an item with the same class, share, limit and restriction
        that day. None means that a person has to look.
        """
        item = _valid(self._items.get(code, ()), on_date)
        if item is not None:
            return CodeMatch(EXACT, code, item)
        alias = _valid(self._aliases.get(code, ()), on_date)
        if alias is not None:
            item = _valid(self._items.get(alias.code, ()), on_date)
            return None if item is None else CodeMatch(ALIAS, alias.code, item)
        if code in self._items or code in self._negative or code in self._aliases:
            return None
        return self._equivalent(code, on_date)

    def _equivalent(self, code: str, on_date: dt.date) -> CodeMatch | None:
        for rule in self.equivalence:
            prefix = rule.prefix_of(code)
            if not prefix or not rule.valid_from <= on_date <= rule.valid_to:
                continue
            siblings = [
                entry
                for entry in self._by_prefix.get((rule.rule_id, prefix), ())
                if entry.valid_from <= on_date <= entry.valid_to
            ]
            items = [entry for entry in siblings if isinstance(entry, CatalogueItem)]
            if items and len(items) == len(siblings) and len({_terms(i) for i in items}) == 1:
                first = min(items, key=lambda item: item.code)
                return CodeMatch(EQUIVALENT, first.code, first, rule.rule_id)
        return None

    def find(self, code: str, on_date: dt.date) -> CatalogueItem | None:
        """The item that :meth:`match` gives, without how it was found."""
        found = self.match(code, on_date)
        return None if found is None else found.item

    def find_negative(self, code: str, on_date: dt.date) -> NegativeEntry | None:
        """The negative-list entry in force that day, if the code or its alias is on the list.

        There is no equivalence here: an exclusion hits the very code that the list names.
        """
        entry = _valid(self._negative.get(code, ()), on_date)
        if entry is None:
            alias = _valid(self._aliases.get(code, ()), on_date)
            if alias is not None:
                entry = _valid(self._negative.get(alias.code, ()), on_date)
        return entry


_Dated = TypeVar("_Dated", CatalogueItem, NegativeEntry, Alias)


def _valid(versions: Sequence[_Dated], on_date: dt.date) -> _Dated | None:
    for version in versions:
        if version.valid_from <= on_date <= version.valid_to:
            return version
    return None


def _terms(item: CatalogueItem) -> tuple[str, int | None, int | None, bool]:
    return item.level, item.selfpay_bp, item.price_limit_fen, item.restricted


def _index(
    rules: tuple[EquivalenceRule, ...], entries: Iterable[CatalogueItem | NegativeEntry]
) -> dict[tuple[str, str], list[CatalogueItem | NegativeEntry]]:
    found: dict[tuple[str, str], list[CatalogueItem | NegativeEntry]] = {}
    for entry in entries:
        for rule in rules:
            prefix = rule.prefix_of(entry.code)
            if prefix:
                found.setdefault((rule.rule_id, prefix), []).append(entry)
    return found


def parse_catalogue(value: object) -> Catalogue:
    """A catalogue file. Raises :class:`MalformedDataError` naming every fault's JSON path."""
    faults = Faults("CATALOGUE")
    reader = Reader(value, "", faults)
    reader.text("format", choices=(CATALOGUE_FORMAT,))
    catalogue_id = reader.text("catalogue_id", length_max=64)
    is_sample = reader.integer("sample", 0, high=1) == 1
    reader.text("note_zh", "", length_max=2_000)
    reader.text("note_en", "", length_max=2_000)
    items = tuple(_item(entry) for entry in reader.children("items", size_max=ITEMS_MAX))
    negative = tuple(_negative(entry) for entry in reader.children("negative_list", optional=True))
    aliases = tuple(
        _alias(entry) for entry in reader.children("aliases", optional=True, size_max=ITEMS_MAX)
    )
    equivalence = tuple(
        _equivalence(entry)
        for entry in reader.children("equivalence", optional=True, size_max=EQUIVALENCE_MAX)
    )
    reader.finish()
    _refuse_overlaps("items", [(i.code, i.valid_from, i.valid_to) for i in items], faults)
    _refuse_overlaps(
        "negative_list", [(n.code, n.valid_from, n.valid_to) for n in negative], faults
    )
    _refuse_overlaps("aliases", [(a.alias, a.valid_from, a.valid_to) for a in aliases], faults)
    _refuse_overlaps(
        "equivalence", [(r.first_letter, r.valid_from, r.valid_to) for r in equivalence], faults
    )
    if len({rule.rule_id for rule in equivalence}) != len(equivalence):
        faults.add("/equivalence", "规则编号重复", "uses a rule_id twice")
    known = {item.code for item in items} | {entry.code for entry in negative}
    for index, alias in enumerate(aliases):
        if alias.code not in known or alias.alias in known:
            faults.add(
                f"/aliases/{index}",
                f"{alias.alias} 指向错误",
                f"{alias.alias} does not lead to an item",
            )
    faults.raise_if_any()
    digest = hashlib.sha256(canonical_bytes(value)).digest()  # type: ignore[arg-type]
    return Catalogue(
        catalogue_id, items, negative, aliases, equivalence, digest=digest, is_sample=is_sample
    )


def _alias(entry: Reader) -> Alias:
    alias = Alias(
        entry.text("alias", length_max=50),
        entry.text("code", length_max=50),
        entry.optional_day("valid_from") or dt.date.min,
        entry.optional_day("valid_to") or dt.date.max,
    )
    entry.text("note_zh", "")
    entry.text("note_en", "")
    entry.finish()
    return alias


def _equivalence(entry: Reader) -> EquivalenceRule:
    rule = EquivalenceRule(
        rule_id=entry.text("rule_id", length_max=64),
        first_letter=entry.text("first_letter", choices=EQUIVALENCE_LETTERS),
        characters=entry.integer("characters", low=2, high=50),
        valid_from=entry.day("valid_from"),
        valid_to=entry.day("valid_to"),
        zh=entry.text("zh"),
        en=entry.text("en"),
    )
    entry.finish()
    return rule


def _item(entry: Reader) -> CatalogueItem:
    item = CatalogueItem(
        code=entry.text("code", length_max=50),
        name=entry.text("name", length_max=200),
        name_en=entry.text("name_en", "", length_max=200),
        unit=entry.text("unit", length_max=20),
        price_fen=entry.integer("price_fen"),
        level=entry.text("level", choices=CLASSES),
        category_code=entry.text("category_code", length_max=2),
        valid_from=entry.day("valid_from"),
        valid_to=entry.day("valid_to"),
        selfpay_bp=entry.optional_integer("selfpay_bp", high=BP),
        price_limit_fen=entry.optional_integer("price_limit_fen"),
        restricted=entry.integer("restricted", 0, high=1) == 1,
        spec=entry.text("spec", ""),
    )
    entry.finish()
    return item


def _negative(entry: Reader) -> NegativeEntry:
    negative = NegativeEntry(
        code=entry.text("code", length_max=50),
        name=entry.text("name", length_max=200),
        name_en=entry.text("name_en", "", length_max=200),
        unit=entry.text("unit", length_max=20),
        price_fen=entry.integer("price_fen"),
        category_code=entry.text("category_code", length_max=2),
        valid_from=entry.day("valid_from"),
        valid_to=entry.day("valid_to"),
        zh=entry.text("zh"),
        en=entry.text("en"),
        rule_id=entry.text("rule_id", length_max=64),
    )
    entry.finish()
    return negative


def _refuse_overlaps(
    section: str, rows: Sequence[tuple[str, dt.date, dt.date]], faults: Faults
) -> None:
    """Note each row that ends before it begins, or shares a day with one of the same key."""
    latest: dict[str, dt.date] = {}
    for index in sorted(range(len(rows)), key=lambda i: rows[i]):
        key, starts_on, ends_on = rows[index]
        if ends_on < starts_on:
            faults.add(f"/{section}/{index}", "失效早于生效", "ends before it begins")
        before = latest.get(key)
        if before is not None and starts_on <= before:
            faults.add(
                f"/{section}/{index}", "同一编码的有效期重叠", "overlaps the code's validity"
            )
        latest[key] = max(ends_on, before or ends_on)
