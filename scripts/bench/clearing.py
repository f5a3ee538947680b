"""A year's clearing: every paid claim worked out again, differences booked, a hospital's statement.

Run: ``python -m scripts.bench.clearing [--claims 15605] [--database postgresql]``. The default is
small; 15,605 is the number of self-pay bills that Quzhou has published as uploaded.

One claim goes all the way to its payment; the others are copies of its rows, each of a person of
its own, which is the most people that so many claims can have. Of one person in a hundred the
register learns afterwards that a referral was filed: those claims come to 84.00 yuan more. In the
end what was booked is compared with that, and the second run has to change nothing; any difference
ends the run with an error.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.database import tables
from backend.service_layer.clearing.run import Figures, run_year, try_year
from backend.service_layer.clearing.statement import yearly_statement
from scripts.bench.anchoring_bed import open_postgresql
from scripts.bench.day import CHUNK, DIGITS, Copies, timed
from tests.integration.claims.world import HOSPITAL, World
from tests.integration.clearing.cleared_world import (
    FILED_FEN,
    FIRST_DAY,
    UNFILED_FEN,
    booked,
    new_year,
)
from tests.integration.register.register_world import move_hospital, run_approved, touch
from verifier.commitment.canonical import parse_canonical
from verifier.commitment.fingerprint import compute_fingerprint

YEAR: Final = 2026
LATE_EVERY: Final = 100
MORE_FEN: Final = FILED_FEN - UNFILED_FEN
_BOOKS: Final = ("claim_fund", "journal_transfer", "journal_entry")


def paid_world(folder: Path, url: str | None) -> World:
    """A city with one paid claim of care elsewhere that nobody had filed."""
    world = World.make(folder, url)
    bill = world.bill(world.person(), 1000, FIRST_DAY)
    move_hospital(world)
    world.anchor()
    (claim,) = touch(world, world.people[0].id, bill)
    run_approved(world, claim)
    if str(world.claim(claim.id).state) != "paid":
        raise SystemExit(f"the claim was never paid: {world.claim(claim.id)}")
    return world


class SealedCopies(Copies):
    """Copies whose late bills have a fingerprint of their own, as an upload gives them: nothing
    more is paid on a bill that does not have the one that it was anchored with."""

    def _copy(self, row: dict[str, Any], table: str, number: int) -> dict[str, Any]:
        made = super()._copy(row, table, number)
        if table == "invoice_version" and number % LATE_EVERY == 0:
            lines = [super(SealedCopies, self)._copy(line, "expense_line", number)["record"]
                     for line in self._rows["expense_line"]]  # fmt: skip
            record: Any = parse_canonical(made["header"].encode())
            record |= {"lines": [parse_canonical(line.encode()) for line in lines]}
            services = self._world.services
            secret = services.ids.new_secret()
            made["wrapped_secret"] = services.secret_box.wrap(secret, made["id"])
            made["fingerprint"] = compute_fingerprint(record, secret)
        return made


def copy_books(world: World, copies: Copies, count: int) -> None:
    """Fund and approval of each copied claim, as the first one has them."""
    with world.services.engine.connect() as connection:
        kept = {name: _rows_of(connection, name) for name in _BOOKS}
    for start in range(2, count + 2, CHUNK):
        numbers = range(start, min(count + 2, start + CHUNK))
        with world.services.engine.begin() as connection:
            for name, rows in kept.items():
                copied = [_named(copies, row, name, n) for n in numbers for row in rows]
                connection.execute(sa.insert(tables.metadata.tables[name]), copied)


def _rows_of(connection: sa.Connection, name: str) -> list[dict[str, Any]]:
    table = tables.metadata.tables[name]
    entry = tables.journal_entry
    of_claim = sa.select(entry.c.id).where(entry.c.kind == "approved")
    query = sa.select(table)
    if name == "journal_entry":
        query = query.where(entry.c.id.in_(of_claim))
    elif name == "journal_transfer":
        query = query.where(table.c.entry_id.in_(of_claim))
    return [dict(row._mapping) for row in connection.execute(query)]


def _named(copies: Copies, row: dict[str, Any], name: str, number: int) -> dict[str, Any]:
    made = copies._copy(row, name, number)
    for key in ("id", "entry_id"):
        if key in made and name.startswith("journal"):
            made[key] = f"{made[key][:-DIGITS]}{number:0{DIGITS}d}"
    return made


def learn_referrals(world: World, copies: Copies, claims: int) -> int:
    """The register says of one person in a hundred what nobody had filed; returns of how many."""
    clock, first = world.services.clock, world.people[0].id
    late = [copies._named(first, n) for n in range(LATE_EVERY, claims + 1, LATE_EVERY)]
    with world.services.engine.begin() as connection:
        cover = connection.execute(sa.select(tables.register_fact).limit(1)).one()
        said = {
            "kind": "filing", "code": "referred-filed", "detail": "3301",
            "valid_from": FIRST_DAY.replace(day=1), "valid_to": FIRST_DAY.replace(day=28),
            "filed_on": FIRST_DAY, "recorded_at": clock.now(),
        }  # fmt: skip
        rows = [
            dict(cover._mapping) | said | {"id": f"fct_late{number:06d}", "person_id": person}
            for number, person in enumerate(late)
        ]
        connection.execute(sa.insert(tables.register_fact), rows)
    return len(late)


def run(world: World, claims: int) -> None:
    """The clearing itself, what it booked, and once more with nothing changed."""
    copies = SealedCopies(world)
    timed("copies of a paid claim (no part of it)", lambda: _copy(world, copies, claims), claims)
    late = learn_referrals(world, copies, claims)
    new_year(world)
    figures: list[Figures] = []
    measured(
        "trial, nothing written", lambda: figures.append(try_year(world.services, YEAR)), claims
    )
    measured("run", lambda: figures.append(_cleared(world)), claims)
    for one in figures:
        wanted = (claims, late, late * MORE_FEN, 0)
        if (one.claims, one.found["more"], one.more_fen, one.less_fen) != wanted:
            raise SystemExit(f"{one.to_record()}, wanted {wanted}")
    before = booked(world)
    measured("run again, unchanged", lambda: figures.append(_cleared(world)), claims)
    if booked(world) != before:
        raise SystemExit(f"the second run booked: {before} -> {booked(world)}")
    measured("statement of a hospital", lambda: _statement(world, claims, late), claims)


def _copy(world: World, copies: Copies, claims: int) -> None:
    copies.add(claims - 1)
    copy_books(world, copies, claims - 1)


def _cleared(world: World) -> Figures:
    return run_year(world.services, YEAR, by="清算员")[1]


def _statement(world: World, claims: int, late: int) -> None:
    (of_hospital,) = yearly_statement(world.services, YEAR, HOSPITAL)
    found = (of_hospital.claims, of_hospital.paid_fen, of_hospital.on_the_way_fen)
    wanted = (claims, claims * UNFILED_FEN, late * MORE_FEN)
    if found != wanted or of_hospital.untied:
        raise SystemExit(f"{found}, wanted {wanted}; untied: {of_hospital.untied[:5]}")


def measured(label: str, act: Callable[[], Any], count: int) -> None:
    """Time it, and say how much memory the process has needed at most until now."""
    timed(label, act, count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'':<44} peak memory {peak:,.0f} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=300)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    print(f"{options.claims:,} claims on {options.database}, load {os.getloadavg()[0]:.1f}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yichu-bench-")))
        url = stack.enter_context(open_postgresql()) if options.database == "postgresql" else None
        world = paid_world(folder, url)
        run(world, options.claims)
        world.services.engine.dispose()
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
