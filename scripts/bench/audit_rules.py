"""Time of the machine audit a bill, and what share of the sample population its rules flag.

Run: ``python -m scripts.bench.audit_rules [--bills 300]``. The wish is less than 1 ms for a bill
of 85 lines with all rules, and at 5,000 lines no more than in proportion. The rates are of the
sample's ordinary bills, nothing planted, each with the person's other bills beside it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from backend.adapters.audit_rules import load_rule_book
from backend.adapters.catalogue import load_catalogue
from backend.adapters.holiday_calendar import ChineseCalendar
from backend.domain.audit.bill_index import lines_digest
from backend.domain.audit.engine import evaluate
from backend.domain.audit.facts import (
    AccidentDeclaration,
    AuditFacts,
    AuditPerson,
    ClaimFacts,
    ClaimKind,
    Gender,
    InstitutionFacts,
    Liability,
    OtherBill,
    Purchase,
)
from backend.domain.audit.rule import RuleSet, RuleState
from backend.domain.bill import LOCAL_CARE
from backend.domain.catalogue import Catalogue
from backend.domain.cause import CauseGroup
from backend.domain.invoice import ExpenseLine
from scripts.sample_data.bills import SampleBill
from scripts.sample_data.population import DEFAULT_SEED, SAMPLE_BILLS, sample_population

AS_OF: Final = dt.date(2026, 11, 22)
_GENDERS: Final = {"男": Gender.MALE, "女": Gender.FEMALE}
_SIZES: Final = (85, 850, 5_000)


def other_bill(bill: SampleBill) -> OtherBill:
    """The bill as a rule sees it beside another one."""
    invoice = bill.invoice
    quantities: dict[tuple[str, str, str], int] = defaultdict(int)
    for line in invoice.lines:
        quantities[(line.catalogue_code, line.name, line.unit)] += line.quantity_e4
    return OtherBill(
        reference=invoice.invoice_number,
        institution_code=invoice.institution_code,
        invoice_code=invoice.invoice_code,
        invoice_number=invoice.invoice_number,
        service_on=invoice.service_on,
        issued_on=invoice.issued_on,
        visit_kind=invoice.visit_kind,
        total_fen=invoice.total_fen,
        lines_digest=lines_digest(invoice.lines),
        admitted_on=invoice.admitted_on,
        discharged_on=invoice.discharged_on,
        visit_number=invoice.hospitalization_number or invoice.patient_number,
        diagnosis_code=invoice.diagnosis_code,
        purchases=tuple(
            Purchase(code, name, quantity, unit)
            for (code, name, unit), quantity in quantities.items()
        ),
    )


def facts_of(bill: SampleBill, others: Sequence[OtherBill], catalogue: Catalogue) -> AuditFacts:
    """What the running system would know of an ordinary bill of the sample."""
    invoice, citizen = bill.invoice, bill.citizen
    own = invoice.invoice_number
    return AuditFacts(
        invoice=invoice,
        service_on=invoice.service_on,
        submitted_on=AS_OF,
        hospital_level=bill.hospital.level,
        hospital_area=bill.hospital.area_code,
        institution=InstitutionFacts(
            True, bill.hospital.agreement_from, bill.hospital.agreement_until
        ),
        person=AuditPerson(
            citizen.name, _GENDERS[citizen.gender], citizen.birth_on, "330800", LOCAL_CARE
        ),
        catalogue=catalogue,
        others=tuple(one for one in others if one.reference != own),
        twins=(),
        claim=_filed_as(bill),
        is_rest_day=not ChineseCalendar().is_working_day(invoice.service_on),
    )


def _filed_as(bill: SampleBill) -> ClaimFacts:
    """An injury is declared by its person, who was alone, with a signed undertaking."""
    if bill.group is not CauseGroup.ACCIDENT_NEWBORN:
        return ClaimFacts()
    happened = bill.invoice.admitted_on or bill.invoice.service_on
    declared = AccidentDeclaration(Liability.NONE, is_signed=True, happened_on=happened)
    return ClaimFacts(kind=ClaimKind.ACCIDENT, accident=declared)


def milliseconds(call: Callable[[], Any], times: int) -> float:
    """The median of ``times`` calls."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1_000)
    return statistics.median(taken)


def of_size(facts: AuditFacts, lines: Sequence[ExpenseLine], size: int) -> AuditFacts:
    """The facts with exactly ``size`` lines, and a total that is their sum."""
    repeated = (list(lines) * (size // len(lines) + 1))[:size]
    total = (sum(line.amount_e4 for line in repeated) + 50) // 100
    invoice = replace(
        facts.invoice, lines=tuple(repeated), items=(), total_fen=total, own_pay_fen=total
    )
    return replace(facts, invoice=invoice)


def print_times(rules: RuleSet, facts: Sequence[AuditFacts]) -> None:
    lines = [line for one in facts for line in one.invoice.lines]
    stay = next(one for one in facts if one.invoice.admitted_on)
    for size in _SIZES:
        asked = of_size(stay, lines, size)
        evaluate(rules, asked)
        taken = milliseconds(partial(evaluate, rules, asked), 200 if size < 1_000 else 20)
        print(f"{size:>6,} lines: {taken:8.3f} ms, {taken * 1_000 / size:6.2f} us a line")


def print_rates(rules: RuleSet, facts: Sequence[AuditFacts]) -> None:
    live: Counter[str] = Counter()
    trial: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    flagged = 0
    for one in facts:
        result = evaluate(rules, one)
        codes = {(hit.rule_code, hit.state) for hit in result.hits}
        live.update(code for code, state in codes if state is RuleState.LIVE)
        trial.update(code for code, state in codes if state is RuleState.TRIAL)
        silent.update(entry.rule_code for entry in result.not_judged)
        flagged += any(state is RuleState.LIVE for _, state in codes)
    print(
        f"{len(facts)} ordinary bills, {flagged} flagged by live rules: {flagged / len(facts):.1%}"
    )
    for title, counts in (("live", live), ("on trial", trial), ("not judged", silent)):
        shown = ", ".join(f"{code} {count}" for code, count in counts.most_common())
        print(f"{title}: {shown or 'none'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bills", type=int, default=SAMPLE_BILLS)
    options = parser.parse_args()
    catalogue = load_catalogue()
    rules = load_rule_book().shipped
    population = sample_population(DEFAULT_SEED, AS_OF, catalogue, bulk=options.bills)
    bills = list(population.bills())
    others: dict[int, list[OtherBill]] = defaultdict(list)
    for bill in bills:
        others[bill.citizen.index].append(other_bill(bill))
    facts = [facts_of(bill, others[bill.citizen.index], catalogue) for bill in bills]
    print(f"{len(rules.rules)} rules")
    print_times(rules, facts)
    print_rates(rules, facts)


if __name__ == "__main__":
    main()
