"""The invoice key: a keyed hash of the bill's own number (SPEC.md A5)."""

from __future__ import annotations

import hmac
from typing import Final

from verifier.errors import MalformedError

NETWORK_KEY_BYTES: Final = 32

_KEY_TAG: Final = b"yichu-invoice-key/1\x00"
#: Digits of the code and of the number -> shape tag. The tag keeps equal digit strings of
#: different forms apart; nothing else of the document (file format, type, check code) enters.
_SHAPES: Final = {(8, 10): "8+10", (12, 8): "12+8", (0, 20): "20"}


def number_shape(code: str, number: str) -> tuple[str, str]:
    """Return the shape tag and the joined digits of a bill's code and number.

    ``code`` is empty for a 20-digit number. Leading zeros are kept.
    Raises MalformedError for any other shape and for anything but the ASCII digits 0 to 9.
    """
    digits = code + number
    if not (digits.isascii() and digits.isdigit()):
        raise MalformedError("a bill's code and number consist of the ASCII digits 0 to 9")
    shape = _SHAPES.get((len(code), len(number)))
    if shape is None:
        raise MalformedError(
            "a bill's code and number have 8 and 10, 12 and 8, or no and 20 digits",
            actual=f"{len(code)} and {len(number)}",
        )
    return shape, digits


def compute_invoice_key(network_key: bytes, code: str, number: str) -> bytes:
    """Return the 32-byte key of the bill ``code``, ``number`` under the 32-byte network key.

    Raises MalformedError as ``number_shape`` does, and for a network key of another length.
    """
    if len(network_key) != NETWORK_KEY_BYTES:
        raise MalformedError(f"a network key is {NETWORK_KEY_BYTES} bytes", actual=len(network_key))
    shape, digits = number_shape(code, number)
    message = _KEY_TAG + shape.encode("ascii") + b"\x00" + digits.encode("ascii")
    return hmac.digest(network_key, message, "sha256")
