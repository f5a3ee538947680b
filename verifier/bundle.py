"""The evidence bundle: untrusted bytes, parsed once into frozen types (SPEC.md B1).

Parsing decides only whether the bytes are a bundle. Whether it tells the truth is the checks'
business, so that a changed value is refuted by name and not lost as unreadable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from verifier.commitment import leaves as commitment_leaves
from verifier.commitment.batch import MAX_FEN
from verifier.commitment.canonical import ParsedValue, parse_canonical
from verifier.errors import MalformedError
from verifier.reading import ObjectReader, parse_hex

FORMAT: Final = "yichu-evidence-1"
FORMAT_OF_VERSIONS: Final = "yichu-evidence-2"
MAX_BYTES: Final = 16 * 1024 * 1024
MAX_DEPTH: Final = 16
MAX_PROOF_NODES: Final = 64
MAX_POLICY_BYTES: Final = 1024 * 1024
MAX_FURTHER: Final = 64

CUSTODY_MODES: Final = ("self-custody", "custodial")
CLOSING_KINDS: Final = ("settle", "release")


@dataclass(frozen=True, slots=True)
class DisclosedLeaf:
    """A leaf as the bundle shows it: open with salt and value, or hidden behind its hash.

    ``kind`` 0 stands for a hidden leaf; then ``salt`` is its hash and ``value`` an empty text.
    """

    path: str
    kind: int
    salt: bytes
    value: ParsedValue

    @property
    def is_hidden(self) -> bool:
        return self.kind == 0


@dataclass(frozen=True, slots=True)
class LeafFields:
    """The stated fields of the batch leaf, not yet known to be one."""

    institution_code: str
    kind: int
    key_version: int
    invoice_key: bytes
    second_key: bytes
    fingerprint: bytes
    total_fen: int
    borne_fen: int


@dataclass(frozen=True, slots=True)
class BatchPlace:
    """The stated batch and the leaf's place in it."""

    institution_number: int
    sequence: int
    previous_head: bytes
    root: bytes
    size: int
    leaf_index: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class EventPlace:
    """The transaction that is said to hold an event, and the block it is said to be in."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the batch was anchored, by which account, and who held its key."""

    place: EventPlace
    account: bytes
    custody: str


@dataclass(frozen=True, slots=True)
class Closing:
    """How the claim ended: ``settle`` with an amount in fen, or ``release`` as a refusal."""

    kind: str
    amount_fen: int
    decision_version: int
    place: EventPlace


