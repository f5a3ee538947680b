"""The enumerations and the detail word against the interface's own source."""

from __future__ import annotations

import re
from pathlib import Path

from backend.adapters.ledger.events import (
    ANCHOR_BARS,
    ANCHOR_OUTCOMES,
    CALLS,
    OUTCOMES,
    decode_detail,
)

INTERFACES = Path(__file__).parents[3] / "contracts" / "interfaces"


def members(file: str, name: str) -> list[str]:
    """The members of a Solidity enum in kebab case."""
    body = re.search(rf"enum {name} {{(.*?)}}", (INTERFACES / file).read_text(), re.DOTALL)
    assert body is not None
    words = re.findall(r"\b([A-Z]\w*)\b", re.sub(r"//.*", "", body[1]))
    return [re.sub(r"(?<!^)(?=[A-Z])", "-", word).lower() for word in words]


def test_names_are_those_of_the_interface_in_its_order() -> None:
    ledger = "IInvoiceLedger.sol"
    assert list(CALLS) == members(ledger, "Call")
    assert list(OUTCOMES) == members(ledger, "Outcome")
    assert ["anchored", *ANCHOR_OUTCOMES[1:]] == members(ledger, "AnchorOutcome")
    assert ["none", *ANCHOR_BARS[1:]] == members("IRegistry.sol", "AnchorBar")


def test_detail_word_is_read_low_bit_first() -> None:
    fields = [(3, 8), (2, 8), (5, 8), (64, 8), (65_535, 16), (7, 8), (9, 16), (2**48 - 1, 48),
              (2**40 - 2, 40), (11, 16), (12, 40), (13, 40)]  # fmt: skip
    word, shift = 0, 0
    for value, width in fields:
        word |= value << shift
        shift += width
    assert shift == 256
    assert list(decode_detail(word).values()) == [value for value, _ in fields]
