"""A person, or a window clerk for them, hands in a bill from outside and its cost list."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.domain.errors import NotFoundError
from backend.domain.invoice import Invoice
from backend.domain.local_time import SHANGHAI
from backend.service_layer.claims.records import Person
from backend.service_layer.intake.faults import InvalidInvoiceError
from backend.service_layer.intake.validation import find_faults
from backend.service_layer.outside.errors import (
    DuplicateBillError,
    StepRefusedError,
    UnusableFileError,
    UploadLimitError,
)
from backend.service_layer.outside.hands import add_step, require_state, sign_as
from backend.service_layer.outside.matching import (
    DUPLICATE,
    Verdict,
    ended,
    judge,
    keys_of,
    note_end,
    note_gap,
    refuse_unclaimable,
)
from backend.service_layer.outside.ports import NumberTakenError
from backend.service_layer.outside.records import (
    CITIZEN,
    FileRole,
    HandedIn,
    OutsideBill,
    OutsideFile,
    OutsideState,
    Recognised,
    StepKind,
)
from backend.service_layer.outside.services import OutsideServices
from verifier.commitment.canonical import canonical_bytes

FILES_A_BILL: Final = 10
FILES_A_DAY: Final = 40
BYTES_A_DAY: Final = 80 * 2**20
OPEN_BILLS_MAX: Final = 20
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")
_TRIES: Final = 3
_NO_LINES: Final = "no-lines"


@dataclass(frozen=True, slots=True)
class _Form:
    """A form with everything that was found out before the database is asked. ``invoice`` is None
    for a picture; ``is_whole`` when the file gives the expense lines too."""

    person: Person
    files: tuple[_Known, ...]
    main: _Known
    invoice: Invoice | None
    is_whole: bool
    token: str
    by: str


@dataclass(frozen=True, slots=True)
class _Known:
    """A handed-in file and what it is."""

    handed: HandedIn
    found: Recognised

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.handed.data).digest()


def hand_in(
    deps: OutsideServices,
    person_id: str,
    files: Sequence[HandedIn],
    form_token: str,
    *,
    by: str = CITIZEN,
    has_consent: bool,
) -> OutsideBill:
    """Take a bill from outside in, exactly once a form. What comes back may already have ended:
    matched to the hospital's own record, or refused since its hospital uploads itself.

    Raises UnusableFileError, InvalidInvoiceError (every fault of a data file), NotClaimableError,
    DuplicateBillError, UploadLimitError: then nothing was kept.
    """
    if not _TOKEN.fullmatch(form_token):
        raise StepRefusedError("no-form", "页面已过期，请返回重试", "the form has no valid token")
    if not has_consent:
        raise StepRefusedError(
            "no-consent",
            "请先勾选同意，再提交。什么也没有保存。",
            "tick the consent first; nothing was kept",
        )
    with deps.work(write=False) as work:
        by = by if by == CITIZEN else sign_as(work, by, "handed in")
        before = work.outside.by_form(form_token)
        person = work.people.get(person_id)
        if before is None:
            _check_limits(deps, work, person_id, files)
    if before is not None:
        return _own(before, person_id)
    form = _look_at(deps, person, files, form_token, by)
    for attempt in range(_TRIES):
        try:
            return _store(deps, form)
        except NumberTakenError:
            # Another transaction stored this number or form first; what it holds is read next.
            if attempt == _TRIES - 1:
                raise
    raise AssertionError("the loop returns or raises")


def _look_at(
    deps: OutsideServices, person: Person, files: Sequence[HandedIn], token: str, by: str
) -> _Form:
    known = _recognise(deps, files)
    main = next(one for one in known if one.handed.role is FileRole.BILL)
    invoice, is_whole = _read(deps, main.found, person)
    return _Form(person, tuple(known), main, invoice, is_whole, token, by)


def _keep(deps: OutsideServices, one: _Known) -> None:
    deps.outside_files.put(one.handed.data)
    if one.found.viewing is not None:
        deps.outside_files.put(one.found.viewing)


def _recognise(deps: OutsideServices, files: Sequence[HandedIn]) -> list[_Known]:
    if len(files) > FILES_A_BILL:
        raise UnusableFileError("too-many-files")
    mains = sum(one.role is FileRole.BILL for one in files)
    if mains != 1:
        raise UnusableFileError("several-bill-files" if mains else "bill-file-missing")
    known = [_Known(one, deps.documents.recognise(one.data)) for one in files]
    if any(one.handed.role is FileRole.LIST and one.found.parsed is not None for one in known):
        raise UnusableFileError("list-with-data")
    return known


def _read(deps: OutsideServices, found: Recognised, person: Person) -> tuple[Invoice | None, bool]:
    """The bill that a data file gives, None for a picture, and whether it has its lines too."""
    if found.parsed is None:
        return None, False
    faults = find_faults(found.parsed, None, deps.clock.now())
    lacks_lines = bool(faults) and all(fault.code == _NO_LINES for fault in faults)
    if faults and not lacks_lines:
        raise InvalidInvoiceError(faults)
    refuse_unclaimable(found.parsed.invoice, person)
    return found.parsed.invoice, not lacks_lines


def _store(deps: OutsideServices, form: _Form) -> OutsideBill:
    person, invoice = form.person, form.invoice
    with deps.work() as work:
        work.people.lock(person.id)
        before = work.outside.by_form(form.token)
        if before is not None:
            return _own(before, person.id)
        _check_limits(deps, work, person.id, [one.handed for one in form.files])
        _refuse_same_file(work, person, form.main)
        bill = _new_bill(deps, form)
        verdict = None
        if invoice is not None:
            hospital = (form.main.found.seller_code, invoice.institution_name)
            verdict = judge(deps, work, person, invoice, hospital=hospital)
        if verdict is not None and verdict.code == DUPLICATE:
            raise DuplicateBillError(verdict.own_number)
        work.outside.add(bill if verdict is None else ended(deps, bill, verdict))
        _add_files(deps, work, bill, form.files, form.by)
        add_step(
            deps, work, bill, StepKind.UPLOAD, "done", by=form.by,
            content={"files": len(form.files), "notes": list(form.main.found.notes)},
        )  # fmt: skip
        if verdict is not None and invoice is not None:
            _end(deps, work, bill, invoice, verdict)
        for one in form.files:  # only once nothing refuses the bill any more
            _keep(deps, one)
        stored: OutsideBill = work.outside.get(bill.id)
        work.commit()
    return stored


def _end(
    deps: OutsideServices, work: Any, bill: OutsideBill, invoice: Invoice, verdict: Verdict
) -> None:
    note_end(deps, work, bill, verdict)
    note_gap(deps, work, bill, invoice, verdict)


def _refuse_same_file(work: Any, person: Person, main: _Known) -> None:
    """The very same picture, or PDF, of a bill that is open or accepted."""
    for other in work.outside.with_file(main.digest):
        if other.is_open or other.state is OutsideState.ACCEPTED:
            raise DuplicateBillError(other.number if other.person_id == person.id else "")


def _new_bill(deps: OutsideServices, form: _Form) -> OutsideBill:
    invoice, found = form.invoice, form.main.found
    now = deps.clock.now()
    bill_id = deps.ids.new_id("out")
    running = int.from_bytes(hashlib.sha256(bill_id.encode()).digest()[:8], "big") % 10**8
    key, second_key = (None, None) if invoice is None else keys_of(deps, invoice)
    stated = None if invoice is None else canonical_bytes(invoice.to_record()).decode()
    return OutsideBill(
        id=bill_id,
        number=f"W{now.astimezone(SHANGHAI):%Y%m%d}{running:08d}",
        form_token=form.token,
        person_id=form.person.id,
        uploaded_by=form.by,
        state=OutsideState.CHECKING if form.is_whole else OutsideState.TYPING,
        source=found.source,
        created_at=now,
        updated_at=now,
        live_key=key,
        live_second_key=second_key,
        stated=stated,
        record=stated if form.is_whole else None,
        hospital_name=None if invoice is None else invoice.institution_name,
        hospital_code=found.seller_code or None,
    )


def add_list(
    deps: OutsideServices,
    person_id: str,
    bill_id: str,
    files: Sequence[bytes],
    *,
    by: str = CITIZEN,
) -> OutsideBill:
    """Add pages of the cost list to an open bill. A page that is there already is passed over."""
    handed = [HandedIn(FileRole.LIST, data) for data in files]
    known = [_Known(one, deps.documents.recognise(one.data)) for one in handed]
    if not known:
        raise UnusableFileError("empty-file")
    if any(one.found.parsed is not None for one in known):
        raise UnusableFileError("list-with-data")
    with deps.work() as work:
        work.people.lock(person_id)
        bill = _own(work.outside.get(bill_id, lock=True), person_id)
        require_state(bill, OutsideState.TYPING, OutsideState.COMPARING, OutsideState.CHECKING)
        _check_limits(deps, work, person_id, handed, is_new=False)
        there = work.outside.files_of(bill.id)
        fresh = [one for one in known if one.digest not in {file.digest for file in there}]
        if len(there) + len(fresh) > FILES_A_BILL:
            raise UnusableFileError("too-many-files")
        for one in fresh:
            _keep(deps, one)
        _add_files(deps, work, bill, fresh, by)
        work.commit()
    return bill


def withdraw_bill(deps: OutsideServices, person_id: str, bill_id: str) -> OutsideBill:
    """Take a bill back before it was checked; its number is free again."""
    with deps.work() as work:
        bill = _own(work.outside.get(bill_id, lock=True), person_id)
        require_state(bill, OutsideState.TYPING, OutsideState.COMPARING, OutsideState.CHECKING)
        taken_back = replace(
            bill,
            state=OutsideState.WITHDRAWN,
            live_key=None,
            live_second_key=None,
            updated_at=deps.clock.now(),
        )
        work.outside.update(taken_back, bill.state)
        add_step(deps, work, bill, StepKind.WITHDRAW, "done", by=CITIZEN)
        work.commit()
    return taken_back


def _own(bill: OutsideBill, person_id: str) -> OutsideBill:
    if bill.person_id != person_id:
        raise NotFoundError("没有这张外来票据", "there is no such bill from outside")
    return bill


def _add_files(
    deps: OutsideServices, work: Any, bill: OutsideBill, known: Sequence[_Known], by: str
) -> None:
    for one in known:
        viewing = one.found.viewing
        work.outside.add_file(
            OutsideFile(
                id=deps.ids.new_id("ofl"),
                bill_id=bill.id,
                person_id=bill.person_id,
                role=one.handed.role,
                digest=one.digest,
                viewing_digest=None if viewing is None else hashlib.sha256(viewing).digest(),
                kind=one.found.kind,
                size=len(one.handed.data),
                uploaded_by=by,
                uploaded_at=deps.clock.now(),
            )
        )


def _check_limits(
    deps: OutsideServices,
    work: Any,
    person_id: str,
    files: Sequence[HandedIn],
    *,
    is_new: bool = True,
) -> None:
    """Raise UploadLimitError when the person's day, or their open bills, are full."""
    local = deps.clock.now().astimezone(SHANGHAI)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    count, size = work.outside.handed_in_since(person_id, midnight)
    size += sum(len(one.data) for one in files)
    if count + len(files) > FILES_A_DAY or size > BYTES_A_DAY:
        raise UploadLimitError(
            f"今天交的文件已到上限（{FILES_A_DAY} 个、{BYTES_A_DAY // 2**20} MB），没有收下。"
            "请明天再交，或到窗口办理。",
            f"today's limit of {FILES_A_DAY} files or {BYTES_A_DAY // 2**20} MB is reached; "
            "nothing was kept",
        )
    is_full = sum(bill.is_open for bill in work.outside.of_person(person_id)) >= OPEN_BILLS_MAX
    if is_new and is_full:
        raise UploadLimitError(
            f"还有 {OPEN_BILLS_MAX} 张外来票据没有审核完，没有收下。请等审核后再交。",
            f"{OPEN_BILLS_MAX} bills from outside wait already; nothing was kept",
        )
