"""Deploying the two contracts, once, and recognising a ledger that is not ours.

Contract addresses follow from the deployer and its nonce, and signatures are deterministic: a
deployment that was interrupted anywhere is found again, or sends the very same bytes again.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import rlp
from eth_utils.address import to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak

from backend.adapters.ledger.codec import creation_code, decode_result, encode_call
from backend.adapters.ledger.keystores import Keystores
from backend.adapters.ledger.rpc import JSONRPC, RPCError
from backend.contracts import ContractName, load_contract
from backend.domain.errors import ConflictError, DomainError
from backend.service_layer.anchoring.model import (
    Call,
    Deployment,
    Fees,
    Receipt,
    UnsignedTransaction,
)
from backend.service_layer.anchoring.send import build_unsigned
from backend.service_layer.ports import LedgerUnavailableError
from backend.settings import Settings

ADMIN_DELAY_SECONDS: Final = 86_400
# From the announcement of a ledger's retirement to its effect: time for every claim open then to be
# settled or released, since open claims end with it.
RETIREMENT_DELAY_SECONDS: Final = 30 * 86_400
NO_PREDECESSOR: Final = "0x" + "00" * 20
RECEIPT_SECONDS_MAX: Final = 120
_CREATION_GAS: Final[dict[ContractName, int]] = {"Registry": 5_000_000, "InvoiceLedger": 8_000_000}
DEPLOYER_ROLES: Final = ("deployer", "registrar", "policy-publisher", "pauser")


class ForeignContractsError(ConflictError):
    """Ledger and database do not belong together, or the contracts are another version."""

    code = "foreign-contracts"


class DeploymentFailedError(DomainError):
    """The ledger mined the deployment and refused it."""

    code = "deployment-failed"


class Deployer:
    """Deploys through one RPC connection; ``known`` is what the database says was deployed."""

    def __init__(self, rpc: JSONRPC, keystores: Keystores, fees: Callable[[], Fees]) -> None:
        self._rpc = rpc
        self._keystores = keystores
        self._fees = fees

    def check(self, known: Deployment) -> None:
        """Raise ForeignContractsError unless the ledger holds exactly what we deployed, in the
        version of this application."""
        if self._identity() != (known.chain_id, known.genesis_hash):
            raise ForeignContractsError(
                "数据库属于另一个账本网络", "the database belongs to another ledger network"
            )
        places: tuple[tuple[ContractName, str, bytes], ...] = (
            ("Registry", known.registry, known.registry_code_hash),
            ("InvoiceLedger", known.invoice_ledger, known.invoice_ledger_code_hash),
        )
        for name, address, code_hash in places:
            code = self._code(address)
            if keccak(code) != code_hash:
                raise ForeignContractsError(
                    f"账本上没有本数据库所用的合约 {name}",
                    f"the ledger does not hold the contract {name} that this database used",
                )
            if not load_contract(name).has_deployed_code(code):
                raise ForeignContractsError(
                    f"账本上的合约 {name} 是旧版本", f"the contract {name} is an older version"
                )

    def deploy(self) -> tuple[Deployment, dict[str, int]]:
        """The deployment, found or made, and the block of each contract.

        Raises ForeignContractsError when the ledger was used with another database.
        """
        roles = [self._keystores.create(role) for role in DEPLOYER_ROLES]
        deployer = roles[0]
        registry = self._find_or_create(
            deployer,
            "Registry",
            (ADMIN_DELAY_SECONDS, RETIREMENT_DELAY_SECONDS, *roles),
            lambda _: True,
        )
        self._require_unused(registry)
        ledger = self._find_or_create(
            deployer,
            "InvoiceLedger",
            (registry, NO_PREDECESSOR),
            lambda address: (
                self._read("InvoiceLedger", address, "registry")[0].lower() == registry.lower()
            ),
        )
        chain_id, genesis = self._identity()
        blocks = {
            "registry": self._block_of(registry),
            "invoice_ledger": self._block_of(ledger),
        }
        self._require_events(registry, blocks["registry"])
        deployment = Deployment(
            chain_id=chain_id,
            genesis_hash=genesis,
            registry=registry,
            registry_code_hash=keccak(self._code(registry)),
            invoice_ledger=ledger,
            invoice_ledger_code_hash=keccak(self._code(ledger)),
            block_number=min(blocks.values()),
        )
        return deployment, blocks

    def _require_unused(self, registry: str) -> None:
        if self._read("Registry", registry, "counts") != (0, 0):
            raise ForeignContractsError(
                "账本已被另一个数据库使用", "the ledger was used with another database"
            )

    def _find_or_create(
        self,
        deployer: str,
        name: ContractName,
        arguments: tuple[Any, ...],
        is_right: Callable[[str], bool],
    ) -> str:
        nonce = self._nonce(deployer)
        for used in reversed(range(min(nonce, 1_000))):
            address = contract_address(deployer, used)
            if load_contract(name).has_deployed_code(self._code(address)) and is_right(address):
                return address
        code = creation_code(name, *arguments)
        unsigned = build_unsigned(
            self._identity()[0], nonce, Call("", code, _CREATION_GAS[name]), self._fees()
        )
        receipt = send_and_wait(self._rpc, self._keystores, deployer, unsigned)
        if not receipt.succeeded:
            raise DeploymentFailedError(f"部署合约 {name} 失败", f"deploying {name} failed")
        return contract_address(deployer, nonce)

    def _identity(self) -> tuple[int, bytes]:
        chain_id, genesis = self._rpc.batch(
            [("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False])]
        )
        return int(chain_id, 16), bytes.fromhex(genesis["hash"][2:])

    def _code(self, address: str) -> bytes:
        return bytes.fromhex(self._rpc.call("eth_getCode", address, "latest")[2:])

    def _nonce(self, account: str) -> int:
        return int(self._rpc.call("eth_getTransactionCount", account, "latest"), 16)

    def _read(self, contract: ContractName, address: str, name: str) -> tuple[Any, ...]:
        fields = {"to": address, "data": "0x" + encode_call(contract, name).hex()}
        answer = self._rpc.call("eth_call", fields, "latest")
        return decode_result(contract, name, bytes.fromhex(answer[2:]))

    def _block_of(self, address: str) -> int:
        """The first block that has the code, by bisection over old state.
        A node that keeps the state of some hundred blocks only answers as if the code had come
        with the oldest of them (reference T21): see :meth:`_require_events`.
        """
        low, high = 0, int(self._rpc.call("eth_blockNumber"), 16)
        while low < high:
            middle = (low + high) // 2
            if self._rpc.call("eth_getCode", address, hex(middle)) in ("0x", None):
                low = middle + 1
            else:
                high = middle
        return low

    def _require_events(self, registry: str, block: int) -> None:
        """The registry's constructor emits events, which stand in its deployment block alone."""
        place = hex(block)
        query = {"address": registry, "fromBlock": place, "toBlock": place}
        if not self._rpc.call("eth_getLogs", query):
            raise ForeignContractsError(
                "节点没有旧状态，无法确定合约的部署区块，请使用归档节点运行",
                "the node keeps no old state, so the deployment block cannot be found: "
                "run this with an archive node",
            )


