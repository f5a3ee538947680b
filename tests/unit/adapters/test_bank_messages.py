"""pain.001 and pain.002: what is written is read back by others, what is wrong is refused whole.

Expected texts are written by hand from the published schemas; the standard library's parser reads
what we write.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.adapters.iso20022.document import BYTES_MAX, MessageError, amount_text, fen_of
from backend.adapters.iso20022.pain001 import read_pain001, write_pain001
from backend.adapters.iso20022.pain002 import read_pain002, write_pain002
from backend.adapters.iso20022.payment_format import Iso20022Format
from backend.service_layer.payout.ports import BadPaymentFileError, BadStatusFileError
from backend.service_layer.payout.records import (
    AnswerStatus,
    Lane,
    PaymentFile,
    PaymentItem,
    StatusItem,
    StatusReport,
)

AT = dt.datetime(2026, 11, 22, 8, 0, tzinfo=dt.UTC)
ITEM = PaymentItem(
    end_to_end_id="BX20261122000001-01-v1-a1",
    amount_fen=860_225,
    holder="测试甲子",
    account_number="6217000000000006217",
    bank_name="示例银行",
    bank_code="105331000016",
    purpose="医保零星报销",
)
FILE = PaymentFile(
    message_id="YC-20261122-0001",
    created_at=AT,
    execute_on=dt.date(2026, 11, 22),
    lane=Lane.DAILY,
    debtor_name="示例市医保中心",
    debtor_account="33080000000000000001",
    debtor_bank_code="102331000012",
    items=(ITEM, replace(ITEM, end_to_end_id="BX20261122000001-02-v1-a1", amount_fen=5)),
)
SPACE = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.11"}

REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.12">
 <CstmrPmtStsRpt>
  <GrpHdr><MsgId>BANK-7</MsgId><CreDtTm>2026-11-22T16:00:05+08:00</CreDtTm></GrpHdr>
  <OrgnlGrpInfAndSts>
   <OrgnlMsgId>YC-20261122-0001</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.11</OrgnlMsgNmId>
   <OrgnlNbOfTxs>2</OrgnlNbOfTxs><OrgnlCtrlSum>8602.30</OrgnlCtrlSum>
  </OrgnlGrpInfAndSts>
  <OrgnlPmtInfAndSts>
   <OrgnlPmtInfId>YC-20261122-0001</OrgnlPmtInfId>
   <TxInfAndSts>
    <OrgnlEndToEndId>BX20261122000001-01-v1-a1</OrgnlEndToEndId><TxSts>ACCC</TxSts>
    <AccptncDtTm>2026-11-22T16:00:03+08:00</AccptncDtTm><AcctSvcrRef>R-1</AcctSvcrRef>
    <OrgnlTxRef><Amt><InstdAmt Ccy="CNY">8602.25</InstdAmt></Amt></OrgnlTxRef>
   </TxInfAndSts>
   <TxInfAndSts>
    <OrgnlEndToEndId>BX20261122000001-02-v1-a1</OrgnlEndToEndId><TxSts>RJCT</TxSts>
    <StsRsnInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>账户已销户</AddtlInf></StsRsnInf>
   </TxInfAndSts>
  </OrgnlPmtInfAndSts>
 </CstmrPmtStsRpt>
</Document>
"""


def test_schemas_are_those_that_were_published() -> None:
    folder = Path("backend/adapters/iso20022/schemas")
    named = dict(
        re.findall(r"`([a-z]+[0-9.]+xsd)`[^`]*`([0-9a-f]{64})`", (folder / "README.md").read_text())
    )
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.xsd")}
    assert found == named
    assert len(found) == 3


def test_a_payment_file_says_what_the_bank_needs() -> None:
    root = ElementTree.fromstring(write_pain001(FILE))

    def texts(path: str) -> list[str | None]:
        return [found.text for found in root.findall(path, SPACE)]

    assert texts(".//p:GrpHdr/p:MsgId") == ["YC-20261122-0001"]
    assert texts(".//p:GrpHdr/p:NbOfTxs") == ["2"]
    assert texts(".//p:CtrlSum") == ["8602.30", "8602.30"]
    assert texts(".//p:ReqdExctnDt/p:Dt") == ["2026-11-22"]
    assert texts(".//p:InstdAmt") == ["8602.25", "0.05"]
    assert [a.get("Ccy") for a in root.findall(".//p:InstdAmt", SPACE)] == ["CNY", "CNY"]
    assert texts(".//p:EndToEndId")[0] == "BX20261122000001-01-v1-a1"
    assert texts(".//p:Cdtr/p:Nm") == ["测试甲子", "测试甲子"]
    assert texts(".//p:CdtrAcct/p:Id/p:Othr/p:Id")[0] == "6217000000000006217"
    assert texts(".//p:CdtrAgt//p:MmbId")[0] == "105331000016"
    assert texts(".//p:SvcLvl/p:Cd") == ["NURG"]


