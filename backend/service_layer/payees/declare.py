"""A person names an account; the bank confirms the holder; a change is announced and waits."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from backend.domain.errors import ConflictError
from backend.domain.local_time import SHANGHAI
from backend.domain.payee import AccountRefusedError, Standing, account_number, effective_from
from backend.service_layer.claims.records import Person
from backend.service_layer.payees.effective import chosen, number_context
from backend.service_layer.payees.holder import holder_of
from backend.service_layer.payees.notices import announce
from backend.service_layer.payees.ports import PayeeServices, PayeeWork
from backend.service_layer.payees.records import CANCELLED, Account, AccountEvent, AccountRow
from backend.service_layer.payout.records import NameMatch, NameVerdict

A_DAY_MAX: Final = 5
"""Accounts that may be named for one person within 24 hours: the bank is not asked about
accounts one after the other until one matches."""

_SAID: Final = {
    NameVerdict.NO_MATCH: (
        "银行说这个账户不是 {holder} 名下的。请用 {holder} 本人的账户",
        "the bank says that the account is not {holder}'s; name one that is",
    ),
    NameVerdict.CLOSED: (
        "银行说这个账户已经销户。请换一个在用的账户",
        "the bank says that the account is closed; name one in use",
    ),
    NameVerdict.UNKNOWN: (
        "银行查不到这个账户。请核对账号和开户银行",
        "the bank does not know the account; check its number and bank",
    ),
}


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """What somebody typed, and who: ``by`` is the login or the staff member."""

    person_id: str
    bank_code: str
    number: str
    form_token: str
    by: str


def declare(deps: PayeeServices, named: NamedAccount) -> AccountRow:
    """Store another account and, for a change, announce it. The same form again, or the account
    that is in effect or waiting already, gives what is stored. Where no bank can be asked, the
    account waits for its proof (:mod:`backend.service_layer.payees.proof`).

    Raises :class:`AccountRefusedError` (typed wrongly, not the holder's, too many today),
    ``BankUnavailableError`` (nothing was stored) and ``AccountRaceError``.
    """
    number = account_number(named.number)
    bank = next((bank for bank in deps.banks if bank.code == named.bank_code), None)
    if bank is None:
        raise AccountRefusedError("请选择开户银行", "choose the bank of the account")
    lookup = deps.secret_box.lookup("payee-account", f"{bank.code}/{number}")
    with deps.work(write=False) as work:
        person = work.people.get(named.person_id)
        holder = holder_of(work, person, deps.clock.now())
        known = _known(deps, work, named, lookup, holder)
        if known is not None:
            return known
        _require_few(deps, work.payees.accounts_of(person.id))
    match = deps.bank.check_name(holder.name, number, bank.code)
    with deps.work() as work:
        work.people.lock(person.id)
        known = _known(deps, work, named, lookup, holder)
        if known is not None:
            return known
        accounts = work.payees.accounts_of(person.id)
        _require_few(deps, accounts)
        now = deps.clock.now()
        account_id = deps.ids.new_id("acc")
        row = AccountRow(
            id=account_id,
            person_id=person.id,
            version=max((account.row.version for account in accounts), default=0) + 1,
            holder_id=holder.id,
            holder=holder.name,
            bank_name=bank.name,
            bank_code=bank.code,
            wrapped_number=deps.secret_box.wrap(number.encode(), number_context(account_id)),
            tail=number[-4:],
            number_lookup=lookup,
            verdict=str(match.verdict),
            is_simulated=match.simulated,
            effective_at=_effective_at(deps, accounts, match, now),
            form_token=named.form_token,
            declared_by=named.by,
            declared_at=now,
        )
        work.payees.add_account(row)
        if row.effective_at is not None and row.effective_at > now:
            announce_change(deps, work, row)
        work.commit()
    if match.verdict is NameVerdict.UNCHECKED:
        return row
    if not match.is_match:
        zh, en = _SAID[match.verdict]
        raise AccountRefusedError(zh.format(holder=holder.name), en.format(holder=holder.name))
    return row


def _known(
    deps: PayeeServices, work: PayeeWork, named: NamedAccount, lookup: bytes, holder: Person
) -> AccountRow | None:
    """What makes asking again needless: the same form, or the account in effect or waiting."""
    sent = work.payees.by_token(named.form_token)
    if sent is not None:
        if sent.person_id != named.person_id:
            raise ConflictError("表单已用过，请重新打开页面", "the form was used; open it again")
        if sent.number_lookup != lookup:
            raise AccountRefusedError(
                "这张表单已经交过另一个账号，这次没有保存。请在本页再填一次",
                "this form was sent with another number, so nothing was stored; fill it in again",
            )
        if sent.verdict not in (NameVerdict.MATCH, NameVerdict.UNCHECKED):
            zh, en = _SAID[NameVerdict(sent.verdict)]
            raise AccountRefusedError(zh.format(holder=sent.holder), en.format(holder=sent.holder))
        return sent
    now = deps.clock.now()
    in_effect, _ = chosen(work, named.person_id, now)
    waiting = waiting_change(work, named.person_id, now)
    for account in (in_effect, waiting):
        if account is None or account.row.number_lookup != lookup:
            continue
        # In a former name, or that of a former guardian, it is to be confirmed again.
        if (account.row.holder_id, account.row.holder) == (holder.id, holder.name):
            return account.row
    return None


def _require_few(deps: PayeeServices, accounts: list[Account]) -> None:
    since = deps.clock.now() - dt.timedelta(hours=24)
    if sum(account.row.declared_at > since for account in accounts) >= A_DAY_MAX:
        raise AccountRefusedError(
            f"一天最多填 {A_DAY_MAX} 次账户。现在的账户没有变，请明天再试，或到窗口办理",
            f"an account is named at most {A_DAY_MAX} times a day. Nothing has changed: try "
            "tomorrow, or at the window",
        )


def _effective_at(
    deps: PayeeServices, accounts: list[Account], match: NameMatch, now: dt.datetime
) -> dt.datetime | None:
    if not match.is_match:
        return None
    declared = [account.declared for account in accounts]
    return effective_from(declared, now, deps.settings.payee_delay)


def announce_change(deps: PayeeServices, work: PayeeWork, row: AccountRow) -> None:
    """Tell the contact that is known now that money goes to another account, and when."""
    assert row.effective_at is not None, "only a confirmed account is announced"
    local = row.effective_at.astimezone(SHANGHAI)
    announce(
        deps,
        work,
        row.person_id,
        "account-change",
        zh=f"您的医保报销收款账户将从 {local:%Y年%m月%d日 %H:%M} 起"
        f"改为{row.bank_name}尾号 {row.tail}。"
        "不是您本人办的，请在此之前打开“一触即办”的“收款账户”撤销，或拨打 12393。",
        en=f"From {local:%Y-%m-%d %H:%M} your benefits go to {row.bank_name}, ending {row.tail}. "
        "If this was not you, cancel it under 收款账户 before then, or call 12393.",
    )


def waiting_change(work: PayeeWork, person_id: str, at: dt.datetime) -> Account | None:
    """The newest confirmed account that is not in effect yet."""
    waiting = [
        account for account in work.payees.accounts_of(person_id) if account.declared.is_waiting(at)
    ]
    return max(waiting, key=lambda account: account.row.version, default=None)


def cancel(deps: PayeeServices, person_id: str, by: str, reason: str) -> int:
    """Take back every change that is not in effect yet; returns how many. One that took effect a
    moment ago stays: another account has to be named."""
    with deps.work() as work:
        work.people.lock(person_id)
        now = deps.clock.now()
        count = 0
        for account in work.payees.accounts_of(person_id):
            if account.declared.is_waiting(now):
                count += work.payees.add_event(
                    AccountEvent(account.row.id, CANCELLED, by, reason, now)
                )
        if count:
            found, standing = chosen(work, person_id, now)
            kept = f"{found.row.bank_name}尾号 {found.row.tail}" if found else "没有账户"
            is_kept = standing is Standing.IN_EFFECT
            announce(
                deps,
                work,
                person_id,
                "account-change-cancelled",
                zh=f"收款账户的更改已撤销，现在是：{kept}。",
                en="The change of your account is cancelled; "
                + ("the one before stays." if is_kept else "there is none now."),
            )
        work.commit()
    return count
