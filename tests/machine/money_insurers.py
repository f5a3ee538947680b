"""Commercial insurers: what a person opens to them, and what they lodge and settle of it.

Whether a bill is open at an instant is worked out from what was acknowledged here alone.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from backend.adapters.database import tables
from backend.domain.errors import DomainError
from backend.service_layer.ports import LedgerUnavailableError
from backend.service_layer.second_payers import calls
from backend.service_layer.second_payers.consent import Asked, give_consent, revoke_consent
from backend.service_layer.second_payers.once import Once
from backend.service_layer.second_payers.opening import opened_bill
from backend.service_layer.second_payers.ports import NotOpenedError
from backend.service_layer.second_payers.records import SecondPayer
from backend.service_layer.second_payers.sweep import second_payer_pass
from tests.integration.second_payers.desk import INSURER, OTHER, TERMS
from tests.machine import promises
from tests.machine.money_accounts import AccountsWalk

INSURERS: Final = (INSURER, OTHER)
RULING: Final = calls.Ruling(b"\xd1" * 32, bytes.fromhex(TERMS))
CALLS: Final = ("lodge", "settle", "release", "renew")


@dataclass
class Opened:
    """A consent that was acknowledged."""

    id: str
    person_id: str
    bill: str
    payer: int
    until: dt.datetime
    is_over: bool = False  # taken back, or another one took its place


class InsurersWalk(AccountsWalk):
    """Two insurers, and consents for each bill."""

    def _furnish(self) -> None:
        super()._furnish()
        with self.world.services.engine.begin() as connection:
            connection.execute(
                tables.payer.insert(),
                [
                    {
                        "number": number,
                        "name": f"保险公司{number}",
                        "payer_class": "non-basic",
                        "ledger_account": f"0x{number:040x}",
                    }
                    for number in INSURERS
                ],
            )

    def _begin_parts(self) -> None:
        super()._begin_parts()
        self.opened: list[Opened] = []
        self.asked: list[tuple[Callable[[], Any], str, str]] = []

    def _pass_besides(self) -> int:
        try:
            return super()._pass_besides() + second_payer_pass(self.world.services)
        except LedgerUnavailableError:
            return 0

    # --- people ---------------------------------------------------------------------------------

    def _is_open(self, payer: int, bill: str) -> bool:
        now = self.world.services.clock.now()
        return any(
            (one.payer, one.bill) == (payer, bill) and not one.is_over and now < one.until
            for one in self.opened
        )

    def open_bill(self, place: int, payer: int, days: str, parts: Sequence[str]) -> None:
        """A person opens a bill to an insurer, on a form that is sent twice."""
        claim = self.world.claim(self._some_claim(place))
        services = self.world.services
        asked = Asked(str(payer), parts, days, True, secrets.token_urlsafe(24))
        act = partial(give_consent, services, claim.person_id, claim.invoice_id, asked)
        said = self.once(act)
        if isinstance(said, DomainError):
            assert "too many consents" in said.en, said.en
            return
        for one in self.opened:
            one.is_over |= (one.payer, one.bill) == (payer, claim.invoice_id)
        until = services.clock.now() + dt.timedelta(days=int(days))
        self.opened.append(Opened(said.id, claim.person_id, claim.invoice_id, payer, until))
        self.note("a bill opened")

    def _some_claim(self, place: int) -> str:
        """Mostly one with which basic insurance has finished."""
        done = [c for c, state in self.states.items() if state in ("paid", "paying", "settled")]
        pool = done or list(self.accepted)
        return pool[place % len(pool)]

    def take_back(self, place: int) -> None:
        live = [one for one in self.opened if not one.is_over] or self.opened
        if not live:
            return
        one = live[place % len(live)]
        act = partial(revoke_consent, self.world.services, one.person_id, one.id)
        found = [act(), act()]
        assert found == [not one.is_over, False], f"taken back: {found}"
        self.note("a consent taken back", not one.is_over)
        one.is_over = True
        self.go_on(1)

    # --- insurers -------------------------------------------------------------------------------

    def read_bill(self, place: int, payer: int) -> None:
        """An insurer asks for a bill: it sees it exactly while it is open."""
        bills = sorted(self.accepted.values())
        bill = bills[place % len(bills)]
        if self.opened and place % 3:
            bill, payer = (self.opened[-1].bill, self.opened[-1].payer)
        self._read(bill, payer)

    def _read(self, bill: str, payer: int) -> None:
        is_open = self._is_open(payer, bill)
        try:
            found = opened_bill(self.world.services, self._payer(payer), bill)
        except NotOpenedError:
            assert not is_open, f"{bill} is open to {payer} and was not shown"
            self.note("an insurer was shown nothing")
            return
        assert is_open, f"{bill} was shown to {payer}"
        assert found.consent.id in {one.id for one in self.opened if not one.is_over}
        self.note("an insurer read a bill")

    def _payer(self, number: int) -> SecondPayer:
        return SecondPayer(number, f"保险公司{number}", "non-basic")

    def lodge(self, place: int) -> None:
        """An insurer asks for a bill that was once opened to it."""
        if not self.opened:
            return
        one = self.opened[-1 - place % min(3, len(self.opened))]
        self._read(one.bill, one.payer)
        is_open = self._is_open(one.payer, one.bill)
        payer = self._payer(one.payer)
        once = self._key("lodge", one.bill)
        said = self._ask("lodge", partial(calls.lodge, self.world.services, payer, one.bill, once))
        assert is_open or isinstance(said, (NotOpenedError, LedgerUnavailableError)), said
        self.go_on(1)

    def insurer(self, place: int, what: str, part: int) -> None:
        """Settle a part of what is left, in percent, give the lock back, or ask for more time."""
        rows = sorted(self.rows(tables.payer_claim), key=lambda row: row.id)
        ended = {row.claim_id for row in self.rows(tables.payer_claim_end)}
        rows = [row for row in rows if row.id not in ended] or rows
        if not rows:
            return
        row = rows[place % len(rows)]
        payer, services = self._payer(row.payer_number), self.world.services
        slot = self.ledger.slots[row.invoice_key]
        fen = max(1, (slot.total_fen - slot.paid_fen) * part // 100)
        once = self._key(what, f"{row.id}/{fen}")
        act: Callable[[], Any] = {
            "settle": partial(
                calls.settle, services, payer, row.id, once, amount_fen=fen, ruling=RULING
            ),
            "release": partial(
                calls.release, services, payer, row.id, once, RULING if part > 50 else None
            ),
            "renew": partial(calls.renew, services, payer, row.id, once),
        }[what]
        said = self._ask(what, act)
        if what != "release" and not self._is_open(row.payer_number, row.invoice_id):
            assert isinstance(said, DomainError), f"{what} without a consent"
        self.go_on(1)

    def _key(self, *asked: str) -> Once:
        key = f"key-{len(self.asked)}-{secrets.token_hex(4)}"
        return Once(key, asked, lambda view: json.dumps({"id": view.claim.id}))

    def _ask(self, what: str, act: Callable[[], Any]) -> Any:
        """A call under its key, sent twice: the second time nothing happens."""
        said = self.once(act)
        if isinstance(said, DomainError):
            self.note(f"an insurer refused: {what}, {said.code}")
            return said
        again = act()
        assert again.is_replayed and again.body == said.body, f"{what}: another answer"
        self.note(f"an insurer: {what}")
        self.asked.append((act, said.body, what))
        return said

    def ask_again(self, place: int) -> None:
        """P7: any call that was ever acknowledged comes once more, whatever has happened since."""
        if not self.asked:
            return
        act, body, _ = self.asked[place % len(self.asked)]
        before = promises.everything(self.world)
        again = act()
        assert again.is_replayed and again.body == body, "another answer"
        assert promises.everything(self.world) == before, "it was done again"
        self.note("an insurer's call came again")

    # --- what must hold -------------------------------------------------------------------------

    def _check(self, books: promises.Books, new: list[Any]) -> None:
        super()._check(books, new)
        self._within_each_total(books)
        self._only_what_was_opened(books)
        self._each_call_is_there(books)

    def _each_call_is_there(self, books: promises.Books) -> None:
        """P2: each call that was acknowledged is an intent, and there is no other one but those by
        which the worker gives a lock back."""
        wanted = Counter((json.loads(body)["id"], what) for _, body, what in self.asked)
        stored = Counter((row.subject_id, row.kind) for row in books.all(tables.ledger_intent))
        for (claim_id, what), count in wanted.items():
            found = stored[(claim_id, what)]
            assert found == count or (what == "release" and found > count), f"{claim_id}: {what}"

    def _within_each_total(self, books: promises.Books) -> None:
        """P1 over all payers: each settles a bill once, and together not more than it costs; what
        the slot says is the sum of what every payer's own calls say."""
        claims = {row.id: row.invoice_id for row in books.all(tables.claim)}
        claims |= {row.id: row.invoice_id for row in books.all(tables.payer_claim)}
        sums: Counter[str] = Counter()
        settled: Counter[tuple[str, int]] = Counter()
        for row in books.effective():
            if row.kind in ("settle", "supplement"):
                payload = json.loads(row.payload)
                sums[claims[row.subject_id]] += payload["amount"]
                settled[(claims[row.subject_id], payload["payer"])] += row.kind == "settle"
        assert all(count == 1 for count in settled.values()), f"settled twice: {settled}"
        versions = {row.id: row for row in books.all(tables.invoice_version)}
        for bill in books.all(tables.invoice):
            (version,) = [row for row in versions.values() if row.invoice_id == bill.id]
            fen = version.borne_fen + sums[bill.id]
            assert fen <= version.total_fen, f"{bill.id}: {fen} of {version.total_fen} fen"
            slot = self.ledger.slots.get(bill.invoice_key)
            if slot is not None and slot.total_fen and not self.ledger.mined:
                assert slot.paid_fen == fen, f"{bill.id}: {slot.paid_fen} on the ledger, {fen} here"

    def _only_what_was_opened(self, books: promises.Books) -> None:
        """Every claim of an insurer names a consent that was acknowledged for that bill, and held
        when it was made; every reading too."""
        known = {one.id: one for one in self.opened}
        for row in books.all(tables.payer_claim):
            one = known[row.consent_id]
            assert (one.bill, one.payer) == (row.invoice_id, row.payer_number), row
            assert row.created_at < one.until, f"{row.id}: its consent had run out"
        for reading in books.all(tables.payer_reading):
            assert reading.first_at < known[reading.consent_id].until, reading
        entries = [row.source_id for row in books.all(tables.journal_entry)]
        pcl = {row.id for row in books.all(tables.payer_claim)}
        assert not pcl & set(entries), "an insurer's money stands in our journal"

    def _mend(self) -> None:
        """Every consent is taken back: what no insurer has settled is free again."""
        super()._mend()
        for one in self.opened:
            revoke_consent(self.world.services, one.person_id, one.id)
            one.is_over = True

    def _check_end(self, books: promises.Books) -> None:
        super()._check_end(books)
        ended = {row.claim_id for row in books.all(tables.payer_claim_end)}
        for row in books.all(tables.payer_claim):
            slot = self.ledger.slots[row.invoice_key]
            assert slot.open_payer not in INSURERS, f"{row.id}: a lock without a consent"
            assert row.id in ended, f"{row.id} has no end"
        for phase in (row.phase for row in books.all(tables.payer_claim_end)):
            self.note(f"an insurer's claim: {phase}")
