"""Bills, batches and items for the contract tests, committed to by the off-chain verifier."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from eth_utils import event_abi_to_log_topic
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.types import TxReceipt

from tests.contracts.chain import CLINIC_CODE, DAY, HOSPITAL_CODE, POLICY, Chain
from verifier.commitment import batch as commitment
from verifier.commitment import merkle

ZERO = bytes(32)


class Outcome(IntEnum):
    """The contract's outcomes, written down again from the interface."""

    DONE = 0
    REPEATED = 1
    PAUSED = 2
    SUSPENDED = 3
    STALE = 4
    LOCKED = 5
    SETTLED_BY_PAYER = 6
    SETTLED_BY_BASIC = 7
    SETTLED = 8
    ALREADY_SETTLED = 9
    IS_VOID = 10
    IS_REVERSED = 11
    IS_ON_PAPER = 12
    BOUND_ELSEWHERE = 13
    SECOND_KEY_BOUND = 14
    NOTHING_LEFT = 15
    KIND_REFUSED = 16
    KIND_NOT_FOR_BASIC = 17
    BAD_DEADLINE = 18
    NOT_DUE = 19
    POLICY_UNKNOWN = 20
    OVER_TOTAL = 21
    NOT_LATER = 22
    BAD_LEAF = 23
    BAD_BATCH = 24
    FOREIGN_LEAF = 25
    BAD_PROOF = 26
    QUARANTINED = 27
    BAD_FLAGS = 28
    RETIRED = 29
    NOT_SETTLED = 30
    BAD_AMOUNT = 31
    BAD_VERSION = 32
    NUMBER_USED = 33
    PAPER_KEY_BOUND = 34
    IS_PAPER = 35


class Call(IntEnum):
    """The contract's calls, written down again from the interface."""

    LODGE = 1
    SETTLE = 2
    RELEASE = 3
    RENEW = 4
    EXPIRE = 5
    SUPERSEDE = 6
    VOID = 7
    REVERSE = 8
    RULE = 9
    SUPPLEMENT = 10
    RECOVER = 11
    EXCHANGE = 12
    RETURN = 13


PINNED, VOID, REVERSED, ON_PAPER, IS_PAPER, ALIAS, MOVED = 1, 2, 4, 8, 16, 32, 64


def digest(text: str) -> bytes:
    """A key or fingerprint that no other text has."""
    return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True)
class Bill:
    """The content of one batch leaf."""

    name: str
    total: int = 10_000
    borne: int = 0
    kind: int = 1
    version: str = "first"
    second: str | None = None
    code: str = HOSPITAL_CODE

    @property
    def key(self) -> bytes:
        return digest(f"key of {self.name}")

    @property
    def second_key(self) -> bytes:
        return digest(f"key of {self.second}") if self.second else ZERO

    @property
    def fingerprint(self) -> bytes:
        return digest(f"fingerprint of {self.name}, {self.version}")

    @property
    def leaf(self) -> tuple[Any, ...]:
        code = self.code.encode().ljust(16, b"\0")
        return (
            code,
            self.kind,
            1,
            self.key,
            self.second_key,
            self.fingerprint,
            self.total,
            self.borne,
        )

    @property
    def leaf_hash(self) -> bytes:
        """By hand, so that leaves which the verifier refuses can be made as well."""
        code, kind, version, key, second, fingerprint, total, borne = self.leaf
        numbers = total.to_bytes(8, "big") + borne.to_bytes(8, "big")
        head: bytes = b"\x01" + code + bytes([kind]) + version.to_bytes(2, "big")
        return merkle.leaf_hash(head + key + second + fingerprint + numbers)

    def corrected(self, **changes: Any) -> Bill:
        return replace(self, version="corrected", **changes)


@dataclass(frozen=True)
class Batch:
    """An anchored batch."""

    institution: int
    sequence: int
    previous_head: bytes
    bills: tuple[Bill, ...]

    @property
    def hashes(self) -> list[bytes]:
        return [bill.leaf_hash for bill in self.bills]

    @property
    def root(self) -> bytes:
        return merkle.root_hash(self.hashes)

    @property
    def head(self) -> bytes:
        return commitment.batch_head(
            self.institution, self.sequence, self.previous_head, self.root, len(self.bills)
        )

    @property
    def ref(self) -> tuple[Any, ...]:
        size = len(self.bills)
        return (self.institution, self.sequence, self.previous_head, self.root, size)

    def reference(self, index: int) -> int:
        return self.institution << 32 | self.sequence << 10 | index

    def proof(self, index: int) -> list[bytes]:
        return merkle.inclusion_proof(self.hashes, index)

    def leaf_proof(self, index: int, batch_index: int = 0) -> tuple[Any, ...]:
        return (self.bills[index].leaf, batch_index, index, self.proof(index))


