"""The folder between agency and bank, and the bank behind it that moves no money."""

from __future__ import annotations

import datetime as dt
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from backend.adapters.bank import folder_exchange
from backend.adapters.bank.folder_exchange import FolderExchange
from backend.adapters.bank.simulated_bank import SimulatedBank
from backend.adapters.bank.simulated_book import KnownAccount
from backend.adapters.iso20022.pain001 import write_pain001
from backend.adapters.iso20022.pain002 import read_pain002
from backend.service_layer.payout.ports import BankConflictError, BankUnavailableError
from backend.service_layer.payout.records import (
    INCOMING_BYTES_MAX,
    AnswerStatus,
    Lane,
    NameVerdict,
    PaymentFile,
    PaymentItem,
    StatusItem,
)

AT = dt.datetime(2026, 11, 22, 8, 0, tzinfo=dt.UTC)
BANK = "105331000016"


class Clock:
    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, seconds: int) -> None:
        self.now += dt.timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(tmp_path: Path, clock: Clock) -> SimulatedBank:
    return SimulatedBank(tmp_path / "bank", clock)


def item(
    name: str, ending: str = "6217", *, fen: int = 100, holder: str = "测试甲子"
) -> PaymentItem:
    return PaymentItem(name, fen, holder, f"621700000000000{ending}", "示例银行", BANK, "报销")


def order(message: str, *items: PaymentItem) -> PaymentFile:
    return PaymentFile(
        message, AT, AT.date(), Lane.DAILY, "示例市医保中心", "3308000000000001", BANK, items
    )


def send(bank: SimulatedBank, file: PaymentFile) -> None:
    bank.hand_over(f"{file.message_id}.xml", write_pain001(file))


def answers(bank: SimulatedBank) -> dict[str, list[StatusItem]]:
    """By identifier, in the order in which the bank's files came; the files are put away."""
    found: dict[str, list[StatusItem]] = {}
    for file in bank.incoming():
        report = read_pain002(file.content)
        assert report.simulated
        for entry in report.items:
            found.setdefault(entry.end_to_end_id, []).append(entry)
        bank.put_away(file.name)
    return found


def paid(bank: SimulatedBank) -> dict[str, int]:
    with bank.book.open() as page:
        return {credit.end_to_end_id: credit.amount_fen for credit in page.credits()}


def test_a_payment_is_made_and_answered_at_once(bank: SimulatedBank) -> None:
    send(bank, order("YC-1", item("E-1", fen=860_225)))
    [answer] = answers(bank)["E-1"]
    assert (answer.status, answer.amount_fen, answer.answered_at) == (
        AnswerStatus.PAID,
        860_225,
        AT,
    )
    assert answer.bank_reference.startswith("SIM")
    assert paid(bank) == {"E-1": 860_225}
    assert answers(bank) == {}


@pytest.mark.parametrize(("ending", "code"), [("0001", "AC01"), ("0004", "AC04"), ("0006", "AC06")])
def test_marked_accounts_are_rejected(bank: SimulatedBank, ending: str, code: str) -> None:
    send(bank, order("YC-1", item("E-1", ending)))
    [answer] = answers(bank)["E-1"]
    assert (answer.status, answer.reason_code) == (AnswerStatus.REJECTED, code)
    assert paid(bank) == {}


def test_a_payment_comes_back_later(bank: SimulatedBank, clock: Clock) -> None:
    send(bank, order("YC-1", item("E-1", "0008")))
    assert [a.status for a in answers(bank)["E-1"]] == [AnswerStatus.PAID]
    clock.forward(29)
    assert answers(bank) == {}
    clock.forward(1)
    [back] = answers(bank)["E-1"]
    assert (back.status, back.reason_code) == (AnswerStatus.RETURNED, "AC04")


def test_silence_twice_and_in_parts(bank: SimulatedBank) -> None:
    send(bank, order("YC-1", item("E-9", "0009"), item("E-2", "0002"), item("E-3", "0003")))
    found = answers(bank)
    assert "E-9" not in found
    assert [a.status for a in found["E-2"]] == [AnswerStatus.PAID] * 2
    assert sorted(a.status for a in found["E-3"]) == [AnswerStatus.ACCEPTED, AnswerStatus.PAID]
    assert paid(bank) == {"E-2": 100, "E-3": 100, "E-9": 100}


