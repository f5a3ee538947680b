"""Bills in every state, for the tests of every outcome of every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from tests.contracts.bills import PINNED, ZERO, Batch, Bill, Call, Desk, digest
from tests.contracts.chain import CLINIC_CODE, DAY

PLAIN = 48
ODD = (
    Bill("red", kind=3, total=0),
    Bill("bad", borne=10_001),
    Bill("counter", kind=2),
    Bill("nothing", borne=10_000),
    Bill("foreign", code=CLINIC_CODE),
    Bill("two numbers", second="printed"),
    Bill("printed"),
    Bill("other two numbers", second="printed"),
)


@dataclass
class World:
    """A desk, and batches to take bills from, each anchored when first asked for."""

    desk: Desk
    _free: Iterator[int] = field(default_factory=lambda: iter(range(PLAIN)))

    @cached_property
    def first(self) -> Batch:
        """Plain bills."""
        return self.desk.anchor(*(Bill(f"plain {number}") for number in range(PLAIN)))

    @cached_property
    def again(self) -> Batch:
        """Their corrections."""
        return self.desk.anchor(*(bill.corrected() for bill in self.first.bills))

    @cached_property
    def jailed(self) -> Batch:
        """Corrections once more, for a batch under quarantine."""
        bills = self.first.bills
        return self.desk.anchor(*(replace(bill, version="jailed") for bill in bills))

    @cached_property
    def stranger(self) -> Batch:
        """The same numbers in the name of the other institution."""
        bills = [replace(bill, code=CLINIC_CODE) for bill in self.first.bills]
        return self.desk.anchor(*bills, role="clinic")

    @cached_property
    def odd(self) -> Batch:
        """Leaves with something about them."""
        return self.desk.anchor(*ODD)

    @cached_property
    def odd_again(self) -> Batch:
        """Their corrections."""
        return self.desk.anchor(*(bill.corrected() for bill in self.odd.bills))

    def take(self) -> int:
        """The place of a plain bill that no case has touched."""
        return next(self._free)

    def bill(self, place: int) -> Bill:
        return self.first.bills[place]

    def place_of(self, name: str) -> int:
        return [bill.name for bill in ODD].index(name)

    def registry(self, name: str, *arguments: Any, role: str = "registrar") -> None:
        self.desk.chain.send(self.desk.chain.registry.functions[name](*arguments), role)

    # ------------------------------------------------------------------- bills in certain states

    def lodged(self, role: str = "basic", batch: Batch | None = None) -> int:
        place = self.take()
        self.desk.lodge(self.first if batch is None else batch, place, role=role)
        return place

    def settled(self, amount: int = 4_000, role: str = "basic") -> int:
        place = self.lodged(role)
        self.desk.settle(self.bill(place), 1, amount, role=role)
        return place

    def released(self) -> int:
        place = self.lodged()
        self.desk.release(self.bill(place))
        return place

    def void(self, place: int | None = None) -> int:
        place = self.take() if place is None else place
        self.desk.void(self.first, place)
        return place

    def reversed(self, place: int | None = None) -> int:
        place = self.take() if place is None else place
        self.desk.reverse(self.first, place)
        return place

    def on_paper(self, place: int | None = None, paper: str | None = None) -> int:
        place = self.take() if place is None else place
        self.desk.exchange(self.first, place, digest(paper or f"paper of {place}"))
        return place

    def paper_of_another(self) -> int:
        """The place of a bill whose key is the paper of another bill."""
        place, other = self.take(), self.take()
        self.desk.exchange(self.first, other, self.bill(place).key)
        return place

    def bound_by_stranger(self) -> int:
        place = self.take()
        self.desk.rule_for(self.stranger, place, PINNED)
        return place

    def superseded(self) -> int:
        place = self.take()
        self.desk.supersede((self.first, place), (self.again, place))
        return place

    def alias(self) -> int:
        """The place among `odd` of a second key that is bound elsewhere."""
        if not self.desk.state(ODD[5])["reference"]:
            self.desk.rule_for(self.odd, 5)
        return 6

    # ------------------------------------------------------------------------------- conditions

    def _anchor_before(self) -> None:
        """What a case under a condition may need: no batch can be anchored meanwhile."""
        assert self.first.sequence < self.again.sequence

    def paused(self) -> Callable[[], None]:
        self._anchor_before()
        self.registry("pause", role="pauser")
        return lambda: self.registry("unpause", role="pauser")

    def suspended(self, call: Call) -> Callable[[], None]:
        self._anchor_before()
        kind = "suspendInstitution" if call in ISSUER_CALLS else "suspendPayer"
        self.registry(kind, 1, True)
        return lambda: self.registry(kind, 1, False)

    def quarantined(self, batch: Batch) -> Callable[[], None]:
        self.desk.quarantine(batch)
        return lambda: self.desk.quarantine(batch, lifted=True)

    def later(self, days: int) -> None:
        self.desk.chain.travel(self.desk.chain.now() + days * DAY)


ISSUER_CALLS = (Call.SUPERSEDE, Call.VOID, Call.REVERSE, Call.EXCHANGE, Call.RETURN)
NO_PROOF: list[bytes] = [ZERO]
