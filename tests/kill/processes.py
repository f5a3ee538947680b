"""Worker processes that may be killed: forked from a warm server process, since importing
everything anew costs seconds."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from multiprocessing.process import BaseProcess
from pathlib import Path

from backend.entrypoints import anchor_worker
from backend.service_layer import failpoints
from tests.kill.town import Town

PAUSE_SECONDS = 0.02
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def start_worker(town: Town, failpoint: str) -> BaseProcess:
    """A worker of the town, which ends itself at the failpoint (empty: at none)."""
    process = _context.Process(
        target=_work, args=(town.url, town.folder, town.database_url, failpoint), daemon=True
    )
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    """SIGKILL to a process that was started here, wherever it is."""
    if process.is_alive() and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join(10)


def _work(url: str, folder: Path, database_url: str, failpoint: str) -> None:
    try:
        failpoints._armed = failpoint
        # The same loop, with less waiting in it.
        anchor_worker.PAUSE_SECONDS = PAUSE_SECONDS  # type: ignore[misc]
        anchor_worker.STANDBY_SECONDS = PAUSE_SECONDS  # type: ignore[misc]
        Town(url, folder, database_url).worker().run()
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        raise
