"""R10, R11, R13: our files and what is booked against the copies that the bank still has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.service_layer.money_reconciliation.bank_rules import bank_answers, file_rules
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.payout.records import AnswerStatus, IncomingFile
from backend.service_layer.payout.unmatched import LostItem
from tests.unit.money_reconciliation.exchange import (
    ITEMS,
    PAYMENT,
    Exchange,
    agreeing,
    booked,
    digest,
    file_bytes,
    instruction,
    message_of,
    report,
    row_of,
    said,
)

LOST = {"C2-V1-A1": LostItem("C2-V1-A1", "YC1", 30_000)}
REJECTED, RETURNED = AnswerStatus.REJECTED, AnswerStatus.RETURNED


def of_files(one: Exchange, lost: dict[str, LostItem] | None = None) -> list[Mismatch]:
    return list(file_rules(one.deps, one.work, lost or {}))


def of_answers(one: Exchange, lost: dict[str, LostItem] | None = None) -> list[Mismatch]:
    return list(bank_answers(one.deps, one.work, lost or {}))


def answered(content: bytes, *booked_here: object) -> Exchange:
    """The bank's one report is this, and these answers are booked."""
    one = agreeing()
    one.left, one.messages = {"r1.json": content}, [message_of(content)]
    one.answers = list(booked_here)  # type: ignore[arg-type]
    return one


def test_a_file_that_may_still_be_on_its_way_is_named_once_it_is_not() -> None:
    one = agreeing()
    growing = IncomingFile("r2.json", b'{"items', may_grow=True)
    before = IncomingFile("r1.json", one.left["r1.json"])

    def named(late: IncomingFile, dealt_with: set[str]) -> list[Mismatch]:
        deps = one.deps
        deps.bank.received = lambda: [before, late]
        deps.bank.dealt_with_names = lambda: dealt_with
        return list(bank_answers(deps, one.work, {}))

    unknown = [Mismatch("R13", "r2.json", "unknown here", "the bank left it")]
    assert named(growing, {"r1.json"}) == []
    assert named(replace(growing, may_grow=False), {"r1.json"}) == unknown
    assert named(growing, {"r1.json", "r2.json"}) == unknown, "somebody has put it away"


def test_what_agrees_is_named_by_no_rule() -> None:
    assert of_files(agreeing()) == of_answers(agreeing()) == []


# --- R10: the file and its instructions -----------------------------------------------------------


def test_stored_bytes_that_cannot_be_opened_are_named() -> None:
    one = agreeing()
    one.files = [replace(row_of(file_bytes()), wrapped_content=b"damaged")]
    assert of_files(one) == [
        Mismatch("R10", "YC1", "stored file", "cannot be read: secret-damaged")
    ]


def test_stored_bytes_that_are_no_payment_file_are_named() -> None:
    one = agreeing()
    one.handed, one.files = {"YC1.xml": b"{}"}, [row_of(b"{}")]
    assert of_files(one) == [
        Mismatch("R10", "YC1", "stored file", "cannot be read: bad-payment-file")
    ]


def test_other_bytes_than_were_written_are_named_once() -> None:
    one = agreeing()
    one.files = [replace(row_of(file_bytes()), wrapped_content=b"other")]
    assert of_files(one) == [Mismatch("R10", "YC1", "digest as written", "other bytes are stored")]


@pytest.mark.parametrize(("count", "fen"), [(1, 36_000), (3, 36_000), (2, 35_999), (2, 36_001)])
def test_another_count_or_sum_than_the_bytes_have_is_named(count: int, fen: int) -> None:
    one = agreeing()
    one.files = [row_of(file_bytes(), item_count=count, control_sum_fen=fen)]
    assert of_files(one) == [
        Mismatch(
            "R10", "YC1", f"{count} items, {fen} fen", "its bytes say 2 items, 36000 fen"
        )
    ]  # fmt: skip


@pytest.mark.parametrize(("fen", "tail"), [(6_001, "1111"), (6_000, "1112")])
def test_an_instruction_that_is_not_as_written_holds_its_claim(fen: int, tail: str) -> None:
    one = agreeing()
    one.items["pfl_1"][0] = instruction("c1", fen, tail)
    assert of_files(one) == [
        Mismatch("R10", "C1-V1-A1", f"{fen} fen to {tail}", "file: 6000 fen to 1111", "clm_c1")
    ]


