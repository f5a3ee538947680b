"""``yichu payee`` at the window: accounts named, changed and taken back, a contact, a guardian."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend.entrypoints.cli import payee
from tests.integration.claims.world import World
from tests.integration.payees.test_accounts import BANK, FIRST, OTHERS, SECOND, Office, child


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    made = Office(World.make(tmp_path), tmp_path)
    monkeypatch.setattr(payee, "_services", lambda: made.services)
    yield made
    made.services.engine.dispose()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(payee.command, list(arguments))


def test_an_account_is_named_changed_and_taken_back_at_the_window(office: Office) -> None:
    who = office.person.identity_number
    by = ("--by", "窗口一")
    assert "手机尾号 0001" in run("contact", "--person", who, "--phone", "10000000001", *by).output
    for number in (FIRST, SECOND):
        done = run("name", "--person", who, "--bank", BANK, "--number", number, *by)
        assert done.exit_code == 0, done.output
        assert number[-4:] in done.output and number not in done.output
    shown = run("show", "--person", who).output
    assert "1111" in shown and "2222" in shown and FIRST not in shown
    why = ("--reason", "本人到窗口")
    assert run("cancel", "--person", who, *by, *why).output == "已撤销 / cancelled\n"
    assert "no change is waiting" in run("cancel", "--person", who, *by, *why).output
    assert office.number() == FIRST
    assert "尾号 2222" in run("notices", "--person", who).output


def test_what_the_window_may_not_do_stores_nothing(office: Office) -> None:
    who = office.person.identity_number
    minor = child(office)
    named = ("--person", who, "--bank", BANK, "--number")
    guarded = (
        "guardian",
        "--minor",
        minor.identity_number,
        "--from",
        "2015-05-05",
        "--reason",
        "户口簿",
    )
    for words, said in (
        (("name", *named, OTHERS, "--by", "窗口一"), "is not 测试甲子's"),
        (("name", *named, FIRST, "--by", " "), "needs 1 to 60 characters"),
        (("name", *named, FIRST, "--by", "窗" * 61), "needs 1 to 60 characters"),
        (("contact", "--person", who, "--phone", "123", "--by", "窗口一"), "has 11 digits"),
        (("contact", "--person", "TEST-nobody", "--phone", "1" * 11, "--by", "甲"), "nobody has"),
        (
            (*guarded, "--guardian", minor.identity_number, "--by", "窗口一"),
            "another, adult person",
        ),
        ((*guarded, "--guardian", who, "--by", "窗" * 61), "needs 1 to 60 characters"),
    ):
        done = run(*words)
        told = f"{done.output}{done.exception}"
        assert done.exit_code != 0 and said in told, told
    assert office.answer().account is None
    with office.services.work(write=False) as work:
        assert work.payees.contact_of(office.person.id) is None
        assert not work.payees.guardians_of(minor.id)
