"""ABI encoding of calls and decoding of results and errors, from the committed ABI."""

from __future__ import annotations

from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import (
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
    get_abi_input_types,
    get_abi_output_types,
)
from eth_utils.crypto import keccak

from backend.contracts import ContractName, load_contract


@cache
def _entry(contract: ContractName, kind: str, name: str) -> dict[str, Any]:
    for entry in load_contract(contract).abi:
        if entry["type"] == kind and entry.get("name", "") == name:
            return entry
    raise KeyError(f"{contract} has no {kind} {name}")


def encode_call(contract: ContractName, name: str, *arguments: Any) -> bytes:
    """Calldata of a contract function."""
    entry: Any = _entry(contract, "function", name)
    selector = bytes(function_abi_to_4byte_selector(entry))
    return selector + encode(get_abi_input_types(entry), arguments)


def decode_result(contract: ContractName, name: str, data: bytes) -> tuple[Any, ...]:
    entry: Any = _entry(contract, "function", name)
    return tuple(decode(get_abi_output_types(entry), data))


def creation_code(contract: ContractName, *arguments: Any) -> bytes:
    """Creation bytecode with its encoded constructor arguments."""
    entry: Any = _entry(contract, "constructor", "")
    types = [item["type"] for item in entry["inputs"]]
    return load_contract(contract).bytecode + encode(types, arguments)


@cache
def _events(contract: ContractName) -> dict[bytes, dict[str, Any]]:
    entries: list[Any] = [e for e in load_contract(contract).abi if e["type"] == "event"]
    return {bytes(event_abi_to_log_topic(entry)): entry for entry in entries}


def event_topic(contract: ContractName, name: str) -> bytes:
    entry: Any = _entry(contract, "event", name)
    return bytes(event_abi_to_log_topic(entry))


def decode_log(
    contract: ContractName, topics: list[bytes], data: bytes
) -> tuple[str, dict[str, Any]] | None:
    """(event name, values) of a log, None for an event that the ABI does not know."""
    entry = _events(contract).get(topics[0]) if topics else None
    if entry is None:
        return None
    indexed = [i for i in entry["inputs"] if i["indexed"]]
    plain = [i for i in entry["inputs"] if not i["indexed"]]
    values: dict[str, Any] = {}
    for item, topic in zip(indexed, topics[1:], strict=True):
        values[item["name"]] = decode([item["type"]], topic)[0]
    for item, value in zip(plain, decode([i["type"] for i in plain], data), strict=True):
        values[item["name"]] = value
    return entry["name"], values


@cache
def _errors() -> dict[bytes, dict[str, Any]]:
    found = {}
    names: tuple[ContractName, ...] = ("Registry", "InvoiceLedger")
    for name in names:
        for entry in load_contract(name).abi:
            if entry["type"] == "error":
                types = ",".join(_canonical_type(i) for i in entry["inputs"])
                found[keccak(text=f"{entry['name']}({types})")[:4]] = entry
    return found


def describe_revert(data: bytes) -> str:
    """Name and arguments of a custom error in revert data, else the data in hex."""
    entry = _errors().get(data[:4])
    if entry is None:
        return data.hex()[:200]
    types = [_canonical_type(item) for item in entry["inputs"]]
    try:
        values = decode(types, data[4:])
    except DecodingError:
        return str(entry["name"])
    texts = [value.hex() if isinstance(value, bytes) else str(value) for value in values]
    return f"{entry['name']}({', '.join(texts)})"


def _canonical_type(item: dict[str, Any]) -> str:
    if item["type"].startswith("tuple"):
        inner = ",".join(_canonical_type(part) for part in item["components"])
        return f"({inner}){item['type'][5:]}"
    return str(item["type"])
