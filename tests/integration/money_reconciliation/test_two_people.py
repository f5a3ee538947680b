"""The database itself wants two people, and a report, whoever writes: SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.errors import ConflictError, DomainError
from backend.domain.two_people import SamePersonError, require_another
from backend.service_layer.claims.case_closing import (
    CaseOutcome,
    add_note,
    assign,
    confirm_closing,
    propose_closing,
)
from backend.service_layer.money_reconciliation.cases import open_cases_of
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.money_reconciliation.report import store_report
from tests.integration.claims.world import World
from tests.integration.money_reconciliation.test_cases_and_reports import AGENCY, SIGNER
from tests.integration.payout.office import claim_of, rows, settled, state

ROW = Mismatch("R11", "YC20260101D-X", "handed over", "the bank has no such file")
AT = dt.datetime(2026, 11, 20, 2, tzinfo=dt.UTC)


def prepared(folder: Path, url: str | None = None) -> World:
    world = World.make(folder, url)
    with world.services.engine.begin() as connection:
        connection.execute(sa.update(tables.payer).values(ledger_account=AGENCY.address))
    return world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return prepared(tmp_path)


@pytest.mark.parametrize(
    ("first", "second"), [("出纳甲", "出纳甲"), ("Li Wei", "li  wei "), ("ＡＢ", "ab")]
)
def test_one_person_under_two_spellings_is_one_person(first: str, second: str) -> None:
    with pytest.raises(SamePersonError, match="another person does this"):
        require_another(first, second)
    require_another(first, "会计乙")


def event(case: str, ordinal: int, kind: str, by: str, **more: Any) -> dict[str, Any]:
    base = {"case_id": case, "ordinal": ordinal, "kind": kind, "by": by, "text": "x", "at": AT}
    return base | more


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_code_path_closes_a_case_alone(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql_url") if engine == "postgresql" else None
    world = prepared(tmp_path, url)
    (standing,) = open_cases_of(world.services, [ROW])
    case, events = standing.case.id, tables.reconciliation_case_event
    ended = tables.reconciliation_case.update().values(
        resolved_at=AT, resolved_by="甲", resolution="x"
    )
    proposed = {"outcome": "accepted"}

    def refused(statement: Any, values: Any = None) -> None:
        with pytest.raises(sa.exc.DBAPIError), world.services.engine.begin() as db:
            db.execute(statement, values or {})

    def stored(values: dict[str, Any]) -> None:
        with world.services.engine.begin() as db:
            db.execute(events.insert(), values)

    refused(ended)  # nobody has said anything
    for change in ("detail = '{}'", "due_at = NULL", "kind = 'x'", "found_at = due_at"):
        refused(sa.text(f"UPDATE reconciliation_case SET {change}"))
    refused(sa.text("DELETE FROM reconciliation_case"))
    refused(events.insert(), event(case, 1, "adopted", "甲"))  # a mismatch is not adopted
    refused(events.insert(), event(case, 1, "agrees", "reconcile", report_number=1))
    refused(events.insert(), event(case, 1, "agrees", "reconcile"))
    refused(events.insert(), event(case, 2, "note", "甲"))  # out of turn
    refused(events.insert(), event(case, 1, "proposed", "甲"))  # without an outcome
    refused(events.insert(), event(case, 1, "confirmed", "乙", answers=1, **proposed))
    stored(event(case, 1, "proposed", "Jia", **proposed))
    refused(ended)
    for by, more in (
        ("jia ", {"answers": 1, **proposed}),
        ("乙", {"answers": 1, "outcome": "corrected"}),
        ("乙", {"answers": 2, **proposed}),
        ("乙", proposed),
    ):
        refused(events.insert(), event(case, 2, "confirmed", by, **more))
    stored(event(case, 2, "proposed", "丙", **proposed))
    refused(events.insert(), event(case, 3, "confirmed", "乙", answers=1, **proposed))
    stored(event(case, 3, "confirmed", "乙", answers=2, **proposed))
    refused(ended)  # another name than the one that confirmed
    with world.services.engine.begin() as db:
        db.execute(ended.values(resolved_by="乙"))
    refused(ended.values(resolved_by="乙", resolution="again"))
    refused(events.insert(), event(case, 4, "proposed", "丁", **proposed))
    stored(event(case, 4, "note", "丁"))
    for statement in (
        "UPDATE reconciliation_case_event SET text = ''", "DELETE FROM reconciliation_case_event",
        "DELETE FROM reconciliation_case",
    ):  # fmt: skip
        refused(sa.text(statement))
    _refuses_a_release_by_who_stopped_it(world, refused)
    world.services.engine.dispose()


def _refuses_a_release_by_who_stopped_it(world: World, refused: Any) -> None:
    claim = claim_of(world, world.person())
    hold = {"claim_id": claim.id, "ordinal": 1, "action": "hold", "by": "Jia", "reason": "x"}
    release = {**hold, "ordinal": 2, "action": "release", "at": AT}
    refused(tables.payout_hold.insert(), {**release, "ordinal": 1})  # nothing is stopped
    with world.services.engine.begin() as db:
        db.execute(tables.payout_hold.insert(), {**hold, "at": AT})
    refused(tables.payout_hold.insert(), release)
    refused(tables.payout_hold.insert(), {**release, "by": " JIA"})
    with world.services.engine.begin() as db:
        db.execute(tables.payout_hold.insert(), {**release, "by": "乙"})
    refused(tables.payout_hold.insert(), {**release, "ordinal": 3, "by": "丙"})


def test_a_case_row_cannot_begin_closed(world: World) -> None:
    values = {
        "id": "money:x#1", "kind": "money-mismatch", "detail": "{}", "found_at": AT,
        "resolved_at": AT, "resolved_by": "甲", "resolution": "x",
    }  # fmt: skip
    with (
        pytest.raises(sa.exc.IntegrityError, match="opened before it is closed"),
        world.services.engine.begin() as db,
    ):
        db.execute(tables.reconciliation_case.insert(), values)


@pytest.mark.slow
def test_a_case_said_to_be_corrected_holds_until_a_report_agrees(world: World) -> None:
    claim = settled(world, claim_of(world, world.person()))
    row = Mismatch("R5", claim.number, "6000 fen", "slot 6005 fen", claim.id)
    (first,) = open_cases_of(world.services, [row])
    store_report(world.services, SIGNER, [first])
    propose_closing(world.services, first.case.id, "甲", "已更正", CaseOutcome.CORRECTED)
    confirm_closing(world.services, first.case.id, "乙", "同意")
    world.run()
    assert state(world, claim) == ("paying", "payout-case"), "no report has agreed yet"
    # The next run still finds the same figures: another case.
    (second,) = open_cases_of(world.services, [row])
    assert second.case.id != first.case.id and not second.is_accepted
    # Then it has gone: both are over, and the report says so.
    report = store_report(world.services, SIGNER, open_cases_of(world.services, []))
    with world.services.work(write=False) as work:
        said = [work.reconciliation.events_of(one.case.id)[-1] for one in (first, second)]
        assert work.reconciliation.holding_cases() == []
    assert [(one.kind, one.report_number) for one in said] == [("agrees", report.number)] * 2
    world.run()
    assert state(world, claim) == ("paid", None)


BOOKS = Mismatch("R18", "jnl_1", "not-whole", "the entry is not whole")


@pytest.mark.slow
def test_a_journal_that_is_wrong_holds_every_payment(world: World) -> None:
    """Until two people accept the figures; what they call corrected, until a report agrees."""
    first = settled(world, claim_of(world, world.person()))
    (found,) = open_cases_of(world.services, [BOOKS])
    store_report(world.services, SIGNER, [found])
    world.run()
    assert state(world, first) == ("settled", "reconcile")
    with pytest.raises(DomainError, match="there is no open case alarm:books-disagree"):
        propose_closing(world.services, f"alarm:books-disagree:{BOOKS.subject}", "甲", "清除")
    propose_closing(world.services, found.case.id, "甲", "已更正", CaseOutcome.CORRECTED)
    confirm_closing(world.services, found.case.id, "乙", "同意")
    world.run()
    assert state(world, first) == ("settled", "reconcile"), "no report has agreed yet"
    (again,) = open_cases_of(world.services, [BOOKS])
    assert again.case.id != found.case.id
    propose_closing(world.services, again.case.id, "甲", "已核对原件", CaseOutcome.ACCEPTED)
    confirm_closing(world.services, again.case.id, "乙", "同意")
    assert state(world, first) == ("settled", None), "its page says so before the next run"
    world.run()
    assert state(world, first) == ("paid", None)


@pytest.mark.slow
def test_accepted_figures_let_the_payment_go_on(world: World) -> None:
    claim = settled(world, claim_of(world, world.person()))
    row = Mismatch("R5", claim.number, "6000 fen", "slot 6005 fen", claim.id)
    (first,) = open_cases_of(world.services, [row])
    assign(world.services, first.case.id, "丁", "甲")
    add_note(world.services, first.case.id, "丁", "已问账本运维")
    with pytest.raises(DomainError, match="say how it ends"):
        propose_closing(world.services, first.case.id, "甲", "有据")
    with pytest.raises(ConflictError, match="nobody has proposed"):
        confirm_closing(world.services, first.case.id, "乙", "同意")
    propose_closing(world.services, first.case.id, "甲", "有据", CaseOutcome.ACCEPTED)
    world.run()
    assert state(world, claim) == ("paying", "payout-case"), "proposed is not closed"
    with pytest.raises(SamePersonError, match="another person does this"):
        confirm_closing(world.services, first.case.id, "甲", "同意")
    confirm_closing(world.services, first.case.id, "乙", "同意")
    (again,) = open_cases_of(world.services, [row])
    assert again.is_accepted and again.case.id == first.case.id
    world.run()
    assert state(world, claim) == ("paid", None)
    assert [one.kind for one in rows(world, tables.reconciliation_case_event)] == [
        "assigned", "note", "proposed", "confirmed",
    ]  # fmt: skip