def contract_address(deployer: str, nonce: int) -> str:
    """The address of the contract that an account creates with that nonce."""
    encoded = rlp.encode([to_canonical_address(deployer), nonce])
    return to_checksum_address(keccak(encoded)[12:])


def send_and_wait(
    rpc: JSONRPC, keystores: Keystores, account: str, unsigned: UnsignedTransaction
) -> Receipt:
    """Sign, send, and wait for the receipt; the same call again sends the same bytes."""
    signed = keystores.sign(account, unsigned)
    deadline = time.monotonic() + RECEIPT_SECONDS_MAX
    refusal: RPCError | None = None
    try:
        rpc.call("eth_sendRawTransaction", "0x" + signed.raw.hex())
    except RPCError as error:
        refusal = error  # perhaps only "known": the receipt decides
    while time.monotonic() < deadline:
        found = rpc.call("eth_getTransactionReceipt", "0x" + signed.hash.hex())
        if found is not None:
            return Receipt(
                tx_hash=signed.hash,
                block_number=int(found["blockNumber"], 16),
                block_hash=bytes.fromhex(found["blockHash"][2:]),
                succeeded=int(found["status"], 16) == 1,
                gas_used=int(found["gasUsed"], 16),
                events=(),
            )
        if refusal is not None and not rpc.call(
            "eth_getTransactionByHash", "0x" + signed.hash.hex()
        ):
            raise refusal
        time.sleep(0.1)
    raise LedgerUnavailableError(
        "交易迟迟没有入块", "the transaction is not mined yet; run it again"
    )


def write_files(
    settings: Settings,
    deployment: Deployment,
    blocks: dict[str, int],
    network_key: bytes | None,
    confirmations: int = 1,
) -> Path:
    """Write var/deployment.json and the trust file var/trust.json (SPEC.md B2); returns it.

    Both are public. With the network key, which check 5 needs, a trust file is secret:
    var/trust-with-network-key.json, mode 0600, beside it. ``confirmations``: what a verifier that
    believes its node counts, see ``finality.confirmations``.
    """
    contracts = {
        "registry": {
            "address": deployment.registry[2:].lower(),
            "code_hash": deployment.registry_code_hash.hex(),
            "deployment_block": blocks["registry"],
        },
        "invoice_ledger": {
            "address": deployment.invoice_ledger[2:].lower(),
            "code_hash": deployment.invoice_ledger_code_hash.hex(),
            "deployment_block": blocks["invoice_ledger"],
        },
    }
    public: dict[str, Any] = {
        "chain_id": deployment.chain_id,
        "genesis_hash": deployment.genesis_hash.hex(),
        "contracts": contracts,
    }
    _write(settings.var_dir / "deployment.json", public, 0o644)
    trust = {
        "format": "yichu-trust-1",
        **public,
        "finality": {"kind": "node", "confirmations": confirmations},
    }
    path = settings.var_dir / "trust.json"
    _write(path, trust, 0o644)
    if network_key is not None:
        trust |= {"network_key": network_key.hex(), "network_key_version": 1}
        _write(settings.var_dir / "trust-with-network-key.json", trust, 0o600)
    return path


def _write(path: Path, value: dict[str, Any], mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{secrets.token_hex(4)}.tmp")
    partial.touch(mode=mode)
    partial.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
