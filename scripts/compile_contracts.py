"""Compile the contracts with py-solc-x and write the artefacts that the backend deploys.

    python scripts/compile_contracts.py            writes backend/contracts/*.json
    python scripts/compile_contracts.py --check    recompiles and demands equal bytes

The compiler is one exact version, written in `contracts/package.json`. py-solc-x downloads it
where the network allows; otherwise the same version from npm is used (`npm ci` in `contracts/`).
Both give the same bytes, because the artefacts carry no metadata hash. The libraries come from npm
in either case.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import solcx
import solcx.install
from requests.exceptions import RequestException
from solcx.exceptions import SolcError, SolcInstallationError

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
NODE_MODULES = CONTRACTS / "node_modules"
ARTEFACTS = ROOT / "backend" / "contracts"
NPM_COMPILER = CONTRACTS / "solc" / "solc.js"

DEPLOYED_CONTRACTS = ("Registry", "InvoiceLedger")
# EIP-170: a contract with more code cannot be deployed.
DEPLOYED_BYTES_MAX = 24_576
SETTINGS: dict[str, Any] = {
    # The networks that we target run Berlin rules: no PUSH0, no BASEFEE.
    "evmVersion": "berlin",
    # A lodge is 220 gas cheaper than at 200 runs, for 800 bytes of code.
    "optimizer": {"enabled": True, "runs": 1000},
    "viaIR": True,
    # Without metadata the bytes do not depend on paths, comments or the compiler's build.
    "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode"]}},
}
IMPORT = re.compile(r"^import\s[^;]*?\"(?P<path>[^\"]+)\"\s*;", re.MULTILINE | re.DOTALL)


class CompilationError(Exception):
    """The contracts could not be compiled; the text says what to do."""


def compiler_version() -> str:
    """The compiler version pinned in `contracts/package.json`."""
    package = json.loads((CONTRACTS / "package.json").read_text("utf-8"))
    return str(package["dependencies"]["solc"])


def find_compiler(choice: str) -> Path:
    """The compiler to run: py-solc-x's own download, else the npm one behind its wrapper."""
    version = compiler_version()
    if choice in ("auto", "download"):
        try:
            solcx.install_solc(version)
            return Path(solcx.install.get_executable(version))
        except (RequestException, SolcInstallationError, OSError) as error:
            if choice == "download":
                raise CompilationError(f"solc {version} cannot be downloaded: {error}") from error
    if not (NODE_MODULES / "solc").is_dir():
        raise CompilationError("no compiler: run `npm ci` in contracts/ and try again")
    return NPM_COMPILER


def read_sources() -> dict[str, str]:
    """The deployed contracts and all that they import, by path from the repository's root."""
    sources: dict[str, str] = {}
    pending = [f"contracts/{name}.sol" for name in DEPLOYED_CONTRACTS]
    while pending:
        name = pending.pop()
        if name in sources:
            continue
        path = NODE_MODULES / name if name.startswith("@") else ROOT / name
        if not path.is_file():
            raise CompilationError(f"{name} is missing: run `npm ci` in contracts/ and try again")
        sources[name] = path.read_text("utf-8")
        folder = Path(name).parent
        pending.extend(
            _normalise(folder, match["path"]) for match in IMPORT.finditer(sources[name])
        )
    return dict(sorted(sources.items()))


def _normalise(folder: Path, imported: str) -> str:
    if not imported.startswith("."):
        return imported
    parts: list[str] = []
    for part in (folder / imported).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def compile_artefacts(choice: str) -> dict[str, str]:
    """The text of each artefact by file name.

    Raises:
        CompilationError: a source is faulty, warns, or is too large to deploy.
    """
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in read_sources().items()},
        "settings": SETTINGS,
    }
    try:
        answer = solcx.compile_standard(request, solc_binary=find_compiler(choice))
    except SolcError as error:
        raise CompilationError(error.message) from error
    own_warnings = [
        str(fault["formattedMessage"])
        for fault in answer.get("errors", [])
        if fault.get("sourceLocation", {}).get("file", "").startswith("contracts/")
    ]
    if own_warnings:
        raise CompilationError("\n".join(own_warnings))
    return {
        f"{name}.json": _artefact(name, answer["contracts"][f"contracts/{name}.sol"][name])
        for name in DEPLOYED_CONTRACTS
    }


def _artefact(name: str, output: dict[str, Any]) -> str:
    deployed = output["evm"]["deployedBytecode"]
    size = len(deployed["object"]) // 2
    if size > DEPLOYED_BYTES_MAX:
        raise CompilationError(f"{name} has {size} bytes, {DEPLOYED_BYTES_MAX} can be deployed")
    immutables = sorted(
        {place["start"] for places in deployed["immutableReferences"].values() for place in places}
    )
    settings = {key: value for key, value in SETTINGS.items() if key != "outputSelection"}
    artefact = {
        "contract": name,
        "compiler": {"version": compiler_version(), "settings": settings},
        "abi": output["abi"],
        "bytecode": "0x" + output["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + deployed["object"],
        # Byte offsets of the 32-byte words that the constructor fills in.
        "immutableOffsets": immutables,
    }
    return json.dumps(artefact, indent=1, sort_keys=True) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when written or unchanged, 1 when stale, 2 when it cannot compile."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="demand equal bytes, write nothing")
    parser.add_argument("--compiler", choices=("auto", "download", "npm"), default="auto")
    options = parser.parse_args(arguments)
    try:
        artefacts = compile_artefacts(options.compiler)
    except CompilationError as error:
        print(error, file=sys.stderr)
        return 2
    stale = []
    for file_name, text in artefacts.items():
        path = ARTEFACTS / file_name
        size = (len(json.loads(text)["deployedBytecode"]) - 2) // 2
        print(f"{file_name}: {size} of {DEPLOYED_BYTES_MAX} bytes deployed")
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        stale.append(file_name)
        if not options.check:
            path.write_text(text, "utf-8")
    if options.check and stale:
        print(f"stale: {', '.join(stale)}; run scripts/compile_contracts.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
