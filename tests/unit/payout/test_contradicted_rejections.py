"""The bank says rejected and then otherwise, or the other way round: nothing follows by itself."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.service_layer.payout.answers import take_in
from backend.service_layer.payout.ports import BadStatusFileError
from backend.service_layer.payout.records import AnswerStatus, StatusReport
from backend.service_layer.payout.stored import Hold
from tests.unit.payout.bank_files import ATTEMPT, MADE_AT, ended, report, said
from tests.unit.payout.test_answers_taken_in import NOW, SECOND, Office, Stored

PAID, REJECTED = AnswerStatus.PAID, AnswerStatus.REJECTED
RETURNED, ACCEPTED = AnswerStatus.RETURNED, AnswerStatus.ACCEPTED
ALARM = "payment-contradicted"
LATER = replace(ATTEMPT, id="pay_1_a2", attempt=2, end_to_end_id="C1-V1-A2", file_id="pfl_2")


def rejected(*later: Any) -> Office:
    """A file of two whose first instruction is booked as rejected for the bank's own fault."""
    office = Office(Stored(ATTEMPT, SECOND))
    office.payments.answers["C1-V1-A1"] = ended(REJECTED, reason="AB05")
    office.payments.newest = MADE_AT + dt.timedelta(minutes=2)
    office.payments.later = list(later)
    office.held["clm_1"] = replace(
        office.held["clm_1"], state=ClaimState.PAYING, waiting_for="bank-retry"
    )
    return office


def hears(office: Office, found: StatusReport, name: str = "R1") -> None:
    assert take_in(office.deps, office.leave(name, found)) is True


def held(office: Office) -> list[tuple[str, int, str, str]]:
    return [(one.claim_id, one.ordinal, one.action, one.by) for one in office.payments.holds]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (said(PAID), "paid"),
        (said(ACCEPTED), "accepted"),
        (said(REJECTED, reason_code="DU04"), "rejected DU04"),
        (said(PAID, amount_fen=1), "paid"),
    ],
)
def test_what_contradicts_a_rejection_stops_its_claim(item: Any, words: str) -> None:
    office = rejected()
    hears(office, report(item))
    assert office.verdict() == "refused"
    assert held(office) == [("clm_1", 1, "hold", "worker")]
    assert office.payments.holds[0].at == NOW
    assert office.open[ALARM, "bmg_1"] == (f"C1-V1-A1 is booked as rejected, the bank said {words}")
    assert office.moves == [("clm_1", "paying", NOW, "paying", "payout-stopped")]
    assert office.locked == ["clm_1"]


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [(PAID, "", "paid"), (REJECTED, "DU01", "rejected DU01"), (ACCEPTED, "", "accepted")],
)
def test_the_same_said_of_the_whole_file_stops_it_too(
    status: AnswerStatus, reason: str, words: str
) -> None:
    office = rejected()
    hears(office, report(group_status=status, group_reason_code=reason))
    assert (office.verdict(), held(office)) == ("refused", [("clm_1", 1, "hold", "worker")])
    assert office.open[ALARM, "bmg_1"].endswith(f"the bank said {words}")


@pytest.mark.parametrize(
    "item",
    [
        said(REJECTED, reason_code="AC04"), said(RETURNED), said(PAID, "C2-V1-A1"),
        said(PAID, "C9-V1-A1"),
    ],
)  # fmt: skip
def test_what_does_not_contradict_it_stops_nothing(item: Any) -> None:
    office = rejected()
    hears(office, report(item, original_item_count=9))
    assert (office.verdict(), held(office), (ALARM, "bmg_1") in office.open) == (
        "refused", [], False,
    )  # fmt: skip


def test_accepted_before_it_was_rejected_may_come_late() -> None:
    office = rejected()
    hears(office, report(said(ACCEPTED), created_at=MADE_AT + dt.timedelta(minutes=1)))
    assert (office.verdict(), held(office)) == ("refused", [])


def test_paid_before_it_was_rejected_stops_it() -> None:
    office = rejected()
    hears(office, report(said(PAID), created_at=MADE_AT + dt.timedelta(minutes=1)))
    assert held(office) == [("clm_1", 1, "hold", "worker")]


def test_a_second_instruction_that_is_at_the_bank_is_said_and_a_third_is_stopped() -> None:
    office = rejected(LATER)
    hears(office, report(said(PAID)))
    assert held(office) == [("clm_1", 1, "hold", "worker")]
    assert office.open[ALARM, "bmg_1"].endswith("said paid, AND C1-V1-A2 IS AT THE BANK")
    assert office.moves == [], "its second instruction is under way"


