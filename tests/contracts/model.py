"""The invoice ledger in plain Python: what the comments of its interface and the protocol say, in
dictionaries and integers. Nothing here is taken from the contract's code.

Each call has a generator of checks in the order of the specification, (condition, outcome, holder);
the first whose condition holds is the item's outcome. `Ledger.without` leaves checks out: a test of
the test that compares model and contract.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.contracts.bills import Call, Outcome, Report
from tests.contracts.model_calls import CHECKS, EFFECTS
from tests.contracts.model_registry import Reverted
from tests.contracts.model_state import (
    NOBODY,
    ZERO,
    Books,
    Effect,
    Holder,
    Item,
    Leaf,
    Ref,
    Who,
    batch_head,
    payer_bit,
)

KEYED = {Call.SETTLE, Call.RELEASE, Call.RENEW, Call.EXPIRE, Call.SUPPLEMENT, Call.RECOVER}
CLAIMS = {Call.SETTLE, Call.RELEASE, Call.RENEW, Call.EXPIRE}
WITHDRAWALS = {Call.VOID, Call.REVERSE}
ISSUERS = WITHDRAWALS | {Call.SUPERSEDE, Call.EXCHANGE, Call.RETURN}
CALLS = {
    "lodge": Call.LODGE,
    "settle": Call.SETTLE,
    "release": Call.RELEASE,
    "renew": Call.RENEW,
    "expire": Call.EXPIRE,
    "supersede": Call.SUPERSEDE,
    "void": Call.VOID,
    "reverse": Call.REVERSE,
    "rule": Call.RULE,
    "ruleFor": Call.RULE,
    "supplement": Call.SUPPLEMENT,
    "recover": Call.RECOVER,
    "exchangeToPaper": Call.EXCHANGE,
    "returnPaper": Call.RETURN,
}


@dataclass
class Ledger(Books):
    """One generation of the ledger."""

    without: frozenset[tuple[Call, Outcome]] = frozenset()

    # ------------------------------------------------------------------------------- anchor

    def anchor(self, arguments: tuple[Any, ...], sender: str, now: int) -> dict[str, Any]:
        """The fields of the anchor's event, `outcome` by name."""
        sequence, root, size, previous = arguments
        institution = self.registry.number(sender, "institution")
        if not institution:
            raise Reverted("LedgerNotInstitution", sender)
        if not 0 < sequence < 1 << 22 or not 0 < size <= 1024 or root == ZERO:
            raise Reverted("LedgerAnchorInvalid", sequence, size)
        head = batch_head(Ref(institution, sequence, previous, root, size))
        present = self.head(institution, sequence)
        before = self.head(institution, sequence - 1) if sequence > 1 else ZERO
        bar = self.registry.anchor_bar(institution, now)
        if present != ZERO:
            outcome = "REPEATED" if present == head else "CONFLICT"
        elif self.generation != self.registry.in_force(now):
            outcome = "RETIRED"
        elif bar:
            outcome = bar
        elif previous != before or (sequence > 1 and before == ZERO):
            outcome = "NOT_NEXT"
        else:
            outcome, present = "ANCHORED", head
            self.heads[institution, sequence] = head
        return {
            "institution": institution,
            "sequence": sequence,
            "account": sender,
            "outcome": outcome,
            "root": root,
            "previousHead": previous,
            "head": present,
            "size": size,
        }

    # ------------------------------------------------------------------------------- calls

    def run(self, name: str, arguments: tuple[Any, ...], sender: str, now: int) -> list[Report]:
        """The claim events of a call, in order; `Reverted` with the custom error."""
        call = CALLS[name.removesuffix("Batch")]
        who = self._caller(call, sender, now)
        is_single = not name.endswith("Batch")
        batches, items = _taken_apart(call, arguments, is_single)
        reports = []
        for place, content in enumerate(items):
            item, outcome, holder = self._judged(call, who, batches, content, now)
            if outcome != Outcome.DONE:
                if is_single and outcome != Outcome.REPEATED:
                    raise Reverted("LedgerRefused", outcome, item.key, *holder)
                reports.append(self._unchanged(place, item, outcome, holder))
                continue
            effect = EFFECTS[call](self, item)
            reports.append(_report(place, item, effect))
        return reports

    def depth(
        self, function: str, refs: tuple[Any, ...], content: tuple[Any, ...], sender: str, now: int
    ) -> int:
        """How many checks an item would pass; -1 when the caller may not call at all."""
        call = CALLS[function]
        try:
            who = self._caller(call, sender, now)
        except Reverted:
            return -1
        item = self._item(call, who, tuple(Ref(*ref) for ref in refs), content, now)
        if item.leaf and not item.ref:
            return 0
        passed = 0
        for check in CHECKS[call](self, item):
            if check[0]:
                return passed
            passed += 1
        return passed

    def _caller(self, call: Call, sender: str, now: int) -> Who:
        registry = self.registry
        retired = registry.in_force(now) != self.generation
        if call == Call.EXPIRE:
            return Who(retired=retired, paused=registry.paused)
        if call == Call.RULE:
            if registry.roles["registrar"] != sender:
                raise Reverted("LedgerNotRegistrar", sender)
            return Who(retired=retired)
        if call in ISSUERS:
            number = registry.number(sender, "institution")
            if not number:
                raise Reverted("LedgerNotInstitution", sender)
            suspended = registry.institutions[number].suspended
            return Who(0, number, retired, suspended, registry.paused)
        number = registry.number(sender, "payer")
        if not number:
            raise Reverted("LedgerNotPayer", sender)
        is_basic = number in registry.basic_payers
        group = registry.basic_payers if is_basic else {number}
        rivals = sum(payer_bit(payer) for payer in group)
        suspended = number in registry.suspended_payers
        return Who(number, 0, retired, suspended, registry.paused, rivals, is_basic)

    def _judged(
        self, call: Call, who: Who, batches: tuple[Ref, ...], content: tuple[Any, ...], now: int
    ) -> tuple[Item, Outcome, Holder]:
        item = self._item(call, who, batches, content, now)
        # Where the item names a batch that the call does not have, nothing else is looked at.
        if item.leaf and not item.ref and call != Call.SUPERSEDE and not _is_rule_for(item):
            return item, Outcome.BAD_BATCH, NOBODY
        for check in CHECKS[call](self, item):
            if check[0] and (call, check[1]) not in self.without:
                return item, check[1], check[2] if len(check) == 3 else NOBODY
        return item, Outcome.DONE, NOBODY

    def _item(
        self, call: Call, who: Who, batches: tuple[Ref, ...], content: tuple[Any, ...], now: int
    ) -> Item:
        if call in KEYED or (call == Call.RULE and isinstance(content[0], bytes)):
            counter = content[1] if call in CLAIMS else 0
            key = content[0]
            return Item(call, who, key, self.slot(key), now, content, counter)
        if call == Call.LODGE:
            leaf, place, index, counter, _deadline, proof = content
        else:
            proofs = content[1] if call == Call.SUPERSEDE else content[0]
            leaf, place, index, proof = content if call in WITHDRAWALS else proofs
            counter = 0
        leaf = Leaf(*leaf)
        # A ruling has one batch and names its place where the specification lists it.
        ref = batches[place] if place < len(batches) else None
        slot = self.live(leaf.key)
        return Item(
            call,
            who,
            leaf.key,
            slot,
            now,
            content,
            counter,
            ref,
            leaf,
            index,
            tuple(proof),
            batches,
        )

    def _unchanged(self, place: int, item: Item, outcome: Outcome, holder: Holder) -> Report:
        slot = self.slot(item.key)
        named = 0 if item.call == Call.SUPERSEDE else item.reference
        shown = replace(slot, reference=named or slot.reference)
        return _report(place, item, Effect("Unchanged", shown), outcome, holder)


