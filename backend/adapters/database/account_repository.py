"""Leases and nonces: compare-and-swap rows, since SQLite has no row locks."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from backend.adapters.database.tables import account_nonce, lease
from backend.service_layer.anchoring.model import Lease, LeaseHeldError, LeaseLostError
from backend.service_layer.ports import Clock


class AccountRepository:
    """Who may act for an account, and with which nonce next."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def acquire(self, name: str, owner: str, seconds: float) -> Lease:
        """Take or renew a lease; raises LeaseHeldError while another owner's is running.

        A new holder gets a greater fencing token; a renewal keeps it.
        """
        now = self._clock.now()
        until = now + dt.timedelta(seconds=seconds)
        row = self._connection.execute(sa.select(lease).where(lease.c.name == name)).first()
        if row is None:
            return self._first(Lease(name, owner, 1, until))
        if row.owner != owner and row.expires_at > now:
            raise _held(name)
        token = row.fencing_token + (row.owner != owner)
        swapped = self._connection.execute(
            sa.update(lease)
            .where(lease.c.name == name, lease.c.owner == row.owner)
            .where(lease.c.fencing_token == row.fencing_token)
            .values(owner=owner, fencing_token=token, expires_at=until)
        )
        if swapped.rowcount != 1:
            raise _held(name)
        return Lease(name, owner, token, until)

    def _first(self, taken: Lease) -> Lease:
        try:
            with self._connection.begin_nested():
                self._connection.execute(
                    sa.insert(lease).values(
                        name=taken.name,
                        owner=taken.owner,
                        fencing_token=taken.fencing_token,
                        expires_at=taken.expires_at,
                    )
                )
        except IntegrityError as error:
            raise _held(taken.name) from error
        return taken

    def confirm(self, held: Lease, seconds: float) -> None:
        """Extend a lease inside the caller's transaction; raises LeaseLostError if it is gone.

        What the caller writes in the same transaction is then conditional on the fencing token.
        """
        swapped = self._connection.execute(
            sa.update(lease)
            .where(lease.c.name == held.name, lease.c.owner == held.owner)
            .where(lease.c.fencing_token == held.fencing_token)
            .values(expires_at=self._clock.now() + dt.timedelta(seconds=seconds))
        )
        if swapped.rowcount != 1:
            raise LeaseLostError(
                f"租约 {held.name} 已被他人取得",
                f"the lease {held.name} was taken by another holder",
            )

    def release(self, held: Lease) -> None:
        """Let the lease run out now, if it is still ours; the row keeps the fencing token."""
        self._connection.execute(
            sa.update(lease)
            .where(lease.c.name == held.name, lease.c.owner == held.owner)
            .where(lease.c.fencing_token == held.fencing_token)
            .values(expires_at=self._clock.now())
        )

    def holder(self, name: str) -> str:
        """The last owner of a lease, empty when it was never taken."""
        found = self._connection.execute(sa.select(lease.c.owner).where(lease.c.name == name))
        return found.scalar() or ""

    def release_all(self, owner: str) -> None:
        """Let every lease of one owner run out now."""
        self._connection.execute(
            sa.update(lease).where(lease.c.owner == owner).values(expires_at=self._clock.now())
        )

    def next_nonce(self, account: str) -> int | None:
        """The next nonce of an account, None before its first use."""
        value = self._connection.execute(
            sa.select(account_nonce.c.next_nonce).where(account_nonce.c.account == account)
        ).scalar()
        return None if value is None else int(value)

    def set_nonce(self, account: str, expected: int | None, new: int, fencing_token: int) -> None:
        """Compare-and-swap of the next nonce; raises LeaseLostError when it has moved."""
        if expected is None:
            try:
                with self._connection.begin_nested():
                    self._connection.execute(
                        sa.insert(account_nonce).values(
                            account=account, next_nonce=new, fencing_token=fencing_token
                        )
                    )
            except IntegrityError as error:
                raise _moved(account) from error
            return
        swapped = self._connection.execute(
            sa.update(account_nonce)
            .where(account_nonce.c.account == account, account_nonce.c.next_nonce == expected)
            .where(account_nonce.c.fencing_token <= fencing_token)
            .values(next_nonce=new, fencing_token=fencing_token)
        )
        if swapped.rowcount != 1:
            raise _moved(account)


def _held(name: str) -> LeaseHeldError:
    return LeaseHeldError(
        f"租约 {name} 正由他人持有", f"the lease {name} is held by another worker"
    )


def _moved(account: str) -> LeaseLostError:
    return LeaseLostError(
        f"账户 {account} 的序号已被他人使用", f"the nonce of account {account} was moved by another"
    )
