"""One walk of the state machine: how it begins, what it remembers and what must always hold."""

from __future__ import annotations

import copy
import datetime as dt
import secrets
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import currently_in_test_context, event
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.adapters.database.engine import make_engine
from backend.adapters.identifiers import RandomIds
from backend.bootstrap import Services
from backend.domain.claim import CLOSED_STATES, ClaimState
from backend.domain.errors import DomainError
from backend.domain.ledger import IntentKind
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.intake.form_batches import form_batches
from scripts.hospital_agent import AgentError
from tests.integration.claims.revising import alarms
from tests.integration.claims.world import NOW, World, settings_for
from tests.machine import promises
from tests.machine.databases import Databases, SqliteFiles, new_folder
from tests.machine.hospital import STORE, Hospital, Sent, bill_of
from tests.machine.reorganising_ledger import ReorganisingLedger
from tests.machine.tampering import set_last_line
from tests.memory_bank import MemoryBank, equip

DAY = dt.date(2026, 11, 3)
_KEPT = ("sent", "accepted", "submitted", "known", "people", "ledger", "bank", "states")
"""What a walk remembers from its beginning."""


class CountedIds(RandomIds):
    """Identifiers in the order in which they were asked for: a seed decides the whole walk."""

    def __init__(self) -> None:
        self.count = 0

    def new_id(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count:026d}"


def fresh_world(folder: Path, url: str) -> World:
    """A world on a furnished database, with the same keys in every walk: the order of claims, and
    so the walk, depends on them."""
    settings = settings_for(folder, url)
    for number, name in enumerate(("network_key", "wrapping_key", "session_key"), 1):
        (folder / "secrets" / name).write_text(f"{number:02x}" * 32)
    services = Services(settings, SetClock(NOW), RandomIds())
    services.__dict__["engine"] = make_engine(settings.database_url)
    return World(services, ReorganisingLedger())


