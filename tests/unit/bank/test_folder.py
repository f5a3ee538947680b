"""The folder between us and the bank's file desk, as docs/bank-files.md describes it."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.adapters.bank import folder_exchange
from backend.adapters.bank.folder_exchange import FolderExchange, write_durably
from backend.service_layer.payout.ports import BankConflictError, BankUnavailableError
from backend.service_layer.payout.records import LeftAlone, NameMatch, NameVerdict


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    return tmp_path / "var" / "bank"


def left(folder: Path, name: str, content: bytes = b"x", at: int = 1_000, part: str = "in") -> Path:
    """A file that somebody left in a part of the folder at a time."""
    (folder / part).mkdir(parents=True, exist_ok=True)
    path = folder / part / name
    path.write_bytes(content)
    os.utime(path, (at, at))
    return path


def offered(exchange: FolderExchange) -> list[str]:
    return [file.name for file in exchange.incoming()]


def test_a_folder_is_nobodys_simulation_and_gives_no_statements(bank: Path) -> None:
    exchange = FolderExchange(bank)
    assert exchange.is_simulated is False and exchange.ask_for_statements() is False
    assert exchange.check_name("测试甲子", "6217", "102") == NameMatch(
        NameVerdict.UNCHECKED, simulated=False
    )


def test_a_file_goes_out_and_a_copy_stays_for_its_owner_alone(bank: Path) -> None:
    before = os.umask(0)
    try:
        FolderExchange(bank).hand_over("YC-1.xml", b"order")
    finally:
        os.umask(before)
    for part in ("out", "handed"):
        assert (bank / part / "YC-1.xml").read_bytes() == b"order"
        assert [one.name for one in (bank / part).iterdir()] == ["YC-1.xml"]
        assert stat.S_IMODE((bank / part / "YC-1.xml").stat().st_mode) == 0o600
        assert stat.S_IMODE((bank / part).stat().st_mode) == 0o700


def test_other_bytes_under_a_known_name_are_refused_also_when_the_bank_has_fetched_it(
    bank: Path,
) -> None:
    exchange = FolderExchange(bank)
    exchange.hand_over("YC-1.xml", b"order")
    (bank / "out/YC-1.xml").unlink()
    exchange.hand_over("YC-1.xml", b"order")
    with pytest.raises(BankConflictError) as caught:
        exchange.hand_over("YC-1.xml", b"other")
    assert (caught.value.zh, caught.value.en) == (
        "文件 YC-1.xml 已用其他内容交给银行。没有再交。",
        "file YC-1.xml was handed over with other bytes. It was not handed over.",
    )
    assert list((bank / "out").iterdir()) == [], "the bank has it already"
    assert (bank / "handed/YC-1.xml").read_bytes() == b"order"


@pytest.mark.parametrize("name", ["../x.xml", ".hidden", "a/b", "回单.xml", "a b.xml", "x" * 101])
def test_no_file_of_ours_goes_out_under_another_name_than_ours(bank: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no file name of the bank exchange"):
        FolderExchange(bank).hand_over(name, b"x")
    assert not bank.exists()


@pytest.mark.parametrize(
    "name", ["", "../x.xml", ".hidden", "a/b", "a\x00b", "a\u202eb", "x" * 121]
)
def test_nothing_is_put_away_by_a_name_that_leads_elsewhere(bank: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no file name of the bank exchange"):
        FolderExchange(bank).put_away(name)
    assert not bank.exists()


def test_only_as_much_of_a_bad_name_is_repeated_as_tells_it(bank: Path) -> None:
    with pytest.raises(ValueError, match=r"^'x{120}' is no file name") as caught:
        FolderExchange(bank).put_away("x" * 121)
    assert str(caught.value) == f"{'x' * 120!r} is no file name of the bank exchange"


def test_the_longest_name_is_taken(bank: Path) -> None:
    FolderExchange(bank).hand_over("x" * 100, b"order")
    assert FolderExchange(bank).handed_names() == {"x" * 100}


# --- what the bank leaves -------------------------------------------------------------------------


def test_files_come_oldest_first_and_those_of_one_instant_by_name(bank: Path) -> None:
    for name, at in (("b.xml", 5), ("a.xml", 9), ("d.xml", 5), ("c.xml", 5), ("e.xml", 1)):
        left(bank, name, at=at)
    assert offered(FolderExchange(bank)) == ["e.xml", "b.xml", "c.xml", "d.xml", "a.xml"]


def test_what_is_being_written_hidden_or_no_plain_file_is_left_alone(bank: Path) -> None:
    outside = left(bank, "letter.xml", b"secret", part="elsewhere")
    for name in ("a.tmp", "b.part", "c.filepart", ".d.xml", "e.TMP", "~$e.xml", "f.tmp.xml"):
        left(bank, name)
    (bank / "in/link.xml").symlink_to(outside)
    (bank / "in/folder").mkdir()
    os.mkfifo(bank / "in/pipe.xml")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(bank / "in/socket"))
    assert offered(FolderExchange(bank)) == ["f.tmp.xml"]


def test_a_pass_offers_at_most_so_many_files_and_the_next_one_the_rest(
    bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_exchange, "FILES_A_PASS", 2)
    for at, name in enumerate(("b.xml", "a.xml", "c.xml")):
        left(bank, name, at=at)
    exchange = FolderExchange(bank)
    assert offered(exchange) == ["b.xml", "a.xml"]
    for name in ("b.xml", "a.xml"):
        exchange.put_away(name)
    assert offered(exchange) == ["c.xml"]


@pytest.mark.parametrize(("limit", "names"), [(20, ["a", "b"]), (21, ["a", "b", "c"]), (1, ["a"])])
def test_no_more_is_offered_once_so_many_bytes_are(
    bank: Path, limit: int, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_exchange, "BYTES_A_PASS", limit)
    for at, name in enumerate("abcd"):
        left(bank, name, b"x" * 10, at)
    assert offered(FolderExchange(bank)) == names


@pytest.mark.parametrize(("size", "read"), [(99, 99), (100, 100), (101, 101), (5_000, 101)])
def test_of_a_file_above_the_limit_one_byte_more_is_read(
    bank: Path, size: int, read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_exchange, "INCOMING_BYTES_MAX", 100)
    left(bank, "a.xml", b"x" * size)
    [file] = FolderExchange(bank).incoming()
    assert len(file.content) == read


# --- names of the bank's own ----------------------------------------------------------------------

OF_A_DESK = (
    "q 空格 中文名.xml",
    "回单(1).xml",
    "对账\u3000单.xml",
    "2-回单.xml",
    "回" * 80,
    "x" * 120,
)


@pytest.mark.parametrize("name", OF_A_DESK)
def test_a_file_comes_under_whatever_name_a_file_desk_gives_it(bank: Path, name: str) -> None:
    exchange = FolderExchange(bank)
    for content in (b"one", b"two"):
        left(bank, name, content)
        assert [(one.name, one.content) for one in exchange.incoming()] == [(name, content)]
        exchange.put_away(name)
    assert exchange.left_alone() == [] and offered(exchange) == []
    kept = {one.name: one.read_bytes() for one in (bank / "read").iterdir()}
    assert kept == {name: b"one", f"2-{name}": b"two"}
    assert {one.name for one in exchange.received()} == exchange.dealt_with_names() == set(kept)


NOT_TAKEN = {
    "a\u202elmx.b": (r"a\u{202e}lmx.b", "its name has characters that cannot be shown"),
    "a\tb.xml": (r"a\u{9}b.xml", "its name has characters that cannot be shown"),
    os.fsdecode(b"\xbb\xd8.xml"): (
        r"\u{dcbb}\u{dcd8}.xml", "its name has characters that cannot be shown",
    ),
    "x" * 121: ("x" * 100, "its name is longer than 120 characters"),
    "回" * 81: ("回" * 81, "its name is longer than 120 characters"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_what_cannot_be_taken_in_is_named_and_not_passed_over(bank: Path, name: str) -> None:
    left(bank, name)
    exchange = FolderExchange(bank)
    assert offered(exchange) == []
    assert exchange.left_alone() == [LeftAlone(*NOT_TAKEN[name])]


def test_a_folder_or_a_link_among_the_banks_files_is_named_too(bank: Path) -> None:
    outside = left(bank, "letter.xml", b"secret", part="elsewhere")
    for name in ("a.tmp", ".d.xml", "good.xml"):
        left(bank, name)
    (bank / "in/link.xml").symlink_to(outside)
    (bank / "in/回单").mkdir()
    why = "it is a folder, a link or no file at all"
    assert FolderExchange(bank).left_alone() == [LeftAlone("link.xml", why), LeftAlone("回单", why)]


def test_no_more_is_named_at_once_than_is_read(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_exchange, "FILES_A_PASS", 2)
    for name in "bac":
        (bank / "in" / name).mkdir(parents=True)
    assert [one.name for one in FolderExchange(bank).left_alone()] == ["a", "b"]


# --- what may still be on its way -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "may_grow"),
    [(0, True), (59, True), (60, False), (86_400, False), (-599, True), (-600, False),
     (-86_400, False)],
)  # fmt: skip
def test_a_file_may_grow_for_a_minute_after_its_last_change(
    bank: Path, age: int, may_grow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file server's clock may be ahead; a day ahead is a file's time that was set."""
    left(bank, "a.xml", at=1_000_000)
    monkeypatch.setattr(
        folder_exchange, "time", SimpleNamespace(time_ns=lambda: (1_000_000 + age) * 10**9)
    )
    exchange = FolderExchange(bank)
    (offered_now,), (received,) = exchange.incoming(), exchange.received()
    assert offered_now.may_grow is received.may_grow is may_grow


