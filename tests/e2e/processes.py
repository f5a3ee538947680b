"""The processes of a real system under test: started, stopped, killed, their output kept."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
YICHU = (sys.executable, "-m", "backend.entrypoints.cli.main")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(what: str, ask: Callable[[], T], seconds: float = 30.0, every: float = 0.05) -> T:
    """The first truthy answer of ``ask``; fails naming ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            answer = ask()
        except (OSError, AssertionError) as error:
            last = error
        else:
            if answer:
                return answer
            last = answer
        time.sleep(every)
    raise AssertionError(f"waited {seconds:.0f} s for {what}; last: {last!r}")


class Process:
    """One child process. Only the process that was started here is ever signalled."""

    def __init__(self, name: str, argv: tuple[str, ...], env: dict[str, str], log: Path) -> None:
        self.name = name
        self._argv = argv
        self._env = env
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, **more: str) -> None:
        assert not self.is_running, f"{self.name} runs already"
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                self._argv,
                env={**self._env, **more},
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pids(self) -> list[int]:
        """The process and what it has started, those that run."""
        if self._child is None or not self.is_running:
            return []
        found = [self._child.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in task.read_text().split()]
        return found

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def wait(self, seconds: float) -> int:
        assert self._child is not None
        return self._child.wait(timeout=seconds)

    def stop(self, seconds: float = 20) -> int:
        """SIGTERM, as the supervisor does; the exit status."""
        return self._signal(signal.SIGTERM, seconds)

    def kill(self) -> int:
        """SIGKILL to the process and what it started: no chance to tidy up."""
        return self._signal(signal.SIGKILL, 10)

    def _signal(self, number: signal.Signals, seconds: float) -> int:
        if self._child is None:
            return 0
        if self._child.poll() is None:
            os.killpg(self._child.pid, number)
        try:
            return self._child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)
            return self._child.wait(timeout=10)
