"""What the simulated bank pays, answers and keeps in its book: docs/bank-files.md."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.bank.behaviour import USUAL, Behaviour, behaviour_of
from backend.adapters.bank.simulated_bank import SimulatedBank
from backend.adapters.bank.simulated_book import Credit, KnownAccount, Movement
from backend.adapters.iso20022.camt053 import read_camt053
from backend.adapters.iso20022.pain001 import write_pain001
from backend.adapters.iso20022.pain002 import read_pain002
from backend.service_layer.payout.ports import BankUnavailableError
from backend.service_layer.payout.records import (
    AnswerStatus,
    BankStatement,
    EntrySide,
    Lane,
    PaymentFile,
    PaymentItem,
    StatementEntry,
    StatusItem,
    StatusReport,
)

AT = dt.datetime(2026, 11, 22, 8, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
BACK_AFTER = 30 * SECOND
OURS, THEIRS = "3308000000000001", "6217000000000006217"
BANK = "105331000016"
# printf 'E-1' | sha256sum, the first 16 digits.
E1 = "SIMFB28C424C1913C50"


class World:
    """A bank in a folder at a time that is set."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.now = AT
        self.folder = folder
        self.bank = SimulatedBank(folder, lambda: self.now, **options)

    def send(self, *items: PaymentItem, message: str = "YC-1", name: str = "") -> None:
        file = PaymentFile(message, AT, AT.date(), Lane.DAILY, "示例市医保中心", OURS, BANK, items)
        self.bank.hand_over(name or f"{message}.xml", write_pain001(file))

    def reports(self) -> list[StatusReport]:
        """What the bank has left since; it is put away."""
        found = []
        for file in self.bank.incoming():
            found.append(read_pain002(file.content))
            assert file.name == f"{found[-1].message_id}.pain.002.xml"
            self.bank.put_away(file.name)
        return found

    def movements(self) -> list[Movement]:
        with self.bank.book.open() as page:
            return page.moved(OURS, AT - SECOND, AT + 99 * SECOND)

    def credits(self) -> list[Credit]:
        with self.bank.book.open() as page:
            return page.credits()


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files need not be on the disk: that is the folder's own test."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "bank")


def item(name: str = "E-1", ending: str = "6217", fen: int = 100) -> PaymentItem:
    number = f"621700000000000{ending}"
    return PaymentItem(name, fen, "测试甲子", number, "示例银行", BANK, "报销")


def said(status: AnswerStatus, name: str = "E-1", fen: int = 100, **fields: Any) -> StatusItem:
    values: dict[str, Any] = {"amount_fen": fen, "answered_at": AT}
    return StatusItem(name, status, **(values | fields))


# --- one payment ----------------------------------------------------------------------------------


def test_a_payment_is_credited_debited_and_answered_whole(world: World) -> None:
    world.send(item(fen=860_225), item("E-2", fen=75))
    [report] = world.reports()
    e2 = report.items[1].bank_reference
    assert report == StatusReport(
        message_id=report.message_id,
        created_at=AT,
        original_message_id="YC-1",
        items=(
            said(AnswerStatus.PAID, fen=860_225, bank_reference=E1),
            said(AnswerStatus.PAID, "E-2", 75, bank_reference=e2),
        ),
        simulated=True,
        original_item_count=2,
        original_control_sum_fen=860_300,
    )
    assert world.credits() == [
        Credit("E-1", "YC-1", THEIRS, 860_225, E1, AT), Credit("E-2", "YC-1", THEIRS, 75, e2, AT),
    ]  # fmt: skip
    assert world.movements() == [
        Movement(OURS, "debit", 860_225, E1, "E-1", AT),
        Movement(OURS, "debit", 75, e2, "E-2", AT),
    ]


