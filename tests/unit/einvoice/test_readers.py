"""Fiscal XML and JSON: one record, every fault named by its place, hostile input refused."""

from __future__ import annotations

import datetime as dt
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.adapters.einvoice.fields import HEADER, ITEM, LINE
from backend.adapters.einvoice.json_reader import parse_json_invoice
from backend.adapters.einvoice.writers import invoice_to_fiscal_xml, invoice_to_json
from backend.adapters.einvoice.xml_reader import parse_fiscal_xml
from backend.domain.invoice import Attachment, AttachmentType, ExpenseLine, FeeItem, Invoice
from backend.service_layer.intake.faults import (
    FAULT_TEXTS,
    InvalidInvoiceError,
    UnreadableDocumentError,
)
from backend.service_layer.intake.validation import find_faults

SAMPLE = Path(__file__).parent / "documents/outpatient-133.xml"
NOW = dt.datetime(2024, 6, 3, 4, 0, tzinfo=dt.UTC)


def xml() -> str:
    return SAMPLE.read_text(encoding="utf-8")


def sample() -> Invoice:
    return parse_fiscal_xml(SAMPLE.read_bytes()).sound_invoice()


def tree() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        (SAMPLE.parent / "outpatient-133.json").read_text(encoding="utf-8")
    )
    return document


def json_faults(document: Any) -> list[tuple[str, str]]:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return [(f.pointer, f.code) for f in find_faults(parse_json_invoice(text), None, NOW)]


def xml_faults(text: str) -> list[tuple[str, str]]:
    return [(f.pointer, f.code) for f in find_faults(parse_fiscal_xml(text.encode()), None, NOW)]


class TestSample:
    """Values copied by hand from the domain reference, section 1.4."""

    def test_the_fiscal_sample_is_read(self) -> None:
        record = sample().to_record()

        assert record["invoice_code"] == "33060124"
        assert record["invoice_number"] == "0012345678"
        assert record["check_code"] == "235456"
        assert record["total_fen"] == 13300
        assert record["own_pay_fen"] == 13300
        assert record["issued_on"] == "2024-05-20"
        assert record["visit_on"] == "2024-05-20"
        assert [i["amount_fen"] for i in record["items"]] == [1500, 11800]
        assert record["lines"][2] == {
            "amount": "40.0000",
            "catalogue_code": "T0003",
            "category_code": "09",
            "category_name": "西药费",
            "level": "01",
            "name": "示例药品B",
            "price": "3.333300",
            "quantity": "12.0000",
            "unit": "片",
        }
        assert [line["level"] for line in record["lines"]] == ["01", "02", "01"]

    def test_its_json_twin_is_the_same_record(self) -> None:
        twin = parse_json_invoice(json.dumps(tree()).encode()).sound_invoice()

        assert twin.to_record() == sample().to_record()

    def test_neither_has_a_fault(self) -> None:
        assert xml_faults(xml()) == []
        assert json_faults(tree()) == []

    def test_a_byte_order_mark_and_prolog_are_read_over(self) -> None:
        text = "\ufeff<?xml version='1.0' encoding='UTF-8'?>" + xml()
        assert parse_fiscal_xml(text.encode()).invoice == sample()

    def test_signature_and_seal_values_never_win(self) -> None:
        signature = (
            "<EInvoiceSignature><Main><TotalAmount>9.99</TotalAmount></Main></EInvoiceSignature>"
        )
        text = xml().replace("</EInvoice>", signature + "</EInvoice>")
        assert parse_fiscal_xml(text.encode()).sound_invoice() == sample()


