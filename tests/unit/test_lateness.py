"""Why ledger work stands still, as /readyz says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backend.service_layer.anchoring.status import late_because


@dataclass
class Alarm:
    code: str
    detail: str


@dataclass
class Board:
    """Open alarms, and a unit of work that has nothing else."""

    found: list[Alarm] = field(default_factory=list)

    @property
    def alarms(self) -> Any:
        return self

    def open_alarms(self) -> list[Alarm]:
        return self.found


def test_a_standing_chain_is_told_with_its_detail() -> None:
    board: Any = Board([Alarm("chain-stalled", "no block after 71 for 4 s; 2 transactions wait")])
    assert late_because(board) == ["chain-stalled: no block after 71 for 4 s; 2 transactions wait"]


def test_alarms_that_may_name_a_node_a_bill_or_a_person_are_not_told() -> None:
    board: Any = Board([Alarm("node-failing", "http://10.0.0.1:8545"), Alarm("payout-held", "x")])
    assert late_because(board) == []


def test_nothing_is_late_without_alarms() -> None:
    board: Any = Board()
    assert late_because(board) == []