@dataclass(frozen=True, slots=True)
class ClaimPlace:
    """The claim (invoice key, payer, counter) on the ledger."""

    payer_number: int
    counter: int
    lodge: EventPlace
    closing: Closing


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision's leaves with the fingerprint and the policy pack that they are said to have."""

    fingerprint: bytes
    leaves: tuple[DisclosedLeaf, ...]
    policy_hash: bytes
    policy_text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal of the claim before it came back under another lodge counter."""

    counter: int
    decision_version: int
    lodge: EventPlace
    release: EventPlace
    decided: Decided


@dataclass(frozen=True, slots=True)
class Supplement:
    """A further payment of ``amount_fen`` after the settlement, by a later decision version."""

    amount_fen: int
    decision_version: int
    place: EventPlace
    decided: Decided


@dataclass(frozen=True, slots=True)
class Recovery:
    """Money that the payer took back, under a number of its own."""

    number: bytes
    amount_fen: int
    place: EventPlace


@dataclass(frozen=True, slots=True)
class Bundle:
    """One parsed evidence bundle. Format 1 has no earlier, later and recoveries."""

    invoice_leaves: tuple[DisclosedLeaf, ...]
    leaf_fields: LeafFields
    batch: BatchPlace
    anchor: Anchor
    claim: ClaimPlace
    decided: Decided
    earlier: tuple[Refusal, ...] = ()
    later: tuple[Supplement, ...] = ()
    recoveries: tuple[Recovery, ...] = ()


_FURTHER_NAMES: Final = ("earlier", "later", "recoveries")


def parse_bundle(data: bytes) -> Bundle:
    """Return the bundle that ``data`` spells. Raises MalformedError, naming the place."""
    names = (
        "format", "invoice", "batch_leaf", "batch", "anchor", "claim", "decision", "policy",
    )  # fmt: skip
    value = parse_canonical(data, MAX_BYTES, MAX_DEPTH)
    has_versions = isinstance(value, dict) and value.get("format") == FORMAT_OF_VERSIONS
    top = ObjectReader(value, "bundle", names, _FURTHER_NAMES if has_versions else ())
    top.choice("format", (FORMAT, FORMAT_OF_VERSIONS))
    if has_versions and not any(top.has(name) for name in _FURTHER_NAMES):
        raise MalformedError(f"bundle of format {FORMAT_OF_VERSIONS} has no further versions")
    invoice = ObjectReader(top.value("invoice"), "invoice", ("leaves",))
    return Bundle(
        invoice_leaves=_leaves(invoice),
        leaf_fields=_leaf_fields(top.value("batch_leaf")),
        batch=_batch(top.value("batch")),
        anchor=_anchor(top.value("anchor")),
        claim=_claim(top.value("claim")),
        decided=_decided(top, ""),
        earlier=tuple(_refusal(entry, where) for entry, where in _further(top, "earlier")),
        later=tuple(_supplement(entry, where) for entry, where in _further(top, "later")),
        recoveries=tuple(_recovery(entry, where) for entry, where in _further(top, "recoveries")),
    )


def _further(top: ObjectReader, name: str) -> list[tuple[ParsedValue, str]]:
    if not top.has(name):
        return []
    entries = top.array(name, MAX_FURTHER)
    if not entries:
        raise MalformedError(f"{name} is empty")
    return [(entry, f"{name}[{index}]") for index, entry in enumerate(entries)]


def _decided(reader: ObjectReader, prefix: str) -> Decided:
    decision = ObjectReader(
        reader.value("decision"), f"{prefix}decision", ("fingerprint", "leaves")
    )
    policy = ObjectReader(reader.value("policy"), f"{prefix}policy", ("hash", "text"))
    policy_text = policy.text("text")
    if len(policy_text.encode("utf-8")) > MAX_POLICY_BYTES:
        raise MalformedError(f"{policy.place('text')} is longer than {MAX_POLICY_BYTES} bytes")
    return Decided(
        fingerprint=decision.hexadecimal("fingerprint", 32),
        leaves=_leaves(decision),
        policy_hash=policy.hexadecimal("hash", 32),
        policy_text=policy_text,
    )


def _refusal(value: ParsedValue, where: str) -> Refusal:
    names = ("counter", "decision_version", "lodge", "release", "decision", "policy")
    reader = ObjectReader(value, where, names)
    return Refusal(
        counter=reader.integer("counter", 1, 65_535),
        decision_version=reader.integer("decision_version", 1, 65_535),
        lodge=_place(reader, "lodge"),
        release=_place(reader, "release"),
        decided=_decided(reader, f"{where}."),
    )


def _supplement(value: ParsedValue, where: str) -> Supplement:
    names = ("amount_fen", "decision_version", "supplement", "decision", "policy")
    reader = ObjectReader(value, where, names)
    return Supplement(
        amount_fen=reader.integer("amount_fen", 0, MAX_FEN),
        decision_version=reader.integer("decision_version", 1, 65_535),
        place=_place(reader, "supplement"),
        decided=_decided(reader, f"{where}."),
    )


def _recovery(value: ParsedValue, where: str) -> Recovery:
    reader = ObjectReader(value, where, ("number", "amount_fen", "event"))
    return Recovery(
        number=reader.hexadecimal("number", 32),
        amount_fen=reader.integer("amount_fen", 0, MAX_FEN),
        place=_place(reader, "event"),
    )


def _leaves(reader: ObjectReader) -> tuple[DisclosedLeaf, ...]:
    entries = reader.array("leaves", commitment_leaves.MAX_LEAVES)
    where = reader.place("leaves")
    return tuple(_leaf(entry, f"{where}[{index}]") for index, entry in enumerate(entries))


def _leaf(value: ParsedValue, where: str) -> DisclosedLeaf:
    if isinstance(value, dict) and "hash" in value:
        hidden = ObjectReader(value, where, ("path", "hash"))
        return DisclosedLeaf(hidden.text("path"), 0, hidden.hexadecimal("hash", 32), "")
    leaf = ObjectReader(value, where, ("path", "kind", "salt", "value"))
    return DisclosedLeaf(
        path=leaf.text("path"),
        kind=leaf.integer("kind", 1, 3),
        salt=leaf.hexadecimal("salt", commitment_leaves.SALT_BYTES),
        value=leaf.value("value"),
    )


def _leaf_fields(value: ParsedValue) -> LeafFields:
    names = (
        "institution_code", "kind", "key_version", "invoice_key", "second_key", "fingerprint",
        "total_fen", "borne_fen",
    )  # fmt: skip
    reader = ObjectReader(value, "batch_leaf", names)
    return LeafFields(
        institution_code=reader.text("institution_code"),
        kind=reader.integer("kind"),
        key_version=reader.integer("key_version"),
        invoice_key=reader.hexadecimal("invoice_key", 32),
        second_key=reader.hexadecimal("second_key", 32),
        fingerprint=reader.hexadecimal("fingerprint", 32),
        total_fen=reader.integer("total_fen"),
        borne_fen=reader.integer("borne_fen"),
    )


def _batch(value: ParsedValue) -> BatchPlace:
    names = (
        "institution_number", "sequence", "previous_head", "root", "size", "leaf_index", "proof",
    )  # fmt: skip
    reader = ObjectReader(value, "batch", names)
    nodes = reader.array("proof", MAX_PROOF_NODES)
    return BatchPlace(
        institution_number=reader.integer("institution_number"),
        sequence=reader.integer("sequence"),
        previous_head=reader.hexadecimal("previous_head", 32),
        root=reader.hexadecimal("root", 32),
        size=reader.integer("size"),
        leaf_index=reader.integer("leaf_index"),
        proof=tuple(parse_hex(n, 32, f"batch.proof[{i}]") for i, n in enumerate(nodes)),
    )


_EVENT_NAMES: Final = ("tx_hash", "block_number", "block_hash")


def _event(reader: ObjectReader) -> EventPlace:
    return EventPlace(
        tx_hash=reader.hexadecimal("tx_hash", 32),
        block_number=reader.integer("block_number"),
        block_hash=reader.hexadecimal("block_hash", 32),
    )


def _place(reader: ObjectReader, name: str) -> EventPlace:
    return _event(ObjectReader(reader.value(name), reader.place(name), _EVENT_NAMES))


def _anchor(value: ParsedValue) -> Anchor:
    reader = ObjectReader(value, "anchor", (*_EVENT_NAMES, "account", "custody"))
    return Anchor(
        place=_event(reader),
        account=reader.hexadecimal("account", 20),
        custody=reader.choice("custody", CUSTODY_MODES),
    )


def _claim(value: ParsedValue) -> ClaimPlace:
    reader = ObjectReader(value, "claim", ("payer_number", "counter", "lodge", "closing"))
    closing_names = (*_EVENT_NAMES, "kind", "amount_fen", "decision_version")
    closing = ObjectReader(reader.value("closing"), "claim.closing", closing_names)
    return ClaimPlace(
        payer_number=reader.integer("payer_number", 1, 64),
        counter=reader.integer("counter", 1, 65_535),
        lodge=_place(reader, "lodge"),
        closing=Closing(
            kind=closing.choice("kind", CLOSING_KINDS),
            amount_fen=closing.integer("amount_fen", 0, MAX_FEN),
            decision_version=closing.integer("decision_version", 1, 65_535),
            place=_event(closing),
        ),
    )
