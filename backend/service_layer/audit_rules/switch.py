"""Switching a rule takes two people and a reason: one proposes, another one confirms.

A rule goes live only on a trial run over history of just that rule with just those parameters
(requirement A6). Nothing is ever overwritten: each confirmation is one more version.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.domain.audit.rule import NEXT_STATES, RuleState
from backend.domain.errors import ConflictError, DomainError, NotFoundError
from backend.service_layer.audit_rules.ports import AuditServices, AuditWork, SwitchRaceError
from backend.service_layer.audit_rules.records import (
    CONFIRMED,
    DECIDED,
    WITHDRAWN,
    Answer,
    Proposal,
    RuleVersion,
    TrialRun,
)
from verifier.commitment.canonical import canonical_bytes, parse_canonical

NAME_MAX: Final = 60
REASON_MAX: Final = 500
TRIAL_IS_RECENT: Final = dt.timedelta(days=30)
"""How old the trial run may be on which a rule goes live."""


class SwitchRefusedError(DomainError):
    """A proposal or confirmation that the rules of switching do not allow; nothing changed."""

    code = "rule-switch-refused"


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of a rule. ``parameters`` None: they stay; else they hold for services
    from ``valid_from`` on."""

    rule_code: str
    state: RuleState
    parameters: Mapping[str, Any] | None = None
    valid_from: dt.date | None = None


def propose(deps: AuditServices, change: Change, by: str, reason: str) -> Proposal:
    """Write down a proposal; it has no effect until another person confirms it. The same one again
    by the same person is the open one that is there.

    Raises :class:`RuleError` for an unknown rule, :class:`MalformedDataError` with every fault of
    the parameters, :class:`SwitchRefusedError` for a state that the rule cannot take.
    """
    name, why = require_signed(by, reason)
    if change.parameters is not None:
        deps.rule_book.with_parameters(change.rule_code, change.parameters)
    with deps.work() as work:
        name = _username(work, name)
        versions = versions_of(deps, work, change.rule_code)
        _require_possible(change, versions)
        proposal = Proposal(
            id=deps.ids.new_id("rpr"),
            rule_code=change.rule_code,
            base_version=versions[-1].version,
            state=str(change.state),
            parameters=_text(change.parameters),
            valid_from=change.valid_from,
            reason=why,
            proposed_by=name,
            proposed_at=deps.clock.now(),
        )
        for one, answer in work.audit_rules.proposals(change.rule_code):
            same = replace(one, id=proposal.id, proposed_at=proposal.proposed_at)
            if answer is None and same == proposal:
                return one
        work.audit_rules.add_proposal(proposal)
        work.commit()
    return proposal


def confirm(deps: AuditServices, proposal_id: str, by: str, reason: str) -> RuleVersion:
    """Put a proposal into effect: from the commit on, every audit uses the new version.

    Raises :class:`SwitchRefusedError` when the same person would confirm what they proposed or
    when there is no recent trial run, :class:`SwitchRaceError` when somebody else was first.
    """
    name, why = require_signed(by, reason)
    with deps.work() as work:
        name = _username(work, name)
        given = work.audit_rules.answer_of(proposal_id)
        if given is not None and _said(given) == (CONFIRMED, name, why):
            return next(v for v in work.audit_rules.versions() if v.proposal_id == proposal_id)
        proposal = _open_proposal(work, proposal_id)
        if is_same_person(name, proposal.proposed_by):
            raise SwitchRefusedError(
                f"提出人和确认人必须是不同的两个人（提出人：{proposal.proposed_by}）",
                f"who proposed ({proposal.proposed_by}) cannot confirm: it takes two people",
            )
        versions = versions_of(deps, work, proposal.rule_code)
        if versions[-1].version != proposal.base_version:
            raise SwitchRaceError()
        run = _require_trial(deps, work, proposal, versions)
        now = deps.clock.now()
        work.audit_rules.add_answer(
            Answer(
                proposal_id=proposal.id,
                proposed_by=proposal.proposed_by,
                answer=CONFIRMED,
                answered_by=name,
                reason=why,
                answered_at=now,
                trial_run_id=run.id if run else None,
            )
        )
        version = RuleVersion(
            rule_code=proposal.rule_code,
            version=proposal.base_version + 1,
            state=proposal.state,
            parameters=proposal.parameters,
            valid_from=proposal.valid_from,
            origin=DECIDED,
            proposal_id=proposal.id,
            recorded_at=now,
        )
        work.audit_rules.add_version(version)
        work.commit()
    return version


def withdraw(deps: AuditServices, proposal_id: str, by: str, reason: str) -> Answer:
    """Close a proposal without effect; anybody may, with a name and a reason."""
    name, why = require_signed(by, reason)
    with deps.work() as work:
        name = _username(work, name)
        given = work.audit_rules.answer_of(proposal_id)
        if given is not None and _said(given) == (WITHDRAWN, name, why):
            return given
        proposal = _open_proposal(work, proposal_id)
        answer = Answer(
            proposal_id=proposal.id,
            proposed_by=proposal.proposed_by,
            answer=WITHDRAWN,
            answered_by=name,
            reason=why,
            answered_at=deps.clock.now(),
        )
        work.audit_rules.add_answer(answer)
        work.commit()
    return answer


