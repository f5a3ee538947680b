"""Reports as a bank writes them, valid by the schema, that contradict themselves or our file."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from backend.adapters.iso20022.document import MessageError
from backend.adapters.iso20022.pain002 import read_pain002
from backend.service_layer.payout.examine import News, examine
from backend.service_layer.payout.records import AnswerStatus
from backend.service_layer.payout.stored import Attempt
from tests.unit.payout.bank_files import ATTEMPT, FILE, MADE_AT, SECOND, Payments, work_with

PAID, REJECTED = AnswerStatus.PAID, AnswerStatus.REJECTED
NOW = MADE_AT + dt.timedelta(minutes=6)
TWO = replace(FILE, item_count=2, control_sum_fen=12_000)


def why(code: str, kind: str = "Cd") -> str:
    return f"<StsRsnInf><Rsn><{kind}>{code}</{kind}></Rsn></StsRsnInf>"


def of(name: str, status: str, inner: str = "") -> str:
    return (
        f"<TxInfAndSts><OrgnlEndToEndId>{name}</OrgnlEndToEndId><TxSts>{status}</TxSts>{inner}"
        "</TxInfAndSts>"
    )


def order(inner: str, name: str = "YC1") -> str:
    named = f"<OrgnlPmtInfId>{name}</OrgnlPmtInfId>"
    return f"<OrgnlPmtInfAndSts>{named}{inner}</OrgnlPmtInfAndSts>"


def told(group: str, orders: str = "") -> bytes:
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.12"><CstmrPmtStsRpt><GrpHdr>'
        "<MsgId>REP-1</MsgId><CreDtTm>2026-11-20T02:05:00Z</CreDtTm></GrpHdr><OrgnlGrpInfAndSts>"
        "<OrgnlMsgId>YC1</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.11</OrgnlMsgNmId>"
        f"{group}</OrgnlGrpInfAndSts>{orders}</CstmrPmtStsRpt></Document>"
    ).encode()


def looked_at(
    group: str, orders: str = "", *, two: bool = False, **fields: Any
) -> tuple[list[News], list[str]]:
    payments = Payments((ATTEMPT, SECOND), file=TWO) if two else Payments()
    values: dict[str, Any] = {"is_simulated": False, "now": NOW} | fields
    return examine(work_with(payments), read_pain002(told(group, orders)), **values)


def refused(group: str, orders: str = "", **fields: Any) -> list[str]:
    news, differences = looked_at(group, orders, **fields)
    assert news == []
    return differences


REJ = "<GrpSts>RJCT</GrpSts>"


# --- known at the bank, whichever part of the report says so --------------------------------------


@pytest.mark.parametrize("code", ["DU01", "DU02", "AM05"])
@pytest.mark.parametrize(
    ("group", "orders"),
    [
        (REJ + why("AB05"), order("<PmtInfSts>RJCT</PmtInfSts>" + why("{0}"))),
        (REJ + why("{0}"), order("<PmtInfSts>RJCT</PmtInfSts>" + why("AB05"))),
        (REJ + why("{0}"), order(of("C1-V1-A1", "RJCT", why("MS03")))),
        (REJ + why("{0}"), order(of("C1-V1-A1", "RJCT"))),
        (REJ, order(why("{0}"))),
        (REJ + why("AB05") + why("{0}"), ""),
        (REJ + why(" {0} ", "Prtry"), ""),
        (why("{0}"), order(of("C1-V1-A1", "RJCT", why("AB05")))),
    ],
)
def test_a_duplicate_said_of_file_or_order_is_no_rejection(
    group: str, orders: str, code: str
) -> None:
    assert refused(group.format(code), orders.format(code)) == [
        f"C1-V1-A1: {code}: the bank knows this instruction; run yichu reconcile"
    ]


def test_a_duplicate_in_small_letters_and_of_one_instruction_is_none_either() -> None:
    item = of("C1-V1-A1", "RJCT", why("AB05") + why(" dupl ", "Prtry"))
    assert refused("", order(item)) == [
        "C1-V1-A1: DUPL: the bank knows this instruction; run yichu reconcile"
    ]


# --- whose account a reason speaks of ------------------------------------------------------------


@pytest.mark.parametrize("code", ["AC01", "AC04", "AC06", "BE01", "RC01"])
@pytest.mark.parametrize("where", ["group", "order"])
def test_what_is_said_of_file_or_order_is_never_the_payees_fault(where: str, code: str) -> None:
    group, orders = REJ + why(code), ""
    if where == "order":
        group, orders = "", order("<PmtInfSts>RJCT</PmtInfSts>" + why(code))
    news, differences = looked_at(group, orders, two=True)
    assert ([one.item.reason_code for one in news], differences) == ([f"FILE-{code}"] * 2, [])


def test_what_is_said_of_one_instruction_is_the_payees() -> None:
    orders = order(of("C1-V1-A1", "RJCT", why("AC04")) + of("C2-V1-A1", "RJCT"))
    news, _ = looked_at(REJ + why("AC01"), orders, two=True)
    assert [one.item.reason_code for one in news] == ["AC04", ""]


@pytest.mark.parametrize("code", ["AB05", "AM04", "AC02"])
def test_the_banks_own_fault_stays_that_of_the_whole_file(code: str) -> None:
    news, _ = looked_at(REJ + why(code))
    assert [one.item.reason_code for one in news] == [code]


# --- order, counts, original transaction ----------------------------------------------------------


@pytest.mark.parametrize("name", ["YC1", "NOTPROVIDED"])
def test_our_order_is_named_as_our_file_or_not_at_all(name: str) -> None:
    said = "<OrgnlNbOfTxs>1</OrgnlNbOfTxs><OrgnlCtrlSum>60.00</OrgnlCtrlSum>"
    news, differences = looked_at("", order(said + of("C1-V1-A1", "ACSC"), name))
    assert (len(news), differences) == (1, [])


@pytest.mark.parametrize(
    ("name", "said", "words"),
    [
        ("YC2", "", "speaks of the payment order YC2, the file has another"),
        ("YC1", "<OrgnlNbOfTxs>1</OrgnlNbOfTxs>", "speaks of 1 items, the file has 2"),
        ("YC1", "<OrgnlCtrlSum>60.00</OrgnlCtrlSum>", "speaks of 6000 fen, the file has 12000"),
    ],
)
def test_another_order_than_ours_is_refused(name: str, said: str, words: str) -> None:
    orders = order(said + "<PmtInfSts>ACSC</PmtInfSts>", name)
    assert refused("", orders, two=True) == [words]


def counted(*counts: tuple[int, str, str]) -> str:
    return "".join(
        f"<NbOfTxsPerSts><DtldNbOfTxs>{number}</DtldNbOfTxs><DtldSts>{status}</DtldSts>"
        + (f"<DtldCtrlSum>{total}</DtldCtrlSum>" if total else "")
        + "</NbOfTxsPerSts>"
        for number, status, total in counts
    )


ONE_PAID = of("C1-V1-A1", "ACSC")


@pytest.mark.parametrize(
    ("group", "orders"),
    [
        ("<GrpSts>ACSC</GrpSts>" + counted((2, "ACSC", "120.00")), ""),
        ("<GrpSts>ACSC</GrpSts>" + counted((1, "ACSC", "60.00"), (1, "ACCC", "60.00")), ""),
        ("", order(counted((1, "ACSC", "60.00"), (1, "RJCT", "60.00")) + ONE_PAID)),
        ("", order(counted((2, "ACSC", "120.00")) + ONE_PAID)),
        ("", order(counted((1, "ACSC", ""), (1, "PDNG", "")) + ONE_PAID)),
    ],
)
def test_counts_that_leave_room_for_what_is_named_agree(group: str, orders: str) -> None:
    assert looked_at(group, orders, two=True)[1] == []


@pytest.mark.parametrize(
    ("group", "orders", "words"),
    [
        ("<GrpSts>ACSC</GrpSts>" + counted((1, "ACSC", ""), (1, "RJCT", "")), "",
         "says paid of 2 instructions and counts 1"),
        ("<GrpSts>ACSC</GrpSts>" + counted((2, "RJCT", "")), "",
         "says paid of 2 instructions and counts 0"),
        ("", order(counted((2, "RJCT", "")) + ONE_PAID),
         "says paid of 1 instructions and counts 0"),
        ("", order(counted((2, "ACSC", ""), (1, "RJCT", "")) + ONE_PAID),
         "counts 3 instructions, the file has 2"),
        ("", order(counted((1, "ACSC", "1.00"), (1, "RJCT", "")) + ONE_PAID),
         "says paid of 6000 fen and counts 100"),
    ],
)  # fmt: skip
def test_counts_that_contradict_what_is_said_refuse_it(group: str, orders: str, words: str) -> None:
    assert refused(group, orders, two=True) == [words]


def test_a_count_of_an_unknown_status_is_refused() -> None:
    with pytest.raises(MessageError, match="the status 'XXXX' is not known here"):
        read_pain002(told(counted((1, "XXXX", ""))))


def referring(inner: str, status: str = "ACSC") -> str:
    return order(of("C1-V1-A1", status, f"<OrgnlTxRef>{inner}</OrgnlTxRef>"))


def creditor(number: str, kind: str = "Othr") -> str:
    found = f"<IBAN>{number}</IBAN>" if kind == "IBAN" else f"<Othr><Id>{number}</Id></Othr>"
    return f"<CdtrAcct><Id>{found}</Id></CdtrAcct>"


def number_of(attempt: Attempt) -> str:
    return f"1234-{attempt.account_tail}"


@pytest.mark.parametrize(
    "number", ["1234-6217", " 1234-6217 ", "****6217", "1234****6217", "…6217"]
)
def test_the_account_that_was_instructed_agrees_also_with_a_part_of_it_hidden(number: str) -> None:
    orders = referring('<IntrBkSttlmAmt Ccy="CNY">60.00</IntrBkSttlmAmt>' + creditor(number))
    assert looked_at("", orders, number_of=number_of)[1] == []


@pytest.mark.parametrize(
    ("number", "kind"),
    [("99996217", "Othr"), ("1234-6218", "Othr"), ("****6218", "Othr"),
     ("GB33BUKB20201555555555", "IBAN")],
)  # fmt: skip
def test_another_account_than_instructed_is_refused(number: str, kind: str) -> None:
    assert refused("", referring(creditor(number, kind)), number_of=number_of) == [
        f"C1-V1-A1: account …{number[-4:]} is not the one that was instructed"
    ]


@pytest.mark.parametrize("status", ["ACSC", "RJCT", "ACSP"])
def test_a_part_of_the_amount_is_not_the_payment(status: str) -> None:
    orders = referring('<IntrBkSttlmAmt Ccy="CNY">50.00</IntrBkSttlmAmt>', status)
    assert refused("", orders) == ["C1-V1-A1: 5000 fen were moved, 6000 instructed"]


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ('<IntrBkSttlmAmt Ccy="USD">60.00</IntrBkSttlmAmt>', "not an amount in CNY"),
        ('<Amt><EqvtAmt><Amt Ccy="USD">1.00</Amt><CcyOfTrf>USD</CcyOfTrf></EqvtAmt></Amt>',
         "an amount in yuan was instructed, an equivalent is reported"),
    ],
)  # fmt: skip
def test_an_amount_in_another_currency_is_refused(inner: str, words: str) -> None:
    with pytest.raises(MessageError, match=f"C1-V1-A1: {words}"):
        read_pain002(told("", referring(inner)))


# --- when it was answered ------------------------------------------------------------------------


def accepted_at(text: str) -> str:
    return order(of("C1-V1-A1", "ACSC", f"<AccptncDtTm>{text}</AccptncDtTm>"))


@pytest.mark.parametrize("at", ["2026-11-20T02:16:00Z", "2025-11-20T02:00:00Z"])
def test_an_answer_may_be_ten_minutes_ahead_or_a_year_old(at: str) -> None:
    assert looked_at("", accepted_at(at))[1] == []


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z, which has not come yet"),
        ("2036-01-01T00:00:00Z", "2036-01-01T00:00:00Z, which has not come yet"),
        ("2026-11-20T02:16:01Z", "2026-11-20T02:16:01Z, which has not come yet"),
        ("2025-11-19T01:59:59Z", "2025-11-19T01:59:59Z, too early"),
        ("2020-01-02T00:00:00Z", "2020-01-02T00:00:00Z, too early"),
    ],
)
def test_an_answer_of_another_time_is_refused(at: str, words: str) -> None:
    assert refused("", accepted_at(at)) == [f"C1-V1-A1: answered at {words}"]


def test_what_was_examined_before_is_not_asked_for_its_time_again() -> None:
    assert len(looked_at("", accepted_at("2036-01-01T00:00:00Z"), now=None)[0]) == 1
