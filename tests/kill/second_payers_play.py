"""What commercial insurers do with bills that citizens open to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.adapters.database import tables
from backend.entrypoints.cli.payer import issue_key
from backend.entrypoints.web import create_app
from backend.service_layer.second_payers.consent import Asked, give_consent, revoke_consent
from tests.integration.second_payers.desk import ALL, INSURER, KEYS, LEFT_FEN, RULING
from tests.kill.money_stage import MoneyStage
from tests.kill.stage import Scene

NAMES = ("settled", "given", "renewed", "taken", "lapsed", "void")
LEFT = {"settled": LEFT_FEN}


class InsuredStage(MoneyStage):
    """``client`` is an insurer's, with a key of its own."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        super().__init__(folder, url)
        with self.services.engine.begin() as connection:
            connection.execute(
                tables.payer.insert().values(
                    number=INSURER,
                    name="付款方3",
                    payer_class="non-basic",
                    ledger_account=f"0x{INSURER:040x}",
                )
            )
        with self.services.work() as work:
            work.second_payers.add_key(f"key_{INSURER}", INSURER, KEYS[INSURER])
            work.commit()
        self.client = create_app(self.services).test_client()

    def call(self, path: str, body: dict[str, Any] | None = None, *, key: str = "") -> None:
        """Once more under the same key it has one effect and the same answer."""
        headers = {"Authorization": f"Bearer {KEYS[INSURER]}", "Idempotency-Key": key or path}
        if body is None:
            answer = self.client.get(f"/v1/payer{path}", headers=headers)
        else:
            answer = self.client.post(f"/v1/payer{path}", json=body, headers=headers)
        assert answer.status_code in (200, 202), answer.get_json()

    def consent(self, bill: str, days: str = "180") -> None:
        asked = Asked(str(INSURER), ALL, days, True, f"form-of-the-consent-{bill}")
        give_consent(self.services, self.people[bill].id, self.bills[bill], asked)

    def takes_back(self, bill: str) -> None:
        (found,) = [
            row.id for row in self.rows(tables.payer_consent) if row.invoice_id == self.bills[bill]
        ]
        revoke_consent(self.services, self.people[bill].id, found)

    def insurers_claim(self, bill: str) -> str:
        (found,) = [
            row.id for row in self.rows(tables.payer_claim) if row.invoice_id == self.bills[bill]
        ]
        return str(found)

    def lodges(self) -> None:
        for name in NAMES:
            self.call(f"/bills/{self.bills[name]}/lodge", {})


def stage(folder: Path, url: str | None = None) -> InsuredStage:
    """Six bills of 3,000.00, of which basic insurance has paid 1,620.00 each."""
    made = InsuredStage(folder, url)
    for name in NAMES:
        made.person(name)
        made.bill(name, 3_000)
    made.world.anchor()
    made.touch(*NAMES)
    made.works()
    return made


SCENES = [
    Scene("another key", lambda s: issue_key(s.services, INSURER)),
    Scene("bills are opened", lambda s: [s.consent(name) for name in NAMES]),
    Scene("read", lambda s: s.call(f"/bills/{s.bills['settled']}")),
    Scene("locked", lambda s: s.lodges()),
    Scene("worker", lambda s: s.works()),
    Scene("settled", lambda s: s.call(
        f"/claims/{s.insurers_claim('settled')}/settle", {"amount_fen": LEFT_FEN} | RULING)),
    Scene("given back", lambda s: s.call(
        f"/claims/{s.insurers_claim('given')}/release", {"reason": "given-up"})),
    Scene("a bill is void", lambda s: s.set_bill("void", "void")),
    Scene("taken back", lambda s: s.takes_back("taken")),
    Scene("worker again", lambda s: s.works()),
    Scene("five months", lambda s: s.passes(days=150)),
    Scene("renewed", lambda s: s.call(
        f"/claims/{s.insurers_claim('renewed')}/renew", {}, key="renewed-1")),
    Scene("worker", lambda s: s.works()),
    Scene("a month", lambda s: s.passes(days=27)),
    Scene("one has lapsed", lambda s: s.works()),
]  # fmt: skip

CREDITS = {f"{name} 1111": [162_000] for name in sorted(NAMES)}
