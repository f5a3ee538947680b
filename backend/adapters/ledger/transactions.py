"""Encoding of intents into calls, and of calls into signed bytes and back.

Gas limits are fixed bounds, not estimates: an estimate is true of one state only, and between
estimate and inclusion the state changes. The bounds come from the measured costs (reference
anchoring, section 5: 41 to 48 thousand gas a lodge) with room for a second key and a full proof.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import rlp
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_keys.constants import SECPK1_N
from eth_keys.exceptions import BadSignature, ValidationError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from backend.adapters.ledger.codec import encode_call
from backend.domain.ledger import IntentKind, LeafPosition
from backend.service_layer.anchoring.model import (
    Call,
    MinedTransaction,
    SignedTransaction,
    UnsignedTransaction,
)
from backend.service_layer.anchoring.signing_offers import RawTransactionRefusedError
from verifier.commitment.batch import BatchLeaf

#: Where anything is quarantined, an institution's first item reads all of its ranges, up to 32 cold
#: words. What a call does not use is not charged.
GAS_BASE: Final = 160_000
_GAS_ITEM: Final[Mapping[IntentKind, int]] = {
    IntentKind.ANCHOR: 140_000,
    IntentKind.LODGE: 130_000,
    IntentKind.SETTLE: 90_000,
    IntentKind.RELEASE: 90_000,
    IntentKind.RENEW: 90_000,
    IntentKind.EXPIRE: 60_000,
    IntentKind.SUPERSEDE: 220_000,
    IntentKind.VOID: 160_000,
    IntentKind.REVERSE: 160_000,
    IntentKind.RULE: 240_000,
    IntentKind.SUPPLEMENT: 90_000,
    IntentKind.RECOVER: 90_000,
    IntentKind.EXCHANGE: 180_000,
    IntentKind.RETURN: 100_000,
}
_LEGACY_FIELDS: Final = 9
_ZERO: Final = bytes(32)

Payload = Mapping[str, Any]


def encode_intents(kind: IntentKind, payloads: Sequence[Payload], ledger: str) -> Call:
    """The call that carries these intents of one kind; anchor and rule go one by one."""
    data = _ENCODERS[kind](payloads)
    return Call(ledger, data, GAS_BASE + _GAS_ITEM[kind] * len(payloads) + 16 * len(data))


class _Batches:
    """The distinct batch references of a call, in order of first use."""

    def __init__(self) -> None:
        self.references: list[tuple[int, int, bytes, bytes, int]] = []

    def index_of(self, position: LeafPosition) -> int:
        reference = _reference(position)
        if reference not in self.references:
            self.references.append(reference)
        return self.references.index(reference)


def _reference(position: LeafPosition) -> tuple[int, int, bytes, bytes, int]:
    return (
        position.institution_number,
        position.sequence,
        position.previous_head,
        position.root,
        position.size,
    )


def _leaf(encoded: bytes) -> tuple[Any, ...]:
    leaf = BatchLeaf.decode(encoded)
    return (
        leaf.institution_code.encode("ascii").ljust(16, b"\x00"),
        int(leaf.kind),
        leaf.key_version,
        leaf.invoice_key,
        leaf.second_key,
        leaf.fingerprint,
        leaf.total_fen,
        leaf.borne_fen,
    )


def _leaf_proof(payload: Payload, batches: _Batches) -> tuple[Any, ...]:
    position = LeafPosition.from_payload(dict(payload))
    index = batches.index_of(position)
    return (_leaf(position.leaf), index, position.leaf_index, list(position.proof))


def _anchor(payloads: Sequence[Payload]) -> bytes:
    (p,) = payloads
    return encode_call(
        "InvoiceLedger",
        "anchor",
        p["sequence"],
        bytes.fromhex(p["root"]),
        p["size"],
        bytes.fromhex(p["previous_head"]),
    )


def _lodge(payloads: Sequence[Payload]) -> bytes:
    batches, items = _Batches(), []
    for p in payloads:
        leaf, batch_index, leaf_index, proof = _leaf_proof(p["position"], batches)
        items.append((leaf, batch_index, leaf_index, p["counter"], p["deadline"], proof))
    return encode_call("InvoiceLedger", "lodgeBatch", batches.references, items)


def _decision(p: Payload) -> tuple[bytes, int, bytes]:
    return (
        bytes.fromhex(p.get("decision_fingerprint") or "") or _ZERO,
        p.get("decision_version") or 0,
        bytes.fromhex(p.get("policy_hash") or "") or _ZERO,
    )


def _settle(payloads: Sequence[Payload]) -> bytes:
    items = [(_key(p), p["counter"], p["amount"], *_decision(p)) for p in payloads]
    return encode_call("InvoiceLedger", "settleBatch", items)


def _release(payloads: Sequence[Payload]) -> bytes:
    items = [(_key(p), p["counter"], p["reason"], *_decision(p)) for p in payloads]
    return encode_call("InvoiceLedger", "releaseBatch", items)


def _renew(payloads: Sequence[Payload]) -> bytes:
    items = [(_key(p), p["counter"], p["deadline"]) for p in payloads]
    return encode_call("InvoiceLedger", "renewBatch", items)


def _expire(payloads: Sequence[Payload]) -> bytes:
    items = [(_key(p), p["counter"]) for p in payloads]
    return encode_call("InvoiceLedger", "expireBatch", items)


def _supersede(payloads: Sequence[Payload]) -> bytes:
    batches = _Batches()
    items = [(_leaf_proof(p["old"], batches), _leaf_proof(p["new"], batches)) for p in payloads]
    return encode_call("InvoiceLedger", "supersedeBatch", batches.references, items)


def _void(payloads: Sequence[Payload]) -> bytes:
    batches = _Batches()
    items = [_leaf_proof(p["position"], batches) for p in payloads]
    return encode_call("InvoiceLedger", "voidBatch", batches.references, items)


def _reverse(payloads: Sequence[Payload]) -> bytes:
    batches = _Batches()
    items = [_leaf_proof(p["original"], batches) for p in payloads]
    return encode_call("InvoiceLedger", "reverseBatch", batches.references, items)


def _supplement(payloads: Sequence[Payload]) -> bytes:
    items = [(_key(p), p["paid_before"], p["amount"], *_decision(p)) for p in payloads]
    return encode_call("InvoiceLedger", "supplementBatch", items)


def _recover(payloads: Sequence[Payload]) -> bytes:
    items = [(_key(p), p["amount"], bytes.fromhex(p["recovery_number"])) for p in payloads]
    return encode_call("InvoiceLedger", "recoverBatch", items)


def _exchange(payloads: Sequence[Payload]) -> bytes:
    return _paper_call("exchangeToPaperBatch", payloads)


def _return(payloads: Sequence[Payload]) -> bytes:
    return _paper_call("returnPaperBatch", payloads)


def _paper_call(name: str, payloads: Sequence[Payload]) -> bytes:
    batches = _Batches()
    items = [(_leaf_proof(p["position"], batches), bytes.fromhex(p["paper_key"])) for p in payloads]
    return encode_call("InvoiceLedger", name, batches.references, items)


def _rule(payloads: Sequence[Payload]) -> bytes:
    (p,) = payloads
    reason = bytes.fromhex(p.get("reason") or "") or _ZERO
    if p.get("leaf") is None:
        return encode_call("InvoiceLedger", "rule", _key(p), reason)
    batches = _Batches()
    item = _leaf_proof(p["leaf"], batches)
    return encode_call(
        "InvoiceLedger", "ruleFor", batches.references[0], item, p.get("flags", 0), reason
    )


def _key(p: Payload) -> bytes:
    return bytes.fromhex(p["invoice_key"])


_ENCODERS: Final[Mapping[IntentKind, Callable[[Sequence[Payload]], bytes]]] = {
    IntentKind.ANCHOR: _anchor,
    IntentKind.LODGE: _lodge,
    IntentKind.SETTLE: _settle,
    IntentKind.RELEASE: _release,
    IntentKind.RENEW: _renew,
    IntentKind.EXPIRE: _expire,
    IntentKind.SUPERSEDE: _supersede,
    IntentKind.VOID: _void,
    IntentKind.REVERSE: _reverse,
    IntentKind.RULE: _rule,
    IntentKind.SUPPLEMENT: _supplement,
    IntentKind.RECOVER: _recover,
    IntentKind.EXCHANGE: _exchange,
    IntentKind.RETURN: _return,
}


def to_fields(unsigned: UnsignedTransaction) -> dict[str, Any]:
    """The transaction as eth-account and JSON-RPC name its fields."""
    fields: dict[str, Any] = {
        "chainId": unsigned.chain_id,
        "nonce": unsigned.nonce,
        "value": unsigned.value,
        "data": "0x" + unsigned.data.hex(),
        "gas": unsigned.gas,
    }
    if unsigned.to:
        fields["to"] = unsigned.to
    if unsigned.gas_price is not None:
        fields["gasPrice"] = unsigned.gas_price
    else:
        fields["type"] = 2
        fields["maxFeePerGas"] = unsigned.max_fee_per_gas
        fields["maxPriorityFeePerGas"] = unsigned.max_priority_fee_per_gas
    return fields


def sign(unsigned: UnsignedTransaction, private_key: bytes) -> SignedTransaction:
    """Sign; the result is decoded from its own bytes, so that they say what was meant."""
    raw = bytes(Account.sign_transaction(to_fields(unsigned), private_key).raw_transaction)
    signed = decode_signed(raw)
    assert signed.unsigned == unsigned, "the signed bytes say something else"
    return signed


def decode_signed(raw: bytes) -> SignedTransaction:
    """What raw transaction bytes say, with the recovered sender.

    Accepts legacy transactions with a chain id (EIP-155) and type 2. Raises
    RawTransactionRefusedError (malformed-transaction or wrong-chain) for everything else, and
    for the other half of a signature: no node takes it (EIP-2), and it would block the account.
    """
    try:
        unsigned = _decode_typed(raw) if raw[:1] == b"\x02" else _decode_legacy(raw)
        sender = to_checksum_address(Account.recover_transaction(HexBytes(raw)))
    except RawTransactionRefusedError:
        raise
    except (
        rlp.exceptions.RLPException, ValueError, TypeError, KeyError, BadSignature, ValidationError,
    ) as error:  # fmt: skip
        raise RawTransactionRefusedError(
            "已签名交易无法解析",
            "the raw transaction cannot be read",
            code="malformed-transaction",
        ) from error
    if _signature_s(raw) > SECPK1_N // 2:
        raise RawTransactionRefusedError(
            "签名的 s 值过大（EIP-2），请用规范化的签名重新签名",
            "the raw transaction is signed with a high s (EIP-2): sign it with a canonical s",
            code="malformed-transaction",
        )
    return SignedTransaction(raw, bytes(keccak(raw)), sender, unsigned)


def _signature_s(raw: bytes) -> int:
    """The last field of a transaction that could be read, of either type."""
    fields = rlp.decode(raw[1:] if raw[:1] == b"\x02" else raw)
    return int.from_bytes(fields[-1], "big")


def _decode_legacy(raw: bytes) -> UnsignedTransaction:
    parts = rlp.decode(raw)
    if not isinstance(parts, list) or len(parts) != _LEGACY_FIELDS:
        raise ValueError("not nine fields")
    nonce, gas_price, gas, to, value, data, v, _r, _s = parts
    recovery = _number(v)
    if recovery < 35:
        raise RawTransactionRefusedError(
            "已签名交易没有链编号（EIP-155）",
            "the raw transaction names no chain id (EIP-155)",
            code="wrong-chain",
        )
    return UnsignedTransaction(
        chain_id=(recovery - 35) // 2,
        nonce=_number(nonce),
        to=to_checksum_address(to) if to else "",
        data=bytes(data),
        gas=_number(gas),
        value=_number(value),
        gas_price=_number(gas_price),
    )


def _decode_typed(raw: bytes) -> UnsignedTransaction:
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    if fields.get("accessList"):
        raise ValueError("an access list is not offered")
    return UnsignedTransaction(
        chain_id=fields["chainId"],
        nonce=fields["nonce"],
        to=to_checksum_address(fields["to"]) if fields["to"] else "",
        data=bytes(fields["data"]),
        gas=fields["gas"],
        value=fields["value"],
        max_fee_per_gas=fields["maxFeePerGas"],
        max_priority_fee_per_gas=fields["maxPriorityFeePerGas"],
    )


def _number(data: bytes) -> int:
    if data[:1] == b"\x00":
        raise ValueError("a number has leading zeros")
    return int.from_bytes(data, "big")


def from_rpc(fields: Mapping[str, Any], chain_id: int) -> MinedTransaction:
    """A transaction as ``eth_getTransactionByHash`` answers it; what a node leaves out of a
    legacy transaction (chain id) is the network's."""

    def number(name: str) -> int | None:
        return None if fields.get(name) is None else int(fields[name], 16)

    tip = number("maxPriorityFeePerGas")
    return MinedTransaction(
        sender=to_checksum_address(fields["from"]),
        unsigned=UnsignedTransaction(
            chain_id=number("chainId") or chain_id,
            nonce=int(fields["nonce"], 16),
            to=to_checksum_address(fields["to"]) if fields.get("to") else "",
            data=bytes.fromhex(fields["input"][2:]),
            gas=int(fields["gas"], 16),
            value=int(fields["value"], 16),
            gas_price=number("gasPrice") if tip is None else None,
            max_fee_per_gas=None if tip is None else number("maxFeePerGas"),
            max_priority_fee_per_gas=tip,
        ),
    )
