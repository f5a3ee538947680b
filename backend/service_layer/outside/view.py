"""What a person sees of a bill from outside, and what staff see; files for staff alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain.errors import NotFoundError
from backend.service_layer.claims.records import Claim
from backend.service_layer.outside.hands import add_step, sign_as
from backend.service_layer.outside.records import (
    OPEN_STATES,
    MemberGap,
    OutsideBill,
    OutsideFile,
    OutsideState,
    OutsideStep,
    StepKind,
)
from backend.service_layer.outside.services import OutsideServices


@dataclass(frozen=True, slots=True)
class OutsideView:
    bill: OutsideBill
    files: tuple[OutsideFile, ...]
    steps: tuple[OutsideStep, ...]
    claim: Claim | None

    def last(self, step: StepKind) -> OutsideStep | None:
        """The newest step of the kind."""
        found = [one for one in self.steps if one.step is step]
        return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file to download; ``name`` says nothing of the person."""

    name: str
    media_type: str
    data: bytes


def bills_of_person(deps: OutsideServices, person_id: str) -> list[OutsideView]:
    """A person's own bills from outside, newest first."""
    with deps.work(write=False) as work:
        return [_view(work, bill) for bill in work.outside.of_person(person_id)]


def bill_of_person(deps: OutsideServices, person_id: str, bill_id: str) -> OutsideView:
    """One of the person's own; anybody else's is not found."""
    with deps.work(write=False) as work:
        bill = work.outside.get(bill_id)
        if bill.person_id != person_id:
            raise NotFoundError("没有这张外来票据", "there is no such bill from outside")
        return _view(work, bill)


def find_bill(deps: OutsideServices, number: str) -> OutsideView:
    """For staff: a bill by its number, or by the number of its claim."""
    with deps.work(write=False) as work:
        if number.startswith("W"):
            return _view(work, work.outside.by_number(number))
        bill = work.outside.of_invoice(work.claims.by_number(number).invoice_id)
        if bill is None:
            raise NotFoundError("没有这张外来票据", "there is no such bill from outside")
        return _view(work, bill)


def waiting_bills(
    deps: OutsideServices, states: Sequence[OutsideState] = tuple(OPEN_STATES)
) -> list[OutsideView]:
    """For staff: bills in these states, oldest first."""
    with deps.work(write=False) as work:
        return [_view(work, bill) for bill in work.outside.in_states(states)]


def member_gaps(deps: OutsideServices) -> list[MemberGap]:
    """What member hospitals have not uploaded although somebody holds it."""
    with deps.work(write=False) as work:
        return list(work.outside.gaps())


def open_file(
    deps: OutsideServices, bill_id: str, digest: bytes, by: str, *, is_original: bool = False
) -> StoredFile:
    """For staff, who are named: a picture as its re-encoded copy, or the original. Noted.

    Raises NotFoundError for a file that is not of the bill, NoSuchFileError when it is gone.
    """
    with deps.work() as work:
        by = sign_as(work, by, "look")
        bill = work.outside.get(bill_id)
        files = work.outside.files_of(bill_id)
        known = [one for one in files if digest in (one.digest, one.viewing_digest)]
        if not known:
            raise NotFoundError("这张票据没有这个文件", "the bill has no such file")
        file = known[0]
        as_it_came = is_original or file.viewing_digest is None
        content = {"sha256": file.digest.hex(), "is_original": as_it_came}
        add_step(deps, work, bill, StepKind.LOOK, "done", by=by, content=content)
        work.commit()
    name = f"{bill.number}-{files.index(file) + 1}"
    if as_it_came or file.viewing_digest is None:
        data = deps.outside_files.get(file.digest)
        return StoredFile(f"{name}.{file.kind}", file.kind.media_type, data)
    return StoredFile(f"{name}.jpg", "image/jpeg", deps.outside_files.get(file.viewing_digest))


def _view(work: Any, bill: OutsideBill) -> OutsideView:
    outside, claims = work.outside, work.claims
    claim = None
    if bill.invoice_id is not None:
        claim = claims.live_on(bill.invoice_id) or claims.latest_on(bill.invoice_id)
    return OutsideView(
        bill, tuple(outside.files_of(bill.id)), tuple(outside.steps_of(bill.id)), claim
    )
