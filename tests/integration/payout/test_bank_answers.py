"""What a bank may say of a file and its instructions, in any order, by ISO 20022 pain.002."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from backend.adapters.database import tables
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.payout.records import AnswerStatus, StatusItem
from tests.integration.claims.world import World
from tests.integration.payout.office import (
    FIRST_FEN,
    alarms,
    answers,
    balance,
    claim_of,
    files,
    rows,
    state,
    verdicts,
    with_rules,
)

pytestmark = pytest.mark.slow
PAID, REJECTED, RETURNED = AnswerStatus.PAID, AnswerStatus.REJECTED, AnswerStatus.RETURNED


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A file of two instructions is with the bank, which has not answered."""
    made = World.make(tmp_path)
    made.bank.is_slow = True
    claim_of(made, made.person())
    claim_of(made, made.person("测试乙丑", "citizen02"))
    for _ in range(40):
        advance_claims(made.services, with_payouts=False)
        made.mine()
    made.run()
    with_rules(made, every_seconds=86_400)
    (file,) = files(made)
    assert len(file.items) == 2
    return made


def said(world: World, index: int, status: AnswerStatus, reason: str = "") -> StatusItem:
    item = files(world)[0].items[index]
    return StatusItem(item.end_to_end_id, status, reason_code=reason, bank_reference=f"REF-{index}")


def leave(world: World, *items: StatusItem, minutes: int = 0, **fields: object) -> str:
    at = files(world)[0].created_at + dt.timedelta(minutes=minutes)
    report = world.bank.report_on(files(world)[0], *items, **{"created_at": at, **fields})
    return world.bank.leave(report)


def statuses(world: World) -> dict[str, str]:
    """Status by the place of the instruction in its file."""
    names = [item.end_to_end_id for item in files(world)[0].items]
    found = {}
    for row in rows(world, tables.payment_answer):
        (attempt,) = [a for a in rows(world, tables.payment_attempt) if a.id == row.attempt_id]
        found[f"{names.index(attempt.end_to_end_id)} {row.status}"] = row.reason_code
    return found


# --- the whole file and its parts ----------------------------------------------------------------


def test_a_rejected_file_rejects_those_too_that_the_report_does_not_name(world: World) -> None:
    leave(world, said(world, 0, REJECTED, "AC04"), group_status=REJECTED, group_reason_code="ED05")
    advance_claims(world.services)
    assert statuses(world) == {"0 rejected": "AC04", "1 rejected": "ED05"}


def test_a_file_that_is_partly_accepted_says_something_of_those_that_it_names(
    world: World,
) -> None:
    leave(world, said(world, 0, REJECTED, "AC04"), group_status=AnswerStatus.ACCEPTED)
    advance_claims(world.services)
    assert statuses(world) == {"0 rejected": "AC04"}
    leave(world, said(world, 1, PAID), minutes=1)
    advance_claims(world.services)
    assert statuses(world) == {"0 rejected": "AC04", "1 paid": ""}


def test_a_file_that_was_carried_out_was_so_with_all_its_instructions(world: World) -> None:
    leave(world, said(world, 1, PAID), group_status=PAID)
    advance_claims(world.services)
    assert statuses(world) == {"0 paid": "", "1 paid": ""}


def test_a_file_that_is_only_accepted_ends_nothing(world: World) -> None:
    leave(world, group_status=AnswerStatus.ACCEPTED)
    advance_claims(world.services)
    assert answers(world) == [] and alarms(world) == set()


def test_a_rejected_file_in_which_one_payment_came_back_must_name_the_others(
    world: World,
) -> None:
    leave(world, said(world, 0, PAID))
    advance_claims(world.services)
    leave(world, said(world, 0, RETURNED, "AC04"), minutes=1, group_status=REJECTED)
    advance_claims(world.services)
    assert statuses(world) == {"0 paid": ""}
    assert verdicts(world) == ["booked", "refused"]
    (_, refused) = rows(world, tables.bank_message)
    assert "name each instruction" in refused.difference


def test_a_rejected_file_that_the_bank_knows_is_not_booked(world: World) -> None:
    leave(world, said(world, 0, REJECTED, "AC04"), group_status=REJECTED, group_reason_code="DU01")
    advance_claims(world.services)
    assert answers(world) == [] and alarms(world) == {"bank-file-refused"}


# --- a return that comes before its payment was reported -----------------------------------------


def test_a_return_waits_for_the_report_of_its_payment(world: World) -> None:
    name = leave(world, said(world, 0, RETURNED, "AC04"), minutes=5)
    before = balance(world, "bank")
    for _ in range(2):
        advance_claims(world.services)
        assert answers(world) == [] and rows(world, tables.bank_message) == []
        assert (name in world.bank.inbox, alarms(world)) == (True, {"bank-return-early"})
        assert balance(world, "bank") == before
        assert find_mismatches(world.services) == [], "it is nobody's case while it waits"
    leave(world, said(world, 0, PAID), said(world, 1, PAID), minutes=4)
    advance_claims(world.services)
    advance_claims(world.services)
    assert statuses(world) == {"0 paid": "", "0 returned": "AC04", "1 paid": ""}
    assert verdicts(world) == ["booked", "booked"] and world.bank.inbox == {}
    assert alarms(world) == {"payment-returned"}
    assert balance(world, "bank") == before - FIRST_FEN


def test_a_return_whose_payment_is_never_reported_is_refused_in_the_end(world: World) -> None:
    leave(world, said(world, 0, RETURNED, "AC04"), said(world, 1, PAID))
    advance_claims(world.services)
    assert rows(world, tables.bank_message) == []
    hours = world.services.settings.payout.answer_hours
    world.services.clock.advance(hours * 3600 + 1)
    advance_claims(world.services)
    (message,) = rows(world, tables.bank_message)
    assert message.verdict == "refused" and answers(world) == []
    assert "came back before it was reported as paid" in message.difference
    assert "bank-return-early" not in alarms(world) and "bank-file-refused" in alarms(world)


def test_a_return_that_is_wrong_in_another_way_does_not_wait(world: World) -> None:
    wrong = dataclasses.replace(said(world, 1, PAID), amount_fen=1)
    leave(world, said(world, 0, RETURNED, "AC04"), wrong)
    advance_claims(world.services)
    assert (verdicts(world), answers(world)) == (["refused"], [])


def test_a_return_of_what_was_rejected_is_refused_at_once(world: World) -> None:
    leave(world, said(world, 0, REJECTED, "AC06"))
    advance_claims(world.services)
    leave(world, said(world, 0, RETURNED, "AC04"), minutes=1)
    advance_claims(world.services)
    assert verdicts(world) == ["booked", "refused"]
    assert statuses(world) == {"0 rejected": "AC06"}


def test_what_the_agency_has_to_mend_does_not_send_the_citizen_to_their_account(
    world: World,
) -> None:
    leave(world, said(world, 0, REJECTED, "CANC"))
    advance_claims(world.services)
    name = files(world)[0].items[0].end_to_end_id
    (claim,) = [c for c in rows(world, tables.claim) if name.startswith(c.number)]
    assert state(world, claim) == ("paying", "payout-desk")
    world.run()
    assert state(world, claim) == ("paying", "payout-desk")
