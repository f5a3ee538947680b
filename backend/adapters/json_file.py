"""Reading a JSON file of strings and integers, with a plain answer when it is not one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from backend.domain.record_reader import MalformedDataError
from verifier.commitment.canonical import parse_canonical
from verifier.errors import VerificationError

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
JSON_DEPTH_MAX: Final = 16


def read_json(path: Path, what: str) -> object:
    """The value in ``path``. Raises :class:`MalformedDataError` naming ``what`` when the file
    cannot be read, is too long, or holds anything but objects, arrays, strings and integers."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise MalformedDataError(what, (("", "文件过大", "the file is too long"),))
        data = path.read_bytes()
    except OSError as error:
        text = error.strerror or "?"
        raise MalformedDataError(what, (("", "文件读不了", f"cannot be read: {text}"),)) from error
    try:
        return parse_canonical(data, FILE_BYTES_MAX, JSON_DEPTH_MAX)
    except VerificationError as error:
        raise MalformedDataError(what, (("", "不是受限 JSON", str(error)),)) from error
