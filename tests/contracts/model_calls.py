"""The checks and effects of each call of the model, in the order of the interface's comments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.contracts.bills import (
    ALIAS,
    IS_PAPER,
    ON_PAPER,
    PINNED,
    REVERSED,
    VOID,
    Call,
    Outcome,
)
from tests.contracts.model_state import (
    AMOUNT_MAX,
    EXPIRY_GRACE,
    MAX_LOCK,
    ZERO,
    Books,
    Checks,
    Effect,
    Item,
    Leaf,
    Slot,
    leaf_reference,
    payer_bit,
)

_RULING_FLAGS = PINNED | VOID | REVERSED | ON_PAPER
_CLAIMABLE, _SETTLED_KIND = 1, 2
_REFUSED_REASON = 1

_Check = Callable[[Books, Item], Checks]
_Effect = Callable[[Books, Item], Effect]

CHECKS: dict[Call, _Check] = {}
EFFECTS: dict[Call, _Effect] = {}


def _checks(*calls: Call) -> Callable[[_Check], _Check]:
    def register(function: _Check) -> _Check:
        CHECKS.update(dict.fromkeys(calls, function))
        return function

    return register


def _effect(*calls: Call) -> Callable[[_Effect], _Effect]:
    def register(function: _Effect) -> _Effect:
        EFFECTS.update(dict.fromkeys(calls, function))
        return function

    return register


# --------------------------------------------------------------------------- parts of several calls


def _barred(item: Item) -> Checks:
    yield item.who.retired, Outcome.RETIRED
    yield item.who.suspended, Outcome.SUSPENDED


def _withdrawn(slot: Slot) -> Checks:
    yield slot.flags & VOID, Outcome.IS_VOID
    yield slot.flags & REVERSED, Outcome.IS_REVERSED


def _busy(slot: Slot) -> Checks:
    yield slot.payer, Outcome.LOCKED, slot.claim
    yield slot.settled, Outcome.SETTLED, slot.lowest_settled


def _leaf(leaf: Leaf) -> Checks:
    yield leaf.kind not in (_CLAIMABLE, _SETTLED_KIND), Outcome.KIND_REFUSED
    yield leaf.total > AMOUNT_MAX or leaf.borne > leaf.total, Outcome.BAD_LEAF
    yield leaf.key in (ZERO, leaf.second), Outcome.BAD_LEAF


def _bound_elsewhere(books: Books, item: Item, reference: int) -> Checks:
    slot = item.slot
    elsewhere = slot.reference and (slot.reference != reference or slot.flags & ALIAS)
    yield elsewhere, Outcome.BOUND_ELSEWHERE, books.bound_holder(item.key, slot)


def _policy(books: Books, policy: bytes) -> Checks:
    yield policy not in books.registry.policies, Outcome.POLICY_UNKNOWN


def _deadline_bad(deadline: int, now: int) -> bool:
    return not now < deadline <= now + MAX_LOCK


def _is_claim(item: Item) -> bool:
    return item.slot.payer != 0 and (item.slot.payer, item.slot.counter) == (
        item.who.payer,
        item.counter,
    )


def _over(item: Item) -> Checks:
    yield item.slot.paid + item.content[2] > item.slot.total, Outcome.OVER_TOTAL


# ------------------------------------------------------------------------------- lodge


@_checks(Call.LODGE)
def _lodge_checks(books: Books, item: Item) -> Checks:
    who, slot, leaf = item.who, item.slot, item.leaf
    assert leaf is not None
    deadline = item.content[4]
    yield from _barred(item)
    same = _is_claim(item) and slot.reference == item.reference
    yield same, Outcome.REPEATED
    yield who.paused, Outcome.PAUSED
    yield slot.payer, Outcome.LOCKED, slot.claim
    yield slot.settled & payer_bit(who.payer), Outcome.SETTLED_BY_PAYER, (who.payer, 0)
    rivals = Slot(settled=slot.settled & who.rivals)
    yield rivals.settled, Outcome.SETTLED_BY_BASIC, rivals.lowest_settled
    yield slot.flags & IS_PAPER, Outcome.IS_PAPER
    yield from _withdrawn(slot)
    yield slot.flags & ON_PAPER, Outcome.IS_ON_PAPER
    yield from _bound_elsewhere(books, item, item.reference)
    yield item.counter != slot.counter + 1, Outcome.STALE
    yield from _leaf(leaf)
    yield who.is_basic and leaf.kind == _SETTLED_KIND, Outcome.KIND_NOT_FOR_BASIC
    present = slot if slot.reference else Slot(total=leaf.total, paid=leaf.borne)
    yield present.paid == present.total, Outcome.NOTHING_LEFT, present.lowest_settled
    yield _deadline_bad(deadline, item.now), Outcome.BAD_DEADLINE
    yield books.second_bound(leaf), Outcome.SECOND_KEY_BOUND
    yield from books.proof_checks(item.ref, leaf, item.index, item.proof, quarantine=True)


@_effect(Call.LODGE)
def _lodge(books: Books, item: Item) -> Effect:
    assert item.leaf is not None
    slot, deadline = item.slot, item.content[4]
    if not slot.reference:
        slot = slot.bound(item.reference, item.leaf)
    books.mark_second(item.reference, item.leaf)
    slot = replace(slot, payer=item.who.payer, counter=item.counter, deadline=deadline)
    books.slots[item.key] = slot
    return Effect("Lodged", slot, deadline)


# ------------------------------------------------------------------------------- open claims


@_checks(Call.SETTLE)
def _settle_checks(books: Books, item: Item) -> Checks:
    who, slot = item.who, item.slot
    _key, _counter, _amount, _decision, _version, policy = item.content
    yield from _barred(item)
    yield slot.settled & payer_bit(who.payer), Outcome.ALREADY_SETTLED, (who.payer, 0)
    yield not _is_claim(item), Outcome.STALE, slot.claim
    yield from _withdrawn(slot)
    yield books.quarantined(slot.reference), Outcome.QUARANTINED
    rivals = Slot(settled=slot.settled & who.rivals)
    yield rivals.settled, Outcome.SETTLED_BY_BASIC, rivals.lowest_settled
    yield from _over(item)
    yield from _policy(books, policy)


@_effect(Call.SETTLE)
def _settle(books: Books, item: Item) -> Effect:
    key, _counter, amount, decision, version, policy = item.content
    slot = item.slot
    settled = slot.settled | payer_bit(item.who.payer)
    slot = replace(slot, paid=slot.paid + amount, payer=0, deadline=0, settled=settled)
    books.slots[key] = slot
    rest = {"decisionFingerprint": decision, "policyHash": policy}
    return Effect("Settled", slot, amount, version, rest)


@_checks(Call.RELEASE)
def _release_checks(books: Books, item: Item) -> Checks:
    slot = item.slot
    yield from _barred(item)
    yield not slot.payer and item.counter == slot.counter != 0, Outcome.REPEATED
    yield not _is_claim(item), Outcome.STALE, slot.claim
    if item.content[2] == _REFUSED_REASON:
        yield from _policy(books, item.content[5])


@_effect(Call.RELEASE)
def _release(books: Books, item: Item) -> Effect:
    key, _counter, reason, decision, version, policy = item.content
    books.slots[key] = item.slot.unlocked()
    rest = {"decisionFingerprint": decision, "policyHash": policy}
    return Effect("Released", item.slot, reason, version, rest)


@_checks(Call.RENEW)
def _renew_checks(books: Books, item: Item) -> Checks:
    slot, deadline = item.slot, item.content[2]
    yield from _barred(item)
    yield not _is_claim(item), Outcome.STALE, slot.claim
    yield from _withdrawn(slot)
    yield books.quarantined(slot.reference), Outcome.QUARANTINED
    yield deadline == slot.deadline, Outcome.REPEATED
    earlier = deadline < slot.deadline
    yield earlier or _deadline_bad(deadline, item.now), Outcome.BAD_DEADLINE


@_effect(Call.RENEW)
def _renew(books: Books, item: Item) -> Effect:
    key, _counter, deadline = item.content
    slot = replace(item.slot, deadline=deadline)
    books.slots[key] = slot
    return Effect("Renewed", slot, deadline)


@_checks(Call.EXPIRE)
def _expire_checks(books: Books, item: Item) -> Checks:
    slot, registry = item.slot, books.registry
    yield item.who.retired, Outcome.RETIRED
    yield not slot.payer and item.counter == slot.counter != 0, Outcome.REPEATED
    yield not slot.payer or item.counter != slot.counter, Outcome.STALE, slot.claim
    yield item.who.paused, Outcome.PAUSED
    yield item.now <= slot.deadline, Outcome.NOT_DUE, slot.claim
    yield item.now < registry.unpaused_at + EXPIRY_GRACE, Outcome.NOT_DUE, slot.claim


@_effect(Call.EXPIRE)
def _expire(books: Books, item: Item) -> Effect:
    books.slots[item.key] = item.slot.unlocked()
    return Effect("Expired", item.slot, payer=item.slot.payer)


# ------------------------------------------------------------------------------- settled bills


@_checks(Call.SUPPLEMENT)
def _supplement_checks(books: Books, item: Item) -> Checks:
    slot = item.slot
    _key, paid_before, amount, _decision, version, policy = item.content
    yield from _barred(item)
    yield not slot.settled & payer_bit(item.who.payer), Outcome.NOT_SETTLED
    yield from _withdrawn(slot)
    yield books.quarantined(slot.reference), Outcome.QUARANTINED
    yield slot.payer, Outcome.LOCKED, slot.claim
    yield paid_before != slot.paid, Outcome.STALE
    yield amount == 0, Outcome.BAD_AMOUNT
    yield from _over(item)
    yield version < 2, Outcome.BAD_VERSION
    yield from _policy(books, policy)


@_effect(Call.SUPPLEMENT)
def _supplement(books: Books, item: Item) -> Effect:
    key, _before, amount, decision, version, policy = item.content
    slot = replace(item.slot, paid=item.slot.paid + amount)
    books.slots[key] = slot
    rest = {"decisionFingerprint": decision, "policyHash": policy}
    return Effect("Supplemented", slot, amount, version, rest)


@_checks(Call.RECOVER)
def _recover_checks(books: Books, item: Item) -> Checks:
    key, amount, number = item.content
    known = books.recovery(number)
    yield from _barred(item)
    yield not item.slot.settled & payer_bit(item.who.payer), Outcome.NOT_SETTLED
    yield known == (item.who.payer, key, amount), Outcome.REPEATED
    yield known is not None, Outcome.NUMBER_USED
    yield amount == 0 or amount > item.slot.paid, Outcome.BAD_AMOUNT


@_effect(Call.RECOVER)
def _recover(books: Books, item: Item) -> Effect:
    key, amount, number = item.content
    books.recoveries[number] = (item.who.payer, key, amount)
    return Effect("Recovered", item.slot, amount, rest={"recoveryNumber": number})


# ------------------------------------------------------------------------------- issuers


@_checks(Call.SUPERSEDE)
def _supersede_checks(books: Books, item: Item) -> Checks:
    slot, batches = item.slot, item.batches
    (old_leaf, old_place, old_index, old_proof), (_, place, _, _) = item.content
    old, new = Leaf(*old_leaf), item.leaf
    assert new is not None
    yield from _barred(item)
    yield max(old_place, place) >= len(batches), Outcome.BAD_BATCH
    old_ref, new_ref = batches[old_place], batches[place]
    before = leaf_reference(old_ref, old_index)
    yield old.key != new.key, Outcome.BAD_LEAF
    there = slot.reference == item.reference != 0 and slot.flags & PINNED
    yield there, Outcome.REPEATED
    yield item.who.paused, Outcome.PAUSED
    yield from _busy(slot)
    yield slot.flags & IS_PAPER, Outcome.IS_PAPER
    yield from _withdrawn(slot)
    yield slot.flags & ON_PAPER, Outcome.IS_ON_PAPER
    yield from _bound_elsewhere(books, item, before)
    yield from _leaf(old)
    yield from _leaf(new)
    later = old_ref.institution == new_ref.institution and 0 < before < item.reference
    yield not later, Outcome.NOT_LATER
    yield books.second_bound(new), Outcome.SECOND_KEY_BOUND
    own = item.who.institution
    yield from books.proof_checks(old_ref, old, old_index, tuple(old_proof), issuer=own)
    yield from books.proof_checks(new_ref, new, item.index, item.proof, issuer=own, quarantine=True)


@_effect(Call.SUPERSEDE)
def _supersede(books: Books, item: Item) -> Effect:
    assert item.leaf is not None
    (_, old_place, old_index, _), _ = item.content
    slot = books.bind(item.slot, item.reference, item.leaf).flagged(PINNED)
    books.slots[item.key] = slot
    before = leaf_reference(item.batches[old_place], old_index)
    return Effect("Superseded", slot, rest={"fromReference": before})


@_checks(Call.VOID, Call.REVERSE)
def _withdraw_checks(books: Books, item: Item) -> Checks:
    slot, leaf = item.slot, item.leaf
    assert leaf is not None
    flag = VOID if item.call == Call.VOID else REVERSED
    yield from _barred(item)
    yield slot.flags & IS_PAPER, Outcome.IS_PAPER
    yield from _bound_elsewhere(books, item, item.reference)
    yield slot.reference and slot.flags & flag, Outcome.REPEATED
    yield from _leaf(leaf)
    yield not slot.reference and books.second_bound(leaf), Outcome.SECOND_KEY_BOUND
    own = item.who.institution
    yield from books.proof_checks(item.ref, leaf, item.index, item.proof, issuer=own)


@_effect(Call.VOID, Call.REVERSE)
def _withdraw(books: Books, item: Item) -> Effect:
    assert item.leaf is not None
    slot = item.slot
    if not slot.reference:
        slot = books.bind(slot, item.reference, item.leaf)
    is_void = item.call == Call.VOID
    slot = slot.flagged(PINNED | (VOID if is_void else REVERSED))
    books.slots[item.key] = slot
    return Effect("Voided" if is_void else "Reversed", slot)


@_checks(Call.EXCHANGE)
def _exchange_checks(books: Books, item: Item) -> Checks:
    slot, leaf, paper_key = item.slot, item.leaf, item.content[1]
    assert leaf is not None
    paper = books.live(paper_key)
    yield from _barred(item)
    is_paper_of = paper.flags & IS_PAPER and paper.reference == item.reference
    here = slot.reference == item.reference and slot.flags & ON_PAPER
    yield here and is_paper_of and not paper.flags & VOID, Outcome.REPEATED
    yield from _busy(slot)
    yield slot.flags & IS_PAPER, Outcome.IS_PAPER
    yield from _withdrawn(slot)
    yield slot.flags & ON_PAPER, Outcome.IS_ON_PAPER
    yield from _bound_elsewhere(books, item, item.reference)
    yield from _leaf(leaf)
    yield paper_key in (ZERO, leaf.key, leaf.second), Outcome.PAPER_KEY_BOUND
    yield paper.reference, Outcome.PAPER_KEY_BOUND
    yield not slot.reference and books.second_bound(leaf), Outcome.SECOND_KEY_BOUND
    own = item.who.institution
    yield from books.proof_checks(
        item.ref, leaf, item.index, item.proof, issuer=own, quarantine=True
    )


@_effect(Call.EXCHANGE)
def _exchange(books: Books, item: Item) -> Effect:
    assert item.leaf is not None
    slot, paper_key = item.slot, item.content[1]
    if not slot.reference:
        slot = books.bind(slot, item.reference, item.leaf)
    slot = slot.flagged(PINNED | ON_PAPER)
    books.slots[item.key] = slot
    paper = books.slot(paper_key).cleared()
    books.slots[paper_key] = replace(paper, reference=item.reference).flagged(IS_PAPER)
    return Effect("Exchanged", slot, rest={"paperKey": paper_key})


@_checks(Call.RETURN)
def _return_checks(books: Books, item: Item) -> Checks:
    slot, leaf = item.slot, item.leaf
    assert leaf is not None
    paper = books.live(item.content[1])
    yield from _barred(item)
    is_paper_of = paper.flags & IS_PAPER and paper.reference == item.reference
    here = slot.reference == item.reference and not slot.flags & ALIAS
    elsewhere = not (is_paper_of and here)
    yield elsewhere, Outcome.BOUND_ELSEWHERE, books.bound_holder(item.key, slot)
    yield paper.flags & VOID, Outcome.REPEATED
    yield from _leaf(leaf)
    own = item.who.institution
    yield from books.proof_checks(item.ref, leaf, item.index, item.proof, issuer=own)


@_effect(Call.RETURN)
def _return(books: Books, item: Item) -> Effect:
    paper_key = item.content[1]
    slot = replace(item.slot, flags=item.slot.flags & ~ON_PAPER | PINNED)
    books.slots[item.key] = slot
    books.slots[paper_key] = books.slot(paper_key).flagged(VOID)
    return Effect("Returned", slot, rest={"paperKey": paper_key})


# ------------------------------------------------------------------------------- rulings


@_checks(Call.RULE)
def _rule_checks(books: Books, item: Item) -> Checks:
    yield item.who.retired, Outcome.RETIRED
    slot = books.live(item.key)
    # For the second key of a bill, a lock or a settlement is that bill's.
    bill = books.slot(books.primary(item.key)) if slot.flags & ALIAS else slot
    if item.leaf is None:
        yield from _busy(bill)
        yield item.slot == item.slot.cleared(), Outcome.REPEATED
        return
    leaf, flags = item.leaf, item.content[1]
    yield flags & ~_RULING_FLAGS, Outcome.BAD_FLAGS
    yield from _busy(bill)
    there = slot.reference == item.reference != 0
    yield there and slot.flags & 0x3F == flags, Outcome.REPEATED
    yield from _leaf(leaf)
    yield books.second_bound(leaf), Outcome.SECOND_KEY_BOUND
    yield from books.proof_checks(item.ref, leaf, item.index, item.proof)


@_effect(Call.RULE)
def _rule(books: Books, item: Item) -> Effect:
    before = books.slot(item.key)
    if item.leaf is None:
        slot, flags = before.cleared(), 0
        reason = item.content[1]
    else:
        flags, reason = item.content[1], item.content[2]
        slot = books.bind(item.slot, item.reference, item.leaf).flagged(flags)
    books.slots[item.key] = slot
    return Effect("Ruled", slot, flags, rest={"before": before.word, "reason": reason})
