"""The geth that seals Clique: found where it is, or built with Go. Standard library only."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

GETH_VERSION: Final = "1.13.15"  # the last line of geth that seals Clique
GETH_PACKAGE: Final = f"github.com/ethereum/go-ethereum/cmd/geth@v{GETH_VERSION}"
#: The one reason for which a test may be skipped where nothing else may (tests/conftest.py).
NO_GETH_NO_GO: Final = f"geth {GETH_VERSION} is not here, and no Go to build it with"


class NetworkError(Exception):
    """Something that the person at the terminal can put right; the text says what."""


def build() -> None:
    """Build the pinned geth into the cache; nothing to do when it is there."""
    if find_geth() is not None:
        print(f"geth {GETH_VERSION}: {find_geth()}")
        return
    go = find_go()
    if go is None:
        raise NetworkError("Go is not installed; install Go 1.21 or newer, or set YICHU_GETH")
    target = cached_geth().parent
    target.mkdir(parents=True, exist_ok=True)
    print(f"building {GETH_PACKAGE} in {target}, a few minutes", flush=True)
    # Go 1.23 and newer refuse the linkname that a dependency of this old line uses.
    version = subprocess.run((go, "env", "GOVERSION"), capture_output=True, text=True, check=True)
    minor = int("".join(c for c in version.stdout.split(".")[1] if c.isdigit()) or 0)
    flags = ["-ldflags=-checklinkname=0"] if minor >= 23 else []
    environment = {**os.environ, "GOBIN": str(target)}
    done = subprocess.run((go, "install", *flags, GETH_PACKAGE), env=environment, check=False)
    if done.returncode != 0 or not _is_right_geth(cached_geth()):
        raise NetworkError("the build failed; its messages are above")
    print(f"geth {GETH_VERSION}: {cached_geth()}")


def cached_geth() -> Path:
    """Where ``build`` puts the binary: outside the repository, so that it is built once."""
    caches = Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache")
    return caches / "yichu" / f"geth-{GETH_VERSION}" / "geth"


def find_geth() -> Path | None:
    """The geth that seals Clique: ``YICHU_GETH``, what ``build`` made, PATH, GOPATH/bin."""
    named = os.environ.get("YICHU_GETH", "")
    on_path, go = shutil.which("geth"), find_go()
    candidates = [Path(named)] if named else [cached_geth(), Path(on_path or "/nonexistent")]
    if go is not None and not named:
        done = subprocess.run((go, "env", "GOPATH"), capture_output=True, text=True, check=False)
        candidates.append(Path(done.stdout.strip() or "/nonexistent") / "bin" / "geth")
    return next((path for path in candidates if _is_right_geth(path)), None)


def _is_right_geth(path: Path) -> bool:
    if not os.access(path, os.X_OK):
        return False
    done = subprocess.run((path, "version"), capture_output=True, text=True, check=False)
    return f"Version: {GETH_VERSION}" in done.stdout


_found_geth: list[str] = []


def geth_path() -> str:
    """The binary; raises NetworkError, which says how to get it."""
    if not _found_geth:
        path = find_geth()
        if path is None:
            raise NetworkError(
                f"geth {GETH_VERSION} is not here: run `scripts/network.py build` (needs Go), or "
                "name the binary in YICHU_GETH"
            )
        _found_geth.append(str(path))
    return _found_geth[0]


def find_go() -> str | None:
    """The go command, None where Go is not installed."""
    usual = "/usr/local/go/bin/go"
    return shutil.which("go") or (usual if os.access(usual, os.X_OK) else None)


def run_geth(*arguments: str) -> str:
    """The output of one geth command; raises NetworkError."""
    done = subprocess.run(
        (geth_path(), *arguments), capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode != 0:
        raise NetworkError(f"geth {arguments[-1]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
