"""QBFT as Besu seals it: extra data, the hash that validators sign, and quorum.

Extra data is the RLP list [vanity, validators, vote, round, commit seals]. A commit seal signs the
header with the seals left out; a block is called by the hash with the round set to 0 as well
(Besu, BftBlockHashing and QbftExtraDataCodec).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import rlp

from backend.adapters.ledger.headers import SIGNATURE_BYTES, Header, HeaderError, recover_address

VALIDATORS_MAX: Final = 256
_ADDRESS: Final = 20


@dataclass(frozen=True, slots=True)
class SealedHeader:
    """A header of a QBFT chain with its extra data taken apart."""

    header: Header
    validators: frozenset[bytes]
    seals: tuple[bytes, ...]
    _items: tuple[Any, ...]

    @classmethod
    def parse(cls, header: Header) -> SealedHeader:
        """Raises HeaderError for extra data of another form, and when the name is another."""
        try:
            items = rlp.decode(header.extra_data)
            _vanity, validators, _vote, _round, seals = items
        except (rlp.exceptions.RLPException, ValueError, TypeError) as error:
            raise HeaderError("its extra data is not QBFT's") from error
        if not isinstance(validators, list) or not isinstance(seals, list):
            raise HeaderError("its extra data is not QBFT's")
        if max(len(validators), len(seals)) > VALIDATORS_MAX:
            raise HeaderError(f"it names more than {VALIDATORS_MAX} validators")
        if any(not isinstance(v, bytes) or len(v) != _ADDRESS for v in validators):
            raise HeaderError("a validator is no account")
        if any(not isinstance(s, bytes) or len(s) != SIGNATURE_BYTES for s in seals):
            raise HeaderError("a commit seal is no signature")
        sealed = cls(header, frozenset(validators), tuple(seals), tuple(items))
        if sealed.block_hash() != header.hash:
            raise HeaderError("it does not hash to what it is called")
        return sealed

    def block_hash(self) -> bytes:
        """What the chain calls this block: without seals, and with round 0."""
        if self.header.number == 0:
            return self.header.digest()
        vanity, validators, vote, _round, _seals = self._items
        return self.header.digest(rlp.encode([vanity, validators, vote, b"", []]))

    def commit_hash(self) -> bytes:
        """What the validators signed: without seals, with the round of their agreement."""
        vanity, validators, vote, number, _seals = self._items
        return self.header.digest(rlp.encode([vanity, validators, vote, number, []]))

    def committers(self) -> frozenset[bytes]:
        """Who signed, each once; raises HeaderError for a seal that is no signature."""
        digest = self.commit_hash()
        return frozenset(recover_address(seal, digest) for seal in self.seals)


def quorum(validators: int) -> int:
    """ceil(2n/3)."""
    return -(-2 * validators // 3)


def is_committed(sealed: SealedHeader, trusted: frozenset[bytes]) -> bool:
    """Whether a block is final for somebody who trusts an earlier set of validators.

    A quorum of the validators that the header itself lists must have signed, and among them more
    than a third of the trusted ones, of which one at least is then honest: so a node cannot pass
    off a chain of validators of its own.
    """
    signed = sealed.committers()
    own = signed & sealed.validators
    return (
        bool(sealed.validators)
        and len(own) >= quorum(len(sealed.validators))
        and 3 * len(own & trusted) > len(trusted)
    )
