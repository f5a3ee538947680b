"""Screening and calculation as steps: read the ledger, compare, store stages, work out amounts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from backend.domain.claim import ClaimState, Stage, StageOutcome
from backend.domain.claim_deadline import past_limit
from backend.domain.errors import DomainError
from backend.domain.local_time import local_day
from backend.domain.policy import PolicyError, PolicyPack
from backend.service_layer.audit_rules.audit_claim import (
    audit_claim,
    claim_facts,
    filed_on,
    joined,
)
from backend.service_layer.audit_rules.facts import BillInQuestion
from backend.service_layer.claims import other_payers, screening
from backend.service_layer.claims.accident import (
    check_reason,
    excuse_of,
    late_reason,
    settle_kind,
    wait_for_declaration,
)
from backend.service_layer.claims.benefits import (
    StoredBillUnreadableError,
    adjudicate_claim,
    pick_pack,
    read_invoice,
    read_record,
    snapshot_of,
    store_calculation,
)
from backend.service_layer.claims.causes import write_cause
from backend.service_layer.claims.outside_gate import OUTSIDE_REASON
from backend.service_layer.claims.records import (
    ACCIDENT,
    Claim,
    Reason,
    StageResult,
    StoredBill,
    StoredLeaf,
)
from backend.service_layer.claims.stages import (
    keep_waiting,
    no_rule_reason,
    raise_pends,
    store_stage,
)
from backend.service_layer.failpoints import reach
from backend.service_layer.handling.closing import refuse_unlodged
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.ports import LedgerUnavailableError
from verifier.errors import VerificationError


@dataclass(frozen=True, slots=True)
class Readings:
    """What one step read before its transaction: None where there was nothing to read yet."""

    data_flow: StageResult
    ledger: screening.LedgerReading | None
    is_ledger_silent: bool = False


def take_readings(deps: HandlingServices, claim: Claim) -> Readings:
    """Read anchor state from the database, then slot and batch head from the ledger."""
    with deps.work(write=False) as work:
        bill = work.claims.bill_of_version(claim.version_id)
        anchor = work.batches.anchor_of(claim.version_id)
        stored = work.claims.leaf_of_version(claim.version_id)
    flow = screening.data_flow(bill, stored is not None, anchor is not None and anchor.is_final)
    if flow.outcome is not StageOutcome.PASSED or stored is None:
        return Readings(flow, None)
    try:
        found = deps.ledger.bill(bill.invoice_key, (stored.institution_number, stored.sequence))
    except LedgerUnavailableError:
        return Readings(flow, None, is_ledger_silent=True)
    assert found.batch_head is not None, "a batch was asked about"
    reading = screening.LedgerReading(found.batch_head, found.slot, found.head.number)
    return Readings(flow, reading)


def screen(deps: HandlingServices, claim: Claim) -> bool:
    """submitted -> screened, or waiting, or refused on an exact fact."""
    readings = take_readings(deps, claim)
    started = deps.clock.now()
    _end_lapsed(deps, claim, readings)
    with deps.work() as work:
        work.people.lock(claim.person_id)
        if not _still(work, claim):
            return False
        if readings.ledger is None:
            result = readings.data_flow
            if readings.is_ledger_silent:
                result = screening.ledger_silent(Stage.SCREENING)
            return keep_waiting(deps, work, claim, result, started)
        compared = compare(deps, work, claim, readings.ledger)
        if compared.outcome is StageOutcome.WAITING:
            return keep_waiting(deps, work, claim, compared, started)
        claim = settle_kind(deps, work, claim, work.claims.bill_of_version(claim.version_id))
        if compared.outcome is StageOutcome.PASSED:
            asked = wait_for_declaration(deps, work, claim, compared.inputs)
            if asked is not None:
                return keep_waiting(deps, work, claim, asked, started)
        store_stage(deps, work, claim, readings.data_flow, started)
        if not run_checks(deps, work, claim, compared, started):
            work.commit()
            return True
        work.claims.update(
            claim.id, claim.state, deps.clock.now(), state=ClaimState.SCREENED, waiting_for=None
        )
        work.commit()
    reach("claims.screened")
    return True


def _end_lapsed(deps: HandlingServices, claim: Claim, readings: Readings) -> None:
    if readings.ledger is None or not other_payers.awaits_lock(claim, readings.ledger.slot):
        return
    with deps.work(write=False) as work:
        key = work.claims.bill_of_version(claim.version_id).invoice_key
    other_payers.end_lapsed_lock(deps, claim, key, readings.ledger.slot)


def _still(work: HandlingWork, claim: Claim) -> bool:
    """Whether the claim is where it was read, now that the transaction holds it."""
    return work.claims.get(claim.id, lock=True).state is claim.state


def run_checks(
    deps: HandlingServices,
    work: HandlingWork,
    claim: Claim,
    compared: StageResult,
    started: dt.datetime,
) -> bool:
    """Screening as ``compared``, then matching and audit; stores each stage, and from what they
    raised why the claim was manual. False: refused (and the claim with it)."""
    passed = _run_stages(deps, work, claim, compared, started)
    write_cause(deps, work, claim.id)
    return passed


def _run_stages(
    deps: HandlingServices,
    work: HandlingWork,
    claim: Claim,
    compared: StageResult,
    started: dt.datetime,
) -> bool:
    store_stage(deps, work, claim, compared, started)
    if compared.outcome is StageOutcome.REFUSED:
        refuse_unlodged(deps, work, claim, compared)
        return False
    bill = work.claims.bill_of_version(claim.version_id)
    if bill.is_outside:
        raise_pends(deps, work, claim, (OUTSIDE_REASON,))
    if claim.kind == ACCIDENT:
        raise_pends(deps, work, claim, (check_reason(work, claim),))
    for stage in (_match, _audit):
        began = deps.clock.now()
        result = stage(deps, work, claim, bill)
        store_stage(deps, work, claim, result, began)
        if result.outcome is StageOutcome.REFUSED:
            refuse_unlodged(deps, work, claim, result)
            return False
        if result.outcome is StageOutcome.PENDED:
            raise_pends(deps, work, claim, result.reasons)
    return True


def compare(
    deps: HandlingServices, work: HandlingWork, claim: Claim, reading: screening.LedgerReading
) -> StageResult:
    """Screening: the stored bill against what the ledger said in this step."""
    bill = work.claims.bill_of_version(claim.version_id)
    stored = work.claims.leaf_of_version(claim.version_id)
    own = screening.OwnLock(claim.payer_number, claim.lodge_counter)
    if stored is None:
        faults = ["leaf"]
        reference = 0
    else:
        faults = _faults(deps, work, bill, stored, reading)
        reference = (stored.institution_number << 32) | (stored.sequence << 10) | stored.leaf_index
    slot = reading.slot
    holder = slot.open_payer or (claim.payer_number if slot.has_settled(claim.payer_number) else 0)
    text = holder_text(work, claim, bill, holder, slot.lodge_counter) if holder else ""
    result = screening.screening(
        bill, faults, reading, reference=reference, own=own, holder_text=text
    )
    codes = {reason.code for reason in result.reasons}
    if codes == {"locked"} and other_payers.awaits_lock(claim, slot):
        return replace(
            result,
            outcome=StageOutcome.WAITING,
            reasons=(other_payers.lock_reason(text),),
            waiting_for=other_payers.LOCK_AWAITED,
        )
    if result.outcome is StageOutcome.REFUSED:
        for code in codes:
            other_payers.tell_unpayable(work, claim, code, text)
    return result


def _faults(
    deps: HandlingServices,
    work: HandlingWork,
    bill: StoredBill,
    stored: StoredLeaf,
    reading: screening.LedgerReading,
) -> list[str]:
    if bill.wrapped_secret is None:
        return ["secret-erased"]
    try:
        secret = deps.secret_box.unwrap(bill.wrapped_secret, bill.version_id)
        record = read_record(work, bill)
        leaf = screening.recompute_leaf(bill, record, secret, deps.network_key)
        return screening.commitment_faults(bill, leaf, stored, reading.batch_head)
    except StoredBillUnreadableError:
        return ["record-unreadable"]
    except (VerificationError, DomainError) as error:
        return [getattr(error, "code", "record-malformed")]


def holder_text(
    work: HandlingWork, claim: Claim, bill: StoredBill, payer: int, counter: int
) -> str:
    """Who holds the bill on the ledger: payer, counter and, when it is ours, the claim number."""
    text = f"（{work.claims.payer_name(payer)}，第 {counter} 次登记"
    ours = None
    if payer == claim.payer_number and counter:
        ours = work.claims.lodged_as(bill.invoice_key, counter)
    if ours is not None and ours.id != claim.id and ours.person_id == claim.person_id:
        text += f"，受理号 {ours.number}"
    return text + "）"


def _match(
    deps: HandlingServices, work: HandlingWork, claim: Claim, bill: StoredBill
) -> StageResult:
    person = work.people.get(claim.person_id)
    invoice = read_invoice(work, bill)
    day = claim.service_on
    try:
        pack = pick_pack(deps.packs, deps.settings.region, day)
    except PolicyError:  # the audit says so, and sends it to a person
        pack = None
    snapshot = snapshot_of(deps, work, claim.person_id, day)
    catalogue = deps.catalogue if pack is None else pack.catalogue or deps.catalogue
    unknown = [
        (index, line.catalogue_code, line.name)
        for index, line in enumerate(invoice.lines)
        if catalogue.match(line.catalogue_code, day) is None
        and catalogue.find_negative(line.catalogue_code, day) is None
    ]
    too_late = None if pack is None else too_late_reason(pack, claim)
    excuse = None if too_late is None else excuse_of(work, claim.id)
    result = screening.matching(
        person,
        invoice,
        day,
        insurance_type=snapshot.insurance_type,
        cover=screening.cover_of_care(snapshot, invoice),
        policy_id="" if pack is None else pack.pack_id,
        unknown_lines=unknown,
        too_late=too_late if excuse is None else None,
    )
    if too_late is None or excuse is None or result.outcome is StageOutcome.REFUSED:
        return result
    reasons = (*result.reasons, late_reason(excuse, too_late))
    return replace(result, outcome=StageOutcome.PENDED, reasons=reasons)


def too_late_reason(pack: PolicyPack, claim: Claim) -> Reason | None:
    """Why the claim came too late, or None; people who sent a refused claim back have accepted
    that it did."""
    if claim.counted_from is not None:
        return None
    submitted_on = local_day(claim.created_at)
    reason = past_limit(pack, claim.service_on, submitted_on)
    return None if reason is None else Reason(reason.code, reason.zh, reason.en)


def _audit(
    deps: HandlingServices, work: HandlingWork, claim: Claim, bill: StoredBill
) -> StageResult:
    """What adjudication cannot settle by itself, and what the audit rules find."""
    result, asked = question_of(deps, work, claim, bill)
    return joined(result, audit_claim(deps, work, claim, asked))


def question_of(
    deps: HandlingServices, work: HandlingWork, claim: Claim, bill: StoredBill
) -> tuple[StageResult, BillInQuestion]:
    """What adjudication leaves to people, and what the audit rules are asked about."""
    eob = pack = None
    try:
        eob, snapshot, _, pack = adjudicate_claim(deps, work, claim, bill)
        raised = {(pend.code, pend.line_index) for pend in work.claims.pends_of(claim.id)}
        result = screening.audit(eob, raised)
    except PolicyError as error:
        snapshot = snapshot_of(deps, work, claim.person_id, claim.service_on)
        result = StageResult(Stage.AUDIT, StageOutcome.PENDED, {}, (no_rule_reason(error),))
    asked = BillInQuestion(
        bill=bill,
        invoice=read_invoice(work, bill),
        person=work.people.get(claim.person_id),
        snapshot=snapshot,
        pack=pack,
        eob=eob,
        submitted_on=filed_on(claim.created_at),
        claim=claim_facts(work, claim),
    )
    return result, asked


def calculate(deps: HandlingServices, claim: Claim) -> bool:
    """screened -> calculated: the amount on the year's present totals, shown at once."""
    with deps.work() as work:
        work.people.lock(claim.person_id)
        if not _still(work, claim):
            return False
        bill = work.claims.bill_of_version(claim.version_id)
        try:
            eob, _, _, _ = adjudicate_claim(deps, work, claim, bill)
            store_calculation(deps, work, claim.id, eob)
        except PolicyError as error:  # it is locked all the same; a person works it out then
            raise_pends(deps, work, claim, (no_rule_reason(error),))
        work.claims.update(
            claim.id, claim.state, deps.clock.now(), state=ClaimState.CALCULATED, waiting_for=None
        )
        work.commit()
    reach("claims.calculated")
    return True
