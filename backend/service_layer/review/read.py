"""What people at work see of cases. Where a step is blind, no name leaves this module.

A view is built of named fields only, and every text in it then has the names, numbers and codes of
the patient and the hospital struck out: also in texts that people wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from backend.domain.accident import EXCLUSIONS, EXCUSES
from backend.domain.errors import DomainError, ForbiddenError
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.invoice import Invoice, scaled_text
from backend.domain.pend_reasons import IDENTITY, QUEUE_TITLES, SUPERVISOR
from backend.domain.review import (
    BLIND_STEPS,
    EARLIER,
    MATERIAL_REQUESTS_MAX,
    RAISED,
    STEP_TITLES,
    CaseState,
    covers,
)
from backend.service_layer.claims.accident import excuse_of
from backend.service_layer.claims.benefits import DAMAGE, read_invoice
from backend.service_layer.claims.causes import cause_view
from backend.service_layer.claims.declaration_records import Subject
from backend.service_layer.claims.records import FROM_OUTSIDE, PendReason, Person
from backend.service_layer.review.cases import open_pends
from backend.service_layer.review.clocks import is_late, today
from backend.service_layer.review.decide import adjudicate_under, display_name, proposed_rulings
from backend.service_layer.review.hits import hits_of_case
from backend.service_layer.review.ports import ReviewServices, ReviewWork
from backend.service_layer.review.records import Case, OpenStep, Staff, Step, StepFinding

STRUCK_OUT: Final = "▇▇"
_NAME_MIN: Final = 2  # a single character would strike out half of the page
_EXPLAINED: Final = (
    "outcome", "submitted_fen", "paid_fen", "borne_fen", "pool_prop_selfpay", "layer2_base_fen",
    "fulamt_ownpay_amt_fen", "overlmt_selfpay_fen", "preselfpay_amt_fen", "inscp_scp_amt_fen",
    "act_pay_dedc_fen", "hifp_pay_fen", "hifmi_pay_fen", "hifob_pay_fen", "maf_pay_fen",
    "cvlserv_pay_fen", "fund_pay_sumamt_fen", "psn_part_amt_fen", "policy_id", "policy_hash",
    "summary", "lines", "rulings", "pend_reasons",
)  # fmt: skip


class NotYourCaseError(ForbiddenError):
    """The person has no step in the case."""

    code = "not-your-case"

    def __init__(self) -> None:
        super().__init__(
            "这个案件没有分派给您", "this case was not given to you; ask for the next case"
        )


def view_case(deps: ReviewServices, case_id: str, person: Staff) -> dict[str, Any]:
    """The case as this person may see it now; that they looked is recorded.

    Who holds the step or had one sees it; a supervisor sees every case that is not of their own
    hospital. Raises :class:`NotYourCaseError`.
    """
    with deps.work() as work:
        case = work.reviews.get_case(case_id)
        require_reader(work, case, person)
        now = deps.clock.now()
        work.reviews.add_look(deps.ids.new_id("look"), case.id, person.id, "case", now)
        view = case_view(deps, work, case, person)
        work.commit()
    return view


def require_reader(work: ReviewWork, case: Case, person: Staff) -> None:
    """Raises :class:`NotYourCaseError` unless the person has a step or is a supervisor."""
    part = work.reviews.part_of(case.id, person.id)
    is_own_hospital = person.hospital_code == case.hospital_code
    if part is None:
        is_reader = covers(person.role, SUPERVISOR) and not is_own_hospital
    else:
        is_reader = part not in (RAISED, EARLIER) or covers(person.role, SUPERVISOR)
    if not is_reader:
        raise NotYourCaseError


def require_reviewer(work: ReviewWork, case: Case, person: Staff) -> None:
    """Raises :class:`NotYourCaseError` unless the person has, or had, a step of the case."""
    if work.reviews.part_of(case.id, person.id) in (None, RAISED, EARLIER):
        raise NotYourCaseError


def is_blind(work: ReviewWork, case: Case) -> bool:
    """Whether names are hidden now: in every step but the panel; a closed case stays as it was
    when it was decided."""
    steps = work.reviews.steps_of(case.id)
    return steps[-1].step in BLIND_STEPS


def case_view(deps: ReviewServices, work: ReviewWork, case: Case, person: Staff) -> dict[str, Any]:
    """The whole case in plain values, for the API and the command line."""
    claim = work.claims.get(case.claim_id)
    bill = work.claims.bill_of_version(claim.version_id)
    invoice = read_invoice(work, bill)
    patient = work.people.get(claim.person_id)
    steps = work.reviews.steps_of(case.id)
    findings = work.reviews.findings_of(case.id)
    pends = open_pends(work, claim.id)
    step = steps[-1]
    view: dict[str, Any] = {
        **summary_of(deps, OpenStep(case, step, claim.number), person),
        "is_blind": is_blind(work, case),
        "cause": cause_view(claim),
        "bill": _bill(invoice, bill.hospital_level),
        "patient": _patient(patient, invoice),
        "claim_kind": claim.kind,
        "declared": _declared(work, claim.id),
        "reasons": [_reason(pend) for pend in pends],
        "rule_hits": hits_of_case(work, case),
        "resolved_in_step": [
            one.pend_id for one in work.reviews.resolutions_of(case.id) if one.step is step.step
        ],
        "findings": [_finding(work, case, one) for one in findings],
        "proposed_rulings": [one.to_record() for one in proposed_rulings(work, case)],
        "material": _material(work, case),
        "explanation": _explanation(deps, work, case),
        "links": links(work, case, step, person),
    }
    if claim.origin == FROM_OUTSIDE:  # what is to be confirmed: its files and steps
        href = f"/staff/v1/outside/{claim.number}"
        view["links"]["outside-bill"] = {"method": "GET", "href": href}
    if view["is_blind"]:
        names = _names(patient, invoice, bill.institution_name)
        view = strike_out(view, [*names, *_hospitals_of(view["rule_hits"])])
        if any(pend.queue == IDENTITY for pend in pends):
            # The question is whether the two names are one person's: it needs both of them.
            view["names_to_compare"] = {"on_bill": invoice.payer_name, "insured": patient.name}
    else:
        view["names"] = {
            "on_bill": invoice.payer_name,
            "insured": patient.name,
            "hospital": bill.institution_name,
        }
    return view


def _names(patient: Person, invoice: Invoice, hospital_name: str) -> list[str]:
    return [
        patient.name, patient.identity_number, invoice.payer_name, invoice.payer_id,
        invoice.institution_name, hospital_name, invoice.institution_code, invoice.cashier,
        invoice.checker, invoice.insurance_id, invoice.care_institution_code,
    ]  # fmt: skip


def names_hidden_now(deps: ReviewServices, claim_id: str) -> list[str]:
    """What is struck out of anything else that staff may read about the claim while a step of its
    review is blind; empty when none is."""
    with deps.work(write=False) as work:
        if not any(is_blind(work, case) for case in work.reviews.live_cases_of(claim_id)):
            return []
        claim = work.claims.get(claim_id)
        bill = work.claims.bill_of_version(claim.version_id)
        patient = work.people.get(claim.person_id)
        return _names(patient, read_invoice(work, bill), bill.institution_name)


def _hospitals_of(hits: Iterable[Mapping[str, Any]]) -> list[str]:
    """Codes of the hospitals of other bills that stand in the evidence of hits: one of them may
    be the reviewer's own, or say which hospital this bill is of."""
    return [str(code) for hit in hits for code in hit["evidence"].get("hospitals", ())]


