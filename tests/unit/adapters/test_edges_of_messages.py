"""The border of ISO 20022 messages: last values that pass, and what each refusal says."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from backend.adapters.iso20022.document import (
    PAIN001,
    PAIN002,
    Branch,
    MessageError,
    amount_text,
    fen_of,
    instant_of,
    instant_text,
    namespace_of,
    parse_message,
    serialise,
)
from backend.adapters.iso20022.pain001 import read_pain001, write_pain001
from backend.adapters.iso20022.pain002 import read_pain002, write_pain002
from backend.service_layer.payout.records import (
    AnswerStatus,
    Lane,
    PaymentFile,
    PaymentItem,
    StatusReport,
)

SPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.12"
SMALL = f"""<Document xmlns="{SPACE}"><CstmrPmtStsRpt>
<GrpHdr><MsgId>BANK-7</MsgId><CreDtTm>2026-11-22T16:00:05+08:00</CreDtTm></GrpHdr>
<OrgnlGrpInfAndSts><OrgnlMsgId>YC-1</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.11</OrgnlMsgNmId>
<StsRsnInf><AddtlInf>账户已销户</AddtlInf></StsRsnInf>
</OrgnlGrpInfAndSts></CstmrPmtStsRpt></Document>"""
LIMIT = 16_777_216
HEAD = "CstmrPmtStsRpt/GrpHdr/MsgId"
WORDS = "CstmrPmtStsRpt/OrgnlGrpInfAndSts/StsRsnInf/AddtlInf"


def said(act: Any) -> str:
    with pytest.raises(MessageError) as caught:
        act()
    return str(caught.value)


def read(text: str | bytes) -> Branch:
    return Branch(parse_message(text.encode() if isinstance(text, str) else text, PAIN002))


def test_the_largest_message_is_read_and_a_byte_more_is_not() -> None:
    content = SMALL.replace("<GrpHdr>", "\n" * 8_000_000 + "<GrpHdr>").encode()
    content += b"\n" * (LIMIT - len(content))
    assert read(content).text(HEAD) == "BANK-7"
    assert said(lambda: read(content + b"\n")) == "larger than 16777216 bytes"


def test_a_text_of_more_than_ten_million_characters_is_refused_while_reading() -> None:
    swollen = SMALL.replace("账户已销户", "x" * 10_000_001)
    assert said(lambda: read(swollen)).startswith("not well-formed XML: ")


@pytest.mark.parametrize("between", ["<!-- of the bank -->", "<?bank note?>"])
def test_remarks_do_not_cut_a_value_short(between: str) -> None:
    assert read(SMALL.replace("BANK-7", f"BANK{between}-7")).text(HEAD) == "BANK-7"


@pytest.mark.parametrize("named", ["GBK", "ISO-8859-1", "UTF-16"])
def test_a_message_is_utf_8_whatever_it_says(named: str) -> None:
    said_so = f'<?xml version="1.0" encoding="{named}"?>'
    assert read(said_so + SMALL).text(WORDS) == "账户已销户"
    assert said(lambda: read((said_so + SMALL).encode("gbk"))).startswith("not well-formed XML: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"<!DOCTYPE Document>{SMALL}", "has a document type declaration"),
        ("<a/>", f"is a, not {{{SPACE}}}Document"),
        (f"<{'a' * 121}/>", f"is {'a' * 120}, not {{{SPACE}}}Document"),
        (SMALL.replace(">BANK-7<", f">{'7' * 36}<"),
         "not valid: MsgId in line 2: SCHEMAV_CVC_MAXLENGTH_VALID"),
        (SMALL.replace("<MsgId>BANK-7</MsgId>", ""),
         "not valid: CreDtTm in line 2: SCHEMAV_ELEMENT_CONTENT"),
        (SMALL.replace("<GrpHdr>", "<G1/><GrpHdr>"),
         "not valid: ? in line 2: SCHEMAV_ELEMENT_CONTENT"),
        (SMALL.replace("<GrpHdr>", f"<{'G' * 61}/><GrpHdr>"),
         f"not valid: {'G' * 60} in line 2: SCHEMAV_ELEMENT_CONTENT"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_message_that_is_refused(text: str, words: str) -> None:
    assert said(lambda: read(text)) == words


def test_a_message_is_read_in_every_thread() -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(read(SMALL).text(HEAD))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["BANK-7"] * 2


def small_document() -> Branch:
    document = Branch.document(PAIN002)
    message = document.add("CstmrPmtStsRpt")
    header = message.add("GrpHdr")
    header.add("MsgId", "银行-7")
    header.add("CreDtTm", "2026-11-22T08:00:05Z")
    original = message.add("OrgnlGrpInfAndSts")
    original.add("OrgnlMsgId", "YC-1")
    original.add("OrgnlMsgNmId", "pain.001.001.11")
    return document


def test_what_is_written_to_the_byte() -> None:
    assert (
        serialise(small_document().element, PAIN002).decode()
        == f"""<?xml version='1.0' encoding='UTF-8'?>
