"""Any calls in any order: a Hypothesis state machine over an arena.

Its items come from small pools. Many are aimed, at an open claim or a settled bill as the model has
it, since two random numbers seldom meet; the rest are not, and some are spoiled on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.contracts.arena import KEYS, LEDGERS, NAMES, Arena
from tests.contracts.bills import ON_PAPER, PINNED, VOID, Batch, digest
from tests.contracts.chain import DAY, POLICY
from tests.contracts.model_state import ZERO, Slot

PAYERS = ("basic", "second_basic", "commercial", "mutual")
BATCH_SIZES = (4, 7, 3, 3)
PLACES = [(batch, index) for batch, size in enumerate(BATCH_SIZES) for index in range(size)]
# Most items are sound: a spoiled one stops at its own check and shows no other.
SPOILED = st.sampled_from(
    ["", "", "", "", "", "", "", "", "proof", "index", "far", "size", "root", "leaf", "place"]
)
DEADLINES = st.sampled_from([30 * DAY, 30 * DAY, 180 * DAY, DAY, 0, 180 * DAY + 1])
AMOUNTS = st.sampled_from(["some", "some", "left", "left", "over", "none"])
STEPS = st.sampled_from([1, 1, 1, 0, 0, 2, -1])
POLICY_NAMES = {"published": POLICY, "later": digest("later"), "": ZERO}
POLICIES = st.sampled_from(["published"] * 5 + ["later", ""])
PAYER = st.sampled_from([*PAYERS, *PAYERS, *PAYERS, "basic_spare", "hospital", "stranger"])
ISSUER = st.sampled_from(["own"] * 8 + ["hospital", "clinic", "hospital_spare", "basic"])
KEY = st.sampled_from(list(NAMES.values()))
KEY_OF = {name: key for key, name in NAMES.items()} | {"": ZERO}
PLACE = st.sampled_from(PLACES)
IS_SINGLE = st.booleans()
AIMED = st.sampled_from([True, True, True, False])
# A rare event happens when the draw is 0; most rules that change the world are rare.
RARE = st.integers(0, 5)
PAPER = st.sampled_from(["paper", "paper two"] * 4 + [*NAMES.values(), ""])
OLD = st.sampled_from([""] * 9 + list(LEDGERS))


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """The items of one call: one, two or three."""
    return st.lists(strategy, min_size=1, max_size=3)


def state_machine(
    make_arena: Callable[[], Arena], leave: Callable[[Arena], None] = Arena.check_views
) -> type[RuleBasedStateMachine]:
    """A machine of which each run begins with a fresh arena and ends with `leave`."""

    class Machine(LedgerMachine):
        def __init__(self) -> None:
            super().__init__()
            self.arena = make_arena()

        def teardown(self) -> None:
            leave(self.arena)

    return Machine


class LedgerMachine(RuleBasedStateMachine):
    """One rule a call. `arena` is set by `state_machine`."""

    arena: Arena

    # ------------------------------------------------------------------------------- items

    def leaf(self, place: tuple[int, int], batch_index: int, spoiled: str) -> tuple[Any, ...]:
        """Batch reference and leaf proof of a place in the pools, spoiled where asked."""
        batch: Batch = self.arena.batches[place[0]]
        index = place[1]
        ref, leaf, proof = list(batch.ref), list(batch.bills[index].leaf), batch.proof(index)
        if spoiled == "proof":
            proof = [*proof[:-1], digest("a wrong node")]
        elif spoiled == "index":
            index = (index + 1) % len(batch.bills)
        elif spoiled == "far":
            index += 1024
        elif spoiled == "size":
            ref[4] += 1
        elif spoiled == "root":
            ref[3] = digest("another root")
        elif spoiled == "leaf":
            leaf[6] += 1
        elif spoiled == "place":
            batch_index += 200
        return tuple(ref), (tuple(leaf), batch_index, index, proof)

    def claim(self, name: str, sender: str, aimed: bool) -> tuple[bytes, str, Slot]:
        """A key and a sender; when aimed, those of an open claim, where there is one."""
        key = KEY_OF[name]
        if aimed:
            open_keys = [k for k in KEYS if self.arena.slot(k).payer]
            if open_keys:
                key = open_keys[KEYS.index(key) % len(open_keys)]
                sender = self.account(self.arena.slot(key).payer)
        return key, sender, self.arena.slot(key)

    def paid(self, name: str, sender: str, aimed: bool) -> tuple[bytes, str, Slot]:
        """As `claim`, of a payer that has settled."""
        key = KEY_OF[name]
        if aimed:
            keys = [k for k in KEYS if self.arena.slot(k).settled]
            if keys:
                key = keys[KEYS.index(key) % len(keys)]
                settled = self.arena.slot(key).settled
                payers = [n for n in range(1, 5) if settled >> (n - 1) & 1]
                sender = self.account(payers[len(sender) % len(payers)])
        return key, sender, self.arena.slot(key)

    def account(self, payer: int) -> str:
        """An account that acts for a payer now."""
        accounts = self.arena.registry.accounts.items()
        return next(
            (name for name, a in accounts if a.kind == "payer" and a.number == payer and a.active),
            "stranger",
        )

    def issuer(self, place: tuple[int, int], sender: str) -> str:
        if sender != "own":
            return sender
        number = self.arena.batches[place[0]].institution
        for name, account in self.arena.registry.accounts.items():
            if (account.kind, account.number, account.active) == ("institution", number, True):
                return name
        return "stranger"

    def call(
        self, function: str, items: list[Any], sender: str, single: bool, ledger: str = ""
    ) -> None:
        """One item in a single call, or all in a batch call."""
        if single:
            self.arena.ledger_call(function, (items[0],), sender, ledger)
        else:
            self.arena.ledger_call(function + "Batch", (items,), sender, ledger)

    def proved(
        self, function: str, proofs: list[Any], sender: str, single: bool, ledger: str = ""
    ) -> None:
        """As `call`, for items that come with a batch reference each."""
        refs, items = [ref for ref, _ in proofs], [item for _, item in proofs]
        if single:
            self.arena.ledger_call(function, (refs[0], items[0]), sender, ledger)
        else:
            self.arena.ledger_call(function + "Batch", (refs, items), sender, ledger)

    # ------------------------------------------------------------------------------- payers

    @rule(
        items=some(st.tuples(PLACE, STEPS, DEADLINES, SPOILED)),
        sender=PAYER,
        single=IS_SINGLE,
        ledger=OLD,
    )
    def lodge(self, items: list[Any], sender: str, single: bool, ledger: str) -> None:
        proofs = []
        for number, (place, step, deadline, spoiled) in enumerate(items):
            ref, (leaf, batch_index, index, proof) = self.leaf(place, number, spoiled)
            counter = max(0, self.arena.slot(leaf[3]).counter + step)
            until = self.arena.now + 1 + deadline
            proofs.append((ref, (leaf, batch_index, index, counter, until, proof)))
        self.proved("lodge", proofs, sender, single, ledger)

    @rule(place=PLACE, sender=st.sampled_from(PAYERS))
    def lodge_soundly(self, place: tuple[int, int], sender: str) -> None:
        self.lodge([(place, 1, 30 * DAY, "")], sender, False, "")

    @rule(
        items=some(st.tuples(KEY, AMOUNTS, POLICIES, STEPS)),
        sender=PAYER,
        aimed=AIMED,
        single=IS_SINGLE,
        ledger=OLD,
    )
    def settle(self, items: list[Any], sender: str, aimed: bool, single: bool, ledger: str) -> None:
        made = []
        for number, (pooled, amount, policy, step) in enumerate(items):
            key, who, slot = self.claim(pooled, sender, aimed)
            sender = sender if number else who
            left = slot.total - slot.paid
            fen = {"some": left // 3, "left": left, "over": left + 1, "none": 0}[amount]
            counter = slot.counter if step in (0, 1) else max(0, slot.counter + step)
            made.append((key, counter, fen, digest("decision"), 1, POLICY_NAMES[policy]))
        self.call("settle", made, sender, single, ledger)

    @rule(
        items=some(st.tuples(KEY, st.integers(0, 4), POLICIES, STEPS)),
        sender=PAYER,
        aimed=AIMED,
        single=IS_SINGLE,
        ledger=OLD,
    )
    def release(
        self, items: list[Any], sender: str, aimed: bool, single: bool, ledger: str
    ) -> None:
        made = []
        for number, (pooled, reason, policy, step) in enumerate(items):
            key, who, slot = self.claim(pooled, sender, aimed)
            sender = sender if number else who
            counter = slot.counter if step in (0, 1) else max(0, slot.counter + step)
            made.append((key, counter, reason, digest("refusal"), 1, POLICY_NAMES[policy]))
        self.call("release", made, sender, single, ledger)

    @rule(
        items=some(st.tuples(KEY, st.sampled_from([0, 0, 1, -1, 400]), STEPS)),
        sender=PAYER,
        aimed=AIMED,
        single=IS_SINGLE,
        ledger=OLD,
    )
    def renew(self, items: list[Any], sender: str, aimed: bool, single: bool, ledger: str) -> None:
        made = []
        for number, (pooled, days, step) in enumerate(items):
            key, who, slot = self.claim(pooled, sender, aimed)
            sender = sender if number else who
            counter = slot.counter if step in (0, 1) else max(0, slot.counter + step)
            made.append((key, counter, max(0, slot.deadline + days * DAY)))
        self.call("renew", made, sender, single, ledger)

    @rule(items=some(st.tuples(KEY, STEPS)), aimed=AIMED, single=IS_SINGLE, ledger=OLD)
    def expire(self, items: list[Any], aimed: bool, single: bool, ledger: str) -> None:
        made = []
        for pooled, step in items:
            key, _, slot = self.claim(pooled, "stranger", aimed)
            made.append((key, slot.counter if step in (0, 1) else max(0, slot.counter + step)))
        self.call("expire", made, "stranger", single, ledger)

    @rule(
        items=some(st.tuples(KEY, AMOUNTS, POLICIES, st.sampled_from([2, 3, 2, 2, 1]), STEPS)),
        sender=PAYER,
        aimed=AIMED,
        single=IS_SINGLE,
        ledger=OLD,
    )
    def supplement(
        self, items: list[Any], sender: str, aimed: bool, single: bool, ledger: str
    ) -> None:
        made = []
        for number, (pooled, amount, policy, version, step) in enumerate(items):
            key, who, slot = self.paid(pooled, sender, aimed)
            sender = sender if number else who
            left = slot.total - slot.paid
            fen = {"some": left // 3, "left": left, "over": left + 1, "none": 0}[amount]
            before = slot.paid if step in (0, 1) else slot.paid + 1
            made.append((key, before, fen, digest("appeal"), version, POLICY_NAMES[policy]))
        self.call("supplement", made, sender, single, ledger)

    @rule(
        items=some(st.tuples(KEY, AMOUNTS, st.sampled_from(["r1", "r2", "r3"]))),
        sender=PAYER,
        aimed=AIMED,
        single=IS_SINGLE,
        ledger=OLD,
    )
    def recover(
        self, items: list[Any], sender: str, aimed: bool, single: bool, ledger: str
    ) -> None:
        made = []
        for number, (pooled, amount, name) in enumerate(items):
            key, who, slot = self.paid(pooled, sender, aimed)
            sender = sender if number else who
            fen = {"some": 7, "left": slot.paid, "over": slot.paid + 1, "none": 0}[amount]
            made.append((key, fen, digest(name)))
        self.call("recover", made, sender, single, ledger)

    # ------------------------------------------------------------------------------- issuers

    @rule(
        items=some(st.tuples(PLACE, PLACE, AIMED, SPOILED, SPOILED)),
        sender=ISSUER,
        single=IS_SINGLE,
        ledger=OLD,
    )
    def supersede(self, items: list[Any], sender: str, single: bool, ledger: str) -> None:
        refs, made = [], []
        sender = self.issuer(items[0][1], sender)
        for number, (old, new, aimed, spoiled_old, spoiled_new) in enumerate(items):
            place = self.same_key(old, new) if aimed else new
            old_ref, old_proof = self.leaf(old, 2 * number, spoiled_old)
            new_ref, new_proof = self.leaf(place, 2 * number + 1, spoiled_new)
            refs += [old_ref, new_ref]
            made.append((old_proof, new_proof))
        if single:
            self.arena.ledger_call("supersede", (refs[:2], made[0]), sender, ledger)
        else:
            self.arena.ledger_call("supersedeBatch", (refs, made), sender, ledger)

    def same_key(self, old: tuple[int, int], new: tuple[int, int]) -> tuple[int, int]:
        """A place with the key of the old leaf, chosen by the new one."""
        batches = self.arena.batches
        key = batches[old[0]].bills[old[1]].key
        same = [place for place in PLACES if batches[place[0]].bills[place[1]].key == key]
        return same[PLACES.index(new) % len(same)]

    @rule(
        function=st.sampled_from(["void", "reverse"]),
        items=some(st.tuples(PLACE, SPOILED)),
        sender=ISSUER,
        single=IS_SINGLE,
        ledger=OLD,
        rare=RARE,
    )
    def withdraw(self, function: str, **drawn: Any) -> None:
        # Most runs would soon have nothing but void bills.
        if drawn["rare"] > 2:
            return
        items = drawn["items"]
        sender = self.issuer(items[0][0], drawn["sender"])
        proofs = [self.leaf(place, n, spoiled) for n, (place, spoiled) in enumerate(items)]
        self.proved(function, proofs, sender, drawn["single"], drawn["ledger"])

    @rule(
        function=st.sampled_from(["exchangeToPaper", "exchangeToPaper", "returnPaper"]),
        items=some(st.tuples(PLACE, SPOILED, PAPER)),
        sender=ISSUER,
        single=IS_SINGLE,
        ledger=OLD,
    )
    def paper(self, function: str, **drawn: Any) -> None:
        proofs = []
        sender = self.issuer(drawn["items"][0][0], drawn["sender"])
        for number, (place, spoiled, paper) in enumerate(drawn["items"]):
            ref, proof = self.leaf(place, number, spoiled)
            proofs.append((ref, (proof, KEY_OF[paper])))
        self.proved(function, proofs, sender, drawn["single"], drawn["ledger"])

    @rule(
        batch=st.sampled_from([2, 2, 2, 2, 0, 1, 3]),
        sender=ISSUER,
        spoiled=st.sampled_from(["", "", "", "root", "previous", "sequence", "size", "zero"]),
        ledger=OLD,
    )
    def anchor(self, batch: int, sender: str, spoiled: str, ledger: str) -> None:
        _institution, sequence, previous, root, size = self.arena.batches[batch].ref
        if spoiled == "root":
            root = digest("another root")
        elif spoiled == "previous":
            previous = ZERO
        elif spoiled == "sequence":
            sequence += 1
        elif spoiled == "size":
            size = 1025
        elif spoiled == "zero":
            sequence = 0
        # A foreign batch under the third sequence would leave the pool's third batch unanchored.
        if spoiled in ("root", "size") and sequence == 3:
            sequence = 2
        account = self.issuer((batch, 0), sender)
        self.arena.anchor((sequence, root, size, previous), account, ledger)

    # ------------------------------------------------------------------------------- authorities

    @rule(key=KEY, sender=st.sampled_from(["registrar"] * 5 + ["admin", "hospital"]), ledger=OLD)
    def rule_away(self, key: str, sender: str, ledger: str) -> None:
        self.arena.ledger_call("rule", (KEY_OF[key], digest("reason")), sender, ledger)

    @rule(
        place=PLACE,
        flags=st.sampled_from([PINNED, PINNED, 0, VOID, ON_PAPER, 4, 16, 32, 64]),
        spoiled=SPOILED,
        sender=st.sampled_from(["registrar"] * 5 + ["stranger"]),
        ledger=OLD,
    )
    def rule_for(self, place: tuple[int, int], flags: int, **drawn: Any) -> None:
        ref, proof = self.leaf(place, 0, drawn["spoiled"])
        arguments = (ref, proof, flags, digest("reason"))
        self.arena.ledger_call("ruleFor", arguments, drawn["sender"], drawn["ledger"])

    @rule(
        institution=st.sampled_from([1, 1, 2, 3]),
        span=st.sampled_from([(1, 1), (2, 2), (2, 3), (1, 3), (3, 2), (0, 1)]),
        sender=st.sampled_from(["registrar"] * 5 + ["stranger"]),
        rare=RARE,
    )
    def quarantine(self, institution: int, span: tuple[int, int], sender: str, rare: int) -> None:
        if rare > 2:
            arguments = (institution, *span, digest("reason"))
            self.arena.registry_call("quarantine", arguments, sender)
            return
        records = self.arena.registry.institutions
        ranges = records[institution].quarantines if institution in records else ()
        self.arena.registry_call("lift", (institution, *(ranges[0] if ranges else span)), sender)

    @rule(sender=st.sampled_from(["pauser"] * 5 + ["registrar"]), rare=RARE)
    def pause_or_open(self, sender: str, rare: int) -> None:
        if self.arena.registry.paused:
            self.arena.registry_call("unpause" if rare else "pause", (), sender)
        elif rare < 3:
            self.arena.registry_call("unpause" if not rare else "pause", (), sender)

    @rule(
        number=st.integers(1, 5),
        payer=st.booleans(),
        sender=st.sampled_from(["registrar"] * 5 + ["basic"]),
        rare=RARE,
    )
    def suspend(self, number: int, payer: bool, sender: str, rare: int) -> None:
        registry = self.arena.registry
        if payer:
            suspended = number in registry.suspended_payers
        else:
            number = 1 + number % 3
            record = registry.institutions.get(number)
            suspended = record is not None and record.suspended
        if suspended or rare < 2:
            function = "suspendPayer" if payer else "suspendInstitution"
            self.arena.registry_call(function, (number, not suspended), sender)

    @rule(
        number=st.sampled_from([1, 1, 1, 2, 3, 7]),
        payer=st.booleans(),
        old=st.sampled_from(["", "basic", "basic_spare", "hospital", "hospital_spare"]),
        new=st.sampled_from(["", "basic", "basic_spare", "hospital", "hospital_spare"]),
        rare=RARE,
    )
    def rotate(self, number: int, payer: bool, old: str, new: str, rare: int) -> None:
        if rare > 1:
            return
        function = "rotatePayerAccount" if payer else "rotateInstitutionAccount"
        self.arena.registry_call(function, (number, old, new), "registrar")

    @rule(
        institution=st.sampled_from([1, 2, 3]),
        days=st.sampled_from([(-400, 400, 30), (-1, 10, 5), (5, 400, 0), (5, 4, 0)]),
        rare=RARE,
    )
    def change_terms(self, institution: int, days: tuple[int, int, int], rare: int) -> None:
        if rare > 1:
            return
        start, end, grace = days
        now = self.arena.now
        terms = (now + start * DAY, now + end * DAY, grace * DAY, 1)
        arguments = (institution, *terms)
        self.arena.registry_call("changeInstitutionTerms", arguments, "registrar")

    @rule(policy=POLICIES, rare=RARE)
    def publish(self, policy: str, rare: int) -> None:
        if rare == 0:
            self.arena.registry_call("publishPolicy", (POLICY_NAMES[policy], 0), "publisher")

    @rule(days=st.sampled_from([1, 7, 8, 31, 31, 200]), rare=RARE)
    def wait(self, days: int, rare: int) -> None:
        if rare < 3:
            self.arena.pass_time(days * DAY)

    @precondition(lambda self: self.arena.registry.next_generation < 3)
    @rule(
        successor=st.sampled_from(["second", "third", "first", "stranger"]),
        sender=st.sampled_from(["admin"] * 4 + ["registrar"]),
        rare=RARE,
    )
    def retire(self, successor: str, sender: str, rare: int) -> None:
        if rare == 0:
            self.arena.registry_call("retireLedger", (successor,), sender)
