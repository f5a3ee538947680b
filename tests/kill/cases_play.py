"""A mismatch holds money, becomes a case, and is closed: by people, or because it has gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.adapters.database import tables
from backend.service_layer.anchoring.model import KeyUnavailableError
from backend.service_layer.claims import case_closing
from backend.service_layer.money_reconciliation.daily import reconcile_pass
from tests.kill.money_stage import MoneyStage
from tests.kill.stage import Scene

ONE, OTHER, WHY = "核对员", "复核员", "已与账本运维核对"


class NoKey:
    """The agency's key is locked away."""

    def sign(self, account: str, digest: bytes) -> bytes:
        raise KeyUnavailableError("密钥打不开", "the key is not there")


def stage(folder: Path, url: str | None = None) -> MoneyStage:
    """Two payables of 360.00 each; of one the ledger shows 5 fen more."""
    made = MoneyStage(folder, url)
    for name in ("one", "two"):
        made.person(name)
        made.bill(name, 900)
    made.world.anchor()
    made.touch("one", "two")
    made.works(with_payouts=False)
    made.passes(hours=24)
    made.set_slot("one", paid_fen=36_005)
    return made


def case(stage: MoneyStage) -> str:
    """The newest one."""
    found = [row for row in stage.rows(tables.reconciliation_case) if "mismatch" in row.kind]
    return str(max(found, key=lambda row: row.due_at).id)


def on_case(name: str, act: Any, *words: Any) -> Scene:
    return Scene(name, lambda s: act(s.services, case(s), *words))


ACCEPTED = case_closing.CaseOutcome.ACCEPTED
SCENES = [
    Scene("reconciled, the other is paid", lambda s: s.works()),
    on_case("somebody looks", case_closing.assign, OTHER, ONE),
    on_case("a word", case_closing.add_note, ONE, WHY),
    on_case("it is explained", case_closing.propose_closing, ONE, WHY, ACCEPTED),
    on_case("so it is", case_closing.confirm_closing, OTHER, WHY),
    Scene("the one is paid", lambda s: s.works()),
    Scene("it agrees", lambda s: s.set_slot("one", paid_fen=36_000)),
    Scene("another mismatch", lambda s: s.set_slot("two", paid_fen=36_007)),
    Scene("a day", lambda s: s.passes(hours=24)),
    Scene("another case", lambda s: s.works()),
    Scene("the key is gone", lambda s: s.passes(hours=24)),
    Scene("no report", lambda s: reconcile_pass(s.services, NoKey())),
    Scene("three days", lambda s: s.passes(hours=80)),
    Scene("still none, and the case is late", lambda s: reconcile_pass(s.services, NoKey())),
    Scene("that agrees too", lambda s: s.set_slot("two", paid_fen=36_000)),
    Scene("all is closed", lambda s: s.works()),
    Scene("one more day", lambda s: s.passes(hours=24)),
    Scene("nothing is open", lambda s: s.works()),
]

CREDITS = {"one 1111": [36_000], "two 1111": [36_000]}
