"""Reading the two contracts through a node that is believed (SPEC.md C3).

Function selectors, event topics and the layout of the detail word are written out here from
contracts/interfaces/; nothing is loaded. An answer that cannot be read is UndecidedError: it says
something about the node and nothing about the bundle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from verifier.errors import UndecidedError
from verifier.keccak import keccak256
from verifier.rpc import RPCMethodError
from verifier.trust import TrustedContract, TrustedRoot

ACCOUNT_KIND_INSTITUTION: Final = 1
CUSTODY_NAMES: Final = {1: "self-custody", 2: "custodial"}
CALL_LODGE: Final = 1
CALL_SETTLE: Final = 2
CALL_RELEASE: Final = 3
CALL_SUPPLEMENT: Final = 10
CALL_RECOVER: Final = 11
OUTCOME_DONE: Final = 0
RELEASE_REASON_REFUSED: Final = 1
FLAG_VOID: Final = 2
FLAG_REVERSED: Final = 4
FLAG_ON_PAPER: Final = 8

#: Most questions that one search for events may ask: a node may limit the range of one.
MAX_LOG_QUESTIONS: Final = 4096

_MAX_LOGS: Final = 100_000


class Transport(Protocol):
    """Asks a node one question (``verifier.rpc.HTTPTransport``, or a simulator in tests)."""

    def call(self, method: str, params: list[object]) -> object:
        """Return the result; raises UndecidedError when there is none."""
        ...


def topic(signature: str) -> bytes:
    """Return the first topic of the event with this signature."""
    return keccak256(signature.encode("ascii"))


def selector(signature: str) -> bytes:
    """Return the 4-byte selector of the function with this signature."""
    return keccak256(signature.encode("ascii"))[:4]


ANCHORED: Final = "Anchored(uint16,uint32,address,bytes32,bytes32,bytes32,uint16)"
LODGED: Final = "Lodged(bytes32,uint256)"
SETTLED: Final = "Settled(bytes32,uint256,bytes32,bytes32)"
RELEASED: Final = "Released(bytes32,uint256,bytes32,bytes32)"
SUPPLEMENTED: Final = "Supplemented(bytes32,uint256,bytes32,bytes32)"
RECOVERED: Final = "Recovered(bytes32,bytes32,uint256)"
REGISTERED: Final = "InstitutionRegistered(uint16,bytes16,uint32,uint32,uint32,uint8)"
TERMS_CHANGED: Final = "InstitutionTermsChanged(uint16,uint32,uint32,uint32,uint8)"


@dataclass(frozen=True, slots=True)
class Log:
    """One event: contract address, topics and data, with its position on the chain."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    log_index: int

    def words(self) -> tuple[int, ...]:
        """The data as 32-byte big-endian integers."""
        whole = len(self.data) - len(self.data) % 32
        return tuple(int.from_bytes(self.data[i : i + 32], "big") for i in range(0, whole, 32))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction."""

    status: int
    block_number: int
    block_hash: bytes
    sender: bytes
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A block's number, hash and time (Unix seconds)."""

    number: int
    block_hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Detail:
    """The detail word of a claim event (contracts/interfaces/IInvoiceLedger.sol)."""

    call: int
    outcome: int
    payer: int
    counter: int
    leaf_reference: int
    value: int
    decision_version: int
    paid_fen: int
    total_fen: int

    @classmethod
    def decode(cls, word: int) -> Detail:
        return cls(
            call=_bits(word, 8, 8),
            outcome=_bits(word, 16, 8),
            payer=_bits(word, 24, 8),
            counter=_bits(word, 32, 16),
            leaf_reference=_bits(word, 72, 48),
            value=_bits(word, 120, 40),
            decision_version=_bits(word, 160, 16),
            paid_fen=_bits(word, 176, 40),
            total_fen=_bits(word, 216, 40),
        )


@dataclass(frozen=True, slots=True)
class Slot:
    """The state of an invoice key (contracts/interfaces/IInvoiceLedger.sol)."""

    total_fen: int
    paid_fen: int
    leaf_reference: int
    counter: int
    flags: int
    settled_payers: int

    @classmethod
    def decode(cls, word: int) -> Slot:
        return cls(
            total_fen=_bits(word, 0, 40),
            paid_fen=_bits(word, 40, 40),
            leaf_reference=_bits(word, 80, 48),
            counter=_bits(word, 168, 16),
            flags=_bits(word, 184, 8),
            settled_payers=_bits(word, 192, 64),
        )


