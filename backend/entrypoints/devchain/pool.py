"""Admission of signed transactions, and the queue of those that cannot be mined yet.

eth-tester takes a transaction signed for another chain and refuses one behind a nonce gap
(measured). A permissioned network does the opposite, so both are done here: another chain id is
refused, a gap waits, stored, until it is filled.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Protocol

import rlp
from eth.abc import SignedTransactionAPI
from eth.exceptions import UnrecognizedTransactionType
from eth_keys.exceptions import BadSignature
from eth_utils import ValidationError

from backend.entrypoints.devchain.errors import invalid_params, refused, rejected
from backend.entrypoints.devchain.store import SqliteStore

#: geth's limit of one transaction (txpool: txMaxSize, 128 KB).
MAX_TRANSACTION_BYTES = 128 * 1024
MAX_WAITING = 4096
_MAX_CACHED = 256


class Head(Protocol):
    """What is asked of the chain that a transaction would be mined on."""

    @property
    def chain(self) -> Any: ...
    @property
    def settings(self) -> Any: ...
    def nonce_at_head(self, account: bytes, /) -> int: ...
    def base_fee(self) -> int | None: ...
    def head_state(self) -> Any: ...


class Pool:
    """Decides about a transaction at the border; holds no state but the store's table."""

    def __init__(self, store: SqliteStore, chain_id: int, price_bump: int) -> None:
        self._store = store
        self._price_bump = price_bump
        self._chain_id = chain_id
        # Admitted transactions with their recovered senders, by raw bytes; a cache, nothing more.
        self._admitted: OrderedDict[bytes, SignedTransactionAPI] = OrderedDict()

    def admitted(self, chain: Any, raw: bytes) -> SignedTransactionAPI:
        """The transaction of bytes that :meth:`admit` has let in, in this run or an earlier one."""
        known = self._admitted.get(raw)
        return self.decode(chain, raw) if known is None else known

    def decode(self, chain: Any, raw: bytes) -> SignedTransactionAPI:
        """The transaction of these bytes (py-evm's type). Refuses what does not parse."""
        if len(raw) > MAX_TRANSACTION_BYTES:
            raise rejected(
                f"oversized data: transaction size {len(raw)}, limit {MAX_TRANSACTION_BYTES}"
            )
        try:
            transaction: SignedTransactionAPI = chain.get_transaction_builder().decode(raw)
        except UnrecognizedTransactionType:
            raise invalid_params("transaction type not supported by this hardfork") from None
        except (
            rlp.DecodingError,
            rlp.DeserializationError,
            ValidationError,
            TypeError,
            ValueError,
            IndexError,
        ) as error:
            raise invalid_params(f"rlp: cannot decode the transaction: {error}") from error
        return transaction

    def admit(self, engine: Head, transaction: SignedTransactionAPI, raw: bytes) -> None:
        """Put an acceptable transaction into the queue; refuse any other with geth's text."""
        if self._store.waiting_raw(transaction.hash) is not None:
            raise rejected("already known")
        self._check_form(engine, transaction)
        sender = transaction.sender
        state_nonce = engine.nonce_at_head(sender)
        if transaction.nonce < state_nonce:
            raise rejected(f"nonce too low: next nonce {state_nonce}, tx nonce {transaction.nonce}")
        price = _price(transaction)
        base_fee = engine.base_fee()
        if base_fee is not None and price < base_fee:
            raise rejected(
                f"max fee per gas less than block base fee: maxFeePerGas: {price}, "
                f"baseFee: {base_fee}"
            )
        balance = engine.head_state().get_balance(sender)
        cost = transaction.value + transaction.gas * price
        if balance < cost:
            raise rejected(
                f"insufficient funds for gas * price + value: balance {balance}, tx cost {cost}"
            )
        there = self._store.waiting_at(sender, transaction.nonce)
        if there is not None:
            old_price = _price(self.decode(engine.chain, there[1]))
            # At price zero nothing can be replaced, as on a real node.
            if price * 100 < old_price * (100 + self._price_bump) or price == old_price:
                raise rejected("replacement transaction underpriced")
        elif self._store.waiting_count() >= MAX_WAITING:
            raise rejected("txpool is full")
        self._store.add_waiting(transaction.hash, sender, transaction.nonce, raw)
        self._admitted[raw] = transaction
        if len(self._admitted) > _MAX_CACHED:
            self._admitted.popitem(last=False)

    def _check_form(self, engine: Head, transaction: SignedTransactionAPI) -> None:
        """What is wrong whatever the state says: chain, signature, gas."""
        chain_id = chain_id_of(transaction)
        if chain_id is None:
            raise rejected("only replay-protected (EIP-155) transactions allowed over RPC")
        if chain_id != self._chain_id:
            raise rejected(f"invalid chain id for signer: have {chain_id} want {self._chain_id}")
        if transaction.gas < transaction.intrinsic_gas:
            raise refused(
                f"intrinsic gas too low: have {transaction.gas}, want {transaction.intrinsic_gas}"
            )
        if transaction.gas > engine.settings.gas_limit:
            raise refused("exceeds block gas limit")
        try:
            _trust_recovered_signature(transaction)
            transaction.validate()
        except (ValidationError, BadSignature) as error:
            raise rejected(f"invalid sender: {error}") from error


def chain_id_of(transaction: SignedTransactionAPI) -> int | None:
    """The chain that a transaction is signed for; ``None`` if for any (before EIP-155)."""
    # py-evm: None for a legacy transaction from before EIP-155.
    chain_id = transaction.chain_id
    return None if chain_id is None else int(chain_id)


def _trust_recovered_signature(transaction: SignedTransactionAPI) -> None:
    """Recover the sender once, and let py-evm's repeated checks of the signature rest on it.

    A key that was recovered from a signature verifies it by construction (SEC 1, 4.1.6). py-evm
    recovers and verifies again at each validation, 17 ms each time in pure Python (measured),
    which more than halves the throughput. The ranges of r, s and v are still checked.
    """
    _ = transaction.sender  # py-evm keeps it on the transaction
    signed: Any = getattr(transaction, "_inner", transaction)
    signed.check_signature_validity = lambda: None


def _price(transaction: SignedTransactionAPI) -> int:
    """The most that a transaction pays for one gas, in wei."""
    return int(transaction.max_fee_per_gas)
