"""A year cleared: differences alone are booked, once, and the statement ties to the journal."""

from __future__ import annotations

import pytest

from backend.domain.claim import ClaimState
from backend.domain.clearing import Finding, YearOpenError
from backend.domain.journal import Layer
from backend.domain.recovery import State
from backend.domain.revision import Cause
from backend.service_layer.clearing.confirm import confirm
from backend.service_layer.clearing.run import Found, run_year, try_year
from backend.service_layer.clearing.statement import yearly_statement
from backend.service_layer.journal.checking import check_journal
from tests.funding import OF_POOL_FEN
from tests.integration.claims.world import HOSPITAL, World
from tests.integration.clearing.cleared_world import (
    FILED_FEN,
    SECOND_FILED_FEN,
    SECOND_UNFILED_FEN,
    UNFILED_FEN,
    booked,
    learn_filing,
    new_year,
    paid_twice,
    paid_with_filing,
    recoveries,
)
from tests.integration.register.register_world import payouts


@pytest.mark.slow
def test_the_worked_example(world: World) -> None:
    """docs/clearing.md: a late filing for one, a withdrawn one for the other."""
    one, other = world.person("测试甲子", "one"), world.person("测试乙丑", "other")
    first, second = paid_twice(world, one)
    third = paid_with_filing(world, other)
    assert [payouts(world, c) for c in (first, second, third)] == [
        [UNFILED_FEN], [SECOND_UNFILED_FEN], [FILED_FEN],
    ]  # fmt: skip
    learn_filing(world, one)
    learn_filing(world, other, withdrawn=True)
    before = booked(world)
    with pytest.raises(YearOpenError, match="2026 is not over"):
        run_year(world.services, 2026, by="清算员甲")
    told: list[Found] = []
    figures = try_year(world.services, 2026, told.append)
    assert booked(world) == before
    assert sorted((f.claim_number, f.finding, f.before_fen, f.after_fen) for f in told) == sorted(
        [
            (first.number, Finding.MORE, UNFILED_FEN, FILED_FEN),
            (second.number, Finding.MORE, SECOND_UNFILED_FEN, SECOND_FILED_FEN),
            (third.number, Finding.LESS, FILED_FEN, UNFILED_FEN),
        ]
    )
    # 378.00 - 294.00 + 270.00 - 210.00 = 144.00 more, 378.00 - 294.00 = 84.00 less.
    assert (figures.more_fen, figures.less_fen, figures.claims) == (14_400, 8_400, 3)

    new_year(world)
    run, done = run_year(world.services, 2026, by="清算员甲")
    assert run.ended_at is not None and not run.is_year_open
    assert (done.more_fen, done.less_fen, done.known) == (14_400, 8_400, 0)
    world.run()
    assert [payouts(world, c) for c in (first, second, third)] == [
        [UNFILED_FEN, 8_400], [SECOND_UNFILED_FEN, 6_000], [FILED_FEN],
    ]  # fmt: skip
    with world.services.work(write=False) as work:
        assert work.revisions.causes_of(first.id) == {1: Cause.FIRST, 2: Cause.CLEARING}
        (item,) = work.clearings.items_of_claim(third.id)
    (order,) = recoveries(world, third)
    assert (order.state, order.order.amount_fen) == (State.PROPOSED, 8_400)
    confirm(world.services, item.id, "经办甲", "已核对备案")
    confirm(world.services, item.id, "经办乙", "已核对备案")
    (order,) = recoveries(world, third)
    assert order.state is State.OPEN and order.left_fen == 8_400

    after = booked(world)
    _, again = run_year(world.services, 2026, by="清算员甲")
    assert booked(world) == after
    assert (again.more_fen, again.less_fen, dict(again.found)) == (0, 0, {})

    (year,) = yearly_statement(world.services, 2026)
    assert year.hospital_code == HOSPITAL and year.untied == []
    # 1,000.00 + 500.00 + 1,000.00; 378.00 + 270.00 + 294.00.
    assert (year.claims, year.total_fen, year.in_scope_fen) == (3, 250_000, 250_000)
    assert year.layers == {"pool": 94_200} and year.on_the_way_fen == 0
    with world.services.work(write=False) as work:
        assert check_journal(work) == []
        bears = work.journal.balance(f"fund:330800:{Layer.POOL}", insurance_type="310")
    assert OF_POOL_FEN - bears == 94_200
    assert world.claim(third.id).state is ClaimState.PAID
