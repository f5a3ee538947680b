"""Sending: queued intents become committed bytes, and only committed bytes are sent.

Nonce, links to the intents, signed bytes and their hash are written in one transaction that is
conditional on the account's fencing token, before the first byte leaves. Whatever happens then,
the same bytes can be sent again, and cannot take effect twice (reference T1, T5, T6).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from backend.domain.ledger import IntentState, LedgerIntent
from backend.service_layer.anchoring.dependencies import TRIES_MAX, Anchoring
from backend.service_layer.anchoring.groups import Group, Poison, by_kind, pack
from backend.service_layer.anchoring.model import (
    Call,
    Fees,
    KeyUnavailableError,
    Lease,
    LeaseHeldError,
    LeaseLostError,
    Purpose,
    TransactionRecord,
    TransactionState,
    UnsignedTransaction,
)
from backend.service_layer.anchoring.readiness import Readiness
from backend.service_layer.failpoints import reach
from backend.service_layer.ports import LedgerUnavailableError

_logger = logging.getLogger(__name__)
RETRY_SECONDS = 2.0
SEND_SECONDS = 0.3


def send_queued(deps: Anchoring, between: Callable[[], object] = lambda: None) -> int:
    """Send what is queued for the keys that we hold; returns how many transactions were made.

    After SEND_SECONDS the rest is left to the next pass, so that outcomes are read meanwhile.
    ``between`` is called after each account.
    """
    began = deps.clock.now()
    with deps.work(write=False) as work:
        accounts = work.outbox.queued_accounts(held=True)
    made = 0
    for account in accounts:
        if made and (deps.clock.now() - began).total_seconds() > SEND_SECONDS:
            break
        try:
            lease = take_lease(deps, account)
            made += _send_for(deps, account, lease)
        except KeyUnavailableError as error:
            _raise_alarm(deps, "no-keystore", account, error.en)
        except (LeaseHeldError, LeaseLostError) as error:
            _logger.info("account %s is left to another worker: %s", account, error.en)
        between()
    return made


def relieve(deps: Anchoring) -> int:
    """Let a payer's other accounts send what is queued at one that stands still (T7)."""
    with deps.work() as work:
        moved = work.payers.relieve_slow_accounts()
        work.commit()
    return moved


def take_lease(deps: Anchoring, account: str) -> Lease:
    """The right to act for an account; raises LeaseHeldError while another worker has it."""
    with deps.work() as work:
        lease = work.accounts.acquire(deps.lease_name(account), deps.owner, deps.lease_seconds)
        work.commit()
    return lease


def _send_for(deps: Anchoring, account: str, lease: Lease) -> int:
    if not deps.signer.holds(account):
        _raise_alarm(deps, "no-keystore", account, "an intent is queued for a key that is not here")
        return 0
    readiness = Readiness(deps, account)
    with deps.work(write=False) as work:
        queued = work.outbox.queued(held=True, account=account)
        room = deps.pending_max - work.transactions.pending_count(account)
    made = 0
    for run in by_kind(queued):
        with deps.work(write=False) as work:
            ready = readiness.ready(work, run)
        if readiness.bar:
            _raise_alarm(deps, "anchor-barred", account, readiness.bar)
        for part in pack(deps.node, account, ready) if ready else ():
            if isinstance(part, Poison):
                note_poison(deps, part)
            elif made < room:
                record = commit_signed(deps, lease, account, part.call, part.intents)
                forward(deps, record)
                made += 1
    return made


def commit_signed(
    deps: Anchoring,
    lease: Lease,
    account: str,
    call: Call,
    intents: Sequence[LedgerIntent],
    *,
    purpose: Purpose = Purpose.CALL,
) -> TransactionRecord:
    """Allocate the next nonce, sign, and make both durable. Nothing is sent here.

    Raises LeaseLostError, with nothing written, when the lease was taken by another worker.
    """
    expected, nonce = _next_nonce(deps, account)
    unsigned = build_unsigned(deps.node.deployment().chain_id, nonce, call, deps.node.fees())
    reach("send.before-sign")
    record = sign_record(deps, lease, account, unsigned, purpose)
    reach("send.after-sign")
    with deps.work() as work:
        work.accounts.confirm(lease, deps.lease_seconds)
        work.accounts.set_nonce(account, expected, nonce + 1, lease.fencing_token)
        if expected is not None and nonce > expected:
            work.alarms.raise_alarm(
                "nonce-ahead",
                account,
                f"the ledger is at nonce {nonce}, this database expected {expected}: "
                "the key was used elsewhere",
            )
        work.transactions.add(record, [intent.id for intent in intents])
        work.outbox.set_state(
            [intent.id for intent in intents], IntentState.SIGNED, tx_hash=record.tx_hash
        )
        reach("send.in-commit")
        work.commit()
    reach("send.after-commit")
    return record


