"""A provider answers what it was asked, and appeals a finding, by itself and in time.

One answer and one appeal a lead, insert-only. What comes after the last day is refused with what
can still be done; the same words and files again are the statement that is there.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Final

from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.local_time import local_day
from backend.domain.supervision import (
    BadStepError,
    State,
    Step,
    StepKind,
    TooLateError,
    WrongStepError,
    check_reason,
    last_of,
    state_of,
)
from backend.service_layer.supervision.cases import Act, add_step
from backend.service_layer.supervision.lead_records import Lead
from backend.service_layer.supervision.statement_records import (
    Statement,
    StatementFile,
    StatementServices,
    StatementWork,
)
from verifier.commitment.canonical import canonical_bytes

FILES_MAX: Final = 5
FILE_BYTES_MAX: Final = 4 * 2**20
TOTAL_BYTES_MAX: Final = 5 * 2**20
"""So that they fit a request of 8 MB when they are written as base64."""
FILE_NAME_MAX: Final = 120
_BY: Final = "institution:"
_TIMED: Final = {StepKind.ANSWERED: StepKind.ASKED, StepKind.APPEALED: StepKind.FOUND}
"""The step whose day is the last one for a statement."""


class StatementGivenError(ConflictError):
    """There is another answer, or another appeal, already."""

    code = "finding-answered"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file with its content, or its digest alone (32 bytes) where the provider keeps it."""

    name: str
    digest: bytes
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """What the provider sends."""

    text: str
    attachments: tuple[Attachment, ...] = ()

    @property
    def digest(self) -> bytes:
        rows = [[one.name, one.digest.hex()] for one in self.attachments]
        return hashlib.sha256(canonical_bytes([self.text, *rows])).digest()


def own_lead(
    work: StatementWork, institution_code: str, lead_id: str, *, lock: bool = False
) -> tuple[Lead, list[Step]]:
    """The lead when the institution was asked about it. Raises NotFoundError for another
    institution's and for one that nobody has asked about: the answer does not say which."""
    unknown = NotFoundError(
        "没有这条问询（或不是本机构的）", "there is no such finding, or it is another institution's"
    )
    try:
        lead = work.leads.get(lead_id, lock=lock)
    except NotFoundError as error:
        raise unknown from error
    steps = work.leads.steps_of(lead_id)
    if lead.institution_code != institution_code or last_of(steps, StepKind.ASKED) is None:
        raise unknown
    return lead, steps


def state_words(
    deps: StatementServices, institution_code: str, lead_id: str, kind: StepKind, words: Words
) -> tuple[Statement, bool]:
    """Take the provider's answer or appeal; the statement, and whether it is new.

    Raises NotFoundError, :class:`TooLateError` after the last day, :class:`StatementGivenError`
    for other words than those that are there, :class:`WrongStepError` when nothing is asked now,
    :class:`BadStepError` beyond the limits, MaterialRefusedError for a file of another kind.
    """
    sent = Words(check_reason(words.text), words.attachments)
    _check_limits(sent)
    with deps.work(write=False) as work:
        own_lead(work, institution_code, lead_id)  # before any file is looked at
    files = _files(deps, sent)
    with deps.work() as work:
        _, steps = own_lead(work, institution_code, lead_id, lock=True)
        there = next((one for one in work.statements.of_lead(lead_id) if one.kind is kind), None)
        if there is not None:
            if there.digest == sent.digest:
                return there, False
            raise StatementGivenError(
                "已经收到过，内容不同；先收到的有效，这次没有收下。要补充请联系经办机构",
                "a statement with other content is here already and stands; this one was not "
                "taken: ask the agency to add something",
            )
        now = deps.clock.now()
        due_on = _require_in_time(steps, kind, local_day(now))
        step = add_step(deps, work, lead_id, Act(kind, "", sent.text), _BY + institution_code)
        statement = Statement(
            lead_id=lead_id,
            kind=kind,
            institution_code=institution_code,
            ordinal=step.ordinal,
            text=sent.text,
            digest=sent.digest,
            received_at=now,
            received_on=step.on,
            due_on=due_on,
            files=files,
        )
        work.statements.add(statement)
        for one in sent.attachments:
            if one.content is not None:
                deps.material_store.put(one.content)
        work.commit()
    return statement, True


def _check_limits(words: Words) -> None:
    files = words.attachments
    sizes = [len(one.content or b"") for one in files]
    if len(files) > FILES_MAX or sum(sizes) > TOTAL_BYTES_MAX:
        raise BadStepError(
            f"附件最多 {FILES_MAX} 个，合计不超过 5 MB，没有收下",
            f"at most {FILES_MAX} attachments of 5 MB together; nothing was taken",
        )
    if max(sizes, default=0) > FILE_BYTES_MAX:
        raise BadStepError(
            "一个附件不超过 4 MB，没有收下", "an attachment has at most 4 MB; nothing was taken"
        )
    if len({one.digest for one in files}) != len(files):
        raise BadStepError("同一个附件列了两次", "the same attachment is listed twice")
    for one in files:
        if not 0 < len(one.name.strip()) <= FILE_NAME_MAX or "\x00" in one.name:
            raise BadStepError(
                f"附件名 1 到 {FILE_NAME_MAX} 字",
                f"an attachment has a name of up to {FILE_NAME_MAX} characters",
            )
        if one.content is not None and hashlib.sha256(one.content).digest() != one.digest:
            raise BadStepError(
                "附件内容与 sha256 不符，没有收下",
                "an attachment's content is not what its sha256 says; nothing was taken",
            )


def _files(deps: StatementServices, words: Words) -> tuple[StatementFile, ...]:
    """The rows of the attachments; what a file is, its bytes say."""
    return tuple(
        StatementFile(
            position,
            one.name,
            one.digest,
            "" if one.content is None else deps.material_check.media_type(one.content),
            len(one.content or b""),
        )
        for position, one in enumerate(words.attachments, 1)
    )


def _require_in_time(steps: list[Step], kind: StepKind, today: dt.date) -> dt.date:
    """The last day of the statement. Raises :class:`TooLateError` after it and
    :class:`WrongStepError` where nothing of the kind is waited for."""
    state = state_of(steps)
    asked = last_of(steps, _TIMED[kind])
    is_answer = kind is StepKind.ANSWERED
    if state is not (State.ASKED if is_answer else State.FOUND) or asked is None:
        raise WrongStepError(
            f"现在的状态是 {state}，不收{'答复' if is_answer else '申诉'}；没有改动",
            f"the finding is {state}: no {'answer' if is_answer else 'appeal'} is taken now; "
            "nothing changed",
        )
    assert asked.due_on is not None, "these steps carry a day"
    if today <= asked.due_on:
        return asked.due_on
    last = asked.due_on.isoformat()
    if is_answer:
        raise TooLateError(
            f"答复期限 {last} 已过，没有收下；认定作出以前可以书面交经办机构，由工作人员代为登记，"
            "认定以后可以申诉",
            f"the last day for an answer was {last} and it was not taken: until the finding is "
            "made, hand it to the agency in writing, where a clerk takes it down; after the "
            "finding, appeal",
        )
    raise TooLateError(
        f"申诉期限 {last} 已过，没有收下；可向同级医保行政部门提出",
        f"the last day for an appeal was {last} and it was not taken; "
        "the administrative department of the same level can still be asked",
    )