SET_JSON: list[tuple[str, Any, str, str]] = [
    # member, value, pointer, code
    ("TotalAmount", "133.001", "/TotalAmount", "bad-amount"),
    ("TotalAmount", "1e2", "/TotalAmount", "bad-amount"),
    ("TotalAmount", "１３３.00", "/TotalAmount", "bad-amount"),
    ("TotalAmount", "+133.00", "/TotalAmount", "bad-amount"),
    ("TotalAmount", "133,00", "/TotalAmount", "bad-amount"),
    ("TotalAmount", "NaN", "/TotalAmount", "bad-amount"),
    ("TotalAmount", ".5", "/TotalAmount", "bad-amount"),
    ("TotalAmount", "", "/TotalAmount", "required"),
    ("TotalAmount", 133, "/TotalAmount", "number-not-text"),
    ("TotalAmount", 133.0, "/TotalAmount", "number-not-text"),
    ("TotalAmount", None, "/TotalAmount", "wrong-type"),
    ("TotalAmount", True, "/TotalAmount", "wrong-type"),
    ("TotalAmount", ["133.00"], "/TotalAmount", "wrong-type"),
    ("TotalAmount", "10995116277.76", "/TotalAmount", "over-limit"),
    ("TotalAmount", "99999999999999999999", "/TotalAmount", "bad-amount"),
    ("TotalAmount", "132.99", "/AuxItems", "line-sum-differs"),
    ("TotalAmount", "132.99", "/Items", "item-sum-differs"),
    ("TotalAmount", "132.99", "/ownPayAmount", "payer-split-differs"),
    ("TotalAmount", "-133.00", "/RelatedInvoiceNumber", "original-missing"),
    ("ownPayAmount", "-133.00", "/ownPayAmount", "negative-amount"),
    ("fundPayAmount", "-1.00", "/fundPayAmount", "negative-amount"),
    ("refundAmount", "-0.01", "/refundAmount", "negative-amount"),
    ("EinvoiceCode", "3306012", "/EinvoiceNumber", "bad-number-shape"),
    ("EinvoiceNumber", "001234567", "/EinvoiceNumber", "bad-number-shape"),
    ("EinvoiceNumber", "００12345678", "/EinvoiceNumber", "bad-number-shape"),
    ("EinvoiceNumber", "001234567x", "/EinvoiceNumber", "bad-number-shape"),
    ("EinvoiceNumber", "", "/EinvoiceNumber", "required"),
    ("EinvoiceNumber", 12345678, "/EinvoiceNumber", "number-not-text"),
    ("EinvoiceNumber", "0" * 21, "/EinvoiceNumber", "too-long"),
    ("RandomNumber", "", "/RandomNumber", "required"),
    ("RandomNumber", "12345", "/RandomNumber", "bad-check-code"),
    ("RandomNumber", "1234567", "/RandomNumber", "bad-check-code"),
    ("RandomNumber", "１２３４５６", "/RandomNumber", "bad-check-code"),
    ("IssueDate", "2024-13-01", "/IssueDate", "bad-date"),
    ("IssueDate", "20240230", "/IssueDate", "bad-date"),
    ("IssueDate", "2024-0520", "/IssueDate", "bad-date"),
    ("IssueDate", "20/05/2024", "/IssueDate", "too-long-or-bad"),
    ("IssueDate", "", "/IssueDate", "required"),
    ("IssueDate", "2024-06-04", "/IssueDate", "issued-in-future"),
    ("IssueTime", "25:00:00", "/IssueTime", "bad-time"),
    ("IssueTime", "1430", "/IssueTime", "bad-time"),
    ("AgencyCode", "H3308-1", "/AgencyCode", "bad-institution-code"),
    ("AgencyCode", "", "/AgencyCode", "required"),
    ("AgencyName", "", "/AgencyName", "required"),
    ("PayerName", "", "/PayerName", "required"),
    ("PayerName", "a\u0000b", "/PayerName", "bad-text"),
    ("PayerName", "a\ud800b", "/PayerName", "bad-text"),
    ("PayerName", "甲" * 101, "/PayerName", "too-long"),
    ("PayerPartyType", "3", "/PayerPartyType", "unknown-value"),
    ("medicalDate", "2024-05-21", "/medicalDate", "dates-out-of-order"),
    ("RelatedInvoiceNumber", "0012345699", "/RelatedInvoiceNumber", "original-not-expected"),
    ("secondInvoiceNumber", "123", "/secondInvoiceNumber", "bad-number-shape"),
    ("Surprise", "x", "/Surprise", "unknown-field"),
    ("a/b~c", "x", "/a~1b~0c", "unknown-field"),
    ("FinanceCheck", {"IsReversal": "1"}, "/FinanceCheck", "unknown-field"),
    ("AuxItems", [], "/AuxItems", "no-lines"),
    ("AuxItems", {}, "/AuxItems", "wrong-type"),
    ("AuxItems", "x", "/AuxItems", "wrong-type"),
    ("Items", [[]], "/Items/0", "wrong-type"),
    ("Attachments", [{"type": "x-ray", "digest": "00" * 32}], "/Attachments/0/type",
     "unknown-value"),
    ("Attachments", [{"type": "original", "digest": "00" * 32}], "/Attachments/0/type",
     "unknown-value"),
    ("Attachments", [{"type": "diagnosis", "digest": "00"}], "/Attachments/0/digest",
     "bad-digest"),
    ("Attachments", [{"type": "diagnosis"}], "/Attachments/0/digest", "required"),
    ("Attachments", [{"type": "diagnosis", "digest": "00" * 32}] * 2, "/Attachments/1",
     "duplicate-attachment"),
]  # fmt: skip