class Walk(RuleBasedStateMachine):
    """Two people, their bills and claims."""

    databases: ClassVar[Databases] = SqliteFiles()
    happened: ClassVar[Counter[str]] = Counter()

    @initialize()
    def begin(self) -> None:
        """Each person has a claim that is paid, with a line to appeal for, two begun together, and
        a bill that nobody has claimed yet; one claim waits for a reviewer."""
        self.folder = new_folder()
        self.url = self.databases.begin(self.folder)
        self.world = fresh_world(self.folder, self.url)
        self.damaged: dict[str, str] = {}
        self.reviewers = 0
        if self.databases.beginning is not None:
            self._go_on_from(*self.databases.beginning)
            return
        self.ledger = ReorganisingLedger()
        self.bank = MemoryBank()
        self._wire(self.world.services)
        self.hospital = Hospital(self.world.services, self.folder)
        self.people = [self.world.person(), self.world.person("测试丙寅", "citizen02")]
        self.sent: list[Sent] = []
        self.accepted: dict[str, str] = {}
        self.submitted: list[tuple[str, list[str], str, list[str]]] = []
        self.known: set[str] = set()
        self.states: dict[str, str] = {}
        self._live_a_little()
        self._keep()

    def _live_a_little(self) -> None:
        for who, kind in ((0, "mixed"), (1, "mixed"), (0, "another name")):
            self._claim(who, self.take_in(who, 900, 30, kind))
        self.go_on(6)
        for who in (0, 1):
            self._claim(who, *(self.take_in(who, 900, back, "mixed") for back in (2, 5)))
            self.take_in(who, 350, 9, "mixed")

    def _claim(self, who: int, *bills: str) -> None:
        self.hand_in(self.people[who].id, list(bills), secrets.token_urlsafe(32))

    def _keep(self) -> None:
        """The next walk begins here too, without doing all of it again."""
        self.world.services.engine.dispose()
        self.databases.keep(self.url)
        kept = copy.deepcopy({name: getattr(self, name) for name in _KEPT})
        self.databases.beginning = (kept, (self.folder / STORE).read_bytes())

    def _go_on_from(self, kept: dict[str, Any], store: bytes) -> None:
        vars(self).update(copy.deepcopy(kept))
        (self.folder / STORE).write_bytes(store)
        self._wire(self.world.services)
        self.hospital = Hospital(self.world.services, self.folder)

    def _wire(self, services: Services) -> None:
        self.world.ledger = self.ledger
        services.__dict__["ledger"] = self.ledger
        equip(services, self.bank)

    # --- remembering ----------------------------------------------------------------------

    def note(self, what: str, count: int = 1) -> None:
        """Count what has really happened; a rule alone may have been refused."""
        self.happened[what] += count
        if currently_in_test_context():
            event(what)

    def tried(self, act: Callable[[], Any]) -> Any:
        """The answer, or the code of a refusal."""
        try:
            return act()
        except DomainError as error:
            return error.code
        except AgentError as error:
            assert error.status in (409, 503), error
            return error.code

    def once(self, act: Callable[[], Any]) -> Any:
        """P7: the same request again changes nothing."""
        first = self.tried(act)
        before = promises.footprint(self.world)
        self.tried(act)
        assert promises.footprint(self.world) == before, f"repeated, it did more: {first}"
        return first

    @property
    def taken_in(self) -> list[str]:
        """Bills that were acknowledged, oldest first."""
        return list(dict.fromkeys(one.invoice_id for one in self.sent))

    def newest(self, bill: str) -> Sent:
        return [one for one in self.sent if one.invoice_id == bill][-1]

    def version_of(self, bill: str) -> str:
        version = tables.invoice_version.c
        found = promises.rows(self.world, tables.invoice_version, version.invoice_id == bill)
        return str(max(found, key=lambda row: row.version).id)

    # --- what a walk begins with ----------------------------------------------------------

    def take_in(self, who: int, yuan: int, back: int, kind: str, form: str = "json") -> str:
        """A bill is uploaded, twice; unless it is ``loose``, its batch is anchored at once."""
        number = len(self.taken_in) + 1
        invoice = bill_of(
            self.people[who],
            number,
            DAY - dt.timedelta(days=back),
            yuan + number,  # no two bills alike: those go to a person
            outside=100 if kind == "mixed" else 0,
            payer_name="测试丁卯" if kind == "another name" else "",
        )
        taken = self.once(lambda: self.hospital.upload(invoice, form))
        assert taken.created
        self.sent.append(Sent(taken.invoice_id, 1, invoice, form))
        self.note(f"a bill uploaded as {form}")
        if kind != "loose":
            self.anchor_now()
        return str(taken.invoice_id)

    def anchor_now(self) -> None:
        """Batches are formed, and their anchors are final while other calls still wait."""
        for _ in range(2):
            self.ledger.mine(self.world, 9, IntentKind.ANCHOR)
            self.ledger.finalise(self.world, IntentKind.ANCHOR)
            form_batches(self.world.services)

    def hand_in(self, person_id: str, bills: list[str], token: str) -> None:
        services = self.world.services
        result = self.once(lambda: submit(services, person_id, bills, token, has_consent=True))
        if isinstance(result, str):
            self.note(f"a submission refused: {result}")
            return
        found = [claim.id for claim in result.claims]
        self.accepted.update({claim.id: claim.invoice_id for claim in result.claims})
        self.submitted.append((person_id, bills, token, found))
        self.note("one bill submitted" if len(found) == 1 else "several bills submitted")

    def go_on(self, rounds: int) -> int:
        """Worker and ledger do all that they can; returns how much moved."""
        moved = 0
        for _ in range(rounds):
            moved += form_batches(self.world.services)
            moved += advance_claims(self.world.services, at_once=True)
            moved += self.ledger.mine(self.world, 100)
            moved += self.ledger.finalise(self.world)
        return moved

    # --- what must hold -------------------------------------------------------------------

    @invariant()
    def promises_hold(self) -> None:
        contents = {(one.invoice_id, one.version): one.invoice.total_fen for one in self.sent}
        books = promises.Books(self.world)
        promises.no_bill_is_paid_twice(books, self.bank)
        promises.money_follows_the_ledger(books, self.bank)
        promises.nothing_is_lost(books, contents, self.accepted)
        promises.decisions_explain_themselves(books, self.known, set(self.damaged))
        promises.one_appeal_a_version(books)
        promises.what_is_settled_stays(books)
        self.states = {row.id: row.state for row in books.all(tables.claim)}

    def teardown(self) -> None:
        """In the end, with everything mended, nothing hangs: closed, or with a person."""
        if not hasattr(self, "states"):
            return
        for version_id, record in self.damaged.items():
            set_last_line(self.world, version_id, record)
        self.damaged.clear()
        self.ledger.is_down = self.bank.is_slow = False
        idle = 0
        while idle < 3:
            self.world.services.clock.advance(60)
            idle = 0 if self.go_on(1) else idle + 1
        self.promises_hold()
        self._nothing_hangs()
        self.world.services.engine.dispose()
        self.databases.end(self.url)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _nothing_hangs(self) -> None:
        for claim_id in self.accepted:
            claim = self.world.claim(claim_id)
            is_resting = claim.state in (*CLOSED_STATES, ClaimState.PENDED)
            assert is_resting or claim.waiting_for, claim
            self.happened[f"in the end: {claim.state}"] += 1
        for intent in promises.rows(self.world, tables.ledger_intent):
            assert intent.state == "final", f"{intent.kind} is {intent.state} for ever"
            self.happened[f"on the ledger: {intent.kind} {intent.outcome}"] += 1
        for code, _ in alarms(self.world):
            self.happened[f"alarm: {code}"] += 1