<Document xmlns="{SPACE}">
  <CstmrPmtStsRpt>
    <GrpHdr>
      <MsgId>银行-7</MsgId>
      <CreDtTm>2026-11-22T08:00:05Z</CreDtTm>
    </GrpHdr>
    <OrgnlGrpInfAndSts>
      <OrgnlMsgId>YC-1</OrgnlMsgId>
      <OrgnlMsgNmId>pain.001.001.11</OrgnlMsgNmId>
    </OrgnlGrpInfAndSts>
  </CstmrPmtStsRpt>
</Document>
"""
    )


def test_nothing_is_written_that_is_not_valid() -> None:
    empty = Branch.document(PAIN001)
    words = said(lambda: serialise(empty.element, PAIN001))
    assert words == "not valid: Document in line 0: SCHEMAV_ELEMENT_CONTENT"


def test_branches_are_found_by_their_short_names() -> None:
    root = small_document()
    assert namespace_of(PAIN002) == SPACE
    header = root.add("CstmrPmtStsRpt/Second/Third", "甲 乙", Ccy="CNY", Kind="x")
    assert (header.element.tag, header.element.text) == (f"{{{SPACE}}}Third", "甲 乙")
    assert (header.element.get("Ccy"), header.element.get("Kind")) == ("CNY", "x")
    assert len(root.all("CstmrPmtStsRpt")) == 2
    first = root.one("CstmrPmtStsRpt")
    assert first is not None and first.text("GrpHdr/MsgId") == "银行-7"
    assert root.text("CstmrPmtStsRpt/Second/Third") == "甲 乙"
    assert root.one("CstmrPmtStsRpt/Third") is None and root.text("Nothing") == ""
    assert root.text("CstmrPmtStsRpt/Second") == ""
    padded = read(SMALL.replace("账户已销户", "\n  账户已销户 "))
    assert padded.text(WORDS) == "账户已销户"


@pytest.mark.parametrize(
    "text",
    ["", " ", " a", "a ", "a\n", "a\x00b", "a\x08b", "a\x0bb", "a\x0cb", "a\x0eb", "a\x1fb",
     "a\ud800b", "a\udfffb", "a\ufffeb", "a\uffffb"],
)  # fmt: skip
def test_a_text_that_xml_cannot_carry_is_refused(text: str) -> None:
    words = said(lambda: Branch.document(PAIN001).add("Cdtr/Nm", text))
    assert words == "Cdtr/Nm: a text that is empty, padded or not printable"


@pytest.mark.parametrize(
    "text",
    ["a\tb", "a\nb", "a\rb", "a b", "a\ud7ffb", "a\ue000b", "a\ufffdb", "𠀀", "a\U0010ffffb"],
)
def test_a_text_that_xml_can_carry_is_kept(text: str) -> None:
    document = Branch.document(PAIN001)
    document.add("Cdtr/Nm", text)
    assert document.text("Cdtr/Nm") == text


@pytest.mark.parametrize(
    ("fen", "text"),
    [(0, "0.00"), (5, "0.05"), (99, "0.99"), (100, "1.00"), (860_225, "8602.25"),
     (100_000_000_000_000, "1000000000000.00")],
)  # fmt: skip
def test_fen_as_yuan(fen: int, text: str) -> None:
    assert amount_text(fen) == text
    assert fen_of(text) == fen


@pytest.mark.parametrize("fen", [-1, 100_000_000_000_001])
def test_no_amount_outside_the_limits_is_written(fen: int) -> None:
    assert said(lambda: amount_text(fen)) == f"an amount of {fen} fen is outside the limits"


@pytest.mark.parametrize(
    ("text", "fen"),
    [("7", 700), ("0", 0), ("1.5", 150), ("0.07", 7), ("12.34000", 1_234), ("12.500", 1_250),
     ("9999999999999.99", 999_999_999_999_999)],
)  # fmt: skip
def test_amounts_as_a_bank_writes_them(text: str, fen: int) -> None:
    assert fen_of(text) == fen


@pytest.mark.parametrize("text", ["12.340000", "12.3401", "1.5\n", " 1", "1 ", "-1", "1.2.3"])
def test_what_a_bank_must_not_write(text: str) -> None:
    assert said(lambda: fen_of(text)) == f"{text!r} is no amount in whole fen"


def test_a_long_text_that_is_no_amount_is_cut_in_what_is_said() -> None:
    assert said(lambda: fen_of("9" * 41)) == f"'{'9' * 40}' is no amount in whole fen"


def test_instants_are_written_in_utc_by_whole_seconds() -> None:
    china = dt.timezone(dt.timedelta(hours=8))
    at = dt.datetime(2026, 1, 1, 7, 59, 58, 999_999, tzinfo=china)
    assert instant_text(at) == "2025-12-31T23:59:58Z"
    naive = dt.datetime(2026, 1, 1, 8, 0)
    assert said(lambda: instant_text(naive)) == "an instant without a time zone"


@pytest.mark.parametrize("text", ["2026-01-01T07:59:58+08:00", "2025-12-31T23:59:58Z"])
def test_instants_are_read_into_utc(text: str) -> None:
    found = instant_of(text)
    assert found == dt.datetime(2025, 12, 31, 23, 59, 58, tzinfo=dt.UTC)
    assert found.utcoffset() == dt.timedelta(0) and found.day == 31


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is no instant"),
        ("tomorrow", "'tomorrow' is no instant"),
        ("x" * 41, f"'{'x' * 40}' is no instant"),
        ("2026-01-01T08:00:00", "'2026-01-01T08:00:00' has no time zone"),
        (f"2026-01-01T08:00:00.{'0' * 21}", f"'2026-01-01T08:00:00.{'0' * 20}' has no time zone"),
        ("2026-01-01T08:00:00.000000", "'2026-01-01T08:00:00.000000' has no time zone"),
        ("9999-12-31T23:59:59-14:00", "'9999-12-31T23:59:59-14:00' is outside the calendar"),
        ("0001-01-01T00:00:00+14:00", "'0001-01-01T00:00:00+14:00' is outside the calendar"),
    ],
)
def test_what_is_said_of_an_instant_that_is_none(text: str, words: str) -> None:
    assert said(lambda: instant_of(text)) == words


@pytest.fixture
def server_in_china(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("server_in_china")
def test_instants_do_not_depend_on_the_zone_of_the_server() -> None:
    at = dt.datetime(2026, 1, 1, 8, 0, tzinfo=dt.UTC)
    assert instant_text(at) == "2026-01-01T08:00:00Z"
    assert instant_of("2026-01-01T08:00:00Z").isoformat() == "2026-01-01T08:00:00+00:00"


ITEM = PaymentItem("BX-1-v1-a1", 860_225, "测试甲子", "6217000000000006217", "", "", "")
FILE = PaymentFile(
    "YC-1", dt.datetime(2026, 11, 22, 8, tzinfo=dt.UTC), dt.date(2026, 11, 22), Lane.DAILY,
    "示例市医保中心", "33080000000000000001", "102331000012", (ITEM,),
)  # fmt: skip
BANK = "<CdtrAgt><FinInstnId>{}</FinInstnId></CdtrAgt>"
CLEARED = (
    "<ClrSysMmbId><ClrSysId><Cd>CNAPS</Cd></ClrSysId><MmbId>105331000016</MmbId></ClrSysMmbId>"
)


@pytest.mark.parametrize(
    ("code", "name", "written"),
    [
        ("", "", "<Othr><Id>NOTPROVIDED</Id></Othr>"),
        ("", "示例银行", "<Nm>示例银行</Nm>"),
        ("105331000016", "", CLEARED),
        ("105331000016", "示例银行", CLEARED + "<Nm>示例银行</Nm>"),
    ],
)
def test_the_bank_of_a_payment_as_far_as_it_is_known(code: str, name: str, written: str) -> None:
    file = replace(FILE, items=(replace(ITEM, bank_code=code, bank_name=name),))
    lines = [line.strip() for line in write_pain001(file).decode().splitlines()]
    assert BANK.format(written) in "".join(lines)
    assert read_pain001(write_pain001(file)) == file


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"message_id": "x" * 61}, f"the message id '{'x' * 60}' does not fit"),
        ({"items": ()}, "0 items; 1 to 5000 fit a file"),
        ({"debtor_bank_code": "1" * 41}, f"'{'1' * 40}' is no clearing number of 12 digits"),
        ({"items": (replace(ITEM, end_to_end_id="x" * 61),)},
         f"item '{'x' * 60}': the identifier does not fit"),
        ({"items": (ITEM, ITEM)}, "item 'BX-1-v1-a1' stands in the file twice"),
        ({"items": (replace(ITEM, amount_fen=0),)},
         "item 'BX-1-v1-a1': 0 fen cannot be paid"),
        ({"items": (replace(ITEM, account_number="621"),)},
         "item 'BX-1-v1-a1': the account number does not fit"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_payment_file_that_does_not_fit(changed: Any, words: str) -> None:
    assert said(lambda: write_pain001(replace(FILE, **changed))) == words


def test_one_payment_order_a_file_is_read() -> None:
    text = write_pain001(FILE).decode()
    start, end = text.index("<PmtInf>"), text.index("</PmtInf>") + len("</PmtInf>")
    twice = text[:end] + text[start:end] + text[end:]
    words = said(lambda: read_pain001(twice.encode()))
    assert words == "one payment order a file is expected"


GROUP = StatusReport(
    "BANK-7", dt.datetime(2026, 11, 22, 8, 0, 5, tzinfo=dt.UTC), "YC-1", (), simulated=False,
    group_status=AnswerStatus.REJECTED, group_reason_code="DU01", original_item_count=2,
    original_control_sum_fen=860_230,
)  # fmt: skip


def test_a_report_on_a_whole_file_is_written_as_the_schema_has_it() -> None:
    lines = [line.strip() for line in write_pain002(GROUP).decode().splitlines()]
    assert (
        "<OrgnlMsgId>YC-1</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.11</OrgnlMsgNmId>"
        "<OrgnlNbOfTxs>2</OrgnlNbOfTxs><OrgnlCtrlSum>8602.30</OrgnlCtrlSum><GrpSts>RJCT</GrpSts>"
        "<StsRsnInf><Rsn><Cd>DU01</Cd></Rsn></StsRsnInf></OrgnlGrpInfAndSts>"
    ) in "".join(lines)
    assert read_pain002(write_pain002(GROUP)) == GROUP


def test_a_report_on_two_orders_is_refused() -> None:
    order = "<OrgnlPmtInfAndSts><OrgnlPmtInfId>{}</OrgnlPmtInfId></OrgnlPmtInfAndSts>"
    end = "</CstmrPmtStsRpt>"
    text = SMALL.replace(end, order.format("A") + order.format("B") + end)
    words = said(lambda: read_pain002(text.encode()))
    assert words == "reports on more than one payment order"


@pytest.mark.parametrize("lane", list(Lane))
def test_an_instant_payment_is_read_back_as_one(lane: Lane) -> None:
    assert read_pain001(write_pain001(replace(FILE, lane=lane))).lane is lane


def test_a_reason_of_the_banks_own_is_read() -> None:
    text = write_pain002(GROUP).decode().replace("<Cd>DU01</Cd>", "<Prtry>OWN-1</Prtry>")
    assert read_pain002(text.encode()).group_reason_code == "OWN-1"


def test_what_is_said_of_counts_and_currency() -> None:
    text = write_pain001(FILE)
    counted = text.replace(b"<NbOfTxs>1<", b"<NbOfTxs>2<")
    assert said(lambda: read_pain001(counted)) == (
        "the number of transfers is not that of the items"
    )
    dollars = text.replace(b'Ccy="CNY"', b'Ccy="USD"')
    assert said(lambda: read_pain001(dollars)) == "BX-1-v1-a1: not an amount in CNY"
    summed = text.replace(b"<CtrlSum>8602.25<", b"<CtrlSum>8602.26<")
    assert said(lambda: read_pain001(summed)) == "the control sum is not that of the items"


@pytest.mark.parametrize(
    ("code", "written"),
    [("", "<Othr><Id>NOTPROVIDED</Id></Othr>"), ("105331000016", CLEARED)],
)
def test_the_agencys_own_bank_is_named_by_its_number_alone(code: str, written: str) -> None:
    lines = write_pain001(replace(FILE, debtor_bank_code=code)).decode().splitlines()
    agent = f"<DbtrAgt><FinInstnId>{written}</FinInstnId></DbtrAgt>"
    assert agent in "".join(line.strip() for line in lines)