@pytest.mark.parametrize(("member", "value", "pointer", "code"), SET_JSON)
def test_a_fault_of_the_bill_is_named(member: str, value: Any, pointer: str, code: str) -> None:
    document = tree()
    document[member] = value

    found = json_faults(document)

    if code == "too-long-or-bad":
        assert found[0] in ((pointer, "too-long"), (pointer, "bad-date"))
    else:
        assert (pointer, code) in found


SET_LINE: list[tuple[str, Any, str]] = [
    ("DETITEM_FEE_SUMAMT", "40.01", "line-amount-differs"),
    ("DETITEM_FEE_SUMAMT", "39.99", "line-amount-differs"),
    ("DETITEM_FEE_SUMAMT", "39.9995", "line-amount-differs"),
    ("DETITEM_FEE_SUMAMT", "40.00001", "bad-line-amount"),
    ("DETITEM_FEE_SUMAMT", "", "required"),
    ("DETITEM_FEE_SUMAMT", "-40.00", "negative-amount"),
    ("DETITEM_FEE_SUMAMT", 40, "number-not-text"),
    ("CNT", "12.00001", "bad-decimal"),
    ("CNT", "", "required"),
    ("CNT", "x", "bad-decimal"),
    ("PRIC", "3.3333333", "bad-decimal"),
    ("PRIC", None, "wrong-type"),
    ("AuxItemName", "", "required"),
    ("AuxItemName", "  ", "required"),
    ("MED_CHRGITM_TYPE", "15", "unknown-value"),
    ("MED_CHRGITM_TYPE", "9", "unknown-value"),
    ("CHRGITM_LV", "04", "unknown-value"),
    ("CHRGITM_LV", "甲", "too-long-or-unknown"),
    ("HOSP_APPR_FLAG", "3", "unknown-value"),
    ("FEE_OCUR_TIME", "2024-05-20 25:00:00", "bad-time"),
    ("FEE_OCUR_TIME", "yesterday", "bad-time"),
    ("MEDLIST_CODG", "X" * 51, "too-long"),
    ("AuxItemRemark", "乙类", "level-conflict"),
    ("selfAmt", "0.00", "unknown-field"),
]


@pytest.mark.parametrize(("member", "value", "code"), SET_LINE)
def test_a_fault_of_a_line_is_named(member: str, value: Any, code: str) -> None:
    document = tree()
    document["AuxItems"][2][member] = value

    found = dict(json_faults(document))

    pointer = f"/AuxItems/2/{member}"
    expected = ("too-long", "unknown-value") if code == "too-long-or-unknown" else (code,)
    assert found[pointer] in expected


@pytest.mark.parametrize(
    ("quantity", "price", "amount", "is_right"),
    [
        ("12", "3.3333", "40.00", True),  # 39.9996 at two places
        ("12", "3.3333", "39.9996", True),
        ("12", "3.3333", "40.0000", True),  # zeros beyond the fen are not kept decimals
        ("12", "3.3333", "39.9990", False),
        ("12", "3.3333", "39.9997", False),
        ("1", "0.005", "0.01", True),  # half goes either way
        ("1", "0.005", "0.00", True),
        ("1", "0.0051", "0.00", False),
        ("3", "3.335", "10.005", True),
        ("3", "3.335", "10.01", True),
        ("3", "3.335", "10.02", False),
        ("0.5", "0.000001", "0.0000", True),
    ],
)
def test_a_line_may_round_its_last_decimal_only(
    quantity: str, price: str, amount: str, is_right: bool
) -> None:
    document = tree()
    document["AuxItems"][2] |= {"CNT": quantity, "PRIC": price, "DETITEM_FEE_SUMAMT": amount}

    codes = [code for _, code in json_faults(document)]

    assert ("line-amount-differs" not in codes) == is_right


