"""A small agency whose ledger has blocks, with machine approvals to sample."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.domain.ledger import IntentState
from backend.domain.sampling import SampleLimits
from backend.service_layer.claims.records import Claim
from backend.service_layer.claims.submit import submit
from backend.service_layer.intake.records import Institution
from backend.service_layer.ports import BlockStamp
from backend.service_layer.supervision.announcement_anchor import anchor_announcements
from tests.integration.claims.world import NOW, FakeLedger, World
from tests.integration.review.office import Office
from verifier.commitment.batch import batch_head

DAY = dt.date(2026, 11, 3)
GENESIS = bytes(range(32))
AGENCY_CODE, AGENCY_NUMBER = "A330800", 9
AGENCY_ACCOUNT = "0x00000000000000000000000000000000000000C1"


class BlockLedger(FakeLedger):
    """The fake ledger with blocks whose hashes follow from branch and number, and a final one
    that lags behind the newest."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = b"main"
        self.lag = 0

    def final_number(self) -> int:
        self._asked()
        return self.block - self.lag

    def hash_of(self, number: int) -> bytes:
        return hashlib.sha256(self.branch + b"%d" % number).digest()

    def blocks(self, numbers: Sequence[int]) -> Sequence[BlockStamp | None]:
        self._asked()
        return [
            BlockStamp(number, self.hash_of(number), NOW) if number <= self.block else None
            for number in numbers
        ]


@dataclasses.dataclass
class Post:
    """The office with its ledger."""

    office: Office
    ledger: BlockLedger

    @classmethod
    def make(cls, tmp_path: Path, url: str | None = None, *, has_agency: bool = True) -> Post:
        world = World.make(tmp_path, url)
        ledger = BlockLedger()
        world.ledger = ledger
        world.services.__dict__["ledger"] = ledger
        with world.services.engine.begin() as connection:
            connection.execute(
                tables.deployment.insert().values(
                    chain_id=1337,
                    genesis_hash=GENESIS,
                    registry="0x" + "11" * 20,
                    registry_code_hash=bytes(32),
                    invoice_ledger="0x" + "22" * 20,
                    invoice_ledger_code_hash=bytes(32),
                    block_number=1,
                )
            )
        made = cls(Office(world), ledger)
        if has_agency:
            made.set_up_agency()
        return made

    @property
    def world(self) -> World:
        return self.office.world

    @property
    def services(self) -> Any:
        return self.world.services

    def limits(self, **values: int) -> None:
        settings = self.services.settings
        self.services.settings = dataclasses.replace(
            settings, sample=dataclasses.replace(SampleLimits(), **values)
        )

    def approved(self, *yuan: int) -> list[Claim]:
        """Claims that the machine approved and paid: one bill each of a person of their own."""
        world, asked = self.world, []
        for amount in yuan:
            number = len(world.people)
            person = world.person(f"测试{'甲乙丙丁戊己庚辛'[number]}", f"citizen{number:02d}")
            asked.append((person, world.bill(person, amount, DAY)))
        world.anchor()
        claims = []
        for person, bill in asked:
            token = secrets.token_urlsafe(32)
            claims += submit(world.services, person.id, [bill], token, has_consent=True).claims
        world.run()
        self.advance_days(1 / 86_400)
        found = [world.claim(claim.id) for claim in claims]
        assert {str(claim.state) for claim in found} == {"paid"}, found
        return found

    def set_up_agency(self) -> None:
        """The agency as an issuer of the ledger, which puts announcements there."""
        with self.services.work() as work:
            work.institutions.add(
                Institution(
                    code=AGENCY_CODE,
                    name="示例市医保中心",
                    level=1,
                    area_code="330800",
                    custody="custodial",
                    agreement_from=dt.date(2000, 1, 1),
                    agreement_until=dt.date(2099, 12, 31),
                    grace_days=365,
                    ledger_number=AGENCY_NUMBER,
                    ledger_account=AGENCY_ACCOUNT,
                    created_at=NOW,
                    role="agency",
                )
            )
            work.commit()

    def anchor_announcements(self) -> None:
        """The worker queues what was announced; the anchors are mined in the next block."""
        anchor_announcements(self.services)
        with self.services.work() as work:
            queued = [one for one in work.outbox.queued(held=True) if one.kind == "anchor"]
            self.ledger.block += bool(queued)
            for intent in queued:
                values = intent.payload
                root, previous = (bytes.fromhex(values[name]) for name in ("root", "previous_head"))
                head = batch_head(AGENCY_NUMBER, values["sequence"], previous, root, values["size"])
                self.ledger.heads[AGENCY_NUMBER, values["sequence"]] = head
                work.outbox.set_state(
                    [intent.id],
                    IntentState.FINAL,
                    outcome="done",
                    tx_hash=secrets.token_bytes(32),
                    block_number=self.ledger.block,
                    block_hash=self.ledger.hash_of(self.ledger.block),
                    block_at=self.services.clock.now(),
                )
            work.commit()

    def advance_days(self, count: float) -> None:
        clock = self.services.clock
        assert isinstance(clock, SetClock)
        clock.advance(count * 86_400)

    def rows(self, table: Any) -> int:
        with self.services.engine.connect() as connection:
            return len(connection.execute(table.select()).all())
