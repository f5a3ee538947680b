"""What the agent checks before it signs: everything that it can know from its own documents.

Pure. It cannot check invoice keys, which need the network key; it holds every key to the one that
it was first given for that number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.adapters.ledger.transactions import encode_intents
from backend.domain.ledger import IntentKind, LeafPosition
from backend.service_layer.anchoring.model import UnsignedTransaction
from scripts.hospital_agent.store import AgentStore, OwnDocument
from verifier.commitment import merkle
from verifier.commitment.batch import BatchLeaf, RecordKind, batch_head
from verifier.errors import VerificationError

GAS_MAX: Final = 30_000_000


class OfferRefusedError(Exception):
    """The agent does not sign this; the text says what differs."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """What the hospital was told out of band and never takes from an offer."""

    institution_code: str
    institution_number: int
    chain_id: int
    contract: str
    account: str


def check_offer(offer: Mapping[str, Any], pinned: Pinned, store: AgentStore) -> UnsignedTransaction:
    """The transaction to sign; raises OfferRefusedError naming the first thing that is wrong."""
    unsigned = _transaction(offer, pinned)
    kind = IntentKind(offer["kind"])
    if kind not in _CHECKS:
        raise OfferRefusedError(f"a hospital does not sign {kind}")
    if not offer["items"]:
        raise OfferRefusedError("the offer has no items")
    payloads = []
    for item in offer["items"]:
        if item["kind"] != kind:
            raise OfferRefusedError("the offer mixes kinds of calls")
        payloads.append(_CHECKS[kind](item, pinned, store))
    data = encode_intents(kind, payloads, pinned.contract).data
    if data != unsigned.data:
        raise OfferRefusedError("the call data are not those of the checked items")
    return unsigned


def _transaction(offer: Mapping[str, Any], pinned: Pinned) -> UnsignedTransaction:
    fields = dict(offer["transaction"])
    unsigned = UnsignedTransaction(**(fields | {"data": bytes.fromhex(fields["data"])}))
    for is_same, name in (
        (unsigned.chain_id == pinned.chain_id, "chain id"),
        (unsigned.to.lower() == pinned.contract.lower(), "contract address"),
        (unsigned.value == 0, "value"),
        (str(offer["account"]).lower() == pinned.account.lower(), "account"),
        (0 < unsigned.gas <= GAS_MAX, "gas limit"),
    ):
        if not is_same:
            raise OfferRefusedError(f"the {name} of the offered transaction is not the pinned one")
    return unsigned


def _check_anchor(item: Mapping[str, Any], pinned: Pinned, store: AgentStore) -> dict[str, Any]:
    payload = item["payload"]
    leaves = item["leaves"]
    hashes = [_own_leaf(row, pinned, store).hash() for row in leaves]
    if len(hashes) != payload["size"]:
        raise OfferRefusedError(
            f"the batch names {len(hashes)} leaves and a size of {payload['size']}"
        )
    if len(set(hashes)) != len(hashes):
        raise OfferRefusedError("the batch names a leaf twice")
    root = merkle.root_hash(hashes)
    if root.hex() != payload["root"]:
        raise OfferRefusedError("the batch root is not the root of our own documents")
    sequence, previous = payload["sequence"], bytes.fromhex(payload["previous_head"])
    known = bytes(32) if sequence == 1 else store.head_of(sequence - 1)
    if known is None:
        raise OfferRefusedError(f"we signed no batch {sequence - 1} before this one")
    if known != previous:
        raise OfferRefusedError("the batch does not follow the last one that we signed")
    try:
        head = batch_head(pinned.institution_number, sequence, previous, root, len(hashes))
    except VerificationError as error:
        raise OfferRefusedError(f"the batch is malformed: {error}") from error
    before = store.head_of(sequence)
    if before is not None and before != head:
        raise OfferRefusedError(f"we signed another batch {sequence} before")
    return {
        "sequence": sequence,
        "previous_head": payload["previous_head"],
        "root": root.hex(),
        "size": len(hashes),
    }


def head_of_anchor(offer: Mapping[str, Any], pinned: Pinned) -> tuple[int, bytes]:
    """Sequence and head of a checked anchor offer, to be kept when it is signed."""
    payload = offer["items"][0]["payload"]
    return payload["sequence"], batch_head(
        pinned.institution_number,
        payload["sequence"],
        bytes.fromhex(payload["previous_head"]),
        bytes.fromhex(payload["root"]),
        payload["size"],
    )


def _own_leaf(row: Mapping[str, Any], pinned: Pinned, store: AgentStore) -> BatchLeaf:
    """The leaf of one row of an offered batch, made from our own document."""
    document = _sent_as(row, store)
    if document is None or (document.code, document.number) != (
        row["EinvoiceCode"],
        row["EinvoiceNumber"],
    ):
        raise OfferRefusedError("the batch holds a leaf that is not ours")
    return _leaf(
        document,
        pinned,
        store,
        key_version=int(row["key_version"]),
        invoice_key=bytes.fromhex(row["invoice_key"]),
        second_key=bytes.fromhex(row["second_key"]),
    )


def _sent_as(row: Mapping[str, Any], store: AgentStore) -> OwnDocument | None:
    """Our document of this version. An upload whose answer never reached us (the agent was
    stopped, the line broke) is stored there and unacknowledged here: where it is the only such
    document of its number, this row is its acknowledgement. The root, made from our own
    fingerprint, shows whether that is true."""
    invoice_id, version = str(row["id"]), int(row["version"])
    document = store.of_version(invoice_id, version)
    if document is not None:
        return document
    number = (str(row["EinvoiceCode"]), str(row["EinvoiceNumber"]))
    unanswered = [sent for sent in store.of_number(*number) if sent.invoice_id is None]
    return unanswered[0] if len(unanswered) == 1 else None


def _leaf(
    document: OwnDocument,
    pinned: Pinned,
    store: AgentStore,
    *,
    key_version: int,
    invoice_key: bytes,
    second_key: bytes,
) -> BatchLeaf:
    if store.keep_pair(document.code, document.number, invoice_key) != invoice_key:
        raise OfferRefusedError("a number has another invoice key than before")
    if document.second_number:
        pair = (document.second_code, document.second_number)
        if store.keep_pair(*pair, second_key) != second_key:
            raise OfferRefusedError("a second number has another invoice key than before")
    elif second_key != bytes(32):
        raise OfferRefusedError("a bill with one number has a second key")
    try:
        return BatchLeaf(
            institution_code=pinned.institution_code,
            kind=RecordKind(document.kind),
            key_version=key_version,
            invoice_key=invoice_key,
            second_key=second_key,
            fingerprint=document.fingerprint,
            total_fen=document.total_fen,
            borne_fen=document.borne_fen,
        )
    except VerificationError as error:
        raise OfferRefusedError(f"a leaf is malformed: {error}") from error


def _own_position(
    payload: Mapping[str, Any], pinned: Pinned, store: AgentStore
) -> tuple[LeafPosition, OwnDocument]:
    """A leaf's place, checked: our document, our batch, and a proof that holds."""
    position = LeafPosition.from_payload(dict(payload))
    if position.institution_number != pinned.institution_number:
        raise OfferRefusedError("the leaf stands in another institution's batch")
    try:
        offered = BatchLeaf.decode(position.leaf)
        document = store.of_fingerprint(offered.fingerprint)
        if document is None:
            raise OfferRefusedError("the call names a leaf that is not ours")
        own = _leaf(
            document,
            pinned,
            store,
            key_version=offered.key_version,
            invoice_key=offered.invoice_key,
            second_key=offered.second_key,
        )
        if own != offered:
            raise OfferRefusedError("the call names a leaf that is not that of our document")
        head = batch_head(
            position.institution_number,
            position.sequence,
            position.previous_head,
            position.root,
            position.size,
        )
        if store.head_of(position.sequence) != head:
            raise OfferRefusedError("the call names a batch that we did not sign")
        merkle.verify_inclusion(
            own.hash(), position.leaf_index, position.size, position.proof, position.root
        )
    except VerificationError as error:
        raise OfferRefusedError(f"the proof of a leaf does not hold: {error}") from error
    return position, document


