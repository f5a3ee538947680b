"""Child processes: start, watch, stop.

Every child leads a process group of its own, so Ctrl-C in the terminal reaches the supervisor
alone and the order of stopping is ours. A child that dies brings the family down, with its last
log lines in the message, unless it may refuse to work and ends with that exit status. On Linux a
child is also told to stop when the supervisor itself is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from backend.domain.errors import DomainError

#: After SIGTERM a child has this long before SIGKILL.
STOP_SECONDS = 8.0
LOG_TAIL_LINES = 15
LOG_MAX_BYTES = 10 * 1024 * 1024
_POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1


class ChildDiedError(DomainError):
    """A process of the system ended although nobody stopped it, or a step failed."""

    code = "process-died"


class StopRequestedError(Exception):
    """Ctrl-C or SIGTERM: the family stops, and this is no failure."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: a name for messages and the log file, and the argument list."""

    name: str
    argv: tuple[str, ...]


class Family:
    """The running children, and the flag that a signal sets."""

    def __init__(self, folder: Path, log_folder: Path, environment: Mapping[str, str]) -> None:
        """``folder`` is the working directory of the children; logs go to ``log_folder``."""
        self._folder = folder
        self._log_folder = log_folder
        self._environment = dict(environment)
        self._children: list[tuple[Command, subprocess.Popen[bytes]]] = []
        self._may_refuse: dict[str, int] = {}
        self._refused: list[str] = []
        self.stop_requested = False
        self._hurry = False
        log_folder.mkdir(parents=True, exist_ok=True)

    def catch_signals(self) -> None:
        """SIGINT and SIGTERM ask the family to stop; a second one does not wait."""

        def ask(_number: int, _frame: object) -> None:
            self._hurry = self.stop_requested
            self.stop_requested = True

        signal.signal(signal.SIGINT, ask)
        signal.signal(signal.SIGTERM, ask)

    def start(self, command: Command, *, may_refuse: int | None = None) -> None:
        """Start a child that is meant to live until the family stops.

        ``may_refuse`` is an exit status with which it may end, and the others go on: see
        :meth:`take_refusals`.
        """
        if may_refuse is not None:
            self._may_refuse[command.name] = may_refuse
        with self._open_log(command.name).open("ab") as log:
            child = self._spawn(command, log)
        self._children.append((command, child))

    def run(self, command: Command, *, show: bool = False, expected: tuple[int, ...] = (0,)) -> int:
        """Run a step to its end, watching the family; ``show`` prints its output.

        Returns the exit status, one of ``expected``. Raises :class:`ChildDiedError` for any
        other, :class:`StopRequestedError` on a signal.
        """
        if show:
            child = self._spawn(command, None)
        else:
            with self._open_log(command.name).open("ab") as log:
                child = self._spawn(command, log)
        try:
            self.wait_until(lambda: child.poll() is not None)
        except BaseException:
            _stop(child, time.monotonic() + STOP_SECONDS)
            raise
        status = int(child.returncode)
        if status not in expected:
            raise self._died(command, status, shown=show)
        return status

    def wait_until(self, ready: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait for a condition; False after ``seconds``.

        Raises as :meth:`check` does.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while not ready():
            self.check()
            if deadline is not None and time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def check(self) -> None:
        """Raise if a signal came or a child died."""
        if self.stop_requested:
            raise StopRequestedError
        for entry in list(self._children):
            command, child = entry
            if child.poll() is None:
                continue
            if child.returncode != self._may_refuse.get(command.name):
                raise self._died(command, child.returncode, shown=False)
            self._children.remove(entry)
            self._refused.append(command.name)

    def take_refusals(self) -> list[str]:
        """Names of the children that have refused to work since the last call."""
        found, self._refused = self._refused, []
        return found

    def watch(self) -> None:
        """Wait until a signal comes or a child dies; always raises."""
        self.wait_until(lambda: False)

    def stop(self) -> None:
        """Stop every child, the last started first, so that nobody loses what it depends on."""
        while self._children:
            _, child = self._children.pop()
            _stop(child, time.monotonic() + (0 if self._hurry else STOP_SECONDS))

    def log_tail(self, name: str) -> Sequence[str]:
        """The last lines of a child's log."""
        path = self._log_folder / f"{name}.log"
        if not path.is_file():
            return ()
        with path.open(encoding="utf-8", errors="replace") as lines:
            return tuple(line.rstrip("\n") for line in deque(lines, LOG_TAIL_LINES))

    def _spawn(self, command: Command, log: IO[bytes] | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  # our own commands
            command.argv,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=None if log is None else subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )

    def _open_log(self, name: str) -> Path:
        path = self._log_folder / f"{name}.log"
        if path.is_file() and path.stat().st_size > LOG_MAX_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    def _died(self, command: Command, status: int, *, shown: bool) -> ChildDiedError:
        how = f"signal {-status}" if status < 0 else f"exit {status}"
        tail = () if shown else self.log_tail(command.name)
        lines = "".join(f"\n  | {line}" for line in tail)
        where = "" if shown else f" ({self._log_folder / (command.name + '.log')})"
        return ChildDiedError(
            f"进程 {command.name} 已结束({how}),系统停止。{'日志' + where if where else ''}",
            f"{command.name} ended ({how}), so the system stops.{' Log' + where if where else ''}"
            f"{lines}",
        )


def _die_with_parent() -> None:
    """In the child, before exec: SIGTERM when the supervisor is gone (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(child: subprocess.Popen[bytes], deadline: float) -> None:
    """SIGTERM to the leader, wait, then SIGKILL to the whole group."""
    if child.poll() is None:
        child.terminate()
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    # Also what the leader left behind; a group without processes is gone already.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
