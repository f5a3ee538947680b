"""Print what the ledger's calls cost, from receipts under Berlin rules, beside others' figures.

    python -m scripts.bench.gas              the tables
    python -m scripts.bench.gas --markdown   the same as they stand in docs/ledger.md

The bars are 70 gas an invoice anchored in batches of 1,000; 42,000 a claim lodged in a batch of 100
from one source batch with its depth-10 proof; 10,500 a settlement and 15,000 a refused duplicate in
batches of 100. The floor is what no code avoids under these rules: the share of the transaction's
21,000, the calldata, the storage that must change or be read, and the event.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.contracts.bills import Bill, Desk, digest
from tests.contracts.chain import DAY, open_chain
from verifier.commitment import merkle

CLAIMS: Final = 100
# Two proofs an item: 100 of them would pass the 128 KB of a call.
CORRECTIONS: Final = 60
LEAVES: Final = 1_000
# EIP-2929: a cold slot, then writing zero to non-zero, or non-zero to non-zero.
COLD_SLOT, NEW_SLOT, CHANGED_SLOT = 2_100, 20_000, 2_900
CREATED, CHANGED, READ = COLD_SLOT + NEW_SLOT, COLD_SLOT + CHANGED_SLOT, COLD_SLOT
DEPTH: Final = 10

# What the gas above the floor is spent on.
WHY: Final = {
    "anchor, an invoice at 1,000": (
        "one call of the registry, the read of the head before, and the hash of the new one"
    ),
    "lodge, proof of depth 10": (
        "ten proof levels at the price below are two fifths; the rest is the leaf's hash, decoding"
        " and the checks"
    ),
    "refused duplicate (locked)": "decoding and checks up to the lock; the proof is not looked at",
    "lodge sent again": "as above: a repetition is found before the proof",
    "refused duplicate (settled)": "as above: found before the proof",
    "settle": "decoding, nine checks, the place of the slot and the detail word",
    "settle sent again": "decoding, checks up to the settled bit, a second read of the slot",
    "supplement": "as a settlement",
    "recover": "the digest of payer, key and amount, and the place of a second slot",
    "renew": "as a settlement, with the deadline's checks",
    "release": "as a settlement",
    "expire": "as a settlement, with little to decode",
    "void, proof of depth 10": "as a lodge: the proof is always asked for",
    "supersede, two proofs": "twenty proof levels and two leaf hashes",
    "exchange, proof of depth 10": "as a void, and the place of the paper's slot",
    "return, proof of depth 10": "as a void, and the place of the paper's slot",
}

# (what, figure of others, our row or a text); measured by their authors' code under Cancun rules.
PEERS: Final = (
    ("OpenAttestation, one root in one call", "48.3k a root, one bill or a batch", "anchor"),
    ("OpenAttestation, 20 roots in a multicall", "28.2k a root", "anchor"),
    ("FISCO-style evidence contract", "257k a bill", "anchor"),
    ("event with a root, no state, no order", "23.4 a bill at 1,000", "anchor"),
    ("claim nullifier, batch of 100: no proof, payer, sum or deadline", "24.6k a claim", "lodge"),
    ("OpenZeppelin sorted pairs (keccak)", "260 a proof level", "level"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One call: gas an item as measured, and the parts of its floor."""

    name: str
    measured: float
    share: float
    calldata: float
    storage: float
    log: float
    bar: int | None = None

    @property
    def floor(self) -> float:
        return self.share + self.calldata + self.storage + self.log

    @property
    def is_over(self) -> bool:
        return self.bar is not None and self.measured > self.bar


def calldata_gas(function: Any) -> int:
    """Gas of a call's data: 16 a non-zero byte, 4 a zero byte (EIP-2028)."""
    data = bytes.fromhex(function._encode_transaction_data()[2:])
    return sum(16 if byte else 4 for byte in data)


def event_gas(topics: int, data_words: int) -> int:
    """Gas of one event."""
    return 375 + 375 * topics + 8 * 32 * data_words