def strike_out(value: Any, names: Iterable[str]) -> Any:
    """The value with every name replaced in every text, longer names first."""
    kept = {name.strip() for name in names if len(name.strip()) >= _NAME_MIN}
    ordered = sorted(kept, key=lambda name: (-len(name), name))
    return _struck(value, ordered)


def _struck(value: Any, names: list[str]) -> Any:
    if isinstance(value, str):
        for name in names:
            value = value.replace(name, STRUCK_OUT)
        return value
    if isinstance(value, Mapping):
        return {key: _struck(entry, names) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_struck(entry, names) for entry in value]
    return value


def summary_of(deps: ReviewServices, one: OpenStep, person: Staff) -> dict[str, Any]:
    """A row of the lists: no name, and whose step it is only as *mine* or not."""
    case, step = one.case, one.step
    zh, en = STEP_TITLES[step.step]
    queue_zh, queue_en = QUEUE_TITLES.get(case.queue, (case.queue, case.queue))
    return {
        "id": case.id,
        "number": f"{one.claim_number}-R{case.ordinal}",
        "claim_number": one.claim_number,
        "kind": str(case.kind),
        "risk": str(case.risk),
        "state": str(case.state),
        "outcome": case.outcome,
        "queue": {"code": case.queue, "zh": queue_zh, "en": queue_en},
        "priority": case.priority,
        "step": {"code": str(step.step), "zh": zh, "en": en, "due_on": step.due_on.isoformat()},
        "is_mine": step.holder_id == person.id and step.finished_at is None,
        "held_until": None if step.held_until is None else step.held_until.isoformat(),
        "opened_at": case.opened_at.isoformat(),
        "due_on": case.due_on.isoformat(),
        "is_due_day_provisional": not deps.calendar.is_announced(case.due_on.year),
        "legal_limit_on": case.legal_limit_on.isoformat(),
        "waited_working_days": case.waited_days,
        "is_late": is_late(case, today(deps)),
    }


