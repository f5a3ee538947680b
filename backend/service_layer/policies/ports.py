"""What publishing and shadow runs need of the outside."""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol

from backend.service_layer.claims.ports import ClaimWork
from backend.service_layer.claims.records import Claim
from backend.service_layer.ports import Clock

PersonYear = tuple[str, int]
"""A person's id and a benefit year."""


class DecidedClaims(Protocol):
    """Claims that have a decision, read person by person so that memory stays bounded."""

    def person_years(
        self, after: PersonYear | None, first: dt.date, last: dt.date, limit: int
    ) -> list[PersonYear]:
        """The next person-years with a decided claim of a service day in the range, in order."""
        ...

    def decided_of_year(self, person_id: str, year: int) -> list[Claim]:
        """The decided claims of one person and year in the order of their reservation."""
        ...


class ShadowWork(ClaimWork, Protocol):
    @property
    def decided_claims(self) -> DecidedClaims: ...


class ShadowServices(Protocol):
    def work(self, *, write: bool = True) -> Any:
        """A unit of work that gives :class:`ShadowWork`; never asked for one that writes."""
        ...


class PublishServices(Protocol):
    @property
    def clock(self) -> Clock: ...
    def work(self, *, write: bool = True) -> Any: ...


class Publisher(Protocol):
    """The policy publisher's account on the ledger."""

    def publish_policy(self, policy_hash: bytes, effective_from: dt.date) -> bool:
        """Publish; False when the hash was published before."""
        ...
