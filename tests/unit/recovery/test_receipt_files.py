"""A bank's file of money that came back: every row can be read, or none is taken."""

from __future__ import annotations

import datetime as dt

import pytest

from backend.service_layer.recovery.files import ReceiptFileError, read_rows
from backend.service_layer.recovery.people import Incoming

HEAD = "reference,order,yuan,received_on"
ROW = "ICBC-1,C1-R1,12.30,2026-11-20"
DAY = dt.date(2026, 11, 20)


def lines(*rows: str, head: str = HEAD) -> bytes:
    return "\n".join((head, *rows)).encode()


def refused(content: bytes) -> tuple[str, ...]:
    with pytest.raises(ReceiptFileError) as caught:
        read_rows(content)
    listed = "; ".join(caught.value.faults)
    assert caught.value.en.startswith(f"nothing of the file was booked: {listed}")
    assert caught.value.zh.startswith(f"文件没有入账，一笔都没有：{listed}")
    return caught.value.faults


@pytest.mark.parametrize(
    ("yuan", "fen"),
    [
        ("12.30", 1_230), ("12.3", 1_230), ("12.03", 1_203), ("12", 1_200), ("0.01", 1),
        ("9999999999.99", 999_999_999_999), (" 12.30 ", 1_230),
    ],
)  # fmt: skip
def test_yuan_are_read_to_the_fen(yuan: str, fen: int) -> None:
    (row,) = read_rows(lines(f"ICBC-1,C1-R1,{yuan},2026-11-20"))
    assert row == Incoming("ICBC-1", "C1-R1", fen, DAY)


def test_rows_keep_their_order_and_a_byte_order_mark_is_none_of_them() -> None:
    content = "\ufeff".encode() + lines(ROW, " ICBC-2 , C2-R1 ,1, 2026-11-21 ")
    assert read_rows(content) == [
        Incoming("ICBC-1", "C1-R1", 1_230, DAY),
        Incoming("ICBC-2", "C2-R1", 100, dt.date(2026, 11, 21)),
    ]


@pytest.mark.parametrize(
    "row",
    [
        "ICBC-1,C1-R1,12.345,2026-11-20",
        "ICBC-1,C1-R1,12.,2026-11-20",
        "ICBC-1,C1-R1,-12,2026-11-20",
        "ICBC-1,C1-R1,,2026-11-20",
        "ICBC-1,C1-R1,12345678901,2026-11-20",
        "ICBC-1,C1-R1,１２,2026-11-20",
        "ICBC-1,C1-R1,12,20 November 2026",
        "ICBC-1,C1-R1,12,2026-02-30",
        "ICBC-1,,12,2026-11-20",
        f"ICBC-1,{'x' * 41},12,2026-11-20",
        "ICBC-1,C1-R1,12",
        "ICBC-1,C1-R1,12,2026-11-20,more",
        "\n" + ROW,
    ],
)
def test_a_row_that_cannot_be_read_is_named_by_its_line(row: str) -> None:
    assert refused(lines(ROW.replace("ICBC-1", "ICBC-0"), row)) == ("line 3: cannot be read",)


def test_an_order_of_forty_characters_is_read() -> None:
    (row,) = read_rows(lines(f"ICBC-1,{'x' * 40},12,2026-11-20"))
    assert row.order_id == "x" * 40


def test_a_reference_that_stands_twice_is_named_and_so_is_every_other_fault() -> None:
    rows = (ROW, "bad", ROW, ROW, "worse")
    assert refused(lines(*rows)) == (
        "line 3: cannot be read", "line 6: cannot be read", "ICBC-1 is named 3 times for C1-R1",
    )  # fmt: skip


@pytest.mark.parametrize("head", ["reference,order,fen,received_on", "", HEAD + ",more"])
def test_another_head_is_another_file(head: str) -> None:
    assert refused(lines(ROW, head=head)) == (
        "line 1: the head is reference,order,yuan,received_on",
    )


def test_an_empty_file_has_no_head() -> None:
    assert refused(b"") == ("line 1: the head is reference,order,yuan,received_on",)


@pytest.mark.parametrize("content", [b"\xff\xfe", lines('"open,C1-R1,12,2026-11-20')])
def test_what_is_no_csv_in_utf8_is_said_to_be_none(content: bytes) -> None:
    assert refused(content) == ("no CSV in UTF-8",)


def test_five_thousand_rows_are_a_file_and_neither_none_nor_one_more() -> None:
    assert refused(lines()) == ("a file has 1 to 5000 rows",)
    rows = [f"R{number},C1-R1,1,2026-11-20" for number in range(5_001)]
    assert refused(lines(*rows)) == ("a file has 1 to 5000 rows",)
    assert len(read_rows(lines(*rows[:5_000]))) == 5_000


def test_a_megabyte_is_read_and_a_byte_more_is_not() -> None:
    filled = lines(ROW) + b"\n" + (b"x" * 1_023 + b"\n") * 1_023
    filled += b"x" * (2**20 - len(filled))
    assert refused(filled)[0] == "line 3: cannot be read"
    assert refused(filled + b"x") == ("more than 1048576 bytes",)


def test_fifty_faults_are_listed_and_the_rest_counted() -> None:
    error = ReceiptFileError([f"fault {number}" for number in range(53)])
    assert len(error.faults) == 50
    assert error.en.endswith("; fault 49; and 3 more")
    assert ReceiptFileError(["a"] * 50).en.endswith("; a; a") and error.code == "bad-receipt-file"
