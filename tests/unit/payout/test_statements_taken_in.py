"""A statement of the bank: kept once, and refused when movements would count twice or elsewhere."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.payout import FundAccount, PayoutRules
from backend.service_layer.payout.ports import BadStatusFileError
from backend.service_layer.payout.records import (
    BankStatement,
    EntrySide,
    IncomingFile,
    Lane,
    StatementEntry,
    Verdict,
)
from backend.service_layer.payout.statements import StoredStatement, region_of, take_in_statement
from backend.service_layer.payout.stored import BankMessage
from tests.unit.payout.payables import NOW

HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
ENTRIES = (
    StatementEntry(EntrySide.CREDIT, 100_000, "B1", "", dt.date(2026, 11, 19)),
    StatementEntry(EntrySide.DEBIT, 6_000, "B2", "C1-V1-A1", dt.date(2026, 11, 19)),
)
STATEMENT = BankStatement(
    "MSG-1", NOW - HOUR, "STM-1", "TEST-FUND-330800", NOW - 26 * HOUR, NOW - 2 * HOUR, 5_000,
    99_000, ENTRIES, simulated=True,
)  # fmt: skip
FILE = IncomingFile("S1.xml", b"<camt.053/>")
RULES = PayoutRules(
    accounts=(
        ("330900", FundAccount("舟山（测试）", "TEST-FUND-330900")),
        ("331000", FundAccount("台州（测试）", "TEST-FUND-331000")),
    )
)


class Bank:
    """An office that takes in one statement, with what it knows from before."""

    def __init__(self, read: BankStatement | str = STATEMENT) -> None:
        self.read = read
        self.is_simulated = True
        self.known: StoredStatement | None = None
        self.over: str | None = None
        self.filings = 0
        self.known_entries: list[StatementEntry] = list(ENTRIES)
        self.withdrawn: set[bytes] = set()
        self.has_message = False
        self.turns: list[Lane] = []
        self.messages: list[BankMessage] = []
        self.kept: list[tuple[StoredStatement, Any]] = []
        self.alarms: list[tuple[str, str, str]] = []
        self.commits = 0

    def take_in(self, file: IncomingFile = FILE) -> None:
        def read_statement(content: bytes) -> BankStatement:
            assert content == file.content
            if isinstance(self.read, str):
                raise BadStatusFileError("读不出", self.read)
            return self.read

        deps = SimpleNamespace(
            work=lambda: self,
            payment_format=SimpleNamespace(read_statement=read_statement),
            settings=SimpleNamespace(payout=RULES),
            bank=SimpleNamespace(is_simulated=self.is_simulated),
            clock=SimpleNamespace(now=lambda: NOW),
            ids=SimpleNamespace(new_id=lambda prefix: f"{prefix}_1"),
            secret_box=SimpleNamespace(wrap=lambda content, name: content + name.encode()),
        )
        digest = hashlib.sha256(file.content).digest()
        self.payments = SimpleNamespace(
            take_turn=self.turns.append,
            message=lambda *asked: (
                "known" if self.has_message and asked == (file.name[:200], digest) else None
            ),
            add_message=self.messages.append,
        )
        take_in_statement(deps, file)

    @property
    def bank_statements(self) -> Any:
        def asked(answer: Any, *expected: Any) -> Callable[..., Any]:
            return lambda *given: answer if given == expected else None

        one = self.read
        assert isinstance(one, BankStatement)
        return SimpleNamespace(
            find=asked(self.known, one.account, one.statement_id),
            overlapping=asked(self.over, one.account, one.from_at, one.to_at),
            filings=asked(self.filings, one.account, one.statement_id),
            entries_of=lambda stored_id: self.known_entries,
            was_withdrawn=lambda digest: digest in self.withdrawn,
            add=lambda stored, entries: self.kept.append((stored, entries)),
        )

    def __enter__(self) -> Any:
        raised = SimpleNamespace(raise_alarm=lambda *said: self.alarms.append(said))
        return SimpleNamespace(
            payments=self.payments,
            alarms=raised,
            commit=self.commit,
            bank_statements=None if isinstance(self.read, str) else self.bank_statements,
        )

    def __exit__(self, *_: object) -> None:
        return None

    def commit(self) -> None:
        self.commits += 1

    def refused(self) -> str:
        """Why the file was refused; nothing else came of it."""
        (message,) = self.messages
        assert message.verdict is Verdict.REFUSED and self.kept == [] and self.commits == 1
        said = f"S1.xml: {message.difference}"
        assert self.alarms == [("bank-file-refused", "bmg_1", said)]
        return message.difference


def known(**fields: Any) -> StoredStatement:
    values: dict[str, Any] = {
        "id": "bst_0", "region": "330800", "account": "TEST-FUND-330800", "statement_id": "STM-1",
        "from_at": STATEMENT.from_at, "to_at": STATEMENT.to_at, "opening_fen": 5_000,
        "closing_fen": 99_000, "entry_count": 2, "simulated": True, "message_id": "bmg_0",
    }  # fmt: skip
    return StoredStatement(**(values | fields))


def test_a_statement_is_kept_with_its_movements_and_its_file() -> None:
    bank = Bank()
    bank.take_in()
    assert bank.kept == [(known(id="bst_1", message_id="bmg_1"), ENTRIES)]
    (message,) = bank.messages
    assert message == BankMessage(
        id="bmg_1", name="S1.xml", digest=hashlib.sha256(FILE.content).digest(),
        wrapped_content=FILE.content + b"bmg_1", received_at=NOW, report_id="MSG-1",
        original_id=None, reported_at=NOW - HOUR, simulated=True, verdict=Verdict.FILED,
        difference="",
    )  # fmt: skip
    assert bank.alarms == [] and bank.turns == [Lane.DAILY] and bank.commits == 1


def test_a_file_that_was_taken_in_is_not_looked_at_again() -> None:
    bank = Bank()
    bank.has_message = True
    bank.take_in()
    assert bank.messages == [] and bank.kept == [] and bank.alarms == []


def test_the_same_statement_in_another_file_is_repeated_and_kept_once() -> None:
    bank = Bank()
    bank.known = known()
    bank.over = "STM-1"  # of course it overlaps itself
    bank.take_in()
    assert [one.verdict for one in bank.messages] == [Verdict.REPEATED] and bank.kept == []
    assert bank.alarms == [("bank-file-repeated", "bmg_1", "S1.xml: a known statement")]
    assert bank.messages[0].difference == "" and bank.commits == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"from_at": STATEMENT.from_at + MINUTE}, {"to_at": STATEMENT.to_at - MINUTE},
        {"opening_fen": 5_001}, {"closing_fen": 98_999}, {"entry_count": 3},
    ],
)  # fmt: skip
def test_another_content_under_a_known_name_is_refused(changed: dict[str, Any]) -> None:
    bank = Bank()
    bank.known = known(**changed)
    bank.take_in()
    assert bank.refused() == "another statement STM-1 is known"


def test_a_time_that_another_statement_covers_is_refused() -> None:
    bank = Bank()
    bank.over = "STM-0"
    bank.take_in()
    assert bank.refused() == "it overlaps statement STM-0"


def test_another_account_is_named_by_its_end_alone() -> None:
    bank = Bank(replace(STATEMENT, account="TEST-OTHER-9999"))
    bank.take_in()
    assert bank.refused() == "account …9999 is none of ours"


@pytest.mark.parametrize(
    ("is_simulated", "words"),
    [(False, "it is simulated, this bank is real"), (True, "it is real, this bank is simulated")],
)
def test_simulated_and_real_money_are_never_mixed(is_simulated: bool, words: str) -> None:
    bank = Bank(replace(STATEMENT, simulated=not is_simulated))
    bank.is_simulated = is_simulated
    bank.take_in()
    assert bank.refused() == words


def test_a_statement_from_the_future_is_refused_beyond_ten_minutes_and_told_by_that_time() -> None:
    edge, beyond = NOW + 10 * MINUTE, NOW + 11 * MINUTE
    for one in (replace(STATEMENT, created_at=edge), replace(STATEMENT, to_at=edge)):
        bank = Bank(one)
        bank.take_in()
        assert [message.verdict for message in bank.messages] == [Verdict.FILED]
    late, future = (
        Bank(replace(STATEMENT, created_at=beyond)),
        Bank(replace(STATEMENT, to_at=beyond)),
    )
    for bank in (late, future):
        bank.take_in()
    assert late.refused() == "it reaches to 2026-11-20T02:11:00Z, which has not come yet"
    assert future.refused() == "it reaches to 2026-11-20T02:11:00Z, which has not come yet"


def test_what_cannot_be_read_is_kept_with_the_place_of_its_fault() -> None:
    bank = Bank("line 3: no closing balance")
    bank.take_in()
    assert bank.refused() == "line 3: no closing balance"
    (message,) = bank.messages
    assert (message.report_id, message.reported_at, message.simulated) == (None, None, None)
    assert (message.digest, message.received_at) == (hashlib.sha256(FILE.content).digest(), NOW)


@pytest.mark.parametrize("change", [{"reference": "B9"}, {"end_to_end_id": "C2-V1-A1"}])
def test_a_known_name_with_the_same_sums_and_another_movement_is_refused(
    change: dict[str, Any],
) -> None:
    """A corrected statement may say the same balances of other movements: it is no repetition."""
    bank = Bank()
    bank.known = known()
    bank.known_entries = [ENTRIES[0], replace(ENTRIES[1], **change)]
    bank.take_in()
    assert bank.refused() == "another statement STM-1 is known"
    again = Bank()
    again.known = known()
    again.known_entries = list(reversed(ENTRIES))
    again.take_in()
    assert [one.verdict for one in again.messages] == [Verdict.REPEATED]


def test_the_bytes_of_a_withdrawn_statement_are_refused_and_another_file_is_its_next_filing() -> (
    None
):
    bank = Bank()
    bank.withdrawn = {hashlib.sha256(FILE.content).digest()}
    bank.take_in()
    assert bank.refused() == "statement STM-1 was withdrawn, and these are its very bytes"
    corrected = Bank()
    corrected.withdrawn, corrected.filings = {hashlib.sha256(b"other").digest()}, 1
    corrected.take_in()
    assert [stored.filing for stored, _ in corrected.kept] == [2]


def test_a_file_beyond_64_mebibytes_is_cut_and_refused_unread() -> None:
    limit = 64 * 2**20
    bank = Bank()
    bank.take_in(IncomingFile("S1.xml", bytes(limit + 1)))
    assert bank.refused() == "it is larger than 67108864 bytes"
    assert len(bank.messages[0].wrapped_content) == limit + len("bmg_1")
    exact = Bank()
    exact.take_in(IncomingFile("S1.xml", bytes(limit)))
    assert [one.verdict for one in exact.messages] == [Verdict.FILED]


def test_a_long_name_is_kept_by_its_first_two_hundred_characters() -> None:
    bank = Bank()
    bank.take_in(replace(FILE, name="名" * 201))
    assert bank.messages[0].name == "名" * 200
    again = Bank()
    again.has_message = True
    again.take_in(replace(FILE, name="名" * 201))
    assert again.messages == []


@pytest.mark.parametrize(
    ("account", "region"),
    [
        ("TEST-FUND-330800", "330800"), ("TEST-FUND-330900", "330900"),
        ("TEST-FUND-331000", "331000"), ("TEST-FUND-330801", None), ("", None),
    ],
)  # fmt: skip
def test_every_region_of_the_settings_has_its_account(account: str, region: str | None) -> None:
    assert region_of(SimpleNamespace(settings=SimpleNamespace(payout=RULES)), account) == region


def test_a_region_without_an_account_does_not_hide_the_next() -> None:
    rules = replace(RULES, account=FundAccount("", ""))
    deps = SimpleNamespace(settings=SimpleNamespace(payout=rules))
    assert region_of(deps, "TEST-FUND-331000") == "331000"
    assert region_of(deps, "TEST-FUND-330800") is None
