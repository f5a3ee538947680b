"""Opening leads and adding evidence.

A lead is opened by a person (a report, a post-audit finding, a rule hit that somebody thinks
worth looking into) or, for a revision that lowers an amount, by the regular pass. The machine
only opens leads; every further step is a person's.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
from typing import Any, Final

from backend.domain.errors import ConflictError, ForbiddenError, NotFoundError
from backend.domain.local_time import local_day
from backend.domain.supervision import (
    BadStepError,
    Part,
    Source,
    Step,
    StepKind,
    SubjectKind,
    check_reason,
    state_of,
)
from backend.service_layer.supervision.lead_records import (
    Evidence,
    Lead,
    Subject,
    SupervisionServices,
    SupervisionWork,
)
from verifier.commitment.canonical import canonical_bytes

WHO_MAX: Final = 60
EVIDENCE_MAX: Final = 200
FILE: Final = "file"
SYSTEM: Final = "system:revision"


def person_of(work: SupervisionWork, by: str, institution_code: str = "") -> str:
    """Who acts, by one id: a member of staff where staff are registered, else the name given.

    Raises :class:`BadStepError` for a name that says nothing, :class:`NotFoundError` where staff
    are registered and this is not one of them, :class:`ForbiddenError` for a person of the
    institution that the case is about.
    """
    name = unicodedata.normalize("NFKC", by).strip()
    if not name or len(name) > WHO_MAX or ":" in name:
        raise BadStepError(
            f"请写经办人，不超过 {WHO_MAX} 字，不含冒号",
            f"name who acts, in up to {WHO_MAX} characters without a colon",
        )
    if not work.staff.all():
        return name
    known = [one for one in [work.staff.get(name)] if one is not None] or work.staff.find(name)
    active = [one for one in known if one.is_active]
    if len(active) != 1:
        raise NotFoundError(
            f"没有唯一的在岗工作人员“{name}”；请看 yichu review staff",
            f"there is no one active member of staff called {name}: see `yichu review staff`",
        )
    if institution_code and active[0].hospital_code == institution_code:
        raise ForbiddenError(
            "不能办理自己所属机构的案件", "nobody handles a case of their own institution"
        )
    return active[0].id


def open_lead(
    deps: SupervisionServices,
    work: SupervisionWork,
    source: Source,
    subject: Subject,
    reason: str,
    *,
    by: str,
    source_reference: str = "",
) -> Lead:
    """Open a lead within the caller's transaction; the one that exists for the same source,
    subject and reference where there is one.

    ``by`` becomes the case's reporter, who can neither find nor decide. Raises
    :class:`NotFoundError` for an unknown subject and what :func:`person_of` raises.
    """
    code = work.leads.institution_of(subject.kind, subject.id)
    if code is None:
        raise NotFoundError(
            f"没有这个 {subject.kind}：{subject.id}", f"there is no {subject.kind} {subject.id}"
        )
    person = by if by == SYSTEM else person_of(work, by)
    text = check_reason(reason)
    if len(source_reference) > 80:  # the column's length
        raise BadStepError("来源编号过长", "the source's reference is too long")
    now = deps.clock.now()
    entry = Lead(
        deps.ids.new_id("led"), source, subject.kind, subject.id, source_reference, code, now
    )
    found = work.leads.add(entry)
    if found.id != entry.id:
        return found
    work.leads.add_part(entry.id, person, Part.REPORTER, now)
    work.leads.add_step(
        entry.id, Step(1, StepKind.OPENED, person, Part.REPORTER, text, now, local_day(now))
    )
    return entry


def open_revision_leads(deps: SupervisionServices) -> int:
    """A lead for every concluded revision that lowers an amount; the system is its reporter.
    Returns how many."""
    with deps.work(write=False) as work:
        waiting = work.leads.lowered_without_lead()
    for request_id, claim_id in waiting:
        with deps.work() as work:
            open_lead(
                deps,
                work,
                Source.REVISION,
                Subject(SubjectKind.CLAIM, claim_id),
                "决定的新版本减少了金额，已付的差额待查 / a new version lowers the amount",
                by=SYSTEM,
                source_reference=request_id,
            )
            work.commit()
    return len(waiting)


def add_row(
    deps: SupervisionServices, lead_id: str, kind: str, row_id: str, description: str, *, by: str
) -> Evidence:
    """Point to a stored row (audit_hit, decision, invoice_version) with the SHA-256 of its
    canonical bytes as they are now."""
    with deps.work() as work:
        row = work.leads.stored_row(kind, row_id)
        if row is None:
            raise NotFoundError(
                f"没有 {kind} {row_id}；证据可引用 audit_hit、decision、invoice_version",
                f"there is no {kind} {row_id}; evidence points to audit_hit, decision "
                "or invoice_version",
            )
        added = _add(deps, work, lead_id, (kind, row_id, row_digest(row)), description, by=by)
        work.commit()
    return added


def add_file(
    deps: SupervisionServices, lead_id: str, content: bytes, description: str, *, by: str
) -> Evidence:
    """Keep a file (a picture or PDF of a kind that material may have) under its SHA-256."""
    media_type = deps.material_check.media_type(content)
    with deps.work() as work:
        digest = hashlib.sha256(content).digest()
        added = _add(deps, work, lead_id, (FILE, media_type, digest), description, by=by)
        deps.material_store.put(content)
        work.commit()
    return added


def row_digest(row: dict[str, Any]) -> bytes:
    """SHA-256 of a stored row: its columns as canonical JSON, bytes as hex, days and instants as
    text, truth as 1 or 0, empty columns left out."""
    plain = {key: _plain(value) for key, value in row.items() if value is not None}
    return hashlib.sha256(canonical_bytes(plain)).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, dt.date):  # an instant is one too
        return value.isoformat()
    return value


def _add(
    deps: SupervisionServices,
    work: SupervisionWork,
    lead_id: str,
    what: tuple[str, str, bytes],
    description: str,
    *,
    by: str,
) -> Evidence:
    lead = work.leads.get(lead_id, lock=True)
    person = person_of(work, by, lead.institution_code)
    text = check_reason(description)
    if state_of(work.leads.steps_of(lead_id)).is_closed:
        raise ConflictError("案件已结，不再收证据", "the case is closed and takes no evidence")
    there = work.leads.evidence_of(lead_id)
    if any((one.kind, one.reference, one.digest) == what for one in there):
        raise ConflictError("这份证据已在案中", "this evidence is in the case already")
    if len(there) >= EVIDENCE_MAX:
        raise ConflictError(
            f"一个案件最多 {EVIDENCE_MAX} 份证据", f"a case takes {EVIDENCE_MAX} pieces of evidence"
        )
    kind, reference, digest = what
    added = Evidence(
        lead_id, len(there) + 1, kind, reference, digest, text, person, deps.clock.now()
    )
    work.leads.add_evidence(added)
    return added
