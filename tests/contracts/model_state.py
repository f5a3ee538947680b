"""What the model of the invoice ledger holds: dictionaries and integers, and how they are read.

Written from the comments of the interface, not from the contract's code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tests.contracts.bills import ALIAS, MOVED, PINNED, Call, Outcome
from tests.contracts.model_registry import ModelRegistry
from verifier.commitment import merkle
from verifier.errors import VerificationError

DAY = 86_400
MAX_LOCK = 180 * DAY
EXPIRY_GRACE = 7 * DAY
AMOUNT_MAX = 2**40 - 1
ZERO = bytes(32)
NOBODY = (0, 0)

Holder = tuple[int, int]
Check = tuple[object, Outcome] | tuple[object, Outcome, Holder]
Checks = Iterator[Check]


@dataclass(frozen=True, slots=True)
class Slot:
    """What one invoice key has on the ledger."""

    total: int = 0
    paid: int = 0
    reference: int = 0
    deadline: int = 0
    payer: int = 0
    counter: int = 0
    flags: int = 0
    settled: int = 0

    @property
    def word(self) -> int:
        """The published layout, low bit first."""
        fields = (
            (self.total, 40),
            (self.paid, 40),
            (self.reference, 48),
            (self.deadline, 32),
            (self.payer, 8),
            (self.counter, 16),
            (self.flags, 8),
            (self.settled, 64),
        )
        word = at = 0
        for value, width in fields:
            assert 0 <= value < 1 << width
            word |= value << at
            at += width
        return word

    @property
    def claim(self) -> Holder:
        return (self.payer, self.counter) if self.payer else NOBODY

    @property
    def lowest_settled(self) -> Holder:
        return ((self.settled & -self.settled).bit_length(), 0)

    def cleared(self) -> Slot:
        return Slot(counter=self.counter, flags=self.flags & MOVED)

    def unlocked(self) -> Slot:
        if not self.settled and not self.flags & PINNED:
            return self.cleared()
        return replace(self, deadline=0, payer=0)

    def bound(self, reference: int, leaf: Leaf) -> Slot:
        return replace(self.cleared(), total=leaf.total, paid=leaf.borne, reference=reference)

    def flagged(self, flags: int) -> Slot:
        return replace(self, flags=self.flags | flags)


class Leaf(NamedTuple):
    code: bytes
    kind: int
    key_version: int
    key: bytes
    second: bytes
    fingerprint: bytes
    total: int
    borne: int

    @property
    def hash(self) -> bytes:
        numbers = self.total.to_bytes(8, "big") + self.borne.to_bytes(8, "big")
        head = b"\x01" + self.code + bytes([self.kind]) + self.key_version.to_bytes(2, "big")
        return merkle.leaf_hash(head + self.key + self.second + self.fingerprint + numbers)


class Ref(NamedTuple):
    institution: int
    sequence: int
    previous: bytes
    root: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Who:
    """The caller of a call, as the registry knows it."""

    payer: int = 0
    institution: int = 0
    retired: bool = False
    suspended: bool = False
    paused: bool = False
    rivals: int = 0  # bits of the payers of which one settlement bars this payer
    is_basic: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a call with all that its checks look at."""

    call: Call
    who: Who
    key: bytes
    slot: Slot
    now: int
    content: tuple[Any, ...]
    counter: int = 0
    ref: Ref | None = None
    leaf: Leaf | None = None
    index: int = 0
    proof: tuple[bytes, ...] = ()
    batches: tuple[Ref, ...] = ()

    @property
    def reference(self) -> int:
        """The leaf that the item names, 0 when no leaf can be there."""
        return leaf_reference(self.ref, self.index) if self.ref else 0


def batch_head(ref: Ref) -> bytes:
    """By hand, since the verifier computes no head of a reference that cannot be."""
    place = ref.institution.to_bytes(2, "big") + ref.sequence.to_bytes(4, "big")
    content = place + ref.previous + ref.root + ref.size.to_bytes(2, "big")
    return hashlib.sha256(b"yichu-batch/1\0" + content).digest()


def leaf_reference(ref: Ref, index: int) -> int:
    if ref.sequence >= 1 << 22 or index >= 1 << 10:
        return 0
    return ref.institution << 32 | ref.sequence << 10 | index


def payer_bit(number: int) -> int:
    return 1 << (number - 1)


class Effect(NamedTuple):
    """What an item did: the event, the slot that the event shows, and the event's fields."""

    event: str
    shown: Slot
    value: int = 0
    version: int = 0
    rest: dict[str, Any] = {}  # noqa: RUF012 - never changed
    payer: int | None = None