def test_a_second_instruction_that_was_rejected_too_is_not_at_the_bank() -> None:
    office = rejected(LATER)
    office.payments.answers["C1-V1-A2"] = ended(REJECTED)
    hears(office, report(said(PAID)))
    assert office.open[ALARM, "bmg_1"].endswith("the bank said paid")
    assert office.moves[0][-1] == "payout-stopped"


@pytest.mark.parametrize("by", ["王岗", "worker"])
def test_a_proposal_made_before_it_was_known_is_overtaken(by: str) -> None:
    office = rejected()
    office.payments.holds = [Hold("clm_1", 4, "hold", by, "银行说没有付", NOW)]
    hears(office, report(said(PAID)))
    assert held(office)[1:] == [("clm_1", 5, "hold", "worker")]


def test_after_a_release_it_is_stopped_anew() -> None:
    office = rejected()
    office.payments.holds = [Hold("clm_1", 2, "release", "李二", "银行确认没有付", NOW)]
    hears(office, report(said(PAID)))
    assert held(office)[1:] == [("clm_1", 3, "hold", "worker")]


# --- the other way round --------------------------------------------------------------------------


@pytest.mark.parametrize("item", [said(PAID, amount_fen=1), said(REJECTED, reason_code="DU04")])
def test_a_rejection_after_a_refused_word_that_it_left_is_booked_and_stopped(item: Any) -> None:
    office = Office(Stored(ATTEMPT, SECOND))
    hears(office, report(item), "R1")
    assert (office.verdict(), held(office)) == ("refused", []), "nothing is rejected yet"
    hears(office, report(said(REJECTED, reason_code="AB05"), message_id="REP-2"), "R2")
    assert (office.verdict(), held(office)) == ("booked", [("clm_1", 1, "hold", "worker")])
    assert (ALARM, "bmg_1") in office.open, "it ends with the file that was refused"


@pytest.mark.parametrize("of_first", ["dealt-with", "other", "unreadable", "accepted"])
def test_a_rejection_that_nothing_contradicts_is_booked_alone(of_first: str) -> None:
    office = Office(Stored(ATTEMPT, SECOND))
    item = said(PAID, "C2-V1-A1" if of_first == "other" else "C1-V1-A1", amount_fen=1)
    hears(office, report(said(ACCEPTED, amount_fen=1) if of_first == "accepted" else item), "R1")
    if of_first == "dealt-with":
        office.cases["bank-file:bmg_1"] = SimpleNamespace(resolved_at=NOW)
    if of_first == "unreadable":
        office.reports[b"R1"] = BadStatusFileError("读不懂", "no report")
    hears(office, report(said(REJECTED, reason_code="AB05"), message_id="REP-2"), "R2")
    assert (office.verdict(), held(office)) == ("booked", [])


def test_a_case_that_is_open_has_not_been_dealt_with() -> None:
    office = Office(Stored(ATTEMPT, SECOND))
    hears(office, report(said(PAID, amount_fen=1)), "R1")
    office.cases["bank-file:bmg_1"] = SimpleNamespace(resolved_at=None)
    hears(office, report(said(REJECTED, reason_code="AB05"), message_id="REP-2"), "R2")
    assert held(office) == [("clm_1", 1, "hold", "worker")]


# --- what is kept ---------------------------------------------------------------------------------


def test_a_time_at_the_end_of_the_calendar_is_refused_and_not_kept_in_a_column() -> None:
    office = Office()
    hears(office, report(said(PAID), created_at=dt.datetime(9999, 12, 31, tzinfo=dt.UTC)))
    assert (office.verdict(), office.payments.kept[0].reported_at) == ("refused", None)
    assert office.payments.kept[0].report_id == "REP-1"


@pytest.mark.parametrize("account", ["****6217", "6217"])
def test_the_number_that_was_instructed_is_read_only_where_one_is_said(account: str) -> None:
    office = Office(Stored(replace(ATTEMPT, wrapped_account=b"6217|pay_1_a1:account")))
    hears(office, report(said(PAID, account=account)))
    assert office.verdict() == "booked"


def test_another_number_than_instructed_books_nothing() -> None:
    office = Office(Stored(replace(ATTEMPT, wrapped_account=b"99996217|pay_1_a1:account")))
    hears(office, report(said(PAID, account="11116217")))
    assert office.verdict() == "refused"
