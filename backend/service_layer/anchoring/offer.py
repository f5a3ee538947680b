"""Making offers for self-custody keys: one transaction at a time, with the account's next nonce."""

from __future__ import annotations

from backend.domain.ledger import IntentState
from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.groups import Group, Poison, by_kind, pack
from backend.service_layer.anchoring.model import Purpose, TransactionRecord, TransactionState
from backend.service_layer.anchoring.readiness import Readiness
from backend.service_layer.anchoring.send import build_unsigned, new_record, note_poison

_OPEN = (
    TransactionState.OFFERED,
    TransactionState.SIGNED,
    TransactionState.SENT,
    TransactionState.MINED,
)


def make_offers(deps: Anchoring) -> int:
    """Offer the next transaction of every self-custody account that has none open."""
    _withdraw_stale(deps)
    with deps.work(write=False) as work:
        intents = work.outbox.queued(held=False)
    return sum(_offer_for(deps, account) for account in dict.fromkeys(i.account for i in intents))


def _offer_for(deps: Anchoring, account: str) -> bool:
    readiness = Readiness(deps, account)
    with deps.work(write=False) as work:
        if work.transactions.in_states(*_OPEN, account=account):
            return False
        queued = work.outbox.queued(held=False, account=account)
    for run in by_kind(queued):
        with deps.work(write=False) as work:
            ready = readiness.ready(work, run)
        for part in pack(deps.node, account, ready) if ready else ():
            if isinstance(part, Poison):
                note_poison(deps, part)
            else:
                return _store(deps, account, part)
    if readiness.bar:
        with deps.work() as work:
            work.alarms.raise_alarm("anchor-barred", account, readiness.bar)
            work.commit()
    return False


def _store(deps: Anchoring, account: str, group: Group) -> bool:
    nonce = deps.node.transaction_count(account)
    unsigned = build_unsigned(deps.node.deployment().chain_id, nonce, group.call, deps.node.fees())
    record = new_record(
        deps,
        account,
        unsigned,
        purpose=Purpose.CALL,
        state=TransactionState.OFFERED,
        fencing_token=0,
    )
    intents = [intent.id for intent in group.intents]
    with deps.work() as work:
        # Asked again inside the writing transaction: two workers make one offer.
        if work.transactions.in_states(*_OPEN, account=account):
            return False
        work.transactions.add(record, intents)
        work.outbox.set_state(intents, IntentState.OFFERED)
        work.commit()
    return True


def _withdraw_stale(deps: Anchoring) -> None:
    """An offer whose nonce has been used elsewhere can never be mined: offer anew."""
    with deps.work(write=False) as work:
        offers = work.transactions.in_states(TransactionState.OFFERED)
    for offer in offers:
        if deps.node.transaction_count(offer.account) > offer.nonce:
            _withdraw(deps, offer)


def _withdraw(deps: Anchoring, offer: TransactionRecord) -> None:
    with deps.work() as work:
        if work.transactions.get(offer.id).state is not TransactionState.OFFERED:
            return
        others = work.transactions.of_nonce(offer.account, offer.nonce)
        if any(o.id != offer.id and o.raw is not None for o in others):
            return  # an earlier signature of the same offer is still looked up
        work.transactions.update(offer.id, TransactionState.WITHDRAWN)
        intents = [intent.id for intent in work.transactions.items(offer.id)]
        work.outbox.set_state(intents, IntentState.QUEUED)
        work.commit()
