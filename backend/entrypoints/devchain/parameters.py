"""Parse JSON-RPC parameters, once, at the border. What does not fit is -32602 and says why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth.abc import BlockHeaderAPI

from backend.entrypoints.devchain import reads
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.errors import (
    RESOURCE_NOT_FOUND,
    RpcError,
    invalid_params,
    refused,
)
from backend.entrypoints.devchain.execution import Message

_HEAD_TAGS = frozenset({"latest", "pending", "safe", "finalized"})
_MAX_TOPICS = 4
_MAX_CHOICES = 256
_MESSAGE_FIELDS = frozenset(
    {
        "from",
        "to",
        "data",
        "input",
        "value",
        "gas",
        "gasPrice",
        "nonce",
        "chainId",
        "type",
        "maxFeePerGas",
        "maxPriorityFeePerGas",
        "accessList",
    }
)


@dataclass(frozen=True, slots=True)
class LogQuery:
    """An ``eth_getLogs`` filter with its block range resolved."""

    first: int
    last: int
    addresses: frozenset[bytes]
    topics: reads.Topics
    block: BlockHeaderAPI | None


def take(params: list[Any], position: int, default: Any = None) -> Any:
    """The parameter at a position, or the default where the list is shorter or says null."""
    value = params[position] if position < len(params) else None
    return default if value is None else value


def to_bytes(value: Any, name: str, length: int | None = None) -> bytes:
    """Data: 0x and an even number of hex digits."""
    if not isinstance(value, str) or not value.startswith(("0x", "0X")):
        raise invalid_params(f"{name}: expected a hex string with 0x, got {_shown(value)}")
    try:
        raw = bytes.fromhex(value[2:])
    except ValueError:
        raise invalid_params(f"{name}: not hex with an even number of digits") from None
    if length is not None and len(raw) != length:
        raise invalid_params(f"{name}: expected {length} bytes, got {len(raw)}")
    return raw


def to_int(value: Any, name: str) -> int:
    """A quantity: 0x hex, or a JSON number as ganache and anvil take it; not negative."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise invalid_params(f"{name}: expected a quantity, got {_shown(value)}")
    if isinstance(value, int):
        number = value
    else:
        try:
            number = int(value, 16) if value.startswith(("0x", "0X")) else -1
        except ValueError:
            number = -1
        if number < 0:
            raise invalid_params(f"{name}: not a quantity: {_shown(value)}")
    if not 0 <= number < 2**256:
        raise invalid_params(f"{name}: out of range")
    return number


def to_header(engine: Engine, value: Any, name: str = "block") -> BlockHeaderAPI:
    """The block that a number, tag or EIP-1898 object names; refused if there is none."""
    header = find_header(engine, value, name)
    if header is None and isinstance(value, dict) and "blockHash" in value:
        raise RpcError(RESOURCE_NOT_FOUND, "header not found")
    if header is None:
        raise invalid_params("header not found")
    return header


def find_header(engine: Engine, value: Any, name: str = "block") -> BlockHeaderAPI | None:
    """As :func:`to_header`, but ``None`` for a block that is not there."""
    if isinstance(value, dict):
        if "blockHash" in value:
            return reads.header_by_hash(engine, to_bytes(value["blockHash"], name, 32))
        value = value.get("blockNumber")
    if value is None or value in _HEAD_TAGS:
        header: BlockHeaderAPI = engine.chain.get_canonical_head()
        return header
    if value == "earliest":
        return reads.header_by_number(engine, 0)
    return reads.header_by_number(engine, to_int(value, name))


def to_message(value: Any) -> Message:
    """A call object. Unknown fields are refused: a misspelt field must not be ignored."""
    if not isinstance(value, dict):
        raise invalid_params(f"transaction: expected an object, got {_shown(value)}")
    unknown = sorted(set(value) - _MESSAGE_FIELDS)
    if unknown:
        raise invalid_params(f"transaction: unknown field {unknown[0]}")
    payload = value.get("input") or value.get("data") or "0x"
    to = value.get("to")
    price = value.get("gasPrice") or value.get("maxFeePerGas") or 0
    return Message(
        sender=to_bytes(value["from"], "from", 20) if value.get("from") else bytes(20),
        to=to_bytes(to, "to", 20) if to not in (None, "", "0x") else b"",
        data=to_bytes(payload, "data"),
        value=to_int(value.get("value") or 0, "value"),
        gas=to_int(value["gas"], "gas") if value.get("gas") is not None else None,
        gas_price=to_int(price, "gasPrice"),
    )


def to_log_query(engine: Engine, value: Any) -> LogQuery:
    """An ``eth_getLogs`` filter."""
    if not isinstance(value, dict):
        raise invalid_params(f"filter: expected an object, got {_shown(value)}")
    head = engine.chain.get_canonical_head()
    block = None
    first = last = head.block_number
    if value.get("blockHash") is not None:
        if value.get("fromBlock") is not None or value.get("toBlock") is not None:
            raise invalid_params("filter: blockHash excludes fromBlock and toBlock")
        block = reads.header_by_hash(engine, to_bytes(value["blockHash"], "blockHash", 32))
        if block is None:
            raise refused("unknown block")
    else:
        first = _bound(value.get("fromBlock"), head.block_number, "fromBlock")
        last = _bound(value.get("toBlock"), head.block_number, "toBlock")
        if first > last:
            raise invalid_params("filter: fromBlock is after toBlock")
    return LogQuery(
        first, last, _addresses(value.get("address")), _topics(value.get("topics")), block
    )


def _bound(value: Any, head: int, name: str) -> int:
    if value is None or value in _HEAD_TAGS:
        return head
    return 0 if value == "earliest" else to_int(value, name)


def _addresses(value: Any) -> frozenset[bytes]:
    if value is None:
        return frozenset()
    listed = value if isinstance(value, list) else [value]
    if len(listed) > _MAX_CHOICES:
        raise invalid_params(f"address: more than {_MAX_CHOICES} addresses")
    return frozenset(to_bytes(item, "address", 20) for item in listed)


def _topics(value: Any) -> reads.Topics:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MAX_TOPICS:
        raise invalid_params(f"topics: expected a list of at most {_MAX_TOPICS}")
    parsed: list[frozenset[bytes] | None] = []
    for item in value:
        listed = item if isinstance(item, list) else [item]
        if len(listed) > _MAX_CHOICES:
            raise invalid_params(f"topics: more than {_MAX_CHOICES} choices")
        parsed.append(
            None
            if item is None or not listed
            else frozenset(to_bytes(topic, "topics", 32) for topic in listed)
        )
    return tuple(parsed)


def _shown(value: Any) -> str:
    """A value in an error text, at a bearable length."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
