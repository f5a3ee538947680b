"""The one-time code of the LAN mode."""

from __future__ import annotations

import threading
from pathlib import Path

from backend.adapters.one_time_code import OneTimeCodeFile


def test_a_code_opens_once(tmp_path: Path) -> None:
    codes = OneTimeCodeFile(tmp_path / "lan-code")
    code = codes.issue()
    assert len(code) == 8 and code.isdecimal()
    assert codes.take(f" {code} ")
    assert not codes.take(code)
    assert not codes.is_waiting()


def test_a_wrong_code_opens_nothing_and_leaves_the_right_one(tmp_path: Path) -> None:
    codes = OneTimeCodeFile(tmp_path / "lan-code")
    code = codes.issue()
    for wrong in ("", "0", code[:-1], code + "0", "验证码", f"{(int(code) + 1) % 10**8:08d}"):
        assert not codes.take(wrong)
    assert codes.take(code)


def test_nothing_opens_before_a_code_is_issued_or_after_it_is_withdrawn(tmp_path: Path) -> None:
    codes = OneTimeCodeFile(tmp_path / "lan-code")
    assert not codes.take("")
    code = codes.issue()
    codes.withdraw()
    assert not codes.take(code)


def test_the_file_holds_no_code_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "lan-code"
    code = OneTimeCodeFile(path).issue()
    assert code not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_of_sixteen_threads_takes_the_code(tmp_path: Path) -> None:
    codes = OneTimeCodeFile(tmp_path / "lan-code")
    code = codes.issue()
    taken: list[bool] = []
    threads = [threading.Thread(target=lambda: taken.append(codes.take(code))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken.count(True) == 1