# --- what was dealt with --------------------------------------------------------------------------


def test_what_was_dealt_with_is_kept_under_its_name_or_a_number_before_it(bank: Path) -> None:
    exchange = FolderExchange(bank)
    for content in (b"one", b"two", b"three"):
        left(bank, "a.xml", content)
        assert offered(exchange) == ["a.xml"]
        exchange.put_away("a.xml")
    kept = {one.name: one.read_bytes() for one in (bank / "read").iterdir()}
    assert kept == {"a.xml": b"one", "2-a.xml": b"two", "3-a.xml": b"three"}
    assert offered(exchange) == [] and exchange.dealt_with_names() == set(kept)
    exchange.put_away("a.xml")
    assert set(kept) == exchange.dealt_with_names(), "a name that is not there is nothing to do"


def test_a_file_is_put_away_that_was_never_offered(bank: Path) -> None:
    left(bank, "a.xml")
    FolderExchange(bank).put_away("a.xml")
    assert FolderExchange(bank).dealt_with_names() == {"a.xml"}


def written_again(path: Path) -> None:
    """The same file and size at another time."""
    os.utime(path, (2_000, 2_000))


def grown(path: Path) -> None:
    """The same file and time with more in it."""
    path.write_bytes(b"longer")
    os.utime(path, (1_000, 1_000))


