"""A bank that moves no money: it reads pain.001 files, books them once and answers in pain.002.

It says so in every report. What it does seldom (rejections, returns, silence, answers that come
twice or in two parts) is asked for by the ending of the account number, see ``behaviour``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from backend.adapters.bank.behaviour import Behaviour, behaviour_of
from backend.adapters.bank.folder_exchange import FolderExchange, write_durably
from backend.adapters.bank.simulated_book import (
    Answer,
    Credit,
    KnownAccount,
    Movement,
    Page,
    SimulatedBook,
)
from backend.adapters.bank.simulated_statement import add_statement
from backend.adapters.iso20022.document import MessageError
from backend.adapters.iso20022.pain001 import read_pain001
from backend.adapters.iso20022.pain002 import write_pain002
from backend.service_layer.payout.ports import BankUnavailableError
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

DUPLICATE_MESSAGE: Final = "DU01"
DUPLICATE_PAYMENT: Final = "DU04"
OTHER_HOLDER: Final = "BE01"
CLOSED: Final = "AC04"
UNREADABLE: Final = "FF01"


class SimulatedBank(FolderExchange):
    """``folder`` is the exchange's; the bank's own book lies in it as ``simulated.db``.

    ``answer_after`` and ``return_after`` are how long it takes until an answer, and until a
    returned payment comes back.
    """

    def __init__(
        self,
        folder: Path,
        now: Callable[[], dt.datetime],
        *,
        behaviour: Callable[[str], Behaviour] = behaviour_of,
        answer_after: dt.timedelta = dt.timedelta(0),
        return_after: dt.timedelta = dt.timedelta(seconds=30),
        gives_statements: bool = False,
    ) -> None:
        super().__init__(folder)
        self._gives_statements = gives_statements
        self._now = now
        self._behaviour = behaviour
        self._answer_after = answer_after
        self._return_after = return_after
        self.book = SimulatedBook(folder.joinpath("simulated.db"))

    @property
    def is_simulated(self) -> bool:
        return True

    def enrol(self, accounts: Sequence[KnownAccount]) -> None:
        """Let the bank know accounts, so that it can answer for their holders' names."""
        with self.book.open() as page:
            page.enrol(accounts)

    def pay_in(self, account: str, reference: str, amount_fen: int, part: str = "") -> None:
        """Money arrives on an account of the agency; the same part of a reference arrives once."""
        movement = Movement(account, "credit", amount_fen, reference[:35], "", self._now(), part)
        try:
            with self.book.open() as page:
                page.move(movement)
        except (OSError, sqlite3.Error) as error:
            raise self._cannot_look(error) from error

    def ask_for_statements(self) -> bool:
        if not self._gives_statements:
            return False
        now = self._now()
        try:
            with self.book.open() as page:
                self._move_what_was_credited(page)
                made = [add_statement(page, account, now) for account in page.moved_accounts()]
        except (OSError, sqlite3.Error) as error:
            raise self._cannot_look(error) from error
        return any(made)

    def _move_what_was_credited(self, page: Page) -> None:
        """Book on the agency's account what an earlier release of this bank has only credited."""
        for credit in page.without_movement():
            path = self._part("handed").joinpath(f"{credit.message_id}.xml")
            if path.exists():
                account = read_pain001(path.read_bytes()).debtor_account
                page.move(_debit(account, credit))

    def check_name(self, holder: str, account_number: str, bank_code: str) -> NameMatch:
        try:
            with self.book.open() as page:
                known = page.account(account_number)
        except (OSError, sqlite3.Error) as error:
            raise self._cannot_look(error) from error
        if known is None or (bank_code and known.bank_code != bank_code):
            return NameMatch(NameVerdict.UNKNOWN, simulated=True)
        if known.is_closed or self._behaviour(account_number).reject == CLOSED:
            return NameMatch(NameVerdict.CLOSED, simulated=True)
        is_same = known.holder == holder.strip()
        verdict = NameVerdict.MATCH if is_same else NameVerdict.NO_MATCH
        return NameMatch(verdict, simulated=True)

    def incoming(self) -> Sequence[IncomingFile]:
        """Carries out what was handed over and delivers what is due, then lists ``in/``."""
        try:
            self.carry_out()
        except (OSError, sqlite3.Error) as error:
            raise self._cannot_look(error) from error
        return super().incoming()

    def _cannot_look(self, error: OSError | sqlite3.Error) -> BankUnavailableError:
        """A book that is locked, full or not readable is a bank that cannot be reached."""
        if isinstance(error, OSError):
            return self._unavailable(error)
        return BankUnavailableError(
            f"模拟银行的账簿用不了：{error}。没有丢失，稍后自动再试。",
            f"the simulated bank's book cannot be used: {error}. Nothing is lost; tried again.",
        )

    def carry_out(self) -> None:
        """One look at ``out/``. Killed anywhere and asked again, each payment is made once."""
        for entry in sorted(self._plain("out"), key=lambda found: found.name):
            path = Path(entry.path)
            with suppress(FileNotFoundError):  # another process took it a moment ago
                self._take(entry.name, path.read_bytes())
                path.replace(self._part("fetched").joinpath(entry.name))
        now = self._now()
        with self.book.open() as page:  # held meanwhile: two looks deliver an answer once
            due = page.answers_due(now)
            for answer in due:
                places = (self._part(part).joinpath(answer.name) for part in ("in", "read"))
                if not any(place.exists() for place in places):
                    write_durably(self._part("in").joinpath(answer.name), answer.content)
            page.delivered([answer.name for answer in due])

    def _take(self, name: str, content: bytes) -> None:
        digest = hashlib.sha256(content).digest()
        now = self._now()
        with self.book.open() as page:
            if page.has_file(name, digest):
                return
            try:
                file = read_pain001(content)
            except MessageError:
                self._answer_group(page, name[:35], UNREADABLE, digest, now)
                return
            if not page.add_file(name, file.message_id, digest, now):
                self._answer_group(page, file.message_id, DUPLICATE_MESSAGE, digest, now)
                return
            self._answer_items(page, file, now)

    def _answer_group(
        self, page: Page, message_id: str, code: str, digest: bytes, now: dt.datetime
    ) -> None:
        """The whole file is refused; nothing was paid from it."""
        report = StatusReport(
            message_id=_derived(message_id, code + digest.hex()),
            created_at=now,
            original_message_id=message_id,
            items=(),
            simulated=True,
            group_status=AnswerStatus.REJECTED,
            group_reason_code=code,
        )
        self._deliver(page, report, now)

    def _answer_items(self, page: Page, file: PaymentFile, now: dt.datetime) -> None:
        first: list[StatusItem] = []
        second: list[StatusItem] = []
        returned: list[StatusItem] = []
        for item in file.items:
            final, behaviour = self._pay(page, file, item, now)
            if behaviour.silent:
                continue
            if behaviour.parts:
                first.append(_said(item, AnswerStatus.ACCEPTED, now))
                second.append(final)
                continue
            first.append(final)
            second += [final] * (behaviour.copies - 1)
            if behaviour.returned and final.status is AnswerStatus.PAID:
                back = _said(item, AnswerStatus.RETURNED, now + self._return_after)
                returned.append(_because(back, behaviour.returned, behaviour.zh))
        later = now + self._return_after
        for kind, items, at in (("1", first, now), ("2", second, now), ("R", returned, later)):
            if items:
                report = StatusReport(
                    message_id=_derived(file.message_id, kind),
                    created_at=at,
                    original_message_id=file.message_id,
                    items=tuple(items),
                    simulated=True,
                    original_item_count=len(file.items),
                    original_control_sum_fen=file.control_sum_fen,
                )
                self._deliver(page, report, at)

    def _pay(
        self, page: Page, file: PaymentFile, item: PaymentItem, now: dt.datetime
    ) -> tuple[StatusItem, Behaviour]:
        behaviour = self._behaviour(item.account_number)
        rejected = _said(item, AnswerStatus.REJECTED, now)
        known = page.account(item.account_number)
        if behaviour.reject:
            return _because(rejected, behaviour.reject, behaviour.zh), behaviour
        if known is not None and known.is_closed:
            return _because(rejected, CLOSED, "账户已销户"), behaviour
        if known is not None and known.holder != item.holder:
            return _because(rejected, OTHER_HOLDER, "户名不符"), behaviour
        reference = "SIM" + hashlib.sha256(item.end_to_end_id.encode()).hexdigest()[:16].upper()
        credit = Credit(
            item.end_to_end_id,
            file.message_id,
            item.account_number,
            item.amount_fen,
            reference,
            now,
        )
        if page.credit(credit):
            page.move(_debit(file.debtor_account, credit))
            if behaviour.returned:
                page.move(_back(file.debtor_account, credit, now + self._return_after))
        else:
            before = page.credit_of(item.end_to_end_id)
            if before is not None and (before.account, before.amount_fen) == (
                credit.account,
                credit.amount_fen,
            ):
                # The same instruction again, after a restored backup for example: it is told what
                # became of it, and nobody is paid twice.
                return _said(item, AnswerStatus.PAID, before.at, reference), behaviour
            return _because(rejected, DUPLICATE_PAYMENT, "重复的指令，没有再付"), behaviour
        return _said(item, AnswerStatus.PAID, now, reference), behaviour

    def _deliver(self, page: Page, report: StatusReport, at: dt.datetime) -> None:
        name = f"{report.message_id}.pain.002.xml"
        page.add_answer(Answer(name, write_pain002(report), at + self._answer_after))


def _debit(account: str, credit: Credit) -> Movement:
    return Movement(
        account, "debit", credit.amount_fen, credit.reference, credit.end_to_end_id, credit.at
    )


def _back(account: str, credit: Credit, at: dt.datetime) -> Movement:
    """The same money, returned to our account."""
    reference = f"RET{credit.reference[3:]}"
    return Movement(account, "credit", credit.amount_fen, reference, credit.end_to_end_id, at)


def _derived(message_id: str, kind: str) -> str:
    """The bank's own message id: the same report of the same file has the same."""
    return "SIM" + hashlib.sha256(f"{message_id}|{kind}".encode()).hexdigest()[:29].upper()


def _said(
    item: PaymentItem, status: AnswerStatus, at: dt.datetime, reference: str = ""
) -> StatusItem:
    return StatusItem(
        item.end_to_end_id,
        status,
        amount_fen=item.amount_fen,
        bank_reference=reference,
        answered_at=at,
    )


def _because(item: StatusItem, code: str, text: str) -> StatusItem:
    return StatusItem(
        item.end_to_end_id,
        item.status,
        reason_code=code,
        reason_text=text,
        amount_fen=item.amount_fen,
        answered_at=item.answered_at,
    )