class Bench:
    """A ledger with batches of 1,000, and the rows measured on it so far."""

    def __init__(self) -> None:
        self.desk = Desk(open_chain())
        self.functions = self.desk.functions
        self.rows: list[Row] = []
        self.bills = [Bill(f"bill {n}", total=123_456, borne=2_345) for n in range(LEAVES)]

    def send(
        self,
        name: str,
        function: Any,
        role: str,
        *,
        storage: int,
        event: tuple[int, int],
        bar: int | None = None,
        items: int = CLAIMS,
    ) -> None:
        """Mine a call of `items` items and record its row."""
        used = self.desk.chain.send(function, role)["gasUsed"]
        self.rows.append(
            Row(
                name,
                used / items,
                21_000 / items,
                calldata_gas(function) / items,
                storage,
                event_gas(*event),
                bar,
            )
        )

    def refuse(self, name: str, function: Any, role: str) -> None:
        """As `send`, of items that change nothing."""
        self.send(name, function, role, storage=READ, event=(2, 1), bar=15_000)

    def anchor(self) -> None:
        self.desk.anchor(Bill("the first anchor of an institution"))
        self.hashes = [bill.leaf_hash for bill in self.bills]
        root, previous = merkle.root_hash(self.hashes), self.desk._heads[1][1]
        function = self.functions.anchor(2, root, LEAVES, previous)
        self.batch = self.desk.anchor(*self.bills)
        used = self.desk.chain.tester.get_block_by_number("latest")["gas_used"]
        name, calldata, log = "anchor, an invoice at 1,000", calldata_gas(function), event_gas(4, 4)
        share, storage, data = 21_000 / LEAVES, CREATED / LEAVES, calldata / LEAVES
        self.rows.append(Row(name, used / LEAVES, share, data, storage, log / LEAVES, bar=70))

    def proofs(self, first: int, count: int = CLAIMS, batch_index: int = 0) -> list[Any]:
        places = range(first, first + count)
        return [
            (self.bills[n].leaf, batch_index, n, merkle.inclusion_proof(self.hashes, n))
            for n in places
        ]

    def lodges(self, first: int) -> Any:
        deadline = self.desk.deadline()
        items = [(leaf, 0, n, 1, deadline, proof) for leaf, _, n, proof in self.proofs(first)]
        return self.functions.lodgeBatch([self.batch.ref], items)

    def claims(self) -> None:
        bills, desk = self.bills[:CLAIMS], self.desk
        lodges = self.lodges(0)
        settles = self.functions.settleBatch([desk.settle_item(b, 1, 100_000) for b in bills])
        self.send(
            "lodge, proof of depth 10", lodges, "basic", storage=CREATED, event=(2, 1), bar=42_000
        )
        self.refuse("refused duplicate (locked)", lodges, "second_basic")
        self.refuse("lodge sent again", lodges, "basic")
        self.send("settle", settles, "basic", storage=CHANGED, event=(2, 3), bar=10_500)
        self.refuse("settle sent again", settles, "basic")
        self.refuse("refused duplicate (settled)", lodges, "second_basic")
        more = [desk.supplement_item(bill, 102_345, 1_000) for bill in bills]
        self.send(
            "supplement",
            self.functions.supplementBatch(more),
            "basic",
            storage=CHANGED,
            event=(2, 3),
        )
        back = [(bill.key, 1_000, digest(f"recovery of {bill.name}")) for bill in bills]
        storage = CREATED + READ
        self.send(
            "recover", self.functions.recoverBatch(back), "basic", storage=storage, event=(3, 1)
        )

    def ends(self) -> None:
        desk, functions = self.desk, self.functions
        bills = self.bills[CLAIMS : 2 * CLAIMS]
        desk.chain.send(self.lodges(CLAIMS), "basic")
        renewals = [(bill.key, 1, desk.deadline(60)) for bill in bills]
        self.send("renew", functions.renewBatch(renewals), "basic", storage=CHANGED, event=(2, 1))
        releases = [desk.release_item(bill, reason=1) for bill in bills]
        self.send(
            "release", functions.releaseBatch(releases), "basic", storage=CHANGED, event=(2, 3)
        )
        desk.chain.send(self.lodges(2 * CLAIMS), "basic")
        desk.chain.travel(desk.chain.now() + 31 * DAY)
        expiries = [(bill.key, 1) for bill in self.bills[2 * CLAIMS : 3 * CLAIMS]]
        self.send(
            "expire", functions.expireBatch(expiries), "stranger", storage=CHANGED, event=(2, 1)
        )

    def issuers(self) -> None:
        functions, refs = self.functions, [self.batch.ref]
        voids = functions.voidBatch(refs, self.proofs(300))
        self.send("void, proof of depth 10", voids, "hospital", storage=CREATED, event=(2, 1))
        corrected = [bill.corrected() for bill in self.bills]
        later = self.desk.anchor(*corrected)
        hashes = [bill.leaf_hash for bill in corrected]
        pairs = [
            (old, (corrected[n].leaf, 1, n, merkle.inclusion_proof(hashes, n)))
            for n, old in enumerate(self.proofs(400, CORRECTIONS), 400)
        ]
        supersedes = functions.supersedeBatch([*refs, later.ref], pairs)
        name, event = "supersede, two proofs", (2, 2)
        self.send(name, supersedes, "hospital", storage=CREATED, event=event, items=CORRECTIONS)
        papers = [(proof, digest(f"paper {n}")) for n, proof in enumerate(self.proofs(500))]
        exchanges = functions.exchangeToPaperBatch(refs, papers)
        self.send(
            "exchange, proof of depth 10", exchanges, "hospital", storage=2 * CREATED, event=(3, 1)
        )
        returns = functions.returnPaperBatch(refs, papers)
        self.send(
            "return, proof of depth 10", returns, "hospital", storage=2 * CHANGED, event=(3, 1)
        )

    def proof_level(self) -> float:
        """Gas of one level of a proof without its calldata: depth 10 less a bare root."""
        place = 5
        proof = merkle.inclusion_proof(self.hashes, place)
        arguments = (self.hashes[place], place, LEAVES, proof, merkle.root_hash(self.hashes))
        deep = self.functions.isIncluded(*arguments)
        flat = self.functions.isIncluded(self.hashes[place], 0, 1, [], self.hashes[place])
        costs = [
            self.desk.chain.send(function, "stranger")["gasUsed"] - calldata_gas(function)
            for function in (deep, flat)
        ]
        return float(costs[0] - costs[1]) / DEPTH


