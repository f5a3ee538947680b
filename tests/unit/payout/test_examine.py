"""A bank's report against what was instructed: anything that does not agree books nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.service_layer.payout.examine import News, examine, is_early
from backend.service_layer.payout.records import AnswerStatus, StatusReport
from tests.unit.payout.bank_files import (
    ATTEMPT,
    FILE,
    MADE_AT,
    SECOND,
    Payments,
    ended,
    report,
    said,
    work_with,
)

NOW = MADE_AT + dt.timedelta(minutes=6)
ACCEPTED, PAID = AnswerStatus.ACCEPTED, AnswerStatus.PAID
REJECTED, RETURNED = AnswerStatus.REJECTED, AnswerStatus.RETURNED


def looked_at(
    found: StatusReport, payments: Payments | None = None, **fields: Any
) -> tuple[list[News], list[str]]:
    values: dict[str, Any] = {"is_simulated": True, "now": NOW}
    return examine(work_with(payments or Payments()), found, **(values | fields))


def refused(found: StatusReport, payments: Payments | None = None, **fields: Any) -> list[str]:
    """What is said against it, with nothing of it to be booked."""
    news, differences = looked_at(found, payments, **fields)
    assert news == []
    return differences


def test_a_payment_that_agrees_is_news() -> None:
    item = said(PAID, amount_fen=6_000, bank_reference="B1")
    told = report(item, original_item_count=1, original_control_sum_fen=6_000)
    assert looked_at(told) == ([News(ATTEMPT, item)], [])


def test_a_report_that_leaves_out_what_it_may_is_news() -> None:
    assert looked_at(report(said(PAID))) == ([News(ATTEMPT, said(PAID))], [])


# --- the whole report --------------------------------------------------------------------------


def test_an_answer_to_a_file_that_was_never_written_is_refused() -> None:
    assert refused(report(said(PAID), original_message_id="YC9")) == [
        "no payment file YC9 was ever written here"
    ]


@pytest.mark.parametrize(
    ("of_report", "of_bank", "words"),
    [
        (True, False, "it is simulated, this bank is real"),
        (False, True, "it is real, this bank is simulated"),
    ],
)
def test_simulated_and_real_money_never_mix(of_report: bool, of_bank: bool, words: str) -> None:
    told = report(said(PAID), simulated=of_report)
    assert refused(told, is_simulated=of_bank) == [words]


def test_a_real_banks_real_answer_is_news() -> None:
    news, differences = looked_at(report(said(PAID), simulated=False), is_simulated=False)
    assert (len(news), differences) == (1, [])


def test_a_report_may_be_ten_minutes_older_than_its_file_and_not_a_second_more() -> None:
    edge = MADE_AT - dt.timedelta(minutes=10)
    assert looked_at(report(said(PAID), created_at=edge))[1] == []
    assert refused(report(said(PAID), created_at=edge - dt.timedelta(seconds=1))) == [
        "made at 2026-11-20T01:49:59Z, before the file that it answers"
    ]


def test_a_report_may_be_made_in_ten_minutes_and_not_a_second_later() -> None:
    edge = NOW + dt.timedelta(minutes=10)
    assert looked_at(report(said(PAID), created_at=edge))[1] == []
    late = report(said(PAID), created_at=edge + dt.timedelta(seconds=1))
    assert refused(late) == ["made at 2026-11-20T02:16:01Z, which has not come yet"]
    assert looked_at(late, now=None)[1] == [], "examined before: its time was looked at then"


@pytest.mark.parametrize("count", [0, 2])
def test_another_count_than_the_files_is_refused(count: int) -> None:
    assert refused(report(said(PAID), original_item_count=count)) == [
        f"speaks of {count} items, the file has 1"
    ]


@pytest.mark.parametrize("fen", [0, 5_999, 6_001])
def test_another_sum_than_the_files_is_refused(fen: int) -> None:
    assert refused(report(said(PAID), original_control_sum_fen=fen)) == [
        f"speaks of {fen} fen, the file has 6000"
    ]


SAME = SimpleNamespace(original_id="YC1", reported_at=MADE_AT + dt.timedelta(minutes=5))


@pytest.mark.parametrize(
    "known",
    [
        SimpleNamespace(original_id="YC2", reported_at=SAME.reported_at),
        SimpleNamespace(original_id="YC1", reported_at=SAME.reported_at + dt.timedelta(seconds=1)),
    ],
)
def test_another_report_under_a_known_name_is_refused(known: SimpleNamespace) -> None:
    assert refused(report(said(PAID)), Payments(known_report=known)) == [
        "another report named REP-1 was booked already"
    ]


def test_the_same_report_again_is_compared_as_any() -> None:
    assert looked_at(report(said(PAID)), Payments(known_report=SAME))[1] == []


# --- one status for the whole file ---------------------------------------------------------------


def test_a_whole_file_that_is_rejected_is_each_of_its_instructions() -> None:
    both = Payments((ATTEMPT, SECOND), file=replace(FILE, item_count=2))
    news, differences = looked_at(report(group_status=REJECTED, group_reason_code="AC01"), both)
    assert differences == []
    assert [(one.attempt, one.item.end_to_end_id) for one in news] == [
        (ATTEMPT, "C1-V1-A1"), (SECOND, "C2-V1-A1"),
    ]  # fmt: skip
    assert {(one.item.status, one.item.reason_code) for one in news} == {(REJECTED, "FILE-AC01")}


@pytest.mark.parametrize("whole", [REJECTED, PAID])
def test_the_end_of_a_whole_file_is_that_of_each_it_does_not_name(whole: AnswerStatus) -> None:
    both = Payments((ATTEMPT, SECOND))
    told = report(said(whole, bank_reference="B1"), group_status=whole, group_reason_code="XX")
    news, differences = looked_at(told, both)
    assert differences == []
    assert [
        (one.item.end_to_end_id, one.item.status, one.item.reason_code, one.item.bank_reference)
        for one in news
    ] == [("C1-V1-A1", whole, "", "B1"), ("C2-V1-A1", whole, "XX", "")]


def test_a_file_that_is_only_accepted_says_nothing_of_what_it_does_not_name() -> None:
    news, _ = looked_at(report(said(PAID), group_status=ACCEPTED), Payments((ATTEMPT, SECOND)))
    assert [one.attempt for one in news] == [ATTEMPT]


def test_a_whole_file_that_came_back_names_each_of_its_instructions() -> None:
    # The one that is not named may have been paid: it must not be paid again as rejected.
    both = Payments((ATTEMPT, SECOND), answers={"C1-V1-A1": ended(PAID)})
    words = "it rejects the whole file and says that a payment came back: name each instruction"
    told = report(said(RETURNED), group_status=REJECTED, simulated=False)
    assert refused(told, both) == ["it is real, this bank is simulated", words]
    one = Payments(answers={"C1-V1-A1": ended(PAID)})
    assert len(looked_at(report(said(RETURNED), group_status=REJECTED), one)[0]) == 1


def test_a_report_that_says_nothing_is_no_news() -> None:
    assert looked_at(report()) == ([], [])


@pytest.mark.parametrize(
    ("whole", "one"),
    [(REJECTED, PAID), (REJECTED, ACCEPTED), (PAID, REJECTED), (PAID, ACCEPTED)],
)
def test_an_instruction_that_contradicts_the_whole_file_is_refused(
    whole: AnswerStatus, one: AnswerStatus
) -> None:
    assert refused(report(said(one), group_status=whole)) == [
        f"C1-V1-A1 is {one}, the whole file {whole}"
    ]


@pytest.mark.parametrize("one", [PAID, REJECTED])
def test_a_file_that_is_only_accepted_says_no_end_of_its_instructions(one: AnswerStatus) -> None:
    assert len(looked_at(report(said(one), group_status=ACCEPTED))[0]) == 1


def test_what_came_back_may_stand_in_a_file_that_is_called_rejected() -> None:
    payments = Payments(answers={"C1-V1-A1": ended(PAID)})
    news, differences = looked_at(report(said(RETURNED), group_status=REJECTED), payments)
    assert (len(news), differences) == (1, [])


# --- one instruction -----------------------------------------------------------------------------


def test_an_instruction_that_is_named_twice_is_refused() -> None:
    assert refused(report(said(PAID), said(PAID))) == ["C1-V1-A1 is named 2 times"]


def test_an_instruction_that_is_not_in_the_file_is_refused_and_the_rest_with_it() -> None:
    assert refused(report(said(PAID, "C9-V1-A1"), said(PAID))) == ["C9-V1-A1 is not in YC1"]


@pytest.mark.parametrize("fen", [0, 5_999, 6_001])
def test_another_amount_than_was_instructed_is_refused(fen: int) -> None:
    assert refused(report(said(PAID, amount_fen=fen))) == [
        f"C1-V1-A1: {fen} fen were reported, 6000 instructed"
    ]


@pytest.mark.parametrize("code", ["AM05", "DU01", "DU02", "DU03", "DU04", "DU05", "DUPL"])
def test_a_duplicate_is_known_at_the_bank_and_no_rejection(code: str) -> None:
    assert refused(report(said(REJECTED, reason_code=code))) == [
        f"C1-V1-A1: {code}: the bank knows this instruction; run yichu reconcile"
    ]


@pytest.mark.parametrize(("stands", "status"), [(None, PAID), (None, REJECTED), (PAID, RETURNED)])
def test_an_end_that_is_not_booked_yet_is_news(
    stands: AnswerStatus | None, status: AnswerStatus
) -> None:
    answers = {} if stands is None else {"C1-V1-A1": ended(stands)}
    news, differences = looked_at(report(said(status)), Payments(answers=answers))
    assert ([one.item.status for one in news], differences) == ([status], [])


@pytest.mark.parametrize(
    ("stands", "status"),
    [
        (None, ACCEPTED), (PAID, PAID), (REJECTED, REJECTED), (RETURNED, RETURNED),
        (RETURNED, PAID),
    ],
)  # fmt: skip
def test_what_is_known_is_neither_news_nor_a_difference(
    stands: AnswerStatus | None, status: AnswerStatus
) -> None:
    answers = {} if stands is None else {"C1-V1-A1": ended(stands)}
    assert looked_at(report(said(status)), Payments(answers=answers)) == ([], [])


@pytest.mark.parametrize(
    ("stands", "status", "words"),
    [
        (PAID, ACCEPTED, "paid"),
        (PAID, REJECTED, "paid"),
        (REJECTED, ACCEPTED, "rejected"),
        (REJECTED, PAID, "rejected"),
        (REJECTED, RETURNED, "rejected"),
        (RETURNED, ACCEPTED, "returned"),
        (RETURNED, REJECTED, "returned"),
    ],
)
def test_what_contradicts_an_earlier_answer_is_refused(
    stands: AnswerStatus | None, status: AnswerStatus, words: str
) -> None:
    answers = {} if stands is None else {"C1-V1-A1": ended(stands)}
    assert refused(report(said(status)), Payments(answers=answers)) == [
        f"C1-V1-A1: reported as {status}, and it is {words}"
    ]


def test_a_return_before_its_payment_is_no_contradiction_and_waits() -> None:
    differences = refused(report(said(RETURNED)))
    assert differences == ["C1-V1-A1: came back before it was reported as paid"]
    assert is_early(differences)


def test_what_has_anything_else_against_it_does_not_wait() -> None:
    assert not is_early([])
    assert not is_early(refused(report(said(RETURNED), simulated=False)))
    assert not is_early(refused(report(said(PAID), said(PAID))))


def test_a_second_payment_of_one_instruction_is_seen_by_its_bank_reference() -> None:
    payments = Payments(answers={"C1-V1-A1": ended(PAID, "B1")})
    assert refused(report(said(PAID, bank_reference="B2")), payments) == [
        "C1-V1-A1: reported again with another bank reference"
    ]


@pytest.mark.parametrize(
    ("stands", "booked", "status", "reported"),
    [
        (PAID, "B1", PAID, "B1"),
        (PAID, "B1", PAID, ""),
        (PAID, "", PAID, "B2"),
        # The return has a reference of its own; the payment before it is told under its own.
        (RETURNED, "B2", PAID, "B1"),
    ],
)
def test_a_reference_that_says_nothing_else_is_no_difference(
    stands: AnswerStatus, booked: str, status: AnswerStatus, reported: str
) -> None:
    payments = Payments(answers={"C1-V1-A1": ended(stands, booked)})
    assert looked_at(report(said(status, bank_reference=reported)), payments) == ([], [])


# --- older than what was booked ------------------------------------------------------------------


def test_news_older_than_a_booked_report_on_the_same_instructions_is_refused() -> None:
    newest = MADE_AT + dt.timedelta(minutes=5)
    payments = Payments(newest=newest)
    assert looked_at(report(said(PAID), created_at=newest), payments)[1] == []
    assert payments.asked == ["pay_1_a1"], "of the instructions that there is news of"
    older = report(said(PAID), created_at=newest - dt.timedelta(seconds=1))
    assert refused(older, payments) == [
        "made at 2026-11-20T02:04:59Z, older than a report that was booked"
    ]


def test_an_old_report_without_news_is_only_a_repetition() -> None:
    payments = Payments(answers={"C1-V1-A1": ended(PAID)}, newest=NOW)
    assert looked_at(report(said(PAID)), payments) == ([], [])


# --- many differences ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unknown", "rest"), [(50, []), (51, ["and 1 more"]), (53, ["and 3 more"])]
)
def test_fifty_differences_are_shown_and_the_rest_counted(unknown: int, rest: list[str]) -> None:
    items = [said(PAID, f"X{number}-V1-A1") for number in range(unknown)]
    found = refused(report(*items))
    assert found[:50] == [f"X{number}-V1-A1 is not in YC1" for number in range(50)]
    assert found[50:] == rest


def test_every_difference_of_the_whole_report_is_said() -> None:
    told = report(
        said(PAID, amount_fen=1),
        simulated=False,
        created_at=MADE_AT - dt.timedelta(hours=1),
        original_item_count=2,
        original_control_sum_fen=1,
    )
    assert refused(told) == [
        "it is real, this bank is simulated",
        "made at 2026-11-20T01:00:00Z, before the file that it answers",
        "speaks of 2 items, the file has 1",
        "speaks of 1 fen, the file has 6000",
        "C1-V1-A1: 1 fen were reported, 6000 instructed",
    ]
