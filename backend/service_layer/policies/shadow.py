"""A shadow run: what a pack would have given for claims that were decided, without any effect.

Each decided claim is adjudicated anew from what its decision kept: the stored person snapshot, the
bill as it was claimed, the rulings of its reviewers, the remote status that was found. Its history
is the stored one with every entry of a claim that this run works out anew replaced by what the new
pack gives, so that deductibles and caps move along; what open claims had reserved stays as it was.

Reading goes person by person and year by year in read-only transactions; memory holds one
person's year. Nothing is written, lodged or paid.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.adjudication import adjudicate
from backend.domain.bill import BillForBenefit, bill_from_invoice
from backend.domain.errors import DomainError
from backend.domain.explanation import ExplanationOfBenefits, Outcome
from backend.domain.person import History, HistoryEntry, parse_history, parse_person
from backend.domain.policy import PolicyError, PolicyPack
from backend.domain.ruling import parse_rulings
from backend.service_layer.claims.benefits import DAMAGE, read_invoice
from backend.service_layer.claims.records import Claim, Decision
from backend.service_layer.policies.comparison import (
    ClaimComparison,
    Finding,
    ShadowTotals,
    compare,
)
from backend.service_layer.policies.ports import PersonYear, ShadowServices, ShadowWork

PAGE: Final = 100
"""Person-years read in one transaction."""

REFUSED_BY_PERSON: Final = "refused"
"""The adjustment code of a claim that a person refused as a whole; no pack changes that."""


@dataclass(slots=True)
class _Year:
    """What the run knows of one person's year: entries by claim number, under the new pack."""

    counted: dict[str, HistoryEntry]
    added: list[str]
    """Claims that the old pack refused and the new one pays, in the order of reservation."""


def shadow_run(
    deps: ShadowServices,
    pack: PolicyPack,
    first: dt.date,
    last: dt.date,
    report: Callable[[ClaimComparison], None],
) -> ShadowTotals:
    """Compare every decided claim of a service day from ``first`` to ``last`` with ``pack``.

    ``report`` is called with each claim that differs, in the order of person, year and
    reservation, and with none that is the same. A claim on a day on which the pack is not in force
    is counted and left alone.
    """
    totals = ShadowTotals()
    after: PersonYear | None = None
    while True:
        with deps.work(write=False) as work:
            page = work.decided_claims.person_years(after, first, last, PAGE)
            for person_id, year in page:
                for found in _person_year(work, pack, person_id, year, (first, last)):
                    totals.add(found)
                    if found.finding is not Finding.SAME:
                        report(found)
        if len(page) < PAGE:
            return totals
        after = page[-1]


def _person_year(
    work: ShadowWork,
    pack: PolicyPack,
    person_id: str,
    year: int,
    days: tuple[dt.date, dt.date],
) -> Iterator[ClaimComparison]:
    known = _Year({}, [])
    for claim in work.decided_claims.decided_of_year(person_id, year):
        if not days[0] <= claim.service_on <= days[1]:
            continue
        decision = work.decisions.latest(claim.id)
        if decision is None:
            continue
        yield _one(work, pack, claim, decision, known)


def _one(
    work: ShadowWork, pack: PolicyPack, claim: Claim, decision: Decision, known: _Year
) -> ClaimComparison:
    try:
        record = json.loads(decision.explanation)
        if _is_refused_by_person(record):
            return ClaimComparison.of(claim, decision, Finding.REFUSED_BY_PERSON)
        if not pack.is_effective_on(claim.service_on):
            return ClaimComparison.of(claim, decision, Finding.NOT_IN_FORCE)
        eob = _again(work, pack, claim, decision=decision, record=record, known=known)
        found = compare(claim, decision, record, eob)
    except PolicyError as error:
        return ClaimComparison.of(claim, decision, Finding.NO_RULE, (error.zh, error.en))
    except (DomainError, *DAMAGE) as error:
        zh, en = (
            (error.zh, error.en)
            if isinstance(error, DomainError)
            else ("存储的内容已无法读取", f"what is stored cannot be read ({type(error).__name__})")
        )
        return ClaimComparison.of(claim, decision, Finding.UNREADABLE, (zh, en))
    _count(known, claim, record, eob)
    return found


def _again(
    work: ShadowWork,
    pack: PolicyPack,
    claim: Claim,
    *,
    decision: Decision,
    record: dict[str, Any],
    known: _Year,
) -> ExplanationOfBenefits:
    person = parse_person(json.loads(decision.person_snapshot))
    stored = parse_history(json.loads(decision.history_snapshot))
    rulings = parse_rulings(record.get("rulings", []))
    bill = _bill_as_decided(work, claim, record)
    return adjudicate(pack, bill, person, _history_under(known, stored), rulings)


def _bill_as_decided(work: ShadowWork, claim: Claim, record: dict[str, Any]) -> BillForBenefit:
    stored = work.claims.bill_of_version(claim.version_id)
    return bill_from_invoice(
        read_invoice(work, stored),
        invoice_key=stored.invoice_key,
        hospital_level=record["hospital_level"],
        remote_status=record["remote_status"],
    )


def _history_under(known: _Year, stored: History) -> History:
    """The stored history with the entries that this run has worked out anew."""
    entries = []
    for entry in stored.entries:
        new = known.counted.get(entry.claim_number)
        if new is None:
            entries.append(entry)
            continue
        # Such an entry counts with what it took, whatever the pack (docs/adr/0005).
        base = None if entry.deductible_base_fen is None else new.deductible_fen
        entries.append(dataclasses.replace(new, state=entry.state, deductible_base_fen=base))
    numbers = {entry.claim_number for entry in stored.entries}
    entries += [known.counted[number] for number in known.added if number not in numbers]
    return History(tuple(entries))


def _count(known: _Year, claim: Claim, record: dict[str, Any], eob: ExplanationOfBenefits) -> None:
    known.counted[claim.number] = eob.history_entry(claim.number, "settled")
    if record["outcome"] == Outcome.REFUSED and eob.outcome is not Outcome.REFUSED:
        known.added.append(claim.number)


def _is_refused_by_person(record: dict[str, Any]) -> bool:
    return any(
        cut["code"] == REFUSED_BY_PERSON for line in record["lines"] for cut in line["adjustments"]
    )
