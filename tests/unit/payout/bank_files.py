"""One payment file with one instruction of 60.00 yuan, and what a bank may say of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from backend.service_layer.payout.records import AnswerStatus, Lane, StatusItem, StatusReport
from backend.service_layer.payout.stored import Attempt, PaymentAnswer, StoredFile, Tried

MADE_AT = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
FILE = StoredFile("pfl_1", "YC1", Lane.DAILY, "330800", MADE_AT, 1, 6_000, b"digest", b"wrapped")
ATTEMPT = Attempt(
    id="pay_1_a1",
    payout_id="pay_1",
    claim_id="clm_1",
    person_id="per_1",
    attempt=1,
    end_to_end_id="C1-V1-A1",
    account_version=1,
    wrapped_holder=b"",
    wrapped_account=b"",
    account_tail="6217",
    bank_name="示例银行（测试）",
    amount_fen=6_000,
    lane=Lane.DAILY,
    region="330800",
    instructed_on=dt.date(2026, 11, 20),
    file_id="pfl_1",
    created_at=MADE_AT,
)
SECOND = replace(ATTEMPT, id="pay_2_a1", payout_id="pay_2", end_to_end_id="C2-V1-A1")


def ended(status: AnswerStatus, reference: str = "", reason: str = "") -> PaymentAnswer:
    """How an instruction has ended, as it is booked."""
    return PaymentAnswer("pay_1_a1", status, reason, "", reference, True, MADE_AT, MADE_AT, "bmg_0")


@dataclass
class Payments:
    """The stored payments of one file: ``answers`` by the instruction's name."""

    attempts: Sequence[Attempt] = (ATTEMPT,)
    answers: dict[str, PaymentAnswer] = field(default_factory=dict)
    file: StoredFile = FILE
    known_report: Any = None
    newest: dt.datetime | None = None
    asked: list[str] = field(default_factory=list)

    def file_by_message(self, message_id: str) -> StoredFile | None:
        return self.file if message_id == self.file.message_id else None

    def of_file(self, file_id: str) -> list[Tried]:
        assert file_id == self.file.id
        return [Tried(one, self.answers.get(one.end_to_end_id)) for one in self.attempts]

    def message_of_report(self, report_id: str) -> Any:
        return self.known_report if report_id == "REP-1" else None

    def reported_at(self, attempt_ids: Sequence[str]) -> dt.datetime | None:
        self.asked += attempt_ids
        return self.newest


def work_with(payments: Payments) -> Any:
    return SimpleNamespace(payments=payments)


def said(status: AnswerStatus, name: str = "C1-V1-A1", **fields: Any) -> StatusItem:
    return StatusItem(name, status, **fields)


def report(*items: StatusItem, **fields: Any) -> StatusReport:
    values: dict[str, Any] = {
        "message_id": "REP-1",
        "created_at": MADE_AT + dt.timedelta(minutes=5),
        "original_message_id": "YC1",
        "simulated": True,
    }
    return StatusReport(items=items, **(values | fields))
