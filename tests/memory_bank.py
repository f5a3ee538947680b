"""A bank in memory that pays each instruction once, and a plain format to speak to it with.

What it does with an instruction is planned by the account's number; everything else is paid in the
report on its file. The formats that real banks read are tested with their own adapters.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backend.adapters.bank.simulated_bank import SimulatedBank
from backend.adapters.iso20022.payment_format import Iso20022Format
from backend.service_layer.payees.effective import mark_closed
from backend.service_layer.payout.ports import (
    BadPaymentFileError,
    BadStatusFileError,
    BankConflictError,
    BankUnavailableError,
)
from backend.service_layer.payout.records import (
    AccountAnswer,
    AnswerStatus,
    IncomingFile,
    Lane,
    LeftAlone,
    NameMatch,
    NameVerdict,
    PayeeAccount,
    PaymentFile,
    PaymentItem,
    StatusItem,
    StatusReport,
)


class PlainFormat:
    """JSON both ways. A holder named ``unwritable`` fits in no file."""

    def write(self, file: PaymentFile) -> bytes:
        if any(item.holder == "unwritable" for item in file.items):
            raise BadPaymentFileError("写不出", "a holder cannot be written")
        return json.dumps(dataclasses.asdict(file), default=str, sort_keys=True).encode()

    def read_payment(self, content: bytes) -> PaymentFile:
        try:
            return file_of(content)
        except (ValueError, TypeError, KeyError) as error:
            raise BadPaymentFileError("读不懂", "it is no whole file") from error

    def is_whole(self, content: bytes) -> bool:
        try:
            json.loads(content)
        except ValueError:
            return False
        return True

    def is_statement(self, content: bytes) -> bool:
        return False

    def read(self, content: bytes) -> StatusReport:
        try:
            found = json.loads(content)
            items = tuple(
                StatusItem(
                    **{
                        **item,
                        "status": AnswerStatus(item["status"]),
                        "answered_at": _at(item["answered_at"]),
                    }
                )
                for item in found.pop("items")
            )
            group = found.pop("group_status")
            return StatusReport(
                **{
                    **found,
                    "created_at": dt.datetime.fromisoformat(found["created_at"]),
                    "items": items,
                    "group_status": None if group is None else AnswerStatus(group),
                }
            )
        except (ValueError, TypeError, KeyError) as error:
            raise BadStatusFileError("读不懂", "it is no whole report") from error


def _at(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)


def file_of(content: bytes) -> PaymentFile:
    """The payment file that was written."""
    found = json.loads(content)
    return PaymentFile(
        **{
            **found,
            "created_at": dt.datetime.fromisoformat(found["created_at"]),
            "execute_on": dt.date.fromisoformat(found["execute_on"]),
            "lane": Lane(found["lane"]),
            "items": tuple(PaymentItem(**item) for item in found["items"]),
        }
    )


def report_bytes(report: StatusReport) -> bytes:
    return json.dumps(dataclasses.asdict(report), default=str, sort_keys=True).encode()


class MemoryBank:
    """``plan`` maps an account's number to the status and reason that its payments get; ``None``
    is silence. ``is_slow``: it takes files and answers nothing until it is fast again."""

    is_simulated = True

    def __init__(self, now: Callable[[], dt.datetime] | None = None) -> None:
        """Without a clock the bank answers at the instant at which it was asked."""
        self._now = now
        self.files: dict[str, bytes] = {}
        self.inbox: dict[str, bytes] = {}
        #: Every report that was ever left, dealt with or not.
        self.left: dict[str, bytes] = {}
        self.plan: dict[str, tuple[AnswerStatus, str] | None] = {}
        #: EndToEndId -> (account number, fen) of everything that was carried out.
        self.paid: dict[str, tuple[str, int]] = {}
        self.is_slow = False
        self.is_down = False
        self._unanswered: list[str] = []
        self._reports = 0

    def hand_over(self, name: str, content: bytes) -> None:
        self._asked()
        if name in self.files:
            if self.files[name] != content:
                raise BankConflictError("同名不同内容", "another file of this name was handed over")
            return
        self.files[name] = content
        self._unanswered.append(name)

    def incoming(self) -> Sequence[IncomingFile]:
        self._asked()
        while self._unanswered and not self.is_slow:
            self._answer(file_of(self.files[self._unanswered.pop(0)]))
        return [IncomingFile(name, content) for name, content in self.inbox.items()]

    def left_alone(self) -> Sequence[LeftAlone]:
        return []

    def put_away(self, name: str) -> None:
        self._asked()
        self.inbox.pop(name, None)

    def handed_names(self) -> set[str]:
        self._asked()
        return set(self.files)

    def dealt_with_names(self) -> set[str]:
        self._asked()
        return set(self.left) - set(self.inbox)

    def handed_over(self) -> Sequence[IncomingFile]:
        self._asked()
        return [IncomingFile(name, content) for name, content in sorted(self.files.items())]

    def received(self) -> Sequence[IncomingFile]:
        self._asked()
        return [IncomingFile(name, content) for name, content in self.left.items()]

    def ask_for_statements(self) -> bool:
        return False

    def pay_in(self, account: str, reference: str, amount_fen: int, part: str = "") -> None:
        """It keeps no account of ours."""

    def check_name(self, holder: str, account_number: str, bank_code: str) -> NameMatch:
        return NameMatch(NameVerdict.MATCH, simulated=True)

    def leave(self, report: StatusReport, name: str = "") -> str:
        """Put a report where we look for the bank's files; returns its name."""
        name = name or f"{report.message_id}.json"
        self.inbox[name] = self.left[name] = report_bytes(report)
        return name

    def report_on(self, file: PaymentFile, *items: StatusItem, **fields: Any) -> StatusReport:
        """A report on one of our files, with numbers of its own."""
        self._reports += 1
        values: dict[str, Any] = {
            "message_id": f"REP-{self._reports}",
            "created_at": self._now() if self._now else file.created_at,
            "original_message_id": file.message_id,
            "items": items,
            "simulated": True,
            "original_item_count": len(file.items),
            "original_control_sum_fen": file.control_sum_fen,
        }
        return StatusReport(**(values | fields))

    def _asked(self) -> None:
        if self.is_down:
            raise BankUnavailableError("银行连不上", "the bank does not answer")

    def _answer(self, file: PaymentFile) -> None:
        items = []
        for item in file.items:
            planned = self.plan.get(item.account_number, (AnswerStatus.PAID, ""))
            if planned is None:
                continue
            status, reason = planned
            if item.end_to_end_id in self.paid:
                status, reason = AnswerStatus.PAID, ""
            if status in (AnswerStatus.PAID, AnswerStatus.RETURNED):
                self.paid.setdefault(item.end_to_end_id, (item.account_number, item.amount_fen))
                items.append(self._said(item, AnswerStatus.PAID))
            else:
                items.append(self._said(item, status, reason))
        if items:
            self.leave(self.report_on(file, *items))
        returned = [i for i in file.items if self._is_returned(i)]
        if returned:
            said = [self._said(i, AnswerStatus.RETURNED, self.plan[i.account_number][1])  # type: ignore[index]
                    for i in returned]  # fmt: skip
            self.leave(self.report_on(file, *said))

    def _is_returned(self, item: PaymentItem) -> bool:
        planned = self.plan.get(item.account_number)
        return planned is not None and planned[0] is AnswerStatus.RETURNED

    def _said(self, item: PaymentItem, status: AnswerStatus, reason: str = "") -> StatusItem:
        return StatusItem(
            item.end_to_end_id,
            status,
            reason_code=reason,
            amount_fen=item.amount_fen,
            bank_reference=f"SIM-{item.end_to_end_id}",
            answered_at=self._now() if self._now else None,
        )


