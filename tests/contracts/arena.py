"""Model and contract side by side: the same call to both, the same answer demanded of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Any, Protocol

from eth_utils import keccak
from web3.contract import Contract

from tests.contracts.bills import ALIAS, ZERO, Batch, Bill, Call, Desk, Outcome, Report, take_apart
from tests.contracts.chain import CLINIC_CODE, HOSPITAL_CODE, POLICY, RETIREMENT_DELAY, Chain
from tests.contracts.direct import CallReverted, Event
from tests.contracts.model import CALLS, Ledger
from tests.contracts.model_registry import Account, Institution, ModelRegistry, Reverted
from tests.contracts.model_state import Slot

# How often each call had each outcome.
Seen = Counter[tuple[str, str]]

NO_ACCOUNT = "0x" + "00" * 20
LEDGERS = ("first", "second", "third")
ROLE_NAMES = {
    ZERO: "admin",
    keccak(text="REGISTRAR_ROLE"): "registrar",
    keccak(text="POLICY_PUBLISHER_ROLE"): "publisher",
    keccak(text="PAUSER_ROLE"): "pauser",
}
ANCHOR_OUTCOMES = (
    "ANCHORED",
    "REPEATED",
    "CONFLICT",
    "NOT_NEXT",
    "SUSPENDED",
    "BEFORE_AGREEMENT",
    "AFTER_GRACE",
    "PAUSED",
    "RETIRED",
)
# What ends a lock, apart from the retirement of its ledger.
ENDINGS = {"Settled", "Released", "Expired"}

# A few keys on which everything meets: two records with one key, a bill with two numbers and a bill
# under the second of them, a squatter's bill, red and unclaimable leaves, keys of paper bills.
FIRST = (
    Bill("a"),
    Bill("a", version="again"),
    Bill("b", second="s", total=5_000, borne=1_000),
    Bill("c", kind=2, borne=6_000),
)
SECOND = (
    Bill("a", version="corrected", total=9_000),
    Bill("b", version="corrected", second="s"),
    Bill("s", total=5_000),
    Bill("c", version="borne by others", borne=10_000),
    Bill("c", version="red", kind=3, total=0),
    Bill("a", version="two equal numbers", second="a"),
    Bill("a", version="too large", total=2**40),
)
THIRD = (Bill("s", second="b"), Bill("b", version="one number"), Bill("a", version="last"))
SQUAT = (
    Bill("a", code=CLINIC_CODE),
    Bill("paper", code=CLINIC_CODE),
    Bill("b", code=HOSPITAL_CODE),
)
NAMES = {Bill(name).key: name for name in ("a", "b", "s", "c", "paper", "paper two")}
KEYS = tuple(NAMES)


class Calls(Protocol):
    """How an arena reaches its contracts."""

    start: int

    @property
    def addresses(self) -> Mapping[str, str]:
        """Accounts by role and contracts by name, in lower-case hex."""

    def send(
        self, contract: str, function: str, arguments: tuple[Any, ...], sender: str, now: int
    ) -> list[Event]: ...

    def view(self, contract: str, function: str, *arguments: Any, now: int) -> Any: ...

    def stored_slots(self, places: list[tuple[str, bytes]]) -> list[int]: ...


def deployed(chain: Chain) -> dict[str, Contract]:
    """The contracts of an arena: the chain's two, and two successors in a row."""
    contracts = {"registry": chain.registry, "first": chain.ledger}
    for before, name in pairwise(LEDGERS):
        addresses = (chain.registry.address, contracts[before].address)
        contracts[name] = chain.deploy("InvoiceLedger", *addresses)
    return contracts


def anchored(desk: Desk) -> list[Batch]:
    """The batches of which every arena speaks; the third is for the machine to anchor."""
    first, second = desk.anchor(*FIRST), desk.anchor(*SECOND)
    return [first, second, Batch(1, 3, second.head, THIRD), desk.anchor(*SQUAT, role="clinic")]


def model_of(chain: Chain) -> ModelRegistry:
    """The registry's model in the state in which `open_chain` leaves the contract."""
    functions = chain.registry.functions
    institutions = {}
    for number in (1, 2):
        code, start, end, grace = chain.view(functions.institution(number))[:4]
        institutions[number] = Institution(code, start, end, grace)
    payers = enumerate(("basic", "second_basic", "commercial", "mutual"), start=1)
    accounts = {role: Account("payer", number) for number, role in payers}
    accounts |= {"hospital": Account("institution", 1), "clinic": Account("institution", 2)}
    roles = {role: role for role in ("admin", "registrar", "publisher", "pauser")}
    return ModelRegistry(institutions, {1, 2}, {3, 4}, accounts, roles, RETIREMENT_DELAY, {POLICY})


