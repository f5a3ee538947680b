"""Institutions and their API keys. Of a key only its SHA-256 is stored."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Sequence

import sqlalchemy as sa

from backend.adapters.database.tables import (
    api_key,
    institution,
    invoice,
    invoice_version,
    ledger_intent,
    ledger_transaction,
    unbatched_version,
)
from backend.domain.errors import NotFoundError
from backend.domain.ledger import IntentState
from backend.service_layer.anchoring.model import TransactionState
from backend.service_layer.intake.records import Institution
from backend.service_layer.ports import Clock

_UNFINISHED = tuple(
    str(state) for state in IntentState if state not in (IntentState.MINED, IntentState.FINAL)
)


def key_hash(key: str) -> bytes:
    """Keys carry 256 random bits, so that a plain hash cannot be reversed by guessing."""
    return hashlib.sha256(key.encode()).digest()


class InstitutionRepository:
    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def add(self, record: Institution) -> None:
        values = {name: getattr(record, name) for name in Institution.__slots__}
        self._connection.execute(sa.insert(institution).values(values))

    def update(self, code: str, **values: object) -> None:
        """Change terms, ledger number or account; raises NotFoundError."""
        done = self._connection.execute(
            sa.update(institution).where(institution.c.code == code).values(**values)
        )
        if done.rowcount != 1:
            raise _unknown(code)

    def get(self, code: str) -> Institution:
        found = self.find(code)
        if found is None:
            raise _unknown(code)
        return found

    def find(self, code: str) -> Institution | None:
        row = self._connection.execute(
            sa.select(institution).where(institution.c.code == code)
        ).first()
        return None if row is None else Institution(**row._mapping)

    def all(self) -> list[Institution]:
        rows = self._connection.execute(sa.select(institution).order_by(institution.c.code))
        return [Institution(**row._mapping) for row in rows]

    def with_unbatched(self) -> Sequence[str]:
        """Codes of registered institutions with a current version that is in no batch, the one
        that has waited longest first."""
        # One look at an index an institution, however many bills are stored or waiting.
        oldest = (
            sa.select(unbatched_version.c.version_id)
            .join(invoice_version, invoice_version.c.id == unbatched_version.c.version_id)
            .join(invoice, invoice.c.id == invoice_version.c.invoice_id)
            .where(
                unbatched_version.c.institution_code == institution.c.code,
                invoice_version.c.version == invoice.c.current_version,
                invoice.c.state != "void",
            )
            .order_by(unbatched_version.c.version_id)
            .limit(1)
            .correlate(institution)
            .scalar_subquery()
        )
        waiting = (
            sa.select(institution.c.code, oldest.label("oldest"))
            .where(
                institution.c.ledger_number.is_not(None),
                institution.c.ledger_account.is_not(None),
            )
            .subquery()
        )
        rows = self._connection.execute(
            sa.select(waiting.c.code)
            .where(waiting.c.oldest.is_not(None))
            .order_by(waiting.c.oldest, waiting.c.code)
        )
        return [code for (code,) in rows]

    # --- ledger accounts ----------------------------------------------------------------------

    def unfinished_accounts(self) -> Sequence[str]:
        """The accounts of all intents that are not in a block yet."""
        rows = self._connection.execute(
            sa.select(ledger_intent.c.account)
            .where(ledger_intent.c.state.in_(_UNFINISHED))
            .distinct()
            .order_by(ledger_intent.c.account)
        )
        return [account for (account,) in rows]

    def change_account(self, code: str, former: Sequence[str], account: str) -> int:
        """Make ``account`` the institution's, and give it what the ``former`` ones had to send.

        Open offers are withdrawn, and what was set aside is tried again. Signed transactions stay:
        the ledger refuses them, and their intents are then queued for the new account. Returns
        how many intents changed hands.
        """
        self.update(code, ledger_account=account)
        own = sa.and_(
            ledger_intent.c.account.in_(list(former)), ledger_intent.c.state.in_(_UNFINISHED)
        )
        changed = self._connection.execute(
            sa.update(ledger_intent).where(own).values(account=account)
        ).rowcount
        self._connection.execute(
            sa.update(ledger_transaction)
            .where(
                ledger_transaction.c.account.in_(list(former)),
                ledger_transaction.c.state == str(TransactionState.OFFERED),
            )
            .values(state=str(TransactionState.WITHDRAWN))
        )
        again = (str(IntentState.OFFERED), str(IntentState.QUARANTINED))
        self._connection.execute(
            sa.update(ledger_intent)
            .where(ledger_intent.c.account == account, ledger_intent.c.state.in_(again))
            .values(state=str(IntentState.QUEUED), tries=0, updated_at=self._clock.now())
        )
        return changed

    # --- API keys -----------------------------------------------------------------------------

    def add_key(self, key_id: str, institution_code: str, key: str) -> None:
        self._connection.execute(
            sa.insert(api_key).values(
                id=key_id,
                institution_code=institution_code,
                key_hash=key_hash(key),
                created_at=self._clock.now(),
            )
        )

    def institution_of_key(self, key: str) -> Institution | None:
        """The institution whose live key this is, None for any other text."""
        wanted = key_hash(key)
        row = self._connection.execute(
            sa.select(api_key.c.key_hash, institution)
            .join(institution, institution.c.code == api_key.c.institution_code)
            .where(api_key.c.key_hash == wanted, api_key.c.revoked_at.is_(None))
        ).first()
        if row is None or not hmac.compare_digest(row.key_hash, wanted):
            return None
        values = {name: getattr(row, name) for name in Institution.__slots__}
        return Institution(**values)

    def revoke_keys(self, institution_code: str, at: dt.datetime) -> int:
        """Revoke every live key of an institution; returns how many there were."""
        done = self._connection.execute(
            sa.update(api_key)
            .where(api_key.c.institution_code == institution_code, api_key.c.revoked_at.is_(None))
            .values(revoked_at=at)
        )
        return done.rowcount


def _unknown(code: str) -> NotFoundError:
    return NotFoundError(f"没有登记机构 {code}", f"institution {code} is not registered")
