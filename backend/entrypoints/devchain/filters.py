"""Polling filters (``eth_newFilter`` and its kin). They live in memory and end with the run."""

from __future__ import annotations

from typing import Any

from backend.entrypoints.devchain import encoding, reads
from backend.entrypoints.devchain.encoding import data
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.errors import invalid_params
from backend.entrypoints.devchain.filter_book import Filter
from backend.entrypoints.devchain.parameters import take, to_log_query


def new_filter(engine: Engine, params: list[Any]) -> str:
    """Watch logs; the first poll starts at ``fromBlock``, or at the next block without one."""
    query = take(params, 0)
    parsed = to_log_query(engine, query)
    if parsed.block is not None:
        raise invalid_params("filter: blockHash cannot be watched")
    head = engine.chain.get_canonical_head().block_number
    told = head if query.get("fromBlock") in (None, "latest", "pending") else parsed.first - 1
    return engine.filters.add(Filter("logs", told, dict(query)))


def new_block_filter(engine: Engine, _params: list[Any]) -> str:
    """Watch the hashes of new blocks."""
    return engine.filters.add(Filter("blocks", engine.chain.get_canonical_head().block_number))


def new_transaction_filter(engine: Engine, _params: list[Any]) -> str:
    """Watch the hashes of transactions as they are taken."""
    return engine.filters.add(Filter("transactions", len(engine.received)))


def filter_changes(engine: Engine, params: list[Any]) -> list[Any]:
    """What is new since the last poll. After a revert, the blocks mined since are new."""
    found = engine.filters.get(take(params, 0))
    head = engine.chain.get_canonical_head().block_number
    if found.kind == "transactions":
        fresh = engine.received[found.told :]
        found.told = len(engine.received)
        return [data(item) for item in fresh]
    first = min(found.told, head) + 1
    found.told = head
    if found.kind == "blocks":
        headers = (reads.header_by_number(engine, number) for number in range(first, head + 1))
        return [data(header.hash) for header in headers if header is not None]
    return _logs(engine, found, first)


def filter_logs(engine: Engine, params: list[Any]) -> list[Any]:
    """Every log of a log filter's range, told or not."""
    found = engine.filters.get(take(params, 0))
    if found.kind != "logs":
        return []
    return _logs(engine, found, 0)


def uninstall(engine: Engine, params: list[Any]) -> bool:
    """Forget a filter; false when there is none of this name."""
    return engine.filters.remove(take(params, 0))


def _logs(engine: Engine, found: Filter, first: int) -> list[Any]:
    query = to_log_query(engine, found.query | {"fromBlock": "0x0"})
    wanted = to_log_query(engine, found.query).first if "fromBlock" in found.query else 0
    logs = reads.find_logs(engine, max(first, wanted), query.last, query.addresses, query.topics)
    return [encoding.log(item) for item in logs]
