"""``yichu`` says in plain words what is wrong; a traceback is for those who ask for it."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from backend.entrypoints.cli import main as command_line
from backend.entrypoints.cli import review


class Shell:
    """Runs ``yichu`` in this process, in a folder of its own."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._patch = patch
        self._capture = capture

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit status and standard error."""
        self._patch.setattr(sys, "argv", ["yichu", *arguments])
        try:
            command_line.main()
        except SystemExit as stop:
            status = stop.code
        else:
            status = 0
        assert isinstance(status, int)
        return status, self._capture.readouterr().err


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    for name in ("YICHU_VAR", "YICHU_DATABASE_URL", "YICHU_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return Shell(monkeypatch, capsys)


COMMANDS = [
    ("review", "list"),
    ("review", "show", "2026"),
    ("dispute", "list"),
    ("export", "2026", "-o", "bundle.json"),
    ("hospital", "list"),
    ("hospital", "key", "H33080200001"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_command_on_a_missing_database_says_what_to_do(
    shell: Shell, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    status, said = shell.run(*arguments)
    assert status == 1
    assert "请运行 yichu db migrate" in said
    assert f"Run `yichu db migrate`, and check YICHU_VAR (now {tmp_path / 'var'})" in said
    assert "Traceback" not in said


def test_command_on_a_file_that_is_no_database(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var/yichu.db").write_bytes(b"no database" * 100)
    status, said = shell.run("review", "list")
    assert status == 1
    assert "the database cannot be used" in said


def test_command_on_a_migrated_database_works(shell: Shell) -> None:
    assert shell.run("db", "status") == (1, "")
    assert shell.run("db", "migrate") == (0, "")
    assert shell.run("db", "status") == (0, "")
    assert shell.run("review", "list") == (0, "")


def test_file_that_cannot_be_opened_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, PermissionError(13, "Permission denied", "/there/bundle.json"))
    status, said = shell.run("review", "list")
    assert status == 1
    assert "文件或网络无法读写：/there/bundle.json: Permission denied" in said
    assert "Traceback" not in said


def test_own_mistake_is_one_message_and_a_traceback_in_the_log(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fail_with(monkeypatch, KeyError("of the test"))
    status, said = shell.run("review", "list")
    log = tmp_path / "var/log/yichu.log"
    assert status == 1
    assert f"the program failed (KeyError). The details are in {log}" in said
    assert "Traceback" not in said
    assert "KeyError: 'of the test'" in log.read_text("utf-8")
    assert log.stat().st_mode & 0o777 == 0o600


def test_traceback_is_printed_on_request(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YICHU_DEBUG", "1")
    fail_with(monkeypatch, KeyError("of the test"))
    status, said = shell.run("review", "list")
    assert status == 1
    assert "Traceback (most recent call last)" in said


def fail_with(patch: pytest.MonkeyPatch, error: Exception) -> None:
    def callback() -> None:
        raise error

    patch.setitem(review.command.commands, "list", click.Command("list", callback=callback))
