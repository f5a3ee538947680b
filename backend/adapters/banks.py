"""The banks at which a person may have their account: ``backend/banks/banks.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).parents[1] / "banks" / "banks.json"
_FORMAT: Final = "yichu-banks-1"


@dataclass(frozen=True, slots=True)
class ListedBank:
    """``code`` is the clearing number (CNAPS, 12 digits); ``is_simulated``: invented for tests."""

    code: str
    name: str
    is_simulated: bool


@cache
def _listed() -> tuple[ListedBank, ...]:
    document = json.loads(_FILE.read_text(encoding="utf-8"))
    if document["format"] != _FORMAT:
        raise ValueError(f"{_FILE} is not {_FORMAT}")
    return tuple(
        ListedBank(bank["code"], bank["name"], bank["simulated"]) for bank in document["banks"]
    )


def listed_banks(*, is_simulated: bool) -> tuple[ListedBank, ...]:
    """The banks that may be chosen. A simulated bank answers for invented ones alone, a real one
    never for those."""
    return tuple(bank for bank in _listed() if bank.is_simulated == is_simulated)
