"""From stored bills and claims to adjudication: pack by date, the year's history, estimates.

The order of the year's totals is fixed: submission, then service date, then invoice key. A claim
sees every live claim before it in that order (settled ones, and open ones as reservations) and
none after it, so that no deductible is taken twice or skipped, whichever claim the ledger
finishes first.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from backend.domain.adjudication import adjudicate, estimate_submission
from backend.domain.bill import BillForBenefit, bill_from_invoice
from backend.domain.claim import IN_EFFECT_STATES, ClaimState
from backend.domain.errors import DomainError
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.invoice import Invoice, VisitKind
from backend.domain.local_time import local_day
from backend.domain.person import (
    History,
    HistoryEntry,
    PersonSnapshot,
    parse_history,
)
from backend.domain.policy import PolicyError, PolicyPack
from backend.domain.remote_care import derive_remote_status, is_emergency
from backend.domain.revision import Cause
from backend.domain.ruling import LineRuling
from backend.service_layer.claims.decide import Adjudicated
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import (
    Calculation,
    Claim,
    Decision,
    Person,
    StoredBill,
)
from verifier.commitment.canonical import canonical_bytes, parse_canonical
from verifier.errors import VerificationError

_SETTLED = (
    ClaimState.SETTLED,
    ClaimState.PAYING,
    ClaimState.PAID,
    ClaimState.SUPPLEMENTING,
)
DROPPED: Final = (ClaimState.RELEASING, ClaimState.WITHDRAWING)
"""States of a claim that counts no longer: its lock is on its way back."""


DAMAGE: Final = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What reading stored values raises that were changed behind the application's back."""


_PARSED_BILLS: Final = 64
"""Bills kept parsed: the steps of one claim follow each other, some of them read it twice."""


class StoredYearUnreadableError(DomainError):
    """What is stored of an earlier claim of the year cannot be read: it was changed."""

    code = "stored-year-unreadable"


class StoredBillUnreadableError(DomainError):
    """What is stored of a bill cannot be read as an invoice record: it was changed."""

    code = "stored-bill-unreadable"


def read_record(work: ClaimWork, bill: StoredBill) -> dict[str, Any]:
    """The record as stored: header and expense lines put together again."""
    try:
        record = parse_canonical(bill.header.encode())
        lines = [parse_canonical(line.encode()) for line in work.claims.lines_of(bill.version_id)]
    except (VerificationError, *DAMAGE) as error:
        raise StoredBillUnreadableError(
            "存储的票据内容已无法读取", "the stored bill cannot be read as a record"
        ) from error
    if not isinstance(record, dict):
        raise StoredBillUnreadableError(
            "存储的票据内容已无法读取", "the stored bill header is not an object"
        )
    return {**record, "lines": lines}


def read_invoice(work: ClaimWork, bill: StoredBill) -> Invoice:
    """The stored bill, read anew from the database; the same texts are parsed once."""
    lines = tuple(work.claims.lines_of(bill.version_id))
    try:
        return _invoice_of(bill.header, lines)
    except (VerificationError, *DAMAGE) as error:
        raise StoredBillUnreadableError(
            "存储的票据内容已无法读取", "the stored record is not a bill"
        ) from error


@functools.lru_cache(maxsize=_PARSED_BILLS)
def _invoice_of(header: str, lines: tuple[str, ...]) -> Invoice:
    """By the texts themselves: a bill that was changed meanwhile is another text."""
    record: Any = parse_canonical(header.encode())
    parsed = [parse_canonical(line.encode()) for line in lines]
    return Invoice.from_record({**record, "lines": parsed})


def benefit_view(
    work: ClaimWork, bill: StoredBill, pack: PolicyPack, snapshot: PersonSnapshot
) -> BillForBenefit:
    """The bill as adjudication sees it, with the remote status that the person's filings and the
    bill give it. Raises :class:`PolicyError` when the pack has no rule of that status."""
    invoice = read_invoice(work, bill)
    remote_status = derive_remote_status(
        pack, snapshot, bill.hospital_area, invoice.service_on, is_emergency(invoice)
    )
    return bill_from_invoice(
        invoice,
        invoice_key=bill.invoice_key,
        hospital_level=bill.hospital_level,
        remote_status=remote_status,
    )


def estimate_alone(
    deps: ClaimServices, work: ClaimWork, person: Person, bill: StoredBill
) -> ExplanationOfBenefits:
    """The bill as if it were the year's only one: whether an amount can be worked out at all."""
    snapshot = snapshot_of(deps, work, person.id, bill.service_on)
    pack = pick_pack(deps.packs, deps.settings.region, bill.service_on)
    return adjudicate(pack, benefit_view(work, bill, pack, snapshot), snapshot, History())


def snapshot_of(
    deps: ClaimServices, work: ClaimWork, person_id: str, service_on: dt.date
) -> PersonSnapshot:
    """The person as known today, insured as on the day of service; no name, no number."""
    return deps.facts.person_snapshot(work, person_id, local_day(deps.clock.now()), service_on)


