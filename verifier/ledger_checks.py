"""The numbered checks of SPEC.md C3, which ask a node that is believed."""

from __future__ import annotations

from verifier import chain
from verifier.bundle import Decided, EventPlace
from verifier.chain import Detail, LedgerReader, Log, Receipt
from verifier.checks import Case, batch_leaf, computed_head
from verifier.errors import RefutedError, UndecidedError

_ZERO_HASH = bytes(32)


def believed_ledger(case: Case) -> LedgerReader:
    """The node that is believed; UndecidedError when there is none."""
    if case.ledger is None:
        raise UndecidedError("no node was named and believed (--rpc URL --believe-node)")
    return case.ledger


def leaf_reference(case: Case) -> int:
    """The 48-bit reference of the leaf: institution, sequence and index."""
    batch = case.bundle.batch
    return (batch.institution_number << 32) | (batch.sequence << 10) | batch.leaf_index


def check_chain_identity(case: Case) -> None:
    """12. The node speaks of the trusted chain and of the trusted code."""
    ledger, trust = believed_ledger(case), case.trust
    chain_id = ledger.chain_id()
    if chain_id != trust.chain_id:
        raise UndecidedError(
            "the node is on another chain", expected=trust.chain_id, actual=chain_id
        )
    genesis = ledger.block(0)
    if genesis is None or genesis.block_hash != trust.genesis_hash:
        raise UndecidedError("the node's chain has another genesis block")
    if ledger.is_syncing():
        raise UndecidedError("the node is still catching up with its chain")
    for name, contract in (
        ("registry", trust.registry),
        ("invoice ledger", trust.invoice_ledger),
        *(("retired invoice ledger", contract) for contract in trust.predecessors),
    ):
        code_hash = ledger.code_hash(contract.address)
        if code_hash != contract.code_hash:
            raise UndecidedError(
                f"the code of the {name} is not the trusted code",
                expected=contract.code_hash.hex(),
                actual=code_hash.hex(),
            )


def check_anchor(case: Case) -> None:
    """13. The batch's head is on the ledger, and the named transaction put it there."""
    ledger, batch, anchor = believed_ledger(case), case.bundle.batch, case.bundle.anchor
    head = computed_head(case)
    stored = ledger.head(batch.institution_number, batch.sequence)
    if stored == _ZERO_HASH:
        raise RefutedError("the ledger holds no batch with this number")
    if stored != head:
        raise RefutedError(
            "the ledger holds another batch under this number",
            expected=stored.hex(),
            actual=head.hex(),
        )
    receipt = named_receipt(case, anchor.place, "anchor")
    topics = (
        chain.topic(chain.ANCHORED),
        batch.institution_number.to_bytes(32, "big"),
        batch.sequence.to_bytes(32, "big"),
        bytes(12) + anchor.account,
    )
    data = batch.root + batch.previous_head + head + batch.size.to_bytes(32, "big")
    anchored = events(case, receipt, chain.ANCHORED)
    if not any(log.topics == topics and log.data == data for log in anchored):
        raise RefutedError("the named transaction did not anchor this batch from this account")
    if receipt.sender != anchor.account:
        raise RefutedError("another account sent the anchor")
    require_final(case, anchor.place)


def check_institution(case: Case) -> None:
    """14. The account is the institution's, the code is its code, and the custody is as stated."""
    ledger, batch, anchor = believed_ledger(case), case.bundle.batch, case.bundle.anchor
    number, code = batch.institution_number, batch_leaf(case).institution_code
    if ledger.account(anchor.account) != (chain.ACCOUNT_KIND_INSTITUTION, number):
        raise RefutedError("the anchoring account was never registered for this institution")
    registered = ledger.institution_code(number)
    if registered != code:
        raise RefutedError(
            "the institution is registered under another code", expected=registered, actual=code
        )
    custody = ledger.custody_at(number, anchor.place.block_number)
    if custody != anchor.custody:
        raise RefutedError(
            "the custody mode on the ledger is another",
            expected=custody or "none",
            actual=anchor.custody,
        )
    trusted = case.trust.institutions
    if trusted is None:
        return
    if number not in trusted:
        raise UndecidedError("the trust file lists institutions, and not this one")
    if trusted[number].code != code:
        raise RefutedError(
            "the trust file knows the institution by another code",
            expected=trusted[number].code,
            actual=code,
        )


def check_lodge(case: Case) -> None:
    """15. The named transaction lodged this claim on this leaf."""
    lodge_event(case, case.bundle.claim.lodge, case.bundle.claim.counter)


def lodge_event(case: Case, place: EventPlace, counter: int) -> Log:
    """The event with which the named transaction lodged the claim under this counter."""
    receipt = named_receipt(case, place, "lodge")
    for detail, log in claim_events(case, receipt, chain.LODGED):
        if concerns(case, detail, chain.CALL_LODGE, counter):
            require_final(case, place)
            return log
    raise RefutedError("the named transaction did not lodge this claim")


def check_closing(case: Case) -> None:
    """16. The named transaction settled, or refused, this claim with this decision."""
    closing_event(case)


def closing_event(case: Case) -> tuple[Detail, Log]:
    """The event that closed the claim, as check 16 asks for it."""
    bundle, closing = case.bundle, case.bundle.claim.closing
    place, version, decided = closing.place, closing.decision_version, bundle.decided
    if closing.kind == "release":
        return refusal_event(case, place, bundle.claim.counter, (version, decided))
    receipt = named_receipt(case, place, "closing")
    for detail, log in claim_events(case, receipt, chain.SETTLED):
        if (
            concerns(case, detail, chain.CALL_SETTLE, bundle.claim.counter)
            and detail.value == closing.amount_fen
            and carries(detail, log, version, decided)
        ):
            require_final(case, place)
            return detail, log
    raise RefutedError("the named transaction did not close this claim with this decision")


