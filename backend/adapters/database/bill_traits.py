"""The row of ``bill_trait`` that belongs to a stored version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from backend.domain.bill_trait import trait_of


def trait_row(
    version_id: str, service_on: dt.date, header: str, lines: Sequence[str]
) -> dict[str, Any]:
    """Values of the row. Raises as :func:`trait_of` does when the stored text is no record."""
    trait = trait_of(header, lines)
    return {
        "version_id": version_id,
        "lines_digest": trait.lines_digest,
        "service_on": service_on,
        "visit_kind": trait.visit_kind,
        "diagnosis": trait.diagnosis,
    }
