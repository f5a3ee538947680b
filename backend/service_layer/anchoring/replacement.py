"""Market prices only: a transaction that has become too cheap gets a dearer candidate.

At zero price nothing can be replaced, and identical bytes are sent again (reference T10). At a
market price the base fee may rise above what was offered; then the same call is signed once more
for the same nonce at a higher fee. Both are recorded, and whichever is mined counts.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.model import (
    Fees,
    LeaseHeldError,
    LeaseLostError,
    TransactionRecord,
    TransactionState,
    UnsignedTransaction,
)
from backend.service_layer.anchoring.send import forward, sign_record, take_lease

#: Nodes take a replacement from 10 % more on, in each fee field (geth's default price bump).
BUMP_PERCENT: Final = 13
_WAITING: Final = (TransactionState.SIGNED, TransactionState.SENT)
_logger = logging.getLogger(__name__)


def replace_stuck(deps: Anchoring) -> int:
    """Replace the first waiting transaction of each account where it is too cheap now."""
    with deps.work(write=False) as work:
        waiting = work.transactions.in_states(*_WAITING)
    first: dict[str, TransactionRecord] = {}
    for record in waiting:  # by nonce, then by age: the newest candidate of the lowest nonce
        if record.account not in first or first[record.account].nonce == record.nonce:
            first[record.account] = record
    now = deps.clock.now()
    patient = [
        record
        for record in first.values()
        if record.sent_at is not None
        and (now - record.created_at).total_seconds() >= deps.replace_seconds
        and deps.signer.holds(record.account)
    ]
    if not patient:
        return 0
    fees = deps.node.fees()
    return sum(_replace(deps, record, fees) for record in patient)


def dearer(old: UnsignedTransaction, now: Fees) -> UnsignedTransaction | None:
    """The same call at a fee that a node takes in its place, None when the old one still does."""
    if now.gas_price is not None:
        if old.gas_price is None or now.gas_price <= old.gas_price:
            return None
        return replace(old, gas_price=max(now.gas_price, _bumped(old.gas_price)))
    if now.max_fee_per_gas is None or now.max_priority_fee_per_gas is None:
        return None
    if old.max_fee_per_gas is None or old.max_priority_fee_per_gas is None:
        return None
    base_fee = (now.max_fee_per_gas - now.max_priority_fee_per_gas) // 2
    if old.max_fee_per_gas >= base_fee + old.max_priority_fee_per_gas:
        return None
    return replace(
        old,
        max_fee_per_gas=max(now.max_fee_per_gas, _bumped(old.max_fee_per_gas)),
        max_priority_fee_per_gas=max(
            now.max_priority_fee_per_gas, _bumped(old.max_priority_fee_per_gas)
        ),
    )


def _bumped(wei: int) -> int:
    return -(-wei * (100 + BUMP_PERCENT) // 100)


def _replace(deps: Anchoring, record: TransactionRecord, fees: Fees) -> bool:
    unsigned = dearer(record.unsigned, fees)
    if unsigned is None or deps.node.transaction_count(record.account) != record.nonce:
        return False
    price = unsigned.gas_price or unsigned.max_fee_per_gas or 0
    if price > deps.fee_wei_max:
        with deps.work() as work:
            work.alarms.raise_alarm(
                "fee-limit",
                f"{record.account}:{record.nonce}",
                f"it takes {price} wei a gas now; YICHU_MAX_FEE_GWEI allows {deps.fee_wei_max} wei",
            )
            work.commit()
        return False
    try:
        lease = take_lease(deps, record.account)
        candidate = sign_record(deps, lease, record.account, unsigned, record.purpose)
        with deps.work() as work:
            work.accounts.confirm(lease, deps.lease_seconds)
            intents = [intent.id for intent in work.transactions.items(record.id)]
            work.transactions.add(candidate, intents)
            work.alarms.clear("fee-limit", f"{record.account}:{record.nonce}")
            work.commit()
    except (LeaseHeldError, LeaseLostError) as error:
        _logger.info("nonce %s is left to another worker: %s", record.nonce, error.en)
        return False
    _logger.warning("nonce %s of %s goes out at a higher fee", record.nonce, record.account)
    forward(deps, candidate)
    return True
