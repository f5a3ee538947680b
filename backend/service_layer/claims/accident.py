"""Accident claims: the kind from exact codes, the declaration, and why a person always looks.

A claim whose bill shows an injury waits for the declaration of its person, for a time; then, with
or without it, somebody checks whether a third party answers for the accident. Nothing here refuses.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.domain.accident import (
    APPEAL_EN,
    APPEAL_ZH,
    EXCLUSION_OF,
    EXCLUSIONS,
    EXCUSES,
    UNDERTAKING,
    WAIT_WORKING_DAYS,
    Accident,
    Excuse,
    is_injury,
)
from backend.domain.claim import ClaimState, Stage, StageOutcome
from backend.domain.claim_deadline import past_limit
from backend.domain.explanation import Reason as PolicyReason
from backend.domain.local_time import local_day
from backend.domain.policy import PolicyError, PolicyPack
from backend.service_layer.claims.declaration_records import (
    Declaration,
    FiledWith,
    Subject,
)
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import (
    ACCIDENT,
    ORDINARY,
    Claim,
    Reason,
    StageResult,
    StoredBill,
)

DECLARATION: Final = "declaration"
"""What a claim waits for while its person has not declared the accident."""
ACCIDENT_CHECK: Final = "accident-check"
LATE_EXCUSE: Final = "late-excuse"
MAY_ANSWER: Final = frozenset(
    {
        ClaimState.SUBMITTED,
        ClaimState.SCREENED,
        ClaimState.CALCULATED,
        ClaimState.LODGING,
        ClaimState.LODGED,
        ClaimState.PENDED,
    }
)
"""States in which a declaration still counts: no decision was made."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What has to be said about a bill before it is sent; ``late`` is why it is past its limit."""

    is_accident: bool
    late: PolicyReason | None = None


def kind_of_bill(bill: StoredBill) -> str:
    """The kind that the bill's own codes give; a header that cannot be read gives *ordinary*: the
    comparison with the ledger finds the damage."""
    try:
        header = json.loads(bill.header)
    except ValueError:
        return ORDINARY
    if not isinstance(header, dict):
        return ORDINARY
    codes = (str(header.get(name, "")) for name in ("diagnosis_code", "medical_type"))
    return ACCIDENT if is_injury(*codes) else ORDINARY


def needs_of(deps: ClaimServices, bill: StoredBill) -> Needs:
    """What the check page asks for this bill when it is sent today."""
    from backend.service_layer.claims.benefits import pick_pack

    late = None
    try:
        pack: PolicyPack = pick_pack(deps.packs, deps.settings.region, bill.service_on)
        late = past_limit(pack, bill.service_on, local_day(deps.clock.now()))
    except PolicyError:
        pass  # no policy, no limit; the list itself says so
    return Needs(kind_of_bill(bill) == ACCIDENT, late)


def accident_of(work: ClaimWork, claim_id: str) -> Declaration | None:
    """The newest declaration of the accident."""
    found = work.declarations.of_claim(claim_id, Subject.ACCIDENT)
    return found[-1] if found else None


def excuse_of(work: ClaimWork, claim_id: str) -> Excuse | None:
    """Why the claim was filed late, as its person says."""
    found = work.declarations.of_claim(claim_id, Subject.LATE)
    return Excuse(**found[-1].content) if found else None


def store_filed(
    deps: ClaimServices, work: ClaimWork, claim: Claim, filed: FiledWith, by: str
) -> None:
    """Keep what was filed together with the claim's bill; the caller commits."""
    if filed.accident is not None:
        store_accident(deps, work, claim, filed.accident, by)
    if filed.excuse is not None:
        content = {"code": filed.excuse.code, "text": filed.excuse.text}
        add_declaration(deps, work, claim, Subject.LATE, content, by=by)


def store_accident(
    deps: ClaimServices, work: ClaimWork, claim: Claim, accident: Accident, by: str
) -> Declaration:
    """The next version of the declaration with the undertaking that was signed; the same content
    again adds nothing."""
    last = accident_of(work, claim.id)
    if last is not None and last.content == accident.to_record():
        return last
    return add_declaration(deps, work, claim, Subject.ACCIDENT, accident.to_record(), by=by)


