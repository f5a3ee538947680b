"""The port ``PayeeAccounts`` of payouts: which verified account money may go to now."""

from __future__ import annotations

import datetime as dt
from typing import Any

from backend.domain.payee import AccountRefusedError, Standing, account_at
from backend.service_layer.payees.holder import holder_of
from backend.service_layer.payees.ports import PayeeWork
from backend.service_layer.payees.records import CLOSED, Account, AccountEvent
from backend.service_layer.payout.records import (
    ACCOUNT_MISSING,
    ACCOUNT_UNVERIFIED,
    AccountAnswer,
    PayeeAccount,
)
from backend.service_layer.ports import SecretBox


def number_context(account_id: str) -> str:
    """The context under which an account's number is wrapped: it opens in its own row alone."""
    return f"payee-account/{account_id}"


class VerifiedAccounts:
    """Reads versions and events; keeps nothing."""

    def __init__(self, secret_box: SecretBox) -> None:
        self._secret_box = secret_box

    def account_for(self, work: Any, person_id: str, at: dt.datetime) -> AccountAnswer:
        """The account in effect, its number unwrapped, or why there is none.

        An account in the name of somebody who no longer is the right holder (a minor came of age,
        another guardian was registered) counts as not verified.
        """
        found, standing = chosen(work, person_id, at)
        if found is None:
            return AccountAnswer(None, str(standing))
        try:
            holder = holder_of(work, work.people.get(person_id), at)
        except AccountRefusedError:
            return AccountAnswer(None, ACCOUNT_MISSING)
        row = found.row
        if holder.id != row.holder_id or holder.name != row.holder:
            return AccountAnswer(None, ACCOUNT_UNVERIFIED)
        number = self._secret_box.unwrap(row.wrapped_number, number_context(row.id)).decode()
        return AccountAnswer(
            PayeeAccount(person_id, row.version, row.holder, row.bank_name, row.bank_code, number)
        )

    def mark_closed(
        self, work: Any, person_id: str, version: int, *, by: str, reason: str, at: dt.datetime
    ) -> bool:
        """The bank said that an account is closed or wrong: no more money goes there. False when
        that was known. Nothing is paid to an older account in its place."""
        return mark_closed(work, person_id, version, by=by, reason=reason, at=at)


def chosen(work: PayeeWork, person_id: str, at: dt.datetime) -> tuple[Account | None, Standing]:
    """The version in effect, or None with the reason."""
    accounts = {account.row.version: account for account in work.payees.accounts_of(person_id)}
    choice = account_at([account.declared for account in accounts.values()], at)
    return (None if choice.version is None else accounts[choice.version]), choice.standing


def mark_closed(
    work: PayeeWork, person_id: str, version: int, *, by: str, reason: str, at: dt.datetime
) -> bool:
    """The bank said that an account is closed or wrong: no more money goes there. False when that
    was known. Nothing is paid to an older account in its place."""
    for account in work.payees.accounts_of(person_id):
        if account.row.version == version and account.at(CLOSED) is None:
            event = AccountEvent(account.row.id, CLOSED, by, reason, at)
            return work.payees.add_event(event)
    return False
