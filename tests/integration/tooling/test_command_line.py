"""``yichu`` says in plain words what is wrong; a traceback is for those who ask for it."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from backend.adapters.database.engine import make_engine
from backend.adapters.database.schema import migrate, newest_revision
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


def set_revision(folder: Path, revision: str) -> None:
    engine = make_engine(f"sqlite:///{folder}/var/yichu.db")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    engine.dispose()


def old_database(folder: Path, revision: str = "0010") -> None:
    (folder / "var").mkdir()
    engine = make_engine(f"sqlite:///{folder}/var/yichu.db")
    migrate(engine, revision)
    engine.dispose()


def test_an_older_database_is_said_to_be_older_and_how_it_is_upgraded(
    shell: Shell, tmp_path: Path
) -> None:
    old_database(tmp_path)
    status, said = shell.run("outside", "list")
    assert status == 1
    assert f"数据库是旧版本的（0010，程序要 {newest_revision()}），不是坏了" in said
    assert "备份数据库，运行 yichu db migrate 升级" in said
    assert "盖戳记录和密钥都保留" in said and "are kept; upgrading only adds" in said
    assert "[database-version]" in said
    assert "数据库无法使用" not in said and "Traceback" not in said
    assert shell.run("db", "migrate") == (0, "")
    assert shell.run("outside", "list") == (0, "")


def test_a_newer_database_is_not_to_be_changed_by_this_program(
    shell: Shell, tmp_path: Path
) -> None:
    old_database(tmp_path)
    set_revision(tmp_path, "9999")
    status, said = shell.run("outside", "list")
    assert status == 1
    assert "数据库是更新的版本的（9999" in said and "install the program that belongs to it" in said


@pytest.mark.parametrize("arguments", [("worker", "--once", "--wait", "0"), ("serve",)])
def test_worker_and_web_do_not_start_on_an_older_database(
    shell: Shell, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    old_database(tmp_path)
    secrets_dir = tmp_path / "var" / "secrets"
    secrets_dir.mkdir()
    for name in ("network_key", "wrapping_key", "session_key"):
        (secrets_dir / name).write_text("01" * 32)
    status, said = shell.run(*arguments)
    assert status == 1
    assert "[database-version]" in said and "yichu db migrate" in said


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
