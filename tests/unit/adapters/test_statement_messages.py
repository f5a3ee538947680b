"""Statements of our account as banks write them: camt.053.001.08 by hand, and what is refused."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from backend.adapters.iso20022.camt053 import is_camt053, read_camt053, write_camt053
from backend.adapters.iso20022.document import MessageError
from backend.adapters.iso20022.payment_format import Iso20022Format
from backend.service_layer.payout.ports import BadPaymentFileError, BadStatusFileError
from backend.service_layer.payout.records import (
    BankStatement,
    EntrySide,
    Lane,
    PaymentFile,
    StatementEntry,
)

CREDIT, DEBIT = EntrySide.CREDIT, EntrySide.DEBIT
SPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
AT = dt.datetime(2026, 11, 22, 16, 0, tzinfo=dt.UTC)
DAY = dt.date(2026, 11, 22)
PERIOD = """<FrToDt><FrDtTm>2026-11-22T00:00:00+08:00</FrDtTm>
<ToDtTm>2026-11-23T00:00:00+08:00</ToDtTm></FrToDt>"""
ACCOUNT = "<Acct><Id><Othr><Id>3308000000000001</Id></Othr></Id></Acct>"


def balance(code: str, yuan: str, side: str = "CRDT", at: str = "<Dt>2026-11-22</Dt>") -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="CNY">{yuan}</Amt><CdtDbtInd>{side}</CdtDbtInd><Dt>{at}</Dt></Bal>'
    )


def entry(  # noqa: PLR0917 - a row
    yuan: str, side: str = "DBIT", details: str = "", status: str = "<Cd>BOOK</Cd>",
    day: str = "<BookgDt><Dt>2026-11-22</Dt></BookgDt>",
    reference: str = "<AcctSvcrRef>B-1</AcctSvcrRef>",
) -> str:  # fmt: skip
    return (
        f'<Ntry><Amt Ccy="CNY">{yuan}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts>{status}</Sts>{day}'
        f"{reference}<BkTxCd><Prtry><Cd>TRF</Cd></Prtry></BkTxCd>"
        f"{f'<NtryDtls>{details}</NtryDtls>' if details else ''}</Ntry>"
    )


def transfer(name: str, yuan: str = "", side: str = "", reference: str = "") -> str:
    own = f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else ""
    return (
        f"<TxDtls><Refs>{own}<EndToEndId>{name}</EndToEndId></Refs>"
        + (f'<Amt Ccy="CNY">{yuan}</Amt>' if yuan else "")
        + (f"<CdtDbtInd>{side}</CdtDbtInd>" if side else "")
        + "</TxDtls>"
    )


def statement(
    *entries: str, opening: str = "100.00", closing: str = "100.00", period: str = PERIOD,
    balances: str = "", account: str = ACCOUNT, note: str = "",
) -> bytes:  # fmt: skip
    held = balances or balance("OPBD", opening) + balance("CLBD", closing)
    return (
        f'<Document xmlns="{SPACE}"><BkToCstmrStmt><GrpHdr><MsgId>M-1</MsgId>'
        f"<CreDtTm>2026-11-23T00:05:00+08:00</CreDtTm>{note}</GrpHdr>"
        f"<Stmt><Id>S-1</Id>{period}{account}{held}{''.join(entries)}</Stmt>"
        "</BkToCstmrStmt></Document>"
    ).encode()


def said(content: bytes) -> str:
    with pytest.raises(MessageError) as caught:
        read_camt053(content)
    return str(caught.value)


# --- what is read ---------------------------------------------------------------------------------


def test_a_statement_is_read_whole() -> None:
    content = statement(
        entry("60.00", details=transfer("C1-V1-A1", reference="B-9")),
        entry(
            "10.50", "CRDT", transfer("NOTPROVIDED"), reference="<AcctSvcrRef>IN-1</AcctSvcrRef>"
        ),
        entry("0.01", "CRDT", reference=""),
        closing="50.51",
    )
    assert read_camt053(content) == BankStatement(
        message_id="M-1", created_at=dt.datetime(2026, 11, 22, 16, 5, tzinfo=dt.UTC),
        statement_id="S-1", account="3308000000000001", from_at=AT - dt.timedelta(days=1),
        to_at=AT, opening_fen=10_000, closing_fen=5_051,
        entries=(
            StatementEntry(DEBIT, 6_000, "B-9", "C1-V1-A1", DAY),
            StatementEntry(CREDIT, 1_050, "IN-1", "", DAY),
            StatementEntry(CREDIT, 1, "", "", DAY),
        ),
        simulated=False,
    )  # fmt: skip


def test_an_overdrawn_account_is_below_zero() -> None:
    content = statement(
        entry("1.00"),
        balances=balance("OPBD", "2.00", "DBIT") + balance("CLBD", "3.00", "DBIT"),
    )
    found = read_camt053(content)
    assert (found.opening_fen, found.closing_fen, found.moved_fen) == (-200, -300, -100)


def test_a_bank_that_names_the_day_before_begins_where_that_closed() -> None:
    content = statement(balances=balance("PRCD", "7.00") + balance("CLBD", "7.00"))
    assert read_camt053(content).opening_fen == 700
    both = balance("PRCD", "9.00") + balance("OPBD", "7.00") + balance("CLBD", "7.00")
    assert read_camt053(statement(balances=both)).opening_fen == 700


def test_an_iban_is_an_account_too() -> None:
    iban = "<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>"
    assert read_camt053(statement(account=iban)).account == "DE89370400440532013000"


def test_what_is_not_booked_yet_is_no_movement() -> None:
    pending = entry("5.00", status="<Cd>PDNG</Cd>")
    assert read_camt053(statement(pending, entry("5.00", status="<Cd>INFO</Cd>"))).entries == ()


def test_a_booking_day_may_be_an_instant() -> None:
    late = entry("1.00", day="<BookgDt><DtTm>2026-11-21T23:59:59+08:00</DtTm></BookgDt>")
    [found] = read_camt053(statement(late, closing="99.00")).entries
    assert found.booked_on == dt.date(2026, 11, 21)


@pytest.mark.parametrize(
    ("mark", "simulated"),
    [
        ("<AddtlInf>SIMULATED 模拟银行，没有真实资金</AddtlInf>", True),
        ("<AddtlInf>note</AddtlInf>", False),
    ],
)
def test_a_simulated_bank_says_so(mark: str, simulated: bool) -> None:
    assert read_camt053(statement(note=mark)).simulated is simulated


def test_without_a_period_the_days_of_the_balances_are_it() -> None:
    days = balance("OPBD", "1.00", at="<Dt>2026-11-20</Dt>") + balance(
        "CLBD", "1.00", at="<DtTm>2026-11-22T18:00:00+08:00</DtTm>"
    )
    found = read_camt053(statement(period="", balances=days))
    # From midnight of the 20th to that after the 22nd, in China.
    assert (found.from_at, found.to_at) == (
        dt.datetime(2026, 11, 19, 16, tzinfo=dt.UTC), dt.datetime(2026, 11, 22, 16, tzinfo=dt.UTC),
    )  # fmt: skip
    closed_before = balance("PRCD", "1.00", at="<Dt>2026-11-01</Dt>") + balance("CLBD", "1.00")
    one_day = read_camt053(statement(period="", balances=closed_before))
    assert one_day.to_at - one_day.from_at == dt.timedelta(days=1)


# --- a batch --------------------------------------------------------------------------------------


def batch(count: str, *parts: str) -> str:
    return f"<Btch><NbOfTxs>{count}</NbOfTxs></Btch>{''.join(parts)}"


def test_a_batch_is_told_transfer_by_transfer() -> None:
    parts = (transfer("A", "40.00", reference="T-1"), transfer("B", "20.00"))
    content = statement(entry("60.00", details=batch("2", *parts)), closing="40.00")
    assert read_camt053(content).entries == (
        StatementEntry(DEBIT, 4_000, "T-1", "A", DAY),
        StatementEntry(DEBIT, 2_000, "B-1", "B", DAY),
    )


def test_a_transfer_in_the_other_direction_counts_against_its_entry() -> None:
    parts = (transfer("A", "70.00"), transfer("B", "10.00", "CRDT"), transfer("C", "0.00"))
    content = statement(entry("60.00", details="".join(parts)), closing="40.00")
    assert [(one.side, one.amount_fen) for one in read_camt053(content).entries] == [
        (DEBIT, 7_000), (CREDIT, 1_000),
    ]  # fmt: skip


def test_one_transfer_of_a_batch_of_one_needs_no_amount() -> None:
    content = statement(entry("60.00", details=batch("1", transfer("A"))), closing="40.00")
    assert [one.amount_fen for one in read_camt053(content).entries] == [6_000]
    alone = statement(entry("60.00", details=batch("1")), closing="40.00")
    assert [one.end_to_end_id for one in read_camt053(alone).entries] == [""]


@pytest.mark.parametrize(
    "details", [batch("2"), batch("2", transfer("A", "60.00")), batch("3", transfer("A", "30.00"),
                transfer("B", "30.00"))],
)  # fmt: skip
def test_a_batch_without_its_transfers_cannot_be_compared(details: str) -> None:
    assert said(statement(entry("60.00", details=details), closing="40.00")) == (
        "a batch without its transfers one by one"
    )


@pytest.mark.parametrize("second", ["19.99", "20.01"])
def test_transfers_that_do_not_add_up_to_their_entry_are_refused(second: str) -> None:
    details = transfer("A", "40.00") + transfer("B", second)
    assert said(statement(entry("60.00", details=details), closing="40.00")) == (
        "the transfers of an entry do not add up to it"
    )


# --- what is refused ------------------------------------------------------------------------------


def test_movements_lead_from_the_opening_to_the_closing_balance() -> None:
    wrong = "its movements do not lead from the opening to the closing balance"
    assert said(statement(entry("60.00"), closing="40.01")) == wrong
    assert said(statement(entry("60.00", "CRDT"), closing="40.00")) == wrong


def test_two_statements_in_a_message_are_refused() -> None:
    one = statement().decode()
    inner = one[one.index("<Stmt>") : one.index("</BkToCstmrStmt>")]
    twice = one.replace(inner, inner + inner).encode()
    assert said(twice) == "one statement a message is expected"


@pytest.mark.parametrize(
    ("balances", "missing"),
    [(balance("OPBD", "1.00"), "CLBD"), (balance("CLBD", "1.00"), "OPBD")],
)
def test_a_statement_has_both_balances(balances: str, missing: str) -> None:
    assert said(statement(balances=balances)) == f"has no balance {missing}"


def test_another_currency_is_refused_wherever_it_stands() -> None:
    part = transfer("A", "60.00")
    for place, what in (
        (balance("OPBD", "100.00"), "balance OPBD"), (balance("CLBD", "40.00"), "balance CLBD"),
        ('<Ntry><Amt Ccy="CNY">60.00</Amt>', "an entry"), (part, "a transfer"),
    ):  # fmt: skip
        content = statement(entry("60.00", details=part), closing="40.00").decode()
        assert place in content
        wrong = content.replace(place, place.replace('Ccy="CNY"', 'Ccy="USD"'), 1)
        assert said(wrong.encode()) == f"{what}: not an amount in CNY"


def test_an_entry_says_on_which_day_it_was_booked() -> None:
    assert said(statement(entry("1.00", day=""), closing="99.00")) == (
        "an entry without its booking day"
    )


def test_a_period_does_not_end_before_it_begins() -> None:
    turned = PERIOD.replace("2026-11-23T", "2026-11-21T")
    assert said(statement(period=turned)) == "its period ends before it begins"
    nothing = PERIOD.replace("2026-11-23T", "2026-11-22T")
    assert read_camt053(statement(period=nothing)).entries == ()


@pytest.mark.parametrize("day", ["12026-11-22", "-2026-11-22"])
def test_a_day_outside_the_calendar_is_refused_as_a_file(day: str) -> None:
    """The schema allows years that a calendar here does not have."""
    booked = f"<BookgDt><Dt>{day}</Dt></BookgDt>"
    assert said(statement(entry("1.00", day=booked), closing="99.00")).endswith("is no day")
    days = balance("OPBD", "1.00", at=f"<Dt>{day}</Dt>") + balance("CLBD", "1.00")
    assert said(statement(period="", balances=days)).endswith("is no day")


def test_the_last_day_of_the_calendar_has_none_after_it() -> None:
    for day in ("9999-12-31", "0001-01-01"):
        at = f"<Dt>{day}</Dt>"
        days = balance("OPBD", "1.00", at=at) + balance("CLBD", "1.00", at=at)
        assert said(statement(period="", balances=days)) == "its days are outside the calendar"


def test_a_day_may_bear_its_zone() -> None:
    booked = "<BookgDt><Dt>2026-11-21+08:00</Dt></BookgDt>"
    [found] = read_camt053(statement(entry("1.00", day=booked), closing="99.00")).entries
    assert found.booked_on == dt.date(2026, 11, 21)


def test_balances_of_other_kinds_say_no_days() -> None:
    only = balance("PRCD", "1.00") + balance("CLBD", "1.00").replace("CLBD", "CLAV")
    assert said(statement(period="", balances=only)) == "does not say which days it covers"


def pages(number: str, last: str, where: str = "Stmt") -> bytes:
    page = f"<{where[0]}PAGE><PgNb>{number}</PgNb><LastPgInd>{last}</LastPgInd></{where[0]}PAGE>"
    if where == "Msg":
        return statement(note=page.replace("MPAGE", "MsgPgntn"))
    return statement(period=page.replace("SPAGE", "StmtPgntn") + PERIOD)


@pytest.mark.parametrize("where", ["Stmt", "Msg"])
def test_a_page_of_several_is_refused_with_what_the_bank_has_to_do(where: str) -> None:
    for number, last in (("1", "false"), ("2", "true"), ("00003", "0")):
        assert said(pages(number, last, where)) == (
            f"is page {number} of several: the bank must give a statement in one"
        )
    for number, last in (("1", "true"), ("00001", "1")):
        assert read_camt053(pages(number, last, where)).statement_id == "S-1"


def test_a_statement_may_be_four_times_as_large_as_a_report() -> None:
    content = statement()
    filled = content + b"<!--%s-->" % (b" " * (2**20 - 7)) * 63
    filled += b"\n" * (2**26 - len(filled))
    assert read_camt053(filled).statement_id == "S-1"
    assert said(filled + b"\n") == "larger than 67108864 bytes"
    with pytest.raises(BadStatusFileError, match="larger than 16777216 bytes"):
        Iso20022Format().read(filled[: 2**24 + 1])


def test_too_many_movements_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.adapters.iso20022.camt053.STATEMENT_ENTRIES_MAX", 2)
    two = [entry("1.00"), entry("1.00")]
    assert len(read_camt053(statement(*two, closing="98.00")).entries) == 2
    assert said(statement(*two, entry("1.00"), closing="97.00")) == "has more than 2 movements"


# --- which message it is --------------------------------------------------------------------------


def test_a_statement_is_known_by_its_first_bytes() -> None:
    assert is_camt053(statement()) is True
    assert is_camt053(statement()[:90]) is True, "also when it is cut off"
    assert is_camt053(statement().replace(b"camt.053", b"camt.054")) is False
    assert is_camt053(b" " * 4_096 + statement()) is False


# --- what is written ------------------------------------------------------------------------------


def test_what_is_written_is_read_back() -> None:
    whole = BankStatement(
        "SIMST-1", AT, "1-1", "3308000000000001", AT - dt.timedelta(days=1), AT, -100, 5_901,
        (
            StatementEntry(CREDIT, 6_001, "R" * 35, "", DAY),
            StatementEntry(DEBIT, 1, "B", "E-1", DAY), StatementEntry(CREDIT, 1, "", "", DAY),
        ),
        simulated=True,
    )  # fmt: skip
    content = write_camt053(whole)
    assert read_camt053(content) == whole
    assert content == write_camt053(whole) and b"<EndToEndId>NOTPROVIDED</EndToEndId>" in content
    assert b"SIMULATED" not in write_camt053(replace(whole, simulated=False))


def test_a_long_reference_is_cut_and_an_empty_account_is_in_credit() -> None:
    long = StatementEntry(CREDIT, 1, "R" * 36, "", DAY)
    content = write_camt053(BankStatement("M-1", AT, "1-1", "1", AT, AT, 0, 1, (long,), False))
    assert read_camt053(content).entries == (replace(long, reference="R" * 35),)  # Max35Text
    assert b"DBIT" not in content


# --- the port -------------------------------------------------------------------------------------


def test_what_cannot_be_believed_is_said_in_both_languages() -> None:
    port = Iso20022Format()
    with pytest.raises(BadStatusFileError) as caught:
        port.read_statement(statement(balances=balance("OPBD", "1.00")))
    assert (caught.value.zh, caught.value.en) == (
        "银行对账单不可信：has no balance CLBD。没有采用，文件已保留。",
        "the bank's statement cannot be believed: has no balance CLBD. It was not used.",
    )
    with pytest.raises(BadStatusFileError) as caught:
        port.read(statement())
    assert caught.value.zh.startswith("银行文件不可信：is {urn:") and caught.value.zh.endswith(
        "。一笔也没有入账，文件已保留。"
    )
    assert caught.value.en.startswith("the bank file cannot be believed: is {urn:")
    assert caught.value.en.endswith(". Nothing of it was booked.")
    with pytest.raises(BadPaymentFileError) as bad:
        port.read_payment(b"<a/>")
    assert bad.value.zh.startswith("付款文件读不出来：is a, not ")
    assert bad.value.en.startswith("the payment file cannot be read: is a, not ")
    empty = PaymentFile("YC-1", AT, DAY, Lane.DAILY, "x", "1", "105331000016", ())
    with pytest.raises(BadPaymentFileError) as unwritable:
        port.write(empty)
    assert unwritable.value.zh.startswith("付款文件写不出来：")
    assert unwritable.value.zh.endswith("。没有发出任何指令。")
    assert unwritable.value.en.startswith("the payment file cannot be written: ")
    assert unwritable.value.en.endswith(". No instruction has left.")


def test_the_port_tells_statements_and_whole_files() -> None:
    port = Iso20022Format()
    assert port.read_statement(statement()).statement_id == "S-1"
    assert port.is_statement(statement()) and not port.is_statement(b"<a/>")
    assert port.is_whole(b"<a/>") and not port.is_whole(statement()[:-5])