def test_lines_are_summed_first_and_rounded_once() -> None:
    document = tree()
    line = document["AuxItems"][0] | {"CNT": "1", "PRIC": "10.005", "DETITEM_FEE_SUMAMT": "10.005"}
    document |= {"AuxItems": [line] * 3, "Items": [], "ownPayAmount": "30.02",
                 "TotalAmount": "30.02"}  # fmt: skip

    assert json_faults(document) == []
    document |= {"TotalAmount": "30.03", "ownPayAmount": "30.03"}
    assert json_faults(document) == [("/AuxItems", "line-sum-differs")]


def test_all_faults_come_in_one_answer() -> None:
    document = tree()
    document |= {"RandomNumber": "1", "IssueDate": "x", "PayerName": "", "Extra": "1"}
    document["AuxItems"][0]["CNT"] = "a"
    document["AuxItems"][1]["DETITEM_FEE_SUMAMT"] = "78.01"

    assert sorted(json_faults(document)) == [
        ("/AuxItems", "line-sum-differs"),
        ("/AuxItems/0/CNT", "bad-decimal"),
        ("/AuxItems/1/DETITEM_FEE_SUMAMT", "line-amount-differs"),
        ("/Extra", "unknown-field"),
        ("/IssueDate", "bad-date"),
        ("/PayerName", "required"),
        ("/RandomNumber", "bad-check-code"),
    ]


def test_a_repeated_member_is_named() -> None:
    text = json.dumps(tree())[:-1] + ', "TotalAmount": "133.00"}'
    assert json_faults(text.encode()) == [("/TotalAmount", "duplicate-key")]


def test_too_many_lines() -> None:
    document = tree()
    document["AuxItems"] *= 3
    parsed = parse_json_invoice(json.dumps(document).encode(), max_lines=8)
    assert ("/AuxItems", "too-many-lines") in [(f.pointer, f.code) for f in parsed.faults]


@pytest.mark.parametrize("parse", [parse_json_invoice, parse_fiscal_xml])
def test_nesting_limit_can_be_lowered_and_never_raised(parse: Any) -> None:
    def nested(depth: int) -> bytes:
        if parse is parse_json_invoice:
            return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
        return b"<a>" * depth + b"</a>" * depth

    def code(depth: int, limit: int) -> str:
        try:
            faults = parse(nested(depth), max_depth=limit).faults
        except UnreadableDocumentError as error:
            faults = error.faults
        return "too-deep" if any(fault.code == "too-deep" for fault in faults) else "read"

    assert (code(9, 9), code(10, 9)) == ("read", "too-deep")
    assert (code(16, 99), code(17, 99)) == ("read", "too-deep")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"null", "wrong-type"),
        (b'"x"', "wrong-type"),
        (b"[]", "wrong-type"),
        (b'{"a": NaN}', "not-json"),
        (b'{"a": Infinity}', "not-json"),
        ('{"a": "测"}'.encode("gbk"), "bad-encoding"),
        ('{"a": "1"}'.encode("utf-16"), "bad-encoding"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "too-deep"),
        (b'"' + b'\\"' * 2_000_000, "not-json"),
        (b'"' + b'\\"' * 2_000_000 + b"\\", "not-json"),
        (b'{"[[[[[[[[[[[[[[[[[[[[[[[": "1"', "not-json"),
        (b"[" * 200_000, "too-deep"),
        (b'{"a":' * 200_000, "too-deep"),
        (b" " * 9_000_000, "too-large"),
    ],
)
def test_what_is_no_json_object_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(UnreadableDocumentError, match="1 fault") as caught:
        parse_json_invoice(data)
    assert [fault.code for fault in caught.value.faults] == [code]


