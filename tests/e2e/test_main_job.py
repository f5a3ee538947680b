"""The main job over HTTP: upload, anchor, one touch, settle, pay, export, verify; each planted
case; and every alteration of the evidence. One file, so that all of it shares one system."""

from __future__ import annotations

import copy
import json
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from backend.adapters.database import tables
from backend.domain.ledger import SlotState
from scripts.sample_data.planted import (
    Action,
    ClaimOutcome,
    Expected,
    LedgerOutcome,
    PlantedCase,
)
from tests.e2e.auditor import (
    MALFORMED,
    REFUTED,
    UNDECIDED,
    VERIFIED,
    Auditor,
    another_character,
    failed_checks,
    texts_in,
)
from tests.e2e.citizen import Citizen
from tests.e2e.conftest import Touched
from tests.e2e.pages import Page
from tests.e2e.raw_payer import RawPayer
from tests.e2e.system import System
from tests.e2e.tampering import ALTERATIONS, Alteration, altered
from verifier.cli import main as verify
from verifier.commitment.invoice_key import compute_invoice_key

CASES = (
    "sent-twice", "other-content", "corrected", "voided", "reversed", "partial-refund",
    "settled-online", "other-name", "unknown-code", "same-number", "part-borne",
    "agreement-expired", "within-grace", "rounded-once", "with-attachments",
)  # fmt: skip
SAMPLED_CHARACTERS = 300

# Worked by hand in scripts/sample_data/demo.py, in visit-date order.
SHOWN = ("240.00", "70.00", "144.25", "8,148.00")
SHOWN_TOTAL = "8,602.25"

# (charged, paid) of each line by hand: a bill's payment over its lines' in-scope amounts, the fen
# that is left to the largest remainder. 240.00 over 600.00 and 180.00 is 184.615 and 55.385.
LINES = (
    (("600.00", "184.62"), ("200.00", "55.38"), ("50.00", "0.00")),
    (("40.00", "28.00"), ("60.00", "42.00")),
    (("150.50", "90.30"), ("99.90", "53.95")),  # 144.25 over 150.50 and 89.91
    (("6,000.00", "4,656.00"), ("5,000.00", "3,492.00"), ("1,000.00", "0.00")),
)
_LINE = re.compile(
    r'<dt[^>]*>\d+\. [^<]+</dt><dd class="num">([^<]+)</dd></div>(.*?)'
    r'<dd class="strong">报销</dd><dd class="num strong">([^<]+)</dd>',
    re.DOTALL,
)
_CUT = re.compile(r'<dd>[^<]+</dd><dd class="num">([^<]+)</dd>')
_TOTAL = re.compile(r'<dt>合计报销</dt><dd class="num">([^<]+)</dd>')


# --- one touch ------------------------------------------------------------------------------------


def test_check_page_shows_the_amounts_worked_by_hand(touched: Touched) -> None:
    assert touched.check.status == 200
    assert SHOWN_TOTAL in touched.check.text
    order = [touched.check.text.index(amount) for amount in SHOWN]
    assert order == sorted(order)


def test_one_touch_over_four_bills_is_one_submission_of_four_paid_claims(
    touched: Touched,
) -> None:
    assert len(touched.bills) == len(SHOWN) == 4
    assert "/m/submissions/" in touched.receipt.url
    assert SHOWN_TOTAL in touched.receipt.text
    assert "Refresh" in touched.receipt.headers  # it moves by itself without a script
    closed = touched.closed
    assert closed.text.count("已打款") == 4
    assert SHOWN_TOTAL in closed.text
    claims = [row for row in touched.system.rows(tables.claim) if row.invoice_id in touched.bills]
    assert len({row.submission_id for row in claims}) == 1
    assert {row.state for row in claims} == {"paid"}
    bank = [row.simulated for row in touched.system.rows(tables.payment_answer)]
    assert bank
    assert all(bank)


def test_ledger_holds_what_was_paid(touched: Touched) -> None:
    system = touched.system
    for sample, shown in zip(system.population.demo(), SHOWN, strict=True):
        fen = int(shown.replace(",", "").replace(".", ""))
        assert _slot(system, sample.invoice).paid_fen == fen
        assert system.decision_of(sample.invoice).paid_fen == fen


