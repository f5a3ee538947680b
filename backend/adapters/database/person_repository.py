"""People and their logins."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.database.tables import ended_login, login, person
from backend.domain.errors import NotFoundError
from backend.service_layer.claims.records import Login, Person

_ID: Final[sa.BindParameter[str]] = sa.bindparam("id")
_PERSON: Final = sa.select(person).where(person.c.id == _ID)
#: Not against rows that only name the person: a worker that holds a claim inserts such rows.
_LOCKED: Final = sa.select(person.c.id).where(person.c.id == _ID).with_for_update(key_share=True)


class PersonRepository:
    """Reads and writes of ``person`` and ``login`` in one transaction."""

    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def get(self, person_id: str) -> Person:
        row = self._connection.execute(_PERSON, {"id": person_id}).first()
        if row is None:
            raise NotFoundError("没有这位参保人", "there is no such person")
        return Person(**row._mapping)

    def lock(self, person_id: str) -> None:
        """Serialise what follows for this person until the transaction ends.

        PostgreSQL locks the row; SQLite already holds its one write lock.
        """
        self._connection.execute(_LOCKED, {"id": person_id})

    def find_by_identity(self, identity_number: str) -> Person | None:
        row = self._connection.execute(
            sa.select(person).where(person.c.identity_number == identity_number)
        ).first()
        return None if row is None else Person(**row._mapping)

    def add(self, entry: Person) -> None:
        self._connection.execute(
            person.insert().values(
                {name: getattr(entry, name) for name in Person.__dataclass_fields__}
            )
        )

    def add_login(self, entry: Login) -> None:
        self._connection.execute(
            login.insert().values(
                {name: getattr(entry, name) for name in Login.__dataclass_fields__}
            )
        )

    def find_login(self, username: str) -> Login | None:
        row = self._connection.execute(sa.select(login).where(login.c.username == username)).first()
        return None if row is None else Login(**row._mapping)

    def get_login(self, login_id: str) -> Login | None:
        row = self._connection.execute(sa.select(login).where(login.c.id == login_id)).first()
        return None if row is None else Login(**row._mapping)

    def end_login(self, nonce_hash: bytes, now: dt.datetime, kept: dt.timedelta) -> None:
        """Refuse this login from now on; ends older than ``kept`` are forgotten, since their
        cookies have run out by themselves."""
        self._connection.execute(
            ended_login.delete().where(
                sa.or_(ended_login.c.ended_at < now - kept, ended_login.c.nonce_hash == nonce_hash)
            )
        )
        self._connection.execute(ended_login.insert().values(nonce_hash=nonce_hash, ended_at=now))

    def is_ended(self, nonce_hash: bytes) -> bool:
        """Whether this login was ended by a logout."""
        found = sa.select(ended_login.c.ended_at).where(ended_login.c.nonce_hash == nonce_hash)
        return self._connection.execute(found).first() is not None

    def sample_logins(self) -> list[tuple[str, str]]:
        """(username, person's name) of the sample citizens, for the development login page."""
        rows = self._connection.execute(
            sa.select(login.c.username, person.c.name)
            .join(person, person.c.id == login.c.person_id)
            .where(login.c.is_sample.is_(True), login.c.role == "citizen")
            .order_by(login.c.username)
        )
        return [(row.username, row.name) for row in rows]
