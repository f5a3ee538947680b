"""OFD files (GB/T 33190): a ZIP, of which only the e-invoice XML inside is read.

The archive is hostile until read: its entries, its unpacked size and every name are limited, only
XML entries are unpacked, and nothing is ever written to disk. What is drawn on its pages is not
interpreted; a person compares it with the data.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Final
from xml.etree.ElementTree import Element

from backend.adapters.einvoice.xml_reader import MAX_BYTES, load_xml
from backend.service_layer.intake.faults import UnreadableDocumentError
from backend.service_layer.outside.errors import UnusableFileError

ENTRIES_MAX: Final = 300
UNPACKED_MAX: Final = 32 * 2**20
_NAME_MAX: Final = 200
_READ_BYTES: Final = 64 * 1024
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LOCAL_HEADER: Final = b"PK\x03\x04"
_END_RECORD: Final = b"PK\x05\x06"
_END_RECORD_BYTES: Final = 22
_SYMBOLIC_LINK: Final = 0o120000
_INVOICE_ROOT: Final = "EInvoice"
_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError,
    ValueError, KeyError, OverflowError,
)  # fmt: skip


def find_invoice(data: bytes) -> tuple[bytes, Element]:
    """The one e-invoice XML of an OFD file: its bytes and its tree.

    Raises UnusableFileError: not an archive that is taken, too large, several invoices, none.
    """
    if not _is_plain_archive(data):
        raise UnusableFileError("bad-archive")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            texts = _unpack_xml(archive, entries)
    except _DAMAGE as error:
        raise UnusableFileError("bad-archive") from error
    if "OFD.xml" not in texts:
        raise UnusableFileError("bad-archive")
    return _the_invoice(texts)


def _is_plain_archive(data: bytes) -> bool:
    """Whether the archive begins and ends with the file, with nothing before or behind it: else
    two readers could find two archives in it."""
    end = data[-_END_RECORD_BYTES:]
    return data.startswith(_LOCAL_HEADER) and end.startswith(_END_RECORD) and end[-2:] == b"\0\0"


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > ENTRIES_MAX or sum(entry.file_size for entry in entries) > UNPACKED_MAX:
        raise UnusableFileError("archive-too-large")
    names = [entry.filename.casefold() for entry in entries]
    if len(set(names)) != len(names) or not all(_is_sound(entry) for entry in entries):
        raise UnusableFileError("bad-archive")


def _is_sound(entry: zipfile.ZipInfo) -> bool:
    name = entry.filename
    parts = name.rstrip("/").split("/")
    is_encrypted = bool(entry.flag_bits & 0x1)
    is_link = (entry.external_attr >> 16) & 0o170000 == _SYMBOLIC_LINK
    return (
        0 < len(name) <= _NAME_MAX
        and entry.orig_filename == name
        and name.isprintable()
        and not any(mark in name for mark in ("\\", ":"))
        and all(part not in ("", ".", "..") for part in parts)
        and entry.compress_type in _METHODS
        and not is_encrypted
        and not is_link
    )


def _unpack_xml(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> dict[str, bytes]:
    """The XML entries, counted while they unpack: the sizes in the directory are only claims."""
    left = UNPACKED_MAX
    texts = {}
    for entry in entries:
        if entry.is_dir() or not entry.filename.lower().endswith(".xml"):
            continue
        chunks = []
        with archive.open(entry) as stream:
            while chunk := stream.read(_READ_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise UnusableFileError("archive-too-large")
                chunks.append(chunk)
        texts[entry.filename] = b"".join(chunks)
    return texts


def _the_invoice(texts: dict[str, bytes]) -> tuple[bytes, Element]:
    found: dict[bytes, Element] = {}
    for data in texts.values():
        if _INVOICE_ROOT.encode() not in data:
            continue  # the page descriptions of the document itself
        try:
            root = load_xml(data, MAX_BYTES)
        except UnreadableDocumentError as error:
            raise UnusableFileError("bad-archive") from error
        if root.tag == _INVOICE_ROOT:
            found[data] = root
    if len(found) > 1:
        raise UnusableFileError("several-bills")
    if not found:
        raise UnusableFileError("ofd-without-data")
    return next(iter(found.items()))