@pytest.mark.parametrize(
    ("account", "holder"),
    [("99991111", "测试甲子"), ("TEST-1111", "测试丙寅"), ("TEST-1111 ", "测试甲子"), ("", "")],
)
def test_another_account_with_the_same_last_digits_holds_its_claim(
    account: str, holder: str
) -> None:
    one = agreeing()
    one.items["pfl_1"][0] = instruction("c1", 6_000, "1111", account, holder)
    assert of_files(one) == [
        Mismatch(
            "R10", "C1-V1-A1", "account and holder of the instruction, …1111",
            "file: another account or holder, …1111", "clm_c1",
        )
    ]  # fmt: skip


def test_an_instruction_whose_account_cannot_be_opened_holds_its_claim() -> None:
    one = agreeing()
    one.items["pfl_1"][0] = replace(one.items["pfl_1"][0], wrapped_account=b"damaged")
    assert [(found.rule, found.claim_id) for found in of_files(one)] == [("R10", "clm_c1")]


def test_an_instruction_that_is_in_no_file_is_named() -> None:
    one = agreeing()
    one.items["pfl_1"].append(instruction("c3", 100, "3333"))
    assert of_files(one) == [
        Mismatch("R10", "C3-V1-A1", "100 fen to 3333", "not in the file", "clm_c3")
    ]


def test_money_in_the_file_that_was_never_instructed_is_named_in_order() -> None:
    one = agreeing()
    one.items = {}
    assert of_files(one) == [
        Mismatch("R10", "C1-V1-A1", "no instruction", "file YC1: 6000 fen"),
        Mismatch("R10", "C2-V1-A1", "no instruction", "file YC1: 30000 fen"),
    ]


def test_what_a_restored_backup_has_lost_is_a_case_of_its_own() -> None:
    one = agreeing()
    del one.items["pfl_1"][1]
    assert of_files(one, LOST) == []
    assert of_files(one) == [Mismatch("R10", "C2-V1-A1", "no instruction", "file YC1: 30000 fen")]


# --- R11: the bank's copy ------------------------------------------------------------------------


def test_other_bytes_at_the_bank_are_named_by_their_digests() -> None:
    one = agreeing()
    one.handed["YC1.xml"] = b"abc"
    here = digest(file_bytes()).hex()[:16]
    # SHA-256 of "abc", FIPS 180-4.
    assert of_files(one) == [
        Mismatch("R11", "YC1", f"bytes {here}", "the bank has ba7816bf8f01cfea")
    ]


def test_a_file_that_the_bank_has_not_is_named_once_it_was_handed_over() -> None:
    one = agreeing()
    one.handed = {}
    assert of_files(one) == [Mismatch("R11", "YC1", "handed over", "the bank has no such file")]
    one.files = [row_of(file_bytes(), None)]
    assert of_files(one) == [], "it waits for the outbox"


def test_files_at_the_bank_that_are_unknown_here_are_named_in_order() -> None:
    one = agreeing()
    one.handed |= {"YC9.xml": b"x", "A" * 81: b"x"}
    assert of_files(one) == [
        Mismatch("R11", "A" * 80, "unknown here", "the bank has it"),
        Mismatch("R11", "YC9.xml", "unknown here", "the bank has it"),
    ]


def test_a_file_that_is_unreadable_here_does_not_hide_the_others() -> None:
    one = agreeing()
    one.files.insert(0, replace(row_of(b"x"), message_id="YC0", wrapped_content=b"damaged"))
    one.handed["YC0.xml"] = b"x"
    assert of_files(one) == [
        Mismatch("R10", "YC0", "stored file", "cannot be read: secret-damaged")
    ]


def test_the_same_file_of_another_payment_is_read_by_itself() -> None:
    content = file_bytes(replace(PAYMENT, items=ITEMS[:1]))
    one = agreeing()
    one.handed, one.files = (
        {"YC1.xml": content},
        [row_of(content, item_count=1, control_sum_fen=6_000)],
    )
    del one.items["pfl_1"][1]
    assert of_files(one) == []


