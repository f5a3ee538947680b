"""The newest final block of a network, by its rule (protocol 5), from what its headers show."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from backend.adapters.ledger import clique, qbft
from backend.adapters.ledger.headers import Header, HeaderError
from backend.adapters.ledger.rpc import JSONRPC, RPCError
from backend.domain.finality import FinalityKind, FinalityRule
from backend.service_layer.ports import LedgerUnavailableError

#: Headers that one question about finality reads at most: after a start the answer grows.
HEADERS_A_CALL: Final = 2_000
_HEADERS_A_BATCH: Final = 200
#: Blocks that are kept for reorganisations; more than any number of signers needs.
WINDOW: Final = 256
_BISECTIONS_MAX: Final = 256


class Finality(Protocol):
    """One network's rule. Implementations are thread-safe."""

    def final_number(self) -> int:
        """The newest final block; raises LedgerUnavailableError when headers cannot be had."""
        ...


def build_finality(rule: FinalityRule, rpc: JSONRPC) -> Finality:
    """The reader for a rule."""
    if rule.kind is FinalityKind.CLIQUE:
        return CliqueFinality(rpc, rule.number)
    if rule.kind is FinalityKind.QBFT:
        return QBFTFinality(rpc)
    return BlocksFinality(rpc, rule.number)


def confirmations(rule: FinalityRule, rpc: JSONRPC) -> int:
    """For a reader that only counts blocks, the including one as the first: how many make a block
    final while the signers take turns as they should."""
    if rule.kind is FinalityKind.BLOCKS:
        return rule.number
    if rule.kind is FinalityKind.QBFT:
        return 1
    return clique.Signers(clique.checkpoint_signers(_fetch(rpc, ["0x0"])[0])).majority + 1


class BlocksFinality:
    """So many confirmations; the including block counts as the first."""

    def __init__(self, rpc: JSONRPC, confirmations: int) -> None:
        self._rpc = rpc
        self._confirmations = confirmations

    def final_number(self) -> int:
        try:
            head = int(self._rpc.call("eth_blockNumber"), 16)
        except (RPCError, TypeError, ValueError) as error:
            raise _unavailable(HeaderError("there is no block number")) from error
        return max(0, head - self._confirmations + 1)


class CliqueFinality:
    """Follows the headers since the last checkpoint and counts different sealers above a block.

    Every header must hash to its name and name its parent. Sealers are recovered where they
    decide: of votes, and of the newest blocks.
    """

    def __init__(self, rpc: JSONRPC, epoch: int) -> None:
        self._rpc = rpc
        self._epoch = epoch
        self._lock = threading.Lock()
        self._blocks: deque[clique.SealedBlock] = deque(maxlen=WINDOW)
        self._next_signers: clique.Signers | None = None
        #: Number and hash of the newest block that was followed.
        self._tip = (0, b"")
        self._sealers: dict[bytes, bytes] = {}
        self._final = 0

    def final_number(self) -> int:
        with self._lock:
            try:
                return self._advance()
            except HeaderError as error:
                self._forget()
                raise _unavailable(error) from error

    def _advance(self) -> int:
        head = _fetch(self._rpc, ["latest"])[0]
        if self._next_signers is not None and self._tip == (head.number, head.hash):
            return self._final
        self._leave_replaced_blocks(head)
        if self._next_signers is None:
            self._start(head)
        self._follow(head)
        self._sealers = {
            block.header.hash: self._sealers[block.header.hash]
            for block in self._blocks
            if block.header.hash in self._sealers
        }
        found = clique.final_number(self._blocks, self._sealers)
        self._final = 0 if found is None else found
        return self._final

    def _leave_replaced_blocks(self, head: Header) -> None:
        """Forget what is no longer on the chain."""
        while self._blocks:
            newest = self._blocks[-1].header
            if newest.number < head.number:
                if _fetch(self._rpc, [hex(newest.number)])[0].hash == newest.hash:
                    return
            elif newest.hash == head.hash:
                return
            self._next_signers = self._blocks.pop().signers
            self._tip = (newest.number - 1, newest.parent_hash)
        self._forget()

    def _start(self, head: Header) -> None:
        """From the newest checkpoint that leaves a window below the head."""
        number = max(0, head.number - WINDOW) // self._epoch * self._epoch
        checkpoint = _checked(_fetch(self._rpc, [hex(number)])[0])
        try:
            accounts = clique.checkpoint_signers(checkpoint)
        except HeaderError as error:
            raise HeaderError(
                f"{error.reason}: YICHU_FINALITY=clique:EPOCH must name the epoch of the network"
            ) from error
        self._next_signers = clique.Signers(accounts)
        if number:  # the genesis is sealed by nobody
            self._blocks.append(clique.SealedBlock(checkpoint, self._next_signers))
        self._tip = (number, checkpoint.hash)

    def _follow(self, head: Header) -> None:
        assert self._next_signers is not None, "there is a checkpoint"
        last = min(head.number, self._tip[0] + HEADERS_A_CALL)
        while self._tip[0] < last:
            first = self._tip[0] + 1
            until = min(last + 1, first + _HEADERS_A_BATCH)
            for header in _fetch(self._rpc, [hex(n) for n in range(first, until)]):
                if header.parent_hash != self._tip[1]:
                    return  # reorganised while reading: the next call starts from what is true
                following = self._next_signers.after(_checked(header), self._epoch)
                self._blocks.append(clique.SealedBlock(header, self._next_signers))
                self._next_signers = following
                self._tip = (header.number, header.hash)

    def _forget(self) -> None:
        self._blocks.clear()
        self._sealers.clear()
        self._next_signers = None


