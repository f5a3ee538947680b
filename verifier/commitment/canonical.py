"""Canonical JSON: RFC 8785 restricted to objects, arrays, strings and integers (SPEC.md A1)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from verifier.errors import MalformedError

#: A value of the restricted form. Tuples are accepted where a list is meant.
CanonicalValue = Mapping[str, "CanonicalValue"] | Sequence["CanonicalValue"] | str | int

#: What the parser returns: dictionaries and lists only, never tuples.
ParsedValue = dict[str, "ParsedValue"] | list["ParsedValue"] | str | int

#: Largest magnitude of an integer: 2^53 - 1, the integers that every JSON reader keeps exactly.
MAX_INTEGER: Final = 2**53 - 1
#: Deepest nesting of containers; a scalar alone has depth 0.
MAX_DEPTH: Final = 16
#: Default bound on the bytes of one text.
MAX_BYTES: Final = 8 * 1024 * 1024

_INTEGER: Final = re.compile(r"(?:0|-?[1-9][0-9]{0,15})")
# The closing quote is optional so that an unfinished string costs linear time, not quadratic.
_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKET: Final = re.compile(r"[\[\]{}]")
_STRING_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)
# Only for values that are plain all through: where names are ASCII, the standard encoder's order
# (code points) and escapes are those of RFC 8785.
_PLAIN_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":"), sort_keys=True
)
_ONLY_STRINGS: Final = frozenset((str,))
_PLAIN: Final = frozenset((str, int, dict, list, tuple))
_CONTAINERS: Final = frozenset((dict, list, tuple))
#: What a text must hold to say null, true or false, or a lone surrogate, anywhere in it.
_SUSPECT: Final = re.compile(r"null|true|false|\\u[dD]")


def canonical_bytes(value: CanonicalValue) -> bytes:
    """Return the one byte sequence that stands for ``value``.

    Equal values have equal bytes and different values have different bytes.
    Raises MalformedError for a float, null, boolean, non-string key, integer beyond 2^53 - 1,
    lone surrogate or nesting deeper than MAX_DEPTH.
    """
    if _is_plain(value, 0):
        text = _PLAIN_ENCODER.encode(value)
    else:
        parts: list[str] = []
        _write(value, parts, 0)
        text = "".join(parts)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedError("text holds a lone surrogate, which has no UTF-8 form") from error


def _write(value: object, parts: list[str], depth: int) -> None:
    if isinstance(value, str):
        # RFC 8785 3.2.2.2 and Python's encoder agree: only ", \ and U+0000..U+001F are escaped.
        parts.append(_STRING_ENCODER.encode(value))
    elif isinstance(value, int) and not isinstance(value, bool):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise MalformedError("an integer is outside -(2^53-1) to 2^53-1")
        parts.append(int.__repr__(value))
    elif isinstance(value, Mapping):
        _check_depth(depth)
        _write_object(value, parts, depth + 1)
    elif isinstance(value, list | tuple):
        _check_depth(depth)
        parts.append("[")
        for index, element in enumerate(value):
            if index:
                parts.append(",")
            _write(element, parts, depth + 1)
        parts.append("]")
    else:
        raise MalformedError(
            f"a value of type {type(value).__name__} has no canonical form: "
            "only objects, arrays, strings and integers do"
        )


def _write_object(value: Mapping[object, object], parts: list[str], depth: int) -> None:
    keys: list[str] = []
    for key in value:
        if not isinstance(key, str):
            raise MalformedError("an object key is not a string")
        keys.append(key)
    # RFC 8785 3.2.3: keys are ordered by UTF-16 code units, not by code points.
    keys.sort(key=_utf16_units)
    parts.append("{")
    for index, key in enumerate(keys):
        if index:
            parts.append(",")
        parts.append(_STRING_ENCODER.encode(key))
        parts.append(":")
        _write(value[key], parts, depth)
    parts.append("}")


def _is_plain(value: Any, depth: int) -> bool:
    """Whether the value has a canonical form, is of Python's own types only and has no name
    beyond ASCII. False says nothing: such a value is written, or refused, member by member."""
    kind = type(value)
    if kind not in _CONTAINERS:
        return kind is str or (kind is int and -MAX_INTEGER <= value <= MAX_INTEGER)
    if depth >= MAX_DEPTH or (kind is dict and not _has_plain_names(value)):
        return False
    members = value.values() if kind is dict else value
    kinds = {*map(type, members)}
    if not kinds <= _PLAIN or (int in kinds and not _are_exact(members)):
        return False
    if kinds.isdisjoint(_CONTAINERS):
        return True
    inner = [member for member in members if type(member) in _CONTAINERS]
    return all(_is_plain(member, depth + 1) for member in inner)


def _has_plain_names(value: dict[Any, Any]) -> bool:
    return not value or ({*map(type, value)} == _ONLY_STRINGS and "".join(value).isascii())


def _are_exact(members: Iterable[Any]) -> bool:
    numbers = [member for member in members if type(member) is int]
    return min(numbers) >= -MAX_INTEGER and max(numbers) <= MAX_INTEGER


def _utf16_units(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise MalformedError(f"containers are nested deeper than {MAX_DEPTH}")


def parse_canonical(
    data: bytes,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    *,
    require_canonical: bool = False,
) -> ParsedValue:
    """Read strict JSON of the restricted form.

    Order of members and white space are free unless ``require_canonical`` is set; then ``data``
    must be exactly ``canonical_bytes`` of what it says.
    Raises MalformedError for anything else, duplicate keys and over-long input included.
    """
    if len(data) > max_bytes:
        raise MalformedError(f"text is {len(data)} bytes long, the limit is {max_bytes}")
    try:
        text = data.decode("utf-8")
        check_nesting(text, max_depth)
        value: object = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise MalformedError("text is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"text is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from error
    # A text without these letters has nothing that the walk over its values could refuse.
    parsed = cast("ParsedValue", value) if _SUSPECT.search(text) is None else _checked(value)
    if require_canonical and canonical_bytes(parsed) != data:
        raise MalformedError("text is JSON but not in canonical form")
    return parsed


def check_nesting(text: str, max_depth: int) -> None:
    """Raise MalformedError when the containers of a JSON text are nested deeper than allowed.

    It comes before the standard parser, which recurses in C: where another library has raised
    the interpreter's recursion limit, deep nesting would end the process instead of raising.
    """
    if text.count("[") + text.count("{") <= max_depth:
        return  # fewer brackets than levels, those within strings counted
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        if bracket[0] in "[{":
            depth += 1
            if depth > max_depth:
                raise MalformedError(f"containers are nested deeper than {max_depth}")
        else:
            depth -= 1


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedError("an object has two members of the same name")
    return members


def _exact_integer(text: str) -> int:
    # The length is bounded before int(): a long digit string costs quadratic time.
    if _INTEGER.fullmatch(text) is None or abs(int(text)) > MAX_INTEGER:
        raise MalformedError("an integer is outside -(2^53-1) to 2^53-1, or is written -0")
    return int(text)


def _refuse_number(text: str) -> int:
    raise MalformedError("a number is not an integer: fractions, exponents and NaN are refused")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique_members,
    parse_int=_exact_integer,
    parse_float=_refuse_number,
    parse_constant=_refuse_number,
)


def _checked(value: object) -> ParsedValue:
    """Return ``value`` after refusing null, booleans and lone surrogates."""
    if isinstance(value, str):
        _check_surrogates(value)
        return value
    if isinstance(value, bool) or value is None:
        raise MalformedError("null, true and false are refused")
    if isinstance(value, int):
        return value
    if isinstance(value, list):
        return [_checked(element) for element in value]
    assert isinstance(value, dict), "json.loads returned a type that JSON does not have"
    for key in value:
        _check_surrogates(key)
    return {key: _checked(member) for key, member in value.items()}


def _check_surrogates(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedError("text holds a lone surrogate, which has no UTF-8 form") from error