def test_names_of_the_bank_are_the_same_whenever_it_is_asked(world: World) -> None:
    """By them an answer is delivered once: another release must find those of this one."""
    world.send(item())
    [report] = world.reports()
    # printf 'YC-1|1' | sha256sum, the first 29 digits: 32 characters, of at most 35 (Max35Text).
    assert report.message_id == "SIM5A6404C41D84247E2F2B79B139221"
    assert [path.name for path in (world.folder / "fetched").iterdir()] == ["YC-1.xml"]
    assert list((world.folder / "out").iterdir()) == []


def test_whoever_has_no_mark_is_paid_as_usual() -> None:
    assert behaviour_of("6217000000000000001") == Behaviour(reject="AC01", zh="账号有误")
    assert behaviour_of("0001621700") == USUAL == Behaviour("", "", False, 1, False, "")


@pytest.mark.parametrize(
    ("ending", "code", "zh"),
    [("0001", "AC01", "账号有误"), ("0004", "AC04", "账户已销户"), ("0006", "AC06", "账户已冻结")],
)
def test_a_rejection_says_why_and_moves_nothing(
    world: World, ending: str, code: str, zh: str
) -> None:
    world.send(item(ending=ending))
    [report] = world.reports()
    assert report.items == (
        said(AnswerStatus.REJECTED, reason_code=code, reason_text=zh),
    )  # fmt: skip
    assert world.credits() == [] and world.movements() == []


@pytest.mark.parametrize(
    ("known", "code", "zh"),
    [({"is_closed": True}, "AC04", "账户已销户"), ({"holder": "测试乙丑"}, "BE01", "户名不符")],
)
def test_an_account_that_the_bank_knows_otherwise_is_not_paid(
    world: World, known: dict[str, Any], code: str, zh: str
) -> None:
    world.bank.enrol([replace(KnownAccount(THEIRS, "测试甲子", BANK), **known)])
    world.send(item())
    [report] = world.reports()
    assert report.items == (said(AnswerStatus.REJECTED, reason_code=code, reason_text=zh),)
    assert world.credits() == [] and world.movements() == []


def test_a_payment_that_comes_back_is_two_movements_and_two_reports(world: World) -> None:
    world.send(item(ending="0008"), item("E-2"))
    [paid] = world.reports()
    assert [one.status for one in paid.items] == [AnswerStatus.PAID] * 2
    world.now = AT + BACK_AFTER - SECOND
    assert world.reports() == []
    world.now = AT + BACK_AFTER
    [back] = world.reports()
    assert (back.original_message_id, back.created_at) == ("YC-1", AT + BACK_AFTER)
    assert back.items == (
        said(
            AnswerStatus.RETURNED, reason_code="AC04", reason_text="入账后退回：账户已销户",
            answered_at=AT + BACK_AFTER,
        ),
    )  # fmt: skip
    assert [one for one in world.movements() if one.end_to_end_id == "E-1"] == [
        Movement(OURS, "debit", 100, E1, "E-1", AT),
        Movement(OURS, "credit", 100, f"RET{E1[3:]}", "E-1", AT + BACK_AFTER),
    ]


def test_what_was_not_paid_does_not_come_back(tmp_path: Path) -> None:
    both = Behaviour(reject="AC01", returned="AC04")
    world = World(tmp_path / "bank", behaviour=lambda number: both)
    world.send(item())
    world.now = AT + BACK_AFTER
    assert [one.status for report in world.reports() for one in report.items] == [
        AnswerStatus.REJECTED
    ]


def test_parts_copies_and_silence_are_files_of_their_own(world: World) -> None:
    world.send(item("E-9", "0009"), item("E-3", "0003"), item("E-2", "0002"), item("E-1"))
    first, second = world.reports()
    assert [(one.end_to_end_id, one.status) for one in first.items] == [
        ("E-3", AnswerStatus.ACCEPTED), ("E-2", AnswerStatus.PAID), ("E-1", AnswerStatus.PAID),
    ]  # fmt: skip
    assert [(one.end_to_end_id, one.status) for one in second.items] == [
        ("E-3", AnswerStatus.PAID), ("E-2", AnswerStatus.PAID),
    ]  # fmt: skip
    assert first.items[0] == said(AnswerStatus.ACCEPTED, "E-3")
    assert first.message_id != second.message_id
    assert (second.original_item_count, second.original_control_sum_fen) == (4, 400)
    assert len(world.credits()) == 4, "silence is of the answer alone"


