"""Payment instructions, their files, the bank's messages and answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from backend.adapters.database.tables import (
    bank_message,
    bank_reading,
    claim,
    payable_reversal,
    payment_answer,
    payment_attempt,
    payout,
    payout_answer,
    payout_file,
    payout_hold,
    payout_lane,
)
from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError
from backend.service_layer.claims.records import Payout
from backend.service_layer.payout.records import AnswerStatus, Lane, Verdict
from backend.service_layer.payout.stored import (
    Attempt,
    BankMessage,
    Hold,
    PaymentAnswer,
    Reading,
    StoredFile,
    Tried,
)

_MAY_OWE = (ClaimState.SETTLED, ClaimState.PAYING, ClaimState.SUPPLEMENTING)
_FAILED = ("rejected", "returned")
REFUSED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class PayableFacts:
    """What was read ahead of a payable."""

    tried: tuple[Tried, ...]
    has_fallen: bool


class PaymentRepository:
    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection
        self._ahead: dict[str, PayableFacts] = {}
        self._holds: dict[str, Hold | None] = {}

    # --- what is to be paid -------------------------------------------------------------------

    def payables(
        self, *, after: tuple[dt.datetime, str] | None, limit: int, only_fresh: bool = False
    ) -> list[Payout]:
        """Payables without an instruction that is open or carried out, oldest first, but those
        that fell away with their bill.

        ``after`` is (instant, id) of the last one that was seen. ``only_fresh``: of claims that
        are being paid and wait for nothing.
        """
        failed = sa.exists().where(
            payment_answer.c.attempt_id == payment_attempt.c.id,
            payment_answer.c.status.in_(_FAILED),
        )
        under_way = sa.exists().where(payment_attempt.c.payout_id == payout.c.id, ~failed)
        query = (
            sa.select(payout)
            .join(claim, claim.c.id == payout.c.claim_id)
            .where(
                claim.c.state.in_([str(state) for state in _MAY_OWE]),
                ~sa.exists().where(payout_answer.c.payout_id == payout.c.id),
                ~sa.exists().where(payable_reversal.c.payout_id == payout.c.id),
                ~under_way,
            )
        )
        if only_fresh:
            query = query.where(
                claim.c.state == str(ClaimState.PAYING), claim.c.waiting_for.is_(None)
            )
        if after is not None:
            at, last_id = after
            query = query.where(
                sa.or_(
                    payout.c.instructed_at > at,
                    sa.and_(payout.c.instructed_at == at, payout.c.id > last_id),
                )
            )
        query = query.order_by(payout.c.instructed_at, payout.c.id).limit(limit)
        return [Payout(**row._mapping) for row in self._connection.execute(query)]

    def look_ahead(self, payables: Sequence[Payout]) -> None:
        """Read what ``tried``, ``fell_away`` and ``last_hold`` are going to be asked for, in a few
        questions. It holds until this transaction writes one: call it when their claims are
        locked."""
        ids = [one.id for one in payables]
        rows = self._connection.execute(
            sa.select(payment_attempt)
            .where(payment_attempt.c.payout_id.in_(ids))
            .order_by(payment_attempt.c.attempt)
        )
        attempts = [_attempt(row) for row in rows]
        endings = self._endings([attempt.id for attempt in attempts])
        fallen = set(
            self._connection.execute(
                sa.select(payable_reversal.c.payout_id).where(payable_reversal.c.payout_id.in_(ids))
            ).scalars()
        )
        tried: dict[str, list[Tried]] = {payout_id: [] for payout_id in ids}
        for attempt in attempts:
            tried[attempt.payout_id].append(Tried(attempt, endings.get(attempt.id)))
        holds: dict[str, Hold | None] = dict.fromkeys([one.claim_id for one in payables])
        for row in self._connection.execute(
            sa.select(payout_hold)
            .where(payout_hold.c.claim_id.in_(list(holds)))
            .order_by(payout_hold.c.ordinal)
        ):
            holds[row.claim_id] = Hold(**row._mapping)
        self._holds = holds
        self._ahead = {
            payout_id: PayableFacts(tuple(tried[payout_id]), payout_id in fallen)
            for payout_id in ids
        }

    def _forget(self) -> None:
        self._ahead, self._holds = {}, {}

    def tried(self, payout_id: str) -> list[Tried]:
        """The attempts of a payable with their endings, first to last."""
        if payout_id in self._ahead:
            return list(self._ahead[payout_id].tried)
        rows = self._connection.execute(
            sa.select(payment_attempt)
            .where(payment_attempt.c.payout_id == payout_id)
            .order_by(payment_attempt.c.attempt)
        )
        attempts = [_attempt(row) for row in rows]
        endings = self._endings([attempt.id for attempt in attempts])
        return [Tried(attempt, endings.get(attempt.id)) for attempt in attempts]

    def _endings(self, attempt_ids: Sequence[str]) -> dict[str, PaymentAnswer]:
        """The ending that counts of each attempt: what was returned is paid no longer."""
        if not attempt_ids:
            return {}
        rows = self._connection.execute(
            sa.select(payment_answer)
            .where(payment_answer.c.attempt_id.in_(attempt_ids))
            .order_by(payment_answer.c.status == "returned")
        )
        return {row.attempt_id: _answer(row) for row in rows}

    def payables_of(self, claim_id: str) -> list[Payout]:
        """Every payable of a claim, by version."""
        rows = self._connection.execute(
            sa.select(payout)
            .where(payout.c.claim_id == claim_id)
            .order_by(payout.c.decision_version)
        )
        return [Payout(**row._mapping) for row in rows]

    def fell_away(self, payout_id: str) -> bool:
        """Whether a payable is owed no longer, since its bill became void or was reversed."""
        if payout_id in self._ahead:
            return self._ahead[payout_id].has_fallen
        found = self._connection.execute(
            sa.select(payable_reversal.c.payout_id).where(payable_reversal.c.payout_id == payout_id)
        ).first()
        return found is not None

    def is_owed(self, claim_id: str) -> bool:
        """Whether a payable of the claim is not paid, or no longer; not one that fell away."""
        rows = self._connection.execute(
            sa.select(payout.c.id)
            .outerjoin(payout_answer, payout_answer.c.payout_id == payout.c.id)
            .where(
                payout.c.claim_id == claim_id,
                payout_answer.c.payout_id.is_(None),
                ~sa.exists().where(payable_reversal.c.payout_id == payout.c.id),
            )
        )
        for payout_id in rows.scalars().all():
            tried = self.tried(payout_id)
            if not tried or not tried[-1].is_paid:
                return True
        return False

    # --- files --------------------------------------------------------------------------------

    def take_turn(self, lane: Lane) -> dt.datetime | None:
        """Serialise the forming of files of a lane until the transaction ends; returns when its
        last run was finished."""
        insert = (
            postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        )
        self._connection.execute(
            insert(payout_lane).values(lane=str(lane), turn=0).on_conflict_do_nothing()
        )
        self._connection.execute(
            sa.update(payout_lane)
            .where(payout_lane.c.lane == str(lane))
            .values(turn=payout_lane.c.turn + 1)
        )
        return self.last_run(lane)

    def last_run(self, lane: Lane) -> dt.datetime | None:
        found: dt.datetime | None = self._connection.execute(
            sa.select(payout_lane.c.last_run_at).where(payout_lane.c.lane == str(lane))
        ).scalar()
        return found

    def finish_run(self, lane: Lane, at: dt.datetime) -> None:
        self._connection.execute(
            sa.update(payout_lane).where(payout_lane.c.lane == str(lane)).values(last_run_at=at)
        )

    def instructed_fen(
        self, lane: Lane, day: dt.date, *, person_id: str | None = None, region: str | None = None
    ) -> int:
        """What was instructed in a lane on a local day, failed attempts included."""
        query = sa.select(sa.func.coalesce(sa.func.sum(payment_attempt.c.amount_fen), 0)).where(
            payment_attempt.c.lane == str(lane), payment_attempt.c.instructed_on == day
        )
        if person_id is not None:
            query = query.where(payment_attempt.c.person_id == person_id)
        if region is not None:
            query = query.where(payment_attempt.c.region == region)
        return int(self._connection.execute(query).scalar_one())

    def add_file(self, entry: StoredFile, attempts: Sequence[Attempt]) -> None:
        """Store a file with its instructions; the database refuses a second payment."""
        self._connection.execute(payout_file.insert().values(_values(entry)))
        self.add_attempts(attempts)

    def add_attempts(self, attempts: Sequence[Attempt]) -> None:
        if attempts:
            self._forget()
            self._connection.execute(
                payment_attempt.insert(), [_values(attempt) for attempt in attempts]
            )

    def files_to_hand_over(self, limit: int = 100) -> list[StoredFile]:
        rows = self._connection.execute(
            sa.select(payout_file)
            .where(payout_file.c.handed_over_at.is_(None))
            .order_by(payout_file.c.created_at, payout_file.c.id)
            .limit(limit)
        )
        return [_file(row) for row in rows]

    def mark_handed_over(self, file_id: str, at: dt.datetime) -> bool:
        """False when somebody else has marked it."""
        done = self._connection.execute(
            sa.update(payout_file)
            .where(payout_file.c.id == file_id, payout_file.c.handed_over_at.is_(None))
            .values(handed_over_at=at)
        )
        return done.rowcount == 1

    def file_by_message(self, message_id: str) -> StoredFile | None:
        row = self._connection.execute(
            sa.select(payout_file).where(payout_file.c.message_id == message_id)
        ).first()
        return None if row is None else _file(row)

    def files(self, limit: int = 50) -> list[StoredFile]:
        """Newest first."""
        rows = self._connection.execute(
            sa.select(payout_file)
            .order_by(payout_file.c.created_at.desc(), payout_file.c.id.desc())
            .limit(limit)
        )
        return [_file(row) for row in rows]

    def of_file(self, file_id: str) -> list[Tried]:
        rows = self._connection.execute(
            sa.select(payment_attempt)
            .where(payment_attempt.c.file_id == file_id)
            .order_by(payment_attempt.c.end_to_end_id)
        )
        attempts = [_attempt(row) for row in rows]
        endings = self._endings([attempt.id for attempt in attempts])
        return [Tried(attempt, endings.get(attempt.id)) for attempt in attempts]

    def unanswered_files(self, before: dt.datetime, limit: int = 100) -> list[str]:
        """Message ids of files handed over before an instant with an instruction still open."""
        answered = sa.exists().where(payment_answer.c.attempt_id == payment_attempt.c.id)
        rows = self._connection.execute(
            sa.select(payout_file.c.message_id)
            .where(
                payout_file.c.handed_over_at < before,
                sa.exists().where(
                    payment_attempt.c.file_id == payout_file.c.id,
                    ~answered,
                    payment_attempt.c.claim_id == claim.c.id,
                    claim.c.state.in_([str(state) for state in _MAY_OWE]),
                ),
            )
            .order_by(payout_file.c.message_id)
            .limit(limit)
        )
        return list(rows.scalars())

    # --- what the bank says -------------------------------------------------------------------

    def message(self, name: str, digest: bytes) -> BankMessage | None:
        return self._message(bank_message.c.name == name, bank_message.c.digest == digest)

    def message_by_id(self, message_id: str) -> BankMessage | None:
        return self._message(bank_message.c.id == message_id)

    def message_of_report(self, report_id: str) -> BankMessage | None:
        """The message of a report that was booked."""
        return self._message(
            bank_message.c.report_id == report_id, bank_message.c.verdict == str(Verdict.BOOKED)
        )

    def _message(self, *conditions: sa.ColumnElement[bool]) -> BankMessage | None:
        row = self._connection.execute(sa.select(bank_message).where(*conditions)).first()
        return None if row is None else _bank_message(row)

    def messages_on(self, original_id: str) -> list[BankMessage]:
        """The booked reports on a file of ours, oldest first."""
        rows = self._connection.execute(
            sa.select(bank_message)
            .where(
                bank_message.c.original_id == original_id,
                bank_message.c.verdict == str(Verdict.BOOKED),
            )
            .order_by(bank_message.c.reported_at, bank_message.c.id)
        )
        return [_bank_message(row) for row in rows]

    def refused_on(self, original_id: str) -> list[BankMessage]:
        """The reports on a file of ours of which nothing was booked, oldest first."""
        rows = self._connection.execute(
            sa.select(bank_message)
            .where(
                bank_message.c.original_id == original_id,
                bank_message.c.verdict == str(Verdict.REFUSED),
            )
            .order_by(bank_message.c.received_at, bank_message.c.id)
            .limit(REFUSED_MAX)
        )
        return [_bank_message(row) for row in rows]

    def refused_since(self, at: dt.datetime, limit: int) -> list[BankMessage]:
        """Files of which nothing was taken in, since an instant, oldest first."""
        rows = self._connection.execute(
            sa.select(bank_message)
            .where(
                bank_message.c.received_at >= at,
                bank_message.c.verdict == str(Verdict.REFUSED),
            )
            .order_by(bank_message.c.received_at, bank_message.c.id)
            .limit(limit)
        )
        return [_bank_message(row) for row in rows]

    def messages(self, limit: int = 50) -> list[BankMessage]:
        """Newest first, without their content: fifty of them may be gigabytes."""
        told = [one for one in bank_message.c if one is not bank_message.c.wrapped_content]
        rows = self._connection.execute(
            sa.select(*told)
            .order_by(bank_message.c.received_at.desc(), bank_message.c.id.desc())
            .limit(limit)
        )
        return [_bank_message(row, wrapped_content=b"") for row in rows]

    def add_message(self, entry: BankMessage) -> None:
        self._connection.execute(bank_message.insert().values(_values(entry)))

    def add_answer(self, entry: PaymentAnswer) -> None:
        """The database refuses a second outcome of one attempt."""
        self._forget()
        self._connection.execute(payment_answer.insert().values(_values(entry)))

    def reported_at(self, attempt_ids: Sequence[str]) -> dt.datetime | None:
        """When the newest report was made that an answer of these attempts was booked from."""
        if not attempt_ids:
            return None
        found: dt.datetime | None = self._connection.execute(
            sa.select(
                sa.func.max(bank_message.c.reported_at, type_=bank_message.c.reported_at.type)
            )
            .join(payment_answer, payment_answer.c.message_id == bank_message.c.id)
            .where(payment_answer.c.attempt_id.in_(attempt_ids))
        ).scalar()
        return found

    # --- holds --------------------------------------------------------------------------------

    def add_reading(self, entry: Reading) -> None:
        values = {name: getattr(entry, name) for name in Reading.__dataclass_fields__}
        self._connection.execute(bank_reading.insert().values(values))

    def readings_of(self, message_id: str) -> list[Reading]:
        rows = self._connection.execute(
            sa.select(bank_reading)
            .where(bank_reading.c.message_id == message_id)
            .order_by(bank_reading.c.at, bank_reading.c.id)
        )
        return [Reading(**row._mapping) for row in rows]

    def add_hold(self, entry: Hold) -> None:
        """Raises ConflictError where another step was stored meanwhile, or it is no other
        person's."""
        self._forget()
        try:
            with self._connection.begin_nested():
                self._connection.execute(payout_hold.insert().values(_values(entry)))
        except sa.exc.IntegrityError as error:
            raise ConflictError(
                "刚才有人处理了这笔打款，或不能由此人处理；请重新查看",
                "somebody else dealt with this payment, or this person cannot: look again",
            ) from error

    def holds_of(self, claim_id: str) -> list[Hold]:
        """Who stopped a claim's payments or let them go, first to last."""
        rows = self._connection.execute(
            sa.select(payout_hold)
            .where(payout_hold.c.claim_id == claim_id)
            .order_by(payout_hold.c.ordinal)
        )
        return [Hold(**row._mapping) for row in rows]

    def last_hold(self, claim_id: str) -> Hold | None:
        if claim_id in self._holds:
            return self._holds[claim_id]
        row = self._connection.execute(
            sa.select(payout_hold)
            .where(payout_hold.c.claim_id == claim_id)
            .order_by(payout_hold.c.ordinal.desc())
        ).first()
        return None if row is None else Hold(**row._mapping)


def _values(entry: Any) -> dict[str, Any]:
    found = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
    return {
        name: str(value) if isinstance(value, Lane | AnswerStatus | Verdict) else value
        for name, value in found.items()
    }


def _attempt(row: Any) -> Attempt:
    return Attempt(**{**row._mapping, "lane": Lane(row.lane)})


def _file(row: Any) -> StoredFile:
    return StoredFile(**{**row._mapping, "lane": Lane(row.lane)})


def _bank_message(row: Any, **more: bytes) -> BankMessage:
    return BankMessage(**{**row._mapping, "verdict": Verdict(row.verdict), **more})


def _answer(row: Any) -> PaymentAnswer:
    return PaymentAnswer(**{**row._mapping, "status": AnswerStatus(row.status)})
