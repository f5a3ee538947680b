"""How many small faults in adjudication, rules and money the tests find: the mutation score.

Run: ``make mutation`` or ``python scripts/mutation.py [--every 5] [--seed 1] [--modules ...]``.

mutmut changes one thing at a time (an operator, a number, an argument, a text) in the modules that
decide about money, and runs the tests of the pure domain that reach the changed function. Those
with Hypothesis are left out: they are the slow ones, and what only they find is said to survive.
Everything happens in a copy under ``build/mutation``. Every ``--every``-th of the mutants is
tried, counted from a place that ``--seed`` gives; ``--every 1`` tries all of them. Prints the score
of each module, every survivor (``mutmut show`` in the copy prints its difference), and the scores
of adjudication, of the rules, of money and of all together beside the target, which each of them
has to reach. ``--area money`` tries the modules of one area.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
COPY: Final = ROOT / "build" / "mutation"
TARGET: Final = 85.0
DOMAIN: Final = (
    "adjudication", "bill", "catalogue", "claim_deadline", "decision_record", "deductible",
    "explanation", "layers", "line_split", "money", "person", "policy", "remote_care", "ruling",
    "summary", "unruled",
)  # fmt: skip
RULES: Final = (
    "audit/engine", "audit/bill_index", "audit/facts", "audit/items", "audit/parameters",
    "audit/rule", "audit/rule_reader", "audit/checks/*",
)  # fmt: skip
MONEY: Final = (
    "clearing", "journal", "payee", "payout", "recovery", "adapters/iso20022/document",
    "adapters/iso20022/pain001", "adapters/iso20022/pain002",
)  # fmt: skip
COPIED: Final = ("backend", "verifier", "scripts", "migrations", "tests", "docs", "pyproject.toml")
TESTS: Final = (
    "tests/unit/domain",
    "tests/unit/audit",
    "tests/unit/adapters/test_bank_messages.py",
    "tests/unit/adapters/test_edges_of_messages.py",
)
TESTS_OF_MONEY: Final = (
    *(f"tests/unit/domain/test_{name}.py" for name in MONEY if "/" not in name),
    "tests/unit/domain/test_edges_of_clearing.py",
    "tests/unit/domain/test_edges_of_money.py",
    *TESTS[2:],
)
"""No other test is about these modules: to ask fewer is faster."""
_PATIENCE_SECONDS: Final = 4 * 3600
_KILLED: Final = frozenset({1, 3, 24, 36, 37, 152, 255, -24, -11, -9})
"""What mutmut notes for a mutant: tests failed (1, 3), it never came to an end, or it crashed."""
_UNREACHED: Final = frozenset({5, 33})

_SETUP: Final = """[mutmut]
source_paths=backend
only_mutate=
{only}
also_copy=
    verifier
    scripts
    migrations
    docs
pytest_add_cli_args=
    -m
    not slow
    -p
    no:cacheprovider
    --ignore-glob=*propert*
    --ignore-glob=*test_any_invoice*
pytest_add_cli_args_test_selection=
{tests}
track_dependencies=false
"""


def _patterns(modules: Sequence[str]) -> list[str]:
    """Names are of the domain, unless they say that they are of the adapters."""
    return [
        f"backend/{'' if module.startswith('adapters/') else 'domain/'}{module}.py"
        for module in modules
    ]


def prepare(modules: Sequence[str], tests: Sequence[str]) -> None:
    """A fresh copy of the project, so that neither caches nor half-made mutants touch ours."""
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True)
    junk = shutil.ignore_patterns("__pycache__", "node_modules", ".hypothesis")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, COPY / name, ignore=junk)
        else:
            shutil.copy2(source, COPY / name)
    only = "\n".join(f"    {pattern}" for pattern in _patterns(modules))
    asked = "\n".join(f"    {test}" for test in tests)
    (COPY / "setup.cfg").write_text(_SETUP.format(only=only, tests=asked))


def _mutmut(*arguments: str) -> None:
    # Its exit code says nothing about survivors; what it found is read from its notes.
    command = [sys.executable, "-m", "mutmut", *arguments]
    subprocess.run(command, cwd=COPY, check=True, timeout=_PATIENCE_SECONDS)


def make_mutants() -> None:
    """Write the changed functions without running anything."""
    code = "import mutmut.__main__ as m; m.config(); m.copy_src_dir(); m.create_mutants(2)"
    subprocess.run([sys.executable, "-c", code], cwd=COPY, check=True, timeout=_PATIENCE_SECONDS)


def verdicts() -> dict[str, dict[str, int | None]]:
    """By module what each mutant came to; None where it was not tried."""
    found: dict[str, dict[str, int | None]] = {}
    for path in sorted((COPY / "mutants").rglob("*.py.meta")):
        kept = json.loads(path.read_text())["exit_code_by_key"]
        if kept:
            found[str(path.relative_to(COPY / "mutants")).removesuffix(".py.meta")] = kept
    return found


def sample(names: Iterable[str], every: int, seed: int) -> list[str]:
    """Every ``every``-th name from a seeded start."""
    ordered = sorted(names)
    return ordered[random.Random(seed).randrange(every) :: every]


def area_of(module: str) -> str:
    """``rules`` for what looks at bills, ``money`` for what books and pays, ``adjudication`` for
    what works amounts out."""
    if f"{module}.py" in _patterns(MONEY):
        return "money"
    return "rules" if module.startswith("backend/domain/audit/") else "adjudication"


def report(found: dict[str, dict[str, int | None]], tried: frozenset[str]) -> float:
    """Print the scores and the survivors; the lowest score of an area in per cent."""
    total: dict[str, Counter[str]] = {}
    survivors: list[str] = []
    for module, results in found.items():
        counted: Counter[str] = Counter()
        for name, code in results.items():
            if name not in tried:
                continue
            if code is None:
                raise SystemExit(f"mutmut did not try {name}")
            is_killed = code in _KILLED
            counted["killed" if is_killed else "alive"] += 1
            if not is_killed:
                survivors.append(name + (" (no test reaches it)" if code in _UNREACHED else ""))
        if counted:
            total.setdefault(area_of(module), Counter()).update(counted)
        tests = counted.total()
        if tests:
            print(f"{module:<48}{tests:>6}{100 * counted['killed'] / tests:>8.1f} %")
    print("\nsurvivors:", *survivors, sep="\n  ")
    print()
    together = sum(total.values(), Counter[str]())
    scores = {}
    for area, counted in {**total, "together": together}.items():
        scores[area] = 100 * counted["killed"] / max(1, counted.total())
        print(
            f"{area}: {counted['killed']} of {counted.total()} found, {scores[area]:.1f} %, "
            f"target {TARGET:.0f} %"
        )
    return min(scores.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--modules", nargs="*", default=[*DOMAIN, *RULES, *MONEY])
    parser.add_argument("--area", choices=("adjudication", "rules", "money"))
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    chosen = {"adjudication": DOMAIN, "rules": RULES, "money": MONEY}
    tests = TESTS_OF_MONEY if options.area == "money" else TESTS
    prepare(chosen.get(options.area, options.modules), tests)
    make_mutants()
    everything = [name for results in verdicts().values() for name in results]
    tried = sample(everything, options.every, options.seed)
    print(f"{len(tried)} of {len(everything)} mutants, seed {options.seed}", flush=True)
    _mutmut("run", "--max-children", str(options.workers), *tried)
    score = report(verdicts(), frozenset(tried))
    raise SystemExit(score < TARGET)


if __name__ == "__main__":
    main()
