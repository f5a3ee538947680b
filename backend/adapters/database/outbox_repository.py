"""The transactional outbox: rows of ``ledger_intent``."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from backend.adapters.database.tables import ledger_intent as table
from backend.domain.errors import NotFoundError
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.service_layer.ports import Clock

SUBJECTS_A_QUESTION: Final = 500
_UNFINISHED = [str(state) for state in IntentState if state is not IntentState.FINAL]


class OutboxRepository:
    """Intents, oldest first in the order in which they were enqueued."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._ahead: dict[tuple[IntentKind, ...], dict[str, list[LedgerIntent]]] = {}

    def add(self, intent: LedgerIntent) -> bool:
        """Enqueue; False, and nothing written, when the dedupe key is already there."""
        self._ahead.clear()
        now = self._clock.now()
        row = {
            "id": intent.id,
            "kind": str(intent.kind),
            "account": intent.account,
            "held": intent.held,
            "dedupe_key": intent.dedupe_key,
            "subject_id": intent.subject_id,
            "payload": intent.payload_text(),
            "state": str(intent.state),
            "tries": intent.tries,
            "created_at": now,
            "updated_at": now,
        }
        insert = sqlite_insert if self._connection.dialect.name == "sqlite" else postgresql_insert
        statement = insert(table).values(row).on_conflict_do_nothing(index_elements=["dedupe_key"])
        # Drivers count affected rows differently here; a returned row is unmistakable.
        return self._connection.execute(statement.returning(table.c.id)).first() is not None

    def get(self, intent_id: str) -> LedgerIntent:
        row = self._connection.execute(sa.select(table).where(table.c.id == intent_id)).first()
        if row is None:
            raise NotFoundError("没有这条上链任务", f"no ledger intent {intent_id}")
        return to_intent(row._mapping)

    def find(self, dedupe_key: str) -> LedgerIntent | None:
        row = self._connection.execute(
            sa.select(table).where(table.c.dedupe_key == dedupe_key)
        ).first()
        return None if row is None else to_intent(row._mapping)

    def of_subject(self, subject_id: str, *kinds: IntentKind) -> Sequence[LedgerIntent]:
        """All intents of one subject and these kinds, oldest first."""
        known = self._ahead.get(kinds, {})
        if subject_id in known:
            return list(known[subject_id])
        return self._select(table.c.subject_id == subject_id, _is_one_of(kinds))

    def look_ahead(self, subject_ids: Sequence[str], *kinds: IntentKind) -> None:
        """Read what ``of_subject`` is going to be asked for, in a few questions. It holds until
        this transaction writes an intent: call it when what must not move is locked."""
        found: dict[str, list[LedgerIntent]] = {subject_id: [] for subject_id in subject_ids}
        for start in range(0, len(subject_ids), SUBJECTS_A_QUESTION):
            some = subject_ids[start : start + SUBJECTS_A_QUESTION]
            for intent in self._select(table.c.subject_id.in_(some), _is_one_of(kinds)):
                found[intent.subject_id].append(intent)
        self._ahead[kinds] = self._ahead.get(kinds, {}) | found

    def of_many_subjects(
        self, subject_ids: Sequence[str], kind: IntentKind
    ) -> Sequence[LedgerIntent]:
        """All intents of these subjects and one kind, oldest first."""
        return self._select(table.c.subject_id.in_(subject_ids), table.c.kind == str(kind))

    def queued(
        self, *, held: bool, account: str | None = None, limit: int = 1_000
    ) -> Sequence[LedgerIntent]:
        """Intents that no transaction carries yet.

        Of one account so many of each kind: calls that have to wait never hide those that need not.
        """
        conditions: list[sa.ColumnElement[bool]] = [
            table.c.state == str(IntentState.QUEUED),
            table.c.held == held,
        ]
        if account is None:
            return self._select(*conditions, limit=limit)
        conditions.append(table.c.account == account)
        kinds = self._connection.execute(
            sa.select(table.c.kind, sa.func.min(table.c.created_at).label("oldest"))
            .where(*conditions)
            .group_by(table.c.kind)
            .order_by("oldest", table.c.kind)
        )
        found: list[LedgerIntent] = []
        for kind, _ in kinds.all():
            found += self._select(*conditions, table.c.kind == kind, limit=limit)
        return found

    def newest(self) -> str:
        """The greatest intent id, which changes when an intent is enqueued; empty at first."""
        return self._connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or ""

    def queued_accounts(self, *, held: bool) -> list[str]:
        """Accounts with intents that no transaction carries yet, the longest waiting first."""
        rows = self._connection.execute(
            sa.select(table.c.account)
            .where(table.c.state == str(IntentState.QUEUED), table.c.held == held)
            .group_by(table.c.account)
            .order_by(sa.func.min(table.c.created_at), table.c.account)
        )
        return list(rows.scalars())

    def in_states(
        self, *states: IntentState, kind: IntentKind | None = None
    ) -> Sequence[LedgerIntent]:
        conditions: list[sa.ColumnElement[bool]] = [
            table.c.state.in_([str(state) for state in states])
        ]
        if kind is not None:
            conditions.append(table.c.kind == str(kind))
        return self._select(*conditions)

    def mined_above(self, block_number: int) -> Sequence[LedgerIntent]:
        """Intents whose recorded block is above a height, final ones too."""
        return self._select(table.c.block_number > block_number)

    def set_state(self, intent_ids: Sequence[str], state: IntentState, **values: Any) -> None:
        """Change the state and the given columns of some intents."""
        if not intent_ids:
            return
        self._ahead.clear()
        if isinstance(values.get("outcome_detail"), dict):
            values["outcome_detail"] = json.dumps(values["outcome_detail"], sort_keys=True)
        self._connection.execute(
            sa.update(table)
            .where(table.c.id.in_(list(intent_ids)))
            .values(state=str(state), updated_at=self._clock.now(), **values)
        )

    def record_outcomes(self, outcomes: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Intents that were mined, each with its own outcome, place and detail."""
        if not outcomes:
            return
        self._ahead.clear()
        plain = ("outcome", "tx_hash", "block_number", "block_hash", "log_index", "block_at")
        rows = [
            {f"new_{name}": values[name] for name in plain}
            | {
                "intent_id": intent_id,
                "new_outcome_detail": json.dumps(values["outcome_detail"], sort_keys=True),
            }
            for intent_id, values in outcomes
        ]
        names = (*plain, "outcome_detail")
        new: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
        self._connection.execute(
            sa.update(table)
            .where(table.c.id == sa.bindparam("intent_id"))
            .values(state=str(IntentState.MINED), updated_at=self._clock.now(), **new),
            rows,
        )

    def count_tries(self, intent_ids: Sequence[str]) -> None:
        """One more try for each of these intents."""
        if intent_ids:
            self._ahead.clear()
            self._connection.execute(
                sa.update(table)
                .where(table.c.id.in_(list(intent_ids)))
                .values(tries=table.c.tries + 1, updated_at=self._clock.now())
            )

    def backlog(self) -> dict[str, tuple[int, dt.datetime]]:
        """Count and oldest creation time of the intents in each state that is not final."""
        rows = self._connection.execute(
            sa.select(table.c.state, sa.func.count(), sa.func.min(table.c.created_at))
            .where(table.c.state.in_(_UNFINISHED))  # by the index, past all that is final
            .group_by(table.c.state)
        )
        return {state: (count, oldest) for state, count, oldest in rows}

    def _select(
        self, *conditions: sa.ColumnElement[bool], limit: int | None = None
    ) -> list[LedgerIntent]:
        statement = sa.select(table).where(*conditions).order_by(table.c.created_at, table.c.id)
        rows = self._connection.execute(statement.limit(limit) if limit else statement)
        return [to_intent(row._mapping) for row in rows]


def _is_one_of(kinds: Sequence[IntentKind]) -> sa.ColumnElement[bool]:
    return table.c.kind.in_([str(kind) for kind in kinds])


def to_intent(row: Mapping[Any, Any]) -> LedgerIntent:
    """A row of ``ledger_intent`` as the domain's type."""
    detail = row["outcome_detail"]
    return LedgerIntent(
        id=row["id"],
        kind=IntentKind(row["kind"]),
        account=row["account"],
        held=row["held"],
        dedupe_key=row["dedupe_key"],
        subject_id=row["subject_id"],
        payload=json.loads(row["payload"]),
        state=IntentState(row["state"]),
        outcome=row["outcome"],
        outcome_detail=None if detail is None else json.loads(detail),
        tx_hash=row["tx_hash"],
        block_number=row["block_number"],
        block_hash=row["block_hash"],
        log_index=row["log_index"],
        block_at=row["block_at"],
        tries=row["tries"],
    )
