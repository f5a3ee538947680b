"""The verifier's hand-written signatures against the contract interfaces."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verifier import chain

INTERFACES = Path(__file__).resolve().parents[3] / "contracts" / "interfaces"
#: Enumerations and contracts as they appear in a signature.
PLAIN = {"Custody": "uint8", "IRegistry": "address"}


def declared(kind: str, text: str) -> set[str]:
    """``name(type,...)`` of every declaration of a kind, with the types of a signature."""
    found = set()
    without_comments = re.sub(r"//[^\n]*", "", text)
    for name, parameters in re.findall(rf"{kind}\s+(\w+)\s*\(([^)]*)\)", without_comments):
        types = [part.split()[0] for part in parameters.split(",") if part.strip()]
        found.add(f"{name}({','.join(PLAIN.get(t, t) for t in types)})")
    return found


@pytest.fixture(scope="module")
def interfaces() -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(INTERFACES.glob("I*.sol")))


@pytest.mark.parametrize(
    "signature",
    [
        chain.ANCHORED, chain.LODGED, chain.SETTLED, chain.RELEASED, chain.REGISTERED,
        chain.TERMS_CHANGED,
    ],
)  # fmt: skip
def test_event_is_declared(signature: str, interfaces: str) -> None:
    assert signature in declared("event", interfaces)


@pytest.mark.parametrize(
    "signature",
    [
        "head(uint16,uint32)", "slot(bytes32)", "accountOf(address)", "institutionCode(uint16)",
        "policy(bytes32)",
    ],
)  # fmt: skip
def test_function_is_declared_and_used(signature: str, interfaces: str) -> None:
    assert signature in declared("function", interfaces)
    assert f'"{signature}"' in Path(chain.__file__).read_text("utf-8")


@pytest.mark.parametrize(
    ("enumeration", "name", "value"),
    [
        ("Call", "Lodge", chain.CALL_LODGE),
        ("Call", "Settle", chain.CALL_SETTLE),
        ("Call", "Release", chain.CALL_RELEASE),
        ("Outcome", "Done", chain.OUTCOME_DONE),
        ("ReleaseReason", "Refused", chain.RELEASE_REASON_REFUSED),
        ("AccountKind", "Institution", chain.ACCOUNT_KIND_INSTITUTION),
    ],
)
def test_enumeration_value_is_that_of_the_interface(
    enumeration: str, name: str, value: int, interfaces: str
) -> None:
    body = re.search(rf"enum {enumeration} \{{([^}}]*)\}}", interfaces)
    assert body is not None
    names = [part.strip() for part in re.sub(r"//[^\n]*", "", body[1]).split(",")]
    assert names.index(name) == value


def test_custody_values_are_those_of_the_interface(interfaces: str) -> None:
    body = re.search(r"enum Custody \{([^}]*)\}", interfaces)
    assert body is not None
    names = [part.strip() for part in re.sub(r"//[^\n]*", "", body[1]).split(",")]
    assert names[1:] == ["SelfCustody", "Custodial"]
    assert chain.CUSTODY_NAMES == {1: "self-custody", 2: "custodial"}


def test_slot_layout_is_that_of_the_page(interfaces: str) -> None:
    word = 1 | 2 << 40 | 3 << 80 | 4 << 128 | 5 << 160 | 6 << 168 | 7 << 184 | 8 << 192
    assert "total 40, paid 40, leaf reference 48, deadline 32, open" in interfaces
    assert chain.Slot.decode(word) == chain.Slot(1, 2, 3, 6, 7, 8)


def test_detail_layout_is_that_of_the_page(interfaces: str) -> None:
    text = " ".join(interfaces.replace("///", "").split())
    assert (
        "item index 8, `Call` 8, `Outcome` 8, payer 8 (0: the caller is no payer), counter 16, "
        "holder's payer 8, holder's counter 16, leaf reference 48, value 40, decision version 16, "
        "paid sum 40, total 40"
    ) in text
    word = 0
    shift = 0
    for value, width in (
        (1, 8), (2, 8), (3, 8), (4, 8), (5, 16), (6, 8), (7, 16), (8, 48), (9, 40), (10, 16),
        (11, 40), (12, 40),
    ):  # fmt: skip
        word |= value << shift
        shift += width
    assert shift == 256
    assert chain.Detail.decode(word) == chain.Detail(2, 3, 4, 5, 8, 9, 10, 11, 12)
