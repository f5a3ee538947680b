"""The numbered checks of SPEC.md C3, which ask a node that is believed."""

from __future__ import annotations

from verifier import chain
from verifier.bundle import EventPlace
from verifier.chain import Detail, LedgerReader, Log, Receipt
from verifier.checks import Case, batch_leaf, computed_head
from verifier.errors import RefutedError, UndecidedError

_ZERO_HASH = bytes(32)


def _ledger(case: Case) -> LedgerReader:
    if case.ledger is None:
        raise UndecidedError("no node was named and believed (--rpc URL --believe-node)")
    return case.ledger


def leaf_reference(case: Case) -> int:
    """The 48-bit reference of the leaf: institution, sequence and index."""
    batch = case.bundle.batch
    return (batch.institution_number << 32) | (batch.sequence << 10) | batch.leaf_index


def check_chain_identity(case: Case) -> None:
    """12. The node speaks of the trusted chain and of the trusted code."""
    ledger, trust = _ledger(case), case.trust
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
    ledger, batch, anchor = _ledger(case), case.bundle.batch, case.bundle.anchor
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
    receipt = _receipt(ledger, anchor.place, "anchor")
    topics = (
        chain.topic(chain.ANCHORED),
        batch.institution_number.to_bytes(32, "big"),
        batch.sequence.to_bytes(32, "big"),
        bytes(12) + anchor.account,
    )
    data = batch.root + batch.previous_head + head + batch.size.to_bytes(32, "big")
    events = _events(case, receipt, chain.ANCHORED)
    if not any(log.topics == topics and log.data == data for log in events):
        raise RefutedError("the named transaction did not anchor this batch from this account")
    if receipt.sender != anchor.account:
        raise RefutedError("another account sent the anchor")
    _final(case, ledger, anchor.place)


def check_institution(case: Case) -> None:
    """14. The account is the institution's, the code is its code, and the custody is as stated."""
    ledger, batch, anchor = _ledger(case), case.bundle.batch, case.bundle.anchor
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
    ledger, claim = _ledger(case), case.bundle.claim
    receipt = _receipt(ledger, claim.lodge, "lodge")
    details = [detail for detail, _ in _claim_events(case, receipt, chain.LODGED)]
    if not any(_concerns(case, detail, chain.CALL_LODGE) for detail in details):
        raise RefutedError("the named transaction did not lodge this claim")
    _final(case, ledger, claim.lodge)


def check_closing(case: Case) -> None:
    """16. The named transaction settled, or refused, this claim with this decision."""
    ledger, closing = _ledger(case), case.bundle.claim.closing
    settles = closing.kind == "settle"
    signature = chain.SETTLED if settles else chain.RELEASED
    call = chain.CALL_SETTLE if settles else chain.CALL_RELEASE
    value = closing.amount_fen if settles else chain.RELEASE_REASON_REFUSED
    receipt = _receipt(ledger, closing.place, "closing")
    decision = case.bundle.decision_fingerprint + case.bundle.policy_hash
    for detail, log in _claim_events(case, receipt, signature):
        if (
            _concerns(case, detail, call)
            and detail.value == value
            and detail.decision_version == closing.decision_version
            and log.data[32:] == decision
        ):
            break
    else:
        raise RefutedError("the named transaction did not close this claim with this decision")
    _final(case, ledger, closing.place)


def check_policy_published(case: Case) -> None:
    """17. The policy pack was published before the claim was closed."""
    ledger, place = _ledger(case), case.bundle.claim.closing.place
    published_at = ledger.policy_published_at(case.bundle.policy_hash)
    if published_at == 0:
        raise RefutedError("the policy pack was never published on the ledger")
    block = ledger.block(place.block_number)
    if block is None:
        raise RefutedError("the chain has no block of the closing's number")
    if published_at > block.timestamp:
        raise RefutedError("the policy pack was published after the claim was closed")


def check_slot(case: Case) -> None:
    """18. The invoice key's slot agrees with the claim as it ended."""
    ledger, claim, leaf = _ledger(case), case.bundle.claim, batch_leaf(case)
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


def _receipt(ledger: LedgerReader, place: EventPlace, name: str) -> Receipt:
    """The receipt of a named transaction, in the very block that is stated."""
    receipt = ledger.receipt(place.tx_hash)
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


def _final(case: Case, ledger: LedgerReader, place: EventPlace) -> None:
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


def _events(case: Case, receipt: Receipt, signature: str) -> list[Log]:
    """Events of the trusted ledger or, from before it took over, of one that it succeeds."""
    trusted = {case.trust.invoice_ledger.address, *(one.address for one in case.trust.predecessors)}
    first = (chain.topic(signature),)
    return [log for log in receipt.logs if log.address in trusted and log.topics[:1] == first]


def _claim_events(case: Case, receipt: Receipt, signature: str) -> list[tuple[Detail, Log]]:
    """Events of this bill's key, with their detail word."""
    key = case.bundle.leaf_fields.invoice_key
    size = 32 if signature == chain.LODGED else 96
    return [
        (Detail.decode(log.words()[0]), log)
        for log in _events(case, receipt, signature)
        if log.topics[1:] == (key,) and len(log.data) == size
    ]


def _concerns(case: Case, detail: Detail, call: int) -> bool:
    claim = case.bundle.claim
    return (
        detail.call == call
        and detail.outcome == chain.OUTCOME_DONE
        and detail.payer == claim.payer_number
        and detail.counter == claim.counter
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
