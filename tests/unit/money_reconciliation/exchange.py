"""A payment file of two instructions, the bank's copies, and the rows that they are compared
with. The whole agrees until a test changes a part of it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass, field
from types import SimpleNamespace
from typing import Any

from backend.domain.errors import DomainError
from backend.service_layer.money_reconciliation.ports import (
    BookedAnswer,
    FileRow,
    ItemRow,
    MessageRow,
)
from backend.service_layer.payout.records import (
    AnswerStatus,
    IncomingFile,
    Lane,
    PaymentFile,
    PaymentItem,
    StatusItem,
    StatusReport,
)
from tests.memory_bank import PlainFormat, report_bytes

MADE_AT = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
ITEMS = (
    PaymentItem("C1-V1-A1", 6_000, "测试甲子", "TEST-1111", "示例银行（测试）", "", "医保报销款"),
    PaymentItem("C2-V1-A1", 30_000, "测试乙丑", "TEST-2222", "示例银行（测试）", "", "医保报销款"),
)
PAYMENT = PaymentFile(
    "YC1", MADE_AT, MADE_AT.date(), Lane.DAILY, "基金支出户", "TEST-FUND", "", ITEMS
)


def file_bytes(file: PaymentFile = PAYMENT) -> bytes:
    return json.dumps(asdict(file), default=str, sort_keys=True).encode()


def digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def row_of(content: bytes, handed_over_at: dt.datetime | None = MADE_AT, **fields: Any) -> FileRow:
    values: dict[str, Any] = {"item_count": 2, "control_sum_fen": 36_000} | fields
    return FileRow("pfl_1", "YC1", digest(content), content, handed_over_at, **values)


def said(name: str, status: AnswerStatus = AnswerStatus.PAID, **fields: Any) -> StatusItem:
    return StatusItem(name, status, **fields)


def report(*items: StatusItem, **fields: Any) -> bytes:
    values: dict[str, Any] = {"message_id": "REP-1", "simulated": True} | fields
    told = StatusReport(created_at=MADE_AT, original_message_id="YC1", items=items, **values)
    return report_bytes(told)


def message_of(content: bytes, name: str = "r1.json", **fields: Any) -> MessageRow:
    values: dict[str, Any] = {"verdict": "booked", "original_id": "YC1"} | fields
    return MessageRow("bmg_1", name, digest(content), **values)


def booked(
    name: str = "C1-V1-A1", status: str = "paid", fen: int = 6_000, message: str = "bmg_1"
) -> BookedAnswer:
    number = name.partition("-")[0].lower()
    return BookedAnswer(f"att_{number}", status, message, name, f"clm_{number}", fen, "YC1")


class Box:
    """Wraps nothing; what starts with ``damaged`` cannot be opened."""

    def unwrap(self, wrapped: bytes, name: str) -> bytes:
        if wrapped.startswith(b"damaged"):
            raise DomainError("打不开", "it cannot be opened", code="secret-damaged")
        context, colon, place = wrapped.rpartition(b"@")
        assert name == (place.decode() if colon else "pfl_1")
        return context if colon else wrapped


def instruction(
    number: str, fen: int, tail: str, account: str = "", holder: str = "测试甲子"
) -> ItemRow:
    """The row of an instruction of the claim ``number`` (c1, c2)."""
    name, row_id = f"{number.upper()}-V1-A1", f"att_{number}"
    account = account or f"TEST-{tail}"
    return ItemRow(
        row_id, f"clm_{number}", name, fen, tail,
        f"{account}@{row_id}:account".encode(), f"{holder}@{row_id}:holder".encode(),
    )  # fmt: skip


@dataclass
class Exchange:
    """Both sides: the bank's copies and our rows."""

    handed: dict[str, bytes] = field(default_factory=dict)
    left: dict[str, bytes] = field(default_factory=dict)
    files: list[FileRow] = field(default_factory=list)
    items: dict[str, list[ItemRow]] = field(default_factory=dict)
    messages: list[MessageRow] = field(default_factory=list)
    answers: list[BookedAnswer] = field(default_factory=list)

    @property
    def deps(self) -> Any:
        def copies(files: dict[str, bytes]) -> Any:
            return lambda: [IncomingFile(name, content) for name, content in files.items()]

        return SimpleNamespace(
            bank=SimpleNamespace(
                handed_over=copies(self.handed),
                received=copies(self.left),
                handed_names=lambda: set(self.handed),
                dealt_with_names=lambda: set(self.left),
            ),
            payment_format=PlainFormat(),
            secret_box=Box(),
        )

    @property
    def work(self) -> Any:
        return SimpleNamespace(
            money_rules=SimpleNamespace(
                files=lambda: iter(self.files),
                items=lambda: self.items,
                messages=lambda: self.messages,
                answers=lambda: self.answers,
            )
        )


def agreeing() -> Exchange:
    """Two instructions, of which the bank has said that the first one is paid."""
    content, answer = file_bytes(), report(said("C1-V1-A1", amount_fen=6_000))
    return Exchange(
        handed={"YC1.xml": content},
        left={"r1.json": answer},
        files=[row_of(content)],
        items={
            "pfl_1": [
                instruction("c1", 6_000, "1111"),
                instruction("c2", 30_000, "2222", holder="测试乙丑"),
            ]
        },
        messages=[message_of(answer)],
        answers=[booked()],
    )
