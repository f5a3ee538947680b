"""The committed artefacts: fresh, deployable, and what lies on a chain is recognised by them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from eth.vm.forks.berlin.opcodes import BERLIN_OPCODES

from backend.contracts import load_contract
from scripts import compile_contracts
from tests.contracts.chain import Chain

NAMES = ("Registry", "InvoiceLedger")


def _sources() -> list[Path]:
    """The sources of the deployed contracts; proofs lie beside them and are not deployed."""
    folder = compile_contracts.CONTRACTS
    return [
        path
        for path in sorted(folder.rglob("*.sol"))
        if not {"node_modules", "proofs"} & set(path.relative_to(folder).parts)
    ]


@pytest.mark.node
@pytest.mark.slow
def test_the_artefacts_are_what_the_sources_compile_to() -> None:
    if not (compile_contracts.NODE_MODULES / "solc").is_dir():
        pytest.skip("the npm packages pinned in contracts/ are not installed (npm ci)")
    for file_name, text in compile_contracts.compile_artefacts("npm").items():
        assert (compile_contracts.ARTEFACTS / file_name).read_text("utf-8") == text


def test_the_compiler_version_is_one_everywhere() -> None:
    version = compile_contracts.compiler_version()
    lock = json.loads((compile_contracts.CONTRACTS / "package-lock.json").read_text("utf-8"))
    assert lock["packages"]["node_modules/solc"]["version"] == version
    sources = _sources()
    assert len(sources) >= 7
    for path in sources:
        assert re.findall(r"^pragma solidity (.*);$", path.read_text("utf-8"), re.M) == [version]


def test_the_lock_file_names_no_registry_host() -> None:
    lock = (compile_contracts.CONTRACTS / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in lock


@pytest.mark.parametrize("name", NAMES)
def test_the_code_fits_and_runs_on_berlin(name: str) -> None:
    code = load_contract(name).deployed_bytecode
    assert 0 < len(code) <= 24_576
    # The compiler may keep one 32-byte constant behind the code, after an INVALID.
    end = len(code) - 33 if code[-33] == 0xFE else len(code)
    position = 0
    while position < end:
        opcode = code[position]
        assert opcode in BERLIN_OPCODES or opcode == 0xFE, f"{opcode:#x} at {position}"
        position += 1 + (opcode - 0x5F if 0x60 <= opcode <= 0x7F else 0)


@pytest.mark.parametrize("name", NAMES)
def test_deployed_code_is_recognised_and_any_other_is_not(chain: Chain, name: str) -> None:
    address = {"Registry": chain.registry, "InvoiceLedger": chain.ledger}[name].address
    code = bytes(chain.web3.eth.get_code(address))
    compiled = load_contract(name)
    assert compiled.has_deployed_code(code)
    assert not compiled.has_deployed_code(b"")
    assert not compiled.has_deployed_code(code + b"\0")
    assert not compiled.has_deployed_code(code[:-1] + bytes([code[-1] ^ 1]))


def _undocumented(source: str) -> list[str]:
    """Functions, events and errors whose own comment, right above them, has no ``@notice``."""
    found, comment = [], ""
    for line in source.splitlines():
        declared = re.match(r"    (function|event|error) (\w+)\(", line)
        if declared and "/// @notice " not in comment:
            found.append(f"{declared[1]} {declared[2]}")
        comment = comment + line if line.lstrip().startswith("///") else ""
    return found


def test_every_function_event_and_error_of_the_interfaces_is_documented() -> None:
    folder = compile_contracts.CONTRACTS / "interfaces"
    for name in ("IRegistry", "IInvoiceLedger"):
        source = (folder / f"{name}.sol").read_text("utf-8")
        declared = re.findall(r"^ *(function|event|error) \w+\(", source, re.MULTILINE)
        assert set(declared) == {"function", "event", "error"}
        assert _undocumented(source) == [], name
        # Each kind is looked at: without its notices every single declaration is reported.
        bare = source.replace("/// @notice ", "/// ")
        assert [line.split()[0] for line in _undocumented(bare)] == declared


@pytest.mark.parametrize("kind", ["function", "event", "error"])
@pytest.mark.parametrize("above", ["", "    /// @param a what\n", "    /// @notice Not ours.\n\n"])
def test_a_declaration_without_a_notice_of_its_own_is_noticed(kind: str, above: str) -> None:
    before = "    /// @notice Of the one before.\n    event Before(uint8 a);\n"
    assert _undocumented(f"{before}{above}    {kind} planted(uint8 a);\n") == [f"{kind} planted"]


def test_contract_sources_have_no_assembly_but_the_merkle_loop() -> None:
    found = [
        path.name
        for path in _sources()
        if re.search(r"^\s*assembly\b", path.read_text("utf-8"), re.M)
    ]
    assert found == ["InclusionProof.sol"]