# --- R13: what the bank said ---------------------------------------------------------------------


def test_a_file_of_the_bank_that_is_unknown_here_is_named() -> None:
    one = agreeing()
    one.left["new" + "x" * 80] = b"x"
    assert of_answers(one) == [
        Mismatch("R13", "new" + "x" * 77, "unknown here", "the bank left it")
    ]


def test_other_bytes_under_a_known_name_are_unknown_and_what_was_booked_is_named() -> None:
    one = agreeing()
    one.left["r1.json"] = b"x"
    assert of_answers(one) == [
        Mismatch("R13", "r1.json", "unknown here", "the bank left it"),
        Mismatch("R13", "r1.json", "booked", "the bank left no such file"),
    ]


def test_a_file_is_known_by_the_name_under_which_it_came() -> None:
    one = agreeing()
    one.left = {"2-r1.json": one.left["r1.json"]}
    assert of_answers(one) == []
    one.messages = [replace(one.messages[0], name="a-b.json")]
    one.left = {"2-a-b.json": one.left["2-r1.json"]}
    assert of_answers(one) == []
    one.messages = [replace(one.messages[0], name="r1.json")]
    one.left = {"x-r1.json": one.left["2-a-b.json"]}
    assert [found.here for found in of_answers(one)] == ["unknown here", "booked"]


def test_a_name_that_is_longer_than_is_stored_is_known() -> None:
    one = agreeing()
    content = one.left["r1.json"]
    one.left, one.messages = {"n" * 230: content}, [message_of(content, "n" * 200)]
    assert of_answers(one) == []
    one.left = {"2-" + "n" * 230: content}
    assert of_answers(one) == []


def test_a_file_that_was_refused_or_repeated_books_nothing_and_is_not_missed() -> None:
    one = agreeing()
    one.messages = [replace(one.messages[0], verdict="refused")]
    one.answers = []
    assert of_answers(one) == []
    one.left = {}
    assert of_answers(one) == []


def test_an_answer_out_of_a_file_that_was_not_booked_is_named() -> None:
    one = agreeing()
    one.messages = [replace(one.messages[0], verdict="refused")]
    assert of_answers(one) == [
        Mismatch("R13", "C1-V1-A1", "paid, 6000 fen", "from a file that was not booked", "clm_c1")
    ]


def test_a_filed_statement_that_is_no_longer_there_is_named_and_a_refused_file_is_not() -> None:
    one = agreeing()
    row = one.messages[0]
    one.messages += [
        replace(row, id="bmg_2", name="st.xml", digest=b"2", verdict="filed", original_id=None),
        replace(row, id="bmg_3", name="bad.xml", digest=b"3", verdict="refused"),
    ]
    gone = Mismatch("R13", "st.xml", "filed", "the bank left no such file")
    unstored = Mismatch("R13", "st.xml", "filed", "its statement is stored no more")
    assert of_answers(one) == [unstored, gone]
    one.messages[1] = replace(one.messages[1], has_statement=True)
    assert of_answers(one) == [gone]


def test_a_booked_file_that_the_bank_never_left_is_named_and_its_answers_with_it() -> None:
    one = agreeing()
    one.left = {}
    assert of_answers(one) == [Mismatch("R13", "r1.json", "booked", "the bank left no such file")]
    one.messages = [replace(one.messages[0], name="n" * 200)]
    assert [found.subject for found in of_answers(one)] == ["n" * 80]


def test_a_booked_file_that_can_no_longer_be_read_is_named() -> None:
    one = answered(b"no report", booked())
    assert of_answers(one) == [
        Mismatch("R13", "r1.json", "booked", "the bank's file cannot be read: bad-bank-file")
    ]


def test_an_end_that_is_not_booked_is_named_with_what_is() -> None:
    told = report(said("C1-V1-A1", RETURNED), said("C2-V1-A1", REJECTED))
    one = answered(told, booked("C1-V1-A1", "paid", message="bmg_0"))
    first = report(said("C1-V1-A1"))
    one.messages.append(replace(message_of(first, "r0.json"), id="bmg_0"))
    one.left["r0.json"] = first
    assert of_answers(one) == [
        # What is booked otherwise holds its claim, or it could be paid once more.
        Mismatch("R13", "C1-V1-A1", "paid", "the bank said returned", "clm_c1"),
        Mismatch("R13", "C2-V1-A1", "no answer", "the bank said rejected"),
    ]


