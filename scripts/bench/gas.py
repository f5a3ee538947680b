"""Print what the ledger's calls cost, from receipts under Berlin rules.

    python -m scripts.bench.gas

The bars are 70 gas an invoice anchored in batches of 1,000; 42,000 a claim lodged in a batch of 100
from one source batch with its depth-10 proof; 10,500 a settlement and 15,000 a refused duplicate in
batches of 100. Costs that no code avoids under these rules ("floor"): the share of the transaction,
calldata, storage and the event.
"""

from __future__ import annotations

import sys
from typing import Any

from tests.contracts.bills import Bill, Desk
from tests.contracts.chain import open_chain
from verifier.commitment import merkle

CLAIMS = 100
LEAVES = 1_000
# EIP-2929: a cold slot, then writing zero to non-zero, or non-zero to non-zero.
COLD_SLOT, NEW_SLOT, CHANGED_SLOT = 2_100, 20_000, 2_900


def calldata_gas(function: Any) -> int:
    """Gas of a call's data: 16 a non-zero byte, 4 a zero byte (EIP-2028)."""
    data = bytes.fromhex(function._encode_transaction_data()[2:])
    return sum(16 if byte else 4 for byte in data)


def event_gas(topics: int, data_words: int) -> int:
    """Gas of one event."""
    return 375 + 375 * topics + 8 * 32 * data_words


def main() -> int:
    """Measure and print the table; 1 when a bar is missed."""
    desk = Desk(open_chain())
    functions = desk.functions
    bills = [Bill(f"bill {number}", total=123_456, borne=2_345) for number in range(LEAVES)]
    rows = []
    desk.anchor(Bill("the first anchor of an institution"))
    hashes = [bill.leaf_hash for bill in bills]
    root, previous = merkle.root_hash(hashes), desk.chain.view(functions.head(1, 1))
    anchor = functions.anchor(2, root, LEAVES, previous)
    batch = desk.anchor(*bills)
    block = desk.chain.tester.get_block_by_number("latest")
    used = block["gas_used"]
    floor = 21_000 + calldata_gas(anchor) + COLD_SLOT + NEW_SLOT + event_gas(4, 4)
    rows.append(("anchor, an invoice at 1,000", used / LEAVES, floor / LEAVES, 70))

    deadline = desk.deadline()
    items = [
        (bills[number].leaf, 0, number, 1, deadline, merkle.inclusion_proof(hashes, number))
        for number in range(CLAIMS)
    ]
    lodges = functions.lodgeBatch([batch.ref], items)
    settles = functions.settleBatch([desk.settle_item(bill, 1, 100_000) for bill in bills[:CLAIMS]])
    steps = (
        ("lodge, proof of depth 10", lodges, "basic", NEW_SLOT, (2, 1), 42_000),
        ("refused duplicate (locked)", lodges, "second_basic", 0, (2, 1), 15_000),
        ("lodge sent again", lodges, "basic", 0, (2, 1), 15_000),
        ("settle", settles, "basic", CHANGED_SLOT, (2, 3), 10_500),
        ("settle sent again", settles, "basic", 0, (2, 1), 15_000),
        ("refused duplicate (settled)", lodges, "second_basic", 0, (2, 1), 15_000),
    )
    for name, function, sender, written, event, bar in steps:
        used = desk.chain.send(function, sender)["gasUsed"]
        floor = (
            (21_000 + calldata_gas(function)) // CLAIMS + COLD_SLOT + written + event_gas(*event)
        )
        rows.append((name, used / CLAIMS, floor, bar))

    print(f"{'call, gas an item':32}{'measured':>10}{'floor':>10}{'bar':>10}")
    for name, measured, lowest, bar in rows:
        verdict = "" if measured <= bar else "  over"
        print(f"{name:32}{measured:>10,.1f}{lowest:>10,.1f}{bar:>10,}{verdict}")
    return int(any(measured > bar for _, measured, _, bar in rows))


if __name__ == "__main__":
    sys.exit(main())