def add_declaration(
    deps: ClaimServices,
    work: ClaimWork,
    claim: Claim,
    subject: Subject,
    content: Mapping[str, Any],
    *,
    by: str,
) -> Declaration:
    """Insert the next version of one subject; the caller holds the claim and commits."""
    entry = Declaration(
        id=deps.ids.new_id("dcl"),
        claim_id=claim.id,
        subject=subject,
        version=1 + len(work.declarations.of_claim(claim.id, subject)),
        content=dict(content),
        declared_by=by,
        declared_at=deps.clock.now(),
    )
    if subject is Subject.ACCIDENT:
        entry = replace(
            entry,
            undertaking_version=UNDERTAKING.version,
            undertaking_digest=UNDERTAKING.digest,
        )
    work.declarations.add(entry)
    return entry


def derived_kind(work: ClaimWork, claim: Claim, bill: StoredBill) -> str:
    """The claim's kind: as a reviewer has corrected it, else as the bill's codes say."""
    if claim.kind != ORDINARY or work.declarations.of_claim(claim.id, Subject.KIND):
        return claim.kind
    return kind_of_bill(bill)


def settle_kind(deps: ClaimServices, work: ClaimWork, claim: Claim, bill: StoredBill) -> Claim:
    """Write down the derived kind where the claim does not have it yet."""
    kind = derived_kind(work, claim, bill)
    if kind == claim.kind:
        return claim
    work.claims.update(claim.id, claim.state, deps.clock.now(), kind=kind)
    return replace(claim, kind=kind)


def may_declare(claim: Claim) -> bool:
    """Whether a declaration still counts: the accident claim is not decided yet."""
    return claim.kind == ACCIDENT and claim.state in MAY_ANSWER


def lacks_declaration(work: ClaimWork, claim: Claim) -> bool:
    """Whether the claim's person is asked for a declaration."""
    return may_declare(claim) and accident_of(work, claim.id) is None


def answer_until(deps: ClaimServices, claim: Claim) -> dt.date:
    """The last day on which the claim waits for its declaration."""
    until: dt.date = deps.calendar.due_date(local_day(claim.created_at), WAIT_WORKING_DAYS)
    return until


def wait_for_declaration(
    deps: ClaimServices, work: ClaimWork, claim: Claim, inputs: dict[str, Any]
) -> StageResult | None:
    """That the claim waits for its person, or None when it does not (any longer)."""
    if not lacks_declaration(work, claim):
        return None
    until = answer_until(deps, claim)
    if local_day(deps.clock.now()) > until:
        return None
    reason = Reason(
        DECLARATION,
        f"这张票据是看伤的，请您说明受伤的经过（{until.isoformat()} 前），交了自动继续",
        f"the bill is of an injury: please declare the accident by {until.isoformat()}",
    )
    return StageResult(Stage.SCREENING, StageOutcome.WAITING, inputs, (reason,), DECLARATION)


def check_reason(work: ClaimWork, claim: Claim) -> Reason:
    """Why a person looks at every accident claim; it suggests an exclusion, and decides nothing."""
    found = accident_of(work, claim.id)
    if found is None:
        return Reason(
            ACCIDENT_CHECK,
            "意外伤害，还没有收到说明和承诺书，由工作人员核对",
            "accidental injury without a declaration; a person checks",
        )
    code = EXCLUSION_OF.get(found.accident.liability)
    if code is None:
        return Reason(
            ACCIDENT_CHECK,
            "意外伤害，由工作人员核对有没有第三方责任",
            "accidental injury: a person checks whether a third party is liable",
        )
    zh, en = EXCLUSIONS[code]
    return Reason(
        ACCIDENT_CHECK,
        f"意外伤害，说明里有他人、工伤或交通责任，由工作人员核对由谁支付（{code}：{zh}）。{APPEAL_ZH}",
        f"accidental injury with a stated liability; a person checks who pays ({code}: {en}); "
        f"{APPEAL_EN}",
    )


def late_reason(excuse: Excuse, too_late: Reason) -> Reason:
    """A filing past its limit with an excuse: a person decides whether it stands."""
    words = EXCUSES.get(excuse.code, excuse.code)
    return Reason(
        LATE_EXCUSE,
        f"过了报销期限，您的理由是“{words}”，由工作人员核对",
        f"past the limit with the excuse {excuse.code}; a person decides. {too_late.en}",
    )
