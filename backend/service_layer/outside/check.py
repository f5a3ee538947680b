"""就医地审核: a person checks the document; then the agency anchors it and the claim is made.

What the machine does afterwards is the same for every bill: the agency uploads it as an issuer
(service_layer.intake), its batch is anchored, and the claim is screened, lodged and decided. Each
part may run again; ``carry_on`` finishes what a fault interrupted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.domain.errors import DomainError
from backend.domain.invoice import Attachment, AttachmentType, Invoice
from backend.domain.pend_reasons import REVIEWER
from backend.service_layer.claims.benefits import DAMAGE
from backend.service_layer.claims.ports import BillHeldError
from backend.service_layer.claims.submit import submit
from backend.service_layer.intake.document import ParsedInvoice
from backend.service_layer.intake.drafting import Upload
from backend.service_layer.intake.records import Institution
from backend.service_layer.intake.upload_invoice import upload_invoice
from backend.service_layer.outside.errors import AgencyMissingError, StepRefusedError
from backend.service_layer.outside.hands import (
    add_step,
    require_new_hand,
    require_state,
    sign_as,
)
from backend.service_layer.outside.matching import end_by_fact, judge, note_gap
from backend.service_layer.outside.records import (
    HospitalFacts,
    OutsideBill,
    OutsideFile,
    OutsideState,
    StepKind,
)
from backend.service_layer.outside.services import OutsideServices
from verifier.commitment.canonical import canonical_bytes
from verifier.errors import VerificationError

STUCK: Final = "outside-bill-stuck"
SOURCE_FORMAT: Final = "outside"
_EMERGENCY: Final = "急诊"
_CODE: Final = re.compile(r"[0-9A-Za-z]{1,30}", re.ASCII)
_AREA: Final = re.compile(r"[0-9]{6}", re.ASCII)
_A_PASS: Final = 50


@dataclass(frozen=True, slots=True)
class Findings:
    """What the person who accepts a document says of it; all of it is needed."""

    is_authentic: bool  # checked with the issuing platform, or with the paper itself
    lines_agree: bool  # the expense lines are those of the cost list, and add up


def accept_document(
    deps: OutsideServices,
    bill_id: str,
    *,
    by: str,
    hospital: HospitalFacts,
    findings: Findings,
    reason: str,
) -> OutsideBill:
    """The document is genuine and its lines are right; the place of care is ``hospital``.

    A hospital that uploads here ends the bill instead: it is matched, or refused and noted.
    Raises StepRefusedError, AgencyMissingError.
    """
    _require_sound(hospital, findings)
    with deps.work() as work:
        by = sign_as(work, by, reason, REVIEWER)
        if work.outside.agency_code() is None:
            raise AgencyMissingError
        bill: OutsideBill = work.outside.get(bill_id, lock=True)
        require_state(bill, OutsideState.CHECKING)
        require_new_hand(work, bill, StepKind.CARE_PLACE, by)
        invoice = Invoice.from_record(json.loads(bill.record or "{}"))
        person = work.people.get(bill.person_id)
        named = (hospital.code, hospital.name)
        verdict = judge(deps, work, person, invoice, hospital=named, own_id=bill.id)
        content = hospital.to_json() | {"is_authentic": True, "lines_agree": True}
        if verdict is not None:
            add_step(deps, work, bill, StepKind.CARE_PLACE, "member", by=by, reason=reason,
                     content=content)  # fmt: skip
            end_by_fact(deps, work, bill, verdict)
            note_gap(deps, work, bill, invoice, verdict)
        else:
            add_step(deps, work, bill, StepKind.CARE_PLACE, "accepted", by=by, reason=reason,
                     content=content)  # fmt: skip
            work.outside.update(_checked(deps, bill, hospital), bill.state)
        work.commit()
    if verdict is None:
        carry_on_one(deps, bill_id)
    with deps.work(write=False) as work:
        stored: OutsideBill = work.outside.get(bill_id)
    return stored


def refuse_document(deps: OutsideServices, bill_id: str, by: str, reason: str) -> OutsideBill:
    """The document is not accepted, for a reason that the person is told; its number is free."""
    with deps.work() as work:
        by = sign_as(work, by, reason, REVIEWER)
        bill: OutsideBill = work.outside.get(bill_id, lock=True)
        require_state(bill, OutsideState.TYPING, OutsideState.COMPARING, OutsideState.CHECKING)
        require_new_hand(work, bill, StepKind.CARE_PLACE, by)
        refused = replace(
            bill,
            state=OutsideState.REFUSED,
            live_key=None,
            live_second_key=None,
            reason_code="document-refused",
            reason_zh=reason.strip(),
            reason_en="the document was not accepted on review",
            updated_at=deps.clock.now(),
        )
        work.outside.update(refused, bill.state)
        add_step(deps, work, bill, StepKind.CARE_PLACE, "refused", by=by, reason=reason)
        work.commit()
    return refused


def _require_sound(hospital: HospitalFacts, findings: Findings) -> None:
    if not (findings.is_authentic and findings.lines_agree):
        raise StepRefusedError(
            "not-checked",
            "须逐项确认：票据真实、明细与费用清单一致。没有改变任何内容",
            "confirm that the document is authentic and that its lines agree; nothing was changed",
        )
    is_sound = (
        _CODE.fullmatch(hospital.code)
        and 0 < len(hospital.name.strip()) <= 200
        and hospital.level in (1, 2, 3)
        and _AREA.fullmatch(hospital.area_code)
    )
    if not is_sound:
        raise StepRefusedError(
            "bad-hospital",
            "请填写就医机构：编码（字母数字，30 位内）、名称、等级 1 至 3、六位行政区划代码",
            "state the place of care: code (letters and digits, up to 30), name, level 1 to 3, "
            "area code of six digits",
        )


def _checked(deps: OutsideServices, bill: OutsideBill, hospital: HospitalFacts) -> OutsideBill:
    return replace(
        bill,
        state=OutsideState.ANCHORING,
        hospital_code=hospital.code,
        hospital_name=hospital.name.strip(),
        hospital_level=hospital.level,
        area_code=hospital.area_code,
        is_emergency=hospital.is_emergency,
        updated_at=deps.clock.now(),
    )


def carry_on(deps: OutsideServices) -> int:
    """Finish the bills that were accepted and are no claim yet; returns how many moved."""
    with deps.work(write=False) as work:
        waiting = work.outside.in_states([OutsideState.ANCHORING], _A_PASS)
    return sum(_carry_on_or_tell(deps, bill.id) for bill in waiting)


def _carry_on_or_tell(deps: OutsideServices, bill_id: str) -> bool:
    try:
        return carry_on_one(deps, bill_id)
    except (DomainError, VerificationError, AssertionError, *DAMAGE) as error:
        # Stored values that were changed can break any reader; one bill must not stop the rest.
        what = f"{error.code}: {error.en}" if isinstance(error, DomainError) else repr(type(error))
        with deps.work() as work:
            work.alarms.raise_alarm(STUCK, bill_id, what[:500])
            work.commit()
        return False


def carry_on_one(deps: OutsideServices, bill_id: str) -> bool:
    """Store the accepted bill as the agency's, then claim it for the person. True: it moved."""
    with deps.work(write=False) as work:
        bill: OutsideBill = work.outside.get(bill_id)
        if bill.state is not OutsideState.ANCHORING:
            return False
        code = work.outside.agency_code()
        agency: Institution | None = None if code is None else work.institutions.get(code)
        files = work.outside.files_of(bill.id)
        person = work.people.get(bill.person_id)
    if agency is None:
        raise AgencyMissingError
    invoice = issued_by(agency, bill, files, person.identity_number)
    stored = upload_invoice(deps, agency, _as_upload(invoice))
    if bill.invoice_id is None:
        with deps.work() as work:
            linked = replace(bill, invoice_id=stored.invoice_id, updated_at=deps.clock.now())
            work.outside.update(linked, bill.state)
            work.commit()
        bill = linked
    problem = _claim(deps, bill)
    with deps.work() as work:
        accepted = replace(
            bill,
            state=OutsideState.ACCEPTED,
            reason_code=None if problem is None else problem.code,
            reason_zh=None if problem is None else problem.zh,
            reason_en=None if problem is None else problem.en,
            updated_at=deps.clock.now(),
        )
        moved: bool = work.outside.update(accepted, bill.state)
        work.alarms.clear(STUCK, bill.id)
        work.commit()
    return moved