def replaced(path: Path) -> None:
    """Another file of the same size and time."""
    other = left(path.parent.parent, "other.xml", b"y", part="elsewhere")
    other.replace(path)


def linked(path: Path) -> None:
    """A link whose file is the one that was offered."""
    moved = path.parent.parent / "moved.xml"
    path.rename(moved)
    path.symlink_to(moved)


@pytest.mark.parametrize("change", [written_again, grown, replaced, linked])
def test_a_file_that_the_bank_has_changed_since_it_was_offered_stays(
    bank: Path, change: Any
) -> None:
    path = left(bank, "a.xml")
    exchange = FolderExchange(bank)
    assert offered(exchange) == ["a.xml"]
    change(path)
    exchange.put_away("a.xml")
    assert path.exists() and exchange.dealt_with_names() == set()


def test_what_was_offered_before_the_last_look_does_not_count(bank: Path) -> None:
    path = left(bank, "a.xml")
    exchange = FolderExchange(bank)
    assert offered(exchange) == ["a.xml"]
    path.unlink()
    assert offered(exchange) == []
    left(bank, "a.xml", b"another")
    exchange.put_away("a.xml")
    assert exchange.dealt_with_names() == {"a.xml"}


def test_after_a_restore_everything_is_read_again(bank: Path) -> None:
    exchange = FolderExchange(bank)
    for name in ("YC-2.xml", "YC-1.xml", "YC-3.xml"):
        exchange.hand_over(name, name.encode())
    assert [(one.name, one.content) for one in exchange.handed_over()] == [
        (name, name.encode()) for name in ("YC-1.xml", "YC-2.xml", "YC-3.xml")
    ]
    assert exchange.handed_names() == {"YC-1.xml", "YC-2.xml", "YC-3.xml"}
    left(bank, "new.xml", b"3", 7)
    left(bank, "old.xml", b"1", 5, "read")
    left(bank, "b.xml", b"2", 6, "read")
    left(bank, "a.xml", b"2", 6)
    assert [(one.name, one.content) for one in exchange.received()] == [
        ("old.xml", b"1"), ("a.xml", b"2"), ("b.xml", b"2"), ("new.xml", b"3"),
    ]  # fmt: skip
    assert exchange.dealt_with_names() == {"old.xml", "b.xml"}


# --- when it cannot be used -----------------------------------------------------------------------

_ACTS: tuple[Any, ...] = (
    lambda exchange: exchange.hand_over("a.xml", b"x"),
    lambda exchange: exchange.incoming(),
    lambda exchange: exchange.put_away("a.xml"),
    lambda exchange: exchange.handed_names(),
    lambda exchange: exchange.dealt_with_names(),
    lambda exchange: list(exchange.handed_over()),
    lambda exchange: list(exchange.received()),
    lambda exchange: exchange.left_alone(),
)