def test_each_line_of_a_claim_is_explained_to_the_fen(touched: Touched) -> None:
    links = [link for link in touched.closed.links if "/m/claims/" in link]
    assert len(links) == len(LINES)
    for link, expected, total in zip(links, LINES, SHOWN, strict=True):
        claim = touched.citizen.visitor.get(link)
        assert "模拟银行" in claim.text
        page = touched.citizen.visitor.get(link + "/lines")
        assert page.status == 200
        found = [
            (_fen(submitted), [_fen(cut) for cut in _CUT.findall(body)], _fen(paid))
            for submitted, body, paid in _LINE.findall(page.html)
        ]
        for submitted, cuts, paid in found:
            assert submitted + sum(cuts) == paid, page.text
            assert all(cut < 0 for cut in cuts), page.text  # no layer 2 on these bills
        assert [(submitted, paid) for submitted, _, paid in found] == [
            (_fen(submitted), _fen(paid)) for submitted, paid in expected
        ]
        (shown,) = _TOTAL.findall(page.html)
        assert shown == total
        assert sum(paid for _, _, paid in found) == _fen(total)


def _fen(shown: str) -> int:
    return int(shown.replace(",", "").replace("\u2212", "-").replace(".", ""))


def test_sending_the_form_again_gives_the_same_submission(touched: Touched) -> None:
    again = touched.citizen.confirm(touched.check)
    assert again.url == touched.receipt.url


def test_bill_claimed_from_a_second_device_names_the_earlier_claim(touched: Touched) -> None:
    other = touched.system.citizen("citizen01")
    page = touched.check
    form = copy.deepcopy(page.form("/submissions"))
    fresh = other.home()  # only for a session of its own; the ticked bills are the old ones
    assert fresh.status == 200
    token = next(value for name, value, _, _ in other.visitor.get("/m").forms[0].fields
                 if name == "csrf_token")  # fmt: skip
    held = other.visitor.submit(
        page, form, ("form_token", "x" * 40), ("csrf_token", token), ("consent", "yes")
    )
    assert held.status == 409, held.text[:400]
    numbers = {row.number for row in touched.system.rows(tables.claim)}
    shown = re.sub(r"\s", "", held.text)
    assert any(number in shown for number in numbers)
    assert len(touched.system.rows(tables.claim)) == len(numbers)


def test_sixteen_devices_touching_one_bill_at_once_make_one_claim(paid: System) -> None:
    sample = next(paid.population.bills())
    first = paid.citizen(sample.citizen.username)
    bill = paid.invoice_id(sample.invoice)
    devices = [copy.deepcopy(first) for _ in range(16)]
    pages = [device.check([bill]) for device in devices]
    assert len({page.form("/submissions").choices("form_token")[0] for page in pages}) == 16
    start = threading.Barrier(16)

    def confirm(device: Citizen, page: Page) -> int:
        start.wait(timeout=30)
        return device.confirm(page).status

    with ThreadPoolExecutor(16) as pool:
        statuses = sorted(pool.map(confirm, devices, pages))
    assert statuses == [200] + [409] * 15
    assert len(paid.claims_of(sample.invoice)) == 1
    paid.wait_for_claims()
    key = paid.stored(sample.invoice).invoice_key
    for name in ("Lodged", "Settled"):
        assert [event["invoiceKey"] for event in paid.events(name)].count(key) == 1


def test_citizen_cannot_see_another_ones_submission(touched: Touched) -> None:
    other = touched.system.citizen("citizen05")
    assert other.visitor.get(touched.receipt.url).status == 404


def test_public_check_says_genuine_and_claimed_without_personal_data(touched: Touched) -> None:
    system = touched.system
    token = system.stored(system.population.demo()[0].invoice).public_token
    page = system.visitor().get(f"/v/{token}")
    assert page.status == 200
    for private in ("citizen01", "TEST-ID", system.population.citizens[0].name):
        assert private not in page.html
    assert system.visitor().get("/v/" + "A" * 43).status == 404


