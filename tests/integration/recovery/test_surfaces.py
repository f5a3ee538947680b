"""Recoveries on the citizen's page, over the staff API and at the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backend import bootstrap
from backend.domain.supervision import SubjectKind
from backend.entrypoints.cli import recovery as recovery_command
from backend.entrypoints.staff.openapi import document
from backend.entrypoints.web import create_app
from backend.service_layer.recovery.run import recovery_pass
from tests.integration.claims.test_pages import BASE, log_in
from tests.integration.claims.world import HOSPITAL, World
from tests.integration.recovery.debts import (
    PAID_FEN,
    again,
    assert_books_agree,
    orders,
    owing,
    paid_claim,
    pay_back,
    withdraw_bill,
)
from tests.integration.recovery.test_causes import lowered, ordered
from tests.integration.supervision.desks import Desks, code_of

pytestmark = pytest.mark.slow
WHY = {"reason": "已与当事人核对"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


# --- the citizen -------------------------------------------------------------------------------


def page_of(world: World, path: str, username: str = "citizen00") -> tuple[int, str]:
    client = create_app(world.services).test_client()
    log_in(client, username)
    answer = client.get(path, base_url=BASE)
    return answer.status_code, answer.get_data(as_text=True)


def test_the_page_says_what_why_how_and_how_to_object(world: World) -> None:
    found = owing(world)
    here = f"/m/claims/{found.order.claim_id}"
    code, claim_page = page_of(world, here)
    assert code == 200 and "有钱需要退回" in claim_page and f"{here}/recovery" in claim_page
    code, html = page_of(world, f"{here}/recovery")
    assert code == 200
    for words in ("60.00", "票据已作废", found.order.id, "12 月 20 日", "转账附言", "分期",
                  "不会未经您同意就抵扣", "行政复议", "12393", "模拟银行"):  # fmt: skip
        assert words in html, words
    pay_back(world, found, PAID_FEN, "B-1")
    assert "已退清" in page_of(world, f"{here}/recovery")[1]
    assert "有钱需要退回" not in page_of(world, here)[1]


def test_nobody_else_sees_it_and_nothing_is_shown_that_is_not_owed(world: World) -> None:
    found = owing(world)
    stands = paid_claim(world)
    proposed = lowered(world)
    recovery_pass(world.services)
    by_hospital = paid_claim(world)
    ordered(world, SubjectKind.CLAIM, by_hospital.id, 100)
    recovery_pass(world.services)
    assert len(orders(world, proposed)) == len(orders(world, by_hospital)) == 1
    for claim_id, username in (
        (found.order.claim_id, "citizen01"),  # somebody else's
        (stands.id, "citizen01"),
        (proposed.id, "citizen02"),
        (by_hospital.id, "citizen03"),
    ):
        assert page_of(world, f"/m/claims/{claim_id}/recovery", username)[0] == 404
        assert "有钱需要退回" not in page_of(world, f"/m/claims/{claim_id}", username)[1]


def test_a_claim_whose_bill_fell_away_before_the_payment_says_so(world: World) -> None:
    from tests.integration.payout.office import claim_of, settled

    claim = settled(world, claim_of(world, world.person(username="citizen00")))
    withdraw_bill(world, claim)
    recovery_pass(world.services)
    code, html = page_of(world, f"/m/claims/{claim.id}")
    assert code == 200 and "票据已作废，没有打款" in html and "您不用退" in html
    assert "最迟" not in html


# --- the staff API -----------------------------------------------------------------------------


def test_two_supervisors_open_a_clerk_receives_two_people_waive(world: World) -> None:
    claim = lowered(world)
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    desks, here = Desks.open(world), f"/recoveries/{found.order.id}"
    shown = desks.get("clerk01", here).get_json()
    assert (shown["state"], shown["amount_fen"], shown["links"]) == ("proposed", 100, {})
    first = desks.post("supervisor01", f"{here}/approve", WHY).get_json()
    assert (first["state"], sorted(first["links"])) == ("proposed", ["dismiss"])
    assert code_of(desks.post("supervisor01", f"{here}/approve", WHY)) == (
        403, "recovery-same-person",
    )  # fmt: skip
    assert desks.post("supervisor02", f"{here}/approve", WHY).get_json()["state"] == "open"
    money = {"reference": "B-1", "amount_fen": 30, "received_on": "2026-11-20"}
    for _ in range(2):
        taken = desks.post("clerk01", f"{here}/receipts", money).get_json()
        assert (taken["state"], taken["left_fen"]) == ("partly-recovered", 70)
    divided = {"parts": 2, "first_due_on": "2026-12-01", **WHY}
    planned = desks.post("clerk01", f"{here}/plan", divided).get_json()
    assert [part["amount_fen"] for part in planned["plan"]] == [35, 35]
    asked = desks.post("supervisor01", f"{here}/waiver-requests", WHY).get_json()
    assert "waiver" not in asked["links"], "who asked cannot approve"
    assert code_of(desks.post("supervisor01", f"{here}/waiver")) == (403, "recovery-same-person")
    waived = desks.post("supervisor02", f"{here}/waiver").get_json()
    assert (waived["state"], waived["waived_fen"], waived["links"]) == ("waived", 70, {})
    assert_books_agree(world)


def test_what_the_staff_api_refuses(world: World) -> None:
    found = owing(world)
    desks, here = Desks.open(world), f"/recoveries/{found.order.id}"
    money = {"reference": "B-1", "amount_fen": 30, "received_on": "2026-11-20"}
    refused: list[tuple[str, str, Any, tuple[int, str]]] = [
        ("reviewer01", f"{here}/receipts", money, (403, "forbidden")),
        ("clerk01", f"{here}/approve", WHY, (403, "forbidden")),
        ("clerk01", f"{here}/waiver", {}, (403, "forbidden")),
        ("clerk01", "/leads/none/recoveries", {}, (403, "forbidden")),
        ("gone", f"{here}/receipts", money, (401, "staff-unauthorized")),
        ("clerk01", "/recoveries/none/receipts", money, (404, "not-found")),
        ("supervisor01", f"{here}/approve", WHY, (409, "recovery-conflict")),
        ("supervisor01", f"{here}/dismiss", WHY, (409, "recovery-conflict")),
        ("supervisor01", f"{here}/waiver", {}, (409, "recovery-conflict")),
        ("clerk01", f"{here}/receipts", money | {"amount_fen": 6_001}, (409, "recovery-conflict")),
        ("clerk01", f"{here}/receipts", money | {"amount_fen": 0}, (422, "bad-recovery")),
        ("clerk01", f"{here}/receipts", money | {"received_on": "2026-11-21"},
         (422, "bad-recovery")),
        ("clerk01", f"{here}/receipts", money | {"amount_fen": 1.5},
         (400, "malformed-staff-request")),
        ("clerk01", f"{here}/receipts", money | {"received_on": "today"},
         (400, "malformed-staff-request")),
        ("clerk01", f"{here}/receipts", money | {"more": 1}, (400, "malformed-staff-request")),
        ("clerk01", f"{here}/plan", {"parts": 0, "first_due_on": "2026-12-01", **WHY},
         (422, "bad-recovery")),
        ("clerk01", f"{here}/waiver-requests", {"reason": ""}, (422, "bad-recovery")),
        ("supervisor01", "/leads/none/recoveries", {"claim": "x", "amount_fen": 1},
         (404, "not-found")),
    ]  # fmt: skip
    for name, path, body, expected in refused:
        assert code_of(desks.post(name, path, body)) == expected, (name, path, body)
    assert again(world, found) == found


def test_nobody_sees_or_touches_what_their_own_hospital_owes(world: World) -> None:
    claim = paid_claim(world)
    ordered(world, SubjectKind.CLAIM, claim.id, 100)
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    assert found.order.institution_code == HOSPITAL
    desks, here = Desks.open(world), f"/recoveries/{found.order.id}"
    assert code_of(desks.get("ofhospital", here))[0] == 404
    assert code_of(desks.post("ofhospital", f"{here}/waiver-requests", WHY))[0] == 404
    assert desks.get("ofhospital", "/recoveries").get_json() == {"recoveries": [], "next": None}
    assert len(desks.get("clerk01", "/recoveries").get_json()["recoveries"]) == 1


def test_pages_of_orders_and_the_description_of_each_route(world: World) -> None:
    names = [owing(world).order.id for _ in range(3)]
    desks = Desks.open(world)
    first = desks.get("clerk01", "/recoveries?limit=2").get_json()
    rest = desks.get("clerk01", f"/recoveries?limit=2&after={first['next']}").get_json()
    seen = [row["id"] for page in (first, rest) for row in page["recoveries"]]
    assert sorted(seen) == sorted(names) and rest["next"] is None
    described = {path for path in document()["paths"] if "recoveries" in path}
    routed = {
        str(rule.rule).replace("<", "{").replace(">", "}")
        for rule in create_app(world.services).url_map.iter_rules()
        if "/staff/v1" in str(rule.rule) and "recoveries" in str(rule.rule)
    }
    assert described == routed


# --- the command line --------------------------------------------------------------------------


@pytest.fixture
def shell(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(bootstrap, "build_services", lambda: world.services)
    return world


def run(*words: str) -> Result:
    return CliRunner().invoke(recovery_command.command, list(words))


def said(*words: str) -> str:
    found = run(*words)
    assert found.exit_code == 0, found.output + repr(found.exception)
    return found.output


def test_an_order_from_its_opening_to_its_end_at_the_command_line(
    shell: World, tmp_path: Path
) -> None:
    found = owing(shell)
    name, by = found.order.id, ("--by", "出纳甲")
    assert f"{name}\topen\tvoid\tperson\t60.00\t60.00\t2026-12-20 60.00" in said("list")
    plan = ("plan", name, "--parts", "3", "--first", "2026-12-01", *by, "--reason", "申请分期")
    assert said(*plan).splitlines()[0] == "1\t2026-12-01\t20.00"
    money = ("receive", name, "--amount", "10", "--reference", "B-1", "--on", "2026-11-20")
    assert "已登记 / stored  partly-recovered  50.00" in said(*money, *by)
    assert "先前已登记 / stored before" in said(*money, *by)
    path = tmp_path / "bank.csv"
    path.write_text(f"reference,order,yuan,received_on\nB-2,{name},10.00,2026-11-20\n", "utf-8")
    assert "1 new, 0 stored before" in said("receipts", str(path), *by)
    assert "0 new, 1 stored before" in said("receipts", str(path), *by)
    said("waive", "ask", name, "--by", "经办甲", "--reason", "生活困难，已核实")
    assert "waived  40.00" in said("waive", "approve", name, "--by", "主任乙")
    shell.run()
    told = said("show", name)
    for words in ("pool  60.00", "B-2", "（模拟 / simulated）", "经办甲 + 主任乙",
                  "账本 / ledger final done", found.order.number.hex()):  # fmt: skip
        assert words in told, words
    assert said("list") == "共 0 笔，未追回 0.00 元 / 0 orders, 0.00 yuan left\n"
    (row,) = json.loads(said("list", "--all", "--json"))
    assert (row["state"], row["received_fen"], row["left_fen"]) == ("waived", 2_000, 0)


def test_what_the_command_line_refuses(shell: World, tmp_path: Path) -> None:
    found = owing(shell)
    name, by = found.order.id, ("--by", "出纳甲")
    bad = tmp_path / "bad.csv"
    bad.write_text("no head\n", "utf-8")
    for words, told in (
        (("show", "none"), "there is no such recovery"),
        (("approve", name, *by, "--reason", "已经核对"), "nothing to approve"),
        (("dismiss", name, *by, "--reason", "已经核对"), "waived by two people"),
        (("waive", "approve", name, *by), "nobody has asked"),
        (("receipts", str(bad), *by), "the head is"),
        (("assign", "none", "--claim", "x", "--amount", "0.01", *by), "there is no such lead"),
    ):
        refused = run(*words)
        assert refused.exit_code != 0 and told in str(refused.exception), refused.output
    for amount in ("0", "0.00", "-1", "1.005", "1e3", "一百", "11258999068426.25"):
        refused = run("receive", name, "--amount", amount, "--reference", "B",
                      "--on", "2026-11-20", *by)  # fmt: skip
        assert refused.exit_code == 2 and "--amount" in refused.output, amount
    assert again(shell, found) == found


def test_a_proposal_is_approved_and_another_dismissed_at_the_command_line(shell: World) -> None:
    claims = lowered(shell), lowered(shell, 200)
    recovery_pass(shell.services)
    first, second = (orders(shell, claim)[0].order.id for claim in claims)
    reason = ("--reason", "已经核对")
    assert said("approve", first, "--by", "经办甲", *reason) == "proposed\n"
    assert said("approve", first, "--by", "主任乙", *reason) == "open\n"
    assert "批准 / approved" in said("show", first)
    assert said("dismiss", second, "--by", "主任乙", *reason) == "dismissed\n"
