"""Any calls in any order: a Hypothesis state machine over an arena.

Hypothesis chooses the calls and their order and cuts a failing run down to the steps that matter;
what a call carries is made from the one number that it draws for the step, see `choices`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.contracts.arena import Arena, shown
from tests.contracts.choices import Choices

NUMBER = st.integers(0, 2**32 - 1)


def state_machine(
    make_arena: Callable[[], Arena], leave: Callable[[Arena], None] = Arena.check_views
) -> type[RuleBasedStateMachine]:
    """A machine of which each run begins with a fresh arena and ends with `leave`."""

    class Machine(LedgerMachine):
        def __init__(self) -> None:
            super().__init__()
            self.arena = make_arena()
            self.arena.trace = _tell
            self.choices = Choices(self.arena)

        def teardown(self) -> None:
            leave(self.arena)

    return Machine


def _tell(call: object) -> None:
    """Hypothesis prints notes for the run that it reports, and only then."""
    note(_Call(call))


class _Call:
    def __init__(self, call: object) -> None:
        self._call = call

    def __repr__(self) -> str:
        return shown(self._call)


class LedgerMachine(RuleBasedStateMachine):
    """One rule a call, the commonest twice."""

    arena: Arena
    choices: Choices
    steps = 0

    def chance(self, number: int) -> Random:
        """Hypothesis likes to draw a number again; another step makes something else of it."""
        self.steps += 1
        return Random(number + (self.steps << 32))

    @rule(number=NUMBER)
    def lodge(self, number: int) -> None:
        self.choices.leaf_call("lodge", self.chance(number))

    @rule(number=NUMBER)
    def lodge_again(self, number: int) -> None:
        self.choices.leaf_call("lodge", self.chance(number))

    @rule(number=NUMBER)
    def settle(self, number: int) -> None:
        self.choices.claim_call("settle", self.chance(number))

    @rule(number=NUMBER)
    def settle_again(self, number: int) -> None:
        self.choices.claim_call("settle", self.chance(number))

    @rule(number=NUMBER)
    def release(self, number: int) -> None:
        self.choices.claim_call("release", self.chance(number))

    @rule(number=NUMBER)
    def renew(self, number: int) -> None:
        self.choices.claim_call("renew", self.chance(number))

    @rule(number=NUMBER)
    def expire(self, number: int) -> None:
        self.choices.claim_call("expire", self.chance(number))

    @rule(number=NUMBER)
    def supplement(self, number: int) -> None:
        self.choices.claim_call("supplement", self.chance(number))

    @rule(number=NUMBER)
    def recover(self, number: int) -> None:
        self.choices.claim_call("recover", self.chance(number))

    @rule(number=NUMBER)
    def supersede(self, number: int) -> None:
        self.choices.leaf_call("supersede", self.chance(number))

    @rule(number=NUMBER)
    def withdraw(self, number: int) -> None:
        # Most runs would soon have nothing but void bills.
        chance = self.chance(number)
        if chance.random() < 0.3:
            self.choices.leaf_call(chance.choice(["void", "reverse"]), chance)

    @rule(number=NUMBER)
    def exchange(self, number: int) -> None:
        self.choices.leaf_call("exchangeToPaper", self.chance(number))

    @rule(number=NUMBER)
    def return_paper(self, number: int) -> None:
        self.choices.leaf_call("returnPaper", self.chance(number))

    @rule(number=NUMBER)
    def ruling(self, number: int) -> None:
        self.choices.ruling(self.chance(number))

    @rule(number=NUMBER)
    def anchor(self, number: int) -> None:
        chance = self.chance(number)
        if chance.random() < 0.4:
            self.choices.anchor(chance)

    @rule(number=NUMBER)
    def authority(self, number: int) -> None:
        self.choices.authority(self.chance(number))

    @rule(number=NUMBER)
    def wait(self, number: int) -> None:
        self.choices.wait(self.chance(number))

    @rule(number=NUMBER)
    def expiry_after_a_pause(self, number: int) -> None:
        self.choices.expiry_after_a_pause(self.chance(number))

    @rule(number=NUMBER)
    def second_number_ruled_free(self, number: int) -> None:
        self.choices.second_number_ruled_free(self.chance(number))
