"""What must hold after every act, asked of the database and of the bank, not of the services."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.database.tables.metadata import metadata
from backend.service_layer.claims.replay import replay_decision
from tests.integration.claims.world import World
from tests.memory_bank import MemoryBank, claim_number_of

LOCKED = frozenset({"lodged", "pended", "decided", "settling"})
SETTLED = frozenset({"settled", "paying", "paid", "supplementing"})


def paid_by(books: Books, bank: MemoryBank) -> list[tuple[str, int]]:
    """(claim id, fen) of everything that the bank has carried out."""
    ids = {row.number: row.id for row in books.all(tables.claim)}
    return [(ids[claim_number_of(name)], fen) for name, (_, fen) in bank.paid.items()]


def rows(world: World, table: sa.Table, *where: Any) -> list[Any]:
    with world.services.engine.connect() as connection:
        return list(connection.execute(sa.select(table).where(*where)))


@dataclass
class Books:
    """What is stored at one moment, each table read once."""

    world: World
    _read: dict[str, list[Any]] = field(default_factory=dict)

    def all(self, table: sa.Table) -> list[Any]:
        if table.name not in self._read:
            self._read[table.name] = rows(self.world, table)
        return self._read[table.name]

    def effective(self) -> list[Any]:
        """Calls that the ledger carried out in a block that is final."""
        return [
            row
            for row in self.all(tables.ledger_intent)
            if row.state == "final" and row.outcome in ("done", "repeated")
        ]


def everything(world: World) -> dict[str, int]:
    """How many rows each table has: what a request that comes again must not change."""
    counts = [
        sa.select(sa.literal(table.name), sa.func.count()).select_from(table)
        for table in metadata.sorted_tables
    ]
    with world.services.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(sa.union_all(*counts))}


def settled_by_others(books: Books) -> dict[str, int]:
    """By bill, the fen that insurers have settled in final blocks."""
    claims = {row.id: row.invoice_id for row in books.all(tables.payer_claim)}
    found: Counter[str] = Counter()
    for row in books.effective():
        if row.kind == "settle" and row.subject_id in claims:
            found[claims[row.subject_id]] += json.loads(row.payload)["amount"]
    return dict(found)


def footprint(world: World) -> dict[str, int]:
    """How much of everything there is: what a repeated request must not change."""
    counted = (
        tables.submission, tables.claim, tables.decision, tables.payout, tables.calculation,
        tables.ledger_intent, tables.pend_reason, tables.review_case, tables.register_fact,
        tables.invoice, tables.invoice_version, tables.expense_line, tables.revision_request,
    )  # fmt: skip
    with world.services.engine.connect() as connection:
        return {
            table.name: connection.execute(
                sa.select(sa.func.count()).select_from(table)
            ).scalar_one()
            for table in counted
        }


def no_bill_is_paid_twice(books: Books, bank: MemoryBank) -> None:
    """P1: one settlement of a bill, within what it costs; payments are versions' differences."""
    claims = {row.id: row for row in books.all(tables.claim)}
    invoices = {row.id: row for row in books.all(tables.invoice_version)}
    effective = books.effective()
    effective = [row for row in effective if row.subject_id in claims]
    settled = Counter(claims[r.subject_id].invoice_id for r in effective if r.kind == "settle")
    assert all(count == 1 for count in settled.values()), f"settled twice: {settled}"
    asked: dict[tuple[str, int], int] = {}
    for row in effective:
        if row.kind in ("settle", "supplement"):
            payload = json.loads(row.payload)
            key = (row.subject_id, payload["decision_version"])
            assert key not in asked, f"one version took effect twice: {key}"
            asked[key] = payload["amount"]
    decided = {(r.claim_id, r.version): r.paid_fen for r in books.all(tables.decision)}
    _amounts_are_differences(asked, decided)
    instructed = {(r.claim_id, r.decision_version): r.amount_fen for r in books.all(tables.payout)}
    for key, amount in instructed.items():
        assert asked.get(key) == amount, f"instructed {amount} for {key}, the ledger: {asked}"
    by_bill: Counter[str] = Counter()
    for claim_id, amount in paid_by(books, bank):
        by_bill[claims[claim_id].version_id] += amount
    for version_id, amount in by_bill.items():
        bill = invoices[version_id]
        assert amount <= bill.total_fen - bill.borne_fen, f"{amount} fen paid of one bill"
    withdrawn = {row.id for row in books.all(tables.invoice) if row.state in ("void", "reversed")}
    wanted = {
        claim.id: decided[
            (claim.id, max(v for c, v in asked if c == claim.id))
            if claim.invoice_id in withdrawn
            else (claim.id, claim.decision_version)
        ]
        for claim in claims.values()
        if claim.state == "paid"
    }
    _paid_is_whole(claims.values(), wanted, paid_by(books, bank))


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
    claims: Iterable[Any], wanted: dict[str, int], paid: list[tuple[str, int]]
) -> None:
    """A claim that calls itself paid got what its newest version says; of a bill that was
    withdrawn, what the newest version says that the ledger still took."""
    for claim in claims:
        if claim.state == "paid":
            got = sum(amount for owner, amount in paid if owner == claim.id)
            whole = wanted[claim.id]
            assert got == whole, f"{claim.number} is paid: {got} of {whole} fen"