def test_what_is_only_accepted_or_lost_needs_no_booking() -> None:
    told = report(said("C1-V1-A1", AnswerStatus.ACCEPTED), said("C2-V1-A1"))
    assert of_answers(answered(told), LOST) == []


def test_an_end_that_is_booked_by_an_earlier_report_is_booked() -> None:
    first, second = report(said("C1-V1-A1")), report(said("C1-V1-A1"), said("C2-V1-A1"))
    one = answered(second, booked("C2-V1-A1", fen=30_000), booked(message="bmg_0"))
    one.left["r0.json"] = first
    one.messages.append(replace(message_of(first, "r0.json"), id="bmg_0"))
    assert of_answers(one) == []


def test_another_amount_than_was_booked_is_named() -> None:
    one = answered(report(said("C1-V1-A1", amount_fen=6_001)), booked())
    assert of_answers(one) == [
        Mismatch("R13", "C1-V1-A1", "6000 fen", "the bank said 6001 fen", "clm_c1")
    ]
    assert of_answers(answered(report(said("C1-V1-A1")), booked())) == [], "it named none"


def test_an_end_that_the_bank_did_not_say_is_named() -> None:
    told = report(said("C1-V1-A1"))
    one = answered(told, booked(), booked("C2-V1-A1", "rejected", 30_000))
    assert of_answers(one) == [
        Mismatch("R13", "C2-V1-A1", "booked rejected", "the bank did not say so", "clm_c2")
    ]


def test_another_end_than_the_banks_is_named_from_both_sides() -> None:
    one = answered(report(said("C1-V1-A1")), booked(status="rejected"))
    assert of_answers(one) == [
        Mismatch("R13", "C1-V1-A1", "rejected", "the bank said paid", "clm_c1"),
        Mismatch("R13", "C1-V1-A1", "booked rejected", "the bank did not say so", "clm_c1"),
    ]


def test_a_whole_file_that_was_rejected_is_each_of_its_instructions() -> None:
    told = report(group_status=REJECTED)
    one = answered(told, booked(status="rejected"), booked("C2-V1-A1", "rejected", 30_000))
    assert of_answers(one) == []
    with_items = report(said("C1-V1-A1", REJECTED), group_status=REJECTED)
    one = answered(with_items, booked(status="rejected"), booked("C2-V1-A1", "rejected", 30_000))
    assert of_answers(one) == [], "the whole file's end is that of what it does not name"
    one = answered(with_items, booked(status="rejected"), booked("C2-V1-A1", "paid", 30_000))
    assert of_answers(one) == [
        Mismatch("R13", "C2-V1-A1", "booked paid", "the bank did not say so", "clm_c2"),
        Mismatch("R13", "C2-V1-A1", "paid", "the bank said rejected of the whole file", "clm_c2"),
    ]


def test_an_instruction_of_a_whole_file_that_was_rejected_and_is_not_booked_is_named() -> None:
    one = answered(report(group_status=REJECTED), booked(status="rejected"))
    words = "the bank said rejected of the whole file"
    assert of_answers(one) == [Mismatch("R13", "C2-V1-A1", "no answer", words, "clm_c2")]
    assert of_answers(one, LOST) == []
    # Booked otherwise, by another report that is here as well.
    one.answers.append(booked("C2-V1-A1", "paid", 30_000, "bmg_0"))
    other = report(said("C2-V1-A1"), message_id="REP-0")
    one.left["r0.json"] = other
    one.messages.append(replace(message_of(other, "r0.json"), id="bmg_0"))
    assert of_answers(one) == [Mismatch("R13", "C2-V1-A1", "paid", words, "clm_c2")]


def test_a_whole_file_without_instructions_here_names_none() -> None:
    one = answered(report(group_status=REJECTED))
    one.items = {}
    assert of_answers(one) == []


def test_a_whole_file_that_is_only_accepted_ends_nothing() -> None:
    assert of_answers(answered(report(group_status=AnswerStatus.ACCEPTED))) == []
