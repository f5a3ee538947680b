"""Ways to alter an evidence bundle. Each names the check of SPEC.md part C that must catch it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

Bundle = dict[str, Any]
Alteration = Callable[[Bundle], None]


def _leaf(leaves: list[dict[str, Any]], path: str) -> dict[str, Any]:
    return next(leaf for leaf in leaves if leaf["path"] == path)


def _invoice(bundle: Bundle) -> list[dict[str, Any]]:
    return bundle["invoice"]["leaves"]  # type: ignore[no-any-return]


def _flip(text: str) -> str:
    """The hex text with its first digit replaced by another one."""
    return ("1" if text[0] != "1" else "2") + text[1:]


def header_field(bundle: Bundle) -> None:
    leaf = _leaf(_invoice(bundle), "/department")
    leaf["value"] += "甲"


def total(bundle: Bundle) -> None:
    _leaf(_invoice(bundle), "/total_fen")["value"] += 1


def line_amount(bundle: Bundle) -> None:
    leaf = _leaf(_invoice(bundle), "/lines/0")
    leaf["value"]["amount"] = "9" + leaf["value"]["amount"]


def line_removed(bundle: Bundle) -> None:
    leaves = _invoice(bundle)
    leaves.remove(_leaf(leaves, "/lines/1"))


def last_line_removed_and_length_adjusted(bundle: Bundle) -> None:
    leaves = _invoice(bundle)
    container = _leaf(leaves, "/lines")["value"]
    container["length"] -= 1
    leaves.remove(_leaf(leaves, f"/lines/{container['length']}"))


def line_added(bundle: Bundle) -> None:
    leaves = _invoice(bundle)
    container = _leaf(leaves, "/lines")["value"]
    last = _leaf(leaves, f"/lines/{container['length'] - 1}")
    more = {**copy.deepcopy(last), "path": f"/lines/{container['length']}"}
    container["length"] += 1
    leaves.insert(leaves.index(last) + 1, more)


def lines_swapped(bundle: Bundle) -> None:
    first, second = (_leaf(_invoice(bundle), f"/lines/{i}") for i in (0, 1))
    first["value"], second["value"] = second["value"], first["value"]


def lines_swapped_with_salts(bundle: Bundle) -> None:
    lines_swapped(bundle)
    first, second = (_leaf(_invoice(bundle), f"/lines/{i}") for i in (0, 1))
    first["salt"], second["salt"] = second["salt"], first["salt"]


def salt(bundle: Bundle) -> None:
    leaf = _leaf(_invoice(bundle), "/lines/0")
    leaf["salt"] = _flip(leaf["salt"])


def proof_node(bundle: Bundle) -> None:
    proof = bundle["batch"]["proof"]
    proof[0] = _flip(proof[0])


def proof_shortened(bundle: Bundle) -> None:
    bundle["batch"]["proof"].pop()


def leaf_index(bundle: Bundle) -> None:
    batch = bundle["batch"]
    batch["leaf_index"] = (batch["leaf_index"] + 1) % batch["size"]


def root(bundle: Bundle) -> None:
    bundle["batch"]["root"] = _flip(bundle["batch"]["root"])


def previous_head(bundle: Bundle) -> None:
    bundle["batch"]["previous_head"] = _flip(bundle["batch"]["previous_head"])


def leaf_total(bundle: Bundle) -> None:
    bundle["batch_leaf"]["total_fen"] += 1


def decision_amount(bundle: Bundle) -> None:
    _leaf(bundle["decision"]["leaves"], "/paid_fen")["value"] += 1


def settled_amount(bundle: Bundle) -> None:
    bundle["claim"]["closing"]["amount_fen"] += 1


def decision_and_settled_amount(bundle: Bundle) -> None:
    decision_amount(bundle)
    settled_amount(bundle)


def policy_hash(bundle: Bundle) -> None:
    bundle["policy"]["hash"] = _flip(bundle["policy"]["hash"])


def policy_text(bundle: Bundle) -> None:
    text = bundle["policy"]["text"]
    assert "7000" in text
    bundle["policy"]["text"] = text.replace("7000", "8000", 1)


def anchor_account(bundle: Bundle) -> None:
    bundle["anchor"]["account"] = _flip(bundle["anchor"]["account"])


def custody(bundle: Bundle) -> None:
    was = bundle["anchor"]["custody"]
    bundle["anchor"]["custody"] = "custodial" if was == "self-custody" else "self-custody"


def lodge_transaction(bundle: Bundle) -> None:
    lodge = bundle["claim"]["lodge"]
    lodge["tx_hash"] = _flip(lodge["tx_hash"])


def closing_block(bundle: Bundle) -> None:
    bundle["claim"]["closing"]["block_number"] += 1


ALTERATIONS: tuple[tuple[Alteration, int], ...] = (
    (header_field, 2),
    (total, 2),
    (line_amount, 2),
    (line_removed, 2),
    (last_line_removed_and_length_adjusted, 2),
    (line_added, 2),
    (lines_swapped, 2),
    (lines_swapped_with_salts, 2),
    (salt, 2),
    (proof_node, 6),
    (proof_shortened, 6),
    (leaf_index, 6),
    (root, 6),
    (previous_head, 13),
    (leaf_total, 6),
    (decision_amount, 8),
    (settled_amount, 9),
    (decision_and_settled_amount, 8),
    (policy_hash, 10),
    (policy_text, 10),
    (anchor_account, 13),
    (custody, 14),
    (lodge_transaction, 15),
    (closing_block, 16),
)
"""(alteration, number of a check that must fail); others may fail with it."""


def altered(bundle: Bundle, alteration: Alteration) -> Bundle:
    other = copy.deepcopy(bundle)
    alteration(other)
    assert other != bundle
    return other
