"""How far behind the ledger work is, for /readyz, /metrics and operators."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from backend.domain.ledger import IntentState
from backend.service_layer.anchoring.behind import BEHIND
from backend.service_layer.anchoring.model import TransactionRecord, TransactionState
from backend.service_layer.ports import BlockStamp

#: Alarms whose detail says why nothing moves, and names no person, bill or address.
_LATE: Final = ("chain-stalled", "probe-not-included")

_UNSENT: Final = str(IntentState.QUEUED)


class _Outbox(Protocol):
    def backlog(self) -> Mapping[str, tuple[int, dt.datetime]]: ...


class _Transactions(Protocol):
    def in_states(
        self, *states: TransactionState, account: str | None = None
    ) -> Sequence[TransactionRecord]: ...


class _Chain(Protocol):
    def cursor(self) -> BlockStamp | None: ...


class _Alarm(Protocol):
    @property
    def code(self) -> str: ...

    @property
    def detail(self) -> str: ...


class _Alarms(Protocol):
    def open_counts(self) -> Mapping[str, int]: ...

    def open_alarms(self) -> Sequence[_Alarm]: ...


class StatusWork(Protocol):
    @property
    def outbox(self) -> _Outbox: ...

    @property
    def transactions(self) -> _Transactions: ...

    @property
    def chain(self) -> _Chain: ...

    @property
    def alarms(self) -> _Alarms: ...


def status(work: StatusWork, now: dt.datetime) -> dict[str, Any]:
    """Counts and ages (seconds) of waiting intents by state, open nonces, the last followed
    block, open alarms by code, and why the worker refuses to start where it does."""
    backlog = work.outbox.backlog()
    pending = work.transactions.in_states(TransactionState.SIGNED, TransactionState.SENT)
    cursor = work.chain.cursor()
    return {
        "backlog": {state: count for state, (count, _) in backlog.items()},
        "oldest_seconds": {
            state: max(0.0, round((now - oldest).total_seconds(), 1))
            for state, (_, oldest) in backlog.items()
        },
        "oldest_unsent_seconds": (
            max(0.0, round((now - backlog[_UNSENT][1]).total_seconds(), 1))
            if _UNSENT in backlog
            else 0.0
        ),
        "pending_nonces": len(pending),
        "pending_by_account": dict(Counter(record.account for record in pending)),
        "last_block": 0 if cursor is None else cursor.number,
        "last_block_age_seconds": (
            0.0 if cursor is None else max(0.0, round((now - cursor.at).total_seconds(), 1))
        ),
        "alarms": dict(work.alarms.open_counts()),
        "refuses_to_start": _refusal(work),
    }


def _refusal(work: StatusWork) -> str:
    """What the ledger has that this database has not; empty when nothing is known of it."""
    found = [alarm.detail for alarm in work.alarms.open_alarms() if alarm.code == BEHIND]
    return f"{BEHIND}: {found[0]}; run `yichu reconcile`" if found else ""


def late_because(work: StatusWork) -> list[str]:
    """Why ledger work stands still, in sentences, from the open alarms that say so."""
    return sorted(
        f"{alarm.code}: {alarm.detail}"
        for alarm in work.alarms.open_alarms()
        if alarm.code in _LATE
    )
