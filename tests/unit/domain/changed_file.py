"""A JSON document with one thing changed, and the faults that its reader names."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from backend.domain.record_reader import MalformedDataError

Fault = tuple[str, str, str]

MISSING = ("缺少", "is missing")
UNKNOWN = ("未知字段", "is an unknown field")
NO_DAY = ("不是 YYYY-MM-DD 日期", "is not a YYYY-MM-DD date")
NO_OBJECT = ("不是对象", "is not an object")
NO_DIGEST = ("不是 64 位小写十六进制", "is not 64 lower-case hex digits")
FEN_MAX = 2**40 - 1


def no_text(length: int) -> tuple[str, str]:
    """What is said of a text that is none or longer than ``length``."""
    return (f"不是 {length} 字以内的文本", f"is not a text up to {length}")


def no_whole(low: int, high: int = FEN_MAX) -> tuple[str, str]:
    """What is said of anything but a whole number from ``low`` to ``high``."""
    return (f"不是 {low} 到 {high} 的整数", f"is not a whole number from {low} to {high}")


def none_of(*choices: str) -> tuple[str, str]:
    """What is said of a text that is none of the choices."""
    return (f"应为 {choices} 之一", f"is not one of {choices}")


def no_list(size: int) -> tuple[str, str]:
    """What is said of anything but a list of at most ``size`` entries."""
    return (f"不是 {size} 项以内的列表", f"is not a list up to {size}")


def changed(document: Any, path: str, value: Any) -> Any:
    """A copy with ``value`` at ``path`` (``/lines/0/name``); ``...`` takes the member away."""
    made = copy.deepcopy(document)
    *parents, last = path.strip("/").split("/")
    target = made
    for token in parents:
        target = target[int(token) if token.isdigit() else token]
    if value is ...:
        del target[last]
    else:
        target[int(last) if last.isdigit() else last] = value
    return made


def faults_of(parse: Callable[[object], object], value: object, what: str) -> list[Fault]:
    """The faults with their paths, in order. Fails when the reader names another document."""
    with pytest.raises(MalformedDataError, match=f"^{what} 有误：.+ / {what} is wrong: ") as caught:
        parse(value)
    return list(caught.value.faults)
