"""How many small faults in adjudication, rules and money the tests find: the mutation score.

Run: ``make mutation`` or ``python scripts/mutation.py [--area payouts] [--every 5] [--seed 1]``.

mutmut changes one thing at a time (an operator, a number, an argument, a text) in the modules that
decide about money, and runs the tests of their area that reach the changed function, the quickest
first. Those with Hypothesis are left out, and so are those marked slow and those that need
PostgreSQL (``scripts/quickest_first.py``): what only they find is said to survive. Mutants that
nothing can tell apart are not counted (see :func:`alike`). Everything happens in a copy under
``build/mutation``, one for each area. Every ``--every``-th of the mutants is tried, counted from a
place that ``--seed`` gives; ``--every 1`` tries all of them. Prints the score of each module, every
survivor (``mutmut show`` in the copy prints its difference), and the score of each area beside the
target, which each of them has to reach. ``--modules`` tries some modules of the areas, such as
``payout/examine``.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
COPIES: Final = ROOT / "build" / "mutation"
TARGET: Final = 85.0


@dataclass(frozen=True, slots=True)
class Area:
    """Modules below ``backend`` that are scored together, and the tests that are about them.
    Tests of other areas are not asked: that is faster, and these are the ones that should know."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


def _in(package: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{package}/{name}" for name in names)


_BANK_MESSAGES: Final = (
    "tests/unit/adapters/test_bank_messages.py",
    "tests/unit/adapters/test_edges_of_messages.py",
    "tests/unit/adapters/test_statement_messages.py",
)
AREAS: Final = {
    "adjudication": Area(
        _in(
            "domain", "adjudication", "bill", "catalogue", "claim_deadline", "decision_record",
            "deductible", "explanation", "layers", "line_split", "money", "person", "policy",
            "remote_care", "ruling", "summary", "unruled",
        ),
        ("tests/unit/domain", "tests/unit/audit"),
    ),
    "rules": Area(
        _in(
            "domain/audit", "engine", "bill_index", "facts", "items", "parameters", "rule",
            "rule_reader", "checks/*",
        ),
        ("tests/unit/domain", "tests/unit/audit"),
    ),
    "money": Area(
        (
            *_in(
                "domain", "clearing", "journal", "lost_period", "payee", "payout", "recovery",
                "two_people",
            ),
            *_in(
                "adapters/iso20022", "camt053", "document", "pain001", "pain002", "payment_format",
            ),
        ),
        (
            *(
                f"tests/unit/domain/test_{name}.py"
                for name in (
                    "clearing", "journal", "lost_period", "payee", "payout", "recovery",
                    "two_people", "edges_of_clearing", "edges_of_money",
                )
            ),
            *_BANK_MESSAGES,
        ),
    ),
    "payouts": Area(
        _in(
            "service_layer/payout", "answers", "approve", "booking", "desk", "examine", "hand_over",
            "holding", "instruct", "lanes", "manual", "records", "run", "statements", "stored",
            "unmatched",
        ),
        ("tests/unit/payout", "tests/integration/payout"),
    ),
    "journal": Area(
        _in(
            "service_layer/journal", "adjustments", "arrival", "booking", "checking", "closing",
            "deposits", "funds", "money_tables", "month_statement",
        ),
        ("tests/unit/journal", "tests/integration/journal"),
    ),
    "reconciliation": Area(
        _in(
            "service_layer/money_reconciliation", "adopt", "ahead", "balance_statement",
            "bank_rules", "cases", "daily", "records", "report", "rules", "statement_rules",
            "status", "timeliness",
        ),
        ("tests/unit/money_reconciliation", "tests/integration/money_reconciliation"),
    ),
    "recovery": Area(
        _in(
            "service_layer/recovery", "adopt", "causes", "closing", "files", "notices", "opening",
            "people", "ports", "read", "run", "withdrawn",
        ),
        ("tests/unit/recovery", "tests/integration/recovery"),
    ),
    "payees": Area(
        _in(
            "service_layer/payees", "confirm", "declare", "effective", "holder", "notices", "proof",
            "read", "register",
        ),
        ("tests/unit/payees", "tests/integration/payees"),
    ),
    "clearing": Area(
        _in(
            "service_layer/clearing", "carry_on", "confirm", "desk", "run", "statement", "taken",
            "year",
        ),
        ("tests/unit/clearing", "tests/integration/clearing"),
    ),
    "second-payers": Area(
        (
            "domain/second_payer",
            *_in("service_layer/second_payers", "calls", "consent", "once", "opening", "sweep"),
        ),
        ("tests/unit/second_payers", "tests/integration/second_payers"),
    ),
    "bank": Area(
        _in(
            "adapters/bank", "behaviour", "folder_exchange", "simulated_bank", "simulated_book",
            "simulated_statement",
        ),
        ("tests/unit/bank", "tests/integration/bank"),
    ),
}  # fmt: skip
COPIED: Final = ("backend", "verifier", "scripts", "migrations", "tests", "docs", "pyproject.toml")
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
    -p
    scripts.quickest_first
pytest_add_cli_args_test_selection=
{tests}
track_dependencies=false
process_isolation=forkserver
timeout_multiplier=5
timeout_constant=5
"""


def prepare(copy: Path, modules: Sequence[str], tests: Sequence[str]) -> None:
    """A fresh copy of the project, so that neither caches nor half-made mutants touch ours."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    junk = shutil.ignore_patterns("__pycache__", "node_modules", ".hypothesis")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=junk)
        else:
            shutil.copy2(source, copy / name)
    only = "\n".join(f"    backend/{module}.py" for module in modules)
    asked = "\n".join(f"    {test}" for test in tests if (ROOT / test).exists())
    (copy / "setup.cfg").write_text(_SETUP.format(only=only, tests=asked))
    (copy / "tmp").mkdir()


def _python(copy: Path, *arguments: str) -> None:
    # mutmut's exit code says nothing about survivors; what it found is read from its notes.
    # Mutants are ended in the midst of their work: what they leave lies in the copy.
    command = [sys.executable, *arguments]
    environment = os.environ | {"TMPDIR": str(copy / "tmp")}
    done = subprocess.run(
        command, check=False, cwd=copy, env=environment, timeout=_PATIENCE_SECONDS
    )
    if done.returncode:
        raise SystemExit(f"mutmut ended with {done.returncode} in {copy}: what it says is above")


def make_mutants(copy: Path) -> None:
    """Write the changed functions without running anything."""
    code = "import mutmut.__main__ as m; m.config(); m.copy_src_dir(); m.create_mutants(2)"
    _python(copy, "-c", code)


def verdicts(copy: Path) -> dict[str, dict[str, int | None]]:
    """By module what each mutant came to; None where it was not tried."""
    found: dict[str, dict[str, int | None]] = {}
    for path in sorted((copy / "mutants").rglob("*.py.meta")):
        kept = json.loads(path.read_text())["exit_code_by_key"]
        if kept:
            found[str(path.relative_to(copy / "mutants")).removesuffix(".py.meta")] = kept
    return found


_SQL: Final = re.compile(
    r"(?is)(SELECT\b[^']*\bFROM\b|INSERT\b[^']*\bINTO\b|UPDATE\b[^']*\bSET\b|DELETE FROM\b|PRAGMA\b"
    r"|BEGIN IMMEDIATE\b|COMMIT\Z)[^']*"
)


class _Meaning(ast.NodeTransformer):
    """Leaves out of a function what no caller can see."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = ""
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and _SQL.fullmatch(node.value):
            node.value = node.value.lower()
        return node


def alike(copy: Path) -> frozenset[str]:
    """Mutants that do what the function does from which they were made. They differ in nothing but
    what an assertion would say if it were wrong, or in the size of letters of an SQL statement
    without literals, whose words and names every database reads alike."""
    found: set[str] = set()
    for path in (copy / "mutants" / "backend").rglob("*.py.meta"):
        module = path.with_suffix("")
        tree = ast.parse(module.read_text())
        meanings = {
            node.name: ast.dump(_Meaning().visit(node))
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name
        }
        where = ".".join(module.relative_to(copy / "mutants").with_suffix("").parts)
        for name, meaning in meanings.items():
            start, _, number = name.rpartition("__mutmut_")
            if number != "orig" and meaning == meanings[f"{start}__mutmut_orig"]:
                found.add(f"{where}.{name}")
    return frozenset(found)


def sample(names: Iterable[str], every: int, seed: int) -> list[str]:
    """Every ``every``-th name from a seeded start."""
    ordered = sorted(names)
    return ordered[random.Random(seed).randrange(every) :: every]


def report(found: dict[str, dict[str, int | None]], tried: frozenset[str]) -> Counter[str]:
    """Print the score of each module and the survivors; how many were killed, and how many not."""
    total: Counter[str] = Counter()
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
        total.update(counted)
        if counted:
            killed, tests = counted["killed"], counted.total()
            print(f"{module:<56}{killed:>6} of{tests:>6}{100 * killed / tests:>8.1f} %")
    print("\nsurvivors:", *survivors, sep="\n  ")
    return total


def try_area(name: str, options: argparse.Namespace) -> Counter[str]:
    """Try a sample of the mutants of one area."""
    area, copy = AREAS[name], COPIES / name
    modules = [
        module
        for module in area.modules
        if not options.modules or any(module.endswith(f"/{one}") for one in options.modules)
    ]
    if not modules:
        return Counter()
    prepare(copy, modules, options.tests or area.tests)
    make_mutants(copy)
    made = {mutant for results in verdicts(copy).values() for mutant in results}
    everything = made - alike(copy)
    tried = sample(everything, options.every, options.seed)
    print(
        f"{name}: {len(tried)} of {len(everything)} mutants, seed {options.seed}; "
        f"{len(made) - len(everything)} more that nothing can tell apart",
        flush=True,
    )
    _python(copy, "-m", "mutmut", "run", "--max-children", str(options.workers), *tried)
    return report(verdicts(copy), frozenset(tried))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--area", nargs="*", choices=tuple(AREAS), default=tuple(AREAS))
    parser.add_argument("--modules", nargs="*", default=())
    parser.add_argument("--tests", nargs="*", help="ask these instead of the area's")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    found = {name: counted for name in options.area if (counted := try_area(name, options))}
    scores = {name: 100 * counted["killed"] / counted.total() for name, counted in found.items()}
    print()
    for name, counted in found.items():
        print(
            f"{name}: {counted['killed']} of {counted.total()} found, {scores[name]:.1f} %, "
            f"target {TARGET:.0f} %"
        )
    raise SystemExit(not scores or min(scores.values()) < TARGET)


if __name__ == "__main__":
    main()