# --- planted cases --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cases(paid: System) -> dict[str, PlantedCase]:
    return {case.name: case for case in paid.population.planted()}


def test_table_and_test_name_the_same_cases(cases: dict[str, PlantedCase]) -> None:
    assert tuple(cases) == CASES


@pytest.mark.parametrize("name", CASES)
def test_planted_case_ends_as_the_table_says(
    paid: System, cases: dict[str, PlantedCase], name: str
) -> None:
    for expected in cases[name].expected:
        if not expected.invoice_state:
            assert paid.stored(expected.bill.invoice) is None
            continue
        _assert_stored(paid, expected)
        _assert_claim(paid, expected)
        _assert_ledger(paid, expected)


def _assert_stored(system: System, expected: Expected) -> None:
    agent = system.agents[expected.bill.hospital.code]
    state = agent.status(system.invoice_id(expected.bill.invoice))
    assert state["state"] == expected.invoice_state, state
    assert bool(state["disputes"]) == expected.disputed, state
    assert bool(state["marks"]) == expected.marked, state
    assert state["anchor"]["state"] == "final", state


def _assert_claim(system: System, expected: Expected) -> None:
    claims = system.claims_of(expected.bill.invoice)
    if expected.claim is ClaimOutcome.NOT_OFFERED:
        assert claims == []
        return
    assert [claim.state for claim in claims] == [str(expected.claim)]
    if expected.reason:
        assert expected.reason in system.pend_codes(claims[0].id)


def _slot(system: System, bill: Any) -> SlotState:
    key = compute_invoice_key(system.services.network_key, bill.invoice_code, bill.invoice_number)
    return system.slot(key)


def _assert_ledger(system: System, expected: Expected) -> None:
    bill, outcome = expected.bill.invoice, expected.ledger
    slot = _slot(system, bill)
    ours = system.settings.payer_number
    assert bool(slot.flags & SlotState.VOID) == (outcome is LedgerOutcome.VOID)
    assert bool(slot.flags & SlotState.REVERSED) == (outcome is LedgerOutcome.REVERSED)
    if outcome is LedgerOutcome.NOTHING:
        assert slot.leaf_reference == slot.lodge_counter == slot.settled_payers == 0
    elif outcome in (LedgerOutcome.SETTLED, LedgerOutcome.SETTLED_ON_CORRECTION):
        decided = system.decision_of(bill).paid_fen
        assert slot.settled_payers == 1 << (ours - 1)
        assert (slot.total_fen, slot.paid_fen) == (bill.total_fen, bill.borne_fen + decided)
        assert slot.open_payer == 0
        is_pinned = bool(slot.flags & SlotState.PINNED)
        assert is_pinned == (outcome is LedgerOutcome.SETTLED_ON_CORRECTION)
    elif outcome is LedgerOutcome.LODGED:
        assert (slot.open_payer, slot.settled_payers) == (ours, 0)


@pytest.mark.parametrize("name", CASES)
def test_planted_step_sent_again_changes_nothing(
    paid: System, cases: dict[str, PlantedCase], name: str
) -> None:
    before = len(paid.rows(tables.invoice_version))
    for step in cases[name].steps:
        if name == "corrected" and step.action is Action.SEND:
            continue  # the first content is no longer the current one
        status, body = paid.play(step)
        if step.problem:
            assert status == step.status
            assert step.problem in {body["code"], *(e["code"] for e in body.get("errors", ()))}
        else:
            assert status == 200, body
    assert len(paid.rows(tables.invoice_version)) == before


def test_other_content_is_refused_naming_the_route_to_correct_it(
    paid: System, cases: dict[str, PlantedCase]
) -> None:
    step = cases["other-content"].steps[1]
    status, body = paid.play(step)
    route = f"/v1/invoices/{paid.invoice_id(step.bill.invoice)}/corrections"
    assert status == 409
    assert route in body["detail"]
    assert route in body["detail_en"]


def test_same_number_from_two_institutions_raised_one_alarm(paid: System) -> None:
    codes = [row.code for row in paid.rows(tables.alarm)]
    assert codes == ["invoice-number-disputed"]


