"""The derived cause of each claim: written at screening, again when facts change, and counted.

The claim's row holds the value of now. ``cause_basis`` is canonical JSON with the number of the
derivation, the basis in words, the day, and the codes that were derived before, so that a reader
sees why, and since when.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from backend.domain.cause import (
    GROUP_OF,
    PUBLISHED_PER_MILLE,
    TITLES,
    Cause,
    CauseCode,
    CauseGroup,
    derive_cause,
    facts_of,
    national_code,
)
from backend.domain.errors import DomainError
from backend.domain.local_time import local_day
from backend.domain.policy import PolicyError
from backend.service_layer.claims.benefits import (
    DAMAGE,
    pick_pack,
    read_invoice,
    snapshot_of,
)
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import ACCIDENT, FROM_OUTSIDE, Claim
from backend.service_layer.ports import Transaction
from verifier.commitment.canonical import canonical_bytes

EARLIER_MAX: Final = 20
LIST_MAX: Final = 1_000

UNREADABLE: Final = Cause(
    CauseCode.OTHER, "存储的票据已无法读取", "what is stored of the bill cannot be read"
)


@dataclass(frozen=True, slots=True)
class CauseCount:
    """How many claims of one origin have one stored code; None: not derived yet."""

    code: str | None
    origin: str
    claims: int


class CauseBook(Protocol):
    """Reads claims by their cause. Days are days of service, both included; None is open."""

    def counts(self, first: dt.date | None, last: dt.date | None) -> Sequence[CauseCount]: ...
    def of_code(
        self, code: str | None, first: dt.date | None, last: dt.date | None, limit: int
    ) -> list[Claim]: ...
    def without_cause(self, after: str, limit: int) -> list[str]: ...


class CauseWork(Transaction, Protocol):
    @property
    def causes(self) -> CauseBook: ...


def derive_for(deps: ClaimServices, work: ClaimWork, claim: Claim) -> Cause:
    """The cause of a claim from what is stored of it now; a damaged bill gives *other*."""
    bill = work.claims.bill_of_version(claim.version_id)
    try:
        invoice = read_invoice(work, bill)
    except (DomainError, *DAMAGE):
        return UNREADABLE
    try:
        pack = pick_pack(deps.packs, deps.settings.region, claim.service_on)
    except PolicyError:
        pack = None
    institution, area = work.bill_comparison.institution_facts(bill.institution_code)
    day = claim.service_on
    begins, ends = institution.agreement_from, institution.agreement_until
    facts = facts_of(
        invoice,
        snapshot_of(deps, work, claim.person_id, day),
        work.people.get(claim.person_id).birth_on,
        (pack and pack.catalogue) or deps.catalogue,
        hospital_area=bill.hospital_area or area,
        is_designated=begins is not None and ends is not None and begins <= day <= ends,
        is_accident_claim=claim.kind == ACCIDENT,
        is_outside=claim.origin == FROM_OUTSIDE or bill.is_outside,
        reasons=[pend.code for pend in work.claims.pends_of(claim.id)],
    )
    return derive_cause(facts)


def write_cause(deps: ClaimServices, work: ClaimWork, claim_id: str) -> Cause:
    """Derive the cause and store it where it differs from what is stored; the caller commits."""
    claim = work.claims.get(claim_id)
    cause = derive_for(deps, work, claim)
    stored = basis_of(claim)
    if stored is not None and (claim.cause, stored["zh"]) == (cause.code, cause.zh):
        return cause
    earlier = []
    if stored is not None and claim.cause is not None:
        before = {"code": claim.cause, "version": stored["version"], "on": stored["on"]}
        earlier = [*stored["earlier"], before][-EARLIER_MAX:]
    basis = {
        "version": 1 if stored is None else stored["version"] + 1,
        "on": local_day(deps.clock.now()).isoformat(),
        "zh": cause.zh,
        "en": cause.en,
        "earlier": earlier,
    }
    work.claims.update(
        claim.id,
        claim.state,
        deps.clock.now(),
        cause=str(cause.code),
        cause_basis=canonical_bytes(basis).decode(),
    )
    return cause


def basis_of(claim: Claim) -> dict[str, Any] | None:
    """The stored basis; None where no cause was derived yet."""
    if claim.cause_basis is None:
        return None
    found: dict[str, Any] = json.loads(claim.cause_basis)
    return found


def cause_view(claim: Claim) -> dict[str, Any] | None:
    """The cause in plain values, for people at work; None where none was derived yet."""
    basis = basis_of(claim)
    if claim.cause is None or basis is None:
        return None
    code = CauseCode(claim.cause)
    zh, en = TITLES[code]
    return {
        "code": str(code),
        "group": str(GROUP_OF[code]),
        "national_code": national_code(code),
        "zh": zh,
        "en": en,
        "basis": basis,
    }


def derive_missing(deps: ClaimServices) -> int:
    """Derive the cause of every claim that has none, in small transactions; how many it were.

    Claims from before causes were derived have none, nor has one that still waits for screening.
    """
    done, after = 0, ""
    while True:
        with deps.work() as work:
            ids = work.causes.without_cause(after, 100)  # type: ignore[attr-defined]
            for claim_id in ids:
                write_cause(deps, work, claim_id)
            work.commit()
        if not ids:
            return done
        done, after = done + len(ids), ids[-1]


# --- figures --------------------------------------------------------------------------------------


def figures(
    work: CauseWork, first: dt.date | None = None, last: dt.date | None = None
) -> dict[str, Any]:
    """Counts and shares by group and code beside Quzhou's published shares, and by origin.

    Every count has the code that lists its claims. Shares are of the claims with a cause, in
    thousandths, rounded half up.
    """
    counts = work.causes.counts(first, last)
    whole = sum(one.claims for one in counts if one.code is not None)
    by_code: dict[CauseCode, int] = dict.fromkeys(CauseCode, 0)
    by_origin: dict[str, int] = {}
    for one in counts:
        if one.code is not None:
            by_code[CauseCode(one.code)] += one.claims
        by_origin[one.origin] = by_origin.get(one.origin, 0) + one.claims
    groups = []
    for group in CauseGroup:
        codes = [code for code in CauseCode if GROUP_OF[code] is group]
        claims = sum(by_code[code] for code in codes)
        groups.append(
            {
                "group": str(group),
                "claims": claims,
                "per_mille": per_mille(claims, whole),
                "published_per_mille": PUBLISHED_PER_MILLE[group],
                "codes": [_row(code, by_code[code], whole) for code in codes],
            }
        )
    return {
        "from": None if first is None else first.isoformat(),
        "to": None if last is None else last.isoformat(),
        "claims": whole,
        "not_derived": sum(one.claims for one in counts if one.code is None),
        "origins": by_origin,
        "groups": groups,
    }


def _row(code: CauseCode, claims: int, whole: int) -> dict[str, Any]:
    zh, en = TITLES[code]
    return {
        "code": str(code),
        "zh": zh,
        "en": en,
        "national_code": national_code(code),
        "claims": claims,
        "per_mille": per_mille(claims, whole),
    }


def per_mille(part: int, whole: int) -> int:
    """Thousandths, rounded half up; 0 of nothing."""
    return (part * 2_000 + whole) // (2 * whole) if whole else 0
