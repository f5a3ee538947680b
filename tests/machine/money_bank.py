"""A bank with a book of its own, that does and says what a walk wants of it.

What it carries out stands in its book whatever it says, or does not say, about it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.service_layer.payout.records import (
    AnswerStatus,
    IncomingFile,
    NameMatch,
    NameVerdict,
    PaymentFile,
    PaymentItem,
    StatusItem,
    StatusReport,
)
from tests.memory_bank import MemoryBank, file_of, report_bytes

PAID, REJECTED, RETURNED = AnswerStatus.PAID, AnswerStatus.REJECTED, AnswerStatus.RETURNED
FATES = ("paid", "AC04", "AC06", "AB05", "silent", "known", "accepted")
"""Of one instruction: paid; rejected for an account that is closed or frozen, or for the bank's own
fault; kept silent about; paid and called a duplicate (DU01); taken over, and carried out later."""

NOISES = (
    "cut off", "unknown file", "unknown item", "named twice", "other amount", "other total",
    "older", "not simulated", "contradiction", "the same bytes", "another name", "other bytes",
)  # fmt: skip


@dataclass
class Kept:
    """An instruction that the bank has carried out."""

    account: str
    amount_fen: int
    stands: bool = True  # False: the money came back


class MoneyBank(MemoryBank):
    """Files wait until the bank is told what to do with them."""

    def __init__(self) -> None:
        super().__init__()
        self.is_slow = True
        self.book: dict[str, Kept] = {}
        self.twice: list[str] = []
        """Instructions that came in two files: the bank pays by name, and must never need to."""
        self.undecided: dict[str, list[str]] = {}
        """Message id to the names that it has not carried out or rejected yet."""
        self.true: set[str] = set()
        """Names of reports in which nothing is wrong."""
        self.left: dict[str, bytes] = {}
        """Everything that it ever left for us."""
        self.dealt: dict[str, bytes] = {}
        """What we have put away: every content, under the name that it has there."""
        self.holders: dict[str, str] = {}
        """Account numbers that it knows, with in whose name they are."""
        self.shut: set[str] = set()
        self._names: set[str] = set()
        self._cuts = 0

    def reads_clock_of(self, services: Any) -> None:
        self._now = None if services is None else services.clock.now

    def check_name(self, holder: str, account_number: str, bank_code: str) -> NameMatch:
        self._asked()
        known = self.holders.get(account_number)
        if known is None:
            return NameMatch(NameVerdict.UNKNOWN, simulated=True)
        if account_number in self.shut:
            return NameMatch(NameVerdict.CLOSED, simulated=True)
        verdict = NameVerdict.MATCH if known == holder else NameVerdict.NO_MATCH
        return NameMatch(verdict, simulated=True)

    # --- what stays on its side, whatever our database says --------------------------------

    def put_away(self, name: str) -> None:
        self._asked()
        content = self.inbox.pop(name, None)
        if content is None or self.dealt.get(name) == content:
            return
        self.dealt[f"{len(self.dealt)}-{name}" if name in self.dealt else name] = content

    def dealt_with_names(self) -> set[str]:
        self._asked()
        return set(self.dealt)

    def received(self) -> Sequence[IncomingFile]:
        self._asked()
        everything = self.dealt | self.inbox
        return [IncomingFile(name, content) for name, content in everything.items()]

    def report_on(self, file: PaymentFile, *items: StatusItem, **fields: Any) -> StatusReport:
        """Numbers that sort as they were given: all of a walk may happen in one second."""
        made = super().report_on(file, *items, **fields)
        return dataclasses.replace(made, message_id=f"REP-{self._reports:06d}")

    # --- what it does with money ----------------------------------------------------------

    def receive(self) -> None:
        """Read what was handed over; nothing is carried out yet."""
        while self._unanswered:
            file = file_of(self.files[self._unanswered.pop(0)])
            names = [item.end_to_end_id for item in file.items]
            self.twice += [name for name in names if name in self._names]
            self._names |= set(names)
            self.undecided[file.message_id] = names

    def carry_out(self, fates: list[str]) -> list[str]:
        """One pass over what is undecided; returns what became of each."""
        self.receive()
        done = []
        for file in self.known_files():
            names = self.undecided.get(file.message_id, [])
            said = []
            for number, item in enumerate(i for i in file.items if i.end_to_end_id in names):
                fate = fates[number % len(fates)]
                said += self._decide(file, item, fate)
                done.append(fate)
            if said:
                self.tell(file, said)
        return done

    def _decide(self, file: PaymentFile, item: PaymentItem, fate: str) -> list[StatusItem]:
        name = item.end_to_end_id
        if fate == "silent":
            return []
        if fate == "accepted":
            return [self._said(item, AnswerStatus.ACCEPTED)]
        if fate == "known":
            self.book.setdefault(name, Kept(item.account_number, item.amount_fen))
            self.leave_false(self.report_on(file, self._said(item, REJECTED, "DU01")))
            return []
        if fate == "paid" or name in self.book:
            self.book.setdefault(name, Kept(item.account_number, item.amount_fen))
            said = self._said(item, PAID)
        else:
            said = self._said(item, REJECTED, fate)
        self.undecided[file.message_id].remove(name)
        return [said]

    def give_back(self, place: int) -> str | None:
        """Money comes back of which it has said that it was paid; returns whose."""
        undecided = {name for names in self.undecided.values() for name in names}
        standing = [n for n, kept in self.book.items() if kept.stands and n not in undecided]
        if not standing:
            return None
        name = standing[place % len(standing)]
        self.book[name].stands = False
        for file in self.known_files():
            for item in file.items:
                if item.end_to_end_id == name:
                    self.tell(file, [self._said(item, RETURNED, "AC04")])
        return name

    def standing(self) -> dict[str, tuple[str, int]]:
        return {n: (k.account, k.amount_fen) for n, k in self.book.items() if k.stands}

    def known_files(self) -> list[PaymentFile]:
        return [file_of(content) for content in self.files.values()]

    # --- what it says ---------------------------------------------------------------------

    def tell(self, file: PaymentFile, said: list[StatusItem]) -> None:
        name = self.leave(self.report_on(file, *said))
        self.left[name] = self.inbox[name]
        self.true.add(name)

    def leave_false(self, report: Any, name: str = "") -> None:
        name = self.leave(report, name)
        self.left[name] = self.inbox[name]

    def make_noise(self, kind: str, place: int, booked: dict[str, str]) -> bool:
        """Leave a file of which nothing may be booked. ``booked``: EndToEndId to how it stands in
        our books. False where there is nothing to make it of."""
        if kind in ("the same bytes", "another name", "other bytes"):
            return self._repeat(kind, place)
        items = [(file, item) for file in self.known_files() for item in file.items]
        if kind == "contradiction":
            items = [pair for pair in items if pair[1].end_to_end_id in booked]
        if not items:
            return False
        file, item = items[place % len(items)]
        said = self._said(item, PAID)
        report = self.report_on(file, said)
        other = {
            "unknown file": {"original_message_id": "YC20200101D-0000"},
            "unknown item": {
                "items": (said, dataclasses.replace(said, end_to_end_id="CLM-NOBODY-V1-A1"))
            },
            "named twice": {"items": (said, said)},
            "other amount": {"items": (dataclasses.replace(said, amount_fen=item.amount_fen + 1),)},
            "other total": {"original_control_sum_fen": file.control_sum_fen + 1},
            "older": {"created_at": file.created_at - dt.timedelta(hours=1)},
            "not simulated": {"simulated": False},
        }
        if kind == "contradiction":
            stands = booked[item.end_to_end_id]
            lie = (REJECTED, "AC04") if stands != "rejected" else (PAID, "")
            other[kind] = {"items": (self._said(item, *lie),)}
        self.leave_false(dataclasses.replace(report, **other.get(kind, {})))
        if kind == "cut off":
            name = f"{report.message_id}.json"
            self.inbox[name] = self.left[name] = report_bytes(report)[:-40]
        return True

    def _repeat(self, kind: str, place: int) -> bool:
        """A report that was taken in comes once more."""
        gone = sorted(self.true - set(self.inbox))
        if not gone:
            return False
        name = gone[place % len(gone)]
        content = self.left[name]
        if kind == "the same bytes":
            self.inbox[name] = content
        elif kind == "another name":
            again = f"again-{len(self.left)}-{name}"
            self.inbox[again] = self.left[again] = content
            self.true.add(again)
        else:
            self._cuts += 1
            self.inbox[name] = content[: len(content) // 2 + self._cuts]
        return True