class QBFTFinality:
    """A block is final when a quorum of validators has sealed it, and it is served with seals.

    The validators are trusted from the genesis on; each newer header must be signed by more than
    a third of those trusted before, and where the set changed by more, headers between are read.
    """

    def __init__(self, rpc: JSONRPC) -> None:
        self._rpc = rpc
        self._lock = threading.Lock()
        self._trusted: frozenset[bytes] = frozenset()
        self._number = 0
        self._hash = b""

    def final_number(self) -> int:
        with self._lock:
            try:
                return self._advance()
            except HeaderError as error:
                raise _unavailable(error) from error

    def _advance(self) -> int:
        head = _fetch(self._rpc, ["latest"])[0]
        if head.hash == self._hash:
            return self._number
        if not self._trusted:
            genesis = qbft.SealedHeader.parse(_fetch(self._rpc, ["0x0"])[0])
            if not genesis.validators:
                raise HeaderError(
                    "the genesis lists no validators (they are kept in a contract): "
                    "set YICHU_FINALITY=blocks:1, which believes the node"
                )
            self._trusted = genesis.validators
        if head.number <= self._number:
            return self._number  # a node that is behind; final blocks do not go away
        waiting = [qbft.SealedHeader.parse(head)]
        while waiting and len(waiting) < _BISECTIONS_MAX:
            target = waiting[-1]
            if qbft.is_committed(target, self._trusted):
                self._trusted = target.validators
                self._number, self._hash = target.header.number, target.header.hash
                waiting.pop()
                continue
            middle = (self._number + target.header.number) // 2
            if middle == self._number:
                raise HeaderError(
                    f"block {target.header.number} lacks the commit seals of its validators"
                )
            waiting.append(qbft.SealedHeader.parse(_fetch(self._rpc, [hex(middle)])[0]))
        return self._number


def _fetch(rpc: JSONRPC, tags: Sequence[str]) -> list[Header]:
    """Headers of one node, each of the number that was asked for."""
    try:
        answers = rpc.batch([("eth_getBlockByNumber", [tag, False]) for tag in tags])
    except RPCError as error:
        raise HeaderError(f"the node refuses it: {error.message}") from error
    headers = [Header.parse(answer) for answer in answers]
    for tag, header in zip(tags, headers, strict=True):
        if tag != "latest" and header.number != int(tag, 16):
            raise HeaderError("the node answered with another block than was asked for")
    return headers


def _checked(header: Header) -> Header:
    if header.digest() != header.hash:
        raise HeaderError(f"block {header.number} does not hash to what it is called")
    return header


def _unavailable(error: HeaderError) -> LedgerUnavailableError:
    return LedgerUnavailableError(
        f"无法判断终局：{error.reason}。请运行 yichu contracts doctor",
        f"finality cannot be judged: {error.reason}; run yichu contracts doctor",
    )
