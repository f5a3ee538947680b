"""Calculations, decisions and policy packs: insert-only rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.database.tables import calculation, claim, decision, policy_pack
from backend.service_layer.claims.records import Calculation, Decision

# What every claim asks is put together once.
_ID: Final[sa.BindParameter[str]] = sa.bindparam("id")
_IDS: Final[sa.BindParameter[Sequence[str]]] = sa.bindparam("ids", expanding=True)
_LATEST_CALCULATION: Final = (
    sa.select(calculation)
    .where(calculation.c.claim_id == _ID)
    .order_by(calculation.c.version.desc())
    .limit(1)
)
_LATEST_DECISION: Final = (
    sa.select(decision)
    .where(decision.c.claim_id == _ID)
    .order_by(decision.c.version.desc())
    .limit(1)
)
_CALCULATIONS: Final = (
    sa.select(calculation).where(calculation.c.claim_id.in_(_IDS)).order_by(calculation.c.version)
)
_DECISIONS: Final = (
    sa.select(decision).where(decision.c.claim_id.in_(_IDS)).order_by(decision.c.version)
)


class DecisionRepository:
    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def add_calculation(self, entry: Calculation) -> None:
        self._connection.execute(
            calculation.insert().values(
                {name: getattr(entry, name) for name in Calculation.__dataclass_fields__}
            )
        )

    def latest_calculation(self, claim_id: str) -> Calculation | None:
        row = self._connection.execute(_LATEST_CALCULATION, {"id": claim_id}).first()
        return None if row is None else Calculation(**row._mapping)

    def latest_calculations(self, claim_ids: Sequence[str]) -> dict[str, Calculation]:
        """The newest calculation of each of these claims that has one, by claim id."""
        if not claim_ids:
            return {}
        rows = self._connection.execute(_CALCULATIONS, {"ids": claim_ids})
        return {row.claim_id: Calculation(**row._mapping) for row in rows}

    def add(self, entry: Decision) -> None:
        self._connection.execute(
            decision.insert().values(
                {name: getattr(entry, name) for name in Decision.__dataclass_fields__}
            )
        )

    def latest(self, claim_id: str) -> Decision | None:
        row = self._connection.execute(_LATEST_DECISION, {"id": claim_id}).first()
        return None if row is None else Decision(**row._mapping)

    def latest_decisions(self, claim_ids: Sequence[str]) -> dict[str, Decision]:
        """The newest decision of each of these claims that has one, by claim id."""
        if not claim_ids:
            return {}
        rows = self._connection.execute(_DECISIONS, {"ids": claim_ids})
        return {row.claim_id: Decision(**row._mapping) for row in rows}

    def versions_of(self, claim_id: str) -> list[Decision]:
        """Every decision version of the claim, the first one first."""
        rows = self._connection.execute(
            sa.select(decision).where(decision.c.claim_id == claim_id).order_by(decision.c.version)
        )
        return [Decision(**row._mapping) for row in rows]

    def all_versions(self) -> list[tuple[str, int]]:
        """(claim number, version) of every decision, in that order."""
        rows = self._connection.execute(
            sa.select(claim.c.number, decision.c.version)
            .join(claim, claim.c.id == decision.c.claim_id)
            .order_by(claim.c.number, decision.c.version)
        )
        return [(row.number, row.version) for row in rows]

    def all_of(self, claim_id: str) -> list[Decision]:
        """Every decision version of a claim, the first one first."""
        rows = self._connection.execute(
            sa.select(decision).where(decision.c.claim_id == claim_id).order_by(decision.c.version)
        )
        return [Decision(**row._mapping) for row in rows]

    def add_policy(
        self, policy_hash: bytes, name: str, effective_from: dt.date, document: str, at: dt.datetime
    ) -> bool:
        """Keep a policy pack for auditors; False when it is kept already."""
        known = self._connection.execute(
            sa.select(policy_pack.c.policy_hash).where(policy_pack.c.policy_hash == policy_hash)
        ).first()
        if known is not None:
            return False
        self._connection.execute(
            policy_pack.insert().values(
                policy_hash=policy_hash,
                name=name,
                effective_from=effective_from,
                document=document,
                created_at=at,
            )
        )
        return True

    def policy_hashes(self, name: str) -> list[bytes]:
        """The hashes that are kept under a pack's name; more than one is an edited pack."""
        return list(
            self._connection.execute(
                sa.select(policy_pack.c.policy_hash).where(policy_pack.c.name == name)
            ).scalars()
        )

    def is_policy_kept(self, policy_hash: bytes) -> bool:
        found = sa.select(policy_pack.c.policy_hash).where(policy_pack.c.policy_hash == policy_hash)
        return self._connection.execute(found).first() is not None

    def policy_document(self, policy_hash: bytes) -> str | None:
        return self._connection.execute(
            sa.select(policy_pack.c.document).where(policy_pack.c.policy_hash == policy_hash)
        ).scalar_one_or_none()
