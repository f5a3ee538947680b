"""Checks 19 to 22 a second time, written from verifier/SPEC.md alone.

``judge`` takes the two files as JSON values and a node that answers JSON-RPC calls, and returns the
status of each of the four checks. It shares no line with the verifier: encodings are eth_abi's, the
committed bytes those of ``tests.reference.commitment``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.reference import commitment as ref
from tests.reference.simulated_node import selector, topic

OK, FAIL, UNDECIDED = "OK", "FAIL", "UNDECIDED"
WITH_DIGESTS = ",bytes32,bytes32)"
LODGED = "Lodged(bytes32,uint256)"
SETTLED = "Settled(bytes32,uint256" + WITH_DIGESTS
RELEASED = "Released(bytes32,uint256" + WITH_DIGESTS
SUPPLEMENTED = "Supplemented(bytes32,uint256" + WITH_DIGESTS
RECOVERED = "Recovered(bytes32,bytes32,uint256)"

Json = dict[str, Any]


class FailedError(Exception):
    pass


class UnclearError(Exception):
    pass


def hold(condition: bool, error: type[Exception] = FailedError) -> None:
    if not condition:
        raise error


@dataclass(frozen=True)
class Event:
    name: str
    data: str
    number: str
    position: tuple[int, int]

    def field(self, shift: int, width: int) -> int:
        return int(self.data[2:66], 16) >> shift & (1 << width) - 1

    call = property(lambda self: self.field(8, 8))
    outcome = property(lambda self: self.field(16, 8))
    payer = property(lambda self: self.field(24, 8))
    counter = property(lambda self: self.field(32, 16))
    leaf = property(lambda self: self.field(72, 48))
    value = property(lambda self: self.field(120, 40))
    version = property(lambda self: self.field(160, 16))
    paid = property(lambda self: self.field(176, 40))
    total = property(lambda self: self.field(216, 40))


@dataclass(frozen=True)
class Shown:
    entry: Json
    number: int
    counter: int
    paid: int
    refused: bool


def shown(bundle: Json) -> list[Shown]:
    claim = bundle["claim"]
    closing, counter = claim["closing"], claim["counter"]
    found = [
        Shown(one, one["decision_version"], one["counter"], 0, True)
        for one in bundle.get("earlier", [])
    ]
    paid = closing["amount_fen"]
    refused = closing["kind"] == "release"
    found.append(Shown(bundle, closing["decision_version"], counter, paid, refused))
    for one in bundle.get("later", []):
        paid += one["amount_fen"]
        found.append(Shown(one, one["decision_version"], counter, paid, False))
    return found


def record_of(leaves: list[Json]) -> Json:
    """The record of open leaves; fails unless exactly its leaves, in order."""
    record: Json = {}
    for leaf in leaves[1:]:
        hold("hash" not in leaf and leaf["path"].startswith("/"))
        name, _, index = leaf["path"][1:].partition("/")
        if leaf["kind"] == 2:
            record[name] = []
        elif leaf["kind"] == 3:
            hold(isinstance(record.get(name), list) and index == str(len(record[name])))
            record[name].append(leaf["value"])
        else:
            record[name] = leaf["value"]
    hold(
        [(leaf["path"], leaf["kind"], ref.canonical(leaf["value"])) for leaf in leaves]
        == [(path, kind, value) for path, kind, value in ref.leaves(record)]
    )
    return record


def root_of(leaves: list[Json]) -> str:
    hashes = [
        ref.leaf_hash(
            ref.leaf_bytes(
                leaf["path"],
                leaf["kind"],
                ref.canonical(leaf["value"]),
                bytes.fromhex(leaf["salt"]),
            )
        )
        for leaf in leaves
    ]
    return ref.root(hashes).hex()


def checks_8_to_11(bundle: Json, one: Shown) -> None:
    leaves = one.entry["decision"]["leaves"]
    record = record_of(leaves)
    hold(root_of(leaves) == one.entry["decision"]["fingerprint"])
    policy = one.entry["policy"]
    expected = {
        "format": "yichu-eob-1",
        "invoice_fingerprint": bundle["batch_leaf"]["fingerprint"],
        "payer_number": bundle["claim"]["payer_number"],
        "lodge_counter": one.counter,
        "decision_version": one.number,
        "policy_hash": policy["hash"],
        "paid_fen": one.paid,
    }
    hold(all(record.get(name) == value for name, value in expected.items()))
    hold(record["outcome"] in (("refused",) if one.refused else ("approved", "partial")))
    hold(ref.sha256(policy["text"].encode()).hex() == policy["hash"])
    bill = record_of(bundle["invoice"]["leaves"])
    lines = record["lines"]
    hold(len(lines) == len(bill["lines"]))
    for index, line in enumerate(lines):
        hold(line["index"] == index and line["submitted_fen"] >= 0 and line["paid_fen"] >= 0)
        cuts = sum(cut["amount_fen"] for cut in line["adjustments"])
        hold(line["submitted_fen"] == line["paid_fen"] + cuts)
    hold(sum(line["submitted_fen"] for line in lines) == record["submitted_fen"])
    hold(record["submitted_fen"] == bill["total_fen"])
    hold(sum(line["paid_fen"] for line in lines) == record["paid_fen"])
    borne = bill["fund_pay_fen"] + bill["other_pay_fen"]
    hold(record["paid_fen"] + borne <= bill["total_fen"])


def rising(values: list[Any]) -> bool:
    return all(a < b for a, b in pairwise(values))


class Judge:
    def __init__(self, bundle: Json, trust: Json, node: Any) -> None:
        self.bundle, self.trust, self.node = bundle, trust, node
        self.key = bundle["batch_leaf"]["invoice_key"]
        self.payer = bundle["claim"]["payer_number"]
        self.counter = bundle["claim"]["counter"]
        self.closing = bundle["claim"]["closing"]
        self.settles = self.closing["kind"] == "settle"
        contracts = trust["contracts"]
        ledgers = [contracts["invoice_ledger"], *contracts.get("predecessors", [])]
        self.ledgers = [("0x" + one["address"], one["deployment_block"]) for one in ledgers]
        self.versions = shown(bundle)
        self.borne = bundle["batch_leaf"]["borne_fen"]

    # the node ------------------------------------------------------------------------------

    def latest(self) -> int:
        return int(self.node.call("eth_getBlockByNumber", ["latest", False])["number"], 16)

    def slot(self, tag: str = "latest") -> int:
        data = "0x" + selector("slot(bytes32)") + self.key
        return int(self.node.call("eth_call", [{"to": self.ledgers[0][0], "data": data}, tag]), 16)

    def published_at(self, policy_hash: str) -> int:
        registry = "0x" + self.trust["contracts"]["registry"]["address"]
        data = "0x" + selector("policy(bytes32)") + policy_hash
        return int(self.node.call("eth_call", [{"to": registry, "data": data}, "latest"])[2:66], 16)

    def event(self, log: Json, name: str) -> Event | None:
        topics = log["topics"]
        if topics[:2] != [topic(name), "0x" + self.key]:
            return None
        number = topics[2][2:] if len(topics) > 2 else ""
        position = (int(log["blockNumber"], 16), int(log["logIndex"], 16))
        return Event(name, log["data"], number, position)

    def named(self, place: Json, name: str, fits: Callable[[Event], bool]) -> Event:
        receipt = self.node.call("eth_getTransactionReceipt", ["0x" + place["tx_hash"]])
        hold(receipt is not None and receipt["status"] == "0x1")
        block = hex(place["block_number"])
        hold((receipt["blockNumber"], receipt["blockHash"]) == (block, "0x" + place["block_hash"]))
        addresses = [address for address, _ in self.ledgers]
        events = [self.event(log, name) for log in receipt["logs"] if log["address"] in addresses]
        found = [event for event in events if event is not None and fits(event)]
        hold(bool(found))
        stored = self.node.call("eth_getBlockByNumber", [block, False])
        hold(stored is not None and stored["hash"] == "0x" + place["block_hash"])
        deep = self.latest() - place["block_number"] + 1
        hold(deep >= self.trust["finality"]["confirmations"], UnclearError)
        return found[0]

    def history(self, *names: str) -> list[Event]:
        found = []
        for address, first in self.ledgers:
            question = {
                "address": address,
                "fromBlock": hex(first),
                "toBlock": hex(self.latest()),
                "topics": [[topic(name) for name in names], "0x" + self.key],
            }
            for log in self.node.call("eth_getLogs", [question]):
                found += [event for name in names if (event := self.event(log, name)) is not None]
        return [event for event in found if event.outcome == 0]

    # the checks ----------------------------------------------------------------------------

    def check_19(self) -> None:
        numbers = [one.number for one in self.versions]
        refused = self.bundle.get("earlier", [])
        recoveries = self.bundle.get("recoveries", [])
        hold(rising(numbers) and rising([one["counter"] for one in refused] + [self.counter]))
        hold(self.settles or not (self.bundle.get("later") or recoveries))
        hold(all(one["amount_fen"] >= 1 for one in [*self.bundle.get("later", []), *recoveries]))
        for one in self.versions:
            if one.entry is not self.bundle:
                checks_8_to_11(self.bundle, one)
        records = [record_of(one.entry["decision"]["leaves"]) for one in self.versions]
        hold(len({record.get("claim_number") for record in records}) == 1)
        hold(len({one["number"] for one in recoveries}) == len(recoveries))
        hold(sum(one["amount_fen"] for one in recoveries) <= self.versions[-1].paid)

    def of_claim(self, call: int, counter: int) -> Callable[[Event], bool]:
        batch, total = self.bundle["batch"], self.bundle["batch_leaf"]["total_fen"]
        number = batch["institution_number"] << 32 | batch["sequence"] << 10 | batch["leaf_index"]

        def fits(event: Event) -> bool:
            is_leaf = (event.leaf, event.total) == (number, total)
            is_cleared = call == 3 and event.leaf == 0
            who = (event.call, event.outcome, event.payer, event.counter)
            return who == (call, 0, self.payer, counter) and (is_leaf or is_cleared)

        return fits

    def decided(
        self, call: int, counter: int, value: int, number: int, entry: Json
    ) -> Callable[[Event], bool]:
        fits = self.of_claim(call, counter)
        digests = entry["decision"]["fingerprint"] + entry["policy"]["hash"]
        return lambda event: (
            fits(event)
            and (event.value, event.version) == (value, number)
            and event.data[66:] == digests
        )

    def published(self, place: Json, entry: Json) -> None:
        at = self.published_at(entry["policy"]["hash"])
        block = self.node.call("eth_getBlockByNumber", [hex(place["block_number"]), False])
        hold(0 < at <= int(block["timestamp"], 16))

    def check_20(self) -> None:
        refused, later = self.bundle.get("earlier", []), self.bundle.get("later", [])
        if not refused and not later:
            return
        events = []
        for one in refused:
            counter, number = one["counter"], one["decision_version"]
            events.append(self.named(one["lodge"], LODGED, self.of_claim(1, counter)))
            fits = self.decided(3, counter, 1, number, one)
            events.append(self.named(one["release"], RELEASED, fits))
            self.published(one["release"], one)
        number = self.closing["decision_version"]
        try:
            lodge = self.bundle["claim"]["lodge"]
            events.append(self.named(lodge, LODGED, self.of_claim(1, self.counter)))
            if self.settles:
                amount = self.closing["amount_fen"]
                fits = self.decided(2, self.counter, amount, number, self.bundle)
                events.append(self.named(self.closing, SETTLED, fits))
            else:
                fits = self.decided(3, self.counter, 1, number, self.bundle)
                events.append(self.named(self.closing, RELEASED, fits))
        except FailedError as error:
            raise UnclearError from error
        paying = events[-1:] if self.settles else []
        for one in later:
            fits = self.decided(10, 0, one["amount_fen"], one["decision_version"], one)
            events.append(self.named(one["supplement"], SUPPLEMENTED, fits))
            paying.append(events[-1])
            self.published(one["supplement"], one)
        hold(rising([event.position for event in events]))
        before = self.borne
        for event in paying:
            hold(event.paid - event.value >= before)
            before = event.paid

    def check_21(self) -> None:
        slot = self.slot()
        total, paid, leaf = slot & 2**40 - 1, slot >> 40 & 2**40 - 1, slot >> 80 & 2**48 - 1
        counter, settled = slot >> 168 & 2**16 - 1, slot >> 192
        own = 1 << (self.payer - 1)
        hold(counter >= self.counter, UnclearError)
        if self.settles:
            least = self.borne + self.closing["amount_fen"]
            batch = self.bundle["batch"]
            place = batch["institution_number"] << 32 | batch["sequence"] << 10
            hold(bool(settled & own) and least <= paid <= total, UnclearError)
            hold(leaf == place | batch["leaf_index"], UnclearError)
            hold(total == self.bundle["batch_leaf"]["total_fen"], UnclearError)
            self.payments(paid, settled == own)
        self.refusals(counter)

    def payments(self, paid: int, alone: bool) -> None:
        expected = self.borne + self.versions[-1].paid
        hold(paid >= expected)
        if paid == expected:
            return
        deep = self.trust["finality"]["confirmations"]
        if deep > 1:
            then = self.slot(hex(max(0, self.latest() - deep + 1)))
            hold(then >> 40 & 2**40 - 1 > expected, UnclearError)
        hold(not alone)
        events = self.history(SETTLED, SUPPLEMENTED)
        listed = {(one.number) for one in self.versions if not one.refused}
        hold(all(event.version in listed for event in events if event.payer == self.payer))
        hold(self.borne + sum(event.value for event in events) == paid, UnclearError)

    def refusals(self, last: int) -> None:
        ends = [(0, 0)] + [(one.counter, one.number) for one in self.versions]
        gaps = [(a, b) for a, b in pairwise(ends) if b[0] > a[0]]
        if not self.settles:
            gaps.append((ends[-1], (last + 1, 2**16)))
        rooms = [(a, b) for a, b in gaps if b[0] - a[0] > 1 and b[1] - a[1] > 1]
        if not rooms:
            return
        events = self.history(LODGED, RELEASED, SETTLED)
        lodged = {event.counter for event in events if event.name == LODGED}
        for (low, above), (high, below) in rooms:
            hold(all(counter in lodged for counter in range(low + 1, high)), UnclearError)
            for event in events:
                decides = event.name == SETTLED or (event.name == RELEASED and event.value == 1)
                if decides and event.payer == self.payer and low < event.counter < high:
                    hold(not above < event.version < below, UnclearError)

    def check_22(self) -> None:
        for one in self.bundle.get("recoveries", []):
            wanted = (11, 0, self.payer, 0, one["amount_fen"], one["number"])
            self.named(
                one["event"],
                RECOVERED,
                lambda event, wanted=wanted: (  # type: ignore[misc]
                    (
                        event.call,
                        event.outcome,
                        event.payer,
                        event.counter,
                        event.value,
                        event.number,
                    )
                    == wanted
                ),
            )


def judge(bundle: Json, trust: Json, node: Any) -> dict[int, str]:
    """Status of checks 19 to 22. The chain is taken as the trusted one (check 12)."""
    found = {}
    for number in (19, 20, 21, 22):
        try:
            getattr(Judge(bundle, trust, node), f"check_{number}")()
            found[number] = OK
        except UnclearError:
            found[number] = UNDECIDED
        except (FailedError, LookupError):
            found[number] = FAIL
    return found