def money_follows_the_ledger(books: Books, bank: MemoryBank) -> None:
    """P1: nothing counts that a reorganisation could still take back: a claim that is locked or
    settled is so in a final block, and only what the ledger knows of is paid."""
    claims = {row.id: row for row in books.all(tables.claim)}
    final = {(row.subject_id, row.kind) for row in books.effective()}
    for claim in claims.values():
        if claim.state in LOCKED | SETTLED:
            assert (claim.id, "lodge") in final, f"{claim.state}, its lodge is not final"
        if claim.state in SETTLED:
            assert (claim.id, "settle") in final, f"{claim.state}, its settlement is not final"
    payments_are_on_the_ledger(books, bank)


def payments_are_on_the_ledger(books: Books, bank: MemoryBank) -> None:
    """What the bank has paid of a bill is within what the ledger knows at this moment."""
    claims = {row.id: row for row in books.all(tables.claim)}
    keys = {row.id: row.invoice_key for row in books.all(tables.invoice)}
    borne = {row.id: row.borne_fen for row in books.all(tables.invoice_version)}
    by_claim: Counter[str] = Counter()
    for claim_id, amount in paid_by(books, bank):
        by_claim[claim_id] += amount
    for claim_id, amount in by_claim.items():
        claim = claims[claim_id]
        slot = books.world.ledger.slots.get(keys[claim.invoice_id])
        on_ledger = 0 if slot is None else slot.paid_fen - borne[claim.version_id]
        assert amount <= on_ledger, f"{amount} fen paid, the ledger knows of {on_ledger}"


def nothing_is_lost(
    books: Books, contents: dict[tuple[str, int], int], claims: dict[str, str]
) -> None:
    """P2: every content of a bill that was acknowledged (with its total in fen) and every claim
    that was accepted is there, and nothing else."""
    versions = books.all(tables.invoice_version)
    assert {(row.invoice_id, row.version): row.total_fen for row in versions} == contents
    current = {row.id: row.current_version for row in books.all(tables.invoice)}
    assert current == {bill: max(v for b, v in contents if b == bill) for bill, _ in contents}
    lines = Counter(row.version_id for row in books.all(tables.expense_line))
    assert lines == {row.id: row.line_count for row in versions}
    stored = {row.id: row.invoice_id for row in books.all(tables.claim)}
    assert stored == claims
    live = Counter(r.live_invoice_id for r in books.all(tables.claim) if r.live_invoice_id)
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


def decisions_explain_themselves(books: Books, known: set[str], damaged: set[str]) -> None:
    """P3 of every decision that is new since the last look; ``known`` grows. ``damaged`` are the
    versions of bills that somebody has changed."""
    claims = {row.id: row for row in books.all(tables.claim)}
    causes = {(row.claim_id, row.version) for row in books.all(tables.decision_cause)}
    for decision in books.all(tables.decision):
        if decision.id in known:
            continue
        known.add(decision.id)
        claim = claims[decision.claim_id]
        assert claim.version_id not in damaged, f"{claim.number} was decided on a changed bill"
        every_fen_is_explained(json.loads(decision.explanation))
        year_counts_each_claim_once(decision)
        assert decision.reason and decision.decided_by
        assert (decision.claim_id, decision.version) in causes, "a version without a cause"
        replay = replay_decision(books.world.services, claim.number, decision.version)
        assert replay.is_same, replay


def one_appeal_a_version(books: Books) -> None:
    asked = Counter(
        (row.claim_id, row.decision_version)
        for row in books.all(tables.revision_request)
        if row.kind == "appeal"
    )
    assert all(count == 1 for count in asked.values()), f"appealed twice: {asked}"


def what_is_settled_stays(books: Books) -> None:
    """A claim whose settlement took effect is never given back or decided anew."""
    states = {row.id: row.state for row in books.all(tables.claim)}
    for row in books.effective():
        if row.kind == "settle":
            state = states[row.subject_id]
            assert state in SETTLED | {"settling"}, state
