"""A month of money in numbers that can be added up by hand: two funds, three agencies."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from backend.adapters.clock import SetClock
from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.adapters.identifiers import RandomIds
from backend.domain import journal
from backend.domain.journal import ClaimFund, Entry, Fund, LayerAmounts, Occasion
from backend.domain.payout import PayoutRules
from backend.service_layer.journal.booking import book
from backend.service_layer.journal.month_statement import MonthStatement
from backend.service_layer.journal.records import JournalClose
from backend.service_layer.money_reconciliation.closing import confirm_close, propose_close
from tests.integration.journal.claim_rows import add_claims

KECHENG = Fund("330800", "310", "330802", "柯城测试")
QUJIANG = Fund("330800", "310", "330803", "衢江测试")
RESIDENTS = Fund("330800", "390", "330802", "柯城测试")
CITY = Fund("330800", "310", "330800", "市中心测试")


@dataclass
class Services:
    """The few services that the journal's use cases ask for."""

    engine: sa.Engine
    clock: SetClock
    ids: RandomIds
    settings: Any = field(
        default_factory=lambda: SimpleNamespace(
            payer_number=1, region="330800", payout=PayoutRules()
        )
    )

    def work(self, *, write: bool = True) -> SqlUnitOfWork:
        return SqlUnitOfWork(self.engine, write=write)


def noon(month: int, day: int) -> dt.datetime:
    """Noon in China."""
    return dt.datetime(2026, month, day, 4, tzinfo=dt.UTC)


def services_on(engine: sa.Engine, at: dt.datetime) -> Services:
    return Services(engine, SetClock(at), RandomIds())


def close_month(
    services: Any, region: str, month: str, *, by: str, reason: str, carry_forward: bool
) -> tuple[JournalClose, MonthStatement]:
    """One person proposes, ``by`` confirms."""
    propose_close(services, region, month, by="提出人", reason=reason, carry_forward=carry_forward)
    return confirm_close(services, region, month, by=by, reason=reason)


def book_now(engine: sa.Engine, *entries: Entry) -> None:
    with SqlUnitOfWork(engine) as work:
        for entry in entries:
            assert book(work, entry)
        work.commit()


def said(
    number: str, fund: Fund, at: dt.datetime, claim: str | None = None, **changed: Any
) -> Occasion:
    claim_id = None if claim is None else f"clm_{claim}"
    return Occasion("test", number, fund, claim_id, at, **changed)


def two_months(engine: sa.Engine) -> None:
    """October: A approved 300 and paid, B approved 50. November: B paid, A returned and not yet
    paid again, C (residents) approved 80 and with the bank, D's 20 recovered out of 90."""
    add_claims(engine, "A", "B", "C", "D")
    with SqlUnitOfWork(engine) as work:
        funds = {"A": KECHENG, "B": QUJIANG, "C": RESIDENTS, "D": KECHENG}
        for claim, fund in funds.items():
            work.journal.fix_claim_fund(ClaimFund(f"clm_{claim}", fund, "register", noon(10, 1)))
        work.commit()
    nothing, layered, pool = LayerAmounts(), LayerAmounts(250_00, 50_00), LayerAmounts.of
    layer = journal.Layer
    city_residents = Fund("330800", "390", "330800", "市中心测试")
    book_now(
        engine,
        journal.funded(said("f1", CITY, noon(10, 1)), LayerAmounts(1_000_00, 500_00)),
        journal.funded(said("f2", city_residents, noon(10, 2)), pool(layer.POOL, 700_00)),
        journal.approved(said("a1", KECHENG, noon(10, 5), "A"), nothing, layered),
        journal.instructed(said("a2", KECHENG, noon(10, 6), "A"), 300_00),
        journal.paid(said("a3", KECHENG, noon(10, 7), "A"), 300_00),
        journal.approved(said("b1", QUJIANG, noon(10, 30), "B"), nothing, pool(layer.POOL, 50_00)),
        journal.instructed(said("b2", QUJIANG, noon(11, 1), "B"), 50_00),
        journal.paid(said("b3", QUJIANG, noon(11, 1), "B"), 50_00),
        journal.returned(said("a4", KECHENG, noon(11, 3), "A"), 300_00),
        journal.approved(said("c1", RESIDENTS, noon(11, 4), "C"), nothing, pool(layer.POOL, 80_00)),
        journal.instructed(said("c2", RESIDENTS, noon(11, 5), "C"), 80_00),
        journal.recovery_opened(said("d1", KECHENG, noon(11, 8), "D"), pool(layer.POOL, 90_00)),
        journal.recovered(said("d2", KECHENG, noon(11, 9), "D"), 20_00),
    )  # fmt: skip
