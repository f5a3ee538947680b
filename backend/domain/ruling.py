"""Line rulings: what a reviewer decided about single lines, as an input of adjudication.

A reviewer never types an amount that the system can work out. He rules on facts of a line, and the
same pure function computes the benefit with them; the rulings stand in the decision record, so
that it replays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from backend.domain.errors import DomainError
from backend.domain.invoice import MAX_LINES
from backend.domain.record_reader import Faults, Reader

RULINGS_MAX: Final = 4 * MAX_LINES
"""Rulings on one bill: at most one of each kind on a line."""


class RulingError(DomainError):
    """Rulings that contradict each other or name a line that the bill does not have."""

    code = "bad-ruling"


class RulingKind(StrEnum):
    """What is decided about a line."""

    MATCH = "match"  # judged under another catalogue code
    CONFIRM = "confirm"  # a restricted item is payable
    EXCLUDE = "exclude"  # not payable at all
    LIMIT = "limit"  # at most limit_fen of it is considered, the rest is self-paid


@dataclass(frozen=True, slots=True)
class LineRuling:
    """One decision about the line at ``line_index``, with the rule and the words it rests on.

    ``catalogue_code`` belongs to MATCH alone, ``limit_fen`` to LIMIT alone.
    Raises :class:`RulingError` when they are missing there or given elsewhere.
    """

    line_index: int
    kind: RulingKind
    rule_id: str
    basis_zh: str
    basis_en: str
    catalogue_code: str = ""
    limit_fen: int | None = None

    def __post_init__(self) -> None:
        if (self.kind is RulingKind.MATCH) != bool(self.catalogue_code):
            raise RulingError(
                "改配编码的裁定（且只有它）要写明目录编码。",
                "A match ruling, and no other, names a catalogue code.",
            )
        if (self.kind is RulingKind.LIMIT) != (self.limit_fen is not None):
            raise RulingError(
                "限额的裁定（且只有它）要写明金额。", "A limit ruling, and no other, has an amount."
            )
        if self.limit_fen is not None and self.limit_fen < 0:
            raise RulingError("限额不能是负数。", "A limit is not negative.")
        if not (self.rule_id and self.basis_zh and self.basis_en):
            raise RulingError("裁定要写明依据。", "A ruling states its rule and its basis.")

    def to_record(self) -> dict[str, Any]:
        """The ruling as it stands in a decision record."""
        record: dict[str, Any] = {
            "line_index": self.line_index,
            "kind": str(self.kind),
            "rule_id": self.rule_id,
            "basis_zh": self.basis_zh,
            "basis_en": self.basis_en,
        }
        if self.catalogue_code:
            record["catalogue_code"] = self.catalogue_code
        if self.limit_fen is not None:
            record["limit_fen"] = self.limit_fen
        return record


def in_order(rulings: Iterable[LineRuling], lines: int) -> tuple[LineRuling, ...]:
    """The rulings by line and kind. Raises :class:`RulingError` when one is about no line of a
    bill of so many ``lines``, or when two of one kind are about the same line."""
    ordered = tuple(sorted(rulings, key=lambda ruling: (ruling.line_index, ruling.kind)))
    if any(not 0 <= ruling.line_index < lines for ruling in ordered):
        raise RulingError("裁定所指的明细不存在。", "A ruling is about a line that is not there.")
    if len({(ruling.line_index, ruling.kind) for ruling in ordered}) != len(ordered):
        raise RulingError("同一行有两个同类裁定。", "A line has two rulings of one kind.")
    return ordered


def parse_rulings(value: object) -> tuple[LineRuling, ...]:
    """Read a list of ruling records. Raises :class:`MalformedDataError` with every fault's path."""
    faults = Faults("RULINGS")
    reader = Reader({"rulings": value}, "", faults)
    rulings = read_rulings(reader)
    faults.raise_if_any()
    return rulings


def read_rulings(reader: Reader) -> tuple[LineRuling, ...]:
    """The optional member ``rulings`` of an object; faults are noted in the reader."""
    rulings = []
    for entry in reader.children("rulings", optional=True, size_max=RULINGS_MAX):
        ruling = _ruling(entry)
        if ruling is not None:
            rulings.append(ruling)
    return tuple(rulings)


def _ruling(entry: Reader) -> LineRuling | None:
    kinds: Sequence[str] = tuple(str(kind) for kind in RulingKind)
    kind = entry.text("kind", choices=tuple(kinds))
    index = entry.integer("line_index", high=MAX_LINES - 1)
    rule_id = entry.text("rule_id", length_max=64)
    zh, en = entry.text("basis_zh"), entry.text("basis_en")
    code = entry.text("catalogue_code", "", length_max=50)
    limit = entry.optional_integer("limit_fen")
    entry.finish()
    if kind not in kinds:
        return None
    try:
        return LineRuling(index, RulingKind(kind), rule_id, zh, en, code, limit)
    except RulingError as error:
        entry.faults.add(entry.path, error.zh, error.en)
        return None