def _bits(word: int, shift: int, width: int) -> int:
    return (word >> shift) & ((1 << width) - 1)


class LedgerReader:
    """Asks one node about the contracts of one trust file; answers are read once and kept."""

    def __init__(self, transport: Transport, trust: TrustedRoot) -> None:
        self._transport = transport
        self._trust = trust
        self._latest: Block | None = None

    def chain_id(self) -> int:
        return _quantity(self._transport.call("eth_chainId", []), "chain id")

    def is_syncing(self) -> bool:
        """Whether the node says that it is behind. A node that cannot say so is taken as not."""
        try:
            return self._transport.call("eth_syncing", []) is not False
        except RPCMethodError:
            return False

    def code_hash(self, address: bytes) -> bytes:
        """Keccak-256 of the runtime code at ``address`` now."""
        code = self._transport.call("eth_getCode", [_hex(address), "latest"])
        return keccak256(_data(code, "contract code"))

    def latest(self) -> Block:
        """The latest block, as of the first time it was asked for."""
        if self._latest is None:
            found = self._block("latest")
            if found is None:
                raise UndecidedError("the node has no latest block")
            self._latest = found
        return self._latest

    def block(self, number: int) -> Block | None:
        return self._block(hex(number))

    def _block(self, tag: str) -> Block | None:
        answer = self._transport.call("eth_getBlockByNumber", [tag, False])
        if answer is None:
            return None
        block = _members(answer, "block")
        return Block(
            number=_quantity(block.get("number"), "block number"),
            block_hash=_data(block.get("hash"), "block hash", 32),
            timestamp=_quantity(block.get("timestamp"), "block time"),
        )

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt of a mined transaction; None when the node knows of none."""
        answer = self._transport.call("eth_getTransactionReceipt", [_hex(tx_hash)])
        if answer is None:
            return None
        receipt = _members(answer, "receipt")
        return Receipt(
            status=_quantity(receipt.get("status"), "receipt status"),
            block_number=_quantity(receipt.get("blockNumber"), "receipt block"),
            block_hash=_data(receipt.get("blockHash"), "receipt block hash", 32),
            sender=_data(receipt.get("from"), "sender", 20),
            logs=_logs(receipt.get("logs")),
        )

    def head(self, institution: int, sequence: int) -> bytes:
        """The stored head of a batch, zero when it is not anchored."""
        answer = self._call_ledger("head(uint16,uint32)", _word(institution) + _word(sequence))
        return answer[:32]

    def slot(self, invoice_key: bytes, block_number: int | None = None) -> Slot:
        """The slot now, or as it was at the end of a block."""
        address = self._trust.invoice_ledger.address
        tag = "latest" if block_number is None else hex(block_number)
        answer = self._eth_call(address, "slot(bytes32)", invoice_key, tag=tag)
        return Slot.decode(int.from_bytes(answer[:32], "big"))

    def account(self, address: bytes) -> tuple[int, int]:
        """(kind, number) of what an account acts for or once acted for."""
        answer = self._call_registry("accountOf(address)", bytes(12) + address, words=3)
        return int.from_bytes(answer[:32], "big"), int.from_bytes(answer[32:64], "big")

    def institution_code(self, number: int) -> str:
        """The registered code, empty when there is none."""
        answer = self._call_registry("institutionCode(uint16)", _word(number))
        try:
            return answer[:16].rstrip(b"\x00").decode("ascii")
        except UnicodeDecodeError as error:
            raise UndecidedError("the registered institution code is not ASCII") from error

    def policy_published_at(self, policy_hash: bytes) -> int:
        """Unix seconds of the publication, 0 when there was none."""
        answer = self._call_registry("policy(bytes32)", policy_hash, words=2)
        return int.from_bytes(answer[:32], "big")

    def custody_at(self, institution: int, block_number: int) -> str | None:
        """The custody mode in force at the end of a block; None when never registered."""
        signatures = [topic(REGISTERED), topic(TERMS_CHANGED)]
        first = self._trust.registry.deployment_block
        subject = _word(institution)
        logs = self._logs(self._trust.registry, signatures, subject, (first, block_number))
        newest = max(logs, key=lambda log: (log.block_number, log.log_index), default=None)
        if newest is None:
            return None
        words = newest.words()
        if len(words) != 4:
            raise UndecidedError("a registration event has another layout")
        return CUSTODY_NAMES.get(words[3])

    def claim_logs(self, signatures: tuple[str, ...], invoice_key: bytes) -> list[Log]:
        """Every event of these signatures of one key, on the trusted ledger and on those that it
        succeeds, up to the latest block."""
        last = self.latest().number
        topics = [topic(signature) for signature in signatures]
        return [
            log
            for contract in (self._trust.invoice_ledger, *self._trust.predecessors)
            for log in self._logs(contract, topics, invoice_key, (contract.deployment_block, last))
        ]

    def _logs(
        self,
        contract: TrustedContract,
        signatures: list[bytes],
        subject: bytes,
        span: tuple[int, int],
    ) -> list[Log]:
        """Events of one subject in a range of blocks; halves what the node finds too wide."""
        found: list[Log] = []
        ranges = [span]
        for _ in range(MAX_LOG_QUESTIONS):
            if not ranges:
                return found
            low, high = ranges.pop()
            question: dict[str, object] = {
                "address": _hex(contract.address),
                "fromBlock": hex(low),
                "toBlock": hex(high),
                "topics": [[_hex(value) for value in signatures], _hex(subject)],
            }
            try:
                answer = self._transport.call("eth_getLogs", [question])
            except RPCMethodError:
                if low >= high:
                    raise
                middle = (low + high) // 2
                ranges += [(low, middle), (middle + 1, high)]
                continue
            # What a node was asked to filter is filtered again.
            found += [
                log
                for log in _logs(answer)
                if log.address == contract.address
                and log.topics[:1] in [(value,) for value in signatures]
                and log.topics[1:2] == (subject,)
                and low <= log.block_number <= high
            ]
        raise UndecidedError("the node answers only very small ranges of events")

    def _call_ledger(self, signature: str, arguments: bytes, words: int = 1) -> bytes:
        return self._eth_call(self._trust.invoice_ledger.address, signature, arguments, words)

    def _call_registry(self, signature: str, arguments: bytes, words: int = 1) -> bytes:
        return self._eth_call(self._trust.registry.address, signature, arguments, words)

    def _eth_call(
        self, address: bytes, signature: str, arguments: bytes, words: int = 1, tag: str = "latest"
    ) -> bytes:
        call = {"to": _hex(address), "data": _hex(selector(signature) + arguments)}
        answer = self._transport.call("eth_call", [call, tag])
        return _data(answer, f"answer of {signature}", 32 * words)


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _members(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise UndecidedError(f"the node's {name} cannot be read")
    return value


def _quantity(value: object, name: str) -> int:
    if isinstance(value, str) and value.startswith("0x") and 3 <= len(value) <= 66:
        try:
            return int(value[2:], 16)
        except ValueError:
            pass
    raise UndecidedError(f"the node's {name} cannot be read")


def _data(value: object, name: str, size: int | None = None) -> bytes:
    if isinstance(value, str) and value.startswith("0x"):
        try:
            data = bytes.fromhex(value[2:])
        except ValueError as error:
            raise UndecidedError(f"the node's {name} cannot be read") from error
        if size is None or len(data) == size:
            return data
    raise UndecidedError(f"the node's {name} cannot be read")


def _logs(value: object) -> tuple[Log, ...]:
    if not isinstance(value, list) or len(value) > _MAX_LOGS:
        raise UndecidedError("the node's events cannot be read")
    return tuple(_log(_members(entry, "event")) for entry in value)


def _log(entry: dict[str, object]) -> Log:
    topics = entry.get("topics")
    if not isinstance(topics, list) or len(topics) > 4:
        raise UndecidedError("the node's event topics cannot be read")
    return Log(
        address=_data(entry.get("address"), "event address", 20),
        topics=tuple(_data(value, "event topic", 32) for value in topics),
        data=_data(entry.get("data"), "event data"),
        block_number=_quantity(entry.get("blockNumber"), "event block"),
        log_index=_quantity(entry.get("logIndex"), "event index"),
    )
