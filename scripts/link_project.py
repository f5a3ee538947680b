"""Make the project importable in the virtual environment, without building it.

Building would need setuptools, which an editable install fetches unpinned; so this writes what
such an install would leave behind: a ``.pth`` line, the console scripts of ``pyproject.toml`` and
the metadata that ``importlib.metadata`` reads. Standard library only; safe to run again.

    .venv/bin/python scripts/link_project.py
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_SCRIPT = """#!{python}
import sys

from {module} import {function}

if __name__ == "__main__":
    sys.exit({function}())
"""


def link(project: dict[str, Any], packages: Path, scripts: Path, python: str) -> None:
    """Write path, scripts and metadata of the ``[project]`` table into an environment."""
    name, version = project["name"], project["version"]
    (packages / f"{name}.pth").write_text(f"{ROOT}\n", "utf-8")
    for stale in packages.glob(f"{name}-*.dist-info"):
        shutil.rmtree(stale)
    metadata = packages / f"{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8"
    )
    (metadata / "INSTALLER").write_text("link_project\n", "utf-8")
    entries = "".join(f"{key} = {value}\n" for key, value in project["scripts"].items())
    (metadata / "entry_points.txt").write_text(f"[console_scripts]\n{entries}", "utf-8")
    written = [f"{name}.pth"]
    for command, target in project["scripts"].items():
        module, _, function = target.partition(":")
        script = scripts / command
        script.write_text(_SCRIPT.format(python=python, module=module, function=function), "utf-8")
        script.chmod(0o755)
    record = [*written, *(f"{metadata.name}/{item.name}" for item in metadata.iterdir())]
    (metadata / "RECORD").write_text("".join(f"{path},,\n" for path in sorted(record)), "utf-8")


def main() -> int:
    """Link into the running interpreter's environment; refuse outside a virtual one."""
    if sys.prefix == sys.base_prefix:
        print("link_project.py writes into a virtual environment only: run .venv/bin/python")
        return 1
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    paths = sysconfig.get_paths()
    link(project, Path(paths["purelib"]), Path(paths["scripts"]), sys.executable)
    return 0


if __name__ == "__main__":
    sys.exit(main())
