"""What a check of a network found: a verdict, the fact, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check ended. Only *bad* keeps the system from being run on this network."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report. ``place`` is the node's label or empty; ``to_do`` says the next step,
    empty when the check passed."""

    verdict: Verdict
    check: str
    place: str
    zh: str
    en: str
    to_do_zh: str = ""
    to_do_en: str = ""


def good(check: str, place: str, zh: str, en: str) -> Finding:
    return Finding(Verdict.GOOD, check, place, zh, en)


def warn(check: str, place: str, fact: tuple[str, str], to_do: tuple[str, str]) -> Finding:
    return Finding(Verdict.WARN, check, place, *fact, *to_do)


def bad(check: str, place: str, fact: tuple[str, str], to_do: tuple[str, str]) -> Finding:
    return Finding(Verdict.BAD, check, place, *fact, *to_do)
