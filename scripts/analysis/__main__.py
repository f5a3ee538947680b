"""Analyse the contracts: slither, halmos proofs with planted bugs, and solc's model checker.

    python -m scripts.analysis              everything, with a summary; 1 when anything is wrong
    python -m scripts.analysis proofs       one part: findings, proofs, planted or arithmetic

The tools come from `.venv-tools` and `contracts/node_modules`; `make check` makes both.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from scripts.analysis.arithmetic import check_arithmetic
from scripts.analysis.findings import check_findings
from scripts.analysis.proofs import find_planted_bugs, prove
from scripts.analysis.workshop import AnalysisError, Summary

#: Each works in a process of its own; the longest first.
PARTS: dict[str, Callable[[], Summary]] = {
    "proofs": prove,
    "planted": find_planted_bugs,
    "findings": check_findings,
    "arithmetic": check_arithmetic,
}
_AT_ONCE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the parts, two at a time, and print what each has shown; 1 when one fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="part", default=[])
    chosen = parser.parse_args(arguments).parts or list(PARTS)
    begun = time.monotonic()
    failed = False
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        runs: dict[str, Future[Summary]] = {name: pool.submit(PARTS[name]) for name in chosen}
        for name, result in runs.items():
            try:
                summary = result.result()
            except AnalysisError as error:
                failed = True
                print(f"{name} failed:\n{error}", file=sys.stderr)
                continue
            print(f"{summary.title} ({summary.seconds:.0f} s)")
            for line in summary.lines:
                print(f"  {line}")
    print(f"contract analysis: {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
