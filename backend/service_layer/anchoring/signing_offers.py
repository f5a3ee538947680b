"""Transactions offered to institutions that hold their own key (design: ledger protocol 1).

One transaction at a time is offered for a self-custody key, with the account's next nonce; until
it is mined it stays offered, or its bytes are sent again. The institution's agent compares the
call with its own documents, signs, and hands in the raw bytes, which are sent only when they say
exactly what was offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.domain.errors import ConflictError, DomainError, ForbiddenError, NotFoundError
from backend.domain.ledger import IntentKind, IntentState
from backend.service_layer.anchoring.model import (
    SignedTransaction,
    TransactionRecord,
    TransactionState,
    UnsignedTransaction,
)
from backend.service_layer.anchoring.ports import AnchoringWork, Decoder

RAW_BYTES_MAX = 200_000


class RawTransactionRefusedError(DomainError):
    """A raw transaction that is not the offered one; nothing was stored and nothing was sent.

    ``code`` names the difference: malformed-transaction, wrong-account, wrong-chain, wrong-nonce,
    wrong-contract, wrong-value, wrong-data, wrong-gas, wrong-fee.
    """

    code = "transaction-refused"


@dataclass(frozen=True, slots=True)
class OfferedItem:
    """One intent inside an offered call; ``payload`` as in ``backend.domain.ledger``."""

    intent_id: str
    subject_id: str
    kind: IntentKind
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SigningOffer:
    """A transaction to sign. ``kind`` is that of all its items."""

    id: str
    account: str
    kind: IntentKind
    unsigned: UnsignedTransaction
    items: tuple[OfferedItem, ...]
    state: TransactionState


def offer_next(work: AnchoringWork, institution_code: str) -> SigningOffer | None:
    """The transaction that the institution should sign now, or None when there is none."""
    for account in work.chain.accounts_of_institution(institution_code):
        for record in work.transactions.in_states(TransactionState.OFFERED, account=account):
            return _to_offer(work, record)
    return None


def get_offer(work: AnchoringWork, institution_code: str, offer_id: str) -> SigningOffer:
    """An offer of this institution; another institution's is not found."""
    return _to_offer(work, _find(work, institution_code, offer_id))


def accept_signed(
    work: AnchoringWork, institution_code: str, offer_id: str, raw: bytes, decode: Decoder
) -> bytes:
    """Store the signed bytes of an offer and return their hash; the worker sends them.

    ``decode`` is ``backend.adapters.ledger.transactions.decode_signed``. Handing in the same
    bytes again has one effect and the same answer, whatever has become of them meanwhile. Raises
    RawTransactionRefusedError naming the first difference from the offer, NotFoundError,
    ForbiddenError, or ConflictError when the offer is closed.
    """
    record = _find(work, institution_code, offer_id)
    if len(raw) > RAW_BYTES_MAX:
        raise RawTransactionRefusedError(
            "交易过大", "the raw transaction is too large", code="malformed-transaction"
        )
    if record.tx_hash is not None and record.raw == raw:
        return record.tx_hash
    signed = decode(raw)
    known = work.transactions.find_by_hash(signed.hash)
    if known is not None and (known.account, known.nonce) == (record.account, record.nonce):
        _revive(work, known, record)
        return signed.hash
    if record.raw is not None:
        raise ConflictError(
            "该交易已提交过另一份签名", "another signature was handed in for this offer already"
        )
    if record.state is not TransactionState.OFFERED:
        raise ConflictError(
            "该签名请求已失效，请取最新的", "this offer is closed; ask for the next one"
        )
    require_same(record, signed)
    work.transactions.update(
        record.id, TransactionState.SIGNED, raw=signed.raw, tx_hash=signed.hash
    )
    intents = [intent.id for intent in work.transactions.items(record.id)]
    work.outbox.set_state(intents, IntentState.SIGNED, tx_hash=signed.hash)
    return signed.hash


def _revive(work: AnchoringWork, known: TransactionRecord, offer: TransactionRecord) -> None:
    """Send an earlier candidate again in place of a new offer.

    Signatures are deterministic (RFC 6979): an offer of the same fields, signed again, is the very
    transaction that the nodes refused or lost before, and a hash is stored once.
    """
    if offer.state is not TransactionState.OFFERED:
        return
    work.transactions.update(offer.id, TransactionState.WITHDRAWN)
    if known.state in (TransactionState.MINED, TransactionState.FINAL):
        return
    work.transactions.update(known.id, TransactionState.SIGNED, sent_at=None, send_count=0)
    intents = [intent.id for intent in work.transactions.items(known.id)]
    work.outbox.set_state(intents, IntentState.SIGNED, tx_hash=known.tx_hash)


def require_same(record: TransactionRecord, signed: SignedTransaction) -> None:
    """Raise naming the first field in which a signed transaction differs from its offer."""
    offer, given = record.unsigned, signed.unsigned
    fee = (given.gas_price, given.max_fee_per_gas, given.max_priority_fee_per_gas)
    offered_fee = (offer.gas_price, offer.max_fee_per_gas, offer.max_priority_fee_per_gas)
    checks = (
        (given.chain_id == offer.chain_id, "wrong-chain", "链编号", "chain id"),
        (signed.sender == record.account, "wrong-account", "签名账户", "signing account"),
        (given.nonce == offer.nonce, "wrong-nonce", "序号", "nonce"),
        (given.to == offer.to, "wrong-contract", "合约地址", "contract address"),
        (given.value == offer.value, "wrong-value", "转账金额", "value"),
        (given.data == offer.data, "wrong-data", "调用内容", "call data"),
        (given.gas == offer.gas, "wrong-gas", "燃料上限", "gas limit"),
        (fee == offered_fee, "wrong-fee", "费用", "fee"),
    )
    for is_same, code, zh, en in checks:
        if not is_same:
            raise RawTransactionRefusedError(
                f"已签名交易的{zh}与所给的不同，请按签名请求重新签名",
                f"the {en} of the signed transaction differs from the offer; sign it as offered",
                code=code,
            )


def _find(work: AnchoringWork, institution_code: str, offer_id: str) -> TransactionRecord:
    record = work.transactions.get(offer_id)
    accounts = work.chain.accounts_of_institution(institution_code)
    if record.account not in accounts:
        raise NotFoundError("没有这笔交易", f"no ledger transaction {offer_id}")
    items = work.transactions.items(record.id)
    if not items or any(item.held for item in items):
        raise ForbiddenError("该交易不由机构签名", "this transaction is not for you to sign")
    return record


def _to_offer(work: AnchoringWork, record: TransactionRecord) -> SigningOffer:
    items = work.transactions.items(record.id)
    return SigningOffer(
        id=record.id,
        account=record.account,
        kind=items[0].kind,
        unsigned=record.unsigned,
        items=tuple(OfferedItem(i.id, i.subject_id, i.kind, i.payload) for i in items),
        state=record.state,
    )