def measure() -> tuple[list[Row], float]:
    """All rows, and the gas of a level of a proof."""
    bench = Bench()
    bench.anchor()
    bench.claims()
    bench.ends()
    bench.issuers()
    return bench.rows, bench.proof_level()


def our_figure(key: str, rows: Sequence[Row], level: float) -> str:
    """Our figure beside another's."""
    by_name = {row.name: row.measured for row in rows}
    anchor = by_name["anchor, an invoice at 1,000"]
    return {
        "anchor": f"{anchor:.1f}k a root with its order, {anchor:.1f} a bill at 1,000",
        "lodge": f"{by_name['lodge, proof of depth 10'] / 1_000:.1f}k a claim with its proof",
        "level": f"{level:,.0f} a proof level (SHA-256, RFC 9162: binds index and size)",
    }[key]


def _numbers(row: Row) -> list[str]:
    digits = 1 if row.measured < 1_000 else 0
    values = (row.measured, row.floor, row.share, row.calldata, row.storage, row.log)
    above = row.measured - row.floor
    return [f"{value:,.{digits}f}" for value in (*values, above)] + [
        f"{row.bar:,}" if row.bar else ""
    ]


COLUMNS: Final = (
    "measured",
    "floor",
    "transaction",
    "calldata",
    "storage",
    "log",
    "above it",
    "bar",
)


def print_text(rows: Sequence[Row], level: float) -> None:
    print(f"{'call, gas an item':30}" + "".join(f"{name:>12}" for name in COLUMNS))
    for row in rows:
        cells = "".join(f"{cell:>12}" for cell in _numbers(row))
        print(f"{row.name:30}{cells}{'  over' if row.is_over else ''}")
        print(f"    {WHY[row.name]}")
    print("\nothers, measured in the same way                                    ours")
    for what, theirs, key in PEERS:
        print(f"{what}: {theirs}")
        print(f"    {our_figure(key, rows, level)}")


def print_markdown(rows: Sequence[Row], level: float) -> None:
    print("| call | " + " | ".join(COLUMNS) + " | what is above the floor |")
    print("|---|" + "---:|" * len(COLUMNS) + "---|")
    for row in rows:
        print(f"| {row.name} | " + " | ".join(_numbers(row)) + f" | {WHY[row.name]} |")
    print("\n| others | their figure | ours |\n|---|---|---|")
    for what, theirs, key in PEERS:
        print(f"| {what} | {theirs} | {our_figure(key, rows, level)} |")


def main(arguments: Sequence[str] = ()) -> int:
    """Measure and print the tables; 1 when a bar is missed."""
    rows, level = measure()
    show: Callable[[Sequence[Row], float], None] = (
        print_markdown if "--markdown" in arguments else print_text
    )
    show(rows, level)
    return int(any(row.is_over for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