def test_the_same_file_gives_the_same_bytes() -> None:
    assert write_pain001(FILE) == write_pain001(replace(FILE))


def test_an_instant_payment_is_urgent() -> None:
    root = ElementTree.fromstring(write_pain001(replace(FILE, lane=Lane.INSTANT)))
    assert root.findtext(".//p:SvcLvl/p:Cd", namespaces=SPACE) == "URGP"


def test_a_bank_reads_what_we_write() -> None:
    assert read_pain001(write_pain001(FILE)) == FILE


BAD_ITEMS = [
    ({"amount_fen": 0}, "0 fen cannot be paid"),
    ({"amount_fen": -1}, "-1 fen cannot be paid"),
    ({"end_to_end_id": "x" * 36}, "identifier does not fit"),
    ({"end_to_end_id": ""}, "identifier does not fit"),
    ({"end_to_end_id": "pay_1"}, "identifier does not fit"),
    ({"account_number": "12"}, "account number does not fit"),
    ({"account_number": "6217 0000 0000"}, "account number does not fit"),
    ({"account_number": "6" * 35}, "account number does not fit"),
    ({"bank_code": "10533100001"}, "no clearing number"),
    ({"holder": ""}, "empty, padded or not printable"),
    ({"holder": " 甲"}, "empty, padded or not printable"),
    ({"holder": "甲\x00乙"}, "empty, padded or not printable"),
    ({"holder": "甲\ud800"}, "empty, padded or not printable"),
    ({"holder": "甲" * 141}, "not valid"),
    ({"purpose": "报" * 141}, "not valid"),
    ({"amount_fen": 10**15}, "outside the limits"),
]


@pytest.mark.parametrize(("change", "why"), BAD_ITEMS)
def test_an_item_that_does_not_fit_is_refused(change: dict[str, object], why: str) -> None:
    bad = replace(FILE, items=(replace(ITEM, **change),))  # type: ignore[arg-type]
    with pytest.raises(BadPaymentFileError, match=why):
        Iso20022Format().write(bad)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"items": ()}, "0 items"),
        ({"items": (ITEM,) * 2}, "stands in the file twice"),
        ({"message_id": "a b"}, "message id"),
        ({"message_id": "x" * 36}, "message id"),
        ({"created_at": dt.datetime(2026, 11, 22)}, "without a time zone"),
        ({"debtor_name": ""}, "empty"),
        ({"debtor_account": "3" * 35}, "not valid"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(change: dict[str, object], why: str) -> None:
    with pytest.raises(BadPaymentFileError, match=why):
        Iso20022Format().write(replace(FILE, **change))  # type: ignore[arg-type]


def test_a_report_is_read_as_the_bank_meant_it() -> None:
    report = Iso20022Format().read(REPORT.encode())
    assert report == StatusReport(
        message_id="BANK-7",
        created_at=dt.datetime(2026, 11, 22, 8, 0, 5, tzinfo=dt.UTC),
        original_message_id="YC-20261122-0001",
        items=(
            StatusItem(
                "BX20261122000001-01-v1-a1",
                AnswerStatus.PAID,
                amount_fen=860_225,
                bank_reference="R-1",
                answered_at=dt.datetime(2026, 11, 22, 8, 0, 3, tzinfo=dt.UTC),
            ),
            StatusItem(
                "BX20261122000001-02-v1-a1",
                AnswerStatus.REJECTED,
                reason_code="AC04",
                reason_text="账户已销户",
            ),
        ),
        simulated=False,
        original_item_count=2,
        original_control_sum_fen=860_230,
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *(
            (code, AnswerStatus.ACCEPTED)
            for code in (
                "RCVD", "PATC", "ACTC", "ACCP", "ACFC", "ACSP", "ACPD", "ACWC", "ACWP", "BLCK",
                "PDNG",
            )
        ),
        ("ACSC", AnswerStatus.PAID),
        ("ACCC", AnswerStatus.PAID),
        ("RJCT", AnswerStatus.REJECTED),
        ("CANC", AnswerStatus.REJECTED),
    ],
)  # fmt: skip
def test_codes_of_the_external_list(code: str, status: AnswerStatus) -> None:
    report = read_pain002(REPORT.replace("<TxSts>ACCC", f"<TxSts>{code}").encode())
    assert report.items[0].status is status


@pytest.mark.parametrize("code", ["PART", "ACCX", "PAID", "REFU", "accc"])
def test_a_status_that_is_not_known_refuses_the_report(code: str) -> None:
    with pytest.raises(MessageError, match=f"the status '{code}' is not known here"):
        read_pain002(REPORT.replace("<TxSts>ACCC", f"<TxSts>{code}").encode())