def test_each_call_of_a_hospital_is_on_the_ledger_once(paid: System) -> None:
    found = {name: len(paid.events(name)) for name in ("Superseded", "Voided", "Reversed")}
    assert found == {"Superseded": 1, "Voided": 1, "Reversed": 2}


# --- the auditor ----------------------------------------------------------------------------------


def test_exported_bundle_is_verified_by_the_command(
    bundle: dict[str, Any], auditor: Auditor
) -> None:
    auditor.write(bundle)
    command = [sys.executable, "-m", "verifier", *auditor.arguments, "--rpc", auditor.rpc]
    done = subprocess.run([*command, "--believe-node"], capture_output=True, text=True, check=False)
    assert done.returncode == VERIFIED, done.stdout + done.stderr
    numbers = re.findall(r"^\s*(\d+)\b.*\bOK\b", done.stdout, re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, 23))
    assert "believed" in done.stdout


def test_bundle_of_a_custodial_hospital_is_verified_and_says_so(
    paid: System, auditor: Auditor, capsys: pytest.CaptureFixture[str]
) -> None:
    custodial = paid.export(paid.population.demo()[1].invoice)
    assert auditor.judge(custodial) == VERIFIED
    assert "anchored with a key held by the operator" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("alteration", "check"), ALTERATIONS, ids=[change.__name__ for change, _ in ALTERATIONS]
)
def test_altered_bundle_is_refuted_naming_the_check(
    bundle: dict[str, Any],
    auditor: Auditor,
    alteration: Alteration,
    check: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = auditor.judge(altered(bundle, alteration), "--json")
    failed = failed_checks(capsys.readouterr().out)
    assert status == REFUTED
    assert check in failed


def test_any_character_of_a_disclosed_value_replaced_is_refuted(
    bundle: dict[str, Any], auditor: Auditor, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checks that need no node are enough for it."""
    choose = random.Random(20261122)
    disclosed = [
        (path, text)
        for part in ("invoice", "decision", "policy")
        for path, text in texts_in(bundle[part], (part,))
        if path[-1] != "path" and text
    ]
    for _ in range(SAMPLED_CHARACTERS):
        path, text = choose.choice(disclosed)
        at = choose.randrange(len(text))
        changed = copy.deepcopy(bundle)
        place: Any = changed
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = text[:at] + another_character(text[at]) + text[at + 1 :]
        auditor.write(changed)
        status = verify([*auditor.arguments, "--json"])
        out, err = capsys.readouterr()
        assert status == REFUTED, (path, at, out[-500:], err)
        assert failed_checks(out)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"format":"yichu-evidence-1"}', b'{"a":1,"a":2}', b"null"],
)
def test_bytes_that_are_no_bundle_are_malformed(auditor: Auditor, raw: bytes) -> None:
    assert auditor.judge(raw) == MALFORMED


def test_truncated_bundle_is_malformed(bundle: dict[str, Any], auditor: Auditor) -> None:
    assert auditor.judge(json.dumps(bundle).encode()[:-2]) == MALFORMED


def test_verdict_is_undecided_without_the_users_word_for_the_node(
    bundle: dict[str, Any], auditor: Auditor
) -> None:
    auditor.write(bundle)
    assert verify(auditor.arguments) == UNDECIDED
    assert verify([*auditor.arguments, "--rpc", auditor.rpc]) == UNDECIDED


def test_altered_bundle_is_refuted_without_a_node_too(
    bundle: dict[str, Any], auditor: Auditor
) -> None:
    auditor.write(altered(bundle, ALTERATIONS[0][0]))
    assert verify(auditor.arguments) == REFUTED


def test_verdict_is_undecided_when_no_node_answers(
    bundle: dict[str, Any], auditor: Auditor
) -> None:
    assert auditor.judge(bundle, rpc="http://127.0.0.1:9") == UNDECIDED


@pytest.mark.parametrize("field", ["chain_id", "genesis_hash", "registry", "invoice_ledger"])
def test_verdict_is_undecided_on_another_network(
    bundle: dict[str, Any], auditor: Auditor, field: str
) -> None:
    trust = copy.deepcopy(auditor.trust)
    if field == "chain_id":
        trust["chain_id"] += 1
    elif field == "genesis_hash":
        trust["genesis_hash"] = "ab" * 32
    else:
        trust["contracts"][field]["code_hash"] = "cd" * 32
    assert auditor.judge(bundle, trust=trust) == UNDECIDED


def test_institution_under_another_code_in_the_trust_file_is_refuted(
    bundle: dict[str, Any], auditor: Auditor
) -> None:
    number = str(bundle["batch"]["institution_number"])
    institutions = {number: {"code": "H99999999999", "name": "another"}}
    assert auditor.judge(bundle, trust=auditor.trust | {"institutions": institutions}) == REFUTED


def test_network_key_of_another_network_is_refuted(
    bundle: dict[str, Any], auditor: Auditor
) -> None:
    trust = auditor.trust | {"network_key": "ef" * 32, "network_key_version": 1}
    assert auditor.judge(bundle, trust=trust) == REFUTED


def test_readiness_counts_nothing_waiting(paid: System) -> None:
    report = requests.get(f"{paid.base_url}/readyz", timeout=10).json()
    assert report["ready"]
    assert report["anchoring"]["pending_nonces"] == 0


# --- the ledger alone -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bypassed(paid: System) -> Iterator[System]:
    """The ledger alone: worker and web are stopped meanwhile."""
    paid.worker.stop()
    paid.web.stop()
    yield paid
    paid.worker.start()
    paid.start_web()


def test_second_lodge_with_the_payers_own_key_is_refused_by_the_ledger(bypassed: System) -> None:
    bill = bypassed.population.demo()[0].invoice
    before = _slot(bypassed, bill)
    event = RawPayer(bypassed, 1).lodge(bill)
    assert event.outcome == "settled-by-payer"
    assert (event.values["holder_payer"], event.values["holder_counter"]) == (1, 0)
    assert _slot(bypassed, bill) == before


def test_lodge_of_a_locked_bill_by_any_payer_names_the_holder(
    bypassed: System, cases: dict[str, PlantedCase]
) -> None:
    bill = cases["other-name"].expected[0].bill.invoice
    holder = _slot(bypassed, bill)
    for payer in (2, 3):
        event = RawPayer(bypassed, payer).lodge(bill)
        assert event.outcome == "locked"
        found = (event.values["holder_payer"], event.values["holder_counter"])
        assert found == (1, holder.lodge_counter)


def test_second_basic_payer_is_refused_after_settlement(bypassed: System) -> None:
    event = RawPayer(bypassed, 2).lodge(bypassed.population.demo()[1].invoice)
    assert event.outcome == "settled-by-basic"
    assert (event.values["holder_payer"], event.values["holder_counter"]) == (1, 0)


def test_commercial_payer_can_take_the_remainder_and_not_a_fen_more(bypassed: System) -> None:
    """Bill 2 of the demo citizen: 100.00, of which the agency paid 70.00 (worked by hand)."""
    bill = bypassed.population.demo()[1].invoice
    commercial = RawPayer(bypassed, 3)
    assert commercial.lodge(bill).outcome == "done"
    assert commercial.settle(bill, 3_001).outcome == "over-total"
    assert commercial.settle(bill, 3_000).outcome == "done"
    slot = _slot(bypassed, bill)
    assert (slot.paid_fen, slot.total_fen, slot.settled_payers) == (10_000, 10_000, 0b101)


def test_nobody_can_lodge_when_nothing_is_left(bypassed: System) -> None:
    bill = bypassed.population.demo()[1].invoice
    outcomes = {payer: RawPayer(bypassed, payer).lodge(bill).outcome for payer in (1, 2, 3)}
    assert outcomes == {1: "settled-by-payer", 2: "settled-by-basic", 3: "settled-by-payer"}


def test_bill_settled_online_is_refused_to_a_basic_payer(
    bypassed: System, cases: dict[str, PlantedCase]
) -> None:
    bill = cases["settled-online"].expected[0].bill.invoice
    assert RawPayer(bypassed, 1).lodge(bill).outcome == "kind-not-for-basic"
