"""Leads with their steps, hands and evidence; points with what was taken off them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.database.tables import (
    audit_hit,
    claim,
    decision,
    institution,
    invoice,
    invoice_version,
    lead,
    lead_evidence,
    lead_part,
    lead_recovered,
    lead_step,
    point_booking,
    point_counter,
    revision_outcome,
    revision_request,
)
from backend.domain.errors import NotFoundError
from backend.domain.points import Booking, Counter, CounterKind, Responsibility
from backend.domain.supervision import (
    Part,
    SameHandsError,
    Source,
    Step,
    StepKind,
    SubjectKind,
)
from backend.service_layer.supervision.lead_records import Evidence, Lead

#: Stored rows that evidence may point to: facts that are insert-only themselves.
_ROWS: Final = {"audit_hit": audit_hit, "decision": decision, "invoice_version": invoice_version}
_LOWER: Final = "lower"


class LeadRepository:
    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    # --- leads -------------------------------------------------------------------------------

    def add(self, entry: Lead) -> Lead:
        """Store a lead; the one that is there already for the same source and subject."""
        same = (
            lead.c.source == str(entry.source),
            lead.c.subject_kind == str(entry.subject_kind),
            lead.c.subject_id == entry.subject_id,
            lead.c.source_reference == entry.source_reference,
        )
        try:
            with self._connection.begin_nested():
                self._connection.execute(lead.insert().values(_values(entry)))
        except sa.exc.IntegrityError:
            row = self._connection.execute(sa.select(lead).where(*same)).first()
            if row is None:
                raise
            return _lead(row)
        return entry

    def get(self, lead_id: str, *, lock: bool = False) -> Lead:
        query = sa.select(lead).where(lead.c.id == lead_id)
        row = self._connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise NotFoundError("没有这条线索", "there is no such lead")
        return _lead(row)

    def all(self) -> list[Lead]:
        """Every lead, newest first."""
        rows = self._connection.execute(
            sa.select(lead).order_by(lead.c.opened_at.desc(), lead.c.id)
        )
        return [_lead(row) for row in rows]

    def waiting_after(self, kinds: Sequence[StepKind]) -> list[Lead]:
        """The leads whose last step is of one of these kinds, oldest first."""
        later = lead_step.alias("later")
        rows = self._connection.execute(
            sa.select(lead)
            .join(lead_step, lead_step.c.lead_id == lead.c.id)
            .where(
                lead_step.c.kind.in_([str(kind) for kind in kinds]),
                ~sa.exists().where(
                    later.c.lead_id == lead_step.c.lead_id,
                    later.c.ordinal > lead_step.c.ordinal,
                ),
            )
            .order_by(lead.c.opened_at, lead.c.id)
        )
        return [_lead(row) for row in rows]

    def add_part(self, lead_id: str, person: str, part: Part, at: dt.datetime) -> None:
        """Give a person a part; again the same one is harmless. Raises :class:`SameHandsError`
        when the database knows another part of that person."""
        if self.parts_of(lead_id).get(person) == part:
            return
        try:
            with self._connection.begin_nested():
                self._connection.execute(
                    lead_part.insert().values(
                        lead_id=lead_id, person=person, part=str(part), since=at
                    )
                )
        except sa.exc.IntegrityError as error:
            raise SameHandsError(
                "此人在本案中已有别的职责", "the person holds another part of this case"
            ) from error

    def parts_of(self, lead_id: str) -> dict[str, str]:
        rows = self._connection.execute(
            sa.select(lead_part.c.person, lead_part.c.part).where(lead_part.c.lead_id == lead_id)
        )
        return {row.person: row.part for row in rows}

    def add_step(self, lead_id: str, step: Step) -> None:
        values = _values(step)
        values["on_day"] = values.pop("on")
        self._connection.execute(lead_step.insert().values(lead_id=lead_id, **values))

    def steps_of(self, lead_id: str) -> list[Step]:
        return list(self._steps(lead_step.c.lead_id == lead_id).get(lead_id, ()))

    def steps_by_lead(self) -> Mapping[str, Sequence[Step]]:
        return self._steps()

    def _steps(self, *conditions: Any) -> dict[str, list[Step]]:
        rows = self._connection.execute(
            sa.select(lead_step)
            .where(*conditions)
            .order_by(lead_step.c.lead_id, lead_step.c.ordinal)
        )
        found: dict[str, list[Step]] = defaultdict(list)
        for row in rows:
            values = dict(row._mapping)
            lead_id = values.pop("lead_id")
            values["on"] = values.pop("on_day")
            values["kind"] = StepKind(values["kind"])
            values["part"] = None if values["part"] is None else Part(values["part"])
            found[lead_id].append(Step(**values))
        ends = sa.select(lead_recovered)
        if len(found) == 1:
            ends = ends.where(lead_recovered.c.lead_id == next(iter(found)))
        for row in self._connection.execute(ends):
            if row.lead_id in found:
                found[row.lead_id].append(_recovered(row))
                found[row.lead_id].sort(key=lambda step: step.ordinal)
        return found

    def close_recovered(self, lead_id: str, step: Step) -> None:
        """The system's last step of a lead: its money came back, or was given up."""
        self._connection.execute(
            lead_recovered.insert().values(
                lead_id=lead_id,
                ordinal=step.ordinal,
                reason=step.reason,
                by=step.by,
                at=step.at,
                on_day=step.on,
            )
        )

    # --- evidence ----------------------------------------------------------------------------

    def add_evidence(self, entry: Evidence) -> None:
        self._connection.execute(lead_evidence.insert().values(_values(entry)))

    def evidence_of(self, lead_id: str) -> list[Evidence]:
        rows = self._connection.execute(
            sa.select(lead_evidence)
            .where(lead_evidence.c.lead_id == lead_id)
            .order_by(lead_evidence.c.ordinal)
        )
        return [Evidence(**row._mapping) for row in rows]

    def stored_row(self, kind: str, row_id: str) -> dict[str, Any] | None:
        """A row of one of the tables that may be evidence, by its id."""
        table = _ROWS.get(kind)
        if table is None:
            return None
        row = self._connection.execute(sa.select(table).where(table.c.id == row_id)).first()
        return None if row is None else dict(row._mapping)

    def institution_of(self, kind: SubjectKind, subject_id: str) -> str | None:
        """The institution that the subject belongs to; None when there is no such row."""
        if kind is SubjectKind.INSTITUTION:
            query = sa.select(institution.c.code).where(institution.c.code == subject_id)
        elif kind is SubjectKind.INVOICE:
            query = sa.select(invoice.c.institution_code).where(invoice.c.id == subject_id)
        else:
            query = (
                sa.select(invoice.c.institution_code)
                .join(invoice_version, invoice_version.c.invoice_id == invoice.c.id)
                .join(claim, claim.c.version_id == invoice_version.c.id)
                .where(claim.c.id == subject_id)
            )
        found: str | None = self._connection.execute(query).scalar()
        return found

    def institution_role(self, code: str) -> str | None:
        found: str | None = self._connection.execute(
            sa.select(institution.c.role).where(institution.c.code == code)
        ).scalar()
        return found

    def lowered_without_lead(self, limit: int = 100) -> list[tuple[str, str]]:
        """Concluded revisions that lower an amount and have no lead: (id, claim)."""
        rows = self._connection.execute(
            sa.select(revision_request.c.id, revision_request.c.claim_id)
            .join(revision_outcome, revision_outcome.c.request_id == revision_request.c.id)
            .where(
                revision_outcome.c.effect == _LOWER,
                ~sa.exists().where(
                    lead.c.source == str(Source.REVISION),
                    lead.c.source_reference == revision_request.c.id,
                ),
            )
            .order_by(revision_request.c.filed_at, revision_request.c.id)
            .limit(limit)
        )
        return [(row[0], row[1]) for row in rows]

    # --- points ------------------------------------------------------------------------------

    def add_booking(self, entry: Booking) -> None:
        values = _values(entry)
        del values["counters"]
        self._connection.execute(point_booking.insert().values(values))

    def add_counter(self, entry: Counter) -> None:
        self._connection.execute(point_counter.insert().values(_values(entry)))

    def booking(self, booking_id: str) -> Booking | None:
        found = self._bookings(point_booking.c.id == booking_id)
        return found[0] if found else None

    def bookings_of(self, lead_id: str) -> list[Booking]:
        return self._bookings(point_booking.c.lead_id == lead_id)

    def bookings_of_person(self, institution_code: str | None, person: str) -> list[Booking]:
        """Points follow the person: without an institution, those of all."""
        conditions = [point_booking.c.person_code == person]
        if institution_code is not None:
            conditions.append(point_booking.c.institution_code == institution_code)
        return self._bookings(*conditions)

    def all_bookings(self) -> list[Booking]:
        return self._bookings()

    def _bookings(self, *conditions: Any) -> list[Booking]:
        rows = self._connection.execute(
            sa.select(point_booking)
            .where(*conditions)
            .order_by(point_booking.c.booked_at, point_booking.c.id)
        ).all()
        counters: dict[str, list[Counter]] = defaultdict(list)
        for row in self._connection.execute(
            sa.select(point_counter)
            .join(point_booking, point_booking.c.id == point_counter.c.booking_id)
            .where(*conditions)
            .order_by(point_counter.c.booking_id, point_counter.c.ordinal)
        ):
            values = {**row._mapping, "kind": CounterKind(row.kind)}
            counters[row.booking_id].append(Counter(**values))
        return [
            Booking(
                **{**row._mapping, "responsibility": Responsibility(row.responsibility)},
                counters=tuple(counters[row.id]),
            )
            for row in rows
        ]


def _values(entry: Any) -> dict[str, Any]:
    values = {one.name: getattr(entry, one.name) for one in fields(entry)}
    for name in ("source", "subject_kind", "kind", "part", "responsibility"):
        if values.get(name) is not None:
            values[name] = str(values[name])
    return values


def _recovered(row: Any) -> Step:
    return Step(row.ordinal, StepKind.RECOVERED, row.by, None, row.reason, row.at, row.on_day)


def _lead(row: Any) -> Lead:
    values = dict(row._mapping)
    values["source"] = Source(values["source"])
    values["subject_kind"] = SubjectKind(values["subject_kind"])
    return Lead(**values)
