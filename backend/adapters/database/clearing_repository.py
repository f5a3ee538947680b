"""Yearly clearings in the database: inserts and reads, and the sums of the yearly statement."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.database.tables import (
    claim,
    clearing_end,
    clearing_item,
    clearing_person,
    clearing_run,
    decision,
    institution,
    invoice,
    invoice_version,
    journal_account,
    journal_entry,
    journal_transfer,
)
from backend.domain.claim import ClaimState
from backend.domain.clearing import Finding, Order
from backend.domain.journal import AccountKind, LayerAmounts
from backend.service_layer.clearing.records import (
    FOR_PEOPLE,
    PROPOSED,
    VERSION,
    ClearedPerson,
    Item,
    Run,
    SettledBill,
    StatedClaim,
)

_CHUNK: Final = 500
_SETTLED_KIND: Final = 2  # verifier.commitment.batch.RecordKind.SETTLED
_SETTLED: Final = tuple(
    str(state)
    for state in (
        ClaimState.SETTLED,
        ClaimState.PAYING,
        ClaimState.PAID,
        ClaimState.SUPPLEMENTING,
    )
)
_ITEMS: Final = sa.select(clearing_item, claim.c.number.label("claim_number")).join(
    claim, claim.c.id == clearing_item.c.claim_id
)
_RUNS: Final = sa.select(clearing_run, clearing_end.c.ended_at).outerjoin(
    clearing_end, clearing_end.c.run_id == clearing_run.c.id
)
_PERSON: Final = tuple(column.name for column in clearing_person.columns)
_ITEM: Final = tuple(column.name for column in clearing_item.columns)
_LAYERS: Final = ("pool_fen", "serious_illness_fen", "medical_aid_fen", "civil_servant_fen")


class ClearingRepository:
    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    # --- runs ----------------------------------------------------------------------------------

    def start(self, entry: Run) -> bool:
        """False when the year has a run of this ordinal already."""
        return self._insert(
            clearing_run,
            id=entry.id,
            year=entry.year,
            ordinal=entry.ordinal,
            is_year_open=entry.is_year_open,
            started_by=entry.started_by,
            started_at=entry.started_at,
        )

    def end(self, run_id: str, at: dt.datetime) -> bool:
        """False when it had ended already."""
        return self._insert(clearing_end, run_id=run_id, ended_at=at)

    def get_run(self, run_id: str) -> Run | None:
        row = self._connection.execute(_RUNS.where(clearing_run.c.id == run_id)).first()
        return None if row is None else Run(**row._mapping)

    def runs(self, year: int | None = None, limit: int = 200) -> list[Run]:
        """The newest first."""
        query = _RUNS.order_by(clearing_run.c.year.desc(), clearing_run.c.ordinal.desc())
        if year is not None:
            query = query.where(clearing_run.c.year == year)
        return [Run(**row._mapping) for row in self._connection.execute(query.limit(limit))]

    def is_done(self, run_id: str, person_id: str) -> bool:
        query = sa.select(clearing_person.c.run_id).where(
            clearing_person.c.run_id == run_id, clearing_person.c.person_id == person_id
        )
        return self._connection.execute(query).first() is not None

    def people_done(self, run_id: str) -> frozenset[str]:
        """The ids of everybody whom the run has been through."""
        query = sa.select(clearing_person.c.person_id).where(clearing_person.c.run_id == run_id)
        return frozenset(self._connection.execute(query).scalars())

    def last_at(self, run_id: str) -> dt.datetime | None:
        """When the run was through with somebody last."""
        query = sa.select(sa.func.max(clearing_person.c.at)).where(
            clearing_person.c.run_id == run_id
        )
        return self._connection.execute(query).scalar()

    def add_person(self, entry: ClearedPerson) -> None:
        values = {name: getattr(entry, name) for name in _PERSON}
        self._connection.execute(clearing_person.insert().values(values))

    def people_of(self, run_id: str) -> Mapping[str, tuple[int, int]]:
        """(people, claims) by what became of them."""
        rows = self._connection.execute(
            sa.select(
                clearing_person.c.outcome,
                sa.func.count().label("people"),
                sa.func.sum(clearing_person.c.claim_count).label("claims"),
            )
            .where(clearing_person.c.run_id == run_id)
            .group_by(clearing_person.c.outcome)
        )
        return {row.outcome: (row.people, int(row.claims)) for row in rows}

    def left(self, run_id: str, limit: int = 1_000) -> list[ClearedPerson]:
        rows = self._connection.execute(
            sa.select(clearing_person)
            .where(
                clearing_person.c.run_id == run_id,
                clearing_person.c.detail != "",
            )
            .order_by(clearing_person.c.person_id)
            .limit(limit)
        )
        return [ClearedPerson(**row._mapping) for row in rows]

    # --- differences ---------------------------------------------------------------------------

    def add_item(self, entry: Item) -> None:
        values = {
            name: getattr(entry, name)
            for name in _ITEM
            if name not in (*_LAYERS, "finding", "basis")
        }
        layers = {name: getattr(entry.layers, name) for name in _LAYERS}
        self._connection.execute(
            clearing_item.insert().values(
                **values, **layers, finding=str(entry.finding), basis=str(entry.basis)
            )
        )

    def get_item(self, item_id: str) -> Item | None:
        found = self._items(clearing_item.c.id == item_id)
        return found[0] if found else None

    def items_of(self, run_id: str) -> list[Item]:
        return self._items(clearing_item.c.run_id == run_id)

    def items_page(self, run_id: str, after: str, limit: int) -> list[Item]:
        """Differences that a run found first, by their ids, beyond ``after``."""
        query = _ITEMS.where(clearing_item.c.run_id == run_id, clearing_item.c.id > after)
        rows = self._connection.execute(query.order_by(clearing_item.c.id).limit(limit))
        return [_item(row) for row in rows]

    def sums_of(self, run_id: str) -> Mapping[str, tuple[int, int]]:
        """By finding, how many differences a run found first, and the fen of them (with sign)."""
        difference = clearing_item.c.after_fen - clearing_item.c.before_fen
        rows = self._connection.execute(
            sa.select(
                clearing_item.c.finding,
                sa.func.count().label("found"),
                sa.func.sum(difference).label("fen"),
            )
            .where(clearing_item.c.run_id == run_id)
            .group_by(clearing_item.c.finding)
        )
        return {row.finding: (row.found, int(row.fen)) for row in rows}

    def items_of_claim(self, claim_id: str) -> list[Item]:
        """Oldest first."""
        return self._items(clearing_item.c.claim_id == claim_id)

    def proposals(self, before: str = "", limit: int = 200) -> list[Item]:
        """One page of the differences that ask money back, the newest first; ``before`` is the
        last id of the page before."""
        query = _ITEMS.where(clearing_item.c.outcome == PROPOSED)
        if before:
            query = query.where(clearing_item.c.id < before)
        rows = self._connection.execute(query.order_by(clearing_item.c.id.desc()).limit(limit))
        return [_item(row) for row in rows]

    def is_ordered_by_day(self, person_id: str, year: int) -> bool:
        """Whether a clearing took effect on this year in the order of the days of service."""
        query = sa.select(clearing_item.c.id).where(
            clearing_item.c.person_id == person_id,
            clearing_item.c.year == year,
            clearing_item.c.basis == str(Order.BY_DAY),
            clearing_item.c.outcome.in_([VERSION, FOR_PEOPLE, PROPOSED]),
        )
        return self._connection.execute(query.limit(1)).first() is not None

    def history_of(self, claim_id: str) -> str | None:
        """The claims before this one as the last clearing that gives it more counted them, as
        canonical JSON; None where none does."""
        query = (
            sa.select(clearing_item.c.history_snapshot)
            .where(
                clearing_item.c.claim_id == claim_id,
                clearing_item.c.finding == str(Finding.MORE),
            )
            .order_by(clearing_item.c.created_at.desc(), clearing_item.c.id.desc())
        )
        return self._connection.execute(query.limit(1)).scalar()

    def _items(self, *where: sa.ColumnElement[bool]) -> list[Item]:
        rows = self._connection.execute(
            _ITEMS.where(*where).order_by(clearing_item.c.created_at, clearing_item.c.id)
        )
        return [_item(row) for row in rows]

    def _insert(self, table: sa.Table, **values: Any) -> bool:
        try:
            with self._connection.begin_nested():
                self._connection.execute(table.insert().values(values))
        except sa.exc.IntegrityError:
            return False
        return True

    # --- the statement -------------------------------------------------------------------------

    def stated_claims(
        self, year: int, hospital: str | None, after: str, limit: int
    ) -> list[StatedClaim]:
        """Settled claims of the year by claim id. With ``hospital`` those on its bills and on bills
        that the agency anchored, whose place of care stands in the decision."""
        query = (
            sa.select(
                claim.c.id.label("claim_id"),
                claim.c.number,
                claim.c.state,
                decision.c.explanation,
                decision.c.paid_fen,
                (invoice.c.state == "active").label("is_bill_active"),
            )
            .join(
                decision,
                sa.and_(
                    decision.c.claim_id == claim.c.id,
                    decision.c.version == claim.c.decision_version,
                ),
            )
            .join(invoice, invoice.c.id == claim.c.invoice_id)
            .join(institution, institution.c.code == invoice.c.institution_code)
            .where(claim.c.benefit_year == year, claim.c.state.in_(_SETTLED), claim.c.id > after)
            .order_by(claim.c.id)
            .limit(limit)
        )
        if hospital is not None:
            query = query.where(
                sa.or_(institution.c.code == hospital, institution.c.role == "agency")
            )
        return [
            StatedClaim(**{**row._mapping, "is_bill_active": bool(row.is_bill_active)})
            for row in self._connection.execute(query)
        ]

    def borne_by(self, claim_ids: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """By claim and layer, the fen that the journal has the funds bear: debits less credits."""
        found: dict[str, dict[str, int]] = {one: {} for one in claim_ids}
        for some in _chunks(claim_ids):
            for side, sign in ((journal_transfer.c.debit_account, 1),
                               (journal_transfer.c.credit_account, -1)):  # fmt: skip
                for row in self._connection.execute(_borne(side, some)):
                    layers = found[row.claim_id]
                    layers[row.layer] = layers.get(row.layer, 0) + sign * int(row.amount)
        return {
            one: {layer: amount for layer, amount in layers.items() if amount}
            for one, layers in found.items()
        }

    def settled_bills(
        self, year: int, hospital: str | None, after: str, limit: int
    ) -> list[SettledBill]:
        """Active bills of the year that were settled at the counter, by version id."""
        first, last = dt.date(year, 1, 1), dt.date(year, 12, 31)
        query = (
            sa.select(
                invoice_version.c.id.label("version_id"),
                invoice.c.institution_code,
                invoice_version.c.total_fen,
                invoice_version.c.header,
            )
            .join(
                invoice,
                sa.and_(
                    invoice.c.id == invoice_version.c.invoice_id,
                    invoice.c.current_version == invoice_version.c.version,
                ),
            )
            .where(
                invoice.c.kind == _SETTLED_KIND,
                invoice.c.state == "active",
                invoice_version.c.service_on.between(first, last),
                invoice_version.c.id > after,
            )
            .order_by(invoice_version.c.id)
            .limit(limit)
        )
        if hospital is not None:
            query = query.where(invoice.c.institution_code == hospital)
        return [SettledBill(**row._mapping) for row in self._connection.execute(query)]


def _borne(side: sa.Column[Any], claim_ids: Sequence[str]) -> sa.Select[Any]:
    return (
        sa.select(
            journal_entry.c.claim_id,
            journal_account.c.layer,
            sa.func.sum(journal_transfer.c.amount_fen).label("amount"),
        )
        .join(journal_transfer, journal_transfer.c.entry_id == journal_entry.c.id)
        .join(journal_account, journal_account.c.code == side)
        .where(
            journal_entry.c.claim_id.in_(claim_ids),
            journal_account.c.kind == str(AccountKind.FUND),
        )
        .group_by(journal_entry.c.claim_id, journal_account.c.layer)
    )


def _item(row: sa.Row[Any]) -> Item:
    values = {name: value for name, value in row._mapping.items() if name not in _LAYERS}
    values["finding"] = Finding(row.finding)
    values["basis"] = Order(row.basis)
    return Item(**values, layers=LayerAmounts(**{name: row._mapping[name] for name in _LAYERS}))


def _chunks(items: Sequence[str]) -> list[Sequence[str]]:
    return [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
