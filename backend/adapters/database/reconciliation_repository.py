"""What adopting the chain into a restored database needs: who we are on it, batches whose leaves
were lost, and the cases that a person has to deal with."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.database.account_choice import AccountChoice
from backend.adapters.database.tables import (
    account_nonce,
    alarm,
    batch,
    batch_leaf,
    claim,
    institution,
    invoice,
    invoice_version,
    ledger_intent,
    payment_answer,
    payment_attempt,
    payout,
    payout_answer,
)
from backend.adapters.database.tables import reconciliation_case as table
from backend.adapters.database.tables import reconciliation_case_event as events
from backend.domain.ledger import IntentKind, IntentState
from backend.service_layer.anchoring.model import Case, CaseEvent, KnownBatch, Parties
from backend.service_layer.ports import Clock

BY_ITSELF: Final = "reconcile"


class ReconciliationRepository:
    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def parties(self, payer_number: int) -> Parties:
        """The accounts, payers and institutions of this database."""
        used = self._connection.execute(sa.select(account_nonce.c.account)).scalars()
        paying = AccountChoice(self._connection, self._clock.now()).accounts(payer_number)
        rows = self._connection.execute(
            sa.select(
                institution.c.ledger_number,
                institution.c.code,
                sa.func.coalesce(sa.func.max(batch.c.sequence), 0),
            )
            .outerjoin(batch, batch.c.institution_code == institution.c.code)
            .where(institution.c.ledger_number.is_not(None))
            .group_by(institution.c.ledger_number, institution.c.code)
        )
        return Parties(
            accounts=tuple(sorted({*used, *paying})),
            payer_number=payer_number,
            institutions={number: (code, last) for number, code, last in rows},
        )

    # --- batches ------------------------------------------------------------------------------

    def batch_at(self, institution_code: str, sequence: int) -> KnownBatch | None:
        found = self._batches(
            batch.c.institution_code == institution_code, batch.c.sequence == sequence
        )
        return found[0] if found else None

    def add_batch(self, known: KnownBatch) -> None:
        """A batch of which only what the ledger says is known: no leaves."""
        self._connection.execute(
            sa.insert(batch).values(
                id=known.id,
                institution_code=known.institution_code,
                sequence=known.sequence,
                previous_head=known.previous_head,
                root=known.root,
                size=known.size,
                head=known.head,
                created_at=self._clock.now(),
            )
        )

    def batches_without_leaves(self) -> Sequence[KnownBatch]:
        return self._batches(
            ~sa.exists().where(batch_leaf.c.batch_id == batch.c.id),
        )

    def add_leaves(self, batch_id: str, leaves: Sequence[tuple[bytes, str]]) -> None:
        """The (leaf, invoice version id) of such a batch, in tree order."""
        self._connection.execute(
            sa.insert(batch_leaf),
            [
                {"batch_id": batch_id, "leaf_index": i, "leaf": leaf, "version_id": version_id}
                for i, (leaf, version_id) in enumerate(leaves)
            ],
        )

    def unbatched(self, institution_code: str, limit: int) -> Sequence[str]:
        """Ids of versions that are in no batch, voided and replaced ones too, in the order in
        which batches take them: they may have been anchored before they were voided or replaced."""
        rows = self._connection.execute(
            sa.select(invoice_version.c.id)
            .join(invoice, invoice.c.id == invoice_version.c.invoice_id)
            .outerjoin(batch_leaf, batch_leaf.c.version_id == invoice_version.c.id)
            .where(
                invoice.c.institution_code == institution_code,
                batch_leaf.c.version_id.is_(None),
            )
            .order_by(invoice_version.c.id)
            .limit(limit)
        )
        return list(rows.scalars())

    def custody_of(self, institution_code: str) -> str:
        found: str = self._connection.execute(
            sa.select(institution.c.custody).where(institution.c.code == institution_code)
        ).scalar_one()
        return found

    def _batches(self, *conditions: sa.ColumnElement[bool]) -> list[KnownBatch]:
        rows = self._connection.execute(
            sa.select(
                batch.c.id,
                batch.c.institution_code,
                batch.c.sequence,
                batch.c.previous_head,
                batch.c.root,
                batch.c.size,
                batch.c.head,
            )
            .where(*conditions)
            .order_by(batch.c.institution_code, batch.c.sequence)
        )
        return [KnownBatch(**row._mapping) for row in rows]

    # --- claims -------------------------------------------------------------------------------

    def live_claims_on_key(self, invoice_key: bytes) -> Sequence[str]:
        """Ids of claims that hold a bill of this key."""
        rows = self._connection.execute(
            sa.select(claim.c.id)
            .join(invoice, invoice.c.id == claim.c.live_invoice_id)
            .where(invoice.c.invoice_key == invoice_key)
            .order_by(claim.c.created_at, claim.c.id)
        )
        return list(rows.scalars())

    def paid_without_settlement(self) -> Sequence[str]:
        """Numbers of claims that the bank has paid though their settlement is not on the chain
        now: a reorganisation took it away."""
        paid_before = sa.select(payout.c.claim_id).join(
            payout_answer, payout_answer.c.payout_id == payout.c.id
        )
        paid = (
            sa.select(payment_attempt.c.claim_id)
            .join(payment_answer, payment_answer.c.attempt_id == payment_attempt.c.id)
            .where(payment_answer.c.status == "paid")
        )
        rows = self._connection.execute(
            sa.select(claim.c.number)
            .join(ledger_intent, ledger_intent.c.subject_id == claim.c.id)
            .where(
                sa.or_(
                    claim.c.id.in_(paid),
                    claim.c.id.in_(paid_before.where(payout_answer.c.outcome == "paid")),
                ),
                ledger_intent.c.kind == str(IntentKind.SETTLE),
                ledger_intent.c.state != str(IntentState.FINAL),
            )
            .order_by(claim.c.number)
        )
        return list(rows.scalars())

    def holding_alarms(self, codes: Sequence[str]) -> Sequence[tuple[str, str]]:
        """(code, subject) of the open alarms with one of these codes."""
        rows = self._connection.execute(
            sa.select(alarm.c.code, alarm.c.subject)
            .where(alarm.c.code.in_(codes), alarm.c.cleared_at.is_(None))
            .order_by(alarm.c.code, alarm.c.subject)
        )
        return [(row.code, row.subject) for row in rows]

    # --- cases --------------------------------------------------------------------------------

    def put_case(
        self, case_id: str, kind: str, detail: dict[str, Any], due_at: dt.datetime | None = None
    ) -> None:
        """Open a case, or add to an open one what it says now; a resolved one stays resolved."""
        known = self.case(case_id) or self._open(case_id, kind, detail, due_at)
        if known is None or known.resolved_at is not None:
            return
        if (known.kind, known.detail) != (kind, detail):
            self.add_event(case_id, "renewed", by=BY_ITSELF, text="", case_kind=kind, detail=detail)

    def _open(
        self, case_id: str, kind: str, detail: dict[str, Any], due_at: dt.datetime | None
    ) -> Case | None:
        """None when it is opened now, else the one that somebody else has opened at this moment."""
        text = json.dumps(detail, sort_keys=True)
        try:
            with self._connection.begin_nested():
                self._connection.execute(
                    sa.insert(table).values(
                        id=case_id, kind=kind, detail=text, found_at=self._clock.now(),
                        due_at=due_at,
                    )
                )  # fmt: skip
        except sa.exc.IntegrityError:
            opened = self.case(case_id)
            if opened is None:
                raise
            return opened
        return None

    def case(self, case_id: str) -> Case | None:
        """A case as it is now: with what was added last."""
        found = self._cases(table.c.id == case_id)
        return found[0] if found else None

    def open_cases(self) -> Sequence[Case]:
        return self._cases(table.c.resolved_at.is_(None))

    def cases_of(self, kind: str) -> Sequence[Case]:
        """Every case of a kind, resolved ones too."""
        renewed = sa.select(events.c.case_id).where(events.c.case_kind == kind)
        found = self._cases(sa.or_(table.c.kind == kind, table.c.id.in_(renewed)))
        return [case for case in found if case.kind == kind]

    def resolve_case(self, case_id: str, by: str, resolution: str) -> bool:
        """Close a case whose matter was adopted; False when there is no such open case. By hand
        cases are closed by two people, and mismatches of money by a report: the database sees
        to it."""
        if not self.lock_open(case_id):
            return False
        self.add_event(case_id, "adopted", by=by, text=resolution)
        self.end_case(case_id, by, resolution)
        return True

    def end_case(self, case_id: str, by: str, resolution: str) -> None:
        """Set the resolution, which the last event must allow."""
        self._connection.execute(
            sa.update(table)
            .where(table.c.id == case_id)
            .values(resolved_at=self._clock.now(), resolved_by=by, resolution=resolution)
        )

    def add_event(self, case_id: str, kind: str, *, by: str, text: str, **more: Any) -> CaseEvent:
        """Add what happened to a case; ``more`` are further fields of :class:`CaseEvent`."""
        self._connection.execute(
            sa.select(table.c.id).where(table.c.id == case_id).with_for_update()
        )
        ordinal = self._connection.execute(
            sa.select(sa.func.count()).select_from(events).where(events.c.case_id == case_id)
        ).scalar_one()
        event = CaseEvent(case_id, ordinal + 1, kind, by, text, self._clock.now(), **more)
        values = {one.name: getattr(event, one.name) for one in fields(event)}
        if event.detail is not None:
            values["detail"] = json.dumps(event.detail, sort_keys=True)
        self._connection.execute(sa.insert(events).values(values))
        return event

    def events_of(self, case_id: str) -> Sequence[CaseEvent]:
        """What happened to a case, first to last."""
        return self._events(events.c.case_id == case_id)

    def awaiting_agreement(self) -> Sequence[Case]:
        """Cases that two people have closed as corrected and no report has confirmed since."""
        agreed = sa.select(events.c.case_id).where(events.c.kind == "agrees")
        corrected = sa.select(events.c.case_id).where(
            events.c.kind == "confirmed", events.c.outcome == "corrected"
        )
        return self._cases(table.c.id.in_(corrected), table.c.id.not_in(agreed))

    def corrected(self) -> set[str]:
        """Ids of the cases that two people have closed as corrected, whatever came of it."""
        return set(
            self._connection.execute(
                sa.select(events.c.case_id).where(
                    events.c.kind == "confirmed", events.c.outcome == "corrected"
                )
            ).scalars()
        )

    def holding_cases(self) -> Sequence[Case]:
        """Cases while which the claim that they name is not paid: open ones, and corrected ones
        of which no report has shown yet that all sides agree."""
        return [*self.open_cases(), *self.awaiting_agreement()]

    def lock_open(self, case_id: str) -> bool:
        """Keep everybody else from closing a case until the transaction ends; False when there is
        no such open case. Whoever closes it at the same moment is waited for."""
        found = self._connection.execute(
            sa.select(table.c.id)
            .where(table.c.id == case_id, table.c.resolved_at.is_(None))
            .with_for_update()
        ).scalar_one_or_none()
        return found is not None

    def lock_alarm(self, code: str, subject: str) -> None:
        """Wait for whoever deals with an open alarm, until whose transaction ends."""
        self._connection.execute(
            sa.select(alarm.c.id)
            .where(alarm.c.code == code, alarm.c.subject == subject, alarm.c.cleared_at.is_(None))
            .order_by(alarm.c.id)
            .with_for_update()
        ).all()

    def _cases(self, *conditions: sa.ColumnElement[bool]) -> list[Case]:
        rows = self._connection.execute(
            sa.select(table).where(*conditions).order_by(table.c.found_at, table.c.id)
        ).all()
        cases = [Case(**{**row._mapping, "detail": json.loads(row.detail)}) for row in rows]
        renewed = {
            event.case_id: event
            for event in self._events(
                events.c.kind == "renewed",
                events.c.case_id.in_(sa.select(table.c.id).where(*conditions)),
            )
        }
        return [_as_renewed(case, renewed.get(case.id)) for case in cases]

    def _events(self, *conditions: sa.ColumnElement[bool]) -> list[CaseEvent]:
        rows = self._connection.execute(
            sa.select(events).where(*conditions).order_by(events.c.case_id, events.c.ordinal)
        )
        return [
            CaseEvent(
                **{
                    **row._mapping,
                    "detail": None if row.detail is None else json.loads(row.detail),
                }
            )
            for row in rows
        ]


def _as_renewed(case: Case, event: CaseEvent | None) -> Case:
    if event is None or event.case_kind is None or event.detail is None:
        return case
    return replace(case, kind=event.case_kind, detail=event.detail)
