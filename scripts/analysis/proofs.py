"""Halmos: proofs over the deployed bytes, and the same proofs on ledgers with planted bugs."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import solcx
from solcx.exceptions import SolcError

from scripts import compile_contracts
from scripts.analysis.workshop import (
    CONTRACTS,
    IMPORTED_BY_PROOFS,
    PROOFS,
    ROOT,
    TOOLS,
    AnalysisError,
    Summary,
    forge_project,
    run,
)

ARTEFACT = ROOT / "backend" / "contracts" / "InvoiceLedger.json"
PLANTED = PROOFS / "planted.json"
_SECONDS = 600
#: One more than there are payers: the only loop over them ends within this.
_LOOP = 65
#: PUSH1 2, GAS, STATICCALL: how the code calls the SHA-256 precompile; PUSH1 255 instead calls the
#: stand-in of `Setting.sol`.
_SHA256_CALL, _STAND_IN_CALL = "60025afa", "60ff5afa"
_CODE = """\
// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

bytes constant LEDGER_CODE =
    hex"{code}";
"""
_OWN_CODE_LENGTH_MAX = 2**17
#: What makes the planted bugs possible, on top of those in `planted.json`.
_BUG_CHOICE = (
    (
        "    constructor(IRegistry registry_, IInvoiceLedger predecessor_) {\n",
        "    uint256 internal immutable _plantedBug;\n\n"
        "    constructor(IRegistry registry_, IInvoiceLedger predecessor_) {\n"
        "        _plantedBug = PlantedBug(address(registry_)).plantedBug();\n",
    ),
    (
        "abstract contract LedgerStorage ",
        "interface PlantedBug {\n    function plantedBug() external view returns (uint256);\n}\n\n"
        "abstract contract LedgerStorage ",
    ),
)


def prove() -> Summary:
    """Prove every `...Proof` of `contracts/proofs` on the committed artefact's bytes.

    Raises:
        AnalysisError: a proof fails, or leaves out a case.
    """
    begun = time.monotonic()
    project = forge_project("proofs", IMPORTED_BY_PROOFS, as_deployed=False)
    (project / "contracts" / "proofs" / "Planted.sol").unlink()
    _write_code(project, json.loads(ARTEFACT.read_text("utf-8"))["bytecode"])
    expected = _contracts(PROOFS / "Proofs.sol")
    results = _halmos(project, "Proof$", early_exit=False)
    faults = []
    lines = []
    for contract in expected:
        result = results.get(contract)
        if result is None:
            faults.append(f"{contract} was not run: {_log(project)}")
        elif result["exitcode"] != 0 or result["num_bounded_loops"]:
            faults.append(f"{contract} is not proved: {_log(project)}")
        else:
            seconds = result["time"][0]
            lines.append(f"{contract}: {result['num_paths'][0]} cases, {seconds:.1f} s")
    if faults:
        raise AnalysisError("\n".join(faults))
    return Summary(f"halmos: {len(lines)} proofs", tuple(lines), time.monotonic() - begun)


def find_planted_bugs() -> Summary:
    """Show that each proof fails on a ledger with a bug of its kind.

    Raises:
        AnalysisError: a bug is not found, or can no longer be planted.
    """
    begun = time.monotonic()
    bugs = json.loads(PLANTED.read_text("utf-8"))
    project = forge_project("planted", IMPORTED_BY_PROOFS, as_deployed=False)
    (project / "contracts" / "proofs" / "Proofs.sol").unlink()
    _write_code(project, _planted_code(bugs))
    results = _halmos(project, "^Planted", early_exit=True)
    faults = []
    for bug in bugs:
        result = results.get(f"Planted{bug['bug']}")
        # 1: a counterexample was found, and nothing worse happened.
        if result is None or result["exitcode"] != 1:
            faults.append(
                f"planted bug {bug['bug']} ({bug['what']}) was not found by {bug['check']}Check: "
                f"that proof shows nothing. {_log(project)}"
            )
    if faults:
        raise AnalysisError("\n".join(faults))
    kinds = len({bug["check"] for bug in bugs})
    return Summary(
        f"planted bugs: {len(bugs)} found by {kinds} proofs",
        tuple(f"{bug['check']}: {bug['what']}" for bug in bugs),
        time.monotonic() - begun,
    )


def _contracts(source: Path) -> list[str]:
    return re.findall(r"^contract (\w+)", source.read_text("utf-8"), re.MULTILINE)


def _write_code(project: Path, code: str) -> None:
    code = code.removeprefix("0x")
    if _SHA256_CALL not in code or len(code) > _OWN_CODE_LENGTH_MAX:
        raise AnalysisError("the ledger's code does not call SHA-256 as the proofs know it")
    text = _CODE.format(code=code.replace(_SHA256_CALL, _STAND_IN_CALL))
    (project / "contracts" / "proofs" / "LedgerCode.sol").write_text(text, "utf-8")


def _log(project: Path) -> str:
    return f"see {project.relative_to(ROOT)}/halmos.log"


def _halmos(project: Path, contracts: str, *, early_exit: bool) -> dict[str, dict[str, Any]]:
    """The result of the one check of each contract, by the contract's name."""
    report = project / "report.json"
    command = [
        "halmos",
        *("--match-contract", contracts),
        *("--loop", str(_LOOP)),
        *("--solver-command", str(TOOLS / "yices-smt2")),
        *("--solver-threads", "1"),
        *("--json-output", str(report)),
        "--no-status",
    ]
    done = run(command + (["--early-exit"] if early_exit else []), folder=project, seconds=_SECONDS)
    (project / "halmos.log").write_text(done.stdout + done.stderr, "utf-8")
    if not report.is_file():
        raise AnalysisError(f"halmos failed, {_log(project)}:\n{done.stdout[-1000:]}")
    answer = json.loads(report.read_text("utf-8"))
    return {
        contract.rpartition(":")[2]: checks[0]
        for contract, checks in answer["test_results"].items()
        if len(checks) == 1
    }


def _planted_code(bugs: list[dict[str, Any]]) -> str:
    """Creation code of a ledger that has all bugs and asks its registry which one to show."""
    sources = compile_contracts.read_sources()
    changes = [("ledger/LedgerStorage.sol", *change) for change in _BUG_CHOICE]
    changes += [(bug["file"], bug["original"], bug["planted"]) for bug in bugs]
    for file, original, planted in changes:
        name = f"{CONTRACTS.name}/{file}"
        if sources[name].count(original) != 1:
            raise AnalysisError(
                f"the text {original!r} is not once in {name}: a planted bug must be planted anew, "
                f"see {PLANTED.relative_to(ROOT)} and scripts/analysis/proofs.py"
            )
        sources[name] = sources[name].replace(original, planted)
    wanted = {f"{CONTRACTS.name}/InvoiceLedger.sol": {"InvoiceLedger": ["evm.bytecode.object"]}}
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": compile_contracts.SETTINGS | {"outputSelection": wanted},
    }
    try:
        answer = solcx.compile_standard(request, solc_binary=compile_contracts.NPM_COMPILER)
    except SolcError as error:
        raise AnalysisError(f"the planted bugs do not compile: {error.message}") from error
    ledger = answer["contracts"][f"{CONTRACTS.name}/InvoiceLedger.sol"]["InvoiceLedger"]
    return str(ledger["evm"]["bytecode"]["object"])
