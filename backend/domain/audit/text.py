"""Words in both languages, Chinese first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """Templates name their values in braces: ``{days}``."""

    zh: str
    en: str
