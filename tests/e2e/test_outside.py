"""A bill from outside on a real system: window, check, anchor, confirmation, money, verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.database import tables
from backend.adapters.einvoice.writers import invoice_to_json
from scripts.sample_data.outside import ELSEWHERE, page_of, sample_invoice
from scripts.sample_data.set_up import set_up
from tests.e2e.auditor import VERIFIED, Auditor
from tests.e2e.processes import wait_for
from tests.e2e.system import System

pytestmark = pytest.mark.slow

CHECK = (
    "--hospital-code", ELSEWHERE.code, "--hospital-name", ELSEWHERE.name, "--level", "3",
    "--area", ELSEWHERE.area_code, "--authentic", "--lines-agree", "--reason", "查验一致",
)  # fmt: skip


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with people, staff and the agency as issuer, and no bill at all."""
    made = System(tmp_path_factory.mktemp("outside"))
    try:
        made.up()
        set_up(made.services, made.population, lambda text: None)
        yield made
    finally:
        made.down()


def claim_of(system: System) -> Any:
    (claim,) = system.rows(tables.claim)
    return claim


def holder_of(system: System) -> str:
    """The username of the person whom review has drawn for the claim; empty before."""
    (step,) = system.rows(tables.review_step) or [None]
    if step is None or step.holder_id is None:
        return ""
    logins = {row.id: row.username for row in system.rows(tables.login)}
    return str(logins[step.holder_id])


def test_a_picture_from_outside_is_paid_after_four_people_and_verifies(
    system: System, tmp_path: Path
) -> None:
    citizen = system.population.citizens[19]
    invoice = sample_invoice(system.population, citizen, 1)
    photo, typed = tmp_path / "photo.jpg", tmp_path / "typed.json"
    photo.write_bytes(page_of(invoice))
    typed.write_bytes(invoice_to_json(invoice))
    told = system.command(
        "outside", "upload", str(photo), "--person", citizen.username, "--consent",
        "--by", "clerk01",
    )  # fmt: skip
    number = told.split()[0]
    system.command("outside", "type", number, str(typed), "--by", "clerk01")
    system.command("outside", "compare", number, "--by", "clerk01", status=1)
    system.command("outside", "compare", number, "--typed", str(typed), "--by", "reviewer01")
    system.command("outside", "check", number, *CHECK, "--by", "reviewer01", status=1)
    system.command("outside", "check", number, *CHECK, "--by", "reviewer02")
    wait_for("the claim to be pended", lambda: claim_of(system).state == "pended", 90)
    claim = claim_of(system)
    assert (claim.origin, "outside-bill" in system.pend_codes(claim.id)) == ("outside", True)
    wait_for("somebody to be drawn", lambda: holder_of(system), 30)
    drawn = holder_of(system)
    assert drawn not in ("", "clerk01", "reviewer01", "reviewer02")
    for name in ("clerk01", "reviewer01", "reviewer02", "nobody"):
        system.command("outside", "confirm", number, "--reason", "一致", "--by", name, status=1)
    system.command("outside", "confirm", number, "--reason", "一致", "--by", drawn)
    wait_for("the payment", lambda: claim_of(system).state == "paid", 90)
    (decision,) = system.rows(tables.decision)
    assert decision.decided_by.endswith(f"（{drawn}）")
    assert json.loads(decision.explanation)["hospital_code"] == ELSEWHERE.code
    bundle = tmp_path / "bundle.json"
    system.command("export", claim.number, "-o", str(bundle))
    auditor = Auditor(tmp_path, system.rpc_url, system.trust_file())
    assert auditor.judge(bundle.read_bytes()) == VERIFIED