def test_handing_over_again_pays_once(bank: SimulatedBank) -> None:
    file = order("YC-1", item("E-1"))
    for _ in range(3):
        send(bank, file)
        answers(bank)
    assert paid(bank) == {"E-1": 100}


def test_the_same_bytes_in_a_lost_copy_are_not_paid_again(
    bank: SimulatedBank, tmp_path: Path
) -> None:
    """Killed between ``out/`` and our copy: the file is written a second time."""
    send(bank, order("YC-1", item("E-1")))
    answers(bank)
    (tmp_path / "bank/handed/YC-1.xml").unlink()
    send(bank, order("YC-1", item("E-1")))
    assert answers(bank) == {}
    assert paid(bank) == {"E-1": 100}


def test_a_known_name_with_other_bytes_is_refused(bank: SimulatedBank) -> None:
    bank.hand_over("YC-1.xml", write_pain001(order("YC-1", item("E-1"))))
    with pytest.raises(BankConflictError, match="handed over with other bytes"):
        bank.hand_over("YC-1.xml", write_pain001(order("YC-1", item("E-1", fen=200))))
    answers(bank)
    assert paid(bank) == {"E-1": 100}


def test_a_message_id_is_carried_out_once_whatever_the_name(bank: SimulatedBank) -> None:
    bank.hand_over("a.xml", write_pain001(order("YC-1", item("E-1"))))
    bank.hand_over("b.xml", write_pain001(order("YC-1", item("E-2"))))
    reports = [read_pain002(file.content) for file in bank.incoming()]
    refused = [r for r in reports if r.group_status is AnswerStatus.REJECTED]
    assert [(r.original_message_id, r.group_reason_code) for r in refused] == [("YC-1", "DU01")]
    assert paid(bank) == {"E-1": 100}


def test_an_identifier_is_paid_once_whatever_the_file(bank: SimulatedBank) -> None:
    send(bank, order("YC-1", item("E-1")))
    send(bank, order("YC-2", item("E-1", fen=300), item("E-2")))
    found = answers(bank)
    assert [(a.status, a.reason_code) for a in found["E-1"]] == [
        (AnswerStatus.PAID, ""),
        (AnswerStatus.REJECTED, "DU04"),
    ]
    assert paid(bank) == {"E-1": 100, "E-2": 100}


def test_what_is_no_order_is_refused_as_a_whole(bank: SimulatedBank) -> None:
    bank.hand_over("YC-1.xml", write_pain001(order("YC-1", item("E-1")))[:-20])
    [file] = bank.incoming()
    report = read_pain002(file.content)
    assert (report.group_status, report.group_reason_code) == (AnswerStatus.REJECTED, "FF01")
    assert paid(bank) == {}


