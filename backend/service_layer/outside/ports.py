"""What bills from outside need from outside, as structural types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Protocol

from backend.domain.errors import ConflictError
from backend.service_layer.outside.records import (
    MemberGap,
    OutsideBill,
    OutsideFile,
    OutsideState,
    OutsideStep,
    Recognised,
)


class NumberTakenError(ConflictError):
    """Another bill of the same number, or the same form, is stored: read it and answer with it."""

    code = "outside-number-taken"


class OutsideBills(Protocol):
    def add(self, bill: OutsideBill) -> None:
        """Store; raises NumberTakenError when the number or the form is there."""
        ...

    def update(self, bill: OutsideBill, expected: OutsideState) -> bool:
        """Compare-and-swap on the state; raises NumberTakenError for a number held elsewhere."""
        ...

    def get(self, bill_id: str, *, lock: bool = False) -> OutsideBill: ...
    def by_number(self, number: str) -> OutsideBill: ...
    def by_form(self, form_token: str) -> OutsideBill | None: ...
    def of_invoice(self, invoice_id: str) -> OutsideBill | None: ...
    def of_person(self, person_id: str) -> Sequence[OutsideBill]: ...
    def in_states(
        self, states: Sequence[OutsideState], limit: int = 200
    ) -> Sequence[OutsideBill]: ...
    def holding(self, keys: Sequence[bytes]) -> Sequence[OutsideBill]:
        """Bills, open or accepted, that hold one of these keys."""
        ...

    def add_file(self, entry: OutsideFile) -> None: ...
    def files_of(self, bill_id: str) -> Sequence[OutsideFile]: ...
    def with_file(self, digest: bytes) -> Sequence[OutsideBill]: ...
    def handed_in_since(self, person_id: str, since: dt.datetime) -> tuple[int, int]:
        """(files, bytes) that were handed in for the person since then."""
        ...

    def add_step(self, entry: OutsideStep) -> None: ...
    def steps_of(self, bill_id: str) -> Sequence[OutsideStep]: ...
    def is_confirmed(self, invoice_id: str) -> bool:
        """Whether the insured place has decided on the bill, by a person."""
        ...

    def add_gap(self, gap_id: str, code: str, key: bytes, bill_id: str, at: dt.datetime) -> bool:
        """Note once that a member hospital has not uploaded a bill; False when it was noted."""
        ...

    def gaps(self) -> Sequence[MemberGap]: ...
    def members(self) -> Sequence[tuple[str, str]]:
        """(code, name) of every hospital that uploads here."""
        ...

    def agency_code(self) -> str | None:
        """The code of the institution that anchors bills from outside."""
        ...


class FileStore(Protocol):
    """Files outside the database, found by the SHA-256 of their content."""

    def put(self, data: bytes) -> bytes:
        """Keep the file; returns its digest. The same file again changes nothing."""
        ...

    def get(self, digest: bytes) -> bytes:
        """Raises NoSuchFileError when it is missing or altered."""
        ...


class Documents(Protocol):
    """Finds out by its bytes what a file is."""

    def recognise(self, data: bytes) -> Recognised:
        """Raises UnusableFileError, or InvalidInvoiceError with every fault of its data."""
        ...

    def read_typed(self, data: bytes) -> Any:
        """A bill typed by a clerk, in the JSON form of docs/api.md, as a ParsedInvoice."""
        ...
