"""What a policy pack's sources leave open, and what follows for a case that needs it.

A figure that no source gives is never guessed. An open point says in which cases it matters and
what then happens: there is no rule at all, a person has to look at what the known rules give, or
it is only told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from backend.domain.selector import Case, Selector

OPEN_POINT: Final = "policy-open"
"""The code of the reason by which a claim with an open point waits for a person."""


class OpenEffect(StrEnum):
    """What follows where an open point applies."""

    NO_RULE = "no-rule"  # the pack works out nothing for such a case
    PERSON = "person"  # worked out by the known rules, then a person has to look
    NOTE = "note"  # told, without effect


@dataclass(frozen=True, slots=True)
class OpenPoint:
    """One thing that the sources leave open, and the cases that it concerns.

    ``remote_statuses`` (empty: any) and ``year_in_scope_over_fen`` narrow it further: to bills
    of such a status, and to bills that bring the year's in-scope cost, of all visit kinds, above
    so many fen. ``figures`` is what the source does give, in its own words, where it does not say
    to which case each figure belongs.
    """

    open_id: str
    effect: OpenEffect
    source_id: str
    zh: str
    en: str
    selector: Selector
    remote_statuses: frozenset[str] = frozenset()
    year_in_scope_over_fen: int | None = None
    figures: tuple[str, ...] = ()

    def concerns(self, case: Case, remote_status: str, year_in_scope_fen: int) -> bool:
        """Whether a bill of this case needs what is open."""
        limit = self.year_in_scope_over_fen
        return (
            self.selector.matches(case)
            and (not self.remote_statuses or remote_status in self.remote_statuses)
            and (limit is None or year_in_scope_fen > limit)
        )


def missing_rule(points: Iterable[OpenPoint], case: Case) -> OpenPoint | None:
    """The open point that says why a pack has no rule for a case, if one does."""
    for point in points:
        if point.effect is OpenEffect.NO_RULE and point.selector.matches(case):
            return point
    return None


def reason_for_a_person(
    points: Iterable[OpenPoint], case: Case, remote_status: str, year_in_scope_fen: int
) -> tuple[str, str] | None:
    """Why a person has to look (zh, en), naming every open point that this bill needs.

    ``year_in_scope_fen`` is the year's in-scope cost, this bill included.
    """
    needed = [
        point
        for point in points
        if point.effect is OpenEffect.PERSON
        and point.concerns(case, remote_status, year_in_scope_fen)
    ]
    if not needed:
        return None
    zh = "政策来源没有写明，由工作人员核对：" + "；".join(point.zh for point in needed)
    en = "The policy's sources leave open: " + "; ".join(point.en for point in needed)
    return zh, en
