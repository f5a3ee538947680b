"""Record a fact of a person and work out again every claim that it concerns, in one transaction.

The person's lock is held throughout, as it is while a claim is screened, decided or closed: a
filing that comes while a claim is being decided is either known to that decision or revises it.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.domain.local_time import local_day
from backend.domain.register import RegisterFact, known_facts
from backend.service_layer.handling.ports import HandlingServices
from backend.service_layer.register.entries import Entry, check_entry, check_signature
from backend.service_layer.register.rework import Effect, rework_claims


@dataclass(frozen=True, slots=True)
class Recorded:
    """``is_new`` is False when the register said just that already; then nothing was changed."""

    fact: RegisterFact
    is_new: bool
    effects: tuple[Effect, ...] = ()


def record_fact(
    deps: HandlingServices, person_id: str, entry: Entry, *, by: str, reason: str
) -> Recorded:
    """Insert the fact, or the correction of an earlier one, and rework the person's claims.

    Idempotent: what the register says already is not recorded twice. Raises
    :class:`RegisterRefusedError` with every fault, NotFoundError for nobody, and
    :class:`ConflictError` when the corrected fact was corrected meanwhile.
    """
    check_signature(by, reason)
    with deps.work() as work:
        work.people.get(person_id)
        work.people.lock(person_id)
        facts = work.register.facts_of(person_id)
        known = _said_already(facts, entry)
        if known is not None:
            return Recorded(known, is_new=False)
        standing = known_facts(facts)
        now = deps.clock.now()
        check_entry(entry, standing, region=deps.settings.region, today=local_day(now))
        fact = RegisterFact(
            id=deps.ids.new_id("fct"),
            person_id=person_id,
            kind=entry.kind,
            code=entry.code,
            detail=entry.detail,
            valid_from=entry.valid_from,
            valid_to=entry.valid_to,
            filed_on=entry.filed_on,
            supersedes=entry.corrects,
            is_withdrawn=entry.is_withdrawn,
            source=deps.facts.source,
            recorded_by=by.strip(),
            reason=reason.strip(),
            recorded_at=now,
        )
        work.register.add(fact)
        before = [one for one in standing if one.id == entry.corrects]
        effects = rework_claims(deps, work, person_id, [fact, *before], reason.strip())
        work.commit()
    return Recorded(fact, is_new=True, effects=effects)


def _said_already(facts: list[RegisterFact], entry: Entry) -> RegisterFact | None:
    """A fact that stands and says the same; for a correction, the one that made it."""
    if entry.corrects is not None:
        candidates = [one for one in facts if one.supersedes == entry.corrects]
    else:
        candidates = list(known_facts(facts))
    return next((one for one in candidates if one.says() == entry.says()), None)
