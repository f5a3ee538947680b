"""All checks by name. A rule file names them; what they may be set to stands beside each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from backend.domain.audit.check import CheckSpec
from backend.domain.audit.checks import (
    accident,
    charging,
    duplicates,
    form,
    institution,
    operations,
    outliers,
    persons,
    place_and_time,
    quantity,
    restricted,
    stays,
    sums,
)

_ALL: Final[tuple[CheckSpec, ...]] = (
    *accident.CHECKS,
    *charging.CHECKS,
    *duplicates.CHECKS,
    *form.CHECKS,
    *institution.CHECKS,
    *operations.CHECKS,
    *outliers.CHECKS,
    *persons.CHECKS,
    *place_and_time.CHECKS,
    *quantity.CHECKS,
    *restricted.CHECKS,
    *stays.CHECKS,
    *sums.CHECKS,
)

CHECKS: Final[Mapping[str, CheckSpec]] = MappingProxyType({spec.name: spec for spec in _ALL})
assert len(CHECKS) == len(_ALL), "two checks have one name"