def test_a_cancelled_instruction_says_so_where_the_bank_gives_no_reason() -> None:
    item = read_pain002(REPORT.replace("<TxSts>ACCC", "<TxSts>CANC").encode()).items[0]
    assert (item.status, item.reason_code) == (AnswerStatus.REJECTED, "CANC")


def test_a_rejection_marked_returned_is_money_that_came_back() -> None:
    text = REPORT.replace("<AddtlInf>账户已销户", "<AddtlInf>RETURNED</AddtlInf><AddtlInf>已销户")
    item = read_pain002(text.encode()).items[1]
    assert (item.status, item.reason_code, item.reason_text) == (
        AnswerStatus.RETURNED,
        "AC04",
        "已销户",
    )


GROUP = "</OrgnlCtrlSum>"


def test_a_whole_file_can_be_rejected() -> None:
    text = REPORT.replace(
        GROUP, GROUP + "<GrpSts>RJCT</GrpSts><StsRsnInf><Rsn><Cd>DU01</Cd></Rsn></StsRsnInf>"
    )
    report = read_pain002(text.encode())
    assert (report.group_status, report.group_reason_code) == (AnswerStatus.REJECTED, "DU01")


def test_of_several_reasons_that_the_bank_knows_the_payment_weighs_most() -> None:
    why = "<StsRsnInf><Rsn><Cd>{}</Cd></Rsn></StsRsnInf>"
    both = "<TxSts>RJCT</TxSts>" + why.format("AC04") + why.format("AM05")
    report = read_pain002(REPORT.replace("<TxSts>ACCC</TxSts>", both, 1).encode())
    assert (report.items[0].status, report.items[0].reason_code) == (AnswerStatus.REJECTED, "AM05")


BAD_REPORTS = {
    "empty": ("", "not well-formed"),
    "cut off": (REPORT[:900], "not well-formed"),
    "cut off at the last byte": (REPORT.rstrip()[:-1], "not well-formed"),
    "two documents": (REPORT + REPORT[38:], "not well-formed"),
    "text behind it": (REPORT + "x", "not well-formed"),
    "html": ("<html/>", "is html, not"),
    "another version": (REPORT.replace("pain.002.001.12", "pain.002.001.03"), "not {urn"),
    "no namespace": (re.sub(' xmlns="[^"]*"', "", REPORT), "is Document, not"),
    "other message": (REPORT.replace("pain.001.001.11<", "pain.001.001.03<"), "reports on"),
    "unknown status": (REPORT.replace("ACCC", "PAID"), "is not known here"),
    "status of five": (REPORT.replace("ACCC", "ACCCC"), "not valid"),
    "no status": (REPORT.replace("<TxSts>ACCC</TxSts>", ""), "is not known here"),
    "no identifier": (
        REPORT.replace("<OrgnlEndToEndId>BX20261122000001-01-v1-a1</OrgnlEndToEndId>", ""),
        "is not known here",
    ),
    "twice": (REPORT.replace("-02-v1-a1", "-01-v1-a1"), "names an instruction twice"),
    "dollars": (REPORT.replace('Ccy="CNY"', 'Ccy="USD"'), "not an amount in CNY"),
    "no currency": (REPORT.replace(' Ccy="CNY"', ""), "not valid"),
    "parts of a fen": (REPORT.replace(">8602.25<", ">8602.255<"), "whole fen"),
    "negative": (REPORT.replace(">8602.25<", ">-8602.25<"), "not valid"),
    "control sum": (REPORT.replace(">8602.30<", ">8602.3001<"), "whole fen"),
    "before the calendar": (
        REPORT.replace("2026-11-22T16:00:05+08:00", "0001-01-01T00:00:00+14:00"),
        "outside the calendar",
    ),
    "after the calendar": (
        REPORT.replace("2026-11-22T16:00:05+08:00", "9999-12-31T23:59:59-14:00"),
        "outside the calendar",
    ),
    "no zone": (REPORT.replace("05+08:00", "05"), "no time zone"),
    "a day": (REPORT.replace("2026-11-22T16:00:05+08:00", "2026-11-22"), "not valid"),
    "wrong order": (
        REPORT.replace("<TxSts>ACCC</TxSts>", "").replace(
            "</OrgnlTxRef>", "</OrgnlTxRef><TxSts>ACCC</TxSts>"
        ),
        "not valid",
    ),
    "group against order": (
        REPORT.replace(GROUP, GROUP + "<GrpSts>RJCT</GrpSts>").replace(
            "</OrgnlPmtInfId>", "</OrgnlPmtInfId><PmtInfSts>ACSC</PmtInfSts>"
        ),
        "contradict",
    ),
    "unknown group status": (REPORT.replace(GROUP, GROUP + "<GrpSts>OKAY</GrpSts>"), "not known"),
    "doctype": (REPORT.replace("<Document", "<!DOCTYPE Document>\n<Document", 1), "document type"),
    "entities": (
        REPORT.replace(
            "<Document", '<!DOCTYPE Document [<!ENTITY a "BANK-7">]>\n<Document', 1
        ).replace("BANK-7<", "&a;<"),
        "document type",
    ),
    "file entity": (
        REPORT.replace(
            "<Document",
            '<!DOCTYPE Document [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n<Document',
            1,
        ).replace("BANK-7<", "&a;<"),
        "document type",
    ),
}