@dataclass(frozen=True)
class Report:
    """One claim event, its detail word taken apart."""

    name: str
    key: bytes
    index: int
    call: Call
    outcome: Outcome
    payer: int
    counter: int
    holder: tuple[int, int]
    reference: int
    value: int
    version: int
    paid: int
    total: int
    rest: dict[str, Any]


def take_apart(name: str, arguments: dict[str, Any]) -> Report:
    detail = int(arguments["detail"])

    def part(low: int, bits: int) -> int:
        return (detail >> low) & ((1 << bits) - 1)

    rest = {key: value for key, value in arguments.items() if key not in ("invoiceKey", "detail")}
    return Report(
        name=name,
        key=arguments["invoiceKey"],
        index=part(0, 8),
        call=Call(part(8, 8)),
        outcome=Outcome(part(16, 8)),
        payer=part(24, 8),
        counter=part(32, 16),
        holder=(part(48, 8), part(56, 16)),
        reference=part(72, 48),
        value=part(120, 40),
        version=part(160, 16),
        paid=part(176, 40),
        total=part(216, 40),
        rest=rest,
    )


class Desk:
    """Sends the calls of the tests; each role of the chain is a caller."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.functions = chain.ledger.functions
        self.ledger = chain.ledger.address
        self._events = {
            event_abi_to_log_topic(entry): chain.ledger.events[entry["name"]]()
            for entry in chain.ledger.abi
            if entry["type"] == "event"
        }
        self._heads: dict[int, tuple[int, bytes]] = {}

    def at(self, ledger: Contract) -> Desk:
        """The same desk at another ledger, whose heads go on from here."""
        other = Desk(self.chain)
        other.functions, other.ledger = ledger.functions, ledger.address
        other._heads = dict(self._heads)
        return other

    # ------------------------------------------------------------------------------ reading

    def events(self, receipt: TxReceipt) -> list[tuple[str, dict[str, Any]]]:
        """All events of the ledger, decoded, in order."""
        decoded = [
            self._events[bytes(log["topics"][0])].process_log(log)
            for log in receipt["logs"]
            if log["address"] == self.ledger
        ]
        return [(event["event"], dict(event["args"])) for event in decoded]

    def reports(self, receipt: TxReceipt) -> list[Report]:
        return [take_apart(name, arguments) for name, arguments in self.events(receipt)]

    def run(self, function: ContractFunction, sender: str) -> Report:
        """Send a call that concerns one item and return its one report."""
        (report,) = self.reports(self.chain.send(function, sender))
        return report

    def state(self, bill: Bill | bytes) -> dict[str, Any]:
        key = bill if isinstance(bill, bytes) else bill.key
        values = self.chain.view(self.functions.claimState(key))
        names = ("total", "paid", "reference", "deadline", "open", "counter", "flags", "settled")
        return dict(zip((*names, "primary"), values, strict=True))

    def raw(self, bill: Bill) -> int:
        return int(self.chain.view(self.functions.slot(bill.key)))

    def deadline(self, days: int = 30) -> int:
        return self.chain.now() + days * DAY

    # ------------------------------------------------------------------------------ calls

    def anchor(self, *bills: Bill, role: str = "hospital") -> Batch:
        institution = 2 if role == "clinic" else 1
        sequence, previous = self._heads.get(institution, (0, ZERO))
        batch = Batch(institution, sequence + 1, previous, bills)
        anchor = self.functions.anchor(batch.sequence, batch.root, len(bills), previous)
        ((name, arguments),) = self.events(self.chain.send(anchor, role))
        assert (name, arguments["head"]) == ("Anchored", batch.head)
        self._heads[institution] = (batch.sequence, batch.head)
        return batch

    def lodge_item(
        self,
        batch: Batch,
        index: int = 0,
        counter: int = 1,
        batch_index: int = 0,
        deadline: int | None = None,
        **changes: Any,
    ) -> tuple[Any, ...]:
        item = {
            "leaf": batch.bills[index].leaf,
            "batch_index": batch_index,
            "leaf_index": index,
            "counter": counter,
            "deadline": self.deadline() if deadline is None else deadline,
            "proof": batch.proof(index),
        }
        return tuple((item | changes).values())

    def lodge(
        self, batch: Batch, index: int = 0, counter: int = 1, role: str = "basic", **changes: Any
    ) -> Report:
        item = self.lodge_item(batch, index, counter, **changes)
        return self.run(self.functions.lodge(batch.ref, item), role)

    def settle_item(
        self, bill: Bill, counter: int = 1, amount: int = 1_000, policy: bytes = POLICY
    ) -> tuple[Any, ...]:
        return (bill.key, counter, amount, digest("decision"), 1, policy)

    def settle(
        self, bill: Bill, counter: int = 1, amount: int = 1_000, role: str = "basic"
    ) -> Report:
        return self.run(self.functions.settle(self.settle_item(bill, counter, amount)), role)

    def release_item(self, bill: Bill, counter: int = 1, reason: int = 0) -> tuple[Any, ...]:
        policy = POLICY if reason == 1 else ZERO
        return (bill.key, counter, reason, digest("refusal"), 1, policy)

    def release(self, bill: Bill, counter: int = 1, role: str = "basic", reason: int = 0) -> Report:
        return self.run(self.functions.release(self.release_item(bill, counter, reason)), role)

    def renew(self, bill: Bill, deadline: int, counter: int = 1, role: str = "basic") -> Report:
        return self.run(self.functions.renew((bill.key, counter, deadline)), role)

    def expire(self, bill: Bill, counter: int = 1, role: str = "stranger") -> Report:
        return self.run(self.functions.expire((bill.key, counter)), role)

    def void(self, batch: Batch, index: int = 0, role: str = "hospital") -> Report:
        return self.run(self.functions.void(batch.ref, batch.leaf_proof(index)), role)

    def reverse(self, batch: Batch, index: int = 0, role: str = "hospital") -> Report:
        return self.run(self.functions.reverse(batch.ref, batch.leaf_proof(index)), role)

    def supersede(
        self,
        old: tuple[Batch, int],
        new: tuple[Batch, int],
        role: str = "hospital",
    ) -> Report:
        item = (old[0].leaf_proof(old[1], 0), new[0].leaf_proof(new[1], 1))
        return self.run(self.functions.supersede([old[0].ref, new[0].ref], item), role)

    def supplement_item(
        self,
        bill: Bill,
        paid_before: int,
        amount: int,
        version: int = 2,
        policy: bytes = POLICY,
    ) -> tuple[Any, ...]:
        return (bill.key, paid_before, amount, digest("appeal"), version, policy)

    def supplement(
        self, bill: Bill, paid_before: int, amount: int, role: str = "basic", **changes: Any
    ) -> Report:
        item = self.supplement_item(bill, paid_before, amount, **changes)
        return self.run(self.functions.supplement(item), role)

    def recover(self, bill: Bill, amount: int, number: str, role: str = "basic") -> Report:
        return self.run(self.functions.recover((bill.key, amount, digest(number))), role)

    def exchange(
        self, batch: Batch, index: int, paper: Bill | bytes, role: str = "hospital"
    ) -> Report:
        item = (batch.leaf_proof(index), paper if isinstance(paper, bytes) else paper.key)
        return self.run(self.functions.exchangeToPaper(batch.ref, item), role)

    def give_back(
        self, batch: Batch, index: int, paper: Bill | bytes, role: str = "hospital"
    ) -> Report:
        item = (batch.leaf_proof(index), paper if isinstance(paper, bytes) else paper.key)
        return self.run(self.functions.returnPaper(batch.ref, item), role)

    def quarantine(self, batch: Batch, lifted: bool = False) -> None:
        registry = self.chain.registry.functions
        place = (batch.institution, batch.sequence, batch.sequence)
        call = registry.lift(*place) if lifted else registry.quarantine(*place, digest("reason"))
        self.chain.send(call, "registrar")

    def rule(self, bill: Bill, role: str = "registrar") -> Report:
        return self.run(self.functions.rule(bill.key, digest("reason")), role)

    def rule_for(
        self, batch: Batch, index: int = 0, flags: int = PINNED, role: str = "registrar"
    ) -> Report:
        proof = batch.leaf_proof(index)
        return self.run(self.functions.ruleFor(batch.ref, proof, flags, digest("reason")), role)


__all__ = ["CLINIC_CODE", "HOSPITAL_CODE", "Batch", "Bill", "Call", "Desk", "Outcome", "Report"]
