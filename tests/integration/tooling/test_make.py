"""What `make` and CI rely on: the linked environment, --fail-on-skip, the blocked network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.geth_binary import NO_GETH_NO_GO
from scripts.link_project import link

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
PROJECT = {
    "name": "yichu",
    "version": "0.1.0",
    "scripts": {"yichu-verify": "verifier.cli:main"},
}


def test_linked_environment_imports_and_runs(tmp_path: Path) -> None:
    packages, scripts = tmp_path / "packages", tmp_path / "bin"
    packages.mkdir()
    scripts.mkdir()
    (packages / "yichu-0.0.9.dist-info").mkdir()
    for _ in range(2):  # running it again changes nothing
        link(PROJECT, packages, scripts, sys.executable)
    assert (packages / "yichu.pth").read_text() == f"{ROOT}\n"
    assert [item.name for item in packages.glob("*.dist-info")] == ["yichu-0.1.0.dist-info"]
    command = scripts / "yichu-verify"
    done = subprocess.run(
        [str(command), "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=30,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert "--trust" in done.stdout
    version = f"import sys; sys.path.insert(0, {str(packages)!r}); import importlib.metadata as m; "
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", version + "print(m.version('yichu'))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.strip() == "0.1.0"


def test_old_python_is_refused_with_a_plain_message(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" && exit 0\nexit 1\n')
    old.chmod(0o755)
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "link_project.py").touch()
    done = subprocess.run(
        ["make", "-f", str(ROOT / "Makefile"), "run", f"PYTHON={old}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=30,
    )
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed: found Python 3.9.1" in done.stdout


@pytest.mark.parametrize(
    ("body", "flag", "status"),
    [
        ("import pytest\ndef test_a(): pytest.skip('no compiler here')\n", True, 1),
        ("import pytest\npytest.skip('no compiler here', allow_module_level=True)\n", True, 1),
        ("import pytest\ndef test_a(): pytest.skip('no compiler here')\n", False, 0),
        ("import pytest\n@pytest.mark.xfail\ndef test_a(): assert 0\n", True, 0),
        ("def test_a(): pass\n", True, 0),
        # The one skip that is allowed, word for word.
        (f"import pytest\ndef test_a(): pytest.skip({NO_GETH_NO_GO!r})\n", True, 0),
        (f"import pytest\ndef test_a(): pytest.skip({NO_GETH_NO_GO + '.'!r})\n", True, 1),
    ],
)
@pytest.mark.parametrize(
    "workers", [[], pytest.param(["-n", "1"], marks=pytest.mark.slow)], ids=["alone", "xdist"]
)
def test_fail_on_skip(
    tmp_path: Path, body: str, flag: bool, status: int, workers: list[str]
) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text("utf-8"))
    (tmp_path / "test_probe.py").write_text(
        "def test_other(): pass\n" if "allow_module" in body else ""
    )
    (tmp_path / "test_body.py").write_text(body)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", *workers]
        + (["--fail-on-skip"] if flag else []),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == status, done.stdout
    # Each skip is named with its reason, whatever the flag.
    assert ("no compiler here" in done.stdout) == ("no compiler here" in body)


def test_network_beyond_this_machine_is_blocked() -> None:
    with (
        socket.socket() as probe,
        pytest.raises(AssertionError, match=r"tried to connect to \('192.0.2.1', 80\)"),
    ):
        probe.connect(("192.0.2.1", 80))


def test_ci_script_is_sound() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text("utf-8")
    assert "set -euo pipefail" in text
    for command in ("make test ", "make check", "make test-slow", "--fail-on-skip"):
        assert command in text