@pytest.mark.parametrize("at", ["fetched", "answer", "delivered"])
def test_killed_in_the_middle_each_payment_is_made_and_answered_once(
    bank: SimulatedBank, clock: Clock, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    send(bank, order("YC-1", item("E-1"), item("E-2", "0004")))

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        if at == "fetched":
            broken.setattr(Path, "replace", die)
        elif at == "answer":
            broken.setattr("backend.adapters.bank.simulated_bank.write_durably", die)
        else:
            broken.setattr("backend.adapters.bank.simulated_book.Page.delivered", die)
        with pytest.raises(Killed):
            bank.incoming()
    again = SimulatedBank(bank._folder, clock)
    found = answers(again)
    assert {name: len(entries) for name, entries in found.items()} == {"E-1": 1, "E-2": 1}
    assert paid(again) == {"E-1": 100}
    assert answers(again) == {}


def test_two_looks_at_once_pay_once(bank: SimulatedBank, clock: Clock) -> None:
    for number in range(10):
        send(bank, order(f"YC-{number}", *(item(f"E-{number}-{n}") for n in range(20))))
    with ThreadPoolExecutor(6) as pool:
        for look in [pool.submit(SimulatedBank(bank._folder, clock).carry_out) for _ in range(6)]:
            look.result()
    found = answers(bank)
    assert len(found) == 200
    assert all(len(entries) == 1 for entries in found.values())
    assert len(paid(bank)) == 200


NAMES = [
    ("测试甲子", "6217000000000006217", BANK, NameVerdict.MATCH),
    (" 测试甲子 ", "6217000000000006217", "", NameVerdict.MATCH),
    ("测试乙丑", "6217000000000006217", BANK, NameVerdict.NO_MATCH),
    ("", "6217000000000006217", BANK, NameVerdict.NO_MATCH),
    ("测试甲子", "6217000000000006217", "102331000012", NameVerdict.UNKNOWN),
    ("测试甲子", "6217000000000009999", BANK, NameVerdict.UNKNOWN),
    ("测试丙寅", "6217000000000001111", BANK, NameVerdict.CLOSED),
    ("测试丁卯", "6217000000000000004", BANK, NameVerdict.CLOSED),
]


@pytest.mark.parametrize(("holder", "number", "code", "verdict"), NAMES)
def test_the_holders_name_is_checked(
    bank: SimulatedBank, holder: str, number: str, code: str, verdict: NameVerdict
) -> None:
    bank.enrol(
        [
            KnownAccount("6217000000000006217", "测试甲子", BANK),
            KnownAccount("6217000000000001111", "测试丙寅", BANK, is_closed=True),
            KnownAccount("6217000000000000004", "测试丁卯", BANK),
        ]
    )
    match = bank.check_name(holder, number, code)
    assert (match.verdict, match.simulated) == (verdict, True)


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (KnownAccount("6217000000000006217", "测试乙丑", BANK), "BE01"),
        (KnownAccount("6217000000000006217", "测试甲子", BANK, is_closed=True), "AC04"),
    ],
)
def test_a_known_account_is_paid_to_its_holder_alone(
    bank: SimulatedBank, account: KnownAccount, code: str
) -> None:
    bank.enrol([account])
    send(bank, order("YC-1", replace(item("E-1"), account_number=account.number)))
    [answer] = answers(bank)["E-1"]
    assert (answer.status, answer.reason_code) == (AnswerStatus.REJECTED, code)
    assert paid(bank) == {}


@pytest.mark.parametrize("name", ["", "../x.xml", "/etc/x", "a/b", ".hidden", "a\x00", "x" * 121])
def test_names_that_lead_out_of_the_folder_are_refused(bank: SimulatedBank, name: str) -> None:
    with pytest.raises(ValueError, match="no file name"):
        bank.hand_over(name, b"")
    with pytest.raises(ValueError, match="no file name"):
        bank.put_away(name)


def test_only_whole_plain_files_are_offered(tmp_path: Path) -> None:
    exchange = FolderExchange(tmp_path / "bank")
    assert exchange.incoming() == []
    into = tmp_path / "bank/in"
    secret = tmp_path / "secret.xml"
    secret.write_text("x")
    for name in ("a.xml.tmp", "a.xml.part", ".a.xml", "b\tc.xml"):
        (into / name).write_text("x")
    (into / "folder.xml").mkdir()
    (into / "link.xml").symlink_to(secret)
    os.mkfifo(into / "pipe.xml")
    (into / "good.xml").write_text("y")
    assert [(f.name, f.content) for f in exchange.incoming()] == [("good.xml", b"y")]


def test_files_come_oldest_first_and_are_kept_when_put_away(tmp_path: Path) -> None:
    exchange = FolderExchange(tmp_path / "bank")
    exchange.incoming()
    for age, name in enumerate(("c.xml", "a.xml", "b.xml")):
        path = tmp_path / "bank/in" / name
        path.write_text(name)
        os.utime(path, (1_000 + age, 1_000 + age))
    assert [f.name for f in exchange.incoming()] == ["c.xml", "a.xml", "b.xml"]
    exchange.put_away("a.xml")
    exchange.put_away("a.xml")
    (tmp_path / "bank/in/a.xml").write_text("again")
    exchange.put_away("a.xml")
    assert [f.name for f in exchange.incoming()] == ["c.xml", "b.xml"]
    kept = {f.name: f.content for f in exchange.received()}
    assert kept["a.xml"] == b"a.xml"
    assert kept["2-a.xml"] == b"again"


