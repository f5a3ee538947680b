"""``yichu rules`` from the list to a switch, in words for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend.entrypoints.cli.rules import command
from backend.service_layer.audit_rules.outcomes import record_outcome
from tests.integration.audit_rules.office import RuleOffice, high_amount


@pytest.fixture
def run(office: RuleOffice, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: office.world.services)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(command, list(arguments), catch_exceptions=False)

    return call


@pytest.mark.slow
def test_list_shows_every_shipped_rule_before_any_audit(run) -> None:  # type: ignore[no-untyped-def]
    text = run("list").output
    assert "共 90 条" in text
    assert "启用 live  第 1 版 随程序 shipped" in text
    assert "sum-lines" in text
    assert "启用 live" not in run("list", "--state", "trial").output


@pytest.mark.slow
def test_show_names_text_basis_parameters_and_versions(run) -> None:  # type: ignore[no-untyped-def]
    text = run("show", "out-above").output
    for part in ("依据：", '"factor_bp": 25000', "第 1 版 启用", "就医日期 "):
        assert part in text


@pytest.mark.slow
def test_from_proposal_to_switch_with_the_trial_run_shown(
    office: RuleOffice,
    run,  # type: ignore[no-untyped-def]
    tmp_path: Path,
) -> None:
    office.use(high_amount(state="trial"))
    office.claim(400)
    parameters = tmp_path / "parameters.json"
    parameters.write_text(json.dumps({"total_fen": 35_000}))
    proposed = run(
        "propose", "high", "--state", "live", "--parameters", str(parameters),
        "--valid-from", "2026-11-01", "--by", "甲", "--reason", "压低门槛",
    )  # fmt: skip
    proposal = proposed.output.split()[1].rstrip("，等另一人确认")
    assert f"yichu rules trial high --proposal {proposal}" in proposed.output
    trial = run("trial", "high", "--proposal", proposal, "--by", "丙").output
    assert "1 张，命中 1 张（100.00%）" in trial
    confirmed = run("confirm", proposal, "--by", "乙", "--reason", "同意").output
    assert "high 第 2 版生效：启用" in confirmed
    shown = run("show", "high").output
    assert "第 2 版 启用，参数自 2026-11-01 就医，本机构决定" in shown
    assert "confirmed 乙：同意" in shown and "试运行 rtr_" in shown
    second = run("propose", "high", "--state", "retired", "--by", "甲", "--reason", "x").output
    withdrawn = run(
        "withdraw", second.split()[1].rstrip("，等另一人确认"), "--by", "甲", "--reason", "y"
    )
    assert "已撤回" in withdrawn.output


@pytest.mark.slow
def test_statistics_name_the_rules_that_people_nearly_always_clear(
    office: RuleOffice,
    run,  # type: ignore[no-untyped-def]
) -> None:
    office.use(high_amount(), high_amount("useful", fen=20_000))
    assert "中位数 / median share upheld: —" in run("stats").output
    services = office.world.services
    for number in range(10):
        claim = office.claim(400 + number)
        with services.work() as work:
            found = {("high", None): "cleared", ("useful", None): "upheld" if number else "cleared"}
            record_outcome(services, work, claim.id, found, "王芳")
            work.commit()
    text = run("stats").output
    assert "high  申请 10，转人工 10，不予报销 0，试用 0，属实 0，排除 10，属实率 0.00%" in text
    assert "属实率 90.00%" in text
    assert "median share upheld: 45.00%" in text
    assert "retire or change: high\n" in text