def _claim(deps: OutsideServices, bill: OutsideBill) -> DomainError | None:
    """Claim the bill for its person, who consented when handing it in. What keeps it from being
    claimed now is answered: the bill then stands in the person's list with that reason."""
    assert bill.invoice_id is not None, "the bill is stored before it is claimed"
    services: Any = deps
    try:
        submit(
            services, bill.person_id, [bill.invoice_id], f"outside-{bill.id}", has_consent=True,
            clock_from=bill.created_at,
        )  # fmt: skip
    except BillHeldError:
        return None  # the person has claimed it from the list in the meantime
    except DomainError as error:
        return error
    return None


def issued_by(
    agency: Institution, bill: OutsideBill, files: list[OutsideFile], identity_number: str
) -> Invoice:
    """The bill as the agency issues it: itself as issuer, the place of care apart, and the
    SHA-256 of every file that the person handed in."""
    invoice = Invoice.from_record(json.loads(bill.record or "{}"))
    originals = {Attachment(AttachmentType.ORIGINAL, file.digest.hex()) for file in files}
    department = invoice.department
    if bill.is_emergency and _EMERGENCY not in department:
        department = f"{department} {_EMERGENCY}".strip()
    return replace(
        invoice,
        institution_code=agency.code,
        care_institution_code=bill.hospital_code or "",
        area_code=bill.area_code or "",
        department=department,
        payer_id=identity_number,
        attachments=tuple(sorted(originals)),
    )


def _as_upload(invoice: Invoice) -> Upload:
    parsed = ParsedInvoice(
        invoice=invoice,
        faults=(),
        unread=frozenset(),
        pointer=lambda path: f"/{path}",
        source_format=SOURCE_FORMAT,
    )
    record: Any = invoice.to_record()
    return Upload(parsed, canonical_bytes(record))
