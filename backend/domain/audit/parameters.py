"""Reading a rule's parameters as its check declares them; faults carry their JSON path."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from backend.domain.audit.check import Kind, Param
from backend.domain.audit.items import DiagnosisLimit, ItemLimit, ItemPair, ItemSelector
from backend.domain.audit.text import Text
from backend.domain.record_reader import Reader

LIST_MAX: Final = 500
_LABEL_MAX: Final = 100
_QUANTITY_MAX: Final = 100_000
_DAYS_MAX: Final = 3_660


def read_parameters(reader: Reader, params: tuple[Param, ...]) -> MappingProxyType[str, Any]:
    """The values by name. What is missing, unknown, of a wrong type or out of range is a fault."""
    values = {param.name: _read(reader, param) for param in params}
    reader.finish()
    return MappingProxyType(values)


def _read(reader: Reader, param: Param) -> Any:
    match param.kind:
        case Kind.INTEGER:
            return reader.integer(param.name, low=param.low, high=param.high)
        case Kind.TEXTS:
            return _texts(reader, param.name, param.choices, required=True)
        case Kind.ITEMS:
            return _selector(reader.child(param.name))
        case Kind.ITEM_LIMITS:
            return tuple(_item_limit(entry) for entry in _entries(reader, param.name))
        case Kind.DIAGNOSIS_LIMITS:
            return tuple(_diagnosis_limit(entry) for entry in _entries(reader, param.name))
        case Kind.ITEM_PAIRS:
            return tuple(_item_pair(entry) for entry in _entries(reader, param.name))


def _entries(reader: Reader, name: str) -> list[Reader]:
    entries = list(reader.children(name, size_max=LIST_MAX))
    if reader.has(name) and not entries:
        reader.fault(name, "不是非空列表", "is not a list with entries")
    return entries


def _texts(
    reader: Reader, name: str, choices: tuple[str, ...] = (), *, required: bool = False
) -> tuple[str, ...]:
    """Sorted, so that the order in the file has no effect."""
    if required and not reader.has(name):
        reader.fault(name, "缺少", "is missing")
    found = reader.texts(name, choices)
    if len(found) > LIST_MAX or "" in found:
        reader.fault(name, f"空文本或超过 {LIST_MAX} 项", f"is empty or longer than {LIST_MAX}")
    return tuple(sorted(found))


def _selector(reader: Reader) -> ItemSelector:
    selector = ItemSelector(
        codes=frozenset(_texts(reader, "codes")),
        prefixes=_texts(reader, "prefixes"),
        categories=frozenset(_texts(reader, "categories")),
        words=_texts(reader, "words"),
        except_words=_texts(reader, "except_words"),
    )
    named = selector.codes or selector.prefixes or selector.categories or selector.words
    if not named:
        reader.faults.add(reader.path, "没有指明任何项目", "names no item")
    reader.finish()
    return selector


def _label(reader: Reader) -> Text:
    return Text(reader.text("zh", length_max=_LABEL_MAX), reader.text("en", length_max=_LABEL_MAX))


def _item_limit(reader: Reader) -> ItemLimit:
    limit = ItemLimit(
        label=_label(reader),
        items=_selector(reader.child("items")),
        maximum=reader.integer("maximum", low=1, high=_QUANTITY_MAX),
        days=reader.integer("days", 0, high=_DAYS_MAX),
        unit=reader.text("unit", "", length_max=20),
    )
    reader.finish()
    return limit


def _diagnosis_limit(reader: Reader) -> DiagnosisLimit:
    limit = DiagnosisLimit(
        label=_label(reader),
        items=_selector(reader.child("items")),
        diagnoses=_texts(reader, "diagnoses", required=True),
    )
    reader.finish()
    return limit


def _item_pair(reader: Reader) -> ItemPair:
    pair = ItemPair(
        label=_label(reader),
        first=_selector(reader.child("first")),
        second=_selector(reader.child("second")),
    )
    reader.finish()
    return pair
