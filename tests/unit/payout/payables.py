"""A claim that is owed 60.00 yuan, and a database that a test fills by hand."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

from backend.domain.claim import ClaimState
from backend.service_layer.claims.records import Claim, Payout
from backend.service_layer.payout.records import PayeeAccount

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
CLAIM = Claim(
    id="clm_1",
    number="C1",
    submission_id="sub_1",
    person_id="per_1",
    invoice_id="inv_1",
    version_id="ver_1",
    live_invoice_id="inv_1",
    payer_number=2,
    lodge_counter=1,
    state=ClaimState.PAYING,
    waiting_for=None,
    decision_version=1,
    benefit_year=2026,
    service_on=dt.date(2026, 11, 3),
    created_at=NOW,
    updated_at=NOW,
)
PAYABLE = Payout("pay_1", "clm_1", 1, 6_000, "示例银行（测试）", "6217", NOW)
ACCOUNT = PayeeAccount("per_1", 3, "测试甲子", "示例银行（测试）", "", "TEST-6217")


class Store:
    """Answers questions about one claim and one payable; every other gets nothing."""

    def __init__(self, claim: Claim = CLAIM) -> None:
        self.claim = claim
        self.attempts: list[Any] = []
        self.hold: Any = None
        self.alarms_open: dict[str, int] = {}
        self.has_fallen_away = False
        self.cases: list[Any] = []
        self.intents: list[Any] = []

    @property
    def work(self) -> Any:
        def mine(found: Any, other: Any, name: str) -> Any:
            return lambda subject: found if subject == name else other

        return SimpleNamespace(
            claims=SimpleNamespace(get=mine(self.claim, None, "clm_1")),
            payments=SimpleNamespace(
                tried=mine(self.attempts, [], "pay_1"),
                fell_away=mine(self.has_fallen_away, False, "pay_1"),
                last_hold=mine(self.hold, None, "clm_1"),
            ),
            alarms=SimpleNamespace(open_counts=lambda: self.alarms_open),
            reconciliation=SimpleNamespace(holding_cases=lambda: self.cases),
            outbox=SimpleNamespace(
                of_subject=lambda subject, *kinds: [
                    one for one in self.intents if one.subject_id == subject and one.kind in kinds
                ]
            ),
        )
