"""``yichu review`` goes through the same cases, and hides the same names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend import bootstrap
from backend.domain.errors import DomainError
from backend.entrypoints.cli import review
from tests.integration.claims.world import HOSPITAL
from tests.integration.review.office import HOSPITAL_NAME, PATIENT, Office

pytestmark = pytest.mark.slow
NAMES = (PATIENT, HOSPITAL_NAME, HOSPITAL, "TEST-0000")


class Shell:
    def __init__(self, office: Office, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(bootstrap, "build_services", lambda: office.world.services)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(review.command, list(arguments))

    def said(self, *arguments: str) -> str:
        found = self.run(*arguments)
        assert found.exit_code == 0, found.exception
        return found.output

    def refused(self, *arguments: str) -> str:
        found = self.run(*arguments)
        assert isinstance(found.exception, DomainError), found.output
        return found.exception.code


@pytest.fixture
def shell(office: Office, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(office, monkeypatch)


def by(name: str) -> tuple[str, ...]:
    return ("--reviewer", name, "--reason", "已核对")


def test_one_case_at_the_command_line(office: Office, shell: Shell) -> None:
    first = office.staff("甲", username="reviewer01")
    claim = office.pended()
    listed = shell.said("list")
    assert claim.number in listed
    assert "[unknown-code] 第 0 行 优先级 3，队列 catalogue，reviewer：" in listed
    assert "[unknown-code]" in shell.said("show", claim.number)
    assert "single -> 甲（reviewer01）" in shell.said("assign", claim.number)
    assert shell.said("next", "--reviewer", "reviewer01", "--key", "k" * 8) == f"{claim.number}\n"
    shown = shell.said("show", claim.number)
    assert "seed " in shown and first.id in shown
    view = json.loads(shell.said("show", claim.number, "--json"))
    assert (view["risk"], view["step"]["code"], view["is_blind"]) == ("low", "single", True)
    for text in (shown, json.dumps(view, ensure_ascii=False), shell.said("list")):
        assert [name for name in NAMES if name in text] == []
    assert shell.refused("approve", claim.number, *by("路人")) == "not-eligible"
    said = shell.said(
        "ask", claim.number, "--reviewer", "reviewer01", "--zh", "请交病历", "--en", "record"
    )
    assert "第 1 次要求，最迟 2026-12-04" in said
    assert shell.refused("approve", claim.number, *by("reviewer01")) == "conflict"
    assert "没有超期" in shell.said("overdue")
    assert json.loads(shell.said("statistics"))["cases"] == {"waiting": 1}


def test_rulings_at_the_command_line(office: Office, shell: Shell, tmp_path: Path) -> None:
    office.staff("甲", username="reviewer01")
    office.staff("乙", username="reviewer02")
    claim = office.pended()
    holder = "reviewer01" if "reviewer01" in shell.said("assign", claim.number) else "reviewer02"
    other = {"reviewer01": "reviewer02", "reviewer02": "reviewer01"}[holder]
    path = tmp_path / "rulings.json"
    ruling = {"line_index": 0, "kind": "exclude", "basis_zh": "不属于医疗服务"}
    path.write_text(json.dumps([ruling]), "utf-8")
    preview = ("preview", claim.number, "--rulings", str(path), "--reviewer")
    assert shell.refused(*preview, other) == "not-your-step"
    view = json.loads(shell.said(*preview, holder))
    assert view["paid_fen"] == 0
    assert [name for name in NAMES if name in json.dumps(view, ensure_ascii=False)] == []
    resolve = ("resolve", claim.number, *by(holder), "--rulings", str(path), "--code")
    assert shell.refused(*resolve, "no-such-code") == "review-refused"
    assert "还有 0 项" in shell.said(*resolve, "unknown-code", "--line", "0")
    path.write_text('[{"line_index": 0, "kind": "pay-more"}]', "utf-8")
    approve = ("approve", claim.number, *by(holder), "--rulings", str(path))
    assert shell.refused(*approve) == "review-refused"
    path.write_text('{"line_index": 0}', "utf-8")
    assert shell.refused(*approve) == "malformed-data"
    path.write_text(json.dumps([ruling]), "utf-8")
    assert "已批准" in shell.said(*approve)
    office.world.run()
    with office.world.services.work(write=False) as work:
        (kept,) = work.claims.rulings_of(claim.id)
        decision = work.decisions.latest(claim.id)
    assert (kept.line_index, kept.kind, kept.basis_zh) == (0, "exclude", "不属于医疗服务")
    assert decision is not None and decision.paid_fen == 0


def test_two_names_for_two_steps(office: Office, shell: Shell) -> None:
    office.limits(second_approver_above_fen=0)
    claim = office.pended(payer_name="测试丁卯")
    assert "还要下一个人办理" in shell.said("approve", claim.number, *by("甲"))
    assert shell.refused("approve", claim.number, *by("甲")) == "second-step-refused"
    assert "已批准" in shell.said("approve", claim.number, *by("乙"))
    assert shell.refused("approve", claim.number, *by("丙")) == "conflict"


def test_giving_back_and_going_away(office: Office, shell: Shell) -> None:
    office.staff("甲", username="reviewer01")
    claim = office.pended()
    shell.said("assign", claim.number)
    office.staff("乙", username="reviewer02")
    assert "已改派" in shell.said("decline", claim.number, *by("reviewer01"))
    assert shell.refused("decline", claim.number, *by("reviewer01")) == "not-your-step"
    said = shell.said("away", "--reviewer", "reviewer02", "--days", "2")
    assert "1 steps drawn anew" in said
    assert office.holder_of(claim).username == "reviewer01"
    assert shell.refused("away", "--reviewer", "nobody", "--days", "1") == "not-found"


def test_staff_are_registered_and_ended(office: Office, shell: Shell) -> None:
    secret = ("--password", "a-long-password")
    added = ("add-staff", "wang.wu", "--name", "王五", "--queue", "catalogue")
    assert "已登记 wang.wu" in shell.said(*added, *secret)
    assert shell.refused(*added, *secret) == "conflict"
    assert shell.refused("add-staff", "li", "--name", "李", "--password", "short") == "bad-staff"
    assert shell.refused("add-staff", "Li Si", "--name", "李", *secret) == "bad-staff"
    assert shell.refused("add-staff", "li", "--name", " ", *secret) == "bad-staff"
    assert (
        shell.refused("add-staff", "li", "--name", "李", "--queue", "A B", *secret) == "bad-staff"
    )
    assert (
        shell.refused("add-staff", "li", "--name", "李", "--hospital", "H9", *secret) == "not-found"
    )
    assert shell.run("add-staff", "li", "--name", "李", "--role", "admin", *secret).exit_code == 2
    assert shell.said("staff").split() == ["wang.wu", "王五", "reviewer", "catalogue", "-"]
    claim = office.pended()
    assert "王五（wang.wu）" in shell.said("assign", claim.number)
    other = office.staff("乙")
    assert "1 steps drawn anew" in shell.said("remove-staff", "--reviewer", "wang.wu")
    assert office.holder_of(claim) == other
    assert shell.refused("approve", claim.number, *by("wang.wu")) == "not-eligible"