def _next_nonce(deps: Anchoring, account: str) -> tuple[int | None, int]:
    """(what the table holds, the nonce to use): the ledger's count where it is ahead."""
    count = deps.node.transaction_count(account)
    with deps.work(write=False) as work:
        expected = work.accounts.next_nonce(account)
    return expected, count if expected is None else max(expected, count)


def build_unsigned(chain_id: int, nonce: int, call: Call, fees: Fees) -> UnsignedTransaction:
    return UnsignedTransaction(
        chain_id=chain_id,
        nonce=nonce,
        to=call.to,
        data=call.data,
        gas=call.gas,
        gas_price=fees.gas_price,
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
    )


def new_record(
    deps: Anchoring,
    account: str,
    unsigned: UnsignedTransaction,
    *,
    purpose: Purpose,
    state: TransactionState,
    fencing_token: int,
) -> TransactionRecord:
    return TransactionRecord(
        id=deps.ids.new_id("tx"),
        account=account,
        nonce=unsigned.nonce,
        chain_id=unsigned.chain_id,
        purpose=purpose,
        raw=None,
        unsigned=unsigned,
        tx_hash=None,
        fencing_token=fencing_token,
        state=state,
        block_number=None,
        block_hash=None,
        gas_used=None,
        created_at=deps.clock.now(),
        sent_at=None,
        send_count=0,
    )


def sign_record(
    deps: Anchoring,
    lease: Lease,
    account: str,
    unsigned: UnsignedTransaction,
    purpose: Purpose,
) -> TransactionRecord:
    signed = deps.signer.sign(account, unsigned)
    record = new_record(
        deps,
        account,
        unsigned,
        purpose=purpose,
        state=TransactionState.SIGNED,
        fencing_token=lease.fencing_token,
    )
    return replace(record, raw=signed.raw, tx_hash=signed.hash)


def forward(deps: Anchoring, record: TransactionRecord) -> str:
    """Send committed bytes once more; returns the refusal text, which is a hint only.

    A node that does not answer means *unknown*: the state is *sent* all the same, and the
    outcome is looked up by hash.
    """
    assert record.raw is not None, "an offer has no bytes to send"
    try:
        refusal = deps.node.send(record.raw)
    except LedgerUnavailableError as error:
        refusal = ""
        _logger.info("transaction %s: unknown whether it arrived: %s", record.id, error.en)
    reach("send.after-forward")
    with deps.work() as work:
        work.transactions.update(
            record.id,
            TransactionState.SENT,
            sent_at=deps.clock.now(),
            send_count=record.send_count + 1,
        )
        waiting = [
            intent.id
            for intent in work.transactions.items(record.id)
            if intent.state in (IntentState.SIGNED, IntentState.SENT)
        ]
        work.outbox.set_state(waiting, IntentState.SENT, tx_hash=record.tx_hash)
        work.commit()
    reach("send.after-sent-mark")
    return refusal


def note_poison(deps: Anchoring, poison: Poison) -> None:
    """Count a try; after the last one the intent is set aside with an alarm."""
    intent = poison.intent
    deps.retry_at[intent.id] = deps.clock.now().timestamp() + RETRY_SECONDS * 2**intent.tries
    with deps.work() as work:
        work.outbox.count_tries([intent.id])
        if intent.tries + 1 >= TRIES_MAX:
            work.outbox.set_state([intent.id], IntentState.QUARANTINED)
            work.alarms.raise_alarm(
                "intent-quarantined", intent.id, f"{intent.kind} was isolated: {poison.reason}"
            )
        work.commit()


def _raise_alarm(deps: Anchoring, code: str, subject: str, detail: str) -> None:
    with deps.work() as work:
        work.alarms.raise_alarm(code, subject, detail)
        work.commit()


__all__ = ["Group", "commit_signed", "forward", "relieve", "send_queued", "take_lease"]