def test_a_number_of_20_digits_needs_no_code() -> None:
    bill = replace(sample(), invoice_code="", invoice_number="24337000000012345678", check_code="")

    for parsed in (
        parse_json_invoice(invoice_to_json(bill)),
        parse_fiscal_xml(invoice_to_fiscal_xml(bill)),
    ):
        assert find_faults(parsed, None, NOW) == ()
        assert parsed.invoice == bill


def test_an_empty_object_lacks_the_required_members() -> None:
    found = json_faults({})

    assert ("/EinvoiceNumber", "required") in found
    assert ("/TotalAmount", "required") in found


def test_depth_is_refused_whatever_the_recursion_limit() -> None:
    """py-evm raises the limit; parsing first would then overflow the stack of the process."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        with pytest.raises(UnreadableDocumentError, match="nested too deeply"):
            parse_json_invoice(b"[" * 1_000_000)
    finally:
        sys.setrecursionlimit(before)


BOMB = """<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]>"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "not-xml"),
        ("<EInvoice>", "not-xml"),
        ("<EInvoice/>", "unsupported-format"),
        ("<Other/>", "unsupported-format"),
        (BOMB + "<EInvoice>&lol2;</EInvoice>", "xml-dtd"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><EInvoice/>', "xml-dtd"),
        ("<EInvoice>&undefined;</EInvoice>", "not-xml"),
        ("<?xml version='1.0' encoding='GBK'?><EInvoice/>", "bad-encoding"),
        ("<?xml version='1.0' encoding='iso-8859-1'?><EInvoice>示</EInvoice>", "bad-encoding"),
        ("\ufeff<?xml version='1.0' encoding = \"latin1\" ?><EInvoice/>", "bad-encoding"),
        ("<?xml version='1.0' encoding='nonsense'?><EInvoice/>", "bad-encoding-or-xml"),
        ("<EInvoice>" + "<a>" * 20 + "</a>" * 20 + "</EInvoice>", "too-deep"),
        ("<EInvoice>" + "<a/>" * 80_000 + "</EInvoice>", "too-many-elements"),
        ("<a>" + " " * 9_000_000 + "</a>", "too-large"),
    ],
)
def test_hostile_xml_is_refused(text: str, code: str) -> None:
    with pytest.raises(UnreadableDocumentError, match="1 fault") as caught:
        parse_fiscal_xml(text.encode())
    (fault,) = caught.value.faults
    expected = ("bad-encoding", "not-xml") if code == "bad-encoding-or-xml" else (code,)
    assert fault.code in expected


MAIN = "/EInvoice/EInvoiceData/Main"
EDITS: list[tuple[str, str, str, str]] = [
    ("<TotalAmount>133.00<", "<TotalAmount>132.00<", f"{MAIN}/MainExt/ownPayAmount",
     "payer-split-differs"),
    ("<TotalAmount>133.00</TotalAmount>", "", f"{MAIN}/TotalAmount", "required"),
    ("<TotalAmount>133.00<", "<TotalAmount><b/>133.00<", f"{MAIN}/TotalAmount", "wrong-type"),
    ("<RandomNumber>235456<", "<RandomNumber>23<", f"{MAIN}/RandomNumber", "bad-check-code"),
    ("<gender>", "<gendre>x</gendre><gender>", f"{MAIN}/MainExt/gendre", "unknown-field"),
    ("<Checker>", "<Checker>y</Checker><Checker>", f"{MAIN}/Checker", "duplicate-key"),
    ("<EInvoiceNumber>0012345678<", "<EInvoiceNumber>0012345679<",
     "/EInvoice/Header/EInvoiceID", "invoice-id-differs"),
    ("<EInvoiceNumber>0012345678<", "<EInvoiceNumber>12345678<", f"{MAIN}/EInvoiceNumber",
     "bad-number-shape"),
    ("<AuxItemAmount>78.00<", "<AuxItemAmount>78.02<",
     "/EInvoice/EInvoiceData/AuxDetails/AuxItem/1/AuxItemAmount", "line-amount-differs"),
    ("<AuxItemRelatedCode>02<", "<AuxItemRelatedCode>77<",
     "/EInvoice/EInvoiceData/AuxDetails/AuxItem/0/AuxItemRelatedCode", "unknown-value"),
    ("<ItemAmount>15.00<", "<ItemAmount>15.01<", "/EInvoice/EInvoiceData/Details",
     "item-sum-differs"),
    ("<Details>", "<Extra/><Details>", "/EInvoice/EInvoiceData/Extra", "unknown-field"),
    ("<AuxDetails>", "<AuxDetails><Row/>", "/EInvoice/EInvoiceData/AuxDetails/Row",
     "unknown-field"),
    ("<medicalDate>20240520<", "<medicalDate>20240521<", f"{MAIN}/MainExt/medicalDate",
     "dates-out-of-order"),
    ("<InvoicingPartyCode>H33080200001<", "<InvoicingPartyCode>H-1<",
     f"{MAIN}/InvoicingParty/InvoicingPartyCode", "bad-institution-code"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "pointer", "code"), EDITS)
