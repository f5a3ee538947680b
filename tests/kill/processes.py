"""Worker processes that may be killed: forked from a warm server process, since importing
everything anew costs seconds."""

from __future__ import annotations

import dataclasses
import importlib
import multiprocessing
import os
import pkgutil
import signal
import sys
import traceback
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

import psycopg  # noqa: F401 - SQLAlchemy imports it at the first connection
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite.pysqlite  # noqa: F401

from backend import adapters, service_layer
from backend.adapters.database import engine
from backend.adapters.ledger.network import anchoring_of
from backend.bootstrap import Services
from backend.entrypoints import anchor_worker
from backend.service_layer import failpoints
from backend.service_layer.anchoring.dependencies import Anchoring
from tests.kill.town import Town

PAUSE_SECONDS = 0.02


def _warm(*packages: ModuleType) -> None:
    """Import what a worker imports at its first use, once for all that are forked from here."""
    for package in packages:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


_warm(adapters, service_layer)
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def start_worker(
    town: Town, failpoint: str = "", *, lease_seconds: float = 0, frozen_seconds: int = 0
) -> BaseProcess:
    """A worker of the town, which ends or stops itself at the failpoint (empty: at none).

    ``lease_seconds`` shortens its leases; ``frozen_seconds`` is how long PostgreSQL waits for a
    session that does not go on.
    """
    place = (town.url, town.folder, town.database_url)
    process = _context.Process(
        target=_work, args=(place, failpoint, lease_seconds, frozen_seconds), daemon=True
    )
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    """SIGKILL to a process that was started here, wherever it is."""
    if process.is_alive() and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join(10)


def is_stopped(process: BaseProcess) -> bool:
    """Whether the kernel says that it is stopped (proc(5))."""
    status = Path(f"/proc/{process.pid}/stat").read_text()
    return status.rpartition(")")[2].split()[0] == "T"


def resume(process: BaseProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGCONT)


def _work(
    place: tuple[str, Path, str], failpoint: str, lease_seconds: float, frozen_seconds: int
) -> None:
    try:
        failpoints._armed = failpoint
        if lease_seconds:
            anchor_worker.LEASE_SECONDS = lease_seconds  # type: ignore[misc, assignment]
            anchor_worker.anchoring_of = partial(_with_lease, lease_seconds)  # type: ignore[assignment]
        if frozen_seconds:
            engine.IDLE_IN_TRANSACTION_SECONDS = frozen_seconds  # type: ignore[misc]
        # The same loop, with less waiting in it.
        anchor_worker.PAUSE_SECONDS = PAUSE_SECONDS  # type: ignore[misc]
        anchor_worker.STANDBY_SECONDS = PAUSE_SECONDS  # type: ignore[misc]
        Town(*place).worker().run()
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        raise


def _with_lease(seconds: float, services: Services, owner: str) -> Anchoring:
    return dataclasses.replace(anchoring_of(services, owner), lease_seconds=seconds)
