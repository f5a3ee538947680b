"""`yichu reconcile` after a restored backup, over a real development ledger."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from backend.adapters.database import tables
from backend.entrypoints.cli.reconcile import _adopt
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.options import ChainOptions, RunOptions
from backend.entrypoints.devchain.server import LedgerServer
from backend.service_layer.anchoring.behind import compare
from backend.service_layer.claims.case_closing import confirm_closing, propose_closing
from backend.service_layer.money_reconciliation.rules import find_mismatches
from tests.kill.stage import Scene, Stage
from tests.kill.town import PAYER, Town, back_up, build_town, restore


class LedgerStage(Stage):
    """Two bills are paid; the database knows of neither claim's settlement."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._engine = Engine(None, ChainOptions(deterministic=True), RunOptions())
        self._server = LedgerServer(self._engine, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.serve, daemon=True)
        self._thread.start()
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.town = build_town(url, folder)
        super().__init__(folder, self.town.services, None)
        people = [self.town.person() for _ in range(2)]
        bills = [self.town.upload(self.town.bill(one, n)) for n, one in enumerate(people, start=1)]
        self.works()
        for person, bill in zip(people, bills, strict=True):
            self.town.submit(person, bill)
        back_up(folder, folder / "copy.db")
        self.works()
        self.town.close()
        restore(folder / "copy.db", folder)
        self.recall()

    def close(self) -> None:
        self.town.close()
        self._server.stop()
        self._thread.join()
        self._engine.close()

    def keep(self) -> None:
        """What the ledger has stays where it is."""
        (self.folder / "scene").write_text(str(self.scene))

    def recall(self) -> None:
        """Each process has connections of its own."""
        path = self.folder / "scene"
        self.scene = int(path.read_text()) if path.exists() else 0
        self.town = Town(self.town.url, self.folder)
        self.services = self.town.services

    def reconciles(self) -> None:
        _adopt(self.services)

    def says_go(self, what: str, *, again: bool = False) -> None:
        """The desks were asked (``alarm``), or everybody was (``words``); ``again``: the second
        person."""
        (period,) = self.town.rows(tables.lost_period)
        case = {"alarm": f"alarm:records-lost:{period.id}", "words": f"words:{period.id}"}[what]
        if again:
            confirm_closing(self.services, case, "主任乙", "都问过了")
        else:
            propose_closing(self.services, case, "经办甲", "都问过了")

    def works(self) -> None:
        """A worker that ends as it is told to, and leaves its lease."""
        worker = self.town.worker()
        self.town.run_until_quiet(worker)
        worker._release()

    def assert_clean(self) -> None:
        found = find_mismatches(self.services)
        assert found == [], found
        assert compare(self.town.worker().deps, PAYER).findings == ()

    def summary(self) -> dict[str, Any]:
        town = self.town
        with self.services.bank.book.open() as page:
            credits = sorted(one.amount_fen for one in page.credits())
        return {
            "bank": {"credits": credits},
            "events": {
                name: sorted(town.event_keys(name))
                for name in ("Anchored", "Lodged", "Settled", "Released")
            },
            "states": sorted((row.state, row.waiting_for) for row in town.rows(tables.claim)),
            "payouts": sorted(count for _, count in town.payouts()),
            "alarms": sorted(town.alarms()),
            "payers": sorted(row.number for row in town.rows(tables.payer)),
            "instructions": len(town.rows(tables.payment_attempt)),
            "entries": len(town.rows(tables.journal_entry)),
        }


def stage(folder: Path, url: str | None = None) -> LedgerStage:
    return LedgerStage(folder)


SCENES = [
    Scene("yichu reconcile", lambda s: s.reconciles()),
    Scene("the desks were asked", lambda s: s.says_go("alarm")),
    Scene("so they were", lambda s: s.says_go("alarm", again=True)),
    Scene("everybody was asked", lambda s: s.says_go("words")),
    Scene("so everybody was", lambda s: s.says_go("words", again=True)),
    Scene("worker", lambda s: s.works()),
    Scene("yichu reconcile again", lambda s: s.reconciles()),
]

# Bills far above what the fund pays of one person's outpatient care in a year: 3,000.00.
CREDITS = {"credits": [300_000, 300_000]}
