"""What other users of the machine could see of a system's processes: proc(5)."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

_OURS = b"YICHU_VAR="


class ProcessWatch:
    """Collects command lines and environments of all processes of one system while it runs,
    short-lived ones too: a thread looks many times a second."""

    def __init__(self, var: Path) -> None:
        self._mark = _OURS + str(var).encode()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.command_lines: set[bytes] = set()
        self.environments: set[bytes] = set()

    def __enter__(self) -> ProcessWatch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.03):
            self.look()

    def look(self) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes()
                if self._mark in environment.split(b"\x00"):
                    self.environments.add(environment)
                    self.command_lines.add((folder / "cmdline").read_bytes())
            except OSError:  # it ended, or is another user's
                continue
