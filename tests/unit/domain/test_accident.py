"""Marks of an injury, the form of a declaration, and the undertaking that was signed."""

from __future__ import annotations

import datetime as dt

import pytest

from backend.domain.accident import (
    UNDERTAKINGS,
    Accident,
    DeclarationError,
    Excuse,
    is_injury,
    read_accident,
    read_excuse,
)
from backend.domain.audit.facts import Liability

TODAY = dt.date(2026, 11, 20)
ANSWERS = {
    "happened_on": "2026-11-02",
    "place": "home",
    "manner": "fall",
    "story": "下楼踩空",
    "third_party": "no",
    "at_work": "no",
    "traffic": "no",
    "signed": "yes",
}


@pytest.mark.parametrize(
    ("diagnosis", "medical_type", "expected"),
    [
        ("S72.001", "", True),
        ("t14.1", "", True),
        ("W01", "", True),
        ("Y98", "21", True),
        ("", "22", True),
        ("I10", "81", True),
        ("I10", "21", False),
        ("", "", False),
        ("Z47", "11", False),
        ("U07.1", "11", False),
        ("SLE", "11", False),
    ],
)
def test_injuries_are_known_by_exact_codes_only(
    diagnosis: str, medical_type: str, expected: bool
) -> None:
    assert is_injury(diagnosis, medical_type) is expected


@pytest.mark.parametrize(
    ("changed", "name", "words"),
    [
        ({"happened_on": ""}, "happened_on", "请选受伤的日期"),
        ({"happened_on": "2026-02-30"}, "happened_on", "请选受伤的日期"),
        ({"happened_on": "2026-11-21"}, "happened_on", "不能在今天以后"),
        ({"happened_on": "1999-01-01"}, "happened_on", "太早"),
        ({"place": ""}, "place", "在哪里"),
        ({"place": "moon"}, "place", "在哪里"),
        ({"manner": ""}, "manner", "怎么受伤"),
        ({"story": " 摔 "}, "story", "2 到 300"),
        ({"story": "摔" * 301}, "story", "2 到 300"),
        ({"third_party": ""}, "third_party", "别人的责任"),
        ({"at_work": "maybe"}, "at_work", "上班"),
        ({"traffic": ""}, "traffic", "交通事故"),
        ({"other_party": "甲" * 101}, "other_party", "100"),
        ({"signed": ""}, "signed", "我承诺"),
    ],
)
def test_each_fault_of_a_declaration_is_said_in_words(
    changed: dict[str, str], name: str, words: str
) -> None:
    with pytest.raises(DeclarationError) as caught:
        read_accident({**ANSWERS, **changed}, TODAY)
    assert list(caught.value.faults) == [name]
    assert words in caught.value.faults[name]


def test_an_empty_form_names_every_fault_at_once() -> None:
    with pytest.raises(DeclarationError, match="请选受伤的日期") as caught:
        read_accident({}, TODAY)
    assert set(caught.value.faults) == set(ANSWERS)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({}, Liability.NONE),
        ({"third_party": "yes"}, Liability.THIRD_PARTY),
        ({"third_party": "yes", "traffic": "yes"}, Liability.TRAFFIC),
        ({"traffic": "yes", "at_work": "yes"}, Liability.WORK),
    ],
)
def test_who_answers_for_the_accident_first(answers: dict[str, str], expected: Liability) -> None:
    declared = read_accident({**ANSWERS, **answers}, TODAY)
    assert declared.liability is expected
    assert Accident.from_record(declared.to_record()) == declared


@pytest.mark.parametrize(
    ("code", "text", "words"),
    [("bored", "", "从列表里选"), ("other-proof", " ", "写一句"), ("illness", "病" * 301, "300")],
)
def test_a_bad_excuse_is_refused(code: str, text: str, words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        read_excuse(code, text)


def test_an_excuse_may_be_left_out() -> None:
    assert read_excuse("", "") is None
    assert read_excuse("illness", " 住院 ") == Excuse("illness", "住院")


def test_a_published_undertaking_is_never_edited() -> None:
    """People have signed these bytes (SHA-256 by sha256sum); another text is another version."""
    assert {one.version: one.digest.hex() for one in UNDERTAKINGS} == {
        1: "78ff46d61f6ec3c0c975f4b1a04613b89155e43a1ae93cf1ccdcdb508264d41a"
    }
