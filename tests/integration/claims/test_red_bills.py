"""A red bill that cancels a part, or whose lines are none of its original, waits for a person."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.claim import ClaimState
from backend.domain.invoice import ExpenseLine, Invoice
from backend.domain.ruling import LineRuling, RulingKind
from backend.service_layer.claims.records import Claim, Person
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.review import approve_pended
from backend.service_layer.review.decide import ReviewRefusedError
from tests.integration.claims.revising import claim_on, decisions
from tests.integration.claims.world import CLASS_A, HOSPITAL, World

DAY = dt.date(2026, 11, 3)
TAX_NUMBER = "26332000000000012345"
ITEM = ExpenseLine(CLASS_A[1], 4_0000, 250_000000, 1000_0000, CLASS_A[0], level="01", unit="盒")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.make(tmp_path)
    yield made
    made.services.engine.dispose()


def tax_bill(person: Person, *lines: ExpenseLine, number: str = TAX_NUMBER) -> Invoice:
    total = sum(line.amount_e4 for line in lines) // 100
    return Invoice(
        institution_code=HOSPITAL,
        institution_name="示例市第一医院",
        invoice_code="",
        invoice_number=number,
        total_fen=total,
        issued_on=DAY,
        visit_on=DAY,
        payer_name=person.name,
        payer_id=person.identity_number,
        own_pay_fen=total,
        lines=lines,
    )


def red(world: World, original_id: str, number: str, *lines: ExpenseLine) -> None:
    """Store a red bill of the original as its arrival leaves it: linked, the original untouched."""
    invoice = dataclasses.replace(
        tax_bill(world.people[0], *lines, number=number), related_invoice_number=TAX_NUMBER
    )
    red_id = world.store(invoice)
    with world.services.engine.begin() as connection:
        connection.execute(
            sa.update(tables.invoice)
            .where(tables.invoice.c.id == red_id)
            .values(kind=3, original_id=original_id)
        )


def taken(quantity: int, **changed: str) -> ExpenseLine:
    return dataclasses.replace(
        ITEM, quantity_e4=-quantity * 10_000, amount_e4=-quantity * 250_0000, **changed
    )


def pended(world: World, claim: Claim) -> dict[str, str]:
    with world.services.work(write=False) as work:
        return {p.code: p.zh for p in work.claims.pends_of(claim.id) if p.resolved_at is None}


def claimed(world: World) -> tuple[Claim, str]:
    person = world.person()
    original = world.store(tax_bill(person, ITEM))
    world.anchor()
    (claim,) = claim_on(world, person, original)
    return claim, original


def test_a_line_taken_back_in_part_is_ruled_on_before_anything_is_paid(world: World) -> None:
    claim, original = claimed(world)
    red(world, original, "26332000000000099001", taken(2))
    world.run()
    assert world.claim(claim.id).state is ClaimState.PENDED
    (text,) = pended(world, claim).values()
    assert "第 1 行" in text and "500.0000 元（数量 2.0000）" in text
    with pytest.raises(ReviewRefusedError, match="逐行裁定"):
        approve_pended(world.services, claim.number, "复核员甲", "已核对")
    half = LineRuling(0, RulingKind.LIMIT, "review-limit", "退了一盒", "one box", limit_fen=50_000)
    approve_pended(world.services, claim.number, "复核员甲", "已核对", (half,))
    world.run()
    # (1,000.00 - 500.00 - 300.00) x 60 %
    assert [one.paid_fen for one in decisions(world, claim)] == [12_000]


def test_a_red_bill_that_comes_while_the_claim_is_looked_at_is_raised_as_well(
    world: World,
) -> None:
    claim, original = claimed(world)
    red(world, original, "26332000000000099001", taken(2))
    world.run()
    half = LineRuling(0, RulingKind.LIMIT, "review-limit", "退了一盒", "one box", limit_fen=50_000)
    red(world, original, "26332000000000099002", taken(1))
    approve_pended(world.services, claim.number, "复核员甲", "已核对", (half,))
    advance_claims(world.services)
    assert world.claim(claim.id).state is ClaimState.PENDED
    assert "750.0000 元（数量 3.0000）" in pended(world, claim)["partly-reversed"]
    assert decisions(world, claim) == []


def test_lines_of_another_item_are_named_and_nothing_is_decided(world: World) -> None:
    claim, original = claimed(world)
    wrong = [taken(1), taken(1, name="另一种药")]
    red(world, original, "26332000000000099001", *wrong)
    world.run()
    assert world.claim(claim.id).state is ClaimState.PENDED
    assert set(pended(world, claim)) == {"red-bill-differs"}
    text = pended(world, claim)["red-bill-differs"]
    assert "尾号 9001" in text and "第 2 行“另一种药”" in text and "没有这个项目" in text
    assert decisions(world, claim) == []


def test_a_bill_without_red_bills_is_asked_about_nothing(world: World) -> None:
    claim, _ = claimed(world)
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
