"""The set-up of the anchoring tests: an operator's services on a ledger with known parties."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa
from eth_account import Account

from backend.adapters.clock import SystemClock
from backend.adapters.database.tables import batch, institution, ledger_intent
from backend.adapters.identifiers import RandomIds
from backend.adapters.ledger.codec import event_topic
from backend.adapters.ledger.deployment import Deployer
from backend.adapters.ledger.keystores import SCRYPT_CHEAP, Keystores
from backend.adapters.ledger.network import Network, anchoring_of
from backend.adapters.ledger.rpc import JSONRPC
from backend.bootstrap import Services
from backend.domain.finality import FinalityRule
from backend.domain.ledger import IntentKind, LeafPosition, LedgerIntent
from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.follow import follow
from backend.service_layer.anchoring.model import Fees
from backend.service_layer.anchoring.offer import make_offers
from backend.service_layer.anchoring.reconcile import advance_finality, settle_nonces
from backend.service_layer.anchoring.send import send_queued
from backend.settings import Settings
from tests.migrated import migrate_fresh
from tests.reference import commitment as reference

PASSWORD = "a password of the tests"
CUSTODIAL, SELF = "H33080300001", "H33080300002"
SELF_KEY = bytes.fromhex("17" * 32)
SELF_ACCOUNT = Account.from_key(SELF_KEY).address


class TestNetwork:
    """Ledger and database of one test. Expected roots and heads come from tests/reference."""

    __test__ = False

    def __init__(self, url: str, folder: Path, finality_blocks: int = 1) -> None:
        self.url = url
        self.folder = folder
        self.settings = dataclasses.replace(
            Settings.from_environment({"YICHU_VAR": str(folder)}),
            rpc_urls=(url,),
            finality=FinalityRule(number=finality_blocks),
        )
        self.services = Services(self.settings, SystemClock(), RandomIds())
        self.services.keystores = Keystores(folder / "keystores", PASSWORD, SCRYPT_CHEAP)
        self.deps = self.anchoring()

    def copy_to(self, folder: Path, finality_blocks: int = 1) -> TestNetwork:
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return TestNetwork(self.url, folder, finality_blocks)

    def close(self) -> None:
        self.services.engine.dispose()
        self.services.ledger.close()

    def rpc(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = requests.post(self.url, json=body, timeout=20).json()
        assert "error" not in answer, answer
        return answer["result"]

    def anchoring(self, **changes: Any) -> Anchoring:
        deps = anchoring_of(self.services, f"test:{self.services.ids.new_id('own')}")
        return dataclasses.replace(deps, **({"resend_seconds": 0} | changes))

    # --- what is wanted -----------------------------------------------------------------------

    def number_of(self, code: str) -> int:
        return {CUSTODIAL: 1, SELF: 2}[code]

    def account_of(self, code: str) -> str:
        if code == SELF:
            return SELF_ACCOUNT
        return self.services.keystores.account_of(f"institution-{code}")

    def want_anchor(self, code: str, leaves: list[bytes]) -> tuple[str, list[LeafPosition]]:
        """Store a batch of these leaves and its anchor intent, as the intake does."""
        with self.services.work() as work:
            last = work.batches.last(code)
            sequence = 1 if last is None else last.sequence + 1
            previous = bytes(32) if last is None else last.head
            hashes = [reference.leaf_hash(leaf) for leaf in leaves]
            root = reference.root(hashes)
            head = reference.batch_head(self.number_of(code), sequence, previous, root, len(leaves))
            batch_id = self.services.ids.new_id("bat")
            # The leaf rows belong to invoices, which these tests do not need.
            work.connection.execute(
                sa.insert(batch).values(
                    id=batch_id,
                    institution_code=code,
                    sequence=sequence,
                    previous_head=previous,
                    root=root,
                    size=len(leaves),
                    head=head,
                    created_at=self.services.clock.now(),
                )
            )
            intent = LedgerIntent(
                id=self.services.ids.new_id("int"),
                kind=IntentKind.ANCHOR,
                account=self.account_of(code),
                held=code == CUSTODIAL,
                dedupe_key=f"anchor:{batch_id}",
                subject_id=batch_id,
                payload={
                    "sequence": sequence,
                    "previous_head": previous.hex(),
                    "root": root.hex(),
                    "size": len(leaves),
                },
            )
            assert work.outbox.add(intent)
            work.commit()
        places = [
            LeafPosition(
                institution_number=self.number_of(code),
                sequence=sequence,
                previous_head=previous,
                root=root,
                size=len(leaves),
                leaf_index=index,
                leaf=leaf,
                proof=tuple(reference.inclusion(hashes, index)),
            )
            for index, leaf in enumerate(leaves)
        ]
        return intent.id, places

    def want(self, kind: IntentKind, payload: dict[str, Any], account: str, key: str) -> str:
        intent = LedgerIntent(
            id=self.services.ids.new_id("int"),
            kind=kind,
            account=account,
            held=True,
            dedupe_key=key,
            subject_id=key[:40],
            payload=payload,
        )
        with self.services.work() as work:
            assert work.outbox.add(intent)
            work.commit()
        return intent.id

    def change_payload(self, intent_id: str, **values: Any) -> None:
        """Edit a queued intent behind the application's back."""
        with self.services.work() as work:
            intent = work.outbox.get(intent_id)
            work.connection.execute(
                sa.update(ledger_intent)
                .where(ledger_intent.c.id == intent_id)
                .values(payload=json.dumps(intent.payload | values))
            )
            work.commit()

    def want_lodge(self, position: LeafPosition, counter: int = 1, payer: int = 1) -> str:
        deadline = int(self.services.ledger.head().at.timestamp()) + 86_400
        return self.want(
            IntentKind.LODGE,
            {
                "position": position.to_payload(),
                "payer": payer,
                "counter": counter,
                "deadline": deadline,
            },
            self.payer_account(payer),
            f"lodge:{position.leaf[20:40].hex()}:{payer}:{counter}",
        )

    def payer_account(self, number: int) -> str:
        return self.services.keystores.account_of(f"payer-{number}")

    # --- what is so ---------------------------------------------------------------------------

    def intent(self, intent_id: str) -> LedgerIntent:
        with self.services.work(write=False) as work:
            return work.outbox.get(intent_id)

    def alarms(self) -> list[str]:
        with self.services.work(write=False) as work:
            return sorted({alarm.code for alarm in work.alarms.open_alarms()})

    def events(self, name: str) -> list[dict[str, Any]]:
        """Raw logs of one event, counted on the ledger itself."""
        found: list[dict[str, Any]] = self.rpc(
            "eth_getLogs",
            {
                "fromBlock": "0x0",
                "toBlock": "latest",
                "address": self.services.ledger.deployment().invoice_ledger,
                "topics": ["0x" + event_topic("InvoiceLedger", name).hex()],
            },
        )
        return found

    def nonce(self, account: str) -> int:
        return int(self.rpc("eth_getTransactionCount", account, "latest"), 16)

    def next_nonce(self, account: str) -> int | None:
        with self.services.work(write=False) as work:
            return work.accounts.next_nonce(account)

    def run(self, deps: Anchoring | None = None, passes: int = 1) -> None:
        """Every anchoring step of the worker, so many times."""
        deps = deps or self.deps
        for _ in range(passes):
            run_steps(deps)


