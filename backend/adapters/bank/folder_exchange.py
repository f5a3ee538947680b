"""Files to and from the bank in a folder that a file desk or an SFTP mount serves.

``out/`` holds what the bank fetches, ``handed/`` our copy of each file that was handed over,
``in/`` what the bank leaves, ``read/`` what was dealt with. Nothing is ever deleted here. Copies
outlive the database's backups: after a restore they say what the bank was told.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from backend.service_layer.payout.ports import BankConflictError, BankUnavailableError
from backend.service_layer.payout.records import (
    INCOMING_BYTES_MAX,
    IncomingFile,
    LeftAlone,
    NameMatch,
    NameVerdict,
)

_OUR_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_HIDDEN: Final = (".", "~$")
_UNFINISHED: Final = (".tmp", ".part", ".filepart", ".crdownload")
NAME_CHARACTERS_MAX: Final = 120
NAME_BYTES_MAX: Final = 240
"""A file system takes 255; a number may come before a name in ``read/``."""
STILL_SECONDS: Final = 60
"""A file that was changed less than this ago may still be on its way."""
CLOCKS_APART_SECONDS: Final = 600
"""So far the clock of a file server may be ahead of ours; a time further ahead is not believed."""
FILES_A_PASS: Final = 200
BYTES_A_PASS: Final = INCOMING_BYTES_MAX
"""No more than about so much of the bank's files is in memory at once."""


