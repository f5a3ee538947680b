"""The documents name every command, setting and make target, and what they name exists."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import click

from backend.entrypoints.cli.main import _COMMANDS

from .sources import ROOT, sources

OPERATING = (ROOT / "docs" / "operating.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
_SETTING = re.compile(r"YICHU_[A-Z][A-Z_]*[A-Z]")


def test_every_command_is_documented() -> None:
    assert [name for name in _COMMANDS if f"`yichu {name}" not in OPERATING] == []


def test_every_command_exists() -> None:
    folder = ROOT / "backend" / "entrypoints" / "cli"
    assert [name for name in _COMMANDS if not (folder / f"{name}.py").is_file()] == []


def test_every_written_command_can_be_called() -> None:
    def reachable(group: click.Group) -> Iterator[int]:
        for command in group.commands.values():
            yield id(command)
            if isinstance(command, click.Group):
                yield from reachable(command)

    written: dict[int, str] = {}
    called: set[int] = set()
    folder = ROOT / "backend" / "entrypoints" / "cli"
    for path in sorted(folder.glob("*.py")):
        module = importlib.import_module(f"backend.entrypoints.cli.{path.stem}")
        for name, value in vars(module).items():
            if isinstance(value, click.Command) and value.callback is not None:
                written[id(value)] = f"{path.stem}.{name}"
        if path.stem in _COMMANDS:
            called.add(id(module.command))
            if isinstance(module.command, click.Group):
                called |= set(reachable(module.command))
    lost = {written[one] for one in set(written) - called}
    assert lost - {"main.cli"} == set()


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    documented = set(_SETTING.findall(OPERATING))
    used = {
        name
        for source in sources("backend", "migrations")
        for name in _SETTING.findall(source.text)
    }
    # Read as YICHU_<NAME> of each secret.
    used |= {"YICHU_NETWORK_KEY", "YICHU_WRAPPING_KEY", "YICHU_SESSION_KEY"}
    used.discard("YICHU_FOREIGN_VECTORS")
    assert used - documented == set()
    # Settings of the scripts are told by their own --help; a document may name them.
    scripts = {name for source in sources("scripts") for name in _SETTING.findall(source.text)}
    assert documented - used - scripts - {"YICHU_FOREIGN_VECTORS"} == set()


def test_readme_names_the_two_commands() -> None:
    assert "make run" in README
    assert "make test" in README


def test_promises_name_their_tests() -> None:
    """P1-P7 each name a test that exists, or say that they are not kept yet."""
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for number in range(1, 8):
        line = next((row for row in README.splitlines() if re.search(rf"\bP{number}\b", row)), "")
        assert line, f"P{number} is not in the README"
        named = re.findall(r"test_\w+", line)
        assert named or "not yet" in line or "not in this version" in line, line
        for name in named:
            exists = f"def {name}(" in tests or any((ROOT / "tests").rglob(f"{name}.py"))
            assert exists, f"{name} of P{number} does not exist"


def test_make_targets_are_documented() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z-]+): \$\(STAMP\)", makefile, re.MULTILINE)
    assert targets == ["run", "test", "test-slow", "mutation", "check"]
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert [name for name in targets if f"make {name}" not in contributing] == []
