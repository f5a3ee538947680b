"""``yichu fund``, ``journal`` and ``money``: what they say, and their exit statuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from backend.adapters.clock import SetClock
from backend.adapters.identifiers import RandomIds
from backend.bootstrap import Services
from backend.domain import journal
from backend.domain.errors import DomainError
from backend.domain.journal import JournalConflictError, JournalError, LayerAmounts
from backend.domain.money import MoneyError
from backend.domain.two_people import SamePersonError
from backend.entrypoints.cli import fund, money
from backend.entrypoints.cli import journal as journal_command
from tests.integration.claims.world import settings_for
from tests.integration.journal import raw
from tests.integration.journal.month_world import CITY, KECHENG, book_now, noon, said, two_months

Run = Callable[..., Result]
GROUPS = {"fund": fund.command, "journal": journal_command.command, "money": money.command}
DEPOSIT = (
    "fund", "deposit", "--fund", "310", "--layer", "pool", "--amount", "1,000,000.00",
    "--reference", "ICBC-1", "--by", "张三", "--reason", "上级拨入",
)  # fmt: skip


@pytest.fixture
def run(sqlite: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    services = Services(settings_for(tmp_path), SetClock(noon(12, 1)), RandomIds())
    services.__dict__["engine"] = sqlite
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: services)
    return lambda group, *words: CliRunner().invoke(GROUPS[group], list(words))


def changed(words: tuple[str, ...], option: str, value: str) -> tuple[str, ...]:
    at = words.index(option)
    return (*words[: at + 1], value, *words[at + 2 :])


def test_deposit_is_booked_once_for_a_reference(run: Run) -> None:
    first, again = run(*DEPOSIT), run(*DEPOSIT)
    assert "1,000,000.00 元 / yuan  ICBC-1  已记账 / booked" in first.output
    assert "已有这一笔，没有变化 / known already" in again.output
    told = run("fund", "balance").output
    assert "1,000,000.00  银行存款 / at the bank" in told
    assert "1,000,000.00  统筹基金 / pool" in told
    entries = run("journal", "entries").output
    assert "funded  deposit ICBC-1  330800 310" in entries
    assert "上级拨入" in entries
    assert "张三" in entries


@pytest.mark.parametrize(
    ("option", "value", "error", "message"),
    [
        ("--amount", "1.00", JournalConflictError, "booked already, with another content"),
        ("--amount", "1.001", MoneyError, "at most two decimals"),
        ("--amount", "much", MoneyError, "at most two decimals"),
        ("--reference", "回单一", JournalError, "an id of 1 to 80 characters"),
        ("--by", " ", JournalError, "who records it and a reason"),
        ("--reason", "", JournalError, "who records it and a reason"),
    ],
)
def test_deposit_that_cannot_be_booked_is_refused(
    run: Run, option: str, value: str, error: type[DomainError], message: str
) -> None:
    run(*DEPOSIT)
    refused = run(*changed(DEPOSIT, option, value))
    assert refused.exit_code == 1
    assert isinstance(refused.exception, error)
    assert message in refused.exception.en
    assert json.loads(run("fund", "balance", "--json").output)[0]["closing_fen"] == 100_000_000


@pytest.mark.parametrize(("option", "value"), [("--layer", "medical-aid"), ("--fund", "390")])
def test_one_transfer_of_the_treasury_may_be_deposits_of_two_layers_or_funds(
    run: Run, option: str, value: str
) -> None:
    run(*DEPOSIT)
    assert run(*changed(DEPOSIT, option, value)).exit_code == 0
    rows = json.loads(run("fund", "balance", "--json").output)
    assert sum(row["closing_fen"] for row in rows) == 2 * 100_000_000


@pytest.mark.parametrize(
    ("option", "value"), [("--amount", "0.00"), ("--amount", "-5.00"), ("--fund", "999")]
)
def test_deposit_of_nothing_or_to_nobody_is_wrong_usage(run: Run, option: str, value: str) -> None:
    assert run(*changed(DEPOSIT, option, value)).exit_code == 2
    assert "还没有记过账 / nothing is booked yet" in run("fund", "balance").output


def test_simulated_deposit_is_said_wherever_it_counts(run: Run) -> None:
    assert "（模拟 / simulated）" in run(*DEPOSIT, "--simulated").output
    assert "模拟 / simulated" in run("journal", "entries").output
    assert "some of this money is simulated" in run("money", "tables", "--month", "2026-12").output


def test_accounts_and_trial_balance(run: Run, sqlite: sa.Engine) -> None:
    assert "nothing is booked yet" in run("journal", "accounts").output
    two_months(sqlite)
    rows = json.loads(run("journal", "accounts", "--json").output)
    found = {(row["account"], row["insurance_type"]): row["balance_fen"] for row in rows}
    assert found["bank:330800", "310"] == 1_470_00
    assert found["transit:330800", "390"] == 80_00
    assert "receivable:330800" in run("journal", "accounts").output
    told = run("journal", "trial-balance")
    assert told.exit_code == 0
    # bank 1,470 + 700 and receivable 70 against payable 300, transit 80, funds 1,240 + 620
    assert "合计 / total" in told.output
    assert told.output.count("2,240.00") == 2
    assert "平衡 / balanced" in told.output
    total = json.loads(run("journal", "trial-balance", "--until", "2026-10-31", "--json").output)
    assert total["total"]["debit_fen"] == total["total"]["credit_fen"] == 1_900_00


def test_entries_of_a_claim_an_account_and_some_days(run: Run, sqlite: sa.Engine) -> None:
    two_months(sqlite)
    claim = json.loads(run("journal", "entries", "--claim", "A", "--json").output)
    assert [one["kind"] for one in claim] == ["approved", "instructed", "paid", "returned"]
    assert claim[0]["transfers"] == [
        {"debit": "fund:330800:pool", "credit": "payable:330800", "amount_fen": 25000},
        {"debit": "fund:330800:serious-illness", "credit": "payable:330800", "amount_fen": 5000},
    ]
    on = ("--account", "receivable:330800", "--from", "2026-11-09", "--to", "2026-11-30")
    (one,) = json.loads(run("journal", "entries", *on, "--json").output)
    assert (one["kind"], one["booked_on"], one["agency_code"]) == (
        "recovered", "2026-11-09", "330802",
    )  # fmt: skip
    assert "没有凭证 / no entries" in run("journal", "entries", "--from", "2027-01-01").output
    assert run("journal", "entries", "--claim", "A", "--account", "bank:330800").exit_code == 2
    assert isinstance(run("journal", "entries", "--account", "cash").exception, JournalError)
    assert "no claim" in str(run("journal", "entries", "--claim", "Z").exception)


def test_check_ends_with_one_and_the_rows(run: Run, sqlite: sa.Engine) -> None:
    two_months(sqlite)
    good = run("journal", "check")
    assert (good.exit_code, good.output) == (
        0, "账是平的，没有不符 / the journal balances, nothing disagrees\n",
    )  # fmt: skip
    book_now(sqlite, journal.paid(said("odd", KECHENG, noon(11, 20), "D"), 10_00))
    bad = run("journal", "check")
    assert bad.exit_code == 1
    assert "wrong-side  transit:330800 310  余额方向相反：1000 分" in bad.output
    assert json.loads(run("journal", "check", "--json").output)[1] == {
        "rule": "claim-wrong-side",
        "subject": "D transit:330800",
        "zh": "这笔申请的余额方向相反：1000 分",
        "en": "the claim stands 1000 fen on the other side",
    }


def test_tables_are_told_in_words(run: Run, sqlite: sa.Engine) -> None:
    two_months(sqlite)
    told = run("money", "tables", "--month", "2026-11")
    assert told.exit_code == 0
    for words in (
        "2026-11-01 — 2026-11-30",
        "一、我有多少钱 / what we have",
        "二、要付多少钱 / what we owe",
        "三、付了多少钱 / what we paid",
        "1,200.00  期初 / opening",
        "1,470.00  期末 / closing",
        "80.00  已交银行 / with the bank",
        "-300.00  退回 / returned (1 笔)",
        "三表相符 / the three tables tie",
    ):
        assert words in told.output, words
    day = json.loads(run("money", "tables", "--day", "2026-11-01", "--json").output)
    assert [row["paid_fen"] for row in day["paid"]] == [50_00]
    assert json.loads(run("money", "tables", "--json").output)["starts_on"] == "2026-12-01"
    other = json.loads(run("money", "tables", "--region", "110000", "--json").output)
    assert other["have"] == []
    without = run("money", "tables", "--region", "110000").output
    assert without.count("\n  无 / none\n") == 3, "a table without rows says so"
    everywhere = ("money", "tables", "--all-regions", "--month", "2026-11", "--json")
    assert len(json.loads(run(*everywhere).output)["have"]) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("--day", "2026-11-01", "--month", "2026-11"),
        ("--month", "2026-13"),
        ("--month", "november"),
        ("--day", "yesterday"),
    ],
)
def test_period_that_is_none_is_wrong_usage(run: Run, words: tuple[str, ...]) -> None:
    assert run("money", "tables", *words).exit_code == 2


def test_tables_that_do_not_tie_end_with_one(run: Run, sqlite: sa.Engine) -> None:
    two_months(sqlite)
    raw.run(
        sqlite,
        "DROP TRIGGER journal_entry_is_whole",
        "DROP TRIGGER journal_transfer_moves",
        raw.transfer(entry_id="jrn_x", debit_account="fund:330800:pool",
                     credit_account="bank:330800", amount_fen=7),
        raw.entry(id="jrn_x", source_id="X", kind="paid", total_fen=7),
    )  # fmt: skip
    told = run("money", "tables", "--month", "2026-11")
    assert told.exit_code == 1
    assert (
        "不符：330800 310 paid of what was owed：50.00 元 对 50.07 元 / disagrees: "
        "330800 310 paid of what was owed: 50.00 yuan against 50.07 yuan" in told.output
    )
    assert "tie" not in told.output


def test_close_lists_what_is_open_and_closes_when_told_to(run: Run, sqlite: sa.Engine) -> None:
    two_months(sqlite)
    month, signed = ("--month", "2026-11"), ("--by", "会计甲", "--reason", "月结")
    listed = run("money", "close", *month, "--list")
    assert listed.exit_code == 1
    assert "3 项未清 / open items, 450.00 元 / yuan" in listed.output
    rows = [line.split() for line in listed.output.splitlines()]
    assert ["payable:330800", "310", "330802", "A", "300.00", "2026-10-05"] in rows
    refused = run("money", "close", *month, *signed)
    assert refused.exit_code == 1
    assert "2026-11 has 3 open items" in refused.output
    proposed = run("money", "close", *month, *signed, "--carry-forward")
    assert proposed.exit_code == 0 and "等另一人用 --confirm 确认" in proposed.output
    alone = run("money", "close", *month, *signed, "--confirm")
    assert isinstance(alone.exception, SamePersonError)
    other = ("--by", "会计乙", "--reason", "已复核", "--confirm")
    closed = run("money", "close", *month, *other)
    assert closed.exit_code == 0
    assert "330800 2026-11 已结账 / closed: 3 项结转" in closed.output
    again = run("money", "close", *month, *signed, "--carry-forward")
    assert isinstance(again.exception, JournalError)
    assert run("journal", "check").exit_code == 0


def test_a_layer_that_has_approved_more_than_it_got_is_shown_as_overdrawn(
    run: Run, sqlite: sa.Engine
) -> None:
    given = LayerAmounts(pool_fen=5_00, medical_aid_fen=90_00)
    book_now(sqlite, journal.funded(said("f", CITY, noon(11, 1)), given))
    book_now(
        sqlite, journal.approved(said("a", CITY, noon(11, 2)), LayerAmounts(), LayerAmounts(8_00))
    )
    for words in (("fund", "balance"), ("money", "tables", "--month", "2026-11")):
        lines = run(*words).output.splitlines()
        (pool,) = [line for line in lines if "统筹基金 / pool" in line]
        assert pool.split() == ["-3.00", "统筹基金", "/", "pool", "透支", "/", "overdrawn"]
        assert not any("overdrawn" in line for line in lines if line is not pool)


def test_close_of_a_month_with_nothing_open_says_zero(run: Run, sqlite: sa.Engine) -> None:
    book_now(sqlite, journal.funded(said("f", CITY, noon(11, 1)), LayerAmounts(5)))
    listed = run("money", "close", "--month", "2026-11", "--list")
    assert (listed.exit_code, listed.output) == (
        1, "2026-11 没有未清项：清零 / nothing is open: zero\n"
        "没有到 2026-11-30 为止的银行对账单：请向银行索取 / "
        "no statement of the bank reaches 2026-11-30: ask the bank for it\n",
    )  # fmt: skip
    words = ("money", "close", "--month", "2026-11", "--reason", "y")
    refused = run(*words, "--by", "x")
    assert refused.exit_code == 1 and "2026-11 has no statement of the bank" in refused.output
    assert run(*words, "--by", "x", "--carry-forward").exit_code == 0
    assert run(*words, "--by", "z", "--confirm").exit_code == 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("--month", "2026-13", "--by", "x", "--reason", "y"), 2),
        (("--month", "2026-12", "--by", "x", "--reason", "y"), 1),  # not over
        (("--month", "2026-11", "--by", "x"), 1),
        (("--month", "2026-11", "--reason", "y"), 1),
        (("--by", "x", "--reason", "y"), 2),
    ],
)
def test_close_that_is_not_possible_is_refused(
    run: Run, words: tuple[str, ...], status: int
) -> None:
    assert run("money", "close", *words).exit_code == status


def test_a_deposit_is_corrected_by_two_people(run: Run) -> None:
    run(*DEPOSIT)
    wanted = (
        "journal", "adjust", "propose", "--kind", "deposit-reversed", "--fund", "310",
        "--amount", "1,000,000.00", "--reference", "ICBC-1", "--by", "张三", "--reason", "应为居民",
    )  # fmt: skip
    assert run(*changed(wanted, "--amount", "0")).exit_code == 2
    assert "没有更正 / no adjustments" in run("journal", "adjust", "list").output
    assert "adjustment 1 is proposed and not booked" in run(*wanted).output
    answer = ("1", "--by", "张三", "--reason", "核对")
    same = run("journal", "adjust", "confirm", *answer).exception
    assert isinstance(same, SamePersonError) and "another person does this" in same.en
    waits = run("journal", "adjust", "list", "--open").output
    assert "deposit-reversed  330800 310  1,000,000.00  ICBC-1  张三：应为居民" in waits
    done = run("journal", "adjust", "confirm", *changed(answer, "--by", "李四"))
    assert "更正 1 已记账 / booked: jrn_" in done.output
    told = run("money", "tables").output
    assert "-1,000,000.00  更正：冲销拨入 / corrected: deposits reversed" in told
    assert "三表相符 / the three tables tie" in told
    assert "已记账 / booked" in run(*changed(DEPOSIT, "--fund", "390")).output
    (row,) = json.loads(run("journal", "adjust", "list", "--json").output)
    assert (row["proposed_by"], row["answer"]["by"]) == ("张三", "李四")
    run(*changed(changed(wanted, "--fund", "390"), "--by", "李四"))
    assert (
        "refused, nothing is booked"
        in run("journal", "adjust", "refuse", "2", "--by", "李四", "--reason", "x").output
    )
    assert "没有更正 / no adjustments" in run("journal", "adjust", "list", "--open").output
