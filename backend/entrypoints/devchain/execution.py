"""``eth_call`` and ``eth_estimateGas``: run a message on a stored state and keep nothing."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from eth.abc import BlockHeaderAPI, ComputationAPI
from eth.exceptions import OutOfGas, Revert, VMError
from eth.vm.spoof import SpoofTransaction
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils import ValidationError

from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.errors import (
    EXECUTION_REVERTED,
    INTERNAL_ERROR,
    RpcError,
    refused,
    rejected,
)
from backend.entrypoints.devchain.rules import has_access_lists

_ERROR_STRING = bytes.fromhex("08c379a0")  # Error(string)


AccessList = tuple[tuple[bytes, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A call as the wire describes it; ``to`` is empty to create a contract."""

    sender: bytes = bytes(20)
    to: bytes = b""
    data: bytes = b""
    value: int = 0
    gas: int | None = None
    gas_price: int = 0


def call(engine: Engine, message: Message, header: BlockHeaderAPI) -> bytes:
    """The output of a message on the state after ``header``; a revert is a refusal with data."""
    computation = _execute(engine, message, header, message.gas or engine.run.call_gas)
    _raise_if_failed(computation)
    return bytes(computation.output)


def estimate_gas(engine: Engine, message: Message, header: BlockHeaderAPI) -> int:
    """The least gas with which the message succeeds, within about 2 %.

    It is run once with all gas; what it used plus what was refunded, and a sixty-third for the
    rule of EIP-150, is nearly always enough; else the rest is a binary search, as in geth.
    """
    ceiling = min(message.gas or engine.settings.gas_limit, engine.settings.gas_limit)
    computation = _execute(engine, message, header, ceiling)
    _raise_if_failed(computation)
    used = ceiling - computation.get_gas_remaining()
    enough, too_little = ceiling, used - 1
    guess = min(ceiling, used + used // 63 + 2300 if computation.children else used)
    if not _execute(engine, message, header, guess).is_error:
        return guess
    too_little = guess
    while enough - too_little > max(enough // 50, 1):
        middle = (enough + too_little) // 2
        if _execute(engine, message, header, middle).is_error:
            too_little = middle
        else:
            enough = middle
    return enough


def access_list(engine: Engine, message: Message, header: BlockHeaderAPI) -> tuple[AccessList, int]:
    """The slots that a message touches, by account, and the gas that it uses with them declared.

    As in geth, the sender, the recipient and the precompiled contracts are named only with slots.
    """
    if not has_access_lists(engine.settings.hardfork):
        raise refused("access lists are of Berlin (EIP-2930); this ledger has older rules")
    gas = min(message.gas or engine.settings.gas_limit, engine.settings.gas_limit)
    touched: dict[bytes, set[int]] = {}
    _raise_if_failed(_execute(engine, message, header, gas, touched=touched))
    known = {message.sender, message.to, *(n.to_bytes(20, "big") for n in range(1, 10))}
    declared = tuple(
        (address, tuple(sorted(slots)))
        for address, slots in sorted(touched.items())
        if slots or address not in known
    )
    computation = _execute(engine, message, header, gas, declared=declared)
    _raise_if_failed(computation)
    return declared, _gas_used(computation, gas)


def _gas_used(computation: ComputationAPI, gas: int) -> int:
    """What is paid for: refunds count up to half of it (before London, EIP-3529)."""
    spent = gas - computation.get_gas_remaining()
    return int(spent - min(computation.get_gas_refund(), spent // 2))


def _watch(state: Any, touched: dict[bytes, set[int]]) -> None:
    """Note every account and slot that the state marks as used (EIP-2929)."""
    accounts = state._account_db
    mark_address, mark_storage = accounts.mark_address_warm, accounts.mark_storage_warm

    def note_address(address: bytes) -> None:
        touched.setdefault(address, set())
        mark_address(address)

    def note_storage(address: bytes, slot: int) -> None:
        touched.setdefault(address, set()).add(slot)
        mark_storage(address, slot)

    accounts.mark_address_warm, accounts.mark_storage_warm = note_address, note_storage


def _unsigned(engine: Engine, message: Message, nonce: int, gas: int, declared: AccessList) -> Any:
    if declared:
        return engine.chain.get_transaction_builder().new_unsigned_access_list_transaction(
            chain_id=engine.settings.chain_id,
            nonce=nonce,
            gas_price=0,
            gas=gas,
            to=message.to,
            value=message.value,
            data=message.data,
            access_list=declared,
        )
    return engine.chain.create_unsigned_transaction(
        nonce=nonce,
        gas_price=0,
        gas=gas,
        to=message.to,
        value=message.value,
        data=message.data,
    )


def _execute(
    engine: Engine,
    message: Message,
    header: BlockHeaderAPI,
    gas: int,
    *,
    declared: AccessList = (),
    touched: dict[bytes, set[int]] | None = None,
) -> ComputationAPI:
    chain = engine.chain
    vm = chain.get_vm(at_header=header)
    if getattr(header, "base_fee_per_gas", None):
        # A call is free, and a zero price must not be refused for want of a base fee.
        header = header.copy(base_fee_per_gas=0)
    hashes = itertools.chain((header.parent_hash,), vm.previous_hashes)
    state = vm.build_state(chain.chaindb.db, header, vm.chain_context, hashes)
    if touched is not None:
        _watch(state, touched)
    unsigned = _unsigned(engine, message, state.get_nonce(message.sender), gas, declared)
    transaction: Any = SpoofTransaction(unsigned, from_=message.sender)
    if gas < transaction.intrinsic_gas:
        raise refused(f"intrinsic gas too low: have {gas}, want {transaction.intrinsic_gas}")
    if message.gas_price and state.get_balance(message.sender) < (
        message.value + message.gas_price * (message.gas or 0)
    ):
        raise rejected("insufficient funds for gas * price + value")
    try:
        with state.override_transaction_context(gas_price=message.gas_price):
            computation: ComputationAPI = state.apply_transaction(transaction)
    except ValidationError as error:
        raise rejected(f"insufficient funds for gas * price + value: {error}") from error
    return computation


def _raise_if_failed(computation: ComputationAPI) -> None:
    if computation.is_error:
        raise failure(computation.error, bytes(computation.output))


def failure(error: VMError, output: bytes) -> RpcError:
    """A failed execution in geth's and anvil's shape: a revert is code 3 with its data in hex."""
    if isinstance(error, Revert):
        reason = _reason(output)
        message = f"execution reverted: {reason}" if reason else "execution reverted"
        return RpcError(EXECUTION_REVERTED, message, "0x" + output.hex())
    name = "out of gas" if isinstance(error, OutOfGas) else f"{type(error).__name__}: {error}"
    return RpcError(INTERNAL_ERROR, f"EVM error: {name}")


def _reason(output: bytes) -> str:
    """The text of ``Error(string)``, or the empty string for custom errors and panics."""
    if output[:4] != _ERROR_STRING:
        return ""
    try:
        return str(decode(["string"], output[4:])[0])
    except DecodingError:
        return ""
