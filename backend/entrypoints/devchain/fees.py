"""``eth_feeHistory`` (execution API): what gas cost in the latest blocks."""

from __future__ import annotations

from typing import Any

from backend.entrypoints.devchain import reads
from backend.entrypoints.devchain.encoding import quantity
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.errors import invalid_params
from backend.entrypoints.devchain.parameters import take, to_header, to_int

MAX_BLOCKS = 1024
_MAX_PERCENTILES = 100


def fee_history(engine: Engine, params: list[Any]) -> dict[str, Any]:
    """Base fees (0 before London), how full the blocks were, and the asked percentiles of tips.

    Of more blocks than there are, or than 1,024, the latest are given; of none, one.
    """
    count = max(1, min(to_int(take(params, 0), "blockCount"), MAX_BLOCKS))
    newest = to_header(engine, take(params, 1, "latest"))
    percentiles = _percentiles(take(params, 2, []))
    first = max(0, newest.block_number - count + 1)
    base_fees: list[str] = []
    ratios: list[float] = []
    rewards: list[list[str]] = []
    for number in range(first, newest.block_number + 1):
        header = reads.header_by_number(engine, number)
        assert header is not None, "blocks below a block of the chain are there"
        base_fees.append(quantity(getattr(header, "base_fee_per_gas", None) or 0))
        ratios.append(header.gas_used / header.gas_limit)
        if percentiles:
            rewards.append(_tips(engine, header, percentiles))
    base_fees.append(quantity(_next_base_fee(engine, newest)))
    return {
        "oldestBlock": quantity(first),
        "baseFeePerGas": base_fees,
        "gasUsedRatio": ratios,
        "reward": rewards,
    }


def _percentiles(value: Any) -> list[float]:
    if not isinstance(value, list) or len(value) > _MAX_PERCENTILES:
        raise invalid_params(f"percentiles: expected a list of at most {_MAX_PERCENTILES}")
    if any(isinstance(item, bool) or not isinstance(item, int | float) for item in value):
        raise invalid_params("percentiles: expected numbers")
    if value != sorted(value) or any(not 0 <= item <= 100 for item in value):
        raise invalid_params("percentiles: expected 0 to 100 in ascending order")
    return value


def _next_base_fee(engine: Engine, header: Any) -> int:
    if getattr(header, "base_fee_per_gas", None) is None:
        return 0
    return int(engine.chain.create_header_from_parent(header).base_fee_per_gas)


def _tips(engine: Engine, header: Any, percentiles: list[float]) -> list[str]:
    """The tip at each percentile of the block's gas, cheapest first; zeros for an empty block."""
    base_fee = getattr(header, "base_fee_per_gas", None) or 0
    paid: list[tuple[int, int]] = []
    before = 0
    receipts = reads.receipts_of(engine, header)
    for item, receipt in zip(reads.transactions_of(engine, header), receipts, strict=True):
        tip = min(item.max_priority_fee_per_gas, item.max_fee_per_gas - base_fee)
        paid.append((int(tip), receipt.gas_used - before))
        before = receipt.gas_used
    paid.sort()
    tips: list[str] = []
    for percentile in percentiles:
        wanted = header.gas_used * percentile / 100
        reached, tip = 0, 0
        for tip, gas in paid:  # noqa: B007 - the tip at which the loop stops is the answer
            reached += gas
            if reached >= wanted:
                break
        tips.append(quantity(tip))
    return tips