@pytest.mark.parametrize("act", _ACTS)
def test_a_folder_out_of_reach_is_said_with_its_reason(bank: Path, act: Any) -> None:
    bank.parent.mkdir()
    bank.write_text("a file where the folder should be")
    with pytest.raises(BankUnavailableError) as caught:
        act(FolderExchange(bank))
    assert (caught.value.zh, caught.value.en) == (
        f"银行文件目录 {bank} 用不了：Not a directory。没有丢失，稍后自动再试。",
        f"the bank folder {bank} cannot be used: Not a directory. Nothing is lost; tried again.",
    )


def unlisted(exchange: FolderExchange, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let the exchange believe that it saw a plain file of this name, as it was a moment ago."""
    with os.scandir(path.parent) as entries:
        (entry,) = [one for one in entries if one.name == path.name]
    monkeypatch.setattr(
        exchange, "_plain", lambda part: [entry] if part == path.parent.name else []
    )


def test_files_that_stay_hold_up_no_later_one(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_exchange, "FILES_A_PASS", 2)
    for at, name in enumerate(("stuck1.xml", "stuck2.xml", "new1.xml", "new2.xml", "new3.xml")):
        left(bank, name, at=at)
    exchange = FolderExchange(bank)
    seen: list[str] = []
    for _ in range(4):
        seen += offered(exchange)
        for name in ("new1.xml", "new2.xml", "new3.xml"):
            if name in seen:
                exchange.put_away(name)
    assert seen[:2] == ["stuck1.xml", "stuck2.xml"]
    assert {"new1.xml", "new2.xml", "new3.xml"} <= set(seen)
    assert [path.name for path in sorted((bank / "in").iterdir())] == ["stuck1.xml", "stuck2.xml"]


def test_a_file_that_cannot_be_read_holds_up_no_other_and_is_named(
    bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at, name in enumerate(("a.xml", "b.xml", "c.xml")):
        left(bank, name, at=at)
    read, is_broken = folder_exchange._read, [True]

    def failing(path: Path) -> Any:
        if path.name == "b.xml" and is_broken[0]:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(folder_exchange, "_read", failing)
    exchange = FolderExchange(bank)
    assert offered(exchange) == ["a.xml", "c.xml"]
    assert exchange.left_alone() == [LeftAlone("b.xml", "it cannot be read: Permission denied")]
    is_broken[0] = False
    assert sorted(offered(exchange)) == ["a.xml", "b.xml", "c.xml"]
    assert exchange.left_alone() == []


@pytest.mark.parametrize("read", ["handed_over", "received"])
def test_a_link_that_takes_a_files_place_is_not_followed(
    bank: Path, read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = FolderExchange(bank)
    secret = left(bank, "secret", b"secret", part="elsewhere")
    path = left(bank, "a.xml", part="handed" if read == "handed_over" else "in")
    path.unlink()
    path.symlink_to(secret)
    unlisted(exchange, monkeypatch, path)
    with pytest.raises(BankUnavailableError, match="Too many levels of symbolic links"):
        list(getattr(exchange, read)())


def test_a_pipe_that_takes_a_files_place_blocks_nothing(
    bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = FolderExchange(bank)
    (bank / "in").mkdir(parents=True)
    os.mkfifo(bank / "in/a.xml")
    unlisted(exchange, monkeypatch, bank / "in/a.xml")
    assert exchange.incoming() == []
    assert [one.name for one in exchange.left_alone()] == ["a.xml"]
    with pytest.raises(BankUnavailableError, match=r"cannot be used: not a plain file\. Nothing"):
        list(exchange.received())


# --- a power cut ----------------------------------------------------------------------------------


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was forced to the disk, in its order."""
    done: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        done.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    return done


def test_a_file_is_on_disk_before_it_has_its_name_and_then_the_name_is(
    tmp_path: Path, synced: list[str]
) -> None:
    path = tmp_path / "new" / "part" / "a.xml"
    before = os.umask(0)
    try:
        write_durably(path, b"whole")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    unfinished, folder = synced
    assert Path(unfinished).parent == path.parent and folder == str(path.parent)
    assert Path(unfinished).name.startswith(".a.xml.") and unfinished.endswith(".tmp")
    assert path.read_bytes() == b"whole" and list(path.parent.iterdir()) == [path]


def test_nothing_unsynced_ever_has_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(b"before")

    def cut(descriptor: int) -> None:
        assert os.fstat(descriptor).st_size == len(b"whole"), "all of it was written by then"
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", cut)
    with pytest.raises(OSError, match="Input/output"):
        write_durably(path, b"whole")
    assert path.read_bytes() == b"before"


def test_what_is_put_away_is_never_in_neither_place_after_a_power_cut(
    bank: Path, synced: list[str]
) -> None:
    left(bank, "a.xml")
    FolderExchange(bank).put_away("a.xml")
    assert synced == [str(bank / "read"), str(bank / "in")]