def pick_pack(packs: Iterable[PolicyPack], region: str, day: dt.date) -> PolicyPack:
    """The pack of the region in force on the day of service; raises :class:`PolicyError`."""
    found = [pack for pack in packs if pack.region == region and pack.is_effective_on(day)]
    if not found:
        raise PolicyError(
            f"{day.isoformat()} 没有生效的政策，请联系经办机构。",
            f"No policy is in force on {day.isoformat()}.",
        )
    return max(found, key=lambda pack: (pack.effective_from, pack.pack_id))


def history_entry(claim: Claim, explanation: str) -> HistoryEntry:
    """What a calculated or decided claim does to the year's totals, from its stored record."""
    record = json.loads(explanation)

    def day(name: str) -> dt.date | None:
        return dt.date.fromisoformat(record[name]) if name in record else None

    return HistoryEntry(
        claim_number=claim.number,
        service_on=dt.date.fromisoformat(record["service_on"]),
        visit_kind=VisitKind(record["visit_kind"]),
        hospital_code=record["hospital_code"],
        insurance_type=record["insurance_type"],
        in_scope_fen=record["inscp_scp_amt_fen"],
        deductible_fen=record["act_pay_dedc_fen"],
        pool_paid_fen=record["hifp_pay_fen"],
        layer2_base_fen=record["layer2_base_fen"],
        layer2_paid_fen=record["hifmi_pay_fen"] + record["hifob_pay_fen"],
        state="settled" if claim.state in _SETTLED else "reserved",
        admitted_on=day("admitted_on"),
        discharged_on=day("discharged_on"),
        stay_number=record.get("stay_number", ""),
        layer3_paid_fen=record["maf_pay_fen"],
        supplement_paid_fen=record["cvlserv_pay_fen"],
        waiver_id=record.get("waiver_id", ""),
    )


def history_before(work: ClaimWork, person_id: str, year: int, claim_id: str | None) -> History:
    """The year's claims that count before ``claim_id`` in the fixed order; all for None.

    A claim on a bill that is void or reversed counts for nothing, paid or not: its money comes
    back whole (domain reference 7: recompute on reversal).

    Raises :class:`StoredYearUnreadableError` when what is stored of one of them is damaged.
    """
    live = work.claims.live_of_year(person_id, year)
    withdrawn = work.claims.withdrawn_of_year(person_id, year)
    before = itertools.takewhile(lambda claim: claim.id != claim_id, live)
    counted = [claim for claim in before if claim.id not in withdrawn]
    ids = [claim.id for claim in counted]
    decisions = work.decisions.latest_decisions(ids)
    calculations = work.decisions.latest_calculations(ids)
    entries: list[HistoryEntry] = []
    for claim in counted:
        latest = decisions.get(claim.id), calculations.get(claim.id)
        try:
            entry = _entry_of(claim, *latest, entries)
        except DAMAGE as error:
            raise StoredYearUnreadableError(
                "您今年的一笔报销记录有损坏，暂时算不出金额，请拨打电话",
                f"the stored amounts of claim {claim.number} cannot be read",
            ) from error
        if entry is not None:
            entries.append(entry)
    return History(tuple(entries))


def _entry_of(
    claim: Claim,
    decision: Decision | None,
    calculation: Calculation | None,
    before: Sequence[HistoryEntry],
) -> HistoryEntry | None:
    """What the claim counts for; None for one that was refused, final on the ledger or not."""
    if claim.state in DROPPED:
        return None
    # One that came back after a refusal counts with what it comes to now, not with the refusal.
    if decision is None or claim.is_undecided:
        return None if calculation is None else history_entry(claim, calculation.explanation)
    if decision.outcome == "refused":
        return None
    entry = history_entry(claim, decision.explanation)
    counted = {one.claim_number for one in before}
    is_stale = any(
        one["claim_number"] not in counted
        and one["visit_kind"] == str(entry.visit_kind)
        and one["insurance_type"] == entry.insurance_type
        for one in json.loads(decision.history_snapshot)["entries"]
    )
    # Decided on a reservation that was dropped since: towards the deductible it counts with what
    # it really took, so that the year's deductible is still taken once (docs/adr/0005).
    return replace(entry, deductible_base_fen=entry.deductible_fen) if is_stale else entry


@dataclass(slots=True)
class _Group:
    """Bills of one submission that share totals, by invoice id."""

    pack: PolicyPack
    snapshot: PersonSnapshot
    views: dict[str, BillForBenefit] = field(default_factory=dict)


