"""A node with a tiny ledger in memory, answering JSON-RPC calls as a real one would.

Selectors, topics and data are encoded with foreign libraries (eth_utils, eth_abi), so that the
verifier's own keccak and layouts are not their own judge.
"""

from __future__ import annotations

import hashlib
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from verifier.errors import UndecidedError
from verifier.rpc import RPCMethodError

Answer = Any


def selector(signature: str) -> str:
    return keccak(text=signature)[:4].hex()


def topic(signature: str) -> str:
    return "0x" + keccak(text=signature).hex()


def word(value: int) -> str:
    return "0x" + encode(["uint256"], [value]).hex()


class SimulatedNode:
    """State is public: tests change it to lie, to forget, or to be another chain."""

    def __init__(self, registry: bytes, ledger: bytes) -> None:
        self.registry, self.ledger = "0x" + registry.hex(), "0x" + ledger.hex()
        self.chain_id = 1337
        self.syncing: Answer = False
        self.now = 1_790_000_000
        self.blocks: list[dict[str, Any]] = []
        self.receipts: dict[str, dict[str, Any]] = {}
        self.code = {self.registry: "0x6001", self.ledger: "0x6002"}
        self.heads: dict[tuple[int, int], bytes] = {}
        self.slots: dict[bytes, int] = {}
        self.past_slots: dict[int, dict[bytes, int]] = {}
        self.accounts: dict[bytes, tuple[int, int, bool]] = {}
        self.codes: dict[int, bytes] = {}
        self.policies: dict[bytes, int] = {}
        self.registry_logs: list[dict[str, Any]] = []
        self.log_range_limit = 10**9
        self.failing: set[str] = set()
        self.unreachable = False
        self.calls: list[str] = []
        self.mine()

    # what happens on the ledger ----------------------------------------------------------------

    def mine(self) -> dict[str, Any]:
        number = len(self.blocks)
        self.now += 5
        block = {
            "number": hex(number),
            "hash": "0x" + hashlib.sha256(f"block {number}".encode()).hexdigest(),
            "timestamp": hex(self.now),
        }
        self.blocks.append(block)
        return block

    def transact(self, sender: bytes, logs: list[dict[str, Any]]) -> dict[str, Any]:
        block = self.mine()
        tx_hash = "0x" + hashlib.sha256(f"transaction {block['number']}".encode()).hexdigest()
        for index, log in enumerate(logs):
            log.update(blockNumber=block["number"], logIndex=hex(index))
        self.receipts[tx_hash] = {
            "status": "0x1",
            "blockNumber": block["number"],
            "blockHash": block["hash"],
            "from": "0x" + sender.hex(),
            "logs": logs,
        }
        number = int(block["number"], 16)
        return {"tx_hash": tx_hash[2:], "block_number": number, "block_hash": block["hash"][2:]}

    def register(self, number: int, code: str, *, custody: int, account: bytes) -> None:
        padded = code.encode("ascii").ljust(16, b"\x00")
        self.codes[number] = padded
        self.accounts[account] = (1, number, True)
        log = {
            "address": self.registry,
            "topics": [
                topic("InstitutionRegistered(uint16,bytes16,uint32,uint32,uint32,uint8)"),
                word(number),
                "0x" + encode(["bytes16"], [padded]).hex(),
            ],
            "data": "0x"
            + encode(["uint32", "uint32", "uint32", "uint8"], [1, 2, 3, custody]).hex(),
        }
        self.transact(bytes(20), [log])
        self.registry_logs.append(log)

    def change_terms(self, number: int, *, custody: int) -> None:
        log = {
            "address": self.registry,
            "topics": [
                topic("InstitutionTermsChanged(uint16,uint32,uint32,uint32,uint8)"),
                word(number),
            ],
            "data": "0x"
            + encode(["uint32", "uint32", "uint32", "uint8"], [1, 2, 3, custody]).hex(),
        }
        self.transact(bytes(20), [log])
        self.registry_logs.append(log)

    def publish(self, policy_hash: bytes) -> None:
        self.mine()
        self.policies[policy_hash] = self.now

    def anchor(  # noqa: PLR0917
        self,
        account: bytes,
        institution: int,
        sequence: int,
        root: bytes,
        previous: bytes,
        head: bytes,
        size: int,
    ) -> dict[str, Any]:
        self.heads[institution, sequence] = head
        data = encode(["bytes32", "bytes32", "bytes32", "uint16"], [root, previous, head, size])
        log = {
            "address": self.ledger,
            "topics": [
                topic("Anchored(uint16,uint32,address,bytes32,bytes32,bytes32,uint16)"),
                word(institution),
                word(sequence),
                "0x" + encode(["address"], [account]).hex(),
            ],
            "data": "0x" + data.hex(),
        }
        return self.transact(account, [log])

    def claim_event(
        self,
        signature: str,
        key: bytes,
        detail: int,
        more: bytes = b"",
        number: bytes | None = None,
    ) -> dict[str, Any]:
        topics = [topic(signature), "0x" + key.hex()]
        log = {
            "address": self.ledger,
            "topics": topics if number is None else [*topics, "0x" + number.hex()],
            "data": word(detail) + more.hex(),
        }
        return self.transact(b"\x77" * 20, [log])

    def revert_to(self, height: int) -> None:
        """As if nothing after block ``height`` had ever been mined."""
        del self.blocks[height + 1 :]
        for tx_hash in [
            tx_hash
            for tx_hash, receipt in self.receipts.items()
            if int(receipt["blockNumber"], 16) > height
        ]:
            del self.receipts[tx_hash]
        self.heads.clear()
        self.slots.clear()

    def code_hash(self, address: bytes) -> str:
        return keccak(hexstr=self.code["0x" + address.hex()]).hex()

    # what it answers ---------------------------------------------------------------------------

    def call(self, method: str, params: list[Any]) -> Answer:
        self.calls.append(method)
        if self.unreachable:
            raise UndecidedError("the node did not answer: URLError")
        if method in self.failing:
            raise RPCMethodError("the node refused the question")
        return getattr(self, method)(*params)

    def eth_chainId(self) -> Answer:
        return hex(self.chain_id)

    def eth_syncing(self) -> Answer:
        return self.syncing

    def eth_getCode(self, address: str, _tag: str) -> Answer:
        return self.code.get(address, "0x")

    def eth_getBlockByNumber(self, tag: str, _full: bool) -> Answer:
        number = len(self.blocks) - 1 if tag == "latest" else int(tag, 16)
        return self.blocks[number] if number < len(self.blocks) else None

    def eth_getTransactionReceipt(self, tx_hash: str) -> Answer:
        return self.receipts.get(tx_hash)

    def eth_getLogs(self, question: dict[str, Any]) -> Answer:
        low, high = int(question["fromBlock"], 16), int(question["toBlock"], 16)
        if high - low + 1 > self.log_range_limit:
            raise RPCMethodError("the node refused the question")
        logs = self.registry_logs
        if question["address"] != self.registry:
            events = [log for receipt in self.receipts.values() for log in receipt["logs"]]
            logs = [log for log in events if log["address"] == question["address"]]
        return [log for log in logs if low <= int(log["blockNumber"], 16) <= high]

    def eth_call(self, call: dict[str, Any], tag: str) -> Answer:
        data = bytes.fromhex(call["data"][2:])
        name, arguments = data[:4].hex(), data[4:]
        words = [int.from_bytes(arguments[i : i + 32], "big") for i in range(0, len(arguments), 32)]
        if call["to"] == self.ledger:
            if name == selector("head(uint16,uint32)"):
                head = self.heads.get((words[0], words[1]), bytes(32))
                return "0x" + head.hex()
            if name == selector("slot(bytes32)"):
                past = None if tag == "latest" else self.past_slots.get(int(tag, 16))
                return word((self.slots if past is None else past).get(arguments, 0))
        if call["to"] == self.registry:
            if name == selector("accountOf(address)"):
                found = self.accounts.get(arguments[12:], (0, 0, False))
                return "0x" + encode(["uint8", "uint16", "bool"], found).hex()
            if name == selector("institutionCode(uint16)"):
                return "0x" + encode(["bytes16"], [self.codes.get(words[0], bytes(16))]).hex()
            if name == selector("policy(bytes32)"):
                at = self.policies.get(arguments, 0)
                return "0x" + encode(["uint32", "uint32"], [at, at]).hex()
        raise RPCMethodError("the node refused the question")
