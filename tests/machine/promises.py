"""What must hold after every act, asked of the database and of the bank, not of the services."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from backend.adapters.database import tables
from backend.service_layer.claims.records import Payout, PayoutAnswer
from backend.service_layer.claims.replay import replay_decision
from tests.integration.claims.world import World


@dataclass
class CountingBank:
    """Pays each instruction id once, as banks do; may be slow to answer."""

    paid: dict[str, tuple[str, int]] = field(default_factory=dict)
    is_slow: bool = False

    def pay(self, payout: Payout, at: Any) -> PayoutAnswer | None:
        if self.is_slow:
            return None
        self.paid.setdefault(payout.id, (payout.claim_id, payout.amount_fen))
        return PayoutAnswer(payout.id, "paid", f"SIM-{payout.id}"[:40], True, at)


def rows(world: World, table: sa.Table, *where: Any) -> list[Any]:
    with world.services.engine.connect() as connection:
        return list(connection.execute(sa.select(table).where(*where)))


def footprint(world: World) -> dict[str, int]:
    """How much of everything there is: what a repeated request must not change."""
    counted = (
        tables.submission, tables.claim, tables.decision, tables.payout, tables.calculation,
        tables.ledger_intent, tables.pend_reason, tables.review_case, tables.register_fact,
    )  # fmt: skip
    with world.services.engine.connect() as connection:
        return {
            table.name: connection.execute(
                sa.select(sa.func.count()).select_from(table)
            ).scalar_one()
            for table in counted
        }


def no_bill_is_paid_twice(world: World, bank: CountingBank) -> None:
    """P1: one settlement of a bill, within what it costs; payments are versions' differences."""
    claims = {row.id: row for row in rows(world, tables.claim)}
    invoices = {row.id: row for row in rows(world, tables.invoice_version)}
    effective = [
        row
        for row in rows(world, tables.ledger_intent)
        if row.state == "final" and row.outcome in ("done", "repeated")
    ]
    settled = Counter(claims[r.subject_id].invoice_id for r in effective if r.kind == "settle")
    assert all(count == 1 for count in settled.values()), f"settled twice: {settled}"
    asked: dict[tuple[str, int], int] = {}
    for row in effective:
        if row.kind in ("settle", "supplement"):
            payload = json.loads(row.payload)
            key = (row.subject_id, payload["decision_version"])
            assert key not in asked, f"one version took effect twice: {key}"
            asked[key] = payload["amount"]
    decided = {(r.claim_id, r.version): r.paid_fen for r in rows(world, tables.decision)}
    _amounts_are_differences(asked, decided)
    instructed = {
        (r.claim_id, r.decision_version): r.amount_fen for r in rows(world, tables.payout)
    }
    for key, amount in instructed.items():
        assert asked.get(key) == amount, f"instructed {amount} for {key}, the ledger: {asked}"
    by_bill: Counter[str] = Counter()
    for claim_id, amount in bank.paid.values():
        by_bill[claims[claim_id].version_id] += amount
    for version_id, amount in by_bill.items():
        bill = invoices[version_id]
        assert amount <= bill.total_fen - bill.borne_fen, f"{amount} fen paid of one bill"
    _paid_is_whole(claims.values(), decided, bank)


def _amounts_are_differences(
    asked: dict[tuple[str, int], int], decided: dict[tuple[str, int], int]
) -> None:
    so_far: Counter[str] = Counter()
    for (claim_id, version), amount in sorted(asked.items()):
        so_far[claim_id] += amount
        assert so_far[claim_id] == decided[(claim_id, version)], (
            f"{so_far[claim_id]} fen on the ledger after version {version} of {claim_id}, "
            f"decided were {decided[(claim_id, version)]}"
        )


def _paid_is_whole(
    claims: Iterable[Any], decided: dict[tuple[str, int], int], bank: CountingBank
) -> None:
    """A claim that calls itself paid got what its newest version says."""
    for claim in claims:
        if claim.state == "paid":
            got = sum(amount for owner, amount in bank.paid.values() if owner == claim.id)
            wanted = decided[(claim.id, claim.decision_version)]
            assert got == wanted, f"{claim.number} is paid: {got} of {wanted} fen"


def nothing_is_lost(world: World, bills: Iterable[str], claims: dict[str, str]) -> None:
    """P2: every bill that was taken in and every claim that was accepted is there."""
    assert set(bills) <= {row.id for row in rows(world, tables.invoice)}
    stored = {row.id: row.invoice_id for row in rows(world, tables.claim)}
    assert {claim_id: stored.get(claim_id) for claim_id in claims} == claims
    assert set(stored) == set(claims), "a claim that nobody submitted"
    live = Counter(row.live_invoice_id for row in rows(world, tables.claim) if row.live_invoice_id)
    assert all(count == 1 for count in live.values()), "two claims live on one bill"


def every_fen_is_explained(record: dict[str, Any]) -> None:
    """P3, without a word of the adjudication: lines balance and add up to the whole."""
    for line in record["lines"]:
        adjusted = sum(one["amount_fen"] for one in line["adjustments"])
        assert line["submitted_fen"] == line["paid_fen"] + adjusted, line
        assert all(one["basis_zh"] and one["rule_id"] for one in line["adjustments"])
    assert sum(line["paid_fen"] for line in record["lines"]) == record["paid_fen"]


def year_counts_each_claim_once(decision: Any) -> None:
    entries = json.loads(decision.history_snapshot)["entries"]
    numbers = [entry["claim_number"] for entry in entries]
    assert len(numbers) == len(set(numbers)), f"the year's totals count twice: {numbers}"


def decisions_explain_themselves(world: World, known: set[str], damaged: set[str]) -> None:
    """P3 of every decision that is new since the last look; ``known`` grows."""
    claims = {row.id: row for row in rows(world, tables.claim)}
    causes = {(row.claim_id, row.version) for row in rows(world, tables.decision_cause)}
    for decision in rows(world, tables.decision):
        if decision.id in known:
            continue
        known.add(decision.id)
        claim = claims[decision.claim_id]
        assert claim.invoice_id not in damaged, f"{claim.number} was decided on a changed bill"
        every_fen_is_explained(json.loads(decision.explanation))
        year_counts_each_claim_once(decision)
        assert decision.reason and decision.decided_by
        assert (decision.claim_id, decision.version) in causes, "a version without a cause"
        replay = replay_decision(world.services, claim.number, decision.version)
        assert replay.is_same, replay


def one_appeal_a_version(world: World) -> None:
    asked = Counter(
        (row.claim_id, row.decision_version)
        for row in rows(world, tables.revision_request, tables.revision_request.c.kind == "appeal")
    )
    assert all(count == 1 for count in asked.values()), f"appealed twice: {asked}"


def what_is_settled_stays(world: World) -> None:
    """A claim whose settlement took effect is never given back or decided anew."""
    intent = tables.ledger_intent.c
    settled = rows(
        world, tables.ledger_intent, intent.kind == "settle", intent.state == "final",
        intent.outcome == "done",
    )  # fmt: skip
    states = {row.id: row.state for row in rows(world, tables.claim)}
    for row in settled:
        state = states[row.subject_id]
        assert state in ("settling", "settled", "paying", "paid", "supplementing"), state