def test_a_fault_of_fiscal_xml_is_named(old: str, new: str, pointer: str, code: str) -> None:
    assert old in xml()
    assert (pointer, code) in xml_faults(xml().replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("CZ-EI-33", "SWEI3200", "unsupported-format"),
        ("<EInvoiceData>", "<EInvoice/><EInvoiceData>", "several-invoices"),
        ("</EInvoiceData>", "</EInvoiceData><EInvoiceData/>", "several-invoices"),
        ("</Main>", "</Main><Main/>", "several-invoices"),
        ("<Header>", "<Header/><Header>", "several-invoices"),
    ],
)
def test_a_file_holds_one_fiscal_bill(old: str, new: str, code: str) -> None:
    with pytest.raises(UnreadableDocumentError, match="1 fault") as caught:
        parse_fiscal_xml(xml().replace(old, new, 1).encode())
    assert caught.value.faults[0].code == code


def test_faults_have_two_languages_and_no_values() -> None:
    document = tree() | {"PayerName": "测试甲乙丙" * 30, "TotalAmount": "777.777"}
    with pytest.raises(InvalidInvoiceError, match=r"/(TotalAmount|PayerName)") as caught:
        parse_json_invoice(json.dumps(document).encode()).sound_invoice()
    text = str(caught.value.errors) + str(caught.value)
    assert "测试甲乙丙" not in text
    assert "777" not in text
    assert all(zh and en and zh != en for zh, en in FAULT_TEXTS.values())


def test_field_names_are_unique() -> None:
    for table in (HEADER, ITEM, LINE):
        assert len({f.json for f in table}) == len(table)
        assert len({f.xml for f in table}) == len(table)


def test_diagnosis_visit_type_and_doctor_are_read_from_both_formats() -> None:
    lines = (replace(sample().lines[0], doctor_code="D330802000123"), *sample().lines[1:])
    bill = replace(
        sample(), diagnosis_code="J18.900", diagnosis_name="肺炎", medical_type="21", lines=lines
    )
    document = json.loads(invoice_to_json(bill))
    assert (document["dise_codg"], document["dise_name"]) == ("J18.900", "肺炎")
    assert document["med_type"] == "21"
    assert document["AuxItems"][0]["BILG_DR_CODG"] == "D330802000123"
    written = invoice_to_fiscal_xml(bill).decode()
    assert "<dise_codg>J18.900</dise_codg>" in written
    assert "<BILG_DR_CODG>D330802000123</BILG_DR_CODG>" in written
    assert parse_fiscal_xml(written.encode()).sound_invoice() == bill


def test_a_bill_without_diagnosis_keeps_its_record() -> None:
    """The fingerprints of bills sent before these fields existed rest on it."""
    record = sample().to_record()
    names = {"diagnosis_code", "diagnosis_name", "medical_type"}
    assert not names & set(record)
    assert all("doctor_code" not in line for line in record["lines"])
    assert Invoice.from_record(record) == sample()


