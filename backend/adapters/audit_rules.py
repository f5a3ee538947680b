"""Loading the audit rules that are shipped with the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from backend.adapters.json_file import read_json
from backend.domain.record_reader import MalformedDataError
from backend.service_layer.audit_rules.rule_book import RuleBook

RULE_DIRECTORY: Final = Path(__file__).resolve().parents[1] / "rules"


def load_rule_book(directory: Path = RULE_DIRECTORY) -> RuleBook:
    """The rules of all files of a directory as one set, in the order of the file names.

    Raises :class:`MalformedDataError` with every fault; one wrong rule stops all, since rules that
    are silently left out would not be missed.
    """
    merged: dict[str, Any] = {}
    for path in sorted(directory.glob("*.json")):
        document = read_json(path, f"AUDIT RULES {path.name}")
        if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
            raise MalformedDataError(
                f"AUDIT RULES {path.name}", (("/rules", "不是规则列表", "is not a list of rules"),)
            )
        if merged:
            merged["rules"] += document["rules"]
        else:
            merged = document
    return RuleBook(merged)