def refusal_event(
    case: Case, place: EventPlace, counter: int, version: tuple[int, Decided]
) -> tuple[Detail, Log]:
    """The event with which the named transaction refused the claim under this counter."""
    receipt = named_receipt(case, place, "closing")
    for detail, log in claim_events(case, receipt, chain.RELEASED):
        if (
            concerns(case, detail, chain.CALL_RELEASE, counter)
            and detail.value == chain.RELEASE_REASON_REFUSED
            and carries(detail, log, *version)
        ):
            require_final(case, place)
            return detail, log
    raise RefutedError("the named transaction did not close this claim with this decision")


def carries(detail: Detail, log: Log, version: int, decided: Decided) -> bool:
    """Whether an event names this decision version with its fingerprint and policy."""
    said = decided.fingerprint + decided.policy_hash
    return detail.decision_version == version and log.data[32:] == said


def check_policy_published(case: Case) -> None:
    """17. The policy pack was published before the claim was closed."""
    place = case.bundle.claim.closing.place
    require_published(case, case.bundle.decided.policy_hash, place, "closing")


def require_published(case: Case, policy_hash: bytes, place: EventPlace, name: str) -> None:
    """Refuted unless the pack was published, not later than the block of the event."""
    ledger = believed_ledger(case)
    published_at = ledger.policy_published_at(policy_hash)
    if published_at == 0:
        raise RefutedError("the policy pack was never published on the ledger")
    block = ledger.block(place.block_number)
    if block is None:
        raise RefutedError(f"the chain has no block of the {name}'s number")
    if published_at > block.timestamp:
        raise RefutedError("the policy pack was published after the claim was closed")


def check_slot(case: Case) -> None:
    """18. The invoice key's slot agrees with the claim as it ended."""
    ledger, claim, leaf = believed_ledger(case), case.bundle.claim, batch_leaf(case)
    slot = ledger.slot(leaf.invoice_key)
    if slot.counter < claim.counter:
        raise RefutedError(
            "the ledger has not counted this lodge", expected=claim.counter, actual=slot.counter
        )
    if claim.closing.kind == "release":
        return
    if not slot.settled_payers >> (claim.payer_number - 1) & 1:
        raise RefutedError("the ledger does not know this payer as one that settled")
    if slot.leaf_reference != leaf_reference(case) or slot.total_fen != leaf.total_fen:
        raise RefutedError("the ledger binds the bill to another leaf or total")
    least = leaf.borne_fen + claim.closing.amount_fen
    if not least <= slot.paid_fen <= slot.total_fen:
        raise RefutedError(
            "the paid sum on the ledger does not hold this payment",
            expected=least,
            actual=slot.paid_fen,
        )


def named_receipt(case: Case, place: EventPlace, name: str) -> Receipt:
    """The receipt of a named transaction, in the very block that is stated."""
    receipt = believed_ledger(case).receipt(place.tx_hash)
    if receipt is None:
        raise RefutedError(f"the chain has no transaction of the {name}")
    if receipt.status != 1:
        raise RefutedError(f"the transaction of the {name} was reverted")
    if (receipt.block_number, receipt.block_hash) != (place.block_number, place.block_hash):
        raise RefutedError(
            f"the transaction of the {name} is in another block",
            expected=place.block_number,
            actual=receipt.block_number,
        )
    return receipt


def require_final(case: Case, place: EventPlace) -> None:
    """Refuted when the block is another one by now, undecided while too few stand on it."""
    ledger = believed_ledger(case)
    block = ledger.block(place.block_number)
    if block is None or block.block_hash != place.block_hash:
        raise RefutedError("the chain has another block of this number")
    confirmations = ledger.latest().number - place.block_number + 1
    if confirmations < case.trust.confirmations:
        raise UndecidedError(
            "too few blocks stand on this one yet",
            expected=case.trust.confirmations,
            actual=confirmations,
        )


def events(case: Case, receipt: Receipt, signature: str) -> list[Log]:
    """Events of the trusted ledger or, from before it took over, of one that it succeeds."""
    trusted = {case.trust.invoice_ledger.address, *(one.address for one in case.trust.predecessors)}
    first = (chain.topic(signature),)
    return [log for log in receipt.logs if log.address in trusted and log.topics[:1] == first]


def claim_events(case: Case, receipt: Receipt, signature: str) -> list[tuple[Detail, Log]]:
    """Events of this bill's key, with their detail word."""
    key = case.bundle.leaf_fields.invoice_key
    size = 32 if signature == chain.LODGED else 96
    return [
        (Detail.decode(log.words()[0]), log)
        for log in events(case, receipt, signature)
        if log.topics[1:] == (key,) and len(log.data) == size
    ]


def concerns(case: Case, detail: Detail, call: int, counter: int) -> bool:
    """Whether an event had its effect on this claim's leaf, by its payer, under this counter."""
    claim = case.bundle.claim
    return (
        detail.call == call
        and detail.outcome == chain.OUTCOME_DONE
        and detail.payer == claim.payer_number
        and detail.counter == counter
        and _leaf_agrees(case, detail, call)
    )


def _leaf_agrees(case: Case, detail: Detail, call: int) -> bool:
    """A release with nothing settled clears the binding: then no leaf is named."""
    if call == chain.CALL_RELEASE and detail.leaf_reference == 0:
        return True
    return (
        detail.leaf_reference == leaf_reference(case)
        and detail.total_fen == case.bundle.leaf_fields.total_fen
    )
