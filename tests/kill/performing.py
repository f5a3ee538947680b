"""How a play is performed: once with nobody killed, and again with a process dying at every
boundary, or at one alone."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.kill.stage import Boundary, Scene

EACH: Final = 3
"""How many of the commits that one place makes in one scene are aimed at: a worker that looks at a
claim which waits commits the same row at the same place in every pass."""


@dataclass
class Performance:
    """A stage, what was passed when nobody was killed, and what the system was like in the end."""

    name: str
    stage: Any
    scenes: Sequence[Scene]
    snapshots: Path
    boundaries: list[Boundary] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0

    @classmethod
    def of(cls, play: Any, folder: Path) -> Performance:
        """The play with nobody killed; its end is what the play's own page says."""
        folder.mkdir()
        name = play.__name__.rpartition(".")[2]
        made = cls(name, play.stage(folder / "stage"), play.SCENES, folder / "snapshots")
        began = time.monotonic()
        made.boundaries = made.stage.count(made.scenes, made.snapshots)
        made.seconds = time.monotonic() - began
        made.summary = made.look()
        assert made.summary["bank"] == play.CREDITS
        return made

    def look(self) -> dict[str, Any]:
        """The end of a performance: every rule of the reconciliation agrees."""
        self.stage.recall()
        self.stage.assert_clean()
        found: dict[str, Any] = self.stage.summary()
        self.stage.services.engine.dispose()
        return found

    @property
    def aims(self) -> frozenset[Boundary]:
        return frozenset(one for one in self.boundaries if one.number <= EACH)

    def again(self, start: int, aims: frozenset[Boundary]) -> frozenset[Boundary]:
        """From the beginning of a scene to the end, a process dying at each aim that it comes to;
        returns where one died."""
        self.stage.restore(self.snapshots / str(start))
        deaths = 0
        while (status := self.stage.play(self.scenes, aims)) != 0:
            assert status == -signal.SIGKILL, self.stage.told()
            deaths += 1
            assert deaths <= len(aims), "a process died where none was to"
        told = differences(self.summary, self.look())
        assert told == [], told
        died: frozenset[Boundary] = self.stage.died()
        assert len(died) == deaths
        return died


def differences(wanted: dict[str, Any], found: dict[str, Any], where: str = "") -> list[str]:
    """What an end has otherwise than the one in which nobody was killed, in words."""
    told = []
    for name in sorted({*wanted, *found}):
        one, other = wanted.get(name), found.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            told += differences(one, other, f"{where}{name}: ")
        elif one != other:
            told.append(f"{where}{name}: {other} instead of {one}")
    return told