@dataclass
class Books:
    """What one generation of the ledger holds."""

    registry: ModelRegistry
    generation: int = 1
    predecessor: Books | None = None
    slots: dict[bytes, Slot] = field(default_factory=dict)
    primaries: dict[bytes, bytes] = field(default_factory=dict)
    heads: dict[tuple[int, int], bytes] = field(default_factory=dict)
    recoveries: dict[bytes, tuple[int, bytes, int]] = field(default_factory=dict)

    # ------------------------------------------------------------------------------- reading

    def slot(self, key: bytes) -> Slot:
        """The slot as `slot` gives it."""
        if key in self.slots or self.predecessor is None:
            return self.slots.get(key, Slot())
        taken = self.predecessor.slot(key)
        if not taken.word:
            return taken
        return (taken.unlocked() if taken.payer else taken).flagged(MOVED)

    def live(self, key: bytes) -> Slot:
        """As `slot`; an alias whose bill is not bound to that leaf is as cleared."""
        slot = self.slot(key)
        if slot.flags & ALIAS and self.slot(self.primary(key)).reference != slot.reference:
            return slot.cleared()
        return slot

    def primary(self, key: bytes) -> bytes:
        found = self.primaries.get(key)
        if found is None:
            return self.predecessor.primary(key) if self.predecessor else ZERO
        return found

    def head(self, institution: int, sequence: int) -> bytes:
        found = self.heads.get((institution, sequence))
        if found is None:
            return self.predecessor.head(institution, sequence) if self.predecessor else ZERO
        return found

    def recovery(self, number: bytes) -> tuple[int, bytes, int] | None:
        if number in self.recoveries or self.predecessor is None:
            return self.recoveries.get(number)
        return self.predecessor.recovery(number)

    # ------------------------------------------------------------------------------- checks

    def bound_holder(self, key: bytes, slot: Slot) -> Holder:
        """The claim or payer that holds a bill bound to another leaf or under another key."""
        holder = self.slot(self.primary(key)) if slot.flags & ALIAS else slot
        return holder.claim if holder.payer else holder.lowest_settled

    def quarantined(self, reference: int) -> bool:
        return self.registry.is_quarantined(reference >> 32, reference >> 10 & 0x3FFFFF)

    def second_bound(self, leaf: Leaf) -> bool:
        """Whether the second key belongs to another bill."""
        second = self.live(leaf.second)
        if leaf.second == ZERO or not second.reference:
            return False
        return not second.flags & ALIAS or self.primary(leaf.second) != leaf.key

    def proof_checks(
        self, ref: Ref | None, leaf: Leaf, index: int, proof: tuple[bytes, ...], **options: Any
    ) -> Checks:
        """The batch opens, is not quarantined (where asked), is the caller's (where there is an
        issuer), its issuer has the leaf's code, and the proof leads to its root."""
        issuer: int = options.get("issuer", 0)
        opened = ref is not None and self._opens(ref)
        yield not opened, Outcome.BAD_BATCH
        assert ref is not None
        if options.get("quarantine"):
            yield self.registry.is_quarantined(ref.institution, ref.sequence), Outcome.QUARANTINED
        record = self.registry.institutions.get(ref.institution)
        yield issuer not in (0, ref.institution), Outcome.FOREIGN_LEAF
        yield record is None or leaf.code != record.code, Outcome.FOREIGN_LEAF
        yield not _included(ref, leaf, index, proof), Outcome.BAD_PROOF

    def _opens(self, ref: Ref) -> bool:
        stored = self.head(ref.institution, ref.sequence)
        return stored != ZERO and stored == batch_head(ref)

    def bind(self, item_slot: Slot, reference: int, leaf: Leaf) -> Slot:
        """Bind a leaf and mark its second key."""
        self.mark_second(reference, leaf)
        return item_slot.bound(reference, leaf)

    def mark_second(self, reference: int, leaf: Leaf) -> None:
        if leaf.second == ZERO:
            return
        cleared = self.slot(leaf.second).cleared()
        self.slots[leaf.second] = replace(cleared, reference=reference).flagged(ALIAS)
        self.primaries[leaf.second] = leaf.key


def _included(ref: Ref, leaf: Leaf, index: int, proof: tuple[bytes, ...]) -> bool:
    try:
        merkle.verify_inclusion(leaf.hash, index, ref.size, list(proof), ref.root)
    except VerificationError:
        return False
    return True
