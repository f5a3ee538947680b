"""Messages to people: written with what they tell of, in one transaction, and sent afterwards."""

from __future__ import annotations

from typing import Final

from backend.domain.errors import DomainError
from backend.service_layer.payees.ports import NoticeServices, PayeeServices, PayeeWork
from backend.service_layer.payees.records import Notice, NoticeDelivery

UNREADABLE: Final = "contact-unreadable"


def phone_context(contact_id: str) -> str:
    return f"person-contact/{contact_id}"


def announce(
    deps: NoticeServices, work: PayeeWork, person_id: str, kind: str, *, zh: str, en: str
) -> Notice:
    """Write a notice to the contact that is known now: a later change of it does not redirect the
    notice. Where no contact is known it is shown on the person's pages alone."""
    contact = work.payees.contact_of(person_id)
    notice = Notice(
        id=deps.ids.new_id("ntc"),
        person_id=person_id,
        kind=kind,
        zh=zh,
        en=en,
        contact_id=None if contact is None else contact.id,
        created_at=deps.clock.now(),
    )
    work.payees.add_notice(notice)
    return notice


def send_notices(deps: PayeeServices) -> int:
    """Hand what was not delivered to the messenger; returns how many. Killed in between, a notice
    is handed over again under the same id, which sends nothing twice. A contact that does not
    open keeps its own notices from leaving and nobody else's."""
    with deps.work(write=False) as work:
        waiting = work.payees.undelivered()
        phones = {
            notice.id: work.payees.get_contact(notice.contact_id)
            for notice in waiting
            if notice.contact_id is not None
        }
    sent = 0
    for notice in waiting:
        contact = phones[notice.id]
        try:
            wrapped = deps.secret_box.unwrap(contact.wrapped_phone, phone_context(contact.id))
        except DomainError as error:
            with deps.work() as work:
                work.alarms.raise_alarm(UNREADABLE, contact.id, f"{notice.id}: {error.code}")
                work.commit()
            continue
        phone = wrapped.decode()
        reference = deps.messenger.send(notice.id, phone, f"【衢州医保】{notice.zh}")
        with deps.work() as work:
            sent += work.payees.add_delivery(
                NoticeDelivery(notice.id, reference, deps.messenger.is_simulated, deps.clock.now())
            )
            work.commit()
    return sent
