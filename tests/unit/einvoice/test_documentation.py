"""The published field mapping and fault table say what the code does."""

from __future__ import annotations

from pathlib import Path

from backend.adapters.einvoice.fields import (
    ATTACHMENT,
    HEADER,
    ITEM,
    LINE,
    XML_NOT_RECORDED,
)
from backend.entrypoints.api.problem_codes import PROBLEMS
from backend.service_layer.intake.faults import FAULT_TEXTS

DOCS = Path(__file__).parents[3] / "docs"


def test_every_field_is_mapped() -> None:
    page = (DOCS / "field-mapping.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for field in HEADER + ITEM + LINE + ATTACHMENT:
        found = [r for r in rows if r.startswith(f"| `{field.json}` |") and f"`{field.name}`" in r]
        assert len(found) == 1, field.json
        assert f"{'/'.join(field.xml)}`" in found[0]
        assert f"| {field.limit} | {'yes' if field.required else ''} |" in found[0]
    assert len(rows) == len(HEADER + ITEM + LINE + ATTACHMENT)
    assert all(f"`{name}`" in page for name in XML_NOT_RECORDED)


def test_every_code_is_explained() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    for code, (zh, en) in FAULT_TEXTS.items():
        assert f"| `{code}` | {zh} | {en} |" in page, code
    for code, (status, zh, en) in PROBLEMS.items():
        assert f"| `{code}` | {status} | {zh} | {en} |" in page, code
