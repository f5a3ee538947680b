"""A reopening takes two people: one proposes it, another one confirms it within a week.

Nothing happens to the claim before the confirmation. Both are kept, also what was withdrawn or
ran out; the database refuses a confirmation by who proposed, and one after the last day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from backend.domain.errors import ConflictError, ForbiddenError, NotFoundError
from backend.domain.revision import NAME_MAX, REOPEN_PROPOSAL_DAYS, TEXT_MAX
from backend.service_layer.audit_rules.switch import is_same_person, normal_name
from backend.service_layer.claims.records import Claim
from backend.service_layer.handling.appeals import (
    AppealRefusedError,
    Reopening,
    checked,
    open_reopening,
    require_reopenable,
)
from backend.service_layer.handling.reopening_records import (
    CONFIRMED,
    WITHDRAWN,
    ReopenAnswer,
    ReopeningServices,
    ReopeningWork,
    ReopenProposal,
)

_NAMED = "name:"


class SameReopenerError(ForbiddenError):
    """Who proposed a reopening cannot confirm it."""

    code = "reopen-same-person"


class ReopenExpiredError(ConflictError):
    """Nobody confirmed the proposal in time; it has no effect any more."""

    code = "reopen-expired"


def propose_reopening(
    deps: ReopeningServices, number: str, why: Reopening, by: str
) -> ReopenProposal:
    """Write down a proposal; it has no effect until another person confirms it.

    ``by`` is a staff login's id or username, or a name at the command line. The same proposal
    again by the same person is the one that is there. Raises :class:`AppealRefusedError`,
    ForbiddenError (own hospital), ConflictError while another proposal is open.
    """
    stated = checked(why)
    with deps.work() as work:
        claim = _locked(work, work.claims.by_number(number).id)
        person = _person_of(work, by, claim)
        now = deps.clock.now()
        for one in _open_ones(work, claim.id, now):
            said = Reopening(one.code, one.text, one.source_reference)
            if (one.proposed_by, said) == (person, stated):
                return one
            raise ConflictError(
                f"{number} 已有待确认的提案 {one.id}（{shown_name(work, one.proposed_by)} 提出），"
                "没有新建；请确认或撤回它",
                f"{number} has the open proposal {one.id}; nothing was added: confirm or "
                "withdraw that one",
            )
        require_reopenable(work, claim)
        proposal = ReopenProposal(
            id=deps.ids.new_id("rop"),
            claim_id=claim.id,
            decision_version=claim.decision_version,
            code=stated.code,
            text=stated.text,
            source_reference=stated.source_reference,
            proposed_by=person,
            proposed_at=now,
            expires_at=now + dt.timedelta(days=REOPEN_PROPOSAL_DAYS),
        )
        work.reopenings.add(proposal)
        work.commit()
    return proposal


def confirm_reopening(
    deps: ReopeningServices, proposal_id: str, by: str, reason: str
) -> ReopenAnswer:
    """Confirm what somebody else proposed: the claim is reopened for people who are neither.

    Sent again by the same person it is the one confirmation. Raises :class:`SameReopenerError`,
    :class:`ReopenExpiredError`, ConflictError when the proposal has ended or the claim got another
    decision since, and what :func:`appeals.open_reopening` raises.
    """
    text = _reason(reason)
    with deps.work() as work:
        proposal, claim, person = _looked_at(work, proposal_id, by)
        now = deps.clock.now()
        given = work.reopenings.answer_of(proposal_id)
        if given is not None:
            return _same_or_refused(work, given, (CONFIRMED, person, text))
        _require_open(proposal, now)
        _require_two(work, proposal, person)
        if claim.decision_version != proposal.decision_version:
            raise ConflictError(
                "提出以后这笔申请已有新的决定，没有重开；请按新的决定重新提出",
                "the claim got another decision since the proposal and was not reopened: "
                "propose it anew",
            )
        why = Reopening(proposal.code, proposal.text, proposal.source_reference)
        names = (shown_name(work, proposal.proposed_by), shown_name(work, person))
        request = open_reopening(deps, work, claim, why, names)
        answer = _answer(proposal, CONFIRMED, person, text, now)
        answer = replace(answer, request_id=request.id)
        work.reopenings.add_answer(answer)
        work.commit()
    return answer


def withdraw_reopening(
    deps: ReopeningServices, proposal_id: str, by: str, reason: str
) -> ReopenAnswer:
    """Close a proposal without effect; who proposed may, and whoever could have confirmed."""
    text = _reason(reason)
    with deps.work() as work:
        proposal, _, person = _looked_at(work, proposal_id, by)
        now = deps.clock.now()
        given = work.reopenings.answer_of(proposal_id)
        if given is not None:
            return _same_or_refused(work, given, (WITHDRAWN, person, text))
        _require_open(proposal, now)
        answer = _answer(proposal, WITHDRAWN, person, text, now)
        work.reopenings.add_answer(answer)
        work.commit()
    return answer


def shown_name(work: ReopeningWork, person: str) -> str:
    """Who it is: the username of a member of staff, else the name given at the command line."""
    known = work.staff.get(person)
    return person.removeprefix(_NAMED) if known is None else known.username


def _looked_at(work: ReopeningWork, proposal_id: str, by: str) -> tuple[ReopenProposal, Claim, str]:
    proposal = work.reopenings.get(proposal_id[:40])
    if proposal is None:
        raise NotFoundError("没有这个重开提案", "there is no such proposal of a reopening")
    claim = _locked(work, proposal.claim_id)
    return proposal, claim, _person_of(work, by, claim)


def _locked(work: ReopeningWork, claim_id: str) -> Claim:
    work.people.lock(work.claims.get(claim_id).person_id)
    return work.claims.get(claim_id, lock=True)


def _person_of(work: ReopeningWork, by: str, claim: Claim) -> str:
    """The one active member of staff of that id, username or name; where none are registered the
    name itself."""
    name = normal_name(by)
    if not 0 < len(name) <= NAME_MAX - len(_NAMED) or "\x00" in name:
        raise AppealRefusedError(
            f"请写明经办人（{NAME_MAX - len(_NAMED)} 字内）",
            f"name who acts (up to {NAME_MAX - len(_NAMED)} characters)",
        )
    if not work.staff.all():
        return f"{_NAMED}{name}"
    known = [one for one in [work.staff.get(name)] if one is not None] or work.staff.find(name)
    active = [one for one in known if one.is_active]
    if len(active) != 1:
        raise NotFoundError(
            f"没有唯一的在岗工作人员“{name}”；请写用户名（yichu review staff 列出全部）",
            f"there is no one active member of staff called {name}: give the username "
            "(`yichu review staff` lists everybody)",
        )
    bill = work.claims.bill_of_version(claim.version_id)
    if active[0].hospital_code is not None and active[0].hospital_code == bill.institution_code:
        raise ForbiddenError(
            "不能办理自己所属机构的申请", "nobody handles a claim on their own hospital's bill"
        )
    return active[0].id


def _open_ones(work: ReopeningWork, claim_id: str, now: dt.datetime) -> list[ReopenProposal]:
    return [
        one
        for one, answer in work.reopenings.of_claim(claim_id)
        if answer is None and now <= one.expires_at
    ]


def _require_open(proposal: ReopenProposal, now: dt.datetime) -> None:
    if now > proposal.expires_at:
        raise ReopenExpiredError(
            f"提案已于 {proposal.expires_at.isoformat()} 过期，申请没有重开；需要时请重新提出",
            f"the proposal ran out at {proposal.expires_at.isoformat()} and nothing was reopened: "
            "propose it anew if it is still needed",
        )


def _require_two(work: ReopeningWork, proposal: ReopenProposal, person: str) -> None:
    if is_same_person(person, proposal.proposed_by):
        raise SameReopenerError(
            f"提出人和确认人必须是不同的两个人（提出人：{shown_name(work, person)}）；"
            "提案还在，请另一人确认",
            f"who proposed ({shown_name(work, person)}) cannot confirm: it takes two different "
            "people; the proposal stands, ask somebody else",
        )


def _same_or_refused(
    work: ReopeningWork, given: ReopenAnswer, wanted: tuple[str, str, str]
) -> ReopenAnswer:
    if (given.answer, given.answered_by, given.reason) == wanted:
        return given
    who = shown_name(work, given.answered_by)
    raise ConflictError(
        f"这个提案已由 {who} 处理（{given.answer}），没有再办",
        f"the proposal was {given.answer} by {who}; nothing more was done",
    )


def _answer(
    proposal: ReopenProposal, answer: str, person: str, reason: str, now: dt.datetime
) -> ReopenAnswer:
    return ReopenAnswer(
        proposal.id, proposal.proposed_by, proposal.expires_at, answer, person, reason, now
    )


def _reason(reason: str) -> str:
    text = reason.strip()
    if not 0 < len(text) <= TEXT_MAX or "\x00" in text:
        raise AppealRefusedError(
            f"请写明理由（{TEXT_MAX} 字内）", f"give a reason of up to {TEXT_MAX} characters"
        )
    return text
