"""Block headers as raw JSON-RPC gives them: their exact bytes, and who signed them.

Libraries rename or cut the extra data of permissioned chains (reference T22), and a header that is
believed must hash to what it is called; so it is taken apart here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import rlp
from eth_keys import keys
from eth_keys.exceptions import BadSignature, ValidationError
from eth_utils.crypto import keccak

from backend.domain.errors import DomainError

SIGNATURE_BYTES: Final = 65
_EXTRA: Final = 12
_NUMBERS: Final = frozenset(
    ("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed",
     "excessBlobGas")
)  # fmt: skip
_FIELDS: Final = (
    "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot",
    "logsBloom", "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData",
    "mixHash", "nonce",
)  # fmt: skip
#: Each of these came with a later fork, in this order; a chain has a beginning of the list.
_LATER_FIELDS: Final = (
    "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot",
    "requestsHash",
)  # fmt: skip


class HeaderError(DomainError):
    """A header that cannot be read, or is not what it is called."""

    code = "bad-header"

    def __init__(self, en: str) -> None:
        super().__init__(f"区块头无法采信：{en}", f"a block header cannot be believed: {en}")
        self.reason = en


@dataclass(frozen=True, slots=True)
class Header:
    """A header: what it is called (``hash``), and the items that are hashed."""

    number: int
    hash: bytes
    parent_hash: bytes
    miner: bytes
    nonce: bytes
    extra_data: bytes
    items: tuple[bytes, ...]

    @classmethod
    def parse(cls, block: Any) -> Header:
        """From ``eth_getBlockByNumber``; raises HeaderError."""
        if not isinstance(block, Mapping):
            raise HeaderError("there is no such block")
        try:
            items = [_item(name, block[name]) for name in _FIELDS]
            for name in _LATER_FIELDS:
                if block.get(name) is None:
                    break
                items.append(_item(name, block[name]))
            stated = _bytes(block["hash"])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise HeaderError("a field is missing or is not hex") from error
        return cls(
            number=int.from_bytes(items[8], "big"),
            hash=stated,
            parent_hash=items[0],
            miner=items[2],
            nonce=items[14],
            extra_data=items[_EXTRA],
            items=tuple(items),
        )

    def digest(self, extra_data: bytes | None = None) -> bytes:
        """The hash of the header, with other extra data in place of its own if given."""
        items = list(self.items)
        if extra_data is not None:
            items[_EXTRA] = extra_data
        return bytes(keccak(rlp.encode(items)))


def recover_address(signature: bytes, digest: bytes) -> bytes:
    """Who signed; raises HeaderError. The signature is r, s and a recovery id of 0 or 1."""
    try:
        key = keys.Signature(signature).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError) as error:
        raise HeaderError("a seal is no signature") from error
    return bytes(key.to_canonical_address())


def _item(name: str, text: str) -> bytes:
    if name not in _NUMBERS:
        return _bytes(text)
    number = int(text, 16)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
