"""Slither: every finding is fixed, or listed with the reason for which it stands."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from scripts.analysis.workshop import (
    DEPLOYED,
    PROOFS,
    ROOT,
    AnalysisError,
    Summary,
    forge_project,
    run,
)

LIST = PROOFS / "slither-findings.json"
DOCUMENT = ROOT / "docs" / "ledger.md"
_SECONDS = 400


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What slither says of one place: its detector, and the function, event or variable."""

    detector: str
    where: str


def check_findings() -> Summary:
    """Compare slither's findings with the reviewed list.

    Raises:
        AnalysisError: a finding is not listed, a listed one no longer occurs, a detector is not
            explained in `docs/ledger.md`, or slither failed.
    """
    begun = time.monotonic()
    project = forge_project("slither", DEPLOYED, as_deployed=True)
    report = project / "report.json"
    done = run(
        ["slither", ".", "--json", str(report), "--filter-paths", "node_modules"],
        folder=project,
        seconds=_SECONDS,
    )
    if not report.is_file():
        raise AnalysisError(f"slither failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    answer = json.loads(report.read_text("utf-8"))
    if not answer["success"]:
        raise AnalysisError(f"slither failed: {answer['error']}")
    found = found_in(answer)
    listed = {
        Finding(item["detector"], place): item["reason"]
        for item in json.loads(LIST.read_text("utf-8"))
        for place in item["where"]
    }
    compare(found, listed, DOCUMENT.read_text("utf-8"))
    detectors = sorted({item.detector for item in found})
    return Summary(
        "slither",
        (f"{len(found)} findings, all reviewed: {', '.join(detectors)}",),
        time.monotonic() - begun,
    )


def found_in(answer: dict[str, Any]) -> set[Finding]:
    """The findings of slither's report, without those that differ only by the way of the call."""
    return {
        Finding(item["check"], _place(item["elements"][0]))
        for item in answer["results"].get("detectors", [])
    }


def _place(element: dict[str, Any]) -> str:
    """`Contract.function` of an element; a variable stands under its function or contract."""
    names: list[str] = []
    part: dict[str, Any] | None = element
    while part is not None and part["type"] != "pragma":
        names.append(part["name"])
        part = part.get("type_specific_fields", {}).get("parent")
    return ".".join(reversed(names))


def compare(found: set[Finding], listed: dict[Finding, str], document: str) -> None:
    """Demand that list and findings are the same, and that the document explains each kind."""
    faults = [
        f"new finding {item.detector} in {item.where}: fix it, or list it with its reason in "
        f"{LIST.relative_to(ROOT)} and docs/ledger.md"
        for item in sorted(found - listed.keys())
    ]
    faults += [
        f"{item.detector} in {item.where} no longer occurs: take it out of {LIST.relative_to(ROOT)}"
        for item in sorted(listed.keys() - found)
    ]
    faults += [
        f"{item.detector} in {item.where} is listed without a reason: write one"
        for item, reason in sorted(listed.items())
        if not reason.strip()
    ]
    faults += [
        f"docs/ledger.md does not explain `{detector}`: its section on static analysis must"
        for detector in sorted({item.detector for item in listed})
        if f"`{detector}`" not in document
    ]
    if faults:
        raise AnalysisError("\n".join(faults))
