"""A year worked out again: more for one, less for another, which two people confirm."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from backend.adapters.database import tables
from backend.service_layer.clearing.confirm import confirm
from backend.service_layer.clearing.run import run_year
from backend.service_layer.recovery.people import Incoming, receive
from tests.integration.clearing.cleared_world import (
    FILED_FEN,
    SECOND_FILED_FEN,
    SECOND_UNFILED_FEN,
    UNFILED_FEN,
    learn_filing,
    new_year,
    paid_twice,
    paid_with_filing,
)
from tests.kill.money_stage import MoneyStage
from tests.kill.stage import Scene

BY, ONE, OTHER, WHY = "清算员甲", "经办甲", "经办乙", "已核对备案"


def stage(folder: Path, url: str | None = None) -> MoneyStage:
    """It is January. One person is owed 84.00 and 60.00 more, another one 84.00 less."""
    made = MoneyStage(folder, url)
    one, other = made.person("one"), made.person("other")
    claims = [*paid_twice(made.world, one), paid_with_filing(made.world, other)]
    for name, claim in zip(("one first", "one second", "other first"), claims, strict=True):
        made.bills[name] = claim.invoice_id
    learn_filing(made.world, one)
    learn_filing(made.world, other, withdrawn=True)
    new_year(made.world)
    return made


def confirms(by: str) -> Scene:
    def act(stage: MoneyStage) -> None:
        (item,) = [row.id for row in stage.rows(tables.clearing_item) if row.outcome == "proposed"]
        confirm(stage.services, item, by, WHY)

    return Scene(f"{by} confirms", act)


def comes_back(stage: MoneyStage) -> None:
    (order,) = stage.rows(tables.recovery_order)
    money = Incoming("B-1", order.id, FILED_FEN - UNFILED_FEN, dt.date(2027, 1, 15))
    receive(stage.services, money, by=ONE)


def clears(stage: MoneyStage) -> Any:
    return run_year(stage.services, 2026, by=BY)


SCENES = [
    Scene("the year is cleared", clears),
    Scene("more is paid", lambda s: s.works()),
    confirms(ONE),
    confirms(OTHER),
    Scene("less comes back", comes_back),
    Scene("worker", lambda s: s.works()),
]

CREDITS = {
    "one 1111": sorted(
        [
            UNFILED_FEN,
            FILED_FEN - UNFILED_FEN,
            SECOND_UNFILED_FEN,
            SECOND_FILED_FEN - SECOND_UNFILED_FEN,
        ]
    ),
    "other 1111": [FILED_FEN],
}
