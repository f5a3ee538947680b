"""Submissions, claims, their stages and pend reasons, and the bills as claims read them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.clock import SystemClock
from backend.adapters.database.account_choice import AccountChoice
from backend.adapters.database.open_claims import OPEN_STATES, OpenClaims
from backend.adapters.database.tables import (
    batch,
    batch_leaf,
    claim,
    claim_stage,
    dispute,
    expense_line,
    institution,
    invoice,
    invoice_version,
    line_ruling,
    outside_bill,
    payer,
    pend_reason,
    review_case,
    submission,
)
from backend.domain.claim import ClaimState, Stage, StageOutcome
from backend.domain.errors import NotFoundError
from backend.domain.ruling import LineRuling, parse_rulings
from backend.service_layer.claims.ports import BillHeldError
from backend.service_layer.claims.records import (
    Claim,
    PendReason,
    Reason,
    StageRow,
    StoredBill,
    StoredLeaf,
    Submission,
)
from backend.service_layer.ports import Clock

_BILL_COLUMNS = (
    invoice.c.id.label("invoice_id"),
    invoice_version.c.id.label("version_id"),
    invoice_version.c.version,
    invoice.c.institution_code,
    # Of a bill from outside its place of care, as the person who checked the document found it.
    sa.func.coalesce(outside_bill.c.hospital_name, institution.c.name).label("institution_name"),
    sa.func.coalesce(outside_bill.c.hospital_level, institution.c.level).label("hospital_level"),
    sa.func.coalesce(outside_bill.c.area_code, institution.c.area_code).label("hospital_area"),
    (institution.c.role == "agency").label("is_outside"),
    invoice.c.invoice_code,
    invoice.c.invoice_number,
    invoice.c.invoice_key,
    invoice.c.second_key,
    invoice.c.key_version,
    invoice.c.kind,
    invoice.c.state,
    (invoice.c.current_version == invoice_version.c.version).label("is_current"),
    dispute.c.state.label("dispute_state"),
    dispute.c.upheld_invoice_id,
    invoice.c.public_token,
    invoice_version.c.header,
    invoice_version.c.line_count,
    invoice_version.c.total_fen,
    invoice_version.c.borne_fen,
    invoice_version.c.service_on,
    invoice_version.c.fingerprint,
    invoice_version.c.wrapped_secret,
    invoice_version.c.uploaded_at,
)
_BILLS = (
    sa.select(*_BILL_COLUMNS)
    .join(invoice_version, invoice_version.c.invoice_id == invoice.c.id)
    .join(institution, institution.c.code == invoice.c.institution_code)
    .outerjoin(dispute, dispute.c.invoice_key == invoice.c.invoice_key)
    .outerjoin(outside_bill, outside_bill.c.invoice_id == invoice.c.id)
)

# What the steps of a claim ask again and again is put together once.
_ID: Final[sa.BindParameter[str]] = sa.bindparam("id")
_BILL_OF_VERSION: Final = _BILLS.where(invoice_version.c.id == _ID)
_REDS_OF: Final = _BILLS.where(
    invoice.c.original_id == _ID, invoice_version.c.version == invoice.c.current_version
).order_by(invoice.c.id)
_LINES: Final = (
    sa.select(expense_line.c.record)
    .where(expense_line.c.version_id == _ID)
    .order_by(expense_line.c.line_index)
)
_LEAF_OF_VERSION: Final = (
    sa.select(
        batch.c.id,
        batch.c.sequence,
        batch.c.previous_head,
        batch.c.size,
        batch_leaf.c.leaf_index,
        institution.c.ledger_number,
    )
    .join(batch_leaf, batch_leaf.c.batch_id == batch.c.id)
    .join(institution, institution.c.code == batch.c.institution_code)
    .where(batch_leaf.c.version_id == _ID)
)
_LEAVES: Final = (
    sa.select(batch_leaf.c.leaf)
    .where(batch_leaf.c.batch_id == _ID)
    .order_by(batch_leaf.c.leaf_index)
)
_CLAIM: Final = sa.select(claim).where(claim.c.id == _ID)
_CLAIM_LOCKED: Final = _CLAIM.with_for_update()
_LIVE_OF_YEAR: Final = (
    sa.select(claim)
    .join(submission, submission.c.id == claim.c.submission_id)
    .join(invoice, invoice.c.id == claim.c.invoice_id)
    .where(
        claim.c.person_id == _ID,
        claim.c.benefit_year == sa.bindparam("year"),
        claim.c.live_invoice_id.is_not(None),
    )
    .order_by(
        sa.func.coalesce(claim.c.counted_from, submission.c.accepted_at),
        submission.c.id,
        claim.c.service_on,
        invoice.c.invoice_key,
    )
)
_WITHDRAWN_OF_YEAR: Final = (
    sa.select(claim.c.id)
    .join(invoice, invoice.c.id == claim.c.invoice_id)
    .where(
        claim.c.person_id == _ID,
        claim.c.benefit_year == sa.bindparam("year"),
        invoice.c.state.in_(["void", "reversed"]),
    )
)
_STAGES: Final = (
    sa.select(claim_stage)
    .where(claim_stage.c.claim_id == _ID)
    .order_by(claim_stage.c.finished_at, claim_stage.c.attempt, claim_stage.c.id)
)
_ATTEMPTS: Final = _STAGES.where(claim_stage.c.stage == sa.bindparam("stage"))
_PENDS: Final = (
    sa.select(pend_reason)
    .where(pend_reason.c.claim_id == _ID)
    .order_by(pend_reason.c.raised_at, pend_reason.c.code, pend_reason.c.line_index)
)
_RULINGS: Final = (
    sa.select(line_ruling.c.record, line_ruling.c.line_index, review_case.c.ordinal)
    .join(review_case, review_case.c.id == line_ruling.c.case_id)
    .where(line_ruling.c.claim_id == _ID)
    .order_by(review_case.c.ordinal, line_ruling.c.position)
)


def _bill(row: Any) -> StoredBill:
    values = dict(row._mapping)
    state = values.pop("dispute_state")
    upheld = values.pop("upheld_invoice_id")
    # A ruling frees the upheld bill only; the other stays disputed for ever.
    is_upheld = upheld == values["invoice_id"]
    values["is_disputed"] = state is not None and not (state == "ruled" and is_upheld)
    # Against it from the ruling on, while the ledger may still have to follow.
    values["is_ruled_against"] = state in ("ruling", "ruled") and not is_upheld
    return StoredBill(**values)


def _claim(row: Any) -> Claim:
    values = dict(row._mapping)
    values["state"] = ClaimState(values["state"])
    return Claim(**values)


class ClaimRepository(OpenClaims):
    def __init__(self, connection: sa.Connection, clock: Clock | None = None) -> None:
        super().__init__(connection)
        self._clock = clock or SystemClock()
        self._lines: dict[str, tuple[str, ...]] = {}

    # --- bills ---------------------------------------------------------------------------

    def bills_of(self, payer_id_lookup: bytes, limit: int = 500) -> list[StoredBill]:
        """The current versions of a person's bills, newest service first."""
        rows = self._connection.execute(
            _BILLS.where(
                invoice.c.payer_id_lookup == payer_id_lookup,
                invoice_version.c.version == invoice.c.current_version,
            )
            .order_by(invoice_version.c.service_on.desc(), invoice.c.invoice_key)
            .limit(limit)
        )
        return [_bill(row) for row in rows]

    def bill_of_version(self, version_id: str) -> StoredBill:
        row = self._connection.execute(_BILL_OF_VERSION, {"id": version_id}).first()
        if row is None:
            raise NotFoundError("没有这张票据", "there is no such bill")
        return _bill(row)

    def bill_by_token(self, public_token: str) -> StoredBill | None:
        row = self._connection.execute(
            _BILLS.where(
                invoice.c.public_token == public_token,
                invoice_version.c.version == invoice.c.current_version,
            )
        ).first()
        return None if row is None else _bill(row)

    def reds_of(self, invoice_id: str) -> list[StoredBill]:
        """The red bills that name this bill as their original, the oldest first."""
        rows = self._connection.execute(_REDS_OF, {"id": invoice_id})
        return [_bill(row) for row in rows]

    def lines_of(self, version_id: str) -> list[str]:
        """The canonical JSON of each expense line, in order. Read once a transaction for the bill
        asked about last: what was compared with the ledger is what is worked out."""
        known = self._lines.get(version_id)
        if known is None:
            known = tuple(self._connection.execute(_LINES, {"id": version_id}).scalars())
            self._lines = {version_id: known}
        return list(known)

    def source_of(self, version_id: str) -> tuple[str, bytes]:
        """(format, bytes) of the document as it was uploaded."""
        row = self._connection.execute(
            sa.select(invoice_version.c.source_format, invoice_version.c.source_document).where(
                invoice_version.c.id == version_id
            )
        ).one()
        return row.source_format, row.source_document

    def leaf_of_version(self, version_id: str) -> StoredLeaf | None:
        """The stored leaves of the version's batch, or None while it is in none."""
        found = self._connection.execute(_LEAF_OF_VERSION, {"id": version_id}).first()
        if found is None or found.ledger_number is None:
            return None
        leaves = self._connection.execute(_LEAVES, {"id": found.id}).scalars()
        return StoredLeaf(
            institution_number=found.ledger_number,
            sequence=found.sequence,
            previous_head=bytes(found.previous_head),
            size=found.size,
            leaf_index=found.leaf_index,
            leaves=tuple(bytes(leaf) for leaf in leaves),
        )

    def custody_of(self, institution_code: str) -> str:
        """``self`` or ``custodial``: who holds the institution's ledger key."""
        found: str = self._connection.execute(
            sa.select(institution.c.custody).where(institution.c.code == institution_code)
        ).scalar_one()
        return found

    def payer_account(self, number: int) -> str | None:
        """The account of a payer that should send its next call; None for an unknown payer."""
        return AccountChoice(self._connection, self._clock.now()).best(number)

    def payer_name(self, number: int) -> str:
        name = self._connection.execute(
            sa.select(payer.c.name).where(payer.c.number == number)
        ).scalar_one_or_none()
        return name or f"第 {number} 号付款方"

    # --- submissions ---------------------------------------------------------------------

    def submission_by_token(self, form_token: str) -> Submission | None:
        return self._submission(submission.c.form_token == form_token)

    def submission(self, submission_id: str) -> Submission | None:
        return self._submission(submission.c.id == submission_id)

    def _submission(self, condition: Any) -> Submission | None:
        row = self._connection.execute(sa.select(submission).where(condition)).first()
        return None if row is None else Submission(**row._mapping)

    def submissions_of(self, person_id: str, limit: int = 200) -> list[Submission]:
        rows = self._connection.execute(
            sa.select(submission)
            .where(submission.c.person_id == person_id)
            .order_by(submission.c.accepted_at.desc(), submission.c.id)
            .limit(limit)
        )
        return [Submission(**row._mapping) for row in rows]

    def add_submission(self, entry: Submission, claims: Sequence[Claim]) -> None:
        """Insert a submission with its claims.

        Raises :class:`BillHeldError` when the database refuses a second live claim on a bill or
        the same form sent twice; the transaction must then be rolled back.
        """
        try:
            self._connection.execute(
                submission.insert().values(
                    {name: getattr(entry, name) for name in Submission.__dataclass_fields__}
                )
            )
            for item in claims:
                values = {name: getattr(item, name) for name in Claim.__dataclass_fields__}
                values["state"] = str(item.state)
                self._connection.execute(claim.insert().values(values))
        except sa.exc.IntegrityError as error:
            raise BillHeldError() from error

    # --- claims --------------------------------------------------------------------------

    def get(self, claim_id: str, *, lock: bool = False) -> Claim:
        row = self._connection.execute(_CLAIM_LOCKED if lock else _CLAIM, {"id": claim_id}).first()
        if row is None:
            raise NotFoundError("没有这笔申请", "there is no such claim")
        return _claim(row)

    def by_number(self, number: str) -> Claim:
        row = self._connection.execute(sa.select(claim).where(claim.c.number == number)).first()
        if row is None:
            raise NotFoundError("没有这个受理号", "there is no claim of that number")
        return _claim(row)

    def of_submission(self, submission_id: str) -> list[Claim]:
        rows = self._connection.execute(
            sa.select(claim).where(claim.c.submission_id == submission_id).order_by(claim.c.number)
        )
        return [_claim(row) for row in rows]

    def live_on(self, invoice_id: str) -> Claim | None:
        row = self._connection.execute(
            sa.select(claim).where(claim.c.live_invoice_id == invoice_id)
        ).first()
        return None if row is None else _claim(row)

    def latest_on(self, invoice_id: str) -> Claim | None:
        row = self._connection.execute(
            sa.select(claim)
            .where(claim.c.invoice_id == invoice_id)
            .order_by(claim.c.created_at.desc(), claim.c.id.desc())
        ).first()
        return None if row is None else _claim(row)

    def lodged_as(self, invoice_key: bytes, counter: int) -> Claim | None:
        """Our claim that opened (invoice key, our payer, counter), if it is one of ours."""
        row = self._connection.execute(
            sa.select(claim)
            .join(invoice, invoice.c.id == claim.c.invoice_id)
            .where(invoice.c.invoice_key == invoice_key, claim.c.lodge_counter == counter)
            .order_by(claim.c.created_at)
        ).first()
        return None if row is None else _claim(row)

    def live_of_year(self, person_id: str, year: int) -> list[Claim]:
        """The person's claims that count in a year's totals, in the order of their reservation:
        submission, then service date, then invoice key (C17). One that came back after a refusal
        takes its place when it comes back."""
        rows = self._connection.execute(_LIVE_OF_YEAR, {"id": person_id, "year": year})
        return [_claim(row) for row in rows]

    def withdrawn_of_year(self, person_id: str, year: int) -> frozenset[str]:
        """The ids of the person's claims of a year whose bill is void or reversed."""
        rows = self._connection.execute(_WITHDRAWN_OF_YEAR, {"id": person_id, "year": year})
        return frozenset(rows.scalars())

    def update(self, claim_id: str, expected: ClaimState, at: dt.datetime, **values: Any) -> bool:
        """Compare-and-swap on the state; False when somebody else moved the claim first."""
        if "state" in values:
            values["state"] = str(values["state"])
        result = self._connection.execute(
            claim.update()
            .where(claim.c.id == claim_id, claim.c.state == str(expected))
            .values(updated_at=at, **values)
        )
        return result.rowcount == 1

    def awaiting_person(self, limit: int = 500) -> list[Claim]:
        """Open claims that wait for their person's declaration or material, the oldest first."""
        rows = self._connection.execute(
            sa.select(claim)
            .where(
                claim.c.live_invoice_id.is_not(None),
                claim.c.state.in_([str(ClaimState.SUBMITTED), str(ClaimState.PENDED)]),
                claim.c.waiting_for.in_(["declaration", "citizen"]),
            )
            .order_by(claim.c.created_at, claim.c.id)
            .limit(limit)
        )
        return [_claim(row) for row in rows]

    def pended(self) -> list[Claim]:
        rows = self._connection.execute(
            sa.select(claim)
            .where(
                claim.c.state.in_(OPEN_STATES),
                claim.c.id.in_(
                    sa.select(pend_reason.c.claim_id).where(pend_reason.c.resolved_at.is_(None))
                ),
            )
            .order_by(claim.c.created_at, claim.c.id)
        )
        return [_claim(row) for row in rows]

    # --- stages and pend reasons ----------------------------------------------------------

    def stages_of(self, claim_id: str, stage: Stage | None = None) -> list[StageRow]:
        """The stages that the claim went through, or the attempts at one, in their order."""
        if stage is None:
            rows = self._connection.execute(_STAGES, {"id": claim_id})
        else:
            rows = self._connection.execute(_ATTEMPTS, {"id": claim_id, "stage": str(stage)})
        return [
            StageRow(
                id=row.id,
                claim_id=row.claim_id,
                stage=Stage(row.stage),
                attempt=row.attempt,
                outcome=StageOutcome(row.outcome),
                inputs=json.loads(row.inputs),
                reasons=tuple(Reason.from_json(entry) for entry in json.loads(row.reasons)),
                started_at=row.started_at,
                finished_at=row.finished_at,
            )
            for row in rows
        ]

    def add_stage(self, entry: StageRow) -> None:
        self._connection.execute(
            claim_stage.insert().values(
                id=entry.id,
                claim_id=entry.claim_id,
                stage=str(entry.stage),
                attempt=entry.attempt,
                outcome=str(entry.outcome),
                inputs=json.dumps(entry.inputs, ensure_ascii=False, sort_keys=True),
                reasons=json.dumps(
                    [reason.to_json() for reason in entry.reasons], ensure_ascii=False
                ),
                started_at=entry.started_at,
                finished_at=entry.finished_at,
            )
        )

    def add_pend(self, entry: PendReason, *, again: bool = False) -> bool:
        """Raise a reason once a claim, code, line and rule; False when it was raised before. What
        was resolved is raised again only when the reason (``reattach``) or the caller says so."""
        known = self._connection.execute(
            sa.select(pend_reason.c.resolved_at, pend_reason.c.occurrence)
            .where(
                pend_reason.c.claim_id == entry.claim_id,
                pend_reason.c.code == entry.code,
                pend_reason.c.rule_code == entry.rule_code,
                pend_reason.c.line_index.is_(None)
                if entry.line_index is None
                else pend_reason.c.line_index == entry.line_index,
            )
            .order_by(pend_reason.c.occurrence.desc())
        ).first()
        if known is not None and (known.resolved_at is None or not (entry.reattach or again)):
            return False
        values = {name: getattr(entry, name) for name in PendReason.__dataclass_fields__}
        values["occurrence"] = 1 if known is None else known.occurrence + 1
        self._connection.execute(pend_reason.insert().values(values))
        return True

    def pends_of(self, claim_id: str) -> list[PendReason]:
        rows = self._connection.execute(_PENDS, {"id": claim_id})
        return [PendReason(**row._mapping) for row in rows]

    def resolve_pends(self, claim_id: str, by: str, resolution: str, at: dt.datetime) -> int:
        result = self._connection.execute(
            pend_reason.update()
            .where(pend_reason.c.claim_id == claim_id, pend_reason.c.resolved_at.is_(None))
            .values(resolved_at=at, resolved_by=by, resolution=resolution)
        )
        return int(result.rowcount)

    def resolve_pend(self, pend_id: str, by: str, resolution: str, at: dt.datetime) -> bool:
        """Resolve one open reason; False when it was resolved before."""
        result = self._connection.execute(
            pend_reason.update()
            .where(pend_reason.c.id == pend_id, pend_reason.c.resolved_at.is_(None))
            .values(resolved_at=at, resolved_by=by, resolution=resolution)
        )
        return bool(result.rowcount)

    def rulings_of(self, claim_id: str) -> tuple[LineRuling, ...]:
        """The line rulings in force: of each line those of the newest case that rules on it."""
        rows = self._connection.execute(_RULINGS, {"id": claim_id}).all()
        newest = {row.line_index: row.ordinal for row in rows}
        return parse_rulings(
            [json.loads(row.record) for row in rows if newest[row.line_index] == row.ordinal]
        )
