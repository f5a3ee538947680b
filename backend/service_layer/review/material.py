"""Requests for material (补正): at most two a case; the citizen answers on the status page.

While a request is open the claim waits for the citizen and the promise stands still. The answer,
or the end of its time, gives the case back to the reviewer who holds the step.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError, DomainError, NotFoundError
from backend.domain.local_time import local_day
from backend.domain.review import MATERIAL_REQUESTS_MAX, CaseState
from backend.service_layer.claims.clocks import working_days_between
from backend.service_layer.review.assignment import require_holder
from backend.service_layer.review.cases import CASE_LATE
from backend.service_layer.review.clocks import due_after, today
from backend.service_layer.review.decide import lock_case
from backend.service_layer.review.ports import ReviewServices, ReviewWork
from backend.service_layer.review.records import (
    Case,
    MaterialAnswer,
    MaterialFile,
    MaterialRequest,
)

TEXT_MAX: Final = 1_000
FILES_MAX: Final = 5
FILE_BYTES_MAX: Final = 4 * 2**20
TOTAL_BYTES_MAX: Final = 7 * 2**20
CITIZEN: Final = "citizen"
REVIEWER: Final = "reviewer"


class MaterialRefusedError(DomainError):
    """An answer that cannot be taken: empty, too large, or a file of another kind."""

    code = "material-refused"


class ThirdRequestError(ConflictError):
    """The citizen was asked twice in this case already."""

    code = "third-request-refused"

    def __init__(self) -> None:
        super().__init__(
            "一个案件最多要求补充材料两次，已用完，请按现有材料决定",
            "at most two requests for material a case: decide on what there is",
        )


def ask(
    deps: ReviewServices, case_id: str, staff_id: str, needed_zh: str, needed_en: str
) -> MaterialRequest:
    """Ask the citizen for material, in both languages. The same request again while it is open
    is the same one. Raises :class:`ThirdRequestError`."""
    texts = (needed_zh.strip(), needed_en.strip())
    if any(not text or len(text) > TEXT_MAX or "\x00" in text for text in texts):
        raise MaterialRefusedError(
            f"请用中英文写明需要什么（各 {TEXT_MAX} 字内）",
            f"say in Chinese and English what is needed (up to {TEXT_MAX} characters each)",
        )
    with deps.work() as work:
        case, claim = lock_case(work, case_id)
        step = require_holder(work, case, staff_id)
        asked = work.material.requests_of(case.id)
        pending = next((one for one in asked if one.closed_at is None), None)
        if pending is not None:
            if (pending.needed_zh, pending.needed_en) == texts:
                return pending
            raise ConflictError("已有一个要求在等申请人", "a request is open already")
        if len(asked) >= MATERIAL_REQUESTS_MAX:
            raise ThirdRequestError
        if work.material.open_request_of_claim(claim.id) is not None:
            raise ConflictError("另一个案件正在等申请人", "another case of the claim asks already")
        request = MaterialRequest(
            id=deps.ids.new_id("mat"),
            case_id=case.id,
            ordinal=len(asked) + 1,
            step=step.step,
            staff_id=staff_id,
            needed_zh=texts[0],
            needed_en=texts[1],
            requested_at=deps.clock.now(),
            due_on=due_after(deps, deps.settings.review.material_days),
        )
        work.material.add_request(request)
        work.reviews.update_case(case.id, state=CaseState.WAITING)
        if claim.state is ClaimState.PENDED:
            work.claims.update(claim.id, claim.state, deps.clock.now(), waiting_for=CITIZEN)
        work.commit()
    return request


def open_request(work: ReviewWork, person_id: str, claim_id: str) -> MaterialRequest | None:
    """What this person is asked for on their claim now; anybody else's claim is not found."""
    if work.claims.get(claim_id).person_id != person_id:
        raise NotFoundError("没有这笔申请", "there is no such claim")
    return work.material.open_request_of_claim(claim_id)


def answer(
    deps: ReviewServices,
    person_id: str,
    request_id: str,
    text: str,
    files: Sequence[bytes],
) -> MaterialAnswer:
    """The citizen's answer: words, attachments or both. Sent twice, it is one answer.

    Every file is checked before any is stored; files are stored before the row that names them, so
    that no row is without its file. Raises :class:`MaterialRefusedError`.
    """
    kept = _checked(deps, request_id, text, files)
    with deps.work(write=False) as work:
        request = _own_request(work, person_id, request_id)
        known = work.material.answer_of(request_id)
    if known is not None:
        return known
    if request.closed_at is not None:
        raise ConflictError(
            "补充材料的时间已过，工作人员会按现有材料办理，您不用再交",
            "the time for this request is over; the case goes on with what there is",
        )
    for content in files:
        deps.material_store.put(content)
    found = MaterialAnswer(request_id, text.strip(), deps.clock.now(), kept)
    with deps.work() as work:
        lock_case(work, request.case_id)
        case = work.reviews.get_case(request.case_id)
        request = _own_request(work, person_id, request_id)
        known = work.material.answer_of(request_id)
        if known is not None:
            return known
        if request.closed_at is not None or case.is_closed:
            raise ConflictError("这笔申请已经有结果", "the case has been decided meanwhile")
        work.material.add_answer(found)
        end_waiting(deps, work, case, request, "answered")
        work.commit()
    return found


