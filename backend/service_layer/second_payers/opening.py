"""What an insurer is shown: of a bill exactly the parts that its person opened, while they are
open. Every day on which a bill was read is kept, for the person to see."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.claim import IN_EFFECT_STATES, ClaimState
from backend.domain.local_time import local_day
from backend.domain.second_payer import (
    DECISION_FIELDS,
    HEADER_FIELDS,
    LINE_FIELDS,
    Part,
    Standing,
    shown,
    standing_of,
)
from backend.service_layer.claims.benefits import read_record
from backend.service_layer.claims.claimable import bills_of
from backend.service_layer.claims.records import Decision, StoredBill
from backend.service_layer.claims.supplement import payments_in_effect
from backend.service_layer.second_payers.consent import live_consent
from backend.service_layer.second_payers.ports import (
    NotOpenedError,
    PayerServices,
    PayerWork,
    calls_of,
)
from backend.service_layer.second_payers.records import (
    Consent,
    PayerClaim,
    Reading,
    SecondPayer,
)

PAGE_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class OpenedBill:
    """One bill as its person opened it. A part that is not opened is None; an opened decision
    that does not exist is an empty object."""

    consent: Consent
    invoice_key: bytes
    header: dict[str, Any] | None
    lines: list[dict[str, Any]] | None
    decision: dict[str, Any] | None
    claim: PayerClaim | None


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A claim of the asking payer with how it stands. ``holders`` names the payers that the
    ledger's outcomes name, by number; ``bill_state`` is active, void or reversed, told also after
    the consent has ended: who has paid must learn that the bill is none any more."""

    claim: PayerClaim
    standing: Standing
    holders: dict[int, str]
    bill_state: str


def consented_bill(deps: PayerServices, work: PayerWork, consent: Consent) -> StoredBill:
    """The present version of an opened bill. Raises NotOpenedError when it is not that person's
    any more: the hospital has corrected whose it is."""
    for bill in bills_of(deps, work, work.people.get(consent.person_id)):
        if bill.invoice_id == consent.invoice_id:
            return bill
    raise NotOpenedError


def opened_bill(deps: PayerServices, payer: SecondPayer, invoice_id: str) -> OpenedBill:
    """What the payer may see of a bill now. Raises NotOpenedError without a live consent."""
    now = deps.clock.now()
    today = local_day(now)
    with deps.work(write=False) as work:
        consent = live_consent(work, payer.number, invoice_id, now)
        if consent is None:
            raise NotOpenedError
        bill = consented_bill(deps, work, consent)
        found = _opened(work, payer, consent, bill)
        kept = [one.read_on for one in work.second_payers.readings_of([consent.id])]
    if today not in kept:  # kept before anything is answered
        with deps.work() as work:
            work.second_payers.add_reading(Reading(consent.id, today, consent.parts, now))
            work.commit()
    return found


def _opened(work: PayerWork, payer: SecondPayer, consent: Consent, bill: StoredBill) -> OpenedBill:
    record = read_record(work, bill)
    lines = record["lines"] if consent.opens(Part.LINES) else None
    claims = work.second_payers.claims_on(payer.number, bill.invoice_id)
    return OpenedBill(
        consent=consent,
        invoice_key=bill.invoice_key,
        header=shown(record, HEADER_FIELDS) if consent.opens(Part.HEADER) else None,
        lines=None if lines is None else [shown(line, LINE_FIELDS) for line in lines],
        decision=_decision(work, bill.invoice_id) if consent.opens(Part.DECISION) else None,
        claim=claims[-1] if claims else None,
    )


def _decision(work: PayerWork, invoice_id: str) -> dict[str, Any]:
    decision = decision_in_effect(work, invoice_id)
    return {} if decision is None else shown(json.loads(decision.explanation), DECISION_FIELDS)


def decision_in_effect(work: PayerWork, invoice_id: str) -> Decision | None:
    """The basic insurer's decision that the ledger holds of a bill: the newest that it has
    settled for good, or the refusal of a claim that is closed; None while there is none."""
    claim = work.claims.live_on(invoice_id) or work.claims.latest_on(invoice_id)
    if claim is None:
        return None
    if claim.state is ClaimState.REFUSED:
        newest = work.decisions.latest(claim.id)
        return newest if newest is not None and newest.outcome == "refused" else None
    if claim.state not in IN_EFFECT_STATES:
        return None
    paid = payments_in_effect(work, claim.id)
    version = paid[-1].payload["decision_version"] if paid else 0
    for decision in work.decisions.all_of(claim.id):
        if decision.version == version:
            return decision
    return None


def live_consents(
    deps: PayerServices, payer: SecondPayer, after: str, limit: int
) -> tuple[list[tuple[Consent, PayerClaim | None]], bool]:
    """One page of the bills that are open to the payer now, with its newest claim on each, and
    whether more follow."""
    with deps.work(write=False) as work:
        found = work.second_payers.live_consents(payer.number, deps.clock.now(), after, limit + 1)
        rows: list[tuple[Consent, PayerClaim | None]] = []
        for consent in found[:limit]:
            claims = work.second_payers.claims_on(payer.number, consent.invoice_id)
            rows.append((consent, claims[-1] if claims else None))
    return rows, len(found) > limit


def claim_view(deps: PayerServices, payer: SecondPayer, claim_id: str) -> ClaimView:
    """How a claim of the payer stands. Raises NotOpenedError for anybody else's. A payer always
    sees its own claims, whatever became of the consent: they show nothing of the bill."""
    with deps.work(write=False) as work:
        return view_of(deps, work, own_claim(work, payer, claim_id))


def claim_views(
    deps: PayerServices, payer: SecondPayer, after: str, limit: int
) -> tuple[list[ClaimView], bool]:
    """One page of the payer's claims, and whether more follow."""
    with deps.work(write=False) as work:
        found = work.second_payers.claims_of(payer.number, after, limit + 1)
        return [view_of(deps, work, claim) for claim in found[:limit]], len(found) > limit


def own_claim(work: PayerWork, payer: SecondPayer, claim_id: str) -> PayerClaim:
    claim = work.second_payers.claim(claim_id)
    if claim is None or claim.payer_number != payer.number:
        raise NotOpenedError
    return claim


def view_of(deps: PayerServices, work: PayerWork, claim: PayerClaim) -> ClaimView:
    standing = standing_of(calls_of(work, claim), deps.clock.now())
    numbers = {int((call.outcome_detail or {}).get("holder_payer", 0)) for call in standing.calls}
    names = {number: work.claims.payer_name(number) for number in sorted(numbers - {0})}
    bill = work.claims.bill_of_version(claim.version_id)
    return ClaimView(claim, standing, names, bill.state)
