"""What scripts/generate_vectors.py makes vectors of: inputs by hand, refusals with reasons."""

from __future__ import annotations

from typing import Any, Final

Case = dict[str, Any]

CANONICAL_TEXTS: Final = {
    "example of the page": '{ "total_fen": 12050, "name": "阿莫西林 \\/ 0.25g", "lines": [ ] }',
    "empty object": "{}",
    "empty array": " [\t\r\n] ",
    "empty string and empty name": '{"":""}',
    "zero": "0",
    "largest integer": "9007199254740991",
    "smallest integer": "-9007199254740991",
    "members are sorted": '{"b":1,"a":2,"B":3,"10":4,"9":5}',
    "names are sorted by UTF-16 code units": '{"\\ufb33":1,"\\ud83d\\ude00":2,"\\u20ac":3,"\\r":4}',
    "short escapes": '"\\u0008\\u0009\\u000a\\u000c\\u000d\\u0022\\u005c"',
    "other control characters": '"\\u0000\\u001F\\u007f\\u0080"',
    "no normalisation": '["\\u00e9","e\\u0301"]',
    "solidus is not escaped": '"\\/"',
    "line separators are not escaped": '"\\u2028\\u2029"',
    "astral character": '"\\ud834\\udd1e"',
    "sixteen containers deep": "[" * 16 + "]" * 16,
}

REFUSED_TEXTS: Final = {
    "null": ("null", "null is not a value of the restricted form"),
    "true": ("[true]", "booleans are not values of the restricted form"),
    "false": ('{"a":false}', "booleans are not values of the restricted form"),
    "fraction": ("1.0", "only integers"),
    "exponent": ("1e2", "only integers"),
    "nan": ("NaN", "not JSON"),
    "infinity": ("-Infinity", "not JSON"),
    "minus zero": ("-0", "zero has one spelling"),
    "leading zero": ("01", "not JSON"),
    "plus sign": ("+1", "not JSON"),
    "integer too large": ("9007199254740992", "beyond 2^53 - 1"),
    "integer too small": ("-9007199254740992", "beyond 2^53 - 1"),
    "very long integer": ("1" * 5000, "beyond 2^53 - 1"),
    "duplicate key": ('{"a":1,"a":1}', "two members of one name"),
    "duplicate key by escape": ('{"a":1,"\\u0061":2}', "two members of one name"),
    "nested duplicate key": ('[{"a":{"b":1,"b":2}}]', "two members of one name"),
    "lone high surrogate": ('"\\ud800"', "not a Unicode scalar value"),
    "lone low surrogate": ('{"\\udc00":1}', "not a Unicode scalar value"),
    "swapped surrogates": ('"\\ude00\\ud83d"', "not Unicode scalar values"),
    "raw control character": ('"\u0001"', "not JSON"),
    "single quotes": ("'a'", "not JSON"),
    "trailing comma": ("[1,]", "not JSON"),
    "two values": ("1 2", "not JSON"),
    "nothing": ("", "not JSON"),
    "unfinished": ('{"a":', "not JSON"),
    "byte order mark": ("\ufeff1", "no byte order mark"),
    "seventeen containers deep": ("[" * 17 + "]" * 17, "nested deeper than 16"),
    "full-width digit": ("\uff11", "not JSON"),
    "name without quotes": ("{a:1}", "not JSON"),
    "comment": ("1 // one", "not JSON"),
}

RECORDS: Final[dict[str, Case]] = {
    "example of the page": {
        "lines": [{"amount": "1.0000"}, {"amount": "2.5000"}],
        "total_fen": 350,
    },
    "no member": {},
    "one field": {"total_fen": 0},
    "empty array": {"lines": []},
    "object member is one field": {"payer": {"name": "a", "ids": [1, 2]}},
    "array of arrays": {"m": [[1, 2], [], [[3]]]},
    "object that looks like an array": {"lines": {"0": "a", "1": "b"}},
    "array that looks like that object": {"lines": ["a", "b"]},
    "escaped names": {"a/b": 1, "a~b": [2], "~1": 3, "/": 4, "": 5},
    "order by code units": {"\ufb33": 1, "\U0001f600": 2, "€": 3, "a": 4},
    "chinese text": {"institution_name": "衢州市第一人民医院", "lines": [{"name": "阿莫西林胶囊"}]},
    "seventeen elements": {"lines": [{"amount": f"{n}.0000"} for n in range(17)]},
}

NUMBERS: Final = (
    ("33010122", "0000123456"),
    ("330101220000", "12345678"),
    ("", "33010122000012345678"),
    ("00000000", "0000000000"),
    ("000000000000", "00000000"),
)

REFUSED_NUMBERS: Final = {
    "no number": ("33010122", ""),
    "nothing": ("", ""),
    "code too short": ("3301012", "0000123456"),
    "number too long": ("33010122", "00001234567"),
    "code and number exchanged": ("0000123456", "33010122"),
    "twenty digits in the code": ("33010122000012345678", ""),
    "eighteen digits in the number": ("", "330101220000123456"),
    "full-width digit": ("33010122", "000012345\uff16"),
    "arabic-indic digit": ("33010122", "000012345\u0666"),
    "superscript digit": ("33010122", "000012345\u00b2"),
    "letter": ("33010122", "000012345A"),
    "space": ("33010122", " 000123456"),
    "minus sign": ("33010122", "-000123456"),
    "line feed": ("33010122", "000012345\n"),
}
