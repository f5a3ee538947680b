"""solc's model checker on the arithmetic of `contracts/proofs`."""

from __future__ import annotations

import json
import os
import re
import time
from typing import Any

from scripts.analysis.workshop import (
    BUILD,
    CONTRACTS,
    ROOT,
    TOOLS,
    AnalysisError,
    Summary,
    run,
)

#: The harnesses, and what they import.
_SOURCES = {
    "proofs/Arithmetic.sol": (),
    "proofs/SlotArithmetic.sol": ("libraries/Slot.sol",),
}
_SECONDS = 400
_QUERY_SECONDS = 30
#: Asserted and proved, by contract: names that begin with `Planted` must be refuted.
_HARNESS = re.compile(r"^contract (\w+)", re.MULTILINE)


def check_arithmetic() -> Summary:
    """Prove every assertion and the absence of overflow in each harness; refute the planted ones.

    Raises:
        AnalysisError: a target is not proved, or a planted fault is.
    """
    begun = time.monotonic()
    lines = []
    faults = []
    harnesses = [
        (source, name)
        for source in _SOURCES
        for name in _HARNESS.findall((CONTRACTS / source).read_text("utf-8"))
    ]
    for source, harness in harnesses:
        started = time.monotonic()
        verdicts = _verdicts(source, harness)
        proved = verdicts.count("safe")
        seconds = time.monotonic() - started
        if harness.startswith("Planted"):
            if "violated" not in verdicts:
                faults.append(f"the fault planted in {harness} was not found: it shows nothing")
            lines.append(f"{harness}: refuted, as it must be, {seconds:.1f} s")
        elif proved == 0 or proved != len(verdicts):
            faults.append(f"{harness} is not proved: {', '.join(verdicts) or 'nothing to prove'}")
        else:
            lines.append(f"{harness}: {proved} targets, {seconds:.1f} s")
    if faults:
        raise AnalysisError("\n".join(faults))
    return Summary("solc model checker", tuple(lines), time.monotonic() - begun)


def _verdicts(source: str, harness: str) -> list[str]:
    """What became of each target of one contract: safe, violated or unknown."""
    BUILD.mkdir(parents=True, exist_ok=True)
    request = {
        "language": "Solidity",
        "sources": {
            name: {"content": (CONTRACTS / name).read_text("utf-8")}
            for name in (source, *_SOURCES[source])
        },
        "settings": {
            "evmVersion": "berlin",
            "modelChecker": {
                "engine": "chc",
                "solvers": ["smtlib2"],
                "targets": ["assert", "overflow", "underflow", "divByZero"],
                "contracts": {source: [harness]},
                "showProvedSafe": True,
                "showUnproved": True,
            },
            "outputSelection": {"*": {"*": []}},
        },
    }
    done = run(
        ["node", str(CONTRACTS / "solc" / "model_check.js")],
        folder=ROOT,
        seconds=_SECONDS,
        given=json.dumps(request),
        settings={"Z3": os.fspath(TOOLS / "z3"), "Z3_SECONDS": str(_QUERY_SECONDS)},
    )
    if done.returncode != 0:
        raise AnalysisError(f"the model checker failed on {harness}: {done.stderr[-1000:]}")
    messages: list[dict[str, Any]] = json.loads(done.stdout).get("errors", [])
    if faults := [item["formattedMessage"] for item in messages if item["severity"] == "error"]:
        raise AnalysisError("\n".join(faults))
    return [verdict for item in messages if (verdict := _verdict(item["message"])) is not None]


def _verdict(message: str) -> str | None:
    if "check is safe!" in message:
        return "safe"
    if " happens here." in message:
        return "violated"
    if " might happen here." in message:
        return "unknown"
    return None
