"""Where the tools work: folders, the forge project that each gets, and runs with a time limit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
PROOFS = CONTRACTS / "proofs"
NODE_MODULES = CONTRACTS / "node_modules"
TOOLS = ROOT / ".venv-tools" / "bin"
BUILD = ROOT / "build" / "analysis"

#: Folders and files of `contracts/` that are deployed.
DEPLOYED = ("InvoiceLedger.sol", "Registry.sol", "interfaces", "ledger", "libraries")
#: What the proofs themselves import.
IMPORTED_BY_PROOFS = ("interfaces", "libraries", "proofs")

_FORGE_PROJECT = """\
[profile.default]
src = "contracts"
test = "tests"
out = "out"
libs = []
solc = "{solc}"
offline = true
auto_detect_remappings = false
remappings = ["@openzeppelin/={modules}/@openzeppelin/"]
allow_paths = ["{modules}"]
evm_version = "berlin"
optimizer = true
optimizer_runs = {runs}
via_ir = {via_ir}
ast = true
cbor_metadata = false
bytecode_hash = "none"
extra_output = ["storageLayout", "metadata"]

[lint]
lint_on_build = false
"""


class AnalysisError(Exception):
    """A tool found something, or could not do its work; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a part of the analysis has to show for itself, a line each."""

    title: str
    lines: tuple[str, ...]
    seconds: float


def forge_project(name: str, parts: tuple[str, ...], *, as_deployed: bool) -> Path:
    """A fresh forge project with copies of parts of `contracts/`; its folder.

    Args:
        as_deployed: compiled as the artefacts are; else by the faster pipeline, which is enough for
            contracts that only prove.
    """
    project = BUILD / name
    shutil.rmtree(project, ignore_errors=True)
    for part in parts:
        source, target = CONTRACTS / part, project / "contracts" / part
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    (project / "foundry.toml").write_text(
        _FORGE_PROJECT.format(
            solc=CONTRACTS / "solc" / "solc.js",
            modules=NODE_MODULES,
            runs=1000 if as_deployed else 200,
            via_ir="true" if as_deployed else "false",
        ),
        "utf-8",
    )
    return project


def run(
    command: list[str],
    *,
    folder: Path,
    seconds: float,
    given: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a tool with the tools' own commands first on its path, offline, and end it in time.

    Raises:
        AnalysisError: it did not end within `seconds`, or is not installed.
    """
    path = os.pathsep.join([str(TOOLS), str(NODE_MODULES / ".bin"), os.environ.get("PATH", "")])
    environment = os.environ | {"PATH": path, "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1"}
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment | dict(settings or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Its own group, so that solvers that it has started end with it.
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise AnalysisError(
            f"{command[0]} is missing: run `make check`, which installs it"
        ) from error
    try:
        output, errors = process.communicate(given, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise AnalysisError(
            f"{Path(command[0]).name} did not end within {seconds:.0f} s in {folder.name}"
        ) from error
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
