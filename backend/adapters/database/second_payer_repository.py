"""Commercial insurers: keys, consents, readings, claims, kept answers. Inserts and reads."""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.institution_repository import key_hash
from backend.adapters.database.tables import (
    payer,
    payer_answer,
    payer_claim,
    payer_claim_end,
    payer_consent,
    payer_consent_end,
    payer_key,
    payer_reading,
)
from backend.domain.second_payer import NON_BASIC
from backend.service_layer.ports import Clock
from backend.service_layer.second_payers.ports import RequestInFlightError
from backend.service_layer.second_payers.records import (
    Consent,
    KeptAnswer,
    PayerClaim,
    Reading,
    SecondPayer,
)

_PAYER = (payer.c.number, payer.c.name, payer.c.payer_class)
_CONSENTS = sa.select(payer_consent, payer_consent_end.c.revoked_at).outerjoin(
    payer_consent_end, payer_consent_end.c.consent_id == payer_consent.c.id
)


def _values(entry: Any, *left_out: str) -> dict[str, Any]:
    return {
        field.name: getattr(entry, field.name)
        for field in fields(entry)
        if field.name not in left_out
    }


class SecondPayerRepository:
    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    # --- payers and their keys -----------------------------------------------------------------

    def payers(self) -> list[SecondPayer]:
        """The payers that are no basic insurers, by number."""
        rows = self._connection.execute(
            sa.select(*_PAYER).where(payer.c.payer_class == NON_BASIC).order_by(payer.c.number)
        )
        return [SecondPayer(**row._mapping) for row in rows]

    def payer_of_key(self, key: str) -> SecondPayer | None:
        """The insurer whose live key this is, None for any other text."""
        wanted = key_hash(key)
        row = self._connection.execute(
            sa.select(payer_key.c.key_hash, *_PAYER)
            .join(payer, payer.c.number == payer_key.c.payer_number)
            .where(
                payer_key.c.key_hash == wanted,
                payer_key.c.revoked_at.is_(None),
                payer.c.payer_class == NON_BASIC,
            )
        ).first()
        if row is None or not hmac.compare_digest(row.key_hash, wanted):
            return None
        return SecondPayer(row.number, row.name, row.payer_class)

    def add_key(self, key_id: str, payer_number: int, key: str) -> None:
        self._connection.execute(
            sa.insert(payer_key).values(
                id=key_id,
                payer_number=payer_number,
                key_hash=key_hash(key),
                created_at=self._clock.now(),
            )
        )

    def revoke_keys(self, payer_number: int, at: dt.datetime) -> int:
        """Revoke every live key of a payer; returns how many there were."""
        return self._connection.execute(
            sa.update(payer_key)
            .where(payer_key.c.payer_number == payer_number, payer_key.c.revoked_at.is_(None))
            .values(revoked_at=at)
        ).rowcount

    def live_keys(self, payer_number: int) -> int:
        """How many keys of a payer are live."""
        return int(
            self._connection.execute(
                sa.select(sa.func.count()).where(
                    payer_key.c.payer_number == payer_number, payer_key.c.revoked_at.is_(None)
                )
            ).scalar_one()
        )

    # --- consents ------------------------------------------------------------------------------

    def add_consent(self, entry: Consent) -> bool:
        return self._insert(payer_consent, _values(entry, "revoked_at"))

    def revoke(self, consent_id: str, at: dt.datetime) -> bool:
        """False when it was revoked before."""
        return self._insert(payer_consent_end, {"consent_id": consent_id, "revoked_at": at})

    def consent(self, consent_id: str) -> Consent | None:
        found = self._consents(_CONSENTS.where(payer_consent.c.id == consent_id))
        return found[0] if found else None

    def consents_of_person(self, person_id: str, limit: int = 200) -> list[Consent]:
        """The person's consents, the newest first."""
        return self._consents(
            _CONSENTS.where(payer_consent.c.person_id == person_id)
            .order_by(payer_consent.c.given_at.desc(), payer_consent.c.id.desc())
            .limit(limit)
        )

    def consents_on(self, payer_number: int, invoice_id: str) -> list[Consent]:
        """All consents to one payer for one bill, the newest first."""
        return self._consents(
            _CONSENTS.where(
                payer_consent.c.payer_number == payer_number,
                payer_consent.c.invoice_id == invoice_id,
            ).order_by(payer_consent.c.given_at.desc(), payer_consent.c.id.desc())
        )

    def live_consents(
        self, payer_number: int, now: dt.datetime, after: str, limit: int
    ) -> list[Consent]:
        """Consents to a payer that hold now, in the order of their ids, after one of them."""
        return self._consents(
            _CONSENTS.where(
                payer_consent.c.payer_number == payer_number,
                payer_consent.c.id > after,
                payer_consent.c.given_at <= now,
                payer_consent.c.until > now,
                payer_consent_end.c.consent_id.is_(None),
            )
            .order_by(payer_consent.c.id)
            .limit(limit)
        )

    def _consents(self, statement: sa.Select[Any]) -> list[Consent]:
        return [Consent(**row._mapping) for row in self._connection.execute(statement)]

    def add_reading(self, entry: Reading) -> bool:
        """False when a reading of that day is kept already."""
        return self._insert(payer_reading, _values(entry))

    def readings_of(self, consent_ids: Sequence[str]) -> list[Reading]:
        """The days on which bills were read under these consents, in their order."""
        rows = self._connection.execute(
            sa.select(payer_reading)
            .where(payer_reading.c.consent_id.in_(list(consent_ids)))
            .order_by(payer_reading.c.read_on, payer_reading.c.consent_id)
        )
        return [Reading(**row._mapping) for row in rows]

    # --- claims --------------------------------------------------------------------------------

    def add_claim(self, entry: PayerClaim) -> None:
        """Raises RequestInFlightError where another call of the payer took the attempt."""
        if not self._insert(payer_claim, _values(entry)):
            raise RequestInFlightError(
                "同一张票据的另一次登记刚刚提交，请再查一次状态",
                "another lodge of this bill was asked for just now: read its state",
            )

    def claim(self, claim_id: str) -> PayerClaim | None:
        found = self._claims(payer_claim.c.id == claim_id)
        return found[0] if found else None

    def claims_on(self, payer_number: int, invoice_id: str) -> list[PayerClaim]:
        """A payer's claims on a bill, oldest first."""
        return self._claims(
            payer_claim.c.payer_number == payer_number, payer_claim.c.invoice_id == invoice_id
        )

    def claims_of(self, payer_number: int, after: str, limit: int) -> list[PayerClaim]:
        """A payer's claims in the order of their ids, after one of them."""
        return self._claims(
            payer_claim.c.payer_number == payer_number, payer_claim.c.id > after, limit=limit
        )

    def claims_of_person(self, person_id: str, limit: int = 200) -> list[PayerClaim]:
        return self._claims(payer_claim.c.person_id == person_id, limit=limit)

    def open_claims(self, limit: int = 1_000) -> list[PayerClaim]:
        """Claims whose end is not kept yet, oldest first."""
        ended = sa.select(payer_claim_end.c.claim_id)
        return self._claims(payer_claim.c.id.not_in(ended), limit=limit)

    def close(self, claim_id: str, phase: str, at: dt.datetime) -> bool:
        """Keep how a claim ended; False when that is kept already."""
        return self._insert(payer_claim_end, {"claim_id": claim_id, "phase": phase, "at": at})

    def _claims(
        self, *conditions: sa.ColumnElement[bool], limit: int | None = None
    ) -> list[PayerClaim]:
        rows = self._connection.execute(
            sa.select(payer_claim).where(*conditions).order_by(payer_claim.c.id).limit(limit)
        )
        return [PayerClaim(**row._mapping) for row in rows]

    # --- kept answers --------------------------------------------------------------------------

    def kept_answer(self, payer_number: int, request_key: str) -> KeptAnswer | None:
        row = self._connection.execute(
            sa.select(payer_answer).where(
                payer_answer.c.payer_number == payer_number,
                payer_answer.c.request_key == request_key,
            )
        ).first()
        return None if row is None else KeptAnswer(**row._mapping)

    def keep_answer(self, entry: KeptAnswer) -> None:
        if not self._insert(payer_answer, _values(entry)):
            raise RequestInFlightError(
                "同一个 Idempotency-Key 正在处理，请再发一次",
                "the same Idempotency-Key is being worked on: send it again",
            )

    def _insert(self, table: sa.Table, values: dict[str, Any]) -> bool:
        try:
            with self._connection.begin_nested():
                self._connection.execute(sa.insert(table).values(values))
        except sa.exc.IntegrityError:
            return False
        return True
