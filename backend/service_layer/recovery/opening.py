"""Opening an order: the row, the journal, the notice to who owes, in one transaction."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backend.domain.journal import Account, AccountKind, Layer, LayerAmounts, Occasion
from backend.domain.journal import recovery_opened as opened_entry
from backend.domain.local_time import local_day
from backend.domain.recovery import (
    DUE_DAYS,
    Cause,
    Debtor,
    Order,
    Recovery,
    State,
    ledger_number,
    order_id,
)
from backend.service_layer.claims.records import Claim
from backend.service_layer.journal.booking import book
from backend.service_layer.journal.funds import fund_of_claim
from backend.service_layer.recovery.notices import announce_opening
from backend.service_layer.recovery.ports import Dismissal, RecoveryServices, RecoveryWork

SYSTEM: Final = "system:recovery"
PROPOSED: Final = "recovery-proposed"
ORDER: Final = "recovery"
RECEIPT: Final = "recovery-receipt"
WAIVER: Final = "recovery-waiver"


@dataclass(frozen=True, slots=True)
class Ground:
    """Why money is owed back, and by whom. ``source_id`` names the row that caused it; an
    ``institution_code`` makes that institution the debtor."""

    cause: Cause
    source_id: str
    reason: str
    by: str = SYSTEM
    institution_code: str | None = None


def borne_of(work: RecoveryWork, claim_id: str) -> LayerAmounts:
    """What the layers bear of a claim by the journal: approved, less what fell away or is owed
    back, and what was given up again."""
    found = dict.fromkeys(Layer, 0)
    for entry in work.journal.entries_of(claim_id):
        for one in entry.transfers:
            for code, sign in ((one.debit, 1), (one.credit, -1)):
                account = Account.parse(code)
                if account.kind is AccountKind.FUND and account.layer is not None:
                    found[account.layer] += sign * one.amount_fen
    return LayerAmounts(
        pool_fen=found[Layer.POOL],
        serious_illness_fen=found[Layer.SERIOUS_ILLNESS],
        medical_aid_fen=found[Layer.MEDICAL_AID],
        civil_servant_fen=found[Layer.CIVIL_SERVANT],
    )


def order_recovery(
    deps: RecoveryServices, work: RecoveryWork, claim: Claim, layers: LayerAmounts, ground: Ground
) -> Recovery:
    """The order of this ground, made unless it is there; the caller holds the claim's lock and
    commits. It is owed at once, or proposed where two people decide. A proposal says all that was
    paid too much, so that it takes the place of older ones of the claim.

    Raises RecoveryConflictError when the claim has too many orders, JournalError for no amount.
    """
    before: list[Recovery] = work.recoveries.of_claim(claim.id)
    for one in before:
        if (one.order.cause, one.order.source_id) == (ground.cause, ground.source_id):
            return one
    now: dt.datetime = deps.clock.now()
    name = order_id(claim.number, len(before) + 1)
    order = Order(
        id=name,
        claim_id=claim.id,
        person_id=claim.person_id,
        ordinal=len(before) + 1,
        number=ledger_number(deps.network_key, name),
        cause=ground.cause,
        source_id=ground.source_id,
        debtor=Debtor.PERSON if ground.institution_code is None else Debtor.INSTITUTION,
        institution_code=ground.institution_code,
        layers=layers,
        reason=ground.reason,
        proposed_by=ground.by,
        created_at=now,
        due_on=local_day(now) + dt.timedelta(days=DUE_DAYS),
    )
    work.recoveries.add(order)
    if ground.cause.needs_two:
        _dismiss_older(work, before, order)
        work.alarms.raise_alarm(PROPOSED, order.id, f"{ground.cause}: {order.amount_fen} fen")
    else:
        take_effect(deps, work, claim, order)
    return Recovery(order)


def _dismiss_older(work: RecoveryWork, before: Sequence[Recovery], order: Order) -> None:
    """Of one claim two proposals would ask for the same money twice."""
    reason = f"已有新的追款提议 {order.id} / {order.id} was proposed instead"
    for one in before:
        if one.state is State.PROPOSED:
            work.recoveries.add_dismissal(
                Dismissal(one.order.id, order.proposed_by, reason, order.created_at)
            )
            work.alarms.clear(PROPOSED, one.order.id)


def take_effect(deps: RecoveryServices, work: RecoveryWork, claim: Claim, order: Order) -> None:
    """From now on the amount is owed: in the journal, and told to a person who owes it."""
    book(work, opened_entry(occasion(deps, work, claim, (ORDER, order.id)), order.layers))
    if order.debtor is Debtor.PERSON:
        announce_opening(deps, work, order)


def occasion(
    deps: RecoveryServices,
    work: RecoveryWork,
    claim: Claim,
    source: tuple[str, str],
    by: str = "worker",
) -> Occasion:
    """What an entry of a recovery says apart from its money; ``source`` is (type, id)."""
    return Occasion(
        source_type=source[0],
        source_id=source[1],
        fund=fund_of_claim(deps, work, claim),
        claim_id=claim.id,
        booked_at=deps.clock.now(),
        recorded_by=by,
        is_simulated=deps.bank.is_simulated,
    )


def receipt_source(name: str, reference: str, ordinal: int = 1) -> str:
    """The journal's source of a receipt: a bank's reference may hold any characters."""
    again = "" if ordinal == 1 else f"/{ordinal}"
    return f"{name}/{hashlib.sha256(reference.encode()).hexdigest()[:24]}{again}"
