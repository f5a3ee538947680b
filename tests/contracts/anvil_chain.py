"""The contract tests' chain on anvil, under Berlin rules like the dev ledger's."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from eth_tester import EthereumTester
from eth_tester.exceptions import TransactionFailed
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import ContractCustomError

from tests.anvil import MNEMONIC, running_anvil
from tests.contracts.chain import GAS, ROLES, Chain, people
from tests.contracts.direct import Event, Interface, mapping_place

# No timeouts on its side, no price for gas: as on the network for which the contracts are made.
OPTIONS = (
    *("--hardfork", "berlin"),
    *("--accounts", str(len(ROLES)), "--mnemonic", MNEMONIC),
    *("--gas-limit", str(2 * GAS), "--gas-price", "0"),
)


class NodeError(Exception):
    """The node answered a request with an error."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error.get("message"))
        self.data = error.get("data")


class Node:
    """JSON-RPC over one connection that is kept open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        self._ids = itertools.count(1)

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, *parameters: Any) -> Any:
        """The result of one request; NodeError with what the node says otherwise."""
        (answer,) = self._post([(method, *parameters)])
        if "error" in answer:
            raise NodeError(answer["error"])
        return answer["result"]

    def ask_all(self, *requests: tuple[Any, ...]) -> list[Any]:
        """The results of several reads in one round trip; the node may answer them side by side."""
        answers = self._post(list(requests))
        for answer in answers:
            if "error" in answer:
                raise NodeError(answer["error"])
        return [answer["result"] for answer in answers]

    def _post(self, requests: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        body = [
            {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": parameters}
            for method, *parameters in requests
        ]
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", "/", json.dumps(body), headers)
        answers = json.loads(self._connection.getresponse().read())
        return sorted(answers, key=lambda answer: int(answer["id"]))


class AnvilTester:
    """What the tests use of eth-tester, on anvil."""

    def __init__(self, url: str) -> None:
        self.node = Node(url)
        # As with eth-tester, a block is a second after the one before, whatever the clock says.
        self.node.ask("anvil_setBlockTimestampInterval", 1)

    def get_block_by_number(self, number: str) -> dict[str, int]:
        block = self.node.ask("eth_getBlockByNumber", number, False)
        return {
            "timestamp": int(block["timestamp"], 16),
            "gas_used": int(block["gasUsed"], 16),
            "number": int(block["number"], 16),
        }

    def time_travel(self, timestamp: int) -> None:
        self.node.ask("evm_setNextBlockTimestamp", timestamp)
        self.node.ask("evm_mine")

    def mine_block(self) -> None:
        self.node.ask("evm_mine")

    def take_snapshot(self) -> str:
        return cast(str, self.node.ask("evm_snapshot"))

    def revert_to_snapshot(self, snapshot: str) -> None:
        assert self.node.ask("evm_revert", snapshot)


class AnvilChain(Chain):
    """A chain of which the node is anvil: errors come as eth-tester gives them."""

    def view(self, function: ContractFunction, sender: str = "stranger") -> Any:
        """As the dev ledger's, which raises `TransactionFailed` with the printed bytes."""
        try:
            return super().view(function, sender)
        except ContractCustomError as error:
            data = bytes.fromhex(str(error.data).removeprefix("0x"))
            raise TransactionFailed(f"execution reverted: {data!r}") from error


@contextlib.contextmanager
def anvil_chain() -> Iterator[AnvilChain]:
    """A fresh anvil with both contracts deployed and peopled."""
    with running_anvil(*OPTIONS) as url:
        web3 = Web3(HTTPProvider(url))
        tester = AnvilTester(url)
        accounts = dict(zip(ROLES, web3.eth.accounts, strict=True))
        chain = AnvilChain(cast(EthereumTester, tester), web3, accounts)
        try:
            people(chain)
            yield chain
        finally:
            tester.node.close()


class AnvilCalls:
    """The calls of an arena as transactions, each in a block with the time that is asked for."""

    def __init__(self, chain: AnvilChain, contracts: Mapping[str, Contract]) -> None:
        self.interface = Interface(contracts)
        self.node = cast(AnvilTester, chain.tester).node
        self.start = chain.now()
        self.addresses = {role: address.lower() for role, address in chain.accounts.items()}
        self.addresses |= {name: c.address.lower() for name, c in contracts.items()}

    def send(
        self, contract: str, function: str, arguments: tuple[Any, ...], sender: str, now: int
    ) -> list[Event]:
        """Mine a call in a block of this time; its events. Raises CallReverted."""
        call = self._call(contract, function, arguments, sender)
        sent = call | {"gas": hex(GAS), "gasPrice": "0x0"}
        self.node.ask("evm_setNextBlockTimestamp", now)
        receipt = self.node.ask("eth_sendTransactionSync", sent)
        if int(receipt["status"], 16) == 0:
            # A failed call has changed nothing, so the latest block says the same again.
            try:
                self.node.ask("eth_call", sent, "latest")
            except NodeError as error:
                data = bytes.fromhex(str(error.data).removeprefix("0x"))
                raise self.interface.reverted(data) from error
            raise AssertionError("the transaction failed, the call does not")
        return [
            self.interface.event(
                _bytes(log["address"]), [_bytes(t) for t in log["topics"]], _bytes(log["data"])
            )
            for log in receipt["logs"]
        ]

    def view(self, contract: str, function: str, *arguments: Any, now: int) -> Any:
        """The result of a call that changes nothing, as of the latest block."""
        call = self._call(contract, function, arguments, "stranger")
        output = self.node.ask("eth_call", call, "latest", {}, {"time": hex(now)})
        return self.interface.result(contract, function, _bytes(output))

    def stored_slots(self, places: list[tuple[str, bytes]]) -> list[int]:
        """Slots as they are stored: the ledger's first mapping."""
        answers = self.node.ask_all(
            *(
                (
                    "eth_getStorageAt",
                    self.addresses[contract],
                    f"0x{mapping_place(key):064x}",
                    "latest",
                )
                for contract, key in places
            )
        )
        return [int(answer, 16) for answer in answers]

    def _call(
        self, contract: str, function: str, arguments: tuple[Any, ...], sender: str
    ) -> dict[str, str]:
        data = self.interface.data(contract, function, arguments)
        addresses = self.addresses
        return {
            "from": addresses[sender],
            "to": addresses[contract],
            "data": "0x" + data.hex(),
        }


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x"))