def _check_supersede(item: Mapping[str, Any], pinned: Pinned, store: AgentStore) -> dict[str, Any]:
    old, was = _own_position(item["payload"]["old"], pinned, store)
    new, now = _own_position(item["payload"]["new"], pinned, store)
    if (was.code, was.number) != (now.code, now.number):
        raise OfferRefusedError("the correction joins two different bills")
    if (was.version or 0) >= (now.version or 0):
        raise OfferRefusedError("the correction would replace a newer version by an older one")
    return {"old": old.to_payload(), "new": new.to_payload()}


def _check_void(item: Mapping[str, Any], pinned: Pinned, store: AgentStore) -> dict[str, Any]:
    position, document = _own_position(item["payload"]["position"], pinned, store)
    if not store.wished("void", document.code, document.number):
        raise OfferRefusedError("we did not ask to void this bill")
    return {"position": position.to_payload(), "reason": item["payload"]["reason"]}


def _check_reverse(item: Mapping[str, Any], pinned: Pinned, store: AgentStore) -> dict[str, Any]:
    original, document = _own_position(item["payload"]["original"], pinned, store)
    red, red_document = _own_position(item["payload"]["red"], pinned, store)
    named = (red_document.original_code, red_document.original_number)
    if red_document.kind != RecordKind.RED or named != (document.code, document.number):
        raise OfferRefusedError("our red bill does not name this original")
    return {"original": original.to_payload(), "red": red.to_payload()}


_CHECKS: Final = {
    IntentKind.ANCHOR: _check_anchor,
    IntentKind.SUPERSEDE: _check_supersede,
    IntentKind.VOID: _check_void,
    IntentKind.REVERSE: _check_reverse,
}
