"""Runs of model and contract side by side, on the dev ledger or on anvil, each from one start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.contracts.anvil_chain import AnvilCalls, AnvilChain
from tests.contracts.arena import Arena, Seen, anchored, deployed, model_of, shown
from tests.contracts.bills import Call, Desk, Outcome
from tests.contracts.chain import Chain
from tests.contracts.choices import Choices
from tests.contracts.direct import DirectCalls
from tests.contracts.machine import state_machine

Without = frozenset[tuple[Call, Outcome]]
PROFILE = settings(
    # The node's time is no fault of a call, and no example needs replaying from a file.
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)


class Ground:
    """A chain with the pools' batches, to which every run returns."""

    def __init__(self, chain: Chain) -> None:
        contracts, self._batches = deployed(chain), anchored(Desk(chain))
        self.registry = model_of(chain)
        if isinstance(chain, AnvilChain):
            self._calls: AnvilCalls | DirectCalls = AnvilCalls(chain, contracts)
            self._snapshot: Callable[[], Any] = chain.tester.take_snapshot
            self._revert: Callable[[Any], None] = chain.tester.revert_to_snapshot
        else:
            direct = self._calls = DirectCalls(chain, contracts)
            self._snapshot, self._revert = direct.snapshot, direct.revert
        self._start: Any = None
        self.seen: Seen = Seen()

    def arena(self, without: Without = frozenset()) -> Arena:
        """Go back to the start and open a run there."""
        if self._start is not None:
            self._revert(self._start)
        self._start = self._snapshot()
        return Arena(self._calls, self.registry, self._batches, self.seen, without)

    def machine(self, without: Without = frozenset()) -> type[RuleBasedStateMachine]:
        return state_machine(lambda: self.arena(without))

    def run_machine(self, examples: int, steps: int, without: Without = frozenset()) -> None:
        """Let Hypothesis choose the calls."""
        profile = settings(PROFILE, max_examples=examples, stateful_step_count=steps)
        run_state_machine_as_test(self.machine(without), settings=profile)

    def walk(self, runs: int, steps: int, without: Without = frozenset(), seed: str = "") -> None:
        """Walk by seeded chance: no two runs are alike, none can be cut down."""
        for run in range(runs):
            with _followed(self.arena(without), f"{seed}{run}") as choices:
                chance = Random(f"{seed}{run}")
                for _ in range(steps):
                    choices.step(chance)
                choices.arena.check_views()


@contextmanager
def _followed(arena: Arena, run: str) -> Iterator[Choices]:
    """Name the run and its last calls when it fails."""
    calls: list[object] = []
    arena.trace = calls.append
    try:
        yield Choices(arena)
    except AssertionError as error:
        error.add_note(f"run {run}, step {len(calls)}, after:")
        for call in calls[-8:]:
            error.add_note(f"  {shown(call)}")
        raise
