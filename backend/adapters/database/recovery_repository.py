"""Recoveries in the database: orders with what happened to them, and what is still to be opened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.database.tables import (
    claim,
    invoice,
    invoice_version,
    lead,
    lead_recovered,
    lead_step,
    ledger_intent,
    payable_reversal,
    recovery_approval,
    recovery_dismissal,
    recovery_instalment,
    recovery_order,
    recovery_receipt,
    recovery_receipt_reversal,
    recovery_reversal_request,
    recovery_waiver,
    recovery_waiver_request,
    revision_outcome,
    revision_request,
    withdrawal_cursor,
)
from backend.domain.claim import IN_EFFECT_STATES, ClaimState
from backend.domain.errors import NotFoundError
from backend.domain.journal import LayerAmounts
from backend.domain.ledger import IntentKind, IntentState
from backend.domain.recovery import (
    Approval,
    Cause,
    Debtor,
    Instalment,
    Order,
    Receipt,
    Recovery,
    RecoveryConflictError,
    Waiver,
)
from backend.domain.supervision import Source, StepKind
from backend.service_layer.recovery.ports import (
    Dismissal,
    LoweredRevision,
    OrderedLead,
    PayableReversal,
    ReceiptReversal,
    ReversalRequest,
    WaiverRequest,
)

_LAYERS: Final = tuple(one.name for one in fields(LayerAmounts))
_WITHDRAWN: Final = ("void", "reversed")
_IN_MOTION: Final = (ClaimState.SETTLED, ClaimState.PAYING, ClaimState.SUPPLEMENTING)
_BY_BILL: Final = (str(Cause.VOID), str(Cause.REVERSED))

_RECEIPT_KEY: Final = ("reference", "order_id", "ordinal")
_IS_BACK: Final = sa.exists().where(
    *(recovery_receipt_reversal.c[name] == recovery_receipt.c[name] for name in _RECEIPT_KEY)
)
"""Whether a receipt was taken back."""


class RecoveryRepository:
    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    # --- orders ------------------------------------------------------------------------------

    def add(self, order: Order) -> None:
        values = {one.name: getattr(order, one.name) for one in fields(order)}
        layers = values.pop("layers")
        values |= {name: getattr(layers, name) for name in _LAYERS}
        values |= {"amount_fen": order.amount_fen, "cause": str(order.cause)}
        values["debtor"] = str(order.debtor)
        self._connection.execute(recovery_order.insert().values(values))

    def get(self, order_id: str, *, lock: bool = False) -> Recovery:
        query = sa.select(recovery_order).where(recovery_order.c.id == order_id)
        row = self._connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise NotFoundError("没有这笔追款", "there is no such recovery")
        return self._recoveries([row])[0]

    def of_claim(self, claim_id: str) -> list[Recovery]:
        return self._where(recovery_order.c.claim_id == claim_id)

    def of_person(self, person_id: str) -> list[Recovery]:
        """What the person owes, or owed; not what an institution owes."""
        return self._where(
            recovery_order.c.person_id == person_id,
            recovery_order.c.debtor == str(Debtor.PERSON),
        )

    def of_lead(self, lead_id: str, source_reference: str) -> list[Recovery]:
        """What a lead's finding orders, and what the revision that it came from gives less."""
        return [
            *self.of_source(Cause.FINDING, lead_id),
            *(self.of_source(Cause.LOWER, source_reference) if source_reference else ()),
        ]

    def of_source(self, cause: Cause, source_id: str) -> list[Recovery]:
        return self._where(
            recovery_order.c.cause == str(cause), recovery_order.c.source_id == source_id
        )

    def all(self, *, after: str = "", limit: int = 200) -> list[Recovery]:
        """The newest first; ``after`` is the id of the last one that was seen."""
        query = sa.select(recovery_order)
        if after:
            seen = self.get(after).order
            query = query.where(
                sa.or_(
                    recovery_order.c.created_at < seen.created_at,
                    sa.and_(
                        recovery_order.c.created_at == seen.created_at,
                        recovery_order.c.id < seen.id,
                    ),
                )
            )
        query = query.order_by(recovery_order.c.created_at.desc(), recovery_order.c.id.desc())
        return self._recoveries(self._connection.execute(query.limit(limit)).all())

    def owed(self, limit: int = 10_000) -> list[Recovery]:
        """Orders that have something left, oldest first."""
        got = (
            sa.select(sa.func.coalesce(sa.func.sum(recovery_receipt.c.amount_fen), 0))
            .where(recovery_receipt.c.order_id == recovery_order.c.id, ~_IS_BACK)
            .scalar_subquery()
        )
        rows = self._connection.execute(
            sa.select(recovery_order)
            .where(
                got < recovery_order.c.amount_fen,
                ~sa.exists().where(recovery_waiver.c.order_id == recovery_order.c.id),
                ~sa.exists().where(recovery_dismissal.c.order_id == recovery_order.c.id),
            )
            .order_by(recovery_order.c.created_at, recovery_order.c.id)
            .limit(limit)
        ).all()
        return [one for one in self._recoveries(rows) if one.state.is_owed]

    def _where(self, *conditions: sa.ColumnElement[bool]) -> list[Recovery]:
        return self._recoveries(
            self._connection.execute(
                sa.select(recovery_order)
                .where(*conditions)
                .order_by(recovery_order.c.created_at, recovery_order.c.id)
            ).all()
        )

    def _recoveries(self, rows: Sequence[Any]) -> list[Recovery]:
        ids = [row.id for row in rows]
        approvals = self._by_order(recovery_approval, ids, "ordinal")
        receipts = self._by_order(recovery_receipt, ids, "recorded_at", "reference")
        parts = self._by_order(recovery_instalment, ids, "plan", "ordinal")
        waivers = self._by_order(recovery_waiver, ids, "at")
        dismissed = self._by_order(recovery_dismissal, ids, "at")
        back = {
            tuple(one[name] for name in _RECEIPT_KEY)
            for rows_of_one in self._by_order(recovery_receipt_reversal, ids, "at").values()
            for one in rows_of_one
        }
        came = {name: [Receipt(**one) for one in receipts[name]] for name in ids}
        return [
            Recovery(
                _order(row),
                tuple(Approval(**one) for one in approvals[row.id]),
                tuple(one for one in came[row.id] if one.key not in back),
                tuple(Instalment(**one) for one in parts[row.id]),
                next((_waiver(one) for one in waivers[row.id]), None),
                bool(dismissed[row.id]),
                tuple(one for one in came[row.id] if one.key in back),
            )
            for row in rows
        ]

    def _by_order(
        self, table: sa.Table, ids: Sequence[str], *order: str
    ) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for start in range(0, len(ids), 500):
            rows = self._connection.execute(
                sa.select(table)
                .where(table.c.order_id.in_(ids[start : start + 500]))
                .order_by(table.c.order_id, *(table.c[name] for name in order))
            )
            for row in rows:
                found[row.order_id].append(dict(row._mapping))
        return found

    # --- what happens to an order ---------------------------------------------------------------

    def receipt(self, reference: str) -> Receipt | None:
        row = self._connection.execute(
            sa.select(recovery_receipt)
            .where(recovery_receipt.c.reference == reference, ~_IS_BACK)
            .order_by(recovery_receipt.c.recorded_at)
            .limit(1)
        ).first()
        return None if row is None else Receipt(**row._mapping)

    def add_receipt(self, entry: Receipt) -> None:
        """Raises RecoveryConflictError where the database knows the reference, or less is left:
        another transaction was faster."""
        try:
            with self._connection.begin_nested():
                self._insert(recovery_receipt, entry)
        except sa.exc.IntegrityError as error:
            raise RecoveryConflictError(
                "刚有人登记了这笔到账，或欠款已变少：没有再记",
                "somebody has just stored this money, or less is left: nothing was stored",
            ) from error

    def reversal_requests(self, receipt: Receipt) -> list[ReversalRequest]:
        found = recovery_reversal_request.c
        rows = self._connection.execute(
            sa.select(recovery_reversal_request)
            .where(*(found[name] == getattr(receipt, name) for name in _RECEIPT_KEY))
            .order_by(found.place)
        )
        return [ReversalRequest(**row._mapping) for row in rows]

    def add_reversal_request(self, entry: ReversalRequest) -> None:
        self._insert(recovery_reversal_request, entry)

    def take_back(self, entry: ReceiptReversal) -> None:
        self._insert(recovery_receipt_reversal, entry)

    def add_approval(self, entry: Approval) -> None:
        self._insert(recovery_approval, entry)

    def add_dismissal(self, entry: Dismissal) -> None:
        self._insert(recovery_dismissal, entry)

    def add_plan(self, parts: Sequence[Instalment]) -> None:
        for part in parts:
            self._insert(recovery_instalment, part)

    def waiver_requests(self, order_id: str) -> list[WaiverRequest]:
        rows = self._by_order(recovery_waiver_request, [order_id], "ordinal")
        return [WaiverRequest(**row) for row in rows[order_id]]

    def add_waiver_request(self, entry: WaiverRequest) -> None:
        self._insert(recovery_waiver_request, entry)

    def add_waiver(self, entry: Waiver, request_ordinal: int) -> None:
        values = {one.name: getattr(entry, one.name) for one in fields(entry)}
        self._connection.execute(
            recovery_waiver.insert().values(**values, request_ordinal=request_ordinal)
        )

    def add_reversal(self, entry: PayableReversal) -> None:
        self._insert(payable_reversal, entry)

    def reversed_payables(self, claim_id: str) -> frozenset[str]:
        rows = self._connection.execute(
            sa.select(payable_reversal.c.payout_id).where(payable_reversal.c.claim_id == claim_id)
        )
        return frozenset(rows.scalars())

    def _insert(self, table: sa.Table, entry: Any) -> None:
        values = {one.name: getattr(entry, one.name) for one in fields(entry)}
        self._connection.execute(table.insert().values(values))

    # --- what is to be opened, closed or told ---------------------------------------------------

    def withdrawn_claims(self, limit: int = 200) -> list[str]:
        """Claims with money in motion, or out and not asked back, whose bill is void or reversed,
        oldest first."""
        is_asked = sa.exists().where(
            recovery_order.c.claim_id == claim.c.id, recovery_order.c.cause.in_(_BY_BILL)
        )
        rows = self._connection.execute(
            sa.select(claim.c.id)
            .join(invoice, invoice.c.id == claim.c.invoice_id)
            .where(
                invoice.c.state.in_(_WITHDRAWN),
                sa.or_(
                    claim.c.state.in_([str(state) for state in _IN_MOTION]),
                    sa.and_(claim.c.state == str(ClaimState.PAID), ~is_asked),
                ),
            )
            .order_by(claim.c.id)
            .limit(limit)
        )
        return list(rows.scalars())

    def ordered_leads(self, limit: int = 200) -> list[OrderedLead]:
        """Leads whose last step orders a recovery, oldest first, without those that have an order
        here already."""
        has_order = sa.exists().where(
            recovery_order.c.source_id == lead.c.id,
            recovery_order.c.cause == str(Cause.FINDING),
        )
        return self._ordered(limit, ~has_order)

    def ordered_lead(self, lead_id: str) -> OrderedLead:
        """Raises NotFoundError for a lead whose last step orders nothing."""
        found = self._ordered(1, lead.c.id == lead_id)
        if not found:
            raise NotFoundError("没有这条责令追回的线索", "no recovery is ordered by such a lead")
        return found[0]

    def _ordered(self, limit: int, *conditions: sa.ColumnElement[bool]) -> list[OrderedLead]:
        later = lead_step.alias("later")
        rows = self._connection.execute(
            sa.select(lead, lead_step.c.amount_fen, lead_step.c.reason)
            .join(lead_step, lead_step.c.lead_id == lead.c.id)
            .where(
                lead_step.c.kind == str(StepKind.ORDERED),
                ~sa.exists().where(
                    later.c.lead_id == lead_step.c.lead_id,
                    later.c.ordinal > lead_step.c.ordinal,
                ),
                *conditions,
            )
            .order_by(lead.c.opened_at, lead.c.id)
            .limit(limit)
        )
        return [
            OrderedLead(
                row.id,
                row.subject_kind,
                row.subject_id,
                row.institution_code,
                row.amount_fen,
                row.reason,
            )
            for row in rows
        ]

    def lowered(self, limit: int = 200) -> list[LoweredRevision]:
        """Confirmed revisions and reopenings that give less, of paid claims, without an order. An
        appeal never makes it worse for who appealed."""
        rows = self._connection.execute(
            sa.select(
                revision_request.c.id,
                revision_request.c.claim_id,
                revision_request.c.explanation,
                revision_outcome.c.reason,
            )
            .join(revision_outcome, revision_outcome.c.request_id == revision_request.c.id)
            .join(claim, claim.c.id == revision_request.c.claim_id)
            .where(
                revision_outcome.c.effect == "lower",
                revision_request.c.kind.in_(("revision", "reopen")),
                claim.c.state == str(ClaimState.PAID),
                ~sa.exists().where(
                    recovery_order.c.source_id == revision_request.c.id,
                    recovery_order.c.cause == str(Cause.LOWER),
                ),
            )
            .order_by(revision_outcome.c.decided_at, revision_request.c.id)
            .limit(limit)
        )
        return [LoweredRevision(*row) for row in rows]

    def claims_of_invoice(self, invoice_id: str) -> list[str]:
        """Claims on a bill that have a decision in effect, newest first."""
        rows = self._connection.execute(
            sa.select(claim.c.id)
            .join(invoice_version, invoice_version.c.id == claim.c.version_id)
            .where(
                invoice_version.c.invoice_id == invoice_id,
                claim.c.state.in_([str(state) for state in IN_EFFECT_STATES]),
            )
            .order_by(claim.c.created_at.desc(), claim.c.id)
        )
        return list(rows.scalars())

    def refused_on_ledger(self) -> list[tuple[str, str]]:
        """(order, outcome) of recoveries that the ledger refused for good."""
        rows = self._connection.execute(
            sa.select(recovery_order.c.id, ledger_intent.c.outcome)
            .join(ledger_intent, ledger_intent.c.subject_id == recovery_order.c.claim_id)
            .where(
                ledger_intent.c.kind == str(IntentKind.RECOVER),
                ledger_intent.c.state == str(IntentState.FINAL),
                ledger_intent.c.outcome.not_in(("done", "repeated")),
                ledger_intent.c.dedupe_key == "recover:" + recovery_order.c.id,
            )
            .order_by(recovery_order.c.id)
        )
        return [(row[0], row[1]) for row in rows]

    def of_findings_set_aside(self, limit: int = 200) -> list[tuple[str, str, str]]:
        """(order, who set its finding aside, why) where nobody has asked for a waiver yet."""
        rows = self._connection.execute(
            sa.select(recovery_order.c.id, lead_step.c.by, lead_step.c.reason)
            .join(lead_step, lead_step.c.lead_id == recovery_order.c.source_id)
            .where(
                recovery_order.c.cause == str(Cause.FINDING),
                lead_step.c.kind == str(StepKind.SET_ASIDE),
                ~sa.exists().where(recovery_waiver_request.c.order_id == recovery_order.c.id),
            )
            .order_by(recovery_order.c.id)
            .limit(limit)
        )
        return [(row.id, row.by, row.reason) for row in rows]

    def leads_to_close(self, limit: int = 200) -> list[str]:
        """Ordered leads, and open leads of revisions, that have orders of which none is open."""
        orders = sa.or_(
            sa.and_(
                recovery_order.c.source_id == lead.c.id,
                recovery_order.c.cause == str(Cause.FINDING),
            ),
            sa.and_(
                lead.c.source == str(Source.REVISION),
                recovery_order.c.source_id == lead.c.source_reference,
                recovery_order.c.cause == str(Cause.LOWER),
            ),
        )
        ends = [str(kind) for kind in (StepKind.SET_ASIDE, StepKind.REFERRED, StepKind.DISMISSED)]
        rows = self._connection.execute(
            sa.select(lead.c.id)
            .where(
                sa.exists(sa.select(recovery_order.c.id).where(orders)),
                ~sa.exists().where(lead_step.c.lead_id == lead.c.id, lead_step.c.kind.in_(ends)),
                ~sa.exists().where(lead_recovered.c.lead_id == lead.c.id),
            )
            .order_by(lead.c.id)
            .limit(limit)
        )
        return list(rows.scalars())

    # --- the ledger's own word of void and reversed bills ----------------------------------------

    def cursor(self) -> int | None:
        found: int | None = self._connection.execute(
            sa.select(withdrawal_cursor.c.block_number)
        ).scalar()
        return found

    def set_cursor(self, block_number: int) -> None:
        done = self._connection.execute(
            sa.update(withdrawal_cursor).values(block_number=block_number)
        )
        if done.rowcount == 0:
            self._connection.execute(
                withdrawal_cursor.insert().values(id=1, block_number=block_number)
            )


def _order(row: Any) -> Order:
    values = dict(row._mapping)
    del values["amount_fen"]
    values["layers"] = LayerAmounts(**{name: values.pop(name) for name in _LAYERS})
    values["cause"] = Cause(values["cause"])
    values["debtor"] = Debtor(values["debtor"])
    return Order(**values)


def _waiver(values: dict[str, Any]) -> Waiver:
    return Waiver(**{name: value for name, value in values.items() if name != "request_ordinal"})
