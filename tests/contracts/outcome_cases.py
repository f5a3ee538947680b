"""For every outcome of every call: a state and an item that give it.

A case arranges the state on a world and returns what to send. It may be arranged more than once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.contracts.bills import IS_PAPER, PINNED, ZERO, Batch, Bill, Call, Desk, digest
from tests.contracts.chain import CLINIC_CODE, DAY, POLICY
from tests.contracts.outcome_world import NO_PROOF, World


@dataclass(frozen=True)
class Form:
    """How a call is made singly and in a batch; `rule` and `ruleFor` have no batch."""

    call: Call
    single: str
    batch: str | None
    has_batches: bool = False
    role: str = "basic"


FORMS = {
    form.single: form
    for form in (
        Form(Call.LODGE, "lodge", "lodgeBatch", True),
        Form(Call.SETTLE, "settle", "settleBatch"),
        Form(Call.RELEASE, "release", "releaseBatch"),
        Form(Call.RENEW, "renew", "renewBatch"),
        Form(Call.EXPIRE, "expire", "expireBatch", role="stranger"),
        Form(Call.SUPPLEMENT, "supplement", "supplementBatch"),
        Form(Call.RECOVER, "recover", "recoverBatch"),
        Form(Call.SUPERSEDE, "supersede", "supersedeBatch", True, "hospital"),
        Form(Call.VOID, "void", "voidBatch", True, "hospital"),
        Form(Call.REVERSE, "reverse", "reverseBatch", True, "hospital"),
        Form(Call.EXCHANGE, "exchangeToPaper", "exchangeToPaperBatch", True, "hospital"),
        Form(Call.RETURN, "returnPaper", "returnPaperBatch", True, "hospital"),
        Form(Call.RULE, "rule", None, role="registrar"),
        Form(Call.RULE, "ruleFor", None, True, "registrar"),
    )
}


@dataclass(frozen=True)
class Sent:
    """What to send; `undo` ends the condition that the case set."""

    item: tuple[Any, ...]
    batches: tuple[Any, ...] = ()
    role: str = ""
    undo: Callable[[], None] | None = None


Case = Callable[[World], Sent]


def _wrong(batch: Batch) -> tuple[Any, ...]:
    return (*batch.ref[:3], digest("root"), batch.ref[4])


def _of(batch: Batch, *more: Any) -> tuple[Any, ...]:
    return tuple(part.ref if isinstance(part, Batch) else part for part in (batch, *more))


# ------------------------------------------------------------------------------------------- lodge


def _lodge(world: World, place: int, batch: Batch | None = None, **changes: Any) -> Sent:
    batch = world.first if batch is None else batch
    role = changes.pop("role", "basic")
    ref = changes.pop("ref", batch.ref)
    undo = changes.pop("undo", None)
    return Sent(world.desk.lodge_item(batch, place, **changes), (ref,), role, undo)


def _odd(world: World, name: str, **changes: Any) -> Sent:
    return _lodge(world, world.place_of(name), world.odd, **changes)


LODGE: dict[str, Case] = {
    "Done": lambda w: _lodge(w, w.take()),
    "Suspended": lambda w: _lodge(w, w.take(), undo=w.suspended(Call.LODGE)),
    "Repeated": lambda w: _lodge(w, w.lodged()),
    "Paused": lambda w: _lodge(w, w.take(), undo=w.paused()),
    "Locked": lambda w: _lodge(w, w.lodged(), counter=2, role="commercial"),
    "SettledByPayer": lambda w: _lodge(w, w.settled(), counter=2),
    "SettledByBasic": lambda w: _lodge(w, w.settled(), counter=2, role="second_basic"),
    "IsPaper": lambda w: _lodge(w, w.paper_of_another()),
    "IsVoid": lambda w: _lodge(w, w.void()),
    "IsReversed": lambda w: _lodge(w, w.reversed()),
    "IsOnPaper": lambda w: _lodge(w, w.on_paper()),
    "BoundElsewhere": lambda w: _lodge(w, w.superseded()),
    "Stale": lambda w: _lodge(w, w.released(), counter=1),
    "KindRefused": lambda w: _odd(w, "red"),
    "BadLeaf": lambda w: _odd(w, "bad"),
    "KindNotForBasic": lambda w: _odd(w, "counter"),
    "NothingLeft": lambda w: _odd(w, "nothing"),
    "BadDeadline": lambda w: _lodge(w, w.take(), deadline=1),
    "SecondKeyBound": lambda w: _lodge(w, w.alias() + 1, w.odd),
    "BadBatch": lambda w: _lodge(w, w.take(), ref=_wrong(w.first)),
    "Quarantined": lambda w: _lodge(w, w.take(), w.jailed, undo=w.quarantined(w.jailed)),
    "ForeignLeaf": lambda w: _odd(w, "foreign"),
    "BadProof": lambda w: _lodge(w, w.take(), proof=NO_PROOF),
}


# ---------------------------------------------------------------------------- claims under way


def _jailed(world: World) -> tuple[int, Callable[[], None]]:
    """A bill with an open claim in a batch that was quarantined since."""
    place = world.lodged(batch=world.jailed)
    return place, world.quarantined(world.jailed)


def _settle(world: World, place: int, undo: Any = None, role: str = "basic", **to: Any) -> Sent:
    return Sent(world.desk.settle_item(world.bill(place), **to), (), role, undo)


SETTLE: dict[str, Case] = {
    "Done": lambda w: _settle(w, w.lodged()),
    "Suspended": lambda w: _settle(w, w.lodged(), w.suspended(Call.SETTLE)),
    "AlreadySettled": lambda w: _settle(w, w.settled()),
    "Stale": lambda w: _settle(w, w.released()),
    "IsVoid": lambda w: _settle(w, w.void(w.lodged())),
    "IsReversed": lambda w: _settle(w, w.reversed(w.lodged())),
    "Quarantined": lambda w: _settle(w, *_jailed(w)),
    "OverTotal": lambda w: _settle(w, w.lodged(), amount=10_001),
    "PolicyUnknown": lambda w: _settle(w, w.lodged(), policy=digest("unpublished")),
}


def _release(world: World, place: int, undo: Any = None, **to: Any) -> Sent:
    return Sent(world.desk.release_item(world.bill(place), **to), undo=undo)


RELEASE: dict[str, Case] = {
    "Done": lambda w: _release(w, w.lodged()),
    "Suspended": lambda w: _release(w, w.lodged(), w.suspended(Call.RELEASE)),
    "Repeated": lambda w: _release(w, w.released()),
    "Stale": lambda w: _release(w, w.take()),
    "PolicyUnknown": lambda w: Sent((w.bill(w.lodged()).key, 1, 1, ZERO, 1, digest("none"))),
}


def _renew(world: World, place: int, undo: Any = None, days: int = 60) -> Sent:
    return Sent((world.bill(place).key, 1, world.desk.chain.now() + days * DAY), undo=undo)


def _renew_to_the_same(world: World) -> Sent:
    bill = world.bill(world.lodged())
    return Sent((bill.key, 1, world.desk.state(bill)["deadline"]))


RENEW: dict[str, Case] = {
    "Done": lambda w: _renew(w, w.lodged()),
    "Suspended": lambda w: _renew(w, w.lodged(), w.suspended(Call.RENEW)),
    "Stale": lambda w: _renew(w, w.released()),
    "IsVoid": lambda w: _renew(w, w.void(w.lodged())),
    "IsReversed": lambda w: _renew(w, w.reversed(w.lodged())),
    "Quarantined": lambda w: _renew(w, *_jailed(w)),
    "Repeated": _renew_to_the_same,
    "BadDeadline": lambda w: _renew(w, w.lodged(), days=200),
}


def _expire(world: World, place: int, undo: Any = None, days: int = 0) -> Sent:
    if days:
        world.later(days)
    return Sent((world.bill(place).key, 1), undo=undo)


EXPIRE: dict[str, Case] = {
    "Done": lambda w: _expire(w, w.lodged(), days=31),
    "Repeated": lambda w: _expire(w, w.released()),
    "Stale": lambda w: _expire(w, w.take()),
    "NotDue": lambda w: _expire(w, w.lodged()),
    "Paused": lambda w: _expire(w, w.lodged(), w.paused(), days=31),
}


# ----------------------------------------------------------------------------- further payments


def _supplement(
    world: World, place: int, undo: Any = None, paid: int = 4_000, by: int = 500, **to: Any
) -> Sent:
    return Sent(world.desk.supplement_item(world.bill(place), paid, by, **to), undo=undo)


def _settled_and_jailed(world: World) -> tuple[int, Callable[[], None]]:
    place = world.lodged(batch=world.jailed)
    world.desk.settle(world.bill(place), 1, 4_000)
    return place, world.quarantined(world.jailed)


def _locked_by_another(world: World) -> int:
    place = world.settled()
    world.desk.lodge(world.first, place, counter=2, role="commercial")
    return place


SUPPLEMENT: dict[str, Case] = {
    "Done": lambda w: _supplement(w, w.settled()),
    "Suspended": lambda w: _supplement(w, w.settled(), w.suspended(Call.SUPPLEMENT)),
    "NotSettled": lambda w: _supplement(w, w.lodged()),
    "IsVoid": lambda w: _supplement(w, w.void(w.settled())),
    "IsReversed": lambda w: _supplement(w, w.reversed(w.settled())),
    "Quarantined": lambda w: _supplement(w, *_settled_and_jailed(w)),
    "Locked": lambda w: _supplement(w, _locked_by_another(w)),
    "Stale": lambda w: _supplement(w, w.settled(), paid=3_999),
    "BadAmount": lambda w: _supplement(w, w.settled(), by=0),
    "OverTotal": lambda w: _supplement(w, w.settled(), by=6_001),
    "BadVersion": lambda w: _supplement(w, w.settled(), version=1),
    "PolicyUnknown": lambda w: _supplement(w, w.settled(), policy=digest("unpublished")),
}


def _recover(world: World, place: int, undo: Any = None, amount: int = 300) -> Sent:
    return Sent((world.bill(place).key, amount, digest(f"recovery {place}")), undo=undo)


def _recovered(world: World, amount: int) -> Sent:
    place = world.settled()
    sent = _recover(world, place, amount=300)
    world.desk.run(world.desk.functions.recover(sent.item), "basic")
    return _recover(world, place, amount=amount)


RECOVER: dict[str, Case] = {
    "Done": lambda w: _recover(w, w.settled()),
    "Suspended": lambda w: _recover(w, w.settled(), w.suspended(Call.RECOVER)),
    "NotSettled": lambda w: _recover(w, w.lodged()),
    "Repeated": lambda w: _recovered(w, 300),
    "NumberUsed": lambda w: _recovered(w, 301),
    "BadAmount": lambda w: _recover(w, w.settled(), amount=4_001),
}


# -------------------------------------------------------------------------------- institutions


def _supersede(
    world: World,
    place: int,
    old: Batch | None = None,
    new: Batch | None = None,
    undo: Any = None,
) -> Sent:
    old = world.first if old is None else old
    new = world.again if new is None else new
    item = (old.leaf_proof(place, 0), new.leaf_proof(place, 1))
    return Sent(item, _of(old, new), undo=undo)


def _supersede_odd(world: World, name: str) -> Sent:
    return _supersede(world, world.place_of(name), world.odd, world.odd_again)


def _supersede_two_keys(world: World) -> Sent:
    item = (world.first.leaf_proof(world.take(), 0), world.again.leaf_proof(world.take(), 1))
    return Sent(item, _of(world.first, world.again))


def _supersede_without_proof(world: World) -> Sent:
    place = world.take()
    old, new = world.first.leaf_proof(place, 0), world.again.leaf_proof(place, 1)
    return Sent((old, (*new[:3], NO_PROOF)), _of(world.first, world.again))


def _supersede_to_wrong_batch(world: World) -> Sent:
    sent = _supersede(world, world.take())
    return Sent(sent.item, (sent.batches[0], _wrong(world.again)))


SUPERSEDE: dict[str, Case] = {
    "Done": lambda w: _supersede(w, w.take()),
    "Suspended": lambda w: _supersede(w, w.take(), undo=w.suspended(Call.SUPERSEDE)),
    "BadLeaf": _supersede_two_keys,
    "Repeated": lambda w: _supersede(w, w.superseded()),
    "Paused": lambda w: _supersede(w, w.take(), undo=w.paused()),
    "Locked": lambda w: _supersede(w, w.lodged()),
    "Settled": lambda w: _supersede(w, w.settled()),
    "IsPaper": lambda w: _supersede(w, w.paper_of_another()),
    "IsVoid": lambda w: _supersede(w, w.void()),
    "IsReversed": lambda w: _supersede(w, w.reversed()),
    "IsOnPaper": lambda w: _supersede(w, w.on_paper()),
    "BoundElsewhere": lambda w: _supersede(w, w.bound_by_stranger()),
    "KindRefused": lambda w: _supersede_odd(w, "red"),
    "NotLater": lambda w: _supersede(w, w.take(), w.again, w.first),
    "SecondKeyBound": lambda w: _supersede(w, w.alias() + 1, w.odd, w.odd_again),
    "BadBatch": _supersede_to_wrong_batch,
    "Quarantined": lambda w: _supersede(w, w.take(), new=w.jailed, undo=w.quarantined(w.jailed)),
    "ForeignLeaf": lambda w: _supersede_odd(w, "foreign"),
    "BadProof": _supersede_without_proof,
}


def _leaf(world: World, place: int, batch: Batch | None = None, **to: Any) -> Sent:
    batch = world.first if batch is None else batch
    return Sent(batch.leaf_proof(place), (to.get("ref", batch.ref),), undo=to.get("undo"))


def _odd_leaf(world: World, name: str) -> Sent:
    return _leaf(world, world.place_of(name), world.odd)


def _unproved(world: World) -> Sent:
    return Sent((*world.first.leaf_proof(world.take())[:3], NO_PROOF), _of(world.first))


def _withdrawals(call: Call) -> dict[str, Case]:
    def done_before(world: World) -> Sent:
        return _leaf(world, world.void() if call == Call.VOID else world.reversed())

    return {
        "Done": lambda w: _leaf(w, w.lodged()),
        "Suspended": lambda w: _leaf(w, w.take(), undo=w.suspended(call)),
        "IsPaper": lambda w: _leaf(w, w.paper_of_another()),
        "BoundElsewhere": lambda w: _leaf(w, w.bound_by_stranger()),
        "Repeated": done_before,
        "KindRefused": lambda w: _odd_leaf(w, "red"),
        "BadLeaf": lambda w: _odd_leaf(w, "bad"),
        "SecondKeyBound": lambda w: _leaf(w, w.alias() + 1, w.odd),
        "BadBatch": lambda w: _leaf(w, w.take(), ref=_wrong(w.first)),
        "ForeignLeaf": lambda w: _leaf(w, w.take(), w.stranger),
        "BadProof": _unproved,
    }


def _papered(world: World, sent: Sent, paper: str | bytes | None = None) -> Sent:
    """As `sent`, with the key of a paper: a fresh one, or the named one."""
    if paper is None:
        paper = f"a paper for {sent.item[0][3].hex()}"
    key = digest(paper) if isinstance(paper, str) else paper
    return Sent((sent.item, key), sent.batches, sent.role, sent.undo)


def _exchange_from_jail(world: World) -> Sent:
    undo = world.quarantined(world.jailed)
    return _papered(world, _leaf(world, world.take(), world.jailed, undo=undo))


def _exchange_again(world: World) -> Sent:
    place = world.on_paper()
    return _papered(world, _leaf(world, place), f"paper of {place}")


EXCHANGE: dict[str, Case] = {
    "Done": lambda w: _papered(w, _leaf(w, w.take())),
    "Suspended": lambda w: _papered(w, _leaf(w, w.take(), undo=w.suspended(Call.EXCHANGE))),
    "Repeated": _exchange_again,
    "Locked": lambda w: _papered(w, _leaf(w, w.lodged())),
    "Settled": lambda w: _papered(w, _leaf(w, w.settled())),
    "IsPaper": lambda w: _papered(w, _leaf(w, w.paper_of_another())),
    "IsVoid": lambda w: _papered(w, _leaf(w, w.void())),
    "IsReversed": lambda w: _papered(w, _leaf(w, w.reversed())),
    "IsOnPaper": lambda w: _papered(w, _leaf(w, w.on_paper())),
    "BoundElsewhere": lambda w: _papered(w, _leaf(w, w.bound_by_stranger())),
    "KindRefused": lambda w: _papered(w, _odd_leaf(w, "red")),
    "BadLeaf": lambda w: _papered(w, _odd_leaf(w, "bad")),
    "PaperKeyBound": lambda w: _papered(w, _leaf(w, w.take()), w.bill(w.lodged()).key),
    "SecondKeyBound": lambda w: _papered(w, _leaf(w, w.alias() + 1, w.odd)),
    "BadBatch": lambda w: _papered(w, _leaf(w, w.take(), ref=_wrong(w.first))),
    "Quarantined": _exchange_from_jail,
    "ForeignLeaf": lambda w: _papered(w, _leaf(w, w.take(), w.stranger)),
    "BadProof": lambda w: _papered(w, _unproved(w)),
}


def _return(world: World, **to: Any) -> Sent:
    """The return of a bill that is on paper, with changes to what is sent."""
    place = world.on_paper()
    undo = world.suspended(Call.RETURN) if to.get("suspended") else None
    leaf, *rest = world.first.leaf_proof(place)
    if "kind" in to:
        leaf = (leaf[0], to["kind"], *leaf[2:])
    if "borne" in to:
        leaf = (*leaf[:7], to["borne"])
    if "code" in to:
        leaf = (to["code"].encode().ljust(16, b"\0"), *leaf[1:])
    if "proof" in to:
        rest = [*rest[:2], to["proof"]]
    ref = _wrong(world.first) if to.get("wrong") else world.first.ref
    sent = Sent((leaf, *rest), (ref,), undo=undo)
    return _papered(world, sent, to.get("paper", f"paper of {place}"))


def _returned(world: World) -> Sent:
    sent = _return(world)
    world.desk.run(world.desk.functions.returnPaper(sent.batches[0], sent.item), "hospital")
    return sent


RETURN: dict[str, Case] = {
    "Done": _return,
    "Suspended": lambda w: _return(w, suspended=True),
    "BoundElsewhere": lambda w: _return(w, paper="no paper"),
    "Repeated": _returned,
    "KindRefused": lambda w: _return(w, kind=3),
    "BadLeaf": lambda w: _return(w, borne=10_001),
    "BadBatch": lambda w: _return(w, wrong=True),
    "ForeignLeaf": lambda w: _return(w, code=CLINIC_CODE),
    "BadProof": lambda w: _return(w, proof=NO_PROOF),
}


# ------------------------------------------------------------------------------------- rulings


def _rule(world: World, place: int) -> Sent:
    return Sent((world.bill(place).key, digest("reason")))


RULE: dict[str, Case] = {
    "Done": lambda w: _rule(w, w.void()),
    "Locked": lambda w: _rule(w, w.lodged()),
    "Settled": lambda w: _rule(w, w.settled()),
    "Repeated": lambda w: _rule(w, w.released()),
}


def _rule_for(sent: Sent, flags: int = PINNED) -> Sent:
    return Sent((sent.item, flags, digest("reason")), sent.batches)


def _ruled_before(world: World) -> Sent:
    place = world.take()
    world.desk.rule_for(world.first, place)
    return _rule_for(_leaf(world, place))


def _foreign_code(world: World) -> Sent:
    return _rule_for(_odd_leaf(world, "foreign"))


RULE_FOR: dict[str, Case] = {
    "Done": lambda w: _rule_for(_leaf(w, w.take())),
    "BadFlags": lambda w: _rule_for(_leaf(w, w.take()), IS_PAPER),
    "Locked": lambda w: _rule_for(_leaf(w, w.lodged())),
    "Settled": lambda w: _rule_for(_leaf(w, w.settled())),
    "Repeated": _ruled_before,
    "KindRefused": lambda w: _rule_for(_odd_leaf(w, "red")),
    "BadLeaf": lambda w: _rule_for(_odd_leaf(w, "bad")),
    "SecondKeyBound": lambda w: _rule_for(_leaf(w, w.alias() + 1, w.odd)),
    "BadBatch": lambda w: _rule_for(_leaf(w, w.take(), ref=_wrong(w.first))),
    "ForeignLeaf": _foreign_code,
    "BadProof": lambda w: _rule_for(_unproved(w)),
}

CASES: dict[str, dict[str, Case]] = {
    "lodge": LODGE,
    "settle": SETTLE,
    "release": RELEASE,
    "renew": RENEW,
    "expire": EXPIRE,
    "supplement": SUPPLEMENT,
    "recover": RECOVER,
    "supersede": SUPERSEDE,
    "void": _withdrawals(Call.VOID),
    "reverse": _withdrawals(Call.REVERSE),
    "exchangeToPaper": EXCHANGE,
    "returnPaper": RETURN,
    "rule": RULE,
    "ruleFor": RULE_FOR,
}
# Asked again before money moves, though no call leads to a state in which it is true.
UNREACHABLE = {"settle": {"SettledByBasic"}}

__all__ = ["CASES", "FORMS", "POLICY", "UNREACHABLE", "Bill", "Case", "Desk", "Form", "Sent"]
