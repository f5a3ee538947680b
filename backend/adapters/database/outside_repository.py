"""Bills from outside with their files and steps, and the gaps of member hospitals."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import (
    institution,
    invoice,
    member_gap,
    outside_bill,
    outside_file,
    outside_step,
)
from backend.domain.errors import NotFoundError
from backend.service_layer.outside.ports import NumberTakenError
from backend.service_layer.outside.records import (
    AGENCY,
    FileKind,
    FileRole,
    MemberGap,
    OutsideBill,
    OutsideFile,
    OutsideState,
    OutsideStep,
    StepKind,
)
from backend.service_layer.ports import Clock


class OutsideRepository:
    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection

    # --- bills ----------------------------------------------------------------------------

    def add(self, bill: OutsideBill) -> None:
        """Store; raises NumberTakenError when the number or the form is there."""
        try:
            self._connection.execute(sa.insert(outside_bill).values(_bill_values(bill)))
        except sa.exc.IntegrityError as error:
            raise _taken() from error

    def update(self, bill: OutsideBill, expected: OutsideState) -> bool:
        """Compare-and-swap on the state; raises NumberTakenError for a number held elsewhere."""
        try:
            done = self._connection.execute(
                sa.update(outside_bill)
                .where(outside_bill.c.id == bill.id, outside_bill.c.state == str(expected))
                .values(_bill_values(bill))
            )
        except sa.exc.IntegrityError as error:
            raise _taken() from error
        return done.rowcount == 1

    def get(self, bill_id: str, *, lock: bool = False) -> OutsideBill:
        query = sa.select(outside_bill).where(outside_bill.c.id == bill_id)
        row = self._connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise _unknown()
        return _bill(row)

    def by_number(self, number: str) -> OutsideBill:
        found = self._select(outside_bill.c.number == number)
        if not found:
            raise _unknown()
        return found[0]

    def by_form(self, form_token: str) -> OutsideBill | None:
        found = self._select(outside_bill.c.form_token == form_token)
        return found[0] if found else None

    def of_invoice(self, invoice_id: str) -> OutsideBill | None:
        found = self._select(outside_bill.c.invoice_id == invoice_id)
        return found[0] if found else None

    def of_person(self, person_id: str) -> list[OutsideBill]:
        """Newest first."""
        return self._select(outside_bill.c.person_id == person_id)[::-1]

    def in_states(self, states: Sequence[OutsideState], limit: int = 200) -> list[OutsideBill]:
        """Oldest first."""
        return self._select(outside_bill.c.state.in_([str(state) for state in states]))[:limit]

    def holding(self, keys: Sequence[bytes]) -> list[OutsideBill]:
        """Bills, open or accepted, that hold one of these keys."""
        return self._select(
            sa.or_(outside_bill.c.live_key.in_(keys), outside_bill.c.live_second_key.in_(keys))
        )

    def _select(self, condition: Any) -> list[OutsideBill]:
        rows = self._connection.execute(
            sa.select(outside_bill)
            .where(condition)
            .order_by(outside_bill.c.created_at, outside_bill.c.id)
        )
        return [_bill(row) for row in rows]

    # --- files ----------------------------------------------------------------------------

    def add_file(self, entry: OutsideFile) -> None:
        values = {name: getattr(entry, name) for name in OutsideFile.__slots__}
        values |= {"role": str(entry.role), "kind": str(entry.kind)}
        self._connection.execute(sa.insert(outside_file).values(values))

    def files_of(self, bill_id: str) -> list[OutsideFile]:
        rows = self._connection.execute(
            sa.select(outside_file)
            .where(outside_file.c.bill_id == bill_id)
            .order_by(outside_file.c.uploaded_at, outside_file.c.id)
        )
        return [_file(row) for row in rows]

    def with_file(self, digest: bytes) -> list[OutsideBill]:
        """The bills to which this very file belongs."""
        of_file = sa.select(outside_file.c.bill_id).where(outside_file.c.digest == digest)
        return self._select(outside_bill.c.id.in_(of_file))

    def handed_in_since(self, person_id: str, since: dt.datetime) -> tuple[int, int]:
        """(files, bytes) that were handed in for the person since then."""
        row = self._connection.execute(
            sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(outside_file.c.size), 0)).where(
                outside_file.c.person_id == person_id, outside_file.c.uploaded_at >= since
            )
        ).one()
        return int(row[0]), int(row[1])

    # --- steps ----------------------------------------------------------------------------

    def add_step(self, entry: OutsideStep) -> None:
        values = {name: getattr(entry, name) for name in OutsideStep.__slots__}
        values["step"] = str(entry.step)
        values["content"] = json.dumps(entry.content, ensure_ascii=False, sort_keys=True)
        self._connection.execute(sa.insert(outside_step).values(values))

    def steps_of(self, bill_id: str) -> list[OutsideStep]:
        """Oldest first."""
        rows = self._connection.execute(
            sa.select(outside_step)
            .where(outside_step.c.bill_id == bill_id)
            .order_by(outside_step.c.at, outside_step.c.id)
        )
        found = []
        for row in rows:
            values = dict(row._mapping)
            values |= {"step": StepKind(row.step), "content": json.loads(row.content)}
            found.append(OutsideStep(**values))
        return found

    def is_confirmed(self, invoice_id: str) -> bool:
        """Whether the insured place has decided on the bill, by a person."""
        found = self._connection.execute(
            sa.select(outside_step.c.id)
            .join(outside_bill, outside_bill.c.id == outside_step.c.bill_id)
            .where(
                outside_bill.c.invoice_id == invoice_id,
                outside_step.c.step == str(StepKind.INSURED_PLACE),
            )
            .limit(1)
        ).first()
        return found is not None

    # --- members --------------------------------------------------------------------------

    def add_gap(self, gap_id: str, code: str, key: bytes, bill_id: str, at: dt.datetime) -> bool:
        """Note once that a member hospital has not uploaded a bill; False when it was noted."""
        known = self._connection.execute(
            sa.select(member_gap.c.id).where(
                member_gap.c.institution_code == code, member_gap.c.invoice_key == key
            )
        ).first()
        if known is not None:
            return False
        self._connection.execute(
            sa.insert(member_gap).values(
                id=gap_id, institution_code=code, invoice_key=key, bill_id=bill_id, noticed_at=at
            )
        )
        return True

    def gaps(self) -> list[MemberGap]:
        """Oldest first."""
        uploaded = (
            sa.select(invoice.c.id)
            .where(
                invoice.c.institution_code == member_gap.c.institution_code,
                sa.or_(
                    invoice.c.invoice_key == member_gap.c.invoice_key,
                    invoice.c.second_key == member_gap.c.invoice_key,
                ),
            )
            .exists()
        )
        rows = self._connection.execute(
            sa.select(
                member_gap.c.institution_code,
                institution.c.name.label("institution_name"),
                outside_bill.c.number.label("bill_number"),
                member_gap.c.noticed_at,
                uploaded.label("is_closed"),
            )
            .join(institution, institution.c.code == member_gap.c.institution_code)
            .join(outside_bill, outside_bill.c.id == member_gap.c.bill_id)
            .order_by(member_gap.c.noticed_at, member_gap.c.id)
        )
        return [MemberGap(**row._mapping) for row in rows]

    def members(self) -> list[tuple[str, str]]:
        """(code, name) of every hospital that uploads here."""
        rows = self._connection.execute(
            sa.select(institution.c.code, institution.c.name)
            .where(institution.c.role != AGENCY)
            .order_by(institution.c.code)
        )
        return [(row.code, row.name) for row in rows]

    def agency_code(self) -> str | None:
        """The code of the institution that anchors bills from outside."""
        found: str | None = self._connection.execute(
            sa.select(institution.c.code)
            .where(institution.c.role == AGENCY)
            .order_by(institution.c.code)
        ).scalar()
        return found


def _bill_values(bill: OutsideBill) -> dict[str, Any]:
    values = {name: getattr(bill, name) for name in OutsideBill.__slots__}
    values["state"] = str(bill.state)
    return values


def _bill(row: Any) -> OutsideBill:
    values = dict(row._mapping)
    values["state"] = OutsideState(values["state"])
    return OutsideBill(**values)


def _file(row: Any) -> OutsideFile:
    values = dict(row._mapping)
    values |= {"role": FileRole(row.role), "kind": FileKind(row.kind)}
    return OutsideFile(**values)


def _taken() -> NumberTakenError:
    return NumberTakenError("这张票据刚刚已经收下", "this bill has just been stored")


def _unknown() -> NotFoundError:
    return NotFoundError("没有这张外来票据", "there is no such bill from outside")
