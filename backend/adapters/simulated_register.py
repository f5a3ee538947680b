"""The simulated insurance register: dated facts of the embedded system behind ``FactsPort``.

A real deployment asks the insurance core system instead. Every snapshot made here says
``simulated``, and so do the pages and commands that show it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from backend.domain.person import PersonSnapshot
from backend.domain.register import SIMULATED, known_facts, snapshot_from


@dataclass(frozen=True, slots=True)
class SimulatedRegister:
    """``region`` is the area whose insurance the people here have."""

    region: str
    source: str = SIMULATED

    def person_snapshot(
        self, work: Any, person_id: str, as_of: dt.date, service_on: dt.date | None = None
    ) -> PersonSnapshot:
        """The person as known now; insurance and person type of ``service_on``, else ``as_of``."""
        return snapshot_from(
            known_facts(work.register.facts_of(person_id)),
            person_ref=person_id,
            region=self.region,
            as_of=as_of,
            service_on=service_on or as_of,
            source=self.source,
        )