class Arena:
    """One run: the contracts as `calls` reaches them, and a fresh model of them."""

    def __init__(
        self,
        calls: Calls,
        registry: ModelRegistry,
        batches: list[Batch],
        seen: Seen | None = None,
        without: frozenset[tuple[Call, Outcome]] = frozenset(),
    ) -> None:
        self.calls = calls
        self.registry = deepcopy(registry)
        self.batches = batches
        self.now = calls.start
        self.trace: Callable[[object], None] = _unheard
        self.seen: Seen = Counter() if seen is None else seen
        self.ledgers: dict[str, Ledger] = {}
        before = None
        for generation, name in enumerate(LEDGERS, start=1):
            before = self.ledgers[name] = Ledger(self.registry, generation, before, without=without)
        for batch in (*batches[:2], batches[3]):
            self.ledgers["first"].heads[batch.institution, batch.sequence] = batch.head
        self._names = {address: name for name, address in calls.addresses.items()}
        self._names[NO_ACCOUNT] = ""
        self.places = {
            batch.reference(index): (number, index)
            for number, batch in enumerate(batches)
            for index in range(len(batch.bills))
        }
        # What the events say was paid: by key and payer, settlements and supplements.
        self._settlements: Counter[tuple[bytes, int]] = Counter()
        self._paid: Counter[bytes] = Counter()

    # ------------------------------------------------------------------------------- questions

    @property
    def present(self) -> str:
        """The name of the ledger in force."""
        return LEDGERS[self.registry.in_force(self.now) - 1]

    def slot(self, key: bytes) -> Slot:
        """What the ledger in force holds on a key."""
        return self.ledgers[self.present].slot(key)

    def depth(
        self, function: str, refs: tuple[Any, ...], item: tuple[Any, ...], sender: str
    ) -> int:
        """How many checks of the model an item would pass in the ledger in force."""
        return self.ledgers[self.present].depth(function, refs, item, sender, self.now + 1)

    # ------------------------------------------------------------------------------- calls

    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    def ledger_call(
        self, function: str, arguments: tuple[Any, ...], sender: str, ledger: str = ""
    ) -> list[Report]:
        """A call on one invoice or more, to the ledger in force unless another is named."""
        ledger = ledger or self.present
        self.now += 1
        self.trace((ledger, function, arguments, sender, self.now))
        before = {key: self.slot(key) for key in KEYS}
        expected = _answer(self.ledgers[ledger].run, function, arguments, sender, self.now)
        found = self._send(ledger, function, arguments, sender)
        if not isinstance(found, Reverted):
            found = [take_apart(event.name, event.arguments) for event in found]
        self._demand(expected, found, f"{ledger}.{function} by {sender}")
        reports: list[Report] = [] if isinstance(found, Reverted) else found
        for report in reports:
            self.seen[report.call.name, report.outcome.name] += 1
        if isinstance(found, Reverted):
            if found.error == "LedgerRefused":
                self.seen[CALLS[function].name, Outcome(found.arguments[0]).name] += 1
            else:
                self.seen[function, found.error] += 1
        self._check(before, reports)
        return reports

    def anchor(self, arguments: tuple[Any, ...], sender: str, ledger: str = "") -> None:
        """Anchor a batch."""
        ledger = ledger or self.present
        self.now += 1
        self.trace((ledger, "anchor", arguments, sender, self.now))
        expected = _answer(self.ledgers[ledger].anchor, arguments, sender, self.now)
        found = self._send(ledger, "anchor", arguments, sender)
        if not isinstance(found, Reverted):
            (event,) = found
            outcome = ANCHOR_OUTCOMES[event.arguments.get("outcome", 0)]
            assert (event.name == "Anchored") == (outcome == "ANCHORED")
            account = self._names[event.arguments["account"]]
            found = event.arguments | {"outcome": outcome, "account": account}
            self.seen["anchor", outcome] += 1
        self._demand(expected, found, f"{ledger}.anchor by {sender}")

    def registry_call(self, function: str, arguments: tuple[Any, ...], sender: str) -> None:
        """A call on the registry; accounts and ledgers are named by role and name."""
        self.now += 1
        self.trace((function, arguments, sender, self.now))
        before = {key: self.slot(key) for key in KEYS}
        expected = _answer(self.registry.call, function, arguments, sender, self.now)
        addressed = tuple(
            self.calls.addresses.get(value, NO_ACCOUNT) if isinstance(value, str) else value
            for value in arguments
        )
        found = self._send("registry", function, addressed, sender)
        if not isinstance(found, Reverted):
            found = None
        self._demand(expected, found, f"{function}{arguments} by {sender}")
        self._check(before, [])

    def _send(self, contract: str, function: str, arguments: tuple[Any, ...], sender: str) -> Any:
        try:
            return self.calls.send(contract, function, arguments, sender, self.now)
        except CallReverted as reverted:
            named = [
                self._names.get(value, value) if isinstance(value, str) else value
                for value in reverted.arguments
            ]
            if reverted.error == "LedgerRefused":
                named[0] = Outcome(reverted.arguments[0])
            if reverted.error == "AccessControlUnauthorizedAccount":
                named[1] = ROLE_NAMES[reverted.arguments[1]]
            return Reverted(reverted.error, *named)

    def _demand(self, expected: Any, found: Any, what: str) -> None:
        if isinstance(expected, Reverted):
            expected = (expected.error, *expected.arguments)
        if isinstance(found, Reverted):
            found = (found.error, *found.arguments)
        if found != expected:
            both = f"contract {shown(found)}\nmodel    {shown(expected)}"
            raise AssertionError(f"{what}:\n{both}")

    # ------------------------------------------------------------------------------- invariants

    def _check(self, before: dict[bytes, Slot], reports: list[Report]) -> None:
        places = [(name, key) for name in self.ledgers for key in KEYS]
        for (name, key), stored in zip(places, self.calls.stored_slots(places), strict=True):
            slot = self.ledgers[name].slots.get(key, Slot())
            what = f"slot of {NAMES[key]} in {name}: contract {stored:#x}, model {slot}"
            assert stored == slot.word, what
        for report in reports:
            if report.outcome == Outcome.DONE and report.call in (Call.SETTLE, Call.SUPPLEMENT):
                self._paid[report.key] += report.value
                self._settlements[report.key, report.payer] += report.call == Call.SETTLE
        assert all(count <= 1 for count in self._settlements.values()), "a payer settled twice"
        for key in KEYS:
            self._check_slot(key, before[key], self.slot(key), reports)

    def _check_slot(self, key: bytes, before: Slot, slot: Slot, reports: list[Report]) -> None:
        assert slot.counter >= before.counter, "a lodge counter fell"
        basic = [n for n in self.registry.basic_payers if slot.settled >> (n - 1) & 1]
        assert len(basic) <= 1, "two basic insurers settled one bill"
        if before.payer and before.claim != slot.claim:
            ended = any(r.key == key and r.name in ENDINGS for r in reports)
            assert ended, "a lock was lost"
        if slot.flags & ALIAS or not slot.reference:
            return
        assert slot.paid <= slot.total, "more was paid than the bill's total"
        number, index = self.places[slot.reference]
        bill = self.batches[number].bills[index]
        if bill.key != key:  # a paper bill's slot holds the leaf of its e-bill
            assert not slot.payer and not slot.settled, "a paper bill was claimed"
            return
        assert slot.paid == bill.borne + self._paid[key], "the sum is not what was borne and paid"
        if bill.second and (slot.payer or slot.settled):
            second = self.slot(bill.second_key)
            assert (second.flags & ALIAS, second.reference) == (ALIAS, slot.reference), (
                "the second number of a bill under claim is free"
            )

    def check_views(self) -> None:
        """Everything that can be read, in every ledger."""
        for name, ledger in self.ledgers.items():
            for key in KEYS:
                what = f"{NAMES[key]} in {name}"
                assert self._view(name, "slot", key) == ledger.slot(key).word, what
                slot = ledger.slot(key)
                primary = ledger.primary(key) if slot.flags & ALIAS else ZERO
                assert self._view(name, "claimState", key) == (
                    slot.total,
                    slot.paid,
                    slot.reference,
                    slot.deadline,
                    slot.payer,
                    slot.counter,
                    slot.flags,
                    slot.settled,
                    primary,
                )
            for institution, last in ((1, 4), (2, 2)):
                heads = [ledger.head(institution, sequence) for sequence in range(1, last + 1)]
                for sequence, head in enumerate(heads, start=1):
                    assert self._view(name, "head", institution, sequence) == head
                anchored = sum(head != ZERO for head in heads)
                assert self._view(name, "lastSequence", institution) == anchored

    def _view(self, contract: str, function: str, *arguments: Any) -> Any:
        return self.calls.view(contract, function, *arguments, now=self.now)


def shown(value: object) -> str:
    """A call or an answer for reading: keys by name, other bytes shortened."""
    match value:
        case bytes():
            return NAMES.get(value) or (value.hex()[:8] if any(value) else "0")
        case Outcome() | Call():
            return value.name
        case Report():
            fields = ((name, getattr(value, name)) for name in Report.__dataclass_fields__)
            return f"{value.name}({', '.join(f'{n}={shown(v)}' for n, v in fields if v)})"
        case dict():
            return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "(" + ", ".join(shown(item) for item in value) + ")"
    return repr(value)


def _unheard(_call: object) -> None:
    """Nobody follows the run."""


def _answer(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Reverted as reverted:
        return reverted
