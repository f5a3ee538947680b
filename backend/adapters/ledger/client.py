"""The ledger client: reads, events, receipts and sending for one deployed network."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from backend.adapters.ledger.codec import decode_result, describe_revert, encode_call, event_topic
from backend.adapters.ledger.events import ANCHOR_BARS, to_event
from backend.adapters.ledger.finality import build_finality
from backend.adapters.ledger.log_windows import LogWindow
from backend.adapters.ledger.rpc import JSONRPC, Endpoint, RPCError, WrongNetworkError
from backend.adapters.ledger.transactions import encode_intents, from_rpc
from backend.contracts import ContractName
from backend.domain.finality import FinalityRule
from backend.domain.ledger import IntentKind, SlotState
from backend.service_layer.anchoring.model import (
    Call,
    CallRefusedError,
    Deployment,
    Fees,
    LedgerEvent,
    MinedTransaction,
    Receipt,
)
from backend.service_layer.ports import (
    BillOnLedger,
    BlockStamp,
    FinalSlot,
    LedgerUnavailableError,
)
from verifier.errors import MalformedError

#: Nodes answer 1,000 calls a batch (Besu's default); receipts of full calls are large.
RECEIPTS_A_BATCH: Final = 50
#: Two calls a slot.
SLOTS_A_REQUEST: Final = 250
KEY_BYTES: Final = 32
_NOT_GIVEN: Final = RPCError(0, "no answer to a call")
_FEE_MODES: Final = ("legacy-zero", "eip1559-zero", "market")


class LedgerClient:
    """Implements ``LedgerReader`` and ``LedgerNode``. Thread-safe.

    ``load_deployment`` is asked until it gives the network's identity; an endpoint on another
    network, or with other contract code, is as good as one that does not answer. ``finality`` is
    the network's rule; a number stands for so many confirmations.
    """

    def __init__(
        self,
        urls: Sequence[str],
        load_deployment: Callable[[], Deployment | None],
        finality: FinalityRule | int,
        fee_mode: str = "legacy-zero",
        timeout_seconds: float = 10,
    ) -> None:
        assert fee_mode in _FEE_MODES, "settings check the fee mode"
        self._load_deployment = load_deployment
        self._deployment: Deployment | None = None
        self._fee_mode = fee_mode
        self._window = LogWindow()
        self.rpc = JSONRPC(urls, timeout_seconds)
        self.rpc.identify = self._identify
        rule = FinalityRule(number=finality) if isinstance(finality, int) else finality
        self._finality = build_finality(rule, self.rpc)

    def deployment(self) -> Deployment:
        """The network's identity; raises LedgerUnavailableError before the contracts are there."""
        if self._deployment is None:
            self._deployment = self._load_deployment()
        if self._deployment is None:
            raise LedgerUnavailableError(
                "账本合约尚未部署，请先运行 yichu contracts deploy",
                "the contracts are not deployed yet: run yichu contracts deploy",
            )
        return self._deployment

    def _identify(self, endpoint: Endpoint) -> None:
        """Raise unless an endpoint is on the deployment's network with its code (T14)."""
        expected = self.deployment()
        place = hex(expected.block_number)
        answers = endpoint.post_each(
            [
                ("eth_chainId", []),
                ("eth_getBlockByNumber", ["0x0", False]),
                ("eth_getCode", [expected.registry, "latest"]),
                ("eth_getCode", [expected.invoice_ledger, "latest"]),
                ("eth_blockNumber", []),
                (
                    "eth_getLogs",
                    [{"address": expected.registry, "fromBlock": place, "toBlock": place}],
                ),
            ]
        )
        for answer in answers[:-1]:
            if isinstance(answer, RPCError):
                raise endpoint.failed(f"it does not say who it is: {answer.message}")
        chain_id, genesis, registry_code, ledger_code, height, logs = answers
        with _reading():
            pairs = (
                ("chain id", expected.chain_id, _quantity(chain_id)),
                ("genesis", expected.genesis_hash, _unhex((genesis or {}).get("hash", "0x"))),
                ("registry code", expected.registry_code_hash, keccak(_unhex(registry_code))),
                ("ledger code", expected.invoice_ledger_code_hash, keccak(_unhex(ledger_code))),
                # The registry's constructor emits events: they are in the deployment block.
                ("deployment block", True, bool(logs) and not isinstance(logs, RPCError)),
            )
            head = _quantity(height)
        differing = [name for name, want, have in pairs if want != have]
        if differing[:1] not in ([], ["chain id"], ["genesis"]) and head < expected.block_number:
            raise endpoint.failed(f"it is still at block {head}, before the contracts")
        if differing == ["deployment block"] and isinstance(logs, RPCError):
            raise endpoint.failed(f"it gives no event logs: {logs.message}")
        if differing:
            is_missing = differing[0].endswith("code") and "0x" in (registry_code, ledger_code)
            how = f"{differing[0]} {'is missing' if is_missing else 'differs'}"
            raise WrongNetworkError(
                "账本节点属于另一个网络，请检查 YICHU_RPC_URLS",
                f"the node {endpoint.label} is on another network ({how}); check YICHU_RPC_URLS",
            )

    # --- LedgerReader -------------------------------------------------------------------------

    def head(self) -> BlockStamp:
        with _reading():
            stamp = _stamp(self.rpc.call("eth_getBlockByNumber", "latest", False))
        if stamp is None:
            raise LedgerUnavailableError("账本没有最新区块", "the node has no latest block")
        return stamp

    def final_number(self) -> int:
        """The newest final block by the network's rule (protocol 5)."""
        return self._finality.final_number()

    def batch_head(self, institution_number: int, sequence: int) -> bytes:
        return bytes(self._read("InvoiceLedger", "head", institution_number, sequence)[0])

    def slot(self, invoice_key: bytes) -> SlotState:
        return SlotState.decode(self._read("InvoiceLedger", "slot", invoice_key)[0])

    def final_slots(
        self, invoice_keys: Sequence[bytes], followed: BlockStamp | None
    ) -> Mapping[bytes, FinalSlot]:
        """Each slot in the newest final block and in the newest block of one node.

        The node must have ``followed`` and the final block on its chain, before and after it reads
        the slots; else the next node is asked. Raises LedgerUnavailableError when none can tell,
        one without the state of the final block among them, and ValueError for what is no key.
        """
        if any(len(key) != KEY_BYTES for key in invoice_keys):
            raise ValueError("an invoice key has 32 bytes")
        final = self.final_number() if invoice_keys else 0
        # Asked around the slots: a reorganisation meanwhile shows.
        places = [final] if followed is None else [final, followed.number]
        stamps = [("eth_getBlockByNumber", [hex(number), False]) for number in places]
        found: dict[bytes, FinalSlot] = {}
        for start in range(0, len(invoice_keys), SLOTS_A_REQUEST):
            some = invoice_keys[start : start + SLOTS_A_REQUEST]
            then = [self._view("InvoiceLedger", "slot", key, at=hex(final)) for key in some]
            now = [self._view("InvoiceLedger", "slot", key) for key in some]
            answers = self._asked(
                [*stamps, *then, *now, *stamps],
                lambda answers: _require_chain(answers, places, followed),
            )[len(stamps) : -len(stamps)]
            slots = [
                SlotState.decode(_result("InvoiceLedger", "slot", answer)[0]) for answer in answers
            ]
            for key, *both in zip(some, slots[: len(some)], slots[len(some) :], strict=True):
                found[key] = FinalSlot(final, *both)
        return found

    def bill(self, invoice_key: bytes, batch: tuple[int, int] | None = None) -> BillOnLedger:
        """Slot, newest block and the head of a batch, in one exchange with one node."""
        views: list[tuple[str, tuple[Any, ...]]] = [("slot", (invoice_key,))]
        if batch is not None:
            views.append(("head", batch))
        latest = ("eth_getBlockByNumber", ["latest", False])
        calls = [self._view("InvoiceLedger", name, *given) for name, given in views]
        block, *answers = self._asked([latest, *calls])
        with _reading():
            stamp = _stamp(block)
        if stamp is None:
            raise LedgerUnavailableError("账本没有最新区块", "the node has no latest block")
        slot, *heads = (
            _result("InvoiceLedger", name, answer)[0]
            for (name, _), answer in zip(views, answers, strict=True)
        )
        return BillOnLedger(stamp, SlotState.decode(slot), bytes(heads[0]) if heads else None)

    def policy_published_at(self, policy_hash: bytes) -> int:
        return int(self._read("Registry", "policy", policy_hash)[0])

    # --- LedgerNode ---------------------------------------------------------------------------

    def block(self, number: int) -> BlockStamp | None:
        with _reading():
            return _stamp(self.rpc.call("eth_getBlockByNumber", hex(number), False))

    def blocks(self, numbers: Sequence[int]) -> Sequence[BlockStamp | None]:
        """Several blocks of one node, in the order of ``numbers``."""
        found = self.rpc.batch([("eth_getBlockByNumber", [hex(n), False]) for n in numbers])
        with _reading():
            return [_stamp(block) for block in found]

    def events(self, first: int, last: int) -> Sequence[LedgerEvent]:
        """Events of the invoice ledger in blocks ``first`` to ``last``, both included. A node
        that gives one twice (T19) is corrected here."""
        logs = self._logs(first, last)
        found = {(event.block_hash, event.log_index): event for event in logs}
        return list(found.values())

    def _logs(
        self, first: int, last: int, topics: Sequence[str | None] = ()
    ) -> Iterator[LedgerEvent]:
        """Events by windows that adapt to what the node allows (T20)."""
        query = {"address": self.deployment().invoice_ledger, "topics": list(topics)}
        while first <= last:
            until = min(last, first + self._window.blocks - 1)
            try:
                logs = self.rpc.call(
                    "eth_getLogs", query | {"fromBlock": hex(first), "toBlock": hex(until)}
                )
            except RPCError as error:
                # A narrow remainder that is refused says the same of every wider window.
                self._window.blocks = until - first + 1
                if not self._window.refused():
                    raise LedgerUnavailableError(
                        "节点不提供事件日志", f"the node refuses event logs: {error.message}"
                    ) from error
                continue
            with _reading():
                yield from [event for event in map(to_event, logs) if event is not None]
            if until - first + 1 == self._window.blocks:
                self._window.answered()
            first = until + 1

    def first_settlement(self, invoice_key: bytes, payer: int) -> LedgerEvent | None:
        """The event by which this payer settled the bill."""
        topics = (
            "0x" + event_topic("InvoiceLedger", "Settled").hex(),
            "0x" + invoice_key.hex(),
        )
        for event in self._logs(self.deployment().block_number, self.head().number, topics):
            if event.values["payer"] == payer:
                return event
        return None

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        found = self.rpc.call("eth_getTransactionReceipt", "0x" + tx_hash.hex())
        return self._to_receipt(tx_hash, found)

    def receipts(self, tx_hashes: Sequence[bytes]) -> Mapping[bytes, Receipt | None]:
        """Several receipts in batches, with errors an item (T18). What a batch did not give is
        asked for alone, of every node in turn, and left out when it cannot be had."""
        found: dict[bytes, Receipt | None] = {}
        for start in range(0, len(tx_hashes), RECEIPTS_A_BATCH):
            part = tx_hashes[start : start + RECEIPTS_A_BATCH]
            calls = [("eth_getTransactionReceipt", ["0x" + tx_hash.hex()]) for tx_hash in part]
            answers: list[Any] = [_NOT_GIVEN] * len(part)
            with suppress(RPCError):  # refused as a whole, or too large an answer
                answers = self.rpc.batch(calls, each=True)
            for tx_hash, answer in zip(part, answers, strict=True):
                with suppress(RPCError, LedgerUnavailableError):
                    is_given = not isinstance(answer, RPCError)
                    found[tx_hash] = (
                        self._to_receipt(tx_hash, answer) if is_given else self.receipt(tx_hash)
                    )
        return found

    def _to_receipt(self, tx_hash: bytes, found: Any) -> Receipt | None:
        if found is None:
            return None
        with _reading():
            if found["blockHash"] is None:
                return None
            ledger = self.deployment().invoice_ledger
            logs = [log for log in found["logs"] if to_checksum_address(log["address"]) == ledger]
            events = [event for event in map(to_event, logs) if event is not None]
            return Receipt(
                tx_hash=tx_hash,
                block_number=_quantity(found["blockNumber"]),
                block_hash=_unhex(found["blockHash"]),
                succeeded=_quantity(found["status"]) == 1,
                gas_used=_quantity(found["gasUsed"]),
                events=tuple({event.log_index: event for event in events}.values()),
            )

    def transaction(self, tx_hash: bytes) -> MinedTransaction | None:
        """Sender and fields of a transaction, None when no node has it."""
        fields = self.rpc.call("eth_getTransactionByHash", "0x" + tx_hash.hex())
        return None if fields is None else from_rpc(fields, self.deployment().chain_id)

    def knows(self, tx_hash: bytes) -> bool:
        """Whether a node has the transaction, in its pool or in a block."""
        return self.rpc.is_known_anywhere(tx_hash)

    def transaction_count(self, account: str, block_number: int | None = None) -> int:
        """The account's next nonce in a block (the latest); the pool does not count (T4)."""
        block = "latest" if block_number is None else hex(block_number)
        with _reading():
            return _quantity(self.rpc.call("eth_getTransactionCount", account, block))

    def transaction_counts(self, accounts: Sequence[str]) -> Mapping[str, int]:
        """The next nonces of several accounts in the latest block, from one node."""
        calls = [("eth_getTransactionCount", [account, "latest"]) for account in accounts]
        found = self.rpc.batch(calls)
        with _reading():
            return {a: _quantity(count) for a, count in zip(accounts, found, strict=True)}

    def is_intake_paused(self) -> bool:
        return bool(self._read("Registry", "pauseState")[0])

    def anchor_bar(self, account: str) -> str:
        institution, bar, _ = self._read("Registry", "anchorContext", account)
        return ANCHOR_BARS[bar] if institution else "not-an-institution"

    def encode(self, kind: IntentKind, payloads: Sequence[Mapping[str, Any]]) -> Call:
        """Raises CallRefusedError for payloads that cannot be encoded at all."""
        try:
            return encode_intents(kind, payloads, self.deployment().invoice_ledger)
        except (EncodingError, MalformedError, KeyError, ValueError, TypeError) as error:
            raise CallRefusedError(f"it cannot be encoded ({type(error).__name__})") from error

    def check(self, account: str, call: Call) -> None:
        """Raise CallRefusedError when the call would revert now."""
        fields = {
            "from": account,
            "to": call.to,
            "data": "0x" + call.data.hex(),
            "gas": hex(call.gas),
        }
        if self._fee_mode != "market":
            fields["gasPrice"] = "0x0"
        try:
            self.rpc.call("eth_call", fields, "latest")
        except RPCError as error:
            reason = describe_revert(_unhex(error.data)) if error.data else error.message
            raise CallRefusedError(reason, error.data) from error

    def fees(self) -> Fees:
        """What to offer, by the network's fee mode; never a library's default (T9)."""
        return self.fees_of(self.rpc)()

    def fees_of(self, rpc: JSONRPC) -> Callable[[], Fees]:
        """The same, asked through another connection (before anything is deployed)."""
        return lambda: self._fees(rpc)

    def _fees(self, rpc: JSONRPC) -> Fees:
        if self._fee_mode == "legacy-zero":
            return Fees(gas_price=0)
        if self._fee_mode == "eip1559-zero":
            return Fees(max_fee_per_gas=0, max_priority_fee_per_gas=0)
        with _reading():
            head = rpc.call("eth_getBlockByNumber", "latest", False)
            if head.get("baseFeePerGas") is None:  # a chain before London (T23)
                return Fees(gas_price=_quantity(rpc.call("eth_gasPrice")))
            tip = _quantity(rpc.call("eth_maxPriorityFeePerGas"))
            most = 2 * _quantity(head["baseFeePerGas"]) + tip
            return Fees(max_fee_per_gas=most, max_priority_fee_per_gas=tip)

    def send(self, raw: bytes) -> str:
        """Hand the bytes to every node (T13); refusals are a hint, empty when a node took them."""
        taken, refusals = self.rpc.send_to_all(raw)
        return "" if taken else "; ".join(refusals)

    def troubles(self) -> Mapping[str, str]:
        """What is wrong with which node, by its address; a node that failed is asked again."""
        self.rpc.probe_all()
        return self.rpc.troubles()

    def close(self) -> None:
        self.rpc.close()

    def read(self, contract: ContractName, name: str, *arguments: Any) -> tuple[Any, ...]:
        """A view call on one of the two contracts at the latest block."""
        return self._read(contract, name, *arguments)

    def _read(self, contract: ContractName, name: str, *arguments: Any) -> tuple[Any, ...]:
        (answer,) = self._asked([self._view(contract, name, *arguments)])
        return _result(contract, name, answer)

    def _view(
        self, contract: ContractName, name: str, *arguments: Any, at: str = "latest"
    ) -> tuple[str, list[Any]]:
        """A view call at a block, as the node is asked."""
        deployment = self.deployment()
        to = deployment.registry if contract == "Registry" else deployment.invoice_ledger
        data = "0x" + encode_call(contract, name, *arguments).hex()
        return "eth_call", [{"to": to, "data": data}, at]

    def _asked(
        self,
        calls: Sequence[tuple[str, Sequence[Any]]],
        believe: Callable[[list[Any]], None] | None = None,
    ) -> list[Any]:
        """The answers of one node that is believed; a contract's refusal is raised as
        CallRefusedError."""
        try:
            return self.rpc.batch(calls, believe=believe)
        except RPCError as error:
            if not error.is_revert:
                raise LedgerUnavailableError(
                    "账本节点无法读取", f"the node cannot read the ledger: {error.message}"
                ) from error
            raise CallRefusedError(describe_revert(_unhex(error.data)), error.data) from error


