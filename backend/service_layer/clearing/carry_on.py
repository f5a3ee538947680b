"""The worker's part of a clearing: a run that was begun at a desk, or that was cut off, goes on.

A run at which somebody is, at the command line or in another process, is left alone. Two that
clear the same year at once do no harm: each person is done by one of them.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from backend.service_layer.clearing.ports import ClearingServices
from backend.service_layer.clearing.records import Run
from backend.service_layer.clearing.run import Figures, clear_person, end_run, people_of_year
from backend.service_layer.failpoints import reach

IDLE: Final = dt.timedelta(seconds=15)
"""How long nobody has been through with anybody before the worker takes a run over."""

PASS: Final = dt.timedelta(seconds=1)
"""After so long the rest is left to the next pass: claims have their steps meanwhile."""

_RUNS: Final = 50


class ClearingInWorker:
    """Goes on with one run at a time; remembers which, so that only a first pass waits."""

    def __init__(self, deps: ClearingServices) -> None:
        self._deps = deps
        self._at: str | None = None

    def advance(self) -> int:
        """One pass; returns how many people it has been through."""
        run = self._run()
        self._at = None if run is None else run.id
        return 0 if run is None else self._go_on(run)

    def _run(self) -> Run | None:
        now = self._deps.clock.now()
        with self._deps.work(write=False) as work:
            for run in work.clearings.runs(limit=_RUNS):
                if run.ended_at is not None:
                    continue
                last = work.clearings.last_at(run.id) or run.started_at
                if run.id == self._at or now - last >= IDLE:
                    return run
        return None

    def _go_on(self, run: Run) -> int:
        began, cleared = self._deps.clock.now(), 0
        with self._deps.work(write=False) as work:
            done = work.clearings.people_done(run.id)
        for person_id in people_of_year(self._deps, run.year):
            if person_id in done:
                continue
            clear_person(self._deps, run, person_id, Figures())
            reach("clearing.person-done")
            cleared += 1
            if self._deps.clock.now() - began >= PASS:
                return cleared
        end_run(self._deps, run)
        return cleared
