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
from backend.domain.sampling import SampleLimits
from backend.service_layer.claims.records import Claim
from backend.service_layer.claims.submit import submit
from backend.service_layer.ports import BlockStamp
from tests.integration.claims.world import NOW, FakeLedger, World
from tests.integration.review.office import Office

DAY = dt.date(2026, 11, 3)
GENESIS = bytes(range(32))


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
    def make(cls, tmp_path: Path, url: str | None = None) -> Post:
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
        return cls(Office(world), ledger)

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

    def advance_days(self, count: float) -> None:
        clock = self.services.clock
        assert isinstance(clock, SetClock)
        clock.advance(count * 86_400)

    def rows(self, table: Any) -> int:
        with self.services.engine.connect() as connection:
            return len(connection.execute(table.select()).all())
