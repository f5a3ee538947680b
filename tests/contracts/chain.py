"""A ledger in process: eth-tester on Berlin rules with both contracts deployed and peopled."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from eth.vm.forks.berlin import BerlinVM
from eth_abi.abi import decode
from eth_tester import EthereumTester, PyEVMBackend
from eth_tester.exceptions import TransactionFailed
from eth_typing import ChecksumAddress
from eth_utils import function_abi_to_4byte_selector
from web3 import EthereumTesterProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import ContractPanicError
from web3.types import TxParams, TxReceipt, Wei

from backend.contracts import load_contract

MNEMONIC = "test test test test test test test test test test test junk"
ROLES = (
    "admin",
    "registrar",
    "publisher",
    "pauser",
    "hospital",
    "hospital_spare",
    "clinic",
    "basic",
    "basic_spare",
    "second_basic",
    "commercial",
    "mutual",
    "stranger",
)
GAS = 12_000_000

HOSPITAL, CLINIC = 1, 2
HOSPITAL_CODE, CLINIC_CODE = "H330800001", "H330800002"
BASIC, SECOND_BASIC, COMMERCIAL, MUTUAL = 1, 2, 3, 4
POLICY = b"\x11" * 32
DAY = 86_400
ADMIN_DELAY = 5 * DAY
RETIREMENT_DELAY = 30 * DAY
NOBODY = "0x" + "00" * 20


@dataclass
class Chain:
    """Both contracts, the accounts by role, and the clock."""

    tester: EthereumTester
    web3: Web3
    accounts: dict[str, ChecksumAddress]
    # While true, calls are only tried and not mined: enough, and faster, where they must revert.
    trying: bool = False
    registry: Contract = field(init=False)
    ledger: Contract = field(init=False)

    def now(self) -> int:
        """The time that the next block will have, at the least."""
        return int(self.tester.get_block_by_number("latest")["timestamp"]) + 1

    def height(self) -> int:
        """The number of the latest block."""
        return int(self.tester.get_block_by_number("latest")["number"])

    def travel(self, timestamp: int) -> None:
        """Make the next block's time at least `timestamp`."""
        self.tester.time_travel(timestamp)

    def _transaction(self, sender: str) -> TxParams:
        return {"from": self.accounts[sender], "gas": GAS, "gasPrice": Wei(0)}

    def view(self, function: ContractFunction, sender: str = "stranger") -> Any:
        """The result of a call that changes nothing. The price marks it as a legacy one."""
        return function.call(self._transaction(sender))

    def send(self, function: ContractFunction, sender: str) -> TxReceipt:
        """Mine a call; where it reverts, raise what `eth_call` says of it."""
        if self.trying:
            self.view(function, sender)
            raise AssertionError("nothing reverted")
        receipt = self.web3.eth.wait_for_transaction_receipt(
            function.transact(self._transaction(sender))
        )
        if receipt["status"] == 0:
            self.view(function, sender)
            raise AssertionError("the transaction failed, the call does not")
        return receipt

    def deploy(self, name: str, *arguments: Any) -> Contract:
        """Deploy one of the compiled contracts."""
        compiled = load_contract(name)
        factory = self.web3.eth.contract(abi=compiled.abi, bytecode=compiled.bytecode)
        receipt = self.send_raw(factory.constructor(*arguments))
        address = receipt["contractAddress"]
        return cast(Contract, self.web3.eth.contract(address=address, abi=compiled.abi))

    def deploy_successor(self, predecessor: Contract | None = None) -> Contract:
        """A ledger of the next generation, not announced yet."""
        old = self.ledger if predecessor is None else predecessor
        return self.deploy("InvoiceLedger", self.registry.address, old.address)

    def retire(self, successor: Contract) -> None:
        """Announce the successor and let the delay pass."""
        self.send(self.registry.functions.retireLedger(successor.address), "admin")
        self.travel(self.now() + RETIREMENT_DELAY)

    def send_raw(self, constructor: Any) -> TxReceipt:
        tx_hash = constructor.transact({"from": self.accounts["admin"], "gas": GAS, "gasPrice": 0})
        receipt = self.web3.eth.wait_for_transaction_receipt(tx_hash)
        assert receipt["status"] == 1
        return receipt


def open_chain() -> Chain:
    """A fresh chain with the sample's two institutions, four payers and one policy."""
    backend = PyEVMBackend.from_mnemonic(
        MNEMONIC, num_accounts=len(ROLES), vm_configuration=((0, BerlinVM),)
    )
    tester = EthereumTester(backend)
    web3 = Web3(EthereumTesterProvider(tester))
    accounts = dict(zip(ROLES, web3.eth.accounts, strict=True))
    chain = Chain(tester, web3, accounts)
    people(chain)
    return chain


def people(chain: Chain) -> None:
    """Deploy both contracts and register the sample's institutions, payers and policy."""
    accounts = chain.accounts
    chain.registry = chain.deploy(
        "Registry",
        ADMIN_DELAY,
        RETIREMENT_DELAY,
        *(accounts[role] for role in ("admin", "registrar", "publisher", "pauser")),
    )
    chain.ledger = chain.deploy("InvoiceLedger", chain.registry.address, NOBODY)
    functions = chain.registry.functions
    terms = (chain.now() - DAY, chain.now() + 365 * DAY, 30 * DAY, 1)
    for code, role in ((HOSPITAL_CODE, "hospital"), (CLINIC_CODE, "clinic")):
        padded = code.encode().ljust(16, b"\0")
        chain.send(functions.registerInstitution(padded, *terms, accounts[role]), "registrar")
    for payer_class, role in ((1, "basic"), (1, "second_basic"), (2, "commercial"), (3, "mutual")):
        chain.send(functions.registerPayer(payer_class, accounts[role]), "registrar")
    chain.send(functions.publishPolicy(POLICY, chain.now()), "publisher")
    # Going back to a snapshot imports its block again: cheap when it has no transactions.
    chain.tester.mine_block()


def revert_data(error: TransactionFailed) -> bytes:
    """The bytes of a revert, which eth-tester hands over in printed form.

    A text that is no printed bytes is a string reason: an AssertionError says so.
    """
    text = str(error.args[0])
    printed = text.removeprefix("execution reverted: ")
    try:
        data = ast.literal_eval(printed)
    except (SyntaxError, ValueError):
        data = None
    if not isinstance(data, bytes):
        raise AssertionError(f"reverted with a text, not a custom error: {text!r}") from error
    return data


@contextlib.contextmanager
def expect_revert(contract: Contract, error_name: str, *arguments: Any) -> Iterator[None]:
    """Pass only when the body reverts with that custom error and exactly those arguments."""
    (entry,) = [
        item for item in contract.abi if item["type"] == "error" and item["name"] == error_name
    ]
    try:
        yield
    except ContractPanicError as panic:
        raise AssertionError(f"panicked instead of {error_name}: {panic}") from panic
    except TransactionFailed as failure:
        data = revert_data(failure)
    else:
        raise AssertionError(f"nothing reverted, {error_name} was expected")
    if data[:4] != function_abi_to_4byte_selector(entry):
        raise AssertionError(f"reverted with {data[:4].hex()}, not with {error_name}")
    types = [parameter["type"] for parameter in entry["inputs"]]
    found = decode(types, data[4:])
    expected = tuple(
        item.lower() if kind == "address" else item
        for kind, item in zip(types, arguments, strict=True)
    )
    if found != expected:
        raise AssertionError(f"{error_name}{found}, not {error_name}{expected}")