def _own_request(work: ReviewWork, person_id: str, request_id: str) -> MaterialRequest:
    request = work.material.request(request_id)
    if request is None:
        raise NotFoundError("没有这个补充要求", "there is no such request")
    case = work.reviews.get_case(request.case_id)
    if work.claims.get(case.claim_id).person_id != person_id:
        raise NotFoundError("没有这个补充要求", "there is no such request")
    return request


def _checked(
    deps: ReviewServices, request_id: str, text: str, files: Sequence[bytes]
) -> tuple[MaterialFile, ...]:
    if not text.strip() and not files:
        raise MaterialRefusedError(
            "请写一句话，或选择要交的图片或 PDF", "write something, or choose a picture or PDF"
        )
    if len(text) > TEXT_MAX or "\x00" in text:
        raise MaterialRefusedError(
            f"文字最多 {TEXT_MAX} 字", f"the text has at most {TEXT_MAX} characters"
        )
    if len(files) > FILES_MAX:
        raise MaterialRefusedError(
            f"一次最多 {FILES_MAX} 个文件", f"at most {FILES_MAX} files at a time"
        )
    is_large = any(len(content) > FILE_BYTES_MAX for content in files)
    if is_large or sum(len(content) for content in files) > TOTAL_BYTES_MAX:
        raise MaterialRefusedError(
            "每个文件最多 4 MB，合计最多 7 MB；请压缩图片再交",
            "at most 4 MB a file and 7 MB together: make the pictures smaller",
        )
    return tuple(
        MaterialFile(
            request_id=request_id,
            position=position,
            digest=hashlib.sha256(content).digest(),
            media_type=deps.material_check.media_type(content),
            size_bytes=len(content),
        )
        for position, content in enumerate(files, 1)
    )


def end_waiting(
    deps: ReviewServices,
    work: ReviewWork,
    case: Case,
    request: MaterialRequest,
    outcome: str,
) -> None:
    """Give a waiting case back to its reviewer and move its dates by the days waited."""
    now = deps.clock.now()
    work.material.close_request(request.id, outcome, now)
    waited = working_days_between(deps.calendar, local_day(request.requested_at), today(deps))
    work.reviews.update_case(
        case.id,
        state=CaseState.OPEN,
        waited_days=case.waited_days + waited,
        due_on=deps.calendar.due_date(case.due_on, waited),
    )
    hold = dt.timedelta(hours=deps.settings.review.hold_hours)
    for step in work.reviews.steps_of(case.id):
        if step.finished_at is None:
            work.reviews.update_step(
                case.id,
                step.step,
                due_on=deps.calendar.due_date(step.due_on, waited),
                held_until=None if step.holder_id is None else now + hold,
            )
    work.alarms.clear(CASE_LATE, case.id)
    claim = work.claims.get(case.claim_id)
    if claim.waiting_for == CITIZEN:
        work.claims.update(claim.id, claim.state, now, waiting_for=REVIEWER)


def expire_requests(deps: ReviewServices) -> int:
    """End the requests whose day has passed; the cases go on with what there is."""
    with deps.work(write=False) as work:
        over = [one for one in work.material.open_requests() if one.due_on < today(deps)]
    for request in over:
        with deps.work() as work:
            case, _ = lock_case(work, request.case_id)
            fresh = work.material.request(request.id)
            if fresh is None or fresh.closed_at is not None:
                continue
            end_waiting(deps, work, case, fresh, "expired")
            work.commit()
    return len(over)


def attachment(work: ReviewWork, case_id: str, ordinal: int, position: int) -> MaterialFile:
    """One attachment of a case by request (1 or 2) and position (from 1)."""
    for request in work.material.requests_of(case_id):
        found = work.material.answer_of(request.id)
        if request.ordinal != ordinal or found is None:
            continue
        for entry in found.files:
            if entry.position == position:
                return entry
    raise NotFoundError("没有这个附件", "there is no such attachment")