def estimate_bills(
    deps: ClaimServices, work: ClaimWork, person: Person, bills: Sequence[StoredBill]
) -> dict[str, ExplanationOfBenefits]:
    """The explanation of each bill by invoice id, as one submission would be calculated.

    Bills of different years, packs and insurances share nothing and are worked out apart. A bill
    for which the pack has no rule is missing from the answer: a person will work it out.
    """
    groups: dict[tuple[int, str, str, str], _Group] = {}
    for bill in bills:
        pack = pick_pack(deps.packs, deps.settings.region, bill.service_on)
        snapshot = snapshot_of(deps, work, person.id, bill.service_on)
        key = (
            bill.service_on.year, pack.pack_id, snapshot.insurance_type, snapshot.person_type
        )  # fmt: skip
        group = groups.setdefault(key, _Group(pack, snapshot))
        with suppress(PolicyError):
            group.views[bill.invoice_id] = benefit_view(work, bill, pack, snapshot)
    found: dict[str, ExplanationOfBenefits] = {}
    carried: dict[int, History] = {}
    for (year, *_), group in sorted(groups.items(), key=lambda entry: entry[0]):
        history = carried.get(year) or history_before(work, person.id, year, None)
        results = _estimate_group(group, history)
        for invoice_id, view in group.views.items():
            if view.invoice_key in results:
                found[invoice_id] = results[view.invoice_key]
        carried[year] = history.with_entries(
            eob.history_entry(key.hex()) for key, eob in results.items()
        )
    return found


def _estimate_group(group: _Group, history: History) -> dict[bytes, ExplanationOfBenefits]:
    try:
        return estimate_submission(group.pack, group.views.values(), group.snapshot, history)
    except PolicyError:
        # One bill without a rule must not keep the others from being estimated.
        ruled = []
        for view in group.views.values():
            with suppress(PolicyError):
                adjudicate(group.pack, view, group.snapshot, History())
                ruled.append(view)
        return estimate_submission(group.pack, ruled, group.snapshot, history)


def adjudicate_claim(
    deps: ClaimServices,
    work: ClaimWork,
    claim: Claim,
    bill: StoredBill,
    history: History | None = None,
    *,
    rulings: Sequence[LineRuling] | None = None,
) -> tuple[ExplanationOfBenefits, PersonSnapshot, History, PolicyPack]:
    """One claim on the year's present totals (or on ``history``), with the inputs that an auditor
    replays it from. ``rulings`` are those in force on its lines unless others are given."""
    snapshot = snapshot_of(deps, work, claim.person_id, claim.service_on)
    pack = pick_pack(deps.packs, deps.settings.region, claim.service_on)
    if history is None:
        history = history_before(work, claim.person_id, claim.benefit_year, claim.id)
    if rulings is None:
        rulings = work.claims.rulings_of(claim.id)
    eob = adjudicate(pack, benefit_view(work, bill, pack, snapshot), snapshot, history, rulings)
    return eob, snapshot, history, pack


def store_calculation(
    deps: ClaimServices, work: ClaimWork, claim_id: str, eob: ExplanationOfBenefits
) -> Calculation:
    """Keep a calculation as the claim's newest version, unless it says what the last one said."""
    text = canonical_bytes(eob.to_estimate()).decode()
    last = work.decisions.latest_calculation(claim_id)
    if last is not None and _amounts(last.explanation) == _amounts(text):
        return last
    entry = Calculation(
        id=deps.ids.new_id("cal"),
        claim_id=claim_id,
        version=1 if last is None else last.version + 1,
        paid_fen=eob.paid_fen,
        explanation=text,
        calculated_at=deps.clock.now(),
    )
    work.decisions.add_calculation(entry)
    return entry


def _amounts(explanation: str) -> dict[str, Any]:
    """An explanation without the digests of its inputs, which move with every other claim."""
    record = json.loads(explanation)
    for name in ("person_snapshot", "history_snapshot"):
        record.pop(name, None)
    return dict(record)


def adjudicate_again(deps: ClaimServices, work: ClaimWork, claim: Claim) -> Adjudicated:
    """A claim that is in effect, worked out on the year's totals of its last decision.

    With the person as known now and the rulings that are stored now. On the present totals a
    later claim may have taken a deductible already that this one would then take again: what an
    appeal corrects is the decision, not the year (docs/adr/0005). A claim whose decision is not
    in effect takes the present totals.
    """
    bill = work.claims.bill_of_version(claim.version_id)
    return adjudicate_claim(deps, work, claim, bill, history_in_effect(work, claim))


def history_in_effect(work: ClaimWork, claim: Claim) -> History | None:
    """The year's totals of the decision that is in effect; None: the present ones hold."""
    decision = work.decisions.latest(claim.id)
    if decision is None or claim.state not in IN_EFFECT_STATES:
        return None
    return parse_history(parse_canonical(decision.history_snapshot.encode()))


def history_of_cause(work: ClaimWork, claim: Claim, cause: str) -> History | None:
    """The year's totals on which a difference of this cause is worked out: where they are the
    cause themselves the present ones (None), of a clearing those that it counted, else those of
    the decision."""
    if cause == Cause.YEAR_TOTALS:
        return None
    if cause == Cause.CLEARING:
        counted = work.clearings.history_of(claim.id)
        if counted is not None:
            return parse_history(parse_canonical(counted.encode()))
    return history_in_effect(work, claim)