def _bill(invoice: Invoice, hospital_level: int) -> dict[str, Any]:
    """The bill without the names of patient, hospital and its people, and without its numbers."""
    record = invoice.to_record()
    days = {name: record.get(name) for name in ("visit_on", "admitted_on", "discharged_on")}
    return {
        **{name: day for name, day in days.items() if day},
        "visit_kind": str(invoice.visit_kind),
        "hospital_level": hospital_level,
        "issued_on": invoice.issued_on.isoformat(),
        "total_fen": invoice.total_fen,
        "borne_fen": invoice.borne_fen,
        "is_red": invoice.is_red,
        "lines": [
            {
                "index": index,
                "name": line.name,
                "catalogue_code": line.catalogue_code,
                "category": line.category_name,
                "spec": line.spec,
                "unit": line.unit,
                "quantity": scaled_text(line.quantity_e4, 4),
                "price_yuan": scaled_text(line.price_e6, 6),
                "amount_yuan": scaled_text(line.amount_e4, 4),
                "occurred_at": line.occurred_at,
                "approval_flag": line.approval_flag,
            }
            for index, line in enumerate(invoice.lines)
        ],
    }


def _patient(patient: Person, invoice: Invoice) -> dict[str, Any]:
    """What a reviewer needs of the patient: sex and age on the day, never who it is."""
    day = invoice.service_on
    before = (day.month, day.day) < (patient.birth_on.month, patient.birth_on.day)
    return {"gender": patient.gender, "age": day.year - patient.birth_on.year - before}


def _declared(work: ReviewWork, claim_id: str) -> dict[str, Any]:
    """What the person declared: every version of the accident, the excuse of a late filing, the
    corrections of the claim's kind, and the codes by which a person may exclude."""
    found: dict[str, Any] = {}
    accidents = work.declarations.of_claim(claim_id, Subject.ACCIDENT)
    if accidents:
        found["accident"] = [
            {
                **one.content,
                "liability": str(one.accident.liability),
                "version": one.version,
                "undertaking_version": one.undertaking_version,
                "undertaking_sha256": (one.undertaking_digest or b"").hex(),
                "declared_by": one.declared_by,
                "declared_at": one.declared_at.isoformat(),
            }
            for one in accidents
        ]
        found["exclusions"] = {code: {"zh": zh, "en": en} for code, (zh, en) in EXCLUSIONS.items()}
    excuse = excuse_of(work, claim_id)
    if excuse is not None:
        words = EXCUSES.get(excuse.code, excuse.code)
        found["late"] = {"code": excuse.code, "zh": words, "text": excuse.text}
    corrections = work.declarations.of_claim(claim_id, Subject.KIND)
    if corrections:
        found["kind_corrections"] = [
            {**one.content, "at": one.declared_at.isoformat()} for one in corrections
        ]
    return found


def reason_codes(pend: PendReason) -> dict[str, Any]:
    """A pend reason without its words, which may hold what a blind step hides."""
    return {
        "id": pend.id,
        "code": pend.code,
        "rule_code": pend.rule_code,
        "level": "claim" if pend.line_index is None else "line",
        "line_index": pend.line_index,
        "priority": pend.priority,
        "queue": pend.queue,
        "role": pend.role,
        "may_be_raised_again": pend.reattach,
        "is_raised_again": pend.occurrence > 1,
    }


def _reason(pend: PendReason) -> dict[str, Any]:
    return reason_codes(pend) | {"zh": pend.zh, "en": pend.en}


def _finding(work: ReviewWork, case: Case, one: StepFinding) -> dict[str, Any]:
    """An earlier step. Who it was is shown once the case is closed, so that a later step judges
    the finding and not the person."""
    zh, en = STEP_TITLES[one.step]
    found: dict[str, Any] = {
        "step": {"code": str(one.step), "zh": zh, "en": en},
        "outcome": str(one.outcome),
        "reason": one.reason,
        "rulings": [ruling.to_record() for ruling in one.rulings],
        "paid_fen": one.paid_fen,
        "found_at": one.found_at.isoformat(),
    }
    if case.is_closed:
        found["found_by"] = display_name(work, one.staff_id)
    return found


def _material(work: ReviewWork, case: Case) -> list[dict[str, Any]]:
    found = []
    for request in work.material.requests_of(case.id):
        row: dict[str, Any] = {
            "ordinal": request.ordinal,
            "needed_zh": request.needed_zh,
            "needed_en": request.needed_en,
            "requested_at": request.requested_at.isoformat(),
            "due_on": request.due_on.isoformat(),
            "outcome": request.outcome,
        }
        given = work.material.answer_of(request.id)
        if given is not None:
            row["answer"] = {
                "text": given.text,
                "answered_at": given.answered_at.isoformat(),
                "files": [
                    {
                        "position": entry.position,
                        "media_type": entry.media_type,
                        "size_bytes": entry.size_bytes,
                        "sha256": entry.digest.hex(),
                    }
                    for entry in given.files
                ],
            }
        found.append(row)
    return found