def test_a_huge_file_is_cut_above_the_limit(tmp_path: Path) -> None:
    exchange = FolderExchange(tmp_path / "bank")
    exchange.incoming()
    with (tmp_path / "bank/in/huge.xml").open("wb") as stream:
        stream.truncate(INCOMING_BYTES_MAX * 3)
    [file] = exchange.incoming()
    assert len(file.content) == INCOMING_BYTES_MAX + 1


def test_a_folder_that_cannot_be_used_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "bank").write_text("a file where the folder should be")
    exchange = FolderExchange(tmp_path / "bank")
    with pytest.raises(BankUnavailableError, match="Nothing is lost"):
        exchange.hand_over("a.xml", b"x")
    with pytest.raises(BankUnavailableError, match="Nothing is lost"):
        exchange.incoming()


def test_a_folder_alone_confirms_nobodys_account(tmp_path: Path) -> None:
    said = FolderExchange(tmp_path).check_name("测试甲子", "6222000000000001111", BANK)
    assert (said.verdict, said.simulated, said.is_match) == ("unchecked", False, False)


def test_files_are_readable_by_their_owner_alone(bank: SimulatedBank, tmp_path: Path) -> None:
    send(bank, order("YC-1", item("E-1")))
    path = tmp_path / "bank/out/YC-1.xml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_is_whole_or_absent(
    bank: SimulatedBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder_exchange.os, "fsync", full)
    with pytest.raises(BankUnavailableError, match="No space left"):
        send(bank, order("YC-1", item("E-1")))
    monkeypatch.undo()
    assert not (tmp_path / "bank/out/YC-1.xml").exists()
    assert answers(bank) == {}
    send(bank, order("YC-1", item("E-1")))
    assert paid(bank) == {}
    answers(bank)
    assert paid(bank) == {"E-1": 100}


def test_a_file_that_is_replaced_while_it_is_dealt_with_stays(tmp_path: Path) -> None:
    exchange = FolderExchange(tmp_path / "bank")
    exchange.incoming()
    path = tmp_path / "bank/in/a.xml"
    path.write_bytes(b"first")
    assert [file.content for file in exchange.incoming()] == [b"first"]
    folder_exchange.write_durably(path, b"other")
    exchange.put_away("a.xml")
    assert [file.content for file in exchange.incoming()] == [b"other"]
    exchange.put_away("a.xml")
    assert [file.content for file in exchange.incoming()] == []
    assert [file.content for file in exchange.received()] == [b"other"]


def test_a_book_that_cannot_be_used_is_a_bank_out_of_reach(
    bank: SimulatedBank, tmp_path: Path
) -> None:
    send(bank, order("YC-1", item("A-1")))
    book = tmp_path / "bank/simulated.db"
    book.write_bytes(b"no database at all" * 100)
    with pytest.raises(BankUnavailableError, match="Nothing is lost"):
        bank.incoming()
    with pytest.raises(BankUnavailableError, match="Nothing is lost"):
        bank.check_name("测试甲子", "6217000000000006217", BANK)
    book.unlink()
    assert [entry.status for entry in answers(bank)["A-1"]] == [AnswerStatus.PAID]


def test_large_files_come_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_exchange, "BYTES_A_PASS", 20)
    exchange = FolderExchange(tmp_path / "bank")
    exchange.incoming()
    for number in range(5):
        path = tmp_path / f"bank/in/{number}.xml"
        path.write_bytes(b"x" * 10)
        os.utime(path, (1_000 + number, 1_000 + number))
    seen = []
    while files := exchange.incoming():
        seen.append([file.name for file in files])
        for file in files:
            exchange.put_away(file.name)
    assert seen == [["0.xml", "1.xml"], ["2.xml", "3.xml"], ["4.xml"]]