def versions_of(deps: AuditServices, work: AuditWork, rule_code: str) -> list[RuleVersion]:
    """The versions of a rule, oldest first; stores the first one where the rule is new here.

    Raises :class:`RuleError` for a rule that the program does not have.
    """
    deps.rule_book.shipped.rule(rule_code)
    versions = work.audit_rules.versions()
    first = deps.rule_book.first_versions({v.rule_code for v in versions}, deps.clock.now())
    if first and work.audit_rules.add_shipped(first):
        versions = work.audit_rules.versions()
    return [version for version in versions if version.rule_code == rule_code]


def resulting_parameters(
    proposal: Proposal | None, versions: Sequence[RuleVersion]
) -> Mapping[str, Any] | None:
    """The parameters that a rule has after a proposal (or has now), None for the shipped ones."""
    dated = [version.parameters for version in versions if version.parameters is not None]
    text = dated[-1] if dated else None
    if proposal is not None and proposal.parameters is not None:
        text = proposal.parameters
    if text is None:
        return None
    found: Any = parse_canonical(text.encode())
    return dict(found)


def is_same_person(one: str, other: str) -> bool:
    """Whether two names are one name, however they are typed."""
    return normal_name(one).casefold() == normal_name(other).casefold()


def normal_name(name: str) -> str:
    """The name in one spelling: full-width letters, spaces at the ends and between made equal."""
    return " ".join(unicodedata.normalize("NFKC", name).split())


def _username(work: AuditWork, name: str) -> str:
    """The username of the one member of staff who is meant, so that nobody is two people by name
    and username; another name stays as it was given."""
    known = work.staff.find(name)
    return known[0].username if len(known) == 1 else name


def require_signed(by: str, reason: str) -> tuple[str, str]:
    """Name and reason as they are stored. Raises :class:`SwitchRefusedError` when one is missing
    or too long."""
    name, why = normal_name(by), reason.strip()
    if not 1 <= len(name) <= NAME_MAX or not 1 <= len(why) <= REASON_MAX:
        raise SwitchRefusedError(
            f"请写明姓名（{NAME_MAX} 字内）和理由（{REASON_MAX} 字内）",
            f"give a name (up to {NAME_MAX}) and a reason (up to {REASON_MAX} characters)",
        )
    return name, why


def _said(answer: Answer) -> tuple[str, str, str]:
    return answer.answer, answer.answered_by, answer.reason


def _open_proposal(work: AuditWork, proposal_id: str) -> Proposal:
    proposal = work.audit_rules.proposal(proposal_id)
    if proposal is None:
        raise NotFoundError(f"没有提案 {proposal_id}", f"there is no proposal {proposal_id}")
    answer = work.audit_rules.answer_of(proposal_id)
    if answer is not None:
        raise ConflictError(
            f"提案 {proposal_id} 已由 {answer.answered_by} 处理",
            f"proposal {proposal_id} was {answer.answer} by {answer.answered_by}",
        )
    return proposal


def _require_possible(change: Change, versions: Sequence[RuleVersion]) -> None:
    now = RuleState(versions[-1].state)
    if (change.parameters is None) != (change.valid_from is None):
        raise SwitchRefusedError(
            "改参数时要写明从哪一天的就医开始适用，不改参数时不要写",
            "new parameters need the day of service that they begin with, and only they do",
        )
    dated = [version.valid_from for version in versions if version.valid_from is not None]
    if change.valid_from is not None and dated and change.valid_from < max(dated):
        raise SwitchRefusedError(
            f"参数不能早于现行参数的起始日 {max(dated).isoformat()}",
            f"parameters cannot begin before the last ones did, on {max(dated).isoformat()}",
        )
    if change.state is now and change.parameters is None:
        raise SwitchRefusedError(
            f"规则已经是这个状态（{now}），没有要改的",
            f"the rule is {now} already: nothing changes",
        )
    if change.state is not now and change.state not in NEXT_STATES[now]:
        wanted = "、".join(sorted(NEXT_STATES[now]))
        raise SwitchRefusedError(
            f"规则现在是 {now}，只能改为 {wanted}",
            f"the rule is {now} and can become {', '.join(sorted(NEXT_STATES[now]))} only",
        )


def _require_trial(
    deps: AuditServices, work: AuditWork, proposal: Proposal, versions: Sequence[RuleVersion]
) -> TrialRun | None:
    """The newest trial run of the rule as it would be; needed where it would have an effect."""
    if proposal.state != RuleState.LIVE:
        return None
    parameters = resulting_parameters(proposal, versions)
    digest = deps.rule_book.rule_digest(proposal.rule_code, parameters)
    since = deps.clock.now() - TRIAL_IS_RECENT
    for run in work.audit_rules.trials_of(proposal.rule_code, limit=200):
        if run.rule_digest == digest and run.finished_at >= since and run.bills > 0:
            return run
    raise SwitchRefusedError(
        f"规则上线前要先对历史票据试运行（{TRIAL_IS_RECENT.days} 天内，同样的参数）。"
        f"请运行：yichu rules trial {proposal.rule_code} --proposal {proposal.id} --by 姓名",
        f"before it goes live the rule must have been run over past bills, with these parameters "
        f"and within {TRIAL_IS_RECENT.days} days: "
        f"yichu rules trial {proposal.rule_code} --proposal {proposal.id} --by NAME",
    )


def _text(parameters: Mapping[str, Any] | None) -> str | None:
    return None if parameters is None else canonical_bytes(dict(parameters)).decode()
