"""In whose name a person's account must be: their own, or for a minor the guardian's."""

from __future__ import annotations

import datetime as dt

from backend.domain.local_time import local_day
from backend.domain.payee import AccountRefusedError, is_adult
from backend.service_layer.claims.records import Person
from backend.service_layer.payees.ports import PayeeWork


def guardian_of(work: PayeeWork, person: Person, at: dt.datetime) -> Person | None:
    """The guardian that the register has for that day, the one recorded last where there are
    more; None where there is none. Of one guardian the newest entry counts: it may end (died, or
    no longer the guardian) what an earlier one has left open."""
    day = local_day(at)
    entries = sorted(work.payees.guardians_of(person.id), key=lambda one: (one.recorded_at, one.id))
    newest_of = {one.guardian_id: one for one in entries}
    holding = [one for one in newest_of.values() if one.holds_on(day)]
    newest = max(holding, key=lambda one: (one.recorded_at, one.id), default=None)
    return None if newest is None else work.people.get(newest.guardian_id)


def holder_of(work: PayeeWork, person: Person, at: dt.datetime) -> Person:
    """Raises :class:`AccountRefusedError` for a minor of whom no guardian is known."""
    if is_adult(person.birth_on, local_day(at)):
        return person
    guardian = guardian_of(work, person, at)
    if guardian is None:
        raise AccountRefusedError(
            "未成年人的报销款打到监护人账户，系统里还没有登记监护人。请监护人带户口簿到医保窗口登记",
            "money of a minor goes to the guardian's account, and no guardian is registered: "
            "the guardian has it registered at the window",
        )
    return guardian
