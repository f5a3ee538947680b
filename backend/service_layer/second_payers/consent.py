"""Consent (单独同意): a citizen opens one bill to one insurer, for a time, and can take it back.

Nothing is ever opened by default, by an agreement with an insurer, or by an earlier consent.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backend.domain.errors import NotFoundError
from backend.domain.second_payer import (
    PART_ZH,
    ConsentRefusedError,
    Part,
    Phase,
    Standing,
    read_days,
    read_parts,
    standing_of,
)
from backend.service_layer.claims.claimable import RED_KIND, bills_of
from backend.service_layer.claims.records import StoredBill
from backend.service_layer.payees.notices import announce
from backend.service_layer.second_payers.ports import PayerServices, PayerWork, calls_of
from backend.service_layer.second_payers.records import (
    Consent,
    PayerClaim,
    Reading,
    SecondPayer,
)

CONSENTS_A_BILL_MAX: Final = 50
"""Consents that are kept for one bill and payer: rows are never deleted."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True, slots=True)
class Asked:
    """The consent form as it was sent."""

    payer: str
    parts: Sequence[str]
    days: str
    is_agreed: bool
    form_token: str


@dataclass(frozen=True, slots=True)
class Shared:
    """One consent of a citizen with all that came of it."""

    consent: Consent
    payer_name: str
    bill: StoredBill
    is_live: bool
    readings: tuple[Reading, ...]
    claim: PayerClaim | None
    standing: Standing | None

    @property
    def parts_zh(self) -> tuple[str, ...]:
        return tuple(PART_ZH[part] for part in Part if self.consent.opens(part))


def consent_text(payer_name: str, parts: Sequence[Part], days: int) -> str:
    """What the citizen agrees to, word for word; its SHA-256 is kept with the consent."""
    opened = "；".join(PART_ZH[part] for part in parts)
    return (
        f"我同意把这张票据给“{payer_name}”看，{days} 天内有效，用于商业保险理赔。"
        f"给它看的只有：{opened}。"
        "它可以在账本上登记和核销这张票据剩下的金额。账本上，它和其他付款方能互相看到谁登记过、"
        "一共报了多少。我可以随时撤回：撤回以后它看不到票据，还没有核销的登记会放开；"
        "已经看过的、已经核销的，撤回改变不了。"
    )


def own_bill(deps: PayerServices, work: PayerWork, person_id: str, invoice_id: str) -> StoredBill:
    """A bill of this person; anybody else's is not found."""
    for bill in bills_of(deps, work, work.people.get(person_id)):
        if bill.invoice_id == invoice_id and bill.kind != RED_KIND:
            return bill
    raise NotFoundError("没有这张票据", "there is no such bill")


def give_consent(deps: PayerServices, person_id: str, invoice_id: str, asked: Asked) -> Consent:
    """Open a bill; the same form again is the same consent.

    Raises ConsentRefusedError, with nothing stored, for a form that opens nothing or names no
    insurer, and NotFoundError for a bill that is not the person's.
    """
    parts, days = read_parts(asked.parts), read_days(asked.days)
    if not asked.is_agreed:
        raise ConsentRefusedError("请先勾选“我同意”", "tick the consent first")
    if not _TOKEN.fullmatch(asked.form_token):
        raise ConsentRefusedError(
            "页面已过期，请返回重试", "the page has expired: go back and try again"
        )
    now = deps.clock.now()
    with deps.work() as work:
        work.people.lock(person_id)
        own_bill(deps, work, person_id, invoice_id)
        payer = chosen_payer(work, asked.payer)
        text = consent_text(payer.name, parts, days)
        before = work.second_payers.consents_on(payer.number, invoice_id)
        entry = Consent(
            id=deps.ids.new_id("cns"),
            person_id=person_id,
            invoice_id=invoice_id,
            payer_number=payer.number,
            parts=",".join(parts),
            until=now + dt.timedelta(days=days),
            text_digest=hashlib.sha256(text.encode()).digest(),
            form_token=asked.form_token,
            given_at=now,
        )
        same: list[Consent] = [one for one in before if one.form_token == asked.form_token]
        if same:
            return same[0]
        if len(before) >= CONSENTS_A_BILL_MAX:
            raise ConsentRefusedError(
                "这张票据的同意次数太多，请打电话 12393",
                "too many consents were given for this bill: call 12393",
            )
        if not work.second_payers.add_consent(entry):
            raise ConsentRefusedError(
                "页面已用过，请返回重试", "the page was used before: go back and try again"
            )
        for one in before:  # what holds is the newest alone: fewer parts than before close the rest
            if one.is_live(now):
                work.second_payers.revoke(one.id, now)
        announce(
            deps,
            work,
            person_id,
            "payer-consent",
            zh=f"您同意把一张票据给“{payer.name}”看，{days} 天内有效，可以随时撤回。",
            en=f"You opened a bill to “{payer.name}” for {days} days. You can take it back at any "
            "time.",
        )
        work.commit()
    return entry


