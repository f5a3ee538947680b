"""To whom and where a rule of a policy pack applies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from backend.domain.invoice import VisitKind

NO_STATUS: Final = "none"
"""In a selector: persons without hardship status, or without a civil servant's rank."""


class Case(NamedTuple):
    """Whom and what the rules of one bill are looked up for."""

    insurance_type: str
    visit_kind: str
    person_type: str
    hospital_level: int
    hardship: str = NO_STATUS
    rank: str = NO_STATUS


@dataclass(frozen=True, slots=True)
class Selector:
    """To whom and where a rule applies. An empty set means any.

    ``hardship`` holds hardship codes and NO_STATUS for persons without one, so that two rules
    may part the poor from everybody else; ``ranks`` does the same for civil servants.
    """

    insurance_types: frozenset[str] = frozenset()
    visit_kinds: frozenset[str] = frozenset()
    person_types: frozenset[str] = frozenset()
    hospital_levels: frozenset[int] = frozenset()
    hardship: frozenset[str] = frozenset()
    ranks: frozenset[str] = frozenset()

    def matches(self, case: Case) -> bool:
        return (
            (not self.insurance_types or case.insurance_type in self.insurance_types)
            and (not self.visit_kinds or case.visit_kind in self.visit_kinds)
            and (not self.person_types or case.person_type in self.person_types)
            and (not self.hospital_levels or case.hospital_level in self.hospital_levels)
            and (not self.hardship or case.hardship in self.hardship)
            and (not self.ranks or case.rank in self.ranks)
        )

    def counts_visit_kind(self, visit_kind: VisitKind) -> bool:
        return not self.visit_kinds or str(visit_kind) in self.visit_kinds