def _taken_apart(
    call: Call, arguments: tuple[Any, ...], is_single: bool
) -> tuple[tuple[Ref, ...], list[tuple[Any, ...]]]:
    """The batches and the items of a call."""
    if call == Call.RULE:
        if isinstance(arguments[0], bytes):
            return (), [arguments]
        batch, proof, flags, reason = arguments
        return (Ref(*batch),), [(proof, flags, reason)]
    if call in KEYED:
        return (), [arguments[0]] if is_single else list(arguments[0])
    batches, items = arguments
    if is_single:
        items = [items]
        batches = batches if call == Call.SUPERSEDE else [batches]
    return tuple(Ref(*batch) for batch in batches), list(items)


def _is_rule_for(item: Item) -> bool:
    return item.call == Call.RULE and item.leaf is not None


def _report(
    place: int,
    item: Item,
    effect: Effect,
    outcome: Outcome = Outcome.DONE,
    holder: Holder = NOBODY,
) -> Report:
    return Report(
        name=effect.event,
        key=item.key,
        index=place,
        call=item.call,
        outcome=outcome,
        payer=item.who.payer if effect.payer is None else effect.payer,
        counter=item.counter,
        holder=holder,
        reference=effect.shown.reference,
        value=effect.value,
        version=effect.version,
        paid=effect.shown.paid,
        total=effect.shown.total,
        rest=effect.rest,
    )
