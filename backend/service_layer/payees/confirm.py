"""After a restored backup: a person says that the account on record is still right.

The account is the one that the copy had in effect, in the person's own name and confirmed by the
bank, so that a word is enough; the contact is told. A change that waited in the copy may have been
cancelled since: it is named again, announced, and waits.
"""

from __future__ import annotations

from backend.domain.lost_period import Doubt
from backend.domain.payee import AccountRefusedError
from backend.service_layer.payees.notices import announce
from backend.service_layer.payees.ports import PayeeServices, PayeeWork
from backend.service_layer.payees.records import Account, Confirmation


def doubted(deps: PayeeServices, work: PayeeWork, person_id: str) -> tuple[Account, Doubt] | None:
    """The account that is in effect, if nobody doubts it, and the doubt, which may begin later;
    else None."""
    now = deps.clock.now()
    taken = [
        one for one in work.payees.accounts_of(person_id) if one.declared.has_taken_effect(now)
    ]
    newest = max(taken, key=lambda one: one.row.version, default=None)
    if newest is None or newest.doubt is None:
        return None
    closed_at = newest.declared.closed_at
    return None if closed_at is not None and closed_at <= now else (newest, newest.doubt)


def confirm_account(
    deps: PayeeServices, person_id: str, version: int, by: str, reason: str
) -> bool:
    """Keep the word that the account is still right; its money goes on. False when the account is
    in no doubt, or not any more: the same word again is one.

    ``version`` is the one that was shown. Raises :class:`AccountRefusedError` for another one, and
    for one of which a word is not enough.
    """
    with deps.work() as work:
        work.people.lock(person_id)
        found = doubted(deps, work, person_id)
        if found is None:
            return False
        account, doubt = found
        if account.row.version != version:
            raise AccountRefusedError(
                "账户刚才变了，没有确认。请再看一遍",
                "the account has changed meanwhile, so nothing was confirmed: look again",
            )
        if not doubt.may_confirm:
            raise AccountRefusedError(
                "这个账户备份时还没有生效，不能直接确认。请重新填写一次",
                "this account was not in effect yet when the backup was made: name it again",
            )
        work.payees.add_confirmation(
            Confirmation(deps.ids.new_id("cnf"), account.row.id, by, reason, deps.clock.now())
        )
        row = account.row
        announce(
            deps,
            work,
            person_id,
            "account-confirmed",
            zh=f"收款账户已确认还是{row.bank_name}尾号 {row.tail}，报销款照常打到这里。"
            "不是您本人办的，请马上拨打 12393 或到窗口。",
            en=f"Your account was confirmed: benefits go on to {row.bank_name}, ending {row.tail}. "
            "If this was not you, call 12393 or come to the window at once.",
        )
        work.commit()
    return True
