"""What the (simulated) register is told of people: contacts and guardians."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from typing import Final

from backend.domain.errors import DomainError
from backend.domain.local_time import local_day
from backend.domain.payee import AccountRefusedError, is_adult
from backend.service_layer.payees.notices import announce, phone_context
from backend.service_layer.payees.ports import PayeeServices, PayeeWork
from backend.service_layer.payees.records import Contact, Guardian

_PHONE: Final = re.compile(r"[0-9]{11}", re.ASCII)


def record_contact(
    deps: PayeeServices, work: PayeeWork, person_id: str, phone: str, *, by: str, source: str
) -> Contact:
    """Another telephone number; the one before keeps the notices that were written to it, and is
    told: else who changes it first could change the account unseen. The number that stands, said
    again, is no other one."""
    if not _PHONE.fullmatch(phone):
        raise AccountRefusedError("手机号应为 11 位数字", "a mobile number has 11 digits")
    before = work.payees.contact_of(person_id)
    if before is not None:
        if _is_same(deps, before, phone):
            return before
        announce(
            deps,
            work,
            person_id,
            "contact-change",
            zh=f"您在医保报销系统登记的手机已改为尾号 {phone[-4:]} 的号码。"
            "不是您本人办的，请马上拨打 12393 或到窗口。",
            en=f"Your registered mobile number now ends with {phone[-4:]}. If this was not you, "
            "call 12393 or come to the window at once.",
        )
    contact_id = deps.ids.new_id("ctc")
    contact = Contact(
        id=contact_id,
        person_id=person_id,
        version=1 if before is None else before.version + 1,
        wrapped_phone=deps.secret_box.wrap(phone.encode(), phone_context(contact_id)),
        tail=phone[-4:],
        source=source,
        recorded_by=by,
        recorded_at=deps.clock.now(),
    )
    work.payees.add_contact(contact)
    return contact


def _is_same(deps: PayeeServices, contact: Contact, phone: str) -> bool:
    """One that does not open any more is another one."""
    try:
        number = deps.secret_box.unwrap(contact.wrapped_phone, phone_context(contact.id))
    except DomainError:
        return False
    return number == phone.encode()


def record_guardian(
    deps: PayeeServices,
    work: PayeeWork,
    minor_id: str,
    guardian_id: str,
    *,
    valid_from: dt.date,
    valid_to: dt.date | None = None,
    by: str,
    reason: str,
    source: str,
) -> Guardian:
    """Who acts for a minor. Raises :class:`AccountRefusedError` for somebody who is of age, or
    whose guardian is not, or is the same person. The newest entry, said again by the same person,
    is no other one."""
    today = local_day(deps.clock.now())
    minor, guardian = work.people.get(minor_id), work.people.get(guardian_id)
    if minor.id == guardian.id or not is_adult(guardian.birth_on, today):
        raise AccountRefusedError("监护人应是另一位成年人", "a guardian is another, adult person")
    if is_adult(minor.birth_on, today):
        raise AccountRefusedError("成年人用本人账户", "an adult is paid to their own account")
    if valid_to is not None and valid_to < valid_from:
        raise AccountRefusedError("结束日期早于开始日期", "the last day is before the first")
    entry = Guardian(
        id=deps.ids.new_id("grd"),
        minor_id=minor.id,
        guardian_id=guardian.id,
        valid_from=valid_from,
        valid_to=valid_to,
        source=source,
        recorded_by=by,
        reason=reason,
        recorded_at=deps.clock.now(),
    )
    known = work.payees.guardians_of(minor.id)
    if known and known[-1] == replace(entry, id=known[-1].id, recorded_at=known[-1].recorded_at):
        return known[-1]
    work.payees.add_guardian(entry)
    return entry