def test_a_late_bank_answers_later_with_the_time_of_the_payment(tmp_path: Path) -> None:
    world = World(tmp_path / "bank", answer_after=60 * SECOND, return_after=10 * SECOND)
    world.send(item(ending="0008"))
    assert world.reports() == []
    world.now = AT + 59 * SECOND
    assert world.reports() == []
    world.now = AT + 60 * SECOND
    [paid] = world.reports()
    assert (paid.created_at, paid.items[0].answered_at) == (AT, AT)
    world.now = AT + 70 * SECOND
    [back] = world.reports()
    assert back.items[0].answered_at == AT + 10 * SECOND


# --- the same thing again -------------------------------------------------------------------------


def test_the_same_instruction_again_is_told_when_it_was_paid(world: World) -> None:
    world.send(item())
    world.reports()
    world.now = AT + 5 * SECOND
    world.send(item(), message="YC-2")
    [again] = world.reports()
    assert again.items == (said(AnswerStatus.PAID, bank_reference=E1),)
    assert again.original_message_id == "YC-2"
    assert world.credits() == [Credit("E-1", "YC-1", THEIRS, 100, E1, AT)]
    assert len(world.movements()) == 1


@pytest.mark.parametrize("other", [{"amount_fen": 101}, {"account_number": "6217000000000001111"}])
def test_another_instruction_under_a_known_name_is_rejected(
    world: World, other: dict[str, Any]
) -> None:
    world.send(item())
    world.reports()
    world.send(replace(item(), **other), message="YC-2")
    [report] = world.reports()
    assert report.items == (
        said(
            AnswerStatus.REJECTED, fen=other.get("amount_fen", 100), reason_code="DU04",
            reason_text="重复的指令，没有再付",
        ),
    )  # fmt: skip
    assert len(world.credits()) == len(world.movements()) == 1


def test_a_known_message_in_another_file_is_refused_whole(world: World) -> None:
    world.send(item())
    world.reports()
    world.now = AT + SECOND
    world.send(item("E-2"), name="other.xml")
    [refused] = world.reports()
    assert refused == StatusReport(
        message_id=refused.message_id,
        created_at=AT + SECOND,
        original_message_id="YC-1",
        items=(),
        simulated=True,
        group_status=AnswerStatus.REJECTED,
        group_reason_code="DU01",
    )
    assert len(world.credits()) == 1


def test_what_is_no_order_is_refused_under_its_name_each_time_it_is_another(world: World) -> None:
    name = f"{'y' * 36}.xml"
    world.bank.hand_over(name, b"<Document/>")
    [first] = world.reports()
    assert (first.original_message_id, first.group_reason_code) == ("y" * 35, "FF01")
    assert first.message_id.startswith("SIM") and len(first.message_id) == 32
    (world.folder / "out" / name).write_bytes(b"<Document/>")
    assert world.reports() == [], "the same is answered once"
    (world.folder / "out" / name).write_bytes(b"<Document>")
    [second] = world.reports()
    assert second.message_id != first.message_id


def test_files_are_carried_out_by_name_and_the_first_of_two_orders_counts(world: World) -> None:
    world.send(item(fen=2), message="YC-2")
    world.send(item(fen=1), message="YC-1")
    world.reports()
    assert [one.amount_fen for one in world.credits()] == [1]


def test_an_answer_that_lies_there_or_was_read_is_not_left_again(world: World) -> None:
    world.send(item())
    [file] = world.bank.incoming()
    with world.bank.book.open() as page:  # killed before the book knew of the delivery
        page._connection.execute("UPDATE answer SET delivered = 0")
    path = world.folder / "in" / file.name
    os.utime(path, (1_000, 1_000))
    assert len(world.bank.incoming()) == 1 and path.stat().st_mtime == 1_000
    world.bank.put_away(file.name)
    with world.bank.book.open() as page:
        page._connection.execute("UPDATE answer SET delivered = 0")
    assert world.bank.incoming() == []


