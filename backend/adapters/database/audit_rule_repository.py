"""Audit rules: versions, proposals and answers, trial runs, rule sets, hits and outcomes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from backend.adapters.clock import SystemClock
from backend.adapters.database.tables import (
    audit_hit,
    audit_hit_event,
    audit_outcome,
    audit_rule_answer,
    audit_rule_proposal,
    audit_rule_set,
    audit_rule_version,
    audit_trial_run,
)
from backend.service_layer.audit_rules.ports import SwitchRaceError
from backend.service_layer.audit_rules.records import (
    CLEARED,
    CONFIRMED,
    ON_TRIAL,
    PENDED,
    REFUSED,
    UPHELD,
    Answer,
    HitEvent,
    Proposal,
    RuleCount,
    RuleVersion,
    StoredHit,
    TrialRun,
)
from backend.service_layer.ports import Clock

_VERSIONS: Final = sa.select(
    *(audit_rule_version.c[field.name] for field in fields(RuleVersion))
).order_by(audit_rule_version.c.rule_code, audit_rule_version.c.version)


def _values(entry: Any) -> dict[str, Any]:
    return {field.name: getattr(entry, field.name) for field in fields(entry)}


class AuditRuleRepository:
    def __init__(self, connection: sa.Connection, clock: Clock | None = None) -> None:
        self._connection = connection
        self._clock = clock or SystemClock()

    def _insert_or_leave(self, table: sa.Table, rows: Sequence[dict[str, Any]]) -> int:
        """Insert rows, leaving those whose key is there already (another worker's, perhaps)."""
        if not rows:
            return 0
        maker = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        statement = maker.insert(table).on_conflict_do_nothing()
        return sum(self._connection.execute(statement, row).rowcount for row in rows)

    # --- versions and switches ------------------------------------------------------------

    def versions(self) -> list[RuleVersion]:
        """Every version of every rule, by code and number."""
        return [RuleVersion(*row) for row in self._connection.execute(_VERSIONS)]

    def add_shipped(self, entries: Sequence[RuleVersion]) -> int:
        """Store first versions; those that are there stay as they are. Returns how many are new."""
        return self._insert_or_leave(audit_rule_version, [_values(entry) for entry in entries])

    def add_version(self, entry: RuleVersion) -> None:
        """Store what a confirmation made; raises :class:`SwitchRaceError` when another one won."""
        try:
            self._connection.execute(
                sa.insert(audit_rule_version).values(**_values(entry), answer=CONFIRMED)
            )
        except sa.exc.IntegrityError as error:
            raise SwitchRaceError() from error

    def add_proposal(self, entry: Proposal) -> None:
        self._connection.execute(sa.insert(audit_rule_proposal).values(_values(entry)))

    def proposal(self, proposal_id: str) -> Proposal | None:
        row = self._connection.execute(
            sa.select(audit_rule_proposal).where(audit_rule_proposal.c.id == proposal_id)
        ).first()
        return None if row is None else Proposal(**row._mapping)

    def proposals(
        self, rule_code: str | None = None, limit: int = 200
    ) -> list[tuple[Proposal, Answer | None]]:
        """Proposals with their answers, the newest first; an open one has none."""
        query = (
            sa.select(
                audit_rule_proposal,
                audit_rule_answer.c.answer,
                audit_rule_answer.c.answered_by,
                audit_rule_answer.c.reason.label("answer_reason"),
                audit_rule_answer.c.answered_at,
                audit_rule_answer.c.trial_run_id,
            )
            .outerjoin(
                audit_rule_answer, audit_rule_answer.c.proposal_id == audit_rule_proposal.c.id
            )
            .order_by(audit_rule_proposal.c.proposed_at.desc(), audit_rule_proposal.c.id.desc())
            .limit(limit)
        )
        if rule_code is not None:
            query = query.where(audit_rule_proposal.c.rule_code == rule_code)
        return [_proposal_and_answer(row) for row in self._connection.execute(query)]

    def answer_of(self, proposal_id: str) -> Answer | None:
        row = self._connection.execute(
            sa.select(audit_rule_answer).where(audit_rule_answer.c.proposal_id == proposal_id)
        ).first()
        return None if row is None else Answer(**row._mapping)

    def add_answer(self, entry: Answer) -> None:
        """Answer a proposal, once; raises :class:`SwitchRaceError` when another one was first, or
        when the same person would confirm what they proposed."""
        try:
            self._connection.execute(sa.insert(audit_rule_answer).values(_values(entry)))
        except sa.exc.IntegrityError as error:
            raise SwitchRaceError() from error

    # --- trial runs and rule sets ---------------------------------------------------------

    def add_trial(self, entry: TrialRun) -> None:
        self._connection.execute(sa.insert(audit_trial_run).values(_values(entry)))

    def trials_of(self, rule_code: str, limit: int = 20) -> list[TrialRun]:
        """Trial runs of a rule, the newest first."""
        rows = self._connection.execute(
            sa.select(audit_trial_run)
            .where(audit_trial_run.c.rule_code == rule_code)
            .order_by(audit_trial_run.c.finished_at.desc(), audit_trial_run.c.id.desc())
            .limit(limit)
        )
        return [TrialRun(**row._mapping) for row in rows]

    def keep_rule_set(self, digest: bytes, document: str, at: dt.datetime) -> None:
        """Keep the text behind a digest, once."""
        known = self._connection.execute(
            sa.select(audit_rule_set.c.digest).where(audit_rule_set.c.digest == digest)
        ).first()
        if known is None:
            row = {"digest": digest, "document": document, "first_used_at": at}
            self._insert_or_leave(audit_rule_set, [row])

    def rule_set_document(self, digest: bytes) -> str | None:
        found: str | None = self._connection.execute(
            sa.select(audit_rule_set.c.document).where(audit_rule_set.c.digest == digest)
        ).scalar()
        return found

    # --- hits and outcomes ----------------------------------------------------------------

    def add_hits(self, entries: Sequence[StoredHit]) -> int:
        """Store hits; one that is stored already (the audit ran again) stays. Returns the new."""
        return self._insert_or_leave(audit_hit, [_values(entry) for entry in entries])

    def hits_of(self, claim_id: str) -> list[StoredHit]:
        rows = self._connection.execute(
            sa.select(audit_hit)
            .where(audit_hit.c.claim_id == claim_id)
            .order_by(audit_hit.c.found_at, audit_hit.c.rule_code, audit_hit.c.line_index)
        )
        return [_hit(row) for row in rows]

    def hits_of_rule(self, rule_code: str, limit: int = 20) -> list[StoredHit]:
        """The newest hits of a rule."""
        rows = self._connection.execute(
            sa.select(audit_hit)
            .where(audit_hit.c.rule_code == rule_code)
            .order_by(audit_hit.c.found_at.desc(), audit_hit.c.id.desc())
            .limit(limit)
        )
        return [_hit(row) for row in rows]

    def add_hit_event(self, entry: HitEvent) -> None:
        """Add what a declaration did to a hit, after what is known of it."""
        last = self._connection.execute(
            sa.select(sa.func.max(audit_hit_event.c.sequence)).where(
                audit_hit_event.c.hit_id == entry.hit_id
            )
        ).scalar()
        self._connection.execute(
            sa.insert(audit_hit_event).values(sequence=(last or 0) + 1, **_values(entry))
        )

    def hit_events_of(self, claim_id: str) -> dict[str, list[HitEvent]]:
        """What declarations did to the claim's hits, by hit id, the oldest first."""
        rows = self._connection.execute(
            sa.select(audit_hit_event)
            .join(audit_hit, audit_hit.c.id == audit_hit_event.c.hit_id)
            .where(audit_hit.c.claim_id == claim_id)
            .order_by(audit_hit_event.c.hit_id, audit_hit_event.c.sequence)
        )
        found: dict[str, list[HitEvent]] = {}
        for row in rows:
            values = {field.name: getattr(row, field.name) for field in fields(HitEvent)}
            found.setdefault(row.hit_id, []).append(HitEvent(**values))
        return found

    def outcomes_of(self, claim_id: str) -> dict[str, str]:
        """What people found of the claim's hits, by hit id; the newest finding counts."""
        rows = self._connection.execute(
            sa.select(audit_outcome.c.hit_id, audit_outcome.c.outcome)
            .join(audit_hit, audit_hit.c.id == audit_outcome.c.hit_id)
            .where(audit_hit.c.claim_id == claim_id)
            .order_by(audit_outcome.c.sequence)
        )
        return {row.hit_id: row.outcome for row in rows}

    def add_outcome(self, hit_id: str, outcome: str, found_by: str, at: dt.datetime) -> None:
        last = self._connection.execute(
            sa.select(sa.func.max(audit_outcome.c.sequence)).where(audit_outcome.c.hit_id == hit_id)
        ).scalar()
        self._connection.execute(
            sa.insert(audit_outcome).values(
                hit_id=hit_id,
                sequence=(last or 0) + 1,
                outcome=outcome,
                found_by=found_by,
                found_at=at,
            )
        )

    def counts(self) -> list[RuleCount]:
        """Hits and outcomes of every rule that ever spoke up, by code."""
        last = (
            sa.select(
                audit_outcome.c.hit_id, sa.func.max(audit_outcome.c.sequence).label("sequence")
            )
            .group_by(audit_outcome.c.hit_id)
            .subquery()
        )
        newest = (
            sa.select(audit_outcome.c.hit_id, audit_outcome.c.outcome)
            .join(
                last,
                (last.c.hit_id == audit_outcome.c.hit_id)
                & (last.c.sequence == audit_outcome.c.sequence),
            )
            .subquery()
        )

        def count(column: sa.ColumnElement[Any], value: str) -> sa.ColumnElement[int]:
            return sa.func.coalesce(sa.func.sum(sa.case((column == value, 1), else_=0)), 0)

        effect = audit_hit.c.effect
        rows = self._connection.execute(
            sa.select(
                audit_hit.c.rule_code,
                sa.func.count(sa.distinct(audit_hit.c.claim_id)).label("claims"),
                count(effect, PENDED).label("pended"),
                count(effect, REFUSED).label("refused"),
                count(effect, ON_TRIAL).label("trial"),
                count(newest.c.outcome, UPHELD).label("upheld"),
                count(newest.c.outcome, CLEARED).label("cleared"),
            )
            .outerjoin(newest, newest.c.hit_id == audit_hit.c.id)
            .group_by(audit_hit.c.rule_code)
            .order_by(audit_hit.c.rule_code)
        )
        return [RuleCount(**{k: _plain(v) for k, v in row._mapping.items()}) for row in rows]


def _plain(value: Any) -> Any:
    """PostgreSQL sums to a Decimal."""
    return value if isinstance(value, str) else int(value)


def _hit(row: Any) -> StoredHit:
    values = dict(row._mapping)
    values["rule_set_digest"] = bytes(values["rule_set_digest"])
    return StoredHit(**values)


def _proposal_and_answer(row: Any) -> tuple[Proposal, Answer | None]:
    values = dict(row._mapping)
    proposal = Proposal(**{field.name: values[field.name] for field in fields(Proposal)})
    if values["answer"] is None:
        return proposal, None
    return proposal, Answer(
        proposal_id=proposal.id,
        proposed_by=proposal.proposed_by,
        answer=values["answer"],
        answered_by=values["answered_by"],
        reason=values["answer_reason"],
        answered_at=values["answered_at"],
        trial_run_id=values["trial_run_id"],
    )