def run_steps(deps: Anchoring) -> None:
    """The anchoring steps in the worker's order."""
    make_offers(deps)
    send_queued(deps)
    settle_nonces(deps)
    follow(deps)
    advance_finality(deps)


def leaf(code: str, number: int, total_fen: int = 10_000, kind: int = 1) -> bytes:
    """The 132 bytes of a batch leaf, packed by hand as SPEC.md A6 says."""
    digest = hashlib.sha256(f"{code}/{number}".encode()).digest()
    return (
        b"\x01"
        + code.encode().ljust(16, b"\x00")
        + bytes([kind])
        + (1).to_bytes(2, "big")
        + digest
        + bytes(32)
        + hashlib.sha256(digest).digest()
        + total_fen.to_bytes(8, "big")
        + (0).to_bytes(8, "big")
    )


def deploy_network(url: str, folder: Path) -> TestNetwork:
    """Contracts, two payers, one custodial and one self-custody institution."""
    network = TestNetwork(url, folder)
    services = network.services
    migrate_fresh(services.engine)
    rpc = JSONRPC([url])
    deployment, _ = Deployer(rpc, services.keystores, lambda: Fees(gas_price=0)).deploy()
    rpc.close()
    with services.work() as work:
        work.chain.set_deployment(deployment)
        work.commit()
    admin = Network(services)
    admin.register_payer("basic")
    admin.register_payer("basic")
    for code, custody, account in ((CUSTODIAL, "custodial", None), (SELF, "self", SELF_ACCOUNT)):
        done = admin.register_institution(
            code,
            agreement_from=dt.date(2020, 1, 1),
            agreement_until=dt.date(2037, 12, 31),
            grace_days=30,
            custody=custody,
            account=account,
        )
        with services.work() as work:
            work.connection.execute(
                sa.insert(institution).values(
                    code=code,
                    name=code,
                    level=3,
                    area_code="330800",
                    custody=custody,
                    agreement_from=dt.date(2020, 1, 1),
                    agreement_until=dt.date(2037, 12, 31),
                    grace_days=30,
                    ledger_number=done.number,
                    ledger_account=done.account,
                    created_at=services.clock.now(),
                )
            )
            work.commit()
    admin.publish_policy(hashlib.sha256(b"policy").digest(), dt.date(2026, 1, 1))
    services.engine.dispose()
    return network
