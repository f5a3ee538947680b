"""Each fund's region pays from its own account; one without an account pays nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.domain.payout import FundAccount
from backend.settings import Settings, SettingsError
from tests.funding import fund_pools
from tests.integration.claims.world import World
from tests.integration.payout.office import (
    FIRST_FEN,
    alarms,
    attempts,
    claim_of,
    files,
    settled,
    state,
    with_rules,
)

OTHER = FundAccount("测试二市医保基金支出户", "TEST-FUND-330999", "102331002047")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def of_other_region(world: World, claim: object) -> None:
    """The claim is one of another region's fund, as the register had it on the day of service."""
    claim_id = claim.id  # type: ignore[attr-defined]
    world.sql(
        "INSERT INTO claim_fund (claim_id, region, insurance_type, agency_code, agency_name, "
        f"basis, recorded_at) SELECT '{claim_id}', '330999', '310', '330999', '测试二市', "
        "'register', '2026-11-01 00:00:00.000000'"
    )


@pytest.mark.slow
def test_a_region_without_an_account_holds_its_payments_and_no_others(world: World) -> None:
    fund_pools(world.services, FIRST_FEN * 10, region="330999")
    here, there = world.person(), world.person("测试乙丑", "citizen02")
    ours, theirs = claim_of(world, here), claim_of(world, there)
    of_other_region(world, theirs)
    world.run()
    assert state(world, ours) == ("paid", None)
    assert state(world, theirs) == ("paying", "debit-account-missing")
    assert alarms(world) == {"debit-account-missing"}
    with_rules(world, accounts=(("330999", OTHER),))
    world.run()
    assert state(world, theirs) == ("paid", None)
    assert alarms(world) == set()


@pytest.mark.slow
def test_two_regions_of_one_run_are_two_files_each_of_its_own_account(world: World) -> None:
    fund_pools(world.services, FIRST_FEN * 10, region="330999")
    with_rules(world, accounts=(("330999", OTHER),), every_seconds=86_400)
    here, there = world.person(), world.person("测试乙丑", "citizen02")
    ours, theirs = settled(world, claim_of(world, here)), settled(world, claim_of(world, there))
    of_other_region(world, theirs)
    world.run()
    made = {file.debtor_account: file for file in files(world)}
    assert set(made) == {"TEST-FUND-330800", "TEST-FUND-330999"}
    assert made["TEST-FUND-330999"].debtor_name == "测试二市医保基金支出户"
    assert made["TEST-FUND-330999"].debtor_bank_code == "102331002047"
    (item,) = made["TEST-FUND-330999"].items
    assert item.end_to_end_id == f"{theirs.number}-V1-A1"
    (item,) = made["TEST-FUND-330800"].items
    assert item.end_to_end_id == f"{ours.number}-V1-A1"
    assert len(attempts(world)) == 2


ROW = {"region": "330999", "holder": "测试二市", "number": "TEST-FUND-330999", "bank_code": ""}


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        json.dumps({"format": "yichu-fund-accounts-1"}),
        json.dumps({"format": "other", "accounts": [ROW]}),
        json.dumps({"format": "yichu-fund-accounts-1", "accounts": [ROW, ROW]}),
        json.dumps(
            {"format": "yichu-fund-accounts-1", "accounts": [ROW, ROW | {"region": "330888"}]}
        ),
        *(
            json.dumps({"format": "yichu-fund-accounts-1", "accounts": [ROW | {name: value}]})
            for name, value in (
                ("region", "33099"), ("region", 330999), ("holder", " "), ("holder", "长" * 71),
                ("number", "1"), ("number", "一二三四五"), ("bank_code", "12"), ("number", None),
            )
        ),
    ],
)  # fmt: skip
def test_a_file_of_accounts_that_does_not_fit_stops_the_start(
    tmp_path: Path, document: str
) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(document, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"YICHU_FUND_ACCOUNTS: .* one account a region"):
        Settings.from_environment({"YICHU_FUND_ACCOUNTS": str(path)})


def test_a_file_of_accounts_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be used"):
        Settings.from_environment({"YICHU_FUND_ACCOUNTS": str(tmp_path / "none.json")})


def test_the_accounts_of_the_file_and_of_this_region(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    document = {"format": "yichu-fund-accounts-1", "accounts": [ROW]}
    path.write_text(json.dumps(document), encoding="utf-8")
    rules = Settings.from_environment({"YICHU_FUND_ACCOUNTS": str(path)}).payout
    other, own = rules.account_of("330999"), rules.account_of("330800")
    assert other == FundAccount("测试二市", "TEST-FUND-330999", "")
    assert own is not None and own.number == "TEST-FUND-330800"
    assert rules.account_of("330100") is None


def test_a_real_bank_is_never_told_an_invented_account() -> None:
    rules = Settings.from_environment({"YICHU_BANK": "folder"}).payout
    assert rules.account_of("330800") is None
    named = {"YICHU_FUND_ACCOUNT": "3300012345", "YICHU_FUND_ACCOUNT_HOLDER": "某市医保"}
    rules = Settings.from_environment({"YICHU_BANK": "folder", **named}).payout
    assert rules.account_of("330800") == FundAccount("某市医保", "3300012345", "")