@pytest.mark.parametrize("name", BAD_REPORTS)
def test_a_report_that_cannot_be_believed_is_refused(name: str) -> None:
    text, why = BAD_REPORTS[name]
    with pytest.raises(BadStatusFileError, match=re.escape(why)):
        Iso20022Format().read(text.encode())


def test_what_is_not_valid_is_named_without_its_value() -> None:
    account = "<CdtrAcct><Id><IBAN>6217000000000006217</IBAN></Id></CdtrAcct></OrgnlTxRef>"
    with pytest.raises(BadStatusFileError, match="not valid: IBAN in line 14") as refused:
        Iso20022Format().read(REPORT.replace("</OrgnlTxRef>", account).encode())
    assert "6217000" not in str(refused.value) + refused.value.zh + refused.value.en
    assert refused.value.__cause__ is not None and refused.value.__cause__.__cause__ is None


def test_bytes_that_are_not_text_are_refused() -> None:
    for content in (b"\x00", b"\xff\xfe<\x00", b"PK\x03\x04" + bytes(200), REPORT.encode("utf-16")):
        with pytest.raises(BadStatusFileError, match=r"cannot be believed"):
            Iso20022Format().read(content)


def test_a_file_above_the_limit_is_not_parsed() -> None:
    with pytest.raises(BadStatusFileError, match="larger than"):
        Iso20022Format().read(REPORT.encode() + b" " * BYTES_MAX)


def test_brackets_without_end_are_refused() -> None:
    with pytest.raises(BadStatusFileError, match="not well-formed"):
        Iso20022Format().read(b"<a>" * 100_000)


def test_laughing_entities_are_refused() -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<!DOCTYPE Document [<!ENTITY l0 "lol">{levels}]><Document>&l11;</Document>'
    with pytest.raises(BadStatusFileError, match=r"not well-formed|document type"):
        Iso20022Format().read(text.encode())


@given(st.integers(0, 10**14))
def test_amounts_keep_every_fen(fen: int) -> None:
    assert fen_of(amount_text(fen)) == fen


@pytest.mark.parametrize("text", ["", ".5", "1,00", "1e2", "+1", "1.", "１", "1.001", "9" * 14])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(MessageError, match="no amount in whole fen"):
        fen_of(text)


STATUS_ITEMS = st.builds(
    StatusItem,
    end_to_end_id=st.from_regex(r"[A-Za-z0-9-]{1,35}", fullmatch=True),
    status=st.sampled_from(AnswerStatus),
    reason_code=st.sampled_from(["", "AC04", "MS03"]),
    reason_text=st.sampled_from(["", "账户已销户"]),
    amount_fen=st.none() | st.integers(1, 10**12),
    bank_reference=st.sampled_from(["", "R-1"]),
    answered_at=st.none() | st.just(AT),
)


@settings(max_examples=30)
@given(st.lists(STATUS_ITEMS, min_size=1, max_size=4, unique_by=lambda item: item.end_to_end_id))
def test_a_report_survives_the_way(items: list[StatusItem]) -> None:
    report = StatusReport("BANK-8", AT, "YC-1", tuple(items), simulated=True)
    assert read_pain002(write_pain002(report)) == report


BAD_ORDERS = {
    "count": (b"<NbOfTxs>2", b"<NbOfTxs>3", "number of transfers"),
    "sum": (b"<CtrlSum>8602.30", b"<CtrlSum>8602.31", "control sum"),
    "currency": (b'Ccy="CNY"', b'Ccy="EUR"', "not an amount in CNY"),
    "identifier": (b"-02-v1-a1", b"-01-v1-a1", "twice"),
}


@pytest.mark.parametrize("name", BAD_ORDERS)
def test_a_bank_refuses_an_order_that_contradicts_itself(name: str) -> None:
    old, new, why = BAD_ORDERS[name]
    with pytest.raises(MessageError, match=why):
        read_pain001(write_pain001(FILE).replace(old, new))