@pytest.mark.parametrize(
    ("name", "text"), [("dise_codg", "J" * 31), ("dise_name", "炎" * 201), ("med_type", "1234567")]
)
def test_a_diagnosis_or_visit_type_beyond_its_limit_is_refused(name: str, text: str) -> None:
    document = tree() | {name: text}
    with pytest.raises(InvalidInvoiceError, match="1 fault") as caught:
        parse_json_invoice(json.dumps(document).encode()).sound_invoice()
    assert [(f["pointer"], f["code"]) for f in caught.value.errors] == [(f"/{name}", "too-long")]


# --- one bill, two formats, one record ---------------------------------------------------------

_WORDS = (
    st.text("甲乙丙abcXYZ019 &<>\"'/·（）", min_size=1, max_size=12).map(str.strip).filter(bool)
)
_OPTIONAL = st.one_of(st.just(""), _WORDS)
_REMARKS = _OPTIONAL.filter(lambda t: t not in ("甲类", "乙类", "丙类"))
_DAYS = st.dates(dt.date(2000, 1, 1), dt.date(2030, 12, 31))
_FEN = st.integers(-(10**9), 10**9)

_LINES = st.builds(
    ExpenseLine,
    name=_WORDS,
    quantity_e4=st.integers(-(10**8), 10**8),
    price_e6=st.integers(0, 10**10),
    amount_e4=st.integers(-(10**10), 10**10),
    catalogue_code=_OPTIONAL,
    category_code=st.sampled_from(["", "01", "09", "14"]),
    category_name=_OPTIONAL,
    level=st.sampled_from(["", "01", "02", "03"]),
    unit=_OPTIONAL,
    spec=_OPTIONAL,
    occurred_at=st.sampled_from(["", "2024-05-20", "2024-05-20T08:09:10"]),
    approval_flag=st.sampled_from(["", "0", "1", "2"]),
    remark=_REMARKS,
    doctor_code=st.sampled_from(["", "D330802000123"]),
)
_ITEMS = st.builds(
    FeeItem, code=_WORDS, name=_WORDS, amount_fen=_FEN, unit=_OPTIONAL, remark=_OPTIONAL,
    quantity=st.sampled_from(["", "1", "2.5"]), price=st.sampled_from(["", "0.01", "15"]),
)  # fmt: skip
_ATTACHMENTS = st.lists(
    st.builds(
        Attachment,
        # A hospital never states the file of a bill from outside.
        st.sampled_from([kind for kind in AttachmentType if kind is not AttachmentType.ORIGINAL]),
        st.binary(min_size=32, max_size=32).map(bytes.hex),
    ),
    max_size=3,
    unique=True,
)


@given(
    lines=st.lists(_LINES, min_size=1, max_size=4),
    items=st.lists(_ITEMS, max_size=3),
    attachments=_ATTACHMENTS,
    words=st.lists(_OPTIONAL, min_size=8, max_size=8),
    medical_type=st.sampled_from(["", "11", "22", "140104"]),
    days=st.lists(st.one_of(st.none(), _DAYS), min_size=3, max_size=3),
    fen=st.lists(st.one_of(st.none(), _FEN), min_size=3, max_size=3),
    total=_FEN,
)
def test_both_formats_of_any_bill_give_one_record(  # noqa: PLR0917
    lines: list[ExpenseLine],
    items: list[FeeItem],
    attachments: list[Attachment],
    words: list[str],
    medical_type: str,
    days: list[dt.date | None],
    fen: list[int | None],
    total: int,
) -> None:
    bill = replace(
        sample(),
        total_fen=total,
        lines=tuple(lines),
        items=tuple(items),
        attachments=tuple(sorted(attachments)),
        remark=words[0],
        department=words[1],
        payer_id=words[2],
        settlement_number=words[3],
        case_number=words[4],
        insurance_id=words[5],
        diagnosis_code=words[6],
        diagnosis_name=words[7],
        medical_type=medical_type,
        visit_on=days[0],
        admitted_on=days[1],
        discharged_on=days[2],
        prepaid_fen=fen[0],
        refund_fen=fen[1],
        self_expense_fen=fen[2],
    )

    as_json = parse_json_invoice(invoice_to_json(bill)).sound_invoice()
    as_xml = parse_fiscal_xml(invoice_to_fiscal_xml(bill)).sound_invoice()

    assert as_json.to_record() == as_xml.to_record() == bill.to_record()
