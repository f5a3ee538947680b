"""The benefit catalogue: what an item's code says about paying for it, on a day.

Classes (chrgitm_lv): 01 甲 payable in full, 02 乙 the person first pays a share, 03 丙 outside.
Entries of the negative list (不可报销项目负面清单) are excluded with the entry as the reason.
Old and foreign spellings of a code are aliases. What matches nothing is unknown, and unknown
is not refused: a person looks at it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Final

from backend.domain.record_reader import Faults, Reader
from verifier.commitment.canonical import canonical_bytes

CATALOGUE_FORMAT: Final = "yichu-catalogue-1"
CLASSES: Final = ("01", "02", "03")
ITEMS_MAX: Final = 500_000
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


class Catalogue:
    """Items, negative list and aliases, looked up by code and day. Immutable after loading."""

    __slots__ = (
        "_aliases", "_items", "_negative", "catalogue_id", "digest", "is_sample", "negative_list",
    )  # fmt: skip

    def __init__(
        self,
        catalogue_id: str,
        items: tuple[CatalogueItem, ...],
        negative_list: tuple[NegativeEntry, ...] = (),
        aliases: dict[str, str] | None = None,
        *,
        digest: bytes = bytes(32),
        is_sample: bool = False,
    ) -> None:
        self.catalogue_id = catalogue_id
        self.negative_list = negative_list
        self.digest = digest
        self.is_sample = is_sample
        self._aliases = dict(aliases or {})
        self._items: dict[str, list[CatalogueItem]] = {}
        for item in items:
            self._items.setdefault(item.code, []).append(item)
        self._negative: dict[str, list[NegativeEntry]] = {}
        for entry in negative_list:
            self._negative.setdefault(entry.code, []).append(entry)

    @property
    def items(self) -> tuple[CatalogueItem, ...]:
        """Every item, in the order of the file."""
        return tuple(item for versions in self._items.values() for item in versions)

    @property
    def aliases(self) -> dict[str, str]:
        """Alias to national code."""
        return dict(self._aliases)

    def find(self, code: str, on_date: dt.date) -> CatalogueItem | None:
        """The item valid on that day under this code or the code that it is an alias of."""
        versions = self._items.get(code) or self._items.get(self._aliases.get(code, ""))
        for item in versions or ():
            if item.valid_from <= on_date <= item.valid_to:
                return item
        return None

    def find_negative(self, code: str, on_date: dt.date) -> NegativeEntry | None:
        """The negative-list entry in force that day, if the code is on the list."""
        entries = self._negative.get(code) or self._negative.get(self._aliases.get(code, ""))
        for entry in entries or ():
            if entry.valid_from <= on_date <= entry.valid_to:
                return entry
        return None


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
    aliases: dict[str, str] = {}
    for entry in reader.children("aliases", optional=True, size_max=ITEMS_MAX):
        alias, code = entry.text("alias", length_max=50), entry.text("code", length_max=50)
        entry.text("note_zh", "")
        entry.text("note_en", "")
        if alias in aliases:
            entry.fault("alias", "重复", "is given twice")
        aliases[alias] = code
        entry.finish()
    reader.finish()
    _refuse_overlaps(items, faults)
    known = {item.code for item in items} | {entry.code for entry in negative}
    for alias, code in aliases.items():
        if code not in known or alias in known:
            faults.add("/aliases", f"{alias} 指向错误", f"{alias} does not lead to an item")
    faults.raise_if_any()
    digest = hashlib.sha256(canonical_bytes(value)).digest()  # type: ignore[arg-type]
    return Catalogue(catalogue_id, items, negative, aliases, digest=digest, is_sample=is_sample)


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


def _refuse_overlaps(items: tuple[CatalogueItem, ...], faults: Faults) -> None:
    latest: dict[str, dt.date] = {}
    order = sorted(range(len(items)), key=lambda i: (items[i].code, items[i].valid_from))
    for index in order:
        item = items[index]
        before = latest.get(item.code)
        if before is not None and item.valid_from <= before:
            faults.add(f"/items/{index}", "同一编码的有效期重叠", "overlaps the code's validity")
        latest[item.code] = item.valid_to
