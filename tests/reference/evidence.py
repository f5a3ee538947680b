"""A claim and its evidence bundle, made with the reference implementation only.

``Story`` holds what really happened; ``bundle()`` and ``trust()`` give the two files as JSON values
that a test may tamper with, and ``node()`` a simulated node whose ledger agrees with the story.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

from tests.reference import commitment as ref
from tests.reference.simulated_node import SimulatedNode

SECRET = bytes(range(32))
DECISION_SECRET = bytes(range(100, 132))
NETWORK_KEY = bytes(range(200, 232))
ACCOUNT = bytes.fromhex("a1" * 20)
REGISTRY = bytes.fromhex("b2" * 20)
LEDGER = bytes.fromhex("c3" * 20)
INSTITUTION, SEQUENCE, LEAF_INDEX, SIZE = 7, 3, 2, 5
PAYER, COUNTER = 4, 2
POLICY = {"id": "quzhou-2026", "rules": [{"rule": "ratio", "percent": 75}]}


def invoice_record() -> dict[str, Any]:
    """A bill of 3 lines over 3.50 yuan, one of them with half fen."""
    return {
        "format": "yichu-invoice-1",
        "institution_code": "H33080300001",
        "institution_name": "衢州市第一人民医院",
        "invoice_code": "33010122",
        "invoice_number": "0000123456",
        "issued_on": "2026-11-02",
        "payer_name": "样本甲",
        "total_fen": 350,
        "fund_pay_fen": 0,
        "other_pay_fen": 50,
        "account_pay_fen": 0,
        "own_pay_fen": 300,
        "items": [],
        "attachments": [],
        "lines": [
            {"amount": "1.0050", "name": "阿莫西林", "catalogue_code": "XA01"},
            {"amount": "1.0050", "name": "血常规", "catalogue_code": "C01"},
            {"amount": "1.4900", "name": "诊查费"},
        ],
    }


def adjustment(amount: int, code: str = "ratio") -> dict[str, Any]:
    return {
        "group": "FUND",
        "code": code,
        "amount_fen": amount,
        "rule_id": "pool-ratio",
        "basis_zh": "统筹比例以外由个人负担",
        "basis_en": "the part beyond the pool's ratio is borne by the person",
    }


def decision_record(fingerprint: bytes) -> dict[str, Any]:
    return {
        "format": "yichu-eob-1",
        "invoice_fingerprint": fingerprint.hex(),
        "claim_number": "C-1",
        "payer_number": PAYER,
        "lodge_counter": COUNTER,
        "decision_version": 1,
        "outcome": "approved",
        "policy_hash": ref.policy_hash(POLICY).hex(),
        "submitted_fen": 350,
        "paid_fen": 200,
        "lines": [
            {"index": 0, "submitted_fen": 101, "paid_fen": 75, "adjustments": [adjustment(26)]},
            {
                "index": 1,
                "submitted_fen": 100,
                "paid_fen": 75,
                "adjustments": [adjustment(30), adjustment(-5, "layer-2-paid")],
            },
            {"index": 2, "submitted_fen": 149, "paid_fen": 50, "adjustments": [adjustment(99)]},
        ],
    }


def refusal_record(fingerprint: bytes) -> dict[str, Any]:
    record = decision_record(fingerprint)
    record.update(outcome="refused", paid_fen=0)
    for line in record["lines"]:
        line.update(paid_fen=0, adjustments=[adjustment(line["submitted_fen"])])
    return record


def later_record(fingerprint: bytes, version: int, more: int) -> dict[str, Any]:
    """The decision of a later version: ``more`` fen more of the third line are paid."""
    record = decision_record(fingerprint)
    record.update(decision_version=version, paid_fen=200 + more)
    record["lines"][2].update(paid_fen=50 + more, adjustments=[adjustment(99 - more)])
    return record


def open_leaves(record: dict[str, Any], secret: bytes) -> list[dict[str, Any]]:
    return [
        {
            "path": path,
            "kind": kind,
            "salt": ref.salt(secret, path).hex(),
            "value": json.loads(value),
        }
        for path, kind, value in ref.leaves(record)
    ]


def hide(leaves: list[dict[str, Any]], path: str) -> None:
    """Replace the open leaf at ``path`` by its hash, as a holder may."""
    for place, leaf in enumerate(leaves):
        if leaf["path"] == path:
            data = ref.leaf_bytes(
                path, leaf["kind"], ref.canonical(leaf["value"]), bytes.fromhex(leaf["salt"])
            )
            leaves[place] = {"path": path, "hash": ref.leaf_hash(data).hex()}
            return
    raise LookupError(path)


@dataclass
class Story:
    """One claim from bill to closing, and what came before and after. Change a field before
    calling the methods.

    ``was_refused``: first refused under counter 1. ``supplements`` and ``recovered`` are amounts.
    """

    invoice: dict[str, Any] = field(default_factory=invoice_record)
    kind: int = 1
    closing: str = "settle"
    decision: dict[str, Any] | None = None
    was_refused: bool = False
    supplements: tuple[int, ...] = ()
    recovered: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.key = ref.invoice_key(
            NETWORK_KEY, self.invoice["invoice_code"], self.invoice["invoice_number"]
        )
        self.fingerprint = ref.fingerprint(self.invoice, SECRET)
        if self.decision is None:
            make = decision_record if self.closing == "settle" else refusal_record
            self.decision = make(self.fingerprint)
            self.decision["decision_version"] = self.version
        self.decision_fingerprint = ref.fingerprint(self.decision, DECISION_SECRET)
        self.policy_hash = ref.policy_hash(POLICY)
        self.leaf = {
            "institution_code": self.invoice["institution_code"],
            "kind": self.kind,
            "key_version": 1,
            "invoice_key": self.key,
            "second_key": bytes(32),
            "fingerprint": self.fingerprint,
            "total_fen": self.invoice["total_fen"],
            "borne_fen": self.invoice["fund_pay_fen"] + self.invoice["other_pay_fen"],
        }
        hashes = [ref.sha256(bytes([n])) for n in range(SIZE)]
        hashes[LEAF_INDEX] = ref.leaf_hash(ref.batch_leaf(**self.leaf))
        self.root = ref.root(hashes)
        self.proof = ref.inclusion(hashes, LEAF_INDEX)
        self.previous = ref.sha256(b"previous head")
        self.head = ref.batch_head(INSTITUTION, SEQUENCE, self.previous, self.root, SIZE)
        self.amount = self.decision["paid_fen"]
        self.chain = self._chain()

    @property
    def version(self) -> int:
        """The decision version of the closing."""
        return 2 if self.was_refused else 1

    @property
    def reference(self) -> int:
        return INSTITUTION << 32 | SEQUENCE << 10 | LEAF_INDEX

    def _chain(self) -> SimulatedNode:
        node = SimulatedNode(registry=REGISTRY, ledger=LEDGER)
        node.register(INSTITUTION, self.leaf["institution_code"], custody=1, account=ACCOUNT)
        node.publish(self.policy_hash)
        self.anchored = node.anchor(
            ACCOUNT, INSTITUTION, SEQUENCE, self.root, self.previous, self.head, SIZE
        )
        self.earlier = [self._refuse(node)] if self.was_refused else []
        self.lodged = node.claim_event(
            "Lodged(bytes32,uint256)", self.key, self.detail(1, value=node.now + 1000)
        )
        paid = self.leaf["borne_fen"]
        if self.closing == "settle":
            paid += self.amount
            detail = self.detail(2, value=self.amount, version=self.version, paid=paid)
            signature = "Settled(bytes32,uint256,bytes32,bytes32)"
            bits = 1 << (PAYER - 1)
            reference = self.reference
        else:
            detail = self.detail(3, value=1, version=self.version, reference=0)
            signature = "Released(bytes32,uint256,bytes32,bytes32)"
            bits = reference = paid = 0
        self.closed = node.claim_event(
            signature, self.key, detail, self.decision_fingerprint + self.policy_hash
        )
        self.later = [self._supplement(node, place) for place in range(len(self.supplements))]
        self.recoveries = [self._recover(node, amount) for amount in self.recovered]
        paid += sum(self.supplements)
        total: int = self.leaf["total_fen"]
        node.slots[self.key] = total | paid << 40 | reference << 80 | COUNTER << 168 | bits << 192
        return node

    def decided(self, record: dict[str, Any]) -> dict[str, Any]:
        """The members ``decision`` and ``policy`` of a bundle."""
        return {
            "decision": {
                "fingerprint": ref.fingerprint(record, DECISION_SECRET).hex(),
                "leaves": open_leaves(record, DECISION_SECRET),
            },
            "policy": {
                "hash": self.policy_hash.hex(),
                "text": ref.canonical(POLICY).decode("utf-8"),
            },
        }

    def _refuse(self, node: SimulatedNode) -> dict[str, Any]:
        record = refusal_record(self.fingerprint)
        record["lodge_counter"] = 1
        lodge = self.detail(1, value=node.now + 1000, counter=1)
        release = self.detail(3, value=1, version=1, reference=0, counter=1)
        said = ref.fingerprint(record, DECISION_SECRET) + self.policy_hash
        return {
            "counter": 1,
            "decision_version": 1,
            "lodge": node.claim_event("Lodged(bytes32,uint256)", self.key, lodge),
            "release": node.claim_event(
                "Released(bytes32,uint256,bytes32,bytes32)", self.key, release, said
            ),
            **self.decided(record),
        }

    def _supplement(self, node: SimulatedNode, place: int) -> dict[str, Any]:
        amount, version = self.supplements[place], self.version + 1 + place
        more = sum(self.supplements[: place + 1])
        record = later_record(self.fingerprint, version, more)
        paid = self.leaf["borne_fen"] + self.amount + more
        detail = self.detail(10, value=amount, version=version, counter=0, paid=paid)
        said = ref.fingerprint(record, DECISION_SECRET) + self.policy_hash
        return {
            "amount_fen": amount,
            "decision_version": version,
            "supplement": node.claim_event(
                "Supplemented(bytes32,uint256,bytes32,bytes32)", self.key, detail, said
            ),
            **self.decided(record),
        }

    def _recover(self, node: SimulatedNode, amount: int) -> dict[str, Any]:
        number = ref.sha256(b"recovery %d" % len(node.blocks))
        detail = self.detail(11, value=amount, counter=0)
        place = node.claim_event(
            "Recovered(bytes32,bytes32,uint256)", self.key, detail, number=number
        )
        return {"number": number.hex(), "amount_fen": amount, "event": place}

    def detail(
        self,
        call: int,
        *,
        value: int,
        version: int = 0,
        reference: int | None = None,
        payer: int = PAYER,
        counter: int = COUNTER,
        paid: int | None = None,
    ) -> int:
        reference = self.reference if reference is None else reference
        total: int = self.leaf["total_fen"]
        after: int = self.leaf["borne_fen"] if paid is None else paid
        word = call << 8 | payer << 24 | counter << 32 | reference << 72 | value << 120
        return word | version << 160 | after << 176 | total << 216

    def node(self) -> SimulatedNode:
        return copy.deepcopy(self.chain)

    def bundle(self) -> dict[str, Any]:
        assert self.decision is not None
        fields = {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in self.leaf.items()
        }
        further = {
            name: copy.deepcopy(entries)
            for name, entries in (
                ("earlier", self.earlier), ("later", self.later), ("recoveries", self.recoveries)
            )
            if entries
        }  # fmt: skip
        return {
            "format": "yichu-evidence-2" if further else "yichu-evidence-1",
            "invoice": {"leaves": open_leaves(self.invoice, SECRET)},
            "batch_leaf": fields,
            "batch": {
                "institution_number": INSTITUTION,
                "sequence": SEQUENCE,
                "previous_head": self.previous.hex(),
                "root": self.root.hex(),
                "size": SIZE,
                "leaf_index": LEAF_INDEX,
                "proof": [node.hex() for node in self.proof],
            },
            "anchor": {**self.anchored, "account": ACCOUNT.hex(), "custody": "self-custody"},
            "claim": {
                "payer_number": PAYER,
                "counter": COUNTER,
                "lodge": dict(self.lodged),
                "closing": {
                    "kind": self.closing,
                    "amount_fen": self.amount,
                    "decision_version": self.version,
                    **self.closed,
                },
            },
            **self.decided(self.decision),
            **further,
        }

    def trust(self) -> dict[str, Any]:
        chain = self.chain
        return {
            "format": "yichu-trust-1",
            "chain_id": chain.chain_id,
            "genesis_hash": chain.blocks[0]["hash"][2:],
            "contracts": {
                "registry": {
                    "address": REGISTRY.hex(),
                    "code_hash": chain.code_hash(REGISTRY),
                    "deployment_block": 1,
                },
                "invoice_ledger": {
                    "address": LEDGER.hex(),
                    "code_hash": chain.code_hash(LEDGER),
                    "deployment_block": 1,
                },
            },
            "finality": {"kind": "node", "confirmations": 1},
            "institutions": {
                str(INSTITUTION): {"code": "H33080300001", "name": "衢州市第一人民医院"}
            },
            "network_key": NETWORK_KEY.hex(),
        }


def text(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8")