def _result(contract: ContractName, name: str, answer: Any) -> tuple[Any, ...]:
    if answer in ("0x", None):  # a node without the state: that proves nothing (T21)
        raise _no_state()
    with _reading():
        return decode_result(contract, name, _unhex(answer))


def _no_state() -> LedgerUnavailableError:
    return LedgerUnavailableError("账本节点没有该状态", "the node has no state to read")


def _require_chain(
    answers: Sequence[Any], places: Sequence[int], followed: BlockStamp | None
) -> None:
    """Raise unless a node had the blocks at ``places`` at the beginning and the end of its answers,
    the same ones, and among them the one that was followed; and between them nothing but state."""
    if any(answer in ("0x", None) for answer in answers[len(places) : -len(places)]):
        raise _no_state()
    with _reading():
        before, after = (
            [_stamp(block) for block in part]
            for part in (answers[: len(places)], answers[-len(places) :])
        )
    missing = [number for number, stamp in zip(places, before, strict=True) if stamp is None]
    if missing:
        raise LedgerUnavailableError(
            f"账本节点落后：它还没有区块 {max(missing)}",
            f"the ledger node is behind: it does not have block {max(missing)} yet",
        )
    seen = {stamp.number: stamp.hash for stamp in before if stamp is not None}
    is_fork = followed is not None and seen.get(followed.number) != followed.hash
    if is_fork or before != after or sorted(seen) != sorted(set(places)):
        raise LedgerUnavailableError(
            "账本节点在另一条分叉上，或正在重组",
            "the ledger node is on a fork, or its chain is being reorganised",
        )


@contextmanager
def _reading() -> Iterator[None]:
    """An answer of the wrong form, a null among them, is no answer: nothing follows from it."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, DecodingError) as error:
        raise LedgerUnavailableError(
            "账本节点的应答无法读取",
            f"the answer of the ledger node cannot be read ({type(error).__name__})",
        ) from error


def _stamp(block: Mapping[str, Any] | None) -> BlockStamp | None:
    if block is None:
        return None
    at = dt.datetime.fromtimestamp(_quantity(block["timestamp"]), dt.UTC)
    return BlockStamp(_quantity(block["number"]), _unhex(block["hash"]), at)


def _quantity(text: str) -> int:
    return int(text, 16)


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
