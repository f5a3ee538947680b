"""One number, one bill: what else is here under a bill's number, and whose hospital it is.

A bill of a hospital that uploads here is never anchored by the agency. Where its record is here,
the person is sent to it; where it is not, the hospital has to upload it, and the gap is noted.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import Any

from backend.domain.invoice import Invoice
from backend.service_layer.claims.records import Person
from backend.service_layer.intake.ports import PAYER_ID_PURPOSE
from backend.service_layer.outside.errors import NotClaimableError
from backend.service_layer.outside.hands import add_step
from backend.service_layer.outside.records import OutsideBill, OutsideState, StepKind
from backend.service_layer.outside.services import OutsideServices
from verifier.commitment.invoice_key import compute_invoice_key

DUPLICATE = "duplicate"
UPLOADED_BY_HOSPITAL = "uploaded-by-hospital"
ANOTHER_PERSON = "another-person"
NOT_UPLOADED = "member-not-uploaded"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An exact fact that ends a bill from outside. ``own_number`` is the person's own earlier
    bill of a duplicate; ``member_code`` the hospital that has not uploaded."""

    state: OutsideState
    code: str
    zh: str
    en: str
    own_number: str = ""
    member_code: str = ""


def keys_of(deps: OutsideServices, invoice: Invoice) -> tuple[bytes, bytes | None]:
    """The keys of both numbers that a bill may print."""
    first = compute_invoice_key(deps.network_key, invoice.invoice_code, invoice.invoice_number)
    if not invoice.second_number:
        return first, None
    return first, compute_invoice_key(
        deps.network_key, invoice.second_number_code, invoice.second_number
    )


def judge(
    deps: OutsideServices,
    work: Any,
    person: Person,
    invoice: Invoice,
    *,
    hospital: tuple[str, str],
    own_id: str = "",
) -> Verdict | None:
    """What is known under the bill's number, None when nothing forbids going on.

    ``hospital`` is (code, name) as the document or a person states them. The keys are locked until
    the transaction ends, so that two uploads of one number see each other.
    """
    keys = [key for key in keys_of(deps, invoice) if key is not None]
    work.invoices.lock_keys(keys)
    for other in work.outside.holding(keys):
        if other.id != own_id:
            return _duplicate(other.number if other.person_id == person.id else "")
    agency = work.outside.agency_code()
    for stored in work.invoices.with_keys(keys):
        if stored.institution_code == agency:
            continue  # the agency's own record is held by the bill from outside that it came from
        lookup = deps.secret_box.lookup(PAYER_ID_PURPOSE, person.identity_number)
        return _matched() if stored.payer_id_lookup == lookup else _another_person()
    member = find_member(work, *hospital)
    return None if member is None else _not_uploaded(*member)


def find_member(work: Any, code: str, name: str) -> tuple[str, str] | None:
    """(code, name) of the hospital that uploads here with this code or this very name."""
    plain = _plain(name)
    for member_code, member_name in work.outside.members():
        if (code and member_code.casefold() == code.casefold()) or _plain(member_name) == plain:
            return member_code, member_name
    return None


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def end_by_fact(deps: OutsideServices, work: Any, bill: OutsideBill, verdict: Verdict) -> None:
    """The bill ends with the verdict and frees its number; a gap of a member is noted."""
    note_end(deps, work, bill, verdict)
    work.outside.update(ended(deps, bill, verdict), bill.state)


def note_end(deps: OutsideServices, work: Any, bill: OutsideBill, verdict: Verdict) -> None:
    """The step, and the gap where there is one, of a bill that ends with the verdict."""
    content = {"code": verdict.code}
    add_step(
        deps, work, bill, StepKind.SYSTEM, str(verdict.state), by="system", reason=verdict.zh,
        content=content,
    )  # fmt: skip


def ended(deps: OutsideServices, bill: OutsideBill, verdict: Verdict) -> OutsideBill:
    return replace(
        bill,
        state=verdict.state,
        live_key=None,
        live_second_key=None,
        reason_code=verdict.code,
        reason_zh=verdict.zh,
        reason_en=verdict.en,
        updated_at=deps.clock.now(),
    )


def note_gap(
    deps: OutsideServices, work: Any, bill: OutsideBill, invoice: Invoice, verdict: Verdict
) -> None:
    """Note, once a number, that a member hospital has not uploaded a bill (completeness)."""
    if verdict.member_code:
        key, _ = keys_of(deps, invoice)
        work.outside.add_gap(
            deps.ids.new_id("gap"), verdict.member_code, key, bill.id, deps.clock.now()
        )


def refuse_unclaimable(invoice: Invoice, person: Person) -> None:
    """Raise NotClaimableError for what the document itself rules out."""
    if invoice.is_red:
        raise NotClaimableError(
            "red", "这是红票（退费），不能报销。", "a red bill (refund) is not claimable"
        )
    if invoice.is_settled_online:
        raise NotClaimableError(
            "settled-online",
            "看病时医保已经联网结算，不用再报。",
            "basic insurance settled this bill online already",
        )
    if invoice.payer_id and invoice.payer_id.upper() != person.identity_number.upper():
        raise NotClaimableError(
            "another-identity",
            "票据上的证件号码和您的不一致。请用本人的票据；号码写错了请找医院更正。",
            "the identity number on the bill is not yours",
        )


def _duplicate(own_number: str) -> Verdict:
    where = f"：您的外来票据 {own_number}" if own_number else ""
    return Verdict(
        OutsideState.REFUSED,
        DUPLICATE,
        f"这张票据已经交过了{where}，同一张票只能报一次",
        "this bill is here already; a bill is paid once",
        own_number=own_number,
    )


def _matched() -> Verdict:
    return Verdict(
        OutsideState.MATCHED,
        UPLOADED_BY_HOSPITAL,
        "医院已经上传了这张票据，不用再交；请在首页勾选后直接报销",
        "the hospital itself has uploaded this bill: tick it on the home page",
    )


def _another_person() -> Verdict:
    return Verdict(
        OutsideState.REFUSED,
        ANOTHER_PERSON,
        "医院已上传这个号码的票据，登记的证件号码和您的不一致；请找医院更正，或拨打电话",
        "the hospital's record of this number states another identity; ask the hospital",
    )


def _not_uploaded(code: str, name: str) -> Verdict:
    return Verdict(
        OutsideState.REFUSED,
        NOT_UPLOADED,
        f"{name}已接入平台，它的票据由医院自己上传。请联系医院上传这张票据，上传后在首页直接报销；"
        "我们已记下，会督促医院补传",
        f"{name} uploads its own bills: ask it to upload this one; the gap is noted",
        member_code=code,
    )
