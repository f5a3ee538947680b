"""pytest plugin of ``scripts/mutation.py``: ask the quickest tests first, and some not at all.

A mutant ends with the first test that fails, so a slow test is asked only when no quick one has an
objection. Files stay together, so that what a module prepares once is prepared once. What each
test took is read from mutmut's notes beside the tests; before there are any, the order is pytest's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

NOTES = Path("mutmut-stats.json")


def _is_asked(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function):
        return True
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    needs_server = "postgresql_server" in item.fixturenames or "postgresql" in parameters
    return not needs_server and not getattr(item.obj, "is_hypothesis_test", False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by the quickest test of the file, then by the time of the test."""
    items[:] = [item for item in items if _is_asked(item)]
    if not NOTES.exists():
        return
    took: dict[str, float] = json.loads(NOTES.read_text())["duration_by_test"]
    seconds = {item.nodeid: took.get(item.nodeid, 0.0) for item in items}
    by_file: dict[Path, list[float]] = defaultdict(list)
    for item in items:
        by_file[item.path].append(seconds[item.nodeid])
    items.sort(
        key=lambda one: (
            min(by_file[one.path]), str(one.path), seconds[one.nodeid], one.nodeid,
        )
    )  # fmt: skip


def pytest_collection_finish(session: pytest.Session) -> None:
    """While tests are only collected, which mutmut does once in the process that it forks all
    others from, make the migrated database that each of them then only copies."""
    if session.config.option.collectonly and any(
        "integration" in item.path.parts for item in session.items
    ):
        from tests.migrated import _template

        _template()
