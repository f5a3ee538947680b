"""Payee accounts, guardians, contacts and notices: inserts and reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.lost_period_repository import LostPeriodRepository
from backend.adapters.database.tables import (
    guardian,
    notice,
    notice_delivery,
    payee_account,
    payee_account_event,
    payee_confirmation,
    payee_proof,
    person_contact,
)
from backend.domain.lost_period import Named, doubt_of
from backend.service_layer.payees.ports import AccountRaceError
from backend.service_layer.payees.records import (
    UNCHECKED,
    Account,
    AccountEvent,
    AccountRow,
    Confirmation,
    Contact,
    Guardian,
    Notice,
    NoticeDelivery,
    Proof,
)


def _values(entry: Any) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in type(entry).__dataclass_fields__}


class PayeeRepository:
    def __init__(self, connection: sa.Connection, lost_periods: LostPeriodRepository) -> None:
        self._connection = connection
        self._lost = lost_periods

    def accounts_of(self, person_id: str) -> list[Account]:
        """Every version with its events, oldest first."""
        rows = self._connection.execute(
            sa.select(payee_account)
            .where(payee_account.c.person_id == person_id)
            .order_by(payee_account.c.version)
        ).all()
        happened: dict[str, list[AccountEvent]] = {}
        if rows:
            for event in self._connection.execute(
                sa.select(payee_account_event).where(
                    payee_account_event.c.account_id.in_([row.id for row in rows])
                )
            ):
                entry = AccountEvent(**event._mapping)
                happened.setdefault(entry.account_id, []).append(entry)
        found = [Account(_account(row), tuple(happened.get(row.id, ()))) for row in rows]
        return self._doubted(person_id, found) if found and self._lost.periods() else found

    def _doubted(self, person_id: str, accounts: list[Account]) -> list[Account]:
        """The accounts of a restored database with what it puts in doubt."""
        confirmed = self._lost.confirmed_at([one.row.id for one in accounts])
        elsewhere = self._lost.paid_elsewhere(person_id)
        return [
            replace(
                one,
                doubt=doubt_of(
                    Named(
                        one.row.declared_at,
                        one.row.effective_at,
                        one.row.holder_id != one.row.person_id,
                        confirmed.get(one.row.id, ()),
                    ),
                    self._lost.periods(),
                    elsewhere,
                ),
            )
            for one in accounts
        ]

    def add_confirmation(self, entry: Confirmation) -> None:
        self._connection.execute(payee_confirmation.insert().values(_values(entry)))

    def account(self, account_id: str) -> AccountRow | None:
        row = self._connection.execute(
            sa.select(payee_account).where(payee_account.c.id == account_id)
        ).first()
        return None if row is None else _account(row)

    def by_token(self, form_token: str) -> AccountRow | None:
        row = self._connection.execute(
            sa.select(payee_account).where(payee_account.c.form_token == form_token)
        ).first()
        return None if row is None else _account(row)

    def add_account(self, entry: AccountRow) -> None:
        try:
            with self._connection.begin_nested():
                self._connection.execute(payee_account.insert().values(_values(entry)))
        except sa.exc.IntegrityError as error:
            raise AccountRaceError(
                "同时填了另一个账户，这次没有保存，请再试一次",
                "another account was named at the same time; nothing was stored, try again",
            ) from error

    def add_event(self, entry: AccountEvent) -> bool:
        """False when the account has such an event already."""
        try:
            with self._connection.begin_nested():
                self._connection.execute(payee_account_event.insert().values(_values(entry)))
        except sa.exc.IntegrityError:
            return False
        return True

    def proofs_of(self, account_id: str) -> list[Proof]:
        rows = self._connection.execute(
            sa.select(payee_proof)
            .where(payee_proof.c.account_id == account_id)
            .order_by(payee_proof.c.ordinal)
        )
        return [Proof(**row._mapping) for row in rows]

    def add_proof(self, entry: Proof) -> None:
        self._connection.execute(payee_proof.insert().values(_values(entry)))

    def unproven(self, limit: int = 200) -> list[AccountRow]:
        ended = sa.select(payee_proof.c.account_id).where(
            payee_proof.c.action.in_(("confirmed", "refused"))
        )
        newer = payee_account.alias("newer")
        rows = self._connection.execute(
            sa.select(payee_account)
            .where(
                payee_account.c.verdict == UNCHECKED,
                payee_account.c.id.not_in(ended),
                ~sa.exists().where(
                    newer.c.person_id == payee_account.c.person_id,
                    newer.c.version > payee_account.c.version,
                ),
            )
            .order_by(payee_account.c.declared_at, payee_account.c.id)
            .limit(limit)
        )
        return [_account(row) for row in rows]

    def guardians_of(self, minor_id: str) -> list[Guardian]:
        rows = self._connection.execute(
            sa.select(guardian)
            .where(guardian.c.minor_id == minor_id)
            .order_by(guardian.c.recorded_at, guardian.c.id)
        )
        return [Guardian(**row._mapping) for row in rows]

    def add_guardian(self, entry: Guardian) -> None:
        self._connection.execute(guardian.insert().values(_values(entry)))

    def contact_of(self, person_id: str) -> Contact | None:
        """The newest telephone number."""
        row = self._connection.execute(
            sa.select(person_contact)
            .where(person_contact.c.person_id == person_id)
            .order_by(person_contact.c.version.desc())
            .limit(1)
        ).first()
        return None if row is None else _contact(row)

    def get_contact(self, contact_id: str) -> Contact:
        row = self._connection.execute(
            sa.select(person_contact).where(person_contact.c.id == contact_id)
        ).one()
        return _contact(row)

    def add_contact(self, entry: Contact) -> None:
        self._connection.execute(person_contact.insert().values(_values(entry)))

    def add_notice(self, entry: Notice) -> None:
        self._connection.execute(notice.insert().values(_values(entry)))

    def notices_of(self, person_id: str, limit: int = 50) -> list[Notice]:
        """The newest first."""
        rows = self._connection.execute(
            sa.select(notice)
            .where(notice.c.person_id == person_id)
            .order_by(notice.c.created_at.desc(), notice.c.id.desc())
            .limit(limit)
        )
        return [Notice(**row._mapping) for row in rows]

    def undelivered(self, limit: int = 100) -> list[Notice]:
        """Notices with a contact that the messenger has not taken yet, oldest first."""
        rows = self._connection.execute(
            sa.select(notice)
            .outerjoin(notice_delivery, notice_delivery.c.notice_id == notice.c.id)
            .where(notice_delivery.c.notice_id.is_(None), notice.c.contact_id.is_not(None))
            .order_by(notice.c.created_at, notice.c.id)
            .limit(limit)
        )
        return [Notice(**row._mapping) for row in rows]

    def add_delivery(self, entry: NoticeDelivery) -> bool:
        """False when the delivery is known already."""
        try:
            with self._connection.begin_nested():
                self._connection.execute(notice_delivery.insert().values(_values(entry)))
        except sa.exc.IntegrityError:
            return False
        return True


def _account(row: sa.Row[Any]) -> AccountRow:
    return AccountRow(
        **{
            **row._mapping,
            "wrapped_number": bytes(row.wrapped_number),
            "number_lookup": bytes(row.number_lookup),
        }
    )


def _contact(row: sa.Row[Any]) -> Contact:
    return Contact(**{**row._mapping, "wrapped_phone": bytes(row.wrapped_phone)})
