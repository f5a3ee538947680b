"""The anchoring steps in a process of their own, which a failpoint may kill.

Processes are forked from a warm server process, since importing everything anew costs seconds.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import sys
import time
import traceback
from pathlib import Path

from backend.service_layer import failpoints
from tests.integration.anchoring import network as networks

_LEASE_SECONDS = 0.2
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def run_worker(
    url: str, folder: Path, failpoint: str = "", passes: int = 3, finality_blocks: int = 1
) -> int:
    """Run so many passes; the exit status, -9 when it was killed."""
    process = _context.Process(
        target=_work, args=(url, folder, failpoint, passes, finality_blocks), daemon=True
    )
    process.start()
    process.join(60)
    assert process.exitcode is not None, "the worker process hangs"
    return process.exitcode


def _work(url: str, folder: Path, failpoint: str, passes: int, finality_blocks: int) -> None:
    try:
        failpoints._armed = failpoint
        network = networks.TestNetwork(url, folder, finality_blocks)
        deps = dataclasses.replace(network.deps, lease_seconds=_LEASE_SECONDS)
        time.sleep(_LEASE_SECONDS)  # a killed predecessor's lease runs out
        for _ in range(passes):
            networks.run_steps(deps)
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        raise
