"""Calls on the state of the dev ledger without transactions and blocks.

A mined transaction costs 20 ms, most of it for its signature and its block. Here the node's EVM
runs a call on the state of the pending block, at a time of our choosing; a snapshot undoes it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth.abc import StateAPI
from eth.vm.execution_context import ExecutionContext
from eth.vm.message import Message
from eth_abi.abi import decode, encode
from eth_utils import (
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
    keccak,
    to_canonical_address,
)
from eth_utils.abi import collapse_if_tuple
from web3.contract import Contract

from tests.contracts.chain import GAS, Chain


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a call, by the contract that emitted it."""

    contract: str
    name: str
    arguments: dict[str, Any]


class CallReverted(Exception):  # noqa: N818 - what the chain calls it
    """A call reverted with a custom error; its addresses are lower-case hex."""

    def __init__(self, error: str, *arguments: object) -> None:
        super().__init__(error, *arguments)
        self.error = error
        self.arguments = arguments


class Interface:
    """Encodes calls and decodes events and errors of the given contracts."""

    def __init__(self, contracts: Mapping[str, Contract]) -> None:
        self.addresses = {name: to_canonical_address(c.address) for name, c in contracts.items()}
        self.names = {address: name for name, address in self.addresses.items()}
        self._functions: dict[tuple[str, str], tuple[bytes, list[str], list[str]]] = {}
        self._events: dict[bytes, tuple[str, list[tuple[str, str, bool]]]] = {}
        self._errors: dict[bytes, tuple[str, list[str]]] = {}
        for contract_name, contract in contracts.items():
            for entry in contract.abi:
                self._learn(contract_name, entry)

    def _learn(self, contract_name: str, entry: Any) -> None:
        if entry["type"] not in ("function", "event", "error"):
            return
        types = [collapse_if_tuple(parameter) for parameter in entry["inputs"]]
        if entry["type"] == "function":
            outputs = [collapse_if_tuple(parameter) for parameter in entry["outputs"]]
            known = (function_abi_to_4byte_selector(entry), types, outputs)
            self._functions[contract_name, entry["name"]] = known
        elif entry["type"] == "event":
            fields = [(p["name"], p["type"], p["indexed"]) for p in entry["inputs"]]
            self._events[event_abi_to_log_topic(entry)] = (entry["name"], fields)
        else:
            self._errors[function_abi_to_4byte_selector(entry)] = (entry["name"], types)

    def data(self, contract: str, function: str, arguments: tuple[Any, ...]) -> bytes:
        """The calldata of a call."""
        selector, types, _ = self._functions[contract, function]
        return selector + encode(types, arguments)

    def result(self, contract: str, function: str, output: bytes) -> Any:
        """The one result of a view."""
        (value,) = decode(self._functions[contract, function][2], output)
        return value

    def event(self, address: bytes, topics: list[bytes], data: bytes) -> Event:
        """A log entry, decoded."""
        name, fields = self._events[topics[0]]
        plain = [kind for _, kind, indexed in fields if not indexed]
        values = iter(decode(plain, data))
        others = iter(topics[1:])
        arguments = {
            field: decode([kind], next(others))[0] if indexed else next(values)
            for field, kind, indexed in fields
        }
        return Event(self.names[address], name, arguments)

    def reverted(self, output: bytes) -> CallReverted:
        """The custom error of a revert; anything else is an AssertionError."""
        if output[:4] not in self._errors:
            raise AssertionError(f"reverted with no custom error: {output.hex()}")
        name, types = self._errors[output[:4]]
        return CallReverted(name, *decode(types, output[4:]))


class DirectCalls:
    """The contracts of a chain, called on a state of its own that no block ever contains."""

    def __init__(self, chain: Chain, contracts: Mapping[str, Contract]) -> None:
        self.interface = Interface(contracts)
        self.accounts = {role: to_canonical_address(a) for role, a in chain.accounts.items()}
        self.addresses = {
            name: "0x" + address.hex()
            for name, address in (self.accounts | self.interface.addresses).items()
        }
        self.start = chain.now()
        self._state: StateAPI = chain.tester.backend.chain.get_vm().state
        self._codes = {a: self._state.get_code(a) for a in self.interface.names}

    def snapshot(self) -> Any:
        return self._state.snapshot()

    def revert(self, snapshot: Any) -> None:
        self._state.revert(snapshot)

    def _apply(self, contract: str, data: bytes, sender: str, now: int, static: bool) -> Any:
        present = self._state.execution_context
        self._state.execution_context = ExecutionContext(
            present.coinbase,
            now,
            present.block_number,
            present.difficulty,
            present.mix_hash,
            present.gas_limit,
            (),
            present.chain_id,
        )
        address, account = self.interface.addresses[contract], self.accounts[sender]
        message = Message(GAS, address, account, 0, data, self._codes[address], is_static=static)
        context = self._state.get_transaction_context_class()(gas_price=0, origin=account)
        return self._state.computation_class.apply_message(self._state, message, context)

    def send(
        self, contract: str, function: str, arguments: tuple[Any, ...], sender: str, now: int
    ) -> list[Event]:
        """Carry out a call at this time; its events. Raises CallReverted."""
        data = self.interface.data(contract, function, arguments)
        done = self._apply(contract, data, sender, now, static=False)
        if done.is_error:
            raise self.interface.reverted(done.output)
        return [
            self.interface.event(address, [t.to_bytes(32, "big") for t in topics], data)
            for address, topics, data in done.get_log_entries()
        ]

    def view(self, contract: str, function: str, *arguments: Any, now: int) -> Any:
        """The result of a call that changes nothing."""
        data = self.interface.data(contract, function, arguments)
        done = self._apply(contract, data, "stranger", now, static=True)
        if done.is_error:
            raise self.interface.reverted(done.output)
        return self.interface.result(contract, function, done.output)

    def stored_slots(self, places: list[tuple[str, bytes]]) -> list[int]:
        """Slots as they are stored: the ledger's first mapping."""
        addresses, state = self.interface.addresses, self._state
        return [state.get_storage(addresses[name], mapping_place(key)) for name, key in places]


@functools.cache
def mapping_place(key: bytes) -> int:
    """Where the entry of a key is stored in a contract's first mapping."""
    return int.from_bytes(keccak(key + bytes(32)), "big")
