"""Money that goes out while the ledger is silent, the bank is gone, and its files are bad."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from backend.adapters.database import tables
from backend.adapters.iso20022.camt053 import write_camt053
from backend.adapters.iso20022.payment_format import Iso20022Format
from backend.domain.ledger import SlotState
from backend.service_layer.payout import manual
from backend.service_layer.payout import statement_withdrawal as withdrawal
from backend.service_layer.payout.records import AnswerStatus, BankStatement
from backend.service_layer.payout.run import payout_pass
from tests.kill.money_stage import MoneyStage
from tests.kill.stage import Scene

ONE, OTHER, WHY = "出纳员", "复核员", "已与银行核对"
OTHER_BYTES = b"other bytes"
UNREADABLE = "a\x07.xml"
NAMES = ("plain", "broken", "early")


def stage(folder: Path, url: str | None = None) -> MoneyStage:
    """Three payables of 360.00 each, and a claim that is settled."""
    made = MoneyStage(folder, url)
    made.person("plain")
    made.person("broken")
    made.person("barred")
    made.person("early", "0009", others="2222")
    for name in made.people:
        made.bill(name, 900)
    made.world.anchor()
    made.touch(*NAMES)
    made.works(with_payouts=False)
    made.touch("barred")
    made.until("settled", "barred")
    made.set_slot("barred", flags=SlotState.REVERSED)
    return made


def ledger_is_silent(stage: MoneyStage) -> None:
    stage.ledger.is_down = True
    payout_pass(stage.services)
    stage.ledger.is_down = False


def bank_is_gone(stage: MoneyStage) -> None:
    """Files are written, and cannot be handed over; of one bill the slot cannot be read."""
    stage.break_down()
    stage.ledger.broken = {stage.key("broken")}
    payout_pass(stage.services)
    stage.ledger.broken = set()


def bank_has_other_bytes(stage: MoneyStage) -> None:
    stage.mend()
    folder = stage.folder / "bank" / "handed"
    folder.mkdir(parents=True, exist_ok=True)
    for row in stage.rows(tables.payout_file):
        if row.handed_over_at is None:
            (folder / f"{row.message_id}.xml").write_bytes(OTHER_BYTES)
    payout_pass(stage.services)


def they_are_taken_away(stage: MoneyStage) -> None:
    for path in (stage.folder / "bank" / "handed").iterdir():
        if path.read_bytes() == OTHER_BYTES:
            path.unlink()


def reader_fails(stage: MoneyStage) -> None:
    """What the bank left cannot be dealt with, and stays where it is."""
    with mock.patch.object(Iso20022Format, "read", side_effect=KeyError("a name")):
        payout_pass(stage.services)


def garbage(stage: MoneyStage) -> None:
    folder = stage.folder / "bank"
    if not (folder / "read" / "garbage.pain.002.xml").exists():
        path = folder / "in" / "garbage.pain.002.xml"
        path.write_bytes(b"<Document>")
        os.utime(path, (1_000, 1_000))  # nothing more of it comes


def unreadable_name(stage: MoneyStage) -> None:
    """Somebody leaves a file that cannot be taken in by its name."""
    (stage.folder / "bank" / "in" / UNREADABLE).write_bytes(b"<Document>")


def it_is_taken_away(stage: MoneyStage) -> None:
    (stage.folder / "bank" / "in" / UNREADABLE).unlink(missing_ok=True)


def statement_of_another(stage: MoneyStage) -> None:
    """The bank leaves a statement of an account that is none of ours."""
    now = stage.services.clock.now()
    made = BankStatement(
        "ST-1", now, "1", "TEST-NOBODYS", now - dt.timedelta(days=1), now, 0, 0, (), True
    )  # fmt: skip
    folder = stage.folder / "bank"
    if not (folder / "read" / "statement.camt.053.xml").exists():
        (folder / "in" / "statement.camt.053.xml").write_bytes(write_camt053(made))


def statement_is_wrong(stage: MoneyStage) -> None:
    """The bank leaves one of our account on which nothing has moved, and another."""
    now = stage.services.clock.now()
    account = stage.services.settings.payout.account_of("330800").number
    wrong = BankStatement(
        "ST-2", now, "2", account, now - dt.timedelta(hours=1), now, 7, 7, (), True
    )  # fmt: skip
    folder = stage.folder / "bank"
    too = replace(wrong, message_id="ST-3", opening_fen=8, closing_fen=8)
    for name, made in (("wrong", wrong), ("wrong-too", too)):
        path = f"{name}.camt.053.xml"
        if not (folder / "read" / path).exists():
            (folder / "in" / path).write_bytes(write_camt053(made))
            payout_pass(stage.services)
    assert {row.filing for row in stage.rows(tables.bank_statement)} == {1}


def withdraws(stage: MoneyStage, act: Any, by: str) -> None:
    newest = max(stage.rows(tables.bank_statement), key=lambda row: row.filing)
    act(stage.services, newest.id, by, WHY)


def refused(stage: MoneyStage) -> str:
    (row,) = [row for row in stage.rows(tables.bank_message) if row.name.startswith("garbage")]
    return str(row.id)


def on_refused(name: str, act: Any, by: str) -> Scene:
    return Scene(name, lambda s: act(s.services, refused(s), by, WHY))


SCENES = [
    Scene("the ledger is silent", ledger_is_silent),
    Scene("one is barred", lambda s: s.works(with_payouts=False)),
    Scene("the bank is gone", bank_is_gone),
    Scene("the bank has other bytes", bank_has_other_bytes),
    Scene("and then has none", they_are_taken_away),
    Scene("its answer is not read", reader_fails),
    Scene("garbage", garbage),
    Scene("another's statement", statement_of_another),
    Scene("a name that nobody can read", unreadable_name),
    Scene("a return of what was not paid", lambda s: s.says(
        "early", "0009", AnswerStatus.RETURNED, "BACK")),
    Scene("it was a mistake", lambda s: s.set_slot("barred", flags=0)),
    Scene("worker", lambda s: s.works()),
    Scene("a statement is wrong", statement_is_wrong),
    Scene("somebody says so", lambda s: withdraws(s, withdrawal.propose_withdrawal, ONE)),
    Scene("it is not", lambda s: withdraws(s, withdrawal.refuse_withdrawal, OTHER)),
    Scene("it is", lambda s: withdraws(s, withdrawal.propose_withdrawal, ONE)),
    Scene("it is withdrawn", lambda s: withdraws(s, withdrawal.confirm_withdrawal, OTHER)),
    Scene("so is the next", lambda s: withdraws(s, withdrawal.propose_withdrawal, ONE)),
    Scene("it is withdrawn too", lambda s: withdraws(s, withdrawal.confirm_withdrawal, OTHER)),
    on_refused("what is in it", manual.read_content, ONE),
    on_refused("dealt with", manual.acknowledge, ONE),
    on_refused("so it is", manual.confirm_acknowledged, OTHER),
    Scene("it is taken away", it_is_taken_away),
    Scene("it was paid before", lambda s: s.says("early", "0009", AnswerStatus.PAID, "PAID")),
    Scene("worker again", lambda s: s.works()),
    Scene("another account", lambda s: s.name_account("early", "2222")),
    Scene("three days later", lambda s: s.passes(hours=73)),
    Scene("all are paid", lambda s: s.works()),
]  # fmt: skip

CREDITS = {
    "barred 1111": [36_000],
    "broken 1111": [36_000],
    "early 0009": [36_000],  # came back
    "early 2222": [36_000],
    "plain 1111": [36_000],
}