def chosen_payer(work: PayerWork, number: str) -> SecondPayer:
    """The chosen insurer; raises ConsentRefusedError for anything else."""
    for payer in work.second_payers.payers():
        if str(payer.number) == number:
            return payer
    raise ConsentRefusedError("请选择一家保险公司", "choose an insurer")


def revoke_consent(deps: PayerServices, person_id: str, consent_id: str) -> bool:
    """Take a consent back, now and for good; False when it was taken back before.

    A lock that the insurer holds without having settled is given back by the worker. Raises
    NotFoundError for anybody else's consent.
    """
    with deps.work() as work:
        work.people.lock(person_id)
        found = work.second_payers.consent(consent_id)
        if found is None or found.person_id != person_id:
            raise NotFoundError("没有这项同意", "there is no such consent")
        is_new: bool = work.second_payers.revoke(consent_id, deps.clock.now())
        work.commit()
    return is_new


def live_consent(
    work: PayerWork, payer_number: int, invoice_id: str, now: dt.datetime
) -> Consent | None:
    """The consent under which a payer may see a bill now; None: it may not."""
    for consent in work.second_payers.consents_on(payer_number, invoice_id):
        if consent.is_live(now):
            return consent
    return None


def shared_by(deps: PayerServices, work: PayerWork, person_id: str) -> list[Shared]:
    """What a citizen has opened, the newest first, with who read it and what was claimed."""
    now = deps.clock.now()
    consents = work.second_payers.consents_of_person(person_id)
    readings = work.second_payers.readings_of([one.id for one in consents])
    claims = {claim.consent_id: claim for claim in work.second_payers.claims_of_person(person_id)}
    bills = {bill.invoice_id: bill for bill in bills_of(deps, work, work.people.get(person_id))}
    found = []
    for consent in consents:
        if consent.invoice_id not in bills:
            continue
        claim = claims.get(consent.id)
        found.append(
            Shared(
                consent=consent,
                payer_name=work.claims.payer_name(consent.payer_number),
                bill=bills[consent.invoice_id],
                is_live=consent.is_live(now),
                readings=tuple(one for one in readings if one.consent_id == consent.id),
                claim=claim,
                standing=None if claim is None else standing_of(calls_of(work, claim), now),
            )
        )
    return found


PHASE_ZH: Final = {
    Phase.LODGING: "正在账本上登记",
    Phase.LODGED: "已登记，正在理赔",
    Phase.LAPSED: "登记已到期，正在放开",
    Phase.SETTLING: "正在赔付",
    Phase.RELEASING: "正在放开",
    Phase.EXPIRING: "登记已到期，正在放开",
    Phase.HELD: "需要工作人员处理",
    Phase.REFUSED: "账本没有接受它的登记",
    Phase.SETTLED: "已经赔付",
    Phase.RELEASED: "没有赔，已放开",
    Phase.EXPIRED: "登记到期，已放开",
    Phase.ENDED: "登记已结束",
}
