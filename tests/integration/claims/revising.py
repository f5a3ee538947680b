"""Bills, cases and endings that the tests of appeals and versions share."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Any

import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.invoice import ExpenseLine, Invoice
from backend.domain.review import CaseKind, Outcome
from backend.domain.ruling import LineRuling, RulingKind
from backend.service_layer.claims.records import Claim, Decision, Person
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.appeals import Reopening
from backend.service_layer.handling.reopening import confirm_reopening, propose_reopening
from backend.service_layer.handling.reopening_records import ReopenAnswer
from backend.service_layer.review.cases import conclude_case
from backend.service_layer.review.records import Conclusion
from tests.integration.claims.world import CLASS_A, HOSPITAL, OUTSIDE, World

DAY = dt.date(2026, 11, 3)
WORDS = "口罩是手术必需的，应当报销"


def mixed_bill(world: World, person: Person, covered: int, outside: int, day: dt.date) -> str:
    """A bill of two lines in yuan: one that is covered, and one (index 1) that is not."""
    world.numbers += 1
    lines = tuple(
        ExpenseLine(item[1], 10_000, yuan * 1_000_000, yuan * 10_000, item[0], level="01")
        for item, yuan in ((CLASS_A, covered), (OUTSIDE, outside))
    )
    total = (covered + outside) * 100
    return world.store(
        Invoice(
            institution_code=HOSPITAL,
            institution_name="示例市第一医院",
            invoice_code="33060126",
            invoice_number=f"{world.numbers:010d}",
            total_fen=total,
            issued_on=day,
            visit_on=day,
            payer_name=person.name,
            payer_id=person.identity_number,
            own_pay_fen=total,
            lines=lines,
        )
    )


def claim_on(world: World, person: Person, *bills: str) -> tuple[Claim, ...]:
    token = secrets.token_urlsafe(32)
    return submit(world.services, person.id, bills, token, has_consent=True).claims


def matched(line_index: int) -> LineRuling:
    """People find that the line is the covered item under another name."""
    return LineRuling(
        line_index=line_index,
        kind=RulingKind.MATCH,
        rule_id="review-match",
        basis_zh="与目录内项目为同一种",
        basis_en="the same item as one in the catalogue",
        catalogue_code=CLASS_A[0],
    )


def conclude(
    world: World,
    claim: Claim,
    kind: str,
    outcome: Outcome,
    *rulings: LineRuling,
    by: str = "复核员乙",
) -> None:
    """End the live case of a kind on a claim, as the last step of its review does."""
    with world.services.work() as work:
        case = work.reviews.live_case(claim.id, CaseKind(kind))
        assert case is not None, f"no {kind} case is open"
        conclusion = Conclusion(outcome, tuple(rulings), by, "看过材料，同意申请人的意见")
        conclude_case(world.services, work, case, conclusion)
        work.commit()


def reopen(
    world: World, claim: Claim, why: Reopening, names: tuple[str, str] = ("经办甲", "经办乙")
) -> ReopenAnswer:
    """Reopen a claim as two people do it: one proposes, the other confirms."""
    proposal = propose_reopening(world.services, claim.number, why, names[0])
    return confirm_reopening(world.services, proposal.id, names[1], "已核对")


def decisions(world: World, claim: Claim) -> list[Decision]:
    """All versions, oldest first."""
    with world.services.engine.begin() as connection:
        rows = connection.execute(
            sa.select(tables.decision)
            .where(tables.decision.c.claim_id == claim.id)
            .order_by(tables.decision.c.version)
        )
        return [Decision(**row._mapping) for row in rows]


def payouts(world: World, claim: Claim) -> list[tuple[str, int]]:
    with world.services.engine.begin() as connection:
        rows = connection.execute(
            sa.select(tables.payout.c.id, tables.payout.c.amount_fen)
            .where(tables.payout.c.claim_id == claim.id)
            .order_by(tables.payout.c.decision_version)
        )
        return [(row.id, row.amount_fen) for row in rows]


def alarms(world: World) -> list[tuple[str, str]]:
    with world.services.engine.begin() as connection:
        rows = connection.execute(
            sa.select(tables.alarm.c.code, tables.alarm.c.subject).where(
                tables.alarm.c.cleared_at.is_(None)
            )
        )
        return [(row.code, row.subject) for row in rows]


def slot_of(world: World, claim: Claim) -> Any:
    with world.services.work(write=False) as work:
        key = work.claims.bill_of_version(claim.version_id).invoice_key
    return key, world.ledger.slot(key)
