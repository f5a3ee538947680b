"""What a person's page shows of their account. No whole number ever leaves here."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any

from backend.domain.lost_period import Doubt
from backend.domain.payee import AccountRefusedError, Standing
from backend.service_layer.claims.records import Person
from backend.service_layer.payees.confirm import doubted
from backend.service_layer.payees.declare import waiting_change
from backend.service_layer.payees.effective import chosen
from backend.service_layer.payees.holder import holder_of
from backend.service_layer.payees.ports import PayeeServices, PayeeWork
from backend.service_layer.payees.proof import PROPOSED
from backend.service_layer.payees.records import UNCHECKED, AccountRow, Notice


@dataclass(frozen=True, slots=True)
class AccountView:
    """``in_effect`` is where money goes now, ``waiting`` the change that comes at its
    ``effective_at``, ``unproven`` one whose proof has still to be seen at the window. ``doubted``
    is the one that the person should look at after a restored backup: it gets no money once its
    ``doubt`` has begun. ``holder`` is in whose name an account must be, empty with ``bar`` saying
    why none can be named."""

    standing: Standing
    in_effect: AccountRow | None
    waiting: AccountRow | None
    holder: str
    is_guardian: bool
    bar: str
    bar_en: str
    contact_tail: str
    unproven: AccountRow | None
    delay: dt.timedelta
    notices: tuple[Notice, ...]
    doubted: AccountRow | None = None
    doubt: Doubt | None = None


def view_account(deps: PayeeServices, work: PayeeWork, person_id: str) -> AccountView:
    now = deps.clock.now()
    person = work.people.get(person_id)
    found, standing = chosen(work, person_id, now)
    waiting = waiting_change(work, person_id, now)
    contact = work.payees.contact_of(person_id)
    doubts = doubted(deps, work, person_id)
    try:
        holder, bar, bar_en = holder_of(work, person, now), "", ""
    except AccountRefusedError as error:
        holder, bar, bar_en = None, error.zh, error.en
    return AccountView(
        standing=standing,
        in_effect=None if found is None else found.row,
        waiting=None if waiting is None else waiting.row,
        holder="" if holder is None else holder.name,
        is_guardian=holder is not None and holder.id != person.id,
        bar=bar,
        bar_en=bar_en,
        contact_tail="" if contact is None else contact.tail,
        unproven=_unproven(work, person_id),
        delay=deps.settings.payee_delay,
        notices=tuple(work.payees.notices_of(person_id, limit=5)),
        doubted=None if doubts is None else doubts[0].row,
        doubt=None if doubts is None else doubts[1],
    )


def _unproven(work: PayeeWork, person_id: str) -> AccountRow | None:
    """The newest account, where no bank could be asked about it and its proof is not over."""
    accounts = work.payees.accounts_of(person_id)
    newest = max(accounts, key=lambda account: account.row.version, default=None)
    if newest is None or newest.row.verdict != UNCHECKED:
        return None
    is_over = any(one.action != PROPOSED for one in work.payees.proofs_of(newest.row.id))
    return None if is_over else newest.row


def with_payee(deps: Any, work: Any, person: Person) -> Person:
    """The person with bank and last digits of the account in effect, both empty without one."""
    account = deps.payees.account_for(work, person.id, deps.clock.now()).account
    bank, tail = ("", "") if account is None else (account.bank_name, account.tail)
    return dataclasses.replace(person, payee_bank=bank, payee_account_tail=tail)