def claim_number_of(end_to_end_id: str) -> str:
    """The number of the claim that an instruction was derived from."""
    return end_to_end_id.rsplit("-V", 1)[0]


class SetAccounts:
    """Accounts that a test sets; everybody has one by default."""

    def __init__(self) -> None:
        self.answers: dict[str, AccountAnswer] = {}

    def account_for(self, work: Any, person_id: str, at: dt.datetime) -> AccountAnswer:
        if person_id in self.answers:
            return self.answers[person_id]
        person = work.people.get(person_id)
        return AccountAnswer(
            PayeeAccount(
                person_id,
                1,
                person.name,
                person.payee_bank,
                "",
                f"TEST-{person_id[-12:]}-{person.payee_account_tail}",
            )
        )

    def mark_closed(
        self, work: Any, person_id: str, version: int, *, by: str, reason: str, at: dt.datetime
    ) -> bool:
        return mark_closed(work, person_id, version, by=by, reason=reason, at=at)

    def correct(self, person_id: str, holder: str, number: str, version: int = 2) -> None:
        self.answers[person_id] = AccountAnswer(
            PayeeAccount(person_id, version, holder, "示例银行（测试）", "", number)
        )

    def withhold(self, person_id: str, reason: str) -> None:
        self.answers[person_id] = AccountAnswer(None, reason)


def equip_durably(services: Any, folder: Path) -> SimulatedBank:
    """The embedded system's bank in a folder instead, which outlives a killed process."""
    bank = SimulatedBank(folder / "bank", services.clock.now)
    services.__dict__["bank"] = bank
    services.__dict__["payment_format"] = Iso20022Format()
    return bank


def equip(services: Any, bank: MemoryBank | None = None) -> MemoryBank:
    """Give services a bank, a format and accounts in memory; returns the bank."""
    bank = bank or MemoryBank(services.clock.now)
    services.__dict__["bank"] = bank
    services.__dict__["payment_format"] = PlainFormat()
    services.__dict__["payees"] = SetAccounts()
    return bank
