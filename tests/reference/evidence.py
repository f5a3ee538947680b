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
    """One claim from bill to closing. Change a field before calling the methods."""

    invoice: dict[str, Any] = field(default_factory=invoice_record)
    kind: int = 1
    closing: str = "settle"
    decision: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self.key = ref.invoice_key(
            NETWORK_KEY, self.invoice["invoice_code"], self.invoice["invoice_number"]
        )
        self.fingerprint = ref.fingerprint(self.invoice, SECRET)
        if self.decision is None:
            make = decision_record if self.closing == "settle" else refusal_record
            self.decision = make(self.fingerprint)
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
    def reference(self) -> int:
        return INSTITUTION << 32 | SEQUENCE << 10 | LEAF_INDEX

    def _chain(self) -> SimulatedNode:
        node = SimulatedNode(registry=REGISTRY, ledger=LEDGER)
        node.register(INSTITUTION, self.leaf["institution_code"], custody=1, account=ACCOUNT)
        node.publish(self.policy_hash)
        self.anchored = node.anchor(
            ACCOUNT, INSTITUTION, SEQUENCE, self.root, self.previous, self.head, SIZE
        )
        self.lodged = node.claim_event(
            "Lodged(bytes32,uint256)", self.key, self.detail(1, value=node.now + 1000)
        )
        if self.closing == "settle":
            detail = self.detail(2, value=self.amount, version=1)
            signature = "Settled(bytes32,uint256,bytes32,bytes32)"
            bits = 1 << (PAYER - 1)
            reference, paid = self.reference, self.leaf["borne_fen"] + self.amount
        else:
            detail = self.detail(3, value=1, version=1, reference=0)
            signature = "Released(bytes32,uint256,bytes32,bytes32)"
            bits = reference = paid = 0
        self.closed = node.claim_event(
            signature, self.key, detail, self.decision_fingerprint + self.policy_hash
        )
        total = self.leaf["total_fen"]
        node.slots[self.key] = total | paid << 40 | reference << 80 | COUNTER << 168 | bits << 192
        return node

    def detail(
        self, call: int, *, value: int, version: int = 0, reference: int | None = None
    ) -> int:
        reference = self.reference if reference is None else reference
        borne, total = self.leaf["borne_fen"], self.leaf["total_fen"]
        word = call << 8 | PAYER << 24 | COUNTER << 32 | reference << 72 | value << 120
        return word | version << 160 | borne << 176 | total << 216

    def node(self) -> SimulatedNode:
        return copy.deepcopy(self.chain)

    def bundle(self) -> dict[str, Any]:
        assert self.decision is not None
        fields = {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in self.leaf.items()
        }
        return {
            "format": "yichu-evidence-1",
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
                    "decision_version": 1,
                    **self.closed,
                },
            },
            "decision": {
                "fingerprint": self.decision_fingerprint.hex(),
                "leaves": open_leaves(self.decision, DECISION_SECRET),
            },
            "policy": {
                "hash": self.policy_hash.hex(),
                "text": ref.canonical(POLICY).decode("utf-8"),
            },
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
