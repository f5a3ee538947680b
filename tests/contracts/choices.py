"""What a run of the state machine tries next: items from small pools, by chance.

A sound item is rare by chance alone. So some candidates are made and the model is asked which of
them gets furthest in the order of the checks; the rest of the time the first one is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple, TypeVar

from tests.contracts.arena import KEYS, LEDGERS, Arena
from tests.contracts.bills import ALIAS, IS_PAPER, ON_PAPER, PINNED, REVERSED, VOID, digest
from tests.contracts.chain import DAY, POLICY
from tests.contracts.model_state import ZERO, Slot

T = TypeVar("T")

PAYERS = ("basic", "second_basic", "commercial", "mutual")
BATCH_SIZES = (4, 7, 3, 3)
PLACES = [(batch, index) for batch, size in enumerate(BATCH_SIZES) for index in range(size)]
FAULTS = ("proof", "index", "far", "size", "root", "leaf", "leaf", "leaf", "place", "unknown")
LATER_POLICY = digest("later")
POLICIES = (POLICY,) * 6 + (LATER_POLICY, ZERO)
DEADLINES = (30 * DAY, 30 * DAY, 180 * DAY, DAY, 0, 180 * DAY + 1)
# How many candidates are made: one is plain chance.
CANDIDATES = (1, 4, 12)
CLAIM_CALLS = {
    "settle": 6,
    "release": 3,
    "renew": 3,
    "expire": 2,
    "supplement": 4,
    "recover": 2,
}
LEAF_CALLS = {
    "lodge": 10,
    "supersede": 4,
    "void": 1,
    "reverse": 1,
    "exchangeToPaper": 4,
    "returnPaper": 4,
}
OTHER_CALLS = {
    "ruling": 3,
    "anchor": 2,
    "authority": 5,
    "wait": 2,
    "expiry_after_a_pause": 1,
    "second_number_ruled_free": 1,
}
CALLS = [*CLAIM_CALLS, *LEAF_CALLS, *OTHER_CALLS]
WEIGHTS = [*CLAIM_CALLS.values(), *LEAF_CALLS.values(), *OTHER_CALLS.values()]


class Try(NamedTuple):
    """One item: who sends it, the batches it names, and its content."""

    sender: str
    refs: tuple[Any, ...]
    item: tuple[Any, ...]


class Choices:
    """Makes the calls of one run."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena

    # ------------------------------------------------------------------------------- calls

    def step(self, chance: Random) -> None:
        """Any call, the commonest more often."""
        (call,) = chance.choices(CALLS, WEIGHTS)
        if call in CLAIM_CALLS:
            self.claim_call(call, chance)
        elif call in LEAF_CALLS:
            self.leaf_call(call, chance)
        else:
            getattr(self, call)(chance)

    def claim_call(self, function: str, chance: Random) -> None:
        """Settle, release, renew, expire, supplement or recover, of one to three items."""
        make = getattr(self, "_" + function)
        tries = self._tries(function, chance, make)
        ledger = self._ledger(chance)
        items = [one.item for one in tries]
        if chance.random() < 0.4:
            self.arena.ledger_call(function, (items[0],), tries[0].sender, ledger)
        else:
            self.arena.ledger_call(function + "Batch", (items,), tries[0].sender, ledger)

    def leaf_call(self, function: str, chance: Random) -> None:
        """Lodge, supersede, void, reverse, exchange or return, of one to three items."""
        make = {
            "lodge": self._lodge,
            "supersede": self._supersede,
            "exchangeToPaper": self._exchange,
            "returnPaper": self._return,
        }.get(function, self._withdraw)
        tries = self._tries(function, chance, make)
        ledger = self._ledger(chance)
        sender = tries[0].sender
        if chance.random() < 0.4:
            refs = tries[0].refs
            arguments = (refs if function == "supersede" else refs[0], tries[0].item)
            self.arena.ledger_call(function, arguments, sender, ledger)
        else:
            refs = tuple(ref for one in tries for ref in one.refs)
            items = [one.item for one in tries]
            self.arena.ledger_call(function + "Batch", (refs, items), sender, ledger)

    def ruling(self, chance: Random) -> None:
        """`rule` or `ruleFor`."""
        sender = chance.choice(["registrar"] * 9 + ["admin", "hospital"])
        ledger = self._ledger(chance)
        if chance.random() < 0.4:
            aliases = [key for key in KEYS if self.arena.slot(key).flags & ALIAS]
            key = chance.choice(aliases if aliases and chance.random() < 0.5 else KEYS)
            arguments: tuple[Any, ...] = (key, digest("reason"))
            self.arena.ledger_call("rule", arguments, sender, ledger)
            return
        flags = chance.choice([PINNED] * 4 + [0, VOID, REVERSED, ON_PAPER, 16, 32, 64])
        ref, proof = self._proved(chance, chance.choice(PLACES), 0)
        arguments = (ref, proof, flags, digest("reason"))
        self.arena.ledger_call("ruleFor", arguments, sender, ledger)

    def anchor(self, chance: Random) -> None:
        """Mostly the batch of the pools that is not anchored yet."""
        place = chance.choice([2, 2, 2, 2, 0, 1, 3])
        _institution, sequence, previous, root, size = self.arena.batches[place].ref
        fault = chance.choice(["", "", "", "", "root", "previous", "sequence", "size", "zero"])
        if fault == "root" and sequence != 3:  # the third is to be that of the pools
            root = digest("another root")
        elif fault == "previous":
            previous = ZERO
        elif fault == "sequence":
            sequence += 1
        elif fault == "size":
            size = 1025
        elif fault == "zero":
            sequence = 0
        arguments = (sequence, root, size, previous)
        self.arena.anchor(arguments, self._issuer(chance, place), self._ledger(chance))

    def authority(self, chance: Random) -> None:
        """A change of the registry. What hinders many other calls is rare and soon undone."""
        functions = (
            (self._pause, 4),
            (self._suspend, 6),
            (self._quarantine, 4),
            (self._rotate, 1),
            (self._change_terms, 3),
            (self._publish, 1),
            (self._retire, 1),
        )
        (function,) = chance.choices([f for f, _ in functions], [weight for _, weight in functions])
        function(chance)

    def wait(self, chance: Random) -> None:
        self.arena.pass_time(chance.choice([1, 1, 7, 8, 31, 31, 200]) * DAY)

    # What chance alone seldom puts in a row.

    def expiry_after_a_pause(self, chance: Random) -> None:
        """Deadlines pass during a pause; then somebody wants the bills."""
        self.arena.registry_call("pause", (), "pauser")
        self.arena.pass_time(chance.choice([31, 181]) * DAY)
        self.arena.registry_call("unpause", (), "pauser")
        self.arena.pass_time(chance.choice([0, 1, 6, 7, 8]) * DAY)
        self.claim_call("expire", chance)

    def second_number_ruled_free(self, chance: Random) -> None:
        """A ruling on a second number; then a claim on the bill that has it."""
        aliases = [key for key in KEYS if self.arena.slot(key).flags & ALIAS]
        if not aliases:
            return
        key = chance.choice(aliases)
        batch, index = self.arena.places[self.arena.slot(key).reference]
        self.arena.ledger_call("rule", (key, digest("reason")), "registrar")
        ref, (leaf, _at, _index, proof) = self._proved(chance, (batch, index), 0, spoiled=0)
        counter, deadline = self.arena.slot(leaf[3]).counter + 1, self.arena.now + 30 * DAY
        item = (leaf, 0, index, counter, deadline, proof)
        self.arena.ledger_call("lodge", (ref, item), self._payer(chance))

    # ------------------------------------------------------------------------------- candidates

    def _tries(self, function: str, chance: Random, make: Callable[..., Try]) -> list[Try]:
        """One to three items of one sender."""
        tries: list[Try] = []
        for number in range(chance.choice([1, 1, 2, 3])):
            sender = tries[0].sender if tries else ""
            # References of a call are counted through; a supersession names two.
            place = number * (2 if function == "supersede" else 1)
            candidates = [make(chance, place, sender) for _ in range(chance.choice(CANDIDATES))]
            if len(candidates) > 1:
                refs = tuple(ref for one in tries for ref in one.refs)
                candidates.sort(key=lambda one: self._depth(function, refs, one))
            tries.append(candidates[-1])
        return tries

    def _depth(self, function: str, refs: tuple[Any, ...], one: Try) -> int:
        """How many checks of the model the item passes."""
        return self.arena.depth(function, (*refs, *one.refs), one.item, one.sender)

    def _ledger(self, chance: Random) -> str:
        """The ledger in force, now and then another."""
        return chance.choice([""] * 20 + list(LEDGERS))

    def _payer(self, chance: Random) -> str:
        if chance.random() < 0.08:
            return chance.choice(["basic_spare", "hospital", "stranger"])
        return self._account("payer", chance.randint(1, 4))

    def _issuer(self, chance: Random, batch: int) -> str:
        if chance.random() < 0.15:
            return chance.choice(["hospital", "clinic", "hospital_spare", "basic"])
        return self._account("institution", self.arena.batches[batch].institution)

    def _account(self, kind: str, number: int) -> str:
        """An account that acts for a number now."""
        for name, account in self.arena.registry.accounts.items():
            if (account.kind, account.number, account.active) == (kind, number, True):
                return name
        return "stranger"

    def _open_claim(self, chance: Random, sender: str) -> tuple[bytes, str, Slot]:
        """A key and its payer's account, mostly of an open claim."""
        return self._aimed(chance, sender, [k for k in KEYS if self.arena.slot(k).payer])

    def _paid_bill(self, chance: Random, sender: str) -> tuple[bytes, str, Slot]:
        """A key and the account of a payer, mostly of one that has settled it."""
        return self._aimed(chance, sender, [k for k in KEYS if self.arena.slot(k).settled])

    def _aimed(self, chance: Random, sender: str, keys: Sequence[bytes]) -> tuple[bytes, str, Slot]:
        if not keys or chance.random() < 0.15:
            key = chance.choice(KEYS)
            return key, sender or self._payer(chance), self.arena.slot(key)
        key = chance.choice(keys)
        slot = self.arena.slot(key)
        payers = [number for number in range(1, 5) if slot.settled >> (number - 1) & 1]
        if slot.payer and (not payers or chance.random() < 0.7):
            payers = [slot.payer]
        return key, sender or self._account("payer", chance.choice(payers)), slot

    def _counter(self, chance: Random, counter: int) -> int:
        return max(0, counter + chance.choice([0] * 7 + [-1, 1, -2]))

    # ------------------------------------------------------------------------------- items

    def _proved(
        self, chance: Random, place: tuple[int, int], at: int, spoiled: float = 0.2
    ) -> tuple[Any, Any]:
        """Batch reference and leaf proof of a place in the pools, now and then spoiled."""
        batch, index = self.arena.batches[place[0]], place[1]
        ref, leaf, proof = list(batch.ref), list(batch.bills[index].leaf), batch.proof(index)
        fault = chance.choice(FAULTS) if chance.random() < spoiled else ""
        if fault == "proof":
            proof = [*proof[:-1], digest("a wrong node")]
        elif fault == "index":
            index = (index + 1) % len(batch.bills)
        elif fault == "far":
            index += 1024
        elif fault == "size":
            ref[4] += 1
        elif fault == "root":
            ref[3] = digest("another root")
        elif fault == "leaf":
            field, value = chance.choice([(1, 3), (1, 3), (6, leaf[6] + 1), (7, leaf[6] + 1)])
            leaf[field] = value
        elif fault == "place":
            at += 200
        elif fault == "unknown":
            ref[0] = 3
        return tuple(ref), (tuple(leaf), at, index, proof)

    def _lodge(self, chance: Random, at: int, sender: str) -> Try:
        ref, (leaf, place, index, proof) = self._proved(chance, chance.choice(PLACES), at)
        slot = self.arena.slot(leaf[3])
        counter = self._counter(chance, slot.counter + (not slot.payer or chance.random() < 0.2))
        deadline = self.arena.now + 1 + chance.choice(DEADLINES)
        item = (leaf, place, index, counter, deadline, proof)
        return Try(sender or self._payer(chance), (ref,), item)

    def _settle(self, chance: Random, _at: int, sender: str) -> Try:
        key, sender, slot = self._open_claim(chance, sender)
        counter, amount = self._counter(chance, slot.counter), self._amount(chance, slot)
        policy = chance.choice(POLICIES)
        return Try(sender, (), (key, counter, amount, digest("decision"), 1, policy))

    def _amount(self, chance: Random, slot: Slot) -> int:
        left = slot.total - slot.paid
        return chance.choice([left // 3, left // 3, left // 2, left, left + 1, 0])

    def _release(self, chance: Random, _at: int, sender: str) -> Try:
        key, sender, slot = self._open_claim(chance, sender)
        reason, policy = chance.choice([0, 1, 1, 2, 3, 4]), chance.choice(POLICIES)
        counter = self._counter(chance, slot.counter)
        return Try(sender, (), (key, counter, reason, digest("refusal"), 1, policy))

    def _renew(self, chance: Random, _at: int, sender: str) -> Try:
        key, sender, slot = self._open_claim(chance, sender)
        deadline = max(0, slot.deadline + chance.choice([0, 1, 20, -1, 400]) * DAY)
        return Try(sender, (), (key, self._counter(chance, slot.counter), deadline))

    def _expire(self, chance: Random, _at: int, _sender: str) -> Try:
        key, _, slot = self._open_claim(chance, "stranger")
        return Try("stranger", (), (key, self._counter(chance, slot.counter)))

    def _supplement(self, chance: Random, _at: int, sender: str) -> Try:
        key, sender, slot = self._paid_bill(chance, sender)
        before = self._counter(chance, slot.paid)
        version, policy = chance.choice([2, 2, 2, 3, 1]), chance.choice(POLICIES)
        amount = self._amount(chance, slot)
        return Try(sender, (), (key, before, amount, digest("appeal"), version, policy))

    def _recover(self, chance: Random, _at: int, sender: str) -> Try:
        key, sender, slot = self._paid_bill(chance, sender)
        amount = chance.choice([7, 7, slot.paid, slot.paid + 1, 0])
        return Try(sender, (), (key, amount, digest(chance.choice(["r1", "r2", "r3"]))))

    def _supersede(self, chance: Random, at: int, sender: str) -> Try:
        batches = self.arena.batches
        old = new = chance.choice(PLACES)
        if chance.random() < 0.8:
            key = batches[old[0]].bills[old[1]].key
            places = [p for p in PLACES if batches[p[0]].bills[p[1]].key == key]
            old, new = chance.choice(places), chance.choice(places)
        old_ref, old_proof = self._proved(chance, old, at)
        new_ref, new_proof = self._proved(chance, new, at + 1)
        sender = sender or self._issuer(chance, new[0])
        return Try(sender, (old_ref, new_ref), (old_proof, new_proof))

    def _withdraw(self, chance: Random, at: int, sender: str) -> Try:
        place = chance.choice(PLACES)
        ref, proof = self._proved(chance, place, at)
        return Try(sender or self._issuer(chance, place[0]), (ref,), proof)

    def _exchange(self, chance: Random, at: int, sender: str) -> Try:
        place = chance.choice(PLACES)
        ref, proof = self._proved(chance, place, at)
        paper = chance.choice([*KEYS[4:], *KEYS[4:], *KEYS[4:], *KEYS, ZERO])
        return Try(sender or self._issuer(chance, place[0]), (ref,), (proof, paper))

    def _return(self, chance: Random, at: int, sender: str) -> Try:
        """Mostly of a paper bill that there is."""
        place, paper = chance.choice(PLACES), chance.choice(KEYS)
        papers = [key for key in KEYS if self.arena.slot(key).flags & IS_PAPER]
        if papers and chance.random() < 0.85:
            paper = chance.choice(papers)
            place = self.arena.places[self.arena.slot(paper).reference]
        ref, proof = self._proved(chance, place, at, spoiled=0.5)
        return Try(sender or self._issuer(chance, place[0]), (ref,), (proof, paper))

    # ------------------------------------------------------------------------------- registry

    def _pause(self, chance: Random) -> None:
        function = chance.choice(["pause", "unpause"])
        if self.arena.registry.paused and chance.random() < 0.8:
            function = "unpause"
        self._registry(chance, function, (), "pauser")

    def _suspend(self, chance: Random) -> None:
        registry = self.arena.registry
        number, suspends = chance.randint(1, 5), chance.random() < 0.4
        if chance.random() < 0.5:
            if registry.suspended_payers and not suspends:
                number = min(registry.suspended_payers)
            self._registry(chance, "suspendPayer", (number, suspends))
        else:
            suspended = [n for n, record in registry.institutions.items() if record.suspended]
            number = suspended[0] if suspended and not suspends else chance.randint(1, 3)
            self._registry(chance, "suspendInstitution", (number, suspends))

    def _quarantine(self, chance: Random) -> None:
        number = chance.choice([1, 1, 1, 2, 3])
        span = chance.choice([(1, 1), (2, 2), (2, 3), (1, 3), (3, 2), (0, 1)])
        records = self.arena.registry.institutions
        ranges = records[number].quarantines if number in records else ()
        if ranges and chance.random() < 0.7:
            self._registry(chance, "lift", (number, *ranges[0]))
        elif chance.random() < 0.2:
            self._registry(chance, "lift", (number, *span))
        else:
            self._registry(chance, "quarantine", (number, *span, digest("reason")))

    def _rotate(self, chance: Random) -> None:
        names = ["", "basic", "basic_spare", "hospital", "hospital_spare"]
        arguments = (chance.choice([1, 1, 1, 2, 3, 7]), chance.choice(names), chance.choice(names))
        function = chance.choice(["rotatePayerAccount", "rotateInstitutionAccount"])
        self._registry(chance, function, arguments)

    def _change_terms(self, chance: Random) -> None:
        start, end, grace = chance.choice([(-9, 400, 30), (-9, 400, 30), (-9, 9, 5), (40, 90, 0)])
        if chance.random() < 0.1:
            start, end = end, start
        now = self.arena.now
        terms = (now + start * DAY, now + end * DAY, grace * DAY, 1)
        self._registry(chance, "changeInstitutionTerms", (chance.randint(1, 3), *terms))

    def _publish(self, chance: Random) -> None:
        arguments = (chance.choice([LATER_POLICY, POLICY, ZERO]), 0)
        self._registry(chance, "publishPolicy", arguments, "publisher")

    def _retire(self, chance: Random) -> None:
        successor = chance.choice(["second", "second", "third", "third", "first", "stranger"])
        self._registry(chance, "retireLedger", (successor,), "admin")

    def _registry(
        self, chance: Random, function: str, arguments: tuple[Any, ...], sender: str = "registrar"
    ) -> None:
        if chance.random() < 0.1:
            sender = "stranger"
        self.arena.registry_call(function, arguments, sender)