class FolderExchange:
    """``folder`` is made with its four parts, readable by its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offered: dict[str, tuple[int, int, int]] = {}
        self._unreadable: dict[str, str] = {}

    @property
    def is_simulated(self) -> bool:
        return False

    def check_name(self, holder: str, account_number: str, bank_code: str) -> NameMatch:
        """A folder cannot be asked whose an account is: people check a proof instead."""
        return NameMatch(NameVerdict.UNCHECKED, simulated=False)

    def ask_for_statements(self) -> bool:
        """A bank leaves its statements by itself, each night."""
        return False

    def left_alone(self) -> Sequence[LeftAlone]:
        """What lies in ``in/`` and cannot be taken in, by name, at most ``FILES_A_PASS`` of it.
        Hidden and unfinished files are none of it: they are taken in when they have their name."""
        try:
            with os.scandir(self._part("in")) as entries:
                found = [
                    (shown(entry.name), self._why_unreadable(entry.name) or _why_left(entry))
                    for entry in entries
                ]
        except OSError as error:
            raise self._unavailable(error) from error
        return [LeftAlone(name, why) for name, why in sorted(found) if why][:FILES_A_PASS]

    def _why_unreadable(self, name: str) -> str:
        why = self._unreadable.get(name)
        return f"it cannot be read: {why}" if why else ""

    def _part(self, name: str) -> Path:
        path = self._folder.joinpath(name)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def hand_over(self, name: str, content: bytes) -> None:
        """Write to ``out/``, then keep our copy. Killed between the two, the same bytes are
        written again: the bank refuses a message id that it knows."""
        _require(_OUR_NAME.fullmatch(name), name)
        try:
            kept = self._part("handed").joinpath(name)
            if kept.exists():
                if kept.read_bytes() != content:
                    raise BankConflictError(
                        f"文件 {name} 已用其他内容交给银行。没有再交。",
                        f"file {name} was handed over with other bytes. It was not handed over.",
                    )
                return
            write_durably(self._part("out").joinpath(name), content)
            write_durably(kept, content)
        except OSError as error:
            raise self._unavailable(error) from error

    def incoming(self) -> Sequence[IncomingFile]:
        """At most ``FILES_A_PASS`` files of ``in/``, oldest first; those that were offered last
        time and still lie there come after the others, so that they hold up none. Files still
        being written by name (``.tmp``, ``.part``, hidden) and what :meth:`left_alone` names are
        left out; one that cannot be read is named there too and is tried again."""
        waiting, self._offered, self._unreadable = set(self._offered), {}, {}
        try:
            found = sorted(
                self._plain("in"),
                key=lambda entry: (entry.name in waiting, entry.stat().st_mtime_ns, entry.name),
            )
        except OSError as error:
            raise self._unavailable(error) from error
        files: list[IncomingFile] = []
        size = 0
        for entry in found[:FILES_A_PASS]:
            try:
                identity = _identity(Path(entry.path))
                files.append(_read(Path(entry.path)))
            except OSError as error:
                self._unreadable[entry.name] = error.strerror or type(error).__name__
                continue
            self._offered[entry.name] = identity
            size += len(files[-1].content)
            if size >= BYTES_A_PASS:
                break
        return files

    def put_away(self, name: str) -> None:
        """Move a file from ``in/`` to ``read/``; a name that is there already gets a number.

        A file that the bank has replaced since it was offered stays: it was not read yet."""
        _require(not _fault_of(name), name)
        try:
            source = self._part("in").joinpath(name)
            if self._offered.pop(name, None) not in (None, _identity(source)):
                return
            target = self._part("read").joinpath(name)
            number = 1
            while target.exists():
                number += 1
                target = self._part("read").joinpath(f"{number}-{name}")
            source.rename(target)
            _sync_folder(target.parent)
            _sync_folder(source.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unavailable(error) from error

    def handed_names(self) -> set[str]:
        """Names of every file that was ever handed over."""
        return self._names("handed")

    def dealt_with_names(self) -> set[str]:
        """Names of every file of the bank that was put away."""
        return self._names("read")

    def _names(self, part: str) -> set[str]:
        return {entry.name for entry in self._listed(part)}

    def handed_over(self) -> Iterator[IncomingFile]:
        """Every file that was ever handed over, by name."""
        for entry in sorted(self._listed("handed"), key=lambda found: found.name):
            yield self._copy(entry)

    def received(self) -> Iterator[IncomingFile]:
        """Every file that the bank ever left, those dealt with too, oldest first."""
        entries = [*self._listed("read"), *self._listed("in")]
        for entry in sorted(entries, key=lambda found: (found.stat().st_mtime_ns, found.name)):
            yield self._copy(entry)

    def _listed(self, part: str) -> list[os.DirEntry[str]]:
        try:
            return self._plain(part)
        except OSError as error:
            raise self._unavailable(error) from error

    def _copy(self, entry: os.DirEntry[str]) -> IncomingFile:
        try:
            return _read(Path(entry.path))
        except OSError as error:
            raise self._unavailable(error) from error

    def _plain(self, part: str) -> list[os.DirEntry[str]]:
        """Plain files of a part: what we write has names of ours, what the bank leaves its own."""
        is_named = _NAMED.get(part, _is_our_name)
        with os.scandir(self._part(part)) as entries:
            return [
                entry
                for entry in entries
                if entry.is_file(follow_symlinks=False) and is_named(entry.name)
            ]

    def _unavailable(self, error: OSError) -> BankUnavailableError:
        what = error.strerror or type(error).__name__
        return BankUnavailableError(
            f"银行文件目录 {self._folder} 用不了：{what}。没有丢失，稍后自动再试。",
            f"the bank folder {self._folder} cannot be used: {what}. Nothing is lost; tried again.",
        )


def shown(name: str) -> str:
    """A name for an alarm: what cannot be shown is written as its number, and it is cut."""
    text = "".join(
        one if _is_shown(one) else f"\\u{{{ord(one):x}}}" for one in name[:NAME_CHARACTERS_MAX]
    )
    return text[: NAME_CHARACTERS_MAX - 20]


def _is_shown(character: str) -> bool:
    """Letters, marks and spaces of any script; nothing that turns or hides what is beside it."""
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _is_our_name(name: str) -> bool:
    return bool(_OUR_NAME.fullmatch(name)) and not _is_unfinished(name)


def _is_bank_name(name: str) -> bool:
    return not _is_unfinished(name) and not _fault_of(name)


def _is_unfinished(name: str) -> bool:
    return name.startswith(_HIDDEN) or name.casefold().endswith(_UNFINISHED)


def _is_kept_name(name: str) -> bool:
    """A name under which :meth:`FolderExchange.put_away` keeps a file."""
    number, _, rest = name.partition("-")
    return _is_bank_name(name) or (number.isdecimal() and _is_bank_name(rest))


_NAMED: Final = {"in": _is_bank_name, "read": _is_kept_name}


def _fault_of(name: str) -> str:
    """Why no file of this name is taken in, empty for one that is."""
    if not name or name.startswith(_HIDDEN) or "/" in name or not all(map(_is_shown, name)):
        return "its name has characters that cannot be shown"
    if len(name) > NAME_CHARACTERS_MAX or len(name.encode()) > NAME_BYTES_MAX:
        return f"its name is longer than {NAME_CHARACTERS_MAX} characters"
    return ""


def _why_left(entry: os.DirEntry[str]) -> str:
    if _is_unfinished(entry.name):
        return ""
    if not entry.is_file(follow_symlinks=False):
        return "it is a folder, a link or no file at all"
    return _fault_of(entry.name)


def _require(holds: object, name: str) -> None:
    if not holds:
        raise ValueError(f"{name[:120]!r} is no file name of the bank exchange")


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that under its name it is whole or absent, also after a power cut."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _identity(path: Path) -> tuple[int, int, int]:
    """What changes when a file is replaced or written again."""
    found = path.stat(follow_symlinks=False)
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> IncomingFile:
    """One byte more than the limit shows that the file is too large. No link is followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(0, "not a plain file")
        content = stream.read(INCOMING_BYTES_MAX + 1)
        age = (time.time_ns() - os.fstat(stream.fileno()).st_mtime_ns) // 10**9
    may_grow = -CLOCKS_APART_SECONDS < age < STILL_SECONDS
    return IncomingFile(path.name, content, may_grow=may_grow)