def test_a_file_that_another_one_has_fetched_meanwhile_is_passed_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.send(item("E-1"), message="YC-1")
    world.send(item("E-2"), message="YC-2")
    read = Path.read_bytes

    def taken(path: Path) -> bytes:
        if path == world.folder / "out/YC-1.xml":
            path.unlink()
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", taken)
    world.bank.carry_out()
    assert [one.end_to_end_id for one in world.credits()] == ["E-2"]


# --- a book that cannot be used -------------------------------------------------------------------


def test_a_bank_whose_book_is_damaged_is_out_of_reach_with_the_reason(world: World) -> None:
    world.send(item())
    (world.folder / "simulated.db").write_bytes(b"no database at all" * 100)
    for act in (
        world.bank.incoming,
        lambda: world.bank.check_name("测试甲子", THEIRS, BANK),
        lambda: world.bank.pay_in(OURS, "入账-1", 1),
        SimulatedBank(world.folder, lambda: AT, gives_statements=True).ask_for_statements,
    ):
        with pytest.raises(BankUnavailableError) as caught:
            act()
        assert (caught.value.zh, caught.value.en) == (
            "模拟银行的账簿用不了：file is not a database。没有丢失，稍后自动再试。",
            "the simulated bank's book cannot be used: file is not a database. Nothing is lost; "
            "tried again.",
        )
        assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)


def test_a_folder_that_is_none_is_out_of_reach_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "bank").write_text("a file where the folder should be")
    bank = SimulatedBank(tmp_path / "bank", lambda: AT, gives_statements=True)
    for act in (
        bank.incoming,
        bank.ask_for_statements,
        lambda: bank.check_name("测试甲子", THEIRS, BANK),
        lambda: bank.pay_in(OURS, "入账-1", 1),
    ):
        with pytest.raises(BankUnavailableError, match=r"the bank folder .* cannot be used: "):
            act()


# --- statements -----------------------------------------------------------------------------------


def statements(world: World) -> list[BankStatement]:
    found = []
    for file in world.bank.incoming():
        if file.name.endswith(".camt.053.xml"):
            found.append(read_camt053(file.content))
            assert file.name == f"{found[-1].message_id}.camt.053.xml"
        world.bank.put_away(file.name)
    return found


@pytest.fixture
def giving(tmp_path: Path) -> World:
    return World(tmp_path / "bank", gives_statements=True)


def entry(
    side: EntrySide, fen: int, reference: str, name: str = "", day: int = 22
) -> StatementEntry:
    return StatementEntry(side, fen, reference, name, dt.date(2026, 11, day))


def test_a_bank_gives_statements_only_where_it_was_told_to(world: World) -> None:
    world.bank.pay_in(OURS, "入账-1", 1_000)
    assert world.bank.is_simulated is True
    assert world.bank.ask_for_statements() is False and statements(world) == []


def test_nothing_moved_is_nothing_to_state(giving: World) -> None:
    assert giving.bank.ask_for_statements() is False and statements(giving) == []


def test_a_statement_leads_from_an_empty_account_to_what_is_on_it(giving: World) -> None:
    giving.bank.pay_in(OURS, "入账-1", 1_000)
    giving.now = AT + SECOND
    giving.send(item(ending="0008"))
    giving.reports()
    giving.now = AT + BACK_AFTER
    assert giving.bank.ask_for_statements() is True
    [found] = statements(giving)
    # printf '3308000000000001|1' | sha256sum, the first 20 digits.
    name = "C5FB5B82E02DFD9AAE86"
    assert found == BankStatement(
        message_id=f"SIMST-{name}",
        created_at=AT + BACK_AFTER,
        statement_id=f"1-{name}",
        account=OURS,
        from_at=dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
        to_at=AT + BACK_AFTER,
        opening_fen=0,
        closing_fen=900,
        entries=(
            entry(EntrySide.CREDIT, 1_000, "入账-1"), entry(EntrySide.DEBIT, 100, E1, "E-1"),
        ),
        simulated=True,
    )  # fmt: skip
    # The return is booked a second later: it begins the next statement where this one ended.
    giving.now = AT + BACK_AFTER + SECOND
    assert giving.bank.ask_for_statements() is True
    [second] = statements(giving)
    assert (second.from_at, second.to_at) == (found.to_at, giving.now)
    assert (second.opening_fen, second.closing_fen) == (900, 1_000)
    assert second.entries == (entry(EntrySide.CREDIT, 100, f"RET{E1[3:]}", "E-1"),)
    assert second.statement_id.startswith("2-") and second.message_id != found.message_id


