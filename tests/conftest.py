"""What every test gets: no network but loopback, no sockets at all in unit tests, reproducible
property tests in CI, and ``--fail-on-skip`` for the place where nothing may be skipped, except for
want of both geth and Go."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from scripts.geth_binary import NO_GETH_NO_GO
from tests.chromium import browser, shots
from tests.postgresql import postgresql_server, postgresql_url

__all__ = ["browser", "postgresql_server", "postgresql_url", "shots"]

_TESTS = Path(__file__).parent
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--fail-on-skip``: a skipped test fails the run."""
    parser.addoption(
        "--fail-on-skip", action="store_true", help="fail the run if any test was skipped"
    )


class NetworkBlockedError(AssertionError):
    """A test tried to reach something that is not this machine."""


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only loopback may be reached, and from ``tests/unit`` nothing at all."""
    unit = request.path.is_relative_to(_TESTS / "unit")
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        local = self.family == socket.AF_UNIX or (
            isinstance(address, tuple) and address[0] in _LOOPBACK
        )
        if unit or not local:
            raise NetworkBlockedError(f"a test tried to connect to {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


_skipped: list[str] = []


def _is_allowed(report: pytest.TestReport) -> bool:
    """Four validators need a geth that only Go can build: its absence is the one skip allowed."""
    why = report.longrepr
    return isinstance(why, tuple) and why[2] == f"Skipped: {NO_GETH_NO_GO}"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count skips; on the controller this sees the reports of every worker."""
    # An expected failure is reported as skipped, but it did run.
    if report.skipped and not hasattr(report, "wasxfail") and not _is_allowed(report):
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A module that skips itself counts too."""
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With ``--fail-on-skip`` a run with skips is a failed run."""
    if session.config.getoption("--fail-on-skip") and _skipped and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say why such a run failed."""
    if config.getoption("--fail-on-skip") and _skipped:
        terminalreporter.write_line(
            f"FAILED: {len(_skipped)} skipped with --fail-on-skip; each is named above", red=True
        )
