"""Files that lie, burst, or are two things at once: each is refused by its name."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from backend.adapters.einvoice import ofd_reader
from backend.adapters.einvoice.writers import invoice_to_fiscal_xml
from backend.adapters.file_store import FolderFileStore
from backend.adapters.outside_documents import FILE_BYTES_MAX, OutsideDocuments
from backend.domain.invoice import Invoice
from backend.service_layer.intake.faults import UnreadableDocumentError
from backend.service_layer.intake.validation import find_faults
from backend.service_layer.outside.errors import NoSuchFileError, UnusableFileError
from backend.service_layer.outside.records import FileKind
from tests.unit.outside.bills import AT, TAX_XML, fiscal_invoice, ofd_of, picture

RECOGNISE = OutsideDocuments().recognise
FISCAL = invoice_to_fiscal_xml(fiscal_invoice(), "31")
JPEG_MAGIC = b"\xff\xd8\xff\xe0"


def refused(fault: str, data: bytes) -> None:
    with pytest.raises(UnusableFileError, match="nothing was kept") as caught:
        RECOGNISE(data)
    assert caught.value.fault == fault


# --- what is taken -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind", "source"),
    [
        (FISCAL, FileKind.XML, "fiscal-xml"),
        (b"\xef\xbb\xbf" + FISCAL, FileKind.XML, "fiscal-xml"),
        (ofd_of(FISCAL), FileKind.OFD, "fiscal-xml"),
        (TAX_XML, FileKind.XML, "tax-xml"),
        (ofd_of(TAX_XML), FileKind.OFD, "tax-xml"),
        (picture("JPEG"), FileKind.JPEG, "picture"),
        (picture("PNG"), FileKind.PNG, "picture"),
        (b"%PDF-1.7\n1 0 obj\n%%EOF\n", FileKind.PDF, "pdf"),
    ],
)
def test_each_kind_is_known_by_its_bytes(data: bytes, kind: FileKind, source: str) -> None:
    found = RECOGNISE(data)
    assert (found.kind, found.source) == (kind, source)
    assert (found.parsed is not None) == (kind in (FileKind.XML, FileKind.OFD))
    assert (found.viewing is not None) == (kind in (FileKind.JPEG, FileKind.PNG))


def test_a_fiscal_bill_reads_the_same_from_xml_and_from_ofd() -> None:
    plain, packed = RECOGNISE(FISCAL).parsed, RECOGNISE(ofd_of(FISCAL)).parsed
    assert plain is not None
    assert packed is not None
    assert plain.invoice == packed.invoice == fiscal_invoice()
    assert find_faults(plain, None, AT) == ()


def test_a_digital_tax_invoice_gives_a_bill_without_faults() -> None:
    found = RECOGNISE(TAX_XML)
    assert found.parsed is not None
    assert find_faults(found.parsed, None, AT) == ()
    invoice = found.parsed.invoice
    assert (invoice.invoice_code, invoice.invoice_number) == ("", "26332000000000012345")
    assert (invoice.institution_name, invoice.payer_name) == ("示例民营医院", "测试乙")
    assert (invoice.total_fen, invoice.own_pay_fen) == (20_000, 20_000)
    assert [(line.amount_e4, line.price_e6) for line in invoice.lines] == [
        (1_500_000, 50_000_000),
        (500_000, 50_000_000),
    ]
    assert found.seller_code == "91330800TEST000001"


def test_a_taxed_line_counts_with_its_tax() -> None:
    taxed = TAX_XML.replace(b"<UnPrice>50</UnPrice>\n      <Amount>150.00</Amount>"
                            b"<TaxRate>0</TaxRate><ComTaxAm>0.00",
                            b"<UnPrice>47.169811</UnPrice>\n      <Amount>141.51</Amount>"
                            b"<TaxRate>0.06</TaxRate><ComTaxAm>8.49")  # fmt: skip
    assert taxed != TAX_XML
    found = RECOGNISE(taxed).parsed
    assert found is not None
    assert find_faults(found, None, AT) == ()
    assert found.invoice.lines[0].price_e6 == 50_000_000


def test_elements_of_other_regions_are_noted_for_the_person_who_checks() -> None:
    strange = FISCAL.replace(b"</Main>", b"<LocalThing>1</LocalThing></Main>")
    found = RECOGNISE(strange)
    assert found.parsed is not None
    assert found.parsed.faults == ()
    assert found.notes == ("/EInvoice/EInvoiceData/Main/LocalThing",)


def test_a_picture_is_turned_upright_and_loses_its_metadata() -> None:
    image = Image.new("RGB", (400, 600), "white")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010E] = "secret place"
    target = io.BytesIO()
    image.save(target, "JPEG", exif=exif)
    assert b"secret place" in target.getvalue()
    viewing = RECOGNISE(target.getvalue()).viewing
    assert viewing is not None
    assert b"secret place" not in viewing
    with Image.open(io.BytesIO(viewing)) as shown:
        assert shown.size == (600, 400)
        assert not shown.getexif()


# --- what is not ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "data"),
    [
        ("empty-file", b""),
        ("file-too-large", b"<" * (FILE_BYTES_MAX + 1)),
        ("unknown-file-type", b"hello"),
        ("unknown-file-type", b"GIF89a" + bytes(100)),
        ("unknown-file-type", b"MZ" + bytes(100)),
        ("unknown-file-type", b'{"EinvoiceNumber": "1"}'),
        ("unknown-file-type", b"BM" + bytes(100)),
        ("unknown-file-type", b"RIFF\x10\x00\x00\x00WEBPVP8 "),
        ("bad-pdf", b"%PDF-1.7\n1 0 obj\n"),
        ("bad-pdf", b"%PDF-1.7\n%%EOF" + b" " * 2_000),
        ("bad-picture", JPEG_MAGIC + b"<html><script>alert(1)</script>"),
        ("bad-picture", JPEG_MAGIC),
        ("bad-picture", b"\x89PNG\r\n\x1a\n" + bytes(64)),
        ("bad-picture", picture("JPEG")[: len(picture("JPEG")) // 2]),
        ("bad-picture", picture("PNG")[:-20]),
        ("bad-picture", b"\xff\xd8\xff" + picture("PNG")),
        ("picture-too-small", picture("PNG", (600, 299))),
        ("bad-archive", b"PK\x03\x04" + bytes(200)),
        ("bad-archive", b"PK\x03\x04"),
    ],
)
def test_a_file_that_is_not_taken_is_refused_by_name(fault: str, data: bytes) -> None:
    refused(fault, data)


def png_of(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG whose header claims a size, with whatever behind it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", body or zlib.compress(b"\0"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(30_000, 30_000), (7_000, 7_000), (5_000, 4_801), (400, 25_000)])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(
    size: tuple[int, int],
) -> None:
    refused("picture-too-large", png_of(*size))


def test_a_picture_that_unpacks_to_less_than_it_claims_is_refused() -> None:
    refused("bad-picture", png_of(3_000, 3_000, zlib.compress(bytes(10))))


def test_a_text_bomb_in_a_png_is_refused() -> None:
    good = picture("PNG")
    text = zlib.compress(bytes(100 * 2**20))
    content = b"Comment\0\0" + text
    crc = struct.pack(">I", zlib.crc32(b"zTXt" + content))
    bomb = struct.pack(">I", len(content)) + b"zTXt" + content + crc
    refused("bad-picture", good[:33] + bomb + good[33:])


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("xml-dtd", b'<!DOCTYPE a [<!ENTITY x "y">]><EInvoice>&x;</EInvoice>'),
        ("xml-dtd", b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><EInvoice/>'),
        ("not-xml", b"<EInvoice>"),
        ("not-xml", b"<html>%PDF-1.7</html> trailing"),
        ("bad-encoding", "<EInvoice/>".encode("utf-16")[2:]),
        ("bad-encoding", b'<?xml version="1.0" encoding="GBK"?><EInvoice/>'),
        ("too-deep", b"<a>" * 40 + b"</a>" * 40),
        ("unsupported-format", b"<EInvoice><Header/></EInvoice>"),
        ("unsupported-format", b"<svg><script/></svg>"),
        ("several-invoices", b"<EInvoice><EInvoice/></EInvoice>"),
        ("several-invoices", TAX_XML.replace(b"</EInvoice>", b"<EInvoiceData/></EInvoice>")),
    ],
)
def test_xml_that_is_no_single_bill_is_refused_by_name(code: str, text: bytes) -> None:
    if text.startswith(b"<\0"):
        with pytest.raises(UnreadableDocumentError):
            RECOGNISE(text)
        return
    with pytest.raises(UnreadableDocumentError) as caught:
        RECOGNISE(text)
    assert [fault.code for fault in caught.value.faults] == [code]


# --- archives ------------------------------------------------------------------------------------


def zipped(fill: Callable[[zipfile.ZipFile], None]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("OFD.xml", b"<OFD/>")
        fill(archive)
    return target.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "../evil.xml",
        "/etc/passwd.xml",
        "a/../../b.xml",
        "a\\..\\b.xml",
        "C:/x.xml",
        "a//b.xml",
        "x" * 250 + ".xml",
        "a\n.xml",
    ],
)
def test_a_name_that_leaves_the_archive_is_refused(name: str) -> None:
    refused("bad-archive", zipped(lambda archive: archive.writestr(name, FISCAL)))


def test_a_bomb_is_refused_by_what_it_claims_and_by_what_it_unpacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large = zipped(lambda archive: archive.writestr("a.xml", bytes(40 * 2**20)))
    assert len(large) < 100_000
    refused("archive-too-large", large)
    # A directory that understates the size: the count while unpacking holds.
    monkeypatch.setattr(ofd_reader, "UNPACKED_MAX", 10_000)
    bomb = bytearray(zipped(lambda archive: archive.writestr("a.xml", b" " * 20_000)))
    place = bomb.rindex(b"PK\x01\x02")
    bomb[place + 24 : place + 28] = struct.pack("<I", 100)
    refused("bad-archive", bytes(bomb))  # zipfile reads no more than is claimed: CRC differs


def test_too_many_entries_are_refused() -> None:
    def fill(archive: zipfile.ZipFile) -> None:
        for index in range(ofd_reader.ENTRIES_MAX):
            archive.writestr(f"p{index}.xml", b"")

    refused("archive-too-large", zipped(fill))


def test_a_name_that_appears_twice_is_refused() -> None:
    def fill(archive: zipfile.ZipFile) -> None:
        archive.writestr("a.xml", FISCAL)
        archive.writestr("A.xml", b"<x/>")

    refused("bad-archive", zipped(fill))


def test_a_symbolic_link_is_refused() -> None:
    def fill(archive: zipfile.ZipFile) -> None:
        link = zipfile.ZipInfo("link.xml")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")

    refused("bad-archive", zipped(fill))


def test_an_encrypted_or_strangely_packed_entry_is_refused() -> None:
    plain = bytearray(ofd_of(FISCAL))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = plain.index(mark)
        plain[place + offset] |= 1
    refused("bad-archive", bytes(plain))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("OFD.xml", b"<OFD/>")
        archive.writestr("a.xml", FISCAL)
    refused("bad-archive", target.getvalue())


def test_a_polyglot_with_something_before_or_behind_the_archive_is_refused() -> None:
    good = ofd_of(FISCAL)
    refused("bad-archive", good + b"<script>")
    refused("bad-archive", b"PK\x03\x04" + bytes(26) + good + b"\0")
    commented = io.BytesIO(good)
    with zipfile.ZipFile(commented, "a") as archive:
        archive.comment = b"%PDF-1.7 %%EOF"
    refused("bad-archive", commented.getvalue())


def test_an_ofd_without_data_or_with_several_bills_is_refused() -> None:
    refused("ofd-without-data", ofd_of(b"<other/>"))
    second = FISCAL.replace(b"0000000001", b"0000000002")
    refused("several-bills", ofd_of(FISCAL, **{"Doc_0/b.xml": second}))
    refused("bad-archive", ofd_of(b"<!DOCTYPE EInvoice><EInvoice/>"))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("word/document.xml", FISCAL)  # another office file
    refused("bad-archive", target.getvalue())


def test_the_same_bill_twice_in_one_ofd_is_one_bill() -> None:
    found = RECOGNISE(ofd_of(FISCAL, **{"Doc_0/copy.xml": FISCAL}))
    assert found.parsed is not None
    invoice: Invoice = found.parsed.invoice
    assert invoice == fiscal_invoice()


# --- the store -----------------------------------------------------------------------------------


def test_a_stored_file_is_private_and_found_by_its_digest(tmp_path: Path) -> None:
    store = FolderFileStore(tmp_path / "files")
    digest = store.put(b"content")
    assert store.put(b"content") == digest
    assert store.get(digest) == b"content"
    (path,) = [one for one in (tmp_path / "files").rglob("*") if one.is_file()]
    assert path.stat().st_mode & 0o077 == 0
    assert path.name == digest.hex()


def test_an_altered_or_missing_file_is_said_to_be_so(tmp_path: Path) -> None:
    store = FolderFileStore(tmp_path)
    digest = store.put(b"content")
    with pytest.raises(NoSuchFileError, match="missing"):
        store.get(b"\0" * 32)
    (path,) = [one for one in tmp_path.rglob("*") if one.is_file()]
    path.chmod(0o600)
    path.write_bytes(b"changed")
    with pytest.raises(NoSuchFileError, match="altered"):
        store.get(digest)