def _explanation(deps: ReviewServices, work: ReviewWork, case: Case) -> dict[str, Any]:
    """The benefit under what is proposed so far; why not, when it cannot be worked out."""
    try:
        return explained(adjudicate_under(deps, work, case, proposed_rulings(work, case)))
    except DomainError as error:
        return {"problem": error.code, "zh": error.zh, "en": error.en}
    except DAMAGE:
        return {
            "problem": "stored-record-unreadable",
            "zh": "存储的内容已无法读取，请报告",
            "en": "what is stored cannot be read; report it",
        }


def explained(eob: ExplanationOfBenefits) -> dict[str, Any]:
    """An explanation without the hospital's code and without digests of personal inputs."""
    record = eob.to_estimate()
    return {name: record[name] for name in _EXPLAINED if name in record}


def preview_view(deps: ReviewServices, case_id: str, eob: ExplanationOfBenefits) -> dict[str, Any]:
    """An explanation for the person of a step, names struck out where the step is blind."""
    with deps.work(write=False) as work:
        case = work.reviews.get_case(case_id)
        claim = work.claims.get(case.claim_id)
        bill = work.claims.bill_of_version(claim.version_id)
        patient = work.people.get(claim.person_id)
        invoice = read_invoice(work, bill)
        found = explained(eob)
        if is_blind(work, case):
            found = strike_out(found, _names(patient, invoice, bill.institution_name))
    return found


def links(work: ReviewWork, case: Case, step: Step, person: Staff) -> dict[str, dict[str, str]]:
    """The actions that are legal for this person now, by relation."""
    here = f"/staff/v1/cases/{case.id}"
    found = {"self": {"method": "GET", "href": here}}
    for request in work.material.requests_of(case.id):
        given = work.material.answer_of(request.id)
        for entry in given.files if given is not None else ():
            name = f"{request.ordinal}-{entry.position}"
            found[f"file-{name}"] = {
                "method": "GET",
                "href": f"{here}/files/{request.ordinal}/{entry.position}",
            }
    if step.finished_at is not None or step.holder_id != person.id or case.is_closed:
        return found
    actions = ["decline"]
    if case.state is CaseState.OPEN:
        actions += ["preview", "resolve", "approve", "refuse"]
        if len(work.material.requests_of(case.id)) < MATERIAL_REQUESTS_MAX:
            actions.append("material-requests")
    for action in actions:
        found[action] = {"method": "POST", "href": f"{here}/{action}"}
    return found


# --- lists and figures ---------------------------------------------------------------------------


def my_cases(deps: ReviewServices, person: Staff) -> list[dict[str, Any]]:
    """The unfinished steps that this person holds, the most urgent first."""
    with deps.work(write=False) as work:
        return [
            summary_of(deps, one, person) for one in work.reviews.open_steps(holder_id=person.id)
        ]


def statistics(deps: ReviewServices, person: Staff) -> dict[str, Any]:
    """Cases by state and outcome; who did how much only for a supervisor."""
    with deps.work(write=False) as work:
        found: dict[str, Any] = {
            "cases": work.reviews.counts(),
            "outcomes": [
                {"kind": kind, "risk": risk, "queue": queue, "outcome": outcome, "cases": count}
                for kind, risk, queue, outcome, count in work.reviews.outcomes()
            ],
        }
        if covers(person.role, SUPERVISOR):
            finished, held = work.reviews.findings_by_staff(), work.reviews.loads()
            found["people"] = [
                {
                    "name": display_name(work, staff_id),
                    "finished_steps": finished.get(staff_id, 0),
                    "held_steps": held.get(staff_id, 0),
                }
                for staff_id in sorted({*finished, *held})
            ]
    return found


def figures(deps: ReviewServices) -> dict[str, int]:
    """What the readiness report says of review: cases open, waiting, late and given to nobody."""
    day = today(deps)
    with deps.work(write=False) as work:
        steps = work.reviews.open_steps()
        counts = work.reviews.counts()
    return {
        "open": counts.get(str(CaseState.OPEN), 0),
        "waiting": counts.get(str(CaseState.WAITING), 0),
        "late": sum(is_late(one.case, day) for one in steps),
        "unassigned": sum(
            one.step.holder_id is None and one.case.state is CaseState.OPEN for one in steps
        ),
    }
