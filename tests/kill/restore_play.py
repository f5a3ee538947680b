"""The database is an older copy; bank and ledger have gone on, and nobody is paid twice."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from backend.domain.ledger import IntentKind, SlotState
from backend.service_layer.adoption.claims import adopt_claim_event, retry_cases
from backend.service_layer.adoption.lost_words import store_period, unknown_at_bank
from backend.service_layer.anchoring.model import LedgerEvent
from backend.service_layer.claims.case_closing import confirm_closing, propose_closing
from backend.service_layer.claims.holds import show_held_payouts
from backend.service_layer.money_reconciliation.adopt import adopt_bank
from backend.service_layer.money_reconciliation.ahead import hold_if_ahead
from backend.service_layer.payees.confirm import confirm_account
from tests.integration.claims.world import NOW
from tests.kill.money_stage import MoneyStage
from tests.kill.stage import Scene

ONE, OTHER, WHY = "经办甲", "主任乙", "已与银行和账本核对"
DAMAGED = "YC20261120D-0000.xml"
NAMES = ("paid", "late", "back")


def stage(folder: Path, url: str | None = None) -> MoneyStage:
    """Of three claims the copy knows that they were settled, or that they were being settled; they
    were paid afterwards, one to an account that gave the money back. Of two more bills the ledger
    has locks that no claim here holds."""
    made = MoneyStage(folder, url)
    made.person("paid")
    made.person("late")
    made.person("back", "0008", others="2222")
    made.person("locked")
    made.person("ended")
    for name in made.people:
        made.bill(name, 900)
    made.world.anchor()
    made.touch(*NAMES)
    made.until("settled", "paid", "back")
    made.until("settling", "late")
    made.back_up()
    made.works()
    made.passes(seconds=40)
    made.works()
    made.put_back()
    for name in ("locked", "ended"):
        lock(made, name)
    made.set_slot("ended", open_payer=0, deadline=0)
    # Our copy of a file that cannot be read any more.
    (folder / "bank" / "handed" / DAMAGED).write_bytes(b"damaged")
    return made


def lock(stage: MoneyStage, name: str) -> None:
    """Our lock on the ledger, of a claim that the copy does not have."""
    key = stage.key(name)
    version = stage.services.work(write=False)
    with version as work:
        bill = work.invoices.get(stage.bills[name])
        position = work.batches.position_of(
            next(v.id for v in work.invoices.versions(bill.id))  # the only one
        )
    values = {"leaf_reference": position.reference, "value": 2_000_000_000, "counter": 1}
    stage.ledger.slots[key] = dataclasses.replace(
        SlotState.decode(0), total_fen=90_000, open_payer=1, lodge_counter=1,
        leaf_reference=position.reference, deadline=2_000_000_000,
    )  # fmt: skip
    event = LedgerEvent(
        "lodge", "done", 0, key, values | {"payer": 1}, bytes([len(name)]) * 32, 90,
        bytes(32), len(name),
    )  # fmt: skip
    with stage.services.work() as work:
        assert adopt_claim_event(stage.services, work, event, NOW).verdict == "case"
        work.commit()


def adopts(stage: MoneyStage) -> None:
    """As `yichu reconcile` does, in its order."""
    unknown = unknown_at_bank(stage.services)
    if unknown:
        store_period(stage.services, min((at for at in unknown if at is not None), default=None))
    retry_cases(stage.services)
    adopt_bank(stage.services, lambda: None)
    hold_if_ahead(stage.services)
    show_held_payouts(stage.services)


def settlement_is_known(stage: MoneyStage) -> None:
    """What the ledger did with it has been read."""
    claim = stage.claim("late")
    with stage.quiet(), stage.services.work() as work:
        (intent,) = work.outbox.of_subject(claim.id, IntentKind.SETTLE)
        if not intent.is_final:
            stage.world._final(work, intent, "done", {})
        work.commit()


def copy_case(stage: MoneyStage) -> str:
    with stage.services.work(write=False) as work:
        found: list[Any] = list(work.reconciliation.cases_of("bank-copy"))
    return str(found[0].id)


def says_go(stage: MoneyStage, what: str, *, again: bool = False) -> None:
    """The desks were asked (``alarm``), or everybody was (``words``); ``again``: the second one."""
    with stage.services.work(write=False) as work:
        (period,) = work.lost_periods.periods()
    case = {"alarm": f"alarm:records-lost:{period.id}", "words": f"words:{period.id}"}[what]
    if again:
        confirm_closing(stage.services, case, OTHER, WHY)
    else:
        propose_closing(stage.services, case, ONE, WHY)


def still_right(stage: MoneyStage, name: str) -> None:
    confirm_account(stage.services, stage.people[name].id, 1, "citizen", "on the page")


SCENES = [
    Scene("nothing leaves", lambda s: s.works(with_ledger=False)),
    Scene("adopted", adopts),
    Scene("nothing leaves yet", lambda s: s.works(with_ledger=False)),
    Scene("the desks were asked", lambda s: says_go(s, "alarm")),
    Scene("so they were", lambda s: says_go(s, "alarm", again=True)),
    Scene("still the same account", lambda s: still_right(s, "locked")),
    Scene("a lost claim is made again", lambda s: s.touch("locked")),
    Scene("the ledger is read", settlement_is_known),
    Scene("adopted again", adopts),
    Scene("the copy is lost", lambda s: propose_closing(s.services, copy_case(s), ONE, WHY)),
    Scene("so it is", lambda s: confirm_closing(s.services, copy_case(s), OTHER, WHY)),
    Scene("it is put away", lambda s: (s.folder / "bank" / "handed" / DAMAGED).unlink(True)),
    Scene("another account", lambda s: s.name_account("back", "2222")),
    Scene("worker", lambda s: s.works()),
    Scene("one row is older still", lambda s: s.set_claim(s.claim("paid"), "settled")),
    Scene("three days later", lambda s: s.passes(hours=73)),
    Scene("everybody was asked", lambda s: says_go(s, "words")),
    Scene("so everybody was", lambda s: says_go(s, "words", again=True)),
    Scene("all is paid", lambda s: s.works()),
]

CREDITS = {
    "back 0008": [36_000],  # came back
    "back 2222": [36_000],
    "late 1111": [36_000],
    "locked 1111": [36_000],
    "paid 1111": [36_000],
}