def test_a_statement_ends_at_a_whole_second_and_is_given_once_for_it(giving: World) -> None:
    part = dt.timedelta(microseconds=400_000)
    giving.now = AT + part
    giving.bank.pay_in(OURS, "入账-1", 1_000)
    assert giving.bank.ask_for_statements() is True
    [empty] = statements(giving)
    assert (empty.to_at, empty.entries, empty.closing_fen) == (AT, (), 0)
    giving.now = AT + 2 * part
    assert giving.bank.ask_for_statements() is False and statements(giving) == []
    giving.now = AT + 3 * part  # 1.2 s
    assert giving.bank.ask_for_statements() is True
    [whole] = statements(giving)
    assert (whole.from_at, whole.to_at, whole.closing_fen) == (AT, AT + SECOND, 1_000)
    assert len(whole.entries) == 1


def test_each_account_has_its_own_statements(giving: World) -> None:
    giving.bank.pay_in("3308000000000009", "入账-9", 5)
    giving.bank.pay_in(OURS, "入账-1", 1_000)
    assert giving.bank.ask_for_statements() is True
    assert sorted((one.account, one.closing_fen) for one in statements(giving)) == [
        (OURS, 1_000), ("3308000000000009", 5),
    ]  # fmt: skip
    giving.now = AT + SECOND
    giving.bank.pay_in("3308000000000009", "入账-8", 7)
    assert giving.bank.ask_for_statements() is True
    assert sorted(one.closing_fen for one in statements(giving)) == [12, 1_000]


def test_a_movement_is_of_the_day_in_china_on_which_it_was_booked(giving: World) -> None:
    giving.now = AT.replace(hour=15, minute=59, second=59)
    giving.bank.pay_in(OURS, "入账-1", 1)
    giving.now = AT.replace(hour=16)
    giving.bank.pay_in(OURS, "入账-2", 1)
    giving.bank.ask_for_statements()
    [found] = statements(giving)
    assert [one.booked_on.day for one in found.entries] == [22, 23]


def test_what_arrives_under_one_reference_arrives_once(giving: World) -> None:
    long = "R" * 36
    for fen in (1_000, 999):
        giving.bank.pay_in(OURS, long, fen)
    assert [one.reference for one in giving.movements()] == ["R" * 35]  # Max35Text
    giving.bank.ask_for_statements()
    [found] = statements(giving)
    assert found.entries == (entry(EntrySide.CREDIT, 1_000, "R" * 35),)


def test_what_an_earlier_release_has_credited_is_debited_before_the_first_statement(
    giving: World,
) -> None:
    giving.send(item(), item("E-2", fen=50))
    giving.reports()
    with giving.bank.book.open() as page:
        page._connection.execute("DELETE FROM movement WHERE name = 'E-1'")
        page.credit(Credit("E-8", "YC-8", THEIRS, 7, "SIM-8", AT))  # its file is lost
    assert giving.bank.ask_for_statements() is True
    [found] = statements(giving)
    assert found.entries == (
        entry(EntrySide.DEBIT, 100, E1, "E-1"),
        entry(EntrySide.DEBIT, 50, found.entries[1].reference, "E-2"),
    )
    assert found.closing_fen == -150
