"""Clique (EIP-225): who sealed a block, who may seal, and which block is final.

The rule of finality is ours: Clique itself has none, its heaviest chain wins. Of n signers, the
fewer than half that a cut or a fault leaves alone cannot seal on with floor(n/2) + 1 different
seals, so a block on which that many different signers have built is kept by every later chain of
honest signers.

Signers come from the header's own bytes: a checkpoint (every epoch, and the genesis) lists them,
and the votes of the headers after it change the list as in EIP-225.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backend.adapters.ledger.headers import SIGNATURE_BYTES, Header, HeaderError, recover_address

_VANITY: Final = 32
_ADDRESS: Final = 20
_NOBODY: Final = bytes(_ADDRESS)
_NONCE_ADD: Final = b"\xff" * 8
_NONCE_DROP: Final = bytes(8)


def sealer_of(header: Header) -> bytes:
    """The account whose seal ends the extra data; raises HeaderError."""
    extra = header.extra_data
    if len(extra) < _VANITY + SIGNATURE_BYTES:
        raise HeaderError("its extra data has no room for a Clique seal")
    unsealed = header.digest(extra[:-SIGNATURE_BYTES])
    return recover_address(extra[-SIGNATURE_BYTES:], unsealed)


def checkpoint_signers(header: Header) -> frozenset[bytes]:
    """The signers that a checkpoint lists; raises HeaderError when it is none."""
    listed = header.extra_data[_VANITY:-SIGNATURE_BYTES]
    if not listed or len(listed) % _ADDRESS:
        raise HeaderError(f"block {header.number} lists no Clique signers")
    return frozenset(listed[i : i + _ADDRESS] for i in range(0, len(listed), _ADDRESS))


@dataclass(frozen=True, slots=True)
class Vote:
    """One signer's open vote to add or drop an account."""

    signer: bytes
    account: bytes


@dataclass(frozen=True, slots=True)
class Signers:
    """Who may seal the next block, and the open votes."""

    accounts: frozenset[bytes]
    votes: tuple[Vote, ...] = ()

    @property
    def majority(self) -> int:
        """floor(n/2) + 1."""
        return len(self.accounts) // 2 + 1

    def after(self, header: Header, epoch: int) -> Signers:
        """The signers after a block, as EIP-225 counts votes; raises HeaderError."""
        votes = () if header.number % epoch == 0 else self.votes
        account = header.miner
        if account == _NOBODY:  # no vote: the beneficiary names whom a vote is about
            return Signers(self.accounts, votes)
        if header.nonce not in (_NONCE_ADD, _NONCE_DROP):
            raise HeaderError("its nonce is no Clique vote")
        signer = sealer_of(header)
        if signer not in self.accounts:
            raise HeaderError("its vote is not a signer's")
        votes = tuple(v for v in votes if v != Vote(signer, account))
        is_member = account in self.accounts
        if is_member == (header.nonce == _NONCE_DROP):
            votes += (Vote(signer, account),)
        if sum(vote.account == account for vote in votes) < self.majority:
            return Signers(self.accounts, votes)
        accounts = self.accounts - {account} if is_member else self.accounts | {account}
        # A dropped signer's own votes fall with it, and the votes about the account are done.
        votes = tuple(v for v in votes if account not in (v.signer, v.account))
        return Signers(accounts, votes)


@dataclass(frozen=True, slots=True)
class SealedBlock:
    """A block with who might seal it; its sealer is recovered when it is asked for."""

    header: Header
    signers: Signers


def final_number(blocks: Sequence[SealedBlock], sealers: dict[bytes, bytes]) -> int | None:
    """The newest block in a row (ascending) on which a majority of different signers has built.

    ``sealers`` keeps what was recovered, by block hash. None when too few blocks are given.
    Raises HeaderError for a block that none of its signers sealed.
    """
    found: set[bytes] = set()
    needed = 0
    for block in reversed(blocks):
        header = block.header
        if header.hash not in sealers:
            sealers[header.hash] = sealer_of(header)
        sealer = sealers[header.hash]
        if sealer not in block.signers.accounts:
            raise HeaderError(f"block {header.number} was sealed by somebody who is no signer")
        found.add(sealer)
        needed = max(needed, block.signers.majority)
        if len(found) >= needed:
            return header.number - 1
    return None
