"""What the audit rules compare a bill with: the person's other bills, twins, groups of bills alike.

Every question of one claim goes through an index; the figures of groups are counted once a day.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.clock import SystemClock
from backend.adapters.database.bill_traits import trait_row
from backend.adapters.database.tables import (
    bill_trait,
    dispute,
    expense_line,
    group_figure,
    institution,
    invoice,
    invoice_version,
)
from backend.domain.audit.facts import InstitutionFacts
from backend.domain.errors import NotFoundError
from backend.service_layer.audit_rules.ports import ComparedBill
from backend.service_layer.audit_rules.records import GroupFigure
from backend.service_layer.ports import Clock
from verifier.commitment.batch import RecordKind

EXAMPLES: Final = 5
"""Bills shown of a group: those nearest to its median."""

_IS_CURRENT = invoice_version.c.version == invoice.c.current_version
_LOST_A_DISPUTE = sa.exists().where(
    dispute.c.invoice_key == invoice.c.invoice_key,
    dispute.c.state.in_(("ruling", "ruled")),
    dispute.c.upheld_invoice_id != invoice.c.id,
)
_COUNTS = sa.and_(
    _IS_CURRENT,
    invoice.c.state == "active",
    invoice.c.kind != int(RecordKind.RED),
    ~_LOST_A_DISPUTE,
)
_COMPARED = (
    sa.select(
        invoice_version.c.id.label("version_id"),
        invoice.c.institution_code,
        invoice.c.invoice_code,
        invoice.c.invoice_number,
        invoice.c.payer_id_lookup,
        invoice_version.c.service_on,
        invoice_version.c.total_fen,
        invoice_version.c.header,
        bill_trait.c.lines_digest,
    )
    .select_from(invoice)
    .join(invoice_version, invoice_version.c.invoice_id == invoice.c.id)
)

# What every claim asks is put together once.
_FROM: Final[sa.BindParameter[dt.date]] = sa.bindparam("from_on", type_=sa.Date)
_TO: Final[sa.BindParameter[dt.date]] = sa.bindparam("to_on", type_=sa.Date)
_MOST: Final[sa.BindParameter[int]] = sa.bindparam("most", type_=sa.Integer)
_WITH_TRAITS: Final = _COMPARED.outerjoin(
    bill_trait, bill_trait.c.version_id == invoice_version.c.id
)
_OWN_BILLS: Final = (
    _WITH_TRAITS.where(
        invoice.c.payer_id_lookup == sa.bindparam("lookup"),
        _COUNTS,
        invoice_version.c.service_on.between(_FROM, _TO),
    )
    .order_by(invoice_version.c.service_on.desc(), invoice_version.c.id)
    .limit(_MOST)
)
_TWINS: Final = (
    _COMPARED.join(bill_trait, bill_trait.c.version_id == invoice_version.c.id)
    .where(
        bill_trait.c.lines_digest == sa.bindparam("digest"),
        bill_trait.c.service_on.between(_FROM, _TO),
        _COUNTS,
    )
    .order_by(bill_trait.c.service_on, bill_trait.c.version_id)
    .limit(_MOST)
)
_SAME_NUMBER: Final = (
    _WITH_TRAITS.where(invoice.c.invoice_key == sa.bindparam("key"), _COUNTS)
    .order_by(invoice_version.c.id)
    .limit(_MOST)
)
_LOOKUP: Final = (
    sa.select(invoice.c.payer_id_lookup)
    .join(invoice_version, invoice_version.c.invoice_id == invoice.c.id)
    .where(invoice_version.c.id == sa.bindparam("id"))
)
_AGREEMENT: Final = sa.select(
    institution.c.agreement_from, institution.c.agreement_until, institution.c.area_code
).where(institution.c.code == sa.bindparam("code"))
_COUNTED_AT: Final = (
    sa.select(group_figure.c.counted_at).order_by(group_figure.c.counted_at.desc()).limit(1)
)
_FIGURE: Final = sa.select(group_figure).where(
    group_figure.c.counted_at == sa.bindparam("at"),
    group_figure.c.hospital_level == sa.bindparam("level"),
    group_figure.c.visit_kind == sa.bindparam("kind"),
    group_figure.c.diagnosis == sa.bindparam("what"),
)


def _compared(row: Any) -> ComparedBill:
    values = dict(row._mapping)
    values["payer_id_lookup"] = bytes(values["payer_id_lookup"])
    if values["lines_digest"] is not None:
        values["lines_digest"] = bytes(values["lines_digest"])
    return ComparedBill(**values)


class BillComparisonRepository:
    def __init__(self, connection: sa.Connection, clock: Clock | None = None) -> None:
        self._connection = connection
        self._clock = clock or SystemClock()

    # --- one bill -------------------------------------------------------------------------

    def own_bills(
        self, payer_id_lookup: bytes, from_on: dt.date, to_on: dt.date, limit: int
    ) -> list[ComparedBill]:
        given = {"lookup": payer_id_lookup, "from_on": from_on, "to_on": to_on, "most": limit}
        rows = self._connection.execute(_OWN_BILLS, given)
        return [_compared(row) for row in rows]

    def twins(
        self, lines_digest: bytes, from_on: dt.date, to_on: dt.date, limit: int
    ) -> list[ComparedBill]:
        given = {"digest": lines_digest, "from_on": from_on, "to_on": to_on, "most": limit}
        rows = self._connection.execute(_TWINS, given)
        return [_compared(row) for row in rows]

    def same_number(self, invoice_key: bytes, limit: int) -> list[ComparedBill]:
        rows = self._connection.execute(_SAME_NUMBER, {"key": invoice_key, "most": limit})
        return [_compared(row) for row in rows]

    def lookup_of(self, version_id: str) -> bytes:
        found = self._connection.execute(_LOOKUP, {"id": version_id}).scalar_one_or_none()
        if found is None:
            raise NotFoundError("没有这张票据", "there is no such bill")
        return bytes(found)

    def institution_facts(self, code: str) -> tuple[InstitutionFacts, str]:
        row = self._connection.execute(_AGREEMENT, {"code": code}).first()
        if row is None:
            return InstitutionFacts(is_known=False), ""
        return InstitutionFacts(True, row.agreement_from, row.agreement_until), row.area_code

    def charges_of(self, version_ids: Sequence[str]) -> dict[str, list[str]]:
        """The canonical JSON of the expense lines of several bills, in one question."""
        found: dict[str, list[str]] = {version_id: [] for version_id in version_ids}
        rows = self._connection.execute(
            sa.select(expense_line.c.version_id, expense_line.c.record)
            .where(expense_line.c.version_id.in_(version_ids))
            .order_by(expense_line.c.version_id, expense_line.c.line_index)
        )
        for row in rows:
            found[row.version_id].append(row.record)
        return found

    # --- traits ---------------------------------------------------------------------------

    def add_missing_traits(self, limit: int) -> int:
        rows = self._connection.execute(
            sa.select(invoice_version.c.id, invoice_version.c.header, invoice_version.c.service_on)
            .outerjoin(bill_trait, bill_trait.c.version_id == invoice_version.c.id)
            .where(bill_trait.c.version_id.is_(None))
            .order_by(invoice_version.c.id)
            .limit(limit)
        ).all()
        added = 0
        for row in rows:
            lines = self._connection.execute(
                sa.select(expense_line.c.record).where(expense_line.c.version_id == row.id)
            ).scalars()
            try:
                values = trait_row(row.id, row.service_on, row.header, list(lines))
            except (ValueError, AttributeError, TypeError):
                continue  # a bill that was damaged is in no comparison; screening finds it
            self._connection.execute(sa.insert(bill_trait).values(values))
            added += 1
        return added

    # --- groups ---------------------------------------------------------------------------

    def add_figures(self, since: dt.date, at: dt.datetime) -> int:
        groups: dict[tuple[int, str, str], list[tuple[int, str]]] = {}
        rows = self._connection.execute(
            sa.select(
                institution.c.level,
                bill_trait.c.visit_kind,
                bill_trait.c.diagnosis,
                invoice_version.c.total_fen,
                invoice_version.c.service_on,
            )
            .select_from(bill_trait)
            .join(invoice_version, invoice_version.c.id == bill_trait.c.version_id)
            .join(invoice, invoice.c.id == invoice_version.c.invoice_id)
            .join(institution, institution.c.code == invoice.c.institution_code)
            .where(
                bill_trait.c.diagnosis != "",
                bill_trait.c.service_on >= since,
                invoice_version.c.total_fen > 0,
                _COUNTS,
            )
        )
        for level, kind, diagnosis, total_fen, service_on in rows:
            members = groups.setdefault((level, kind, diagnosis), [])
            members.append((total_fen, service_on.isoformat()))
        for (level, kind, diagnosis), members in groups.items():
            self._connection.execute(
                sa.insert(group_figure).values(
                    counted_at=at,
                    hospital_level=level,
                    visit_kind=kind,
                    diagnosis=diagnosis,
                    size=len(members),
                    **_summary(members),
                )
            )
        return len(groups)

    def figures_counted_at(self) -> dt.datetime | None:
        found: dt.datetime | None = self._connection.execute(_COUNTED_AT).scalar()
        return found

    def grouped_bills(self, counted_at: dt.datetime) -> int:
        found = self._connection.execute(
            sa.select(sa.func.sum(group_figure.c.size)).where(
                group_figure.c.counted_at == counted_at
            )
        ).scalar()
        return int(found or 0)

    def bills_to_group(self, since: dt.date) -> int:
        found = self._connection.execute(
            sa.select(sa.func.count()).where(
                bill_trait.c.diagnosis != "", bill_trait.c.service_on >= since
            )
        ).scalar()
        return int(found or 0)

    def figure(
        self, counted_at: dt.datetime, hospital_level: int, visit_kind: str, diagnosis: str
    ) -> GroupFigure | None:
        given = {"at": counted_at, "level": hospital_level, "kind": visit_kind, "what": diagnosis}
        row = self._connection.execute(_FIGURE, given).first()
        return None if row is None else GroupFigure(**row._mapping)

    # --- history --------------------------------------------------------------------------

    def versions_between(
        self, from_on: dt.date, to_on: dt.date, after: tuple[dt.date, str], limit: int
    ) -> list[tuple[dt.date, str]]:
        day, version_id = after
        trait = bill_trait.c
        rows = self._connection.execute(
            sa.select(trait.service_on, trait.version_id)
            .join(invoice_version, invoice_version.c.id == trait.version_id)
            .join(invoice, invoice.c.id == invoice_version.c.invoice_id)
            .where(
                trait.service_on.between(from_on, to_on),
                sa.or_(
                    trait.service_on > day,
                    sa.and_(trait.service_on == day, trait.version_id > version_id),
                ),
                invoice.c.kind == int(RecordKind.CLAIMABLE),
                _COUNTS,
            )
            .order_by(trait.service_on, trait.version_id)
            .limit(limit)
        )
        return [(row.service_on, row.version_id) for row in rows]


def _summary(members: list[tuple[int, str]]) -> dict[str, Any]:
    """The median (the lower middle rounded down to fen for an even size) and bills beside it."""
    members.sort()
    middle = len(members) // 2
    median = members[middle][0]
    if len(members) % 2 == 0:
        median = (members[middle - 1][0] + median) // 2
    begin = max(0, min(middle - EXAMPLES // 2, len(members) - EXAMPLES))
    examples = [
        {"service_on": day, "total_fen": total} for total, day in members[begin : begin + EXAMPLES]
    ]
    return {"median_fen": median, "examples": json.dumps(examples)}
