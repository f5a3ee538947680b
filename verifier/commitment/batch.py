"""Batch leaf and batch head: what an institution anchors (SPEC.md A6 and A7)."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from verifier.commitment import merkle
from verifier.errors import MalformedError

#: Leaves of one batch, at most.
MAX_BATCH: Final = 1024
#: Largest amount that a ledger slot holds, in fen.
MAX_FEN: Final = 2**40 - 1
#: Largest batch sequence number that a leaf reference on the ledger holds.
MAX_SEQUENCE: Final = 2**22 - 1

LEAF_BYTES: Final = 132
LEAF_FORMAT: Final = 1

_LEAF: Final = struct.Struct(">B16sBH32s32s32sQQ")
_HEAD_TAG: Final = b"yichu-batch/1\x00"
_ZERO_HASH: Final = bytes(32)


class RecordKind(IntEnum):
    """What the record behind a batch leaf is; only the first two can be lodged."""

    CLAIMABLE = 1
    SETTLED = 2
    RED = 3
    INFORMATION = 4


@dataclass(frozen=True, slots=True)
class BatchLeaf:
    """What the ledger sees of one record. Amounts are in fen; hashes are 32 bytes.

    ``borne_fen`` is what other payers bore at the counter, never the patient's own money.
    ``second_key`` is 32 zero bytes when the bill prints one number.
    Construction raises MalformedError when a value does not fit its field or its kind.
    """

    institution_code: str
    kind: RecordKind
    key_version: int
    invoice_key: bytes
    second_key: bytes
    fingerprint: bytes
    total_fen: int
    borne_fen: int

    def __post_init__(self) -> None:
        code = self.institution_code
        if not (1 <= len(code) <= 16 and code.isascii() and code.isalnum()):
            raise MalformedError("an institution code is 1 to 16 ASCII letters and digits")
        if type(self.kind) is not RecordKind:
            raise MalformedError("record kind is not one of 1 to 4")
        _check_range("key version", self.key_version, 0, 2**16 - 1)
        _check_range("total in fen", self.total_fen, 0, MAX_FEN)
        _check_range("already borne in fen", self.borne_fen, 0, self.total_fen)
        for name, value in (
            ("invoice key", self.invoice_key),
            ("second key", self.second_key),
            ("fingerprint", self.fingerprint),
        ):
            _check_hash(name, value)
        if self.kind is RecordKind.RED and self.total_fen != 0:
            raise MalformedError("a red bill has total 0 in its batch leaf")
        if self.kind is RecordKind.INFORMATION:
            if self.total_fen != 0 or self.invoice_key != _ZERO_HASH:
                raise MalformedError("an information leaf has total 0 and a zero invoice key")
        elif self.invoice_key == _ZERO_HASH:
            raise MalformedError("invoice key is zero")
        if self.second_key != _ZERO_HASH and self.second_key == self.invoice_key:
            raise MalformedError("second key repeats the invoice key")

    def encode(self) -> bytes:
        """Return the 132 bytes of the leaf, equal to Solidity's ``abi.encodePacked``."""
        return _LEAF.pack(
            LEAF_FORMAT,
            self.institution_code.encode("ascii"),
            self.kind,
            self.key_version,
            self.invoice_key,
            self.second_key,
            self.fingerprint,
            self.total_fen,
            self.borne_fen,
        )

    def hash(self) -> bytes:
        """Return the RFC 9162 leaf hash of ``encode()``."""
        return merkle.leaf_hash(self.encode())

    @classmethod
    def decode(cls, data: bytes) -> BatchLeaf:
        """Return the leaf that ``data`` encodes. Raises MalformedError for any other bytes."""
        if len(data) != LEAF_BYTES:
            raise MalformedError(f"a batch leaf is {LEAF_BYTES} bytes", actual=len(data))
        form, code, kind, version, key, second, fingerprint, total, borne = _LEAF.unpack(data)
        if form != LEAF_FORMAT:
            raise MalformedError("batch leaf has an unknown format", expected=1, actual=form)
        try:
            text = code.rstrip(b"\x00").decode("ascii")
            record_kind = RecordKind(kind)
        except ValueError as error:
            raise MalformedError("batch leaf has an unknown kind or institution code") from error
        return cls(text, record_kind, version, key, second, fingerprint, total, borne)


def batch_head(
    institution_number: int, sequence: int, previous_head: bytes, root: bytes, size: int
) -> bytes:
    """Return the 32-byte head that the ledger stores for a batch.

    ``sequence`` counts an institution's batches from 1; the previous head of the first is zero.
    Raises MalformedError when a number is out of range or a hash is not 32 bytes.
    """
    _check_range("institution number", institution_number, 1, 2**16 - 1)
    _check_range("batch sequence", sequence, 1, MAX_SEQUENCE)
    _check_range("batch size", size, 1, MAX_BATCH)
    _check_hash("previous head", previous_head)
    _check_hash("batch root", root)
    if (sequence == 1) != (previous_head == _ZERO_HASH):
        raise MalformedError("the first batch, and no other, has a zero previous head")
    numbers = institution_number.to_bytes(2, "big") + sequence.to_bytes(4, "big")
    message = _HEAD_TAG + numbers + previous_head + root + size.to_bytes(2, "big")
    return hashlib.sha256(message).digest()


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise MalformedError(f"{name} is not between {low} and {high}")


def _check_hash(name: str, value: bytes) -> None:
    if not isinstance(value, bytes) or len(value) != merkle.HASH_BYTES:
        raise MalformedError(f"{name} is not {merkle.HASH_BYTES} bytes")
