"""A small system whose worker, people and bank are played in processes that may be killed.

A play is a list of scenes. Each run of it is a forked process: what must outlive a SIGKILL is the
database, the bank's folder with its own book, the messenger's folder, and one file with the test's
ledger and clock, which is written while nothing is armed. A scene that was cut off is played again
by the next process, as a person repeats a command whose answer never came.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.domain.errors import DomainError
from backend.service_layer import failpoints
from tests.kill.commit_sites import Site, site_of

KEPT: Final = "kept.pickle"
TOLD: Final = "told.txt"
PASSED: Final = "passed.txt"
DIED: Final = "died.txt"
CUT: Final = "cut"
LIMIT_SECONDS: Final = 120
FAILED: Final = 3


@dataclass(frozen=True)
class Scene:
    """One act of one person, or what a worker does until nothing moves."""

    name: str
    act: Callable[[Any], object]


@dataclass(frozen=True)
class Boundary:
    """A commit of a play: in which scene, where it is written, and the how manieth there that
    became durable; ``moment`` is ``before`` or ``after`` it did."""

    scene: int
    site: Site
    number: int
    moment: str

    def line(self) -> bytes:
        return f"{self.scene}|{self.site}|{self.number}|{self.moment}\n".encode()


@dataclass
class Kept:
    """What outlives the processes of a run besides the folders: all of it is the test's own."""

    scene: int
    ledger: dict[str, Any]
    now: Any
    notes: dict[str, Any]


class Stage:
    """``folder`` has everything that a play changes. ``services`` are those of a small world."""

    def __init__(self, folder: Path, services: Any, ledger: Any) -> None:
        self.folder, self.services, self.ledger = folder, services, ledger
        self.notes: dict[str, Any] = {}
        self.is_again = False
        self.scene = 0
        self._is_quiet = False

    # --- what outlives a process --------------------------------------------------------------

    def keep(self) -> None:
        """Write down what the test itself knows; nothing is armed and nothing can be lost here."""
        kept = Kept(self.scene, self.ledger.__dict__, self.services.clock.now(), self.notes)
        path = self.folder / KEPT
        path.with_suffix(".tmp").write_bytes(pickle.dumps(kept))
        path.with_suffix(".tmp").replace(path)

    def recall(self) -> None:
        kept: Kept = pickle.loads((self.folder / KEPT).read_bytes())
        self.ledger.__dict__.update(kept.ledger)
        clock = self.services.clock
        clock.advance((kept.now - clock.now()).total_seconds())
        self.notes, self.scene = kept.notes, kept.scene

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """The test's own doing: no point is armed and no commit is counted."""
        armed, failpoints._armed, self._is_quiet = failpoints._armed, "", True
        try:
            yield
        finally:
            failpoints._armed, self._is_quiet = armed, False

    # --- processes ----------------------------------------------------------------------------

    def fork(self, act: Callable[[], None]) -> int:
        """Do something in a process of its own; returns how it ended (negative: by a signal)."""
        self.services.engine.dispose()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            status = FAILED
            try:
                signal.alarm(LIMIT_SECONDS)
                act()
                status = 0
            except BaseException:  # noqa: BLE001 - the end of the process; the parent shows it
                (self.folder / TOLD).write_text(traceback.format_exc())
            os._exit(status)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        self.services.engine.dispose()

    def told(self) -> str:
        path = self.folder / TOLD
        return path.read_text() if path.exists() else "nothing was told"

    def count(self, scenes: Sequence[Scene], snapshots: Path) -> list[Boundary]:
        """Play everything once and kill nobody; a copy of the folder is kept before each scene.
        Returns every boundary that was passed."""
        shutil.rmtree(snapshots, ignore_errors=True)
        snapshots.mkdir()

        def run() -> None:
            self._watch_commits(frozenset())
            for index, scene in enumerate(scenes):
                self.scene = index
                self.keep()
                self.services.engine.dispose()
                shutil.copytree(self.folder, snapshots / str(index))
                scene.act(self)
            self.scene = len(scenes)
            self.keep()

        assert self.fork(run) == 0, self.told()
        return self._lines(PASSED)

    def play(self, scenes: Sequence[Scene], aims: frozenset[Boundary]) -> int:
        """Go on from the scene that was not ended, in a new process that dies at the first of
        these boundaries at which none died before; returns how it ended."""
        is_cut = (self.folder / CUT).exists()

        def run() -> None:
            self.recall()
            self.is_again = is_cut
            self._watch_commits(aims)
            for scene in scenes[self.scene :]:
                try:
                    scene.act(self)
                except DomainError:
                    if not self.is_again:
                        raise
                    # It was done, and says so when it is asked for once more.
                (self.folder / CUT).unlink(missing_ok=True)
                self.is_again = False
                self.scene += 1
                self.keep()

        status = self.fork(run)
        if status == -signal.SIGKILL:
            (self.folder / CUT).touch()
        return status

    def died(self) -> frozenset[Boundary]:
        """Where processes died since the folder was put back to a copy."""
        return frozenset(self._lines(DIED))

    def _lines(self, name: str) -> list[Boundary]:
        path = self.folder / name
        found = []
        for line in path.read_text().splitlines() if path.exists() else []:
            scene, site, number, moment = line.split("|")
            found.append(Boundary(int(scene), site, int(number), moment))
        return found

    def _watch_commits(self, aims: frozenset[Boundary]) -> None:
        """Write down each boundary as it is passed, and arm the product's own point at an aim at
        which nobody has died yet. The lines stay when the process is killed."""
        original = SqlUnitOfWork.commit
        left = set(aims) - self.died()
        # A commit is durable when its process came to the moment after it.
        done = Counter((o.scene, o.site) for o in self._lines(PASSED) if o.moment == "after")
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        passed, died = (os.open(self.folder / name, flags, 0o600) for name in (PASSED, DIED))

        def commit(work: SqlUnitOfWork) -> None:
            frame: FrameType | None = sys._getframe(1)
            if self._is_quiet or frame is None:
                original(work)
                return
            site = site_of(frame.f_code.co_filename, frame.f_lineno)
            done[self.scene, site] += 1
            place = (self.scene, site, done[self.scene, site])
            before, after = Boundary(*place, "before"), Boundary(*place, "after")
            os.write(passed, before.line())
            if before in left:
                os.write(died, before.line())
                failpoints._armed = failpoints.BOUNDARIES[0]
            else:
                os.write(passed, after.line())
                if after in left:
                    os.write(died, after.line())
                    failpoints._armed = failpoints.BOUNDARIES[1]
            original(work)

        SqlUnitOfWork.commit = commit  # type: ignore[method-assign]

    def restore(self, snapshot: Path) -> None:
        """Put the folder back to a copy of it."""
        self.services.engine.dispose()
        shutil.rmtree(self.folder)
        shutil.copytree(snapshot, self.folder)

    def rows(self, table: sa.Table) -> list[Any]:
        with self.services.engine.connect() as connection:
            return list(connection.execute(sa.select(table)))
