"""The compiled contracts, as `scripts/compile_contracts.py` writes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

ContractName = Literal["Registry", "InvoiceLedger"]


@dataclass(frozen=True, slots=True)
class CompiledContract:
    """One compiled contract.

    Attributes:
        abi: the JSON ABI as a list of its entries; do not change it.
        bytecode: creation code, to which the encoded constructor arguments are appended.
        deployed_bytecode: code as it lies on the chain, with zeros at the immutables.
        immutable_offsets: byte offsets in it of the 32-byte words that the constructor fills in.
    """

    name: ContractName
    abi: list[dict[str, Any]]
    bytecode: bytes
    deployed_bytecode: bytes
    immutable_offsets: tuple[int, ...]

    def has_deployed_code(self, code: bytes) -> bool:
        """Whether code found on a chain is this contract's, whatever its immutables are."""
        if len(code) != len(self.deployed_bytecode):
            return False
        masked = bytearray(code)
        for offset in self.immutable_offsets:
            masked[offset : offset + 32] = bytes(32)
        return bytes(masked) == self.deployed_bytecode


@cache
def load_contract(name: ContractName) -> CompiledContract:
    """The compiled contract of that name."""
    text = resources.files(__name__).joinpath(f"{name}.json").read_text("utf-8")
    artefact = json.loads(text)
    return CompiledContract(
        name=name,
        abi=artefact["abi"],
        bytecode=bytes.fromhex(artefact["bytecode"][2:]),
        deployed_bytecode=bytes.fromhex(artefact["deployedBytecode"][2:]),
        immutable_offsets=tuple(artefact["immutableOffsets"]),
    )
